"""OTLP: logs, metrics and traces over gRPC and HTTP, protobuf and JSON, acknowledged when they are on disk.

Enters: requests of opentelemetry-proto 1.11. Leaves: the request's protobuf bytes in the journal, unchanged (JSON is
turned into protobuf first, so that there is one way to decode). Errors are `google.rpc.Status` bodies in the content
type of the request, or gRPC codes; "retry later" is 503 with Retry-After, or UNAVAILABLE.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import grpc
import orjson
from google.protobuf import json_format
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from sightline.config import IngestSettings
from sightline.journal import JournalFull, JournalWriter
from sightline.receivers.access import TokenGrant, TokenSource
from sightline.receivers.bodies import BodyMalformed, BodyTooLarge, UnsupportedEncoding, read_body
from sightline.receivers.refusals import Refusals

log = logging.getLogger(__name__)

PROTOBUF, JSON = "application/x-protobuf", "application/json"
_THREAD_BYTES = 512 * 1024
"""Above this size a body is checked in a thread: 59 MB of spans take 0.2 s, which other connections need not wait."""

INVALID_ARGUMENT, PERMISSION_DENIED, RESOURCE_EXHAUSTED, UNAVAILABLE, UNAUTHENTICATED = 3, 7, 8, 14, 16
NOT_FOUND = 5


@dataclass(frozen=True, slots=True)
class Signal:
    """One kind of telemetry: how its requests look and where they go."""

    kind: str
    request: type[Message]
    response: type[Message]
    service: str
    count: Callable[[Any], int]
    datatype: str


SIGNALS = {
    "traces": Signal(
        "traces",
        ExportTraceServiceRequest,
        ExportTraceServiceResponse,
        "opentelemetry.proto.collector.trace.v1.TraceService",
        lambda m: sum(len(s.spans) for r in m.resource_spans for s in r.scope_spans),
        "trace",
    ),
    "logs": Signal(
        "logs",
        ExportLogsServiceRequest,
        ExportLogsServiceResponse,
        "opentelemetry.proto.collector.logs.v1.LogsService",
        lambda m: sum(len(s.log_records) for r in m.resource_logs for s in r.scope_logs),
        "event",
    ),
    "metrics": Signal(
        "metrics",
        ExportMetricsServiceRequest,
        ExportMetricsServiceResponse,
        "opentelemetry.proto.collector.metrics.v1.MetricsService",
        lambda m: sum(_points(x) for r in m.resource_metrics for s in r.scope_metrics for x in s.metrics),
        "metric",
    ),
}


def _points(metric: Any) -> int:
    kind = metric.WhichOneof("data")
    return len(getattr(metric, kind).data_points) if kind else 0


class Refused(Exception):
    """A request that is not accepted. `code` is a gRPC code, `status` the HTTP one."""

    def __init__(self, code: int, status: int, message: str, retry_after_s: int = 0) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.message = message
        self.retry_after_s = retry_after_s


class OtlpReceiver:
    """Checks and journals OTLP requests, whatever they came over."""

    def __init__(self, journal: JournalWriter, tokens: TokenSource, settings: IngestSettings, refusals: Refusals) -> None:
        self._journal = journal
        self._tokens = tokens
        self._settings = settings
        self._refusals = refusals

    async def accept(self, signal: Signal, body: bytes, secret: str, *, needs_token: bool, from_json: bool = False) -> None:
        """Check a request and return when it is durable. Raises Refused."""
        token = index = ""
        try:
            grant = self._authorise(secret, needs_token)
            if grant:
                token, index = grant.name, self._index(signal, grant)
            check = _check_json if from_json else _check_protobuf
            if len(body) > _THREAD_BYTES:
                payload, records = await asyncio.to_thread(check, signal, body)
            else:
                payload, records = check(signal, body)
        except Refused as refusal:
            self._refusals.add(f"otlp:{signal.kind}", refusal.message, token=token, index=index)
            raise
        if records == 0:
            return
        try:
            await self._journal.append(signal.kind, payload, token=token, index=index, records=records)
        except JournalFull as full:
            self._refusals.add(f"otlp:{signal.kind}", str(full), token=token, index=index, records=records)
            raise Refused(UNAVAILABLE, 503, str(full), full.retry_after_s) from full
        except OSError as error:
            log.error("the journal cannot be written: %s", error)
            self._refusals.add(f"otlp:{signal.kind}", str(error), token=token, index=index, records=records)
            raise Refused(UNAVAILABLE, 503, f"the journal cannot be written: {error.strerror}", 10) from error

    def note_refusal(self, signal: Signal, message: str) -> None:
        """Count a request that was refused before it came to `accept`."""
        self._refusals.add(f"otlp:{signal.kind}", message)

    def _authorise(self, secret: str, needs_token: bool) -> TokenGrant | None:
        if not secret:
            if needs_token:
                raise Refused(UNAUTHENTICATED, 401, "a token is required: send it as `Authorization: Bearer <token>`")
            return None
        grant = self._tokens.find(secret)
        if grant is None or grant.kind != "otlp":
            raise Refused(UNAUTHENTICATED, 401, "the token is not a valid OTLP token")
        if grant.disabled:
            raise Refused(PERMISSION_DENIED, 403, f'the token "{grant.name}" is disabled')
        return grant

    def _index(self, signal: Signal, grant: TokenGrant) -> str:
        """The index a token's records go to: its own where that holds this kind of data, else the usual one."""
        usual = {"event": "main", "metric": "metrics", "trace": "traces"}[signal.datatype]
        candidates = [grant.default_index, *grant.indexes] if grant.default_index else list(grant.indexes)
        for index in candidates:
            if index == usual or self._tokens.index_datatype(index) == signal.datatype:
                return index
        if not grant.allows(usual):
            raise Refused(
                PERMISSION_DENIED,
                403,
                f'the token "{grant.name}" may not write {signal.kind}: none of its indexes holds'
                f" {signal.datatype} data, they are: {', '.join(grant.indexes)}",
            )
        return ""


