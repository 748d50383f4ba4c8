"""A store in a directory of its own for every test."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from sightline.config import Settings
from sightline.store import EmbeddedStore


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(tmp_path / "engine", Settings(data=tmp_path))
    yield opened
    opened.close()
