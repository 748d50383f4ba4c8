"""Backups: made while everything goes on, by the process that has the store."""

from __future__ import annotations

import contextlib
import json
import shutil
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel
from starlette.responses import StreamingResponse

from sightline import __version__
from sightline.backups import CATALOG, BackupFolder, Made, Progress, Source, copy_catalog, files_of, hold_journal
from sightline.errors import SightlineError, UserError
from sightline.web.parts import Administrator, Parts, WithParts

router = APIRouter(prefix="/backups", tags=["backups"])

_PROGRESS_S = 0.5


class NewBackup(BaseModel):
    """Where a backup goes: a folder of the server's machine."""

    target: str
    keep: int = 0
    """How many backups stay in the folder; 0 keeps all."""


@router.post("")
def make_backup(body: NewBackup, parts: WithParts, identity: Administrator) -> StreamingResponse:
    """Backs everything up. The answer is lines of JSON: `done` and `total` bytes now and then, and `snapshot` or `error` last.

    Everything that was acknowledged before is in it, once. A client that goes away ends it.
    """
    target = Path(body.target)
    if not target.is_absolute():
        raise UserError(f'target wants an absolute path on the server, got "{body.target}"')
    if body.keep < 0:
        raise UserError(f"keep wants 0 or more, got {body.keep}")
    if target.resolve().is_relative_to(parts.directory.path):
        raise UserError(f"{target} is inside the data directory, wanted a place of its own")
    return StreamingResponse(_lines(parts, target, body.keep, identity.name), media_type="application/x-ndjson")


def back_up(parts: Parts, target: Path, keep: int, progress: Progress) -> Made:
    """One backup of a running server's data directory."""
    data = parts.directory.path
    staged = parts.directory.run / "backup"
    shutil.rmtree(staged, ignore_errors=True)
    staged.mkdir()
    with contextlib.ExitStack() as closing:
        closing.callback(shutil.rmtree, staged, ignore_errors=True)
        with parts.loader.paused():
            # Between the two no segment goes from the journal to the store, so that none is in both or in neither.
            hold_journal(data, staged)
            of_parts = closing.enter_context(parts.store.frozen())
        copy_catalog(data, staged / CATALOG)
        sources, links = files_of(data, of_journal=staged, of_parts=of_parts)
        folder = BackupFolder(target)
        made = folder.add([*sources, Source(CATALOG, staged / CATALOG)], links, __version__, progress)
        if keep:
            folder.keep_newest(keep)
        return made


class _Gone(Exception):
    """Nobody waits for the backup any more."""


def _lines(parts: Parts, target: Path, keep: int, user: str) -> Iterator[str]:
    told: Queue[dict[str, Any]] = Queue()
    gone = threading.Event()
    told_at = 0.0

    def progress(done: int, total: int) -> None:
        nonlocal told_at
        if gone.is_set():
            raise _Gone
        if time.monotonic() - told_at >= _PROGRESS_S:
            told_at = time.monotonic()
            told.put({"done": done, "total": total})

    def work() -> None:
        started = time.monotonic()
        try:
            made = back_up(parts, target, keep, progress)
            result = {
                "snapshot": made.snapshot.name,
                "size_bytes": made.snapshot.size_bytes,
                "copied_bytes": made.copied_bytes,
                "files": len(made.snapshot.files),
                "took_s": round(time.monotonic() - started, 3),
            }
        except _Gone:
            result = {"error": "who asked for the backup went away"}
        except SightlineError as error:
            result = {"error": str(error), "hint": getattr(error, "hint", "") or ""}
        except OSError as error:
            result = {"error": f"the backup failed: {error}"}
        parts.log.record("sightline:audit", action="backup", user=user, target=str(target), **result)
        told.put(result)

    thread = threading.Thread(target=work, name="backup", daemon=True)
    thread.start()
    try:
        while True:
            try:
                line = told.get(timeout=_PROGRESS_S)
            except Empty:
                line = {}
            yield json.dumps(line) + "\n"
            if "snapshot" in line or "error" in line:
                return
    finally:
        gone.set()
