"""JSON and XML texts alike: what stands at a path, and every field that such texts of a relation have.

A text is XML where it begins with `<`, else JSON. XML is read row by row in Python, by a parser that fetches nothing and
expands no entities of a document's own: that is how a small text becomes a huge one.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

from lxml import etree

from sightline.search.planner import values as v
from sightline.search.planner.json_paths import JsonShape, Step, found_paths, parse_path, raw_items_at, read_values
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Column, Lambda, Literal, Type, Value
from sightline.store.udf import row_function

if TYPE_CHECKING:
    from sightline.search.context import Context

_XML_STEP = re.compile(r"([^.{}]+)(\{\d*\})?")
_DECLARATION = re.compile(r"\A\s*<\?xml[^>]*\?>")


def begins_as_xml(text: Value) -> Value:
    """Whether a text is to be read as XML; false where there is none."""
    start = v.call("trimLeft", text, type=Type.TEXT)
    return v.is_true(v.call("startsWith", start, v.text("<"), type=Type.BOOL))


def _begins_as_json(text: Value) -> Value:
    return v.is_true(v.call("match", text, v.text(r"^\s*[\[{]"), type=Type.BOOL))


def _only(condition: Value, text: Value) -> Value:
    return v.call("if", condition, text, Literal(Type.TEXT, None), type=Type.TEXT)


def is_json_path(path: str) -> bool:
    """Whether a path can lead to something in JSON only: `{0}` and `{}` without a name, and negative places."""
    return path.lstrip().startswith("{") or re.search(r"\{\s*-", path) is not None


def document_values(text: Value, path: str) -> Value:
    """Everything that a path leads to in a JSON or XML text, as a multivalue. Raises SearchError for what is no path."""
    if "{@" in path:
        return _xml_values(text, path)
    found = read_values(text, path)
    if is_json_path(path):
        return found
    is_xml = begins_as_xml(text)
    return v.call("if", is_xml, _xml_values(_only(is_xml, text), path), found, type=Type.MULTI)


def _xml_values(text: Value, path: str) -> Value:
    parse_path(re.sub(r"\{@[^{}]*\}\s*\Z", "", path))
    read = v.call("xml_read", v.call("toValidUTF8", text, type=Type.TEXT), v.text(path), type=Type.TEXT)
    sure = v.call("ifNull", read, v.text(""), type=Type.TEXT)
    return v.call("JSONExtract", sure, v.text("Array(String)"), type=Type.MULTI)


# ---- all fields ------------------------------------------------------------------------------------------------------


def document_fields(relation: Relation, text: Value, context: Context) -> tuple[Relation, dict[str, Value]]:
    """Every field of the JSON and XML texts of a relation's rows; the relation has what the values are computed from.

    `text` is TEXT or MULTI over the relation. Of several texts in a row, their values together.
    """
    item = Column(Type.TEXT, "text")
    # A list that comes out of memory may hold absent items as far as the engine knows.
    sure = Lambda(Type.TEXT, ("text",), v.call("ifNull", item, v.text(""), type=Type.TEXT))
    texts = v.call("arrayMap", sure, v.as_multi(text), type=Type.MULTI)
    as_json = _where_each(texts, _begins_as_json)
    as_xml = _where_each(texts, begins_as_xml)
    any_xml = v.agg("max", v.call("notEmpty", as_xml, type=Type.BOOL), type=Type.INT)
    found = _row_of(relation, {"paths": found_paths(as_json), "xml": v.call("toInt64", any_xml, type=Type.INT)}, context)
    if found is None:
        return relation, {}
    shape = JsonShape()
    deeper = shape.add(found["paths"])
    while deeper:
        wanted = {str(n): found_paths(_raw_texts(as_json, list(steps))) for n, steps in enumerate(deeper)}
        found_below = _row_of(relation, wanted, context) or {}
        deeper = [
            place
            for n, steps in enumerate(deeper)
            for place in shape.add(found_below.get(str(n), ()), steps)
            if place not in deeper
        ]
    if not found["xml"]:
        return relation, _json_fields(shape, text)
    relation, text, xml_fields = _xml_fields(relation, text, as_xml, context)
    json_fields = _json_fields(shape, text)
    both = {name: _joined(json_fields.get(name), xml_fields.get(name)) for name in sorted(json_fields | xml_fields)}
    return relation, both


def _where_each(texts: Value, test) -> Value:
    item = Column(Type.TEXT, "text")
    return v.call("arrayFilter", Lambda(Type.BOOL, ("text",), test(item)), texts, type=Type.MULTI)


def _row_of(relation: Relation, aggregates: dict[str, Value], context: Context) -> dict | None:
    table = context.table_of(relation.aggregated([], list(aggregates.items())))
    return table.to_pylist()[0] if table.num_rows else None


def _raw_texts(texts: Value, steps: list[Step]) -> Value:
    """The JSON texts at a place of each of several JSON texts."""
    item = Column(Type.TEXT, "document")
    if None in steps:
        read = raw_items_at(item, steps)
    else:
        read = v.call("array", v.call("JSONExtractRaw", item, *map(v.text, steps), type=Type.TEXT), type=Type.MULTI)  # type: ignore[arg-type]
    return v.call("arrayFlatten", v.call("arrayMap", Lambda(Type.MULTI, ("document",), read), texts, type=Type.MULTI),
                  type=Type.MULTI)  # fmt: skip


def _json_fields(shape: JsonShape, text: Value) -> dict[str, Value]:
    if not shape.members and shape.items is None:
        return {}
    if text.type is not Type.MULTI:
        return shape.fields(_only(_begins_as_json(text), v.as_text(text)))
    item = Column(Type.TEXT, "document")
    fields = {}
    for name, value in shape.fields(_only(_begins_as_json(item), item)).items():
        each = v.call("arrayMap", Lambda(Type.MULTI, ("document",), v.as_multi(value)), text, type=Type.MULTI)
        fields[name] = v.call("arrayFlatten", each, type=Type.MULTI)
    return fields


def _xml_fields(relation: Relation, text: Value, texts: Value, context: Context) -> tuple[Relation, Value, dict[str, Value]]:
    """The fields of XML texts, beside the text itself over the relation that has them.

    Reading XML is the costly part, so it is done once, into a column of its own.
    """
    item = Column(Type.TEXT, "text")
    read = v.call("xml_fields", v.call("toValidUTF8", item, type=Type.TEXT), type=Type.TEXT)
    flat = v.call("arrayMap", Lambda(Type.TEXT, ("text",), v.call("ifNull", read, v.text(""), type=Type.TEXT)), texts,
                  type=Type.MULTI)  # fmt: skip
    kept = relation.fields
    relation = relation.with_fields({**kept, "\0text": text, "\0xml": flat}).settled()
    text, column = relation.field("\0text"), relation.field("\0xml")
    relation = relation.with_fields({name: relation.field(name) for name in kept})
    pair, document = Column(Type.TEXT, "pair"), Column(Type.TEXT, "document")
    name = v.call("tupleElement", pair, v.integer(1), type=Type.TEXT)
    count = v.call("JSONLength", v.call("tupleElement", pair, v.integer(2), type=Type.TEXT), type=Type.INT)
    more = v.call("greater", count, v.integer(1), type=Type.BOOL)
    counted = v.call("concat", v.call("if", more, v.text("n"), v.text("1"), type=Type.TEXT), name, type=Type.TEXT)
    pairs = v.call("JSONExtractKeysAndValuesRaw", document, type=Type.MULTI)
    marked = v.call("arrayMap", Lambda(Type.TEXT, ("pair",), counted), pairs, type=Type.MULTI)
    all_marked = v.call("arrayFlatten", v.call("arrayMap", Lambda(Type.MULTI, ("document",), marked), column,
                                               type=Type.MULTI), type=Type.MULTI)  # fmt: skip
    row = _row_of(relation, {"names": v.agg("groupUniqArrayArray", all_marked, type=Type.MULTI)}, context)
    names = row["names"] if row else []
    fields: dict[str, Value] = {}
    for name_text in sorted({text[1:] for text in names}):
        values = v.call("JSONExtract", document, v.text(name_text), v.text("Array(String)"), type=Type.MULTI)
        found = v.call("arrayFlatten", v.call("arrayMap", Lambda(Type.MULTI, ("document",), values), column,
                                              type=Type.MULTI), type=Type.MULTI)  # fmt: skip
        fields[name_text] = found if text.type is Type.MULTI or f"n{name_text}" in names else v.as_text(found)
    return relation, text, fields


def _joined(first: Value | None, second: Value | None) -> Value:
    if first is None or second is None:
        return first or second or v.NULL
    if first.type is Type.MULTI or second.type is Type.MULTI:
        return v.call("arrayConcat", v.as_multi(first), v.as_multi(second), type=Type.MULTI)
    return v.choose(v.is_present(first), first, second)


# ---- row functions ---------------------------------------------------------------------------------------------------


def _dump(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def parsed_xml(text: str) -> etree._Element | None:
    """The root of an XML text, None for what is none. Nothing is fetched, and no entity of the text's own is expanded."""
    if "<!ENTITY" in text:
        return None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, remove_pis=True)
    try:
        # The text is decoded already, whatever its declaration says.
        return etree.fromstring(_DECLARATION.sub("", text, count=1).strip().encode(), parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def local_name(tag: str) -> str:
    """A tag or attribute without its namespace."""
    return tag.rpartition("}")[2]


def element_text(element: etree._Element) -> str:
    """All text within an element."""
    return "".join(element.itertext()).strip()


@row_function("xml_read", ("String", "String"), "String")
def read_xml(text: str, path: str) -> str:
    """The texts that a path leads to in an XML document, as a JSON array; none for what is no XML."""
    root = parsed_xml(text)
    if root is None:
        return "[]"
    path, _, attribute = path.partition("{@")
    nodes = [root]
    for position, (name, place) in enumerate(_XML_STEP.findall(path.rstrip("."))):
        candidates = [n for n in nodes if local_name(n.tag) == name] if position == 0 else [
            child for n in nodes for child in n if local_name(child.tag) == name
        ]  # fmt: skip
        number = place.strip("{}")
        nodes = candidates[int(number) - 1 : int(number)] if number and int(number) else candidates
    wanted = attribute.strip().rstrip("}")
    if attribute:
        found = [value for n in nodes for name, value in n.attrib.items() if local_name(name) == wanted]
        return _dump(found)
    return _dump([element_text(n) for n in nodes])


@row_function("xml_fields", ("String",), "String")
def fields_of_xml(text: str) -> str:
    """Every text and attribute of an XML document by its path, as a JSON object of arrays; none for what is no XML."""
    root = parsed_xml(text)
    found: dict[str, list[str]] = {}
    waiting = [(root, local_name(root.tag))] if root is not None else []
    while waiting:
        element, path = waiting.pop()
        for name, value in element.attrib.items():
            found.setdefault(f"{path}{{@{local_name(name)}}}", []).append(value)
        own = (element.text or "").strip()
        if own:
            found.setdefault(path, []).append(own if len(element) else element_text(element))
        waiting.extend(
            (child, f"{path}.{local_name(child.tag)}") for child in reversed(element) if isinstance(child.tag, str)
        )
    return _dump(found)
