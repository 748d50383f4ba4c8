"""Rows that are unlike their neighbours, or unlikely in all their features together."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.decomposition import PCA
from sklearn.neighbors import LocalOutlierFactor
from sklearn.preprocessing import StandardScaler

from sightline.ml.algorithms.declaration import DETECTOR, Algorithm, Block, Outputs
from sightline.ml.algorithms.density import DENSITY_PARAMETERS, SHOWN, THRESHOLDS, judge_values, summarise_groups, train
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


def train_along_spread(parameters: dict[str, Any], block: Block, by: list[str]) -> dict[str, Any]:
    """The features on a common scale, seen along the direction in which they differ most, and their density there."""
    scaler = StandardScaler().fit(block.matrix)
    pca = PCA(1, random_state=parameters["random_state"]).fit(scaler.transform(block.matrix))
    along = pca.transform(scaler.transform(block.matrix))
    return {"scaler": scaler, "pca": pca, "density": train(parameters, Block(along, block.rows), by)}


def judge_along_spread(model: Model, block: Block, written: str, options: Mapping[str, Any]) -> Outputs:
    """`PC_1`, the place along that direction, and what DensityFunction says of it."""
    parts = model.estimator
    along = parts["pca"].transform(parts["scaler"].transform(block.matrix))
    judged = judge_values(parts["density"], "PC_1", model.parameters, Block(along, block.rows), written, options)
    return {"PC_1": pa.array(along[:, 0].copy()), **judged}


def summarise_along_spread(model: Model) -> pa.Table:
    """The summary of the density, and the weight of every feature in `PC_1`."""
    table = summarise_groups(model.estimator["density"], model.parameters)
    weights = ", ".join(
        f"{name}: {weight:.6g}" for name, weight in zip(model.columns, model.estimator["pca"].components_[0], strict=True)
    )
    return table.append_column("PC_1", pa.array([weights] * table.num_rows))


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
    Algorithm(
        name="MultivariateOutlierDetection",
        kind=DETECTOR,
        summary="Tells rows that are unlikely along the direction in which the features differ most.",
        parameters=DENSITY_PARAMETERS,
        apply_parameters=(*THRESHOLDS, *SHOWN),
        train=train_along_spread,
        outputs=judge_along_spread,
        summarise=summarise_along_spread,
        takes_by=5,
    ),
)
