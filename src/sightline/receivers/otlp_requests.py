"""What an OTLP request holds: whether it can be read, how many records, and which of them cannot be stored.

Enters: the bytes of a request, protobuf or JSON. Leaves: protobuf bytes for each index, mostly the very bytes that
came. A record that nobody could store or find again is cut out and counted with its reason, so that one bad span does
not cost its neighbours.

Most requests get no more than a first look by compiled code (`otlp_looks`). What it does not find usual is read by protobuf, and
its records are looked at all together. An outline is a message of our own over the same bytes that declares what is
checked and nothing else, and every level above the records as a single message where OTLP has a list: protobuf merges
what occurs several times, so that one parse gives all records of a request in one list. Written out again without what
it does not know, an outline of records that have the same fields is a table with rows of equal length. Only a request
in which something looks wrong is read record by record. For 200,000 spans of 66 MB it takes 0.2 s to parse the
request, as it always did, and 0.1 s to make the outline and look at it.

A large request is cut into pieces first (`pieces`), which are looked at one after the other and stay apart from there on.
"""

from __future__ import annotations

import base64
import binascii
from collections import Counter
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from operator import attrgetter, methodcaller
from typing import Any

import numpy as np
import orjson
from google.protobuf import descriptor_pb2, descriptor_pool, json_format, message_factory
from google.protobuf.message import DecodeError, Message
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.profiles.v1development.profiles_service_pb2 import ExportProfilesServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sightline.config import IngestSettings
from sightline.journal import Piece
from sightline.receivers.bodies import BodyMalformed, BodyTooLarge, inflate
from sightline.receivers.otlp_looks import INDEX_ATTRIBUTE, PROFILING_SCOPE, usual_records
from sightline.receivers.pieces import PIECE_BYTES, Path, cut_message, path

PPROF_FORMAT = "pprof-gzip-base64"
"""How Splunk's agents mark a log record that holds a profile, beside its scope."""
MAX_TIME_NS = 2**63 - 1
"""The latest time that can be stored, in April 2262."""


class Unreadable(Exception):
    """A request that is not what it says it is."""


@dataclass(slots=True)
class Group:
    """The records of a request that go to one index, in pieces."""

    pieces: list[Piece] = field(default_factory=list)
    told: int = 0
    """As how many the response counts them: of profiles it counts those, and not their samples, which are the records."""

    @property
    def records(self) -> int:
        """How many there are."""
        return sum(piece.records for piece in self.pieces)

    def add(self, body: bytes, records: int, told: int) -> None:
        """One more piece."""
        self.pieces.append(Piece(body, records))
        self.told += told


@dataclass(slots=True)
class Warned:
    """How often something was stored otherwise than it came, and one of the cases in words."""

    count: int
    example: str = ""


@dataclass(slots=True)
class Checked:
    """A request that can be stored, by the index that it names; "" names none."""

    groups: dict[str, Group] = field(default_factory=dict)
    refused: Counter[str] = field(default_factory=Counter)
    """How many records were cut out, by reason."""
    warned: dict[str, Warned] = field(default_factory=dict)
    """What was stored otherwise than it came, by the text that says so."""
    pprof: Group = field(default_factory=Group)
    """Profiles that came in log records, which are no longer in `groups`."""

    @property
    def warnings(self) -> tuple[str, ...]:
        """For the response."""
        return tuple(f"{text}: {one.count}{one.example}" for text, one in self.warned.items())


def check_protobuf(request: type[Message], body: bytes, settings: IngestSettings) -> Checked:
    """Look at a request. What is compressed in it may inflate to the size of the largest request. Raises Unreadable."""
    checked = Checked()
    try:
        for part in cut_message(body, _SHAPES[request].path, PIECE_BYTES):
            usual = usual_records(request, part)
            if usual is not None:
                if usual:
                    checked.groups.setdefault("", Group()).add(part, usual, usual)
                continue
            # Read for its faults alone; an outline would not find those in what it does not declare.
            request.FromString(part)
            _check(request, part, settings, checked)
    except DecodeError as error:
        raise Unreadable(f"the body is not a valid {request.DESCRIPTOR.name} message: {error}") from error
    return checked


