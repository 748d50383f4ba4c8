"""Data models: definitions in Splunk's JSON shape, checked before they are kept."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter

from sightline.catalog.data_models import DataModel
from sightline.search.data_models.dataset import check_texts, dataset_search
from sightline.search.data_models.definition import DataModel as Model
from sightline.search.data_models.definition import read_model
from sightline.web.parts import Asking, Parts, WithParts, may_change

router = APIRouter(prefix="/data-models", tags=["data models"])


@router.get("")
def list_data_models(parts: WithParts) -> list[dict[str, Any]]:
    """Every data model with its datasets, without the definitions."""
    return [_describe(row) for row in parts.catalog.data_models.list()]


@router.post("", status_code=201)
def save_data_model(definition: dict[str, Any], parts: WithParts, identity: Asking) -> dict[str, Any]:
    """Keeps the data model in the body, in place of one of the same `modelName`.

    Refused where the shape is wrong, or a constraint, an expression or a search in it cannot be read.
    """
    model = checked(definition, parts)
    known = parts.catalog.data_models.find(model.name)
    if known is not None:
        may_change(identity, known.owner)
    return _describe(parts.catalog.data_models.save(definition, owner=identity.name))


@router.post("/check")
def check_data_model(definition: dict[str, Any], parts: WithParts) -> dict[str, Any]:
    """Reads a data model without keeping it: its datasets with their searches."""
    return {"datasets": _datasets(checked(definition, parts))}


@router.get("/{name}")
def get_data_model(name: str, parts: WithParts) -> dict[str, Any]:
    """One data model with its definition, and the search of each dataset."""
    row = parts.catalog.data_models.get(name)
    return _describe(row) | {"definition": row.definition, "datasets": _datasets(read_model(row.definition))}


@router.delete("/{name}")
def delete_data_model(name: str, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """Removes a data model."""
    may_change(identity, parts.catalog.data_models.get(name).owner)
    parts.catalog.data_models.delete(name)
    return {}


def checked(definition: dict[str, Any], parts: Parts) -> Model:
    """The model that a definition describes, with every text in it read. Raises UserError."""
    model = read_model(definition)
    check_texts(model, parts.engine.macros, parts.engine.check_stages)
    return model


def _datasets(model: Model) -> list[dict[str, Any]]:
    return [
        {
            "name": name,
            "title": dataset.title,
            "path": model.path(name),
            "parent": dataset.parent,
            "kind": model.root_kind(name),
            "search": dataset_search(model, name),
            "fields": [
                {"name": field.name, "owner": path, "type": field.type, "title": field.title, "required": field.required}
                for field, path in model.fields_of(name).values()
            ],
        }
        for name, dataset in model.datasets.items()
    ]


def _describe(row: DataModel) -> dict[str, Any]:
    model = read_model(row.definition)
    return {
        "name": row.name,
        "title": row.title,
        "description": row.description,
        "owner": row.owner,
        "app": row.app,
        "updated": row.updated,
        "datasets": [{"name": name, "title": one.title, "path": model.path(name)} for name, one in model.datasets.items()],
    }
