"""How often `chart` and `timechart` read the stored events."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest

from sightline.catalog import Catalog
from sightline.catalog.knowledge import CatalogKnowledge
from sightline.config import Settings
from sightline.ml import ModelRegistry
from sightline.search.engine import SearchEngine
from sightline.search.planner.cells import GLIMPSE_ROWS

NOW = 1_700_000_000.0
ROWS = 3 * GLIMPSE_ROWS


@pytest.fixture(scope="module")
def engine(store, tmp_path_factory) -> SearchEngine:
    folder = tmp_path_factory.mktemp("charts")
    catalog = Catalog(folder)
    catalog.indexes.ensure("web", "event")
    numbers = np.arange(ROWS)
    store.append_events(
        "web",
        pa.table(
            {
                "_time": NOW - 1 - numbers % 7200,
                "status": numbers % 5 * 100,
                "ms": numbers * 0.5,
                "user": pa.array([f"u{n % 40}" for n in numbers]),
                # Few different values, except among the rows that are stored last.
                "late": np.where(numbers < 2 * GLIMPSE_ROWS, numbers % 3, numbers),
            }
        ),
    )
    return SearchEngine(store, CatalogKnowledge(catalog), ModelRegistry(folder / "models"), Settings(data=folder))


def scans(engine: SearchEngine, text: str) -> int:
    """Statements that read all the events of a search."""
    result = engine.run(text, now=NOW, earliest=NOW - 7200, latest=NOW)
    statements = [step.text for step in result.steps if step.kind == "sql" and "sightline.events" in step.text]
    return sum("uniqUpTo(100)" not in text or "minOrNull" in text for text in statements)


@pytest.mark.parametrize(
    "text",
    [
        "index=web | timechart span=1h count by status",
        "index=web | timechart span=1h avg(ms) perc95(ms) by user",
        "index=web | timechart span=1h limit=2 count by status",
        "index=web | chart count over user by status",
        "index=web | chart avg(ms) over status by user",
        "index=web | chart count over status",
        "index=web | timechart span=1h count",
    ],
)
def test_a_chart_reads_the_events_once(engine: SearchEngine, text: str) -> None:
    assert scans(engine, text) == 1


def test_numbers_of_many_values_are_told_at_a_glance(engine: SearchEngine) -> None:
    # Once for how far they reach, once for the chart.
    assert scans(engine, "index=web | timechart span=1h count by ms") == 2


def test_a_wrong_glance_does_not_change_the_answer(engine: SearchEngine) -> None:
    result = engine.run("index=web | chart limit=0 count over status by late", now=NOW)
    names = [name for name in result.table.column_names if name != "status"]
    assert all("-" in name for name in names)
    assert sum(sum(result.table[name].to_pylist()) for name in names) == ROWS
