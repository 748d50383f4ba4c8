"""`collect` and `mcollect`: a search's rows written back to the store, as events or as metric points."""

from __future__ import annotations

import json
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import SearchError, nearest
from sightline.search.commands.subsearch import cell_text
from sightline.search.context import Context
from sightline.search.planner.relation import Relation
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options

METRIC_PREFIX = "metric_name:"


def _check_index(name: str, wanted: str, context: Context) -> None:
    found = context.knowledge.index_datatype(name)
    known = context.knowledge.indexes()
    if found is None:
        listed = ", ".join(sorted(n for n, t in known.items() if t == wanted)) or "none"
        raise SearchError(
            f'there is no index "{name}", wanted one that holds {wanted}s: {listed}', hint=nearest(name, known)
        )
    if found != wanted:
        raise SearchError(f'index "{name}" holds {found}s, wanted one that holds {wanted}s')


@command("collect", kind="dataset")
@dataclass
class Collect(Command):
    """Writes the rows as events into an index, and passes them on.

    Syntax: collect index=<index> [source=<text>] [sourcetype=<text>] [host=<text>] [marker="k=v,..."] [addtime=<bool>] [addinfo=<bool>]
        [output_format=raw|hec] [testmode=<bool>]
    Example: index=web | stats count by host | collect index=summary

    Each row becomes an event with its fields; `_raw` is kept where a row has it, else made of the fields as
    `name=value` pairs (`output_format=hec`: as JSON). A row without `_time` gets the start of the search's range, or, with
    `addtime=false` and where there is none, the time of the search. `addinfo=true` stores that range with each event, as
    `info_min_time`, `info_max_time` and `info_search_time`.
    """

    index: str = option("summary", help="the index to write to", aliases=("summaryindex",))
    addtime: bool = option(True, help="a row without a time gets the start of the range")
    file: str = option("", help="accepted for compatibility; events go to the store without a file in between")
    host: str = option("", help="host of the events")
    source: str = option("", help="source of the events")
    sourcetype: str = option("stash", help="sourcetype of the events")
    marker: str = option("", help="fields added to every event, as k=v,k=v")
    testmode: bool = option(False, help="show what would be written without writing")
    run_in_preview: bool = option(False, help="accepted for compatibility; rows are written once")
    spool: bool = option(True, help="accepted for compatibility; events go to the store without a file in between")
    output_format: str = option("raw", choices=("raw", "hec"), help="how _raw is made")
    addinfo: bool = option(False, help="store the search's time range with each event")
    timeformat: str = option("", help="accepted for compatibility; the time is kept as it is")
    uselb: bool = option(True, help="accepted for compatibility; there is one server")

    def lower(self, relation: Relation, context: Context) -> Relation:
        _check_index(self.index, "event", context)
        held = context.held(relation)
        table = context.table_of(held)
        if context.dry or self.testmode or table.num_rows == 0:
            return held
        context.store.append_events(self.index, self._events(table, context))
        return held

    def _events(self, table: pa.Table, context: Context) -> pa.Table:
        rows = table.num_rows
        columns = {n: c for n, c in zip(table.column_names, table.columns, strict=True) if n and not n.startswith("_")}
        for name in ("index", "host", "source", "sourcetype"):
            columns.pop(name, None)
        if self.addinfo:
            for name, value in _range_of(context).items():
                columns[name] = pa.repeat(pa.scalar(value), rows)
        for name, value in _marker_fields(self.marker).items():
            columns[name] = _constant(value, rows)
        names = table.column_names
        raw = table.column("_raw") if "_raw" in names else None
        made = pa.array(_raw_texts(columns, rows, self.output_format), pa.string())
        columns["_raw"] = pa.chunked_array([made]) if raw is None else pc.coalesce(raw, pa.chunked_array([made]))
        moment = context.time_range[0] if self.addtime and context.time_range[0] else context.now
        times = table.column("_time") if "_time" in names else pa.nulls(rows, pa.float64())
        columns["_time"] = pc.fill_null(pc.cast(times, pa.float64()), float(moment))
        columns["host"] = _constant(self.host, rows)
        columns["source"] = _constant(self.source or context.sid or "search", rows)
        columns["sourcetype"] = _constant(self.sourcetype, rows)
        return pa.table(columns)


def _constant(value: str, rows: int) -> pa.Array:
    return pa.repeat(pa.scalar(value or None, pa.string()), rows)


def _range_of(context: Context) -> dict[str, float | str]:
    earliest, latest = context.time_range
    return {
        "info_min_time": float(earliest or 0),
        "info_max_time": "+Infinity" if latest is None else float(latest),
        "info_search_time": float(context.now),
    }


