"""Loading a file into an event index: CSV, JSON lines, Parquet, or text with an event a line; the engine reads it.

Enters: a path. Leaves: rows in the index, all of them or none: the file is read into a table of its own, whose
partitions are attached to the events at the end, which costs nothing.

Columns `host`, `source`, `sourcetype`, `_raw` and `_time` of the file are the event's own. Every other column is a
field. A CSV column whose values are numbers becomes numbers; an empty cell is no value.
"""

from __future__ import annotations

import json
import threading
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sightline.errors import EnvironmentTrouble, UserError, nearest
from sightline.store.appending import time_of_number, time_of_text
from sightline.store.engine_errors import EngineError
from sightline.store.promotion import SAMPLE_ROWS, divided
from sightline.store.sql_text import identifier, quote

if TYPE_CHECKING:
    from sightline.store.embedded import EmbeddedStore

STAGING_PREFIX = "loading_"
TIME_FIELDS = ("_time", "timestamp", "@timestamp", "time", "ts", "date", "datetime")
"""Looked for in this order when no time field is named. When there is none the events are of now."""

_COLUMNS = ("index", "_time", "_indextime", "host", "source", "sourcetype", "_raw", "fields")
_OWN = ("host", "source", "sourcetype", "_raw", "_time", "index", "_indextime")
_FORMATS = {
    ".csv": "csv",
    ".tsv": "tsv",
    ".json": "json",
    ".jsonl": "json",
    ".ndjson": "json",
    ".parquet": "parquet",
    ".pq": "parquet",
}
_COMPRESSED = (".gz", ".zst", ".xz", ".bz2", ".lz4")
_DEFAULT_SOURCETYPES = {"csv": "csv", "tsv": "tsv", "json": "json", "parquet": "parquet", "text": "text"}
_POLL_S = 0.2


def file_kind(path: Path) -> str:
    """`csv`, `tsv`, `json`, `parquet` or `text`, by the ending of the name; a compression's ending is looked behind."""
    suffixes = [suffix.lower() for suffix in path.suffixes]
    if suffixes and suffixes[-1] in _COMPRESSED:
        suffixes.pop()
    return _FORMATS.get(suffixes[-1], "text") if suffixes else "text"


def load_file(
    store: EmbeddedStore,
    path: Path,
    *,
    index: str,
    sourcetype: str | None = None,
    time_field: str | None = None,
    source: str | None = None,
    host: str | None = None,
    on_progress: Callable[[int, int, int], None] | None = None,
) -> int:
    """Load a file and return the number of rows. `on_progress` gets (rows, bytes read, bytes in all) now and then.

    Raises UserError for a file that cannot be read as what its name says, or a time field it does not have.
    """
    if not path.is_file():
        raise EnvironmentTrouble(f'file "{path}" does not exist or is no file')
    size = path.stat().st_size
    if size == 0:
        return 0
    kind = file_kind(path)
    staging = f"{STAGING_PREFIX}{uuid.uuid4().hex}"
    try:
        select, settings = _select(store, path, kind, index, sourcetype, time_field, source, host)
        sample = store.query(f"SELECT `index`, fields AS object FROM ({select}) LIMIT {SAMPLE_ROWS}", settings=settings)
        store.promoted.learn("events", sample)
        columns, select = divided(select, _COLUMNS, "events", store.promoted.of("events", [index]))
        store.execute(f"CREATE TABLE sightline.{staging} AS sightline.events")
        sid = staging
        insert = f"INSERT INTO sightline.{staging} ({', '.join(map(identifier, columns))}) {select}"
        # Blocks of the engine's own size here: the file may be larger than memory, and nothing is visible till the end.
        settings = {"min_insert_block_size_rows": 500_000, "min_insert_block_size_bytes": 256 << 20, **settings}
        with ThreadPoolExecutor(1) as pool:
            done = threading.Event()
            running = pool.submit(store.insert, insert, token=staging, sid=sid, settings=settings)
            running.add_done_callback(lambda _: done.set())
            while not done.wait(_POLL_S):
                progress = store.progress(sid) if on_progress else None
                if progress:
                    on_progress(progress.read_rows, min(progress.read_bytes, size), size)
            rows = running.result()
        partitions = store.query(
            "SELECT DISTINCT partition_id FROM system.parts WHERE database = 'sightline' AND active"
            f" AND table = {quote(staging)}"
        )["partition_id"].to_pylist()
        with store.promoted.changing:
            store.promoted.copy_to("events", staging)
            for partition in partitions:
                store.execute(
                    f"ALTER TABLE sightline.events ATTACH PARTITION ID {quote(partition)} FROM sightline.{staging}"
                )
    except EngineError as error:
        raise UserError(f'file "{path.name}" cannot be read as {kind}: {error.message}') from error
    finally:
        store.execute(f"DROP TABLE IF EXISTS sightline.{staging} SYNC")
    if on_progress:
        on_progress(rows, size, size)
    return rows


