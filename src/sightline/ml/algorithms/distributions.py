"""Distributions of one number: learned from values, and where they are thinnest.

Four kinds: normal, exponential, beta, and a kernel density estimate. What is kept is plain arrays.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass
from typing import Any

import numpy as np
from scipy import stats

KEPT_VALUES = 1000
"""Values of a group that are kept, evenly spaced in rank: the base of its density estimate and of later partial fits."""
JUDGED_VALUES = 400
"""Values by which the width of a density estimate is chosen; the work grows with their square."""
GRID_POINTS = 512
"""Points at which a density is drawn to find where it is lowest."""


@dataclass(frozen=True, slots=True)
class Density:
    """One group's distribution. `values` are its kept values, ascending; the first two parameters are place and width."""

    kind: str
    parameters: np.ndarray
    values: np.ndarray

    def pdf(self, x: np.ndarray) -> np.ndarray:
        """The density at x."""
        if self.kind == "gaussian_kde":
            grid, drawn = self._drawn()
            return np.interp(x, grid, drawn, left=0.0, right=0.0)
        return self._frozen().pdf(x)

    def quantile(self, share: np.ndarray | float) -> np.ndarray:
        """The value below which a share of the distribution lies."""
        if self.kind == "gaussian_kde":
            grid, drawn = self._drawn()
            mass = np.concatenate([[0.0], np.cumsum((drawn[1:] + drawn[:-1]) / 2)])
            return np.interp(share, mass / mass[-1], grid)
        return self._frozen().ppf(share)

    def distribution_function(self, x: np.ndarray) -> np.ndarray:
        """The share of the distribution below x."""
        if self.kind == "gaussian_kde":
            grid, drawn = self._drawn()
            mass = np.concatenate([[0.0], np.cumsum((drawn[1:] + drawn[:-1]) / 2)])
            return np.interp(x, grid, mass / mass[-1])
        return self._frozen().cdf(x)

    def support(self) -> tuple[float, float]:
        """Where there is any density to speak of."""
        if self.kind == "gaussian_kde":
            width = self.parameters[1]
            return self.values[0] - 4 * width, self.values[-1] + 4 * width
        return self._frozen().support()

    def outlying(self, threshold: float) -> list[tuple[float, float, float]]:
        """The ranges of lowest density that together hold a share `threshold`: from, to, share. Ascending."""
        if self.kind == "norm":
            low, high = self.quantile(np.array([threshold / 2, 1 - threshold / 2]))
            return [(-np.inf, float(low), threshold / 2), (float(high), np.inf, threshold / 2)]
        if self.kind == "expon":
            return [
                (-np.inf, float(self.parameters[0]), 0.0),
                (float(self.quantile(1 - threshold)), np.inf, threshold),
            ]
        return _lowest(self.kind, self.parameters.tobytes(), self.values.tobytes(), threshold)

    def beyond(self, low_share: float | None, high_share: float | None) -> list[tuple[float, float, float]]:
        """The ranges at the ends that hold the given shares."""
        ranges = []
        if low_share is not None:
            ranges.append((-np.inf, float(self.quantile(low_share)), low_share))
        if high_share is not None:
            ranges.append((float(self.quantile(1 - high_share)), np.inf, high_share))
        return ranges

    def _frozen(self) -> Any:
        if self.kind == "beta":
            place, width, a, b = self.parameters
            return stats.beta(a, b, place, width)
        return getattr(stats, self.kind)(*self.parameters[:2])

    def _drawn(self) -> tuple[np.ndarray, np.ndarray]:
        grid = np.linspace(*self.support(), GRID_POINTS)
        width = self.parameters[1]
        scaled = (grid[:, None] - self.values[None, :]) / width
        return grid, np.exp(-0.5 * scaled**2).sum(axis=1) / (len(self.values) * width * np.sqrt(2 * np.pi))


