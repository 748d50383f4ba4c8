"""`anomalydetection`, `anomalousvalue` and `outlier`: rows whose values are rare, or far from the others."""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.field_values import by_value, chosen_fields, named, numeric_fields, whole_text
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Over, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options

_NO_FLOAT = v.Literal(Type.FLOAT, None)
_SURE = 1e-12
"""Taken off a quantile's level, so that the engine takes the nearest rank."""
MOST_BINS = 1000
"""Bins of a histogram at most."""


class _OfFields(Command):
    """What the three commands share: options and a list of fields in any order."""

    names: list[str]

    @classmethod
    def read(cls, arguments: Arguments) -> _OfFields:
        names, found = arguments.names_with_options(cls)
        return cls(names=names, **found)  # type: ignore[call-arg]

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *(print_name(name) for name in self.names)]


# ---- far from the others ---------------------------------------------------------------------------------------------


@command("outlier", kind="dataset")
@dataclass
class Outlier(_OfFields):
    """Removes rows whose numbers lie far outside of most others, or pulls these numbers in.

    Syntax: outlier [action=transform|remove] [param=<number>] [uselower=<bool>] [mark=<bool>] [type=iqr] [<field>...]
    Example: index=web | timechart span=1h max(duration_ms) | outlier action=remove

    A number is too large when it is above the third quartile by more than `param` (2.5) times the distance between first
    and third quartile, and with `uselower=true` too small when it is below the first quartile by as much. `transform` (or
    tf, the default) puts the limit in its place, with 000 in front where `mark=true`; `remove` (rm) leaves out rows with
    such a number. Without a list all fields of numbers are looked at that do not begin with an underscore. Values that are
    no numbers stay.
    """

    action: str = option("transform", choices=("transform", "tf", "remove", "rm"), help="what becomes of such numbers")
    param: float = option(2.5, minimum=0, help="how many interquartile ranges away a limit is")
    uselower: bool = option(False, help="look for numbers that are too small as well")
    mark: bool = option(False, help="put 000 in front of the limits that are put in")
    type: str = option("iqr", choices=("iqr",), help="how limits are found")
    names: list[str] = field(default_factory=list)

    def lower(self, relation: Relation, context: Context) -> Relation:
        return within_limits(
            relation, self.names, context, param=self.param, lower=self.uselower, mark=self.mark,
            remove=self.action in ("remove", "rm"),
        )  # fmt: skip


def within_limits(
    relation: Relation, patterns: Sequence[str], context: Context, *, param: float, lower: bool, mark: bool, remove: bool
) -> Relation:
    """The rows whose numbers lie within the limits, or all rows with these numbers pulled in."""
    names = patterns or numeric_fields(relation, chosen_fields(relation, patterns), context)
    numbers = {name: v.as_float(relation.field(name)) for name in names}
    numbers = {name: value for name, value in numbers.items() if not isinstance(value, v.Literal)}
    windows = [(name, _quantile(value, level)) for name, value in numbers.items() for level in (0.25, 0.75)]
    relation, made = relation.windowed(windows)
    outside: list[Value] = []
    changed: dict[str, Value] = {}
    for position, (name, number) in enumerate(numbers.items()):
        first, third = made[2 * position : 2 * position + 2]
        reach = _times(v.call("minus", third, first, type=Type.FLOAT), v.real(param))
        high = v.call("plus", third, reach, type=Type.FLOAT)
        low = v.call("minus", first, reach, type=Type.FLOAT)
        above = v.is_true(v.call("greater", number, high, type=Type.BOOL))
        below = v.is_true(v.call("less", number, low, type=Type.BOOL)) if lower else v.FALSE
        outside.extend([above, below] if lower else [above])
        if not remove:
            value, limit = relation.field(name), v.choose(above, high, low) if lower else high
            if mark:
                limit = v.call("concat", v.text("000"), v.as_text(limit), type=Type.TEXT)
            changed[name] = v.choose(v.either([above, below]) if lower else above, limit, value)
    relation = relation.with_fields(relation.fields | changed)
    return relation.filtered(v.negation(v.either(outside))) if remove and outside else relation


def _quantile(value: Value, level: float) -> Over:
    called = v.call("quantileExactOrNull", value, type=Type.FLOAT, parameters=(level - _SURE,))
    return Over(Type.FLOAT, called)


