"""Logs as programs write them, under the rules that come with Sightline; loading and trying must agree about each."""

import json
from datetime import UTC, datetime

import orjson
import pytest

from sightline.config import IngestSettings, Settings
from sightline.journal import JournalWriter
from sightline.sourcetypes import Rules, builtin_rules
from sightline.store import EmbeddedStore
from sightline.store.loading import Loader
from sightline.store.trying import try_text

RECEIVED = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()
TRACE = """\
2026-01-02 10:11:12,123 [main] ERROR com.shop.Cart - cart 17 is broken
java.lang.IllegalStateException: no price
\tat com.shop.Cart.total(Cart.java:17)
\tat com.shop.Main.main(Main.java:3)
Caused by: java.sql.SQLException: timeout
\t... 2 more
2026-01-02 10:11:13,000 INFO  [pool-1] com.shop.Stock: sold=3
"""
PYTHON = """\
2026-01-02 10:11:12,123 - shop.cart - ERROR - failed
Traceback (most recent call last):
  File "shop.py", line 3, in total
    return price * count

TypeError: unsupported operand
WARNING:shop.stock:low
"""
POSTGRES = """\
2026-01-02 10:11:12.123 UTC [123] bob@shop ERROR:  duplicate key value
2026-01-02 10:11:12.123 UTC [123] bob@shop DETAIL:  Key (id)=(1) exists.
2026-01-02 10:11:12.123 UTC [123] bob@shop STATEMENT:  INSERT INTO carts
\tVALUES (1)
2026-01-02 10:11:13.500 UTC [124] LOG:  duration: 12.5 ms  statement: SELECT 1
"""
SLOW = """\
# Time: 2026-01-02T10:11:12.123456Z
# User@Host: root[root] @ localhost [127.0.0.1]  Id:     8
# Query_time: 2.500000  Lock_time: 0.000000 Rows_sent: 1  Rows_examined: 10
SET timestamp=1767348672;
SELECT sleep(2)
FROM carts;
# Time: 2026-01-02T10:11:15.000000Z
# User@Host: app[app] @  [10.0.0.7]  Id:     9
# Query_time: 1.000000  Lock_time: 0.500000 Rows_sent: 0  Rows_examined: 99
SET timestamp=1767348675;
DELETE FROM carts;
"""
IIS = """\
#Software: Microsoft Internet Information Services 10.0
#Fields: date time s-ip cs-method cs-uri-stem cs-uri-query sc-status time-taken
2026-01-02 03:04:05 10.0.0.1 GET /cart - 200 15
2026-01-02 03:04:06 10.0.0.1 POST /cart id=7 500 9
"""
CRI = """\
2026-01-02T03:04:05.123456789Z stdout P part one,
2026-01-02T03:04:05.2Z stdout F  part two
2026-01-02T03:04:06Z stderr F java.lang.Error: x
2026-01-02T03:04:06.1Z stderr F \tat y
2026-01-02T03:04:07Z stdout F {"level":"warn","cart":7}
"""
DOCKER = (
    '{"log":"hello cart=7\\n","stream":"stdout","time":"2026-01-02T03:04:05.5Z"}\n'
    '{"log":"cut ","stream":"stderr","time":"2026-01-02T03:04:06Z"}\n'
    '{"log":"off\\n","stream":"stderr","time":"2026-01-02T03:04:06.5Z"}\n'
)
ACCESS = (
    '10.0.0.1 - bob [02/Jan/2026:03:04:05 -0700] "GET /cart?id=7 HTTP/1.1" 200 5316 "https://shop/" "curl/8 \\"x\\""\n'
    '::1 - - [02/Jan/2026:03:04:06 +0000] "GET / HTTP/1.0" 304 -\n'
    '10.0.0.9 - - [02/Jan/2026:03:04:07 +0000] "\\x16\\x03\\x01" 400 226 "-" "-"\n'
)
NGINX = (
    '2026/01/02 10:11:12 [error] 7#8: *9 open() "/srv/x" failed (2: No such file), client: 10.0.0.1, server: shop,'
    ' request: "GET /x HTTP/1.1", upstream: "http://10.0.0.2:80/x", host: "shop"\n'
    "2026/01/02 10:11:13 [notice] 7#7: signal process started\n"
)
APACHE = (
    "[Fri Jan 02 03:04:05.123456 2026] [core:error] [pid 12:tid 34] [client 10.0.0.1:55] AH00126: Invalid URI in request\n"
)
SYSLOG = (
    "Jan  2 03:04:05 web-1 sshd[77]: Failed password for bob user=bob\n"
    "2026-01-02T03:04:06.5+01:00 web-2 cron: started\n"
    "<13>Dec 31 23:59:59 web-3 kernel: last year\n"
)
CSV = 'name,qty,when\n"Bar, o ""1""",3,2026-01-02 03:04:05\n"two\nlines",007,2026-01-02 03:04:06\n'

