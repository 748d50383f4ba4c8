"""Spans of OpenTelemetry with their events and links. See `otlp` for what the tables are."""

import numpy as np

from sightline.store.compiled import compiled, inner
from sightline.store.compiled.members import add
from sightline.store.compiled.otlp import (
    DROPPED_ATTRIBUTES,
    DROPPED_EVENTS,
    FRAME,
    PARENT_IS_REMOTE,
    STATEMENT,
    TRACE_FLAGS,
    TRACE_STATE,
    as_text,
    complete,
    say,
    says_statement,
    take_attribute,
)
from sightline.store.compiled.wire import (
    BOOL,
    DOUBLE,
    FIXED32,
    FIXED64,
    INT,
    LENGTH,
    NONE,
    STRING,
    VARINT,
    read_attribute,
    read_field,
)


@inner
def _add_deep(buf, at, end, deep, deep_state, names):
    """Append an attribute of an event or a link; False where it is unusual."""
    key, key_length, kind, value, length = read_attribute(buf, at, end)
    if kind < 0:
        return False
    if kind == NONE:
        return True
    if kind == DOUBLE:
        kind, value, replaced = as_text(kind, value, names)
        if replaced >= 0:
            length = replaced
    return add(deep, deep_state, key, key_length, kind, value, length)


SPAN_LINES = 15
(
    TRACE,
    TRACE_LENGTH,
    SPAN,
    SPAN_LENGTH,
    PARENT,
    PARENT_LENGTH,
    NAME,
    NAME_LENGTH,
    MESSAGE,
    MESSAGE_LENGTH,
    START,
    DURATION,
    KIND,
    STATUS,
    FIRST_ITEM,
) = range(SPAN_LINES)

PART_LINES = 12
(
    PART_RECORD,
    PART_IS_LINK,
    PART_TIME,
    PART_TEXT,
    PART_TEXT_LENGTH,
    PART_ID,
    PART_ID_LENGTH,
    PART_STATE,
    PART_STATE_LENGTH,
    PART_DROPPED,
    PART_FLAGS,
    PART_FIRST_ITEM,
) = range(PART_LINES)
"""An event has a time and a name as its text, a link a trace's id as its text and a span's as its id."""


@inner
def _part(buf, at, end, row, is_link, parts, n, deep, deep_state, names):
    """Read an event or a link of a span; False where it is unusual."""
    for line in range(PART_LINES):
        parts[line, n] = 0
    parts[PART_RECORD, n] = row
    parts[PART_IS_LINK, n] = np.int64(is_link)
    parts[PART_FIRST_ITEM, n] = deep_state[0]
    attributes = 4 if is_link else 3
    dropped = 5 if is_link else 4
    while at < end:
        number, wire, a, b, at = read_field(buf, at, end)
        if at < 0:
            return False
        if number == attributes:
            if wire != LENGTH or not _add_deep(buf, a, b, deep, deep_state, names):
                return False
        elif number == dropped:
            if wire != VARINT:
                return False
            parts[PART_DROPPED, n] = a & 0xFFFFFFFF
        elif is_link and number == 6:
            if wire != FIXED32:
                return False
            parts[PART_FLAGS, n] = a
        elif not is_link and number == 1:
            if wire != FIXED64 or a < 0:
                return False
            parts[PART_TIME, n] = a
        elif number <= 3:
            if wire != LENGTH:
                return False
            line = PART_TEXT
            if is_link and number == 2:
                line = PART_ID
            elif is_link and number == 3:
                line = PART_STATE
            parts[line, n] = a
            parts[line + 1, n] = b - a
    return True


