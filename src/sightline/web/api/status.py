"""How the server is: version, processes, memory, indexes, and the ledger of what was received."""

from __future__ import annotations

import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from sightline import __version__
from sightline.journal import journal_bytes
from sightline.store.retention import merges
from sightline.web.api.indexes import describe_indexes
from sightline.web.parts import Parts, WithParts

router = APIRouter(tags=["status"])


@router.get("/health")
def health() -> dict[str, Any]:
    """Whether the engine answers. Needs no login."""
    return {"status": "ok", "version": __version__}


@router.get("/status")
def status(parts: WithParts) -> dict[str, Any]:
    """Everything the status page shows."""
    disk = shutil.disk_usage(parts.directory.path)
    return {
        "version": __version__,
        "uptime_s": parts.clock() - parts.started,
        "data": str(parts.directory.path),
        "disk": {"total_bytes": disk.total, "free_bytes": disk.free},
        "memory": {"engine_bytes": parts.store.memory_bytes(), "process_bytes": resident_bytes(os.getpid())},
        "processes": _processes(parts),
        "journal": {
            "waiting_bytes": journal_bytes(parts.directory.path / "journal"),
            "last_error": parts.loader.last_error,
        },
        "quarantine": parts.loader.quarantine.totals(),
        "sourcetypes": {"problem": parts.loader.rules.problem},
        "ledger": [asdict(row) for row in parts.loader.ledger.totals()],
        "indexes": describe_indexes(parts),
        "merges": merges(parts.store),
    }


def resident_bytes(pid: int) -> int | None:
    """Memory a process holds, or None where the system does not say."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _processes(parts: Parts) -> list[dict[str, Any]]:
    found = []
    for path in sorted(parts.directory.run.glob("*.pid")):
        try:
            pid = int(path.read_text())
        except (OSError, ValueError):
            continue
        memory = resident_bytes(pid)
        found.append({"name": path.stem, "pid": pid, "running": memory is not None, "memory_bytes": memory})
    return found
