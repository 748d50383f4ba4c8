"""The HTTP Event Collector: events, metrics, raw text, acknowledgements and health, with its codes and their order.

Enters: requests. Leaves: frames in the journal, in which "event" and "fields" are the bytes that came (envelopes.py takes a
batch apart). A batch is taken up to its first fault, which the answer numbers; the ledger counts what was not taken.

An event sent to an index that holds metrics, or a metric sent to one that holds events, is refused with code 7: to
accept it and drop it later would break the promise that what was acknowledged is not lost.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import functools
import json
import logging
import math
import re
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sightline.clock import Clock
from sightline.config import HecSettings, IngestSettings
from sightline.journal import JournalClosing, JournalFull, JournalWriter, Piece
from sightline.receivers.access import TokenGrant, TokenSource
from sightline.receivers.acks import AckChannels
from sightline.receivers.bodies import BodyMalformed, BodyTooLarge, UnsupportedEncoding, read_body
from sightline.receivers.envelopes import Defaults, Fault, Frame, IndexOf, Sorted, seconds_of, sort_batch, sort_in_pieces
from sightline.receivers.pieces import PIECE_BYTES, cut_text
from sightline.receivers.refusals import Refusals
from sightline.receivers.room import OBJECTS_COST, share_of

log = logging.getLogger(__name__)

TEXTS = {
    0: (200, "Success"),
    1: (403, "Token disabled"),
    2: (401, "Token is required"),
    3: (401, "Invalid authorization"),
    4: (403, "Invalid token"),
    5: (400, "No data"),
    6: (400, "Invalid data format"),
    7: (400, "Incorrect index"),
    8: (500, "Internal server error"),
    9: (503, "Server is busy"),
    10: (400, "Data channel is missing"),
    11: (400, "Invalid data channel"),
    12: (400, "Event field is required"),
    13: (400, "Event field cannot be blank"),
    14: (400, "ACK is disabled"),
    15: (400, "Error in handling indexed fields"),
    16: (400, "Query string authorization is not enabled"),
    17: (200, "HEC is healthy"),
    18: (503, "HEC is unhealthy, queues are full"),
    19: (503, "HEC is unhealthy, ack service unavailable"),
    20: (503, "HEC is unhealthy, queues are full, ack service unavailable"),
    21: (400, "Invalid token"),
    22: (400, "Token disabled"),
    23: (503, "Server is shutting down"),
    24: (200, "HEC queue is approaching its capacity limit"),
    25: (200, "HEC ACK is approaching its capacity limit"),
}
"""26 and 27 (429: the queue, or the acknowledgements, are at capacity) are never sent but 9: Splunk's own libraries for Python send
again after 503 and take 429 for a fault of theirs."""
_NEAR = 0.9
"""Part of a bound from which on a success says that it is near."""
NOT_FOUND = {"text": "The requested URL was not found on this server.", "code": 404}
_GUID = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_TRUE = ("1", "t", "true", "y", "yes")
_THREAD_BYTES = 256 * 1024
"""Above this size a batch is taken apart in a thread, so that other connections do not wait for it."""
_RETRY_AFTER_S = 10
"""When to come back after a fault of the disk, or when no more acknowledgements can be kept."""
_MAX_ACK_BODY_BYTES = 1 << 20
_SOURCES = {"hecevent": "hec:events", "hectimed": "hec:events", "hecmetric": "hec:metrics", "raw": "hec:raw"}
"""What the ledger calls a kind of frame."""


class HecError(Exception):
    """An answer that is not success."""

    def __init__(self, code: int) -> None:
        super().__init__(TEXTS[code][1])
        self.code = code


class _TooLargeAsObjects(BodyTooLarge):
    """A large batch that cannot be read in pieces: as objects, JSON takes up to twenty times its size."""

    def __init__(self, limit: int) -> None:
        super().__init__(limit)
        self.args = (
            f"the batch is larger than {limit} bytes, and it is an array or has an event out of the ordinary; wanted at most that,"
            " or objects one after the other, which may be as large as any request",
        )


class HecReceiver:
    """Checks and journals HEC requests; one for all listeners."""

    def __init__(
        self,
        journal: JournalWriter,
        tokens: TokenSource,
        settings: IngestSettings,
        hec: HecSettings,
        refusals: Refusals,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._tokens = tokens
        self._settings = settings
        self._refusals = refusals
        self._acks = AckChannels(clock, hec)

    async def event(self, request: Request) -> Response:
        """POST /services/collector[/event][/1.0]"""
        return await self._answer(request, raw=False)

    async def raw(self, request: Request) -> Response:
        """POST /services/collector/raw[/1.0]"""
        return await self._answer(request, raw=True)

    async def ack(self, request: Request) -> Response:
        """POST /services/collector/ack[/1.0]: which acknowledgement ids are durable; each is told once."""
        try:
            grant = self._authorise(request)
            if not grant.use_ack:
                raise HecError(14)
            channel = _channel(request)
            wanted = json.loads(await read_body(request, _MAX_ACK_BODY_BYTES))["acks"]
            return JSONResponse({"acks": self._acks.take(channel, [int(number) for number in wanted])})
        except HecError as error:
            return _reply(error.code)
        except (ValueError, KeyError, TypeError, BodyMalformed, BodyTooLarge, UnsupportedEncoding, RecursionError):
            return _reply(6)
        except ClientDisconnect:
            return Response(status_code=400)

    async def health(self, request: Request) -> Response:
        """GET /services/collector/health[/1.0]: needs no token, but a given one is checked. `?ack=true` asks about
        acknowledgements as well."""
        try:
            if request.headers.get("authorization") or request.query_params.get("token"):
                self._authorise(request)
        except HecError as error:
            return _reply(22 if error.code == 1 else 21)
        full = bool(self._journal.refusal())
        no_acks = request.query_params.get("ack", "").lower() in _TRUE and not self._acks.has_room("")
        return _reply({(False, False): 17, (True, False): 18, (False, True): 19, (True, True): 20}[full, no_acks])

    # Inside

    async def _answer(self, request: Request, *, raw: bool) -> Response:
        token, source = "", _SOURCES["raw" if raw else "hecevent"]
        try:
            grant = self._authorise(request)
            token = grant.name
            channel = _channel(request) if grant.use_ack else ""
            if channel and not self._acks.has_room(channel):
                raise HecError(9)
            body = await read_body(request, self._settings.max_body_bytes)
            if not body or body.isspace():
                raise HecError(5)
            found = await self._sorted(request, grant, body, raw=raw)
            if not found.frames and found.fault is None:
                raise HecError(5)
            await self._store(found, token)
        except HecError as error:
            self._refusals.add(source, TEXTS[error.code][1], token=token)
            return _reply(error.code, headers={"Retry-After": str(_RETRY_AFTER_S)} if error.code == 9 else None)
        except (BodyTooLarge, UnsupportedEncoding) as error:
            self._refusals.add(source, str(error), token=token)
            return PlainTextResponse(str(error), 415 if isinstance(error, UnsupportedEncoding) else 413)
        except BodyMalformed as error:
            self._refusals.add(source, str(error), token=token)
            return _reply(6)
        except (JournalFull, OSError) as error:
            log.warning("a batch is refused for now: %s", error)
            retry_after_s = error.retry_after_s if isinstance(error, JournalFull) else _RETRY_AFTER_S
            return _reply(23 if isinstance(error, JournalClosing) else 9, headers={"Retry-After": str(retry_after_s)})
        except ClientDisconnect:
            return Response(status_code=400)
        if found.fault is not None:
            self._refusals.add(source, TEXTS[found.fault.code][1], token=token, records=found.fault.records)
            return _reply(found.fault.code, None if raw else found.fault.event)
        more = {"ackId": self._acks.new(channel)} if channel else None
        if self._journal.fullness() >= _NEAR:
            return _reply(24, more=more)
        return _reply(25 if channel and self._acks.fullness() >= _NEAR else 0, more=more)

    def _authorise(self, request: Request) -> TokenGrant:
        in_query = request.query_params.get("token")
        if in_query:
            # Looked up first, and it wins over a header: an unknown one says so even though queries are not enabled.
            grant = self._find(in_query)
            if grant is not None and not grant.allow_query_string:
                raise HecError(16)
        else:
            grant = self._find(_secret(request.headers.get("authorization", "").strip()))
        if grant is None:
            raise HecError(4)
        if grant.disabled:
            raise HecError(1)
        return grant

    def _find(self, secret: str) -> TokenGrant | None:
        grant = self._tokens.find(secret)
        return grant if grant is not None and grant.kind == "hec" else None

    async def _sorted(self, request: Request, grant: TokenGrant, body: bytes, *, raw: bool) -> Sorted:
        query = request.query_params
        defaults = Defaults(
            host=query.get("host") or grant.host or (request.client.host if request.client else ""),
            source=query.get("source") or grant.source or f"http:{grant.name}",
            sourcetype=query.get("sourcetype") or grant.sourcetype or "httpevent",
            index=query.get("index", ""),
            find_time=query.get("auto_extract_timestamp", "").lower() in _TRUE,
        )

        def index_of(named: str, datatype: str) -> str | None:
            return self._index(grant, named, datatype)

        if raw:
            sort = functools.partial(_raw, body, defaults, index_of, query.get("time"))
        else:
            sort = functools.partial(sort_batch, body, defaults, index_of)
        if len(body) <= _THREAD_BYTES:
            return sort()
        if not raw and len(body) > PIECE_BYTES:
            found = await asyncio.to_thread(sort_in_pieces, body, defaults, index_of)
            if found is not None:
                return found
            if len(body) > self._settings.json_max_body_bytes:
                raise _TooLargeAsObjects(self._settings.json_max_body_bytes)
            if share := share_of(request):
                await share.hold(OBJECTS_COST * len(body))
        return await asyncio.to_thread(sort)

    def _index(self, grant: TokenGrant, named: str, datatype: str) -> str | None:
        usual = "main" if datatype == "event" else "metrics"
        if not named:
            for candidate in (grant.default_index, *grant.indexes):
                if candidate and (candidate == usual or self._tokens.index_datatype(candidate) == datatype):
                    return candidate
            named = usual
        if not grant.allows(named):
            return None
        known = self._tokens.index_datatype(named)
        return named if known == datatype or (known is None and named == usual) else None

    async def _store(self, found: Sorted, token: str) -> None:
        if any(len(frame.body) > self._settings.record_max_bytes for frame in found.frames):
            raise BodyTooLarge(self._settings.record_max_bytes)
        pieces: dict[tuple[str, str], list[Piece]] = {}
        for frame in found.frames:
            pieces.setdefault((frame.kind, frame.index), []).append(Piece(frame.body, frame.records))
        # All are handed over before any is awaited, so that they share one commit.
        outcomes = await asyncio.gather(
            *(self._journal.append_pieces(kind, each, token=token, index=index) for (kind, index), each in pieces.items()),
            return_exceptions=True,
        )
        failures = []
        for (kind, index), outcome in zip(pieces, outcomes, strict=True):
            if isinstance(outcome, BaseException):
                failures.append(outcome)
                records = sum(piece.records for piece in pieces[kind, index])
                self._refusals.add(_SOURCES[kind], str(outcome), token=token, index=index, records=records)
        if failures:
            # What another frame of the batch holds is stored: its sender, told to come back, will send it twice.
            raise failures[0]
        if found.dropped_measures:
            reason = "the value of a metric is not a number"
            self._refusals.add(_SOURCES["hecmetric"], reason, token=token, records=found.dropped_measures)


def routes(receiver: HecReceiver) -> list[Route]:
    """The collector's routes, and its own answer to every other path below /services/collector."""
    base = "/services/collector"
    posts = {
        receiver.event: (base, f"{base}/event", f"{base}/event/1.0"),
        receiver.raw: (f"{base}/raw", f"{base}/raw/1.0"),
        receiver.ack: (f"{base}/ack", f"{base}/ack/1.0"),
    }
    others = ["GET", "PUT", "DELETE", "PATCH"]
    return [
        *(Route(path, endpoint, methods=["POST"]) for endpoint, paths in posts.items() for path in paths),
        *(Route(path, _options, methods=["OPTIONS"]) for paths in posts.values() for path in paths),
        *(Route(path, wrong_method, methods=others) for paths in posts.values() for path in paths),
        Route(f"{base}/health", receiver.health, methods=["GET"]),
        Route(f"{base}/health/1.0", receiver.health, methods=["GET"]),
        *(
            Route(f"{base}/{protocol}{version}", _other_protocol(name), methods=["POST", *others])
            for protocol, name in (("mint", "MINT"), ("s2s", "Splunk-to-Splunk"))
            for version in ("", "/1.0")
        ),
        Route(base + "/{rest:path}", not_found, methods=["POST", *others]),
    ]


