"""Writes SQL for a relational tree. Every decision was made before; nothing here looks at SPL.

Constants are quoted by `quote_text`, identifiers by `quote_identifier`, and function names come from the planner's own
code, so that no text a person typed reaches the engine unquoted.
"""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TypeGuard

from sightline.errors import SearchError
from sightline.search.planner import values as v
from sightline.search.planner.relation import (
    Aggregate,
    Filter,
    Join,
    Node,
    Numbers,
    OrderKey,
    Project,
    Rows,
    Scan,
    Sort,
    Union,
    Unnest,
    Window,
    nodes_of,
    number_of,
)
from sightline.search.planner.values import Call, Column, Deferred, Lambda, Literal, Over, Type, Value

_NULL_TYPES = {
    Type.INT: "Nullable(Int64)",
    Type.FLOAT: "Nullable(Float64)",
    Type.TEXT: "Nullable(String)",
    Type.BOOL: "Nullable(Bool)",
    Type.NULL: "Nullable(String)",
}

_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\0": "\\0", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\b": "\\b"})


def quote_text(value: str) -> str:
    """A string constant of the engine."""
    return "'" + value.translate(_ESCAPES) + "'"


def quote_identifier(name: str) -> str:
    """An identifier of the engine."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


_JSON_READERS = frozenset(("isValidJSON", "JSONType", "JSONExtractRaw", "JSONExtractString", "JSONHas", "JSONLength"))
"""Functions that refuse a text which may be absent and is kept as a dictionary of few values."""


def _may_be_dictionary(value: Value, environment: Mapping[str, str]) -> bool:
    if isinstance(value, Call):
        return value.function not in ("CAST", "ifNull", "concat", "toString", "arrayElement")
    if not isinstance(value, Column) or value.type is not Type.TEXT:
        return False
    # The items of an array are texts as they are.
    while isinstance(environment, ChainMap):
        if value.id in environment.maps[0]:
            return False
        environment = environment.maps[1]
    return True


@dataclass
class _Select:
    """A SELECT under construction. `environment` gives the text of each column that its parts may use."""

    source: str
    environment: Mapping[str, str]
    where: list[str] = field(default_factory=list)
    columns: dict[str, str] | None = None
    group_by: list[str] | None = None
    order_by: list[str] = field(default_factory=list)
    limit: int | None = None
    limit_by: list[str] = field(default_factory=list)

    @property
    def open(self) -> bool:
        """Whether conditions and columns can still be added without a subquery."""
        return self.columns is None

    def render(self) -> str:
        assert self.columns is not None
        listed = ", ".join(
            text if text == quote_identifier(id) else f"{text} AS {quote_identifier(id)}"
            for id, text in self.columns.items()
        )
        parts = [f"SELECT {listed or '1'}", f"FROM {self.source}"]
        if self.where:
            parts.append("WHERE " + " AND ".join(self.where))
        if self.group_by:
            parts.append("GROUP BY " + ", ".join(self.group_by))
        if self.order_by:
            parts.append("ORDER BY " + ", ".join(self.order_by))
        if self.limit_by and self.limit is not None:
            parts.append(f"LIMIT {self.limit} BY " + ", ".join(self.limit_by))
        elif self.limit is not None:
            parts.append(f"LIMIT {self.limit}")
        return "\n".join(parts)


MAX_NODES = 5_000
"""Nodes of one statement. The largest of 13,000 published searches has under 2,000; the engine takes a second for so many."""


class Writer:
    """Renders trees. `table` gives the text that reads rows held in memory under a key."""

    def __init__(self, table: Mapping[str, str] | None = None) -> None:
        self._table = table or {}
        self._nodes = 0

    def query(self, node: Node, columns: Iterable[tuple[str, Value]], order: Iterable[OrderKey] = ()) -> str:
        """A whole statement giving these columns, in this order."""
        columns, order = tuple(columns), tuple(order)
        limit = None
        if _gives_its_head(node, columns, order):
            node, order, limit = node.input, node.order, node.limit
        needed = {c.id for _, value in columns for c in value.columns} | {c.id for k, _ in order for c in k.columns}
        select = self._open(self._node(node, needed))
        environment = select.environment
        select.columns = {id: self.value(value, environment) for id, value in columns}
        select.order_by = [self._order_key(key, environment) for key in order]
        select.limit = limit
        return select.render()

    # -- nodes

    def _node(self, node: Node, needed: set[str]) -> _Select:
        self._nodes += 1
        if self._nodes > MAX_NODES:
            raise SearchError(
                f"the search becomes a statement of more than {MAX_NODES:,} parts",
                hint="keep what the first half finds in a lookup or an index, and go on from there",
            )
        method = getattr(self, "_" + type(node).__name__.lower())
        return method(node, needed)

    def _open(self, select: _Select) -> _Select:
        """The select itself while it is open, else one that reads from it."""
        if select.open:
            return select
        assert select.columns is not None
        body = select.render().replace("\n", "\n  ")
        return _Select(f"(\n  {body}\n)", {id: quote_identifier(id) for id in select.columns})

    def _scan(self, node: Scan, needed: set[str]) -> _Select:
        return _Select(node.table, node.provides)

    def _rows(self, node: Rows, needed: set[str]) -> _Select:
        return _Select(self._table.get(node.key, node.key), {id: quote_identifier(id) for id in node.columns})

    def _numbers(self, node: Numbers, needed: set[str]) -> _Select:
        return _Select(f"numbers({node.count})", {"number": "number"})

    def _filter(self, node: Filter, needed: set[str]) -> _Select:
        select = self._open(self._node(node.input, needed | {c.id for c in node.condition.columns}))
        select.where.append(self.value(node.condition, select.environment))
        return select

    def _project(self, node: Project, needed: set[str]) -> _Select:
        # Where only the number of rows counts, none of the columns is computed.
        columns = [(id, value) for id, value in node.columns if id in needed] or [("one", v.integer(1))]
        select = self._open(self._node(node.input, {c.id for _, value in columns for c in value.columns}))
        select.columns = {id: self.value(value, select.environment) for id, value in columns}
        return select

    def _aggregate(self, node: Aggregate, needed: set[str]) -> _Select:
        aggregates = [(id, value) for id, value in node.aggregates if id in needed]
        if not aggregates and not node.keys:
            aggregates = [("rows", v.call("count", type=Type.INT))]
        used = {c.id for _, value in (*node.keys, *aggregates) for c in value.columns}
        select = self._open(self._node(node.input, used))
        select.columns = {id: self.value(value, select.environment) for id, value in (*node.keys, *aggregates)}
        select.group_by = [self.value(value, select.environment) for _, value in node.keys]
        return select

    def _window(self, node: Window, needed: set[str]) -> _Select:
        made = {id for id, _ in node.columns}
        columns = [(id, over) for id, over in node.columns if id in needed]
        passed = sorted(needed - made)
        used = set(passed) | {c.id for _, over in columns for c in over.columns}
        select = self._open(self._node(node.input, used))
        select.columns = {id: select.environment[id] for id in passed}
        select.columns.update({id: self.value(over, select.environment) for id, over in columns})
        if not select.columns:
            select.columns = {"one": "1"}
        return select

    def _unnest(self, node: Unnest, needed: set[str]) -> _Select:
        passed = sorted(needed - {node.id, node.place_id})
        select = self._open(self._node(node.input, set(passed) | {c.id for c in node.array.columns}))
        select.columns = {id: select.environment[id] for id in passed}
        array = self.value(node.array, select.environment)
        if node.place_id not in needed:
            select.columns[node.id] = f"arrayJoin({array})"
            return select
        # A name of its own: the engine would take the element's alias for the pair.
        pair = f"{node.id}_pair"
        select.columns[pair] = f"arrayJoin(arrayZip({array}, arrayEnumerate({array})))"
        outer = self._open(select)
        outer.columns = {id: outer.environment[id] for id in passed}
        for id, position in ((node.id, 1), (node.place_id, 2)):
            outer.columns[id] = f"tupleElement({quote_identifier(pair)}, {position})"
        return outer

    def _sort(self, node: Sort, needed: set[str]) -> _Select:
        used = {c.id for key, _ in node.order for c in key.columns} | {c.id for key in node.limit_by for c in key.columns}
        below = node.input
        if isinstance(below, Join) and _drops_out(below, needed | used) and _same_head(node, below.left):
            # The first rows were chosen before a join that turns out to be of no use.
            return self._node(below.left, needed)
        select = self._open(self._node(below, needed | used))
        select.columns = {id: select.environment[id] for id in sorted(needed)} or {"one": "1"}
        select.order_by = [self._order_key(key, select.environment) for key in node.order]
        select.limit = node.limit
        select.limit_by = [self.value(key, select.environment) for key in node.limit_by]
        return select

    def _union(self, node: Union, needed: set[str]) -> _Select:
        wanted = sorted(needed) or [node.branches[0].columns[0][0]]  # type: ignore[attr-defined]
        texts = []
        for branch in node.branches:
            select = self._open(self._node(branch, set(wanted)))
            select.columns = {id: select.environment[id] for id in wanted}
            texts.append(select.render().replace("\n", "\n  "))
        return _Select("(\n  " + "\n  UNION ALL\n  ".join(texts) + "\n)", {id: quote_identifier(id) for id in wanted})

    def _join(self, node: Join, needed: set[str]) -> _Select:
        if _drops_out(node, needed):
            return self._node(node.left, needed)
        computed = {id: value for id, value in node.computed if id in needed}
        if computed and needed & provided_columns(node.right) <= computed.keys():
            used = {c.id for value in computed.values() for c in value.columns}
            select = self._open(self._node(node.left, (needed - computed.keys()) | used))
            texts = {id: self.value(value, select.environment) for id, value in computed.items()}
            select.environment = {**select.environment, **texts}
            return select
        sides = []
        for input, position in ((node.left, 0), (node.right, 1)):
            keys = [pair[position] for pair in node.on]
            available = provided_columns(input)
            passed = sorted(id for id in needed if id in available)
            select = self._open(self._node(input, set(passed) | {c.id for key in keys for c in key.columns}))
            columns = {id: select.environment[id] for id in passed}
            columns.update({f"key{position}_{k}": self._join_key(key, select.environment) for k, key in enumerate(keys)})
            select.columns = columns
            sides.append((select.render().replace("\n", "\n  "), passed))
        # Qualified, because the engine would take a key of a further join around this one, which has the same name, for it.
        on = " AND ".join(f"l.`key0_{k}` = r.`key1_{k}`" for k in range(len(node.on)))
        word = f"{node.kind.upper()} JOIN"
        source = f"(\n  {sides[0][0]}\n) AS l\n{word} (\n  {sides[1][0]}\n) AS r ON {on}"
        return _Select(source, {id: quote_identifier(id) for _, passed in sides for id in passed})

    # -- values

    def _join_key(self, key: Value, environment: Mapping[str, str]) -> str:
        # The engine folds a constant into the condition, also one that is materialized, finds no equality there and gives up.
        text = self.value(key, environment)
        return text if key.columns else f"arrayJoin([{text}])"

    def _order_key(self, key: OrderKey, environment: Mapping[str, str]) -> str:
        value, descending = key
        if value.type is Type.TIME:
            # The stored column is never NULL; without NULLS LAST the engine can read it in its stored order.
            return self.value(value, environment) + (" DESC" if descending else " ASC")
        # Absent values come last either way, unless a key of their own says otherwise.
        return self.value(value, environment) + (" DESC NULLS LAST" if descending else " ASC NULLS LAST")

    def value(self, value: Value, environment: Mapping[str, str]) -> str:
        """The engine's text for a value over the columns of an environment."""
        if isinstance(value, Column):
            return environment[value.id]
        if isinstance(value, Literal):
            return self.literal(value)
        if isinstance(value, Deferred):
            return self.value(value.value, environment)
        if isinstance(value, Lambda):
            inner = ChainMap({p: quote_identifier(p) for p in value.parameters}, environment)
            parameters = ", ".join(quote_identifier(p) for p in value.parameters)
            return f"({parameters}) -> {self.value(value.body, inner)}"
        if isinstance(value, Over):
            parts = []
            if value.partition:
                parts.append("PARTITION BY " + ", ".join(self.value(p, environment) for p in value.partition))
            if value.order:
                parts.append("ORDER BY " + ", ".join(self._order_key(k, environment) for k in value.order))
            if value.frame:
                parts.append(value.frame)
            return f"{self.value(value.call, environment)} OVER ({' '.join(parts)})"
        assert isinstance(value, Call)
        parameters = f"({', '.join(self.parameter(p) for p in value.parameters)})" if value.parameters else ""
        if value.function in ("in", "notIn") and isinstance(value.arguments[1], Literal):
            # A set: texts, or numbers, which no multivalue holds.
            listed = "(" + ", ".join(self.parameter(x) for x in value.arguments[1].value) + ",)"
            return f"{value.function}({self.value(value.arguments[0], environment)}, {listed})"
        if value.function == "toFloat64OrNull" and isinstance(value.arguments[0], Column):
            number = environment.get(number_of(value.arguments[0].id))
            if number is not None:
                return number
        arguments = [self.value(a, environment) for a in value.arguments]
        if value.function in _JSON_READERS and _may_be_dictionary(value.arguments[0], environment):
            arguments[0] = f"CAST({arguments[0]}, 'Nullable(String)')"
        return f"{value.function}{parameters}({', '.join(arguments)})"

    def literal(self, value: Literal) -> str:
        """The engine's text for a constant."""
        if value.type is Type.MULTI:
            if not value.value:
                return "CAST([], 'Array(String)')"
            return "[" + ", ".join(quote_text(x) for x in value.value) + "]"
        if value.value is None:
            return f"CAST(NULL, '{_NULL_TYPES[value.type]}')"
        return self.parameter(value.value)

    @staticmethod
    def parameter(value: object) -> str:
        if isinstance(value, bool):
            return "true" if value else "false"
        if isinstance(value, int):
            return str(value) if value >= 0 else f"({value})"
        if isinstance(value, float):
            shown = repr(value)
            if "e" not in shown and "." not in shown and "n" not in shown:
                shown += "."
            return shown if value >= 0 else f"({shown})"
        return quote_text(str(value))


