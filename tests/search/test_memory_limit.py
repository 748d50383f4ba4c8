"""Searches at their limits: what spills gives the right answer, what cannot ends with a message, and loading goes on."""

from __future__ import annotations

import shutil

import httpx
import pytest

from sightline.catalog import Catalog
from sightline.catalog.knowledge import CatalogKnowledge
from sightline.config import SearchSettings, Settings
from sightline.ml import ModelRegistry
from sightline.search.engine import SearchEngine
from sightline.search.jobs import JobManager

NOW = 1_700_000_000.0
ROWS = 1_000_000
LIMIT_BYTES = 125_000_000
"""The hashes of all events take 64 MB, and twice that while they are grouped or sorted."""
HASHED = "index=many | eval h=sha256(_raw) "


@pytest.fixture(scope="module")
def limited(store, tmp_path_factory):
    """A million events, and an engine whose searches have little memory."""
    store.insert(
        "INSERT INTO sightline.events (`index`, _time, host, _raw, fields) SELECT 'many',"
        f" fromUnixTimestamp64Micro(toInt64({NOW:.0f}000000 - number * 1000)), 'a', concat('line ', toString(number)),"
        f" concat('{{\"n\":', toString(number % 7), '}}')::JSON FROM numbers({ROWS})",
        token="many",
    )
    folder = tmp_path_factory.mktemp("limited")
    catalog = Catalog(folder)
    catalog.indexes.ensure("many", "event")
    settings = Settings(data=folder, search=SearchSettings(max_memory_bytes=LIMIT_BYTES, max_threads=2))
    before, store._settings = store._settings, settings
    yield JobManager(SearchEngine(store, CatalogKnowledge(catalog), ModelRegistry(folder / "models"), settings), settings)
    store._settings = before
    catalog.close()


def written(store, event: str) -> int:
    """How often the engine has written to disk what it had no memory for."""
    found = store.query(f"SELECT sum(value) AS n FROM system.events WHERE event = '{event}'")
    return found["n"][0].as_py()


@pytest.mark.parametrize(
    ("text", "event", "answer"),
    [
        (HASHED + "| stats count by h | stats count sum(count) AS s", "ExternalAggregationWritePart",
         {"count": ROWS, "s": ROWS}),
        (HASHED + "| eventstats count AS c by h | stats sum(c) AS c", "ExternalSortWritePart", {"c": ROWS}),
        (HASHED + "| streamstats count AS c by h | stats count max(c) AS c", "ExternalSortWritePart",
         {"count": ROWS, "c": 1}),
    ],
)  # fmt: skip
def test_grouping_and_sorting_spill(limited: JobManager, store, text: str, event: str, answer: dict) -> None:
    before = written(store, event)
    job = limited.wait(limited.create(text, now=NOW + 1).sid, 120)
    assert job.state == "done", job.error
    assert limited.results(job.sid).to_pylist() == [answer]
    assert written(store, event) > before


def test_rows_sorted_on_disk_come_in_order(limited: JobManager, store) -> None:
    before = written(store, "ExternalSortWritePart")
    job = limited.wait(limited.create(HASHED + "| table h | sort h", now=NOW + 1).sid, 120)
    assert job.state == "done", job.error
    hashes = limited.results(job.sid, 0, None)["h"].to_pylist()
    assert len(hashes) == ROWS and hashes == sorted(hashes)
    assert written(store, "ExternalSortWritePart") > before


@pytest.mark.parametrize(
    "text",
    [
        "index=many | eval k=n | join type=inner max=0 k [ search index=many | eval k=n, z=sha256(_raw) | table k z ]"
        " | stats values(z) AS z | eval z=mvcount(z)",
        HASHED + "| stats list(h) AS h | eval h=mvcount(h)",
        HASHED + "| dedup h | stats count",
    ],
)
def test_what_cannot_spill_ends_with_a_message(limited: JobManager, text: str) -> None:
    job = limited.wait(limited.create(text, now=NOW + 1).sid, 240)
    assert job.state == "failed", job.describe()
    assert job.error["text"] == "the search needs more than the 125 MB of memory that one may use"
    assert "search.max_memory_bytes" in job.error["hint"]
    # The next one has all of the memory again.
    after = limited.wait(limited.create("index=many | stats count", now=NOW + 1).sid, 60)
    assert limited.results(after.sid).to_pylist() == [{"count": ROWS}]


@pytest.mark.parametrize("text", [HASHED + "| stats count by h | stats count", "index=many"])
def test_neither_what_spills_nor_results_fill_the_disk(limited: JobManager, store, monkeypatch, text: str) -> None:
    monkeypatch.setattr(store, "disk_limit_bytes", lambda: 10_000_000)
    job = limited.wait(limited.create(text, now=NOW + 1).sid, 120)
    assert job.state == "failed", job.describe()
    assert job.error["text"] == "the search would write more to the disk than one may"
    assert "search.max_disk_bytes" in job.error["hint"]


def test_half_of_what_is_free_may_be_written(store) -> None:
    allowed = store.query("SELECT getSetting('max_temporary_data_on_disk_size_for_query') AS n")["n"][0].as_py()
    assert 0 < allowed < shutil.disk_usage(store._path).free


@pytest.fixture(scope="module")
def little_memory():
    """Servers that start meanwhile give a search little memory."""
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SIGHTLINE_SEARCH_MAX_MEMORY_BYTES", str(LIMIT_BYTES))
        yield


def test_events_are_taken_and_stored_while_a_search_is_at_its_limit(little_memory, own_server) -> None:
    events = f"http://127.0.0.1:{own_server.hec_port}/services/collector/event"
    headers = {"Authorization": f"Splunk {own_server.tokens['hec']}"}
    huge = "| makeresults count=3000000 | streamstats count AS n | eval h=sha256(n) | stats list(h) AS h | eval h=mvcount(h)"
    sent = 0
    with own_server.client() as api, httpx.Client(headers=headers, timeout=60.0, trust_env=False) as sender:
        for _ in range(3):
            sid = api.post("/api/v1/search/jobs", json={"search": huge}).raise_for_status().json()["sid"]
            ended = False
            while not ended:
                job = api.get(f"/api/v1/search/jobs/{sid}").json()
                ended = job["state"] not in ("queued", "running")
                sender.post(events, json={"event": f"event {sent}", "sourcetype": "meanwhile"}).raise_for_status()
                sent += 1
            assert job["state"] == "failed" and "of memory that one may use" in job["error"]["text"], job
    own_server.wait_for("index=main sourcetype=meanwhile | stats count", lambda rows: rows == [{"count": sent}], 60.0)
