-- The engine keeps statistics of every column of a part, for which inserts and merges hash every value. Searches gain nothing from
-- them: numbers in docs/adr/0001-storage-schema.md.

ALTER TABLE sightline.events MODIFY SETTING auto_statistics_types = '';

ALTER TABLE sightline.spans MODIFY SETTING auto_statistics_types = '';

ALTER TABLE sightline.metrics MODIFY SETTING auto_statistics_types = '';
