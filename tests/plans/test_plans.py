"""What the planner decides, as text: each case of a `.plan` file is a search and the SQL it becomes.

A case is a comment (the rule), the line `search …`, and the SQL indented by two spaces. `--rewrite` writes what the planner
gives now; the difference is what a reviewer reads. Plans speak of SQL only, the scripts under tests/searches of rows only.
"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pytest

from sightline.catalog import Catalog
from sightline.catalog.knowledge import CatalogKnowledge
from sightline.config import Settings
from sightline.ml import ModelRegistry
from sightline.search.engine import SearchEngine

FILES = sorted(Path(__file__).parent.glob("*.plan"))
NOW = 1_700_000_000.0
MODEL = {
    "modelName": "Web",
    "objects": [
        {
            "objectName": "Requests",
            "parentName": "BaseEvent",
            "constraints": [{"search": "index=web status=*"}],
            "fields": [{"fieldName": "user"}],
            "calculations": [
                {
                    "calculationType": "Eval",
                    "expression": 'if(status>=400, "bad", "good")',
                    "outputFields": [{"fieldName": "verdict"}],
                }
            ],
        },
        {"objectName": "Failed", "parentName": "Requests", "constraints": [{"search": "verdict=bad"}]},
    ],
}


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "plan_file" in metafunc.fixturenames:
        metafunc.parametrize("plan_file", FILES, ids=lambda p: p.stem)


@pytest.fixture(scope="module")
def engine(store, tmp_path_factory) -> SearchEngine:
    folder = tmp_path_factory.mktemp("plans")
    catalog = Catalog(folder)
    catalog.indexes.ensure("web", "event")
    catalog.indexes.ensure("m", "metric")
    catalog.data_models.save(MODEL)
    store.append_events(
        "web",
        pa.table(
            {
                "_time": [NOW - 86_400, NOW],
                "host": ["a", "a"],
                "status": [200, 200],
                "ms": [1.5, 1.5],
                "user": ["u", "u"],
                "tags": pa.array([["x", "y"]] * 2, pa.list_(pa.string())),
            }
        ),
    )
    store.append_metrics("m", pa.table({"metric_name": ["cpu"], "value": [1.0], "_time": [NOW], "zone": ["eu"]}))
    return SearchEngine(store, CatalogKnowledge(catalog), ModelRegistry(folder / "models"), Settings(data=folder))


@pytest.fixture(scope="module")
def configured(store, tmp_path_factory) -> SearchEngine:
    """An engine whose catalog has settings for events, which every other plan is without."""
    folder = tmp_path_factory.mktemp("configured")
    catalog = Catalog(folder)
    catalog.indexes.ensure("access", "event")
    store.append_events(
        "access",
        pa.table({"_time": [NOW], "sourcetype": ["access"], "user": ["u"], "_raw": ["client=10.0.0.1 agent=curl in 3 ms"]}),
    )
    catalog.lookups.write("zones.csv", pa.table({"address": ["10.0.0.1"], "zone": ["lab"]}))
    catalog.stanzas["props"].put(
        "access",
        {
            "EXTRACT-client": r"client=(?<client>\S+) agent=(?<agent>\w+)",
            "EVAL-seconds": "user/1000",
            "LOOKUP-zone": "zones.csv address AS client OUTPUT zone",
        },
    )
    catalog.stanzas["eventtypes"].put("curls", {"search": "sourcetype=access agent=curl needle"})
    catalog.stanzas["tags"].put("eventtype=curls", {"robot": "enabled"})
    return SearchEngine(store, CatalogKnowledge(catalog), ModelRegistry(folder / "models"), Settings(data=folder))


def read_cases(path: Path) -> list[tuple[str, str, str]]:
    """(comment lines, search, expected SQL) of each case."""
    cases = []
    for block in path.read_text().strip().split("\n\n"):
        lines = block.split("\n")
        comments = [x for x in lines if x.startswith("#")]
        searches = [x for x in lines if x.startswith("search ")]
        assert len(searches) == 1, f"{path.name}: a case has one search: {block}"
        expected = "\n".join(x[2:] for x in lines if x.startswith("  "))
        cases.append(("\n".join(comments), searches[0], expected))
    return cases


def planned(engine: SearchEngine, search: str) -> str:
    text = search.removeprefix("search ")
    stages = engine.explain(text if text.startswith("|") else text, now=NOW)
    return next(stage["text"] for stage in stages if stage["name"] == "sql")


def test_plans(engine: SearchEngine, configured: SearchEngine, plan_file: Path, request: pytest.FixtureRequest) -> None:
    cases = read_cases(plan_file)
    chosen = configured if plan_file.stem == "knowledge" else engine
    found = [planned(chosen, search) for _, search, _ in cases]
    if request.config.getoption("--rewrite"):
        blocks = [
            "\n".join(filter(None, [comment, search, *("  " + line for line in sql.split("\n"))]))
            for (comment, search, _), sql in zip(cases, found, strict=True)
        ]
        plan_file.write_text("\n\n".join(blocks) + "\n")
        return
    for (comment, search, expected), sql in zip(cases, found, strict=True):
        assert sql == expected, f"{plan_file.name}: {comment}\n{search}"
