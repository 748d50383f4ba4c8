"""Elasticsearch's bulk API, which most log shippers speak: documents become events.

It lies below /elasticsearch, a path that shippers can be told. `@timestamp` is the event's time, `message` or `log` its
text (else the whole document), every member a field. The index that an action names is no index here but becomes the
sourcetype; `?index=` or a header X-Sightline-Index says where events go.
"""

from __future__ import annotations

import orjson
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from sightline.journal import Piece
from sightline.receivers.acceptance import Acceptance, Refused
from sightline.receivers.pieces import PIECE_BYTES
from sightline.receivers.push import Checked, Push
from sightline.receivers.push import routes as push_routes

BASE = "/elasticsearch"
_HEADERS = {"X-Elastic-Product": "Elasticsearch"}
"""Clients of the official libraries refuse a server that does not call itself so."""
_VERSION = {
    "name": "sightline",
    "cluster_name": "sightline",
    "version": {"number": "8.11.0", "build_flavor": "default", "lucene_version": "9.8.0",
                "minimum_wire_compatibility_version": "7.17.0", "minimum_index_compatibility_version": "7.0.0"},
    "tagline": "You Know, for Search",
}  # fmt: skip


def _check(body: bytes) -> Checked:
    text = body.strip().replace(b"\r\n", b"\n")
    while b"\n\n" in text:
        text = text.replace(b"\n\n", b"\n")
    if not text:
        raise Refused(400, "the body has no action")
    pieces, start = [], 0
    while start < len(text):
        end = text.find(b"\n", start + PIECE_BYTES) + 1 or len(text)
        if end < len(text) and text.count(b"\n", start, end) % 2:
            # Between an action and its document.
            end = text.find(b"\n", end) + 1 or len(text)
        pieces.append(_check_piece(text[start:end].rstrip(b"\n")))
        start = end
    return Checked(pieces)


def _check_piece(text: bytes) -> Piece:
    try:
        parsed = orjson.loads(b"[" + text.replace(b"\n", b",") + b"]")
    except orjson.JSONDecodeError as error:
        raise Refused(400, f"the body is not lines of JSON: {error}") from error
    if len(parsed) != text.count(b"\n") + 1 or len(parsed) % 2 or not set(map(type, parsed)) <= {dict}:
        raise Refused(400, "the body wants lines of JSON objects, an action and then a document each")
    if not (actions := set().union(*parsed[0::2])) <= {"index", "create"}:
        raise Refused(400, f"only the actions index and create are known, got: {', '.join(sorted(actions))}")
    return Piece(text, len(parsed) // 2)


def _accepted(records: int) -> Response:
    # The same words for each: a request is taken as a whole.
    items = b",".join([b'{"create":{"_index":"","_id":"","status":201,"result":"created"}}'] * records)
    return Response(b'{"took":1,"errors":false,"items":[' + items + b"]}", 200, _HEADERS, media_type="application/json")


def _refused(refusal: Refused) -> Response:
    kinds = {401: "security_exception", 403: "security_exception", 413: "content_too_long_exception"}
    # 429 is what shippers take for "later"; 503 they take for a broken server.
    status = 429 if refusal.status == 503 else refusal.status
    kind = "es_rejected_execution_exception" if status == 429 else kinds.get(status, "illegal_argument_exception")
    error = {"type": kind, "reason": refusal.message}
    return JSONResponse({"error": {"root_cause": [error], **error}, "status": status}, status, refusal.headers | _HEADERS)


BULK = Push(
    (f"{BASE}/_bulk", f"{BASE}/{{name}}/_bulk"),
    "elasticsearch",
    "elasticsearch:bulk",
    "event",
    _check,
    _accepted,
    _refused,
    methods=("POST", "PUT"),
    is_objects=False,
)


def routes(acceptance: Acceptance, *, needs_token: bool) -> list[Route]:
    """The routes of one listener, with the answers that shippers ask for before they send."""

    async def version(request: Request) -> Response:
        return JSONResponse(_VERSION, headers=_HEADERS)

    async def license_(request: Request) -> Response:
        return JSONResponse({"license": {"status": "active", "type": "basic", "uid": "sightline"}}, headers=_HEADERS)

    async def nothing(request: Request) -> Response:
        # Templates and policies have no meaning here: fields need no mapping.
        return JSONResponse({"acknowledged": True}, headers=_HEADERS)

    return [
        *push_routes(acceptance, BULK, needs_token=needs_token),
        Route(f"{BASE}", version, methods=["GET", "HEAD"]),
        Route(f"{BASE}/", version, methods=["GET", "HEAD"]),
        Route(f"{BASE}/_license", license_, methods=["GET"]),
        Route(BASE + "/{rest:path}", nothing, methods=["GET", "HEAD", "PUT"]),
    ]
