"""The algebra that every command lowers itself onto, and the relation a command takes and gives.

Nodes are immutable and say what rows there are; a `Relation` says what fields those rows have (each a value over the node's
columns, computed only when something needs it), and in which order a person should see them. Renaming or dropping a field,
or adding a computed one, therefore adds no node: `stats` after `eval` is one query.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from sightline.search.planner import values as v
from sightline.search.planner.conventions import met
from sightline.search.planner.derived import derived_field
from sightline.search.planner.presentation import NOTHING_SAID, Presentation
from sightline.search.planner.values import Column, Over, Type, Value

SETTLE_SIZE = 64
"""Nodes of a field's value above which it is computed once and named, so that repeated use cannot explode."""

OrderKey = tuple[Value, bool]
"""A value and whether it descends."""


class Names:
    """Gives every computed column of one search an identifier of its own, so that no alias ever hides a column."""

    def __init__(self) -> None:
        self._next = 0

    def fresh(self, hint: str) -> str:
        """An identifier that no other column of this search has."""
        self._next += 1
        return f"{re.sub(r'[^A-Za-z0-9_]', '_', hint)[:40]}_{self._next}"


# ---- nodes -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Node:
    """Base of relational nodes."""

    @property
    def inputs(self) -> Sequence[Node]:
        """The nodes below."""
        return ()

    @property
    def values(self) -> Iterable[Value]:
        """What it computes over the columns of the nodes below."""
        return ()

    @cached_property
    def written(self) -> int:
        """How many nodes its statement has, in which one that two others share stands twice."""
        return 1 + sum(input.written for input in self.inputs)


def nodes_of(node: Node) -> Iterator[Node]:
    """The node and all below it, each once however many share it."""
    met, pending = {id(node)}, [node]
    while pending:
        one = pending.pop()
        yield one
        below = [input for input in one.inputs if id(input) not in met]
        met.update(map(id, below))
        pending += below


def distinct_nodes(node: Node) -> int:
    """How many nodes there are, those that are shared counted once."""
    return sum(1 for _ in nodes_of(node))


@dataclass(frozen=True)
class Scan(Node):
    """Rows of a table of the store. `provides` gives the engine's text for each column identifier."""

    table: str
    provides: Mapping[str, str] = field(compare=False, hash=False)


def number_of(id: str) -> str:
    """Identifier of a text column's values read as numbers, which a scan provides where some are stored as numbers."""
    return f"{id}:number"


@dataclass(frozen=True)
class Rows(Node):
    """Rows held in memory (what a Python step gave), by the key under which the run keeps them."""

    key: str
    columns: tuple[str, ...]


@dataclass(frozen=True)
class Numbers(Node):
    """Rows 0 … count-1 with one column, `number`."""

    count: int


@dataclass(frozen=True)
class Filter(Node):
    """The rows for which the condition is true."""

    input: Node
    condition: Value

    @property
    def inputs(self) -> Sequence[Node]:
        return (self.input,)

    @property
    def values(self) -> Iterable[Value]:
        return (self.condition,)


@dataclass(frozen=True)
class Project(Node):
    """The rows with exactly these columns."""

    input: Node
    columns: tuple[tuple[str, Value], ...]

    @property
    def inputs(self) -> Sequence[Node]:
        return (self.input,)

    @property
    def values(self) -> Iterable[Value]:
        return (value for _, value in self.columns)


@dataclass(frozen=True)
class Aggregate(Node):
    """A row for each distinct combination of the keys; without keys one row, also for no input."""

    input: Node
    keys: tuple[tuple[str, Value], ...]
    aggregates: tuple[tuple[str, Value], ...]

    @property
    def inputs(self) -> Sequence[Node]:
        return (self.input,)

    @property
    def values(self) -> Iterable[Value]:
        return (value for _, value in (*self.keys, *self.aggregates))


