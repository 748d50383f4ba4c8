"""`gentimes`: a row for each step of a range of time, out of nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo

import pyarrow as pa

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner.relation import Relation
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option

_DATE = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}|\d{2})(?::(\d{1,2}):(\d{1,2}):(\d{1,2}))?\Z")
_DAYS = re.compile(r"[+-]?\d+\Z")
_INCREMENT = re.compile(r"(\d+)([smhd])?\Z", re.I)
_SECONDS = {"s": 1, "m": 60, "h": 3600}


@command("gentimes", kind="generating")
@dataclass
class GenTimes(Command):
    """Makes a row for each step of a range of time.

    Syntax: gentimes start=<day> [end=<day>] [increment=<number>(s|m|h|d)]
    Example: | gentimes start=11/1/2023 end=11/4/2023 increment=1d

    A time is `month/day/year`, maybe with `:hour:minute:second`, or a number of days from the last midnight: -3 is the
    midnight three days before it. `end` is where the last step ends, by default the last midnight. A row has `starttime`,
    `endtime` (a second before the next step), and both for people to read as `starthuman` and `endhuman`. Days are days of
    the calendar. A range that ends before it starts has no rows.
    """

    start: str = option("", help="where the first step begins")
    end: str = option("0", help="where the last step ends")
    increment: str = option("1d", help="length of a step: a number with s, m, h or d")

    @classmethod
    def read(cls, arguments: Arguments) -> GenTimes:
        given = super().read(arguments)
        assert isinstance(given, GenTimes)
        if not given.start:
            raise SearchError("start is expected, such as start=-7 or start=11/1/2023", arguments.peek().span)
        for name in ("start", "end"):
            text = getattr(given, name)
            if not _DAYS.match(text) and _parsed_date(text) is None:
                raise SearchError(f'{name} must be a number of days or month/day/year[:hour:minute:second], got "{text}"')
        match = _INCREMENT.match(given.increment)
        if not match or not int(match.group(1)):
            raise SearchError(f'increment must be a number with s, m, h or d such as 6h, got "{given.increment}"')
        return given

    def lower(self, relation: Relation, context: Context) -> Relation:
        match = _INCREMENT.match(self.increment)
        assert match is not None
        count, unit = int(match.group(1)), (match.group(2) or "d").lower()
        first, last = (_moment(text, context.now, context.zone) for text in (self.start, self.end))
        length_s = count * _SECONDS.get(unit, 86400)
        limit = context.settings.search.max_python_rows
        if (last - first).total_seconds() / length_s > limit:
            raise SearchError(
                f"{self.increment} makes more than {limit:,} steps", hint="take a longer increment or a shorter range"
            )
        steps = _days(first, last, count) if unit == "d" else _steps(first, last, length_s)
        begins = [] if context.dry else list(steps)
        ends = [following - 1 for following in begins[1:]] + [int(last.timestamp()) - 1] if begins else []

        def human(moments: list[int]) -> pa.Array:
            return pa.array([datetime.fromtimestamp(x, context.zone).ctime() for x in moments], pa.string())

        columns = {
            "endhuman": human(ends),
            "endtime": pa.array(ends, pa.int64()),
            "starthuman": human(begins),
            "starttime": pa.array(begins, pa.int64()),
        }
        return context.relation_of(pa.table(columns))


def _steps(first: datetime, last: datetime, length_s: int) -> Iterator[int]:
    yield from range(int(first.timestamp()), int(last.timestamp()), length_s)


def _days(first: datetime, last: datetime, days: int) -> Iterator[int]:
    """Beginnings of steps of whole days at the same time of day, however long the days are."""
    moment = first
    while moment < last:
        yield int(moment.timestamp())
        moment = (moment.replace(tzinfo=None) + timedelta(days=days)).replace(tzinfo=first.tzinfo)


def _parsed_date(text: str) -> datetime | None:
    match = _DATE.match(text.strip())
    if not match:
        return None
    month, day, year, *clock = (int(x or 0) for x in match.groups())
    try:
        return datetime(year + 2000 if year < 100 else year, month, day, *clock)
    except ValueError:
        return None


def _moment(text: str, now: float, zone: tzinfo) -> datetime:
    parsed = _parsed_date(text)
    if parsed is not None:
        return parsed.replace(tzinfo=zone)
    today: date = datetime.fromtimestamp(now, zone).date() + timedelta(days=int(text))
    return datetime(today.year, today.month, today.day, tzinfo=zone)
