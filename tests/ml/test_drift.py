"""The reference that is kept with a model, and distances of other rows from it."""

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from sightline.ml import compare_fields, ks_statistic, population_stability_index
from sightline.ml.drift import describe_category, describe_fields, describe_numbers
from sightline.ml.preparation import Preparation

RNG = np.random.default_rng(0)
NORMAL = RNG.normal(size=50_000)


def psi_by_hand(reference, current):
    """Ten of the textbook's bins would do as well; these are the twenty that the reference keeps."""
    edges = np.quantile(reference, np.linspace(0, 1, 21))[1:-1]
    expected = np.bincount(np.searchsorted(edges, reference), minlength=20) / len(reference)
    actual = np.bincount(np.searchsorted(edges, current), minlength=20) / len(current)
    expected, actual = np.maximum(expected, 1e-4), np.maximum(actual, 1e-4)
    return np.sum((actual - expected) * np.log(actual / expected))


@pytest.mark.parametrize("shift", [0, 0.1, 0.5, 2, 10])
def test_numbers_that_moved(shift):
    current = RNG.normal(shift, 1, 20_000)
    reference = describe_numbers(pa.array(NORMAL))
    assert population_stability_index(reference, pa.array(current)) == pytest.approx(
        psi_by_hand(NORMAL, current), rel=0.1, abs=0.005
    )
    assert ks_statistic(reference, pa.array(current)) == pytest.approx(stats.ks_2samp(NORMAL, current).statistic, abs=0.03)


def test_the_reference_of_numbers():
    told = describe_numbers(pa.array([1.0, None, 3.0, float("nan"), 2.0]))
    assert (told["rows"], told["nulls"], told["mean"]) == (5, 2, 2.0)
    assert (told["quantiles"][0], told["quantiles"][10], told["quantiles"][-1]) == (1.0, 2.0, 3.0)
    assert len(told["quantiles"]) == 21
    assert "mean" not in describe_numbers(pa.nulls(3))


def test_the_reference_of_categories():
    assert describe_category(pa.array(["a", "b", None, "a", ""])) == {
        "type": "category",
        "rows": 5,
        "nulls": 2,
        "counts": {"a": 2, "b": 1},
    }


def test_categories_that_moved_and_a_new_one():
    reference = describe_category(pa.array(["a"] * 50 + ["b"] * 50))
    assert population_stability_index(reference, pa.array(["b", "a"])) == pytest.approx(0)
    moved = population_stability_index(reference, pa.array(["a"] * 90 + ["b"] * 10))
    assert moved == pytest.approx(0.4 * np.log(0.9 / 0.5) + -0.4 * np.log(0.1 / 0.5))
    assert population_stability_index(reference, pa.array(["c"] * 10)) > 5


def test_few_distinct_numbers():
    counts = np.array([0] * 700 + [1] * 200 + [5] * 100)
    reference = describe_numbers(pa.array(counts))
    assert population_stability_index(reference, pa.array(counts)) == pytest.approx(0, abs=0.01)
    assert ks_statistic(reference, pa.array(counts)) <= 0.05
    assert ks_statistic(reference, pa.array(np.array([5] * 10))) == pytest.approx(0.9, abs=0.05)
    assert population_stability_index(reference, pa.array(np.array([0] * 10))) > 0.25


def test_a_constant():
    reference = describe_numbers(pa.array([3.0] * 10))
    assert population_stability_index(reference, pa.array([3.0, 3.0])) == pytest.approx(0)
    assert ks_statistic(reference, pa.array([3.0])) == pytest.approx(0)
    assert ks_statistic(reference, pa.array([4.0])) == pytest.approx(1)


def test_compared_fields():
    table = pa.table({"n": NORMAL[:1000], "c": ["x", "y"] * 500})
    reference = describe_fields(table, Preparation(("n",), {"c": ("x", "y")}))
    current = pa.table({"n": pa.array([None] * 250 + list(NORMAL[:750] + 3))})
    rows = {row["field"]: row for row in compare_fields(reference, current).to_pylist()}
    assert rows["n"]["psi"] > 1
    assert rows["n"]["ks"] > 0.8
    assert (rows["n"]["reference_nulls"], rows["n"]["current_nulls"]) == (0.0, 0.25)
    assert rows["c"] == {
        "field": "c",
        "type": "category",
        "psi": None,
        "ks": None,
        "reference_nulls": 0.0,
        "current_nulls": 1.0,
    }


numbers = st.lists(st.floats(-100, 100), min_size=1, max_size=60)


@settings(max_examples=80, deadline=None)
@given(numbers, numbers)
def test_distances_stay_in_their_ranges(reference, current):
    told = describe_numbers(pa.array(reference))
    assert population_stability_index(told, pa.array(current)) >= 0
    assert 0 <= ks_statistic(told, pa.array(current)) <= 1
