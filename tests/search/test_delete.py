"""`delete` takes exactly the chosen events out of the store, for those who may, and refuses what it cannot mean."""

from __future__ import annotations

import pyarrow as pa
import pytest

from sightline.config import Settings
from sightline.errors import SearchError
from sightline.search.engine import SearchEngine

NOW = 1_700_000_000.0


class Knowledge:
    """Two indexes and nothing else."""

    kinds = {"kept": "event", "cut": "event", "m": "metric"}

    def macro(self, name, count):
        return None

    def stanzas(self, kind):
        return {}

    def stanzas_version(self):
        return 0

    def indexes(self):
        return self.kinds

    def index_datatype(self, name):
        return self.kinds.get(name)

    def default_indexes(self, user):
        return ["kept", "cut"]

    def lookup(self, name):
        return pa.table({"host": ["a"], "team": ["red"]})


class Roles:
    """A program in which only ada is an administrator."""

    def role(self, user):
        return "admin" if user == "ada" else "user"


@pytest.fixture
def engine(store, tmp_path) -> SearchEngine:
    store.execute("TRUNCATE TABLE sightline.events")
    for index in ("kept", "cut"):
        table = {"_time": [NOW + n for n in range(6)], "host": ["a", "b"] * 3, "n": list(range(6)), "_raw": ["x needle"] * 6}
        store.append_events(index, pa.table(table))
    made = SearchEngine(store, Knowledge(), None, Settings(data=tmp_path))
    made.surroundings = Roles()
    return made


def rows(engine, text, user="ada"):
    return engine.run(text, user=user, now=NOW + 100).table.to_pylist()


def test_the_chosen_events_are_gone_and_told(engine):
    found = rows(engine, "index=cut host=a needle | where n>0 | delete")
    assert found == [
        {"splunk_server": "local", "index": "__ALL__", "deleted": 2, "errors": 0},
        {"splunk_server": "local", "index": "cut", "deleted": 2, "errors": 0},
    ]
    assert rows(engine, "index=cut | stats values(n) as n count") == [{"n": ["0", "1", "3", "5"], "count": 4}]
    assert rows(engine, "index=kept | stats count") == [{"count": 6}]
    assert rows(engine, "| tstats count where index=cut") == [{"count": 4}]
    assert rows(engine, "| eventcount index=cut") == [{"count": 4}]


def test_times_and_several_indexes_are_told_apart(engine):
    found = rows(engine, f"index=* earliest={NOW + 4:.0f} latest={NOW + 5:.0f} | eval x=n*2 | delete")
    assert [(row["index"], row["deleted"]) for row in found] == [("__ALL__", 2), ("cut", 1), ("kept", 1)]
    assert rows(engine, "index=* | stats count") == [{"count": 10}]


def test_nothing_found_removes_nothing(engine):
    assert rows(engine, "index=cut host=nobody | delete") == [
        {"splunk_server": "local", "index": "__ALL__", "deleted": 0, "errors": 0}
    ]
    assert rows(engine, "index=* | stats count") == [{"count": 12}]


@pytest.mark.parametrize(
    "text",
    [
        "index=cut | head 1 | delete",
        "index=cut | stats count by host | delete",
        "index=cut | lookup teams host | delete",
        "index=cut | dedup host | delete",
        "| makeresults | delete",
    ],
)
def test_other_rows_are_refused(engine, text):
    with pytest.raises(SearchError, match="delete: wants a search that chooses stored events"):
        rows(engine, text)
    assert rows(engine, "index=* | stats count") == [{"count": 12}]


def test_only_administrators_may(engine):
    with pytest.raises(SearchError, match='delete: "bob" may not delete events, only administrators may'):
        rows(engine, "index=cut | delete", user="bob")
    assert rows(engine, "index=* | stats count") == [{"count": 12}]


def test_a_plan_removes_nothing(engine):
    engine.explain("index=cut | delete", now=NOW, user="ada")
    assert rows(engine, "index=* | stats count") == [{"count": 12}]
