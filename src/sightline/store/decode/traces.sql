-- A journal segment of OTLP trace requests into spans.
WITH
    frames AS
    (
        SELECT if(index = '', 'traces', index) AS index, received_ms, body.resource_spans AS resource_spans
        FROM $source
    ),
    resources AS
    (
        SELECT
            index,
            received_ms,
            sightline_text(r.resource.attributes, 'service.name') AS service,
            sightline_text(r.resource.attributes, 'host.name') AS host,
            sightline_attributes(r.resource.attributes) AS resource_text,
            r.scope_spans AS scope_spans
        FROM frames ARRAY JOIN resource_spans AS r
    ),
    scopes AS
    (
        SELECT index, received_ms, service, host, resource_text, sightline_scope(s.scope) AS scope_text, s.spans AS spans
        FROM resources ARRAY JOIN scope_spans AS s
    )
SELECT
    index,
    sightline_nanoseconds(span.start_time_unix_nano) AS _time,
    now64(3) AS _indextime,
    lower(hex(span.trace_id)) AS trace_id,
    lower(hex(span.span_id)) AS span_id,
    lower(hex(span.parent_span_id)) AS parent_span_id,
    service,
    span.name AS name,
    ['', 'internal', 'server', 'client', 'producer', 'consumer'][if(span.kind BETWEEN 0 AND 5, span.kind + 1, 1)] AS kind,
    ['unset', 'ok', 'error'][if(span.status.code BETWEEN 0 AND 2, span.status.code + 1, 1)] AS status,
    span.status.message AS status_message,
    if(span.end_time_unix_nano > span.start_time_unix_nano,
        span.end_time_unix_nano - span.start_time_unix_nano, 0) AS duration_ns,
    host,
    service AS source,
    'otlp:traces' AS sourcetype,
    CAST(sightline_object([
        sightline_attributes(span.attributes),
        if(span.trace_state = '', '', concat('"trace_state":', toJSONString(span.trace_state))),
        scope_text,
        resource_text]) AS $json) AS fields,
    if(empty(span.events), '', concat('[', arrayStringConcat(arrayMap(
        (t, n, a) -> concat('{"name":', toJSONString(n), ',"time_unix_nano":"', toString(t), '","attributes":{',
            sightline_attributes(a), '}}'),
        span.events.time_unix_nano, span.events.name, span.events.attributes), ','), ']')) AS events,
    if(empty(span.links), '', concat('[', arrayStringConcat(arrayMap(
        (t, s, a) -> concat('{"trace_id":"', lower(hex(t)), '","span_id":"', lower(hex(s)), '","attributes":{',
            sightline_attributes(a), '}}'),
        span.links.trace_id, span.links.span_id, span.links.attributes), ','), ']')) AS links
FROM scopes ARRAY JOIN spans AS span
