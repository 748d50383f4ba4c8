"""One file that is followed: which one it is, whatever it is called by now, and which of its bytes come next.

A file is known by its device and inode while it is there, and by what it holds when it was copied: a digest of its first
bytes, and one of the bytes in front of the position. Both are looked at with every read, so that a file that was emptied or
overwritten meanwhile is noticed. A `Block` ends where an event ends, as far as that can be seen without the rules of a
sourcetype, which only the engine has: a block is cut inside of a stream that does not stop, never after it came to rest.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import re
import time
import uuid
import zlib
from dataclasses import dataclass, field
from typing import Any, Protocol

import orjson

from sightline.config import FilesSettings
from sightline.receivers.inputs import FilesInput
from sightline.receivers.positions import Position

ZIPPED = ".gz"
HEAD_BYTES = 1024
TAIL_BYTES = 256
READ_BYTES = 1024 * 1024
"""Bytes read at a time, unless a line may be longer."""
_LOOK_BACK_LINES = 1_000
"""Lines looked at for the beginning of the last event: the engine makes events of no more either."""
_MONTH = rb"(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)"
_TIME = re.compile(
    rb"\b\d{4}[-/]\d\d[-/]\d\d[T _]\d\d:\d\d|\b\d{1,2}[ /-]" + _MONTH + rb"[ /-]\d{4}[ :]\d\d:|\b" + _MONTH + rb" [ \d]\d \d\d:\d\d:"
    rb"|\b\d{1,2}/\d{1,2}/\d{4},? \d{1,2}:\d\d:|\b\d{8}T\d{6}|^[IWEF]\d{4} \d\d:\d\d:|^\W?[12]\d{9}"
)  # fmt: skip
_TIME_BYTES = 80


_HEADER_BYTES = 4096
"""Lines with names of columns are looked for in so many bytes."""


def header_of(beginning: bytes) -> str:
    """The lines at the beginning of a file that may name the columns of all others, for pieces of it that begin further on.

    Those are comments (`#Fields: ...`), or a first line with separators and no time in it. Empty where there are none.
    """
    lines = beginning.split(b"\n")[:-1]
    named = []
    for line in lines:
        if not line.startswith(b"#"):
            break
        named.append(line)
    if not named and lines and re.search(rb"[,;|\t]", lines[0]) and not _TIME.search(lines[0]):
        named = lines[:1]
    return b"\n".join(named).decode("utf-8", "replace")


class Changed(Exception):
    """The file does not hold any more what was read of it: it was emptied or overwritten."""


class Content(Protocol):
    """Bytes of a file by their place in its text."""

    def read(self, offset: int, size: int) -> bytes:
        """So many bytes, or fewer at the end. Raises what is in UNREADABLE."""
        ...

    def size(self) -> int:
        """How large the file is, packed or not."""
        ...

    def changed_ns(self) -> int:
        """When it was changed."""
        ...

    def close(self) -> None:
        """Let the file go."""
        ...


class Plain:
    """A file as it lies there."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor

    def read(self, offset: int, size: int) -> bytes:
        """See `Content`."""
        return os.pread(self._descriptor, size, offset)

    def size(self) -> int:
        """See `Content`."""
        return os.fstat(self._descriptor).st_size

    def changed_ns(self) -> int:
        """See `Content`."""
        return os.fstat(self._descriptor).st_mtime_ns

    def close(self) -> None:
        """See `Content`."""
        os.close(self._descriptor)


class Zipped:
    """A file that gzip packed, unpacked. Reading forwards is cheap, backwards begins anew."""

    def __init__(self, descriptor: int) -> None:
        self._packed = os.fdopen(descriptor, "rb")
        self._file = gzip.GzipFile(fileobj=self._packed)

    def read(self, offset: int, size: int) -> bytes:
        """See `Content`."""
        self._file.seek(offset)
        return self._file.read(size)

    def size(self) -> int:
        """See `Content`."""
        return os.fstat(self._packed.fileno()).st_size

    def changed_ns(self) -> int:
        """See `Content`."""
        return os.fstat(self._packed.fileno()).st_mtime_ns

    def close(self) -> None:
        """See `Content`."""
        self._file.close()
        self._packed.close()


