"""Log records of OpenTelemetry. See `otlp` for what the tables are."""

import numpy as np

from sightline.store.compiled import compiled, inlined
from sightline.store.compiled.json_text import take_text
from sightline.store.compiled.otlp import (
    DROPPED_ATTRIBUTES,
    EVENT_NAME,
    FRAME,
    SEVERITY_NUMBER,
    SEVERITY_TEXT,
    SOURCE,
    SOURCETYPE,
    STATEMENT,
    TRACE_FLAGS,
    complete,
    say,
    says_statement,
    take_attribute,
)
from sightline.store.compiled.wire import (
    FIXED32,
    FIXED64,
    INT,
    LENGTH,
    NONE,
    STRING,
    VARINT,
    read_attribute,
    read_field,
    read_value,
)

LOG_LINES = 17
(
    LOG_TIME,
    LOG_TRACE,
    LOG_TRACE_LENGTH,
    LOG_SPAN,
    LOG_SPAN_LENGTH,
    LOG_TEXT,
    LOG_TEXT_LENGTH,
    LOG_SEVERITY,
    LOG_SEVERITY_LENGTH,
    LOG_SOURCE,
    LOG_SOURCE_LENGTH,
    LOG_SOURCETYPE,
    LOG_SOURCETYPE_LENGTH,
    LOG_FIRST_ITEM,
    LOG_SEVERITY_NUMBER,
    LOG_FLAGS,
    LOG_DROPPED,
) = range(LOG_LINES)
"""LOG_TIME is in nanoseconds, 0 where neither time was sent; LOG_SEVERITY is what was sent as its text."""


