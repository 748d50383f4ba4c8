"""`makecontinuous`: a field put into buckets, with rows for the buckets that no row lies in."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.binning import Binning, chosen_buckets, read_binning
from sightline.search.planner.buckets import NumberBuckets, TimeBuckets, fitting_buckets
from sightline.search.planner.cells import missing_begins
from sightline.search.planner.pivot import one_array
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, print_name
from sightline.search.syntax.expressions import shown


@command("makecontinuous", kind="dataset")
@dataclass
class MakeContinuous(Command):
    """Puts a field into buckets and adds a row for each bucket between others that has none.

    Syntax: makecontinuous [<field>] [span=<span>] [bins=<number>] [minspan=<span>] [start=<number>] [end=<number>]
        [aligntime=<time>]
    Example: index=web | stats count by _time | makecontinuous _time span=10m | fillnull count

    The field (`_time` unless named) becomes where its bucket begins, rows are ordered by it, and a new row has no other
    field. Buckets are those of bin: without a span `_time` takes the one that timechart left, or else the one that makes at
    most `bins` (100). `start` and `end` say from where to where a number goes; rows beside that are dropped. A row that lacks
    the field stands last.
    """

    reads_options_of = (Binning,)

    name: str = "_time"
    binning: Binning = field(default_factory=Binning)

    @classmethod
    def read(cls, arguments: Arguments) -> MakeContinuous:
        name, binning = "", Binning()
        while not arguments.done:
            more = read_binning(arguments, binning)
            if more is not None:
                binning = more
            elif arguments.peek(1).is_("="):
                raise arguments.unknown_option(cls) or SearchError("not expected here", arguments.peek().span)
            elif not name:
                name = arguments.name()
            else:
                raise SearchError(f"{shown(arguments.peek())} is not expected here", arguments.peek().span)
            arguments.skip_commas()
        return cls(name or "_time", binning)

    def print_arguments(self) -> list[str]:
        return [print_name(self.name), *self.binning.print()]

    def lower(self, relation: Relation, context: Context) -> Relation:
        value = relation.field(self.name)
        if value.type is Type.NULL:
            return relation
        if self.name != "_time" and not value.type.is_number:
            value = v.as_float(value)
            relation = relation.with_field(self.name, value)
        bounds = [float(text) if text else None for text in (self.binning.start, self.binning.end)]
        relation = relation.filtered(_inside(value, *bounds))
        left = _left_buckets(relation, context) if self.name == "_time" and not self.binning else None
        buckets = left or chosen_buckets(relation, self.name, self.binning, context, always=True)
        if buckets is None:
            return relation
        begin = buckets.value(value) if isinstance(buckets, TimeBuckets) else buckets.bounds(value)[0]
        relation = relation.with_field(self.name, begin).settled()
        begin = relation.field(self.name)
        table = context.table_of(relation.filtered(v.is_present(begin)).aggregated([("begin", begin)], []))
        if context.dry:
            return relation.ordered(((v.negation(v.is_present(begin)), False), (begin, False)))
        added = context.python_step("fill gaps", lambda: self._missing(table, buckets, begin.type, bounds, context))
        if added.num_rows:
            relation = dataclasses.replace(relation.union([context.relation_of(added)]), kind=relation.kind)
            begin = relation.field(self.name)
        return relation.ordered(((v.negation(v.is_present(begin)), False), (begin, False)))

    def _missing(
        self,
        table: pa.Table,
        buckets: TimeBuckets | NumberBuckets,
        type: Type,
        bounds: list[float | None],
        context: Context,
    ) -> pa.Table:
        present = one_array(table["begin"]).cast(pa.float64())
        limit = context.settings.search.max_python_rows
        ends = pa.array(
            [self._begin(bound, buckets, last) for last, bound in enumerate(bounds) if bound is not None], pa.float64()
        )
        missing = missing_begins(pa.concat_arrays([present, ends]), buckets, limit)
        if missing is None:
            raise SearchError(
                f"there are more than {limit:,} buckets between the least and the greatest", hint="take a longer span"
            )
        alone = ends.filter(pc.invert(pc.is_in(ends, present))).unique()
        added = pa.concat_arrays([alone, pa.array(missing, pa.float64())])
        return pa.table({self.name: added.cast(pa.int64()) if type is Type.INT else added})

    @staticmethod
    def _begin(bound: float, buckets: TimeBuckets | NumberBuckets, last: int) -> float:
        """Where the first bucket after a start, or the last before an end, begins."""
        if isinstance(buckets, TimeBuckets):
            return buckets.start(math.nextafter(bound, -math.inf) if last else bound)
        if buckets.base:
            exponent = math.floor(math.log(bound / buckets.width) / math.log(buckets.base) + 1e-9)
            begin = buckets.width * buckets.base**exponent
            return begin / buckets.base if last and math.isclose(begin, bound) else begin
        steps = bound / buckets.width + 1e-9
        return (math.ceil(steps - 2e-9) - 1 if last else math.floor(steps)) * buckets.width


def _inside(value: Value, start: float | None, end: float | None) -> Value:
    """The condition that a number lies in a range; what is no number is kept."""
    number = v.as_float(value)
    conditions = []
    if start is not None:
        conditions.append(v.call("greaterOrEquals", number, v.real(start), type=Type.BOOL))
    if end is not None:
        conditions.append(v.call("less", number, v.real(end), type=Type.BOOL))
    if not conditions:
        return v.TRUE
    return v.call("ifNull", v.both(conditions), v.TRUE, type=Type.BOOL)


def _left_buckets(relation: Relation, context: Context) -> TimeBuckets | None:
    """The buckets of a timechart before; None where there was none."""
    keys = [("begin", v.as_float(relation.field("_time"))), ("span", v.as_float(relation.field("_span")))]
    if any(isinstance(value, v.Literal) for _, value in keys):
        return None
    complete = relation.filtered(v.both([v.is_present(value) for _, value in keys]))
    table = context.table_of(complete.aggregated(keys, []))
    if not table.num_rows:
        return None
    spans = np.asarray(table["span"])
    # Days and months may differ in length, hours may not.
    return fitting_buckets(table["begin"].to_pylist(), float(np.median(spans)), context.zone)
