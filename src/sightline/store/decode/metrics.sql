-- A journal segment of OTLP metric requests into metrics. The five kinds of data become points of one shape.
WITH
    frames AS
    (
        SELECT if(index = '', 'metrics', index) AS index, received_ms, body.resource_metrics AS resource_metrics
        FROM $source
    ),
    resources AS
    (
        SELECT
            index,
            received_ms,
            sightline_text(r.resource.attributes, 'service.name') AS service,
            sightline_text(r.resource.attributes, 'host.name') AS host,
            sightline_dimensions(r.resource.attributes) AS resource_text,
            r.scope_metrics AS scope_metrics
        FROM frames ARRAY JOIN resource_metrics AS r
    ),
    scopes AS
    (
        SELECT index, received_ms, service, host, resource_text, sightline_scope_dimensions(s.scope, s.schema_url) AS scope_text, s.metrics AS metrics
        FROM resources ARRAY JOIN scope_metrics AS s
    ),
    named AS
    (
        SELECT index, received_ms, service, host, resource_text, scope_text, m
        FROM scopes ARRAY JOIN metrics AS m
    ),
    points AS
    (
        SELECT
            index, received_ms, service, host, resource_text, scope_text,
            m.name AS metric_name,
            m.unit AS unit,
            arrayJoin(arrayConcat(
                CAST(arrayMap(p -> sightline_number_point('gauge', 0, false, p), m.gauge.data_points), '$point'),
                CAST(arrayMap(p -> sightline_number_point('sum', m.sum.aggregation_temporality, m.sum.is_monotonic, p),
                    m.sum.data_points), '$point'),
                CAST(arrayMap(p -> (
                    'histogram', m.histogram.aggregation_temporality, false, p.flags,
                    p.start_time_unix_nano, p.time_unix_nano, sightline_dimensions(p.attributes),
                    p.sum / nullIf(p.count, 0), p.count, p.sum, p.min, p.max, p.explicit_bounds, p.bucket_counts,
                    NULL, NULL, NULL, NULL, [], NULL, [], [], [], sightline_exemplars(p.exemplars)),
                    m.histogram.data_points), '$point'),
                CAST(arrayMap(p -> (
                    'exponential_histogram', m.exponential_histogram.aggregation_temporality, false, p.flags,
                    p.start_time_unix_nano, p.time_unix_nano, sightline_dimensions(p.attributes),
                    p.sum / nullIf(p.count, 0), p.count, p.sum, p.min, p.max, [], [],
                    p.scale, p.zero_count, p.zero_threshold, p.positive.offset, p.positive.bucket_counts,
                    p.negative.offset, p.negative.bucket_counts, [], [], sightline_exemplars(p.exemplars)),
                    m.exponential_histogram.data_points), '$point'),
                CAST(arrayMap(p -> (
                    'summary', 0, false, p.flags,
                    p.start_time_unix_nano, p.time_unix_nano, sightline_dimensions(p.attributes),
                    p.sum / nullIf(p.count, 0), p.count, p.sum, NULL, NULL, [], [],
                    NULL, NULL, NULL, NULL, [], NULL, [],
                    p.quantile_values.quantile, p.quantile_values.value, ''),
                    m.summary.data_points), '$point'))) AS p
        FROM named
    )
SELECT
    index,
    metric_name,
    if(p.time_ns > 0, toDateTime64(sightline_nanoseconds(p.time_ns), 3, 'UTC'),
        fromUnixTimestamp64Milli(toInt64(received_ms), 'UTC')) AS _time,
    now64(3) AS _indextime,
    if(bitAnd(p.flags, 1) = 1 OR NOT isFinite(p.value), NULL, p.value) AS value,
    p.type AS type,
    unit,
    ['', 'delta', 'cumulative'][if(p.temporality BETWEEN 0 AND 2, p.temporality + 1, 1)] AS temporality,
    p.is_monotonic AS is_monotonic,
    toDateTime64(sightline_nanoseconds(p.start_ns), 3, 'UTC') AS start_time,
    host,
    service AS source,
    'otlp:metrics' AS sourcetype,
    CAST(sightline_object([
        p.attributes,
        scope_text,
        resource_text]) AS $json) AS dims,
    p.count AS count,
    p.sum AS sum,
    p.min AS min,
    p.max AS max,
    p.bounds AS bounds,
    p.bucket_counts AS bucket_counts,
    p.scale AS scale,
    p.zero_count AS zero_count,
    p.zero_threshold AS zero_threshold,
    p.positive_offset AS positive_offset,
    p.positive_counts AS positive_counts,
    p.negative_offset AS negative_offset,
    p.negative_counts AS negative_counts,
    p.quantiles AS quantiles,
    p.quantile_values AS quantile_values,
    p.exemplars AS exemplars
FROM points
