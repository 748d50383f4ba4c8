-- A journal segment of Loki pushes in JSON into events. A frame's body is the request as it came.
WITH
    streams AS
    (
        SELECT token, if(index = '', 'main', index) AS index, received_ms, arrayJoin(JSONExtractArrayRaw(body, 'streams')) AS stream
        FROM $source
        WHERE body != ''
    ),
    entries AS
    (
        SELECT
            token, index, received_ms,
            JSONExtract(stream, 'stream', 'Map(String, String)') AS labels,
            arrayJoin(JSONExtractArrayRaw(stream, 'values')) AS entry
        FROM streams
    ),
    records AS
    (
        SELECT
            token, index, received_ms, labels, 'loki' AS sourcetype,
            toInt64OrNull(JSONExtractString(entry, 1)) AS time_ns,
            JSONExtractString(entry, 2) AS text,
            JSONExtract(entry, 3, 'Map(String, String)') AS metadata
        FROM entries
    ),
    ruled AS (SELECT * REPLACE ($masked AS text) FROM records)
SELECT
    token,
    index,
    toDateTime64(if(isNull(time_ns) OR time_ns <= 0, fromUnixTimestamp64Milli(toInt64(received_ms), 'UTC'),
        fromUnixTimestamp64Micro(intDiv(assumeNotNull(time_ns), 1000), 'UTC')), 6, 'UTC') AS _time,
    now64(3) AS _indextime,
    coalesce(nullIf(labels['host'], ''), nullIf(labels['hostname'], ''), nullIf(labels['node_name'], ''), labels['instance']) AS host,
    coalesce(nullIf(labels['job'], ''), nullIf(labels['service_name'], ''), 'loki') AS source,
    sourcetype,
    lower(coalesce(nullIf(metadata['detected_level'], ''), nullIf(metadata['level'], ''), nullIf(labels['level'], ''),
        nullIf(labels['severity'], ''), sightline_known_members(fields)[2])) AS severity_found,
    multiIf(severity_found = 'warning', 'warn', severity_found = 'critical', 'fatal',
        severity_found IN ('trace', 'debug', 'info', 'warn', 'error', 'fatal'), severity_found, '') AS severity,
    coalesce(nullIf(metadata['trace_id'], ''), metadata['traceID']) AS trace_id,
    metadata['span_id'] AS span_id,
    text AS _raw,
    CAST(sightline_object([
        arrayStringConcat(arrayMap((k, v) -> concat(toJSONString(k), ':', toJSONString(v)), mapKeys(labels), mapValues(labels)), ','),
        arrayStringConcat(arrayMap((k, v) -> concat(toJSONString(k), ':', toJSONString(v)), mapKeys(metadata), mapValues(metadata)), ','),
        $ruled_fields,
        sightline_inside_object(text),
        sightline_key_values(text)]) AS $json) AS fields
FROM ruled
