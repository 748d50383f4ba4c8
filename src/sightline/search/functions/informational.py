"""Questions about a value: whether there is one, what type it has; and conversions between types."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

from sightline.errors import SearchError
from sightline.search.functions.arguments import json_items, number
from sightline.search.functions.multivalue import mv_to_json_array
from sightline.search.functions.numeric import floor
from sightline.search.functions.text import tonumber
from sightline.search.planner import values as v
from sightline.search.planner.values import Literal, Type, Value
from sightline.search.registry import function
from sightline.search.syntax.parser import parse_pipeline
from sightline.search.syntax.source import read_source
from sightline.store.udf import row_function

if TYPE_CHECKING:
    from sightline.search.context import Context


@function("isnull")
def isnull(arguments: list[Value], context: Context) -> Value:
    """Whether there is no value. Empty text is a value.

    Syntax: isnull(<value>)
    Example: index=web | where isnull(user)
    """
    present = v.is_present(arguments[0])
    return Literal(Type.BOOL, not present.value) if isinstance(present, Literal) else v.negation(present)


@function("isnotnull")
def isnotnull(arguments: list[Value], context: Context) -> Value:
    """Whether there is a value. Empty text is one.

    Syntax: isnotnull(<value>)
    Example: index=web | where isnotnull(user)
    """
    return v.is_present(arguments[0])


def _is_number(value: Value) -> Value:
    if value.type in (Type.BOOL, Type.NULL):
        return v.FALSE
    return v.is_present(number(value))


@function("isnum")
def isnum(arguments: list[Value], context: Context) -> Value:
    """Whether the value is a number, or text that looks like one.

    Syntax: isnum(<value>)
    Example: index=web | where isnum(port)
    """
    return _is_number(arguments[0])


@function("isint")
def isint(arguments: list[Value], context: Context) -> Value:
    """Whether the value is a whole number, or text that looks like one.

    Syntax: isint(<value>)
    Example: index=web | where isint(port)
    """
    if arguments[0].type in (Type.BOOL, Type.NULL):
        return v.FALSE
    return _is_whole(number(arguments[0]))


def _is_whole(found: Value) -> Value:
    if found.type is Type.INT:
        return v.is_present(found)
    return v.is_true(v.call("equals", found, v.call("floor", found, type=Type.FLOAT), type=Type.BOOL))


@function("isdouble")
def isdouble(arguments: list[Value], context: Context) -> Value:
    """Whether the value is a number with decimals, or text that looks like one.

    Syntax: isdouble(<value>)
    Example: index=web | where isdouble(duration_ms)
    """
    if arguments[0].type in (Type.BOOL, Type.NULL):
        return v.FALSE
    found = number(arguments[0])
    return v.both([v.is_present(found), v.negation(_is_whole(found))])


@function("isstr")
def isstr(arguments: list[Value], context: Context) -> Value:
    """Whether the value is text that does not look like a number. A text constant always is.

    Syntax: isstr(<value>)
    Example: index=web | where isstr(port)
    """
    value = arguments[0]
    if value.type not in (Type.TEXT, Type.MULTI):
        return v.FALSE
    if isinstance(value, Literal):
        return v.is_present(value)
    return v.both([v.is_present(value), v.negation(_is_number(value))])


@function("isbool")
def isbool(arguments: list[Value], context: Context) -> Value:
    """Whether the value is a condition.

    Syntax: isbool(<value>)
    Example: | makeresults | eval a=if(isbool(1=1), "yes", "no")
    """
    value = arguments[0]
    return v.is_present(value) if value.type is Type.BOOL else v.FALSE


@function("ismv")
def ismv(arguments: list[Value], context: Context) -> Value:
    """Whether there is more than one value.

    Syntax: ismv(<value>)
    Example: index=web | where ismv(tags)
    """
    if arguments[0].type is not Type.MULTI:
        return v.FALSE
    return v.call("greater", v.call("length", arguments[0], type=Type.INT), v.integer(1), type=Type.BOOL)


def _is_json(value: Value, kind: str) -> Value:
    if value.type not in (Type.TEXT, Type.MULTI):
        return v.FALSE
    text = v.as_text(value)
    typed = v.call("equals", v.call("JSONType", text, type=Type.TEXT), v.text(kind), type=Type.BOOL)
    return v.is_true(v.both([v.call("isValidJSON", text, type=Type.BOOL), typed]))


@function("isarray")
def isarray(arguments: list[Value], context: Context) -> Value:
    """Whether the value is the text of a JSON array.

    Syntax: isarray(<value>)
    Example: | makeresults | eval a=if(isarray("[1,2]"), "yes", "no")
    """
    return _is_json(arguments[0], "Array")


@function("isobject")
def isobject(arguments: list[Value], context: Context) -> Value:
    """Whether the value is the text of a JSON object.

    Syntax: isobject(<value>)
    Example: | makeresults | eval a=if(isobject("{}"), "yes", "no")
    """
    return _is_json(arguments[0], "Object")


@function("typeof")
def typeof(arguments: list[Value], context: Context) -> Value:
    """The type of a value: Number, String, Boolean, or Invalid for no value.

    Syntax: typeof(<value>)
    Example: index=web | eval kind=typeof(port)

    A field's text that looks like a number is a Number.
    """
    value = arguments[0]
    name = {Type.BOOL: "Boolean", Type.INT: "Number", Type.FLOAT: "Number"}.get(value.type, "String")
    if value.type is Type.NULL:
        return v.text("Invalid")
    found: Value = v.text(name)
    if name == "String" and not isinstance(value, Literal):
        found = v.call("if", _is_number(value), v.text("Number"), found, type=Type.TEXT)
    return v.call("if", v.is_present(value), found, v.text("Invalid"), type=Type.TEXT)


# ---- conversions -----------------------------------------------------------------------------------------------------


@function("tobool")
def tobool(arguments: list[Value], context: Context) -> Value:
    """The value as a condition: numbers, also in text, by being other than 0; the words true, t, false, f; other text is NULL.

    Syntax: tobool(<value>)
    Example: index=web | where tobool(cached)
    """
    found = v.as_bool(arguments[0])
    if arguments[0].type not in (Type.TEXT, Type.MULTI):
        return found
    amount = v.call("notEquals", v.as_number(arguments[0]), v.integer(0), type=Type.BOOL)
    return v.call("ifNull", amount, found, type=Type.BOOL)


@function("toint", minimum=1, maximum=2)
def toint(arguments: list[Value], context: Context) -> Value:
    """The value as a whole number, rounded down; NULL for what is no number.

    Syntax: toint(<value>[, <base>])
    Example: | makeresults | eval a=toint("7.9"), b=toint("ff", 16)

    The base is that of the digits of a text, a constant from 2 to 36.
    """
    return floor([tonumber(arguments, context)], context)


@function("todouble", minimum=1, maximum=2)
def todouble(arguments: list[Value], context: Context) -> Value:
    """The value as a number with decimals; NULL for what is no number.

    Syntax: todouble(<value>[, <base>])
    Example: | makeresults | eval a=todouble("2.5") * 2

    The base is that of the digits of a text, a constant from 2 to 36.
    """
    return v.as_float(number(tonumber(arguments, context)))


@function("tomv")
def tomv(arguments: list[Value], context: Context) -> Value:
    """The items of a JSON array, or the value itself, as a multivalue.

    Syntax: tomv(<value>)
    Example: | makeresults | eval a=tomv("[1,2]")
    """
    value = arguments[0]
    if value.type is not Type.TEXT:
        return v.as_multi(value)
    return v.call("if", _is_json(value, "Array"), json_items(value), v.as_multi(value), type=Type.MULTI)


@function("toarray")
def toarray(arguments: list[Value], context: Context) -> Value:
    """The text of a JSON array in its shortest form, or several values as one; NULL for anything else.

    Syntax: toarray(<value>)
    Example: | makeresults | eval a=toarray("[1, 2]"), b=toarray(split("1,2", ","))

    Several values become what they spell in JSON, as in `mv_to_json_array` with true().
    """
    value = arguments[0]
    compact = v.call("JSONExtractRaw", v.as_text(value), type=Type.TEXT)
    made = v.call("if", _is_json(value, "Array"), compact, Literal(Type.TEXT, None), type=Type.TEXT)
    if value.type is Type.MULTI:
        return v.call("if", ismv([value], context), mv_to_json_array([value, v.TRUE], context), made, type=Type.TEXT)
    return made


@function("toobject")
def toobject(arguments: list[Value], context: Context) -> Value:
    """The text of a JSON object in its shortest form; NULL for anything else.

    Syntax: toobject(<value>)
    Example: | makeresults | eval a=toobject("{\\"a\\": 1}")
    """
    text = v.as_text(arguments[0])
    compact = v.call("JSONExtractRaw", text, type=Type.TEXT)
    return v.call("if", _is_json(arguments[0], "Object"), compact, Literal(Type.TEXT, None), type=Type.TEXT)


@function("ipmask", minimum=2, maximum=2)
def ipmask(arguments: list[Value], context: Context) -> Value:
    """The part of an IPv4 address that a mask keeps.

    Syntax: ipmask(<mask>, <address>)
    Example: | makeresults | eval a=ipmask("255.255.0.0", "10.1.2.3")
    """
    parts = [v.call("IPv4StringToNumOrNull", v.as_text(a), type=Type.INT) for a in arguments]
    kept = v.call("bitAnd", *parts, type=Type.INT)
    return v.call("IPv4NumToString", kept, type=Type.TEXT)


@function("commands")
def commands(arguments: list[Value], context: Context) -> Value:
    """The names of the commands that a search text uses, in order.

    Syntax: commands(<search>)
    Example: | makeresults | eval a=commands("index=web | stats count | sort -count")

    Text that cannot be read as a search has none.
    """
    named = v.call("search_commands", v.as_text(arguments[0]), type=Type.TEXT)
    return json_items(named)


@row_function("search_commands", ("String",), "String")
def search_commands(text: str) -> str:
    """Names of a search's commands as a JSON array."""
    try:
        pipeline = parse_pipeline(read_source(text))
    except SearchError:
        return "[]"
    return json.dumps([stage.name for stage in pipeline.stages])
