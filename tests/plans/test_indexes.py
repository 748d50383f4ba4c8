"""What the engine reads for a search: which partitions, granules and columns, as it says itself."""

from __future__ import annotations

import re

import pytest

from sightline.catalog import Catalog
from sightline.catalog.knowledge import CatalogKnowledge
from sightline.config import Settings
from sightline.ml import ModelRegistry
from sightline.search.engine import SearchEngine
from sightline.store import embedded

DAY_S = 86_400
START = 1_699_920_000
"""Midnight of 14 November 2023; the events lie in three months."""
EVENTS = 200_000
NOW = START + 60.0 * DAY_S


@pytest.fixture(scope="module")
def engine(store, tmp_path_factory) -> SearchEngine:
    folder = tmp_path_factory.mktemp("indexes")
    catalog = Catalog(folder)
    catalog.indexes.ensure("web", "event")
    catalog.indexes.ensure("other", "event")
    store.execute("SYSTEM STOP MERGES")
    for index, count in (("web", EVENTS), ("other", 1000)):
        store.insert(
            "INSERT INTO sightline.events (`index`, _time, host, _raw, fields)"
            f" SELECT '{index}', fromUnixTimestamp64Micro(toInt64({START}000000 + number * {60 * DAY_S * 1_000_000 // EVENTS})), 'a',"
            " concat('line ', toString(number), if(number = 77777, ' needle', ''), if(number = 99999, ' failing out of time', ''),"
            " if(number = 88888, ' time out', '')),"
            """ concat('{"status":', toString(200 + number % 7), ',"user":"u', toString(number), '","text":"', repeat('x', 50), '"}')::JSON"""
            f" FROM numbers({count})",
            token=f"indexes {index}",
        )
    return SearchEngine(store, CatalogKnowledge(catalog), ModelRegistry(folder / "models"), Settings(data=folder))


def statement(engine: SearchEngine, search: str) -> str:
    stages = engine.explain(search, now=NOW)
    return next(stage["text"] for stage in stages if stage["name"] == "sql")


def granules(engine: SearchEngine, search: str) -> int:
    """Granules that are read after all indexes were asked."""
    lines = engine.store.query(f"EXPLAIN indexes = 1 {statement(engine, search)}")["explain"].to_pylist()
    found = [int(match.group(1)) for line in lines if (match := re.search(r"Granules: (\d+)/\d+", line))]
    assert found, "\n".join(lines)
    return found[-1]


def parts(engine: SearchEngine, search: str) -> int:
    lines = engine.store.query(f"EXPLAIN indexes = 1 {statement(engine, search)}")["explain"].to_pylist()
    found = [int(match.group(1)) for line in lines if (match := re.search(r"Parts: (\d+)/\d+", line))]
    return found[-1]


def reading(engine: SearchEngine, search: str) -> tuple[int, int]:
    """Rows and bytes that the engine read to give a search's rows."""
    result = engine.store._run(statement(engine, search), None, embedded._INSERT)
    return result.rows_read(), result.bytes_read()


def test_there_is_something_to_leave_out(engine: SearchEngine) -> None:
    assert (
        granules(engine, "index=web | stats count by status") > 20
        and parts(engine, "index=web | stats count by status") == 3
    )


@pytest.mark.parametrize(
    "search",
    [
        "index=web needle | stats count by status",
        "index=web NEEDLE | stats count by status",
        "index=web needl* | stats count by status",
        'index=web "time out" | stats count by status',
        "index=web (needle OR failing) | stats count by status",
        "index=web (needl* OR fail*) | stats count by status",
        'index=web (needle OR ("time out" status=200)) NOT retried | stats count by status',
        "index=web status=200 (needle OR nothere*) NOT status=500 | stats count by status",
        "index=web TERM(needle) | stats count by status",
        "index=web CASE(needle) | stats count by status",
        "index=web | search needle | stats count by status",
        "index=web | eval double=status*2 | search needle OR failing double>3 | stats count by status",
        "index=web needle | head 5 | table status",
    ],
)
def test_words_are_looked_up_in_the_text_index(engine: SearchEngine, search: str) -> None:
    assert granules(engine, search) <= 3


@pytest.mark.parametrize(
    ("search", "most_parts", "most_granules"),
    [
        (f"index=web earliest={START + 40 * DAY_S} latest={START + 41 * DAY_S} | stats count by status", 1, 2),
        (f"index=web | where _time>={START + 40 * DAY_S} AND _time<{START + 41 * DAY_S} | stats count by status", 1, 2),
        (f"index=web earliest={START + 40 * DAY_S} | stats count by status", 2, 10),
        (f"index=web earliest={START + 40 * DAY_S} latest={START + 41 * DAY_S} | eval x=status+1 | where x>3 | top x", 1, 2),
        ("index=other | stats count by status", 3, 3),
    ],
)
def test_time_bounds_and_the_index_leave_out_parts(
    engine: SearchEngine, search: str, most_parts: int, most_granules: int
) -> None:
    assert parts(engine, search) <= most_parts and granules(engine, search) <= most_granules


GRANULE = 8192


@pytest.mark.parametrize(
    "search",
    [
        "index=web | head 10",
        "index=web | head 10 | table status",
        "index=web | eval double=status*2 | where double>=402 | head 10 | table double",
        'index=web | rex "line (?<number>\\d+)" | where number%2=0 | head 10 | table number',
        "index=web status>=203 | rename status AS code | fields code | head 5",
        "index=web NOT status=203 | head 100 | stats count by status",
        "index=web line | head 10",
        "index=web | fillnull value=- nothing | head 3",
        "index=web | head 1000 | head 10",
    ],
)
def test_head_ends_the_scan(engine: SearchEngine, search: str) -> None:
    # Each thread begins somewhere, and takes a few granules at least.
    rows, _ = reading(engine, search)
    assert rows <= 4 * GRANULE, f"{rows:,} of {EVENTS:,} rows were read"


def test_a_field_that_is_not_wanted_is_not_read(engine: SearchEngine) -> None:
    whole = reading(engine, "index=web | table *")[1]
    for search in (
        "index=web | table status",
        "index=web | fields status | fields - _*",
        "index=web status>=203 | table status",
        "index=web | eval unused=text.user | stats count by status",
        "index=web | stats count by status",
    ):
        assert reading(engine, search)[1] < whole / 10, search
