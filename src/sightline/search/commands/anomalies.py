"""`anomalies`: rows whose text is unexpected after the rows before it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from sightline import ml
from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.field_values import whole_text
from sightline.search.planner.pivot import one_array
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options

LEAST_WINDOW, MOST_WINDOW = 10, 10_000
_DIGITS = "0123456789"


@command("anomalies", kind="dataset")
@dataclass
class Anomalies(Command):
    """Scores how unexpected each row's text is after the rows before it, and keeps the unexpected ones.

    Syntax: anomalies [threshold=<number>] [labelonly=<bool>] [normalize=<bool>] [maxvalues=<number>] [field=<field>]
        [denylist=<lookup>] [denylistthreshold=<number>] [BY <field>...]
    Example: index=web | reverse | anomalies threshold=0.05 labelonly=true by host | sort - unexpectedness

    For the words X of a row's text (`_raw` unless named) and the different words P of up to `maxvalues` (100) rows before it,
    `unexpectedness` is how many words of X are not in P, divided by the number of words of both: 1 for the first row, 0
    where nothing is new. Rows above `threshold` (0.01) are kept; `labelonly=true` keeps all. With `normalize=true` (the
    default) all digits are alike. Rows count in the order they are shown in, each group of the BY fields by itself. A row
    is expected, 0, when its words are like a text of the lookup `denylist` (its field of that name, or its first one): when
    the share of words they have in common is above `denylistthreshold` (0.05). A row without the field is expected.
    """

    threshold: float = option(0.01, minimum=0, help="unexpectedness above which a row is kept")
    labelonly: bool = option(False, help="keep all rows")
    normalize: bool = option(True, help="take all digits as alike")
    maxvalues: int = option(100, minimum=LEAST_WINDOW, help=f"how many rows to look back, up to {MOST_WINDOW}")
    field_: str = option("_raw", name="field", help="the text")
    denylist: str = option("", aliases=("blacklist",), help="lookup of expected texts")
    denylistthreshold: float = option(0.05, minimum=0, aliases=("blacklistthreshold",), help="likeness that is enough")
    by: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Anomalies:
        found = arguments.options(cls)
        by = arguments.by_clause()
        found.update(arguments.options(cls))
        if error := arguments.unknown_option(cls):
            raise error
        arguments.finish()
        if found.get("maxvalues", LEAST_WINDOW) > MOST_WINDOW:
            raise SearchError(f"maxvalues must be at most {MOST_WINDOW:,}, got {found['maxvalues']}")
        return cls(by=by, **found)

    def print_arguments(self) -> list[str]:
        by = ["BY", ", ".join(print_name(name) for name in self.by)] if self.by else []
        return [*print_options(self), *by]

    def lower(self, relation: Relation, context: Context) -> Relation:
        words = self._words(whole_text(relation.field(self.field_)))
        keys = [v.call("ifNull", whole_text(relation.field(name)), v.text(""), type=Type.TEXT) for name in self.by]
        group = (
            v.call("reinterpretAsInt64", v.call("sipHash64", *keys, type=Type.INT), type=Type.INT) if keys else v.integer(0)
        )
        relation, position = relation.numbered()
        listed = relation.with_fields({"position": position, "words": words, "group": group})
        table = context.table_of(listed)
        if context.dry:
            return relation.with_fields({**relation.fields, "unexpectedness": v.Literal(Type.FLOAT, None)})
        expected = self._expected(context)
        found = context.python_step("anomalies", lambda: self._scored(table, expected))
        scores = context.relation_of(found)
        left, right = relation.joined(scores, [(position, scores.field("position"))], "inner")
        score = right.field("unexpectedness")
        result = dataclasses.replace(left, fields={**left.fields, "unexpectedness": score}, order=relation.order)
        if self.labelonly:
            return result
        return result.filtered(v.call("greater", score, v.real(self.threshold), type=Type.BOOL))

    def _words(self, text: Value) -> Value:
        """The different words of a text as numbers, which are compared faster."""
        sure = v.call("CAST", v.call("ifNull", text, v.text(""), type=Type.TEXT), v.text("String"), type=Type.TEXT)
        if self.normalize:
            sure = v.call("translate", sure, v.text(_DIGITS), v.text("0" * len(_DIGITS)), type=Type.TEXT)
        word = v.Column(Type.TEXT, "word")
        number = v.call("reinterpretAsInt64", v.call("sipHash64", word, type=Type.INT), type=Type.INT)
        split = v.call("splitByNonAlpha", sure, type=Type.MULTI)
        numbers = v.call("arrayMap", v.Lambda(Type.INT, ("word",), number), split, type=Type.MULTI)
        return v.call("arrayDistinct", numbers, type=Type.MULTI)

    def _expected(self, context: Context) -> pa.ListArray | None:
        """The words of the texts that are expected."""
        if not self.denylist:
            return None
        lookup = context.knowledge.lookup(self.denylist)
        if lookup is None:
            raise SearchError(f'there is no lookup "{self.denylist}"')
        name = self.field_ if self.field_ in lookup.column_names else lookup.column_names[0]
        rows = context.relation_of(lookup.select([name]))
        return one_array(context.table_of(rows.with_fields({"words": self._words(rows.field(name))}))["words"])

    def _scored(self, table: pa.Table, expected: pa.ListArray | None) -> pa.Table:
        words = one_array(table["words"])
        groups = np.asarray(table["group"], dtype=np.int64)
        scores = ml.unexpectedness(words, groups, self.maxvalues)
        if expected is not None:
            scores = np.where(ml.likeness(words, expected) > self.denylistthreshold, 0.0, scores)
        return pa.table({"position": table["position"], "unexpectedness": pa.array(scores)})
