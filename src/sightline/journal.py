"""The journal: what was received, on disk before it is acknowledged, in a form the engine reads by itself.

Hides: segment files, sharing one fsync among many requests, rotation, recovery after a crash, and bounds.
Enters: a request's bytes with who sent it. Leaves: closed segment files for the loader, oldest first.

A writer (one per receiving process) owns a folder and holds a lock on it, so writers share nothing and a dead one is
known by its free lock. A segment holds frames of one kind (`segments`), so that the engine's `Protobuf` format reads a
whole segment as it lies there.

`<ms>-<number>-<kind>.open` is being written, `.seg` is complete, `.done` is loaded and left to the receiver that still has to
note how far it read (receivers/positions.py). Only complete frames that were followed by an fsync
were acknowledged, so what recovery cuts off (a torn tail) nobody was promised.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import os
import shutil
import threading
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

from sightline.clock import Clock, system_clock
from sightline.config import IngestSettings
from sightline.errors import EnvironmentTrouble, UserError
from sightline.segments import check_frames, encode_frame

OPEN, CLOSED, LOADED = ".open", ".seg", ".done"
JOURNAL_VERSION = 1
"""Version of the frames and of the names of files. A journal of a newer version is refused."""
_VERSION_NAME = "VERSION"
LOCK_NAME = "lock"
_USAGE_INTERVAL_S = 0.5
_USAGE_SHARE = 0.05
"""Part of the time that may go into looking at how full the journal is: with very many segments it is done less often."""
CALM_SEGMENTS = 6
"""Closed segments that wait in ordinary times: one or two of each kind. With more, the loader is behind."""


class JournalFull(EnvironmentTrouble):
    """Nothing was accepted: the disk, the journal or the queue is full. The same request may succeed later."""

    def __init__(self, message: str, retry_after_s: int = 5) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class JournalClosing(JournalFull):
    """Nothing was accepted: the process is about to end, and starts again."""


@dataclass(frozen=True, slots=True)
class Segment:
    """A closed segment. `name` is unique for ever and names the segment's inserts."""

    path: Path
    writer: str
    kind: str

    @property
    def name(self) -> str:
        return f"{self.writer}/{self.path.stem}"


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a request that becomes a frame of its own, and how many records it holds."""

    body: bytes
    records: int


@dataclass(frozen=True, slots=True)
class Cut:
    """The tail of a dead writer's segment that was cut off: nobody was told that it is safe."""

    segment: str
    offset: int
    size_bytes: int
    reason: str


@dataclass(frozen=True, slots=True)
class Written:
    """What a writer has made durable since it began."""

    requests: int = 0
    records: int = 0
    size_bytes: int = 0


def closed_segments(root: Path) -> list[Segment]:
    """Every closed segment under the journal's folder, oldest first."""
    found = []
    for folder in _writer_folders(root):
        with contextlib.suppress(FileNotFoundError):
            for path in folder.glob("*" + CLOSED):
                found.append(Segment(path, folder.name, path.stem.rsplit("-", 1)[-1]))
    return sorted(found, key=lambda segment: segment.path.name)


def recover(root: Path, on_cut: Callable[[Cut], None] = lambda _: None) -> int:
    """Close what dead writers left open, cutting torn tails, and remove their empty folders.

    Returns how many segments were closed; `on_cut` is told of every tail. A writer that lives keeps its lock and is left
    alone. Damage that whole frames follow is no torn tail: it stays for the loader, which sets it aside. Raises UserError
    for a journal of a newer version.
    """
    check_version(root)
    recovered = 0
    for folder in _writer_folders(root):
        with contextlib.ExitStack() as stack:
            try:
                lock = stack.enter_context((folder / LOCK_NAME).open("r+b"))
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except FileNotFoundError:
                continue
            except BlockingIOError:
                continue
            for path in sorted(folder.glob("*" + OPEN)):
                frames, damages = check_frames(path)
                good = frames[-1].end if frames else 0
                size = path.stat().st_size
                if good < size:
                    reason = next(damage.reason for damage in damages if damage.offset >= good)
                    on_cut(Cut(f"{folder.name}/{path.stem}", good, size - good, reason))
                if good == 0:
                    path.unlink()
                    continue
                with path.open("r+b") as file:
                    file.truncate(good)
                    os.fsync(file.fileno())
                path.rename(path.with_suffix(CLOSED))
                recovered += 1
            if not any(p.name != LOCK_NAME for p in folder.iterdir()):
                (folder / LOCK_NAME).unlink()
                folder.rmdir()
    return recovered


