"""Regular expressions in the engine: checking them, finding their named groups, matching, extracting, replacing.

The engine's matcher runs in linear time and knows neither look-around nor back-references; a pattern that needs them goes,
row by row, through Python's `regex`, some twenty times slower. Both read the same dialect here: `.` stops at a line's
end, `^` and `$` are those of the whole text, unless the pattern says otherwise.
"""

from __future__ import annotations

import re
from functools import lru_cache

import regex

from sightline.errors import SearchError, Span
from sightline.search.planner import values as v
from sightline.search.planner.values import Type, Value

_BACKTRACKING = re.compile(
    r"\(\?<?[=!]"  # Look-around.
    r"|\(\?>|[*+?}]\+"  # Atomic groups, possessive quantifiers.
    r"|\\[1-9]|\\[gk][<{'\d]|\(\?P="  # Back-references.
    r"|\(\?(?:R|\d|&|\||\(|\#|')"  # Recursion, branch resets, conditions, comments, names in quotes.
    r"|\\[ZGKhHRXN]"  # Anchors and classes of PCRE alone.
    r"|\(\?[a-z]*x"  # Free spacing.
    r"|\{(?:\d*,)?[1-9]\d{3,}"  # Counts above the engine's limit of 1000.
)


@lru_cache(maxsize=1000)
def needs_backtracking(pattern: str) -> bool:
    """Whether the engine's own matcher cannot run the pattern."""
    return _BACKTRACKING.search(_without_classes(pattern)) is not None


def check(pattern: str, span: Span | None = None) -> None:
    """Refuse a pattern that is no regular expression."""
    try:
        regex.compile(python_pattern(pattern))
    except regex.error as error:
        raise SearchError(f'"{pattern}" is not a regular expression: {error}', span) from None


def _without_classes(pattern: str) -> str:
    """The pattern with character classes, quoted runs and escaped signs blanked, so that these are not read as syntax."""
    blanked = re.sub(r"\\Q.*?(?:\\E|\Z)", "x", pattern, flags=re.S)
    return re.sub(r"\\[^\w]|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]", "x", blanked, flags=re.S)


@lru_cache(maxsize=1000)
def python_pattern(pattern: str) -> str:
    r"""The pattern as `regex` reads it: `\Q...\E`, `\z` and `\Z` of PCRE written in its way."""

    def rewritten(match: re.Match[str]) -> str:
        escape = match.group(1)
        if escape.startswith("Q"):
            return re.escape(escape[1:].removesuffix("\\E"))
        if len(escape) > 1:
            return f"(?P={escape[2:-1]})"
        return {"z": r"\Z", "Z": r"(?=\n?\Z)"}.get(escape, match.group())

    escapes = r"\\(Q.*?(?:\\E|\Z)|k[<{']\w+[>}']|.)"
    return re.sub(escapes, rewritten, pattern, flags=re.S)


def group_names(pattern: str) -> list[str]:
    """Names of the groups in the order they open."""
    return re.findall(r"(?<!\\)\(\?P?<([A-Za-z_]\w*)>", pattern)


def _engine_pattern(pattern: str) -> Value:
    # Groups go by position there: a pattern whose name holds an underscore would match nothing, a mistake of the engine.
    plain = re.sub(r"(?<!\\)\(\?P?<[A-Za-z_]\w*>", "(", pattern)
    # The engine lets a dot match the end of a line unless told.
    return v.text(f"(?-s){plain}" if "." in plain else plain)


def _plain(text: Value) -> Value:
    # Python decodes what it is given, and stops at bytes that are no UTF-8.
    return v.call("toValidUTF8", text, type=Type.TEXT)


def matches(text: Value, pattern: str) -> Value:
    """Whether the pattern occurs in the text."""
    check(pattern)
    if needs_backtracking(pattern):
        return v.call("pcre_match", _plain(text), v.text(python_pattern(pattern)), type=Type.BOOL)
    return v.call("match", text, _engine_pattern(pattern), type=Type.BOOL)


