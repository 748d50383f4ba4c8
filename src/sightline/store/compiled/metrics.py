"""Metrics of OpenTelemetry: the points of gauges, sums and histograms. See `otlp` for what the tables are. What has exemplars, and
other kinds of points, are left to the engine, and so are dimensions that are neither texts, whole numbers nor truths."""

import numpy as np

from sightline.store.compiled import compiled, inlined
from sightline.store.compiled.members import keep, name_of
from sightline.store.compiled.otlp import FRAME, complete
from sightline.store.compiled.wire import (
    BOOL,
    FIXED64,
    INT,
    LENGTH,
    NONE,
    STRING,
    VARINT,
    read_attribute,
    read_field,
)
from sightline.store.compiled.words import read_word

POINT_LINES = 10
PLACE, END, GROUP, METRIC, METRIC_LENGTH, UNIT, UNIT_LENGTH, TYPE, TEMPORALITY, IS_MONOTONIC = range(POINT_LINES)
"""TYPE is a place in TYPES."""
TYPES = ("gauge", "sum", "histogram")
_HISTOGRAM = 2

OWN_LINES = 13
(
    TIME,
    START,
    FLAGS,
    VALUE_KIND,
    VALUE,
    COUNT,
    SUM,
    MIN,
    MAX,
    HAS,
    FIRST_BOUND,
    FIRST_COUNT,
    FIRST_ITEM,
) = range(OWN_LINES)
"""VALUE_KIND is 1 for a double and 2 for a whole number; VALUE, SUM, MIN and MAX are bits, and HAS says which of the last three
there are, by 1, 2 and 4."""


@compiled
def points_of(buf, metrics, points):
    """Fill `points` (POINT_LINES) from the messages at `metrics` (place, end, group). Returns their number, or one below 0."""
    n = np.int64(0)
    for m in range(metrics.shape[1]):
        start, end = metrics[0, m], metrics[1, m]
        name = name_length = unit = unit_length = data = data_end = np.int64(0)
        kind = np.int64(-1)
        at = start
        while at < end:
            number, wire, a, b, at = read_field(buf, at, end)
            if at < 0 or (number <= 11 and wire != LENGTH):
                return np.int64(-1)
            if number == 1:
                name, name_length = a, b - a
            elif number == 3:
                unit, unit_length = a, b - a
            elif number == 5 or number == 7 or number == 9:
                if kind >= 0:
                    return np.int64(-1)
                kind, data, data_end = (number - 5) >> 1, a, b
            elif number == 10 or number == 11:
                return np.int64(-1)
        if kind < 0:
            continue
        temporality = is_monotonic = np.int64(0)
        at = data
        while at < data_end:
            number, wire, a, b, at = read_field(buf, at, data_end)
            if at < 0 or (number == 1 and wire != LENGTH) or ((number == 2 or number == 3) and wire != VARINT):
                return np.int64(-1)
            if number == 2 and kind > 0:
                temporality = a if 0 <= a <= 2 else 0
            elif number == 3 and kind == 1:
                is_monotonic = np.int64(a != 0)
        at = data
        while at < data_end:
            number, wire, a, b, at = read_field(buf, at, data_end)
            if number != 1:
                continue
            if n >= points.shape[1]:
                return np.int64(-1)
            points[PLACE, n] = a
            points[END, n] = b
            points[GROUP, n] = metrics[2, m]
            points[METRIC, n] = name
            points[METRIC_LENGTH, n] = name_length
            points[UNIT, n] = unit
            points[UNIT_LENGTH, n] = unit_length
            points[TYPE, n] = kind
            points[TEMPORALITY, n] = temporality
            points[IS_MONOTONIC, n] = is_monotonic
            n += 1
    return n


@inlined
def _write_number(value, scratch, to):
    """Write a whole number as text; returns the place after it."""
    left = np.uint64(value)
    if value < 0:
        scratch[to] = 45
        to += 1
        left = np.uint64(0) - left
    digits = 1
    rest = left // np.uint64(10)
    while rest > np.uint64(0):
        digits += 1
        rest //= np.uint64(10)
    for k in range(digits):
        scratch[to + digits - 1 - k] = 48 + np.int64(left % np.uint64(10))
        left //= np.uint64(10)
    return to + digits


