-- Functions for text that comes without a form: where an event ends, and the time it carries. Replaced at every start, as those
-- of functions.sql are.

-- The lines of a text, without their ends.
CREATE OR REPLACE FUNCTION sightline_lines AS (t) -> splitByChar('\n', replaceAll(t, '\r\n', '\n'));

-- A text as one or several of `c` characters at most, and as one or several of `m` lines at most.
CREATE OR REPLACE FUNCTION sightline_by_characters AS (texts, c) -> if(arrayExists(e -> length(e) > c, texts),
    arrayFlatten(arrayMap(e -> if(length(e) <= c, [e], arrayMap(k -> substringUTF8(e, k, c), range(1, lengthUTF8(e) + 1, c))), texts)),
    texts);

CREATE OR REPLACE FUNCTION sightline_by_lines AS (groups, m) -> arrayFlatten(arrayMap(
    g -> arrayMap(k -> trim(LEADING '\r\n' FROM trim(TRAILING ' \t\r\n' FROM arrayStringConcat(arraySlice(g, k, m), '\n'))),
        range(1, length(g) + 1, m)),
    groups));

-- Events of lines: each line whose flag is not 0 begins one. What is longer than the limits makes several events, so that nothing
-- is thrown away. Blank lines at the ends go, and events that are nothing else.
CREATE OR REPLACE FUNCTION sightline_joined AS (lines, flags, m, c) -> sightline_by_characters(
    arrayFilter(e -> e != '', sightline_by_lines(arraySplit((l, s) -> s, lines, flags), m)), c);

-- Texts that are events already, within the limits.
CREATE OR REPLACE FUNCTION sightline_limited AS (texts, m, c) -> sightline_by_characters(
    arrayFilter(e -> e != '', if(arrayExists(e -> countSubstrings(e, '\n') >= m, texts),
        sightline_by_lines(arrayMap(e -> splitByChar('\n', e), texts), m),
        arrayMap(e -> trim(LEADING '\r\n' FROM trim(TRAILING ' \t\r\n' FROM e)), texts))), c);

-- Objects in JSON: the elements of one array, or objects that begin at the beginning of a line.
CREATE OR REPLACE FUNCTION sightline_json_events AS (t, lines, m, c) -> if(
    startsWith(trimLeft(t), '[') AND isValidJSON(t),
    sightline_limited(JSONExtractArrayRaw(t), m, c),
    sightline_joined(lines, arrayMap(l -> match(l, '^[^\\s}\\]]'), lines), m, c));

-- Columns. The line with their names comes in front of the text, or beside it; a value in quotes may hold the separator and the
-- end of a line.
CREATE OR REPLACE FUNCTION sightline_header AS (t, h) -> arrayFirst(l -> match(l, '\\S'), sightline_lines(if(h = '', t, h)));

CREATE OR REPLACE FUNCTION sightline_all_records AS (t) ->
    arrayFilter(r -> match(r, '\\S'), extractAll(replaceAll(t, '\r\n', '\n'), '(?:[^"\n]|"(?:[^"]|"")*"|")+'));

CREATE OR REPLACE FUNCTION sightline_records AS (t, h) -> arrayFilter(
    (r, i) -> i > 1 OR r != sightline_header(t, h), sightline_all_records(t), arrayEnumerate(sightline_all_records(t)));

CREATE OR REPLACE FUNCTION sightline_cells AS (t, s) -> arrayMap(
    x -> if(length(x) > 1 AND startsWith(x, '"') AND endsWith(x, '"'), replaceAll(substring(x, 2, length(x) - 2), '""', '"'), x),
    extractAll(concat(s, t), concat('\\x', hex(s), '("(?:[^"]|"")*"|[^\\x', hex(s), ']*)')));

CREATE OR REPLACE FUNCTION sightline_w3c_columns AS (t) ->
    splitByChar(' ', trimBoth(extract(t, '(?m)^#Fields:[ \t]*([^\r\n]*)')));

-- `none` is how a column says that it has no value.
CREATE OR REPLACE FUNCTION sightline_cell_pairs AS (names, cells, none) -> arrayStringConcat(arrayFilter(x -> x != '', arrayMap(
    (n, x) -> if(n = '' OR x = '' OR x = none, '', sightline_json_pair(n, x)),
    names, arrayResize(cells, length(names), ''))), ',');

