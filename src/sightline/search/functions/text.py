"""Functions of text: case, parts, replacement, and text of numbers."""

from __future__ import annotations

import re
from functools import partial
from typing import TYPE_CHECKING

from sightline.errors import SearchError
from sightline.search.functions.arguments import constant_text, constant_whole, each_text, int64, number
from sightline.search.functions.by_row import PRINTF_ALIASES, PRINTF_CONVERSION
from sightline.search.functions.numeric import half_away
from sightline.search.planner import regexes
from sightline.search.planner import values as v
from sightline.search.planner.values import Literal, Type, Value
from sightline.search.registry import function

if TYPE_CHECKING:
    from sightline.search.context import Context


def _text(name: str, *arguments: Value) -> Value:
    return v.call(name, *arguments, type=Type.TEXT)


@function("lower")
def lower(arguments: list[Value], context: Context) -> Value:
    """The text in lower case.

    Syntax: lower(<text>)
    Example: index=web | eval user=lower(user)

    Of a multivalue, each value.
    """
    return each_text(arguments[0], lambda text: _text("lowerUTF8", text))


@function("upper")
def upper(arguments: list[Value], context: Context) -> Value:
    """The text in upper case.

    Syntax: upper(<text>)
    Example: index=web | eval method=upper(method)

    Of a multivalue, each value.
    """
    return each_text(arguments[0], lambda text: _text("upperUTF8", text))


@function("len", "length")
def len_(arguments: list[Value], context: Context) -> Value:
    """How many characters the text has.

    Syntax: len(<text>)
    Example: index=web | eval size=len(_raw)
    """
    return v.call("toInt64", v.call("lengthUTF8", v.as_text(arguments[0]), type=Type.INT), type=Type.INT)


@function("substr", minimum=2, maximum=3)
def substr(arguments: list[Value], context: Context) -> Value:
    """A part of a text, from a position on, with so many characters or all that follow.

    Syntax: substr(<text>, <start>[, <length>])
    Example: | makeresults | eval a=substr("string", 1, 3), b=substr("string", -3)

    Positions count from 1; negative ones from the end.
    """
    start = v.as_integer(number(arguments[1]))
    length = v.as_integer(number(arguments[2])) if len(arguments) > 2 else None
    given = [x for x in (start, length) if x is not None]
    if isinstance(length, Literal):
        length = length if length.value is None else v.integer(max(length.value, 0))
    elif length is not None:
        length = v.call("greatest", length, int64(0), type=Type.INT)

    def part(text: Value) -> Value:
        from_end = v.call("plus", v.call("lengthUTF8", text, type=Type.INT), v.integer(1), type=Type.INT)
        counted = v.call("greatest", v.call("plus", from_end, start, type=Type.INT), int64(1), type=Type.INT)
        first: Value
        if isinstance(start, Literal) and start.value is not None:
            first = counted if start.value < 0 else v.integer(max(start.value, 1))
        else:
            negative = v.call("less", start, v.integer(0), type=Type.BOOL)
            forward = v.call("greatest", start, int64(1), type=Type.INT)
            first = v.call("if", negative, counted, forward, type=Type.INT)
        found = _text("substringUTF8", text, first, *([length] if length is not None else []))
        absent = v.both([v.is_present(x) for x in given])
        return found if absent in (v.TRUE, Literal(Type.BOOL, True)) else _where(absent, found)

    return each_text(arguments[0], part)


def _where(condition: Value, value: Value) -> Value:
    return v.call("if", condition, value, Literal(value.type, None), type=value.type)


def _trim(name: str, engine_name: str, arguments: list[Value]) -> Value:
    if len(arguments) > 1 and v.is_null(arguments[1]):
        return Literal(Type.TEXT, None)
    if len(arguments) > 1 and not isinstance(arguments[1], Literal):
        return each_text(arguments[0], lambda text: v.shared([text, v.as_text(arguments[1])], _TRIMS[name]))
    characters = " \t" if len(arguments) == 1 else constant_text(arguments[1], f"the characters that {name} takes away")
    if not characters:
        return each_text(arguments[0], lambda text: text)
    if not characters.isascii():
        # The engine's own function goes by bytes.
        one = "[" + "".join(re.escape(c) for c in characters) + "]+"
        pattern = {"trim": f"^{one}|{one}$", "ltrim": f"^{one}", "rtrim": f"{one}$"}[name]
        return each_text(arguments[0], lambda text: _text("replaceRegexpAll", text, v.text(pattern), v.text("")))
    return each_text(arguments[0], lambda text: _text(engine_name, text, v.text(characters)))


