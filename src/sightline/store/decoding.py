"""From the bytes of a journal segment to rows, as statements the engine runs: the only place that knows the decode
folder's files.

Enters: a kind of segment and its path. Leaves: the INSERT statement and the settings it needs.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from string import Template
from typing import Any

from sightline.config import IngestSettings
from sightline.store.decode import careful_fields, nested_values
from sightline.store.migrations import statements
from sightline.store.promotion import JSON_COLUMNS, SAMPLE_ROWS, PromotedField, divided
from sightline.store.ruling import Ruling, plain
from sightline.store.sql_text import identifier, quote

_VALUE = (
    "Tuple(string_value Nullable(String), bool_value Nullable(Bool), int_value Nullable(Int64),"
    " double_value Nullable(Float64), array_value Nullable(String), kvlist_value Nullable(String),"
    " bytes_value Nullable(String))"
)
_ATTRIBUTES = f"Array(Tuple(key String, value {_VALUE}))"
_RESOURCE = (
    f"resource Tuple(attributes {_ATTRIBUTES}, dropped_attributes_count UInt32, entity_refs Array(Tuple("
    "schema_url String, type String, id_keys Array(String), description_keys Array(String))))"
)
_SCOPE = f"scope Tuple(name String, version String, attributes {_ATTRIBUTES}, dropped_attributes_count UInt32)"
_SPAN = (
    "Tuple(trace_id String, span_id String, trace_state String, parent_span_id String, name String, kind Int32,"
    f" start_time_unix_nano UInt64, end_time_unix_nano UInt64, attributes {_ATTRIBUTES}, flags UInt32,"
    " dropped_attributes_count UInt32, dropped_events_count UInt32, dropped_links_count UInt32,"
    f" events Array(Tuple(time_unix_nano UInt64, name String, attributes {_ATTRIBUTES}, dropped_attributes_count UInt32)),"
    f" links Array(Tuple(trace_id String, span_id String, trace_state String, attributes {_ATTRIBUTES},"
    " dropped_attributes_count UInt32, flags UInt32)),"
    " status Tuple(message String, code Int32))"
)
_RECORD = (
    "Tuple(time_unix_nano UInt64, observed_time_unix_nano UInt64, severity_number Int32, severity_text String,"
    f" body {_VALUE}, attributes {_ATTRIBUTES}, trace_id String, span_id String, event_name String,"
    " dropped_attributes_count UInt32, flags UInt32)"
)
_EXEMPLARS = (
    "exemplars Array(Tuple(time_unix_nano UInt64, as_double Nullable(Float64), as_int Nullable(Int64), span_id String,"
    f" trace_id String, filtered_attributes {_ATTRIBUTES}))"
)
_POINT_HEAD = f"start_time_unix_nano UInt64, time_unix_nano UInt64, flags UInt32, attributes {_ATTRIBUTES}"
_NUMBER_POINTS = (
    f"data_points Array(Tuple({_POINT_HEAD}, as_double Nullable(Float64), as_int Nullable(Int64), {_EXEMPLARS}))"
)
_SUMMARY_STATISTICS = "count UInt64, sum Nullable(Float64), min Nullable(Float64), max Nullable(Float64)"
_BUCKETS = "Tuple(offset Int32, bucket_counts Array(UInt64))"
_METRIC = (
    f"Tuple(name String, unit String, gauge Tuple({_NUMBER_POINTS}),"
    f" sum Tuple({_NUMBER_POINTS}, aggregation_temporality Int32, is_monotonic Bool),"
    f" histogram Tuple(data_points Array(Tuple({_POINT_HEAD}, {_SUMMARY_STATISTICS},"
    f" bucket_counts Array(UInt64), explicit_bounds Array(Float64), {_EXEMPLARS})), aggregation_temporality Int32),"
    f" exponential_histogram Tuple(data_points Array(Tuple({_POINT_HEAD}, {_SUMMARY_STATISTICS}, scale Int32,"
    f" zero_count UInt64, zero_threshold Float64, positive {_BUCKETS}, negative {_BUCKETS}, {_EXEMPLARS})),"
    " aggregation_temporality Int32),"
    f" summary Tuple(data_points Array(Tuple({_POINT_HEAD}, count UInt64, sum Float64,"
    " quantile_values Array(Tuple(quantile Float64, value Float64))))))"
)
_POINT = (
    "Array(Tuple(type String, temporality Int32, is_monotonic Bool, flags UInt32, start_ns UInt64, time_ns UInt64,"
    " attributes String, value Nullable(Float64), count Nullable(UInt64), sum Nullable(Float64),"
    " min Nullable(Float64), max Nullable(Float64), bounds Array(Float64), bucket_counts Array(UInt64),"
    " scale Nullable(Int32), zero_count Nullable(UInt64), zero_threshold Nullable(Float64),"
    " positive_offset Nullable(Int32), positive_counts Array(UInt64), negative_offset Nullable(Int32),"
    " negative_counts Array(UInt64), quantiles Array(Float64), quantile_values Array(Float64), exemplars String))"
)


_PROFILE_VALUE = f"{_VALUE[:-1]}, string_value_strindex Nullable(Int32))"
_PROFILE_ATTRIBUTE = f"Tuple(key String, value {_PROFILE_VALUE}, key_strindex Int32)"
_VALUE_TYPE = "Tuple(type_strindex Int32, unit_strindex Int32)"
_PROFILES = (
    f"Tuple(resource_profiles Array(Tuple(resource Tuple(attributes Array({_PROFILE_ATTRIBUTE})),"
    f" scope_profiles Array(Tuple({_SCOPE}, profiles Array(Tuple(sample_type {_VALUE_TYPE}, samples Array(Tuple("
    "stack_index Int32, attribute_indices Array(Int32), link_index Int32, values Array(Int64),"
    " timestamps_unix_nano Array(UInt64))), time_unix_nano UInt64, duration_nano UInt64,"
    f" period_type {_VALUE_TYPE}, period Int64, profile_id String, dropped_attributes_count UInt32,"
    " original_payload_format String, attribute_indices Array(Int32))), schema_url String)))),"
    " dictionary Tuple(mapping_table Array(Tuple(filename_strindex Int32)),"
    " location_table Array(Tuple(mapping_index Int32, address UInt64, lines Array(Tuple(function_index Int32, line Int64)))),"
    " function_table Array(Tuple(name_strindex Int32, filename_strindex Int32)),"
    " link_table Array(Tuple(trace_id String, span_id String)), string_table Array(String),"
    f" attribute_table Array(Tuple(key_strindex Int32, value {_PROFILE_VALUE})),"
    " stack_table Array(Tuple(location_indices Array(Int32)))))"
)
_PPROF = (
    f"Tuple(records Array(Tuple(resource Tuple(attributes {_ATTRIBUTES}), {_SCOPE}, attributes {_ATTRIBUTES},"
    " time_unix_nano UInt64, profile Tuple(sample_type Array(Tuple(type Int64, unit Int64)),"
    " sample Array(Tuple(location_id Array(UInt64), value Array(Int64),"
    " label Array(Tuple(key Int64, str Int64, num Int64)))),"
    " location Array(Tuple(id UInt64, address UInt64, line Array(Tuple(function_id UInt64, line Int64)))),"
    " function Array(Tuple(id UInt64, name Int64, filename Int64)), string_table Array(String)))))"
)


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of segment: what its frames hold, how the engine decodes them, and where the rows go."""

    source: str
    """What the ledger calls it."""
    table: str
    default_index: str
    """Where records go whose frame names no index."""
    message: str
    """The frame's message in `schema`."""
    body: str
    """The engine's type of the frame's body."""
    columns: str
    """The columns that its statement gives."""
    schema: str = "otlp.proto"
    statement: str = ""
    """The file of its statement without `.sql`, where that is not the kind's own name."""
    series: str = ""
    """The file of what stands in the place of `$series` in its statement, where two versions of a protocol differ in nothing else."""
    finds_times: bool = False
    """Whether the time of a record that came without one is looked for in its text. Such a statement is many times longer."""
    has_positions: bool = False
    """Whether the receiver reads its source by positions that it notes after the journal has the data: a loaded segment is
    then left to it, because until that note is durable nothing else says how far it came."""
    sourcetype: str = ""
    """The sourcetype of its events, or of those that name none; rules of sourcetypes hold for it where this, or the next, is
    said, and then its statement gives `token` and has the places for rules that the others have."""
    names_sourcetypes: bool = False
    """Whether its events can name a sourcetype themselves."""
    counts_lines: bool = False
    """Whether a frame's records are an estimate (its lines), because only the engine finds out where events end."""
    has_ids_beside: bool = False
    """Whether an event's ids of trace and span come beside its fields, and fields of these names are something else."""
    step_by_step: bool = False
    """Whether the steps of its statement are many and use each other: merged, as the engine does, each is written out wherever
    it is used, and a statement for profiles takes 0.6 s of a processor instead of 0.12 s before it reads anything."""


