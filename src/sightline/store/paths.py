"""Which fields exist, and with which types, without reading a row.

A JSON column keeps every path and type as a stream of its own, and the engine lists the streams of each part in
`system.parts_columns`. Parts never change, so what was read of one is kept. A path beyond the column's limit of
dynamic paths has no stream; only a part that reached the limit is asked for its paths by a scan, once.
"""

from __future__ import annotations

import ast
import re
import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from urllib.parse import unquote

import pyarrow as pa

from sightline.errors import EnvironmentTrouble
from sightline.store.promotion import JSON_COLUMNS
from sightline.store.sql_text import MAX_DYNAMIC_PATHS, quote

LISTING_TRIES = 20
"""How often parts are listed again when merges replace them between two looks."""

_NOT_A_TYPE = {"dynamic_structure", "variant_discr", "variant_discr_prefix", "SharedVariant"}
_PARAMETERS = re.compile(r"(JSON|Dynamic)\([^()]*\)")


@dataclass(frozen=True, slots=True)
class _Part:
    index: str
    paths: dict[str, frozenset[str]]


class JsonPaths:
    """The paths of each part, read once. Threads may share it."""

    def __init__(self, query: Callable[..., pa.Table]) -> None:
        self._query = query
        self._parts: dict[tuple[str, str], _Part] = {}
        self._indexes: dict[str, str] = {}
        self._merged: dict[tuple[str, frozenset[str] | None], tuple[frozenset[str], dict[str, frozenset[str]]]] = {}
        self._lock = threading.Lock()

    def read(self, table: str, indexes: Sequence[str] | None) -> dict[str, frozenset[str]]:
        """Paths and types of a table's JSON column over the active parts of some indexes."""
        wanted = None if indexes is None else frozenset(indexes)
        for _ in range(LISTING_TRIES):
            found = self._read_once(table, wanted)
            if found is not None:
                return found
        raise EnvironmentTrouble(f"the parts of table {table} change faster than their fields can be listed")

    def _read_once(self, table: str, wanted: frozenset[str] | None) -> dict[str, frozenset[str]] | None:
        """One try; None when a merge took away a listed part before it was read, whose fields would be missing."""
        listed = self._query(
            f"SELECT name FROM system.parts WHERE database = 'sightline' AND table = {quote(table)} AND active"
        )["name"].to_pylist()
        names = frozenset(listed)
        with self._lock:
            merged = self._merged.get((table, wanted))
            if merged is not None and merged[0] == names:
                return merged[1]
            missing = [name for name in listed if (table, name) not in self._parts]
        fresh = self._read_parts(table, missing) if missing else {}
        if not fresh.keys() >= set(missing):
            return None
        with self._lock:
            for name, part in fresh.items():
                self._parts[table, name] = part
            found: dict[str, set[str]] = {}
            for name in listed:
                part = self._parts.get((table, name)) or fresh.get(name)
                if part is None:
                    return None
                if wanted is None or part.index in wanted:
                    for path, types in part.paths.items():
                        found.setdefault(path, set()).update(types)
            for key in [k for k in self._parts if k[0] == table and k[1] not in names]:
                del self._parts[key]
            result = {path: frozenset(types) for path, types in sorted(found.items())}
            self._merged[table, wanted] = (names, result)
            return result

    def index_of_partition(self, partition: str) -> str:
        """The index in the text of a partition such as `('main',202611)`."""
        index = self._indexes.get(partition)
        if index is None:
            index = self._indexes[partition] = str(ast.literal_eval(partition)[0])
        return index

    def _read_parts(self, table: str, names: list[str]) -> dict[str, _Part]:
        column = JSON_COLUMNS[table]
        # A part in which no row has a field may be without the column; an index every row has.
        rows = self._query(
            "SELECT name, any(partition) AS partition,"
            f" arrayFlatten(groupArrayIf(substreams, column = {quote(column)})) AS substreams"
            f" FROM system.parts_columns WHERE database = 'sightline' AND table = {quote(table)}"
            f" AND column IN ('index', {quote(column)}) AND name IN ({', '.join(quote(name) for name in names)}) GROUP BY name"
        ).to_pylist()
        parts = {}
        for row in rows:
            paths = paths_of_substreams(column, row["substreams"])
            if len(paths) >= MAX_DYNAMIC_PATHS:
                paths = self._scan(table, column, row["name"])
            parts[row["name"]] = _Part(
                self.index_of_partition(row["partition"]), {path: frozenset(types) for path, types in paths.items()}
            )
        return parts

    def _scan(self, table: str, column: str, part: str) -> dict[str, set[str]]:
        rows = self._query(
            f"SELECT p.1 AS path, p.2 AS types FROM (SELECT arrayJoin(distinctJSONPathsAndTypes({column})) AS p"
            f" FROM sightline.{table} WHERE _part = {quote(part)})"
        ).to_pylist()
        return {row["path"]: {_PARAMETERS.sub(r"\1", name) for name in row["types"]} for row in rows}


def paths_of_substreams(column: str, substreams: Sequence[str]) -> dict[str, set[str]]:
    """Paths and types from stream names such as `fields.a%2Eb.Int64` or `fields.tags.Array%28String%29.size0`."""
    found: dict[str, set[str]] = {}
    for stream in substreams:
        pieces = stream.split(".")
        if len(pieces) < 3 or pieces[0] != column or pieces[1] == "object_shared_data" or pieces[2] in _NOT_A_TYPE:
            continue
        type_name = _PARAMETERS.sub(r"\1", unquote(pieces[2]))
        found.setdefault(unquote(pieces[1]), set()).add(type_name)
    return found
