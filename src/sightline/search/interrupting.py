"""Python work that ends soon after its search was cancelled.

A statement of the engine is killed by the engine. Work in Python has nobody to kill it: it runs in a thread of its own, which
gets an exception at its next step. Where that is within a long call of a library, the search ends without waiting for it; the
thread ends as soon as the call returns.
"""

from __future__ import annotations

import ctypes
import threading
from collections.abc import Callable
from typing import TypeVar

LOOK_S = 0.05
"""How often it is asked whether the search was cancelled."""
GRACE_S = 0.2
"""How long cancelled work has for ending by itself before the search goes on without it."""
AGAIN_S = 0.2
"""After so long work that went on, having taken the exception for one of its own, gets another."""

_Made = TypeVar("_Made")


class Interrupted(BaseException):
    """Raised inside work that nobody waits for any more. No `except Exception` on the way keeps it."""


class _Work(threading.Thread):
    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__(name=f"{threading.current_thread().name} step", daemon=True)
        self._work = work
        self._lock = threading.Lock()
        self.ended = threading.Event()
        self.made: object = None
        self.error: BaseException | None = None

    def run(self) -> None:
        try:
            try:
                self.made = self._work()
            except BaseException as error:
                self.error = error
            with self._lock:
                self.ended.set()
        except Interrupted:
            # It came when the work was done already.
            self.ended.set()

    def interrupt(self) -> None:
        with self._lock:
            if not self.ended.is_set():
                ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(self.ident or 0), ctypes.py_object(Interrupted))

    def interrupt_until_it_ends(self) -> None:
        self.interrupt()
        while not self.ended.wait(AGAIN_S):
            self.interrupt()


def interruptible(work: Callable[[], _Made], cancelled: Callable[[], bool]) -> _Made | None:
    """What the work gives; None as soon as `cancelled` says so. Raises what the work raises.

    The work must leave nothing half done behind when it ends anywhere.
    """
    thread = _Work(work)
    thread.start()
    while not thread.ended.wait(LOOK_S):
        if cancelled():
            threading.Thread(target=thread.interrupt_until_it_ends, name=f"{thread.name} end", daemon=True).start()
            thread.ended.wait(GRACE_S)
            return None
    if thread.error is not None:
        raise thread.error
    return thread.made  # type: ignore[return-value]
