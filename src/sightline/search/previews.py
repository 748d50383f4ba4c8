"""What a long search will give, told early from its newest events.

An aggregating search gives nothing before it has read everything. While it runs, the same search is run over the newest
events only, a few times over more of them. Together these read at most a tenth of what the search reads.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import pyarrow as pa

from sightline.search import registry
from sightline.search.context import Context
from sightline.search.engine import SearchEngine, drop_absent_fields
from sightline.search.syntax.tree import Pipeline

AFTER_S = 1.5
"""How long a search has run before its first preview: most have ended by then."""
LEAST_ROWS = 500_000
"""Stored rows that a search reads at least for previews to be worth while."""
SHARES = (0.01, 0.03, 0.06)
"""Shares of the searched time that the previews cover, one after the other."""
MOST_ROWS = 10_000
"""Rows of a preview."""


@dataclass(frozen=True)
class Preview:
    """The rows that the search has over its newest events, and the share of its events that were read for them."""

    table: pa.Table
    share: float


def is_previewed(pipeline: Pipeline) -> bool:
    """Whether the search may be run twice: it begins with stored events, and nothing in it does more than give rows."""
    commands = [registry.read_command(stage) for stage in pipeline.stages]
    return (
        bool(commands)
        and commands[0].command_name == "search"
        and any(command.kind == "transforming" for command in commands)
        and not any(stage.subsearches for stage in pipeline.stages)
        and all(command.kind in ("streaming", "transforming") or command.repeatable for command in commands[1:])
    )


def previews(engine: SearchEngine, text: str, make_context: Callable[..., Context]) -> Iterator[Preview]:
    """The previews of a search, each over more events than the one before; none for a search that they do not suit.

    `make_context` gives a context like the search's own, whose cancelling ends the previews too.
    """
    _, pipeline = engine.read(text)
    if not is_previewed(pipeline):
        return
    rows, whole = _rows_to_read(engine, text, make_context, None)
    if rows < LEAST_ROWS:
        return
    low, high = _reach(engine, whole)
    for share in SHARES if high > low else ():
        newest_from = high - (high - low) * share
        read, _ = _rows_to_read(engine, text, make_context, newest_from)
        if read > rows / 10:
            # The events are not spread evenly: this would cost more than it may.
            return
        context = make_context(dry=False)
        context.newest_from = newest_from
        relation = engine.prepare(text, context).relation.head(MOST_ROWS)
        table = context.table_of(relation, settings={"max_threads": 1})
        yield Preview(drop_absent_fields(table, relation.kind), read / rows)


def _rows_to_read(
    engine: SearchEngine, text: str, make_context: Callable[..., Context], newest_from: float | None
) -> tuple[int, Context]:
    """About how many stored rows the search reads, of the newest or of all, and the context that it was planned in."""
    context = make_context(dry=True)
    context.check_cancelled()
    context.newest_from = newest_from
    engine.prepare(text, context)
    return (context.rows_to_read(context.scanned) if context.scanned is not None else 0), context


def _reach(engine: SearchEngine, context: Context) -> tuple[float, float]:
    """The first and the last moment that the search has events of: its time range within that of its indexes."""
    held = [one for one in engine.store.indexes() if one.name in context.scanned_indexes and one.min_time is not None]
    if not held:
        return 0.0, 0.0
    earliest, latest = context.time_range
    low = max(min(one.min_time for one in held), earliest or 0.0)
    high = max(one.max_time for one in held)
    return low, high if latest is None else min(high, latest)
