"""The numbers of a sparkline: per bucket of time, put together from sums over maps, so that windows can compute them too."""

from __future__ import annotations

import math

from sightline.errors import SearchError
from sightline.search.functions import AggregateInput
from sightline.search.planner import values as v
from sightline.search.planner.values import Type, Value
from sightline.search.time import parse_span

MARKER = "##__SPARKLINE__##"
"""First value of a sparkline, by which a table knows to draw the others."""
MAX_BUCKETS = 100
"""Most buckets when no span is given."""

_SPANS_S = (1, 5, 10, 30, 60, 300, 600, 1800, 3600, 14400, 43200, 86400, 604800, 2592000, 31536000)
_FUNCTIONS = (
    "count", "c", "dc", "distinct_count", "sum", "sumsq", "avg", "mean", "min", "max", "range",
    "var", "varp", "stdev", "stdevp",
)  # fmt: skip


def sparkline_values(argument: Value | None, numbers: Value | None, given: AggregateInput) -> Value:
    """The marker and a number per bucket. `numbers` is the argument as a float. Raises SearchError."""
    name = given.extra[0].lower() if given.extra else "count"
    if name not in _FUNCTIONS:
        raise SearchError(f'sparkline cannot draw "{name}", wanted one of: {", ".join(_FUNCTIONS)}')
    if argument is None and name not in ("count", "c"):
        raise SearchError(f"sparkline({name}) needs a field: sparkline({name}(<field>))")
    if given.time.type is Type.NULL:
        raise SearchError("sparkline needs rows with _time")
    span_s = _span(given)
    bucket = _integer(v.call("floor", v.call("divide", v.as_float(given.time), v.real(span_s), type=Type.FLOAT),
                             type=Type.FLOAT))  # fmt: skip
    if argument is None:
        counted: Value = v.is_present(given.time)
    elif name in ("count", "c", "dc", "distinct_count"):
        counted = v.is_true(argument) if argument.type is Type.BOOL else v.is_present(argument)
    else:
        assert numbers is not None
        counted = v.is_present(numbers)
    counted = v.both([counted, v.is_present(given.time)])
    # Rows that do not count stay in the line's range, with nothing to add.
    key = v.call("array", v.call("assumeNotNull", bucket, type=Type.INT), type=Type.MULTI)
    lowest = v.agg("minOrNull", bucket, type=Type.INT) if given.earliest is None else None
    highest = v.agg("maxOrNull", bucket, type=Type.INT) if given.latest is None else None
    begin = lowest if lowest is not None else v.integer(math.floor((given.earliest or 0) / span_s))
    end = highest if highest is not None else v.integer(math.ceil((given.latest or 0) / span_s) - 1)
    position = v.Column(Type.INT, "bucket")
    value = _bucket_value(name, argument, numbers, key, counted, position)
    after = v.call("plus", end, v.integer(1), type=Type.INT)
    buckets = v.call("range", *(_integer(v.call("ifNull", x, v.integer(0), type=Type.INT)) for x in (begin, after)),
                     type=Type.MULTI)  # fmt: skip
    line = v.call("arrayMap", v.Lambda(Type.TEXT, ("bucket",), value), buckets, type=Type.MULTI)
    return v.call("arrayConcat", v.multi([MARKER]), line, type=Type.MULTI)


def _span(given: AggregateInput) -> float:
    if len(given.extra) > 1 and given.extra[1]:
        span = parse_span(given.extra[1])
        return span.seconds if span.seconds is not None else (span.months or 1) * 2_592_000.0
    if given.earliest is None or given.latest is None:
        return 3600.0  # The range is only known when the rows are read, and a span must be known before.
    wanted = (given.latest - given.earliest) / MAX_BUCKETS
    return float(next((s for s in _SPANS_S if s >= wanted), math.ceil(wanted)))


def _bucket_value(
    name: str, argument: Value | None, numbers: Value | None, key: Value, counted: Value, position: Value
) -> Value:
    """The number of the bucket at `position`, as text."""

    def added(item: Value) -> Value:
        sure = v.call("assumeNotNull", item, type=item.type)
        return v.agg("sumMapIf", key, v.call("array", sure, type=Type.MULTI), counted, type=Type.MULTI)

    one = v.call("toInt64", v.integer(1), type=Type.INT)
    if name in ("dc", "distinct_count"):
        assert argument is not None
        text = v.call("assumeNotNull", v.as_text(argument), type=Type.TEXT)
        pair = v.call("tuple", v.call("arrayElement", key, v.integer(1), type=Type.INT), text, type=Type.MULTI)
        pairs = v.agg("groupUniqArrayIf", pair, counted, type=Type.MULTI)
        row = v.Column(Type.MULTI, "row")
        same = v.call("equals", v.call("tupleElement", row, v.integer(1), type=Type.INT), position, type=Type.BOOL)
        return v.call("toString", v.call("arrayCount", v.Lambda(Type.BOOL, ("row",), same), pairs, type=Type.INT),
                      type=Type.TEXT)  # fmt: skip
    if name in ("min", "max", "range"):
        assert numbers is not None
        sure = v.call("array", v.call("assumeNotNull", numbers, type=Type.FLOAT), type=Type.MULTI)
        low = _looked_up(v.agg("minMapIf", key, sure, counted, type=Type.MULTI), position)
        high = _looked_up(v.agg("maxMapIf", key, sure, counted, type=Type.MULTI), position)
        found = {"min": low, "max": high}.get(name) or v.call("minus", high, low, type=Type.FLOAT)
        return v.call("toString", found, type=Type.TEXT)
    if name in ("count", "c"):
        return v.call("toString", _looked_up(added(one), position), type=Type.TEXT)
    assert numbers is not None
    total = _looked_up(added(numbers), position)
    squares = _looked_up(added(v.call("multiply", numbers, numbers, type=Type.FLOAT)), position)
    if name in ("sum", "sumsq"):
        return v.call("toString", total if name == "sum" else squares, type=Type.TEXT)
    count = _looked_up(added(one), position)
    some = v.call("greatest", count, v.integer(1), type=Type.INT)
    mean = v.call("divide", total, some, type=Type.FLOAT)
    if name in ("avg", "mean"):
        return v.call("toString", mean, type=Type.TEXT)
    deviations = v.call("minus", squares, v.call("multiply", mean, total, type=Type.FLOAT), type=Type.FLOAT)
    less = v.call("minus", count, v.integer(1), type=Type.INT)
    divisor = some if name in ("varp", "stdevp") else v.call("greatest", less, v.integer(1), type=Type.INT)
    deviations = v.call("greatest", deviations, v.real(0), type=Type.FLOAT)
    variance = v.call("divide", deviations, divisor, type=Type.FLOAT)
    spread = v.call("sqrt", variance, type=Type.FLOAT) if name.startswith("stdev") else variance
    return v.call("toString", spread, type=Type.TEXT)


def _looked_up(map: Value, position: Value) -> Value:
    """What a map (a tuple of keys and values) holds for a key; 0 for a key it lacks."""
    keys = v.call("tupleElement", map, v.integer(1), type=Type.MULTI)
    held = v.call("tupleElement", map, v.integer(2), type=Type.MULTI)
    # The element at position 0, which indexOf gives for a missing key, is the type's default: 0.
    return v.call("arrayElement", held, v.call("indexOf", keys, position, type=Type.INT), type=Type.FLOAT)


def _integer(value: Value) -> Value:
    return v.call("toInt64", value, type=Type.INT)
