"""`untable`, `xyseries` and `transpose`: the same cells with columns as rows, or rows as columns."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from sightline.errors import SearchError
from sightline.search.commands.subsearch import cell_text
from sightline.search.context import Context, arrow_type
from sightline.search.planner import values as v
from sightline.search.planner.pivot import natural_key, one_array, pivot, series_name
from sightline.search.planner.relation import Relation, is_second_name
from sightline.search.planner.values import Lambda, Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options


@command("untable", kind="transforming")
@dataclass
class Untable(Command):
    """Makes a row of each cell: the row's key, the column's name and the cell's value.

    Syntax: untable <key field> <name field> <value field>
    Example: index=web | chart count over host by status | untable host status count

    Every column but the key and those that start with an underscore is a column of cells. Rows stand in the order of the
    old rows, then of the columns. Empty cells are left out. When cells are of different types, they become text.
    """

    key: str = ""
    name: str = ""
    value: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> Untable:
        names = []
        for what in ("the key field", "the field for column names", "the field for values"):
            names.append(arguments.name(what))
            arguments.skip_commas()
        arguments.finish()
        return cls(*names)

    def print_arguments(self) -> list[str]:
        return [print_name(self.key), print_name(self.name), print_name(self.value)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        cells = {
            name: value
            for name, value in relation.fields.items()
            if name != self.key and not name.startswith("_") and value.type is not Type.NULL
            and not is_second_name(name, relation.fields)
        }  # fmt: skip
        type = v.common_type([value.type for value in cells.values()])
        if type is Type.NULL:
            empty = pa.table({name: pa.array([], pa.string()) for name in (self.key, self.name, self.value)})
            return context.relation_of(empty)
        relation, position = relation.numbered()
        tuples = [
            v.call("tuple", v.integer(n), v.text(name), v.cast(value, type), type=Type.TEXT)
            for n, (name, value) in enumerate(cells.items())
        ]
        row = v.Column(Type.TEXT, "cell")
        present = Lambda(Type.BOOL, ("cell",), v.is_present(v.call("tupleElement", row, v.integer(3), type=type)))
        filled = v.call("arrayFilter", present, v.call("array", *tuples, type=Type.MULTI), type=Type.MULTI)
        relation, cell = relation.unnested(filled, "cell")

        def part(n: int, type: Type) -> v.Value:
            return v.call("tupleElement", cell, v.integer(n), type=type)

        fields = {self.key: relation.field(self.key), self.name: part(2, Type.TEXT), self.value: part(3, type)}
        order = ((position, False), (part(1, Type.INT), False))
        return dataclasses.replace(relation.with_fields(fields), order=order, kind="table")


@command("xyseries", kind="transforming")
@dataclass
class XySeries(Command):
    """Makes a column of each value of a field: the inverse of untable.

    Syntax: xyseries [grouped=<bool>] [sep=<text>] [format=<text>] <row field> <column field> <value field>...
    Example: index=web | stats count by host status | xyseries host status count

    There is a row for each value of the first field, in the order of their appearance, and a column for each value of the
    second, in natural order. Of several values for one cell the last one stays. With several value fields, columns are
    named `value: column`, with another separator by `sep`, or freely by `format` with `$AGG$` and `$VAL$`. The column of the
    empty text is VALUE; one of the first field's name gets VALUE_ in front. Rows that lack the first or second field are
    left out.
    """

    grouped: bool = option(False, help="accepted for compatibility; rows need not be sorted")
    sep: str = option(": ", help="what stands between value and column")
    format: str = option("", help="a name with $AGG$ for the value field and $VAL$ for the column")
    row: str = ""
    column: str = ""
    cells: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> XySeries:
        names, found = arguments.names_with_options(cls)
        if len(names) < 3:
            raise SearchError(
                f"a row field, a column field and a value field are expected, got {len(names)}", arguments.peek().span
            )
        return cls(row=names[0], column=names[1], cells=names[2:], **found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *(print_name(n) for n in (self.row, self.column, *self.cells))]

    def lower(self, relation: Relation, context: Context) -> Relation:
        columns = relation.field(self.column)
        values = [name for name in dict.fromkeys(self.cells) if relation.field(name).type is not Type.NULL]
        rows = relation.field(self.row)
        nothing = pa.table({self.row: pa.array([], arrow_type(rows.type))})
        if Type.NULL in (rows.type, columns.type):
            return context.relation_of(nothing)
        complete = relation.filtered(v.both([v.is_present(rows), v.is_present(columns)]))
        plain = complete.with_field("\0column", v.as_text(flat(columns)))
        if rows.type is Type.MULTI:
            plain = plain.with_field("\0row", flat(rows))
        else:
            plain = plain.with_field("\0row", rows)
        table = context.table_of(plain, ["\0row", "\0column", *values])
        if context.dry:
            return context.relation_of(nothing)
        return context.relation_of(context.python_step("pivot", lambda: self._pivot(table, values)))

    def _pivot(self, table: pa.Table, values: list[str]) -> pa.Table:
        found = pivot(one_array(table["\0row"]), one_array(table["\0column"]))
        out: dict[str, pa.Array] = {self.row: found.rows}
        order = sorted(range(len(found.columns)), key=lambda n: natural_key(found.columns[n]))
        for name in values:
            cells = one_array(table[name])
            for n in order:
                value = str(found.columns[n])
                title = series_name(name, value, self.sep, self.format) if len(self.cells) > 1 else value
                out[f"VALUE_{title}" if title == self.row else title or "VALUE"] = found.column(n, cells)
        return pa.table(out)


def flat(value: v.Value) -> v.Value:
    """A multivalue as one text of lines; any other value as it is."""
    if value.type is not Type.MULTI:
        return value
    return v.call("arrayStringConcat", value, v.text("\n"), type=Type.TEXT)


@command("transpose", kind="transforming")
@dataclass
class Transpose(Command):
    """Turns rows into columns and columns into rows.

    Syntax: transpose [<count>] [column_name=<text>] [header_field=<field>] [include_empty=<bool>]
    Example: index=web | stats count avg(duration_ms) by host | transpose 0 header_field=host

    The first 5 rows, or as many as are asked for (0 is all), become columns `row 1`, `row 2`, or are named by the values of
    `header_field`. The first column, `column`, holds the names of the old columns. Columns that start with an underscore
    are left out, except `_time`. A row whose value of `header_field` is absent, empty or the name of a column before it is
    `row` and its number. A new column is of numbers where all its cells are, else of text.
    """

    column_name: str = option("column", help="name of the column of old column names")
    header_field: str = option("", help="field whose values name the new columns")
    include_empty: bool = option(True, help="keep old columns without any value")
    count: int = 5

    @classmethod
    def read(cls, arguments: Arguments) -> Transpose:
        found = arguments.options(cls)
        if not arguments.done and arguments.peek().kind == "word" and not arguments.peek(1).is_("="):
            found["count"] = arguments.number("the number of rows", minimum=0)
            found.update(arguments.options(cls))
        error = arguments.unknown_option(cls)
        if error:
            raise error
        arguments.finish()
        return cls(**found)

    def print_arguments(self) -> list[str]:
        return [str(self.count), *print_options(self)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        names = [
            n
            for n in relation.fields
            if (not n.startswith("_") or n == "_time") and n != self.header_field and not is_second_name(n, relation.fields)
        ]
        # A field that events may have is a column where one of them has it.
        only_filled = relation.kind == "events" or not self.include_empty
        header = [self.header_field] if relation.field(self.header_field).type is not Type.NULL else []
        table = context.table_of(relation.head(self.count) if self.count else relation, [*names, *header])
        if context.dry:
            return context.relation_of(pa.table({self.column_name: pa.array([], pa.string())}))
        return context.relation_of(context.python_step("transpose", lambda: self._transpose(table, names, only_filled)))

    def _transpose(self, table: pa.Table, names: list[str], only_filled: bool) -> pa.Table:
        names = [n for n in names if n in table.column_names]
        if only_filled:
            names = [n for n in names if any(value not in (None, []) for value in table[n].to_pylist())]
        headers = [f"row {n}" for n in range(1, table.num_rows + 1)]
        if self.header_field in table.column_names:
            taken = {self.column_name}
            for position, value in enumerate(table[self.header_field].to_pylist()):
                given = cell_text(value)
                if given and given not in taken:
                    headers[position] = given
                taken.add(headers[position])
        out: dict[str, pa.Array] = {self.column_name: pa.array(names, pa.string())}
        columns = [table[n].to_pylist() for n in names]
        for row, header in enumerate(headers):
            out[header] = cells_array([column[row] for column in columns])
        return pa.table(out)


def cells_array(cells: list[Any]) -> pa.Array:
    """Cells of any types as a column: numbers where all are, else text."""
    present = [c for c in cells if c is not None and c != []]
    if present and all(isinstance(c, int | float) and not isinstance(c, bool) for c in present):
        kind = pa.int64() if all(isinstance(c, int) for c in present) else pa.float64()
        return pa.array([None if c == [] else c for c in cells], kind)
    return pa.array([None if c is None or c == [] else cell_text(c) for c in cells], pa.string())
