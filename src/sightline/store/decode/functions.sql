-- Functions that the statements of this folder share. They are replaced at every start, so they have no versions.
--
-- An attribute becomes `"key":value` of a JSON text, not a map: a JSON column parses one text per row faster than it
-- takes a map apart (numbers in docs/adr/0001-storage-schema.md). An attribute without a value becomes an empty text
-- and is left out; a double that JSON cannot write (NaN, Infinity) becomes a string.

-- A whole double keeps its ".0": a path that holds one type only is read without run-time checks.
CREATE OR REPLACE FUNCTION sightline_json_double AS (d) ->
    multiIf(NOT isFinite(d), concat('"', toString(d), '"'),
        d = trunc(d) AND abs(d) < 1e21, concat(toString(d), '.0'),
        toString(d));

-- `coalesce` and not nested `if`: 3 microseconds a span against 15, because each `if` copies all texts once more.
CREATE OR REPLACE FUNCTION sightline_json_value AS (v) ->
    coalesce(
        if(isNull(v.string_value), NULL, toJSONString(assumeNotNull(v.string_value))),
        toString(v.int_value),
        sightline_json_double(v.double_value),
        if(isNull(v.bool_value), NULL, if(assumeNotNull(v.bool_value), 'true', 'false')),
        sightline_array_json(hex(v.array_value)),
        sightline_map_json(hex(v.kvlist_value)),
        concat('"', base64Encode(v.bytes_value), '"'),
        '');

CREATE OR REPLACE FUNCTION sightline_attributes AS (a) ->
    arrayStringConcat(arrayFilter(x -> x != '', arrayMap(
        (k, t) -> if(t = '', '', concat(toJSONString(k), ':', t)),
        a.key, arrayMap(v -> sightline_json_value(v), a.value))), ',');

-- Pieces of what is received become the text of an object by `sightline_object`, which decoding.py defines with its bound.
CREATE OR REPLACE FUNCTION sightline_whole_object AS (pieces) ->
    concat('{', arrayStringConcat(arrayFilter(x -> x != '', pieces), ','), '}');

-- A member of an object that is left out where it is not set.
CREATE OR REPLACE FUNCTION sightline_text_member AS (k, t) -> if(t = '', '', concat('"', k, '":', toJSONString(t)));

CREATE OR REPLACE FUNCTION sightline_count_member AS (k, n) -> if(n = 0, '', concat('"', k, '":', toString(n)));

CREATE OR REPLACE FUNCTION sightline_members AS (pieces) -> arrayStringConcat(arrayFilter(x -> x != '', pieces), ',');

CREATE OR REPLACE FUNCTION sightline_scope AS (s, schema_url) ->
    sightline_members([
        sightline_text_member('scope.name', s.name),
        sightline_text_member('scope.version', s.version),
        sightline_text_member('scope.schema_url', schema_url),
        sightline_count_member('scope.dropped_attributes_count', s.dropped_attributes_count),
        sightline_attributes(s.attributes)]);

-- Entities are kept as the text of one field: which attributes say what the resource is, and which describe it.
CREATE OR REPLACE FUNCTION sightline_resource AS (r, schema_url) ->
    sightline_members([
        sightline_attributes(r.attributes),
        sightline_text_member('resource.schema_url', schema_url),
        sightline_count_member('resource.dropped_attributes_count', r.dropped_attributes_count),
        sightline_text_member('resource.entities', if(empty(r.entity_refs), '', toJSONString(r.entity_refs)))]);

-- An id of trace or span; one that is all zero says that there is none.
CREATE OR REPLACE FUNCTION sightline_id AS (i) ->
    if(i = repeat('\0', 8) OR i = repeat('\0', 16), '', lower(hex(i)));

-- W3C's trace flags say something only beyond "sampled", which what is exported is, and 0, which is also "not set".
CREATE OR REPLACE FUNCTION sightline_trace_flags AS (f) ->
    if(bitAnd(f, 254) = 0, '', concat('"trace_flags":', toString(bitAnd(f, 255))));

-- The text of a string attribute; empty when there is none.
CREATE OR REPLACE FUNCTION sightline_text AS (a, k) ->
    ifNull(a.value.string_value[indexOf(a.key, k)], '');

