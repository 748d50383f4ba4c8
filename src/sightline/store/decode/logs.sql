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
            sightline_resource(r.resource, r.schema_url) AS resource_text,
            sightline_text(r.resource.attributes, 'com.splunk.source') AS resource_source,
            sightline_text(r.resource.attributes, 'com.splunk.sourcetype') AS resource_sourcetype,
            r.scope_logs AS scope_logs
        FROM frames ARRAY JOIN resource_logs AS r
    ),
    scopes AS
    (
        SELECT
            token, index, received_ms, service, host, resource_text, resource_source, resource_sourcetype,
            sightline_scope(s.scope, s.schema_url) AS scope_text, s.log_records AS log_records
        FROM resources ARRAY JOIN scope_logs AS s
    ),
    records AS
    (
        SELECT
            token, index, received_ms, service, host, resource_text, scope_text, record,
            -- What Splunk's collectors call source and sourcetype, of the record or of its resource.
            multiIf(
                sightline_text(record.attributes, 'com.splunk.source') != '', sightline_text(record.attributes, 'com.splunk.source'),
                resource_source != '', resource_source,
                service) AS source,
            multiIf(
                sightline_text(record.attributes, 'com.splunk.sourcetype') != '',
                    sightline_text(record.attributes, 'com.splunk.sourcetype'),
                resource_sourcetype != '', resource_sourcetype,
                'otlp:logs') AS sourcetype,
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
    source,
    sourcetype,
    multiIf(
        record.severity_number BETWEEN 1 AND 24,
            ['trace', 'debug', 'info', 'warn', 'error', 'fatal'][intDiv(record.severity_number - 1, 4) + 1],
        severity_text = 'warning', 'warn',
        severity_text = 'critical', 'fatal',
        severity_text) AS severity,
    sightline_id(record.trace_id) AS trace_id,
    sightline_id(record.span_id) AS span_id,
    text AS _raw,
    CAST(sightline_object([
        sightline_statements(record.attributes),
        attributes_text,
        $ruled_fields,
        sightline_text_member('event.name', record.event_name),
        -- The number and the text of the severity only where they say more than its word. Few records have any of these: one
        -- condition for all, and the engine makes the texts only where it holds.
        if(record.severity_number IN (0, 1, 5, 9, 13, 17, 21) AND severity_text IN ('', severity, 'warning', 'critical')
                AND record.dropped_attributes_count = 0 AND bitAnd(record.flags, 254) = 0, '',
            sightline_members([
                if(record.severity_number IN (0, 1, 5, 9, 13, 17, 21), '',
                    concat('"severity_number":', toString(record.severity_number))),
                if(severity_text IN ('', severity, 'warning', 'critical'), '',
                    concat('"severity_text":', toJSONString(record.severity_text))),
                sightline_trace_flags(record.flags),
                sightline_count_member('dropped_attributes_count', record.dropped_attributes_count)])),
        sightline_inside_object(text),
        sightline_key_values(text),
        scope_text,
        resource_text]) AS $json) AS fields
FROM ruled
