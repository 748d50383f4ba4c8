"""Words and phrases matched against raw text: as whole tokens, ignoring case, with `*` for any characters.

On the stored column the text index answers first with the tokens that must be there; the exact test follows only for rows
that the index let through.
"""

from __future__ import annotations

import re

from sightline.search.planner import values as v
from sightline.search.planner.values import Type, Value
from sightline.search.syntax import tree

_MAJOR_BREAKERS = r"\[\]<>(){}|!;,'\"*\n\r \t&?+"
_MINOR_BREAKERS = r"/:=@.\-$#%\\_"
_TOKEN = re.compile(r"[A-Za-z0-9\u0080-\U0010ffff]+")


def term_condition(raw: Value, term: tree.Term, *, indexed: bool) -> Value:
    """Whether the text contains the term. `indexed` says that the text is the stored column with its text index."""
    value = term.value
    if value in ("", "*"):
        return v.TRUE
    case = "" if term.mode == "case" else "(?i)"
    body = "".join(r"[^\s]*?" if c == "*" and term.mode != "phrase" else ".*?" if c == "*" else _escape(c) for c in value)
    if term.mode == "term":
        left, right = rf"(?:^|[{_MAJOR_BREAKERS}])", rf"(?:$|[{_MAJOR_BREAKERS}])"
    else:
        left, right = r"(?:^|[\x00-/:-@\[-`{-\x7f])", r"(?:$|[\x00-/:-@\[-`{-\x7f])"
    left = left if value[0].isalnum() or term.mode == "term" else ""
    right = right if value[-1].isalnum() or term.mode == "term" else ""
    if value.startswith("*"):
        left = ""
        body = body.removeprefix(r"[^\s]*?").removeprefix(".*?")
    if value.endswith("*"):
        right = ""
        body = body.removesuffix(r"[^\s]*?").removesuffix(".*?")
    exact = v.call("match", raw, v.text(f"{case}(?s){left}{body}{right}"), type=Type.BOOL)
    conditions: list[Value] = []
    if indexed:
        tokens = whole_tokens(value)
        if tokens:
            column = v.Column(Type.TEXT, RAW_TEXT)
            conditions.append(v.call("hasAllTokens", column, v.text(" ".join(tokens)), type=Type.BOOL))
            if tokens == [value.lower()] and term.mode in ("word", "phrase"):
                return conditions[0]
    conditions.append(v.is_true(exact))
    return v.both(conditions)


RAW_TEXT = "_raw:stored"
"""Identifier of the stored text column, whose text index lower-cases and splits at everything but letters and digits."""


def whole_tokens(value: str) -> list[str]:
    """Tokens of the term that stand whole in any matching text: those that touch no wildcard."""
    found = []
    for match in _TOKEN.finditer(value):
        before = value[match.start() - 1] if match.start() else ""
        after = value[match.end()] if match.end() < len(value) else ""
        if before != "*" and after != "*":
            found.append(match.group().lower())
    return found


def _escape(c: str) -> str:
    return re.escape(c) if c.isascii() else c


def prefix_values(raw: Value, prefix: str) -> Value:
    """What follows the prefix in the text's terms that begin with it, lower-case, as a multivalue: `PREFIX(status=)`."""
    pattern = rf"(?:^|[{_MAJOR_BREAKERS}]){''.join(_escape(c) for c in prefix.lower())}([^{_MAJOR_BREAKERS}]+)"
    found = v.call("extractAll", v.call("lowerUTF8", raw, type=Type.TEXT), v.text(pattern), type=Type.MULTI)
    return v.call("arrayDistinct", found, type=Type.MULTI)


def has_prefix(prefix: str) -> Value:
    """What the text index says of terms that begin with the prefix: whether its whole tokens are there."""
    tokens = whole_tokens(prefix + "*")
    if not tokens:
        return v.TRUE
    return v.call("hasAllTokens", v.Column(Type.TEXT, RAW_TEXT), v.text(" ".join(tokens)), type=Type.BOOL)
