"""A condition on one index chooses parts and is asked of no row: rows of other indexes never come into an answer."""

from __future__ import annotations

import itertools

import pyarrow as pa
import pytest

from sightline.store.sql_text import CHOOSES_PARTS

NOW = 1_700_000_000.0
NAMES = (f"chosen{number}" for number in itertools.count())
SEARCHES = (
    "index={a} | stats count",
    "index={a} | stats count by index",
    "index={a} | stats count min(_time) AS first max(_time) AS last",
    "index={a} | stats count by index host",
    "index={a} host=* | stats count by index",
    "index={a} | where isnotnull(_raw) | stats count by index",
    "index={a} | where isnotnull(_raw) | stats count min(_time) AS first",
    'index={a} | where len(_raw)>=0 OR host="x" | stats count by index',
    "index={a} | eval n=1 | stats sum(n) by index",
    "index={a} | stats count count(host) AS hosts",
    "index={a} | timechart span=1d count",
    "index={a} | timechart span=1d count by host",
    "index={a} earliest=1699999000 latest=1700000001 | stats count by index",
    "index={a} earliest=1699990000 latest=1699999999 | stats count by index host",
    "index={a} | dedup index | table index",
    "index={a} | head 5 | table index host",
    "index={a} | sort - host | head 5 | table index host",
    "index={a} status>=400 | table index status | sort index status",
    "index={a} OR index={b} | stats count by index",
    "index IN ({a}, {b}) status=200 | stats count by index host",
    "index={a}* | stats count by index host",
    "index={a} NOT index={b} | stats count by index host",
    "index={a} status=200 | append [ search index={b} status=200 ] | stats count by index",
    "index={a} [ search index={b} | head 1 | fields host ] | stats count by index host",
    "index={a} | join host [ search index={b} | stats count AS other by host ] | stats count sum(other) by index host",
    "index={a} host=h1 OR status=500 | stats count by index",
    "index={a} word | stats count by index",
    "| tstats count WHERE index={a} BY index",
    "| tstats count WHERE index={a} BY host",
    "| tstats min(_time) AS first WHERE index={a}",
    "| metadata type=hosts index={a} | table host totalCount",
)


@pytest.fixture
def place(store, engine_with):
    """An engine over two indexes with events of the same hosts and moments, some of them added later."""
    one, other = f"{next(NAMES)}x", f"{next(NAMES)}y"
    engine = engine_with(one, other)
    for index, rows in ((one, 30), (other, 41), (one, 7), (other, 3)):
        table = {
            "_time": [NOW - n * 60 for n in range(rows)],
            "host": [f"h{n % 3}" for n in range(rows)],
            "status": [200 + n % 4 * 100 for n in range(rows)],
            "_raw": [f"a word and number {n}" for n in range(rows)],
        }
        store.append_events(index, pa.table(table))
    return engine, one, other


@pytest.mark.parametrize("search", SEARCHES)
def test_only_rows_of_the_index_are_in_the_answer(place, search) -> None:
    engine, one, other = place
    for first, second in ((one, other), (other, one)):
        text = search.format(a=first, b=second)
        found = engine.run(text, now=NOW + 1).table.to_pylist()
        assert found == engine.run(text, now=NOW + 1, rules=False).table.to_pylist()
        assert found


def test_parts_are_chosen_where_more_is_read_than_parts_know(place) -> None:
    engine, one, other = place

    def statements(search: str) -> str:
        return "\n".join(step.text for step in engine.run(search, now=NOW).steps)

    assert CHOOSES_PARTS in statements(f"index={one} | stats count by host")
    assert CHOOSES_PARTS in statements(f"index={one} status=500 | stats count")
    assert CHOOSES_PARTS not in statements(f"index={one} | stats count by index")
    assert CHOOSES_PARTS not in statements(f"index={one} OR index={other} | stats count by host")


def test_what_was_deleted_stays_away(place) -> None:
    engine, one, other = place
    engine.run(f"index={one} host=h1 | delete", now=NOW)
    hosts = engine.run(f"index={one} OR index={other} | stats count by index host", now=NOW + 1).table.to_pylist()
    assert {(row["index"], row["host"]) for row in hosts} == {
        (one, "h0"), (one, "h2"), (other, "h0"), (other, "h1"), (other, "h2"),
    }  # fmt: skip
    assert engine.run(f"index={one} host=h1 | stats count", now=NOW + 1).table.to_pylist() == [{"count": 0}]


@pytest.mark.parametrize("condition", ["1", "isNotNull(toNullable(_raw))", "host = host", "length(_raw) >= 0", "_time > 0"])
@pytest.mark.parametrize(
    "shape",
    [
        "SELECT index, count() AS n FROM {} GROUP BY index ORDER BY index",
        "SELECT count() FROM {}",
        "SELECT min(_time), max(_time), count() FROM {}",
        "SELECT count(host) FROM {}",
        "SELECT DISTINCT index FROM {}",
        "SELECT toYYYYMM(_time) AS month, count() FROM {} GROUP BY month",
        "SELECT host, count() FROM {} GROUP BY host ORDER BY host",
    ],
)
def test_the_engine_reads_chosen_parts_alone(place, shape, condition) -> None:
    """What the searches rely on, also for statements that the engine could answer without reading a row."""
    engine, one, _ = place
    choosing, asking = (
        engine.store.query(shape.format(f"sightline.events WHERE {chosen} AND {condition}")).to_pylist()
        for chosen in (f"{CHOOSES_PARTS}(equals(index, '{one}'))", f"index = '{one}'")
    )
    assert choosing == asking
