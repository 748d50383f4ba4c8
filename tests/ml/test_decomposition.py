"""Seasonal adjustment against parts that are known, and beside other methods."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.tsa.seasonal import STL

from sightline.ml.decomposition import deseasonalised, henderson_weights

STEPS = np.arange(144)
TREND = 50 + 0.3 * STEPS
SEASON = 10 * np.sin(2 * np.pi * STEPS / 12)


def noise(deviation: float, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(0, deviation, len(STEPS))


def test_henderson_weights_are_the_published_ones() -> None:
    published = [-0.019, -0.028, 0.0, 0.066, 0.147, 0.214, 0.240, 0.214, 0.147, 0.066, 0.0, -0.028, -0.019]
    np.testing.assert_allclose(henderson_weights(13), published, atol=6e-4)


@pytest.mark.parametrize("terms", [5, 7, 13, 23])
def test_henderson_keeps_cubic_trends(terms: int) -> None:
    places = np.arange(-(terms // 2), terms // 2 + 1.0)
    weights = henderson_weights(terms)
    assert weights.sum() == pytest.approx(1)
    for power in (1, 2, 3):
        assert (weights * places**power).sum() == pytest.approx(0, abs=1e-9)


def test_a_plain_season_is_taken_off_exactly() -> None:
    found = deseasonalised(TREND + SEASON, 12, multiplicative=False)
    np.testing.assert_allclose(found, TREND, atol=1e-9)


def test_a_season_that_is_a_share_of_the_trend() -> None:
    found = deseasonalised(TREND * (1 + 0.3 * np.sin(2 * np.pi * STEPS / 12)), 12)
    assert np.abs(found / TREND - 1).max() < 0.03


def test_noise_is_left_as_it_is_about_as_well_as_by_other_methods() -> None:
    irregular = noise(2)
    found = deseasonalised(TREND + SEASON + irregular, 12, multiplicative=False)
    other = TREND + SEASON + irregular - STL(TREND + SEASON + irregular, 12).fit().seasonal
    ours, theirs = (np.abs(x - TREND - irregular).mean() for x in (found, other))
    assert ours < 1.1 * theirs


def test_one_extreme_value_does_not_become_a_season() -> None:
    values = TREND + SEASON + noise(0.1)
    values[50] += 100
    found = deseasonalised(values, 12, multiplicative=False)
    others = np.delete(np.arange(len(values)), 50)
    assert np.abs(found - (values - SEASON))[others].max() < 1.5
    assert found[50] == pytest.approx(TREND[50] + 100, abs=2)


def test_missing_values_stay_missing() -> None:
    values = TREND + SEASON
    values[[20, 21]] = np.nan
    found = deseasonalised(values, 12, multiplicative=False)
    assert np.isnan(found[[20, 21]]).all()
    assert np.nanmax(np.abs(found - TREND)) < 0.5


def test_a_season_that_changes_is_followed() -> None:
    growing = (1 + STEPS / 144) * SEASON
    found = deseasonalised(TREND + growing, 12, multiplicative=False)
    assert np.abs(found - TREND).max() < 2


def test_two_periods_are_enough() -> None:
    found = deseasonalised((TREND + SEASON)[:24], 12, multiplicative=False)
    assert np.abs(found - TREND[:24]).max() < 2
