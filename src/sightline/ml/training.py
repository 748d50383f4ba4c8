"""Training: from rows and a request to a model, its predictions for the same rows, and a saved version.

What happens to the rows, in order: preparation decides the columns, rows without a value in a used field are left out,
more rows than the algorithm takes are sampled, the estimator is trained. All rows are in the result.
"""

from __future__ import annotations

import copy
import dataclasses
import os
import secrets
import time
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import joblib
import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import sklearn
from sklearn.exceptions import ConvergenceWarning
from sklearn.model_selection import KFold, StratifiedKFold, cross_validate

from sightline.errors import UserError
from sightline.ml import drift
from sightline.ml.algorithms import find_algorithm
from sightline.ml.algorithms.declaration import CLASSES, CLASSIFIER, NUMBERS, REGRESSOR, Algorithm, Block
from sightline.ml.applying import HANDLE_NEW_CAT, UNSEEN_VALUE, Applier, spread
from sightline.ml.columns import expand_names, is_null_everywhere, put_column, require_field
from sightline.ml.model import APP, USER, Model
from sightline.ml.models import ModelRegistry
from sightline.ml.parameters import boolean, integer, read_options
from sightline.ml.preparation import Limits, learn, sample_rows
from sightline.ml.requests import Context, FitRequest, check_model_name
from sightline.ml.targets import ABSENT, Classes, has_value, learn_classes, learn_numbers

# Told as a message of the search instead. Set once: changing filters around a call is not safe between threads.
warnings.filterwarnings("ignore", category=ConvergenceWarning)

KFOLD_CV = integer("kfold_cv", None, "Cross-validate with this many folds instead of training one model.", low=2)
PARTIAL_FIT = boolean("partial_fit", False, "Go on training the saved model of that name.")
COMMON_PARAMETERS = (KFOLD_CV, PARTIAL_FIT, UNSEEN_VALUE, HANDLE_NEW_CAT)

CLASS_SCORES = ("accuracy", "f1_weighted", "precision_weighted", "recall_weighted")
NUMBER_SCORES = ("neg_mean_squared_error", "r2")


@dataclass(frozen=True, slots=True)
class FitResult:
    """The rows with the algorithm's columns (or a row per fold), warnings, and the model (None after folds)."""

    table: pa.Table
    messages: list[str]
    model: Model | None = None


@dataclass(slots=True)
class _Training:
    """The rows to train on: their positions in the table, the rows themselves, and the target of each."""

    positions: np.ndarray
    rows: pa.Table
    target: np.ndarray | None
    classes: Classes | None = None
    usable: np.ndarray | None = None
    messages: list[str] = field(default_factory=list)


def check_fit(request: FitRequest, limits: Limits | None = None) -> Algorithm:
    """Everything that can be wrong with a request before there are rows. Raises UserError; gives the algorithm."""
    algorithm = find_algorithm(request.algorithm)
    common, own = _split_options(request.options, algorithm)
    algorithm.read(own)
    name = algorithm.name
    if algorithm.wants_target and not request.target:
        raise UserError(f"{name}: a target is wanted", f"fit {name} <target> from <features>")
    if not algorithm.wants_target and request.target:
        raise UserError(f'{name}: no target is taken, got "{request.target}"', f"fit {name} <features>")
    if not request.features:
        raise UserError(f"{name}: at least one feature is wanted")
    if request.target and request.target in request.features:
        raise UserError(f'{name}: field "{request.target}" is both target and feature')
    if len(request.by) > algorithm.takes_by:
        most = f"at most {algorithm.takes_by} fields are taken" if algorithm.takes_by else "is not taken"
        raise UserError(f'{name}: "by" {most}, got "{", ".join(request.by)}"')
    if request.model_name:
        check_model_name(request.model_name)
        if not algorithm.saves:
            raise UserError(f'{name}: does not support saving, got "into {request.model_name}"')
    if common["kfold_cv"] is not None:
        if algorithm.kind not in (CLASSIFIER, REGRESSOR):
            raise UserError(f'{name}: option "kfold_cv" is for classifiers and regressors')
        if request.model_name:
            raise UserError(f'{name}: option "kfold_cv" cannot be used with "into {request.model_name}"')
    if common["partial_fit"] and not algorithm.updates:
        raise UserError(f'{name}: option "partial_fit" is not supported')
    return algorithm


