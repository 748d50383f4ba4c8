"""Profiles: OTLP's own over every transport, and Splunk's in log records, as events with a stack, a value and a span."""

import base64
import gzip
import json
import random
from pathlib import Path

import grpc
import httpx
import pytest
from google.protobuf import json_format
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest, ExportLogsServiceResponse
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import (
    ExportProfilesServiceRequest,
    ExportProfilesServiceResponse,
)

from sightline.receivers.otlp_requests import _PPROF

FIXTURES = Path(__file__).parent / "fixtures"
PROTOBUF, JSON = "application/x-protobuf", "application/json"
NOW = 1_763_900_000_000_000_000
SERVICE = "/opentelemetry.proto.collector.profiles.v1development.ProfilesService/Export"
TEXTS = ["", "main", "app.py", "work", "numpy.so", "cpu", "nanoseconds", "samples", "count", "thread.name", "MainThread"]
TEXTS += ["service.name", "trainer"]


def at(text: str) -> int:
    return TEXTS.index(text)


def profiles_request() -> ExportProfilesServiceRequest:
    """Two resources: three samples of one profile of the first, and one of the second."""
    request = ExportProfilesServiceRequest()
    tables = request.dictionary
    tables.string_table.extend(TEXTS)
    tables.mapping_table.add()
    tables.mapping_table.add(filename_strindex=at("numpy.so"))
    tables.function_table.add()
    for name in ("main", "work"):
        tables.function_table.add(name_strindex=at(name), filename_strindex=at("app.py"))
    tables.location_table.add()
    tables.location_table.add().lines.add(function_index=1, line=10)
    tables.location_table.add().lines.add(function_index=2, line=22)
    tables.location_table.add(mapping_index=1, address=0xBEEF)
    inlined = tables.location_table.add()
    inlined.lines.add(function_index=2, line=5)
    inlined.lines.add(function_index=1, line=6)
    tables.stack_table.add()
    tables.stack_table.add(location_indices=[3, 2, 1])
    tables.stack_table.add(location_indices=[4])
    tables.link_table.add()
    tables.link_table.add(trace_id=b"\1" * 16, span_id=b"\2" * 8)
    tables.attribute_table.add()
    tables.attribute_table.add(key_strindex=at("thread.name")).value.string_value_strindex = at("MainThread")
    first = request.resource_profiles.add()
    service = first.resource.attributes.add(key_strindex=at("service.name"))
    service.value.string_value_strindex = at("trainer")
    first.resource.attributes.add(key="host.name").value.string_value = "h1"
    scope = first.scope_profiles.add()
    scope.scope.name = "profiler"
    scope.profiles.add()
    profile = scope.profiles.add(time_unix_nano=NOW, duration_nano=5_000_000_000, period=50_000_000, profile_id=b"\7" * 16)
    profile.sample_type.type_strindex, profile.sample_type.unit_strindex = at("samples"), at("count")
    profile.period_type.type_strindex, profile.period_type.unit_strindex = at("cpu"), at("nanoseconds")
    profile.samples.add(stack_index=1, link_index=1, values=[3], attribute_indices=[1])
    profile.samples.add(stack_index=2, timestamps_unix_nano=[NOW + 10**9, NOW + 2 * 10**9])
    profile.samples.add(stack_index=99)
    second = request.resource_profiles.add().scope_profiles.add().profiles.add(time_unix_nano=NOW + 10**10)
    second.samples.add(stack_index=1, values=[4, 5])
    return request


@pytest.mark.parametrize("transport", ["protobuf", "json", "grpc"])
def test_samples_become_events_with_stack_value_and_span(front, load, store, transport):
    request = profiles_request()
    if transport == "grpc":
        with grpc.insecure_channel(front.grpc) as channel:
            assert channel.unary_unary(SERVICE)(request.SerializeToString()) == b""
    else:
        body = request.SerializeToString() if transport == "protobuf" else _json(request)
        reply = httpx.post(
            f"{front.otlp}/v1development/profiles",
            content=body,
            headers={"Content-Type": PROTOBUF if transport == "protobuf" else JSON},
        )
        assert (reply.status_code, reply.content) == (200, b"" if transport == "protobuf" else b"{}")
    loader = load()
    rows = store.query(
        "SELECT _time, index, host, source, sourcetype, trace_id, span_id, _raw, toJSONString(fields) AS fields"
        " FROM sightline.events ORDER BY _time, _raw"
    ).to_pylist()
    unknown, native, inlined, second = rows
    assert {(row["index"], row["sourcetype"]) for row in rows} == {("profiles", "otlp:profiles")}
    assert [row["_raw"] for row in rows] == [
        " 0",
        "main;work;numpy.so+0xbeef 3",
        "main;work 2",
        "main;work;numpy.so+0xbeef 9",
    ]
    assert (native["host"], native["source"]) == ("h1", "trainer")
    assert (native["trace_id"], native["span_id"]) == ("01" * 16, "02" * 8)
    assert (inlined["trace_id"], inlined["_time"].timestamp()) == ("", NOW / 1e9 + 1)
    common = {
        "service": {"name": "trainer"},
        "host": {"name": "h1"},
        "scope": {"name": "profiler"},
        "period": 50_000_000,
        "period_type": "cpu",
        "period_unit": "nanoseconds",
        "profile_duration_ns": 5_000_000_000,
        "profile_id": "07" * 16,
        "type": "samples",
        "unit": "count",
    }
    assert json.loads(native["fields"]) == common | {
        "stack": ["main", "work", "numpy.so+0xbeef"],
        "places": ["app.py:10", "app.py:22", "?"],
        "function": "numpy.so+0xbeef",
        "place": "?",
        "value": 3,
        "thread": {"name": "MainThread"},
    }
    assert json.loads(inlined["fields"]) == common | {
        "stack": ["main", "work"],
        "places": ["app.py:6", "app.py:5"],
        "function": "work",
        "place": "app.py:5",
        "value": 2,
        "observations": 2,
    }
    assert json.loads(unknown["fields"]) == common | {"value": 0}
    assert json.loads(second["fields"])["value"] == 9
    (ledger,) = [row for row in loader.ledger.totals() if row.source == "otlp:profiles"]
    assert (ledger.received, ledger.stored, ledger.refused) == (4, 4, 0)


