"""Clients of HEC that people really use, each against a real front: curl, and Python's logging handlers."""

import gzip
import json
import logging
import subprocess
from urllib.parse import urlsplit

import pytest
from splunk_handler import SplunkHandler
from splunk_hec_handler import SplunkHecHandler
from splunk_logging.forwarders import HecForwarder
from splunk_logging.handlers import HecHandler

from sightline.config import HecSettings

from .clients import needs
from .conftest import Front

COLLECTOR = "/services/collector"


@pytest.fixture
def rows(store, load):
    """A function that loads what came and gives the events as JSON texts with their metadata."""

    def read(columns="_raw, host, source, sourcetype, index"):
        load()
        return store.query(
            f"SELECT {columns} FROM sightline.events WHERE index != '_internal' ORDER BY _time, _raw"
        ).to_pylist()

    return read


@pytest.fixture
def logger():
    """A logger that reaches its handlers and nothing else."""
    found = logging.getLogger("tests.hec_clients")
    found.propagate = False
    found.setLevel(logging.INFO)
    yield found
    for handler in list(found.handlers):
        found.removeHandler(handler)
        handler.close()


# -- curl


def curl(url, *arguments, body=None):
    found = subprocess.run(
        ["curl", "--silent", "--show-error", "--write-out", "\n%{http_code}", url, *arguments],
        input=body,
        capture_output=True,
        check=True,
    )
    answer, _, status = found.stdout.decode().rpartition("\n")
    return int(status), json.loads(answer)


@needs("curl")
def test_curl_in_every_form(front, rows, tmp_path):
    accepted = (200, {"text": "Success", "code": 0})
    token = ("-H", "Authorization: Splunk hec-good")
    lines = tmp_path / "events.json"
    lines.write_text('{"time":1,"event":"line 1"}\n{"time":2,"event":"line 2"}\n')
    url = front.hec + COLLECTOR
    assert curl(front.main + COLLECTOR, *token, "-d", '{"time":0,"event":"to the main port"}') == accepted
    # Without --data-binary curl takes the line ends out.
    assert curl(url, *token, "-d", f"@{lines}") == accepted
    assert curl(url + "/event", *token, "--data-binary", f"@{lines}", "-H", "Content-Type: application/json") == accepted
    assert curl(url, "-u", "x:hec-good", "-d", '{"time":3,"event":"with basic"}') == accepted
    assert curl(url + "?token=hec-query", "-d", '{"time":4,"event":"with the query"}') == accepted
    packed = gzip.compress(b'{"time":5,"event":"packed"}')
    assert curl(url, *token, "-H", "Content-Encoding: gzip", "--data-binary", "@-", body=packed) == accepted
    raw = url + "/raw?sourcetype=curl&time=6"
    assert curl(raw, *token, "--data-binary", "@-", body=b"raw 1\nraw 2\n") == accepted
    chunked = ("-H", "Transfer-Encoding: chunked", "--data-binary", "@-")
    assert curl(url, *token, *chunked, body=b'{"time":7,"event":"in pieces"}') == accepted
    assert curl(url, "-d", '{"event":1}') == (401, {"text": "Token is required", "code": 2})
    channel = ("-H", "X-Splunk-Request-Channel: 0aeeac95-ac74-4aa9-b30d-6c4c0ac581ba")
    acks = ("-H", "Authorization: Splunk hec-ack", *channel)
    assert curl(url, *acks, "-d", '{"time":8,"event":"acknowledged"}') == (200, {"text": "Success", "code": 0, "ackId": 0})
    assert curl(url + "/ack", *acks, "-d", '{"acks":[0]}') == (200, {"acks": {"0": True}})
    assert curl(url + "/health") == (200, {"text": "HEC is healthy", "code": 17})
    assert [row["_raw"] for row in rows()] == [
        *("to the main port", "line 1", "line 1", "line 2", "line 2", "with basic", "with the query", "packed"),
        *("raw 1", "raw 2", "in pieces", "acknowledged"),
    ]


