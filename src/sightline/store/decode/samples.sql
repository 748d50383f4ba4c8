-- A journal segment of Prometheus remote write into metrics: a row for each sample, and one for each native histogram. Exemplars
-- come for a series, mostly without a sample beside them: they are a row without a value, at the time of the last.
-- A series' name is its label __name__; `job` and `instance` stay dimensions, and the instance without its port is the host.
-- A sample that is not a number (Prometheus' mark of a series that has ended among them) is a row without a value.
-- The series of a request are what its version of the protocol calls so: prometheus.sql and prometheus2.sql.
WITH
    $series,
    named AS
    (
        SELECT
            index, labels, samples, histograms, exemplars, kind, unit,
            labels.value[indexOf(labels.name, '__name__')] AS metric_name,
            labels.value[indexOf(labels.name, 'instance')] AS instance,
            labels.value[indexOf(labels.name, 'job')] AS job
        FROM series
    ),
    points AS
    (
        SELECT
            index, labels, metric_name, instance, job, kind, unit,
            arrayJoin(arrayConcat(
                arrayMap(s -> ((s.timestamp, CAST(if(isFinite(s.value), s.value, NULL), 'Nullable(Float64)'), false,
                    CAST(NULL, 'Nullable(UInt64)'), CAST(NULL, 'Nullable(Float64)'), CAST([], 'Array(Float64)'),
                    CAST([], 'Array(UInt64)'), CAST(NULL, 'Nullable(Int32)'), CAST(NULL, 'Nullable(UInt64)'),
                    CAST(NULL, 'Nullable(Float64)'), CAST(NULL, 'Nullable(Int32)'), CAST([], 'Array(UInt64)'),
                    CAST(NULL, 'Nullable(Int32)'), CAST([], 'Array(UInt64)')), ''), samples),
                arrayMap(h -> (sightline_native_histogram(h), ''), histograms),
                arrayMap(e -> ((e.1, CAST(NULL, 'Nullable(Float64)'), false,
                    CAST(NULL, 'Nullable(UInt64)'), CAST(NULL, 'Nullable(Float64)'), CAST([], 'Array(Float64)'),
                    CAST([], 'Array(UInt64)'), CAST(NULL, 'Nullable(Int32)'), CAST(NULL, 'Nullable(UInt64)'),
                    CAST(NULL, 'Nullable(Float64)'), CAST(NULL, 'Nullable(Int32)'), CAST([], 'Array(UInt64)'),
                    CAST(NULL, 'Nullable(Int32)'), CAST([], 'Array(UInt64)')), e.2), exemplars))) AS point,
            point.1 AS p
        FROM named
    )
SELECT
    index,
    metric_name,
    fromUnixTimestamp64Milli(p.1, 'UTC') AS _time,
    now64(3) AS _indextime,
    p.2 AS value,
    multiIf(p.3, if(isNull(p.8), 'histogram', 'exponential_histogram'), kind != '', kind,
        match(metric_name, '_(total|count|sum|bucket)$$'), 'sum', 'gauge') AS type,
    unit,
    if(type = 'gauge', '', 'cumulative') AS temporality,
    type = 'sum' AS is_monotonic,
    if(match(instance, '^[^:]+:[0-9]+$$'), splitByChar(':', instance)[1], instance) AS host,
    if(job = '', 'prometheus', concat('prometheus:', job)) AS source,
    'prometheus' AS sourcetype,
    CAST(sightline_object([arrayStringConcat(arrayMap(l -> concat(toJSONString(l.name), ':', toJSONString(l.value)),
        arrayFilter(l -> l.name != '__name__' AND l.name != '', labels)), ',')]) AS $json) AS dims,
    p.4 AS count,
    p.5 AS sum,
    CAST(NULL, 'Nullable(Float64)') AS min,
    CAST(NULL, 'Nullable(Float64)') AS max,
    p.6 AS bounds,
    p.7 AS bucket_counts,
    p.8 AS scale,
    p.9 AS zero_count,
    p.10 AS zero_threshold,
    p.11 AS positive_offset,
    p.12 AS positive_counts,
    p.13 AS negative_offset,
    p.14 AS negative_counts,
    point.2 AS exemplars
FROM points