def _json(request) -> str:
    """As OTLP writes it: ids in hexadecimal."""
    data = json_format.MessageToDict(request)
    for link in data["dictionary"]["linkTable"]:
        for key in link:
            link[key] = base64.b64decode(link[key]).hex()
    for resource in data["resourceProfiles"]:
        for profile in (p for scope in resource["scopeProfiles"] for p in scope["profiles"]):
            if "profileId" in profile:
                profile["profileId"] = base64.b64decode(profile["profileId"]).hex()
    return json.dumps(data)


def test_samples_without_a_dictionary_are_refused(front):
    request = profiles_request()
    request.ClearField("dictionary")
    reply = httpx.post(
        f"{front.otlp}/v1development/profiles", content=request.SerializeToString(), headers={"Content-Type": PROTOBUF}
    )
    assert (reply.status_code, b"without a dictionary" in reply.content) == (400, True)


def test_a_resource_names_its_index_and_the_response_counts_profiles(front, load, store, tokens):
    request = profiles_request()
    for resource, index in zip(request.resource_profiles, ("metrics", "app"), strict=True):
        resource.resource.attributes.add(key="com.splunk.index").value.string_value = index
    reply = httpx.post(
        f"{front.otlp}/v1development/profiles", content=request.SerializeToString(), headers={"Content-Type": PROTOBUF}
    )
    answer = ExportProfilesServiceResponse.FromString(reply.content).partial_success
    assert answer.rejected_profiles == 2
    assert 'index "metrics" holds metric data' in answer.error_message
    load()
    rows = store.query("SELECT index, _raw FROM sightline.events WHERE index != '_internal'").to_pylist()
    assert [tuple(row.values()) for row in rows] == [("app", "main;work;numpy.so+0xbeef 9")]


def test_a_large_profile_is_decoded_without_a_table_for_each_sample(front, load, store):
    """5,000 samples over tables of 1.5 MB: with a copy of the tables for each it would be 7 GB."""
    rng = random.Random(7)
    request = ExportProfilesServiceRequest()
    tables = request.dictionary
    names = [f"function_{n}_{'x' * 100}" for n in range(10_000)]
    tables.string_table.extend(["", *names])
    tables.function_table.add()
    tables.location_table.add()
    for n in range(1, 10_001):
        tables.function_table.add(name_strindex=n)
        tables.location_table.add().lines.add(function_index=n)
    stacks = [[rng.randint(1, 10_000) for _ in range(20)] for _ in range(1000)]
    tables.stack_table.add()
    for stack in stacks:
        tables.stack_table.add(location_indices=stack)
    profile = request.resource_profiles.add().scope_profiles.add().profiles.add(time_unix_nano=NOW)
    wanted = [rng.randint(1, 1000) for _ in range(5000)]
    for n, stack in enumerate(wanted):
        profile.samples.add(stack_index=stack, values=[n])
    reply = httpx.post(
        f"{front.otlp}/v1development/profiles",
        content=request.SerializeToString(),
        headers={"Content-Type": PROTOBUF},
        timeout=60,
    )
    assert reply.status_code == 200
    load()
    rows = store.query("SELECT fields.value.:Int64 AS n, _raw FROM sightline.events WHERE index = 'profiles' ORDER BY n")
    given = [f"{';'.join(names[n - 1] for n in reversed(stacks[stack - 1]))} {n}" for n, stack in enumerate(wanted)]
    assert rows["_raw"].to_pylist() == given


# Splunk's


def pprof_records() -> list[tuple]:
    """What the captured requests of Splunk's agent hold, read with a message of its own."""
    found = []
    for name in sorted(FIXTURES.glob("splunk_prof_*_logs.pb")):
        for resource in ExportLogsServiceRequest.FromString(name.read_bytes()).resource_logs:
            for scope in resource.scope_logs:
                found += [(scope.scope.name, record) for record in scope.log_records]
    return found


