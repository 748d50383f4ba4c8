"""Aggregates: one value from the rows of a group.

Each takes its argument (None for `count`) and an `AggregateInput`, and gives a value in which every engine aggregate is a
`v.agg` call, so that a window command can turn each of them into a window function. Absent values do not count. Text that
does not look numeric does not count for the numeric ones. A multivalue counts with each of its values.
"""

from __future__ import annotations

from sightline.errors import SearchError
from sightline.search.functions import AggregateInput
from sightline.search.functions.sparkline import sparkline_values
from sightline.search.planner import values as v
from sightline.search.planner.sources import is_dictionary
from sightline.search.planner.values import Type, Value
from sightline.search.registry import aggregate

_STEP = 1e-12
"""Taken off a quantile's level. The engine takes the value at index floor(level * n), counted from 0; the nearest rank is
at ceil(level * n) - 1, which differs exactly where level * n is whole."""


# ---- what they read --------------------------------------------------------------------------------------------------


def _numbers(argument: Value) -> tuple[Value, str]:
    """The argument as numbers and the suffix of an aggregate over them: an array of them for a multivalue."""
    if argument.type is not Type.MULTI:
        found = v.as_number(argument)
        return (v.Literal(Type.FLOAT, None) if found.type is Type.NULL else found), ""
    item = v.Column(Type.TEXT, "value")
    parsed = v.call("arrayMap", v.Lambda(Type.FLOAT, ("value",), v.as_float(item)), argument, type=Type.MULTI)
    return present_items(parsed), "Array"


def present_items(array: Value) -> Value:
    """An array without its absent elements."""
    item = v.Column(Type.TEXT, "element")
    present = v.Lambda(Type.BOOL, ("element",), v.call("isNotNull", item, type=Type.BOOL))
    sure = v.Lambda(Type.TEXT, ("element",), v.call("assumeNotNull", item, type=Type.TEXT))
    return v.call("arrayMap", sure, v.call("arrayFilter", present, array, type=Type.MULTI), type=Type.MULTI)


def _texts(argument: Value) -> tuple[Value, str]:
    return (argument, "Array") if argument.type is Type.MULTI else (v.as_text(argument), "")


def _numeric(function: str, argument: Value | None, type: Type | None = None, parameters: tuple = ()) -> Value:
    """An aggregate of the engine over the argument's numbers; NULL for none."""
    assert argument is not None
    numbers, suffix = _numbers(argument)
    result = type or (Type.FLOAT if suffix else numbers.type)
    found = v.agg(f"{function}OrNull{suffix}", numbers, type=result, parameters=parameters)
    # The engine sums small unsigned numbers, such as those of if(a=b, 1, 0), to a type that mixes with no signed one.
    return _integer(found) if function == "sum" and result is Type.INT else found


def _integer(value: Value) -> Value:
    return v.call("toInt64", value, type=Type.INT)


def nothing(type: Type) -> Value:
    """NULL as an aggregate, so that a group without such a field still is one row with a column for it."""
    type = Type.TEXT if type is Type.NULL else type
    return v.agg("anyOrNull", v.Literal(type, None), type=type)


# ---- counting --------------------------------------------------------------------------------------------------------


@aggregate("count", "c", needs_field=False)
def count(argument: Value | None, given: AggregateInput) -> Value:
    """How many rows there are, or how many values a field has.

    Syntax: count | count(<field>)
    Example: index=web | stats count count(user) by host

    `count(eval(<condition>))` counts the rows for which the condition is true.
    """
    if argument is None:
        return _integer(v.agg("count", type=Type.INT))
    if argument.type is Type.BOOL:
        return _integer(v.agg("countIf", v.is_true(argument), type=Type.INT))
    if argument.type is Type.NULL:
        return _integer(v.agg("countIf", v.FALSE, type=Type.INT))
    if argument.type is Type.MULTI:
        return _integer(v.agg("sum", v.call("length", argument, type=Type.INT), type=Type.INT))
    return _integer(v.agg("count", argument, type=Type.INT))


