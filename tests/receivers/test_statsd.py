"""Statsd: every type and every way of tags, relative gauges, refusals, and two real clients over UDP and TCP."""

from __future__ import annotations

import asyncio
import json
import socket
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.config import IngestSettings, StatsdSettings
from sightline.errors import UserError
from sightline.receivers.acceptance import Refused
from sightline.receivers.lines import LineSplitter
from sightline.receivers.statsd import StatsdReceiver

from .conftest import Front


@pytest.fixture
def front(tmp_path, tokens):
    running = Front(tmp_path, tokens, statsd=StatsdSettings(max_message_bytes=2000))
    yield running
    running.close()


@pytest.fixture
def stored(store, load):
    """Waits until so many points (or events) are stored, and gives them by their names."""

    def wait(count: int, table: str = "metrics") -> list[dict]:
        if table == "metrics":
            columns, order = "metric_name AS name, value, type, unit, temporality, toJSONString(dims) AS dims", "name, value"
        else:
            columns, order = "_raw AS name, severity, sourcetype, toJSONString(fields) AS dims", "name"
        end = time.monotonic() + 30
        while True:
            load()
            rows = store.query(
                f"SELECT toUnixTimestamp64Milli(toDateTime64(_time, 3)) / 1000 AS time, host, source, {columns} FROM sightline.{table}"
                f" WHERE index IN ('metrics', 'main') ORDER BY {order}"
            ).to_pylist()
            if len(rows) >= count:
                return [row | {"dims": json.loads(row["dims"])} for row in rows]
            assert time.monotonic() < end, rows
            time.sleep(0.05)

    return wait


def send(port: int, *datagrams: bytes) -> None:
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        for datagram in datagrams:
            sender.sendto(datagram, ("127.0.0.1", port))


def send_stream(port: int, data: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port)) as stream:
        stream.sendall(data)


def test_every_type(front, stored):
    send(
        front.statsd_udp,
        b"hits:3|c\nhits:2|c|@0.1\nload:0.5|g\ntook:320|ms\nsize:12:13:1e1|h|@0.5\nshare:-.5|d\nusers:ann@x|s\n\n",
    )
    rows = stored(9)
    assert [(r["name"], r["value"], r["type"], r["unit"], r["temporality"]) for r in rows] == [
        ("hits", 3.0, "sum", "", "delta"),
        ("hits", 20.0, "sum", "", "delta"),
        ("load", 0.5, "gauge", "", ""),
        ("share", -0.5, "gauge", "", ""),
        ("size", 10.0, "gauge", "", ""),
        ("size", 12.0, "gauge", "", ""),
        ("size", 13.0, "gauge", "", ""),
        ("took", 320.0, "gauge", "ms", ""),
        ("users", 1.0, "gauge", "", ""),
    ]
    assert rows[-1]["dims"] == {"member": "ann@x"} and rows[4]["dims"] == {"sample_rate": "0.5"}
    assert all(r["host"] == "127.0.0.1" and r["source"] == "statsd" and abs(r["time"] - time.time()) < 120 for r in rows)


TAGGED = [
    (b"m:1|c|#env:prod,url:http://x:80/a,flag", "m", {"env": "prod", "url": "http://x:80/a", "flag": "true"}),
    (b"m,env=prod,zone=a b:1|c", "m", {"env": "prod", "zone": "a b"}),
    (b"m#env=prod,zone=a:1|c", "m", {"env": "prod", "zone": "a"}),
    (b"m[env=prod,zone=a]:1|c", "m", {"env": "prod", "zone": "a"}),
    (b"m[env=prod].rest:1|c|#zone:a,zone:b", "m.rest", {"env": "prod", "zone": "b"}),
    (b"m,notag:1|c", "m,notag", {}),
    (b"m#[x]:1|g|@1", "m#[x]", {}),
    ("größe:1|c|#stadt:Köln".encode(), "größe", {"stadt": "Köln"}),
    (b'm:1|c|#quote:a"b\\', "m", {"quote": 'a"b\\'}),
    (b"m:1|c|#host:web-1|c:in-42|T1760000000|e:it-false|card:low", "m", {"host": "web-1", "container": {"id": "in-42"}}),
]