def test_captured_profiles_of_splunks_agent(front, load, store):
    for name in sorted(FIXTURES.glob("splunk_prof_*_logs.pb")):
        reply = httpx.post(f"{front.otlp}/v1/logs", content=name.read_bytes(), headers={"Content-Type": PROTOBUF})
        assert (reply.status_code, reply.content) == (200, b"")
    loader = load()
    profiles = [record for scope, record in pprof_records() if scope == "otel.profiling"]
    others = [record for scope, record in pprof_records() if scope != "otel.profiling"]
    unpacked = [gzip.decompress(base64.b64decode(record.body.string_value)) for record in profiles]
    samples = sum(len(_PPROF["Profile"].FromString(profile).sample) for profile in unpacked)
    frames = sum(a.value.int_value for r in profiles for a in r.attributes if a.key == "profiling.data.total.frame.count")
    (told,) = store.query(
        "SELECT count() AS samples, sum(length(fields.stack.:`Array(Nullable(String))`)) AS frames,"
        " countIf(length(fields.stack.:`Array(Nullable(String))`) = length(fields.places.:`Array(Nullable(String))`)) AS same,"
        " countIf(trace_id != '') AS linked, groupUniqArray(fields.type.:String) AS types, groupUniqArray(fields.unit.:String) AS units,"
        " countIf(fields.value.:Int64 = fields.source.event.period.:Int64) AS valued"
        " FROM sightline.events WHERE index = 'profiles' AND sourcetype = 'otel.profiling'"
    ).to_pylist()
    assert told["samples"] == told["same"] == told["valued"] == samples > 100
    assert told["frames"] == frames
    assert told["linked"] > 0
    assert (told["types"], told["units"]) == (["cpu"], ["milliseconds"])
    hot = store.query(
        "SELECT trace_id, span_id, _raw, toUnixTimestamp64Milli(_time) AS at FROM sightline.events"
        " WHERE index = 'profiles' AND fields.function.:String = 'hot' AND span_id = '6c168f200ddf9a52' ORDER BY _time LIMIT 1"
    ).to_pylist()[0]
    assert hot["trace_id"] == "8d2b1dd41d3b23bc241d34c3cfecd719"
    assert hot["at"] == 1795413748252
    assert hot["_raw"].endswith(";dispatch_request;p;hot 100")
    assert store.query("SELECT count() AS n FROM sightline.events WHERE index = 'main'")["n"].to_pylist() == [len(others)]
    totals = {row.source: (row.received, row.stored, row.refused) for row in loader.ledger.totals()}
    assert totals["otlp:pprof"] == (samples, samples, 0)
    assert totals["otlp:logs"] == (len(others), len(others), 0)


def test_ids_without_the_zeros_in_front_are_those_of_spans(front, load, store):
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    scope.scope.name = "otel.profiling"
    for _, record in (one for one in pprof_records() if one[0] == "otel.profiling"):
        profile = gzip.decompress(base64.b64decode(record.body.string_value))
        # Two entries of the table of texts, each a digit or more shorter.
        profile = profile.replace(b"\x32\x106c168f200ddf9a52", b"\x32\x0fc168f200ddf9a52")
        profile = profile.replace(b"\x32\x208d2b1dd41d3b23bc241d34c3cfecd719", b"\x32\x1db1dd41d3b23bc241d34c3cfecd719")
        record.body.string_value = base64.b64encode(gzip.compress(profile)).decode()
        scope.log_records.append(record)
    reply = httpx.post(f"{front.otlp}/v1/logs", content=request.SerializeToString(), headers={"Content-Type": PROTOBUF})
    assert reply.status_code == 200
    load()
    found = store.query(
        "SELECT DISTINCT trace_id FROM sightline.events WHERE index = 'profiles' AND span_id = '0c168f200ddf9a52'"
    )
    assert found["trace_id"].to_pylist() == ["000b1dd41d3b23bc241d34c3cfecd719"]


def test_a_profile_that_cannot_be_read_is_refused_alone(front, load, store):
    good = next(record for scope, record in pprof_records() if scope == "otel.profiling")
    request = ExportLogsServiceRequest()
    scope = request.resource_logs.add().scope_logs.add()
    scope.scope.name = "otel.profiling"
    for body in (good.body.string_value, "no base64!", base64.b64encode(gzip.compress(b"\xff")).decode()):
        record = scope.log_records.add(time_unix_nano=NOW)
        record.body.string_value = body
        record.attributes.extend(good.attributes)
    scope.log_records.add(time_unix_nano=NOW).body.string_value = "of an older format"
    reply = httpx.post(f"{front.otlp}/v1/logs", content=request.SerializeToString(), headers={"Content-Type": PROTOBUF})
    answer = ExportLogsServiceResponse.FromString(reply.content).partial_success
    assert answer.rejected_log_records == 2
    assert "with a profile that cannot be read" in answer.error_message
    load()
    rows = store.query(
        "SELECT index, count() AS n FROM sightline.events WHERE index != '_internal' GROUP BY index ORDER BY index"
    )
    assert rows.to_pylist() == [{"index": "main", "n": 1}, {"index": "profiles", "n": 4}]
