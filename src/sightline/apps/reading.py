"""The files under a path, whether it is a file, a folder or an archive; read in memory, in bounded pieces.

An archive is never unpacked: a member's name is only a name, so one that climbs out of the archive (`../../etc/passwd`) or is a
link, a device or too large is told and passed over. A folder is walked without following links that lead out of it.
"""

from __future__ import annotations

import os
import stat
import tarfile
import zipfile
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from sightline.errors import EnvironmentTrouble, UserError

MAX_FILE_BYTES = 32 * 1024 * 1024
"""Largest file that is read; the largest lookup in published apps has a third of it."""
MAX_UNPACKED_BYTES = 1024 * 1024 * 1024
"""Bytes that an archive may unpack to, files that are passed over included: a bomb ends here."""
MAX_HEADER_BYTES = 1024 * 1024
"""A long name or other extra header of one member of a tar archive; real ones have some hundred bytes."""
MAX_FILES = 200_000
MAX_DEPTH = 64
"""Folders within folders."""
ARCHIVES = (".tgz", ".spl", ".tar.gz", ".tar", ".zip")
PASSED_OVER = frozenset((".git", ".github", "node_modules", "appserver", "__pycache__", ".venv"))
"""Folders that hold no knowledge objects, and often very many files."""

Tell = Callable[[str, str], None]
"""Told the file and what is wrong with it."""


@dataclass(frozen=True, slots=True)
class File:
    """One file. `name` is its path below what was opened, with slashes; `read` gives its bytes, at most MAX_FILE_BYTES."""

    name: str
    read: Callable[[], bytes]


def read_files(path: Path, wanted: Callable[[str], bool], tell: Tell) -> Iterator[File]:
    """The wanted files below a path, in the order of their names; those inside an archive in the archive's order.

    `wanted` is asked with the name. Raises UserError when there is nothing at the path.
    """
    if path.is_dir():
        yield from _folder(path, wanted, tell)
    elif path.is_file():
        yield from _file(path, path.name, wanted, tell)
    elif path.exists():
        raise UserError(f'"{path}" is neither a file nor a folder')
    else:
        raise UserError(f'there is nothing at "{path}"')


def _folder(root: Path, wanted: Callable[[str], bool], tell: Tell) -> Iterator[File]:
    count = 0
    pending: list[tuple[Path, str, int]] = [(root, "", 0)]
    inside = root.resolve()
    while pending:
        folder, prefix, depth = pending.pop()
        try:
            entries = sorted(os.scandir(folder), key=lambda entry: entry.name)
        except OSError as error:
            if not prefix:
                raise EnvironmentTrouble(f"{root} cannot be read: {error.strerror}") from error
            tell(prefix.rstrip("/"), f"cannot be read: {error.strerror}")
            continue
        below = []
        for entry in entries:
            name = prefix + _printable(entry.name)
            place = Path(entry.path)
            try:
                if entry.is_symlink() and not place.resolve().is_relative_to(inside):
                    tell(name, "is a link that leads out of the folder")
                    continue
                mode = entry.stat().st_mode
            except (OSError, RuntimeError) as error:
                tell(name, f"cannot be read: {getattr(error, 'strerror', None) or 'links in a circle'}")
                continue
            if stat.S_ISDIR(mode):
                if entry.name in PASSED_OVER or entry.is_symlink():
                    continue
                if depth >= MAX_DEPTH:
                    tell(name, f"is nested deeper than {MAX_DEPTH} folders")
                else:
                    below.append((place, name + "/", depth + 1))
            elif stat.S_ISREG(mode) and (wanted(name) or name.lower().endswith(ARCHIVES)):
                count += 1
                if count > MAX_FILES:
                    tell(name, f"and what comes after it: more than {MAX_FILES:,} files")
                    return
                yield from _file(place, name, wanted, tell)
        pending.extend(reversed(below))


def _file(path: Path, name: str, wanted: Callable[[str], bool], tell: Tell) -> Iterator[File]:
    try:
        with path.open("rb") as file:
            start = file.read(262)
    except OSError as error:
        tell(name, f"cannot be read: {error.strerror}")
        return
    if start[:2] == b"\x1f\x8b" or start[257:262] == b"ustar":
        yield from _tar(path, name, wanted, tell)
    elif start[:4] == b"PK\x03\x04" and name.lower().endswith(ARCHIVES):
        yield from _zip(path, name, wanted, tell)
    elif wanted(name):
        size = path.stat().st_size
        if size > MAX_FILE_BYTES:
            tell(name, f"has {size:,} bytes, at most {MAX_FILE_BYTES:,} are read")
        else:
            yield File(name, lambda: _read_all(path))


def _read_all(path: Path) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(MAX_FILE_BYTES)
    except OSError as error:
        raise EnvironmentTrouble(f"{path} cannot be read: {error.strerror}") from error


