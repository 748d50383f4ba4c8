"""What is done with awkward values, by every kind of receiver: each is stored as docs/guide/what-is-stored.md says, told in the
ledger where something was cut, and never takes its neighbours along."""

from __future__ import annotations

import json
import math
import socket
import time
from typing import Any

import httpx
import pyarrow as pa
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from sightline.config import IngestSettings, SyslogSettings
from sightline.store.ledger import Ledger, LedgerRow

from .conftest import Front
from .test_prometheus import integer, part, sample

NOW_S = 1_760_000_000
YEAR_2200_S = 7_258_118_400
LONG = IngestSettings().max_event_bytes + 1000
JSON_HEADERS = {"Content-Type": "application/json"}
PROTOBUF_HEADERS = {"Content-Type": "application/x-protobuf"}


@pytest.fixture
def front(tmp_path, tokens):
    running = Front(tmp_path, tokens, SyslogSettings(max_message_bytes=4 * 1024 * 1024))
    yield running
    running.close()


def post(url: str, body: Any, status: int = 200, **headers: str) -> None:
    content = body if isinstance(body, bytes) else body.encode() if isinstance(body, str) else json.dumps(body).encode()
    answer = httpx.post(url, content=content, headers=headers, trust_env=False, timeout=30)
    assert answer.status_code == status, answer.text


# Senders of events: each takes texts, and sends them as the messages of one request.


def by_hec(front: Front, texts: list[str]) -> None:
    body = "\n".join(json.dumps({"event": text, "time": NOW_S}, ensure_ascii=False) for text in texts)
    post(f"{front.hec}/services/collector", body, Authorization="Splunk hec-good")


def by_loki(front: Front, texts: list[str]) -> None:
    values = [[f"{NOW_S}000000000", text] for text in texts]
    body = {"streams": [{"stream": {"job": "j"}, "values": values}]}
    post(f"{front.main}/loki/api/v1/push", json.dumps(body, ensure_ascii=False), 204, **JSON_HEADERS)


def by_loki_protobuf(front: Front, texts: list[str]) -> None:
    entries = b"".join(part(2, part(1, integer(1, NOW_S)) + part(2, text)) for text in texts)
    body = pa.Codec("snappy").compress(part(1, part(1, '{job="j"}') + entries), asbytes=True)
    post(f"{front.main}/loki/api/v1/push", body, 204, **PROTOBUF_HEADERS)


def by_elasticsearch(front: Front, texts: list[str]) -> None:
    lines = []
    for text in texts:
        lines += ['{"index":{}}', json.dumps({"@timestamp": NOW_S * 1000, "message": text}, ensure_ascii=False)]
    post(f"{front.main}/elasticsearch/_bulk", "\n".join(lines) + "\n", **JSON_HEADERS)


def by_syslog(front: Front, texts: list[str]) -> None:
    with socket.create_connection(("127.0.0.1", front.syslog_tcp)) as connection:
        for text in texts:
            data = f"<14>{text}".encode()
            connection.sendall(str(len(data)).encode() + b" " + data)


def by_otlp(front: Front, texts: list[str]) -> None:
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for text in texts:
        records.add(time_unix_nano=NOW_S * 10**9).body.string_value = text
    post(f"{front.otlp}/v1/logs", request.SerializeToString(), **PROTOBUF_HEADERS)


EVENTS = {
    "hec": (by_hec, "hec:events", "good"),
    "loki": (by_loki, "loki:push", ""),
    "loki protobuf": (by_loki_protobuf, "loki:push", ""),
    "elasticsearch": (by_elasticsearch, "elasticsearch:bulk", ""),
    "syslog": (by_syslog, "syslog", ""),
    "otlp": (by_otlp, "otlp:logs", ""),
}


@pytest.fixture
def stored(store, load):
    """Waits for so many rows of a table and gives them with their fields, and the ledger."""

    def read(count: int, table: str = "events", order: str = "_raw") -> tuple[list[dict], list[LedgerRow]]:
        column = "dims" if table == "metrics" else "fields"
        deadline = time.monotonic() + 10
        while True:
            ledger = load().ledger
            rows = store.query(
                f"SELECT *, toJSONString({column}) AS json FROM sightline.{table} WHERE index NOT LIKE '\\_%' ORDER BY {order}"
            ).to_pylist()
            if len(rows) >= count:
                break
            assert time.monotonic() < deadline, (rows, ledger.totals())
            time.sleep(0.05)
        assert len(rows) == count
        rows = [row | {"fields": json.loads(row["json"])} for row in rows]
        return rows, [row for row in ledger.totals() if row.source != "sightline"]

    return read


