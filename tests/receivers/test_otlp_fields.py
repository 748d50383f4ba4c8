"""Every field of OTLP's messages is stored, or is named here as one that is not kept.

The messages are walked by their descriptors, so a field that a new version adds fails here until it is decided on.
"""

import json
from itertools import count

import httpx
import pytest
from google.protobuf.descriptor import FieldDescriptor
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

NOT_KEPT = {
    "ResourceMetrics.scope_metrics.metrics.description": "text for every point; the name and the unit are kept",
    "ResourceMetrics.scope_metrics.metrics.metadata": "it must not tell series apart, so it is no dimension",
    "ResourceMetrics.resource.entity_refs": "dimensions name the resource by its attributes",
    "ResourceMetrics.resource.dropped_attributes_count": "it would tell series apart",
    "ResourceMetrics.schema_url": "it would tell series apart",
    "ResourceMetrics.scope_metrics.scope.dropped_attributes_count": "it would tell series apart",
    "ResourceLogs.scope_logs.log_records.observed_time_unix_nano": "it is the time where there is no other",
}
"""Fields, and what is below them, with the reason why they are not kept. The guide says so too."""
ELSEWHERE = {"string_value_strindex", "key_strindex"}
"""Fields that only profiles use."""

SPECIAL = {
    "spans.kind": (3, "client"),
    "spans.flags": (0x307, '"parent_is_remote":true'),
    "status.code": (2, "error"),
    "log_records.severity_number": (18, '"severity_number":18'),
    "log_records.flags": (0x0B, '"trace_flags":11'),
    "aggregation_temporality": (1, "delta"),
    "is_monotonic": (True, '"is_monotonic":true'),
    # Bit 0 would say that there is no value; no other one means anything yet.
    "data_points.flags": (0, ""),
    "bucket_counts": ([101, 102], "101,102"),
    "explicit_bounds": ([0.125], "0.125"),
    "id_keys": (["key of id"], "key of id"),
    "description_keys": (["key of description"], "key of description"),
    "data_points.scale": (-3, '"scale":-3'),
    "positive.offset": (-41, '"positive_offset":-41'),
    "negative.offset": (-43, '"negative_offset":-43'),
}
TIME_NS = 1_763_900_000_000_000_000


