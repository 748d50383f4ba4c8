"""Prometheus remote write 1.0 and 2.0: samples, native histograms and exemplars, acknowledged when they are on disk.

Enters: snappy-compressed protobuf. Leaves: the protobuf bytes in the journal, unchanged; the engine decodes them. A
request is checked as a whole: one that cannot be read is refused with 400, which Prometheus does not send again, and
"retry later" is 503 with Retry-After.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from google.protobuf import descriptor_pb2, descriptor_pool, message_factory
from google.protobuf.message import DecodeError, Message
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from sightline.config import IngestSettings
from sightline.journal import Piece
from sightline.receivers.acceptance import Acceptance, Refused
from sightline.receivers.pieces import Path, cut_message, path

PATH = "/api/v1/write"
"""Where Prometheus itself receives remote writes, so that people need to change the host alone."""
_THREAD_BYTES = 256 * 1024
_PROTOBUF = "application/x-protobuf"
_WRITTEN = ("Samples", "Histograms", "Exemplars")
"""What the answer of remote write 2.0 counts."""


@dataclass(frozen=True, slots=True)
class Version:
    """One version of the protocol: the message that its content type names, and the kind of segment it becomes."""

    kind: str
    source: str
    message: type[Message]
    each: type[Message]
    """The same with a list of series."""
    path: Path
    """Where its records are: a series that alone is large stays whole."""


def _messages() -> dict[str, type[Message]]:
    """Only what counting needs: the lists of series, samples, histograms and exemplars. What else is there stays unread.

    The series are declared as one message where there is a list: protobuf merges what occurs several times, so that one list has
    the samples of all of them. Only exemplars are counted series by series, with the messages of the name with `Each`.
    """
    file = descriptor_pb2.FileDescriptorProto(name="sightline/remote_write.proto", package="sightline", syntax="proto3")
    repeated, message, nothing = 3, 11, file.message_type.add(name="Nothing")
    assert nothing.name
    for name, series, samples, histograms, exemplars in (("Write1", 1, 2, 4, 3), ("Write2", 5, 2, 3, 4)):
        one = file.message_type.add(name=f"{name}Series")
        for field, number in (("samples", samples), ("histograms", histograms), ("exemplars", exemplars)):
            one.field.add(name=field, number=number, label=repeated, type=message, type_name=".sightline.Nothing")
        for called, label in ((name, 1), (f"{name}Each", repeated)):
            whole = file.message_type.add(name=called)
            whole.field.add(
                name="timeseries", number=series, label=label, type=message, type_name=f".sightline.{name}Series"
            )
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    names = ("Write1", "Write2", "Write1Each", "Write2Each")
    return {n: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"sightline.{n}")) for n in names}


_MESSAGES = _messages()
VERSION_1 = Version("prometheus", "prometheus:write", _MESSAGES["Write1"], _MESSAGES["Write1Each"], path(1))
VERSION_2 = Version("prometheus2", "prometheus:write2", _MESSAGES["Write2"], _MESSAGES["Write2Each"], path(5))
_BY_NAME = {"prometheus.WriteRequest": VERSION_1, "io.prometheus.write.v2.Request": VERSION_2}


def routes(acceptance: Acceptance, settings: IngestSettings, *, needs_token: bool) -> list[Route]:
    """The routes of one listener."""

    async def write(request: Request) -> Response:
        try:
            written = await _write(acceptance, settings, request, needs_token)
        except Refused as refusal:
            return PlainTextResponse(refusal.message, refusal.status, refusal.headers)
        except ClientDisconnect:
            return Response(status_code=400)
        headers = {f"X-Prometheus-Remote-Write-{name}-Written": str(written[name]) for name in _WRITTEN}
        return Response(status_code=204, headers=headers)

    return [Route(PATH, write, methods=["POST"])]


async def _write(acceptance: Acceptance, settings: IngestSettings, request: Request, needs_token: bool) -> Counter[str]:
    version = _version(acceptance, request)
    source = version.source
    grant = acceptance.grant(request.headers, source, needs_token=needs_token)
    index = acceptance.index(grant, "metric", source)
    encoding = request.headers.get("content-encoding", "").strip().lower()
    if encoding != "snappy":
        raise acceptance.refused(Refused(415, f'unsupported content encoding "{encoding}", wanted snappy'), source)
    compressed = await acceptance.body(request, source, as_sent=True)
    work: Callable[..., Any] = _checked
    try:
        if len(compressed) > _THREAD_BYTES:
            pieces, written = await asyncio.to_thread(work, version, compressed, settings.max_body_bytes)
        else:
            pieces, written = work(version, compressed, settings.max_body_bytes)
    except Refused as refusal:
        raise acceptance.refused(refusal, source, token=grant.name if grant else "", index=index) from None
    if written.total():
        await acceptance.store_pieces(version.kind, pieces, source, grant=grant, index=index)
    return written


def _version(acceptance: Acceptance, request: Request) -> Version:
    media, *parameters = (part.strip() for part in request.headers.get("content-type", "").split(";"))
    proto = next((p[len("proto=") :] for p in parameters if p.startswith("proto=")), "prometheus.WriteRequest")
    if media.lower() != _PROTOBUF or proto not in _BY_NAME:
        wanted = " or ".join(f"{_PROTOBUF};proto={name}" for name in _BY_NAME)
        given = request.headers.get("content-type", "")
        raise acceptance.refused(Refused(415, f'unsupported content type "{given}", wanted {wanted}'), VERSION_1.source)
    return _BY_NAME[proto]


def _checked(version: Version, compressed: bytes, limit: int) -> tuple[list[Piece], Counter[str]]:
    """The decompressed body with its numbers of samples, histograms and exemplars. Raises Refused."""
    pieces, written = [], Counter[str]()
    try:
        for part in cut_message(unsnapped(compressed, limit), version.path):
            message: Any = version.message.FromString(part)
            series = message.timeseries
            samples, histograms, exemplars, with_exemplars = (
                len(series.samples),
                len(series.histograms),
                len(series.exemplars),
                0,
            )
            if exemplars:
                each: Any = version.each.FromString(part)
                # All exemplars of a series are one record.
                with_exemplars = sum(bool(one.exemplars) for one in each.timeseries)
            pieces.append(Piece(part, samples + histograms + with_exemplars))
            written.update(Samples=samples, Histograms=histograms, Exemplars=exemplars)
    except DecodeError as error:
        raise Refused(400, f"the body is not a valid remote write request: {error}") from error
    return pieces, written


def unsnapped(compressed: bytes, limit: int) -> bytes:
    """A snappy block decompressed. Raises Refused for what is none, or is larger than the limit, before it is inflated."""
    size, first = 0, compressed[:5]
    length = next((n for n, byte in enumerate(first, 1) if byte < 0x80), 0)
    if not length:
        raise Refused(400, "the body is not valid snappy: it does not begin with a length")
    for byte in reversed(first[:length]):
        size = size << 7 | byte & 0x7F
    if size > limit:
        raise Refused(413, f"the request is larger than {limit} bytes, wanted at most that after decompression")
    # Loaded with the first remote write: an idle front process is 15 MB smaller without.
    import pyarrow as pa

    try:
        return pa.Codec("snappy").decompress(compressed, size, asbytes=True)
    except (OSError, ValueError) as error:
        raise Refused(400, f"the body is not valid snappy: {error}") from error
