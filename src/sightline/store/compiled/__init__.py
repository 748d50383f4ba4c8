"""Functions that numba turns into machine code: they take the bytes of a journal segment apart into columns.

The statements of `store/decode` say what every request means, and the engine can run them for all that comes. For the requests
that are most of the traffic these functions do the same at a tenth of the cost (docs/adr/0040-compiled-decoders.md); what is
unusual in any way they leave to the statements. Every access to an array is checked: hostile bytes cannot read past them.

Enters and leaves: numpy arrays only. `store/direct` is the only caller.

Compiling takes about a minute of a processor, once for a version and a kind of processor: the machine code is kept in a folder
that has both in its name (`sightline/machinecode`). `python -m sightline.store.compiled` fills it, which `make install` does, and a
server that finds it empty has it filled beside its other work, while the statements load what comes. Only the process that fills it
has the compiler: in any other the functions are what calls the machine code.
"""

from __future__ import annotations

import functools
import logging
import subprocess
import sys
import threading
from collections.abc import Callable
from typing import Any

from sightline import machinecode
from sightline.machinecode import cache_folder, processor

log = logging.getLogger(__name__)

_DONE = "complete"
BESIDE = "--beside"
"""What tells the program of this package that others work meanwhile."""
KINDS = frozenset({"traces", "logs", "metrics", "hecevent", "prometheus", "prometheus2"})
"""The kinds of segments that are read by compiled functions."""
_compiles: list[bool] = []


def compile_here() -> None:
    """Make this process one that compiles. Before any module with functions is imported: they are made for it or for others."""
    _compiles.append(True)


@functools.cache
def _numba() -> Any:
    import numba

    # What numba does at its usual level takes a sixth longer, and the code is no faster.
    numba.config.OPT = type(numba.config.OPT)(1)
    return numba


_OPTIONS = {"nogil": True, "boundscheck": True, "error_model": "numpy", "_nrt": False}


class NotCompiled(Exception):
    """A function has no machine code for this processor."""


class Compiled:
    """A function that is called from outside: its machine code, loaded at the first call. Threads may share it."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.name = f"{function.__module__.rpartition('.')[2]}.{function.__name__}"
        self._code: Callable[..., Any] | None = None
        self._loading = threading.Lock()

    def __call__(self, *arguments: Any) -> Any:
        """Raises NotCompiled, and what `machinecode.load` says."""
        if self._code is None:
            with self._loading:
                self._code = self._code or self._loaded(arguments)
        return self._code(*arguments)

    def _loaded(self, arguments: tuple[Any, ...]) -> Callable[..., Any]:
        code = machinecode.load(self.name)
        if code is None and _compiles:
            machinecode.write(self.name, self.function, arguments)
            code = machinecode.load(self.name)
        if code is None:
            raise NotCompiled(self.name)
        return code


compiled = Compiled
"""What decorates the functions that are called from outside."""


def inner(function):
    """What decorates those that are compiled on their own and called by others."""
    return _numba().njit(**_OPTIONS)(function) if _compiles else function


def inlined(function):
    """What decorates those that become part of each function that uses them: a call passes every array, and costs more than they."""
    return _numba().njit(**_OPTIONS, forceinline=True)(function) if _compiles else function


def intrinsic(function):
    """What decorates those that write instructions themselves."""
    if not _compiles:
        return function
    from numba.extending import intrinsic

    return intrinsic(function)


def is_ready() -> bool:
    """Whether the machine code for this processor is there; where it is not, it is on its way when this returns."""
    if not _ready:
        if not (cache_folder() / f"{processor()}.{_DONE}").exists():
            _compile_beside()
            return False
        _ready.append(True)
    return True


def mark_complete() -> None:
    """Say that everything was compiled for this processor."""
    (cache_folder() / f"{processor()}.{_DONE}").touch()


def _compile_beside() -> None:
    """Compile everything in a process of its own, so that nothing waits; once for this process."""
    with _starting:
        if _started:
            return
        _started.append(threading.Thread(target=_run, name="compiling", daemon=True))
        _started[0].start()


_starting = threading.Lock()
_started: list[threading.Thread] = []
_ready: list[bool] = []


def _run() -> None:
    command = [sys.executable, "-m", "sightline.store.compiled", BESIDE]
    done = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False)
    if done.returncode:
        log.warning("decoders were not compiled, the engine's statements go on: %s", done.stderr.strip()[-500:])
