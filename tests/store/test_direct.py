"""The compiled decoders give what the engine's statements give, or leave a segment to them."""

import itertools
import json
import math
import struct
import subprocess
import sys
from dataclasses import dataclass

import numpy as np
import orjson
import pytest
from hypothesis import HealthCheck, Phase, given
from hypothesis import settings as limits
from hypothesis import strategies as st
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, InstrumentationScope, KeyValue, KeyValueList
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData, ResourceLogs, ScopeLogs
from opentelemetry.proto.metrics.v1.metrics_pb2 import (
    Exemplar,
    ExponentialHistogramDataPoint,
    HistogramDataPoint,
    Metric,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    SummaryDataPoint,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import ResourceSpans, ScopeSpans, Span, Status, TracesData

from sightline.config import IngestSettings, Settings
from sightline.journal import JournalWriter
from sightline.segments import check_frames, encode_frame
from sightline.store import decoding
from sightline.store.compiled import Compiled, NotCompiled
from sightline.store.compiled.texts import gather
from sightline.store.direct import DirectDecoder
from sightline.store.loading import Loader
from sightline.store.sql_text import identifier

ALL = limits(
    max_examples=12,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    phases=[Phase.explicit, Phase.reuse, Phase.generate],
)


@pytest.fixture(scope="module", autouse=True)
def compiled():
    subprocess.run([sys.executable, "-m", "sightline.store.compiled"], check=True)


class Segments:
    """Segments of one kind, read in both ways."""

    def __init__(self, store, folder):
        self.store = store
        self.folder = folder
        self.number = 0

    def write(self, kind, frames):
        """A segment of (index, body, records)."""
        self.number += 1
        path = self.folder / f"{kind}{self.number}.segment"
        with path.open("wb") as file:
            for index, body, records in frames:
                file.write(encode_frame(body, token="t", index=index, received_ms=1_700_000_000_123, records=records) + body)
        return path

    def promote(self, kind, frames, min_rows=1):
        """Give what is in these a column."""
        sql, settings = decoding.sample_statement(kind, self.write(kind, frames))
        sample = self.store.query(sql, settings=settings)
        self.store.promoted.learn(decoding.KINDS[kind].table, sample, min_rows)

    def by_statement(self, kind, path):
        """The rows as the engine's statements give them."""
        columns, select = decoding.divided(
            decoding.without_ids(kind, decoding.select_statement(kind, path)), decoding.KINDS[kind].columns.split(),
            decoding.KINDS[kind].table, self.promoted(kind),
        )  # fmt: skip
        return self.read(kind, columns, select, None, decoding.settings(kind))

    def directly(self, kind, path, ingest=None):
        """The same rows by the compiled decoders; None where they leave it."""
        frames, _ = check_frames(path)
        rows = DirectDecoder(ingest or IngestSettings(), self.store.query).rows(kind, path, frames, self.promoted(kind))
        return rows and self.read(kind, rows.columns, rows.select, rows.tables, {})

    def columns(self, kind, frame):
        """The columns that the compiled decoders give for a frame and that are not empty."""
        path = self.write(kind, [frame])
        rows = DirectDecoder(IngestSettings(), self.store.query).rows(kind, path, check_frames(path)[0], self.promoted(kind))
        return [
            name
            for name in rows.table.column_names
            if any(value not in (None, []) for value in rows.table[name].to_pylist())
        ]

    def promoted(self, kind):
        return self.store.promoted.of(decoding.KINDS[kind].table)

    def read(self, kind, columns, select, tables, settings):
        """Rows as texts of what is not empty, in order."""
        values = [
            f"toJSONString({identifier(name)}) AS {identifier(name)}" if name in ("fields", "dims") else identifier(name)
            for name in columns
            if name != "_indextime"
        ]
        table = self.store.query(f"SELECT {', '.join(values)} FROM ({select})", tables=tables, settings=settings)
        rows = [
            merged({name: plain(name, value) for name, value in row.items() if value not in (None, [])}, self.promoted(kind))
            for row in table.to_pylist()
        ]
        return sorted(json.dumps(row, default=str, sort_keys=True, ensure_ascii=False) for row in rows)


def merged(row, promoted):
    """A row with its fields in one object, wherever they are kept: beyond some number of types in a segment, the statements leave a
    value in the object that could have gone into its column."""
    if row.get("exemplars") == "":
        del row["exemplars"]
    name = "dims" if "dims" in row else "fields"
    found = dict(flat("", row.pop(name, {})))
    for one in promoted:
        if one.column in row:
            # A record may have a path twice, as an attribute and inside an object of its text: then both are told.
            found[f"{one.path} again" if one.path in found else one.path] = row.pop(one.column)
    return row | {name: found}


def flat(prefix, value):
    """(path, value) for everything in an object."""
    for name, inner in value.items():
        if isinstance(inner, dict) and inner:
            yield from flat(f"{prefix}{name}.", inner)
        else:
            yield prefix + name, inner


def plain(name, value):
    """Texts of objects as what they say."""
    if name in ("fields", "dims", "events", "links", "exemplars"):
        return json.loads(value) if value else value
    if name == "is_monotonic":
        return bool(value)
    if isinstance(value, float) and math.isnan(value):
        return "nan"
    return value


@pytest.fixture
def segments(store, tmp_path):
    return Segments(store, tmp_path)


texts = st.text(max_size=12) | st.sampled_from(["", "a b", 'say "x"', "back\\slash", "tab\t", "2024-01-01", "12", "ünïcode"])
# Whole numbers beyond 2**53 are left out, which the engine may show as doubles where other rows have doubles, and whole doubles of
# 20 digits: the engine's parser takes them for texts where the statements write them.
doubles = st.floats().filter(lambda d: not 1e18 < abs(d) < 1e21)
scalars = (
    st.builds(AnyValue, string_value=texts)
    | st.builds(AnyValue, int_value=st.integers(-(1 << 53), 1 << 53) | st.integers(-5, 5))
    | st.builds(AnyValue, double_value=doubles | st.sampled_from([5.0, 0.1, 1e300, -0.0]))
    | st.builds(AnyValue, bool_value=st.booleans())
)
values = (
    scalars
    | st.just(AnyValue())
    | st.builds(AnyValue, bytes_value=st.binary(max_size=5))
    | st.builds(AnyValue, array_value=st.builds(ArrayValue, values=st.lists(scalars, max_size=3)))
    | st.builds(
        AnyValue,
        kvlist_value=st.builds(
            KeyValueList, values=st.lists(st.builds(KeyValue, key=st.sampled_from("xyz"), value=scalars), max_size=2)
        ),
    )
)
NAMES = [
    "http.route",
    "status",
    "score",
    "ok",
    "tags",
    "mixed",
    "x",
    "scope.name",
    "trace_state",
    "service.name",
    "host.name",
]
attributes = st.lists(st.builds(KeyValue, key=st.sampled_from(NAMES) | texts, value=values), max_size=8)
ids = st.sampled_from([b"", b"\0" * 8, b"\0" * 16, b"12345678", b"1234567890abcdef", b"\xff\x00"])
counts = st.sampled_from([0, 0, 0, 1, 4_000_000_000])
resources = st.builds(Resource, attributes=attributes, dropped_attributes_count=counts)
scopes = st.builds(InstrumentationScope, name=texts, version=texts, attributes=attributes, dropped_attributes_count=counts)
nanoseconds = st.integers(0, (1 << 63) - 1)
parts = st.builds(Span.Event, time_unix_nano=nanoseconds, name=texts, attributes=attributes, dropped_attributes_count=counts)
links = st.builds(
    Span.Link, trace_id=ids, span_id=ids, trace_state=texts, attributes=attributes, dropped_attributes_count=counts,
    flags=st.integers(0, 1023),
)  # fmt: skip
spans = st.builds(
    Span, trace_id=ids, span_id=ids, trace_state=texts, parent_span_id=ids, flags=st.integers(0, 1023), name=texts,
    kind=st.integers(0, 9), start_time_unix_nano=nanoseconds, end_time_unix_nano=nanoseconds, attributes=attributes,
    dropped_attributes_count=counts, events=st.lists(parts, max_size=2), dropped_events_count=counts,
    links=st.lists(links, max_size=2), dropped_links_count=counts,
    status=st.builds(Status, message=texts, code=st.sampled_from([0, 1, 2])),
)  # fmt: skip
traces = st.builds(
    TracesData,
    resource_spans=st.lists(
        st.builds(
            ResourceSpans, resource=resources, schema_url=texts,
            scope_spans=st.lists(st.builds(ScopeSpans, scope=scopes, schema_url=texts, spans=st.lists(spans, max_size=4)), max_size=2),
        ),
        max_size=2,
    ),
)  # fmt: skip


log_texts = texts | st.sampled_from(
    [
        "a=1 b=x status=200 score=0.25", 'k="v w" k2="" k3=-5 =x y=', "took=007 x=1e5 id=12345678901234567890", '{"a": 1}',
        '{"status": 404, "http": {"code": 5, "route": "/r"}, "score": 3, "e": null}', '[{"a=1": 2}]', "(a=1,b=2;c=3|d=4&e=5)",
        "version=1.10 app_Version=2.0 VERSION=3 versions=1.10 ersion=1.5",
    ]
)  # fmt: skip
log_records = st.builds(
    LogRecord, time_unix_nano=nanoseconds | st.just(0), observed_time_unix_nano=nanoseconds, severity_number=st.integers(0, 24),
    severity_text=st.sampled_from(["", "INFO", "Warning", "critical", "error", "odd"]) | texts,
    body=st.builds(AnyValue, string_value=log_texts) | st.just(AnyValue()), attributes=attributes, dropped_attributes_count=counts,
    flags=st.integers(0, 1023), trace_id=ids, span_id=ids, event_name=texts,
)  # fmt: skip
logs = st.builds(
    LogsData,
    resource_logs=st.lists(
        st.builds(
            ResourceLogs, resource=resources, schema_url=texts,
            scope_logs=st.lists(
                st.builds(ScopeLogs, scope=scopes, schema_url=texts, log_records=st.lists(log_records, max_size=4)), max_size=2
            ),
        ),
        max_size=2,
    ),
)  # fmt: skip


def count_logs(data):
    return sum(len(scope.log_records) for resource in data.resource_logs for scope in resource.scope_logs)


json_scalars = (
    st.none() | st.booleans() | st.integers(-(1 << 53), 1 << 53) | texts | doubles.filter(lambda d: math.isfinite(d))
    | st.sampled_from([0.1, 5.0, 1e22, 123456.789012345])
)  # fmt: skip
JSON_NAMES = ["status", "score", "ok", "service", "tags", "http", "level", "severity", "trace_id", "span_id", "deep"]
json_values = st.recursive(
    json_scalars,
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["code", "route", "in", "x"]), inner, max_size=3)
    ),
    max_leaves=5,
)
json_records = st.dictionaries(st.sampled_from(JSON_NAMES) | texts, json_values, max_size=7)


