"""Prometheus remote write, 1.0 and 2.0: a record for each sample, with its series' labels. What has histograms or exemplars is left
to the engine."""

import numpy as np

from sightline.store.compiled import compiled, inlined
from sightline.store.compiled.members import keep, name_of
from sightline.store.compiled.wire import FIXED64, LENGTH, STRING, VARINT, read_field, read_varint

SAMPLE_LINES = 5
FRAME, SERIES, SERIES_END, VALUE, TIME = range(SAMPLE_LINES)
OWN_LINES = 10
METRIC, METRIC_LENGTH, HOST, HOST_LENGTH, JOB, JOB_LENGTH, UNIT, UNIT_LENGTH, TYPE, FIRST_ITEM = range(OWN_LINES)
"""TYPE is a place in TYPES."""
TYPES = ("gauge", "sum")
KNOWN = ("__name__", "instance", "job")
"""The first names of the table of names."""
_TOTAL, _COUNT, _SUM, _BUCKET = (tuple(word.encode()) for word in ("_total", "_count", "_sum", "_bucket"))


@compiled
def outline(buf, bodies, is_second, samples, symbols, symbol_ranges):
    """Fill `samples`, and for 2.0 the place and length of each frame's symbols. Returns the number of samples, or one below 0."""
    n = np.int64(0)
    m = np.int64(0)
    series_field = 5 if is_second else 1
    histogram_field, exemplar_field = (3, 4) if is_second else (4, 3)
    for frame in range(bodies.shape[1]):
        symbol_ranges[frame] = m
        at, end = bodies[0, frame], bodies[1, frame]
        while at < end:
            number, wire, a, b, at = read_field(buf, at, end)
            if at < 0:
                return np.int64(-1)
            if is_second and number == 4:
                if wire != LENGTH or m >= symbols.shape[1]:
                    return np.int64(-1)
                symbols[0, m] = a
                symbols[1, m] = b - a
                m += 1
            if number != series_field:
                continue
            if wire != LENGTH:
                return np.int64(-1)
            inner = a
            while inner < b:
                number, wire, c, d, inner = read_field(buf, inner, b)
                if inner < 0 or number == histogram_field or number == exemplar_field:
                    return np.int64(-1)
                if number != 2:
                    continue
                if wire != LENGTH or n >= samples.shape[1]:
                    return np.int64(-1)
                value = time = np.int64(0)
                deeper = c
                while deeper < d:
                    number, wire, e, _, deeper = read_field(buf, deeper, d)
                    if deeper < 0 or (number == 1 and wire != FIXED64) or (number == 2 and wire != VARINT):
                        return np.int64(-1)
                    if number == 1:
                        value = e
                    elif number == 2:
                        time = e
                samples[FRAME, n] = frame
                samples[SERIES, n] = a
                samples[SERIES_END, n] = b
                samples[VALUE, n] = value
                samples[TIME, n] = time
                n += 1
    symbol_ranges[bodies.shape[1]] = m
    return n


@inlined
def _ends_with(buf, at, length, word):
    if length < len(word):
        return False
    start = at + length - len(word)
    for k in range(len(word)):
        if buf[start + k] != word[k]:
            return False
    return True


@inlined
def _host_length(buf, at, length):
    """How much of an instance is its host: what stands before the port, or all of it where there is none."""
    for k in range(length):
        if buf[at + k] == 58:
            if k == 0 or k + 1 == length:
                return length
            for digit in range(k + 1, length):
                if buf[at + digit] < 48 or buf[at + digit] > 57:
                    return length
            return np.int64(k)
    return length


@inlined
def _take_label(buf, key, key_length, value, length, place, row, columns, own, into, names):
    name = name_of(buf, key, key_length, place, names)
    if 0 <= name < 3:
        # The first of two equal labels counts; a place in a segment is never 0.
        line = METRIC
        if name == 1:
            line = HOST
        elif name == 2:
            line = JOB
        if own[line, row] == 0:
            own[line, row] = value
            own[line + 1, row] = length
        if name == 0:
            return True
    if key_length == 0:
        return True
    return keep(np.int64(STRING), value, length, name, key, key_length, columns, row, into)


