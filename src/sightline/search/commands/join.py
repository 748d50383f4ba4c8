"""`join` and `selfjoin`: rows side by side with other rows that have the same values."""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass, field

from sightline.errors import SearchError, Span
from sightline.search.commands.subsearch import Branch, branch_at, print_branch, run_branch
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.aggregates import fields_with_values
from sightline.search.planner.matching import first_of_each, match_keys, numbered_in_groups
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options
from sightline.search.syntax.expressions import shown

_PLAIN_ALIAS = re.compile(r"[\w-]+")


@command("join", kind="dataset")
@dataclass
class Join(Command):
    """Adds the fields of a subsearch's rows to the rows that have the same values.

    Syntax: join [type=inner|left|outer] [max=<n>] [overwrite=<bool>] [usetime=<bool>] [earlier=<bool>]
        [<field>... | left=<alias> right=<alias> where <alias>.<field>=<alias>.<field>...] [<subsearch>] |
        datamodel:<data model> | lookup:<lookup> | savedsearch:<saved search>
    Example: index=web | join type=left host [search index=deploys | stats latest(version) AS version by host]

    Without fields, those that both sides have values of are compared, internal ones aside; where there is none, every row
    is joined. Values compare as text, case-sensitively, numbers by their value and a multivalue as a whole; a row that
    lacks a field matches nothing. `inner` drops rows without a match, `left` (`outer` is the same) keeps them. A row is
    joined with the first `max` matches in the subsearch's order, which makes a row for each; 0 is all of them. Fields of
    the same name take the subsearch's value where it has one, `_time` and `_raw` among them, unless `overwrite=false`.
    With `usetime=true` only matches of the same second or earlier count (`earlier=false`: or later). With aliases all
    fields but internal ones are named `alias.field`. The whole subsearch is read; nothing is cut.
    """

    runs_brackets = True

    type: str = option("inner", choices=("inner", "left", "outer"), help="drop or keep rows without a match")
    max: int = option(1, minimum=0, help="how many matches of a row to use, 0 is all")
    overwrite: bool = option(True, help="the subsearch's values replace those of the same name")
    usetime: bool = option(False, help="only matches from before, or after, the row")
    earlier: bool = option(True, help="with usetime: from before")
    left: str = option("", help="a name for the rows")
    right: str = option("", help="a name for the subsearch's rows")
    names: list[str] = field(default_factory=list)
    pairs: list[tuple[str, str]] = field(default_factory=list)
    branch: Branch = field(default_factory=Branch)
    span: Span = field(default=Span(0, 0), compare=False)

    @classmethod
    def read(cls, arguments: Arguments) -> Join:
        found = arguments.options(cls)
        names: list[str] = []
        pairs: list[tuple[str, str]] = []
        branch: Branch | None = None
        while not arguments.done:
            found.update(arguments.options(cls))
            if arguments.done:
                break
            if (next_branch := branch_at(arguments)) is not None:
                if branch is not None:
                    raise SearchError("joins with one subsearch or dataset, got two", arguments.tokens[-1].span)
                branch = next_branch
            elif arguments.accept_word("where"):
                pairs = _read_pairs(arguments, found)
            elif error := arguments.unknown_option(cls):
                raise error
            else:
                names.append(arguments.name())
            arguments.skip_commas()
        if branch is None:
            raise SearchError(f"a subsearch in brackets is expected, got {shown(arguments.peek())}", arguments.peek().span)
        if not pairs:
            # Splunk, too, ignores aliases that no WHERE uses.
            found.pop("left", None)
            found.pop("right", None)
        elif names:
            raise SearchError(f'either fields or WHERE is wanted, got "{names[0]}" and WHERE', arguments.stage.arguments)
        return cls(names=names, pairs=pairs, branch=branch, span=arguments.stage.arguments, **found)

    def print_arguments(self) -> list[str]:
        where = [
            f"{print_name(f'{self.left}.{ours}')}={print_name(f'{self.right}.{theirs}')}" for ours, theirs in self.pairs
        ]
        fields = ["where", *where] if where else [print_name(name) for name in self.names]
        return [*print_options(self), *fields, print_branch(self.branch)]

    def streams(self) -> bool:
        # With fields to join on, each row is looked up by itself.
        return bool(self.names)

    def lower(self, relation: Relation, context: Context) -> Relation:
        right = run_branch(self.branch, context)
        pairs = self.pairs or [(name, name) for name in self.names or self._common_fields(relation, right, context)]
        keys = [match_keys(relation.field(ours), right.field(theirs)) for ours, theirs in pairs]
        if any(None in (ours, theirs) for ours, theirs in keys):
            # A field that one side has nowhere matches nothing.
            return relation.filtered(v.FALSE) if self.type == "inner" else relation
        on = [(ours, theirs) for ours, theirs in keys if ours is not None and theirs is not None]
        if self.usetime:
            return self._joined_by_time(relation, right, on)
        if self.max:
            right = first_of_each(right, [theirs for _, theirs in on], self.max)
        joined, found = relation.joined(right, on, "inner" if self.type == "inner" else "left")
        return self._with_fields(joined, found)

    def _common_fields(self, relation: Relation, right: Relation, context: Context) -> list[str]:
        names = [n for n in relation.fields if n in right.fields and not n.startswith("_") and not n.endswith("{}")]
        used = [fields_with_values(side, names, context) for side in (relation, right)] if names else []
        return [name for name in names if all(name in one for one in used)]

    def _joined_by_time(self, relation: Relation, right: Relation, on: Sequence[tuple[Value, Value]]) -> Relation:
        times = [v.as_float(side.field("_time")) for side in (relation, right)]
        if any(side.field("_time").type is Type.NULL for side in (relation, right)):
            raise SearchError("usetime wants rows with a _time on both sides", self.span)
        relation, position = relation.numbered()
        right = right.with_fields({**right.fields, "\0second": _second(times[1])})
        joined, found = relation.joined(right, on, "left")
        theirs = found.fields["\0second"]
        comparison = v.compare("<=" if self.earlier else ">=", theirs, _second(times[0]))
        counts = v.is_true(v.both([v.is_present(theirs), comparison]))
        order = ((v.call("toInt64", counts, type=Type.INT), True), *joined.order)
        joined, nth = numbered_in_groups(joined, (position,), order)
        kept = v.both([counts, v.compare("<=", nth, v.integer(self.max))]) if self.max else counts
        if self.type != "inner":
            # A row whose matches all lie on the wrong side of it stays, without them.
            kept = v.either([kept, v.compare("=", nth, v.integer(1))])
        fields = {name: v.choose(counts, x, v.NULL) for name, x in found.fields.items() if name != "\0second"}
        joined = joined.filtered(kept)
        return self._with_fields(joined, dataclasses.replace(found, node=joined.node, fields=fields))

    def _with_fields(self, joined: Relation, found: Relation) -> Relation:
        """The joined rows with the fields of both sides under the names that the command gives them."""
        fields = {_prefixed(self.left, name): value for name, value in joined.fields.items()}
        for name, value in found.fields.items():
            name = _prefixed(self.right, name)
            if name in fields:
                first, second = (value, fields[name]) if self.overwrite else (fields[name], value)
                value = v.choose(v.is_present(first), first, second)
            fields[name] = value
        return joined.with_fields(fields).settled()


