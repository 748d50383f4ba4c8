"""`findkeywords`, `findtypes` and `typelearner`: searches that tell groups of rows from each other."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.field_values import whole_text
from sightline.search.planner.pivot import natural_key, one_array
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options

MOST_KEYWORDS = 5
"""Words of a suggested search at most."""
_ALWAYS = 0.98
"""Share of a group's rows that a word must be in to stand for the group."""


def word_counts(relation: Relation, text: Value, group: Value, context: Context) -> tuple[pa.Table, pa.Table]:
    """How many rows of each group have each word, and for each group its rows and the text of its first."""
    relation = relation.with_fields({"\0group": group, "\0text": text})
    known = relation.filtered(v.both([v.is_present(group), v.is_present(text)]))
    known, position = known.numbered()
    group, text = known.field("\0group"), known.field("\0text")
    lowered = v.call("lowerUTF8", v.call("ifNull", text, v.text(""), type=Type.TEXT), type=Type.TEXT)
    word = v.Column(Type.TEXT, "word")
    plain = v.call("match", word, v.text("^[^0-9]{2,}$"), type=Type.BOOL)
    words = v.call("arrayFilter", v.Lambda(Type.BOOL, ("word",), plain), v.call("splitByNonAlpha", lowered, type=Type.MULTI),
                   type=Type.MULTI)  # fmt: skip
    words = v.call("arrayDistinct", words, type=Type.MULTI)
    count = ("rows", v.call("toInt64", v.agg("count", type=Type.INT), type=Type.INT))
    sample = ("sample", v.agg("argMin", text, position, type=Type.TEXT))
    first = ("first", v.call("toInt64", v.agg("min", position, type=Type.INT), type=Type.INT))
    groups = context.table_of(known.aggregated([("group", group)], [count, sample, first]))
    each, one = known.unnested(words, "word")
    counted = context.table_of(each.aggregated([("group", each.field("\0group")), ("word", one)], [count]))
    return groups, counted


@dataclass(frozen=True)
class Keywords:
    """Words that all rows of a group have, those that tell it from the others first, and how many rows of any group have them."""

    words: tuple[str, ...]
    matching: int
    """Rows of all groups that have the most telling of the words, which is no fewer than have all."""


def keywords(groups: pa.Table, counted: pa.Table) -> list[Keywords]:
    """For each group its keywords."""
    names = {name: n for n, name in enumerate(groups["group"].to_pylist())}
    sizes = np.asarray(groups["rows"], dtype=np.int64)
    if not counted.num_rows:
        return [Keywords((), int(sizes.sum()))] * len(names)
    words = one_array(counted["word"]).dictionary_encode()
    codes = np.asarray(words.indices, dtype=np.int64)
    group = np.array([names[name] for name in counted["group"].to_pylist()], dtype=np.int64)
    rows = np.asarray(counted["rows"], dtype=np.int64)
    everywhere = np.bincount(codes, rows).astype(np.int64)
    texts = words.dictionary.to_pylist()
    found = []
    for number, size in enumerate(sizes):
        own = np.flatnonzero((group == number) & (rows >= _ALWAYS * size))
        # The word that the fewest rows of other groups have tells most.
        ranked = sorted(own, key=lambda n: (everywhere[codes[n]], texts[codes[n]]))[:MOST_KEYWORDS]
        matching = int(everywhere[codes[ranked[0]]]) if ranked else int(sizes.sum())
        found.append(Keywords(tuple(texts[codes[n]] for n in ranked), matching))
    return found


