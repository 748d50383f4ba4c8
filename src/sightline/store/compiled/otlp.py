"""Requests of OpenTelemetry: where their records are, and what each record has.

All are numbers in tables of numpy, a line for each thing that is known and a column for each record:

- A text is a place and a length. A place from 0 on is in the segment, one below 0 in `more`, at -1 - place.
- A member of an object is (place of its name, length of it, kind of its value, value, length).
- `columns[name, kind]` is the promoted column that takes a value, -1 for none; a name that is not known has none.

Every function returns what it made, or a number below 0 where something is unusual and the engine has to read the segment.
"""

from typing import NamedTuple

import numpy as np

from sightline.store.compiled import compiled, inlined, inner
from sightline.store.compiled.members import (
    BOOLEAN,
    DEEP,
    EXACT_INTEGER,
    FLOAT64,
    INT64,
    TEXT,
    TEXTS,
    add,
    keep,
    list_texts,
    name_of,
    put,
)
from sightline.store.compiled.wire import (
    ARRAY,
    BOOL,
    BYTES,
    DOUBLE,
    INT,
    LENGTH,
    MAP,
    NONE,
    STRING,
    VARINT,
    find_name,
    read_attribute,
    read_field,
)

GROUP_LINES = 9
FRAME, RESOURCE, RESOURCE_END, SCOPE, SCOPE_END, RESOURCE_SCHEMA, RESOURCE_SCHEMA_LENGTH, SCHEMA, SCHEMA_LENGTH = range(
    GROUP_LINES
)

TRACE_STATE, TRACE_FLAGS, PARENT_IS_REMOTE, DROPPED_ATTRIBUTES, DROPPED_EVENTS, DROPPED_LINKS = range(6)
SCOPE_NAME, SCOPE_VERSION, SCOPE_SCHEMA_URL, SCOPE_DROPPED, RESOURCE_SCHEMA_URL, RESOURCE_DROPPED = range(6, 12)
EVENT_NAME, SEVERITY_NUMBER, SEVERITY_TEXT, NAN, INFINITY, MINUS_INFINITY = range(12, 18)
CONSTANTS = (
    "trace_state",
    "trace_flags",
    "parent_is_remote",
    "dropped_attributes_count",
    "dropped_events_count",
    "dropped_links_count",
    "scope.name",
    "scope.version",
    "scope.schema_url",
    "scope.dropped_attributes_count",
    "resource.schema_url",
    "resource.dropped_attributes_count",
    "event.name",
    "severity_number",
    "severity_text",
    "nan",
    "inf",
    "-inf",
)
"""Texts that stand in `more` from its beginning, by the numbers above."""

SEVERITY_WORDS = ("trace", "debug", "info", "warn", "error", "fatal", "warning", "critical")
QUERY_TEXT, STATEMENT, QUERY_SUMMARY, SYSTEM_NAME, SYSTEM, SERVICE, HOST, SOURCE, SOURCETYPE = range(9)
KNOWN = (
    "db.query.text",
    "db.statement",
    "db.query.summary",
    "db.system.name",
    "db.system",
    "service.name",
    "host.name",
    "com.splunk.source",
    "com.splunk.sourcetype",
)
"""The first names of the table of names, by the numbers above."""


class Shared(NamedTuple):
    """What the records of a scope have in common: `groups` (see GROUP_LINES), `own` (see `shared`), and what `divide_shared` made."""

    groups: np.ndarray
    own: np.ndarray
    promoted: np.ndarray
    promoted_ranges: np.ndarray
    rest: np.ndarray
    rest_ranges: np.ndarray


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
def as_text(kind, value, names):
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
            return np.int64(STRING), names.constants[0, constant], names.constants[1, constant]
    return kind, value, np.int64(-1)


@inlined
def take_attribute(buf, at, end, place, row, columns, into, names):
    """Put one attribute of a record where it belongs: its name's number, -1 for one that is not known, -2 where it is unusual."""
    key, key_length, kind, value, length = read_attribute(buf, at, end)
    if kind < 0:
        return np.int64(-2)
    name = name_of(buf, key, key_length, place, names)
    if kind == NONE:
        return name
    if kind == DOUBLE:
        kind, value, replaced = as_text(kind, value, names)
        if replaced >= 0:
            length = replaced
    if name >= 0:
        if (kind == MAP and columns[name, DEEP] == 0) or (kind == BYTES and columns[name, TEXT] >= 0):
            return np.int64(-2)
        # The first of two equal names counts: where a column has it the others go, else the engine finds them in the object.
        if into.seen[name] == 2 * row + 1:
            return name
        if into.seen[name] != 2 * row:
            if kind == ARRAY and columns[name, TEXTS] >= 0:
                first, count = list_texts(buf, value, value + length, into.elements, into.state)
                if first < 0:
                    return np.int64(-2)
                taken = count > 0 and put(kind, first, count, name, columns, row, into)
            else:
                taken = put(kind, value, length, name, columns, row, into)
            into.seen[name] = 2 * row + np.int64(taken)
            if taken:
                return name
    if not add(into.items, into.state, key, key_length, kind, value, length):
        return np.int64(-2)
    return name


