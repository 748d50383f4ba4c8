"""Takes what is too old or too much out of an index, oldest first, and merges on demand.

Enters: an index and its limits. Leaves: what was removed, and why. It knows only `index` and `_time` of the tables.

Whole partitions (months) are dropped, which costs nothing. Within the month on the edge rows are deleted by a mutation that
rewrites the parts they are in, and that only when it is worth it: a part of the age, or of the size, is let through before.
A lightweight delete would not do: it frees no disk until a merge comes by, and took 7.2 s where the mutation took 4.1 s
(300,000 of 800,000 events, one part). A mutation that a crash cuts short goes on when the engine opens again.
"""

from __future__ import annotations

from dataclasses import dataclass

from sightline.store.embedded import TABLES, EmbeddedStore
from sightline.store.sql_text import quote

SLACK = 0.1
"""Part of a limit by which it is undercut when rows must be deleted, so that this happens once for a tenth of the data."""
MAX_SLACK_S = 86_400.0
"""Nothing stays longer over its age than a day."""


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of one index; 0 is none."""

    max_age_s: float = 0.0
    max_bytes: int = 0


@dataclass(frozen=True, slots=True)
class Removed:
    """Rows that went. `before` is the time that all of them lie before."""

    table: str
    reason: str
    rows: int
    before: float


@dataclass(frozen=True, slots=True)
class _Partition:
    table: str
    id: str
    rows: int
    bytes: int
    earliest: float
    latest: float


def enforce(store: EmbeddedStore, index: str, limits: Limits, now: float) -> list[Removed]:
    """Bring an index within its limits. Searches and loading go on meanwhile. Raises EngineError."""
    removed: list[Removed] = []
    if limits.max_age_s:
        cutoff = now - limits.max_age_s
        slack_s = min(limits.max_age_s * SLACK, MAX_SLACK_S)
        for one in _partitions(store, index):
            if one.latest < cutoff:
                _drop(store, one)
                removed.append(Removed(one.table, "age", one.rows, one.latest))
            elif one.earliest < cutoff - slack_s:
                rows = _delete(store, index, one, cutoff)
                removed += [Removed(one.table, "age", rows, cutoff)] if rows else []
    if limits.max_bytes:
        present = sorted(_partitions(store, index), key=lambda one: one.latest)
        total = sum(one.bytes for one in present)
        goal = limits.max_bytes * (1 - SLACK)
        if total > limits.max_bytes:
            for one in present:
                if total - one.bytes >= goal:
                    _drop(store, one)
                    removed.append(Removed(one.table, "size", one.rows, one.latest))
                    total -= one.bytes
                    continue
                before = _time_of(store, index, one, (total - goal) / one.bytes)
                rows = _delete(store, index, one, before)
                removed += [Removed(one.table, "size", rows, before)] if rows else []
                break
    return removed


def merges(store: EmbeddedStore) -> list[dict[str, object]]:
    """What the engine merges or rewrites at this moment."""
    return store.query(
        "SELECT table, partition_id, is_mutation, num_parts AS parts, round(progress, 3) AS progress, round(elapsed, 1) AS"
        " elapsed_s, total_size_bytes_compressed AS size_bytes, memory_usage AS memory_bytes FROM system.merges"
        " WHERE database = 'sightline'"
    ).to_pylist()


def optimize(store: EmbeddedStore, index: str, max_bytes: int) -> dict[str, int]:
    """Merge each partition of an index into one part where it has several and is no larger than this: what is larger would
    keep a processor and the disk busy for long. Returns the parts before and after, and the partitions that were too large."""
    before = after = too_large = 0
    for one in _partitions(store, index):
        parts = _part_count(store, one)
        before += parts
        if parts > 1 and one.bytes > max_bytes:
            too_large += 1
        elif parts > 1:
            store.execute(f"OPTIMIZE TABLE sightline.{one.table} PARTITION ID {quote(one.id)} FINAL")
            parts = _part_count(store, one)
        after += parts
    return {"parts_before": before, "parts_after": after, "too_large": too_large}


def _part_count(store: EmbeddedStore, one: _Partition) -> int:
    return store.query(
        f"SELECT count() AS n FROM system.parts WHERE database = 'sightline' AND table = {quote(one.table)}"
        f" AND partition_id = {quote(one.id)} AND active"
    )["n"].to_pylist()[0]


def _partitions(store: EmbeddedStore, index: str) -> list[_Partition]:
    found = []
    for table in TABLES.values():
        sizes = {
            row["id"]: row["size"]
            for row in store.query(
                "SELECT partition_id AS id, sum(bytes_on_disk) AS size FROM system.parts"
                f" WHERE database = 'sightline' AND table = {quote(table)} AND active GROUP BY id"
            ).to_pylist()
        }
        rows = store.query(
            "SELECT _partition_id AS id, count() AS n, toFloat64(min(_time)) AS earliest, toFloat64(max(_time)) AS latest"
            f" FROM sightline.{table} WHERE index = {quote(index)} GROUP BY id"
        ).to_pylist()
        found += [
            _Partition(table, row["id"], row["n"], sizes.get(row["id"], 0), row["earliest"], row["latest"]) for row in rows
        ]
    return found


def _time_of(store: EmbeddedStore, index: str, one: _Partition, share: float) -> float:
    """The time before which this share of a partition's rows lies."""
    return store.query(
        f"SELECT quantile({min(share, 1.0):.6f})(toFloat64(_time)) AS t FROM sightline.{one.table}"
        f" WHERE index = {quote(index)} AND _partition_id = {quote(one.id)}"
    )["t"].to_pylist()[0]


def _drop(store: EmbeddedStore, one: _Partition) -> None:
    store.execute(f"ALTER TABLE sightline.{one.table} DROP PARTITION ID {quote(one.id)}")


def _delete(store: EmbeddedStore, index: str, one: _Partition, before: float) -> int:
    older = f"index = {quote(index)} AND _time < fromUnixTimestamp64Micro({int(before * 1e6)}, 'UTC')"
    rows = store.query(f"SELECT count() AS n FROM sightline.{one.table} WHERE {older} AND _partition_id = {quote(one.id)}")[
        "n"
    ].to_pylist()[0]
    if rows:
        store.execute(
            f"ALTER TABLE sightline.{one.table} DELETE IN PARTITION ID {quote(one.id)} WHERE {older}",
            settings={"mutations_sync": 2},
        )
    return rows
