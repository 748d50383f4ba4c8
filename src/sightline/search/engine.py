"""Text to result: reads a search, plans it command by command, runs it, and answers questions about it.

The stages are source (cleaning, macros), structure (pipeline), meaning (each command lowers itself onto a relation), rules,
SQL. A Python step runs as soon as it is met, because what follows may depend on the columns it gives.
"""

from __future__ import annotations

import dataclasses
import re
import time as wall
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from typing import TYPE_CHECKING, Any

import pyarrow as pa

from sightline.clock import Clock, system_clock
from sightline.config import Settings
from sightline.errors import LanguageError, SearchError, Span, UserError
from sightline.search import registry
from sightline.search.context import Context, Knowledge, Message, NotKnown, Step
from sightline.search.planner.lower import check_functions, lower_expression
from sightline.search.planner.presentation import NOTHING_SAID, split_shown, with_shown_texts, with_texts
from sightline.search.planner.relation import Relation, distinct_nodes, is_second_name
from sightline.search.planner.sources import table_relation
from sightline.search.planner.values import Type
from sightline.search.supposing import fault_of
from sightline.search.surroundings import Surroundings
from sightline.search.syntax.expressions import read_expression
from sightline.search.syntax.parser import parse_pipeline
from sightline.search.syntax.printer import print_pipeline
from sightline.search.syntax.source import Macros, Source, read_source, with_last_string_closed
from sightline.search.syntax.tree import Pipeline, Stage
from sightline.search.time import parse_time

if TYPE_CHECKING:
    from sightline.search.jobs import JobManager


@dataclass
class Result:
    """A search's whole answer."""

    table: pa.Table
    kind: str
    """events or table."""
    messages: list[Message]
    steps: list[Step]
    stats: dict[str, Any] = field(default_factory=dict)
    shown: dict[str, pa.ChunkedArray] = field(default_factory=dict)
    """The texts that people are to see of fields with a format, beside the values in the table."""

    @property
    def shown_table(self) -> pa.Table:
        """The rows as people are to see them."""
        return with_texts(self.table, self.shown)


@dataclass
class Prepared:
    """A search that was planned, with every Python step done, ready to give its rows."""

    relation: Relation
    context: Context
    source: Source
    pipeline: Pipeline

    @property
    def kind(self) -> str:
        """events or table."""
        return self.relation.kind

    def batches(self, limit: int | None = None) -> tuple[list[str], Iterator[pa.RecordBatch]]:
        """Field names and the rows in shown order."""
        return self.context.batches_of(self.relation, limit)


