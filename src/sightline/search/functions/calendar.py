"""Calendar arithmetic as values over whole seconds: local times of a zone, starts of units, months, dates.

Local seconds count as if the zone were UTC, so that a day is always 86,400 of them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from zoneinfo import ZoneInfo

from sightline.search.functions.arguments import int64
from sightline.search.planner import values as v
from sightline.search.planner.values import Type, Value

CYCLE_S = 12_622_780_800
"""Length of the 400 years after which the calendar, with its weekdays, repeats."""
FIRST_S, LAST_S = -2_208_988_800, 10_413_792_000 - 1
"""1900-01-01 to 2299-12-31, the years that the engine's calendar knows."""


def _int(name: str, *arguments: Value) -> Value:
    return v.call(name, *arguments, type=Type.INT)


def floor_divide(value: Value, divisor: int) -> Value:
    """The whole quotient, rounded down also for times before 1970."""
    quotient = v.call("divide", value, v.integer(divisor), type=Type.FLOAT)
    return v.whole(v.call("floor", quotient, type=Type.FLOAT))


def remainder(value: Value, divisor: int) -> Value:
    """What `floor_divide` leaves, never negative."""
    return _int("positiveModulo", value, int64(divisor))


@dataclass(frozen=True)
class Zone:
    """A time zone as the engine takes it: a name of the zone database, and seconds to add for a fixed offset."""

    name: str = "UTC"
    shift_s: int = 0
    label: str = "UTC"
    """What %Z prints for a fixed offset."""

    @classmethod
    def of(cls, zone: tzinfo) -> Zone:
        """The zone of a search."""
        if isinstance(zone, ZoneInfo) and zone.key:
            return cls() if zone.key in ("UTC", "Etc/UTC") else cls(zone.key)
        offset = zone.utcoffset(None)
        shift_s = int(offset.total_seconds()) if offset is not None else 0
        return cls("UTC", shift_s, "UTC" if not shift_s else zone.tzname(None) or "UTC")

    @property
    def fixed(self) -> bool:
        """Whether the offset from UTC is always the same."""
        return self.name == "UTC"

    def moment(self, micros: Value) -> Value:
        """The engine's time for microseconds since 1970, in a fixed zone already moved by its offset."""
        if self.shift_s:
            micros = _int("plus", micros, int64(self.shift_s * 1_000_000))
        return _int("fromUnixTimestamp64Micro", micros)

    def offset_s(self, seconds: Value) -> Value:
        """Seconds between the zone and UTC at a time."""
        if self.fixed:
            return int64(self.shift_s)
        bounded = _int("greatest", int64(FIRST_S), _int("least", int64(LAST_S), seconds))
        moment = _int("fromUnixTimestamp64Micro", _int("multiply", bounded, int64(1_000_000)))
        return _int("toInt64", _int("timeZoneOffset", _int("toTimeZone", moment, v.text(self.name))))

    def to_local(self, seconds: Value) -> Value:
        """Local seconds of a time."""
        if self.fixed and not self.shift_s:
            return seconds
        return v.shared([seconds], lambda time: _int("plus", time, self.offset_s(time)))

    def to_utc(self, local: Value) -> Value:
        """The time of local seconds. A local time that a change of clocks skips or repeats takes the offset before it
        where that still holds.
        """
        if self.fixed:
            return local if not self.shift_s else _int("minus", local, int64(self.shift_s))

        def settled(local: Value, first: Value, second: Value) -> Value:
            agrees = v.call("equals", self.offset_s(second), _int("minus", local, second), type=Type.BOOL)
            return _int("if", v.is_true(agrees), second, first)

        def corrected(local: Value, first: Value) -> Value:
            second = _int("minus", local, self.offset_s(first))
            return v.shared([second], lambda second: settled(local, first, second))

        def guessed(local: Value) -> Value:
            return v.shared([_int("minus", local, self.offset_s(local))], lambda first: corrected(local, first))

        return v.shared([local], guessed)

    def abbreviations(self) -> dict[int, str]:
        """Short names of the zone by offset, the latest use counting: {3600: "CET", 7200: "CEST"}."""
        if self.fixed:
            return {self.shift_s: self.label}
        zone = ZoneInfo(self.name)
        found: dict[int, str] = {}
        for year in range(1970, 2038):
            for month in (1, 4, 7, 10):
                local = datetime(year, month, 1, tzinfo=UTC).astimezone(zone)
                offset = local.utcoffset()
                found[int(offset.total_seconds() if offset else 0)] = local.tzname() or ""
        return found

    def date_of(self, time: float) -> tuple[int, int, int]:
        """Year, month and day of a time in this zone."""
        if self.fixed:
            moment = datetime.fromtimestamp(time + self.shift_s, UTC)
        else:
            moment = datetime.fromtimestamp(time, ZoneInfo(self.name))
        return moment.year, moment.month, moment.day

    # -- local seconds

    def plus_months(self, local: Value, count: int) -> Value:
        """The same day and time so many months away; the last day where the month is shorter."""

        def moved(local: Value) -> Value:
            date = _int("addMonths", _date(local), v.integer(count))
            return _int("plus", _days_in_seconds(date), remainder(local, 86400))

        return v.shared([local], moved)

    def snapped(self, local: Value, unit: str, weekday: int) -> Value:
        """The start of the unit that holds a local time."""
        return v.shared([local], lambda local: self._snapped(local, unit, weekday))

    def _snapped(self, local: Value, unit: str, weekday: int) -> Value:
        sizes_s = {"s": 1, "m": 60, "h": 3600, "d": 86400}
        if unit in sizes_s:
            return _int("minus", local, remainder(local, sizes_s[unit])) if unit != "s" else local
        days = floor_divide(local, 86400)
        if unit == "w":
            # Day 0 was a Thursday.
            since = remainder(_int("plus", days, int64(4 - weekday + 7)), 7)
            return _int("multiply", _int("minus", days, since), int64(86400))
        date = _date(local)
        if unit in ("mon", "q"):
            start = _int("minus", days, _int("minus", _int("toInt64", _int("toDayOfMonth", date)), int64(1)))
            if unit == "mon":
                return _int("multiply", start, int64(86400))
            past = _int("modulo", _int("minus", _int("toInt64", _int("toMonth", date)), int64(1)), v.integer(3))
            first = _int("addMonths", _int("toDate32", _int("toInt32", start)), _int("negate", past))
            return _days_in_seconds(first)
        if unit == "y":
            past = _int("minus", _int("toInt64", _int("toDayOfYear", date)), int64(1))
            return _int("multiply", _int("minus", days, past), int64(86400))
        return local


