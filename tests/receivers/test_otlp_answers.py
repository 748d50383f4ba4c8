"""What OTLP answers: success, partial success with what was refused, refusal, come later, too large; over every transport."""

import asyncio
import base64
import gzip
import json
import subprocess
import tracemalloc
import zlib

import grpc
import httpx
import numpy as np
import pytest
from backports import zstd
from google.protobuf import json_format
from google.rpc.error_details_pb2 import RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import (
    ExportMetricsServiceRequest,
    ExportMetricsServiceResponse,
)
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest, ExportTraceServiceResponse

from sightline.config import IngestSettings
from sightline.journal import JournalFull
from sightline.receivers.bodies import BodyMalformed, BodyTooLarge, inflate
from sightline.receivers.otlp_repeats import Repeats
from sightline.receivers.otlp_requests import check_protobuf

from .conftest import Front, Grant

PROTOBUF, JSON = "application/x-protobuf", "application/json"
NOW = 1_763_900_000_000_000_000
SERVICES = {
    "traces": "opentelemetry.proto.collector.trace.v1.TraceService",
    "logs": "opentelemetry.proto.collector.logs.v1.LogsService",
    "metrics": "opentelemetry.proto.collector.metrics.v1.MetricsService",
}
RESPONSES = {
    "traces": ExportTraceServiceResponse,
    "logs": ExportLogsServiceResponse,
    "metrics": ExportMetricsServiceResponse,
}


def spans(*spans: dict, **attributes: str) -> dict:
    resource = {"attributes": [{"key": k.replace("_", "."), "value": {"stringValue": v}} for k, v in attributes.items()]}
    return {"resource": resource, "scopeSpans": [{"spans": list(spans)}]}


def span(number: int, **fields) -> dict:
    ids = {"traceId": f"{number:032x}", "spanId": f"{number:016x}"}
    return {**ids, "name": f"span {number}", "startTimeUnixNano": str(NOW), "endTimeUnixNano": str(NOW + 5), **fields}


def send(front, transport: str, signal: str, body: dict, headers=None):
    """The response as a message, whatever it came over."""
    request = {"traces": ExportTraceServiceRequest, "logs": ExportLogsServiceRequest, "metrics": ExportMetricsServiceRequest}
    text = json.dumps(body)
    if transport == "json":
        reply = httpx.post(
            f"{front.otlp}/v1/{signal}", content=text, headers={"Content-Type": JSON, **(headers or {})}, timeout=30
        )
        assert (reply.status_code, reply.headers["content-type"]) == (200, JSON), reply.text
        return json_format.ParseDict(reply.json(), RESPONSES[signal]())
    encoded = as_protobuf(request[signal], body)
    if transport == "protobuf":
        reply = httpx.post(
            f"{front.otlp}/v1/{signal}", content=encoded, headers={"Content-Type": PROTOBUF, **(headers or {})}, timeout=30
        )
        assert (reply.status_code, reply.headers["content-type"]) == (200, PROTOBUF), reply.content
        return RESPONSES[signal].FromString(reply.content)
    with grpc.insecure_channel(front.grpc) as channel:
        export = channel.unary_unary(f"/{SERVICES[signal]}/Export")
        metadata = [(name.lower(), value) for name, value in (headers or {}).items()]
        return RESPONSES[signal].FromString(export(encoded, metadata=metadata))


def as_protobuf(request, body: dict) -> bytes:
    """The body as protobuf, with ids in hexadecimal as OTLP's JSON has them."""

    def convert(item):
        if isinstance(item, dict):
            ids = {"traceId", "spanId", "parentSpanId"}
            return {k: base64.b64encode(bytes.fromhex(v)).decode() if k in ids else convert(v) for k, v in item.items()}
        return [convert(each) for each in item] if isinstance(item, list) else item

    return json_format.ParseDict(convert(body), request()).SerializeToString()


def ledger(front, load, source: str) -> dict[str, int]:
    front.close()
    front.close = lambda: None
    rows = [row for row in load().ledger.totals() if row.source == source]
    return {name: sum(getattr(row, name) for row in rows) for name in ("received", "stored", "refused", "waiting")}


