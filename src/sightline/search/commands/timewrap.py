"""`timewrap`: a time chart folded, so that each period of it is a series beside the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner.aggregates import searched_range
from sightline.search.planner.pivot import one_array
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_options
from sightline.search.syntax.expressions import shown

_UNITS = {
    "second": ("s", "sec", "secs", "second", "seconds"),
    "minute": ("min", "mins", "minute", "minutes"),
    "hour": ("h", "hr", "hrs", "hour", "hours"),
    "day": ("d", "day", "days"),
    "week": ("w", "week", "weeks"),
    "month": ("m", "mon", "month", "months"),
    "quarter": ("q", "qtr", "qtrs", "quarter", "quarters"),
    "year": ("y", "yr", "yrs", "year", "years"),
}
UNITS = {word: unit for unit, words in _UNITS.items() for word in words}
"""Every spelling of a unit. Other than in spans elsewhere, m is a month."""
_SECONDS = {"second": 1, "minute": 60, "hour": 3600, "day": 86400, "week": 604800}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_PERIOD = re.compile(r"(\d+)?\s*([A-Za-z]+)\Z")
MOST_PERIODS = 1000


@command("timewrap", kind="transforming")
@dataclass
class TimeWrap(Command):
    """Folds a time chart so that each period of it is a series beside the others.

    Syntax: timewrap [<number>]<unit> [align=now|end] [series=relative|exact|short] [time_format=<format>]
    Example: index=web earliest=-3d@d latest=@d | timechart span=1h count | timewrap 1d

    Units are s, min, h, d, w, m (a month), q and y. The periods end at the end of the searched range, or now
    (`align=now`); a search without a range ends with its last row. Rows show the times of the latest period. Series are
    named `latest_day`, `1day_before`, `2days_before`, with `series=short` s0, s1, s2, and with `series=exact` by
    `time_format` of when the period begins, the oldest first. Where the chart has several fields the name is
    `field_name`. Days and longer periods follow the calendar. A time that a period lacks is empty there.
    """

    align: str = option("end", choices=("now", "end"), help="where the latest period ends")
    series: str = option("relative", choices=("relative", "exact", "short"), help="how series are named")
    time_format: str = option("", help="how series=exact writes the beginning of a period")
    count: int = 1
    unit: str = "day"

    @classmethod
    def read(cls, arguments: Arguments) -> TimeWrap:
        found = arguments.options(cls)
        token = arguments.next()
        text = token.text
        if text.isdigit() and arguments.peek().kind == "word" and not arguments.peek(1).is_("="):
            text += arguments.next().text
        match = _PERIOD.match(text) if token.kind in ("word", "string", "quoted") else None
        unit = UNITS.get(match.group(2).lower()) if match else None
        if match is None or unit is None or not int(match.group(1) or 1):
            raise SearchError(f"a period such as 1d, 1w or 1m (a month) is expected, got {shown(token)}", token.span)
        found.update(arguments.options(cls))
        if error := arguments.unknown_option(cls):
            raise error
        arguments.finish()
        return cls(count=int(match.group(1) or 1), unit=unit, **found)

    def print_arguments(self) -> list[str]:
        return [f"{self.count}{self.unit}", *print_options(self)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        time = relation.field("_time")
        if not time.type.is_number and (relation.fields or not context.dry):
            raise SearchError("timewrap needs rows with a _time", hint="put timechart before it")
        names = [name for name, value in relation.fields.items() if not name.startswith("_") and value.type is not Type.NULL]
        kept = ["_time", *(["_span"] if "_span" in relation.fields else []), *names]
        table = context.table_of(relation, kept)
        if context.dry:
            return context.relation_of(table.select(["_time"]) if "_time" in table.column_names else pa.table({}))
        return context.relation_of(context.python_step("timewrap", lambda: self._wrapped(table, names, context)))

    def _wrapped(self, table: pa.Table, names: Sequence[str], context: Context) -> pa.Table:
        table = table.filter(pc.is_valid(table["_time"]))
        if not table.num_rows:
            return table.select(["_time"])
        times = np.asarray(table["_time"], dtype=np.float64)
        end = self._end(times, table, context)
        clock = _wall_clock(times, context.zone)
        begins, latest = self._begins(datetime.fromtimestamp(end, context.zone), clock)
        place = np.searchsorted(begins, clock, side="right") - 1
        period = latest - place
        aligned = clock - begins[place] + begins[latest]
        rows, at = np.unique(aligned, return_inverse=True)
        columns: dict[str, pa.Array] = {"_time": _moments(rows, context.zone)}
        for name in names:
            cells = one_array(table[name])
            for number in range(int(period.max()), int(period.min()) - 1, -1):
                places = np.full(len(rows), -1, dtype=np.int64)
                chosen = np.flatnonzero(period == number)
                places[at[chosen]] = chosen
                title = self._title(number, begins[latest - number])
                title = f"{name}_{title}" if len(names) > 1 else title
                columns[title] = cells.take(pa.array(places, mask=places < 0))
        if "_span" in table.column_names:
            firsts = np.unique(at, return_index=True)[1]
            columns["_span"] = one_array(table["_span"]).take(pa.array(firsts))
        return pa.table(columns)

    def _end(self, times: np.ndarray, table: pa.Table, context: Context) -> float:
        """Where the latest period ends."""
        if self.align == "now":
            return context.now
        _, latest = searched_range(context)
        if latest is not None:
            return latest
        span = table["_span"][int(times.argmax())].as_py() if "_span" in table.column_names else None
        return float(times.max()) + float(span or 1)

    def _begins(self, end: datetime, clock: np.ndarray) -> tuple[np.ndarray, int]:
        """Where the periods begin that the rows lie in, ascending on the wall clock, and which of them is the latest."""
        wall = end.replace(tzinfo=None)
        low, high = float(clock.min()), float(clock.max())
        before = [_seconds(self._shifted(wall, -1))]
        while before[-1] > low and len(before) <= MOST_PERIODS:
            before.append(_seconds(self._shifted(wall, -len(before) - 1)))
        after: list[float] = []
        while (following := _seconds(self._shifted(wall, len(after)))) <= high and len(after) <= MOST_PERIODS:
            after.append(following)
        if max(len(before), len(after)) > MOST_PERIODS:
            raise SearchError(f"there are more than {MOST_PERIODS:,} periods of {self.count} {self.unit} in the rows")
        return np.array([*reversed(before), *after]), len(before) - 1

    def _shifted(self, moment: datetime, periods: int) -> datetime:
        if self.unit in _SECONDS:
            return moment + timedelta(seconds=periods * self.count * _SECONDS[self.unit])
        months = moment.year * 12 + moment.month - 1 + periods * self.count * _MONTHS[self.unit]
        year, month = divmod(months, 12)
        following = datetime(year + (month == 11), (month + 1) % 12 + 1, 1)
        last_day = (following - timedelta(days=1)).day
        return moment.replace(year=year, month=month + 1, day=min(moment.day, last_day))

    def _title(self, number: int, begin: float) -> str:
        if self.series == "short":
            return f"s{number}"
        if self.series == "exact":
            return (datetime(1970, 1, 1) + timedelta(seconds=begin)).strftime(self.time_format or "%Y-%m-%d %H:%M:%S")
        if number == 0:
            return f"latest_{self.unit}" if self.count == 1 else f"latest_{self.count}{self.unit}s"
        distance = abs(number) * self.count
        return f"{distance}{self.unit}{'s' if distance > 1 else ''}_{'before' if number > 0 else 'after'}"


def _seconds(wall: datetime) -> float:
    return (wall - datetime(1970, 1, 1)).total_seconds()


def _wall_clock(moments: np.ndarray, zone: tzinfo) -> np.ndarray:
    """Moments as what a clock on the wall shows, in seconds since the clock showed 1970: a day there always has 24 hours."""
    if zone is UTC:
        return moments
    known = pd.to_datetime(np.round(moments * 1e6).astype("int64"), unit="us", utc=True)
    return np.asarray(known.tz_convert(zone).tz_localize(None).astype("int64"), dtype=np.float64) / _ticks(known)


def _ticks(index: pd.DatetimeIndex) -> float:
    return {"s": 1.0, "ms": 1e3, "us": 1e6, "ns": 1e9}[index.unit]


def _moments(clock: np.ndarray, zone: tzinfo) -> pa.Array:
    """The moments at which the clock on the wall shows this."""
    if zone is not UTC:
        wall = pd.to_datetime(np.round(clock * 1e6).astype("int64"), unit="us")
        found = wall.tz_localize(zone, ambiguous=np.zeros(len(wall), dtype=bool), nonexistent="shift_forward")
        clock = np.asarray(found.astype("int64"), dtype=np.float64) / _ticks(found)
    return pa.array(clock.astype(np.int64) if np.all(clock == np.floor(clock)) else clock)
