"""Captured requests of one program under the old and under the current names of OpenTelemetry: who searches need not know which."""

from __future__ import annotations

import time
from pathlib import Path

import httpx
import pytest

from sightline.catalog import Catalog
from sightline.catalog.knowledge import CatalogKnowledge
from sightline.config import IngestSettings, Settings
from sightline.ml import ModelRegistry
from sightline.search.engine import SearchEngine
from sightline.store import EmbeddedStore, conventions
from sightline.store.loading import Loader, is_empty
from sightline.traces.queries import service_map

CAPTURED = Path(__file__).parent / "fixtures"
OLD, CURRENT = "py_default_0", "py_semconv_new_0"
TRACES = {OLD: "py_default_03_traces.pb", CURRENT: "py_semconv_new_03_v1_traces.pb"}
METRICS = {OLD: "py_default_02_metrics.pb", CURRENT: "py_semconv_new_02_v1_metrics.pb"}


@pytest.fixture
def send(front, load):
    """Sends captured requests and loads them."""

    def send(*names: str) -> None:
        for name in names:
            signal = "traces" if "traces" in name else "metrics"
            answer = httpx.post(
                f"{front.otlp}/v1/{signal}",
                content=(CAPTURED / name).read_bytes(),
                headers={"Content-Type": "application/x-protobuf"},
                trust_env=False,
            )
            assert answer.status_code == 200, answer.text
        load()

    return send


@pytest.fixture
def search(store, tmp_path):
    folder = tmp_path / "catalog"
    folder.mkdir()
    engine = SearchEngine(store, CatalogKnowledge(Catalog(folder)), ModelRegistry(folder / "models"), Settings(data=folder))
    return lambda text: engine.run(text).table.to_pylist()


BY_STATUS = [{"status": 200, "count": 2}, {"status": 500, "count": 1}]


@pytest.mark.parametrize("sent", [OLD, CURRENT])
@pytest.mark.parametrize(
    ("method", "status", "path", "system"),
    [
        ("http.request.method", "http.response.status_code", "url.path", "db.system.name"),
        ("http.method", "http.status_code", "http.target", "db.system"),
    ],
)
def test_spans_are_found_by_either_name(send, search, sent, method, status, path, system):
    send(TRACES[sent])
    found = search(f"index=traces {method}=GET kind=server | stats count BY {status} | rename {status} AS status")
    assert found == BY_STATUS
    found = search(f"index=traces kind=server | sort {path} | table {path}")
    assert [row[path] for row in found] == ["/predict/1", "/predict/13", "/predict/2"]
    assert search(f"index=traces {system}=sqlite | stats count") == [{"count": 9}]


def test_a_fleet_that_is_being_moved_is_one_fleet(send, search):
    send(TRACES[OLD], TRACES[CURRENT])
    found = search("index=traces kind=server | stats count BY http.response.status_code")
    assert [row["count"] for row in found] == [4, 2]
    found = search("index=traces kind=client http.method=GET | stats count BY server.address")
    assert found == [{"server.address": "127.0.0.1", "count": 3}]
    # What is shown is what was sent.
    shown = search("index=traces kind=server url.path=/predict/1 | fields http.*")
    assert sorted(row["http.method"] or "" for row in shown) == ["", "GET"]
    assert sorted(row["http.request.method"] or "" for row in shown) == ["", "GET"]


@pytest.mark.parametrize("sent", [OLD, CURRENT])
def test_a_metric_is_found_by_either_name_in_its_own_unit(send, search, sent):
    send(METRICS[sent])
    current = search(
        "| mstats avg(http.server.request.duration) AS seconds WHERE index=metrics BY http.response.status_code"
    )
    old = search("| mstats avg(http.server.duration) AS ms WHERE index=metrics BY http.status_code")
    assert [row["http.response.status_code"] for row in current] == ["200", "500"]
    assert 0 < current[0]["seconds"] < 1
    assert [row["ms"] for row in old] == pytest.approx([1000 * row["seconds"] for row in current])


@pytest.mark.parametrize("sent", [OLD, CURRENT])
def test_the_map_shows_the_database_under_either_name(send, store, sent):
    send(TRACES[sent])
    found = service_map(store, earliest=1, latest=9e9)
    assert ("svc", "sqlite", True) in [(e["source"], e["target"], e["inferred"]) for e in found["edges"]]


@pytest.mark.parametrize(("sent", "name"), [(OLD, "db.statement"), (CURRENT, "db.query.text")])
def test_statements_are_stored_without_their_values(send, search, sent, name):
    send(TRACES[sent])
    found = search(f"index=traces {name}=* | stats count BY {name} db.query.summary")
    assert [tuple(row.values()) for row in found] == [
        ("create table t(a int)", "CREATE TABLE t", 3),
        ("insert into t values (?)", "INSERT t", 3),
        ("select a from t where a = ?", "SELECT t", 3),
    ]
    assert search("index=traces 42") == []


def test_a_sent_summary_stays_and_zipkin_is_scrubbed_too(front, load, search):
    tags = {"db.system": "mysql", "db.statement": "SELECT 'it\\'s' FROM t"}
    spans = [{"traceId": "ab", "id": "1", "name": "q", "timestamp": 1_760_000_000_000_000, "tags": tags}]
    spans.append(spans[0] | {"id": "2", "tags": tags | {"db.query.summary": "mine"}})
    assert httpx.post(f"{front.main}/api/v2/spans", json=spans, trust_env=False).status_code == 202
    load()
    found = search("index=traces | sort span_id | table db.statement db.query.summary")
    assert [tuple(row.values()) for row in found] == [("SELECT ? FROM t", "SELECT t"), ("SELECT ? FROM t", "mine")]


def test_scrubbing_can_be_turned_off(front, tmp_path):
    path = CAPTURED / TRACES[OLD]
    headers = {"Content-Type": "application/x-protobuf"}
    httpx.post(f"{front.otlp}/v1/traces", content=path.read_bytes(), headers=headers, trust_env=False)
    as_sent = Settings(data=tmp_path, ingest=IngestSettings(scrub_statements=False))
    with EmbeddedStore(tmp_path / "engine", as_sent) as store:
        loader = Loader(store, as_sent)
        deadline = time.monotonic() + 20
        while not is_empty(tmp_path / "journal"):
            loader.load_waiting()
            assert time.monotonic() < deadline
        found = store.query("SELECT DISTINCT fields.db.statement.:String AS s FROM sightline.spans ORDER BY s")
    assert "select a from t where a = 42" in found["s"].to_pylist()


def test_a_name_has_one_meaning():
    for lines in (conventions.SAME_ATTRIBUTES, conventions.SAME_METRICS):
        names = [name for line in lines for name in line]
        assert sorted(names) == sorted(set(names))
    assert {name for name in conventions.MILLISECONDS if not conventions.other_metrics(name)} == set()
