"""Sightline: logs, metrics and traces of machine-learning systems in one store, searched in SPL.

Programs that tell about their models use `sightline.track_prediction` and its siblings; they are `sightline.telemetry`,
which is loaded when one of them is first named, so that importing this package costs nothing.
"""

from typing import Any

__version__ = "0.1.0"

_TELEMETRY = (
    "LogHandler",
    "current_traceparent",
    "flush",
    "init",
    "shutdown",
    "stage",
    "structlog_processor",
    "traced",
    "track_outcome",
    "track_prediction",
)


def __getattr__(name: str) -> Any:
    if name in _TELEMETRY:
        from sightline import telemetry

        # Kept, so that the next use is a plain look-up.
        globals()[name] = found = getattr(telemetry, name)
        return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    return sorted([*globals(), *_TELEMETRY])
