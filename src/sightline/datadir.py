"""The data directory: its version, its lock, and where things lie in it.

One program may have a directory open at a time. The lock is an `flock` on DATA/lock; its descriptor may be inherited
by a child process, and the lock then holds until the last of them has ended.
"""

from __future__ import annotations

import fcntl
import os
from pathlib import Path

from sightline.config import DATA_VERSION
from sightline.errors import EnvironmentTrouble, UserError

MAX_SOCKET_PATH_BYTES = 107
"""Longest path of a unix socket on Linux."""


class DirectoryHeld(UserError):
    """Another program has the data directory open."""


def lock_folder(path: Path) -> int:
    """Takes the lock of a folder that is or becomes a data directory. Raises DirectoryHeld when another program has it."""
    descriptor = os.open(path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        holder = os.read(descriptor, 200).decode(errors="replace").strip()
        os.close(descriptor)
        raise DirectoryHeld(
            f"the data directory {path} is held by another program" + (f" ({holder})" if holder else ""),
            hint="give --url and --token to use the running server, or stop it first",
        ) from None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"process {os.getpid()}".encode(), 0)
    return descriptor


class DataDirectory:
    """A directory that exists, has a version this program understands, and may be locked."""

    def __init__(self, path: Path) -> None:
        """Creates the directory when absent and checks its version. Raises UserError for a newer version."""
        self.path = path.resolve()
        self._lock_descriptor: int | None = None
        try:
            self.path.mkdir(parents=True, exist_ok=True, mode=0o700)
            self.run.mkdir(exist_ok=True, mode=0o700)
        except OSError as error:
            raise EnvironmentTrouble(f"the data directory {path} cannot be created: {error.strerror}") from error
        self._check_version()
        if len(os.fsencode(self.socket)) > MAX_SOCKET_PATH_BYTES:
            raise UserError(
                f"the path of the data directory is too long for a socket: {self.socket} has"
                f" {len(os.fsencode(self.socket))} bytes, at most {MAX_SOCKET_PATH_BYTES}"
            )

    @property
    def run(self) -> Path:
        """Sockets and process ids: nothing that outlives the processes."""
        return self.path / "run"

    @property
    def socket(self) -> Path:
        """Where the engine process serves HTTP to the front process."""
        return self.run / "engine.sock"

    @property
    def catalog(self) -> Path:
        """The catalog's SQLite file."""
        return self.path / "catalog.db"

    def lock(self) -> int:
        """Takes the lock and returns its descriptor. Raises DirectoryHeld when another program has it."""
        self._lock_descriptor = descriptor = lock_folder(self.path)
        return descriptor

    def unlock(self) -> None:
        """Gives the lock back, unless a child process has inherited it."""
        if self._lock_descriptor is not None:
            os.close(self._lock_descriptor)
            self._lock_descriptor = None

    def _check_version(self) -> None:
        marker = self.path / "VERSION"
        if not marker.exists():
            others = [p.name for p in self.path.iterdir() if p.name not in ("run", "lock", "sightline.toml")]
            if others and not (self.path / "catalog.db").exists():
                raise UserError(
                    f"{self.path} is not a data directory: it has no VERSION file and holds {', '.join(sorted(others)[:3])}",
                    hint="give an empty or a new directory",
                )
            staged = self.path / f"VERSION.{os.getpid()}"
            staged.write_text(f"{DATA_VERSION}\n")
            staged.replace(marker)
            return
        text = marker.read_text().strip()
        if not text.isdigit():
            raise UserError(f'{marker} wants a whole number, got "{text[:40]}"')
        if int(text) > DATA_VERSION:
            raise UserError(
                f"the data directory {self.path} is version {text}, this program understands up to version {DATA_VERSION}",
                hint="use the newer program that made it",
            )
