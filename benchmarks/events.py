"""The events that the searches are measured on: web logs with 20 fields, and JSON events of an application.

The engine makes them from row numbers, so that the same size always gives the same events, and writes them through the
store. The first block is made field by field; every later one repeats its fields with times, request ids and raw text of its
own, because most of the cost of an event is taking its JSON apart. A block that is there already is not written again, so
that a run that was stopped goes on, and a larger size begins with a smaller one's events.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from string import Template

import pyarrow as pa

from sightline.catalog import Catalog
from sightline.store import EmbeddedStore

START = 1_699_920_000
"""Seconds since the epoch of the first event: midnight of 14 November 2023."""
DAY_S = 86_400
WEB_A_DAY, APP_A_DAY = 700_000, 300_000
BLOCK_DAYS = 2
"""Days in a block, which is two million events."""
LOAD_THREADS = 2

_SETTINGS = {"max_memory_usage": 8 << 30, "max_threads": 1}
_PICK = "arrayElement({list}, toUInt32({hash} % {count}) + 1)"


def _pick(values: list[str], hash: str) -> str:
    listed = "[" + ", ".join(f"'{value}'" for value in values) + "]"
    return _PICK.format(list=listed, hash=hash, count=len(values))


def _skewed(count: int, hash: str) -> str:
    """A number below `count`, small ones far more often: what users, pages and items are like."""
    return f"toUInt32(pow({count}, ({hash} % 1000003) / 1000003) - 1)"


MESSAGES = [
    "served from upstream",
    "connection reset by peer",
    "upstream timed out (110: Connection timed out) while reading response header",
    "client closed keepalive connection",
    "upstream prematurely closed connection while reading response header",
    "no live upstreams while connecting to upstream",
    "request body is buffered to a temporary file",
    "SSL handshake completed",
]
RARE_WORD = "oomkiller"
"""Stands in one web event of 250,000."""

# Names of the inner SELECT begin with `h` for hashes; one session makes about ten requests among 4,000 neighbours.
_WEB = f"""
SELECT 'web' AS index, fromUnixTimestamp64Micro(toInt64({START}000000 + intDiv(number * {DAY_S}000000, {WEB_A_DAY})), 'UTC') AS _time,
    now64(3) AS _indextime, concat('web-', leftPad(toString(h1 % 40), 2, '0')) AS host, '/var/log/nginx/access.log' AS source,
    'nginx' AS sourcetype, level AS severity, lower(leftPad(hex(cityHash64(number, 99)), 16, '0')) AS trace_id, '' AS span_id,
    concat(formatDateTime(_time, '%Y-%m-%dT%H:%i:%S.'), leftPad(toString(toUnixTimestamp64Milli(_time) % 1000), 3, '0'), 'Z ', clientip,
        ' - ', user, ' "', method, ' ', uri, ' HTTP/1.1" ', toString(status), ' ', toString(bytes), ' "https://', referer, '/" "', agent,
        '" rt=', toString(duration_ms), ' service=', service, ' session=', session, ' ', level, ': ', message, ' trace=', trace_id) AS _raw,
    concat('{{"status":', toString(status), ',"duration_ms":', toString(duration_ms), ',"bytes":', toString(bytes),
        ',"method":"', method, '","uri":"', uri, '","clientip":"', clientip, '","user":"', user, '","session":"', session,
        '","service":"', service, '","region":"', region, '","version":"', version, '","level":"', level, '","referer":"', referer,
        '","agent":"', agent, '","retries":', toString(retries), ',"tenant":"', tenant, '","worker":', toString(worker),
        if(cache = '', '', concat(',"cache":"', cache, '"')), if(cache = 'hit', '', concat(',"upstream_ms":', toString(upstream_ms))),
        if(status < 500, '', concat(',"error":"', message, '"')), '}}') AS fields
