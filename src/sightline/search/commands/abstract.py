"""`abstract`: the lines of long events that tell most."""

from __future__ import annotations

from dataclasses import dataclass

from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.lower import undictionaried
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Column, Lambda, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import option


@command("abstract")
@dataclass
class Abstract(Command):
    """Shortens the text of long events to the lines that tell most.

    Syntax: abstract [maxterms=<n>] [maxlines=<n>]
    Example: index=web | abstract maxlines=5

    Events of at most `maxlines` (10) lines stay as they are. Of longer ones `_raw` keeps that many lines: those with most of
    the words that the search looked for, of which the first `maxterms` (1000) count, and their neighbours; where it looked
    for none, those with most words. Of lines that tell as much, earlier ones are kept. A line that does not follow the one
    before it begins with `...`.
    """

    maxterms: int = option(1000, minimum=1, help="how many words of the search count")
    maxlines: int = option(10, minimum=1, help="how many lines to keep")

    def lower(self, relation: Relation, context: Context) -> Relation:
        raw = undictionaried(relation.field("_raw"))
        if raw.type is not Type.TEXT:
            return relation
        terms = [term.lower() for term in relation.presentation.terms[: self.maxterms]]
        lines = v.call("splitByChar", v.text("\n"), v.call("ifNull", raw, v.text(""), type=Type.TEXT), type=Type.MULTI)
        short = v.call("lessOrEquals", v.call("length", lines, type=Type.INT), v.integer(self.maxlines), type=Type.BOOL)
        chosen = v.shared([lines], lambda lines: self._chosen(lines, terms))
        shortened = v.call("if", short, raw, chosen, type=Type.TEXT)
        return relation.with_field("_raw", v.call("if", v.is_present(raw), shortened, raw, type=Type.TEXT))

    def _chosen(self, lines: Value, terms: list[str]) -> Value:
        line, score, number = Column(Type.TEXT, "line"), Column(Type.INT, "score"), Column(Type.INT, "number")
        scores = v.call("arrayMap", Lambda(Type.INT, ("line",), _words_that_count(line, terms)), lines, type=Type.MULTI)
        # A neighbour tells half as much: it is read for what stands around the words.
        padded = v.call("arrayPushBack", v.call("arrayPushFront", scores, v.integer(0), type=Type.MULTI), v.integer(0),
                        type=Type.MULTI)  # fmt: skip

        def at(offset: int) -> Value:
            place = v.call("plus", number, v.integer(offset), type=Type.INT)
            return v.call("arrayElement", padded, place, type=Type.INT)

        own = v.call("multiply", at(1), v.integer(2), type=Type.INT)
        told = v.call("plus", own, v.call("plus", at(0), at(2), type=Type.INT), type=Type.INT)
        numbers = v.call("arrayEnumerate", lines, type=Type.MULTI)
        totals = v.call("arrayMap", Lambda(Type.INT, ("number",), told), numbers, type=Type.MULTI)
        rank = v.call(
            "tuple", v.call("negate", v.call("toInt64", score, type=Type.INT), type=Type.INT), number, type=Type.INT
        )
        ranked = v.call("arraySort", Lambda(Type.INT, ("number", "score"), rank), numbers, totals, type=Type.MULTI)
        best = v.call("arraySlice", ranked, v.integer(1), v.integer(self.maxlines), type=Type.MULTI)
        kept = v.call("arraySort", best, type=Type.MULTI)
        before = v.call("arrayPushFront", v.call("arrayPopBack", kept, type=Type.MULTI), v.integer(0), type=Type.MULTI)
        previous = Column(Type.INT, "previous")
        follows = v.call("equals", v.call("plus", previous, v.integer(1), type=Type.INT), number, type=Type.BOOL)
        text = v.call("concat", v.call("if", follows, v.text(""), v.text("..."), type=Type.TEXT),
                      v.call("arrayElement", lines, number, type=Type.TEXT), type=Type.TEXT)  # fmt: skip
        written = v.call("arrayMap", Lambda(Type.TEXT, ("number", "previous"), text), kept, before, type=Type.MULTI)
        return v.call("arrayStringConcat", written, v.text("\n"), type=Type.TEXT)


def _words_that_count(line: Value, terms: list[str]) -> Value:
    if not terms:
        words = v.call("extractAll", line, v.text(r"[\pL\pN]+"), type=Type.MULTI)
        return v.call("length", words, type=Type.INT)
    lowered = v.call("lowerUTF8", line, type=Type.TEXT)
    places = v.call("multiSearchAllPositions", lowered, v.multi(terms), type=Type.MULTI)
    found = Lambda(Type.BOOL, ("place",), v.call("greater", Column(Type.INT, "place"), v.integer(0), type=Type.BOOL))
    return v.call("arrayCount", found, places, type=Type.INT)