def _times(left: Value, right: Value) -> Value:
    return v.call("multiply", left, right, type=Type.FLOAT)


# ---- rare or far, field by field -------------------------------------------------------------------------------------


@dataclass
class _Thresholds:
    """What decides which fields are looked at, and how rare a value must be."""

    minsupcount: int = option(100, minimum=0, help="rows that must have a field")
    minsupfreq: float = option(0.05, minimum=0, help="share of the rows that must have a field")
    maxanofreq: float = option(0.05, minimum=0, help="share of a field's values that may be anomalous at most")
    minnormfreq: float = option(0.01, minimum=0, help="share of a field's values that must be anomalous at least")


@command("anomalousvalue", kind="dataset")
@dataclass
class AnomalousValue(_OfFields, _Thresholds):
    """Finds values that are rare, and numbers that are far from the mean, field by field.

    Syntax: anomalousvalue [action=filter|annotate|summary] [pthresh=<number>] [minsupcount=<number>] [minsupfreq=<number>]
        [maxanofreq=<number>] [minnormfreq=<number>] [<field>...]
    Example: index=web | anomalousvalue action=annotate pthresh=0.02 status uri duration_ms

    A value is anomalous when its share of the field's values is below `pthresh` (0.01); the share is the row's
    `Anomaly_Score_Cat(field)`. In a field of numbers a number is so as well when the chance of one that far from the mean,
    were they distributed normally, is below it; the chance is `Anomaly_Score_Num(field)`. A field counts only if it is
    there often enough (`minsupcount`, `minsupfreq`) and the share of its anomalous values is not above `maxanofreq` and not
    below `minnormfreq`. `filter` keeps the rows with an anomalous value, `annotate` all rows; only anomalous values get a
    score. `summary` gives a row of these shares for each field. A multivalue is one value as a whole.
    """

    action: str = option("filter", choices=("annotate", "filter", "summary"), help="what to give back")
    pthresh: float = option(0.01, minimum=0, help="chance below which a value is anomalous")
    names: list[str] = field(default_factory=list)

    def lower(self, relation: Relation, context: Context) -> Relation:
        return anomalous_values(relation, self.names, self.action, self.pthresh, self, context)


def anomalous_values(
    relation: Relation, patterns: Sequence[str], action: str, threshold: float, limits: _Thresholds, context: Context
) -> Relation:
    """The rows with anomalous values, all rows with scores, or a summary of the fields."""
    names = chosen_fields(relation, patterns)
    texts = relation
    for name in names:
        if relation.field(name).type is Type.MULTI:
            texts = texts.with_field(name, whole_text(relation.field(name)))
    summary = _summary(texts, names, threshold, limits)
    if action == "summary":
        return summary
    scores: dict[str, Value] = {}
    for row in context.table_of(summary).to_pylist():
        name = row["fieldname"]
        if row["useCat"] == "YES":
            relation, share = _share_of_value(relation, texts.field(name))
            rare = v.is_true(v.call("less", share, v.real(threshold), type=Type.BOOL))
            scores[f"Anomaly_Score_Cat({name})"] = v.choose(rare, share, _NO_FLOAT)
        if row["useNum"] == "YES":
            chance = _chance(v.as_float(texts.field(name)), v.real(row["mean"]), v.real(row["stdev"]))
            far = v.is_true(v.call("less", chance, v.real(threshold), type=Type.BOOL))
            scores[f"Anomaly_Score_Num({name})"] = v.choose(far, chance, _NO_FLOAT)
    relation = relation.with_fields(relation.fields | scores)
    if action == "annotate":
        return relation
    return relation.filtered(v.either([v.is_present(relation.field(name)) for name in scores]))


def _share_of_value(relation: Relation, text: Value) -> tuple[Relation, Value]:
    """The share of a field's values that equal the row's."""
    same = Over(Type.INT, v.call("count", text, type=Type.INT), (text,))
    every = Over(Type.INT, v.call("count", text, type=Type.INT))
    relation, (equal, total) = relation.windowed([("equal", same), ("total", every)])
    share = v.call("divide", equal, total, type=Type.FLOAT)
    return relation, v.choose(v.is_present(text), share, _NO_FLOAT)


