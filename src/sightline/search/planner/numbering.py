"""Texts of few values as numbers, while rows are grouped by them.

By one dictionary column the engine groups with the dictionary's positions; by several, and for sets of them, it writes the texts
of each row out, which takes five times as long. Where the store knows the few texts of such a field, a number of one byte stands for
each while rows are grouped, and the groups get the texts back. A text that nobody had seen ends the statement with
`NewText`, and whoever runs it asks again without numbers.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sightline.search.planner import values as v
from sightline.search.planner.relation import Aggregate, Filter, Node, Project, Scan
from sightline.search.planner.rules import bottom_up, conjunction
from sightline.search.planner.sources import indexes_chosen, is_dictionary
from sightline.search.planner.values import Call, Column, Lambda, Literal, Type, Value
from sightline.store.engine_errors import NEW_TEXT
from sightline.store.few_texts import TextsOf

KnownTexts = Callable[[TextsOf], tuple[str, ...] | None]
"""The texts of a column that were seen; None where they are many, or nobody knows."""
_NUMBER = "UInt8"
"""Tells apart `few_texts.MAX_TEXTS` texts, one that fills, none, and any other."""


def with_numbers(node: Node, known: KnownTexts) -> tuple[Node, list[TextsOf]]:
    """The tree with texts as numbers while they are grouped, and the columns whose texts it relies on."""
    relied_on: list[TextsOf] = []

    def numbered(node: Node) -> Node:
        return _numbered(node, known, relied_on) if isinstance(node, Aggregate) else node

    return bottom_up(node, numbered), relied_on


@dataclass(frozen=True)
class _Numbers:
    """The numbers of one field's texts: 1, 2, … in the order of `texts`, then one for an absent text, then one for any other."""

    asked: TextsOf
    column: Column
    texts: tuple[str, ...]
    filled: str | None = None
    """The text that stands for an absent one."""

    @property
    def absent(self) -> int:
        return len(self.texts) + 1 if self.filled is None else self.texts.index(self.filled) + 1

    @property
    def other(self) -> int:
        return len(self.texts) + 2

    @property
    def _listed(self) -> Value:
        return v.call("array", *map(v.text, self.texts), Literal(Type.TEXT, None), type=Type.MULTI)

    def of_row(self) -> Value:
        """The number of a row's text."""
        every = range(1, len(self.texts) + 1)
        numbers = v.call("array", *map(v.integer, (*every, self.absent)), type=Type.MULTI)
        numbers = v.call("CAST", numbers, v.text(f"Array({_NUMBER})"), type=Type.MULTI)
        other = v.call(f"to{_NUMBER}", v.integer(self.other), type=Type.INT)
        found = v.call("transform", self.column, self._listed, numbers, other, type=Type.INT)
        # As a plain number, not as a dictionary of numbers.
        return v.call("CAST", found, v.text(_NUMBER), type=Type.INT)

    def text_of(self, number: Value) -> Value:
        """The text that a number stands for."""
        return v.call("arrayElement", self._listed, number, type=Type.TEXT)

    def is_new(self, number: Value) -> Value:
        """Whether a number stands for a text that was not known."""
        return v.call("equals", number, v.integer(self.other), type=Type.BOOL)


