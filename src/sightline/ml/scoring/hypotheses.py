"""Statistical tests: may a hypothesis about fields be rejected?

Every test adds `Test decision (alpha=<a>)`: rejected when the p-value is at most alpha.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pyarrow as pa
from scipy import stats

from sightline.errors import UserError
from sightline.ml.parameters import Parameter, boolean, choice, number
from sightline.ml.scoring.declaration import Scorer, Scoring, pairs, present_numbers

ALPHA = number("alpha", 0.05, "The p-value up to which the hypothesis is rejected.", above=0, below=1)
ALTERNATIVE = choice("alternative", "two-sided", "The other hypothesis.", ("two-sided", "less", "greater"))


def decisions(scoring: Scoring, p_values: list[float]) -> dict[str, list[str]]:
    """The column that says what the p-values mean."""
    alpha = scoring.options["alpha"]
    return {
        f"Test decision (alpha={alpha:g})": ["rejected" if p <= alpha else "not rejected" for p in p_values],
    }


def of_each_field(test: Callable[[np.ndarray, dict[str, Any]], Any]) -> Callable[[Scoring], pa.Table]:
    """A row per field: statistic and p-value of a test on one sample."""

    def run(scoring: Scoring) -> pa.Table:
        results = []
        for field in scoring.actual:
            (values,) = present_numbers(scoring, [field])
            results.append(_tested(scoring, test, values))
        return _table(scoring, {"Field": scoring.actual}, results)

    return run


def of_each_pair(
    test: Callable[[np.ndarray, np.ndarray, dict[str, Any]], Any],
    statistic: str = "statistic",
    p_value: str = "p-value",
) -> Callable[[Scoring], pa.Table]:
    """A row per pair of fields: statistic and p-value of a test on two samples."""

    def run(scoring: Scoring) -> pa.Table:
        found = pairs(scoring)
        results = []
        for a, b in found:
            results.append(_tested(scoring, test, *present_numbers(scoring, [a, b])))
        names = {"A_field": [a for a, _ in found], "B_field": [b for _, b in found]}
        return _table(scoring, names, results, statistic, p_value)

    return run


def one_way(scoring: Scoring) -> pa.Table:
    """Whether the means of fields are equal: pair by pair, or of all fields where nothing follows `against`."""
    if scoring.predicted:
        return of_each_pair(lambda a, b, _: stats.f_oneway(a, b))(scoring)
    if len(scoring.actual) < 2:
        raise UserError(f"{scoring.method}: at least two fields are wanted")
    columns = present_numbers(scoring, scoring.actual)
    result = _tested(scoring, lambda *samples: stats.f_oneway(*samples[:-1]), *columns)
    return _table(scoring, {"Field": [", ".join(scoring.actual)]}, [result])


def kolmogorov_smirnov(values: np.ndarray, options: dict[str, Any]) -> Any:
    """A sample against a distribution with given parameters."""
    distribution = options["cdf"]
    arguments = {"norm": (), "lognorm": (options["s"],), "chi2": (options["df"],)}[distribution]
    if None in arguments:
        wanted = {"lognorm": "s", "chi2": "df"}[distribution]
        raise UserError(f'kstest: option "{wanted}" is wanted with cdf={distribution}')
    return stats.kstest(
        values,
        distribution,
        args=(*arguments, options["loc"], options["scale"]),
        alternative=options["alternative"],
        method=options["mode"],
    )


def distance(function: Any) -> Callable[[Scoring], pa.Table]:
    """A row per pair of fields: a distance between the two samples."""

    def run(scoring: Scoring) -> pa.Table:
        found = pairs(scoring)
        values = [float(function(*present_numbers(scoring, list(pair)))) for pair in found]
        return pa.table({"A_field": [a for a, _ in found], "B_field": [b for _, b in found], scoring.method: values})

    return run


def _tested(scoring: Scoring, test: Any, *samples: np.ndarray) -> tuple[float, float]:
    try:
        with np.errstate(all="ignore"):
            result = test(*samples, scoring.options)
    except ValueError as error:
        raise UserError(f"{scoring.method}: {error}") from error
    return float(result[0]), float(result[1])


def _table(
    scoring: Scoring,
    names: dict[str, list[str]],
    results: list[tuple[float, float]],
    statistic: str = "statistic",
    p_value: str = "p-value",
) -> pa.Table:
    p_values = [p for _, p in results]
    return pa.table({**names, statistic: [s for s, _ in results], p_value: p_values, **decisions(scoring, p_values)})


def _test(name: str, summary: str, run: Any, fields: str, *parameters: Parameter) -> Scorer:
    return Scorer(name, "statistical test", summary, run, (*parameters, ALPHA), fields)


SCORERS = (
    _test("f_oneway", "Are the means equal?", one_way, "any"),
    _test(
        "ks_2samp",
        "Are two samples of one distribution?",
        of_each_pair(lambda a, b, _: stats.ks_2samp(a, b)),
        "pairs",
    ),
    _test("normaltest", "Is the sample normal?", of_each_field(lambda a, _: stats.normaltest(a)), "one side"),
    _test(
        "kstest",
        "Is the sample of a given distribution?",
        of_each_field(kolmogorov_smirnov),
        "one side",
        choice("cdf", "norm", "The distribution.", ("norm", "lognorm", "chi2")),
        number("df", None, "Degrees of freedom of chi2.", above=0),
        number("loc", 0.0, "Where the distribution stands."),
        number("scale", 1.0, "How wide it is.", above=0),
        number("s", None, "The shape of lognorm.", above=0),
        choice("mode", "auto", "How the p-value is computed.", ("auto", "exact", "approx", "asymp")),
        ALTERNATIVE,
    ),
    _test(
        "mannwhitneyu",
        "Does one sample tend to larger values?",
        of_each_pair(
            lambda a, b, options: stats.mannwhitneyu(
                a, b, alternative=options["alternative"], use_continuity=options["use_continuity"]
            )
        ),
        "pairs",
        ALTERNATIVE,
        boolean("use_continuity", True, "Correct for counting."),
    ),
    _test(
        "wilcoxon",
        "Do paired samples differ?",
        of_each_pair(
            lambda a, b, options: stats.wilcoxon(a, b, zero_method=options["zero_method"], correction=options["correction"])
        ),
        "pairs",
        choice("zero_method", "wilcox", "What equal pairs do.", ("wilcox", "pratt", "zsplit")),
        boolean("correction", False, "Correct for counting."),
    ),
    _test(
        "ttest_1samp",
        "Is the mean a given one?",
        of_each_field(lambda a, options: stats.ttest_1samp(a, _required(options, "ttest_1samp", "popmean"))),
        "one side",
        number("popmean", None, "The given mean; required."),
    ),
    _test(
        "ttest_ind",
        "Have two samples the same mean?",
        of_each_pair(lambda a, b, options: stats.ttest_ind(a, b, equal_var=options["equal_var"])),
        "pairs",
        boolean("equal_var", True, "Take the variances as equal."),
    ),
    _test(
        "ttest_rel",
        "Have paired samples the same mean?",
        of_each_pair(lambda a, b, _: stats.ttest_rel(a, b)),
        "pairs",
    ),
    _test(
        "pearsonr",
        "Are two fields related along a line?",
        of_each_pair(lambda a, b, _: stats.pearsonr(a, b), "r", "two-tailed p-value"),
        "pairs",
    ),
    _test(
        "spearmanr",
        "Do two fields rise together?",
        of_each_pair(lambda a, b, _: stats.spearmanr(a, b), "correlation", "two-tailed p-value"),
        "pairs",
    ),
    Scorer(
        "energy_distance",
        "statistical distance",
        "How far two samples are apart.",
        distance(stats.energy_distance),
    ),
    Scorer(
        "wasserstein_distance",
        "statistical distance",
        "How much must be moved how far to make one sample the other.",
        distance(stats.wasserstein_distance),
    ),
)


def _required(options: dict[str, Any], method: str, name: str) -> Any:
    if options[name] is None:
        raise UserError(f'{method}: option "{name}" is wanted')
    return options[name]
