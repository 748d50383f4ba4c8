"""Which sourcetypes an index holds, so that a search plans only what can concern its events.

A part never changes, so that the sourcetypes of one are read once: a scan of one column that is kept as a dictionary.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

import pyarrow as pa

from sightline.store.sql_text import quote

LISTING_TRIES = 3
"""How often parts are listed again when merges replace them between two looks."""


class Sourcetypes:
    """The sourcetypes of each part of the events, with the index it belongs to. Threads may share it."""

    def __init__(self, query: Callable[..., pa.Table]) -> None:
        self._query = query
        self._parts: dict[str, tuple[str, frozenset[str]]] = {}
        self._lock = threading.Lock()

    def read(self, indexes: Sequence[str]) -> frozenset[str] | None:
        """Sourcetypes of the events in some indexes, "" for events without one; None when merges were faster."""
        for _ in range(LISTING_TRIES):
            names = self._query(
                "SELECT name FROM system.parts WHERE database = 'sightline' AND table = 'events' AND active"
            )["name"].to_pylist()
            with self._lock:
                missing = [name for name in names if name not in self._parts]
            fresh = self._read_parts(missing) if missing else {}
            if fresh.keys() < set(missing):
                continue
            with self._lock:
                self._parts.update(fresh)
                for gone in self._parts.keys() - set(names):
                    del self._parts[gone]
                known = [self._parts[name] for name in names if name in self._parts]
            if len(known) == len(names):
                return frozenset(sourcetype for index, held in known if index in indexes for sourcetype in held)
        return None

    def _read_parts(self, names: Sequence[str]) -> dict[str, tuple[str, frozenset[str]]]:
        rows = self._query(
            "SELECT _part AS part, any(index) AS index, groupUniqArray(sourcetype) AS sourcetypes FROM sightline.events"
            f" WHERE _part IN ({', '.join(quote(name) for name in names)}) GROUP BY part"
        ).to_pylist()
        return {row["part"]: (row["index"], frozenset(row["sourcetypes"])) for row in rows}
