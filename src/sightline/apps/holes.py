"""Places of a search text that nothing is known about, and what may be put there so that the rest can be tried.

A hole is a macro that is not there, or a dashboard token without a value. What fits depends on where it stands: a whole
stage, a word among search terms, a value after `=`, an argument of a command. `fillings` gives a few texts to try, each with
every hole filled, and at last one where the stages that have holes are left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

ATTEMPTS = 6
"""Texts with filled holes; each costs a plan, and what none of them fits is told as it is."""
NEUTRAL = "search *"

_SEARCH_LIKE = frozenset(("search", "tstats", "mstats", "mcatalog", "mpreview", "metasearch", "from", "datamodel", "pivot"))
_EXPRESSIONS = frozenset(("eval", "where", "fieldformat"))
_AGGREGATING = frozenset(
    ("stats", "eventstats", "streamstats", "chart", "timechart", "sistats", "sichart", "sitimechart", "top", "rare")
)
_TIMES = frozenset(("earliest", "latest", "_index_earliest", "_index_latest", "index_earliest", "index_latest"))
_SPANS = frozenset(("span", "maxspan", "maxpause", "minspan", "time_window", "every"))
_FLAGS = frozenset(("useother", "usenull", "append", "prestats", "summariesonly", "allow_old_summaries", "cont", "partial"))


@dataclass(frozen=True, slots=True)
class Hole:
    """A range of the text."""

    start: int
    end: int


@dataclass(slots=True)
class _Place:
    """Where a hole stands: its stage's range, the stage's command, and what is around it."""

    stage: tuple[int, int]
    command: str
    first: bool
    """Whether the stage is the first one, or the first of a subsearch."""
    quoted: bool
    before: str
    """The stage's text up to the hole."""
    after: str


def fillings(text: str, holes: Sequence[Hole]) -> Iterator[tuple[str, bool]]:
    """Texts with the holes filled, and whether their stages were left out (the last text only)."""
    places = _places(text, holes)
    options = [_candidates(place) for place in places]
    seen = set()
    for attempt in range(ATTEMPTS):
        filled = _replace(text, holes, [given[attempt % len(given)] for given in options])
        if filled not in seen:
            seen.add(filled)
            yield filled, False
    yield _without_stages(text, places), True


def _replace(text: str, holes: Sequence[Hole], values: Sequence[str]) -> str:
    out, position = [], 0
    for hole, value in zip(holes, values, strict=True):
        out.append(text[position : hole.start] + value)
        position = hole.end
    return "".join(out) + text[position:]


def _without_stages(text: str, places: Sequence[_Place]) -> str:
    ranges = sorted({place.stage for place in places}, reverse=True)
    for number, (start, end) in enumerate(ranges):
        # A stage that holds a subsearch with a hole goes as a whole.
        if any(s <= start and end <= e and (s, e) != (start, end) for s, e in ranges[number + 1 :]):
            continue
        text = f"{text[:start]} {NEUTRAL} {text[end:]}"
    return text


def _places(text: str, holes: Sequence[Hole]) -> list[_Place]:
    """Each hole's place, found in one pass that knows quotes and brackets."""
    starts: list[tuple[int, bool]] = [(0, True)]
    """Begin of the current stage of each open bracket, and whether it is the first one."""
    found: list[tuple[Hole, int, bool, bool, int]] = []
    waiting = list(holes)
    ends: dict[int, int] = {}
    quote, position = False, 0
    while position < len(text):
        if waiting and position == waiting[0].start:
            hole = waiting.pop(0)
            start, first = starts[-1]
            found.append((hole, start, first, quote, len(starts)))
            position = hole.end
            continue
        character = text[position]
        if character == "\\" and quote:
            position += 2
            continue
        if character == '"':
            quote = not quote
        elif not quote and character == "|":
            start, first = starts[-1]
            ends[start] = position
            # A leading pipe makes no stage before it.
            starts[-1] = (position + 1, first and not text[start:position].strip())
        elif not quote and character == "[":
            starts.append((position + 1, True))
        elif not quote and character == "]" and len(starts) > 1:
            start, _ = starts.pop()
            ends[start] = position
        position += 1
    for start, _ in starts:
        ends.setdefault(start, len(text))
    places = []
    for hole, start, first, quoted, _ in found:
        end = ends.get(start, len(text))
        before = text[start : hole.start]
        word = re.match(r"\s*([A-Za-z_][\w.]*)(?=[\s(\"\[]|$)", before)
        command = word.group(1).lower() if word else ""
        if (
            first
            and command not in _SEARCH_LIKE | _EXPRESSIONS | _AGGREGATING
            and "|" not in text[max(0, start - 1) : start]
        ):
            command = "search"
        places.append(_Place((start, end), command, first, quoted, before, text[hole.end : end]))
    return places


def _candidates(place: _Place) -> list[str]:
    """What may fill a hole, the likeliest first."""
    before, after = place.before.rstrip(), place.after.strip()
    if not before.strip() and not after:
        return [NEUTRAL, "makeresults"] if place.first else [NEUTRAL]
    option = re.search(r"([\w.]+)\s*=\s*\"?$", before)
    key = option.group(1).lower() if option else ""
    if key in _TIMES:
        return ["-24h@h", "0", "now"]
    if key in _SPANS:
        return ["1h", "1"]
    if key in _FLAGS:
        return ["true"]
    if place.quoted:
        return ["(?<x>.)", "x"] if place.command in ("rex", "regex") else ["x", "1", "*", "%H"]
    if not before.strip():
        if place.first:
            return ["*", "", "search *", "| tstats count"]
        return ["search", "stats", "eval", "timechart", "table", "fields"]
    compared = bool(re.search(r"(=|<|>|!=|,|\(|\bin\s*\(|::)$", before, re.I))
    if place.command in _SEARCH_LIKE:
        return ["*", "1", "x"] if compared and option else ["", "*", "x=*", "by x", "count"]
    if place.command in _EXPRESSIONS:
        if compared:
            return ["1", "x", '"x"', "null()", "x=1"]
        return ["x=1", "x", "1", "", "+ 1", "AND x=1"]
    if option:
        return ["10", "x", "1h", "true", "*", '"x"']
    if place.command in _AGGREGATING:
        return ["x", "count", "", "by x", "sum(x)", "span=1h count"]
    return ["x", "", "count", "*", "x=1", "1"]
