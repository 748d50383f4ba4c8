"""`format` and `return`: rows written as the text of conditions, for a search around them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from sightline.errors import SearchError
from sightline.search.commands.subsearch import cell_text
from sightline.search.context import Context
from sightline.search.planner.relation import Relation
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options
from sightline.search.syntax.expressions import quote_string, shown

WRAPPING = ("(", "(", "AND", ")", "OR", ")")
"""What stands before all rows, before a row, between its fields, after a row, between rows, and after all rows."""


@command("format", kind="transforming")
@dataclass
class Format(Command):
    """Writes all rows as one condition, in the field `search`.

    Syntax: format [maxresults=<n>] [mvsep=<word>] [emptystr=<text>] ["<6 strings around rows, fields and all>"]
    Example: index=web status=500 | fields host | dedup host | format

    Fields come in the order of their names. Those that a row lacks, and internal ones, are left out; several values of a
    field are alternatives, joined by `mvsep`. No rows give `emptystr`, which matches nothing. A subsearch does the same without being asked.
    """

    mvsep: str = option("OR", help="what joins several values of a field")
    maxresults: int = option(0, minimum=0, help="how many rows to write, 0 for all")
    emptystr: str = option("NOT ( )", help="what to write for no rows")
    wrapping: tuple[str, ...] = WRAPPING

    @classmethod
    def read(cls, arguments: Arguments) -> Format:
        wrapping, found = _read_strings(arguments, cls)
        if wrapping and len(wrapping) != len(WRAPPING):
            raise SearchError(f"wants {len(WRAPPING)} strings or none, got {len(wrapping)}", arguments.stage.arguments)
        return cls(**found, wrapping=tuple(wrapping) or WRAPPING)

    def print_arguments(self) -> list[str]:
        strings = [] if self.wrapping == WRAPPING else [quote_string(part) for part in self.wrapping]
        return [*print_options(self), *strings]

    def lower(self, relation: Relation, context: Context) -> Relation:
        def text_of(table: pa.Table) -> str:
            rows = table.slice(0, self.maxresults) if self.maxresults else table
            return self.condition(rows.to_pylist())

        return _one_text(relation, context, str(self), text_of)

    def condition(self, rows: list[dict[str, Any]]) -> str:
        """The rows as one condition."""
        all_start, start, joint, end, between, all_end = self.wrapping
        written = []
        for row in rows:
            parts = [part for name, value in sorted(row.items()) if (part := self._part(name, value))]
            if parts:
                written.append(f"{start} {f' {joint} '.join(parts)} {end}")
        return f"{all_start} {f' {between} '.join(written)} {all_end}" if written else self.emptystr

    def _part(self, name: str, value: Any) -> str:
        if name.startswith("_") or value is None or value == []:
            return ""
        if name in ("search", "query"):
            return f"( {cell_text(value)} )"
        values = value if isinstance(value, list) else [value]
        parts = [f"{print_name(name)}={quote_string(cell_text(one))}" for one in values]
        return parts[0] if len(parts) == 1 else f"( {f' {self.mvsep} '.join(parts)} )"


@command("return", kind="transforming")
@dataclass
class Return(Command):
    """Gives the first rows of a subsearch to the search around it, as conditions or as bare values.

    Syntax: return [<count>] [<name>=]<field> ... | return [<count>] $<field> ...
    Example: index=web host=[search index=deploys | head 1 | return $host]

    One row unless a count is given. `field` becomes `field="value"`, `name=field` becomes `name="value"`, and `$field` the
    value alone; several rows are joined by OR, equal ones once, as are several values of a field. Rows without any of the fields are left out. In `eval` and
    `where` the text is read as a part of the expression, and a word that is no field as text. No rows match nothing.
    """

    count: int = 1
    parts: list[tuple[str, str]] = field(default_factory=list)
    """Pairs of the name to write ("$" for none) and the field."""

    @classmethod
    def read(cls, arguments: Arguments) -> Return:
        count = 1
        token = arguments.peek()
        if token.kind == "word" and token.text.isdigit() and not arguments.peek(1).is_("="):
            count = arguments.number("the number of rows", minimum=1)
        parts: list[tuple[str, str]] = []
        arguments.skip_commas()
        while not arguments.done:
            name = arguments.name()
            if name.startswith("$") and len(name) > 1:
                parts.append(("$", name[1:]))
            elif arguments.accept("="):
                parts.append((name, arguments.name("a field name after =").removeprefix("$")))
            else:
                parts.append((name, name))
            arguments.skip_commas()
        if not parts:
            raise SearchError(f"a field name is expected, got {shown(arguments.peek())}", arguments.peek().span)
        return cls(count, parts)

    def print_arguments(self) -> list[str]:
        written = []
        for name, field_name in self.parts:
            if name == "$":
                written.append(print_name("$" + field_name))
            else:
                written.append(print_name(name) if name == field_name else f"{print_name(name)}={print_name(field_name)}")
        return [str(self.count), *written]

    def lower(self, relation: Relation, context: Context) -> Relation:
        def text_of(table: pa.Table) -> str:
            written = []
            for row in table.slice(0, self.count).to_pylist():
                parts = [
                    cell_text(value) if name == "$" else _condition(name, value)
                    for name, field_name in self.parts
                    if (value := row.get(field_name)) is not None and value != []
                ]
                if parts:
                    written.append(" ".join(parts))
            written = list(dict.fromkeys(written))
            bare = self.count == 1 and all(name == "$" for name, _ in self.parts)
            return written[0] if bare and written else " OR ".join(f"({part})" for part in written)

        return _one_text(relation, context, str(self), text_of)


def _condition(name: str, value: Any) -> str:
    values = value if isinstance(value, list) else [value]
    conditions = [f"{print_name(name)}={quote_string(cell_text(one))}" for one in values]
    return conditions[0] if len(conditions) == 1 else "(" + " OR ".join(conditions) + ")"


def _one_text(relation: Relation, context: Context, title: str, text_of: Callable[[pa.Table], str]) -> Relation:
    table = context.table_of(relation)

    def work() -> pa.Table:
        text = text_of(table)
        return pa.table({"search": pa.array([text] if text else [], pa.string())})

    return context.relation_of(context.python_step(title, work))


def _read_strings(arguments: Arguments, cls: type) -> tuple[list[str], dict[str, Any]]:
    strings: list[str] = []
    found: dict[str, Any] = {}
    while not arguments.done:
        found.update(arguments.options(cls))
        error = arguments.unknown_option(cls)
        if error:
            raise error
        if not arguments.done:
            token = arguments.next()
            if token.kind != "string":
                raise SearchError(f"a string in quotes is expected, got {shown(token)}", token.span)
            strings.append(token.text)
    return strings, found
