"""`append`, `appendpipe`, `multireport`: the rows of several pipelines as one result."""

from __future__ import annotations

from dataclasses import dataclass, field

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner.relation import Relation
from sightline.search.registry import Command, command, fields_needed, read_command
from sightline.search.syntax.arguments import Arguments, option, print_options
from sightline.search.syntax.printer import print_pipeline
from sightline.search.syntax.tree import Pipeline


@command("append", kind="orchestrating")
@dataclass
class Append(Command):
    """Adds the rows of a subsearch after the current rows.

    Syntax: append [extendtimerange=<bool>] [maxtime=<s>] [maxout=<n>] [timeout=<s>] [<subsearch>]
    Example: index=web | stats count | append [search index=api | stats count]

    The subsearch runs by itself, over the same time range. Fields that one side lacks are empty there.
    """

    extendtimerange: bool = option(False, help="accepted for compatibility")
    maxtime: int = option(0, minimum=0, help="accepted for compatibility; a subsearch is never cut")
    maxout: int = option(0, minimum=0, help="at most so many rows of the subsearch; 0 is all")
    timeout: int = option(0, minimum=0, help="accepted for compatibility")
    pipeline: Pipeline | None = None

    @classmethod
    def read(cls, arguments: Arguments) -> Append:
        given = arguments.options(cls)
        error = arguments.unknown_option(cls)
        if error:
            raise error
        pipeline = arguments.subsearch()
        given.update(arguments.options(cls))
        arguments.finish()
        return cls(pipeline=pipeline, **given)

    def print_arguments(self) -> list[str]:
        assert self.pipeline is not None
        return [*print_options(self), f"[{print_pipeline(self.pipeline)}]"]

    def lower(self, relation: Relation, context: Context) -> Relation:
        assert self.pipeline is not None
        other = context.subsearch(self.pipeline)
        if self.maxout:
            other = other.head(self.maxout)
        return relation.union([other])


@command("appendpipe", kind="orchestrating")
@dataclass
class AppendPipe(Command):
    """Adds, after the current rows, what a pipeline makes of them.

    Syntax: appendpipe [run_in_preview=<bool>] [<pipeline>]
    Example: index=web | stats count by host | appendpipe [stats sum(count) AS count | eval host="all"]
    """

    run_in_preview: bool = option(True, help="accepted for compatibility")
    pipeline: Pipeline | None = None

    @classmethod
    def read(cls, arguments: Arguments) -> AppendPipe:
        given = arguments.options(cls)
        pipeline = arguments.subsearch()
        arguments.finish()
        return cls(pipeline=pipeline, **given)

    def print_arguments(self) -> list[str]:
        assert self.pipeline is not None
        return [*print_options(self), f"[{print_pipeline(self.pipeline)}]"]

    def lower(self, relation: Relation, context: Context) -> Relation:
        assert self.pipeline is not None
        held = context.held(relation)
        return held.union([context.subsearch(self.pipeline, held)])


@command("multireport", kind="orchestrating")
@dataclass
class MultiReport(Command):
    """Runs several pipelines over the same rows and shows their results one after the other.

    Syntax: multireport [<pipeline>] [<pipeline>]...
    Example: index=web | multireport [stats count by host] [stats avg(duration_ms) by uri]

    Every branch gets all rows. The result has the fields of all branches.
    """

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
        held = context.held(relation)
        first, *others = [context.subsearch(branch, held) for branch in self.branches]
        return first.union(others).as_table() if others else first.as_table()