@compiled
def spans(
    buf,
    records,
    low,
    high,
    shared,
    frame_index,
    all_columns,
    bound,
    own,
    into,
    parts,
    deep,
    deep_state,
    places,
    scrubbed,
    scrubs,
    names,
):
    """Read spans from `low` to `high` into `own` (SPAN_LINES), promoted columns, `items`, and `parts`. Returns the number of parts,
    -1 where anything is unusual, -2 where `scrubs` and there are statements of databases, which `places` and `scrubbed` then tell."""
    s = np.int64(0)
    n_parts = np.int64(0)
    into.state[0] = 0
    deep_state[0] = 0
    for r in range(low, high):
        row = r - low
        at, end, g = records[0, r], records[1, r], records[2, r]
        if end - at > bound:
            return np.int64(-1)
        columns = all_columns[frame_index[shared.groups[FRAME, g]]]
        for line in range(SPAN_LINES):
            own[line, row] = 0
        own[FIRST_ITEM, row] = into.state[0]
        if s < places.shape[1] and places[0, s] == r:
            if not says_statement(s, row, columns, into, names, scrubbed):
                return np.int64(-1)
            s += 1
        trace_state = trace_state_length = flags = dropped_attributes = dropped_events = dropped_links = finish = np.int64(0)
        place = 0
        while at < end:
            number, wire, a, b, at = read_field(buf, at, end)
            if at < 0:
                return np.int64(-1)
            if number == 9:
                if wire != LENGTH:
                    return np.int64(-1)
                name = take_attribute(buf, a, b, place, row, columns, into, names)
                if name == -2:
                    return np.int64(-1)
                if scrubs and 0 <= name <= STATEMENT:
                    return np.int64(-2)
                place += 1
            elif number == 11 or number == 13:
                if wire != LENGTH or n_parts >= parts.shape[1]:
                    return np.int64(-1)
                if not _part(buf, a, b, row, number == 13, parts, n_parts, deep, deep_state, names):
                    return np.int64(-1)
                n_parts += 1
            elif number <= 5:
                if wire != LENGTH:
                    return np.int64(-1)
                if number == 3:
                    trace_state, trace_state_length = a, b - a
                else:
                    line = TRACE
                    if number == 2:
                        line = SPAN
                    elif number == 4:
                        line = PARENT
                    elif number == 5:
                        line = NAME
                    own[line, row] = a
                    own[line + 1, row] = b - a
            elif number == 6:
                if wire != VARINT:
                    return np.int64(-1)
                own[KIND, row] = a if 0 <= a <= 5 else 0
            elif number == 7 or number == 8:
                if wire != FIXED64:
                    return np.int64(-1)
                if number == 7:
                    own[START, row] = a
                else:
                    finish = a
            elif number == 10 or number == 12 or number == 14:
                if wire != VARINT:
                    return np.int64(-1)
                if number == 10:
                    dropped_attributes = a & 0xFFFFFFFF
                elif number == 12:
                    dropped_events = a & 0xFFFFFFFF
                else:
                    dropped_links = a & 0xFFFFFFFF
            elif number == 15:
                if wire != LENGTH:
                    return np.int64(-1)
                inner = a
                while inner < b:
                    number, wire, c, d, inner = read_field(buf, inner, b)
                    if inner < 0 or (number == 2 and wire != LENGTH) or (number == 3 and wire != VARINT):
                        return np.int64(-1)
                    if number == 2:
                        own[MESSAGE, row] = c
                        own[MESSAGE_LENGTH, row] = d - c
                    elif number == 3:
                        own[STATUS, row] = c if 0 <= c <= 2 else 0
            elif number == 16:
                if wire != FIXED32:
                    return np.int64(-1)
                flags = a
        if own[START, row] < 0 or finish < 0:
            # Beyond the year 2262: the engine knows what becomes of it.
            return np.int64(-1)
        own[DURATION, row] = max(finish - own[START, row], 0)
        if trace_state_length or flags & 254 or flags & 768 == 768 or dropped_attributes or dropped_events or dropped_links:
            for constant in range(6):
                kind, value, length = np.int64(INT), np.int64(0), np.int64(0)
                if constant == TRACE_STATE:
                    kind, value, length = np.int64(STRING), trace_state, trace_state_length
                elif constant == TRACE_FLAGS:
                    value = flags & 255 if flags & 254 else 0
                elif constant == PARENT_IS_REMOTE:
                    kind, value = np.int64(BOOL), np.int64(flags & 768 == 768)
                elif constant == DROPPED_ATTRIBUTES:
                    value = dropped_attributes
                elif constant == DROPPED_EVENTS:
                    value = dropped_events
                else:
                    value = dropped_links
                if (kind == STRING and length == 0) or (kind != STRING and value == 0):
                    continue
                if not say(constant, kind, value, length, row, columns, into, names):
                    return np.int64(-1)
        if not complete(g, row, columns, into, shared):
            return np.int64(-1)
    own[FIRST_ITEM, high - low] = into.state[0]
    return n_parts
