"""Eval functions and aggregates, a file per kind. Importing a module here registers its functions.

Commands that aggregate find an aggregate by the name as written with `find_aggregate` and call its `lower` with the
argument's value (None for `count`) and an `AggregateInput`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sightline.errors import SearchError, nearest
from sightline.search import registry
from sightline.search.planner import values as v
from sightline.search.planner.values import Value


@dataclass(frozen=True)
class AggregateInput:
    """What an aggregate may ask about the rows it reads, beside its argument."""

    position: Value
    """A number that ascends in the shown order of rows; `first` and `list` go by it."""
    time: Value = v.NULL
    """`_time` in seconds; `earliest`, `latest`, `rate` and `sparkline` go by it. NULL where rows have none."""
    parameter: float | None = None
    """The number in a name such as `perc95`."""
    extra: tuple[str, ...] = ()
    """What stands behind the argument: for `sparkline` the inner function's name and, if given, the span's text."""
    span_s: float | None = None
    """Length of a bucket of `timechart`, for `per_second` and its siblings; None elsewhere."""
    earliest: float | None = None
    """Start of the search's range, for `sparkline`; None for all time."""
    latest: float | None = None
    """End of the search's range, exclusive."""


_PARAMETERISED = re.compile(r"(exactperc|upperperc|perc|p)(\d+(?:\.\d+)?)\Z")


def find_aggregate(name: str) -> tuple[registry.AggregateEntry, float | None]:
    """The aggregate of a name as written, and the number in it: `perc95` is `perc` with 95.

    Raises SearchError without a span for a name that is none.
    """
    lowered = name.lower()
    if match := _PARAMETERISED.match(lowered):
        parameter = float(match.group(2))
        if parameter > 100:
            raise SearchError(f"{name}: a percentile lies between 0 and 100, got {match.group(2)}")
        return registry.AGGREGATES[match.group(1)], parameter
    entry = registry.AGGREGATES.get(lowered)
    if entry is None or entry.parameterised:
        raise SearchError(f'there is no aggregate "{name}"', hint=nearest(lowered, registry.AGGREGATES))
    return entry, None
