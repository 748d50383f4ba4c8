"""Metric points under whichever of OpenTelemetry's names they were sent, in the unit of the name that was asked for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type, Value
from sightline.store.conventions import UNIT_SECONDS, metric_unit, other_metrics

if TYPE_CHECKING:
    from sightline.search.context import Context


def as_asked(points: Relation, asked: Sequence[str], context: Context, *, only: bool) -> Relation:
    """The points, those that were sent under another name of an asked metric renamed and converted to it.

    A source that sends a metric under both names (the migration's `http/dup`) measured once: of its points those with the
    asked name count. `only` says that no other metric than the asked ones can count. Nothing changes, and nothing is read, for metrics that never had another name.
    """
    others = {name: [other for other in other_metrics(name) if other not in asked] for name in asked}
    if only and any(others.values()):
        # Said of the stored column, so that the store reads these metrics alone.
        stored = [*others, *(other for some in others.values() for other in some)]
        points = points.filtered(v.call("in", points.field("metric_name"), v.multi(stored), type=Type.BOOL))
    for name, some in others.items():
        if some:
            points = _renamed(points, name, some, context)
    return points


def _renamed(points: Relation, name: str, others: list[str], context: Context) -> Relation:
    stored, source, value = points.field("metric_name"), points.field("source"), points.field("_value")
    is_other = v.call("in", stored, v.multi(others), type=Type.BOOL)
    twice = _sources(points, name, context)
    if twice:
        of_them = v.is_true(v.call("in", source, v.multi(twice), type=Type.BOOL))
        points = points.filtered(v.negation(v.both([is_other, of_them])))
    fields = {**points.fields, "metric_name": v.call("if", is_other, v.text(name), stored, type=Type.TEXT)}
    unit = metric_unit(name)
    if unit:
        factor = _factor(points.field("unit"), unit, metric_unit(others[0]))
        converted = v.call("multiply", value, factor, type=Type.FLOAT)
        fields["_value"] = v.call("if", is_other, converted, value, type=Type.FLOAT)
    return points.with_fields(fields)


def _sources(points: Relation, name: str, context: Context) -> list[str]:
    if context.dry:
        return []
    same = points.filtered(v.call("equals", points.field("metric_name"), v.text(name), type=Type.BOOL))
    listed = same.aggregated([("source", points.field("source"))], [])
    return [source for source in context.table_of(listed, ["source"]).column("source").to_pylist() if source]


def _factor(sent: Value, wanted: str, usual: str) -> Value:
    """What a value is multiplied with: by the unit that its point names, or the one that the other name has."""
    units = list(UNIT_SECONDS)
    factors = [UNIT_SECONDS[unit] / UNIT_SECONDS[wanted] for unit in units]
    otherwise = v.real(UNIT_SECONDS[usual] / UNIT_SECONDS[wanted])
    pairs = [
        part
        for unit, factor in zip(units, factors, strict=True)
        for part in (v.is_true(v.call("equals", sent, v.text(unit), type=Type.BOOL)), v.real(factor))
    ]
    return v.call("multiIf", *pairs, otherwise, type=Type.FLOAT)