AWKWARD = {
    "a number out of range": '{"a": 1e999, "b": 1}',
    "half a surrogate": '{"a": "x\\ud800", "b": 1}',
    "an integer of thirty digits": '{"a": 123456789012345678901234567890, "b": 1}',
    "equal keys": '{"a": 1, "a": 2, "b": 1}',
    "nine hundred levels": '{"b": 1, "a": ' + '{"a": ' * 900 + "1" + "}" * 901,
    "too many levels": '{"a": ' * 3000 + "1" + "}" * 3000,
    "levels of lists": '{"a": ' + "[" * 1500 + "]" * 1500 + "}",
    "thousands of names": json.dumps({f"k{n}": n for n in range(5000)}),
    "no JSON": '{"a": NaN, "b": Infinity}',
    "names that are empty or odd": '{"": 1, " ": 2, "a.b": 3, "a": {"b": 4}, "é\\u0000": 5}',
    "zero bytes": "a\x00b=1",
    "only blanks": "   ",
    "nothing but a brace": "{",
}


@pytest.mark.parametrize("by", EVENTS)
def test_no_event_takes_its_neighbours_along(front, stored, by):
    send, source, token = EVENTS[by]
    texts = [f"before {name} n=1" for name in AWKWARD] + list(AWKWARD.values()) + ["after n=1"]
    send(front, texts)
    rows, ledger = stored(len(texts))
    assert {row["_raw"] for row in rows} == set(texts)
    assert sum(row["fields"].get("n") == 1 for row in rows) == len(AWKWARD) + 1
    assert sum(row.refused for row in ledger) == 0
    assert sum(row.stored for row in ledger if row.source == source and row.token == token) == len(texts)


@pytest.mark.parametrize("by", EVENTS)
def test_a_text_that_is_too_long_is_cut_marked_and_counted(front, stored, store, by):
    send, source, token = EVENTS[by]
    send(front, ["before", "é" * LONG, "level=info x"])
    rows, ledger = stored(3)
    cut = rows[2]
    assert len(cut["_raw"].encode()) <= IngestSettings().max_event_bytes < len(cut["_raw"].encode()) + 4
    assert set(cut["_raw"]) == {"é"}
    assert "text" in cut["fields"]["sightline"]["cut"]
    assert "sightline" not in rows[0]["fields"] and rows[1]["fields"]["level"] == "info"
    (row,) = [row for row in ledger if row.source == source and row.token == token]
    assert (row.received, row.stored, row.refused) == (3, 3, 0) and row.cut >= 1


def test_bytes_that_are_no_text_become_text(front, stored):
    entries = part(2, part(1, integer(1, NOW_S)) + part(2, b"a=1 \xff\xfe"))
    entries += part(2, part(1, integer(1, NOW_S)) + part(2, b'b=1 {"x": "\xff"}'))
    entries += part(2, part(1, integer(1, NOW_S)) + part(2, b"c=1 fine"))
    body = pa.Codec("snappy").compress(part(1, part(1, b'{job="j"}') + entries), asbytes=True)
    post(f"{front.main}/loki/api/v1/push", body, 204, **PROTOBUF_HEADERS)
    rows, ledger = stored(3)
    assert [row["_raw"] for row in rows] == ["a=1 \ufffd", 'b=1 {"x": "\ufffd"}', "c=1 fine"]
    assert rows[0]["fields"]["sightline"]["cut"] == ["characters"] and "sightline" not in rows[2]["fields"]
    assert [row.cut for row in ledger] == [2]


# Values of OTLP, which has types of its own.

