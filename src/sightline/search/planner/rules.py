"""Named rewrites of the relational tree. Each keeps the answer; a test runs every search with and without them.

The engine's own optimiser prunes columns and pushes simple conditions; only what it cannot know is done here.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable
from itertools import chain

from sightline.search.planner import values as v
from sightline.search.planner.relation import Aggregate, Filter, Join, Node, Project, Scan, Sort, nodes_of
from sightline.search.planner.sources import CLOCKS, RAW_INDEX, RAW_TIME, index_condition, indexes_chosen
from sightline.search.planner.sql import provided_columns
from sightline.search.planner.values import Call, Column, Literal, Type, Value
from sightline.store.sql_text import CHOOSES_PARTS

Rule = Callable[[Node], Node]


def merge_filters(node: Node) -> Node:
    """Filter(Filter(x, a), b) -> Filter(x, a and b): one condition, which the engine can order by cost.

    Unsafe when a condition can raise for rows that the other excludes; none of ours can, conversions give NULL.
    """
    if isinstance(node, Filter) and isinstance(node.input, Filter):
        below = node.input
        return Filter(below.input, v.both([below.condition, node.condition]))
    return node


def drop_null_guards(node: Node) -> Node:
    """Filter(x, ifNull(a, false) and b) -> Filter(x, a and b): a filter takes NULL for false by itself.

    Unsafe anywhere but in a conjunction: `not ifNull(a, false)` keeps the rows for which a is NULL, `not a` loses them.
    """
    if not isinstance(node, Filter):
        return node
    conditions = conjunction(node.condition)
    bare = [_unguarded(c) for c in conditions]
    return Filter(node.input, v.both(bare)) if bare != conditions else node


def _unguarded(condition: Value) -> Value:
    if isinstance(condition, Call) and condition.function == "ifNull" and condition.arguments[1] == v.FALSE:
        return condition.arguments[0]
    return condition


def conjunction(condition: Value) -> list[Value]:
    """The conditions that a nested AND joins."""
    if isinstance(condition, Call) and condition.function == "and":
        return [c for argument in condition.arguments for c in conjunction(argument)]
    return [condition]


_NEVER_ABSENT = frozenset(("_time:float", "_indextime:float", "index:text", "_raw:text"))
"""Columns of stored rows that every row has a value of."""


def drop_certain_presence(node: Node) -> Node:
    """Filter(Scan, isNotNull(_time) and a) -> Filter(Scan, a): every stored row has a time, an index and a text.

    Unsafe above anything but the scan: a join leaves these columns absent in rows without a match.
    """
    if not (isinstance(node, Filter) and isinstance(node.input, Scan)):
        return node
    conditions = conjunction(node.condition)
    kept = [c for c in conditions if not _is_certain(c)]
    if len(kept) == len(conditions):
        return node
    return Filter(node.input, v.both(kept)) if kept else node.input


def _is_certain(condition: Value) -> bool:
    if not (isinstance(condition, Call) and condition.function == "isNotNull"):
        return False
    (value,) = condition.arguments
    return isinstance(value, Column) and value.id in _NEVER_ABSENT


_LIGHT_AGGREGATES = ("count", "sum", "avg", "min", "max", "any")
"""Beginnings of the names of aggregates that cost little for a row, and keep little of it."""
_AS_STORED = re.compile(r"`[^`]+`|nullIf\(`[^`]+`, ''\)")
"""The text that reads a column of the table's own, as it is or with the empty text for none."""


def presence_after_grouping(node: Node) -> Node:
    """Aggregate(Filter(Scan, isNotNull(k) and a), k) -> Filter(Aggregate(Filter(Scan, a), k), isNotNull(k)).

    One group is dropped instead of all rows being asked, which costs as much as counting them by a dictionary does. A field has
    a column of its own only where many records have it, so that its group without a value is not most of the work; it would
    be for aggregates that keep what they read, and those stay as they are. Unsafe without keys: a count of nothing is a row.
    """
    if not (isinstance(node, Aggregate) and isinstance(node.input, Filter) and isinstance(node.input.input, Scan)):
        return node
    provides = node.input.input.provides
    stored = {
        value: Column(value.type, id)
        for id, value in node.keys
        if isinstance(value, Column) and _AS_STORED.fullmatch(provides.get(value.id, ""))
    }
    if not stored or not all(_is_light(value) for _, value in node.aggregates):
        return node
    conditions = conjunction(node.input.condition)
    asked = [c.arguments[0] for c in conditions if isinstance(c, Call) and c.function == "isNotNull"]
    moved = [value for value in asked if value in stored]
    if not moved:
        return node
    kept = [c for c in conditions if not (isinstance(c, Call) and c.function == "isNotNull" and c.arguments[0] in moved)]
    grouped = dataclasses.replace(node, input=Filter(node.input.input, v.both(kept)) if kept else node.input.input)
    # The engine would move a condition on keys alone back below the groups; what counts rows it leaves where it is.
    counted = v.call("rowNumberInAllBlocks", type=Type.INT)
    stays = v.call("greaterOrEquals", counted, v.integer(0), type=Type.BOOL)
    return Filter(grouped, v.both([*(v.call("isNotNull", stored[value], type=Type.BOOL) for value in moved), stays]))


