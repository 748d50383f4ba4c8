"""Functions of numbers: rounding, powers, logarithms, angles, bits, extremes. What has no result is NULL."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from sightline.errors import SearchError
from sightline.search.functions.aggregates import present_items
from sightline.search.functions.arguments import finite, int64, number
from sightline.search.planner import values as v
from sightline.search.planner.lower import lower_expression
from sightline.search.planner.values import Literal, Type, Value
from sightline.search.registry import function
from sightline.search.syntax import tree

if TYPE_CHECKING:
    from sightline.search.context import Context
    from sightline.search.planner.relation import Relation


# ---- rounding --------------------------------------------------------------------------------------------------------


def half_away(value: Value) -> Value:
    """The float rounded to a whole one, a half away from zero (the engine rounds a half to even)."""
    whole = v.call("trunc", value, type=Type.FLOAT)
    rest = v.call("minus", value, whole, type=Type.FLOAT)
    # Adding 0.5 first would be off by one above 2^52, where there are no halves, and just below 0.5.
    step = v.call("trunc", v.call("plus", rest, rest, type=Type.FLOAT), type=Type.FLOAT)
    return v.call("plus", whole, step, type=Type.FLOAT)


def round_places(value: Value, places: int) -> Value:
    """The float rounded to decimal places, a half (as written in decimals) away from zero."""
    factor = v.real(10.0**places)
    # 1.005 * 100 is 100.49999999999999: what is missing to the decimal half is given back.
    nudge = v.call("multiply", v.call("sign", value, type=Type.FLOAT), v.real(1e-9), type=Type.FLOAT)
    scaled = v.call("plus", v.call("multiply", value, factor, type=Type.FLOAT), nudge, type=Type.FLOAT)
    return finite(v.call("divide", half_away(scaled), factor, type=Type.FLOAT))


@function("round", minimum=1, maximum=2)
def round_(arguments: list[Value], context: Context) -> Value:
    """The nearest whole number, or the number with so many decimal places; a half goes away from zero.

    Syntax: round(<number>[, <places>])
    Example: | makeresults | eval a=round(2.5), b=round(3.14159, 2)

    A negative number of places rounds to tens, hundreds, and so on. Places may differ by row; those beyond 300 give NULL.
    """
    value = number(arguments[0])
    if len(arguments) == 1:
        return value if value.type is Type.INT else v.whole(half_away(value))
    places = arguments[1]
    if not isinstance(places, Literal):
        return v.shared([v.as_float(value), number(places)], _rounded_by_row)
    found = v.as_number(places)
    if not isinstance(found, Literal) or found.value is None:
        return Literal(Type.FLOAT, None)
    count = int(found.value)
    if value.type is Type.INT and count >= 0:
        return value
    if count == 0:
        return v.whole(half_away(value))
    if not -300 <= count <= 300:
        raise SearchError(f"round wants -300 to 300 decimal places, got {count}")
    return round_places(v.as_float(value), count)


def _rounded_by_row(value: Value, places: Value) -> Value:
    """The float rounded to as many places as each row says."""
    count = v.whole(v.call("trunc", v.as_float(places), type=Type.FLOAT))
    factor = v.call("exp10", v.as_float(count), type=Type.FLOAT)
    nudge = v.call("multiply", v.call("sign", value, type=Type.FLOAT), v.real(1e-9), type=Type.FLOAT)
    scaled = v.call("plus", v.call("multiply", value, factor, type=Type.FLOAT), nudge, type=Type.FLOAT)
    rounded = finite(v.call("divide", half_away(scaled), factor, type=Type.FLOAT))
    sensible = v.call("lessOrEquals", v.call("abs", count, type=Type.INT), v.integer(300), type=Type.BOOL)
    return v.call("if", v.is_true(sensible), rounded, Literal(Type.FLOAT, None), type=Type.FLOAT)


@function("floor")
def floor(arguments: list[Value], context: Context) -> Value:
    """The largest whole number that is not above the number.

    Syntax: floor(<number>)
    Example: | makeresults | eval a=floor(-2.5)
    """
    value = number(arguments[0])
    return value if value.type is Type.INT else v.whole(v.call("floor", value, type=Type.FLOAT))


@function("ceiling", "ceil")
def ceiling(arguments: list[Value], context: Context) -> Value:
    """The smallest whole number that is not below the number.

    Syntax: ceiling(<number>) | ceil(<number>)
    Example: | makeresults | eval a=ceiling(2.1)
    """
    value = number(arguments[0])
    return value if value.type is Type.INT else v.whole(v.call("ceil", value, type=Type.FLOAT))


@function("abs")
def abs_(arguments: list[Value], context: Context) -> Value:
    """The number without its sign.

    Syntax: abs(<number>)
    Example: | makeresults | eval a=abs(-3)
    """
    value = number(arguments[0])
    return v.call("abs", value, type=value.type)


@function("exact")
def exact(arguments: list[Value], context: Context) -> Value:
    """The value as it is: numbers are always computed with all their digits.

    Syntax: exact(<expression>)
    Example: | makeresults | eval a=exact(3.14 * 2)
    """
    return arguments[0]


@function("sigfig", raw=True)
def sigfig(node: tree.FunctionCall, relation: Relation, context: Context) -> Value:
    """The result of a calculation, rounded to the significant digits of its least precise number.

    Syntax: sigfig(<calculation>)
    Example: | makeresults | eval a=sigfig(1.00*1111)

    A product or quotient has as many significant digits as its operand with the fewest; a sum or difference as many
    decimal places as its operand with the fewest. Numbers written in the search and fields count as they are spelled;
    calls of functions count as exact.
    """
    argument = node.arguments[0]
    value = lower_expression(argument, relation, context)
    if value.type not in (Type.INT, Type.FLOAT):
        value = number(value)
    result = v.as_float(value)
    leaves = _operands(argument)
    if isinstance(argument, tree.Operation) and argument.operator in ("+", "-"):
        places = _fewest([_decimal_places(_spelled(leaf, relation)) for leaf in leaves])
        return result if places is None else _rounded(result, places)
    digits = _fewest([_significant_digits(_spelled(leaf, relation)) for leaf in leaves])
    if digits is None:
        return result
    nonzero = v.call("nullIf", v.call("abs", result, type=Type.FLOAT), v.real(0), type=Type.FLOAT)
    size = v.call("floor", v.call("log10", nonzero, type=Type.FLOAT), type=Type.FLOAT)
    places = v.call("minus", digits, v.call("plus", size, v.integer(1), type=Type.FLOAT), type=Type.FLOAT)
    return v.call("ifNull", _rounded(result, places), result, type=Type.FLOAT)


def _operands(node: tree.Expression) -> list[tree.Expression]:
    if isinstance(node, tree.Operation) and node.operator in ("+", "-", "*", "/", "neg"):
        return [leaf for operand in node.operands for leaf in _operands(operand)]
    return [node] if isinstance(node, tree.Number | tree.Field) else []


def _spelled(node: tree.Expression, relation: Relation) -> Value:
    return v.text(node.text) if isinstance(node, tree.Number) else v.as_text(lower_field(node, relation))


def lower_field(node: tree.Expression, relation: Relation) -> Value:
    """The value of a field node."""
    assert isinstance(node, tree.Field)
    return relation.field(node.name)


def _significant_digits(text: Value) -> Value:
    mantissa = v.call("replaceRegexpAll", text, v.text("[eE].*$|[^0-9]"), v.text(""), type=Type.TEXT)
    digits = v.call("replaceRegexpOne", mantissa, v.text("^0+"), v.text(""), type=Type.TEXT)
    return v.call("length", digits, type=Type.INT)


def _decimal_places(text: Value) -> Value:
    decimals = v.call("extract", text, v.text(r"\.([0-9]*)"), type=Type.TEXT)
    return v.call("length", decimals, type=Type.INT)


def _fewest(counts: list[Value]) -> Value | None:
    if not counts:
        return None
    return counts[0] if len(counts) == 1 else v.call("least", *counts, type=Type.INT)


def _rounded(value: Value, places: Value) -> Value:
    factor = v.call("exp10", v.as_float(places), type=Type.FLOAT)
    return finite(v.call("divide", half_away(v.call("multiply", value, factor, type=Type.FLOAT)), factor, type=Type.FLOAT))


# ---- powers, logarithms, angles --------------------------------------------------------------------------------------


def _float_function(name: str, engine_name: str, summary: str, example: str) -> None:
    def lower(arguments: list[Value], context: Context) -> Value:
        return finite(v.call(engine_name, v.as_float(number(arguments[0])), type=Type.FLOAT))

    lower.__doc__ = f"{summary}\n\nSyntax: {name}(<number>)\nExample: | makeresults | eval a={example}"
    function(name)(lower)


for _name, _engine_name, _summary, _example in (
    ("sqrt", "sqrt", "The square root; NULL for a negative number.", "sqrt(16)"),
    ("exp", "exp", "The number e to this power.", "exp(1)"),
    ("ln", "log", "The natural logarithm; NULL for what is not above 0.", "ln(10)"),
    ("sin", "sin", "The sine of an angle in radians.", "sin(1)"),
    ("cos", "cos", "The cosine of an angle in radians.", "cos(1)"),
    ("tan", "tan", "The tangent of an angle in radians.", "tan(1)"),
    ("asin", "asin", "The angle, in radians, whose sine this is; NULL outside -1 to 1.", "asin(1)"),
    ("acos", "acos", "The angle, in radians, whose cosine this is; NULL outside -1 to 1.", "acos(1)"),
    ("atan", "atan", "The angle, in radians, whose tangent this is.", "atan(1)"),
    ("sinh", "sinh", "The hyperbolic sine.", "sinh(1)"),
    ("cosh", "cosh", "The hyperbolic cosine.", "cosh(1)"),
    ("tanh", "tanh", "The hyperbolic tangent.", "tanh(1)"),
    ("asinh", "asinh", "The inverse hyperbolic sine.", "asinh(1)"),
    ("acosh", "acosh", "The inverse hyperbolic cosine; NULL below 1.", "acosh(2)"),
    ("atanh", "atanh", "The inverse hyperbolic tangent; NULL outside -1 to 1.", "atanh(0.5)"),
):
    _float_function(_name, _engine_name, _summary, _example)


@function("log", minimum=1, maximum=2)
def log(arguments: list[Value], context: Context) -> Value:
    """The logarithm to a base, which is 10 unless given; NULL for what is not above 0.

    Syntax: log(<number>[, <base>])
    Example: | makeresults | eval a=log(100), b=log(8, 2)
    """
    value = v.as_float(number(arguments[0]))
    if len(arguments) == 1:
        return finite(v.call("log10", value, type=Type.FLOAT))
    base = v.as_float(number(arguments[1]))
    if isinstance(base, Literal) and base.value in (2.0, 10.0):
        return finite(v.call("log2" if base.value == 2.0 else "log10", value, type=Type.FLOAT))
    logarithms = [v.call("log", x, type=Type.FLOAT) for x in (value, base)]
    return finite(v.call("divide", *logarithms, type=Type.FLOAT))


@function("pow", minimum=2, maximum=2)
def pow_(arguments: list[Value], context: Context) -> Value:
    """A number to the power of another one.

    Syntax: pow(<number>, <exponent>)
    Example: | makeresults | eval a=pow(2, 10)
    """
    base, exponent = (v.as_float(number(a)) for a in arguments)
    return finite(v.call("pow", base, exponent, type=Type.FLOAT))


@function("atan2", minimum=2, maximum=2)
def atan2(arguments: list[Value], context: Context) -> Value:
    """The angle, in radians, of the point with this y and x.

    Syntax: atan2(<y>, <x>)
    Example: | makeresults | eval a=atan2(1, 1)
    """
    return v.call("atan2", *(v.as_float(number(a)) for a in arguments), type=Type.FLOAT)


@function("hypot", minimum=2, maximum=2)
def hypot(arguments: list[Value], context: Context) -> Value:
    """The length of the longest side of a right triangle with these two other sides.

    Syntax: hypot(<number>, <number>)
    Example: | makeresults | eval a=hypot(3, 4)
    """
    return finite(v.call("hypot", *(v.as_float(number(a)) for a in arguments), type=Type.FLOAT))


@function("pi", minimum=0, maximum=0)
def pi(arguments: list[Value], context: Context) -> Value:
    """The number pi.

    Syntax: pi()
    Example: | makeresults | eval a=round(pi(), 5)
    """
    return v.real(math.pi)


@function("random", minimum=0, maximum=0)
def random(arguments: list[Value], context: Context) -> Value:
    """A whole number from 0 to 2147483647, another one for each row.

    Syntax: random()
    Example: | makeresults count=3 | eval dice=random() % 6 + 1
    """
    # The argument, which the engine ignores, keeps two calls in one search from being taken for the same value.
    tag = v.integer(int(context.names.fresh("random").rpartition("_")[2]))
    drawn = v.call("modulo", v.call("rand64", tag, type=Type.INT), v.integer(2**31), type=Type.INT)
    return v.call("toInt64", drawn, type=Type.INT)


# ---- several numbers -------------------------------------------------------------------------------------------------


def _numbers_of(arguments: list[Value]) -> Value:
    """All arguments' numbers as one array; multivalues with each of their values."""
    pieces = []
    for argument in arguments:
        if argument.type is Type.MULTI:
            item = v.Column(Type.TEXT, "item")
            pieces.append(v.call("arrayMap", v.Lambda(Type.FLOAT, ("item",), v.as_float(item)), argument, type=Type.MULTI))
        else:
            pieces.append(v.call("array", v.as_float(number(argument)), type=Type.MULTI))
    joined = pieces[0] if len(pieces) == 1 else v.call("arrayConcat", *pieces, type=Type.MULTI)
    return present_items(joined)


