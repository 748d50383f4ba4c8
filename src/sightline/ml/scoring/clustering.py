"""How well rows are grouped, and how far fields are apart."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from sklearn import metrics

from sightline.errors import UserError
from sightline.ml.columns import as_numbers, as_texts, numpy_numbers
from sightline.ml.parameters import choice
from sightline.ml.scoring.declaration import Scorer, Scoring, present_numbers, tell_dropped

METRICS = ("euclidean", "cityblock", "cosine", "l1", "l2", "manhattan", "chebyshev", "canberra", "braycurtis", "correlation")
METRIC = choice("metric", "euclidean", "How distance is measured.", METRICS)
MOST_FIELDS = 50


def silhouette_score(scoring: Scoring) -> pa.Table:
    """How much nearer rows are to their own cluster than to the next, from -1 to 1."""
    if len(scoring.actual) != 1:
        raise UserError(f"{scoring.method}: one label field is wanted, got {len(scoring.actual)}")
    numbers = [as_numbers(scoring.table.column(field)) for field in scoring.predicted]
    for field, values in zip(scoring.predicted, numbers, strict=True):
        if values is None:
            raise UserError(f'{scoring.method}: field "{field}" must be numeric')
    labels = as_texts(scoring.table.column(scoring.actual[0]))
    matrix = np.column_stack([numpy_numbers(values) for values in numbers])
    present = np.isfinite(matrix).all(axis=1) & labels.is_valid().to_numpy(zero_copy_only=False)
    tell_dropped(scoring, pa.array(present))
    codes = labels.filter(pa.array(present)).dictionary_encode()
    count = len(codes.dictionary)
    if not 2 <= count < len(codes):
        raise UserError(f"{scoring.method}: from 2 to {len(codes) - 1} clusters are wanted, got {count}")
    score = metrics.silhouette_score(matrix[present], codes.indices.to_numpy(), metric=scoring.options["metric"])
    return pa.table({"silhouette_score": [float(score)]})


def pairwise_distances(scoring: Scoring) -> pa.Table:
    """The distance of every field before `against` to every field after it, as a matrix or a list."""
    for side in (scoring.actual, scoring.predicted):
        if len(side) > MOST_FIELDS:
            raise UserError(f"{scoring.method}: at most {MOST_FIELDS} fields are taken on a side, got {len(side)}")
    columns = present_numbers(scoring, [*scoring.actual, *scoring.predicted])
    left = np.vstack(columns[: len(scoring.actual)])
    right = np.vstack(columns[len(scoring.actual) :])
    cells = metrics.pairwise_distances(left, right, metric=scoring.options["metric"])
    if scoring.options["output"] == "list":
        return pa.table(
            {
                "A_field": [a for a in scoring.actual for _ in scoring.predicted],
                "B_field": scoring.predicted * len(scoring.actual),
                "Distance": cells.ravel(),
            }
        )
    table: dict[str, Any] = {"A_field": scoring.actual}
    table.update({f"B_field({b})": cells[:, index].copy() for index, b in enumerate(scoring.predicted)})
    return pa.table(table)


SCORERS = (
    Scorer(
        "silhouette_score",
        "clustering",
        "How much nearer rows are to their own cluster than to the next.",
        silhouette_score,
        (METRIC,),
        "sides",
    ),
    Scorer(
        "pairwise_distances",
        "statistical distance",
        "The distances between fields.",
        pairwise_distances,
        (METRIC, choice("output", "matrix", "The shape of the result.", ("matrix", "list"))),
        "sides",
    ),
)
