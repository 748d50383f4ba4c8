"""`fillnull` and `filldown`: something in the place of values that rows lack."""

from __future__ import annotations

from dataclasses import dataclass, field

from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation, is_second_name
from sightline.search.planner.values import Over, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options


@command("fillnull")
@dataclass
class FillNull(Command):
    """Puts a value where rows have none.

    Syntax: fillnull [value=<text>] [<field>...]
    Example: index=web | stats sum(bytes) by host | fillnull value=0

    Without fields it fills every field that any of the rows has, except those that begin with an underscore. A named field
    that no row has is made. The value is a number where it looks like one and the field holds numbers. An empty text is a
    value and stays.
    """

    value: str = option("0", help="what to put")
    names: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> FillNull:
        names, found = arguments.names_with_options(cls)
        return cls(names=names, **found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), ", ".join(print_name(n) for n in self.names)] if self.names else print_options(self)

    def lower(self, relation: Relation, context: Context) -> Relation:
        if self.names:
            names = [n for name in self.names for n in ([name] if "*" not in name else relation.matching(name))]
        else:
            names = [n for n in relation.fields if not n.startswith("_")]
            if relation.kind == "events":
                names = fields_with_values(relation, names, context)
        for name in names:
            relation = relation.with_field(name, self._filled(relation.field(name)))
        return relation

    def _filled(self, value: Value) -> Value:
        number = v.numeric_literal(self.value)
        fill: Value = v.text(self.value) if number is None else v.number(number)
        if value.type is Type.NULL or (isinstance(value, v.Literal) and not v.is_present(value).value):  # type: ignore[attr-defined]
            return fill
        if value.type is Type.TEXT:
            fill = v.text(self.value)
        return v.choose(v.is_present(value), value, fill)


def fields_with_values(relation: Relation, names: list[str], context: Context) -> list[str]:
    """Those fields that any row has. Events offer every field of their indexes, most of which these rows may not have."""
    present = [
        (name, v.agg("max", v.call("toInt64", v.is_present(relation.field(name)), type=Type.INT), type=Type.INT))
        for name in names
        if relation.field(name).type is not Type.NULL and not is_second_name(name, relation.fields)
    ]
    if not present or context.dry:
        return names
    table = context.table_of(relation.aggregated([], [(f"\0{n}", value) for n, (_, value) in enumerate(present)]))
    return [name for n, (name, _) in enumerate(present) if table.num_rows and table[f"\0{n}"][0].as_py()]


@command("filldown")
@dataclass
class FillDown(Command):
    """Puts the last value above where rows have none.

    Syntax: filldown [<field>...]
    Example: index=web | sort _time | filldown host, user

    Without fields it fills all, except those that begin with an underscore. Names may hold `*`. Rows before the first value
    stay without one.
    """

    names: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> FillDown:
        return cls(arguments.names(required=False))

    def print_arguments(self) -> list[str]:
        return [", ".join(print_name(n) for n in self.names)] if self.names else []

    def lower(self, relation: Relation, context: Context) -> Relation:
        patterns = self.names or ["*"]
        names = [
            n
            for n in dict.fromkeys(n for p in patterns for n in relation.matching(p))
            if not is_second_name(n, relation.fields)
        ]
        values = [relation.field(name) for name in names]
        wanted = [
            (name, value)
            for name, value in zip(names, values, strict=True)
            if value.type is not Type.NULL and not isinstance(value, v.Literal)
        ]
        if not wanted:
            return relation
        relation, position = relation.numbered()
        order = ((position, False),)
        frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
        columns = []
        for name, value in wanted:
            last = v.call("anyLastIf", value, v.is_present(value), type=value.type)
            columns.append((name, Over(value.type, last, (), order, frame)))
        relation, filled = relation.windowed(columns)
        for (name, _), column in zip(wanted, filled, strict=True):
            relation = relation.with_field(name, column)
        return relation