@dataclass(frozen=True)
class Window(Node):
    """The rows with window functions added."""

    input: Node
    columns: tuple[tuple[str, Over], ...]

    @property
    def inputs(self) -> Sequence[Node]:
        return (self.input,)

    @property
    def values(self) -> Iterable[Value]:
        return (over for _, over in self.columns)


@dataclass(frozen=True)
class Unnest(Node):
    """A row for each element of an array; none for an empty one. `place_id` names the element's place in it, from 1."""

    input: Node
    id: str
    array: Value
    place_id: str = ""

    @property
    def inputs(self) -> Sequence[Node]:
        return (self.input,)

    @property
    def values(self) -> Iterable[Value]:
        return (self.array,)


@dataclass(frozen=True)
class Sort(Node):
    """The first `limit` rows after `offset` in this order; `limit_by` makes that so many per distinct key."""

    input: Node
    order: tuple[OrderKey, ...]
    limit: int | None = None
    limit_by: tuple[Value, ...] = ()

    @property
    def inputs(self) -> Sequence[Node]:
        return (self.input,)

    @property
    def values(self) -> Iterable[Value]:
        return (*(value for value, _ in self.order), *self.limit_by)


@dataclass(frozen=True)
class Union(Node):
    """All rows of all branches; every branch gives the same columns with the same types."""

    branches: tuple[Node, ...]

    @property
    def inputs(self) -> Sequence[Node]:
        return self.branches


@dataclass(frozen=True)
class Join(Node):
    """Rows of the left with matching rows of the right; `kind` is inner, left or full.

    What stands for a missing side is the engine's zero of each column's type, so columns must be nullable or arrays.
    `single` promises that no row of the left matches several of the right: a left join then neither adds nor drops rows. Columns of
    the right that are in `computed` are as well given by a value over the left, which may be cheaper.
    """

    left: Node
    right: Node
    on: tuple[tuple[Value, Value], ...]
    kind: str = "left"
    single: bool = False
    computed: tuple[tuple[str, Value], ...] = ()

    @property
    def inputs(self) -> Sequence[Node]:
        return (self.left, self.right)

    @property
    def values(self) -> Iterable[Value]:
        return (*(value for pair in self.on for value in pair), *(value for _, value in self.computed))


# ---- relations -------------------------------------------------------------------------------------------------------

INTERNAL_PREFIX = "_"
"""Fields that start with this are not shown or transformed unless named."""


