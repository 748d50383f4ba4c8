"""Bounds of time that every stored row meets anyway.

Most searches reach back further than the data, or up to now. The engine would still read the time of every row to compare
it, which costs as much as counting by a field does. The parts' metadata tells the first and the last moment of an index, so
such a bound is left out. What was relied on is kept, because rows may come while a statement begins: whoever runs it asks
again afterwards whether the bounds still held.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sightline.search.planner import values as v
from sightline.search.planner.relation import Filter, Node, Scan
from sightline.search.planner.rules import bottom_up, conjunction
from sightline.search.planner.sources import CLOCKS, RAW_TIME, indexes_chosen
from sightline.search.planner.values import Call, Column, Literal, Value

Reach = tuple[float, float]
"""A moment that no row is before, and one that every row is before, in seconds since the epoch."""
ReachOf = Callable[[str, Sequence[str]], Reach | None]
"""The reach of the rows of some indexes in a table such as `sightline.events`; None where there are none, or nobody knows."""


@dataclass(frozen=True)
class Unbounded:
    """A bound that was left out: rows of these indexes were all from `earliest` on, and all before `latest`."""

    table: str
    indexes: tuple[str, ...]
    earliest: float = float("-inf")
    latest: float = float("inf")

    def holds(self, reach_of: ReachOf) -> bool:
        """Whether every row still meets it."""
        reach = reach_of(self.table, self.indexes)
        return reach is not None and self.earliest <= reach[0] and reach[1] <= self.latest


def without_idle_bounds(node: Node, reach_of: ReachOf) -> tuple[Node, list[Unbounded]]:
    """The tree without bounds that all rows of the named indexes meet, and what that relies on."""
    relied_on: list[Unbounded] = []

    def freed(node: Node) -> Node:
        if isinstance(node, Filter) and isinstance(node.input, Scan):
            return _freed(node, node.input, reach_of, relied_on)
        return node

    return bottom_up(node, freed), relied_on


def _freed(node: Filter, scan: Scan, reach_of: ReachOf, relied_on: list[Unbounded]) -> Node:
    conditions = conjunction(node.condition)
    indexes = next((found for found in map(indexes_chosen, conditions) if found is not None), None)
    if indexes is None or scan.table not in CLOCKS:
        return node
    bounds = [(condition, _bound(condition, scan.table, indexes)) for condition in conditions]
    if not any(bound for _, bound in bounds):
        return node
    reach = reach_of(scan.table, indexes)
    if reach is None:
        return node
    idle = [(condition, bound) for condition, bound in bounds if bound and bound.holds(lambda *_: reach)]
    if not idle:
        return node
    relied_on.extend(bound for _, bound in idle if bound)
    gone = [condition for condition, _ in idle]
    return dataclasses.replace(node, condition=v.both([c for c in conditions if not any(c is one for one in gone)]))


def _bound(condition: Value, table: str, indexes: tuple[str, ...]) -> Unbounded | None:
    """The bound of the stored time that a condition is."""
    if not isinstance(condition, Call) or len(condition.arguments) != 2:
        return None
    column, moment = condition.arguments
    if not (isinstance(column, Column) and column.id == RAW_TIME):
        return None
    while isinstance(moment, Call) and len(moment.arguments) == 1:
        (moment,) = moment.arguments
    if not isinstance(moment, Literal):
        return None
    seconds = moment.value / CLOCKS[table][1]
    if condition.function == "greaterOrEquals":
        return Unbounded(table, indexes, earliest=seconds)
    if condition.function in ("less", "lessOrEquals"):
        return Unbounded(table, indexes, latest=seconds)
    return None
