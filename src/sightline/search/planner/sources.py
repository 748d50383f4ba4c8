"""The store's tables as relations: which fields their rows have and how the engine reads each.

A JSON path with one type is read as that type, so that only paths whose values really differ pay for conversion.
"""

from __future__ import annotations

from collections.abc import Mapping

from sightline.search.planner import values as v
from sightline.search.planner.relation import Names, Relation, Scan
from sightline.search.planner.sql import quote_identifier
from sightline.search.planner.terms import RAW_TEXT
from sightline.search.planner.values import Column, Type, Value

SPAN_SOURCETYPE = "otlp:traces"
"""The sourcetype of every span."""
_EVENT_COLUMNS = {
    "index": (Type.TEXT, "`index`"),
    "_time": (Type.FLOAT, "toUnixTimestamp64Micro(`_time`) / 1000000"),
    "_indextime": (Type.FLOAT, "toUnixTimestamp64Milli(`_indextime`) / 1000"),
    "host": (Type.TEXT, "nullIf(`host`, '')"),
    "source": (Type.TEXT, "nullIf(`source`, '')"),
    "sourcetype": (Type.TEXT, "nullIf(`sourcetype`, '')"),
    "severity": (Type.TEXT, "nullIf(`severity`, '')"),
    "trace_id": (Type.TEXT, "nullIf(`trace_id`, '')"),
    "span_id": (Type.TEXT, "nullIf(`span_id`, '')"),
    "_raw": (Type.TEXT, "toNullable(`_raw`)"),
}
_SPAN_COLUMNS = {
    "index": (Type.TEXT, "`index`"),
    "_time": (Type.FLOAT, "toUnixTimestamp64Nano(`_time`) / 1000000000"),
    "_indextime": (Type.FLOAT, "toUnixTimestamp64Milli(`_indextime`) / 1000"),
    "trace_id": (Type.TEXT, "nullIf(`trace_id`, '')"),
    "span_id": (Type.TEXT, "nullIf(`span_id`, '')"),
    "parent_span_id": (Type.TEXT, "nullIf(`parent_span_id`, '')"),
    "service": (Type.TEXT, "nullIf(`service`, '')"),
    "name": (Type.TEXT, "nullIf(`name`, '')"),
    "kind": (Type.TEXT, "nullIf(`kind`, '')"),
    "status": (Type.TEXT, "nullIf(`status`, '')"),
    "status_message": (Type.TEXT, "nullIf(`status_message`, '')"),
    "duration_ms": (Type.FLOAT, "`duration_ns` / 1000000"),
    "source": (Type.TEXT, "nullIf(`service`, '')"),
    "sourcetype": (Type.TEXT, f"toNullable('{SPAN_SOURCETYPE}')"),
    "events": (Type.TEXT, "nullIf(nullIf(`events`, ''), '[]')"),
    "links": (Type.TEXT, "nullIf(nullIf(`links`, ''), '[]')"),
    "_raw": (
        Type.TEXT,
        "toNullable(concat(`service`, ' ', `kind`, ' ', `name`, ' ', `status`, ' ', toString(`duration_ns` / 1000000), "
        "'ms trace_id=', `trace_id`, ' span_id=', `span_id`, ' ', toJSONString(`fields`)))",
    ),
}
_METRIC_COLUMNS = {
    "index": (Type.TEXT, "`index`"),
    "_time": (Type.FLOAT, "toUnixTimestamp64Milli(`_time`) / 1000"),
    "_indextime": (Type.FLOAT, "toUnixTimestamp64Milli(`_indextime`) / 1000"),
    "metric_name": (Type.TEXT, "`metric_name`"),
    "_value": (Type.FLOAT, "`value`"),
    "metric_type": (Type.TEXT, "nullIf(`type`, '')"),
    "unit": (Type.TEXT, "nullIf(`unit`, '')"),
    "host": (Type.TEXT, "nullIf(`host`, '')"),
    "source": (Type.TEXT, "nullIf(`source`, '')"),
    "sourcetype": (Type.TEXT, "nullIf(`sourcetype`, '')"),
}
DICTIONARY_COLUMNS = frozenset(
    f"{name}:text"
    for name in ("index", "host", "source", "sourcetype", "severity", "service", "name", "kind", "status")
    + ("metric_name", "metric_type", "unit")
)
"""Columns that the store keeps as a dictionary of their few values: comparing and grouping them is fast as they are."""
_TABLES = {
    "events": ("sightline.events", _EVENT_COLUMNS, "fields", "fromUnixTimestamp64Micro", 1_000_000),
    "spans": ("sightline.spans", _SPAN_COLUMNS, "fields", "fromUnixTimestamp64Nano", 1_000_000_000),
    "metrics": ("sightline.metrics", _METRIC_COLUMNS, "dims", "fromUnixTimestamp64Milli", 1_000),
}
_INTEGERS = {"Int64", "Int32", "Int16", "Int8", "UInt8", "UInt16", "UInt32"}
_FLOATS = {"Float64", "Float32", "UInt64"}

RAW_TIME = "_time:stored"
"""Identifier of the stored time column, for bounds that prune parts and granules."""
STORED_ORDER = ((Column(Type.TIME, RAW_TIME), True),)
"""The order of stored rows: newest first."""
RAW_INDEX = "index:stored"
"""Identifier of the stored index column, for the same."""


