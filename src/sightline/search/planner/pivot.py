"""Turns rows of (row key, column key, values) into a table with a column per column key. Pure: Arrow in, Arrow out."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.search.planner.values import numeric_literal


@dataclass(frozen=True)
class Pivot:
    """Row keys in order of appearance, column keys in order of appearance, and where each cell's value stands."""

    rows: pa.Array
    columns: list[object]
    _row_codes: np.ndarray
    _starts: np.ndarray
    _positions: np.ndarray

    def column(self, position: int, values: pa.Array) -> pa.Array:
        """The cells of one column key, taken from an array that runs along the input; null where there is none."""
        chosen = self._positions[self._starts[position] : self._starts[position + 1]]
        at = np.full(len(self.rows), -1, dtype=np.int64)
        at[self._row_codes[chosen]] = chosen
        return values.take(pa.array(at, pa.int64(), mask=at < 0))

    def cells(self, values: pa.Array) -> Iterator[tuple[object, pa.Array]]:
        """Each column key with its cells."""
        for position, key in enumerate(self.columns):
            yield key, self.column(position, values)


def pivot(rows: pa.Array, columns: pa.Array) -> Pivot:
    """Where each cell of the table stands, the last one where several have the same keys. Keys must not be null."""
    encoded_rows, encoded_columns = pc.dictionary_encode(rows), pc.dictionary_encode(columns)
    row_codes = np.asarray(encoded_rows.indices, dtype=np.int64)
    column_codes = np.asarray(encoded_columns.indices, dtype=np.int64)
    positions = np.argsort(column_codes, kind="stable")
    count = len(encoded_columns.dictionary)
    starts = np.searchsorted(column_codes[positions], np.arange(count + 1))
    return Pivot(encoded_rows.dictionary, encoded_columns.dictionary.to_pylist(), row_codes, starts, positions)


def natural_key(value: object) -> tuple[int, float, str]:
    """Orders names as people count: numbers by size, then other text by its characters."""
    number = value if isinstance(value, int | float) else numeric_literal(str(value))
    return (1, 0.0, str(value)) if number is None else (0, float(number), str(value))


def series_name(aggregate: str, value: str, separator: str, form: str) -> str:
    """The name of a column that stands for an aggregate and a value, by a separator or a format with $AGG$ and $VAL$."""
    if form:
        return form.replace("$AGG$", aggregate).replace("$VAL$", value)
    return f"{aggregate}{separator}{value}"


def one_array(column: pa.ChunkedArray) -> pa.Array:
    """A column in one piece."""
    combined = column.combine_chunks()
    return pa.concat_arrays(combined.chunks) if isinstance(combined, pa.ChunkedArray) else combined
