"""OTLP: logs, metrics, traces and profiles over gRPC and HTTP, protobuf and JSON, acknowledged when they are on disk.

Enters: requests of opentelemetry-proto 1.11. Leaves: the request's protobuf bytes in the journal, unchanged (JSON is
turned into protobuf first, so that there is one way to decode). Records that cannot be stored are cut out, and told in
`partial_success`. Errors are `google.rpc.Status`, in the content type of the request or as the details of a gRPC
status; "retry later" is 503 with Retry-After, or UNAVAILABLE with RetryInfo.
"""

from __future__ import annotations

import asyncio
import functools
import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import grpc
import orjson
from google.protobuf import json_format
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceRequest,
    ExportProfilesServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from sightline.config import IngestSettings
from sightline.journal import JournalFull
from sightline.receivers.acceptance import Acceptance, Refused
from sightline.receivers.access import TokenGrant
from sightline.receivers.otlp_repeats import Repeats
from sightline.receivers.otlp_requests import Checked, Group, Unreadable, check_json, check_protobuf
from sightline.receivers.room import COST, Reading, Room

PROTOBUF, JSON = "application/x-protobuf", "application/json"
_THREAD_BYTES = 512 * 1024
"""Above this size a body is checked in a thread: 66 MB of spans take 0.3 s, which other connections need not wait."""
_MESSAGE_CHARACTERS = 2_000
"""Longest `error_message` of a partial success: clients log it, and gRPC's limit for a whole response is 4 MiB."""


@dataclass(frozen=True, slots=True)
class Signal:
    """One kind of telemetry: how its requests look and where they go."""

    kind: str
    request: type[Message]
    response: type[Message]
    service: str
    rejected: str
    """The counter in the response's `partial_success`."""
    datatype: str
    noun: str
    """What its records are called."""
    path: str
    told_apart: bool = False
    """Whether records that are equal are one: spans have ids, points a series and a time. Log records may well be equal."""
    index: str = ""
    """Where its records go, unless the token may not write there, where that is not what all of the datatype do."""

    @property
    def source(self) -> str:
        """What the ledger calls it."""
        return f"otlp:{self.kind}"


SIGNALS = {
    "traces": Signal(
        "traces",
        ExportTraceServiceRequest,
        ExportTraceServiceResponse,
        "opentelemetry.proto.collector.trace.v1.TraceService",
        "rejected_spans",
        "trace",
        "spans",
        "/v1/traces",
        told_apart=True,
    ),
    "logs": Signal(
        "logs",
        ExportLogsServiceRequest,
        ExportLogsServiceResponse,
        "opentelemetry.proto.collector.logs.v1.LogsService",
        "rejected_log_records",
        "event",
        "log records",
        "/v1/logs",
    ),
    "metrics": Signal(
        "metrics",
        ExportMetricsServiceRequest,
        ExportMetricsServiceResponse,
        "opentelemetry.proto.collector.metrics.v1.MetricsService",
        "rejected_data_points",
        "metric",
        "data points",
        "/v1/metrics",
        told_apart=True,
    ),
    "profiles": Signal(
        "profiles",
        ExportProfilesServiceRequest,
        ExportProfilesServiceResponse,
        "opentelemetry.proto.collector.profiles.v1development.ProfilesService",
        "rejected_profiles",
        "event",
        "samples of profiles",
        "/v1development/profiles",
        told_apart=True,
        index="profiles",
    ),
}


