"""Bounds of time that are left out because every stored row meets them, and rows that come while a statement begins."""

from __future__ import annotations

import dataclasses
import itertools

import pyarrow as pa
import pytest

from sightline.catalog import Catalog
from sightline.catalog.knowledge import CatalogKnowledge
from sightline.config import Settings
from sightline.ml import ModelRegistry
from sightline.search.engine import SearchEngine

NOW = 1_700_000_000.0
SEARCH = "index={index} earliest=1699990000 latest=1700000001 | stats count min(_time) AS first max(_time) AS last"


class Latecomers:
    """A store into which events come right before its next statement over events is run."""

    def __init__(self, store, index: str, *times: float) -> None:
        self._store = store
        self._index = index
        self._times = list(times)
        self.statements: list[str] = []

    def __getattr__(self, name: str):
        return getattr(self._store, name)

    def _arrive(self, sql: str) -> None:
        if "sightline.events" in sql:
            self.statements.append(sql)
            if self._times:
                time, self._times = self._times, []
                self._store.append_events(self._index, pa.table({"_time": time, "host": ["late"] * len(time)}))

    def query(self, sql: str, **options):
        self._arrive(sql)
        return self._store.query(sql, **options)

    def stream(self, sql: str, **options):
        self._arrive(sql)
        yield from self._store.stream(sql, **options)


NAMES = (f"web{number}" for number in itertools.count())


@pytest.fixture
def place(store, tmp_path):
    """A store, an engine over a store, and an index of this test with three events within the search's range."""
    index = next(NAMES)
    catalog = Catalog(tmp_path / "catalog")
    catalog.indexes.ensure(index, "event")
    catalog.indexes.ensure("void", "event")
    store.append_events(index, pa.table({"_time": [NOW - 50, NOW - 20, NOW], "host": ["a", "b", "c"]}))

    def engine(store) -> SearchEngine:
        settings = Settings(data=tmp_path)
        return SearchEngine(store, CatalogKnowledge(catalog), ModelRegistry(tmp_path / "models"), settings)

    yield store, engine, index
    catalog.close()


def sql(engine: SearchEngine, search: str, **options) -> str:
    return next(stage["text"] for stage in engine.explain(search, now=NOW + 5, **options) if stage["name"] == "sql")


def test_bounds_beyond_the_data_are_left_out(place) -> None:
    store, engine, index = place
    assert "`_time` <" not in sql(engine(store), f"index={index} | stats count by host", earliest=NOW - 100, latest=NOW + 1)
    assert "1699990000000000" not in sql(engine(store), SEARCH.format(index=index))


@pytest.mark.parametrize(
    ("earliest", "latest", "kept"),
    [(NOW - 49, NOW + 1, ["greaterOrEquals(`_time`"]), (NOW - 60, NOW, ["less(`_time`"]),
     (NOW - 30, NOW - 10, ["greaterOrEquals(`_time`", "less(`_time`"])],
)  # fmt: skip
def test_bounds_within_the_data_stay(place, earliest: float, latest: float, kept: list[str]) -> None:
    store, engine, index = place
    text = sql(engine(store), f"index={index} | stats count by host", earliest=earliest, latest=latest)
    for begin in ("greaterOrEquals(`_time`", "less(`_time`"):
        assert (begin in text) == (begin in kept), text


def test_an_index_without_rows_keeps_its_bounds(place) -> None:
    store, engine, _ = place
    assert "less(`_time`" in sql(engine(store), "index=void | stats count", earliest=NOW - 9, latest=NOW + 9)


def test_rows_that_were_deleted_still_count_for_the_reach(place) -> None:
    store, engine, index = place
    store.delete_rows("sightline.events", "host = 'c'")
    found = engine(store).run(f"index={index} | stats count", earliest=NOW - 100, latest=NOW + 1, now=NOW + 5).table
    assert found["count"].to_pylist() == [2]


@pytest.mark.parametrize("late", [[NOW + 10.0], [NOW - 100_000.0], [NOW + 10.0, NOW - 100_000.0]])
def test_rows_beyond_the_bounds_that_come_meanwhile_are_not_counted(place, late: list[float]) -> None:
    store, engine, index = place
    busy = Latecomers(store, index, *late)
    # Explained first, so that what is known of the parts is known and the latecomers come before the statement itself.
    slow = engine(busy)
    assert "less(`_time`" not in sql(slow, SEARCH.format(index=index))
    found = slow.run(SEARCH.format(index=index), now=NOW + 5).table.to_pylist()
    assert found == [{"count": 3, "first": NOW - 50, "last": NOW}]
    counting = [statement for statement in busy.statements if "GROUP BY" in statement or "count()" in statement]
    assert "less(`_time`" in counting[-1]


def test_a_stream_begins_again_when_such_rows_came(place) -> None:
    store, engine, index = place
    slow = engine(Latecomers(store, index, NOW + 10.0))
    search = f"index={index} earliest=1699990000 latest=1700000001 | table _time host"
    assert "less(`_time`" not in sql(slow, search)
    context = slow.context(now=NOW + 5)
    prepared = slow.prepare(search, context)
    names, batches = prepared.batches()
    rows = pa.Table.from_batches(list(batches))
    assert names == ["_time", "host"]
    assert rows["host"].to_pylist() == ["c", "b", "a"]


def test_rows_within_the_bounds_that_come_meanwhile_may_be_counted(place) -> None:
    store, engine, index = place
    busy = Latecomers(store, index, NOW - 30)
    found = engine(busy).run(SEARCH.format(index=index), now=NOW + 5).table.to_pylist()
    assert found == [{"count": 4, "first": NOW - 50, "last": NOW}]


def test_without_rules_every_bound_stays(place) -> None:
    store, engine, index = place
    context = dataclasses.replace(engine(store).context(now=NOW + 5), rules=False)
    prepared = engine(store).prepare(SEARCH.format(index=index), context)
    assert "less(`_time`" in context.statement(prepared.relation, ["count"])[0]


class Remembering(Latecomers):
    """A store that keeps the settings of its statements over events."""

    def query(self, sql: str, **options):
        self._keep(sql, options)
        return super().query(sql, **options)

    def stream(self, sql: str, **options):
        self._keep(sql, options)
        yield from super().stream(sql, **options)

    def _keep(self, sql: str, options: dict) -> None:
        if "ORDER BY `_time` DESC" in sql:
            self.in_order = (options.get("settings") or {}).get("optimize_read_in_order") != 0


@pytest.mark.parametrize(
    ("pipeline", "at_once", "streamed"),
    [("table _time host", False, True), ("head 2 | table host", True, True), ("dedup host", False, False),
     ("streamstats window=2 count AS n | stats sum(n)", False, False), ("head 2 | dedup host", True, True)],
)  # fmt: skip
def test_stored_order_is_read_for_first_events_and_for_streams_of_events(
    place, pipeline: str, at_once: bool, streamed: bool
) -> None:
    store, engine, index = place
    remembering = Remembering(store, index)
    search = f"index={index} | {pipeline}"
    whole = engine(remembering).run(search, now=NOW + 5).table
    assert remembering.in_order == at_once
    _, batches = engine(remembering).prepare(search, engine(remembering).context(now=NOW + 5)).batches()
    assert sum(batch.num_rows for batch in batches) == whole.num_rows
    assert remembering.in_order == streamed