def _trimmed(text: Value, characters: Value, left: bool, right: bool) -> Value:
    """The text without the characters that each row names at its ends."""
    one = v.Column(Type.TEXT, "one")
    sure = _text("ifNull", text, v.text(""))
    letters = v.call("extractAll", sure, v.text("(?s)."), type=Type.MULTI)
    named = _text("ifNull", characters, v.text(""))
    stays = v.call("equals", v.call("position", named, one, type=Type.INT), v.integer(0), type=Type.BOOL)
    test = v.Lambda(Type.BOOL, ("one",), stays)
    first = v.call("arrayFirstIndex", test, letters, type=Type.INT)
    last = v.call("arrayLastIndex", test, letters, type=Type.INT)
    start = first if left else v.integer(1)
    end = last if right else v.call("length", letters, type=Type.INT)
    size = v.call("minus", v.call("plus", end, v.integer(1), type=Type.INT), start, type=Type.INT)
    kept = v.call("arraySlice", letters, v.call("greatest", start, v.integer(1), type=Type.INT), size, type=Type.MULTI)
    nothing = v.call("equals", first, v.integer(0), type=Type.BOOL)
    part = _text("if", nothing, v.text(""), _text("arrayStringConcat", kept))
    return _where(v.both([v.is_present(text), v.is_present(characters)]), part)


_TRIMS = {
    "trim": partial(_trimmed, left=True, right=True),
    "ltrim": partial(_trimmed, left=True, right=False),
    "rtrim": partial(_trimmed, left=False, right=True),
}


@function("trim", minimum=1, maximum=2)
def trim(arguments: list[Value], context: Context) -> Value:
    """The text without spaces and tabs, or other given characters, at both ends.

    Syntax: trim(<text>[, <characters>])
    Example: | makeresults | eval a=trim("  a "), b=trim("xxaxx", "x")

    Of a multivalue, each value. The characters may differ by row.
    """
    return _trim("trim", "trimBoth", arguments)


@function("ltrim", minimum=1, maximum=2)
def ltrim(arguments: list[Value], context: Context) -> Value:
    """The text without spaces and tabs, or other given characters, at its beginning.

    Syntax: ltrim(<text>[, <characters>])
    Example: | makeresults | eval a=ltrim("007", "0")

    Of a multivalue, each value. The characters may differ by row.
    """
    return _trim("ltrim", "trimLeft", arguments)


@function("rtrim", minimum=1, maximum=2)
def rtrim(arguments: list[Value], context: Context) -> Value:
    """The text without spaces and tabs, or other given characters, at its end.

    Syntax: rtrim(<text>[, <characters>])
    Example: | makeresults | eval a=rtrim("a/b//", "/")

    Of a multivalue, each value. The characters may differ by row.
    """
    return _trim("rtrim", "trimRight", arguments)


@function("replace", minimum=3, maximum=3)
def replace(arguments: list[Value], context: Context) -> Value:
    r"""The text with every match of a regular expression replaced.

    Syntax: replace(<text>, <regex>, <replacement>)
    Example: | makeresults | eval a=replace("2023-11-14", "(\d+)-(\d+)-(\d+)", "\3.\2.\1")

    `\1` in the replacement is what the first group matched. Of a multivalue, each value. Look-around and back-references
    in the expression work, row by row and so more slowly; so does an expression that is no constant.
    """
    value, pattern, replacement = arguments
    if Type.NULL in (value.type, pattern.type, replacement.type):
        return Literal(Type.TEXT, None)
    if isinstance(pattern, Literal) and isinstance(replacement, Literal):
        given, inserted = str(v.as_text(pattern).value), str(v.as_text(replacement).value)  # type: ignore[attr-defined]
        return each_text(value, lambda text: regexes.replace(text, given, inserted))
    return each_text(value, lambda text: regexes.replace_any(text, v.as_text(pattern), v.as_text(replacement)))


