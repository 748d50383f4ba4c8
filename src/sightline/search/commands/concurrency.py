"""`concurrency`: how many events were going on when each began."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Over, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option


@command("concurrency", kind="dataset")
@dataclass
class Concurrency(Command):
    """Counts, for each event, how many events were going on when it began.

    Syntax: concurrency duration=<field> [start=<field>] [output=<field>]
    Example: index=traces | concurrency duration=seconds

    An event goes on from its start to its start plus its duration, both included, so that it counts itself, and events that
    begin at the same moment count each other. The duration has the unit of the start, seconds for `_time`. An event without
    a number in one of the two, or with a negative duration, counts for nobody and gets no count.
    """

    duration: str = option("", help="the field with the length, needed")
    start: str = option("_time", help="the field with the beginning")
    output: str = option("concurrency", help="the field to put the count in")

    @classmethod
    def read(cls, arguments: Arguments) -> Concurrency:
        found = arguments.options(cls)
        if error := arguments.unknown_option(cls):
            raise error
        arguments.finish()
        for name in ("duration", "start", "output"):
            if not found.get(name, "-" if name != "duration" else ""):
                raise SearchError(f"{name}=<field> is wanted", arguments.stage.arguments)
        return cls(**found)

    def lower(self, relation: Relation, context: Context) -> Relation:
        start, length = v.as_float(relation.field(self.start)), v.as_float(relation.field(self.duration))
        if Type.NULL in (start.type, length.type) or v.Literal(Type.FLOAT, None) in (start, length):
            return relation.with_field(self.output, v.NULL)
        relation = relation.with_fields({**relation.fields, "\0start": start, "\0length": length}).settled()
        start, length = relation.field("\0start"), relation.field("\0length")
        known = v.is_true(v.both([v.is_present(start), v.compare(">=", length, v.real(0.0))]))
        # A row becomes its beginning and its end; at one moment, beginnings come before ends.
        moments = [_moment(start, 0), _moment(v.call("plus", start, length, type=Type.FLOAT), 1)]
        none = _moment(v.Literal(Type.FLOAT, None), 0)
        both = v.call("array", *moments, type=Type.MULTI)
        turns = v.call("if", known, both, v.call("array", none, type=Type.MULTI), type=Type.MULTI)
        relation, turn = relation.unnested(turns, "turn")
        moment, ends = (v.call("tupleElement", turn, v.integer(k), type=t) for k, t in ((1, Type.FLOAT), (2, Type.INT)))
        change = v.call("minus", v.integer(1), v.call("multiply", ends, v.integer(2), type=Type.INT), type=Type.INT)
        present = v.is_present(moment)
        over = Over(Type.INT, v.call("sum", change, type=Type.INT), (present,), ((moment, False), (ends, False)))
        relation, (count,) = relation.windowed([("count", over)])
        relation = relation.filtered(v.compare("=", ends, v.integer(0)))
        counted = v.choose(present, v.call("toInt64", count, type=Type.INT), v.NULL)
        fields = {name: value for name, value in relation.fields.items() if name not in ("\0start", "\0length")}
        return dataclasses.replace(relation, fields={**fields, self.output: counted}).settled()


def _moment(time: Value, kind: int) -> Value:
    return v.call("tuple", v.call("toNullable", time, type=Type.FLOAT), v.integer(kind), type=Type.TEXT)