@compiled
def labels(buf, samples, low, high, is_second, symbols, symbol_ranges, frame_index, all_columns, bound, own, into, names):
    """Read the labels of samples from `low` to `high` into `own` (OWN_LINES), promoted columns and `items`. Returns 0, or -1 where
    anything is unusual."""
    into.state[0] = 0
    for r in range(low, high):
        row = r - low
        frame = samples[FRAME, r]
        at, end = samples[SERIES, r], samples[SERIES_END, r]
        if end - at > bound:
            return np.int64(-1)
        columns = all_columns[frame_index[frame]]
        for line in range(OWN_LINES):
            own[line, row] = 0
        own[FIRST_ITEM, row] = into.state[0]
        first_symbol, last_symbol = symbol_ranges[frame], symbol_ranges[frame + 1]
        kind = np.int64(0)
        size = np.int64(0)
        place = 0
        while at < end:
            number, wire, a, b, at = read_field(buf, at, end)
            if number == 1:
                if wire != LENGTH:
                    return np.int64(-1)
                if not is_second:
                    key = key_length = value = length = np.int64(0)
                    inner = a
                    while inner < b:
                        number, wire, c, d, inner = read_field(buf, inner, b)
                        if inner < 0 or (number <= 2 and wire != LENGTH):
                            return np.int64(-1)
                        if number == 1:
                            key, key_length = c, d - c
                        elif number == 2:
                            value, length = c, d - c
                    if not _take_label(buf, key, key_length, value, length, place, row, columns, own, into, names):
                        return np.int64(-1)
                    place += 1
                    continue
                inner = a
                while inner < b:
                    key, inner = read_varint(buf, inner, b)
                    if inner < 0 or inner >= b:
                        return np.int64(-1)
                    value, inner = read_varint(buf, inner, b)
                    if inner < 0 or key < 0 or value < 0 or max(key, value) >= last_symbol - first_symbol:
                        return np.int64(-1)
                    key, value = key + first_symbol, value + first_symbol
                    size += symbols[1, key] + symbols[1, value]
                    if size > bound:
                        return np.int64(-1)
                    if not _take_label(
                        buf,
                        symbols[0, key],
                        symbols[1, key],
                        symbols[0, value],
                        symbols[1, value],
                        place,
                        row,
                        columns,
                        own,
                        into,
                        names,
                    ):
                        return np.int64(-1)
                    place += 1
            elif number == 5 and is_second:
                if wire != LENGTH:
                    return np.int64(-1)
                inner = a
                while inner < b:
                    number, wire, c, _, inner = read_field(buf, inner, b)
                    if inner < 0 or (number <= 4 and wire != VARINT):
                        return np.int64(-1)
                    if number == 1:
                        kind = c
                    elif number == 4:
                        if c < 0 or c >= last_symbol - first_symbol:
                            return np.int64(-1)
                        own[UNIT, row] = symbols[0, first_symbol + c]
                        own[UNIT_LENGTH, row] = symbols[1, first_symbol + c]
        if kind < 0 or kind > 7:
            return np.int64(-1)
        name, length = own[METRIC, row], own[METRIC_LENGTH, row]
        if (
            kind == 1
            or kind == 3
            or kind == 0
            and (
                _ends_with(buf, name, length, _TOTAL)
                or _ends_with(buf, name, length, _COUNT)
                or _ends_with(buf, name, length, _SUM)
                or _ends_with(buf, name, length, _BUCKET)
            )
        ):
            own[TYPE, row] = 1
        own[HOST_LENGTH, row] = _host_length(buf, own[HOST, row], own[HOST_LENGTH, row])
    own[FIRST_ITEM, high - low] = into.state[0]
    return np.int64(0)