def _nested(request: str, scope: str, records: str, record: str) -> str:
    scopes = f"{scope} Array(Tuple({_SCOPE}, {records} Array({record}), schema_url String))"
    return f"Tuple({request} Array(Tuple({_RESOURCE}, {scopes}, schema_url String)))"


_LABELS = "labels Array(Tuple(name String, value String))"
_SAMPLES = "samples Array(Tuple(value Float64, timestamp Int64))"
_SPANS = "Array(Tuple(offset Int32, length UInt32))"
_NATIVE_HISTOGRAMS = (
    "histograms Array(Tuple(count_int UInt64, count_float Float64, sum Float64, schema Int32, zero_threshold Float64,"
    " zero_count_int UInt64, zero_count_float Float64,"
    f" negative_spans {_SPANS}, negative_deltas Array(Int64), negative_counts Array(Float64),"
    f" positive_spans {_SPANS}, positive_deltas Array(Int64), positive_counts Array(Float64),"
    " timestamp Int64, custom_values Array(Float64)))"
)
_SPAN_COLUMNS = (
    "index _time _indextime trace_id span_id parent_span_id service name kind status status_message duration_ns"
    " host source sourcetype fields events links"
)
_EVENT_COLUMNS = "index _time _indextime host source sourcetype severity trace_id span_id _raw fields"
_HISTOGRAM_COLUMNS = (
    "count sum min max bounds bucket_counts scale zero_count zero_threshold positive_offset positive_counts"
    " negative_offset negative_counts"
)
_HEC_BATCH = (
    "Tuple(events Array(String), fields Array(String), times Array(Float64), hosts Array(String), sources Array(String),"
    " sourcetypes Array(String))"
)
_POINT_COLUMNS = "index metric_name _time _indextime value type host source sourcetype dims"
_METRIC_COLUMNS = "index metric_name _time _indextime value type unit temporality is_monotonic host source sourcetype dims"

