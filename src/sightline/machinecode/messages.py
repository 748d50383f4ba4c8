"""Messages of protobuf as a table of numbers, for compiled code that reads them.

A message is a line of FIELDS numbers, one for each number that a field may have. It says the type of the field, what is to be kept
of it (its role), and where the line of the message in it begins. No field has the number 0: there the line says what the message
is. Lines of messages in which nothing has a role are shared, so that a message may contain itself.

Enters: a message's descriptor, and roles by the path of names that leads to a field. Leaves: the table, whose first line is the
message's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

FIELDS = 32
UNKNOWN, VARINT, FIXED64, FIXED32, BYTES, STRING, MESSAGE, FIXED64_LIST, VARINT_LIST = range(9)
"""Types of fields."""
NO_ROLE = 0
SPAN, RECORD, POINT, HISTOGRAM_POINT, METRIC = range(1, 6)
"""What a message is that is judged."""

(
    FIRST_ID,
    SECOND_ID,
    FIRST_TIME,
    SECOND_TIME,
    NAME,
    DATA,
    COUNTS,
    BOUNDS,
    INDEX_NAME,
    SCOPE_NAME,
) = range(1, 11)
ROLES = 9
"""From here on roles are those of texts that may make a request unusual; those before are of values that a message is judged by."""

WORK_NUMBERS = 96
"""Numbers that who reads a table has to be given to work with."""

_TYPES = {
    "double": FIXED64, "fixed64": FIXED64, "sfixed64": FIXED64, "fixed32": FIXED32, "sfixed32": FIXED32, "float": FIXED32,
    "int64": VARINT, "uint64": VARINT, "sint64": VARINT, "int32": VARINT, "uint32": VARINT, "sint32": VARINT, "bool": VARINT,
    "enum": VARINT, "bytes": BYTES, "string": STRING, "message": MESSAGE,
}  # fmt: skip
_LISTS = {VARINT: VARINT_LIST, FIXED64: FIXED64_LIST}


def table_of(descriptor: Any, roles: Mapping[str, int]) -> np.ndarray:
    """The table of a message. `roles` has for `resource_spans.scope_spans.spans.trace_id` what is kept of it, and for the path of a
    message with a dot behind it what the message is. Raises ValueError for a message that has no place in a table."""
    lines: list[list[int]] = []
    shared: dict[str, int] = {}

    def add(message: Any, path: str) -> int:
        is_plain = not any(role.startswith(path) for role in roles)
        if is_plain and message.full_name in shared:
            return shared[message.full_name]
        line = [0] * FIELDS
        at = len(lines) * FIELDS
        lines.append(line)
        if is_plain:
            shared[message.full_name] = at
        line[0] = roles.get(path, NO_ROLE)
        for field in message.fields:
            kind = _TYPES.get(_type_name(field))
            if kind is None or field.number >= FIELDS:
                raise ValueError(f"{field.full_name} has no place in a table")
            inside = 0
            if field.message_type is not None:
                inside = add(field.message_type, f"{path}{field.name}.")
            elif field.is_repeated and kind in (FIXED32, VARINT, FIXED64):
                kind = _LISTS[kind]
            line[field.number] = kind | roles.get(f"{path}{field.name}", NO_ROLE) << 4 | inside << 8
        return at

    add(descriptor, "")
    return np.array(lines, np.int32).reshape(-1)


def _type_name(field: Any) -> str:
    return next(name[5:].lower() for name in dir(field) if name.startswith("TYPE_") and getattr(field, name) == field.type)
