"""Loki's push API: streams of log lines with labels, as JSON or as snappy-compressed protobuf.

Labels become fields; `host`, `hostname`, `instance` or `node_name` the host, `job` or `service_name` the source.
"""

from __future__ import annotations

from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sightline.config import IngestSettings
from sightline.journal import Piece
from sightline.receivers.acceptance import Acceptance, Refused
from sightline.receivers.pieces import cut_message, path
from sightline.receivers.prometheus import unsnapped
from sightline.receivers.push import Checked, Push, accept, lists_in, read_json

PATH = "/loki/api/v1/push"


def _count_only() -> Any:
    """A message that sees how many entries there are, and reads nothing else of them."""
    file = descriptor_pb2.FileDescriptorProto(name="sightline/loki_push.proto", package="sightline", syntax="proto3")
    file.message_type.add(name="LokiEntry")
    stream = file.message_type.add(name="LokiStream")
    stream.field.add(name="entries", number=2, label=3, type=11, type_name=".sightline.LokiEntry")
    push = file.message_type.add(name="LokiPush")
    push.field.add(name="streams", number=1, label=3, type=11, type_name=".sightline.LokiStream")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("sightline.LokiPush"))


_MESSAGE = _count_only()


def _check_json(body: bytes) -> Checked:
    streams = lists_in(read_json(body, dict, 'an object with "streams"'), ("streams",))
    records = 0
    for stream in streams:
        labels, values = stream.get("stream", {}), stream.get("values", [])
        if not isinstance(labels, dict) or not isinstance(values, list):
            raise Refused(400, 'a stream wants an object "stream" and a list "values"')
        if not set(map(type, values)) <= {list} or not set(map(len, values)) <= {2, 3}:
            raise Refused(400, 'every entry of "values" wants a time, a line, and maybe an object')
        records += len(values)
    return Checked.whole(body, records)


def _check_protobuf(body: bytes) -> Checked:
    pieces = []
    try:
        for part in cut_message(body, path(1, 2)):
            pieces.append(Piece(part, sum(len(stream.entries) for stream in _MESSAGE.FromString(part).streams)))
    except DecodeError as error:
        raise Refused(400, f"the body is not a valid push request: {error}") from error
    return Checked(pieces)


def _accepted(records: int) -> Response:
    return Response(status_code=204)


JSON = Push((PATH,), "loki", "loki:push", "event", _check_json, _accepted)
PROTOBUF = Push((PATH,), "lokiproto", "loki:push", "event", _check_protobuf, _accepted)


def routes(acceptance: Acceptance, settings: IngestSettings, *, needs_token: bool) -> list[Route]:
    """The routes of one listener."""

    async def push(request: Request) -> Response:
        content_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
        try:
            if content_type == "application/x-protobuf":
                sent = await acceptance.body(request, PROTOBUF.source, as_sent=True)
                try:
                    body = unsnapped(sent, settings.max_body_bytes)
                except Refused as refusal:
                    raise acceptance.refused(refusal, PROTOBUF.source) from None
                await accept(acceptance, PROTOBUF, request, body, needs_token)
            elif content_type in ("application/json", ""):
                sent = await acceptance.body(request, JSON.source, is_objects=True)
                await accept(acceptance, JSON, request, sent, needs_token)
            else:
                wanted = "application/json or application/x-protobuf"
                refusal = Refused(415, f'unsupported content type "{content_type}", wanted {wanted}')
                raise acceptance.refused(refusal, JSON.source)
        except Refused as refusal:
            return PlainTextResponse(refusal.message, refusal.status, refusal.headers)
        except ClientDisconnect:
            return Response(status_code=400)
        return _accepted(0)

    return [
        Route(PATH, push, methods=["POST"]),
        Route("/loki/api/v1/ready", lambda request: PlainTextResponse("ready\n"), methods=["GET"]),
    ]
