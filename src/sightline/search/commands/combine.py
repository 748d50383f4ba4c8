"""The rows of several pipelines as one result: below one another (`append`, `appendpipe`, `multireport`, `union`,
`multisearch`), side by side (`appendcols`), or as sets (`set`)."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sightline.errors import LanguageError, SearchError
from sightline.search.commands.subsearch import Branch, branch_at, print_branch, run_branch
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.sources import STORED_ORDER
from sightline.search.planner.values import Over, Type
from sightline.search.registry import Command, command, fields_needed, read_command
from sightline.search.syntax.arguments import Arguments, option, print_options
from sightline.search.syntax.expressions import shown
from sightline.search.syntax.printer import print_pipeline
from sightline.search.syntax.tree import Pipeline


@dataclass
class SubsearchLimits(Command):
    """Options of a subsearch that every command with one takes. Nothing is cut unless they are given."""

    maxtime: int = option(0, minimum=0, help="end the subsearch after so many seconds and use its rows so far; 0 is never")
    timeout: int = option(0, minimum=0, help="wait so many seconds for the subsearch, then as for maxtime; 0 is for ever")
    maxout: int = option(0, minimum=0, help="at most so many rows of the subsearch; 0 is all")
    extendtimerange: bool = option(False, help="what follows takes the range of the whole and the subsearch for its own")

    def rows_of(self, branch: Branch, context: Context) -> Relation:
        """The subsearch's rows within the limits."""
        outer = context.time_range
        found = run_branch(branch, context)
        if self.extendtimerange:
            context.override_range([outer, context.subsearch_range])
        if self.maxout:
            found = found.head(self.maxout)
        limits = [limit for limit in (self.maxtime, self.timeout) if limit]
        return context.rows_within(found, min(limits)) if limits else found


def read_subsearch(arguments: Arguments, command: type) -> tuple[Branch, dict[str, Any]]:
    """One subsearch in brackets, with options of the command before and after it."""
    found = arguments.options(command)
    if error := arguments.unknown_option(command):
        raise error
    start = arguments.peek().span
    branch = Branch(arguments.subsearch(), span=start)
    found.update(arguments.options(command))
    arguments.finish()
    return branch, found


@command("append", kind="orchestrating")
@dataclass
class Append(SubsearchLimits):
    """Adds the rows of a subsearch after the current rows.

    Syntax: append [maxtime=<s>] [timeout=<s>] [maxout=<n>] [extendtimerange=<bool>] [<subsearch>]
    Example: index=web | stats count | append [search index=api | stats count]

    The subsearch runs by itself, over the job's time range. Fields that one side lacks are empty there.
    """

    runs_brackets = True
    run_in_preview: bool = option(True, help="accepted for compatibility; previews have the subsearch's rows, too")

    branch: Branch = field(default_factory=Branch)

    @classmethod
    def read(cls, arguments: Arguments) -> Append:
        branch, found = read_subsearch(arguments, cls)
        return cls(branch=branch, **found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), print_branch(self.branch)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        return relation.union([self.rows_of(self.branch, context)])


@command("appendcols", kind="orchestrating")
@dataclass
class AppendCols(SubsearchLimits):
    """Adds the fields of a subsearch's rows to the current rows, the first to the first, the second to the second.

    Syntax: appendcols [override=<bool>] [maxtime=<s>] [timeout=<s>] [maxout=<n>] [extendtimerange=<bool>] [<subsearch>]
    Example: index=web | stats count AS web | appendcols [search index=api | stats count AS api]

    Rows are matched by their position only. Where both rows have a field the current one stays, unless `override=true`.
    Fields of the subsearch that start with an underscore are left out. If the subsearch has more rows, those stand alone
    at the end.
    """

    runs_brackets = True
    run_in_preview: bool = option(True, help="accepted for compatibility; previews have the subsearch's rows, too")

    override: bool = option(False, help="the subsearch's values replace those of the same name")
    branch: Branch = field(default_factory=Branch)

    @classmethod
    def read(cls, arguments: Arguments) -> AppendCols:
        branch, found = read_subsearch(arguments, cls)
        return cls(branch=branch, **found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), print_branch(self.branch)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        other = self.rows_of(self.branch, context)
        other = other.with_fields({name: x for name, x in other.fields.items() if not name.startswith("_")})
        sides = []
        for side in (relation, other):
            numbered, position = side.numbered()
            sides.append((dataclasses.replace(numbered.with_fields(numbered.fields | {"\0row": position})), position))
        (left, ours), (right, theirs) = sides
        joined, found = left.joined(right, [(ours, theirs)], "full")
        row = v.call("ifNull", joined.fields["\0row"], found.fields["\0row"], type=Type.INT)
        fields = {name: x for name, x in joined.fields.items() if name != "\0row"}
        for name, value in found.fields.items():
            if name == "\0row":
                continue
            if name in fields:
                first, second = (value, fields[name]) if self.override else (fields[name], value)
                value = v.choose(v.is_present(first), first, second)
            fields[name] = value
        return dataclasses.replace(joined.with_fields(fields), order=((row, False),)).settled()


