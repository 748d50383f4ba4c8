"""The compiled look at a request says yes only where a closer look finds no fault."""

import subprocess
import sys

import pytest
from google.protobuf.message import DecodeError
from hypothesis import HealthCheck, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValue, KeyValueList

from sightline import machinecode
from sightline.config import IngestSettings
from sightline.machinecode.machine import Machine
from sightline.receivers import otlp_looks, otlp_requests
from sightline.receivers.otlp_requests import Unreadable, check_protobuf

ALL = limits(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
NOW = 1_700_000_000_000_000_000


@pytest.fixture(scope="module", autouse=True)
def compiled():
    if machinecode.load("check") is None:
        subprocess.run([sys.executable, "-m", "sightline.store.compiled"], check=True)
    otlp_looks.load()


def attribute(key, **value):
    return KeyValue(key=key, value=AnyValue(**value))


texts = st.text(max_size=20) | st.sampled_from(["a", "com.splunk.index", "otel.profiling", "ünïcödé ✓ 🐢"])
values = st.recursive(
    st.builds(AnyValue, string_value=texts)
    | st.builds(AnyValue, int_value=st.integers(-(1 << 63), (1 << 63) - 1))
    | st.builds(AnyValue, double_value=st.floats())
    | st.builds(AnyValue, bytes_value=st.binary(max_size=9)),
    lambda inner: (
        st.builds(AnyValue, array_value=st.builds(ArrayValue, values=st.lists(inner, max_size=3)))
        | st.builds(
            AnyValue,
            kvlist_value=st.builds(KeyValueList, values=st.lists(st.builds(KeyValue, key=texts, value=inner), max_size=2)),
        )
    ),
    max_leaves=4,
)
attributes = st.lists(st.builds(KeyValue, key=texts, value=values), max_size=4)
times = st.sampled_from([0, NOW, NOW, NOW + 5, 1 << 63, (1 << 64) - 1])


def around(request, resources, scopes, records, inside):
    """Requests of these records."""
    return st.builds(
        lambda resource, scope, found: request(
            **{resources: [{"resource": {"attributes": resource}, scopes: [{"scope": {"name": scope}, records: found}]}]}
        ),
        attributes,
        texts,
        st.lists(inside, max_size=4),
    )


spans = st.fixed_dictionaries(
    {
        "trace_id": st.sampled_from([b"t" * 16] * 4 + [b"", b"\0" * 16, b"t"]), "name": texts, "attributes": attributes,
        "span_id": st.sampled_from([b"s" * 8] * 4 + [b"\0" * 8]), "start_time_unix_nano": times, "end_time_unix_nano": times,
        "events": st.lists(st.fixed_dictionaries({"name": texts, "attributes": attributes}), max_size=1),
        "status": st.fixed_dictionaries({"message": texts}), "flags": st.integers(0, (1 << 32) - 1),
    }
)  # fmt: skip
records = st.fixed_dictionaries(
    {
        "time_unix_nano": times,
        "observed_time_unix_nano": times,
        "body": values,
        "attributes": attributes,
        "flags": st.just(1),
    }
)
points = st.fixed_dictionaries({"time_unix_nano": times, "as_double": st.floats(), "attributes": attributes})
histograms = st.fixed_dictionaries(
    {"time_unix_nano": times, "bucket_counts": st.lists(st.integers(0, 9), max_size=3), "explicit_bounds": st.just([0.5, 1])}
)
exponential = st.fixed_dictionaries(
    {
        "time_unix_nano": times,
        "positive": st.fixed_dictionaries({"bucket_counts": st.lists(st.integers(0, 1 << 40), max_size=3)}),
    }
)


def metric(kind, inside):
    return st.fixed_dictionaries({"name": texts, kind: st.fixed_dictionaries({"data_points": st.lists(inside, max_size=3)})})


metrics = (
    metric("gauge", points) | metric("sum", points) | metric("histogram", histograms) | st.just({"name": "none"})
    | metric("exponential_histogram", exponential)
)  # fmt: skip
REQUESTS = {
    ExportTraceServiceRequest: around(ExportTraceServiceRequest, "resource_spans", "scope_spans", "spans", spans),
    ExportLogsServiceRequest: around(ExportLogsServiceRequest, "resource_logs", "scope_logs", "log_records", records),
    ExportMetricsServiceRequest: around(
        ExportMetricsServiceRequest, "resource_metrics", "scope_metrics", "metrics", metrics
    ),
}


def closely(request, body):
    """What protobuf and the checks record by record say; None for what cannot be read."""
    checked = otlp_requests.Checked()
    try:
        request.FromString(body)
        otlp_requests._check(request, body, IngestSettings(), checked)
    except (DecodeError, Unreadable):
        return None
    return checked


@pytest.mark.parametrize("request_type", REQUESTS)
def test_yes_means_that_a_closer_look_finds_nothing(request_type):
    @ALL
    @given(
        REQUESTS[request_type], st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=2), st.integers(0, 9)
    )
    def holds(message, changes, cut):
        body = bytearray(message.SerializeToString())
        for at, byte in changes:
            if at < len(body):
                body[at] = byte
        body = bytes(body[: len(body) - (cut if cut < 3 else 0)])
        found = otlp_looks.usual_records(request_type, body)
        if found is None:
            return
        checked = closely(request_type, body)
        assert checked is not None
        assert not checked.refused
        assert not checked.warned
        assert {name: group.records for name, group in checked.groups.items()} == ({"": found} if found else {})
        assert not checked.pprof.pieces

    holds()