@aggregate("dc", "distinct_count")
def dc(argument: Value | None, given: AggregateInput) -> Value:
    """How many distinct values a field has, exactly.

    Syntax: dc(<field>)
    Example: index=web | stats dc(user) by host
    """
    return _distinct("uniqExact", argument)


@aggregate("estdc")
def estdc(argument: Value | None, given: AggregateInput) -> Value:
    """How many distinct values a field has, estimated: less memory than `dc` for very many values.

    Syntax: estdc(<field>)
    Example: index=web | stats estdc(session)
    """
    return _distinct("uniqCombined64", argument)


@aggregate("estdc_error")
def estdc_error(argument: Value | None, given: AggregateInput) -> Value:
    """How far `estdc` is off, as a share of the exact number.

    Syntax: estdc_error(<field>)
    Example: index=web | stats estdc(session) estdc_error(session)
    """
    exact, estimated = _distinct("uniqExact", argument), _distinct("uniqCombined64", argument)
    off = v.call("abs", v.call("minus", estimated, exact, type=Type.INT), type=Type.INT)
    return v.call("divide", off, v.call("nullIf", exact, v.integer(0), type=Type.INT), type=Type.FLOAT)


def _distinct(function: str, argument: Value | None) -> Value:
    assert argument is not None
    if argument.type is Type.NULL:
        return _integer(v.agg("countIf", v.FALSE, type=Type.INT))
    texts, suffix = (argument, "") if argument.type.is_number else _texts(argument)
    if isinstance(texts, v.Column) and is_dictionary(texts):
        # Hashed once for each text of a dictionary; the engine hashes a text before it counts it anyway, for each row. Among a
        # million texts two share one of 64 bits once in forty million times.
        texts = v.call("sipHash64", texts, type=Type.INT)
    counted = v.agg(function + suffix, texts, type=Type.INT)
    if function != "uniqExact":
        # Of no rows at all the engine's estimate is NULL, its exact number 0.
        counted = v.call("ifNull", counted, v.call("toUInt64", v.integer(0), type=Type.INT), type=Type.INT)
    return _integer(counted)


@aggregate("mode")
def mode(argument: Value | None, given: AggregateInput) -> Value:
    """The most frequent value of a field; of several the smallest.

    Syntax: mode(<field>)
    Example: index=web | stats mode(status)
    """
    assert argument is not None
    if argument.type is Type.NULL:
        return nothing(Type.TEXT)
    type = argument.type if argument.type.is_number else Type.TEXT
    one = v.Lambda(Type.INT, ("value",), v.call("toInt64", v.integer(1), type=Type.INT))
    keys = argument
    if argument.type is not Type.MULTI:
        sure = argument if argument.type.is_number else v.as_text(argument)
        keys = v.call("array", v.call("assumeNotNull", sure, type=type), type=Type.MULTI)
    ones = v.call("arrayMap", one, keys, type=Type.MULTI)
    counted = v.agg("sumMapIf", keys, ones, v.is_present(argument), type=Type.MULTI)
    found, counts = _part(counted, 1), _part(counted, 2)
    most = v.call("indexOf", counts, v.call("arrayMax", counts, type=Type.INT), type=Type.INT)
    return _first_of(found, v.call("arrayElement", found, most, type=type), type)


def _part(tuple_value: Value, position: int) -> Value:
    return v.call("tupleElement", tuple_value, v.integer(position), type=Type.MULTI)


def _first_of(array: Value, element: Value, type: Type) -> Value:
    """The element, NULL where the array that it is taken from is empty."""
    return v.call("if", v.call("notEmpty", array, type=Type.BOOL), element, v.Literal(type, None), type=type)


# ---- lists -----------------------------------------------------------------------------------------------------------


