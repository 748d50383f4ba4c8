"""`xpath`: what an XPath expression finds in XML texts."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import lru_cache

from lxml import etree

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.functions.arguments import json_items
from sightline.search.planner import values as v
from sightline.search.planner.documents import element_text, parsed_xml
from sightline.search.planner.lower import undictionaried
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_options
from sightline.search.syntax.expressions import quote_string
from sightline.store.udf import row_function


@command("xpath")
@dataclass
class XPath(Command):
    """Puts what an XPath expression finds in an XML text into a field.

    Syntax: xpath [outfield=<field>] "<expression>" [field=<field>] [default=<text>]
    Example: | makeresults | eval _raw="<a><b c='1'/><b c='2'/></a>" | xpath outfield=found "//b/@c"

    It reads `_raw` unless `field` names another, and writes the multivalue `xpath` unless `outfield` does. An element gives
    the text within it, an attribute its value; a number or a truth value stands alone. Where nothing is found, or the text
    is no XML, the row gets `default`, or no value. Nothing is fetched from elsewhere, and entities of the text's own are not
    expanded. XML is read row by row, and so more slowly than JSON.
    """

    outfield: str = option("xpath", help="the field for what is found")
    field: str = option("_raw", help="the field to read")
    default: str = option("", help="what stands where nothing is found")
    expression: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> XPath:
        found = arguments.options(cls)
        if error := arguments.unknown_option(cls):
            raise error
        place = arguments.peek().span
        expression = arguments.name("an XPath expression")
        found.update(arguments.options(cls))
        arguments.finish()
        try:
            _compiled(expression)
        except (etree.XPathSyntaxError, ValueError) as error:
            # lxml refuses control characters with an error of its own.
            raise SearchError(f'"{expression}" is not an XPath expression: {error}', place) from None
        return cls(expression=expression, **found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), quote_string(self.expression)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        text = undictionaried(relation.field(self.field))
        if text.type is Type.NULL:
            return relation.with_field(self.outfield, v.multi([self.default])) if self.default else relation
        plain = v.call("toValidUTF8", v.as_text(text), type=Type.TEXT)
        found = json_items(v.call("xpath_read", plain, v.text(self.expression), type=Type.TEXT))
        if self.default:
            found = v.call("if", v.is_present(found), found, v.multi([self.default]), type=Type.MULTI)
        return relation.with_field(self.outfield, found)


@lru_cache(maxsize=200)
def _compiled(expression: str) -> etree.XPath:
    return etree.XPath(expression)


@row_function("xpath_read", ("String", "String"), "String")
def read_xpath(text: str, expression: str) -> str:
    """The texts that an XPath expression finds in an XML document, as a JSON array; none for what is no XML."""
    root = parsed_xml(text)
    if root is None:
        return "[]"
    try:
        found = _compiled(expression)(root.getroottree())
    except etree.XPathError:
        return "[]"
    if isinstance(found, bool):
        found = ["true" if found else "false"]
    elif isinstance(found, float):
        found = [f"{found:g}" if not found.is_integer() else str(int(found))]
    elif isinstance(found, str):
        found = [found]
    texts = [element_text(item) if isinstance(item, etree._Element) else str(item) for item in found]
    return json.dumps([text for text in texts if text], ensure_ascii=False)
