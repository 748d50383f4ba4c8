"""Brings the engine's tables to the current version: runs the files of `schema/` that were not yet run, in order.

A file is `NNNN_name.sql`: statements that end in `;` at the end of a line, comments with `--`. A statement must be
repeatable (`IF NOT EXISTS`), because a crash between it and the version's row runs it again.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from importlib.resources import files

from sightline.errors import UserError

Execute = Callable[[str], object]
ReadVersions = Callable[[], list[int]]


def statements(text: str) -> list[str]:
    """The statements of a schema file, without comment lines."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("--")]
    return [part.strip() for part in re.split(r";\s*$", "\n".join(lines), flags=re.MULTILINE) if part.strip()]


def schema_files() -> Iterator[tuple[int, str, str]]:
    """(version, name, text) of every schema file, in order of version."""
    folder = files("sightline.store") / "schema"
    for entry in sorted(folder.iterdir(), key=lambda e: e.name):
        found = re.fullmatch(r"(\d{4})_(\w+)\.sql", entry.name)
        if found:
            yield int(found.group(1)), found.group(2), entry.read_text()


def migrate(execute: Execute, read_versions: ReadVersions) -> list[int]:
    """Run what is missing and return the versions that were run.

    Raises UserError when the tables are of a newer version than these files.
    """
    execute("CREATE DATABASE IF NOT EXISTS sightline")
    execute(
        "CREATE TABLE IF NOT EXISTS sightline.schema_versions "
        "(version UInt32, name String, applied DateTime64(3, 'UTC'))"
        " ENGINE = MergeTree ORDER BY version SETTINGS fsync_after_insert = 1"
    )
    done = set(read_versions())
    known = list(schema_files())
    newest = max((version for version, _, _ in known), default=0)
    if done and max(done) > newest:
        raise UserError(
            f"the tables are of version {max(done)}, this program knows up to {newest}",
            "install the newer release that wrote this data directory",
        )
    ran = []
    for version, name, text in known:
        if version in done:
            continue
        for statement in statements(text):
            execute(statement)
        execute(f"INSERT INTO sightline.schema_versions SELECT {version}, '{name}', now64(3)")
        ran.append(version)
    return ran
