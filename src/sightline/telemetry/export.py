"""OTLP over HTTP in JSON with the standard library: where to, as what, and what to do when it does not work.

Retries only where OTLP says that the same request may succeed later (429, 502, 503, 504), and honours Retry-After.
"""

from __future__ import annotations

import gzip
import json
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum, auto
from typing import Any
from urllib.parse import unquote

DEFAULT_ENDPOINT = "http://127.0.0.1:4318"
TIMEOUT_S = 5.0
"""Longest wait for one answer; a thread of its own waits."""
ATTEMPTS = 3
"""Tries of one request; what then is not taken is counted as dropped."""
LONGEST_PAUSE_S = 10.0
"""Longest pause that a server may ask for between two tries."""
DEEPEST = 32
"""Levels of nested values; what lies deeper is sent as its text, because a reader of OTLP refuses a hundred."""
_LATER = frozenset((429, 502, 503, 504))


class Answer(Enum):
    """What became of a request."""

    TAKEN = auto()
    REFUSED = auto()
    AWAY = auto()
    """Nobody answered, or asked to come later: the same request may succeed another time."""


@dataclass
class Exporter:
    """Sends requests for one resource. Environment variables `OTEL_*` fill in what is not given."""

    service: str = ""
    endpoint: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    environment: str = ""
    attributes: dict[str, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        given = _pairs(os.environ.get("OTEL_RESOURCE_ATTRIBUTES", ""))
        self.service = (
            self.service or os.environ.get("OTEL_SERVICE_NAME", "") or given.get("service.name", "unknown_service")
        )
        self.endpoint = (self.endpoint or os.environ.get("OTEL_EXPORTER_OTLP_ENDPOINT", "") or DEFAULT_ENDPOINT).rstrip("/")
        self.headers = _pairs(os.environ.get("OTEL_EXPORTER_OTLP_HEADERS", "")) | self.headers
        resource = given | {"service.name": self.service, "host.name": socket.gethostname()} | self.attributes
        if self.environment:
            resource["deployment.environment.name"] = self.environment
        resource["telemetry.sdk.name"], resource["telemetry.sdk.language"] = "sightline", "python"
        self.resource = {"attributes": attributes_of(resource)}

    def send(self, signal: str, body: dict[str, Any], deadline: float) -> Answer:
        """Send one request (`traces`, `metrics`, `logs`) before a moment of the monotonic clock. Never raises."""
        text = json.dumps(body, separators=(",", ":"), default=str, ensure_ascii=False)
        # Half a surrogate pair is no text, and would have the whole request refused.
        data = gzip.compress(text.encode("utf-8", "replace"), 1)
        headers = {"Content-Type": "application/json", "Content-Encoding": "gzip", **self.headers}
        pause_s = 0.5
        for attempt in range(ATTEMPTS):
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return Answer.AWAY
            request = urllib.request.Request(f"{self.endpoint}/v1/{signal}", data, headers)
            try:
                with urllib.request.urlopen(request, timeout=min(TIMEOUT_S, remaining)) as answer:
                    return Answer.TAKEN if 200 <= answer.status < 300 else Answer.REFUSED
            except urllib.error.HTTPError as error:
                if error.code not in _LATER:
                    return Answer.REFUSED
                asked = error.headers.get("Retry-After", "")
                pause_s = min(float(asked), LONGEST_PAUSE_S) if asked.isdigit() else pause_s
            except (OSError, ValueError):
                pass
            if attempt + 1 < ATTEMPTS:
                time.sleep(max(0.0, min(pause_s, deadline - time.monotonic())))
                pause_s *= 2
        return Answer.AWAY


def attributes_of(values: Mapping[Any, Any], depth: int = 0) -> list[dict[str, Any]]:
    """Attributes as OTLP's JSON has them; what is None is left out."""
    return [{"key": str(key), "value": any_value(value, depth)} for key, value in values.items() if value is not None]


def any_value(value: Any, depth: int = 0) -> dict[str, Any]:
    """A value as OTLP's JSON has it. Numbers of numpy count as numbers, what is neither text nor number by its text."""
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)} if -(1 << 63) <= value < 1 << 63 else {"stringValue": str(value)}
    if isinstance(value, float):
        return {"doubleValue": value if value - value == 0 else str(value)}
    if isinstance(value, str):
        return {"stringValue": value}
    if isinstance(value, Mapping | list | tuple) and depth < DEEPEST:
        if isinstance(value, Mapping):
            return {"kvlistValue": {"values": attributes_of(value, depth + 1)}}
        return {"arrayValue": {"values": [any_value(item, depth + 1) for item in value]}}
    item = getattr(value, "item", None)
    if callable(item):
        try:
            return any_value(item())
        except (TypeError, ValueError):
            pass
    return {"stringValue": str(value)}


def _pairs(text: str) -> dict[str, str]:
    """`key=value,key=value` of an environment variable, with percent escapes."""
    pairs = (part.partition("=") for part in text.split(",") if "=" in part)
    return {key.strip(): unquote(value.strip()) for key, _, value in pairs}
