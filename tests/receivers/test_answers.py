"""What every protocol's clients are answered: success, a fault of theirs, too much, and come later.

The table is that of the guide (sending data, "What a client is answered"). Later is what the clients of a protocol send again for:
Prometheus only 5xx unless it is told otherwise, OpenTelemetry's for Python 408 and 5xx, shippers for Elasticsearch 429 alone.
"""

import json
import time

import httpx
import pyarrow as pa
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from .conftest import Front

PROTOBUF = "application/x-protobuf"


def logs():
    message = ExportLogsServiceRequest()
    message.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=time.time_ns()).body.string_value = "x" * 40
    return message.SerializeToString()


def samples():
    """A series `a` with one sample, as remote write 1.0 has it."""
    label = b"\x0a\x08__name__\x12\x01a"
    sample = b"\x09" + b"\x00" * 8 + b"\x10\x01"
    series = b"\x0a" + bytes([len(label)]) + label + b"\x12" + bytes([len(sample)]) + sample
    return pa.Codec("snappy").compress(b"\x0a" + bytes([len(series)]) + series, asbytes=True)


def snappy_of_nothing():
    return pa.Codec("snappy").compress(b"\xff" * 40, asbytes=True)


# protocol: listener, path, headers, body, a body that is wrong, and the statuses of success, fault, too much, later
CASES = {
    "otlp": ("otlp", "/v1/logs", {"Content-Type": PROTOBUF}, logs(), b"\xff" * 40, (200, 400, 413, 503)),
    "otlp json": ("otlp", "/v1/logs", {"Content-Type": "application/json"}, b"{}" + b" " * 50, b"[" * 40, (200, 400, 413, None)),
    "hec": (
        "hec", "/services/collector", {"Authorization": "Splunk hec-good"}, b'{"event":"x"}' + b" " * 50, b"{" * 40,
        (200, 400, 413, 503),
    ),
    "hec raw": ("hec", "/services/collector/raw", {"Authorization": "Splunk hec-good"}, b"text " * 10, None, (200, None, 413, 503)),
    "prometheus": (
        "main", "/api/v1/write", {"Content-Type": PROTOBUF, "Content-Encoding": "snappy"}, samples(), snappy_of_nothing(),
        (204, 400, 413, 503),
    ),
    "loki": (
        "main", "/loki/api/v1/push", {"Content-Type": "application/json"},
        json.dumps({"streams": [{"stream": {"a": "b"}, "values": [[str(time.time_ns()), "x"]]}]}).encode(), b"[" * 40,
        (204, 400, 413, 503),
    ),
    "elasticsearch": (
        "main", "/elasticsearch/_bulk", {"Content-Type": "application/x-ndjson"}, b'{"create":{}}\n{"message":"a text"}\n', b"{" * 40,
        (200, 400, 413, 429),
    ),
    "zipkin": (
        "main", "/api/v2/spans", {"Content-Type": "application/json"},
        b'[{"traceId":"5b8efff798038103d269b633813fc60c","id":"eee19b7ec3c1b174","timestamp":1764115200000000}]', b"{" * 40,
        (202, 400, 413, 503),
    ),
    "signalfx": (
        "main", "/v2/datapoint", {"Content-Type": "application/json"}, b'{"gauge":[{"metric":"m","value":1,"dimensions":{}}]}',
        b"[" * 40, (200, 400, 413, 503),
    ),
    "collectd": (
        "main", "/collectd", {"Content-Type": "application/json"},
        b'[{"values":[1],"dstypes":["gauge"],"dsnames":["value"],"time":1764115200,"interval":10,"host":"h","plugin":"p","type":"t"}]',
        b"{" * 40, (200, 400, 413, 503),
    ),
}  # fmt: skip


def send(front, name, body):
    listener, path, headers, *_ = CASES[name]
    return httpx.post(getattr(front, listener) + path, content=body, headers=headers)


@pytest.fixture(scope="module")
def fronts(tmp_path_factory):
    from .conftest import Tokens

    settings = {"takes": {}, "small": {"max_body_bytes": 30}, "full": {"disk_reserve_bytes": 1 << 60}}
    made = {name: Front(tmp_path_factory.mktemp(name), Tokens(), **each) for name, each in settings.items()}
    yield made
    for each in made.values():
        each.close()


@pytest.mark.parametrize("name", CASES)
def test_every_protocol_has_its_answers(fronts, name):
    *_, body, wrong, (success, fault, too_much, later) = CASES[name]
    reply = send(fronts["takes"], name, body)
    assert reply.status_code == success, reply.text
    if fault:
        reply = send(fronts["takes"], name, wrong)
        assert reply.status_code == fault and reply.content, reply.text
    assert send(fronts["small"], name, body).status_code == too_much
    if later:
        reply = send(fronts["full"], name, body)
        assert reply.status_code == later and int(reply.headers["retry-after"]) > 0, reply.text
