"""`localop`, `redistribute`, `noop`, `require`, `outputtext`: commands that let their rows through."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name
from sightline.search.syntax.expressions import quote_string


@command("localop")
@dataclass
class LocalOp(Command):
    """Lets the rows through; where the commands behind it run is the engine's business.

    Syntax: localop
    Example: index=web | localop | head 3
    """

    begins: ClassVar[bool] = True

    def lower(self, relation: Relation, context: Context) -> Relation:
        return relation


@command("redistribute")
@dataclass
class Redistribute(Command):
    """Lets the rows through; how the work is divided is the engine's business.

    Syntax: redistribute [num_of_reducers=<number>] [BY <field>...]
    Example: index=web | redistribute BY host | stats count BY host
    """

    num_of_reducers: int = option(0, minimum=0, help="accepted for compatibility; the engine decides how to divide the work")
    by: tuple[str, ...] = ()

    @classmethod
    def read(cls, arguments: Arguments) -> Redistribute:
        given = arguments.options(cls)
        by = arguments.by_clause()
        given.update(arguments.options(cls))
        arguments.finish()
        return cls(by=tuple(by), **given)

    def print_arguments(self) -> list[str]:
        reducers = [f"num_of_reducers={self.num_of_reducers}"] if self.num_of_reducers else []
        return [*reducers, *(["BY", ", ".join(map(print_name, self.by))] if self.by else [])]

    def lower(self, relation: Relation, context: Context) -> Relation:
        return relation


@command("noop")
@dataclass
class NoOp(Command):
    """Lets the rows through, whatever options it is given.

    Syntax: noop [<name>=<value>]...
    Example: index=web | noop search_optimization=false | stats count

    Splunk's options for its optimiser and its log mean nothing here.
    """

    given: tuple[tuple[str, str], ...] = ()

    @classmethod
    def read(cls, arguments: Arguments) -> NoOp:
        given = []
        while not arguments.done:
            name = arguments.name("an option's name")
            if not arguments.accept("="):
                raise SearchError(f'"=" is expected after {name}', arguments.peek().span)
            given.append((name, arguments.name("a value")))
            arguments.skip_commas()
        return cls(tuple(given))

    def print_arguments(self) -> list[str]:
        return [f"{print_name(name)}={quote_string(value)}" for name, value in self.given]

    def lower(self, relation: Relation, context: Context) -> Relation:
        return relation


@command("require", kind="dataset")
@dataclass
class Require(Command):
    """Lets the rows through, and stops the search with an error when there are none.

    Syntax: require
    Example: index=web | require | stats count
    """

    def lower(self, relation: Relation, context: Context) -> Relation:
        if context.dry:
            return relation
        first = relation.head(1)
        if not context.table_of(first, [next(iter(first.fields), "")]).num_rows:
            raise SearchError("the search gave no rows, and at least one is required")
        return relation


@command("outputtext")
@dataclass
class OutputText(Command):
    """Puts the text of each event into the field `_xml`.

    Syntax: outputtext [usexml=<bool>]
    Example: index=web | outputtext | table _xml

    With `usexml=true`, as by default, signs that mean something in XML are escaped.
    """

    usexml: bool = option(True, help="escape signs that mean something in XML")

    def lower(self, relation: Relation, context: Context) -> Relation:
        raw = relation.field("_raw")
        if raw.type is Type.NULL:
            return relation
        text = v.as_text(raw)
        return relation.with_field("_xml", v.call("encodeXMLComponent", text, type=Type.TEXT) if self.usexml else text)
