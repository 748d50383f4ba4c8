"""`mstats`, `mcatalog`, `mpreview`: metric points aggregated, catalogued, and looked at one by one."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from sightline.errors import SearchError, Span, nearest
from sightline.search import registry
from sightline.search.commands.search import (
    expand_subsearches,
    index_patterns,
    take_time_bounds,
    without_index,
)
from sightline.search.context import Context
from sightline.search.functions import AggregateInput, find_aggregate
from sightline.search.planner import values as v
from sightline.search.planner.buckets import TimeBuckets
from sightline.search.planner.lower import lower_predicate
from sightline.search.planner.metric_names import as_asked
from sightline.search.planner.partial import kept, kept_rows
from sightline.search.planner.relation import Relation, wildcard_regex
from sightline.search.planner.series import read_limit
from sightline.search.planner.sources import DIMENSION_NAMES, DIMENSIONS, index_condition, table_relation, time_bounds
from sightline.search.planner.values import Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import (
    AggregateCall,
    Arguments,
    option,
    print_name,
    print_options,
)
from sightline.search.syntax.clauses import read_where, take_options
from sightline.search.syntax.expressions import quote_string
from sightline.search.syntax.predicates import PredicateReader, print_predicate
from sightline.search.syntax.tree import (
    Both,
    Comparison,
    Either,
    Everything,
    Membership,
    Negation,
    Predicate,
)
from sightline.search.time import TimeSpan, parse_span

BUCKETS_LIMIT = 1_000_000
"""Most buckets of time in one answer (Splunk's own limit)."""
AUTO_BUCKETS = 100
"""Buckets that `span=auto` aims at."""
_LADDER = ("1s", "5s", "10s", "30s", "1m", "5m", "10m", "30m", "1h", "1d", "1mon")
_RATES = ("rate", "rate_avg", "rate_sum")


def metric_points(predicate: Predicate, context: Context, span: Span) -> tuple[Relation, Predicate]:
    """The points of the wanted metric indexes in the time range, and the conditions that are left to check."""
    predicate = expand_subsearches(predicate, context)
    bounds, rest = take_time_bounds(predicate, context, span)
    earliest, latest = context.earliest, context.latest
    given = {side: moment for _, side, moment in bounds}
    if given:
        earliest, latest = given.get("earliest"), given.get("latest", context.now if "earliest" in given else None)
    context.overridden_earliest, context.overridden_latest = earliest, latest
    known = {n: t for n, t in context.knowledge.indexes().items() if t == "metric"}
    patterns = index_patterns(rest)
    indexes: list[str] = []
    for pattern in patterns or ["*"]:
        regex = wildcard_regex(pattern.lower())
        matching = [n for n in known if regex.fullmatch(n.lower()) and (pattern[0] == "_" or n[0] != "_")]
        if not matching and "*" not in pattern:
            other = context.knowledge.index_datatype(pattern)
            if other is not None:
                raise SearchError(f'index "{pattern}" holds {other}s, wanted one that holds metrics', span)
            listed = ", ".join(sorted(known)) or "none"
            context.warn(f'there is no metric index "{pattern}"; metric indexes: {listed}', span)
        indexes.extend(n for n in matching if n not in indexes)
    context.scanned_indexes.extend(i for i in indexes if i not in context.scanned_indexes)
    rest = without_index(rest)
    relation = table_relation("metrics", context.store.json_paths("metrics", indexes) if indexes else {}, context.names)
    return relation.filtered(v.both([index_condition(indexes), time_bounds("metrics", earliest, latest)])), rest


def time_series(points: Relation) -> Value:
    """What tells the series of one metric apart: host, source, sourcetype and all dimensions, as the text of a JSON object."""
    dims = v.Column(Type.TEXT, DIMENSIONS)
    length = v.call("minus", v.call("length", dims, type=Type.INT), v.integer(2), type=Type.INT)
    parts = [v.call("substring", dims, v.integer(2), length, type=Type.TEXT)]
    for name in ("host", "source", "sourcetype"):
        value = v.as_text(points.field(name))
        part = v.call("concat", v.text(f'"{name}":'), v.call("toJSONString", value, type=Type.TEXT), type=Type.TEXT)
        parts.append(v.choose(v.is_present(value), part, v.text("")))
    part = v.Column(Type.TEXT, "part")
    told = v.Lambda(Type.BOOL, ("part",), v.call("notEmpty", part, type=Type.BOOL))
    some = v.call("arrayFilter", told, v.call("array", *parts, type=Type.MULTI), type=Type.MULTI)
    joined = v.call("arrayStringConcat", some, v.text(","), type=Type.TEXT)
    return v.call("concat", v.text("{"), joined, v.text("}"), type=Type.TEXT)


def metric_names(predicate: Predicate) -> list[str]:
    """The patterns that conditions on `metric_name` name."""
    if isinstance(predicate, Comparison) and predicate.name == "metric_name":
        return [predicate.value]
    if isinstance(predicate, Membership) and predicate.name == "metric_name":
        return list(predicate.values)
    if isinstance(predicate, Both | Either):
        return [n for o in predicate.operands for n in metric_names(o)]
    return metric_names(predicate.operand) if isinstance(predicate, Negation) else []


_ABSENT = "\0absent"
"""Stands for the lack of a split field until the chart names it."""


@command("mstats", kind="generating")
@dataclass
class MStats(Command):
    """Aggregates metric points.

    Syntax: mstats <function>(<metric>|_value) [AS <name>]... [WHERE <conditions>] [BY <field>...] [span=<span> [every=<span>]]
    Example: | mstats avg(_value) AS score WHERE index=my_model_metrics metric_name="mlops.*" BY operation span=1h

    The metric stands in the function (`*` gives a column per metric), or `_value` does and WHERE names the metric. Without
    `index=` all metric indexes are read. `span` adds `_time`, the start of each bucket; `auto` chooses one for the range.
    A metric that OpenTelemetry renamed is found under its old and its current name, in the unit of the name that is asked.
    `BY _timeseries` groups by series: host, source, sourcetype and all dimensions. `rate` reads the growth of each series in
    each bucket; `rate_avg` and `rate_sum` begin where the bucket before ended.
    Points that lack a BY field are left out unless `fillnull_value` gives them one. `prestats=true` gives partial
    results by time, for a `timechart`, `chart` or `stats` with the same functions that follows; `append=true` adds the rows
    to the current ones.
    """

    chart: bool = option(False, help="a column per series, as timechart shows them")
    chart_limit: int = option("10", name="chart.limit", help="how many series: a number, topN or bottomN; 0 is all")
    chart_agg: str = option("sum", name="chart.agg", help="what ranks the series")
    chart_usenull: bool = option(True, name="chart.usenull", help="a series for points without the split field")
    chart_useother: bool = option(True, name="chart.useother", help="a series for the rest")
    chart_nullstr: str = option("NULL", name="chart.nullstr", help="name of the series without the field")
    chart_otherstr: str = option("OTHER", name="chart.otherstr", help="name of the series of the rest")
    prestats: bool = option(False, help="give partial results for a command that follows")
    append: bool = option(False, help="keep the current rows before these")
    backfill: bool = option(True, help="accepted for compatibility; stored points are always read")
    update_period: int = option(0, help="accepted for compatibility; searches end, and are run again to be refreshed")
    fillnull_value: str = option("", help="stands for a BY field that a point lacks")
    chunk_size: int = option(10_000_000, help="accepted for compatibility; the engine decides how to divide the work")
    span: str = option("", help="length of a bucket of time")
    every: str = option("", help="one bucket of `span` in each of these")
    calls: list[AggregateCall] = field(default_factory=list)
    predicate: Predicate = field(default_factory=Everything)
    by: list[str] = field(default_factory=list)
    place: Span = field(default=Span(0, 0), compare=False)

    @classmethod
    def read(cls, arguments: Arguments) -> MStats:
        place = arguments.stage.name_span
        given = take_options(arguments, cls)
        known = [*registry.AGGREGATES, "rate_avg", "rate_sum"]
        calls = arguments.aggregate_calls(known, ("where", "by", "groupby"))
        predicate = read_where(arguments)
        by = arguments.by_clause()
        arguments.finish()
        found = cls(calls=calls, predicate=predicate, by=by, place=place, **given)
        found._check(arguments)
        return found

    def _check(self, arguments: Arguments) -> None:
        valued = [c for c in self.calls if c.field in (None, "_value")]
        if valued and any(c.field not in (None, "_value") for c in self.calls):
            raise SearchError("a metric's name and _value cannot both stand in functions", self.calls[0].span)
        named = metric_names(self.predicate)
        if any(c.field == "_value" for c in self.calls) and not named:
            raise SearchError("_value needs metric_name in WHERE", self.calls[0].span, hint='WHERE metric_name="cpu.*"')
        if any(c.field not in (None, "_value") for c in self.calls) and named:
            raise SearchError("metric_name cannot be in WHERE when a function names the metric", self.calls[0].span)
        for call in self.calls:
            if call.expression is not None:
                raise SearchError("a metric is wanted in a function, not an expression", call.span)
        if self.every and not self.span:
            raise SearchError("every needs span", self.place)
        read_limit(self.chart_limit, self.place)
        if self.chart and (self.prestats or self.append):
            raise SearchError("chart=true cannot be used with prestats or append", self.place)
        for text in (self.span, self.every):
            if text and text != "auto":
                parse_span(text)
        if self.every:
            short, long = parse_span(self.span).seconds, parse_span(self.every).seconds
            if short and long and long < short:
                raise SearchError(f"every ({self.every}) must not be shorter than span ({self.span})", self.place)

    def print_arguments(self) -> list[str]:
        parts = [*print_options(self), ", ".join(str(c) for c in self.calls)]
        if not isinstance(self.predicate, Everything):
            parts += ["WHERE", print_predicate(self.predicate)]
        return parts + (["BY", ", ".join(print_name(n) for n in self.by)] if self.by else [])

    def lower(self, relation: Relation, context: Context) -> Relation:
        points, rest = metric_points(self.predicate, context, self.place)
        points = as_asked(points, self._named(), context, only=self._names_all())
        points = points.filtered(lower_predicate(rest, points, context))
        calls = self._expanded(points, context)
        if self.prestats:
            found = self._prestats(points, calls, context)
        else:
            found = self._aggregated(points, calls, context)
        if self.append and relation.fields:
            return relation.union([found])
        return self._charted(found, context) if self.chart else found

    def _named(self) -> list[str]:
        """The metrics that stand in functions or in WHERE by their whole names."""
        named = [call.field for call in self.calls if call.field not in (None, "_value")] or metric_names(self.predicate)
        return [name for name in named if name and "*" not in name]

    def _names_all(self) -> bool:
        """Whether no other metric than the named ones can count."""
        if self.calls[0].field not in (None, "_value"):
            return not any("*" in (call.field or "") for call in self.calls)
        operands = self.predicate.operands if isinstance(self.predicate, Both) else (self.predicate,)
        return any(
            isinstance(o, Comparison) and o.name == "metric_name" and o.operator == "=" and "*" not in o.value
            for o in operands
        )

    def _expanded(self, points: Relation, context: Context) -> list[tuple[AggregateCall, str | None]]:
        """Calls with the metric each reads (None: the points that WHERE left), wildcards expanded."""
        found: list[tuple[AggregateCall, str | None]] = []
        names: list[str] | None = None
        for call in self.calls:
            if call.field in (None, "_value"):
                found.append((call, None))
                continue
            if "*" not in call.field:
                found.append((call, call.field))
                continue
            if names is None:
                listed = points.aggregated([("name", points.field("metric_name"))], [])
                names = context.table_of(listed, ["name"]).column("name").to_pylist() if not context.dry else []
            regex = wildcard_regex(call.field)
            matching = [n for n in names if regex.fullmatch(n)]
            if not matching and not context.dry:
                context.warn(f'no metric matches "{call.field}"')
            for name in matching:
                label = call.name.replace(call.field, name) if call.field in call.name else call.name
                if call.explicit_name and "*" in call.name:
                    match = regex.fullmatch(name)
                    label = call.name.replace("*", match.group(1) if match and match.groups() else name, 1)
                elif call.explicit_name and len(matching) > 1:
                    label = f"{call.name}:{name}"
                found.append((AggregateCall(call.function, name, None, label, call.span, call.parameter, True), name))
        self._warn_unknown(points, [m for _, m in found if m is not None], context)
        return found

    def _warn_unknown(self, points: Relation, wanted: list[str], context: Context) -> None:
        if not wanted or context.dry:
            return
        listed = points.aggregated([("name", points.field("metric_name"))], [])
        known = context.table_of(listed, ["name"]).column("name").to_pylist()
        for name in dict.fromkeys(wanted):
            if name not in known:
                hint = nearest(name, known)
                context.warn(
                    f'there is no metric "{name}" among the points that match' + (f"; {hint}" if hint else ""), self.place
                )

    def _keys(self, points: Relation, context: Context) -> tuple[Relation, list[tuple[str, Value]]]:
        keys: list[tuple[str, Value]] = []
        if self.span or self.prestats:
            # A timechart that follows needs times also where nobody named a span.
            span = self._span(context, points)
            time = TimeBuckets(span, context.zone).value(points.field("_time"))
            if self.every:
                outer = TimeBuckets(parse_span(self.every), context.zone).value(points.field("_time"))
                points = points.filtered(v.call("equals", time, outer, type=Type.BOOL))
            keys.append(("_time", time))
        for name in self.by:
            if name == "_time" and (self.span or self.prestats):
                continue
            value = time_series(points) if name == "_timeseries" else points.field(name)
            if self.fillnull_value:
                value = v.choose(v.is_present(value), v.as_text(value), v.text(self.fillnull_value))
            elif self.chart and self.chart_usenull:
                value = v.choose(v.is_present(value), v.as_text(value), v.text(_ABSENT))
            elif value.type is Type.NULL:
                context.warn(f'no point has the dimension "{name}"')
            keys.append((name, value))
        return points, keys

    def _span(self, context: Context, points: Relation) -> TimeSpan:
        earliest, latest = context.overridden_earliest, context.overridden_latest or context.now
        if self.span not in ("", "auto"):
            span = parse_span(self.span)
            if earliest and span.seconds and (latest - earliest) / span.seconds > BUCKETS_LIMIT:
                raise SearchError(f"span={self.span} makes more than {BUCKETS_LIMIT:,} buckets of this range", self.place)
            return span
        if not earliest and not context.dry:
            low = points.aggregated([], [("low", v.agg("min", points.field("_time"), type=Type.FLOAT))])
            earliest = context.table_of(low, ["low"]).column("low")[0].as_py()
        width = (latest - (earliest or latest)) / AUTO_BUCKETS
        for text in _LADDER[:-1]:
            seconds = parse_span(text).seconds
            assert seconds is not None
            if seconds >= width:
                return parse_span(text)
        return parse_span(_LADDER[-1])

    def _aggregated(self, points: Relation, calls: list[tuple[AggregateCall, str | None]], context: Context) -> Relation:
        points, keys = self._keys(points, context)
        if any(value.type is Type.NULL for _, value in keys):
            return context.empty()
        present = v.both([v.is_present(value) for name, value in keys if name != "_time"])
        metrics = [m for _, m in calls if m is not None]
        conditions = [present]
        if metrics:
            conditions.append(
                v.call("in", points.field("metric_name"), v.multi(list(dict.fromkeys(metrics))), type=Type.BOOL)
            )
        points = points.filtered(v.both(conditions))
        if not calls:
            # A name with stars that no metric has.
            return context.empty()
        within = [(call, metric) for call, metric in calls if call.function == "rate"]
        across = [(call, metric) for call, metric in calls if call.function in ("rate_avg", "rate_sum")]
        plain = [(call, metric) for call, metric in calls if call.function not in _RATES]
        aggregates = [(call.name, self._aggregate(points, call, metric, context)) for call, metric in plain]
        found = [self._with_rates(points, keys, within, in_bucket=True)] if within else []
        if across:
            found.append(self._with_rates(points, keys, across, in_bucket=False))
        if plain:
            found.append(points.aggregated(keys, aggregates))
        if len(found) == 1:
            return found[0].as_table()
        # Rates and the others were counted over different rows; a group has one row of each, which become one.
        rows = found[0].union(found[1:])
        values = [(call.name, rows.field(call.name)) for call, _ in calls]
        merged = rows.aggregated(
            [(name, rows.field(name)) for name, _ in keys],
            [(name, v.agg("any", value, type=value.type)) for name, value in values],
        )
        return merged.as_table()

    @staticmethod
    def _argument(points: Relation, metric: str | None) -> Value:
        value = points.field("_value")
        if metric is None:
            return value
        chosen = v.call("equals", points.field("metric_name"), v.text(metric), type=Type.BOOL)
        return v.call("if", chosen, value, v.Literal(Type.FLOAT, None), type=Type.FLOAT)

    def _aggregate(self, points: Relation, call: AggregateCall, metric: str | None, context: Context) -> Value:
        name = call.function if call.parameter is None else f"{call.function}{call.parameter:g}"
        entry, parameter = find_aggregate(name)
        time = points.field("_time")
        given = AggregateInput(
            time, time, parameter, call.extra, None, context.overridden_earliest, context.overridden_latest
        )
        bare_count = call.field is None or (call.function in ("count", "c") and metric is None)
        if bare_count and entry.needs_field:
            raise SearchError(f"{call.function} needs a metric, as in {call.function}(_value)", call.span)
        return entry.lower(None if bare_count else self._argument(points, metric), given)

    def _with_rates(
        self,
        points: Relation,
        keys: list[tuple[str, Value]],
        calls: list[tuple[AggregateCall, str | None]],
        in_bucket: bool,
    ) -> Relation:
        """Rates are per series: growth of a counter, a fall counting as a restart from zero, over the time between points.

        With `in_bucket` the point before one is looked for in the same bucket of time alone, else also in the buckets before.
        """
        frame = "ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING"
        hidden = {f"\0key{i}": value for i, (_, value) in enumerate(keys)}
        points = points.with_fields({**points.fields, **hidden, "\0series": time_series(points)}).settled()
        keys = [(name, points.field(f"\0key{i}")) for i, (name, _) in enumerate(keys)]
        value, time, one = points.field("_value"), points.field("_time"), points.field("\0series")
        series = (points.field("metric_name"), one, *(value for name, value in keys if name != "_time" or in_bucket))
        order = ((time, False),)
        over_value = v.Over(Type.FLOAT, v.call("any", value, type=Type.FLOAT), series, order, frame)
        over_time = v.Over(Type.FLOAT, v.call("any", time, type=Type.FLOAT), series, order, frame)
        nth = v.Over(Type.INT, v.call("row_number", type=Type.INT), series, order)
        points, (before, time_before, number) = points.windowed(
            [("before", over_value), ("time_before", over_time), ("nth", nth)]
        )
        first = v.call("equals", number, v.integer(1), type=Type.BOOL)
        fell = v.call("less", value, before, type=Type.BOOL)
        growth = v.choose(fell, value, v.call("minus", value, before, type=Type.FLOAT))
        none = v.Literal(Type.FLOAT, None)
        points = points.with_field("\0growth", v.choose(first, none, growth))
        points = points.with_field("\0elapsed", v.choose(first, none, v.call("minus", time, time_before, type=Type.FLOAT)))
        metric_field, growth, elapsed = points.field("metric_name"), points.field("\0growth"), points.field("\0elapsed")
        per_series: list[tuple[str, Value]] = []
        for i, (_, metric) in enumerate(calls):
            chosen = v.TRUE if metric is None else v.call("equals", metric_field, v.text(metric), type=Type.BOOL)
            total = v.agg("sumIf", growth, v.is_true(chosen), type=Type.FLOAT)
            span = v.agg("sumIf", elapsed, v.is_true(chosen), type=Type.FLOAT)
            rate = v.call("divide", total, v.call("nullIf", span, v.integer(0), type=Type.FLOAT), type=Type.FLOAT)
            per_series.append((f"\0rate{i}", rate))
        grouped = points.aggregated([*keys, ("\0series", one), ("\0metric", metric_field)], per_series)
        keys = [(name, grouped.field(name)) for name, _ in keys]
        functions = {"rate": "avg", "rate_avg": "avg", "rate_sum": "sum"}
        aggregates = []
        for i, (call, _) in enumerate(calls):
            inner = grouped.field(f"\0rate{i}")
            aggregates.append((call.name, v.agg(functions[call.function], inner, type=Type.FLOAT)))
        return grouped.aggregated(keys, aggregates)

    def _prestats(self, points: Relation, calls: list[tuple[AggregateCall, str | None]], context: Context) -> Relation:
        """Partial results for each group, which a `stats`, `chart` or `timechart` that follows finishes."""
        points, keys = self._keys(points, context)
        if any(value.type is Type.NULL for _, value in keys):
            return context.empty()
        conditions = [v.is_present(value) for name, value in keys if name != "_time"]
        metrics = list(dict.fromkeys(metric for _, metric in calls if metric is not None))
        if metrics:
            conditions.append(v.call("in", points.field("metric_name"), v.multi(metrics), type=Type.BOOL))
        points = points.filtered(v.both(conditions))
        time = points.field("_time")
        read: list[tuple[str, str | None, Value | None]] = []
        for call, metric in calls:
            if call.function in ("rate_avg", "rate_sum"):
                raise SearchError(f"{call.function} cannot be kept for later", call.span)
            bare = call.field is None
            read.append(
                (call.function, None if bare else metric or "_value", None if bare else self._argument(points, metric))
            )
        return kept_rows(points, keys, kept(read, AggregateInput(time, time)))

    def _charted(self, found: Relation, context: Context) -> Relation:
        from sightline.search.syntax.parser import parse_pipeline
        from sightline.search.syntax.source import read_source

        split = next((n for n in self.by if n in found.fields), "")
        aggregate = quote_string(self.calls[0].name)
        text = f"search * | timechart span={quote_string(self.span or 'auto')} limit={self.chart_limit}"
        text += f" useother={int(self.chart_useother)} usenull={int(self.chart_usenull)}"
        text += f" nullstr={quote_string(self.chart_nullstr)} otherstr={quote_string(self.chart_otherstr)} sum({aggregate})"
        if split:
            text += f" BY {quote_string(split)}"
            limit = read_limit(self.chart_limit, self.place)
            if limit.value and self.chart_agg.lower() != "sum":
                text += f" {dataclasses.replace(limit, score=self.chart_agg)}"
            value = found.field(split)
            if value.type is Type.TEXT:
                found = found.with_field(split, v.call("nullIf", value, v.text(_ABSENT), type=Type.TEXT))
        return context.subsearch(parse_pipeline(read_source(text)), found)


@command("mcatalog", kind="generating")
@dataclass
class MCatalog(Command):
    """Lists metric names, or the values of dimensions.

    Syntax: mcatalog values(<field>) [AS <name>]... [WHERE <conditions>] [BY <field>...]
    Example: | mcatalog values(metric_name) WHERE index=my_model_metrics

    `values(_dims)` lists the names of dimensions.
    """

    prestats: bool = option(False, help="accepted for compatibility; the rows are the same")
    append: bool = option(False, help="keep the current rows before these")
    calls: list[AggregateCall] = field(default_factory=list)
    predicate: Predicate = field(default_factory=Everything)
    by: list[str] = field(default_factory=list)
    place: Span = field(default=Span(0, 0), compare=False)

    @classmethod
    def read(cls, arguments: Arguments) -> MCatalog:
        place = arguments.stage.name_span
        given = take_options(arguments, cls)
        calls = arguments.aggregate_calls(list(registry.AGGREGATES), ("where", "by", "groupby"))
        for call in calls:
            if call.function != "values" or not call.field:
                raise SearchError(f"only values(<field>) is taken, got {call.function}", call.span)
            if call.field == "_value":
                raise SearchError("values(_value) is not taken: wanted metric_name or a dimension", call.span)
        predicate = read_where(arguments)
        by = arguments.by_clause()
        arguments.finish()
        return cls(calls=calls, predicate=predicate, by=by, place=place, **given)

    def print_arguments(self) -> list[str]:
        parts = [*print_options(self), ", ".join(str(c) for c in self.calls)]
        if not isinstance(self.predicate, Everything):
            parts += ["WHERE", print_predicate(self.predicate)]
        return parts + (["BY", ", ".join(print_name(n) for n in self.by)] if self.by else [])

    def lower(self, relation: Relation, context: Context) -> Relation:
        points, rest = metric_points(self.predicate, context, self.place)
        points = points.filtered(lower_predicate(rest, points, context))
        keys = [(name, points.field(name)) for name in self.by]
        if any(value.type is Type.NULL for _, value in keys):
            return context.empty()
        points = points.filtered(v.both([v.is_present(value) for _, value in keys]))
        aggregates = []
        for call in self.calls:
            if call.field == "_dims":
                names = v.Column(Type.MULTI, DIMENSION_NAMES)
                value: Value = v.call("arraySort", v.agg("groupUniqArrayArray", names, type=Type.MULTI), type=Type.MULTI)
            else:
                entry, _ = find_aggregate("values")
                value = entry.lower(points.field(call.field or ""), AggregateInput(v.integer(0)))
            aggregates.append((call.name, value))
        found = points.aggregated(keys, aggregates).as_table()
        return relation.union([found]) if self.append and relation.fields else found


@command("mpreview", kind="generating", aliases=("msearch",))
@dataclass
class MPreview(Command):
    """Shows metric points one by one, as events.

    Syntax: mpreview [index=<index>] [filter="<conditions>"] [earliest=<time>] [latest=<time>] [target_per_timeseries=<n>]
    Example: | mpreview index=my_model_metrics filter="metric_name=mlops.*"

    The newest points come first, at most `target_per_timeseries` of each series (0 is all). A point has its `metric_name` and
    `_value`, where Splunk's has a field `metric_name:<name>`; `_raw` holds that. Exemplars are in the field `exemplars`, as JSON
    with `trace_id`, `span_id` and `value`: spath input=exemplars path={}.trace_id output=trace_id.
    """

    index: str = option("*", help="metric index, `*` allowed")
    filter: str = option("", help="conditions as in search")
    earliest: str = option("", help="start of the range")
    latest: str = option("", help="end of the range")
    chunk_size: int = option(1000, help="accepted for compatibility; the engine decides how to divide the work")
    target_per_timeseries: int = option(5, minimum=0, help="points of each series; 0 is all")
    splunk_server: str = option("", help="accepted for compatibility; there is one server")
    splunk_server_group: str = option("", help="accepted for compatibility; there is one server")

    def lower(self, relation: Relation, context: Context) -> Relation:
        place = context.stage_span or Span(0, 0)
        from sightline.search.syntax.tokens import word_tokens

        operands: list[Predicate] = [Comparison("index", "=", self.index, place)]
        for name in ("earliest", "latest"):
            if getattr(self, name):
                operands.append(Comparison(name, "=", getattr(self, name), place))
        if self.filter:
            reader = PredicateReader(word_tokens(self.filter, Span(0, len(self.filter)), {}), len(self.filter))
            try:
                operands.append(reader.all_of())
            except SearchError as error:
                raise SearchError(f"filter: {error.message}", place) from None
        points, rest = metric_points(Both(tuple(operands)), context, place)
        points = points.filtered(lower_predicate(rest, points, context))
        dims = v.Column(Type.TEXT, DIMENSIONS)
        if self.target_per_timeseries:
            partition = (points.field("index"), points.field("metric_name"), time_series(points))
            over = v.Over(Type.INT, v.call("row_number", type=Type.INT), partition, points.order)
            points, (number,) = points.windowed([("nth", over)])
            points = points.filtered(v.call("lessOrEquals", number, v.integer(self.target_per_timeseries), type=Type.BOOL))
        raw = v.call(
            "concat",
            v.text('{"metric_name:'), points.field("metric_name"), v.text('":'), v.as_text(points.field("_value")),
            v.text(',"dimensions":'), dims, v.text("}"),
            type=Type.TEXT,
        )  # fmt: skip
        return points.with_field("_raw", raw)