def check_version(root: Path) -> None:
    """Note the version of the journal's format where none is noted. Raises UserError for a newer one: what this program
    cannot read would look like damage to it."""
    marker = root / _VERSION_NAME
    try:
        text = marker.read_text().strip()
    except FileNotFoundError:
        # A journal without the mark is one of the first version, or a new one.
        root.mkdir(parents=True, exist_ok=True)
        staged = root / f".{_VERSION_NAME}.{os.getpid()}.{threading.get_ident()}"
        staged.write_text(f"{JOURNAL_VERSION}\n")
        staged.replace(marker)
        return
    if not text.isdigit() or int(text) > JOURNAL_VERSION:
        raise UserError(
            f'the journal {root} is of version "{text[:40]}", this program understands up to {JOURNAL_VERSION}',
            hint="use the newer program that wrote it; it loads what waits",
        )


def journal_bytes(root: Path) -> int:
    """Bytes that wait in all writers' segments."""
    return _waiting(root)[0]


class JournalWriter:
    """Appends for one process. `append` may be called from any event loop or thread; `close` once, at the end.

    All writing is done by one thread: it writes what has arrived, and answers everybody after one fsync per kind. What arrives
    within `group_commit_ms` of the last fsync is gathered for the next. Nothing is acknowledged that could be lost by losing power.
    """

    def __init__(self, root: Path, settings: IngestSettings, clock: Clock = system_clock) -> None:
        self.root = root
        self._written: dict[str, Written] = {}
        self._settings = settings
        self._clock = clock
        check_version(root)
        self._folder, self._lock_file = _new_writer_folder(root)
        self._condition = threading.Condition()
        self._queue: list[_Item] = []
        self._queued_bytes = 0
        self._open: dict[str, _OpenSegment] = {}
        self._number = 0
        self._stopping = False
        self._refusal = self._room()
        self._thread = threading.Thread(target=self._work, name="journal", daemon=True)
        self._thread.start()

    @property
    def writer(self) -> str:
        """The name of this writer's folder."""
        return self._folder.name

    def written(self) -> dict[str, Written]:
        """What was made durable so far, by kind of segment."""
        return dict(self._written)

    def refusal(self) -> str:
        """Why an append would be refused at this moment; empty when it would be accepted."""
        if time.monotonic() > self._usage_due_at:
            self._refusal = self._room()
        return self._refusal

    def fullness(self) -> float:
        """How much of what may wait does, or of the disk that may be used is; from 1 on an append is refused."""
        waiting = self._waiting_bytes / self._settings.journal_max_bytes
        return max(waiting, self._settings.disk_reserve_bytes / max(1, self._free_bytes))

    def submit(self, kind: str, body: bytes, *, token: str = "", index: str = "", records: int = 0) -> Future[None]:
        """Hand a request over; the future is done when it is on disk, or holds JournalFull or OSError.

        Raises JournalFull at once when there is no room for it.
        """
        return self.submit_pieces(kind, [Piece(body, records)], token=token, index=index)

    def submit_pieces(self, kind: str, pieces: Sequence[Piece], *, token: str = "", index: str = "") -> Future[None]:
        """The same for a large request in pieces, which become frames of one segment: all are written, or none."""
        item = self._item(kind, pieces, token, index)
        done: Future[None] = Future()
        # A client that goes away cancels who waits for the future. What was handed over is written all the same, and
        # the thread that writes must not find a cancelled future: setting its result would end the thread.
        done.set_running_or_notify_cancel()
        item.done = done
        self._hand_over(item)
        return done

    def _item(self, kind: str, pieces: Sequence[Piece], token: str, index: str) -> _Item:
        refusal = self.refusal()
        if refusal:
            raise JournalFull(refusal)
        received_ms = int(self._clock() * 1000)
        buffers = []
        for piece in pieces:
            head = encode_frame(piece.body, token=token, index=index, received_ms=received_ms, records=piece.records)
            buffers += [head, piece.body]
        return _Item(kind, buffers, sum(map(len, buffers)), sum(piece.records for piece in pieces))

    def _hand_over(self, item: _Item) -> None:
        with self._condition:
            if self._stopping:
                raise JournalClosing("the journal is closing", 1)
            if self._queued_bytes and self._queued_bytes + item.size > 4 * self._settings.max_body_bytes:
                raise JournalFull("too many requests wait to be written to disk", 1)
            self._queue.append(item)
            self._queued_bytes += item.size
            self._condition.notify()

    async def append(self, kind: str, body: bytes, *, token: str = "", index: str = "", records: int = 0) -> None:
        """Append a request and return when it is durable. Raises JournalFull, or OSError when the disk failed."""
        await self.append_pieces(kind, [Piece(body, records)], token=token, index=index)

    async def append_pieces(self, kind: str, pieces: Sequence[Piece], *, token: str = "", index: str = "") -> None:
        """The same for a request in pieces."""
        # A future of the loop, and not `submit_pieces` with one of threads around it: that takes as long as all else here.
        loop = asyncio.get_running_loop()
        item = self._item(kind, pieces, token, index)
        item.done = loop.create_future()
        self._hand_over(item)
        await item.done

    def rotate(self) -> None:
        """Close the open segments as soon as possible instead of at their age."""
        with self._condition:
            for segment in self._open.values():
                segment.deadline = 0.0
            self._condition.notify()

    def close(self) -> None:
        """Write what waits, close the segments and let the folder go."""
        with self._condition:
            self._stopping = True
            self._condition.notify()
        self._thread.join()
        self._lock_file.close()

    # The writing thread

    def _work(self) -> None:
        due_at = 0.0
        while True:
            with self._condition:
                while not self._queue and not self._stopping:
                    deadline = min((s.deadline for s in self._open.values()), default=None)
                    timeout = None if deadline is None else deadline - time.monotonic()
                    if timeout is not None and timeout <= 0:
                        break
                    self._condition.wait(timeout)
                first = bool(self._queue)
            if first and not self._stopping:
                time.sleep(max(0.0, due_at - time.monotonic()))
            with self._condition:
                batch, self._queue = self._queue, []
                self._queued_bytes = 0
                stopping = self._stopping
            self._commit(batch)
            now = time.monotonic()
            due_at = now + self._settings.group_commit_ms / 1000
            for kind, segment in list(self._open.items()):
                if stopping or segment.deadline <= now or segment.size >= self._settings.segment_max_bytes:
                    self._close_segment(kind)
            if stopping and not batch:
                return

    def _commit(self, batch: list[_Item]) -> None:
        by_kind: dict[str, list[_Item]] = {}
        for item in batch:
            by_kind.setdefault(item.kind, []).append(item)
        for kind, items in by_kind.items():
            start = 0
            while start < len(items):
                # A commit is cut where the segment is full, so that one burst does not make one huge segment.
                segment = self._open.get(kind)
                room = self._settings.segment_max_bytes - (segment.size if segment else 0)
                end, size = start, 0
                while end < len(items) and (end == start or size < room):
                    size += items[end].size
                    end += 1
                self._commit_items(kind, items[start:end])
                start = end
                segment = self._open.get(kind)
                if segment and segment.size >= self._settings.segment_max_bytes:
                    self._close_segment(kind)

    def _commit_items(self, kind: str, items: list[_Item]) -> None:
        segment = None
        try:
            segment = self._open.get(kind) or self._open_segment(kind)
            written = _write_all(segment.descriptor, [buffer for item in items for buffer in item.buffers])
            os.fdatasync(segment.descriptor)
            segment.size += written
            self._waiting_bytes += written
        except OSError as error:
            if segment is not None:
                self._give_up_tail(kind, segment)
            failure: Exception = error
            if error.errno in (28, 122):
                failure = JournalFull(f"no room on the disk of the journal: {error.strerror}")
            _answer(items, failure)
            return
        before = self._written.get(kind, Written())
        records = sum(item.records for item in items)
        self._written[kind] = Written(before.requests + len(items), before.records + records, before.size_bytes + written)
        _answer(items)

    def _open_segment(self, kind: str) -> _OpenSegment:
        self._number += 1
        path = self._folder / f"{int(self._clock() * 1000):013d}-{self._number:06d}-{kind}{OPEN}"
        descriptor = os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o640)
        _sync_folder(self._folder)
        segment = _OpenSegment(path, descriptor, time.monotonic() + self._age_s())
        self._open[kind] = segment
        return segment

    def _age_s(self) -> float:
        """How old the next segment may get. Loading a small segment costs the engine nearly as much as loading a large
        one, so while many wait, fewer and larger ones are the way to catch up."""
        behind = self._waiting_segments / CALM_SEGMENTS
        usual = self._settings.segment_max_age_s
        return max(usual, min(usual * behind, self._settings.segment_max_age_behind_s))

    def _close_segment(self, kind: str) -> None:
        segment = self._open.pop(kind)
        os.close(segment.descriptor)
        if segment.size == 0:
            segment.path.unlink(missing_ok=True)
        else:
            # No fsync of the folder: a rename lost with the power leaves a name that recovery understands.
            segment.path.rename(segment.path.with_suffix(CLOSED))

    def _give_up_tail(self, kind: str, segment: _OpenSegment) -> None:
        # What was written of the failed commit must not be loaded: its senders are told to send it again. After a
        # failed fsync the pages of this file cannot be trusted, so the next commit starts a new one.
        with contextlib.suppress(OSError):
            os.ftruncate(segment.descriptor, segment.size)
        with contextlib.suppress(OSError):
            self._close_segment(kind)

    def _room(self) -> str:
        started = time.monotonic()
        self._waiting_bytes, self._waiting_segments = _waiting(self.root)
        ended = time.monotonic()
        self._usage_due_at = ended + max(_USAGE_INTERVAL_S, (ended - started) / _USAGE_SHARE)
        disk = os.statvfs(self.root)
        free = self._free_bytes = disk.f_bavail * disk.f_frsize
        if self._waiting_bytes >= self._settings.journal_max_bytes:
            return (
                f"the journal holds {self._waiting_bytes} bytes that wait to be loaded,"
                f" wanted less than {self._settings.journal_max_bytes}"
            )
        if free < self._settings.disk_reserve_bytes:
            return f"the disk has {free} bytes free, wanted at least {self._settings.disk_reserve_bytes}"
        return ""