_WORDS_LATER = {"exclude_materialize_skip_indexes_on_insert": "raw_text"}
"""The words of a segment's events are indexed when its rows are merged with others: to do it for every small part first costs
several times what all else does. Until then searches read the text of the newest parts."""
_SAMPLE_BLOCK_ROWS = 4
"""Frames read at once for a sample: each may hold hundreds of records."""

KINDS = {
    "traces": Kind(
        "otlp:traces", "spans", "traces", "TracesFrame", _nested("resource_spans", "scope_spans", "spans", _SPAN),
        _SPAN_COLUMNS,
    ),
    "logs": Kind(
        "otlp:logs", "events", "main", "LogsFrame", _nested("resource_logs", "scope_logs", "log_records", _RECORD),
        _EVENT_COLUMNS,
        sourcetype="otlp:logs",
        has_ids_beside=True,
    ),
    "metrics": Kind(
        "otlp:metrics", "metrics", "metrics", "MetricsFrame",
        _nested("resource_metrics", "scope_metrics", "metrics", _METRIC),
        f"{_METRIC_COLUMNS} start_time {_HISTOGRAM_COLUMNS} quantiles quantile_values exemplars",
    ),
    "profiles": Kind(
        "otlp:profiles", "events", "profiles", "ProfilesFrame", _PROFILES, _EVENT_COLUMNS, schema="profiles.proto",
        has_ids_beside=True, step_by_step=True,
    ),
    "pprof": Kind(
        "otlp:pprof", "events", "profiles", "PprofFrame", _PPROF, _EVENT_COLUMNS, schema="profiles.proto",
        has_ids_beside=True, step_by_step=True,
    ),
    "hec": Kind(
        "hec:events", "events", "main", "BytesFrame", "String", _EVENT_COLUMNS, statement="events", names_sourcetypes=True,
    ),
    "hecevent": Kind(
        "hec:events", "events", "main", "HecFrame", _HEC_BATCH, _EVENT_COLUMNS, schema="hec.proto", names_sourcetypes=True,
    ),
    "hectimed": Kind(
        "hec:events", "events", "main", "HecFrame", _HEC_BATCH, _EVENT_COLUMNS, schema="hec.proto", statement="hecevent",
        names_sourcetypes=True, finds_times=True,
    ),
    "hecmetric": Kind("hec:metrics", "metrics", "metrics", "HecFrame", _HEC_BATCH, _POINT_COLUMNS, schema="hec.proto"),
    "points": Kind("hec:metrics", "metrics", "metrics", "BytesFrame", "String", _POINT_COLUMNS),
    "scrape": Kind("prometheus:scrape", "metrics", "metrics", "BytesFrame", "String", _METRIC_COLUMNS),
    "zipkin": Kind("zipkin:spans", "spans", "traces", "BytesFrame", "String", _SPAN_COLUMNS),
    "loki": Kind("loki:push", "events", "main", "BytesFrame", "String", _EVENT_COLUMNS, sourcetype="loki"),
    "lokiproto": Kind(
        "loki:push", "events", "main", "PushFrame",
        "Tuple(streams Array(Tuple(labels String, entries Array(Tuple(timestamp Tuple(seconds Int64, nanos Int32),"
        " line String, metadata Array(Tuple(name String, value String)))))))",
        _EVENT_COLUMNS, schema="loki.proto",
        sourcetype="loki",
    ),
    "elasticsearch": Kind(
        "elasticsearch:bulk", "events", "main", "BytesFrame", "String", _EVENT_COLUMNS, sourcetype="elasticsearch", names_sourcetypes=True,
    ),
    "signalfx": Kind("signalfx:datapoint", "metrics", "metrics", "BytesFrame", "String", _METRIC_COLUMNS),
    "signalfxevent": Kind(
        "signalfx:event", "events", "main", "BytesFrame", "String", _EVENT_COLUMNS, sourcetype="signalfx:event",
    ),
    "collectd": Kind("collectd", "metrics", "metrics", "BytesFrame", "String", _METRIC_COLUMNS),
    "journald": Kind("journald", "events", "main", "BytesFrame", "String", _EVENT_COLUMNS, sourcetype="journald", has_positions=True),
    "statsd": Kind("statsd", "metrics", "metrics", "BytesFrame", "String", _METRIC_COLUMNS),
    "statsdevent": Kind("statsd", "events", "main", "BytesFrame", "String", _EVENT_COLUMNS, sourcetype="statsd:event"),
    "statsdcheck": Kind(
        "statsd", "events", "main", "BytesFrame", "String", _EVENT_COLUMNS, statement="statsdevent", sourcetype="statsd:check",
    ),
    "syslog": Kind("syslog", "events", "main", "BytesFrame", "String", _EVENT_COLUMNS, sourcetype="syslog"),
    # Text that the engine breaks into events. A frame's body is one line of JSON, and then the text as it came, of one source and
    # of whole lines:
    #     {"host": "web-1", "source": "/var/log/app.log", "sourcetype": "app", "fields": {"pod": "a"}}
    # `time` (seconds since the epoch) is that of all events, where the protocol gives one; without it each event's own time is
    # recognised. `header` is the file's first line (or lines), for text whose field names are there and not in this piece.
    # A frame's records are its lines that are not blank.
    "raw": Kind("hec:raw", "events", "main", "BytesFrame", "String", _EVENT_COLUMNS, counts_lines=True),
    "tail": Kind(
        "file:tail", "events", "main", "BytesFrame", "String", _EVENT_COLUMNS, statement="raw", counts_lines=True, has_positions=True,
    ),
    "prometheus": Kind(
        "prometheus:write", "metrics", "metrics", "WriteFrame",
        f"Tuple(timeseries Array(Tuple({_LABELS}, {_SAMPLES}, {_NATIVE_HISTOGRAMS}, exemplars Array(Tuple({_LABELS},"
        " value Float64, timestamp Int64)))))",
        f"{_METRIC_COLUMNS} {_HISTOGRAM_COLUMNS} exemplars", schema="prometheus.proto", statement="samples", series="prometheus",
    ),
    "prometheus2": Kind(
        "prometheus:write2", "metrics", "metrics", "Write2Frame",
        "Tuple(symbols Array(String), timeseries Array(Tuple(labels_refs Array(UInt32),"
        f" {_SAMPLES}, {_NATIVE_HISTOGRAMS}, exemplars Array(Tuple(labels_refs Array(UInt32), value Float64, timestamp Int64)),"
        " metadata Tuple(type Int32, help_ref UInt32, unit_ref UInt32))))",
        f"{_METRIC_COLUMNS} {_HISTOGRAM_COLUMNS} exemplars", schema="prometheus.proto", statement="samples", series="prometheus2",
    ),
}  # fmt: skip
"""Every kind of segment by the name that its files carry."""


