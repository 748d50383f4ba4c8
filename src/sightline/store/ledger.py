"""The ledger: for every kind, token and index, received = stored + refused + waiting.

Hides: how counts survive a crash of the process that made them. Enters: what became of each segment. Leaves: events
of sourcetype `sightline:ledger` in `index=_internal`, one per kind, token and index that had something to tell in an
interval, and the totals for a status page.

A loaded segment's counts go to `loaded.log` at once and into the events a while later. The log is emptied only after
its events are durable, and their insert carries a token made of the log's text, so that neither a crash before nor
one after can lose a count or tell it twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import threading
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

import pyarrow as pa

from sightline.clock import Clock
from sightline.counts import Counts
from sightline.journal import CLOSED, LOADED, segment_files
from sightline.quarantine import is_retried
from sightline.segments import Frame, read_frames
from sightline.store.decoding import KINDS
from sightline.store.embedded import EmbeddedStore

INDEX = "_internal"
SOURCETYPE = "sightline:ledger"
RETRIED = "tried again out of the quarantine"
"""The reason that goes with counts that are taken back."""


@dataclass(frozen=True, slots=True)
class LedgerRow:
    """Counts of records for one kind of source, one token ("" for none) and one index."""

    source: str
    token: str
    index: str
    received: int = 0
    stored: int = 0
    refused: int = 0
    waiting: int = 0
    reason: str = ""
    cut: int = 0
    """Of the stored ones, those of which something was cut, once for each reason."""


def merge(rows: Iterable[LedgerRow], *, by_reason: bool = False) -> list[LedgerRow]:
    """Rows with equal source, token and index (and reason) added up."""
    sums: dict[tuple[str, str, str, str], list[int]] = {}
    for row in rows:
        key = (row.source, row.token, row.index, row.reason if by_reason else "")
        counts = sums.setdefault(key, [0, 0, 0, 0, 0])
        for position, count in enumerate((row.received, row.stored, row.refused, row.waiting, row.cut)):
            counts[position] += count
    return [LedgerRow(*key[:3], *counts[:4], reason=key[3], cut=counts[4]) for key, counts in sorted(sums.items())]


def source_of(kind: str) -> str:
    """How a kind of segment is called in the ledger; a kind of another version keeps its name."""
    return KINDS[kind].source if kind in KINDS else kind


def frame_index(kind: str, index: str) -> str:
    """The index a frame's records go to when it names none."""
    return index or (KINDS[kind].default_index if kind in KINDS else "main")


def counted_before(kind: str, frames: Iterable[Frame]) -> list[LedgerRow]:
    """What takes back the counts of requests that were set aside earlier and come out of the quarantine."""
    return [
        LedgerRow(
            source_of(kind),
            frame.token,
            frame_index(kind, frame.index),
            received=-frame.records,
            refused=-frame.records,
            reason=RETRIED,
        )
        for frame in frames
    ]


