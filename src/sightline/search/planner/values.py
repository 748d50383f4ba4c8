"""Typed values: what the engine computes for a field, and how SPL's loose typing maps onto its strict one.

A field is an integer, a float, text, a boolean or a multivalue (a list of text). Text that looks numeric acts as a number
where a number is wanted: only text pays for that check. Absent is NULL; an empty multivalue is absent too.
"""

from __future__ import annotations

import dataclasses
import hashlib
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import Enum
from functools import cached_property
from typing import Any

FINGERPRINT_BYTES = 6
"""Of a value: short, because it is written into statements as a name, and long enough that two of a million all but never share one."""


class Type(Enum):
    """What the engine holds for a field."""

    INT = "int"
    FLOAT = "float"
    TEXT = "text"
    BOOL = "bool"
    MULTI = "multi"
    NULL = "null"
    TIME = "time"
    """The store's own time column: only compared and ordered by, never a field."""

    @property
    def is_number(self) -> bool:
        """Whether it is an integer or a float."""
        return self in (Type.INT, Type.FLOAT)


@dataclass(frozen=True)
class Value:
    """Base of value nodes. Immutable; `type` is what the rendered SQL yields (NULL allowed, except in a MULTI)."""

    type: Type

    @property
    def children(self) -> Sequence[Value]:
        """The values it is computed from."""
        return ()

    @cached_property
    def size(self) -> int:
        """Number of nodes, which tells when a value is better computed once and named."""
        return 1 + sum(child.size for child in self.children)

    @cached_property
    def columns(self) -> frozenset[Column]:
        """The columns it reads."""
        found: set[Column] = set()
        for child in self.children:
            found |= child.columns
        return frozenset(found)

    @cached_property
    def volatile(self) -> bool:
        """Whether two evaluations may differ (`random()`)."""
        return any(child.volatile for child in self.children)

    @cached_property
    def fingerprint(self) -> bytes:
        """A short digest that equal values share, made of the digests below it: as a text of the whole value, asked for at
        each of n nested operations, it would take n² time.
        """
        own = [getattr(self, f.name) for f in dataclasses.fields(self)]
        found = hashlib.blake2b(type(self).__name__.encode(), digest_size=FINGERPRINT_BYTES)
        for part in own:
            nested = part if isinstance(part, tuple) else (part,)
            found.update(b"(%d" % len(nested))
            for item in nested:
                found.update(item.fingerprint if isinstance(item, Value) else repr(item).encode("utf-8", "surrogatepass"))
                found.update(b"\0")
        return found.digest()


@dataclass(frozen=True)
class Column(Value):
    """A column of the relation below, by its identifier there."""

    id: str

    @cached_property
    def columns(self) -> frozenset[Column]:
        return frozenset((self,))


@dataclass(frozen=True)
class Literal(Value):
    """A constant: None, bool, int, float, str or a tuple of str."""

    value: Any


@dataclass(frozen=True)
class Call(Value):
    """An engine function applied to values; `parameters` are those of `quantile(0.9)(x)`."""

    function: str
    arguments: tuple[Value, ...]
    parameters: tuple[Any, ...] = ()
    aggregate: bool = False
    """Whether it reads all rows of a group. A value may hold several such calls in scalar ones: `sum(x) / count()`."""

    @property
    def children(self) -> Sequence[Value]:
        return self.arguments

    @cached_property
    def volatile(self) -> bool:
        return self.function in ("rand", "rand32", "rand64", "generateUUIDv4", "rowNumberInAllBlocks") or any(
            a.volatile for a in self.arguments
        )


@dataclass(frozen=True)
class Lambda(Value):
    """`(x, y) -> body`; inside the body a parameter is a Column with the parameter's name."""

    parameters: tuple[str, ...]
    body: Value

    @property
    def children(self) -> Sequence[Value]:
        return (self.body,)

    @cached_property
    def columns(self) -> frozenset[Column]:
        return frozenset(c for c in self.body.columns if c.id not in self.parameters)


@dataclass(frozen=True)
class Over(Value):
    """A window function: `call OVER (PARTITION BY … ORDER BY … frame)`."""

    call: Call
    partition: tuple[Value, ...] = ()
    order: tuple[tuple[Value, bool], ...] = ()
    """Values with whether they descend."""
    frame: str = ""
    """Frame text, made only from integers and keywords by the planner."""

    @property
    def children(self) -> Sequence[Value]:
        return (self.call, *self.partition, *(v for v, _ in self.order))


