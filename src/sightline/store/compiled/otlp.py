"""Requests of OpenTelemetry: where their records are, and what each record has.

All are numbers in tables of numpy, a line for each thing that is known and a column for each record:

- A text is a place and a length. A place from 0 on is in the segment, one below 0 in `more`, at -1 - place.
- A member of an object is (place of its name, length of it, kind of its value, value, length).
- `columns[name, kind]` is the promoted column that takes a value, -1 for none; a name that is not known has none.

Every function returns what it made, or a number below 0 where something is unusual and the engine has to read the segment.
"""

import numpy as np

from sightline.store.compiled import compiled, inlined
from sightline.store.compiled.json_text import take_text
from sightline.store.compiled.members import (
    BOOLEAN,
    DEEP,
    EXACT_INTEGER,
    FLOAT64,
    INT64,
    TEXT,
    TEXTS,
    add,
    list_texts,
    name_of,
    put,
)
from sightline.store.compiled.wire import (
    ARRAY,
    BOOL,
    BYTES,
    DOUBLE,
    FIXED32,
    FIXED64,
    INT,
    LENGTH,
    MAP,
    NONE,
    STRING,
    VARINT,
    find_name,
    read_attribute,
    read_field,
    read_value,
)

GROUP_LINES = 9
FRAME, RESOURCE, RESOURCE_END, SCOPE, SCOPE_END, RESOURCE_SCHEMA, RESOURCE_SCHEMA_LENGTH, SCHEMA, SCHEMA_LENGTH = range(
    GROUP_LINES
)

TRACE_STATE, TRACE_FLAGS, PARENT_IS_REMOTE, DROPPED_ATTRIBUTES, DROPPED_EVENTS, DROPPED_LINKS = range(6)
SCOPE_NAME, SCOPE_VERSION, SCOPE_SCHEMA_URL, SCOPE_DROPPED, RESOURCE_SCHEMA_URL, RESOURCE_DROPPED = range(6, 12)
EVENT_NAME, SEVERITY_NUMBER, SEVERITY_TEXT, NAN, INFINITY, MINUS_INFINITY = range(12, 18)
CONSTANTS = (
    "trace_state", "trace_flags", "parent_is_remote", "dropped_attributes_count", "dropped_events_count", "dropped_links_count",
    "scope.name", "scope.version", "scope.schema_url", "scope.dropped_attributes_count", "resource.schema_url",
    "resource.dropped_attributes_count", "event.name", "severity_number", "severity_text", "nan", "inf", "-inf",
)  # fmt: skip
"""Texts that stand in `more` from its beginning, by the numbers above."""

SEVERITY_WORDS = ("trace", "debug", "info", "warn", "error", "fatal", "warning", "critical")
QUERY_TEXT, STATEMENT, QUERY_SUMMARY, SYSTEM_NAME, SYSTEM, SERVICE, HOST, SOURCE, SOURCETYPE = range(9)
KNOWN = (
    "db.query.text", "db.statement", "db.query.summary", "db.system.name", "db.system", "service.name", "host.name",
    "com.splunk.source", "com.splunk.sourcetype",
)  # fmt: skip
"""The first names of the table of names, by the numbers above."""


@compiled
def outline(buf, bodies, records, groups):
    """Fill `records` (place, end, group) and `groups` (see GROUP_LINES) from the requests at `bodies` (place, end).

    Returns (records, groups); below 0 where there are more than the tables have room for, or one is malformed.
    """
    n = np.int64(0)
    g = np.int64(-1)
    bad = (np.int64(-1), np.int64(-1))
    for frame in range(bodies.shape[1]):
        at, end = bodies[0, frame], bodies[1, frame]
        while at < end:
            number, wire, first, second, at = read_field(buf, at, end)
            if at < 0 or (number == 1 and wire != LENGTH):
                return bad
            if number != 1:
                continue
            resource = resource_end = schema = schema_length = np.int64(0)
            inner = first
            while inner < second:
                number, wire, a, b, inner = read_field(buf, inner, second)
                if inner < 0 or (number <= 3 and wire != LENGTH):
                    return bad
                if number == 1:
                    if resource_end:
                        return bad
                    resource, resource_end = a, b
                elif number == 3:
                    schema, schema_length = a, b - a
            inner = first
            while inner < second:
                number, wire, a, b, inner = read_field(buf, inner, second)
                if number != 2:
                    continue
                scope = scope_end = scope_schema = scope_schema_length = np.int64(0)
                count = 0
                deeper = a
                while deeper < b:
                    number, wire, c, d, deeper = read_field(buf, deeper, b)
                    if deeper < 0 or (number <= 3 and wire != LENGTH):
                        return bad
                    if number == 1:
                        if scope_end:
                            return bad
                        scope, scope_end = c, d
                    elif number == 2:
                        if n >= records.shape[1]:
                            return bad
                        records[0, n] = c
                        records[1, n] = d
                        records[2, n] = g + 1
                        n += 1
                        count += 1
                    elif number == 3:
                        scope_schema, scope_schema_length = c, d - c
                if count:
                    g += 1
                    groups[FRAME, g] = frame
                    groups[RESOURCE, g] = resource
                    groups[RESOURCE_END, g] = resource_end
                    groups[SCOPE, g] = scope
                    groups[SCOPE_END, g] = scope_end
                    groups[RESOURCE_SCHEMA, g] = schema
                    groups[RESOURCE_SCHEMA_LENGTH, g] = schema_length
                    groups[SCHEMA, g] = scope_schema
                    groups[SCHEMA_LENGTH, g] = scope_schema_length
    return n, g + 1


