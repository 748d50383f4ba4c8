"""The statistical scores equal scipy's and statsmodels', and a formula cannot run code."""

import numpy as np
import pandas as pd
import pyarrow as pa
import pytest
from scipy import stats
from sklearn import metrics
from statsmodels.formula.api import ols
from statsmodels.stats.anova import anova_lm
from statsmodels.tsa.stattools import adfuller, kpss

from sightline.errors import UserError
from sightline.ml import ScoreRequest, score

RNG = np.random.default_rng(0)
A, B, D = RNG.normal(size=80), RNG.normal(0.5, 1, 80), np.abs(RNG.normal(2, 1, 80))
TABLE = pa.table({"a": A, "b": B, "c": D, "group": ["x", "y"] * 40, "walk": np.cumsum(A)})


def run(method, actual=(), predicted=(), **options):
    return score(TABLE, ScoreRequest(method, list(actual), list(predicted), options))[0].to_pylist()


@pytest.mark.parametrize(
    ("method", "options", "expected"),
    [
        ("ks_2samp", {}, stats.ks_2samp(A, B)),
        ("ttest_ind", {"equal_var": "f"}, stats.ttest_ind(A, B, equal_var=False)),
        ("ttest_rel", {}, stats.ttest_rel(A, B)),
        ("wilcoxon", {"zero_method": "pratt"}, stats.wilcoxon(A, B, zero_method="pratt")),
        ("mannwhitneyu", {"alternative": "less"}, stats.mannwhitneyu(A, B, alternative="less")),
        ("f_oneway", {}, stats.f_oneway(A, B)),
        ("pearsonr", {}, stats.pearsonr(A, B)),
        ("spearmanr", {}, stats.spearmanr(A, B)),
    ],
)
def test_tests_of_two_samples(method, options, expected):
    (row,) = run(method, ["a"], ["b"], **options)
    values = list(row.values())
    assert (row["A_field"], row["B_field"]) == ("a", "b")
    assert values[2:4] == pytest.approx([expected[0], expected[1]])
    assert row["Test decision (alpha=0.05)"] == ("rejected" if expected[1] <= 0.05 else "not rejected")


@pytest.mark.parametrize(
    ("method", "options", "expected"),
    [
        ("normaltest", {}, stats.normaltest(A)),
        ("kstest", {}, stats.kstest(A, "norm")),
        ("kstest", {"cdf": "lognorm", "s": "0.9", "scale": "2"}, stats.kstest(A, "lognorm", args=(0.9, 0, 2))),
        ("ttest_1samp", {"popmean": "0.1"}, stats.ttest_1samp(A, 0.1)),
    ],
)
def test_tests_of_one_sample(method, options, expected):
    (row,) = run(method, ["a"], alpha="0.2", **options)
    assert row["Field"] == "a"
    assert (row["statistic"], row["p-value"]) == pytest.approx((expected[0], expected[1]))
    assert row["Test decision (alpha=0.2)"] == ("rejected" if expected[1] <= 0.2 else "not rejected")


def test_one_way_of_many_fields():
    (row,) = run("f_oneway", ["a", "b", "c"])
    assert row["Field"] == "a, b, c"
    assert row["statistic"] == pytest.approx(stats.f_oneway(A, B, D)[0])


def test_descriptions():
    rows = run("describe", ["a", "b"], bias="f")
    found = stats.describe(B, bias=False)
    assert [row["Field"] for row in rows] == ["a", "b"]
    assert rows[1]["nobs"] == 80
    assert (rows[1]["kurtosis"], rows[1]["variance"]) == pytest.approx((found.kurtosis, found.variance))
    assert run("moment", ["a"], moment="2")[0]["moment"] == pytest.approx(stats.moment(A, 2))
    assert run("tmean", ["a"], lower_limit="0")[0]["trimmed-mean"] == pytest.approx(stats.tmean(A, (0, None)))
    assert run("tvar", ["a"], upper_limit="1")[0]["trimmed-variance"] == pytest.approx(stats.tvar(A, (None, 1)))
    assert [row["a"] for row in run("trim", ["a"], tail="left", proportiontocut="0.1")] == sorted(A)[8:]
    with pytest.raises(UserError, match='no value of field "a" is within the limits'):
        run("tmean", ["a"], lower_limit="100")