@compiled
def logs(
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
    places,
    scrubbed,
    scrubs,
    words,
    names,
    stack,
):
    """Read log records from `low` to `high` into `own` (LOG_LINES), promoted columns and `items`. Returns 0; -1 where anything is
    unusual, -2 as `spans` does.

    `words` has the place and length of the word of a severity that each number has, and is filled for the texts as well.
    """
    s = np.int64(0)
    into.state[0] = 0
    into.state[2] = 0
    for r in range(low, high):
        row = r - low
        at, end, g = records[0, r], records[1, r], records[2, r]
        if end - at > bound:
            return np.int64(-1)
        columns = all_columns[frame_index[shared.groups[FRAME, g]]]
        for line in range(LOG_LINES):
            own[line, row] = 0
        own[LOG_FIRST_ITEM, row] = into.state[0]
        if s < places.shape[1] and places[0, s] == r:
            if not says_statement(s, row, columns, into, names, scrubbed):
                return np.int64(-1)
            s += 1
        observed = event_name = event_name_length = np.int64(0)
        place = 0
        while at < end:
            number, wire, a, b, at = read_field(buf, at, end)
            if at < 0:
                return np.int64(-1)
            if number == 6:
                if wire != LENGTH:
                    return np.int64(-1)
                name = take_attribute(buf, a, b, place, row, columns, into, names)
                if name == -2:
                    return np.int64(-1)
                if scrubs and 0 <= name <= STATEMENT:
                    return np.int64(-2)
                if name == SOURCE or name == SOURCETYPE:
                    # The first of them counts, and where it is no text the engine has to say what does.
                    line = LOG_SOURCE if name == SOURCE else LOG_SOURCETYPE
                    if own[line, row] != 0:
                        return np.int64(-1)
                    key, key_length, kind, value, length = read_attribute(buf, a, b)
                    if kind != STRING:
                        return np.int64(-1)
                    own[line, row] = value
                    own[line + 1, row] = length
                place += 1
            elif number == 1 or number == 11:
                if wire != FIXED64 or a < 0:
                    return np.int64(-1)
                if number == 1:
                    own[LOG_TIME, row] = a
                else:
                    observed = a
            elif number == 2 or number == 7:
                if wire != VARINT:
                    return np.int64(-1)
                if number == 2:
                    if a < -(1 << 31) or a >= 1 << 31:
                        return np.int64(-1)
                    own[LOG_SEVERITY_NUMBER, row] = a
                else:
                    own[LOG_DROPPED, row] = a & 0xFFFFFFFF
            elif number == 8:
                if wire != FIXED32:
                    return np.int64(-1)
                own[LOG_FLAGS, row] = a
            elif number == 5:
                if wire != LENGTH:
                    return np.int64(-1)
                kind, value, length = read_value(buf, a, b)
                if kind != STRING and kind != NONE:
                    return np.int64(-1)
                own[LOG_TEXT, row] = value
                own[LOG_TEXT_LENGTH, row] = length
            elif number == 3 or number == 9 or number == 10 or number == 12:
                if wire != LENGTH:
                    return np.int64(-1)
                if number == 12:
                    event_name, event_name_length = a, b - a
                else:
                    line = LOG_SEVERITY
                    if number == 9:
                        line = LOG_TRACE
                    elif number == 10:
                        line = LOG_SPAN
                    own[line, row] = a
                    own[line + 1, row] = b - a
        if own[LOG_TIME, row] == 0:
            own[LOG_TIME, row] = observed
        text, text_length = own[LOG_SEVERITY, row], own[LOG_SEVERITY_LENGTH, row]
        level = own[LOG_SEVERITY_NUMBER, row]
        named = _severity_word(buf, text, text_length, words)
        if 1 <= level <= 24:
            word = (level - 1) >> 2
            own[LOG_SEVERITY, row] = words[0, word]
            own[LOG_SEVERITY_LENGTH, row] = words[1, word]
        elif named >= 6:
            # "warning" and "critical" are other words for two of them.
            word = 3 if named == 6 else 5
            own[LOG_SEVERITY, row] = words[0, word]
            own[LOG_SEVERITY_LENGTH, row] = words[1, word]
        if event_name_length and not say(
            EVENT_NAME, np.int64(STRING), event_name, event_name_length, row, columns, into, names
        ):
            return np.int64(-1)
        usual_number = level == 0 or level == 1 or level == 5 or level == 9 or level == 13 or level == 17 or level == 21
        said = text_length == 0 or named >= 6 or not (1 <= level <= 24) or named == (level - 1) >> 2
        if not usual_number and not say(SEVERITY_NUMBER, np.int64(INT), level, np.int64(0), row, columns, into, names):
            return np.int64(-1)
        if not said and not say(SEVERITY_TEXT, np.int64(STRING), text, text_length, row, columns, into, names):
            return np.int64(-1)
        flags = own[LOG_FLAGS, row]
        if flags & 254 and not say(TRACE_FLAGS, np.int64(INT), flags & 255, np.int64(0), row, columns, into, names):
            return np.int64(-1)
        if own[LOG_DROPPED, row] and not say(
            DROPPED_ATTRIBUTES, np.int64(INT), own[LOG_DROPPED, row], np.int64(0), row, columns, into, names
        ):
            return np.int64(-1)
        if (
            take_text(
                buf,
                own[LOG_TEXT, row],
                own[LOG_TEXT, row] + own[LOG_TEXT_LENGTH, row],
                row,
                columns,
                into,
                names,
                stack,
                # No literal: for each of those numba would compile the function again.
                np.int64(-1),
                own,
            )
            < 0
        ):
            return np.int64(-1)
        if not complete(g, row, columns, into, shared):
            return np.int64(-1)
    own[LOG_FIRST_ITEM, high - low] = into.state[0]
    return np.int64(0)


@inlined
def _severity_word(buf, at, length, words):
    """Which of the words a text is, in letters of any case, or -1."""
    for number in range(8):
        if words[1, number] != length:
            continue
        same = True
        for k in range(length):
            byte = buf[at + k]
            if 65 <= byte <= 90:
                byte = byte + 32
            same = same and byte == words[2 + k, number]
        if same and length:
            return number
    return -1
