"""`predict`: a time chart's series carried on, with how far off that may be."""

from __future__ import annotations

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import NormalDist
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline import ml
from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.buckets import TimeBuckets, fitting_buckets
from sightline.search.planner.pivot import one_array
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, check_option, declared_options, option, print_name
from sightline.search.syntax.expressions import quote_string, shown

ALGORITHMS = ("ll", "llt", "llp", "llp5", "llb", "bill")
_TOGETHER = ("llb", "bill")
_BOUND = re.compile(r"(upper|lower)(\d{1,2}(?:\.\d+)?|100)\Z", re.I)
_NATURAL_S = (3600, 86400, 604800)
"""Periods that people's lives have."""


@dataclass(frozen=True)
class Options:
    """How a group of fields is predicted."""

    algorithm: str = option("llp5", choices=ALGORITHMS, help="LL, LLT, LLP, LLP5, LLB or BiLL")
    future_timespan: int = option(-1, minimum=0, help="how many steps to predict: 5, or with LLB what is held back")
    holdback: int = option(0, minimum=0, help="how many of the last rows are not looked at")
    period: int = option(0, minimum=2, help="steps of a season; found out unless given")
    correlate: str = option("", aliases=("correlate_field",), help="the field that LLB predicts from")
    suppress: str = option("", help="a predicted field that is left out")
    upper: tuple[str, str] = ("95", "upper95")
    """Percentage of the upper bound, and the name of its field."""
    lower: tuple[str, str] = ("95", "lower95")

    @property
    def ahead(self) -> int:
        """How many steps to predict after the last row that is looked at."""
        if self.future_timespan >= 0:
            return self.future_timespan
        return self.holdback if self.algorithm == "llb" else 5

    def print(self) -> list[str]:
        """The options as they are written."""
        out = []
        for name, f in declared_options(Options).items():
            value = getattr(self, f.name)
            if value != f.default and name == f.name:
                out.append(f"{name}={quote_string(str(value))}")
        for side in ("upper", "lower"):
            percent, name = getattr(self, side)
            if (percent, name) != ("95", f"{side}95"):
                out.append(f"{side}{percent}={quote_string(name)}")
        return out


@dataclass(frozen=True)
class Series:
    """A field to predict, the name of its prediction, and how."""

    name: str
    target: str
    options: Options

    @property
    def title(self) -> str:
        """The name of the prediction."""
        return self.target or f"prediction({self.name})"

    def bounds(self) -> list[tuple[str, float]]:
        """Names of the lower and the upper bound, with how many standard deviations they are away."""
        found = []
        for side, sign in (("lower", -1), ("upper", 1)):
            percent, name = getattr(self.options, side)
            share = min(float(percent), 99.9999) / 100
            found.append((f"{name}({self.title})", sign * NormalDist().inv_cdf((1 + share) / 2)))
        return found


