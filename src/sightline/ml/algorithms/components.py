"""Fewer features that say nearly the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.decomposition import PCA

from sightline.errors import UserError
from sightline.ml.algorithms.declaration import TRANSFORMER, Algorithm, numbered_outputs
from sightline.ml.model import Model
from sightline.ml.parameters import integer, number


def components_or_variance(arguments: dict[str, Any], matrix: np.ndarray) -> dict[str, Any]:
    """`k` is a count, `variance` a share; scikit-learn takes either as n_components."""
    count, share = arguments["k"], arguments["variance"]
    if count is not None and share is not None:
        raise UserError('PCA: give one of the options "k" and "variance", not both')
    most = min(matrix.shape)
    if count is not None and count > most:
        raise UserError(f'PCA: option "k" must be at most {most} with these rows and features, got "{count}"')
    return {"n_components": count if share is None else share, "svd_solver": "full" if share else "auto"}


def summarise_components(model: Model) -> pa.Table:
    """A row per component: its name in `components`, its weight on every encoded feature, and what it explains."""
    pca = model.estimator
    columns: dict[str, Any] = {"components": [f"PC_{i + 1}" for i in range(len(pca.components_))]}
    columns.update({name: pca.components_[:, index] for index, name in enumerate(model.columns)})
    columns["explained_variance"] = pca.explained_variance_
    columns["explained_variance_ratio"] = pca.explained_variance_ratio_
    columns["singular_values"] = pca.singular_values_
    return pa.table(columns)


ALGORITHMS = (
    Algorithm(
        name="PCA",
        kind=TRANSFORMER,
        summary="Combines features into components that keep most of the variance.",
        estimator=PCA,
        parameters=(
            integer("k", None, "Number of components. Left out: all.", low=1),
            number("variance", None, "Share of the variance to keep, instead of k.", above=0, below=1),
        ),
        finish=components_or_variance,
        outputs=numbered_outputs("PC"),
        summarise=summarise_components,
    ),
)
