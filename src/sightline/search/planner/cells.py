"""The cells of `chart` and `timechart`: what rows and columns are grouped by, and one statement that aggregates, chooses the
columns and adds the others up.

Which values get a column depends on their totals, and whether a field of numbers is divided into ranges depends on how many
different ones there are. Neither is asked of the rows beforehand: the engine groups by the plain values, keeps partial
aggregates, and decides over these few. Only what turns out to need ranges is read again.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pyarrow as pa

from sightline.search.planner import values as v
from sightline.search.planner.aggregates import NamedValue, grouping_key
from sightline.search.planner.binning import DEFAULT_BINS, Binning, chosen_buckets
from sightline.search.planner.buckets import NumberBuckets, TimeBuckets
from sightline.search.planner.pivot import one_array
from sightline.search.planner.relation import Relation
from sightline.search.planner.series import Selection
from sightline.search.planner.values import Call, Over, Type, Value

if TYPE_CHECKING:
    from sightline.search.context import Context

ROW, COLUMN = "\0row", "\0column"
"""Names of the keys of rows and of columns."""
ROW_LOW, COLUMN_LOW = "\0row low", "\0column low"
"""Where the ranges of rows and of columns begin, which their names cannot be ordered by."""
NO_VALUE = "\0none"
"""Stands for rows without the split field, which a row with the text NULL must not be mistaken for."""
LEFT_OUT = "\0left out"
"""Stands for the values together that get no column of their own."""
_DISTINCT = "\0distinct"

GLIMPSE_ROWS = 20_000
"""Stored rows that are read to tell at a glance that a field has many different values."""


def cell(position: int) -> str:
    """Name of the column that holds the cells of an aggregate, by its position."""
    return f"\0{position}"


# ---- what is grouped by ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Axis:
    """What the rows, or the columns, of a chart are grouped by."""

    value: Value
    """The field itself, where its bucket begins, or the text of its range. NULL where a row lacks the field."""
    low: Value | None = None
    """Where the ranges of a text field begin."""
    buckets: TimeBuckets | NumberBuckets | None = None
    provisional: bool = False
    """Whether it is a number that must be divided into ranges after all if there are too many different ones."""

    def keys(self, name: str, low_name: str) -> list[tuple[str, Value]]:
        """The keys to group by."""
        lows = [] if self.low is None else [(low_name, self.low)]
        return [*lows, (name, grouping_key(self.value))]

    def named(self, key: Value) -> Value:
        """What is shown for a key: the range that begins there, or the key itself."""
        return self.buckets.ranges(key) if isinstance(self.buckets, NumberBuckets) and self.low is None else key

    def begin(self, key: Value, low: Value) -> Value | None:
        """Where the range of a key begins; None where keys are no ranges of numbers."""
        if not isinstance(self.buckets, NumberBuckets):
            return None
        return v.as_float(key) if self.low is None else low


def axis_of(relation: Relation, name: str, binning: Binning, context: Context, *, provisional: bool) -> Axis:
    """The axis of a field. With `provisional` a field of numbers is not asked how many different ones it has."""
    value = relation.field(name)
    undecided = provisional and not binning and name != "_time" and value.type.is_number
    if undecided and not isinstance(value, v.Literal) and not _has_many_values(relation, value, context):
        return Axis(value, provisional=True)
    buckets = chosen_buckets(relation, name, binning, context, always=False)
    if isinstance(buckets, TimeBuckets):
        return Axis(buckets.value(value), buckets=buckets)
    if isinstance(buckets, NumberBuckets):
        begin = buckets.bounds(value)[0]
        if value.type.is_number and not buckets.base:
            return Axis(begin, buckets=buckets)
        if buckets.base:
            # Ranges that grow by a base hold no number below or at 0: those stand for themselves, before all ranges.
            begin = v.choose(v.is_present(begin), begin, v.as_float(value))
        return Axis(buckets.ranges(value), v.as_float(begin), buckets)
    return Axis(value)


def _has_many_values(relation: Relation, value: Value, context: Context) -> bool:
    """Whether the first rows that come to hand already have more different values than are shown undivided."""
    distinct = v.agg("uniqUpTo", v.as_float(value), type=Type.INT, parameters=(DEFAULT_BINS,))
    counted = relation.aggregated([], [("distinct", v.call("toInt64", distinct, type=Type.INT))])
    table = context.glimpse_of(counted, GLIMPSE_ROWS)
    return bool(table.num_rows) and (table["distinct"][0].as_py() or 0) > DEFAULT_BINS


# ---- cells of two axes -----------------------------------------------------------------------------------------------


def folded_cells(
    relation: Relation, row: Axis, column: Axis, named: Sequence[NamedValue], selection: Selection
) -> Relation | None:
    """The cells by row and column, all values that get no column under one name. None where that is not for the engine.

    The fields are `ROW`, `COLUMN` as text, where they are ranges also where these begin, and a `cell` for each aggregate.
    Cells are kept as partial aggregates until the columns are chosen, so that the mean of the others is the mean of their
    rows. With a provisional axis that has too many values there is one row, of which only `too_many_values` can be asked.
    """
    if selection.score not in ("sum", "max") or selection.operator != "in" or not selection.value:
        return None
    states: dict[Call, str] = {}
    for one in named:
        v.map_aggregates(one.value, lambda call: states.setdefault(call, f"\0state{len(states)}") and call)
    grouped = relation.aggregated(
        [*row.keys(ROW, ROW_LOW), *column.keys(COLUMN, COLUMN_LOW)],
        [(name, dataclasses.replace(call, function=call.function + "State")) for call, name in states.items()],
    )

    def finished(call: Call) -> Value:
        return v.call("finalizeAggregation", grouped.field(states[call]), type=call.type)

    score = v.as_number(v.map_aggregates(named[0].value, finished))
    if not score.type.is_number:
        return None
    key = grouped.field(COLUMN)
    windows = [("score", Over(Type.FLOAT, v.call(selection.score, score, type=Type.FLOAT), (key,)))]
    undecided = [name for name, axis in ((ROW, row), (COLUMN, column)) if axis.provisional]
    for name in undecided:
        windows.append(("distinct", Over(Type.INT, v.call("uniqExact", grouped.field(name), type=Type.INT))))
    grouped, (total, *distinct) = grouped.windowed(windows)
    text = v.call("ifNull", v.as_text(column.named(key)), v.text(NO_VALUE), type=Type.TEXT)
    given = v.call("notEquals", text, v.text(NO_VALUE), type=Type.BOOL)
    order = ((total, not selection.bottom), *v.sort_keys(key, False))
    rank = Over(Type.INT, v.call("dense_rank", type=Type.INT), (given,), order)
    grouped, (rank_column,) = grouped.windowed([("rank", rank)])
    kept = v.either(
        [v.negation(given), v.call("lessOrEquals", rank_column, v.integer(int(selection.value)), type=Type.BOOL)]
    )
    too_many = v.either([v.call("greater", count, v.integer(DEFAULT_BINS), type=Type.BOOL) for count in distinct])

    def unless_too_many(value: Value) -> Value:
        return value if too_many == v.FALSE else v.choose(too_many, v.Literal(value.type, None), value)

    folded: list[tuple[str, Value]] = []
    if (begin := row.begin(grouped.field(ROW), grouped.field(ROW_LOW))) is not None:
        folded.append((ROW_LOW, unless_too_many(begin)))
    folded.append((ROW, unless_too_many(grouped.field(ROW))))
    if (begin := column.begin(key, grouped.field(COLUMN_LOW))) is not None:
        folded.append((COLUMN_LOW, unless_too_many(v.choose(kept, begin, v.Literal(Type.FLOAT, None)))))
    folded.append((COLUMN, unless_too_many(v.choose(kept, text, v.text(LEFT_OUT)))))

    def merged(call: Call) -> Value:
        return v.agg(call.function + "Merge", grouped.field(states[call]), type=call.type, parameters=call.parameters)

    cells = [(cell(n), v.map_aggregates(one.value, merged)) for n, one in enumerate(named)]
    cells += [(_DISTINCT + str(n), v.agg("any", count, type=Type.INT)) for n, count in enumerate(distinct)]
    done = grouped.aggregated(folded, cells)
    return done.with_field(ROW, row.named(done.field(ROW)))


def too_many_values(table: pa.Table) -> bool:
    """Whether an axis that was not divided should have been."""
    names = [name for name in table.column_names if name.startswith(_DISTINCT)]
    return any(table.num_rows and table[name][0].as_py() > DEFAULT_BINS for name in names)


def plain_cells(relation: Relation, row: Axis, column: Axis, named: Sequence[NamedValue]) -> Relation:
    """The cells by row and column of all values, with the same fields."""
    aggregates = [(cell(n), one.value) for n, one in enumerate(named)]
    grouped = relation.aggregated([*row.keys(ROW, ROW_LOW), *column.keys(COLUMN, COLUMN_LOW)], aggregates)
    fields = dict(grouped.fields)
    for name, low_name, axis in ((ROW, ROW_LOW, row), (COLUMN, COLUMN_LOW, column)):
        begin = axis.begin(grouped.field(name), grouped.field(low_name))
        if begin is not None:
            fields[low_name] = begin
    text = column.named(grouped.field(COLUMN))
    fields[COLUMN] = v.call("ifNull", v.as_text(text), v.text(NO_VALUE), type=Type.TEXT)
    fields[ROW] = row.named(grouped.field(ROW))
    return grouped.with_fields(fields)


# ---- gaps ------------------------------------------------------------------------------------------------------------


def missing_begins(present: pa.Array, buckets: TimeBuckets | NumberBuckets, most: int) -> np.ndarray | None:
    """Where buckets begin that lie between present ones and have no row; None where there are more than `most`."""
    begins = np.unique(np.asarray(present.drop_null(), dtype=np.float64))
    if len(begins) < 2 or buckets.count_between(begins[0], begins[-1]) > most:
        return None if len(begins) > 1 else np.empty(0)
    every = np.asarray(list(buckets.starts(float(begins[0]), float(begins[-1]))), dtype=np.float64)
    at = np.clip(np.searchsorted(begins, every), 0, len(begins) - 1)
    near = np.minimum(np.abs(begins[at] - every), np.abs(begins[np.maximum(at - 1, 0)] - every))
    # A step that is no power of two adds up to a whisker beside what the engine computed.
    return every[near > 0.25 * np.diff(every).min()]


def named_begins(begins: np.ndarray, buckets: NumberBuckets, context: Context) -> pa.Array:
    """The names of the ranges that begin there, as the engine writes them."""
    values = pa.array(begins)
    if len(begins) and np.all(begins == np.floor(begins)) and not buckets.base:
        values = values.cast(pa.int64())
    held = context.relation_of(pa.table({"begin": values}))
    named = held.with_field("name", buckets.ranges(held.field("begin")))
    return one_array(context.table_of(named, ["name"])["name"])
