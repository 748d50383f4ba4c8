"""Fields out of pairs of a key and a value that stand in a text, the keys being names nobody knows beforehand.

Enters a value that gives each row's pairs; leaves a field for each key that any row has. The keys are found by one
aggregation, the values are then taken out of the pairs by the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from sightline.search.planner import values as v
from sightline.search.planner.extractions import first_of, without_empty
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Column, Lambda, Type, Value

if TYPE_CHECKING:
    from sightline.search.context import Context

_ONE, _SEVERAL = "1", "n"


def pair(key: Value, value: Value) -> Value:
    """A pair as the functions here take it."""
    return v.call("array", key, value, type=Type.MULTI)


def fields_of_pairs(relation: Relation, pairs: Value, context: Context, *, gathers: bool | None = None) -> Relation:
    """The relation with a field for each key of the rows' pairs, a list of lists of key and value.

    A field has all values of its key where `gathers` is true, the first where it is false, and where it is None all of them
    if any row has several. A row without the key keeps what it had. Empty keys and values count for nothing.
    """
    kept = relation.fields
    relation = relation.with_fields({**kept, "\0pairs": pairs}).settled()
    column = relation.field("\0pairs")
    relation = relation.with_fields({name: relation.field(name) for name in kept})
    item, key = Column(Type.MULTI, "pair"), Column(Type.TEXT, "key")
    first = v.call("arrayElement", item, v.integer(1), type=Type.TEXT)
    second = v.call("arrayElement", item, v.integer(2), type=Type.TEXT)
    filled = v.both([v.call("notEmpty", part, type=Type.BOOL) for part in (first, second)])
    whole = v.call("arrayFilter", Lambda(Type.BOOL, ("pair",), filled), column, type=Type.MULTI)
    keys = v.call("arrayMap", Lambda(Type.TEXT, ("pair",), first), whole, type=Type.MULTI)
    more = v.call("greater", v.call("countEqual", keys, key, type=Type.INT), v.integer(1), type=Type.BOOL)
    marked = v.call("concat", v.call("if", more, v.text(_SEVERAL), v.text(_ONE), type=Type.TEXT), key, type=Type.TEXT)
    found = v.agg("groupUniqArrayArray", v.call("arrayMap", Lambda(Type.TEXT, ("key",), marked), keys, type=Type.MULTI),
                  type=Type.MULTI)  # fmt: skip
    table = context.table_of(relation.aggregated([], [("keys", found)]))
    names = table["keys"][0].as_py() if table.num_rows else []
    fields = dict(relation.fields)
    for name in sorted({text[1:] for text in names}):
        wanted = v.call("equals", first, v.text(name), type=Type.BOOL)
        of_name = v.call("arrayFilter", Lambda(Type.BOOL, ("pair",), wanted), column, type=Type.MULTI)
        values = without_empty(v.call("arrayMap", Lambda(Type.TEXT, ("pair",), second), of_name, type=Type.MULTI))
        several = _SEVERAL + name in names if gathers is None else gathers
        value = values if several else first_of(values)
        before = fields.get(name, v.NULL)
        fields[name] = value if before.type is Type.NULL else v.choose(v.is_present(value), value, before)
    return relation.with_fields(fields)
