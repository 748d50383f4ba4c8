"""Collections: tables whose rows people and programs change one by one, under keys."""

from __future__ import annotations

import json
from typing import Any

import pyarrow as pa
import pyarrow.compute as pc
from fastapi import APIRouter

from sightline.catalog.collections import KEY
from sightline.catalog.stanzas import OWN_APP
from sightline.errors import NotFound, UserError, nearest
from sightline.web.api.stanzas import Settings, describe, put
from sightline.web.parts import Asking, Parts, WithParts, may_change

router = APIRouter(prefix="/collections", tags=["collections"])
KIND = "collections"


@router.get("")
def list_collections(parts: WithParts, app: str | None = None) -> list[dict[str, Any]]:
    """Every declared collection, by app and name."""
    return [describe(row) for row in parts.catalog.stanzas[KIND].list(app)]


@router.get("/{name}")
def get_collection(name: str, parts: WithParts, app: str = OWN_APP) -> dict[str, Any]:
    """One collection's declaration."""
    return describe(parts.catalog.stanzas[KIND].get(name, app))


@router.put("/{name}")
def put_collection(name: str, body: Settings, parts: WithParts, identity: Asking, app: str = OWN_APP) -> dict[str, Any]:
    """Declares a collection; its rows stay."""
    return describe(put(KIND, name, body.settings, parts, identity, app))


@router.delete("/{name}")
def delete_collection(name: str, parts: WithParts, identity: Asking, app: str = OWN_APP) -> dict[str, Any]:
    """Removes a declaration, and the rows unless another app declares the same collection."""
    stanzas = parts.catalog.stanzas[KIND]
    may_change(identity, stanzas.get(name, app).owner)
    stanzas.delete(name, app)
    if not any(row.name == name for row in stanzas.list()):
        parts.catalog.collections.drop(name)
    return {}


@router.get("/{name}/records")
def list_records(name: str, parts: WithParts, skip: int = 0, limit: int = 1000) -> list[dict[str, Any]]:
    """Rows of a collection, in the order in which they were kept; a field without a value is left out."""
    _require(name, parts)
    rows = parts.catalog.collections.read(name).slice(max(0, skip), max(0, min(limit, 50_000)))
    return [_record(row) for row in rows.to_pylist()]


@router.get("/{name}/records/{key}")
def get_record(name: str, key: str, parts: WithParts) -> dict[str, Any]:
    """The row with this key."""
    _require(name, parts)
    for row in _with_key(parts.catalog.collections.read(name), key).to_pylist():
        return _record(row)
    raise NotFound(f'collection "{name}" has no row with the key "{key}"')


@router.post("/{name}/records", status_code=201)
def save_records(name: str, body: list[dict[str, Any]], parts: WithParts) -> dict[str, Any]:
    """Adds rows, each in place of one with the same `_key`; gives their keys. Without a `_key` a row gets one."""
    settings = _require(name, parts)
    added = parts.catalog.collections.upsert(name, _table(body), settings)
    return {"keys": added.column(KEY).to_pylist()}


@router.delete("/{name}/records/{key}")
def delete_record(name: str, key: str, parts: WithParts) -> dict[str, Any]:
    """Removes the row with this key."""
    _require(name, parts)
    if not parts.catalog.collections.remove(name, [key]):
        raise NotFound(f'collection "{name}" has no row with the key "{key}"')
    return {}


@router.delete("/{name}/records")
def delete_records(name: str, parts: WithParts) -> dict[str, Any]:
    """Removes every row; the declaration stays."""
    _require(name, parts)
    parts.catalog.collections.drop(name)
    return {}


def _require(name: str, parts: Parts) -> dict[str, str]:
    declared = parts.engine.knowledge.stanzas(KIND)
    if name not in declared:
        raise NotFound(f'no collection "{name}"', hint=nearest(name, declared))
    return dict(declared[name])


def _record(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if value is not None}


def _with_key(rows: pa.Table, key: str) -> pa.Table:
    return rows.filter(pc.equal(rows.column(KEY), key))


def _table(records: list[dict[str, Any]]) -> pa.Table:
    """Records as columns; what is nested becomes JSON text, and a field of several types text."""
    if not records:
        return pa.table({KEY: pa.array([], pa.string())})
    columns = {}
    for name in dict.fromkeys(name for record in records for name in record):
        if not name.strip():
            raise UserError("a field of a record wants a name, got an empty one")
        values = [_cell(record.get(name)) for record in records]
        kinds = {type(value) for value in values if value is not None}
        if kinds == {int, float}:
            values = [None if value is None else float(value) for value in values]
        elif len(kinds) > 1:
            values = [
                None if value is None else json.dumps(value) if not isinstance(value, str) else value for value in values
            ]
        columns[name] = pa.array(values)
    return pa.table(columns)


def _cell(value: Any) -> Any:
    if isinstance(value, dict):
        return json.dumps(value, ensure_ascii=False)
    if isinstance(value, list):
        return [x if isinstance(x, str) else json.dumps(x, ensure_ascii=False) for x in value]
    return value
