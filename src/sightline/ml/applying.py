"""Using a model: predictions for rows, and its summary.

Applying is row-wise: the same rows give the same predictions in one table or in a stream of batches. Every row stays,
in its place; a row with a null in a feature gets null.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

import joblib
import numpy as np
import pyarrow as pa
import sklearn

from sightline.errors import UserError
from sightline.ml.algorithms import find_algorithm
from sightline.ml.algorithms.declaration import Block, Outputs
from sightline.ml.columns import put_column
from sightline.ml.model import Model
from sightline.ml.models import ModelRegistry
from sightline.ml.parameters import choice, read_options
from sightline.ml.preparation import Limits
from sightline.ml.requests import ApplyRequest

SLICE_CELLS = 8 * 1024 * 1024
SLICE_ROWS = 65_536
"""Most cells and rows that are encoded and predicted at a time: enough for full speed, and memory stays bounded."""
THREADED_ROWS = 4_096
"""Below this many rows starting threads takes longer than they save."""
SHOWN_VALUES = 5

UNSEEN_VALUE = choice(
    "unseen_value",
    "default",
    "A category value that training did not have: all its columns 0, the row skipped, or an error.",
    ("default", "skip", "stop"),
)
HANDLE_NEW_CAT = choice("handle_new_cat", None, "Older name of unseen_value.", ("default", "skip", "stop"))


class Applier:
    """A model made ready: call it with a table or a record batch, get it back with the model's columns.

    `messages` grows with what the rows seen so far gave reason to say.
    """

    def __init__(
        self,
        model: Model,
        output_name: str = "",
        options: Mapping[str, Any] | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._model = model
        self._algorithm = find_algorithm(model.algorithm)
        if self._algorithm.outputs is None:
            raise UserError(f'model "{model.name}" cannot be applied: {model.algorithm} only speaks of its training rows')
        declared = (*self._algorithm.apply_parameters, UNSEEN_VALUE, HANDLE_NEW_CAT)
        read = read_options(f"apply {model.name or model.algorithm}", declared, options or {})
        self._unseen = read["handle_new_cat"] or read["unseen_value"]
        self._options = {name: read[name] for name in (options or {}) if name in read}
        self._output_name = output_name
        self._threads = (limits or Limits()).threads or os.cpu_count() or 1
        self._missing: dict[str, None] = {}
        self._not_numeric: dict[str, None] = {}
        self._new_values: dict[str, dict[str, None]] = {}
        self._empty = self._predict(self._one_row())

    @property
    def required_fields(self) -> list[str]:
        """The fields that the model reads."""
        return self._model.required_fields

    @property
    def output_types(self) -> dict[str, pa.DataType]:
        """The columns that are added (or replaced), with their types."""
        return {name: values.type for name, values in self._empty.items()}

    @property
    def messages(self) -> list[str]:
        """Warnings about the rows seen so far."""
        told = []
        trained_with, now = self._model.library_version, f"scikit-learn {sklearn.__version__}"
        if trained_with and trained_with != now:
            told.append(f'model "{self._model.name}" was trained with {trained_with}, this is {now}; train it again')
        if self._missing:
            told.append(f"rows lack fields the model was trained with: {', '.join(self._missing)}")
        if self._not_numeric:
            told.append(f"values that are not numeric were taken as null in: {', '.join(self._not_numeric)}")
        for field, values in self._new_values.items():
            shown = ", ".join(f'"{value}"' for value in list(values)[:SHOWN_VALUES])
            more = f" and {len(values) - SHOWN_VALUES} more" if len(values) > SHOWN_VALUES else ""
            told.append(f'field "{field}" has values that the training rows did not have: {shown}{more}')
        return told

    def __call__(self, rows: pa.Table | pa.RecordBatch) -> pa.Table | pa.RecordBatch:
        table = pa.Table.from_batches([rows]) if isinstance(rows, pa.RecordBatch) else rows
        size = max(1024, min(SLICE_ROWS, SLICE_CELLS // max(1, len(self._model.columns))))
        pieces = [self._outputs(table.slice(start, size)) for start in range(0, table.num_rows, size)]
        for name, empty in self._empty.items():
            chunks = [piece[name] for piece in pieces]
            table = put_column(table, name, pa.chunked_array(chunks, empty.type))
        if isinstance(rows, pa.RecordBatch):
            return pa.RecordBatch.from_arrays([_joined(column) for column in table.columns], schema=table.schema)
        return table

    def _outputs(self, piece: pa.Table) -> Outputs:
        model = self._model
        encoded = model.preparation.encode(piece, unseen=self._unseen, dtype=self._algorithm.matrix_type)
        present = set(piece.column_names)
        self._missing.update((field, None) for field in model.preparation.fields if field not in present)
        self._not_numeric.update((field, None) for field in encoded.not_numeric)
        for field, values in encoded.unseen.items():
            self._new_values.setdefault(field, {}).update((value, None) for value in values)
        if not len(encoded.matrix):
            return {name: pa.nulls(piece.num_rows, values.type) for name, values in self._empty.items()}
        raw = piece.select(model.preparation.raw)
        if encoded.usable is None:
            return self._predict(Block(encoded.matrix, raw))
        predicted = self._predict(Block(encoded.matrix, raw.filter(pa.array(encoded.usable))))
        return {name: spread(values, encoded.usable) for name, values in predicted.items()}

    def _predict(self, block: Block) -> Outputs:
        threads = self._threads if len(block.matrix) >= THREADED_ROWS else 1
        with joblib.parallel_config(backend="threading", n_jobs=threads):
            return self._algorithm.outputs(self._model, block, self._output_name, self._options)

    def _one_row(self) -> Block:
        """A row of zeros: what the model makes of it tells the names and types of its columns."""
        preparation = self._model.preparation
        matrix = np.zeros((1, len(preparation.columns)), dtype=self._algorithm.matrix_type)
        return Block(matrix, pa.table({name: [""] for name in preparation.raw}))


def spread(values: pa.Array, usable: np.ndarray) -> pa.Array:
    """One value per usable row, spread over all rows; null elsewhere."""
    positions = np.cumsum(usable) - 1
    return values.take(pa.array(positions, mask=~usable))


def prepare_apply(
    model: Model, output_name: str = "", options: Mapping[str, Any] | None = None, limits: Limits | None = None
) -> Applier:
    """A callable from batch to batch. Raises UserError for a bad option."""
    return Applier(model, output_name, options, limits)


def load_applier(request: ApplyRequest, registry: ModelRegistry, owner: str, app: str = "search") -> Applier:
    """The applier of a saved model. Raises NotFound or UserError."""
    model = registry.load(request.model, owner, request.namespace, app=app, version=request.version)
    return Applier(model, request.output_name, request.options, registry.limits)


def apply(
    table: pa.Table, request: ApplyRequest, registry: ModelRegistry, owner: str, app: str = "search"
) -> tuple[pa.Table, list[str]]:
    """The table with the model's columns, and warnings."""
    applier = load_applier(request, registry, owner, app)
    return applier(table), applier.messages


def summary(
    registry: ModelRegistry,
    name: str,
    owner: str,
    namespace: str = "",
    options: Mapping[str, Any] | None = None,
    *,
    app: str = "search",
    version: int | None = None,
) -> pa.Table:
    """What the model learned, as its algorithm shows it.

    Raises NotFound, or UserError naming the algorithm when it has no summary or takes no such option.
    """
    return summarise(registry.load(name, owner, namespace, app=app, version=version), options)


def summarise(model: Model, options: Mapping[str, Any] | None = None) -> pa.Table:
    """The summary of a model in hand."""
    algorithm = find_algorithm(model.algorithm)
    if algorithm.summarise is None:
        raise UserError(f"{algorithm.name} has no summary")
    read = read_options(f"summary of {algorithm.name}", algorithm.summary_parameters, options or {})
    return algorithm.summarise(model, **read) if read else algorithm.summarise(model)


def _joined(column: pa.ChunkedArray) -> pa.Array:
    joined = column.combine_chunks()
    return joined if isinstance(joined, pa.Array) else pa.concat_arrays(joined.chunks)
