"""Numbers that describe fields: moments, and means, variances and values without the extremes."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from scipy import stats

from sightline.errors import UserError
from sightline.ml.parameters import boolean, choice, integer, number
from sightline.ml.scoring.declaration import Scorer, Scoring, present_numbers

LIMITS = (
    number("lower_limit", None, "Smaller values are left out."),
    number("upper_limit", None, "Larger values are left out."),
)


def describe(scoring: Scoring) -> pa.Table:
    """A row per field: count, range, mean, variance, skewness and kurtosis."""
    rows = []
    for field in scoring.actual:
        (values,) = present_numbers(scoring, [field])
        found = stats.describe(values, ddof=scoring.options["ddof"], bias=scoring.options["bias"])
        rows.append(
            {
                "Field": field,
                "kurtosis": float(found.kurtosis),
                "max": float(found.minmax[1]),
                "mean": float(found.mean),
                "min": float(found.minmax[0]),
                "nobs": int(found.nobs),
                "skewness": float(found.skewness),
                "variance": float(found.variance),
            }
        )
    return pa.Table.from_pylist(rows)


def moment(scoring: Scoring) -> pa.Table:
    """A row per field: the n-th moment about the mean."""
    order = scoring.options["moment"]
    values = [float(stats.moment(present_numbers(scoring, [field])[0], order)) for field in scoring.actual]
    return pa.table({"Field": scoring.actual, "moment": values})


def trimmed_mean(scoring: Scoring) -> pa.Table:
    """A row per field: the mean of the values within the limits."""
    values = [float(stats.tmean(_column(scoring, field), _limits(scoring))) for field in scoring.actual]
    return pa.table({"Field": scoring.actual, "trimmed-mean": values})


def trimmed_variance(scoring: Scoring) -> pa.Table:
    """A row per field: the variance of the values within the limits."""
    ddof = scoring.options["ddof"]
    values = [float(stats.tvar(_column(scoring, field), _limits(scoring), ddof=ddof)) for field in scoring.actual]
    return pa.table({"Field": scoring.actual, "trimmed-variance": values})


def trim(scoring: Scoring) -> pa.Table:
    """The values of the fields, ascending, without a share at one or both ends."""
    share, tail = scoring.options["proportiontocut"], scoring.options["tail"]
    if tail == "both" and share >= 0.5:
        raise UserError(f'trim: option "proportiontocut" must be below 0.5 with tail=both, got "{share:g}"')
    columns = present_numbers(scoring, scoring.actual)
    rows = len(columns[0])
    cut = int(share * rows)
    kept = slice(cut if tail in ("both", "left") else 0, rows - cut if tail in ("both", "right") else rows)
    return pa.table({field: np.sort(values)[kept] for field, values in zip(scoring.actual, columns, strict=True)})


def _column(scoring: Scoring, field: str) -> np.ndarray:
    (values,) = present_numbers(scoring, [field])
    low, high = _limits(scoring)
    inside = ((low is None) | (values >= (low or 0))) & ((high is None) | (values <= (high or 0)))
    if not np.any(inside):
        raise UserError(f'{scoring.method}: no value of field "{field}" is within the limits')
    return values


def _limits(scoring: Scoring) -> tuple[float | None, float | None]:
    return scoring.options["lower_limit"], scoring.options["upper_limit"]


SCORERS = (
    Scorer(
        "describe",
        "description",
        "Count, range, mean, variance, skewness and kurtosis.",
        describe,
        (
            integer("ddof", 1, "What is taken from the count for the variance.", low=0),
            boolean("bias", True, "Do not correct skewness and kurtosis for the count."),
        ),
        "one side",
    ),
    Scorer(
        "moment",
        "description",
        "The n-th moment about the mean.",
        moment,
        (integer("moment", 1, "Which moment.", low=0),),
        "one side",
    ),
    Scorer("tmean", "description", "The mean within limits.", trimmed_mean, LIMITS, "one side"),
    Scorer(
        "tvar",
        "description",
        "The variance within limits.",
        trimmed_variance,
        (*LIMITS, integer("ddof", 1, "What is taken from the count.", low=0)),
        "one side",
    ),
    Scorer(
        "trim",
        "description",
        "The values without the extremes.",
        trim,
        (
            choice("tail", "both", "Where values are cut.", ("both", "left", "right")),
            number("proportiontocut", 0.0, "The share cut at an end.", low=0, below=1),
        ),
        "one side",
    ),
)
