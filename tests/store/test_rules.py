"""Rules in force while segments are loaded: what is stored, where, with which time and fields, and what the ledger says."""

import json
from datetime import UTC, datetime

import orjson
import pytest

from sightline.config import IngestSettings, Settings
from sightline.journal import JournalWriter
from sightline.store.ledger import LedgerRow
from sightline.store.loading import Loader

RECEIVED = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()


class Place:
    """A data directory with rules, into which events are sent and loaded."""

    def __init__(self, store, path):
        self.store, self.path = store, path
        self.settings = Settings(data=path)
        self.route_problem = lambda token, index: ""

    def rules(self, text):
        (self.path / "sourcetypes.yml").write_text(text)

    def send(self, *frames, received=RECEIVED):
        """Frames of (kind, body, records), each with the token `t`, unless a fourth value names another."""
        writer = JournalWriter(self.path / "journal", IngestSettings(), lambda: received)
        for kind, content, records, *token in frames:
            writer.submit(kind, content, token=token[0] if token else "t", index="main", records=records).result(5)
        writer.close()
        self.loader = Loader(self.store, self.settings, route_problem=self.route_problem)
        self.loader.load_waiting()
        assert self.loader.last_error == ""

    def text(self, text, sourcetype, **head):
        content = text if isinstance(text, bytes) else text.encode()
        described = orjson.dumps({"host": "h", "source": "s", "sourcetype": sourcetype, **head})
        return ("raw", described + b"\n" + content, content.count(b"\n") + 1)

    def rows(self, columns="_raw"):
        found = self.store.query(
            f"SELECT {columns} FROM sightline.events WHERE index != '_internal' ORDER BY _time, _raw"
        ).to_pylist()
        return [tuple(row.values()) if len(row) > 1 else next(iter(row.values())) for row in found]

    def noted(self):
        """What the ledger notes, with reasons."""
        return self.loader.ledger._parse(self.loader.ledger._log_text())


@pytest.fixture
def place(store, tmp_path):
    return Place(store, tmp_path)


def hec(*events):
    lines = [{"t": 1.5, "h": "h", "s": "s", "st": st, "i": "main", "e": event, "f": {"own": "x"}} for st, event in events]
    return ("hec", b"\n".join(orjson.dumps(line) for line in lines), len(events))


RULES = r"""
sourcetypes:
  shop:
    mask:
      - {match: '\d{12}(\d{4})', with: 'XXXX-\1'}
      - {match: 'pin=\d+', with: 'pin=', once: true}
    drop:
      - {name: health checks, match: 'GET /health'}
      - {name: chatter, match: '^debug$', in: level}
    route: {match: 'audit', index: audit}
    set: {match: 'on=(\S+)', host: 'host-\1'}
    fields: ['cart (?<cart>\d+)', '^(?<verb>[A-Z]+) ']
"""


def test_events_are_masked_dropped_routed_named_and_their_fields_found(place):
    place.rules(RULES)
    place.send(
        hec(
            ("shop", "BUY card=4111111111111111 pin=7 pin=8 on=web-1 cart 17"),
            ("shop", "GET /health"),
            ("shop", {"level": "debug", "m": 1}),
            ("shop", {"card": "4111111111111111"}),
            ("shop", "audit x"),
            ("other", "4111111111111111"),
        )
    )
    rows = place.rows("index, host, _raw, toString(fields) AS fields")
    assert [(index, host, raw, json.loads(fields)) for index, host, raw, fields in rows] == [
        ("main", "h", "4111111111111111", {"own": "x"}),
        (
            "main", "host-web-1", "BUY card=XXXX-1111 pin= pin=8 on=web-1 cart 17",
            {"own": "x", "card": "XXXX-1111", "pin": 8, "on": "web-1", "cart": 17, "verb": "BUY"},
        ),
        ("audit", "h", "audit x", {"own": "x"}),
        ("main", "h", '{"card":"XXXX-1111"}', {"own": "x", "card": "XXXX-1111"}),
    ]  # fmt: skip
    by_reason = {(row.index, row.reason): (row.received, row.stored, row.refused) for row in place.noted()}
    assert by_reason == {
        ("main", ""): (3, 3, 0),
        ("audit", ""): (1, 1, 0),
        ("main", 'dropped by rule "health checks" of sourcetype "shop"'): (1, 0, 1),
        ("main", 'dropped by rule "chatter" of sourcetype "shop"'): (1, 0, 1),
    }
    totals = place.loader.ledger.totals()
    assert totals == [
        LedgerRow("hec:events", "t", "audit", received=1, stored=1),
        LedgerRow("hec:events", "t", "main", received=5, stored=3, refused=2),
    ]


def test_what_is_masked_is_in_no_column_of_the_tables(place):
    place.rules("sourcetypes: {'*': {mask: {match: 'k-[a-z0-9]+', with: '<key>'}}}")
    secret = "k-0123456789abcdef"
    loki = {"streams": [{"stream": {"job": "a"}, "values": [["1767348674000000000", f"token={secret} x=1"]]}]}
    bulk = {"message": f"token={secret}", "deep": {"token": secret}}
    place.send(
        hec(("a", f"token={secret}"), ("b", {"token": secret, "list": [secret]})),
        place.text(f'token={secret}\n{{"token": "{secret}"}}\n', "c"),
        ("loki", orjson.dumps(loki), 1),
        ("elasticsearch", b'{"create":{"_index":"es"}}\n' + orjson.dumps(bulk) + b"\n", 1),
        ("syslog", f"10.0.0.1\n<13>Jan  2 03:04:05 web app[1]: token={secret}".encode(), 1),
        (
            "signalfxevent",
            orjson.dumps([{"eventType": "e", "dimensions": {"token": secret}, "timestamp": 1767348674000}]),
            1,
        ),
    )
    rows = place.rows("formatRow('JSONEachRow', *) AS row")
    assert len(rows) == 8
    assert [row for row in rows if secret in row or "<key>" not in row] == []


