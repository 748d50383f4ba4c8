-- A journal segment of systemd's journal into events. A frame's body is a line of JSON that we wrote (`fields`: those of all
-- entries), and then an entry a line, in JSON as `journalctl --output=json --all` writes it: every value is a text, an array of
-- texts where a field was given several times, an array of numbers where it is no text.
-- The fields get the names that syslog's and OpenTelemetry's have here; every other one is its own name in small letters, without
-- the underscore that says that the journal itself vouches for it. Where both are there, the one that is vouched for counts.
WITH
    frames AS
    (
        SELECT token, if(index = '', 'main', index) AS index, received_ms, position(body, '\n') AS head_end, left(body, head_end - 1) AS head, body
        FROM $source
        -- The receiver wrote the line: anything else is damage and must not become events.
        WHERE NOT throwIf(head_end = 0 OR NOT isValidJSON(head), 'a frame of the segment has no line that describes its entries')
    ),
    entries AS
    (
        SELECT token, index, received_ms, JSONExtractRaw(head, 'fields') AS own_fields,
            arrayJoin(splitByChar('\n', substring(body, head_end + 1))) AS entry
        FROM frames
    ),
    taken_apart AS
    (
        SELECT
            token, index, received_ms, own_fields, 'journald' AS sourcetype,
            arraySort(p -> NOT startsWith(p.1, '_'),
                arrayFilter(p -> NOT startsWith(p.1, '__') AND p.1 NOT IN ('MESSAGE', '_SOURCE_REALTIME_TIMESTAMP') AND p.2 != 'null',
                    JSONExtractKeysAndValuesRaw(entry))) AS pairs,
            JSONExtractRaw(entry, 'MESSAGE') AS message_json,
            multiIf(
                startsWith(message_json, '"'), JSONExtractString(entry, 'MESSAGE'),
                startsWith(message_json, '["'), arrayStringConcat(JSONExtract(entry, 'MESSAGE', 'Array(String)'), '\n'),
                toValidUTF8(arrayStringConcat(arrayMap(n -> char(n), JSONExtract(entry, 'MESSAGE', 'Array(UInt8)'))))) AS text,
            coalesce(
                toInt64OrNull(JSONExtractString(entry, '_SOURCE_REALTIME_TIMESTAMP')),
                toInt64OrNull(JSONExtractString(entry, '__REALTIME_TIMESTAMP')), toInt64(received_ms) * 1000) AS time_us,
            toUInt8OrNull(JSONExtractString(entry, 'PRIORITY')) AS priority,
            JSONExtractString(entry, '_HOSTNAME') AS host,
            lower(JSONExtractString(entry, 'TRACE_ID')) AS given_trace,
            lower(JSONExtractString(entry, 'SPAN_ID')) AS given_span
        FROM entries
        WHERE entry != ''
    ),
    named AS
    (
        SELECT
            * EXCEPT pairs,
            arrayMap(p -> (
                transform(p.1,
                    ['SYSLOG_IDENTIFIER', '_PID', 'SYSLOG_PID', 'SYSLOG_FACILITY', 'PRIORITY', '_SYSTEMD_UNIT', '_SYSTEMD_USER_UNIT', '_COMM',
                     'CODE_FILE', 'CODE_LINE', 'CODE_FUNC'],
                    ['app', 'process_id', 'process_id', 'facility', 'syslog_severity', 'unit', 'user_unit', 'command',
                     'code.file.path', 'code.line.number', 'code.function.name'],
                    lower(replaceRegexpOne(p.1, '^_+', ''))),
                multiIf(
                    match(p.1, '^(_PID|SYSLOG_PID|SYSLOG_FACILITY|PRIORITY|_UID|_GID|CODE_LINE|ERRNO|EXIT_STATUS)$$')
                        AND startsWith(p.2, '"'), sightline_json_scalar(JSONExtractString(p.2)),
                    startsWith(p.2, '[') AND NOT startsWith(p.2, '["'),
                        toJSONString(toValidUTF8(arrayStringConcat(arrayMap(n -> char(n), JSONExtract(p.2, 'Array(UInt8)'))))),
                    p.2)), pairs) AS pairs
        FROM taken_apart
    ),
    ruled AS (SELECT * REPLACE ($masked AS text) FROM named)
SELECT
    token,
    index,
    fromUnixTimestamp64Micro(time_us, 'UTC') AS _time,
    now64(3) AS _indextime,
    host,
    'journald' AS source,
    sourcetype,
    if(isNull(priority) OR priority > 7, '', ['fatal', 'fatal', 'fatal', 'error', 'warn', 'info', 'info', 'debug'][priority + 1]) AS severity,
    if(match(given_trace, '^[0-9a-f]{32}$$'), given_trace, '') AS trace_id,
    if(match(given_span, '^[0-9a-f]{16}$$'), given_span, '') AS span_id,
    text AS _raw,
    -- Of two fields with one name the first counts.
    CAST(sightline_object([
        sightline_inside_object(own_fields),
        arrayStringConcat(arrayMap(p -> concat(toJSONString(p.1), ':', p.2), pairs), ','),
        $ruled_fields,
        sightline_inside_object(text),
        sightline_key_values(text)]) AS $json) AS fields
FROM ruled