def _date(local: Value) -> Value:
    return _int("toDate32", _int("toInt32", floor_divide(local, 86400)))


def _days_in_seconds(date: Value) -> Value:
    return _int("multiply", _int("toInt64", date), int64(86400))


def days_of_date(year: Value, month: Value, day: Value) -> Value:
    """Days since 1970 of a date of the calendar, for any year from 0 on."""
    early = v.call("lessOrEquals", month, v.integer(2), type=Type.BOOL)
    shifted = _int("minus", year, _int("toInt64", early))
    since_march = _int("plus", month, _int("if", early, v.integer(9), v.integer(-3)))
    of_year = _int("plus", _int("intDiv", _int("plus", _int("multiply", int64(153), since_march), v.integer(2)),
                                v.integer(5)), day)  # fmt: skip
    leaps = _int("plus", _int("minus", _int("intDiv", shifted, v.integer(4)), _int("intDiv", shifted, v.integer(100))),
                 _int("intDiv", shifted, v.integer(400)))  # fmt: skip
    whole_years = _int("plus", _int("multiply", int64(365), shifted), leaps)
    return _int("minus", _int("plus", whole_years, of_year), int64(719_469))


def is_date(year: Value, month: Value, day: Value) -> Value:
    """Whether the numbers are a date that exists."""
    leap = v.both([
        v.call("equals", _int("modulo", year, v.integer(4)), v.integer(0), type=Type.BOOL),
        v.either([
            v.call("notEquals", _int("modulo", year, v.integer(100)), v.integer(0), type=Type.BOOL),
            v.call("equals", _int("modulo", year, v.integer(400)), v.integer(0), type=Type.BOOL),
        ]),
    ])  # fmt: skip
    lengths = _int("array", *(v.integer(n) for n in (31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)))
    february = v.both([leap, v.call("equals", month, v.integer(2), type=Type.BOOL)])
    real = between(month, 1, 12)
    at = _int("if", real, month, int64(1))
    longest = _int("plus", _int("arrayElement", lengths, at), _int("toInt64", february))
    return v.both([
        real, v.call("greaterOrEquals", day, v.integer(1), type=Type.BOOL), v.call("lessOrEquals", day, longest, type=Type.BOOL),
    ])  # fmt: skip


def between(value: Value, low: int, high: int) -> Value:
    """Whether the number lies between two constants, both included."""
    return v.both([
        v.call("greaterOrEquals", value, v.integer(low), type=Type.BOOL),
        v.call("lessOrEquals", value, v.integer(high), type=Type.BOOL),
    ])  # fmt: skip
