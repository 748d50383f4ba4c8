"""DensityFunction: which distribution, which values are outlying, and by which group."""

import numpy as np
import pyarrow as pa
import pytest
from scipy import stats

from sightline.errors import UserError
from sightline.ml import ApplyRequest, FitRequest, apply, fit, summary

RNG = np.random.default_rng(5)
NORMAL = RNG.normal(10, 2, 4000)
EXPON = RNG.exponential(3, 4000) + 1
BETA = RNG.beta(2, 5, 4000) * 10
HUMPS = np.concatenate([RNG.normal(0, 1, 2000), RNG.normal(20, 1, 2000)])


def density(values, registry, by=None, groups=None, apply_options=None, probe=None, **options):
    columns = {"x": values} | ({"g": groups} if groups is not None else {})
    request = FitRequest("DensityFunction", {"random_state": "0", **options}, None, ["x"], by or [], model_name="m")
    result = fit(pa.table(columns), request, registry)
    if probe is None:
        return result
    rows = pa.table({"x": probe[0], **({"g": probe[1]} if by else {})})
    return apply(rows, ApplyRequest("m", options=apply_options or {}), registry, "admin")[0]


@pytest.mark.parametrize("metric", ["wasserstein", "kolmogorov_smirnov"])
@pytest.mark.parametrize(
    ("values", "kind"),
    [(NORMAL, "Auto: Normal"), (EXPON, "Auto: Exponential"), (BETA, "Auto: Beta"), (HUMPS, "Auto: Gaussian KDE")],
)
def test_auto_takes_the_distribution_the_rows_come_from(registry, values, kind, metric):
    density(values, registry, metric=metric)
    (row,) = summary(registry, "m", "admin").to_pylist()
    assert row["type"] == kind
    assert row["cardinality"] == 4000
    assert (row["mean"], row["std"]) == pytest.approx((values.mean(), values.std()))
    assert row["distance"].startswith(f"metric: {metric}, distance: ")


@pytest.mark.parametrize("values", [NORMAL, EXPON, BETA, HUMPS])
@pytest.mark.parametrize("threshold", ["0.01", "0.1"])
def test_about_the_asked_share_of_training_rows_is_outlying(registry, values, threshold):
    result = density(values, registry, threshold=threshold)
    share = np.mean(result.table.column("IsOutlier(x)").to_numpy())
    assert share == pytest.approx(float(threshold), abs=0.35 * float(threshold) + 0.004)


def test_a_normal_distribution_has_its_textbook_bounds(registry):
    table = density(NORMAL, registry, dist="norm", threshold="0.05", probe=([5.0, 10.0, 15.0], None))
    assert table.column("IsOutlier(x)").to_pylist() == [1, 0, 1]
    low, high = stats.norm(NORMAL.mean(), NORMAL.std()).ppf([0.025, 0.975])
    assert table.column("BoundaryRanges(x)")[0].as_py() == [
        f"-Infinity:{low:.10g}:0.025",
        f"{high:.10g}:Infinity:0.025",
    ]


def test_the_thin_place_between_two_humps_is_outlying(registry):
    table = density(HUMPS, registry, probe=([0.0, 10.0, 20.0, 40.0], None))
    assert table.column("IsOutlier(x)").to_pylist() == [0, 1, 0, 1]
    assert len(table.column("BoundaryRanges(x)")[0].as_py()) == 3


def test_shares_at_the_ends(registry):
    probe = ([5.0, 10.0, 15.0], None)
    table = density(NORMAL, registry, dist="norm", upper_threshold="0.02", probe=probe)
    assert table.column("IsOutlier(x)").to_pylist() == [0, 0, 1]
    table = density(
        NORMAL, registry, dist="norm", apply_options={"lower_threshold": "0.02", "upper_threshold": "0.001"}, probe=probe
    )
    assert table.column("IsOutlier(x)").to_pylist() == [1, 0, 0]


def test_several_thresholds_have_columns_of_their_own(registry):
    table = density(NORMAL, registry, threshold="0.5, 0.001", probe=([10.0, 13.0, 30.0], None))
    assert table.column("IsOutlier(x)_th=0.5").to_pylist() == [0, 1, 1]
    assert table.column("IsOutlier(x)_th=0.001").to_pylist() == [0, 0, 1]
    assert "BoundaryRanges(x)_th=0.5" in table.column_names


def test_what_else_can_be_asked_for(registry):
    asked = {"show_density": "t", "sample": "t", "full_sample": "t", "threshold": "0.2"}
    table = density(NORMAL, registry, dist="norm", apply_options=asked, probe=(np.full(2000, 10.0), None))
    frozen = stats.norm(NORMAL.mean(), NORMAL.std())
    assert table.column("ProbabilityDensity(x)")[0].as_py() == pytest.approx(frozen.pdf(10))
    inside = table.column("SampledValue(x)").to_numpy()
    low, high = frozen.ppf([0.1, 0.9])
    assert inside.min() >= low
    assert inside.max() <= high
    assert table.column("FullSampledValue(x)").to_numpy().std() == pytest.approx(2, abs=0.2)