def test_every_way_of_tags(front, stored):
    for number, (line, _, _) in enumerate(TAGGED):
        # A number of its own tells the lines apart.
        name, colon, rest = line.rpartition(b":1|")
        send(front.statsd_udp, name + b":" + str(number).encode() + b"|" + rest)
    rows = {int(row["value"]): row for row in stored(len(TAGGED))}
    assert [(rows[n]["name"], rows[n]["dims"]) for n in range(len(TAGGED))] == [(name, dims) for _, name, dims in TAGGED]
    assert (rows[9]["host"], rows[9]["time"]) == ("web-1", 1_760_000_000.0)


def test_events_and_service_checks_of_datadog(front, stored, tmp_path):
    (tmp_path / "sourcetypes.yml").write_text("sourcetypes: {statsd:check: {mask: [{match: 'timed', with: t...d}]}}")
    event = "_e{6,12}:Fällt|two\\nlines|x|d:1760000000|h:web-1|k:key|p:low|t:error|#env:prod,only"
    send(front.statsd_udp, event.encode(), b"_sc|redis|2|d:1760000001|#env:dev|m:timed | out")
    check, told = sorted(stored(2, "events"), key=lambda row: row["sourcetype"])
    assert (told["name"], told["host"], told["severity"], told["time"]) == (
        "Fällt\ntwo\nlines|x",
        "web-1",
        "error",
        1_760_000_000.0,
    )
    assert told["dims"] == {
        "alert_type": "error", "aggregation_key": "key", "priority": "low", "title": "Fällt", "env": "prod", "only": "true"
    }  # fmt: skip
    assert (check["name"], check["severity"], check["sourcetype"]) == (
        "redis is critical: t...d | out",
        "error",
        "statsd:check",
    )
    assert check["dims"] == {"check": "redis", "status": 2, "env": "dev"} and check["host"] == "127.0.0.1"


def test_streams_are_lines(front, stored):
    send_stream(front.statsd_tcp, b"a:1|c\nb:2|c\r\n" + b"x" * 3000 + b":1|c\nc:3|c")
    assert [row["name"] for row in stored(3)] == ["a", "b", "c"]


def test_what_is_refused_is_counted_and_what_is_stored_is_what_was_received(front, store, load, stored):
    send(front.statsd_udp, b"ok:1:2:3|c\nbad\nbad:x|c\nbad:1|kv\n_e{9}:no\nfine:1|g", b"\xff\xfe:1|c")
    stored(5)
    front.close()
    front.close = lambda: None
    loader = load()
    loader.ledger.flush()
    told = store.query("SELECT _raw FROM sightline.events WHERE index = '_internal' AND _raw LIKE '%source=statsd %'")[
        "_raw"
    ].to_pylist()
    assert any("refused=4" in line and "no sample, event or service check" in line for line in told), told
    (total,) = [row for row in loader.ledger.totals() if row.source == "statsd" and row.index == "metrics"]
    assert (total.received, total.stored) == (5, 5)


class Journal:
    """Takes the place of the journal for a receiver alone."""

    def __init__(self):
        self.stored, self.refusals, self.full = [], [], 0

    async def store(self, kind, body, source, *, index, records):
        if self.full:
            self.full -= 1
            raise Refused(503, "full", 0)
        self.stored.append((kind, body.split(b"\n")[1:], records))

    def refused(self, refusal, source, records=1):
        self.refusals.append((refusal.message, records))
        return refusal


def gauges(*lines: bytes, **settings: object) -> tuple[list[bytes], Journal]:
    journal = Journal()
    receiver = StatsdReceiver(journal, StatsdSettings(**settings), IngestSettings())
    return [text for line in lines for text in receiver.messages(line)], journal


def test_a_gauge_is_changed_by_its_sign():
    lines = (b"g:10|g", b"g:+5|g", b"g:-3.5|g", b"h:-2|g", b"g,a=b:+1|g", b"g:-7|g|#a:b", b"g:+1:+1|g")
    found, _ = gauges(*lines)
    assert found == [b"g:10.0|g", b"g:15.0|g", b"g:11.5|g", b"h:-2.0|g", b"g,a=b:1.0|g", b"g:-7|g|#a:b", b"g:12.5:13.5|g"]
    assert gauges(*lines, gauge_signs="absolute")[0] == list(lines)
    with pytest.raises(UserError, match='wants relative or absolute, got "both"'):
        gauges(gauge_signs="both")


