-- A journal segment of Elasticsearch bulk requests into events. A frame's body is lines: an action, then its document.
WITH
    frames AS
    (
        SELECT token, if(index = '', 'main', index) AS index, received_ms, splitByChar('\n', body) AS lines
        FROM $source
        WHERE body != ''
    ),
    documents AS
    (
        SELECT
            token, index, received_ms,
            arrayJoin(arrayMap(i -> (lines[2 * i - 1], lines[2 * i]), range(1, toUInt32(intDiv(length(lines), 2)) + 1))) AS pair,
            pair.2 AS text,
            JSONExtractString(pair.1, if(JSONHas(pair.1, 'create'), 'create', 'index'), '_index') AS named,
            if(named = '', 'elasticsearch', named) AS sourcetype
        FROM frames
    ),
    masked AS (SELECT * EXCEPT text, $masked AS document FROM documents),
    ruled AS
    (
        SELECT
            *,
            JSONExtract(document, 'Tuple(`@timestamp` String, timestamp String, message String, log String, level String, severity String)') AS d,
            coalesce(nullIf(d.message, ''), nullIf(d.log, ''), document) AS text,
            coalesce(nullIf(JSONExtractString(document, 'host', 'name'), ''), nullIf(JSONExtractString(document, 'host'), ''),
                JSONExtractString(document, 'hostname')) AS host_found
        FROM masked
    )
SELECT
    token,
    index,
    toDateTime64(coalesce(
        parseDateTime64BestEffortOrNull(nullIf(d.`@timestamp`, ''), 6, 'UTC'),
        parseDateTime64BestEffortOrNull(nullIf(d.timestamp, ''), 6, 'UTC'),
        fromUnixTimestamp64Milli(toInt64(received_ms), 'UTC')), 6, 'UTC') AS _time,
    now64(3) AS _indextime,
    host_found AS host,
    coalesce(nullIf(JSONExtractString(document, 'log', 'file', 'path'), ''), nullIf(JSONExtractString(document, 'source'), ''),
        'elasticsearch') AS source,
    sourcetype,
    lower(coalesce(nullIf(d.level, ''), nullIf(d.severity, ''), JSONExtractString(document, 'log', 'level'))) AS severity_found,
    multiIf(severity_found = 'warning', 'warn', severity_found = 'critical', 'fatal',
        severity_found IN ('trace', 'debug', 'info', 'warn', 'error', 'fatal'), severity_found, '') AS severity,
    coalesce(nullIf(JSONExtractString(document, 'trace', 'id'), ''), JSONExtractString(document, 'trace_id')) AS trace_id,
    coalesce(nullIf(JSONExtractString(document, 'span', 'id'), ''), JSONExtractString(document, 'span_id')) AS span_id,
    text AS _raw,
    CAST(sightline_object([
        $ruled_fields,
        sightline_inside_object(document),
        sightline_inside_object(d.message),
        sightline_key_values(d.message)]) AS $json) AS fields
FROM ruled
