"""`stats`, `eventstats` and `streamstats`: aggregates over groups of rows, beside every row, and over the rows so far."""

from __future__ import annotations

import dataclasses
import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, ClassVar

from sightline.errors import SearchError, Span
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.aggregates import NamedValue, grouping_keys, lower_calls, over_rows, read_call
from sightline.search.planner.lower import literal_of, lower_condition
from sightline.search.planner.relation import Relation
from sightline.search.planner.sql import Writer
from sightline.search.planner.values import Call, Column, Lambda, Over, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import AggregateCall, Arguments, option, print_name, print_options
from sightline.search.syntax.expressions import ExpressionReader, print_expression, shown
from sightline.search.syntax.tokens import expression_tokens, read_string
from sightline.search.syntax.tree import Expression, Stage
from sightline.search.time import parse_span

_ALL_BEFORE = "ROWS BETWEEN UNBOUNDED PRECEDING AND "
_LONGEST_REACH = 2_000_000_000
"""The engine wants a whole number of 32 bits for the reach of a frame."""


def read_statistics(arguments: Arguments, command: type, found: dict[str, Any]) -> tuple[list[AggregateCall], list[str]]:
    """Aggregate calls and the BY list, with options of the command before, between and after them."""
    calls: list[AggregateCall] = []
    by: list[str] = []
    found.update(arguments.options(command))
    arguments.skip_commas()
    while not arguments.done and not arguments.peek().is_word("by", "groupby"):
        if arguments.peek(1).is_("="):
            more = arguments.options(command)
            if not more:
                raise arguments.unknown_option(command) or SearchError("an aggregate is expected", arguments.peek().span)
            found.update(more)
        else:
            calls.append(read_call(arguments))
        arguments.skip_commas()
    if not calls:
        token = arguments.peek()
        raise SearchError(f"an aggregate such as count or avg(field) is expected, got {shown(token)}", token.span)
    if arguments.accept_word("by", "groupby"):
        arguments.skip_commas()
        while not arguments.done:
            if arguments.peek(1).is_("="):
                more = arguments.options(command)
                if not more:
                    raise arguments.unknown_option(command) or SearchError("not expected", arguments.peek().span)
                found.update(more)
                continue
            by.append(arguments.name("a field name after BY"))
            arguments.skip_commas()
        if not by:
            raise SearchError("a field name after BY is expected, got the end", arguments.peek().span)
    return calls, list(dict.fromkeys(by))


def print_statistics(command: Stats | EventStats | StreamStats) -> list[str]:
    """Options, calls and BY list as they are written."""
    by = ["BY", ", ".join(print_name(name) for name in command.by)] if command.by else []
    return [*print_options(command), ", ".join(str(call) for call in command.calls), *by]


@command("stats", kind="transforming")
@dataclass
class Stats(Command):
    """Aggregates over all rows, or over the rows of each group.

    Syntax: stats [allnum=<bool>] [dedup_splitvals=<bool>] <aggregate>... [BY <field>...]
    Example: index=web | stats count, avg(duration_ms) AS mean, p95(duration_ms) BY host

    An aggregate is a function of a field, or of an expression: `sum(bytes)`, `count(eval(status>=500))`; without AS its
    name is what was written. `*` in the field makes one aggregate per matching field, and `sum()` one per field. A row
    that lacks a BY field is left out; one with a multivalue counts once for each value. The result is ordered by the BY
    fields, numbers before text. Without rows there is one row without BY (a count is 0) and none with BY; so `| stats
    count` makes one row.
    """

    begins: ClassVar[bool] = True

    partitions: int = option(1, minimum=0, help="accepted for compatibility; the engine decides how to divide the work")
    allnum: bool = option(False, help="numeric aggregates only of fields whose values are all numbers")
    delim: str = option("\n", help="what a later nomv puts between the values of list and values")
    dedup_splitvals: bool = option(False, help="count a repeated value of a multivalue BY field once")
    calls: list[AggregateCall] = field(default_factory=list)
    by: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Stats:
        found: dict[str, Any] = {}
        calls, by = read_statistics(arguments, cls, found)
        return cls(calls=calls, by=by, **found)

    def print_arguments(self) -> list[str]:
        return print_statistics(self)

    def lower(self, relation: Relation, context: Context) -> Relation:
        relation, keys = grouping_keys(relation, self.by, distinct=self.dedup_splitvals)
        relation, named = lower_calls(self.calls, relation, context, by=self.by, all_numbers=self.allnum, finishing=True)
        found = relation.aggregated(keys, [(one.name, one.value) for one in named])
        if self.delim == "\n":
            return found
        several = [one.name for one in named if one.value.type is Type.MULTI]
        return dataclasses.replace(found, presentation=found.presentation.with_delimiter(several, self.delim))


