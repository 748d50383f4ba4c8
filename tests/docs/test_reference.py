"""The reference says what the program declares, and every example in it runs."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path

import pyarrow as pa
import pytest
from mmdb import write_database

from sightline.catalog import Catalog
from sightline.catalog.knowledge import CatalogKnowledge
from sightline.config import Settings
from sightline.ml import ModelRegistry
from sightline.search import registry
from sightline.search.engine import SearchEngine
from sightline.search.jobs import JobManager

DOCS = Path(__file__).parents[2] / "docs"
registry.load()
COMMANDS = sorted({entry.name: entry for entry in registry.COMMANDS.values()}.items())
FUNCTIONS = sorted({**registry.FUNCTIONS, **registry.AGGREGATES}.items())
NOW = 1_700_000_000.0
MODEL = {
    "modelName": "Web",
    "objects": [
        {
            "objectName": "Web",
            "parentName": "BaseEvent",
            "constraints": [{"search": "index=web"}],
            "fields": [{"fieldName": name} for name in ("status", "method", "user")],
        },
        {"objectName": "Proxy", "parentName": "Web", "constraints": [{"search": "status=*"}]},
    ],
}


class Program:
    """What is around the searches of the examples: resources to read, and somebody who takes messages."""

    def role(self, user):
        return "admin"

    def resource(self, path, arguments, user):
        return [{"title": "Errors by host", "cron_schedule": "", "next_scheduled_time": ""}]

    def send_alert(self, action, parameters, rows, about):
        return "taken"

    def send_email(self, message, rows, about):
        return "taken"


def generator():
    spec = importlib.util.spec_from_file_location("generate_reference", DOCS / "generate_reference.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_pages_are_up_to_date() -> None:
    stale = [
        name
        for name, text in generator().pages().items()
        if not (DOCS / "reference" / name).exists() or (DOCS / "reference" / name).read_text() != text.rstrip() + "\n"
    ]
    assert not stale, f"run python docs/generate_reference.py: {stale}"


@pytest.fixture(scope="module")
def engine(store, tmp_path_factory) -> Iterator[SearchEngine]:
    """A small world in which the examples make sense."""
    folder = tmp_path_factory.mktemp("examples")
    write_database(folder / "iplocation.mmdb", {"198.51.101.0/24": {"city": {"names": {"en": "Bonn"}}}})
    catalog = Catalog(folder)
    for name in ("web", "api", "wine", "summary", "main"):
        catalog.indexes.ensure(name, "event")
    for name in ("my_metrics", "my_model_metrics"):
        catalog.indexes.ensure(name, "metric")
    catalog.lookups.write("users.csv", pa.table({"id": ["1", "2"], "name": ["a", "b"], "team": ["search", "ads"]}))
    catalog.lookups.write(
        "people", pa.table({"id": ["u1", "u2"], "user": ["u1", "u2"], "name": ["a", "b"], "team": ["x", "y"]})
    )
    square = '{"type": "Polygon", "coordinates": [[[0, 0], [0, 1], [1, 1], [0, 0]]]}'
    catalog.lookups.write("squares", pa.table({"featureId": ["Square"], "geom": [square]}))
    rows = 60
    store.append_events(
        "web",
        pa.table(
            {
                "_time": [NOW - 60 * i for i in range(rows)],
                "_raw": [f"GET /api/v1/x user=u{i % 3} took {i} ms" for i in range(rows)],
                "host": [f"web-{i % 3}" for i in range(rows)],
                "uri": [f"/api/v{i % 2}/x" for i in range(rows)],
                "status": [200 + 100 * (i % 4) for i in range(rows)],
                "duration_ms": [10.5 * i for i in range(rows)],
                "user": [f"u{i % 3}" for i in range(rows)],
                "user_id": [str(i % 3) for i in range(rows)],
                "x": list(range(rows)),
                "y": [i * i for i in range(rows)],
            }
        ),
    )
    store.append_events(
        "wine",
        pa.table(
            {
                "_time": [NOW - i for i in range(rows)],
                "partition": ["train" if i % 3 else "test" for i in range(rows)],
                "user": [("red", "white")[i % 2] for i in range(rows)],
                "alcohol": [12.0 + (i % 2) + 0.01 * i for i in range(rows)],
                "color": [("dark", "light")[i % 2] for i in range(rows)],
            }
        ),
    )
    store.append_metrics(
        "my_model_metrics",
        pa.table(
            {
                "metric_name": ["mlops.score"] * 4,
                "value": [0.5, 0.6, 0.7, 0.8],
                "_time": [NOW - i for i in range(4)],
                "operation": list("abab"),
            }
        ),
    )
    catalog.data_models.save(MODEL)
    catalog.searches.create(name="Errors by host", search="index=web | stats count by host")
    catalog.csv_files.write("report.csv", pa.table({"status": [200, 500]}))
    times = {"info_min_time": [0.0, 60.0], "info_max_time": [60.0, 120.0]}
    store.append_events("summary", pa.table({"_time": [NOW - 9, NOW - 8], "source": ["nightly"] * 2, **times}))
    made = SearchEngine(store, CatalogKnowledge(catalog), ModelRegistry(folder / "models"), Settings(data=folder))
    made.surroundings = Program()
    jobs = JobManager(made, made.settings, data_dir=folder)
    jobs.wait(jobs.create("index=web | stats count by host", label="search: Errors by host", now=NOW).sid)
    yield made
    jobs.close()


@pytest.mark.parametrize(("name", "entry"), COMMANDS, ids=[name for name, _ in COMMANDS])
def test_every_command_has_a_reference_entry_whose_example_runs(
    engine: SearchEngine, name: str, entry: registry.CommandEntry
) -> None:
    found = entry.describe()
    assert found["summary"].endswith("."), name
    assert found["syntax"].startswith(name), name
    example = found["example"]
    assert name in example or name == "search", name
    if "usermodel" in example and name != "fit":
        engine.run(
            'index=wine partition="train" | fit RandomForestClassifier user from alcohol* color into usermodel', now=NOW
        )
    assert engine.check(example) == []
    engine.run(example, now=NOW)
    assert engine.print(engine.print(example)) == engine.print(example)


@pytest.mark.parametrize(("name", "entry"), FUNCTIONS, ids=[name for name, _ in FUNCTIONS])
def test_every_function_has_a_reference_entry(engine: SearchEngine, name: str, entry) -> None:
    found = entry.describe()
    assert found["summary"].endswith("."), name
    assert found["syntax"], name
    if found["example"]:
        text = found["example"]
        search = (
            text
            if "|" in text or text.startswith("index=")
            else f"| makeresults | {'stats' if found['kind'] == 'aggregate' else 'eval'} {text}"
        )
        engine.run(search, now=NOW)
