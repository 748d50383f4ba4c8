"""What training rows looked like, and how far other rows are from that. Pure functions; no I/O, no clock.

`describe_fields` makes the reference that is kept with a model: per field the share of nulls and, for numbers, moments
and quantiles, for categories the count of every value. The comparisons take a reference and a column of current values.
"""

from __future__ import annotations

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
    """Count, nulls, mean, standard deviation, and quantiles from the minimum to the maximum."""
    values = numpy_numbers(as_numbers_or_null(column))
    present = values[np.isfinite(values)]
    reference: dict[str, Any] = {"type": "number", "rows": len(values), "nulls": int(len(values) - len(present))}
    if len(present):
        some = present[:: max(1, -(-len(present) // QUANTILE_ROWS))]
        quantiles = np.quantile(some, np.linspace(0, 1, QUANTILE_STEPS + 1))
        quantiles[0], quantiles[-1] = present.min(), present.max()
        reference.update(mean=float(present.mean()), std=float(present.std()), quantiles=quantiles.tolist())
    return reference


def describe_category(column: pa.ChunkedArray | pa.Array) -> dict[str, Any]:
    """Count, nulls, and how often each value occurs."""
    texts = as_texts(column)
    counted = pc.value_counts(texts.drop_null())
    counts = dict(zip(counted.field("values").to_pylist(), counted.field("counts").to_pylist(), strict=True))
    return {"type": "category", "rows": len(texts), "nulls": texts.null_count, "counts": counts}
