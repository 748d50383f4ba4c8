"""`delete`: events taken out of the store for good."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import pyarrow as pa

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Filter, Node, Relation, Scan
from sightline.search.planner.sql import Writer
from sightline.search.planner.values import Value
from sightline.search.registry import Command, command

TABLES = ("sightline.events", "sightline.spans")


@command("delete", kind="dataset")
@dataclass
class Delete(Command):
    """Removes the events that the search finds from the store. Only administrators may.

    Syntax: delete
    Example: index=web host=test-7 earliest=-1d | delete

    Nothing can bring them back. Only a search that chooses events can stand before it: search, where, regex, and commands
    that add fields; not one that takes the first of them, joins or aggregates. The answer tells, for all indexes and for
    each, how many events were removed.
    """

    def lower(self, relation: Relation, context: Context) -> Relation:
        if not context.is_administrator:
            raise SearchError(f'"{context.user}" may not delete events, only administrators may')
        scan, conditions = chosen_events(relation.node)
        if scan is None or relation.kind != "events":
            raise SearchError(
                "wants a search that chooses stored events, such as index=web host=test",
                hint="commands that take the first events, join, aggregate or make rows cannot stand before it",
            )
        if context.dry:
            return context.relation_of(_answer([]))
        condition = Writer().value(v.both(conditions), scan.provides) if conditions else "true"
        work = partial(_removed, scan.table, condition, context)
        return context.relation_of(context.python_step("delete", work, whole=True))


def chosen_events(node: Node) -> tuple[Scan | None, list[Value]]:
    """The table that is read and the conditions on its rows, where a tree does no more than that."""
    conditions: list[Value] = []
    while isinstance(node, Filter):
        conditions.append(node.condition)
        node = node.input
    if isinstance(node, Scan) and node.table in TABLES:
        return node, conditions
    return None, []


def _removed(table: str, condition: str, context: Context) -> pa.Table:
    counted = context.store.query(
        f"SELECT index, count() AS n FROM {table} WHERE {condition} GROUP BY index ORDER BY index", sid=context.sid
    ).to_pylist()
    if counted:
        context.store.delete_rows(table, condition)
    return _answer([(one["index"], one["n"]) for one in counted])


def _answer(counts: list[tuple[str, int]]) -> pa.Table:
    rows = [("__ALL__", sum(count for _, count in counts)), *counts]
    return pa.table(
        {
            "splunk_server": ["local"] * len(rows),
            "index": pa.array([index for index, _ in rows], pa.string()),
            "deleted": pa.array([count for _, count in rows], pa.int64()),
            "errors": pa.array([0] * len(rows), pa.int64()),
        }
    )