@function("split", minimum=2, maximum=2)
def split(arguments: list[Value], context: Context) -> Value:
    """The parts of a text between separators, as a multivalue.

    Syntax: split(<text>, <separator>)
    Example: | makeresults | eval a=split("a,b,c", ",")

    Without the separator in it, the text is the only part. An empty separator gives the characters.
    """
    text, separator = v.as_text(arguments[0]), v.as_text(arguments[1])
    if Type.NULL in (arguments[0].type, arguments[1].type):
        return v.EMPTY_MULTI
    sure = _text("ifNull", text, v.text(""))
    if isinstance(separator, Literal) and separator.value == "":
        return v.call("extractAll", _text("toValidUTF8", sure), v.text("(?s)."), type=Type.MULTI)
    if not isinstance(separator, Literal):
        # The engine splits at constants only: a control character stands in.
        sure = _text("replaceAll", sure, _text("ifNull", separator, v.text("")), v.text("\x1f"))
        separator = v.text("\x1f")
    parts = v.call("splitByString", separator, sure, type=Type.MULTI)
    present = v.both([v.is_present(text), v.is_present(v.as_text(arguments[1]))])
    return v.call("if", present, parts, v.EMPTY_MULTI, type=Type.MULTI)


@function("urldecode")
def urldecode(arguments: list[Value], context: Context) -> Value:
    """The text with its %xx escapes decoded.

    Syntax: urldecode(<text>)
    Example: | makeresults | eval a=urldecode("http%3A%2F%2Fexample.org")

    A plus sign stays one. Of a multivalue, each value.
    """
    return each_text(arguments[0], lambda text: _text("toValidUTF8", _text("decodeURLComponent", text)))


# ---- text of numbers -------------------------------------------------------------------------------------------------


@function("tonumber", minimum=1, maximum=2)
def tonumber(arguments: list[Value], context: Context) -> Value:
    """The number that a text spells, in base 10 or another one; NULL for other text.

    Syntax: tonumber(<text>[, <base>])
    Example: | makeresults | eval a=tonumber("42"), b=tonumber("ff", 16)

    The base must be a constant from 2 to 36.
    """
    if len(arguments) == 1:
        return v.as_number(arguments[0])
    if v.is_null(arguments[1]):
        return Literal(Type.FLOAT, None)
    base = constant_whole(arguments[1], "the base", 2, 36)
    if base == 10:
        return v.as_number(arguments[0])
    digits = "0123456789abcdefghijklmnopqrstuvwxyz"[:base]
    text = _text("lower", v.as_text(arguments[0]))
    if base == 16:
        text = _text("replaceRegexpOne", text, v.text("^(-?)0x"), v.text("\\1"))
    shape = v.text(f"^-?[{digits}]{{1,60}}$")
    valid = v.is_true(v.call("match", text, shape, type=Type.BOOL))
    item, total = v.Column(Type.TEXT, "digit"), v.Column(Type.INT, "total")
    place = v.call("minus", v.call("position", v.text(digits), item, type=Type.INT), v.integer(1), type=Type.INT)
    step = v.call("plus", v.call("multiply", total, v.integer(base), type=Type.FLOAT), place, type=Type.FLOAT)
    plain = _text("ifNull", _text("trimLeft", text, v.text("-")), v.text(""))
    characters = v.call("splitByString", v.text(""), plain, type=Type.MULTI)
    zero = v.call("toFloat64", v.integer(0), type=Type.FLOAT)
    amount = v.call("arrayFold", v.Lambda(Type.FLOAT, ("total", "digit"), step), characters, zero, type=Type.FLOAT)
    negative = v.call("startsWith", text, v.text("-"), type=Type.BOOL)
    signed = v.call("if", v.is_true(negative), v.call("negate", amount, type=Type.FLOAT), amount, type=Type.FLOAT)
    return v.whole(_where(valid, signed))


