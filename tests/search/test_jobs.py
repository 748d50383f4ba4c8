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