CASES = {
    "access_combined": (ACCESS, [
        ("2026-01-02T10:04:05", {"clientip": "10.0.0.1", "user": "bob", "method": "GET", "uri": "/cart?id=7", "uri_path": "/cart",
            "uri_query": "id=7", "version": "1.1", "status": 200, "bytes": 5316, "referer": "https://shop/"}, ""),
        ("2026-01-02T03:04:06", {"clientip": "::1", "status": 304, "uri_path": "/"}, ""),
        ("2026-01-02T03:04:07", {"clientip": "10.0.0.9", "status": 400, "bytes": 226}, ""),
    ]),
    "apache_error": (APACHE, [
        ("2026-01-02T03:04:05.123456", {"module": "core", "level": "error", "pid": 12, "tid": 34, "client": "10.0.0.1:55",
            "code": "AH00126"}, "error"),
    ]),
    "nginx:error": (NGINX, [
        ("2026-01-02T10:11:12", {"level": "error", "pid": 7, "tid": 8, "connection": 9, "client": "10.0.0.1", "server": "shop",
            "method": "GET", "uri": "/x", "upstream": "http://10.0.0.2:80/x"}, "error"),
        ("2026-01-02T10:11:13", {"level": "notice", "pid": 7}, "info"),
    ]),
    "log4j": (TRACE, [
        ("2026-01-02T10:11:12.123", {"level": "ERROR", "thread": "main", "logger": "com.shop.Cart",
            "exception": "java.lang.IllegalStateException"}, "error"),
        ("2026-01-02T10:11:13", {"level": "INFO", "thread": "pool-1", "logger": "com.shop.Stock", "sold": 3}, "info"),
    ]),
    "python:log": (PYTHON, [
        ("2026-01-02T10:11:12.123", {"level": "ERROR", "logger": "shop.cart", "exception": "TypeError"}, "error"),
        ("2026-01-02T10:11:12.123", {"level": "WARNING", "logger": "shop.stock"}, "warn"),
    ]),
    "syslog": (SYSLOG, [
        ("2026-01-02T03:04:05", {"app": "sshd", "process_id": 77, "user": "bob"}, ""),
        ("2026-01-02T02:04:06.500", {"app": "cron"}, ""),
        ("2025-12-31T23:59:59", {"app": "kernel"}, ""),
    ]),
    "json": ('[{"cart": 7, "time": "2026-01-02T03:04:05Z"},\n {"cart": 8, "time": 1767323046}]', [
        ("2026-01-02T03:04:05", {"cart": 7}, ""), ("2026-01-02T03:04:06", {"cart": 8}, ""),
    ]),
    "_json": ('{\n  "ts": 1767323045.5,\n  "deep": {"cart": 7}\n}\n{"ts": 1767323046, "level": "error"}\n', [
        ("2026-01-02T03:04:05.500", {"deep": {"cart": 7}}, ""), ("2026-01-02T03:04:06", {"level": "error"}, "error"),
    ]),
    "csv": (CSV, [
        ("2026-01-02T03:04:05", {"name": 'Bar, o "1"', "qty": 3}, ""),
        ("2026-01-02T03:04:06", {"name": "two\nlines", "qty": "007"}, ""),
    ]),
    "tsv": ("name\tqty\tt\nBarolo\t3\t2026-01-02 03:04:05\n", [("2026-01-02T03:04:05", {"name": "Barolo", "qty": 3}, "")]),
    "iis": (IIS, [
        ("2026-01-02T03:04:05", {"s-ip": "10.0.0.1", "cs-method": "GET", "sc-status": 200, "time-taken": 15}, ""),
        ("2026-01-02T03:04:06", {"cs-uri-query": "id=7", "sc-status": 500}, ""),
    ]),
    "postgresql": (POSTGRES, [
        ("2026-01-02T10:11:12.123", {"level": "ERROR", "pid": 123, "user": "bob", "database": "shop",
            "statement": "INSERT INTO carts\n\tVALUES (1)"}, "error"),
        ("2026-01-02T10:11:13.500", {"level": "LOG", "pid": 124, "duration_ms": 12.5}, "info"),
    ]),
    "mysql:slow": (SLOW, [
        ("2026-01-02T10:11:12.123456", {"user": "root", "client": "localhost", "client_ip": "127.0.0.1", "query_time": 2.5,
            "rows_examined": 10, "statement": "SELECT sleep(2)\nFROM carts"}, ""),
        ("2026-01-02T10:11:15", {"user": "app", "client_ip": "10.0.0.7", "lock_time": 0.5, "statement": "DELETE FROM carts"}, ""),
    ]),
    "container": (CRI, [
        ("2026-01-02T03:04:05.123456", {"stream": "stdout"}, ""),
        ("2026-01-02T03:04:06", {"stream": "stderr"}, ""),
        ("2026-01-02T03:04:07", {"stream": "stdout", "level": "warn", "cart": 7}, "warn"),
    ]),
    "kube:container:web": (DOCKER, [
        ("2026-01-02T03:04:05.500", {"stream": "stdout", "cart": 7}, ""),
        ("2026-01-02T03:04:06", {"stream": "stderr"}, ""),
    ]),
}  # fmt: skip
"""Sourcetype: the text, and for each event its time, some of its fields, and its severity."""


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("builtin")
    with EmbeddedStore(folder / "engine", Settings(data=folder)) as opened:
        writer = JournalWriter(folder / "journal", IngestSettings(), lambda: RECEIVED)
        for sourcetype, (text, _) in CASES.items():
            head = orjson.dumps({"host": "h", "source": "s", "sourcetype": sourcetype})
            writer.submit("tail", head + b"\n" + text.encode(), index="main", records=text.count("\n")).result(5)
        writer.close()
        loader = Loader(opened, Settings(data=folder))
        assert loader.load_waiting() == 1
        assert loader.last_error == ""
        yield opened