def fit(
    table: pa.Table,
    request: FitRequest,
    registry: ModelRegistry,
    context: Context | None = None,
    limits: Limits | None = None,
    *,
    predict: bool = True,
) -> FitResult:
    """Trains, saves where asked, and gives the rows with the model's columns.

    `predict=False` leaves the rows as they are, for a search that only wants the model.
    Raises UserError for a bad request, unusable rows, or an estimator that refuses them; nothing is saved then.
    """
    context = context or Context()
    limits = limits or registry.limits
    algorithm = check_fit(request, limits)
    if table.num_rows == 0:  # Before a field is said to be missing: no rows have no fields.
        raise UserError(f"{algorithm.name}: there are no rows to train on")
    common, own = _split_options(request.options, algorithm)
    parameters = algorithm.read(own)
    features = expand_names(request.features, table.column_names, without=[request.target or ""])
    if not features:
        raise UserError(f"{algorithm.name}: no field matches {', '.join(request.features)}")
    if algorithm.most_features is not None and len(features) > algorithm.most_features:
        raise UserError(f"{algorithm.name}: takes at most {algorithm.most_features} features, got {', '.join(features)}")
    seed = parameters.get("random_state")
    seed = secrets.randbelow(2**32) if seed is None else seed
    if "random_state" in parameters:
        parameters["random_state"] = seed
    if common["kfold_cv"] is not None:
        return _cross_validate(table, request, algorithm, parameters, features, common["kfold_cv"], seed, limits)
    started = time.perf_counter()
    earlier = _earlier_model(request, registry, context, algorithm) if common["partial_fit"] else None
    if earlier is None:
        model, training = _train(table, request, algorithm, parameters, features, seed, limits)
    else:
        unseen = common["handle_new_cat"] or common["unseen_value"]
        model, training = _train_further(table, earlier, algorithm, unseen)
    model.options = {key: str(value) for key, value in own.items()} if earlier is None else earlier.options
    model.training_s = time.perf_counter() - started
    model.training_search = context.search
    model.trained_at = context.now or registry.now()
    model.library_version = f"scikit-learn {sklearn.__version__}"
    messages = training.messages + (algorithm.remarks(model) if algorithm.remarks else [])
    if request.model_name:
        sharing = APP if request.namespace == "app" else USER
        model.statistics = drift.describe_fields(table, model.preparation, request.target, model.classes is not None)
        registry.save(request.model_name, model, context.owner, context.app, sharing)
    result = table
    if predict:
        result, more = _with_outputs(table, request, algorithm, model, training, limits)
        messages = messages + more
    return FitResult(result, messages, model)


def _split_options(options: Mapping[str, Any], algorithm: Algorithm) -> tuple[dict[str, Any], dict[str, Any]]:
    """The options every fit takes, typed, and those of the algorithm, as written."""
    names = {parameter.name for parameter in COMMON_PARAMETERS} - {p.name for p in algorithm.parameters}
    common = {name: value for name, value in options.items() if name in names}
    own = {name: value for name, value in options.items() if name not in names}
    return read_options(algorithm.name, COMMON_PARAMETERS, common), own


def _train(
    table: pa.Table,
    request: FitRequest,
    algorithm: Algorithm,
    parameters: dict[str, Any],
    features: list[str],
    seed: int,
    limits: Limits,
) -> tuple[Model, _Training]:
    target, by = request.target, list(request.by)
    learned = learn(
        table,
        [] if algorithm.raw_features else features,
        raw=[*features, *by] if algorithm.raw_features else by,
        also_used={target: _target_present(table, target)} if target else {},
        numeric_only=algorithm.numeric_features,
        keeps_nulls=algorithm.keeps_nulls,
        limits=limits,
    )
    target_is = algorithm.target_is(parameters, table.column(target)) if target else ""
    training = _training_rows(table, target, target_is, algorithm, learned.usable, seed, limits)
    training.messages = learned.messages + training.messages
    encoded = learned.preparation.encode(training.rows, dtype=algorithm.matrix_type)
    if encoded.usable is not None:  # Numbers too large for the matrix type.
        training.positions = training.positions[encoded.usable]
        training.rows = training.rows.filter(pa.array(encoded.usable))
        training.target = training.target[encoded.usable] if training.target is not None else None
    if algorithm.train:
        block = Block(encoded.matrix, training.rows.select(learned.preparation.raw), training.target)
        estimator = _call(algorithm, algorithm.train, parameters, block, by, threads=limits.threads)
    else:
        estimator = algorithm.build(parameters, encoded.matrix, training.classes)
        _call(algorithm, estimator.fit, encoded.matrix, training.target, threads=limits.threads)
    training.messages += convergence_messages(algorithm, estimator)
    model = Model(
        algorithm=algorithm.name,
        estimator=estimator,
        preparation=learned.preparation,
        parameters=parameters,
        options={},
        features=features,
        target=target,
        by=by,
        classes=training.classes,
        rows=len(encoded.matrix),
    )
    return model, training


