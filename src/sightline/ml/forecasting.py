"""Forecasts of a series of equal steps by state-space models and the Kalman filter. Numbers in, numbers out.

A model has a level that wanders, maybe a slope that wanders, and maybe a season: a mean for each phase of a period, written
as waves whose sizes wander. An observation is the level plus the season plus noise. How much each part wanders compared
with the noise is what is estimated: the filter runs for many candidates at once, the likeliest is refined one part at a
time, and the size of the noise follows from it. Nothing is searched step by step, so that no series can fail to converge.

A missing observation (NaN) is left out of the update; its own forecast is what fills it.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np

from sightline.ml.periods import seasonal_profile

DIFFUSE = 1e8
"""Variance of the state before the first observation, in units of the noise: nothing is known."""
MOST_WAVES = 24
"""Waves that a season is made of at most: the strongest ones of a long period."""
ESTIMATED_ROWS = 2000
"""The newest observations that estimation reads, or four periods if that is more."""
_LEVELS = (0.0, 1e-3, 1e-2, 1e-1, 1.0, 10.0, 1e3)
_SLOPES = (0.0, 1e-6, 1e-4, 1e-2)
_SEASONS = (0.0, 1e-5, 1e-3)
_FEW_LEVELS, _FEW_SLOPES, _FEW_SEASONS = (0.0, 1e-2, 1e-1, 1.0, 100.0), (0.0, 1e-4), (0.0, 1e-4)
"""Candidates for how much a part wanders in a step, as a variance in units of the noise; fewer where a step is dear."""
_DEAR_STATES = 30


@dataclass(frozen=True)
class Forecast:
    """Mean and variance of each observation given those before it; NaN where there are too few before it."""

    mean: np.ndarray
    variance: np.ndarray

    def bound(self, deviations: float) -> np.ndarray:
        """The mean and so many standard deviations."""
        return self.mean + deviations * np.sqrt(self.variance)


@dataclass(frozen=True)
class Structure:
    """Which parts a model has, for a number of observations."""

    slope: bool
    waves: np.ndarray
    """The season's waves at each observation, a column each; no columns for no season."""

    @property
    def states(self) -> int:
        """Numbers that the state has."""
        return 1 + self.slope + self.waves.shape[1]

    def design(self) -> np.ndarray:
        """What each observation reads of the state."""
        ones = np.ones((len(self.waves), 1))
        return np.hstack([ones, np.zeros_like(ones), self.waves] if self.slope else [ones, self.waves])

    def spread(self, wandering: np.ndarray) -> np.ndarray:
        """The variance that each state gains in a step, a row for each candidate (level, slope, season)."""
        seasons = np.repeat(wandering[:, 2:3], self.waves.shape[1], axis=1)
        return np.hstack([wandering[:, :2] if self.slope else wandering[:, :1], seasons])


@dataclass(frozen=True)
class Filtered:
    """What the filter gives for each candidate: forecasts of every observation, and how likely the observations are."""

    mean: np.ndarray
    variance: np.ndarray
    """In units of the noise."""
    noise: np.ndarray
    log_likelihood: np.ndarray


def kalman_filter(observed: np.ndarray, structure: Structure, wandering: np.ndarray) -> Filtered:
    """Run the filter for many candidates at once. `wandering` has a row (level, slope, season) for each of them.

    The first observations, as many as the state has numbers, only tell where the state is and do not count for likelihood.
    """
    design, states = structure.design(), structure.states
    gained, candidates = structure.spread(wandering), len(wandering)
    state = np.zeros((candidates, states))
    covariance = np.tile(np.eye(states) * DIFFUSE, (candidates, 1, 1))
    diagonal = np.arange(states)
    means, variances = np.empty((len(observed), candidates)), np.empty((len(observed), candidates))
    squares, logarithms = np.zeros(candidates), np.zeros(candidates)
    seen = 0
    for step, (value, reads) in enumerate(zip(observed, design, strict=True)):
        reach = covariance @ reads
        spread = reach @ reads + 1.0
        mean = state @ reads
        means[step], variances[step] = mean, spread
        if not np.isnan(value):
            error = value - mean
            if seen >= states:
                squares += error * error / spread
                logarithms += np.log(spread)
            seen += 1
            state += reach * (error / spread)[:, None]
            # The product comes first, so that the matrix stays symmetric to the last bit.
            covariance -= reach[:, :, None] * reach[:, None, :] / spread[:, None, None]
        if structure.slope:
            state[:, 0] += state[:, 1]
            covariance[:, 0, :] += covariance[:, 1, :]
            covariance[:, :, 0] += covariance[:, :, 1]
        covariance[:, diagonal, diagonal] += gained
    counted = max(seen - states, 1)
    noise = np.maximum(squares / counted, 1e-300)
    likelihood = -0.5 * (counted * (np.log(2 * np.pi * noise) + 1) + logarithms)
    return Filtered(means, variances, noise, likelihood)


