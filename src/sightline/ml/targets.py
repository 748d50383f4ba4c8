"""What a model predicts: the classes of a classifier and the numbers of a regressor, from a field and back to one.

A classifier is trained on class numbers 0..n-1 in ascending order of the classes, which is what scikit-learn makes of
labels itself; predictions are class numbers again, and become labels by one vectorised `take`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import UserError
from sightline.ml.columns import WHOLE_TEXT, as_numbers, as_texts, numpy_numbers, one_chunk

ABSENT = -1
"""The class number of a row whose target is null or not one of the classes."""


@dataclass(frozen=True, slots=True)
class Classes:
    """The labels a classifier knows, ascending. `kind` is what the labels are: integer, string or boolean."""

    kind: str
    labels: tuple[str, ...]

    @property
    def values(self) -> pa.Array:
        """The labels with their own type."""
        return _typed(self.kind, list(self.labels))

    def take(self, class_numbers: np.ndarray) -> pa.Array:
        """The labels of class numbers."""
        return self.values.take(pa.array(class_numbers.astype(np.int64, copy=False)))

    def numbers_of(self, column: pa.ChunkedArray | pa.Array) -> np.ndarray:
        """The class number of every row, `ABSENT` where the row has none."""
        encoded = as_texts(column).dictionary_encode()
        lookup = pc.index_in(encoded.dictionary.cast(pa.string()), value_set=pa.array(self.labels, pa.string()))
        numbers = np.append(pc.fill_null(lookup, ABSENT).to_numpy(zero_copy_only=False), ABSENT).astype(np.int64)
        return numbers[pc.fill_null(encoded.indices, len(lookup)).to_numpy(zero_copy_only=False)]

    def to_json(self) -> dict[str, Any]:
        return {"kind": self.kind, "labels": list(self.labels)}

    @staticmethod
    def from_json(value: Mapping[str, Any] | None) -> Classes | None:
        return Classes(value["kind"], tuple(value["labels"])) if value else None


def learn_classes(field: str, column: pa.ChunkedArray | pa.Array, limit: int) -> Classes:
    """The classes of a target: integers, texts or booleans, at most `limit` of them.

    Raises UserError naming the field, the count and the limit, or naming the field when it holds fractions.
    """
    distinct = as_texts(pc.unique(one_chunk(column))).drop_null()
    labels = pc.unique(distinct).to_pylist()
    if pa.types.is_boolean(column.type):
        kind = "boolean"
    elif all(WHOLE_TEXT.fullmatch(label) for label in labels):
        kind = "integer"
    else:
        kind = "string"
        numbers = as_numbers(distinct)
        if numbers is not None and np.any(numpy_numbers(numbers) % 1 != 0):
            raise UserError(
                f'a classifier wants classes, but field "{field}" holds fractional numbers such as {labels[0]}',
                "use a regressor, or make classes of it with bin or eval",
            )
    if len(labels) > limit:
        raise UserError(f'a classifier takes at most {limit} classes, but field "{field}" has {len(labels)} distinct values')
    return Classes(kind, tuple(sorted(labels, key=int) if kind == "integer" else sorted(labels)))


def learn_numbers(field: str, column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """A regressor's target as doubles, NaN for null. Raises UserError naming the field when some value is no number."""
    numbers = as_numbers(column)
    if numbers is None:
        example = as_texts(column).drop_null()
        bad = next((text for text in pc.unique(example).to_pylist() if as_numbers(pa.array([text])) is None), "true")
        raise UserError(f'a regressor wants a numeric target, but field "{field}" has values such as "{bad}"')
    return numpy_numbers(numbers)


def has_value(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    """Which rows have the field."""
    numbers = as_numbers(column)
    if numbers is not None:
        return np.isfinite(numpy_numbers(numbers))
    return as_texts(column).is_valid().to_numpy(zero_copy_only=False)


def _typed(kind: str, labels: list[str]) -> pa.Array:
    if kind == "integer":
        return pa.array([int(label) for label in labels], pa.int64())
    if kind == "boolean":
        return pa.array([label == "true" for label in labels], pa.bool_())
    return pa.array(labels, pa.string())