@pytest.mark.parametrize("transport", ["protobuf", "json", "grpc"])
def test_bad_spans_are_cut_out_and_told(front, load, store, transport):
    body = {
        "resourceSpans": [
            spans(span(1), span(2, traceId=""), span(3, spanId="0" * 16), span(4, traceId="ab"), service_name="shop"),
            spans(span(5, startTimeUnixNano=str(2**63)), span(6, startTimeUnixNano=str(2**63 - 1), endTimeUnixNano=str(2**63 - 1))),
            spans(span(7, endTimeUnixNano=str(NOW - 1), attributes=[{"key": "kept", "value": {"intValue": "0"}}])),
        ]
    }  # fmt: skip
    answer = send(front, transport, "traces", body).partial_success
    assert answer.rejected_spans == 4
    assert "spans without a trace id of 16 bytes that are not all zero: 2" in answer.error_message
    assert "spans without a span id of 8 bytes that are not all zero: 1" in answer.error_message
    assert "spans with a time after the year 2262: 1" in answer.error_message
    assert "end before they start, stored with a duration of 0: 1" in answer.error_message
    assert ledger(front, load, "otlp:traces") == {"received": 7, "stored": 3, "refused": 4, "waiting": 0}
    rows = store.query(
        "SELECT name, service, duration_ns, fields.kept.:Int64 AS kept FROM sightline.spans ORDER BY name"
    ).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("span 1", "shop", 5, None),
        ("span 6", "", 0, None),
        ("span 7", "", 0, 0),
    ]


@pytest.mark.parametrize("transport", ["protobuf", "json", "grpc"])
def test_a_warning_refuses_nothing(front, load, store, transport):
    backwards = span(1, endTimeUnixNano="5")
    answer = send(front, transport, "traces", {"resourceSpans": [spans(backwards)]}).partial_success
    assert (answer.rejected_spans, "before they start" in answer.error_message) == (0, True)
    unknown = {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "of tomorrow"}]}]}]}
    answer = send(front, transport, "metrics", unknown).partial_success
    assert answer.rejected_data_points == 0
    assert 'the first is "of tomorrow"' in answer.error_message
    assert not send(front, transport, "traces", {"resourceSpans": [spans(span(2))]}).HasField("partial_success")
    assert ledger(front, load, "otlp:traces") == {"received": 2, "stored": 2, "refused": 0, "waiting": 0}


def test_bad_points_are_cut_out_and_their_neighbours_stay(front, load, store):
    def point(**fields):
        return {"timeUnixNano": str(NOW), "startTimeUnixNano": str(NOW - 5), **fields}

    metrics = [
        {"name": "good", "gauge": {"dataPoints": [point(asInt="1"), point(asDouble=0.0)]}},
        {"name": "late", "sum": {"dataPoints": [point(asInt="2"), point(asInt="3", timeUnixNano=str(2**63))]}},
        {"name": "", "gauge": {"dataPoints": [point(asInt="4"), point(asInt="5")]}},
        {
            "name": "odd",
            "histogram": {
                "dataPoints": [
                    point(count="3", bucketCounts=["1", "2"], explicitBounds=[1.0]),
                    point(count="3", bucketCounts=["1", "2"], explicitBounds=[1.0, 2.0]),
                    point(count="3"),
                ]
            },
        },
    ]
    answer = send(
        front, "protobuf", "metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": metrics}]}]}
    ).partial_success
    assert answer.rejected_data_points == 4
    assert "data points of a metric without a name: 2" in answer.error_message
    assert (
        "data points with 2 bucket counts for 2 bounds, wanted one more than bounds, or none of both: 1"
        in answer.error_message
    )
    assert ledger(front, load, "otlp:metrics") == {"received": 9, "stored": 5, "refused": 4, "waiting": 0}
    rows = store.query(
        "SELECT metric_name AS name, value, count FROM sightline.metrics ORDER BY name, value, count"
    ).to_pylist()
    assert [tuple(row.values()) for row in rows] == [
        ("good", 0.0, None), ("good", 1.0, None), ("late", 2.0, None), ("odd", None, 3), ("odd", None, 3),
    ]  # fmt: skip


