"""`strcat`: fields and texts joined into a field."""

from __future__ import annotations

from dataclasses import dataclass, field

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.lower import join_multi
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Literal, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options
from sightline.search.syntax.expressions import quote_string, shown


@dataclass(frozen=True)
class Piece:
    """A text, or the name of a field."""

    text: str
    is_field: bool

    def __str__(self) -> str:
        if not self.is_field:
            return quote_string(self.text)
        name = print_name(self.text)
        # A field whose name needs quotes is told from a text by single ones.
        return name if name == self.text else "'" + self.text.replace("\\", "\\\\").replace("'", "\\'") + "'"


@command("strcat")
@dataclass
class StrCat(Command):
    """Joins fields and texts into a field.

    Syntax: strcat [allrequired=<bool>] (<field>|"<text>")... <new field>
    Example: index=web | strcat host ":" uri where

    A name in double quotes is a text, the last name is the field that is made. An absent field counts as empty, unless
    `allrequired=true`: then the row keeps what the new field was before. The values of a multivalue are joined by spaces.
    """

    allrequired: bool = option(False, help="make the field only where every source has a value")
    pieces: list[Piece] = field(default_factory=list)
    target: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> StrCat:
        found = arguments.options(cls)
        pieces: list[Piece] = []
        while not arguments.done:
            found.update(arguments.options(cls))
            if arguments.done:
                break
            if error := arguments.unknown_option(cls):
                raise error
            token = arguments.peek()
            pieces.append(Piece(arguments.name("a field or a text"), token.kind != "string"))
            arguments.skip_commas()
        if len(pieces) < 2:
            raise SearchError(
                f"sources and a new field are expected, got {shown(arguments.peek()) if not pieces else 'one name'}",
                arguments.peek().span,
            )
        return cls(pieces=pieces[:-1], target=pieces[-1].text, **found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *(str(piece) for piece in self.pieces), print_name(self.target)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        values = [_text_of(relation.field(p.text)) if p.is_field else v.text(p.text) for p in self.pieces]
        joined = v.call("concat", *(_sure(value) for value in values), v.text(""), type=Type.TEXT)
        if self.allrequired:
            complete = v.both(
                [v.is_present(value) for value in values if not isinstance(value, Literal) or value.value is None]
            )
            joined = v.choose(complete, joined, relation.field(self.target))
        return relation.with_field(self.target, joined)


def _text_of(value: Value) -> Value:
    """The value as text; a multivalue joined by spaces, NULL where it has no value."""
    if value.type is Type.NULL:
        return Literal(Type.TEXT, None)
    if value.type is Type.MULTI:
        return v.choose(v.is_present(value), join_multi(value, " "), Literal(Type.TEXT, None))
    return v.as_text(value)


def _sure(value: Value) -> Value:
    if isinstance(value, Literal):
        return v.text("") if value.value is None else value
    return v.call("ifNull", value, v.text(""), type=Type.TEXT)