-- Recognising a time. The first 160 bytes are looked at, and the first place that looks like a time wins. One pattern without
-- groups finds the place (the matcher then stays in its fast part); what was found is short, and the engine's own parser reads it
-- after a few letters have been put where it wants them.

CREATE OR REPLACE FUNCTION sightline_time_place AS (t) ->
    extract(left(t, 160), concat(
        -- 2026-01-31T10:11:12.123456Z, 2026/01/31 10:11:12,123 +0100
        '\\b\\d{4}[-/]\\d\\d[-/]\\d\\d[T _]\\d\\d:\\d\\d:\\d\\d(?:[.,]\\d{1,9})?(?: ?(?:Z|UTC|GMT|[+-]\\d\\d:?\\d\\d)\\b)?',
        -- 31/Jan/2026:10:11:12 +0100, 31 Jan 2026 10:11:12 GMT
        '|\\b\\d{1,2}[ /-](?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)[ /-]\\d{4}[ :]\\d\\d:\\d\\d:\\d\\d(?:[.,]\\d{1,9})?(?: (?:Z|UTC|GMT|[+-]\\d{4})\\b)?',
        -- Jan 31 10:11:12, and with the year as `date` and ctime write it
        '|\\b(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) [ \\d]\\d \\d\\d:\\d\\d:\\d\\d(?:\\.\\d{1,9})?(?: (?:UTC |GMT )?(?:19|20)\\d\\d\\b)?',
        -- 1/31/2026 10:11:12 PM
        '|\\b\\d{1,2}/\\d{1,2}/\\d{4},? \\d{1,2}:\\d\\d:\\d\\d(?:\\.\\d{1,9})?(?: [AP]M\\b)?',
        -- 20260131T101112Z
        '|\\b\\d{8}T\\d{6}Z?\\b',
        -- I0131 10:11:12.123456, as klog of Kubernetes and glog write it
        '|^[IWEF]\\d{4} \\d\\d:\\d\\d:\\d\\d\\.\\d{1,9}',
        -- 1769854272.123, or milliseconds, microseconds, nanoseconds, at the beginning
        '|^\\W?(?:[12]\\d{9}(?:\\.\\d{1,9})?|[12]\\d{12}|[12]\\d{15}|[12]\\d{18})\\b'));

-- A number of seconds, milliseconds, microseconds or nanoseconds, told apart by its size.
CREATE OR REPLACE FUNCTION sightline_epoch AS (n) ->
    if(isNull(n) OR NOT isFinite(n) OR abs(n) >= 1e19, NULL, fromUnixTimestamp64Micro(toInt64(round(multiIf(
        abs(n) >= 1e17, n / 1e3, abs(n) >= 1e14, n, abs(n) >= 1e11, n * 1e3, n * 1e6))), 'UTC'));

CREATE OR REPLACE FUNCTION sightline_month AS (m) ->
    transform(m, ['Jan', 'Feb', 'Mar', 'Apr', 'May', 'Jun', 'Jul', 'Aug', 'Sep', 'Oct', 'Nov', 'Dec'],
        ['01', '02', '03', '04', '05', '06', '07', '08', '09', '10', '11', '12'], '');

-- `t` is `01-31 10:11:12`. A time without a year is of the last year in which it is not ahead of when it was received; a day ahead
-- is a clock that runs fast. 29 February is of the last year that had one.
CREATE OR REPLACE FUNCTION sightline_nearest_year AS (t, received, z) -> arrayFirst(
    found -> isNotNull(found) AND found <= received + INTERVAL 1 DAY,
    arrayMap(y -> parseDateTime64BestEffortOrNull(concat(toString(toYear(received) + y), '-', t), 6, z), [1, 0, -1, -2, -3, -4]));

-- A time of day is of the last day in which it is not ahead; half a day ahead is a clock that runs fast.
CREATE OR REPLACE FUNCTION sightline_nearest_day AS (t, received, z) -> arrayFirst(
    found -> isNotNull(found) AND found <= received + INTERVAL 12 HOUR,
    arrayMap(n -> parseDateTime64BestEffortOrNull(concat(toString(toDate(received, z) + n), ' ', t), 6, z), [1, 0, -1, -2]));