@command("findkeywords", kind="transforming")
@dataclass
class FindKeywords(Command):
    """Finds words that tell groups of rows from each other, such as those that cluster made.

    Syntax: findkeywords labelfield=<field> [dedup=<bool>]
    Example: index=web | cluster t=0.7 labelonly=true | findkeywords labelfield=cluster_label

    There is a row for each group, the largest first: `includeKeywords` are up to five words that its rows' `_raw` have, those
    that the fewest other rows have first; words with digits are left out. `numInInputGroup` and `percentInInputGroup` are
    the rows of the group and their share of all; `numInOutputGroup` and `percentInOutputGroup` those that the most telling
    keyword finds. `eventTypeable` is 1 where it finds no rows of other groups. `dedup=true` leaves out groups whose
    keywords a larger group has. `sampleEvent` is the first row's text.
    """

    labelfield: str = option("", help="field with the label of the group")
    dedup: bool = option(False, help="leave out groups whose keywords a larger group has")

    @classmethod
    def read(cls, arguments: Arguments) -> FindKeywords:
        given = super().read(arguments)
        assert isinstance(given, FindKeywords)
        if not given.labelfield:
            raise SearchError("labelfield=<field> is expected, such as labelfield=cluster_label", arguments.peek().span)
        return given

    def lower(self, relation: Relation, context: Context) -> Relation:
        label = v.cast(whole_text(relation.field(self.labelfield)), Type.TEXT)
        groups, counted = word_counts(relation, v.cast(whole_text(relation.field("_raw")), Type.TEXT), label, context)
        if context.dry:
            return context.relation_of(pa.table({"groupID": pa.array([], pa.string())}))
        return context.relation_of(context.python_step("findkeywords", lambda: self._table(groups, counted)))

    def _table(self, groups: pa.Table, counted: pa.Table) -> pa.Table:
        found, sizes = keywords(groups, counted), groups["rows"].to_pylist()
        names, samples, total = groups["group"].to_pylist(), groups["sample"].to_pylist(), max(sum(sizes), 1)
        order = sorted(range(len(names)), key=lambda n: (-sizes[n], natural_key(names[n])))
        if self.dedup:
            first = {found[n].words: n for n in reversed(order)}
            order = [n for n in order if first[found[n].words] == n]
        return pa.table(
            {
                "groupID": pa.array([names[n] for n in order], pa.string()),
                "includeKeywords": pa.array([" ".join(found[n].words) for n in order], pa.string()),
                "eventTypeable": pa.array(
                    [int(bool(found[n].words) and found[n].matching <= sizes[n]) for n in order], pa.int64()
                ),
                "numInInputGroup": pa.array([sizes[n] for n in order], pa.int64()),
                "percentInInputGroup": pa.array([sizes[n] / total for n in order], pa.float64()),
                "numInOutputGroup": pa.array([found[n].matching for n in order], pa.int64()),
                "percentInOutputGroup": pa.array([found[n].matching / total for n in order], pa.float64()),
                "sampleEvent": pa.array([samples[n] for n in order], pa.string()),
            }
        )


@dataclass
class _Suggesting(Command):
    """What both commands have: groups of rows that look alike, and a search for each."""

    def suggested(self, relation: Relation, shape: Value, most: int, context: Context) -> Relation:
        """A row for each group of rows of one source type and one shape, the largest first."""
        parts = [
            v.call("ifNull", v.as_text(one), v.text(""), type=Type.TEXT) for one in (relation.field("sourcetype"), shape)
        ]
        group = v.call("concat", parts[0], v.text("\x1f"), parts[1], type=Type.TEXT)
        groups, counted = word_counts(relation, v.cast(whole_text(relation.field("_raw")), Type.TEXT), group, context)
        if context.dry:
            return context.relation_of(pa.table({"search": pa.array([], pa.string())}))
        return context.relation_of(context.python_step(self.command_name, lambda: _suggestions(groups, counted, most)))


