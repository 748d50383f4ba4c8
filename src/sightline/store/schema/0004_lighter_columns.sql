-- Every search within a range of time compares the time of its events, and most clocks count milliseconds or seconds: their
-- differences are read two to five times as fast as T64 with ZSTD, and take about as much room (docs/adr/0001-storage-schema.md).

ALTER TABLE sightline.events MODIFY COLUMN `_time` CODEC(Delta, LZ4);

-- What a JSON column keeps beyond its limit of paths it divides among eight buckets, each with files or streams of its own, also
-- where there is nothing. Small parts, which most inserts and merges write, have one: a tenth of an insert, a twentieth of a merge.

ALTER TABLE sightline.events MODIFY SETTING object_shared_data_buckets_for_compact_part = 1;

ALTER TABLE sightline.spans MODIFY SETTING object_shared_data_buckets_for_compact_part = 1;

ALTER TABLE sightline.metrics MODIFY SETTING object_shared_data_buckets_for_compact_part = 1;
