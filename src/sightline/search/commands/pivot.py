"""`pivot`: a table over a dataset of a data model, with rows and columns split by fields."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import SearchError, Span
from sightline.search import registry
from sightline.search.commands.search import expand_subsearches
from sightline.search.context import Context
from sightline.search.data_models.dataset import DatasetRows, dataset_rows, find_model
from sightline.search.nested import read_text
from sightline.search.planner import values as v
from sightline.search.planner.aggregates import COUNTING, grouping_key, lower_calls, lower_kept
from sightline.search.planner.binning import Binning, chosen_buckets, time_buckets
from sightline.search.planner.buckets import NumberBuckets
from sightline.search.planner.lower import lower_predicate
from sightline.search.planner.partial import is_partial_field, kept_rows
from sightline.search.planner.pivot import natural_key, one_array, pivot, series_name
from sightline.search.planner.relation import OrderKey, Relation
from sightline.search.planner.values import Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import FALSE_WORDS, TRUE_WORDS, AggregateCall, Arguments, print_name
from sightline.search.syntax.expressions import quote_string, shown
from sightline.search.syntax.tree import Comparison, Either, Negation, Predicate

_CLAUSES = (
    "splitrow", "splitcol", "filter", "limit", "sort", "rowsummary", "colsummary", "showother", "numcols",
    "top", "bottom",
)  # fmt: skip
_PERIODS = {
    "auto": "", "year": "1y", "month": "1mon", "day": "1d", "hour": "1h", "minute": "1m", "second": "1s",
}  # fmt: skip
_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
_TESTS = (
    "is", "isNot", "contains", "doesNotContain", "startsWith", "endsWith", "in", "isNull", "isNotNull", "regex",
)  # fmt: skip
ALL = "ALL"
"""What totals are called."""
OTHER = "other"
NULL = "NULL"
_LEAST_COLUMNS = 100
_COLUMN, _LOW, _ROW = "\0column", "\0low", "\0row"


@dataclass(frozen=True)
class Split:
    """A field that rows or columns are split by."""

    name: str
    label: str = ""
    binning: Binning = Binning()
    ranged: bool = False
    period: str = ""
    true_label: str = ""
    false_label: str = ""

    @property
    def title(self) -> str:
        """The name of the column that holds its values."""
        return self.label or self.name

    def print(self, keyword: str) -> str:
        """The clause as it is written."""
        parts = [keyword, print_name(self.name)]
        if self.label:
            parts += ["AS", quote_string(self.label)]
        if self.ranged:
            named = (
                ("start", self.binning.start),
                ("end", self.binning.end),
                ("max", self.binning.bins),
                ("size", self.binning.span),
            )
            parts += ["RANGE", *(f"{name}={value}" for name, value in named if value)]
        parts += ["PERIOD", self.period] if self.period else []
        parts += ["TRUELABEL", quote_string(self.true_label)] if self.true_label else []
        parts += ["FALSELABEL", quote_string(self.false_label)] if self.false_label else []
        return " ".join(parts)


@dataclass(frozen=True)
class Condition:
    """A FILTER clause."""

    name: str
    operator: str
    values: tuple[str, ...] = ()
    span: Span = dataclasses.field(default=Span(0, 0), compare=False)

    def print(self) -> str:
        """The clause as it is written."""
        value = (
            f"({', '.join(map(quote_string, self.values))})"
            if self.operator == "in"
            else " ".join(map(quote_string, self.values))
        )
        return f"FILTER {print_name(self.name)} {self.operator} {value}".rstrip()


@dataclass(frozen=True)
class Limit:
    """A LIMIT clause: the values of a split field with the largest or the smallest aggregate."""

    name: str
    bottom: bool
    count: int
    call: AggregateCall

    def print(self) -> str:
        """The clause as it is written."""
        called = f"{self.call.function}({print_name(self.call.field or '')})"
        return f"LIMIT {print_name(self.name)} BY {'BOTTOM' if self.bottom else 'TOP'} {self.count} {called}"


@command("pivot", kind="generating")
@dataclass
class Pivot(Command):
    """Makes a table over a dataset of a data model.

    Syntax: pivot <data model> <dataset> <function>(<field>) [AS <label>]... [FILTER <field> <comparison> <value>]...
        [SPLITROW <field> [AS <label>] [RANGE start=<n> end=<n> max=<n> size=<n>] [PERIOD <period>]
        [TRUELABEL <text>] [FALSELABEL <text>]]... [SPLITCOL <field> ...]
        [[LIMIT <field> BY] (TOP|BOTTOM) <n> <function>(<field>)]... [SORT <n> [+|-]<field>...]
        [ROWSUMMARY <bool>] [COLSUMMARY <bool>] [NUMCOLS <n>] [SHOWOTHER <bool>]
    Example: | pivot Web Proxy count(Proxy) AS "Requests" SPLITROW status SPLITCOL host FILTER method is GET

    A cell is an aggregate; `count` of a dataset counts its rows. There is a row for each combination of the SPLITROW fields
    and a column for each value of SPLITCOL; rows without a SPLITROW field are left out, those without SPLITCOL are the
    column NULL. RANGE divides numbers, PERIOD (auto, year, month, day, hour, minute or second) times. FILTER compares with
    `is`, `isNot`, `contains`, `doesNotContain`, `startsWith`, `endsWith`, `in ("a","b")`, `isNull`, `isNotNull`, `regex`,
    or as numbers with `=`, `!=`, `<`, `<=`, `>`, `>=`; text ignores case. LIMIT keeps the best values of a split field, SORT
    so many rows (0 is all) in another order. ROWSUMMARY adds a column and COLSUMMARY a row ALL, aggregated over all. Beyond
    NUMCOLS (100, 0 is any number) columns the smallest are put together as `other`, or left out with SHOWOTHER false.
    """

    model: str = ""
    dataset: str = ""
    cells: list[AggregateCall] = field(default_factory=list)
    rows: list[Split] = field(default_factory=list)
    column: Split | None = None
    filters: list[Condition] = field(default_factory=list)
    limits: list[Limit] = field(default_factory=list)
    sort: tuple[int, tuple[tuple[str, bool], ...]] = (0, ())
    row_summary: bool = False
    column_summary: bool = False
    show_other: bool = True
    columns_limit: int = _LEAST_COLUMNS

    # -- reading

    @classmethod
    def read(cls, arguments: Arguments) -> Pivot:
        found = cls(arguments.name("the name of a data model"), arguments.name("the name of a dataset"))
        while not arguments.done:
            arguments.skip_commas()
            token = arguments.accept_word(*_CLAUSES)
            if token is None:
                found.cells.append(_read_cell(arguments))
            else:
                found._read_clause(token.text.lower(), token.span, arguments)
            arguments.skip_commas()
        if not found.cells:
            raise SearchError(
                f"a cell such as count({found.dataset}) or avg(field) is expected, got none", arguments.peek().span
            )
        # TOP without a field to limit, as older programs write it, limits the first split.
        split = found.rows[0].name if found.rows else found.column.name if found.column is not None else ""
        found.limits = [
            dataclasses.replace(limit, name=limit.name or split) for limit in found.limits if limit.name or split
        ]
        titles = [call.name for call in found.cells] + [split.title for split in found.rows]
        twice = next((title for title in titles if titles.count(title) > 1), None)
        if twice is not None:
            raise SearchError(f'two columns are named "{twice}"', arguments.stage.arguments, hint="use AS with another name")
        return found

    def _read_clause(self, clause: str, place: Span, arguments: Arguments) -> None:
        if clause == "splitrow":
            self.rows.append(_read_split(arguments))
        elif clause == "splitcol":
            if self.column is not None:
                raise SearchError("columns are split by one field", place)
            self.column = _read_split(arguments)
        elif clause == "filter":
            self.filters.append(_read_filter(arguments))
        elif clause == "limit":
            self.limits.append(_read_limit(arguments))
        elif clause in ("top", "bottom"):
            count = arguments.number("the number of values", minimum=1)
            self.limits.append(Limit("", clause == "bottom", count, _read_cell(arguments)))
        elif clause == "sort":
            count = arguments.number("the number of rows", minimum=0)
            keys = []
            while not arguments.done and not arguments.peek().is_word(*_CLAUSES):
                name = arguments.name("a field to sort by")
                descending = name.startswith("-")
                name = name[1:] if name[:1] in ("+", "-") else name
                keys.append((name or arguments.name("a field to sort by"), descending))
                arguments.skip_commas()
            self.sort = (count, tuple(keys))
        elif clause == "numcols":
            self.columns_limit = arguments.number("NUMCOLS", minimum=0)
        else:
            name = {"rowsummary": "row_summary", "colsummary": "column_summary", "showother": "show_other"}[clause]
            setattr(self, name, _read_truth(arguments, clause.upper()))

    def print_arguments(self) -> list[str]:
        count, keys = self.sort
        sort = " ".join(("-" if descending else "") + print_name(name) for name, descending in keys)
        return [
            print_name(self.model),
            print_name(self.dataset),
            *(_print_cell(call) for call in self.cells),
            *(split.print("SPLITROW") for split in self.rows),
            *([self.column.print("SPLITCOL")] if self.column else []),
            *(condition.print() for condition in self.filters),
            *(limit.print() for limit in self.limits),
            *([f"SORT {count} {sort}".rstrip()] if count or keys else []),
            *(["ROWSUMMARY 1"] if self.row_summary else []),
            *(["COLSUMMARY 1"] if self.column_summary else []),
            *(["SHOWOTHER 0"] if not self.show_other else []),
            *([f"NUMCOLS {self.columns_limit}"] if self.columns_limit != _LEAST_COLUMNS else []),
        ]

    # -- meaning

    def lower(self, relation: Relation, context: Context) -> Relation:
        model = find_model(self.model, context)
        found = dataset_rows(model, self.dataset, context)
        names = [condition.name for condition in self.filters]
        names += [split.name for split in self._splits]
        names += [call.field for call in self._calls if call.field is not None and call.field not in model.datasets]
        rows = found.including(names, flat=True)
        rows, calls = self._counting(rows, found, self._calls)
        for condition in self.filters:
            rows = filtered(rows, condition, context)
        rows, row_keys, column = self._keys(rows, context)
        if self.column is None and not self.limits and not self.column_summary:
            rows, named = lower_calls(calls[: len(self.cells)], rows, context)
            table = rows.aggregated(row_keys, [(one.name, one.value) for one in named])
            return self._sorted(self._titled(table))
        if context.dry:
            return context.relation_of(pa.table({split.title: pa.array([], pa.string()) for split in self.rows}))
        keys = [*row_keys, *column]
        rows, kept = lower_kept(calls, rows, context, [name for name, _ in keys])
        parts = self._limited(context.held(kept_rows(rows, keys, kept)), calls, context)
        table = context.python_step(str(self), lambda: self._table(parts, calls[: len(self.cells)], context))
        return self._sorted(context.relation_of(table))

    @property
    def _splits(self) -> list[Split]:
        return [*self.rows, *([self.column] if self.column is not None else [])]

    @property
    def _calls(self) -> list[AggregateCall]:
        return [*self.cells, *(limit.call for limit in self.limits)]

    def _counting(
        self, rows: Relation, found: DatasetRows, calls: list[AggregateCall]
    ) -> tuple[Relation, list[AggregateCall]]:
        """Calls in which `count` of a dataset counts its rows: all of them, or those of a dataset below."""
        out = []
        lineage = found.model.lineage(found.name)
        for call in calls:
            if call.function in ("count", "c") and call.field in lineage and call.field not in rows.fields:
                call = dataclasses.replace(call, field=None)
            elif call.function in ("count", "c") and call.field in found.model.datasets:
                rows = found.including([f"is_{call.field}", *rows.fields], flat=True)
                belongs = v.call("equals", rows.field(f"is_{call.field}"), v.text("1"), type=Type.BOOL)
                rows = rows.with_fields(
                    {**rows.fields, call.field: v.choose(belongs, v.integer(1), v.Literal(Type.INT, None))}
                )
            elif call.function == "duration":
                call = dataclasses.replace(call, function="range")
            out.append(call)
        return rows, out

    def _keys(self, rows: Relation, context: Context) -> tuple[Relation, list[tuple[str, Value]], list[tuple[str, Value]]]:
        keys: list[tuple[str, Value]] = []
        for position, split in enumerate(self.rows):
            value, low = _split_value(rows, split, context)
            if value.type is Type.NULL:
                rows, value = rows.filtered(v.FALSE), v.text("")
            elif value.type is Type.MULTI:
                rows, value = rows.unnested(value, split.name)
            else:
                rows = rows.filtered(v.is_present(value))
            keys += [(f"{_LOW}{position}", grouping_key(low))] if low is not None else []
            keys.append((split.title, grouping_key(value)))
        if self.column is None:
            return rows, keys, []
        value, low = _split_value(rows, self.column, context)
        if value.type is Type.MULTI:
            nothing = v.call("array", v.Literal(Type.TEXT, None), type=Type.MULTI)
            rows, value = rows.unnested(v.call("if", v.is_present(value), value, nothing, type=Type.MULTI), _COLUMN)
        elif value.type is Type.NULL:
            value = v.Literal(Type.TEXT, None)
        column = [(f"{_LOW} column", grouping_key(low))] if low is not None else []
        return rows, keys, [*column, (_COLUMN, grouping_key(v.as_text(value)))]

    def _titled(self, table: Relation) -> Relation:
        return table.with_fields({name: value for name, value in table.fields.items() if not name.startswith(_LOW)})

    def _limited(self, parts: Relation, calls: list[AggregateCall], context: Context) -> Relation:
        """The partial results of the values that LIMIT clauses keep."""
        for limit, call in zip(self.limits, calls[len(self.cells) :], strict=True):
            split = next((s for s in self._splits if limit.name in (s.name, s.label)), None)
            if split is None:
                listed = ", ".join(s.name for s in self._splits) or "none"
                raise SearchError(f'LIMIT wants a field that rows or columns are split by, got "{limit.name}": {listed}')
            name = _COLUMN if split is self.column else split.title
            parts, (one,) = lower_calls([dataclasses.replace(call, name="\0score")], parts, context, finishing=True)
            value = parts.field(name)
            ranked = parts.filtered(v.is_present(value)).aggregated([("value", value)], [("score", one.value)])
            order = ((v.as_float(ranked.field("score")), not limit.bottom), *ranked.order)
            best = context.table_of(dataclasses.replace(ranked, order=order).head(limit.count), ["value"])
            texts = [str(x) for x in best["value"].to_pylist()]
            parts = parts.filtered(v.call("in", v.as_text(value), v.multi(texts), type=Type.BOOL))
            parts = context.held(parts)
        return parts

    # -- the table

    def _table(self, parts: Relation, calls: list[AggregateCall], context: Context) -> pa.Table:
        by_row = [name for name in parts.fields if name not in (_COLUMN, f"{_LOW} column") and not is_partial_field(name)]
        titles = [split.title for split in self.rows]
        if self.column is None:
            table = self._finished(parts, by_row, calls, context)
            total = self._finished(parts, [], calls, context) if self.column_summary else None
            return self._with_total(table.select([*titles, *(call.name for call in calls)]), total)
        columns, parts = self._columns(parts, calls, context)
        cells = self._finished(parts, [*by_row, _COLUMN], calls, context)
        row_sums = self._finished(parts, by_row, calls, context)
        keys = one_array(row_sums[_ROW])
        made = {title: one_array(row_sums[title]) for title in titles}
        sheet = pivot(one_array(cells[_ROW]), one_array(cells[_COLUMN]))
        at = pc.index_in(keys, sheet.rows)
        column_sums = self._finished(parts, [_COLUMN], calls, context) if self.column_summary else None
        totals: dict[str, object] = {}
        for call in calls:
            values = one_array(cells[call.name])
            for key, label in columns:
                title = series_name(call.name, label, ": ", "") if len(calls) > 1 else label or "VALUE"
                title = f"{title} " if title in made else title
                made[title] = _counted(sheet.column(sheet.columns.index(key), values).take(at), call)
                if column_sums is not None:
                    totals[title] = column_sums[call.name][column_sums[_COLUMN].to_pylist().index(key)].as_py()
            if self.row_summary:
                title = series_name(call.name, ALL, ": ", "") if len(calls) > 1 else ALL
                made[title] = one_array(row_sums[call.name])
        if not self.rows:
            made = {name: values.slice(0, 1) for name, values in made.items()}
        table = pa.table(made)
        if column_sums is None:
            return table
        everything = self._finished(parts, [], calls, context)
        for call in calls if self.row_summary else []:
            title = series_name(call.name, ALL, ": ", "") if len(calls) > 1 else ALL
            totals[title] = everything[call.name][0].as_py()
        return self._with_total(table, pa.Table.from_pylist([totals]))

    def _finished(self, parts: Relation, by: list[str], calls: list[AggregateCall], context: Context) -> pa.Table:
        """The cells by these fields, with the fields of the row together as one text."""
        rows, named = lower_calls(calls, parts, context, finishing=True)
        made = rows.aggregated([(name, rows.field(name)) for name in by], [(one.name, one.value) for one in named])
        of_row = [v.as_text(made.field(name)) for name in by if name not in (_COLUMN, f"{_LOW} column")]
        joined = [x for one in of_row for x in (v.call("ifNull", one, v.text(""), type=Type.TEXT), v.text("\0"))]
        made = made.with_field(_ROW, v.call("concat", *joined, v.text(""), type=Type.TEXT) if joined else v.text(""))
        return context.table_of(made)

    def _columns(
        self, parts: Relation, calls: list[AggregateCall], context: Context
    ) -> tuple[list[tuple[str, str]], Relation]:
        """The columns as key and title in order, and the partial results with the values beyond NUMCOLS as one."""
        low = f"{_LOW} column"
        given = v.call("ifNull", parts.field(_COLUMN), v.text(NULL), type=Type.TEXT)
        parts = parts.with_field(_COLUMN, given).settled()
        by = [_COLUMN, *([low] if low in parts.fields else [])]
        table = self._finished(parts, by, calls[:1], context)
        keys = table[_COLUMN].to_pylist()
        lows = table[low].to_pylist() if low in table.column_names else [None] * len(keys)
        scores = _scores(one_array(table[calls[0].name]))
        most = self.columns_limit or len(keys)
        order = sorted(range(len(keys)), key=lambda n: (-scores[n], natural_key(keys[n])))
        kept = sorted(
            order[:most],
            key=lambda n: (keys[n] == NULL, lows[n] if lows[n] is not None else 0.0, natural_key(keys[n])),
        )
        columns = [(keys[n], keys[n]) for n in kept]
        if len(keys) <= most:
            return columns, parts
        names = v.multi([key for key, _ in columns])
        inside = v.call("in", parts.field(_COLUMN), names, type=Type.BOOL)
        if not self.show_other:
            return columns, parts.filtered(inside)
        folded = v.call("if", inside, parts.field(_COLUMN), v.text("\0other"), type=Type.TEXT)
        return [*columns, ("\0other", OTHER)], parts.with_field(_COLUMN, folded).settled()

    def _with_total(self, table: pa.Table, total: pa.Table | None) -> pa.Table:
        if total is None:
            return table
        columns = {}
        for name, values in zip(table.column_names, table.columns, strict=True):
            if self.rows and name == self.rows[0].title:
                columns[name] = pa.chunked_array([*values.cast(pa.string()).chunks, pa.array([ALL])])
            elif name in total.column_names:
                last = pa.array([total[name][0].as_py()], values.type)
                columns[name] = pa.chunked_array([*values.chunks, last], values.type)
            else:
                columns[name] = pa.chunked_array([*values.chunks, pa.nulls(1, values.type)], values.type)
        return pa.table(columns)

    def _sorted(self, table: Relation) -> Relation:
        count, keys = self.sort
        order: list[OrderKey] = []
        for name, descending in keys:
            split = next((s for s in self.rows if name == s.name), None)
            value = table.field(split.title if split is not None else name)
            order += v.sort_keys(value, descending)
        ordered = table.ordered(order) if order else table
        return ordered.head(count) if count else ordered


# ---- reading ---------------------------------------------------------------------------------------------------------


def _read_cell(arguments: Arguments) -> AggregateCall:
    call = arguments.aggregate_call([*registry.AGGREGATES, "duration"])
    if call.expression is not None or (call.field is None and call.function not in ("count", "c")):
        raise SearchError(f"{call.function} wants the name of a field in parentheses", call.span)
    return call


def _print_cell(call: AggregateCall) -> str:
    function = call.function if call.parameter is None else f"{call.function}{call.parameter:g}"
    inner = f"({print_name(call.field)})" if call.field is not None else "()"
    return f"{function}{inner} AS {quote_string(call.name)}"


def _read_split(arguments: Arguments) -> Split:
    split = Split(arguments.name("a field name"))
    while token := arguments.accept_word("as", "range", "period", "truelabel", "falselabel"):
        word = token.text.lower()
        if word == "as":
            split = dataclasses.replace(split, label=arguments.name("a label after AS"))
        elif word == "range":
            split = dataclasses.replace(split, ranged=True, binning=_read_range(arguments))
        elif word == "period":
            period = arguments.next()
            if period.text.lower() not in _PERIODS:
                raise SearchError(f"PERIOD must be one of {', '.join(_PERIODS)}, got {shown(period)}", period.span)
            split = dataclasses.replace(split, period=period.text.lower())
        else:
            name = {"truelabel": "true_label", "falselabel": "false_label"}[word]
            split = dataclasses.replace(split, **{name: arguments.name("a label")})
    return split


def _read_range(arguments: Arguments) -> Binning:
    names = {"start": "start", "end": "end", "max": "bins", "size": "span"}
    found: dict[str, str | int] = {}
    while arguments.peek().is_word(*names) and arguments.peek(1).is_("="):
        name = arguments.next().text.lower()
        arguments.next()
        token = arguments.next()
        if v.numeric_literal(token.text) is None:
            raise SearchError(f"{name} must be a number, got {shown(token)}", token.span)
        found[names[name]] = max(2, int(float(token.text))) if name == "max" else token.text
    return Binning(**found)  # type: ignore[arg-type]


def _read_filter(arguments: Arguments) -> Condition:
    start = arguments.peek().span
    name = arguments.name("a field name after FILTER")
    token = arguments.next()
    known = {test.lower(): test for test in _TESTS}
    if token.is_(*_COMPARISONS, "=="):
        operator = "=" if token.text == "==" else token.text
    elif token.kind == "word" and token.text.lower() in known:
        operator = known[token.text.lower()]
    else:
        raise SearchError(
            f"a comparison is expected, one of {', '.join((*_COMPARISONS, *_TESTS))}, got {shown(token)}", token.span
        )
    values: list[str] = []
    if operator == "in":
        if not arguments.accept("("):
            raise SearchError(f'"in" wants values in parentheses, got {shown(arguments.peek())}', arguments.peek().span)
        while not arguments.accept(")"):
            values.append(arguments.name("a value or )"))
            arguments.skip_commas()
    elif operator not in ("isNull", "isNotNull"):
        values.append(arguments.name(f"a value after {operator}"))
    return Condition(name, operator, tuple(values), Span(start.start, token.span.end))


def _read_limit(arguments: Arguments) -> Limit:
    name = arguments.name("a field name after LIMIT")
    if not arguments.accept_word("by"):
        raise SearchError(f"BY is expected, got {shown(arguments.peek())}", arguments.peek().span)
    side = arguments.accept_word("top", "bottom")
    if side is None:
        raise SearchError(f"TOP or BOTTOM is expected, got {shown(arguments.peek())}", arguments.peek().span)
    count = arguments.number("the number of values", minimum=1)
    return Limit(name, side.text.lower() == "bottom", count, _read_cell(arguments))


def _read_truth(arguments: Arguments, name: str) -> bool:
    token = arguments.next()
    if token.text.lower() not in (*TRUE_WORDS, *FALSE_WORDS):
        raise SearchError(f"{name} must be true or false, got {shown(token)}", token.span)
    return token.text.lower() in TRUE_WORDS


# ---- values ----------------------------------------------------------------------------------------------------------


def filtered(rows: Relation, condition: Condition, context: Context) -> Relation:
    """The rows for which a FILTER clause holds."""
    name, operator = condition.name, condition.operator
    if operator in ("isNull", "isNotNull"):
        present = v.is_present(rows.field(name))
        return rows.filtered(present if operator == "isNotNull" else v.negation(present))
    if operator == "regex":
        text = f"| regex {print_name(name)}={quote_string(condition.values[0])}"
        return context.subsearch(read_text(text, None), rows)
    predicate = _predicate(condition)
    return rows.filtered(lower_predicate(expand_subsearches(predicate, context), rows, context))


def _predicate(condition: Condition) -> Predicate:
    def compared(operator: str, value: str) -> Predicate:
        return Comparison(condition.name, operator, value, condition.span, True)

    if condition.operator in _COMPARISONS:
        return compared(condition.operator, condition.values[0])
    if condition.operator == "in":
        return (
            Either(tuple(compared("=", value) for value in condition.values)) if condition.values else Negation(Either(()))
        )
    (value,) = condition.values
    patterns = {
        "is": value, "isNot": value, "contains": f"*{value}*", "doesNotContain": f"*{value}*",
        "startsWith": f"{value}*", "endsWith": f"*{value}",
    }  # fmt: skip
    found = compared("=", patterns[condition.operator])
    return Negation(found) if condition.operator in ("isNot", "doesNotContain") else found


def _split_value(rows: Relation, split: Split, context: Context) -> tuple[Value, Value | None]:
    """The values that rows or columns are split by, and for ranges of numbers where each begins."""
    value = rows.field(split.name)
    if split.name == "_time" or split.period:
        if value.type is Type.NULL:
            return v.NULL, None
        buckets = time_buckets(rows, value, Binning(span=_PERIODS[split.period or "auto"]), context)
        return v.as_float(buckets.value(value)), None
    if split.ranged:
        chosen = chosen_buckets(rows, split.name, split.binning, context, always=True)
        if isinstance(chosen, NumberBuckets):
            low = chosen.bounds(value)[0]
            return chosen.ranges(value), v.as_float(low) if low.type is not Type.NULL else None
        return value, None
    if split.true_label or split.false_label:
        truth = v.as_bool(value)
        words = v.choose(truth, v.text(split.true_label or "true"), v.text(split.false_label or "false"))
        return v.choose(v.is_present(truth), words, v.NULL), None
    return (v.as_text(value) if value.type is Type.BOOL else value), None


def _counted(values: pa.Array, call: AggregateCall) -> pa.Array:
    """The cells, with counts of nothing as 0."""
    numeric = pa.types.is_integer(values.type) or pa.types.is_floating(values.type)
    return values.fill_null(0) if call.function in COUNTING and numeric else values


def _scores(values: pa.Array) -> np.ndarray:
    """What columns are ranked by: the numbers, 0 where there is none."""
    if not (pa.types.is_integer(values.type) or pa.types.is_floating(values.type)):
        return np.zeros(len(values))
    return np.asarray(values.cast(pa.float64()).fill_null(0.0))
