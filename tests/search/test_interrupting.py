"""Python steps of a search end soon after it was cancelled, wherever they are."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from sightline.catalog import Catalog
from sightline.catalog.knowledge import CatalogKnowledge
from sightline.config import Settings
from sightline.ml import ModelRegistry
from sightline.search.engine import SearchEngine
from sightline.search.interrupting import interruptible
from sightline.search.jobs import JobManager

PATIENCE_S = 30.0
"""For a busy machine; on a quiet one all of this takes a tenth of a second."""


def wait_for(claim: Callable[[], bool], what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not claim():
        assert time.monotonic() < end, f"not within {PATIENCE_S:g} s: {what}"
        time.sleep(0.01)


def steps() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.endswith(" step")]


@pytest.fixture
def begun() -> threading.Event:
    return threading.Event()


def test_work_gives_what_it_makes_and_raises_what_it_raises() -> None:
    assert interruptible(lambda: 7, lambda: False) == 7
    with pytest.raises(ZeroDivisionError):
        interruptible(lambda: 1 / 0, lambda: False)
    assert interruptible(lambda: time.sleep(0.2) or "late", lambda: False) == "late"


def test_a_loop_ends_and_cleans_up(begun: threading.Event) -> None:
    cleaned = threading.Event()

    def work() -> int:
        begun.set()
        try:
            return sum(1 for _ in iter(int, 1))
        finally:
            cleaned.set()

    assert interruptible(work, begun.is_set) is None
    assert cleaned.wait(PATIENCE_S)
    wait_for(lambda: not steps(), "the thread ended")


def test_work_that_keeps_every_exception_ends_too(begun: threading.Event) -> None:
    def work() -> None:
        begun.set()
        kept = 0
        while kept < 2:
            try:
                while True:
                    pass
            except BaseException:
                kept += 1
        raise AssertionError("nobody hears this")

    assert interruptible(work, begun.is_set) is None
    wait_for(lambda: not steps(), "the thread ended")


def test_a_long_call_of_a_library_is_not_waited_for(begun: threading.Event) -> None:
    never, after = threading.Event(), threading.Event()

    def work() -> None:
        begun.set()
        never.wait(PATIENCE_S)  # One call that returns when it likes, as those of libraries do.
        after.set()

    assert interruptible(work, begun.is_set) is None
    assert steps(), "the call is under way"
    never.set()
    wait_for(lambda: not steps(), "the thread ended")
    assert not after.is_set()


ROWS = '| makeresults count=100000 | streamstats count AS n | eval x=random()%1000, y=random()%997, t="word".(n%5000)." other".(n%777) '


@pytest.mark.parametrize(
    "text",
    [
        ROWS + "| fit RandomForestRegressor x from y n n_estimators=10000",
        ROWS + "| fit GradientBoostingRegressor x from y n n_estimators=10000 | stats count",
        # So many that even a fast machine is at it when the search is cancelled.
        '| makeresults count=1000000 | streamstats count AS n | eval _raw=n." ".md5(n) | cluster t=0.9 | stats count',
        ROWS + "| kmeans k=500 reps=1000 x y | stats count",
        ROWS + "| score silhouette_score x against y n",
        ROWS
        + "| eval _time=1699920000+60*n | timechart span=1m avg(x) AS x | predict x algorithm=LLP period=24 | stats count",
        ROWS + "| append [" + ROWS + "| fit RandomForestRegressor x from y n n_estimators=10000 ]",
    ],
)
def test_a_cancelled_search_leaves_its_python_step(store, tmp_path: Path, text: str) -> None:
    settings = Settings(data=tmp_path)
    catalog = Catalog(tmp_path)
    engine = SearchEngine(store, CatalogKnowledge(catalog), ModelRegistry(tmp_path / "models"), settings)
    manager = JobManager(engine, settings)
    try:
        job = manager.create(text)
        wait_for(lambda: bool(steps()) or job.finished.is_set(), "a Python step")
        time.sleep(0.1)
        manager.cancel(job.sid)
        assert job.finished.wait(PATIENCE_S)
        assert job.state == "cancelled", job.describe()
        wait_for(lambda: not steps(), "the thread ended")
        assert store.progress(job.sid) is None
    finally:
        manager.close()
        catalog.close()
