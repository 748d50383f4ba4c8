"""Seasonal adjustment of a series of equal steps by moving averages, in the manner of the X-11 method. Numbers in, numbers out.

A first trend is taken off, the season of each phase is a weighted mean over the neighbouring periods, and what trend and season
leave tells the extreme values, which count less in the next pass. What remains is the series without its season.
"""

from __future__ import annotations

import numpy as np

from sightline.ml.periods import interpolated, moving_average

_SEASON_3X3 = np.array([1, 2, 3, 2, 1]) / 9
_SEASON_3X5 = np.array([1, 2, 3, 3, 3, 2, 1]) / 15
"""Weights of the neighbouring periods of a phase."""
_UNUSUAL, _EXTREME = 1.5, 2.5
"""Standard deviations of the irregular part at which a value begins to count less, and at which it does not count at all."""


def deseasonalised(values: np.ndarray, period: int, *, multiplicative: bool = True) -> np.ndarray:
    """The series without its season, of at least two periods; missing values stay missing.

    Multiplicative seasons are shares of the trend, for which all values must be above 0.
    """
    filled = interpolated(values)
    if multiplicative:
        # A product of parts is a sum of their logarithms.
        return np.exp(deseasonalised(np.log(np.where(np.isnan(values), np.nan, filled)), period, multiplicative=False))
    trend = _extended(moving_average(filled, period), filled, period)
    weights = _first_weights(filled - trend, period)
    for neighbours in (_SEASON_3X3, _SEASON_3X3, _SEASON_3X5):
        season = _seasonal(filled - trend, period, neighbours, weights)
        irregular = filled - trend - season
        weights = np.minimum(weights, _weights(irregular, period))
        trend = _henderson(filled - season - irregular * (1 - weights), period)
    return np.where(np.isnan(values), np.nan, filled - season)


def _seasonal(detrended: np.ndarray, period: int, neighbours: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The season: for each phase a weighted mean of its neighbours, less a mean over one period."""
    found = np.empty_like(detrended)
    for phase in range(period):
        of_phase, counts = detrended[phase::period], weights[phase::period]
        # Where all neighbours are extreme there is nothing better than they are.
        counts = np.where(_convolved(counts, neighbours) > 1e-6, counts, 1e-6)
        found[phase::period] = _convolved(of_phase * counts, neighbours) / _convolved(counts, neighbours)
    level = moving_average(found, period)
    inside = np.flatnonzero(~np.isnan(level))
    if len(inside):
        level[: inside[0]], level[inside[-1] + 1 :] = level[inside[0]], level[inside[-1]]
        return found - level
    return found - found.mean()


def _convolved(values: np.ndarray, weights: np.ndarray) -> np.ndarray:
    """The weighted sum around each value; beyond the ends there is nothing."""
    half = len(weights) // 2
    return np.convolve(values, weights)[half : half + len(values)]


def _extended(trend: np.ndarray, filled: np.ndarray, period: int) -> np.ndarray:
    """A trend carried on over the ends of a series by the line through its last period."""
    inside = np.flatnonzero(~np.isnan(trend))
    steps = np.arange(len(trend))
    if not len(inside):
        return np.polyval(np.polyfit(steps, filled, 1), steps)
    out = trend.copy()
    for known, missing in ((inside[:period], steps[: inside[0]]), (inside[-period:], steps[inside[-1] + 1 :])):
        if len(missing):
            line = np.polyfit(known, trend[known], 1) if len(known) > 1 else np.array([trend[known[0]]])
            out[missing] = np.polyval(line, missing)
    return out


def _henderson(values: np.ndarray, period: int) -> np.ndarray:
    """The trend by a Henderson filter of about a period's length, which keeps cubic trends as they are."""
    terms = max(5, min(period + 1 - period % 2, len(values) - 1 + len(values) % 2, 101))
    weights = henderson_weights(terms)
    half = terms // 2
    padded = np.concatenate([_line(values[:terms], -half, 0), values, _line(values[-terms:], terms, terms + half)])
    return np.convolve(padded, weights, mode="valid")


def _line(values: np.ndarray, first: int, last: int) -> np.ndarray:
    """The line through values, read at other places."""
    places = np.arange(len(values))
    return np.polyval(np.polyfit(places, values, 1), np.arange(first, last))


def henderson_weights(terms: int) -> np.ndarray:
    """The weights of a Henderson filter of an odd number of terms."""
    m = (terms - 1) / 2 + 2
    j = np.arange(-(terms // 2), terms // 2 + 1)
    numerator = 315 * ((m - 1) ** 2 - j**2) * (m**2 - j**2) * ((m + 1) ** 2 - j**2) * (3 * m**2 - 16 - 11 * j**2)
    return numerator / (8 * m * (m**2 - 1) * (4 * m**2 - 1) * (4 * m**2 - 9) * (4 * m**2 - 25))


def _first_weights(detrended: np.ndarray, period: int) -> np.ndarray:
    """How much each value counts at first: by its distance from the median of its phase."""
    off = np.empty_like(detrended)
    for phase in range(period):
        off[phase::period] = detrended[phase::period] - np.median(detrended[phase::period])
    usual = max(1.4826 * float(np.median(np.abs(off))), 1e-9 * float(np.ptp(detrended)))
    return np.clip((2 * _EXTREME - np.abs(off) / usual) / _EXTREME, 0.0, 1.0) if usual else np.ones_like(off)


def _weights(irregular: np.ndarray, period: int) -> np.ndarray:
    """How much each value counts for the season: 1, less where it is far off, 0 where it is extreme."""
    around = np.ones(5 * period + 1 - period % 2)
    counts = _convolved(np.ones(len(irregular)), around)
    deviation = np.sqrt(_convolved(irregular**2, around) / counts)
    calm = np.where(np.abs(irregular) > _EXTREME * deviation, 0.0, irregular)
    usual = np.sqrt(_convolved(calm**2, around) / counts)
    distance = np.divide(np.abs(irregular), usual, out=np.zeros_like(irregular), where=usual > 0)
    return np.clip((_EXTREME - distance) / (_EXTREME - _UNUSUAL), 0.0, 1.0)
