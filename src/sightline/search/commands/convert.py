"""`convert`: texts that mean numbers as numbers, and times as text or back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.functions.calendar import Zone
from sightline.search.functions.time_formats import read_time, split_format, write_time
from sightline.search.planner import values as v
from sightline.search.planner.lower import undictionaried
from sightline.search.planner.relation import Relation, fill_stars, is_second_name
from sightline.search.planner.values import Column, Lambda, Literal, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, print_name
from sightline.search.syntax.expressions import quote_string, shown

DEFAULT_TIME_FORMAT = "%m/%d/%Y %H:%M:%S"


@dataclass(frozen=True)
class Conversion:
    """One function applied to the fields that a pattern names."""

    function: str
    pattern: str
    target: str = ""
    """A name for the result, with the stars of the pattern; empty to overwrite the field."""
    time_format: str = DEFAULT_TIME_FORMAT


@command("convert")
@dataclass
class Convert(Command):
    """Turns texts into the numbers they mean, times into text, and text into times.

    Syntax: convert [timeformat=<format>] (auto|ctime|dur2sec|memk|mktime|mstime|none|num|rmcomma|rmunit)(<field>)
        [AS <name>]...
    Example: index=web | stats max(_time) AS last by host | convert timeformat="%Y-%m-%d %H:%M" ctime(last)

    `ctime` writes seconds since 1970 as text and `mktime` reads them from text, both by the time format in front of them
    (`%m/%d/%Y %H:%M:%S` unless given, in the search's time zone). `dur2sec` reads `[days+]HH:MM:SS`, `mstime` reads
    `[MM:]SS.SSS`, both give seconds. `memk` reads a size that may end in k, m or g, and gives kilobytes. `rmcomma` takes
    commas away, `rmunit` everything behind a number. `num` makes a number of a plain one, of one with commas, of a
    duration, of minutes with seconds or of a size; what is none of these is removed. `auto` does the same, in one of these
    ways for the whole field, and leaves a field untouched of which any value does not fit.

    Field names may hold `*`; `none` keeps fields out of what the others match by a star. What a function other than `num`
    cannot read stays as it is, and is absent under another name. Of a multivalue, each value.
    """

    conversions: list[Conversion] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Convert:
        found: list[Conversion] = []
        form: str | None = None
        unformatted = 0
        arguments.skip_commas()
        while not arguments.done:
            if arguments.peek().is_word("timeformat") and arguments.peek(1).is_("="):
                form = _read_time_format(arguments)
                # A format behind the functions is theirs when they had none.
                found[:unformatted] = [_with_format(c, form) for c in found[:unformatted]]
                unformatted = 0
            else:
                found.append(_read_conversion(arguments, form or DEFAULT_TIME_FORMAT))
                unformatted += 1 if form is None else 0
            arguments.skip_commas()
        if not found:
            raise SearchError(f"a function such as ctime(_time) is expected, got {shown(arguments.peek())}",
                              arguments.peek().span)  # fmt: skip
        return cls(found)

    def print_arguments(self) -> list[str]:
        parts, form = [], DEFAULT_TIME_FORMAT
        for conversion in self.conversions:
            if conversion.time_format != form:
                form = conversion.time_format
                parts.append(f"timeformat={quote_string(form)}")
            target = f" AS {print_name(conversion.target)}" if conversion.target else ""
            parts.append(f"{conversion.function}({print_name(conversion.pattern)}){target}")
        return parts

    def lower(self, relation: Relation, context: Context) -> Relation:
        kept = {n for c in self.conversions if c.function == "none" for n in relation.matching(c.pattern)}
        for conversion in self.conversions:
            if conversion.function == "none":
                continue
            starred = "*" in conversion.pattern
            names = [n for n in relation.matching(conversion.pattern) if not (starred and n in kept)]
            if conversion.function == "auto":
                relation = _convert_whole_fields(relation, names, conversion, context)
                continue
            for name in names:
                value = relation.field(name)
                if value.type is not Type.NULL and not is_second_name(name, relation.fields):
                    relation = relation.with_field(_target(conversion, name), _converted(conversion, value, context))
        return relation


def _read_time_format(arguments: Arguments) -> str:
    arguments.position += 2
    token = arguments.next()
    if token.kind not in ("word", "string", "quoted"):
        raise SearchError(f"timeformat wants a format, got {shown(token)}", token.span)
    try:
        split_format(token.text, "timeformat")
    except SearchError as error:
        raise error.at(token.span) from None
    return token.text


def _with_format(conversion: Conversion, form: str) -> Conversion:
    return Conversion(conversion.function, conversion.pattern, conversion.target, form)


def _read_conversion(arguments: Arguments, form: str) -> Conversion:
    token = arguments.next()
    function = token.text.lower()
    known = (*_FUNCTIONS, "auto", "ctime", "mktime", "none", "num")
    if token.kind != "word" or function not in known:
        raise SearchError(f"wanted one of {', '.join(sorted(known))}, got {shown(token)}", token.span)
    inner = arguments.parenthesised()
    pattern = arguments.stage.text[inner.start : inner.end].strip()
    if len(pattern) > 1 and pattern[0] == pattern[-1] and pattern[0] in "\"'":
        pattern = pattern[1:-1]
    if not pattern:
        raise SearchError(f"{function} wants a field name in its parentheses", inner)
    target = ""
    if arguments.accept_word("as"):
        place = arguments.peek().span
        target = arguments.name("a name after AS")
        if pattern.count("*") != target.count("*"):
            raise SearchError(
                f'"{pattern}" has {pattern.count("*")} stars and "{target}" has {target.count("*")}: wanted equal numbers',
                place,
            )
    return Conversion(function, pattern, target, form)


def _target(conversion: Conversion, name: str) -> str:
    return fill_stars(conversion.pattern, name, conversion.target) if conversion.target else name


def _converted(conversion: Conversion, value: Value, context: Context) -> Value:
    function = conversion.function
    if value.type.is_number and function not in ("ctime", "mktime"):
        return value
    value = undictionaried(value)
    if function == "ctime":
        zone = Zone.of(context.zone)
        return _each(value, lambda item: write_time(v.as_number(item), conversion.time_format, zone), conversion)
    if function == "mktime":
        zone = Zone.of(context.zone)
        return _each(value, lambda item: read_time(v.as_text(item), conversion.time_format, zone, context.now), conversion)
    if function == "num":
        return _each(value, _any_number, conversion)
    return _each(value, _FUNCTIONS[function], conversion)


def _each(value: Value, read: Callable[[Value], Value], conversion: Conversion) -> Value:
    """`read` of the value, or of each value; what it cannot read is kept unless it goes under another name or by `num`."""
    keep = not conversion.target and conversion.function != "num"
    if value.type is not Type.MULTI:
        return v.shared([value], lambda item: _read_or_kept(item, read(item), keep))
    item = Column(Type.TEXT, "item")
    found = v.as_text(read(item))
    if keep:
        kept = v.call("ifNull", found, item, type=Type.TEXT)
        return v.call("arrayMap", Lambda(Type.TEXT, ("item",), kept), value, type=Type.MULTI)
    made = v.call("arrayMap", Lambda(Type.TEXT, ("item",), found), value, type=Type.MULTI)
    present = v.call("isNotNull", item, type=Type.BOOL)
    filled = v.call("arrayFilter", Lambda(Type.BOOL, ("item",), present), made, type=Type.MULTI)
    return v.call("arrayMap", Lambda(Type.TEXT, ("item",), v.call("assumeNotNull", item, type=Type.TEXT)), filled,
                  type=Type.MULTI)  # fmt: skip


def _read_or_kept(value: Value, found: Value, keep: bool) -> Value:
    if found.type is Type.NULL:
        return value if keep else v.NULL
    return v.choose(v.is_present(found), found, value) if keep else found


# ---- whole fields ----------------------------------------------------------------------------------------------------


def _convert_whole_fields(relation: Relation, names: list[str], conversion: Conversion, context: Context) -> Relation:
    """`auto`: one query tells in which ways every value of each field can be read; the first of them is taken."""
    texts = {
        name: undictionaried(relation.field(name))
        for name in names
        if relation.field(name).type in (Type.TEXT, Type.MULTI) and not is_second_name(name, relation.fields)
    }
    chosen = _ways_that_fit(relation, texts, context)
    for name in names:
        value = undictionaried(relation.field(name))
        way = chosen.get(name)
        if way is not None:
            value = _each(value, _WAYS[way], Conversion("num", name))
        if value.type is not Type.NULL and (way is not None or conversion.target):
            relation = relation.with_field(_target(conversion, name), value)
    return relation


def _ways_that_fit(relation: Relation, texts: dict[str, Value], context: Context) -> dict[str, str]:
    misfits = []
    for position, value in enumerate(texts.values()):
        misfits.append((f"\0values {position}", v.agg("countIf", v.is_present(value), type=Type.INT)))
        for way in _WAYS:
            misfits.append((f"\0{way} {position}", v.agg("countIf", _misfit(value, _WAYS[way]), type=Type.INT)))
    if not misfits:
        return {}
    counts = context.table_of(relation.aggregated([], misfits))
    if context.dry or not counts.num_rows:
        return {}
    row = counts.to_pylist()[0]
    chosen = {}
    for position, name in enumerate(texts):
        fitting = [way for way in _WAYS if not row[f"\0{way} {position}"]]
        if fitting and row[f"\0values {position}"]:
            chosen[name] = fitting[0]
    return chosen


def _misfit(value: Value, read: Callable[[Value], Value]) -> Value:
    """Whether there is a value that cannot be read."""
    item = Column(Type.TEXT, "item")
    if value.type is Type.MULTI:
        unread = v.call("isNull", read(item), type=Type.BOOL)
        return v.call("arrayExists", Lambda(Type.BOOL, ("item",), unread), value, type=Type.BOOL)
    return v.both([v.is_present(value), v.call("isNull", read(value), type=Type.BOOL)])


# ---- one text as a number --------------------------------------------------------------------------------------------

_DECIMAL = r"\d+(?:\.\d*)?|\.\d+"


def _groups(text: Value, pattern: str) -> Callable[[int], Value]:
    """The groups of a pattern that must match the whole text; "" for a group left out, or where it does not match."""
    sure = v.call("ifNull", v.as_text(text), v.text(""), type=Type.TEXT)
    groups = v.call("extractGroups", sure, v.text(rf"^\s*{pattern}\s*$"), type=Type.MULTI)
    return lambda number: v.call("arrayElement", groups, v.integer(number), type=Type.TEXT)


def _number(text: Value) -> Value:
    """What a group holds as a float, 0 where it was left out."""
    return v.call("toFloat64OrZero", text, type=Type.FLOAT)


def _sum(parts: list[tuple[Value, float]]) -> Value:
    total: Value | None = None
    for number, factor in parts:
        term = number if factor == 1 else v.call("multiply", number, v.real(factor), type=Type.FLOAT)
        total = term if total is None else v.call("plus", total, term, type=Type.FLOAT)
    assert total is not None
    return total


def _where_present(group: Value, value: Value) -> Value:
    return v.call("if", v.call("notEmpty", group, type=Type.BOOL), value, Literal(Type.FLOAT, None), type=Type.FLOAT)


def _signed(sign: Value, value: Value) -> Value:
    negative = v.call("equals", sign, v.text("-"), type=Type.BOOL)
    return v.call("if", negative, v.call("negate", value, type=Type.FLOAT), value, type=Type.FLOAT)


def _plain_number(text: Value) -> Value:
    found = v.as_number(text)
    return Literal(Type.FLOAT, None) if found.type is Type.NULL else v.as_float(found)


def _without_commas(text: Value) -> Value:
    return v.call("replaceAll", v.as_text(text), v.text(","), v.text(""), type=Type.TEXT)


def _number_with_commas(text: Value) -> Value:
    return _plain_number(_without_commas(text))


def _without_unit(text: Value) -> Value:
    sure = v.call("ifNull", v.as_text(text), v.text(""), type=Type.TEXT)
    pattern = v.text(rf"^\s*([-+]?(?:{_DECIMAL})(?:[eE][-+]?\d+)?)")
    return v.call("nullIf", v.call("extract", sure, pattern, type=Type.TEXT), v.text(""), type=Type.TEXT)


def _duration_s(text: Value) -> Value:
    group = _groups(text, rf"([-+]?)(?:(\d+)\+)?(\d+):(\d+):({_DECIMAL})")
    parts = [(_number(group(2)), 86400.0), (_number(group(3)), 3600.0), (_number(group(4)), 60.0), (_number(group(5)), 1)]
    seconds = _where_present(group(5), _signed(group(1), _sum(parts)))
    return v.call("ifNull", _plain_number(text), seconds, type=Type.FLOAT)


def _minutes_and_seconds_s(text: Value) -> Value:
    group = _groups(text, rf"([-+]?)(?:(\d+):)?({_DECIMAL})")
    return _where_present(group(3), _signed(group(1), _sum([(_number(group(2)), 60.0), (_number(group(3)), 1)])))


def _kilobytes(text: Value) -> Value:
    group = _groups(text, rf"([-+]?)({_DECIMAL})\s*([kKmMgG]?)(?:[iI]?[bB])?")
    unit = v.call("lower", group(3), type=Type.TEXT)
    factor = v.call(
        "multiIf",
        v.call("equals", unit, v.text("m"), type=Type.BOOL), v.real(1024),
        v.call("equals", unit, v.text("g"), type=Type.BOOL), v.real(1024 * 1024),
        v.real(1), type=Type.FLOAT,
    )  # fmt: skip
    size = v.call("multiply", _number(group(2)), factor, type=Type.FLOAT)
    return _where_present(group(2), _signed(group(1), size))


_FUNCTIONS: dict[str, Callable[[Value], Value]] = {
    "dur2sec": _duration_s,
    "mstime": _minutes_and_seconds_s,
    "memk": _kilobytes,
    "rmcomma": _without_commas,
    "rmunit": _without_unit,
}
_WAYS: dict[str, Callable[[Value], Value]] = {
    "number": _plain_number,
    "commas": _number_with_commas,
    "duration": _duration_s,
    "minutes": _minutes_and_seconds_s,
    "size": _kilobytes,
}
"""The ways in which `auto` and `num` read a number, in the order in which they are tried."""


def _any_number(text: Value) -> Value:
    return v.call("coalesce", *(read(text) for read in _WAYS.values()), type=Type.FLOAT)
