"""Thirty searches in the proportions in which commands occur in real ones, each with the SQL an expert would write instead.

`sql` is for the engine, over the same table; `duckdb` is for DuckDB over Parquet files of the same events, one column for each
field. `{id}`, `{hour}` and `{until}` stand for one request's id and for the first and last second of one hour.
Experts write what is fastest on their system and gives the same answer: exact words instead of patterns, case as it is stored.
"""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.events import RARE_WORD

W = "FROM sightline.events WHERE index = 'web'"
A = "FROM sightline.events WHERE index = 'app'"
STATUS, MS, BYTES = "`status:Int64`", "`duration_ms:Float64`", "`bytes:Int64`"
USER, SERVICE, METHOD, URI = (f"`{name}:String`" for name in ("user", "service", "method", "uri"))
SESSION, REGION, TENANT, CACHE = (f"`{name}:String`" for name in ("session", "region", "tenant", "cache"))
RAW = "lowerUTF8(_raw)"


@dataclass(frozen=True)
class Case:
    """A search and its two opponents."""

    name: str
    search: str
    sql: str
    duckdb: str
    rare: bool = False
    """Whether it looks for a word that few events have."""
    pivoted: bool = False
    """Whether the search gives a column for each value, where SQL gives rows of (key, value, number)."""
    compared: bool = True
    """Whether the three answers must be equal."""


def phrase(text: str) -> str:
    """The engine's condition for a phrase: the text index first, then the exact text."""
    return f"(hasAllTokens({RAW}, '{text}') AND position({RAW}, '{text}') > 0)"


