"""How the server is: version, processes, memory, indexes, and the ledger of what was received."""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import asdict
from pathlib import Path
from typing import Any

from fastapi import APIRouter

from sightline import __version__
from sightline.journal import journal_bytes
from sightline.sourcetypes import builtin_rules
from sightline.store.retention import merges
from sightline.watch.retention import SOURCETYPE as RETENTION
from sightline.web.api.indexes import describe_indexes
from sightline.web.parts import Parts, WithParts

router = APIRouter(tags=["status"])

_MOST = 50
"""Reasons, and requests in the quarantine, that the page shows."""


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
        "quarantine": parts.loader.quarantine.totals() | {"newest": _set_aside(parts)},
        "sourcetypes": _rules(parts),
        "ledger": [asdict(row) for row in parts.loader.ledger.totals()],
        "reasons": [asdict(row) for row in parts.loader.ledger.reasons(_MOST)],
        "indexes": describe_indexes(parts),
        "retention": _retention(parts),
        "backup": _last_backup(parts),
        "merges": merges(parts.store),
    }


def _set_aside(parts: Parts) -> list[dict[str, Any]]:
    newest = sorted(parts.loader.quarantine.list(), key=lambda one: -one.received_ms)
    return [asdict(one) for one in newest[:_MOST]]


def _rules(parts: Parts) -> dict[str, Any]:
    """Which rules of sourcetypes are in force: the file's, those of before, or those that come with the program alone."""
    rules = parts.loader.rules
    current = rules.current().all
    own = len(current) - len(builtin_rules())
    state = "refused" if rules.problem else "loaded" if own else "none"
    return {"state": state, "problem": rules.problem, "own": own, "builtin": len(builtin_rules())}


def _retention(parts: Parts) -> dict[str, Any]:
    """What holds for each index, and what went last."""
    removed = parts.store.query(
        "SELECT fields.target_index.:String AS name, max(toFloat64(_time)) AS time, argMax(fields.rows.:Int64, _time) AS rows,"
        " argMax(fields.reason.:String, _time) AS reason FROM sightline.events"
        f" WHERE index = '_internal' AND sourcetype = '{RETENTION}' AND fields.action.:String = 'removed' GROUP BY name"
    ).to_pylist()
    last = {row.pop("name"): row for row in removed}
    limits = {index.name: parts.retention.limits(index) for index in parts.catalog.indexes.all()}
    return {
        "ran_at": parts.retention.ran_at,
        "interval_s": parts.settings.retention.interval_s,
        "indexes": [
            {"name": name, "max_age_s": each.max_age_s, "max_bytes": each.max_bytes, "removed": last.get(name)}
            for name, each in sorted(limits.items())
        ],
    }


def _last_backup(parts: Parts) -> dict[str, Any] | None:
    """The newest backup that was asked for while this server's data were these, whether it was made or failed."""
    found = parts.store.query(
        "SELECT toFloat64(_time) AS time, _raw FROM sightline.events WHERE index = '_internal'"
        " AND sourcetype = 'sightline:audit' AND fields.action.:String = 'backup' ORDER BY _time DESC LIMIT 1"
    ).to_pylist()
    return {"time": found[0]["time"], **json.loads(found[0]["_raw"])} if found else None


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
