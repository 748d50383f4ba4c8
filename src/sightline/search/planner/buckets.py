"""Buckets of time and of numbers: where each begins, in SQL for every row and in Python for rows without events.

Spans of seconds to hours are counted from the epoch, or from `align`; days, weeks (which begin on Sunday, or on the day that
a snap such as `@w1` names), months, quarters and years follow the calendar of the person's zone. An hour does so too where
the zone is not UTC and hours divide the day.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, tzinfo

from sightline.errors import SearchError
from sightline.search.planner import values as v
from sightline.search.planner.values import Type, Value
from sightline.search.time import TimeSpan, parse_span, parse_time

TIME_LADDER = tuple(parse_span(text) for text in ("1s", "5s", "10s", "30s", "1m", "5m", "10m", "30m", "1h", "1d", "1mon"))
"""Spans to choose from where none is given."""
MONTH_S = 30.4375 * 86400
"""Nominal length of a month, for rates and estimates."""
_EPOCH = date(1970, 1, 1)
_EPOCH_MONTH = 1970 * 12
_LOG_SPAN = re.compile(r"(\d+(?:\.\d+)?)?log(\d+(?:\.\d+)?)?\Z", re.I)
_NUMBER_SPAN = re.compile(r"\d*\.?\d+(?:[eE][+-]?\d+)?\Z")


def nominal_s(span: TimeSpan) -> float:
    """A span's length in seconds, a month taken as the average one."""
    return span.seconds if span.seconds is not None else (span.months or 1) * MONTH_S


