-- A journal segment of HEC events into events. A frame's body is a batch with a column for each key: see hec.proto.
WITH
    envelopes AS
    (
        SELECT
            token, if(index = '', 'main', index) AS index, fromUnixTimestamp64Milli(toInt64(received_ms), 'UTC') AS received,
            event, time, host, source, sourcetype, own_fields,
            startsWith(event, '"') AS is_string
        FROM $source
        ARRAY JOIN
            body.events AS event,
            if(empty(body.times), arrayWithConstant(length(body.events), nan), body.times) AS time,
            if(length(body.hosts) = 1, arrayWithConstant(length(body.events), body.hosts[1]), body.hosts) AS host,
            if(length(body.sources) = 1, arrayWithConstant(length(body.events), body.sources[1]), body.sources) AS source,
            if(length(body.sourcetypes) = 1, arrayWithConstant(length(body.events), body.sourcetypes[1]), body.sourcetypes)
                AS sourcetype,
            if(empty(body.fields), arrayWithConstant(length(body.events), ''), body.fields) AS own_fields
    ),
    texts AS
    (
        SELECT
            *,
            -- Most strings have no escapes, and need not be read as JSON.
            multiIf(
                NOT is_string, event,
                position(event, '\\') = 0, substring(event, 2, length(event) - 2),
                JSONExtractString(event)) AS text
        FROM envelopes
    ),
    ruled AS (SELECT * REPLACE ($masked AS text) FROM texts)
SELECT
    token,
    index,
    toDateTime64(coalesce(
        if(isNaN(time), NULL, fromUnixTimestamp64Micro(toInt64(round(time * 1e6)), 'UTC')),
        $recognised_time,
        received), 6, 'UTC') AS _time,
    now64(3) AS _indextime,
    host,
    source,
    sourcetype,
    text AS _raw,
    CAST(sightline_object([
        sightline_inside_object(own_fields),
        $ruled_fields,
        sightline_inside_object(text),
        sightline_key_values(text)]) AS $json) AS fields,
    sightline_known_members(fields) AS known,
    sightline_severity(arrayFirst(word -> word != '', [known[1], known[2]])) AS severity,
    known[3] AS trace_id,
    known[4] AS span_id
FROM ruled