def open_content(path: str) -> tuple[Content, tuple[int, int], int]:
    """A file's content, its device and inode, and its size. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    found = os.fstat(descriptor)
    content = Zipped(descriptor) if path.endswith(ZIPPED) else Plain(descriptor)
    return content, (found.st_dev, found.st_ino), found.st_size


def digest(data: bytes) -> str:
    """A short name of some bytes."""
    return hashlib.blake2b(data, digest_size=12).hexdigest()


@dataclass(frozen=True, slots=True)
class Block:
    """Bytes of a file that are to be stored, and the position behind them."""

    body: bytes
    lines: int
    position: Position
    more: bool
    """Whether there is more to read at once."""


@dataclass
class Followed:
    """A file, how far it was read, and what was seen of it."""

    input: FilesInput
    path: str
    at: tuple[int, int] | None
    """Device and inode; None when the file is gone."""
    is_zipped: bool = False
    id: str = field(default_factory=lambda: uuid.uuid4().hex[:16])
    n: int = 0
    offset: int = 0
    head: str = digest(b"")
    head_length: int = 0
    tail: str = digest(b"")
    tail_length: int = 0
    seen_at_s: float = field(default_factory=time.time)
    """When it was last there, on the clock of the day."""
    # What follows is not part of the position.
    content: Content | None = None
    size: int = -1
    grown_at: float = 0.0
    is_verified: bool = False
    """Whether this process has seen that the file is the one of the position."""
    is_listed: bool = True
    """Whether a glob still leads to it."""
    is_settled: bool = False
    """Whether it is no longer listed and everything in it was read."""
    has_ended: bool = False
    """Whether a packed file was read to its end."""
    gone_since: float | None = None
    _changed_ns: int = 0
    _waiting_since: float | None = None
    _looked: tuple[Any, ...] = ()
    _header: str | None = None

    @classmethod
    def of_position(cls, position: Position, files_input: FilesInput) -> Followed:
        """A file that an earlier process followed."""
        found = cls(files_input, position["path"], tuple(position["at"]) if position["at"] else None)
        for name in ("is_zipped", "id", "n", "offset", "head", "head_length", "tail", "tail_length", "seen_at_s"):
            setattr(found, name, position[name])
        return found

    def position(self) -> Position:
        """What has to be known to go on from here."""
        names = ("path", "at", "is_zipped", "id", "n", "offset", "head", "head_length", "tail", "tail_length", "seen_at_s")
        # A name may have bytes that are no text.
        path = os.fsencode(self.path).decode("utf-8", "replace")
        return {name: getattr(self, name) for name in names} | {"path": path, "input": self.input.name}

    def is_in(self, content: Content) -> bool:
        """Whether this content is that of the position. Nothing at all says nothing."""
        head = content.read(0, self.head_length)
        if len(head) < self.head_length or digest(head) != self.head:
            return False
        return digest(content.read(self.offset - self.tail_length, self.tail_length)) == self.tail

    def begin_at(self, content: Content, offset: int) -> None:
        """Take all in front of an offset as read."""
        head, tail = content.read(0, HEAD_BYTES), content.read(max(0, offset - TAIL_BYTES), min(TAIL_BYTES, offset))
        self.offset, self.n = offset, self.n + 1
        self.head, self.head_length, self.tail, self.tail_length = digest(head), len(head), digest(tail), len(tail)

    def hold(self, content: Content | None) -> None:
        """Read from this from now on, or from nothing."""
        if self.content is not None:
            self.content.close()
        self.content = content

    def grown_to(self, size: int, changed_ns: int, now: float) -> bool:
        """Note size and time of change. Gives whether there may be something to read. Raises Changed for a file that was cut."""
        is_changed, self._changed_ns = changed_ns != self._changed_ns, changed_ns
        if size != self.size:
            self.size, self.grown_at = size, now
        if self.is_zipped:
            return not self.has_ended
        if size < self.offset:
            raise Changed
        if size == self.offset:
            self._waiting_since = None
            # It may have been emptied and filled again to the very size.
            return is_changed
        return True

    def next_block(self, settings: FilesSettings, now: float) -> Block | None:
        """What can be stored now. Raises Changed, and what `Content.read` does."""
        assert self.content is not None
        if self._waiting_since is None:
            self._waiting_since = now
        rested_s = now - self.grown_at
        is_quiet = self.is_zipped or rested_s >= settings.quiet_ms / 1000
        is_held = now - self._waiting_since >= settings.hold_ms / 1000
        has_partial = self.is_zipped or rested_s >= settings.partial_line_s
        looked = (self.size, self._changed_ns, self.offset, is_quiet, is_held, has_partial)
        if looked == self._looked:
            # The same question gets the same answer.
            return None
        limit = max(READ_BYTES, settings.max_line_bytes)
        data = self.content.read(self.offset - self.tail_length, self.tail_length + limit)
        before, data = data[: self.tail_length], data[self.tail_length :]
        if digest(before) != self.tail:
            raise Changed
        is_whole = len(data) < limit
        if not data:
            self.has_ended = self.is_zipped
            return None
        size = _size_of_block(data, settings.max_line_bytes, is_whole, is_quiet, is_held, has_partial)
        if not size:
            self._looked = looked
            return None
        return self._block(data[:size], before, more=not is_whole or self.is_zipped)

    def _block(self, text: bytes, before: bytes, *, more: bool) -> Block:
        assert self.content is not None
        tail = (before + text)[-TAIL_BYTES:]
        position = self.position() | {
            "n": self.n + 1,
            "offset": self.offset + len(text),
            "tail": digest(tail),
            "tail_length": len(tail),
        }
        if self.head_length < HEAD_BYTES:
            head = self.content.read(0, HEAD_BYTES)
            if digest(head[: self.head_length]) != self.head:
                raise Changed
            position |= {"head": digest(head), "head_length": len(head)}
        described = {
            "host": self.input.host,
            "source": position["path"],
            "sourcetype": self.input.sourcetype,
            "position": position,
        }
        if self.input.fields:
            described["fields"] = self.input.fields
        if self._header is None or not self.offset:
            self._header = header_of(self.content.read(0, _HEADER_BYTES))
        if self._header and self.offset:
            described["header"] = self._header
        lines = text.count(b"\n") + (not text.endswith(b"\n"))
        return Block(orjson.dumps(described) + b"\n" + text, lines, position, more)

    def stored(self, block: Block) -> None:
        """A block is on disk in the journal: go on behind it."""
        for name in ("n", "offset", "tail", "tail_length", "head", "head_length"):
            setattr(self, name, block.position[name])
        self._waiting_since = None
        self._looked = ()

    @property
    def is_read(self) -> bool:
        """Whether everything that was seen of it is stored."""
        return self.has_ended if self.is_zipped else self.size == self.offset


def _size_of_block(
    data: bytes, max_line_bytes: int, is_whole: bool, is_quiet: bool, is_held: bool, has_partial: bool
) -> int:
    """How much of what was read may be stored now; 0 is nothing. `is_whole` says that nothing lies behind it."""
    end = data.rfind(b"\n") + 1
    if is_whole and has_partial:
        return len(data)
    if not end:
        return _at_letter(data, max_line_bytes) if len(data) >= max_line_bytes else 0
    if is_whole and is_quiet:
        return end
    return last_event(data[:end]) or (end if is_held or not is_whole else 0)


def _at_letter(data: bytes, size: int) -> int:
    """The size, or a little less where it would cut a letter of UTF-8."""
    for less in range(4):
        if size - less > 0 and (size - less >= len(data) or data[size - less] & 0xC0 != 0x80):
            return size - less
    return size


def begins_event(line: bytes) -> bool:
    """Whether a line looks like the first of an event: it has a time, or is an object in JSON."""
    return line.startswith(b"{") or _TIME.search(line[:_TIME_BYTES]) is not None


def last_event(text: bytes) -> int:
    """Where the last event of whole lines begins, by the rule that holds for text nobody said anything about; 0 when the whole
    is one. Where the first line has a time, a line with one begins an event, and else each line that is not indented does."""
    first = text.lstrip(b"\r\n").partition(b"\n")[0]
    timed = begins_event(first)
    end = len(text) - 1
    for _ in range(_LOOK_BACK_LINES):
        start = text.rfind(b"\n", 0, end) + 1
        line = text[start:end]
        if begins_event(line) if timed else line.strip() and line[:1] not in (b" ", b"\t"):
            return start
        if not start:
            break
        end = start - 1
    return 0


UNREADABLE = (OSError, EOFError, zlib.error)
"""What reading a file's content may raise."""
