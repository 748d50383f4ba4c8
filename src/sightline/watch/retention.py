"""Applies the limits of every index on schedule, finishes the deletion of indexes, and tells what it did.

Everything is told as events of `index=_internal`, sourcetype `sightline:retention`; the sizes of indexes, where they have
changed, as `sightline:storage`.

A clock that jumps ahead would make everything too old at once. So a jump, which is seen against the clock that only counts,
holds retention by age back for a while, in which a clock that was set wrongly is mostly set right again.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from sightline.catalog import Catalog
from sightline.catalog.models import IndexDefinition
from sightline.clock import Clock
from sightline.config import RetentionSettings
from sightline.store.embedded import EmbeddedStore
from sightline.store.retention import Limits, enforce

SOURCETYPE = "sightline:retention"
STORAGE = "sightline:storage"


class Retention:
    """`once` does one round in the caller's thread; rounds come one after the other."""

    def __init__(
        self,
        catalog: Catalog,
        store: EmbeddedStore,
        settings: RetentionSettings,
        clock: Clock,
        record: Callable[..., None],
        counter: Callable[[], float] = time.monotonic,
    ) -> None:
        """`counter` is a clock that only counts and never jumps."""
        self._catalog = catalog
        self._store = store
        self._settings = settings
        self._clock = clock
        self._counter = counter
        self._record = record
        self._seen = (clock(), counter())
        self._held_until = counter()
        self._sizes: dict[str, int] = {}
        self.ran_at: float | None = None
        """When every index was looked at last."""

    def limits(self, index: IndexDefinition) -> Limits:
        """An index's own limits, and the usual ones where it has none."""
        usual_s = self._settings.internal_max_age_s if index.name == "_internal" else self._settings.max_age_s
        return Limits(index.max_age_s or usual_s, index.max_bytes or self._settings.max_bytes)

    def once(self) -> None:
        """One round over every index. An index whose turn fails is told of, and does not keep the others waiting."""
        by_age = self._clock_is_calm()
        for index in self._catalog.indexes.all():
            try:
                if index.deleting:
                    self._delete(index.name)
                else:
                    self._enforce(index, by_age)
            except Exception as error:
                self._record(SOURCETYPE, action="failed", target_index=index.name, error=str(error))
        self.ran_at = self._clock()
        for status in self._store.indexes():
            if self._sizes.get(status.name) != status.rows:
                self._sizes[status.name] = status.rows
                if status.name != "_internal":
                    self._record(STORAGE, target_index=status.name, rows=status.rows, size_bytes=status.bytes_on_disk)

    def _enforce(self, index: IndexDefinition, by_age: bool) -> None:
        limits = self.limits(index)
        now = self._clock()
        for one in enforce(self._store, index.name, limits if by_age else Limits(max_bytes=limits.max_bytes), now):
            self._record(
                SOURCETYPE,
                action="removed",
                target_index=index.name,
                reason=one.reason,
                rows=one.rows,
                before=one.before,
                max_age_s=limits.max_age_s or None,
                max_bytes=limits.max_bytes or None,
            )

    def _delete(self, name: str) -> None:
        """What was acknowledged before the deletion may still come out of the journal: the definition goes in the first round
        that finds nothing."""
        rows = sum(status.rows for status in self._store.indexes() if status.name == name)
        if rows:
            self._store.delete_index(name)
            self._record(SOURCETYPE, action="deleted", target_index=name, rows=rows)
        else:
            self._catalog.indexes.forget(name)

    def _clock_is_calm(self) -> bool:
        now, counted = self._clock(), self._counter()
        jumped_s = (now - self._seen[0]) - (counted - self._seen[1])
        self._seen = (now, counted)
        if abs(jumped_s) > self._settings.clock_jump_s:
            self._held_until = counted + self._settings.clock_wait_s
            self._record(
                SOURCETYPE, action="waits", reason="the clock jumped", jumped_s=jumped_s, wait_s=self._settings.clock_wait_s
            )
        return counted >= self._held_until