def _tar(path: Path, name: str, wanted: Callable[[str], bool], tell: Tell) -> Iterator[File]:
    """The files of a tar archive, plain or compressed with gzip. Links and devices hold no bytes and are passed over."""
    try:
        with _Bounded(path) as stream, _open_tar(stream) as archive:
            for count, member in enumerate(archive):
                if count >= MAX_FILES:
                    tell(name, f"holds more than {MAX_FILES:,} files; the rest was passed over")
                    return
                inner = _member_name(member.name, name, tell)
                if not member.isfile() or inner is None or not wanted(inner):
                    continue
                if member.size > MAX_FILE_BYTES:
                    tell(f"{name}/{inner}", f"has {member.size:,} bytes, at most {MAX_FILE_BYTES:,} are read")
                    continue
                body = archive.extractfile(member)
                if body is not None:
                    content = body.read(MAX_FILE_BYTES)
                    yield File(f"{_archive_prefix(name)}{inner}", lambda content=content: content)
    except _TooLarge:
        tell(name, f"unpacks to more than {MAX_UNPACKED_BYTES:,} bytes; the rest was passed over")
    except (tarfile.TarError, EOFError, OSError, zlib.error, ValueError, OverflowError) as error:
        tell(name, f"is not a whole archive: {str(error) or type(error).__name__}")


def _zip(path: Path, name: str, wanted: Callable[[str], bool], tell: Tell) -> Iterator[File]:
    unpacked = 0
    try:
        with zipfile.ZipFile(path) as archive:
            for count, member in enumerate(archive.infolist()):
                if count >= MAX_FILES:
                    tell(name, f"holds more than {MAX_FILES:,} files; the rest was passed over")
                    return
                inner = _member_name(member.filename, name, tell)
                if member.is_dir() or inner is None or not wanted(inner):
                    continue
                with archive.open(member) as body:
                    # The size that the archive tells may be a lie; what is read is what counts.
                    content = body.read(MAX_FILE_BYTES + 1)
                unpacked += len(content)
                if len(content) > MAX_FILE_BYTES:
                    tell(f"{name}/{inner}", f"has more than {MAX_FILE_BYTES:,} bytes, which is the most that is read")
                elif unpacked > MAX_UNPACKED_BYTES:
                    raise _TooLarge
                else:
                    yield File(f"{_archive_prefix(name)}{inner}", lambda content=content: content)
    except _TooLarge:
        tell(name, f"unpacks to more than {MAX_UNPACKED_BYTES:,} bytes; the rest was passed over")
    except (zipfile.BadZipFile, RuntimeError, NotImplementedError, EOFError, OSError, zlib.error, ValueError) as error:
        tell(name, f"is not a whole archive: {str(error) or type(error).__name__}")


def _member_name(given: str, archive: str, tell: Tell) -> str | None:
    parts = given.replace("\\", "/").split("/")
    parts = [part for part in parts if part not in ("", ".")]
    if given.startswith(("/", "\\")) or ".." in parts or "\0" in given:
        tell(f"{archive}/{_printable(given)[:200]}", "has a name that leads out of the archive")
        return None
    if not parts or len(parts) > MAX_DEPTH or any(part in PASSED_OVER for part in parts[:-1]):
        return None
    return _printable("/".join(parts))


def _archive_prefix(name: str) -> str:
    """Where an archive's files are put among the others: in place of the archive, below its folder."""
    return name.rpartition("/")[0] + "/" if "/" in name else ""


def _printable(name: str) -> str:
    return name.encode("utf-8", "backslashreplace").decode("utf-8")


class _Header(tarfile.TarInfo):
    """A member's header; one that is larger than any real one would be held in memory whole, and ends the archive."""

    @classmethod
    def frombuf(cls, buf: bytes, encoding: str, errors: str) -> tarfile.TarInfo:
        found = super().frombuf(buf, encoding, errors)
        if not found.isreg() and not found.isdir() and found.size > MAX_HEADER_BYTES:
            raise tarfile.InvalidHeaderError(f"a header has {found.size:,} bytes")
        return found


def _open_tar(stream: _Bounded) -> tarfile.TarFile:
    return tarfile.open(fileobj=stream, mode="r|", tarinfo=_Header)  # type: ignore[call-overload]


class _TooLarge(Exception):
    """More bytes than an archive may unpack to."""


class _Bounded:
    """The bytes of a file, unpacked when they are compressed, that end with _TooLarge beyond the limit."""

    def __init__(self, path: Path) -> None:
        import gzip

        self._file: IO[bytes] = path.open("rb")
        packed = self._file.read(2) == b"\x1f\x8b"
        self._file.seek(0)
        self._stream: Any = gzip.GzipFile(fileobj=self._file) if packed else self._file
        self._left = MAX_UNPACKED_BYTES

    def read(self, size: int = -1) -> bytes:
        found = self._stream.read(min(size, self._left + 1) if size >= 0 else self._left + 1)
        self._left -= len(found)
        if self._left < 0:
            raise _TooLarge
        return found

    def __enter__(self) -> _Bounded:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()