class OtlpReceiver:
    """Checks and journals OTLP requests, whatever they came over."""

    def __init__(self, acceptance: Acceptance, settings: IngestSettings) -> None:
        self.acceptance = acceptance
        self._settings = settings
        self._repeats = Repeats(settings.otlp_remembered_requests)

    async def accept(
        self,
        signal: Signal,
        body: bytes,
        headers: Mapping[str, str],
        *,
        needs_token: bool,
        from_json: bool = False,
        named_index: str = "",
    ) -> Message:
        """Check a request and return the response to it when it is durable. Raises Refused."""
        grant = self.acceptance.grant(headers, signal.source, needs_token=needs_token, kinds=("otlp",))
        named_index = named_index or headers.get("x-sightline-index", "")
        index = self._index(grant, signal, named_index)
        check = check_json if from_json else check_protobuf
        try:
            if len(body) > _THREAD_BYTES:
                checked = await asyncio.to_thread(check, signal.request, body, self._settings)
            else:
                checked = check(signal.request, body, self._settings)
        except Unreadable as error:
            token = grant.name if grant else ""
            raise self.acceptance.refused(Refused(400, str(error)), signal.source, token=token, index=index) from error
        reasons = Counter({f"{signal.noun} {reason}": number for reason, number in checked.refused.items()})
        for reason, number in reasons.items():
            token = grant.name if grant else ""
            self.acceptance.refused(Refused(400, reason), signal.source, token=token, index=index, records=number)
        await self._store(signal, checked, grant, index, reasons)
        return _response(signal, reasons, checked.warnings)

    async def _store(
        self, signal: Signal, checked: Checked, grant: TokenGrant | None, index: str, reasons: Counter[str]
    ) -> None:
        """Store each group in its index; what may not go to the index that it names is added to the reasons."""
        groups = []
        if checked.pprof.pieces:
            profiles = SIGNALS["profiles"]
            groups.append((profiles, "pprof", "otlp:pprof", self._index(grant, profiles), checked.pprof))
        for named, group in checked.groups.items():
            try:
                target = named and self.acceptance.index(grant, signal.datatype, signal.source, named, records=group.records)
                groups.append((signal, signal.kind, signal.source, target or index, group))
            except Refused as refusal:
                reasons[f"{signal.noun}: {refusal.message}"] += group.told
        # All share one fsync. When one finds no room the client sends all of them again.
        if len(groups) == 1:
            await self._write(*groups[0], grant)
        else:
            await asyncio.gather(*(self._write(*group, grant) for group in groups))

    async def _write(
        self, signal: Signal, kind: str, source: str, index: str, group: Group, grant: TokenGrant | None
    ) -> None:
        token = grant.name if grant else ""

        async def store() -> None:
            await self.acceptance.store_pieces(kind, group.pieces, source, grant=grant, index=index)

        if not signal.told_apart:
            await store()
            return
        digest = hashlib.sha256()
        for piece in group.pieces:
            digest.update(piece.body)
        key = (digest.digest(), kind, token, index)
        if not await self._repeats.once(key, store):
            again = Refused(409, f"{signal.noun} sent again, which are stored already")
            self.acceptance.refused(again, source, token=token, index=index, records=group.records)

    def _index(self, grant: TokenGrant | None, signal: Signal, named: str = "") -> str:
        if signal.index and not named and (grant is None or grant.allows(signal.index)):
            return signal.index
        return self.acceptance.index(grant, signal.datatype, signal.source, named)


def _response(signal: Signal, reasons: Counter[str], warnings: tuple[str, ...]) -> Message:
    response = signal.response()
    if not reasons and not warnings:
        return response
    told = [f"{reason}: {number}" for reason, number in reasons.most_common()]
    text = f"refused: {'; '.join(told)}" if told else ""
    text = "; ".join(part for part in (text, *warnings) if part)
    if text:
        setattr(response.partial_success, signal.rejected, reasons.total())
        response.partial_success.error_message = text[:_MESSAGE_CHARACTERS]
    return response


# HTTP


def routes(receiver: OtlpReceiver, *, needs_token: bool) -> list[Route]:
    """The routes of one HTTP listener."""

    def endpoint(signal: Signal) -> Callable[[Request], Any]:
        async def export(request: Request) -> Response:
            return await _export(receiver, signal, request, needs_token)

        return export

    return [Route(signal.path, endpoint(signal), methods=["POST"]) for signal in SIGNALS.values()]


async def unknown_path(request: Request) -> Response:
    """What a listener for OTLP alone answers elsewhere: mostly an endpoint given without its path."""
    paths = [signal.path for signal in SIGNALS.values()]
    if request.url.path.rstrip("/") in paths:
        refusal = Refused(405, f"this path wants POST, got {request.method}")
    else:
        refusal = Refused(404, f'nothing is at "{request.url.path}", wanted one of: {", ".join(paths)}')
    return _status_response(refusal, _content_type(request))


