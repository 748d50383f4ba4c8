"""OTLP over both transports, with the official exporters and with bodies nobody should send."""

import base64
import gzip
import json
import zlib
from pathlib import Path

import grpc
import httpx
import pytest
from google.protobuf import json_format
from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcSpanExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpSpanExporter
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor

from sightline.config import Settings
from sightline.receivers.bodies import BodyTooLarge, inflate
from sightline.search.engine import SearchEngine

FIXTURES = Path(__file__).parent / "fixtures"
PROTOBUF = {"Content-Type": "application/x-protobuf"}
JSON = {"Content-Type": "application/json"}


class OneMetricIndex:
    """A catalog with one metric index and nothing else."""

    def __init__(self, name: str) -> None:
        self.name = name

    def indexes(self) -> dict[str, str]:
        return {self.name: "metric"}

    def macro(self, name, count):
        return None


def fixture(name: str) -> bytes:
    return (FIXTURES / name).read_bytes()


def post(front, signal, body, headers=PROTOBUF):
    return httpx.post(f"{front.otlp}/v1/{signal}", content=body, headers=headers)


@pytest.mark.parametrize("transport", ["grpc", "http", "http gzip"])
def test_spans_of_the_official_sdk_arrive_whole(front, load, store, transport):
    if transport == "grpc":
        exporter = GrpcSpanExporter(endpoint=front.grpc, insecure=True)
    else:
        compression = Compression.Gzip if "gzip" in transport else Compression.NoCompression
        exporter = HttpSpanExporter(endpoint=f"{front.otlp}/v1/traces", compression=compression)
    provider = TracerProvider(resource=Resource.create({"service.name": "shop", "host.name": "h1"}))
    provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("tests", "1.2")
    with tracer.start_as_current_span("outer", kind=trace.SpanKind.SERVER) as outer:
        outer.set_attribute("zero", 0)
        outer.set_attribute("empty", "")
        outer.set_attribute("whole", 1.0)
        outer.set_attribute("tags", ["a", "b"])
        outer.set_attribute("numbers", [1, 2])
        with pytest.raises(ValueError), tracer.start_as_current_span("inner") as inner:
            raise ValueError("deep")
    provider.shutdown()
    load()
    rows = {
        row["name"]: row
        for row in store.query("SELECT * REPLACE (toString(fields) AS fields) FROM sightline.spans").to_pylist()
    }
    assert set(rows) == {"outer", "inner"}
    row, context = rows["outer"], outer.get_span_context()
    assert row["index"] == "traces"
    assert row["trace_id"] == f"{context.trace_id:032x}"
    assert row["span_id"] == f"{context.span_id:016x}"
    assert row["parent_span_id"] == ""
    assert (row["service"], row["host"], row["kind"], row["status"]) == ("shop", "h1", "server", "unset")
    assert row["duration_ns"] == outer.end_time - outer.start_time
    assert row["_time"].value == outer.start_time
    fields = json.loads(row["fields"])
    assert fields["zero"] == 0
    assert fields["empty"] == ""
    assert fields["tags"] == ["a", "b"]
    assert fields["numbers"] == ["1", "2"]
    assert fields["scope"] == {"name": "tests", "version": "1.2"}
    assert store.json_paths("spans")["whole"] == frozenset({"Float64"})
    assert rows["inner"]["parent_span_id"] == row["span_id"]
    assert rows["inner"]["status"] == "error"
    (event,) = json.loads(rows["inner"]["events"])
    assert event["name"] == "exception"
    assert event["attributes"]["exception.message"] == "deep"
    assert int(event["time_unix_nano"]) == inner.events[0].timestamp