def _numbered(node: Aggregate, known: KnownTexts, relied_on: list[TextsOf]) -> Node:
    scan, conditions = node.input, []
    while isinstance(scan, Filter):
        conditions += conjunction(scan.condition)
        scan = scan.input
    if not isinstance(scan, Scan):
        return node
    indexes = next((found for found in map(indexes_chosen, conditions) if found is not None), None)
    if indexes is None:
        return node
    of = _Reader(scan, indexes, known)
    keys = {id: of.numbers(value) for id, value in node.keys} if _writes_texts_out(node) else {}
    if any(keys[id] is None for id, value in node.keys if id in keys and value.type is Type.TEXT):
        # One long text among the keys, and the engine writes all of them out.
        keys = {}
    aggregates = tuple(
        (id, v.map_aggregates(value, lambda call: _set_of_numbers(call, of))) for id, value in node.aggregates
    )
    numbered = {id: numbers for id, numbers in keys.items() if numbers is not None}
    if not numbered:
        if aggregates == node.aggregates:
            return node
        relied_on.extend(of.asked)
        return dataclasses.replace(node, aggregates=aggregates)
    relied_on.extend(of.asked)
    stand_ins = {id: Column(Type.INT, f"{id}:number") for id in numbered}
    grouped = Aggregate(
        node.input,
        tuple((stand_ins[id].id, numbered[id].of_row()) if id in numbered else (id, value) for id, value in node.keys),
        aggregates,
    )
    known_only = _unless(numbers.is_new(stand_ins[id]) for id, numbers in numbered.items())
    columns = [
        (id, numbered[id].text_of(stand_ins[id]) if id in numbered else Column(value.type, id)) for id, value in node.keys
    ]
    columns += [(id, Column(value.type, id)) for id, value in node.aggregates]
    return Project(Filter(grouped, known_only), tuple(columns))


def _writes_texts_out(node: Aggregate) -> bool:
    """Whether the engine groups by texts that it writes out for each row: those of several keys."""
    return len(node.keys) > 1 and any(value.type is Type.TEXT for _, value in node.keys)


def _unless(conditions: Iterable[Value]) -> Value:
    """A condition that is true, and ends the statement where one of these is."""
    failed = v.call("throwIf", v.either(list(conditions)), v.text(NEW_TEXT), type=Type.INT)
    # The engine would ask each row for a condition on keys alone; what counts rows it leaves above the groups.
    return v.call("greaterOrEquals", v.call("rowNumberInAllBlocks", type=Type.INT), failed, type=Type.BOOL)


class _Reader:
    """Finds the fields of one scan whose texts are known."""

    def __init__(self, scan: Scan, indexes: tuple[str, ...], known: KnownTexts) -> None:
        self._scan = scan
        self._indexes = indexes
        self._known = known
        self.asked: list[TextsOf] = []
        """The columns whose texts were found."""

    def numbers(self, value: Value) -> _Numbers | None:
        """The numbers of a value that is a dictionary column, or one with a text for what is absent; None for any other."""
        value, filled = _filled(value)
        if not isinstance(value, Column) or value.type is not Type.TEXT or not is_dictionary(value):
            return None
        asked = TextsOf(self._scan.table, self._indexes, self._scan.provides[value.id])
        texts = self._known(asked)
        if texts is None:
            return None
        self.asked.append(asked)
        if filled is not None and filled not in texts:
            texts = (*texts, filled)
        return _Numbers(asked, value, texts, filled)


def _filled(value: Value) -> tuple[Value, str | None]:
    """A value apart from the constant text that stands for it where it is absent."""
    if isinstance(value, Call) and value.function in ("if", "coalesce"):
        *conditions, given, otherwise = value.arguments
        asks_presence = conditions == ([v.is_true(v.is_present(given))] if value.function == "if" else [])
        if asks_presence and isinstance(otherwise, Literal) and isinstance(otherwise.value, str):
            return given, otherwise.value
    return value, None


def _set_of_numbers(call: Call, of: _Reader) -> Value:
    """An aggregate of the distinct texts of a group, made of their numbers; any other as it is."""
    if call.function != "groupUniqArray" or call.parameters or len(call.arguments) != 1:
        return call
    numbers = of.numbers(call.arguments[0])
    if numbers is None:
        return call
    number = Column(Type.INT, "number")
    present = v.call("notEquals", number, v.integer(numbers.absent), type=Type.BOOL)
    found = v.agg("groupUniqArray", numbers.of_row(), type=Type.MULTI)
    if numbers.filled is None:
        found = v.call("arrayFilter", Lambda(Type.BOOL, ("number",), present), found, type=Type.MULTI)
    failed = v.call("throwIf", numbers.is_new(number), v.text(NEW_TEXT), type=Type.INT)
    place = v.call("plus", number, failed, type=Type.INT)
    text = v.call("assumeNotNull", numbers.text_of(place), type=Type.TEXT)
    return v.call("arrayMap", Lambda(Type.TEXT, ("number",), text), found, type=Type.MULTI)