def drop_leftovers(store: EmbeddedStore) -> None:
    """Remove what loads that were killed left behind."""
    tables = store.query(
        f"SELECT name FROM system.tables WHERE database = 'sightline' AND startsWith(name, '{STAGING_PREFIX}')"
    )
    for name in tables["name"].to_pylist():
        store.execute(f"DROP TABLE IF EXISTS sightline.{identifier(name)} SYNC")


def _select(
    store: EmbeddedStore,
    path: Path,
    kind: str,
    index: str,
    sourcetype: str | None,
    time_field: str | None,
    source: str | None,
    host: str | None,
) -> tuple[str, dict[str, Any]]:
    settings: dict[str, Any] = {"input_format_csv_use_best_effort_in_schema_inference": 1, "max_threads": 2}
    text = quote(str(path))
    constants = {
        "host": quote(host or ""),
        "source": quote(source or path.name),
        "sourcetype": quote(sourcetype or _DEFAULT_SOURCETYPES[kind]),
    }
    if kind in ("json", "text"):
        format_name, column = ("JSONAsString", "json") if kind == "json" else ("LineAsString", "line")
        table = f"file({text}, '{format_name}', '{column} String')"
        return _lines_select(kind, table, column, index, time_field, constants), settings
    inferred = {"csv": "CSVWithNames", "tsv": "TSVWithNames", "parquet": "Parquet"}[kind]
    described = store.query(
        f"DESCRIBE file({text}, '{inferred}')",
        settings={"schema_inference_make_columns_nullable": 1, "input_format_try_infer_exponent_floats": 1},
    )
    types = dict(zip(described["name"].to_pylist(), described["type"].to_pylist(), strict=True))
    if kind == "parquet":
        table, texts = f"file({text}, 'Parquet')", False
    else:
        structure = ", ".join(f"{identifier(name)} Nullable(String)" for name in types)
        table, texts = f"file({text}, '{inferred}', {quote(structure)})", True
        settings["input_format_csv_empty_as_default"] = 0
    return _columns_select(types, table, index, time_field, constants, texts=texts), settings


def _columns_select(
    types: dict[str, str], table: str, index: str, time_field: str | None, constants: dict[str, str], *, texts: bool
) -> str:
    time_name = _time_name(list(types), time_field)
    pieces = [_json_piece(name, type_name, texts) for name, type_name in types.items() if name not in _OWN]
    fields = "concat('{', arrayStringConcat(arrayFilter(x -> x != '', [" + ", ".join(pieces or ["''"]) + "]), ','), '}')"
    if "_raw" in types:
        raw = "ifNull(toString(`_raw`), '')"
    elif texts:
        raw = "trimRight(formatRow('CSV', " + ", ".join(identifier(name) for name in types) + "))"
    else:
        raw = fields
    own = [
        f"if(ifNull(toString({identifier(name)}), '') = '', {default}, assumeNotNull(toString({identifier(name)})))"
        if name in types
        else default
        for name, default in constants.items()
    ]
    time = "now64(6, 'UTC')"
    if time_name:
        time = f"ifNull({_time_of(time_name, types[time_name], texts)}, now64(6, 'UTC'))"
    return _named([quote(index), time, "now64(3)", *own, raw, fields], table)


