"""Searches as jobs, their results, and what the editor wants to know about the language."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from functools import lru_cache
from typing import Annotated, Any

import pyarrow as pa
from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import StreamingResponse
from pydantic import BaseModel, Field

from sightline.errors import Forbidden, UserError
from sightline.search import registry
from sightline.search.completion import times_in
from sightline.search.jobs import SPOOL_ROWS, Job, column_kind
from sightline.search.planner.presentation import split_shown, with_texts
from sightline.search.syntax.expressions import quote_string
from sightline.search.syntax.layout import lay_out
from sightline.web.export import MEDIA_TYPES, export, json_response, rows_of
from sightline.web.parts import Asking, Identity, Parts, WithParts

router = APIRouter(prefix="/search", tags=["search"])

DEFAULT_COUNT = 10_000
MAX_TEXT_CHARACTERS = 200_000
MAX_PAGE_ROWS = 50_000
HISTORY_LIMIT = 500
"""Past searches that are listed."""
HISTORY_S = 90 * 24 * 3600.0
"""How far back they are looked for."""


class NewJob(BaseModel):
    """A search to run. `max_count` keeps the newest events of a search for events; 0 keeps all."""

    search: str = Field(max_length=MAX_TEXT_CHARACTERS)
    earliest: str | float | None = None
    latest: str | float | None = None
    max_count: int = Field(DEFAULT_COUNT, ge=0)
    label: str = Field("", max_length=200)


class SearchText(BaseModel):
    """A search to look at without running it."""

    search: str = Field(max_length=MAX_TEXT_CHARACTERS)
    earliest: str | float | None = None
    latest: str | float | None = None


class TextAtCursor(SearchText):
    """A search that is being typed; without `cursor` the cursor is at its end."""

    cursor: int | None = Field(None, ge=0)


@router.post("/jobs", status_code=201)
def create_job(body: NewJob, request: Request, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """Starts a search."""
    request.state.search_text = body.search
    job = parts.jobs.create(
        body.search,
        body.earliest,
        body.latest,
        user=identity.name,
        max_count=body.max_count or None,
        label=body.label,
    )
    return _describe(job, parts)


@router.get("/jobs")
def list_jobs(parts: WithParts, identity: Asking) -> list[dict[str, Any]]:
    """Jobs, newest first: one's own, or for an administrator all."""
    jobs = parts.jobs.list(None if identity.role == "admin" else identity.name)
    return [_describe(job, parts) for job in jobs]


