"""HEC: its codes in their order, its forms of events and metrics, and what becomes of values at the edge."""

import base64
import gzip
import json
import time

import httpx
import pytest

from sightline.config import HecSettings
from sightline.receivers.acks import AckChannels

from .conftest import Front

CHANNEL = "fe0ecfad-13d5-401b-847d-77833bd77131"


def post(front, body, token="hec-good", path="/services/collector/event", **headers):
    content = body if isinstance(body, bytes | str) else json.dumps(body)
    authorization = {"Authorization": f"Splunk {token}"} if token else {}
    return httpx.post(front.hec + path, content=content, headers={**authorization, **headers})


def code(reply):
    body = reply.json()
    return (reply.status_code, body["code"], body.get("invalid-event-number"))


def events(store, columns="_raw", index="main"):
    return store.query(f"SELECT {columns} FROM sightline.events WHERE index = '{index}' ORDER BY _time, _raw").to_pylist()


GOOD = '{"event":"ok"}'


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ("", (400, 5, None)),
        (" \n", (400, 5, None)),
        ('{"event":"a"', (400, 6, 0)),
        (GOOD + "{", (400, 6, 1)),
        ("[1]", (400, 6, 0)),
        ("{}", (400, 12, 0)),
        ('{"fields":{"a":1}}', (400, 12, 0)),
        ('{"event":null}', (400, 12, 0)),
        ('{"event":""}', (400, 13, 0)),
        (GOOD + '{"event":""}', (400, 13, 1)),
        (GOOD + "\n" + '{"event":""} {broken', (400, 13, 1)),
        ('{"event":"a","time":"noon"}', (400, 15, 0)),
        ('{"event":"a","time":true}', (400, 15, 0)),
        ('{"event":"a","time":NaN}', (400, 6, 0)),
        ('{"event":"a","fields":{"x":{"y":1}}}', (400, 15, 0)),
        ('{"event":"a","fields":[1]}', (400, 6, 0)),
        ('{"event":"a","fields":"x"}', (400, 6, 0)),
        ('{"event":"a","index":"secret"}', (400, 7, 1)),
        (GOOD + '{"event":"a","index":"secret"}', (400, 7, 2)),
        ('{"event":"a","index":"app_metrics"}', (400, 7, 1)),
        ('{"event":"a","host":5}', (400, 6, 0)),
        ('{"event":"metric","fields":{"metric_name":"m","_value":"high"}}', (400, 15, 0)),
        (GOOD, (200, 0, None)),
    ],
)
def test_codes_of_bodies(front, body, expected):
    assert code(post(front, body)) == expected


def test_a_batch_is_taken_up_to_its_first_fault(front, load, store):
    batch = '{"event":"a"} {"event":"b","index":"app"} {"event":"c","index":"secret"} {"event":"d"} {"event":"e"}'
    assert code(post(front, batch)) == (400, 7, 3)
    loader = load()
    assert [row["_raw"] for row in events(store)] == ["a"]
    assert [row["_raw"] for row in events(store, index="app")] == ["b"]
    rows = [row for row in loader.ledger.totals() if row.source == "hec:events"]
    assert sum(row.stored for row in rows) == 2


@pytest.mark.parametrize(
    ("headers", "query", "expected"),
    [
        ({}, "", (401, 2)),
        ({"Authorization": "Bearer hec-good"}, "", (401, 3)),
        ({"Authorization": "Splunk wrong"}, "", (403, 4)),
        ({"Authorization": "Splunk otlp-good"}, "", (403, 4)),
        ({"Authorization": "Splunk hec-off"}, "", (403, 1)),
        ({"Authorization": "Basic " + base64.b64encode(b"x:hec-good").decode()}, "", (200, 0)),
        ({"Authorization": "Basic !!"}, "", (401, 3)),
        ({}, "?token=hec-good", (400, 16)),
        ({}, "?token=wrong", (403, 4)),
        ({}, "?token=hec-query", (200, 0)),
        ({}, "?token=hec-query-off", (403, 1)),
        ({"Authorization": "Splunk wrong"}, "?token=hec-query", (200, 0)),
        ({"Authorization": "Splunk"}, "", (401, 2)),
        ({"Authorization": "Splunk hec-query"}, "", (200, 0)),
        ({"Authorization": "Splunk hec-good"}, "?token=wrong", (403, 4)),
    ],
)
def test_codes_of_authorization(front, headers, query, expected):
    reply = httpx.post(f"{front.hec}/services/collector/event{query}", content=GOOD, headers=headers)
    assert code(reply)[:2] == expected


