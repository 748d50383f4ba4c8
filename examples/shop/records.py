"""The gateway's book of predictions: what was said of which bottle, and later whose bottle it really was.

One SQLite file. The gateway writes; the batch job reads what is complete and marks what it has delivered.
"""

from __future__ import annotations

import json
import sqlite3
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

SCHEMA = """
CREATE TABLE IF NOT EXISTS predictions (
    id TEXT PRIMARY KEY,
    time REAL NOT NULL,
    bottle INTEGER NOT NULL,
    features TEXT NOT NULL,
    predicted TEXT NOT NULL,
    confidence REAL NOT NULL,
    trace_id TEXT NOT NULL,
    user TEXT,
    delivered INTEGER NOT NULL DEFAULT 0
);
CREATE INDEX IF NOT EXISTS to_deliver ON predictions (time) WHERE user IS NOT NULL AND delivered = 0;
"""


@dataclass(frozen=True, slots=True)
class Record:
    """A prediction whose truth is known."""

    id: str
    time: float
    bottle: int
    features: dict[str, Any]
    predicted: str
    confidence: float
    trace_id: str
    user: str


class Records:
    """The book. May be used from several threads and processes at once."""

    def __init__(self, path: Path) -> None:
        self._lock = threading.Lock()
        self._connection = sqlite3.connect(path, check_same_thread=False, timeout=10)
        self._connection.execute("PRAGMA journal_mode=WAL")
        self._connection.execute("PRAGMA synchronous=NORMAL")
        self._connection.executescript(SCHEMA)

    def add_prediction(
        self,
        id: str,
        time: float,
        bottle: int,
        features: dict[str, Any],
        predicted: str,
        confidence: float,
        trace_id: str,
    ) -> None:
        with self._lock, self._connection:
            self._connection.execute(
                "INSERT INTO predictions (id, time, bottle, features, predicted, confidence, trace_id)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (id, time, bottle, json.dumps(features), predicted, confidence, trace_id),
            )

    def add_outcome(self, id: str, user: str) -> bool:
        """Note the truth of a prediction. False when there is no such prediction."""
        with self._lock, self._connection:
            cursor = self._connection.execute("UPDATE predictions SET user = ? WHERE id = ?", (user, id))
        return cursor.rowcount == 1

    def undelivered(self, limit: int) -> list[Record]:
        """The oldest complete records that nobody has taken yet."""
        with self._lock:
            rows = self._connection.execute(
                "SELECT id, time, bottle, features, predicted, confidence, trace_id, user FROM predictions"
                " WHERE user IS NOT NULL AND delivered = 0 ORDER BY time LIMIT ?",
                (limit,),
            ).fetchall()
        return [Record(r[0], r[1], r[2], json.loads(r[3]), *r[4:]) for r in rows]

    def mark_delivered(self, ids: list[str]) -> None:
        with self._lock, self._connection:
            self._connection.executemany("UPDATE predictions SET delivered = 1 WHERE id = ?", [(i,) for i in ids])

    def close(self) -> None:
        self._connection.close()