@command("predict", kind="dataset")
@dataclass
class Predict(Command):
    """Predicts series of a time chart, with the bounds between which the values are expected to lie.

    Syntax: predict (<field> [AS <name>] ... [correlate=<field>] [<option>=<value>]...)...
    Example: index=web earliest=-7d | timechart span=1h count | predict count future_timespan=24

    For a field f the new fields are `prediction(f)`, or the name after AS, and `lower95(prediction(f))` and
    `upper95(prediction(f))`. Each row's prediction is made from the rows before it; `future_timespan` (5) steps are predicted
    after the last row, in rows of their own with a `_time`. `holdback` leaves so many of the last rows out, so that the
    predictions for them can be compared. `upper90=high` makes a bound of 90% named `high(prediction(f))`; `lower` likewise.
    Options that follow fields hold for these fields.

    Models with a hidden state are fitted by maximum likelihood and followed by the Kalman filter. LL: a level that wanders, 2
    values at least. LLT: a level and a slope, 3 values. LLP: a level and a season, two periods; where the rows show no
    period it must be given with `period`. LLP5 (the default): level, slope and season in one model, without a season where
    the rows show none. BiLL: two fields whose levels and noises go together. LLB: one field from another, `correlate`, which
    is also read in the rows that are held back; these are what it predicts unless future_timespan says otherwise.

    Rows are equal steps in the order shown, as timechart gives them. A row without a value counts as missing, and its
    prediction fills it. The first rows, as many as the model needs to begin with, have no prediction.
    """

    reads_options_of = (Options,)

    series: list[Series] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Predict:
        defaults: dict[str, Any] = {}
        groups: list[tuple[list[tuple[str, str]], dict[str, Any]]] = []
        while not arguments.done:
            if arguments.peek(1).is_("="):
                _read_option(arguments, groups[-1][1] if groups else defaults)
            else:
                if not groups or groups[-1][1]:
                    groups.append(([], {}))
                name = arguments.name()
                named = arguments.accept_word("as") is not None
                groups[-1][0].append((name, arguments.name("a name after AS") if named else ""))
            arguments.skip_commas()
        if not groups:
            raise SearchError("a field to predict is expected, got the end", arguments.peek().span)
        series = []
        for names, given in groups:
            options = Options(**(defaults | given))
            _check_group([name for name, _ in names], options)
            series.extend(Series(name, target, options) for name, target in names)
        titles = [one.title for one in series]
        if len(set(titles)) < len(titles):
            raise SearchError("two predictions have the same name, use AS for one of them")
        return cls(series)

    def print_arguments(self) -> list[str]:
        out = []
        for position, one in enumerate(self.series):
            out.append(print_name(one.name) + (f" AS {print_name(one.target)}" if one.target else ""))
            following = self.series[position + 1] if position + 1 < len(self.series) else None
            if following is None or following.options is not one.options:
                # An option of any kind is what ends a group of fields.
                out.extend(one.options.print() or (["future_timespan=5"] if following else []))
        return out

    def lower(self, relation: Relation, context: Context) -> Relation:
        if context.dry:
            return self._planned(relation)
        if not relation.field("_time").type.is_number:
            raise SearchError("predict needs rows with a _time", hint="put timechart before it")
        wanted = [name for one in self.series for name in (one.name, one.options.correlate) if name]
        for name in wanted:
            if relation.field(name).type is Type.NULL:
                raise SearchError(f'no row has the field "{name}"', hint=f"the rows have: {', '.join(_shown(relation))}")
        for name in dict.fromkeys(wanted):
            relation = relation.with_field(f"\0{name}", v.as_float(relation.field(name)))
        table = context.table_of(relation)
        return context.relation_of(context.python_step("predict", lambda: self._predicted(table, context)))

    def _planned(self, relation: Relation) -> Relation:
        for one in self.series:
            for name in (one.title, *(bound for bound, _ in one.bounds())):
                relation = relation.with_fields({**relation.fields, name: v.Literal(Type.FLOAT, None)})
        return relation

    def _predicted(self, table: pa.Table, context: Context) -> pa.Table:
        table = table.filter(pc.is_valid(table["_time"]))
        columns = {name: one_array(table[name]) for name in table.column_names if not name.startswith("\0")}
        if not table.num_rows:
            return pa.table(columns)
        times = np.asarray(table["_time"], dtype=np.float64)
        buckets = _steps_of(times, table, context)
        new: list[tuple[str, np.ndarray]] = []
        done: set[int] = set()
        for position, one in enumerate(self.series):
            if position in done:
                continue
            partner = position + 1 if one.options.algorithm == "bill" else None
            pair = [one] if partner is None else [one, self.series[partner]]
            done.update(range(position, position + len(pair)))
            numbers = [_numbers(table, each.name) for each in pair]
            for each, forecast in zip(pair, self._forecasts(one.options, pair, numbers, table, buckets), strict=True):
                if each.name == each.options.suppress or each.title == each.options.suppress:
                    continue
                new.append((each.title, forecast.mean))
                new.extend((name, forecast.bound(deviations)) for name, deviations in each.bounds())
        rows = max([table.num_rows, *(len(values) for _, values in new)])
        return pa.table(_extended(columns, rows, buckets) | {name: _padded(values, rows) for name, values in new})

    @staticmethod
    def _forecasts(
        options: Options, pair: Sequence[Series], numbers: Sequence[np.ndarray], table: pa.Table, buckets: TimeBuckets
    ) -> list[ml.Forecast]:
        """Forecasts of one field, or of two together."""
        algorithm, used = options.algorithm, len(numbers[0]) - options.holdback
        seen = [values[: max(used, 0)] for values in numbers]
        needed = {"llt": 3}.get(algorithm, 2)
        for one, values in zip(pair, seen, strict=True):
            count = int(np.count_nonzero(~np.isnan(values)))
            if count < needed:
                held = f" before the {options.holdback:,} that are held back" if options.holdback else ""
                raise SearchError(f'{algorithm.upper()} needs {needed} values of "{one.name}" or more, got {count}{held}')
        if algorithm == "bill":
            return list(ml.forecast_together(seen[0], seen[1], options.ahead))
        if algorithm == "llb":
            correlate = _numbers(table, options.correlate)
            known = np.concatenate([seen[0], np.full(options.holdback, np.nan)])
            beyond = max(options.ahead - options.holdback, 0)
            first, _ = ml.forecast_together(known, correlate, beyond, second_is_known=True)
            length = max(used + options.ahead, 0)
            return [ml.Forecast(first.mean[:length], first.variance[:length])]
        period = _period(options, pair[0].name, seen[0], buckets) if algorithm in ("llp", "llp5") else 0
        slope = algorithm in ("llt", "llp5") and np.count_nonzero(~np.isnan(seen[0])) > 2
        return [ml.forecast(seen[0], options.ahead, slope=bool(slope), period=period)]


