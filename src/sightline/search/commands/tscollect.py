"""`tscollect` and `overlap`: rows kept for tstats, and what the runs of a summary miss or count twice."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.nested import NAMESPACE_INDEX
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Over, Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option

_OWN = ("_time", "_raw", "host", "source", "sourcetype")


@command("tscollect", kind="dataset")
@dataclass
class TsCollect(Command):
    """Keeps the rows under a namespace, for `tstats FROM` it.

    Syntax: tscollect [namespace=<name>] [squashcase=<bool>] [keepresults=<bool>]
    Example: index=web | fields _time host status | tscollect namespace=web_status

    Rows are added to what the namespace has; one without `_time` gets the time of the search. The answer is how many rows
    were kept, or with `keepresults=true` the rows. `squashcase` keeps text in lower case. Without a namespace nothing is
    written: `tstats FROM sid=` reads the rows of the search itself, which are passed on.
    """

    namespace: str = option("", help="the name to keep the rows under")
    squashcase: bool = option(False, help="keep text in lower case")
    keepresults: bool = option(False, help="pass the rows on")

    @classmethod
    def read(cls, arguments: Arguments) -> TsCollect:
        found = super().read(arguments)
        assert isinstance(found, TsCollect)
        if found.namespace and not re.fullmatch(r"[A-Za-z0-9_]{1,80}", found.namespace):
            raise SearchError(f'namespace wants letters, digits and _, got "{found.namespace}"', arguments.stage.name_span)
        return found

    def lower(self, relation: Relation, context: Context) -> Relation:
        held = context.held(relation)
        if not self.namespace:
            return held
        table = context.table_of(held)
        if not context.dry and table.num_rows:
            context.store.append_events(NAMESPACE_INDEX + self.namespace, self._kept(table, context))
        if self.keepresults:
            return held
        return context.relation_of(pa.table({"count": pa.array([table.num_rows], pa.int64())}))

    def _kept(self, table: pa.Table, context: Context) -> pa.Table:
        columns = {}
        for name, column in zip(table.column_names, table.columns, strict=True):
            if not name or (name.startswith("_") and name not in _OWN) or name == "index":
                continue
            if self.squashcase and pa.types.is_string(column.type) and name != "_raw":
                column = pc.utf8_lower(column)
            columns[name] = column
        times = columns.get("_time")
        moment = float(context.now)
        columns["_time"] = (
            pa.array([moment] * table.num_rows, pa.float64())
            if times is None
            else pc.fill_null(pc.cast(times, pa.float64()), moment)
        )
        return pa.table(columns)


@command("overlap", kind="transforming")
@dataclass
class Overlap(Command):
    """Finds times that the runs of a summarizing search left out, or counted twice.

    Syntax: overlap
    Example: index=summary source=nightly | overlap

    The rows are events of a summary index with `info_min_time` and `info_max_time`, as `addinfo` gives them, and the name of
    the search in `info_search_name`, `search_name` or `source`. Runs of one search, in the order of their beginnings, are
    compared with the furthest end before them. Each `gap` or `overlap` is a row with its `start`, `end` and `duration`.
    """

    def lower(self, relation: Relation, context: Context) -> Relation:
        first, last = (v.as_float(relation.field(name)) for name in ("info_min_time", "info_max_time"))
        if Type.NULL in (relation.field("info_min_time").type, relation.field("info_max_time").type):
            if not relation.fields or context.dry:
                return context.empty()
            raise SearchError("wants events with info_min_time and info_max_time", hint="addinfo before collect keeps them")
        names = [relation.field(name) for name in ("info_search_name", "search_name", "source")]
        texts = [v.as_text(name) for name in names if name.type is not Type.NULL]
        name = v.call("coalesce", *texts, v.text(""), type=Type.TEXT)
        relation = relation.filtered(v.both([v.is_present(first), v.is_present(last)]))
        runs = relation.aggregated([("info_search_name", name), ("start", first), ("stop", last)], [])
        start, stop = runs.field("start"), runs.field("stop")
        before = Over(
            Type.FLOAT,
            v.call("max", stop, type=Type.FLOAT),
            (runs.field("info_search_name"),),
            ((start, False), (stop, False)),
            "ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING",
        )
        number = Over(
            Type.INT,
            v.call("row_number", type=Type.INT),
            (runs.field("info_search_name"),),
            ((start, False), (stop, False)),
        )
        runs, (reached, nth) = runs.windowed([("reached", before), ("nth", number)])
        runs = runs.filtered(
            v.both(
                [
                    v.call("greater", nth, v.integer(1), type=Type.BOOL),
                    v.call("notEquals", start, reached, type=Type.BOOL),
                ]
            )
        )
        is_gap = v.call("greater", start, reached, type=Type.BOOL)
        begin = v.choose(is_gap, reached, start)
        end = v.choose(is_gap, start, v.call("least", stop, reached, type=Type.FLOAT))
        return runs.with_fields(
            {
                "type": v.choose(is_gap, v.text("gap"), v.text("overlap")),
                "info_search_name": runs.field("info_search_name"),
                "start": begin,
                "end": end,
                "duration": v.call("minus", end, begin, type=Type.FLOAT),
            }
        )
