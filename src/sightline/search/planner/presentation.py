"""How a relation's rows are shown to people, beside what they are: formats of fields, texts to mark, icons.

`fieldformat` and its like change nothing that later commands read. What they ask for travels on the relation through every
command, by field name, and is computed at the very end into columns beside the values: `DISPLAY_PREFIX` and the field's
name. Results keep values and shown texts apart, so that a page shows one and a program reads the other.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pyarrow as pa

from sightline.search.planner import values as v
from sightline.search.syntax.tree import Expression, Field, FunctionCall, Operation

if TYPE_CHECKING:
    from sightline.search.context import Context
    from sightline.search.planner.relation import Relation

DISPLAY_PREFIX = "\0display "
"""What stands before a field's name in the column of its shown texts; no field that people make begins so."""


@dataclass(frozen=True)
class Presentation:
    """What the page is to do with rows. All of it may name fields that the rows have no more."""

    formats: tuple[tuple[str, Expression], ...] = ()
    """Field and the expression that gives its shown text."""
    terms: tuple[str, ...] = ()
    """Words that the search itself looked for."""
    marks: tuple[str, ...] = ()
    """Texts to mark in events."""
    icons: tuple[str, ...] = ()
    """Fields whose values tell the icons of events apart."""
    delimiters: tuple[tuple[str, str], ...] = ()
    """Field of several values and what stands between them when they are written as one."""

    def with_format(self, name: str, expression: Expression) -> Presentation:
        """One more format, in place of an earlier one of the same field."""
        others = tuple((other, kept) for other, kept in self.formats if other != name)
        return dataclasses.replace(self, formats=(*others, (name, expression)))

    def with_delimiter(self, names: Iterable[str], delimiter: str) -> Presentation:
        """Other text between the values of these fields."""
        others = tuple((name, kept) for name, kept in self.delimiters if name not in set(names))
        return dataclasses.replace(self, delimiters=(*others, *((name, delimiter) for name in names)))

    def delimiter(self, name: str) -> str:
        """What stands between the values of a field when they are written as one: lines unless something else was said."""
        return dict(self.delimiters).get(name, "\n")

    def renamed(self, names: Mapping[str, str]) -> Presentation:
        """The same for fields under other names."""
        if not self.formats and not self.icons and not self.delimiters:
            return self
        overwritten = set(names.values()) - set(names)
        formats = tuple(
            (names.get(name, name), _renamed(expression, names))
            for name, expression in self.formats
            if name not in overwritten
        )
        delimiters = tuple(
            (names.get(name, name), delimiter) for name, delimiter in self.delimiters if name not in overwritten
        )
        icons = tuple(names.get(name, name) for name in self.icons)
        return dataclasses.replace(self, formats=formats, icons=icons, delimiters=delimiters)

    def describe(self) -> dict[str, list[str]]:
        """For JSON: texts to mark, and fields that choose icons."""
        return {"marks": list(dict.fromkeys((*self.terms, *self.marks))), "icons": list(self.icons)}


NOTHING_SAID = Presentation()
"""What relations have that are made anew: not that nothing is to be shown in a special way, but that nobody said so."""


def _renamed(node: Expression, names: Mapping[str, str]) -> Expression:
    if isinstance(node, Field):
        # A name with dots may also stand for parts: it is renamed only as a whole.
        return dataclasses.replace(node, name=names[node.name], parts=()) if node.name in names else node
    if isinstance(node, Operation):
        return dataclasses.replace(node, operands=tuple(_renamed(operand, names) for operand in node.operands))
    if isinstance(node, FunctionCall):
        return dataclasses.replace(node, arguments=tuple(_renamed(argument, names) for argument in node.arguments))
    return node


def with_shown_texts(relation: Relation, context: Context) -> Relation:
    """The relation with a column of shown texts for each formatted field that it still has.

    A row for which a format has no answer shows its value as it is. Raises SearchError for a format that makes no sense
    for the fields as they are now.
    """
    from sightline.search.planner.lower import lower_expression

    texts = {}
    for name, expression in relation.presentation.formats:
        if name in relation.fields:
            value = relation.fields[name]
            found = v.as_text(lower_expression(expression, relation, context))
            texts[DISPLAY_PREFIX + name] = found if value.type is v.Type.MULTI else v.choose(
                v.is_present(found), found, v.as_text(value)
            )  # fmt: skip
    return relation.with_fields({**relation.fields, **texts}) if texts else relation


def split_shown(table: pa.Table) -> tuple[pa.Table, dict[str, pa.ChunkedArray]]:
    """The rows themselves, and the shown texts of fields that have a format."""
    shown = {
        name.removeprefix(DISPLAY_PREFIX): table.column(name)
        for name in table.column_names
        if name.startswith(DISPLAY_PREFIX)
    }
    return (table.select([n for n in table.column_names if not n.startswith(DISPLAY_PREFIX)]) if shown else table), shown


def with_texts(table: pa.Table, shown: Mapping[str, pa.ChunkedArray]) -> pa.Table:
    """The rows with shown texts in place of values."""
    for name, texts in shown.items():
        if name in table.column_names:
            table = table.set_column(table.column_names.index(name), name, texts)
    return table