async def _export(receiver: OtlpReceiver, signal: Signal, request: Request, needs_token: bool) -> Response:
    content_type = _content_type(request)
    try:
        if content_type not in (PROTOBUF, JSON):
            refusal = Refused(415, f'unsupported content type "{content_type}", wanted {PROTOBUF} or {JSON}')
            raise receiver.acceptance.refused(refusal, signal.source)
        response = await receiver.accept(
            signal,
            await receiver.acceptance.body(request, signal.source, is_objects=content_type == JSON),
            request.headers,
            needs_token=needs_token,
            from_json=content_type == JSON,
            named_index=request.query_params.get("index", ""),
        )
    except Refused as refusal:
        return _status_response(refusal, content_type)
    except ClientDisconnect:
        return Response(status_code=400)
    if content_type == PROTOBUF:
        return Response(response.SerializeToString(), media_type=PROTOBUF)
    return Response(orjson.dumps(json_format.MessageToDict(response)), media_type=JSON)


def _content_type(request: Request) -> str:
    return request.headers.get("content-type", "").partition(";")[0].strip().lower()


def _status_response(refusal: Refused, content_type: str) -> Response:
    status = _status(refusal)
    if content_type == PROTOBUF:
        return Response(status.SerializeToString(), refusal.status, refusal.headers, media_type=PROTOBUF)
    body = json_format.MessageToDict(status)
    return Response(orjson.dumps(body), refusal.status, refusal.headers, media_type=JSON)


_CODES = {
    400: grpc.StatusCode.INVALID_ARGUMENT,
    401: grpc.StatusCode.UNAUTHENTICATED,
    403: grpc.StatusCode.PERMISSION_DENIED,
    404: grpc.StatusCode.NOT_FOUND,
    413: grpc.StatusCode.RESOURCE_EXHAUSTED,
    429: grpc.StatusCode.RESOURCE_EXHAUSTED,
    503: grpc.StatusCode.UNAVAILABLE,
}
"""gRPC's code for each HTTP status; another one of the client's is INVALID_ARGUMENT."""


def _code(refusal: Refused) -> grpc.StatusCode:
    return _CODES.get(refusal.status, grpc.StatusCode.INVALID_ARGUMENT)


def _status(refusal: Refused) -> Status:
    """The refusal in gRPC's words. A client sends RESOURCE_EXHAUSTED again only where RetryInfo says when."""
    status = Status(code=_code(refusal).value[0], message=refusal.message)
    if refusal.retry_after_s:
        retry = RetryInfo()
        retry.retry_delay.seconds = refusal.retry_after_s
        status.details.add().Pack(retry)
    return status


# gRPC


def grpc_server(receiver: OtlpReceiver, settings: IngestSettings, room: Room, *, needs_token: bool) -> grpc.aio.Server:
    """A server for one listener, without its port. Requests arrive as bytes: they are what the journal wants."""
    limit = min(settings.max_body_bytes, settings.grpc_max_body_bytes)
    reading = Reading(max(1, settings.grpc_reading_bytes // limit), settings.body_timeout_s)
    server = grpc.aio.server(
        options=[
            ("grpc.max_receive_message_length", limit),
            ("grpc.so_reuseport", 0),
        ],
        compression=grpc.Compression.NoCompression,
    )
    for signal in SIGNALS.values():
        # Declared as a stream of requests, of which there is one: so that it is read when there is room for it.
        handler = grpc.stream_unary_rpc_method_handler(_grpc_export(receiver, signal, reading, room, needs_token))
        server.add_generic_rpc_handlers((grpc.method_handlers_generic_handler(signal.service, {"Export": handler}),))
    return server


async def _request(context: Any) -> bytes:
    """The only request of a call. Not by the iterator that gRPC gives, which holds what it gave last until Python looks for circles
    of references: three clients with requests of 15 MiB held 900 MB so."""
    read = await context.read()
    return b"" if read is grpc.aio.EOF else read


def _grpc_export(
    receiver: OtlpReceiver, signal: Signal, reading: Reading, room: Room, needs_token: bool
) -> Callable[[Any, Any], Any]:
    async def export(_: Any, context: Any) -> bytes:
        metadata = {key: value for key, value in context.invocation_metadata() if isinstance(value, str)}
        share = room.share()
        try:
            try:
                body = await reading.turn(functools.partial(_request, context))
                await share.hold(COST * len(body), len(body))
            except JournalFull as full:
                raise receiver.acceptance.refused(Refused(503, str(full), full.retry_after_s), signal.source) from full
            response = await receiver.accept(signal, body, metadata, needs_token=needs_token)
        except Refused as refusal:
            details = (("grpc-status-details-bin", _status(refusal).SerializeToString()),)
            await context.abort(_code(refusal), refusal.message, details if refusal.retry_after_s else ())
        finally:
            share.leave()
        return response.SerializeToString()

    return export
