"""What an algorithm declares, and the few things that classifiers, regressors, clusterers and transformers share.

A declaration is data: the name, typed parameters, the estimator's class, how its result becomes columns and how a saved
model is summarised. Training, applying, saving, help and completion read it; none of them knows an algorithm by name.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa

from sightline.errors import UserError
from sightline.ml.model import Model
from sightline.ml.parameters import Parameter, read_options

CLASSIFIER = "classifier"
REGRESSOR = "regressor"
CLUSTERER = "clusterer"
TRANSFORMER = "transformer"
DETECTOR = "detector"

CLASSES = "classes"
NUMBERS = "numbers"

Outputs = dict[str, pa.Array]
"""New columns by name, one value per row of the matrix."""


@dataclass(frozen=True, slots=True)
class Block:
    """Rows to train on or to predict: the encoded matrix and, one for one, the raw fields that the algorithm reads.

    `target` is there for training only: class numbers or numbers.
    """

    matrix: np.ndarray
    rows: pa.Table
    target: np.ndarray | None = None


OutputsFunction = Callable[[Model, Block, str, Mapping[str, Any]], Outputs]
"""Takes the model, a block of rows, the name written after `as` (or ""), and the apply options."""


@dataclass(frozen=True)
class Algorithm:
    """One algorithm of the language.

    `estimator` is called with the parameters under scikit-learn's names (`finish` may adjust them to the training
    matrix first) and then fitted; an algorithm of our own has `train` instead, whose result is plain data.
    `outputs` makes columns for any rows; one that can only speak of its training rows has `fit_outputs` instead.
    `saves`: may follow `into`. `updates`: takes partial_fit. `raw_features`: the features are not encoded, the rows
    are read instead. `numeric_features`: only numbers are taken. `keeps_nulls`: a null in a feature is kept, as NaN.
    `takes_by`: how many fields may follow `by`. `target_kind`: says from the parameters and the target field whether the
    target is classes or numbers (CLASSES or NUMBERS), where the kind of the algorithm does not say it. `remarks`: warnings about what was learned.
    """

    name: str
    kind: str
    summary: str
    estimator: Callable[..., Any] | None = None
    train: Callable[[dict[str, Any], Block, list[str]], Any] | None = None
    train_further: Callable[[Any, dict[str, Any], Block, list[str]], Any] | None = None
    parameters: tuple[Parameter, ...] = ()
    outputs: OutputsFunction | None = None
    summarise: Callable[..., pa.Table] | None = None
    saves: bool = True
    updates: bool = False
    fit_outputs: Callable[[Model, str], Outputs] | None = None
    remarks: Callable[[Model], list[str]] | None = None
    raw_features: bool = False
    numeric_features: bool = False
    keeps_nulls: bool = False
    takes_by: int = 0
    target_kind: Callable[[Mapping[str, Any], pa.ChunkedArray], str] | None = None
    most_features: int | None = None
    apply_parameters: tuple[Parameter, ...] = ()
    summary_parameters: tuple[Parameter, ...] = ()
    finish: Callable[[dict[str, Any], np.ndarray], dict[str, Any]] | None = None
    max_inputs: int = 100_000
    matrix_type: Any = np.float64
    doc: str = ""
    not_for_estimator: frozenset[str] = field(default_factory=frozenset)
    fixed: Mapping[str, Any] = field(default_factory=dict)

    @property
    def wants_target(self) -> bool:
        return self.kind in (CLASSIFIER, REGRESSOR) or self.target_kind is not None

    def target_is(self, parameters: Mapping[str, Any], column: pa.ChunkedArray) -> str:
        """CLASSES or NUMBERS."""
        if self.target_kind:
            return self.target_kind(parameters, column)
        return CLASSES if self.kind == CLASSIFIER else NUMBERS

    def read(self, options: Mapping[str, Any]) -> dict[str, Any]:
        """Typed parameters of the written options. Raises UserError naming a bad one."""
        return read_options(self.name, self.parameters, options)

    def build(self, parameters: Mapping[str, Any], matrix: np.ndarray, classes: Any = None) -> Any:
        """A new estimator for the training matrix."""
        arguments = {
            parameter.estimator_argument: parameters[parameter.name]
            for parameter in self.parameters
            if parameter.name not in self.not_for_estimator
        }
        if isinstance(arguments.get("class_weight"), dict):
            arguments["class_weight"] = _weights_by_number(self.name, arguments["class_weight"], classes)
        if self.finish:
            arguments = self.finish(arguments, matrix)
        return self.estimator(**arguments, **self.fixed)

    def describe(self) -> dict[str, Any]:
        """Plain data for help, completion and the reference."""
        return {
            "name": self.name,
            "kind": self.kind,
            "summary": self.summary,
            "doc": self.doc,
            "saves": self.saves,
            "updates": self.updates,
            "summarises": self.summarise is not None,
            "parameters": [
                {"name": p.name, "type": p.type, "default": p.default, "summary": p.summary, "choices": list(p.choices)}
                for p in self.parameters
            ],
        }


def predicted_name(model: Model, written: str) -> str:
    """The name after `as`, or `predicted(<target>)`."""
    return written or f"predicted({model.target})"


def predict_classes(model: Model, block: Block, written: str, options: Mapping[str, Any]) -> Outputs:
    """A classifier's prediction, with the target's own type."""
    return {predicted_name(model, written): model.classes.take(model.estimator.predict(block.matrix))}


def predict_numbers(model: Model, block: Block, written: str, options: Mapping[str, Any]) -> Outputs:
    """A regressor's prediction."""
    return {
        predicted_name(model, written): pa.array(np.asarray(model.estimator.predict(block.matrix), dtype=np.float64).ravel())
    }


