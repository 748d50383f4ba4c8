"""The engine in this process (chDB, which is ClickHouse without its ports) behind a small interface.

Hides: connections, the way Arrow tables are handed to SQL, cancelling, progress, limits, DDL, and the engine's error
texts. Enters: SQL text and Arrow tables. Leaves: Arrow tables and batches, `EngineError` and its subclasses.

Facts about SQL over this store that a writer of SQL relies on:

- A statement has no SETTINGS and no FORMAT clause of its own; settings are given as an argument.
- A column of type list is never null in the engine: a null list arrives, and comes back, as an empty one.
- Rows of a table given in `tables` arrive in any order unless the statement runs with `{"max_threads": 1}`.
- Text search goes through the text index on `lowerUTF8(_raw)`; the expression must be written exactly so.
  A bare term of letters and digits, in lower case:  `hasAllTokens(lowerUTF8(_raw), 'needle')`
  a term or phrase with other characters in it:      `hasAllTokens(lowerUTF8(_raw), 'status=200 web-1')
                                                       AND position(lowerUTF8(_raw), 'status=200 web-1') > 0`
  a wildcard, escaped as LIKE wants it:              `lowerUTF8(_raw) LIKE '%needle%'`
  The index splits at every ASCII character that is no letter and no digit, so `_` separates, and it keeps all other
  characters. `hasAllTokens` of a text without any token (`"--"`) is never true: use `position` alone.
- `fields` and `dims` are JSON columns: a path is read as `fields.a.b` or with backquotes per part, its type is
  Dynamic; `json_paths` says which types it holds, and `fields.a.:Int64` reads one of them at full speed. What most
  records have is not there but in columns such as `a:Int64`; `json_paths` marks them (`promotion.py`).

Several threads may use one store at the same time. A stream keeps a connection for itself until it ends.
"""

from __future__ import annotations

import contextlib
import os
import queue
import resource
import shutil
import threading
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.resources import files as packaged
from pathlib import Path
from types import CodeType
from typing import Any

import chdb
import pyarrow as pa

from sightline.config import Settings
from sightline.errors import EnvironmentTrouble, UserError
from sightline.store import appending, decoding, files, udf
from sightline.store.engine_errors import EngineError, engine_error
from sightline.store.few_texts import FewTexts
from sightline.store.migrations import migrate
from sightline.store.paths import JsonPaths
from sightline.store.promotion import JSON_COLUMNS, MIN_SAMPLE_ROWS, SAMPLE_ROWS, PromotedFields, divided, merged_types
from sightline.store.sourcetypes import Sourcetypes
from sightline.store.sql_text import (
    CHOOSES_PARTS,
    INSERT_SETTINGS,
    JSON_SETTINGS,
    READ_SETTINGS,
    identifier,
    quote,
    settings_clause,
)

TABLES = {"event": "events", "metric": "metrics", "trace": "spans"}
"""The table that holds an index of each datatype."""

PARSER_DEPTH = 4000
"""How deep a statement may nest; the engine's own limit of 1,000 is met by `case` with three hundred branches."""
_WIDE_STATEMENTS = (
    "SET max_query_size = 268435456, max_ast_elements = 10000000, max_expanded_ast_elements = 10000000,"
    f" max_parser_depth = {PARSER_DEPTH}, max_ast_depth = {PARSER_DEPTH}, max_subquery_depth = 300, max_parser_backtracks = 100000000"
)
"""The engine reads these before it reads a statement, so they cannot stand in it. A subsearch may give a condition of
hundreds of thousands of values; the memory limit still holds."""