@dataclass
class Batch:
    """A batch of HEC as the front writes it."""

    events: list[bytes]
    fields: list[bytes]
    times: list[float]
    hosts: list[str]

    def SerializeToString(self):
        """As protobuf has it."""
        columns = [(1, self.events), (2, self.fields), *((n, [h.encode() for h in self.hosts]) for n in (4, 5, 6))]
        packed = b"".join(struct.pack("<d", time) for time in self.times)
        return b"".join(lengthened(n, one) for n, column in columns for one in column) + (
            lengthened(3, packed) if packed else b""
        )


def lengthened(number, content):
    """A field of protobuf with a length."""
    return bytes([number << 3 | 2]) + varint(len(content)) + content


def as_json(value, style):
    """JSON text in one of several styles."""
    if style == 0:
        return orjson.dumps(value)
    return json.dumps(value, ensure_ascii=style == 1, indent=2 if style == 3 else None).encode()


@st.composite
def batches(draw):
    """Events that are texts, objects and anything else."""
    size = draw(st.integers(1, 5))
    events = [
        as_json(
            draw(st.one_of(json_records, json_records, log_texts, json_values).filter(lambda v: v is not None)),
            draw(st.integers(0, 3)),
        )
        for _ in range(size)
    ]
    fields = [draw(st.sampled_from([b"", b"{}"]) | json_records.map(orjson.dumps)) for _ in range(size)]
    times = st.floats(0, 4e9) | st.just(math.nan)
    hosts = st.lists(texts, min_size=size, max_size=size) | st.lists(texts, min_size=1, max_size=1)
    return Batch(
        events, fields if draw(st.booleans()) else [], [draw(times) for _ in range(size)] if draw(st.booleans()) else [],
        draw(hosts),
    )  # fmt: skip


