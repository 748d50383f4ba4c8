"""Prometheus remote write: both versions, native histograms, refusals, and Debian's Prometheus itself as the client."""

from __future__ import annotations

import json
import struct
import subprocess
import time

import httpx
import pyarrow as pa
import pytest

from sightline.store.promotion import field_text

from .clients import needs, path_of
from .conftest import free_ports

NOW_MS = 1_760_000_000_000


# A writer of protobuf for the few messages these tests send: field number, wire type, value.
def varint(value: int) -> bytes:
    value &= (1 << 64) - 1
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes(out) + bytes([value])


def sint(number: int, value: int) -> bytes:
    return varint(number << 3) + varint((value << 1) ^ (value >> 63))


def integer(number: int, value: int) -> bytes:
    return varint(number << 3) + varint(value)


def double(number: int, value: float) -> bytes:
    return varint(number << 3 | 1) + struct.pack("<d", value)


def part(number: int, body: bytes | str) -> bytes:
    data = body.encode() if isinstance(body, str) else body
    return varint(number << 3 | 2) + varint(len(data)) + data


def sample(value: float, timestamp: int) -> bytes:
    return double(1, value) + integer(2, timestamp)


def series(labels: dict[str, str], *samples: bytes, histograms: tuple[bytes, ...] = ()) -> bytes:
    body = b"".join(part(1, part(1, name) + part(2, value)) for name, value in labels.items())
    return part(1, body + b"".join(part(2, s) for s in samples) + b"".join(part(4, h) for h in histograms))


def write(front, body: bytes, **headers: str) -> httpx.Response:
    compressed = pa.Codec("snappy").compress(body, asbytes=True)
    usual = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
    return httpx.post(front.main + "/api/v1/write", content=compressed, headers=usual | headers, trust_env=False)


def rows(store, sql: str) -> list[dict]:
    return store.query(sql).to_pylist()


def test_samples_become_points_with_their_labels_as_dimensions(front, store, load):
    body = series(
        {"__name__": "http_requests_total", "job": "api", "instance": "web-1:9100", "code": "200", "path": 'a "b"\\'},
        sample(5, NOW_MS), sample(7.5, NOW_MS + 15_000),
    ) + series({"__name__": "temperature", "room": "é"}, sample(-3.25, NOW_MS), sample(float("nan"), NOW_MS + 1))  # fmt: skip
    answer = write(front, body)
    assert answer.status_code == 204, answer.text
    assert answer.headers["X-Prometheus-Remote-Write-Samples-Written"] == "4"
    load()
    found = rows(
        store,
        "SELECT index, metric_name, toUnixTimestamp64Milli(_time) AS t, value, type, is_monotonic, host, source,"
        " toString(dims) AS dims FROM sightline.metrics ORDER BY metric_name, t",
    )
    assert [(r["metric_name"], r["t"] - NOW_MS, r["value"]) for r in found] == [
        ("http_requests_total", 0, 5.0),
        ("http_requests_total", 15_000, 7.5),
        ("temperature", 0, -3.25),
        ("temperature", 1, None),
    ]
    counter, gauge = found[0], found[2]
    assert (counter["type"], counter["is_monotonic"], counter["host"]) == ("sum", True, "web-1")
    assert (counter["index"], counter["source"]) == ("metrics", "prometheus:api")
    assert counter["dims"] == '{"code":"200","instance":"web-1:9100","job":"api","path":"a \\"b\\"\\\\"}'
    assert (gauge["type"], gauge["is_monotonic"], gauge["dims"]) == ("gauge", False, '{"room":"é"}')


