"""Duties that come back every minute: results of searches that nobody reads go, tokens learn when they were used, and indexes
are kept within their limits.

The receivers only read the catalog, so the last use of their tokens is taken from the ledger, where every token's
records are counted.
"""

from __future__ import annotations

import logging
import threading

from sightline.catalog import Catalog
from sightline.search.jobs import JobManager
from sightline.store.embedded import EmbeddedStore
from sightline.watch.retention import Retention

log = logging.getLogger(__name__)

EVERY_S = 60.0


class Upkeep:
    """A thread between `start` and `close`; `once` does one round in the caller's."""

    def __init__(
        self,
        catalog: Catalog,
        store: EmbeddedStore,
        jobs: JobManager,
        retention: Retention | None = None,
        every_s: float = EVERY_S,
    ) -> None:
        self._retention = retention
        self._catalog = catalog
        self._store = store
        self._jobs = jobs
        self._since = 0.0
        self._every_s = every_s
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._work, name="upkeep", daemon=True)

    def start(self) -> None:
        """Begins."""
        self._thread.start()

    def close(self) -> None:
        """Ends the thread."""
        self._stopping.set()
        if self._thread.is_alive():
            self._thread.join(timeout=10.0)

    def once(self) -> None:
        """One round of every duty."""
        self._jobs.forget_expired()
        used = self._store.query(
            "SELECT fields.token.:String AS token, max(toFloat64(_time)) AS used FROM sightline.events"
            " WHERE index = '_internal' AND sourcetype = 'sightline:ledger'"
            f" AND _time > toDateTime64({self._since:.6f}, 6, 'UTC') AND token IS NOT NULL GROUP BY token"
        )
        times = dict(zip(used["token"].to_pylist(), used["used"].to_pylist(), strict=True))
        if times:
            self._catalog.tokens.note_use(times)
            self._since = max(times.values())
        if self._retention:
            self._retention.once()

    def _work(self) -> None:
        while not self._stopping.wait(self._every_s):
            try:
                self.once()
            except Exception:  # Tomorrow's round must not be lost to today's full disk.
                log.exception("upkeep failed; it comes again")