# -- logging handlers for Python


def place(front):
    return {"host": "127.0.0.1", "port": urlsplit(front.hec).port}


def test_splunk_handler(front, rows, logger):
    handler = SplunkHandler(
        **place(front), token="hec-good", index="main", protocol="http", verify=False, flush_interval=0.1, hostname="h"
    )
    logger.addHandler(handler)
    logger.error("from the handler: %s", 42)
    logger.info('braces }{ and "quotes"')
    handler.force_flush()
    first, second = sorted(rows(), key=lambda row: "braces" in row["_raw"])
    assert "from the handler: 42" in first["_raw"]
    assert 'braces }{ and "quotes"' in second["_raw"]
    assert (first["host"], first["index"]) == ("h", "main")


def test_splunk_hec_handler(front, rows, logger):
    options = {"proto": "http", "hostname": "h", "source": "s", "sourcetype": "_json"}
    logger.addHandler(SplunkHecHandler(**place(front), token="hec-good", **options))
    logger.warning("plain")
    logger.error({"time": 1763900000.5, "user": "ada", "fields": {"color": "yellow", "codes": ["1", "2"]}})
    found = rows("_raw, source, sourcetype, toString(fields) AS fields, toFloat64(_time) AS t")
    older, plain = found
    assert (older["t"], older["source"], older["sourcetype"]) == (1763900000.5, "s", "_json")
    own = json.loads(older["fields"])
    assert (own["user"], own["color"], own["codes"]) == ("ada", "yellow", ["1", "2"])
    assert json.loads(plain["_raw"]) == {"log_level": "WARNING", "message": "plain"}


def test_splunk_logging_in_batches_with_acknowledgements(front, rows, logger):
    handler = HecHandler(
        **place(front),
        token="hec-ack",
        use_ssl=False,
        default_host="h",
        default_source="s",
        default_sourcetype="st",
        ignore_exceptions=False,
        indexer_ack=True,
        ack_poll_interval=0.01,
        ack_timeout=20,
        batch_enabled=True,
        batch_size=7,
        flush_interval=0.05,
    )
    logger.addHandler(handler)
    for number in range(1, 21):
        logger.info({"number": number, "text": "}{"})
    # Returns when everything is acknowledged, and raises otherwise.
    handler.flush()
    found = rows()
    assert sorted(json.loads(row["_raw"])["number"] for row in found) == list(range(1, 21))
    assert {(row["host"], row["source"], row["sourcetype"]) for row in found} == {("h", "s", "st")}


def test_splunk_logging_sends_again_what_was_not_taken(tmp_path, tokens, rows, monkeypatch):
    front = Front(tmp_path, tokens, hec=HecSettings(max_pending_acks=1))
    waited = []
    try:
        # Somebody's id waits to be asked for, and there is no room for another.
        other = (
            "-H",
            "Authorization: Splunk hec-ack",
            "-H",
            "X-Splunk-Request-Channel: fe0ecfad-13d5-401b-847d-77833bd77131",
        )
        assert curl(front.hec + COLLECTOR, *other, "-d", '{"event":"first","time":1}')[1]["ackId"] == 0
        options = {"use_ssl": False, "token": "hec-ack", "ack_poll_interval": 0.01, "ack_timeout": 20}
        with HecForwarder(**place(front), indexer_ack=True, **options) as forwarder:

            def room_is_made(attempt, *, deadline, retry_after=None):
                waited.append(retry_after)
                assert curl(front.hec + COLLECTOR + "/ack", *other, "-d", '{"acks":[0]}')[1] == {"acks": {"0": True}}

            monkeypatch.setattr(forwarder, "_sleep_before_retry", room_is_made)
            forwarder.forward_event("taken in the end")
    finally:
        front.close()
    assert waited == ["10"]
    assert [row["_raw"] for row in rows()] == ["first", "taken in the end"]
