"""`contingency`: how often each value of one field occurs with each value of another."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.aggregates import grouping_keys
from sightline.search.planner.pivot import natural_key, one_array, pivot
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options

EMPTY = "EMPTY_STR"
"""Name of the column, and of the row, of the empty text."""


@command("contingency", kind="transforming", aliases=("counttable", "ctable"))
@dataclass
class Contingency(Command):
    """Counts how often each value of one field occurs with each value of another.

    Syntax: contingency [maxrows=<number>] [maxcols=<number>] [minrowcover=<share>] [mincolcover=<share>] [usetotal=<bool>]
        [totalstr=<text>] <row field> <column field>
    Example: index=web | contingency host status

    There is a row for each value of the first field and a column for each value of the second, in natural order, with a row
    and a column of totals unless `usetotal=false`. Where there are more than `maxrows` or `maxcols` (1000), or fewer cover the
    share `minrowcover` or `mincolcover` of all rows, the most frequent values are shown; totals are those of what is shown.
    Rows that lack either field are left out; a multivalue counts once for each of its values. The empty text is named
    EMPTY_STR.
    """

    maxrows: int = option(1000, minimum=0, help="rows at most; 0 is all")
    maxcols: int = option(1000, minimum=0, help="columns at most; 0 is all")
    minrowcover: float = option(1.0, minimum=0, help="share of all rows that the shown rows must cover")
    mincolcover: float = option(1.0, minimum=0, help="share of all rows that the shown columns must cover")
    usetotal: bool = option(True, help="add a row and a column of totals")
    totalstr: str = option("TOTAL", help="name of the totals")
    row: str = ""
    column: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> Contingency:
        names, found = arguments.names_with_options(cls)
        if len(names) != 2:
            raise SearchError(f"a field for rows and one for columns are expected, got {len(names)}", arguments.peek().span)
        for name in ("minrowcover", "mincolcover"):
            if not 0 <= found.get(name, 1.0) <= 1:
                raise SearchError(f"{name} must be 0 to 1, got {found[name]:g}")
        return cls(row=names[0], column=names[1], **found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), print_name(self.row), print_name(self.column)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        texts = {"\0row": relation.field(self.row), "\0column": relation.field(self.column)}
        relation = relation.with_fields(texts)
        relation, keys = grouping_keys(relation, list(texts))
        keys = [(name, v.as_text(value)) for name, value in keys]
        count = v.call("toInt64", v.agg("count", type=Type.INT), type=Type.INT)
        table = context.table_of(relation.aggregated(keys, [("count", count)]))
        if context.dry:
            return context.relation_of(pa.table({self.row: pa.array([], pa.string())}))
        return context.relation_of(context.python_step("contingency", lambda: self._table(table)))

    def _table(self, table: pa.Table) -> pa.Table:
        if not table.num_rows:
            return pa.table({self.row: pa.array([], pa.string())})
        found = pivot(one_array(table["\0row"]), one_array(table["\0column"]))
        counts = one_array(table["count"])
        cells = np.stack([np.asarray(found.column(n, counts).fill_null(0)) for n in range(len(found.columns))], axis=1)
        total = cells.sum()
        rows = _shown(found.rows.to_pylist(), cells.sum(axis=1), self.maxrows, self.minrowcover * total)
        columns = _shown([str(c) for c in found.columns], cells.sum(axis=0), self.maxcols, self.mincolcover * total)
        cells = cells[np.ix_(rows, columns)]
        names = [found.rows[int(n)].as_py() or EMPTY for n in rows]
        titles = [str(found.columns[n]) or EMPTY for n in columns]
        if self.usetotal:
            cells = np.hstack([cells, cells.sum(axis=1, keepdims=True)])
            cells = np.vstack([cells, cells.sum(axis=0, keepdims=True)])
            names, titles = [*names, self.totalstr], [*titles, self.totalstr]
        out: dict[str, pa.Array] = {self.row: pa.array(names, pa.string())}
        for position, title in enumerate(titles):
            # A value that is named like the field for rows gets out of its way.
            out[f"VALUE_{title}" if title in out or title.startswith("_") else title] = pa.array(cells[:, position])
        return pa.table(out)


def _shown(names: list[str], counts: np.ndarray, most: int, cover: float) -> list[int]:
    """Positions of the names that are shown, in natural order: the most frequent ones, as many as cover so much."""
    order = sorted(range(len(names)), key=lambda n: (-counts[n], natural_key(names[n])))
    enough = int(np.searchsorted(np.cumsum(counts[order]), cover - 1e-9)) + 1
    kept = order[: min(enough, most or len(order))]
    return sorted(kept, key=lambda n: natural_key(names[n]))
