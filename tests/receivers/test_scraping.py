"""Scraping: the file, relabelling, expositions taken apart, and real targets: prometheus_client and Debian's node exporter."""

from __future__ import annotations

import asyncio
import json
import re
import subprocess
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from sightline.errors import UserError
from sightline.receivers.scraping import Rule, Scraper, kept, read_jobs, targets_of

from .clients import needs, path_of
from .conftest import Front, free_ports

EXPOSITION = """\
# HELP http_requests_total All requests.
# TYPE http_requests_total counter
http_requests_total{method="post",code="200",path="/a\\"b\\\\c"} 1027 1760000000000
http_requests_total{method="get",job="mine"} 3
# TYPE temperature gauge
temperature -1.5e1
temperature_limit +Inf
# TYPE latency_seconds histogram
latency_seconds_bucket{le="0.1"} 5
latency_seconds_bucket{le="+Inf"} 7
latency_seconds_sum 2.5
latency_seconds_count 7
# TYPE dropped_thing gauge
dropped_thing{x="1"} 1
# EOF
"""


@pytest.fixture
def target():
    """An HTTP server that exposes what a test puts into its `text`."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.server.asked.append((self.path, dict(self.headers)))
            self.send_response(self.server.status)
            self.end_headers()
            self.wfile.write(self.server.text.encode())

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.text, server.status, server.asked = EXPOSITION, 200, []
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()


def front_with(tmp_path, tokens, config: str) -> Front:
    (tmp_path / "scrape.yml").write_text(config)
    return Front(tmp_path, tokens)


def points(store, load, wanted: str) -> list[dict]:
    end = time.monotonic() + 40
    while True:
        load()
        rows = store.query(
            "SELECT metric_name, value, type, host, source, toUnixTimestamp64Milli(_time) AS t, toJSONString(dims) AS dims"
            " FROM sightline.metrics ORDER BY metric_name, dims, t"
        ).to_pylist()
        if any(row["metric_name"] == wanted for row in rows):
            return [row | {"dims": json.loads(row["dims"])} for row in rows]
        assert time.monotonic() < end, rows[:5]
        time.sleep(0.1)


def test_an_exposition_is_taken_apart(tmp_path, tokens, store, load, target):
    address = f"127.0.0.1:{target.server_port}"
    front = front_with(
        tmp_path, tokens,
        "global: {scrape_interval: 200ms}\n"
        f"scrape_configs:\n- job_name: shop\n  static_configs: [{{targets: ['{address}'], labels: {{env: prod}}}}]\n"
        "  params: {module: [http]}\n  basic_auth: {username: u, password: p}\n"
        "  metric_relabel_configs: [{source_labels: [__name__], regex: 'dropped_.*', action: drop}]\n",
    )  # fmt: skip
    try:
        rows = points(store, load, "up")
    finally:
        front.close()
    first = {}
    for row in rows:
        first.setdefault((row["metric_name"], row["dims"].get("le", row["dims"].get("method", ""))), row)
    own = {"job": "shop", "instance": address, "env": "prod"}
    posted = first["http_requests_total", "post"]
    assert (posted["value"], posted["type"], posted["t"]) == (1027.0, "sum", 1_760_000_000_000)
    assert posted["dims"] == own | {"method": "post", "code": "200", "path": '/a"b\\c'}
    # A label of the target wins; what the target exposed under its name is kept under another.
    assert first["http_requests_total", "get"]["dims"] == own | {"method": "get", "exported_job": "mine"}
    assert (first["temperature", ""]["value"], first["temperature", ""]["type"]) == (-15.0, "gauge")
    assert first["temperature_limit", ""]["value"] is None
    assert first["latency_seconds_bucket", "+Inf"]["type"] == "sum" and first["latency_seconds_sum", ""]["value"] == 2.5
    assert first["scrape_samples_scraped", ""]["value"] == 8 and first["up", ""]["value"] == 1
    assert not any(row["metric_name"] == "dropped_thing" for row in rows)
    assert (posted["host"], posted["source"]) == ("127.0.0.1", "prometheus:shop")
    path, headers = target.asked[0]
    assert path == "/metrics?module=http" and headers["Authorization"] == "Basic dTpw"


def test_a_target_that_does_not_answer_is_down(tmp_path, tokens, store, load, target):
    target.status = 500
    (unused,) = free_ports(1)
    addresses = f"['127.0.0.1:{target.server_port}', '127.0.0.1:{unused}']"
    config = f"scrape_configs: [{{job_name: x, scrape_interval: 300ms, static_configs: [{{targets: {addresses}}}]}}]"
    front = front_with(tmp_path, tokens, config)
    try:
        rows = points(store, load, "up")
    finally:
        front.close()
    assert {row["value"] for row in rows if row["metric_name"] == "up"} == {0.0}
    load()
    reasons = store.query("SELECT _raw FROM sightline.events WHERE index = '_internal'").to_pylist()
    assert any("HTTP 500" in row["_raw"] for row in reasons), reasons


RULES = [
    ({"action": "replace", "source_labels": ("a", "b"), "regex": "(.*);(.*)", "target_label": "c", "replacement": "$2-${1}"},
     {"a": "1", "b": "2"}, {"a": "1", "b": "2", "c": "2-1"}),
    ({"action": "replace", "source_labels": ("a",), "regex": "x", "target_label": "c"}, {"a": "1"}, {"a": "1"}),
    ({"action": "keep", "source_labels": ("a",), "regex": "1|2"}, {"a": "1"}, {"a": "1"}),
    ({"action": "keep", "source_labels": ("a",), "regex": "1|2"}, {"a": "12"}, None),
    ({"action": "drop", "source_labels": ("a",), "regex": "1"}, {"a": "1"}, None),
    ({"action": "labelmap", "regex": "meta_(.*)"}, {"meta_zone": "z"}, {"meta_zone": "z", "zone": "z"}),
    ({"action": "labeldrop", "regex": "t.*"}, {"tmp": "1", "a": "2"}, {"a": "2"}),
    ({"action": "labelkeep", "regex": "t.*"}, {"tmp": "1", "a": "2"}, {"tmp": "1"}),
    ({"action": "uppercase", "source_labels": ("a",), "target_label": "b"}, {"a": "x"}, {"a": "x", "b": "X"}),
    ({"action": "replace", "source_labels": ("a",), "target_label": "a", "replacement": ""}, {"a": "x", "b": "y"}, {"b": "y"}),
]  # fmt: skip


@pytest.mark.parametrize(("rule", "before", "after"), RULES)
def test_relabelling(rule, before, after):
    regex = re.compile(rule.pop("regex", "(.*)"))
    assert Rule(regex=regex, **rule).apply(before) == after
    rule["regex"] = regex.pattern


def test_relabelling_changes_where_a_target_is(tmp_path):
    (tmp_path / "scrape.yml").write_text(
        "scrape_configs:\n- job_name: probe\n  static_configs: [{targets: [site.example]}]\n  relabel_configs:\n"
        "  - {source_labels: [__address__], target_label: __param_target}\n"
        "  - {source_labels: [__param_target], target_label: instance}\n"
        "  - {target_label: __address__, replacement: 'prober:9115'}\n"
    )
    (target,) = targets_of(read_jobs(tmp_path / "scrape.yml"))
    assert target.url == "http://prober:9115/metrics?target=site.example"
    assert target.labels == {"job": "probe", "instance": "site.example"}


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ("[", "not valid YAML"),
        ("scrape_configs: [{job_name: x, kubernetes_sd_configs: []}]", "kubernetes_sd_configs is not supported"),
        ("scrape_configs: [{static_configs: []}]", "wants a job_name"),
        ("scrape_configs: [{job_name: x, scrape_interval: soon}]", 'a duration such as 15s or 1m, got "soon"'),
        ("scrape_configs: [{job_name: x, relabel_configs: [{action: explode}]}]", 'there is no action "explode"'),
        ("scrape_configs: [{job_name: x, relabel_configs: [{regex: '(', target_label: y}]}]", "the regex is none"),
        ("scrape_configs: [{job_name: x, metric_relabel_configs: [{action: labeldrop}]}]", "only keep and drop by __name__"),
    ],
)
def test_mistakes_in_the_file_are_named(tmp_path, config, message):
    (tmp_path / "scrape.yml").write_text(config)
    with pytest.raises(UserError, match=re.escape(message)):
        read_jobs(tmp_path / "scrape.yml")


def test_metrics_are_dropped_by_their_whole_name():
    rule = Rule("drop", ("__name__",), regex=re.compile("a|b"))
    assert kept(b'a 1\nab 2\nb{x="a 3"} 3\nc 4\n', (rule,)) == b"ab 2\nc 4\n"


def test_prometheus_client_is_scraped(tmp_path, tokens, store, load):
    from prometheus_client import CollectorRegistry, Counter, Histogram, start_http_server

    registry = CollectorRegistry()
    Counter("predictions", "all", ["model"], registry=registry).labels("m1").inc(5)
    Histogram("latency", "s", registry=registry).observe(0.3)
    server, _ = start_http_server(0, addr="127.0.0.1", registry=registry)
    config = f"scrape_configs: [{{job_name: app, scrape_interval: 1s, static_configs: [{{targets: ['127.0.0.1:{server.server_port}']}}]}}]"
    front = front_with(tmp_path, tokens, config)
    try:
        rows = points(store, load, "predictions_total")
    finally:
        front.close()
        server.shutdown()
    (found, *_) = [row for row in rows if row["metric_name"] == "predictions_total"]
    assert (found["value"], found["type"], found["dims"]["model"]) == (5.0, "sum", "m1")
    assert any(row["metric_name"] == "latency_bucket" and row["dims"]["le"] == "0.5" and row["value"] == 1 for row in rows)


@needs("prometheus-node-exporter")
def test_the_node_exporter_is_scraped(tmp_path, tokens, store, load):
    (port,) = free_ports(1)
    command = [path_of("prometheus-node-exporter"), f"--web.listen-address=127.0.0.1:{port}"]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    config = (
        f"scrape_configs: [{{job_name: node, scrape_interval: 1s, static_configs: [{{targets: ['127.0.0.1:{port}']}}]}}]"
    )
    front = front_with(tmp_path, tokens, config)
    try:
        rows = points(store, load, "node_memory_MemTotal_bytes")
        assert len({row["metric_name"] for row in rows}) > 100
        assert all(row["type"] == "sum" for row in rows if row["metric_name"] == "node_cpu_seconds_total")
    finally:
        front.close()
        process.terminate()
        process.wait(20)


def test_scraping_ends_when_it_is_told_to():
    async def run() -> None:
        scraper = Scraper(None, [], None, time.time)
        scraper.start()
        await scraper.close()

    asyncio.run(run())
