-- A journal segment of HEC metrics into metrics, as earlier versions wrote it: one may wait for its first load by this one. Each
-- frame's body is JSON lines, one point each: t time, h host, s source, st sourcetype, i index, n metric name, v value, d
-- dimensions (text values).
WITH
    lines AS
    (
        SELECT received_ms, arrayJoin(splitByChar('\n', body)) AS line
        FROM $source
        WHERE body != ''
    ),
    points AS
    (
        SELECT
            received_ms,
            JSONExtract(line,
                'Tuple(t Nullable(Float64), h String, s String, st String, i String, n String, v Float64)') AS point,
            JSONExtractRaw(line, 'd') AS dimensions
        FROM lines
        WHERE line != ''
    )
SELECT
    point.i AS index,
    point.n AS metric_name,
    fromUnixTimestamp64Milli(if(isNull(point.t), toInt64(received_ms), toInt64(round(assumeNotNull(point.t) * 1e3))), 'UTC') AS _time,
    now64(3) AS _indextime,
    point.v AS value,
    'gauge' AS type,
    point.h AS host,
    point.s AS source,
    point.st AS sourcetype,
    CAST(sightline_object([sightline_inside_object(dimensions)]) AS $json) AS dims
FROM points
WHERE NOT throwIf(point.i = '' OR point.n = '', 'a line of the segment is not a point')
