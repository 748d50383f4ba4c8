"""Writes what the program did as events of `index=_internal`: scheduled runs, alerts, searches, notices.

Events are gathered for a moment and appended together, because every append of the store is made durable by itself.
Losing the last second of them in a crash is accepted; losing a search's answer because its log line failed is not, so
`record` never raises: what the store refuses is counted and reported with the next batch.
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from typing import Any

import orjson
import pyarrow as pa

from sightline.clock import Clock

GATHER_S = 0.5
MAX_WAITING = 10_000

Append = Callable[[str, pa.Table], Any]
"""`EmbeddedStore.append_events`: an index and a table with `_time`, `sourcetype`, `_raw` and other columns."""


class InternalLog:
    """A queue of events and the thread that appends them."""

    def __init__(self, append: Append, clock: Clock) -> None:
        self._append = append
        self._clock = clock
        self._waiting: queue.Queue[dict[str, Any] | None] = queue.Queue(MAX_WAITING)
        self._lost = 0
        self._idle = threading.Event()
        self._idle.set()
        self._thread = threading.Thread(target=self._work, name="internal-log", daemon=True)
        self._thread.start()

    def record(self, sourcetype: str, **fields: Any) -> None:
        """One event of `sourcetype`; None values are left out. Returns at once."""
        present = {name: value for name, value in fields.items() if value is not None}
        self._idle.clear()
        try:
            self._waiting.put_nowait({"_time": self._clock(), "sourcetype": sourcetype, "fields": present})
        except queue.Full:
            self._lost += 1

    def flush(self, timeout_s: float = 10.0) -> None:
        """Waits until what was recorded before can be searched."""
        self._idle.wait(timeout_s)

    def close(self) -> None:
        """Appends what waits and ends the thread."""
        self._waiting.put(None)
        self._thread.join(timeout=10.0)

    def _work(self) -> None:
        ended = False
        while not ended:
            batch = [self._waiting.get()]
            threading.Event().wait(GATHER_S if batch[0] is not None else 0)
            while not self._waiting.empty():
                batch.append(self._waiting.get_nowait())
            ended = None in batch
            events = [event for event in batch if event is not None]
            if events:
                self._write(events)
            if self._waiting.empty():
                self._idle.set()

    def _write(self, events: list[dict[str, Any]]) -> None:
        if self._lost:
            lost = {"message": "events of the internal log were lost", "count": self._lost}
            events.append({"_time": self._clock(), "sourcetype": "sightline:log", "fields": lost})
        try:
            self._append("_internal", as_table(events))
            self._lost = 0
        except Exception:  # The store may be full or shutting down: the program goes on, the loss is counted.
            self._lost += len(events)


def as_table(events: list[dict[str, Any]]) -> pa.Table:
    """Events as the store appends them: `_raw` is the JSON text of the fields, and every field is a column too."""
    columns: dict[str, list[Any]] = {
        "_time": [event["_time"] for event in events],
        "host": [""] * len(events),
        "source": ["sightline"] * len(events),
        "sourcetype": [event["sourcetype"] for event in events],
        "_raw": [orjson.dumps(event["fields"]).decode() for event in events],
    }
    for name in dict.fromkeys(name for event in events for name in event["fields"]):
        values = [event["fields"].get(name) for event in events]
        kinds = {type(value) for value in values if value is not None}
        same = len(kinds) == 1 and kinds <= {str, bool, int, float}
        if kinds == {int, float}:
            values = [None if v is None else float(v) for v in values]
        elif not same:
            values = [None if v is None else v if isinstance(v, str) else orjson.dumps(v).decode() for v in values]
        columns[name] = values
    return pa.table(columns)
