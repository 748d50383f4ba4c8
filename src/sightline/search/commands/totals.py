"""`addtotals` and `addcoltotals`: sums of the numbers in a row, and of those in a column."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import reduce

from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation, is_second_name
from sightline.search.planner.values import Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options


def summed_names(relation: Relation, patterns: Sequence[str], *, without: Sequence[str] = ()) -> list[str]:
    """Fields that the patterns name, or all; never those that begin with an underscore, unless they are named."""
    names = dict.fromkeys(n for pattern in (patterns or ["*"]) for n in relation.matching(pattern))
    return [n for n in names if n not in without and not is_second_name(n, relation.fields)]


def with_column_totals(relation: Relation, names: Sequence[str], label_field: str, label: str) -> Relation:
    """The rows and one more that holds the sum of each column; columns without numbers stay empty there. No rows stay none."""
    sums: list[tuple[str, Value]] = []
    for name in names:
        number = v.as_number(relation.field(name))
        if number.type.is_number and not v.is_null(number):
            sums.append((name, v.agg("sumOrNull", number, type=number.type)))
    totals = relation.aggregated([], [*sums, ("\0rows", v.agg("count", type=Type.INT))])
    totals = totals.filtered(v.call("greater", totals.field("\0rows"), v.integer(0), type=Type.BOOL))
    totals = totals.with_field("\0rows", v.NULL)
    if label_field:
        totals = totals.with_field(label_field, v.text(label))
    united = relation.as_table().union([totals])
    return united.with_fields({name: united.field(name) for name in dict.fromkeys([*relation.fields, *united.fields])})


@command("addtotals")
@dataclass
class AddTotals(Command):
    """Adds a field with the sum of the numbers of each row, or a row with the sum of each column.

    Syntax: addtotals [row=<bool>] [col=<bool>] [labelfield=<field>] [label=<text>] [fieldname=<name>] [<field>...]
    Example: index=web | chart count over host by status | addtotals

    Without fields it sums all, except those that begin with an underscore; names may hold `*`. Values that are no numbers
    do not count, a row without any number has 0. With `col=true` a last row holds the sums of the columns; `labelfield`
    says which field of it holds the label. No rows get no last row.
    """

    row: bool = option(True, help="add a field with the sum of each row")
    col: bool = option(False, help="add a row with the sum of each column")
    labelfield: str = option("", help="field of the last row that holds the label")
    label: str = option("Total", help="the label")
    fieldname: str = option("Total", help="name of the field with the sums")
    names: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> AddTotals:
        names, found = arguments.names_with_options(cls)
        return cls(names=names, **found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *(print_name(n) for n in self.names)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        names = summed_names(relation, self.names, without=(self.labelfield,))
        if self.row:
            relation = relation.with_field(self.fieldname, _row_sum([relation.field(name) for name in names]))
            names = [*(n for n in names if n != self.fieldname), self.fieldname]
        return with_column_totals(relation, names, self.labelfield, self.label) if self.col else relation


def _row_sum(values: Sequence[Value]) -> Value:
    numbers = [v.as_number(value) for value in values]
    present = [n for n in numbers if n.type.is_number and not (isinstance(n, v.Literal) and n.value is None)]
    type = Type.INT if all(n.type is Type.INT for n in present) else Type.FLOAT
    zero: Value = v.integer(0) if type is Type.INT else v.real(0)
    parts = [v.call("ifNull", v.cast(n, type), zero, type=type) for n in present]
    return reduce(lambda a, b: v.call("plus", a, b, type=type), parts) if parts else zero


@command("addcoltotals")
@dataclass
class AddColTotals(Command):
    """Adds a last row with the sum of the numbers of each column.

    Syntax: addcoltotals [labelfield=<field>] [label=<text>] [<field>...]
    Example: index=web | stats count by host | addcoltotals labelfield=host

    Without fields it sums all, except those that begin with an underscore. `labelfield` says which field of the new row
    holds the label, `Total`. A column without numbers has no sum, and no rows get no last row.
    """

    labelfield: str = option("", help="field of the last row that holds the label")
    label: str = option("Total", help="the label")
    names: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> AddColTotals:
        names, found = arguments.names_with_options(cls)
        return cls(names=names, **found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *(print_name(n) for n in self.names)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        names = summed_names(relation, self.names, without=(self.labelfield,))
        return with_column_totals(relation, names, self.labelfield, self.label)