def _chance(number: Value, mean: Value, deviation: Value) -> Value:
    """The chance that a normally distributed number lies that far from the mean, or further."""
    off = v.call("abs", v.call("minus", number, mean, type=Type.FLOAT), type=Type.FLOAT)
    usual = v.call("nullIf", _times(deviation, v.real(math.sqrt(2))), v.real(0), type=Type.FLOAT)
    chance = v.call("erfc", v.call("divide", off, usual, type=Type.FLOAT), type=Type.FLOAT)
    return v.call(
        "if", v.is_present(number), v.call("ifNull", chance, v.real(1), type=Type.FLOAT), _NO_FLOAT, type=Type.FLOAT
    )


def _summary(relation: Relation, names: Sequence[str], threshold: float, limits: _Thresholds) -> Relation:
    """A row of shares for each field."""
    everywhere = "\0row"
    marked = relation.with_fields({**relation.fields, everywhere: v.text("")})
    values = by_value(marked, [*names, everywhere])
    number, times = values.field("number"), values.field("occurrences")
    numeric = v.as_float(values.field("value"))
    counted = v.call("if", v.is_present(numeric), times, v.Literal(Type.INT, None), type=Type.INT)

    def sum_of(value: Value, partition: tuple[Value, ...]) -> tuple[str, Over]:
        return "sum", Over(Type.FLOAT, v.call("sum", value, type=Type.FLOAT), partition)

    of_rows = v.call("equals", number, v.integer(len(names)), type=Type.BOOL)
    of_row = v.call("if", of_rows, times, v.call("toInt64", v.integer(0), type=Type.INT), type=Type.INT)
    values, (rows, total, sum_, numbers) = values.windowed(
        [
            sum_of(of_row, ()),
            sum_of(times, (number,)),
            sum_of(_times(numeric, counted), (number,)),
            sum_of(counted, (number,)),
        ]
    )
    mean = v.call("divide", sum_, numbers, type=Type.FLOAT)
    off = v.call("minus", numeric, mean, type=Type.FLOAT)
    values, (squares,) = values.windowed([sum_of(_times(_times(off, off), counted), (number,))])
    others = v.call("greatest", v.call("minus", numbers, v.integer(1), type=Type.FLOAT), v.integer(1), type=Type.FLOAT)
    deviation = v.call("sqrt", v.call("divide", squares, others, type=Type.FLOAT), type=Type.FLOAT)
    share = v.call("divide", times, total, type=Type.FLOAT)
    rare = v.call("less", share, v.real(threshold), type=Type.BOOL)
    far = v.is_true(v.call("less", _chance(numeric, mean, deviation), v.real(threshold), type=Type.BOOL))

    def percent(of: Value, base: Value) -> Value:
        return v.call("divide", _times(of, v.real(100)), base, type=Type.FLOAT)

    def occurrences_if(condition: Value) -> Value:
        return v.call("toFloat64", v.agg("sumIf", times, condition, type=Type.INT), type=Type.FLOAT)

    one_total = v.agg("any", total, type=Type.FLOAT)
    all_numbers = v.call(
        "equals",
        v.call("ifNull", v.agg("any", numbers, type=Type.INT), v.integer(0), type=Type.INT),
        one_total,
        type=Type.BOOL,
    )
    aggregated = values.aggregated(
        [("number", number)],
        [
            ("count", v.call("toInt64", one_total, type=Type.INT)),
            ("distinct_count", v.call("toInt64", v.agg("count", type=Type.INT), type=Type.INT)),
            ("mean", v.agg("any", mean, type=Type.FLOAT)),
            ("stdev", v.agg("any", deviation, type=Type.FLOAT)),
            ("supportFreq%", percent(one_total, v.agg("any", rows, type=Type.FLOAT))),
            ("catAnoFreq%", percent(occurrences_if(rare), one_total)),
            ("numAnoFreq%", percent(occurrences_if(far), one_total)),
            ("\0numeric", all_numbers),
        ],
    )
    aggregated = aggregated.filtered(v.call("less", aggregated.field("number"), v.integer(len(names)), type=Type.BOOL))
    return _with_decisions(aggregated, names, limits)


