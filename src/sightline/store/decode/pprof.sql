-- Profiles in Splunk's log records into events, one for each sample and type of value.
WITH
    frames AS
    (
        SELECT token, if(index = '', 'profiles', index) AS index, received_ms, body.records AS records
        FROM $source
    ),
    profiles AS
    (
        SELECT
            token,
            index,
            received_ms,
            r.time_unix_nano AS record_ns,
            sightline_text(r.resource.attributes, 'service.name') AS service,
            sightline_text(r.resource.attributes, 'host.name') AS host,
            sightline_text(r.attributes, 'profiling.data.type') AS data_type,
            sightline_members([
                sightline_attributes(r.attributes),
                sightline_text_member('scope.name', r.scope.name),
                sightline_text_member('scope.version', r.scope.version),
                sightline_attributes(r.resource.attributes)]) AS common_text,
            r.profile AS p,
            r.profile.string_table AS texts,
            sightline_positions(r.profile.string_table) AS text_keys
        FROM frames ARRAY JOIN records AS r
    ),
    functions AS
    (
        SELECT
            *,
            sightline_texts_at(text_keys, texts, p.function.name) AS function_names,
            sightline_texts_at(text_keys, texts, p.function.filename) AS function_files,
            sightline_never_empty(p.location.line) AS lines,
            arrayFlatten(lines.function_id) AS line_functions,
            sightline_never_empty(p.sample.location_id) AS stacks,
            sightline_never_empty(p.sample.label) AS labels
        FROM profiles
    ),
    locations AS
    (
        SELECT
            *,
            arrayMap((t, a) -> if(t = '' AND a != 0, concat('0x', lower(hex(a))), t),
                sightline_joined_like(sightline_texts_at(p.function.id, function_names, line_functions), lines, '\n'),
                p.location.address) AS location_names,
            arrayMap((p, t) -> if(p = '' AND t != '', '?', p),
                sightline_joined_like(
                    arrayMap((t, f, n) -> sightline_place(t, f, n),
                        sightline_texts_at(p.function.id, function_names, line_functions),
                        sightline_texts_at(p.function.id, function_files, line_functions), arrayFlatten(lines.line)),
                    lines, '\n'),
                location_names) AS location_places
        FROM functions
    ),
    stacked AS
    (
        SELECT
            token, index, received_ms, record_ns, service, host, data_type, common_text, p, texts, text_keys,
            sightline_joined_like(sightline_texts_at(p.location.id, location_names, arrayFlatten(stacks)), stacks, '\n') AS names,
            sightline_joined_like(sightline_texts_at(p.location.id, location_places, arrayFlatten(stacks)), stacks, '\n') AS places,
            labels,
            sightline_texts_at(text_keys, texts, arrayFlatten(labels.key)) AS label_keys,
            sightline_texts_at(text_keys, texts, arrayMap(s -> if(s = 0, 18446744073709551615, toUInt64(s)), arrayFlatten(labels.str)))
                AS label_texts,
            arrayFlatten(labels.num) AS label_numbers
        FROM locations
    ),
    labelled AS
    (
        SELECT
            token, index, received_ms, record_ns, service, host, data_type, common_text, p, names, places,
            sightline_texts_at(text_keys, texts, p.sample_type.type) AS types,
            sightline_texts_at(text_keys, texts, p.sample_type.unit) AS units,
            sightline_joined_like(arrayMap((k, t) -> if(k = 'trace_id', t, ''), label_keys, label_texts), labels, '') AS trace_ids,
            sightline_joined_like(arrayMap((k, t) -> if(k = 'span_id', t, ''), label_keys, label_texts), labels, '') AS span_ids,
            sightline_joined_like(arrayMap((k, n) -> if(k = 'source.event.time', toString(n), ''), label_keys, label_numbers), labels, '')
                AS event_times,
            sightline_joined_like(arrayMap((k, n) -> if(k = 'source.event.period', toString(n), ''), label_keys, label_numbers), labels, '')
                AS event_periods,
            sightline_joined_like(
                arrayMap((k, t, n) -> multiIf(k IN ('', 'trace_id', 'span_id', 'source.event.time'), '',
                        concat(toJSONString(k), ':', if(t != '', toJSONString(t), toString(n)))),
                    label_keys, label_texts, label_numbers),
                labels, ',') AS label_members
        FROM stacked
    ),
    samples AS
    (
        SELECT
            token, index, received_ms, record_ns, service, host, data_type, common_text, types, units,
            functions, place, trace_id, span_id, event_time, event_period, label_text,
            -- A sample of Splunk's has no value and no type: what it stands for is the time between samples.
            arrayJoin(if(empty(sample_values),
                [(data_type, if(event_period = '', 'count', 'milliseconds'), if(event_period = '', 1, toInt64(event_period)))],
                CAST(arrayMap((v, n) -> (if(types[n] = '', data_type, types[n]), units[n], v), sample_values,
                    arrayEnumerate(sample_values)), 'Array(Tuple(String, String, Int64))'))) AS weight
        FROM labelled ARRAY JOIN
            p.sample.value AS sample_values, names AS functions, places AS place, trace_ids AS trace_id, span_ids AS span_id,
            event_times AS event_time, event_periods AS event_period, label_members AS label_text
    )
SELECT
    token,
    index,
    multiIf(
        toInt64OrZero(event_time) > 0, fromUnixTimestamp64Micro(toInt64OrZero(event_time) * 1000, 'UTC'),
        record_ns > 0, toDateTime64(sightline_nanoseconds(record_ns), 6, 'UTC'),
        fromUnixTimestamp64Micro(toInt64(received_ms) * 1000, 'UTC')) AS _time,
    now64(3) AS _indextime,
    host,
    service AS source,
    'otel.profiling' AS sourcetype,
    '' AS severity,
    -- Splunk's agents write ids as numbers in hexadecimal, without the zeros in front.
    if(trace_id = '', '', leftPad(lower(trace_id), 32, '0')) AS trace_id,
    if(span_id = '', '', leftPad(lower(span_id), 16, '0')) AS span_id,
    sightline_folded(functions, weight.3) AS _raw,
    CAST(sightline_object([
        sightline_stack_members(functions, place),
        concat('"value":', toString(weight.3), ',"type":', toJSONString(weight.1), ',"unit":', toJSONString(weight.2)),
        label_text,
        common_text]) AS $json) AS fields
FROM samples
