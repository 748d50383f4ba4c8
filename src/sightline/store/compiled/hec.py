"""Batches of the HTTP Event Collector: a column for each key of an envelope (see decode/hec.proto)."""

import numpy as np

from sightline.store.compiled import compiled
from sightline.store.compiled.json_text import after_escapes, plain_text, take_object, take_text
from sightline.store.compiled.wire import FIXED64, LENGTH, read_field
from sightline.store.compiled.words import read_word

EVENT_LINES = 23
(
    TEXT,
    TEXT_LENGTH,
    OWN,
    OWN_LENGTH,
    HOST,
    HOST_LENGTH,
    SOURCE,
    SOURCE_LENGTH,
    SOURCETYPE,
    SOURCETYPE_LENGTH,
    TIME,
    FRAME,
    GROUP,
    FIRST_ITEM,
    SEVERITY,
    SEVERITY_LENGTH,
    LEVEL,
    LEVEL_LENGTH,
    TRACE,
    TRACE_LENGTH,
    SPAN,
    SPAN_LENGTH,
    IS_ESCAPED,
) = range(EVENT_LINES)
"""TEXT is what an event is as text, and while IS_ESCAPED what stands between its quotes; TIME are the bits of a double."""
KNOWN = ("severity", "level", "trace_id", "span_id")
"""The first names of the table of names: what an event's own members say of it."""
_NAN = 0x7FF8000000000000


@compiled
def batches(buf, bodies, own):
    """Fill the first lines of `own` for the events of all batches. Returns (events, bytes of texts with escapes), or below 0."""
    n = np.int64(0)
    escaped_bytes = np.int64(0)
    bad = (np.int64(-1), np.int64(-1))
    for frame in range(bodies.shape[1]):
        first = n
        at, end = bodies[0, frame], bodies[1, frame]
        while at < end:
            number, wire, a, b, at = read_field(buf, at, end)
            if at < 0 or (number <= 2 and wire != LENGTH):
                return bad
            if number != 1:
                continue
            if n >= own.shape[1] or b == a:
                return bad
            for line in range(EVENT_LINES):
                own[line, n] = 0
            own[FRAME, n] = frame
            own[TIME, n] = _NAN
            own[TEXT, n] = a
            own[TEXT_LENGTH, n] = b - a
            if buf[a] == 34:
                if b - a < 2 or buf[b - 1] != 34:
                    return bad
                own[TEXT, n] = a + 1
                own[TEXT_LENGTH, n] = b - a - 2
                for k in range(a + 1, b - 1):
                    if buf[k] == 92:
                        if after_escapes(buf, k, b) != b - 1:
                            return bad
                        own[IS_ESCAPED, n] = 1
                        escaped_bytes += b - a
                        break
            n += 1
        count = n - first
        # Each other column has an entry for every event, or one for all of them, or none.
        for wanted in range(2, 7):
            found = np.int64(0)
            at = bodies[0, frame]
            while at < end:
                number, wire, a, b, at = read_field(buf, at, end)
                if number != wanted:
                    continue
                if wanted == 3:
                    if wire == FIXED64:
                        if found >= count:
                            return bad
                        own[TIME, first + found] = a
                        found += 1
                    elif wire == LENGTH:
                        if (b - a) % 8 or found + (b - a) // 8 > count:
                            return bad
                        for k in range((b - a) // 8):
                            own[TIME, first + found] = read_word(buf, a + 8 * k)
                            found += 1
                    else:
                        return bad
                else:
                    if wire != LENGTH or found >= count:
                        return bad
                    line = OWN if wanted == 2 else HOST + 2 * (wanted - 4)
                    own[line, first + found] = a
                    own[line + 1, first + found] = b - a
                    found += 1
            if found == 1 and count > 1 and wanted >= 4:
                line = HOST + 2 * (wanted - 4)
                for k in range(first + 1, n):
                    own[line, k] = own[line, first]
                    own[line + 1, k] = own[line + 1, first]
            elif found != count and (found or wanted >= 4):
                return bad
    return n, escaped_bytes


@compiled
def write_plain(buf, own, count, out, base):
    """Write the texts with escapes as they are without them, one after the other; they are at `base` and behind it from then on."""
    to = np.int64(0)
    for n in range(count):
        if own[IS_ESCAPED, n]:
            start = to
            to = plain_text(buf, own[TEXT, n], own[TEXT_LENGTH, n], out, to)
            own[TEXT, n] = base + start
            own[TEXT_LENGTH, n] = to - start
    return to


@compiled
def events(buf, own, low, high, frame_index, all_columns, bound, into, names, stack):
    """Read the members of events from `low` to `high` into promoted columns and `items`. Returns 0, or -1 where anything is unusual.

    `own` has a column for each event of this window.
    """
    into.state[0] = 0
    into.state[2] = 0
    for row in range(high - low):
        at, length = own[TEXT, row], own[TEXT_LENGTH, row]
        if length + own[OWN_LENGTH, row] > bound:
            return np.int64(-1)
        columns = all_columns[frame_index[own[FRAME, row]]]
        own[FIRST_ITEM, row] = into.state[0]
        if (
            own[OWN_LENGTH, row]
            and take_object(
                buf,
                own[OWN, row],
                own[OWN, row] + own[OWN_LENGTH, row],
                row,
                columns,
                into,
                names,
                stack,
                # No literal, here and below: for each of those numba would compile the function again.
                np.int64(SEVERITY),
                own,
            )
            < 0
        ):
            return np.int64(-1)
        if take_text(buf, at, at + length, row, columns, into, names, stack, np.int64(SEVERITY), own) < 0:
            return np.int64(-1)
    own[FIRST_ITEM, high - low] = into.state[0]
    return np.int64(0)
