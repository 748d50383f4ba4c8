"""`sample`: some of the rows, or all of them dealt into partitions."""

from __future__ import annotations

import secrets
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import UserError
from sightline.ml.columns import as_numbers_or_null, as_texts, numpy_numbers, require_field
from sightline.ml.parameters import boolean, integer, number, read_options, text
from sightline.ml.requests import SampleRequest

PARAMETERS = (
    number("ratio", None, "Each row's chance to be kept.", low=0, high=1),
    integer("count", None, "How many rows to keep; with by, of every value.", low=1),
    text("proportional", None, "The field whose number, from 0 to 1, is a row's chance to be kept."),
    boolean("inverse", False, "With proportional: the chance not to be kept."),
    integer("partitions", None, "Into how many partitions to deal the rows.", low=2),
    text("fieldname", "partition_number", "With partitions: the new field with the partition's number."),
    integer("seed", None, "Makes the choice repeatable.", low=0),
)
MODES = ("ratio", "count", "proportional", "partitions")


def bare_option(written: str) -> tuple[str, str]:
    """The option a bare number stands for: `0.01` is a ratio, `100` a count."""
    return ("count" if written.lstrip("+").isdigit() else "ratio"), written


def check_sample(request: SampleRequest) -> dict[str, Any]:
    """The typed options. Raises UserError for a bad one, and unless exactly one mode is asked for."""
    options = read_options("sample", PARAMETERS, request.options)
    modes = [mode for mode in MODES if options[mode] is not None]
    if len(modes) != 1:
        raise UserError(f"sample: exactly one of {', '.join(MODES)} is wanted, got {', '.join(modes) or 'none'}")
    if request.by and modes != ["count"]:
        raise UserError(f'sample: "by" goes with count only, got {modes[0]}')
    if "inverse" in request.options and modes != ["proportional"]:
        raise UserError('sample: option "inverse" goes with proportional only')
    if "fieldname" in request.options and modes != ["partitions"]:
        raise UserError('sample: option "fieldname" goes with partitions only')
    return options


def sample(table: pa.Table, request: SampleRequest) -> tuple[pa.Table, list[str]]:
    """The kept rows in their order, and warnings. Fewer rows than `count`: all of them."""
    options = check_sample(request)
    rows = table.num_rows
    random = np.random.default_rng(secrets.randbits(64) if options["seed"] is None else options["seed"])
    if options["partitions"] is not None:
        name = options["fieldname"]
        if name in table.column_names:
            raise UserError(f'sample: field "{name}" exists already, partitions want a new one')
        return table.append_column(name, pa.array(random.integers(options["partitions"], size=rows))), []
    if options["ratio"] is not None:
        return table.filter(pa.array(random.random(rows) < options["ratio"])), []
    if options["proportional"] is not None:
        return _proportional(table, options["proportional"], options["inverse"], random)
    order = random.random(rows)
    if request.by:
        groups = as_texts(require_field(table, request.by)).dictionary_encode()
        codes = pc.fill_null(groups.indices, -1).to_numpy(zero_copy_only=False)
        kept = _first_of_each(codes, order, options["count"])
        kept = kept[codes[kept] >= 0]
    else:
        kept = np.argsort(order, kind="stable")[: options["count"]]
    return table.take(pa.array(np.sort(kept))), []


def _first_of_each(codes: np.ndarray, order: np.ndarray, count: int) -> np.ndarray:
    """The rows that come among the first `count` of their group in a random order."""
    by_group = np.lexsort((order, codes))
    sorted_codes = codes[by_group]
    starts = np.flatnonzero(np.r_[True, sorted_codes[1:] != sorted_codes[:-1]]) if len(codes) else np.array([], int)
    rank = np.arange(len(codes)) - np.repeat(starts, np.diff(np.r_[starts, len(codes)]))
    return by_group[rank < count]


def _proportional(table: pa.Table, name: str, inverse: bool, random: np.random.Generator) -> tuple[pa.Table, list[str]]:
    chance = numpy_numbers(as_numbers_or_null(require_field(table, name)))
    outside = np.isnan(chance) | (chance < 0) | (chance > 1)
    messages = []
    if outside.any():
        messages.append(f'left out {int(outside.sum())} of {len(chance)} rows whose "{name}" is not a number from 0 to 1')
    kept = random.random(len(chance)) < (1 - chance if inverse else chance)
    return table.filter(pa.array(kept & ~outside)), messages
