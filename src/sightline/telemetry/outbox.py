"""Records that wait to be sent as they are: spans, events, log messages. What nobody answers to waits for the next try.

Enters: records as OTLP's JSON has them. Leaves: requests of a bounded number of records each.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from sightline.telemetry.export import Answer, Exporter, any_value, attributes_of

RECORDS_LIMIT = 50_000
"""Records that wait at most while nobody answers; what waited longest goes first."""
BATCH = 500
"""Records of one request."""
SCOPE = {"name": "sightline.telemetry"}


class Outbox:
    """What waits of one kind. Threads may add while one sends."""

    def __init__(self, signal: str, request: Callable[[Any, list[Any]], dict[str, Any]]) -> None:
        self._signal = signal
        self._request = request
        self._lock = threading.RLock()
        self._waiting: list[Any] = []

    def __len__(self) -> int:
        return len(self._waiting)

    def add(self, record: Any) -> None:
        """Take a record."""
        with self._lock:
            self._waiting.append(record)

    def sum(self, of: Callable[[Any], int]) -> int:
        """A sum over what waits."""
        with self._lock:
            return sum(map(of, self._waiting))

    def send(self, exporter: Exporter, deadline: float) -> tuple[bool, int]:
        """Send what waits. Gives whether all of it was taken, and how many records are lost for good."""
        with self._lock:
            records, self._waiting = self._waiting, []
        taken, lost, left = True, 0, []
        for start in range(0, len(records), BATCH):
            part = records[start : start + BATCH]
            answer = exporter.send(self._signal, self._request(exporter.resource, part), deadline)
            taken = taken and answer is Answer.TAKEN
            if answer is Answer.REFUSED:
                lost += len(part)
            elif answer is Answer.AWAY:
                left = records[start:]
                break
        with self._lock:
            self._waiting = left + self._waiting
            excess = max(0, len(self._waiting) - RECORDS_LIMIT)
            del self._waiting[:excess]
        return taken, lost + excess


def spans_request(resource: Any, spans: list[Any]) -> dict[str, Any]:
    """Spans as a request of OTLP."""
    return {"resourceSpans": [{"resource": resource, "scopeSpans": [{"scope": SCOPE, "spans": spans}]}]}


def events_request(resource: Any, events: list[Any]) -> dict[str, Any]:
    """Events as a request of OTLP."""
    return {"resourceLogs": [{"resource": resource, "scopeLogs": [{"scope": SCOPE, "logRecords": events}]}]}


def logs_request(resource: Any, logs: list[tuple[int, str, dict[str, Any]]]) -> dict[str, Any]:
    """Log messages (size, logger, record) as a request of OTLP. A logger is a scope, as OpenTelemetry's own handler has it."""
    scopes: dict[str, list[Any]] = {}
    for _, logger, record in logs:
        scopes.setdefault(logger, []).append(record)
    scope_logs = [{"scope": {"name": name}, "logRecords": records} for name, records in scopes.items()]
    return {"resourceLogs": [{"resource": resource, "scopeLogs": scope_logs}]}


def event(name: str, now_ns: int, attributes: dict[str, Any], body: dict[str, Any]) -> dict[str, Any]:
    """An event as OTLP's JSON has it."""
    return {
        "timeUnixNano": str(now_ns),
        "observedTimeUnixNano": str(now_ns),
        "severityNumber": 9,
        "severityText": "INFO",
        "eventName": name,
        "body": any_value({k: v for k, v in body.items() if v is not None}),
        "attributes": attributes_of(attributes),
    }


def outcome(now_ns: int, model: Any, id: Any, label: Any) -> dict[str, Any]:
    """What was true of a prediction, as an event."""
    attributes = {} if model is None else {"ml.model.name": str(model)}
    return event("ml.outcome", now_ns, attributes, {"id": str(id), "label": label})
