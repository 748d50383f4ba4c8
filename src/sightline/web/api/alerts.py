"""Alerts: scheduled searches that are judged, their state and history."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from sightline.catalog.models import Alert
from sightline.watch.scheduler import alert_search
from sightline.web.api.saved_searches import runs_of
from sightline.web.parts import Asking, Parts, WithParts, may_change

router = APIRouter(prefix="/alerts", tags=["alerts"])


class NewAlert(BaseModel):
    """An alert to make; `catalog.saved.check_condition` says what a condition holds."""

    name: str
    search: str
    cron: str
    description: str = ""
    earliest: str = ""
    latest: str = ""
    realtime_schedule: bool = True
    condition: dict[str, Any] = {"kind": "rows", "relation": "greater than", "quantity": 0}
    throttle_s: float = 0.0
    throttle_fields: list[str] = []
    severity: str = "warning"
    actions: list[dict[str, Any]] = []
    enabled: bool = True


class AlertChange(BaseModel):
    """What to change; what is absent stays."""

    name: str | None = None
    search: str | None = None
    cron: str | None = None
    description: str | None = None
    earliest: str | None = None
    latest: str | None = None
    realtime_schedule: bool | None = None
    condition: dict[str, Any] | None = None
    throttle_s: float | None = None
    throttle_fields: list[str] | None = None
    severity: str | None = None
    actions: list[dict[str, Any]] | None = None
    enabled: bool | None = None


@router.get("")
def list_alerts(parts: WithParts) -> list[dict[str, Any]]:
    """Every alert, by name."""
    return [_describe(row, parts) for row in parts.catalog.alerts.list()]


@router.post("", status_code=201)
def create_alert(body: NewAlert, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """Makes an alert; its schedule counts from now."""
    parts.engine.verify(body.search)
    row = parts.catalog.alerts.create(**body.model_dump(), owner=identity.name)
    _check_whole(row, parts)
    parts.scheduler.wake()
    return _describe(row, parts)


@router.get("/{alert_id}")
def get_alert(alert_id: int, parts: WithParts) -> dict[str, Any]:
    """One alert."""
    return _describe(parts.catalog.alerts.get(alert_id), parts)


@router.put("/{alert_id}")
def change_alert(alert_id: int, body: AlertChange, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """Changes an alert."""
    may_change(identity, parts.catalog.alerts.get(alert_id).owner)
    if body.search is not None:
        parts.engine.verify(body.search)
    row = parts.catalog.alerts.update(alert_id, **body.model_dump(exclude_none=True))
    parts.scheduler.wake()
    return _describe(row, parts)


@router.delete("/{alert_id}")
def delete_alert(alert_id: int, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """Removes an alert with its history; its events in `index=_internal` stay."""
    may_change(identity, parts.catalog.alerts.get(alert_id).owner)
    parts.catalog.alerts.delete(alert_id)
    return {}


@router.post("/{alert_id}/run", status_code=202)
def run_alert(alert_id: int, parts: WithParts) -> dict[str, Any]:
    """Judges an alert now, beside its schedule."""
    outcome = parts.scheduler.run_now("alert", alert_id).result()
    return {"sid": outcome.sid, "error": outcome.error, "alert": _describe(parts.catalog.alerts.get(alert_id), parts)}


@router.get("/{alert_id}/history")
def list_history(alert_id: int, parts: WithParts, limit: int = 200) -> list[dict[str, Any]]:
    """What happened to an alert, newest first."""
    return [
        {"time": row.time, "event": row.event, "detail": row.detail, "result": row.result}
        for row in parts.catalog.alerts.history(alert_id, max(1, min(limit, 1000)))
    ]


@router.get("/{alert_id}/runs")
def list_runs(alert_id: int, parts: WithParts, limit: int = 100) -> list[dict[str, Any]]:
    """The latest runs of its search, newest first."""
    return runs_of(parts, "alert", parts.catalog.alerts.get(alert_id).name, limit)


def _check_whole(row: Alert, parts: Parts) -> None:
    """The condition is part of the search that runs; one that cannot be read takes the alert away again."""
    try:
        parts.engine.verify(alert_search(row))
    except Exception:
        parts.catalog.alerts.delete(row.id)
        raise


def _describe(row: Alert, parts: Parts) -> dict[str, Any]:
    return {
        "id": row.id,
        "name": row.name,
        "description": row.description,
        "search": row.search,
        "earliest": row.earliest,
        "latest": row.latest,
        "cron": row.cron,
        "realtime_schedule": row.realtime_schedule,
        "condition": row.condition,
        "throttle_s": row.throttle_s,
        "throttle_fields": row.throttle_fields,
        "severity": row.severity,
        "actions": row.actions,
        "enabled": row.enabled,
        "owner": row.owner,
        "app": row.app,
        "state": row.state,
        "since": row.since or None,
        "last_run": row.last_run,
        "last_error": row.last_error,
        "next_run": parts.scheduler.next_run(row),
    }
