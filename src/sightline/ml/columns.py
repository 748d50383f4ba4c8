"""What an Arrow column means to a model: numbers, texts, labels. Vectorised; nothing here loops over rows.

Fields are dynamically typed: a text that looks numeric is a number, an empty text is no value, a whole double is the
integer it equals, a multivalue field is its values joined by newlines.
"""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Iterable, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import UserError, nearest

NUMERIC_TEXT = r"^[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?$"
WHOLE_TEXT = re.compile(r"0|-?[1-9]\d{0,17}")
"""Texts that an integer prints as. `007` is not one: turning it into 7 would lose the label."""


def expand_names(wanted: Sequence[str], present: Sequence[str], without: Iterable[str] = ()) -> list[str]:
    """Field names with `*` expanded to the present fields, in the order written, each once.

    A glob never matches a field that begins with `_` nor one of `without`. A name without `*` is kept as it is.
    """
    left_out = set(without)
    names: dict[str, None] = {}
    for name in wanted:
        if "*" in name:
            pattern = re.compile(fnmatch.translate(name.replace("[", "[[]").replace("?", "[?]")))
            names.update(
                (field, None)
                for field in present
                if pattern.match(field) and not field.startswith("_") and field not in left_out
            )
        else:
            names[name] = None
    return list(names)


def require_field(table: pa.Table, name: str) -> pa.ChunkedArray:
    """The named column. Raises UserError naming it when the rows have no such field."""
    if name not in table.column_names:
        raise UserError(f'field "{name}" is missing from the rows', nearest(name, table.column_names))
    return table.column(name)


def one_chunk(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The column as one plain array: chunks joined, dictionaries decoded."""
    array = column.combine_chunks() if isinstance(column, pa.ChunkedArray) else column
    if isinstance(array, pa.ChunkedArray):  # An empty chunked array combines to a chunked array on some versions.
        array = array.chunk(0) if array.num_chunks else pa.array([], array.type)
    return array.cast(array.type.value_type) if pa.types.is_dictionary(array.type) else array


def as_texts(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The values as strings; an empty text is null. A whole double prints as an integer."""
    array = one_chunk(column)
    kind = array.type
    if pa.types.is_list(kind) or pa.types.is_large_list(kind):
        array = pc.binary_join(array.cast(pa.list_(pa.string())), "\n")
    elif pa.types.is_floating(kind):
        array = _texts_of_doubles(array.cast(pa.float64()))
    elif pa.types.is_timestamp(kind):
        array = _texts_of_doubles(_epoch_seconds(array))
    elif not pa.types.is_string(kind):
        array = array.cast(pa.string())
    empty = pc.equal(array, "")
    return pc.if_else(empty, pa.scalar(None, pa.string()), array) if pc.any(empty).as_py() else array


def as_numbers(column: pa.ChunkedArray | pa.Array) -> pa.Array | None:
    """The values as doubles, or None when some value is neither absent nor numeric. Booleans are not numbers."""
    array = one_chunk(column)
    kind = array.type
    if pa.types.is_floating(kind) or pa.types.is_integer(kind) or pa.types.is_decimal(kind):
        return array.cast(pa.float64(), safe=False)
    if pa.types.is_null(kind):
        return pa.nulls(len(array), pa.float64())
    if pa.types.is_timestamp(kind):
        return _epoch_seconds(array)
    if pa.types.is_boolean(kind):
        return None
    texts = as_texts(array)
    try:
        return texts.cast(pa.float64())
    except pa.ArrowInvalid:
        return None


def as_numbers_or_null(column: pa.ChunkedArray | pa.Array) -> pa.Array:
    """The values as doubles; what is not numeric becomes null."""
    numbers = as_numbers(column)
    if numbers is not None:
        return numbers
    array = one_chunk(column)
    if pa.types.is_boolean(array.type):
        return pa.nulls(len(array), pa.float64())
    texts = as_texts(array)
    numeric = pc.match_substring_regex(texts, NUMERIC_TEXT)
    return pc.if_else(numeric, texts, pa.scalar(None, pa.string())).cast(pa.float64())


def numpy_numbers(numbers: pa.Array) -> np.ndarray:
    """Doubles with NaN for null; no copy when nothing is null."""
    return numbers.to_numpy(zero_copy_only=False)


def is_null_everywhere(column: pa.ChunkedArray | pa.Array) -> bool:
    """No row has a value: all null, or null and empty texts."""
    if column.null_count == len(column):
        return True
    return pa.types.is_string(column.type) and as_texts(column).null_count == len(column)


def put_column(table: pa.Table, name: str, values: pa.Array) -> pa.Table:
    """The table with a column replaced in its place, or added at the end."""
    index = table.schema.get_field_index(name)
    if index < 0:
        return table.append_column(name, values)
    return table.set_column(index, name, values)


def _texts_of_doubles(array: pa.Array) -> pa.Array:
    values = array.to_numpy(zero_copy_only=False)
    whole = np.isfinite(values) & (np.abs(values) < 2.0**53) & (values == np.floor(values))
    absent = np.isnan(values)
    if np.all(whole | absent):
        return pa.array(np.where(whole, values, 0).astype(np.int64), mask=absent).cast(pa.string())
    texts = pa.array(values, mask=absent).cast(pa.string())
    wholes = pa.array(np.where(whole, values, 0).astype(np.int64)).cast(pa.string())
    return pc.if_else(pa.array(whole), wholes, texts)


def _epoch_seconds(array: pa.Array) -> pa.Array:
    nanoseconds = array.cast(pa.timestamp("ns", array.type.tz)).cast(pa.int64())
    return pc.divide(nanoseconds.cast(pa.float64(), safe=False), 1e9)
