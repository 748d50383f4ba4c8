-- A journal segment of HEC metrics into metrics. A frame's body is a batch with a column for each key: see hec.proto. The
-- receiver has checked that "fields" names a metric, and that every value is a number or the text of one.
WITH
    received AS
    (
        SELECT if(index = '', 'metrics', index) AS index, received_ms, time, host, source, sourcetype,
            JSONExtractKeysAndValuesRaw(fields) AS pairs,
            arrayFilter(p -> startsWith(p.1, 'metric_name:'), pairs) AS named,
            mapFromArrays(pairs.1, pairs.2) AS values
        FROM $source
        ARRAY JOIN
            body.fields AS fields,
            if(empty(body.times), arrayWithConstant(length(body.fields), nan), body.times) AS time,
            if(length(body.hosts) = 1, arrayWithConstant(length(body.fields), body.hosts[1]), body.hosts) AS host,
            if(length(body.sources) = 1, arrayWithConstant(length(body.fields), body.sources[1]), body.sources) AS source,
            if(length(body.sourcetypes) = 1, arrayWithConstant(length(body.fields), body.sourcetypes[1]), body.sourcetypes)
                AS sourcetype
    ),
    points AS
    (
        SELECT
            * EXCEPT (pairs, named, values),
            arrayJoin(if(empty(named),
                [(JSONExtractString(values['metric_name']), values['_value'])],
                arrayMap(p -> (substring(p.1, 13), p.2), named))) AS point,
            -- Dimensions are texts: anything that is not one is told as it is written.
            arrayStringConcat(arrayMap(
                p -> concat(toJSONString(p.1), ':', if(startsWith(p.2, '"'), p.2, toJSONString(p.2))),
                arrayFilter(p -> p.1 NOT IN ('', '_value', 'metric_name') AND p.2 != 'null' AND NOT startsWith(p.1, 'metric_name:'),
                    pairs)), ',') AS dimensions
        FROM received
    )
SELECT
    index,
    point.1 AS metric_name,
    fromUnixTimestamp64Milli(if(isNaN(time), toInt64(received_ms), toInt64(round(time * 1e3))), 'UTC') AS _time,
    now64(3) AS _indextime,
    toFloat64(trim(BOTH ' ' FROM trim(BOTH '"' FROM point.2))) AS value,
    'gauge' AS type,
    host,
    source,
    sourcetype,
    CAST(sightline_object([dimensions]) AS $json) AS dims
FROM points
WHERE NOT throwIf(metric_name = '', 'a line of the segment is not a point')
