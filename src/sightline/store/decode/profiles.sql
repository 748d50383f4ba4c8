-- A journal segment of OTLP profile requests into events, one for each sample.
WITH
    frames AS
    (
        SELECT
            token, if(index = '', 'profiles', index) AS index, received_ms,
            body.resource_profiles AS resources, body.dictionary AS d,
            body.dictionary.string_table AS texts, sightline_positions(body.dictionary.string_table) AS text_keys
        FROM $source
    ),
    functions AS
    (
        SELECT
            *,
            sightline_texts_at(text_keys, texts, d.function_table.name_strindex) AS function_names,
            sightline_texts_at(text_keys, texts, d.function_table.filename_strindex) AS function_files,
            sightline_texts_at(text_keys, texts, d.mapping_table.filename_strindex) AS mapping_files,
            sightline_never_empty(d.location_table.lines) AS lines,
            arrayFlatten(lines.function_index) AS line_functions,
            sightline_never_empty(d.stack_table.location_indices) AS stacks,
            -- The attributes that samples and profiles name, and those of resources: their keys and texts may be numbers, too.
            arrayConcat(d.attribute_table, CAST([], 'Array(Tuple(key_strindex Int32, value $value))')) AS attributes,
            sightline_never_empty(resources.resource.attributes) AS resource_attributes,
            arrayFlatten(resource_attributes) AS flat_attributes
        FROM frames
    ),
    locations AS
    (
        SELECT
            *,
            arrayMap((t, a, m) -> if(t = '' AND a != 0, concat(if(m = '', '', concat(m, '+')), '0x', lower(hex(a))), t),
                sightline_joined_like(
                    sightline_texts_at(sightline_positions(function_names), function_names, line_functions), lines, '\n'),
                d.location_table.address,
                sightline_texts_at(sightline_positions(mapping_files), mapping_files, d.location_table.mapping_index))
                AS location_names,
            arrayMap((p, t) -> if(p = '' AND t != '', '?', p),
                sightline_joined_like(
                    arrayMap((t, f, n) -> sightline_place(t, f, n),
                        sightline_texts_at(sightline_positions(function_names), function_names, line_functions),
                        sightline_texts_at(sightline_positions(function_files), function_files, line_functions),
                        arrayFlatten(lines.line)),
                    lines, '\n'),
                location_names) AS location_places,
            arrayMap((k, v, t) -> if(k = '', '', concat(toJSONString(k), ':',
                    if(isNull(v.string_value_strindex), sightline_json_value(v), toJSONString(t)))),
                sightline_texts_at(text_keys, texts, attributes.key_strindex), attributes.value,
                sightline_texts_at(text_keys, texts, arrayMap(v -> ifNull(v.string_value_strindex, 0), attributes.value)))
                AS attribute_members,
            arrayMap((k, t) -> if(k != '', k, t), flat_attributes.key,
                sightline_texts_at(text_keys, texts, flat_attributes.key_strindex)) AS resource_keys,
            arrayMap((v, t) -> if(isNull(v.string_value_strindex), sightline_json_value(v), toJSONString(t)), flat_attributes.value,
                sightline_texts_at(text_keys, texts, arrayMap(v -> ifNull(v.string_value_strindex, 0), flat_attributes.value)))
                AS resource_values
        FROM functions
    ),
    stacked AS
    (
        SELECT
            token, index, received_ms, resources, d, texts, text_keys, attribute_members,
            sightline_joined_like(
                sightline_texts_at(sightline_positions(location_names), location_names, arrayFlatten(stacks)), stacks, '\n')
                AS stack_names,
            sightline_joined_like(
                sightline_texts_at(sightline_positions(location_places), location_places, arrayFlatten(stacks)), stacks, '\n')
                AS stack_places,
            sightline_joined_like(arrayMap((k, v) -> if(k = '' OR v = '', '', concat(toJSONString(k), ':', v)),
                resource_keys, resource_values), resource_attributes, ',') AS resource_texts,
            sightline_joined_like(arrayMap((k, v) -> if(k = 'service.name', JSONExtractString(v), ''), resource_keys, resource_values),
                resource_attributes, '') AS services,
            sightline_joined_like(arrayMap((k, v) -> if(k = 'host.name', JSONExtractString(v), ''), resource_keys, resource_values),
                resource_attributes, '') AS hosts,
            -- Profiles with samples, all in one list, each with the number of its scope, and scopes with that of their resource.
            arrayFlatten(resources.scope_profiles) AS scopes,
            arrayFlatten(arrayMap((s, n) -> arrayResize(CAST([], 'Array(UInt32)'), length(s), toUInt32(n)),
                resources.scope_profiles, arrayEnumerate(resources))) AS resource_of_scope,
            arrayFlatten(arrayMap((s, n) -> arrayResize(CAST([], 'Array(UInt32)'), length(s), toUInt32(n)),
                scopes.profiles, arrayEnumerate(scopes))) AS scope_of_profile,
            arrayFilter(p -> notEmpty(p.samples), arrayFlatten(scopes.profiles)) AS profiles,
            arrayFilter((n, p) -> notEmpty(p.samples), scope_of_profile, arrayFlatten(scopes.profiles)) AS profile_scopes,
            arrayMap(n -> resource_of_scope[n], profile_scopes) AS profile_resources,
            sightline_never_empty(arrayFlatten(profiles.samples).attribute_indices) AS sample_attributes,
            sightline_never_empty(profiles.attribute_indices) AS profile_attributes
        FROM locations
    ),
    joined AS
    (
        SELECT
            token, index, received_ms, profiles, profile_scopes,
            sightline_cut_like(sightline_texts_at(sightline_positions(stack_names), stack_names,
                arrayFlatten(profiles.samples.stack_index)), profiles.samples) AS functions_by_profile,
            sightline_cut_like(sightline_texts_at(sightline_positions(stack_places), stack_places,
                arrayFlatten(profiles.samples.stack_index)), profiles.samples) AS places_by_profile,
            sightline_cut_like(sightline_texts_at(sightline_positions(d.link_table),
                arrayMap((t, s) -> concat(sightline_id(t), ' ', sightline_id(s)), d.link_table.trace_id, d.link_table.span_id),
                arrayFlatten(profiles.samples.link_index)), profiles.samples) AS links_by_profile,
            sightline_cut_like(
                sightline_joined_like(sightline_texts_at(sightline_positions(attribute_members), attribute_members,
                    arrayFlatten(sample_attributes)), sample_attributes, ','),
                profiles.samples) AS members_by_profile,
            sightline_joined_like(sightline_texts_at(sightline_positions(attribute_members), attribute_members,
                arrayFlatten(profile_attributes)), profile_attributes, ',') AS profile_members,
            sightline_texts_at(text_keys, texts, profiles.sample_type.type_strindex) AS types,
            sightline_texts_at(text_keys, texts, profiles.sample_type.unit_strindex) AS units,
            sightline_texts_at(text_keys, texts, profiles.period_type.type_strindex) AS period_types,
            sightline_texts_at(text_keys, texts, profiles.period_type.unit_strindex) AS period_units,
            sightline_texts_at(arrayEnumerate(resource_texts), resource_texts, profile_resources) AS profile_resource_texts,
            sightline_texts_at(arrayEnumerate(services), services, profile_resources) AS profile_services,
            sightline_texts_at(arrayEnumerate(hosts), hosts, profile_resources) AS profile_hosts,
            arrayMap(s -> sightline_scope(s.scope, s.schema_url), scopes) AS scope_texts,
            sightline_texts_at(arrayEnumerate(scope_texts), scope_texts, profile_scopes) AS profile_scope_texts
        FROM stacked
    ),
    each AS
    (
        SELECT
            token, index, received_ms, host, service, p.time_unix_nano AS profile_ns, type, unit,
            p.samples AS profile_samples, stack_functions, stack_places, links, members,
            sightline_members([
                members_of_profile,
                if(p.period = 0, '', concat('"period":', toString(p.period))),
                sightline_text_member('period_type', period_type),
                sightline_text_member('period_unit', period_unit),
                sightline_count_member('profile_duration_ns', p.duration_nano),
                if(match(p.profile_id, '^\0*$$'), '', concat('"profile_id":"', lower(hex(p.profile_id)), '"')),
                sightline_count_member('dropped_attributes_count', p.dropped_attributes_count),
                sightline_text_member('original_payload_format', p.original_payload_format),
                scope_text,
                resource_text]) AS common_text
        FROM joined ARRAY JOIN
            profiles AS p, functions_by_profile AS stack_functions, places_by_profile AS stack_places, links_by_profile AS links,
            members_by_profile AS members, profile_members AS members_of_profile, types AS type, units AS unit,
            period_types AS period_type, period_units AS period_unit, profile_hosts AS host, profile_services AS service,
            profile_scope_texts AS scope_text, profile_resource_texts AS resource_text
    )
