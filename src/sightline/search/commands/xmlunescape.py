"""`xmlunescape`: characters that XML writes as references, as themselves."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Column, Lambda, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import option


@command("xmlunescape")
@dataclass
class XmlUnescape(Command):
    """Writes the characters that XML references stand for: `&lt;` as `<`, `&#65;` as `A`.

    Syntax: xmlunescape
    Example: | makeresults | eval _raw="a &lt; b &amp;&amp; c" | xmlunescape

    In every text field, `_raw` among them, and in each value of a multivalue. What is no reference stays as it is. A text
    is read once: `&amp;lt;` becomes `&lt;`.
    """

    maxinputs: int = option(0, minimum=0, help="accepted for compatibility; every row is read")

    def lower(self, relation: Relation, context: Context) -> Relation:
        changed = {name: _unescaped(value) for name, value in relation.fields.items() if not v.is_null(value)}
        return relation.with_fields(relation.fields | changed)


def _unescaped(value: Value) -> Value:
    if value.type is Type.MULTI:
        item = Column(Type.TEXT, "item")
        one = v.call("decodeXMLComponent", item, type=Type.TEXT)
        return v.call("arrayMap", Lambda(Type.TEXT, ("item",), one), value, type=Type.MULTI)
    if value.type is not Type.TEXT:
        return value
    text = v.call("decodeXMLComponent", v.call("ifNull", value, v.text(""), type=Type.TEXT), type=Type.TEXT)
    return v.call("if", v.is_present(value), text, v.Literal(Type.TEXT, None), type=Type.TEXT)
