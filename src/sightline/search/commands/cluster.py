"""`cluster`: rows of similar texts, grouped."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline import ml
from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.field_values import whole_text
from sightline.search.planner.pivot import one_array
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Column, Lambda, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option

_DIGITS = "0123456789"
_APART = "\x1f"
"""Stands between words where they are one text, and between a word and its place."""


@command("cluster")
@dataclass
class Cluster(Command):
    """Groups rows whose texts are similar, and keeps one row of each group.

    Syntax: cluster [t=<number>] [field=<field>] [match=termlist|termset|ngramset] [delims=<characters>] [showcount=<bool>]
        [countfield=<name>] [labelfield=<name>] [labelonly=<bool>]
    Example: index=web error | cluster t=0.7 showcount=true | table cluster_count _raw | sort - cluster_count

    A text (`_raw` unless named) is a list of words, what stands between characters that are neither letters nor digits, or
    between those of `delims`. Two texts are similar when the cosine of their words is `t` (0.8) or more: for `termlist` words
    count at their places, for `termset` wherever they stand, for `ngramset` all runs of three characters. The first row
    leads a group; each following row joins the group whose leader it is most similar to, or leads a new one. Groups are
    numbered in the order of their first rows, which are kept; `labelonly=true` keeps all rows. A row without the field is in
    no group.

    Texts that differ in words with digits only, and in few enough of these to be similar anyway, are one to begin with;
    the engine finds them, and what is compared is the remaining few.
    """

    t: float = option(0.8, help="how similar texts of a group are to its first: above 0, up to 1")
    field: str = option("_raw", help="the text")
    match: str = option("termlist", choices=("termlist", "termset", "ngramset"), help="what counts as similar")
    delims: str = option("", help="characters that stand between words")
    showcount: bool = option(False, help="add how many rows the group has")
    countfield: str = option("cluster_count", help="field for how many rows the group has")
    labelfield: str = option("cluster_label", help="field for the number of the group")
    labelonly: bool = option(False, help="keep all rows")

    @classmethod
    def read(cls, arguments: Arguments) -> Cluster:
        given = super().read(arguments)
        assert isinstance(given, Cluster)
        if not 0 < given.t <= 1:
            raise SearchError(f"t must be above 0 and at most 1, got {given.t:g}")
        return given

    def lower(self, relation: Relation, context: Context) -> Relation:
        text = whole_text(relation.field(self.field))
        if text.type is Type.NULL or isinstance(text, v.Literal) and text.value is None:
            text = v.Literal(Type.TEXT, None)
        fields = dict(relation.fields)
        key, kind = self._key_and_kind(text)
        relation = relation.with_fields(fields | {"\0text": text, "\0key": key, "\0kind": kind})
        relation, position = relation.numbered()
        relation = relation.settled()
        position, key = relation.order[0][0], relation.field("\0key")
        grouped = relation.filtered(v.is_present(key)).aggregated(
            [("key", key)],
            [
                ("text", v.agg("argMin", relation.field("\0text"), position, type=Type.TEXT)),
                ("kind", v.agg("any", relation.field("\0kind"), type=Type.INT)),
                ("rows", v.call("toInt64", v.agg("count", type=Type.INT), type=Type.INT)),
                ("first", v.call("toInt64", v.agg("min", position, type=Type.INT), type=Type.INT)),
            ],
        )
        of_group = {name: grouped.field(name) for name in ("key", "kind", "rows", "first")}
        grouped = grouped.with_fields(of_group | {"words": self._words(grouped.field("text"))})
        table = context.table_of(grouped, ordered=False)
        if context.dry:
            found = pa.table({"key": [""], "first": [0], "label": [0], "rows": [0]}).slice(0, 0)
        else:
            found = context.python_step("cluster", lambda: self._labelled(table))
        return self._joined(relation, key, position, found, context)

    def _words(self, text: Value) -> Value:
        """The words that a text is compared by."""
        if self.match == "ngramset":
            short = v.call("less", v.call("lengthUTF8", text, type=Type.INT), v.integer(3), type=Type.BOOL)
            runs = v.call("arrayDistinct", v.call("ngrams", text, v.integer(3), type=Type.MULTI), type=Type.MULTI)
            return v.call("if", short, v.call("array", text, type=Type.MULTI), runs, type=Type.MULTI)
        words = self._split(text)
        if self.match == "termset":
            return v.call("arrayDistinct", words, type=Type.MULTI)
        place = v.call("toString", Column(Type.INT, "place"), type=Type.TEXT)
        placed = v.call("concat", Column(Type.TEXT, "word"), v.text(_APART), place, type=Type.TEXT)
        numbers = v.call("arrayEnumerate", words, type=Type.MULTI)
        return v.call("arrayMap", Lambda(Type.TEXT, ("word", "place"), placed), words, numbers, type=Type.MULTI)

    def _key_and_kind(self, text: Value) -> tuple[Value, Value]:
        """What texts have in common that are one to begin with, and the number of the kind of a text: what is left of it
        without the digits.
        """
        if self.match == "ngramset":
            return self._digest(text, text), v.integer(0)
        sure = v.call("CAST", v.call("ifNull", text, v.text(""), type=Type.TEXT), v.text("String"), type=Type.TEXT)
        masked = v.call("translate", sure, v.text(_DIGITS), v.text("0" * len(_DIGITS)), type=Type.TEXT)
        word = Column(Type.TEXT, "word")
        holds_digits = v.call("greater", v.call("position", word, v.text("0"), type=Type.INT), v.integer(0), type=Type.BOOL)
        shape = v.call("if", holds_digits, v.text("0"), word, type=Type.TEXT)
        words = self._split(sure)
        shapes = v.call("arrayMap", Lambda(Type.TEXT, ("word",), shape), self._split(masked), type=Type.MULTI)
        if self.match == "termset":
            words = v.call("arraySort", v.call("arrayDistinct", words, type=Type.MULTI), type=Type.MULTI)
            shapes = v.call("arraySort", shapes, type=Type.MULTI)
        count = v.call("length", words, type=Type.INT)
        variable = v.call("countEqual", shapes, v.text("0"), type=Type.INT)
        fixed = v.call("minus", v.call("length", shapes, type=Type.INT), variable, type=Type.INT)
        # In a set a repeated word counts once; then sizes differ, and only equal words make texts one.
        unrepeated = v.call("equals", count, v.call("length", shapes, type=Type.INT), type=Type.BOOL)
        needed = v.call("multiply", v.real(self.t), count, type=Type.FLOAT)
        similar = v.both([unrepeated, v.call("greaterOrEquals", fixed, needed, type=Type.BOOL)])
        shape_text = v.call("arrayStringConcat", shapes, v.text(_APART), type=Type.TEXT)
        kind = v.call("reinterpretAsInt64", v.call("sipHash64", shape_text, count, type=Type.INT), type=Type.INT)
        word_text = v.call("arrayStringConcat", words, v.text(_APART), type=Type.TEXT)
        by_shape = v.call("concat", v.text("0"), shape_text, type=Type.TEXT)
        by_word = v.call("concat", v.text("1"), word_text, type=Type.TEXT)
        return self._digest(v.call("if", similar, by_shape, by_word, type=Type.TEXT), text), kind

    @staticmethod
    def _digest(key: Value, text: Value) -> Value:
        """Stands for a key, which may be as long as the text: what is grouped by must fit in memory."""
        digest = v.call("hex", v.call("sipHash128", key, type=Type.TEXT), type=Type.TEXT)
        return v.call("if", v.is_present(text), digest, v.Literal(Type.TEXT, None), type=Type.TEXT)

    def _split(self, text: Value) -> Value:
        if not self.delims:
            return v.call("splitByNonAlpha", text, type=Type.MULTI)
        first = self.delims[0]
        if len(self.delims) > 1:
            text = v.call("translateUTF8", text, v.text(self.delims), v.text(first * len(self.delims)), type=Type.TEXT)
        word = Column(Type.TEXT, "word")
        some = Lambda(Type.BOOL, ("word",), v.call("notEquals", word, v.text(""), type=Type.BOOL))
        return v.call("arrayFilter", some, v.call("splitByString", v.text(first), text, type=Type.MULTI), type=Type.MULTI)

    def _labelled(self, table: pa.Table) -> pa.Table:
        """The number of its group for each key, with the first row and the number of rows of the group."""
        table = table.sort_by("first")
        if not table.num_rows:
            return pa.table({"key": table["key"], "first": table["first"], "label": table["first"], "rows": table["rows"]})
        kinds = None if self.match == "ngramset" else np.asarray(table["kind"])
        leaders = ml.leader_clusters(one_array(table["words"]), self.t, kinds)
        numbers, label = np.unique(leaders, return_inverse=True)
        firsts, rows = np.asarray(table["first"]), np.asarray(table["rows"])
        counts = np.bincount(label, rows, len(numbers)).astype(np.int64)
        return pa.table({"key": table["key"], "first": firsts[numbers][label], "label": label + 1, "rows": counts[label]})

    def _joined(self, relation: Relation, key: Value, position: Value, found: pa.Table, context: Context) -> Relation:
        fields = {name: value for name, value in relation.fields.items() if not name.startswith("\0")}
        if self.labelonly:
            other = context.relation_of(found)
            left, right = relation.joined(other, [(key, other.field("key"))])
        else:
            firsts = pc.index_in(pc.unique(found["first"]), found["first"]) if found.num_rows else pa.array([], pa.int32())
            other = context.relation_of(found.take(firsts))
            left, right = relation.joined(other, [(position, other.field("first"))], "inner")
        fields[self.labelfield] = right.field("label")
        if self.showcount:
            fields[self.countfield] = right.field("rows")
        return dataclasses.replace(left, fields=fields, order=relation.order)