def _over_numbers(engine_name: str, arguments: list[Value]) -> Value:
    numbers = _numbers_of(arguments)
    some = v.call("notEmpty", numbers, type=Type.BOOL)
    return v.call("if", some, v.call(engine_name, numbers, type=Type.FLOAT), Literal(Type.FLOAT, None), type=Type.FLOAT)


@function("sum", minimum=1, maximum=None)
def sum_(arguments: list[Value], context: Context) -> Value:
    """The sum of the arguments; those that are absent or no number do not count.

    Syntax: sum(<number>, ...)
    Example: | makeresults | eval a=sum(1, 2, 3)
    """
    return _over_numbers("arraySum", arguments)


@function("avg", minimum=1, maximum=None)
def avg(arguments: list[Value], context: Context) -> Value:
    """The mean of the arguments; those that are absent or no number do not count.

    Syntax: avg(<number>, ...)
    Example: | makeresults | eval a=avg(1, 2, 6)
    """
    return _over_numbers("arrayAvg", arguments)


@function("max", minimum=1, maximum=None)
def max_(arguments: list[Value], context: Context) -> Value:
    """The largest of the arguments; numbers compare by size and are below other text. Absent ones do not count.

    Syntax: max(<value>, ...)
    Example: | makeresults | eval a=max(1, 3, "foo"), b=max(9, 10)
    """
    return _extreme("max", arguments)


