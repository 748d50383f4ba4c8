"""Limits applied on schedule, deletion that is finished after a crash, and a clock that jumps."""

import pyarrow as pa
import pytest

from sightline.catalog import Catalog
from sightline.config import RetentionSettings, Settings
from sightline.errors import NotFound, UserError
from sightline.store import EmbeddedStore
from sightline.watch.retention import Retention

DAY = 86_400.0


class World:
    """A clock that jumps, a catalog, a store, and what was recorded."""

    def __init__(self, folder):
        self.now, self.counted = 1_764_115_200.0, 0.0
        self.catalog = Catalog(folder, lambda: self.now)
        self.store = EmbeddedStore(folder / "engine", Settings(data=folder))
        self.events = []
        self.retention = self.restarted()

    def restarted(self, **settings):
        return Retention(
            self.catalog,
            self.store,
            RetentionSettings(**settings),
            lambda: self.now,
            lambda sourcetype, **fields: self.events.append({"sourcetype": sourcetype, **fields}),
            lambda: self.counted,
        )

    def sleep(self, seconds):
        self.now += seconds
        self.counted += seconds

    def fill(self, index, *ages_days):
        for days in ages_days:
            self.store.append_events(index, pa.table({"_time": [self.now - days * DAY], "_raw": [str(days)]}))

    def rows(self, index):
        return sum(status.rows for status in self.store.indexes() if status.name == index)

    def actions(self):
        return [event["action"] for event in self.events if event["sourcetype"] == "sightline:retention"]


@pytest.fixture
def world(tmp_path):
    made = World(tmp_path)
    yield made
    made.store.close()
    made.catalog.close()


def test_limits_are_applied_and_told(world):
    world.catalog.indexes.create("short")
    world.catalog.indexes.set_limits("short", max_age_s=10 * DAY)
    world.fill("short", 400, 1)
    world.fill("main", 400, 1)
    world.retention.once()
    assert (world.rows("short"), world.rows("main")) == (1, 2)
    removed, *sizes = world.events
    assert (removed["action"], removed["target_index"], removed["rows"], removed["reason"]) == ("removed", "short", 1, "age")
    assert {(event["target_index"], event["rows"]) for event in sizes} == {("short", 1), ("main", 2)}
    world.events.clear()
    world.sleep(60)
    world.retention.once()
    assert world.events == [], "what has not changed is not told again"


def test_usual_limits_hold_where_an_index_has_none(world):
    world.fill("main", 400, 1)
    world.fill("_internal", 31, 1)
    world.restarted(max_age_s=100 * DAY).once()
    assert (world.rows("main"), world.rows("_internal")) == (1, 1)


@pytest.mark.parametrize("jump_days", [300, -300])
def test_a_clock_that_jumps_holds_retention_by_age_back(world, jump_days):
    world.catalog.indexes.set_limits("main", max_age_s=10 * DAY)
    world.fill("main", 1)
    world.now += jump_days * DAY
    world.sleep(60)
    world.retention.once()
    assert world.rows("main") == 1 and world.actions() == ["waits"]
    world.sleep(3600)
    world.retention.once()
    assert world.rows("main") == 1
    # The clock was really wrong before: after the wait its time is taken for true.
    world.sleep(6 * 3600)
    world.retention.once()
    assert world.rows("main") == (0 if jump_days > 0 else 1)


def test_an_index_is_deleted_with_all_it_holds_also_what_was_on_its_way(world):
    world.catalog.indexes.create("gone")
    world.fill("gone", 100, 1)
    world.catalog.indexes.delete("gone")
    assert world.catalog.indexes.datatype("gone") is None, "receivers take nothing more for it"
    world.retention.once()
    assert world.rows("gone") == 0
    world.fill("gone", 1)
    # Another process goes on where one was killed.
    world.retention = world.restarted()
    world.retention.once()
    world.retention.once()
    assert world.rows("gone") == 0 and "gone" not in [index.name for index in world.catalog.indexes.all()]
    assert world.actions() == ["deleted", "deleted"]
    world.catalog.indexes.create("gone")


def test_what_cannot_be_limited_or_deleted_is_refused(world):
    with pytest.raises(UserError, match="cannot be deleted"):
        world.catalog.indexes.delete("main")
    with pytest.raises(NotFound):
        world.catalog.indexes.delete("never")
    with pytest.raises(NotFound):
        world.catalog.indexes.set_limits("never", 1)
    with pytest.raises(UserError, match="0 or more"):
        world.catalog.indexes.set_limits("main", -1)


def test_an_index_that_fails_does_not_keep_the_others_waiting(world, monkeypatch):
    for name in ("a", "b"):
        world.catalog.indexes.create(name)
        world.catalog.indexes.set_limits(name, max_age_s=10 * DAY)
        world.fill(name, 100)
    real = world.store.execute

    def fails(sql, **options):
        if "DROP" in sql and fails.first:
            fails.first = False
            raise OSError("no room")
        return real(sql, **options)

    fails.first = True
    monkeypatch.setattr(world.store, "execute", fails)
    world.retention.once()
    assert (world.rows("a"), world.rows("b")) == (1, 0)
    assert world.actions() == ["failed", "removed"]
