"""A catalog for trying something out: a copy of a data directory's, or an empty one, removed at the end."""

from __future__ import annotations

import shutil
import sqlite3
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def scratch_folder(data: Path | None) -> Iterator[Path]:
    """A folder with a copy of the catalog's file and links to its tables; what is written there changes nothing in `data`."""
    folder = Path(tempfile.mkdtemp(prefix="sightline-scratch-"))
    try:
        if data is not None and (data / "catalog.db").is_file():
            _copy(data, folder)
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _copy(data: Path, folder: Path) -> None:
    source = sqlite3.connect(f"file:{data / 'catalog.db'}?mode=ro", uri=True)
    target = sqlite3.connect(folder / "catalog.db")
    try:
        # The copy is whole also while a server writes to the file.
        source.backup(target)
    finally:
        source.close()
        target.close()
    for name in ("lookups", "collections"):
        if (data / name).is_dir():
            (folder / name).mkdir()
            for entry in (data / name).iterdir():
                if entry.is_file():
                    # A table is replaced and never written in place, so that a link is as good as a copy.
                    (folder / name / entry.name).symlink_to(entry.resolve())
