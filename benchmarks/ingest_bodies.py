"""The requests that the way in is measured with: the same records for everyone, in the protocol that each speaks.

Spans and logs of the official SDK, 512 a request with 13 attributes; JSON logs of about 140 bytes and of about 512; samples of
Prometheus remote write. Bodies are made before anything is measured. A few different ones are repeated with times that move
on, and with other ids: records of one moment in every request would be merged one by one, and compress to nothing. Of the JSON
logs no two are the same.
"""

from __future__ import annotations

import itertools
import random
import struct
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

import numpy as np
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

RECORDS = 512
"""Spans and log records of a request of OTLP: what the SDK sends at most."""
LINES = 2000
"""JSON logs of a request."""
SERIES = 2000
"""Samples of a request of remote write: what Prometheus sends at most."""
DISTINCT = 16
"""Different requests of spans and log records; they are repeated."""
RESOURCE = Resource.create({"service.name": "gateway", "service.version": "1.2", "host.name": "h1"})
LEVELS = ["info"] * 8 + ["warn", "error"]
SERVICES = ["checkout", "cart", "search", "billing", "users", "model"]


def attributes(number: int) -> dict[str, Any]:
    """13 attributes as an instrumented service sends them."""
    return {
        "http.request.method": "GET",
        "http.route": f"/item/{number % 7}",
        "http.response.status_code": 200 + number % 3,
        "url.path": f"/item/{number}",
        "server.address": "gateway.internal",
        "server.port": 8000,
        "client.address": f"10.0.0.{number % 256}",
        "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64)",
        "ml.model": "churn",
        "ml.score": random.random(),
        "cache.hit": number % 2 == 0,
        "tenant": f"t{number % 20}",
        "request.size": number,
    }


def span_requests(count: int) -> list[bytes]:
    """Requests of spans, encoded by the SDK."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("benchmark", "1.0")
    began_ns = time.time_ns()
    for number in range(RECORDS * DISTINCT):
        with tracer.start_as_current_span(f"GET /item/{number % 7}", attributes=attributes(number)):
            pass
    spans = exporter.get_finished_spans()
    bodies = [encode_spans(spans[k : k + RECORDS]).SerializeToString() for k in range(0, len(spans), RECORDS)]
    return moving_on(bodies, count, began_ns, time.time_ns(), _ids)


def _ids(body: bytes) -> list[int]:
    """Where the ids of traces and spans stand in a request of spans."""
    places, at = [], 0
    for resource in ExportTraceServiceRequest.FromString(body).resource_spans:
        for scope in resource.scope_spans:
            for span in scope.spans:
                at = body.index(span.trace_id, at)
                places += range(at, at + 16)
                at = body.index(span.span_id, at + 16)
                places += range(at, at + 8)
    return places


def log_requests(count: int) -> list[bytes]:
    """Requests of log records, encoded by the SDK."""
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger("benchmark")
    began_ns = time.time_ns()
    for number in range(RECORDS * DISTINCT):
        logger.emit(
            LogRecord(
                timestamp=time.time_ns(),
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                body=f"served /item/{number} for tenant t{number % 20} in {number % 90} ms",
                attributes=attributes(number),
            )
        )
    records = exporter.get_finished_logs()
    bodies = [encode_logs(records[k : k + RECORDS]).SerializeToString() for k in range(0, len(records), RECORDS)]
    return moving_on(bodies, count, began_ns, time.time_ns(), lambda body: [])


def moving_on(
    bodies: list[bytes], count: int, first_ns: int, last_ns: int, ids: Callable[[bytes], list[int]]
) -> list[bytes]:
    """So many requests: the bodies in turn, with all moments between the first and the last one moved behind those before, and
    other bytes for ids from the second turn on."""
    rng = np.random.default_rng(1)
    changes = []
    for body in bodies:
        content = np.frombuffer(body, np.uint8)
        words = np.ascontiguousarray(np.lib.stride_tricks.sliding_window_view(content, 8)).view("<u8")[:, 0]
        at = np.flatnonzero((words >= first_ns) & (words <= last_ns))
        changes.append((content, at[:, None] + np.arange(8), words[at], np.array(ids(body), np.int64)))
    requests = []
    for number in range(count):
        turn, which = divmod(number, len(bodies))
        content, places, moments, id_places = changes[which]
        moved = content.copy()
        moved[places] = (moments + np.uint64(turn * (last_ns - first_ns))).astype("<u8")[:, None].view(np.uint8)
        if turn:
            moved[id_places] = rng.integers(0, 256, len(id_places), np.uint8)
        requests.append(moved.tobytes())
    return requests


Draw = Callable[[np.random.Generator], Iterable[Any]]
"""Draws a field's values for the logs of a request."""