def test_a_request_of_bad_records_only_is_a_partial_success(front, load):
    records = [{"timeUnixNano": str(2**64 - 1), "body": {"stringValue": "x"}}, {"observedTimeUnixNano": str(2**63)}]
    answer = send(front, "json", "logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]}).partial_success
    assert answer.rejected_log_records == 2
    assert ledger(front, load, "otlp:logs") == {"received": 2, "stored": 0, "refused": 2, "waiting": 0}


def test_a_resource_names_its_index_and_is_refused_alone(front, load, store, tokens):
    tokens.grants["two"] = Grant("two", "otlp", ("main", "app"), "main")

    def logs(index: str, *texts: str) -> dict:
        attributes = [{"key": "com.splunk.index", "value": {"stringValue": index}}] if index else []
        records = [{"timeUnixNano": str(NOW), "body": {"stringValue": text}} for text in texts]
        return {"resource": {"attributes": attributes}, "scopeLogs": [{"logRecords": records}]}

    body = {
        "resourceLogs": [logs("app", "a"), logs("", "b"), logs("secret", "c", "d"), logs("metrics", "e"), logs("app", "f")]
    }
    answer = send(front, "protobuf", "logs", body, {"Authorization": "Bearer two"}).partial_success
    assert answer.rejected_log_records == 3
    assert 'log records: the token "two" may not write to index "secret": 2' in answer.error_message
    assert 'log records: the token "two" may not write to index "metrics": 1' in answer.error_message
    assert ledger(front, load, "otlp:logs") == {"received": 6, "stored": 3, "refused": 3, "waiting": 0}
    rows = store.query("SELECT index, _raw FROM sightline.events WHERE index != '_internal' ORDER BY _raw").to_pylist()
    assert [tuple(row.values()) for row in rows] == [("app", "a"), ("main", "b"), ("app", "f")]


@pytest.mark.parametrize("transport", ["protobuf", "json", "grpc"])
def test_a_header_names_the_index(front, load, store, transport):
    body = {"resourceLogs": [{"scopeLogs": [{"logRecords": [{"body": {"stringValue": "x"}}]}]}]}
    send(front, transport, "logs", body, {"X-Sightline-Index": "app"})
    load()
    assert store.query("SELECT index FROM sightline.events WHERE _raw = 'x'")["index"].to_pylist() == ["app"]
    if transport != "grpc":
        reply = httpx.post(f"{front.otlp}/v1/logs?index=metrics", content=b"{}", headers={"Content-Type": JSON}, timeout=30)
        assert (reply.status_code, "holds metric data" in reply.json()["message"]) == (400, True)


def _spans_of(checked) -> list[bytes]:
    found = []
    for group in checked.groups.values():
        for piece in group.pieces:
            request = ExportTraceServiceRequest.FromString(piece.body)
            inside = [s for r in request.resource_spans for each in r.scope_spans for s in each.spans]
            assert len(inside) == piece.records
            found += [each.SerializeToString() for each in inside]
    return found


def test_the_look_at_all_records_agrees_with_the_look_at_each(monkeypatch):
    """The table of an outline must never call a request right that a record by record look would cut."""
    from sightline.receivers import otlp_requests

    ids = st.sampled_from([b"", b"\1" * 16, bytes(16), b"\2" * 8, bytes(8), b"\3" * 20])
    times = st.sampled_from([0, 1, NOW, NOW + 1, 2**63 - 1, 2**63, 2**64 - 1])
    one = st.tuples(ids, ids, times, times)
    good = st.just((b"\1" * 16, b"\2" * 8, NOW, NOW + 1))

    @settings(deadline=None, suppress_health_check=[HealthCheck.too_slow], max_examples=60)
    @given(st.lists(st.lists(good | one, max_size=5), max_size=4))
    def agree(scopes):
        request = ExportTraceServiceRequest()
        for records in scopes:
            into = request.resource_spans.add().scope_spans.add().spans
            for trace_id, span_id, start, end in records:
                into.add(
                    trace_id=trace_id, span_id=span_id, start_time_unix_nano=start, end_time_unix_nano=end, name="x" * 200
                )
        checked = check_protobuf(ExportTraceServiceRequest, request.SerializeToString(), IngestSettings())
        every = [record for records in scopes for record in records]
        bad = sum(len(t) != 16 or not any(t) or len(s) != 8 or not any(s) or max(a, b) >= 2**63 for t, s, a, b in every)
        assert checked.refused.total() == bad
        kept = sum(group.records for group in checked.groups.values())
        assert kept == len(every) - bad
        if not bad and kept:
            assert [piece.body for piece in checked.groups[""].pieces] == [request.SerializeToString()]
        # In pieces it is the same request.
        with monkeypatch.context() as patch:
            patch.setattr(otlp_requests, "PIECE_BYTES", 600)
            cut = check_protobuf(ExportTraceServiceRequest, request.SerializeToString(), IngestSettings())
        assert (cut.refused, cut.warned) == (checked.refused, checked.warned)
        assert _spans_of(cut) == _spans_of(checked)
        assert all(len(piece.body) < 900 for group in cut.groups.values() for piece in group.pieces)

    agree()


def test_an_ordinary_request_is_not_read_record_by_record(monkeypatch):
    from sightline.receivers import otlp_requests

    request = json_format.ParseDict(
        {"resourceSpans": [spans(*(span(n, traceId="", spanId="") for n in range(1, 500)))]}, ExportTraceServiceRequest()
    )
    for number, each in enumerate(request.resource_spans[0].scope_spans[0].spans, 1):
        each.trace_id, each.span_id = number.to_bytes(16, "big"), number.to_bytes(8, "big")

    def never(*_):
        raise AssertionError("read record by record")

    shape = otlp_requests._SHAPES[ExportTraceServiceRequest]
    monkeypatch.setitem(
        otlp_requests._SHAPES, ExportTraceServiceRequest, otlp_requests.Shape(shape.resources, shape.look, never)
    )
    assert check_protobuf(ExportTraceServiceRequest, request.SerializeToString(), IngestSettings()).groups[""].records == 499


# Compression


def test_zstd_is_a_content_encoding_of_every_receiver(front, load, store):
    body = zstd.compress(json.dumps({"resourceSpans": [spans(span(1))]}).encode())
    reply = httpx.post(
        f"{front.otlp}/v1/traces", content=body, headers={"Content-Type": JSON, "Content-Encoding": "zstd"}, timeout=30
    )
    assert (reply.status_code, reply.content) == (200, b"{}")
    push = {"streams": [{"stream": {"job": "shop"}, "values": [[str(NOW), "by loki"]]}]}
    reply = httpx.post(
        f"{front.main}/loki/api/v1/push",
        content=zstd.compress(json.dumps(push).encode()),
        headers={"Content-Type": JSON, "Content-Encoding": "zstd"},
        timeout=30,
    )
    assert reply.status_code == 204
    load()
    assert store.query("SELECT count() AS n FROM sightline.spans")["n"].to_pylist() == [1]
    assert store.query("SELECT _raw FROM sightline.events WHERE source = 'loki' OR sourcetype LIKE 'loki%'").num_rows == 1


def _bomb(encoding: str, window_log: int = 0) -> bytes:
    """300 MB of zeros in about 10 KB."""
    if encoding == "gzip":
        packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    else:
        packer = zstd.ZstdCompressor(options={zstd.CompressionParameter.window_log: window_log} if window_log else None)
    return b"".join(packer.compress(bytes(1 << 20)) for _ in range(300)) + packer.flush()


@pytest.mark.parametrize(("encoding", "window_log"), [("gzip", 0), ("zstd", 0), ("zstd", 27)])
def test_what_inflates_without_end_is_413_and_costs_no_memory(tmp_path, tokens, encoding, window_log):
    front = Front(tmp_path, tokens, max_body_bytes=1 << 20)
    bomb = _bomb(encoding, window_log)
    try:
        reply = httpx.post(
            f"{front.otlp}/v1/traces",
            content=bomb,
            headers={"Content-Type": PROTOBUF, "Content-Encoding": encoding},
            timeout=30,
        )
    finally:
        front.close()
    assert reply.status_code == 413
    status = Status.FromString(reply.content)
    assert (status.code, "larger than 1048576 bytes" in status.message) == (8, True)
    tracemalloc.start()
    try:
        with pytest.raises(BodyTooLarge):
            inflate(bomb, encoding, 1 << 20)
        assert tracemalloc.get_traced_memory()[1] < 4 << 20
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize(
    ("body", "told"),
    [
        (b"not zstd", "Unknown frame descriptor"),
        (zstd.compress(b"x" * 1000)[:-3], "ends too early"),
        (zstd.compress(b"x") + b"rest", "Unknown frame descriptor"),
    ],
)
def test_bad_zstd_says_so(body, told):
    with pytest.raises(BodyMalformed, match=told):
        inflate(body, "zstd", 1 << 20)


def test_zstd_of_several_frames_is_one_body():
    assert inflate(zstd.compress(b"one ") + zstd.compress(b"two") + zstd.compress(b""), "zstd", 100) == b"one two"
    noise = np.random.default_rng(7).bytes(5 << 20)
    assert inflate(zstd.compress(noise), "zstd", 5 << 20) == noise


def test_grpc_takes_gzip_and_refuses_zstd_without_harm_to_others(front, load, store):
    """gRPC's core knows gzip and deflate alone; it ends a call in another compression by itself, before any code of ours."""
    body = ExportTraceServiceRequest()
    body.resource_spans.add().scope_spans.add().spans.add(
        trace_id=b"\1" * 16, span_id=b"\2" * 8, start_time_unix_nano=NOW, end_time_unix_nano=NOW
    )
    encoded = zstd.compress(body.SerializeToString())
    command = ["curl", "--silent", "--verbose", "--max-time", "20", "--http2-prior-knowledge", "--data-binary", "@-"]
    headers = {"content-type": "application/grpc", "te": "trailers", "grpc-encoding": "zstd"}
    command += [part for name, value in headers.items() for part in ("--header", f"{name}: {value}")]
    asked = subprocess.run(
        [*command, f"http://{front.grpc}/{SERVICES['traces']}/Export"],
        input=b"\1" + len(encoded).to_bytes(4, "big") + encoded,
        capture_output=True,
        timeout=30,
        check=False,
    )
    told = asked.stderr.decode()
    assert "< grpc-status: 13" in told
    assert "grpc-encoding" in told.split("< grpc-message:")[1]
    with grpc.insecure_channel(front.grpc, compression=grpc.Compression.Gzip) as channel:
        assert channel.unary_unary(f"/{SERVICES['traces']}/Export")(body.SerializeToString()) == b""
    load()
    assert store.query("SELECT count() AS n FROM sightline.spans")["n"].to_pylist() == [1]


# Too large, and later


@pytest.mark.parametrize("compression", [grpc.Compression.NoCompression, grpc.Compression.Gzip])
def test_a_grpc_request_over_the_limit_is_exhausted_for_good(tmp_path, tokens, compression):
    front = Front(tmp_path, tokens, max_body_bytes=1 << 20)
    try:
        with grpc.insecure_channel(front.grpc, compression=compression) as channel:
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary(f"/{SERVICES['logs']}/Export")(bytes(2 << 20), timeout=20)
    finally:
        front.close()
    assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
    # With RetryInfo a client would send it again, and again.
    assert "grpc-status-details-bin" not in dict(caught.value.trailing_metadata() or ())


def test_come_later_says_when_in_every_protocols_words(front, monkeypatch):
    from sightline.journal import JournalWriter

    async def full(*_, **__):
        raise JournalFull("the journal holds too much", 7)

    monkeypatch.setattr(JournalWriter, "append_pieces", full)
    body = json_format.ParseDict({"resourceLogs": [{"scopeLogs": [{"logRecords": [{}]}]}]}, ExportLogsServiceRequest())
    for content_type, content in ((PROTOBUF, body.SerializeToString()), (JSON, json_format.MessageToJson(body).encode())):
        reply = httpx.post(
            f"{front.otlp}/v1/logs",
            content=gzip.compress(content),
            headers={"Content-Type": content_type, "Content-Encoding": "gzip"},
            timeout=30,
        )
        assert (reply.status_code, reply.headers["retry-after"]) == (503, "7")
        assert reply.headers["content-type"] == content_type
        status = Status.FromString(reply.content) if content_type == PROTOBUF else json_format.Parse(reply.content, Status())
        _says_seven_seconds(status)
    with grpc.insecure_channel(front.grpc) as channel:
        with pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary(f"/{SERVICES['logs']}/Export")(body.SerializeToString())
    assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    _says_seven_seconds(Status.FromString(dict(caught.value.trailing_metadata())["grpc-status-details-bin"]))


def _says_seven_seconds(status: Status) -> None:
    assert (status.code, status.message) == (14, "the journal holds too much")
    retry = RetryInfo()
    assert status.details[0].Unpack(retry)
    assert retry.retry_delay.seconds == 7


# Sent again


def repeated(store, table: str) -> int:
    return store.query(f"SELECT count() AS n FROM sightline.{table} WHERE index != '_internal'")["n"].to_pylist()[0]


@pytest.mark.parametrize("transport", ["protobuf", "json", "grpc"])
def test_what_is_sent_again_after_a_lost_answer_is_stored_once(front, load, store, transport):
    point = {"timeUnixNano": str(NOW), "asInt": "1"}
    metric = {"name": "m", "sum": {"aggregationTemporality": 1, "isMonotonic": True, "dataPoints": [point]}}
    record = {"timeUnixNano": str(NOW), "body": {"stringValue": "two people may write this at once"}}
    for _ in range(2):
        send(front, transport, "traces", {"resourceSpans": [spans(span(1), span(2))]})
        send(front, transport, "metrics", {"resourceMetrics": [{"scopeMetrics": [{"metrics": [metric]}]}]})
        send(front, transport, "logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": [record]}]}]})
    send(front, transport, "traces", {"resourceSpans": [spans(span(1), span(3))]})
    told = ledger(front, load, "otlp:traces")
    assert told == {"received": 6, "stored": 4, "refused": 2, "waiting": 0}
    assert (repeated(store, "spans"), repeated(store, "metrics"), repeated(store, "events")) == (4, 1, 2)
    # In other company a span comes again under its ids: what shows traces shows it once.
    from sightline.traces.queries import list_traces, read_trace

    assert len(read_trace(store, f"{1:032x}")["spans"]) == 1
    listed = list_traces(store, earliest=NOW / 1e9 - 10, latest=NOW / 1e9 + 10)["traces"]
    assert [trace["span_count"] for trace in listed] == [1, 1, 1]


