"""An engine over the shared store, with a catalog of this test."""

from __future__ import annotations

import pytest

from sightline.catalog import Catalog
from sightline.catalog.knowledge import CatalogKnowledge
from sightline.config import Settings
from sightline.ml import ModelRegistry
from sightline.search.engine import SearchEngine


@pytest.fixture
def engine_with(store, tmp_path):
    """Makes an engine whose catalog has these event indexes."""
    catalog = Catalog(tmp_path / "catalog")

    def make(*indexes: str) -> SearchEngine:
        for index in indexes:
            catalog.indexes.ensure(index, "event")
        models = ModelRegistry(tmp_path / "models")
        return SearchEngine(store, CatalogKnowledge(catalog), models, Settings(data=tmp_path))

    yield make
    catalog.close()
