"""Keeps one sender from filling an index with metric series, or with names of fields, that nobody can use.

Enters: loaded segments, of which some are looked at. Leaves: for an index and a token that brought more new ones in an hour than
the settings allow, what to fold: the values of the labels that make the series, or the names that were not there before. Records
are never refused for it; nothing is lost but the one label that told series apart, and names are kept as one text.

Names are counted by what the store lists anyway. Series are counted in segments that are decoded once more, without being
stored, for at most `LOOK_SHARE` of the time that loading takes; so a bound is passed by what came between two looks.

What is folded in a segment is written beside it before it is loaded: a crash may lead to the same statement only, which the
segment's name makes harmless. Series that are already known are folded too while an index and token are over their bound, so
that a series does not depend on when it was first seen.
"""

from __future__ import annotations

import contextlib
import json
import logging
import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from sightline.clock import Clock
from sightline.config import IngestSettings
from sightline.journal import Segment
from sightline.segments import Frame
from sightline.store import decoding
from sightline.store.decode import careful_fields
from sightline.store.embedded import EmbeddedStore
from sightline.store.engine_errors import EngineError
from sightline.store.ledger import frame_index
from sightline.store.promotion import JSON_COLUMNS
from sightline.store.sql_text import JSON_TYPE, quote

log = logging.getLogger(__name__)

LOOK_SHARE = 0.03
"""Part of the time of loading that looks may take."""
NAMES_INTERVAL_S = 5.0
"""How often the names of an index are counted."""
FOLDED = "(other)"
"""The value of a label whose own is folded."""
SUFFIX = ".fold"
LOOKED_AT = ".look"
_HOUR_S = 3600

Sender = tuple[str, str]
"""A token and an index."""


@dataclass(frozen=True)
class Fold:
    """What is folded of a sender's records: values of some labels, or all names but the known ones."""

    reason: str
    labels: tuple[str, ...] = ()
    known: frozenset[str] | None = None

    def applied(self, select: str) -> str:
        """A decode statement that folds."""
        if self.known is None:
            labels = ", ".join(quote(label) for label in self.labels)
            return select.replace("sightline_object(", f"sightline_folded_object([{labels}], ")
        number = careful_fields.remember(self.known)
        return select.replace("sightline_object(", f"sightline_known_object({number}, ")

    def folded(self, column: str) -> str:
        """The condition that something of a row was folded; `column` is the JSON column, as text."""
        if self.known is not None:
            return f"has(JSONExtract({column}, '{careful_fields.MARK}', 'Array(String)'), 'names')"
        return " OR ".join(f"JSONExtractString({column}, {quote(label)}) = {quote(FOLDED)}" for label in self.labels)

    def as_json(self) -> dict:
        """For the file beside a segment."""
        known = None if self.known is None else sorted(self.known)
        return {"reason": self.reason, "labels": list(self.labels), "known": known}

    @classmethod
    def from_json(cls, given: dict) -> Fold:
        """What `as_json` wrote."""
        known = None if given["known"] is None else frozenset(given["known"])
        return cls(given["reason"], tuple(given["labels"]), known)


@dataclass
class _Seen:
    """What an index and token, or an index, brought in an hour."""

    hour: int
    hashes: np.ndarray = field(default_factory=lambda: np.empty(0, np.uint64))
    names: frozenset[str] = frozenset()