def test_relative_gauges_are_bounded():
    found, journal = gauges(b"a:1|g", b"b:1|g", b"b:+1|g", b"a:+1|g", max_gauges=1)
    assert found == [b"a:1.0|g", b"b:1|g", b"a:2.0|g"]
    assert journal.refusals == [("a gauge is changed by its sign, and 1 others are known already", 1)]


def test_samples_are_not_written_twice_when_only_the_events_found_no_room():
    journal = Journal()
    receiver = StatsdReceiver(journal, StatsdSettings(), IngestSettings())
    messages = [b"a:1|c", b"_sc|x|0", b"s:1:2|s"]

    async def write():
        await receiver.write("h", messages)
        messages.extend([b"b:1|c", b"_sc|y|0"])
        original, calls = journal.store, []

        async def once(kind, *args, **more):
            calls.append(kind)
            if calls == ["statsd", "statsdcheck"]:
                raise Refused(503, "full")
            await original(kind, *args, **more)

        journal.store = once
        await receiver._write_patiently("h", messages)

    asyncio.run(write())
    assert journal.stored == [
        ("statsd", [b"a:1|c", b"s:1:2|s"], 2),
        ("statsdcheck", [b"_sc|x|0"], 1),
        ("statsd", [b"b:1|c"], 1),
        ("statsdcheck", [b"_sc|y|0"], 1),
    ]


@given(
    st.lists(st.binary(max_size=30).map(lambda b: b.replace(b"\n", b"").strip(b"\r\0")), max_size=8),
    st.lists(st.integers(1, 20), max_size=8),
)
def test_lines_do_not_depend_on_how_the_stream_is_cut(lines, cuts):
    stream = b"\n".join(lines)
    splitter, found = LineSplitter(20), []
    for cut in cuts:
        found += splitter.feed(stream[:cut])
        stream = stream[cut:]
    found += splitter.feed(stream) + splitter.end()
    assert found == [kept for line in lines if (kept := line[:20].strip(b"\r\0"))]
    assert splitter.cut == sum(len(line) > 20 for line in lines)


def test_the_client_for_python(front, stored):
    import statsd

    client = statsd.StatsClient("127.0.0.1", front.statsd_udp, prefix="app")
    client.incr("hits", 4)
    client.decr("hits")
    client.timing("took", 12.5)
    client.gauge("depth", 70)
    client.gauge("depth", -10, delta=True)
    client.gauge("depth", -5)
    client.set("users", "ann")
    with client.timer("block"), client.pipeline() as pipe:
        pipe.incr("in.pipe")
    stream = statsd.TCPStatsClient("127.0.0.1", front.statsd_tcp)
    stream.incr("over.tcp")
    stream.close()
    rows = stored(11)
    found = {}
    for row in rows:
        found.setdefault(row["name"], []).append(row["value"])
    assert found["app.hits"] == [-1.0, 4.0] and found["app.took"] == [12.5] and found["over.tcp"] == [1.0]
    # The client sets a gauge below zero in two steps.
    assert sorted(found["app.depth"]) == [-5.0, 0.0, 60.0, 70.0]
    assert found["app.users"] == [1.0] and len(found["app.block"]) == 1 and found["app.in.pipe"] == [1.0]


def test_the_client_of_datadog(front, stored):
    from datadog.dogstatsd import DogStatsd

    client = DogStatsd("127.0.0.1", front.statsd_udp, constant_tags=["env:prod"], disable_telemetry=True)
    client.increment("hits", 2, tags=["page:home"], sample_rate=1)
    client.gauge("depth", -5)
    client.histogram("size", 3)
    client.distribution("share", 0.5)
    client.timing("took", 7)
    client.set("users", "ann")
    client.event("Deployed", "version 7\nof risk", alert_type="success", tags=["model:risk"])
    client.service_check("redis", DogStatsd.WARNING, message="slow")
    client.flush()
    client.stop()
    rows = {row["name"]: row for row in stored(6)}
    assert rows["hits"]["dims"] == {"env": "prod", "page": "home"} and rows["hits"]["value"] == 2.0
    assert rows["depth"]["value"] == -5.0 and rows["took"]["unit"] == "ms" and rows["users"]["dims"]["member"] == "ann"
    check, event = sorted(stored(2, "events"), key=lambda row: row["sourcetype"])
    assert (
        event["name"] == "Deployed\nversion 7\nof risk"
        and event["dims"]["model"] == "risk"
        and event["dims"]["env"] == "prod"
    )
    assert check["name"] == "redis is warning: slow" and check["severity"] == "warn"