def _second(time: Value) -> Value:
    return v.call("floor", time, type=Type.FLOAT)


def _prefixed(alias: str, name: str) -> str:
    return f"{alias}.{name}" if alias and not name.startswith("_") else name


def _read_pairs(arguments: Arguments, found: dict[str, object]) -> list[tuple[str, str]]:
    """The `left.field=right.field` pairs after WHERE, in this order, however they were written."""
    left, right = str(found.get("left", "")), str(found.get("right", ""))
    start = arguments.peek().span
    for name, alias in (("left", left), ("right", right)):
        if not _PLAIN_ALIAS.fullmatch(alias):
            raise SearchError(f'WHERE wants left=<alias> and right=<alias> before it, got {name}="{alias}"', start)
    if left == right:
        raise SearchError(f'left and right want different aliases, got "{left}" for both', start)
    pairs: list[tuple[str, str]] = []
    while arguments.peek(1).is_("=", "==") and (not pairs or arguments.peek().text.partition(".")[0] in (left, right)):
        first = _aliased(arguments, (left, right))
        arguments.next()
        second = _aliased(arguments, (left, right))
        if first[0] == second[0]:
            raise SearchError(f'both fields are of "{first[0]}", wanted one of each side', start)
        pairs.append((first[1], second[1]) if first[0] == left else (second[1], first[1]))
        arguments.skip_commas()
        arguments.accept_word("and")
    if not pairs:
        raise SearchError(
            f"{left}.<field>={right}.<field> is expected, got {shown(arguments.peek())}", arguments.peek().span
        )
    return pairs


