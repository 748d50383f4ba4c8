"""The pushes that the engine decodes as they came: Loki, Elasticsearch, Zipkin, SignalFx, collectd; real clients where there are any."""

from __future__ import annotations

import json
import logging
import subprocess
import time

import httpx
import pyarrow as pa
import pytest

from .clients import needs, path_of
from .test_prometheus import integer, part

NOW_S = 1_760_000_000


def post(front, path: str, body, status: int, **headers: str) -> httpx.Response:
    content = body if isinstance(body, bytes | str) else json.dumps(body)
    answer = httpx.post(front.main + path, content=content, headers=headers, trust_env=False)
    assert answer.status_code == status, answer.text
    return answer


@pytest.fixture
def events(store, load):
    """Stored events, in the order of their text, with `fields` as a dictionary."""

    def read(where: str = "1", table: str = "events", column: str = "fields", order: str = "_raw") -> list[dict]:
        load()
        rows = store.query(
            f"SELECT * EXCEPT {column}, toJSONString({column}) AS {column} FROM sightline.{table}"
            f" WHERE index NOT LIKE '\\_%' AND {where} ORDER BY {order}"
        ).to_pylist()
        return [row | {column: json.loads(row[column])} for row in rows]

    return read


# ---- Loki


def test_loki_json(front, events):
    stream = {"stream": {"job": "api", "host": "web-1", "env": "prod"}}
    stream["values"] = [
        [f"{NOW_S}000000001", 'level=error msg="no \\"room\\""'],
        [f"{NOW_S}500000000", "b", {"trace_id": "abc"}],
    ]
    post(front, "/loki/api/v1/push", {"streams": [stream]}, 204, **{"Content-Type": "application/json"})
    second, first = events()
    assert (first["host"], first["source"], first["sourcetype"], first["severity"]) == ("web-1", "api", "loki", "error")
    assert first["_time"].timestamp() == NOW_S and second["_time"].timestamp() == NOW_S + 0.5
    assert second["trace_id"] == "abc" and first["fields"]["env"] == "prod" and first["fields"]["level"] == "error"


def test_loki_protobuf(front, events):
    entry = (
        part(1, integer(1, NOW_S) + integer(2, 5_000_000))
        + part(2, "hello n=5")
        + part(3, part(1, "level") + part(2, "WARN"))
    )
    request = part(1, part(1, '{job="a\\"b", instance="w:1"}') + part(2, entry))
    body = pa.Codec("snappy").compress(request, asbytes=True)
    post(front, "/loki/api/v1/push", body, 204, **{"Content-Type": "application/x-protobuf"})
    (row,) = events()
    assert (row["_raw"], row["source"], row["host"], row["severity"]) == ("hello n=5", 'a"b', "w:1", "warn")
    assert row["fields"]["n"] == 5 and row["_time"].timestamp() == NOW_S + 0.005


def test_the_loki_handler_for_python(front, events):
    import logging_loki

    handler = logging_loki.LokiHandler(url=front.main + "/loki/api/v1/push", tags={"application": "shop"}, version="1")
    logger = logging.getLogger("loki-test")
    logger.addHandler(handler)
    logger.error("cart %s is empty", 7)
    logger.removeHandler(handler)
    (row,) = events()
    assert row["_raw"] == "cart 7 is empty" and row["severity"] == "error" and row["fields"]["application"] == "shop"


@pytest.mark.parametrize(
    "body", ["{", "[]", {"streams": [1]}, {"streams": [{"stream": [], "values": []}]}, {"streams": [{"values": [["1"]]}]}]
)
def test_loki_refuses_what_it_cannot_read(front, body):
    post(front, "/loki/api/v1/push", body, 400, **{"Content-Type": "application/json"})
    post(front, "/loki/api/v1/push", b"x", 415, **{"Content-Type": "text/plain"})


# ---- Elasticsearch


