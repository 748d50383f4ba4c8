-- A journal segment of SignalFx events into events. A frame's body is the JSON array as it came.
WITH
    events AS
    (
        SELECT
            if(index = '', 'main', index) AS index, received_ms,
            arrayJoin(JSONExtractArrayRaw(body)) AS event,
            JSONExtract(event, 'Tuple(eventType String, category String, timestamp Int64)') AS e,
            JSONExtract(event, 'dimensions', 'Map(String, String)') AS dimensions
        FROM $source
        WHERE body != ''
    )
SELECT
    index,
    toDateTime64(fromUnixTimestamp64Milli(if(e.timestamp > 0, e.timestamp, toInt64(received_ms)), 'UTC'), 6, 'UTC') AS _time,
    now64(3) AS _indextime,
    coalesce(nullIf(dimensions['host'], ''), dimensions['host.name']) AS host,
    'signalfx' AS source,
    'signalfx:event' AS sourcetype,
    '' AS severity,
    '' AS trace_id,
    '' AS span_id,
    event AS _raw,
    CAST(sightline_object([
        concat('"eventType":', toJSONString(e.eventType)),
        if(e.category = '', '', concat('"category":', toJSONString(e.category))),
        sightline_inside_object(JSONExtractRaw(event, 'dimensions')),
        sightline_inside_object(JSONExtractRaw(event, 'properties'))]) AS $json) AS fields
FROM events