class SearchEngine:
    """Runs searches over a store. Safe to use from several threads; each run has a context of its own."""

    def __init__(
        self, store: Any, knowledge: Knowledge, models: Any, settings: Settings, clock: Clock = system_clock
    ) -> None:
        registry.load()
        self.store = store
        self.knowledge = knowledge
        self.models = models
        self.settings = settings
        self.clock = clock
        self.jobs: JobManager | None = None
        """Set by the manager of jobs that runs searches on this engine."""
        self.macros = Macros(
            lambda name, count: self.knowledge.macro(name, count),
            lambda name: self.knowledge.macro_argument_counts(name),
            lambda: self.knowledge.macros(),
            self.evaluate,
        )
        """What texts of this engine may call."""
        self.surroundings: Surroundings | None = None
        """Set by the program that everything is part of."""

    # -- reading

    def read(self, text: str) -> tuple[Source, Pipeline]:
        """Source and structure of a search text."""
        if any("\ud800" <= c <= "\udfff" for c in text):
            raise SearchError("the search holds half a character (a lone surrogate)")
        source = with_last_string_closed(read_source(text, self.macros))
        return _without_heading(source, parse_pipeline(source))

    def evaluate(self, expression: str, values: Mapping[str, str]) -> object:
        """The value of an expression over named texts: text, number, truth value, list or None.

        A condition that has no value is false. Raises SearchError, without a place, for what is no expression.
        """
        context = self.context()
        given = context.relation_of(pa.table({name: [value] for name, value in values.items()} or {"": [0]}))
        try:
            value = lower_expression(read_expression(expression), given, context)
            result = context.table_of(given.with_fields({"result": value}))
        except SearchError as error:
            raise SearchError(f'"{expression}": {error.message}', hint=error.hint) from None
        found = result["result"][0].as_py() if "result" in result.column_names else None
        return bool(found) if value.type is Type.BOOL else found

    def print(self, text: str) -> str:
        """The search in its canonical spelling."""
        source, pipeline = self.read(text)
        with _mapped(source):
            return print_pipeline(pipeline)

    def check(self, text: str) -> list[dict[str, Any]]:
        """What is wrong with a search, without running it: at most one diagnostic, with its place and a hint.

        Nothing is said of what holds a dashboard's token, which is something else when the search runs.
        """
        try:
            source, pipeline = self._verified(text)
            with _mapped(source):
                context = self.context()
                context.search_text = source.text
                if fault := fault_of(pipeline, context):
                    raise fault
        except SearchError as error:
            start, end = (error.span.start, error.span.end) if error.span else (0, len(text))
            if _UNFILLED.search(text, start, end):
                return []
            return [{"message": error.message, "start": start, "end": max(end, start + 1), "hint": error.hint}]
        return []

    def verify(self, text: str) -> None:
        """Raise the SearchError for a text that cannot be read, or names a command or function that is not there."""
        self._verified(text)

    def _verified(self, text: str) -> tuple[Source, Pipeline]:
        source, pipeline = self.read(text)
        with _mapped(source):
            if not pipeline.stages:
                raise SearchError("the search is empty: wanted a search such as index=main error | stats count")
            self.check_stages(pipeline)
        return source, pipeline

    def check_stages(self, pipeline: Pipeline) -> None:
        """Raise the SearchError for a command or function that is unknown, or whose arguments cannot be read."""
        for stage in pipeline.stages:
            command = registry.read_command(stage)
            try:
                check_functions(command)
            except SearchError as error:
                raise error.at(stage.name_span, command.command_name) from None
            if command.fills_brackets:
                continue
            for inner, _ in stage.subsearches.values():
                self.check_stages(inner)

    # -- running

    def context(
        self,
        *,
        earliest: str | float | None = None,
        latest: str | float | None = None,
        now: float | None = None,
        user: str = "admin",
        app: str = "search",
        sid: str = "",
        zone: tzinfo = UTC,
        rules: bool = True,
        dry: bool = False,
        cancelled: Callable[[], bool] = lambda: False,
    ) -> Context:
        """A context for one run, with the job's time range resolved."""
        moment = self.clock() if now is None else now

        def bound(given: str | float | None) -> float | None:
            if given is None or given == "":
                return None
            return float(given) if isinstance(given, int | float) else parse_time(given, moment, zone)

        return Context(
            self.store, self.knowledge, self.models, self.settings, moment, bound(earliest), bound(latest),
            user=user, app=app, sid=sid, zone=zone, rules=rules, dry=dry, cancelled=cancelled,
            run_pipeline=lower_pipeline, jobs=self.jobs, surroundings=self.surroundings, macros=self.macros,
        )  # fmt: skip

    def prepare(self, text: str, context: Context, *, cut: bool = False) -> Prepared:
        """Plan a search and run its Python steps. `cut` forces rows into memory after every command (for tests)."""
        source, pipeline = self.read(text)
        context.search_text = text
        for leniency in source.leniencies:
            context.tell_leniency(leniency, Span(0, len(text)))
        with _mapped(source):
            if not pipeline.stages:
                raise SearchError("the search is empty: wanted a search such as index=main error | stats count")
            relation = with_shown_texts(lower_pipeline(pipeline, context, None, cut=cut), context)
        return Prepared(relation, context, source, pipeline)

    def run(self, text: str, *, max_rows: int | None = None, cut: bool = False, **options: Any) -> Result:
        """Run a search to its end and keep all rows in memory. `options` are those of `context`."""
        started = wall.monotonic()
        context = self.context(**options)
        prepared = self.prepare(text, context, cut=cut)
        relation = prepared.relation if max_rows is None else prepared.relation.head(max_rows)
        table, shown = split_shown(context.table_of(relation))
        table = drop_absent_fields(table, prepared.kind)
        stats = {"run_duration_s": wall.monotonic() - started, **step_times(context.steps)}
        return Result(table, prepared.kind, context.messages, context.steps, stats, shown)

    def explain(self, text: str, **options: Any) -> list[dict[str, str]]:
        """Each stage of a search, planned over the stored fields without reading rows, but for a look at the few texts of a column."""
        source, pipeline = self.read(text)
        stages = [{"name": "text", "text": source.text}]
        with _mapped(source):
            stages.append({"name": "pipeline", "text": "\n".join(str(registry.read_command(s)) for s in pipeline.stages)})
            context = self.context(dry=True, **options)
            context.search_text = text
            relation = lower_pipeline(pipeline, context, None)
        plain = dataclasses.replace(context, rules=False)
        stages.append({"name": "relation", "text": describe_node(relation.node)})
        for number, step in enumerate(context.steps, 1):
            stages.append({"name": f"step {number}: {step.kind}", "text": step.text})
        statement, columns = context.statement(relation.as_sent(), list(relation.fields), numbering=True)
        stages.append({"name": "sql before rules", "text": plain.statement(relation.as_sent(), list(relation.fields))[0]})
        stages.append({"name": "sql", "text": statement})
        fields = "\n".join(f"{name}: {value.type.value}" for name, value in columns)
        stages.append({"name": "fields", "text": fields})
        return stages