def test_elasticsearch_bulk_with_its_own_client(front, events):
    from elasticsearch import Elasticsearch, helpers

    client = Elasticsearch(front.main + "/elasticsearch", request_timeout=20)
    documents = [
        {
            "_index": "nginx",
            "@timestamp": f"2025-10-09T08:53:2{i}Z",
            "message": f"GET /{i} took={i}",
            "host": {"name": "web"},
        }
        for i in range(3)
    ]
    stored, errors = helpers.bulk(client, documents)
    client.close()
    assert (stored, errors) == (3, [])
    rows = events()
    assert [row["_raw"] for row in rows] == [f"GET /{i} took={i}" for i in range(3)]
    assert {(row["host"], row["sourcetype"]) for row in rows} == {("web", "nginx")}
    assert rows[2]["_time"].timestamp() == NOW_S + 2 and rows[2]["fields"]["took"] == 2


def test_elasticsearch_keeps_a_document_without_a_message_whole(front, events):
    body = '{"create":{}}\n{"level":"WARNING","model":{"name":"m"},"text":"line\\nend"}\n\n'
    answer = post(front, "/elasticsearch/any/_bulk?index=app", body, 200, Authorization="ApiKey otlp-good").json()
    assert answer["errors"] is False and len(answer["items"]) == 1
    (row,) = events()
    assert (row["index"], row["severity"], row["sourcetype"]) == ("app", "warn", "elasticsearch")
    assert json.loads(row["_raw"])["text"] == "line\nend" and row["fields"]["model"] == {"name": "m"}


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ("", "no action"),
        ('{"index":{}}\n', "an action and then a document"),
        ('{"index":{}}\n{"a":1},{"b":2}\n', "an action and then a document"),
        ('{"delete":{}}\n{"a":1}\n', "only the actions index and create are known, got: delete"),
        ('{"index":{}}\n{"a":\n', "not lines of JSON"),
    ],
)
def test_elasticsearch_refuses_in_its_own_words(front, body, message):
    error = post(front, "/elasticsearch/_bulk", body, 400).json()["error"]
    assert error["type"] == "illegal_argument_exception" and message in error["reason"]


# ---- Zipkin


def test_zipkin_spans_with_the_exporter_of_opentelemetry(front, events):
    from opentelemetry.exporter.zipkin.json import ZipkinExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.trace import SpanKind, Status, StatusCode

    provider = TracerProvider(resource=Resource.create({"service.name": "shop"}))
    provider.add_span_processor(SimpleSpanProcessor(ZipkinExporter(endpoint=front.main + "/api/v2/spans")))
    tracer = provider.get_tracer("test")
    with tracer.start_as_current_span("outer", kind=SpanKind.SERVER) as outer:
        with tracer.start_as_current_span("inner", attributes={"rows": 12}) as inner:
            inner.add_event("cache miss")
            inner.set_status(Status(StatusCode.ERROR, "no room"))
    provider.shutdown()
    first, second = events(table="spans", order="name")
    assert (first["name"], second["name"]) == ("inner", "outer")
    assert first["trace_id"] == f"{outer.get_span_context().trace_id:032x}" == second["trace_id"]
    assert first["parent_span_id"] == second["span_id"] and second["parent_span_id"] == ""
    assert (first["service"], second["kind"], first["kind"]) == ("shop", "server", "internal")
    assert (first["status"], first["status_message"], second["status"]) == ("error", "no room", "unset")
    assert first["fields"]["rows"] == 12 and "cache miss" in first["events"] and first["duration_ns"] > 0


def test_zipkin_refuses_spans_without_ids(front):
    assert "traceId" in post(front, "/api/v2/spans", [{"id": "1"}], 400).text
    assert "an array of spans" in post(front, "/api/v2/spans", {}, 400).text
    post(front, "/api/v2/spans", [{"traceId": "1", "id": "2"}], 401, Authorization="Bearer nonsense")


# ---- SignalFx


