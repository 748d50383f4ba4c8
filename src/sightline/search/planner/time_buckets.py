"""Where a bucket of time begins: the one rule behind `bin _time`, `timechart` and `mstats span=`.

Spans shorter than a day are counted from the epoch (or from `origin_s`); days, weeks and months are those of the person's
calendar, weeks beginning on Sunday.
"""

from __future__ import annotations

from datetime import UTC, tzinfo

from sightline.search.planner import values as v
from sightline.search.planner.values import Type, Value
from sightline.search.time import TimeSpan

WEEK_ORIGIN_S = 259_200
"""1970-01-04, a Sunday."""


def bucket_start(time: Value, span: TimeSpan, zone: tzinfo = UTC, origin_s: float | None = None) -> Value:
    """The start, in seconds since the epoch, of the bucket that a time lies in; NULL without a time."""
    seconds = span.seconds
    zone_name = "UTC" if zone is UTC else str(zone)
    if span.unit in ("d", "w") and zone_name != "UTC" and origin_s is None:
        days = int(span.count) * (7 if span.unit == "w" else 1)
        return _calendar(time, days, "toIntervalDay", zone_name)
    if seconds is None:
        return _calendar(time, span.months or 1, "toIntervalMonth", zone_name)
    origin = origin_s if origin_s is not None else WEEK_ORIGIN_S if span.unit == "w" else 0
    number = v.as_float(time)
    shifted = v.call("minus", number, v.number(origin), type=Type.FLOAT) if origin else number
    if seconds >= 1 or span.unit == "s":
        whole = v.call("floor", v.call("divide", shifted, v.number(seconds), type=Type.FLOAT), type=Type.FLOAT)
        start = v.call("multiply", whole, v.number(seconds), type=Type.FLOAT)
    else:
        # Fractions of a second are counted in whole microseconds, where floats would drift.
        micros = v.call("toInt64", v.call("round", _times(shifted, 1e6), type=Type.FLOAT), type=Type.INT)
        step = v.integer(max(1, round(seconds * 1e6)))
        whole_micros = v.call("minus", micros, v.call("positiveModulo", micros, step, type=Type.INT), type=Type.INT)
        start = v.call("divide", whole_micros, v.integer(1_000_000), type=Type.FLOAT)
    return v.call("plus", start, v.number(origin), type=Type.FLOAT) if origin else start


def _times(value: Value, factor: float) -> Value:
    return v.call("multiply", value, v.number(factor), type=Type.FLOAT)


def _calendar(time: Value, count: int, interval: str, zone: str) -> Value:
    moment = v.call("toDateTime", v.call("toInt64", v.as_float(time), type=Type.INT), v.text(zone), type=Type.INT)
    start = v.call(
        "toStartOfInterval", moment, v.call(interval, v.integer(count), type=Type.INT), v.text(zone), type=Type.INT
    )
    return v.call(
        "toFloat64",
        v.call("toUnixTimestamp", v.call("toDateTime", start, v.text(zone), type=Type.INT), type=Type.INT),
        type=Type.FLOAT,
    )
