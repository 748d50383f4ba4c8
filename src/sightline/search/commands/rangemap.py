"""`rangemap`: names for the ranges that numbers lie in."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from itertools import combinations

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Column, Lambda, Literal, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options
from sightline.search.syntax.expressions import shown

_RANGE = re.compile(r"\s*(-?\d+(?:\.\d+)?)\s*-\s*(-?\d+(?:\.\d+)?)\s*\Z")


@dataclass(frozen=True)
class Range:
    """A named range of numbers, both ends included."""

    name: str
    low: int | float
    high: int | float

    def __str__(self) -> str:
        return f"{print_name(self.name)}={self.low}-{self.high}"


@command("rangemap")
@dataclass
class RangeMap(Command):
    """Sets `range` to the name of the range that a number lies in.

    Syntax: rangemap field=<field> [<name>=<low>-<high>]... [default=<text>]
    Example: index=web | stats count by host | rangemap field=count low=0-100 elevated=101-1000 default=severe

    Both ends belong to a range. A number in several ranges gets all their names, as a multivalue. What lies in none, is
    absent or is no number gets the default, `None`. Of a multivalue, the ranges of all its values.
    """

    source: str = option("", name="field", help="the field with the number")
    default: str = option("None", help="the name for what lies in no range")
    ranges: list[Range] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> RangeMap:
        ranges: list[Range] = []
        found: dict[str, str] = {}
        while not arguments.done:
            found.update(arguments.options(cls))
            if not arguments.done:
                ranges.append(_read_range(arguments))
            arguments.skip_commas()
        if not found.get("source"):
            raise SearchError("field=<field> is missing", arguments.stage.arguments)
        return cls(ranges=ranges, **found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *(str(r) for r in self.ranges)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        value = relation.field(self.source)
        if value.type is Type.NULL:
            return relation.with_field("range", v.text(self.default))
        if value.type is not Type.MULTI and not _overlap(self.ranges):
            found = v.shared([_number(value)], self._one_name)
        else:
            found = v.shared([value], self._all_names)
        return relation.with_field("range", found)

    def _one_name(self, number: Value) -> Value:
        cases = [part for r in self.ranges for part in (_inside(number, r), v.text(r.name))]
        return v.call("multiIf", *cases, v.text(self.default), type=Type.TEXT) if cases else v.text(self.default)

    def _all_names(self, value: Value) -> Value:
        if not self.ranges:
            return v.text(self.default)
        names = [v.call("if", _inside_any(value, r), v.text(r.name), v.text(""), type=Type.TEXT) for r in self.ranges]
        item = Column(Type.TEXT, "name")
        some = Lambda(Type.BOOL, ("name",), v.call("notEmpty", item, type=Type.BOOL))
        found = v.call("arrayFilter", some, v.call("array", *names, type=Type.MULTI), type=Type.MULTI)
        return v.call("if", v.is_present(found), found, v.multi([self.default]), type=Type.MULTI)


def _read_range(arguments: Arguments) -> Range:
    token = arguments.next()
    if token.kind not in ("word", "string", "quoted") or not arguments.accept("="):
        raise SearchError(f"a range such as low=0-100 is expected, got {shown(token)}", token.span)
    given = arguments.next()
    match = _RANGE.match(given.text) if given.kind in ("word", "string", "quoted") else None
    if match is None:
        raise SearchError(f'the range "{token.text}" wants two numbers such as 0-100, got {shown(given)}', given.span)
    low, high = (v.numeric_literal(text) for text in match.groups())
    assert low is not None and high is not None
    if low > high:
        raise SearchError(f'the range "{token.text}" begins above its end: {given.text}', given.span)
    return Range(token.text, low, high)


def _overlap(ranges: list[Range]) -> bool:
    return any(a.low <= b.high and b.low <= a.high for a, b in combinations(ranges, 2))


def _number(value: Value) -> Value:
    number = v.as_number(value)
    return Literal(Type.FLOAT, None) if number.type is Type.NULL else number


def _inside(number: Value, range: Range) -> Value:
    return v.is_true(
        v.both([
            v.call("greaterOrEquals", number, v.number(range.low), type=Type.BOOL),
            v.call("lessOrEquals", number, v.number(range.high), type=Type.BOOL),
        ])
    )  # fmt: skip


def _inside_any(value: Value, range: Range) -> Value:
    if value.type is not Type.MULTI:
        return _inside(_number(value), range)
    item = Column(Type.TEXT, "item")
    return v.call("arrayExists", Lambda(Type.BOOL, ("item",), _inside(_number(item), range)), value, type=Type.BOOL)
