"""The period of a series: how long it is, and the mean of each of its phases."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy import stats

_SURE = 1e-3
"""Chance of seeing such differences between phases in a series that has none, below which a period is believed."""
_HARMONICS = 100
"""Waves of a period that are looked at."""
_LIKENESS = 0.2
"""Least autocorrelation at a period."""


def find_period(values: np.ndarray, least: int = 2, most: int | None = None, usual: Sequence[int] = ()) -> int | None:
    """The length of the shortest convincing period of a series, in steps; None where there is none.

    Periods are looked for among the peaks of the autocorrelation and the `usual` ones (a day, a week), and believed when the
    phases differ more than the series does within a phase and its waves stand out of those of nearly the same length. Of nearly equal ones a usual one is taken. At least two whole periods must be there.
    """
    filled = interpolated(values)
    most = min(len(filled) // 2, most or len(filled))
    if most < least or np.ptp(filled) == 0:
        return None
    steps = np.arange(len(filled))
    flat = filled - np.polyval(np.polyfit(steps, filled, 1), steps)
    if np.ptp(flat) <= 1e-9 * max(1.0, np.abs(filled).max()):
        return None
    alike = _autocorrelation(flat, most + 1)
    lags = np.arange(1, len(alike) - 1)
    peaks = lags[(alike[lags] >= alike[lags - 1]) & (alike[lags] > alike[lags + 1]) & (alike[lags] > _LIKENESS)]
    peaks = peaks[(peaks >= least) & (peaks <= most)]
    found = {int(lag) for lag in peaks[np.argsort(-alike[peaks], kind="stable")[:12]]}
    expected = {lag for lag in usual if least <= lag <= most}
    tested = {lag: _strength(filled, lag) for lag in sorted(found | expected)}
    sure = {lag: share for lag, (share, chance) in tested.items() if chance < _SURE}
    if not sure:
        return None
    strong = [lag for lag, share in sure.items() if share >= 0.9 * max(sure.values())]
    near = [lag for lag in strong if lag in expected and lag <= 1.15 * min(strong)]
    return min(near or strong)


def seasonal_profile(values: np.ndarray, period: int) -> np.ndarray:
    """The mean of each phase of a period, after the slower changes of the series are taken off. Their mean is 0."""
    flat = interpolated(values) - moving_average(interpolated(values), period)
    phases = np.arange(len(flat)) % period
    inside = ~np.isnan(flat)
    sums = np.bincount(phases[inside], flat[inside], minlength=period)
    counts = np.bincount(phases[inside], minlength=period)
    profile = np.divide(sums, counts, out=np.zeros(period), where=counts > 0)
    return profile - profile.mean()


def moving_average(values: np.ndarray, period: int) -> np.ndarray:
    """The centred mean over one period, both ends of an even one counting half; NaN near the ends of the series."""
    weights = np.ones(period) if period % 2 else np.concatenate([[0.5], np.ones(period - 1), [0.5]])
    weights = weights / weights.sum()
    averaged = np.full(len(values), np.nan)
    if len(values) >= len(weights):
        half = len(weights) // 2
        averaged[half : len(values) - half] = np.convolve(values, weights, mode="valid")
    return averaged


def interpolated(values: np.ndarray) -> np.ndarray:
    """The series with missing values on straight lines between their neighbours."""
    missing = np.isnan(values)
    if not missing.any() or missing.all():
        return values
    steps = np.arange(len(values))
    return np.where(missing, np.interp(steps, steps[~missing], values[~missing]), values)


def _autocorrelation(values: np.ndarray, most: int) -> np.ndarray:
    """The correlation of a series with itself so many steps later, up to `most`."""
    centred = values - values.mean()
    size = 1 << (2 * len(values) - 1).bit_length()
    transformed = np.fft.rfft(centred, size)
    products = np.fft.irfft(transformed * np.conj(transformed), size)[: most + 1]
    # Fewer pairs lie far apart than near each other.
    pairs = len(values) - np.arange(most + 1)
    return products / pairs / (products[0] / len(values))


def _strength(values: np.ndarray, period: int) -> tuple[float, float]:
    """The share of the variance that the phases explain, corrected for their number, and the chance of as much by accident."""
    flat = values - moving_average(values, period)
    inside = ~np.isnan(flat)
    if inside.sum() <= period + 1:
        # Two periods leave one whole of each: the series itself, less a line, must do.
        steps = np.arange(len(values))
        flat, inside = values - np.polyval(np.polyfit(steps, values, 1), steps), np.ones(len(values), dtype=bool)
    share, chance = _explained(flat[inside], np.arange(len(values))[inside] % period)
    return share, max(chance, _chance_of_peak(values, period), _chance_of_peak(np.diff(values), period))


def _chance_of_peak(values: np.ndarray, period: int) -> float:
    """How likely by accident the waves of a period, one or all together, stand out of those of nearly the same length.

    A walk at random has strong slow waves, but none that stands out of its neighbours; of its changes all are alike.
    """
    steps = np.arange(len(values))
    flat = values - np.polyval(np.polyfit(steps, values, 1), steps)
    power = np.abs(np.fft.rfft(flat * np.hanning(len(flat)))) ** 2
    bins, cycles = np.arange(len(power)), len(values) / period
    places = np.arange(1, min(period // 2, _HARMONICS) + 1) * cycles
    places = places[places <= len(power) - 0.5]
    # The taper spreads a wave over two bins to either side, so that waves of few cycles touch each other.
    usable = (bins > 0) & ((np.abs(bins[:, None] - places[None, :]).min(axis=1, initial=np.inf) > 1.5) | (cycles < 5))
    ratios, peaks = [], []
    for place in places:
        off = np.abs(bins - place)
        near = usable & (off > 2.5) & (off <= max(8.0, 0.6 * cycles))
        floor = np.median(power[near]) / np.log(2) if near.sum() >= 4 else 0.0
        if floor > 0:
            centre = min(max(1, round(place)), len(power) - 1)
            ratios.append(power[centre] / floor)
            peaks.append(power[max(1, centre - 1) : centre + 2].max() / floor)
    if not ratios:
        return 1.0
    one = 3 * len(peaks) * np.exp(-max(peaks))
    together = stats.gamma.sf(sum(ratios), len(ratios))
    return float(min(1.0, 2 * min(one, together)))


def _explained(values: np.ndarray, phases: np.ndarray) -> tuple[float, float]:
    """How much of the variance the phases' means explain, and how likely as much is by accident (F test)."""
    counts = np.bincount(phases)
    means = np.bincount(phases, values) / np.maximum(counts, 1)
    within = float(np.sum((values - means[phases]) ** 2))
    total = float(np.sum((values - values.mean()) ** 2))
    inner, outer = len(values) - len(counts), len(counts) - 1
    if inner <= 0 or outer <= 0 or total <= 0:
        return 0.0, 1.0
    if within <= 1e-12 * total:
        return 1.0, 0.0
    ratio = (total - within) / outer / (within / inner)
    return 1 - (within / inner) / (total / (len(values) - 1)), float(stats.f.sf(ratio, outer, inner))