@dataclass(frozen=True, eq=False)
class Deferred(Value):
    """A value that is made when something needs it: for fields that are costly to plan and seldom read."""

    make: Callable[[], Value]

    @cached_property
    def value(self) -> Value:
        """The value itself."""
        return self.make()

    @property
    def children(self) -> Sequence[Value]:
        return (self.value,)

    @cached_property
    def size(self) -> int:
        # Asking for its real size would make it.
        return 2

    @cached_property
    def volatile(self) -> bool:
        return False

    def __eq__(self, other: object) -> bool:
        return self is other

    def __hash__(self) -> int:
        return id(self)

    def __repr__(self) -> str:
        return f"Deferred({id(self)})"

    @cached_property
    def fingerprint(self) -> bytes:
        return repr(self).encode()


NULL = Literal(Type.NULL, None)
TRUE = Literal(Type.BOOL, True)
FALSE = Literal(Type.BOOL, False)
EMPTY_MULTI = Literal(Type.MULTI, ())


def integer(value: int) -> Literal:
    """An integer constant."""
    return Literal(Type.INT, int(value))


def real(value: float) -> Literal:
    """A float constant."""
    return Literal(Type.FLOAT, float(value))


def text(value: str) -> Literal:
    """A text constant."""
    return Literal(Type.TEXT, value)


def number(value: float) -> Literal:
    """An integer constant where the number is whole and exact, else a float."""
    if isinstance(value, int) or (float(value).is_integer() and abs(value) < 2**53):
        return integer(int(value))
    return real(value)


def call(function: str, *arguments: Value, type: Type, parameters: tuple[Any, ...] = ()) -> Call:
    """An engine function call of a known result type."""
    return Call(type, function, arguments, parameters)


def agg(function: str, *arguments: Value, type: Type, parameters: tuple[Any, ...] = ()) -> Call:
    """An aggregate call of the engine of a known result type."""
    return Call(type, function, arguments, parameters, True)


def map_aggregates(value: Value, change: Callable[[Call], Value]) -> Value:
    """The value with each aggregate call in it replaced; used to turn a group's aggregate into a window function."""
    if isinstance(value, Call):
        if value.aggregate:
            return change(value)
        return dataclasses.replace(value, arguments=tuple(map_aggregates(a, change) for a in value.arguments))
    if isinstance(value, Lambda):
        return dataclasses.replace(value, body=map_aggregates(value.body, change))
    return map_aggregates(value.value, change) if isinstance(value, Deferred) else value


REPEATED_SIZE = 100
"""Nodes that repeating a value may add to an expression before it is computed once under a name instead."""


def shared(given: Sequence[Value], make: Callable[..., Value]) -> Value:
    """`make(*given)`, where a large value that the result would repeat is computed once under a name.

    Loose typing reads a text several times (does it look numeric? then the number, else the text), so that an expression of
    n nested operations would be written out 2^n times and more.
    """
    names = [_name_of(value) if value.size > 4 and not isinstance(value, Literal) else None for value in given]
    stand_ins = [Column(value.type, name) if name else value for value, name in zip(given, names, strict=True)]
    result = make(*stand_ins)
    for value, name in zip(given, names, strict=True):
        if name is None or Column(value.type, name) not in result.columns:
            continue
        if result.type is Type.NULL or (occurrences(result, name) - 1) * value.size <= REPEATED_SIZE:
            result = substituted(result, name, value)
        else:
            made = call(
                "arrayMap", Lambda(result.type, (name,), result), call("array", value, type=Type.MULTI), type=Type.MULTI
            )
            result = call("arrayElement", made, integer(1), type=result.type)
    return result


def _name_of(value: Value) -> str:
    # The same value has the same name everywhere, so that equal expressions stay equal.
    return f"once_{value.fingerprint.hex()}"


def occurrences(value: Value, name: str) -> int:
    """How often a column is read."""
    if isinstance(value, Column):
        return int(value.id == name)
    if not any(c.id == name for c in value.columns):
        return 0
    return sum(occurrences(child, name) for child in value.children)


def substituted(value: Value, name: str, replacement: Value) -> Value:
    """The value with a column replaced by another value."""
    if isinstance(value, Column):
        return replacement if value.id == name else value
    if not any(c.id == name for c in value.columns):
        return value
    if isinstance(value, Call):
        return dataclasses.replace(value, arguments=tuple(substituted(a, name, replacement) for a in value.arguments))
    if isinstance(value, Lambda):
        return dataclasses.replace(value, body=substituted(value.body, name, replacement))
    if isinstance(value, Deferred):
        return substituted(value.value, name, replacement)
    raise AssertionError(f"a column of an expression stands in {type(value).__name__}")