def _lines_select(kind: str, table: str, column: str, index: str, time_field: str | None, constants: dict[str, str]) -> str:
    own = list(constants.values())
    time = "now64(6, 'UTC')"
    if kind == "text":
        fields = f"sightline_whole_object([sightline_inside_object({column}), sightline_key_values({column})])"
        if time_field:
            raise UserError(f'a text file has no field "{time_field}"', "name a CSV, JSON lines or Parquet file")
        where = f"WHERE trimBoth({column}) != ''"
    else:
        fields = column
        where = f"WHERE NOT throwIf(JSONType({column}) != 'Object', 'a line is not a JSON object')"
        names = (time_field,) if time_field else TIME_FIELDS
        # A dotted name means a path; a name that has the dots itself is tried too.
        found = []
        for name in names:
            paths = [quote(name)]
            if "." in name:
                paths.append(", ".join(quote(part) for part in name.split(".")))
            found += [f"nullIf(trim(BOTH '\"' FROM JSONExtractRaw({column}, {path})), '')" for path in paths]
        text = f"ifNull(coalesce({', '.join(found)}), '')"
        time = f"ifNull({time_of_text(text, 6)}, now64(6, 'UTC'))"
        own = [
            f"if(JSONExtractString({column}, '{name}') = '', {default}, JSONExtractString({column}, '{name}'))"
            for name, default in constants.items()
        ]
    return _named([quote(index), time, "now64(3)", *own, column, fields], f"{table} {where}")


def _named(values: list[str], source: str) -> str:
    """A SELECT of the columns of an event. Names that hide what another value is read from come in a second step."""
    texts = ", ".join(f"{value} AS {identifier('given:' + name)}" for name, value in zip(_COLUMNS, values, strict=True))
    names = ", ".join(f"{identifier('given:' + name)} AS {identifier(name)}" for name in _COLUMNS)
    return f"SELECT {names} FROM (SELECT {texts} FROM {source})"


def _json_piece(name: str, type_name: str, texts: bool) -> str:
    column = identifier(name)
    key = quote(json.dumps(name, ensure_ascii=False) + ":")
    if not texts:
        if type_name.startswith("Array"):
            values = f"arrayMap(x -> toString(assumeNotNull(x)), arrayFilter(x -> isNotNull(x), {column}))"
            return f"if(empty({values}), '', concat({key}, toJSONString({values})))"
        return f"if(isNull({column}), '', concat({key}, ifNull(toJSONString({column}), 'null')))"
    text = f"assumeNotNull({column})"
    if any(kind in type_name for kind in ("Int", "Float")):
        # The text itself where JSON can write it so (1001.0 stays a float), else its number, else a string: one odd
        # cell must not make the file unreadable.
        number = f"toFloat64OrNull({text})"
        value = (
            f"multiIf(match({text}, '^-?(0|[1-9][0-9]{{0,17}})([.][0-9]+)?$'), {text},"
            f" isNotNull({number}) AND isFinite(assumeNotNull({number})), toString(assumeNotNull({number})),"
            f" toJSONString({text}))"
        )
    else:
        value = f"toJSONString({text})"
    return f"if(ifNull({column}, '') = '', '', concat({key}, {value}))"


def _time_name(names: list[str], wanted: str | None) -> str | None:
    if wanted:
        if wanted not in names:
            raise UserError(
                f'the file has no time field "{wanted}", it has: {", ".join(names[:50])}', nearest(wanted, names)
            )
        return wanted
    return next((name for name in TIME_FIELDS if name in names), None)


def _time_of(name: str, type_name: str, texts: bool) -> str:
    column = identifier(name)
    if texts or "String" in type_name:
        return time_of_text(f"ifNull(toString({column}), '')", 6)
    if "Date" in type_name:
        return f"toDateTime64({column}, 6, 'UTC')"
    return time_of_number(f"toFloat64({column})", 6)