@dataclass(frozen=True)
class TimeBuckets:
    """Buckets of one length in a zone."""

    span: TimeSpan
    zone: tzinfo = UTC
    align: float = 0.0
    """A moment at which a bucket begins; only for spans that do not follow the calendar."""

    @property
    def follows_calendar(self) -> bool:
        """Whether buckets may be of different lengths."""
        return self.span.seconds is None or self.span.unit in ("d", "w")

    @property
    def _within_days(self) -> bool:
        seconds = self.span.seconds
        return self.zone is not UTC and self.span.unit == "h" and seconds is not None and 86400 % seconds == 0

    @property
    def _first_day(self) -> int:
        """Days from the epoch to a day on which a bucket of weeks begins; the epoch was a Thursday."""
        if self.span.unit != "w":
            return 0
        snap = re.match(r"w([0-7])\Z", self.span.snap)
        return 3 + (int(snap.group(1)) % 7 if snap else 0)

    @property
    def _days(self) -> int:
        return max(1, int(self.span.count) * (7 if self.span.unit == "w" else 1))

    # -- in Python

    def start(self, moment: float) -> float:
        """When the bucket of a moment begins."""
        if self.span.months is not None:
            local = datetime.fromtimestamp(moment, self.zone)
            months = local.year * 12 + local.month - 1 - _EPOCH_MONTH
            return self._month_start(months - months % self.span.months)
        if self.follows_calendar:
            days = (datetime.fromtimestamp(moment, self.zone).date() - _EPOCH).days - self._first_day
            return self._day_start(days - days % self._days + self._first_day)
        assert self.span.seconds is not None
        if self._within_days and not self.align:
            midnight = self._day_start((datetime.fromtimestamp(moment, self.zone).date() - _EPOCH).days)
            return midnight + (moment - midnight) // self.span.seconds * self.span.seconds
        return tidy((moment - self.align) // self.span.seconds * self.span.seconds + self.align)

    def next(self, start: float) -> float:
        """When the bucket after the one that begins at `start` begins."""
        if self.span.months is not None:
            local = datetime.fromtimestamp(start, self.zone)
            return self._month_start(local.year * 12 + local.month - 1 - _EPOCH_MONTH + self.span.months)
        if self.follows_calendar:
            return self._day_start((datetime.fromtimestamp(start, self.zone).date() - _EPOCH).days + self._days)
        assert self.span.seconds is not None
        if self._within_days and not self.align:
            # The last bucket of a day of 23 or 25 hours is cut by midnight.
            return min(start + self.span.seconds, self._day_start(self._day_of(start) + 1))
        return tidy(start + self.span.seconds)

    def starts(self, first: float, last: float) -> Iterator[float]:
        """Beginnings of all buckets from the one of `first` to the one of `last`."""
        start = self.start(first)
        while start <= last:
            yield start
            start = self.next(start)

    def count_between(self, first: float, last: float) -> float:
        """About how many buckets there are from one beginning to another."""
        return (last - first) / nominal_s(self.span) + 1

    def _day_of(self, moment: float) -> int:
        return (datetime.fromtimestamp(moment, self.zone).date() - _EPOCH).days

    def _day_start(self, days: int) -> float:
        day = _EPOCH + timedelta(days=days)
        return datetime(day.year, day.month, day.day, tzinfo=self.zone).timestamp()

    def _month_start(self, months: int) -> float:
        year, month = divmod(months + _EPOCH_MONTH, 12)
        return datetime(year, month + 1, 1, tzinfo=self.zone).timestamp()

    # -- in SQL

    def value(self, time: Value) -> Value:
        """When the bucket of each row begins, NULL where the row has no time."""
        time = v.as_float(time)
        if isinstance(time, v.Literal) and time.value is None:
            return v.Literal(Type.FLOAT, None)
        if self.span.months is not None:
            return self._month_value(time, self.span.months)
        if self.follows_calendar:
            return self._day_value(time, self._days, self._first_day)
        assert self.span.seconds is not None
        if self._within_days and not self.align:
            midnight = self._day_value(time, 1, 0)
            within = _floored(v.call("minus", time, midnight, type=Type.FLOAT), self.span.seconds)
            return v.call("plus", midnight, within, type=Type.FLOAT)
        if not self.align:
            return _floored(time, self.span.seconds)
        moved = v.call("minus", time, v.real(self.align), type=Type.FLOAT)
        return v.call("plus", _floored(moved, self.span.seconds), v.real(self.align), type=Type.FLOAT)

    def _zone_name(self) -> Value:
        return v.text(getattr(self.zone, "key", "") or "UTC")

    def _local(self, time: Value) -> Value:
        whole = v.whole(v.call("floor", time, type=Type.FLOAT))
        return v.call("toDateTime64", whole, v.integer(0), self._zone_name(), type=Type.INT)

    def _day_value(self, time: Value, days: int, first: int) -> Value:
        if self.zone is UTC:
            moved = v.call("minus", time, v.real(first * 86400), type=Type.FLOAT) if first else time
            floored = _floored(moved, days * 86400)
            return v.call("plus", floored, v.real(first * 86400), type=Type.FLOAT) if first else floored
        day = v.call("toInt32", v.call("toDate32", self._local(time), type=Type.INT), type=Type.INT)
        past = v.call(
            "positiveModulo", v.call("minus", day, v.integer(first), type=Type.INT), v.integer(days), type=Type.INT
        )
        return self._midnight(v.call("toDate32", v.call("minus", day, past, type=Type.INT), type=Type.INT))

    def _month_value(self, time: Value, months: int) -> Value:
        local = self._local(time)
        year = v.call("minus", v.call("toYear", local, type=Type.INT), v.integer(1970), type=Type.INT)
        month = v.call("minus", v.call("toMonth", local, type=Type.INT), v.integer(1), type=Type.INT)
        number = v.call("plus", v.call("multiply", year, v.integer(12), type=Type.INT), month, type=Type.INT)
        past = v.call("positiveModulo", number, v.integer(months), type=Type.INT)
        day = v.call("toDate32", v.call("toStartOfMonth", local, type=Type.INT), type=Type.INT)
        return self._midnight(v.call("subtractMonths", day, past, type=Type.INT))

    def _midnight(self, day: Value) -> Value:
        moment = v.call("toDateTime64", day, v.integer(0), self._zone_name(), type=Type.INT)
        return v.call("toFloat64", v.call("toUnixTimestamp64Second", moment, type=Type.INT), type=Type.FLOAT)


def _floored(value: Value, step: float) -> Value:
    steps = v.call("floor", v.call("divide", value, v.real(step), type=Type.FLOAT), type=Type.FLOAT)
    floored = v.call("multiply", steps, v.real(step), type=Type.FLOAT)
    return floored if float(step).is_integer() else v.call("round", floored, v.integer(6), type=Type.FLOAT)


def tidy(moment: float) -> float:
    """A moment without the noise of fractions of seconds; the store keeps microseconds."""
    return float(moment) if float(moment).is_integer() else round(moment, 6)


def auto_span(length_s: float, bins: int, least: TimeSpan | None = None) -> TimeSpan:
    """The shortest span of the ladder that makes at most so many buckets of a range and is no shorter than `least`."""
    for span in TIME_LADDER:
        if least is not None and nominal_s(span) < nominal_s(least):
            continue
        if length_s / nominal_s(span) <= bins:
            return span
    return least if least is not None and nominal_s(least) > nominal_s(TIME_LADDER[-1]) else TIME_LADDER[-1]


def fitting_buckets(starts: Sequence[float], span_s: float, zone: tzinfo) -> TimeBuckets:
    """Buckets of about this length that begin at all of these moments: those of the calendar where one of its units fits."""
    days, months = round(span_s / 86400), round(span_s / MONTH_S)
    units = []
    if days and abs(span_s - days * 86400) <= 3600:
        units.append(f"{days}d")
        units.extend(f"{days // 7}w@w{weekday}" for weekday in range(7) if days % 7 == 0)
    if months and 27 <= days / months <= 32:
        units.append(f"{months}mon")
    for unit in units:
        buckets = TimeBuckets(parse_span(unit), zone)
        if all(buckets.start(moment) == moment for moment in starts):
            return buckets
    length_s = tidy(span_s)
    return TimeBuckets(TimeSpan(length_s, "s"), UTC, tidy(starts[0] % length_s))


def alignment(text: str, earliest: float | None, latest: float | None, now: float, zone: tzinfo) -> float:
    """The moment that `aligntime` names: earliest, latest, or a time modifier."""
    if text.lower() == "earliest":
        return earliest or 0.0
    if text.lower() == "latest":
        return latest or now
    return parse_time(text, now, zone) if text else 0.0


# ---- numbers ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class NumberBuckets:
    """Buckets of numbers: of one width, or, with a base, each so many times as wide as the one before."""

    width: float
    base: float = 0.0
    """Base of a logarithmic span, 0 for none; `width` is then its coefficient."""

    def bounds(self, value: Value) -> tuple[Value, Value]:
        """Where the bucket of each value begins and ends, NULL where it is no number."""
        number = v.as_number(value)
        if v.is_null(number):
            return v.Literal(Type.FLOAT, None), v.Literal(Type.FLOAT, None)
        if self.base:
            scaled = v.call("divide", v.as_float(number), v.real(self.width), type=Type.FLOAT)
            positive = v.call("if", v.is_true(v.call("greater", scaled, v.real(0), type=Type.BOOL)), scaled,
                              v.Literal(Type.FLOAT, None), type=Type.FLOAT)  # fmt: skip
            logarithm = v.call(
                "divide", v.call("log", positive, type=Type.FLOAT), v.real(math.log(self.base)), type=Type.FLOAT
            )
            # A power of the base has a logarithm that is a whisker off a whole number.
            whole = v.call("floor", v.call("plus", logarithm, v.real(1e-9), type=Type.FLOAT), type=Type.FLOAT)
            following = v.call("plus", whole, v.real(1), type=Type.FLOAT)
            return self._power(whole), self._power(following)
        digits = decimals(self.width)
        if number.type is Type.INT and not digits:
            width = v.integer(int(self.width))
            low = v.call("minus", number, v.call("positiveModulo", number, width, type=Type.INT), type=Type.INT)
            return low, v.call("plus", low, width, type=Type.INT)
        steps = v.call("divide", number, v.real(self.width), type=Type.FLOAT)
        if digits:
            # 0.3 / 0.1 is a whisker below 3.
            steps = v.call("plus", steps, v.real(1e-9), type=Type.FLOAT)
        steps = v.call("floor", steps, type=Type.FLOAT)
        low = v.call("multiply", steps, v.real(self.width), type=Type.FLOAT)
        high = v.call("plus", low, v.real(self.width), type=Type.FLOAT)
        rounded = [v.call("round", x, v.integer(digits), type=Type.FLOAT) for x in (low, high)]
        return rounded[0], rounded[1]

    def count_between(self, first: float, last: float) -> float:
        """How many buckets there are from one beginning to another."""
        if self.base:
            return math.log(last / first) / math.log(self.base) + 1
        return (last - first) / self.width + 1

    def starts(self, first: float, last: float) -> Iterator[float]:
        """Beginnings of all buckets from one beginning to another."""
        count = round(self.count_between(first, last))
        if self.base:
            exponent = round(math.log(first / self.width) / math.log(self.base))
            return (round(self.width * self.base ** (exponent + step), 9) for step in range(count))
        digits = decimals(self.width)
        return (round(first + step * self.width, digits) for step in range(count))

    def _power(self, exponent: Value) -> Value:
        power = v.call("pow", v.real(self.base), exponent, type=Type.FLOAT)
        return v.call("round", v.call("multiply", power, v.real(self.width), type=Type.FLOAT), v.integer(9), type=Type.FLOAT)

    def ranges(self, value: Value) -> Value:
        """The text `10-20` for each value; a value that is no number stays as it is, as do several values."""
        low, high = self.bounds(value)
        kept = value if value.type is Type.MULTI else v.as_text(value)
        if v.is_null(low):
            return kept
        named = v.call("concat", v.as_text(low), v.text("-"), v.as_text(high), type=Type.TEXT)
        return v.choose(v.is_present(low), named, kept)


def decimals(number: float) -> int:
    """Digits behind the point that a number is written with."""
    shown = f"{number:.12f}".rstrip("0")
    return len(shown.partition(".")[2])


def number_buckets(text: str) -> NumberBuckets | None:
    """The buckets of a span such as `10`, `0.5` or `2log5`; None for a span of time."""
    given = text.strip()
    if _NUMBER_SPAN.match(given):
        width = float(given)
        if width <= 0:
            raise SearchError(f"span must be more than 0, got {text}")
        return NumberBuckets(width)
    if match := _LOG_SPAN.match(given):
        coefficient, base = float(match.group(1) or 1), float(match.group(2) or 10)
        if base <= 1 or not 1 <= coefficient < base:
            raise SearchError(f'span: wanted a base above 1 and a coefficient from 1 to below the base, got "{text}"')
        return NumberBuckets(coefficient, base)
    return None


def auto_width(low: float, high: float, bins: int, least: float = 0.0) -> float:
    """The smallest round width (1, 2 or 5 times a power of ten) that makes at most so many buckets, and is at least `least`."""
    if high <= low:
        return max(least, 1.0)
    exponent = math.floor(math.log10((high - low) / bins)) - 1
    while True:
        for digit in (1, 2, 5):
            width = digit * 10.0**exponent
            if width >= least and math.floor(high / width) - math.floor(low / width) + 1 <= bins:
                return float(f"{width:.6g}")
        exponent += 1
