"""`addinfo`: what is known of the search itself, as fields of every row."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.registry import Command, command


@command("addinfo")
@dataclass
class AddInfo(Command):
    """Adds the time range and the name of the search to every row.

    Syntax: addinfo
    Example: index=web | addinfo | eval since_start_s=_time-info_min_time

    `info_min_time` and `info_max_time` are the bounds of the search in seconds since 1970, those written in its text before
    those of the time range picker; without one it is 0 and `+Infinity`. `info_search_time` is when the search started,
    `info_sid` its id.
    """

    def lower(self, relation: Relation, context: Context) -> Relation:
        earliest, latest = context.time_range
        fields = {
            "info_min_time": v.number(earliest or 0),
            "info_max_time": v.text("+Infinity") if latest is None else v.number(latest),
            "info_sid": v.text(context.sid),
            "info_search_time": v.number(context.now),
        }
        return relation.with_fields({**relation.fields, **fields})