# HTTP


def routes(receiver: OtlpReceiver, settings: IngestSettings, *, needs_token: bool) -> list[Route]:
    """The routes of one HTTP listener."""

    def endpoint(signal: Signal) -> Callable[[Request], Any]:
        async def export(request: Request) -> Response:
            return await _export(receiver, settings, signal, request, needs_token)

        return export

    return [Route(f"/v1/{name}", endpoint(signal), methods=["POST"]) for name, signal in SIGNALS.items()]


async def unknown_path(request: Request) -> Response:
    """What a listener for OTLP alone answers elsewhere: mostly an endpoint given without its path."""
    paths = ", ".join(f"/v1/{name}" for name in SIGNALS)
    if request.url.path.rstrip("/") in {f"/v1/{name}" for name in SIGNALS}:
        refusal = Refused(INVALID_ARGUMENT, 405, f"this path wants POST, got {request.method}")
    else:
        refusal = Refused(NOT_FOUND, 404, f'nothing is at "{request.url.path}", wanted one of: {paths}')
    return _status_response(refusal, _content_type(request))


async def _export(
    receiver: OtlpReceiver, settings: IngestSettings, signal: Signal, request: Request, needs_token: bool
) -> Response:
    content_type = _content_type(request)
    try:
        if content_type not in (PROTOBUF, JSON):
            refusal = Refused(
                INVALID_ARGUMENT, 415, f'unsupported content type "{content_type}", wanted {PROTOBUF} or {JSON}'
            )
            receiver.note_refusal(signal, refusal.message)
            raise refusal
        body = await _body(receiver, signal, request, settings.max_body_bytes)
        await receiver.accept(
            signal, body, secret_of(request.headers), needs_token=needs_token, from_json=content_type == JSON
        )
    except Refused as refusal:
        return _status_response(refusal, content_type)
    except ClientDisconnect:
        return Response(status_code=400)
    empty = b"{}" if content_type == JSON else b""
    return Response(empty, media_type=content_type)


async def _body(receiver: OtlpReceiver, signal: Signal, request: Request, limit: int) -> bytes:
    try:
        return await read_body(request, limit)
    except BodyTooLarge as error:
        refusal = Refused(RESOURCE_EXHAUSTED, 413, str(error))
    except BodyMalformed as error:
        refusal = Refused(INVALID_ARGUMENT, 400, str(error))
    except UnsupportedEncoding as error:
        refusal = Refused(INVALID_ARGUMENT, 415, str(error))
    receiver.note_refusal(signal, refusal.message)
    raise refusal


