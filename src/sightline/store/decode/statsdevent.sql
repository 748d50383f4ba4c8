-- A journal segment of DogStatsD's events (`_e{5,4}:title|text|...`) and service checks (`_sc|name|status|...`) into events.
-- A frame's body is lines: first the sender's address, then one each, as it came. Lengths are in bytes.
WITH
    lines AS
    (
        SELECT
            token, if(index = '', 'main', index) AS index, received_ms, splitByChar('\n', body) AS all_lines, all_lines[1] AS peer,
            arrayJoin(arraySlice(all_lines, 2)) AS line
        FROM $source
        WHERE body != ''
    ),
    taken_apart AS
    (
        SELECT
            token, index, received_ms, peer, line,
            startsWith(line, '_e{') AS is_event,
            extractGroups(line, '^_e\\{([0-9]+),([0-9]+)\\}:') AS lengths,
            position(line, '}:') + 2 AS begin,
            toUInt32OrZero(lengths[1]) AS title_length,
            toUInt32OrZero(lengths[2]) AS text_length,
            toValidUTF8(substring(line, begin, title_length)) AS title,
            replaceAll(toValidUTF8(substring(line, begin + title_length + 1, text_length)), '\\n', '\n') AS body_text,
            extractGroups(line, '^_sc\\|([^|]+)\\|([0-3])') AS checked,
            splitByChar('|', if(is_event, substring(line, begin + title_length + 1 + text_length), substring(line, length(checked[1]) + 7))) AS parts,
            -- The message of a check comes last, and may have any letter.
            if(is_event, '', replaceAll(extract(line, '\\|m:(.*)$$'), '\\n', '\n')) AS message,
            arrayMap(t -> if(position(t, ':') > 0, (left(t, position(t, ':') - 1), substring(t, position(t, ':') + 1)), (t, 'true')),
                arrayFilter(t -> t != '', splitByChar(',', substring(arrayFirst(p -> startsWith(p, '#'), parts), 2)))) AS tags,
            -- The last of two tags with one name is the one that counts: an object has a name once.
            arrayFilter((t, i) -> arrayLastIndex(o -> o.1 = t.1, tags) = i, tags, arrayEnumerate(tags)) AS own,
            mapFromArrays(arrayMap(t -> t.1, own), arrayMap(t -> t.2, own)) AS tagged,
            substring(arrayFirst(p -> startsWith(p, 'h:'), parts), 3) AS given_host,
            substring(arrayFirst(p -> startsWith(p, 't:'), parts), 3) AS alert_type,
            toInt64OrZero(substring(arrayFirst(p -> match(p, '^d:[0-9]{1,11}$$'), parts), 3)) AS time_s,
            if(is_event, 'statsd:event', 'statsd:check') AS sourcetype,
            if(is_event, if(body_text = '', title, concat(title, '\n', body_text)),
                concat(checked[1], ' is ', ['ok', 'warning', 'critical', 'unknown'][toUInt8OrZero(checked[2]) + 1], if(message = '', '', concat(': ', message)))) AS text
        FROM lines
        WHERE line != ''
    ),
    ruled AS (SELECT * REPLACE ($masked AS text) FROM taken_apart)
SELECT
    token,
    index,
    toDateTime64(fromUnixTimestamp64Milli(if(time_s > 0, time_s * 1000, toInt64(received_ms)), 'UTC'), 6, 'UTC') AS _time,
    now64(3) AS _indextime,
    coalesce(nullIf(given_host, ''), nullIf(tagged['host'], ''), peer) AS host,
    'statsd' AS source,
    sourcetype,
    multiIf(
        is_event, transform(alert_type, ['error', 'warning', 'info', 'success'], ['error', 'warn', 'info', 'info'], 'info'),
        transform(checked[2], ['0', '1', '2'], ['info', 'warn', 'error'], '')) AS severity,
    '' AS trace_id,
    '' AS span_id,
    text AS _raw,
    CAST(sightline_object([
        $ruled_fields,
        arrayStringConcat(arrayMap((k, v) -> concat(toJSONString(k), ':', toJSONString(v)), mapKeys(tagged), mapValues(tagged)), ','),
        if(is_event, concat('"title":', toJSONString(title)), concat('"check":', toJSONString(checked[1]), ',"status":', checked[2])),
        arrayStringConcat(arrayMap(l -> concat(toJSONString(l.2), ':', toJSONString(l.3)), arrayFilter(l -> l.3 != '', arrayMap(
            (l, n) -> (l, n, substring(arrayFirst(p -> startsWith(p, l), parts), 3)),
            ['k:', 'p:', 's:', 't:', 'c:'], ['aggregation_key', 'priority', 'source_type', 'alert_type', 'container.id']))), ',')]) AS $json) AS fields
FROM ruled
