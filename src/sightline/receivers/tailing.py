"""Follows files that `inputs.yml` names: finds them, tells what became of them when they are rotated, stores what is added.

Runs in a thread of its own beside the receivers. Enters: globs. Leaves: blocks of lines in the journal as they came, each with
the position behind it; the engine breaks them into events. A line that was written with its end is stored once, whatever is
killed when, unless it is removed before it was read (docs/adr/0038-positions-travel-with-the-data.md); what that means for each
way of rotating is in `_match`. Finding and reading are in one class, because each changes what the other knows of a file.
"""

from __future__ import annotations

import contextlib
import logging
import os
import stat
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from sightline.config import FilesSettings
from sightline.errors import EnvironmentTrouble
from sightline.journal import JournalFull, JournalWriter
from sightline.receivers.access import TokenSource
from sightline.receivers.followed import (
    HEAD_BYTES,
    UNREADABLE,
    ZIPPED,
    Block,
    Changed,
    Content,
    Followed,
    digest,
    open_content,
)
from sightline.receivers.inputs import FilesInput
from sightline.receivers.positions import Positions
from sightline.receivers.rotation import RESTED_S, beside, expanded, first_names, has_rested, is_copy

log = logging.getLogger(__name__)

KIND = "tail"
SOURCE = "file:tail"
POSITIONS = "positions/files.json"
_NOTE_S = 2.0
"""How often positions are noted; until then they are in the journal."""
_ROUND_BYTES = 16 * 1024 * 1024
"""Bytes handed to the journal before any is waited for."""
_SHARE = 0.05
"""Part of the time that may go into looking for files."""
_LOOK_SHARE = 0.2
"""Part of the time that may go into looking at the files that are known."""
_SEARCH_S = 120.0
"""How long a file that went away is looked for under other names beside its old one."""
_GONE_PER_FILE = 4
"""Positions of files that are gone, as a multiple of those that may be followed, at most."""
_MESSAGES = 10_000
"""Different warnings at most."""
_FULL_S = 1.0
"""Pause after the journal had no room."""

Key = tuple[int, int]
Tell = Callable[[str, int], None]
"""Counts a refusal: why, and how many records."""


