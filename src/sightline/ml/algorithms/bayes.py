"""Classes by the chance of every feature's value."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.naive_bayes import BernoulliNB, GaussianNB

from sightline.ml.algorithms.declaration import CLASSIFIER, Algorithm, predict_classes
from sightline.ml.model import Model
from sightline.ml.parameters import boolean, number


def summarise_gaussian(model: Model) -> pa.Table:
    """A row per class: its rows, its share, and the mean and variance of every encoded feature."""
    estimator = model.estimator
    columns: dict[str, Any] = {
        "class": model.classes.take(estimator.classes_),
        "class_count": estimator.class_count_,
        "class_prior": estimator.class_prior_,
    }
    for index, name in enumerate(model.columns):
        columns[f"mean({name})"] = estimator.theta_[:, index].copy()
        columns[f"variance({name})"] = estimator.var_[:, index].copy()
    return pa.table(columns)


def summarise_bernoulli(model: Model) -> pa.Table:
    """A row per class: its rows, the logarithm of its share, and of the chance of every encoded feature."""
    estimator = model.estimator
    columns: dict[str, Any] = {
        "class": model.classes.take(estimator.classes_),
        "class_count": estimator.class_count_,
        "class_log_prior": estimator.class_log_prior_,
    }
    for index, name in enumerate(model.columns):
        columns[f"log_prob({name})"] = np.ascontiguousarray(estimator.feature_log_prob_[:, index])
    return pa.table(columns)


ALGORITHMS = (
    Algorithm(
        name="GaussianNB",
        kind=CLASSIFIER,
        summary="Predicts a class from features that are normal in each class.",
        estimator=GaussianNB,
        outputs=predict_classes,
        summarise=summarise_gaussian,
        updates=True,
    ),
    Algorithm(
        name="BernoulliNB",
        kind=CLASSIFIER,
        summary="Predicts a class from features that are there or not.",
        estimator=BernoulliNB,
        parameters=(
            number("alpha", 1.0, "Counts added to every value, so that none is impossible.", low=0),
            number("binarize", 0.0, "A feature above this is there."),
            boolean("fit_prior", True, "Learn how frequent each class is."),
        ),
        outputs=predict_classes,
        summarise=summarise_bernoulli,
        updates=True,
    ),
)