VALUES = {
    "empty": AnyValue(string_value=""),
    "zero": AnyValue(int_value=0),
    "nothing": AnyValue(double_value=0.0),
    "false": AnyValue(bool_value=False),
    "unset": AnyValue(),
    "nan": AnyValue(double_value=math.nan),
    "infinity": AnyValue(double_value=-math.inf),
    "largest": AnyValue(int_value=2**63 - 1),
    "smallest": AnyValue(int_value=-(2**63)),
    "list": AnyValue(array_value=ArrayValue(values=[AnyValue(int_value=1), AnyValue(string_value=""), AnyValue()])),
    "no list": AnyValue(array_value=ArrayValue()),
    "map": AnyValue(kvlist_value=KeyValueList(values=[KeyValue(key="a.b", value=AnyValue(bool_value=True))])),
    "bytes": AnyValue(bytes_value=b"\x00\xff"),
}
AS_STORED = {
    "empty": "",
    "zero": 0,
    "nothing": 0.0,
    "false": False,
    "nan": "nan",
    "infinity": "-inf",
    "largest": 2**63 - 1,
    "smallest": -(2**63),
    "list": ["1", ""],
    "no list": [],
    "map": {"a": {"b": True}},
    "bytes": "AP8=",
}


def attributes() -> list[KeyValue]:
    twice = [KeyValue(key="twice", value=AnyValue(int_value=n)) for n in (1, 2)]
    return [*(KeyValue(key=key, value=value) for key, value in VALUES.items()), *twice]


@pytest.mark.parametrize("signal", ["logs", "traces"])
def test_empty_zero_and_not_set_are_three_things(front, stored, signal):
    if signal == "logs":
        request = ExportLogsServiceRequest()
        one = request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=NOW_S * 10**9)
    else:
        request = ExportTraceServiceRequest()
        spans = request.resource_spans.add().scope_spans.add().spans
        one = spans.add(trace_id=b"1" * 16, span_id=b"2" * 8, start_time_unix_nano=NOW_S * 10**9)
    one.attributes.extend(attributes())
    post(f"{front.otlp}/v1/{signal}", request.SerializeToString(), **PROTOBUF_HEADERS)
    rows, _ = stored(1, "events" if signal == "logs" else "spans", "_time")
    assert rows[0]["fields"] == AS_STORED | {"twice": 1}


def test_points_keep_zero_and_no_value_apart(front, stored):
    request = ExportMetricsServiceRequest()
    metrics = request.resource_metrics.add().scope_metrics.add().metrics
    for name, values in (("zero", {"as_int": 0}), ("nan", {"as_double": math.nan}), ("gone", {"as_double": 1, "flags": 1})):
        point = metrics.add(name=name).gauge.data_points.add(time_unix_nano=NOW_S * 10**9, **values)
        point.attributes.extend([KeyValue(key="empty", value=AnyValue(string_value="")), KeyValue(key="unset")])
    metrics.add(name="infinity").gauge.data_points.add(time_unix_nano=NOW_S * 10**9, as_double=math.inf)
    post(f"{front.otlp}/v1/metrics", request.SerializeToString(), **PROTOBUF_HEADERS)
    rows, _ = stored(4, "metrics", "metric_name")
    assert {row["metric_name"]: row["value"] for row in rows} == {"zero": 0.0, "nan": None, "infinity": None, "gone": None}
    assert rows[-1]["fields"]["empty"] == ""


def test_more_fields_than_a_record_may_have_are_kept_as_one_text(front, stored, store):
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    for number in range(3):
        span = spans.add(trace_id=b"1" * 16, span_id=bytes([number + 1] * 8), start_time_unix_nano=NOW_S * 10**9 + number)
        if number == 1:
            span.attributes.add(key="prompt").value.string_value = "p" * 600_000
            for name in range(30_000):
                span.attributes.add(key=f"name {name}").value.string_value = "some text"
        span.attributes.add(key="n").value.int_value = number
    post(f"{front.otlp}/v1/traces", request.SerializeToString(), **PROTOBUF_HEADERS)
    rows, ledger = stored(3, "spans", "_time")
    fields = rows[1]["fields"]
    assert len(fields["prompt"]) == IngestSettings().max_value_bytes
    assert fields["name 0"] == "some text" and fields["sightline"]["rest"].startswith('{"name ')
    assert sorted(fields["sightline"]["cut"]) == ["fields", "value prompt"]
    assert [rows[n]["fields"] for n in (0, 2)] == [{"n": 0}, {"n": 2}]
    assert [(row.stored, row.refused, row.cut) for row in ledger] == [(3, 0, 2)]


# Times: missing, zero, before and after what a clock shows, and what no clock can show.

TIMES = {"now": NOW_S, "zero": 0, "the year 2200": YEAR_2200_S}


