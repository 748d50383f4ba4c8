"""How near predicted numbers are to the actual ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from sklearn import metrics

from sightline.ml.parameters import choice
from sightline.ml.scoring.declaration import Scorer, Scoring, pair_table, pairs, present_numbers


def regression_scorer(name: str, function: Any, summary: str, weighted: bool = False) -> Scorer:
    """A method that gives a number per pair, or with another multioutput one number for all pairs."""
    choices = ("raw_values", "uniform_average", *(("variance_weighted",) if weighted else ()))
    aliases = {"none": "raw_values"} if name == "r2_score" else {}

    def run(scoring: Scoring) -> pa.Table:
        found = pairs(scoring)
        how = scoring.options["multioutput"]
        if how == "raw_values":
            scores = []
            for actual, predicted in found:
                truth, guess = present_numbers(scoring, [actual, predicted])
                scores.append(float(function(truth, guess)))
            return pair_table(found, {name: scores})
        fields = [field for pair in found for field in pair]
        columns = present_numbers(scoring, fields)
        score = function(np.column_stack(columns[0::2]), np.column_stack(columns[1::2]), multioutput=how)
        return pa.table({name: [float(score)]})

    option = choice("multioutput", "raw_values", "A number per pair, or an average of all.", choices, aliases=aliases)
    return Scorer(name, "regression", summary, run, (option,))


SCORERS = (
    regression_scorer("r2_score", metrics.r2_score, "The share of the variance that is explained.", weighted=True),
    regression_scorer(
        "explained_variance_score",
        metrics.explained_variance_score,
        "The share of the variance that is explained, but for a constant error.",
        weighted=True,
    ),
    regression_scorer("mean_absolute_error", metrics.mean_absolute_error, "The mean size of the error."),
    regression_scorer("mean_squared_error", metrics.mean_squared_error, "The mean of the squared error."),
)