def _is_light(value: Value) -> bool:
    """Whether every aggregate in a value is one of the light ones over one argument or none."""
    if isinstance(value, Call) and value.aggregate:
        return value.function.startswith(_LIGHT_AGGREGATES) and not value.function.startswith(("sumMap", "minMap", "maxMap"))
    return all(_is_light(child) for child in value.children)


def merge_heads(node: Node) -> Node:
    """Sort(Sort(x, o, 100), o, 10) -> Sort(x, o, 10): the smaller head of the same order.

    Unsafe for different orders (`head 100 | sort x | head 10`), and for limits per key.
    """
    if (
        isinstance(node, Sort)
        and isinstance(node.input, Sort)
        and node.order == node.input.order
        and node.limit is not None
        and node.input.limit is not None
        and not node.limit_by
        and not node.input.limit_by
    ):
        return Sort(node.input.input, node.order, min(node.limit, node.input.limit))
    return node


def filter_before_project(node: Node) -> Node:
    """Filter(Project(x, cols), c) -> Project(Filter(x, c'), cols): a condition on plain columns moves below their naming.

    Unsafe when the condition reads a computed column (`random()` would be drawn twice), so only columns that are passed
    through unchanged move.
    """
    if not (isinstance(node, Filter) and isinstance(node.input, Project)):
        return node
    plain = {id: value for id, value in node.input.columns if isinstance(value, Column)}
    if not all(column.id in plain for column in node.condition.columns):
        return node
    moved = substitute(node.condition, plain)
    return Project(Filter(node.input.input, moved), node.input.columns)


def filter_before_join(node: Node) -> Node:
    """Filter(Join(x, y), a and b) -> Filter(Join(Filter(x, a), y), b) where a reads only x and the join is a left one.

    Unsafe for conditions on y: a row of x without a match has no values of y, and is kept by the join. In an inner join the
    engine moves conditions by itself.
    """
    if not (isinstance(node, Filter) and isinstance(node.input, Join) and node.input.kind == "left"):
        return node
    join = node.input
    right = provided_columns(join.right)
    conditions = conjunction(node.condition)
    below = [c for c in conditions if not c.volatile and not any(column.id in right for column in c.columns)]
    if not below:
        return node
    above = [c for c in conditions if c not in below]
    moved = dataclasses.replace(join, left=Filter(join.left, v.both(below)))
    return Filter(moved, v.both(above)) if above else moved


def head_before_join(node: Node) -> Node:
    """Sort(Join(x, y), o, 50) -> Sort(Join(Sort(x, o, 50), y), o) where each row of x matches at most one of y.

    The first rows are chosen before anything is joined to them. Unsafe when the order reads y, for limits per key, and for
    a join that adds or drops rows.
    """
    if not (isinstance(node, Sort) and node.limit is not None and not node.limit_by and isinstance(node.input, Join)):
        return node
    join = node.input
    right = provided_columns(join.right)
    if join.kind != "left" or not join.single or isinstance(join.left, Sort):
        return node
    if any(column.id in right or value.volatile for value, _ in node.order for column in value.columns):
        return node
    return dataclasses.replace(node, input=dataclasses.replace(join, left=Sort(join.left, node.order, node.limit)))


def time_bounds_on_stored_column(node: Node) -> Node:
    """Filter(Scan, _time >= 1700000000) gains the same bound on the stored column, so that parts and granules are pruned.

    The original condition stays: the stored column is compared a microsecond wider, never narrower.
    """
    if not (isinstance(node, Filter) and isinstance(node.input, Scan)):
        return node
    if node.input.table not in CLOCKS:
        return node
    conditions = conjunction(node.condition)
    constructor, ticks = CLOCKS[node.input.table]
    added: list[Value] = []
    for condition in conditions:
        if not isinstance(condition, Call) or len(condition.arguments) != 2:
            continue
        left, right = condition.arguments
        if not (isinstance(left, Column) and left.id == "_time:float" and isinstance(right, Literal)):
            continue
        if not right.type.is_number or right.value is None or not 0 < right.value < 9_000_000_000:
            continue
        slack = {"greater": -1e-3, "greaterOrEquals": -1e-3, "less": 1e-3, "lessOrEquals": 1e-3}.get(condition.function)
        if slack is None:
            continue
        tick = v.call("toInt64", v.integer(round((right.value + slack) * ticks)), type=Type.INT)
        bound = v.call(constructor, tick, type=Type.INT)
        function = "greaterOrEquals" if slack < 0 else "lessOrEquals"
        new = v.call(function, Column(Type.TIME, RAW_TIME), bound, type=Type.BOOL)
        if new not in conditions:
            added.append(new)
    return Filter(node.input, v.both([*added, *conditions])) if added else node


