"""`transaction`: events that belong together as one."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from sightline.errors import SearchError
from sightline.search.commands.search import expand_subsearches
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.lower import lower_condition, lower_predicate
from sightline.search.planner.relation import Relation
from sightline.search.planner.transactions import Bounds, Rendering, Transactions
from sightline.search.planner.values import Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import FALSE_WORDS, TRUE_WORDS, Arguments, option, print_name, print_options
from sightline.search.syntax.expressions import print_expression, shown
from sightline.search.syntax.predicates import PredicateReader, print_predicate
from sightline.search.syntax.tokens import word_tokens
from sightline.search.syntax.tree import Expression, Predicate
from sightline.search.time import parse_span


@dataclass(frozen=True)
class Filter:
    """What the first or last event of a transaction matches: a condition of `search`, or one of `eval`."""

    predicate: Predicate | None = None
    expression: Expression | None = None

    def __str__(self) -> str:
        if self.expression is not None:
            return f"eval({print_expression(self.expression)})"
        assert self.predicate is not None
        return f"({print_predicate(self.predicate)})"

    def lower(self, relation: Relation, context: Context, name: str) -> Value:
        """Whether a row matches, never NULL."""
        if self.expression is not None:
            return v.is_true(lower_condition(self.expression, relation, context, name))
        assert self.predicate is not None
        return v.is_true(lower_predicate(expand_subsearches(self.predicate, context), relation, context))


@command("transaction", kind="dataset")
@dataclass
class Transaction(Command):
    """Groups events into transactions, each shown as one event.

    Syntax: transaction [<field>...|fields=<fields>] [maxspan=<span>] [maxpause=<span>] [maxevents=<n>] [startswith=<filter>]
        [endswith=<filter>] [keepevicted=<bool>] [keeporphans=<bool>] [mvlist=<bool>|<fields>] [nullstr=<text>]
        [mvraw=<bool>] [delim=<text>] [connected=<bool>] [unifyends=<bool>]
    Example: index=web | transaction session maxpause=30m | stats avg(duration) AS seconds, avg(eventcount) AS pages

    Events of equal values of the fields belong together; without fields all do. An event that lacks some of the fields takes
    them from the nearest newer event that shares another one, else from the nearest older one; with `connected=false` also
    from one that shares none. One that lacks them all is an orphan; with `unifyends=false` one that a filter matches ends or
    begins the transaction of the events beside it all the same.

    From the newest event on, a transaction ends before an event that makes it longer than `maxspan`, that lies more than
    `maxpause` before the last, or that would be one more than `maxevents` (-1 is no bound), before an event that `endswith`
    matches, which is the last of the next transaction, and after one that `startswith` matches. Events that match both are
    the end and the beginning in turn. A filter is a condition of `search` in quotes or parentheses, or `eval(...)`.

    The result has the earliest time, the texts below one another in order of time, and of every other field the distinct
    values in the order of their characters, or with `mvlist` those of all events in order of time, `nullstr` for none. New
    fields: `duration` in seconds, `eventcount`, `linecount`, `field_match_sum` (how many values of the fields were found),
    and `closed_txn`: with filters 1 where the transaction has what they match; else 1 where a bound closed it, 0 where events
    before the searched ones might belong to it. Those that lack what a filter asks for are left out unless
    `keepevicted=true`. `keeporphans=true` adds the orphans, with `_txn_orphan=1`. Nothing else is left out: there is no
    limit on open transactions.
    """

    maxspan: str = option("-1", help="longest time from the first to the last event")
    maxpause: str = option("-1", help="longest time between two events")
    maxevents: int = option(1000, help="how many events, -1 for any number")
    connected: bool = option(True, help="an event without any shared value begins a transaction instead of joining one")
    unifyends: bool = option(True, help="events that a filter matches must have one of the fields, too")
    keepevicted: bool = option(False, help="show also those that lack what a filter asks for")
    keeporphans: bool = option(False, help="show also events that belong to none")
    mvlist: str = option("f", help="show the values of all events in order, of all or of the named fields")
    mvraw: bool = option(False, help="keep the texts of events apart")
    delim: str = option(" ", help="with mvraw, what joins the texts; other fields stay multivalues")
    nullstr: str = option("NULL", help="with mvlist, what stands for an absent value")
    maxopentxn: int = option(0, help="accepted for compatibility; no transaction is given up for lack of memory")
    maxopenevents: int = option(0, help="accepted for compatibility; no transaction is given up for lack of memory")
    startswith: Filter | None = None
    endswith: Filter | None = None
    names: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Transaction:
        found: dict[str, Any] = {}
        names: list[str] = []
        while not arguments.done:
            token = arguments.peek()
            if token.is_word("startswith", "endswith", "mvlist") and arguments.peek(1).is_("="):
                name = arguments.next().text.lower()
                if name in found:
                    raise SearchError(f'"{name}" is given twice', token.span)
                arguments.next()
                found[name] = _read_list(arguments) if name == "mvlist" else _read_filter(arguments, name)
            elif token.is_word("fields") and arguments.peek(1).is_("="):
                # As a transaction type in a configuration file names them.
                arguments.position += 2
                names.extend(part.strip() for part in arguments.name().split(",") if part.strip())
            elif more := arguments.options(cls):
                found.update(more)
            elif error := arguments.unknown_option(cls):
                raise error
            elif token.kind == "string" and "," in token.text:
                names.extend(part.strip() for part in arguments.next().text.split(",") if part.strip())
            else:
                names.append(arguments.name())
            arguments.skip_commas()
        if "connected" in found and "unifyends" not in found:
            found["unifyends"] = found["connected"]
        made = cls(names=list(dict.fromkeys(names)), **found)
        for name in ("maxspan", "maxpause"):
            _seconds(name, getattr(made, name))
        if made.maxevents == 0:
            raise SearchError("maxevents must be 1 or more, or -1 for any number, got 0")
        return made

    def print_arguments(self) -> list[str]:
        filters = [
            f"{name}={condition}"
            for name, condition in (("startswith", self.startswith), ("endswith", self.endswith))
            if condition is not None
        ]
        unifyends = [] if self.unifyends == self.connected else [f"unifyends={str(self.unifyends).lower()}"]
        options = [part for part in print_options(self) if not part.startswith("unifyends=")]
        return [*(print_name(name) for name in self.names), *options, *unifyends, *filters]

    def lower(self, relation: Relation, context: Context) -> Relation:
        if relation.field("_time").type is Type.NULL:
            if context.dry:
                return relation
            raise SearchError("wants rows with a _time", hint="table and stats keep it only where it is named")
        bounds = Bounds(
            _seconds("maxspan", self.maxspan),
            _seconds("maxpause", self.maxpause),
            self.maxevents if self.maxevents > 0 else None,
            self.startswith.lower(relation, context, "startswith") if self.startswith else None,
            self.endswith.lower(relation, context, "endswith") if self.endswith else None,
        )
        transactions = Transactions(relation, self.names, bounds, context, unifies_ends=self.unifyends)
        orphans = transactions.orphans() if self.keeporphans and self.names else None
        linked = transactions.has_partial_rows()
        found = transactions.grouped(linked=linked, connected=self.connected, rendering=self._rendering())
        if (self.startswith or self.endswith) and not self.keepevicted:
            found = found.filtered(v.compare("=", found.field("closed_txn"), v.integer(1)))
        if orphans is None:
            return found
        merged = found.union([orphans.with_field("_txn_orphan", v.integer(1))])
        return merged.ordered([(merged.field("_time"), True)])

    def _rendering(self) -> Rendering:
        word = self.mvlist.strip().lower()
        listed = None if word in TRUE_WORDS else frozenset() if word in FALSE_WORDS else frozenset(_split(self.mvlist))
        delimiter = "\n" if not self.mvraw else self.delim if self.delim != " " else None
        return Rendering(listed, self.nullstr, delimiter)


def _read_list(arguments: Arguments) -> str:
    """One word, or several with commas and no spaces between them."""
    text = arguments.name("true, false or field names")
    while (
        arguments.peek().is_(",") and arguments.peek().glued and arguments.peek(1).kind == "word" and arguments.peek(1).glued
    ):
        arguments.next()
        text += "," + arguments.name()
    return text


def _split(text: str) -> list[str]:
    return [part for part in re.split(r"[,\s()]+", text) if part]


def _seconds(name: str, text: str) -> float | None:
    """A length of time in seconds; None for a negative one, which is no bound."""
    if text.strip().startswith("-"):
        return None
    try:
        span = parse_span(text)
    except SearchError:
        raise SearchError(f'{name} must be a number and a unit such as 30s, 5m, 1h or 1d, or -1, got "{text}"') from None
    if span.seconds is None:
        raise SearchError(f'{name} must be a length of time that is always the same, such as 30d, got "{text}"')
    return float(span.seconds)


def _read_filter(arguments: Arguments, name: str) -> Filter:
    """The filter at the cursor: `"condition"`, `(condition)`, `eval(condition)`, or a condition of one word."""
    token = arguments.peek()
    if token.is_word("eval") and arguments.peek(1).is_("("):
        arguments.next()
        return Filter(expression=arguments.expression_in(arguments.parenthesised()))
    if token.is_("("):
        inner = arguments.parenthesised()
        tokens = word_tokens(arguments.stage.text, inner, arguments.stage.subsearches)
        return Filter(_all_of(PredicateReader(tokens, inner.end), name))
    if token.kind == "string":
        arguments.next()
        try:
            tokens = word_tokens(token.text, type(token.span)(0, len(token.text)), {})
            return Filter(_all_of(PredicateReader(tokens, len(token.text)), name))
        except SearchError as error:
            error.span = token.span
            raise
    if token.kind not in ("word", "quoted"):
        raise SearchError(f"{name} wants a condition in quotes or parentheses, got {shown(token)}", token.span)
    length = 3 if arguments.peek(1).kind == "operator" and arguments.peek(1).glued else 1
    taken = [arguments.next() for _ in range(length)]
    return Filter(_all_of(PredicateReader(taken, taken[-1].span.end), name))


def _all_of(reader: PredicateReader, name: str) -> Predicate:
    predicate = reader.all_of()
    if not reader.done:
        raise SearchError(f"{shown(reader.peek())} is not expected in {name}", reader.peek().span)
    return predicate
