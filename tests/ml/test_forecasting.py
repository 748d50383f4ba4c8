"""Forecasts against statsmodels for the same model, against series whose continuation is known, and by how often the bounds hold."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from statsmodels.tsa.statespace.structural import UnobservedComponents

from sightline.ml.forecasting import Structure, forecast, forecast_together, kalman_filter, season_waves
from sightline.ml.periods import find_period

NOISE = 0.7


def season(period: int, length: int, height: float = 10.0) -> np.ndarray:
    return height * np.sin(2 * np.pi * np.arange(length) / period)


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def theirs(values: np.ndarray, *, slope: bool, period: int, wandering: tuple[float, float, float]):
    """The same model in statsmodels, with a start that knows nothing."""
    harmonics = period // 2
    model = UnobservedComponents(
        values,
        level="lltrend" if slope else "llevel",
        freq_seasonal=[{"period": period, "harmonics": harmonics}] if period else None,
    )
    model.ssm.initialize_approximate_diffuse(1e8 * NOISE)
    model.loglikelihood_burn = 1 + slope + (period - 1 if period else 0)
    level, gradient, cycle = (NOISE * x for x in wandering)
    parameters = [NOISE, level, *([gradient] if slope else []), *([cycle] if period else [])]
    return model.smooth(parameters)


@pytest.mark.parametrize(
    ("slope", "period", "wandering"),
    [
        (False, 0, (0.3, 0.0, 0.0)),
        (True, 0, (0.2, 0.01, 0.0)),
        (False, 7, (0.1, 0.0, 0.002)),
        (True, 12, (0.05, 0.001, 0.01)),
    ],
)
def test_the_filter_is_that_of_statsmodels(slope: bool, period: int, wandering: tuple[float, float, float]) -> None:
    values = np.cumsum(rng().normal(0, 0.5, 120)) + season(period or 10, 120, 2) + rng(1).normal(0, NOISE**0.5, 120)
    values[40:44] = np.nan
    found = kalman_filter(values, Structure(slope, season_waves(values, 120, period)), np.array([wandering]))
    other = theirs(values, slope=slope, period=period, wandering=wandering)
    told = 30
    np.testing.assert_allclose(found.mean[told:, 0], other.forecasts[0][told:], rtol=1e-5, atol=1e-5)
    np.testing.assert_allclose(found.variance[told:, 0] * NOISE, other.forecasts_error_cov[0, 0][told:], rtol=1e-5)


def test_the_likeliest_candidate_is_the_true_one_on_a_long_series() -> None:
    values = np.cumsum(rng().normal(0, 0.5, 4000)) + rng(1).normal(0, 1, 4000)
    found = forecast(values, 1)
    # One step ahead the error of the best possible forecast has the steady variance of the filter: p + 1, p = (q + sqrt(q² + 4q)) / 2.
    q = 0.25
    steady = (q + np.sqrt(q * q + 4 * q)) / 2 + 1
    assert found.variance[-1] == pytest.approx(steady, rel=0.08)


def test_a_straight_line_goes_on() -> None:
    found = forecast(3.0 + 2.0 * np.arange(50), 10, slope=True)
    np.testing.assert_allclose(found.mean[-10:], 3 + 2 * np.arange(50, 60), rtol=1e-6)
    assert np.all(found.variance[-10:] < 1e-6)


def test_a_season_goes_on() -> None:
    pattern = np.array([5.0, 1, 0, 7, 3, 3, 9])
    found = forecast(np.tile(pattern, 9), 14, period=7)
    np.testing.assert_allclose(found.mean[-14:], np.tile(pattern, 2), atol=1e-3)


def test_trend_and_season_go_on_together() -> None:
    steps = np.arange(264)
    truth = 100 + 0.5 * steps + season(24, 264)
    values = truth[:240] + rng().normal(0, 1, 240)
    found = forecast(values, 24, slope=True, period=24)
    assert np.abs(found.mean[-24:] - truth[-24:]).max() < 1.5


def test_a_long_period_is_followed_by_its_strongest_waves() -> None:
    period, length = 288, 1440
    pattern = season(period, length) + 4 * np.sign(np.sin(2 * np.pi * np.arange(length) * 6 / period))
    found = forecast(pattern + rng().normal(0, 0.5, length), period, period=period)
    assert np.abs(found.mean[-period:] - pattern[:period]).mean() < 1.5


def test_missing_values_are_filled_and_widen_nothing_else() -> None:
    values = 3.0 + 2.0 * np.arange(60)
    values[20:25] = np.nan
    found = forecast(values, 2, slope=True)
    np.testing.assert_allclose(found.mean[20:25], 3 + 2 * np.arange(20, 25), rtol=1e-6)
    np.testing.assert_allclose(found.mean[-2:], [123, 125], rtol=1e-6)


def test_the_first_rows_have_no_forecast() -> None:
    found = forecast(rng().normal(0, 1, 30), 3, slope=True)
    assert np.isnan(found.mean[:2]).all()
    assert not np.isnan(found.mean[2:]).any()


def test_what_never_changes_stays() -> None:
    found = forecast(np.full(20, 4.0), 3)
    assert found.mean[1:].tolist() == [4.0] * 22
    assert found.variance[1:].tolist() == [0.0] * 22


@given(st.floats(-1e6, 1e6), st.floats(1e-3, 1e6))
@settings(max_examples=15, deadline=None, derandomize=True)
def test_scale_and_offset_of_a_series_do_not_matter(offset: float, scale: float) -> None:
    values = np.cumsum(rng(3).normal(0, 1, 60)) + season(7, 60, 3)
    plain, moved = forecast(values, 5, period=7), forecast(values * scale + offset, 5, period=7)
    np.testing.assert_allclose(moved.mean[10:], plain.mean[10:] * scale + offset, rtol=1e-3, atol=1e-3 * scale)
    np.testing.assert_allclose(moved.variance[10:], plain.variance[10:] * scale**2, rtol=2e-2)


SERIES = {
    "level": (lambda r: np.cumsum(r.normal(0, 0.4, 150)) + r.normal(0, 1, 150), {}),
    "trend": (lambda r: np.cumsum(0.3 + np.cumsum(r.normal(0, 0.02, 150))) + r.normal(0, 1, 150), {"slope": True}),
    "season": (lambda r: np.cumsum(r.normal(0, 0.1, 150)) + season(12, 150, 5) + r.normal(0, 1, 150), {"period": 12}),
    "all": (
        lambda r: 0.2 * np.arange(150) + season(12, 150, 5) + r.normal(0, 1, 150),
        {"slope": True, "period": 12},
    ),
}


@pytest.mark.parametrize("kind", SERIES)
@pytest.mark.parametrize(("percent", "deviations"), [(95, 1.959964), (80, 1.281552)])
def test_the_bounds_hold_as_often_as_they_say(kind: str, percent: int, deviations: float) -> None:
    make, options = SERIES[kind]
    inside = []
    for seed in range(40):
        values = make(rng(seed))
        found = forecast(values[:-8], 8, **options)
        held_back = values[-8:]
        low, high = (found.bound(sign * deviations)[-8:] for sign in (-1, 1))
        inside.append(np.mean((held_back >= low) & (held_back <= high)))
    assert np.mean(inside) == pytest.approx(percent / 100, abs=0.06)


def test_two_series_that_go_together_help_each_other() -> None:
    random = rng(5)
    level = np.cumsum(random.normal(0, 0.5, 300))
    noise = random.normal(0, 1, 300)
    first = level + noise + random.normal(0, 0.2, 300)
    second = 2 * level + 2 * noise + random.normal(0, 0.4, 300) + 100
    hidden = first.copy()
    hidden[-40:] = np.nan
    found, other = forecast_together(hidden, second, 0, second_is_known=True)
    alone = forecast(first[:-40], 40)
    errors = np.abs(found.mean - first)[-40:].mean()
    assert errors < 0.5 * np.abs(alone.mean[-40:] - first[-40:]).mean()
    assert np.mean(np.abs(first - found.mean)[-40:] <= 1.96 * np.sqrt(found.variance[-40:])) > 0.85
    assert len(other.mean) == 300


def test_two_series_that_have_nothing_to_do_with_each_other_are_forecast_as_if_alone() -> None:
    first = np.cumsum(rng(1).normal(0, 0.5, 200)) + rng(2).normal(0, 1, 200)
    second = np.cumsum(rng(3).normal(0, 0.5, 200)) + rng(4).normal(0, 1, 200)
    together, _ = forecast_together(first, second, 5)
    alone = forecast(first, 5)
    assert together.mean[-1] == pytest.approx(alone.mean[-1], abs=0.5)
    assert together.variance[-1] == pytest.approx(alone.variance[-1], rel=0.3)


@pytest.mark.parametrize(("period", "length"), [(7, 84), (12, 120), (24, 480), (168, 1512)])
def test_a_period_is_found(period: int, length: int) -> None:
    values = season(period, length) + 0.02 * np.arange(length) + rng(period).normal(0, 3, length)
    assert find_period(values, usual=(24, 168)) == period
    pattern = rng(period).normal(0, 5, period)
    assert find_period(np.resize(pattern, length) + rng(1).normal(0, 1, length)) == period


def test_a_period_is_seldom_found_where_there_is_none() -> None:
    walks = [find_period(np.cumsum(rng(seed).normal(0, 1, 150)), usual=(24,)) for seed in range(100)]
    noises = [find_period(rng(seed).normal(0, 1, 150), usual=(24,)) for seed in range(100)]
    assert sum(found is not None for found in walks) <= 5
    assert sum(found is not None for found in noises) <= 5
    assert find_period(np.arange(100.0)) is None
    assert find_period(np.full(100, 3.0)) is None
    assert find_period(np.arange(3.0)) is None