@inlined
def _as_text(kind, value, more_at):
    """A double that JSON has no number for is a text."""
    if kind == DOUBLE:
        bits = value & 0x7FFFFFFFFFFFFFFF
        if bits >= 0x7FF0000000000000:
            if bits > 0x7FF0000000000000:
                constant = NAN
            elif value > 0:
                constant = INFINITY
            else:
                constant = MINUS_INFINITY
            return np.int64(STRING), more_at[0, constant], more_at[1, constant]
    return kind, value, np.int64(-1)


@inlined
def _take(
    buf, at, end, place, row, columns, numbers, floats, lengths, seen, items, elements, state, more_at, guesses, names,
    name_at, table,
):  # fmt: skip
    """Put one attribute of a record where it belongs: its name's number, -1 for one that is not known, -2 where it is unusual."""
    key, key_length, kind, value, length = read_attribute(buf, at, end)
    if kind < 0:
        return np.int64(-2)
    name = name_of(buf, key, key_length, place, guesses, names, name_at, table)
    if kind == NONE:
        return name
    if kind == DOUBLE:
        kind, value, replaced = _as_text(kind, value, more_at)
        if replaced >= 0:
            length = replaced
    if name >= 0:
        if (kind == MAP and columns[name, DEEP] == 0) or (kind == BYTES and columns[name, TEXT] >= 0):
            return np.int64(-2)
        # The first of two equal names counts: where a column has it the others go, else the engine finds them in the object.
        if seen[name] == 2 * row + 1:
            return name
        if seen[name] != 2 * row:
            if kind == ARRAY and columns[name, TEXTS] >= 0:
                first, count = list_texts(buf, value, value + length, elements, state)
                if first < 0:
                    return np.int64(-2)
                taken = count > 0 and put(kind, first, count, name, columns, row, numbers, floats, lengths)
            else:
                taken = put(kind, value, length, name, columns, row, numbers, floats, lengths)
            seen[name] = 2 * row + np.int64(taken)
            if taken:
                return name
    if not add(items, state, key, key_length, kind, value, length):
        return np.int64(-2)
    return name


@compiled
def _say(constant, kind, value, length, row, columns, numbers, floats, lengths, seen, items, state, more_at, constant_names):
    """Put a member that this program names where it belongs; False where there is no room."""
    name = constant_names[constant]
    if name >= 0:
        if seen[name] == 2 * row + 1:
            return True
        if seen[name] != 2 * row:
            taken = put(kind, value, length, name, columns, row, numbers, floats, lengths)
            seen[name] = 2 * row + np.int64(taken)
            if taken:
                return True
    return add(items, state, more_at[0, constant], more_at[1, constant], kind, value, length)


