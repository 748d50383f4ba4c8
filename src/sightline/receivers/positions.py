"""How far a source that remembers nothing (a file, the system's journal) was read, so that a crash neither loses nor doubles.

Every frame carries, beside its data, the position behind them, so data and position become durable in one write. A file of
all positions follows every few seconds. A segment that was loaded before that (`.done`) stays until the file has what it
says; so after a crash at any moment a position is in the file, or in a segment that is still there.

A position is a dictionary with an `id` and a number `n` that grows with every frame of that id; the rest is its owner's.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import orjson

from sightline.errors import EnvironmentTrouble
from sightline.journal import CLOSED, LOADED, OPEN
from sightline.segments import check_frames

Position = dict[str, Any]

_HEAD_BYTES = 64 * 1024
"""The first line of a frame's body is shorter."""
_TRIES = 20


class Positions:
    """The positions of one kind of segment. Belongs to one thread."""

    def __init__(self, journal: Path, file: Path, kind: str) -> None:
        self._journal = journal
        self._file = file
        self._kind = kind

    def read(self) -> tuple[dict[str, Position], dict[str, Any]]:
        """The latest position of each id, and what else the owner had written. Raises EnvironmentTrouble for a damaged file."""
        latest: dict[str, Position] = {}
        for position in self._in_segments():
            known = latest.get(position["id"])
            if known is None or known["n"] < position["n"]:
                latest[position["id"]] = position
        noted: dict[str, Any] = {}
        if self._file.exists():
            try:
                noted = orjson.loads(self._file.read_bytes())
                for position in noted["positions"]:
                    known = latest.get(position["id"])
                    if known is None or known["n"] < position["n"]:
                        latest[position["id"]] = position
            except (orjson.JSONDecodeError, KeyError, TypeError) as error:
                raise EnvironmentTrouble(
                    f"{self._file} cannot be read: {error}; without it everything would be read again. It may be removed if that is wanted"
                ) from error
        return latest, noted.get("more", {})

    def loaded(self) -> list[Path]:
        """Segments that are loaded. When this is asked, no frame of this kind may be on its way to the journal."""
        return list(self._segments(LOADED))

    def write(self, positions: Iterable[Position], more: dict[str, Any], loaded: list[Path]) -> None:
        """Make positions durable, and let go of loaded segments that say no more than these do. Raises OSError."""
        self._file.parent.mkdir(parents=True, exist_ok=True)
        new = self._file.with_suffix(".new")
        with new.open("wb") as file:
            file.write(orjson.dumps({"positions": list(positions), "more": more}))
            file.flush()
            os.fsync(file.fileno())
        new.rename(self._file)
        folder = os.open(self._file.parent, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
        for path in loaded:
            path.unlink(missing_ok=True)

    @property
    def is_known(self) -> bool:
        """Whether there are positions, or may be some in the journal."""
        return self._file.exists() or any(any(self._segments(suffix)) for suffix in (OPEN, CLOSED, LOADED))

    def has_loaded(self) -> bool:
        """Whether loaded segments, or such that will be, wait to be let go of."""
        return any(any(self._segments(suffix)) for suffix in (OPEN, CLOSED, LOADED))

    def _segments(self, suffix: str) -> Iterator[Path]:
        return self._journal.glob(f"*/*-{self._kind}{suffix}")

    def _in_segments(self) -> Iterator[Position]:
        # While this reads, a segment may be closed by recovery or loaded, and then has another name.
        done: set[tuple[str, str]] = set()
        for _ in range(_TRIES):
            moved = False
            for suffix in (OPEN, CLOSED, LOADED):
                for path in self._segments(suffix):
                    name = (path.parent.name, path.stem)
                    if name not in done:
                        try:
                            found = list(_positions_in(path))
                        except FileNotFoundError:
                            moved = True
                            continue
                        done.add(name)
                        yield from found
            if not moved:
                return


def _positions_in(path: Path) -> Iterator[Position]:
    with path.open("rb") as file:
        # Nobody may have waited for this before its writer ended; from now on somebody builds on it.
        os.fsync(file.fileno())
        # The same frames that recovery keeps: those that are whole.
        for frame in check_frames(path)[0]:
            file.seek(frame.body_offset)
            head = file.read(min(_HEAD_BYTES, frame.end - frame.body_offset)).partition(b"\n")[0]
            with contextlib.suppress(orjson.JSONDecodeError, KeyError, TypeError):
                position = orjson.loads(head)["position"]
                position["id"], position["n"]
                yield position
