-- A journal segment of text into events: bodies of HEC's raw endpoint, pieces of files. See `Kind` "raw" in decoding.py.
-- A frame's body is a line of JSON that says what holds for all of it, and then the text as it came.
WITH
    frames AS
    (
        SELECT
            token,
            if(index = '', 'main', index) AS index,
            fromUnixTimestamp64Milli(toInt64(received_ms), 'UTC') AS received,
            rowNumberInAllBlocks() AS frame,
            position(body, '\n') AS head_end,
            left(body, head_end - 1) AS head,
            JSONExtractString(head, 'host') AS host,
            JSONExtractString(head, 'source') AS source,
            JSONExtractString(head, 'sourcetype') AS sourcetype,
            JSONExtractString(head, 'header') AS header,
            JSONExtract(head, 'time', 'Nullable(Float64)') AS given_time,
            JSONExtractRaw(head, 'fields') AS own_fields,
            substring(body, head_end + 1) AS rest,
            toValidUTF8($whole) AS whole
        FROM $source
        -- The receiver wrote the line: anything else is damage and must not become events.
        WHERE NOT throwIf(head_end = 0 OR NOT isValidJSON(head), 'a frame of the segment has no line that describes its text')
    ),
    lined AS (SELECT *, sightline_lines(whole) AS lines FROM frames),
    broken AS
    (
        SELECT * EXCEPT (rest, whole, lines), $events AS texts, $stamps AS stamps, $streams AS streams, $columns AS columns
        FROM lined
    ),
    events AS
    (
        SELECT
            token, index, received, frame, number, host, source, sourcetype, columns, given_time, own_fields, text, text AS sent,
            stamp, stream
        FROM broken
        ARRAY JOIN
            texts AS text,
            arrayEnumerate(texts) AS number,
            arrayResize(stamps, length(texts), '') AS stamp,
            arrayResize(streams, length(texts), '') AS stream
    ),
    found AS
    (
        -- The place of the time, and the time there. Fewer and longer steps: the engine needs longer to plan many than one.
        SELECT *, arrayMap(place -> (place, $found_time), [$place])[1] AS place_and_time
        FROM events
    ),
    timed AS
    (
        SELECT
            * EXCEPT (place_and_time) REPLACE ($masked AS text),
            place_and_time.1 AS place,
            if(isNotNull(given_time), sightline_epoch(given_time), arrayMap(found_time -> $believed, [place_and_time.2])[1]) AS found_time,
            -- An event without a time has that of the event before it.
            last_value(found_time) IGNORE NULLS
                OVER (PARTITION BY frame ORDER BY number ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW) AS last_time
        FROM found
    )
SELECT
    token,
    index,
    toDateTime64(coalesce(last_time, received), 6, 'UTC') AS _time,
    now64(3) AS _indextime,
    host,
    source,
    sourcetype,
    text AS _raw,
    CAST(sightline_object([
        sightline_inside_object(own_fields),
        $ruled_fields,
        if(stream = '', '', concat('"stream":', toJSONString(stream))),
        sightline_inside_object(text),
        sightline_key_values(text)]) AS $json) AS fields,
    sightline_known_members(fields) AS known,
    sightline_severity(arrayFirst(word -> word != '', [known[1], known[2]])) AS severity_found,
    if(severity_found != '', severity_found, sightline_severity(
        extract(left(text, 160), '\\b(TRACE|DEBUG|INFO|WARN|WARNING|ERROR|FATAL|CRITICAL)\\b'))) AS severity,
    known[3] AS trace_id,
    known[4] AS span_id,
    -- For those who try rules: the text before any mask, where the time was, and how it was found. Nothing of it is stored.
    number,
    sent,
    place,
    multiIf(isNotNull(given_time), 'given', isNotNull(found_time), 'text', isNotNull(last_time), 'event before', 'received') AS time_from
FROM timed