-- A text without the white space that JSON allows around a value.
CREATE OR REPLACE FUNCTION sightline_trimmed AS (t) -> trim(BOTH ' \t\r\n' FROM t);

-- A text that is one JSON object, without its braces and with a blank for an empty one; empty for any other text.
CREATE OR REPLACE FUNCTION sightline_inside_object AS (t) ->
    if(startsWith(sightline_trimmed(t), '{') AND isValidJSON(t),
        trim(substring(sightline_trimmed(t), 2, length(sightline_trimmed(t)) - 2)), '');

-- Fields in a text such as `level=info user="A b"`: names of letters, digits, `_`, `.`, `-`; a canonical number is
-- a number, so that "007" stays what it is.
CREATE OR REPLACE FUNCTION sightline_json_scalar AS (t) ->
    if(match(t, '^-?(0|[1-9][0-9]{0,17})([.][0-9]{1,15})?$'), t, toJSONString(t));

-- A field of a text. What a version is called is no number: 1.10 is not 1.1.
CREATE OR REPLACE FUNCTION sightline_json_pair AS (n, t) ->
    concat(toJSONString(n), ':', if(endsWith(lower(n), 'version'), toJSONString(t), sightline_json_scalar(t)));

CREATE OR REPLACE FUNCTION sightline_key_values AS (t) ->
    if(position(t, '=') = 0 OR startsWith(sightline_trimmed(t), '{'), '',
        arrayStringConcat(arrayMap(
            g -> sightline_json_pair(g[1], if(g[2] != '', g[2], g[3])),
            arrayFilter(g -> g[2] != '' OR g[3] != '', extractAllGroupsVertical(t,
                '(?:^|[\\s,;|&({\\[])([A-Za-z_][A-Za-z0-9_.-]*)=(?:"([^"]*)"|([^\\s,;|&"(){}]+))'))), ','));

-- Any value as the text of an event.
CREATE OR REPLACE FUNCTION sightline_value_text AS (v) ->
    coalesce(
        v.string_value,
        toString(v.int_value),
        toString(v.double_value),
        if(isNull(v.bool_value), NULL, if(assumeNotNull(v.bool_value), 'true', 'false')),
        sightline_map_json(hex(v.kvlist_value)),
        sightline_array_json(hex(v.array_value)),
        base64Encode(v.bytes_value),
        '');

-- The dimensions of a metric: text, whatever the attribute's type.
CREATE OR REPLACE FUNCTION sightline_dimensions AS (a) ->
    arrayStringConcat(arrayMap((k, v) -> concat(toJSONString(k), ':', toJSONString(v)), a.key,
        arrayMap(v -> sightline_value_text(v), a.value)), ',');

CREATE OR REPLACE FUNCTION sightline_scope_dimensions AS (s, schema_url) ->
    sightline_members([
        sightline_text_member('scope.name', s.name),
        sightline_text_member('scope.version', s.version),
        sightline_text_member('scope.schema_url', schema_url),
        sightline_dimensions(s.attributes)]);

CREATE OR REPLACE FUNCTION sightline_nanoseconds AS (ns) ->
    fromUnixTimestamp64Nano(toInt64(least(ns, 9223372036854775807)), 'UTC');

CREATE OR REPLACE FUNCTION sightline_exemplars AS (e) ->
    if(empty(e), '', concat('[', arrayStringConcat(arrayMap(
        (t, d, n, s, i, a) -> concat('{"time_unix_nano":"', toString(t), '","value":',
            coalesce(sightline_json_double(d), toString(n), 'null'),
            ',"trace_id":"', lower(hex(i)), '","span_id":"', lower(hex(s)), '","attributes":{',
            sightline_attributes(a), '}}'),
        e.time_unix_nano, e.as_double, e.as_int, e.span_id, e.trace_id, e.filtered_attributes), ','), ']'));

-- Exemplars of Prometheus in the same form: of each the labels, the value and the time in milliseconds. The trace and the span are
-- labels there, by names that its clients agree on.
CREATE OR REPLACE FUNCTION sightline_exemplar_label AS (l, names) ->
    arrayFirst(p -> has(names, p.1), l).2;

