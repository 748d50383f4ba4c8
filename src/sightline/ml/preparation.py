"""From fields to the matrix a model is trained on, and the same way again when it is applied.

`learn` looks at the training rows once and decides what every field is: a number, a category (one column `field=value`
per value), or of no use. The decision, a `Preparation`, is kept with the model. `encode` repeats it on any table: the
matrix has the rows without nulls, and `usable` says which rows those are.

Numbers come first, in the order of the features, then the columns of each category, values ascending: the order that
`pandas.get_dummies` gives, so that a seed means the same trees there and here.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import UserError
from sightline.ml.columns import (
    as_numbers,
    as_numbers_or_null,
    as_texts,
    is_null_everywhere,
    numpy_numbers,
    require_field,
)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a fit and of a score. The values that Splunk's toolkit ships, except where a reason is given."""

    max_distinct_values: int = 100
    """Most distinct values of a category, of a classifier's target and of a field that is scored."""
    max_inputs: int | None = None
    """Rows used for training, above which they are sampled. None: the algorithm's own, mostly 100,000."""
    use_sampling: bool = True
    """False: more rows than `max_inputs` are an error."""
    max_model_bytes: int = 512 * 1024 * 1024
    """Largest saved model. A forest of 100 trees on 100,000 rows with ten classes takes about 60 MB."""
    threads: int = 0
    """Threads of one fit or apply; 0: one per core."""


@dataclass(frozen=True, slots=True)
class Encoded:
    """The usable rows as a matrix. `usable` is None when every row is; `unseen` lists new category values by field."""

    matrix: np.ndarray
    usable: np.ndarray | None
    unseen: Mapping[str, tuple[str, ...]]
    not_numeric: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Preparation:
    """What every feature is. `categories` maps a field to its values, ascending.

    `raw` fields are read by the algorithm as they are; a row needs them, but they have no column.
    With `keeps_nulls` a row without a number stays usable, and its cell is NaN.
    """

    numbers: tuple[str, ...]
    categories: Mapping[str, tuple[str, ...]]
    raw: tuple[str, ...] = ()
    keeps_nulls: bool = False

    @property
    def fields(self) -> tuple[str, ...]:
        """The fields that must be present in rows to encode."""
        return (*self.numbers, *self.categories, *self.raw)

    @property
    def columns(self) -> tuple[str, ...]:
        """The names of the matrix's columns."""
        return (*self.numbers, *(f"{field}={value}" for field, values in self.categories.items() for value in values))

    def encode(self, table: pa.Table | pa.RecordBatch, *, unseen: str = "default", dtype: Any = np.float64) -> Encoded:
        """The matrix of the rows that have every field.

        `unseen` says what a category value that training did not have does: `default` leaves all columns of its field
        at 0, `skip` makes the row unusable, `stop` raises UserError naming field and value. A field that the table
        lacks is null in every row. A number field with a text that is not numeric is null in that row.
        """
        columns = self.columns
        matrix = np.zeros((table.num_rows, len(columns)), dtype=dtype)
        not_numeric = []
        present = set(table.schema.names)
        for index, field in enumerate(self.numbers):
            if field not in present:
                matrix[:, index] = np.nan
                continue
            column = table.column(field)
            numbers = as_numbers_or_null(column)
            if numbers.null_count > column.null_count and as_texts(column).null_count < numbers.null_count:
                not_numeric.append(field)
            with np.errstate(over="ignore"):  # Too large for the matrix becomes infinite, and the row unusable.
                matrix[:, index] = numpy_numbers(numbers)
        cells = matrix[:, : len(self.numbers)]
        usable = ~(np.isinf(cells) if self.keeps_nulls else ~np.isfinite(cells)).any(axis=1)
        for field in self.raw:
            if field in present:
                usable &= as_texts(table.column(field)).is_valid().to_numpy(zero_copy_only=False)
            else:
                usable[:] = False
        first = len(self.numbers)
        new_values: dict[str, tuple[str, ...]] = {}
        for field, values in self.categories.items():
            codes = self._codes(table, field, values, new_values) if field in present else None
            if codes is None:
                usable[:] = False
            else:
                known = codes >= 0
                matrix[np.flatnonzero(known), first + codes[known]] = 1
                usable &= codes != _NULL
                if field in new_values and unseen == "stop":
                    value = new_values[field][0]
                    raise UserError(f'field "{field}" has the value "{value}", which the training rows did not have')
                if unseen == "skip":
                    usable &= codes != _UNSEEN
            first += len(values)
        if usable.all():
            return Encoded(matrix, None, new_values, tuple(not_numeric))
        return Encoded(matrix[usable], usable, new_values, tuple(not_numeric))

    @staticmethod
    def _codes(
        table: pa.Table | pa.RecordBatch, field: str, values: tuple[str, ...], new_values: dict[str, tuple[str, ...]]
    ) -> np.ndarray:
        """The index of each row's value, `_UNSEEN` for a new value, `_NULL` for none."""
        encoded = as_texts(table.column(field)).dictionary_encode()
        dictionary = encoded.dictionary.cast(pa.string())
        lookup = pc.index_in(dictionary, value_set=pa.array(values, pa.string()))
        new = lookup.is_null()
        if pc.any(new).as_py():
            new_values[field] = tuple(dictionary.filter(new).to_pylist())
        code_of = np.append(pc.fill_null(lookup, _UNSEEN).to_numpy(zero_copy_only=False), _NULL).astype(np.int64)
        return code_of[pc.fill_null(encoded.indices, len(dictionary)).to_numpy(zero_copy_only=False)]

    def to_json(self) -> dict[str, Any]:
        return {
            "numbers": list(self.numbers),
            "categories": {field: list(values) for field, values in self.categories.items()},
            "raw": list(self.raw),
            "keeps_nulls": self.keeps_nulls,
        }

    @staticmethod
    def from_json(value: Mapping[str, Any]) -> Preparation:
        categories = {field: tuple(values) for field, values in value["categories"].items()}
        return Preparation(tuple(value["numbers"]), categories, tuple(value.get("raw", ())), value.get("keeps_nulls", False))