hecevent = batches()


def count_hecevent(batch):
    return len(batch.events)


def usual_hecevent(rows=8):
    records = [
        {"status": 200, "score": n / 3 if n % 2 else n, "ok": True, "service": f"s{n % 3}", "tags": ["a", "b"], "level": "info",
         "http": {"code": n, "route": "/r"}, "deep": {"in": {"x": n}}, "trace_id": f"t{n}"}
        for n in range(rows)
    ]  # fmt: skip
    return Batch([orjson.dumps(record) for record in records], [], [1e9 + n for n in range(rows)], ["h"])


def usual_logs(rows=8):
    records = [
        LogRecord(
            body=AnyValue(string_value=f'{{"http": {{"code": {n}, "path": "/r"}}}}' if n % 2 else f"a={n} took=0.5"),
            attributes=usual(n),
        )
        for n in range(rows)
    ]
    resource = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value="shop"))])
    return LogsData(resource_logs=[{"resource": resource, "scope_logs": [{"log_records": records}]}])


def count_spans(data):
    return sum(len(scope.spans) for resource in data.resource_spans for scope in resource.scope_spans)


def usual(number):
    """An attribute of each kind, as most records have them."""
    return [
        KeyValue(key="http.route", value=AnyValue(string_value=f"/r{number % 3}")),
        KeyValue(key="status", value=AnyValue(int_value=200 + number % 2)),
        KeyValue(key="score", value=AnyValue(double_value=number / 7)),
        KeyValue(key="ok", value=AnyValue(bool_value=number % 2 == 0)),
        KeyValue(
            key="tags",
            value=AnyValue(array_value=ArrayValue(values=[AnyValue(string_value=t) for t in ("a", "b")[: 1 + number % 2]])),
        ),
        KeyValue(key="mixed", value=AnyValue(int_value=number) if number % 2 else AnyValue(double_value=number / 3)),
    ]