@function("tostring", minimum=1, maximum=2)
def tostring(arguments: list[Value], context: Context) -> Value:
    """The value as text; a number also with thousands separated, as hexadecimal or binary, or as a duration.

    Syntax: tostring(<value>[, "commas" | "hex" | "binary" | "duration"])
    Example: | makeresults | eval a=tostring(1234567.891, "commas"), b=tostring(615, "duration"), c=tostring(1=1)

    A condition gives True or False. `commas` keeps two decimals, `hex` and `binary` cut them off, `duration` reads seconds and
    writes days+HH:MM:SS. With a format, what is no number is NULL. The format may differ by row; one that there is not gives NULL.
    """
    value = arguments[0]
    if len(arguments) == 1:
        if value.type is not Type.BOOL:
            return value if value.type is Type.MULTI else v.as_text(value)
        words = v.call("if", value, v.text("True"), v.text("False"), type=Type.TEXT)
        return _where(v.is_present(value), words)
    if arguments[1].type is Type.NULL:
        return Literal(Type.TEXT, None)
    if not isinstance(arguments[1], Literal):
        return v.shared([number(value), v.as_text(arguments[1])], _formatted_by_row)
    form = constant_text(arguments[1], "the format of tostring").lower()
    if form not in _FORMATS:
        raise SearchError(f'tostring has no format "{form}", wanted one of: {", ".join(_FORMATS)}')
    return _FORMATS[form](number(value))


def _formatted_by_row(value: Value, form: Value) -> Value:
    """The value in the format that a row names; NULL for one that there is not."""
    cases: list[Value] = []
    for name, write in _FORMATS.items():
        cases += [v.is_true(v.call("equals", form, v.text(name), type=Type.BOOL)), write(value)]
    return v.call("multiIf", *cases, Literal(Type.TEXT, None), type=Type.TEXT)


def with_commas(value: Value) -> Value:
    """A number with commas between thousands, and two decimals unless it is whole."""
    size = v.call("abs", value, type=value.type)
    if value.type is Type.INT:
        grouped = _grouped(size)
    else:
        cents = half_away(v.call("multiply", size, v.integer(100), type=Type.FLOAT))
        units = v.call("floor", v.call("divide", cents, v.integer(100), type=Type.FLOAT), type=Type.FLOAT)
        rest = v.whole(v.call("minus", cents, v.call("multiply", units, v.integer(100), type=Type.FLOAT), type=Type.FLOAT))
        decimals = _text("concat", v.text("."), _text("leftPad", v.as_text(rest), v.integer(2), v.text("0")))
        is_whole = v.call("equals", size, v.call("floor", size, type=Type.FLOAT), type=Type.BOOL)
        grouped = _text("concat", _grouped(v.whole(units)), _text("if", is_whole, v.text(""), decimals))
    return _signed(value, grouped)


def _signed(value: Value, size: Value) -> Value:
    sign = _text("if", v.call("less", value, v.integer(0), type=Type.BOOL), v.text("-"), v.text(""))
    return _text("concat", sign, size)


def _grouped_decimals(size: Value) -> Value:
    """Text of a number with commas between thousands, its decimals as they are."""
    whole = _text("splitByChar", v.text("."), size)
    decimals = _text("replaceRegexpOne", size, v.text("^[0-9]+"), v.text(""))
    return _text("concat", _grouped(_text("arrayElement", whole, v.integer(1))), decimals)


def _grouped(size: Value) -> Value:
    backwards = _text("replaceRegexpAll", _text("reverse", v.as_text(size)), v.text("([0-9]{3})"), v.text("\\1,"))
    return _text("reverse", _text("trimRight", backwards, v.text(",")))


def _as_hex(value: Value) -> Value:
    size = v.call("toUInt64", v.call("abs", v.as_integer(value), type=Type.INT), type=Type.INT)
    digits = _text("replaceRegexpOne", _text("hex", size), v.text("^0+(.)"), v.text("\\1"))
    sign = _text("if", v.call("less", value, v.integer(0), type=Type.BOOL), v.text("-0x"), v.text("0x"))
    return _text("concat", sign, digits)


def _as_binary(value: Value) -> Value:
    size = v.call("toUInt64", v.call("abs", v.as_integer(value), type=Type.INT), type=Type.INT)
    return _signed(value, _text("replaceRegexpOne", _text("bin", size), v.text("^0+(.)"), v.text("\\1")))