@function("min", minimum=1, maximum=None)
def min_(arguments: list[Value], context: Context) -> Value:
    """The smallest of the arguments; numbers compare by size and are below other text. Absent ones do not count.

    Syntax: min(<value>, ...)
    Example: | makeresults | eval a=min(1, 3, "foo"), b=min(9, 10)
    """
    return _extreme("min", arguments)


def _extreme(side: str, arguments: list[Value]) -> Value:
    given = [a for a in arguments if a.type is not Type.NULL]
    if not given:
        return v.NULL
    if all(a.type.is_number for a in given):
        type = v.common_type([a.type for a in given])
        same = [v.cast(a, type) for a in given]
        return same[0] if len(same) == 1 else v.call("greatest" if side == "max" else "least", *same, type=type)
    pieces = [v.as_multi(a) for a in given]
    items = pieces[0] if len(pieces) == 1 else v.call("arrayConcat", *pieces, type=Type.MULTI)
    item = v.Column(Type.TEXT, "item")
    # Ordered by whether it is a word, then by number, then by its characters.
    parsed = v.as_float(item)
    key = v.call(
        "tuple",
        v.call("isNull", parsed, type=Type.BOOL),
        v.call("ifNull", parsed, v.real(0), type=Type.FLOAT),
        item,
        type=Type.MULTI,
    )
    ordered = v.call("arraySort", v.Lambda(Type.MULTI, ("item",), key), items, type=Type.MULTI)
    found = v.call("arrayElement", ordered, v.integer(-1 if side == "max" else 1), type=Type.TEXT)
    return v.call("if", v.call("notEmpty", items, type=Type.BOOL), found, Literal(Type.TEXT, None), type=Type.TEXT)


