"""Linear models: logistic regression, least squares and its penalised relatives."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.linear_model import ElasticNet, Lasso, LinearRegression, LogisticRegression, Ridge

from sightline.ml.algorithms.declaration import (
    CLASSIFIER,
    REGRESSOR,
    Algorithm,
    Block,
    Outputs,
    predict_classes,
    predict_numbers,
    summarise_class_coefficients,
    summarise_coefficients,
)
from sightline.ml.model import Model
from sightline.ml.parameters import boolean, number

FIT_INTERCEPT = boolean("fit_intercept", True, "Learn a constant term too.")
PROBABILITIES = boolean("probabilities", False, "Also give `probability(<target>=<class>)` for every class.")


def predict_with_probabilities(model: Model, block: Block, written: str, options: Mapping[str, Any]) -> Outputs:
    """The class, and where asked at fit or apply the probability of every class."""
    columns = predict_classes(model, block, written, options)
    if not options.get("probabilities", model.parameters["probabilities"]):
        return columns
    probabilities = model.estimator.predict_proba(block.matrix)
    for index, class_number in enumerate(model.estimator.classes_):
        label = model.classes.labels[class_number]
        columns[f"probability({model.target}={label})"] = pa.array(probabilities[:, index].copy())
    return columns


class NormalizingRidge(Ridge):
    """Ridge that can divide every feature by its length about the mean first, so that the penalty is the same for all.

    scikit-learn had this as `normalize` once. The coefficients are those of the features as they are.
    """

    def __init__(self, alpha: float = 1.0, fit_intercept: bool = True, normalize: bool = False) -> None:
        super().__init__(alpha=alpha, fit_intercept=fit_intercept)
        self.normalize = normalize

    def fit(self, X: np.ndarray, y: np.ndarray, sample_weight: Any = None) -> NormalizingRidge:  # noqa: N803
        if not (self.normalize and self.fit_intercept):
            return super().fit(X, y, sample_weight)
        lengths = np.sqrt(((X - X.mean(axis=0)) ** 2).sum(axis=0))
        lengths[lengths == 0] = 1.0
        super().fit(X / lengths, y, sample_weight)
        self.coef_ = self.coef_ / lengths
        return self


def penalised(name: str, estimator: Any, summary: str, *more: Any) -> Algorithm:
    """A least-squares relative with a penalty `alpha`."""
    return Algorithm(
        name=name,
        kind=REGRESSOR,
        summary=summary,
        estimator=estimator,
        parameters=(FIT_INTERCEPT, number("alpha", 1.0, "Strength of the penalty.", low=0), *more),
        outputs=predict_numbers,
        summarise=summarise_coefficients,
    )


ALGORITHMS = (
    Algorithm(
        name="LogisticRegression",
        kind=CLASSIFIER,
        summary="Predicts a class from a weighted sum of the features.",
        estimator=LogisticRegression,
        parameters=(FIT_INTERCEPT, PROBABILITIES),
        apply_parameters=(PROBABILITIES,),
        not_for_estimator=frozenset({"probabilities"}),
        outputs=predict_with_probabilities,
        summarise=summarise_class_coefficients,
    ),
    Algorithm(
        name="LinearRegression",
        kind=REGRESSOR,
        summary="Predicts a number from a weighted sum of the features.",
        estimator=LinearRegression,
        parameters=(FIT_INTERCEPT,),
        outputs=predict_numbers,
        summarise=summarise_coefficients,
    ),
    penalised(
        "Ridge",
        NormalizingRidge,
        "Linear regression that keeps coefficients small.",
        boolean("normalize", False, "Give all features the same length first."),
    ),
    penalised("Lasso", Lasso, "Linear regression that sets coefficients to zero."),
    penalised(
        "ElasticNet",
        ElasticNet,
        "Linear regression between Ridge and Lasso.",
        number("l1_ratio", 0.5, "Share of the Lasso penalty.", low=0, high=1),
    ),
)
