"""Features on a common scale and without gaps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.impute import SimpleImputer
from sklearn.preprocessing import RobustScaler, StandardScaler

from sightline.errors import UserError
from sightline.ml.algorithms.declaration import TRANSFORMER, Algorithm, Block, Outputs, named_outputs
from sightline.ml.model import Model
from sightline.ml.parameters import boolean, choice, integer_range, number


def summarise_standard(model: Model) -> pa.Table:
    """A row per encoded feature: mean, variance and the scale it is divided by; null where a step is off."""
    scaler = model.estimator
    missing = [None] * len(model.columns)
    return pa.table(
        {
            "fields": pa.array(model.columns, pa.string()),
            "mean": pa.array(missing if scaler.mean_ is None else scaler.mean_, pa.float64()),
            "var": pa.array(missing if scaler.var_ is None else scaler.var_, pa.float64()),
            "scale": pa.array(missing if scaler.scale_ is None else scaler.scale_, pa.float64()),
        }
    )


def summarise_robust(model: Model) -> pa.Table:
    """A row per encoded feature: the centre that is subtracted and the scale it is divided by."""
    scaler = model.estimator
    missing = [None] * len(model.columns)
    return pa.table(
        {
            "feature": pa.array(model.columns, pa.string()),
            "center": pa.array(missing if scaler.center_ is None else scaler.center_, pa.float64()),
            "scale": pa.array(missing if scaler.scale_ is None else scaler.scale_, pa.float64()),
        }
    )


def filled(model: Model, block: Block, written: str, options: Mapping[str, Any]) -> Outputs:
    """Every feature with its gaps filled, named `Imputed_<feature>`; the name after `as` takes the place of the prefix."""
    gapped = _with_gaps(block.matrix, model.parameters["missing_values"])
    complete = np.where(np.isnan(gapped), model.estimator["values"], gapped)
    return {f"{written or 'Imputed'}_{c}": pa.array(complete[:, i].copy()) for i, c in enumerate(model.columns)}


def learn_filling(parameters: dict[str, Any], block: Block, by: list[str]) -> dict[str, np.ndarray]:
    """What each feature's gaps are filled with: plain numbers."""
    matrix = _with_gaps(block.matrix, parameters["missing_values"])
    if np.isnan(matrix).all(axis=0).any():
        raise UserError("Imputer: a feature has no value but missing_values, there is nothing to fill it with")
    return {"values": SimpleImputer(strategy=parameters["strategy"]).fit(matrix).statistics_}


def summarise_filling(model: Model) -> pa.Table:
    """A row per feature: what its gaps are filled with."""
    return pa.table(
        {
            "imputable_field": list(model.columns),
            "imputed_field": [f"Imputed_{column}" for column in model.columns],
            "imputed_value": model.estimator["values"],
            "imputation_strategy": [model.parameters["strategy"]] * len(model.columns),
        }
    )


def _with_gaps(matrix: np.ndarray, missing: float | None) -> np.ndarray:
    return matrix if missing is None else np.where(matrix == missing, np.nan, matrix)


ALGORITHMS = (
    Algorithm(
        name="Imputer",
        kind=TRANSFORMER,
        summary="Fills gaps in numbers with the mean, the median or the most frequent value.",
        train=learn_filling,
        parameters=(
            number("missing_values", None, "A number that stands for a gap too. Left out: only nulls are gaps."),
            choice("strategy", "mean", "What gaps are filled with.", ("mean", "median", "most_frequent")),
        ),
        outputs=filled,
        summarise=summarise_filling,
        numeric_features=True,
        keeps_nulls=True,
    ),
    Algorithm(
        name="StandardScaler",
        kind=TRANSFORMER,
        summary="Moves every feature to mean 0 and variance 1.",
        estimator=StandardScaler,
        parameters=(
            boolean("with_mean", True, "Subtract the mean."),
            boolean("with_std", True, "Divide by the standard deviation."),
        ),
        outputs=named_outputs("SS"),
        summarise=summarise_standard,
        updates=True,
    ),
    Algorithm(
        name="RobustScaler",
        kind=TRANSFORMER,
        summary="Moves every feature to median 0 and a common quantile range, whatever the outliers.",
        estimator=RobustScaler,
        parameters=(
            boolean("with_centering", True, "Subtract the median."),
            boolean("with_scaling", True, "Divide by the quantile range."),
            integer_range("quantile_range", (25, 75), "The quantiles, in percent, that make the range."),
        ),
        outputs=named_outputs("RS"),
        summarise=summarise_robust,
    ),
)