@pytest.mark.parametrize("form", ["protobuf", "json"])
def test_captured_logs_decode_the_same_from_protobuf_and_json(front, load, store, form):
    body = fixture("py_default_01_logs.pb")
    request = ExportLogsServiceRequest.FromString(body)
    records = [(r, record) for r in request.resource_logs for s in r.scope_logs for record in s.log_records]
    if form == "json":
        reply = post(front, "logs", _as_otlp_json(request), JSON)
        assert reply.content == b"{}"
    else:
        reply = post(front, "logs", body)
        assert reply.content == b""
    assert reply.status_code == 200
    assert reply.headers["content-type"] == (JSON if form == "json" else PROTOBUF)["Content-Type"]
    load()
    rows = store.query("SELECT _raw, trace_id, span_id, severity FROM sightline.events WHERE index = 'main'").to_pylist()
    given = [
        (r.body.string_value, r.trace_id.hex(), r.span_id.hex(), r.severity_text.lower().replace("warning", "warn"))
        for _, r in records
    ]
    assert sorted(tuple(row.values()) for row in rows) == sorted(given)


def _as_otlp_json(request) -> str:
    data = json_format.MessageToDict(request)
    for resource in data["resourceLogs"]:
        for scope in resource["scopeLogs"]:
            for record in scope["logRecords"]:
                for key in ("traceId", "spanId"):
                    if key in record:
                        record[key] = base64.b64decode(record[key]).hex().upper()
    return json.dumps(data)


def test_captured_metrics_keep_every_point_and_exemplar(front, load, store, tmp_path):
    body = fixture("py_default_02_metrics.pb")
    request = ExportMetricsServiceRequest.FromString(body)
    assert post(front, "metrics", body).status_code == 200
    loader = load()
    points = [
        (metric.name, metric.WhichOneof("data"), point)
        for resource in request.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
        for point in getattr(metric, metric.WhichOneof("data")).data_points
    ]
    rows = store.query("SELECT * REPLACE (toString(dims) AS dims) FROM sightline.metrics").to_pylist()
    assert len(rows) == len(points)
    assert {row["metric_name"] for row in rows} == {name for name, _, _ in points}
    histograms = [point for _, kind, point in points if kind == "histogram"]
    stored = [row for row in rows if row["type"] == "histogram"]
    assert sorted((r["count"], r["sum"], tuple(r["bucket_counts"])) for r in stored) == sorted(
        (p.count, p.sum, tuple(p.bucket_counts)) for p in histograms
    )
    for row in stored:
        assert row["value"] == (row["sum"] / row["count"] if row["count"] else None)
    given = sorted(e.trace_id.hex() for p in histograms for e in p.exemplars)
    assert given
    assert sorted(e["trace_id"] for row in stored if row["exemplars"] for e in json.loads(row["exemplars"])) == given
    (index,) = {row["index"] for row in rows}
    engine = SearchEngine(store, OneMetricIndex(index), None, Settings(data=tmp_path))
    search = f"| mpreview index={index} target_per_timeseries=0 | spath input=exemplars path={{}}.trace_id output=trace | mvexpand trace | search trace=*"
    assert sorted(engine.run(f"{search} | table trace").table["trace"].to_pylist()) == given
    (ledger,) = [row for row in loader.ledger.totals() if row.source == "otlp:metrics"]
    assert (ledger.received, ledger.stored, ledger.refused, ledger.waiting) == (len(points), len(points), 0, 0)


