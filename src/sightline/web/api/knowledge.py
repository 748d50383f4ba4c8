"""Lookups (CSV tables) and macros."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel

from sightline.catalog.knowledge import MacroText
from sightline.catalog.models import Macro
from sightline.errors import NotFound
from sightline.search.configured import check_macro
from sightline.web.export import MEDIA_TYPES, export
from sightline.web.parts import Asking, WithParts

lookups = APIRouter(prefix="/lookups", tags=["lookups"])
macros = APIRouter(prefix="/macros", tags=["macros"])


class NewMacro(BaseModel):
    """A macro; `$name$` in the definition stands for an argument.

    `validation` is an expression over the arguments: a condition, or a text that says what is wrong. With `iseval` the
    definition is an expression that gives the text.
    """

    name: str
    definition: str
    arguments: list[str] = []
    validation: str = ""
    errormsg: str = ""
    iseval: bool = False


@lookups.get("")
def list_lookups(parts: WithParts) -> list[dict[str, Any]]:
    """Every lookup with size and time of change."""
    return parts.catalog.lookups.list()


@lookups.get("/{name}")
def get_lookup(name: str, parts: WithParts) -> Response:
    """A lookup as CSV."""
    table = parts.catalog.lookups.read(name)
    if table is None:
        raise NotFound(f'no lookup "{name}"')
    return Response(b"".join(export(table.schema, table.to_batches(), "csv")), media_type=MEDIA_TYPES["csv"])


@lookups.post("/{name}", status_code=201)
async def put_lookup(name: str, request: Request, parts: WithParts) -> dict[str, Any]:
    """Keeps the CSV file in the body as a lookup, in place of one of the same name."""
    parts.catalog.lookups.write_bytes(name, await request.body())
    return {"name": name}


@lookups.delete("/{name}")
def delete_lookup(name: str, parts: WithParts) -> dict[str, Any]:
    """Removes a lookup."""
    parts.catalog.lookups.delete(name)
    return {}


@macros.get("")
def list_macros(parts: WithParts) -> list[dict[str, Any]]:
    """Every macro, by name."""
    return [_describe(macro) for macro in parts.catalog.macros.list()]


@macros.post("", status_code=201)
def save_macro(body: NewMacro, parts: WithParts, _: Asking) -> dict[str, Any]:
    """Defines a macro, in place of one with the same name and number of arguments."""
    rules = {"validation": body.validation, "errormsg": body.errormsg, "iseval": body.iseval}
    check_macro(body.name, MacroText(body.definition, tuple(body.arguments), **rules))
    return _describe(parts.catalog.macros.save(body.name, body.definition, body.arguments, **rules))


@macros.delete("/{macro_id}")
def delete_macro(macro_id: int, parts: WithParts) -> dict[str, Any]:
    """Removes a macro."""
    parts.catalog.macros.delete(macro_id)
    return {}


def _describe(macro: Macro) -> dict[str, Any]:
    return {
        "id": macro.id,
        "name": macro.name,
        "definition": macro.definition,
        "arguments": macro.arguments,
        "validation": macro.validation,
        "errormsg": macro.errormsg,
        "iseval": macro.iseval,
        "app": macro.app,
    }