TOKENIZER = "splitByNonAlpha"
"""How the text index takes words apart; must be the schema's."""
SLOW_BLOCK_ROWS = 8192
"""Rows of a block where Python is called for each."""
_MANY_FILES = 1 << 20
_MANY_PARTS = 100_000
"""More rows than this are not the engine's notes about parts, of which there are some thousands at most."""
_CLOCK_STEP_S = 1e-3
"""What a time may lose as a float, and more."""
_MACHINE_SHARE = 16
"""Part of the machine's memory, as a divisor, that decompressed columns may take: beside them there are searches and inserts."""
_LARGE_COLUMNS = ("`_raw`", "`fields`", "`dims`", "`events`", "`links`")
"""Columns that no cache holds: one search would push out what a hundred others need."""
_ROW_BYTES = 16
"""What a row takes of the columns that most statements read, beside those of fields."""
_GRANULE_ROWS, _ENGINE_GRANULE_ROWS = 2048, 8192
"""Rows of a granule of usual events, and rows that the engine takes for a granule where a setting counts rows."""
_FROZEN = "frozen"
_CONFIG = packaged("sightline.store") / "engine" / "config.xml"
_QUERY = compile("_sightline_connection.query(_sightline_sql, 'ArrowTable')", "<engine query>", "eval")
_INSERT = compile("_sightline_connection.query(_sightline_sql, 'CSV')", "<engine insert>", "eval")
_STREAM = compile("_sightline_connection.send_query(_sightline_sql, 'ArrowTable')", "<engine stream>", "eval")


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a running statement is. `total_rows` is the engine's estimate, 0 while it has none."""

    read_rows: int
    total_rows: int
    read_bytes: int
    memory_bytes: int
    elapsed_s: float

    @property
    def part(self) -> float:
        """How much of it is done, between 0 and 1."""
        return min(1.0, self.read_rows / self.total_rows) if self.total_rows else 0.0


@dataclass(frozen=True, slots=True)
class IndexStatus:
    """What an index holds; times are seconds since the epoch, None when it is empty."""

    name: str
    datatype: str
    rows: int
    bytes_on_disk: int
    min_time: float | None
    max_time: float | None


@dataclass(frozen=True, slots=True)
class PartStatus:
    """One part of an index: rows that were inserted, or merged, together. Times are seconds since the epoch."""

    name: str
    index: str
    table: str
    rows: int
    earliest: float
    latest: float
    hosts: int
    sources: int
    sourcetypes: int
    level: int
    """How often it was merged; 0 as inserted."""
    bytes_on_disk: int
    raw_bytes: int
    modified: float


