"""Texts of few values as numbers while rows are grouped: the same answers, also where texts come that nobody had seen."""

from __future__ import annotations

import dataclasses
import itertools

import pyarrow as pa
import pytest

from sightline.search.engine import SearchEngine
from sightline.store import few_texts
from sightline.store.engine_errors import MemoryLimitExceeded

NOW = 1_700_000_000.0
ROWS = 6_000
NAMES = (f"shop{number}" for number in itertools.count())
SEARCHES = (
    "stats count by service cache",
    "stats count sum(took) AS took by service cache status",
    "stats values(cache) AS caches values(service) AS services by status",
    "stats values(cache) AS caches dc(service) AS services",
    "stats values(service) AS services by cache",
    "fillnull value=none cache | stats count values(cache) AS caches by service cache",
    "fillnull value=hit cache | stats count values(cache) AS caches by cache status service",
    "chart count over service by cache",
    "timechart span=1h count by service",
    "timechart span=1h limit=2 avg(took) by service",
    "bin _time span=1h | stats count by _time service",
    "search service=a | stats count by service cache",
    "stats count by service cache | stats count max(count) AS most",
    "stats count by user service",
    "top cache by service",
    "rare cache service",
    "eval service=upper(service) | stats count by service cache",
    "stats count by host service | where service!=\"b\" | sort -count | head 3",
)  # fmt: skip


@pytest.fixture
def place(store, engine_with, monkeypatch):
    """An engine over an index of this test whose events have fields of few texts, and what appends more of them."""
    monkeypatch.setattr(few_texts, "MIN_ROWS", 1)
    index = next(NAMES)

    def append(rows: int, service=lambda n: "abc"[n % 3] if n % 5 else None) -> None:
        numbers = range(rows)
        table = {
            "_time": [NOW - 9000 + n for n in numbers],
            "host": [f"web-{n % 4}" for n in numbers],
            "service": pa.array([service(n) for n in numbers], pa.string()),
            "cache": pa.array([("hit", "miss", None, "it's \\ a `text`")[n * 7 // 3 % 4] for n in numbers], pa.string()),
            "user": [f"u{n % 700}" for n in numbers],
            "status": [200 + n % 2 * 300 for n in numbers],
            "took": [n % 17 / 2 for n in numbers],
        }
        store.append_events(index, pa.table(table))

    append(ROWS)
    # What was seen is kept, and texts of an earlier test are not these.
    monkeypatch.setattr(store, "few_texts", few_texts.FewTexts(store.query, store._rows))
    return engine_with(index), index, append


def sql(engine: SearchEngine, search: str) -> str:
    """The statements that a search runs."""
    return "\n".join(step.text for step in engine.run(search, now=NOW).steps)


def rows(engine: SearchEngine, search: str, **options) -> list[dict]:
    return engine.run(search, now=NOW, **options).table.to_pylist()


@pytest.mark.parametrize("search", SEARCHES)
def test_the_answer_is_the_same(place, search) -> None:
    engine, index, _ = place
    text = f"index={index} | {search}"
    plain = rows(engine, text, rules=False)
    assert plain
    assert rows(engine, text) == plain
    assert engine.store.few_texts._misses == {}


def test_several_keys_are_numbers_and_single_ones_are_not(place) -> None:
    engine, index, _ = place
    for search in ("stats count by service cache", "timechart span=1h count by service", "stats values(cache) by service"):
        assert "transform(`" in sql(engine, f"index={index} | {search}"), search
    # The engine groups by one dictionary as fast, and by a column of many texts it has to write texts out anyway.
    for search in ("stats count by service", "stats count by user service", "stats count by status took"):
        assert "transform(`" not in sql(engine, f"index={index} | {search}"), search


def test_few_rows_are_not_worth_it(place, monkeypatch) -> None:
    engine, index, _ = place
    monkeypatch.setattr(few_texts, "MIN_ROWS", ROWS + 1)
    assert "transform(`" not in sql(engine, f"index={index} | stats count by service cache")


@pytest.mark.parametrize("search", SEARCHES)
def test_texts_that_come_later_are_in_the_answer(place, search) -> None:
    engine, index, append = place
    text = f"index={index} | {search}"
    rows(engine, text)
    append(600, lambda n: "new" if n % 2 else "newer")
    assert rows(engine, text) == rows(engine, text, rules=False)


def test_texts_are_looked_at_again_after_a_miss_and_left_alone_after_three(place) -> None:
    engine, index, append = place
    text = f"index={index} | stats count by service cache"
    for turn in range(4):
        numbered = "transform(`" in sql(engine, text)
        assert numbered == (turn < 3)
        append(10, lambda n, turn=turn: f"later{turn}")
        found = {row["service"] for row in rows(engine, text)}
        assert found == {"a", "b", "c", *(f"later{n}" for n in range(turn + 1))}


def test_a_stream_of_rows_begins_again_before_its_first_row(place) -> None:
    engine, index, append = place
    text = f"index={index} | stats count by service cache"
    assert "transform(`" in sql(engine, text)
    append(600, lambda n: "new")
    context = engine.context(now=NOW)
    _, batches = engine.prepare(text, context).batches()
    streamed = [row for batch in batches for row in batch.to_pylist()]
    plain = rows(engine, text, rules=False)
    assert streamed == plain
    assert "transform(`" not in context.steps[-1].text


def test_without_rules_nothing_is_a_number(place) -> None:
    engine, index, _ = place
    text = f"index={index} | stats count by service cache"
    context = dataclasses.replace(engine.context(now=NOW), rules=False)
    list(engine.prepare(text, context).batches()[1])
    assert "transform(`" not in context.steps[-1].text


@pytest.mark.parametrize(("bound", "value"), [("MAX_CHARACTERS", 10), ("MAX_TEXTS", 2)])
def test_texts_that_are_many_or_long_are_none(place, monkeypatch, bound, value) -> None:
    engine, index, _ = place
    monkeypatch.setattr(few_texts, bound, value)
    assert "transform(`" not in sql(engine, f"index={index} | stats count by service cache")


def test_a_look_that_takes_too_much_fails_no_search(place, monkeypatch) -> None:
    engine, index, _ = place
    looks = []

    def query(sql: str, **options):
        looks.append(options["sid"])
        raise MemoryLimitExceeded("too much")

    monkeypatch.setattr(engine.store, "few_texts", few_texts.FewTexts(query, engine.store._rows))
    text = f"index={index} | stats count by service cache"
    assert rows(engine, text, sid="one") == rows(engine, text, rules=False)
    assert looks and set(looks) == {"one"}
