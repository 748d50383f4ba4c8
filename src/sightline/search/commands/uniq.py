"""`uniq` and `diff`: rows compared with the row before, or with another one."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

import pyarrow as pa

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Over, Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import option


@command("uniq")
@dataclass
class Uniq(Command):
    """Drops rows that equal the row before them in every field.

    Syntax: uniq
    Example: index=web | table host status | uniq

    Rows count in the order they are shown in: what is equal but not adjacent stays, which `dedup` would drop.
    """

    def lower(self, relation: Relation, context: Context) -> Relation:
        fields = [value for value in relation.fields.values() if not isinstance(value, v.Literal)]
        relation, position = relation.numbered()
        if not fields:
            return relation.filtered(v.compare("=", position, v.integer(1)))
        whole = v.call("toString", v.call("tuple", *fields, type=Type.TEXT), type=Type.TEXT)
        digest = v.call("sipHash128", whole, type=Type.TEXT)
        frame = "ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING"
        over = Over(Type.TEXT, v.call("any", digest, type=Type.TEXT), (), ((position, False),), frame)
        relation, (before,) = relation.windowed([("before", over)])
        first = v.compare("=", position, v.integer(1))
        return relation.filtered(v.either([first, v.call("notEquals", digest, before, type=Type.BOOL)]))


@command("diff", kind="transforming")
@dataclass
class Diff(Command):
    """Compares the text of two rows line by line.

    Syntax: diff [position1=<n>] [position2=<n>] [attribute=<field>] [diffheader=<bool>] [context=<bool>] [maxlen=<bytes>]
    Example: index=web | diff position1=1 position2=2

    The answer is one row whose `_raw` is the difference in the form of the `diff` tool: unified, or with `context=true` the
    older context form. Rows without the field count as empty text. Several values are lines.
    """

    position1: int = option(1, minimum=1, aliases=("pos1",), help="the first row to compare, counted from 1")
    position2: int = option(2, minimum=1, aliases=("pos2",), help="the second row, after the first")
    attribute: str = option("_raw", help="the field to compare")
    diffheader: bool = option(False, help="begin with the two lines that name what is compared")
    context: bool = option(False, help="the context form instead of the unified one")
    maxlen: int = option(100_000, minimum=0, help="compare at most so many bytes of each; 0 is all")

    def lower(self, relation: Relation, context: Context) -> Relation:
        if self.position2 <= self.position1:
            raise SearchError(f"position2 must be more than position1={self.position1}, got {self.position2}")
        value = relation.field(self.attribute)
        text = v.call("arrayStringConcat", v.as_multi(value), v.text("\n"), type=Type.TEXT)
        relation, position = relation.with_fields({"text": text}).numbered()
        wanted = [v.compare("=", position, v.integer(number)) for number in (self.position1, self.position2)]
        table = context.table_of(relation.filtered(v.either(wanted)))

        def work() -> pa.Table:
            if table.num_rows < 2:
                raise SearchError(f"there is no row {self.position2}: position2 must be the number of a row")
            first, second = (self._shortened(row["text"] or "").splitlines() for row in table.to_pylist())
            return pa.table({"_raw": pa.array([self._difference(first, second)], pa.string())})

        return context.relation_of(context.python_step(str(self), work))

    def _shortened(self, text: str) -> str:
        return text.encode()[: self.maxlen].decode(errors="ignore") if self.maxlen else text

    def _difference(self, first: list[str], second: list[str]) -> str:
        compare = difflib.context_diff if self.context else difflib.unified_diff
        lines = list(compare(first, second, f"result {self.position1}", f"result {self.position2}", lineterm=""))
        if not lines:
            return "Results are the same"
        return "\n".join(lines if self.diffheader else lines[2:])
