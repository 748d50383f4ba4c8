"""Names and copies of files: what a glob leads to, what lies beside a file, which names rotation gives, and what is a copy."""

from __future__ import annotations

import glob
import os
import time
from collections.abc import Iterator

from sightline.receivers.followed import HEAD_BYTES, TAIL_BYTES, Content, Followed

RESTED_S = 3.0
"""A copy, or a packed file, that did not change for so long is complete."""


def expanded(pattern: str) -> Iterator[str]:
    """The files that a glob leads to; a folder stands for all in it."""
    for path in glob.iglob(pattern, recursive=True):
        if os.path.isdir(path):
            for folder, folders, names in os.walk(path):
                folders[:] = [name for name in folders if not name.startswith(".")]
                yield from (os.path.join(folder, name) for name in names if not name.startswith("."))
        else:
            yield path


def beside(folder: str) -> list[tuple[str, int]]:
    """All files in a folder, with their inodes."""
    try:
        with os.scandir(folder) as entries:
            return [(entry.path, entry.inode()) for entry in entries if entry.is_file()]
    except OSError:
        return []


def first_names(path: str) -> Iterator[str]:
    """What the file may be called of which this is a copy by its name: `app.log` for `app.log.1`, `app.log-20260131.gz` and
    `app-20260131.log`."""
    folder, name = os.path.split(path)
    ending = os.path.splitext(name)[1]
    for place, letter in enumerate(name):
        if place and not letter.isalnum():
            yield os.path.join(folder, name[:place])
            if letter in "-_.":
                yield os.path.join(folder, name[:place] + ending)


def has_rested(path: str) -> bool:
    """Whether a file did not change for a while. Raises OSError."""
    return time.time() - os.stat(path).st_mtime > RESTED_S


def is_copy(content: Content, size: int, first: Content, file: Followed, *, is_zipped: bool) -> bool:
    """Whether a content is, or is about to be, a copy of a file that is still there.

    It begins as that, is no longer than that, and is the same at its end.
    """
    head = content.read(0, HEAD_BYTES)
    if not head or first.read(0, len(head)) != head:
        return False
    if is_zipped:
        return file.is_in(content)
    start = max(0, size - TAIL_BYTES)
    return size <= first.size() and content.read(start, size - start) == first.read(start, size - start)
