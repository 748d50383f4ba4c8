"""`chart` and `timechart`: aggregates over the values of one field, with a column for each value of another.

Rows are aggregated in the engine. What the columns are depends on the data, so the small table that comes back is turned
here. Values that are not shown as columns of their own are aggregated once more, together, for OTHER.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import SearchError
from sightline.search.context import Context, arrow_type
from sightline.search.planner import values as v
from sightline.search.planner.aggregates import (
    COUNTING,
    NamedValue,
    grouping_key,
    grouping_keys,
    lower_calls,
    print_call,
    read_call,
    searched_range,
)
from sightline.search.planner.binning import Binning, chosen_buckets, read_binning, time_buckets, time_range
from sightline.search.planner.buckets import NumberBuckets, TimeBuckets, nominal_s
from sightline.search.planner.pivot import natural_key, one_array, pivot, series_name
from sightline.search.planner.relation import Relation
from sightline.search.planner.series import Selection, read_limit, read_selection
from sightline.search.planner.values import Over, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import AggregateCall, Arguments, option, print_name, print_options
from sightline.search.syntax.expressions import shown

_NO_VALUE = "\0none"
"""Stands in the table for rows without the split field, which a row with the text NULL must not be mistaken for."""
_LEFT_OUT = "\0left out"
"""Stands in the table for values that get no column; the row itself stays."""


@dataclass
class _Charted(Command):
    """What both commands have: aggregates, a split into columns, and which of these are shown."""

    limit: str = option("10", help="how many columns: a number, topN or bottomN by sum; 0 is all")
    useother: bool = option(True, help="add the columns left out up in one more")
    otherstr: str = option("OTHER", help="name of that column")
    usenull: bool = option(True, help="a column for rows without the split field")
    nullstr: str = option("NULL", help="name of that column")
    sep: str = option(": ", help="what stands between aggregate and value in the names of columns")
    format: str = option("", help="a name with $AGG$ and $VAL$, where there are several aggregates")
    cont: bool = option(True, help="rows for empty buckets of time too")
    calls: list[AggregateCall] = field(default_factory=list)
    row: str = ""
    row_binning: Binning = field(default_factory=Binning)
    column: str = ""
    column_binning: Binning = field(default_factory=Binning)
    where: Selection | None = None

    @classmethod
    def read_parts(cls, arguments: Arguments, found: dict[str, Any]) -> None:
        """Options, aggregates, OVER, BY and WHERE, in any order that makes sense."""
        found.setdefault("row", "")
        found.update(calls=[], column="", row_binning=Binning(), column_binning=Binning())
        arguments.skip_commas()
        while not arguments.done:
            if arguments.peek(1).is_("=") and arguments.peek().kind == "word":
                cls._read_option(arguments, found)
            elif over := arguments.accept_word("over"):
                if found["row"]:
                    raise SearchError("the field for rows is given twice", over.span)
                found["row"] = arguments.name("a field name after OVER")
            elif arguments.accept_word("by", "groupby"):
                cls._read_by(arguments, found)
            elif arguments.accept_word("where"):
                found["where"] = read_selection(arguments)
            elif found["row"] and (found["column"] or cls.command_name == "chart"):
                raise SearchError(f"{shown(arguments.peek())} is not expected here", arguments.peek().span)
            else:
                found["calls"].append(read_call(arguments, arithmetic=True))
            arguments.skip_commas()
        if not found["calls"]:
            raise SearchError("an aggregate such as count or avg(field) is expected, got none", arguments.peek().span)

    @classmethod
    def _read_option(cls, arguments: Arguments, found: dict[str, Any]) -> None:
        where = "column_binning" if found["column"] and cls.command_name == "chart" else "row_binning"
        binning = read_binning(arguments, found[where])
        if binning is not None:
            found[where] = binning
            return
        at = arguments.peek(2).span
        taken = arguments.options(cls)
        if not taken:
            raise arguments.unknown_option(cls) or SearchError("not expected here", arguments.peek().span)
        found.update(taken)
        if "limit" in taken:
            read_limit(taken["limit"], at)

    @classmethod
    def _read_by(cls, arguments: Arguments, found: dict[str, Any]) -> None:
        names = 0
        while not arguments.done and not arguments.peek().is_word("where"):
            if arguments.peek(1).is_("="):
                cls._read_option(arguments, found)
                continue
            token = arguments.peek()
            name = arguments.name("a field name after BY")
            if not found["row"]:
                found["row"] = name
            elif not found["column"]:
                found["column"] = name
            else:
                raise SearchError(f'there is one field for rows and one for columns, got also "{name}"', token.span)
            names += 1
            arguments.skip_commas()
        if not names:
            raise SearchError("a field name after BY is expected, got the end", arguments.peek().span)

    def print_where(self) -> list[str]:
        """The WHERE clause as it is written."""
        return [str(self.where)] if self.where is not None else []

    # -- columns

    def split(self, relation: Relation, keys: list[tuple[str, Value]], named: list[NamedValue], context: Context) -> _Cells:
        """The cells of the table: a row per key, a column per shown value and aggregate."""
        relation, column, low = self._column_key(relation, context)
        aggregates = [(_cell(position), one.value) for position, one in enumerate(named)]
        grouped = relation.aggregated(
            [*keys, ("\0column", column), *([("\0column low", low)] if low is not None else [])], aggregates
        )
        selection = self.where or read_limit(self.limit, None)
        folded = fold_lesser_columns(grouped, selection, [name for name, _ in keys])
        table = context.table_of(grouped if folded is None else folded)
        found = pivot(one_array(table["\0row"]), one_array(table["\0column"]))
        cells = [one_array(table[name]) for name, _ in aggregates]
        positions = [n for n, key in enumerate(found.columns) if key not in (_NO_VALUE, _LEFT_OUT)]
        names = [str(found.columns[n]) for n in positions]
        filled = named[0].call.function in COUNTING

        def first_cells(n: int) -> pa.Array:
            column = found.column(positions[n], cells[0])
            return column.fill_null(0) if filled else column

        kept = positions if folded is not None else [positions[n] for n in selection.chosen(names, first_cells)]
        lows = self._lows(table, low)
        kept = sorted(kept, key=lambda n: (lows.get(str(found.columns[n]), 0.0), natural_key(found.columns[n])))
        shown_columns = [(str(found.columns[n]), [found.column(n, one) for one in cells]) for n in kept]
        if self.usenull and _NO_VALUE in found.columns:
            n = found.columns.index(_NO_VALUE)
            shown_columns.append((self.nullstr, [found.column(n, one) for one in cells]))
        if self.useother and (len(kept) < len(positions) or _LEFT_OUT in found.columns):
            texts = [str(found.columns[n]) for n in kept] + [_NO_VALUE]
            rest = relation.filtered(v.call("notIn", column, v.multi(texts), type=Type.BOOL))
            other = context.table_of(rest.aggregated(keys, aggregates))
            at = pc.index_in(found.rows, one_array(other["\0row"]))
            shown_columns.append((self.otherstr, [one_array(other[name]).take(at) for name, _ in aggregates]))
        columns = []
        for position, one in enumerate(named):
            for text, arrays in shown_columns:
                title = series_name(one.name, text, self.sep, self.format) if len(named) > 1 else text
                hides = title.startswith("_") or title == self.row
                columns.append((f"VALUE_{title}" if hides else title, arrays[position], one))
        return _Cells(found.rows, columns)

    def _column_key(self, relation: Relation, context: Context) -> tuple[Relation, Value, Value | None]:
        """The split field as text that is never absent, and for numbers in buckets where the bucket begins."""
        value, low = relation.field(self.column), None
        buckets = chosen_buckets(relation, self.column, self.column_binning, context, always=False)
        if isinstance(buckets, TimeBuckets):
            value = buckets.value(value)
        elif isinstance(buckets, NumberBuckets):
            value, low = buckets.ranges(value), v.as_float(buckets.bounds(value)[0])
        if value.type is Type.MULTI:
            nothing = v.call("array", v.text(_NO_VALUE), type=Type.MULTI)
            filled = v.call("if", v.is_present(value), value, nothing, type=Type.MULTI)
            relation, value = relation.unnested(filled, self.column)
        key = v.call("ifNull", v.as_text(v.cast(value, Type.TEXT)), v.text(_NO_VALUE), type=Type.TEXT)
        if not self.usenull:
            relation = relation.filtered(v.call("notEquals", key, v.text(_NO_VALUE), type=Type.BOOL))
        return relation, grouping_key(key), low

    @staticmethod
    def _lows(table: pa.Table, low: Value | None) -> dict[str, float]:
        if low is None:
            return {}
        pairs = zip(table["\0column"].to_pylist(), table["\0column low"].to_pylist(), strict=True)
        return {name: start for name, start in pairs if start is not None}


def _cell(position: int) -> str:
    return f"\0{position}"


def fold_lesser_columns(grouped: Relation, selection: Selection, keys: Sequence[str]) -> Relation | None:
    """The cells with all values that get no column under one name, so that a field of a million values stays small here.

    None where the engine does not compute the score, and all cells must be looked at.
    """
    score = v.as_number(grouped.field(_cell(0)))
    if (
        selection.score not in ("sum", "max")
        or selection.operator != "in"
        or not selection.value
        or not score.type.is_number
    ):
        return None
    column = grouped.field("\0column")
    given = v.call("notEquals", column, v.text(_NO_VALUE), type=Type.BOOL)
    grouped, (total,) = grouped.windowed(
        [("score", Over(Type.FLOAT, v.call(selection.score, score, type=Type.FLOAT), (column,)))]
    )
    order = ((total, not selection.bottom), *v.sort_keys(column, False))
    grouped, (rank,) = grouped.windowed([("rank", Over(Type.INT, v.call("dense_rank", type=Type.INT), (given,), order))])
    kept = v.either([v.negation(given), v.call("lessOrEquals", rank, v.integer(int(selection.value)), type=Type.BOOL)])
    folded: list[tuple[str, Value]] = [(name, grouped.field(name)) for name in keys]
    folded.append(("\0column", v.call("if", kept, column, v.text(_LEFT_OUT), type=Type.TEXT)))
    if "\0column low" in grouped.fields:
        folded.append(("\0column low", v.choose(kept, grouped.field("\0column low"), v.Literal(Type.FLOAT, None))))
    cells = [(name, value) for name, value in grouped.fields.items() if name not in {key for key, _ in folded}]
    return grouped.aggregated(folded, [(name, v.agg("any", value, type=value.type)) for name, value in cells])


@dataclass(frozen=True)
class _Cells:
    """A table by columns: the keys of the rows, then title, cells and aggregate of each column."""

    rows: pa.Array
    columns: list[tuple[str, pa.Array, NamedValue]]

    def placed(self, at: pa.Array) -> list[tuple[str, pa.Array]]:
        """The columns at other rows, given by position (null for a new row), with counts of nothing as 0."""
        out = []
        for title, cells, one in self.columns:
            cells = cells.take(at)
            numeric = pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type)
            out.append((title, cells.fill_null(0) if one.call.function in COUNTING and numeric else cells))
        return out


@command("chart", kind="transforming")
@dataclass
class Chart(_Charted):
    """Aggregates over the values of one field, with a column for each value of another.

    Syntax: chart [limit=<number>] [useother=<bool>] [usenull=<bool>] <aggregate>... [OVER <row field>] [BY <field>...]
        [WHERE <score> (in|notin) (top|bottom)<count>]
    Example: index=web | chart count over host by status

    `OVER r BY c`, or `BY r c`, makes a row for each value of r and a column for each value of c; with one field there is a
    column for each aggregate. Rows without r are left out, those without c are the column NULL. The 10 columns with the
    largest sums are shown (`limit`, or WHERE by another score), the others together as OTHER. A cell without rows is 0 for
    a count and empty for other aggregates. `span` or `bins` after a field divides its numbers, or its times, into ranges;
    numbers of more than 100 different values are divided anyway. With several aggregates columns are named
    `aggregate: value`. A name that begins with an underscore gets VALUE_ in front.
    """

    @classmethod
    def read(cls, arguments: Arguments) -> Chart:
        found: dict[str, Any] = {}
        cls.read_parts(arguments, found)
        return cls(**found)

    def print_arguments(self) -> list[str]:
        over = ["OVER", print_name(self.row)] if self.row else []
        by = ["BY", print_name(self.column), *self.column_binning.print()] if self.column else []
        calls = [", ".join(print_call(call) for call in self.calls)]
        return [*print_options(self), *calls, *over, *self.row_binning.print(), *by, *self.print_where()]

    def lower(self, relation: Relation, context: Context) -> Relation:
        relation, keys, span_s = self._row_keys(relation, context)
        relation, named = lower_calls(self.calls, relation, context, span_s=span_s, finishing=True)
        if self.column:
            if context.dry:
                return context.relation_of(pa.table({self.row: pa.array([], arrow_type(keys[-1][1].type))}))
            return context.relation_of(context.python_step("pivot", lambda: self._table(relation, keys, named, context)))
        aggregated = relation.aggregated(keys, [(one.name, one.value) for one in named])
        fields = {(self.row if n == "\0row" else n): value for n, value in aggregated.fields.items() if n != "\0low"}
        return aggregated.with_fields(fields)

    def _table(
        self, relation: Relation, keys: list[tuple[str, Value]], named: list[NamedValue], context: Context
    ) -> pa.Table:
        found = self.split(relation, keys, named, context)
        everything = pa.array(np.arange(len(found.rows)), pa.int64())
        return pa.table({self.row: found.rows} | dict(found.placed(everything)))

    def _row_keys(self, relation: Relation, context: Context) -> tuple[Relation, list[tuple[str, Value]], float | None]:
        """What rows are grouped by: where a range of numbers begins, so that ranges are in order, then its text."""
        if not self.row:
            return relation, [], None
        buckets = chosen_buckets(relation, self.row, self.row_binning, context, always=False)
        if buckets is None:
            relation, keys = grouping_keys(relation, [self.row])
            return relation, [("\0row", value) for _, value in keys], None
        value = relation.field(self.row)
        relation = relation.filtered(v.is_present(value))
        if isinstance(buckets, TimeBuckets):
            return relation, [("\0row", grouping_key(buckets.value(value)))], nominal_s(buckets.span)
        low = v.as_float(buckets.bounds(value)[0])
        relation = relation.with_field("\0low", low).with_field("\0row", buckets.ranges(value)).settled()
        return relation, [(name, relation.field(name)) for name in ("\0low", "\0row")], None


@command("timechart", kind="transforming")
@dataclass
class TimeChart(_Charted):
    """Aggregates over buckets of time, with a column for each value of a field.

    Syntax: timechart [span=<span>] [bins=<number>] [limit=<number>] [useother=<bool>] [usenull=<bool>] <aggregate>...
        [BY <field>] [WHERE <score> (in|notin) (top|bottom)<count>]
    Example: index=web | timechart span=5m p95(duration_ms) by host

    There is a row for each bucket of the searched range (of the events' range with `fixedrange=false`, or where the search
    has none), also for one without events (not with `cont=false`): 0 for a count, nothing for other aggregates. `_time` is
    the start of the bucket. Without a span, the shortest of 1s, 5s, 10s, 30s, 1m, 5m, 10m, 30m, 1h, 1d and 1mon is taken
    that makes at most `bins` buckets. Days, weeks and months follow the calendar. `partial=false` leaves out the buckets
    that the range cuts. `per_second(f)` and its siblings divide a sum by the length of the bucket. Columns are chosen and
    named as by chart.
    """

    partial: bool = option(True, help="keep first and last buckets that the range cuts")
    fixedrange: bool = option(True, help="buckets over the searched range, not only over that of the events")

    @classmethod
    def read(cls, arguments: Arguments) -> TimeChart:
        found: dict[str, Any] = {"row": "_time"}
        cls.read_parts(arguments, found)
        return cls(**found)

    def print_arguments(self) -> list[str]:
        by = ["BY", print_name(self.column)] if self.column else []
        calls = [", ".join(print_call(call) for call in self.calls)]
        return [*print_options(self), *self.row_binning.print(), *calls, *by, *self.print_where()]

    def lower(self, relation: Relation, context: Context) -> Relation:
        time = relation.field("_time")
        if time.type is Type.NULL and relation.fields:
            context.warn("no row has a _time")
        buckets = time_buckets(relation, time, self.row_binning, context)
        relation = relation.filtered(v.is_present(v.as_float(time)) if time.type is not Type.NULL else v.FALSE)
        relation, named = lower_calls(self.calls, relation, context, span_s=nominal_s(buckets.span), finishing=True)
        start = buckets.value(time) if time.type is not Type.NULL else v.real(0)
        keys = [("\0row", grouping_key(start))]
        if context.dry:
            columns = [] if self.column else [(one.name, pa.array([], arrow_type(one.value.type))) for one in named]
            return context.relation_of(pa.table({"_time": pa.array([], pa.float64())} | dict(columns)))
        if self.column:
            found = self.split(relation, keys, named, context)
        else:
            table = context.table_of(relation.aggregated(keys, [(_cell(n), one.value) for n, one in enumerate(named)]))
            cells = [(one.name, one_array(table[_cell(n)]), one) for n, one in enumerate(named)]
            found = _Cells(one_array(table["\0row"]), cells)
        return context.relation_of(
            context.python_step("fill buckets", lambda: self._filled(found, buckets, relation, time, context))
        )

    def _filled(self, found: _Cells, buckets: TimeBuckets, relation: Relation, time: Value, context: Context) -> pa.Table:
        present = found.rows.to_pylist()
        starts = sorted(present)
        earliest, latest = None, None
        if self.fixedrange:
            # Where the range is open the rows themselves say how far it reaches; to the second only partial=f asks.
            earliest, latest = searched_range(context) if self.partial else time_range(relation, time, context)
        if self.cont:
            starts = self._all_starts(starts, buckets, earliest, latest, context)
        if not self.partial:
            starts = [
                start
                for start in starts
                if (earliest is None or start >= earliest) and (latest is None or buckets.next(start) <= latest)
            ]
        at = pc.index_in(pa.array(starts, pa.float64()), found.rows.cast(pa.float64()))
        whole = all(start.is_integer() for start in starts)
        spans = (
            [buckets.next(start) - start for start in starts]
            if buckets.follows_calendar
            else [nominal_s(buckets.span)] * len(starts)
        )
        whole_spans = all(float(span).is_integer() for span in spans)
        columns: dict[str, pa.Array] = {"_time": pa.array(starts, pa.float64())}
        if whole:
            columns["_time"] = columns["_time"].cast(pa.int64())
        columns.update(found.placed(at))
        columns["_span"] = pa.array(spans, pa.float64()).cast(pa.int64() if whole_spans else pa.float64())
        return pa.table(columns)

    def _all_starts(
        self, starts: Sequence[float], buckets: TimeBuckets, earliest: float | None, latest: float | None, context: Context
    ) -> list[float]:
        """Starts of all buckets of the range, and of those that rows lie in beside it."""
        low, high = earliest, latest
        if starts:
            low, high = starts[0] if low is None else low, starts[-1] if high is None else high
        if low is None or high is None:
            return list(starts)
        count = (high - low) / nominal_s(buckets.span)
        limit = context.settings.search.max_python_rows
        if count > limit:
            raise SearchError(
                f"a span of {buckets.span} makes {count:,.0f} buckets of the searched range, more than {limit:,}",
                hint="take a longer span or a shorter range",
            )
        found = {start for start in buckets.starts(low, high) if latest is None or start < latest}
        return sorted(found.union(starts))
