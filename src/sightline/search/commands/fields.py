"""`fields`, `table` and `rename`: which fields rows have, in which order, under which names."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from sightline.errors import LanguageError, SearchError
from sightline.search.context import Context
from sightline.search.planner.relation import Relation, fill_stars, is_second_name
from sightline.search.planner.values import Literal, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, print_name

_ALWAYS_KEPT = ("_time", "_raw", "_indextime")


@command("fields")
@dataclass
class Fields(Command):
    """Keeps the named fields, or with `-` removes them.

    Syntax: fields [+|-] <field>...
    Example: index=web | fields host, status, http.*

    Names may hold `*`. Fields that start with an underscore stay unless they are removed by name or by `_*`.
    """

    names: list[str] = field(default_factory=list)
    remove: bool = False

    @classmethod
    def read(cls, arguments: Arguments) -> Fields:
        remove = False
        token = arguments.peek()
        if token.kind == "word" and token.text in ("-", "+"):
            remove = arguments.next().text == "-"
            return cls(arguments.names(), remove)
        names = arguments.names()
        if names[0].startswith(("-", "+")) and len(names[0]) > 1:
            remove = names[0][0] == "-"
            names[0] = names[0][1:]
        return cls(names, remove)

    def print_arguments(self) -> list[str]:
        # A first name that begins with a sign (it was quoted) stands after an explicit one.
        sign = ["-"] if self.remove else ["+"] if self.names[0].startswith(("-", "+")) else []
        return sign + [print_name(n) for n in self.names]

    def lower(self, relation: Relation, context: Context) -> Relation:
        if self.remove:
            dropped = {n for name in self.names for n in relation.matching(name)}
            return relation.with_fields({n: value for n, value in relation.fields.items() if n not in dropped})
        kept: dict[str, Value] = {}
        for name in self.names:
            for found in relation.matching(name):
                kept[found] = relation.fields[found] if "*" in name else relation.field(found)
        for name, value in relation.fields.items():
            if name in _ALWAYS_KEPT or (name.startswith("_") and relation.kind == "events"):
                kept.setdefault(name, value)
        return relation.with_fields(kept)


@command("table", kind="transforming")
@dataclass
class Table(Command):
    """Shows exactly these fields as columns, in this order.

    Syntax: table <field>...
    Example: index=web | table _time host status

    Names may hold `*`. A named field that no row has becomes an empty column. Fields that start with an underscore
    appear only when they are named.
    """

    names: list[str] = field(default_factory=list)

    def needs(self, after: frozenset[str] | None) -> frozenset[str] | None:
        return None if any("*" in name for name in self.names) else frozenset(self.names)

    @classmethod
    def read(cls, arguments: Arguments) -> Table:
        return cls(arguments.names())

    def print_arguments(self) -> list[str]:
        return [print_name(n) for n in self.names]

    def lower(self, relation: Relation, context: Context) -> Relation:
        kept: dict[str, Value] = {}
        for name in self.names:
            for found in relation.matching(name) if "*" in name else [name]:
                if "*" in name and is_second_name(found, relation.fields):
                    continue
                value = relation.fields[found] if "*" in name else relation.field(found)
                kept[found] = value if value.type is not Type.NULL else empty_column()
        return relation.with_fields(kept).as_table()


def empty_column() -> Value:
    """A column without values that is shown all the same."""
    return Literal(Type.TEXT, None)


@command("rename")
@dataclass
class Rename(Command):
    """Gives fields other names.

    Syntax: rename <field> AS <name> [<field> AS <name>]...
    Example: index=web | stats count by host | rename count AS requests, host AS "web server"

    With `*` in both, what the star matched is carried over; both sides need as many stars. A field that no row has changes
    nothing, except that a field which has the new name disappears.
    """

    pairs: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Rename:
        pairs: list[tuple[str, str]] = []
        arguments.skip_commas()
        while not arguments.done:
            start = arguments.peek().span
            old = arguments.name()
            if arguments.peek().is_("=") and arguments.peek().glued and arguments.peek(1).is_word("as"):
                # What tstats calls the words behind a prefix: `by PREFIX(user=) | rename user= AS user`.
                old += arguments.next().text
            if old.endswith("-") and arguments.peek().is_(">") and arguments.peek().glued:
                # `old->new` without spaces.
                old = old[:-1]
                arguments.next()
            elif not (arguments.accept_word("as", "to", "->") or arguments.accept("=")):
                token = arguments.peek()
                if token.kind == "end" or token.is_(","):
                    raise SearchError(f'wanted AS and a new name after "{old}"', token.span)
                if token.kind == "word" and token.text == "-" and arguments.peek(1).is_(">"):
                    arguments.next()
                    arguments.next()
            new = arguments.name("a new name")
            if old.count("*") != new.count("*") and (old.count("*") or new.count("*")):
                message = f'"{old}" has {old.count("*")} stars and "{new}" has {new.count("*")}: wanted equal numbers'
                raise LanguageError(message, start)
            pairs.append((old, new))
            arguments.skip_commas()
        if not pairs:
            raise SearchError("a field name is expected, got the end", arguments.peek().span)
        return cls(pairs)

    def print_arguments(self) -> list[str]:
        return [", ".join(f"{print_name(old)} AS {print_name(new)}" for old, new in self.pairs)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        for old, new in self.pairs:
            relation = rename(relation, old, new)
        return relation


def rename(relation: Relation, old: str, new: str) -> Relation:
    """The relation with one renaming done; the field keeps its place."""
    renamed: dict[str, str] = {}
    if "*" in old:
        for name in relation.matching(old):
            renamed[name] = fill_stars(old, name, new)
    elif old in relation.fields:
        renamed[old] = new
    if not renamed:
        return relation
    relation = dataclasses.replace(relation, presentation=relation.presentation.renamed(renamed))
    taken = set(renamed.values())
    fields: dict[str, Value] = {}
    for name, value in relation.fields.items():
        if name in renamed:
            fields[renamed[name]] = value
        elif name not in taken:
            fields[name] = value
    return relation.with_fields(fields)
