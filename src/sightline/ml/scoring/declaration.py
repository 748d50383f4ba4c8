"""What a scoring method declares, and how pairs of fields and their rows are found."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import UserError
from sightline.ml.columns import WHOLE_TEXT, as_numbers, as_texts, expand_names, numpy_numbers, require_field
from sightline.ml.parameters import Parameter
from sightline.ml.preparation import Limits


@dataclass(slots=True)
class Scoring:
    """One scoring in progress: rows, the fields of both sides, typed options, bounds, and warnings so far."""

    method: str
    table: pa.Table
    actual: list[str]
    predicted: list[str]
    options: dict[str, Any]
    limits: Limits
    messages: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Scorer:
    """One method of `score`.

    `fields` says what is written: `pairs` (A against B), `one pair`, `one side` (nothing after against), `sides` (each
    used whole), `any` (against or not), or `none`.
    """

    name: str
    group: str
    summary: str
    run: Callable[[Scoring], pa.Table]
    parameters: tuple[Parameter, ...] = ()
    fields: str = "pairs"

    def describe(self) -> dict[str, Any]:
        """Plain data for help, completion and the reference."""
        return {
            "name": self.name,
            "group": self.group,
            "summary": self.summary,
            "fields": self.fields,
            "parameters": [
                {"name": p.name, "type": p.type, "default": p.default, "summary": p.summary, "choices": list(p.choices)}
                for p in self.parameters
            ],
        }


@dataclass(frozen=True, slots=True)
class LabelPair:
    """Two fields over the same classes, counted: `cells[a, p]` rows are of class a and predicted as p.

    Rows where either is null are left out. Scores need no more than these counts; what scikit-learn computes from them,
    given once per cell with its count as weight, is equal to the last bit and does not grow with the rows.
    """

    actual_field: str
    predicted_field: str
    classes: list[str]
    cells: np.ndarray

    @property
    def as_samples(self) -> dict[str, np.ndarray]:
        """The cells as scikit-learn's arguments: a sample per cell, weighted by its count."""
        count = len(self.classes)
        return {
            "y_true": np.repeat(np.arange(count), count),
            "y_pred": np.tile(np.arange(count), count),
            "sample_weight": self.cells.ravel(),
        }


def resolve_fields(table: pa.Table, names: list[str], method: str) -> list[str]:
    """The fields written, globs expanded. Raises UserError for a glob that matches nothing or a missing field."""
    fields = expand_names(names, table.column_names)
    for name in names:
        if "*" in name and not expand_names([name], table.column_names):
            raise UserError(f'{method}: no field matches "{name}"')
    for name in fields:
        require_field(table, name)
    return fields


def pairs(scoring: Scoring) -> list[tuple[str, str]]:
    """Actual and predicted fields side by side, one replicated against many. Raises UserError when that cannot be."""
    actual, predicted = scoring.actual, scoring.predicted
    if not predicted:
        raise UserError(
            f'{scoring.method}: fields after "against" are wanted', "score <method> <actual> against <predicted>"
        )
    if len(actual) == 1:
        actual = actual * len(predicted)
    elif len(predicted) == 1:
        predicted = predicted * len(actual)
    if len(actual) != len(predicted):
        raise UserError(
            f"{scoring.method}: both sides want as many fields, or one side a single field, "
            f"got {len(actual)} against {len(predicted)}"
        )
    return list(zip(actual, predicted, strict=True))


def label_pair(scoring: Scoring, actual_field: str, predicted_field: str) -> LabelPair:
    """The pair as class numbers. The classes are the union of both sides, as texts.

    They ascend as numbers when all are whole numbers (2 before 10), as texts otherwise.
    """
    sides = [_labels(scoring, name) for name in (actual_field, predicted_field)]
    present = pc.and_(sides[0].is_valid(), sides[1].is_valid())
    tell_dropped(scoring, present)
    if present.false_count:
        sides = [side.filter(present) for side in sides]
    encoded = [side.dictionary_encode() for side in sides]
    distinct = [set(side.dictionary.to_pylist()) for side in encoded]
    for name, values in zip((actual_field, predicted_field), distinct, strict=True):
        if len(values) > scoring.limits.max_distinct_values:
            raise UserError(
                f'{scoring.method}: field "{name}" has {len(values)} distinct values, '
                f"at most {scoring.limits.max_distinct_values} are taken"
            )
    if distinct[0] != distinct[1]:
        _tell_difference(scoring, actual_field, predicted_field, *distinct)
    union = distinct[0] | distinct[1]
    classes = sorted(union, key=int) if all(WHOLE_TEXT.fullmatch(label) for label in union) else sorted(union)
    numbers = []
    for side in encoded:
        number_of = pc.index_in(side.dictionary, value_set=pa.array(classes, pa.string()))
        numbers.append(number_of.take(side.indices).to_numpy(zero_copy_only=False).astype(np.int64))
    count = len(classes)
    cells = np.bincount(numbers[0] * count + numbers[1], minlength=count * count).reshape(count, count)
    return LabelPair(actual_field, predicted_field, classes, cells)


def present_numbers(scoring: Scoring, fields: list[str]) -> list[np.ndarray]:
    """Numeric fields, without the rows where any of them is null. Raises UserError when no row is left."""
    columns = []
    for name in fields:
        numbers = as_numbers(scoring.table.column(name))
        if numbers is None:
            raise UserError(f'{scoring.method}: field "{name}" must be numeric')
        columns.append(numpy_numbers(numbers))
    present = np.logical_and.reduce([np.isfinite(column) for column in columns])
    tell_dropped(scoring, pa.array(present))
    return columns if present.all() else [column[present] for column in columns]


def pair_table(pairs_scored: list[tuple[str, str]], columns: Mapping[str, list[Any]]) -> pa.Table:
    """A row per pair: the two field names and the scores."""
    return pa.table(
        {
            "Actual field": pa.array([a for a, _ in pairs_scored], pa.string()),
            "Predicted field": pa.array([p for _, p in pairs_scored], pa.string()),
            **columns,
        }
    )


def _labels(scoring: Scoring, name: str) -> pa.Array:
    column = scoring.table.column(name)
    if pa.types.is_floating(column.type):
        values = column.drop_null()
        if len(values) and pc.any(pc.not_equal(pc.floor(values), values)).as_py():
            raise UserError(f'{scoring.method}: field "{name}" holds fractional numbers, classes are wanted')
    return as_texts(column)


def tell_dropped(scoring: Scoring, present: pa.Array) -> None:
    """Warns how many rows had a null. Raises UserError when no row is left."""
    rows = len(present)
    dropped = present.false_count
    if rows == 0:
        raise UserError(f"{scoring.method}: there are no rows to score")
    if dropped == rows:
        raise UserError(f"{scoring.method}: no row has a value in every scored field")
    if dropped:
        share = dropped / rows
        scoring.messages.append(f"left out {dropped} of {rows} rows ({share:.1%}) with a null in a scored field")


def _tell_difference(scoring: Scoring, actual: str, predicted: str, in_actual: set[str], in_predicted: set[str]) -> None:
    parts = []
    for name, values in ((actual, in_actual - in_predicted), (predicted, in_predicted - in_actual)):
        if values:
            shown = sorted(values)[:5]
            more = f" and {len(values) - 5} more" if len(values) > 5 else ""
            parts.append(f'only in "{name}": {", ".join(shown)}{more}')
    scoring.messages.append("the two fields have different classes; " + "; ".join(parts))