@dataclass(slots=True)
class _Item:
    kind: str
    buffers: list[bytes]
    size: int
    records: int
    done: Future[None] | asyncio.Future[None] | None = None


def _answer(items: list[_Item], failure: Exception | None = None) -> None:
    """Tell those who wait; a loop is woken once for all of its own."""
    of_loops: dict[asyncio.AbstractEventLoop, list[asyncio.Future[None]]] = {}
    for item in items:
        if isinstance(item.done, asyncio.Future):
            of_loops.setdefault(item.done.get_loop(), []).append(item.done)
        elif item.done is not None:
            _settle(item.done, failure)
    for loop, futures in of_loops.items():
        # A loop that was closed has nobody left who waits.
        with contextlib.suppress(RuntimeError):
            loop.call_soon_threadsafe(_settle_waiting, futures, failure)


def _settle_waiting(futures: list[asyncio.Future[None]], failure: Exception | None) -> None:
    for future in futures:
        # A client that went away has cancelled its own.
        if not future.done():
            _settle(future, failure)


def _settle(future: Future[None] | asyncio.Future[None], failure: Exception | None) -> None:
    if failure is None:
        future.set_result(None)
    else:
        future.set_exception(failure)


@dataclass(slots=True)
class _OpenSegment:
    path: Path
    descriptor: int
    deadline: float
    size: int = 0


