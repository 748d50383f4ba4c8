"""The texts of columns that have few of them, as far as anybody has seen.

A search that groups by such columns may use numbers for the texts (`search/planner/numbering.py`). Reading them all takes as long as
counting by them, so that a look at some rows has to do at first; what it missed is met by a search, which then says so.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import pyarrow as pa

from sightline.store.engine_errors import MemoryLimitExceeded, TimeLimitExceeded
from sightline.store.sql_text import quote

MAX_TEXTS = 250
"""Texts of a column that has few; with the numbers for none and for any other, one byte tells them apart."""
MAX_CHARACTERS = 16_384
"""Of all texts of a column together: they are written into each statement, which takes a microsecond for ten of them."""
MIN_ROWS = 1_000_000
"""Rows of the indexes from which on a search gains more than the looking takes."""
_SAMPLE_ROWS = 1_000_000
_MAX_MISSES = 3
"""Searches that met new texts of a column, after which its texts are taken for many."""
_MAX_COLUMNS = 1_000
"""Columns that are kept; more are forgotten all at once, as a store has some hundreds that anybody groups by."""


@dataclass(frozen=True)
class TextsOf:
    """A column, as the engine reads it, in some indexes of a table such as `sightline.events`."""

    table: str
    indexes: tuple[str, ...]
    column: str


class FewTexts:
    """What was seen of columns. `query` runs a statement, `rows` tells how many rows indexes of a table have."""

    def __init__(self, query: Callable[..., pa.Table], rows: Callable[[str, Sequence[str]], int]) -> None:
        self._query = query
        self._rows = rows
        self._lock = threading.Lock()
        self._seen: dict[TextsOf, tuple[str, ...] | None] = {}
        self._misses: dict[TextsOf, int] = {}

    def of(self, asked: TextsOf, sid: str = "") -> tuple[str, ...] | None:
        """The texts of a column that were seen; None where they are many, or the rows are too few to care.

        Whatever cancels the search of this id ends the looking too.
        """
        with self._lock:
            if asked in self._seen:
                return self._seen[asked]
            misses = self._misses.get(asked, 0)
        if self._rows(asked.table, asked.indexes) < MIN_ROWS:
            return None
        found = self._read(asked, sid, whole=misses > 0)
        with self._lock:
            if len(self._seen) >= _MAX_COLUMNS:
                self._seen.clear()
                self._misses.clear()
            self._seen[asked] = found
        return found

    def missed(self, columns: Sequence[TextsOf]) -> None:
        """Some of these columns have a text that was not seen; they are looked at again, all rows of them."""
        with self._lock:
            for asked in set(columns):
                self._misses[asked] = self._misses.get(asked, 0) + 1
                if self._misses[asked] >= _MAX_MISSES:
                    self._seen[asked] = None
                else:
                    self._seen.pop(asked, None)

    def _read(self, asked: TextsOf, sid: str, *, whole: bool) -> tuple[str, ...] | None:
        indexes = ", ".join(map(quote, asked.indexes))
        bounds = {} if whole else {"max_rows_to_read": _SAMPLE_ROWS, "read_overflow_mode": "break"}
        sql = (
            f"SELECT DISTINCT CAST({asked.column}, 'Nullable(String)') AS text FROM {asked.table} WHERE `index` IN ({indexes})"
            f" LIMIT {MAX_TEXTS + 2}"
        )
        try:
            found = self._query(sql, sid=sid, settings={**bounds, "optimize_read_in_order": 0})["text"].to_pylist()
        except (MemoryLimitExceeded, TimeLimitExceeded):
            # The search itself may need less.
            return None
        texts = sorted(text for text in found if text is not None)
        few = len(texts) <= MAX_TEXTS and sum(map(len, texts)) <= MAX_CHARACTERS
        return tuple(texts) if few and texts else None