FROM
(
    SELECT number, cityHash64(number, 1) AS h1, cityHash64(number, 2) AS h2, cityHash64(number, 3) AS h3, cityHash64(number, 4) AS h4,
        intDiv(number, 4000) * 400 + h1 % 400 AS visit, cityHash64(visit) AS hv,
        concat('s-', lower(hex(visit))) AS session, concat('user-', toString({_skewed(50_000, "hv")})) AS user,
        concat(toString(10 + hv % 180), '.', toString(intDiv(hv, 256) % 256), '.', toString(intDiv(hv, 65536) % 256), '.', toString(hv % 254 + 1)) AS clientip,
        {_pick(["Mozilla/5.0 (X11; Linux x86_64) Firefox/120.0", "Mozilla/5.0 (Windows NT 10.0) Chrome/119.0", "Mozilla/5.0 (iPhone) Safari/17.1", "okhttp/4.12.0", "curl/8.4.0", "python-requests/2.31.0"], "intDiv(hv, 7)")} AS agent,
        {_pick(["shop.example.com", "search.example.net", "news.example.org", "mail.example.com"], "intDiv(hv, 11)")} AS referer,
        {_pick(["acme", "globex", "initech", "umbrella", "hooli", "stark", "wayne", "soylent"], "intDiv(hv, 13)")} AS tenant,
        {_pick(["eu-west", "eu-north", "us-east", "us-west", "ap-south"], "intDiv(hv, 17)")} AS region,
        {_pick(["gateway", "catalog", "cart", "billing", "search", "model", "features", "auth"], "h2")} AS service,
        {_pick(["GET"] * 7 + ["POST"] * 2 + ["PUT"], "intDiv(h2, 8)")} AS method,
        concat('/api/v1/', {_pick(["items", "items", "items", "cart", "users", "orders", "predict", "search"], "intDiv(h2, 128)")}, '/', toString({_skewed(4_000, "h3")})) AS uri,
        {_pick(["2.14.0", "2.14.1", "2.15.0"], "intDiv(h2, 1024)")} AS version,
        multiIf(h4 % 1000 < 880, 200, h4 % 1000 < 930, 304, h4 % 1000 < 965, 404, h4 % 1000 < 980, 500, h4 % 1000 < 990, 502, 503) AS status,
        round(exp(intDiv(h3, 1024) % 10000 / 1400), 1) + 0.05 AS duration_ms,
        round(duration_ms * 0.8, 1) + 0.01 AS upstream_ms, toUInt32(exp(intDiv(h4, 1024) % 10000 / 900)) AS bytes,
        toUInt8(h3 % 100 < 3) + toUInt8(h3 % 100 < 1) AS retries, intDiv(h1, 512) % 64 AS worker,
        if(method = 'GET', if(intDiv(h4, 65536) % 10 < 4, 'hit', 'miss'), '') AS cache,
        if(status >= 500, 'error', if(status = 404, 'warn', 'info')) AS level,
        multiIf(cityHash64(number, 7) % 250000 = 0, concat('worker ', toString(worker), ' was ended by the {RARE_WORD}'),
            status >= 500, {_pick(MESSAGES[1:6], "intDiv(h4, 4096)")}, {_pick([MESSAGES[0]] * 8 + MESSAGES[6:], "intDiv(h4, 4096)")}) AS message
    FROM numbers($first, $count)
)"""

_APP = f"""
SELECT 'app' AS index, fromUnixTimestamp64Micro(toInt64({START}000000 + intDiv(number * {DAY_S}000000, {APP_A_DAY}) + 7), 'UTC') AS _time,
    now64(3) AS _indextime, concat('app-', toString(h1 % 12)) AS host, 'shop' AS source, '_json' AS sourcetype, level AS severity, '' AS trace_id,
    '' AS span_id,
    concat('{{"level":"', level, '","logger":"shop.', area, '","message":"', message, '","duration_ms":', toString(duration_ms),
        ',"http":{{"method":"', method, '","route":"/', area, '","status":', toString(status), '}},"user":{{"id":"user-',
        toString({_skewed(50_000, "h2")}), '","plan":"', plan, '"}},"order":{{"total":', toString(total), ',"currency":"', currency,
        '"}},"items":[', arrayStringConcat(arrayMap(n -> concat('{{"sku":"sku-', toString(cityHash64(number, n) % 500), '","quantity":',
            toString(1 + n % 3), ',"price":', toString(round((cityHash64(number, n) % 9000) / 100, 1) + 0.05), '}}'), range(1 + h3 % 3)), ','),
        '],"tags":["', plan, '","', currency, '"', if(h3 % 5 = 0, ',"beta"', ''), '],"attempt":', toString(1 + toUInt8(h3 % 50 = 0)),
        ',"pod":"shop-', toString(h1 % 30), '","version":"', version, '","experiment":{{"name":"ranking","arm":"', arm, '","score":',
        toString((h4 % 1000) / 1000 + 0.0005), '}}}}') AS _raw,
    _raw AS fields
