"""What became of records since a process began, by source, index and reason, for `/metrics`.

Receivers refuse in one process and the engine stores, cuts and refuses in another, so the engine writes its counts to a file that the
receivers' process shows beside its own. Bounded: a reason loses its numbers and names, and what is new when there are very many is
counted together.
"""

from __future__ import annotations

import json
import os
import re
from pathlib import Path

FILE = "ledger.json"
"""In the folder of the running server."""
OTHER = "(other)"
_MOST = 500
"""Combinations that are told apart: each is a series of whoever scrapes."""
_REASON_CHARACTERS = 120
_PARTICULAR = re.compile(r'"[^"]*"|\d+')

Key = tuple[str, str, str, str]
"""Outcome (stored, refused or cut), source, index, reason."""


class Counts:
    """Counts that only grow. Whoever shares it between threads has a lock around it."""

    def __init__(self) -> None:
        self._counts: dict[Key, int] = {}

    def add(self, outcome: str, source: str, index: str, reason: str, records: int) -> None:
        """Count records; what is taken back of earlier ones is left out."""
        if records <= 0:
            return
        reason = _PARTICULAR.sub(lambda found: '"…"' if found[0][0] == '"' else "N", reason)[:_REASON_CHARACTERS]
        key = (outcome, source, index, reason)
        if key not in self._counts and len(self._counts) >= _MOST:
            key = (outcome, source, OTHER, OTHER if reason else "")
        self._counts[key] = self._counts.get(key, 0) + records

    def all(self) -> dict[Key, int]:
        """Everything that was counted."""
        return dict(self._counts)

    def write(self, folder: Path) -> None:
        """Tell the other process."""
        folder.mkdir(parents=True, exist_ok=True)
        staged = folder / f".{FILE}.{os.getpid()}"
        staged.write_text(json.dumps([[*key, number] for key, number in self._counts.items()]))
        staged.replace(folder / FILE)


def read_counts(folder: Path) -> dict[Key, int]:
    """What the other process told last; nothing where it told nothing."""
    try:
        told = json.loads((folder / FILE).read_text())
        return {(outcome, source, index, reason): number for outcome, source, index, reason, number in told}
    except (OSError, ValueError, TypeError):
        return {}
