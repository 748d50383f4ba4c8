"""The HTTP Event Collector: events, metrics, raw text, acknowledgements and health, with its codes and their order.

Enters: batches of JSON objects, concatenated or in an array. Leaves: JSON lines in the journal, one per event or
point, with the token's defaults filled in; a batch is accepted whole or not at all.

An event sent to an index that holds metrics, or a metric sent to one that holds events, is refused with code 7: to
accept it and drop it later would break the promise that what was acknowledged is not lost.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import json
import logging
import math
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import orjson
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from sightline.clock import Clock
from sightline.config import IngestSettings
from sightline.journal import JournalFull, JournalWriter
from sightline.receivers.access import TokenGrant, TokenSource
from sightline.receivers.acks import AckChannels
from sightline.receivers.bodies import BodyMalformed, BodyTooLarge, UnsupportedEncoding, read_body
from sightline.receivers.refusals import Refusals

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
    21: (400, "Invalid token"),
    22: (400, "Token disabled"),
}
NOT_FOUND = {"text": "The requested URL was not found on this server.", "code": 404}
_GUID = re.compile(r"[0-9a-fA-F]{8}-?([0-9a-fA-F]{4}-?){3}[0-9a-fA-F]{12}")
_DECODER = json.JSONDecoder(parse_constant=lambda name: _raise_constant(name))
_SPACE = " \t\r\n"


class HecError(Exception):
    """An answer that is not success. `event` is the number of the event at fault, where the protocol tells it."""

    def __init__(self, code: int, event: int | None = None) -> None:
        super().__init__(TEXTS[code][1])
        self.code = code
        self.event = event


@dataclass(frozen=True, slots=True)
class _Line:
    kind: str
    index: str
    text: bytes


class HecReceiver:
    """Checks and journals HEC requests; one for all listeners."""

    def __init__(
        self,
        journal: JournalWriter,
        tokens: TokenSource,
        settings: IngestSettings,
        refusals: Refusals,
        clock: Clock,
    ) -> None:
        self._journal = journal
        self._tokens = tokens
        self._settings = settings
        self._refusals = refusals
        self._acks = AckChannels(clock)

    async def event(self, request: Request) -> Response:
        """POST /services/collector[/event][/1.0]"""
        return await self._receive(request, raw=False)

    async def raw(self, request: Request) -> Response:
        """POST /services/collector/raw[/1.0]"""
        return await self._receive(request, raw=True)

    async def ack(self, request: Request) -> Response:
        """POST /services/collector/ack[/1.0]: which acknowledgement ids are durable; each is told once."""
        try:
            grant = self._authorise(request)
            if not grant.use_ack:
                raise HecError(14)
            channel = _channel(request)
            wanted = json.loads(await read_body(request, 1 << 20))["acks"]
            return JSONResponse({"acks": self._acks.take(channel, [int(number) for number in wanted])})
        except HecError as error:
            return _reply(error.code)
        except (ValueError, KeyError, TypeError, BodyMalformed, BodyTooLarge, UnsupportedEncoding):
            return _reply(6)

    async def health(self, request: Request) -> Response:
        """GET /services/collector/health[/1.0]: needs no token, but a given one is checked."""
        try:
            if request.headers.get("authorization"):
                self._authorise(request)
        except HecError as error:
            return _reply(22 if error.code == 1 else 21)
        return _reply(18 if self._journal.refusal() else 17)

    # Inside

    async def _receive(self, request: Request, *, raw: bool) -> Response:
        token, records = "", 1
        try:
            grant = self._authorise(request)
            token = grant.name
            channel = _channel(request) if grant.use_ack else ""
            body = await read_body(request, self._settings.max_body_bytes)
            if not body.strip():
                raise HecError(5)
            client = request.client.host if request.client else ""
            lines = self._raw_lines(request, grant, client, body) if raw else self._event_lines(grant, client, body)
            records = len(lines)
            await self._append(lines, token)
        except HecError as error:
            self._refusals.add("hec:events", TEXTS[error.code][1], token=token)
            return _reply(error.code, error.event)
        except (BodyTooLarge, UnsupportedEncoding) as error:
            self._refusals.add("hec:events", str(error), token=token)
            return PlainTextResponse(str(error), 413 if isinstance(error, BodyTooLarge) else 415)
        except BodyMalformed as error:
            self._refusals.add("hec:events", str(error), token=token)
            return _reply(6)
        except (JournalFull, OSError) as error:
            log.warning("a batch is refused for now: %s", error)
            self._refusals.add("hec:events", str(error), token=token, records=records)
            retry_after_s = error.retry_after_s if isinstance(error, JournalFull) else 10
            return _reply(9, headers={"Retry-After": str(retry_after_s)})
        except ClientDisconnect:
            return Response(status_code=400)
        if channel:
            return _reply(0, more={"ackId": self._acks.new(channel)})
        return _reply(0)

    def _authorise(self, request: Request) -> TokenGrant:
        in_query = request.query_params.get("token")
        if in_query:
            # Looked up first, and it wins over a header: an unknown one says so even though queries are not enabled.
            raise HecError(16 if self._find(in_query) else 4)
        header = request.headers.get("authorization", "").strip()
        if not header:
            raise HecError(2)
        scheme, _, secret = header.partition(" ")
        secret = secret.strip()
        if scheme.lower() == "basic":
            try:
                secret = base64.b64decode(secret, validate=True).decode().partition(":")[2]
            except (binascii.Error, UnicodeDecodeError) as error:
                raise HecError(3) from error
        elif scheme.lower() != "splunk":
            raise HecError(3)
        if not secret:
            raise HecError(2)
        grant = self._find(secret)
        if grant is None:
            raise HecError(4)
        if grant.disabled:
            raise HecError(1)
        return grant

    def _find(self, secret: str) -> TokenGrant | None:
        grant = self._tokens.find(secret)
        return grant if grant is not None and grant.kind == "hec" else None

    def _event_lines(self, grant: TokenGrant, client: str, body: bytes) -> list[_Line]:
        defaults = _Defaults(grant, client)
        lines: list[_Line] = []
        for number, envelope in enumerate(_envelopes(body)):
            lines += self._lines_of(envelope, number, grant, defaults)
        if not lines:
            raise HecError(5)
        return lines

    def _lines_of(self, envelope: Any, number: int, grant: TokenGrant, defaults: _Defaults) -> list[_Line]:
        if not isinstance(envelope, dict):
            raise HecError(6, number)
        event = envelope.get("event")
        if event is None:
            raise HecError(12, number)
        if event == "":
            raise HecError(13, number)
        line = {"t": _time(envelope.get("time"), number)}
        for short, name in (("h", "host"), ("s", "source"), ("st", "sourcetype")):
            value = envelope.get(name)
            if value is not None and not isinstance(value, str):
                raise HecError(6, number)
            line[short] = value or getattr(defaults, name)
        fields = envelope.get("fields")
        if fields is None:
            fields = {}
        elif not isinstance(fields, dict):
            raise HecError(6, number)
        if any(_is_nested(value) for value in fields.values()):
            raise HecError(15, number)
        named = envelope.get("index")
        if named is not None and not isinstance(named, str):
            raise HecError(6, number)
        measures = _measures(fields) if event == "metric" else None
        datatype = "event" if measures is None else "metric"
        index = line["i"] = self._index(grant, named or "", datatype, number)
        if measures is None:
            fields = {key: value for key, value in fields.items() if value is not None and key}
            return [_Line("hec", index, orjson.dumps({**line, "e": event, "f": fields}))]
        if not measures:
            raise HecError(15, number)
        dimensions = {
            key: _text(value)
            for key, value in fields.items()
            if key and value is not None and not key.startswith("metric_name") and key != "_value"
        }
        return [
            _Line("points", index, orjson.dumps({**line, "n": name, "v": value, "d": dimensions}))
            for name, value in measures.items()
        ]

    def _index(self, grant: TokenGrant, named: str, datatype: str, number: int) -> str:
        usual = "main" if datatype == "event" else "metrics"
        if not named:
            for candidate in (grant.default_index, *grant.indexes):
                if candidate and (candidate == usual or self._tokens.index_datatype(candidate) == datatype):
                    return candidate
            named = usual
        # The number of an event with a wrong index is one higher than for every other error; clients know that.
        if not grant.allows(named):
            raise HecError(7, number + 1)
        known = self._tokens.index_datatype(named)
        if known != datatype and not (known is None and named == usual):
            raise HecError(7, number + 1)
        return named

    def _raw_lines(self, request: Request, grant: TokenGrant, client: str, body: bytes) -> list[_Line]:
        query = request.query_params
        defaults = _Defaults(grant, client)
        index = self._index(grant, query.get("index", ""), "event", 0)
        line = {
            "t": _time(query.get("time"), 0),
            "h": query.get("host") or defaults.host,
            "s": query.get("source") or defaults.source,
            "st": query.get("sourcetype") or defaults.sourcetype,
            "i": index,
        }
        texts = body.decode("utf-8", "replace").splitlines()
        lines = [_Line("hec", index, orjson.dumps({**line, "e": text})) for text in texts if text.strip()]
        if not lines:
            raise HecError(5)
        return lines

    async def _append(self, lines: list[_Line], token: str) -> None:
        groups: dict[tuple[str, str], list[bytes]] = {}
        for line in lines:
            groups.setdefault((line.kind, line.index), []).append(line.text)
        # All are handed over before any is awaited, so that they share one commit.
        futures = [
            self._journal.append(kind, b"\n".join(texts), token=token, index=index, records=len(texts))
            for (kind, index), texts in groups.items()
        ]
        if len(futures) == 1:
            await futures[0]
        else:
            await asyncio.gather(*futures)


def routes(receiver: HecReceiver) -> list[Route]:
    """The collector's routes, and its own answer to every other path below /services/collector."""
    base = "/services/collector"
    event_paths = [base, f"{base}/event", f"{base}/event/1.0"]
    return [
        *(Route(path, receiver.event, methods=["POST"]) for path in event_paths),
        Route(f"{base}/raw", receiver.raw, methods=["POST"]),
        Route(f"{base}/raw/1.0", receiver.raw, methods=["POST"]),
        Route(f"{base}/ack", receiver.ack, methods=["POST"]),
        Route(f"{base}/ack/1.0", receiver.ack, methods=["POST"]),
        Route(f"{base}/health", receiver.health, methods=["GET"]),
        Route(f"{base}/health/1.0", receiver.health, methods=["GET"]),
        *(Route(path, wrong_method, methods=["GET", "PUT", "DELETE", "PATCH"]) for path in event_paths),
        Route(base + "/{rest:path}", not_found, methods=["GET", "POST", "PUT", "DELETE", "PATCH"]),
    ]


