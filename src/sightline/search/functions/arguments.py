"""What functions ask of their arguments: a number, a condition, a constant, each value of a multivalue.

Enters: lowered values. Leaves: values of the wanted type; a NULL argument becomes a typed NULL, so that engine functions
accept it. Errors: SearchError without a span, which the caller adds.
"""

from __future__ import annotations

from collections.abc import Callable

from sightline.errors import SearchError
from sightline.search.planner import values as v
from sightline.search.planner.values import Literal, Type, Value

_SHOWN = {Type.INT: "number", Type.FLOAT: "number", Type.TEXT: "text", Type.BOOL: "condition", Type.MULTI: "multivalue"}


def condition(value: Value, function: str) -> Value:
    """A condition; NULL counts as one. Text and numbers are refused."""
    if value.type not in (Type.BOOL, Type.NULL):
        raise SearchError(f"{function} wants a condition such as x>5, got a {_SHOWN[value.type]}")
    return v.cast(value, Type.BOOL)


def number(value: Value) -> Value:
    """The value as an integer or a float, NULL where it does not look numeric."""
    found = v.as_number(value)
    return Literal(Type.FLOAT, None) if found.type is Type.NULL else found


def constant(value: Value) -> object:
    """What a constant is; raises LookupError for a value that differs by row."""
    if isinstance(value, Literal):
        return value.value
    raise LookupError


def constant_text(value: Value, what: str) -> str:
    """The text of a constant argument; `what` names it in the error for one that differs by row, or is NULL."""
    if not isinstance(value, Literal) or value.value is None or value.type is Type.MULTI:
        raise SearchError(f"{what} must be a constant text, got {'null' if isinstance(value, Literal) else 'an expression'}")
    return str(v.as_text(value).value)  # type: ignore[attr-defined]


def constant_whole(value: Value, what: str, minimum: int, maximum: int) -> int:
    """The whole number of a constant argument within limits."""
    found = v.as_number(value)
    given = found.value if isinstance(found, Literal) else None
    if given is None or given != int(given) or not minimum <= given <= maximum:
        shown = value.value if isinstance(value, Literal) else "an expression"
        raise SearchError(f"{what} must be a whole number from {minimum} to {maximum}, got {shown}")
    return int(given)


def each_text(value: Value, change: Callable[[Value], Value], name: str = "item") -> Value:
    """A change of text applied to the value, or to each value of a multivalue. `change` must give TEXT."""
    if value.type is not Type.MULTI:
        return change(v.as_text(value))
    item = v.Column(Type.TEXT, name)
    changed = v.call("ifNull", change(item), v.text(""), type=Type.TEXT)
    return v.call("arrayMap", v.Lambda(Type.TEXT, (name,), changed), value, type=Type.MULTI)


def any_text(value: Value, test: Callable[[Value], Value], name: str = "item") -> Value:
    """A test of text applied to the value; of a multivalue any value may pass. Absent gives NULL."""
    if value.type is not Type.MULTI:
        return test(v.as_text(value))
    item = v.Column(Type.TEXT, name)
    found = v.call("arrayExists", v.Lambda(Type.BOOL, (name,), v.is_true(test(item))), value, type=Type.BOOL)
    return v.call("if", v.is_present(value), found, Literal(Type.BOOL, None), type=Type.BOOL)


def finite(value: Value) -> Value:
    """The float, NULL where the engine gives infinity or no number."""
    return v.call("if", v.call("isFinite", value, type=Type.BOOL), value, Literal(Type.FLOAT, None), type=Type.FLOAT)


def int64(value: int) -> Value:
    """An integer constant in the engine's widest type, so that sums and shifts do not overflow a narrow one."""
    return v.call("toInt64", v.integer(value), type=Type.INT)


def json_items(text: Value) -> Value:
    """The texts of a JSON array; what is no array gives none."""
    sure = v.call("ifNull", text, v.text(""), type=Type.TEXT)
    return v.call("JSONExtract", sure, v.text("Array(String)"), type=Type.MULTI)
