"""Single decision trees, which can be read."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor, export_text

from sightline.ml.algorithms.declaration import CLASSIFIER, REGRESSOR, Algorithm, predict_classes, predict_numbers
from sightline.ml.algorithms.forests import (
    CLASS_CRITERION,
    NUMBER_CRITERION,
    TREE_SIZE,
    bounded_leaves,
    features_per_split,
)
from sightline.ml.model import Model
from sightline.ml.parameters import boolean, choice, integer, number, random_state

SUMMARY_OPTIONS = (
    integer("limit", 5, "Levels of the tree that are shown.", low=1),
    boolean("json", False, "One row of JSON instead of lines of text."),
)
SPLITTER = choice("splitter", "best", "How a split is chosen.", ("best", "random"))


def summarise_tree(model: Model, limit: int, **options: Any) -> pa.Table:
    """The tree down to a level, as a row per line or as one JSON text."""
    if options["json"]:
        lines = [json.dumps(_node(model, 0, limit))]
    else:
        labels = [str(model.classes.labels[number]) for number in model.estimator.classes_] if model.classes else None
        text = export_text(
            model.estimator, feature_names=list(model.columns), class_names=labels, max_depth=limit - 1, decimals=6
        )
        lines = text.rstrip("\n").split("\n")
    return pa.table({"Decision Tree Summary": lines})


def _node(model: Model, index: int, levels: int) -> dict[str, Any]:
    tree = model.estimator.tree_
    node: dict[str, Any] = {"rows": int(tree.n_node_samples[index]), "impurity": float(tree.impurity[index])}
    values = np.ravel(tree.value[index])
    if model.classes:
        node["class"] = model.classes.labels[model.estimator.classes_[int(values.argmax())]]
    else:
        node["value"] = float(values[0])
    if tree.children_left[index] != -1 and levels > 0:
        node["split"] = {"feature": model.columns[tree.feature[index]], "at_most": float(tree.threshold[index])}
        node["left"] = _node(model, tree.children_left[index], levels - 1)
        node["right"] = _node(model, tree.children_right[index], levels - 1)
    return node


ALGORITHMS = (
    Algorithm(
        name="DecisionTreeClassifier",
        kind=CLASSIFIER,
        summary="Predicts a class by a tree of questions.",
        estimator=DecisionTreeClassifier,
        parameters=(random_state(), *TREE_SIZE, CLASS_CRITERION, SPLITTER, features_per_split(None, None)),
        outputs=predict_classes,
        summarise=summarise_tree,
        summary_parameters=SUMMARY_OPTIONS,
        finish=bounded_leaves,
        matrix_type=np.float32,
    ),
    Algorithm(
        name="DecisionTreeRegressor",
        kind=REGRESSOR,
        summary="Predicts a number by a tree of questions.",
        estimator=DecisionTreeRegressor,
        parameters=(
            random_state(),
            *TREE_SIZE,
            NUMBER_CRITERION,
            SPLITTER,
            features_per_split(None, None),
            integer("min_samples_leaf", 1, "Rows a leaf needs.", low=1),
            number("ccp_alpha", 0.0, "Branches that improve less than this are cut.", low=0),
        ),
        outputs=predict_numbers,
        summarise=summarise_tree,
        summary_parameters=SUMMARY_OPTIONS,
        finish=bounded_leaves,
        matrix_type=np.float32,
    ),
)
