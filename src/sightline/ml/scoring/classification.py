"""How well predicted classes agree with the actual ones."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sklearn import metrics

from sightline.errors import UserError
from sightline.ml.columns import as_numbers, as_texts, numpy_numbers
from sightline.ml.parameters import boolean, choice, number, text
from sightline.ml.scoring.declaration import (
    LabelPair,
    Scorer,
    Scoring,
    label_pair,
    pair_table,
    pairs,
    tell_dropped,
)

AVERAGES = ("binary", "micro", "macro", "weighted")
POS_LABEL = text("pos_label", "1", "The class that counts as positive.")


def average(default: str | None) -> Any:
    return choice(
        "average", default, "How the scores of the classes become one.", (*AVERAGES, "none"), aliases={"none": None}
    )


def confusion_matrix(scoring: Scoring) -> pa.Table:
    """A row `actual(<class>)` per class, a column `predicted(<class>)` per class, the count of rows in the cells."""
    pair = label_pair(scoring, scoring.actual[0], scoring.predicted[0])
    columns: dict[str, Any] = {"Label": [f"actual({label})" for label in pair.classes]}
    for index, label in enumerate(pair.classes):
        columns[f"predicted({label})"] = pa.array(np.ascontiguousarray(pair.cells[:, index]), pa.int64())
    return pa.table(columns)


def precision_recall_fscore_support(scoring: Scoring) -> pa.Table:
    """Without average a row per metric and a column `scored(<class>)` per class; with one a row per pair of fields."""
    mean, beta = scoring.options["average"], scoring.options["beta"]
    if mean is None:
        if len(pairs(scoring)) != 1:
            raise UserError(f"{scoring.method}: one actual and one predicted field are wanted unless average is given")
        pair = label_pair(scoring, *pairs(scoring)[0])
        per_class = metrics.precision_recall_fscore_support(
            **pair.as_samples, labels=range(len(pair.classes)), beta=beta, zero_division=0
        )
        _tell_undefined(scoring, pair)
        columns: dict[str, Any] = {"Metric": ["precision", "recall", "fbeta_score", "support"]}
        for index, label in enumerate(pair.classes):
            columns[f"scored({label})"] = [float(values[index]) for values in per_class]
        return pa.table(columns)
    found = pairs(scoring)
    rows = []
    for fields in found:
        pair = label_pair(scoring, *fields)
        rows.append(
            metrics.precision_recall_fscore_support(
                **pair.as_samples,
                labels=range(len(pair.classes)) if mean != "binary" else None,
                beta=beta,
                average=mean,
                pos_label=positive(scoring, pair),
                zero_division=0,
            )
        )
        _tell_undefined(scoring, pair)
    scoring.messages.append("support is not defined for an average")
    return pair_table(
        found,
        {
            "fbeta_score": [float(row[2]) for row in rows],
            "precision": [float(row[0]) for row in rows],
            "recall": [float(row[1]) for row in rows],
            "support": pa.nulls(len(rows), pa.float64()),
        },
    )


def accuracy_score(scoring: Scoring) -> pa.Table:
    """The share of rows with the right class, or with normalize=false their count."""
    found = pairs(scoring)
    scores = []
    for fields in found:
        pair = label_pair(scoring, *fields)
        right = int(np.trace(pair.cells))
        scores.append(right / int(pair.cells.sum()) if scoring.options["normalize"] else float(right))
    return pair_table(found, {"accuracy_score": scores})


def averaged_score(function: Any) -> Any:
    """precision_score, recall_score and f1_score: one number per pair, or without average one per class."""

    def run(scoring: Scoring) -> pa.Table:
        found = pairs(scoring)
        mean = scoring.options["average"]
        rows = []
        for fields in found:
            pair = label_pair(scoring, *fields)
            scores = function(
                **pair.as_samples,
                labels=range(len(pair.classes)) if mean != "binary" else None,
                average=mean,
                pos_label=positive(scoring, pair),
                zero_division=0,
            )
            _tell_undefined(scoring, pair)
            rows.append(
                {scoring.method: float(scores)}
                if mean
                else {label: float(score) for label, score in zip(pair.classes, scores, strict=True)}
            )
        names = dict.fromkeys(name for row in rows for name in row)
        return pair_table(found, {name: pa.array([row.get(name) for row in rows], pa.float64()) for name in names})

    return run


def positive(scoring: Scoring, pair: LabelPair) -> int:
    """The class number of pos_label. With average=binary it must be one of at most two classes."""
    label = scoring.options["pos_label"]
    if scoring.options["average"] != "binary":
        if label != POS_LABEL.default:
            _tell_once(scoring, f'option "pos_label" has no effect with average={scoring.options["average"] or "none"}')
        return 1
    if len(pair.classes) > 2:
        raise UserError(
            f"{scoring.method}: average=binary wants at most two classes, "
            f'"{pair.actual_field}" and "{pair.predicted_field}" have {len(pair.classes)}',
            "average=macro, micro, weighted or none takes more",
        )
    return _positive_number(scoring, pair.classes, label)


def roc_auc_score(scoring: Scoring) -> pa.Table:
    """The area under the ROC curve of each pair; the predicted field is a score or probability."""
    found = pairs(scoring)
    areas = []
    for actual, predicted in found:
        truth, score = _binary_truth(scoring, actual, predicted)
        if truth.all() or not truth.any():
            raise UserError(f'{scoring.method}: field "{actual}" has only one class, two are wanted')
        areas.append(float(metrics.roc_auc_score(truth, score)))
    return pair_table(found, {"roc_auc_score": areas})


def roc_curve(scoring: Scoring) -> pa.Table:
    """False and true positive rates at every threshold of one pair."""
    truth, score = _binary_truth(scoring, scoring.actual[0], scoring.predicted[0])
    false_rate, true_rate, thresholds = metrics.roc_curve(
        truth, score, drop_intermediate=scoring.options["drop_intermediate"]
    )
    return pa.table({"fpr": false_rate, "tpr": true_rate, "thresholds": thresholds})


def _binary_truth(scoring: Scoring, actual: str, predicted: str) -> tuple[np.ndarray, np.ndarray]:
    """Whether each row is positive, and its score. More than two classes: the positive one against the others."""
    numbers = as_numbers(scoring.table.column(predicted))
    if numbers is None:
        raise UserError(f'{scoring.method}: field "{predicted}" must be numeric')
    truth = as_texts(scoring.table.column(actual))
    present = pc.and_(truth.is_valid(), numbers.is_valid())
    tell_dropped(scoring, present)
    truth, scores = truth.filter(present), numpy_numbers(numbers.filter(present))
    classes = sorted(pc.unique(truth).to_pylist())
    label = scoring.options["pos_label"]
    if len(classes) > 2:
        _tell_once(scoring, f'field "{actual}" has {len(classes)} classes; "{label}" is taken against all others')
    _positive_number(scoring, classes, label)
    return pc.equal(truth, label).to_numpy(zero_copy_only=False), scores


def _positive_number(scoring: Scoring, classes: list[str], label: str) -> int:
    if label not in classes:
        raise UserError(
            f'{scoring.method}: option "pos_label" must be one of the classes {", ".join(classes)}, got "{label}"'
        )
    return classes.index(label)


def _tell_undefined(scoring: Scoring, pair: LabelPair) -> None:
    """Precision without predicted rows and recall without actual rows are 0 by convention; say for which classes."""
    for what, side, rows in (
        ("precision", "predicted", pair.cells.sum(axis=0)),
        ("recall", "actual", pair.cells.sum(axis=1)),
    ):
        absent = [pair.classes[index] for index in np.flatnonzero(rows == 0)]
        if absent:
            _tell_once(scoring, f"{what} is set to 0 for classes without {side} rows: {', '.join(absent)}")


def _tell_once(scoring: Scoring, message: str) -> None:
    if message not in scoring.messages:
        scoring.messages.append(message)


SCORERS = (
    Scorer(
        "confusion_matrix",
        "classification",
        "Counts rows by actual and predicted class.",
        confusion_matrix,
        fields="one pair",
    ),
    Scorer(
        "precision_recall_fscore_support",
        "classification",
        "Precision, recall, F-score and number of rows of every class, or their average.",
        precision_recall_fscore_support,
        (average(None), POS_LABEL, number("beta", 1.0, "How much recall counts beside precision.", above=0)),
    ),
    Scorer(
        "accuracy_score",
        "classification",
        "The share of rows with the right class.",
        accuracy_score,
        (boolean("normalize", True, "A share; false: a count."),),
    ),
    Scorer(
        "precision_score",
        "classification",
        "The share of rows predicted as a class that are of it.",
        averaged_score(metrics.precision_score),
        (average("binary"), POS_LABEL),
    ),
    Scorer(
        "recall_score",
        "classification",
        "The share of rows of a class that are predicted as it.",
        averaged_score(metrics.recall_score),
        (average("binary"), POS_LABEL),
    ),
    Scorer(
        "f1_score",
        "classification",
        "The harmonic mean of precision and recall.",
        averaged_score(metrics.f1_score),
        (average("binary"), POS_LABEL),
    ),
    Scorer(
        "roc_auc_score",
        "classification",
        "The chance that a positive row scores above a negative one.",
        roc_auc_score,
        (POS_LABEL,),
    ),
    Scorer(
        "roc_curve",
        "classification",
        "False and true positive rates at every threshold.",
        roc_curve,
        (POS_LABEL, boolean("drop_intermediate", True, "Leave out thresholds on a straight line.")),
        fields="one pair",
    ),
)