def _as_duration(value: Value) -> Value:
    size = v.call("abs", value, type=value.type)
    seconds = v.as_integer(size)

    def part(divisor: int, modulus: int | None) -> Value:
        quotient = v.call("intDiv", seconds, v.integer(divisor), type=Type.INT)
        return quotient if modulus is None else v.call("modulo", quotient, v.integer(modulus), type=Type.INT)

    def padded(unit: Value) -> Value:
        return _text("leftPad", v.as_text(unit), v.integer(2), v.text("0"))

    days = part(86400, None)
    before = _text("concat", v.as_text(days), v.text("+"))
    before = _text("if", v.call("greater", days, v.integer(0), type=Type.BOOL), before, v.text(""))
    sign = _text("if", v.call("less", value, v.integer(0), type=Type.BOOL), v.text("-"), v.text(""))
    clock = [padded(part(3600, 24)), v.text(":"), padded(part(60, 60)), v.text(":"), padded(part(1, 60))]
    pieces = [sign, before, *clock]
    if value.type is Type.FLOAT:
        rest = v.call("minus", size, v.call("floor", size, type=Type.FLOAT), type=Type.FLOAT)
        micros = v.as_integer(half_away(v.call("multiply", rest, v.integer(1_000_000), type=Type.FLOAT)))
        shown = _text("concat", v.text("."), _text("leftPad", v.as_text(micros), v.integer(6), v.text("0")))
        some = v.call("greater", micros, v.integer(0), type=Type.BOOL)
        pieces.append(_text("if", some, shown, v.text("")))
    return _text("concat", *pieces)


_FORMATS = {"commas": with_commas, "hex": _as_hex, "binary": _as_binary, "duration": _as_duration}

_FLOATS = "fFeEgGaA"
_UNSIGNED = "uoxX"


@function("printf", minimum=1, maximum=None)
def printf(arguments: list[Value], context: Context) -> Value:
    """Text made from a format and values, as in C.

    Syntax: printf("<format>", <value>, ...)
    Example: | makeresults | eval a=printf("%05.2f of %s", 3.14159, "pi")

    Conversions: %d %i %u %o %x %X or %p %f %F %e %E %g %G %a %A %c %s or %z %%, with the flags - + 0 # ' and space, a width
    and a precision, each of which may be `*` for a constant argument. %c is the character with that number, of other text the
    first one. An absent value gives NULL. A format that differs by row is read row by row and so more slowly; it may not hold
    %a, and gives NULL where the values do not fit it.
    """
    if v.is_null(arguments[0]):
        return Literal(Type.TEXT, None)
    if not isinstance(arguments[0], Literal):
        return _printed_by_row(v.as_text(arguments[0]), arguments[1:])
    form = constant_text(arguments[0], "the format of printf")
    rest = list(arguments[1:])

    def next_argument(conversion: str) -> Value:
        if not rest:
            raise SearchError(f'printf has no value for "{conversion}" of "{form}"')
        return rest.pop(0)

    pieces: list[Value] = []
    position = 0
    for found in PRINTF_CONVERSION.finditer(form):
        if found.start() > position:
            pieces.append(v.text(form[position : found.start()]))
        position = found.end()
        flags, width, precision, letter = found.groups()
        if letter == "%":
            pieces.append(v.text("%"))
            continue
        if width == "*":
            width = str(constant_whole(next_argument(found.group()), "a width of printf", -1000, 1000))
            if width.startswith("-"):
                flags, width = flags + "-", width[1:]
        if precision == "*":
            precision = str(constant_whole(next_argument(found.group()), "a precision of printf", 0, 1000))
        if int(width or 0) > 1000 or int(precision or 0) > 1000:
            raise SearchError(f'printf takes widths and precisions up to 1000, got "{found.group()}"')
        size = (width or "") + (f".{precision}" if precision is not None else "")
        pieces.append(_converted(flags, size, letter, found.group(), next_argument(found.group())))
    pieces.append(v.text(form[position:]))
    if rest:
        raise SearchError(f'printf takes {len(arguments) - 1 - len(rest)} values for "{form}", got {len(arguments) - 1}')
    return _text("concat", *pieces, v.text(""))