def multi(values: Sequence[str]) -> Literal:
    """A multivalue constant."""
    return Literal(Type.MULTI, tuple(values))


# ---- conversions -----------------------------------------------------------------------------------------------------


def numeric_literal(value: str) -> int | float | None:
    """The number that a text spells, or None: the rule for "looks numeric" where the text is known at planning."""
    stripped = value.strip()
    if not stripped or stripped != value or "_" in stripped:
        return None
    try:
        return int(stripped)
    except ValueError:
        pass
    try:
        parsed = float(stripped)
    except ValueError:
        return None
    return parsed if parsed - parsed == 0 else None


def as_number(value: Value) -> Value:
    """The value as a number; NULL where it does not look numeric. A multivalue counts when it has one value."""
    if value.type.is_number:
        return value
    if isinstance(value, Literal):
        if value.value is None:
            return Literal(Type.FLOAT, None)
        if value.type is Type.TEXT:
            parsed = numeric_literal(value.value)
            return NULL if parsed is None else number(parsed)
        if value.type is Type.BOOL:
            return integer(int(value.value))
    if value.type is Type.BOOL:
        return call("toInt64", value, type=Type.INT)
    if value.type is Type.MULTI:
        value = as_text(value)
    parsed = call("toFloat64OrNull", value, type=Type.FLOAT)
    # The engine also reads "nan" and "inf", which SPL takes for words.
    return call("if", call("isFinite", parsed, type=Type.BOOL), parsed, Literal(Type.FLOAT, None), type=Type.FLOAT)


def as_float(value: Value) -> Value:
    """The value as a float, NULL where it does not look numeric."""
    found = as_number(value)
    if found.type is Type.FLOAT:
        return found
    if isinstance(found, Literal):
        return Literal(Type.FLOAT, None if found.value is None else float(found.value))
    return call("toFloat64", found, type=Type.FLOAT)


def as_integer(value: Value) -> Value:
    """The value truncated to an integer, NULL where it does not look numeric."""
    found = as_number(value)
    if found.type is Type.INT:
        return found
    if isinstance(found, Literal):
        return Literal(Type.INT, None if found.value is None else int(found.value))
    return whole(call("trunc", found, type=Type.FLOAT))


def like_pattern(given: str) -> str:
    """A text with `*` for any characters as the engine's LIKE has it."""
    return "".join("%" if c == "*" else "\\" + c if c in "\\%_" else c for c in given)


def is_address(text: Value) -> Value:
    """Whether a text is an IP address, of version 4 or 6."""
    return either([call("isIPv4String", text, type=Type.BOOL), call("isIPv6String", text, type=Type.BOOL)])


def is_in_network(address: Value, network: Value) -> Value:
    """Whether a text is an IP address within a network, which must be one."""
    valid = is_address(address)
    # The engine stops at text that is no address, also where a dictionary holds it for no row.
    sure = call("if", is_true(valid), address, text("0.0.0.0"), type=Type.TEXT)
    return both([valid, call("isIPAddressInRange", sure, network, type=Type.BOOL)])


def whole(value: Value) -> Value:
    """A float that is whole as an integer; NULL where it does not fit, as infinity never does.

    The engine's own conversion throws for infinity, which may hide even behind a NULL: in text such as "1e400".
    """
    if value.type is Type.INT:
        return value
    return call("accurateCastOrNull", value, text("Int64"), type=Type.INT)


def float_text(given: float) -> str:
    """A float as the engine writes it: its shortest digits, with an exponent below 1e-6 and from 1e21 on."""
    digits = Decimal(repr(given))
    place = digits.adjusted()
    if -7 < place < 21 or not given:
        plain = f"{digits:f}"
        return (plain.rstrip("0").rstrip(".") if "." in plain else plain) or "0"
    mantissa, _, _ = f"{digits.normalize():e}".partition("e")
    return f"{mantissa}e{place}"


def as_text(value: Value) -> Value:
    """The value as text: numbers in shortest form, true and false, a multivalue only where it has exactly one value."""
    if value.type is Type.TEXT:
        return value
    if isinstance(value, Literal):
        if value.value is None:
            return Literal(Type.TEXT, None)
        if value.type is Type.BOOL:
            return text("true" if value.value else "false")
        if value.type is Type.INT:
            return text(str(value.value))
        if value.type is Type.FLOAT and math.isfinite(value.value):
            return text(float_text(value.value))
        if value.type is Type.MULTI and len(value.value) != 1:
            return Literal(Type.TEXT, None)
        if value.type is Type.MULTI:
            return text(value.value[0])
    if value.type is Type.BOOL:
        none = Literal(Type.TEXT, None)
        words = call("if", value, text("true"), text("false"), type=Type.TEXT)
        return call("if", call("isNull", value, type=Type.BOOL), none, words, type=Type.TEXT)
    if value.type is Type.MULTI:
        one = call("equals", call("length", value, type=Type.INT), integer(1), type=Type.BOOL)
        first = call("arrayElement", value, integer(1), type=Type.TEXT)
        return call("if", one, call("toNullable", first, type=Type.TEXT), Literal(Type.TEXT, None), type=Type.TEXT)
    return call("toString", value, type=Type.TEXT)