class Ledger:
    """Collects rows and writes them as events. Threads may share it."""

    def __init__(self, store: EmbeddedStore, journal: Path, clock: Clock) -> None:
        self._store = store
        self._journal = journal
        self._clock = clock
        self._log_path = journal / "loaded.log"
        self._lock = threading.Lock()
        self._closed_counts: dict[str, list[LedgerRow]] = {}
        self._since_start = Counts()
        self._forget_noted()
        self.flush()

    def add(self, segment: str, rows: Iterable[LedgerRow]) -> None:
        """Note what became of a segment. Must be called before the segment's file goes."""
        rows = list(rows)
        line = json.dumps({"segment": segment, "rows": [asdict(row) for row in rows]}) + "\n"
        with self._lock, self._log_path.open("ab") as file:
            whole = file.tell()
            try:
                file.write(line.encode())
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                # Half a line would take the next one along.
                file.truncate(whole)
                raise
            for row in rows:
                self._since_start.add("stored", row.source, row.index, "", row.stored)
                self._since_start.add("refused", row.source, row.index, row.reason, row.refused)
                self._since_start.add("cut", row.source, row.index, row.reason, row.cut)

    def _forget_noted(self) -> None:
        """Remove the segments that are noted and were still there when a crash came: they would be counted twice. A line that
        the crash cut is removed too."""
        text = self._log_text()
        whole = text[: text.rfind("\n") + 1]
        if len(whole) < len(text):
            os.truncate(self._log_path, len(whole.encode()))
        for line in whole.splitlines():
            with contextlib.suppress(ValueError):
                path = self._journal / f"{json.loads(line)['segment']}{CLOSED}"
                kind = path.stem.rsplit("-", 1)[-1]
                if path.exists() and kind in KINDS and KINDS[kind].has_positions:
                    path.rename(path.with_suffix(LOADED))
                path.unlink(missing_ok=True)
                for beside in (".cut", ".fold"):
                    path.with_suffix(beside).unlink(missing_ok=True)

    def flush(self) -> int:
        """Write what was noted as events; returns how many."""
        with self._lock:
            text = self._log_text()
            if not text:
                return 0
            rows = merge(self._parse(text), by_reason=True)
            now = self._clock()
            table = pa.table(
                {
                    "_time": [now] * len(rows),
                    "source": [row.source for row in rows],
                    "sourcetype": [SOURCETYPE] * len(rows),
                    "_raw": [_raw(row) for row in rows],
                    "token": [row.token or None for row in rows],
                    "target_index": [row.index for row in rows],
                    "received": [row.received for row in rows],
                    "stored": [row.stored for row in rows],
                    "refused": [row.refused for row in rows],
                    "cut": [row.cut or None for row in rows],
                    "reason": [row.reason or None for row in rows],
                }
            )
            token = "ledger-" + hashlib.sha256(text.encode()).hexdigest()
            self._store.append_events(INDEX, table, token=token)
            self._log_path.unlink()
            self._since_start.write(self._journal.parent / "run")
            return len(rows)

    def reasons(self, most: int) -> list[LedgerRow]:
        """What was refused or cut since the beginning, by reason; the most first."""
        written = self._store.query(
            "SELECT source, ifNull(fields.target_index.:String, '') AS index, ifNull(fields.reason.:String, '') AS reason,"
            " sum(ifNull(fields.refused.:Int64, 0)) AS refused, sum(ifNull(fields.cut.:Int64, 0)) AS cut"
            f" FROM sightline.events WHERE events.index = '{INDEX}' AND sourcetype = '{SOURCETYPE}'"
            f" GROUP BY source, index, reason HAVING refused > 0 OR cut > 0 ORDER BY refused + cut DESC, source, index LIMIT {most}"
        ).to_pylist()
        return [LedgerRow(token="", **row) for row in written]

    def totals(self) -> list[LedgerRow]:
        """Everything since the beginning: what is written as events, what is noted, and what waits in the journal."""
        written = self._store.query(
            "SELECT source, token, target AS index, sum(received) AS received, sum(stored) AS stored,"
            " sum(refused) AS refused, sum(cut) AS cut FROM (SELECT source, ifNull(fields.token.:String, '') AS token,"
            " ifNull(fields.target_index.:String, '') AS target, ifNull(fields.received.:Int64, 0) AS received,"
            " ifNull(fields.stored.:Int64, 0) AS stored, ifNull(fields.refused.:Int64, 0) AS refused,"
            " ifNull(fields.cut.:Int64, 0) AS cut"
            f" FROM sightline.events WHERE index = '{INDEX}' AND sourcetype = '{SOURCETYPE}')"
            " GROUP BY source, token, target"
        ).to_pylist()
        rows = [LedgerRow(**row) for row in written]
        with self._lock:
            rows += self._parse(self._log_text())
        return merge([*rows, *self.waiting()])

    def waiting(self) -> list[LedgerRow]:
        """Records in segments that are not loaded yet; they count as received."""
        rows: list[LedgerRow] = []
        seen = set()
        for path in segment_files(self._journal):
            seen.add(str(path))
            known = self._closed_counts.get(str(path))
            if known is None:
                kind = path.stem.rsplit("-", 1)[-1]
                with contextlib.suppress(FileNotFoundError):
                    frames = list(read_frames(path))
                    known = [
                        LedgerRow(
                            source_of(kind),
                            frame.token,
                            frame_index(kind, frame.index),
                            received=frame.records,
                            waiting=frame.records,
                        )
                        for frame in frames
                    ]
                    known = merge([*known, *(counted_before(kind, frames) if is_retried(path.parent.name) else ())])
                    if path.suffix == CLOSED:
                        self._closed_counts[str(path)] = known
            rows += known or []
        for gone in [name for name in self._closed_counts if name not in seen]:
            self._closed_counts.pop(gone, None)
        return merge(rows)

    def _log_text(self) -> str:
        try:
            return self._log_path.read_text()
        except FileNotFoundError:
            return ""

    @staticmethod
    def _parse(text: str) -> list[LedgerRow]:
        rows = []
        for line in text.splitlines():
            # A line cut by a crash belongs to a segment whose file is still there: it is loaded and counted again.
            with contextlib.suppress(ValueError):
                rows += [LedgerRow(**row) for row in json.loads(line)["rows"]]
        return rows


def _raw(row: LedgerRow) -> str:
    reason = f" cut={row.cut}" if row.cut else ""
    reason += f" reason={json.dumps(row.reason)}" if row.reason else ""
    return (
        f"source={row.source} token={row.token or '-'} target_index={row.index} received={row.received}"
        f" stored={row.stored} refused={row.refused}{reason}"
    )