def _printed_by_row(form: Value, values: list[Value]) -> Value:
    nullable = [v.call("toNullable", v.as_text(value), type=Type.TEXT) for value in values]
    listed = _text("toJSONString", v.call("array", *nullable, type=Type.MULTI)) if nullable else v.text("[]")
    return _text("printf_row", form, listed)


def _converted(flags: str, size: str, letter: str, conversion: str, value: Value) -> Value:
    letter = PRINTF_ALIASES.get(letter, letter)
    grouped = "'" in flags
    flags = "".join(dict.fromkeys(flags.replace("'", "")))
    if letter and letter in "di":
        found = v.as_integer(number(value))
        if grouped:
            shown = _text("printf", v.text(f"%{flags.replace('0', '')}{size}s"), with_commas(found))
        else:
            shown = _text("printf", v.text(f"%{flags}{size}d"), v.call("toInt64", found, type=Type.INT))
        return _nothing_for_zero(size, found, shown)
    if letter and letter in _UNSIGNED:
        found = v.call("toUInt64", v.as_integer(number(value)), type=Type.INT)
        return _nothing_for_zero(size, found, _text("printf", v.text(f"%{flags}{size}{letter}"), found))
    if letter and letter in _FLOATS:
        found = v.as_float(number(value))
        if grouped and letter in "fF":
            width, point, precision = size.partition(".")
            plain = _text("printf", v.text(f"%{point}{precision}f"), v.call("abs", found, type=Type.FLOAT))
            return _text("printf", v.text(f"%{flags.replace('0', '')}{width}s"), _signed(found, _grouped_decimals(plain)))
        return _text("printf", v.text(f"%{flags}{size}{letter}"), found)
    if letter and letter in "sc":
        text = v.as_text(value) if letter == "s" else _character(value)
        kept = "".join(flag for flag in flags if flag == "-")
        return _text("printf", v.text(f"%{kept}{size}s"), text)
    raise SearchError(
        f'printf has no conversion "{conversion}"', hint="conversions are d i u o x X p f F e E g G a A c s z and %%"
    )


def _nothing_for_zero(size: str, found: Value, shown: Value) -> Value:
    """A whole number as it is shown: with a precision of 0, zero has no digits."""
    width, _, precision = size.partition(".")
    if precision != "0":
        return shown
    none = _text("printf", v.text(f"%{width}s"), v.text(""))
    return _text("if", v.is_true(v.call("equals", found, v.integer(0), type=Type.BOOL)), none, shown)


def _character(value: Value) -> Value:
    """The character with a number, as UTF-8; of text that is no number the first one."""
    first = _text("substringUTF8", v.as_text(value), v.integer(1), v.integer(1))
    if isinstance(value, Literal) and value.type is Type.TEXT:
        return first
    return v.shared([v.as_integer(number(value)), first], _numbered_character)


def _numbered_character(code: Value, otherwise: Value) -> Value:
    def below(limit: int) -> Value:
        return v.is_true(v.call("less", code, v.integer(limit), type=Type.BOOL))

    def octets(lead: int, length: int) -> Value:
        """The bits of the number, six to an octet from the right, after those that tell the length."""
        shifts = [v.call("bitShiftRight", code, v.integer(6 * place), type=Type.INT) for place in reversed(range(length))]
        rest = [v.call("bitAnd", shift, v.integer(0x3F), type=Type.INT) for shift in shifts[1:]]
        marked = [v.call("bitOr", v.integer(0x80), bits, type=Type.INT) for bits in rest]
        return _text("char", v.call("bitOr", v.integer(lead), shifts[0], type=Type.INT), *marked)

    none = Literal(Type.TEXT, None)
    missing = v.call("isNull", code, type=Type.BOOL)
    # From D800 to DFFF stand halves of characters, which UTF-8 does not write.
    return v.call(
        "multiIf",
        missing, otherwise,
        below(0), none,
        below(0x80), _text("char", code),
        below(0x800), octets(0xC0, 2),
        below(0xD800), octets(0xE0, 3),
        below(0xE000), none,
        below(0x10000), octets(0xE0, 3),
        below(0x110000), octets(0xF0, 4),
        none,
        type=Type.TEXT,
    )  # fmt: skip
