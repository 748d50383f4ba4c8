"""Compiling every function of `store/compiled`: each is used once, on requests that have one of everything."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData
from opentelemetry.proto.metrics.v1.metrics_pb2 import Metric, MetricsData, NumberDataPoint
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from sightline import machinecode
from sightline.config import IngestSettings
from sightline.segments import check_frames, encode_frame
from sightline.store import compiled
from sightline.store.compiled import envelopes, json_text, requests
from sightline.store.direct import TABLE_NAME, DirectDecoder


def compile_everything() -> None:
    """Compile what is not compiled yet, and say so in the folder. For a process that compiles."""
    decoder = DirectDecoder(IngestSettings(), _unscrubbed)
    with tempfile.TemporaryDirectory() as folder:
        for kind, body, records in _samples():
            path = Path(folder) / kind
            path.write_bytes(encode_frame(body, records=records) + body)
            if decoder.rows(kind, path, check_frames(path)[0], ()) is None:
                raise RuntimeError(f"the compiled functions do not take the sample of {kind}")
    # No sample has a promoted column, which a text with escapes could go to.
    nothing = np.zeros((json_text.CELL_LINES, 0), np.int64)
    window = np.zeros((0, 0), np.int64)
    json_text.unescape(
        np.frombuffer(b'""', np.uint8), nothing, 0, 0, np.empty(0, np.uint8), window, window.astype(np.int32), 0
    )
    # What receives requests calls these two.
    for name, function, arguments in (
        ("check", requests.check, requests.ARGUMENTS),
        ("batch", envelopes.batch, envelopes.ARGUMENTS),
    ):
        if machinecode.load(name) is None:
            machinecode.write(name, function, arguments)
    compiled.mark_complete()


def _unscrubbed(_sql: str, tables: dict[str, pa.Table]) -> pa.Table:
    return tables[TABLE_NAME].rename_columns(["text_", "statement_", "summary_", "system_name", "system"])


def _samples() -> Iterator[tuple[str, bytes, int]]:
    attributes = [
        KeyValue(key="number", value=AnyValue(double_value=0.5)),
        KeyValue(key="db.statement", value=AnyValue(string_value="SELECT 1")),
    ]
    resource = Resource(attributes=attributes)
    span = Span(
        trace_id=b"1" * 16, attributes=attributes, events=[{"name": "e", "attributes": attributes}], links=[{"span_id": b"1" * 8}]
    )  # fmt: skip
    yield (
        "traces",
        TracesData(resource_spans=[{"resource": resource, "scope_spans": [{"spans": [span]}]}]).SerializeToString(),
        1,
    )
    log = LogRecord(body=AnyValue(string_value="a=1"), attributes=attributes)
    yield (
        "logs",
        LogsData(resource_logs=[{"resource": resource, "scope_logs": [{"log_records": [log]}]}]).SerializeToString(),
        1,
    )
    point = NumberDataPoint(as_int=1, attributes=attributes[1:])
    metric = Metric(name="m", gauge={"data_points": [point]})
    yield "metrics", MetricsData(resource_metrics=[{"scope_metrics": [{"metrics": [metric]}]}]).SerializeToString(), 1
    # A batch of one event with an escape: `events`, `hosts`, `sources` and `sourcetypes` of hec.proto.
    yield "hecevent", b'\x0a\x06"a\\nb"' + b"".join(bytes([number << 3 | 2, 1]) + b"h" for number in (4, 5, 6)), 1
    # A series with a sample, and with symbols.
    yield "prometheus", b"\x0a\x12\x0a\x05\x0a\x01a\x12\x00\x12\x09\x09" + bytes(8), 1
    yield "prometheus2", b"\x22\x00\x2a\x0f\x0a\x02\x00\x00\x12\x09\x09" + bytes(8), 1
