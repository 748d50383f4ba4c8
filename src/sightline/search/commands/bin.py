"""`bin`: the values of a field replaced by the bucket that they lie in."""

from __future__ import annotations

from dataclasses import dataclass, field

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.binning import Binning, chosen_buckets, read_binning
from sightline.search.planner.buckets import TimeBuckets
from sightline.search.planner.relation import Relation
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, print_name
from sightline.search.syntax.expressions import shown


@command("bin", aliases=("bucket", "discretize"))
@dataclass
class Bin(Command):
    """Puts the values of a field into buckets.

    Syntax: bin [span=<span>] [bins=<number>] [minspan=<span>] [start=<number>] [end=<number>] [aligntime=<time>] <field>
        [AS <name>]
    Example: index=web | bin _time span=1h | stats count by _time

    `_time`, or a field with a span of time such as 5m, becomes the start of its bucket; days, weeks and months follow the
    calendar, and `aligntime` moves where shorter spans begin. A number becomes the text of its range, `10-20`, the upper end
    not included; a span such as `2log5` makes ranges that grow by the base. Without a span, the smallest round one is
    taken that makes at most `bins` (100) buckets of the values there are; `start` and `end` widen that extent. A value
    that is no number stays as it is, as do several values. The field is overwritten unless AS names another.
    """

    reads_options_of = (Binning,)

    name: str = ""
    target: str = ""
    binning: Binning = field(default_factory=Binning)

    @classmethod
    def read(cls, arguments: Arguments) -> Bin:
        name, target, binning = "", "", Binning()
        while not arguments.done:
            more = read_binning(arguments, binning)
            if more is not None:
                binning = more
            elif arguments.peek(1).is_("="):
                raise arguments.unknown_option(cls) or SearchError("not expected here", arguments.peek().span)
            elif name and arguments.accept_word("as"):
                target = arguments.name("a name after AS")
            elif not name:
                name = arguments.name()
            else:
                raise SearchError(f"{shown(arguments.peek())} is not expected here", arguments.peek().span)
            arguments.skip_commas()
        if not name:
            raise SearchError("a field name is expected, got the end", arguments.peek().span)
        return cls(name, target, binning)

    def print_arguments(self) -> list[str]:
        return [*self.binning.print(), print_name(self.name), *(["AS", print_name(self.target)] if self.target else [])]

    def lower(self, relation: Relation, context: Context) -> Relation:
        buckets = chosen_buckets(relation, self.name, self.binning, context, always=True)
        value = relation.field(self.name)
        if buckets is None:
            return relation.with_field(self.target, value) if self.target else relation
        if not isinstance(buckets, TimeBuckets):
            found = buckets.ranges(value)
        elif value.type.is_number:
            found = buckets.value(value)
        else:
            begin = buckets.value(value)
            found = v.choose(v.is_present(begin), begin, value)
        return relation.with_field(self.target or self.name, found)