def table_relation(table: str, paths: Mapping[str, frozenset[str]], names: Names) -> Relation:
    """All rows of `events`, `spans` or `metrics`, newest first, with every field that any of them has."""
    sql_name, columns, json_column, _, _ = _TABLES[table]
    # Identifiers never equal a stored column's name: an alias would hide the column from the rest of its statement.
    provides = {f"{name}:{type.value}": sql for name, (type, sql) in columns.items()}
    provides[RAW_TIME] = "`_time`"
    provides[RAW_INDEX] = "`index`"
    provides[f"{json_column}:stored"] = quote_identifier(json_column)
    if table == "events":
        provides[RAW_TEXT] = "lowerUTF8(`_raw`)"
    elif table == "spans":
        # There is no index of a span's text, which is put together when it is read.
        provides[RAW_TEXT] = f"lowerUTF8({columns['_raw'][1]})"
    fields: dict[str, Value] = {name: Column(type, f"{name}:{type.value}") for name, (type, _) in columns.items()}
    for path, types in sorted(paths.items()):
        name = path if path not in fields else f"{path}_"
        if path in fields and path in ("host", "source", "sourcetype", "index", "_time", "_raw"):
            continue
        found = json_field(json_column, path, types)
        if found is None:
            continue
        type, sql = found
        id = f"{name}:{type.value}"
        provides[id] = sql
        fields[name] = Column(type, id)
        if type is Type.MULTI and name + "{}" not in paths:
            fields[name + "{}"] = Column(type, id)
    return Relation(Scan(sql_name, provides), fields, STORED_ORDER, names, "events")


def time_bounds(table: str, earliest: float | None, latest: float | None) -> Value:
    """The condition earliest <= _time < latest on the stored column; a missing bound is open."""
    _, _, _, constructor, ticks = _TABLES[table]
    column = Column(Type.TIME, RAW_TIME)

    def moment(seconds: float) -> Value:
        # Times outside the range the column can hold are clamped; nothing lies there.
        bounded = min(max(seconds, 0.0), 9_000_000_000.0)
        return v.call(constructor, v.call("toInt64", v.integer(round(bounded * ticks)), type=Type.INT), type=Type.INT)

    conditions = []
    if earliest is not None and earliest > 0:
        conditions.append(v.call("greaterOrEquals", column, moment(earliest), type=Type.BOOL))
    if latest is not None:
        conditions.append(v.call("less", column, moment(latest), type=Type.BOOL))
    return v.both(conditions)


def index_condition(indexes: list[str]) -> Value:
    """The condition that a row lies in one of these indexes, on the stored column."""
    column = Column(Type.TEXT, RAW_INDEX)
    if len(indexes) == 1:
        return v.call("equals", column, v.text(indexes[0]), type=Type.BOOL)
    return v.call("in", column, v.multi(indexes), type=Type.BOOL) if indexes else v.FALSE


def json_field(column: str, path: str, types: frozenset[str]) -> tuple[Type, str] | None:
    """The type of a JSON path's values and the engine's text that reads them; None for a path without values."""
    base = f"{quote_identifier(column)}.{quote_identifier(path)}"

    def sub(type: str) -> str:
        return f"{base}.:{type if type.isalnum() else quote_identifier(type)}"

    types = frozenset(t for t in types if t not in ("Nothing", "Nullable(Nothing)", "SharedVariant"))
    arrays = sorted(t for t in types if t.startswith("Array("))
    scalars = types - set(arrays)
    if not types:
        return None
    if arrays:
        lists = [_array_text(sub(t), t) for t in arrays]
        text = lists[0] if len(lists) == 1 else f"arrayConcat({', '.join(lists)})"
        if scalars:
            scalar = _scalar_text(base, sub, scalars)
            text = (
                f"if(notEmpty({text}), {text}, if(isNotNull({scalar}), [ifNull({scalar}, '')], CAST([], 'Array(String)')))"
            )
        return Type.MULTI, text
    if scalars == {"Bool"}:
        return Type.TEXT, f"toString({sub('Bool')})"
    if len(scalars) == 1:
        (only,) = scalars
        if only in _INTEGERS:
            return Type.INT, sub(only) if only == "Int64" else f"toInt64({sub(only)})"
        if only in _FLOATS:
            return Type.FLOAT, sub(only) if only == "Float64" else f"toFloat64({sub(only)})"
        if only == "String":
            return Type.TEXT, sub("String")
    if scalars <= _INTEGERS | _FLOATS:
        # Whole values of a float field are stored as integers.
        parts = ", ".join(f"toFloat64({sub(t)})" for t in sorted(scalars))
        return Type.FLOAT, f"coalesce({parts})"
    return Type.TEXT, _scalar_text(base, sub, scalars)


def _scalar_text(base: str, sub, scalars: frozenset[str] | set[str]) -> str:
    parts = [sub("String")] if "String" in scalars else []
    parts += [f"toString({sub(t)})" for t in sorted(scalars) if t != "String"]
    return parts[0] if len(parts) == 1 else f"coalesce({', '.join(parts)})"


def _array_text(text: str, type: str) -> str:
    inner = type[len("Array(") : -1]
    if inner in ("Nullable(String)", "String"):
        return f"CAST(arrayFilter(x -> isNotNull(x), {text}), 'Array(String)')"
    if inner.startswith(("JSON", "Array", "Tuple", "Nullable(Tuple")):
        return f"arrayMap(x -> toJSONString(x), {text})"
    if inner.startswith("Dynamic"):
        return f"arrayMap(x -> ifNull(CAST(x, 'Nullable(String)'), ''), arrayFilter(x -> isNotNull(CAST(x, 'Nullable(String)')), {text}))"
    return f"arrayMap(x -> ifNull(toString(x), ''), arrayFilter(x -> isNotNull(x), {text}))"