def usual_traces(rows=8):
    resource = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value="shop")), *usual(1)[:1]])
    found = [
        Span(span_id=bytes([n]) * 8, trace_id=b"t" * 16, name="GET", start_time_unix_nano=n, attributes=usual(n))
        for n in range(rows)
    ]
    scope = InstrumentationScope(name="lib", version="1")
    return TracesData(resource_spans=[{"resource": resource, "scope_spans": [{"scope": scope, "spans": found}]}])


# Dimensions are texts, and what becomes of a double or a list is the engine's to say: few points have one.
dimensions = st.lists(
    st.builds(
        KeyValue,
        key=st.sampled_from(NAMES) | texts,
        value=st.builds(AnyValue, string_value=texts)
        | st.builds(AnyValue, int_value=st.integers(-(1 << 63), (1 << 63) - 1) | st.integers(-5, 5))
        | st.builds(AnyValue, bool_value=st.booleans())
        | st.just(AnyValue()),
    ),
    max_size=6,
) | st.lists(st.builds(KeyValue, key=st.sampled_from(NAMES), value=values), max_size=1)
point_times = st.just(0) | nanoseconds
flags = st.sampled_from([0, 0, 0, 1, 2])
number_points = st.lists(
    st.builds(
        NumberDataPoint, start_time_unix_nano=point_times, time_unix_nano=point_times, attributes=dimensions, flags=flags,
        as_double=st.floats(),
    )
    | st.builds(NumberDataPoint, time_unix_nano=point_times, attributes=dimensions, as_int=st.integers(-(1 << 63), (1 << 63) - 1))
    | st.just(NumberDataPoint(flags=1)),
    max_size=4,
)  # fmt: skip
statistics = st.none() | st.floats()
histogram_points = st.lists(
    st.builds(
        HistogramDataPoint, start_time_unix_nano=point_times, time_unix_nano=point_times, attributes=dimensions, flags=flags,
        count=st.sampled_from([0, 3, 1 << 63]), sum=statistics, min=statistics, max=statistics,
        bucket_counts=st.lists(st.integers(0, (1 << 64) - 1), max_size=3),
        explicit_bounds=st.lists(st.floats(allow_nan=False), max_size=2),
    ),
    max_size=3,
)  # fmt: skip
temporalities = st.integers(0, 2)
unusual_points = st.sampled_from(
    [
        {"gauge": {"data_points": [NumberDataPoint(as_int=1, exemplars=[Exemplar(as_int=2)])]}},
        {"summary": {"data_points": [SummaryDataPoint(count=2, sum=3.0)]}},
        {"exponential_histogram": {"data_points": [ExponentialHistogramDataPoint(count=2, scale=3)]}},
        {"histogram": {"data_points": [HistogramDataPoint(count=2, exemplars=[Exemplar(as_double=2)])]}},
    ]
)
all_metrics = st.builds(
    lambda name, unit, data: Metric(name=name, unit=unit, description="d", **data),
    texts,
    texts,
    number_points.map(lambda points: {"gauge": {"data_points": points}})
    | st.builds(
        lambda points, kind, goes_up: {
            "sum": {"data_points": points, "aggregation_temporality": kind, "is_monotonic": goes_up}
        },
        number_points,
        temporalities,
        st.booleans(),
    )
    | st.builds(
        lambda points, kind: {"histogram": {"data_points": points, "aggregation_temporality": kind}},
        histogram_points,
        temporalities,
    ),
)
odd_metrics = st.builds(lambda data: Metric(name="odd", **data), unusual_points)


