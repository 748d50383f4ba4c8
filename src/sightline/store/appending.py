"""Rows of tables that Python made: results of `collect` and `mcollect`, run histories, ledgers.

Enters: an index name and an Arrow table's schema. Leaves: the SELECT that reads the table as `Python(rows)` and gives columns
of the store, with the object of each record still as text.
"""

from __future__ import annotations

import json

import pyarrow as pa

from sightline.errors import UserError
from sightline.store.sql_text import identifier, quote

TABLE_NAME = "sightline_rows"

_EVENT_TEXT = ("host", "source", "sourcetype", "severity", "trace_id", "span_id")
_METRIC_TEXT = ("type", "unit", "temporality", "host", "source", "sourcetype")


Rows = tuple[list[str], str]
"""The columns of the rows, and the SELECT that gives them."""


def events_rows(index: str, table: pa.Table) -> Rows:
    """Event rows."""
    own = {"_time", "_raw", "_indextime", "index", *_EVENT_TEXT}
    fields = _object_text([f for f in table.schema if f.name not in own], as_text=False)
    columns = [
        ("index", quote(index)),
        ("_time", _time(table.schema, 6)),
        ("_indextime", "now64(3)"),
        *((name, _text(table.schema, name)) for name in _EVENT_TEXT),
        ("_raw", f"ifNull(toString({identifier('_raw')}), '')" if "_raw" in table.column_names else fields),
        ("fields", fields),
    ]
    return _rows(columns)


def metrics_rows(index: str, table: pa.Table) -> Rows:
    """Metric points. Raises UserError when a needed column is missing."""
    for name in ("metric_name", "value"):
        if name not in table.column_names:
            raise UserError(f'metric points need a column "{name}", got: {", ".join(table.column_names)}')
    if table["metric_name"].null_count:
        raise UserError("metric points need a metric_name in every row, got a null")
    own = {"_time", "metric_name", "value", "_indextime", "index", *_METRIC_TEXT}
    dims = _object_text([f for f in table.schema if f.name not in own], as_text=True)
    columns = [
        ("index", quote(index)),
        ("metric_name", "toString(metric_name)"),
        ("_time", _time(table.schema, 3)),
        ("_indextime", "now64(3)"),
        ("value", _number(table.schema.field("value"))),
        *((name, _text(table.schema, name, "gauge" if name == "type" else "")) for name in _METRIC_TEXT),
        ("dims", dims),
    ]
    return _rows(columns)


def _rows(columns: list[tuple[str, str]]) -> Rows:
    # The names that the values get must not hide the columns that other values are read from.
    values = ", ".join(f"{value} AS {identifier('given:' + name)}" for name, value in columns)
    names = ", ".join(f"{identifier('given:' + name)} AS {identifier(name)}" for name, _ in columns)
    return [name for name, _ in columns], f"SELECT {names} FROM (SELECT {values} FROM Python({TABLE_NAME}))"


def _text(schema: pa.Schema, name: str, default: str = "") -> str:
    if name not in schema.names or pa.types.is_null(schema.field(name).type):
        return quote(default)
    return f"ifNull(toString({identifier(name)}), {quote(default)})"


def _number(field: pa.Field) -> str:
    if pa.types.is_null(field.type):
        return "NULL"
    if pa.types.is_string(field.type) or pa.types.is_large_string(field.type):
        return f"toFloat64OrNull({identifier(field.name)})"
    return f"toFloat64({identifier(field.name)})"


def _time(schema: pa.Schema, digits: int) -> str:
    now = f"now64({digits}, 'UTC')"
    if "_time" not in schema.names or pa.types.is_null(schema.field("_time").type):
        return now
    kind = schema.field("_time").type
    if pa.types.is_timestamp(kind) or pa.types.is_date(kind):
        return f"ifNull(toDateTime64(`_time`, {digits}, 'UTC'), {now})"
    if pa.types.is_string(kind) or pa.types.is_large_string(kind):
        return f"ifNull({time_of_text('`_time`', digits)}, {now})"
    return f"ifNull({time_of_seconds('toFloat64(`_time`)', digits)}, {now})"


def time_of_seconds(seconds: str, digits: int) -> str:
    """SQL: epoch seconds as a nullable float to a DateTime64, rounded and not truncated; null for a value no
    calendar has."""
    unit = {3: "Milli", 6: "Micro"}[digits]
    bounded = f"if(isFinite({seconds}) AND abs({seconds}) < 1e10, {seconds}, NULL)"
    return f"fromUnixTimestamp64{unit}(toInt64(round({bounded} * 1e{digits})), 'UTC')"


def time_of_number(number: str, digits: int) -> str:
    """SQL: epoch seconds, milliseconds, microseconds or nanoseconds, told apart by their size, to a DateTime64."""
    seconds = (
        f"multiIf(abs({number}) >= 1e17, {number} / 1e9, abs({number}) >= 1e14, {number} / 1e6,"
        f" abs({number}) >= 1e11, {number} / 1e3, {number})"
    )
    return time_of_seconds(seconds, digits)


def time_of_text(text: str, digits: int) -> str:
    """SQL: a number as in `time_of_number`, or a date and time in any usual notation; null when it is neither."""
    number = f"toFloat64OrNull({text})"
    return (
        f"if(isNotNull({number}), {time_of_number(number, digits)},"
        f" parseDateTime64BestEffortOrNull({text}, {digits}, 'UTC'))"
    )


def _object_text(fields: list[pa.Field], *, as_text: bool) -> str:
    """SQL for the JSON text of an object with the given columns, leaving out nulls and empty lists."""
    pieces = []
    for field in fields:
        if pa.types.is_null(field.type):
            continue
        column = identifier(field.name)
        key = quote(json.dumps(field.name, ensure_ascii=False) + ":")
        if pa.types.is_list(field.type) or pa.types.is_large_list(field.type):
            values = f"arrayMap(x -> toString(assumeNotNull(x)), arrayFilter(x -> isNotNull(x), {column}))"
            pieces.append(f"if(empty({values}), '', concat({key}, toJSONString({values})))")
        else:
            value = f"toString(assumeNotNull({column}))" if as_text or not _is_scalar(field.type) else column
            if pa.types.is_dictionary(field.type):
                value = f"toString(assumeNotNull({column}))"
            pieces.append(f"if(isNull({column}), '', concat({key}, ifNull(toJSONString({value}), 'null')))")
    if not pieces:
        return "'{}'"
    return "concat('{', arrayStringConcat(arrayFilter(x -> x != '', [" + ", ".join(pieces) + "]), ','), '}')"


def _is_scalar(kind: pa.DataType) -> bool:
    return (
        pa.types.is_boolean(kind)
        or pa.types.is_integer(kind)
        or pa.types.is_floating(kind)
        or pa.types.is_string(kind)
        or pa.types.is_large_string(kind)
    )