_UNFILLED = re.compile(r"\$[A-Za-z_][\w.:|-]*\$")


def _without_heading(source: Source, pipeline: Pipeline) -> tuple[Source, Pipeline]:
    """Source and pipeline without a first line that begins with # before a command that makes rows of its own.

    Such a line would be words to search for, after which no such command may follow, so that it can only be a heading.
    """
    if len(pipeline.stages) < 2:
        return source, pipeline
    heading, second = pipeline.stages[:2]
    typed = source.text[heading.arguments.start : second.name_span.start].rstrip("| ")
    if heading.name_span.end > heading.name_span.start or not _HEADING.fullmatch(typed) or not _only_begins(second):
        return source, pipeline
    note = f'the line "{typed.strip()}" before the first pipe is read as a comment (comments stand between three back-ticks)'
    stages = pipeline.stages[1:]
    whole = Pipeline(stages, pipeline.span, True)
    return dataclasses.replace(source, leniencies=(*source.leniencies, note)), whole


_HEADING = re.compile(r"#[^\n]*\n\s*")


def _only_begins(stage: Stage) -> bool:
    """Whether a stage's command can be read, makes rows of its own and cannot follow another one."""
    try:
        return _begins_only(registry.read_command(stage))
    except SearchError:
        return False


def _begins_only(command: registry.Command) -> bool:
    return command.kind == "generating" and not (command.anywhere or getattr(command, "append", False))


class _mapped:
    """Errors raised inside have their spans mapped back to the typed text, once."""

    def __init__(self, source: Source) -> None:
        self.source = source

    def __enter__(self) -> None:
        return None

    def __exit__(self, kind: Any, error: Any, traceback: Any) -> None:
        if isinstance(error, SearchError) and error.span is not None and not getattr(error, "mapped", False):
            error.span = self.source.original(error.span)
            error.mapped = True  # type: ignore[attr-defined]
        if isinstance(error, RecursionError):
            raise SearchError("the search nests too deeply") from None


