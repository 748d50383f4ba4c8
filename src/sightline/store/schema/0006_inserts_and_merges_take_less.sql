-- The engine keeps statistics of every column of a part, for which inserts and merges hash every value. Searches gain nothing from
-- them: numbers in docs/adr/0001-storage-schema.md.

ALTER TABLE sightline.events MODIFY SETTING auto_statistics_types = '';

ALTER TABLE sightline.spans MODIFY SETTING auto_statistics_types = '';

ALTER TABLE sightline.metrics MODIFY SETTING auto_statistics_types = '';

-- Spans without links, events or a message have columns that no row of a segment fills: those are not written, as with metrics.

ALTER TABLE sightline.spans MODIFY SETTING serialization_info_version = 'with_missing_columns', skip_empty_columns_on_insert = 1;

-- What was put off while much came in is merged some parts at a time: the words of all events of a merge are in memory at once.

ALTER TABLE sightline.events MODIFY SETTING max_parts_to_merge_at_once = 16;
