-- Attributes and times are read far more often than they are written: numbers in docs/adr/0001-storage-schema.md. Parts that are
-- there already keep their compression until a merge rewrites them.

ALTER TABLE sightline.events MODIFY COLUMN `fields` CODEC(LZ4HC(3));

ALTER TABLE sightline.spans MODIFY COLUMN `fields` CODEC(LZ4HC(3));

ALTER TABLE sightline.metrics MODIFY COLUMN `dims` CODEC(LZ4HC(3));

ALTER TABLE sightline.events MODIFY COLUMN `_time` CODEC(T64, ZSTD(1));

ALTER TABLE sightline.spans MODIFY COLUMN `_time` CODEC(T64, ZSTD(1));

ALTER TABLE sightline.metrics MODIFY COLUMN `_time` CODEC(T64, ZSTD(1));