def test_a_request_that_failed_is_stored_when_it_comes_again(front, load, store, monkeypatch):
    from sightline.journal import JournalWriter

    append, failures = JournalWriter.append_pieces, iter([JournalFull("full", 1)])

    async def fails_once(self, *arguments, **named):
        for failure in failures:
            raise failure
        await append(self, *arguments, **named)

    monkeypatch.setattr(JournalWriter, "append_pieces", fails_once)
    body = as_protobuf(ExportTraceServiceRequest, {"resourceSpans": [spans(span(1))]})
    statuses = [
        httpx.post(f"{front.otlp}/v1/traces", content=body, headers={"Content-Type": PROTOBUF}).status_code for _ in range(3)
    ]
    assert statuses == [503, 200, 200]
    load()
    assert repeated(store, "spans") == 1


def test_a_request_that_comes_again_while_it_is_written_waits_for_it():
    written = []

    async def send_twice():
        repeats, go = Repeats(2), asyncio.Event()

        async def store():
            await go.wait()
            written.append("once")

        first = asyncio.create_task(repeats.once("a", store))
        second = asyncio.create_task(repeats.once("a", store))
        await asyncio.sleep(0)
        first.cancel()
        go.set()
        assert await second is False
        assert [await repeats.once(key, store) for key in ("b", "c", "a", "c")] == [True, True, True, False]

    asyncio.run(send_twice())
    assert written == ["once"] * 4
