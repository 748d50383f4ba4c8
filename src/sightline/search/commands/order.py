"""`sort`, `head`, `tail`, `reverse`, `dedup`: the order of rows, and how many of them."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.aggregates import grouping_key
from sightline.search.planner.lower import lower_condition
from sightline.search.planner.relation import OrderKey, Relation
from sightline.search.planner.relation import Sort as SortNode
from sightline.search.planner.values import Over, Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options, unquoted
from sightline.search.syntax.expressions import print_expression
from sightline.search.syntax.tree import Expression


@dataclass(frozen=True)
class SortKey:
    """A field, its direction and how its values compare (auto, num, str, ip)."""

    name: str
    descending: bool
    kind: str = "auto"

    def __str__(self) -> str:
        name = print_name(self.name) if self.kind == "auto" else f"{self.kind}({print_name(self.name)})"
        return ("-" if self.descending else "+") + name


def read_sort_keys(arguments: Arguments, stop_words: tuple[str, ...] = ()) -> list[SortKey]:
    """Sort keys such as `-count`, `+ host`, `- num(x)`, up to the end."""
    keys: list[SortKey] = []
    arguments.skip_commas()
    arguments.accept_word("by")
    while not arguments.at_end_of_list(stop_words):
        token = arguments.next()
        descending, name = False, token.text
        if token.kind == "word" and name in ("-", "+"):
            descending = name == "-"
            token = arguments.next()
            if token.kind not in ("word", "string", "quoted"):
                raise SearchError(f'a field name is expected after "{name}"', token.span)
            name = token.text
        elif token.kind == "word" and len(name) > 1 and name[0] in "+-":
            descending, name = name[0] == "-", name[1:]
        elif token.kind not in ("word", "string", "quoted"):
            raise SearchError(f'a field name is expected, got "{token.text}"', token.span)
        kind = "auto"
        if name.lower() in ("auto", "num", "str", "ip", "desc") and arguments.peek().is_("("):
            kind = name.lower()
            inner = arguments.parenthesised()
            name = unquoted(arguments.stage.text[inner.start : inner.end])
            if kind == "desc":
                kind, descending = "auto", True
        else:
            name += arguments.glued_parentheses(token)
        keys.append(SortKey(name, descending, kind))
        arguments.skip_commas()
    return keys


def _limit_follows(arguments: Arguments) -> bool:
    """Whether the number of rows stands behind the fields."""
    return any(t.is_word("limit") and u.is_("=") for t, u in zip(arguments.tokens, arguments.tokens[1:], strict=False))


def order_by(relation: Relation, keys: list[SortKey]) -> Relation:
    """The relation shown in the order of the keys; absent values come last."""
    order: list[OrderKey] = []
    for key in keys:
        value = relation.field(key.name)
        if value.type is not Type.NULL:
            order.extend(v.sort_keys(value, key.descending, key.kind))
    return relation.ordered(order)


@command("sort", kind="dataset")
@dataclass
class Sort(Command):
    """Orders rows by fields.

    Syntax: sort [<count>] [-|+]<field>... [desc]
    Example: index=web | stats count by uri | sort 10 -count uri

    Numbers compare as numbers, IP addresses as addresses, other text by its characters, numbers before text; `num(f)`,
    `str(f)` and `ip(f)` say it outright. Rows without the field come last. Ties keep the order they had. All rows are
    kept unless a count is given (0 is all).
    """

    keys: list[SortKey] = field(default_factory=list)
    count: int = 0
    repeatable = True

    @classmethod
    def read(cls, arguments: Arguments) -> Sort:
        count = 0
        token = arguments.peek()
        if token.is_word("limit") and arguments.peek(1).is_("="):
            arguments.next()
            arguments.next()
            count = arguments.number("limit", minimum=0)
        elif token.is_word("-", "+") and arguments.peek(1).is_word("limit") and arguments.peek(2).is_("="):
            # The sign belongs to the field behind the number: `sort - limit=0 count`.
            arguments.position += 3
            count = arguments.number("limit", minimum=0)
            arguments.position -= 1
            arguments.tokens[arguments.position] = token
        elif token.kind == "word" and token.text.isdigit():
            count = int(arguments.next().text)
        keys = read_sort_keys(arguments, ("limit",) if _limit_follows(arguments) else ())
        if arguments.accept_word("limit"):
            arguments.next()
            count = arguments.number("limit", minimum=0)
        # A trailing `d` or `desc` reverses everything.
        if len(keys) > 1 and keys[-1].name.lower() in ("d", "desc") and not keys[-1].descending and keys[-1].kind == "auto":
            keys = [SortKey(k.name, not k.descending, k.kind) for k in keys[:-1]]
        if not keys:
            raise SearchError("a field name is expected, got the end", arguments.peek().span)
        arguments.finish()
        return cls(keys, count)

    def print_arguments(self) -> list[str]:
        return [str(self.count), *(str(k) for k in self.keys)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        ordered = order_by(relation, self.keys)
        return ordered.head(self.count) if self.count else ordered


@command("head")
@dataclass
class Head(Command):
    """Keeps the first rows, or the rows before the first that fails a condition.

    Syntax: head [<count> | limit=<count> | (<condition>)] [null=<bool>] [keeplast=<bool>]
    Example: index=web | head 20

    Without a count it keeps 10. With a condition, rows are kept while it is true; `null=true` lets a condition without a
    value count as true, `keeplast=true` keeps the row that ended it.
    """

    limit: int = option(10, minimum=0, help="how many rows")
    null: bool = option(False, help="a condition without a value counts as true")
    keeplast: bool = option(False, help="keep the row that ended it too")
    condition: Expression | None = None

    @classmethod
    def read(cls, arguments: Arguments) -> Head:
        given = arguments.options(cls)
        condition = None
        while not arguments.done:
            token = arguments.peek()
            if token.kind == "word" and token.text.lstrip("-").isdigit():
                given["limit"] = arguments.number("limit", minimum=0)
            elif token.is_("("):
                condition = arguments.expression_in(arguments.parenthesised())
            else:
                error = arguments.unknown_option(cls)
                if error:
                    raise error
                arguments.finish()
            given.update(arguments.options(cls))
        if condition is not None and "limit" not in given:
            given["limit"] = 0
        return cls(condition=condition, **given)

    def print_arguments(self) -> list[str]:
        condition = [f"({print_expression(self.condition)})"] if self.condition is not None else []
        return [f"limit={self.limit}", *print_options(dataclasses.replace(self, limit=10)), *condition]

    def lower(self, relation: Relation, context: Context) -> Relation:
        if self.condition is not None:
            relation = self._while(relation, context)
            return relation.head(self.limit) if self.limit else relation
        return relation.head(self.limit)

    def _while(self, relation: Relation, context: Context) -> Relation:
        assert self.condition is not None
        test = lower_condition(self.condition, relation, context, "head")
        failed = v.negation(v.call("ifNull", test, v.TRUE if self.null else v.FALSE, type=Type.BOOL))
        relation = relation.with_field("\0failed", v.call("toInt64", failed, type=Type.INT)).settled()
        relation, position = relation.numbered()
        value = relation.field("\0failed")
        frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
        running = Over(Type.INT, v.call("sum", value, type=Type.INT), (), ((position, False),), frame)
        relation, (failures,) = relation.windowed([("failures", running)])
        before = v.call("minus", failures, value, type=Type.INT) if self.keeplast else failures
        relation = relation.filtered(v.call("equals", before, v.integer(0), type=Type.BOOL))
        return relation.with_field("\0failed", v.NULL)


@command("tail")
@dataclass
class Tail(Command):
    """Keeps the last rows, in reverse order.

    Syntax: tail [<count>]
    Example: index=web | sort _time | tail 5

    Without a count it keeps 10.
    """

    count: int = 10

    @classmethod
    def read(cls, arguments: Arguments) -> Tail:
        if arguments.peek().is_word("limit") and arguments.peek(1).is_("="):
            arguments.position += 2
        count = 10 if arguments.done else arguments.number("the count", minimum=0)
        arguments.finish()
        return cls(count)

    def print_arguments(self) -> list[str]:
        return [str(self.count)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        return reversed_order(relation).head(self.count)


@command("reverse")
@dataclass
class Reverse(Command):
    """Turns the order of rows around.

    Syntax: reverse
    Example: index=web | reverse
    """

    def lower(self, relation: Relation, context: Context) -> Relation:
        return reversed_order(relation)


def reversed_order(relation: Relation) -> Relation:
    """The same rows, the last one first; with several order keys by their position, because absent values sort last."""
    if len(relation.order) > 1:
        relation, position = relation.numbered()
        return dataclasses.replace(relation, order=((position, True),))
    return dataclasses.replace(relation, order=tuple((value, not down) for value, down in relation.order))


@command("dedup")
@dataclass
class Dedup(Command):
    """Keeps the first rows of each combination of values.

    Syntax: dedup [<count>] <field>... [keepevents=<bool>] [keepempty=<bool>] [consecutive=<bool>] [sortby <keys>]
    Example: index=web | dedup host sortby -_time

    Rows that lack one of the fields are dropped unless `keepempty=true`. `keepevents=true` keeps the other rows without
    the fields. `consecutive=true` only drops rows whose predecessor has the same values. A multivalue counts as a whole.
    """

    keepevents: bool = option(False, help="keep rows, without the fields, instead of dropping them")
    keepempty: bool = option(False, help="keep rows that lack one of the fields")
    consecutive: bool = option(False, help="compare only with the row before")
    count: int = 1
    names: list[str] = field(default_factory=list)
    sortby: list[SortKey] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Dedup:
        given = arguments.options(cls)
        count = 1
        token = arguments.peek()
        if token.kind == "word" and token.text.lstrip("-").isdigit() and not arguments.peek(1).is_("="):
            count = arguments.number("the count", minimum=1)
        names: list[str] = []
        sortby: list[SortKey] = []
        while not arguments.done:
            given.update(arguments.options(cls))
            arguments.skip_commas()
            if arguments.done:
                break
            if arguments.accept_word("sortby"):
                sortby = read_sort_keys(arguments)
                break
            error = arguments.unknown_option(cls)
            if error:
                raise error
            names.append(arguments.name())
            arguments.skip_commas()
        if not names:
            raise SearchError("a field name is expected, got the end", arguments.peek().span)
        return cls(count=count, names=names, sortby=sortby, **given)

    def print_arguments(self) -> list[str]:
        keys = ["sortby", *(str(k) for k in self.sortby)] if self.sortby else []
        return [str(self.count), *(print_name(n) for n in self.names), *print_options(self), *keys]

    def lower(self, relation: Relation, context: Context) -> Relation:
        names = [n for name in self.names for n in (relation.matching(name, internal=True) or [name])]
        keys = [grouping_key(relation.field(name)) for name in names]
        absent_everywhere = any(key.type is Type.NULL for key in keys)
        complete = v.FALSE if absent_everywhere else v.both([v.is_present(key) for key in keys])
        shown = order_by(relation, self.sortby) if self.sortby else relation
        if absent_everywhere:
            return shown if self.keepempty or self.keepevents else shown.filtered(v.FALSE)
        if not (self.keepempty or self.keepevents or self.consecutive):
            shown = shown.filtered(complete)
            node = SortNode(shown.node, shown.order, self.count, tuple(keys))
            return dataclasses.replace(shown, node=node)
        return self._marked(shown, keys, names, complete)

    def _marked(self, shown: Relation, keys: list[v.Value], names: list[str], complete: v.Value) -> Relation:
        shown, position = shown.numbered()
        if self.consecutive:
            same = [self._equals_previous(shown, key, position) for key in keys]
            columns = [("same", over) for over in same]
            shown, previous = shown.windowed(columns)
            equal = v.both(
                [
                    v.call("equals", v.as_text(_plain(key)), before, type=Type.BOOL)
                    for key, before in zip(keys, previous, strict=True)
                ]
            )
            duplicate = v.is_true(equal)
            if self.count > 1:
                shown, duplicate = self._run_longer_than_count(shown, duplicate, position)
        else:
            over = Over(Type.INT, v.call("row_number", type=Type.INT), tuple(keys), ((position, False),))
            shown, (nth,) = shown.windowed([("nth", over)])
            duplicate = v.call("greater", nth, v.integer(self.count), type=Type.BOOL)
        duplicate = v.both([complete, duplicate])
        if not self.keepempty:
            shown = shown.filtered(complete) if not self.keepevents else shown
        if self.keepevents:
            emptied: dict[str, v.Value] = {}
            for name in names:
                value = shown.field(name)
                empty = v.EMPTY_MULTI if value.type is Type.MULTI else v.Literal(value.type, None)
                emptied[name] = v.call("if", duplicate, empty, value, type=value.type)
            return shown.with_all(emptied)
        return shown.filtered(v.negation(duplicate))

    def _equals_previous(self, shown: Relation, key: v.Value, position: v.Value) -> Over:
        frame = "ROWS BETWEEN 1 PRECEDING AND 1 PRECEDING"
        call = v.call("any", v.as_text(_plain(key)), type=Type.TEXT)
        return Over(Type.TEXT, call, (), ((position, False),), frame)

    def _run_longer_than_count(self, shown: Relation, same: v.Value, position: v.Value) -> tuple[Relation, v.Value]:
        begins = v.call("toInt64", v.negation(same), type=Type.INT)
        frame = "ROWS BETWEEN UNBOUNDED PRECEDING AND CURRENT ROW"
        over = Over(Type.INT, v.call("sum", begins, type=Type.INT), (), ((position, False),), frame)
        shown, (run,) = shown.windowed([("run", over)])
        nth = Over(Type.INT, v.call("row_number", type=Type.INT), (run,), ((position, False),))
        shown, (number,) = shown.windowed([("nth", nth)])
        return shown, v.call("greater", number, v.integer(self.count), type=Type.BOOL)


def _plain(value: v.Value) -> v.Value:
    return v.call("arrayStringConcat", value, v.text("\n"), type=Type.TEXT) if value.type is Type.MULTI else value