def predict_clusters(model: Model, block: Block, written: str, options: Mapping[str, Any]) -> Outputs:
    """The number of the nearest cluster, in the field `cluster` or the one named after `as`."""
    return {written or "cluster": pa.array(model.estimator.predict(block.matrix).astype(np.int64))}


def numbered_outputs(prefix: str) -> OutputsFunction:
    """Components `PC_1`, `PC_2`, ...; the name after `as` takes the place of the prefix."""

    def outputs(model: Model, block: Block, written: str, options: Mapping[str, Any]) -> Outputs:
        components = model.estimator.transform(block.matrix)
        return {f"{written or prefix}_{i + 1}": pa.array(components[:, i].copy()) for i in range(components.shape[1])}

    return outputs


def named_outputs(prefix: str) -> OutputsFunction:
    """One column per encoded feature: `SS_<feature>`; the name after `as` takes the place of the prefix."""

    def outputs(model: Model, block: Block, written: str, options: Mapping[str, Any]) -> Outputs:
        scaled = model.estimator.transform(block.matrix)
        return {f"{written or prefix}_{c}": pa.array(scaled[:, i].copy()) for i, c in enumerate(model.columns)}

    return outputs


def summarise_importance(model: Model) -> pa.Table:
    """A row per encoded feature with its importance."""
    return pa.table({"feature": list(model.columns), "importance": model.estimator.feature_importances_})


def summarise_coefficients(model: Model) -> pa.Table:
    """A row per encoded feature with its coefficient, and `_intercept` where there is one."""
    features, values = _with_intercept(
        model, np.ravel(model.estimator.coef_), np.ravel(model.estimator.intercept_), model.estimator.fit_intercept
    )
    return pa.table({"feature": features, "coefficient": values})


def summarise_class_coefficients(model: Model) -> pa.Table:
    """A block of coefficients per class; with two classes one block, of the second, as scikit-learn keeps them."""
    estimator = model.estimator
    numbers = estimator.classes_[1:] if len(estimator.coef_) == 1 else estimator.classes_
    features: list[str] = []
    coefficients: list[float] = []
    labels: list[int] = []
    for row, class_number in enumerate(numbers):
        names, values = _with_intercept(
            model, estimator.coef_[row], np.ravel(estimator.intercept_)[row : row + 1], estimator.fit_intercept
        )
        features += names
        coefficients += values
        labels += [class_number] * len(names)
    return pa.table(
        {
            "feature": features,
            "coefficient": coefficients,
            "class": model.classes.take(np.array(labels, dtype=np.int64)),
        }
    )


def _with_intercept(
    model: Model, coefficients: np.ndarray, intercept: np.ndarray, fitted: bool
) -> tuple[list[str], list[float]]:
    names, values = list(model.columns), coefficients.tolist()
    return ([*names, "_intercept"], [*values, float(intercept[0])]) if fitted else (names, values)


def _weights_by_number(owner: str, weights: dict[str, float], classes: Any) -> dict[int, float]:
    unknown = [label for label in weights if label not in classes.labels]
    if unknown:
        raise UserError(
            f'{owner}: option "class_weight" names "{unknown[0]}", which is not a class, wanted: {", ".join(classes.labels)}'
        )
    return {classes.labels.index(label): weight for label, weight in weights.items()}
