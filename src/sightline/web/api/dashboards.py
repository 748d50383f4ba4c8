"""Dashboards: pages of panels, each with a search."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from sightline.catalog.dashboards import check_definition
from sightline.catalog.models import Dashboard
from sightline.web.filling import fill_dashboard
from sightline.web.parts import Asking, WithParts, may_change

router = APIRouter(prefix="/dashboards", tags=["dashboards"])


class NewDashboard(BaseModel):
    """A dashboard to make; `catalog.dashboards.check_definition` says what a definition holds."""

    title: str
    description: str = ""
    definition: dict[str, Any] = {}


class DashboardChange(BaseModel):
    """What to change; what is absent stays."""

    title: str | None = None
    description: str | None = None
    definition: dict[str, Any] | None = None


class Filling(BaseModel):
    """A definition and the values of its inputs by their tokens, `earliest` and `latest` of the page among them."""

    definition: dict[str, Any]
    values: dict[str, str | list[str]] = {}


def describe(dashboard: Dashboard) -> dict[str, Any]:
    """A dashboard as the API gives it."""
    return {
        "id": dashboard.id,
        "title": dashboard.title,
        "description": dashboard.description,
        "definition": dashboard.definition,
        "owner": dashboard.owner,
        "bundled": dashboard.bundled is not None,
        "app": dashboard.app,
        "updated": dashboard.updated,
    }


@router.get("")
def list_dashboards(parts: WithParts) -> list[dict[str, Any]]:
    """Every dashboard, by title."""
    return [describe(dashboard) for dashboard in parts.catalog.dashboards.list()]


@router.post("", status_code=201)
def create_dashboard(body: NewDashboard, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """Makes a dashboard."""
    return describe(parts.catalog.dashboards.create(body.title, body.definition, body.description, identity.name))


@router.post("/fill")
def fill(body: Filling, _: Asking) -> dict[str, Any]:
    """The searches, ranges and titles that panels have with these values, and what they wait for where a value is missing."""
    return fill_dashboard(check_definition(body.definition), body.values)


@router.get("/{dashboard_id}")
def get_dashboard(dashboard_id: int, parts: WithParts) -> dict[str, Any]:
    """One dashboard."""
    return describe(parts.catalog.dashboards.get(dashboard_id))


@router.put("/{dashboard_id}")
def change_dashboard(dashboard_id: int, body: DashboardChange, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """Changes a dashboard."""
    may_change(identity, parts.catalog.dashboards.get(dashboard_id).owner)
    return describe(parts.catalog.dashboards.update(dashboard_id, **body.model_dump(exclude_none=True)))


@router.delete("/{dashboard_id}")
def delete_dashboard(dashboard_id: int, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """Removes a dashboard."""
    may_change(identity, parts.catalog.dashboards.get(dashboard_id).owner)
    parts.catalog.dashboards.delete(dashboard_id)
    return {}
