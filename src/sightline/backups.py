"""A folder of backups: what is in it, how one is added, proved, restored and removed.

Enters: the files of a data directory at one moment (`sources`, and whoever holds them still meanwhile). Leaves: a data
directory again. Contents are kept once, under their checksum, in `objects/`; a backup is a list of names and checksums in
`snapshots/`, written after all it names is on disk. So a second backup copies what has changed, an interrupted one leaves
nothing that looks like one, and the oldest may go at any time.

It knows nothing of tables and columns: a backup holds the engine's own files, and opens with every program that can open
the data directory it was made of.
"""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import shutil
import sqlite3
import stat
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sightline.errors import EnvironmentTrouble, NotFound, UserError

FORMAT = 1
"""Version of this layout. A folder of a newer one is refused."""
ENGINE, CATALOG, JOURNAL = "engine", "catalog.db", "journal"
_TRIES = 10
_OF_JOURNAL = ("positions", JOURNAL, "quarantine")
_NOT_KEPT = ("run", "jobs", "lock", ".restoring")
"""What does not outlive the processes, or a restore that was cut short."""
_NOT_KEPT_OF_ENGINE = ("data", "shadow", "status", "tmp")
"""What the engine makes again when it opens."""
_HELD = (".open", ".seg", ".done", ".cut", ".json", ".bytes")
_CHUNK_BYTES = 1 << 20

Progress = Callable[[int, int], Any]
"""Told bytes that are done and bytes in all."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file that goes into a backup: its name in the data directory, and where it lies at this moment. A `steady` one never
    changes under its name."""

    name: str
    path: Path
    steady: bool = False


@dataclass(frozen=True, slots=True)
class Snapshot:
    """One backup."""

    name: str
    program: str
    created: float
    files: dict[str, dict[str, Any]]
    """By name: `sha256`, `size`, `mode`, `modified_ns`; or `link`."""

    @property
    def size_bytes(self) -> int:
        """Bytes of all its files."""
        return sum(one.get("size", 0) for one in self.files.values())


@dataclass(frozen=True, slots=True)
class Made:
    """What a backup cost."""

    snapshot: Snapshot
    copied_files: int
    copied_bytes: int