def as_multi(value: Value) -> Value:
    """The value as a list of text; empty where it is absent."""
    if value.type is Type.MULTI:
        return value
    plain = as_text(value)
    if isinstance(plain, Literal):
        return EMPTY_MULTI if plain.value is None else multi([plain.value])
    present = call("isNotNull", plain, type=Type.BOOL)
    sure = call("ifNull", plain, text(""), type=Type.TEXT)
    return call("if", present, call("array", sure, type=Type.MULTI), EMPTY_MULTI, type=Type.MULTI)


def as_bool(value: Value) -> Value:
    """The value as a condition: numbers by being non-zero, the words true and false by meaning, other text is NULL."""
    if value.type is Type.BOOL:
        return value
    if value.type.is_number:
        return call("notEquals", value, integer(0), type=Type.BOOL)
    if value.type is Type.NULL:
        return Literal(Type.BOOL, None)
    word = call("lower", as_text(value), type=Type.TEXT)
    known = call("in", word, multi(("true", "t", "1", "false", "f", "0")), type=Type.BOOL)
    truth = call("in", word, multi(("true", "t", "1")), type=Type.BOOL)
    return call("if", known, truth, Literal(Type.BOOL, None), type=Type.BOOL)


def is_null(value: Value) -> bool:
    """Whether the value is NULL in every row, as a field that no row has."""
    return isinstance(value, Literal) and value.value is None


def is_present(value: Value) -> Value:
    """Whether the field has a value."""
    if isinstance(value, Literal):
        return Literal(Type.BOOL, value.value is not None and value.value != ())
    if value.type is Type.MULTI:
        return call("notEmpty", value, type=Type.BOOL)
    return call("isNotNull", value, type=Type.BOOL)


def is_true(condition: Value) -> Value:
    """The condition with NULL taken as false."""
    if isinstance(condition, Literal):
        return Literal(Type.BOOL, bool(condition.value))
    return call("ifNull", condition, FALSE, type=Type.BOOL)


def both(conditions: Sequence[Value]) -> Value:
    """All conditions."""
    conditions = [c for c in conditions if c != TRUE]
    if not conditions:
        return TRUE
    return conditions[0] if len(conditions) == 1 else call("and", *conditions, type=Type.BOOL)


def either(conditions: Sequence[Value]) -> Value:
    """At least one condition."""
    if not conditions:
        return FALSE
    return conditions[0] if len(conditions) == 1 else call("or", *conditions, type=Type.BOOL)


def negation(condition: Value) -> Value:
    """The opposite, NULL staying NULL."""
    return call("not", condition, type=Type.BOOL)


def common_type(types: Iterator[Type] | Sequence[Type]) -> Type:
    """The narrowest type that holds values of all the given types without loss of meaning."""
    found = {t for t in types if t is not Type.NULL}
    if not found:
        return Type.NULL
    if len(found) == 1:
        return found.pop()
    if Type.MULTI in found:
        return Type.MULTI
    if found <= {Type.INT, Type.FLOAT}:
        return Type.FLOAT
    return Type.TEXT


def cast(value: Value, wanted: Type) -> Value:
    """The value as the wanted type."""
    if value.type is wanted:
        return value
    if isinstance(value, Literal) and value.value is None:
        return EMPTY_MULTI if wanted is Type.MULTI else Literal(wanted, None)
    return _CASTS[wanted](value)


_CASTS = {
    Type.INT: as_integer,
    Type.FLOAT: as_float,
    Type.TEXT: as_text,
    Type.BOOL: as_bool,
    Type.MULTI: as_multi,
    Type.NULL: lambda value: NULL,
}


def first_present(choices: Sequence[Value]) -> Value:
    """The first of the values that is there."""
    choices = [c for c in choices if c.type is not Type.NULL]
    if not choices:
        return NULL
    wanted = common_type([c.type for c in choices])
    casts = [cast(c, wanted) for c in choices]
    if len(casts) == 1:
        return casts[0]
    if wanted is not Type.MULTI:
        return call("coalesce", *casts, type=wanted)
    result = casts[-1]
    for choice in reversed(casts[:-1]):
        result = call("if", is_present(choice), choice, result, type=Type.MULTI)
    return result


