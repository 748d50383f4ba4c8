"""The requests that the way in is measured with: the same records for everyone, in the protocol that each speaks.

Spans and logs of the official SDK, 512 a request with 13 attributes; JSON logs of about 140 bytes and of about 512; samples of
Prometheus remote write. Bodies are made before anything is measured. A few different ones are repeated with times that move
on, and with other ids: records of one moment in every request would be merged one by one, and compress to nothing.
"""

from __future__ import annotations

import json
import random
import struct
import time
from collections.abc import Callable, Iterable
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
"""Different requests of a kind; they are repeated."""
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


def narrow_logs(seed: int) -> list[dict[str, Any]]:
    """Events of about 140 bytes as JSON."""
    chance = random.Random(seed)
    now = time.time()
    return [
        {
            "ts": round(now + n / 1000, 3),
            "level": chance.choice(LEVELS),
            "service": chance.choice(SERVICES),
            "status": chance.choice([200] * 9 + [404, 500]),
            "duration_ms": chance.randint(1, 900),
            "msg": f"served item {chance.randint(1, 5000)} out of the cache",
        }
        for n in range(LINES)
    ]


def wide_logs(seed: int) -> list[dict[str, Any]]:
    """Events of about 512 bytes as JSON, 20 fields, some of them unique."""
    chance = random.Random(seed)
    return [
        {
            **log,
            "method": chance.choice(["GET", "POST"]),
            "uri": f"/api/v1/item/{chance.randint(1, 2000)}",
            "user": f"u{chance.randint(1, 10_000)}",
            "session": f"{chance.getrandbits(64):016x}",
            "region": chance.choice(["eu-west", "us-east", "ap-south"]),
            "node": f"web-{chance.randint(1, 20)}",
            "bytes": chance.randint(100, 90_000),
            "cache": chance.random() < 0.5,
            "version": "1.24.3",
            "trace_id": f"{chance.getrandbits(128):032x}",
            "span_id": f"{chance.getrandbits(64):016x}",
            "tenant": f"t{chance.randint(1, 30)}",
            "user_agent": "Mozilla/5.0 (X11; Linux x86_64)",
            "score": round(chance.random(), 4),
        }
        for log in narrow_logs(seed)
    ]


_MOMENT = "@moment@"


def hec_requests(logs: list[list[dict[str, Any]]], count: int) -> list[bytes]:
    """Batches of the HTTP Event Collector."""
    return _with_moments(
        [
            b"\n".join(
                json.dumps(
                    {"time": _MOMENT, "host": "web-1", "source": "app", "event": {**log, "ts": _MOMENT}},
                    separators=(",", ":"),
                ).encode()
                for log in each
            )
            for each in logs
        ],
        count,
        times=2,
    )


def line_requests(logs: list[list[dict[str, Any]]], count: int) -> list[bytes]:
    """JSON lines."""
    return _with_moments(
        [
            b"".join(json.dumps({**log, "ts": _MOMENT}, separators=(",", ":")).encode() + b"\n" for log in each)
            for each in logs
        ],
        count,
        times=1,
    )


def _with_moments(templates: list[bytes], count: int, times: int) -> list[bytes]:
    """So many requests of logs a millisecond apart; a log names its moment `times` times."""
    now = time.time()
    forms = [template.replace(b"%", b"%%").replace(f'"{_MOMENT}"'.encode(), b"%.3f") for template in templates]
    requests = []
    for number in range(count):
        moments = (now + (number * LINES + n) / 1000 for n in range(LINES) for _ in range(times))
        requests.append(forms[number % len(forms)] % tuple(moments))
    return requests


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