@inner
def say(constant, kind, value, length, row, columns, into, names):
    """Put a member that this program names where it belongs; False where there is no room."""
    name = names.constant_names[constant]
    key, key_length = names.constants[0, constant], names.constants[1, constant]
    return keep(kind, value, length, name, key, key_length, columns, row, into)


@inlined
def _append(members, n, key, key_length, kind, value, length, name):
    """Write a member of a group as the n-th; False where there is no room."""
    if n >= members.shape[1]:
        return False
    members[0, n] = key
    members[1, n] = key_length
    members[2, n] = kind
    members[3, n] = value
    members[4, n] = length
    members[5, n] = name
    return True


@compiled
def shared(buf, groups, frame_index, all_columns, members, ranges, own, names, as_dimensions):
    """The members that all records of a group have from its scope and resource, in this order: lines of `members` as of items, and
    the number of the name as the sixth. `ranges[g]` is where those of a group begin; `own` gets place and length of
    service.name, host.name, com.splunk.source and com.splunk.sourcetype. Returns their number, or one below 0.

    `as_dimensions` is for metrics, whose members are texts and fewer: without counts of what was dropped, the resource's schema, and
    entities.
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
                    if length == 0 or (as_dimensions and kind == INT):
                        continue
                    key, key_length = names.constants[0, constant], names.constants[1, constant]
                    if not _append(members, n, key, key_length, kind, value, length, names.constant_names[constant]):
                        return np.int64(-1)
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
                    name = name_of(buf, key, key_length, place, names)
                    place += 1
                    if not is_scope and SERVICE <= name <= SOURCETYPE and own[2 * (name - SERVICE), g] == 0:
                        # The first of a name counts, and only a text; a place is never 0.
                        own[2 * (name - SERVICE), g] = value if kind == STRING else -1
                        own[2 * (name - SERVICE) + 1, g] = length if kind == STRING else 0
                    if kind == NONE and as_dimensions:
                        kind, value, length = np.int64(STRING), np.int64(0), np.int64(0)
                    elif as_dimensions and kind != STRING and kind != INT and kind != BOOL:
                        return np.int64(-1)
                    if kind == NONE:
                        continue
                    if name >= 0 and (
                        (kind == MAP and columns[name, DEEP] == 0) or (kind == BYTES and columns[name, TEXT] >= 0)
                    ):
                        return np.int64(-1)
                    if kind == DOUBLE:
                        kind, value, replaced = as_text(kind, value, names)
                        if replaced >= 0:
                            length = replaced
                    if not _append(members, n, key, key_length, kind, value, length, name):
                        return np.int64(-1)
                    n += 1
                elif not is_scope and number == 3 and not as_dimensions:
                    # Entities are written by the engine.
                    return np.int64(-1)
                elif not is_scope and number == 2:
                    if wire != VARINT:
                        return np.int64(-1)
                    dropped = a & 0xFFFFFFFF
            if not is_scope and not as_dimensions:
                for constant in (RESOURCE_SCHEMA_URL, RESOURCE_DROPPED):
                    kind, value, length = np.int64(STRING), groups[RESOURCE_SCHEMA, g], groups[RESOURCE_SCHEMA_LENGTH, g]
                    if constant == RESOURCE_DROPPED:
                        kind, value, length = np.int64(INT), dropped, dropped
                    if length == 0:
                        continue
                    key, key_length = names.constants[0, constant], names.constants[1, constant]
                    if not _append(members, n, key, key_length, kind, value, length, names.constant_names[constant]):
                        return np.int64(-1)
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
def complete(g, row, columns, into, shared):
    """Give a record what its group has for promoted columns; False where a name is in both, and the group's cannot be taken out."""
    for m in range(shared.promoted_ranges[g], shared.promoted_ranges[g + 1]):
        name = shared.promoted[0, m]
        if into.seen[name] == 2 * row:
            return False
        if into.seen[name] != 2 * row + 1:
            column = shared.promoted[1, m]
            if shared.promoted[4, m]:
                into.floats[column, row] = np.float64(shared.promoted[2, m])
            else:
                into.numbers[column, row] = shared.promoted[2, m]
            into.lengths[column, row] = shared.promoted[3, m]
    for m in range(shared.rest_ranges[g], shared.rest_ranges[g + 1]):
        name = shared.rest[5, m]
        if name >= 0 and into.seen[name] == 2 * row + 1:
            return False
    return True


@compiled
def statements(buf, records, low, high, attribute_field, places, names):
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
            known = find_name(buf, key, key_length, names.text, names.at[0], names.at[1], names.table)
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


@inner
def says_statement(s, row, columns, into, names, scrubbed):
    """Put what scrubbing made of a record's statement, before the attributes themselves; False where there is no room."""
    for known in range(3):
        value, length = scrubbed[2 * known, s], scrubbed[2 * known + 1, s]
        if length == 0:
            continue
        taken = put(np.int64(STRING), value, length, known, columns, row, into)
        into.seen[known] = 2 * row + np.int64(taken)
        if not taken and not add(
            into.items, into.state, -1 - names.at[0, known], names.at[1, known], np.int64(STRING), value, length
        ):
            return False
    return True