def _train_further(table: pa.Table, earlier: Model, algorithm: Algorithm, unseen: str) -> tuple[Model, _Training]:
    """Goes on with an earlier model: its preparation and parameters stay, its estimator learns the new rows too."""
    target = earlier.target
    for name in earlier.preparation.fields:
        require_field(table, name)
    encoded = earlier.preparation.encode(table, unseen=unseen, dtype=algorithm.matrix_type)
    usable = np.ones(table.num_rows, dtype=bool) if encoded.usable is None else encoded.usable
    matrix, values = encoded.matrix, None
    if earlier.classes is not None:
        column = require_field(table, target)
        numbers = earlier.classes.numbers_of(column)
        known = numbers != ABSENT
        new = pc.unique(pc.filter(column, pa.array(~known & has_value(column)))).to_pylist()
        if new:
            raise UserError(
                f'{algorithm.name}: field "{target}" has classes that the saved model does not know: '
                + ", ".join(map(str, new[:5]))
            )
        values = numbers
    elif target is not None:
        values = learn_numbers(target, require_field(table, target))
        known = np.isfinite(values)
    else:
        known = usable
    matrix = matrix[known[usable]]
    usable = usable & known
    if not usable.any():
        raise UserError("no row has a value in every used field: " + ", ".join(earlier.required_fields))
    estimator = copy.deepcopy(earlier.estimator)  # The one in the registry's cache must not change.
    if algorithm.train_further:
        block = Block(matrix, table.select(earlier.preparation.raw).filter(pa.array(usable)))
        estimator = _call(algorithm, algorithm.train_further, estimator, earlier.parameters, block, earlier.by)
    else:
        arguments = [matrix] if values is None else [matrix, values[usable]]
        _call(algorithm, estimator.partial_fit, *arguments)
    model = dataclasses.replace(earlier, estimator=estimator, rows=earlier.rows + len(matrix), scores=[], name="", version=0)
    positions = np.flatnonzero(usable)
    return model, _Training(positions, table, values, earlier.classes, None if usable.all() else usable)


def _training_rows(
    table: pa.Table,
    target: str | None,
    target_is: str,
    algorithm: Algorithm,
    usable: np.ndarray | None,
    seed: int,
    limits: Limits,
) -> _Training:
    positions = np.arange(table.num_rows) if usable is None else np.flatnonzero(usable)
    classes, messages = None, []
    if target_is == CLASSES:
        column = table.column(target)
        classes = learn_classes(
            target, column if usable is None else pc.filter(column, pa.array(usable)), limits.max_distinct_values
        )
        if len(classes.labels) < 2:
            raise UserError(
                f'{algorithm.name}: at least two classes are wanted, but field "{target}" is always "{classes.labels[0]}"'
            )
    most = limits.max_inputs or algorithm.max_inputs
    if len(positions) > most:
        if not limits.use_sampling:
            raise UserError(f"{algorithm.name}: takes at most {most} rows, got {len(positions)}, and sampling is off")
        messages.append(f"trained on a sample of {most} of {len(positions)} rows")
        positions = sample_rows(positions, most, seed)
    rows = table if len(positions) == table.num_rows else table.take(pa.array(positions))
    values = None
    if target_is == CLASSES:
        values = classes.numbers_of(rows.column(target))
    elif target_is == NUMBERS:
        values = learn_numbers(target, rows.column(target))
    return _Training(positions, rows, values, classes, usable, messages)