class BackupFolder:
    """The folder at `path`. One program may change it at a time."""

    def __init__(self, path: Path) -> None:
        self.path = path.resolve()

    def snapshots(self) -> list[str]:
        """The names of the backups, oldest first."""
        return sorted(path.stem for path in (self.path / "snapshots").glob("*.json"))

    def read(self, name: str = "") -> Snapshot:
        """One backup, or the newest. Raises NotFound, and UserError for a list that is damaged or of a newer format."""
        names = self.snapshots()
        if not names:
            raise NotFound(f"{self.path} holds no whole backup", hint="`sightline backup` makes one")
        if name and name not in names:
            raise NotFound(f'{self.path} holds no backup "{name}", it has: {", ".join(names)}')
        path = self.path / "snapshots" / f"{name or names[-1]}.json"
        try:
            content = json.loads(path.read_text())
            told = content["snapshot"]
            if content["sha256"] != _text_digest(told):
                raise ValueError("its checksum does not match")
        except (ValueError, KeyError, TypeError) as error:
            raise UserError(
                f"the list of the backup {path} is damaged: {error}", hint="an older one may be whole"
            ) from error
        if told["format"] > FORMAT:
            raise UserError(f"{path} is of format {told['format']}, this program understands up to {FORMAT}")
        return Snapshot(path.stem, told["program"], told["created"], told["files"])

    def add(self, sources: list[Source], links: dict[str, str], program: str, progress: Progress) -> Made:
        """Copy what is not there yet, and write the list. Raises EnvironmentTrouble when the folder cannot be written."""
        with self._changing():
            known: dict[str, dict[str, Any]] = {}
            if self.snapshots():
                with contextlib.suppress(UserError):
                    known = self.read().files
            total = sum(source.path.stat().st_size for source in sources)
            done = copied_files = copied_bytes = 0
            files: dict[str, dict[str, Any]] = {name: {"link": target} for name, target in links.items()}
            for source in sources:
                status = source.path.stat()
                before = known.get(source.name, {})
                same = (before.get("size"), before.get("modified_ns")) == (status.st_size, status.st_mtime_ns)
                if source.steady and same and self._object(before["sha256"]).exists():
                    digest, size = before["sha256"], status.st_size
                else:
                    digest, size, is_new = self._keep(source.path)
                    copied_files += is_new
                    copied_bytes += size if is_new else 0
                mode = stat.S_IMODE(status.st_mode)
                files[source.name] = {"sha256": digest, "size": size, "mode": mode, "modified_ns": status.st_mtime_ns}
                done += status.st_size
                progress(done, max(total, done))
            # Everything is on disk before anything says that it is: one sync is far cheaper than one for each file.
            os.sync()
            snapshot = self._write(Snapshot(self._new_name(), program, time.time(), files))
        return Made(snapshot, copied_files, copied_bytes)

    def verify(self, snapshot: Snapshot, progress: Progress) -> None:
        """Read every object that a backup names. Raises UserError naming the first that is damaged or missing."""
        done = 0
        for name, one in snapshot.files.items():
            if "link" not in one:
                self._check(name, one, _digest(self._object(one["sha256"])))
                done += one["size"]
                progress(done, snapshot.size_bytes)

    def keep_newest(self, count: int) -> list[str]:
        """Remove older backups, and all contents that none of the others names; returns the names that went."""
        with self._changing():
            gone = self.snapshots()[:-count]
            kept = {
                one["sha256"]
                for name in self.snapshots()[-count:]
                for one in self.read(name).files.values()
                if "link" not in one
            }
            for name in gone:
                (self.path / "snapshots" / f"{name}.json").unlink()
            for path in (self.path / "objects").glob("*/*"):
                if path.name not in kept:
                    path.unlink()
        return gone

    def restore(self, snapshot: Snapshot, target: Path, *, force: bool, progress: Progress) -> None:
        """Make a data directory of a backup. Every byte is checked on the way, and nothing of the old one goes before that.

        Raises UserError for a directory that is not empty without `force`, and for a backup that is damaged.
        """
        target.mkdir(parents=True, exist_ok=True, mode=0o700)
        staged = target / ".restoring"
        present = [path for path in target.iterdir() if path.name not in (staged.name, "lock")]
        if present and not force:
            raise UserError(
                f"{target} is not empty: it holds {', '.join(sorted(path.name for path in present)[:3])}",
                hint="give an empty or a new directory, or --force to replace what is there",
            )
        shutil.rmtree(staged, ignore_errors=True)
        staged.mkdir(mode=0o700)
        done = 0
        for name, one in snapshot.files.items():
            path = _inside(staged, name)
            path.parent.mkdir(parents=True, exist_ok=True)
            if "link" in one:
                path.symlink_to(one["link"])
                continue
            self._check(name, one, _digest(self._object(one["sha256"]), path))
            path.chmod(one["mode"])
            os.utime(path, ns=(one["modified_ns"], one["modified_ns"]))
            done += one["size"]
            progress(done, snapshot.size_bytes)
        for folder in (staged / JOURNAL).glob("*/"):
            # A writer's lock is free when the writer is dead, and these are.
            (folder / "lock").touch()
        os.sync()
        for path in present:
            shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
        # The version goes last: without it no program takes a half restored directory for a whole one.
        for path in sorted(staged.iterdir(), key=lambda path: (path.name == "VERSION", path.name)):
            path.rename(target / path.name)
        staged.rmdir()
        os.sync()

    # Inside

    @contextlib.contextmanager
    def _changing(self) -> Iterator[None]:
        try:
            for folder in (self.path, self.path / "objects", self.path / "snapshots"):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            with (self.path / "lock").open("w") as lock:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield
        except BlockingIOError as error:
            raise EnvironmentTrouble(f"another program writes to {self.path} at this moment") from error
        except OSError as error:
            raise EnvironmentTrouble(f"the backup to {self.path} failed: {error.strerror or error}") from error

    def _object(self, digest: str) -> Path:
        return self.path / "objects" / digest[:2] / digest

    def _keep(self, path: Path) -> tuple[str, int, bool]:
        staged = self.path / "objects" / f"new-{os.getpid()}"
        try:
            digest, size = _digest(path, staged)
            kept = self._object(digest)
            if kept.exists() and kept.stat().st_size == size:
                return digest, size, False
            kept.parent.mkdir(exist_ok=True, mode=0o700)
            staged.chmod(0o600)
            staged.rename(kept)
            return digest, size, True
        finally:
            staged.unlink(missing_ok=True)

    def _new_name(self) -> str:
        name = time.strftime("%Y%m%dT%H%M%SZ", time.gmtime())
        # Names sort by age, also where two are made within a second or the clock was set back.
        newest = max(self.snapshots(), default="")
        return name if name > newest else f"{newest}a"

    def _write(self, snapshot: Snapshot) -> Snapshot:
        told = {
            "format": FORMAT,
            "program": snapshot.program,
            "created": snapshot.created,
            "files": snapshot.files,
        }
        path = self.path / "snapshots" / f"{snapshot.name}.json"
        staged = path.with_suffix(".new")
        with staged.open("w") as file:
            json.dump({"sha256": _text_digest(told), "snapshot": told}, file)
            file.flush()
            os.fsync(file.fileno())
        staged.rename(path)
        os.sync()
        return snapshot

    def _check(self, name: str, one: dict[str, Any], found: tuple[str, int] | None) -> None:
        if found != (one["sha256"], one["size"]):
            what = "is missing" if found is None else "is damaged: its checksum does not match"
            raise UserError(f'"{name}" of the backup in {self.path} {what}', hint="an older backup may be whole: --snapshot")


def files_of(
    data: Path, *, of_journal: Path | None = None, of_parts: Path | None = None
) -> tuple[list[Source], dict[str, str]]:
    """Every file of a data directory that a backup holds, but the catalog; and its links.

    While a server runs, `of_journal` is where the journal and the quarantine stand still, and `of_parts` has the engine's
    parts and what belongs to them.
    """
    sources: list[Source] = []
    links: dict[str, str] = {}
    still = {name: of_journal / name for name in _OF_JOURNAL} if of_journal else {}
    for entry in sorted(data.iterdir()):
        if entry.name in _NOT_KEPT or entry.name.startswith((CATALOG, "VERSION.")):
            continue
        if entry.name == ENGINE:
            _add_engine(entry, of_parts, sources, links)
        else:
            _add(still.get(entry.name, entry), entry.name, sources, links)
    return sources, links