def _aliased(arguments: Arguments, aliases: tuple[str, str]) -> tuple[str, str]:
    token = arguments.peek()
    alias, _, name = arguments.name("a field with its alias").partition(".")
    if alias not in aliases or not name:
        wanted = " or ".join(f"{one}.<field>" for one in aliases)
        raise SearchError(f"{wanted} is expected, got {shown(token)}", token.span)
    return alias, name


@command("selfjoin", kind="dataset")
@dataclass
class SelfJoin(Command):
    """Joins each row with the rows after it that have the same values.

    Syntax: selfjoin [overwrite=<bool>] [max=<n>] [keepsingle=<bool>] <field>...
    Example: index=web | stats count by host user | selfjoin host

    A row is joined with the next `max` rows of the same values, which makes a row for each; 0 is all of them. The later
    row's values are taken where it has them, and the former's where it has none; `overwrite=false` turns that around. A
    row without another of the same values is dropped unless `keepsingle=true`, one that lacks a field always.
    """

    overwrite: bool = option(True, help="the later row's values replace those of the same name")
    max: int = option(1, minimum=0, help="how many later rows to join a row with, 0 is all")
    keepsingle: bool = option(False, help="keep rows that no other row has the values of")
    names: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> SelfJoin:
        names, found = arguments.names_with_options(cls)
        if not names:
            raise SearchError("a field name is expected, got the end", arguments.peek().span)
        return cls(names=names, **found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *(print_name(name) for name in self.names)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        keys = [match_keys(relation.field(name), relation.field(name))[0] for name in self.names]
        if any(key is None for key in keys):
            return relation.filtered(v.FALSE)
        present = [key for key in keys if key is not None]
        relation = context.held(relation.filtered(v.both([v.is_present(key) for key in present])))
        present = [key for name in self.names if (key := match_keys(relation.field(name), relation.field(name))[0])]
        relation, position = relation.numbered()
        relation, nth = numbered_in_groups(relation, present, ((position, False),))
        later = relation.with_fields({**relation.fields, "\0nth": nth})
        if self.max == 1:
            # The next row has the next number: one equality, so one hash join without a condition beside it.
            before = v.call("minus", nth, v.integer(1), type=Type.INT)
            on = [*((key, key) for key in present), (nth, before)]
            joined, found = relation.joined(later, on, "inner")
        else:
            joined, found = relation.joined(later, [(key, key) for key in present], "inner")
            apart = v.call("minus", found.fields["\0nth"], nth, type=Type.INT)
            near = [v.compare(">", apart, v.integer(0))]
            if self.max:
                near.append(v.compare("<=", apart, v.integer(self.max)))
            joined = joined.filtered(v.is_true(v.both(near)))
        fields = {}
        for name, value in relation.fields.items():
            first, second = (found.fields[name], value) if self.overwrite else (value, found.fields[name])
            fields[name] = v.choose(v.is_present(first), first, second)
        joined = joined.with_fields(fields).settled()
        if not self.keepsingle:
            return joined
        rows = v.Over(Type.INT, v.call("count", type=Type.INT), tuple(present))
        alone, (size,) = relation.windowed([("size", rows)])
        alone = alone.filtered(v.compare("=", size, v.integer(1)))
        return joined.union([alone])
