"""Traces, and the map of services."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Response

from sightline.errors import UserError
from sightline.search.time import parse_time
from sightline.traces import queries
from sightline.web.export import json_response
from sightline.web.parts import Parts, WithParts

router = APIRouter(prefix="/traces", tags=["traces"])
services = APIRouter(prefix="/services", tags=["traces"])


@router.get("")
def list_traces(
    parts: WithParts,
    earliest: str = "-1h",
    latest: str = "now",
    service: str = "",
    operation: str = "",
    min_ms: float | None = None,
    max_ms: float | None = None,
    errors: bool = False,
    limit: Annotated[int, Query(ge=1, le=queries.MAX_TRACES)] = 200,
) -> dict[str, Any]:
    """The latest traces that began in the range and pass the filters."""
    start, end = time_range(parts, earliest, latest)
    return queries.list_traces(
        parts.store,
        earliest=start,
        latest=end,
        service=service,
        operation=operation,
        min_ms=min_ms,
        max_ms=max_ms,
        errors=errors,
        limit=limit,
    )


@router.get("/{trace_id}")
def get_trace(trace_id: str, parts: WithParts) -> Response:
    """One trace with its spans in waterfall order and its log records."""
    return json_response(queries.read_trace(parts.store, trace_id))


@services.get("")
def get_service_map(parts: WithParts, earliest: str = "-1h", latest: str = "now") -> dict[str, Any]:
    """Services and the calls between them."""
    start, end = time_range(parts, earliest, latest)
    return queries.service_map(parts.store, earliest=start, latest=end)


def time_range(parts: Parts, earliest: str, latest: str) -> tuple[float, float]:
    """Two time modifiers, or seconds since the epoch, as seconds. Raises UserError when the range is empty."""
    now = parts.clock()
    start, end = (_moment(text, now) for text in (earliest or "0", latest or "now"))
    if start >= end:
        raise UserError(f'the time range is empty: earliest "{earliest}" is not before latest "{latest}"')
    return start, end


def _moment(text: str, now: float) -> float:
    try:
        return float(text)
    except ValueError:
        return parse_time(text, now)
