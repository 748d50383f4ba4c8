"""`delta`, `accum` and `autoregress`: a row compared with, or added to, the rows before it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.lower import arithmetic
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Over, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options
from sightline.search.syntax.expressions import shown


def read_renamed(arguments: Arguments, command: type) -> dict[str, Any]:
    """A field, maybe with AS and another name, with options of the command anywhere."""
    found: dict[str, Any] = {}
    while not arguments.done:
        found.update(arguments.options(command))
        if arguments.done:
            break
        error = arguments.unknown_option(command)
        if error:
            raise error
        if "name" not in found:
            found["name"] = arguments.name()
        elif arguments.accept_word("as"):
            found["target"] = arguments.name("a name after AS")
        else:
            raise SearchError(f"{shown(arguments.peek())} is not expected here", arguments.peek().span)
    if "name" not in found:
        raise SearchError("a field name is expected, got the end", arguments.peek().span)
    return found


def print_renamed(name: str, target: str) -> list[str]:
    """The field, and AS with the other name where there is one."""
    return [print_name(name), *(["AS", print_name(target)] if target else [])]


def value_before(relation: Relation, value: Value, position: Value, rows: int) -> tuple[Relation, Value]:
    """The value that a field has so many rows before; absent in the first rows."""
    frame = f"ROWS BETWEEN {rows} PRECEDING AND {rows} PRECEDING"
    kept = value if value.type is Type.MULTI else v.call("toNullable", value, type=value.type)
    # Unlike `any`, `first_value` also gives back a row that has no value.
    over = Over(value.type, v.call("first_value_respect_nulls", kept, type=value.type), (), ((position, False),), frame)
    relation, (before,) = relation.windowed([("before", over)])
    return relation, before


@command("delta")
@dataclass
class Delta(Command):
    """Computes how much a number grew since the row before.

    Syntax: delta <field> [AS <name>] [p=<number>]
    Example: index=web | timechart span=1h count | delta count AS growth

    The new field is `delta(field)` unless AS names another. `p` compares with the row so many rows before. Where either
    row has no number there is no difference. Rows count in the order they are shown in.
    """

    p: int = option(1, minimum=1, help="how many rows back")
    name: str = ""
    target: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> Delta:
        return cls(**read_renamed(arguments, cls))

    def print_arguments(self) -> list[str]:
        return [*print_renamed(self.name, self.target), *print_options(self)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        value = v.as_number(relation.field(self.name))
        if not value.type.is_number or v.is_null(value):
            return relation
        relation, position = relation.numbered()
        relation, before = value_before(relation, value, position, self.p)
        return relation.with_field(self.target or f"delta({self.name})", arithmetic("-", value, before))


@command("accum")
@dataclass
class Accum(Command):
    """Sums a number over the rows so far.

    Syntax: accum <field> [AS <name>]
    Example: index=web | timechart span=1h count | accum count AS total

    The field is overwritten unless AS names another. A row without a number gets no sum and changes none.
    """

    name: str = ""
    target: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> Accum:
        return cls(**read_renamed(arguments, cls))

    def print_arguments(self) -> list[str]:
        return print_renamed(self.name, self.target)

    def lower(self, relation: Relation, context: Context) -> Relation:
        value = v.as_number(relation.field(self.name))
        if not value.type.is_number:
            return relation.with_field(self.target or self.name, v.NULL)
        if value.type is Type.INT:
            # The engine sums small numbers as unsigned ones, which do not mix with others.
            value = v.call("toInt64", value, type=Type.INT)
        relation, position = relation.numbered()
        frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
        over = Over(value.type, v.call("sum", value, type=value.type), (), ((position, False),), frame)
        relation, (total,) = relation.windowed([("total", over)])
        total = v.choose(v.is_present(value), total, v.Literal(value.type, None))
        return relation.with_field(self.target or self.name, total)


@command("autoregress")
@dataclass
class AutoRegress(Command):
    """Copies values of the rows before into fields of their own.

    Syntax: autoregress <field> [AS <name>] [p=<number> | p=<from>-<to>]
    Example: index=web | timechart span=1h count | autoregress count p=1-3

    The new fields are `field_p1`, `field_p2` and so on; AS names another where there is only one. The first rows have no
    rows before them and get none.
    """

    p: str = option("1", help="how many rows back, or a range of them")
    name: str = ""
    target: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> AutoRegress:
        command = cls(**read_renamed(arguments, cls))
        first, last = command.distances()
        if command.target and first != last:
            raise SearchError("AS names one field, p makes several: wanted a single number for p")
        return command

    def distances(self) -> tuple[int, int]:
        """The nearest and the furthest row before."""
        match = re.fullmatch(r"(\d+)(?:\s*-\s*(\d+))?", self.p.strip())
        if not match or int(match.group(1)) < 1 or int(match.group(2) or match.group(1)) < int(match.group(1)):
            raise SearchError(f'p must be a number of 1 or more, or a range such as 1-3, got "{self.p}"')
        return int(match.group(1)), int(match.group(2) or match.group(1))

    def print_arguments(self) -> list[str]:
        return [*print_renamed(self.name, self.target), *print_options(self)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        value = relation.field(self.name)
        if value.type is Type.NULL:
            return relation
        relation, position = relation.numbered()
        first, last = self.distances()
        for distance in range(first, last + 1):
            relation, before = value_before(relation, value, position, distance)
            relation = relation.with_field(self.target or f"{self.name}_p{distance}", before)
        return relation
