"""Regular expressions in the engine: checking them, finding their named groups, matching, extracting, replacing.

The engine's matcher runs in linear time and knows neither look-around nor back-references; a pattern that needs them is
refused with the construct named.
"""

from __future__ import annotations

import re

import regex

from sightline.errors import SearchError, Span
from sightline.search.planner import values as v
from sightline.search.planner.values import Type, Value

_UNSUPPORTED = (
    (re.compile(r"\(\?<?[=!]"), "look-around such as (?=...) or (?<!...)"),
    (re.compile(r"\(\?>"), "an atomic group (?>...)"),
    (re.compile(r"(?<!\\)(?:\\\\)*(?:\\[1-9]|\\k[<{']|\(\?P=)"), "a back-reference such as \\1"),
    (re.compile(r"(?<!\\)[*+?}]\+"), "a possessive quantifier such as a++"),
    (re.compile(r"\(\?(?:R|\d|&)"), "recursion"),
)


def check(pattern: str, span: Span | None = None) -> None:
    """Refuse a pattern that is no regular expression, or one that the engine cannot match."""
    try:
        regex.compile(pattern)
    except regex.error as error:
        raise SearchError(f'"{pattern}" is not a regular expression: {error}', span) from None
    for construct, name in _UNSUPPORTED:
        if construct.search(_without_classes(pattern)):
            raise SearchError(
                f'the regular expression "{pattern}" uses {name}, which is not supported',
                span,
                hint="match more with a plain group and cut it with another rex or replace()",
            )


def _without_classes(pattern: str) -> str:
    """The pattern with character classes and escaped brackets blanked, so that their contents are not read as syntax."""
    return re.sub(r"\\[\[\]()]|\[\^?\]?(?:\\.|[^\]\\])*\]", "x", pattern)


def group_names(pattern: str) -> list[str]:
    """Names of the groups in the order they open."""
    return re.findall(r"(?<!\\)\(\?P?<([A-Za-z_]\w*)>", pattern)


def _engine_pattern(pattern: str) -> Value:
    return v.text(re.sub(r"(?<!\\)\(\?<(?=[A-Za-z_])", "(?P<", pattern))


def matches(text: Value, pattern: str) -> Value:
    """Whether the pattern occurs in the text."""
    check(pattern)
    return v.call("match", text, _engine_pattern(pattern), type=Type.BOOL)


def extract(text: Value, pattern: str, name: str, max_match: int = 1) -> Value:
    """What a named group matched: text of the first match, or a multivalue of the first `max_match` (0: all)."""
    index = v.integer(regex.compile(pattern).groupindex[name])
    if max_match == 1:
        groups = v.call("extractGroups", text, _engine_pattern(pattern), type=Type.MULTI)
        found = v.call("arrayElement", groups, index, type=Type.TEXT)
        return v.call("nullIf", found, v.text(""), type=Type.TEXT)
    groups = v.call("extractAllGroupsHorizontal", text, _engine_pattern(pattern), type=Type.MULTI)
    found = v.call("arrayElement", groups, index, type=Type.MULTI)
    if max_match:
        found = v.call("arraySlice", found, v.integer(1), v.integer(max_match), type=Type.MULTI)
    return found


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
    function = "replaceRegexpAll" if everywhere else "replaceRegexpOne"
    prepared = re.sub(r"\\(?![0-9\\])", r"\\\\", replacement)
    return v.call(function, text, _engine_pattern(pattern), v.text(prepared), type=Type.TEXT)