def metric_requests(metrics):
    return st.builds(
        MetricsData,
        resource_metrics=st.lists(
            st.builds(
                ResourceMetrics, resource=st.builds(Resource, attributes=dimensions, dropped_attributes_count=counts),
                schema_url=texts,
                scope_metrics=st.lists(
                    st.builds(
                        ScopeMetrics, schema_url=texts, metrics=st.lists(metrics, max_size=4),
                        scope=st.builds(InstrumentationScope, name=texts, version=texts, attributes=dimensions),
                    ),
                    max_size=2,
                ),
            ),
            max_size=2,
        ),
    )  # fmt: skip


metrics = metric_requests(all_metrics) | metric_requests(all_metrics | odd_metrics)


def count_points(data):
    return sum(
        len(getattr(metric, metric.WhichOneof("data")).data_points)
        for resource in data.resource_metrics
        for scope in resource.scope_metrics
        for metric in scope.metrics
    )


def usual_metrics(rows=8):
    attributes = [
        [
            KeyValue(key="http.route", value=AnyValue(string_value=f"/r{n}")),
            KeyValue(key="status", value=AnyValue(int_value=n)),
        ]
        for n in range(rows)
    ]
    numbers = [NumberDataPoint(as_double=n / 3, time_unix_nano=n + 1, attributes=attributes[n]) for n in range(rows)]
    buckets = [
        HistogramDataPoint(count=3, sum=1.5, min=0.1, max=1.0, bucket_counts=[1, 2], explicit_bounds=[0.5], attributes=one)
        for one in attributes
    ]
    metrics = [
        Metric(name="memory", unit="By", gauge={"data_points": numbers}),
        Metric(name="done", sum={"data_points": numbers, "aggregation_temporality": 2, "is_monotonic": True}),
        Metric(name="took", unit="s", histogram={"data_points": buckets, "aggregation_temporality": 1}),
    ]
    resource = Resource(attributes=[KeyValue(key="service.name", value=AnyValue(string_value="shop"))])
    return MetricsData(resource_metrics=[{"resource": resource, "scope_metrics": [{"metrics": metrics}]}])