@compiled
def shared(
    buf, groups, frame_index, all_columns, members, ranges, own, more_at, constant_names, guesses, names, name_at, table,
):  # fmt: skip
    """The members that all records of a group have from its scope and resource, in this order: lines of `members` as of items, and
    the number of the name as the sixth. `ranges[g]` is where those of a group begin; `own` gets place and length of
    service.name, host.name, com.splunk.source and com.splunk.sourcetype. Returns their number.
    """
    n = np.int64(0)
    for g in range(groups.shape[1]):
        ranges[g] = n
        columns = all_columns[frame_index[groups[FRAME, g]]]
        for known in range(4):
            own[2 * known, g] = 0
            own[2 * known + 1, g] = 0
        for part in range(2):
            is_scope = part == 0
            at = groups[SCOPE, g] if is_scope else groups[RESOURCE, g]
            end = groups[SCOPE_END, g] if is_scope else groups[RESOURCE_END, g]
            version_at = version_length = name_place = name_length = dropped = np.int64(0)
            attribute_number = 3 if is_scope else 1
            start = at
            # What this program names stands in front of a scope's attributes, and behind a resource's.
            if is_scope:
                while at < end:
                    number, wire, a, b, at = read_field(buf, at, end)
                    if at < 0:
                        return np.int64(-1)
                    if (number <= 3 and wire != LENGTH) or (number == 4 and wire != VARINT):
                        return np.int64(-1)
                    if number == 1:
                        name_place, name_length = a, b - a
                    elif number == 2:
                        version_at, version_length = a, b - a
                    elif number == 4:
                        dropped = a & 0xFFFFFFFF
                for constant in (SCOPE_NAME, SCOPE_VERSION, SCOPE_SCHEMA_URL, SCOPE_DROPPED):
                    kind, value, length = np.int64(STRING), name_place, name_length
                    if constant == SCOPE_VERSION:
                        value, length = version_at, version_length
                    elif constant == SCOPE_SCHEMA_URL:
                        value, length = groups[SCHEMA, g], groups[SCHEMA_LENGTH, g]
                    elif constant == SCOPE_DROPPED:
                        kind, value, length = np.int64(INT), dropped, dropped
                    if length == 0:
                        continue
                    if n >= members.shape[1]:
                        return np.int64(-1)
                    members[0, n] = more_at[0, constant]
                    members[1, n] = more_at[1, constant]
                    members[2, n] = kind
                    members[3, n] = value
                    members[4, n] = length
                    members[5, n] = constant_names[constant]
                    n += 1
            at = start
            place = 0
            while at < end:
                number, wire, a, b, at = read_field(buf, at, end)
                if at < 0:
                    return np.int64(-1)
                if number == attribute_number:
                    if wire != LENGTH:
                        return np.int64(-1)
                    key, key_length, kind, value, length = read_attribute(buf, a, b)
                    if kind < 0:
                        return np.int64(-1)
                    name = name_of(buf, key, key_length, place, guesses, names, name_at, table)
                    place += 1
                    if not is_scope and SERVICE <= name <= SOURCETYPE and own[2 * (name - SERVICE), g] == 0:
                        # The first of a name counts, and only a text; a place is never 0.
                        own[2 * (name - SERVICE), g] = value if kind == STRING else -1
                        own[2 * (name - SERVICE) + 1, g] = length if kind == STRING else 0
                    if kind == NONE:
                        continue
                    if name >= 0 and (
                        (kind == MAP and columns[name, DEEP] == 0) or (kind == BYTES and columns[name, TEXT] >= 0)
                    ):
                        return np.int64(-1)
                    if kind == DOUBLE:
                        kind, value, replaced = _as_text(kind, value, more_at)
                        if replaced >= 0:
                            length = replaced
                    if n >= members.shape[1]:
                        return np.int64(-1)
                    members[0, n] = key
                    members[1, n] = key_length
                    members[2, n] = kind
                    members[3, n] = value
                    members[4, n] = length
                    members[5, n] = name
                    n += 1
                elif not is_scope and number == 3:
                    # Entities are written by the engine.
                    return np.int64(-1)
                elif not is_scope and number == 2:
                    if wire != VARINT:
                        return np.int64(-1)
                    dropped = a & 0xFFFFFFFF
            if not is_scope:
                for constant in (RESOURCE_SCHEMA_URL, RESOURCE_DROPPED):
                    kind, value, length = np.int64(STRING), groups[RESOURCE_SCHEMA, g], groups[RESOURCE_SCHEMA_LENGTH, g]
                    if constant == RESOURCE_DROPPED:
                        kind, value, length = np.int64(INT), dropped, dropped
                    if length == 0:
                        continue
                    if n >= members.shape[1]:
                        return np.int64(-1)
                    members[0, n] = more_at[0, constant]
                    members[1, n] = more_at[1, constant]
                    members[2, n] = kind
                    members[3, n] = value
                    members[4, n] = length
                    members[5, n] = constant_names[constant]
                    n += 1
    ranges[groups.shape[1]] = n
    return n