_AS_WRITTEN = {"query_plan_enable_optimizations": 0, "compile_expressions": 0}
"""The statement for text is long, and a small segment's time goes into looking for a better plan that there is not: half of it."""

OVER_BOUNDS = "a record is over a bound"
"""What the engine says of a segment that the careful statement has to load."""


def prepare(execute: Callable[[str], object], ingest: IngestSettings) -> None:
    """Define the functions the decode statements use; once per engine."""
    nested_values.register()
    careful_fields.register()
    for file in ("functions.sql", "text.sql", "statements.sql", "stacks.sql"):
        for statement in statements(_text(file)):
            execute(statement)
    execute(
        "CREATE OR REPLACE FUNCTION sightline_object AS (pieces) -> concat('{', sightline_members(pieces),"
        f" substring('}}', 1 + throwIf(length(sightline_members(pieces)) > {ingest.max_fields_bytes}, {quote(OVER_BOUNDS)})))"
    )
    execute(
        "CREATE OR REPLACE FUNCTION sightline_careful_object AS (pieces) -> sightline_careful_fields("
        "hex(concat('{', sightline_members(pieces), '}')),"
        f" toInt64({ingest.max_fields_bytes}), toInt64({ingest.max_value_bytes}))"
    )
    execute(
        "CREATE OR REPLACE FUNCTION sightline_known_object AS (number, pieces) -> sightline_known_fields("
        "toInt64(number), hex(concat('{', sightline_members(pieces), '}')))"
    )
    execute(
        "CREATE OR REPLACE FUNCTION sightline_folded_object AS (labels, pieces) -> concat('{', arrayStringConcat(arrayMap("
        "p -> concat(toJSONString(p.1), ':', if(has(labels, p.1), '\"(other)\"', p.2)),"
        " JSONExtractKeysAndValuesRaw(sightline_object(pieces))), ','), '}')"
    )
    execute(
        "CREATE OR REPLACE FUNCTION sightline_is_event_text AS (t) -> NOT throwIf("
        f"length(t) > {ingest.max_event_bytes} OR NOT isValidUTF8(t), {quote(OVER_BOUNDS)})"
    )
    execute(
        "CREATE OR REPLACE FUNCTION sightline_careful_text AS (t) ->"
        f" if(length(t) > {ingest.max_event_bytes}, trim(TRAILING '\ufffd' FROM toValidUTF8(left(t, {ingest.max_event_bytes}))),"
        " toValidUTF8(t))"
    )
    execute(
        "CREATE OR REPLACE FUNCTION sightline_text_marks AS (t) -> arrayFilter(m -> m != '', ["
        f"if(length(t) > {ingest.max_event_bytes}, 'text', ''), if(isValidUTF8(t), '', 'characters')])"
    )
    if not ingest.scrub_statements:
        for name in ("sightline_statements", "sightline_statements_of_tags"):
            execute(f"CREATE OR REPLACE FUNCTION {name} AS (a) -> ''")


