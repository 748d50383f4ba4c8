"""Rows that belong together by the values of fields: the keys they are compared by, and their numbers within a group."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

from sightline.search.planner import values as v
from sightline.search.planner.relation import Aggregate, Filter, Node, OrderKey, Project, Relation, Sort
from sightline.search.planner.values import Call, Column, Over, Type, Value


def match_keys(left: Value, right: Value) -> tuple[Value | None, Value | None]:
    """Both values in one form in which equal ones are equal for the engine; None for one that no row has.

    Numbers are compared as numbers. Otherwise the text counts, in which a number is written in its shortest form; several
    values are one text of lines.
    """
    if left.type.is_number and right.type.is_number:
        wanted = v.common_type([left.type, right.type])
        return v.cast(left, wanted), v.cast(right, wanted)
    return _key_text(left), _key_text(right)


def _key_text(value: Value) -> Value | None:
    if value.type is Type.NULL:
        return None
    if value.type is not Type.MULTI:
        return v.as_text(value)
    joined = v.call("arrayStringConcat", value, v.text("\n"), type=Type.TEXT)
    return v.call("if", v.is_present(value), joined, v.Literal(Type.TEXT, None), type=Type.TEXT)


def first_of_each(relation: Relation, keys: Sequence[Value], count: int) -> Relation:
    """The first rows, in shown order, of each combination of keys; rows that lack a key may go."""
    if not keys:
        return relation.head(count)
    if _one_row_each(relation.node, {column.id for key in keys if _keeps_apart(key) for column in key.columns}):
        return relation
    relation = relation.filtered(v.both([v.is_present(key) for key in keys]))
    return dataclasses.replace(relation, node=Sort(relation.node, relation.order, count, tuple(keys)))


def _keeps_apart(key: Value) -> bool:
    """Whether different values of the column below give different keys."""
    return isinstance(key, Column) or (
        isinstance(key, Call) and key.function == "toString" and _keeps_apart(key.arguments[0])
    )


def _one_row_each(node: Node, columns: set[str]) -> bool:
    """Whether the rows are groups of exactly some of these columns, so that each combination comes once."""
    if isinstance(node, Aggregate):
        return {id for id, _ in node.keys} <= columns
    if isinstance(node, Filter | Sort):
        return _one_row_each(node.input, columns)
    if isinstance(node, Project):
        plain = {value.id for id, value in node.columns if id in columns and isinstance(value, Column)}
        return _one_row_each(node.input, plain)
    return False


def numbered_in_groups(relation: Relation, keys: Sequence[Value], order: Sequence[OrderKey]) -> tuple[Relation, Column]:
    """The rows with their number, from 1, among those of equal keys."""
    over = Over(Type.INT, v.call("row_number", type=Type.INT), tuple(keys), tuple(order))
    relation, (nth,) = relation.windowed([("nth", over)])
    return relation, nth
