"""Time modifiers (`-4h@h`, `@w1`, `now`, absolute forms) and spans (`5m`, `1mon`).

Offsets and snaps are applied in the person's time zone; days are calendar days there, so a day may last 23 or 25 hours.
"""

from __future__ import annotations

import calendar
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

from sightline.errors import SearchError

_UNITS = {
    "us": ("us",),
    "ms": ("ms",),
    "cs": ("cs",),
    "ds": ("ds",),
    "s": ("s", "sec", "secs", "second", "seconds"),
    "m": ("m", "min", "mins", "minute", "minutes"),
    "h": ("h", "hr", "hrs", "hour", "hours"),
    "d": ("d", "day", "days"),
    "w": ("w", "week", "weeks"),
    "mon": ("mon", "month", "months"),
    "q": ("q", "qtr", "qtrs", "quarter", "quarters"),
    "y": ("y", "yr", "yrs", "year", "years"),
}
UNITS = {word: unit for unit, words in _UNITS.items() for word in words}
"""Every spelling of a unit."""

SECONDS = {"us": 1e-6, "ms": 1e-3, "cs": 0.01, "ds": 0.1, "s": 1, "m": 60, "h": 3600, "d": 86400, "w": 604800}
"""Units of fixed length (days and weeks nominally)."""
MONTHS = {"mon": 1, "q": 3, "y": 12}
"""Units of whole months."""

_ABSOLUTE_FORMATS = ("%m/%d/%Y:%H:%M:%S", "%m/%d/%Y:%H:%M:%S.%f", "%m/%d/%Y:%H:%M", "%m/%d/%Y", "%Y-%m-%dT%H:%M:%S%z",
                     "%Y-%m-%dT%H:%M:%S.%f%z", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S.%f", "%Y-%m-%d %H:%M:%S",
                     "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d")  # fmt: skip
_SECONDS = re.compile(r"[+-]?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d{1,2})?")
_OFFSET = re.compile(r"([+-])\s*(\d*)\s*([A-Za-z]+)")
_SNAP = re.compile(r"@\s*([A-Za-z]+)([0-7])?")
_SPAN = re.compile(r"(\d+(?:\.\d+)?)?\s*([A-Za-z]+)?(?:@(.*))?\Z")


@dataclass(frozen=True, slots=True)
class TimeSpan:
    """A bucket's length: a count of a unit, or a whole number of months. `snap` is the text after `@`."""

    count: float
    unit: str
    snap: str = ""

    @property
    def seconds(self) -> float | None:
        """Length in seconds, None for months."""
        return None if self.unit in MONTHS else self.count * SECONDS[self.unit]

    @property
    def months(self) -> int | None:
        """Length in months, None for units of fixed length."""
        return int(self.count) * MONTHS[self.unit] if self.unit in MONTHS else None

    def __str__(self) -> str:
        return f"{self.count:g}{self.unit}" + (f"@{self.snap}" if self.snap else "")


def parse_span(text: str) -> TimeSpan:
    """A span such as `5m`, `1mon`, `30` (seconds) or `4h@h`."""
    match = _SPAN.match(text.strip())
    if not match or not (match.group(1) or match.group(2)):
        raise SearchError(f'a span is a number and a unit such as 5m or 1d, got "{text}"')
    unit = UNITS.get((match.group(2) or "s").lower() if match.group(2) != "M" else "mon")
    if unit is None:
        raise SearchError(f'there is no time unit "{match.group(2)}", wanted one of: {", ".join(_UNITS)}, got "{text}"')
    count = float(match.group(1) or 1)
    if count <= 0:
        raise SearchError(f'a span must be longer than nothing, got "{text}"')
    return TimeSpan(int(count) if count.is_integer() else count, unit, match.group(3) or "")


