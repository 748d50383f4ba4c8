"""Requests whose body the engine decodes as it came: read, checked as a whole, put on disk, answered.

A protocol says where it listens, what its bodies hold and how it answers; this file is the way in that they share.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sightline.journal import Piece
from sightline.receivers.acceptance import Acceptance, Refused

_THREAD_BYTES = 256 * 1024
"""Above this size a body is checked in a thread, so that other connections do not wait for it."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A body that can be stored, and how many records it holds."""

    pieces: list[Piece]

    @property
    def records(self) -> int:
        """How many there are."""
        return sum(piece.records for piece in self.pieces)

    @classmethod
    def whole(cls, body: bytes, records: int) -> Checked:
        """In one piece."""
        return cls([Piece(body, records)])


Check = Callable[[bytes], Checked]
"""Looks at a body as a whole. Raises Refused for one that cannot be stored."""


@dataclass(frozen=True, slots=True)
class Push:
    """One endpoint of a protocol."""

    paths: tuple[str, ...]
    kind: str
    """The kind of segment, which the engine knows how to decode."""
    source: str
    """What the ledger calls it."""
    datatype: str
    """event, metric or trace."""
    check: Check
    accepted: Callable[[int], Response]
    """The answer to so many records."""
    refused: Callable[[Refused], Response] | None = None
    """The answer to a refusal, where the protocol has words of its own."""
    methods: tuple[str, ...] = ("POST",)
    is_objects: bool = True
    """Whether a body is read as a whole into objects, which take much more memory than its bytes."""


def routes(acceptance: Acceptance, push: Push, *, needs_token: bool) -> list[Route]:
    """The routes of an endpoint at one listener."""

    async def receive(request: Request) -> Response:
        try:
            body = await acceptance.body(request, push.source, is_objects=push.is_objects)
            checked = await accept(acceptance, push, request, body, needs_token)
        except Refused as refusal:
            return push.refused(refusal) if push.refused else refusal_response(refusal)
        except ClientDisconnect:
            return Response(status_code=400)
        return push.accepted(checked.records)

    return [Route(path, receive, methods=list(push.methods)) for path in push.paths]


async def accept(acceptance: Acceptance, push: Push, request: Request, body: bytes, needs_token: bool) -> Checked:
    """Check a body and return when it is durable. Raises Refused."""
    grant = acceptance.grant(request.headers, push.source, needs_token=needs_token)
    named = request.headers.get("x-sightline-index") or request.query_params.get("index", "")
    index = acceptance.index(grant, push.datatype, push.source, named)
    try:
        checked = await asyncio.to_thread(push.check, body) if len(body) > _THREAD_BYTES else push.check(body)
    except Refused as refusal:
        raise acceptance.refused(refusal, push.source, token=grant.name if grant else "", index=index) from None
    if checked.records:
        await acceptance.store_pieces(push.kind, checked.pieces, push.source, grant=grant, index=index)
    return checked


def refusal_response(refusal: Refused) -> Response:
    """A refusal as JSON."""
    return JSONResponse({"error": {"message": refusal.message}}, refusal.status, refusal.headers)


def read_json(body: bytes, wanted: type, what: str) -> Any:
    """The body as JSON of the wanted type. Raises Refused."""
    try:
        parsed = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"the body is not valid JSON: {error}") from error
    if not isinstance(parsed, wanted):
        given = {dict: "an object", list: "an array", str: "a string"}.get(type(parsed), "something else")
        raise Refused(400, f"the body is {given}, wanted {what}")
    return parsed


def lists_in(parsed: dict[str, Any], names: tuple[str, ...]) -> list[Any]:
    """The lists under these names, one after the other. Raises Refused for one that is no list of objects."""
    found: list[Any] = []
    for name in names:
        part = parsed.get(name)
        if part is None:
            continue
        only_objects(part, name)
        found += part
    return found


def only_objects(part: Any, name: str) -> None:
    """Refuse what is not a list of objects."""
    if not isinstance(part, list) or not set(map(type, part)) <= {dict}:
        raise Refused(400, f"{name} wants a list of objects")