def test_all_five_kinds_of_metric_data(front, load, store):
    request = json_format.ParseDict(
        {
            "resourceMetrics": [
                {
                    "resource": {"attributes": [{"key": "service.name", "value": {"stringValue": "s"}}]},
                    "scopeMetrics": [
                        {
                            "metrics": [
                                {"name": "g", "unit": "By", "gauge": {"dataPoints": [_point(asInt="0")]}},
                                {
                                    "name": "s",
                                    "sum": {
                                        "aggregationTemporality": 1,
                                        "isMonotonic": True,
                                        "dataPoints": [_point(asDouble=2.5), _point(asDouble=7, flags=1)],
                                    },
                                },
                                {
                                    "name": "h",
                                    "histogram": {
                                        "aggregationTemporality": 2,
                                        "dataPoints": [
                                            _point(count="0", bucketCounts=["0"]),
                                            _point(
                                                count="4",
                                                sum=10.0,
                                                min=0.0,
                                                max=9.0,
                                                bucketCounts=["3", "1"],
                                                explicitBounds=[5.0],
                                            ),
                                        ],
                                    },
                                },
                                {
                                    "name": "e",
                                    "exponentialHistogram": {
                                        "aggregationTemporality": 2,
                                        "dataPoints": [
                                            _point(
                                                count="3",
                                                sum=6.0,
                                                scale=-1,
                                                zeroCount="1",
                                                zeroThreshold=0.5,
                                                positive={"offset": -2, "bucketCounts": ["1", "1"]},
                                            )
                                        ],
                                    },
                                },
                                {
                                    "name": "q",
                                    "summary": {
                                        "dataPoints": [
                                            _point(count="2", sum=3.0, quantileValues=[{"quantile": 0.5, "value": 1.5}])
                                        ]
                                    },
                                },
                            ]
                        }
                    ],
                }
            ]
        },
        ExportMetricsServiceRequest(),
    )
    assert post(front, "metrics", request.SerializeToString()).status_code == 200
    load()
    rows = store.query(
        "SELECT * REPLACE (toString(dims) AS dims) FROM sightline.metrics ORDER BY metric_name, count, value"
    ).to_pylist()
    exponential, gauge, empty, histogram, summary, *sums = rows
    assert (gauge["type"], gauge["value"], gauge["unit"], gauge["temporality"]) == ("gauge", 0.0, "By", "")
    assert json.loads(gauge["dims"]) == {"n": "1", "service": {"name": "s"}}
    assert [(row["value"], row["temporality"], row["is_monotonic"]) for row in sums] == [
        (2.5, "delta", True),
        (None, "delta", True),
    ]
    assert (empty["count"], empty["sum"], empty["value"], empty["min"]) == (0, None, None, None)
    assert (histogram["min"], histogram["max"], histogram["value"]) == (0.0, 9.0, 2.5)
    assert (histogram["bounds"], histogram["bucket_counts"]) == ([5.0], [3, 1])
    assert (exponential["scale"], exponential["zero_count"], exponential["zero_threshold"]) == (-1, 1, 0.5)
    assert (exponential["positive_offset"], exponential["positive_counts"]) == (-2, [1, 1])
    assert (summary["quantiles"], summary["quantile_values"], summary["value"]) == ([0.5], [1.5], 1.5)


def _point(**more):
    return {
        "timeUnixNano": "1763900000250000000",
        "startTimeUnixNano": "1763900000000000000",
        "attributes": [{"key": "n", "value": {"intValue": "1"}}],
        **more,
    }