@inlined
def _take_dimension(buf, at, end, place, row, columns, into, names, scratch, base):
    """Put an attribute of a point where it belongs, as a text; False where it is unusual."""
    key, key_length, kind, value, length = read_attribute(buf, at, end)
    if kind < 0:
        return False
    if kind == NONE:
        value, length = np.int64(0), np.int64(0)
    elif kind == BOOL or kind == INT:
        to = into.state[2]
        after = to
        if kind == INT:
            after = _write_number(value, scratch, to)
        else:
            word = np.int64(0x65757274) if value else np.int64(0x65736C6166)
            while word:
                scratch[after] = word & 255
                word >>= 8
                after += 1
        into.state[2] = after
        value, length = base - to, after - to
    elif kind != STRING:
        return False
    name = name_of(buf, key, key_length, place, names)
    return keep(np.int64(STRING), value, length, name, key, key_length, columns, row, into)


@inlined
def _take_doubles(buf, wire, a, b, values, n):
    """Append the 64 bits of a field that may be packed; the number of values, or one below 0."""
    if wire == FIXED64:
        if n >= len(values):
            return np.int64(-1)
        values[n] = a
        return n + 1
    if wire != LENGTH or (b - a) & 7 or n + ((b - a) >> 3) > len(values):
        return np.int64(-1)
    while a < b:
        values[n] = read_word(buf, a)
        n += 1
        a += 8
    return n


@compiled
def points(buf, found, low, high, shared, frame_index, all_columns, bound, own, into, bounds, counts, scratch, base, names):
    """Read points from `low` to `high` into `own` (OWN_LINES), promoted columns, `items`, and the `bounds` and `counts` of buckets.
    Texts of numbers go to `scratch`, whose first place is `base`, and their length to the third of `state`. Returns 0, or -1 where
    anything is unusual."""
    into.state[0] = 0
    into.state[2] = 0
    n_bounds = n_counts = np.int64(0)
    for r in range(low, high):
        row = r - low
        at, end, g = found[PLACE, r], found[END, r], found[GROUP, r]
        if end - at > bound:
            return np.int64(-1)
        columns = all_columns[frame_index[shared.groups[FRAME, g]]]
        is_histogram = found[TYPE, r] == _HISTOGRAM
        attributes, flags = (9, 10) if is_histogram else (7, 8)
        for line in range(OWN_LINES):
            own[line, row] = 0
        own[FIRST_ITEM, row] = into.state[0]
        own[FIRST_BOUND, row] = n_bounds
        own[FIRST_COUNT, row] = n_counts
        place = 0
        while at < end:
            number, wire, a, b, at = read_field(buf, at, end)
            if at < 0:
                return np.int64(-1)
            if number == attributes:
                if wire != LENGTH or not _take_dimension(buf, a, b, place, row, columns, into, names, scratch, base):
                    return np.int64(-1)
                place += 1
            elif number == flags:
                if wire != VARINT:
                    return np.int64(-1)
                own[FLAGS, row] = a
            elif number == 2 or number == 3:
                if wire != FIXED64 or a < 0:
                    return np.int64(-1)
                own[START if number == 2 else TIME, row] = a
            elif is_histogram:
                if number == 6:
                    n_counts = _take_doubles(buf, wire, a, b, counts, n_counts)
                    if n_counts < 0:
                        return np.int64(-1)
                elif number == 7:
                    n_bounds = _take_doubles(buf, wire, a, b, bounds, n_bounds)
                    if n_bounds < 0:
                        return np.int64(-1)
                elif number == 8:
                    return np.int64(-1)
                elif number == 4 or number == 5 or number == 11 or number == 12:
                    if wire != FIXED64:
                        return np.int64(-1)
                    if number == 4:
                        own[COUNT, row] = a
                    else:
                        line, bit = SUM, 1
                        if number == 11:
                            line, bit = MIN, 2
                        elif number == 12:
                            line, bit = MAX, 4
                        own[line, row] = a
                        own[HAS, row] |= bit
            elif number == 4 or number == 6:
                if wire != FIXED64 or own[VALUE_KIND, row]:
                    return np.int64(-1)
                own[VALUE_KIND, row] = 1 if number == 4 else 2
                own[VALUE, row] = a
            elif number == 5:
                return np.int64(-1)
        if not complete(g, row, columns, into, shared):
            return np.int64(-1)
    own[FIRST_ITEM, high - low] = into.state[0]
    own[FIRST_BOUND, high - low] = n_bounds
    own[FIRST_COUNT, high - low] = n_counts
    return np.int64(0)