@aggregate("values")
def values(argument: Value | None, given: AggregateInput) -> Value:
    """The distinct values of a field as a multivalue, in the order of their characters.

    Syntax: values(<field>)
    Example: index=web | stats values(user) by host
    """
    assert argument is not None
    if argument.type is Type.NULL:
        return _no_values()
    texts, suffix = _texts(argument)
    return v.call("arraySort", v.agg("groupUniqArray" + suffix, texts, type=Type.MULTI), type=Type.MULTI)


@aggregate("list", ordered=True)
def list_(argument: Value | None, given: AggregateInput) -> Value:
    """All values of a field as a multivalue, in the order of the rows.

    Syntax: list(<field>)
    Example: index=web | sort _time | stats list(uri) by session
    """
    assert argument is not None
    if argument.type is Type.NULL:
        return _no_values()
    several = argument.type is Type.MULTI
    item = argument if several else v.call("ifNull", v.as_text(argument), v.text(""), type=Type.TEXT)
    pair = v.call("tuple", given.position, item, type=Type.MULTI)
    pairs = v.agg("groupArrayIf", pair, v.is_present(argument), type=Type.MULTI)
    row = v.Column(Type.MULTI, "row")
    by_position = v.Lambda(Type.INT, ("row",), v.call("tupleElement", row, v.integer(1), type=Type.INT))
    ordered = v.call("arraySort", by_position, pairs, type=Type.MULTI)
    taken = v.Lambda(Type.MULTI, ("row",), v.call("tupleElement", row, v.integer(2), type=Type.MULTI))
    listed = v.call("arrayMap", taken, ordered, type=Type.MULTI)
    return v.call("arrayFlatten", listed, type=Type.MULTI) if several else listed


def _no_values() -> Value:
    return v.agg("groupUniqArrayArray", v.EMPTY_MULTI, type=Type.MULTI)


# ---- numbers ---------------------------------------------------------------------------------------------------------


@aggregate("sum")
def sum_(argument: Value | None, given: AggregateInput) -> Value:
    """The sum of a field's numbers.

    Syntax: sum(<field>)
    Example: index=web | stats sum(bytes) by host

    No numbers, no sum: the result is absent, not 0.
    """
    return _numeric("sum", argument)


@aggregate("sumsq")
def sumsq(argument: Value | None, given: AggregateInput) -> Value:
    """The sum of the squares of a field's numbers.

    Syntax: sumsq(<field>)
    Example: index=web | stats sumsq(duration_ms)
    """
    assert argument is not None
    numbers, suffix = _numbers(argument)
    if suffix:
        item = v.Column(Type.FLOAT, "value")
        square = v.Lambda(Type.FLOAT, ("value",), v.call("multiply", item, item, type=Type.FLOAT))
        return v.agg("sumOrNullArray", v.call("arrayMap", square, numbers, type=Type.MULTI), type=Type.FLOAT)
    number = v.as_float(numbers)
    return v.agg("sumOrNull", v.call("multiply", number, number, type=Type.FLOAT), type=Type.FLOAT)


@aggregate("avg", "mean")
def avg(argument: Value | None, given: AggregateInput) -> Value:
    """The mean of a field's numbers.

    Syntax: avg(<field>)
    Example: index=web | stats avg(duration_ms) by host
    """
    return _numeric("avg", argument, Type.FLOAT)


@aggregate("stdev")
def stdev(argument: Value | None, given: AggregateInput) -> Value:
    """The standard deviation of a field's numbers, taken as a sample; 0 for a single one.

    Syntax: stdev(<field>)
    Example: index=web | stats stdev(duration_ms) by host
    """
    return _spread("stddevSampStable", argument)


@aggregate("stdevp")
def stdevp(argument: Value | None, given: AggregateInput) -> Value:
    """The standard deviation of a field's numbers, taken as the whole population.

    Syntax: stdevp(<field>)
    Example: index=web | stats stdevp(duration_ms)
    """
    return _numeric("stddevPopStable", argument, Type.FLOAT)


