"""The store: the engine, its tables, and the way data gets into them. The only package that imports the engine."""

from sightline.store.embedded import EmbeddedStore, IndexStatus, Progress
from sightline.store.engine_errors import (
    DiskLimitExceeded,
    EngineBusy,
    EngineError,
    MemoryLimitExceeded,
    QueryCancelled,
    TimeLimitExceeded,
)

__all__ = [
    "DiskLimitExceeded",
    "EmbeddedStore",
    "EngineBusy",
    "EngineError",
    "IndexStatus",
    "MemoryLimitExceeded",
    "Progress",
    "QueryCancelled",
    "TimeLimitExceeded",
]