def _marker_fields(marker: str) -> dict[str, str]:
    found = {}
    for pair in filter(None, (p.strip() for p in marker.split(","))):
        name, equals, value = pair.partition("=")
        if not equals or not name.strip():
            raise SearchError(f'marker wants k=v pairs separated by commas, got "{marker}"')
        found[name.strip()] = value.strip().strip('"')
    return found


def _raw_texts(columns: dict[str, pa.ChunkedArray], rows: int, output_format: str) -> list[str]:
    table = pa.table(columns) if columns else None
    if table is None:
        return [""] * rows
    texts = []
    for row in table.to_pylist():
        present = {k: x for k, x in row.items() if x is not None and x != []}
        if output_format == "hec":
            texts.append(json.dumps(present, ensure_ascii=False))
        else:
            texts.append(", ".join(f'{k}="{cell_text(x)}"' for k, x in present.items()))
    return texts


@command("mcollect", kind="dataset")
@dataclass
class MCollect(Command):
    """Writes the rows as metric points into a metric index, and passes them on.

    Syntax: mcollect index=<index> [split=false|true|allnums] [prefix_field=<field>] [host=] [source=] [sourcetype=] [marker="k=v,..."] [<field>...]
    Example: | makeresults | eval metric_name="demo.answer", _value=42, unit="1" | mcollect index=my_metrics

    With `split=false` a row is a point: `metric_name` and a numeric `_value` (or fields `metric_name:<name>`); its other
    fields are dimensions, or only the listed ones. With `split=true` the listed fields are dimensions and every other
    numeric field is a point of its own; `allnums` takes every numeric field for a point and the others for dimensions.
    Rows without a name or a numeric value are not written, with a warning. A row without `_time` gets now.
    """

    index: str = option("", help="the metric index to write to")
    file: str = option("", help="accepted for compatibility; points go to the store without a file in between")
    split: str = option("false", choices=("false", "true", "allnums", "f", "t", "0", "1"), help="how rows become points")
    spool: bool = option(True, help="accepted for compatibility; points go to the store without a file in between")
    prefix_field: str = option("", help="with split: its value goes before each metric's name")
    host: str = option("", help="host of the points")
    source: str = option("", help="source of the points")
    sourcetype: str = option("mcollect_stash", help="sourcetype of the points")
    marker: str = option("", help="dimensions added to every point, as k=v,k=v")
    names: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> MCollect:
        given = arguments.options(cls)
        error = arguments.unknown_option(cls)
        if error:
            raise error
        names = arguments.names(required=False)
        arguments.finish()
        if not given.get("index"):
            raise SearchError("index is wanted: the metric index to write to", arguments.stage.name_span)
        found = cls(names=names, **given)
        if found._mode == "true" and not names:
            raise SearchError("split=true wants the fields that are dimensions", arguments.stage.name_span)
        return found

    @property
    def _mode(self) -> str:
        return {"t": "true", "1": "true", "f": "false", "0": "false"}.get(self.split, self.split)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *(print_name(n) for n in self.names)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        _check_index(self.index, "metric", context)
        held = context.held(relation)
        table = context.table_of(held)
        if context.dry or table.num_rows == 0:
            return held
        parts = self._points(table, context) if self._mode == "false" else self._split_points(table, context)
        written = 0
        for part in parts:
            if part.num_rows:
                context.store.append_metrics(self.index, part)
                written += part.num_rows
        context.inform(f'{written:,} points were written to "{self.index}"')
        return held

    # -- split=false

    def _points(self, table: pa.Table, context: Context) -> list[pa.Table]:
        named = [n for n in table.column_names if n.startswith(METRIC_PREFIX) and len(n) > len(METRIC_PREFIX)]
        if named:
            return self._named_points(table, named, context)
        if "metric_name" not in table.column_names:
            context.warn(f"{table.num_rows:,} rows were not written: they have no metric_name")
            return []
        names = table.column("metric_name")
        if pa.types.is_list(names.type):
            context.warn("rows with several metric names were not written")
            names = _only_single(names)
        names = names.cast(pa.string())
        values = _numbers(table.column("_value") if "_value" in table.column_names else None, table.num_rows, context)
        keep = pc.and_(pc.fill_null(pc.not_equal(names, ""), False), pc.is_valid(values))
        dropped = table.num_rows - (pc.sum(keep).as_py() or 0)
        if dropped:
            context.warn(f"{dropped:,} rows were not written: they lack a metric_name or a numeric _value")
        dimensions = [
            n
            for n in (self.names or table.column_names)
            if n in table.column_names and not n.startswith("_") and n not in ("metric_name", self.prefix_field)
        ]
        return [self._part(table, names, values, dimensions, context).filter(keep)]

    def _named_points(self, table: pa.Table, named: list[str], context: Context) -> list[pa.Table]:
        dimensions = [
            n
            for n in (self.names or table.column_names)
            if n in table.column_names and not n.startswith("_") and n not in (*named, "metric_name", self.prefix_field)
        ]
        parts = []
        for field_name in named:
            values = _numbers(table.column(field_name), table.num_rows, context)
            names = pa.chunked_array([_constant(field_name[len(METRIC_PREFIX) :], table.num_rows)])
            parts.append(self._part(table, names, values, dimensions, context).filter(pc.is_valid(values)))
        return parts

    # -- split=true and allnums

    def _split_points(self, table: pa.Table, context: Context) -> list[pa.Table]:
        visible = [
            n for n in table.column_names if n and not n.startswith("_") and n not in (self.prefix_field, "metric_name")
        ]
        candidates = [n for n in visible if n not in self.names]
        numeric = {n: _numbers(table.column(n), table.num_rows, None) for n in candidates}
        measures = [n for n in candidates if numeric[n].null_count < table.num_rows]
        if self._mode == "allnums":
            measures = [n for n in measures if numeric[n].null_count == table.column(n).null_count]
            dimensions = [n for n in visible if n not in measures]
        else:
            dimensions = [n for n in self.names if n in table.column_names]
        parts = []
        for name in measures:
            keep = pc.is_valid(numeric[name])
            names = pa.chunked_array([_constant(name, table.num_rows)])
            if self.prefix_field:
                if self.prefix_field not in table.column_names:
                    context.warn(f'{table.num_rows:,} rows were not written: they lack "{self.prefix_field}"')
                    return []
                prefix = table.column(self.prefix_field).cast(pa.string())
                names = pc.binary_join_element_wise(prefix, names, ".")
                keep = pc.and_(keep, pc.is_valid(prefix))
            parts.append(self._part(table, names, numeric[name], dimensions, context).filter(keep))
        if not measures:
            context.warn("no row has a numeric field: nothing was written")
        return parts

    def _part(
        self, table: pa.Table, names: pa.ChunkedArray, values: pa.ChunkedArray, dimensions: list[str], context: Context
    ) -> pa.Table:
        rows = table.num_rows
        times = table.column("_time") if "_time" in table.column_names else None
        columns: dict[str, object] = {
            "metric_name": names,
            "value": values,
            "_time": pa.repeat(pa.scalar(float(context.now)), rows)
            if times is None
            else pc.fill_null(pc.cast(times, pa.float64()), float(context.now)),
            "type": _constant("gauge", rows),
            "host": _constant(self.host, rows),
            "source": _constant(self.source or context.sid or "search", rows),
            "sourcetype": _constant(self.sourcetype, rows),
        }
        for name in dimensions:
            if name in ("host", "source", "sourcetype") and not getattr(self, name, ""):
                columns[name] = table.column(name).cast(pa.string())
            elif name not in columns:
                columns[name] = _dimension(table.column(name))
        for name, value in _marker_fields(self.marker).items():
            columns[name] = _constant(value, rows)
        return pa.table(columns)