def matches_any(text: Value, pattern: Value) -> Value:
    """The same for a pattern that differs by row. A row's pattern that is no regular expression stops the search."""
    return v.call("pcre_match", _plain(text), pattern, type=Type.BOOL)


def extract(text: Value, pattern: str, name: str, max_match: int = 1) -> Value:
    """What a named group matched: text of the first match, or a multivalue of the first `max_match` (0: all)."""
    return extract_group(text, pattern, regex.compile(python_pattern(pattern)).groupindex[name], max_match)


def group_count(pattern: str) -> int:
    """How many groups a pattern has."""
    return regex.compile(python_pattern(pattern)).groups


def group_indexes(pattern: str) -> dict[str, int]:
    """The number of each named group."""
    return dict(regex.compile(python_pattern(pattern)).groupindex)


def extract_group(text: Value, pattern: str, number: int, max_match: int = 1) -> Value:
    """The same for a group by its number; 0 is the whole match, for the first match only."""
    if number == 0:
        return extract_group(text, f"({pattern})", 1, max_match)
    index = v.integer(number)
    if needs_backtracking(pattern):
        return _extract_backtracking(text, pattern, index, max_match)
    if max_match == 1:
        groups = v.call("extractGroups", text, _engine_pattern(pattern), type=Type.MULTI)
        found = v.call("arrayElement", groups, index, type=Type.TEXT)
        return v.call("nullIf", found, v.text(""), type=Type.TEXT)
    groups = v.call("extractAllGroupsHorizontal", text, _engine_pattern(pattern), type=Type.MULTI)
    found = v.call("arrayElement", groups, index, type=Type.MULTI)
    if max_match:
        found = v.call("arraySlice", found, v.integer(1), v.integer(max_match), type=Type.MULTI)
    return found


def all_groups(text: Value, pattern: str) -> Value:
    """The groups of every match: an array, for each match, of an array of texts."""
    if needs_backtracking(pattern):
        everything = v.call("toInt64", v.integer(0), type=Type.INT)
        listed = v.call("pcre_groups", _plain(text), v.text(python_pattern(pattern)), everything, type=Type.TEXT)
        sure = v.call("ifNull", listed, v.text("[]"), type=Type.TEXT)
        return v.call("JSONExtract", sure, v.text("Array(Array(String))"), type=Type.MULTI)
    return v.call("extractAllGroupsVertical", text, _engine_pattern(pattern), type=Type.MULTI)


def _extract_backtracking(text: Value, pattern: str, index: Value, max_match: int) -> Value:
    limit = v.call("toInt64", v.integer(max_match), type=Type.INT)
    listed = v.call("pcre_groups", _plain(text), v.text(python_pattern(pattern)), limit, type=Type.TEXT)
    sure = v.call("ifNull", listed, v.text("[]"), type=Type.TEXT)
    found = v.call("JSONExtract", sure, v.text("Array(Array(String))"), type=Type.MULTI)
    if max_match == 1:
        first = v.call("arrayElement", found, v.integer(1), type=Type.MULTI)
        return v.call("nullIf", v.call("arrayElement", first, index, type=Type.TEXT), v.text(""), type=Type.TEXT)
    row = v.Column(Type.MULTI, "groups")
    taken = v.Lambda(Type.TEXT, ("groups",), v.call("arrayElement", row, index, type=Type.TEXT))
    return v.call("arrayMap", taken, found, type=Type.MULTI)


def offsets(text: Value, pattern: str) -> Value:
    """`name=from-to` of each named group of the first match, with places counted from 0, joined by &."""
    pieces: list[Value] = []
    for name in group_names(pattern):
        found = v.call("ifNull", extract(text, pattern, name), v.text(""), type=Type.TEXT)
        start = v.call("minus", v.call("position", text, found, type=Type.INT), v.integer(1), type=Type.INT)
        length = v.call("length", found, type=Type.INT)
        end = v.call("minus", v.call("plus", start, length, type=Type.INT), v.integer(1), type=Type.INT)
        if pieces:
            pieces.append(v.text("&"))
        pieces += [v.text(f"{name}="), v.as_text(start), v.text("-"), v.as_text(end)]
    return v.call("concat", *pieces, v.text(""), type=Type.TEXT)