def _suggestions(groups: pa.Table, counted: pa.Table, most: int) -> pa.Table:
    merged: dict[str, tuple[int, str]] = {}
    rows = zip(groups["group"].to_pylist(), groups["rows"].to_pylist(), groups["sample"].to_pylist(), strict=True)
    for (name, size, sample), found in zip(rows, keywords(groups, counted), strict=True):
        sourcetype = name.partition("\x1f")[0]
        terms = [f'sourcetype="{sourcetype}"'] if sourcetype else []
        terms += [f'"{word}"' for word in sorted(found.words)]
        if terms:
            # Groups that the same search finds are one.
            before = merged.get(" ".join(terms), (0, sample))
            merged[" ".join(terms)] = (before[0] + size, before[1])
    order = sorted(merged.items(), key=lambda item: (-item[1][0], item[0]))[: most or None]
    total = max(sum(groups["rows"].to_pylist()), 1)
    return pa.table(
        {
            "search": pa.array([text for text, _ in order], pa.string()),
            "count": pa.array([size for _, (size, _) in order], pa.int64()),
            "coverage": pa.array([size / total for _, (size, _) in order], pa.float64()),
            "sample": pa.array([sample for _, (_, sample) in order], pa.string()),
        }
    )


@command("findtypes", kind="transforming")
@dataclass
class FindTypes(_Suggesting):
    """Suggests event types: searches that find rows which look alike.

    Syntax: findtypes [max=<number>] [notcovered] [useraw]
    Example: index=web | findtypes max=5

    Rows of one source type whose text has the same punctuation are a group. A search of the words that all rows of a group
    have is suggested, with how many rows of such groups there are as `count`, their share of all as `coverage`, and the text
    of one; the largest first, at most `max` (10). `notcovered` looks only at rows without an `eventtype`. `useraw` takes
    the first word of the text instead of its punctuation.
    """

    max: int = option(10, minimum=0, help="suggestions at most; 0 is all")
    notcovered: bool = False
    useraw: bool = False

    @classmethod
    def read(cls, arguments: Arguments) -> FindTypes:
        found = arguments.options(cls)
        while not arguments.done:
            if error := arguments.unknown_option(cls):
                raise error
            token = arguments.accept_word("notcovered", "useraw")
            if token is None:
                arguments.finish()
            else:
                found[token.text.lower()] = True
            found.update(arguments.options(cls))
        return cls(**found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *(word for word in ("notcovered", "useraw") if getattr(self, word))]

    def lower(self, relation: Relation, context: Context) -> Relation:
        if self.notcovered and relation.field("eventtype").type is not Type.NULL:
            relation = relation.filtered(v.negation(v.is_present(relation.field("eventtype"))))
        shape = relation.field("punct")
        if self.useraw:
            raw = v.call("ifNull", v.as_text(relation.field("_raw")), v.text(""), type=Type.TEXT)
            shape = v.call("arrayElement", v.call("splitByNonAlpha", raw, type=Type.MULTI), v.integer(1), type=Type.TEXT)
        return self.suggested(relation, shape, self.max, context)


@command("typelearner", kind="transforming")
@dataclass
class TypeLearner(_Suggesting):
    """Suggests event types from groups of rows that have the same value of a field.

    Syntax: typelearner [<field>] [maxlen=<number>]
    Example: index=web | typelearner punct maxlen=10

    As findtypes, without a limit, for groups of one source type and the same first `maxlen` (15) characters of a field,
    `punct` unless named; a negative number takes all of it.
    """

    maxlen: int = option(15, help="characters of the field that are looked at; a negative number is all")
    name: str = "punct"

    @classmethod
    def read(cls, arguments: Arguments) -> TypeLearner:
        names, found = arguments.names_with_options(cls)
        if len(names) > 1:
            raise SearchError(f"one field at most is expected, got {len(names)}", arguments.peek().span)
        return cls(name=names[0] if names else "punct", **found)

    def print_arguments(self) -> list[str]:
        return [*([] if self.name == "punct" else [print_name(self.name)]), *print_options(self)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        shape = whole_text(relation.field(self.name))
        if self.maxlen >= 0 and shape.type is Type.TEXT:
            shape = v.call("substringUTF8", shape, v.integer(1), v.integer(self.maxlen), type=Type.TEXT)
        return self.suggested(relation, shape, 0, context)