CASES = [
    Case(
        "a rare word",
        f"index=web {RARE_WORD} | table _time host _raw",
        f"SELECT _time, host, _raw {W} AND hasAllTokens({RAW}, '{RARE_WORD}') ORDER BY _time DESC",
        f"SELECT _time, host, _raw FROM web WHERE contains(_raw, '{RARE_WORD}') ORDER BY _time DESC",
        rare=True,
    ),
    Case(
        "one request's id",
        "index=web {id} | table _time host status",
        f"SELECT _time, host, {STATUS} {W} AND hasAllTokens({RAW}, '{{id}}') ORDER BY _time DESC",
        "SELECT _time, host, status FROM web WHERE contains(_raw, '{id}') ORDER BY _time DESC",
        rare=True,
    ),
    Case(
        "a phrase",
        'index=web "connection reset by peer" | stats count by host',
        f"SELECT host, count() {W} AND {phrase('connection reset by peer')} GROUP BY host ORDER BY host",
        "SELECT host, count(*) FROM web WHERE contains(_raw, 'connection reset by peer') GROUP BY host ORDER BY host",
    ),
    Case(
        "words with OR and NOT",
        'index=web ("timed out" OR premature*) NOT service=model | stats count by service',
        f"SELECT {SERVICE} AS s, count() {W} AND ({phrase('timed out')} OR hasAllTokens({RAW}, 'prematurely'))"
        " AND s != 'model' GROUP BY s ORDER BY s",
        "SELECT service, count(*) FROM web WHERE (contains(_raw, 'timed out') OR contains(_raw, 'prematurely'))"
        " AND service != 'model' GROUP BY service ORDER BY service",
    ),
    Case(
        "the beginning of a word",
        "index=web handsh* | stats count",
        f"SELECT count() {W} AND {RAW} LIKE '%handsh%'",
        "SELECT count(*) FROM web WHERE contains(_raw, 'handsh')",
    ),
    Case(
        "several conditions, top values",
        "index=web status IN (500, 502, 503) method!=GET service=billing | top limit=10 uri",
        f"SELECT {URI} AS u, count() AS c, round(c * 100 / sum(c) OVER (), 6) {W} AND {STATUS} IN (500, 502, 503)"
        f" AND {METHOD} != 'GET' AND {SERVICE} = 'billing' AND u IS NOT NULL GROUP BY u ORDER BY c DESC, u LIMIT 10",
        "SELECT uri, count(*) AS c, round(c * 100 / sum(c) OVER (), 6) FROM web WHERE status IN (500, 502, 503)"
        " AND method != 'GET' AND service = 'billing' GROUP BY uri ORDER BY c DESC, uri LIMIT 10",
        compared=False,
    ),
    Case(
        "a value with a wildcard",
        "index=web uri=/api/v1/cart/1* | stats count by method",
        f"SELECT {METHOD} AS m, count() {W} AND startsWith({URI}, '/api/v1/cart/1') AND m IS NOT NULL GROUP BY m ORDER BY m",
        "SELECT method, count(*) FROM web WHERE starts_with(uri, '/api/v1/cart/1') GROUP BY method ORDER BY method",
    ),
    Case(
        "one hour of one service",
        "index=web service=model earliest={hour} latest={until} | stats avg(duration_ms) AS mean by method",
        f"SELECT {METHOD} AS m, avg({MS}) {W} AND _time >= fromUnixTimestamp64Micro(toInt64({{hour}}000000))"
        f" AND _time < fromUnixTimestamp64Micro(toInt64({{until}}000000)) AND {SERVICE} = 'model' AND m IS NOT NULL"
        " GROUP BY m ORDER BY m",
        "SELECT method, avg(duration_ms) FROM web WHERE _time >= to_timestamp({hour}) AND _time < to_timestamp({until})"
        " AND service = 'model' GROUP BY method ORDER BY method",
    ),
    Case(
        "the newest events",
        "index=web | head 100 | table _time host user uri status",
        f"SELECT _time, host, {USER}, {URI}, {STATUS} {W} ORDER BY _time DESC LIMIT 100",
        'SELECT _time, host, "user", uri, status FROM web ORDER BY _time DESC LIMIT 100',
    ),
    Case(
        "the newest slow errors",
        "index=web | where duration_ms>800 AND status>=500 | head 50 | table _time host uri duration_ms",
        f"SELECT _time, host, {URI}, {MS} {W} AND {MS} > 800 AND {STATUS} >= 500 ORDER BY _time DESC LIMIT 50",
        "SELECT _time, host, uri, duration_ms FROM web WHERE duration_ms > 800 AND status >= 500 ORDER BY _time DESC LIMIT 50",
    ),
    Case(
        "counts of a number",
        "index=web | stats count by status",
        f"SELECT {STATUS} AS s, count() {W} AND s IS NOT NULL GROUP BY s ORDER BY s",
        "SELECT status, count(*) FROM web WHERE status IS NOT NULL GROUP BY status ORDER BY status",
    ),
    Case(
        "latency by service",
        "index=web | stats count avg(duration_ms) AS mean max(duration_ms) AS worst p95(duration_ms) AS p95 by service",
        f"SELECT {SERVICE} AS s, count(), avg({MS}), max({MS}), quantileExact(0.95 - 1e-12)({MS}) {W} AND s IS NOT NULL"
        " GROUP BY s ORDER BY s",
        "SELECT service, count(*), avg(duration_ms), max(duration_ms), quantile_disc(duration_ms, 0.95) FROM web"
        " WHERE service IS NOT NULL GROUP BY service ORDER BY service",
    ),
    Case(
        "share of slow requests",
        "index=web | eval slow=if(duration_ms>500, 1, 0) | stats sum(slow) AS slow count by service"
        " | eval share=round(100*slow/count, 2) | sort -share",
        f"SELECT {SERVICE} AS s, countIf({MS} > 500) AS slow, count() AS c, round(100 * slow / c, 2) AS share {W}"
        " AND s IS NOT NULL GROUP BY s ORDER BY share DESC",
        "SELECT service, count(*) FILTER (duration_ms > 500) AS slow, count(*) AS c, round(100 * slow / c, 2) AS share FROM web"
        " WHERE service IS NOT NULL GROUP BY service ORDER BY share DESC",
    ),
    Case(
        "users and regions of tenants",
        "index=web | stats dc(user) AS users values(region) AS regions by tenant",
        f"SELECT {TENANT} AS t, uniqExact({USER}), arraySort(groupUniqArray({REGION})) {W} AND t IS NOT NULL GROUP BY t ORDER BY t",
        'SELECT tenant, count(DISTINCT "user"), list_sort(list(DISTINCT region)) FROM web WHERE tenant IS NOT NULL'
        " GROUP BY tenant ORDER BY tenant",
    ),
    Case(
        "top users",
        "index=web | top limit=10 user",
        f"SELECT {USER} AS u, count() AS c, round(c * 100 / sum(c) OVER (), 6) {W} AND u IS NOT NULL GROUP BY u"
        " ORDER BY c DESC LIMIT 10",
        'SELECT "user", count(*) AS c, round(c * 100 / sum(c) OVER (), 6) FROM web WHERE "user" IS NOT NULL GROUP BY "user"'
        " ORDER BY c DESC LIMIT 10",
        compared=False,
    ),
    Case(
        "requests over time",
        "index=web | timechart span=1h count by status",
        f"SELECT toStartOfHour(_time) AS t, {STATUS} AS s, count() {W} GROUP BY t, s ORDER BY t, s",
        "SELECT date_trunc('hour', _time) AS t, status, count(*) FROM web GROUP BY t, status ORDER BY t, status",
        pivoted=True,
    ),
    Case(
        "bytes and sessions of days",
        "index=web | bin _time span=1d | stats sum(bytes) AS bytes dc(session) AS sessions by _time region",
        f"SELECT toStartOfDay(_time) AS t, {REGION} AS r, sum({BYTES}), uniqExact({SESSION}) {W} AND r IS NOT NULL"
        " GROUP BY t, r ORDER BY t, r",
        "SELECT date_trunc('day', _time) AS t, region, sum(bytes), count(DISTINCT session) FROM web WHERE region IS NOT NULL"
        " GROUP BY t, region ORDER BY t, region",
    ),
    Case(
        "a chart with absent values filled",
        "index=web | fillnull value=none cache | chart count over service by cache",
        f"SELECT {SERVICE} AS s, ifNull({CACHE}, 'none') AS k, count() {W} AND s IS NOT NULL GROUP BY s, k ORDER BY s, k",
        "SELECT service, ifnull(cache, 'none') AS k, count(*) FROM web WHERE service IS NOT NULL GROUP BY service, k"
        " ORDER BY service, k",
        pivoted=True,
    ),
    Case(
        "fields out of the text",
        r'index=web "timed out" | rex "\((?<code>\d+): (?<reason>[^)]+)\) while (?<doing>\w+)" | stats count by code reason doing',
        f"SELECT extractGroups(_raw, '\\\\((\\\\d+): ([^)]+)\\\\) while (\\\\w+)') AS g, count() {W} AND {phrase('timed out')}"
        " AND notEmpty(g) GROUP BY g ORDER BY g",
        r"SELECT g, count(*) FROM (SELECT regexp_extract(_raw, '\((\d+): ([^)]+)\) while (\w+)', ['code', 'reason', 'doing']) AS g"
        " FROM web WHERE contains(_raw, 'timed out')) WHERE g.code != '' GROUP BY g ORDER BY g",
        compared=False,
    ),
    Case(
        "the newest event of each value",
        "index=web status=500 | dedup user | table _time user uri",
        f"SELECT _time, {USER} AS u, {URI} {W} AND {STATUS} = 500 AND u IS NOT NULL ORDER BY _time DESC LIMIT 1 BY u",
        'SELECT max(_time) AS t, "user", arg_max(uri, _time) FROM web WHERE status = 500 AND "user" IS NOT NULL GROUP BY "user"'
        " ORDER BY t DESC",
    ),
    Case(
        "events beyond their group's mean",
        "index=web status>=500 | eventstats avg(duration_ms) AS mean by service | where duration_ms>6*mean | stats count by service",
        f"SELECT s, count() FROM (SELECT {SERVICE} AS s, {MS} AS d, avg(d) OVER (PARTITION BY s) AS mean {W} AND {STATUS} >= 500)"
        " WHERE d > 6 * mean AND s IS NOT NULL GROUP BY s ORDER BY s",
        "SELECT service, count(*) FROM (SELECT service, duration_ms, avg(duration_ms) OVER (PARTITION BY service) AS mean FROM web"
        " WHERE status >= 500) WHERE duration_ms > 6 * mean GROUP BY service ORDER BY service",
    ),
    Case(
        "the largest answers",
        "index=web status=503 | sort 100 -bytes | table _time uri bytes",
        f"SELECT _time, {URI}, {BYTES} AS b {W} AND {STATUS} = 503 ORDER BY b DESC, _time DESC LIMIT 100",
        "SELECT _time, uri, bytes FROM web WHERE status = 503 ORDER BY bytes DESC, _time DESC LIMIT 100",
    ),
    Case(
        "a moving mean",
        "index=web service=billing status=500 | streamstats window=20 avg(duration_ms) AS moving | where duration_ms>8*moving"
        " | stats count",
        f"SELECT count() FROM (SELECT {MS} AS d, avg(d) OVER (ORDER BY _time DESC ROWS BETWEEN 19 PRECEDING AND CURRENT ROW) AS m"
        f" {W} AND {SERVICE} = 'billing' AND {STATUS} = 500) WHERE d > 8 * m",
        "SELECT count(*) FROM (SELECT duration_ms AS d, avg(d) OVER (ORDER BY _time DESC ROWS BETWEEN 19 PRECEDING AND CURRENT ROW)"
        " AS m FROM web WHERE service = 'billing' AND status = 500) WHERE d > 8 * m",
    ),
    Case(
        "two sources joined",
        "index=web status=500 | stats count AS errors by user | join user [ search index=app level=error | rename user.id AS user"
        " | stats count AS failures by user ] | sort -errors user | head 10",
        f"SELECT u, errors, failures FROM (SELECT {USER} AS u, count() AS errors {W} AND {STATUS} = 500 AND u IS NOT NULL GROUP BY u)"
        f" AS l INNER JOIN (SELECT `user.id:String` AS u, count() AS failures {A} AND `level:String` = 'error'"
        " AND u IS NOT NULL GROUP BY u) AS r USING (u) ORDER BY errors DESC, u LIMIT 10",
        'SELECT u, errors, failures FROM (SELECT "user" AS u, count(*) AS errors FROM web WHERE status = 500 GROUP BY u)'
        " JOIN (SELECT \"user.id\" AS u, count(*) AS failures FROM app WHERE level = 'error' GROUP BY u) USING (u)"
        " ORDER BY errors DESC, u LIMIT 10",
        compared=False,
    ),
    Case(
        "a lookup",
        "index=web status>=500 | lookup hosts host OUTPUT team | stats count by team",
        f"SELECT team, count() FROM (SELECT host {W} AND {STATUS} >= 500) AS e INNER JOIN {{hosts}} AS t USING (host)"
        " GROUP BY team ORDER BY team",
        "SELECT team, count(*) FROM web JOIN hosts USING (host) WHERE status >= 500 GROUP BY team ORDER BY team",
    ),
    Case(
        "only the users of a list",
        "index=web [ | inputlookup watched | fields user ] | stats count by user",
        f"SELECT {USER} AS u, count() {W} AND u IN (SELECT user FROM {{watched}}) GROUP BY u ORDER BY u",
        'SELECT "user", count(*) FROM web WHERE "user" IN (SELECT "user" FROM watched) GROUP BY "user" ORDER BY "user"',
    ),
    Case(
        "fields of JSON events",
        "index=app http.status>=500 | stats count by http.route http.method",
        f"SELECT `http.route:String` AS r, `http.method:String` AS m, count() {A} AND `http.status:Int64` >= 500"
        " AND r IS NOT NULL AND m IS NOT NULL GROUP BY r, m ORDER BY r, m",
        'SELECT "http.route", "http.method", count(*) FROM app WHERE "http.status" >= 500 GROUP BY ALL ORDER BY ALL',
    ),
    Case(
        "a row for each tag",
        "index=app | mvexpand tags | stats count by tags",
        f"SELECT arrayJoin(`tags:Array`) AS t, count() {A} GROUP BY t ORDER BY t",
        "SELECT t, count(*) FROM (SELECT unnest(tags) AS t FROM app) GROUP BY t ORDER BY t",
    ),
    Case(
        "an array in the text of JSON events",
        "index=app level=error | spath output=sku path=items{}.sku | stats count by sku | sort -count sku | head 10",
        "SELECT arrayJoin(arrayMap(x -> JSONExtractString(x, 'sku'), JSONExtractArrayRaw(_raw, 'items'))) AS sku, count() AS c"
        f" {A} AND `level:String` = 'error' GROUP BY sku ORDER BY c DESC, sku LIMIT 10",
        "SELECT sku, count(*) AS c FROM (SELECT unnest(CAST(json_extract_string(_raw, '$.items[*].sku') AS VARCHAR[])) AS sku FROM app"
        " WHERE level = 'error') GROUP BY sku ORDER BY c DESC, sku LIMIT 10",
        compared=False,
    ),
    Case(
        "visits of one hour",
        "index=web earliest={hour} latest={until} | transaction session maxpause=10m"
        " | stats count avg(duration) AS duration avg(eventcount) AS events",
        "SELECT count(), avg(d), avg(n) FROM (SELECT s, visit, toFloat64(max(t)) - toFloat64(min(t)) AS d, count() AS n FROM"
        " (SELECT s, t, sum(begins) OVER (PARTITION BY s ORDER BY t) AS visit FROM (SELECT s, t, toFloat64(t) - toFloat64("
        "lagInFrame(t, 1, t) OVER (PARTITION BY s ORDER BY t ROWS BETWEEN 1 PRECEDING AND CURRENT ROW)) > 600 AS begins FROM"
        f" (SELECT {SESSION} AS s, _time AS t {W} AND _time >= fromUnixTimestamp64Micro(toInt64({{hour}}000000))"
        " AND _time < fromUnixTimestamp64Micro(toInt64({until}000000))))) GROUP BY s, visit)",
        "SELECT count(*), avg(d), avg(n) FROM (SELECT session, visit, epoch(max(_time) - min(_time)) AS d, count(*) AS n FROM"
        " (SELECT session, _time, sum(begins) OVER (PARTITION BY session ORDER BY _time) AS visit FROM (SELECT session, _time,"
        " CAST(epoch(_time - lag(_time, 1, _time) OVER (PARTITION BY session ORDER BY _time)) > 600 AS INT) AS begins FROM web"
        " WHERE _time >= to_timestamp({hour}) AND _time < to_timestamp({until}))) GROUP BY session, visit)",
    ),
]
"""`tstats`, the ninth most frequent command, is not among them: over events it reads what `stats` reads."""