def stored(store, sourcetype):
    rows = store.query(
        "SELECT toString(_time) AS time, host, source, sourcetype, index, severity, _raw AS raw, toString(fields) AS fields"
        f" FROM sightline.events WHERE sourcetype = '{sourcetype}' ORDER BY _time, _raw"
    ).to_pylist()
    return [row | {"time": row["time"].replace(" ", "T") + "Z", "fields": json.loads(row["fields"])} for row in rows]


def tried(store, sourcetype):
    return try_text(
        store.query, Rules(builtin_rules()), CASES[sourcetype][0].encode(), sourcetype=sourcetype, source="s", host="h",
        received=RECEIVED,
    )  # fmt: skip


@pytest.mark.parametrize("sourcetype", CASES)
def test_a_log_becomes_what_it_means(store, sourcetype):
    rows = sorted(stored(store, sourcetype), key=lambda row: row["time"])
    expected = sorted(CASES[sourcetype][1], key=lambda event: event[0])
    assert [row["time"] for row in rows] == [
        datetime.fromisoformat(time).isoformat(timespec="microseconds") + "Z" for time, _, _ in expected
    ]
    for row, (_, fields, severity) in zip(rows, expected, strict=True):
        assert {name: row["fields"].get(name) for name in fields} == fields
        assert row["severity"] == severity


@pytest.mark.parametrize("sourcetype", CASES)
def test_trying_shows_what_loading_stores(store, sourcetype):
    found = tried(store, sourcetype)
    shown = [{name: getattr(event, name) for name in stored(store, sourcetype)[0]} for event in found.events]
    key = lambda row: (row["time"], row["raw"])  # noqa: E731
    assert sorted(shown, key=key) == sorted(stored(store, sourcetype), key=key)
    assert found.counts["events"] == len(shown)


def test_several_lines_are_kept_as_they_came(store):
    assert stored(store, "log4j")[0]["raw"] == TRACE[: TRACE.index("\n2026-01-02 10:11:13")]
    assert [row["raw"] for row in stored(store, "container")] == [
        "part one, part two",
        "java.lang.Error: x\n\tat y",
        '{"level":"warn","cart":7}',
    ]
    assert {row["host"] for row in stored(store, "syslog")} == {"web-1", "web-2", "web-3"}


def test_a_piece_of_a_file_takes_its_columns_from_the_first_line_that_goes_with_it(store):
    found = try_text(store.query, Rules(builtin_rules()), b"1,2\n", sourcetype="csv", header="a,b", received=RECEIVED)
    assert [event.fields for event in found.events] == [{"a": 1, "b": 2}]


def test_what_is_odd_is_told(store):
    from sightline.sourcetypes import read_rules

    rules = read_rules(
        "sourcetypes: {app: {events: {begin: '^>', max_lines: 2}, time: {format: '%H:%M'}, mask: {match: zzz}, drop: {name: d, match: y},"
        " route: {match: zzz, index: i}}}"
    )
    found = try_text(store.query, rules, b"> a\nb\nc\n> caf\xe9\n", sourcetype="app", received=RECEIVED, limit=1)
    assert (found.rule, len(found.events), found.counts["events"]) == ("sourcetypes.yml, line 1", 1, 3)
    assert found.warnings == [
        "3 of 3 events have no time: they get that of being received",
        'the format "%H:%M" fits no event',
        "an event has 2 lines, the most there may be (max_lines): longer ones make several events",
        "no mask fits any event",
        'the rule "d" of drop fits no event that no rule before it fits',
        "no rule of route fits any event that is stored",
        "line 4 is not UTF-8; charset says how it is written",
    ]
    assert try_text(store.query, rules, b"\n").warnings == ["there is no event in the text"]
    refused = try_text(
        store.query, read_rules("sourcetypes: {app: {route: {match: a, index: i}}}"), b"a", sourcetype="app",
        route_problem=lambda token, index: f'no index "{index}"',
    )  # fmt: skip
    assert [event.refusal for event in refused.events] == ['no index "i"']