def test_distances():
    assert run("energy_distance", ["a"], ["b"])[0]["energy_distance"] == pytest.approx(stats.energy_distance(A, B))
    (row,) = run("wasserstein_distance", ["a"], ["b"])
    assert row["wasserstein_distance"] == pytest.approx(stats.wasserstein_distance(A, B))
    expected = metrics.pairwise_distances(np.vstack([A, B]), np.vstack([D]), metric="cityblock")
    rows = run("pairwise_distances", ["a", "b"], ["c"], metric="cityblock")
    assert rows == [
        {"A_field": "a", "B_field(c)": pytest.approx(expected[0, 0])},
        {"A_field": "b", "B_field(c)": pytest.approx(expected[1, 0])},
    ]
    rows = run("pairwise_distances", ["a", "b"], ["c"], output="list")
    assert [(row["A_field"], row["B_field"]) for row in rows] == [("a", "c"), ("b", "c")]


def test_silhouette():
    expected = metrics.silhouette_score(np.column_stack([A, B]), np.array([0, 1] * 40))
    assert run("silhouette_score", ["group"], ["a", "b"]) == [{"silhouette_score": pytest.approx(expected)}]
    with pytest.raises(UserError, match="from 2 to 79 clusters are wanted, got 80"):
        run("silhouette_score", ["a"], ["b"])


def test_series():
    (row,) = run("adfuller", ["walk"], autolag="BIC", regression="ct")
    expected = adfuller(np.cumsum(A), autolag="BIC", regression="ct", result_object=False)
    assert (row["statistic"], row["p-value"], row["usedlag"], row["nobs"]) == pytest.approx(expected[:4])
    assert row["critical values (5%)"] == pytest.approx(expected[4]["5%"])
    (row,) = run("kpss", ["walk"])
    expected = kpss(np.cumsum(A), nlags="auto", result_object=False)
    assert (row["statistic"], row["p-value"], row["lags"]) == pytest.approx(expected[:3])


def test_analysis_of_variance():
    frame = pd.DataFrame({"a": A, "group": ["x", "y"] * 40, "b": B})
    fitted = ols("a ~ C(group) + b", frame).fit()
    rows = run("anova", formula="a ~ C(group) + b", type="2")
    expected = anova_lm(fitted, typ=2)
    assert [row["source"] for row in rows] == list(expected.index)
    assert rows[0]["F"] == pytest.approx(expected["F"].iloc[0])
    assert rows[-1]["F"] is None
    (row,) = run("anova", formula="a ~ C(group) + b", output="model_accuracy")
    assert row["rsquared"] == pytest.approx(fitted.rsquared)
    rows = run("anova", formula="a ~ C(group) + b", output="coefficients")
    assert [row["coef"] for row in rows] == pytest.approx(list(fitted.params))


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        ("a ~ __import__('os').system('true')", 'has "\'"'),
        ("a ~ eval(b)", 'calls "eval", only C() is taken'),
        ("a ~ b.values", 'has "."'),
        ("a ~ b[0]", 'has "["'),
        ("a ~ missing", 'field "missing" is missing from the rows'),
        ("a + b", 'must have one "~"'),
        ("", 'option "formula" is wanted'),
    ],
)
def test_a_formula_holds_fields_and_operators_only(formula, message):
    with pytest.raises(UserError) as error:
        run("anova", formula=formula)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("method", "actual", "predicted", "options", "message"),
    [
        ("ttest_1samp", ["a"], [], {}, 'ttest_1samp: option "popmean" is wanted'),
        ("normaltest", ["a"], ["b"], {}, 'normaltest: "against" is not taken'),
        ("normaltest", ["group"], [], {}, 'field "group" must be numeric'),
        ("kstest", ["a"], [], {"cdf": "chi2"}, 'kstest: option "df" is wanted with cdf=chi2'),
        ("anova", ["a"], [], {"formula": "a ~ b"}, "anova: no fields are taken, got a"),
        ("f_oneway", ["a"], [], {}, "at least two fields are wanted"),
        ("ks_2samp", ["a"], ["b"], {"alpha": "1"}, 'option "alpha" must be a number above 0 below 1, got "1"'),
    ],
)
def test_bad_requests(method, actual, predicted, options, message):
    with pytest.raises(UserError) as error:
        run(method, actual, predicted, **options)
    assert message in str(error.value)


def test_the_names_of_a_formula_are_required_fields():
    assert ScoreRequest("anova", options={"formula": "y ~ C(z) + x:z"}).required_fields == ["y", "z", "x"]
