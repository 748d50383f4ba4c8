-- Every merge writes its rows again and indexes their words again. Parts of segments are merged eight at once and not five, so that a
-- row is written a third less often: numbers in docs/adr/0040-compiled-decoders.md.

ALTER TABLE sightline.events MODIFY SETTING merge_selector_base = 8, min_parts_to_merge_at_once = 8;

ALTER TABLE sightline.spans MODIFY SETTING merge_selector_base = 8, min_parts_to_merge_at_once = 8;

ALTER TABLE sightline.metrics MODIFY SETTING merge_selector_base = 8, min_parts_to_merge_at_once = 8;