def lower_pipeline(pipeline: Pipeline, context: Context, relation: Relation | None = None, *, cut: bool = False) -> Relation:
    """The relation that a pipeline gives, over `relation` or from its own first command."""
    if not pipeline.stages:
        return relation if relation is not None else context.empty()
    commands = [registry.read_command(stage) for stage in pipeline.stages]
    for position, (stage, command) in enumerate(zip(pipeline.stages, commands, strict=True)):
        before = context.stage_span, context.needed_after
        context.stage_span = stage.name_span
        context.needed_after = registry.fields_needed(commands[position + 1 :], None)
        if relation is None and position == 0 and not (command.generating or command.begins):
            context.stage_span, context.needed_after = before
            raise SearchError(
                f"{command.command_name} needs rows to work on",
                stage.name_span,
                command=command.command_name,
                hint="begin with a search, or with a command that makes rows such as makeresults, mstats or inputlookup",
            )
        # localop, which says where the rest runs, may stand before what begins a search.
        begins = all(before.command_name == "localop" for before in commands[:position])
        if not begins and _begins_only(command):
            raise LanguageError(
                f"{command.command_name} makes rows of its own and cannot follow other commands",
                stage.name_span,
                command=command.command_name,
                hint=f"put it in brackets: append [ | {command.command_name} ... ]",
            )
        given = relation if relation is not None else _nothing(context)
        try:
            relation = command.lower(given, context)
        except NotKnown:
            relation = table_relation("events", context.store.json_paths("events"), context.names)
        except SearchError as error:
            raise error.at(registry.place_of(stage, error), command.command_name) from None
        except UserError as error:
            place = registry.place_of(stage, error)
            raise SearchError(error.message, place, command=command.command_name, hint=error.hint) from error
        finally:
            context.stage_span, context.needed_after = before
        if relation.presentation is NOTHING_SAID:
            # How fields are shown outlives every command, also those that make new rows of theirs.
            relation = dataclasses.replace(relation, presentation=given.presentation)
        if cut or _repeats_itself(relation):
            held = context.relation_of(context.table_of(relation), kind=relation.kind)
            relation = dataclasses.replace(
                held, unlisted=relation.unlisted, presentation=relation.presentation, made=relation.made
            )
    assert relation is not None
    return relation


REPEATED_NODES = 500
"""Nodes of a statement from which on it is worth a look whether it says the same thing many times over."""


def _repeats_itself(relation: Relation) -> bool:
    """Whether most of the statement would be repetition, so that its rows are better computed once and held.

    A lookup by wildcard or of multivalues reads the rows twice, once for the distinct values; twelve of them in a row, as
    published searches have, would read the store four thousand times.
    """
    return relation.node.written > REPEATED_NODES and relation.node.written > 4 * distinct_nodes(relation.node)


def _nothing(context: Context) -> Relation:
    return context.empty()


def drop_absent_fields(table: pa.Table, kind: str) -> pa.Table:
    """Events without the fields that none of them has; a table keeps its columns."""
    if kind != "events" or table.num_rows == 0:
        return table
    keep = [
        name
        for name, column in zip(table.column_names, table.columns, strict=True)
        if name and not is_absent(column) and not is_second_name(name, table.column_names)
    ]
    return table.select(keep)


def is_absent(column: pa.ChunkedArray) -> bool:
    """Whether no row has a value: all null, or all lists empty."""
    if column.null_count == len(column):
        return True
    if pa.types.is_list(column.type):
        return all(len(chunk.flatten()) == 0 for chunk in column.chunks)
    return False


def step_times(steps: list[Step]) -> dict[str, float]:
    """Time spent in the engine and in Python."""
    return {
        "engine_s": sum(s.elapsed_s for s in steps if s.kind == "sql"),
        "python_s": sum(s.elapsed_s for s in steps if s.kind == "python"),
    }


def describe_node(node: Any, depth: int = 0) -> str:
    """A relational tree as indented text, the last operation first."""
    pad = "  " * depth
    name = type(node).__name__.lower()
    details = []
    for f in dataclasses.fields(node):
        value = getattr(node, f.name)
        if f.name in ("input", "left", "right", "branches", "provides"):
            continue
        details.append(f"{f.name}={_short(value)}")
    lines = [f"{pad}{name}({', '.join(details)})"]
    lines.extend(describe_node(input, depth + 1) for input in node.inputs)
    return "\n".join(lines)


def _short(value: Any) -> str:
    from sightline.search.planner.sql import Writer

    class Identity(dict):
        def __missing__(self, key: str) -> str:
            return key

    def shown(item: Any) -> str:
        if isinstance(item, tuple):
            return "(" + ", ".join(shown(x) for x in item) + ")"
        if hasattr(item, "type") and hasattr(item, "size"):
            return re.sub(r"\s+", " ", Writer().value(item, Identity()))
        return str(item)

    return shown(value)
