"""Saved searches, their schedules and their runs."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from sightline.catalog.models import SavedSearch
from sightline.store.sql_text import quote
from sightline.web.parts import Asking, Parts, WithParts, may_change

router = APIRouter(prefix="/saved-searches", tags=["saved searches"])


class NewSavedSearch(BaseModel):
    """A search to save; without `cron` it has a name only."""

    name: str
    search: str
    description: str = ""
    earliest: str = ""
    latest: str = ""
    cron: str = ""
    realtime_schedule: bool = True
    enabled: bool = True


class SavedSearchChange(BaseModel):
    """What to change; what is absent stays."""

    name: str | None = None
    search: str | None = None
    description: str | None = None
    earliest: str | None = None
    latest: str | None = None
    cron: str | None = None
    realtime_schedule: bool | None = None
    enabled: bool | None = None


@router.get("")
def list_saved_searches(parts: WithParts) -> list[dict[str, Any]]:
    """Every saved search, by name."""
    return [_describe(row, parts) for row in parts.catalog.searches.list()]


@router.post("", status_code=201)
def create_saved_search(body: NewSavedSearch, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """Saves a search; a schedule counts from now."""
    parts.engine.verify(body.search)
    row = parts.catalog.searches.create(**body.model_dump(), owner=identity.name)
    parts.scheduler.wake()
    return _describe(row, parts)


@router.get("/{search_id}")
def get_saved_search(search_id: int, parts: WithParts) -> dict[str, Any]:
    """One saved search."""
    return _describe(parts.catalog.searches.get(search_id), parts)


@router.put("/{search_id}")
def change_saved_search(search_id: int, body: SavedSearchChange, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """Changes a saved search."""
    may_change(identity, parts.catalog.searches.get(search_id).owner)
    if body.search is not None:
        parts.engine.verify(body.search)
    row = parts.catalog.searches.update(search_id, **body.model_dump(exclude_none=True))
    parts.scheduler.wake()
    return _describe(row, parts)


@router.delete("/{search_id}")
def delete_saved_search(search_id: int, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """Removes a saved search."""
    may_change(identity, parts.catalog.searches.get(search_id).owner)
    parts.catalog.searches.delete(search_id)
    return {}


@router.post("/{search_id}/run", status_code=202)
def run_saved_search(search_id: int, parts: WithParts) -> dict[str, Any]:
    """Runs a saved search now, beside its schedule, and waits for its end."""
    outcome = parts.scheduler.run_now("search", search_id).result()
    return {
        "sid": outcome.sid,
        "result_count": outcome.row_count,
        "error": outcome.error,
        "run_time_s": outcome.run_time_s,
        "messages": list(outcome.messages),
    }


@router.get("/{search_id}/runs")
def list_runs(search_id: int, parts: WithParts, limit: int = 100) -> list[dict[str, Any]]:
    """The latest runs, newest first, as `index=_internal` tells them."""
    return runs_of(parts, "search", parts.catalog.searches.get(search_id).name, limit)


def runs_of(parts: Parts, kind: str, name: str, limit: int) -> list[dict[str, Any]]:
    """Runs of a saved search or an alert from the scheduler's events."""
    import orjson

    rows = parts.store.query(
        "SELECT toFloat64(_time) AS time, _raw FROM sightline.events"
        " WHERE index = '_internal' AND sourcetype = 'sightline:scheduler'"
        f" AND fields.savedsearch_name = {quote(name)} AND fields.kind = {quote(kind)}"
        f" ORDER BY _time DESC LIMIT {max(1, min(limit, 1000))}"
    )
    return [{"time": row["time"]} | orjson.loads(row["_raw"]) for row in rows.to_pylist()]


def _describe(row: SavedSearch, parts: Parts) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "search": row.search,
        "earliest": row.earliest,
        "latest": row.latest,
        "cron": row.cron,
        "realtime_schedule": row.realtime_schedule,
        "enabled": row.enabled,
        "owner": row.owner,
        "app": row.app,
        "updated": row.updated,
        "next_run": parts.scheduler.next_run(row),
        "last_scheduled": row.last_scheduled if row.last_scheduled != row.created else None,
    }
