"""The store's tables as relations: which fields their rows have and how the engine reads each.

A JSON path with one type is read as that type, so that only paths whose values really differ pay for conversion.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from functools import lru_cache

from sightline.search.planner import values as v
from sightline.search.planner.relation import Names, Relation, Scan, number_of
from sightline.search.planner.sql import quote_identifier, quote_text
from sightline.search.planner.terms import RAW_TEXT
from sightline.search.planner.values import Call, Column, Literal, Type, Value
from sightline.store.promotion import COLUMN_MARK, DICTIONARY_MARK, object_text, promoted_kinds

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
        "'ms trace_id=', `trace_id`, ' span_id=', `span_id`, ' ', {object}))",
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
    "exemplars": (Type.TEXT, "nullIf(nullIf(`exemplars`, ''), '[]')"),
    "host": (Type.TEXT, "nullIf(`host`, '')"),
    "source": (Type.TEXT, "nullIf(`source`, '')"),
    "sourcetype": (Type.TEXT, "nullIf(`sourcetype`, '')"),
}
_DICTIONARY = ":dictionary"
_DICTIONARY_COLUMNS = frozenset(
    f"{name}:text"
    for name in ("index", "host", "source", "sourcetype", "severity", "service", "name", "kind", "status")
    + ("metric_name", "metric_type", "unit")
)

_TABLES = {
    "events": ("sightline.events", _EVENT_COLUMNS, "fields", "fromUnixTimestamp64Micro", 1_000_000),
    "spans": ("sightline.spans", _SPAN_COLUMNS, "fields", "fromUnixTimestamp64Nano", 1_000_000_000),
    "metrics": ("sightline.metrics", _METRIC_COLUMNS, "dims", "fromUnixTimestamp64Milli", 1_000),
}
CLOCKS = {sql_name: (constructor, ticks) for sql_name, _, _, constructor, ticks in _TABLES.values()}
"""How each table's time is stored: what makes one of a number of ticks, and ticks of a second."""
_INTEGERS = {"Int64", "Int32", "Int16", "Int8", "UInt8", "UInt16", "UInt32"}
_FLOATS = {"Float64", "Float32", "UInt64"}
_NO_VALUES = {"Nothing", "Nullable(Nothing)", "SharedVariant"}

RAW_TIME = "_time:stored"
"""Identifier of the stored time column, for bounds that prune parts and granules."""
STORED_ORDER = ((Column(Type.TIME, RAW_TIME), True),)
"""The order of stored rows: newest first."""
RAW_INDEX = "index:stored"
"""Identifier of the stored index column, for the same."""
DIMENSIONS = "dims:stored"
"""Identifier of all dimensions of a metric point, as one text."""
DIMENSION_NAMES = "dims:names"
"""Identifier of their names, as an array."""


def table_relation(table: str, paths: Mapping[str, frozenset[str]], names: Names) -> Relation:
    """All rows of `events`, `spans` or `metrics`, newest first, with every field that any of them has."""
    scan, fields = _stored_rows(table, tuple(paths.items()))
    return Relation(scan, dict(fields), STORED_ORDER, names, "events")


@lru_cache(maxsize=16)
def _stored_rows(table: str, paths: tuple[tuple[str, frozenset[str]], ...]) -> tuple[Scan, Mapping[str, Value]]:
    """The scan of a table and its fields. Kept, because writing some hundred fields down takes a search of an hour a tenth of
    its time, and they are the same until a field comes that was not there."""
    sql_name, columns, json_column, _, _ = _TABLES[table]
    # Identifiers never equal a stored column's name: an alias would hide the column from the rest of its statement.
    types_of = dict(paths)
    whole = object_text(json_column, types_of)
    provides = {f"{name}:{type.value}": sql.replace("{object}", whole) for name, (type, sql) in columns.items()}
    provides[RAW_TIME] = "`_time`"
    provides[RAW_INDEX] = "`index`"
    if table == "metrics":
        provides[DIMENSIONS], provides[DIMENSION_NAMES] = _dimensions(json_column, types_of)
    if table == "events":
        provides[RAW_TEXT] = "lowerUTF8(`_raw`)"
    elif table == "spans":
        # There is no index of a span's text, which is put together when it is read.
        provides[RAW_TEXT] = f"lowerUTF8({provides['_raw:text']})"
    fields: dict[str, Value] = {name: Column(type, f"{name}:{type.value}") for name, (type, _) in columns.items()}
    for path, types in sorted(paths):
        name = path if path not in fields else f"{path}_"
        if path in fields and path in ("host", "source", "sourcetype", "index", "_time", "_raw"):
            continue
        found = json_field(json_column, path, types)
        if found is None:
            continue
        type, sql = found
        is_dictionary = len(types) == 1 and next(iter(types)).startswith(DICTIONARY_MARK)
        id = f"{name}{_DICTIONARY}" if is_dictionary else f"{name}:{type.value}"
        provides[id] = sql
        if type is Type.TEXT and (number := _number_text(json_column, path, types)):
            provides[number_of(id)] = number
        fields[name] = Column(type, id)
        if type is Type.MULTI and name + "{}" not in types_of:
            fields[name + "{}"] = Column(type, id)
    return Scan(sql_name, provides), fields


def is_dictionary(column: Column) -> bool:
    """Whether the store keeps a column as a dictionary of its few values: comparing and grouping is fast as they are."""
    return column.id in _DICTIONARY_COLUMNS or column.id.endswith(_DICTIONARY)