def _of(*choices: str) -> Draw:
    return lambda chance: chance.choice(np.array(choices), LINES).tolist()


def _number(low: int, high: int) -> Draw:
    return lambda chance: chance.integers(low, high + 1, LINES).tolist()


def _id(size_bytes: int) -> Draw:
    def draw(chance: np.random.Generator) -> Iterable[str]:
        digits = chance.bytes(LINES * size_bytes).hex()
        return (digits[at : at + 2 * size_bytes] for at in range(0, len(digits), 2 * size_bytes))

    return draw


NARROW: dict[str, tuple[str, Draw]] = {
    "level": ('"%s"', _of(*LEVELS)),
    "service": ('"%s"', _of(*SERVICES)),
    "status": ("%s", _of(*["200"] * 9, "404", "500")),
    "duration_ms": ("%d", _number(1, 900)),
    "msg": ('"served item %d out of the cache"', _number(1, 5000)),
}
"""Fields of events of about 140 bytes, with the moment before them: how a value is written, and the values of a request."""
WIDE: dict[str, tuple[str, Draw]] = NARROW | {
    "method": ('"%s"', _of("GET", "POST")),
    "uri": ('"/api/v1/item/%d"', _number(1, 2000)),
    "user": ('"u%d"', _number(1, 10_000)),
    "session": ('"%s"', _id(8)),
    "region": ('"%s"', _of("eu-west", "us-east", "ap-south")),
    "node": ('"web-%d"', _number(1, 20)),
    "bytes": ("%d", _number(100, 90_000)),
    "cache": ("%s", _of("true", "false")),
    "version": ('"%s"', _of("1.24.3")),
    "trace_id": ('"%s"', _id(16)),
    "span_id": ('"%s"', _id(8)),
    "tenant": ('"t%d"', _number(1, 30)),
    "user_agent": ('"%s"', _of("Mozilla/5.0 (X11; Linux x86_64)")),
    "score": ("%.4f", lambda chance: chance.random(LINES).tolist()),
}
"""Fields of events of about 512 bytes: 20, some of them unique."""


def hec_requests(fields: dict[str, tuple[str, Draw]], count: int) -> Iterator[bytes]:
    """Batches of the HTTP Event Collector."""
    return _log_requests(fields, count, '{"time":%.3f,"host":"web-1","source":"app","event":', "}\n", moments=2)


def line_requests(fields: dict[str, tuple[str, Draw]], count: int) -> Iterator[bytes]:
    """JSON lines."""
    return _log_requests(fields, count, "", "\n", moments=1)


def _log_requests(fields: dict[str, tuple[str, Draw]], count: int, before: str, after: str, moments: int) -> Iterator[bytes]:
    """So many requests of logs a millisecond apart, the same ones whatever stands around them."""
    members = ",".join(f'"{name}":{form}' for name, (form, _) in fields.items())
    form = (f'{before}{{"ts":%.3f,{members}}}{after}') * LINES
    now = time.time()
    for number in range(count):
        chance = np.random.default_rng(number)
        began = now + number * LINES / 1000
        at = [began + n / 1000 for n in range(LINES)]
        columns = [at] * moments + [draw(chance) for _, draw in fields.values()]
        yield (form % tuple(itertools.chain.from_iterable(zip(*columns, strict=True)))).encode()


def write_requests(count: int) -> list[bytes]:
    """Requests of Prometheus remote write 1.0: a sample of each of many series with six labels, 15 s after the one before."""
    now_ms = int(time.time() * 1000)
    series = [
        labels(
            {
                "__name__": f"http_requests_{number % 20}_total",
                "instance": f"10.0.{number % 10}.1:9100",
                "job": "node",
                "method": "GET",
                "route": f"/item/{number // 200}",
                "status": "200",
                "zone": "eu-1",
            }
        )
        for number in range(SERIES)
    ]
    return [
        write_request((packed, number + turn, now_ms + turn * 15_000) for number, packed in enumerate(series))
        for turn in range(count)
    ]


def labels(named: dict[str, str]) -> bytes:
    """The labels of a series."""
    return b"".join(_field(1, _field(1, name.encode()) + _field(2, named[name].encode())) for name in sorted(named))


def write_request(samples: Iterable[tuple[bytes, float, int]]) -> bytes:
    """A request of remote write 1.0, compressed: labels, value and milliseconds of each sample."""
    import pyarrow as pa

    series = [
        _field(1, packed + _field(2, b"\x09" + struct.pack("<d", value) + b"\x10" + _varint(time_ms)))
        for packed, value, time_ms in samples
    ]
    return pa.Codec("snappy").compress(b"".join(series), asbytes=True)


def _field(number: int, content: bytes) -> bytes:
    return bytes([number << 3 | 2]) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    out.append(value)
    return bytes(out)
