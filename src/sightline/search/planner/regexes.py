"""Regular expressions over rows: checking them, matching, extracting, replacing.

They are PCRE's. Where the engine's own matcher can do the same (`patterns` says so) it does, at ten million rows a second;
else PCRE looks at one text after another, a million a second, after the engine has sorted out the texts in which a looser
pattern finds nothing.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import lru_cache

from sightline.errors import LanguageError, Span
from sightline.search.planner import values as v
from sightline.search.planner.patterns import Translation, translate
from sightline.search.planner.values import Type, Value
from sightline.store import pcre


def check(pattern: str, span: Span | None = None) -> None:
    """Refuse a pattern that is no regular expression."""
    if "\0" in pattern:
        raise LanguageError(f'"{pattern}" is not a regular expression: it holds the character 0, wanted \\0', span)
    problem = pcre.problem_of(pattern)
    if problem:
        hint = 'any text is ".*" in a regular expression, and at its ends it is there anyway' if pattern[:1] == "*" else ""
        raise LanguageError(f'"{pattern}" is not a regular expression: {problem}', span, hint=hint)


def closes_too_much(pattern: str) -> bool:
    """Whether all that is wrong with a pattern is a closing parenthesis at its end that none opens."""
    return pattern.endswith(")") and bool(pcre.problem_of(pattern)) and not pcre.problem_of(pattern[:-1])


def group_names(pattern: str) -> list[str]:
    """Names of the groups in the order they open."""
    return list(pcre.groups_of(pattern)[1])


def group_count(pattern: str) -> int:
    """How many groups a pattern has, named or not."""
    return pcre.groups_of(pattern)[0]


def group_indexes(pattern: str) -> dict[str, int]:
    """The number of each named group."""
    return dict(pcre.groups_of(pattern)[1])


def _bool(name: str, *arguments: Value) -> Value:
    return v.call(name, *arguments, type=Type.BOOL)


def _plain(text: Value) -> Value:
    # PCRE is given text that Python has decoded, which stops at bytes that are no UTF-8.
    return v.call("toValidUTF8", text, type=Type.TEXT)


def _sure(text: Value) -> Value:
    # A function that gives an array takes no NULL.
    return v.call("ifNull", text, v.text(""), type=Type.TEXT)


def _only_where(condition: Value | None, text: Value) -> Value:
    """The text, NULL where the condition does not hold, which spares the call that takes it."""
    if condition is None:
        return text
    return v.call("if", condition, text, v.Literal(Type.TEXT, None), type=Type.TEXT)


def _line_end(text: Value) -> Value:
    return _bool("endsWith", text, v.text("\n"))


def _sorted_out(text: Value, found: Translation) -> Value | None:
    """A test that holds wherever the pattern may match, or None where nothing cheap is known."""
    return None if found.superset is None else _bool("match", text, v.text(found.superset))


def _tests(text: Value, found: Translation) -> list[Value]:
    tests = [(_bool("match", text, v.text(test)), wanted) for test, wanted in found.tests]
    return [test if wanted else v.negation(test) for test, wanted in tests]


def _by_line_end(text: Value, found: Translation, fast: Value, slow: Callable[[Value], Value]) -> Value:
    """What the engine says, or PCRE for texts whose last line feed the engine would take for text."""
    if not found.line_end:
        return fast
    special = _line_end(text)
    if fast.type is Type.MULTI:
        return v.call("if", v.is_true(special), slow(_only_where(special, text)), fast, type=fast.type)
    return v.call("if", special, slow(_only_where(special, text)), fast, type=fast.type)


def matches(text: Value, pattern: str) -> Value:
    """Whether the pattern occurs in the text."""
    check(pattern)
    return v.shared([text], lambda text: _matches(text, pattern))


def _matches(text: Value, pattern: str) -> Value:
    found = translate(pattern)
    if found.fast is not None:
        fast = v.both([_bool("match", text, v.text(found.fast)), *_tests(text, found)])
        return _by_line_end(text, found, fast, lambda given: _bool("pcre_match", _plain(given), v.text(pattern)))
    first = _sorted_out(text, found)
    slow = _bool("pcre_match", _plain(_only_where(first, text)), v.text(pattern))
    return slow if first is None else v.both([first, slow])


def matches_any(text: Value, pattern: Value) -> Value:
    """The same for a pattern that differs by row. A row's pattern that is no regular expression stops the search."""
    return _bool("pcre_match", _plain(text), _plain(pattern))