async def not_found(request: Request) -> Response:
    """The collector's 404."""
    return JSONResponse(NOT_FOUND, 404)


async def wrong_method(request: Request) -> Response:
    """The collector's 405, which has the body of its 404."""
    return JSONResponse(NOT_FOUND, 405)


class _Defaults:
    def __init__(self, grant: TokenGrant, client: str) -> None:
        self.host = grant.host or client
        self.source = grant.source or f"http:{grant.name}"
        self.sourcetype = grant.sourcetype or "httpevent"


def _reply(
    code: int, event: int | None = None, more: dict[str, Any] | None = None, headers: dict[str, str] | None = None
) -> Response:
    status, text = TEXTS[code]
    body: dict[str, Any] = {"text": text, "code": code, **(more or {})}
    if event is not None:
        body["invalid-event-number"] = event
    return Response(orjson.dumps(body), status, headers, media_type="application/json")


def _channel(request: Request) -> str:
    channel = request.headers.get("x-splunk-request-channel") or request.query_params.get("channel") or ""
    if not channel:
        raise HecError(10)
    if not _GUID.fullmatch(channel):
        raise HecError(11)
    return channel.lower()


def _envelopes(body: bytes) -> Iterator[Any]:
    """The objects of a batch, one after another, so that an early bad event is judged before later broken JSON.

    The common cases, one object, one array, and objects on lines of their own, are parsed at once. A comma in the
    place of `}` line break `{` is sound: JSON allows that sequence nowhere inside an object.
    """
    text = body.strip().replace(b"}\r\n{", b"}\n{")
    breaks = text.count(b"}\n{")
    try:
        parsed = orjson.loads(b"[" + text.replace(b"}\n{", b"},\n{") + b"]")
    except orjson.JSONDecodeError:
        parsed = None
    if parsed is None or len(parsed) != breaks + 1:
        yield from _envelopes_one_by_one(body)
        return
    for item in parsed:
        if isinstance(item, list):
            yield from item
        else:
            yield item