def check_json(request: type[Message], body: bytes, settings: IngestSettings) -> Checked:
    """The same for a request in JSON, which becomes protobuf. Raises Unreadable."""
    name = request.DESCRIPTOR.name
    try:
        data = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise Unreadable(f"the body is not valid JSON: {error}") from error
    if not isinstance(data, dict):
        raise Unreadable(f"the body is not a JSON object, wanted {name}")
    try:
        _ids_to_base64(data)
        message = json_format.ParseDict(data, request(), ignore_unknown_fields=True)
    except (json_format.ParseError, ValueError, RecursionError, TypeError) as error:
        raise Unreadable(f"the body is not a valid {name} in JSON: {error}") from error
    return check_protobuf(request, message.SerializeToString(), settings)


_ID_KEYS = ("traceId", "spanId", "parentSpanId", "trace_id", "span_id", "parent_span_id", "profileId")


def _ids_to_base64(data: Any) -> None:
    """OTLP writes ids as hexadecimal where JSON of protobuf has base64. An attribute cannot be mistaken for one:
    attributes are lists of objects with the members `key` and `value`."""
    pending = [data]
    while pending:
        item = pending.pop()
        if isinstance(item, dict):
            for key in _ID_KEYS:
                text = item.get(key)
                if isinstance(text, str) and text:
                    try:
                        item[key] = base64.b64encode(binascii.unhexlify(text)).decode()
                    except binascii.Error as error:
                        raise ValueError(f'{key} wants hexadecimal digits, got "{text}"') from error
            pending += item.values()
        elif isinstance(item, list):
            pending += item


def _check(request: type[Message], body: bytes, settings: IngestSettings, checked: Checked) -> None:
    """Look at one piece, and add what is in it."""
    shape = _SHAPES[request]
    records, looks_right = shape.look(body)
    if not looks_right:
        message = request.FromString(body)
        refused, warned = shape.cut(message)
        checked.refused.update(refused)
        for text, one in warned.items():
            checked.warned.setdefault(text, Warned(0, one.example)).count += one.count
        if refused:
            body = message.SerializeToString()
            records -= refused.total()
    if request is ExportLogsServiceRequest and PROFILING_SCOPE.encode() in body:
        message = request.FromString(body)
        _take_profiles(message, settings, checked)
        body = message.SerializeToString()
        records = shape.look(body)[0]
    if INDEX_ATTRIBUTE.encode() in body:
        parts = {name: part.SerializeToString() for name, part in _by_index(request.FromString(body), shape).items()}
        found = [(name, part, shape.look(part)[0]) for name, part in parts.items()]
    else:
        found = [("", body, records)]
    for name, part, number in found:
        if number:
            checked.groups.setdefault(name, Group()).add(part, number, shape.told(part, number))


def _by_index(message: Message, shape: Shape) -> dict[str, Message]:
    resources = list(getattr(message, shape.resources))
    # What is left without its resources is the dictionary of profiles, which each part needs.
    rest = type(message)()
    rest.CopyFrom(message)
    rest.ClearField(shape.resources)
    requests: dict[str, Message] = {}
    for resource in resources:
        names = [a.value.string_value for a in resource.resource.attributes if a.key == INDEX_ATTRIBUTE]
        name = names[0] if names else ""
        if name not in requests:
            requests[name] = type(message)()
            requests[name].CopyFrom(rest)
        getattr(requests[name], shape.resources).append(resource)
    return requests


# Profiles in log records


def _take_profiles(message: Any, settings: IngestSettings, checked: Checked) -> None:
    """Take the records with a profile of Splunk's agents out of a request, as what the engine reads: unpacked, each
    with its resource and scope. A record of another format stays the log record that it is."""
    records, samples, limit = _PPROF["Records"](), 0, settings.max_body_bytes
    refused, group = checked.refused, checked.pprof
    begun = size = sum(len(piece.body) for piece in group.pieces)
    for resource in message.resource_logs:
        for scope in resource.scope_logs:
            if scope.scope.name != PROFILING_SCOPE:
                continue
            left = []
            for record in scope.log_records:
                attributes = {a.key: a.value.string_value for a in record.attributes}
                if attributes.get("profiling.data.format") != PPROF_FORMAT:
                    left.append(record)
                    continue
                try:
                    packed = base64.b64decode(record.body.string_value, validate=True)
                    profile = inflate(packed, "gzip", limit - size)
                    outline = _PPROF["Profile"].FromString(profile)
                except (binascii.Error, BodyMalformed, DecodeError) as error:
                    refused[f"with a profile that cannot be read: {error}"] += 1
                    continue
                except BodyTooLarge:
                    refused[f"with profiles of more than {limit} bytes together"] += 1
                    continue
                size += len(profile)
                samples += len(outline.sample) * max(1, len(outline.sample_type))
                records.records.add(
                    resource=resource.resource.SerializeToString(),
                    scope=scope.scope.SerializeToString(),
                    attributes=[a.SerializeToString() for a in record.attributes],
                    time=record.time_unix_nano,
                    profile=profile,
                )
                if size - begun >= PIECE_BYTES:
                    group.add(records.SerializeToString(), samples, len(records.records))
                    records, samples, begun = _PPROF["Records"](), 0, size
            kept = [type(record).FromString(record.SerializeToString()) for record in left]
            del scope.log_records[:]
            scope.log_records.extend(kept)
    if samples:
        group.add(records.SerializeToString(), samples, len(records.records))


