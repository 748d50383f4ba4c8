"""`trendline`: moving averages of a field over the rows so far."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, field

from sightline.errors import SearchError, Span
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Over, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, print_name, unquoted
from sightline.search.syntax.expressions import shown

KINDS = ("sma", "ema", "wma")
LEAST_PERIOD, MOST_PERIOD = 2, 10_000
_TREND = re.compile(r"([A-Za-z]+)(\d*)\Z")
_ALL_BEFORE = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"


@dataclass(frozen=True)
class Trend:
    """One moving average: its kind, over how many rows, of which field, under which name."""

    kind: str
    period: int
    name: str
    target: str = ""

    def __str__(self) -> str:
        renamed = f" AS {print_name(self.target)}" if self.target else ""
        return f"{self.kind}{self.period}({print_name(self.name)}){renamed}"

    @property
    def title(self) -> str:
        """The name of the new field."""
        return self.target or f"{self.kind}{self.period}({self.name})"


@command("trendline")
@dataclass
class Trendline(Command):
    """Adds moving averages of fields: plain, exponential or weighted.

    Syntax: trendline (sma | ema | wma)<period>(<field>) [AS <name>] ...
    Example: index=web | timechart span=1h count | trendline sma5(count) AS smooth ema10(count)

    `sma5(x)` is the mean of the last 5 numbers, `wma5(x)` their mean with weights 1 to 5, the newest counting most.
    `ema5(x)` is a * (the average of the row before) + (1 - a) * x with a = 2 / (5 + 1), beginning with the first number. The
    period is 2 to 10,000; rows before so many numbers have been seen get no average. A row without a number gets none and
    counts for none. Rows count in the order they are shown in. Without AS the new field is named as it is written.
    """

    trends: list[Trend] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Trendline:
        trends: list[Trend] = []
        while not arguments.done:
            trends.append(_read_trend(arguments))
            arguments.skip_commas()
        if not trends:
            raise SearchError("a trend such as sma5(field) is expected, got the end", arguments.peek().span)
        return cls(trends)

    def print_arguments(self) -> list[str]:
        return [str(trend) for trend in self.trends]

    def lower(self, relation: Relation, context: Context) -> Relation:
        numbers = {trend.name: v.as_float(relation.field(trend.name)) for trend in self.trends}
        relation, position = relation.numbered()
        for trend in self.trends:
            value = numbers[trend.name]
            if isinstance(value, v.Literal) and value.value is None:
                continue
            relation, average = _averaged(relation, trend, value, position)
            relation = relation.with_field(trend.title, average)
        return relation


def _read_trend(arguments: Arguments) -> Trend:
    token = arguments.next()
    match = _TREND.match(token.text) if token.kind == "word" else None
    if match is None or match.group(1).lower() not in KINDS:
        raise SearchError(f"a trend such as sma5(field) is expected, got {shown(token)}", token.span)
    kind, digits = match.group(1).lower(), match.group(2)
    if not digits or not LEAST_PERIOD <= int(digits) <= MOST_PERIOD:
        got = digits or "none"
        raise SearchError(
            f"{kind} wants a period of {LEAST_PERIOD} to {MOST_PERIOD:,} as in {kind}5(x), got {got}", token.span
        )
    inner = arguments.parenthesised()
    name = unquoted(arguments.stage.text[inner.start : inner.end])
    if not name:
        raise SearchError(f"{kind}{digits} wants a field in parentheses, got none", Span(token.span.start, inner.end + 1))
    target = arguments.name("a name after AS") if arguments.accept_word("as") else ""
    return Trend(kind, int(digits), name, target)


def _averaged(relation: Relation, trend: Trend, value: Value, position: Value) -> tuple[Relation, Value]:
    """The moving average of each row, over the rows that have a number."""
    present = v.is_present(value)

    def over(function: str, *arguments: Value, frame: str = "", parameters: tuple[float, ...] = ()) -> tuple[str, Over]:
        called = v.call(function, *arguments, type=Type.FLOAT, parameters=parameters)
        return function, Over(Type.FLOAT, called, (present,), ((position, False),), frame)

    relation, (nth,) = relation.windowed([over("row_number")])
    window = f"ROWS BETWEEN {trend.period - 1} PRECEDING AND CURRENT ROW"
    if trend.kind == "sma":
        relation, (average,) = relation.windowed([over("avg", value, frame=window)])
    elif trend.kind == "wma":
        weighted = v.call("multiply", nth, value, type=Type.FLOAT)
        relation, (total, plain) = relation.windowed([over("sum", weighted, frame=window), over("sum", value, frame=window)])
        # The weight of a row is its number less that of the row before the window.
        before = v.call("minus", nth, v.integer(trend.period), type=Type.FLOAT)
        moved = v.call("minus", total, v.call("multiply", before, plain, type=Type.FLOAT), type=Type.FLOAT)
        average = v.call("divide", moved, v.real(trend.period * (trend.period + 1) / 2), type=Type.FLOAT)
    else:
        # The engine's average begins with nothing instead of the first number, which is added as far as it still counts.
        kept = 2 / (trend.period + 1)
        half_life = math.log(2) / -math.log(kept)
        sure = v.call("ifNull", value, v.real(0), type=Type.FLOAT)
        averaged = over("exponentialMovingAverage", sure, nth, frame=_ALL_BEFORE, parameters=(half_life,))
        relation, (found, first) = relation.windowed([averaged, over("first_value", value, frame=_ALL_BEFORE)])
        share = v.call("pow", v.real(kept), nth, type=Type.FLOAT)
        average = v.call("plus", found, v.call("multiply", share, first, type=Type.FLOAT), type=Type.FLOAT)
    complete = v.both([present, v.call("greaterOrEquals", nth, v.integer(trend.period), type=Type.BOOL)])
    return relation, v.choose(complete, average, v.Literal(Type.FLOAT, None))