@command("appendpipe", kind="orchestrating")
@dataclass
class AppendPipe(Command):
    """Adds, after the current rows, what a pipeline makes of them.

    Syntax: appendpipe [run_in_preview=<bool>] [<pipeline>]
    Example: index=web | stats count by host | appendpipe [stats sum(count) AS count | eval host="all"]
    """

    runs_brackets = True

    run_in_preview: bool = option(True, help="accepted for compatibility; it always runs")
    pipeline: Pipeline | None = None

    @classmethod
    def read(cls, arguments: Arguments) -> AppendPipe:
        branch, found = read_subsearch(arguments, cls)
        return cls(pipeline=branch.pipeline, **found)

    def print_arguments(self) -> list[str]:
        assert self.pipeline is not None
        return [*print_options(self), f"[{print_pipeline(self.pipeline)}]"]

    def lower(self, relation: Relation, context: Context) -> Relation:
        assert self.pipeline is not None
        shared = context.rereadable(relation)
        return shared.union([context.subsearch(self.pipeline, shared)])


@command("multireport", kind="orchestrating")
@dataclass
class MultiReport(Command):
    """Runs several pipelines over the same rows and shows their results one after the other.

    Syntax: multireport [<pipeline>] [<pipeline>]...
    Example: index=web | multireport [stats count by host] [stats avg(duration_ms) by uri]

    Every branch gets all rows. The result has the fields of all branches.
    """

    runs_brackets = True

    branches: list[Pipeline] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> MultiReport:
        branches = []
        while not arguments.done:
            branches.append(arguments.subsearch())
            arguments.skip_commas()
        if not branches:
            raise SearchError("at least one pipeline in brackets is wanted", arguments.peek().span)
        return cls(branches)

    def needs(self, after: frozenset[str] | None) -> frozenset[str] | None:
        found: set[str] = set()
        for branch in self.branches:
            read = fields_needed([read_command(stage) for stage in branch.stages], None)
            if read is None:
                return None
            found |= read
        return frozenset(found)

    def print_arguments(self) -> list[str]:
        return [f"[{print_pipeline(branch)}]" for branch in self.branches]

    def lower(self, relation: Relation, context: Context) -> Relation:
        shared = context.rereadable(relation)
        first, *others = [context.subsearch(branch, shared) for branch in self.branches]
        return first.union(others).as_table() if others else first.as_table()


def read_branches(arguments: Arguments, at_least: int) -> list[Branch]:
    """Subsearches and datasets up to the end."""
    branches: list[Branch] = []
    while not arguments.done:
        branch = branch_at(arguments)
        if branch is None:
            token = arguments.peek()
            raise SearchError(f"a subsearch in brackets is expected, got {shown(token)}", token.span)
        branches.append(branch)
        arguments.skip_commas()
    if len(branches) < at_least:
        raise LanguageError(f"at least {at_least} subsearches are wanted, got {len(branches)}", arguments.stage.arguments)
    return branches


def newest_first(relations: Sequence[Relation]) -> Relation:
    """All rows, those with a time mixed newest first."""
    first, *others = relations
    merged = first.union(others) if others else first
    time = merged.field("_time")
    if time.type is Type.NULL or not others:
        return merged
    if all(relation.order == STORED_ORDER for relation in relations):
        # No branch has an order beyond its time, so that the rows need not be numbered, which would sort each branch.
        return dataclasses.replace(merged, order=((time, True), merged.order[0]))
    return merged.ordered([(time, True)])


@command("union", kind="generating")
@dataclass
class Union(SubsearchLimits):
    """Merges the rows of subsearches and datasets, and of the search before it.

    Syntax: union [maxtime=<s>] [timeout=<s>] [maxout=<n>] [<subsearch>] | datamodel:<data model> | lookup:<lookup> |
        savedsearch:<saved search>...
    Example: | union [search index=web] [search index=api]

    A dataset is `lookup:<name>`, `savedsearch:<name>` or `datamodel:<name>`. Where all of them give events these are mixed
    newest first; else the rows come one dataset after the other. Equal rows stay.
    """

    runs_brackets = True

    anywhere = True
    branches: list[Branch] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Union:
        found = arguments.options(cls)
        if error := arguments.unknown_option(cls):
            raise error
        return cls(branches=read_branches(arguments, 1), **found)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *(print_branch(branch) for branch in self.branches)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        beginning = not relation.fields
        relations = [] if beginning else [relation]
        ranges = []
        for branch in self.branches:
            relations.append(self.rows_of(branch, context))
            ranges.append(context.subsearch_range)
        if beginning:
            context.override_range(ranges)
        if all(one.kind == "events" for one in relations):
            return newest_first(relations)
        first, *others = relations
        return first.union(others) if others else first


