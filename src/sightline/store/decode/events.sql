-- A journal segment of events that receivers wrote themselves: the ledger's refusals, and what earlier versions made of HEC. Each
-- frame's body is JSON lines: t time, h host, s source, st sourcetype, i index, e event (any JSON value), f fields (an object).
WITH
    lines AS
    (
        SELECT token, received_ms, arrayJoin(splitByChar('\n', body)) AS line
        FROM $source
        WHERE body != ''
    ),
    envelopes AS
    (
        SELECT
            token,
            received_ms,
            JSONExtract(line, 'Tuple(t Nullable(Float64), h String, s String, st String, i String)') AS envelope,
            JSONExtractRaw(line, 'e') AS event,
            JSONExtractRaw(line, 'f') AS own_fields
        FROM lines
        WHERE line != ''
    ),
    texts AS
    (
        SELECT
            token, received_ms, envelope, own_fields,
            envelope.st AS sourcetype,
            if(startsWith(event, '"'), JSONExtractString(event), event) AS text
        FROM envelopes
        -- The receiver wrote every line, with an index: anything else is damage and must not become an empty event.
        WHERE NOT throwIf(envelope.i = '', 'a line of the segment is not an event')
    ),
    ruled AS (SELECT * REPLACE ($masked AS text) FROM texts)
SELECT
    token,
    envelope.i AS index,
    fromUnixTimestamp64Micro(if(isNull(envelope.t), toInt64(received_ms) * 1000, toInt64(round(assumeNotNull(envelope.t) * 1e6))), 'UTC') AS _time,
    now64(3) AS _indextime,
    envelope.h AS host,
    envelope.s AS source,
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
