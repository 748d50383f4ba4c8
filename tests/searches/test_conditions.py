"""Conditions of `search` that a script cannot show: the job's own range of time, and terms that name saved searches."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from world import NOW, World

from sightline.errors import SearchError


@pytest.fixture
def hours(world: World) -> World:
    """Events of index `h`, one an hour: n=0 is a second old, n=1 an hour and a second, and so on to n=5."""
    world.clear()
    world.add_events("h", [{"_time": NOW - 1 - 3600 * n, "n": n} for n in range(6)])
    return world


def found(world: World, text: str, **options: object) -> list[int]:
    table = world.engine.run(text + " | table n", now=NOW, **options).table
    return sorted(table["n"].to_pylist()) if table.num_rows else []


HOUR = {"earliest": NOW - 3600, "latest": NOW}


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("index=h", [0]),
        ("index=h earliest=-150m", [0, 1, 2]),
        ("index=h latest=-150m", [3, 4, 5]),
        # An alternative with bounds of its own does not heed the job's range, the others keep it.
        ("index=h (earliest=-150m n>0) OR n<5", [0, 1, 2]),
        ("index=h (earliest=-5h latest=-3h) OR (earliest=-90m)", [0, 1, 3, 4]),
        ("index=h (latest=-3h) OR nosuch=1", [3, 4, 5]),
        # A comparison with _time is a condition like others.
        ("index=h _time>0 OR n=5", [0]),
    ],
)
def test_bounds_in_the_text_and_of_the_job(hours: World, text: str, wanted: list[int]) -> None:
    assert found(hours, text, **HOUR) == wanted


def test_a_term_can_name_a_saved_search(hours: World, monkeypatch: pytest.MonkeyPatch) -> None:
    saved = {
        "small": "index=h n<3 | stats count",
        "again": "savedsearch=small",
        "rows": "| makeresults",
        "none": "",
        "broken": "index=h (",
    }
    kept = {name: SimpleNamespace(search=text, earliest="", latest="") for name, text in saved.items()}
    monkeypatch.setattr(hours.knowledge, "saved_search", kept.get)
    assert found(hours, "savedsearch=small") == [0, 1, 2]
    assert found(hours, 'index=h NOT savedsearch="small" n!=5') == [3, 4]
    for name, complaint in {
        "missing": 'there is no saved search "missing"',
        "again": "names another saved search",
        "rows": "does not begin with a search",
        "none": "does not begin with a search",
        "broken": 'cannot be read: wanted "\\)"',
    }.items():
        with pytest.raises(SearchError, match=complaint) as error:
            found(hours, f"index=h savedsearch={name}")
        assert error.value.span is not None and error.value.span.start == 8