@command("multisearch", kind="generating")
@dataclass
class MultiSearch(Command):
    """Runs several searches and mixes their events, newest first.

    Syntax: multisearch [<subsearch>] [<subsearch>]...
    Example: | multisearch [search index=web | eval from="web"] [search index=api | eval from="api"]

    In Splunk there are two subsearches or more, of commands that treat each event by itself. Here there may be one, and of any
    commands, as for `union`; a warning then says that Splunk refuses it. Rows that are no events come one subsearch after the
    other.
    """

    runs_brackets = True

    branches: list[Branch] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> MultiSearch:
        branches = read_branches(arguments, 1)
        for branch in branches:
            if branch.pipeline is None:
                raise SearchError(f'a subsearch in brackets is expected, got "{branch.dataset}"', branch.span)
        return cls(branches)

    def print_arguments(self) -> list[str]:
        return [print_branch(branch) for branch in self.branches]

    def lower(self, relation: Relation, context: Context) -> Relation:
        if len(self.branches) == 1:
            context.tell_leniency("multisearch wants two subsearches or more; this one runs by itself")
        self._tell_other_commands(context)
        relations, ranges = [], []
        for branch in self.branches:
            relations.append(run_branch(branch, context))
            ranges.append(context.subsearch_range)
        context.override_range(ranges)
        if all(one.kind == "events" for one in relations):
            return newest_first(relations)
        first, *others = relations
        return first.union(others) if others else first

    def _tell_other_commands(self, context: Context) -> None:
        stages = [(n, s) for n, b in enumerate(self.branches, 1) if b.pipeline for s in b.pipeline.stages]
        for position, stage in stages:
            command = read_command(stage)
            if not command.streams():
                context.tell_leniency(
                    f'multisearch takes streaming commands only, and subsearch {position} holds "{stage.name}", which is '
                    f"{command.kind}; its rows are added as union adds them",
                    stage.name_span,
                )
                return


@command("set", kind="generating")
@dataclass
class SetOperation(Command):
    """Compares the rows of two subsearches as sets.

    Syntax: set union|diff|intersect [<subsearch>] [<subsearch>]
    Example: | set diff [search index=web status=404 | fields uri] [search index=web status=303 | fields uri]

    `union` gives the rows of either, `intersect` those of both, `diff` those of exactly one of them; each once, the first
    subsearch's before the second's. Rows are equal when all their fields are; internal fields do not count, but for whole
    events (with host, source and sourcetype) their time and text do.
    """

    runs_brackets = True

    operation: str = "union"
    branches: list[Branch] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> SetOperation:
        token = arguments.accept_word("union", "diff", "intersect")
        if token is None:
            raise SearchError(
                f"one of union, diff, intersect is expected, got {shown(arguments.peek())}", arguments.peek().span
            )
        branches = read_branches(arguments, 2)
        if len(branches) > 2:
            raise SearchError(f"two subsearches are wanted, got {len(branches)}", branches[2].span)
        return cls(token.text.lower(), branches)

    def print_arguments(self) -> list[str]:
        return [self.operation, *(print_branch(branch) for branch in self.branches)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        first, second = [run_branch(branch, context) for branch in self.branches]
        merged = first.union([second])
        side = merged.order[0][0]
        names = [name for name in merged.fields if not name.startswith("_")]
        if {"host", "source", "sourcetype"} <= set(names):
            names += [name for name in ("_time", "_raw") if name in merged.fields]
        keys = tuple(merged.field(name) for name in names or merged.fields)
        merged, position = merged.numbered()
        columns = [
            ("nth", Over(Type.INT, v.call("row_number", type=Type.INT), keys, ((position, False),))),
            ("first", Over(Type.INT, v.call("min", side, type=Type.INT), keys)),
            ("last", Over(Type.INT, v.call("max", side, type=Type.INT), keys)),
        ]
        merged, (nth, lowest, highest) = merged.windowed(columns)
        conditions = [v.compare("=", nth, v.integer(1))]
        if self.operation != "union":
            conditions.append(v.compare("!=" if self.operation == "intersect" else "=", lowest, highest))
        return merged.filtered(v.both(conditions))
