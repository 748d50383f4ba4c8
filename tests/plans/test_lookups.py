"""Small lookups are written into the statement and asked once for each text of a dictionary; they find what a join finds."""

from __future__ import annotations

import pyarrow as pa
import pytest

from sightline.catalog import Catalog
from sightline.catalog.knowledge import CatalogKnowledge
from sightline.config import Settings
from sightline.ml import ModelRegistry
from sightline.search.engine import SearchEngine
from sightline.search.planner.lookups import MOST_WRITTEN_OUT

ROWS = pa.table(
    {
        "host": ["a", "b", "it's", "nobody", None],
        "team": ["red", None, "blu\\e'", "grey", "none"],
        "floor": ["1", "2", "", "4", "5"],
    }
)
MANY = pa.table(
    {
        "host": [f"h{n}" for n in range(MOST_WRITTEN_OUT)],
        "team": ["far"] * MOST_WRITTEN_OUT,
        "floor": ["9"] * MOST_WRITTEN_OUT,
    }
)


@pytest.fixture
def engine(store, tmp_path) -> SearchEngine:
    catalog = Catalog(tmp_path / "catalog")
    catalog.indexes.ensure("web", "event")
    catalog.lookups.write("few", ROWS)
    catalog.lookups.write("many", pa.concat_tables([ROWS, MANY]))
    store.append_events("web", pa.table({"host": ["a", "a", "b", "it's", "A", None], "n": [1, 2, 3, 4, 5, 6]}))
    folder = tmp_path / "models"
    return SearchEngine(store, CatalogKnowledge(catalog), ModelRegistry(folder), Settings(data=tmp_path))


@pytest.mark.parametrize(
    "lookup",
    [
        "lookup {} host OUTPUT team",
        "lookup {} host OUTPUT team floor AS storey",
        "lookup {} host",
        'eval team="own" | lookup {} host OUTPUTNEW team floor',
        'eval team="own" | lookup {} host OUTPUT team',
        "lookup {} host OUTPUT team | search team=*",
    ],
)
def test_written_out_or_joined_the_rows_are_the_same(engine, lookup):
    search = f"index=web | {lookup} | sort n | table n host team floor storey"
    few, many = (engine.run(search.format(name)) for name in ("few", "many"))
    assert few.table.to_pylist() == many.table.to_pylist()
    assert few.table.num_rows


def test_only_small_lookups_are_written_out(engine):
    def statement(name: str) -> str:
        found = engine.explain(f"index=web | lookup {name} host OUTPUT team | stats count by team")
        return next(one["text"] for one in found if one["name"] == "sql")

    assert "transform(" in statement("few") and "JOIN" not in statement("few")
    assert "transform(" not in statement("many") and "JOIN" in statement("many")
