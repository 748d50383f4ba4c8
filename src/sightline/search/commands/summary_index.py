"""`sistats`, `sichart`, `sitimechart`, `sitop`, `sirare`: partial results, to be kept in a summary index and finished later."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.search.commands.chart import Chart, TimeChart
from sightline.search.commands.stats import Stats
from sightline.search.commands.top import Rare, Top
from sightline.search.context import Context
from sightline.search.functions import AggregateInput
from sightline.search.planner import values as v
from sightline.search.planner.aggregates import grouping_key, grouping_keys, lower_kept
from sightline.search.planner.binning import chosen_buckets, time_buckets
from sightline.search.planner.buckets import TimeBuckets, nominal_s
from sightline.search.planner.partial import kept, kept_rows
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type, Value
from sightline.search.registry import command


def _split_key(relation: Relation, name: str) -> tuple[Relation, Value]:
    """A field that splits columns as a key; rows without it stay, and a multivalue is a row for each value."""
    value = relation.field(name)
    if value.type is Type.MULTI:
        # The engine joins an empty array with nothing, so that rows without a value need a stand-in.
        absent = v.call("array", v.Literal(Type.TEXT, None), type=Type.MULTI)
        items = v.call("if", v.is_present(value), value, absent, type=Type.MULTI)
        return relation.unnested(items, name)
    return relation, grouping_key(v.Literal(Type.TEXT, None) if value.type is Type.NULL else value)


@command("sistats", kind="transforming")
@dataclass
class SiStats(Stats):
    """Keeps what `stats` needs of each group, so that a later `stats` can finish it.

    Syntax: sistats <aggregate>... [BY <field>...]
    Example: index=web | sistats count, avg(duration_ms), p95(duration_ms) BY host | collect index=summary

    Takes what stats takes but `sparkline`. The rows have the BY fields, and fields that begin with `psrsvd_` with partial
    results. The same aggregates after `index=summary` give exactly what they give over the events, percentiles, distinct
    counts and lists too, also by fewer of the BY fields, or over several such runs.
    """

    def lower(self, relation: Relation, context: Context) -> Relation:
        relation, keys = grouping_keys(relation, self.by, distinct=self.dedup_splitvals)
        relation, fields = lower_kept(self.calls, relation, context, self.by)
        return kept_rows(relation, keys, fields)


@command("sichart", kind="transforming")
@dataclass
class SiChart(Chart):
    """Keeps what `chart` needs, so that a later `chart` can finish it.

    Syntax: sichart <aggregate>... [OVER <row field>] [BY <field>...]
    Example: index=web | sichart count over host by status | collect index=summary

    Takes what chart takes. There is a row for every pair of values: limits, and the ranges that numbers are divided into,
    are the business of the chart that follows. Times are divided by `span`.
    """

    def lower(self, relation: Relation, context: Context) -> Relation:
        keys: list[tuple[str, Value]] = []
        if self.row:
            buckets = chosen_buckets(relation, self.row, self.row_binning, context, always=False)
            if isinstance(buckets, TimeBuckets):
                time = relation.field(self.row)
                relation = relation.filtered(v.is_present(time))
                keys.append((self.row, grouping_key(buckets.value(time))))
            else:
                relation, keys = grouping_keys(relation, [self.row])
        if self.column:
            relation, column = _split_key(relation, self.column)
            keys.append((self.column, column))
        relation, fields = lower_kept(self.calls, relation, context, [self.row, self.column])
        return kept_rows(relation, keys, fields)


@command("sitimechart", kind="transforming")
@dataclass
class SiTimeChart(TimeChart):
    """Keeps what `timechart` needs, so that a later `timechart` can finish it.

    Syntax: sitimechart [span=<span>] <aggregate>... [BY <field>]
    Example: index=web | sitimechart span=5m p95(duration_ms) by host | collect index=summary

    Takes what timechart takes. There is a row for every bucket and value with events; limits, and empty buckets, are the
    business of the timechart that follows, whose span should be the same or a multiple.
    """

    def lower(self, relation: Relation, context: Context) -> Relation:
        time = relation.field("_time")
        buckets = time_buckets(relation, time, self.row_binning, context)
        relation = relation.filtered(v.is_present(v.as_float(time)) if time.type is not Type.NULL else v.FALSE)
        start = buckets.value(time) if time.type is not Type.NULL else v.real(0)
        keys = [("_time", grouping_key(start))]
        if self.column:
            relation, column = _split_key(relation, self.column)
            keys.append((self.column, column))
        relation, fields = lower_kept(self.calls, relation, context, ["_time", self.column])
        return kept_rows(relation, keys, fields).with_field("_span", v.number(nominal_s(buckets.span)))


def _kept_frequencies(command: Top | Rare, relation: Relation) -> Relation:
    names = [*command.by, *(name for name in command.names if name not in command.by)]
    relation, keys = grouping_keys(relation, names)
    return kept_rows(relation, keys, kept([("count", None, None)], AggregateInput(v.integer(0))))


@command("sitop", kind="transforming")
@dataclass
class SiTop(Top):
    """Keeps what `top` needs, so that a later `top` can finish it.

    Syntax: sitop <field>... [BY <field>...]
    Example: index=web | sitop uri by host | collect index=summary

    Takes what top takes. Every value is kept with its count, whatever the limit, so that the top of several runs is right.
    """

    def lower(self, relation: Relation, context: Context) -> Relation:
        return _kept_frequencies(self, relation)


@command("sirare", kind="transforming")
@dataclass
class SiRare(Rare):
    """Keeps what `rare` needs, so that a later `rare` can finish it.

    Syntax: sirare <field>... [BY <field>...]
    Example: index=web | sirare uri by host | collect index=summary

    Takes what rare takes, and keeps every value with its count.
    """

    def lower(self, relation: Relation, context: Context) -> Relation:
        return _kept_frequencies(self, relation)