def test_health_needs_no_token_but_checks_a_given_one(front):
    def health(**headers):
        return code(httpx.get(front.hec + "/services/collector/health/1.0", headers=headers))[:2]

    assert health() == (200, 17)
    assert health(Authorization="Splunk hec-good") == (200, 17)
    assert health(Authorization="Splunk wrong") == (400, 21)
    assert health(Authorization="Splunk hec-off") == (400, 22)


@pytest.mark.parametrize("listener", ["hec", "main"])
def test_unknown_paths_and_methods(front, listener):
    base = getattr(front, listener) + "/services/collector"
    body = {"text": "The requested URL was not found on this server.", "code": 404}
    for path in ("/nothing", "/event/2.0", "/health/nothing"):
        missing = httpx.post(base + path)
        assert (missing.status_code, missing.json()) == (404, body)
    for path in ("", "/event", "/event/1.0", "/raw", "/raw/1.0", "/ack", "/ack/1.0"):
        wrong = httpx.get(base + path)
        assert (wrong.status_code, wrong.json()) == (405, body)
        options = httpx.options(base + path)
        assert (options.status_code, options.headers["allow"]) == (200, "OPTIONS, POST")
    for path, name in (("/mint", "MINT"), ("/mint/1.0", "MINT"), ("/s2s", "Splunk-to-Splunk")):
        other = httpx.post(base + path, content=GOOD)
        assert other.status_code == 404
        assert other.json()["text"].startswith(f"{name} is not received here")


@pytest.mark.parametrize("path", ["", "/event", "/event/1.0", "/raw", "/raw/1.0"])
def test_every_path_takes_events(front, load, store, path):
    assert code(post(front, GOOD, path="/services/collector" + path)) == (200, 0, None)
    load()
    assert [row["_raw"] for row in events(store)] == [GOOD if "raw" in path else "ok"]


def test_events_of_every_type_with_defaults_and_precedence(front, load, store):
    batch = [
        {"event": "text k=v", "time": "1763900000.25"},
        {"event": {"a": {"b": 1}, "level": "ERROR"}, "time": 1763900001, "host": "h1", "fields": {"extra": ["x", "y"]}},
        {"event": 5, "time": 1763900002000, "sourcetype": "st1", "index": "app"},
        {"event": False, "time": 1763900003},
        {"event": [1, {"x": 2}], "time": 1763900004, "source": "s1"},
    ]
    assert code(post(front, "\r\n\t ".join(json.dumps(each) for each in batch)))[1] == 0
    assert code(post(front, [{"event": "in array", "time": 1763900005}], "hec-narrow"))[1] == 0
    load()
    columns = "toFloat64(_time) AS t, host, source, sourcetype, severity, _raw, toString(fields) AS f"
    main = events(store, columns)
    assert [row["_raw"] for row in main] == ["text k=v", '{"a": {"b": 1}, "level": "ERROR"}', "false", '[1, {"x": 2}]']
    assert [row["t"] for row in main] == [1763900000.25, 1763900001.0, 1763900003.0, 1763900004.0]
    assert main[0] | {"_raw": "", "t": 0} == {
        "t": 0,
        "host": "127.0.0.1",
        "source": "http:good",
        "sourcetype": "httpevent",
        "severity": "",
        "_raw": "",
        "f": '{"k":"v"}',
    }
    assert json.loads(main[1]["f"]) == {"a": {"b": 1}, "level": "ERROR", "extra": ["x", "y"]}
    assert (main[1]["host"], main[1]["severity"], main[3]["source"]) == ("h1", "error", "s1")
    five, array = events(store, columns, "app")
    assert (five["_raw"], five["sourcetype"], five["t"]) == ("5", "st1", 1763900002.0)
    assert (array["host"], array["source"], array["sourcetype"]) == ("h0", "s0", "st0")


def test_values_at_the_edge_are_kept(front, load, store):
    deep = '{"a":' * 500 + "1" + "}" * 500
    texts = {
        "nul \\u0000 x": "nul \0 x",
        "pair \\ud83d\\ude00": "pair 😀",
        "half \\ud83d.": "half \ufffd.",
        "a}{b }\\n{ \\\\": "a}{b }\n{ \\",
        " ": " ",
    }
    values = [
        '{"a":1e400}',
        '{"n":12345678901234567890123}',
        '{"a":1,"a":2}',
        '{"b" : 1.50}',
        deep,
        "[[[]]]",
        "1e5",
        "-0.0",
        "{}",
    ]
    batch = "".join([f'{{"event":"{text}"}}' for text in texts] + [f'{{"event":{value}}}' for value in values])
    assert code(post(front, batch)) == (200, 0, None)
    loader = load()
    assert loader.last_error == ""
    rows = {row["_raw"]: row["f"] for row in events(store, "_raw, toString(fields) AS f")}
    assert rows.keys() == {*texts.values(), *values}
    assert rows['{"a":1,"a":2}'] == '{"a":1}', "the first of a name that stands there twice is the field"
    assert json.loads(rows['{"b" : 1.50}']) == {"b": 1.5}
    assert {(row.source, row.received, row.stored, row.refused) for row in loader.ledger.totals()} == {
        ("hec:events", len(rows), len(rows), 0)
    }