def _dimensions(json_column: str, paths: Mapping[str, frozenset[str]]) -> tuple[str, str]:
    """The texts that read all dimensions of a point as one text, equal for the points of a series however each is stored,
    and their names."""
    column = quote_identifier(json_column)
    if not any(promoted_kinds(types) for types in paths.values()):
        return f"toString({column})", f"JSONAllPaths({column})"
    pieces, names = [], []
    for path, types in sorted(paths.items()):
        found = json_field(json_column, path, types)
        if found is None:
            continue
        type, sql = found
        absent = f"empty({sql})" if type is Type.MULTI else f"isNull({sql})"
        key = quote_text(json.dumps(path, ensure_ascii=False) + ":")
        pieces.append(f"if({absent}, '', concat({key}, assumeNotNull(toJSONString({sql}))))")
        names.append(f"if({absent}, '', {quote_text(path)})")
    text = f"concat('{{', arrayStringConcat(arrayFilter(x -> x != '', [{', '.join(pieces)}]), ','), '}}')"
    return text, f"arrayFilter(x -> x != '', [{', '.join(names)}])"


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


def indexes_chosen(condition: Value) -> tuple[str, ...] | None:
    """The indexes that a condition leaves, where it is one of `index_condition`."""
    if not isinstance(condition, Call) or condition.function not in ("equals", "in"):
        return None
    column, listed = condition.arguments
    if not (isinstance(column, Column) and column.id == RAW_INDEX and isinstance(listed, Literal)):
        return None
    return (listed.value,) if condition.function == "equals" else tuple(listed.value)


def json_field(column: str, path: str, types: frozenset[str]) -> tuple[Type, str] | None:
    """The type of a JSON path's values and the engine's text that reads them; None for a path without values."""
    # A member without a name cannot be named; it is in the text of the event.
    held = _held(column, path, types) if path else []
    if not held:
        return None
    lists = [text if kind == "Array" else _array_text(text, kind) for kind, text in held if kind.startswith("Array")]
    scalars = [(kind, text) for kind, text in held if not kind.startswith("Array")]
    if lists:
        text = lists[0] if len(lists) == 1 else f"arrayConcat({', '.join(lists)})"
        if scalars:
            scalar = _scalar_text(scalars)
            text = (
                f"if(notEmpty({text}), {text}, if(isNotNull({scalar}), [ifNull({scalar}, '')], CAST([], 'Array(String)')))"
            )
        return Type.MULTI, text
    kinds = {kind for kind, _ in scalars}
    if kinds == {"Bool"}:
        return Type.TEXT, _first([f"toString({text})" for _, text in scalars])
    if kinds == {"String"}:
        return Type.TEXT, _first([text for _, text in scalars])
    if len(kinds) == 1 and kinds <= _INTEGERS:
        return Type.INT, _first([text if kind == "Int64" else f"toInt64({text})" for kind, text in scalars])
    if kinds == {"Float64"}:
        return Type.FLOAT, _first([text for _, text in scalars])
    if kinds <= _INTEGERS | _FLOATS:
        # Whole values of a float field are stored as integers.
        return Type.FLOAT, _first([f"toFloat64({text})" for _, text in scalars])
    return Type.TEXT, _scalar_text(scalars)


def _number_text(column: str, path: str, types: frozenset[str]) -> str | None:
    """What reads the numbers of a path that holds texts beside numbers, without writing numbers as texts to read them again."""
    held = _held(column, path, types)
    if not {"String"} < {kind for kind, _ in held} <= {"String"} | _INTEGERS | _FLOATS:
        return None
    return _first([f"toFloat64OrNull({text})" if kind == "String" else f"toFloat64({text})" for kind, text in held])


def _held(column: str, path: str, types: frozenset[str]) -> list[tuple[str, str]]:
    """Where the values of a path are: (type, text) of each. A value is in the column of its type, or where there is none, in
    the JSON column."""
    base = f"{quote_identifier(column)}.{quote_identifier(path)}"
    held = [(kind, quote_identifier(f"{path}:{kind}")) for kind in promoted_kinds(types)]
    for type in sorted(types):
        if not type.startswith((COLUMN_MARK, DICTIONARY_MARK)) and type not in _NO_VALUES:
            held.append((type, f"{base}.:{type if type.isalnum() else quote_identifier(type)}"))
    return held


def _scalar_text(scalars: list[tuple[str, str]]) -> str:
    texts = [text for kind, text in scalars if kind == "String"]
    return _first(texts + [f"toString({text})" for kind, text in scalars if kind != "String"])


def _first(texts: list[str]) -> str:
    return texts[0] if len(texts) == 1 else f"coalesce({', '.join(texts)})"


def _array_text(text: str, type: str) -> str:
    inner = type[len("Array(") : -1]
    if inner in ("Nullable(String)", "String"):
        return f"CAST(arrayFilter(x -> isNotNull(x), {text}), 'Array(String)')"
    if inner.startswith(("JSON", "Array", "Tuple", "Nullable(Tuple")):
        return f"arrayMap(x -> toJSONString(x), {text})"
    if inner.startswith("Dynamic"):
        return f"arrayMap(x -> ifNull(CAST(x, 'Nullable(String)'), ''), arrayFilter(x -> isNotNull(CAST(x, 'Nullable(String)')), {text}))"
    return f"arrayMap(x -> ifNull(toString(x), ''), arrayFilter(x -> isNotNull(x), {text}))"
