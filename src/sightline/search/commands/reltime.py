"""`reltime`: how long ago a time was, in words."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Literal, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option

_UNITS = (("year", 365 * 86400), ("month", 30 * 86400), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


@command("reltime")
@dataclass
class RelTime(Command):
    """Adds a field that says in words how long ago a time was.

    Syntax: reltime [timefield=<field>|"<field>, <field>..."] [prefix=<text>]
    Example: index=web | reltime

    The field is `reltime`, such as `2 hours ago`: whole units of the largest kind that fits, up to the start of the search.
    A month is 30 days and a year 365. With a prefix it is the prefix and the name of the time field; with several time
    fields and no prefix, `reltime_` and the name. A time to come reads `in 2 hours`. What is no time has none.
    """

    timefield: str = option("_time", help="the fields with times, separated by commas")
    prefix: str = option("", help="what stands before the name of the time field")

    @classmethod
    def read(cls, arguments: Arguments) -> RelTime:
        found = arguments.options(cls)
        if error := arguments.unknown_option(cls):
            raise error
        arguments.finish()
        command = cls(**found)
        if not command.names:
            raise SearchError("timefield names no field", arguments.stage.arguments)
        return command

    @property
    def names(self) -> list[str]:
        """The time fields."""
        return [name for part in self.timefield.split(",") if (name := part.strip())]

    def lower(self, relation: Relation, context: Context) -> Relation:
        names = self.names
        for name in names:
            prefix = self.prefix or ("reltime_" if len(names) > 1 else "")
            value = v.as_float(relation.field(name)) if relation.field(name).type is not Type.NULL else v.NULL
            if value.type is not Type.NULL:
                relation = relation.with_field(f"{prefix}{name}" if prefix else "reltime", _words(value, context.now))
        return relation


def _words(time: Value, now: float) -> Value:
    age = v.call("minus", v.real(float(int(now))), v.call("floor", time, type=Type.FLOAT), type=Type.FLOAT)
    return v.shared([age], _age_in_words)


def _age_in_words(age_s: Value) -> Value:
    size = v.call("abs", age_s, type=Type.FLOAT)
    cases: list[Value] = []
    for name, unit_s in _UNITS:
        count = v.call("toInt64", v.call("floor", v.call("divide", size, v.integer(unit_s), type=Type.FLOAT),
                                         type=Type.FLOAT), type=Type.INT)  # fmt: skip
        one = v.call("equals", count, v.integer(1), type=Type.BOOL)
        words = v.call(
            "concat",
            v.as_text(count),
            v.call("if", one, v.text(f" {name}"), v.text(f" {name}s"), type=Type.TEXT),
            type=Type.TEXT,
        )
        cases += [v.call("greaterOrEquals", size, v.integer(unit_s), type=Type.BOOL), words]
    span = v.call("multiIf", *cases, v.text(""), type=Type.TEXT)
    phrase = v.call(
        "multiIf",
        v.call("equals", age_s, v.integer(0), type=Type.BOOL), v.text("now"),
        v.call("less", age_s, v.integer(0), type=Type.BOOL), v.call("concat", v.text("in "), span, type=Type.TEXT),
        v.call("concat", span, v.text(" ago"), type=Type.TEXT), type=Type.TEXT,
    )  # fmt: skip
    return v.call("if", v.is_present(age_s), phrase, Literal(Type.TEXT, None), type=Type.TEXT)