@dataclass(frozen=True)
class Relation:
    """Rows with named fields in a shown order.

    `kind` is events until a transforming command makes it a table. Operations return a new relation.
    """

    node: Node
    fields: dict[str, Value]
    order: tuple[OrderKey, ...]
    names: Names
    kind: str = "table"
    unlisted: Callable[[str, Mapping[str, Value]], Value] | None = dataclasses.field(default=None, compare=False)
    """Gives the values of fields that events may have without being listed, for extractions that name fields by the text."""

    presentation: Presentation = NOTHING_SAID
    """How the rows are to be shown."""

    made: frozenset[str] = frozenset()
    """Fields that the search itself made: what they are not there for, no other name stands in for."""

    # -- fields

    def field(self, name: str) -> Value:
        """A field's value; NULL where no row has such a field.

        What events hold under another of OpenTelemetry's names counts where they lack this one, and is not listed.
        """
        if self.kind != "events":
            return self.fields.get(name, v.NULL)
        found = met(name, self.fields) if name not in self.made else self.fields.get(name, v.NULL)
        if name in self.fields or found.type is not Type.NULL:
            return found
        found = derived_field(name, self.fields)
        if found.type is Type.NULL and self.unlisted is not None:
            return self.unlisted(name, self.fields)
        return found

    def as_sent(self) -> Relation:
        """The same relation in which a listed field holds what was sent under its own name alone."""
        return dataclasses.replace(self, made=self.made | self.fields.keys())

    def matching(self, pattern: str, *, internal: bool = False) -> list[str]:
        """Field names that a pattern with `*` matches; fields with a leading underscore only when asked for."""
        if "*" not in pattern:
            return [pattern] if pattern in self.fields or self.field(pattern).type is not Type.NULL else []
        regex = wildcard_regex(pattern)
        return [
            name
            for name in self.fields
            if regex.fullmatch(name)
            and not name.startswith("\0")
            and (internal or not name.startswith("_") or pattern.startswith("_"))
        ]

    def with_field(self, name: str, value: Value) -> Relation:
        """The same rows with one more, or another, field. A NULL constant removes it."""
        fields = dict(self.fields)
        made = self.made | {name}
        if isinstance(value, v.Literal) and value.value is None:
            fields.pop(name, None)
            return dataclasses.replace(self, fields=fields, made=made)
        fields[name] = value
        result = dataclasses.replace(self, fields=fields, made=made)
        return result.settled() if value.size > SETTLE_SIZE or value.volatile else result

    def with_all(self, values: Mapping[str, Value]) -> Relation:
        """The same rows with several more, or other, fields, each computed from these rows and from none of the others.

        A NULL constant removes a field.
        """
        fields = {**self.fields, **values}
        gone = [name for name, x in values.items() if isinstance(x, v.Literal) and x.value is None]
        relation = self.with_fields({name: x for name, x in fields.items() if name not in gone})
        relation = dataclasses.replace(relation, made=self.made | values.keys())
        # One by one would not do: settling the first moves the columns that the next one reads.
        return relation.settled() if any(x.size > SETTLE_SIZE or x.volatile for x in values.values()) else relation

    def with_fields(self, fields: Mapping[str, Value]) -> Relation:
        """The same rows with exactly these fields."""
        return dataclasses.replace(self, fields=dict(fields))

    def ordered(self, keys: Iterable[OrderKey]) -> Relation:
        """The same rows shown in another order, ties keeping the former one."""
        keys = tuple(keys)
        return dataclasses.replace(self, order=keys + tuple(k for k in self.order if k not in keys))

    def as_table(self) -> Relation:
        """The same relation, shown as a table instead of as events."""
        return dataclasses.replace(self, kind="table")

    # -- rows

    def filtered(self, condition: Value) -> Relation:
        """The rows for which the condition is true."""
        if condition == v.TRUE:
            return self
        return dataclasses.replace(self, node=Filter(self.node, condition))

    def settled(self) -> Relation:
        """The same relation with every field and order key computed into a column of its own."""
        columns: list[tuple[str, Value]] = []
        made: dict[Value, Column] = {}

        def column(value: Value, hint: str) -> Value:
            if isinstance(value, v.Literal):
                return value
            if value not in made:
                made[value] = Column(value.type, self.names.fresh(hint))
                columns.append((made[value].id, value))
            return made[value]

        fields = {name: column(value, name) for name, value in self.fields.items()}
        order = tuple((column(value, "order"), descending) for value, descending in self.order)
        if not columns:
            columns.append((self.names.fresh("row"), v.integer(0)))
        return dataclasses.replace(self, node=Project(self.node, tuple(columns)), fields=fields, order=order)

    def aggregated(
        self, keys: Sequence[tuple[str, Value]], aggregates: Sequence[tuple[str, Value]], *, kind: str = "table"
    ) -> Relation:
        """A row per distinct keys, in natural order of the keys. Rows lacking a key must be filtered out before."""
        named_keys = [(name, self.names.fresh(name), value) for name, value in keys]
        named = [(name, self.names.fresh(name), value) for name, value in aggregates]
        node = Aggregate(
            self.node,
            tuple((id, value) for _, id, value in named_keys),
            tuple((id, value) for _, id, value in named),
        )
        fields: dict[str, Value] = {name: Column(value.type, id) for name, id, value in named_keys}
        order: list[OrderKey] = []
        for key in fields.values():
            order.extend(v.sort_keys(key, False))
        for name, id, value in named:
            fields[name] = Column(value.type, id)
        return Relation(node, fields, tuple(order), self.names, kind)

    def windowed(self, columns: Sequence[tuple[str, Over]]) -> tuple[Relation, list[Column]]:
        """The same rows with window functions computed; gives the relation and the new columns, not yet fields."""
        named = [(self.names.fresh(hint), over) for hint, over in columns]
        node = Window(self.node, tuple(named))
        return dataclasses.replace(self, node=node), [Column(over.type, id) for id, over in named]

    def numbered(self) -> tuple[Relation, Column]:
        """The same rows with their position (from 1) in the shown order."""
        over = Over(Type.INT, v.call("row_number", type=Type.INT), (), self.order)
        relation, (column,) = self.windowed([("position", over)])
        return dataclasses.replace(relation, order=((column, False),)), column

    def position_key(self) -> tuple[Relation, Value]:
        """A relation and a single number that ascends in the shown order, as cheaply as the order allows."""
        if len(self.order) == 1 and self.order[0][0].type.is_number:
            value, descending = self.order[0]
            return self, v.call("negate", value, type=value.type) if descending else value
        if len(self.order) == 1 and self.order[0][0] == Column(Type.TIME, "_time:stored"):
            time = Column(Type.FLOAT, "_time:float")
            return self, v.call("negate", time, type=Type.FLOAT) if self.order[0][1] else time
        if not self.order:
            return self, v.integer(0)
        return self.numbered()

    def head(self, count: int) -> Relation:
        """The first rows in the shown order."""
        return dataclasses.replace(self, node=Sort(self.node, self.order, count))

    def unnested(self, array: Value, hint: str, type: Type = Type.TEXT) -> tuple[Relation, Column]:
        """A row per element of an array; gives the relation and the element's column, not yet a field."""
        id = self.names.fresh(hint)
        return dataclasses.replace(self, node=Unnest(self.node, id, array)), Column(type, id)

    def unnested_in_place(self, array: Value, hint: str) -> tuple[Relation, Column, Column]:
        """A row per element of an array; gives the relation, the element's column and the column of its place, from 1.

        Places cost nothing where nobody asks for them.
        """
        id, place_id = self.names.fresh(hint), self.names.fresh("place")
        relation = dataclasses.replace(self, node=Unnest(self.node, id, array, place_id))
        return relation, Column(Type.TEXT, id), Column(Type.INT, place_id)

    def joined(self, other: Relation, on: Sequence[tuple[Value, Value]], kind: str = "left") -> tuple[Relation, Relation]:
        """The rows of this relation with those of another that have equal keys (this one's and the other's in each pair).

        Gives this relation and the other one over the rows of both: fields of the other are absent where nothing matched,
        with a `full` join those of this one too. An absent key matches nothing; without keys every row matches every row.
        The order is this one's, then the other's.
        """
        keys = on or [(v.integer(0), v.integer(0))]
        if kind == "full":
            return self._fully_joined(other, keys)
        names = [f"\0key{position}" for position in range(len(keys))]
        # A scan gives both sides of a join of a table with itself the same identifiers, so the other side gets its own.
        fields = {name: _absentable(value) for name, value in other.fields.items()}
        fields.update(zip(names, (_column_of(key) for _, key in keys), strict=True))
        right = dataclasses.replace(other, fields=fields).settled()
        pairs = tuple((_column_of(key), right.fields[name]) for (key, _), name in zip(keys, names, strict=True))
        node = Join(self.node, right.node, pairs, kind)
        left = dataclasses.replace(self, node=node, order=self.order + right.order)
        kept = {name: value for name, value in right.fields.items() if name not in names}
        return left, dataclasses.replace(right, node=node, fields=kept)

    def _fully_joined(self, other: Relation, on: Sequence[tuple[Value, Value]]) -> tuple[Relation, Relation]:
        names = [f"\0left{position}" for position in range(len(on))]
        fields = {name: _absentable(value) for name, value in self.fields.items()}
        fields.update(zip(names, (_absentable(key) for key, _ in on), strict=True))
        left = dataclasses.replace(self, fields=fields).settled()
        pairs = [(left.fields[name], theirs) for name, (_, theirs) in zip(names, on, strict=True)]
        joined, found = left.joined(other, pairs, "left")
        node = dataclasses.replace(joined.node, kind="full")
        kept = {name: value for name, value in joined.fields.items() if name not in names}
        return dataclasses.replace(joined, node=node, fields=kept), dataclasses.replace(found, node=node)

    def union(self, others: Sequence[Relation]) -> Relation:
        """The rows of this relation, then those of the others, each in its own order."""
        branches = [self, *others]
        names: list[str] = []
        for branch in branches:
            names.extend(name for name in branch.fields if name not in names)
        made = frozenset[str]().union(*(branch.made for branch in branches))
        # A column of the union holds what its branches hold under this name.
        branches = [dataclasses.replace(branch, made=branch.made | frozenset(names)) for branch in branches]
        types = {name: v.common_type([b.field(name).type for b in branches]) for name in names}
        ids = {name: self.names.fresh(name) for name in names}
        part_id, position_id = self.names.fresh("part"), self.names.fresh("position")
        held = {name for name in names if types[name] is not Type.NULL}
        nodes = []
        for part, branch in enumerate(branches):
            numbered, position = branch.numbered() if branch.order else (branch, v.integer(0))
            columns = [(ids[name], _in_union(numbered.field(name), types[name])) for name in names if name in held]
            columns.append((part_id, v.integer(part)))
            columns.append((position_id, position))
            nodes.append(Project(numbered.node, tuple(columns)))
        fields: dict[str, Value] = {name: Column(types[name], ids[name]) for name in names if name in held}
        order = ((Column(Type.INT, part_id), False), (Column(Type.INT, position_id), False))
        kind = "events" if all(b.kind == "events" for b in branches) else "table"
        unlisted = next((b.unlisted for b in branches if b.unlisted is not None), None)
        return Relation(Union(tuple(nodes)), fields, order, self.names, kind, unlisted, made=made)


