"""`top` and `rare`: the most, and the least, frequent values of fields."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.aggregates import grouping_keys
from sightline.search.planner.partial import Finisher, is_partial
from sightline.search.planner.relation import OrderKey, Relation
from sightline.search.planner.values import Over, Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options

_PERCENT_DIGITS = 6


@dataclass
class _Frequent(Command):
    """What both commands share: everything but the direction."""

    limit: int = option(10, minimum=0, help="how many values, 0 is all")
    showcount: bool = option(True, help="a column with the number of rows")
    showperc: bool = option(True, help="a column with the share of rows")
    countfield: str = option("count", help="name of the column with the number of rows")
    percentfield: str = option("percent", help="name of the column with the share of rows")
    useother: bool = option(False, help="a row for all other values together")
    otherstr: str = option("OTHER", help="what stands for the other values")
    names: list[str] = field(default_factory=list)
    by: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> _Frequent:
        found: dict[str, Any] = {}
        names: list[str] = []
        by: list[str] = []
        token = arguments.peek()
        if token.kind == "word" and token.text.lstrip("-").isdigit() and not arguments.peek(1).is_("="):
            found["limit"] = arguments.number("limit", minimum=0)
        into = names
        while not arguments.done:
            if arguments.accept_word("by"):
                into = by
                if arguments.done:
                    raise SearchError("a field name after BY is expected, got the end", arguments.peek().span)
            elif arguments.peek(1).is_("="):
                taken = arguments.options(cls)
                if not taken:
                    raise arguments.unknown_option(cls) or SearchError("not expected here", arguments.peek().span)
                found.update(taken)
            else:
                into.append(arguments.name())
            arguments.skip_commas()
        if not names:
            raise SearchError("a field name is expected, got the end", arguments.peek().span)
        return cls(names=list(dict.fromkeys(names)), by=list(dict.fromkeys(by)), **found)

    def print_arguments(self) -> list[str]:
        by = ["BY", ", ".join(print_name(name) for name in self.by)] if self.by else []
        return [*print_options(self), ", ".join(print_name(name) for name in self.names), *by]

    def frequent(self, relation: Relation, descending: bool) -> Relation:
        """Values, counts and shares in the order of frequency; ties in natural order of the values."""
        relation, keys = grouping_keys(relation, [*self.by, *(n for n in self.names if n not in self.by)])
        count: v.Value = v.agg("count", type=Type.INT)
        if is_partial(relation):
            count = Finisher(relation).count()
        counted = relation.aggregated(keys, [("\0count", count)])
        count = counted.field("\0count")
        groups = tuple(counted.field(name) for name in self.by)
        every = Over(Type.INT, v.call("sum", count, type=Type.INT), groups)
        by_frequency = ((count, descending), *counted.order)
        if groups or self.useother or not self.limit:
            nth = Over(Type.INT, v.call("row_number", type=Type.INT), groups, by_frequency)
            counted, (total, rank) = counted.windowed([("total", every), ("rank", nth)])
            counted = counted.with_field("\0total", total).with_field("\0rank", rank)
            if self.limit:
                inside = v.call("lessOrEquals", rank, v.integer(self.limit), type=Type.BOOL)
                counted = self._with_others(counted, inside) if self.useother else counted.filtered(inside)
            by_frequency = ((counted.field("\0rank"), False),)
        else:
            # Finding the first ones takes a part of the time that putting all in order does.
            counted, (total,) = counted.windowed([("total", every)])
            counted = dataclasses.replace(counted.with_field("\0total", total), order=by_frequency).head(self.limit)
        fields = {name: counted.field(name) for name in (*self.by, *self.names)}
        count, total = counted.field("\0count"), counted.field("\0total")
        if self.showcount:
            fields[self.countfield] = v.call("toInt64", count, type=Type.INT)
        if self.showperc:
            share = v.call("divide", v.call("multiply", count, v.real(100), type=Type.FLOAT), total, type=Type.FLOAT)
            fields[self.percentfield] = v.call("round", share, v.integer(_PERCENT_DIGITS), type=Type.FLOAT)
        order: list[OrderKey] = [key for name in self.by for key in v.sort_keys(counted.field(name), False)]
        order.extend(by_frequency)
        return dataclasses.replace(counted.with_fields(fields), order=tuple(order))

    def _with_others(self, counted: Relation, inside: v.Value) -> Relation:
        """The rows beyond the limit as one row of each group."""
        rank = v.call("least", counted.field("\0rank"), v.integer(self.limit + 1), type=Type.INT)
        keys = [(name, counted.field(name)) for name in self.by]
        values = [
            (name, v.agg("any", v.choose(inside, v.as_text(counted.field(name)), v.text(self.otherstr)), type=Type.TEXT))
            for name in self.names
            if name not in self.by
        ]
        count = v.agg("sum", counted.field("\0count"), type=Type.INT)
        total = v.agg("any", counted.field("\0total"), type=Type.INT)
        return counted.aggregated([*keys, ("\0rank", rank)], [*values, ("\0count", count), ("\0total", total)])


@command("top", kind="transforming")
@dataclass
class Top(_Frequent):
    """The most frequent values of fields, with how many rows have them and the share of these.

    Syntax: top [<limit>] [limit=<number>] [showcount=<bool>] [showperc=<bool>] [countfield=<name>] [percentfield=<name>]
        [useother=<bool>] [otherstr=<text>] <field>... [BY <field>...]
    Example: index=web | top limit=5 uri by host

    Several fields are one value together. Only rows that have all the fields count, also for the share; with BY each group
    has values and shares of its own. A multivalue counts once for each of its values. `useother=true` adds a row for all
    values beyond the limit.
    """

    def lower(self, relation: Relation, context: Context) -> Relation:
        return self.frequent(relation, True)


@command("rare", kind="transforming")
@dataclass
class Rare(_Frequent):
    """The least frequent values of fields, with how many rows have them and the share of these.

    Syntax: rare [<limit>] [limit=<number>] [showcount=<bool>] [showperc=<bool>] [countfield=<name>] [percentfield=<name>]
        [useother=<bool>] [otherstr=<text>] <field>... [BY <field>...]
    Example: index=web | rare limit=5 uri

    The opposite of top, with the same options.
    """

    def lower(self, relation: Relation, context: Context) -> Relation:
        return self.frequent(relation, False)
