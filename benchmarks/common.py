"""What the benchmarks share: a report with machine and commit, and a catalog that only knows indexes."""

from __future__ import annotations

import json
import os
import platform
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

RESULTS = Path(__file__).parent / "results"


class Knowledge:
    """Indexes and nothing else."""

    def __init__(self, indexes: dict[str, str]) -> None:
        self._indexes = indexes

    def macro(self, name: str, argument_count: int) -> None:
        return None

    def lookup(self, name: str) -> None:
        return None

    def lookups(self) -> list[str]:
        return []

    def macros(self) -> list[str]:
        return []

    def index_datatype(self, name: str) -> str | None:
        return self._indexes.get(name)

    def indexes(self) -> dict[str, str]:
        return self._indexes

    def default_indexes(self, user: str) -> list[str]:
        return [name for name, datatype in self._indexes.items() if datatype == "event"]

    def saved_search(self, name: str) -> None:
        return None


def machine() -> dict[str, Any]:
    """What the numbers were measured on."""
    memory_bytes = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    commit = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], capture_output=True, text=True, check=False
    ).stdout.strip()
    return {
        "cores": os.cpu_count(),
        "memory_gib": round(memory_bytes / 2**30, 1),
        "python": platform.python_version(),
        "system": platform.platform(terse=True),
        "commit": commit,
        "when": datetime.now(UTC).isoformat(timespec="seconds"),
    }


def report(name: str, settings: dict[str, Any], rows: list[dict[str, Any]], *, write: bool) -> None:
    """Print a table, and keep it as JSON where asked."""
    if rows:
        widths = {key: max(len(key), *(len(str(row[key])) for row in rows)) for key in rows[0]}
        print("  ".join(key.ljust(width) for key, width in widths.items()))
        for row in rows:
            print("  ".join(str(row[key]).ljust(width) for key, width in widths.items()))
    if write:
        RESULTS.mkdir(exist_ok=True)
        content = {"benchmark": name, "machine": machine(), "settings": settings, "rows": rows}
        (RESULTS / f"{name}.json").write_text(json.dumps(content, indent=2) + "\n")
