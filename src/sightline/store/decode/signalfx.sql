-- A journal segment of SignalFx datapoints into metrics. A frame's body is the JSON object as it came.
WITH
    typed AS
    (
        SELECT
            if(index = '', 'metrics', index) AS index, received_ms, body,
            arrayJoin(['gauge', 'counter', 'cumulative_counter']) AS kind
        FROM $source
        WHERE body != ''
    ),
    points AS
    (
        SELECT
            index, received_ms, kind,
            arrayJoin(JSONExtractArrayRaw(body, kind)) AS point,
            JSONExtract(point, 'Tuple(metric String, value Float64, timestamp Int64)') AS p,
            JSONExtract(point, 'dimensions', 'Map(String, String)') AS dimensions
        FROM typed
    )
SELECT
    index,
    p.metric AS metric_name,
    fromUnixTimestamp64Milli(if(p.timestamp > 0, p.timestamp, toInt64(received_ms)), 'UTC') AS _time,
    now64(3) AS _indextime,
    p.value AS value,
    if(kind = 'gauge', 'gauge', 'sum') AS type,
    '' AS unit,
    multiIf(kind = 'counter', 'delta', kind = 'cumulative_counter', 'cumulative', '') AS temporality,
    kind != 'gauge' AS is_monotonic,
    coalesce(nullIf(dimensions['host'], ''), dimensions['host.name']) AS host,
    'signalfx' AS source,
    'signalfx' AS sourcetype,
    CAST(sightline_object([arrayStringConcat(arrayMap((k, v) -> concat(toJSONString(k), ':', toJSONString(v)),
        mapKeys(dimensions), mapValues(dimensions)), ',')]) AS $json) AS dims
FROM points