SELECT
    token,
    index,
    multiIf(
        notEmpty(sample.timestamps_unix_nano),
            toDateTime64(sightline_nanoseconds(arrayMin(sample.timestamps_unix_nano)), 6, 'UTC'),
        profile_ns > 0, toDateTime64(sightline_nanoseconds(profile_ns), 6, 'UTC'),
        fromUnixTimestamp64Micro(toInt64(received_ms) * 1000, 'UTC')) AS _time,
    now64(3) AS _indextime,
    host,
    service AS source,
    'otlp:profiles' AS sourcetype,
    '' AS severity,
    splitByChar(' ', link)[1] AS trace_id,
    splitByChar(' ', link)[2] AS span_id,
    sightline_folded(functions, value) AS _raw,
    CAST(sightline_object([
        sightline_stack_members(functions, place),
        concat('"value":', toString(value), ',"type":', toJSONString(type), ',"unit":', toJSONString(unit)),
        sightline_count_member('observations', length(sample.timestamps_unix_nano)),
        member_text,
        common_text]) AS $json) AS fields
FROM
(
    SELECT
        token, index, received_ms, host, service, profile_ns, type, unit, common_text,
        sample, functions, place, link, member_text,
        -- Without values each time stamp stands for one.
        if(notEmpty(sample.values), arraySum(sample.values), toInt64(length(sample.timestamps_unix_nano))) AS value
    FROM each ARRAY JOIN
        profile_samples AS sample, stack_functions AS functions, stack_places AS place, links AS link, members AS member_text
)
