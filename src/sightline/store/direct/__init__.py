"""The usual segments straight into columns: the same rows that the statements of `store/decode` give, at a tenth of the cost.

Hides: the compiled functions and their tables. Enters: a journal segment and the promoted fields. Leaves: the columns and the
SELECT of an INSERT with an Arrow table to read, or None where anything about a segment is unusual: then the statements load it.

A segment is taken apart in windows of some thousand records, so that memory depends on the window and on what is stored.
"""

from __future__ import annotations

import functools
import tempfile
from collections.abc import Callable, Iterator, Sequence
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
from sightline.segments import Frame, check_frames, encode_frame
from sightline.store import compiled
from sightline.store.compiled import envelopes, json_text, requests
from sightline.store.direct.hec import hec_rows
from sightline.store.direct.otlp import Scrubbed, log_rows, point_rows, span_rows
from sightline.store.direct.remote_write import sample_rows
from sightline.store.direct.segment import TABLE_NAME, Given, Rows, Unusual
from sightline.store.promotion import PromotedField

__all__ = ["TABLE_NAME", "DirectDecoder", "Rows", "compile_everything", "use_everything"]


class DirectDecoder:
    """Takes segments of the kinds in `compiled.KINDS` apart. Threads may share it."""

    def __init__(self, ingest: IngestSettings, query: Callable[..., pa.Table]) -> None:
        self._ingest = ingest
        scrubbed = Scrubbed(query) if ingest.scrub_statements else None
        self._decoders: dict[str, Callable[[Given], Rows]] = {
            "traces": functools.partial(span_rows, scrubbed=scrubbed),
            "logs": functools.partial(log_rows, scrubbed=scrubbed),
            "metrics": point_rows,
            "hecevent": hec_rows,
            "prometheus": functools.partial(sample_rows, is_second=False),
            "prometheus2": functools.partial(sample_rows, is_second=True),
        }

    def rows(self, kind: str, path: Path, frames: Sequence[Frame], promoted: Sequence[PromotedField]) -> Rows | None:
        """The rows of a segment that has no rules; None where the statements have to load it."""
        if not frames:
            return None
        try:
            return self._decoders[kind](Given(path, frames, promoted, self._ingest))
        except Unusual:
            return None
        except (IndexError, pa.ArrowInvalid):
            # A check of the compiled code, or bytes that are no text.
            return None


def compile_everything() -> None:
    """Compile what is not compiled yet, for this process and for those that have no compiler, and say so in the cache."""
    use_everything()
    machinecode.write(requests.check, requests.SIGNATURE)
    machinecode.write(envelopes.batch, envelopes.SIGNATURE)
    compiled.mark_complete()


def use_everything() -> None:
    """Use every compiled function once, on requests that have one of everything: from here on they are loaded. Takes two seconds
    of a processor where they were compiled before."""
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
