"""Features on a common scale."""

from __future__ import annotations

import pyarrow as pa
from sklearn.preprocessing import RobustScaler, StandardScaler

from sightline.ml.algorithms.declaration import TRANSFORMER, Algorithm, named_outputs
from sightline.ml.model import Model
from sightline.ml.parameters import boolean, integer_range


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


ALGORITHMS = (
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