def _envelopes_one_by_one(body: bytes) -> Iterator[Any]:
    number = 0
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        raise HecError(6, number) from error
    in_array = False
    position, end = 0, len(text)
    while True:
        while position < end and text[position] in _SPACE:
            position += 1
        if position >= end:
            if in_array:
                raise HecError(6, number)
            return
        mark = text[position]
        if in_array and mark in ",]":
            in_array = mark == ","
            position += 1
            continue
        if not in_array and mark == "[":
            in_array = True
            position += 1
            continue
        try:
            value, position = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError) as error:
            raise HecError(6, number) from error
        yield value
        number += 1


def _raise_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _time(value: Any, number: int) -> float | None:
    if value is None or value == "":
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise HecError(15, number)
    try:
        seconds = float(value)
    except ValueError as error:
        raise HecError(15, number) from error
    if not math.isfinite(seconds):
        raise HecError(15, number)
    while abs(seconds) >= 1e11:
        # Milliseconds and finer, which some clients send: no time in seconds has twelve digits before year 5138.
        seconds /= 1000
    return seconds


def _is_nested(value: Any) -> bool:
    if isinstance(value, dict):
        return True
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)


def _measures(fields: dict[str, Any]) -> dict[str, float] | None:
    """Metric names and values, or None when the fields name no metric and the event is only called `metric`."""
    found: dict[str, float] = {}
    names = [key for key in fields if key.startswith("metric_name:")]
    if not names and "metric_name" not in fields:
        return None
    pairs = [(key[len("metric_name:") :], fields[key]) for key in names]
    if not pairs and isinstance(fields["metric_name"], str):
        pairs = [(fields["metric_name"], fields.get("_value"))]
    for name, value in pairs:
        number = _number(value)
        if name and number is not None:
            found[name] = number
    return found


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        number = float(value)
    except ValueError:
        return None
    return number if math.isfinite(number) else None


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode()