class EmbeddedStore:
    """The store of one data directory. Opens or creates it; `close` must be called before the process ends.

    Raises EnvironmentTrouble when another process has the directory open, UserError when it is of a newer version.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path = path
        self._settings = settings
        self._free: queue.LifoQueue[Any] = queue.LifoQueue()
        self._all: list[Any] = []
        self._lock = threading.Lock()
        self._closed = False
        self._changes = 0
        self._changing = 0
        self._kept: dict[tuple, Any] = {}
        machine_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
        self._cache_bytes = min(settings.search.cache_bytes, machine_bytes // _MACHINE_SHARE)
        if "?" in str(path.absolute()):
            # The engine takes what follows for settings, and would write beside the directory.
            raise UserError(f'data directory "{path}" has a question mark in its name, wanted a name without one')
        path.mkdir(parents=True, exist_ok=True)
        # Hard links of a backup that a crash cut short would keep the disk of parts that are long gone.
        shutil.rmtree(path / "shadow", ignore_errors=True)
        _allow_many_files()
        try:
            self._release(self._acquire())
            migrate(self.execute, self._schema_versions)
            decoding.prepare(self.execute, settings.ingest)
            files.drop_leftovers(self)
            udf.install()
        except BaseException:
            self.close()
            raise
        self._paths = JsonPaths(self.query)
        self.promoted = PromotedFields(self.query, self.execute, settings.ingest.promoted_fields, path)
        """The fields that have a column of their own."""
        self._sourcetypes = Sourcetypes(self.query)
        self.few_texts = FewTexts(self.query, self._rows)
        """The texts of columns that have few."""

    # Statements

    def query(
        self,
        sql: str,
        *,
        tables: Mapping[str, pa.Table] | None = None,
        sid: str = "",
        settings: Mapping[str, Any] | None = None,
    ) -> pa.Table:
        """Run one statement and return its whole result.

        `tables` are visible in the text as `Python(<name>)`. `sid` is the name for `cancel` and `progress`. The
        limits of `SearchSettings` hold unless `settings` says otherwise. Raises EngineError.
        """
        return self._run(sql + settings_clause(self._limits(sql, sid, settings)), tables)

    def stream(
        self,
        sql: str,
        *,
        tables: Mapping[str, pa.Table] | None = None,
        sid: str = "",
        settings: Mapping[str, Any] | None = None,
    ) -> Iterator[pa.RecordBatch]:
        """Run one statement and yield its result in batches as the engine makes them; at least one batch, so that
        the schema is known also when there are no rows. Closing the iterator stops the statement.
        """
        text = sql + settings_clause(self._limits(sql, sid, settings))
        connection = self._acquire()
        clean = False
        result = None
        empty = True
        try:
            result = eval(_STREAM, self._scope(connection, text, tables))
            for chunk in result:
                empty = False
                yield from chunk.to_batches()
            clean = True
        except Exception as error:
            raise _mapped(error) from error
        finally:
            if not clean and result is not None:
                _close_quietly(result)
            self._release(connection, clean)
        if empty:
            # The engine sends no block, and so no schema, for an empty result.
            schema = self.query(f"SELECT * FROM ({sql}) LIMIT 0", tables=tables, sid=sid, settings=settings).schema
            yield pa.RecordBatch.from_pylist([], schema=schema)

    def execute(
        self,
        sql: str,
        *,
        tables: Mapping[str, pa.Table] | None = None,
        sid: str = "",
        settings: Mapping[str, Any] | None = None,
    ) -> None:
        """Run a statement that changes something, without the limits of a search."""
        settings = {**({"session_timezone": "UTC", "log_comment": sid} if sid else {}), **(settings or {})}
        # What steers the engine changes nothing that is stored.
        with contextlib.nullcontext() if sql.startswith("SYSTEM ") else self._change():
            self._run(sql + settings_clause(settings), tables)

    def insert(
        self,
        sql: str,
        *,
        token: str,
        tables: Mapping[str, pa.Table] | None = None,
        sid: str = "",
        settings: Mapping[str, Any] | None = None,
    ) -> int:
        """Run an INSERT ... SELECT and return how many rows it made, also when they were there already.

        A second one with the same `token` changes nothing. Durable when it returns.
        """
        all_settings = {
            **INSERT_SETTINGS,
            "session_timezone": "UTC",
            "insert_deduplication_token": token,
            "log_comment": sid,
            **(settings or {}),
        }
        with self._change():
            return self._run(sql + settings_clause(all_settings), tables, _INSERT).rows_written()

    @staticmethod
    def table_function(name: str) -> str:
        """What to write after FROM for a table given in `tables`."""
        return f"Python({name})"

    def cancel(self, sid: str) -> None:
        """Ask every running statement of a search to stop; it ends with QueryCancelled, usually within 0.1 s."""
        if sid:
            self.execute(f"KILL QUERY WHERE Settings['log_comment'] = {quote(sid)} ASYNC")

    def progress(self, sid: str) -> Progress | None:
        """How far the running statements of a search are, summed; None when none runs."""
        found = self.query(
            "SELECT count() AS n, sum(read_rows) AS read_rows, sum(total_rows_approx) AS total_rows,"
            " sum(read_bytes) AS read_bytes, sum(memory_usage) AS memory, max(elapsed) AS elapsed"
            f" FROM system.processes WHERE Settings['log_comment'] = {quote(sid)}"
        ).to_pylist()[0]
        if not sid or found["n"] == 0:
            return None
        return Progress(
            found["read_rows"], found["total_rows"], found["read_bytes"], max(0, found["memory"]), found["elapsed"]
        )

    # Writing tables

    def append_events(self, index: str, table: pa.Table, *, token: str = "") -> int:
        """Add rows to an event index and return their number.

        Columns `_time` (epoch seconds, or a timestamp, or text; absent: now), `host`, `source`, `sourcetype`,
        `severity`, `trace_id`, `span_id` and `_raw` (absent: the fields as JSON) are the event's own; every other
        column becomes a field where it is not null. `token` makes a repeated append a no-op. Durable when it returns.
        """
        return self._append("events", index, appending.events_rows(index, table), table, token)

    def append_metrics(self, index: str, table: pa.Table, *, token: str = "") -> int:
        """Add points to a metric index and return their number.

        Columns `metric_name` and `value` are needed; `_time`, `type`, `unit`, `host`, `source`, `sourcetype` are
        optional; every other column becomes a dimension where it is not null. Rows without a name are refused.
        """
        return self._append("metrics", index, appending.metrics_rows(index, table), table, token)

    def _append(self, stored: str, index: str, rows: appending.Rows, table: pa.Table, token: str) -> int:
        if table.num_rows:
            given = {appending.TABLE_NAME: table}
            # Most tables are short, and would be looked at for nothing.
            self.insert_rows(
                stored, rows, token=token, indexes=[index], tables=given, learn=table.num_rows >= MIN_SAMPLE_ROWS
            )
        return table.num_rows

    def insert_rows(
        self,
        table: str,
        rows: tuple[Sequence[str], str],
        *,
        token: str = "",
        indexes: Sequence[str] | None = None,
        tables: Mapping[str, pa.Table] | None = None,
        settings: Mapping[str, Any] | None = None,
        learn: bool = True,
    ) -> int:
        """Insert rows whose object is JSON text: the columns they have, and the SELECT that gives them.

        With `learn`, fields that most of them have are promoted first. `indexes` are those the rows belong to; None says
        nothing.
        """
        columns, select = rows
        if learn:
            object_text = identifier(JSON_COLUMNS[table])
            sample = f"SELECT `index`, {object_text} AS object FROM ({select}) LIMIT {SAMPLE_ROWS}"
            self.promoted.learn(table, self.query(sample, tables=tables))
        columns, select = divided(select, columns, table, self.promoted.of(table, indexes))
        listed = ", ".join(map(identifier, columns))
        return self.insert(
            f"INSERT INTO sightline.{table} ({listed}) {select}",
            token=token or uuid.uuid4().hex,
            tables=tables,
            settings=settings,
        )

    def load_file(
        self,
        path: Path,
        *,
        index: str,
        sourcetype: str | None = None,
        time_field: str | None = None,
        source: str | None = None,
        host: str | None = None,
        on_progress: Callable[[int, int, int], None] | None = None,
    ) -> int:
        """Load a CSV, JSON lines, Parquet or text file into an event index, whole or not at all; see `files`."""
        return files.load_file(
            self,
            path.resolve(),
            index=index,
            sourcetype=sourcetype,
            time_field=time_field,
            source=source,
            host=host,
            on_progress=on_progress,
        )

    # What is stored

    def indexes(self) -> list[IndexStatus]:
        """Every index that holds something, by name. Reads no rows: counts and time bounds come from the parts."""
        sizes: dict[tuple[str, str], int] = {}
        for part in self.query(
            "SELECT table, partition, sum(bytes_on_disk) AS size FROM system.parts"
            " WHERE database = 'sightline' AND active"
            " AND table IN ('events', 'metrics', 'spans') GROUP BY table, partition"
        ).to_pylist():
            index = self._paths.index_of_partition(part["partition"])
            sizes[part["table"], index] = sizes.get((part["table"], index), 0) + part["size"]
        found = []
        for datatype, table in TABLES.items():
            rows = self.query(
                "SELECT index, count() AS n, toFloat64(min(_time)) AS earliest, toFloat64(max(_time)) AS latest"
                f" FROM sightline.{table} GROUP BY index ORDER BY index"
            ).to_pylist()
            found += [
                IndexStatus(r["index"], datatype, r["n"], sizes.get((table, r["index"]), 0), r["earliest"], r["latest"])
                for r in rows
            ]
        return sorted(found, key=lambda status: (status.name, status.datatype))

    def parts(self, indexes: Sequence[str]) -> list[PartStatus]:
        """The parts that hold these indexes, by index and time. Reads the columns that are counted."""
        found = []
        for table in TABLES.values():
            stored = {
                one["name"]: one
                for one in self.query(
                    "SELECT name, level, bytes_on_disk, data_uncompressed_bytes AS raw_bytes,"
                    " toFloat64(toUnixTimestamp(modification_time)) AS modified FROM system.parts"
                    f" WHERE database = 'sightline' AND active AND table = {quote(table)}"
                ).to_pylist()
            }
            named = ", ".join(quote(name) for name in indexes) or "''"
            rows = self.query(
                "SELECT _part AS name, any(index) AS of_index, count() AS n, toFloat64(min(_time)) AS earliest,"
                " toFloat64(max(_time)) AS latest, uniqExact(host) AS hosts, uniqExact(source) AS sources,"
                f" uniqExact(sourcetype) AS sourcetypes FROM sightline.{table} WHERE index IN ({named}) GROUP BY _part"
            ).to_pylist()
            # A part that was merged away between the two questions is in its successor.
            found += [
                PartStatus(
                    row["name"], row["of_index"], table, row["n"], row["earliest"], row["latest"], row["hosts"],
                    row["sources"], row["sourcetypes"], **{k: v for k, v in stored[row["name"]].items() if k != "name"},
                )
                for row in rows
                if row["name"] in stored
            ]  # fmt: skip
        return sorted(found, key=lambda part: (part.index, part.earliest, part.name))

    def json_paths(self, table: str, indexes: Sequence[str] | None = None) -> dict[str, frozenset[str]]:
        """Every dynamic field of `events`, `spans` or `metrics` (its dims) with the types it occurs in.

        A field with a column of its own (`store/promotion.py`) has the column's type marked, `column:Int64`.
        Read from the parts' metadata, not from rows; sees every insert that has returned. `indexes` None means all.
        """
        key = ("paths", table, None if indexes is None else tuple(indexes))
        return self._unless_changed(
            key, lambda: merged_types(self._paths.read(table, indexes), self.promoted.of(table, indexes))
        )

    def sourcetypes(self, indexes: Sequence[str]) -> frozenset[str] | None:
        """Sourcetypes of the events in some indexes; None while parts change too fast to tell."""
        return self._unless_changed(("sourcetypes", *indexes), lambda: self._sourcetypes.read(indexes))

    def reach(self, table: str, indexes: Sequence[str], *, fresh: bool = False) -> tuple[float, float] | None:
        """A moment that no row of some indexes is before, and one that all are before, in seconds since the epoch.

        `table` is one such as `sightline.events`. None where there is no row, or where it would have to be read from rows.
        `fresh` sees also rows of inserts that have not returned yet.
        """
        if fresh and self._changing:
            found = self._read_extent(table, indexes)
        else:
            found = self._extent(table, indexes)
        return (found[1] - _CLOCK_STEP_S, found[2] + _CLOCK_STEP_S) if found and found[0] else None

    def _rows(self, table: str, indexes: Sequence[str]) -> int:
        """How many rows indexes of a table have; 0 where they would have to be read to tell."""
        found = self._extent(table, indexes)
        return found[0] if found else 0

    def _extent(self, table: str, indexes: Sequence[str]) -> tuple[int, float, float] | None:
        return self._unless_changed(("extent", table, *indexes), lambda: self._read_extent(table, indexes))

    def _read_extent(self, table: str, indexes: Sequence[str]) -> tuple[int, float, float] | None:
        """Rows, and the first and last moment of them."""
        listed = ", ".join(map(quote, indexes)) or "''"
        try:
            # The engine answers this from the smallest and largest key of each part.
            found = self.query(
                f"SELECT count() AS n, toFloat64(min(_time)) AS first, toFloat64(max(_time)) AS last FROM {table}"
                f" WHERE index IN ({listed})",
                settings={"max_rows_to_read": _MANY_PARTS},
            ).to_pylist()[0]
        except EngineError:
            # Parts that rows were deleted from have to be read.
            return None
        return found["n"], found["first"], found["last"]

    def words_beginning(self, begun: str, most: int) -> list[str] | None:
        """The words of all events that begin with a lower-case text, as the text index splits them; None beyond `most`, and
        while merges are faster than the looking.

        Read from the index's dictionary, where they stand side by side, and from the texts of the parts that have none
        yet, because nothing was merged into them.
        """
        fresh = self._fresh_parts()
        listed = ", ".join(map(quote, fresh)) or "''"
        begins = f"startsWith(token, {quote(begun)})"
        words = f"arrayJoin(tokens(lowerUTF8(_raw), '{TOKENIZER}'))"
        found = self.query(
            f"SELECT DISTINCT token FROM (SELECT token FROM mergeTreeTextIndex('sightline', 'events', 'raw_text') WHERE {begins}"
            f" UNION ALL SELECT token FROM (SELECT {words} AS token FROM sightline.events"
            f" WHERE _part IN ({listed}) AND position(lowerUTF8(_raw), {quote(begun)}) > 0)"
            f" WHERE {begins}) LIMIT {most + 1}"
        )["token"].to_pylist()
        if not set(fresh) <= set(self._fresh_parts()):
            return None
        return sorted(found) if len(found) <= most else None

    def _fresh_parts(self) -> list[str]:
        """Parts whose words may not be in the text index yet. The engine tells the size of all indexes together, and that of
        trace ids takes 10 bits a row at most; a part that is called fresh in vain is read in vain."""
        return self.query(
            "SELECT name FROM system.parts WHERE database = 'sightline' AND table = 'events' AND active AND level = 0"
            " AND secondary_indices_compressed_bytes < 2 * rows + 4096"
        )["name"].to_pylist()

    @contextlib.contextmanager
    def _change(self) -> Iterator[None]:
        with self._lock:
            self._changing += 1
        try:
            yield
        finally:
            with self._lock:
                self._changing -= 1
                self._changes += 1
                self._kept.clear()

    def _unless_changed(self, key: tuple, read: Callable[[], Any]) -> Any:
        """What was read of the parts, read again only after a statement that may have changed what they hold.

        Listing the parts takes milliseconds, in every search. Merges, which nobody announces, change the parts and not what
        they hold together; all else comes through this object. A change while reading counts as one after it.
        """
        with self._lock:
            before, kept = self._changes, self._kept.get(key)
        if kept is not None:
            return kept
        found = read()
        with self._lock:
            if found is not None and before == self._changes:
                self._kept[key] = found
        return found

    def delete_index(self, index: str) -> None:
        """Drop everything an index holds, in every table."""
        for table in TABLES.values():
            for partition_id in self._partitions(table, index):
                self.execute(f"ALTER TABLE sightline.{table} DROP PARTITION ID {quote(partition_id)}")
        self.promoted.forget(index)

    def delete_rows(self, table: str, condition: str) -> None:
        """Take the rows for which a condition is true out of a table. No query that begins afterwards sees them."""
        self._run(f"DELETE FROM {table} WHERE {condition}" + settings_clause({"lightweight_deletes_sync": 2}), None)

    @contextlib.contextmanager
    def frozen(self) -> Iterator[Path]:
        """A folder with every part that is stored at this moment, as hard links, and beside them what the engine keeps of a
        table's inserts and changes. It goes with the context; searches, inserts and merges go on meanwhile."""
        shadow = self._path / "shadow"
        shutil.rmtree(shadow, ignore_errors=True)
        folder = shadow / _FROZEN
        tables = self.query(
            "SELECT name, toString(uuid) AS uuid FROM system.tables WHERE database = 'sightline' AND engine LIKE '%MergeTree'"
        ).to_pylist()
        try:
            for table in tables:
                self.execute(f"ALTER TABLE sightline.{table['name']} FREEZE WITH NAME {quote(_FROZEN)}")
                stored = Path("store") / table["uuid"][:3] / table["uuid"]
                beside = folder / "beside" / stored
                beside.mkdir(parents=True)
                for name in ("deduplication_logs", *(one.name for one in (self._path / stored).glob("mutation_*.txt"))):
                    source = self._path / stored / name
                    if source.is_dir():
                        shutil.copytree(source, beside / name)
                    elif source.exists():
                        shutil.copyfile(source, beside / name)
            yield folder
        finally:
            shutil.rmtree(shadow, ignore_errors=True)

    def memory_bytes(self) -> int:
        """Memory the engine accounts for at this moment."""
        rows = self.query("SELECT value FROM system.metrics WHERE metric = 'MemoryTracking'").to_pylist()
        return int(rows[0]["value"]) if rows else 0

    def close(self) -> None:
        """Close every connection. Statements that still run fail."""
        with self._lock:
            self._closed = True
            connections, self._all = self._all, []
        for connection in connections:
            _close_quietly(connection)

    def __enter__(self) -> EmbeddedStore:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Inside

    def _run(self, text: str, tables: Mapping[str, pa.Table] | None, call: CodeType = _QUERY) -> Any:
        connection = self._acquire()
        clean = False
        try:
            result = eval(call, self._scope(connection, text, tables))
            clean = True
            return result
        except Exception as error:
            raise _mapped(error) from error
        finally:
            self._release(connection, clean)

    def disk_limit_bytes(self) -> int:
        """How much a search that begins now may write to the disk."""
        # To the engine 0 would be no limit.
        return self._settings.search.max_disk_bytes or max(1, shutil.disk_usage(self._path).free // 2)

    def _limits(self, sql: str, sid: str, settings: Mapping[str, Any] | None) -> dict[str, Any]:
        memory_bytes = self._settings.search.max_memory_bytes
        threads = self._settings.search.max_threads or os.cpu_count() or 1
        # A statement is stopped between blocks only, and a block that Python is called for may take long.
        slow = {"max_block_size": SLOW_BLOCK_ROWS} if udf.is_used_in(sql) else {}
        # A window that asks only whether a column has values fails on parts that are older than the column.
        windows = {"optimize_functions_to_subcolumns": 0} if " OVER (" in sql else {}
        # What parts answer without being read does not know of conditions that choose parts.
        parts = {"optimize_use_implicit_projections": 0} if CHOOSES_PARTS in sql else {}
        return {
            **windows,
            **parts,
            "session_timezone": "UTC",
            "max_memory_usage": memory_bytes,
            # What spills is written at once, and no cancel is heard meanwhile: two thirds of a gigabyte take less than a second.
            "max_bytes_before_external_group_by": memory_bytes // 6,
            # Each thread sorts rows of its own. By the ratio a sort would go on until half of the machine's memory is taken.
            "max_bytes_before_external_sort": memory_bytes // (4 * threads),
            "max_bytes_ratio_before_external_sort": 0,
            # Merging reads a block of each sorted run, and there may be hundreds.
            "prefer_external_sort_block_bytes": max(memory_bytes // 1024, 65_536),
            "max_bytes_before_external_distinct": memory_bytes // 6,
            # The part of a join's other side that is read back from disk needs memory of its own.
            "max_bytes_before_external_join": memory_bytes // 4,
            "max_temporary_data_on_disk_size_for_query": self.disk_limit_bytes(),
            "max_execution_time": self._settings.search.max_time_s,
            "max_threads": self._settings.search.max_threads,
            # Loading is what must not wait: an insert runs at the usual priority, beside any number of searches.
            "os_threads_nice_value_query": self._settings.search.niceness,
            # A constant is a constant, also to group or to sort by, and no number of a column.
            "enable_positional_arguments": 0,
            **JSON_SETTINGS,
            **READ_SETTINGS,
            # It hashes each row's text to fetch its group ahead, also where a dictionary has the groups of its few texts at hand.
            "enable_software_prefetch_in_aggregation": 0,
            **self._caching(sql),
            "log_comment": sid,
            **(settings or {}),
            **slow,
        }

    def _caching(self, sql: str) -> dict[str, Any]:
        """Settings that keep what a statement reads decompressed, where all of it has room: what pushes itself out is read a third
        slower."""
        tables = [table for table in JSON_COLUMNS if f"sightline.{table}" in sql]
        if not self._cache_bytes or not tables or any(column in sql for column in _LARGE_COLUMNS):
            return {}
        fields = (one for table in tables for one in self.promoted.of(table))
        row_bytes = _ROW_BYTES + sum(one.row_bytes for one in fields if identifier(one.column) in sql)
        granules = self._cache_bytes // row_bytes // _GRANULE_ROWS
        return {
            "use_uncompressed_cache": 1,
            "merge_tree_max_rows_to_use_cache": granules * _ENGINE_GRANULE_ROWS,
            "merge_tree_max_bytes_to_use_cache": 1,
        }

    def _scope(self, connection: Any, sql: str, tables: Mapping[str, pa.Table] | None) -> dict[str, Any]:
        # chDB looks a `Python(name)` up among the variables of the frame that calls it. The call is therefore
        # evaluated in a namespace of its own, where any name the caller chose is bound and no other thread writes.
        return {**(tables or {}), "_sightline_connection": connection, "_sightline_sql": sql}

    def _acquire(self) -> Any:
        if self._closed:
            raise EngineError("the store is closed")
        try:
            return self._free.get_nowait()
        except queue.Empty:
            pass
        with self._lock:
            try:
                connection = chdb.connect(f"{self._path}?config-file={_CONFIG}&uncompressed_cache_size={self._cache_bytes}")
                connection.query(_WIDE_STATEMENTS, "CSV")
            except Exception as error:
                text = str(error)
                if "lock" in text.lower() or "another" in text.lower():
                    raise EnvironmentTrouble(
                        f'data directory "{self._path}" is open in another process, wanted it free'
                    ) from error
                raise _mapped(error) from error
            self._all.append(connection)
            return connection

    def _release(self, connection: Any, clean: bool = True) -> None:
        if not clean:
            # After a statement that failed half way, chDB puts what it had written of the result in front of the
            # next result of the same connection. An answer nobody reads takes that with it.
            try:
                connection.query("SELECT 1", "CSV")
            except Exception:
                _close_quietly(connection)
                return
        self._free.put(connection)

    def _schema_versions(self) -> list[int]:
        return self.query("SELECT version FROM sightline.schema_versions ORDER BY version")["version"].to_pylist()

    def _partitions(self, table: str, index: str) -> list[str]:
        rows = self.query(
            "SELECT DISTINCT partition, partition_id FROM system.parts"
            f" WHERE database = 'sightline' AND table = {quote(table)} AND active"
        ).to_pylist()
        return [r["partition_id"] for r in rows if self._paths.index_of_partition(r["partition"]) == index]


def _allow_many_files() -> None:
    # A wide part has ten files for each of up to 256 paths, and a merge opens several parts; the usual soft limit of
    # 1024 makes merges fail until inserts are refused.
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = _MANY_FILES if hard == resource.RLIM_INFINITY else min(hard, _MANY_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _mapped(error: Exception) -> Exception:
    if isinstance(error, EngineError | UserError | EnvironmentTrouble):
        return error
    return engine_error(str(error))


def _close_quietly(thing: Any) -> None:
    # Called on the way out of something that already failed or is no longer wanted: its own error says nothing new.
    try:
        thing.close()
    except Exception:
        return
