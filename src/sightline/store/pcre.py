"""PCRE for texts one by one: compiled patterns, matching within limits, and PCRE's own words where a pattern is wrong.

Patterns are those of PCRE with `\\d`, `\\w`, `\\s` and `\\b` of ASCII, as Splunk has them; texts are UTF-8. The work goes through
the inner functions of the `pcre2` package: its classes make five Python calls for each match, which is most of the time.

A pattern may take `STEPS_LIMIT` steps of backtracking on one text, and `SLOW_S` on all texts that it needs more than
`QUICK_STEPS` for, so that neither one text nor a million of them hold the engine.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from functools import cached_property, lru_cache
from itertools import islice
from typing import Any

import pcre2
from pcre2 import _cy

from sightline.store.udf import row_function

QUICK_STEPS = 200_000
"""Steps of backtracking on one text that nobody notices: some 2 ms."""
STEPS_LIMIT = 10_000_000
"""Steps of backtracking on one text: some 0.1 s."""
SLOW_S = 10.0
"""Processor time that a pattern may take in all on texts that take more than the quick steps, beside the usual."""
USUAL_S_PER_CHARACTER = 1e-7
"""Ten times what a pattern without backtracking takes."""
FORGOTTEN_S = 60.0
"""After so long without a slow text, a pattern begins anew."""

_LIMITS, _JIT_STACK = (-47, -53, -63), -46
"""PCRE's numbers for a limit of steps, depth or memory, and for the stack of compiled code."""
_BSUX = 2
"""PCRE2_ALT_BSUX, which the package sets and which reads `\\x{41}` as forty-one times x."""
_CONTEXT = _cy.create_match_context()
_OPTIONS = int(pcre2.UNICODE | _cy.CompileOption.NO_START_OPTIMIZE)
"""Without the search for a place to start: PCRE 10.47 overlooks the K of `a?K[-a]{0,2}` when it is compiled with it."""
_NO_POSSESSION = int(_cy.CompileOption.NO_AUTO_POSSESS)
_BLANKS = re.compile(r"\\[hHvV]")
_ALL = int(_cy.SubstituteOption.GLOBAL | _cy.SubstituteOption.UNSET_EMPTY)
_LISTED = int(_cy.SubstituteOption.REPLACEMENT_ONLY) | _ALL
_ONE = int(_cy.SubstituteOption.UNSET_EMPTY)


class PatternProblem(ValueError):
    """A pattern that is none, or that takes too long. `str` is fit to show."""


def _code(pattern: str, jit: bool = True) -> _cy.PCRE2Code:
    # PCRE takes a no-break space for white space when it looks whether `\h*` could give some back to `\S`.
    options = _OPTIONS | (_NO_POSSESSION if _BLANKS.search(pattern) else 0)
    code = _cy.compile(pattern, options, int(_cy.CompileOption.UCP) | _BSUX)
    if jit:
        _cy.jit_compile(code)
    return code


@lru_cache(maxsize=1000)
def problem_of(pattern: str) -> str:
    """What is wrong with a pattern, in PCRE's words, or an empty string."""
    try:
        _code(pattern, jit=False)
    except pcre2.PatternError as error:
        what = (str(error).partition("; ")[2] or str(error)).replace(" (PCRE2_DUPNAMES not set)", "")
        return f"{what} at character {error.pos + 1}" if error.pos < len(pattern) else what
    return ""


@lru_cache(maxsize=1000)
def groups_of(pattern: str) -> tuple[int, dict[str, int]]:
    """How many groups a pattern has, and the number of each named one, in order."""
    code = _code(pattern, jit=False)
    named = _cy.pattern_name_dict(code)
    return _cy.pattern_capture_count(code), dict(sorted(named.items(), key=lambda item: item[1]))


