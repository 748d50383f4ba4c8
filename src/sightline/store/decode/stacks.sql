-- Functions for profiles, whose samples name their stacks by numbers: into tables of locations, functions and texts.
--
-- A function that looks a number up in an array would carry the whole array along for each number, which for a profile of
-- 5,000 samples and a megabyte of texts is 5 GB. So entries and questions are sorted together, and an entry is carried on to
-- the questions behind it.

-- The text at each wanted key, or an empty one. Keys are unique.
CREATE OR REPLACE FUNCTION sightline_texts_at AS (keys, texts, wanted) ->
    arrayMap(
        sorted -> arrayMap(x -> x.2, arraySort(x -> x.1, arrayFilter(x -> x.1 > 0, arrayMap(
            (entry, question) -> (question.2, if(entry.1 = question.1 AND entry.2 = 0, entry.3, '')),
            arrayFill(x -> x.2 = 0, sorted), sorted)))),
        [arraySort(arrayConcat(
            CAST(arrayMap((k, t) -> (k, 0, t), keys, texts), 'Array(Tuple(UInt64, UInt64, String))'),
            CAST(arrayMap((k, n) -> (k, n, ''), wanted, arrayEnumerate(wanted)), 'Array(Tuple(UInt64, UInt64, String))')))])[1];

-- Arrays without elements get one of zeros, so that none is lost when all are made flat and cut again.
CREATE OR REPLACE FUNCTION sightline_never_empty AS (groups) -> arrayMap(g -> arrayResize(g, greatest(length(g), 1)), groups);

-- A flat array cut into groups of the sizes of these, none of which is empty.
CREATE OR REPLACE FUNCTION sightline_cut_like AS (flat, groups) ->
    arraySplit((x, first) -> first, flat,
        arrayFlatten(arrayMap(g -> arrayResize([toUInt8(1)], length(g), toUInt8(0)), groups)));

-- The pieces of each group that are not empty, as one text.
CREATE OR REPLACE FUNCTION sightline_joined_like AS (flat, groups, separator) ->
    arrayMap(g -> arrayStringConcat(arrayFilter(x -> x != '', g), separator), sightline_cut_like(flat, groups));

CREATE OR REPLACE FUNCTION sightline_positions AS (a) -> arrayMap(n -> toUInt64(n - 1), arrayEnumerate(a));

-- Where a frame is in its source: `file:line`, or a question mark, so that there are as many places as frames.
CREATE OR REPLACE FUNCTION sightline_place AS (name, file, line) ->
    multiIf(name = '', '', file = '', '?', line = 0, file, concat(file, ':', toString(line)));

-- The fields of a stack, which is given innermost frame first, as profiles have it.
CREATE OR REPLACE FUNCTION sightline_stack_members AS (functions, places) ->
    if(functions = '', '', concat(
        '"stack":', toJSONString(arrayReverse(splitByChar('\n', functions))),
        ',"function":', toJSONString(splitByChar('\n', functions)[1]),
        if(match(places, '^[?\n]*$'), '', concat(
            ',"places":', toJSONString(arrayReverse(splitByChar('\n', places))),
            ',"place":', toJSONString(splitByChar('\n', places)[1])))));

-- A stack and its weight as one line, outermost frame first: what flame graphs are drawn from.
CREATE OR REPLACE FUNCTION sightline_folded AS (functions, value) ->
    concat(arrayStringConcat(arrayReverse(splitByChar('\n', functions)), ';'), ' ', toString(value));
