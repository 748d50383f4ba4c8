"""Estimators to bytes and back, without pickle: the skops format, with every type that may appear named here.

Bytes are never trusted for having been found in our directory. Types outside the list are refused by name, and the node
arrays of trees, which scikit-learn follows without looking at bounds, are checked before anything predicts with them.
"""

from __future__ import annotations

import zipfile
from typing import Any

import numpy as np
import skops.io
from sklearn.tree import BaseDecisionTree
from sklearn.tree._tree import Tree
from skops.io.exceptions import UnsupportedTypeException, UntrustedTypesFoundException

from sightline.errors import UserError

TRUSTED = (
    "sightline.ml.algorithms.linear.NormalizingRidge",
    "sklearn.tree._tree.Tree",
    "sklearn.neural_network._stochastic_optimizers.AdamOptimizer",
    "sklearn.neural_network._stochastic_optimizers.SGDOptimizer",
    "sklearn._loss._loss.CyHalfBinomialLoss",
    "sklearn._loss._loss.CyHalfMultinomialLoss",
    "sklearn._loss._loss.CyHalfSquaredError",
    "sklearn._loss._loss.CyAbsoluteError",
    "sklearn._loss._loss.CyHuberLoss",
    "sklearn._loss._loss.CyPinballLoss",
    "sklearn._loss._loss.CyExponentialLoss",
    "sklearn._loss.link.IdentityLink",
    "sklearn._loss.link.Interval",
    "sklearn._loss.link.LogitLink",
    "sklearn._loss.link.HalfLogitLink",
    "sklearn._loss.link.MultinomialLogit",
    "sklearn._loss.loss.AbsoluteError",
    "sklearn._loss.loss.ExponentialLoss",
    "sklearn._loss.loss.HalfBinomialLoss",
    "sklearn._loss.loss.HalfMultinomialLoss",
    "sklearn._loss.loss.HalfSquaredError",
    "sklearn._loss.loss.HuberLoss",
    "sklearn._loss.loss.PinballLoss",
)
"""Types beyond those that skops itself holds harmless. Each only holds numbers; none runs code when it is rebuilt."""


def dump_estimator(estimator: Any) -> bytes:
    """The estimator in the skops format, compressed. Raises UserError for what `load_estimator` would refuse."""
    try:
        content = skops.io.dumps(estimator, compression=zipfile.ZIP_DEFLATED, compresslevel=1)
    except UnsupportedTypeException as error:
        raise UserError(f"{type(estimator).__name__} cannot be saved: {error}") from error
    untrusted = _untrusted(content)
    if untrusted:
        raise UserError(f"{type(estimator).__name__} cannot be saved, it holds: {', '.join(untrusted)}")
    return content


def load_estimator(content: bytes, what: str) -> Any:
    """The estimator again. Raises UserError, naming `what` and why, for bytes that may not or cannot be loaded."""
    try:
        untrusted = _untrusted(content)
        if untrusted:
            raise UserError(f"{what} holds types that are not trusted: {', '.join(untrusted)}")
        estimator = skops.io.loads(content, trusted=list(TRUSTED))
    except UserError:
        raise
    except (UntrustedTypesFoundException, zipfile.BadZipFile, KeyError, TypeError, ValueError, AttributeError) as error:
        raise UserError(f"{what} cannot be loaded: {error}") from error
    for tree in _trees(estimator):
        _check_tree(tree, what)
    return estimator


def _untrusted(content: bytes) -> list[str]:
    return sorted(name for name in skops.io.get_untrusted_types(data=content) if name not in TRUSTED)


def _trees(estimator: Any) -> list[Tree]:
    if isinstance(estimator, dict):
        return [tree for part in estimator.values() for tree in _trees(part)]
    if isinstance(estimator, BaseDecisionTree):
        return [estimator.tree_]
    members = getattr(estimator, "estimators_", ())
    if isinstance(members, np.ndarray):
        members = members.ravel()
    return [tree for member in members for tree in _trees(member)]


def _check_tree(tree: Tree, what: str) -> None:
    """Children exist and come after their parent, split features exist: following them ends, and stays in bounds."""
    count = tree.node_count
    left, right = tree.children_left, tree.children_right
    node = np.arange(count)
    inner = left != -1
    sound = (
        count > 0
        and np.all((right != -1) == inner)
        and np.all((left[inner] > node[inner]) & (left[inner] < count))
        and np.all((right[inner] > node[inner]) & (right[inner] < count))
        and np.all((tree.feature[inner] >= 0) & (tree.feature[inner] < tree.n_features))
        and len(tree.value) == count
    )
    if not sound:
        raise UserError(f"{what} holds a tree whose nodes point outside it")