def _new_writer_folder(root: Path) -> tuple[Path, object]:
    # The lock is taken before the folder has its name, so that no loader ever sees a living writer unlocked.
    name = f"{time.time_ns():x}-{os.getpid()}"
    hidden = root / f".{name}"
    hidden.mkdir(parents=True)
    lock_file = (hidden / LOCK_NAME).open("w+b")
    fcntl.flock(lock_file, fcntl.LOCK_EX)
    hidden.rename(root / name)
    _sync_folder(root)
    for stale in root.glob(".*-*"):
        # A process that died between the two steps above. It never had a segment.
        if time.time() - stale.stat().st_mtime > 60:
            shutil.rmtree(stale, ignore_errors=True)
    return root / name, lock_file


def _writer_folders(root: Path) -> list[Path]:
    try:
        return [path for path in root.iterdir() if path.is_dir() and not path.name.startswith(".")]
    except FileNotFoundError:
        return []


def segment_files(root: Path) -> list[Path]:
    """Every segment of all writers, open or closed, while writers and the loader come and go."""
    found = []
    for folder in _writer_folders(root):
        # The folder of a dead writer goes when it is empty, also in this moment.
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
            found += [Path(entry.path) for entry in entries if entry.name.endswith((OPEN, CLOSED))]
    return found


def _waiting(root: Path) -> tuple[int, int]:
    """Bytes that wait in all writers' segments, and how many segments are closed."""
    size = closed = 0
    for folder in _writer_folders(root):
        with contextlib.suppress(FileNotFoundError), os.scandir(folder) as entries:
            for entry in entries:
                if entry.name.endswith((OPEN, CLOSED)):
                    with contextlib.suppress(FileNotFoundError):
                        size += entry.stat().st_size
                        closed += entry.name.endswith(CLOSED)
    return size, closed


def _sync_folder(folder: Path) -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write_all(descriptor: int, buffers: list[bytes]) -> int:
    total = 0
    for start in range(0, len(buffers), 512):
        views = [memoryview(buffer) for buffer in buffers[start : start + 512] if buffer]
        while views:
            written = os.writev(descriptor, views)
            total += written
            while views and written >= len(views[0]):
                written -= len(views.pop(0))
            if views and written:
                views[0] = views[0][written:]
    return total
