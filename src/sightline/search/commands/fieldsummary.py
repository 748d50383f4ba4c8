"""`fieldsummary`: a row of statistics for each field."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.field_values import by_value, chosen_fields, named, tuple_part
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Lambda, Over, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options

_COLUMNS = ("field", "count", "distinct_count", "is_exact", "max", "mean", "min", "numeric_count", "stdev", "values")


@command("fieldsummary", kind="transforming")
@dataclass
class FieldSummary(Command):
    """Summarises each field: how often it occurs, how many values it has, their range and the most frequent ones.

    Syntax: fieldsummary [maxvals=<number>] [<field>...]
    Example: index=web | fieldsummary maxvals=5 status duration*

    There is a row for each field that occurs, by name: `count` of the rows that have it, `distinct_count` (always exact, so
    `is_exact` is 1), `numeric_count`, and `min`, `max`, `mean` and `stdev` of its numbers. `values` is JSON: the most
    frequent values with how often they occur, at most `maxvals` (0 is all), ties in the order of their characters. A
    multivalue is one occurrence, and each of its values counts. Fields that begin with an underscore are left out unless
    named; a name may hold `*`. It is one statement of the engine, however many fields there are.
    """

    maxvals: int = option(100, minimum=0, help="how many values are listed; 0 is all")
    names: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> FieldSummary:
        names, found = arguments.names_with_options(cls)
        return cls(names=names, **found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *(print_name(name) for name in self.names)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        relation = relation.as_sent()
        chosen = sorted(chosen_fields(relation, self.names))
        return self._summarised(by_value(relation, chosen), chosen)

    def _summarised(self, by_value: Relation, chosen: list[str]) -> Relation:
        """A row per field from the rows per field and value."""
        number, value, count = by_value.field("number"), by_value.field("value"), by_value.field("occurrences")
        numeric = v.as_float(value)
        times = v.call("if", v.is_present(numeric), count, v.Literal(Type.INT, None), type=Type.INT)
        total = v.call("multiply", numeric, times, type=Type.FLOAT)
        by_value, (sum_, counted) = by_value.windowed(
            [
                (hint, Over(Type.FLOAT, v.call("sum", one, type=Type.FLOAT), (number,)))
                for hint, one in (("sum", total), ("n", times))
            ]
        )
        mean = v.call("divide", sum_, counted, type=Type.FLOAT)
        off = v.call("minus", numeric, mean, type=Type.FLOAT)
        square = v.call("multiply", v.call("multiply", off, off, type=Type.FLOAT), times, type=Type.FLOAT)
        squares, several = (
            v.agg("sum", square, type=Type.FLOAT),
            v.call("minus", v.agg("any", counted, type=Type.INT), v.integer(1), type=Type.INT),
        )
        spread = v.call(
            "sqrt",
            v.call("divide", squares, v.call("greatest", several, v.integer(1), type=Type.INT), type=Type.FLOAT),
            type=Type.FLOAT,
        )
        summarised = by_value.aggregated(
            [("number", number)],
            [
                ("count", v.call("toInt64", v.agg("sum", by_value.field("rows"), type=Type.INT), type=Type.INT)),
                ("distinct_count", v.call("toInt64", v.agg("count", type=Type.INT), type=Type.INT)),
                ("is_exact", v.agg("any", v.call("toInt64", v.integer(1), type=Type.INT), type=Type.INT)),
                ("max", v.agg("maxOrNull", numeric, type=Type.FLOAT)),
                ("mean", v.agg("any", mean, type=Type.FLOAT)),
                ("min", v.agg("minOrNull", numeric, type=Type.FLOAT)),
                (
                    "numeric_count",
                    v.call(
                        "toInt64",
                        v.call("ifNull", v.agg("any", counted, type=Type.INT), v.integer(0), type=Type.INT),
                        type=Type.INT,
                    ),
                ),
                ("stdev", spread),
                ("values", _listed(value, count, self.maxvals)),
            ],
        )
        names = named(summarised.field("number"), chosen)
        fields = {"field": names} | summarised.fields
        return dataclasses.replace(summarised, fields={name: fields[name] for name in _COLUMNS})


def _listed(value: Value, count: Value, most: int) -> Value:
    """The most frequent values as JSON text."""
    pair = v.Column(Type.TEXT, "pair")
    pairs = v.agg(
        "groupArray", v.call("tuple", v.call("negate", count, type=Type.INT), value, type=Type.TEXT), type=Type.MULTI
    )
    listed = v.call("arraySort", pairs, type=Type.MULTI)
    if most:
        listed = v.call("arraySlice", listed, v.integer(1), v.integer(most), type=Type.MULTI)
    shown = v.call(
        "concat",
        v.text('{"value":'),
        v.call("toJSONString", tuple_part(pair, 2, Type.TEXT), type=Type.TEXT),
        v.text(',"count":'),
        v.call("toString", v.call("negate", tuple_part(pair, 1, Type.INT), type=Type.INT), type=Type.TEXT),
        v.text("}"),
        type=Type.TEXT,
    )
    joined = v.call(
        "arrayStringConcat",
        v.call("arrayMap", Lambda(Type.TEXT, ("pair",), shown), listed, type=Type.MULTI),
        v.text(","),
        type=Type.TEXT,
    )
    return v.call("concat", v.text("["), joined, v.text("]"), type=Type.TEXT)
