-- A journal segment of SignalFx events into events. A frame's body is the JSON array as it came.
WITH
    events AS
    (
        SELECT
            token, if(index = '', 'main', index) AS index, received_ms,
            arrayJoin(JSONExtractArrayRaw(body)) AS text,
            'signalfx:event' AS sourcetype
        FROM $source
        WHERE body != ''
    ),
    masked AS (SELECT * REPLACE ($masked AS text) FROM events),
    ruled AS
    (
        SELECT
            *,
            JSONExtract(text, 'Tuple(eventType String, category String, timestamp Int64)') AS e,
            JSONExtract(text, 'dimensions', 'Map(String, String)') AS dimensions
        FROM masked
    )
SELECT
    token,
    index,
    toDateTime64(fromUnixTimestamp64Milli(if(e.timestamp > 0, e.timestamp, toInt64(received_ms)), 'UTC'), 6, 'UTC') AS _time,
    now64(3) AS _indextime,
    coalesce(nullIf(dimensions['host'], ''), dimensions['host.name']) AS host,
    'signalfx' AS source,
    sourcetype,
    '' AS severity,
    '' AS trace_id,
    '' AS span_id,
    text AS _raw,
    CAST(sightline_object([
        $ruled_fields,
        concat('"eventType":', toJSONString(e.eventType)),
        if(e.category = '', '', concat('"category":', toJSONString(e.category))),
        sightline_inside_object(JSONExtractRaw(text, 'dimensions')),
        sightline_inside_object(JSONExtractRaw(text, 'properties'))]) AS $json) AS fields
FROM ruled