@compiled
def divide_shared(
    buf, groups, frame_index, all_columns, members, ranges, promoted, promoted_ranges, rest, rest_ranges, elements, state
):
    """Divide the members of groups into those that a promoted column takes and those that stay in the object. Returns the number
    of both, or one below 0."""
    p = np.int64(0)
    state[0] = 0
    for g in range(groups.shape[1]):
        columns = all_columns[frame_index[groups[FRAME, g]]]
        promoted_ranges[g] = p
        rest_ranges[g] = state[0]
        for m in range(ranges[g], ranges[g + 1]):
            kind, value, length, name = members[2, m], members[3, m], members[4, m], members[5, m]
            again = is_taken = False
            if name >= 0:
                for before in range(ranges[g], m):
                    again = again or members[5, before] == name
                for before in range(promoted_ranges[g], p):
                    is_taken = is_taken or promoted[0, before] == name
            if is_taken:
                continue
            column = np.int64(-1)
            is_float = False
            if name >= 0 and not again:
                if kind == STRING:
                    column = columns[name, TEXT]
                elif kind == INT:
                    column = columns[name, INT64]
                    if columns[name, FLOAT64] >= 0 and -EXACT_INTEGER <= value <= EXACT_INTEGER:
                        if column >= 0:
                            return np.int64(-1)
                        column = columns[name, FLOAT64]
                        is_float = True
                elif kind == DOUBLE:
                    column = columns[name, FLOAT64]
                elif kind == BOOL:
                    column = columns[name, BOOLEAN]
                elif kind == ARRAY and columns[name, TEXTS] >= 0:
                    column = columns[name, TEXTS]
                    value, length = list_texts(buf, value, value + length, elements, state)
                    if value < 0 or length == 0:
                        return np.int64(-1)
            if column >= 0:
                promoted[0, p] = name
                promoted[1, p] = column
                promoted[2, p] = value
                promoted[3, p] = length if kind == STRING or kind == ARRAY else 0
                promoted[4, p] = np.int64(is_float)
                p += 1
            else:
                n = state[0]
                for line in range(6):
                    rest[line, n] = members[line, m]
                state[0] = n + 1
    promoted_ranges[groups.shape[1]] = p
    rest_ranges[groups.shape[1]] = state[0]
    return p


@inlined
def _finish(g, row, columns, numbers, floats, lengths, seen, promoted, promoted_ranges, rest, rest_ranges):
    """Give a record what its group has for promoted columns; False where a name is in both, and the group's cannot be taken out."""
    for m in range(promoted_ranges[g], promoted_ranges[g + 1]):
        name = promoted[0, m]
        if seen[name] == 2 * row:
            return False
        if seen[name] != 2 * row + 1:
            column = promoted[1, m]
            if promoted[4, m]:
                floats[column, row] = np.float64(promoted[2, m])
            else:
                numbers[column, row] = promoted[2, m]
            lengths[column, row] = promoted[3, m]
    for m in range(rest_ranges[g], rest_ranges[g + 1]):
        name = rest[5, m]
        if name >= 0 and seen[name] == 2 * row + 1:
            return False
    return True


@compiled
def statements(buf, records, low, high, attribute_field, places, names, name_at, table):
    """Where records have statements of databases: lines of `places` are the record and then place and length of the text of
    db.query.text, db.statement, db.query.summary, db.system.name and db.system. Returns how many there are."""
    n = np.int64(0)
    for r in range(low, high):
        at, end = records[0, r], records[1, r]
        found = False
        for line in range(1, 11):
            places[line, n] = 0
        while at < end:
            number, wire, a, b, at = read_field(buf, at, end)
            if at < 0:
                return np.int64(-1)
            if number != attribute_field or wire != LENGTH:
                continue
            key, key_length, kind, value, length = read_attribute(buf, a, b)
            if kind < 0:
                return np.int64(-1)
            known = find_name(buf, key, key_length, names, name_at[0], name_at[1], table)
            if 0 <= known <= SYSTEM:
                found = found or known <= STATEMENT
                if places[1 + 2 * known, n] == 0:
                    places[1 + 2 * known, n] = value if kind == STRING else -1
                    places[2 + 2 * known, n] = length if kind == STRING else 0
        if found:
            for line in range(5):
                if places[1 + 2 * line, n] < 0:
                    places[1 + 2 * line, n] = 0
            places[0, n] = r
            n += 1
            if n >= places.shape[1]:
                return np.int64(-1) if r + 1 < high else n
    return n


