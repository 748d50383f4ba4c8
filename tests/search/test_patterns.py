"""The engine's matcher against PCRE: wherever a pattern is given to the engine, both must say the same about any text."""

from __future__ import annotations

import os
import random
import time

import pyarrow as pa

from sightline.search.planner import regexes
from sightline.search.planner.patterns import translate
from sightline.store import pcre

LONG_S = float(os.environ.get("SIGHTLINE_FUZZ_S", "0"))
"""How long to look for differences; without it a few thousand patterns are tried, always the same."""

ATOMS = [
    *("a", "b", "B", "é", "日", "K", "ſ", "7", "_", " ", "-", "=", ":", "/", "\\.", "\\-", "\\/", "ab", "key=", "\\x41", "\\x{e9}", "\\101"),
    *(".", "\\d", "\\D", "\\w", "\\W", "\\s", "\\S", "\\h", "\\v", "\\H", "\\V", "\\N", "\\t", "\\n", "\\r", "\\e", "\\0", "\\cA"),
    *("[ab]", "[^ab]", "[a-c0-9_]", "[^\\s]", "[\\S]", "[^=]", "[\\w.-]", "[]a]", "[^]a]", "[a\\]]", "[\\d-]", "[-a]", "[a-\\d]"),
    *("[[:alpha:]]", "[^[:space:]]", "[[:^digit:]x]", "[\\h]", "[^\\v]", "[\\x41-C]", "[é-ü]", "[\\b]", "[\\Qa-]\\E]", "[\\n]"),
    *("k", "s", "[^k]", "[r-u]", "[\\wé]", "[\\Wk]", "[[:upper:]]", "[[:^lower:]]", "[[:xdigit:]]", "[[:punct:]é]", "[\\D]", "[\\W]"),
    *("^", "$", "\\b", "\\B", "\\A", "\\z", "\\Z", "\\Qa.b\\E", "\\Q\\E", "\\E", "(?i)", "(?s)", "(?m)", "(?-i)", "(?U)", "(?#c)"),
    *("{", "}", "]", "{a}", "{,", ",2}", "#"),
]  # fmt: skip
ONLY_PCRE = [
    "(?=a)",
    "(?!b)",
    "(?<=a)",
    "(?<!b)",
    "(?<=[ab]c)",
    "\\1",
    "\\g1",
    "(?>a|ab)",
    "\\R",
    "\\X",
    "\\pL",
    "\\K",
    "(*SKIP)",
]
QUANTIFIERS = ["*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}", "{0,1}", "{2,}", "{,2}", "{1,2}?", "*+", "++", "{ 1, 2 }"]
TEXTS = [
    *("", "a", "b", "ab", "aab", "abc", "aB\n", "a\n", "\n", "\n\n", "a\nb", "a\nb\n", "b\r\na", "a b", " a", "key=a7", "key=\n"),
    *("é", "éa", "ÉK", "k\u212a", "s\u017f", "\x0b", "a\x0bb", "\xa0", "\u2028", "\x85", "\x00a", "\x1b", "\x01", "-", "a-b", "a.b"),
    *("7", "77a", "_", "A", "C", "ABBA", "aaaa", "a=b:c/d", "{a}", "a]", "[", "{", "a{,2}", "x#y", "日本a", "a\U0001f600", "\x08", ",2}"),
]  # fmt: skip


KINDS = ("match", "first", "every", "all", "one", "whole", "wholes", "groups")


def some_pattern(random: random.Random, depth: int = 0) -> str:
    parts = []
    for _ in range(random.randint(0 if depth else 1, 3)):
        dice = random.random()
        if dice < 0.15 and depth < 2:
            opening = random.choice(["(", "(?:", "(?<n>", "(?P<m>", "(?i:", "(?s-i:", "(?x: "])
            part = f"{opening}{some_pattern(random, depth + 1)})"
        elif dice < 0.2:
            part = random.choice(ONLY_PCRE)
        else:
            part = random.choice(ATOMS)
        if random.random() < 0.3:
            part += random.choice(QUANTIFIERS)
        parts.append(part)
    pattern = "".join(parts)
    return f"{pattern}|{some_pattern(random, depth + 1)}" if random.random() < 0.12 and depth < 2 else pattern


def by_pcre(pattern: str, name: str) -> list[tuple]:
    number = pcre.groups_of(pattern)[1][name]
    rows = []
    for text in TEXTS:
        rows.append(
            (
                pcre.pcre_match(text, pattern),
                pcre.pcre_group(text, pattern, number) or None,
                split(pcre.pcre_groups(text, pattern, number, 0)),
                pcre.pcre_replace(text, pattern, r"<\0>", 0),
                pcre.pcre_replace(text, pattern, r"\\\1$", 1),
                pcre.pcre_group(text, pattern, 0) or None,
                split(pcre.pcre_groups(text, pattern, 0, 0)),
                groups_of_matches(pcre.pcre_all_groups(text, pattern)),
            )
        )
    return rows


def split(listed: str | None) -> list[str]:
    return [] if listed is None else listed[1:].split(pcre.MATCH_END)


def groups_of_matches(listed: str | None) -> list[list[str]]:
    return [match.split(pcre.GROUP_END) for match in split(listed)]


def differences(calculate, patterns: list[str]) -> list[str]:
    """What the planner's values and PCRE say differently, over all the texts, for patterns with a group `g`."""
    context = calculate.context()
    relation = context.relation_of(pa.table({"text": TEXTS}))
    text = relation.field("text")
    fields = {}
    for n, pattern in enumerate(patterns):
        fields |= {
            f"match{n}": regexes.matches(text, pattern),
            f"first{n}": regexes.extract(text, pattern, "g"),
            f"every{n}": regexes.extract(text, pattern, "g", 0),
            f"all{n}": regexes.replace(text, pattern, r"<\0>"),
            f"one{n}": regexes.replace(text, pattern, r"\\\1$", which=1),
            f"whole{n}": regexes.extract_group(text, pattern, 0),
            f"wholes{n}": regexes.extract_group(text, pattern, 0, 0),
            f"groups{n}": regexes.all_groups(text, pattern),
        }
    table = context.table_of(relation.with_fields(fields), list(fields))
    found = []
    for n, pattern in enumerate(patterns):
        columns = [table[f"{kind}{n}"].to_pylist() for kind in KINDS]
        for text_, wanted, *got in zip(TEXTS, by_pcre(pattern, "g"), *columns, strict=True):
            for kind, a, b in zip(KINDS, wanted, got, strict=True):
                if a != b:
                    found.append(
                        f"{kind} of {pattern!r} (engine: {translate(pattern).fast!r}) in {text_!r}: PCRE {a!r}, got {b!r}"
                    )
    return found


def test_random_patterns_mean_the_same_to_both(calculate):
    source, started, fast, tried = random.Random(7), time.monotonic(), 0, 0
    while tried < 1500 or time.monotonic() - started < LONG_S:
        patterns = []
        while len(patterns) < 50:
            pattern = some_pattern(source)
            pattern = f"(?<g>{pattern})" if source.random() < 0.6 else f"{pattern}(?<g>{source.choice(ATOMS)}+)"
            # The pattern stands in the planner as a constant, and what PCRE refuses never gets there.
            if not pcre.problem_of(pattern):
                patterns.append(pattern)
        found = differences(calculate, patterns)
        assert not found, "\n".join(found[:10])
        tried += len(patterns)
        fast += sum(translate(pattern).fast is not None for pattern in patterns)
    assert fast > tried / 2, "most patterns are for the engine"