def insert_statement(
    kind: str,
    path: Path,
    ruling: Ruling | None = None,
    promoted: Sequence[PromotedField] = (),
    *,
    careful: bool = False,
    applied: Callable[[str], str] = lambda select: select,
) -> tuple[str, dict[str, Any]]:
    """The INSERT that loads a segment of a kind, and its settings. Raises KeyError for an unknown kind.

    The usual one fails, and stores nothing, where a record is over a bound or would not become JSON. The careful one
    makes such records fit, and is slow. `applied` changes the usual one, as the guard of cardinality does.
    """
    decoder = KINDS[kind]
    if careful:
        selected = _careful_select(kind, path, ruling)
    else:
        selected = applied(select_statement(kind, path, ruling))
        if decoder.table == "events":
            selected = f"SELECT * FROM ({selected}) WHERE sightline_is_event_text(_raw)"
    selected = without_ids(kind, _kept(selected, ruling))
    columns, select = divided(selected, decoder.columns.split(), decoder.table, promoted)
    return insert_of(kind, columns, select), settings(kind) | insert_settings(kind)


def insert_of(kind: str, columns: Sequence[str], select: str) -> str:
    """The INSERT of the rows of a segment that a SELECT gives."""
    return f"INSERT INTO sightline.{KINDS[kind].table} ({', '.join(map(identifier, columns))}) {select}"