def forecast(values: np.ndarray, steps: int, *, slope: bool = False, period: int = 0) -> Forecast:
    """Forecasts of each observation from those before it, and of so many steps after the last.

    `period` is the number of steps of a season, 0 for none. The caller must give at least as many observations as the model
    needs: 2, with a slope 3, with a season two periods.
    """
    known = values[~np.isnan(values)]
    centre, scale = float(np.mean(known)), float(np.std(known))
    if scale <= 1e-12 * max(1.0, abs(centre)):
        return _constant(values, steps, centre)
    scaled = (values - centre) / scale
    waves = season_waves(scaled, len(scaled) + steps, period)
    structure = Structure(slope, waves)
    wandering = _likeliest(scaled, structure, period)
    extended = np.concatenate([scaled, np.full(steps, np.nan)])
    found = kalman_filter(extended, structure, wandering[None, :])
    mean, variance = found.mean[:, 0], found.variance[:, 0] * found.noise[0]
    before = np.concatenate([[0], np.cumsum(~np.isnan(extended))[:-1]])
    told = before >= structure.states
    return Forecast(np.where(told, mean * scale + centre, np.nan), np.where(told, variance * scale * scale, np.nan))


def season_waves(values: np.ndarray, length: int, period: int) -> np.ndarray:
    """The waves of a season over so many observations. Of a long period's waves the strongest ones in the values are taken."""
    if not period:
        return np.empty((length, 0))
    numbers = np.arange(1, period // 2 + 1)
    if len(numbers) > MOST_WAVES:
        power = np.abs(np.fft.rfft(seasonal_profile(values, period)))[1:]
        numbers = np.sort(numbers[np.argsort(-power, kind="stable")[:MOST_WAVES]])
    angle = 2 * np.pi / period * np.outer(np.arange(length), numbers)
    sines = np.sin(angle)[:, 2 * numbers != period]
    return np.hstack([np.cos(angle), sines])


def _constant(values: np.ndarray, steps: int, value: float) -> Forecast:
    """Nothing ever changed: the same value again, for sure."""
    before = np.concatenate([[0], np.cumsum(~np.isnan(np.concatenate([values, np.full(steps, np.nan)])))])[:-1]
    mean = np.where(before >= 1, value, np.nan)
    return Forecast(mean, np.where(before >= 1, 0.0, np.nan))


def _likeliest(scaled: np.ndarray, structure: Structure, period: int) -> np.ndarray:
    """How much level, slope and season wander, by the likelihood of the newest observations."""
    length = min(len(scaled), max(ESTIMATED_ROWS, 4 * period))
    recent = scaled[-length:]
    part = Structure(structure.slope, structure.waves[len(scaled) - length : len(scaled)])
    dear = part.states > _DEAR_STATES
    levels, slopes, seasons = (_FEW_LEVELS, _FEW_SLOPES, _FEW_SEASONS) if dear else (_LEVELS, _SLOPES, _SEASONS)
    grid = itertools.product(levels, slopes if structure.slope else (0.0,), seasons if period else (0.0,))
    best = _best(recent, part, np.array(list(grid)))
    wanders = [0, *([1] if structure.slope else []), *([2] if period else [])]
    for factor in (4.0, 1.6):
        for which in wanders:
            tried = np.tile(best, (5, 1))
            tried[:, which] *= factor ** np.arange(-2, 3)
            if best[which] > 0:
                best = _best(recent, part, tried)
    return best


def _best(values: np.ndarray, structure: Structure, candidates: np.ndarray) -> np.ndarray:
    return candidates[int(np.argmax(kalman_filter(values, structure, candidates).log_likelihood))]


# ---- two series together ---------------------------------------------------------------------------------------------


def forecast_together(
    first: np.ndarray, second: np.ndarray, steps: int, *, second_is_known: bool = False
) -> tuple[Forecast, Forecast]:
    """Forecasts of two series whose levels and whose noises go together, of equal length.

    With `second_is_known` the first is forecast from the second of the same step as well: it goes on where the first ends in
    missing observations.
    """
    series = np.column_stack([first, second])
    centre, scale = np.nanmean(series, axis=0), np.nanstd(series, axis=0)
    scale = np.where(scale > 1e-12 * np.maximum(1.0, np.abs(centre)), scale, 1.0)
    scaled = (series - centre) / scale
    noises, wandering = zip(*(_level_variances(scaled[:, column]) for column in range(2)), strict=True)
    both = np.array(noises), np.array(wandering)
    turns = np.array(list(itertools.product(np.linspace(-0.96, 0.96, 13), repeat=2)))
    best = turns[int(np.argmax(_bivariate(scaled, both, turns).log_likelihood))]
    near = np.clip(best + np.array(list(itertools.product(np.linspace(-0.12, 0.12, 7), repeat=2))), -0.99, 0.99)
    best = near[int(np.argmax(_bivariate(scaled, both, near).log_likelihood))]
    extended = np.vstack([scaled, np.full((steps, 2), np.nan)])
    found = _bivariate(extended, both, best[None, :], second_is_known)
    seen = np.cumsum(~np.isnan(extended), axis=0)
    forecasts = []
    for column in range(2):
        told = np.concatenate([[0], seen[:-1, column]]) >= 1
        mean = found.mean[:, column] * scale[column] + centre[column]
        variance = found.variance[:, column] * scale[column] ** 2
        forecasts.append(Forecast(np.where(told, mean, np.nan), np.where(told, variance, np.nan)))
    return forecasts[0], forecasts[1]


def _level_variances(values: np.ndarray) -> tuple[float, float]:
    """The variance of the noise and what the level's gains in a step."""
    if not np.nanstd(values):
        return 1e-12, 0.0
    structure = Structure(False, np.empty((len(values), 0)))
    wandering = _likeliest(values, structure, 0)
    recent = values[-min(len(values), ESTIMATED_ROWS) :]
    noise = kalman_filter(recent, Structure(False, np.empty((len(recent), 0))), wandering[None, :]).noise[0]
    return float(noise), float(wandering[0] * noise)


def _bivariate(
    observed: np.ndarray, variances: tuple[np.ndarray, np.ndarray], turns: np.ndarray, second_is_known: bool = False
) -> Filtered:
    """The filter of two levels for many candidates (correlation of the noises, of the levels) at once.

    Means and variances are those of the first candidate, a column for each series.
    """
    noise, wander = (np.tile(np.diag(one), (len(turns), 1, 1)) for one in variances)
    for matrix, one, column in ((noise, variances[0], 0), (wander, variances[1], 1)):
        shared = turns[:, column] * np.sqrt(one[0] * one[1])
        matrix[:, 0, 1], matrix[:, 1, 0] = shared, shared
    state = np.zeros((len(turns), 2))
    # The series are scaled to a variance of 1 here; more would drown the small noises in rounding.
    covariance = np.tile(np.eye(2) * 1e4, (len(turns), 1, 1))
    means, spreads = np.empty((len(observed), 2)), np.empty((len(observed), 2))
    likelihood = np.zeros(len(turns))
    told = np.cumsum(~np.isnan(observed), axis=0).min(axis=1) > 1
    for step, values in enumerate(observed):
        together = covariance + noise
        means[step], spreads[step] = state[0], np.diagonal(together[0])
        if second_is_known and not np.isnan(values[1]):
            share = together[0, 0, 1] / together[0, 1, 1]
            means[step, 0] += share * (values[1] - state[0, 1])
            spreads[step, 0] -= share * together[0, 0, 1]
        present = np.flatnonzero(~np.isnan(values))
        if len(present):
            seen = together[:, present][:, :, present]
            errors = values[present] - state[:, present]
            weighted = np.linalg.solve(seen, errors[:, :, None])[:, :, 0]
            reach = covariance[:, :, present]
            state = state + np.einsum("kij,kj->ki", reach, weighted)
            covariance = covariance - reach @ np.linalg.solve(seen, np.swapaxes(reach, 1, 2))
            # Rounding makes it lopsided, and what is lopsided grows from step to step.
            covariance = (covariance + np.swapaxes(covariance, 1, 2)) / 2
            if told[step]:
                off = np.einsum("kj,kj->k", errors, weighted) + np.log(np.linalg.det(seen))
                likelihood -= 0.5 * (off + len(present) * np.log(2 * np.pi))
        covariance = covariance + wander
    return Filtered(means, spreads, np.ones(len(turns)), likelihood)