def usual(count=3):
    span = {
        "trace_id": b"t" * 16, "span_id": b"s" * 8, "start_time_unix_nano": NOW, "end_time_unix_nano": NOW + 1, "flags": 257,
        "attributes": [attribute("route", string_value="/ü"), attribute("n", int_value=-1), attribute("d", double_value=0.5)],
        "events": [{"name": "e", "time_unix_nano": NOW}], "links": [{"trace_id": b"t" * 16}], "status": {"code": 1},
    }  # fmt: skip
    return ExportTraceServiceRequest(
        resource_spans=[
            {
                "resource": {"attributes": [attribute("service.name", string_value="shop")]},
                "scope_spans": [{"scope": {"name": "lib"}, "spans": [span] * count}],
            }
        ]
    )


def test_usual_requests_need_no_closer_look():
    assert otlp_looks.usual_records(ExportTraceServiceRequest, usual().SerializeToString()) == 3
    log = {"time_unix_nano": NOW, "body": {"string_value": "said"}, "attributes": [attribute("a", bool_value=True)]}
    logs = ExportLogsServiceRequest(resource_logs=[{"scope_logs": [{"log_records": [log] * 5}]}])
    assert otlp_looks.usual_records(ExportLogsServiceRequest, logs.SerializeToString()) == 5
    point = {"time_unix_nano": NOW, "as_int": 3, "attributes": [attribute("a", string_value="x")]}
    buckets = {"time_unix_nano": NOW, "bucket_counts": [1, 2], "explicit_bounds": [0.5], "count": 3, "sum": 1.5}
    metrics = [
        {"name": "up", "unit": "1", "gauge": {"data_points": [point]}},
        {"name": "done", "sum": {"data_points": [point, point], "aggregation_temporality": 2, "is_monotonic": True}},
        {"name": "took", "histogram": {"data_points": [buckets]}},
    ]
    sent = ExportMetricsServiceRequest(resource_metrics=[{"scope_metrics": [{"metrics": metrics}]}])
    assert otlp_looks.usual_records(ExportMetricsServiceRequest, sent.SerializeToString()) == 4


def test_what_names_an_index_or_holds_a_profile_is_looked_at_closely():
    named = usual()
    named.resource_spans[0].resource.attributes.append(attribute("com.splunk.index", string_value="other"))
    assert otlp_looks.usual_records(ExportTraceServiceRequest, named.SerializeToString()) is None
    logs = ExportLogsServiceRequest(
        resource_logs=[{"scope_logs": [{"scope": {"name": "otel.profiling"}, "log_records": [{}]}]}]
    )
    assert otlp_looks.usual_records(ExportLogsServiceRequest, logs.SerializeToString()) is None


def test_a_message_deeper_than_the_code_reads_is_left_to_protobuf():
    value = AnyValue(string_value="x")
    for _ in range(30):
        value = AnyValue(array_value=ArrayValue(values=[value]))
    deep = usual(1)
    deep.resource_spans[0].scope_spans[0].spans[0].attributes.append(KeyValue(key="deep", value=value))
    body = deep.SerializeToString()
    assert otlp_looks.usual_records(ExportTraceServiceRequest, body) is None
    assert check_protobuf(ExportTraceServiceRequest, body, IngestSettings()).groups[""].records == 1


def test_without_machine_code_protobuf_reads_everything(monkeypatch):
    monkeypatch.setattr(machinecode, "load", lambda name: None)
    monkeypatch.setattr(otlp_looks, "_machine", Machine("check"))
    body = usual().SerializeToString()
    assert otlp_looks.usual_records(ExportTraceServiceRequest, body) is None
    assert check_protobuf(ExportTraceServiceRequest, body, IngestSettings()).groups[""].records == 3
