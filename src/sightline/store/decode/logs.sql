-- A journal segment of OTLP log requests into events.
WITH
    frames AS
    (
        SELECT token, if(index = '', 'main', index) AS index, received_ms, body.resource_logs AS resource_logs
        FROM $source
    ),
    resources AS
    (
        SELECT
            token,
            index,
            received_ms,
            sightline_text(r.resource.attributes, 'service.name') AS service,
            sightline_text(r.resource.attributes, 'host.name') AS host,
            sightline_attributes(r.resource.attributes) AS resource_text,
            r.scope_logs AS scope_logs
        FROM frames ARRAY JOIN resource_logs AS r
    ),
    scopes AS
    (
        SELECT
            token, index, received_ms, service, host, resource_text, sightline_scope(s.scope) AS scope_text, s.log_records AS log_records
        FROM resources ARRAY JOIN scope_logs AS s
    ),
    records AS
    (
        SELECT
            token, index, received_ms, service, host, resource_text, scope_text, record,
            'otlp:logs' AS sourcetype,
            sightline_value_text(record.body) AS text,
            lower(record.severity_text) AS severity_text,
            sightline_attributes(record.attributes) AS attributes_text
        FROM scopes ARRAY JOIN log_records AS record
    ),
    ruled AS (SELECT * REPLACE ($masked AS text) FROM records)
SELECT
    token,
    index,
    multiIf(
        record.time_unix_nano > 0, toDateTime64(sightline_nanoseconds(record.time_unix_nano), 6, 'UTC'),
        record.observed_time_unix_nano > 0, toDateTime64(sightline_nanoseconds(record.observed_time_unix_nano), 6, 'UTC'),
        fromUnixTimestamp64Micro(toInt64(received_ms) * 1000, 'UTC')) AS _time,
    now64(3) AS _indextime,
    host,
    service AS source,
    sourcetype,
    multiIf(
        record.severity_number BETWEEN 1 AND 24,
            ['trace', 'debug', 'info', 'warn', 'error', 'fatal'][intDiv(record.severity_number - 1, 4) + 1],
        severity_text = 'warning', 'warn',
        severity_text = 'critical', 'fatal',
        severity_text) AS severity,
    lower(hex(record.trace_id)) AS trace_id,
    lower(hex(record.span_id)) AS span_id,
    text AS _raw,
    CAST(sightline_object([
        attributes_text,
        $ruled_fields,
        if(record.event_name = '', '', concat('"event.name":', toJSONString(record.event_name))),
        sightline_inside_object(text),
        sightline_key_values(text),
        scope_text,
        resource_text]) AS $json) AS fields
FROM ruled