@aggregate("var")
def var(argument: Value | None, given: AggregateInput) -> Value:
    """The variance of a field's numbers, taken as a sample; 0 for a single one.

    Syntax: var(<field>)
    Example: index=web | stats var(duration_ms)
    """
    return _spread("varSampStable", argument)


@aggregate("varp")
def varp(argument: Value | None, given: AggregateInput) -> Value:
    """The variance of a field's numbers, taken as the whole population.

    Syntax: varp(<field>)
    Example: index=web | stats varp(duration_ms)
    """
    return _numeric("varPopStable", argument, Type.FLOAT)


def _spread(function: str, argument: Value | None) -> Value:
    # The engine divides by n - 1 also for a single value.
    found = _numeric(function, argument, Type.FLOAT)
    usual = v.call("isFinite", found, type=Type.BOOL)
    single = v.call("if", v.call("isNull", found, type=Type.BOOL), found, v.real(0), type=Type.FLOAT)
    return v.call("if", usual, found, single, type=Type.FLOAT)


# ---- extremes and ranks ----------------------------------------------------------------------------------------------


@aggregate("max")
def max_(argument: Value | None, given: AggregateInput) -> Value:
    """The largest value of a field.

    Syntax: max(<field>)
    Example: index=web | stats max(duration_ms) by host

    Numbers compare by size, other text by its characters; numbers are below other text.
    """
    return _extreme("max", argument)


@aggregate("min")
def min_(argument: Value | None, given: AggregateInput) -> Value:
    """The smallest value of a field.

    Syntax: min(<field>)
    Example: index=web | stats min(duration_ms) by host

    Numbers compare by size, other text by its characters; numbers are below other text.
    """
    return _extreme("min", argument)


def _extreme(function: str, argument: Value | None) -> Value:
    assert argument is not None
    if argument.type.is_number or argument.type is Type.NULL:
        return _numeric(function, argument)
    if argument.type is Type.MULTI:
        return _extreme_of_lists(function, argument)
    text = v.as_text(argument)
    number = v.as_number(argument)
    words = v.call("if", v.call("isNull", number, type=Type.BOOL), text, v.Literal(Type.TEXT, None), type=Type.TEXT)
    # The text with the extreme number, not the number: it keeps the spelling.
    by_number = v.agg(f"arg{function.capitalize()}OrNull", text, number, type=Type.TEXT)
    by_text = v.agg(f"{function}OrNull", words, type=Type.TEXT)
    first, second = (by_text, by_number) if function == "max" else (by_number, by_text)
    return v.call("coalesce", first, second, type=Type.TEXT)


def _extreme_of_lists(function: str, argument: Value) -> Value:
    numbers, _ = _numbers(argument)
    item = v.Column(Type.TEXT, "word")
    is_word = v.Lambda(Type.BOOL, ("word",), v.call("isNull", v.as_number(item), type=Type.BOOL))
    words = v.call("arrayFilter", is_word, argument, type=Type.MULTI)
    by_number = v.as_text(v.agg(f"{function}OrNullArray", numbers, type=Type.FLOAT))
    by_text = v.agg(f"{function}OrNullArray", words, type=Type.TEXT)
    first, second = (by_text, by_number) if function == "max" else (by_number, by_text)
    return v.call("coalesce", first, second, type=Type.TEXT)


@aggregate("range")
def range_(argument: Value | None, given: AggregateInput) -> Value:
    """The largest number of a field minus the smallest.

    Syntax: range(<field>)
    Example: index=web | stats range(duration_ms)
    """
    largest, smallest = _numeric("max", argument), _numeric("min", argument)
    return v.call("minus", largest, smallest, type=largest.type)


def _rank(argument: Value | None, percent: float) -> Value:
    level = max(percent / 100 - _STEP, 0.0)
    return _numeric("quantileExact", argument, parameters=(level,))


