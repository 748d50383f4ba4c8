"""Words and phrases matched against raw text: as whole tokens, ignoring case, with `*` for any characters.

On the stored column the text index answers first with the tokens that must be there; the exact test follows only for rows
that the index let through.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from sightline.search.planner import values as v
from sightline.search.planner.values import Type, Value
from sightline.search.syntax import tree

_MAJOR_BREAKERS = r"\[\]<>(){}|!;,'\"*\n\r \t&?+"
_MINOR_BREAKERS = r"/:=@.\-$#%\\_"
_TOKEN = re.compile(r"[A-Za-z0-9\u0080-\U0010ffff]+")


_INDEXED_FRAGMENT = 4
"""Letters and digits from which on the engine looks a piece of a word up in the index's dictionary of words."""
MOST_WORDS = 10_000
"""Words with one beginning that are looked up one by one; with more of them the text is read instead."""


def term_condition(raw: Value, term: tree.Term, *, indexed: bool) -> Value:
    """Whether the text contains the term. `indexed` says that the text is the stored column with its text index."""
    if term.value in ("", "*"):
        return v.TRUE
    # The lower-case text is searched without a flag that ignores case: the engine finds a literal piece of a pattern several
    # times faster then.
    exactly = term.mode == "case"
    value = term.value if exactly else term.value.lower()
    stored = v.Column(Type.TEXT, RAW_TEXT)
    text = raw if exactly else stored if indexed else v.call("lowerUTF8", raw, type=Type.TEXT)
    exact = v.call("match", text, v.text(f"(?s){_pattern(value, term.mode)}"), type=Type.BOOL)
    if not indexed:
        return v.is_true(exact)
    conditions: list[Value] = []
    tokens = whole_tokens(value)
    if tokens:
        conditions.append(v.call("hasAllTokens", stored, v.text(" ".join(tokens)), type=Type.BOOL))
        if tokens == [value] and term.mode in ("word", "phrase"):
            return conditions[0]
    fragment = longest_fragment(value)
    if len(fragment) >= _INDEXED_FRAGMENT:
        conditions.append(v.call("like", stored, v.text(f"%{fragment}%"), type=Type.BOOL))
    return v.both([*conditions, v.is_true(exact) if exactly else exact])


def beginning_of(term: tree.Term) -> str:
    """What a word begins with where the term asks for no more, as `handsh*` does; else an empty text."""
    begun = term.value[:-1].lower()
    return begun if term.mode == "word" and term.value.endswith("*") and _TOKEN.fullmatch(begun) else ""


def any_word(words: Sequence[str]) -> Value:
    """Whether the stored text has one of these words of its index."""
    if not words:
        return v.FALSE
    return v.call("hasAnyTokens", v.Column(Type.TEXT, RAW_TEXT), v.multi(words), type=Type.BOOL)


def _pattern(value: str, mode: str) -> str:
    """The regular expression of a term: from one end of a word to another, except where a wildcard stands."""
    body = "".join(r"[^\s]*?" if c == "*" and mode != "phrase" else ".*?" if c == "*" else _escape(c) for c in value)
    if mode == "term":
        left, right = rf"(?:^|[{_MAJOR_BREAKERS}])", rf"(?:$|[{_MAJOR_BREAKERS}])"
    else:
        left, right = r"(?:^|[\x00-/:-@\[-`{-\x7f])", r"(?:$|[\x00-/:-@\[-`{-\x7f])"
    left = left if value[0].isalnum() or mode == "term" else ""
    right = right if value[-1].isalnum() or mode == "term" else ""
    if value.startswith("*"):
        left = ""
        body = body.removeprefix(r"[^\s]*?").removeprefix(".*?")
    if value.endswith("*"):
        right = ""
        body = body.removesuffix(r"[^\s]*?").removesuffix(".*?")
    return f"{left}{body}{right}"


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


def longest_fragment(value: str) -> str:
    """The longest piece of a word that touches a wildcard, in lower case: `erro` of `erro*`."""
    pieces = [
        m.group().lower()
        for m in _TOKEN.finditer(value)
        if "*" in (value[m.start() - 1 : m.start()], value[m.end() : m.end() + 1])
    ]
    return max(pieces, key=len, default="")


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