def choose(condition: Value, then: Value, otherwise: Value) -> Value:
    """`if`, with NULL taking the other branch and both branches brought to a common type."""
    wanted = common_type([then.type, otherwise.type])
    if wanted is Type.NULL:
        return NULL
    return call("if", is_true(condition), cast(then, wanted), cast(otherwise, wanted), type=wanted)


# ---- comparison ------------------------------------------------------------------------------------------------------

_COMPARE = {
    "=": "equals",
    "!=": "notEquals",
    "<": "less",
    ">": "greater",
    "<=": "lessOrEquals",
    ">=": "greaterOrEquals",
}


def compare(operator: str, left: Value, right: Value) -> Value:
    """A comparison of `where` and `eval`: by number where both look numeric, else by text and case-sensitively.

    A multivalue matches when any of its values does.
    """
    function = _COMPARE[operator]
    if left.type is Type.MULTI or right.type is Type.MULTI:
        return _compare_multi(operator, left, right)
    if left.type is Type.NULL or right.type is Type.NULL:
        return Literal(Type.BOOL, None)
    if left.type.is_number and right.type.is_number:
        return call(function, left, right, type=Type.BOOL)
    if left.type is Type.BOOL and right.type is Type.BOOL:
        return call(function, left, right, type=Type.BOOL)
    left_number, right_number = as_number(left), as_number(right)
    never_number = NULL in (left_number, right_number)
    left_text, right_text = as_text(left), as_text(right)
    by_text = call(function, left_text, right_text, type=Type.BOOL)
    if never_number:
        return by_text
    by_number = call(function, left_number, right_number, type=Type.BOOL)
    if isinstance(left, Literal) or isinstance(right, Literal):
        # One side is a numeric constant: where the other side looks numeric, compare numbers.
        return call("ifNull", by_number, by_text, type=Type.BOOL)
    both_numbers = both([call("isNotNull", left_number, type=Type.BOOL), call("isNotNull", right_number, type=Type.BOOL)])
    return call("if", both_numbers, by_number, by_text, type=Type.BOOL)


def _compare_multi(operator: str, left: Value, right: Value) -> Value:
    if right.type is Type.MULTI and left.type is not Type.MULTI:
        swapped = {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(operator, operator)
        return _compare_multi(swapped, right, left)
    if right.type is Type.NULL:
        return Literal(Type.BOOL, None)
    item = Column(Type.TEXT, "item")
    other = right if right.type is not Type.MULTI else Column(Type.TEXT, "other")
    test = is_true(compare(operator, item, other))
    if right.type is Type.MULTI:
        test = call("arrayExists", Lambda(Type.BOOL, ("other",), test), right, type=Type.BOOL)
    found = call("arrayExists", Lambda(Type.BOOL, ("item",), test), left, type=Type.BOOL)
    return call("if", is_present(left), found, Literal(Type.BOOL, None), type=Type.BOOL)


# ---- order -----------------------------------------------------------------------------------------------------------


def sort_keys(value: Value, descending: bool, kind: str = "auto") -> list[tuple[Value, bool]]:
    """Keys that order rows by a field as `sort` does: numbers by size before other text, absent values last when
    ascending and smallest (so last too) when descending. `kind` is auto, num, str or ip.

    NULL is last in each key, so that one that tells where there is no value is needed only where a text may be NULL in the next.
    """
    keys: list[tuple[Value, bool]] = []
    if value.type is Type.MULTI:
        keys.append((call("not", is_present(value), type=Type.BOOL), False))
        value = call("arrayStringConcat", value, text("\n"), type=Type.TEXT)
    elif value.type is Type.TEXT and (kind == "num" or (kind == "auto" and descending)):
        keys.append((call("isNull", value, type=Type.BOOL), False))
    if kind == "str":
        return [*keys, (as_text(value), descending)]
    if kind == "num" or value.type.is_number or value.type is Type.BOOL:
        return [*keys, (as_number(value), descending)]
    if kind == "ip":
        return [*keys, (ip_key(value), descending), (as_text(value), descending)]
    found = as_number(value)
    if descending:
        keys.append((call("isNull", found, type=Type.BOOL), True))
    return [*keys, (found, descending), (ip_key(value), descending), (as_text(value), descending)]


def ip_key(value: Value) -> Value:
    """Text of an IPv4 address as a number, so that 9.0.0.0 comes before 10.0.0.0; NULL for other text."""
    return call("IPv4StringToNumOrNull", as_text(value), type=Type.INT)