class Matcher:
    """A compiled pattern. Safe to use from several threads."""

    def __init__(self, pattern: str) -> None:
        problem = problem_of(pattern)
        if problem:
            raise PatternProblem(f'"{pattern}" is not a regular expression: {problem}')
        self.pattern = pattern
        self._quick = _code(f"(*LIMIT_MATCH={QUICK_STEPS}){pattern}")
        self._spent_s = 0.0
        self._last_slow = 0.0

    def first(self, text: str) -> _cy.PCRE2MatchData | None:
        """The first match."""
        try:
            return _cy.match(self._quick, text, len(text), 0, _CONTEXT, 0)[0]
        except _cy.LibraryError as error:
            return self._again(error, text, lambda code: _cy.match(code, text, len(text), 0, _CONTEXT, 0)[0])

    def every(self, text: str, limit: int = 0) -> list[_cy.PCRE2MatchData]:
        """All matches, or the first `limit`."""

        def found(code: _cy.PCRE2Code) -> list[_cy.PCRE2MatchData]:
            matches = _cy.match_generator(code, text, len(text), 0, _CONTEXT)
            return [match for match, _, _ in islice(matches, limit or None)]

        try:
            return found(self._quick)
        except _cy.LibraryError as error:
            return self._again(error, text, found)

    def replaced(self, text: str, template: str, everywhere: bool, start: int = 0) -> str:
        """The text with matches from `start` on replaced by what a template of `template_of` makes."""
        return self._substituted(text, template, _ALL if everywhere else _ONE, start)[0]

    def listed(self, text: str, template: str) -> str | None:
        """What the template makes of each match, one behind the other; None without a match."""
        made, count = self._substituted(text, template, _LISTED)
        return made if count else None

    def _substituted(self, text: str, template: str, options: int, start: int = 0) -> tuple[str, int]:
        offset = len(text[:start].encode()) if start else 0
        try:
            return _cy.substitute(self._quick, template, text, offset, options)
        except _cy.LibraryError as error:
            return self._again(error, text, lambda code: _cy.substitute(code, template, text, offset, options))

    def _again(self, error: _cy.LibraryError, text: str, work: Callable[[_cy.PCRE2Code], Any]) -> Any:
        """The work with all the steps there are, and by the interpreter where compiled code ran out of its stack."""
        if error.code not in (*_LIMITS, _JIT_STACK):
            raise PatternProblem(f'the regular expression "{self.pattern}" failed: {error}') from None
        started = time.thread_time()
        try:
            try:
                return work(self._patient)
            except _cy.LibraryError as second:
                if second.code != _JIT_STACK:
                    raise
            return work(self._interpreted)
        except _cy.LibraryError as last:
            if last.code not in _LIMITS:
                raise PatternProblem(f'the regular expression "{self.pattern}" failed: {last}') from None
            raise PatternProblem(
                f'the regular expression "{self.pattern}" was given up on one value after {STEPS_LIMIT:,} steps'
            ) from None
        finally:
            self._spend(time.thread_time() - started, text)

    @cached_property
    def _patient(self) -> _cy.PCRE2Code:
        return _code(f"(*LIMIT_MATCH={STEPS_LIMIT}){self.pattern}")

    @cached_property
    def _interpreted(self) -> _cy.PCRE2Code:
        return _code(f"(*LIMIT_MATCH={STEPS_LIMIT}){self.pattern}", jit=False)

    def _spend(self, elapsed_s: float, text: str) -> None:
        now = time.monotonic()
        if now - self._last_slow > FORGOTTEN_S:
            self._spent_s = 0.0
        self._last_slow = now
        self._spent_s += max(0.0, elapsed_s - len(text) * USUAL_S_PER_CHARACTER)
        if self._spent_s > SLOW_S:
            self._spent_s = 0.0
            raise PatternProblem(
                f'the regular expression "{self.pattern}" takes too long: {SLOW_S:g} s on slow values alone'
            )


@lru_cache(maxsize=500)
def matcher(pattern: str) -> Matcher:
    """The matcher of a pattern. Raises PatternProblem."""
    return Matcher(pattern)


