-- Statements of databases without the values in them: what `db.query.text` and `db.statement` say is kept, whom it is about is not.
-- Replaced at every start, as the functions of functions.sql are.
--
-- One pattern takes a statement apart from left to right, so that a quote inside a comment and a comment inside a string are what
-- they are. What it finds becomes `\2 what is kept \3 how a comment begins \1` of control characters, which the text then has
-- nowhere else; neither kept nor a comment is a literal. Where a dialect is in doubt more is taken away than need be, never less: a
-- string that does not end, or a quote that one dialect would escape and another would not, is a literal to the end of the text.

CREATE OR REPLACE FUNCTION sightline_dialect AS (system) -> multiIf(
    system IN ('postgresql', 'cockroachdb', 'redshift', 'aws.redshift', 'greenplum', 'timescaledb', 'yugabytedb', 'oracle', 'oracle.db',
        'db2', 'ibm.db2', 'h2', 'h2database', 'hsqldb', 'derby', 'trino', 'presto', 'vertica', 'teradata', 'firebird', 'firebirdsql',
        'duckdb', 'hanadb', 'sap.hana', 'cassandra', 'informix', 'ibm.informix'), 'standard',
    system IN ('sqlite', 'mssql', 'microsoft.sql_server', 'mssqlcompact', 'azure.sql', 'sybase'), 'brackets',
    system IN ('mysql', 'mariadb', 'clickhouse', 'hive', 'spark', 'databricks', 'impala', 'snowflake', 'neo4j', 'tidb', 'vitess',
        'memsql', 'singlestore'), 'backslash',
    system IN ('mongodb', 'elasticsearch', 'opensearch', 'couchdb', 'dynamodb', 'aws.dynamodb'), 'json',
    system IN ('redis', 'valkey', 'memcached'), 'command',
    '');

CREATE OR REPLACE FUNCTION sightline_marked AS (t, pattern) ->
    replaceRegexpAll(translate(toValidUTF8(t), '\x01\x02\x03', '   '), pattern, '\x02\\1\x03\\2\\3\\4\x01');

CREATE OR REPLACE FUNCTION sightline_unmarked AS (t) ->
    replaceAll(replaceAll(replaceRegexpAll(replaceAll(t, '\x02\x03\x01', '?'), '\x02\x03[-/#]+\x01', ' '), '\x02', ''), '\x03\x01', '');

-- A comment that holds the beginning of another one may nest, and no pattern can count: it takes what follows with it.
CREATE OR REPLACE FUNCTION sightline_marked_sql AS (t, kept, strings, comment) -> sightline_marked(t, concat(
    '(', kept, ')',
    '|(/)\\*(?:[^*/]|\\*+[^*/]|/+[^*/])*/+\\*(?s:.*)$|(/)\\*(?s:.*?)(?:\\*/|$)|(', comment, ')[^\n]*|',
    strings,
    -- Strings in dollars. With a name between them nothing that follows is kept: a pattern cannot compare two names.
    '|\\$\\$(?s:.*?)(?:\\$\\$|$)|\\$[A-Za-z_][0-9A-Za-z_]*\\$(?s:.*)$|\\$[0-9]+\\b',
    -- A quoted name that does not end, numbers, and what else begins with a digit.
    '|["`](?s:.*)$|\\b[0-9](?:[eE][+-][0-9]|[0-9A-Za-z_.])*'));

-- Lists of literals say how many there were, and nothing else.
CREATE OR REPLACE FUNCTION sightline_folded_lists AS (t) ->
    replaceRegexpAll(replaceRegexpAll(replaceRegexpAll(trim(replaceRegexpAll(t, '\\s+', ' ')),
        '(?i)(\\bin ?)\\( ?\\?(?: ?, ?\\?)* ?\\)', '\\1(?)'),
        '(\\( ?\\?(?: ?, ?\\?)* ?\\))(?: ?, ?\\( ?\\?(?: ?, ?\\?)* ?\\))+', '\\1'),
        '\\[ ?\\?(?: ?, ?\\?)+ ?\\]', '[?]');