def insert_settings(kind: str) -> dict[str, Any]:
    """Settings for it, beside those that its SELECT needs."""
    return _WORDS_LATER if KINDS[kind].table == "events" else {}


def sample_statement(kind: str, path: Path, ruling: Ruling | None = None) -> tuple[str, dict[str, Any]]:
    """The SELECT that gives index and object text of some of the records that are stored of a segment, without reading all
    of it."""
    column = JSON_COLUMNS[KINDS[kind].table]
    selected = without_ids(kind, _kept(select_statement(kind, path, ruling), ruling))
    sql = f"SELECT `index`, {identifier(column)} AS object FROM ({selected}) LIMIT {SAMPLE_ROWS}"
    return sql, {**settings(kind), "max_block_size": _SAMPLE_BLOCK_ROWS, "max_threads": 1}


def _kept(select: str, ruling: Ruling | None) -> str:
    """Only what the rules leave, in the indexes where they send it."""
    return ruling.stored(select) if ruling and ruling.judges else select


def without_ids(kind: str, select: str) -> str:
    """The rows without the fields that say what an event's own columns say: ids do not compress, and are in its text as well.
    Rules before it see every field."""
    if KINDS[kind].table != "events" or KINDS[kind].has_ids_beside:
        return select
    return f"SELECT * REPLACE (sightline_without_ids(fields, trace_id, span_id) AS fields) FROM ({select})"


def cuts_statement(kind: str, path: Path, ruling: Ruling | None = None) -> str:
    """The SELECT that gives `reason` and `count` of what the careful statement cuts; a record may have several reasons."""
    column = JSON_COLUMNS[KINDS[kind].table]
    marks = f"JSONExtract({column}, '{careful_fields.MARK}', 'Array(String)')"
    return (
        f"SELECT splitByChar(' ', mark)[1] AS reason, count() AS count FROM (SELECT arrayJoin({marks}) AS mark"
        f" FROM ({_careful_select(kind, path, ruling)})) GROUP BY reason ORDER BY reason"
    )