# ---- bits ------------------------------------------------------------------------------------------------------------

_EXACT = 2**53 - 1
"""The largest whole number that every reader of a result keeps exactly."""


def _whole_arguments(arguments: list[Value]) -> list[Value]:
    """The arguments as whole numbers from 0 to the largest exact one; NULL for others."""
    # Constants are narrow for the engine, and their bits would be cut.
    return [v.shared([v.call("toInt64", v.as_integer(number(a)), type=Type.INT)], _of_53_bits) for a in arguments]


def _of_53_bits(value: Value) -> Value:
    inside = v.both([
        v.call("greaterOrEquals", value, v.integer(0), type=Type.BOOL),
        v.call("lessOrEquals", value, int64(_EXACT), type=Type.BOOL),
    ])  # fmt: skip
    return v.call("if", v.is_true(inside), value, Literal(Type.INT, None), type=Type.INT)


def _folded(engine_name: str, arguments: list[Value]) -> Value:
    first, *rest = _whole_arguments(arguments)
    for other in rest:
        first = v.call(engine_name, first, other, type=Type.INT)
    return first


@function("bit_and", minimum=2, maximum=None)
def bit_and(arguments: list[Value], context: Context) -> Value:
    """The bits that all whole numbers have.

    Syntax: bit_and(<number>, <number>, ...)
    Example: | makeresults | eval a=bit_and(5, 3)
    """
    return _folded("bitAnd", arguments)


