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
from sightline.store.ledger import LedgerRow

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