def test_a_native_histogram_is_kept_as_an_exponential_one(front, store, load):
    # Buckets 1, 2 and 5 hold 3, 4 and 1: a first span of two, a gap of two, a span of one; counts as differences.
    spans = part(11, sint(1, 1) + integer(2, 2)) + part(11, sint(1, 2) + integer(2, 1))
    deltas = part(12, b"".join(varint((d << 1) ^ (d >> 63)) for d in (3, 1, -3)))
    histogram = integer(1, 10) + double(3, 25.0) + sint(4, 0) + double(5, 0.001) + integer(6, 2) + spans + deltas
    histogram += integer(15, NOW_MS)
    answer = write(front, series({"__name__": "latency"}, histograms=(histogram,)))
    assert answer.status_code == 204 and answer.headers["X-Prometheus-Remote-Write-Histograms-Written"] == "1"
    load()
    (row,) = rows(store, "SELECT * EXCEPT dims FROM sightline.metrics")
    assert (row["type"], row["count"], row["sum"], row["value"]) == ("exponential_histogram", 10, 25.0, 2.5)
    assert (row["scale"], row["zero_count"], row["positive_offset"]) == (0, 2, 0)
    assert row["positive_counts"] == [3, 4, 0, 0, 1] and row["negative_counts"] == []


def test_version_2_has_its_labels_in_a_table_of_symbols(front, store, load):
    symbols = ["", "__name__", "jobs_done", "queue", "fast", "s"]
    body = b"".join(part(4, s) for s in symbols)
    refs = part(1, b"".join(map(varint, (1, 2, 3, 4))))
    body += part(5, refs + part(2, sample(3, NOW_MS)) + part(5, integer(1, 1) + integer(4, 5)))
    answer = write(front, body, **{"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"})
    assert answer.status_code == 204, answer.text
    load()
    (row,) = rows(store, "SELECT metric_name, value, type, unit, toString(dims) AS dims FROM sightline.metrics")
    assert row == {"metric_name": "jobs_done", "value": 3.0, "type": "sum", "unit": "s", "dims": '{"queue":"fast"}'}


def test_exemplars_are_kept_as_those_of_opentelemetry_are(front, store, load):
    def labels(**named):
        return b"".join(part(1, part(1, name) + part(2, value)) for name, value in named.items())

    first = labels(trace_id="5B8EFFF798038103D269B633813FC60C", span_id="eee19b7ec3c1b174", why='a "b"') + double(2, 0.25)
    second = labels(traceID="ab") + double(2, float("inf"))
    both = part(3, first + integer(3, NOW_MS)) + part(3, second + integer(3, NOW_MS + 5))
    named = labels(__name__="latency_bucket", le="0.5", job="api", instance="web-1:80")
    # Prometheus sends exemplars by themselves; other senders have them beside samples.
    body = part(1, named + both) + part(1, labels(__name__="hits_total") + part(2, sample(3, NOW_MS)) + part(3, first))
    answer = write(front, body)
    assert answer.status_code == 204 and answer.headers["X-Prometheus-Remote-Write-Exemplars-Written"] == "3"
    assert answer.headers["X-Prometheus-Remote-Write-Samples-Written"] == "1"

    symbols = ["", "__name__", "jobs_done", "trace_id", "aa", "queue", "fast"]
    second_version = b"".join(part(4, s) for s in symbols)
    exemplar = part(1, b"".join(map(varint, (3, 4, 5, 6)))) + double(2, 7.0) + integer(3, NOW_MS)
    second_version += part(5, part(1, b"".join(map(varint, (1, 2)))) + part(4, exemplar))
    answer = write(front, second_version, **{"Content-Type": "application/x-protobuf;proto=io.prometheus.write.v2.Request"})
    assert answer.status_code == 204 and answer.headers["X-Prometheus-Remote-Write-Exemplars-Written"] == "1"

    ledger = load().ledger.totals()
    assert {row.source: (row.received, row.stored) for row in ledger} == {
        "prometheus:write": (3, 3),
        "prometheus:write2": (1, 1),
    }
    found = rows(
        store,
        "SELECT metric_name, toUnixTimestamp64Milli(_time) AS t, value, type, host, exemplars, toString(dims) AS dims"
        " FROM sightline.metrics ORDER BY metric_name, value NULLS LAST",
    )
    hits, hits_exemplars, jobs, latency = found
    assert (hits["value"], hits["exemplars"], hits_exemplars["value"]) == (3.0, "", None)
    assert json.loads(jobs["exemplars"]) == [
        {"time_unix_nano": f"{NOW_MS}000000", "value": 7.0, "trace_id": "aa", "span_id": "", "attributes": {"queue": "fast"}}
    ]
    assert (latency["t"] - NOW_MS, latency["value"], latency["type"], latency["host"]) == (5, None, "sum", "web-1")
    assert json.loads(latency["dims"]) == {"le": "0.5", "job": "api", "instance": "web-1:80"}
    one, two = json.loads(latency["exemplars"])
    assert one == {
        "time_unix_nano": f"{NOW_MS}000000", "value": 0.25, "trace_id": "5b8efff798038103d269b633813fc60c",
        "span_id": "eee19b7ec3c1b174", "attributes": {"why": 'a "b"'},
    }  # fmt: skip
    assert (two["trace_id"], two["span_id"], two["attributes"]) == ("ab", "", {})