def copy_catalog(data: Path, target: Path) -> None:
    """The catalog as it is at this moment, as one file, while others may write to it."""
    with (
        contextlib.closing(sqlite3.connect(data / CATALOG)) as source,
        contextlib.closing(sqlite3.connect(target)) as copy,
    ):
        source.backup(copy)
    target.chmod(0o600)


def hold_journal(data: Path, target: Path) -> None:
    """Hard links to what waits in the journal and in the quarantine. Segments only grow, or go: a link keeps them.

    How far files were read comes first, and with it what was loaded and says more: restored, nothing was read that is not stored.
    """
    for _ in range(_TRIES):
        before = _positions(data)
        for name in _OF_JOURNAL:
            shutil.rmtree(target / name, ignore_errors=True)
            (target / name).mkdir(parents=True)
            # The folder of a dead writer may go in this moment: `walk` takes that for an empty one.
            for folder, _, files in os.walk(data / name):
                for path in (Path(folder) / file for file in files):
                    if path.suffix in _HELD or path.name in ("VERSION", "loaded.log"):
                        _hold(path, target / name / path.relative_to(data / name))
        # What was loaded is let go of when the positions are noted: that must not have happened in between.
        if _positions(data) == before:
            return


def _positions(data: Path) -> set[tuple[str, int]]:
    """Which files of positions there are; each is replaced as a whole."""
    return {(path.name, path.stat().st_ino) for path in (data / "positions").glob("*.json")}


def _hold(path: Path, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    # A writer renames a segment when it closes it, and some when they are loaded; it is still there, under its other name.
    for name in (path, path.with_suffix(".seg"), path.with_suffix(".done")):
        try:
            if name.name == "loaded.log":
                shutil.copyfile(name, target)
            else:
                os.link(name, target.with_suffix(name.suffix))
            return
        except FileNotFoundError:
            continue
        except FileExistsError:
            return


def _add(path: Path, name: str, sources: list[Source], links: dict[str, str], *, steady: bool = False) -> None:
    if path.is_symlink():
        links[name] = os.readlink(path)
    elif path.is_dir():
        for child in sorted(path.iterdir()):
            if child.name != "lock" and child.suffix != ".piece":
                _add(child, f"{name}/{child.name}", sources, links, steady=steady)
    elif path.is_file():
        sources.append(Source(name, path, steady))


def _add_engine(engine: Path, of_parts: Path | None, sources: list[Source], links: dict[str, str]) -> None:
    for entry in sorted(engine.iterdir()):
        if entry.name != "store":
            if entry.name not in _NOT_KEPT_OF_ENGINE:
                _add(entry, f"{ENGINE}/{entry.name}", sources, links)
            continue
        for table in sorted(entry.glob("*/*")):
            for child in sorted((of_parts / table.relative_to(engine) if of_parts else table).glob("*")):
                if is_part(child):
                    # A part never changes; the engine writes another one instead.
                    _add(child, f"{ENGINE}/{table.relative_to(engine)}/{child.name}", sources, links, steady=True)
            for child in sorted(table.iterdir()):
                still = of_parts / "beside" / table.relative_to(engine) / child.name if of_parts else child
                if not is_part(child) and not child.name.startswith(("tmp", "delete_tmp", "detached", "moving")):
                    _add(
                        still if of_parts and still.exists() else child,
                        f"{ENGINE}/{table.relative_to(engine)}/{child.name}", sources, links,
                    )  # fmt: skip


def is_part(path: Path) -> bool:
    """Whether a folder of a table is a part: `<partition>_<first>_<last>_<level>`, or with the number of a mutation."""
    pieces = path.name.split("_")
    return path.is_dir() and len(pieces) >= 4 and not path.name.startswith(("tmp", "delete")) and pieces[-1].isdigit()


def _inside(folder: Path, name: str) -> Path:
    path = folder / name
    if name.startswith("/") or ".." in Path(name).parts:
        raise UserError(f'the backup names a file outside of the data directory: "{name}"')
    return path


def _text_digest(told: Any) -> str:
    return hashlib.sha256(json.dumps(told, sort_keys=True).encode()).hexdigest()


def _digest(path: Path, copy: Path | None = None) -> Any:
    """The checksum and the size of a file, copied on the way; None when there is none."""
    digest, size = hashlib.sha256(), 0
    try:
        with contextlib.ExitStack() as closing:
            source = closing.enter_context(path.open("rb"))
            target = closing.enter_context(copy.open("wb")) if copy else None
            while piece := source.read(_CHUNK_BYTES):
                digest.update(piece)
                size += len(piece)
                if target:
                    target.write(piece)
    except FileNotFoundError:
        if path.exists():
            raise
        return None
    return digest.hexdigest(), size
