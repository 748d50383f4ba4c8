"""`relevancy`: how well each row's text fits the words that were searched for."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Over, Type, Value
from sightline.search.registry import Command, command

_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"')
_NO_WORDS = frozenset(("and", "or", "not", "search", "in"))


@command("relevancy")
@dataclass
class Relevancy(Command):
    """Adds how well each row's text fits the words of the search.

    Syntax: relevancy
    Example: index=web disk error timeout | relevancy | sort - relevancy

    The new field `relevancy` is the sum over the words and phrases of the search, before its first pipe, of how often one
    stands in `_raw` divided by the length of the text in words, times the logarithm of the number of rows divided by the
    number of rows that have it, plus 1: rare words count more, long texts less. Words stand in any case; comparisons of
    fields are no words. Without a word, or without `_raw`, it is 0.
    """

    def lower(self, relation: Relation, context: Context) -> Relation:
        words = searched_words(context.search_text)
        raw = relation.field("_raw")
        if not words or raw.type is not Type.TEXT:
            return relation.with_field("relevancy", v.real(0))
        text = v.call("lowerUTF8", v.call("ifNull", raw, v.text(""), type=Type.TEXT), type=Type.TEXT)
        length = v.call("length", v.call("splitByNonAlpha", text, type=Type.MULTI), type=Type.INT)
        counts = [v.call("countSubstrings", text, v.text(word.lower()), type=Type.INT) for word in words]
        windows = [("rows", Over(Type.INT, v.call("count", type=Type.INT)))]
        for count in counts:
            has = v.call("greater", count, v.integer(0), type=Type.BOOL)
            windows.append(("having", Over(Type.INT, v.call("countIf", has, type=Type.INT))))
        relation, (rows, *having) = relation.windowed(windows)
        total: Value = v.real(0)
        for count, some in zip(counts, having, strict=True):
            ratio = v.call("divide", rows, v.call("greatest", some, v.integer(1), type=Type.INT), type=Type.FLOAT)
            rarity = v.call("plus", v.call("log", ratio, type=Type.FLOAT), v.real(1), type=Type.FLOAT)
            share = v.call("divide", count, v.call("greatest", length, v.integer(1), type=Type.INT), type=Type.FLOAT)
            total = v.call("plus", total, v.call("multiply", share, rarity, type=Type.FLOAT), type=Type.FLOAT)
        return relation.with_field("relevancy", total)


def searched_words(text: str) -> list[str]:
    """The words and phrases of a search before its first pipe."""
    base = _QUOTED.sub(lambda m: " ".join(("\0" + m[1].replace('\\"', '"').replace(" ", "\1")).split()), text)
    base = base.lstrip(" |").partition("|")[0]
    base = re.sub(r"\s*(!=|<=|>=|==|=|<|>)\s*", "=", base)
    found = []
    for token in re.split(r"[\s()]+", base):
        word = token.lstrip("\0").replace("\1", " ").strip("*")
        if not token or "=" in token or "::" in token or word.lower() in _NO_WORDS or token.startswith(("-", "[")):
            continue
        if word and word.lower() not in (known.lower() for known in found):
            found.append(word)
    return found
