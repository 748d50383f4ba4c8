"""The bottles and how they are measured: the wine data set that ships with scikit-learn.

178 bottles from three growers. A bottle that is measured twice gives two slightly different readings, as in any
laboratory; that is how 178 bottles make a stream. The seven readings of the photometer drift as the instrument wears:
it loses light, and what is left is noisier.
"""

from __future__ import annotations

from functools import cache

import numpy as np
from sklearn.datasets import load_wine
from sklearn.model_selection import train_test_split

USERS = ("barolo", "grignolino", "barbera")
"""The growers' accounts, in the order of the data set's classes."""

READINGS = (
    "alcohol",
    "malic_acid",
    "ash",
    "alcalinity",
    "magnesium",
    "phenols",
    "flavanoids",
    "nonflavanoids",
    "proanthocyanins",
    "color_intensity",
    "hue",
    "od280",
    "proline",
)
"""The data set's columns, in its order, under shorter names."""

PHOTOMETER = ("phenols", "flavanoids", "proanthocyanins", "color_intensity", "hue", "od280", "proline")
"""Readings that come from the instrument that wears out."""

WAREHOUSES = ("north", "south", "east", "west")

MEASURING_ERROR = 0.02
"""Relative standard deviation of one reading."""
WORN_LOSS = 0.45
"""Share of the light a worn-out photometer no longer sees."""
WORN_NOISE = 1.3
"""Noise of a worn-out photometer, in standard deviations of the reading among all bottles. High enough that part of
the information is really lost: a model trained anew on these readings is better than the old one, but not good."""


@cache
def _data() -> tuple[np.ndarray, np.ndarray]:
    wine = load_wine()
    return wine.data, wine.target


@cache
def _training_bottles() -> frozenset[int]:
    values, target = _data()
    train, _ = train_test_split(np.arange(len(values)), test_size=0.3, stratify=target, random_state=1)
    return frozenset(int(i) for i in train)


def bottle_count() -> int:
    return len(_data()[0])


def user_of(bottle: int) -> str:
    """The truth: whose bottle it is."""
    return USERS[int(_data()[1][bottle])]


def partition_of(bottle: int) -> str:
    """`train` or `test`. A bottle stays on one side however often it is measured, or the test would prove nothing."""
    return "train" if bottle in _training_bottles() else "test"


def warehouse_of(bottle: int) -> str:
    return WAREHOUSES[bottle % len(WAREHOUSES)]


def measure(bottle: int, wear: float, random: np.random.Generator) -> dict[str, float]:
    """One measurement of a bottle by a photometer of this wear (0 new, 1 worn out)."""
    values = _data()[0]
    spread = values.std(axis=0)
    readings = {}
    for column, name in enumerate(READINGS):
        reading = values[bottle, column] * (1 + random.normal(0, MEASURING_ERROR))
        if name in PHOTOMETER:
            reading = reading * (1 - WORN_LOSS * wear) + random.normal(0, WORN_NOISE * wear * spread[column] + 1e-12)
        readings[name] = round(max(0.0, float(reading)), 4)
    return readings
