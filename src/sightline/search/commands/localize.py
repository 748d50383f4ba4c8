"""`localize`: the times in which events lie close together."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Over, Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option
from sightline.search.time import parse_span


@command("localize", kind="transforming")
@dataclass
class Localize(Command):
    """Gives the stretches of time in which events follow each other closely.

    Syntax: localize [maxpause=<span>] [timeafter=<span>] [timebefore=<span>]
    Example: index=web | localize maxpause=5m

    Events with at most `maxpause` (1m) between them belong to one stretch. A row is a stretch, the latest first, from
    `starttime` to `endtime`: `timebefore` (30s) before its first event and `timeafter` (30s) after its last. Such rows are
    what `map` works on. Events without a time are left out.
    """

    maxpause: str = option("1m", help="the longest time between two events of a stretch")
    timeafter: str = option("30s", help="how long after its last event a stretch ends")
    timebefore: str = option("30s", help="how long before its first event a stretch begins")

    @classmethod
    def read(cls, arguments: Arguments) -> Localize:
        given = super().read(arguments)
        assert isinstance(given, Localize)
        for name in ("maxpause", "timeafter", "timebefore"):
            _seconds(name, getattr(given, name))
        return given

    def lower(self, relation: Relation, context: Context) -> Relation:
        time = v.as_float(relation.field("_time")) if relation.field("_time").type is not Type.NULL else v.NULL
        if time.type is Type.NULL:
            relation, time = relation.filtered(v.FALSE), v.Literal(Type.FLOAT, None)
        relation = relation.filtered(v.is_present(time)).with_fields({"time": time}).settled()
        time = relation.field("time")
        order = ((time, False),)
        frame = "ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING"
        previous = Over(
            Type.FLOAT, v.call("any", v.call("toNullable", time, type=Type.FLOAT), type=Type.FLOAT), (), order, frame
        )
        relation, (before,) = relation.windowed([("before", previous)])
        pause = v.call("minus", time, before, type=Type.FLOAT)
        begins = v.call("greater", pause, v.real(_seconds("maxpause", self.maxpause)), type=Type.BOOL)
        begin = v.call("toInt64", v.is_true(begins), type=Type.INT)
        running = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
        # Of events at the same time, the one that begins a stretch comes first.
        order = (*order, (begin, True))
        relation, (stretch,) = relation.windowed(
            [("stretch", Over(Type.INT, v.call("sum", begin, type=Type.INT), (), order, running))]
        )
        first, last = v.agg("min", time, type=Type.FLOAT), v.agg("max", time, type=Type.FLOAT)
        start = v.call("minus", first, v.real(_seconds("timebefore", self.timebefore)), type=Type.FLOAT)
        end = v.call("plus", last, v.real(_seconds("timeafter", self.timeafter)), type=Type.FLOAT)
        found = relation.aggregated([("stretch", stretch)], [("starttime", start), ("endtime", end)])
        fields = {name: found.field(name) for name in ("starttime", "endtime")}
        return dataclasses.replace(found.with_fields(fields), order=((found.field("stretch"), True),))


def _seconds(name: str, text: str) -> float:
    if text.strip() in ("0", "0s"):
        return 0.0
    try:
        seconds = parse_span(text).seconds
    except SearchError as error:
        raise SearchError(f"{name}: {error.message}") from None
    if seconds is None:
        raise SearchError(f'{name} must be a span of fixed length such as 5m, got "{text}"')
    return seconds
