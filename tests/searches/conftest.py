"""The world the search scripts run in, and the flag that rewrites them."""

from __future__ import annotations

from typing import Any

import pytest
from world import World


@pytest.fixture(scope="module")
def world(store: Any, tmp_path_factory: pytest.TempPathFactory) -> World:
    return World(store, tmp_path_factory.mktemp("searches"))
