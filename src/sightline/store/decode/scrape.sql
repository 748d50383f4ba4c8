-- A journal segment of scraped expositions (Prometheus text, OpenMetrics) into metrics. A frame's body is a JSON object in its
-- first line (labels: the target's own, honor: whether an exposed label wins over one of these, time_ms), then the exposition.
WITH
    frames AS
    (
        SELECT
            if(index = '', 'metrics', index) AS index, received_ms,
            splitByChar('\n', body) AS lines,
            JSONExtract(lines[1], 'labels', 'Map(String, String)') AS target,
            JSONExtractBool(lines[1], 'honor') AS honor,
            JSONExtractInt(lines[1], 'time_ms') AS time_ms,
            arrayFilter(g -> notEmpty(g), arrayMap(line -> if(startsWith(line, '# TYPE '),
                extractGroups(line, '^# TYPE (\\S+) (\\S+)'), []), lines)) AS declared,
            CAST((arrayMap(g -> g[1], declared), arrayMap(g -> g[2], declared)), 'Map(String, String)') AS types
        FROM $source
        WHERE body != ''
    ),
    samples AS
    (
        SELECT
            index, target, honor, time_ms, types,
            extractGroups(line,
                '^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\\{((?:[^"}]|"(?:[^"\\\\]|\\\\.)*")*)\\})?\\s+(\\S+)(?:\\s+(-?[0-9.]+))?') AS g
        FROM
        (
            SELECT index, target, honor, time_ms, types, arrayJoin(arraySlice(lines, 2)) AS line FROM frames
        )
        WHERE line != '' AND NOT startsWith(line, '#')
    ),
    labelled AS
    (
        SELECT
            index, time_ms, target, honor, g[1] AS name, g[3] AS written, g[4] AS stamp,
            types[replaceRegexpOne(name, '_(bucket|sum|count)$$', '')] AS of_family,
            multiIf(types[name] != '', types[name],
                types[replaceRegexpOne(name, '_total$$', '')] != '', types[replaceRegexpOne(name, '_total$$', '')], '') AS declared,
            extractAllGroupsVertical(g[2], '([a-zA-Z_][a-zA-Z0-9_.]*)\\s*=\\s*"((?:[^"\\\\]|\\\\.)*)"') AS pairs,
            arrayMap(p -> (if(honor OR NOT mapContains(target, p[1]), p[1], concat('exported_', p[1])),
                replaceAll(replaceAll(replaceAll(p[2], '\\"', '"'), '\\n', '\n'), '\\\\', '\\')), pairs) AS exposed,
            arrayFilter(l -> NOT (honor AND has(exposed.1, l.1)), arrayZip(mapKeys(target), mapValues(target))) AS own
        FROM samples
        WHERE notEmpty(g)
    )
SELECT
    index,
    name AS metric_name,
    -- OpenMetrics writes seconds with a fraction, the older text whole milliseconds.
    fromUnixTimestamp64Milli(if(stamp = '', time_ms,
        if(position(stamp, '.') > 0 OR length(stamp) < 12, toInt64(round(toFloat64(stamp) * 1000)), toInt64(stamp))), 'UTC') AS _time,
    now64(3) AS _indextime,
    toFloat64OrNull(written) AS read,
    if(isFinite(read), read, NULL) AS value,
    multiIf(declared IN ('counter'), 'sum', declared != '', 'gauge', of_family IN ('histogram', 'summary'), 'sum',
        match(name, '_(total|count|sum|bucket)$$'), 'sum', 'gauge') AS type,
    '' AS unit,
    if(type = 'gauge', '', 'cumulative') AS temporality,
    type = 'sum' AS is_monotonic,
    if(match(target['instance'], '^[^:]+:[0-9]+$$'), splitByChar(':', target['instance'])[1], target['instance']) AS host,
    if(target['job'] = '', 'prometheus', concat('prometheus:', target['job'])) AS source,
    'prometheus' AS sourcetype,
    CAST(sightline_object([arrayStringConcat(arrayMap(l -> concat(toJSONString(l.1), ':', toJSONString(l.2)),
        arrayConcat(exposed, own)), ',')]) AS $json) AS dims
FROM labelled
