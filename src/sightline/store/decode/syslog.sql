-- A journal segment of syslog messages into events. A frame's body is lines: first the sender's address, then a message each,
-- as it came (RFC 5424, RFC 3164, or anything else that has a priority in front, or has none).
-- A time of RFC 3164 has neither year nor zone: it is UTC, in the year that brings it next to when it was received.
WITH
    frames AS
    (
        SELECT token, index, received_ms, splitByChar('\n', body) AS lines
        FROM $source
        WHERE body != ''
    ),
    messages AS
    (
        SELECT token, if(index = '', 'main', index) AS index, received_ms, lines[1] AS peer,
            'syslog' AS sourcetype, arrayJoin(arraySlice(lines, 2)) AS text
        FROM frames
    ),
    ruled AS (SELECT * REPLACE ($masked AS text) FROM messages),
    headed AS
    (
        SELECT
            token, index, received_ms, peer,
            sourcetype,
            toUInt8OrNull(extract(ruled.text, '^<([0-9]{1,3})>')) AS priority,
            replaceRegexpOne(ruled.text, '^<[0-9]{1,3}>', '') AS text,
            extractGroups(text, '^1 (\\S+) (\\S+) (\\S+) (\\S+) (\\S+) (-|(?:\\[(?:[^\\]"]|"(?:[^"\\\\]|\\\\.)*")*\\])+) ?(?:\xEF\xBB\xBF)?((?s).*)$$') AS new,
            extractGroups(text, '^([A-Z][a-z]{2} [ 0-9][0-9] [0-9:]{8}) (\\S+) ([^\\s:\\[]+)(?:\\[([^\\]]*)\\])?: ?((?s).*)$$') AS old
        FROM ruled
        WHERE ruled.text != ''
    ),
    parsed AS
    (
        SELECT
            token, index, received_ms, peer, sourcetype, priority, text,
            if(notEmpty(new), nullIf(new[1], '-'), NULL) AS new_time,
            if(notEmpty(old), parseDateTime64BestEffortOrNull(
                concat(toString(toYear(toDateTime(intDiv(received_ms, 1000), 'UTC'))), ' ', old[1]), 3, 'UTC'), NULL) AS old_time,
            multiIf(notEmpty(new), nullIf(new[2], '-'), notEmpty(old), old[2], NULL) AS host,
            multiIf(notEmpty(new), nullIf(new[3], '-'), notEmpty(old), old[3], NULL) AS app,
            multiIf(notEmpty(new), nullIf(new[4], '-'), notEmpty(old), nullIf(old[4], ''), NULL) AS process,
            if(notEmpty(new), nullIf(new[5], '-'), NULL) AS message_id,
            if(notEmpty(new), nullIf(new[6], '-'), NULL) AS structured,
            multiIf(notEmpty(new), new[7], notEmpty(old), old[5], text) AS message,
            fromUnixTimestamp64Milli(toInt64(received_ms), 'UTC') AS received
        FROM headed
    )
SELECT
    token,
    index,
    toDateTime64(coalesce(
        parseDateTime64BestEffortOrNull(new_time, 6, 'UTC'),
        -- A day ahead is a clock that runs fast; more is last year's message.
        if(old_time > received + INTERVAL 1 DAY, old_time - INTERVAL 1 YEAR, old_time),
        received), 6, 'UTC') AS _time,
    now64(3) AS _indextime,
    ifNull(host, peer) AS host,
    'syslog' AS source,
    sourcetype,
    if(isNull(priority), '', ['fatal', 'fatal', 'fatal', 'error', 'warn', 'info', 'info', 'debug'][bitAnd(priority, 7) + 1]) AS severity,
    '' AS trace_id,
    '' AS span_id,
    text AS _raw,
    CAST(sightline_object([
        $ruled_fields,
        sightline_inside_object(message),
        sightline_key_values(message),
        arrayStringConcat(arrayMap(g -> concat(toJSONString(g[1]), ':',
                toJSONString(replaceRegexpAll(g[2], '\\\\(["\\\\\\]])', '\\1'))),
            extractAllGroupsVertical(ifNull(structured, ''), ' ([^\\s=\\]"]+)="((?:[^"\\\\]|\\\\.)*)"')), ','),
        if(isNull(app), '', concat('"app":', toJSONString(assumeNotNull(app)))),
        if(isNull(process), '', concat('"process_id":', sightline_json_scalar(assumeNotNull(process)))),
        if(isNull(message_id), '', concat('"message_id":', toJSONString(assumeNotNull(message_id)))),
        if(isNull(priority), '', concat('"facility":', toString(intDiv(assumeNotNull(priority), 8)))),
        if(isNull(priority), '', concat('"syslog_severity":', toString(bitAnd(assumeNotNull(priority), 7))))]) AS $json) AS fields
FROM parsed