LABELS = ["__name__", "instance", "job", "method", "zone", ""]
label_values = texts | st.sampled_from(["a:9100", "a:b:1", ":1", "up_total", "x_bucket", "node", "up"])
label_sets = st.lists(st.tuples(st.sampled_from(LABELS) | texts, label_values), min_size=1, max_size=6)
sample_lists = st.lists(st.tuples(st.floats() | st.just(1.5), st.integers(0, 4_000_000_000_000)), max_size=3)
# The engine does not read packed numbers of which there are none.
series = st.lists(st.tuples(label_sets, sample_lists, st.integers(0, 7), label_values), min_size=1, max_size=5)


@dataclass
class Write:
    """A request of remote write."""

    series: list
    is_second: bool

    def SerializeToString(self):
        """As protobuf has it."""
        if not self.is_second:
            return b"".join(
                lengthened(
                    1,
                    b"".join(lengthened(1, lengthened(1, k.encode()) + lengthened(2, v.encode())) for k, v in labels)
                    + packed(samples),
                )
                for labels, samples, _, _ in self.series
            )
        symbols = list(
            dict.fromkeys(["", *(s for labels, _, _, unit in self.series for pair in (*labels, (unit,)) for s in pair)])
        )
        return b"".join(lengthened(4, s.encode()) for s in symbols) + b"".join(
            lengthened(
                5,
                lengthened(1, b"".join(varint(symbols.index(s)) for pair in labels for s in pair)) + packed(samples)
                + lengthened(5, bytes([8, kind, 32]) + varint(symbols.index(unit))),
            )
            for labels, samples, kind, unit in self.series
        )  # fmt: skip


def packed(samples):
    """Samples of a series."""
    return b"".join(lengthened(2, b"\x09" + struct.pack("<d", value) + b"\x10" + varint(time)) for value, time in samples)


def varint(value):
    """A number as protobuf writes it."""
    out = b""
    while value > 127:
        out, value = out + bytes([value & 127 | 128]), value >> 7
    return out + bytes([value])


prometheus = st.builds(Write, series, st.just(False))
prometheus2 = st.builds(Write, series, st.just(True))


def count_samples(write):
    return sum(len(samples) for _, samples, _, _ in write.series)


count_prometheus = count_prometheus2 = count_samples


def usual_prometheus(is_second=False):
    pairs = [("__name__", "up_total"), ("instance", "a:9100"), ("job", "node"), ("method", "GET")]
    return Write([(pairs, [(1.0, 5)], 1, "s"), (pairs, [(2.0, 6), (math.nan, 7)], 0, "")], is_second)


def differences(found, expected):
    """(name, by the compiled decoders, by the statements) of what differs in rows that only one of both has."""
    ours, theirs = (sorted(set(one) - set(other)) for one, other in ((found, expected), (expected, found)))
    rows = [
        ({**row.pop("fields", {}), **row.pop("dims", {}), **row} for row in map(json.loads, side)) for side in (ours, theirs)
    ]
    pairs = itertools.zip_longest(*rows, fillvalue={})
    return [(name, a.get(name), b.get(name)) for a, b in pairs for name in {**a, **b} if a.get(name) != b.get(name)]


def check(store, folder, kind, ordinary, count, given_frames):
    segments = Segments(store, folder)
    frames = [(kind, ordinary.SerializeToString(), count(ordinary))]
    segments.promote(kind, frames)
    frames += [(kind + index, data.SerializeToString(), count(data)) for index, data in given_frames if count(data)]
    found = []
    taken = []
    # One by one, so that one that is left to the statements does not take the others with it.
    for frame in frames:
        rows = segments.directly(kind, segments.write(kind, [frame]))
        found += rows or []
        taken += [frame] if rows is not None else []
    # What is left to the statements is read by them either way.
    expected = segments.by_statement(kind, segments.write(kind, taken))
    assert frames[0] in taken
    promoted = [one.column for one in segments.promoted(kind) if kind in one.indexes]
    assert set(promoted) <= set(segments.columns(kind, frames[0]))
    assert differences(found, expected) == []
    assert len(found) == len(expected)


