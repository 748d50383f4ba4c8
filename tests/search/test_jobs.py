"""Searches as jobs: states, pages, the histogram, cancelling, limits, and being forgotten."""

from __future__ import annotations

import dataclasses
import time
from pathlib import Path

import pyarrow as pa
import pytest

from sightline.catalog import Catalog
from sightline.catalog.knowledge import CatalogKnowledge
from sightline.config import SearchSettings, Settings
from sightline.errors import NotFound, SearchError
from sightline.ml import ModelRegistry
from sightline.search.engine import SearchEngine
from sightline.search.jobs import JobManager

NOW = 1_700_000_000.0
ENDLESS = "| makeresults count=100000000000 | streamstats count AS n | stats sum(n) AS total"
"""Runs for longer than any test waits."""


class Minute:
    """A clock that a test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


@pytest.fixture(scope="module")
def parts(store, tmp_path_factory):
    folder = tmp_path_factory.mktemp("jobs")
    catalog = Catalog(folder)
    catalog.indexes.ensure("web", "event")
    rows = 500
    store.append_events(
        "web",
        pa.table(
            {
                "_time": [NOW - i for i in range(rows)],
                "_raw": [f"line {i}" for i in range(rows)],
                "status": [200 if i % 5 else 500 for i in range(rows)],
                "tags": pa.array([["a", "b"] if i % 2 else None for i in range(rows)], pa.list_(pa.string())),
            }
        ),
    )
    settings = Settings(data=folder, search=SearchSettings(max_concurrent=2, job_ttl_s=60))
    engine = SearchEngine(store, CatalogKnowledge(catalog), ModelRegistry(folder / "models"), settings)
    return engine, settings, folder


@pytest.fixture
def jobs(parts, tmp_path: Path):
    engine, settings, _ = parts
    manager = JobManager(engine, settings, Minute(), tmp_path)
    yield manager
    manager.close()


def finished(jobs: JobManager, text: str, **options):
    job = jobs.create(text, now=NOW + 1, **options)
    return jobs.wait(job.sid, 30)


def test_events_come_newest_first_in_pages_with_all_of_them_counted(jobs: JobManager) -> None:
    job = finished(jobs, "index=web", max_count=100)
    assert (job.state, job.kind, job.result_count, job.event_count) == ("done", "events", 100, 500)
    first, later = jobs.results(job.sid, 0, 10), jobs.results(job.sid, 95, 10)
    assert first.column("_time").to_pylist() == [NOW - i for i in range(10)]
    assert later.column("_raw").to_pylist() == [f"line {i}" for i in range(95, 100)]
    assert "host" not in first.column_names, "a field that no event has is no column"
    described = job.describe()
    assert described["progress"] == 1.0 and described["scanned_rows"] >= 500 and described["error"] is None


def test_the_histogram_counts_every_event_and_splits_by_a_field(jobs: JobManager) -> None:
    job = finished(jobs, "index=web", max_count=10, earliest=NOW - 299, latest=NOW + 1)
    timeline = jobs.timeline(job.sid)
    assert sum(b["count"] for b in timeline["buckets"]) == 300 == job.event_count
    assert len(timeline["buckets"]) <= 101
    split = jobs.timeline(job.sid, by="status")
    assert sum(b["by"].get("500", 0) for b in split["buckets"]) == 60


def test_the_field_list_tells_coverage_and_top_values(jobs: JobManager) -> None:
    job = finished(jobs, "index=web")
    found = {f["name"]: f for f in jobs.field_summary(job.sid)}
    assert found["status"]["top"] == [{"value": "200", "count": 400}, {"value": "500", "count": 100}]
    assert found["status"]["type"] == "number" and found["_time"]["type"] == "time"
    assert found["tags"]["coverage"] == 0.5 and found["tags"]["distinct"] == 2


def test_a_table_is_sorted_by_any_column(jobs: JobManager) -> None:
    job = finished(jobs, "index=web | stats count by status")
    assert job.kind == "table"
    assert jobs.results(job.sid, sort="count").column("status").to_pylist() == [500, 200]
    assert jobs.results(job.sid, sort="count", descending=True).column("status").to_pylist() == [200, 500]


def test_what_cannot_be_read_makes_no_job(jobs: JobManager) -> None:
    for text, options in (("index=web | stts count", {}), ("", {}), ("index=web", {"earliest": "-1x"})):
        with pytest.raises(SearchError):
            jobs.create(text, **options)
    assert jobs.list() == []


def test_a_failed_search_says_where(jobs: JobManager) -> None:
    job = finished(jobs, "index=web | apply nosuch")
    assert job.state == "failed"
    assert 'model "nosuch"' in job.error["text"] and (job.error["line"], job.error["column"]) == (1, 13)


def test_cancelling_frees_the_engine_within_a_second(jobs: JobManager) -> None:
    job = jobs.create(ENDLESS)
    end = time.monotonic() + 20
    while jobs.engine.store.progress(job.sid) is None:
        assert time.monotonic() < end and not job.finished.is_set(), job.error
        time.sleep(0.02)
    jobs.cancel(job.sid)
    assert job.finished.wait(10)
    assert job.state == "cancelled"
    assert jobs.engine.store.progress(job.sid) is None


def test_a_search_ends_when_its_time_is_up(parts, tmp_path: Path) -> None:
    engine, settings, _ = parts
    short = dataclasses.replace(settings, search=dataclasses.replace(settings.search, max_time_s=1.0))
    limited = SearchEngine(engine.store, engine.knowledge, engine.models, short)
    previous, engine.store._settings = getattr(engine.store, "_settings", None), short
    manager = JobManager(limited, short, Minute(), tmp_path)
    try:
        job = manager.wait(manager.create(ENDLESS).sid, 30)
        assert job.state == "failed" and "1 s" in job.error["text"], job.describe()
    finally:
        engine.store._settings = previous
        manager.close()


def test_more_searches_than_may_run_wait_their_turn(jobs: JobManager) -> None:
    running = [jobs.create(ENDLESS) for _ in range(2)]
    waiting = jobs.create("index=web | stats count")
    time.sleep(0.5)
    assert waiting.state == "queued"
    for job in running:
        jobs.cancel(job.sid)
    assert jobs.wait(waiting.sid, 30).state == "done"


def test_jobs_are_forgotten_when_nobody_looks_at_them(jobs: JobManager) -> None:
    job = finished(jobs, "index=web | head 1")
    assert job.folder.exists()
    jobs.clock.now += 59
    assert jobs.get(job.sid) is job
    jobs.clock.now += 61
    jobs.forget_expired()
    with pytest.raises(NotFound):
        jobs.get(job.sid)
    assert not job.folder.exists()


SLOW_ROWS = 2_000_000


@pytest.fixture(scope="module")
def slow(parts):
    """Two million events of one day, newest last."""
    engine, _, _ = parts
    engine.knowledge._catalog.indexes.ensure("slow", "event")
    engine.store.insert(
        "INSERT INTO sightline.events (`index`, _time, host, _raw, fields) SELECT 'slow',"
        f" fromUnixTimestamp64Micro(toInt64({NOW:.0f}000000 - 86400000000 + number * {86_400_000_000 // SLOW_ROWS})), 'a',"
        f" concat('line ', toString(number)), concat('{{\"n\":', toString(number % 7), '}}')::JSON FROM numbers({SLOW_ROWS})",
        token="slow",
    )
    return engine


LONG = "index=slow | eval d=len(sha512(sha512(sha512(sha512(_raw))))) | stats count sum(d) AS d by n"


def test_a_long_search_shows_previews_of_its_table(slow, parts, tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr("sightline.search.jobs.PREVIEW_AFTER_S", 0.01)
    _, settings, _ = parts
    manager = JobManager(slow, settings, Minute(), tmp_path)
    try:
        job = manager.create(LONG, now=NOW + 1)
        seen: list[tuple[float, int, int]] = []
        end = time.monotonic() + 120
        while not job.finished.is_set():
            assert time.monotonic() < end, job.describe()
            told = job.describe()["preview"]
            if told is not None and (not seen or seen[-1][0] != told["share"]):
                table = manager.results(job.sid)
                if job.previewed:
                    seen.append((told["share"], table.num_rows, sum(table.column("count").to_pylist())))
            time.sleep(0.002)
        assert job.state == "done", job.error
        assert seen, "no preview was shown"
        for share, rows, counted in seen:
            assert rows == 7 and 0 < counted < SLOW_ROWS / 10 and 0 < share <= 0.1
        assert [one[0] for one in seen] == sorted(one[0] for one in seen)
        assert job.describe()["preview"] is None
        assert sum(manager.results(job.sid).column("count").to_pylist()) == SLOW_ROWS
    finally:
        manager.close()


@pytest.mark.parametrize(
    "text",
    ["index=slow", "index=slow | stats count | collect index=summary", "index=slow | stats count by n | outputlookup x.csv",
     "| makeresults | stats count", "index=slow [ search index=web | head 1 | fields status ] | stats count"],
)  # fmt: skip
def test_what_does_more_than_give_rows_is_not_run_twice(slow, text: str) -> None:
    from sightline.search.previews import is_previewed

    assert not is_previewed(slow.read(text)[1])


@pytest.mark.parametrize(
    "text",
    [
        "| makeresults count=3000000000 | eval r=random() | sort r | head 3000000000",
        "| makeresults count=3000000000 | streamstats count AS n | eval k=n%1000000007 | stats values(k) by n",
        "index=slow | eval k=1 | join type=inner max=0 k [ search index=slow | eval k=1 | table k ] | stats count",
        LONG.replace("sha512(_raw)", "sha512(sha512(sha512(sha512(sha512(sha512(_raw))))))"),
    ],
)
def test_cancelling_frees_the_engine_within_a_second_whatever_runs(slow, parts, tmp_path: Path, text: str) -> None:
    _, settings, _ = parts
    manager = JobManager(slow, settings, Minute(), tmp_path)
    try:
        job = manager.create(text, now=NOW + 1)
        end = time.monotonic() + 30
        while slow.store.progress(job.sid) is None:
            assert time.monotonic() < end and not job.finished.is_set(), job.error
            time.sleep(0.01)
        time.sleep(0.3)
        manager.cancel(job.sid)
        assert job.finished.wait(10)
        assert job.state == "cancelled", job.describe()
        assert slow.store.progress(job.sid) is None and slow.store.progress(f"{job.sid}.preview") is None
    finally:
        manager.close()


def test_a_search_beyond_its_memory_ends_with_a_message_while_inserts_go_on(slow, parts, tmp_path: Path) -> None:
    _, settings, _ = parts
    small = dataclasses.replace(settings, search=dataclasses.replace(settings.search, max_memory_bytes=250_000_000))
    previous, slow.store._settings = slow.store._settings, small
    manager = JobManager(SearchEngine(slow.store, slow.knowledge, slow.models, small), small, Minute(), tmp_path)
    try:
        huge = manager.create("index=slow | eval h=sha512(_raw) | stats values(h) AS all | eval n=mvcount(all)", now=NOW + 1)
        before = time.monotonic()
        while not huge.finished.is_set() or time.monotonic() - before < 0.1:
            slow.store.append_events("meanwhile", pa.table({"_time": [NOW], "x": [1]}))
            assert time.monotonic() - before < 120
        assert huge.state == "failed" and "needs more than the 250 MB" in huge.error["text"], huge.describe()
        # Sorting spills instead of failing.
        sorted_job = manager.wait(
            manager.create("index=slow | sort - n _raw | head 2000000 | stats count", now=NOW + 1).sid, 120
        )
        assert sorted_job.state == "done", sorted_job.error
        assert manager.results(sorted_job.sid).to_pylist() == [{"count": SLOW_ROWS}]
    finally:
        slow.store._settings = previous
        manager.close()