@router.get("/jobs/{sid}")
def get_job(sid: str, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """A job as it stands."""
    return _describe(_job(sid, parts, identity), parts)


@router.delete("/jobs/{sid}")
def cancel_job(sid: str, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """Cancels a job; what it found so far stays readable. One that has ended is left as it is."""
    _job(sid, parts, identity)
    return _describe(parts.jobs.cancel(sid), parts)


@router.get("/jobs/{sid}/results")
def get_results(
    sid: str,
    parts: WithParts,
    identity: Asking,
    offset: Annotated[int, Query(ge=0)] = 0,
    count: Annotated[int, Query(ge=0, le=MAX_PAGE_ROWS)] = 100,
    sort: str = "",
    desc: bool = False,
) -> Response:
    """A page of the rows; while the search runs, of those found so far.

    `display` has, for each field that `fieldformat` shows in another way, the texts to show in place of its values.
    """
    job = _job(sid, parts, identity)
    table, shown = split_shown(parts.jobs.results(sid, offset, count, sort=sort, descending=desc, shown=True))
    return json_response(
        {
            "fields": [{"name": field.name, "type": column_kind(field.name, field.type)} for field in table.schema],
            "rows": rows_of(table),
            "display": {name: texts.to_pylist() for name, texts in shown.items()},
            "total": job.preview.table.num_rows if job.previewed and job.preview is not None else job.result_count,
            "partial": not job.finished.is_set(),
        }
    )


@router.get("/jobs/{sid}/export")
def export_results(
    sid: str, parts: WithParts, identity: Asking, format: str = "csv", display: bool = False
) -> StreamingResponse:
    """All rows of a search that is done, as csv, json, jsonl or arrow, streamed.

    With `display`, fields that `fieldformat` shows in another way come as the shown texts instead of their values.
    """
    job = _job(sid, parts, identity)
    if not job.finished.is_set():
        raise UserError("the search is still running; its rows can be exported when it is done")

    def rows(offset: int, count: int) -> pa.Table:
        table = parts.jobs.results(sid, offset, count, shown=display)
        return with_texts(*split_shown(table))

    schema = rows(0, 0).schema

    def batches() -> Iterator[pa.RecordBatch]:
        for offset in range(0, job.result_count, SPOOL_ROWS):
            yield from rows(offset, SPOOL_ROWS).cast(schema).to_batches()

    pieces = export(schema, batches(), format)
    name = f"sightline-{sid}.{format}"
    return StreamingResponse(
        pieces, media_type=MEDIA_TYPES[format], headers={"Content-Disposition": f'attachment; filename="{name}"'}
    )


@router.get("/jobs/{sid}/timeline")
def get_timeline(sid: str, parts: WithParts, identity: Asking, by: str = "") -> dict[str, Any]:
    """How the events lie in time, maybe split by a field."""
    _job(sid, parts, identity)
    return parts.jobs.timeline(sid, by)


@router.get("/jobs/{sid}/fields")
def get_fields(sid: str, parts: WithParts, identity: Asking) -> list[dict[str, Any]]:
    """The fields of the rows, with types, coverage and top values."""
    _job(sid, parts, identity)
    return parts.jobs.field_summary(sid)


@router.post("/explain")
def explain(body: SearchText, request: Request, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """Each stage of a search, planned but not run."""
    request.state.search_text = body.search
    stages = parts.engine.explain(body.search, earliest=body.earliest, latest=body.latest, user=identity.name)
    return {"stages": stages}


@router.post("/check")
def check(body: SearchText, parts: WithParts) -> dict[str, Any]:
    """What is wrong with a search, and which moments its time modifiers stand for: for the editor."""
    times = times_in(body.search, parts.clock())
    return {"diagnostics": parts.engine.check(body.search), "times": [time.describe() for time in times]}


@router.get("/registry")
def get_registry() -> dict[str, Any]:
    """Everything the language has: commands, functions, algorithms, scorers."""
    return _registry()


@router.post("/suggest")
def suggest_at_cursor(body: TextAtCursor, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """What may stand at the cursor, and where the text begins that it replaces."""
    cursor = len(body.search) if body.cursor is None else body.cursor
    owner = None if identity.role == "admin" else identity.name
    return parts.names.suggest(body.search[:cursor], body.search[cursor:], user=identity.name, owner=owner)


@router.get("/history")
def history(parts: WithParts, identity: Asking) -> list[dict[str, Any]]:
    """The searches that the person who asks has run, newest first, each once, from the audit events."""
    text = (
        f"search index=_internal sourcetype=sightline:audit action=search user={quote_string(identity.name)} NOT label=*"
        f" | stats latest(_time) AS time count AS runs BY search | sort - time | head {HISTORY_LIMIT}"
    )
    earliest = parts.clock() - HISTORY_S
    return parts.engine.run(text, earliest=earliest, user=identity.name).table.to_pylist()


@router.post("/format")
def format_text(body: SearchText, request: Request) -> dict[str, Any]:
    """The same search, laid out for reading: comments and macros stay as they were typed."""
    request.state.search_text = body.search
    return {"search": lay_out(body.search)}


@lru_cache(maxsize=1)
def _registry() -> dict[str, Any]:
    # Brings scikit-learn along, which an idle server does not need: a second and 150 MB.
    from sightline.ml import ALGORITHMS, SCORERS

    registry.load()
    return {
        "commands": [_plain(e.describe()) for n, e in sorted(registry.COMMANDS.items()) if n == e.name],
        "functions": [_plain(entry.describe()) for _, entry in sorted(registry.FUNCTIONS.items())]
        + [_plain(entry.describe()) for _, entry in sorted(registry.AGGREGATES.items())],
        "algorithms": [_plain(algorithm.describe()) for _, algorithm in sorted(ALGORITHMS.items())],
        "scorers": [_plain(scorer.describe()) for _, scorer in sorted(SCORERS.items())],
    }


def _plain(value: Any) -> Any:
    """Declarations hold types and classes here and there; JSON has their names."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return _plain(dataclasses.asdict(value))
    if value is None or isinstance(value, str | int | float | bool):
        return value
    return getattr(value, "__name__", str(value))


def _job(sid: str, parts: Parts, identity: Identity) -> Job:
    job = parts.jobs.get(sid)
    if identity.role != "admin" and job.user != identity.name:
        raise Forbidden(f'search job "{sid}" belongs to "{job.user}"')
    return job


def _describe(job: Job, parts: Parts) -> dict[str, Any]:
    ttl_s = parts.settings.search.job_ttl_s
    return job.describe() | {"expires": job.last_touched + ttl_s if job.finished.is_set() else None}
