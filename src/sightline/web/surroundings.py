"""The program around a search: what `rest`, `sendalert` and `sendemail` ask of it.

Fulfils `sightline.search.surroundings.Surroundings` with the opened parts. A path of our own API is asked in this process,
as the person who searches, so that the rights are those of the API.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import Any

import httpx
import pyarrow as pa
from fastapi import FastAPI
from starlette.types import ASGIApp, Receive, Scope, Send

from sightline.errors import EnvironmentTrouble, UserError, nearest
from sightline.watch.mail import Letter, send_letter
from sightline.watch.notify import Notice
from sightline.watch.texts import as_text, filled
from sightline.web.guard import API
from sightline.web.parts import Identity, Parts
from sightline.web.splunk.resources import resource_paths, rows_of_path

ACTIONS = {
    "webhook": ("url",),
    "apprise": ("url",),
    "logevent": ("event", "index", "host", "source", "sourcetype"),
    "email": (),
}
"""What sendalert can do, with the parameters of each; email takes those of sendemail."""


class Program:
    """The opened program, as a search sees it."""

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def role(self, user: str) -> str:
        """The role of a user; the first administrator may search before anybody has made an account."""
        found = next((one for one in self._parts.catalog.accounts.list() if one.name == user), None)
        if found is not None:
            return found.role
        return "admin" if user == "admin" else "user"

    def resource(self, path: str, arguments: Mapping[str, str], user: str) -> Sequence[Mapping[str, Any]]:
        """The entries of one of Splunk's paths, or of our own API's."""
        identity = Identity(user, self.role(user))
        if path.startswith((f"{API}/", f"{API.lstrip('/')}/")):
            return self._own(path if path.startswith("/") else f"/{path}", arguments, identity)
        return rows_of_path(path, arguments, self._parts, identity)

    def paths(self) -> Sequence[str]:
        """Splunk's paths, of which there is a list."""
        return [f"/services/{path}" for path in resource_paths()]

    # -- our own API

    def _own(self, path: str, arguments: Mapping[str, str], identity: Identity) -> list[dict[str, Any]]:
        given = {name: value for name, value in arguments.items() if name not in ("count", "offset") or "/results" in path}
        answer = asyncio.run(self._asked(path, given, identity))
        if answer.status_code != 200:
            try:
                message = answer.json()["error"]["message"]
            except (ValueError, KeyError):
                message = f"HTTP {answer.status_code}"
            if answer.status_code == 404 and "HTTP" not in message and not message.startswith("no "):
                message = f'there is no path "{path}"'
            raise UserError(f"{path}: {message}")
        if "json" not in answer.headers.get("content-type", ""):
            raise UserError(f"{path} gives no rows: its answer is {answer.headers.get('content-type', 'of no type')}")
        rows = rows_of_json(answer.json())
        offset, count = (int(arguments.get(name, "0") or 0) for name in ("offset", "count"))
        return rows[offset:][:count] if count > 0 else rows[offset:]

    async def _asked(self, path: str, arguments: Mapping[str, str], identity: Identity) -> httpx.Response:
        transport = httpx.ASGITransport(app=_As(self._api, identity), raise_app_exceptions=False)
        async with httpx.AsyncClient(transport=transport, base_url="http://sightline") as client:
            return await client.get(path, params=dict(arguments) or None)

    @cached_property
    def _api(self) -> FastAPI:
        from sightline.web.app import build_api

        return build_api(self._parts)

    # -- messages

    def send_alert(
        self, action: str, parameters: Mapping[str, str], rows: Sequence[Mapping[str, Any]], about: Mapping[str, str]
    ) -> str:
        """Run an alert action with a search's rows; the first is the result that is told."""
        if action not in ACTIONS:
            raise UserError(
                f'there is no alert action "{action}", wanted one of: {", ".join(ACTIONS)}', nearest(action, ACTIONS)
            )
        first = dict(rows[0]) if rows else {}
        given = {name: filled(value, first, about) for name, value in parameters.items()}
        if action == "email":
            return self.send_email(given, rows, about)
        for name in given:
            if name not in ACTIONS[action]:
                raise UserError(
                    f'{action} has no parameter "{name}", wanted one of: {", ".join(ACTIONS[action])}',
                    nearest(name, ACTIONS[action]),
                )
        if action == "logevent":
            return self._log_event(given)
        if not given.get("url"):
            raise UserError(f"{action}: param.url is wanted")
        notice = Notice(
            0, {"kind": action, "url": given["url"]}, about.get("sid", ""), about.get("name", ""), about.get("app", "search"),
            about.get("owner", ""), about.get("results_link", ""), "info", f"{len(rows)} rows",
            {name: as_text(value) for name, value in first.items() if value is not None},
        )  # fmt: skip
        delivery = self._parts.scheduler.deliver(notice)
        if not delivery.delivered:
            raise EnvironmentTrouble(f"the message was not delivered: {delivery.detail}")
        return delivery.detail

    def _log_event(self, given: Mapping[str, str]) -> str:
        if not given.get("event"):
            raise UserError("logevent: param.event is wanted")
        index = given.get("index") or "main"
        if self._parts.catalog.indexes.datatype(index) != "event":
            raise UserError(f'logevent: there is no index "{index}" that holds events')
        columns = {"_raw": given["event"], "_time": self._parts.clock()}
        for name, default in (("host", ""), ("source", "alert"), ("sourcetype", "generic_single_line")):
            columns[name] = given.get(name) or default
        self._parts.store.append_events(index, pa.table({name: [value] for name, value in columns.items()}))
        return f'an event was written to "{index}"'

    def send_email(self, message: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], about: Mapping[str, str]) -> str:
        """Send a search's rows by mail, over the server that the settings name."""
        first = dict(rows[0]) if rows else {}
        texts = {name: filled(str(value), first, about) for name, value in message.items()}
        settings = self._parts.settings.watch
        if texts.get("server") and self.role(about.get("owner", "")) != "admin":
            raise UserError("server: only administrators may name another mail server")
        return send_letter(Letter.of(texts, rows, settings.mail_from), settings, texts.get("server", ""))


class _As:
    """The API with somebody asking."""

    def __init__(self, app: ASGIApp, identity: Identity) -> None:
        self._app = app
        self._identity = identity

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        scope.setdefault("state", {})["identity"] = self._identity
        await self._app(scope, receive, send)


def rows_of_json(answer: Any) -> list[dict[str, Any]]:
    """An answer of the API as rows: a list of objects, a table of fields and rows, or one object."""
    if isinstance(answer, list):
        return [flat(one) if isinstance(one, dict) else {"value": one} for one in answer]
    if isinstance(answer, dict) and {"fields", "rows"} <= set(answer):
        names = [one["name"] if isinstance(one, dict) else one for one in answer["fields"]]
        return [dict(zip(names, row, strict=True)) for row in answer["rows"]]
    return [flat(answer)] if isinstance(answer, dict) else [{"value": answer}]


def flat(given: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """An object with the names of inner ones joined by dots; lists of objects as JSON."""
    found: dict[str, Any] = {}
    for name, value in given.items():
        if isinstance(value, dict):
            found |= flat(value, f"{prefix}{name}.")
        elif isinstance(value, list) and any(isinstance(one, dict | list) for one in value):
            found[prefix + name] = json.dumps(value, ensure_ascii=False)
        else:
            found[prefix + name] = value
    return found
