"""`word*` is answered by the text index's dictionary, and says the same as reading every text."""

from __future__ import annotations

import random
import re
from pathlib import Path

import pyarrow as pa
import pytest

from sightline.catalog import Catalog
from sightline.catalog.knowledge import CatalogKnowledge
from sightline.config import Settings
from sightline.ml import ModelRegistry
from sightline.search.engine import SearchEngine
from sightline.store import appending

NOW = 1_700_000_000.0
PIECES = [
    "err",
    "error",
    "ERROR",
    "errör",
    "er",
    "x",
    "9",
    "90",
    "日本",
    "日",
    "Ünï",
    "_",
    "-",
    "=",
    " ",
    ".",
    "/",
    '"',
    "\n",
]
BEGINNINGS = ["err", "Err", "er", "error", "errö", "9", "90", "x", "日", "ünï", "日本", "erx", "nosuch"]


@pytest.fixture(scope="module")
def texts() -> list[str]:
    source = random.Random(5)
    return ["".join(source.choices(PIECES, k=source.randrange(1, 7))) for _ in range(400)]


@pytest.fixture(scope="module")
def engine(store, texts, tmp_path_factory) -> SearchEngine:
    folder = tmp_path_factory.mktemp("words")
    catalog = Catalog(folder)
    catalog.indexes.ensure("words", "event")
    rows = pa.table({"_time": [NOW - n for n in range(len(texts))], "_raw": texts, "n": list(range(len(texts)))})
    # Two parts that were merged, one that was not, and one whose words are not in the index yet.
    for start in (0, 100):
        store.append_events("words", rows.slice(start, 100))
    store.execute("OPTIMIZE TABLE sightline.events FINAL")
    store.append_events("words", rows.slice(200, 100))
    last = rows.slice(300)
    store.insert_rows(
        "events",
        appending.events_rows("words", last),
        tables={appending.TABLE_NAME: last},
        settings={"exclude_materialize_skip_indexes_on_insert": "raw_text"},
    )
    settings = Settings(data=Path(folder))
    return SearchEngine(store, CatalogKnowledge(catalog), ModelRegistry(folder / "models"), settings)


def begins(text: str, begun: str) -> bool:
    """Whether a word of the text begins so; words end at ASCII characters that are no letters and no digits."""
    return any(word.startswith(begun.lower()) for word in re.split(r"[\x00-/:-@\[-`{-\x7f]+", text.lower()) if word)


@pytest.mark.parametrize("most", [10_000, 1], ids=["by the dictionary", "by reading"])
@pytest.mark.parametrize("begun", BEGINNINGS)
def test_the_beginning_of_a_word(engine, texts, begun: str, most: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sightline.search.planner.lower.MOST_WORDS", most)
    wanted = [n for n, text in enumerate(texts) if begins(text, begun)]
    for search, expected in (
        (f"index=words {begun}*", wanted),
        (f"index=words NOT {begun}*", [n for n in range(len(texts)) if n not in wanted]),
    ):
        found = engine.run(f"{search} | table n", now=NOW + 1).table
        assert sorted(found["n"].to_pylist() if "n" in found.column_names else []) == expected, search


def test_the_dictionary_is_used_and_read_no_further_than_it_may(engine, store) -> None:
    statement = next(s["text"] for s in engine.explain("index=words err*", now=NOW + 1) if s["name"] == "sql")
    assert "hasAnyTokens" in statement and "match(" not in statement
    assert store.words_beginning("err", 10_000) == sorted(store.words_beginning("err", 10_000) or [])
    assert store.words_beginning("er", 1) is None
    assert store.words_beginning("nosuch", 1) == []