CREATE OR REPLACE FUNCTION sightline_scrubbed_sql AS (t, dialect) -> sightline_folded_lists(sightline_unmarked(multiIf(
    dialect = 'standard', sightline_marked_sql(t, '"(?:[^"]|"")*"|`(?:[^`]|``)*`', concat(
        '\\b[eE]\'(?:[^\'\\\\]|\'\'|\\\\(?s:.))*(?:\'|\\\\?$)',
        -- The quotes of Oracle; a mark that has no other side may be any character.
        '|\\b[nN]?[qQ]\'(?:\\[(?s:.*?)(?:\\]\'|$)|\\{(?s:.*?)(?:\\}\'|$)|\\((?s:.*?)(?:\\)\'|$)|<(?s:.*?)(?:>\'|$)|!(?s:.*?)(?:!\'|$)|(?s:.*)$)',
        '|(?:\\b(?:[nNbBxX]|[uU]&))?\'(?:[^\']|\'\')*(?:\'|$)'), '--'),
    dialect = 'brackets', sightline_marked_sql(t, '`(?:[^`]|``)*`|\\[[^\\]]*\\]', concat(
        '(?:\\b[nNbBxX])?\'(?:[^\']|\'\')*(?:\'|$)|"(?:[^"]|"")*(?:"|$)'), '--'),
    dialect = 'backslash', sightline_marked_sql(t, '`(?:[^`]|``)*`', concat(
        '(?:\\b(?:[nNbBxXrR]|_[0-9A-Za-z]+ ?))?\'(?:[^\'\\\\]|\'\'|\\\\(?s:.))*(?:\'|\\\\?$)',
        '|(?:\\b[bBrR])?"(?:[^"\\\\]|""|\\\\(?s:.))*(?:"|\\\\?$)'), '--|#'),
    sightline_marked_sql(t, '`(?:[^`]|``)*`', concat(
        '\'\'\'(?s:.*?)(?:\'\'\'|$)|"""(?s:.*?)(?:"""|$)',
        '|\'(?:[^\'\\\\]|\'\'|\\\\[^\'])*\\\\\'(?s:.*)$|"(?:[^"\\\\]|""|\\\\[^"])*\\\\"(?s:.*)$',
        '|\\b[nN]?[qQ]\'(?:[\\[{(<!])(?s:.*)$',
        '|(?:\\b(?:[eEnNbBxXrR]|[uU]&))?\'(?:[^\'\\\\]|\'\'|\\\\[^\'])*(?:\'|\\\\?$)|"(?:[^"\\\\]|""|\\\\[^"])*(?:"|\\\\?$)'), '--'))));

-- What is asked of a store of documents: names stay, values go.
CREATE OR REPLACE FUNCTION sightline_scrubbed_json AS (t) -> sightline_folded_lists(sightline_unmarked(sightline_marked(t, concat(
    '("(?:[^"\\\\]|\\\\(?s:.))*"\\s*:)|(/\\*)(?s:.*?)(?:\\*/|$)|(//)[^\n]*|()',
    '(?:"(?:[^"\\\\]|\\\\(?s:.))*(?:"|\\\\?$)|\'(?:[^\'\\\\]|\\\\(?s:.))*(?:\'|\\\\?$)|-?\\b[0-9](?:[eE][+-][0-9]|[0-9A-Za-z_.])*)'))));

-- A command and what it is given, on each line of a pipeline.
CREATE OR REPLACE FUNCTION sightline_scrubbed_command AS (t) ->
    replaceRegexpAll(toValidUTF8(t), '(?m)^([^\\S\\n]*\\S+)[^\\S\\n]+\\S[^\\n]*$', '\\1 ?');

CREATE OR REPLACE FUNCTION sightline_scrubbed_statement AS (t, dialect) -> multiIf(
    t = '', '',
    dialect = 'json', sightline_scrubbed_json(t),
    dialect = 'command', sightline_scrubbed_command(t),
    sightline_scrubbed_sql(t, dialect));