def test_groups_have_distributions_of_their_own(registry):
    values = np.concatenate([NORMAL, NORMAL + 100])
    groups = ["a"] * 4000 + ["b"] * 4000
    table = density(values, registry, ["g"], groups, probe=([10.0, 110.0, 10.0, 10.0], ["a", "a", "b", "new"]))
    assert table.column("IsOutlier(x)").to_pylist() == [0, 1, 1, None]
    assert table.column("BoundaryRanges(x)")[3].as_py() is None
    rows = summary(registry, "m", "admin").to_pylist()
    assert [row["g"] for row in rows] == ["a", "b"]
    assert registry.load("m", "admin").required_fields == ["x", "g"]


def test_alike_groups_are_joined(registry):
    values = np.concatenate([NORMAL, NORMAL + 0.01, NORMAL + 100])
    groups = ["a"] * 4000 + ["b"] * 4000 + ["c"] * 4000
    density(values, registry, ["g"], groups, supervise_split_by="t", max_depth="1")
    rows = summary(registry, "m", "admin").to_pylist()
    assert [row["g"] for row in rows] == ["a, b", "c"]
    assert [row["cardinality"] for row in rows] == [8000, 4000]


def test_partial_fit_moves_the_distribution_by_the_counts_of_rows(registry):
    density(NORMAL, registry, dist="norm", partial_fit="true")
    density(NORMAL + 4, registry, dist="norm", partial_fit="true")
    (row,) = summary(registry, "m", "admin").to_pylist()
    both = np.concatenate([NORMAL, NORMAL + 4])
    assert (row["cardinality"], row["mean"], row["std"]) == pytest.approx((8000, both.mean(), both.std()))
    learned = registry.load("m", "admin").estimator["parameters"][0]
    assert learned[:2] == pytest.approx([both.mean(), both.std()], rel=0.02)


def test_partial_fit_learns_new_groups(registry):
    density(NORMAL, registry, ["g"], ["a"] * 4000, partial_fit="true")
    table = density(
        NORMAL + 50, registry, ["g"], ["b"] * 4000, partial_fit="true", probe=([10.0, 60.0, 60.0], ["a", "b", "a"])
    )
    assert table.column("IsOutlier(x)").to_pylist() == [0, 0, 1]


def test_a_constant_makes_everything_else_outlying(registry):
    table = density(np.full(100, 7.0), registry, probe=([7.0, 7.1, 6.9], None))
    assert table.column("IsOutlier(x)").to_pylist() == [0, 1, 1]


def test_few_rows_are_told(registry):
    assert density(NORMAL[:20], registry).messages == [
        "DensityFunction: there are fewer than 50 rows, what is learned from so few is a guess"
    ]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"threshold": "0"}, 'option "threshold" must be one or more numbers above 0 and below 1 joined by commas'),
        ({"threshold": "0.1", "lower_threshold": "0.1"}, 'give "threshold", or "lower_threshold"'),
        ({"lower_threshold": "0.1,0.2", "upper_threshold": "0.1"}, "want as many numbers, got 2 and 1"),
        ({"threshold": "0.1,0.2,0.3,0.4,0.5,0.6"}, "at most 5 thresholds are taken, got 6"),
        ({"dist": "poisson"}, 'option "dist" must be one of: auto, norm, expon, gaussian_kde, beta, got "poisson"'),
        ({"exclude_dist": "poisson"}, 'must name some of norm, expon, gaussian_kde, beta, got "poisson"'),
        ({"exclude_dist": "norm,expon,gaussian_kde,beta"}, "leaves no distribution"),
        ({"dist": "norm", "exclude_dist": "beta"}, "goes with dist=auto only"),
    ],
)
def test_bad_options(registry, options, message):
    with pytest.raises(UserError) as error:
        density(NORMAL, registry, **options)
    assert message in str(error.value)


def test_bad_fields(registry):
    table = pa.table({"x": NORMAL, "y": NORMAL, "t": ["text"] * 4000, "id": [str(i) + "x" for i in range(4000)]})
    for request, message in [
        (FitRequest("DensityFunction", {}, None, ["x", "y"]), "takes at most 1 features, got x, y"),
        (FitRequest("DensityFunction", {}, None, ["t"]), 'field "t" must be numeric'),
        (FitRequest("DensityFunction", {}, None, ["x"], list("abcdef")), '"by" at most 5 fields are taken'),
        (FitRequest("DensityFunction", {}, None, ["x"], ["id"]), "at most 1024 groups are taken, got 4000 by id"),
        (FitRequest("DensityFunction", {}, "y", ["x"]), 'no target is taken, got "y"'),
    ]:
        with pytest.raises(UserError) as error:
            fit(table, request, registry)
        assert message in str(error.value)
