"""Indexes: what is defined and what each holds."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from sightline.web.parts import Administrator, Parts, WithParts

router = APIRouter(prefix="/indexes", tags=["indexes"])


class NewIndex(BaseModel):
    """An index to define."""

    name: str
    datatype: str = "event"


@router.get("")
def list_indexes(parts: WithParts) -> list[dict[str, Any]]:
    """Every index that is defined or holds something, by name."""
    return describe_indexes(parts)


@router.post("", status_code=201)
def create_index(body: NewIndex, parts: WithParts, _: Administrator) -> dict[str, Any]:
    """Defines an index."""
    index = parts.catalog.indexes.create(body.name, body.datatype)
    return {"name": index.name, "datatype": index.datatype}


def describe_indexes(parts: Parts) -> list[dict[str, Any]]:
    """Defined indexes with rows, size and time range."""
    found: dict[str, dict[str, Any]] = {
        index.name: {
            "name": index.name,
            "datatype": index.datatype,
            "rows": 0,
            "size_bytes": 0,
            "earliest": None,
            "latest": None,
        }
        for index in parts.catalog.indexes.list()
    }
    for status in parts.store.indexes():
        found[status.name] = {
            "name": status.name,
            "datatype": status.datatype,
            "rows": status.rows,
            "size_bytes": status.bytes_on_disk,
            "earliest": status.min_time,
            "latest": status.max_time,
        }
    return [found[name] for name in sorted(found)]
