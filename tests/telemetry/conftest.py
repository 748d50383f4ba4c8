"""An OTLP endpoint for each test."""

from __future__ import annotations

import pytest

import sightline

from .sink import Sink


@pytest.fixture
def sink():
    made = Sink()
    yield made
    sightline.shutdown()
    made.close()