def _careful_select(kind: str, path: Path, ruling: Ruling | None) -> str:
    text = select_statement(kind, path, ruling).replace("sightline_object(", "sightline_careful_object(")
    if KINDS[kind].table != "events":
        return text
    # The first of two equal names counts.
    marks = f"arrayConcat(sightline_text_marks(_raw), JSONExtract(fields, '{careful_fields.MARK}', 'Array(String)'))"
    marked = (
        f"if(empty(sightline_text_marks(_raw)), fields, concat('{{\"{careful_fields.MARK}\":', toJSONString({marks}),"
        " if(fields = '{}', '}', concat(',', substring(fields, 2)))))"
    )
    return f"SELECT * REPLACE ({marked} AS fields, sightline_careful_text(_raw) AS _raw) FROM ({text})"


def count_statement(kind: str, path: Path, ruling: Ruling | None = None) -> str:
    """The SELECT that gives `token`, `index`, `refusal` (why they are not stored) and `count` of a segment's events."""
    select = select_statement(kind, path, ruling)
    if ruling and ruling.judges:
        return (
            "SELECT token, target AS index, refusal, count() AS count"
            f" FROM ({ruling.judged(select)}) GROUP BY token, target, refusal"
        )
    return f"SELECT token, index, '' AS refusal, count() AS count FROM ({select}) GROUP BY token, index"


def search_statement(path: Path, names: Sequence[str]) -> tuple[str, dict[str, Any]]:
    """The SELECT that says as `found` whether any of these names stands in a segment, and its settings."""
    # The frames of any kind can be read as bytes.
    found = f"multiSearchAny(body, [{', '.join(quote(name) for name in names)}])"
    source = f"file({quote(str(path))}, 'Protobuf', 'body String')"
    return f"SELECT max({found}) AS found FROM {source}", _schema("otlp.proto", "BytesFrame")


def sourcetypes_statement(kind: str, path: Path) -> str:
    """The SELECT that gives the sourcetypes of a segment, each once."""
    if KINDS[kind].counts_lines:
        head = "left(body, position(body, '\\n'))"
        source = f"file({quote(str(path))}, 'Protobuf', 'body String')"
        return f"SELECT DISTINCT JSONExtractString({head}, 'sourcetype') AS sourcetype FROM {source}"
    return f"SELECT DISTINCT sourcetype FROM ({select_statement(kind, path)})"


def select_statement(kind: str, path: Path, ruling: Ruling | None = None) -> str:
    """The SELECT that decodes a segment, under the rules of its sourcetypes; its JSON column is text still."""
    decoder = KINDS[kind]
    structure = f"token String, index String, received_ms UInt64, body {decoder.body}"
    source = f"file({quote(str(path))}, 'Protobuf', {quote(structure)})"
    text = _text(f"{decoder.statement or kind}.sql")
    if decoder.series:
        text = text.replace("$series", _text(f"{decoder.series}.sql"))
    return Template(text).substitute(
        source=source,
        point=_POINT,
        value=_PROFILE_VALUE,
        # What a record's fields are kept in is decided where the statement's rows are divided.
        json="String",
        recognised_time="sightline_recognised_time(text, received, 'UTC')" if decoder.finds_times else "NULL",
        **(ruling.placeholders() if ruling else plain()),
    )


def settings(kind: str) -> dict[str, Any]:
    """Settings under which a segment's bytes are understood.

    The schema is named by its path: given as text (`format_schema_source = 'string'`, what a cluster would need),
    the engine writes it to a `__cache__` folder in whatever directory the process was started in.
    """
    decoder = KINDS[kind]
    as_written = _AS_WRITTEN if decoder.counts_lines else {}
    step_by_step = {"query_plan_merge_expressions": 0} if decoder.step_by_step else {}
    return _schema(decoder.schema, decoder.message) | as_written | step_by_step


def _schema(file: str, message: str) -> dict[str, Any]:
    return {"format_schema": f"{files('sightline.store.decode') / file}:{message}"}


@functools.cache
def _text(name: str) -> str:
    return (files("sightline.store.decode") / name).read_text()
