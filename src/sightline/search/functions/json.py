"""Functions of JSON text: reading by path, building, changing.

A path is names separated by dots; `{0}` after a name is a place in an array, `{}` all of its items. Reading and building
happen in the engine; changing a document, which the engine cannot, row by row in Python.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sightline.errors import SearchError
from sightline.search.functions.arguments import constant_text, json_items
from sightline.search.planner import values as v
from sightline.search.planner.documents import document_values, read_xml
from sightline.search.planner.json_paths import Step, parse_path, raw_items_at, scalar_at
from sightline.search.planner.values import Literal, Type, Value
from sightline.search.registry import function
from sightline.store.udf import row_function

if TYPE_CHECKING:
    from sightline.search.context import Context

# ---- reading ---------------------------------------------------------------------------------------------------------


def _read(text: Value, path: Value, exact: bool) -> Value:
    """What one path of `json_extract` gives: text; several items as a JSON array."""
    if v.is_null(path):
        return Literal(Type.TEXT, None)
    if not isinstance(path, Literal):
        mode = v.text("exact" if exact else "path")
        plain = v.call("toValidUTF8", text, type=Type.TEXT)
        return v.call("json_read", plain, v.as_text(path), mode, type=Type.TEXT)
    given = constant_text(path, "a path")
    steps: list[Step] = [given] if exact else parse_path(given)
    if None not in steps:
        return scalar_at(text, steps)
    sure = v.call("ifNull", text, v.text(""), type=Type.TEXT)
    items = raw_items_at(sure, steps)
    joined = v.call("arrayStringConcat", items, v.text(","), type=Type.TEXT)
    listed = v.call("concat", v.text("["), joined, v.text("]"), type=Type.TEXT)
    some = v.call("notEmpty", items, type=Type.BOOL)
    return v.call("if", some, listed, Literal(Type.TEXT, None), type=Type.TEXT)


def _extract(arguments: list[Value], exact: bool) -> Value:
    text = v.as_text(arguments[0])
    if len(arguments) == 1:
        kind = v.call("JSONType", text, type=Type.TEXT)
        quoted = v.is_true(v.call("in", kind, v.multi(["String", "Null"]), type=Type.BOOL))
        return v.call("if", quoted, scalar_at(text, []), _valid(text), type=Type.TEXT)
    if len(arguments) == 2:
        return _read(text, arguments[1], exact)
    found = [_read(text, path, exact) for path in arguments[1:]]
    return _array([_shaped(value) for value in found])


def _valid(text: Value) -> Value:
    valid = v.is_true(v.call("isValidJSON", text, type=Type.BOOL))
    return v.call("if", valid, text, Literal(Type.TEXT, None), type=Type.TEXT)


@function("json_extract", minimum=1, maximum=None)
def json_extract(arguments: list[Value], context: Context) -> Value:
    """What stands at a path of a JSON text; of several paths, a JSON array of what stands there.

    Syntax: json_extract(<json>[, <path>...])
    Example: | makeresults | eval j="{\\"a\\": {\\"b\\": [5, 6]}}", x=json_extract(j, "a.b{1}"), y=json_extract(j, "a.b{}")

    Texts come without quotes, objects and arrays as JSON, `{}` as a JSON array. NULL for what is not there, for null, and
    for text that is no JSON.
    """
    return _extract(arguments, exact=False)


@function("json_extract_exact", minimum=1, maximum=None)
def json_extract_exact(arguments: list[Value], context: Context) -> Value:
    """What stands under a key of a JSON object; dots and braces in the key are part of its name.

    Syntax: json_extract_exact(<json>[, <key>...])
    Example: | makeresults | eval x=json_extract_exact("{\\"a.b\\": 7}", "a.b")
    """
    return _extract(arguments, exact=True)


@function("spath", minimum=2, maximum=2)
def spath(arguments: list[Value], context: Context) -> Value:
    """What stands at a path of a JSON or XML text; with `{}` in the path a multivalue.

    Syntax: spath(<text>, <path>)
    Example: | makeresults | eval j="{\\"l\\": [{\\"k\\": 1}, {\\"k\\": 2}]}", x=spath(j, "l{}.k")

    In XML, a path names elements from the outermost on, `{2}` the second of several, `{@x}` an attribute; without `{}` the
    first value counts. A path that differs by row is read row by row, and gives a multivalue.
    """
    text = v.as_text(arguments[0])
    if Type.NULL in (arguments[0].type, arguments[1].type):
        return Literal(Type.TEXT, None)
    if not isinstance(arguments[1], Literal):
        plain = v.call("toValidUTF8", text, type=Type.TEXT)
        return json_items(v.call("document_read", plain, v.as_text(arguments[1]), type=Type.TEXT))
    path = constant_text(arguments[1], "the path of spath")
    found = document_values(text, path)
    if "{}" in path.replace(" ", ""):
        return found
    first = v.call("arrayElement", found, v.integer(1), type=Type.TEXT)
    return v.call("if", v.call("notEmpty", found, type=Type.BOOL), first, Literal(Type.TEXT, None), type=Type.TEXT)


@function("json_keys")
def json_keys(arguments: list[Value], context: Context) -> Value:
    """The keys of a JSON object as a JSON array; NULL for what is no object.

    Syntax: json_keys(<json>)
    Example: | makeresults | eval x=json_keys("{\\"a\\": 1, \\"b\\": 2}")
    """
    return _of_object(arguments[0], lambda text: v.call("toJSONString", _keys(text), type=Type.TEXT))


@function("json_entries")
def json_entries(arguments: list[Value], context: Context) -> Value:
    """The pairs of a JSON object as a JSON array of objects with a key and a value; NULL for what is no object.

    Syntax: json_entries(<json>)
    Example: | makeresults | eval x=json_entries("{\\"a\\": 1, \\"b\\": 2}")
    """
    pair = v.Column(Type.MULTI, "pair")
    key = v.call("toJSONString", v.call("tupleElement", pair, v.integer(1), type=Type.TEXT), type=Type.TEXT)
    value = v.call("tupleElement", pair, v.integer(2), type=Type.TEXT)
    entry = v.call("concat", v.text('{"key":'), key, v.text(',"value":'), value, v.text("}"), type=Type.TEXT)

    def listed(text: Value) -> Value:
        pairs = v.call("JSONExtractKeysAndValuesRaw", text, type=Type.MULTI)
        entries = v.call("arrayMap", v.Lambda(Type.TEXT, ("pair",), entry), pairs, type=Type.MULTI)
        joined = v.call("arrayStringConcat", entries, v.text(","), type=Type.TEXT)
        return v.call("concat", v.text("["), joined, v.text("]"), type=Type.TEXT)

    return _of_object(arguments[0], listed)


@function("json_has_key_exact", minimum=2, maximum=2)
def json_has_key_exact(arguments: list[Value], context: Context) -> Value:
    """Whether a JSON object has a key; dots and braces in the key are part of its name. NULL for what is no object.

    Syntax: json_has_key_exact(<json>, <key>)
    Example: | makeresults | eval x=if(json_has_key_exact("{\\"a.b\\": 7}", "a.b"), "yes", "no")
    """
    key = v.as_text(arguments[1])
    found = _of_object(
        arguments[0],
        lambda text: v.call("has", _keys(text), v.call("ifNull", key, v.text(""), type=Type.TEXT), type=Type.BOOL),
    )
    return v.call("if", v.is_present(arguments[1]), found, Literal(Type.BOOL, None), type=Type.BOOL)


def _keys(text: Value) -> Value:
    return v.call("JSONExtractKeys", text, type=Type.MULTI)


def _of_object(value: Value, read: Callable[[Value], Value]) -> Value:
    """What `read` makes of a text that is a JSON object; NULL for any other."""
    text = v.as_text(value)
    found = read(v.call("ifNull", text, v.text(""), type=Type.TEXT))
    is_object = v.call("equals", v.call("JSONType", text, type=Type.TEXT), v.text("Object"), type=Type.BOOL)
    return v.call("if", v.is_true(is_object), found, Literal(found.type, None), type=found.type)


@function("json_valid")
def json_valid(arguments: list[Value], context: Context) -> Value:
    """Whether a text is JSON.

    Syntax: json_valid(<text>)
    Example: index=web | where json_valid(_raw)
    """
    return v.call("isValidJSON", v.as_text(arguments[0]), type=Type.BOOL)


@function("json")
def json_(arguments: list[Value], context: Context) -> Value:
    """The text if it is JSON, else NULL.

    Syntax: json(<text>)
    Example: | makeresults | eval x=json("{\\"a\\": 1}"), y=json("no")
    """
    return _valid(v.as_text(arguments[0]))


# ---- building --------------------------------------------------------------------------------------------------------


def json_text(value: Value) -> Value:
    """The value as JSON: never NULL; null for an absent value, an array for a multivalue.

    Numbers and conditions are bare; so is a field's text that is a number, and what is an object or an array. A text that
    was written in the search is always quoted.
    """
    if value.type is Type.MULTI:
        several = v.call("greater", v.call("length", value, type=Type.INT), v.integer(1), type=Type.BOOL)
        listed = v.call("toJSONString", value, type=Type.TEXT)
        return v.call("if", several, listed, _shaped(v.as_text(value)), type=Type.TEXT)
    if isinstance(value, Literal):
        return v.text(json.dumps(value.value, ensure_ascii=False))
    if value.type is not Type.TEXT:
        return v.call("ifNull", v.as_text(value), v.text("null"), type=Type.TEXT)
    return _shaped(value)


def _shaped(value: Value) -> Value:
    """A text as JSON: as it is where it is a number, an object or an array, else quoted."""
    bare = v.call("match", value, v.text(r"^\s*[\[{]|^-?(0|[1-9]\d*)(\.\d+)?([eE][-+]?\d+)?$"), type=Type.BOOL)
    bare = v.is_true(v.both([bare, v.call("isValidJSON", value, type=Type.BOOL)]))
    quoted = v.call("toJSONString", v.call("toValidUTF8", value, type=Type.TEXT), type=Type.TEXT)
    shown = v.call("if", bare, value, quoted, type=Type.TEXT)
    return v.call("ifNull", shown, v.text("null"), type=Type.TEXT)


def _array(items: list[Value]) -> Value:
    pieces: list[Value] = []
    for position, item in enumerate(items):
        pieces += [v.text("," if position else ""), item]
    return v.call("concat", v.text("["), *pieces, v.text("]"), type=Type.TEXT)


@function("json_object", minimum=0, maximum=None)
def json_object(arguments: list[Value], context: Context) -> Value:
    """The text of a JSON object with these keys and values.

    Syntax: json_object(<key>, <value>, ...)
    Example: index=web | eval j=json_object("host", host, "size", bytes)

    Numbers and conditions stay what they are, a multivalue becomes an array, an absent value null; text that is itself a
    JSON object or array is put in as such.
    """
    if len(arguments) % 2:
        raise SearchError(f"json_object takes pairs of a key and a value, got {len(arguments)} arguments")
    pieces: list[Value] = []
    for key, value in zip(arguments[::2], arguments[1::2], strict=True):
        name = v.call("toJSONString", v.call("ifNull", v.as_text(key), v.text(""), type=Type.TEXT), type=Type.TEXT)
        pieces += [v.text("," if pieces else ""), name, v.text(":"), json_text(value)]
    return v.call("concat", v.text("{"), *pieces, v.text("}"), type=Type.TEXT)


@function("json_array", minimum=0, maximum=None)
def json_array(arguments: list[Value], context: Context) -> Value:
    """The text of a JSON array with these items.

    Syntax: json_array(<value>, ...)
    Example: | makeresults | eval j=json_array(1, "x", true())

    Values become items as in `json_object`.
    """
    return _array([json_text(a) for a in arguments])


# ---- changing --------------------------------------------------------------------------------------------------------


def _change(operation: str, arguments: list[Value]) -> Value:
    name = f"json_{operation}"
    if len(arguments) % 2 == 0:
        raise SearchError(f"{name} takes a JSON text and pairs of a path and a value, got {len(arguments)} arguments")
    text = v.call("toValidUTF8", v.as_text(arguments[0]), type=Type.TEXT)
    if any(v.is_null(path) for path in arguments[1::2]):
        return Literal(Type.TEXT, None)
    for path, value in zip(arguments[1::2], arguments[2::2], strict=True):
        if isinstance(path, Literal) and operation != "set_exact":
            _steps_to_change(constant_text(path, f"a path of {name}"), operation)
        text = v.call("json_change", text, v.text(operation), v.as_text(path), json_text(value), type=Type.TEXT)
    return text


@function("json_set", minimum=3, maximum=None)
def json_set(arguments: list[Value], context: Context) -> Value:
    """A JSON text with values put at paths; missing objects on the way are made.

    Syntax: json_set(<json>, <path>, <value>, ...)
    Example: | makeresults | eval j=json_set("{\\"a\\": 1}", "a", 2, "b.c", "x")

    `{}` in a path means every item. What is no JSON gives NULL.
    """
    return _change("set", arguments)


@function("json_set_exact", minimum=3, maximum=None)
def json_set_exact(arguments: list[Value], context: Context) -> Value:
    """A JSON object with values put under keys; dots and braces in a key are part of its name.

    Syntax: json_set_exact(<json>, <key>, <value>, ...)
    Example: | makeresults | eval j=json_set_exact("{}", "a.b", 7)
    """
    return _change("set_exact", arguments)


@function("json_append", minimum=3, maximum=None)
def json_append(arguments: list[Value], context: Context) -> Value:
    """A JSON text with a value put at the end of the array at a path.

    Syntax: json_append(<json>, <path>, <value>, ...)
    Example: | makeresults | eval j=json_append("{\\"l\\": [1]}", "l", 2)

    An empty path is the whole text. What is no array there becomes the first item of one; a path to nothing changes nothing.
    """
    return _change("append", arguments)


@function("json_extend", minimum=3, maximum=None)
def json_extend(arguments: list[Value], context: Context) -> Value:
    """A JSON text with the items of an array put at the end of the array at a path.

    Syntax: json_extend(<json>, <path>, <array>, ...)
    Example: | makeresults | eval j=json_extend("{\\"l\\": [1]}", "l", json_array(2, 3))

    A value that is no array counts as one item. An empty path is the whole text. What is no array at the path becomes the
    first item of one; a path to nothing changes nothing.
    """
    return _change("extend", arguments)


@function("json_delete", minimum=2, maximum=None)
def json_delete(arguments: list[Value], context: Context) -> Value:
    """A JSON text without what stands at paths.

    Syntax: json_delete(<json>, <path>, ...)
    Example: | makeresults | eval j=json_delete("{\\"a\\": 1, \\"b\\": 2}", "a")
    """
    text = v.call("toValidUTF8", v.as_text(arguments[0]), type=Type.TEXT)
    for path in arguments[1:]:
        text = v.call("json_change", text, v.text("delete"), v.as_text(path), v.text("null"), type=Type.TEXT)
    return text


# ---- row functions ---------------------------------------------------------------------------------------------------


def _dump(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


@row_function("json_change", ("String", "String", "String", "String"), "String")
def change_json(text: str, operation: str, path: str, value: str) -> str | None:
    """The document with one change; None for text that is no JSON or holds a number beyond all limits, and for no path."""
    try:
        document = json.loads(text)
        steps = [path] if operation == "set_exact" else _steps_to_change(path, operation)
        return _dump(_changed(document, steps, operation, json.loads(value)))
    except (ValueError, SearchError):
        return None


def _steps_to_change(path: str, operation: str) -> list[Step]:
    """The steps of a path; an empty one is the array itself to which something is added."""
    return [] if not path and operation in ("append", "extend") else parse_path(path)


def _changed(node: Any, steps: list[Step], operation: str, value: Any) -> Any:
    if not steps:
        if operation in ("append", "extend"):
            before = node if isinstance(node, list) else [node]
            return [*before, *(value if operation == "extend" and isinstance(value, list) else [value])]
        return value if operation in ("set", "set_exact") else node
    step, rest = steps[0], steps[1:]
    if isinstance(step, str):
        return _changed_object(node, step, rest, operation, value)
    if not isinstance(node, list):
        return node
    places = range(len(node)) if step is None else [step if step >= 0 else len(node) + step]
    if operation == "delete" and not rest:
        return [item for place, item in enumerate(node) if place not in places]
    return [_changed(item, rest, operation, value) if place in places else item for place, item in enumerate(node)]


def _changed_object(node: Any, name: str, rest: list[Step], operation: str, value: Any) -> Any:
    if not isinstance(node, dict):
        return node
    if operation == "delete" and not rest:
        return {k: x for k, x in node.items() if k != name}
    if name not in node:
        if operation not in ("set", "set_exact") or any(not isinstance(s, str) for s in rest):
            return node
        return {**node, name: _changed({}, rest, operation, value)}
    return {k: _changed(x, rest, operation, value) if k == name else x for k, x in node.items()}


@row_function("document_read", ("String", "String"), "String")
def read_document(text: str, path: str) -> str:
    """The texts that a path leads to in a JSON or XML text, for a path that differs by row, as a JSON array."""
    if "{@" in path or text.lstrip().startswith("<"):
        return read_xml(text, path)
    try:
        found = [json.loads(text)]
        steps = parse_path(path)
    except (ValueError, SearchError):
        return "[]"
    for step in steps:
        found = [child for node in found for child in _children(node, step)]
    return _dump([node if isinstance(node, str) else _dump(node) for node in found if node is not None])


@row_function("json_read", ("String", "String", "String"), "String")
def read_json(text: str, path: str, mode: str) -> str | None:
    """What one path of a document leads to, for a path that differs by row."""
    try:
        document = json.loads(text)
        steps = [path] if mode == "exact" else parse_path(path)
    except (ValueError, SearchError):
        return None
    found = [document]
    for step in steps:
        found = [child for node in found for child in _children(node, step)]
    if None in steps:
        return _dump(found) if found else None
    if not found or found[0] is None:
        return None
    return found[0] if isinstance(found[0], str) else _dump(found[0])


def _children(node: Any, step: Step) -> list[Any]:
    if isinstance(step, str):
        return [node[step]] if isinstance(node, dict) and step in node else []
    if not isinstance(node, list):
        return []
    if step is None:
        return node
    return [node[step]] if -len(node) <= step < len(node) else []
