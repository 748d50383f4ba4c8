"""What is configured for searches, as stanzas: props, transforms, event types and tags, of each app."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from sightline.catalog.models import Stanza
from sightline.catalog.stanzas import OWN_APP
from sightline.errors import NotFound
from sightline.search.configured import check_stanza
from sightline.web.parts import Asking, Identity, Parts, WithParts, may_change


class Settings(BaseModel):
    """The settings of a stanza by their names in Splunk's configuration files."""

    settings: dict[str, str]


def stanza_router(kind: str, path: str) -> APIRouter:
    """The resource of one kind of stanza. A name may hold slashes and colons, as `source::/var/log/*` does."""
    router = APIRouter(prefix=f"/{path}", tags=[path.replace("-", " ")])

    @router.get("", summary=f"Every stanza of {kind}")
    def list_stanzas(parts: WithParts, app: str | None = None) -> list[dict[str, Any]]:
        """Every stanza, or those of one app, by app and name."""
        return [describe(row) for row in parts.catalog.stanzas[kind].list(app)]

    @router.get("/{name:path}", summary=f"One stanza of {kind}")
    def get_stanza(name: str, parts: WithParts, app: str = OWN_APP) -> dict[str, Any]:
        """One stanza as an app has it."""
        return describe(parts.catalog.stanzas[kind].get(name, app))

    @router.put("/{name:path}", summary=f"Define a stanza of {kind}")
    def put_stanza(name: str, body: Settings, parts: WithParts, identity: Asking, app: str = OWN_APP) -> dict[str, Any]:
        """Defines a stanza, in place of what the app had under this name."""
        return describe(put(kind, name, body.settings, parts, identity, app))

    @router.delete("/{name:path}", summary=f"Remove a stanza of {kind}")
    def delete_stanza(name: str, parts: WithParts, identity: Asking, app: str = OWN_APP) -> dict[str, Any]:
        """Removes a stanza of an app."""
        may_change(identity, parts.catalog.stanzas[kind].get(name, app).owner)
        parts.catalog.stanzas[kind].delete(name, app)
        return {}

    return router


def put(kind: str, name: str, settings: dict[str, str], parts: Parts, identity: Identity, app: str) -> Stanza:
    """Keeps a stanza that its owner, or an administrator, changes, once it is checked. Raises UserError."""
    stanzas = parts.catalog.stanzas[kind]
    owner = identity.name
    try:
        owner = stanzas.get(name, app).owner
        may_change(identity, owner)
    except NotFound:
        pass
    check_stanza(kind, name, settings, parts.engine)
    return stanzas.put(name, settings, app=app, owner=owner)


def describe(row: Stanza) -> dict[str, Any]:
    """A stanza for JSON."""
    return {"name": row.name, "app": row.app, "owner": row.owner, "updated": row.updated, "settings": row.settings}


props = stanza_router("props", "props")
transforms = stanza_router("transforms", "transforms")
event_types = stanza_router("eventtypes", "event-types")
tags = stanza_router("tags", "tags")