# Outlines


def _outlines() -> tuple[dict[str, type[Message]], dict[str, type[Message]]]:
    """The outlines of OTLP's requests, and the messages for profiles in log records."""
    file = descriptor_pb2.FileDescriptorProto(name="sightline/otlp_outline.proto", package="sightline.otlp", syntax="proto3")
    types = {"double": 1, "fixed64": 6, "message": 11, "bytes": 12}

    def declare(called: str, **fields: tuple[int, str]) -> None:
        """`number, type`; a type with `*` is a list, one with a capital letter a message."""
        message = file.message_type.add(name=called)
        for key, (number, kind) in fields.items():
            label, kind = (3 if kind.endswith("*") else 1), kind.rstrip("*")
            if kind in types:
                message.field.add(name=key, number=number, label=label, type=types[kind])
            else:
                message.field.add(name=key, number=number, label=label, type=11, type_name=f".sightline.otlp.{kind}")

    declare("Nothing")
    declare("Span", trace_id=(1, "bytes"), span_id=(2, "bytes"), start=(7, "fixed64"), end=(8, "fixed64"))
    declare("Record", time=(1, "fixed64"), observed=(11, "fixed64"))
    # All kinds of points have their times under the same numbers.
    declare("Point", start=(2, "fixed64"), time=(3, "fixed64"))
    declare("Points", data_points=(1, "Point*"))
    declare("Buckets", bucket_counts=(6, "fixed64*"), explicit_bounds=(7, "double*"))
    declare("Histograms", data_points=(1, "Buckets*"))
    kinds = {"gauge": 5, "sum": 7, "histogram": 9, "exponential_histogram": 10, "summary": 11}
    declare("Metric", **{name: (number, "Points") for name, number in kinds.items()})
    declare("Named", name=(1, "bytes"), **{name: (number, "Nothing") for name, number in kinds.items()})
    named = file.message_type[-1]
    named.oneof_decl.add(name="data")
    for each in named.field[1:]:
        each.oneof_index = 0
    declare("Bucketed", histogram=(9, "Histograms"))
    declare("Profile", samples=(2, "Nothing*"))
    for name, record in (
        ("Spans", "Span*"), ("Records", "Record*"), ("Metrics", "Metric"), ("Names", "Named*"), ("Bounds", "Bucketed"),
        ("Samples", "Profile"), ("Profiles", "Nothing*"),
    ):  # fmt: skip
        declare(f"{name}Scope", records=(2, record))
        declare(f"{name}Resource", scope=(2, f"{name}Scope"))
        declare(name, resource=(1, f"{name}Resource"))
    # As the engine reads them: store/decode/profiles.proto.
    declare("PprofProfile", sample_type=(1, "Nothing*"), sample=(2, "Nothing*"))
    declare(
        "PprofRecord",
        resource=(1, "bytes"),
        scope=(2, "bytes"),
        attributes=(3, "bytes*"),
        time=(4, "fixed64"),
        profile=(5, "bytes"),
    )
    declare("PprofRecords", records=(1, "PprofRecord*"))
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)

    def classes(prefix: str, *names: str) -> dict[str, type[Message]]:
        found = {name: pool.FindMessageTypeByName(f"sightline.otlp.{prefix}{name}") for name in names}
        return {name: message_factory.GetMessageClass(descriptor) for name, descriptor in found.items()}

    outlines = classes("", "Spans", "Records", "Metrics", "Names", "Bounds", "Samples", "Profiles")
    return outlines, classes("Pprof", "Profile", "Records")


_OUTLINES, _PPROF = _outlines()