@compiled
def _says_statement(
    s, row, columns, numbers, floats, lengths, seen, items, state, name_at, scrubbed
):  # fmt: skip
    """Put what scrubbing made of a record's statement, before the attributes themselves; False where there is no room."""
    for known in range(3):
        value, length = scrubbed[2 * known, s], scrubbed[2 * known + 1, s]
        if length == 0:
            continue
        taken = put(np.int64(STRING), value, length, known, columns, row, numbers, floats, lengths)
        seen[known] = 2 * row + np.int64(taken)
        if not taken and not add(items, state, -1 - name_at[0, known], name_at[1, known], np.int64(STRING), value, length):
            return False
    return True


@compiled
def _add_deep(buf, at, end, deep, deep_state, more_at):
    """Append an attribute of an event or a link; False where it is unusual."""
    key, key_length, kind, value, length = read_attribute(buf, at, end)
    if kind < 0:
        return False
    if kind == NONE:
        return True
    if kind == DOUBLE:
        kind, value, replaced = _as_text(kind, value, more_at)
        if replaced >= 0:
            length = replaced
    return add(deep, deep_state, key, key_length, kind, value, length)


SPAN_LINES = 15
(
    TRACE, TRACE_LENGTH, SPAN, SPAN_LENGTH, PARENT, PARENT_LENGTH, NAME, NAME_LENGTH, MESSAGE, MESSAGE_LENGTH, START, DURATION, KIND,
    STATUS, FIRST_ITEM,
) = range(SPAN_LINES)  # fmt: skip

PART_LINES = 12
(
    PART_RECORD, PART_IS_LINK, PART_TIME, PART_TEXT, PART_TEXT_LENGTH, PART_ID, PART_ID_LENGTH, PART_STATE, PART_STATE_LENGTH,
    PART_DROPPED, PART_FLAGS, PART_FIRST_ITEM,
) = range(PART_LINES)  # fmt: skip
"""An event has a time and a name as its text, a link a trace's id as its text and a span's as its id."""


@compiled
def _part(buf, at, end, row, is_link, parts, n, deep, deep_state, more_at):
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
            if wire != LENGTH or not _add_deep(buf, a, b, deep, deep_state, more_at):
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
    buf, records, low, high, groups, frame_index, all_columns, bound, own, numbers, floats, lengths, seen, items, elements, state,
    parts, deep, deep_state, promoted, promoted_ranges, rest, rest_ranges, places, scrubbed, scrubs, more_at, constant_names,
    guesses, names, name_at, table,
):  # fmt: skip
    """Read spans from `low` to `high` into `own` (SPAN_LINES), promoted columns, `items`, and `parts`. Returns the number of parts,
    -1 where anything is unusual, -2 where `scrubs` and there are statements of databases, which `places` and `scrubbed` then tell."""
    s = np.int64(0)
    n_parts = np.int64(0)
    state[0] = 0
    deep_state[0] = 0
    for r in range(low, high):
        row = r - low
        at, end, g = records[0, r], records[1, r], records[2, r]
        if end - at > bound:
            return np.int64(-1)
        columns = all_columns[frame_index[groups[FRAME, g]]]
        for line in range(SPAN_LINES):
            own[line, row] = 0
        own[FIRST_ITEM, row] = state[0]
        if s < places.shape[1] and places[0, s] == r:
            if not _says_statement(s, row, columns, numbers, floats, lengths, seen, items, state, name_at, scrubbed):
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
                name = _take(
                    buf, a, b, place, row, columns, numbers, floats, lengths, seen, items, elements, state, more_at, guesses, names,
                    name_at, table,
                )  # fmt: skip
                if name == -2:
                    return np.int64(-1)
                if scrubs and 0 <= name <= STATEMENT:
                    return np.int64(-2)
                place += 1
            elif number == 11 or number == 13:
                if wire != LENGTH or n_parts >= parts.shape[1]:
                    return np.int64(-1)
                if not _part(buf, a, b, row, number == 13, parts, n_parts, deep, deep_state, more_at):
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
                if not _say(
                    constant,
                    kind,
                    value,
                    length,
                    row,
                    columns,
                    numbers,
                    floats,
                    lengths,
                    seen,
                    items,
                    state,
                    more_at,
                    constant_names,
                ):
                    return np.int64(-1)
        if not _finish(g, row, columns, numbers, floats, lengths, seen, promoted, promoted_ranges, rest, rest_ranges):
            return np.int64(-1)
    own[FIRST_ITEM, high - low] = state[0]
    return n_parts


