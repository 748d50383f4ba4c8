-- The series of remote write 1.0, for samples.sql.
    frames AS
    (
        SELECT if(index = '', 'metrics', index) AS index, body.timeseries AS timeseries
        FROM $source
    ),
    series AS
    (
        SELECT index, t.labels AS labels, t.samples AS samples, t.histograms AS histograms, '' AS kind, '' AS unit,
            CAST(if(empty(t.exemplars), [], [(arrayMax(t.exemplars.timestamp),
                sightline_prometheus_exemplars(t.exemplars.labels, t.exemplars.value, t.exemplars.timestamp))]),
                'Array(Tuple(Int64, String))') AS exemplars
        FROM frames ARRAY JOIN timeseries AS t
    )
