"""HEC: its codes in their order, its forms of events and metrics, and a handler people really use."""

import base64
import gzip
import json
import logging
import subprocess

import httpx
import pytest

from sightline.config import HecSettings
from sightline.receivers.acks import AckChannels

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
    base = getattr(front, listener)
    body = {"text": "The requested URL was not found on this server.", "code": 404}
    missing = httpx.post(base + "/services/collector/nothing")
    assert (missing.status_code, missing.json()) == (404, body)
    wrong = httpx.get(base + "/services/collector")
    assert (wrong.status_code, wrong.json()) == (405, body)


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


def test_raw_text_takes_its_metadata_from_the_query(front, load, store):
    path = "/services/collector/raw?host=h9&source=s9&sourcetype=st9&time=1763900000"
    assert code(post(front, "one\n\n  \ntwo\r\n", path=path))[1] == 0
    load()
    rows = events(store, "_raw, host, source, sourcetype, toFloat64(_time) AS t")
    assert rows == [
        {"_raw": text, "host": "h9", "source": "s9", "sourcetype": "st9", "t": 1763900000.0} for text in ("one", "two")
    ]


def test_gzip_and_its_failures(front, load, store):
    assert code(post(front, gzip.compress(GOOD.encode()), **{"Content-Encoding": "gzip"}))[1] == 0
    assert code(post(front, b"nonsense", **{"Content-Encoding": "gzip"}))[:2] == (400, 6)
    assert post(front, GOOD, **{"Content-Encoding": "br"}).status_code == 415
    load()
    assert len(events(store)) == 1


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


def test_curl_and_a_python_handler_deliver(front, load, store):
    curl = subprocess.run(
        [
            "curl",
            "-s",
            front.main + "/services/collector",
            "-H",
            "Authorization: Splunk hec-good",
            "-d",
            '{"event":"from curl","time":1}',
        ],
        capture_output=True,
        check=True,
    )
    assert json.loads(curl.stdout) == {"text": "Success", "code": 0}
    handler_class = pytest.importorskip("splunk_handler").SplunkHandler
    host, port = front.hec.removeprefix("http://").split(":")
    handler = handler_class(
        host=host, port=int(port), token="hec-good", index="main", protocol="http", verify=False, flush_interval=0.1
    )
    logger = logging.getLogger("hec handler test")
    logger.addHandler(handler)
    try:
        logger.error("from the handler: %s", 42)
        handler.force_flush()
    finally:
        logger.removeHandler(handler)
        handler.close()
    load()
    texts = [row["_raw"] for row in events(store)]
    assert texts[0] == "from curl"
    assert "from the handler: 42" in texts[1]
