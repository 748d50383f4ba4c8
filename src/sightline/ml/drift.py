"""What training rows looked like, and how far other rows are from that. Pure functions; no I/O, no clock.

`describe_fields` makes the reference that is kept with a model: per field the share of nulls and, for numbers, moments
and quantiles, for categories the count of every value. The comparisons take a reference and a column of current values.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.ml.columns import as_numbers_or_null, as_texts, numpy_numbers
from sightline.ml.preparation import Preparation

QUANTILE_STEPS = 20
QUANTILE_ROWS = 20_000
"""Quantiles are taken from this many evenly spaced rows: their error is far below the steps between them."""
SMALLEST_SHARE = 1e-4
"""Stands in for an empty bin, whose logarithm does not exist."""


def describe_fields(
    table: pa.Table, preparation: Preparation, target: str | None = None, has_classes: bool = False
) -> dict[str, Any]:
    """The reference of every used field and of the target, as plain JSON values."""
    described: dict[str, Any] = {field: describe_numbers(table.column(field)) for field in preparation.numbers}
    described.update({field: describe_category(table.column(field)) for field in preparation.categories})
    if target is not None:
        described[target] = (describe_category if has_classes else describe_numbers)(table.column(target))
    return described


def describe_numbers(column: pa.ChunkedArray | pa.Array) -> dict[str, Any]:
    """Count, nulls, mean, standard deviation, quantiles from the minimum to the maximum, shares between them."""
    values = numpy_numbers(as_numbers_or_null(column))
    present = values[np.isfinite(values)]
    reference: dict[str, Any] = {"type": "number", "rows": len(values), "nulls": int(len(values) - len(present))}
    if len(present):
        some = present[:: max(1, -(-len(present) // QUANTILE_ROWS))]
        # Quantiles that are values themselves, so that a value that makes up many rows is an edge and not between two.
        quantiles = np.quantile(some, np.linspace(0, 1, QUANTILE_STEPS + 1), method="inverted_cdf").astype(float)
        quantiles[0], quantiles[-1] = present.min(), present.max()
        reference.update(mean=float(present.mean()), std=float(present.std()), quantiles=quantiles.tolist())
        reference["shares"] = _shares(some, _edges(quantiles)).tolist()
    return reference


def describe_category(column: pa.ChunkedArray | pa.Array) -> dict[str, Any]:
    """Count, nulls, and how often each value occurs."""
    texts = as_texts(column)
    counted = pc.value_counts(texts.drop_null())
    counts = dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))
    return {"type": "category", "rows": len(texts), "nulls": texts.null_count, "counts": counts}


def compare_fields(reference: Mapping[str, Any], table: pa.Table) -> pa.Table:
    """A row per field of the reference: `field`, `type`, `psi`, `ks` (numbers only), and the shares of nulls.

    A field that the table lacks counts as null in every row. Without any value on one side psi and ks are null.
    """
    rows = []
    for field, expected in reference.items():
        column = table.column(field) if field in table.column_names else pa.nulls(table.num_rows, pa.string())
        numeric = expected["type"] == "number"
        current = numpy_numbers(as_numbers_or_null(column)) if numeric else None
        missing = int(np.isnan(current).sum()) if numeric else as_texts(column).null_count
        rows.append(
            {
                "field": field,
                "type": expected["type"],
                "psi": population_stability_index(expected, column),
                "ks": ks_statistic(expected, column) if numeric else None,
                "reference_nulls": expected["nulls"] / expected["rows"] if expected["rows"] else None,
                "current_nulls": missing / len(column) if len(column) else None,
            }
        )
    return pa.Table.from_pylist(rows, schema=_COMPARED)


def population_stability_index(reference: Mapping[str, Any], column: pa.ChunkedArray | pa.Array) -> float | None:
    """How far the shares of bins (or categories) moved: under 0.1 little, above 0.25 much. None: nothing to compare.

    Numbers fall into the bins between the reference's quantiles, each distinct quantile once. A category that the
    reference lacks is one more bin.
    """
    if reference["type"] == "number":
        values = _present(column)
        if "quantiles" not in reference or not len(values):
            return None
        return _psi(np.asarray(reference["shares"]), _shares(values, _edges(reference["quantiles"])))
    counted = pc.value_counts(as_texts(column).drop_null())
    current = dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))
    known = reference["counts"]
    if not known or not current:
        return None
    names = list(known | current)
    expected = np.array([known.get(name, 0) for name in names], dtype=float)
    actual = np.array([current.get(name, 0) for name in names], dtype=float)
    return _psi(expected / expected.sum(), actual / actual.sum())


def ks_statistic(reference: Mapping[str, Any], column: pa.ChunkedArray | pa.Array) -> float | None:
    """The largest gap between the two distribution functions, from 0 to 1. None: nothing to compare.

    The reference's function is exact at its edges and drawn straight between them, so the gap is off by at most one step
    (0.05). An edge that is several quantiles at once is a value of many rows: there the function jumps.
    """
    values = _present(column)
    if "quantiles" not in reference or not len(values):
        return None
    quantiles = np.asarray(reference["quantiles"])
    edges, count = np.unique(quantiles[1:], return_counts=True)
    share_upto = np.cumsum(reference["shares"])
    share_before = np.where(count > 1, np.append(0.0, share_upto[:-1]), share_upto)
    lowest = ([quantiles[0]], [0.0]) if quantiles[0] < edges[0] else ([], [])
    points = np.concatenate([lowest[0], np.repeat(edges, 2)])
    shares = np.concatenate([lowest[1], np.column_stack([share_before, share_upto]).ravel()])
    ordered = np.sort(values)
    places = np.union1d(edges, ordered)
    upto = np.interp(places, points, shares, left=0.0)
    before = upto.copy()
    at_edge = np.searchsorted(places, edges)
    upto[at_edge], before[at_edge] = share_upto, share_before
    current_upto = np.searchsorted(ordered, places, side="right") / len(ordered)
    current_before = np.searchsorted(ordered, places, side="left") / len(ordered)
    return float(max(np.abs(upto - current_upto).max(), np.abs(before - current_before).max()))


def _present(column: pa.ChunkedArray | pa.Array) -> np.ndarray:
    values = numpy_numbers(as_numbers_or_null(column))
    return values[np.isfinite(values)]


def _edges(quantiles: Any) -> np.ndarray:
    return np.unique(np.asarray(quantiles)[1:])


def _shares(values: np.ndarray, edges: np.ndarray) -> np.ndarray:
    """The share of values in every bin. A bin ends with its edge; the last takes whatever is beyond too."""
    return np.bincount(np.searchsorted(edges[:-1], values), minlength=len(edges)) / len(values)


def _psi(expected: np.ndarray, actual: np.ndarray) -> float:
    expected, actual = np.maximum(expected, SMALLEST_SHARE), np.maximum(actual, SMALLEST_SHARE)
    return float(np.sum((actual - expected) * np.log(actual / expected)))


_COMPARED = pa.schema(
    [
        ("field", pa.string()),
        ("type", pa.string()),
        ("psi", pa.float64()),
        ("ks", pa.float64()),
        ("reference_nulls", pa.float64()),
        ("current_nulls", pa.float64()),
    ]
)