@aggregate("median")
def median(argument: Value | None, given: AggregateInput) -> Value:
    """The number in the middle: half of a field's numbers are not below it.

    Syntax: median(<field>)
    Example: index=web | stats median(duration_ms) by host

    Always a number that occurs: of an even count the higher one of the two in the middle.
    """
    return _numeric("quantileExact", argument, parameters=(0.5,))


@aggregate("perc", "p", parameterised=True)
def perc(argument: Value | None, given: AggregateInput) -> Value:
    """The number below or at which so many percent of a field's numbers lie.

    Syntax: perc<percent>(<field>) | p<percent>(<field>)
    Example: index=web | stats perc95(duration_ms) p99.9(duration_ms) by host

    The nearest rank: of n numbers in ascending order the one at position ceil(percent / 100 * n). Exact, so `exactperc`
    and `upperperc` give the same.
    """
    assert given.parameter is not None
    return _rank(argument, given.parameter)


@aggregate("exactperc", parameterised=True)
def exactperc(argument: Value | None, given: AggregateInput) -> Value:
    """The same as `perc`, which is exact.

    Syntax: exactperc<percent>(<field>)
    Example: index=web | stats exactperc99(duration_ms)
    """
    return perc(argument, given)


@aggregate("upperperc", parameterised=True)
def upperperc(argument: Value | None, given: AggregateInput) -> Value:
    """The same as `perc`: an exact percentile is its own upper bound.

    Syntax: upperperc<percent>(<field>)
    Example: index=web | stats upperperc90(duration_ms)
    """
    return perc(argument, given)


# ---- by order and by time --------------------------------------------------------------------------------------------


@aggregate("first", ordered=True)
def first(argument: Value | None, given: AggregateInput) -> Value:
    """The value of the first row, in shown order, that has the field.

    Syntax: first(<field>)
    Example: index=web | stats first(status) by host
    """
    return _at("Min", argument, given.position)


@aggregate("last", ordered=True)
def last(argument: Value | None, given: AggregateInput) -> Value:
    """The value of the last row, in shown order, that has the field.

    Syntax: last(<field>)
    Example: index=web | stats last(status) by host
    """
    return _at("Max", argument, given.position)


@aggregate("earliest")
def earliest(argument: Value | None, given: AggregateInput) -> Value:
    """The value of the oldest row, by `_time`, that has the field.

    Syntax: earliest(<field>)
    Example: index=web | stats earliest(status) by host
    """
    return _at("Min", argument, given.time)


@aggregate("latest")
def latest(argument: Value | None, given: AggregateInput) -> Value:
    """The value of the newest row, by `_time`, that has the field.

    Syntax: latest(<field>)
    Example: index=web | stats latest(status) by host
    """
    return _at("Max", argument, given.time)


def _at(side: str, argument: Value | None, key: Value) -> Value:
    assert argument is not None
    if argument.type is Type.NULL or key.type is Type.NULL:
        return _no_values() if argument.type is Type.MULTI else nothing(argument.type)
    if argument.type is Type.BOOL:
        argument = v.as_text(argument)
    if argument.type is Type.MULTI:
        return v.agg(f"arg{side}If", argument, key, v.is_present(argument), type=Type.MULTI)
    return v.agg(f"arg{side}OrNull", argument, key, type=argument.type)


@aggregate("earliest_time")
def earliest_time(argument: Value | None, given: AggregateInput) -> Value:
    """The time of the oldest row that has the field, in seconds.

    Syntax: earliest_time(<field>)
    Example: index=web | stats earliest_time(status) by host
    """
    return _time_of("min", argument, given)


@aggregate("latest_time")
def latest_time(argument: Value | None, given: AggregateInput) -> Value:
    """The time of the newest row that has the field, in seconds.

    Syntax: latest_time(<field>)
    Example: index=web | stats latest_time(status) by host
    """
    return _time_of("max", argument, given)


