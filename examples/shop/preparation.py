"""From a laboratory's readings to a model's features. The feature service and the training use the same code."""

from __future__ import annotations

from collections.abc import Mapping

COLOURS = ((3.5, "pale"), (5.5, "medium"), (float("inf"), "deep"))
"""Upper bounds of colour intensity, and what a merchant calls the wines below."""
STRENGTHS = ((12.5, "light"), (13.5, "medium"), (float("inf"), "strong"))
"""The same for alcohol, in percent by volume."""

NUMERIC = (
    "malic_acid",
    "ash",
    "alcalinity",
    "magnesium",
    "phenols",
    "flavanoids",
    "nonflavanoids",
    "proanthocyanins",
    "hue",
    "od280",
    "proline",
)
CATEGORICAL = ("colour", "strength")


def prepare(readings: Mapping[str, float | None]) -> dict[str, float | str | None]:
    """Features of a bottle: its readings, with colour and alcohol in words. A missing reading stays missing."""
    features: dict[str, float | str | None] = {name: readings.get(name) for name in NUMERIC}
    features["colour"] = _binned(readings.get("color_intensity"), COLOURS)
    features["strength"] = _binned(readings.get("alcohol"), STRENGTHS)
    return features


def _binned(value: float | None, bins: tuple[tuple[float, str], ...]) -> str | None:
    return None if value is None else next(name for bound, name in bins if value < bound)