@command("meventcollect", kind="dataset")
@dataclass
class MEventCollect(MCollect):
    """Writes events as metric points into a metric index, and passes them on.

    Syntax: meventcollect index=<index> [split=<bool>] [prefix_field=<field>] [host=] [source=] [sourcetype=] [<field>...]
    Example: | makeresults | eval metric_name="demo.answer", _value=42 | meventcollect index=my_metrics

    The same as mcollect. Splunk runs it where the events are stored, and so allows only streaming commands before it; here
    whatever gives rows may stand there.
    """


def _dimension(column: pa.ChunkedArray) -> pa.ChunkedArray:
    """A column's values as text, as SPL shows them."""
    if pa.types.is_string(column.type):
        return column
    if pa.types.is_integer(column.type):
        return column.cast(pa.string())
    return pa.chunked_array([pa.array([None if x in (None, []) else cell_text(x) for x in column.to_pylist()], pa.string())])


def _only_single(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return pa.chunked_array([pa.array([x[0] if x and len(x) == 1 else None for x in column.to_pylist()], pa.string())])


def _numbers(column: pa.ChunkedArray | None, rows: int, context: Context | None) -> pa.ChunkedArray:
    """The column as floats; null where a value is not a finite number."""
    if column is None:
        return pa.chunked_array([pa.nulls(rows, pa.float64())])
    if pa.types.is_list(column.type):
        column = _only_single(column)
    if pa.types.is_boolean(column.type):
        return pa.chunked_array([pa.nulls(rows, pa.float64())])
    if pa.types.is_string(column.type):
        looks = pc.match_substring_regex(column, r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$")
        if context is not None and pc.any(pc.fill_null(looks, False)).as_py():
            context.warn("numeric text was taken for numbers")
        column = pc.if_else(pc.fill_null(looks, False), column, pa.scalar(None, pa.string()))
    numbers = column.cast(pa.float64())
    return pc.if_else(pc.fill_null(pc.is_finite(numbers), False), numbers, pa.scalar(None, pa.float64()))