class Filler:
    """Fills a message with values that occur once, and knows what each must look like in a row."""

    def __init__(self) -> None:
        self.numbers = count(1001)
        self.expected: dict[str, str] = {}

    def fill(self, message, path: str, choices: tuple[str, ...]) -> None:
        for field in message.DESCRIPTOR.fields:
            here = f"{path}.{field.name}"
            if field.name in ELSEWHERE:
                continue
            oneof = field.containing_oneof
            if oneof and len(oneof.fields) > 1 and field.name not in choices:
                continue
            special = next((s for name, s in SPECIAL.items() if here.endswith(name)), None)
            if special:
                value, self.expected[here] = special
                if isinstance(value, list):
                    getattr(message, field.name).extend(value)
                else:
                    setattr(message, field.name, value)
            elif field.type == FieldDescriptor.TYPE_MESSAGE:
                child = getattr(message, field.name)
                self.fill(child.add() if field.is_repeated else child, here, choices)
            else:
                value, self.expected[here] = self.value(field)
                setattr(message, field.name, value)
                assert getattr(message, field.name) == value, here

    def value(self, field):
        number = next(self.numbers)
        if "time_unix_nano" in field.name:
            value = TIME_NS + number * 1_000_000
            return value, str(value // 1_000_000)
        if field.name in ("trace_id", "span_id", "parent_span_id"):
            value = number.to_bytes(16 if field.name == "trace_id" else 8, "big")
            return value, value.hex()
        if field.type == FieldDescriptor.TYPE_STRING:
            return f"text {number}", f"text {number}"
        if field.type in (FieldDescriptor.TYPE_DOUBLE, FieldDescriptor.TYPE_FLOAT):
            return number + 0.25, f"{number}.25"
        return number, str(number)


def rows_of(store, table: str) -> list[str]:
    """Each row as one text, with its times also in milliseconds."""
    times = {"spans": ("_time",), "events": ("_time",), "metrics": ("_time", "start_time")}[table]
    more = ", ".join(f"toUnixTimestamp64Milli(CAST({name} AS DateTime64(3, 'UTC'))) AS {name}_ms" for name in times)
    if table == "spans":
        more += ", toUnixTimestamp64Milli(CAST(_time AS DateTime64(3, 'UTC'))) + intDiv(duration_ns, 1000000) AS end_ms"
    attributes = "dims" if table == "metrics" else "fields"
    sql = f"SELECT * REPLACE (toJSONString({attributes}) AS {attributes}), {more} FROM sightline.{table} WHERE index != '_internal'"
    texts = []
    for row in store.query(sql).to_pylist():
        row = {
            name: str(value) if not isinstance(value, bool | list | int | float | str) else value
            for name, value in row.items()
        }
        texts.append(json.dumps(row, separators=(",", ":"), ensure_ascii=False).replace('\\"', '"').replace('\\\\"', '"'))
    return texts


@pytest.mark.parametrize(
    ("signal", "request_type", "table", "choices"),
    [
        ("traces", ExportTraceServiceRequest, "spans", ("string_value",)),
        ("logs", ExportLogsServiceRequest, "events", ("string_value",)),
        *(
            ("metrics", ExportMetricsServiceRequest, "metrics", ("string_value", value, data))
            for data, value in (
                ("gauge", "as_double"),
                ("sum", "as_int"),
                ("histogram", "as_double"),
                ("exponential_histogram", "as_int"),
                ("summary", "as_double"),
            )
        ),
    ],
)
def test_every_field_is_stored_or_named_as_not_kept(front, load, store, signal, request_type, table, choices):
    request = request_type()
    filler = Filler()
    (resources,) = request.DESCRIPTOR.fields
    filler.fill(getattr(request, resources.name).add(), resources.message_type.name, choices)
    reply = httpx.post(
        f"{front.otlp}/v1/{signal}", content=request.SerializeToString(), headers={"Content-Type": "application/x-protobuf"}
    )
    assert (reply.status_code, reply.content) == (200, b"")
    load()
    (row,) = rows_of(store, table)
    missing = [path for path, text in filler.expected.items() if text not in row]
    surprising = [path for path in missing if not path.startswith(tuple(NOT_KEPT))]
    assert not surprising, f"{surprising} in {row}"
    stale = [path for path in set(filler.expected) - set(missing) if path.startswith(tuple(NOT_KEPT))]
    assert not stale, f"named as not kept, and kept: {stale}"


def post(front, signal: str, body: dict) -> None:
    reply = httpx.post(f"{front.otlp}/v1/{signal}", json=body)
    assert (reply.status_code, reply.json()) == (200, {})


def test_an_id_of_zeros_is_no_id(front, load, store):
    ids = {"traceId": "0" * 31 + "1", "spanId": "0" * 15 + "2", "parentSpanId": "0" * 16}
    post(front, "traces", {"resourceSpans": [{"scopeSpans": [{"spans": [{**ids, "name": "root"}]}]}]})
    records = [{"traceId": "0" * 32, "spanId": "0" * 16}, {"traceId": ids["traceId"], "spanId": ids["spanId"]}, {}]
    post(front, "logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})
    load()
    assert store.query("SELECT parent_span_id FROM sightline.spans")["parent_span_id"].to_pylist() == [""]
    rows = store.query("SELECT trace_id, span_id FROM sightline.events WHERE index = 'main' ORDER BY trace_id").to_pylist()
    assert [tuple(row.values()) for row in rows] == [("", ""), ("", ""), (ids["traceId"], ids["spanId"])]


def test_severity_keeps_what_its_word_does_not_say(front, load, store):
    given = [
        ({"severityNumber": 9, "severityText": "INFO"}, "info", {}),
        ({"severityNumber": 10, "severityText": "Notice"}, "info", {"severity_number": 10, "severity_text": "Notice"}),
        ({"severityNumber": 13, "severityText": "WARNING"}, "warn", {}),
        ({"severityText": "Critical"}, "fatal", {}),
        ({"severityNumber": 24}, "fatal", {"severity_number": 24}),
        ({}, "", {}),
    ]
    records = [{"timeUnixNano": str(TIME_NS + n * 1_000_000), **record} for n, (record, _, _) in enumerate(given)]
    post(front, "logs", {"resourceLogs": [{"scopeLogs": [{"logRecords": records}]}]})
    load()
    rows = store.query("SELECT severity, toJSONString(fields) AS fields FROM sightline.events ORDER BY _time").to_pylist()
    assert [(row["severity"], json.loads(row["fields"])) for row in rows] == [(word, more) for _, word, more in given]


def test_source_and_sourcetype_as_splunks_collectors_name_them(front, load, store):
    def attributes(**values):
        return [{"key": f"com.splunk.{key}", "value": {"stringValue": value}} for key, value in values.items()]

    resource = {"attributes": [*attributes(source="/var/log/app", sourcetype="app"), *attributes(index="main")]}
    records = [
        {"body": {"stringValue": "a"}},
        {"body": {"stringValue": "b"}, "attributes": attributes(sourcetype="app:slow")},
    ]
    post(front, "logs", {"resourceLogs": [{"resource": resource, "scopeLogs": [{"logRecords": records}]}]})
    load()
    rows = store.query(
        "SELECT _raw, source, sourcetype FROM sightline.events WHERE index = 'main' ORDER BY _raw"
    ).to_pylist()
    assert [tuple(row.values()) for row in rows] == [("a", "/var/log/app", "app"), ("b", "/var/log/app", "app:slow")]


def test_values_of_points_at_their_edges(front, load, store):
    values = [
        {"asDouble": "NaN"},
        {"asDouble": "Infinity"},
        {"asDouble": "-Infinity"},
        {"asDouble": -0.0},
        {"asDouble": 0},
        {"asInt": "0"},
        {"asInt": "-9007199254740991"},
        {"asDouble": 5e-324},
        {"asDouble": 1.7976931348623157e308},
        {"asDouble": 7, "flags": 1},
        {},
    ]
    points = [{"timeUnixNano": str(TIME_NS + n * 1_000_000), **value} for n, value in enumerate(values)]
    post(
        front,
        "metrics",
        {"resourceMetrics": [{"scopeMetrics": [{"metrics": [{"name": "m", "gauge": {"dataPoints": points}}]}]}]},
    )
    load()
    rows = store.query("SELECT value FROM sightline.metrics WHERE metric_name = 'm' ORDER BY _time")["value"].to_pylist()
    # What is no number would make every mean and sum over the metric none, so there is no value.
    assert str(rows[3]) == "-0.0"
    assert rows == [
        None, None, None, 0.0, 0.0, 0.0, -9007199254740991.0, 5e-324, 1.7976931348623157e308, None, None,
    ]  # fmt: skip