def _shown(relation: Relation) -> list[str]:
    return [name for name in relation.fields if not name.startswith("_")][:20]


def _read_option(arguments: Arguments, found: dict[str, Any]) -> None:
    token = arguments.peek()
    match = _BOUND.match(token.text)
    if match:
        arguments.position += 2
        value = arguments.name("a name")
        side = match.group(1).lower()
        if side in found:
            raise SearchError(f'"{side}" is given twice', token.span)
        found[side] = (match.group(2), value)
        return
    declared = declared_options(Options)
    f = declared.get(token.text.lower())
    if f is None:
        wanted = ", ".join([*declared, "upper<percent>", "lower<percent>"])
        raise SearchError(f"there is no option {shown(token)}, wanted one of: {wanted}", token.span)
    if f.name in found:
        raise SearchError(f'"{token.text}" is given twice', token.span)
    arguments.position += 2
    value_token = arguments.peek()
    found[f.name] = check_option(f, token.text, arguments.name("a value"), value_token.span)


def _check_group(names: Sequence[str], options: Options) -> None:
    if options.algorithm == "llb" and not options.correlate:
        raise SearchError("LLB needs the field to predict from: correlate=<field>")
    if options.correlate and options.algorithm != "llb":
        raise SearchError(f"correlate is for LLB only, the algorithm is {options.algorithm.upper()}")
    if options.algorithm == "bill" and len(names) != 2:
        raise SearchError(f"BiLL predicts two fields together, got {len(names)}")
    if options.algorithm == "llb" and len(names) != 1:
        raise SearchError(f"LLB predicts one field, got {len(names)}")
    if options.period and options.algorithm not in ("llp", "llp5"):
        raise SearchError(f"period is for LLP and LLP5, the algorithm is {options.algorithm.upper()}")


def _numbers(table: pa.Table, name: str) -> np.ndarray:
    column = one_array(table[f"\0{name}"])
    return np.asarray(column.to_numpy(zero_copy_only=False), dtype=np.float64)


def _period(options: Options, name: str, values: np.ndarray, buckets: TimeBuckets) -> int:
    """The period of a series in steps, 0 for none."""
    if options.period:
        if len(values) < 2 * options.period:
            raise SearchError(
                f"a period of {options.period} needs {2 * options.period:,} rows or more, got {len(values):,}",
                hint="search a longer range, or take a shorter period",
            )
        return options.period
    span_s = buckets.span.seconds
    usual = [round(natural / span_s) for natural in _NATURAL_S if natural % span_s == 0] if span_s else [12]
    found = ml.find_period(values, usual=[period for period in usual if period >= 2])
    if found is None and options.algorithm == "llp":
        raise SearchError(f'"{name}" shows no period', hint="give one with period=, or use LLT")
    return found or 0


def _steps_of(times: np.ndarray, table: pa.Table, context: Context) -> TimeBuckets:
    """The buckets that the rows stand for."""
    spans = np.asarray(table["_span"].drop_null(), dtype=np.float64) if "_span" in table.column_names else np.empty(0)
    if len(spans):
        span_s = float(np.median(spans))
    else:
        span_s = float(np.median(np.diff(times))) if len(times) > 1 else 1.0
    if span_s <= 0:
        raise SearchError("predict needs rows in ascending order of _time", hint="put timechart before it")
    return fitting_buckets(times.tolist(), span_s, context.zone)


def _extended(columns: dict[str, pa.Array], rows: int, buckets: TimeBuckets) -> dict[str, pa.Array]:
    """The columns with rows for the steps to come."""
    times = columns["_time"].to_pylist()
    while len(times) < rows:
        times.append(buckets.next(times[-1]))
    added = rows - len(columns["_time"])
    out = {}
    for name, column in columns.items():
        if name == "_time":
            whole = all(float(moment).is_integer() for moment in times)
            out[name] = pa.array([int(t) for t in times] if whole else times)
        elif name == "_span" and added:
            following = [buckets.next(moment) - moment for moment in times[-added:]]
            out[name] = pa.concat_arrays(
                [column, pa.array([math.floor(s) for s in following], pa.int64()).cast(column.type)]
            )
        else:
            out[name] = pa.concat_arrays([column, pa.nulls(added, column.type)])
    return out


def _padded(values: np.ndarray, rows: int) -> pa.Array:
    """Values as a column of so many rows, with nothing where they are not numbers."""
    padded = np.full(rows, np.nan)
    padded[: len(values)] = values
    return pa.array(padded, mask=~np.isfinite(padded))
