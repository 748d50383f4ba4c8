"""Fewer features that say nearly the same."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.decomposition import PCA, FastICA, KernelPCA

from sightline.errors import UserError
from sightline.ml.algorithms.declaration import TRANSFORMER, Algorithm, numbered_outputs
from sightline.ml.model import Model
from sightline.ml.parameters import boolean, choice, integer, number, random_state


def components_or_variance(arguments: dict[str, Any], matrix: np.ndarray) -> dict[str, Any]:
    """`k` is a count, `variance` a share; scikit-learn takes either as n_components."""
    count, share = arguments["k"], arguments["variance"]
    if count is not None and share is not None:
        raise UserError('PCA: give one of the options "k" and "variance", not both')
    most = min(matrix.shape)
    if count is not None and count > most:
        raise UserError(f'PCA: option "k" must be at most {most} with these rows and features, got "{count}"')
    return {"n_components": count if share is None else share, "svd_solver": "full" if share else "auto"}


def bounded_components(arguments: dict[str, Any], matrix: np.ndarray) -> dict[str, Any]:
    """ICA cannot find more components than there are rows or features; `whiten` is a rule's name in scikit-learn."""
    count, most = arguments["n_components"], min(matrix.shape)
    if count is not None and count > most:
        raise UserError(f'ICA: option "n_components" must be at most {most} here, got "{count}"')
    return {**arguments, "whiten": "unit-variance" if arguments["whiten"] else False}


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
    Algorithm(
        name="KernelPCA",
        kind=TRANSFORMER,
        summary="Combines features into components along curves.",
        estimator=KernelPCA,
        parameters=(
            integer("k", None, "Number of components. Left out: all.", low=1, argument="n_components"),
            integer("degree", 3, "The degree of a polynomial kernel.", low=1),
            number("alpha", 1.0, "Strength of the penalty of the inverse.", low=0),
            integer("max_iteration", None, "Most iterations. Left out: the solver decides.", low=1, argument="max_iter"),
            number("gamma", None, "Reach of a row's influence. Left out: one over the features.", above=0),
            number("tolerance", 0.0, "When to stop; 0: the solver decides.", low=0, argument="tol"),
        ),
        fixed={"kernel": "rbf"},
        outputs=numbered_outputs("PC"),
        max_inputs=5_000,
    ),
    Algorithm(
        name="ICA",
        kind=TRANSFORMER,
        summary="Separates features into independent components.",
        estimator=FastICA,
        parameters=(
            integer("n_components", None, "Number of components. Left out: all.", low=1),
            integer("max_iter", 200, "Most iterations.", low=1),
            random_state(),
            number("tol", 0.0001, "When to stop.", above=0),
            boolean("whiten", True, "Give the features equal variance first."),
            choice("algorithm", "parallel", "All components at once or one by one.", ("parallel", "deflation")),
            choice("fun", "logcosh", "How independence is measured.", ("logcosh", "exp", "cube")),
        ),
        finish=bounded_components,
        outputs=numbered_outputs("IC"),
    ),
)