def test_attributes_of_every_type_and_depth(front, load, store):
    attributes = [
        {"key": "none", "value": {}},
        {"key": "empty", "value": {"stringValue": ""}},
        {"key": "zero", "value": {"intValue": "0"}},
        {"key": "big", "value": {"intValue": "9223372036854775807"}},
        {"key": "no", "value": {"boolValue": False}},
        {"key": "nan", "value": {"doubleValue": "NaN"}},
        {"key": "bytes", "value": {"bytesValue": "AAE="}},
        {"key": 'qu"ote', "value": {"stringValue": 'a"\\\n\u0001é😀'}},
        {
            "key": "map",
            "value": {
                "kvlistValue": {
                    "values": [
                        {"key": "k", "value": {"intValue": "5"}},
                        {"key": "deep", "value": {"kvlistValue": {"values": [{"key": "x", "value": {"boolValue": True}}]}}},
                    ]
                }
            },
        },
        {
            "key": "mixed",
            "value": {
                "arrayValue": {
                    "values": [
                        {"intValue": "1"},
                        {"kvlistValue": {"values": [{"key": "role", "value": {"stringValue": "user"}}]}},
                    ]
                }
            },
        },
        {"key": "empty_list", "value": {"arrayValue": {}}},
    ]
    span = {
        "traceId": "5B8EFFF798038103D269B633813FC60C",
        "spanId": "eee19b7ec3c1b174",
        "name": "n",
        "startTimeUnixNano": 1763900000000000001,
        "endTimeUnixNano": "1763900000000000005",
        "attributes": attributes,
        "links": [{"traceId": "5b8efff798038103d269b633813fc60c", "spanId": "eee19b7ec3c1b173"}],
        "unknownField": 1,
    }
    reply = post(front, "traces", json.dumps({"resourceSpans": [{"scopeSpans": [{"spans": [span]}]}]}), JSON)
    assert reply.status_code == 200, reply.text
    load()
    (row,) = store.query("SELECT * REPLACE (toString(fields) AS fields) FROM sightline.spans").to_pylist()
    assert row["trace_id"] == "5b8efff798038103d269b633813fc60c"
    assert row["duration_ns"] == 4
    assert json.loads(row["links"])[0]["span_id"] == "eee19b7ec3c1b173"
    fields = json.loads(row["fields"])
    assert fields.pop("mixed") == '[1, {"role": "user"}]'
    assert fields.pop("empty_list", []) == []
    assert fields == {
        "empty": "",
        "zero": 0,
        "big": 9223372036854775807,
        "no": False,
        "nan": "nan",
        "bytes": "AAE=",
        'qu"ote': 'a"\\\n\u0001é😀',
        "map": {"k": 5, "deep": {"x": True}},
    }


