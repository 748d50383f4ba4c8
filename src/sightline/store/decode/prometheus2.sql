-- The series of remote write 2.0, for samples.sql: names and values are places in a table of symbols.
    frames AS
    (
        SELECT if(index = '', 'metrics', index) AS index, body.symbols AS symbols, body.timeseries AS timeseries
        FROM $source
    ),
    series AS
    (
        SELECT
            index,
            CAST(arrayMap(i -> (symbols[t.labels_refs[2 * i - 1] + 1], symbols[t.labels_refs[2 * i] + 1]),
                range(1, toUInt32(intDiv(length(t.labels_refs), 2)) + 1)), 'Array(Tuple(name String, value String))') AS labels,
            t.samples AS samples,
            t.histograms AS histograms,
            -- Types of remote write 2.0: counter, gauge, histogram, gauge histogram, summary, info, state set.
            ['', 'sum', 'gauge', 'sum', 'gauge', 'gauge', 'gauge', 'gauge'][t.metadata.type + 1] AS kind,
            symbols[t.metadata.unit_ref + 1] AS unit,
            CAST(if(empty(t.exemplars), [], [(arrayMax(t.exemplars.timestamp), sightline_prometheus_exemplars(
                arrayMap(refs -> CAST(arrayMap(i -> (symbols[refs[2 * i - 1] + 1], symbols[refs[2 * i] + 1]),
                range(1, toUInt32(intDiv(length(refs), 2)) + 1)), 'Array(Tuple(name String, value String))'), t.exemplars.labels_refs),
                t.exemplars.value, t.exemplars.timestamp))]), 'Array(Tuple(Int64, String))') AS exemplars
        FROM frames ARRAY JOIN timeseries AS t
    )