@function("bit_or", minimum=2, maximum=None)
def bit_or(arguments: list[Value], context: Context) -> Value:
    """The bits that any of the whole numbers has.

    Syntax: bit_or(<number>, <number>, ...)
    Example: | makeresults | eval a=bit_or(5, 3)
    """
    return _folded("bitOr", arguments)


@function("bit_xor", minimum=2, maximum=None)
def bit_xor(arguments: list[Value], context: Context) -> Value:
    """The bits that an odd count of the whole numbers has.

    Syntax: bit_xor(<number>, <number>, ...)
    Example: | makeresults | eval a=bit_xor(5, 3)
    """
    return _folded("bitXor", arguments)


@function("bit_not", minimum=1, maximum=2)
def bit_not(arguments: list[Value], context: Context) -> Value:
    """The bits that a whole number lacks, among those of a mask.

    Syntax: bit_not(<number>[, <mask>])
    Example: | makeresults | eval a=bit_not(5, 15)

    Without a mask, the lowest 53 bits: a result with more could not be shown exactly. As in all functions of bits, a number below
    0 or of more than 53 bits gives NULL, and decimals are cut off.
    """
    value, *rest = _whole_arguments(arguments)
    mask = rest[0] if rest else int64(_EXACT)
    return v.call("bitAnd", v.call("bitNot", value, type=Type.INT), mask, type=Type.INT)


@function("bit_shift_left", minimum=2, maximum=2)
def bit_shift_left(arguments: list[Value], context: Context) -> Value:
    """A whole number with its bits moved up by so many places.

    Syntax: bit_shift_left(<number>, <places>)
    Example: | makeresults | eval a=bit_shift_left(1, 4)

    Bits beyond the lowest 53 are lost.
    """
    return _shifted("bitShiftLeft", arguments)


@function("bit_shift_right", minimum=2, maximum=2)
def bit_shift_right(arguments: list[Value], context: Context) -> Value:
    """A whole number with its bits moved down by so many places.

    Syntax: bit_shift_right(<number>, <places>)
    Example: | makeresults | eval a=bit_shift_right(16, 2)
    """
    return _shifted("bitShiftRight", arguments)


def _shifted(engine_name: str, arguments: list[Value]) -> Value:
    value, places = _whole_arguments(arguments)
    # The engine shifts by 63 places at most; after 53 no bit is left.
    far = v.is_true(v.call("greater", places, v.integer(53), type=Type.BOOL))
    usable = v.call("toUInt8", v.call("if", far, v.integer(53), places, type=Type.INT), type=Type.INT)
    return v.call("bitAnd", v.call(engine_name, value, usable, type=Type.INT), int64(_EXACT), type=Type.INT)