INDEXES = st.sampled_from(["", "-other"])
"""Behind the name of a kind: each has indexes of its own, and fields that are columns in the first of them."""


@pytest.mark.parametrize(
    ("kind", "requests", "ordinary", "count"),
    [
        ("traces", traces, usual_traces(), count_spans),
        ("logs", logs, usual_logs(), count_logs),
        ("metrics", metrics, usual_metrics(), count_points),
        ("hecevent", hecevent, usual_hecevent(), count_hecevent),
        ("prometheus", prometheus, usual_prometheus(), count_samples),
        ("prometheus2", prometheus2, usual_prometheus(True), count_samples),
    ],
)
def test_any_records_become_the_same_rows(store, tmp_path_factory, kind, requests, ordinary, count):
    @ALL
    @given(st.lists(st.tuples(INDEXES, requests), min_size=1, max_size=12))
    def holds(given_frames):
        check(store, tmp_path_factory.mktemp("segments"), kind, ordinary, count, given_frames)

    holds()


def as_double(value):
    return float(value) if type(value) is int else value


@pytest.mark.parametrize(
    ("kind", "ordinary", "count"),
    [
        ("traces", usual_traces(), count_spans),
        ("logs", usual_logs(), count_logs),
        ("metrics", usual_metrics(), count_points),
        ("hecevent", usual_hecevent(), count_hecevent),
        ("prometheus", usual_prometheus(), count_samples),
    ],
)
def test_fields_worth_a_column_are_found_either_way(store, segments, tmp_path, kind, ordinary, count):
    loader = Loader(store, Settings(data=tmp_path))
    path = segments.write(kind, [("sampled", ordinary.SerializeToString(), count(ordinary))] * 3)
    frames = check_frames(path)[0]
    sql, settings = decoding.sample_statement(kind, path)
    sample = loader._sample(kind, path, frames, None)
    # The statement writes a whole double without its point.
    found, expected = (
        sorted(
            json.dumps(
                [row["index"], sorted((name, as_double(value)) for name, value in flat("", orjson.loads(row["object"])))]
            )
            for row in table.to_pylist()
        )
        for table in (sample, store.query(sql, settings=settings))
    )
    assert sample.num_rows == 3 * count(ordinary)
    assert found == expected


def test_ids_of_an_event_are_in_its_own_columns_alone(segments):
    events = [
        b'{"x":1,"trace_id":"t1","span_id":"s1"}',
        b'{"trace_id":"t2","span_id":7}',
        b'{"trace_id":"","span_id":"s3","trace":"t3"}',
        b'{"trace_id":{"id":"t4"},"span_id":"s4","span_id":"other"}',
        b'{"x":5}',
        b'"trace_id=t6 x=6"',
    ]
    own = [b""] * 4 + [b'{"trace_id":"t5"}', b""]
    batch = Batch(events, own, [], ["h"])
    frame = ("ids", batch.SerializeToString(), len(events))
    segments.promote("hecevent", [frame])
    assert not {"trace_id:String", "span_id:String"} & {
        one.column for one in segments.promoted("hecevent") if "ids" in one.indexes
    }
    path = segments.write("hecevent", [frame])
    found = segments.directly("hecevent", path)
    assert found == segments.by_statement("hecevent", path)
    rows = sorted(map(json.loads, found), key=lambda row: row["_raw"])
    assert {(row.get("trace_id"), row.get("span_id"), json.dumps(row["fields"], sort_keys=True)) for row in rows} == {
        ("t1", "s1", '{"x": 1}'),
        ("t2", "", '{"span_id": 7}'),
        ("", "s3", '{"trace": "t3", "trace_id": ""}'),
        ("", "s4", '{"trace_id.id": "t4"}'),
        ("t5", "", '{"x": 5}'),
        ("t6", "", '{"x": 6}'),
    }


