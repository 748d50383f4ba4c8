"""Kernel methods: support vector machines and kernel ridge regression. Their cost grows with the square of the rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.kernel_ridge import KernelRidge
from sklearn.svm import SVC, OneClassSVM

from sightline.ml.algorithms.declaration import (
    CLASSIFIER,
    DETECTOR,
    REGRESSOR,
    Algorithm,
    Block,
    Outputs,
    predict_classes,
    predict_numbers,
)
from sightline.ml.model import Model
from sightline.ml.parameters import boolean, choice, integer, number, number_or_word

GAMMA = number_or_word("gamma", "scale", "Reach of a row's influence; larger is nearer.", ("scale", "auto"), above=0)


def judge_normal(model: Model, block: Block, written: str, options: Mapping[str, Any]) -> Outputs:
    """1 for a row like those of training, -1 for another."""
    return {written or "isNormal": pa.array(model.estimator.predict(block.matrix).astype(np.int64))}


ALGORITHMS = (
    Algorithm(
        name="SVM",
        kind=CLASSIFIER,
        summary="Predicts a class by the widest gap between classes.",
        estimator=SVC,
        parameters=(GAMMA, number("C", 1.0, "How much a row on the wrong side costs.", above=0)),
        outputs=predict_classes,
        max_inputs=10_000,
    ),
    Algorithm(
        name="OneClassSVM",
        kind=DETECTOR,
        summary="Tells rows that are unlike the others.",
        estimator=OneClassSVM,
        parameters=(
            choice("kernel", "rbf", "How alikeness is measured.", ("linear", "poly", "rbf", "sigmoid")),
            number("nu", 0.5, "Largest share of training rows outside.", above=0, high=1),
            number("coef0", 0.0, "The constant of the kernels poly and sigmoid."),
            GAMMA,
            number("tol", 0.001, "When to stop.", above=0),
            integer("degree", 3, "The degree of the kernel poly.", low=1),
            boolean("shrinking", True, "Leave settled rows out of the work."),
        ),
        outputs=judge_normal,
        max_inputs=10_000,
    ),
    Algorithm(
        name="KernelRidge",
        kind=REGRESSOR,
        summary="Predicts a number from rows that are near.",
        estimator=KernelRidge,
        parameters=(number("gamma", None, "Reach of a row's influence. Left out: one over the features.", above=0),),
        fixed={"kernel": "rbf"},
        outputs=predict_numbers,
        max_inputs=5_000,
    ),
)