def _time_of(function: str, argument: Value | None, given: AggregateInput) -> Value:
    assert argument is not None
    if argument.type is Type.NULL or given.time.type is Type.NULL:
        return nothing(Type.FLOAT)
    time = v.as_number(given.time)
    when = v.call("if", v.is_present(argument), time, v.Literal(time.type, None), type=time.type)
    return v.agg(f"{function}OrNull", when, type=time.type)


@aggregate("rate")
def rate(argument: Value | None, given: AggregateInput) -> Value:
    """How fast a counter grows, per second, from the oldest value to the newest.

    Syntax: rate(<field>)
    Example: index=app | timechart span=1m rate(requests_total)

    Absent where all values have the same time.
    """
    assert argument is not None
    if argument.type is Type.NULL or given.time.type is Type.NULL:
        return nothing(Type.FLOAT)
    numbers = v.as_number(argument)
    growth = v.call("minus", _at("Max", numbers, given.time), _at("Min", numbers, given.time), type=numbers.type)
    newest, oldest = _time_of("max", numbers, given), _time_of("min", numbers, given)
    seconds = v.call("minus", newest, oldest, type=newest.type)
    return v.call("divide", growth, v.call("nullIf", seconds, v.integer(0), type=seconds.type), type=Type.FLOAT)


# ---- per unit of time ------------------------------------------------------------------------------------------------


@aggregate("per_second")
def per_second(argument: Value | None, given: AggregateInput) -> Value:
    """The sum of a field's numbers per second of the bucket, in `timechart`.

    Syntax: per_second(<field>)
    Example: index=web | timechart span=5m per_second(bytes)
    """
    return _per("per_second", 1, argument, given)


@aggregate("per_minute")
def per_minute(argument: Value | None, given: AggregateInput) -> Value:
    """The sum of a field's numbers per minute of the bucket, in `timechart`.

    Syntax: per_minute(<field>)
    Example: index=web | timechart span=1h per_minute(bytes)
    """
    return _per("per_minute", 60, argument, given)


@aggregate("per_hour")
def per_hour(argument: Value | None, given: AggregateInput) -> Value:
    """The sum of a field's numbers per hour of the bucket, in `timechart`.

    Syntax: per_hour(<field>)
    Example: index=web | timechart span=1d per_hour(bytes)
    """
    return _per("per_hour", 3600, argument, given)


@aggregate("per_day")
def per_day(argument: Value | None, given: AggregateInput) -> Value:
    """The sum of a field's numbers per day of the bucket, in `timechart`.

    Syntax: per_day(<field>)
    Example: index=web | timechart span=1d per_day(bytes)
    """
    return _per("per_day", 86400, argument, given)


def _per(name: str, unit_s: int, argument: Value | None, given: AggregateInput) -> Value:
    if given.span_s is None:
        raise SearchError(f"{name} needs buckets of time", hint="use it in timechart")
    return v.call("multiply", _numeric("sum", argument, Type.FLOAT), v.real(unit_s / given.span_s), type=Type.FLOAT)


@aggregate("sparkline", needs_field=False)
def sparkline(argument: Value | None, given: AggregateInput) -> Value:
    """A small chart over time: a multivalue that begins with a marker and has a number per bucket.

    Syntax: sparkline(count | <function>(<field>) [, <span>])
    Example: index=web | stats sparkline(avg(duration_ms), 5m) by host

    The function is count, dc, sum, sumsq, avg, min, max, range, stdev, stdevp, var or varp. Buckets without rows are 0.
    Without a span there are at most 100 buckets; where the search has no time range either, a bucket is an hour and a
    group's line goes from its first row to its last.
    """
    numbers = None
    if argument is not None:
        numbers = v.as_float(argument) if argument.type is not Type.NULL else v.Literal(Type.FLOAT, None)
    return sparkline_values(argument, numbers, given)
