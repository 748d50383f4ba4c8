"""`setfields`: the same value of a field in every row."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, print_name
from sightline.search.syntax.expressions import quote_string, shown


@command("setfields")
@dataclass
class SetFields(Command):
    """Sets fields to the same value in every row.

    Syntax: setfields <field>="<value>"[, <field>="<value>"]...
    Example: index=web | setfields team="search", tier="1"

    A field that a row has is overwritten, one that it has not is added. The value is a text, which counts as a number
    where it looks like one. In the name of the field what is no letter, digit or _ becomes _, and none stays at its beginning.
    """

    pairs: list[tuple[str, str]] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> SetFields:
        pairs: list[tuple[str, str]] = []
        arguments.skip_commas()
        while not arguments.done:
            name = re.sub(r"\W", "_", arguments.name()).lstrip("_")
            if not arguments.accept("="):
                raise SearchError(f'wanted "=" after "{name}", got {shown(arguments.peek())}', arguments.peek().span)
            pairs.append((name, arguments.name(f'a value for "{name}"')))
            arguments.skip_commas()
        if not pairs:
            raise SearchError("a field name is expected, got the end", arguments.peek().span)
        return cls(pairs)

    def print_arguments(self) -> list[str]:
        return [", ".join(f"{print_name(name)}={quote_string(value)}" for name, value in self.pairs)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        return relation.with_fields({**relation.fields, **{name: v.text(value) for name, value in self.pairs}})