def _with_decisions(summary: Relation, names: Sequence[str], limits: _Thresholds) -> Relation:
    """The summary with which tests are used for which field."""

    def at_least(name: str, least: float) -> Value:
        return v.call("greaterOrEquals", summary.field(name), v.real(least), type=Type.BOOL)

    def word(condition: Value) -> Value:
        return v.call("if", condition, v.text("YES"), v.text("NO"), type=Type.TEXT)

    supported = [at_least("count", limits.minsupcount), at_least("supportFreq%", 100 * limits.minsupfreq)]
    is_number = summary.field("\0numeric")
    used = {}
    for kind in ("cat", "num"):
        share = summary.field(f"{kind}AnoFreq%")
        few = v.call("lessOrEquals", share, v.real(100 * limits.maxanofreq), type=Type.BOOL)
        used[kind] = v.both([*supported, few, at_least(f"{kind}AnoFreq%", 100 * limits.minnormfreq)])
    usual = v.call("minus", v.real(100), summary.field("catAnoFreq%"), type=Type.FLOAT)

    def of_numbers(name: str) -> Value:
        return v.choose(is_number, summary.field(name), _NO_FLOAT)

    fields = {
        "fieldname": named(summary.field("number"), names),
        "count": summary.field("count"),
        "distinct_count": summary.field("distinct_count"),
        "mean": of_numbers("mean"),
        "stdev": of_numbers("stdev"),
        "supportFreq%": summary.field("supportFreq%"),
        "catAnoFreq%": summary.field("catAnoFreq%"),
        "catNormFreq%": usual,
        "numAnoFreq%": of_numbers("numAnoFreq%"),
        "isNum": word(is_number),
        "useCat": word(used["cat"]),
        "useNum": word(v.both([is_number, used["num"]])),
    }
    summary = summary.with_fields(fields)
    return dataclasses.replace(summary, order=((summary.field("fieldname"), False),), kind="table")


# ---- rare as a whole -------------------------------------------------------------------------------------------------