def test_own_fields_win_and_nulls_and_empty_texts_stay_apart(front, load, store):
    fields = {"k": "own", "none": None, "empty": "", "many": ["a", "b"], "a.b": 1, "br": "[{", "": "unnamed"}
    assert code(post(front, {"event": {"k": "event", "other": 1}, "fields": fields}))[1] == 0
    load()
    (row,) = events(store, "toString(fields) AS f")
    found = json.loads(row["f"])
    assert found.pop("", "unnamed") == "unnamed"
    assert found == {"k": "own", "empty": "", "many": ["a", "b"], "a": {"b": 1}, "br": "[{", "other": 1}


def test_metrics_in_both_forms(front, load, store):
    single = {"metric_name": "gpu.temp", "_value": "61.5", "gpu": 0, "room": "a", "none": None}
    several = {"metric_name:cpu": 1, "metric_name:mem": 2.5, "metric_name:bad": "x", "host_id": "7"}
    body = [
        {"event": "metric", "time": 1763900000.125, "fields": single},
        {"event": "metric", "index": "app_metrics", "fields": several},
        {"event": "metric", "fields": {"just": "an event"}},
    ]
    assert code(post(front, body))[1] == 0
    loader = load()
    rows = store.query(
        "SELECT index, metric_name, value, toString(dims) AS d FROM sightline.metrics ORDER BY metric_name"
    ).to_pylist()
    assert [(row["index"], row["metric_name"], row["value"], json.loads(row["d"])) for row in rows] == [
        ("app_metrics", "cpu", 1.0, {"host_id": "7"}),
        ("metrics", "gpu.temp", 61.5, {"gpu": "0", "room": "a"}),
        ("app_metrics", "mem", 2.5, {"host_id": "7"}),
    ]
    assert [row["_raw"] for row in events(store)] == ["metric"]
    stored = {(row.source, row.index): row.stored for row in loader.ledger.totals() if row.token == "good"}
    assert stored == {("hec:metrics", "app_metrics"): 2, ("hec:metrics", "metrics"): 1, ("hec:events", "main"): 1}


def test_metrics_with_odd_values_and_dimensions(front, load, store):
    batch = [
        {"metric_name:a": "1e3", "metric_name:b": -0.5, "_value": 9, "i": 7, "t": True, "l": ["x", 1], "n": None, "": 1},
        {"metric_name": "c", "_value": "+5", "text": 'q"\\\n', "big": 10**30},
        {"metric_name:d": 10**400, "metric_name:e": "1e999", "metric_name:f": " 2 ", "metric_name:": 1},
    ]
    body = "\n".join(json.dumps({"event": "metric", "time": 1763900000.125, "fields": fields}) for fields in batch)
    assert code(post(front, body)) == (200, 0, None)
    for ordinary in (
        {"metric_name:g": ".1e4", "metric_name:h": -0.5, "i": 7, "t": True},
        {"metric_name": "j", "_value": "+5", "k": "v"},
    ):
        assert code(post(front, {"event": "metric", "fields": ordinary}))[1] == 0
    assert code(post(front, '{"event":"metric","fields":{"metric_name:nan":NaN}}')) == (400, 6, 0)
    loader = load()
    rows = store.query(
        "SELECT metric_name AS n, value AS v, toString(dims) AS d FROM sightline.metrics ORDER BY n"
    ).to_pylist()
    assert [(row["n"], row["v"], json.loads(row["d"])) for row in rows] == [
        ("a", 1000.0, {"i": "7", "t": "true", "l": '["x",1]'}),
        ("b", -0.5, {"i": "7", "t": "true", "l": '["x",1]'}),
        ("c", 5.0, {"text": 'q"\\\n', "big": str(10**30)}),
        ("f", 2.0, {}),
        ("g", 1000.0, {"i": "7", "t": "true"}),
        ("h", -0.5, {"i": "7", "t": "true"}),
        ("j", 5.0, {"k": "v"}),
    ]
    assert loader.last_error == ""
    assert sum(row.stored for row in loader.ledger.totals() if row.source == "hec:metrics") == len(rows)