_REFERENCE = re.compile(r"\\(\d|\\)|([\\$])", re.S)


@lru_cache(maxsize=1000)
def template_of(replacement: str) -> str:
    """A replacement with `\\1` for what the first group matched, as PCRE's extended substitution reads it."""
    return _REFERENCE.sub(lambda m: "$$" if m[2] == "$" else r"\\" if m[2] or m[1] == "\\" else f"${{{m[1]}}}", replacement)


# ---- in SQL ----------------------------------------------------------------------------------------------------------

MATCH_END, GROUP_END = "\x1e", "\x1f"
LISTED, AS_JSON = "l", "j"
"""How a list of texts is given as one text: after `LISTED`, with `MATCH_END` or `GROUP_END` between them, or, where a text
has such a character in it, after `AS_JSON` as JSON. Splitting costs the engine a tenth of reading JSON."""


@row_function("pcre_match", ("String", "String"), "Bool")
def pcre_match(text: str, pattern: str) -> bool:
    """Whether the pattern matches anywhere in the text."""
    return matcher(pattern).first(text) is not None


@row_function("pcre_group", ("String", "String", "Int64"), "String")
def pcre_group(text: str, pattern: str, number: int) -> str | None:
    """What a group of the first match took; None without a match, and for a group that took no part in it."""
    found = matcher(pattern).first(text)
    return None if found is None else _text_of(found, text, number)


@row_function("pcre_groups", ("String", "String", "Int64", "Int64"), "String")
def pcre_groups(text: str, pattern: str, number: int, limit: int) -> str | None:
    """What a group took in each of the first `limit` matches, 0 for all; "" where it took no part; None without a match."""
    found = matcher(pattern)
    if MATCH_END in text:
        taken = [_text_of(match, text, number) or "" for match in found.every(text, limit)]
        return AS_JSON + json.dumps(taken, ensure_ascii=False) if taken else None
    listed = found.listed(text, f"${{{number}}}{MATCH_END}")
    if listed is None:
        return None
    if limit:
        return LISTED + MATCH_END.join(listed.split(MATCH_END, limit)[:limit])
    return LISTED + listed[:-1]


@row_function("pcre_all_groups", ("String", "String"), "String")
def pcre_all_groups(text: str, pattern: str) -> str | None:
    """What each group took in each match; "" where it took no part; None without a match."""
    found, numbers = matcher(pattern), range(1, groups_of(pattern)[0] + 1)
    if MATCH_END in text or GROUP_END in text:
        taken = [[_text_of(match, text, n) or "" for n in numbers] for match in found.every(text)]
        return AS_JSON + json.dumps(taken, ensure_ascii=False) if taken else None
    listed = found.listed(text, GROUP_END.join(f"${{{n}}}" for n in numbers) + MATCH_END)
    return None if listed is None else LISTED + listed[:-1]


@row_function("pcre_replace", ("String", "String", "String", "Int64"), "String")
def pcre_replace(text: str, pattern: str, replacement: str, which: int) -> str:
    """The text with every match replaced for 0, or only the one of that number; `\\1` is what the first group matched."""
    found = matcher(pattern)
    template = template_of(replacement)
    if which < 2:
        return found.replaced(text, template, which == 0)
    matches = found.every(text, which)
    if len(matches) < which:
        return text
    return found.replaced(text, template, False, _place_of(matches[-1], text, 0)[0])


@row_function("pcre_offsets", ("String", "String"), "String")
def pcre_offsets(text: str, pattern: str) -> str | None:
    """`name=from-to` of each named group of the first match, with characters counted from 0, joined by &."""
    found = matcher(pattern).first(text)
    if found is None:
        return None
    places = [(name, *_place_of(found, text, number)) for name, number in groups_of(pattern)[1].items()]
    return "&".join(f"{name}={start}-{end - 1}" for name, start, end in places if start >= 0)


_text_of = _cy.match_substring_bynumber
_place_of = _cy.match_substring_span_bynumber