FROM
(
    SELECT number, cityHash64(number, 11) AS h1, cityHash64(number, 12) AS h2, cityHash64(number, 13) AS h3, cityHash64(number, 14) AS h4,
        {_pick(["checkout", "catalog", "payment", "ranking", "account"], "h1")} AS area,
        multiIf(h4 % 100 < 88, 200, h4 % 100 < 94, 201, h4 % 100 < 98, 404, 500) AS status,
        if(status = 500, 'error', if(status = 404, 'warn', 'info')) AS level,
        multiIf(status = 500, 'payment provider did not answer', status = 404, 'item is gone', 'request handled') AS message,
        round(exp(intDiv(h3, 1024) % 10000 / 1500), 1) + 0.05 AS duration_ms, {_pick(["GET", "GET", "POST"], "intDiv(h4, 128)")} AS method,
        {_pick(["free", "free", "pro", "team"], "intDiv(h2, 16)")} AS plan, round((h2 % 30000) / 100, 1) + 0.05 AS total,
        {_pick(["EUR", "USD", "GBP"], "intDiv(h2, 1024)")} AS currency, {_pick(["5.1.0", "5.2.0"], "intDiv(h1, 64)")} AS version,
        {_pick(["control", "treatment"], "intDiv(h1, 256)")} AS arm
    FROM numbers($first, $count)
)"""

_COLUMNS = "index, _time, _indextime, host, source, sourcetype, severity, trace_id, span_id, _raw, fields"
_LATER_TIME = "addSeconds(_time, {shift_s})"
# The raw text of a web event begins with 24 characters of time and ends with 16 of the request's id.
_REPEATED = """
SELECT index, moved AS _time, now64(3) AS _indextime, host, source, sourcetype, severity, {trace_id} AS trace_id, span_id, {raw} AS _raw, fields{columns}
FROM
(
    SELECT * EXCEPT (_time, trace_id, _raw), addSeconds(_time, {shift_s}) AS moved, trace_id AS first_id, _raw AS first_raw
    FROM sightline.events WHERE index = '{index}' AND _time < fromUnixTimestamp64Micro(toInt64({end_s}000000))
)"""
_WEB_ID = "lower(leftPad(hex(cityHash64(first_id, {block})), 16, '0'))"
_WEB_RAW = (
    "concat(formatDateTime(moved, '%Y-%m-%dT%H:%i:%S.'), leftPad(toString(toUnixTimestamp64Milli(moved) % 1000), 3, '0'), 'Z',"
    " substring(first_raw, 25, length(first_raw) - 40), trace_id)"
)

_FIELD = re.compile(r"<([\w.]+):(\w+)>")
"""A field and its type, wherever the store keeps it."""
_PARQUET = {
    "web": [
        ("index", "toString(index)"), ("_time", "_time"), ("host", "toString(host)"), ("source", "toString(source)"),
        ("sourcetype", "toString(sourcetype)"), ("trace_id", "trace_id"), ("_raw", "_raw"),
        *((name, f"<{name}:Int64>") for name in ("status", "bytes", "retries", "worker")),
        *((name, f"<{name}:Float64>") for name in ("duration_ms", "upstream_ms")),
        *((name, f"toString(<{name}:String>)") for name in (
            "method", "uri", "clientip", "user", "session", "service", "region", "version", "level", "referer", "agent", "tenant",
            "cache", "error")),
    ],
    "app": [
        ("index", "toString(index)"), ("_time", "_time"), ("host", "toString(host)"), ("source", "toString(source)"),
        ("sourcetype", "toString(sourcetype)"), ("_raw", "_raw"),
        *((name, f"<{name}:Int64>") for name in ("http.status", "attempt")),
        *((name, f"<{name}:Float64>") for name in ("duration_ms", "order.total", "experiment.score")),
        *((name, f"toString(<{name}:String>)") for name in (
            "level", "logger", "message", "http.method", "http.route", "user.id", "user.plan", "order.currency", "pod", "version",
            "experiment.name", "experiment.arm")),
        ("tags", "`tags:Array`"),
    ],
}  # fmt: skip
"""What the Parquet files hold: every field as a column of its own type, which is the best a reader of Parquet can hope for."""


def blocks_of(events: int) -> int:
    """How many blocks a size has."""
    return max(1, round(events / (BLOCK_DAYS * (WEB_A_DAY + APP_A_DAY))))


def end_of(events: int) -> float:
    """The moment after the last event of a size, in seconds since the epoch."""
    if events < BLOCK_DAYS * (WEB_A_DAY + APP_A_DAY):
        return START + events / (WEB_A_DAY + APP_A_DAY) * DAY_S
    return float(START + blocks_of(events) * BLOCK_DAYS * DAY_S)


def load(store: EmbeddedStore, events: int, say: Callable[[str], None] = print) -> None:
    """Write what a size lacks. A size below one block is a shorter first block, and cannot grow."""
    share = min(1.0, events / (BLOCK_DAYS * (WEB_A_DAY + APP_A_DAY)))
    there = _blocks_there(store)
    for index, made, a_day in (("web", _WEB, WEB_A_DAY), ("app", _APP, APP_A_DAY)):
        if (index, 0) in there:
            continue
        select = Template(made).substitute(first=0, count=round(a_day * BLOCK_DAYS * share))
        # Fields that most events have get columns of their own on the way in, as those of loaded segments do.
        store.insert_rows(
            "events",
            (_COLUMNS.split(", "), select),
            token=f"benchmark {index} 0 of {share}",
            indexes=[index],
            settings=_SETTINGS,
        )
    columns = "".join(f", `{one.column}`" for one in store.promoted.of("events"))
    waiting = [
        (index, block) for block in range(1, blocks_of(events)) for index in ("web", "app") if (index, block) not in there
    ]

    def repeat(one: tuple[str, int]) -> None:
        index, block = one
        web = index == "web"
        sql = _REPEATED.format(
            index=index,
            shift_s=block * BLOCK_DAYS * DAY_S,
            end_s=START + BLOCK_DAYS * DAY_S,
            trace_id=_WEB_ID.format(block=block) if web else "first_id",
            raw=_WEB_RAW if web else "first_raw",
            columns=columns,
        )
        text = f"INSERT INTO sightline.events ({_COLUMNS}{columns}) {sql}"
        store.insert(text, token=f"benchmark {index} {block}", settings=_SETTINGS)
        say(f"block {block} of {blocks_of(events) - 1} of {index} is there")

    with ThreadPoolExecutor(LOAD_THREADS) as pool:
        list(pool.map(repeat, waiting))


def _blocks_there(store: EmbeddedStore) -> set[tuple[str, int]]:
    """The blocks that some events lie in; a block is written as a whole or not at all."""
    rows = store.query(
        f"SELECT DISTINCT toString(index) AS index, toInt64(intDiv(toUnixTimestamp64Micro(_time) - {START}000000, {BLOCK_DAYS * DAY_S}000000))"
        " AS block FROM sightline.events"
    ).to_pylist()
    return {(row["index"], row["block"]) for row in rows}


def save_knowledge(catalog: Catalog) -> None:
    """The indexes and the lookups that the searches name."""
    for index in _PARQUET:
        catalog.indexes.ensure(index, "event")
    hosts = [f"web-{n:02d}" for n in range(40)]
    catalog.lookups.write("hosts", pa.table({"host": hosts, "team": [f"team-{n % 6}" for n in range(40)]}))
    catalog.lookups.write("watched", pa.table({"user": [f"user-{n * n * 7}" for n in range(40)]}))


def export(store: EmbeddedStore, folder: Path, events: int) -> dict[str, Path]:
    """The same events as Parquet files, one for each index, written by the engine unless they are there."""
    found = {}
    promoted = {one.column for one in store.promoted.of("events")}

    def stored(match: re.Match[str]) -> str:
        name, kind = match.groups()
        return f"`{name}:{kind}`" if f"{name}:{kind}" in promoted else f"fields.{name}.:{kind}"

    for index, columns in _PARQUET.items():
        path = folder / f"{index}-{events}.parquet"
        if not path.exists():
            unfinished = path.with_suffix(".part")
            unfinished.unlink(missing_ok=True)
            listed = ", ".join(f"{re.sub(_FIELD, stored, sql)} AS `{name}`" for name, sql in columns)
            store.execute(
                f"INSERT INTO FUNCTION file('{unfinished}', 'Parquet') SELECT {listed} FROM sightline.events"
                f" WHERE index = '{index}' AND _time < fromUnixTimestamp64Micro(toInt64({end_of(events):.0f}000000)) ORDER BY index, _time"
                " SETTINGS output_format_parquet_compression_method = 'zstd', output_format_parquet_row_group_size = 122880"
            )
            unfinished.rename(path)
        found[index] = path
    return found