@command("anomalydetection", kind="dataset")
@dataclass
class AnomalyDetection(_OfFields, _Thresholds):
    """Finds rows that are improbable: those whose values are rare together.

    Syntax: anomalydetection [method=histogram|zscore|iqr] [action=filter|annotate|summary|transform|remove]
        [pthresh=<number>] [cutoff=<bool>] [<field>...]
    Example: index=web | anomalydetection action=annotate host status uri duration_ms

    `histogram`, the default method, takes a row's probability as the product of the shares of its values; numbers are
    counted in the bins of a histogram. A row is an anomaly when the logarithm of its probability is below
    Q1 - 1.5 * (Q3 - Q1), the quartiles being those of all rows, with `cutoff=true` (the default) below Q1 - 3 * (Q3 - Q1),
    or below the logarithm of `pthresh` where that is given. `filter` keeps the anomalies, `annotate` all rows. Both add
    `log_event_prob`, the field whose value is rarest as `probable_cause`, with `probable_cause_value` and
    `probable_cause_freq`, and the share of the most frequent value as `max_freq`. `summary` gives one row with the number
    of anomalies, the threshold and quartiles. A field that a row lacks counts for nothing; a multivalue is one value.

    `zscore` is anomalousvalue and takes its options; `iqr` is outlier and takes its options.
    """

    method: str = option("histogram", choices=("histogram", "zscore", "iqr"), help="how anomalies are found")
    action: str = option(
        "",
        choices=("filter", "annotate", "summary", "transform", "tf", "remove", "rm"),
        help="what to give back; filter, or with iqr transform, unless given",
    )
    pthresh: float = option(-1.0, minimum=0, help="probability below which a row, or value, is an anomaly")
    cutoff: bool = option(True, help="find fewer anomalies")
    param: float = option(2.5, minimum=0, help="with iqr: how many interquartile ranges away a limit is")
    uselower: bool = option(False, help="with iqr: look for numbers that are too small as well")
    mark: bool = option(False, help="with iqr: put 000 in front of the limits that are put in")
    names: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> AnomalyDetection:
        names, found = arguments.names_with_options(cls)
        given: dict[str, Any] = found
        method, action = given.get("method", "histogram"), given.get("action", "")
        actions = ("transform", "tf", "remove", "rm") if method == "iqr" else ("filter", "annotate", "summary")
        if action and action not in actions:
            raise SearchError(f"the method {method} has the actions {', '.join(actions)}, got {action}")
        thresholds = {f.name for f in dataclasses.fields(_Thresholds)}
        takes = {
            "histogram": {"pthresh", "cutoff"},
            "zscore": {"pthresh", *thresholds},
            "iqr": {"param", "uselower", "mark"},
        }
        for name in given:
            if name not in ("method", "action", *takes[method]):
                raise SearchError(
                    f"the method {method} has no option {name}, wanted one of: {', '.join(sorted(takes[method]))}"
                )
        return cls(names=names, **given)

    def lower(self, relation: Relation, context: Context) -> Relation:
        if self.method == "iqr":
            return within_limits(
                relation, self.names, context, param=self.param, lower=self.uselower, mark=self.mark,
                remove=self.action in ("remove", "rm"),
            )  # fmt: skip
        if self.method == "zscore":
            threshold = 0.01 if self.pthresh < 0 else self.pthresh
            return anomalous_values(relation, self.names, self.action or "filter", threshold, self, context)
        return self._improbable(relation, context)

    def _improbable(self, relation: Relation, context: Context) -> Relation:
        names = chosen_fields(relation, self.names)
        keys = _histogram_keys(relation, names, context)
        if not keys:
            raise SearchError("there is no field to look at")
        rows = Over(Type.INT, v.call("count", type=Type.INT))
        same = [(name, Over(Type.INT, v.call("count", key, type=Type.INT), (key,))) for name, key in keys.items()]
        fields = relation.fields
        relation, (total, *equal) = relation.windowed([("rows", rows), *same])
        shares: list[tuple[str, Value, Value]] = []
        for (name, key), count in zip(keys.items(), equal, strict=True):
            share = v.call("divide", count, total, type=Type.FLOAT)
            shares.append((name, v.choose(v.is_present(key), share, _NO_FLOAT), whole_text(fields[name])))
        logarithms = [
            v.call("ifNull", v.call("log", share, type=Type.FLOAT), v.real(0), type=Type.FLOAT) for _, share, _ in shares
        ]
        logarithm = logarithms[0]
        for one in logarithms[1:]:
            logarithm = v.call("plus", logarithm, one, type=Type.FLOAT)
        made = {"log_event_prob": logarithm, "\0rarest": _rarest(shares), "\0most": _most(shares)}
        relation = relation.with_fields(fields | made).settled()
        probability = relation.field("log_event_prob")
        relation, (first, third) = relation.windowed(
            [("q1", _quantile(probability, 0.25)), ("q3", _quantile(probability, 0.75))]
        )
        threshold = self._threshold(first, third)
        anomalous = v.is_true(v.call("less", probability, threshold, type=Type.BOOL))
        if self.action == "summary":
            return self._summarised(relation, probability, anomalous, threshold, first, third)
        rarest = relation.field("\0rarest")

        def part(position: int, type: Type) -> Value:
            return v.call("tupleElement", rarest, v.integer(position), type=type)

        known = v.call("lessOrEquals", part(1, Type.FLOAT), v.real(1), type=Type.BOOL)
        added = {
            "log_event_prob": probability,
            "max_freq": v.choose(known, relation.field("\0most"), _NO_FLOAT),
            "probable_cause": v.choose(known, part(2, Type.TEXT), v.Literal(Type.TEXT, None)),
            "probable_cause_freq": v.choose(known, part(1, Type.FLOAT), _NO_FLOAT),
            "probable_cause_value": v.choose(known, part(3, Type.TEXT), v.Literal(Type.TEXT, None)),
        }
        kept = {name: value for name, value in relation.fields.items() if not name.startswith("\0")}
        relation = relation if self.action == "annotate" else relation.filtered(anomalous)
        return relation.with_fields(kept | added)

    def _threshold(self, first: Value, third: Value) -> Value:
        if self.pthresh >= 0:
            return v.real(math.log(self.pthresh)) if self.pthresh else v.real(-1e300)
        reach = _times(v.call("minus", third, first, type=Type.FLOAT), v.real(3.0 if self.cutoff else 1.5))
        return v.call("minus", first, reach, type=Type.FLOAT)

    def _summarised(
        self, relation: Relation, probability: Value, anomalous: Value, threshold: Value, first: Value, third: Value
    ) -> Relation:
        aggregated = relation.aggregated(
            [],
            [
                ("num_anomalies", v.call("toInt64", v.agg("countIf", anomalous, type=Type.INT), type=Type.INT)),
                ("thresh", v.agg("anyOrNull", threshold, type=Type.FLOAT)),
                ("max_logprob", v.agg("maxOrNull", probability, type=Type.FLOAT)),
                ("min_logprob", v.agg("minOrNull", probability, type=Type.FLOAT)),
                ("1st_quartile", v.agg("anyOrNull", first, type=Type.FLOAT)),
                ("3rd_quartile", v.agg("anyOrNull", third, type=Type.FLOAT)),
            ],
        )
        return aggregated.as_table()