def secret_of(headers: Any) -> str:
    """The token in a request's headers or metadata; empty when there is none."""
    value = headers.get("authorization") or ""
    scheme, _, secret = value.partition(" ")
    if scheme.lower() in ("bearer", "splunk", "api-token"):
        return secret.strip()
    return (headers.get("x-sf-token") or "").strip() or value.strip()


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _status_response(refusal: Refused, content_type: str) -> Response:
    headers = {"Retry-After": str(refusal.retry_after_s)} if refusal.retry_after_s else {}
    if refusal.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if content_type == PROTOBUF:
        message = refusal.message.encode()
        body = bytes((0x08, refusal.code, 0x12)) + _varint(len(message)) + message
        return Response(body, refusal.status, headers, media_type=PROTOBUF)
    body = orjson.dumps({"code": refusal.code, "message": refusal.message})
    return Response(body, refusal.status, headers, media_type=JSON)


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _check_protobuf(signal: Signal, body: bytes) -> tuple[bytes, int]:
    try:
        message = signal.request.FromString(body)
    except DecodeError as error:
        raise Refused(
            INVALID_ARGUMENT, 400, f"the body is not a valid {signal.request.DESCRIPTOR.name} message: {error}"
        ) from error
    return body, signal.count(message)


def _check_json(signal: Signal, body: bytes) -> tuple[bytes, int]:
    name = signal.request.DESCRIPTOR.name
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Refused(INVALID_ARGUMENT, 400, f"the body is not valid JSON: {error}") from error
    if not isinstance(data, dict):
        raise Refused(INVALID_ARGUMENT, 400, f"the body is not a JSON object, wanted {name}")
    try:
        _ids_to_base64(data)
        message = json_format.ParseDict(data, signal.request(), ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError, RecursionError, TypeError) as error:
        raise Refused(INVALID_ARGUMENT, 400, f"the body is not a valid {name} in JSON: {error}") from error
    return message.SerializeToString(), signal.count(message)


_ID_KEYS = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id")


def _ids_to_base64(data: Any) -> None:
    """OTLP writes ids as hexadecimal where JSON of protobuf has base64. An attribute cannot be mistaken for one:
    attributes are lists of objects with the members `key` and `value`."""
    pending = [data]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            for key in _ID_KEYS:
                text = item.get(key)
                if isinstance(text, str) and text:
                    try:
                        item[key] = base64.b64encode(binascii.unhexlify(text)).decode()
                    except binascii.Error as error:
                        raise ValueError(f'{key} wants hexadecimal digits, got "{text}"') from error
            pending += item.values()
        elif isinstance(item, list):
            pending += item


# gRPC

_GRPC_CODES = {
    INVALID_ARGUMENT: grpc.StatusCode.INVALID_ARGUMENT,
    PERMISSION_DENIED: grpc.StatusCode.PERMISSION_DENIED,
    RESOURCE_EXHAUSTED: grpc.StatusCode.RESOURCE_EXHAUSTED,
    UNAVAILABLE: grpc.StatusCode.UNAVAILABLE,
    UNAUTHENTICATED: grpc.StatusCode.UNAUTHENTICATED,
}


def grpc_server(receiver: OtlpReceiver, settings: IngestSettings, *, needs_token: bool) -> grpc.aio.Server:
    """A server for one listener, without its port. Requests arrive as bytes: they are what the journal wants."""
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", settings.max_body_bytes),
            ("grpc.so_reuseport", 0),
        ],
        compression=grpc.Compression.NoCompression,
    )
    for signal in SIGNALS.values():
        handler = grpc.unary_unary_rpc_method_handler(_grpc_export(receiver, signal, needs_token))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(signal.service, {"Export": handler}),))
    return server


def _grpc_export(receiver: OtlpReceiver, signal: Signal, needs_token: bool) -> Callable[[bytes, Any], Any]:
    empty = signal.response().SerializeToString()

    async def export(body: bytes, context: Any) -> bytes:
        metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        try:
            await receiver.accept(signal, body, secret_of(metadata), needs_token=needs_token)
        except Refused as refusal:
            await context.abort(_GRPC_CODES[refusal.code], refusal.message)
        return empty

    return export
