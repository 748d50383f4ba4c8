"""Indexes: what is defined, what each holds and keeps, and the way to shrink, merge and delete one."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from sightline.errors import NotFound
from sightline.store.retention import optimize
from sightline.web.parts import Administrator, Parts, WithParts

router = APIRouter(prefix="/indexes", tags=["indexes"])


class NewIndex(BaseModel):
    """An index to define."""

    name: str
    datatype: str = "event"
    max_age_s: float = 0.0
    max_bytes: int = 0


class IndexLimits(BaseModel):
    """How long and how much an index keeps; 0 is the usual limit of the settings, and what is not given stays."""

    max_age_s: float | None = None
    max_bytes: int | None = None


@router.get("")
def list_indexes(parts: WithParts) -> list[dict[str, Any]]:
    """Every index that is defined or holds something, by name."""
    return describe_indexes(parts)


@router.post("", status_code=201)
def create_index(body: NewIndex, parts: WithParts, _: Administrator) -> dict[str, Any]:
    """Defines an index."""
    parts.catalog.indexes.create(body.name, body.datatype)
    index = parts.catalog.indexes.set_limits(body.name, body.max_age_s, body.max_bytes)
    return {
        "name": index.name,
        "datatype": index.datatype,
        "max_age_s": index.max_age_s,
        "max_bytes": index.max_bytes,
    }


@router.put("/{name}")
def set_limits(name: str, body: IndexLimits, parts: WithParts, identity: Administrator) -> dict[str, Any]:
    """Sets how long and how much an index keeps."""
    index = parts.catalog.indexes.set_limits(name, body.max_age_s, body.max_bytes)
    limits = {"max_age_s": index.max_age_s, "max_bytes": index.max_bytes}
    parts.log.record("sightline:audit", action="index limits", user=identity.name, index=name, **limits)
    return {"name": name, **limits}


@router.delete("/{name}", status_code=202)
def delete_index(name: str, parts: WithParts, identity: Administrator) -> dict[str, Any]:
    """Begins to delete an index: it takes nothing more at once, and is gone within some minutes."""
    parts.catalog.indexes.delete(name)
    parts.log.record("sightline:audit", action="index delete", user=identity.name, index=name)
    return {"name": name, "deleting": True}


@router.post("/{name}/optimize")
def optimize_index(name: str, parts: WithParts, identity: Administrator) -> dict[str, Any]:
    """Merges the parts of an index, and gives their number before and after. The engine merges by itself; this is for an
    index that will not change any more."""
    if parts.catalog.indexes.datatype(name) is None:
        raise NotFound(f'no index "{name}"')
    result = optimize(parts.store, name, parts.settings.retention.optimize_max_bytes)
    parts.log.record("sightline:audit", action="index optimize", user=identity.name, index=name, **result)
    return {"name": name, **result}


def describe_indexes(parts: Parts) -> list[dict[str, Any]]:
    """Defined indexes with rows, size, time range and limits."""
    nothing = {"rows": 0, "size_bytes": 0, "earliest": None, "latest": None}
    found: dict[str, dict[str, Any]] = {
        index.name: {
            "name": index.name,
            "datatype": index.datatype,
            **nothing,
            "max_age_s": index.max_age_s,
            "max_bytes": index.max_bytes,
            "deleting": index.deleting,
        }
        for index in parts.catalog.indexes.all()
    }
    for status in parts.store.indexes():
        usual = {"max_age_s": 0.0, "max_bytes": 0, "deleting": False}
        found[status.name] = {
            **usual,
            **found.get(status.name, {}),
            "name": status.name,
            "datatype": status.datatype,
            "rows": status.rows,
            "size_bytes": status.bytes_on_disk,
            "earliest": status.min_time,
            "latest": status.max_time,
        }
    return [found[name] for name in sorted(found)]
