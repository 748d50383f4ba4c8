"""Functions of the engine that are written in Python, for what the engine lacks.

A function is declared with `row_function` where it belongs (also above this package) and can be called in SQL by its name
once a store is open. It gets one row's texts and must give text, a number, a truth value or None; a list travels as JSON
text, because such functions cannot take or give arrays. A NULL argument gives NULL without a call, so that
`if(<cheap test>, x, NULL)` as an argument spares the calls for all other rows: a call costs 5 to 15 microseconds, and the
engine's own functions a hundredth of that.

Here are regular expressions with lookaround, back-references and possessive or atomic groups, which the engine's linear
automaton does not have. A pattern that takes longer than `REGEX_TIMEOUT_S` on one text stops the search.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any

import regex

REGEX_TIMEOUT_S = 2.0
"""How long one regular expression may work on one text, so that a catastrophic one does not hold the engine."""

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


def _install(name: str) -> None:
    import chdb

    if name not in _installed:
        function, arguments, returns = _declared[name]
        chdb.create_function(name, function, list(arguments), returns)
        _installed.add(name)


# ---- regular expressions ---------------------------------------------------------------------------------------------


@lru_cache(maxsize=500)
def _compiled(pattern: str) -> regex.Pattern[str]:
    try:
        return regex.compile(pattern)
    except regex.error as error:
        raise ValueError(f'"{pattern}" is not a regular expression: {error}') from None


def _too_slow(pattern: str) -> ValueError:
    return ValueError(f'the regular expression "{pattern}" took longer than {REGEX_TIMEOUT_S:g} s on one value')


@row_function("pcre_match", ("String", "String"), "Bool")
def pcre_match(text: str, pattern: str) -> bool:
    """Whether the pattern matches anywhere in the text."""
    try:
        return _compiled(pattern).search(text, timeout=REGEX_TIMEOUT_S) is not None
    except TimeoutError:
        raise _too_slow(pattern) from None


_GROUP = regex.compile(r"\\(\d|\\)")


@row_function("pcre_replace", ("String", "String", "String", "Int64"), "String")
def pcre_replace(text: str, pattern: str, replacement: str, count: int) -> str:
    """The text with `count` matches replaced, all for 0; `\\1` in the replacement is what the first group matched."""

    def expanded(match: regex.Match[str]) -> str:
        return _GROUP.sub(lambda g: "\\" if g[1] == "\\" else match.group(int(g[1])) or "", replacement)

    try:
        return _compiled(pattern).sub(expanded, text, count=count, timeout=REGEX_TIMEOUT_S)
    except TimeoutError:
        raise _too_slow(pattern) from None


@row_function("pcre_groups", ("String", "String", "Int64"), "String")
def pcre_groups(text: str, pattern: str, limit: int) -> str:
    """The groups of up to `limit` matches, all for 0, as a JSON array of arrays of text; "" for a group left out."""
    found: list[list[str]] = []
    try:
        for match in _compiled(pattern).finditer(text, timeout=REGEX_TIMEOUT_S):
            found.append([group or "" for group in match.groups()])
            if limit and len(found) >= limit:
                break
    except TimeoutError:
        raise _too_slow(pattern) from None
    return json.dumps(found, ensure_ascii=False)