class Guard:
    """Counts and decides. Threads may share it."""

    def __init__(self, store: EmbeddedStore, settings: IngestSettings, clock: Clock) -> None:
        self._store = store
        self._settings = settings
        self._clock = clock
        self._lock = threading.Lock()
        self._series: dict[Sender, _Seen] = {}
        self._names: dict[tuple[str, str], _Seen] = {}
        self._folds: dict[tuple[str, Sender], tuple[int, Fold]] = {}
        self._named_at: dict[tuple[str, str], float] = {}
        self._allowance_s = 0.0

    def decide(self, segment: Segment, frames: Sequence[Frame], *, anew: bool) -> dict[Sender, Fold]:
        """What is folded of a segment that is about to be loaded; durable when it returns.

        Not `anew` is for a segment that may have been loaded before: what was decided then holds.
        """
        path = segment.path.with_suffix(SUFFIX)
        with contextlib.suppress(FileNotFoundError):
            return {(d["token"], d["index"]): Fold.from_json(d) for d in json.loads(path.read_text())}
        if not anew:
            return {}
        table = decoding.KINDS[segment.kind].table
        with self._lock:
            current = {k: fold for k, (hour, fold) in self._folds.items() if hour == self._hour()}
        senders = {_sender(segment.kind, frame) for frame in frames}
        found = {sender: current[table, sender] for sender in senders if (table, sender) in current}
        if found:
            lines = [{"token": token, "index": index, **fold.as_json()} for (token, index), fold in found.items()]
            written = path.with_suffix(SUFFIX + ".new")
            written.write_text(json.dumps(lines))
            written.rename(path)
        return found

    def look(self, segment: Segment, frames: Sequence[Frame], loaded_s: float) -> list[tuple[Sender, Fold]]:
        """Count what a loaded segment brought, which is still there; gives what is folded from now on."""
        table = decoding.KINDS[segment.kind].table
        with self._lock:
            self._allowance_s = min(self._allowance_s + LOOK_SHARE * loaded_s, 1.0)
        new = self._look_at_names(table, segment, frames)
        if table == "metrics":
            with self._lock:
                due = self._allowance_s > 0
            if due:
                started = time.monotonic()
                new += self._look_at_series(segment, frames)
                with self._lock:
                    self._allowance_s -= time.monotonic() - started
        for sender, fold in new:
            with self._lock:
                self._folds[table, sender] = (self._hour(), fold)
        return new

    # Inside

    def _hour(self) -> int:
        return int(self._clock() // _HOUR_S)

    def _look_at_series(self, segment: Segment, frames: Sequence[Frame]) -> list[tuple[Sender, Fold]]:
        found = []
        for sender in sorted({_sender(segment.kind, frame) for frame in frames}):
            with contain(segment, frames, sender) as path:
                select = decoding.select_statement(segment.kind, path)
                with self._lock:
                    hour, fold = self._folds.get(("metrics", sender), (0, None))
                if fold is not None and hour == self._hour():
                    select = fold.applied(select)
                labels = fold.labels if fold else ()
                try:
                    if self._are_too_many(segment.kind, sender, select):
                        labels = tuple(dict.fromkeys((*labels, *self._labels_of(segment.kind, select))))
                        found.append(
                            (sender, Fold(self._reason("metric series", self._settings.max_new_series, labels), labels))
                        )
                except EngineError as error:
                    log.warning("the series of %s are not counted: %s", segment.name, error)
        return found

    def _are_too_many(self, kind: str, sender: Sender, select: str) -> bool:
        most = self._settings.max_new_series
        hashed = f"SELECT groupUniqArray({most + 1})(cityHash64(metric_name, dims)) AS hashes FROM ({select})"
        column = self._store.query(hashed, settings=decoding.settings(kind)).column("hashes").combine_chunks()
        hashes = column.flatten().to_numpy(zero_copy_only=False).astype(np.uint64)
        with self._lock:
            seen = self._series.get(sender)
            if seen is None or seen.hour != self._hour():
                seen = self._series[sender] = _Seen(self._hour())
            seen.hashes = np.union1d(seen.hashes, hashes)
            if len(seen.hashes) <= most:
                return False
            # From here on only what folding leaves is counted.
            seen.hashes = np.empty(0, np.uint64)
            return True

    def _labels_of(self, kind: str, select: str) -> list[str]:
        """The labels with by far the most values: they are what makes the series."""
        rows = self._store.query(
            "SELECT pair.1 AS label, uniq(pair.2) AS number FROM (SELECT arrayJoin(JSONExtractKeysAndValues(dims, 'String')) AS pair"
            f" FROM ({select})) GROUP BY label ORDER BY number DESC, label",
            settings=decoding.settings(kind),
        ).to_pylist()
        return [row["label"] for row in rows if row["number"] * 2 >= rows[0]["number"]]

    def _look_at_names(self, table: str, segment: Segment, frames: Sequence[Frame]) -> list[tuple[Sender, Fold]]:
        found = []
        now = time.monotonic()
        for index in sorted({_sender(segment.kind, frame)[1] for frame in frames}):
            with self._lock:
                if now - self._named_at.get((table, index), -NAMES_INTERVAL_S) < NAMES_INTERVAL_S:
                    continue
                self._named_at[table, index] = now
            names = frozenset(self._store.json_paths(table, [index]))
            with self._lock:
                seen = self._names.get((table, index))
                if seen is None or seen.hour != self._hour():
                    self._names[table, index] = _Seen(self._hour(), names=names)
                    continue
            if len(names) - len(seen.names) <= self._settings.max_new_fields:
                continue
            for sender in sorted({s for s in (_sender(segment.kind, frame) for frame in frames) if s[1] == index}):
                if self._brings_names(table, segment, frames, sender, seen.names):
                    fold = Fold(self._reason("names of fields", self._settings.max_new_fields, ()), known=names)
                    found.append((sender, fold))
        return found

    def _brings_names(
        self, table: str, segment: Segment, frames: Sequence[Frame], sender: Sender, before: frozenset[str]
    ) -> bool:
        with contain(segment, frames, sender) as path:
            select = decoding.select_statement(segment.kind, path)
            paths = f"SELECT groupUniqArrayArray(JSONAllPaths(CAST({JSON_COLUMNS[table]} AS {JSON_TYPE}))) AS names FROM ({select})"
            try:
                names = self._store.query(paths, settings=decoding.settings(segment.kind)).column("names")[0].as_py()
            except EngineError as error:
                log.warning("the names of fields of %s are not counted: %s", segment.name, error)
                return False
        return any(name not in before for name in names)

    @staticmethod
    def _reason(what: str, most: int, labels: Sequence[str]) -> str:
        of = f": values of {', '.join(labels)} are folded" if labels else ": new ones are kept as one text"
        return f"more than {most} new {what} in an hour{of}"


@contextlib.contextmanager
def contain(segment: Segment, frames: Sequence[Frame], sender: Sender):
    """A file with the frames of one sender: the segment itself where it has no others."""
    mine = [frame for frame in frames if _sender(segment.kind, frame) == sender]
    if len(mine) == len(frames):
        yield segment.path
        return
    path = segment.path.with_name(f"{segment.path.stem}.{abs(hash(sender))}{LOOKED_AT}")
    try:
        with segment.path.open("rb") as source, path.open("wb") as target:
            for frame in mine:
                source.seek(frame.offset)
                target.write(source.read(frame.end - frame.offset))
        yield path
    finally:
        path.unlink(missing_ok=True)


def runs(kind: str, frames: Sequence[Frame]) -> list[tuple[int, int]]:
    """The frames as ranges that have one sender each."""
    starts = [n for n, frame in enumerate(frames) if n == 0 or _sender(kind, frame) != _sender(kind, frames[n - 1])]
    return list(zip(starts, [*starts[1:], len(frames)], strict=True))


def _sender(kind: str, frame: Frame) -> Sender:
    return frame.token, frame_index(kind, frame.index)