def test_what_is_not_taken_of_a_batch_is_counted(tmp_path, tokens, load):
    front = Front(tmp_path, tokens)
    assert code(post(front, '{"event":1}{"event":2,"index":"secret"}{"event":3}{"event":4}')) == (400, 7, 2)
    metric = {"event": "metric", "fields": {"metric_name:a": 1, "metric_name:b": "high"}}
    assert code(post(front, metric))[1] == 0
    front.close()
    rows = [row for row in load().ledger.totals() if row.index != "_internal"]
    assert {(row.source, row.index): (row.received, row.stored, row.refused) for row in rows} == {
        ("hec:events", "main"): (1, 1, 0),
        ("hec:events", ""): (3, 0, 3),
        ("hec:metrics", "metrics"): (1, 1, 0),
        ("hec:metrics", ""): (1, 0, 1),
    }


def test_metadata_of_events_comes_from_the_query_where_they_have_none(front, load, store):
    path = "/services/collector/event?host=h9&source=s9&sourcetype=st9&index=app"
    assert code(post(front, '{"event":"a"}{"event":"b","host":"h1","index":"main"}', path=path))[1] == 0
    load()
    columns = "host, source, sourcetype"
    assert events(store, columns, "app") == [{"host": "h9", "source": "s9", "sourcetype": "st9"}]
    assert events(store, columns) == [{"host": "h1", "source": "s9", "sourcetype": "st9"}]


def test_a_time_is_looked_for_where_the_query_asks_for_it(front, load, store):
    path = "/services/collector/event?auto_extract_timestamp="
    batch = '{"event":"2024-05-06T07:08:09.25Z late"}{"event":{"ts":"2024-05-06T07:08:10Z"}}{"event":"no","time":5}'
    assert code(post(front, batch, path=path + "true"))[1] == 0
    assert code(post(front, '{"event":"2024-05-06T07:08:09Z now"}', path=path + "false"))[1] == 0
    load()
    at = {row["_raw"]: row["t"] for row in events(store, "_raw, toFloat64(_time) AS t")}
    assert [at.pop(text) for text in ("2024-05-06T07:08:09.25Z late", '{"ts":"2024-05-06T07:08:10Z"}', "no")] == [
        1714979289.25,
        1714979290.0,
        5.0,
    ]
    assert at["2024-05-06T07:08:09Z now"] > 1763900000


def test_raw_text_takes_its_metadata_from_the_query(front, load, store):
    path = "/services/collector/raw?host=h9&source=s9&sourcetype=st9&time=1763900000"
    assert code(post(front, "one\n\n  \ntwo\r\n", path=path))[1] == 0
    assert code(post(front, "\n \r\n", path=path)) == (400, 5, None)
    assert code(post(front, "x", path=path + "&index=secret")) == (400, 7, None)
    assert code(post(front, "x", path="/services/collector/raw?time=noon")) == (400, 15, None)
    assert code(post(front, b"not \xff text", path="/services/collector/raw?index=app"))[1] == 0
    loader = load()
    rows = events(store, "_raw, host, source, sourcetype, toFloat64(_time) AS t")
    assert rows == [
        {"_raw": text, "host": "h9", "source": "s9", "sourcetype": "st9", "t": 1763900000.0} for text in ("one", "two")
    ]
    assert [row["_raw"] for row in events(store, index="app")] == ["not \ufffd text"]
    stored = {(row.source, row.index): row.stored for row in loader.ledger.totals() if row.token == "good"}
    assert stored[("hec:raw", "main")] == 2


def test_gzip_and_its_failures(front, load, store):
    assert code(post(front, gzip.compress(GOOD.encode()), **{"Content-Encoding": "gzip"}))[1] == 0
    assert code(post(front, b"nonsense", **{"Content-Encoding": "gzip"}))[:2] == (400, 6)
    assert post(front, GOOD, **{"Content-Encoding": "br"}).status_code == 415
    load()
    assert len(events(store)) == 1


def test_too_much_and_full_queues_are_told_apart(tmp_path, tokens):
    small = Front(tmp_path, tokens, max_body_bytes=1000)
    try:
        large = post(small, json.dumps({"event": "x" * 1000}))
        assert large.status_code == 413
        bomb = post(small, gzip.compress(b" " * 100_000), **{"Content-Encoding": "gzip"})
        assert bomb.status_code == 413
        assert code(post(small, GOOD)) == (200, 0, None)
    finally:
        small.close()