-- What a statement does and to what, as `db.query.summary` says it: its verbs and the names of its tables in their order. What
-- looks like a verb or a FROM and is none is found first, and gives nothing.
CREATE OR REPLACE FUNCTION sightline_summary_of_sql AS (scrubbed) -> left(arrayStringConcat(arrayFilter(w -> w != '', arrayFlatten(arrayMap(
    g -> [upper(g[1]), g[2], upper(replaceRegexpAll(g[3], '\\s+', ' ')), g[4], upper(g[5]), g[6]],
    extractAllGroupsVertical(scrubbed, concat(
        '(?i)\\b(?:DO|FOR|KEY) +UPDATE\\b|\\b(?:EXTRACT|SUBSTRING|TRIM|POSITION|OVERLAY) *\\([^()]*\\)',
        '|\\b(UPDATE|TRUNCATE|CALL|EXEC|EXECUTE)\\b(?: +TABLE\\b| +ONLY\\b)? +((?:[\\w$.]|"[^"]*"|`[^`]*`|\\[[^\\]]*\\])+)',
        '|\\b((?:CREATE|ALTER|DROP) +(?:TABLE|VIEW|INDEX|DATABASE|SCHEMA|PROCEDURE|FUNCTION|TRIGGER|SEQUENCE|ROLE|USER))\\b(?: +IF +(?:NOT +)?EXISTS)? +((?:[\\w$.]|"[^"]*"|`[^`]*`|\\[[^\\]]*\\])+)',
        '|\\b(SELECT|INSERT|DELETE|MERGE|REPLACE|UPSERT)\\b',
        '|\\b(?:FROM|INTO|JOIN) +((?:[\\w$.]|"[^"]*"|`[^`]*`|\\[[^\\]]*\\])+)'))))), ' '), 255);

CREATE OR REPLACE FUNCTION sightline_summary AS (scrubbed, dialect) -> multiIf(
    scrubbed = '' OR dialect = 'json', '',
    dialect = 'command', arrayStringConcat(arrayDistinct(extractAll(upper(scrubbed), '(?m)^\\s*(\\S+)')), ' '),
    sightline_summary_of_sql(scrubbed));

-- Attributes for a JSON text in which the first of two equal names counts, so that they stand before those that were sent: the
-- statement under each name it has, and its summary where none was sent.
CREATE OR REPLACE FUNCTION sightline_json_of_summary AS (summary) -> if(summary = '', 'null', toJSONString(summary));

CREATE OR REPLACE FUNCTION sightline_pieces_of_scrubbed AS (text, statement, summary, dialect) -> concat(
    if(text = '', '', concat('"db.query.text":', toJSONString(text), ',')),
    if(statement = '', '', concat('"db.statement":', toJSONString(statement), ',')),
    '"db.query.summary":',
    sightline_json_of_summary(if(summary != '', summary, sightline_summary(if(text = '', statement, text), dialect))));

-- Arguments of a function are written out wherever it uses them. Those of a lambda are not: without these two the plan of a
-- statement has 34 MB of text and takes half a second of a processor for every segment.
CREATE OR REPLACE FUNCTION sightline_statement_pieces AS (text, statement, summary, dialect) -> arrayMap(
    (t, s, y, d) -> arrayMap((ts, ss) -> sightline_pieces_of_scrubbed(ts, ss, y, d),
        [sightline_scrubbed_statement(t, d)], [sightline_scrubbed_statement(s, d)])[1],
    [text], [statement], [summary], [dialect])[1];

-- The same of the attributes of OTLP, and of tags that are texts.
CREATE OR REPLACE FUNCTION sightline_statements AS (a) -> if(hasAny(a.key, ['db.query.text', 'db.statement']),
    sightline_statement_pieces(sightline_text(a, 'db.query.text'), sightline_text(a, 'db.statement'), sightline_text(a, 'db.query.summary'),
        sightline_dialect(lower(coalesce(nullIf(sightline_text(a, 'db.system.name'), ''), sightline_text(a, 'db.system'))))), '');

CREATE OR REPLACE FUNCTION sightline_statements_of_tags AS (tags) -> if(mapContains(tags, 'db.query.text') OR mapContains(tags, 'db.statement'),
    sightline_statement_pieces(tags['db.query.text'], tags['db.statement'], tags['db.query.summary'],
        sightline_dialect(lower(coalesce(nullIf(tags['db.system.name'], ''), tags['db.system'])))), '');