def _in_union(value: Value, type: Type) -> Value:
    """The value as a column of a union. Whole numbers are signed: the engine has no type that holds a signed column and an
    unsigned one, as which it sums and counts.
    """
    cast = v.cast(value, type)
    if type is not Type.INT or isinstance(cast, v.Literal):
        return cast
    return v.call("toInt64", cast, type=Type.INT)


def _column_of(value: Value) -> Value:
    """The value as one that becomes a column of its own, also a constant."""
    return v.call("materialize", value, type=value.type) if isinstance(value, v.Literal) else value


def _absentable(value: Value) -> Value:
    """The value in a form that a row without a match leaves absent instead of zero."""
    if value.type is Type.MULTI:
        return _column_of(value)
    return v.call("toNullable", value, type=value.type)


def is_second_name(name: str, names: Container[str]) -> bool:
    """Whether a field is a multivalue under its second name, `tags{}` beside `tags`: it is found by name, and not shown."""
    return name.endswith("{}") and name[:-2] in names


def wildcard_regex(pattern: str) -> re.Pattern[str]:
    """A pattern with `*` as a regular expression over the whole name; each star is a group."""
    return re.compile("".join("(.*)" if c == "*" else re.escape(c) for c in pattern), re.S)


def fill_stars(pattern: str, name: str, target: str) -> str:
    """The target with what the stars of the pattern match in the name in place of its own stars."""
    match = wildcard_regex(pattern).fullmatch(name)
    assert match is not None
    pieces = list(match.groups())
    return "".join(pieces.pop(0) if c == "*" else c for c in target)
