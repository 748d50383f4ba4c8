"""Regular expressions as people write them in rules: what they hold, and why the engine might not take them.

The engine matches with RE2, in time that grows with the text alone, so that no pattern can hold up what comes in. What RE2
has no way to do is refused by its name.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

MAX_CHARACTERS = 2_000
"""Of a pattern."""
_FOREIGN = (
    ("(?=", "look-ahead"),
    ("(?!", "negative look-ahead"),
    ("(?<=", "look-behind"),
    ("(?<!", "negative look-behind"),
    ("(?>", "an atomic group"),
    ("(?(", "a condition"),
    ("(?|", "a branch reset"),
    ("(?R", "recursion"),
    ("(?&", "recursion"),
    ("(?P>", "recursion"),
    ("(?P=", "a back-reference"),
    ("(*", "a verb"),
)
_TOKEN = re.compile(r"\\Q.*?(?:\\E|$)|\\.|\[\^?\]?(?:\\.|\[:\^?\w+:\]|[^\]\\])*\]|\((?:\?(?:P?<(\w+)>|[^)]?))?|.", re.S)


@dataclass(frozen=True, slots=True)
class Piece:
    """A token of a pattern: its text, where it is, and for a group that captures its name, "" without one."""

    text: str
    start: int
    group: str | None = None


def pieces(pattern: str) -> list[Piece]:
    """The tokens of a pattern: escapes, classes, openings of groups, and single characters."""
    found = []
    for match in _TOKEN.finditer(pattern):
        text = match[0]
        group = None
        if text == "(" and not pattern.startswith(("(?", "(*"), match.start()):
            group = ""
        elif match[1]:
            group = match[1]
        found.append(Piece(text, match.start(), group))
    return found


def groups(pattern: str) -> tuple[str, ...]:
    """The names of the groups that capture, in order; "" for one without a name."""
    return tuple(piece.group for piece in pieces(pattern) if piece.group is not None)


def without_groups(pattern: str) -> str:
    """The same pattern with groups that capture nothing."""
    return "".join("(?:" if piece.group is not None else piece.text for piece in pieces(pattern))


def foreign(pattern: str) -> str:
    """What in a pattern the engine's matcher does not have, or an empty text."""
    previous = ""
    for piece in pieces(pattern):
        for opening, name in _FOREIGN:
            if piece.text.startswith("(") and pattern.startswith(opening, piece.start):
                return f'{name} "{opening}"'
        if re.fullmatch(r"\\[1-9]", piece.text):
            return f'a back-reference "{piece.text}"'
        if piece.text in ("\\Z", "\\G", "\\K", "\\R", "\\X", "\\h", "\\H"):
            return f'"{piece.text}"'
        if piece.text == "+" and previous in ("*", "+", "?", "}"):
            return f'a possessive "{previous}+"'
        previous = piece.text
    return ""


def problem_of(pattern: str) -> str:
    """Why a pattern cannot be used, as far as its text alone shows it; the engine has the last word."""
    if not pattern:
        return "a pattern is wanted, got an empty one"
    if len(pattern) > MAX_CHARACTERS:
        return f"a pattern has {MAX_CHARACTERS:,} characters at most, got {len(pattern):,}"
    found = foreign(pattern)
    return f"{found} is not supported: patterns are those of RE2, which match in linear time" if found else ""


def around_first_group(pattern: str) -> tuple[str, str, str] | None:
    """What is before, in and after the first group, where it stands at the top of the pattern; None where it does not.

    The parts match as non-capturing patterns of their own.
    """
    depth, start, end = 0, -1, -1
    tokens = pieces(pattern)
    for piece in tokens:
        if piece.text.startswith("("):
            if piece.group is not None and start < 0:
                if depth:
                    return None
                start = piece.start
            depth += 1
        elif piece.text == ")":
            depth -= 1
            if start >= 0 and end < 0 and depth == 0:
                end = piece.start + 1
        elif piece.text == "|" and depth == 0:
            return None
    if start < 0 or end < 0:
        return None
    following = pattern[end : end + 1]
    if following in ("*", "+", "?", "{"):
        return None
    first, inside, rest = (without_groups(part) for part in (pattern[:start], pattern[start:end], pattern[end:]))
    return first, inside, rest
