"""What values the fields of some rows have: which fields are meant, which of them hold numbers, and how often each value occurs.

For commands that look at all fields at once. However many fields there are, it is one statement.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Column, Lambda, Type, Value

if TYPE_CHECKING:
    from sightline.search.context import Context


def chosen_fields(relation: Relation, patterns: Sequence[str]) -> list[str]:
    """The fields that names and patterns mean; without any all that do not begin with an underscore."""
    found = dict.fromkeys(name for pattern in patterns or ["*"] for name in relation.matching(pattern))
    return [
        name
        for name in found
        if relation.field(name).type is not Type.NULL and not (name.endswith("{}") and name[:-2] in relation.fields)
    ]


def numeric_fields(relation: Relation, names: Sequence[str], context: Context) -> list[str]:
    """Those of the fields whose values are all numbers. Of text the rows are asked, in one statement."""
    unsure = [name for name in names if relation.field(name).type in (Type.TEXT, Type.MULTI)]
    numeric = {name for name in names if relation.field(name).type.is_number}
    if unsure and not context.dry:
        tests: list[tuple[str, Value]] = []
        for position, name in enumerate(unsure):
            value = relation.field(name)
            present = v.call("toInt64", v.is_present(value), type=Type.INT)
            number = v.call("toInt64", v.is_present(v.as_float(value)), type=Type.INT)
            tests.append((f"present{position}", v.agg("sum", present, type=Type.INT)))
            tests.append((f"numbers{position}", v.agg("sum", number, type=Type.INT)))
        table = context.table_of(relation.aggregated([], tests))
        for position, name in enumerate(unsure):
            present_rows, number_rows = (table[f"{kind}{position}"][0].as_py() or 0 for kind in ("present", "numbers"))
            if present_rows and present_rows == number_rows:
                numeric.add(name)
    return [name for name in names if name in numeric]


def by_value(relation: Relation, names: Sequence[str]) -> Relation:
    """A row for each value of each field: `number` of the field, `value` as text, its `occurrences`.

    `rows` adds up over a field to the rows that have it; a multivalue is one row with several occurrences.
    """
    occurrences = [_occurrences(number, relation.field(name)) for number, name in enumerate(names)]
    if not occurrences:
        relation = relation.filtered(v.FALSE)
        nothing = v.call("tuple", v.integer(0), v.text(""), v.call("toUInt64", v.integer(0), type=Type.INT), type=Type.TEXT)
        occurrences = [v.call("array", nothing, type=Type.MULTI)]
    relation, one = relation.unnested(v.call("arrayConcat", *occurrences, type=Type.MULTI), "occurrence")
    keys = [("number", tuple_part(one, 1, Type.INT)), ("value", tuple_part(one, 2, Type.TEXT))]
    counts = [
        ("occurrences", v.call("toInt64", v.agg("count", type=Type.INT), type=Type.INT)),
        ("rows", v.call("toInt64", v.agg("sum", tuple_part(one, 3, Type.INT), type=Type.INT), type=Type.INT)),
    ]
    return relation.aggregated(keys, counts)


def tuple_part(tuple_value: Value, position: int, type: Type) -> Value:
    """A part of a tuple, counted from 1."""
    return v.call("tupleElement", tuple_value, v.integer(position), type=type)


def named(number: Value, names: Sequence[str]) -> Value:
    """The name of a field from its number, counted from 0."""
    position = v.call("plus", number, v.integer(1), type=Type.INT)
    return v.call("arrayElement", v.multi(list(names) or [""]), position, type=Type.TEXT)


def whole_text(value: Value) -> Value:
    """A field as one text: a multivalue with its values on lines of their own; absent where it has none."""
    if value.type is not Type.MULTI:
        return v.as_text(value)
    joined = v.call("arrayStringConcat", value, v.text("\n"), type=Type.TEXT)
    return v.call("if", v.is_present(value), joined, v.Literal(Type.TEXT, None), type=Type.TEXT)


def _occurrences(number: int, value: Value) -> Value:
    """What a row adds: (number of the field, value as text, 1 for the first value of the row) for each value it has."""
    if value.type is not Type.MULTI:
        sure = v.call(
            "CAST", v.call("ifNull", v.as_text(value), v.text(""), type=Type.TEXT), v.text("String"), type=Type.TEXT
        )
        first = v.call("toUInt64", v.integer(1), type=Type.INT)
        one = v.call("array", v.call("tuple", v.integer(number), sure, first, type=Type.TEXT), type=Type.MULTI)
        nothing = v.call("arraySlice", one, v.integer(1), v.integer(0), type=Type.MULTI)
        return v.call("if", v.is_present(value), one, nothing, type=Type.MULTI)
    item, at = Column(Type.TEXT, "item"), Column(Type.INT, "at")
    leads = v.call("toUInt64", v.call("equals", at, v.integer(1), type=Type.BOOL), type=Type.INT)
    made = v.call("tuple", v.integer(number), item, leads, type=Type.TEXT)
    numbers = v.call("arrayEnumerate", value, type=Type.MULTI)
    return v.call("arrayMap", Lambda(Type.TEXT, ("item", "at"), made), value, numbers, type=Type.MULTI)