async def not_found(request: Request) -> Response:
    """The collector's 404."""
    return JSONResponse(NOT_FOUND, 404)


async def wrong_method(request: Request) -> Response:
    """The collector's 405, which has the body of its 404."""
    return JSONResponse(NOT_FOUND, 405)


async def _options(request: Request) -> Response:
    """Docker's logging driver asks this before it starts a container, and wants 200."""
    return Response(status_code=200, headers={"Allow": "OPTIONS, POST"})


def _other_protocol(name: str) -> Any:
    async def refuse(request: Request) -> Response:
        text = f"{name} is not received here: send events to /services/collector/event"
        return JSONResponse({"text": text, "code": 404}, 404)

    return refuse


def _raw(body: bytes, defaults: Defaults, index_of: IndexOf, time: str | None) -> Sorted:
    """Text as it came, under a line that says what holds for all of it; a large one in pieces."""
    index = index_of(defaults.index, "event")
    if index is None:
        return Sorted(fault=Fault(7, 0))
    try:
        seconds = seconds_of(time)
    except ValueError:
        return Sorted(fault=Fault(15, 0))
    head: dict[str, Any] = {"host": defaults.host, "source": defaults.source, "sourcetype": defaults.sourcetype}
    if not math.isnan(seconds):
        head["time"] = seconds
    # Where the events begin and end in it, the engine finds out by the rules of the sourcetype.
    frames = []
    for part in cut_text(body):
        lines = len(list(filter(None, map(bytes.strip, part.splitlines()))))
        frames.append(Frame("raw", index, orjson.dumps(head) + b"\n" + part, lines))
    return Sorted(frames)


def _reply(
    code: int, event: int | None = None, more: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> Response:
    status, text = TEXTS[code]
    body: dict[str, Any] = {"text": text, "code": code, **(more or {})}
    if event is not None:
        body["invalid-event-number"] = event
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def _secret(header: str) -> str:
    """The token in a request's header. Raises HecError."""
    scheme, _, secret = header.partition(" ")
    secret = secret.strip()
    if not header:
        raise HecError(2)
    if scheme.lower() == "basic":
        try:
            secret = base64.b64decode(secret, validate=True).decode().partition(":")[2]
        except (binascii.Error, UnicodeDecodeError) as error:
            raise HecError(3) from error
    elif scheme.lower() != "splunk":
        raise HecError(3)
    if not secret:
        raise HecError(2)
    return secret


def _channel(request: Request) -> str:
    channel = request.headers.get("x-splunk-request-channel") or request.query_params.get("channel") or ""
    if not channel:
        raise HecError(10)
    if not _GUID.fullmatch(channel):
        raise HecError(11)
    return channel.lower()