-- The time at such a place; `z` is the time zone of one that names none.
CREATE OR REPLACE FUNCTION sightline_time_of_place AS (p, received, z) -> multiIf(
    p = '', NULL,
    match(p, '^\\d{4}[-/]\\d'), parseDateTime64BestEffortOrNull(translate(p, '/,_', '-. '), 6, z),
    match(p, '^\\d{1,2}[ /-][A-Z]'),
        parseDateTime64BestEffortOrNull(replaceRegexpOne(translate(p, ',', '.'), '^(..?).(...).(....).', '\\1 \\2 \\3 '), 6, z),
    match(p, '^[A-Z][a-z]{2} .*\\d{4}$'),
        parseDateTime64BestEffortOrNull(replaceRegexpOne(p, '^(.{6}) (\\S+) (?:UTC |GMT )?(\\d{4})$', '\\1 \\3 \\2'), 6, z),
    match(p, '^[A-Z][a-z]{2} '),
        sightline_nearest_year(concat(sightline_month(left(p, 3)), '-', replaceRegexpOne(substring(p, 5), '^ ', '0')), received, z),
    match(p, '^\\d{1,2}/'),
        parseDateTime64BestEffortUSOrNull(replaceOne(p, ',', ''), 6, z),
    match(p, '^\\d{8}T'), parseDateTime64BestEffortOrNull(p, 6, z),
    match(p, '^[IWEF]'),
        sightline_nearest_year(concat(substring(p, 2, 2), '-', substring(p, 4)), received, z),
    sightline_epoch(toFloat64OrNull(trim(LEADING '[("' FROM p))));

-- The text in which the time is: all of it, or what an object in JSON has under one of the usual keys.
CREATE OR REPLACE FUNCTION sightline_time_key AS (t) -> arrayMap(
    j -> coalesce(nullIf(j.1, ''), nullIf(j.2, ''), nullIf(j.3, ''), nullIf(j.4, ''), nullIf(j.5, ''), j.6),
    [JSONExtract(t, 'Tuple(`@timestamp` String, timestamp String, time String, ts String, _time String, datetime String)')])[1];

CREATE OR REPLACE FUNCTION sightline_usual_place AS (t) -> coalesce(
    nullIf(if(startsWith(t, '{'), sightline_time_place(sightline_time_key(t)), ''), ''), sightline_time_place(t));

-- What was recognised, unless no clock shows it: more than two days ahead, or before 1980.
CREATE OR REPLACE FUNCTION sightline_believed_time AS (found, received) ->
    if(found > received + INTERVAL 2 DAY OR found < toDateTime64('1980-01-01 00:00:00', 6, 'UTC'), NULL, found);

-- All of it at once, for a text that stands alone.
CREATE OR REPLACE FUNCTION sightline_recognised_time AS (t, received, z) -> arrayMap(
    found -> sightline_believed_time(found, received),
    arrayMap(p -> sightline_time_of_place(p, received, z), [sightline_usual_place(t)]))[1];

-- Where nothing is said: in a text whose first line has a time, or is an object in JSON, each line that is like that begins an
-- event; in any other, each line that is neither blank nor indented. Of a line the first 80 bytes are looked at: a time further in
-- is what it speaks of.
CREATE OR REPLACE FUNCTION sightline_begins AS (l) ->
    sightline_time_place(left(l, 80)) != '' OR (startsWith(l, '{') AND match(l, '\\}\\s*$'));

CREATE OR REPLACE FUNCTION sightline_usual_flags AS (lines) -> if(
    sightline_begins(arrayFirst(l -> match(l, '\\S'), lines)),
    arrayMap(l -> sightline_begins(l), lines),
    arrayMap(l -> match(l, '^\\S'), lines));