@command("eventstats", kind="dataset")
@dataclass
class EventStats(Command):
    """Adds aggregates over all rows, or over the row's group, to every row.

    Syntax: eventstats [allnum=<bool>] <aggregate>... [BY <field>...]
    Example: index=web | eventstats avg(duration_ms) AS mean BY host | where duration_ms>2*mean

    Rows and their order stay. A row that lacks a BY field gets no aggregate. A multivalue BY field is one group as a
    whole.
    """

    allnum: bool = option(False, help="numeric aggregates only of fields whose values are all numbers")
    calls: list[AggregateCall] = field(default_factory=list)
    by: list[str] = field(default_factory=list)
    repeatable = True

    @classmethod
    def read(cls, arguments: Arguments) -> EventStats:
        found: dict[str, Any] = {}
        calls, by = read_statistics(arguments, cls, found)
        return cls(calls=calls, by=by, **found)

    def print_arguments(self) -> list[str]:
        return print_statistics(self)

    def lower(self, relation: Relation, context: Context) -> Relation:
        if not self.by and not context.dry:
            relation = context.rereadable(relation) if any(call.function in _LONG for call in self.calls) else relation
        relation, named = lower_calls(self.calls, relation, context, by=self.by, all_numbers=self.allnum)
        keys = [relation.field(name) for name in self.by]
        if any(key.type is Type.NULL for key in keys):
            return relation
        if not keys and not context.dry and any(one.value.type is Type.MULTI for one in named):
            return self._with_constants(relation, named, context)
        relation, made = over_rows(relation, named, lambda call: Over(call.type, plain_call(call), tuple(keys)))
        return with_aggregates(relation, made, named, keys)

    @staticmethod
    def _with_constants(relation: Relation, named: Sequence[NamedValue], context: Context) -> Relation:
        """The rows with aggregates over all of them, reckoned before and put in as constants.

        A window writes its result out for every row, which for a long list needs the memory of as many lists as rows.
        """
        found = context.table_of(relation.aggregated([], [(one.name, one.value) for one in named]))
        for one in named:
            cell = found[one.name][0].as_py() if one.name in found.column_names else None
            relation = relation.with_field(one.name, literal_of(cell))
        return relation


_LONG = ("values", "list")
"""Aggregates whose result may be as long as there are rows."""


def plain_call(call: Call) -> Call:
    """The call as a window function wants it."""
    return dataclasses.replace(call, aggregate=False)


def with_aggregates(
    relation: Relation, made: Sequence[tuple[str, Value]], named: Sequence[NamedValue], keys: Sequence[Value]
) -> Relation:
    """The relation with the aggregates as fields, absent for rows that lack a key."""
    complete = v.both([v.is_present(key) for key in keys])
    values: dict[str, Value] = {}
    for (name, value), _ in zip(made, named, strict=True):
        if complete != v.TRUE:
            value = v.choose(complete, value, v.EMPTY_MULTI if value.type is Type.MULTI else v.Literal(value.type, None))
        values[name] = value
    return relation.with_all(values).settled()


