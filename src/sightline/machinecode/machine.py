"""A compiled function in a process that has no compiler: loaded by the first who wants it, in a thread beside them."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

from sightline import machinecode

log = logging.getLogger(__name__)

_LOOK_AGAIN_S = 30.0
"""How often machine code is looked for that was not there."""


class Machine:
    """One function. Threads may share it."""

    def __init__(self, name: str) -> None:
        self._name = name
        self._code: Callable[..., int] | None = None
        self._lock = threading.Lock()
        self._again_at = 0.0

    def wanted(self) -> Callable[..., int] | None:
        """The function. Where it is not loaded, None, and it is on its way, unless that was tried a moment ago."""
        if self._code is None:
            with self._lock:
                if time.monotonic() >= self._again_at:
                    self._again_at = time.monotonic() + _LOOK_AGAIN_S
                    threading.Thread(target=self.load, name="machine code", daemon=True).start()
            return None
        return self._code

    def load(self) -> None:
        """Load now, where the machine code is there."""
        try:
            self._code = machinecode.load(self._name)
        except Exception as error:
            log.warning("requests are read without compiled code: %s", error)
