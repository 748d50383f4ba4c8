"""Functions of multivalues: lists of text. A single value acts as a list of one; an empty list is no value."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.errors import LanguageError, SearchError
from sightline.search.functions.aggregates import present_items
from sightline.search.functions.arguments import json_items, number
from sightline.search.planner import regexes
from sightline.search.planner import values as v
from sightline.search.planner.lower import lower_condition, lower_expression
from sightline.search.planner.values import Column, Literal, Type, Value
from sightline.search.registry import function
from sightline.search.syntax import tree
from sightline.search.time import parse_span

if TYPE_CHECKING:
    from sightline.search.context import Context
    from sightline.search.planner.relation import Relation


def _list(name: str, *arguments: Value) -> Value:
    return v.call(name, *arguments, type=Type.MULTI)


def _length(list: Value) -> Value:
    return v.call("toInt64", v.call("length", list, type=Type.INT), type=Type.INT)


@function("mvcount")
def mvcount(arguments: list[Value], context: Context) -> Value:
    """How many values a field has; NULL for none.

    Syntax: mvcount(<field>)
    Example: | makeresults | eval a=mvcount(split("a,b,c", ","))
    """
    return v.call("nullIf", _length(v.as_multi(arguments[0])), v.integer(0), type=Type.INT)


@function("mvindex", minimum=2, maximum=3)
def mvindex(arguments: list[Value], context: Context) -> Value:
    """One value by its place, or those from one place to another, both included.

    Syntax: mvindex(<field>, <start>[, <end>])
    Example: | makeresults | eval m=split("a,b,c", ","), last=mvindex(m, -1), two=mvindex(m, 0, 1)

    Places count from 0; negative ones from the end, -1 being the last. A place outside gives NULL.
    """
    list = v.as_multi(arguments[0])
    length = _length(list)

    def place(argument: Value) -> Value:
        """The place as one from 0 on, whatever end it was counted from."""
        given = v.as_integer(number(argument))
        if isinstance(given, Literal):
            if given.value is None or given.value >= 0:
                return given
            return v.call("plus", length, given, type=Type.INT)
        from_end = v.call("plus", length, given, type=Type.INT)
        return v.call("if", v.call("less", given, v.integer(0), type=Type.BOOL), from_end, given, type=Type.INT)

    start = place(arguments[1])
    if len(arguments) == 2:
        inside = v.both([
            v.call("greaterOrEquals", start, v.integer(0), type=Type.BOOL), v.call("less", start, length, type=Type.BOOL),
        ])  # fmt: skip
        inside = v.is_true(inside)
        # The engine counts from 1 and refuses 0; where the place lies outside the element is not used.
        at = v.call("if", inside, v.call("plus", start, v.integer(1), type=Type.INT), v.integer(1), type=Type.INT)
        element = v.call("arrayElement", list, v.call("assumeNotNull", at, type=Type.INT), type=Type.TEXT)
        return v.call("if", inside, element, Literal(Type.TEXT, None), type=Type.TEXT)
    end = place(arguments[2])
    position = Column(Type.INT, "position")
    chosen = v.both([
        v.call("greater", position, start, type=Type.BOOL),
        v.call("lessOrEquals", position, v.call("plus", end, v.integer(1), type=Type.INT), type=Type.BOOL),
    ])  # fmt: skip
    keep = v.Lambda(Type.BOOL, ("item", "position"), v.is_true(chosen))
    return _list("arrayFilter", keep, list, _list("arrayEnumerate", list))


@function("mvjoin", minimum=2, maximum=2)
def mvjoin(arguments: list[Value], context: Context) -> Value:
    """All values as one text with a separator between them; NULL for none.

    Syntax: mvjoin(<field>, <separator>)
    Example: | makeresults | eval a=mvjoin(split("a,b", ","), " and ")
    """
    if arguments[0].type is not Type.MULTI:
        return v.as_text(arguments[0])
    separator = v.as_text(arguments[1])
    if separator.type is Type.NULL or (isinstance(separator, Literal) and separator.value is None):
        return Literal(Type.TEXT, None)
    if isinstance(separator, Literal):
        joined = v.call("arrayStringConcat", arguments[0], separator, type=Type.TEXT)
    else:
        # The engine joins by constants only: a control character stands in.
        marked = v.call("arrayStringConcat", arguments[0], v.text("\x1f"), type=Type.TEXT)
        joined = v.call("replaceAll", marked, v.text("\x1f"), separator, type=Type.TEXT)
    return v.call("if", v.is_present(arguments[0]), joined, Literal(Type.TEXT, None), type=Type.TEXT)


@function("mvappend", minimum=1, maximum=None)
def mvappend(arguments: list[Value], context: Context) -> Value:
    """The values of all arguments, one after the other; absent ones leave nothing.

    Syntax: mvappend(<value>, ...)
    Example: | makeresults | eval a=mvappend("x", split("y,z", ","))
    """
    given = [v.as_multi(a) for a in arguments if a.type is not Type.NULL]
    if not given:
        return v.EMPTY_MULTI
    return given[0] if len(given) == 1 else _list("arrayConcat", *given)


@function("mvdedup")
def mvdedup(arguments: list[Value], context: Context) -> Value:
    """The distinct values, in the order in which they first come.

    Syntax: mvdedup(<field>)
    Example: | makeresults | eval a=mvdedup(split("b,a,b", ","))
    """
    return _list("arrayDistinct", v.as_multi(arguments[0]))


@function("mvsort")
def mvsort(arguments: list[Value], context: Context) -> Value:
    """The values in the order of their characters: 10 before 9, upper case before lower case.

    Syntax: mvsort(<field>)
    Example: | makeresults | eval a=mvsort(split("b,a,c", ","))
    """
    return _list("arraySort", v.as_multi(arguments[0]))


@function("mvreverse")
def mvreverse(arguments: list[Value], context: Context) -> Value:
    """The values in reverse order.

    Syntax: mvreverse(<field>)
    Example: | makeresults | eval a=mvreverse(split("a,b,c", ","))
    """
    return _list("arrayReverse", v.as_multi(arguments[0]))


@function("mvfind", minimum=2, maximum=2)
def mvfind(arguments: list[Value], context: Context) -> Value:
    """The place, from 0, of the first value that a regular expression matches; NULL when it matches none.

    Syntax: mvfind(<field>, <regex>)
    Example: | makeresults | eval a=mvfind(split("cat,dog", ","), "^d")

    The expression may differ from row to row; a row that has none gives NULL.
    """
    pattern = v.as_text(arguments[1])
    if pattern.type is Type.NULL or isinstance(pattern, Literal) and pattern.value is None:
        return Literal(Type.INT, None)
    item = Column(Type.TEXT, "item")
    if isinstance(pattern, Literal):
        matched = regexes.matches(item, str(pattern.value))
    else:
        matched = regexes.matches_any(item, pattern)
    test = v.Lambda(Type.BOOL, ("item",), v.is_true(matched))
    found = v.call("arrayFirstIndex", test, v.as_multi(arguments[0]), type=Type.INT)
    place = v.call("minus", v.call("toInt64", found, type=Type.INT), v.integer(1), type=Type.INT)
    return v.call("nullIf", place, v.integer(-1), type=Type.INT)


@function("mvzip", minimum=2, maximum=3)
def mvzip(arguments: list[Value], context: Context) -> Value:
    """The values of two fields in pairs, with a comma or another text between; the shorter field decides how many.

    Syntax: mvzip(<field>, <field>[, <separator>])
    Example: | makeresults | eval a=mvzip(split("a,b", ","), split("1,2", ","), "=")
    """
    separator: Value = v.text(",") if len(arguments) == 2 else v.as_text(arguments[2])
    if v.is_null(separator):
        return v.EMPTY_MULTI
    given = v.is_present(separator)
    separator = separator if isinstance(separator, Literal) else v.call("ifNull", separator, v.text(""), type=Type.TEXT)
    lists = [v.as_multi(a) for a in arguments[:2]]
    shorter = v.call("least", *(_length(list) for list in lists), type=Type.INT)
    cut = [_list("arraySlice", list, v.integer(1), shorter) for list in lists]
    left, right = Column(Type.TEXT, "left"), Column(Type.TEXT, "right")
    pair = v.call("concat", left, separator, right, type=Type.TEXT)
    pairs = _list("arrayMap", v.Lambda(Type.TEXT, ("left", "right"), pair), *cut)
    return pairs if isinstance(separator, Literal) else v.call("if", given, pairs, v.EMPTY_MULTI, type=Type.MULTI)


@function("mvrange", minimum=2, maximum=3)
def mvrange(arguments: list[Value], context: Context) -> Value:
    """Numbers from a start up to, and without, an end.

    Syntax: mvrange(<start>, <end>[, <step>])
    Example: | makeresults | eval a=mvrange(1, 10, 4), days=mvrange(0, 259200, "1d")

    The step is 1, another number (a negative one counts down), or a constant span such as "1d", for times.
    """
    start, end = (number(a) for a in arguments[:2])
    step: Value = v.integer(1)
    if len(arguments) == 3:
        step = _step(arguments[2])
    if all(x.type is Type.INT for x in (start, end, step)):
        usable = v.both([v.is_present(start), v.is_present(end), v.is_present(step)])
        usable = v.both([usable, v.call("notEquals", step, v.integer(0), type=Type.BOOL)])
        usable = v.is_true(usable)
        bounds = [v.call("toInt64", v.call("ifNull", x, v.integer(0), type=Type.INT), type=Type.INT) for x in (start, end)]
        stride = v.call("if", usable, v.call("toInt64", step, type=Type.INT), v.integer(1), type=Type.INT)
        stride = v.call("assumeNotNull", v.call("toInt64", stride, type=Type.INT), type=Type.INT)
        counted = _list("range", *bounds, stride)
        item = Column(Type.INT, "item")
        texts = _list("arrayMap", v.Lambda(Type.TEXT, ("item",), v.as_text(item)), counted)
        return v.call("if", usable, texts, v.EMPTY_MULTI, type=Type.MULTI)
    start, end, step = (v.as_float(x) for x in (start, end, step))
    distance = v.call("minus", end, start, type=Type.FLOAT)
    steps = v.call("divide", distance, v.call("nullIf", step, v.real(0), type=Type.FLOAT), type=Type.FLOAT)
    # A tenth of a billionth of a step forgives what the sum of decimals lacks.
    count = v.call("ceil", v.call("minus", steps, v.real(1e-10), type=Type.FLOAT), type=Type.FLOAT)
    count = v.call("ifNull", v.whole(count), v.integer(0), type=Type.INT)
    index = Column(Type.INT, "index")
    reached = v.call("plus", start, v.call("multiply", index, step, type=Type.FLOAT), type=Type.FLOAT)
    shown = v.call("ifNull", v.as_text(reached), v.text(""), type=Type.TEXT)
    places = _list("range", v.call("greatest", count, v.integer(0), type=Type.INT))
    return _list("arrayMap", v.Lambda(Type.TEXT, ("index",), shown), places)


def _step(argument: Value) -> Value:
    if isinstance(argument, Literal) and argument.type is Type.TEXT and v.numeric_literal(argument.value) is None:
        span = parse_span(argument.value)
        if span.seconds is None:
            raise SearchError(f'mvrange steps by spans of fixed length such as "1d", got "{argument.value}"')
        return v.number(span.seconds)
    return number(argument)


# ---- an expression for each value ------------------------------------------------------------------------------------


@function("mvfilter", raw=True)
def mvfilter(node: tree.FunctionCall, relation: Relation, context: Context) -> Value:
    """The values of a field for which a condition holds.

    Syntax: mvfilter(<condition on one field>)
    Example: index=web | eval internal=mvfilter(match(client_ip, "^10\\."))

    In the condition, the field stands for one value at a time. Of several fields, exactly one may be a multivalue: that one.
    """
    (condition,) = node.arguments
    field = _iterated(condition, relation, node)
    value = relation.field(field)
    bound, item = _bound(field, relation, context)
    test = lower_condition(condition, bound, context, "mvfilter")
    if value.type is Type.NULL:
        return v.EMPTY_MULTI
    return _list("arrayFilter", v.Lambda(Type.BOOL, (item.id,), v.is_true(test)), v.as_multi(value))


@function("mvmap", minimum=2, maximum=2, raw=True)
def mvmap(node: tree.FunctionCall, relation: Relation, context: Context) -> Value:
    """An expression computed for each value of a field.

    Syntax: mvmap(<field>, <expression>)
    Example: | makeresults | eval m=split("1,2,3", ","), a=mvmap(m, m*10)

    In the expression, the field stands for one value at a time; other fields keep their meaning. Values for which it gives
    NULL are left out; a multivalue gives all of its values.
    """
    first, expression = node.arguments
    field = first.name if isinstance(first, tree.Field) else _iterated(first, relation, node)
    values = v.as_multi(lower_expression(first, relation, context))
    bound, item = _bound(field, relation, context)
    result = lower_expression(expression, bound, context)
    if result.type is Type.NULL or values == v.EMPTY_MULTI:
        return v.EMPTY_MULTI
    if result.type is Type.MULTI:
        return _list("arrayFlatten", _list("arrayMap", v.Lambda(Type.MULTI, (item.id,), result), values))
    return present_items(_list("arrayMap", v.Lambda(Type.TEXT, (item.id,), v.as_text(result)), values))


def _bound(field: str, relation: Relation, context: Context) -> tuple[Relation, Column]:
    """The relation with the field standing for one of its values, under a name that no other value has."""
    item = Column(Type.TEXT, context.names.fresh("item"))
    return relation.with_fields({**relation.fields, field: item}), item


def _iterated(node: tree.Expression, relation: Relation, call: tree.FunctionCall) -> str:
    """The field whose values are gone through."""
    names = list(dict.fromkeys(_field_names(node, relation)))
    if not names:
        raise SearchError(f"{call.name} wants an expression on a field, got one without a field", call.span)
    if len(names) == 1:
        return names[0]
    several = [name for name in names if relation.field(name).type is Type.MULTI]
    if len(several) == 1:
        return several[0]
    listed = ", ".join(f'"{name}"' for name in names)
    # The documentation of mvfilter says so; that of mvmap leaves other fields their meaning.
    kind = LanguageError if call.name == "mvfilter" else SearchError
    hint = "mvmap reads other fields, too: mvmap(field, if(..., field, null()))" if call.name == "mvfilter" else ""
    raise kind(f"{call.name} goes through the values of one field, got {listed}", call.span, hint=hint)


def _field_names(node: tree.Expression, relation: Relation) -> list[str]:
    if isinstance(node, tree.Field):
        return [node.name] if node.name in relation.fields or not node.parts else list(node.parts)
    if isinstance(node, tree.FunctionCall):
        return [name for argument in node.arguments for name in _field_names(argument, relation)]
    if isinstance(node, tree.Operation):
        return [name for operand in node.operands for name in _field_names(operand, relation)]
    return []


# ---- JSON arrays -----------------------------------------------------------------------------------------------------


@function("mv_to_json_array", minimum=1, maximum=2)
def mv_to_json_array(arguments: list[Value], context: Context) -> Value:
    """The values as the text of a JSON array.

    Syntax: mv_to_json_array(<field>[, <infer_types>])
    Example: | makeresults | eval a=mv_to_json_array(split("a,b", ","))

    All items are texts; with true() as second argument they are what they spell in JSON: a number, a truth value, null, a text
    in quotes, an array or an object. What spells nothing becomes null.
    """
    list = v.as_multi(arguments[0])
    infer = len(arguments) > 1 and isinstance(arguments[1], Literal) and v.as_bool(arguments[1]) == v.TRUE
    text = v.call("toJSONString", list, type=Type.TEXT)
    if infer:
        item = Column(Type.TEXT, "item")
        trimmed = v.call("trimBoth", item, type=Type.TEXT)
        kept = v.call("if", v.call("isValidJSON", item, type=Type.BOOL), trimmed, v.text("null"), type=Type.TEXT)
        items = _list("arrayMap", v.Lambda(Type.TEXT, ("item",), kept), list)
        joined = v.call("arrayStringConcat", items, v.text(","), type=Type.TEXT)
        text = v.call("concat", v.text("["), joined, v.text("]"), type=Type.TEXT)
    return v.call("if", v.is_present(list), text, Literal(Type.TEXT, None), type=Type.TEXT)


@function("json_array_to_mv", minimum=1, maximum=2)
def json_array_to_mv(arguments: list[Value], context: Context) -> Value:
    """The items of a JSON array as a multivalue: texts without quotes, everything else as JSON text.

    Syntax: json_array_to_mv(<json>[, <keep_quotes>])
    Example: | makeresults | eval a=json_array_to_mv("[\\"x\\",2]"), b=json_array_to_mv("[\\"x\\",2]", true())

    With true() as second argument texts keep their quotes. What is no array has no values.
    """
    if len(arguments) > 1 and isinstance(arguments[1], Literal) and v.as_bool(arguments[1]) == v.TRUE:
        sure = v.call("ifNull", v.as_text(arguments[0]), v.text(""), type=Type.TEXT)
        return v.call("JSONExtractArrayRaw", sure, type=Type.MULTI)
    return json_items(v.as_text(arguments[0]))