def _with_outputs(
    table: pa.Table, request: FitRequest, algorithm: Algorithm, model: Model, training: _Training, limits: Limits
) -> tuple[pa.Table, list[str]]:
    """All rows with the model's columns; null in the rows that were left out for a null."""
    if algorithm.fit_outputs:
        used = np.zeros(table.num_rows, dtype=bool)
        used[training.positions] = True
        for name, values in algorithm.fit_outputs(model, request.output_name).items():
            table = put_column(table, name, spread(values, used))
        return table, []
    applier = Applier(model, request.output_name, limits=limits)
    result = applier(table)
    if request.target and training.usable is not None:
        left_out = pa.array(~_target_present(table, request.target))
        for name, kind in applier.output_types.items():
            values = pc.if_else(left_out, pa.scalar(None, kind), result.column(name))
            result = put_column(result, name, values)
    return result, applier.messages


def _cross_validate(
    table: pa.Table,
    request: FitRequest,
    algorithm: Algorithm,
    parameters: dict[str, Any],
    features: list[str],
    folds: int,
    seed: int,
    limits: Limits,
) -> FitResult:
    """A row of scores per fold; rows are shuffled, and stratified for classifiers."""
    learned = learn(table, features, also_used={request.target: _target_present(table, request.target)}, limits=limits)
    target_is = CLASSES if algorithm.kind == CLASSIFIER else NUMBERS
    training = _training_rows(table, request.target, target_is, algorithm, learned.usable, seed, limits)
    encoded = learned.preparation.encode(training.rows, dtype=algorithm.matrix_type)
    if len(encoded.matrix) < folds:
        raise UserError(
            f'{algorithm.name}: option "kfold_cv" wants at least as many rows as folds, got {len(encoded.matrix)} rows'
        )
    estimator = algorithm.build(parameters, encoded.matrix, training.classes)
    if algorithm.kind == CLASSIFIER:
        largest = int(np.bincount(training.target).max())
        if largest < folds:
            raise UserError(
                f'{algorithm.name}: option "kfold_cv" wants a class with at least {folds} rows, the largest has {largest}'
            )
        splitter, names = StratifiedKFold(folds, shuffle=True, random_state=seed), CLASS_SCORES
    else:
        splitter, names = KFold(folds, shuffle=True, random_state=seed), NUMBER_SCORES
    scores = _call(
        algorithm,
        cross_validate,
        estimator,
        encoded.matrix,
        training.target,
        cv=splitter,
        scoring=list(names),
        error_score="raise",
        threads=limits.threads,
    )
    return FitResult(pa.table({name: scores[f"test_{name}"] for name in names}), learned.messages + training.messages, None)


def _earlier_model(request: FitRequest, registry: ModelRegistry, context: Context, algorithm: Algorithm) -> Model | None:
    """The saved model that partial_fit goes on with, None when there is none yet."""
    if not request.model_name:
        return None
    namespace = request.namespace or USER
    if not registry.exists(request.model_name, context.owner, namespace, app=context.app):
        return None
    earlier = registry.load(request.model_name, context.owner, namespace, app=context.app)
    if earlier.algorithm != algorithm.name:
        raise UserError(
            f'{algorithm.name}: model "{request.model_name}" was trained with {earlier.algorithm}, '
            "partial_fit wants the same algorithm"
        )
    if earlier.target != request.target:
        raise UserError(
            f'{algorithm.name}: model "{request.model_name}" has the target "{earlier.target}", got "{request.target}"'
        )
    return earlier


def _target_present(table: pa.Table, target: str) -> np.ndarray:
    column = require_field(table, target)
    if table.num_rows and is_null_everywhere(column):
        raise UserError(f'the target "{target}" has no value in any row')
    return has_value(column)


def convergence_messages(algorithm: Algorithm, estimator: Any) -> list[str]:
    """A warning when an iterative estimator stopped at its limit."""
    done, most = getattr(estimator, "n_iter_", None), getattr(estimator, "max_iter", None)
    if done is None or not isinstance(most, int) or most < 1 or algorithm.kind == "clusterer":
        return []
    if int(np.max(done)) < most:
        return []
    return [f"{algorithm.name} stopped after {most} iterations before it converged; scaled features may help"]


def _call(algorithm: Algorithm, function: Any, *arguments: Any, threads: int = 0, **options: Any) -> Any:
    """Runs scikit-learn with our threads; what it refuses becomes a UserError."""
    try:
        with joblib.parallel_config(backend="threading", n_jobs=threads or os.cpu_count() or 1):
            return function(*arguments, **options)
    except (ValueError, FloatingPointError) as error:
        raise UserError(f"{algorithm.name}: {str(error).splitlines()[0]}") from error
