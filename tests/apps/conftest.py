"""Small apps of our own wording, written to disk for a test."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path

import pytest
from appfiles import write_files


@pytest.fixture
def app(tmp_path) -> Callable[..., Path]:
    """Makes a folder with an app: `app({"default/macros.conf": "..."}, name="shop")`."""

    def make(files: Mapping[str, str | bytes], name: str = "shop") -> Path:
        return write_files(tmp_path / name, files)

    return make