def test_a_full_queue_is_busy_and_unhealthy(tmp_path, tokens, store, load):
    full = Front(tmp_path, tokens, journal_max_bytes=1)
    try:
        # The journal is looked at now and then: what comes before the first look is taken.
        deadline = time.monotonic() + 20
        taken = 0
        while (reply := post(full, GOOD)).status_code == 200:
            taken += 1
            assert time.monotonic() < deadline
        assert code(reply) == (503, 9, None)
        assert int(reply.headers["retry-after"]) > 0
        health = full.hec + "/services/collector/health"
        assert code(httpx.get(health))[:2] == (503, 18)
        assert code(httpx.get(health + "?ack=true"))[:2] == (503, 18)
    finally:
        full.close()
    load()
    assert len(events(store)) == taken


def test_a_success_says_that_the_queue_is_nearly_full(tmp_path, tokens, store, load):
    nearly = Front(tmp_path, tokens, journal_max_bytes=1000)
    try:
        codes = []
        deadline = time.monotonic() + 20
        while not codes or codes[-1] != 9:
            codes.append(post(nearly, json.dumps({"event": "x" * 20})).json()["code"])
            assert time.monotonic() < deadline
    finally:
        nearly.close()
    kinds = [0, 24, 9]
    assert sorted(codes, key=kinds.index) == codes and set(codes) == set(kinds)
    load()
    assert len(events(store)) == len(codes) - 1, "24 is a success"


def test_without_room_for_acknowledgements_a_sender_comes_back(tmp_path, tokens):
    front = Front(tmp_path, tokens, hec=HecSettings(max_pending_acks=1))
    try:
        channel = {"X-Splunk-Request-Channel": CHANNEL}
        health = front.hec + "/services/collector/health"
        assert code(httpx.get(health + "?ack=true"))[:2] == (200, 17)
        assert post(front, GOOD, "hec-ack", **channel).json() == {
            "text": "HEC ACK is approaching its capacity limit", "code": 25, "ackId": 0,
        }  # fmt: skip
        reply = post(front, GOOD, "hec-ack", **channel)
        assert code(reply) == (503, 9, None)
        assert reply.headers["retry-after"] == "10"
        assert code(post(front, GOOD)) == (200, 0, None), "other tokens are not concerned"
        assert code(httpx.get(health + "?ack=true"))[:2] == (503, 19)
        assert code(httpx.get(health))[:2] == (200, 17)
        post(front, {"acks": [0]}, "hec-ack", "/services/collector/ack", **channel)
        assert post(front, GOOD, "hec-ack", **channel).json()["ackId"] == 1
        assert code(post(front, GOOD)) == (200, 0, None)
    finally:
        front.close()


def test_acknowledgements_are_told_once(front):
    assert code(post(front, GOOD, "hec-ack"))[:2] == (400, 10)
    bad_channel = {"X-Splunk-Request-Channel": "no guid"}
    assert code(post(front, GOOD, "hec-ack", **bad_channel))[:2] == (400, 11)
    channel = {"X-Splunk-Request-Channel": CHANNEL}
    assert [post(front, GOOD, "hec-ack", **channel).json()["ackId"] for _ in range(2)] == [0, 1]

    def ask(token="hec-ack"):
        return post(front, {"acks": [0, 1, 9]}, token, "/services/collector/ack", **channel).json()

    assert ask()["acks"] == {"0": True, "1": True, "9": False}
    assert ask()["acks"] == {"0": False, "1": False, "9": False}
    assert ask("hec-good")["code"] == 14
    for wrong in (b"", b"{}", b'{"acks":1}', b'{"acks":["x"]}', b"[" * 100_000):
        assert code(post(front, wrong, "hec-ack", "/services/collector/ack", **channel)) == (400, 6, None)
    query = f"/services/collector/event?channel={CHANNEL.upper()}"
    assert post(front, GOOD, "hec-ack", query).json()["ackId"] == 2, "it is the same channel"
    partly = post(front, GOOD + "{", "hec-ack", **channel).json()
    assert partly == {"text": "Invalid data format", "code": 6, "invalid-event-number": 1}


def test_idle_channels_are_forgotten():
    now = [0.0]
    channels = AckChannels(lambda: now[0], HecSettings(max_channels=2, max_pending_acks=3))
    assert [channels.new("a"), channels.new("a"), channels.new("b")] == [0, 1, 0]
    assert not channels.has_room("a"), "three ids wait"
    assert channels.take("a", [1, 1, 5]) == {"1": True, "5": False}
    assert channels.has_room("a") and not channels.has_room("c"), "there are two channels"
    now[0] = 500.0
    assert channels.take("b", [0]) == {"0": True}
    now[0] = 601.0
    assert channels.take("a", [0]) == {"0": False}
    assert channels.has_room("c")
    assert (channels.new("a"), channels.new("b")) == (0, 1)
