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
            sightline_resource(r.resource, r.schema_url) AS resource_text,
            r.scope_spans AS scope_spans
        FROM frames ARRAY JOIN resource_spans AS r
    ),
    scopes AS
    (
        SELECT index, received_ms, service, host, resource_text, sightline_scope(s.scope, s.schema_url) AS scope_text, s.spans AS spans
        FROM resources ARRAY JOIN scope_spans AS s
    )
SELECT
    index,
    sightline_nanoseconds(span.start_time_unix_nano) AS _time,
    now64(3) AS _indextime,
    lower(hex(span.trace_id)) AS trace_id,
    lower(hex(span.span_id)) AS span_id,
    sightline_id(span.parent_span_id) AS parent_span_id,
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
        sightline_statements(span.attributes),
        sightline_attributes(span.attributes),
        sightline_text_member('trace_state', span.trace_state),
        -- Few spans have any of these: one condition for all, and the engine makes the texts only where it holds.
        if(span.dropped_attributes_count + span.dropped_events_count + span.dropped_links_count = 0
                AND bitAnd(span.flags, 254) = 0 AND bitAnd(span.flags, 768) != 768, '',
            sightline_members([
                sightline_trace_flags(span.flags),
                if(bitAnd(span.flags, 768) = 768, '"parent_is_remote":true', ''),
                sightline_count_member('dropped_attributes_count', span.dropped_attributes_count),
                sightline_count_member('dropped_events_count', span.dropped_events_count),
                sightline_count_member('dropped_links_count', span.dropped_links_count)])),
        scope_text,
        resource_text]) AS $json) AS fields,
    if(empty(span.events), '', concat('[', arrayStringConcat(arrayMap(
        (t, n, a, d) -> concat('{"name":', toJSONString(n), ',"time_unix_nano":"', toString(t), '","attributes":{',
            sightline_attributes(a), '}', if(d = 0, '', concat(',"dropped_attributes_count":', toString(d))), '}'),
        span.events.time_unix_nano, span.events.name, span.events.attributes,
        span.events.dropped_attributes_count), ','), ']')) AS events,
    if(empty(span.links), '', concat('[', arrayStringConcat(arrayMap(
        (t, s, a, w, d, f) -> concat('{"trace_id":"', lower(hex(t)), '","span_id":"', lower(hex(s)), '","attributes":{',
            sightline_attributes(a), '}',
            if(w = '', '', concat(',"trace_state":', toJSONString(w))),
            if(d = 0, '', concat(',"dropped_attributes_count":', toString(d))),
            if(f = 0, '', concat(',"flags":', toString(f))), '}'),
        span.links.trace_id, span.links.span_id, span.links.attributes, span.links.trace_state,
        span.links.dropped_attributes_count, span.links.flags), ','), ']')) AS links
FROM scopes ARRAY JOIN spans AS span