def _gives_its_head(node: Node, columns: Sequence[tuple[str, Value]], order: Sequence[OrderKey]) -> TypeGuard[Sort]:
    """Whether a statement's columns can stand in the SELECT that takes the first rows, in the order in which they are wanted."""
    return (
        isinstance(node, Sort)
        and node.limit is not None
        and not node.limit_by
        and node.order == order
        # What is computed of columns may be costly, and in a SELECT around is computed for the first rows only. Groups are few.
        and (
            all(isinstance(value, Column) for _, value in columns)
            or any(isinstance(one, Aggregate) for one in nodes_of(node))
        )
        and not isinstance(node.input, Join)
    )


def _same_head(node: Sort, other: Node) -> bool:
    return isinstance(other, Sort) and (node.order, node.limit, node.limit_by) == (other.order, other.limit, other.limit_by)


def _drops_out(node: Join, needed: set[str]) -> bool:
    """Whether nothing of the right is wanted by a join that neither adds nor drops rows."""
    return node.kind == "left" and node.single and not needed & provided_columns(node.right)


def provided_columns(node: Node) -> frozenset[str]:
    """Identifiers of the columns that a node's rows have."""
    if isinstance(node, Scan):
        return frozenset(node.provides)
    if isinstance(node, Rows):
        return frozenset(node.columns)
    if isinstance(node, Numbers):
        return frozenset(("number",))
    if isinstance(node, Project):
        return frozenset(id for id, _ in node.columns)
    if isinstance(node, Aggregate):
        return frozenset(id for id, _ in (*node.keys, *node.aggregates))
    if isinstance(node, Union):
        return provided_columns(node.branches[0])
    below = frozenset(id for input in node.inputs for id in provided_columns(input))
    if isinstance(node, Window):
        return below | {id for id, _ in node.columns}
    if isinstance(node, Unnest):
        return below | {node.id, node.place_id} - {""}
    return below