def test_what_a_resource_says_of_many_records_is_bounded(segments):
    resource = Resource(attributes=[KeyValue(key="note", value=AnyValue(string_value="n" * 50_000))])
    spans = [Span(span_id=bytes([n % 256]) * 8) for n in range(4_000)]
    data = TracesData(resource_spans=[{"resource": resource, "scope_spans": [{"spans": spans}]}])
    assert segments.directly("traces", segments.write("traces", [("bounded", data.SerializeToString(), 4_000)])) is None


def test_a_fault_of_the_decoders_holds_nothing_up(store, tmp_path, monkeypatch):
    def fails(*_):
        raise RuntimeError("made to fail")

    settings = Settings(data=tmp_path)
    loader = Loader(store, settings)
    monkeypatch.setattr(DirectDecoder, "rows", fails)
    journal = JournalWriter(tmp_path / "journal", settings.ingest)
    journal.submit("traces", usual_traces().SerializeToString(), index="after-a-fault", records=8).result()
    journal.close()
    assert loader.load_waiting() == 1
    found = store.query("SELECT count() AS n FROM sightline.spans WHERE index = 'after-a-fault'")
    assert found["n"].to_pylist() == [8]


def test_what_comes_first_is_loaded_while_the_machine_code_is_made(store, tmp_path, monkeypatch):
    settings = Settings(data=tmp_path)
    loader = Loader(store, settings)
    read = []
    monkeypatch.setattr(DirectDecoder, "rows", lambda self, kind, *_: read.append(kind))
    ready = [False]
    monkeypatch.setattr("sightline.store.compiled.is_ready", lambda: ready[0])
    for index, expected in (("first", []), ("second", ["traces"])):
        journal = JournalWriter(tmp_path / "journal", settings.ingest)
        journal.submit("traces", usual_traces().SerializeToString(), index=index, records=8).result()
        journal.close()
        assert loader.load_waiting() == 1
        assert read == expected
        found = store.query(f"SELECT count() AS n FROM sightline.spans WHERE index = '{index}'")
        assert found["n"].to_pylist() == [8]
        ready[0] = True


def test_a_process_without_the_machine_code_says_so(monkeypatch):
    monkeypatch.setattr("sightline.machinecode.load", lambda name: None)
    with pytest.raises(NotCompiled, match="texts.gather"):
        Compiled(gather.function)()


def test_machine_code_takes_what_it_was_compiled_for():
    offsets, out, places = np.zeros(2, np.int32), np.zeros(8, np.uint8), np.zeros(1, np.int64)
    words = np.frombuffer(b"some words", np.uint8)
    gather(words, words, places, places + 4, offsets, out)
    assert (bytes(out[:4]), offsets.tolist()) == (b"some", [0, 4])
    with pytest.raises(IndexError):
        gather(words, words, places + 8, places + 4, offsets, out)
    with pytest.raises(TypeError, match="was compiled for"):
        gather(words, words, places, places + 4, offsets.astype(np.int64), out)
    with pytest.raises(TypeError, match="one after the other"):
        gather(words[::2], words, places, places + 4, offsets, out)


def test_a_process_that_loads_segments_has_no_compiler(tmp_path):
    segment = tmp_path / "one.segment"
    body = usual_traces().SerializeToString()
    segment.write_bytes(encode_frame(body, records=8) + body)
    program = """
import sys
from pathlib import Path
from sightline.config import IngestSettings
from sightline.segments import check_frames
from sightline.store.compiled import Compiled, NotCompiled
from sightline.store.compiled.texts import gather
from sightline.store.direct import DirectDecoder
path = Path(sys.argv[1])
rows = DirectDecoder(IngestSettings(scrub_statements=False), None).rows("traces", path, check_frames(path)[0], ())
print(rows.table.num_rows, "numba" in sys.modules)
"""
    done = subprocess.run([sys.executable, "-c", program, str(segment)], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["8", "False"]
