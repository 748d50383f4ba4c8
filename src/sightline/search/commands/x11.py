"""`x11`: a time chart's series without its season."""

from __future__ import annotations

import re
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sightline import ml
from sightline.errors import SearchError, Span
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.pivot import one_array
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, print_name, unquoted

LEAST_PERIOD, MOST_PERIOD = 5, 1000
_KIND = re.compile(r"(mult|add)?(\d+)?\Z", re.I)


@command("x11", kind="dataset")
@dataclass
class X11(Command):
    """Takes the season off a series, so that its trend shows.

    Syntax: x11 [mult | add][<period>](<field>) [AS <name>]
    Example: index=web earliest=-30d | timechart span=1h count | x11 add24(count) AS adjusted

    Trend and season are told apart by moving averages in several passes, with extreme values counting less, as in the X-11
    method. `mult` (the default) takes the season as a share of the trend, for which all values must be above 0; `add` as an
    amount. The period is 5 to 1,000 rows; without one it is found out, and a series that shows none is refused. The field
    is overwritten unless AS names another; without a period, `x11 f` is enough. At least two periods of rows are needed. A row
    without a number keeps none.
    """

    name: str = ""
    target: str = ""
    multiplicative: bool = True
    period: int = 0

    @classmethod
    def read(cls, arguments: Arguments) -> X11:
        token = arguments.next()
        match = _KIND.match(token.text) if token.kind == "word" else None
        called = arguments.peek().is_("(")
        if called and match is None:
            raise SearchError(f'wanted mult or add, maybe with a period, as in add24(x), got "{token.text}"', token.span)
        period, multiplicative, name = 0, True, token.text
        if called and match is not None:
            multiplicative = (match.group(1) or "mult").lower() == "mult"
            period = int(match.group(2) or 0)
            inner = arguments.parenthesised()
            name = unquoted(arguments.stage.text[inner.start : inner.end])
            if match.group(2) and not LEAST_PERIOD <= period <= MOST_PERIOD:
                raise SearchError(f"the period must be {LEAST_PERIOD} to {MOST_PERIOD:,}, got {period}", token.span)
            if not name:
                raise SearchError("a field in parentheses is expected, got none", Span(token.span.start, inner.end + 1))
        elif token.kind not in ("word", "string", "quoted"):
            raise SearchError("a field such as x, or add24(x), is expected, got the end", token.span)
        target = arguments.name("a name after AS") if arguments.accept_word("as") else ""
        arguments.finish()
        return cls(name, target, multiplicative, period)

    def print_arguments(self) -> list[str]:
        kind = ("mult" if self.multiplicative else "add") + (str(self.period) if self.period else "")
        return [f"{kind}({print_name(self.name)})", *(["AS", print_name(self.target)] if self.target else [])]

    def lower(self, relation: Relation, context: Context) -> Relation:
        target = self.target or self.name
        if context.dry:
            return relation.with_fields({**relation.fields, target: v.Literal(Type.FLOAT, None)})
        number = v.as_float(relation.field(self.name))
        if v.is_null(number):
            raise SearchError(f'no row has a number in "{self.name}"')
        table = context.table_of(relation.with_field("\0number", number))
        return context.relation_of(context.python_step("x11", lambda: self._adjusted(table, target)))

    def _adjusted(self, table: pa.Table, target: str) -> pa.Table:
        values = np.asarray(one_array(table["\0number"]).to_numpy(zero_copy_only=False), dtype=np.float64)
        table = table.drop_columns("\0number")
        if not np.count_nonzero(~np.isnan(values)):
            return table
        if self.multiplicative and np.nanmin(values) <= 0:
            raise SearchError(
                f'"{self.name}" has a value of {np.nanmin(values):g}, mult needs values above 0', hint="use add"
            )
        period = self.period or ml.find_period(values, LEAST_PERIOD, MOST_PERIOD)
        if period is None:
            raise SearchError(f'"{self.name}" shows no period', hint=f"give one, as in add24({self.name})")
        if len(values) < 2 * period:
            raise SearchError(f"a period of {period} needs {2 * period:,} rows or more, got {len(values):,}")
        found = ml.deseasonalised(values, period, multiplicative=self.multiplicative)
        column = pa.array(found, mask=np.isnan(found))
        if target in table.column_names:
            return table.set_column(table.column_names.index(target), target, column)
        return table.append_column(target, column)