@functools.lru_cache(maxsize=2 * 1024)
def _lowest(kind: str, parameters: bytes, values: bytes, threshold: float) -> list[tuple[float, float, float]]:
    """Cells of a grid, thinnest first, until they hold the share; neighbours are joined to ranges.

    Kept for the groups of two models: rows come in many batches, and the ranges of a group stay the same.
    """
    density = Density(kind, np.frombuffer(parameters), np.frombuffer(values))
    edges = np.linspace(*density.support(), GRID_POINTS * 4 + 1)
    mass = np.diff(density.distribution_function(edges))
    order = np.argsort(mass, kind="stable")
    held = np.cumsum(mass[order]) / mass.sum()
    thin = np.zeros(len(mass), dtype=bool)
    thin[order[: np.searchsorted(held, threshold, side="right")]] = True
    starts = np.flatnonzero(thin & ~np.concatenate([[False], thin[:-1]]))
    ends = np.flatnonzero(thin & ~np.concatenate([thin[1:], [False]]))
    ranges = [
        (float(edges[a]), float(edges[b + 1]), float(mass[a : b + 1].sum())) for a, b in zip(starts, ends, strict=True)
    ]
    # What lies beyond the grid is outlying too, whatever the threshold.
    if ranges and ranges[0][0] == edges[0]:
        ranges[0] = (-np.inf, *ranges[0][1:])
    else:
        ranges.insert(0, (-np.inf, float(edges[0]), 0.0))
    if ranges[-1][1] == edges[-1]:
        ranges[-1] = (ranges[-1][0], np.inf, ranges[-1][2])
    else:
        ranges.append((float(edges[-1]), np.inf, 0.0))
    return ranges


def learn_density(values: np.ndarray, kinds: tuple[str, ...], metric: str) -> tuple[Density, float]:
    """The distribution of the kinds that is nearest to the values, and its distance from them.

    A density estimate follows its own rows and would nearly always be nearest. It is taken where no other kind comes
    within what chance explains.
    """
    ordered = np.sort(values)
    kept = ordered if len(values) <= KEPT_VALUES else ordered[evenly_ranked(len(values), KEPT_VALUES)]
    found = {kind: _fitted(kind, values, ordered, kept) for kind in kinds}
    distances = {kind: _distance(density, kept, metric) for kind, density in found.items()}
    best = min(kinds, key=distances.__getitem__)
    by_chance = 2 / np.sqrt(len(values)) * (0.8 * ordered.std() if metric == "wasserstein" else 1.0)
    others = [kind for kind in kinds if kind != "gaussian_kde" and distances[kind] <= by_chance]
    if best == "gaussian_kde" and others:
        best = min(others, key=distances.__getitem__)
    return found[best], distances[best]


def _bandwidth(values: np.ndarray) -> float:
    """The width under which values are likeliest given the others, among Scott's rule and parts of it.

    Scott's rule alone spreads rows that stand in several places far over the gaps between them.
    """
    rule = float(values.std()) * len(values) ** -0.2
    if rule == 0 or len(values) < 3:
        return rule
    some = values if len(values) <= JUDGED_VALUES else values[np.random.default_rng(0).choice(len(values), JUDGED_VALUES)]
    gaps = (some[:, None] - some[None, :]) ** 2
    np.fill_diagonal(gaps, np.inf)
    gaps[gaps == 0] = np.inf  # Equal values say nothing about a width, but would pull it to nothing.
    best, likeliest = rule, -np.inf
    for part in (1.0, 0.5, 0.25, 0.125):
        width = rule * part
        likelihood = np.log(np.maximum(np.exp(-0.5 * gaps / width**2).sum(axis=1) / width, 1e-300)).sum()
        if likelihood > likeliest:
            best, likeliest = width, likelihood
    return best


def evenly_ranked(count: int, kept: int) -> np.ndarray:
    """The places of so many evenly spaced ranks."""
    return np.linspace(0, count - 1, kept).round().astype(int)


def _fitted(kind: str, unordered: np.ndarray, values: np.ndarray, kept: np.ndarray) -> Density:
    mean, width = float(values.mean()), float(values.std())
    smallest = max(abs(mean) * 1e-9, 1e-12)  # A constant: everything else is outlying, and nothing divides by zero.
    low, high = float(values[0]), float(values[-1])
    if kind == "norm":
        parameters = [mean, max(width, smallest)]
    elif kind == "expon":
        parameters = [low, max(mean - low, smallest)]
    elif kind == "gaussian_kde":
        parameters = [mean, max(_bandwidth(unordered), smallest)]
    else:
        margin = max((high - low) * 1e-3, smallest)
        place, span = low - margin, high - low + 2 * margin
        m, v = (mean - place) / span, max((width / span) ** 2, 1e-12)
        both = max(m * (1 - m) / v - 1, 1e-3)
        parameters = [place, span, max(m * both, 1e-3), max((1 - m) * both, 1e-3)]
    return Density(kind, np.array(parameters + [0.0] * (4 - len(parameters))), kept)


def _distance(density: Density, values: np.ndarray, metric: str) -> float:
    ranks = (np.arange(len(values)) + 0.5) / len(values)
    if metric == "wasserstein":
        return float(np.abs(values - density.quantile(ranks)).mean())
    return float(np.abs(density.distribution_function(values) - ranks).max())
