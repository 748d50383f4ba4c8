"""Collections: tables that people and searches change row by row, each row under a `_key` of its own.

A collection is one Parquet file that is replaced as a whole, so that a reader never sees half a change. Its declaration
(`field.<name> = <type>`, `enforceTypes`) is a stanza of kind collections.
"""

from __future__ import annotations

import os
import re
import secrets
import threading
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as parquet

from sightline.catalog.stanzas import is_true
from sightline.errors import UserError

KEY = "_key"
_ARROW_TYPES = {"number": pa.float64(), "bool": pa.bool_(), "array": pa.list_(pa.string())}


class Collections:
    """The rows of every collection. Safe to use from several threads of one process."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = threading.Lock()

    def read(self, name: str) -> pa.Table:
        """The rows, `_key` first; none for a collection that nobody wrote to."""
        path = self._path(name)
        if not path.is_file():
            return pa.table({KEY: pa.array([], pa.string())})
        # Read whole and not mapped: the file is replaced while others may still use the table.
        return parquet.read_table(path, memory_map=False)

    def update(
        self, name: str, change: Callable[[pa.Table], pa.Table], settings: Mapping[str, str] | None = None
    ) -> pa.Table:
        """Replaces the rows by what `change` makes of them; gives them as kept. Rows without a `_key` get one.

        Of rows with the same `_key` the last stays. `settings` are the collection's declaration. `change` runs alone and
        must not use this object.
        """
        with self._lock:
            table = typed(with_keys(change(self.read(name))), name, settings or {})
            path = self._path(name)
            self._folder.mkdir(parents=True, exist_ok=True)
            staged = path.with_name(f".{path.name}.{os.getpid()}")
            parquet.write_table(table, staged)
            staged.replace(path)
            return table

    def upsert(self, name: str, table: pa.Table, settings: Mapping[str, str] | None = None) -> pa.Table:
        """Adds rows, each in place of one with the same `_key`; gives the added rows with their keys."""
        added = with_keys(table)
        self.update(name, lambda rows: joined(rows, added), settings)
        return added

    def remove(self, name: str, keys: Iterable[str]) -> int:
        """Removes rows by their keys; gives how many there were."""
        wanted = pa.array(list(keys), pa.string())
        gone = 0

        def change(rows: pa.Table) -> pa.Table:
            nonlocal gone
            chosen = pc.is_in(rows.column(KEY), value_set=wanted)
            gone = pc.sum(chosen).as_py() or 0
            return rows.filter(pc.invert(chosen))

        self.update(name, change)
        return gone

    def drop(self, name: str) -> None:
        """Removes a collection's rows; one without rows is not an error."""
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,200}", name):
            raise UserError(f'a collection name wants letters, digits and _ . -, got "{name}"')
        return self._folder / f"{name}.parquet"


def with_keys(table: pa.Table) -> pa.Table:
    """The rows with a `_key` each, which comes first; of rows with the same key the last stays, in its place."""
    count = table.num_rows
    fresh = pa.array([secrets.token_hex(12) for _ in range(count)], pa.string())
    keys = fresh
    if KEY in table.column_names:
        given = table.column(KEY).cast(pa.string()).combine_chunks()
        keys = pc.if_else(pc.equal(pc.fill_null(given, ""), ""), fresh, given)
        table = table.drop_columns([KEY])
    table = table.add_column(0, KEY, keys) if table.num_columns else pa.table({KEY: keys})
    numbered = pa.table({KEY: keys, "position": pa.array(range(count), pa.int64())})
    last = numbered.group_by(KEY).aggregate([("position", "max")]).column("position_max").combine_chunks()
    return table if len(last) == count else table.take(last.sort())


def joined(existing: pa.Table, table: pa.Table) -> pa.Table:
    """The rows of both, one below the other. Where the types of a column differ its values become text."""
    parts = []
    for part, other in ((existing, table), (table, existing)):
        columns = {}
        for name, column in zip(part.column_names, part.columns, strict=True):
            theirs = other.schema.field(name).type if name in other.column_names else column.type
            columns[name] = column if theirs == column.type else _common(column, theirs)
        parts.append(pa.table(columns))
    return pa.concat_tables(parts, promote_options="permissive")


def _common(column: pa.ChunkedArray, theirs: pa.DataType) -> pa.ChunkedArray:
    if pa.types.is_null(column.type) or pa.types.is_null(theirs):
        return column
    if pa.types.is_list(column.type):
        return column.cast(pa.list_(pa.string()))
    text = column.cast(pa.string())
    if not pa.types.is_list(theirs):
        return text
    values = text.combine_chunks()
    offsets = pc.cumulative_sum(pc.cast(pc.is_valid(values), pa.int32()))
    starts = pa.concat_arrays([pa.array([0], pa.int32()), offsets])
    return pa.chunked_array([pa.ListArray.from_arrays(starts, values.drop_null(), mask=pc.is_null(values))])


def typed(table: pa.Table, name: str, settings: Mapping[str, str]) -> pa.Table:
    """The rows with declared fields in their declared types. Raises UserError for a value that has not its type, where
    types are enforced; else such a field stays as it is.
    """
    enforced = is_true(settings.get("enforceTypes", "0"))
    for key, declared in settings.items():
        column = key.removeprefix("field.")
        if column == key or column not in table.column_names:
            continue
        wanted = _ARROW_TYPES.get(declared.strip().lower())
        values = table.column(column)
        if wanted is None or values.type == wanted:
            continue
        try:
            converted = values.cast(wanted)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError) as error:
            if enforced:
                raise UserError(f'collection "{name}": field "{column}" wants {declared} values: {error}') from None
            continue
        table = table.set_column(table.column_names.index(column), column, converted)
    return table