@command("streamstats")
@dataclass
class StreamStats(Command):
    """Adds aggregates over the rows so far to every row.

    Syntax: streamstats [current=<bool>] [window=<count>] [global=<bool>] [time_window=<span>] [reset_on_change=<bool>]
        [reset_before=(<condition>)] [reset_after=(<condition>)] <aggregate>... [BY <field>...]
    Example: index=web | sort _time | streamstats window=10 avg(duration_ms) AS moving BY host

    `current=false` leaves the row itself out. `window` looks at so many rows only (0 is all); with BY that is one window
    over all rows of which the row's group counts, or with `global=false` a window for each group. `time_window` looks at
    rows so far whose time lies within the span. Aggregates start again where a BY field changes (`reset_on_change`), and
    before or after a row for which a condition is true. A row that lacks a BY field passes without aggregates.
    """

    current: bool = option(True, help="whether the row itself counts")
    window: int = option(0, minimum=0, help="how many rows to look at; 0 is all")
    global_: bool = option(True, name="global", help="one window over all groups, or one for each")
    allnum: bool = option(False, help="numeric aggregates only of fields whose values are all numbers")
    reset_on_change: bool = option(False, help="start again when a BY field changes")
    time_window: str = option("", help="how far to look back in time")
    reset_before: Expression | None = None
    reset_after: Expression | None = None
    calls: list[AggregateCall] = field(default_factory=list)
    by: list[str] = field(default_factory=list)
    reads_stage = True

    @classmethod
    def read(cls, stage: Stage) -> StreamStats:  # type: ignore[override]
        found: dict[str, Any] = {}
        arguments = Arguments(take_reset_conditions(stage, found))
        calls, by = read_statistics(arguments, cls, found)
        if found.get("time_window"):
            parse_span(found["time_window"])
        return cls(calls=calls, by=by, **found)

    def print_arguments(self) -> list[str]:
        conditions = [
            f"{name}=({print_expression(condition)})"
            for name, condition in (("reset_before", self.reset_before), ("reset_after", self.reset_after))
            if condition is not None
        ]
        return [*conditions, *print_statistics(self)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        keys = [relation.field(name) for name in self.by]
        if any(key.type is Type.NULL for key in keys):
            return relation
        descending = time_order(relation)
        relation, position = relation.numbered()
        complete = v.both([v.is_present(key) for key in keys])
        relation, segments = self._segments(relation, keys, complete, position, context)
        relation, named = lower_calls(self.calls, relation, context, by=self.by, all_numbers=self.allnum, position=position)
        if self.time_window:
            relation, made = self._over_time(relation, named, (*keys, *segments), position, descending, context)
        elif self.window and keys and self.global_:
            relation, made = self._over_group_of_window(relation, named, keys, (complete, *segments), position)
        else:
            frame = self._frame()
            order = ((position, False),)
            partition = (*keys, *segments)
            relation, made = over_rows(
                relation, named, lambda call: Over(call.type, plain_call(call), partition, order, frame)
            )
        return with_aggregates(relation, made, named, keys)

    def _over_group_of_window(
        self,
        relation: Relation,
        named: Sequence[NamedValue],
        keys: Sequence[Value],
        segments: Sequence[Value],
        position: Value,
    ) -> tuple[Relation, list[tuple[str, Value]]]:
        """One window over the rows of all groups, of which those of the row's own group count."""
        group = v.call("tuple", *(_one_text(key) for key in keys), v.integer(0), type=Type.TEXT)
        over = gathering_window([group], segments, ((position, False),), self._frame())
        return over_filtered_rows(relation, named, over, v.is_true(v.call("equals", _part(1), group, type=Type.BOOL)))

    def _over_time(
        self,
        relation: Relation,
        named: Sequence[NamedValue],
        partition: Sequence[Value],
        position: Value,
        descending: bool | None,
        context: Context,
    ) -> tuple[Relation, list[tuple[str, Value]]]:
        """Rows so far whose time is near. `descending` says how rows are ordered by time, None that nobody knows."""
        time = v.as_float(relation.field("_time"))
        if time.type is Type.NULL:
            raise SearchError("time_window needs rows with a _time")
        span = parse_span(self.time_window)
        length_s = span.seconds or (span.months or 1) * 31 * 86400.0
        unit_s = next(unit for unit in (1e-6, 1e-3, 1.0, 60.0) if length_s / unit < _LONGEST_REACH)
        scaled = v.call("round", v.call("divide", time, v.real(unit_s), type=Type.FLOAT), type=Type.FLOAT)
        ticks = v.call("ifNull", v.call("toInt64", scaled, type=Type.INT), v.integer(0), type=Type.INT)
        reach = math.ceil(length_s / unit_s)
        order = ((ticks, bool(descending)),)
        if descending is not None and not self.window:
            most, coarser = self._ties(relation, ticks, unit_s, partition, context)
            # Rows of one moment are told apart by a second digit, of twice the size they need: so a frame that reaches half
            # of it beyond whole ticks takes in all rows of its last tick and none of the one after.
            digit = 2 * most + 1
            beyond = (math.ceil(reach / coarser) - 1) * digit + most
            if most <= 1 and self.current:
                frame = f"RANGE BETWEEN {reach - 1} PRECEDING AND CURRENT ROW"
                return over_rows(
                    relation, named, lambda call: Over(call.type, plain_call(call), tuple(partition), order, frame)
                )
            if beyond < _LONGEST_REACH:
                moment = v.call("intDiv", ticks, v.integer(coarser), type=Type.INT)
                numbered = Over(Type.INT, v.call("row_number", type=Type.INT), (*partition, ticks), ((position, False),))
                relation, (nth,) = relation.windowed([("nth", numbered)])
                forward = v.call("negate", moment, type=Type.INT) if descending else moment
                whole = v.call("multiply", forward, v.integer(digit), type=Type.INT)
                place = v.call("plus", whole, v.call("toInt64", nth, type=Type.INT), type=Type.INT)
                frame = f"RANGE BETWEEN {beyond} PRECEDING AND {'CURRENT ROW' if self.current else '1 PRECEDING'}"
                unique = ((place, False),)
                return over_rows(
                    relation, named, lambda call: Over(call.type, plain_call(call), tuple(partition), unique, frame)
                )
        # Rows of the same moment are in the frame, whether they come before or after; the position tells them apart.
        frame = f"RANGE BETWEEN {reach} PRECEDING AND {'CURRENT ROW' if descending is not None else f'{reach} FOLLOWING'}"
        apart = v.call("abs", v.call("minus", _part(2), time, type=Type.FLOAT), type=Type.FLOAT)
        conditions = [
            v.call("lessOrEquals" if self.current else "less", _part(1), position, type=Type.BOOL),
            v.call("less", apart, v.real(length_s), type=Type.BOOL),
        ]
        deciding = [position, time]
        if self.window:
            number = Over(Type.INT, v.call("row_number", type=Type.INT), tuple(partition), ((position, False),))
            relation, (nth,) = relation.windowed([("nth", number)])
            first = v.call("minus", nth, v.integer(self.window - self.current), type=Type.INT)
            conditions.append(v.call("greaterOrEquals", _part(3), first, type=Type.BOOL))
            deciding.append(nth)
        over = gathering_window(deciding, partition, order, frame)
        return over_filtered_rows(relation, named, over, v.is_true(v.both(conditions)))

    def _ties(
        self, relation: Relation, ticks: Value, unit_s: float, partition: Sequence[Value], context: Context
    ) -> tuple[int, int]:
        """How many rows of one group share a moment at most, and of how many ticks every moment is a multiple."""
        if context.dry:
            return 1, 1
        coarser = [round(unit / unit_s) for unit in (60.0, 1.0, 1e-3) if unit > unit_s]
        keys = [("ticks", ticks), *((f"key{place}", key) for place, key in enumerate(partition))]
        counted = relation.aggregated(keys, [("rows", v.agg("count", type=Type.INT))])
        found = [("most", v.agg("max", counted.field("rows"), type=Type.INT))]
        for number in coarser:
            rest = v.call("modulo", counted.field("ticks"), v.integer(number), type=Type.INT)
            found.append((str(number), v.agg("max", v.call("abs", rest, type=Type.INT), type=Type.INT)))
        row = context.table_of(counted.aggregated([], found)).to_pylist()[0]
        return row["most"] or 1, next((number for number in coarser if not row[str(number)]), 1)

    def _frame(self) -> str:
        end = "CURRENT ROW" if self.current else "1 PRECEDING"
        if not self.window:
            return _ALL_BEFORE + end
        start = self.window - 1 if self.current else self.window
        return f"ROWS BETWEEN {start} PRECEDING AND {end}"

    def _segments(
        self, relation: Relation, keys: Sequence[Value], complete: Value, position: Value, context: Context
    ) -> tuple[Relation, tuple[Value, ...]]:
        """Numbers that grow where aggregates start again."""
        order = ((position, False),)
        segments: list[Value] = []
        for condition, frame in (
            (self.reset_before, _ALL_BEFORE + "CURRENT ROW"),
            (self.reset_after, _ALL_BEFORE + "1 PRECEDING"),
        ):
            if condition is None:
                continue
            test = v.is_true(lower_condition(condition, relation, context, "reset"))
            counted = v.call("toInt64", test, type=Type.INT)
            over = Over(Type.INT, v.call("sum", counted, type=Type.INT), (), order, frame)
            relation, (resets,) = relation.windowed([("resets", over)])
            segments.append(v.call("ifNull", resets, v.integer(0), type=Type.INT))
        if self.reset_on_change and keys:
            # Rows that lack a field neither change it nor belong anywhere: they are a partition of their own.
            frame = "ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING"
            texts = [_one_text(key) for key in keys]
            columns = [
                ("before", Over(Type.TEXT, v.call("any", one, type=Type.TEXT), (complete,), order, frame)) for one in texts
            ]
            relation, before = relation.windowed(columns)
            pairs = zip(texts, before, strict=True)
            same = v.both([v.is_true(v.call("equals", now, then, type=Type.BOOL)) for now, then in pairs])
            changed = v.call("sum", v.call("toInt64", v.negation(same), type=Type.INT), type=Type.INT)
            over = Over(Type.INT, changed, (complete,), order, _ALL_BEFORE + "CURRENT ROW")
            relation, (changes,) = relation.windowed([("changes", over)])
            segments.append(changes)
        return relation, tuple(segments)


def time_order(relation: Relation) -> bool | None:
    """Whether rows are shown by `_time` descending (True) or ascending (False); None where they are in another order."""
    time = relation.field("_time")
    absent = v.negation(v.is_present(time))
    keys = [key for key in relation.order if key[0] != absent][:1]
    stored = time == Column(Type.FLOAT, "_time:float") and [key[0] for key in keys] == [Column(Type.TIME, "_time:stored")]
    return keys[0][1] if keys and (keys[0][0] == time or stored) else None


def _one_text(value: Value) -> Value:
    return v.call("arrayStringConcat", value, v.text("\n"), type=Type.TEXT) if value.type is Type.MULTI else v.as_text(value)


def gathering_window(
    deciding: Sequence[Value], partition: Sequence[Value], order: tuple[tuple[Value, bool], ...], frame: str
) -> Callable[[Call], Over]:
    """A window that gathers, for a call, tuples of the deciding values and the call's arguments."""

    def over(call: Call) -> Over:
        row = v.call("tuple", *deciding, *call.arguments, type=Type.TEXT)
        return Over(Type.MULTI, v.call("groupArray", row, type=Type.MULTI), tuple(partition), order, frame)

    return over


def over_filtered_rows(
    relation: Relation, named: Sequence[NamedValue], over: Callable[[Call], Over], keep: Value
) -> tuple[Relation, list[tuple[str, Value]]]:
    """The values over those rows of a window that the lambda parameter `row` keeps.

    A window function cannot leave rows of its frame out, so the frame is gathered as a list of tuples (what decides, then
    the arguments), filtered and reduced. `over` gives the window of a call that gathers.
    """
    calls: dict[Call, tuple[str, Over]] = {}
    for one in named:
        v.map_aggregates(one.value, lambda call: calls.setdefault(call, ("rows", over(call))) and call)
    relation, made = relation.windowed(list(calls.values()))
    gathered = dict(zip(calls, made, strict=True))

    def reduced(call: Call) -> Value:
        rows = v.call("arrayFilter", Lambda(Type.BOOL, ("row",), keep), gathered[call], type=Type.MULTI)
        if not call.arguments:
            return v.call("length", rows, type=Type.INT)
        parameters = f"({', '.join(Writer.parameter(p) for p in call.parameters)})" if call.parameters else ""
        first = len(calls[call][1].call.arguments[0].children) - len(call.arguments) + 1  # type: ignore[attr-defined]
        columns = [
            v.call("arrayMap", Lambda(Type.TEXT, ("row",), _part(first + k)), rows, type=Type.MULTI)
            for k in range(len(call.arguments))
        ]
        return v.call("arrayReduce", v.text(call.function + parameters), *columns, type=call.type)

    return relation, [(one.name, v.map_aggregates(one.value, reduced)) for one in named]


def _part(position: int, type: Type = Type.TEXT) -> Value:
    """An element of the gathered tuple that is at hand in a lambda."""
    return v.call("tupleElement", Column(Type.MULTI, "row"), v.integer(position), type=type)


def take_reset_conditions(stage: Stage, found: dict[str, Any]) -> Stage:
    """The stage without `reset_before` and `reset_after`, whose conditions are read into `found`.

    They are written `reset_before=(x>5)`, or with quoted parentheses, `reset_before="("x>5")"`, inside which quotes may be
    escaped.
    """
    while match := _RESET.search(stage.text, stage.arguments.start, stage.arguments.end):
        text, start, end = stage.text, match.end(), stage.arguments.end
        name = match.group(1).lower()
        if name in found:
            raise SearchError(f'"{name}" is given twice', Span(match.start(1), match.end(1)))
        if text.startswith('"("', start):
            close = text.find('")"', start + 3, end)
            while close > 0 and text[close - 1] == "\\":
                close = text.find('")"', close + 1, end)
            if close < 0:
                raise SearchError(f'{name}: a parenthesis is not closed: wanted ")"', Span(start, start + 3))
            inner, after = Span(start + 3, close), close + 3
        elif text.startswith('"', start):
            _, after = read_string(text, start)
            inner = Span(start + 1, after - 1)
        elif text.startswith("(", start):
            reader = Arguments(dataclasses.replace(stage, arguments=Span(start, end)))
            inner = reader.parenthesised()
            after = inner.end + 1
        else:
            raise SearchError(f"{name} wants a condition in parentheses", Span(match.start(1), match.end(1)))
        expression = _unescaped(text, inner)
        reader = ExpressionReader(expression_tokens(expression, inner, stage.subsearches), inner.end)
        found[name] = reader.expression()
        if not reader.done:
            raise SearchError(f"{shown(reader.peek())} is not expected here", reader.peek().span)
        blank = text[: match.start(1)] + " " * (after - match.start(1)) + text[after:]
        stage = dataclasses.replace(stage, text=blank)
    return stage


_RESET = re.compile(r"\b(reset_before|reset_after)\s*=\s*", re.I)


def _unescaped(text: str, span: Span) -> str:
    """The text with escaped quotes of a range as plain ones; every other character keeps its offset."""
    opening = True
    out = text[span.start : span.end]
    while (at := out.find('\\"')) >= 0:
        # The space left over goes outside of the string.
        out = out[:at] + (' "' if opening else '" ') + out[at + 2 :]
        opening = not opening
    return text[: span.start] + out + text[span.end :]
