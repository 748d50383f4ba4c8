"""Ensembles of trees: random forests and gradient boosting."""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import joblib
import numpy as np
import pyarrow as pa
from sklearn.ensemble import (
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)

from sightline.ml.algorithms.declaration import (
    CLASSIFIER,
    REGRESSOR,
    Algorithm,
    Block,
    Outputs,
    predict_classes,
    predict_numbers,
    predicted_name,
    summarise_importance,
)
from sightline.ml.model import Model
from sightline.ml.parameters import Parameter, choice, class_weights, integer, number, random_state, share_or_count

CACHED_ROWS = 8192
"""Rows that a thread takes through all trees at a time."""
LEAF_LIMIT = 2000
"""Leaves of one tree when neither max_depth nor max_leaf_nodes is given, so that a model stays of bounded size."""


def bounded_leaves(arguments: dict[str, Any], matrix: np.ndarray) -> dict[str, Any]:
    """Sets the leaf limit where it can bind.

    With no more rows than the limit no tree reaches it, and setting it all the same would only make scikit-learn
    grow the tree in another order and draw other features for the same seed.
    """
    if arguments["max_depth"] is None and arguments["max_leaf_nodes"] is None and len(matrix) > LEAF_LIMIT:
        return {**arguments, "max_leaf_nodes": LEAF_LIMIT}
    return arguments


def mean_of_trees(forest: Any, matrix: np.ndarray) -> np.ndarray:
    """What the trees say on average, a row each: the shares of the classes, or one number.

    Equal to scikit-learn's own with one thread, to the last bit, in half the time: it gives every tree all rows, under a
    lock for the sum, with per-tree checks; here each thread takes rows, few enough to stay in its cache.
    """
    trees = [tree.tree_ for tree in forest.estimators_]
    leaves = [tree.value.reshape(tree.node_count, -1) for tree in trees]

    def of_rows(rows: np.ndarray) -> np.ndarray:
        total = np.zeros((len(rows), leaves[0].shape[1]))
        said = np.empty_like(total)
        for tree, values in zip(trees, leaves, strict=True):
            np.take(values, tree.apply(rows), axis=0, out=said, mode="clip")
            total += said
        return total / len(trees)

    pieces = [matrix[start : start + CACHED_ROWS] for start in range(0, len(matrix), CACHED_ROWS)]
    threads = min(joblib.effective_n_jobs(None), len(pieces))
    if threads == 1:
        return np.concatenate([of_rows(piece) for piece in pieces])
    with ThreadPoolExecutor(threads) as pool:
        return np.concatenate(list(pool.map(of_rows, pieces)))


def vote(model: Model, block: Block, written: str, options: Mapping[str, Any]) -> Outputs:
    """The class that the trees give the largest share; the first of equals."""
    winners = mean_of_trees(model.estimator, block.matrix).argmax(axis=1)
    return {predicted_name(model, written): model.classes.take(model.estimator.classes_[winners])}


def average(model: Model, block: Block, written: str, options: Mapping[str, Any]) -> Outputs:
    """The mean of the trees' numbers."""
    return {predicted_name(model, written): pa.array(mean_of_trees(model.estimator, block.matrix)[:, 0].copy())}


def features_per_split(default: Any, automatic: Any) -> Parameter:
    """How many features a split looks at; `auto` is the word older versions used for the algorithm's own choice."""
    words = {"sqrt": "sqrt", "log2": "log2", "auto": automatic, "none": None}
    return share_or_count("max_features", default, "Features looked at for a split: a count, a share, or a rule.", words)


TREE_SIZE = (
    integer("max_depth", None, "Levels of a tree. Left out: as many as the data asks for.", low=1),
    integer("min_samples_split", 2, "Rows a node needs to be split.", low=2),
    integer(
        "max_leaf_nodes", None, f"Leaves of a tree. Left out: {LEAF_LIMIT}, without a limit when max_depth is given.", low=2
    ),
)


CLASS_CRITERION = choice("criterion", "gini", "What a split improves.", ("gini", "entropy", "log_loss"))
NUMBER_CRITERION = choice(
    "criterion",
    "squared_error",
    "What a split improves.",
    ("squared_error", "absolute_error", "poisson"),
    aliases={"mse": "squared_error", "mae": "absolute_error", "friedman_mse": "squared_error"},
)
TREES = integer("n_estimators", 100, "Number of trees.", low=1, high=10_000)
BOOSTING = (
    random_state(),
    integer("n_estimators", 100, "Number of boosting stages.", low=1, high=10_000),
    integer("max_depth", 3, "Levels of a tree.", low=1),
    integer("min_samples_split", 2, "Rows a node needs to be split.", low=2),
    integer("max_leaf_nodes", None, "Leaves of a tree. Left out: as many as max_depth allows.", low=2),
    features_per_split(None, None),
    number("learning_rate", 0.1, "How much each tree counts.", low=0),
    number("min_weight_fraction_leaf", 0.0, "Share of all weight a leaf needs.", low=0, high=0.5),
    integer("min_samples_leaf", 1, "Rows a leaf needs.", low=1),
)

ALGORITHMS = (
    Algorithm(
        name="RandomForestClassifier",
        kind=CLASSIFIER,
        summary="Predicts a class by the vote of many random trees.",
        estimator=RandomForestClassifier,
        parameters=(
            random_state(),
            TREES,
            *TREE_SIZE,
            features_per_split("sqrt", "sqrt"),
            CLASS_CRITERION,
            class_weights("class_weight", None, "Weights of the classes.", ("balanced", "balanced_subsample")),
        ),
        outputs=vote,
        summarise=summarise_importance,
        finish=bounded_leaves,
        matrix_type=np.float32,
    ),
    Algorithm(
        name="RandomForestRegressor",
        kind=REGRESSOR,
        summary="Predicts a number by the average of many random trees.",
        estimator=RandomForestRegressor,
        parameters=(random_state(), TREES, *TREE_SIZE, features_per_split(1.0, 1.0), NUMBER_CRITERION),
        outputs=average,
        summarise=summarise_importance,
        finish=bounded_leaves,
        matrix_type=np.float32,
    ),
    Algorithm(
        name="GradientBoostingClassifier",
        kind=CLASSIFIER,
        summary="Predicts a class by trees that each correct those before.",
        estimator=GradientBoostingClassifier,
        parameters=(
            *BOOSTING,
            choice("loss", "log_loss", "What is made small.", ("log_loss", "exponential"), aliases={"deviance": "log_loss"}),
        ),
        outputs=predict_classes,
        summarise=summarise_importance,
        matrix_type=np.float32,
    ),
    Algorithm(
        name="GradientBoostingRegressor",
        kind=REGRESSOR,
        summary="Predicts a number by trees that each correct those before.",
        estimator=GradientBoostingRegressor,
        parameters=(
            *BOOSTING,
            choice(
                "loss",
                "squared_error",
                "What is made small.",
                ("squared_error", "absolute_error", "huber", "quantile"),
                aliases={"ls": "squared_error", "lad": "absolute_error"},
            ),
            number("alpha", 0.9, "The quantile of the losses huber and quantile.", above=0, below=1),
            number("subsample", 1.0, "Share of the rows each tree sees.", above=0, high=1),
        ),
        outputs=predict_numbers,
        summarise=summarise_importance,
        matrix_type=np.float32,
    ),
)
