"""Functions of the engine that are written in Python, for what the engine lacks.

A function is declared with `row_function` where it belongs (also above this package) and can be called in SQL by its name
once a store is open. It gets one row's texts and must give text, a number, a truth value or None; a list travels as JSON
text, because such functions cannot take or give arrays. A NULL argument gives NULL without a call, so that
`if(<cheap test>, x, NULL)` as an argument spares the calls for all other rows: a call costs 0.2 microseconds and what the
function does, all threads of the engine take turns at it, and the engine's own functions cost a hundredth of that.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Any

_declared: dict[str, tuple[Callable[..., Any], tuple[str, ...], str]] = {}
_installed: set[str] = set()
_active = False
_lock = threading.Lock()


def row_function(name: str, arguments: Sequence[str], returns: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Declares a function under its SQL name; argument and result types are the engine's: String, Int64, Float64, Bool."""

    def declare(function: Callable[..., Any]) -> Callable[..., Any]:
        with _lock:
            assert name not in _declared, f"two row functions are named {name}"
            _declared[name] = (function, tuple(arguments), returns)
            if _active:
                _install(name)
        return function

    return declare


def install() -> None:
    """Make every declared function, and those declared later, known to the engine. May be called again."""
    global _active
    with _lock:
        _active = True
        for name in _declared:
            _install(name)


def is_used_in(sql: str) -> bool:
    """Whether a statement may call one of these functions."""
    return any(name in sql for name in _declared)


def _install(name: str) -> None:
    import chdb

    if name not in _installed:
        function, arguments, returns = _declared[name]
        chdb.create_function(name, function, list(arguments), returns)
        _installed.add(name)
