-- A journal segment of statsd's samples into metrics. A frame's body is lines: first the sender's address, then a sample each, as
-- it came. Tags are Datadog's (`|#k:v`), or in the name: InfluxDB's (`name,k=v`), Librato's (`name#k=v`), SignalFx's (`name[k=v]`).
-- A counter's value is what its sample rate makes of it. A sample of a set is a point of value 1 with its member as a dimension.
WITH
    samples AS
    (
        SELECT
            if(index = '', 'metrics', index) AS index, received_ms, splitByChar('\n', body) AS lines, lines[1] AS peer,
            arrayJoin(arraySlice(lines, 2)) AS line
        FROM $source
        WHERE body != ''
    ),
    taken_apart AS
    (
        SELECT
            index, received_ms, peer,
            extractGroups(line, '^([^:|]+):([^|]+)\\|(c|g|ms|h|d|s)((?:\\|[^|]*)*)$$') AS groups,
            groups[1] AS written_name, groups[2] AS written, groups[3] AS kind,
            splitByChar('|', groups[4]) AS parts,
            toFloat64OrZero(substring(arrayFirst(p -> startsWith(p, '@'), parts), 2)) AS written_rate,
            if(written_rate > 0 AND written_rate < 1, written_rate, 1) AS rate,
            toInt64OrZero(substring(arrayFirst(p -> match(p, '^T[0-9]{1,11}$$'), parts), 2)) AS time_s,
            substring(arrayFirst(p -> startsWith(p, 'c:'), parts), 3) AS container,
            arrayFilter(t -> t != '', splitByChar(',', substring(arrayFirst(p -> startsWith(p, '#'), parts), 2))) AS tags,
            extract(written_name, '\\[([^\\[\\]]*=[^\\[\\]]*)\\]') AS bracketed,
            if(bracketed != '', replaceOne(written_name, concat('[', bracketed, ']'), ''), written_name) AS bare_name,
            extractGroups(bare_name, '^([^,#]+)[,#]([^=,]+=[^,]*(?:,[^=,]+=[^,]*)*)$$') AS suffixed
        FROM samples
        WHERE line != ''
    ),
    points AS
    (
        SELECT
            index, received_ms, peer, kind, rate, time_s, container, written,
            if(notEmpty(suffixed), suffixed[1], bare_name) AS name,
            arrayMap(t -> if(position(t, ':') > 0, (left(t, position(t, ':') - 1), substring(t, position(t, ':') + 1)), (t, 'true')), tags) AS of_datadog,
            arrayMap(t -> (left(t, position(t, '=') - 1), substring(t, position(t, '=') + 1)),
                arrayFilter(t -> position(t, '=') > 1, splitByChar(',', concat(bracketed, ',', suffixed[2])))) AS of_name,
            arrayConcat(of_name, of_datadog) AS both,
            -- The last of two tags with one name is the one that counts: an object has a name once.
            arrayFilter((t, i) -> arrayLastIndex(o -> o.1 = t.1, both) = i, both, arrayEnumerate(both)) AS own,
            mapFromArrays(arrayMap(t -> t.1, own), arrayMap(t -> t.2, own)) AS dimensions,
            arrayJoin(if(kind = 's', ['1'], splitByChar(':', written))) AS value_text
        FROM taken_apart
    )
SELECT
    index,
    name AS metric_name,
    fromUnixTimestamp64Milli(if(time_s > 0, time_s * 1000, toInt64(received_ms)), 'UTC') AS _time,
    now64(3) AS _indextime,
    toFloat64OrNull(value_text) / if(kind = 'c', rate, 1) AS value,
    if(kind = 'c', 'sum', 'gauge') AS type,
    if(kind = 'ms', 'ms', '') AS unit,
    if(kind = 'c', 'delta', '') AS temporality,
    false AS is_monotonic,
    if(dimensions['host'] != '', dimensions['host'], peer) AS host,
    'statsd' AS source,
    'statsd' AS sourcetype,
    CAST(sightline_object([
        arrayStringConcat(arrayMap((k, v) -> concat(toJSONString(k), ':', toJSONString(v)), mapKeys(dimensions), mapValues(dimensions)), ','),
        if(kind = 's', concat('"member":', toJSONString(written)), ''),
        if(container = '' OR mapContains(dimensions, 'container.id'), '', concat('"container.id":', toJSONString(container))),
        if(rate < 1 AND kind IN ('ms', 'h', 'd') AND NOT mapContains(dimensions, 'sample_rate'),
            concat('"sample_rate":"', toString(rate), '"'), '')]) AS $json) AS dims
FROM points
