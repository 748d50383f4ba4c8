"""`highlight` and `iconify`: what the page does with events; the rows stay as they are."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from sightline.search.context import Context
from sightline.search.planner.relation import Relation
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, print_name
from sightline.search.syntax.expressions import quote_string


@command("highlight")
@dataclass
class Highlight(Command):
    """Marks texts in the events that the page shows.

    Syntax: highlight <text>[, <text>]...
    Example: index=web | highlight GET, "took 5"

    Upper and lower case count as the same. The words that the search itself looked for are marked without it. Rows stay as
    they are.
    """

    texts: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Highlight:
        return cls(arguments.names("a text to mark"))

    def print_arguments(self) -> list[str]:
        return [", ".join(quote_string(text) for text in self.texts)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        before = relation.presentation
        marks = tuple(dict.fromkeys((*before.marks, *self.texts)))
        return dataclasses.replace(relation, presentation=dataclasses.replace(before, marks=marks))


@command("iconify")
@dataclass
class Iconify(Command):
    """Gives events an icon for each combination of values of fields.

    Syntax: iconify <field>...
    Example: index=web | iconify host

    The page shows a coloured mark before each event, the same one for the same values. Rows stay as they are.
    """

    names: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Iconify:
        return cls(arguments.names())

    def print_arguments(self) -> list[str]:
        return [", ".join(print_name(name) for name in self.names)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        presentation = dataclasses.replace(relation.presentation, icons=tuple(self.names))
        return dataclasses.replace(relation, presentation=presentation)