def extract(text: Value, pattern: str, name: str, max_match: int = 1) -> Value:
    """What a named group matched: text of the first match, or a multivalue of the first `max_match` (0: all)."""
    return extract_group(text, pattern, pcre.groups_of(pattern)[1][name], max_match)


def extract_group(text: Value, pattern: str, number: int, max_match: int = 1) -> Value:
    """The same for a group by its number; 0 is the whole match.

    A group that matched no text is absent in the first match, and "" among several.
    """
    return v.shared([text], lambda text: (_first if max_match == 1 else _several)(text, pattern, number, max_match))


def _numbered(fast: str, number: int) -> tuple[Value, Value]:
    """The pattern and the place of a group in what the engine lists, which leaves the whole match out."""
    return (v.text(fast), v.integer(number)) if number else (v.text(f"({fast})"), v.integer(1))


def _first(text: Value, pattern: str, number: int, max_match: int) -> Value:
    found = translate(pattern)

    def slow(given: Value) -> Value:
        return v.call("pcre_group", _plain(given), v.text(pattern), _int64(number), type=Type.TEXT)

    if found.fast is not None and (number or not found.first_only):
        given, place = _numbered(found.fast, number)
        groups = v.call("extractGroups", _sure(text), given, type=Type.MULTI)
        taken = v.call("arrayElement", groups, place, type=Type.TEXT)
        tests = _tests(text, found)
        if tests:
            taken = v.call("if", v.both(tests), taken, v.text(""), type=Type.TEXT)
        taken = _by_line_end(text, found, taken, slow)
    else:
        taken = slow(_only_where(_sorted_out(text, found), text))
    return v.call("nullIf", taken, v.text(""), type=Type.TEXT)


def _several(text: Value, pattern: str, number: int, max_match: int) -> Value:
    found = translate(pattern)

    def slow(given: Value) -> Value:
        arguments = (_plain(given), v.text(pattern), _int64(number), _int64(max_match))
        listed, rest = _listed(v.call("pcre_groups", *arguments, type=Type.TEXT))
        split = v.call("splitByChar", v.text(pcre.MATCH_END), rest, type=Type.MULTI)
        read = v.call("JSONExtract", rest, v.text("Array(String)"), type=Type.MULTI)
        return _read_list(listed, split, read)

    if found.fast is None or found.first_only or found.empty:
        return slow(_only_where(_sorted_out(text, found), text))
    given, place = _numbered(found.fast, number)
    # The function that gives the groups of all matches one by one has no limit; its sibling stops at a thousand.
    every = v.call("extractAllGroupsVertical", _sure(text), given, type=Type.MULTI)
    if max_match:
        every = v.call("arraySlice", every, v.integer(1), v.integer(max_match), type=Type.MULTI)
    taken = v.call("arrayElement", v.Column(Type.MULTI, "groups"), place, type=Type.TEXT)
    taken = v.call("arrayMap", v.Lambda(Type.TEXT, ("groups",), taken), every, type=Type.MULTI)
    return _by_line_end(text, found, _where_tests_hold(text, found, taken), slow)


def all_groups(text: Value, pattern: str) -> Value:
    """The groups of every match: an array, for each match, of an array of texts. The pattern must have a group."""
    return v.shared([text], lambda text: _all_groups(text, pattern))


def _all_groups(text: Value, pattern: str) -> Value:
    found = translate(pattern)

    def slow(given: Value) -> Value:
        listed, rest = _listed(v.call("pcre_all_groups", _plain(given), v.text(pattern), type=Type.TEXT))
        match = v.Column(Type.TEXT, "match")
        groups = v.call("splitByChar", v.text(pcre.GROUP_END), match, type=Type.MULTI)
        split = v.call("splitByChar", v.text(pcre.MATCH_END), rest, type=Type.MULTI)
        split = v.call("arrayMap", v.Lambda(Type.MULTI, ("match",), groups), split, type=Type.MULTI)
        read = v.call("JSONExtract", rest, v.text("Array(Array(String))"), type=Type.MULTI)
        return _read_list(listed, split, read)

    if found.fast is None or found.first_only or found.empty:
        return slow(_only_where(_sorted_out(text, found), text))
    every = v.call("extractAllGroupsVertical", _sure(text), v.text(found.fast), type=Type.MULTI)
    return _by_line_end(text, found, _where_tests_hold(text, found, every), slow)


def _where_tests_hold(text: Value, found: Translation, values: Value) -> Value:
    tests = _tests(text, found)
    return v.call("if", v.is_true(v.both(tests)), values, _NONE, type=Type.MULTI) if tests else values