def test_log_bodies_become_text_and_fields(front, load, store):
    bodies = [
        {"stringValue": '{"user": "bob", "n": 3, "nested": {"a": 1.5}}'},
        {"stringValue": 'level=info user="A b" dur=1.5 id=007 url=http://x/?a=1'},
        {"kvlistValue": {"values": [{"key": "user", "value": {"stringValue": "eve"}}]}},
        {"intValue": "5"},
        {"stringValue": "{not json} at all = no"},
        {},
        {"stringValue": "version=1.10 app.Version=7 versions=1.5"},
    ]
    records = [
        {"timeUnixNano": str(1763900000000000000 + i * 1000000), "severityNumber": 17, "body": body}
        for i, body in enumerate(bodies)
    ]
    body = json.dumps({"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})
    assert post(front, "logs", body, JSON).status_code == 200
    load()
    rows = store.query(
        "SELECT _raw, severity, toString(fields) AS f FROM sightline.events WHERE index = 'main' ORDER BY _time"
    ).to_pylist()
    assert {row["severity"] for row in rows} == {"error"}
    assert [json.loads(row["f"]) for row in rows] == [
        {"user": "bob", "n": 3, "nested": {"a": 1.5}},
        {"level": "info", "user": "A b", "dur": 1.5, "id": "007", "url": "http://x/?a=1"},
        {"user": "eve"},
        {},
        {},
        {},
        {"version": "1.10", "app": {"Version": "7"}, "versions": 1.5},
    ]
    assert rows[2]["_raw"] == '{"user": "eve"}'
    assert rows[3]["_raw"] == "5"


@pytest.mark.parametrize(
    ("body", "headers", "status", "text"),
    [
        (b"\xff\xff\xff", PROTOBUF, 400, b"not a valid ExportTraceServiceRequest"),
        (b"{not json", JSON, 400, b"not valid JSON"),
        (b"[]", JSON, 400, b"not a JSON object"),
        (b'{"resourceSpans":[{"scopeSpans":[{"spans":[{"traceId":"xyz"}]}]}]}', JSON, 400, b"hexadecimal"),
        (b'{"resourceSpans":5}', JSON, 400, b"in JSON"),
        (b"not gzip", {**PROTOBUF, "Content-Encoding": "gzip"}, 400, b"not valid gzip"),
        (gzip.compress(b"x" * 100, mtime=0)[:-12], {**PROTOBUF, "Content-Encoding": "gzip"}, 400, b"ends too early"),
        (b"x", {**PROTOBUF, "Content-Encoding": "br"}, 415, b'unsupported content encoding "br"'),
        (b"x", {"Content-Type": "text/plain"}, 415, b"unsupported content type"),
        (b"", {**PROTOBUF, "Authorization": "Bearer nonsense"}, 401, b"not a valid token of kind otlp"),
        (b"", {**PROTOBUF, "Authorization": "Bearer otlp-off"}, 403, b"is disabled"),
        (fixture("py_default_03_traces.pb"), {**PROTOBUF, "X-SF-Token": "otlp-app"}, 403, b"may not write trace data"),
    ],
)
def test_bad_requests_are_refused_in_the_content_type_they_came_in(front, body, headers, status, text):
    reply = post(front, "traces", body, headers)
    assert reply.status_code == status
    assert text in reply.content
    if headers["Content-Type"] == PROTOBUF["Content-Type"]:
        assert reply.headers["content-type"] == PROTOBUF["Content-Type"]
        assert reply.content[0] == 0x08
    else:
        assert reply.json()["code"] in (3, 16)


def test_bad_neighbours_do_no_harm_and_the_ledger_tells_of_them(front, load, store):
    good = fixture("py_default_03_traces.pb")
    spans = sum(len(s.spans) for r in ExportTraceServiceRequest.FromString(good).resource_spans for s in r.scope_spans)
    other = bytes.fromhex("0a20" + "121e" + "121c" + "0a10" + "01" * 16 + "1208" + "02" * 8)
    statuses = [post(front, "traces", body).status_code for body in (good, b"\xff", other, b"\x0a\xff")]
    assert statuses == [200, 400, 200, 400]
    front.close()
    loader = load()
    front.close = lambda: None
    assert store.query("SELECT count() AS n FROM sightline.spans")["n"].to_pylist() == [spans + 1]
    rows = [row for row in loader.ledger.totals() if row.source == "otlp:traces"]
    assert sum(row.received for row in rows) == spans + 3
    assert sum(row.stored for row in rows) == spans + 1
    assert sum(row.refused for row in rows) == 2


def test_tokens_name_the_index_and_travel_in_metadata(front, load, store):
    body = fixture("py_default_01_logs.pb")
    channel = grpc.insecure_channel(front.grpc)
    export = channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")
    assert export(body, metadata=(("authorization", "Bearer otlp-app"),)) == b""
    with pytest.raises(grpc.RpcError) as caught:
        export(body, metadata=(("x-sf-token", "wrong"),))
    assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    with pytest.raises(grpc.RpcError) as caught:
        export(b"\xff\xff")
    assert caught.value.code() == grpc.StatusCode.INVALID_ARGUMENT
    channel.close()
    load()
    assert store.query("SELECT DISTINCT index FROM sightline.events")["index"].to_pylist() == ["app"]


def test_an_empty_request_is_a_success_and_writes_nothing(front):
    assert post(front, "traces", b"").status_code == 200
    assert post(front, "metrics", b"{}", JSON).status_code == 200
    assert list(front.data.glob("journal/*/*.seg")) == []


def test_unknown_paths_and_methods_say_what_was_wanted(front):
    wrong = httpx.post(front.otlp + "/", content=b"")
    assert wrong.status_code == 404
    assert "/v1/traces" in wrong.json()["message"]
    assert httpx.get(front.otlp + "/v1/traces").status_code == 405


def test_a_small_body_that_inflates_without_end_is_stopped(front):
    bomb = zlib.compressobj(9, zlib.DEFLATED, 31)
    body = b"".join(bomb.compress(bytes(1 << 20)) for _ in range(100)) + bomb.flush()
    reply = post(front, "traces", body, {**PROTOBUF, "Content-Encoding": "gzip"})
    assert reply.status_code == 413
    with pytest.raises(BodyTooLarge):
        inflate(body, "gzip", 1 << 20)


def test_gzip_of_several_members_is_one_body():
    assert inflate(gzip.compress(b"one ") + gzip.compress(b"two"), "gzip", 100) == b"one two"
