"""Rows that are unlike their neighbours."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
from sklearn.neighbors import LocalOutlierFactor

from sightline.ml.algorithms.declaration import DETECTOR, Algorithm, Outputs
from sightline.ml.model import Model
from sightline.ml.parameters import boolean, choice, integer, number

METRICS = ("minkowski", "euclidean", "manhattan", "chebyshev", "cityblock", "cosine", "l1", "l2")


def local_outliers(model: Model, written: str) -> Outputs:
    """1 for an outlier, -1 for an inlier, and how many times thinner a row's place is than its neighbours' places."""
    name = written or "is_outlier"
    columns = {name: pa.array(np.where(model.estimator.negative_outlier_factor_ < model.estimator.offset_, 1, -1))}
    if model.parameters["anomaly_score"]:
        columns["anomaly_score"] = pa.array(-model.estimator.negative_outlier_factor_)
    return columns


ALGORITHMS = (
    Algorithm(
        name="LocalOutlierFactor",
        kind=DETECTOR,
        summary="Tells rows whose place is thinner than their neighbours' places.",
        estimator=LocalOutlierFactor,
        parameters=(
            integer("n_neighbors", 20, "Neighbours that are compared.", low=1),
            integer("leaf_size", 30, "Rows in a leaf of the search tree.", low=1),
            integer("p", 2, "The power of the metric minkowski.", low=1),
            number("contamination", 0.1, "Share of outliers.", above=0, high=0.5),
            choice("algorithm", "auto", "How neighbours are found.", ("auto", "ball_tree", "kd_tree", "brute")),
            choice("metric", "minkowski", "How distance is measured.", METRICS),
            boolean("anomaly_score", True, "Also give the score."),
        ),
        not_for_estimator=frozenset({"anomaly_score"}),
        fit_outputs=local_outliers,
        saves=False,
    ),
)