def replace(text: Value, pattern: str, replacement: str, *, everywhere: bool = True) -> Value:
    r"""The text with matches replaced; `\1` in the replacement is what the first group matched."""
    check(pattern)
    groups = regex.compile(python_pattern(pattern)).groups
    wanted = max((int(n) for n in re.findall(r"(?<!\\)(?:\\\\)*\\(\d)", replacement)), default=0)
    if wanted > groups:
        raise SearchError(f'"{replacement}" names group {wanted}, but "{pattern}" has {groups}')
    if needs_backtracking(pattern):
        return _replace_in_python(text, v.text(python_pattern(pattern)), v.text(replacement), everywhere)
    function = "replaceRegexpAll" if everywhere else "replaceRegexpOne"
    prepared = re.sub(r"\\(?![0-9\\])", r"\\\\", replacement)
    return v.call(function, text, _engine_pattern(pattern), v.text(prepared), type=Type.TEXT)


def replace_any(text: Value, pattern: Value, replacement: Value) -> Value:
    """The same for a pattern or a replacement that differs by row."""
    return _replace_in_python(text, pattern, replacement, True)


def _replace_in_python(text: Value, pattern: Value, replacement: Value, everywhere: bool) -> Value:
    count = v.call("toInt64", v.integer(0 if everywhere else 1), type=Type.INT)
    return v.call("pcre_replace", _plain(text), pattern, replacement, count, type=Type.TEXT)


# ---- whole tokens ----------------------------------------------------------------------------------------------------

_NO_WORD = r"(?:[=:;,\"'<> /&#%@!~_-]|(?<!\\)\\[^\w]|(?<!\\)\\[stnbW])\+?"
"""A piece of a pattern that matches a sign which is no letter and no digit, or stands at the edge of a word."""
_BEFORE = re.compile(rf"(?:^|\^|{_NO_WORD})\Z")
_AFTER = re.compile(rf"(?:\$|{_NO_WORD})")
_GREEDY = re.compile(r"(?:\\[wS]|\.|\[\^(?:[^\]\\A-Za-z0-9\[-]|\\[^\w]|\\s)*\])[+*]\Z")


@lru_cache(maxsize=1000)
def whole_token_groups(pattern: str) -> frozenset[int]:
    """Groups whose text begins and ends where words of the searched text do, as far as the pattern shows.

    `user=(\\w+)` is one, `(\\d\\d)\\d` is none: there a word of the group need not be a word of the text. When in doubt
    a group is left out, so that a text index may be asked for the words of those that are in.
    """
    if "|" in _without_classes(re.sub(r"\([^()]*\)", "", pattern)) or needs_backtracking(pattern):
        return frozenset()
    found = set()
    depth, number, i = 0, 0, 0
    starts: list[tuple[int, int, int]] = []
    inside_class = False
    while i < len(pattern):
        c = pattern[i]
        if c == "\\":
            i += 2
            continue
        if inside_class:
            inside_class = c != "]"
        elif c == "[":
            inside_class = True
            i += 2 if pattern[i + 1 : i + 2] in ("]", "^") else 0
        elif c == "(":
            named = re.match(r"\(\?P?<[A-Za-z_]\w*>", pattern[i:])
            captures = named is not None or pattern[i + 1 : i + 2] != "?"
            number += captures
            starts.append((number if captures else 0, i, i + (named.end() if named else 1)))
            depth += 1
        elif c == ")" and starts:
            depth -= 1
            group, start, inner = starts.pop()
            rest = pattern[i + 1 :]
            body = pattern[inner:i]
            bounded = _AFTER.match(rest) is not None or (not rest and _GREEDY.search(body) is not None)
            if group and depth == 0 and bounded and _BEFORE.search(pattern[:start]):
                found.add(group)
        i += 1
    return frozenset(found)
