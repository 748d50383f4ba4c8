"""`geostats`: aggregates over the cells of a world map, at every zoom level at once."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field

import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.aggregates import lower_calls, read_call
from sightline.search.planner.pivot import natural_key, one_array, pivot, series_name
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Literal, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import AggregateCall, Arguments, option, print_name, print_options
from sightline.search.syntax.expressions import shown

OTHER = "OTHER"
_BIN, _SPLIT, _LATITUDE, _LONGITUDE = "\0bin", "\0split", "\0latitude", "\0longitude"
_ORDER = ("\0zoom", "\0y", "\0x")


@command("geostats", kind="transforming")
@dataclass
class GeoStats(Command):
    """Aggregates rows by the cell of a world map in which they lie, at several zoom levels.

    Syntax: geostats [latfield=<field>] [longfield=<field>] [outputlatfield=<field>] [outputlongfield=<field>]
        [globallimit=<n>] [locallimit=<n>] [binspanlat=<number> binspanlong=<number>] [maxzoomlevel=<n>]
        [translatetoxy=<bool>] <aggregate>... [BY <field>]
    Example: | makeresults count=3 | streamstats count AS n | eval lat=10*n, lon=20*n | geostats count

    A row of the answer is a cell at a level: `geobin` names it, `latitude` and `longitude` are the means of the rows in it,
    and then come the aggregates. Level 0 has cells of `binspanlat` by `binspanlong` degrees (22.5 by 45), and each further
    one up to `maxzoomlevel` (9) halves both. With BY there is a column for each value of the field; beyond the 10 values
    with the largest sums, or as many as the smaller of `globallimit` and `locallimit` says (0 is all), the rows count as
    `OTHER`; several values are one as a whole. With `translatetoxy=false` each value has a row of its own in each cell. Rows without a place on earth are left
    out. Positions are read from `lat` and `lon`, which `iplocation` makes, unless named.
    """

    translatetoxy: bool = option(True, help="a row for each cell, values of the BY field as columns")
    latfield: str = option("lat", help="field with the latitude")
    longfield: str = option("lon", help="field with the longitude")
    outputlatfield: str = option("latitude", help="field for the latitude of a cell")
    outputlongfield: str = option("longitude", help="field for the longitude of a cell")
    globallimit: int = option(10, minimum=0, help="how many values of the BY field have a column; 0 is all")
    locallimit: int = option(10, minimum=0, help="how many values of the BY field have a column; 0 is all")
    binspanlat: float = option(22.5, help="height of a cell of level 0 in degrees")
    binspanlong: float = option(45.0, help="width of a cell of level 0 in degrees")
    maxzoomlevel: int = option(9, minimum=0, help="the last level")
    calls: list[AggregateCall] = field(default_factory=list)
    by: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> GeoStats:
        found = arguments.options(cls)
        calls: list[AggregateCall] = []
        arguments.skip_commas()
        while not arguments.done and not arguments.peek().is_word("by", "groupby"):
            if arguments.peek(1).is_("="):
                more = arguments.options(cls)
                if not more:
                    raise arguments.unknown_option(cls) or SearchError("not expected here", arguments.peek().span)
                found.update(more)
            else:
                calls.append(read_call(arguments))
            arguments.skip_commas()
        if not calls:
            token = arguments.peek()
            raise SearchError(f"an aggregate such as count or avg(field) is expected, got {shown(token)}", token.span)
        by = arguments.by_clause()
        if len(by) > 1:
            raise SearchError(f"one field is expected after BY, got {len(by)}", arguments.tokens[-1].span)
        for name in ("binspanlat", "binspanlong"):
            if found.get(name, 1) <= 0:
                raise SearchError(f"{name} must be more than 0, got {found[name]:g}", arguments.stage.arguments)
        if found.get("maxzoomlevel", 0) > 20:
            raise SearchError(f"maxzoomlevel must be 20 or less, got {found['maxzoomlevel']}", arguments.stage.arguments)
        return cls(calls=calls, by=by[0] if by else "", **found)

    def print_arguments(self) -> list[str]:
        by = ["BY", print_name(self.by)] if self.by else []
        return [*print_options(self), ", ".join(str(call) for call in self.calls), *by]

    def lower(self, relation: Relation, context: Context) -> Relation:
        split = relation.field(self.by) if self.by else v.NULL
        if self.by and split.type is Type.NULL:
            relation = relation.filtered(v.FALSE)
        elif self.by:
            relation = self._on_earth(relation.filtered(v.is_present(split)))
            relation = self._with_split(relation, split, context)
        relation = self._in_cells(relation)
        relation, named = lower_calls(self.calls, relation, context, by=[], finishing=True)
        cells = [(name, relation.field(name)) for name in (*_ORDER, _BIN)]
        places = [(name, v.agg("avg", relation.field(name), type=Type.FLOAT)) for name in (_LATITUDE, _LONGITUDE)]
        aggregates = [(one.name, one.value) for one in named]
        if not self.by:
            found = relation.aggregated(cells, [*places, *aggregates])
            return found.with_fields(self._named({n: found.field(n) for n in (_BIN, *(n for n, _ in places + aggregates))}))
        keys = [*cells, (self.by, relation.field(_SPLIT))]
        if not self.translatetoxy:
            found = relation.aggregated(keys, [*places, *aggregates])
            names = [_BIN, _LATITUDE, _LONGITUDE, self.by, *(n for n, _ in aggregates)]
            return found.with_fields(self._named({n: found.field(n) for n in names}))
        whole = context.table_of(relation.aggregated(cells, places), [_BIN, _LATITUDE, _LONGITUDE])
        parts = context.table_of(relation.aggregated([cells[-1], keys[-1]], aggregates))
        if context.dry:
            return context.relation_of(pa.table({"geobin": pa.array([], pa.string())}))
        return context.relation_of(context.python_step("pivot", lambda: self._pivot(whole, parts)))

    def _named(self, fields: dict[str, Value]) -> dict[str, Value]:
        names = {_BIN: "geobin", _LATITUDE: self.outputlatfield, _LONGITUDE: self.outputlongfield}
        return {names.get(name, name): value for name, value in fields.items()}

    def _with_split(self, relation: Relation, split: Value, context: Context) -> Relation:
        """The BY field as text, values beyond the limit as OTHER."""
        text = (
            v.call("arrayStringConcat", split, v.text("\n"), type=Type.TEXT)
            if split.type is Type.MULTI
            else v.as_text(split)
        )
        relation = relation.with_fields({**relation.fields, _SPLIT: text})
        limits = [limit for limit in (self.globallimit, self.locallimit) if limit]
        if not limits:
            return relation
        measured, named = lower_calls(self.calls[:1], relation, context, by=[], finishing=True)
        table = context.table_of(measured.aggregated([("split", measured.field(_SPLIT))], [("size", named[0].value)]))
        if table.num_rows <= min(limits):
            return relation
        sizes = zip(table["split"].to_pylist(), table["size"].to_pylist(), strict=True)
        largest = sorted(sizes, key=lambda pair: (-_size(pair[1]), natural_key(pair[0])))[: min(limits)]
        kept = v.call("in", relation.field(_SPLIT), v.multi([name for name, _ in largest]), type=Type.BOOL)
        return relation.with_field(_SPLIT, v.call("if", kept, relation.field(_SPLIT), v.text(OTHER), type=Type.TEXT))

    def _on_earth(self, relation: Relation) -> Relation:
        latitude, longitude = (_degrees(relation.field(name)) for name in (self.latfield, self.longfield))
        return relation.filtered(v.both([_within(latitude, 90), _within(longitude, 180)]))

    def _in_cells(self, relation: Relation) -> Relation:
        """The rows that have a place on earth, once for each level, with the cell they lie in."""
        relation = self._on_earth(relation)
        latitude, longitude = (_degrees(relation.field(name)) for name in (self.latfield, self.longfield))
        relation = relation.with_fields({**relation.fields, _LATITUDE: latitude, _LONGITUDE: longitude}).settled()
        levels = v.call("range", v.integer(self.maxzoomlevel + 1), type=Type.MULTI)
        relation, zoom = relation.unnested(levels, "zoom", Type.INT)
        zoom = v.call("toInt64", zoom, type=Type.INT)
        cells = v.call("pow", v.integer(2), zoom, type=Type.FLOAT)

        def number(name: str, least: float, span: float) -> Value:
            from_edge = v.call("plus", relation.field(name), v.real(-least), type=Type.FLOAT)
            scaled = v.call("multiply", v.call("divide", from_edge, v.real(span), type=Type.FLOAT), cells, type=Type.FLOAT)
            return v.call("toInt64", v.call("floor", scaled, type=Type.FLOAT), type=Type.INT)

        y, x = number(_LATITUDE, -90, self.binspanlat), number(_LONGITUDE, -180, self.binspanlong)
        pieces = [v.text("bin_id_zl_"), v.as_text(zoom), v.text("_y_"), v.as_text(y), v.text("_x_"), v.as_text(x)]
        name = v.call("concat", *pieces, type=Type.TEXT)
        return dataclasses.replace(
            relation, fields={**relation.fields, **dict(zip((*_ORDER, _BIN), (zoom, y, x, name), strict=True))}
        ).settled()

    def _pivot(self, whole: pa.Table, parts: pa.Table) -> pa.Table:
        out: dict[str, pa.Array] = {
            "geobin": one_array(whole[_BIN]),
            self.outputlatfield: one_array(whole[_LATITUDE]),
            self.outputlongfield: one_array(whole[_LONGITUDE]),
        }
        if not whole.num_rows:
            return pa.table(out)
        found = pivot(one_array(parts[_BIN]), one_array(parts[self.by]))
        places = pc.index_in(out["geobin"], value_set=found.rows)
        names = [name for name in parts.column_names if name not in (_BIN, self.by)]
        order = sorted(range(len(found.columns)), key=lambda n: (found.columns[n] == OTHER, natural_key(found.columns[n])))
        counts = {call.name for call in self.calls if call.function in ("count", "c")}
        for name in names:
            for n in order:
                title = str(found.columns[n])
                cells = found.column(n, one_array(parts[name])).take(places)
                out[series_name(name, title, ": ", "") if len(names) > 1 else title] = (
                    cells.fill_null(0) if name in counts else cells
                )
        return pa.table(out)


def _size(value: object) -> float:
    return float(value) if isinstance(value, int | float) else 0.0


def _degrees(value: Value) -> Value:
    if value.type is Type.NULL:
        return Literal(Type.FLOAT, None)
    found: Value = v.as_float(value)
    return found


def _within(degrees: Value, most: int) -> Value:
    inside: Sequence[Value] = [
        v.call("greaterOrEquals", degrees, v.integer(-most), type=Type.BOOL),
        v.call("lessOrEquals", degrees, v.integer(most), type=Type.BOOL),
    ]
    return v.is_true(v.both(inside))