_UNSEEN = -1
_NULL = -2


@dataclass(frozen=True, slots=True)
class Learned:
    """A preparation, the rows that have every used field (None: all), and what to tell about fields left out."""

    preparation: Preparation
    usable: np.ndarray | None
    messages: list[str]


def learn(
    table: pa.Table,
    features: Sequence[str],
    *,
    raw: Sequence[str] = (),
    also_used: Mapping[str, np.ndarray] | None = None,
    numeric_only: bool = False,
    keeps_nulls: bool = False,
    limits: Limits,
) -> Learned:
    """Decides what every feature is, from the training rows.

    `also_used` gives, per further field such as the target, which rows have it. In order: fields that are null
    everywhere are left out, rows with a null in a used field are left out, categories of too many values are left out.
    `raw` fields are used as they are. Raises UserError for a missing field, for no rows, for a field that is not numeric
    where `numeric_only` is asked for, and when nothing usable is left.
    """
    for field in (*features, *raw):
        require_field(table, field)
    if table.num_rows == 0:
        raise UserError("there are no rows to train on")
    messages = []
    empty = [field for field in features if is_null_everywhere(table.column(field))]
    if empty:
        messages.append(f"left out fields without any value: {', '.join(empty)}")
    numbers: dict[str, None] = {}
    texts: dict[str, pa.Array] = {}
    usable = np.ones(table.num_rows, dtype=bool)
    for present in (also_used or {}).values():
        usable &= present
    for field in features:
        if field in empty:
            continue
        values = as_numbers(table.column(field))
        if values is not None:
            numbers[field] = None
            if not keeps_nulls:
                usable &= np.isfinite(numpy_numbers(values))
        elif numeric_only:
            raise UserError(f'field "{field}" must be numeric')
        else:
            texts[field] = as_texts(table.column(field))
            usable &= texts[field].is_valid().to_numpy(zero_copy_only=False)
    for field in raw:
        usable &= as_texts(table.column(field)).is_valid().to_numpy(zero_copy_only=False)
    if features and not numbers and not texts:
        raise UserError(f"none of the features has a value: {', '.join(features)}")
    if not usable.any():
        named = [*(also_used or {}), *numbers, *texts, *raw]
        raise UserError(f"no row has a value in every used field: {', '.join(named)}")
    every = bool(usable.all())
    categories: dict[str, tuple[str, ...]] = {}
    too_many = []
    for field, column in texts.items():
        distinct = pc.unique(column if every else column.filter(pa.array(usable)))
        if len(distinct) > limits.max_distinct_values:
            too_many.append(f"{field} ({len(distinct)})")
        else:
            categories[field] = tuple(sorted(distinct.to_pylist()))
    if too_many:
        messages.append(
            f"left out non-numeric fields with more than {limits.max_distinct_values} distinct values: "
            + ", ".join(too_many)
        )
    if features and not numbers and not categories:
        raise UserError(
            f"no usable feature is left: every non-numeric field has more than {limits.max_distinct_values} "
            f"distinct values: {', '.join(too_many)}"
        )
    preparation = Preparation(tuple(numbers), categories, tuple(raw), keeps_nulls)
    return Learned(preparation, None if every else usable, messages)


def sample_rows(rows: np.ndarray, count: int, seed: int) -> np.ndarray:
    """`count` of the row numbers, each with the same chance, in their order: what a reservoir would keep."""
    chosen = np.random.default_rng(seed).choice(len(rows), size=count, replace=False, shuffle=False)
    return rows[np.sort(chosen)]