_NONE = v.call("array", type=Type.MULTI)
"""No values, whether texts or lists of texts are wanted."""


def _listed(given: Value) -> tuple[Value, Value]:
    """What a function gave that lists texts in one text, and that without the sign in front."""
    sure = _sure(given)
    return sure, v.call("substring", sure, v.integer(2), type=Type.TEXT)


def _read_list(listed: Value, split: Value, read: Value) -> Value:
    kinds = (
        _bool("startsWith", listed, v.text(pcre.LISTED)),
        split,
        _bool("startsWith", listed, v.text(pcre.AS_JSON)),
        read,
    )
    return v.call("multiIf", *kinds, _NONE, type=Type.MULTI)


def _int64(value: int) -> Value:
    return v.call("toInt64", v.integer(value), type=Type.INT)


def offsets(text: Value, pattern: str) -> Value:
    """`name=from-to` of each named group of the first match, with places counted from 0, joined by &."""
    return v.call("pcre_offsets", _plain(_only_where(_sorted_out(text, translate(pattern)), text)), v.text(pattern),
                  type=Type.TEXT)  # fmt: skip


def replace(text: Value, pattern: str, replacement: str, *, which: int = 0) -> Value:
    r"""The text with every match replaced, or the one of number `which`; `\1` is what the first group matched, nothing without one."""
    check(pattern)
    groups = pcre.groups_of(pattern)[0]
    # A group that there is not matches nothing, as published searches have it.
    replacement = re.sub(r"\\(\\|\d)", lambda m: "" if m[1].isdigit() and int(m[1]) > groups else m[0], replacement)
    return v.shared([text], lambda text: _replace(text, pattern, replacement, which))


def _replace(text: Value, pattern: str, replacement: str, which: int) -> Value:
    found = translate(pattern)

    def slow(given: Value) -> Value:
        return _replace_by_pcre(given, v.text(pattern), v.text(replacement), which)

    if found.fast is None or found.first_only or found.empty or found.tests or which > 1:
        first = _sorted_out(text, found)
        if first is None:
            return slow(text)
        return v.call("if", first, slow(_only_where(first, text)), text, type=Type.TEXT)
    function = "replaceRegexpAll" if which == 0 else "replaceRegexpOne"
    prepared = re.sub(r"\\(\\|\d)|\\", lambda m: m[0] if m[1] else "\\\\", replacement)
    return _by_line_end(text, found, v.call(function, text, v.text(found.fast), v.text(prepared), type=Type.TEXT), slow)


def replace_any(text: Value, pattern: Value, replacement: Value) -> Value:
    """The same for a pattern or a replacement that differs by row."""
    return _replace_by_pcre(text, _plain(pattern), _plain(replacement), 0)


def _replace_by_pcre(text: Value, pattern: Value, replacement: Value, which: int) -> Value:
    return v.call("pcre_replace", _plain(text), pattern, replacement, _int64(which), type=Type.TEXT)


# ---- whole tokens ----------------------------------------------------------------------------------------------------

_NO_WORD = r"(?:[=:;,\"'<> /&#%@!~_-]|(?<!\\)\\[^\w]|(?<!\\)\\[stnbW])\+?"
"""A piece of a pattern that matches a sign which is no letter and no digit, or stands at the edge of a word."""
_BEFORE = re.compile(rf"(?:\^|{_NO_WORD})\Z")
_AFTER = re.compile(rf"(?:\$|{_NO_WORD}(?![?*{{]))")
_GREEDY = re.compile(r"(?:\\[wS]|\.|\[\^(?:[^\]\\A-Za-z0-9\[-]|\\[^\w]|\\s)*\])[+*]\Z")


@lru_cache(maxsize=1000)
def whole_token_groups(pattern: str) -> frozenset[int]:
    """Groups whose text begins and ends where words of the searched text do, as far as the pattern shows.

    `user=(\\w+)` is one, `(\\d\\d)\\d` is none: there a word of the group need not be a word of the text. When in doubt
    a group is left out, so that a text index may be asked for the words of those that are in.
    """
    if "|" in _without_classes(re.sub(r"\([^()]*\)", "", pattern)) or translate(pattern).fast is None:
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


def _without_classes(pattern: str) -> str:
    """The pattern with character classes, quoted runs and escaped signs blanked, so that these are not read as syntax."""
    blanked = re.sub(r"\\Q.*?(?:\\E|\Z)", "x", pattern, flags=re.S)
    return re.sub(r"\\[^\w]|\[\^?\]?(?:\\.|\[:\w+:\]|[^\]\\])*\]", "x", blanked, flags=re.S)
