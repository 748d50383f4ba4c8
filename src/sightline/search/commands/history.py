"""`history`: the searches that a person ran."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.errors import Span
from sightline.search.commands.search import read_store
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import option
from sightline.search.syntax.tree import Both, Comparison

_COLUMNS = {
    "_time": "_time", "event_count": "event_count", "result_count": "result_count", "scan_count": "scanned_rows",
    "search": "search", "sid": "sid", "status": "state", "total_run_time": "run_time_s", "user": "user", "app": "app",
}  # fmt: skip
"""Columns and what they are called in the audit events."""


@command("history", kind="generating")
@dataclass
class History(Command):
    """Lists the searches that the person who asks has run, newest first.

    Syntax: history [events=<bool>]
    Example: | history | stats count BY search

    They are read from the audit events in `index=_internal` in the search's range. With `events=true` they are given as
    events.
    """

    events: bool = option(False, help="give events")

    def lower(self, relation: Relation, context: Context) -> Relation:
        place = context.stage_span or Span(0, 0)
        wanted = {"index": "_internal", "sourcetype": "sightline:audit", "action": "search", "user": context.user}
        conditions = tuple(Comparison(name, "=", value, place, True) for name, value in wanted.items())
        found = read_store(Both(conditions), context, place)
        if self.events:
            return found
        columns = {shown: found.field(stored) for shown, stored in _COLUMNS.items()}
        return found.with_fields(columns | {"is_realtime": v.integer(0), "splunk_server": v.text("local")}).as_table()