LOG_LINES = 17
(
    LOG_TIME, LOG_TRACE, LOG_TRACE_LENGTH, LOG_SPAN, LOG_SPAN_LENGTH, LOG_TEXT, LOG_TEXT_LENGTH, LOG_SEVERITY, LOG_SEVERITY_LENGTH,
    LOG_SOURCE, LOG_SOURCE_LENGTH, LOG_SOURCETYPE, LOG_SOURCETYPE_LENGTH, LOG_FIRST_ITEM, LOG_SEVERITY_NUMBER, LOG_FLAGS, LOG_DROPPED,
) = range(LOG_LINES)  # fmt: skip
"""LOG_TIME is in nanoseconds, 0 where neither time was sent; LOG_SEVERITY is what was sent as its text."""


@compiled
def logs(
    buf, records, low, high, groups, frame_index, all_columns, bound, own, numbers, floats, lengths, seen, items, elements, cells,
    state, promoted, promoted_ranges, rest, rest_ranges, places, scrubbed, scrubs, words, more_at, constant_names, guesses, children,
    names, name_at, table, stack,
):  # fmt: skip
    """Read log records from `low` to `high` into `own` (LOG_LINES), promoted columns and `items`. Returns 0; -1 where anything is
    unusual, -2 as `spans` does.

    `words` has the place and length of the word of a severity that each number has, and is filled for the texts as well.
    """
    s = np.int64(0)
    state[0] = 0
    state[2] = 0
    for r in range(low, high):
        row = r - low
        at, end, g = records[0, r], records[1, r], records[2, r]
        if end - at > bound:
            return np.int64(-1)
        columns = all_columns[frame_index[groups[FRAME, g]]]
        for line in range(LOG_LINES):
            own[line, row] = 0
        own[LOG_FIRST_ITEM, row] = state[0]
        if s < places.shape[1] and places[0, s] == r:
            if not _says_statement(s, row, columns, numbers, floats, lengths, seen, items, state, name_at, scrubbed):
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
                name = _take(
                    buf, a, b, place, row, columns, numbers, floats, lengths, seen, items, elements, state, more_at, guesses, names,
                    name_at, table,
                )  # fmt: skip
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
        if event_name_length and not _say(
            EVENT_NAME, np.int64(STRING), event_name, event_name_length, row, columns, numbers, floats, lengths, seen, items, state,
            more_at, constant_names,
        ):  # fmt: skip
            return np.int64(-1)
        usual_number = level == 0 or level == 1 or level == 5 or level == 9 or level == 13 or level == 17 or level == 21
        said = text_length == 0 or named >= 6 or not (1 <= level <= 24) or named == (level - 1) >> 2
        if not usual_number and not _say(
            SEVERITY_NUMBER, np.int64(INT), level, np.int64(0), row, columns, numbers, floats, lengths, seen, items, state, more_at,
            constant_names,
        ):  # fmt: skip
            return np.int64(-1)
        if not said and not _say(
            SEVERITY_TEXT, np.int64(STRING), text, text_length, row, columns, numbers, floats, lengths, seen, items, state, more_at,
            constant_names,
        ):  # fmt: skip
            return np.int64(-1)
        flags = own[LOG_FLAGS, row]
        if flags & 254 and not _say(
            TRACE_FLAGS, np.int64(INT), flags & 255, np.int64(0), row, columns, numbers, floats, lengths, seen, items, state, more_at,
            constant_names,
        ):  # fmt: skip
            return np.int64(-1)
        if own[LOG_DROPPED, row] and not _say(
            DROPPED_ATTRIBUTES, np.int64(INT), own[LOG_DROPPED, row], np.int64(0), row, columns, numbers, floats, lengths, seen, items,
            state, more_at, constant_names,
        ):  # fmt: skip
            return np.int64(-1)
        if take_text(
            buf, own[LOG_TEXT, row], own[LOG_TEXT, row] + own[LOG_TEXT_LENGTH, row], row, columns, numbers, floats, lengths, seen,
            items, elements, cells, state, children, names, name_at, table, stack, -1, own,
        ) < 0:  # fmt: skip
            return np.int64(-1)
        if not _finish(g, row, columns, numbers, floats, lengths, seen, promoted, promoted_ranges, rest, rest_ranges):
            return np.int64(-1)
    own[LOG_FIRST_ITEM, high - low] = state[0]
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
