"""Searches inside a search that come from elsewhere: the text of a dataset, a saved search, a lookup to read.

Enters: a text or a name. Leaves: a relation in the same context, with the time range of the outer search or of its own.
Errors inside lose their positions, which belong to a text that the person did not type.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import pyarrow as pa

from sightline.errors import SearchError, nearest
from sightline.search.context import Context, SavedText
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.sources import index_condition, table_relation, time_bounds
from sightline.search.syntax.parser import parse_pipeline
from sightline.search.syntax.source import Macros, read_source
from sightline.search.syntax.tree import Pipeline
from sightline.search.time import parse_time


def read_text(text: str, macros: Macros | None) -> Pipeline:
    """The pipeline of a text, macros expanded."""
    return parse_pipeline(read_source(text, macros))


def run_text(
    text: str, context: Context, title: str, *, earliest: float | None = None, latest: float | None = None
) -> Relation:
    """The rows that a text gives, in the outer time range unless there is another one, which from now on is the search's.

    `title` stands before errors.
    """
    try:
        with other_range(context, earliest, latest):
            found = context.subsearch(read_text(text, context.macros))
    except SearchError as error:
        told = error.with_message(f"{title}: {error.message}")
        told.span, told.command = None, ""  # They are those of the other text.
        raise told from None
    context.overridden_earliest, context.overridden_latest = context.subsearch_range
    return found


def find_saved_search(name: str, context: Context) -> SavedText:
    """A saved search by its name. Raises SearchError that lists those there are."""
    saved = context.knowledge.saved_search(name)
    if saved is None:
        known = context.knowledge.saved_searches()
        listed = f"; saved searches: {', '.join(known)}" if known else "; none is defined"
        raise SearchError(f'there is no saved search "{name}"{listed}', hint=nearest(name, known))
    return saved


def range_of_saved(saved: SavedText, context: Context) -> tuple[float | None, float | None]:
    """The range of time that a saved search runs over inside another one; two Nones are that of the other one.

    A search over all time leaves the saved search its own range; any other range is taken in its place.
    """
    if context.earliest or context.latest is not None:
        return None, None
    earliest, latest = (
        parse_time(bound, context.now, context.zone) if bound else None for bound in (saved.earliest, saved.latest)
    )
    if latest is not None and earliest is None:
        earliest = 0.0
    if earliest is not None and latest is None:
        latest = context.now
    return earliest, latest


def run_saved_search(name: str, values: Mapping[str, str], context: Context) -> Relation:
    """The rows of a saved search; `$name$` in its text is replaced."""
    saved = find_saved_search(name, context)
    text = saved.search
    for key, value in values.items():
        text = text.replace(f"${key}$", value)
    earliest, latest = range_of_saved(saved, context)
    return run_text(text, context, f'saved search "{name}"', earliest=earliest, latest=latest)


@contextmanager
def other_range(context: Context, earliest: float | None, latest: float | None) -> Iterator[None]:
    """The context with another time range for what is lowered inside; with none given, the same."""
    before = context.earliest, context.latest
    if earliest is not None or latest is not None:
        context.earliest, context.latest = earliest, latest
    try:
        yield
    finally:
        context.earliest, context.latest = before


def job_rows(sid: str, context: Context) -> pa.Table:
    """The rows of a job that has ended, for those who may see them. Raises UserError."""
    if context.jobs is None:
        raise SearchError("there are no jobs where this search runs")
    job = context.jobs.get(sid)
    if job.user != context.user and not context.is_administrator:
        raise SearchError(f'there is no search job "{sid}"; it may have expired')
    if sid == context.sid:
        raise SearchError(f'job "{sid}" is this search itself')
    if not job.finished.is_set():
        raise SearchError(f'job "{sid}" is still running', hint="wait until it is done")
    if job.state != "done":
        raise SearchError(f'job "{sid}" gave no result: it {job.state}')
    return context.jobs.results(sid, 0, None)


NAMESPACE_INDEX = "_tscollect_"
"""What stands before a namespace in the name of the index that holds its rows."""


def namespace_rows(name: str, context: Context) -> Relation:
    """The rows that `tscollect` kept under a namespace, in the job's time range."""
    index = NAMESPACE_INDEX + name
    known = [one.name for one in context.store.indexes() if one.name.startswith(NAMESPACE_INDEX)]
    if index not in known:
        names = [one.removeprefix(NAMESPACE_INDEX) for one in known]
        listed = f"; namespaces: {', '.join(names)}" if names else ""
        raise SearchError(f'there is no namespace "{name}"{listed}', hint=nearest(name, names) or "tscollect makes one")
    context.overridden_earliest, context.overridden_latest = context.earliest, context.latest
    relation = table_relation("events", context.store.json_paths("events", [index]), context.names)
    return relation.filtered(v.both([index_condition([index]), time_bounds("events", context.earliest, context.latest)]))