def _histogram_keys(relation: Relation, names: Sequence[str], context: Context) -> dict[str, Value]:
    """What a field's values are counted by: the values, or for numbers the bin that each lies in."""
    numeric = set(numeric_fields(relation, names, context))
    numbers = {name: v.as_float(relation.field(name)) for name in names if name in numeric}
    numbers = {name: value for name, value in numbers.items() if not isinstance(value, v.Literal)}
    extents: list[tuple[str, Value]] = []
    for position, value in enumerate(numbers.values()):
        extents.append((f"n{position}", v.agg("count", value, type=Type.INT)))
        for which, function in (("low", "minOrNull"), ("high", "maxOrNull")):
            extents.append((f"{which}{position}", v.agg(function, value, type=Type.FLOAT)))
        for level in (0.25, 0.75):
            quantile = v.agg("quantileExactOrNull", value, type=Type.FLOAT, parameters=(level - _SURE,))
            extents.append((f"q{level}{position}", quantile))
    table = context.table_of(relation.aggregated([], extents)) if extents else None
    keys: dict[str, Value] = {}
    for name in names:
        value = relation.field(name)
        if name not in numbers or table is None or not table.num_rows:
            keys[name] = whole_text(value)
            continue
        position = list(numbers).index(name)
        n, low, high, first, third = (
            table[f"{which}{position}"][0].as_py() for which in ("n", "low", "high", "q0.25", "q0.75")
        )
        width = bin_width(n, low, high, first, third)
        steps = v.call(
            "divide", v.call("minus", numbers[name], v.real(low or 0), type=Type.FLOAT), v.real(width), type=Type.FLOAT
        )
        keys[name] = v.call("floor", steps, type=Type.FLOAT)
    return keys


def bin_width(count: int, low: float, high: float, first: float, third: float) -> float:
    """The width of a histogram's bins by the rule of Freedman and Diaconis; the quartiles being equal, by the square root."""
    if not count or high <= low:
        return 1.0
    width = 2 * (third - first) / count ** (1 / 3) if third > first else (high - low) / math.ceil(math.sqrt(count))
    return max(width, (high - low) / MOST_BINS)


def _rarest(shares: Sequence[tuple[str, Value, Value]]) -> Value:
    """(share, field, value) of the rarest value of a row; of equally rare ones the first. Without any the share is above 1."""
    never = v.real(2)
    tuples = []
    for name, share, text in shares:
        sure = v.call("assumeNotNull", v.call("ifNull", share, never, type=Type.FLOAT), type=Type.FLOAT)
        tuples.append(v.call("tuple", sure, v.text(name), text, type=Type.TEXT))
    item = v.Column(Type.TEXT, "item")
    by_share = v.Lambda(Type.FLOAT, ("item",), v.call("tupleElement", item, v.integer(1), type=Type.FLOAT))
    ordered = v.call("arraySort", by_share, v.call("array", *tuples, type=Type.MULTI), type=Type.MULTI)
    return v.call("arrayElement", ordered, v.integer(1), type=Type.TEXT)


def _most(shares: Sequence[tuple[str, Value, Value]]) -> Value:
    """The share of the most frequent value of a row."""
    present = [v.call("ifNull", share, v.real(0), type=Type.FLOAT) for _, share, _ in shares]
    return v.call("arrayMax", v.call("array", *present, type=Type.MULTI), type=Type.FLOAT)