RULES: tuple[Rule, ...] = (
    merge_filters,
    drop_null_guards,
    drop_certain_presence,
    presence_after_grouping,
    merge_heads,
    filter_before_project,
    filter_before_join,
    head_before_join,
    time_bounds_on_stored_column,
)
"""The rules in the order they are tried; the list is repeated until none changes anything."""


def rewrite(node: Node) -> Node:
    """The tree after all rules, bottom up."""
    return _rewritten(node, {})


def _rewritten(node: Node, known: dict[int, tuple[Node, Node]]) -> Node:
    """The tree after all rules. `known` has each node that was met, and each that came out, by identity, with what it became.

    A rule that changes a node has the trees below it rewritten again. Were those not known to be finished, every change
    would double the work of all below it, and a pipeline of forty stages took half a minute.
    """
    found = known.get(id(node))
    if found is not None:
        return found[1]
    first = node
    node = with_inputs(node, [_rewritten(input, known) for input in node.inputs])
    for _ in range(20):
        changed = node
        for rule in RULES:
            changed = rule(changed)
        if changed is node or changed == node:
            node = changed
            break
        node = with_inputs(changed, [_rewritten(input, known) for input in changed.inputs])
    # Both are kept beside what they became, so that no other node can get their identity meanwhile.
    known[id(first)] = (first, node)
    known[id(node)] = (node, node)
    return node


_KEPT_OF_PARTS = frozenset((RAW_INDEX, RAW_TIME, "index:text", "_time:float"))
"""Columns of which the engine knows what a part holds: statements over them alone read no row."""


def with_parts_chosen(node: Node, wanted: Iterable[Value]) -> Node:
    """Filter(Scan, index = x and a) -> Filter(Scan, parts where index = x and a), where more than index and time are read.

    A part holds rows of one index, so that whoever chooses parts has chosen rows; asking each row again takes as long as
    a condition on a number does. `wanted` are the values that the statement gives. Unsafe anywhere but in a conjunction on the
    scan, and for statements that do not choose parts: those that delete rows, and those that parts answer without being read.
    """
    values = chain(wanted, *(one.values for one in nodes_of(node)))
    read = {column.id for value in values for column in value.columns}
    stored = {id for one in nodes_of(node) if isinstance(one, Scan) for id in one.provides}
    return bottom_up(node, _choosing_its_parts) if (read & stored) - _KEPT_OF_PARTS else node


def _choosing_its_parts(node: Node) -> Node:
    if not (isinstance(node, Filter) and isinstance(node.input, Scan)):
        return node
    conditions = conjunction(node.condition)
    changed = [_choosing_parts(one) for one in conditions]
    return Filter(node.input, v.both(changed)) if changed != conditions else node


def _choosing_parts(condition: Value) -> Value:
    indexes = indexes_chosen(condition)
    if indexes is None or len(indexes) != 1:
        # For several the engine makes a set, which it makes for what is asked of rows alone: it would choose all parts.
        return condition
    return v.call(CHOOSES_PARTS, index_condition(list(indexes)), type=Type.BOOL)


def with_inputs(node: Node, inputs: list[Node]) -> Node:
    """The node over other inputs; itself where they are the same."""
    if not inputs or all(a is b for a, b in zip(inputs, node.inputs, strict=True)):
        return node
    if hasattr(node, "branches"):
        return dataclasses.replace(node, branches=tuple(inputs))
    if hasattr(node, "left"):
        return dataclasses.replace(node, left=inputs[0], right=inputs[1])
    return dataclasses.replace(node, input=inputs[0])


def bottom_up(node: Node, change: Callable[[Node], Node]) -> Node:
    """The tree with each node replaced by what `change` makes of it over its replaced inputs; one that is shared, once."""
    done: dict[int, tuple[Node, Node]] = {}

    def visit(node: Node) -> Node:
        found = done.get(id(node))
        if found is None:
            changed = change(with_inputs(node, [visit(input) for input in node.inputs]))
            # The node is kept beside what it became, so that no other can get its identity meanwhile.
            found = done[id(node)] = (node, changed)
        return found[1]

    return visit(node)


def substitute(value: Value, replacements: dict[str, Value]) -> Value:
    """The value with columns replaced by values over another relation."""
    if isinstance(value, Column):
        return replacements.get(value.id, value)
    if isinstance(value, Call):
        return dataclasses.replace(value, arguments=tuple(substitute(a, replacements) for a in value.arguments))
    if isinstance(value, v.Lambda):
        inner = {k: r for k, r in replacements.items() if k not in value.parameters}
        return dataclasses.replace(value, body=substitute(value.body, inner))
    if isinstance(value, v.Deferred):
        return substitute(value.value, replacements)
    return value
