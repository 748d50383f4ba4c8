-- Most points of metrics are samples, and leave the twenty columns of histograms empty: they are not written when points come, and
-- not merged. Parts of metrics lie across each other, because they are sorted by name; the engine merges parts with a file for each
-- column column by column, and others row by row, which takes twice as long. It does so from 131,072 rows on, so that from then on
-- parts have their files. Numbers are in docs/adr/0001-storage-schema.md.

ALTER TABLE sightline.metrics MODIFY SETTING serialization_info_version = 'with_missing_columns', skip_empty_columns_on_insert = 1,
    min_rows_for_wide_part = 131072, min_bytes_for_wide_part = 5000000;