-- Lines of a container runtime, CRI's or Docker's, as text, time, stream, and whether the line goes on in the next one.
CREATE OR REPLACE FUNCTION sightline_container_line AS (l) -> if(startsWith(l, '{'),
    (JSONExtractString(l, 'log'), JSONExtractString(l, 'time'), JSONExtractString(l, 'stream'),
        toUInt8(NOT endsWith(JSONExtractString(l, 'log'), '\n'))),
    (replaceRegexpOne(l, '^\\S+ (?:stdout|stderr) [A-Z](?::[A-Z])* ?', ''), extract(l, '^(\\S+) (?:stdout|stderr) '),
        extract(l, '^\\S+ (stdout|stderr) '), toUInt8(match(l, '^\\S+ (?:stdout|stderr) P'))));

CREATE OR REPLACE FUNCTION sightline_container_wholes AS (parts) -> arrayMap(
    g -> (trim(TRAILING '\r\n' FROM arrayStringConcat(arrayMap(x -> x.1, g))), g[1].2, g[1].3),
    arraySplit((x, s) -> s, parts, arrayPushFront(arrayPopBack(arrayMap(x -> toUInt8(x.4 = 0), parts)), 1)));

CREATE OR REPLACE FUNCTION sightline_container_joined AS (wholes, m) -> arrayFilter(e -> e.1 != '', arrayFlatten(arrayMap(
    g -> arrayMap(k -> (trim(TRAILING ' \t\r\n' FROM arrayStringConcat(arrayMap(x -> x.1, arraySlice(g, k, m)), '\n')), g[k].2, g[k].3),
        range(1, length(g) + 1, m)),
    arraySplit((x, s) -> s, wholes, sightline_usual_flags(arrayMap(x -> x.1, wholes))))));

CREATE OR REPLACE FUNCTION sightline_container_events AS (lines, m) -> sightline_container_joined(sightline_container_wholes(
    arrayMap(l -> sightline_container_line(l), arrayFilter(l -> match(l, '\\S'), lines))), m);

-- How bad it is: the field that says so, in the words of those who write logs; else a word in capitals near the beginning.
CREATE OR REPLACE FUNCTION sightline_severity AS (word) -> transform(lower(word),
    ['trace', 'debug', 'debug1', 'debug2', 'debug3', 'debug4', 'debug5', 'info', 'information', 'notice', 'log', 'warn', 'warning',
        'error', 'err', 'severe', 'fatal', 'critical', 'crit', 'alert', 'emerg', 'emergency', 'panic'],
    ['trace', 'debug', 'debug', 'debug', 'debug', 'debug', 'debug', 'info', 'info', 'info', 'info', 'warn', 'warn',
        'error', 'error', 'error', 'fatal', 'fatal', 'fatal', 'fatal', 'fatal', 'fatal', 'fatal'], '');

-- What an event's own fields say of its severity, trace and span: texts only, read in one pass. Whoever uses it must not do so
-- behind a condition: what only a branch asks for is computed once more in each.
CREATE OR REPLACE FUNCTION sightline_texts_of_members AS (members) ->
    arrayMap(d -> ifNull(dynamicElement(d, 'String'), ''), [members.1, members.2, members.3, members.4]);

CREATE OR REPLACE FUNCTION sightline_known_members AS (t) ->
    sightline_texts_of_members(JSONExtract(t, 'Tuple(severity Dynamic, level Dynamic, trace_id Dynamic, span_id Dynamic)'));

-- An object without the members `trace_id` and `span_id`, where they are what the event's own columns are.
CREATE OR REPLACE FUNCTION sightline_is_id AS (t, name, id) -> id != '' AND JSONExtractString(t, name) = id;

CREATE OR REPLACE FUNCTION sightline_without_members AS (t, a, b) -> concat('{', arrayStringConcat(arrayMap(
    m -> concat(toJSONString(m.1), ':', m.2),
    arrayFilter(m -> m.1 != a AND m.1 != b, JSONExtractKeysAndValuesRaw(t))), ','), '}');

CREATE OR REPLACE FUNCTION sightline_without_ids AS (t, trace, span) -> multiIf(
    sightline_is_id(t, 'trace_id', trace) AND sightline_is_id(t, 'span_id', span), sightline_without_members(t, 'trace_id', 'span_id'),
    sightline_is_id(t, 'trace_id', trace), sightline_without_members(t, 'trace_id', 'trace_id'),
    sightline_is_id(t, 'span_id', span), sightline_without_members(t, 'span_id', 'span_id'),
    t);