def test_only_what_is_kept_is_stored(place):
    place.rules("sourcetypes: {app: {keep: ['ERROR', {match: 'x', in: source}]}}")
    place.send(place.text("2026-01-02 03:04:05 ERROR a\n2026-01-02 03:04:06 INFO b\n", "app"))
    assert place.rows() == ["2026-01-02 03:04:05 ERROR a"]
    assert [row.reason for row in place.noted() if row.refused] == ['dropped by sourcetype "app": no rule of "keep" fits']


def test_a_route_that_the_token_may_not_take_is_refused(place):
    place.rules("sourcetypes: {app: {route: {match: 'x', index: secure}}}")
    place.route_problem = lambda token, index: f'"{token}" may not write to "{index}"' if token == "narrow" else ""
    line = orjson.dumps({"t": 1, "h": "", "s": "", "st": "app", "i": "main", "e": "x"})
    place.send(("hec", line, 1, "narrow"), ("hec", line, 1, "wide"), ("hec", line.replace(b'"x"', b'"y"'), 1, "narrow"))
    assert place.rows("index, _raw") == [("secure", "x"), ("main", "y")]
    assert place.loader.ledger.totals() == [
        LedgerRow("hec:events", "narrow", "main", received=1, stored=1),
        LedgerRow("hec:events", "narrow", "secure", received=1, refused=1),
        LedgerRow("hec:events", "wide", "secure", received=1, stored=1),
    ]
    assert '"narrow" may not write to "secure"' in [row.reason for row in place.noted()]


def test_a_segment_without_a_ruled_sourcetype_runs_the_statement_it_had_without_rules(place, monkeypatch):
    place.rules(RULES)
    ran = []
    real = place.store.insert
    monkeypatch.setattr(place.store, "insert", lambda sql, **rest: ran.append(sql) or real(sql, **rest))
    place.send(hec(("other", "4111111111111111 shopping")))
    place.send(hec(("shop", "4111111111111111")))
    with_rules = [
        ("XXXX" in sql, "AS refusal" in sql) for sql in ran if "sightline.events" in sql and "_internal" not in sql
    ]
    assert with_rules == [(False, False), (True, True)]


def test_a_rule_that_changes_while_the_server_runs_holds_for_what_comes_then(place):
    place.send(hec(("app", "secret a")))
    place.rules("sourcetypes: {app: {mask: {match: secret, with: '***'}}}")
    place.send(hec(("app", "secret b")))
    place.rules("sourcetypes: {app: {mask: {match: secret, wiht: '***'}}}")
    place.send(hec(("app", "secret c")))
    assert place.rows() == ["*** b", "*** c", "secret a"]


def test_text_in_another_character_set_becomes_unicode(place):
    place.rules("sourcetypes: {app: {charset: iso-8859-1}, wide: {charset: UTF-16LE}}")
    place.send(place.text("città=Forlì\n".encode("latin-1"), "app"), place.text("né\n".encode("utf-16-le"), "wide"))
    assert sorted(place.rows()) == ["città=Forlì", "né"]


def test_every_character_set_and_time_zone_that_is_accepted_is_known_to_the_engine(store):
    from sightline.sourcetypes.reading import _CHARSETS, time_zones

    for charset in _CHARSETS:
        store.query(f"SELECT convertCharset('a', '{charset}', 'UTF-8')")
    zones = ", ".join(f"toDateTime(0, '{zone}')" for zone in sorted(time_zones()))
    store.query(f"SELECT {zones}")


def test_a_time_may_be_in_a_column(place):
    place.rules("sourcetypes: {app: {like: csv, time: {field: day, format: '%d/%m/%Y'}}}")
    place.send(place.text("n,day\n1,02/01/2026\n", "app"))
    assert place.rows("toFloat64(_time) AS t, fields.n.:Int64 AS n") == [(1767312000.0, 1)]


def test_batches_of_the_event_collector_follow_the_rules(place):
    place.rules(RULES)
    frame = _hec_batch([b'"BUY 4111111111111111"', b'"GET /health"', b'{"audit": 1}'], ["shop", "shop", "shop"])
    place.send(("hecevent", frame, 3), ("hecevent", _hec_batch([b'"4111111111111111"'], ["other"]), 1))
    assert sorted(place.rows("index, _raw")) == [
        ("audit", '{"audit": 1}'),
        ("main", "4111111111111111"),
        ("main", "BUY XXXX-1111"),
    ]
    assert sum(row.refused for row in place.loader.ledger.totals()) == 1


def _hec_batch(events, sourcetypes):
    """A batch as the receiver writes it, in protobuf's own wire form."""

    def field(number, content):
        return bytes([number << 3 | 2, len(content)]) + content

    pieces = [field(1, event) for event in events] + [field(4, b"h"), field(5, b"s")]
    return b"".join(pieces + [field(6, sourcetype.encode()) for sourcetype in sourcetypes])