@pytest.mark.parametrize(
    ("headers", "status", "message"),
    [
        ({"Content-Encoding": "gzip"}, 415, 'unsupported content encoding "gzip", wanted snappy'),
        ({"Content-Type": "application/json"}, 415, 'unsupported content type "application/json"'),
        ({"Authorization": "Bearer nonsense"}, 401, "not a valid token"),
        ({"Authorization": "Bearer otlp-off"}, 403, 'the token "otlp-off" is disabled'),
    ],
)
def test_refusals_say_what_was_wanted(front, headers, status, message):
    answer = write(front, series({"__name__": "x"}, sample(1, NOW_MS)), **headers)
    assert answer.status_code == status and message in answer.text


def test_bodies_that_are_none_are_refused(front):
    def post(content: bytes) -> httpx.Response:
        headers = {"Content-Encoding": "snappy", "Content-Type": "application/x-protobuf"}
        return httpx.post(front.main + "/api/v1/write", content=content, headers=headers, trust_env=False)

    assert "does not begin with a length" in post(b"").text
    assert "not valid snappy" in post(b"\x05hello world").text
    assert write(front, b"\x0a\xff").status_code == 400
    # A length that promises more than the limit is refused before anything is inflated.
    assert post(varint(1 << 30) + b"\x00").status_code == 413


def test_a_token_decides_the_index(front, store, load):
    body = series({"__name__": "x"}, sample(1, NOW_MS))
    assert write(front, body, Authorization="Bearer hec-narrow").status_code == 204
    refused = write(front, body, Authorization="Bearer otlp-app")
    assert refused.status_code == 403 and "none of its indexes" in refused.text
    load()
    assert rows(store, "SELECT index FROM sightline.metrics") == [{"index": "app_metrics"}]


@needs("prometheus")
def test_prometheus_itself_writes_to_us(front, store, load, tmp_path):
    (port,) = free_ports(1)
    config = tmp_path / "prometheus.yml"
    config.write_text(
        "global: {scrape_interval: 1s}\n"
        f"scrape_configs: [{{job_name: self, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]\n"
        f"remote_write: [{{url: '{front.main}/api/v1/write', queue_config: {{batch_send_deadline: 1s}}}}]\n"
    )
    command = [path_of("prometheus"), f"--config.file={config}", f"--storage.tsdb.path={tmp_path / 'tsdb'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, cwd=tmp_path)
    try:
        end = time.monotonic() + 60
        while True:
            load()
            names = {r["metric_name"] for r in rows(store, "SELECT DISTINCT metric_name FROM sightline.metrics")}
            if {"up", "go_goroutines", "prometheus_http_requests_total"} <= names:
                break
            assert time.monotonic() < end and process.poll() is None, (names, process.stderr.read1(4000))
            time.sleep(0.5)
        (up,) = rows(
            store,
            "SELECT DISTINCT value AS up, host AS at,"
            f" {field_text('dims', 'job', store.json_paths('metrics'))} AS job FROM sightline.metrics"
            " WHERE metric_name = 'up' AND value IS NOT NULL",
        )
        assert up == {"up": 1.0, "at": "127.0.0.1", "job": "self"}
    finally:
        process.terminate()
        process.wait(20)
