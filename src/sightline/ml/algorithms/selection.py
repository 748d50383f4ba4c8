"""Which features matter, and a model chosen and judged without being asked how."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn import metrics
from sklearn.ensemble import RandomForestClassifier, RandomForestRegressor
from sklearn.feature_selection import GenericUnivariateSelect, f_classif, f_regression
from sklearn.model_selection import train_test_split

from sightline.errors import UserError
from sightline.ml.algorithms.declaration import (
    CLASSES,
    DETECTOR,
    NUMBERS,
    TRANSFORMER,
    Algorithm,
    Block,
    Outputs,
    predicted_name,
)
from sightline.ml.algorithms.forests import TREE_SIZE, TREES, bounded_leaves, features_per_split
from sightline.ml.columns import WHOLE_TEXT, as_numbers, as_texts
from sightline.ml.model import Model
from sightline.ml.parameters import choice, number, random_state

MODES = ("k_best", "fpr", "fdr", "fwe", "percentile")
TEST_KINDS = {"categorical": CLASSES, "numeric": NUMBERS}
MOST_CLASSES = 100


def select(parameters: dict[str, Any], block: Block, by: list[str]) -> dict[str, Any]:
    """The F-test of every column against the target, and the columns that pass: plain arrays."""
    mode, parameter = parameters["mode"], parameters["param"]
    if parameter is None:
        parameter = {"k_best": 10, "percentile": 10}.get(mode, 0.05)
    if mode == "k_best":
        parameter = min(int(parameter), block.matrix.shape[1])
    elif mode != "percentile" and not 0 < parameter < 1:
        raise UserError(f'FieldSelector: option "param" must be above 0 and below 1 with mode={mode}, got "{parameter:g}"')
    test = f_classif if parameters["type"] == "categorical" else f_regression
    with np.errstate(all="ignore"):  # A constant column has no score; it is never selected.
        selector = GenericUnivariateSelect(test, mode=mode, param=parameter).fit(block.matrix, block.target)
    return {"selected": selector.get_support(), "scores": selector.scores_, "p_values": selector.pvalues_}


def selected_columns(model: Model, block: Block, written: str, options: Mapping[str, Any]) -> Outputs:
    """The selected columns as they are, named `fs_<column>`; the name after `as` takes the place of the prefix."""
    return {
        f"{written or 'fs'}_{name}": pa.array(block.matrix[:, index].copy())
        for index, name in enumerate(model.columns)
        if model.estimator["selected"][index]
    }


def summarise_selection(model: Model) -> pa.Table:
    """A row per column: its score and p-value."""
    return pa.table(
        {
            "feature_variables": list(model.columns),
            "score": model.estimator["scores"],
            "p-value": model.estimator["p_values"],
        }
    )


def tell_selection(model: Model) -> list[str]:
    """A warning when nothing passed."""
    return [] if model.estimator["selected"].any() else ["FieldSelector: no feature passed the test"]


def kind_of_target(parameters: Mapping[str, Any], column: pa.ChunkedArray) -> str:
    """Numbers when asked for, or when the field is numeric with fractions or more values than a classifier takes."""
    if parameters["target_type"] != "auto":
        return TEST_KINDS[parameters["target_type"]]
    if as_numbers(column) is None:
        return CLASSES
    labels = set(as_texts(column).drop_null().unique().to_pylist())
    few = len(labels) <= MOST_CLASSES and all(WHOLE_TEXT.fullmatch(label) for label in labels)
    return CLASSES if few else NUMBERS


def train_and_judge(parameters: dict[str, Any], block: Block, by: list[str]) -> dict[str, Any]:
    """A forest trained on one part of the rows, and its scores on the other (on the same rows without a split)."""
    has_classes = np.issubdtype(block.target.dtype, np.integer)
    share, seed = parameters["test_split_ratio"], parameters["random_state"]
    rows = np.arange(len(block.matrix))
    learned, judged = train_test_split(rows, test_size=share, random_state=seed) if share else (rows, rows)
    arguments = {key: parameters[key] for key in (*(p.name for p in (*TREE_SIZE, TREES)), "random_state")}
    if parameters["max_features"] is not None:
        arguments["max_features"] = parameters["max_features"]
    if parameters["criterion"] is not None:
        arguments["criterion"] = parameters["criterion"]
    forest = (RandomForestClassifier if has_classes else RandomForestRegressor)(
        **bounded_leaves(arguments, block.matrix[learned])
    ).fit(block.matrix[learned], block.target[learned])
    truth, guess = block.target[judged], forest.predict(block.matrix[judged])
    if has_classes:
        precision, recall, f1, _ = metrics.precision_recall_fscore_support(truth, guess, average="weighted", zero_division=0)
        scores = {"accuracy": metrics.accuracy_score(truth, guess), "f1": f1, "precision": precision, "recall": recall}
    else:
        scores = {"RMSE": metrics.root_mean_squared_error(truth, guess), "rSquared": metrics.r2_score(truth, guess)}
    return {
        "forest": forest,
        "train_rows": len(learned),
        "test_rows": len(judged) if share else 0,
        "scores": {name: float(score) for name, score in scores.items()},
    }


def predict_as_trained(model: Model, block: Block, written: str, options: Mapping[str, Any]) -> Outputs:
    """Classes or numbers, as the target was."""
    predicted = model.estimator["forest"].predict(block.matrix)
    values = model.classes.take(predicted) if model.classes else pa.array(np.asarray(predicted, dtype=np.float64))
    return {predicted_name(model, written): values}


def summarise_judgement(model: Model) -> pa.Table:
    """One row: the kind of model, the rows, and the scores."""
    estimator = model.estimator
    kind = "RandomForestClassifier" if model.classes else "RandomForestRegressor"
    columns: dict[str, Any] = {
        "model type": [kind],
        "num train data points": [estimator["train_rows"]],
        "num test data points": [estimator["test_rows"]],
        "test split ratio": [model.parameters["test_split_ratio"]],
    }
    return pa.table(columns | {name: [score] for name, score in estimator["scores"].items()})


ALGORITHMS = (
    Algorithm(
        name="FieldSelector",
        kind=TRANSFORMER,
        summary="Keeps the features that say most about a target.",
        train=select,
        parameters=(
            choice("type", "numeric", "What the target is.", ("categorical", "numeric")),
            choice("mode", "percentile", "How many features are kept, or by which error rate.", MODES),
            number("param", None, "The mode's number. Left out: 10, or 0.05 for an error rate.", above=0),
        ),
        target_kind=lambda parameters, column: TEST_KINDS[parameters["type"]],
        outputs=selected_columns,
        summarise=summarise_selection,
        remarks=tell_selection,
    ),
    Algorithm(
        name="AutoPrediction",
        kind=DETECTOR,
        summary="Predicts a class or a number with a forest, and judges it on rows it was not trained on.",
        train=train_and_judge,
        parameters=(
            number("test_split_ratio", 0.0, "Share of the rows kept for judging.", low=0, below=1),
            choice("target_type", "auto", "What the target is.", ("auto", "categorical", "numeric")),
            random_state(),
            TREES,
            *TREE_SIZE,
            features_per_split(None, None),
            choice(
                "criterion",
                None,
                "What a split improves. Left out: gini, or squared_error for numbers.",
                ("gini", "entropy", "log_loss", "squared_error", "absolute_error", "poisson"),
                aliases={"mse": "squared_error", "mae": "absolute_error"},
            ),
        ),
        target_kind=kind_of_target,
        outputs=predict_as_trained,
        summarise=summarise_judgement,
        matrix_type=np.float32,
    ),
)
