-- A journal segment of collectd's write_http plugin into metrics. A frame's body is the JSON array as it came.
WITH
    lists AS
    (
        SELECT
            if(index = '', 'metrics', index) AS index, received_ms,
            JSONExtract(arrayJoin(JSONExtractArrayRaw(body)),
                'Tuple(values Array(Nullable(Float64)), dsnames Array(String), dstypes Array(String), time Float64, host String,
                 plugin String, plugin_instance String, type String, type_instance String)') AS l
        FROM $source
        WHERE body != ''
    ),
    points AS
    (
        SELECT index, received_ms, l, arrayJoin(arrayZip(l.values, l.dsnames, l.dstypes)) AS p
        FROM lists
    )
SELECT
    index,
    concat(l.plugin, '.', l.type, if(p.2 = 'value', '', concat('.', p.2))) AS metric_name,
    fromUnixTimestamp64Milli(if(l.time > 0, toInt64(round(l.time * 1000)), toInt64(received_ms)), 'UTC') AS _time,
    now64(3) AS _indextime,
    p.1 AS value,
    if(p.3 = 'gauge', 'gauge', 'sum') AS type,
    '' AS unit,
    multiIf(p.3 = 'absolute', 'delta', p.3 IN ('counter', 'derive'), 'cumulative', '') AS temporality,
    p.3 IN ('counter', 'absolute') AS is_monotonic,
    l.host AS host,
    'collectd' AS source,
    'collectd' AS sourcetype,
    CAST(sightline_object([
        concat('"plugin":', toJSONString(l.plugin)),
        if(l.plugin_instance = '', '', concat('"plugin_instance":', toJSONString(l.plugin_instance))),
        if(l.type_instance = '', '', concat('"type_instance":', toJSONString(l.type_instance)))]) AS $json) AS dims
FROM points