def _table(records: Message, count: int) -> dict[int, np.ndarray] | None:
    """The columns of an outline's only list by field number, or None where its records have not all the same fields.

    A column has a row of bytes for each record. A field that no record has is no column.
    """
    records.DiscardUnknownFields()
    text = records.SerializeToString()
    width, odd = divmod(len(text), count)
    # A record that has nothing is a tag and a zero; no record of an outline is as long as 128 bytes, so a length is one byte.
    if odd or width < 2 or text[1] != width - 2:
        return None
    rows = np.frombuffer(text, dtype=np.uint8).reshape(count, width)
    columns, at = {}, 2
    headers = [0, 1]
    while at < width:
        number, kind = text[at] >> 3, text[at] & 7
        headers.append(at)
        if kind == 1:
            size = 8
        elif kind == 2 and at + 1 < width:
            at += 1
            headers.append(at)
            size = text[at]
        else:
            return None
        columns[number] = rows[:, at + 1 : at + 1 + size]
        at += 1 + size
    return columns if at == width and all((rows[:, each] == text[each]).all() for each in headers) else None


def _numbers(column: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(column).view("<u8").reshape(-1)


def _spans_look_right(columns: dict[int, np.ndarray]) -> bool:
    if set(columns) != {1, 2, 7, 8} or columns[1].shape[1] != 16 or columns[2].shape[1] != 8:
        return False
    start, end = _numbers(columns[7]), _numbers(columns[8])
    high, low = _numbers(columns[1][:, :8]), _numbers(columns[1][:, 8:])
    return bool((high | low).all() and _numbers(columns[2]).all() and (start <= end).all() and end.max() <= MAX_TIME_NS)


def _times_look_right(columns: dict[int, np.ndarray]) -> bool:
    return all(_numbers(column).max() <= MAX_TIME_NS for column in columns.values())


def _look_at_spans(body: bytes) -> tuple[int, bool]:
    scope = _OUTLINES["Spans"].FromString(body).resource.scope
    return _look(scope, len(scope.records), _spans_look_right)


def _look_at_records(body: bytes) -> tuple[int, bool]:
    scope = _OUTLINES["Records"].FromString(body).resource.scope
    return _look(scope, len(scope.records), _times_look_right)


def _look(records: Message, count: int, looks_right: Callable[[dict[int, np.ndarray]], bool]) -> tuple[int, bool]:
    if not count:
        return 0, True
    columns = _table(records, count)
    return count, columns is not None and looks_right(columns)


def _look_at_metrics(body: bytes) -> tuple[int, bool]:
    metric = _OUTLINES["Metrics"].FromString(body).resource.scope.records
    looks = [
        _look(points, len(points.data_points), _times_look_right)
        for points in (metric.gauge, metric.sum, metric.histogram, metric.exponential_histogram, metric.summary)
    ]
    count = sum(number for number, _ in looks)
    right = all(looks_right for _, looks_right in looks)
    named = _OUTLINES["Names"].FromString(body).resource.scope.records
    right = right and all(map(attrgetter("name"), named)) and all(map(methodcaller("WhichOneof", "data"), named))
    if right and len(metric.histogram.data_points):
        buckets = _OUTLINES["Bounds"].FromString(body).resource.scope.records.histogram.data_points
        counts = np.fromiter(map(len, map(attrgetter("bucket_counts"), buckets)), dtype=np.int64)
        bounds = np.fromiter(map(len, map(attrgetter("explicit_bounds"), buckets)), dtype=np.int64)
        right = bool(((counts == bounds + 1) | ((counts == 0) & (bounds == 0))).all())
    return count, right


def _look_at_samples(body: bytes) -> tuple[int, bool]:
    samples = len(_OUTLINES["Samples"].FromString(body).resource.scope.records.samples)
    # Without a dictionary the samples mean nothing: field 2 of the request.
    return samples, not samples or ExportProfilesServiceRequest.FromString(body).HasField("dictionary")


def _count_profiles(body: bytes, _: int) -> int:
    return len(_OUTLINES["Profiles"].FromString(body).resource.scope.records)


# Record by record, where something looks wrong


def _span_fault(span: Any) -> str:
    if len(span.trace_id) != 16 or not any(span.trace_id):
        return "without a trace id of 16 bytes that are not all zero"
    if len(span.span_id) != 8 or not any(span.span_id):
        return "without a span id of 8 bytes that are not all zero"
    if span.start_time_unix_nano > MAX_TIME_NS or span.end_time_unix_nano > MAX_TIME_NS:
        return "with a time after the year 2262"
    return ""


def _record_fault(record: Any) -> str:
    if record.time_unix_nano > MAX_TIME_NS or record.observed_time_unix_nano > MAX_TIME_NS:
        return "with a time after the year 2262"
    return ""


def _point_fault(point: Any) -> str:
    if point.time_unix_nano > MAX_TIME_NS or point.start_time_unix_nano > MAX_TIME_NS:
        return "with a time after the year 2262"
    return ""


def _histogram_fault(point: Any) -> str:
    counts, bounds = len(point.bucket_counts), len(point.explicit_bounds)
    if counts != bounds + 1 and (counts or bounds):
        return f"with {counts} bucket counts for {bounds} bounds, wanted one more than bounds, or none of both"
    return _point_fault(point)


def _keep(records: Any, faults: Iterable[str], refused: Counter[str]) -> None:
    """Take the records with a fault out of a list of the message."""
    found = list(faults)
    if any(found):
        kept = [record for record, fault in zip(records, found, strict=True) if not fault]
        refused.update(fault for fault in found if fault)
        copies = [type(record).FromString(record.SerializeToString()) for record in kept]
        del records[:]
        records.extend(copies)


def _scopes(message: Any, shape: tuple[str, str, str]) -> Iterator[Any]:
    resources, scopes, records = shape
    for resource in getattr(message, resources):
        for scope in getattr(resource, scopes):
            yield getattr(scope, records)


def _cut_spans(message: Any) -> tuple[Counter[str], dict[str, Warned]]:
    refused: Counter[str] = Counter()
    backwards = 0
    for spans in _scopes(message, ("resource_spans", "scope_spans", "spans")):
        _keep(spans, map(_span_fault, spans), refused)
        backwards += sum(span.end_time_unix_nano < span.start_time_unix_nano for span in spans)
    return refused, {"spans that end before they start, stored with a duration of 0": Warned(backwards)} if backwards else {}


def _cut_records(message: Any) -> tuple[Counter[str], dict[str, Warned]]:
    refused: Counter[str] = Counter()
    for records in _scopes(message, ("resource_logs", "scope_logs", "log_records")):
        _keep(records, map(_record_fault, records), refused)
    return refused, {}


def _cut_points(message: Any) -> tuple[Counter[str], dict[str, Warned]]:
    refused: Counter[str] = Counter()
    empty: list[str] = []
    for metrics in _scopes(message, ("resource_metrics", "scope_metrics", "metrics")):
        for metric in metrics:
            kind = metric.WhichOneof("data")
            if kind is None:
                empty.append(metric.name)
                continue
            points = getattr(metric, kind).data_points
            if not metric.name:
                refused["of a metric without a name"] += len(points)
                metric.ClearField(kind)
                continue
            _keep(points, map(_histogram_fault if kind == "histogram" else _point_fault, points), refused)
    if not empty:
        return +refused, {}
    text = f"metrics without data of a type known here ({', '.join(_KINDS)})"
    return +refused, {text: Warned(len(empty), f', the first is "{empty[0]}"')}


def _cut_samples(_: Any) -> tuple[Counter[str], dict[str, Warned]]:
    raise Unreadable("the samples come without a dictionary, wanted profiles as of opentelemetry-proto 1.11 or near it")


_KINDS = ("gauge", "sum", "histogram", "exponential_histogram", "summary")


@dataclass(frozen=True, slots=True)
class Shape:
    """How the requests of one signal are looked at."""

    resources: str
    look: Callable[[bytes], tuple[int, bool]]
    """How many records, and whether all look right at once."""
    cut: Callable[[Any], tuple[Counter[str], dict[str, Warned]]]
    """Takes records that cannot be stored out of the message; gives counts of refused ones, and warnings."""
    told: Callable[[bytes, int], int] = lambda _, records: records
    """As how many the response counts so many records."""
    path: Path = path(1, 2, 2)
    """Where its records are."""


_SHAPES: dict[type[Message], Shape] = {
    ExportTraceServiceRequest: Shape("resource_spans", _look_at_spans, _cut_spans),
    ExportLogsServiceRequest: Shape("resource_logs", _look_at_records, _cut_records),
    ExportMetricsServiceRequest: Shape(
        "resource_metrics", _look_at_metrics, _cut_points, path=path(1, 2, 2, (5, 7, 9, 10, 11), 1)
    ),
    ExportProfilesServiceRequest: Shape("resource_profiles", _look_at_samples, _cut_samples, _count_profiles),
}