def test_signalfx_datapoints_and_events(front, events):
    point = {"metric": "cpu", "value": 0.5, "timestamp": NOW_S * 1000, "dimensions": {"host": "web-1"}}
    body = {"gauge": [point], "counter": [point | {"metric": "calls", "value": 3}], "cumulative_counter": []}
    answer = post(front, "/v2/datapoint", body, 200, **{"X-SF-Token": "otlp-good"})
    assert answer.json() == "OK"
    calls, cpu = events(table="metrics", column="dims", order="metric_name")
    assert (calls["value"], calls["type"], calls["temporality"], cpu["value"], cpu["type"]) == (
        3.0,
        "sum",
        "delta",
        0.5,
        "gauge",
    )
    assert cpu["host"] == "web-1" and cpu["dims"] == {"host": "web-1"} and cpu["_time"].timestamp() == NOW_S
    event = {
        "category": "USER_DEFINED",
        "eventType": "deploy",
        "dimensions": {"service": "shop"},
        "properties": {"version": "7"},
    }
    post(front, "/v2/event", [event], 200, **{"X-SF-Token": "otlp-good"})
    (row,) = events()
    assert row["sourcetype"] == "signalfx:event"
    assert row["fields"] == {"category": "USER_DEFINED", "eventType": "deploy", "service": "shop", "version": "7"}


@pytest.mark.parametrize(
    ("path", "body", "message"),
    [
        ("/v2/datapoint", [], "wanted an object"),
        ("/v2/datapoint", {"gauge": [1]}, "gauge wants a list of objects"),
        ("/v2/datapoint", {"gauge": [{"value": 1}]}, 'a text "metric"'),
        ("/v2/datapoint", {"gauge": [{"metric": "x", "value": True}]}, 'a number "value"'),
        ("/v2/event", [{}], 'a text "eventType"'),
        ("/collectd", [{"values": [1]}], "of the same length"),
    ],
)
def test_bad_pushes_are_refused(front, path, body, message):
    assert message in post(front, path, body, 400).json()["error"]["message"]


# ---- collectd


def test_a_value_list_becomes_a_point_for_each_value(front, events):
    one = {"values": [10, None], "dstypes": ["derive", "gauge"], "dsnames": ["rx", "value"], "time": NOW_S + 0.25, "host": "db",
           "plugin": "interface", "plugin_instance": "eth0", "type": "if_octets", "type_instance": ""}  # fmt: skip
    post(front, "/collectd", [one], 200)
    plain, named = events(table="metrics", column="dims", order="metric_name")
    assert (plain["metric_name"], plain["value"], plain["type"]) == ("interface.if_octets", None, "gauge")
    assert (named["metric_name"], named["value"], named["temporality"]) == ("interface.if_octets.rx", 10.0, "cumulative")
    assert named["dims"] == {"plugin": "interface", "plugin_instance": "eth0"} and named["host"] == "db"


@needs("collectd", "libcurl-gnutls.so.4", "libyajl.so.2")
def test_collectd_itself_writes_to_us(front, events, tmp_path):
    config = tmp_path / "collectd.conf"
    config.write_text(
        f'Hostname "here"\nInterval 1\nBaseDir "{tmp_path}"\nPIDFile "{tmp_path}/pid"\nTypesDB "/usr/share/collectd/types.db"\n'
        "LoadPlugin load\nLoadPlugin memory\nLoadPlugin write_http\n"
        f'<Plugin write_http>\n<Node "us">\nURL "{front.main}/collectd"\nFormat "JSON"\nBufferSize 512\n</Node>\n</Plugin>\n'
    )
    process = subprocess.Popen(
        [path_of("collectd"), "-f", "-C", str(config)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    try:
        end = time.monotonic() + 60
        names: set[str] = set()
        while not {"load.load.shortterm", "memory.memory"} <= names:
            assert time.monotonic() < end and process.poll() is None, (names, process.stdout.read1(3000))
            time.sleep(0.5)
            names = {row["metric_name"] for row in events(table="metrics", column="dims", order="metric_name")}
    finally:
        process.terminate()
        process.wait(20)