class Tailer:
    """Follows files until it is closed."""

    def __init__(
        self,
        journal: JournalWriter,
        tokens: TokenSource,
        inputs: tuple[FilesInput, ...],
        settings: FilesSettings,
        data: Path,
        tell: Tell,
    ) -> None:
        self._journal = journal
        self._tokens = tokens
        self._inputs = inputs
        self._settings = settings
        self._tell = tell
        self._positions = Positions(journal.root, data / POSITIONS, KIND)
        self._files: list[Followed] = []
        self._kept: list[dict[str, object]] = []
        """Positions of files of inputs that are not in the file now; they may come back."""
        self._begun: set[str] = set()
        """Inputs that were scanned at least once."""
        self._skipped: dict[Key, tuple[int, int]] = {}
        """Files that are not read, by what they looked like when that was decided."""
        self._told: set[str] = set()
        self._by_path: dict[str, list[Followed]] = {}
        self._unlisted_by_head: dict[str, list[Followed]] = {}
        self._held: dict[str, Followed] = {}
        """Files that were opened, the oldest first."""
        self._listed_count = 0
        self._scan_at = self._note_at = self._full_until = 0.0
        self._is_dirty = False
        self._not_looking_s = 0.0
        """Time of this round that went into other things than looking at files."""
        self._stopping = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self) -> None:
        """Begin. Raises EnvironmentTrouble when the positions of before cannot be read."""
        if not self._inputs and not self._positions.is_known:
            return
        self._read_positions()
        self._thread = threading.Thread(target=self._work, name="files", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop, and note the positions. What is held back is read at the next start."""
        self._stopping.set()
        if self._thread is not None:
            self._thread.join()

    # -- the thread

    def _work(self) -> None:
        while not self._stopping.is_set():
            started, self._not_looking_s = time.monotonic(), 0.0
            try:
                is_busy = self.round(started)
            except Exception:
                # A thread that ends would stop everything that is followed; positions are only moved by what is durable.
                log.exception("following files failed; trying again")
                is_busy = False
            if not is_busy:
                # Very many files are looked at less often.
                looked_s = time.monotonic() - started - self._not_looking_s
                self._stopping.wait(max(self._settings.poll_ms / 1000, looked_s / _LOOK_SHARE))
        self._note()
        for file in self._files:
            file.hold(None)

    def round(self, now: float) -> bool:
        """Look at everything once. Gives whether there is more to do at once."""
        if now >= self._scan_at:
            self._scan(now)
            took_s = time.monotonic() - now
            self._not_looking_s += took_s
            self._scan_at = time.monotonic() + max(self._settings.scan_s, took_s / _SHARE)
        is_busy = False
        if now >= self._full_until:
            is_busy = self._store(self._blocks(now))
        if self._is_dirty and time.monotonic() >= self._note_at:
            before = time.monotonic()
            self._note()
            self._note_at = time.monotonic() + _NOTE_S
            self._not_looking_s += time.monotonic() - before
        return is_busy

    def _read_positions(self) -> None:
        positions, more = self._positions.read()
        self._begun = set(more.get("begun", ()))
        inputs = {one.name: one for one in self._inputs}
        for position in positions.values():
            owner = inputs.get(position["input"])
            if owner is None:
                self._kept.append(position)
            else:
                file = Followed.of_position(position, owner)
                file.gone_since = time.monotonic() if file.at is None else None
                self._files.append(file)
        self._is_dirty = True

    def _note(self) -> None:
        loaded = self._positions.loaded()
        oldest = time.time() - self._settings.forget_s
        here = [f for f in self._files if f.is_listed or f.content is not None]
        gone = [f for f in self._files if not (f.is_listed or f.content is not None) and f.seen_at_s > oldest]
        gone.sort(key=lambda f: f.seen_at_s, reverse=True)
        self._files = here + gone[: _GONE_PER_FILE * self._settings.max_files]
        self._kept = [position for position in self._kept if position["seen_at_s"] > oldest]  # type: ignore[operator]
        try:
            self._positions.write(
                [*(f.position() for f in self._files), *self._kept], {"begun": sorted(self._begun)}, loaded
            )
        except OSError as error:
            # They are in the journal too; what was loaded stays until this succeeds.
            self._say(f"positions of files are not noted: {error}")
        else:
            self._is_dirty = self._positions.has_loaded()

    # -- reading

    def _blocks(self, now: float) -> Iterator[tuple[Followed, Block]]:
        for file in list(self._files):
            try:
                if (block := self._look(file, now)) is not None:
                    yield file, block
            except Changed:
                self._lost_its_text(file)
            except UNREADABLE as error:
                self._say(f"{file.path} cannot be read: {error}")

    def _look(self, file: Followed, now: float) -> Block | None:
        if file.is_settled or not file.is_verified:
            return None
        looks = self._looks_of(file, now)
        if looks is None or not file.grown_to(*looks, now):
            return None
        if file.content is None:
            content, at, _ = open_content(file.path)
            if at != file.at:
                content.close()
                self._scan_at = 0.0
                return None
            file.hold(content)
            self._let_some_go(file)
        return file.next_block(self._settings, now)

    def _looks_of(self, file: Followed, now: float) -> tuple[int, int] | None:
        """Size and time of change of a file, by its name where that still leads to it. None for one that cannot be read."""
        if file.is_listed:
            try:
                found = os.stat(file.path)
            except OSError:
                found = None
            if found is not None and (found.st_dev, found.st_ino) == file.at:
                return found.st_size, found.st_mtime_ns
            # It was renamed, replaced or deleted a moment ago.
            file.is_listed = False
            self._scan_at = 0.0
        if file.content is None:
            return None
        size = file.content.size()
        if file.is_read and size == file.size and now - file.grown_at > self._settings.partial_line_s + RESTED_S:
            # Whoever wrote to it has begun another file by now.
            file.is_settled, file.at, file.gone_since = True, None, now
            file.hold(None)
            return None
        return size, file.content.changed_ns()

    def _let_some_go(self, opened: Followed) -> None:
        """Close what was opened longest ago, of what can be opened again by its name."""
        self._held[opened.id] = opened
        if len(self._held) > self._settings.max_open_files:
            self._held = {id: file for id, file in self._held.items() if file.content is not None}
            for file in list(self._held.values())[: len(self._held) - self._settings.max_open_files]:
                if file.is_listed and file is not opened:
                    file.hold(None)
                    del self._held[file.id]

    def _store(self, blocks: Iterable[tuple[Followed, Block]]) -> bool:
        """Journal blocks, and move the positions of those that are durable. Gives whether there is more."""
        is_busy, size, waiting = False, 0, []
        for file, block in blocks:
            try:
                done = self._journal.submit(KIND, block.body, index=file.input.index, records=block.lines)
            except JournalFull as full:
                self._is_full(str(full))
                break
            waiting.append((file, block, done))
            size += len(block.body)
            if size >= _ROUND_BYTES:
                is_busy = True
                break
        before = time.monotonic()
        for file, block, done in waiting:
            try:
                done.result()
            except (EnvironmentTrouble, OSError) as error:
                self._is_full(str(error))
            else:
                file.stored(block)
                is_busy = is_busy or block.more
                self._is_dirty = True
        self._not_looking_s += time.monotonic() - before
        return is_busy and time.monotonic() >= self._full_until

    def _is_full(self, why: str) -> None:
        """The files are a buffer of their own: nothing is lost while they stay."""
        log.info("files wait: %s", why)
        self._full_until = time.monotonic() + _FULL_S

    def _lost_its_text(self, file: Followed) -> None:
        """A file was emptied or overwritten in place: what it was is perhaps in a copy, what it is begins anew."""
        log.info("%s was cut or overwritten, it is read from its beginning", file.path)
        new = Followed(file.input, file.path, file.at, file.is_zipped, is_verified=True, is_listed=file.is_listed)
        new.hold(file.content)
        file.content = None
        file.at, file.gone_since = None, time.monotonic()
        self._files.append(new)
        self._scan_at = 0.0

    # -- finding

    def _scan(self, now: float) -> None:
        listed = self._listed()
        known: dict[Key, list[Followed]] = {}
        for file in self._files:
            if file.at is not None:
                known.setdefault(file.at, []).append(file)
        new: list[tuple[Key, str, FilesInput]] = []
        for key, (path, owner) in listed.items():
            # One inode has several positions after a restart, where a file was emptied shortly before.
            found = [file for file in known.get(key, ()) if self._is_still(file, path)]
            if found:
                file = max(found, key=lambda f: f.offset)
                file.path, file.is_listed, file.is_settled, file.seen_at_s = path, True, False, time.time()
                for other in found:
                    if other is not file:
                        other.at, other.gone_since = None, now
            else:
                new.append((key, path, owner))
        folders: dict[str, list[tuple[str, int]]] = {}
        for file in self._files:
            if file.at not in listed:
                file.is_listed = False
                if file.at is not None and file.content is None:
                    self._search(file, folders, now)
        self._by_path, self._unlisted_by_head = {}, {}
        for file in self._files:
            self._by_path.setdefault(file.path, []).append(file)
            if not file.is_listed and file.head_length == HEAD_BYTES:
                self._unlisted_by_head.setdefault(file.head, []).append(file)
        self._skipped = {key: looks for key, looks in self._skipped.items() if key in listed}
        self._listed_count = sum(f.is_listed for f in self._files)
        for key, path, owner in new:
            self._take(key, path, owner)
        self._search_copies(folders, now)
        for owner in self._inputs:
            if owner.name not in self._begun:
                self._begun.add(owner.name)
                self._is_dirty, self._note_at = True, 0.0

    def _listed(self) -> dict[Key, tuple[str, FilesInput]]:
        """What the globs lead to."""
        found: dict[Key, tuple[str, FilesInput]] = {}
        for owner in self._inputs:
            if owner.index != "main" and self._tokens.index_datatype(owner.index) != "event":
                self._say(f'files are not read: index "{owner.index}" is not defined, or not for events')
                continue
            for pattern in owner.paths:
                for path in sorted(expanded(pattern)):
                    if owner.excludes(path):
                        continue
                    try:
                        about = os.stat(path)
                    except OSError:
                        continue
                    if stat.S_ISREG(about.st_mode):
                        found.setdefault((about.st_dev, about.st_ino), (path, owner))
        return found

    def _is_still(self, file: Followed, path: str) -> bool:
        """Whether a known inode is the file that it was when it was read."""
        if file.is_verified and (file.is_listed or file.content is not None):
            return True
        # A file of an earlier process; or one that was away, whose inode may be another file's by now.
        try:
            content, _, size = open_content(path)
        except OSError as error:
            self._say(f"{path} cannot be read: {error}")
            return True
        try:
            file.is_verified = size >= file.offset and file.is_in(content) if not file.is_zipped else file.is_in(content)
        except UNREADABLE:
            file.is_verified = False
        content.close()
        if not file.is_verified:
            file.at, file.gone_since = None, time.monotonic()
        return file.is_verified

    def _search(self, file: Followed, folders: dict[str, list[tuple[str, int]]], now: float) -> None:
        """A file is not listed any more and not open: it was renamed to what no glob leads to, or it is gone."""
        for path, inode in _in_folder_of(file.path, folders):
            if file.at is not None and inode == file.at[1] and self._is_still(file, path):
                try:
                    content, at, _ = open_content(path)
                except OSError:
                    continue
                if at == file.at:
                    file.hold(content)
                    file.path = path
                    return
                content.close()
        file.at, file.gone_since = None, now

    def _search_copies(self, folders: dict[str, list[tuple[str, int]]], now: float) -> None:
        """What is left of a file that is gone may be in one of its copies that no glob leads to."""
        gone = [
            f
            for f in self._files
            if f.gone_since is not None and not f.is_settled and f.head_length and now - f.gone_since < _SEARCH_S
        ]
        known = {f.at for f in self._files if f.at is not None}
        for folder in {os.path.dirname(f.path) for f in gone}:
            for path, _ in _in_folder_of(os.path.join(folder, ""), folders):
                kin = [f for f in self._relatives(path) if f in gone]
                if not kin:
                    continue
                try:
                    content, at, _ = open_content(path)
                except OSError:
                    continue
                try:
                    match = at not in known and has_rested(path) and next((f for f in kin if f.is_in(content)), None)
                    if match:
                        self._adopt(match, content, at, path)
                        match.is_listed = False
                        gone.remove(match)
                        continue
                except UNREADABLE:
                    pass
                content.close()

    def _relatives(self, path: str) -> list[Followed]:
        """Files of which this may be a copy, by its name."""
        return [file for name in dict.fromkeys(first_names(path)) for file in self._by_path.get(name, ())]

    def _take(self, key: Key, path: str, owner: FilesInput) -> None:
        """Follow a file that is new here, as what it is."""
        try:
            about = os.stat(path)
            looks = (about.st_size, about.st_mtime_ns)
            if self._skipped.get(key) == looks:
                return
            if path.endswith(ZIPPED) and not has_rested(path):
                return
            content, at, size = open_content(path)
        except OSError as error:
            self._say(f"{path} cannot be read: {error}")
            return
        keeps = False
        try:
            if at != key:
                return
            head = content.read(0, HEAD_BYTES)
            if b"\0" in head:
                self._skipped[key] = looks
                self._say(f"{path} is not read: it is no text")
                return
            keeps = self._match(key, path, owner, content, size)
        except UNREADABLE as error:
            self._skipped[key] = looks
            self._say(f"{path} cannot be read: {error}")
        finally:
            if not keeps:
                content.close()

    def _match(self, key: Key, path: str, owner: FilesInput, content: Content, size: int) -> bool:
        """What a new file is: one that was followed, under another inode; a copy of one that still is; or new. Gives whether
        the content is now held.

        A file that was renamed keeps its inode and never comes here. One that was copied and then emptied (`copytruncate`), or
        packed, comes here as its copy: while the first is there, the copy is left alone; once it was emptied or is gone, what
        it still had to say is read from the copy.
        """
        head = content.read(0, HEAD_BYTES)
        # By their names; and, because a copy may have been renamed again, by what they begin with.
        alike = self._unlisted_by_head.get(digest(head), ()) if len(head) == HEAD_BYTES else ()
        relatives = [f for f in (*self._relatives(path), *alike) if f.at != key]
        for file in relatives:
            if file.at is not None and not self._has_its_text(file):
                # Emptied a moment ago, and the next look would have told.
                self._lost_its_text(file)
        for file in (*relatives, *self._by_path.get(path, ())):
            if file.at is None and file.head_length and file.is_in(content):
                self._adopt(file, content, key, path)
                return True
        for file in relatives:
            if file.at is None:
                continue
            is_alike = self._is_copy_of(file, content, size, path)
            if is_alike and not has_rested(path):
                return False
            end = self._end_of(content, path, size) if is_alike else 0
            # A small one may be alike by chance.
            if end >= HEAD_BYTES:
                if end > file.offset:
                    return False
                # Everything in it was read from the first.
                self._follow(key, path, owner, content, end)
                return True
        if self._listed_count >= self._settings.max_files:
            if self._say(f"{path} is not read: {self._settings.max_files} files are followed already"):
                self._tell(f"more than {self._settings.max_files} files", 1)
            return False
        old = owner.start == "end" and owner.name not in self._begun
        self._follow(key, path, owner, content, self._end_of(content, path, size) if old else 0)
        return True

    def _has_its_text(self, file: Followed) -> bool:
        try:
            with _opened(file) as content:
                return content is None or file.is_zipped or content.size() >= file.offset and file.is_in(content)
        except UNREADABLE:
            return True

    def _is_copy_of(self, file: Followed, content: Content, size: int, path: str) -> bool:
        try:
            with _opened(file) as first:
                return first is not None and is_copy(content, size, first, file, is_zipped=path.endswith(ZIPPED))
        except UNREADABLE:
            return False

    def _follow(self, key: Key, path: str, owner: FilesInput, content: Content, offset: int) -> None:
        file = Followed(owner, path, key, path.endswith(ZIPPED), is_verified=True)
        if offset:
            file.begin_at(content, offset)
            # No frame in the journal says so.
            self._note_at = 0.0
        file.hold(content)
        self._files.append(file)
        self._by_path.setdefault(path, []).append(file)
        self._listed_count += 1
        self._let_some_go(file)
        self._is_dirty = True

    def _adopt(self, file: Followed, content: Content, key: Key, path: str) -> None:
        log.info("%s goes on as %s", file.path, path)
        file.path, file.at, file.is_zipped, file.gone_since = path, key, path.endswith(ZIPPED), None
        file.is_verified, file.is_listed, file.is_settled, file.has_ended = True, True, False, False
        file.seen_at_s = time.time()
        file.hold(content)
        self._is_dirty = True

    def _end_of(self, content: Content, path: str, size: int) -> int:
        if not path.endswith(ZIPPED):
            return size
        end = 0
        while piece := content.read(end, 1 << 20):
            end += len(piece)
        return end

    def _say(self, message: str) -> bool:
        """Warn once, because what is wrong with a file is wrong at every look. Gives whether this was the first time."""
        if message in self._told or len(self._told) >= _MESSAGES:
            return False
        self._told.add(message)
        log.warning("%s", message)
        return True


def _in_folder_of(path: str, folders: dict[str, list[tuple[str, int]]]) -> list[tuple[str, int]]:
    """The files beside one, looked up once in a scan."""
    folder = os.path.dirname(path)
    if folder not in folders:
        folders[folder] = beside(folder)
    return folders[folder]


@contextlib.contextmanager
def _opened(file: Followed) -> Iterator[Content | None]:
    """A file's content, opened for a moment where it is not held; None when its name leads to another. Raises OSError."""
    if file.content is not None:
        yield file.content
        return
    content, at, _ = open_content(file.path)
    try:
        yield content if at == file.at else None
    finally:
        content.close()