@pytest.mark.parametrize("name", TIMES)
@pytest.mark.parametrize("by", ["hec", "loki", "elasticsearch", "otlp", "zipkin", "signalfx", "prometheus", "otlp points"])
def test_a_time_that_can_be_held_is_kept(front, stored, by, name):
    seconds = TIMES[name]
    table = "events"
    if by == "hec":
        body = json.dumps({"event": "x", "time": seconds})
        post(f"{front.hec}/services/collector", body, Authorization="Splunk hec-good")
    elif by == "loki":
        stream = {"stream": {"job": "j"}, "values": [[str(seconds * 10**9), "x"]]}
        post(f"{front.main}/loki/api/v1/push", {"streams": [stream]}, 204, **JSON_HEADERS)
    elif by == "elasticsearch":
        stamp = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(seconds)) if seconds else ""
        post(
            f"{front.main}/elasticsearch/_bulk",
            f'{{"index":{{}}}}\n{{"@timestamp":"{stamp}","message":"x"}}\n',
            **JSON_HEADERS,
        )
    elif by == "otlp":
        request = ExportLogsServiceRequest()
        request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=seconds * 10**9).body.string_value = "x"
        post(f"{front.otlp}/v1/logs", request.SerializeToString(), **PROTOBUF_HEADERS)
    elif by == "zipkin":
        table = "spans"
        span = {"traceId": "ab", "id": "1", "timestamp": seconds * 10**6, "duration": 1}
        post(f"{front.main}/api/v2/spans", [span], 202, **JSON_HEADERS)
    elif by == "signalfx":
        table = "metrics"
        point = {"metric": "m", "value": 1, "timestamp": seconds * 1000}
        post(f"{front.main}/v2/datapoint", {"gauge": [point]}, 200, **JSON_HEADERS)
    elif by == "prometheus":
        table = "metrics"
        labels = part(1, part(1, "__name__") + part(2, "m"))
        body = pa.Codec("snappy").compress(part(1, labels + part(2, sample(1, seconds * 1000))), asbytes=True)
        post(f"{front.main}/api/v1/write", body, 204, **PROTOBUF_HEADERS, **{"Content-Encoding": "snappy"})
    else:
        table = "metrics"
        request = ExportMetricsServiceRequest()
        metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="m")
        metric.gauge.data_points.add(time_unix_nano=seconds * 10**9, as_int=1)
        post(f"{front.otlp}/v1/metrics", request.SerializeToString(), **PROTOBUF_HEADERS)
    rows, _ = stored(1, table, "_time")
    found = rows[0]["_time"].timestamp()
    # Zero is "not set" but for HEC and Prometheus, which know "not set" by another sign.
    if seconds or by in ("hec", "prometheus"):
        assert found == seconds
    else:
        assert abs(found - time.time()) < 60


def test_what_is_cut_can_be_searched(front, stored, store):
    by_otlp(front, ["before", "x" * LONG])
    _, _ = stored(2)
    deadline = time.monotonic() + 10
    while True:
        told = store.query(
            "SELECT source, fields.target_index.:String AS target, fields.cut.:Int64 AS cut, fields.reason.:String AS reason"
            " FROM sightline.events WHERE index = '_internal' AND fields.cut.:Int64 > 0"
        ).to_pylist()
        if told:
            break
        assert time.monotonic() < deadline
        store_ledger(store, front)
    reason = "the text of an event was longer than ingest.max_event_bytes"
    assert told == [{"source": "otlp:logs", "target": "main", "cut": 1, "reason": reason}]


def store_ledger(store, front) -> None:
    """What is noted in the ledger becomes events, as the loader does every few seconds."""
    Ledger(store, front.data / "journal", time.time).flush()


def test_durations_of_spans_have_one_unit(front, stored):
    request = ExportTraceServiceRequest()
    spans = request.resource_spans.add().scope_spans.add().spans
    start = NOW_S * 10**9
    for number, length in ((1, 1_500_000), (2, -5)):
        spans.add(
            trace_id=b"1" * 16, span_id=bytes([number] * 8), start_time_unix_nano=start, end_time_unix_nano=start + length
        )
    post(f"{front.otlp}/v1/traces", request.SerializeToString(), **PROTOBUF_HEADERS)
    span = {"traceId": "ab", "id": "3", "timestamp": NOW_S * 10**6, "duration": 1500}
    post(f"{front.main}/api/v2/spans", [span], 202, **JSON_HEADERS)
    rows, _ = stored(3, "spans", "trace_id, span_id")
    assert [row["duration_ns"] for row in rows] == [1_500_000, 1_500_000, 0]
