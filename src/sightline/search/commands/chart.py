"""`chart` and `timechart`: aggregates over the values of one field, with a column for each value of another.

Rows are aggregated, and columns chosen, in the engine. What the columns are depends on the data, so the small table that
comes back is turned here.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import LanguageError, SearchError
from sightline.search.context import Context, arrow_type
from sightline.search.planner import values as v
from sightline.search.planner.aggregates import (
    COUNTING,
    NamedValue,
    grouping_keys,
    lower_calls,
    print_call,
    read_call,
    searched_range,
)
from sightline.search.planner.binning import DEFAULT_BINS, Binning, read_binning, time_buckets, time_range
from sightline.search.planner.buckets import NumberBuckets, TimeBuckets, nominal_s, number_buckets
from sightline.search.planner.cells import (
    COLUMN,
    COLUMN_LOW,
    LEFT_OUT,
    NO_VALUE,
    ROW,
    ROW_LOW,
    Axis,
    axis_of,
    cell,
    folded_cells,
    missing_begins,
    named_begins,
    plain_cells,
    too_many_values,
)
from sightline.search.planner.lower import concatenate
from sightline.search.planner.pivot import natural_key, one_array, pivot, series_name
from sightline.search.planner.relation import Relation
from sightline.search.planner.series import SCORES, Selection, read_limit, read_selection
from sightline.search.planner.values import Literal, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import AggregateCall, Arguments, option, print_name, print_options
from sightline.search.syntax.expressions import shown

MOST_GAPS = 50_000
"""Empty buckets that are filled in at most; a range of numbers may be far wider than the rows in it are many."""


@dataclass
class _Charted(Command):
    """What both commands have: aggregates, a split into columns, and which of these are shown."""

    reads_options_of = (Binning,)

    limit: str = option("10", help="how many columns: a number, topN or bottomN by sum; 0 is all")
    useother: bool = option(True, help="add the columns left out up in one more")
    otherstr: str = option("OTHER", help="name of that column")
    usenull: bool = option(True, help="a column for rows without the split field")
    nullstr: str = option("NULL", help="name of that column")
    sep: str = option(": ", help="what stands between aggregate and value in the names of columns")
    format: str = option("", help="a name with $AGG$ and $VAL$, where there are several aggregates")
    cont: bool = option(True, help="rows for empty buckets too, but not of ranges that grow by a base")
    dedup_splitvals: bool = option(False, help="count a repeated value of a multivalue field once")
    calls: list[AggregateCall] = field(default_factory=list)
    row: str = ""
    row_binning: Binning = field(default_factory=Binning)
    column: str = ""
    column_binning: Binning = field(default_factory=Binning)
    where: Selection | None = None
    ranking: str = "sum"

    @classmethod
    def read_parts(cls, arguments: Arguments, found: dict[str, Any]) -> None:
        """Options, aggregates, OVER, BY and WHERE, in any order that makes sense."""
        found.setdefault("row", "")
        found.update(calls=[], column="", row_binning=Binning(), column_binning=Binning())
        arguments.skip_commas()
        split_first = False
        while not arguments.done:
            if arguments.peek().is_word("agg") and arguments.peek(1).is_("="):
                cls._read_agg(arguments, found)
            elif arguments.peek(1).is_("=") and arguments.peek().kind == "word":
                cls._read_option(arguments, found)
            elif over := arguments.accept_word("over"):
                if found["row"] and (found["column"] or not split_first):
                    raise SearchError("the field for rows is given twice", over.span)
                # BY before OVER names the columns.
                found["column"] = found["row"]
                found["row"] = arguments.name("a field name after OVER")
            elif arguments.accept_word("by", "groupby"):
                split_first = not found["row"]
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
    def _read_agg(cls, arguments: Arguments, found: dict[str, Any]) -> None:
        """An aggregate written as an option; after BY a bare name is what ranks the columns."""
        arguments.position += 2
        name = arguments.peek().text.lower()
        split = found["column"] if "further_columns" in found else found["row"]
        if split and name in SCORES and not arguments.peek(1).is_("("):
            arguments.position += 1
            found["ranking"] = name
        else:
            found["calls"].append(read_call(arguments, arithmetic=True))

    @classmethod
    def _read_option(cls, arguments: Arguments, found: dict[str, Any]) -> None:
        # Rows of times keep what has a unit of time, or no other meaning, wherever it stands.
        key, given = arguments.peek(), arguments.peek(2)
        timely = key.is_word("minspan", "aligntime") or key.is_word("span") and number_buckets(given.text) is None
        timely = timely and "further_columns" in found
        where = "column_binning" if found["column"] and not timely else "row_binning"
        binning = read_binning(arguments, found[where])
        if binning is not None:
            found[where] = binning
            return
        if arguments.peek().is_word("limit") and arguments.peek(2).is_word("top", "bottom"):
            # The number may stand apart: limit=top 5.
            word, number = arguments.peek(2), arguments.peek(3)
            read_limit(word.text + number.text, word.span)
            found["limit"] = word.text + number.text
            arguments.position += 4
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
        while not arguments.done and not arguments.peek().is_word("where", "over"):
            if arguments.peek(1).is_("="):
                read = cls._read_agg if arguments.peek().is_word("agg") else cls._read_option
                read(arguments, found)
                continue
            token = arguments.peek()
            name = arguments.name("a field name after BY")
            if not found["row"]:
                found["row"] = name
            elif not found["column"]:
                found["column"] = name
            elif "further_columns" in found:
                found["further_columns"].append(name)
            else:
                joined = f'{found["column"]}.":".{name}'
                raise LanguageError(
                    f'one field makes rows and one columns, got also "{name}"',
                    token.span,
                    hint=f"make one field of both before: eval both={joined}",
                )
            names += 1
            arguments.skip_commas()
        if not names:
            raise SearchError("a field name after BY is expected, got the end", arguments.peek().span)

    def print_where(self) -> list[str]:
        """What ranks the columns, as it is written after BY."""
        ranking = [f"agg={self.ranking}"] if self.ranking != "sum" else []
        return [*ranking, *([str(self.where)] if self.where is not None else [])]

    # -- columns

    @property
    def selection(self) -> Selection:
        """Which values get a column."""
        return self.where or dataclasses.replace(read_limit(self.limit, None), score=self.ranking)

    def row_axis(self, relation: Relation, context: Context, *, provisional: bool) -> tuple[Relation, Axis]:
        """What rows are grouped by, over the rows that have the field."""
        relation = self._one_value_a_row(relation, self.row, self.row_binning)
        axis = axis_of(relation, self.row, self.row_binning, context, provisional=provisional)
        if axis.buckets is None and not axis.provisional:
            relation, keys = grouping_keys(relation, [self.row], distinct=self.dedup_splitvals)
            return relation, dataclasses.replace(axis, value=keys[0][1])
        return relation.filtered(v.is_present(relation.field(self.row))), axis

    def _one_value_a_row(self, relation: Relation, name: str, binning: Binning) -> Relation:
        """The rows with one value each of a field whose values are to be divided into ranges; those without it stay as they are."""
        value = relation.field(name)
        if value.type is not Type.MULTI or not binning:
            return relation
        texts = v.call("arrayDistinct", value, type=Type.MULTI) if self.dedup_splitvals else value
        absent = v.call("array", v.cast(Literal(Type.TEXT, None), Type.TEXT), type=Type.MULTI)
        relation, each = relation.unnested(v.call("if", v.is_present(value), texts, absent, type=Type.MULTI), name)
        return relation.with_field(name, each)

    def column_axis(self, relation: Relation, context: Context, *, provisional: bool) -> tuple[Relation, Axis]:
        """What columns are grouped by; rows without the field count under `NO_VALUE`, or are left out."""
        relation = self._one_value_a_row(relation, self.column, self.column_binning)
        axis = axis_of(relation, self.column, self.column_binning, context, provisional=provisional)
        value = axis.value
        if not self.usenull:
            relation = relation.filtered(v.is_present(value))
        if value.type is Type.MULTI:
            nothing = v.call("array", v.text(NO_VALUE), type=Type.MULTI)
            each = v.call("arrayDistinct", value, type=Type.MULTI) if self.dedup_splitvals else value
            filled = v.call("if", v.is_present(value), each, nothing, type=Type.MULTI)
            relation, value = relation.unnested(filled, self.column)
        elif not value.type.is_number:
            value = v.cast(value, Type.TEXT)
        return relation, dataclasses.replace(axis, value=value)

    def split(
        self, relation: Relation, row: Axis, named: list[NamedValue], context: Context, *, provisional: bool
    ) -> _Cells | None:
        """The cells of the table: a row per key, a column per shown value and aggregate.

        None where a provisional axis must be divided into ranges after all.
        """
        relation, column = self.column_axis(relation, context, provisional=provisional)
        selection = self.selection
        folded = folded_cells(relation, row, column, named, selection)
        if folded is None and (row.provisional or column.provisional):
            return None
        table = context.table_of(plain_cells(relation, row, column, named) if folded is None else folded)
        if too_many_values(table):
            return None
        found = pivot(one_array(table[ROW]), one_array(table[COLUMN]))
        cells = [one_array(table[cell(n)]) for n in range(len(named))]
        positions = [n for n, key in enumerate(found.columns) if key not in (NO_VALUE, LEFT_OUT)]
        names = [str(found.columns[n]) for n in positions]
        filled = named[0].call.function in COUNTING

        def first_cells(n: int) -> pa.Array:
            column = found.column(positions[n], cells[0])
            return column.fill_null(0) if filled else column

        kept = positions if folded is not None else [positions[n] for n in selection.chosen(names, first_cells)]
        lows = _lows(table)
        kept = sorted(kept, key=lambda n: (lows.get(str(found.columns[n]), float("inf")), natural_key(found.columns[n])))
        shown_columns = [(str(found.columns[n]), [found.column(n, one) for one in cells]) for n in kept]
        value_columns = len(shown_columns)
        if self.usenull and NO_VALUE in found.columns:
            n = found.columns.index(NO_VALUE)
            shown_columns.append((self.nullstr, [found.column(n, one) for one in cells]))
        if self.useother and LEFT_OUT in found.columns:
            n = found.columns.index(LEFT_OUT)
            shown_columns.append((self.otherstr, [found.column(n, one) for one in cells]))
        elif self.useother and len(kept) < len(positions):
            texts = [str(found.columns[n]) for n in kept] + [NO_VALUE]
            shown_columns.append((self.otherstr, self._others(relation, row, column, texts, found.rows, named, context)))
        columns = []
        others = {text for text, _ in shown_columns[value_columns:]}
        for position, one in enumerate(named):
            for n, (text, arrays) in enumerate(shown_columns):
                title = series_name(one.name, text, self.sep, self.format) if len(named) > 1 else text
                hides = title.startswith("_") or title == self.row or (n < value_columns and text in others)
                columns.append((f"VALUE_{title}" if hides else title or "VALUE", arrays[position], one))
        begins = (
            one_array(table[ROW_LOW]).take(pc.index_in(found.rows, one_array(table[ROW])))
            if ROW_LOW in table.column_names
            else None
        )
        return _Cells(found.rows, columns, begins)

    def _others(
        self,
        relation: Relation,
        row: Axis,
        column: Axis,
        shown_names: list[str],
        rows: pa.Array,
        named: list[NamedValue],
        context: Context,
    ) -> list[pa.Array]:
        """The cells of all values together but the named ones, row by row."""
        text = v.call("ifNull", v.as_text(column.named(column.value)), v.text(NO_VALUE), type=Type.TEXT)
        rest = relation.filtered(v.call("notIn", text, v.multi(shown_names), type=Type.BOOL))
        grouped = rest.aggregated(row.keys(ROW, ROW_LOW), [(cell(n), one.value) for n, one in enumerate(named)])
        table = context.table_of(grouped.with_field(ROW, row.named(grouped.field(ROW))))
        at = pc.index_in(rows, one_array(table[ROW]))
        return [one_array(table[cell(n)]).take(at) for n in range(len(named))]


def _lows(table: pa.Table) -> dict[str, float]:
    if COLUMN_LOW not in table.column_names:
        return {}
    pairs = zip(table[COLUMN].to_pylist(), table[COLUMN_LOW].to_pylist(), strict=True)
    return {name: start for name, start in pairs if start is not None}


@dataclass(frozen=True)
class _Cells:
    """A table by columns: the keys of the rows, then title, cells and aggregate of each column."""

    rows: pa.Array
    columns: list[tuple[str, pa.Array, NamedValue]]
    begins: pa.Array | None = None
    """Where the ranges of numbers that rows stand for begin."""

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
    largest sums are shown (`limit`, or WHERE or `agg=<score>` after BY by another score), the others together as OTHER. A cell
    without rows is 0 for a count and empty for other aggregates. `span` or `bins` after a field divides its numbers, or its
    times, into ranges; numbers of more than 100 different values are divided anyway; ranges and times between others that no
    row lies in are shown too (not with `cont=false`). With several aggregates columns are named `aggregate: value`. A value
    that begins with an underscore, or that is the name of another column, gets VALUE_ in front; that of the empty text is
    VALUE.
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
        if not self.row:
            relation, named = lower_calls(self.calls, relation, context, finishing=True)
            return relation.aggregated([], [(one.name, one.value) for one in named])
        found = self._lowered(relation, context, provisional=True)
        if found is None:
            found = self._lowered(relation, context, provisional=False)
        assert found is not None
        return found

    def _lowered(self, relation: Relation, context: Context, *, provisional: bool) -> Relation | None:
        relation, row = self.row_axis(relation, context, provisional=provisional)
        span_s = nominal_s(row.buckets.span) if isinstance(row.buckets, TimeBuckets) else None
        relation, named = lower_calls(self.calls, relation, context, span_s=span_s, finishing=True)
        found: _Cells | None
        if self.column:
            found = self.split(relation, row, named, context, provisional=provisional)
        else:
            grouped = relation.aggregated(row.keys(ROW, ROW_LOW), [(cell(n), one.value) for n, one in enumerate(named)])
            grouped = grouped.with_fields(
                {
                    ROW: row.named(grouped.field(ROW)),
                    ROW_LOW: row.begin(grouped.field(ROW), grouped.field(ROW_LOW)) or v.NULL,
                }
                | {cell(n): grouped.field(cell(n)) for n in range(len(named))}
            )
            needs_rows = row.provisional or self._fills(row)
            if context.dry or not needs_rows:
                names = {ROW: self.row} | {cell(n): one.name for n, one in enumerate(named)}
                return grouped.with_fields({names[n]: value for n, value in grouped.fields.items() if n in names})
            found = self._only_rows(grouped, row, named, context)
        if found is None:
            return None
        table = context.python_step("pivot", lambda: self._filled(found, row, context))
        return context.relation_of(table)

    def _only_rows(self, grouped: Relation, row: Axis, named: list[NamedValue], context: Context) -> _Cells | None:
        """The cells of a table without a split; None where the numbers of the rows must be divided into ranges after all."""
        table = context.table_of(grouped.head(DEFAULT_BINS + 1) if row.provisional else grouped)
        if row.provisional and table.num_rows > DEFAULT_BINS:
            return None
        cells = [(one.name, one_array(table[cell(n)]), one) for n, one in enumerate(named)]
        return _Cells(one_array(table[ROW]), cells, one_array(table[ROW_LOW]) if ROW_LOW in table.column_names else None)

    def _fills(self, row: Axis) -> bool:
        """Whether there are rows for empty buckets too; ranges that grow by a base have gaps."""
        return self.cont and row.buckets is not None and not (isinstance(row.buckets, NumberBuckets) and row.buckets.base)

    def _filled(self, found: _Cells, row: Axis, context: Context) -> pa.Table:
        """The table, with rows for the buckets between others that no row lies in."""
        rows, begins, buckets = found.rows, found.begins, row.buckets
        at = pa.array(np.arange(len(rows)), pa.int64())
        if isinstance(buckets, TimeBuckets):
            begins = rows.cast(pa.float64())
        if self._fills(row) and begins is not None:
            assert buckets is not None
            missing = missing_begins(begins, buckets, MOST_GAPS)
            if missing is None:
                context.warn(
                    f"gaps are not filled: there are more than {MOST_GAPS:,} ranges between the least and the greatest"
                )
            elif len(missing):
                names = named_begins(missing, buckets, context) if isinstance(buckets, NumberBuckets) else pa.array(missing)
                rows = pa.concat_arrays([rows, names.cast(rows.type)])
                at = pa.concat_arrays([at, pa.nulls(len(missing), pa.int64())])
                order = pc.sort_indices(pa.concat_arrays([begins, pa.array(missing)]))
                rows, at = rows.take(order), at.take(order)
        return pa.table({self.row: rows} | dict(found.placed(at)))


@command("timechart", kind="transforming")
@dataclass
class TimeChart(_Charted):
    """Aggregates over buckets of time, with a column for each value of a field.

    Syntax: timechart [span=<span>] [bins=<number>] [limit=<number>] [useother=<bool>] [usenull=<bool>] <aggregate>...
        [BY <field> [span=<number>|bins=<number>]] [WHERE <score> (in|notin) (top|bottom)<count>]
    Example: index=web | timechart span=5m p95(duration_ms) by host

    There is a row for each bucket of the searched range (of the events' range with `fixedrange=false`, or where the search
    has none), also for one without events (not with `cont=false`): 0 for a count, nothing for other aggregates. `_time` is
    the start of the bucket. Without a span, the shortest of 1s, 5s, 10s, 30s, 1m, 5m, 10m, 30m, 1h, 1d and 1mon is taken
    that makes at most `bins` buckets. Days, weeks and months follow the calendar. `partial=false` leaves out the buckets
    that the range cuts. `per_second(f)` and its siblings divide a sum by the length of the bucket. Columns are chosen and
    named as by chart; a `span` without a unit of time, or `bins`, after BY makes ranges of its field. Of several fields
    after BY, which Splunk refuses, each combination `a:b` has a column.
    """

    partial: bool = option(True, help="keep first and last buckets that the range cuts")
    fixedrange: bool = option(True, help="buckets over the searched range, not only over that of the events")
    further_columns: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> TimeChart:
        found: dict[str, Any] = {"row": "_time", "further_columns": []}
        cls.read_parts(arguments, found)
        return cls(**found)

    def print_arguments(self) -> list[str]:
        fields = ", ".join(print_name(name) for name in [self.column, *self.further_columns])
        by = ["BY", fields, *self.column_binning.print()] if self.column else []
        calls = [", ".join(print_call(call) for call in self.calls)]
        return [*print_options(self), *self.row_binning.print(), *calls, *by, *self.print_where()]

    def lower(self, relation: Relation, context: Context) -> Relation:
        if self.further_columns:
            return self._by_combinations(relation, context)
        time = relation.field("_time")
        if time.type is Type.NULL and relation.fields:
            context.warn("no row has a _time")
        buckets = time_buckets(relation, time, self.row_binning, context)
        relation = relation.filtered(v.is_present(v.as_float(time)) if time.type is not Type.NULL else v.FALSE)
        relation, named = lower_calls(self.calls, relation, context, span_s=nominal_s(buckets.span), finishing=True)
        row = Axis(buckets.value(time) if time.type is not Type.NULL else v.real(0), buckets=buckets)
        found: _Cells | None
        if self.column:
            found = self.split(relation, row, named, context, provisional=True)
            found = found or self.split(relation, row, named, context, provisional=False)
            assert found is not None
        else:
            table = context.table_of(
                relation.aggregated(row.keys(ROW, ROW_LOW), [(cell(n), one.value) for n, one in enumerate(named)])
            )
            cells = [(one.name, one_array(table[cell(n)]), one) for n, one in enumerate(named)]
            found = _Cells(one_array(table[ROW]), cells)
        if context.dry:
            columns = [(title, pa.array([], arrow_type(one.value.type))) for title, _, one in found.columns]
            return context.relation_of(pa.table({"_time": pa.array([], pa.float64())} | dict(columns)))
        return context.relation_of(
            context.python_step("fill buckets", lambda: self._filled(found, buckets, relation, time, context))
        )

    def _by_combinations(self, relation: Relation, context: Context) -> Relation:
        """With a column for each combination of the fields after BY."""
        names = [self.column, *self.further_columns]
        joined = ":".join(names)
        listed = ", ".join(f'"{name}"' for name in names)
        context.tell_leniency(
            f'timechart takes one field after BY, got {listed}; each combination of them has a column, named "{joined}"'
        )
        parts = [part for name in names for part in (v.text(":"), relation.field(name))][1:]
        relation = relation.with_field(joined, concatenate(parts))
        return dataclasses.replace(self, column=joined, further_columns=[]).lower(relation, context)

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
