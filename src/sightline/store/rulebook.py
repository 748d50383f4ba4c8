"""Which rules concern a segment: asked once for each, before its statement is written.

Enters: a segment. Leaves: a `Ruling`, or None where no sourcetype in it has a rule that matters, and then nothing is added to its
statement. For protocols whose events name their sourcetypes themselves, the bytes are first looked through for the names of the
rules, which costs a few hundredths of loading them; only where one stands there the sourcetypes are read.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, Protocol

from sightline.config import RuleSettings
from sightline.errors import UserError
from sightline.sourcetypes import read_rules
from sightline.sourcetypes.rules import Rules
from sightline.store import decoding
from sightline.store.engine_errors import EngineError
from sightline.store.ruling import Ruling, pattern_text

RouteProblem = Callable[[str, str], str]
"""Why a token (first) may not write to an index (second); an empty text where it may."""
_NEEDLES = 200
"""Names looked for at once; the engine takes 255."""
_SMALL_BYTES = 256 * 1024
"""Up to this size Python has found the names before the engine has begun."""
_PLAIN = re.compile(r"[A-Za-z0-9_:. -]{3,}")
"""Names that no protocol writes in another way, and that are long enough to be looked for."""


class _Current(Protocol):
    def current(self) -> Rules: ...


class RuleBook:
    """Rules and the engine that asks for them. Threads may share it."""

    def __init__(
        self, rules: _Current, query: Callable[..., Any], route_problem: RouteProblem = lambda _token, _index: ""
    ) -> None:
        self._rules = rules
        self._query = query
        self._route_problem = route_problem

    def ruling(self, kind: str, path: Path, tokens: Iterable[str]) -> Ruling | None:
        """The rules for a segment that these tokens sent. Raises EngineError for one that cannot be read."""
        rules = self._rules.current()
        is_text = decoding.KINDS[kind].counts_lines
        found = {}
        for name in self._sourcetypes(kind, path, rules):
            rule = rules.find(name, is_text=is_text)
            if rule and (is_text or rule.changes_events):
                found[name] = rule
        if not found:
            return None
        targets = {route.index for rule in found.values() for route in rule.routes}
        problems = {
            (token, index): problem
            for token in set(tokens)
            for index in targets
            if (problem := self._route_problem(token, index))
        }
        return Ruling(found, is_text, problems)

    def _sourcetypes(self, kind: str, path: Path, rules: Rules) -> Iterable[str]:
        decoder = decoding.KINDS[kind]
        if decoder.table != "events":
            return ()
        if not decoder.counts_lines and not decoder.names_sourcetypes:
            return (decoder.sourcetype,) if decoder.sourcetype else ()
        if not decoder.counts_lines:
            mattering = [rule.name for rule in rules.all if rule.changes_events and not rule.text_only]
            if not mattering or not self._stands_there(path, mattering, decoder.sourcetype):
                return ()
        sql = decoding.sourcetypes_statement(kind, path)
        return self._query(sql, settings=decoding.settings(kind))["sourcetype"].to_pylist()

    def _stands_there(self, path: Path, names: Sequence[str], usual: str) -> bool:
        """Whether the bytes of a segment may name one of these sourcetypes."""
        needles = [max(name.split("*"), key=len) for name in names]
        if usual in names or not all(_PLAIN.fullmatch(needle) for needle in needles):
            return True
        if path.stat().st_size <= _SMALL_BYTES:
            content = path.read_bytes()
            return any(needle.encode() in content for needle in needles)
        for start in range(0, len(needles), _NEEDLES):
            sql, settings = decoding.search_statement(path, needles[start : start + _NEEDLES])
            if self._query(sql, settings=settings)["found"].to_pylist()[0]:
                return True
        return False


def read_checked(text: str, name: str, settings: RuleSettings, query: Callable[..., Any]) -> Rules:
    """The rules of a file, each of which the engine has run once, on nothing: a segment must not be the first to find out.

    Raises UserError.
    """
    rules = read_rules(text, name, settings, pattern_check(query))
    for rule in rules.all:
        if rule.origin.startswith(name):
            try:
                query(Ruling({rule.name: rule}, True, {}).sample())
            except EngineError as error:
                raise UserError(f'{rule.origin}: the engine cannot run the rule "{rule.name}": {error.message}') from error
    return rules


def pattern_check(query: Callable[..., Any]) -> Callable[[str], str]:
    """What says why the engine's matcher does not take a pattern."""

    def check(pattern: str) -> str:
        try:
            query(f"SELECT match('', {pattern_text(pattern)})")
        except EngineError as error:
            found = re.search(r"error: (.*?)\. Look at", error.message)
            return f"the pattern is not a regular expression of RE2: {found[1] if found else error.message}"
        return ""

    return check
