"""Aggregates in two steps: what is kept of a group of rows, and how a later `stats`, `chart` or `timechart` finishes it.

`tstats prestats=true`, `mstats prestats=true` and `sistats` with its siblings give rows of partial results: the BY fields
and, in fields that begin with `psrsvd_`, what the aggregates need. A summary index may hold such rows beside ordinary
events, so a finishing aggregate looks at every row: one with `psrsvd_v` counts for what was kept in it, another for itself.

The letters of a field name say what is kept: `gc` rows; of a field, which is named behind them: `ct` values, `nc` numbers,
`sm` their sum, `ss` the sum of their squares, `sd` the sum of squared distances from their mean, `nn` and `nx` the least
and the greatest number, `sn` and `sx` the first and the last value in the order of `min` and `max`, `vs` the set of values,
`vm` values with how often each occurs (`3:some value`), `li` all values in order, `fi` and `la` the first and the last by
order, `ev` and `lv` by time with the times `et` and `lt`, and `en`, `em`, `ln`, `lm` the same for numbers only.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Sequence

from sightline.errors import SearchError
from sightline.search import registry
from sightline.search.functions import AggregateInput
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Column, Lambda, Type, Value

PREFIX = "psrsvd_"
VERSION = PREFIX + "v"
ROWS = PREFIX + "gc"

_MOMENTS = ("nc", "sm", "sd")
_KEPT: dict[str, tuple[str, ...]] = {
    "count": ("ct",), "c": ("ct",), "sum": ("sm",), "sumsq": ("ss",), "avg": ("nc", "sm"), "mean": ("nc", "sm"),
    "stdev": _MOMENTS, "stdevp": _MOMENTS, "var": _MOMENTS, "varp": _MOMENTS, "min": ("sn",), "max": ("sx",),
    "range": ("nn", "nx"), "dc": ("vs",), "distinct_count": ("vs",), "estdc": ("vs",), "estdc_error": ("vs",),
    "values": ("vs",), "mode": ("vm",), "median": ("vm",), "perc": ("vm",), "p": ("vm",), "exactperc": ("vm",),
    "upperperc": ("vm",), "list": ("li",), "first": ("fi",), "last": ("la",), "earliest": ("ev", "et"),
    "latest": ("lv", "lt"), "earliest_time": ("et",), "latest_time": ("lt",), "rate": ("en", "em", "ln", "lm"),
    "per_second": ("sm",), "per_minute": ("sm",), "per_hour": ("sm",), "per_day": ("sm",),
}  # fmt: skip
"""What each aggregate needs."""
_UNITS_S = {"per_second": 1, "per_minute": 60, "per_hour": 3600, "per_day": 86400}
_STEP = 1e-10
"""Taken off a level times a weight, so that 0.07 * 100 = 7.000000000000001 still is the seventh."""


def is_partial(relation: Relation) -> bool:
    """Whether rows of partial results may be among the rows."""
    return relation.fields.get(VERSION, v.NULL).type is not Type.NULL


def is_partial_field(name: str) -> bool:
    """Whether a field holds partial results, which no wildcard means."""
    return name.startswith(PREFIX)


# ---- the first step --------------------------------------------------------------------------------------------------


def kept(calls: Iterable[tuple[str, str | None, Value | None]], rows: AggregateInput) -> list[tuple[str, Value]]:
    """The fields that keep what aggregates need of a group, each a value that holds aggregate calls.

    A call is the aggregate's name, the name of what it reads (None for a bare `count`) and its value. Raises SearchError
    for an aggregate that cannot be finished later.
    """
    found: dict[str, Value] = {}
    for function, name, argument in calls:
        if name is None or argument is None:
            if function not in ("count", "c"):
                raise SearchError(f"{function} wants a field")
            found[ROWS] = registry.AGGREGATES["count"].lower(None, rows)
            continue
        if function not in _KEPT:
            wanted = ", ".join(sorted(_KEPT))
            raise SearchError(f"{function} cannot be kept for later, wanted one of: {wanted}")
        for letters in _KEPT[function]:
            found.setdefault(f"{PREFIX}{letters}_{name}", _kept_value(letters, argument, rows))
    return list(found.items())


def kept_rows(relation: Relation, keys: Sequence[tuple[str, Value]], fields: Sequence[tuple[str, Value]]) -> Relation:
    """The partial results of each group."""
    found = relation.aggregated(keys, fields)
    named = [name for name, _ in keys]
    made = {name: value for name, value in found.fields.items() if name not in named}
    return found.with_fields({**{name: found.fields[name] for name in named}, VERSION: v.integer(1), **made})


_BY_AGGREGATE = {
    "ct": "count", "sm": "sum", "ss": "sumsq", "sn": "min", "sx": "max", "vs": "values", "li": "list", "fi": "first",
    "la": "last", "ev": "earliest", "lv": "latest", "et": "earliest_time", "lt": "latest_time",
}  # fmt: skip
_OF_NUMBERS = {
    "nn": "min", "nx": "max", "en": "earliest", "em": "earliest_time", "ln": "latest", "lm": "latest_time",
}  # fmt: skip


def _kept_value(letters: str, argument: Value, rows: AggregateInput) -> Value:
    if letters in _BY_AGGREGATE:
        return registry.AGGREGATES[_BY_AGGREGATE[letters]].lower(argument, rows)
    if letters == "vm":
        return _counted_values(argument)
    if letters in _OF_NUMBERS:
        numbers = _numbers(argument)
        if numbers.type is Type.MULTI:
            # The extremes of several numbers in one row; by time, a row has one value.
            numbers = v.as_float(v.as_text(argument)) if letters[0] in "el" else numbers
            if numbers.type is Type.MULTI:
                function = {"nn": "minOrNullArray", "nx": "maxOrNullArray"}[letters]
                return v.agg(function, numbers, type=Type.FLOAT)
        return registry.AGGREGATES[_OF_NUMBERS[letters]].lower(numbers, rows)
    numbers = _numbers(argument)
    if numbers.type is Type.MULTI:
        count: Value = v.agg("sum", v.call("length", numbers, type=Type.INT), type=Type.INT)
    else:
        count = v.agg("count", numbers, type=Type.INT)
    count = v.call("toInt64", count, type=Type.INT)
    if letters == "nc":
        return count
    assert letters == "sd"
    return v.call("multiply", registry.AGGREGATES["varp"].lower(argument, rows), count, type=Type.FLOAT)


def _numbers(argument: Value) -> Value:
    if argument.type is Type.MULTI:
        item = Column(Type.TEXT, "value")
        numbers = v.call("arrayMap", Lambda(Type.FLOAT, ("value",), v.as_float(item)), argument, type=Type.MULTI)
        present = Lambda(Type.BOOL, ("value",), v.call("isNotNull", item, type=Type.BOOL))
        return v.call("arrayFilter", present, numbers, type=Type.MULTI)
    found = v.as_number(argument)
    return v.Literal(Type.FLOAT, None) if found.type is Type.NULL else found


def _counted_values(argument: Value) -> Value:
    """Each value with how often it occurs, as texts such as `3:some value`, in the order of the values."""
    if argument.type is Type.FLOAT:
        # The texts of 0 and of -0 differ, which are one value.
        argument = v.call("plus", argument, v.real(0.0), type=Type.FLOAT)
    items = v.as_multi(argument)
    one = Lambda(Type.INT, ("value",), v.call("toInt64", v.integer(1), type=Type.INT))
    ones = v.call("arrayMap", one, items, type=Type.MULTI)
    counted = v.agg("sumMap", items, ones, type=Type.MULTI)
    keys, counts = (v.call("tupleElement", counted, v.integer(n), type=Type.MULTI) for n in (1, 2))
    key, count = Column(Type.TEXT, "key"), Column(Type.INT, "count")
    entry = v.call("concat", v.call("toString", count, type=Type.TEXT), v.text(":"), key, type=Type.TEXT)
    return v.call("arrayMap", Lambda(Type.TEXT, ("key", "count"), entry), keys, counts, type=Type.MULTI)


# ---- the second step -------------------------------------------------------------------------------------------------


class Finisher:
    """Gives finished aggregates over rows of which some, or all, are partial results."""

    def __init__(self, relation: Relation) -> None:
        self._relation = relation
        self._is_partial = v.is_present(relation.fields[VERSION])

    def count(self) -> Value:
        """The rows there were."""
        kept_rows = v.call("ifNull", v.as_integer(self._kept("gc", "")), v.integer(0), type=Type.INT)
        total = v.agg("sum", self._either(kept_rows, v.integer(1)), type=Type.INT)
        return v.call("toInt64", total, type=Type.INT)

    def aggregate(self, function: str, name: str, argument: Value, rows: AggregateInput) -> Value | None:
        """The aggregate of what is called `name`, which ordinary rows have as `argument`; None where nothing of it is kept."""
        letters = _KEPT.get(function, ())
        if not any(f"{PREFIX}{letter}_{name}" in self._relation.fields for letter in letters):
            return None
        finish: Callable[[str, Value, AggregateInput], Value] = getattr(self, _FINISHED_BY[function])
        return finish(name, argument, dataclasses.replace(rows, extra=(function,)))

    # -- one kept value a row

    def _kept(self, letters: str, name: str) -> Value:
        found = self._relation.fields.get(f"{PREFIX}{letters}_{name}" if name else PREFIX + letters, v.NULL)
        return v.Literal(Type.TEXT, None) if found.type is Type.NULL else found

    def _either(self, partial: Value, ordinary: Value) -> Value:
        if self._is_partial == v.TRUE:
            return partial
        return v.choose(self._is_partial, partial, ordinary)

    def _column(self, letters: str, name: str, argument: Value) -> Value:
        return self._either(self._kept(letters, name), argument)

    def _again(self, name: str, argument: Value, rows: AggregateInput) -> Value:
        """Aggregates for which the aggregate of aggregates is the aggregate."""
        function = rows.extra[0]
        (letters,) = _KEPT[function]
        again = _BY_AGGREGATE.get(letters, function)
        if letters in ("vs", "li"):
            column = self._either(v.as_multi(self._kept(letters, name)), v.as_multi(argument))
            return registry.AGGREGATES[function].lower(column, rows)
        value = registry.AGGREGATES[again].lower(self._column(letters, name, argument), rows)
        if function in _UNITS_S:
            if rows.span_s is None:
                raise SearchError(f"{function} needs buckets of time", hint="use it in timechart")
            return v.call("multiply", v.as_float(value), v.real(_UNITS_S[function] / rows.span_s), type=Type.FLOAT)
        return value

    def _squares(self, name: str, argument: Value, rows: AggregateInput) -> Value:
        total = _sum(self._kept("ss", name), rows)
        if self._is_partial == v.TRUE:
            return total
        return _either_or_both(total, registry.AGGREGATES["sumsq"].lower(self._ordinary(argument), rows))

    def _counted(self, name: str, argument: Value, rows: AggregateInput) -> Value:
        count = self._total("ct", name)
        if self._is_partial == v.TRUE:
            return count
        return v.call("plus", count, registry.AGGREGATES["count"].lower(self._ordinary(argument), rows), type=Type.INT)

    def _ordinary(self, argument: Value) -> Value:
        """The argument of ordinary rows only."""
        if argument.type is Type.MULTI:
            return v.choose(self._is_partial, v.EMPTY_MULTI, argument)
        return v.choose(self._is_partial, v.Literal(argument.type, None), argument)

    def _total(self, letters: str, name: str) -> Value:
        kept_count = v.call("ifNull", v.as_integer(self._kept(letters, name)), v.integer(0), type=Type.INT)
        return v.call("toInt64", v.agg("sum", kept_count, type=Type.INT), type=Type.INT)

    # -- moments

    def _moments(self, name: str, argument: Value, rows: AggregateInput) -> tuple[Value, Value]:
        """How many numbers there are, and their sum."""
        count, total = self._total("nc", name), _sum(self._kept("sm", name), rows)
        if self._is_partial != v.TRUE:
            ordinary = self._ordinary(argument)
            count = v.call("plus", count, _kept_value("nc", ordinary, rows), type=Type.INT)
            total = _either_or_both(total, _sum(ordinary, rows))
        return count, total

    def _mean(self, name: str, argument: Value, rows: AggregateInput) -> Value:
        count, total = self._moments(name, argument, rows)
        return v.call("divide", total, v.call("nullIf", count, v.integer(0), type=Type.INT), type=Type.FLOAT)

    def _spread(self, name: str, argument: Value, rows: AggregateInput) -> Value:
        """Variance and deviation from counts, means and squared distances of parts (the rule of Chan and others)."""
        number, total, distance = (v.as_float(self._kept(letters, name)) for letters in _MOMENTS)
        sure = [v.call("ifNull", one, v.real(0), type=Type.FLOAT) for one in (number, total, distance)]
        mean = v.call("divide", sure[1], sure[0], type=Type.FLOAT)
        has_numbers = v.is_true(v.call("greater", number, v.integer(0), type=Type.BOOL))
        part = v.call("tuple", sure[0], mean, sure[2], type=Type.MULTI)
        parts: Value = v.agg("groupArrayIf", part, has_numbers, type=Type.MULTI)
        if self._is_partial != v.TRUE:
            ordinary = self._ordinary(argument)
            count = v.as_float(_kept_value("nc", ordinary, rows))
            own = [registry.AGGREGATES["avg"].lower(ordinary, rows), _kept_value("sd", ordinary, rows)]
            own = [v.call("ifNull", v.as_float(one), v.real(0), type=Type.FLOAT) for one in own]
            ours = v.call("array", v.call("tuple", count, *own, type=Type.MULTI), type=Type.MULTI)
            parts = v.call("arrayConcat", parts, ours, type=Type.MULTI)
        part = Column(Type.MULTI, "part")
        n, mean, squares = (v.call("tupleElement", part, v.integer(k), type=Type.FLOAT) for k in (1, 2, 3))
        count = _summed(n, parts)
        middle = v.call("divide", _summed(v.call("multiply", n, mean, type=Type.FLOAT), parts), count, type=Type.FLOAT)
        off = v.call("minus", mean, middle, type=Type.FLOAT)
        between = v.call("multiply", n, v.call("multiply", off, off, type=Type.FLOAT), type=Type.FLOAT)
        total = _summed(v.call("plus", squares, between, type=Type.FLOAT), parts)
        function = rows.extra[0]
        divisor = count
        if function in ("stdev", "var"):
            # A single number has no spread.
            less_one = v.call("minus", count, v.integer(1), type=Type.FLOAT)
            divisor = v.call("greatest", less_one, v.integer(1), type=Type.FLOAT)
        found = v.call("divide", total, divisor, type=Type.FLOAT)
        if function in ("stdev", "stdevp"):
            found = v.call("sqrt", found, type=Type.FLOAT)
        present = v.call("greater", count, v.integer(0), type=Type.BOOL)
        return v.call("if", present, found, v.Literal(Type.FLOAT, None), type=Type.FLOAT)

    def _range(self, name: str, argument: Value, rows: AggregateInput) -> Value:
        least = _numeric_extreme("min", self._kept("nn", name))
        greatest = _numeric_extreme("max", self._kept("nx", name))
        if self._is_partial != v.TRUE:
            ordinary = self._ordinary(argument)
            least = _least_of("least", least, v.as_float(_kept_value("nn", ordinary, rows)))
            greatest = _least_of("greatest", greatest, v.as_float(_kept_value("nx", ordinary, rows)))
        return v.call("minus", greatest, least, type=Type.FLOAT)

    # -- values with how often each occurs

    def _entries(self, name: str, argument: Value) -> Value:
        value = Column(Type.TEXT, "value")
        once = Lambda(Type.TEXT, ("value",), v.call("concat", v.text("1:"), value, type=Type.TEXT))
        ordinary = v.call("arrayMap", once, v.as_multi(argument), type=Type.MULTI)
        return self._either(v.as_multi(self._kept("vm", name)), ordinary)

    def _rank(self, name: str, argument: Value, rows: AggregateInput) -> Value:
        entry = Column(Type.TEXT, "entry")
        number = v.as_float(_entry_value(entry))
        numeric = Lambda(Type.BOOL, ("entry",), v.call("isNotNull", number, type=Type.BOOL))
        entries = v.call("arrayFilter", numeric, self._entries(name, argument), type=Type.MULTI)
        sure = Lambda(Type.FLOAT, ("entry",), v.call("assumeNotNull", number, type=Type.FLOAT))
        numbers = v.call("arrayMap", sure, entries, type=Type.MULTI)
        weights = v.call("arrayMap", Lambda(Type.INT, ("entry",), _entry_count(entry)), entries, type=Type.MULTI)
        # The engine takes the value at which the weights reach the level: the higher of two in the middle needs a step more.
        level = 0.5 + _STEP if rows.parameter is None else max((rows.parameter - _STEP) / 100, 0.0)
        return v.agg("quantileExactWeightedOrNullArray", numbers, weights, type=Type.FLOAT, parameters=(level,))

    def _mode(self, name: str, argument: Value, rows: AggregateInput) -> Value:
        entry = Column(Type.TEXT, "entry")
        entries = self._entries(name, argument)
        keys = v.call("arrayMap", Lambda(Type.TEXT, ("entry",), _entry_value(entry)), entries, type=Type.MULTI)
        weights = v.call("arrayMap", Lambda(Type.INT, ("entry",), _entry_count(entry)), entries, type=Type.MULTI)
        counted = v.agg("sumMap", keys, weights, type=Type.MULTI)
        found, counts = (v.call("tupleElement", counted, v.integer(n), type=Type.MULTI) for n in (1, 2))
        key, count = Column(Type.TEXT, "key"), Column(Type.INT, "count")
        number = v.as_float(key)
        rank = v.call(
            "tuple",
            v.call("negate", v.call("toInt64", count, type=Type.INT), type=Type.INT),
            v.call("isNull", number, type=Type.BOOL),
            v.call("ifNull", number, v.real(0), type=Type.FLOAT),
            key,
            type=Type.MULTI,
        )
        ranked = v.call("arraySort", Lambda(Type.MULTI, ("key", "count"), rank), found, counts, type=Type.MULTI)
        first = v.call("arrayElement", ranked, v.integer(1), type=Type.TEXT)
        present = v.call("notEmpty", found, type=Type.BOOL)
        return v.call("if", present, first, v.Literal(Type.TEXT, None), type=Type.TEXT)

    # -- by time

    def _by_time(self, name: str, argument: Value, rows: AggregateInput) -> Value:
        function = rows.extra[0]
        value, time = _KEPT[function]
        when = self._column(time, name, rows.time)
        return registry.AGGREGATES[function].lower(
            self._column(value, name, argument), dataclasses.replace(rows, time=v.as_float(when))
        )

    def _time(self, name: str, argument: Value, rows: AggregateInput) -> Value:
        function = rows.extra[0]
        (letters,) = _KEPT[function]
        own = v.as_float(rows.time)
        when = self._either(v.as_float(self._kept(letters, name)), v.choose(v.is_present(argument), own, v.NULL))
        return registry.AGGREGATES["min" if function == "earliest_time" else "max"].lower(v.as_float(when), rows)

    def _rate(self, name: str, argument: Value, rows: AggregateInput) -> Value:
        ends = []
        for side, value, time in (("earliest", "en", "em"), ("latest", "ln", "lm")):
            numbers = self._either(v.as_float(self._kept(value, name)), v.as_float(_single(argument)))
            when = v.as_float(self._either(v.as_float(self._kept(time, name)), v.as_float(rows.time)))
            given = dataclasses.replace(rows, time=when)
            ends.append(registry.AGGREGATES[side].lower(numbers, given))
            ends.append(registry.AGGREGATES[f"{side}_time"].lower(numbers, given))
        growth = v.call("minus", ends[2], ends[0], type=Type.FLOAT)
        seconds = v.call("minus", ends[3], ends[1], type=Type.FLOAT)
        return v.call("divide", growth, v.call("nullIf", seconds, v.integer(0), type=Type.FLOAT), type=Type.FLOAT)


_FINISHED_BY = {
    **dict.fromkeys(("count", "c"), "_counted"),
    "sumsq": "_squares",
    **dict.fromkeys(
        ("sum", "min", "max", "dc", "distinct_count", "estdc", "estdc_error", "values", "list", "first", "last"),
        "_again",
    ),
    **dict.fromkeys(_UNITS_S, "_again"),
    **dict.fromkeys(("avg", "mean"), "_mean"),
    **dict.fromkeys(("stdev", "stdevp", "var", "varp"), "_spread"),
    "range": "_range",
    "mode": "_mode",
    **dict.fromkeys(("median", "perc", "p", "exactperc", "upperperc"), "_rank"),
    **dict.fromkeys(("earliest", "latest"), "_by_time"),
    **dict.fromkeys(("earliest_time", "latest_time"), "_time"),
    "rate": "_rate",
}


def _single(argument: Value) -> Value:
    return v.as_text(argument) if argument.type is Type.MULTI else argument


def _sum(argument: Value, rows: AggregateInput) -> Value:
    return v.as_float(registry.AGGREGATES["sum"].lower(argument, rows))


def _numeric_extreme(function: str, column: Value) -> Value:
    return v.agg(f"{function}OrNull", v.as_float(column), type=Type.FLOAT)


def _least_of(function: str, one: Value, other: Value) -> Value:
    """The smaller, or the larger, of two of which either may be absent."""
    return v.call("coalesce", v.call(function, one, other, type=Type.FLOAT), one, other, type=Type.FLOAT)


def _either_or_both(one: Value, other: Value) -> Value:
    """The sum of two of which either may be absent."""
    return v.call("coalesce", v.call("plus", one, other, type=Type.FLOAT), one, other, type=Type.FLOAT)


def _summed(value: Value, parts: Value) -> Value:
    return v.call("arraySum", Lambda(Type.FLOAT, ("part",), value), parts, type=Type.FLOAT)


def _entry_value(entry: Value) -> Value:
    colon = v.call("position", entry, v.text(":"), type=Type.INT)
    return v.call("substring", entry, v.call("plus", colon, v.integer(1), type=Type.INT), type=Type.TEXT)


def _entry_count(entry: Value) -> Value:
    colon = v.call("position", entry, v.text(":"), type=Type.INT)
    digits = v.call("substring", entry, v.integer(1), v.call("minus", colon, v.integer(1), type=Type.INT), type=Type.TEXT)
    return v.call("toUInt64OrZero", digits, type=Type.INT)
