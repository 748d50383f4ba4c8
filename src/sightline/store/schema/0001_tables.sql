-- Events, spans and metrics. The reasons for the sort keys, the partition keys and the JSON limits, with their
-- numbers, are in docs/adr/0001-storage-schema.md.
--
-- An empty string in host, source, sourcetype, severity, trace_id or span_id means "not set".
-- The deduplication window makes a repeated load of a journal segment a no-op: 10,000 inserts are about an hour at
-- two segments a second, and a segment is replayed within seconds of a crash.
-- One event is found by a word in a granule that is read whole, so a granule of events has 2 MB at most. It cannot be changed
-- later: a directory made before has granules of 8,192 events, and finds them as before.

CREATE TABLE IF NOT EXISTS sightline.events
(
    `index` LowCardinality(String),
    `_time` DateTime64(6, 'UTC') CODEC(Delta, ZSTD(1)),
    `_indextime` DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    `host` LowCardinality(String),
    `source` LowCardinality(String),
    `sourcetype` LowCardinality(String),
    `severity` LowCardinality(String),
    `trace_id` String CODEC(ZSTD(1)),
    `span_id` String CODEC(ZSTD(1)),
    `_raw` String CODEC(ZSTD(1)),
    `fields` JSON(max_dynamic_paths = 256) CODEC(ZSTD(1)),
    INDEX raw_text lowerUTF8(_raw) TYPE text(tokenizer = splitByNonAlpha) GRANULARITY 100000000,
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY (`index`, toYYYYMM(_time))
ORDER BY (`index`, _time)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 134217728, index_granularity_bytes = 2000000;

CREATE TABLE IF NOT EXISTS sightline.spans
(
    `index` LowCardinality(String),
    `_time` DateTime64(9, 'UTC') CODEC(Delta, ZSTD(1)),
    `_indextime` DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    `trace_id` String CODEC(ZSTD(1)),
    `span_id` String CODEC(ZSTD(1)),
    `parent_span_id` String CODEC(ZSTD(1)),
    `service` LowCardinality(String),
    `name` LowCardinality(String),
    `kind` LowCardinality(String),
    `status` LowCardinality(String),
    `status_message` String CODEC(ZSTD(1)),
    `duration_ns` UInt64 CODEC(T64, ZSTD(1)),
    `host` LowCardinality(String),
    `source` LowCardinality(String),
    `sourcetype` LowCardinality(String),
    `fields` JSON(max_dynamic_paths = 256) CODEC(ZSTD(1)),
    `events` String CODEC(ZSTD(1)),
    `links` String CODEC(ZSTD(1)),
    INDEX trace_id_bloom trace_id TYPE bloom_filter(0.01) GRANULARITY 1
)
ENGINE = MergeTree
PARTITION BY (`index`, toYYYYMM(_time))
ORDER BY (`index`, _time)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 134217728;

CREATE TABLE IF NOT EXISTS sightline.metrics
(
    `index` LowCardinality(String),
    `metric_name` LowCardinality(String),
    `_time` DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    `_indextime` DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    `value` Nullable(Float64) CODEC(ZSTD(1)),
    `type` LowCardinality(String),
    `unit` LowCardinality(String),
    `temporality` LowCardinality(String),
    `is_monotonic` Bool,
    `start_time` DateTime64(3, 'UTC') CODEC(Delta, ZSTD(1)),
    `host` LowCardinality(String),
    `source` LowCardinality(String),
    `sourcetype` LowCardinality(String),
    `dims` JSON(max_dynamic_paths = 256) CODEC(ZSTD(1)),
    `count` Nullable(UInt64) CODEC(ZSTD(1)),
    `sum` Nullable(Float64) CODEC(ZSTD(1)),
    `min` Nullable(Float64) CODEC(ZSTD(1)),
    `max` Nullable(Float64) CODEC(ZSTD(1)),
    `bounds` Array(Float64) CODEC(ZSTD(1)),
    `bucket_counts` Array(UInt64) CODEC(ZSTD(1)),
    `scale` Nullable(Int32) CODEC(ZSTD(1)),
    `zero_count` Nullable(UInt64) CODEC(ZSTD(1)),
    `zero_threshold` Nullable(Float64) CODEC(ZSTD(1)),
    `positive_offset` Nullable(Int32) CODEC(ZSTD(1)),
    `positive_counts` Array(UInt64) CODEC(ZSTD(1)),
    `negative_offset` Nullable(Int32) CODEC(ZSTD(1)),
    `negative_counts` Array(UInt64) CODEC(ZSTD(1)),
    `quantiles` Array(Float64) CODEC(ZSTD(1)),
    `quantile_values` Array(Float64) CODEC(ZSTD(1)),
    `exemplars` String CODEC(ZSTD(1))
)
ENGINE = MergeTree
PARTITION BY (`index`, toYYYYMM(_time))
ORDER BY (`index`, metric_name, _time)
SETTINGS non_replicated_deduplication_window = 10000, fsync_after_insert = 1, fsync_part_directory = 1,
    min_bytes_for_wide_part = 134217728;
