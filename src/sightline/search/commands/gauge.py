"""`gauge`: one number with the ranges of a dial."""

from __future__ import annotations

from dataclasses import dataclass, field

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Literal, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, print_name

DEFAULT_RANGE = ["0", "100"]


@command("gauge", kind="transforming")
@dataclass
class Gauge(Command):
    """Gives the first row's value as `x` and the ranges of a dial as `y1`, `y2`, and so on.

    Syntax: gauge <field|number> [<field|number> <field|number>...]
    Example: index=web | stats count | gauge count 0 500 1000

    The ranges go from each number to the next; without any the dial goes from 0 to 100. Numbers may be those of fields,
    which are read from the first row. No row gives none.
    """

    value: str = ""
    ranges: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Gauge:
        names = arguments.names("a field or a number")
        if len(names) == 2:
            raise SearchError("a range wants two numbers or more, got 1", arguments.tokens[-1].span)
        return cls(names[0], names[1:])

    def print_arguments(self) -> list[str]:
        return [print_name(name) for name in (self.value, *self.ranges)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        first = relation.head(1)
        fields = {"x": _number(first, self.value)}
        for position, name in enumerate(self.ranges or DEFAULT_RANGE, 1):
            fields[f"y{position}"] = _number(first, name)
        return first.with_fields(fields).as_table()


def _number(relation: Relation, given: str) -> Value:
    literal = v.numeric_literal(given)
    if literal is not None and given not in relation.fields:
        return v.number(literal)
    found = v.as_number(relation.field(given))
    return Literal(Type.FLOAT, None) if found.type is Type.NULL else found
