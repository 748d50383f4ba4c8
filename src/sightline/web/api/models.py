"""Trained models: what is kept, its versions, scores and summary."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from sightline.search.jobs import column_kind
from sightline.web.export import cell, rows_of
from sightline.web.parts import Asking, Identity, Parts, WithParts, may_change

router = APIRouter(prefix="/models", tags=["models"])


@router.get("")
def list_models(parts: WithParts, identity: Asking) -> list[dict[str, Any]]:
    """Every model that the caller may use: the newest version of each, with its scores."""
    owner = None if identity.role == "admin" else identity.name
    return [_describe(model) for model in parts.models.list(owner=owner)]


@router.get("/{name}")
def get_model(name: str, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """One model with its versions, newest first."""
    owner = _owner(parts, identity, name)
    versions = [_describe(version) for version in reversed(parts.models.versions(name, owner))]
    return _describe(parts.models.describe(name, owner)) | {"versions": versions}


@router.get("/{name}/summary")
def summarise_model(name: str, parts: WithParts, identity: Asking, version: int | None = None) -> dict[str, Any]:
    """What the model learned, as the search command `summary` shows it."""
    # Brings scikit-learn along, which an idle server does not need.
    from sightline.ml import summary

    table = summary(parts.models, name, _owner(parts, identity, name), version=version)
    return {"fields": [{"name": f.name, "type": column_kind(f.name, f.type)} for f in table.schema], "rows": rows_of(table)}


@router.delete("/{name}")
def delete_model(name: str, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """Removes a model with all versions."""
    owner = _owner(parts, identity, name)
    may_change(identity, parts.models.describe(name, owner).get("owner", ""))
    parts.models.delete(name, owner)
    parts.log.record("sightline:audit", action="delete model", user=identity.name, model=name)
    return {}


def _owner(parts: Parts, identity: Identity, name: str) -> str:
    """In whose name to look: one's own, and for an administrator whoever has a model of this name."""
    if identity.role == "admin" and not parts.models.exists(name, identity.name):
        return next((m["owner"] for m in parts.models.list() if m["name"] == name), identity.name)
    return identity.name


def _describe(model: dict[str, Any]) -> dict[str, Any]:
    # The preparation and the statistics of every training column are large, and of use to `apply` and drift only.
    return _finite({key: value for key, value in model.items() if key not in ("preparation", "statistics")})


def _finite(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _finite(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_finite(item) for item in value]
    return cell(value)
