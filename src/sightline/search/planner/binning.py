"""The options that say how a field is divided into buckets, and the buckets they mean for the rows at hand.

Shared by `bin`, which replaces a field, and by `chart` and `timechart`, which group by one.
"""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.errors import SearchError, Span
from sightline.search.planner import values as v
from sightline.search.planner.aggregates import searched_range
from sightline.search.planner.buckets import (
    NumberBuckets,
    TimeBuckets,
    alignment,
    auto_span,
    auto_width,
    number_buckets,
)
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type, Value
from sightline.search.syntax.arguments import Arguments, option
from sightline.search.syntax.expressions import quote_string, shown
from sightline.search.time import parse_span

if TYPE_CHECKING:
    from sightline.search.context import Context

DEFAULT_BINS = 100
"""Buckets at most where neither a span nor a number is given."""


@dataclass(frozen=True)
class Binning:
    """Options of one field, as written. An empty text, or 0 bins, is not given."""

    span: str = option("", help="length of a bucket: a time such as 5m, a number, or a base such as 2log10")
    bins: int = option(0, help="how many buckets at most, where no span is given: 100 unless given")
    minspan: str = option("", help="length of a bucket at least")
    start: str = option("", help="where the buckets of numbers begin")
    end: str = option("", help="where the buckets of numbers end")
    aligntime: str = option("", help="a moment at which a bucket of time begins")

    def print(self) -> list[str]:
        """The options that were given."""
        given = [(f.name, getattr(self, f.name)) for f in dataclasses.fields(self) if getattr(self, f.name) != f.default]
        return [f"{name}={value if isinstance(value, int) else quote_string(value)}" for name, value in given]

    def __bool__(self) -> bool:
        return self != Binning()


def read_binning(arguments: Arguments, binning: Binning) -> Binning | None:
    """The binning with one more option that stands at the cursor; None where none does."""
    name = arguments.peek()
    if name.kind != "word" or not arguments.peek(1).is_("="):
        return None
    key = name.text.lower()
    if key not in {f.name for f in dataclasses.fields(Binning)}:
        return None
    arguments.position += 2
    token = arguments.next()
    if token.kind not in ("word", "string", "quoted"):
        raise SearchError(f"{key} wants a value, got {shown(token)}", token.span)
    check = _CHECKS.get(key)
    if check is not None:
        check(key, token.text, token.span)
    return dataclasses.replace(binning, **{key: int(token.text) if key == "bins" else token.text})


def _check_span(name: str, text: str, at: Span) -> None:
    try:
        if number_buckets(text) is None:
            parse_span(text)
    except SearchError as error:
        raise SearchError(f"{name}: {error.message.removeprefix('span: ')}", at) from None


def _check_bins(name: str, text: str, at: Span) -> None:
    if not text.isdigit() or int(text) < 2:
        raise SearchError(f'{name} must be a whole number of 2 or more, got "{text}"', at)


def _check_number(name: str, text: str, at: Span) -> None:
    if v.numeric_literal(text) is None:
        raise SearchError(f'{name} must be a number, got "{text}"', at)


_CHECKS = {
    "span": _check_span,
    "minspan": _check_span,
    "bins": _check_bins,
    "start": _check_number,
    "end": _check_number,
}


def chosen_buckets(
    relation: Relation, name: str, binning: Binning, context: Context, *, always: bool
) -> TimeBuckets | NumberBuckets | None:
    """The buckets of a field. Without a span this reads the field's extent.

    Without options, and unless `always`, a field of numbers is divided only if it has more than so many different ones.
    """
    value = relation.field(name)
    if value.type is Type.NULL:
        return None
    if name == "_time" or (binning.span and number_buckets(binning.span) is None):
        return time_buckets(relation, value, binning, context)
    found = number_buckets(binning.span) if binning.span else None
    if found is not None or not (always or binning or value.type.is_number):
        return found
    if v.is_null(value):
        return None
    low, high, distinct = _extent(relation, v.as_float(value), context, count_up_to=DEFAULT_BINS)
    bins = binning.bins or DEFAULT_BINS
    if low is None or high is None or not (always or binning or distinct > DEFAULT_BINS):
        return None
    if binning.start:
        low = min(low, float(binning.start))
    if binning.end and float(binning.end) > high:
        # The end is where the last bucket ends, not a value in it.
        high = math.nextafter(float(binning.end), low)
    least = v.numeric_literal(binning.minspan) if binning.minspan else 0
    return NumberBuckets(auto_width(low, high, bins, float(least or 0)))


def time_buckets(relation: Relation, time: Value, binning: Binning, context: Context) -> TimeBuckets:
    """Buckets of time by a span, or by the number of buckets over the searched range."""
    earliest, latest = searched_range(context)
    if binning.span:
        span = parse_span(binning.span)
    else:
        earliest, latest = time_range(relation, time, context)
        least = parse_span(binning.minspan) if binning.minspan else None
        span = auto_span((latest or 0) - (earliest or 0), binning.bins or DEFAULT_BINS, least)
    align = alignment(binning.aligntime, earliest, latest, context.now, context.zone)
    seconds = span.seconds
    return TimeBuckets(span, context.zone, align % seconds if seconds and span.unit not in ("d", "w") else 0.0)


def time_range(relation: Relation, time: Value, context: Context) -> tuple[float | None, float | None]:
    """The searched range, and where it is open, the extent of the rows. None where there are no rows either."""
    earliest, latest = searched_range(context)
    if (earliest is not None and latest is not None) or time.type is Type.NULL or isinstance(time, v.Literal):
        return earliest, latest
    low, high, _ = _extent(relation, v.as_float(time), context)
    return (low if earliest is None else earliest), (high if latest is None else latest)


def _extent(
    relation: Relation, value: Value, context: Context, *, count_up_to: int = 0
) -> tuple[float | None, float | None, int]:
    """Least and greatest value, and how many different ones there are as far as `count_up_to` plus one."""
    low, high = (v.agg(function, value, type=Type.FLOAT) for function in ("minOrNull", "maxOrNull"))
    distinct: Value = v.integer(0)
    if count_up_to:
        counted = v.agg("uniqUpTo", value, type=Type.INT, parameters=(min(count_up_to, 100),))
        distinct = v.call("toInt64", counted, type=Type.INT)
    table = context.table_of(relation.aggregated([], [("low", low), ("high", high), ("distinct", distinct)]))
    if not table.num_rows:
        return None, None, 0
    return table["low"][0].as_py(), table["high"][0].as_py(), int(table["distinct"][0].as_py() or 0)
