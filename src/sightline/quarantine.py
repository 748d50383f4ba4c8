"""The quarantine: requests that were acknowledged and cannot be stored, each with the reason, until a person decides.

Enters: bytes of a journal segment and why they were set aside. Leaves: a list to look at, and segments that go back into the
journal. `<name>.seg` is a whole request, `<name>.bytes` what was left of a damaged one, `<name>.json` says why. Nothing here
is ever removed but by `retry` and `drop`.

The ledger counts what is set aside as refused. A request that is tried again goes through the journal as a writer's of its
own, whose name says that it was counted before.
"""

from __future__ import annotations

import json
import os
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

from sightline.errors import NotFound, UserError
from sightline.journal import CLOSED, LOCK_NAME, Segment

DAMAGED = ".bytes"
_RETRY = "retry-"


@dataclass(frozen=True, slots=True)
class SetAside:
    """One request, or what was left of it. `records` is 0 where nobody can know."""

    name: str
    reason: str
    kind: str
    token: str
    index: str
    records: int
    received_ms: int
    size_bytes: int
    damaged: bool


def is_retried(writer: str) -> bool:
    """Whether a segment's writer is the quarantine: the ledger has counted its records already, as refused."""
    return writer.startswith(_RETRY)


class Quarantine:
    """The folder of one data directory. Processes may share it: the server adds, the command line takes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def set_aside(
        self,
        segment: Segment,
        offset: int,
        end: int,
        reason: str,
        *,
        index: str,
        token: str = "",
        records: int = 0,
        received_ms: int = 0,
        damaged: bool = False,
    ) -> SetAside:
        """Keep these bytes of a segment; again for the same bytes changes nothing. On disk when it returns."""
        self._folder.mkdir(parents=True, exist_ok=True)
        if is_retried(segment.writer):
            name = segment.writer.removeprefix(_RETRY)
        else:
            name = re.sub(r"[^\w.-]", "_", f"{segment.writer}-{segment.path.stem}-{offset}")
        one = SetAside(name, reason, segment.kind, token, index, records, received_ms, end - offset, damaged)
        data = self._folder / f"{name}{DAMAGED if damaged else CLOSED}"
        with segment.path.open("rb") as source, data.open("wb") as target:
            source.seek(offset)
            left = end - offset
            while left and (piece := source.read(min(left, 1 << 20))):
                target.write(piece)
                left -= len(piece)
            target.flush()
            os.fsync(target.fileno())
        staged = self._folder / f"{name}.json.new"
        with staged.open("w") as file:
            file.write(json.dumps({k: v for k, v in asdict(one).items() if k != "name"}, indent=1))
            file.flush()
            os.fsync(file.fileno())
        staged.replace(self._folder / f"{name}.json")
        return one

    def list(self) -> list[SetAside]:
        """Everything that was set aside, oldest first."""
        found = [one for path in sorted(self._folder.glob("*.json")) if (one := self._read(path)) is not None]
        return sorted(found, key=lambda one: (one.received_ms, one.name))

    def totals(self) -> dict[str, int]:
        """How many requests there are, and their bytes."""
        sizes = [path.stat().st_size for path in self._data_files()]
        return {"requests": len(sizes), "bytes": sum(sizes)}

    def get(self, name: str) -> SetAside:
        """One of them. Raises NotFound."""
        path = self._folder / f"{name}.json"
        one = self._read(path) if "/" not in name else None
        if one is None:
            raise NotFound(f'nothing in the quarantine is called "{name}"')
        return one

    def retry(self, name: str, journal: Path) -> SetAside:
        """Put a request back into the journal: the engine, or a newer program, may read it now. Raises UserError for a damaged
        one, whose bytes are not what was sent."""
        one = self.get(name)
        if one.damaged:
            raise UserError(
                f'"{name}" cannot be tried again: {one.reason}',
                hint=f"{self._folder / (name + DAMAGED)} holds its bytes; `sightline quarantine drop` gives it up",
            )
        # The name of the folder and the file are always the same for a request, and so is the token of its insert: a
        # crash in the middle, and a second try after it, store it once.
        folder, hidden = journal / f"{_RETRY}{name}", journal / f".{_RETRY}{name}"
        shutil.rmtree(hidden, ignore_errors=True)
        hidden.mkdir(parents=True)
        (hidden / LOCK_NAME).touch()
        target = hidden / f"{one.received_ms:013d}-000000-{one.kind}{CLOSED}"
        shutil.copyfile(self._folder / f"{name}{CLOSED}", target)
        with target.open("rb") as file:
            os.fsync(file.fileno())
        try:
            hidden.rename(folder)
        except OSError:
            # It was tried before, and the loader has not cleared its folder away yet.
            target.replace(folder / target.name)
        shutil.rmtree(hidden, ignore_errors=True)
        self._remove(one)
        return one

    def drop(self, name: str) -> SetAside:
        """Give a request up. The ledger goes on counting it as refused."""
        one = self.get(name)
        self._remove(one)
        return one

    def _remove(self, one: SetAside) -> None:
        (self._folder / f"{one.name}.json").unlink(missing_ok=True)
        (self._folder / f"{one.name}{DAMAGED if one.damaged else CLOSED}").unlink(missing_ok=True)

    def _data_files(self) -> Iterator[Path]:
        for ending in (CLOSED, DAMAGED):
            yield from self._folder.glob("*" + ending)

    def _read(self, path: Path) -> SetAside | None:
        try:
            known = json.loads(path.read_text())
        except (FileNotFoundError, ValueError):
            return None
        # A file of an earlier version says less.
        usual = asdict(SetAside("", "", "", "", "", 0, 0, 0, False))
        return SetAside(**{k: known.get(k, v) for k, v in usual.items() if k != "name"}, name=path.stem)
