"""What the receivers ask of the catalog: is this secret good, and what may it do. Reads only, with a short memory.

Plain `sqlite3` and no SQLAlchemy, because the process of the receivers must start fast and stay small. Safe to call
from several threads. A token made, disabled or deleted elsewhere takes effect within `CACHE_S`.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import sqlite3
import threading
import time
from dataclasses import dataclass
from pathlib import Path

CACHE_S = 2.0
"""Longest time that a revoked token still works, and how often the file is read under load."""


@dataclass(frozen=True, slots=True)
class TokenGrant:
    """What a token allows, and the defaults for what it sends. `indexes` empty means every index."""

    id: int
    name: str
    kind: str
    indexes: tuple[str, ...] = ()
    default_index: str = ""
    host: str = ""
    source: str = ""
    sourcetype: str = ""
    use_ack: bool = False
    allow_query_string: bool = False
    disabled: bool = False

    def allows(self, index: str) -> bool:
        """Whether this token may write to `index`."""
        return not self.indexes or index in self.indexes


def hash_secret(secret: str) -> str:
    """How a token, a session or a login code is kept. A fast hash is right here: the secrets are 256 random bits."""
    return hashlib.sha256(secret.encode()).hexdigest()


class TokenSource:
    """Read-only view of the tokens and indexes in a catalog file."""

    def __init__(self, path: Path) -> None:
        """`path` is the catalog file; it may be absent still, which reads as a catalog without tokens."""
        self._path = path
        self._lock = threading.Lock()
        self._read_at = float("-inf")
        self._tokens: dict[str, TokenGrant] = {}
        self._datatypes: dict[str, str] = {}

    def find(self, secret: str) -> TokenGrant | None:
        """The token with this secret, also when it is disabled (protocols answer that differently), or None."""
        self._refresh()
        return self._tokens.get(hash_secret(secret))

    def index_datatype(self, name: str) -> str | None:
        """`event`, `metric` or `trace`, or None for an index that was never defined."""
        self._refresh()
        return self._datatypes.get(name)

    def _refresh(self) -> None:
        if time.monotonic() - self._read_at < CACHE_S:
            return
        with self._lock:
            if time.monotonic() - self._read_at < CACHE_S:
                return
            # Locked by a migration, or not there yet: what was known stays in force until the next look.
            with contextlib.suppress(sqlite3.OperationalError):
                self._tokens, self._datatypes = self._read()
            self._read_at = time.monotonic()

    def _read(self) -> tuple[dict[str, TokenGrant], dict[str, str]]:
        connection = sqlite3.connect(f"file:{self._path}?mode=ro", uri=True, timeout=1.0)
        try:
            rows = connection.execute(
                "SELECT secret_hash, id, name, kind, indexes, default_index, host, source, sourcetype, use_ack,"
                " allow_query_string, disabled FROM tokens"
            ).fetchall()
            tokens = {
                row[0]: TokenGrant(
                    row[1],
                    row[2],
                    row[3],
                    tuple(json.loads(row[4])),
                    *row[5:9],
                    use_ack=bool(row[9]),
                    allow_query_string=bool(row[10]),
                    disabled=bool(row[11]),
                )
                for row in rows
            }
            return tokens, dict(connection.execute("SELECT name, datatype FROM indexes WHERE NOT deleting").fetchall())
        finally:
            connection.close()
