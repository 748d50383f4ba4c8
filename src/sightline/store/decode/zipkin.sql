-- A journal segment of Zipkin v2 spans into spans. A frame's body is the JSON array as it came; times are microseconds.
WITH
    frames AS
    (
        SELECT if(index = '', 'traces', index) AS index, received_ms, arrayJoin(JSONExtractArrayRaw(body)) AS span
        FROM $source
        WHERE body != ''
    ),
    parsed AS
    (
        SELECT
            index, received_ms, span,
            JSONExtract(span, 'Tuple(traceId String, id String, parentId String, name String, kind String, timestamp UInt64, duration UInt64, shared Bool)') AS s,
            JSONExtract(span, 'localEndpoint', 'Tuple(serviceName String, ipv4 String, ipv6 String, port UInt16)') AS local,
            JSONExtract(span, 'remoteEndpoint', 'Tuple(serviceName String, ipv4 String, ipv6 String, port UInt16)') AS remote,
            JSONExtract(span, 'tags', 'Map(String, String)') AS tags,
            JSONExtract(span, 'annotations', 'Array(Tuple(timestamp UInt64, value String))') AS annotations
        FROM frames
    )
SELECT
    index,
    toDateTime64(if(s.timestamp > 0, fromUnixTimestamp64Micro(toInt64(least(s.timestamp, 9000000000000000)), 'UTC'),
        fromUnixTimestamp64Milli(toInt64(received_ms), 'UTC')), 9, 'UTC') AS _time,
    now64(3) AS _indextime,
    -- Ids of 64 bits are written with and without leading zeros.
    lower(leftPad(s.traceId, 32, '0')) AS trace_id,
    lower(leftPad(s.id, 16, '0')) AS span_id,
    if(s.parentId = '', '', lower(leftPad(s.parentId, 16, '0'))) AS parent_span_id,
    local.serviceName AS service,
    s.name AS name,
    if(lower(s.kind) IN ('client', 'server', 'producer', 'consumer'), lower(s.kind), 'internal') AS kind,
    if(mapContains(tags, 'error') AND lower(tags['error']) NOT IN ('false', '0'), 'error', 'unset') AS status,
    if(status = 'error' AND lower(tags['error']) NOT IN ('true', '1', ''), tags['error'], '') AS status_message,
    s.duration * 1000 AS duration_ns,
    if(local.ipv4 != '', local.ipv4, local.ipv6) AS host,
    local.serviceName AS source,
    'zipkin' AS sourcetype,
    CAST(sightline_object([
        sightline_statements_of_tags(tags),
        arrayStringConcat(arrayMap((k, v) -> sightline_json_pair(k, v), mapKeys(tags), mapValues(tags)), ','),
        if(remote.serviceName = '', '', concat('"peer.service":', toJSONString(remote.serviceName))),
        if(remote.ipv4 = '', '', concat('"server.address":', toJSONString(remote.ipv4))),
        if(s.shared, '"zipkin.shared":true', '')]) AS $json) AS fields,
    if(empty(annotations), '', concat('[', arrayStringConcat(arrayMap(
        a -> concat('{"name":', toJSONString(a.value), ',"time_unix_nano":"', toString(a.timestamp * 1000), '","attributes":{}}'),
        annotations), ','), ']')) AS events,
    '' AS links
FROM parsed