CREATE OR REPLACE FUNCTION sightline_prometheus_exemplars AS (labels, numbers, times) ->
    if(empty(times), '', concat('[', arrayStringConcat(arrayMap(
        (l, v, t) -> concat('{"time_unix_nano":"', toString(t), '000000","value":', coalesce(sightline_json_double(v), 'null'),
            ',"trace_id":', toJSONString(lower(sightline_exemplar_label(l, ['trace_id', 'traceID', 'TraceID']))),
            ',"span_id":', toJSONString(lower(sightline_exemplar_label(l, ['span_id', 'spanID', 'SpanID']))),
            ',"attributes":{', arrayStringConcat(arrayMap(p -> concat(toJSONString(p.1), ':', toJSONString(p.2)),
                arrayFilter(p -> p.1 != '' AND p.1 NOT IN ('trace_id', 'traceID', 'TraceID', 'span_id', 'spanID', 'SpanID'), l)), ','),
            '}}'),
        labels, numbers, times), ','), ']'));

-- A point of a gauge or a sum in the shape all metric points are given in metrics.sql.
CREATE OR REPLACE FUNCTION sightline_number_point AS (kind, temporality, monotonic, p) ->
    (kind, temporality, monotonic, p.flags, p.start_time_unix_nano, p.time_unix_nano,
     sightline_dimensions(p.attributes), coalesce(p.as_double, toFloat64(p.as_int)),
     NULL, NULL, NULL, NULL, [], [], NULL, NULL, NULL, NULL, [], NULL, [], [], [],
     sightline_exemplars(p.exemplars));

-- Buckets of a native histogram of Prometheus as the dense array that an exponential histogram of OTLP has: spans say which
-- buckets there are, deltas or float counts how much is in each. The first bucket's number, less one, is the offset:
-- Prometheus' bucket i ends at base^i, OTLP's begins there.
CREATE OR REPLACE FUNCTION sightline_native_counts AS (spans, deltas, counts) ->
    arrayFlatten(arrayMap(
        (s, i, begin) -> arrayConcat(
            if(i = 1, CAST([], 'Array(UInt64)'), arrayResize(CAST([], 'Array(UInt64)'), greatest(s.offset, 0), toUInt64(0))),
            arraySlice(
                if(empty(deltas), arrayMap(c -> toUInt64(round(c)), counts), arrayMap(c -> toUInt64(greatest(c, 0)), arrayCumSum(deltas))),
                begin + 1, s.length)),
        spans, arrayEnumerate(spans), arrayMap(n -> toInt64(n), arrayPopBack(arrayPushFront(arrayCumSum(spans.length), 0)))));

CREATE OR REPLACE FUNCTION sightline_native_histogram AS (h) ->
    (h.timestamp,
     CAST(if(greatest(toFloat64(h.count_int), h.count_float) = 0, NULL,
        h.sum / greatest(toFloat64(h.count_int), h.count_float)), 'Nullable(Float64)'),
     true,
     CAST(greatest(h.count_int, toUInt64(round(h.count_float))), 'Nullable(UInt64)'),
     CAST(h.sum, 'Nullable(Float64)'),
     h.custom_values,
     if(empty(h.custom_values), CAST([], 'Array(UInt64)'),
        sightline_native_counts(h.positive_spans, h.positive_deltas, h.positive_counts)),
     CAST(if(h.schema = -53, NULL, h.schema), 'Nullable(Int32)'),
     CAST(greatest(h.zero_count_int, toUInt64(round(h.zero_count_float))), 'Nullable(UInt64)'),
     CAST(h.zero_threshold, 'Nullable(Float64)'),
     CAST(if(empty(h.positive_spans), NULL, h.positive_spans.offset[1] - 1), 'Nullable(Int32)'),
     sightline_native_counts(h.positive_spans, h.positive_deltas, h.positive_counts),
     CAST(if(empty(h.negative_spans), NULL, h.negative_spans.offset[1] - 1), 'Nullable(Int32)'),
     sightline_native_counts(h.negative_spans, h.negative_deltas, h.negative_counts));