def parse_time(text: str, now: float, zone: tzinfo = UTC, time_format: str = "") -> float:
    """Seconds since the epoch for a time modifier. Raises SearchError for text that is none."""
    given = text.strip().strip('"')
    if time_format:
        try:
            return _localised(datetime.strptime(given, time_format), zone).timestamp()
        except (ValueError, re.error, OverflowError):
            # Python makes a pattern of the format, which may name a part twice.
            pass
    lowered = given.lower()
    if lowered in ("now", "now()", ""):
        return now
    if lowered.startswith("rt"):
        raise SearchError(
            f'real-time windows such as "{given}" are not supported',
            hint="use a range such as -5m and refresh, or a schedule",
        )
    if _SECONDS.fullmatch(given):
        return float(given)
    if given[0] in "+-@":
        return _relative(given, now, zone)
    if lowered.startswith("now") and lowered[3:4] in ("+", "-", "@"):
        return _relative(given[3:], now, zone)
    cleaned = given[:-1] + "+0000" if given.endswith("Z") else given
    for known in _ABSOLUTE_FORMATS:
        try:
            return _localised(datetime.strptime(cleaned, known), zone).timestamp()
        except ValueError:
            continue
    raise SearchError(
        f'"{given}" is not a time: wanted an offset such as -4h@h, now, seconds since 1970, or 11/23/2026:14:30:00'
    )


def _localised(moment: datetime, zone: tzinfo) -> datetime:
    return moment if moment.tzinfo else moment.replace(tzinfo=zone)


@dataclass(frozen=True, slots=True)
class Shift:
    """A step of a time modifier that moves the time by a count of a unit."""

    count: int
    unit: str


@dataclass(frozen=True, slots=True)
class Snap:
    """A step of a time modifier that goes back to the start of a unit; `weekday` (Sunday is 0) for weeks."""

    unit: str
    weekday: int = 0


def modifier_steps(text: str) -> list[Shift | Snap]:
    """The steps of a relative time such as `-1d@d+2h`, in order. Raises SearchError for text that is none."""
    steps: list[Shift | Snap] = []
    rest = text.strip()
    while rest:
        if match := _OFFSET.match(rest):
            sign = 1 if match.group(1) == "+" else -1
            steps.append(Shift(sign * int(match.group(2) or 1), _unit(match.group(3), text)))
        elif match := _SNAP.match(rest):
            word, digit = match.groups()
            unit = _unit(word, text)
            if digit is not None and unit != "w":
                raise SearchError(f'"{text}": only @w takes a day number')
            steps.append(Snap(unit, int(digit or 0) % 7))
        else:
            raise SearchError(f'"{text}" is not a time modifier: wanted something like -4h@h, got "{rest}"')
        rest = rest[match.end() :].strip()
    return steps


def _relative(text: str, now: float, zone: tzinfo) -> float:
    try:
        moment = datetime.fromtimestamp(now, zone)
        for step in modifier_steps(text):
            if isinstance(step, Shift):
                moment = _shift(moment, step.count, step.unit)
            else:
                moment = _snap(moment, step)
    except (OverflowError, ValueError):
        raise SearchError(f'"{text}" reaches beyond the years that can be told') from None
    return moment.timestamp()


def _unit(word: str, text: str) -> str:
    unit = UNITS.get(word.lower())
    if unit is None:
        raise SearchError(f'"{text}": there is no time unit "{word}", wanted one of: {", ".join(_UNITS)}')
    return unit


def _shift(moment: datetime, count: int, unit: str) -> datetime:
    if unit in MONTHS:
        months = moment.year * 12 + moment.month - 1 + count * MONTHS[unit]
        year, month = divmod(months, 12)
        day = min(moment.day, calendar.monthrange(year, month + 1)[1])
        return moment.replace(year=year, month=month + 1, day=day)
    if unit in ("d", "w"):
        naive = moment.replace(tzinfo=None) + timedelta(days=count * (7 if unit == "w" else 1))
        return naive.replace(tzinfo=moment.tzinfo)
    return datetime.fromtimestamp(moment.timestamp() + count * SECONDS[unit], moment.tzinfo)


def _snap(moment: datetime, step: Snap) -> datetime:
    unit = step.unit
    day = moment.replace(hour=0, minute=0, second=0, microsecond=0)
    if unit == "s":
        return moment.replace(microsecond=0)
    if unit == "m":
        return moment.replace(second=0, microsecond=0)
    if unit == "h":
        return moment.replace(minute=0, second=0, microsecond=0)
    if unit == "d":
        return day
    if unit == "w":
        return _shift(day, -((day.isoweekday() % 7 - step.weekday) % 7), "d")
    if unit == "mon":
        return day.replace(day=1)
    if unit == "q":
        return day.replace(day=1, month=(day.month - 1) // 3 * 3 + 1)
    if unit == "y":
        return day.replace(day=1, month=1)
    return moment
