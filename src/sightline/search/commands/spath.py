"""`spath`: fields out of JSON and XML texts."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.documents import begins_as_xml, document_fields, document_values, is_json_path
from sightline.search.planner.json_paths import parse_path, scalar_at
from sightline.search.planner.lower import undictionaried
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Column, Lambda, Literal, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_options
from sightline.search.syntax.expressions import quote_string


@command("spath")
@dataclass
class SPath(Command):
    """Takes fields out of JSON and XML texts, those at a path or all there are.

    Syntax: spath [input=<field>] [output=<field>] [path=<path>|<path>]
    Example: | makeresults | eval _raw="{\\"user\\": {\\"name\\": \\"ann\\"}, \\"sizes\\": [1, 2]}" | spath path=sizes{} output=size

    A path is names separated by dots. In JSON `{0}` is a place in an array and `{}` all of its items, as in
    `commits{}.author.name`; in XML `{2}` is the second of several elements, `{@x}` an attribute, and names begin with the
    outermost element. What is found goes into the field `output`, or into one with the path as its name; an object or an
    array comes as JSON. A path with `{}`, or one that leads to several XML elements, gives a multivalue.

    Without a path every text, number and truth value of the texts becomes a field that has its path as name: `user.name`,
    `sizes{}`, `items{}.id`, in XML `book.title` and `book{@lang}`. Texts are read to their end. JSON null is no value.
    Where nothing is found, fields stay as they are. Of a multivalue, each text is read.
    """

    input: str = option("_raw", help="the field to read")
    output: str = option("", help="the field for what stands at the path")
    path: str = option("", help="the path")

    @classmethod
    def read(cls, arguments: Arguments) -> SPath:
        found: dict[str, str] = {}
        place = arguments.stage.arguments
        while not arguments.done:
            if arguments.peek().is_word("path") and arguments.peek(1).is_("="):
                place = arguments.peek(2).span
            given = arguments.options(cls)
            for name in given:
                if name in found:
                    raise SearchError(f'"{name}" is given twice', place)
            found.update(given)
            if arguments.done:
                break
            if error := arguments.unknown_option(cls):
                raise error
            token = arguments.peek()
            if "path" in found:
                raise SearchError(f'one path is expected, got "{found["path"]}" and "{token.text}"', token.span)
            place, found["path"] = token.span, arguments.name("a path")
            arguments.skip_commas()
        if found.get("output") and not found.get("path"):
            raise SearchError("output wants a path to take it from", arguments.stage.arguments)
        if found.get("path"):
            try:
                document_values(Literal(Type.TEXT, None), found["path"])
            except SearchError as error:
                raise error.at(place) from None
        return cls(**found)

    def print_arguments(self) -> list[str]:
        options = [part for part in print_options(self) if not part.startswith("path=")]
        return [*options, *([f"path={quote_string(self.path)}"] if self.path else [])]

    def lower(self, relation: Relation, context: Context) -> Relation:
        text = undictionaried(relation.field(self.input))
        if text.type is Type.NULL:
            return relation
        if self.path:
            found = self._at_path(relation, text, context)
            name = self.output or self.path
            return relation.with_field(name, _or_before(found, relation.field(name)))
        relation, fields = document_fields(relation, text, context)
        # The values read columns of this relation: they are all set before any field may be computed into another column.
        merged = {name: _or_before(value, relation.fields.get(name, v.NULL)) for name, value in fields.items()}
        return relation.with_fields({**relation.fields, **merged})

    def _at_path(self, relation: Relation, text: Value, context: Context) -> Value:
        if text.type is Type.MULTI:
            item = Column(Type.TEXT, "document")
            read = Lambda(Type.MULTI, ("document",), document_values(item, self.path))
            return v.call("arrayFlatten", v.call("arrayMap", read, text, type=Type.MULTI), type=Type.MULTI)
        text = v.as_text(text)
        if "{@" in self.path or None in parse_path(self.path) or _any_xml(relation, text, self.path, context):
            return document_values(text, self.path)
        # Without XML a path without {} leads to one value at most: no need of a multivalue.
        return scalar_at(text, parse_path(self.path))


def _or_before(found: Value, before: Value) -> Value:
    """What was found, else what the field held before."""
    return found if before.type is Type.NULL else v.choose(v.is_present(found), found, before)


def _any_xml(relation: Relation, text: Value, path: str, context: Context) -> bool:
    """Whether any row has XML, in which a path without {} may lead to several elements. It ends with the first such row."""
    if is_json_path(path) or context.dry:
        return False
    first = relation.filtered(begins_as_xml(text)).with_fields({"found": v.integer(1)})
    return context.table_of(first.ordered(()).head(1), ["found"], ordered=False).num_rows > 0
