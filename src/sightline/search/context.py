"""One run of a search: what its commands may ask for, and where they leave warnings and counts.

Commands lower themselves onto relations; when one needs rows (a Python step, a subsearch, a pivot whose columns depend on
data), it asks the context, which writes SQL for what was gathered so far, runs it and hands over an Arrow table.
"""

from __future__ import annotations

import time as wall
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, tzinfo
from functools import cached_property, partial
from itertools import chain
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np
import pyarrow as pa

from sightline.config import Settings
from sightline.errors import SearchError, SightlineError, Span
from sightline.search.interrupting import interruptible
from sightline.search.planner import values as v
from sightline.search.planner.numbering import with_numbers
from sightline.search.planner.reach import Unbounded, without_idle_bounds
from sightline.search.planner.reading import is_plain, reading_in_any_order, reads_in_order
from sightline.search.planner.relation import Names, Node, Relation, Rows, nodes_of
from sightline.search.planner.rules import rewrite, with_parts_chosen
from sightline.search.planner.sql import Writer
from sightline.search.planner.values import Column, Type, Value
from sightline.search.surroundings import Surroundings
from sightline.search.syntax.parser import SUBSEARCH_DEPTH_LIMIT
from sightline.search.syntax.source import MacroDefinition, Macros
from sightline.search.syntax.tree import Pipeline
from sightline.store.engine_errors import NewText
from sightline.store.few_texts import TextsOf

if TYPE_CHECKING:
    from sightline.search.jobs import JobManager

Answer = TypeVar("Answer")
TimeRange = tuple[float | None, float | None]
"""Earliest and latest moment in seconds; None is an open end."""
CANCELLED = "the search was cancelled"
SPLUNK_REFUSES = "Splunk refuses this: "
"""Begins the warning about what runs here because its meaning is plain to a reader, though Splunk does not take it."""
ROW_COLUMN = "row_number"
"""Column that keeps the order of rows held in memory."""


class Knowledge(Protocol):
    """What people keep beside the data: macros, lookups, indexes, saved searches. Implemented by the catalog."""

    def macro(self, name: str, argument_count: int) -> MacroDefinition | None:
        """A macro's definition for so many arguments."""

    def lookup(self, name: str) -> pa.Table | None:
        """A lookup's rows."""

    def save_lookup(self, name: str, table: pa.Table) -> None:
        """Replace a lookup's rows, or make it."""

    def lookups(self) -> list[str]:
        """Names of lookups."""

    def csv_file(self, name: str) -> pa.Table | None:
        """The rows of a CSV file that a search wrote; None when there is none."""

    def save_csv_file(self, name: str, table: pa.Table) -> None:
        """Write a CSV file, in place of one of the same name. Raises UserError for a name that is none."""

    def remove_csv_file(self, name: str) -> None:
        """Remove a CSV file. Raises NotFound."""

    def csv_files(self) -> list[str]:
        """Names of CSV files that searches wrote."""

    def macros(self) -> list[str]:
        """Names of macros."""

    def macro_argument_counts(self, name: str) -> list[int]:
        """The numbers of arguments for which this name is a macro, ascending."""

    def stanzas(self, kind: str) -> Mapping[str, Mapping[str, str]]:
        """The enabled stanzas of props, transforms, eventtypes, tags or collections: settings by the stanza's name."""

    def stanzas_version(self) -> int:
        """A number that every change of a stanza raises."""

    def collection(self, name: str) -> pa.Table | None:
        """A collection's rows with their `_key`; None for one that is not declared."""

    def update_collection(self, name: str, change: Callable[[pa.Table], pa.Table]) -> None:
        """Replace a collection's rows by what `change` makes of them, at once; rows without a `_key` get one."""

    def index_datatype(self, name: str) -> str | None:
        """event, metric or trace; None for an index that does not exist."""

    def indexes(self) -> dict[str, str]:
        """All indexes with their datatype."""

    def default_indexes(self, user: str) -> list[str]:
        """Indexes that a search without `index=` reads."""

    def saved_search(self, name: str) -> SavedText | None:
        """A saved search with its time range."""

    def saved_searches(self) -> list[str]:
        """Names of saved searches."""

    def data_model(self, name: str) -> dict[str, Any] | None:
        """The definition of a data model, in Splunk's JSON shape."""

    def data_models(self) -> list[str]:
        """Names of data models."""


class SavedText(Protocol):
    """A saved search as another one reads it; times are texts, empty where none is set."""

    search: str
    earliest: str
    latest: str


@dataclass(frozen=True)
class Message:
    """Something the person should know beside the answer. `severity` is info or warning."""

    severity: str
    text: str
    span: Span | None = None

    def describe(self) -> dict[str, Any]:
        """For JSON."""
        where = {"start": self.span.start, "end": self.span.end} if self.span else {}
        return {"severity": self.severity, "text": self.text} | where


@dataclass
class Step:
    """Something that ran, or would run: for `explain`, progress and the line of truth."""

    kind: str
    """sql or python."""
    text: str
    elapsed_s: float = 0.0
    rows: int | None = None


@dataclass(frozen=True)
class _Plan:
    """A statement, and what has to hold for its answer to be right."""

    statement: str
    columns: list[tuple[str, Value]]
    """The fields it gives."""
    relied_on: list[Unbounded]
    """Bounds of time that it leaves out."""
    numbered: list[TextsOf]
    """Columns whose few texts it knows."""
    reading: dict[str, Any]
    """The engine's settings for reading its rows."""


@dataclass
class Context:
    """Everything a command may ask for while a search is planned and run."""

    store: Any
    knowledge: Knowledge
    models: Any
    settings: Settings
    now: float
    earliest: float | None
    latest: float | None
    user: str = "admin"
    app: str = "search"
    sid: str = ""
    zone: tzinfo = UTC
    rules: bool = True
    dry: bool = False
    """Plan without reading rows: Python steps and subsearches see no rows."""
    search_text: str = ""
    names: Names = field(default_factory=Names)
    messages: list[Message] = field(default_factory=list)
    steps: list[Step] = field(default_factory=list)
    tables: dict[str, pa.Table] = field(default_factory=dict)
    own_files: dict[str, pa.Table] = field(default_factory=dict)
    """What the search keeps in files that nobody else sees, and that end with it."""
    cancelled: Callable[[], bool] = lambda: False
    stage_span: Span | None = None
    run_pipeline: Callable[..., Relation] | None = None
    macros: Macros | None = None
    """What texts that the search names may call."""
    depth: int = 0
    scanned_indexes: list[str] = field(default_factory=list)
    needed_after: frozenset[str] | None = None
    """The fields that the commands after the one being lowered read; None is any field."""
    overridden_earliest: float | None = None
    overridden_latest: float | None = None
    subsearch_range: TimeRange = (None, None)
    """The time range of the subsearch that was planned last."""
    _subsearch_rows: dict[int, tuple[Pipeline, pa.Table]] = field(default_factory=dict)
    newest_from: float | None = None
    """For a preview: only events from this moment on are read, whatever range the search has."""
    scanned: Relation | None = None
    """The stored events that the search reads, as they are filtered before any other command."""
    jobs: JobManager | None = None
    """The jobs beside this one; None where searches run without being jobs."""
    surroundings: Surroundings | None = None
    """The program around the search; None where there is none."""

    @cached_property
    def indexes(self) -> Mapping[str, str]:
        """The indexes that there were when this run first asked, with their datatypes."""
        return self.knowledge.indexes()

    # -- messages

    def warn(self, text: str, span: Span | None = None) -> None:
        """Leave a warning that travels with the answer; the same text is kept once."""
        self._say("warning", text, span)

    def tell_leniency(self, text: str, span: Span | None = None) -> None:
        """Leave the warning that Splunk refuses something: what rule it breaks, and how it is understood here."""
        self.warn(SPLUNK_REFUSES + text, span)

    def inform(self, text: str) -> None:
        """Leave a note that travels with the answer."""
        self._say("info", text, None)

    def _say(self, severity: str, text: str, span: Span | None) -> None:
        if not any(m.text == text for m in self.messages):
            self.messages.append(Message(severity, text, span or self.stage_span))

    # -- relations and tables

    def empty(self) -> Relation:
        """No rows and no fields."""
        return self.relation_of(pa.table({}))

    def relation_of(self, table: pa.Table, *, kind: str = "table") -> Relation:
        """An Arrow table as a relation in the table's order. Column types become INT, FLOAT, TEXT, BOOL or MULTI."""
        key = self.names.fresh("rows")
        columns: dict[str, pa.ChunkedArray] = {}
        fields: dict[str, Value] = {}
        for name, column in zip(table.column_names, table.columns, strict=True):
            converted = plain_column(column)
            if converted is None:
                continue
            array, type = converted
            id = self.names.fresh(name)
            columns[id] = array
            fields[name] = Column(type, id)
        columns[ROW_COLUMN] = pa.chunked_array([pa.array(np.arange(table.num_rows))])
        self.tables[key] = pa.table(columns)
        order = ((Column(Type.INT, ROW_COLUMN), False),)
        return Relation(Rows(key, tuple(columns)), fields, order, self.names, kind)

    def table_of(
        self,
        relation: Relation,
        fields: Sequence[str] | None = None,
        *,
        ordered: bool = True,
        settings: Mapping[str, Any] | None = None,
    ) -> pa.Table:
        """The relation's rows as an Arrow table, all fields or the named ones, in the shown order.

        `settings` are the engine's, for this statement alone.
        """
        wanted = list(fields if fields is not None else relation.fields)
        if fields is None:
            relation = relation.as_sent()
        held = self._held_columns(relation, wanted)
        if held is not None:
            return held
        plan = self._planned(relation, wanted, ordered=ordered, numbering=True)
        columns = plan.columns
        started = wall.monotonic()
        step = Step("sql", plan.statement)
        self.steps.append(step)
        if self.dry:
            arrays = [pa.array([], arrow_type(relation.field(name).type)) for name, _ in columns]
            return pa.Table.from_arrays(arrays, names=[name for name, _ in columns])
        self.check_cancelled()
        settings = plan.reading | dict(settings or {})

        def run() -> pa.Table:
            return self.store.query(step.text, tables=self._used_tables(step.text), sid=self.sid, settings=settings)

        table = self._answered(step, plan, partial(self._planned, relation, wanted, ordered=ordered), run)
        step.elapsed_s, step.rows = wall.monotonic() - started, table.num_rows
        if table.num_rows > self.settings.search.max_python_rows:
            raise SearchError(
                f"{table.num_rows:,} rows are more than the {self.settings.search.max_python_rows:,} that a Python step may hold",
                self.stage_span,
                hint="filter or aggregate first, or raise search.max_python_rows",
            )
        return table.rename_columns([name for name, _ in columns])

    def glimpse_of(self, relation: Relation, most_rows: int) -> pa.Table:
        """A relation over about so many stored rows, those that come to hand first: an answer that says nothing of the others.

        For choosing a plan only. What is shown to a person must not depend on it.
        """
        statement, columns = self.statement(relation.as_sent(), list(relation.fields), ordered=False)
        step = Step("sql", statement)
        self.steps.append(step)
        if self.dry:
            return pa.table({name: pa.array([], arrow_type(value.type)) for name, value in columns})
        self.check_cancelled()
        started = wall.monotonic()
        first = {"max_rows_to_read": most_rows, "read_overflow_mode": "break", "max_block_size": most_rows}
        table = self.store.query(statement, tables=self._used_tables(statement), sid=self.sid, settings=first)
        step.elapsed_s, step.rows = wall.monotonic() - started, table.num_rows
        return table.rename_columns([name for name, _ in columns])

    def _held_columns(self, relation: Relation, wanted: Sequence[str]) -> pa.Table | None:
        """The table itself where the relation's rows are already in memory, in order, under other names at most."""
        node = relation.node
        if not isinstance(node, Rows) or relation.order != ((Column(Type.INT, ROW_COLUMN), False),):
            return None
        columns = [(name, relation.field(name)) for name in wanted if relation.field(name).type is not Type.NULL]
        if not all(isinstance(value, Column) for _, value in columns):
            return None
        table = self.tables[node.key]
        arrays = [table.column(value.id) for _, value in columns]  # type: ignore[attr-defined]
        if not arrays:
            return pa.table({"": pa.array([0] * table.num_rows, pa.int64())})
        return pa.Table.from_arrays(arrays, names=[name for name, _ in columns])

    def batches_of(self, relation: Relation, limit: int | None = None) -> tuple[list[str], Iterator[pa.RecordBatch]]:
        """The relation's rows as a stream of Arrow batches in the shown order, with the field names."""
        if limit is not None:
            relation = relation.head(limit)
        planned = partial(self._planned, relation.as_sent(), list(relation.fields), streams=True)
        # Rows that are sorted are all there before the first is sent, so that a statement ends with `NewText` before it or not at all.
        plan = planned(numbering=bool(relation.order))
        step = Step("sql", plan.statement)
        self.steps.append(step)
        names = [name for name, _ in plan.columns]

        def stream() -> Iterator[pa.RecordBatch]:
            started, rows = wall.monotonic(), 0
            begun: list[Iterator[pa.RecordBatch]] = []

            def begin() -> pa.RecordBatch:
                for earlier in begun:
                    earlier.close()
                begun[:] = [
                    self.store.stream(step.text, tables=self._used_tables(step.text), sid=self.sid, settings=plan.reading)
                ]
                return next(begun[0])

            try:
                # With the first batch the engine has chosen the parts it reads.
                first = self._answered(step, plan, planned, begin)
                for batch in chain((first,), begun[0]):
                    self.check_cancelled()
                    rows += batch.num_rows
                    yield batch.rename_columns(names)
            finally:
                for one in begun:
                    one.close()
                step.elapsed_s, step.rows = wall.monotonic() - started, rows

        return names, stream()

    def statement(
        self, relation: Relation, wanted: Sequence[str], *, ordered: bool = True, numbering: bool = False
    ) -> tuple[str, list[tuple[str, Value]]]:
        """The SQL that gives these fields, and the fields it gives (those that are not NULL for every row).

        With `numbering` it is the one that is tried first, which may end with `NewText`.
        """
        plan = self._planned(relation, wanted, ordered=ordered, numbering=numbering)
        return plan.statement, plan.columns

    def _planned(
        self,
        relation: Relation,
        wanted: Sequence[str],
        *,
        ordered: bool = True,
        bounded: bool = False,
        numbering: bool = False,
        streams: bool = False,
    ) -> _Plan:
        """The statement that gives these fields. `bounded` forbids to leave bounds of time out, `numbering` lets few texts be
        numbers, `streams` says that rows are sent as they are found."""
        columns = [(name, relation.field(name)) for name in wanted if relation.field(name).type is not Type.NULL]
        if not columns:
            columns = [("", v.integer(0))]
        given = [*(value for _, value in columns), *(key for key, _ in relation.order)]
        in_order = reads_in_order(relation.node, streams=streams)
        relied_on: list[Unbounded] = []
        numbered: list[TextsOf] = []
        node = relation.node
        if self.rules:
            node = rewrite(node)
            if numbering:
                node, numbered = with_numbers(node, partial(self.store.few_texts.of, sid=self.sid))
            if not bounded:
                node, relied_on = without_idle_bounds(node, self.store.reach)
            if not in_order:
                # The engine sees the order of an index's rows only where each row is asked for its index.
                node = with_parts_chosen(node, given)
        reading = {} if in_order else reading_in_any_order(node, given, self.settings.search.max_memory_bytes)
        listed = [(f"c{position}", value) for position, (_, value) in enumerate(columns)]
        writer = Writer({key: self.store.table_function(key) for key in self._rows_below(node)})
        text = writer.query(node, listed, relation.order if ordered else ())
        return _Plan(text, columns, relied_on, numbered, reading)

    def _answered(self, step: Step, plan: _Plan, planned: Callable[..., _Plan], run: Callable[[], Answer]) -> Answer:
        """What `run` gives for the step's statement, or for one that relies on less where what it relied on does not hold."""
        try:
            found = run()
        except NewText:
            self.store.few_texts.missed(plan.numbered)
            plan = planned()
            step.text = plan.statement
            found = run()
        if not self._still_hold(plan.relied_on):
            step.text = planned(bounded=True).statement
            found = run()
        return found

    def _still_hold(self, relied_on: Iterable[Unbounded]) -> bool:
        """Whether all rows that a statement may have read meet the bounds it left out."""
        return all(one.holds(partial(self.store.reach, fresh=True)) for one in dict.fromkeys(relied_on))

    def rows_to_read(self, relation: Relation) -> int:
        """How many stored rows the engine expects to read for a relation, after indexes and partitions are pruned."""
        statement, _ = self.statement(relation.as_sent(), list(relation.fields))
        try:
            found = self.store.query(f"EXPLAIN ESTIMATE {statement}", tables=self._used_tables(statement), sid=self.sid)
        except SightlineError:
            # An estimate is for the person's eyes only: the search itself says what is wrong.
            return 0
        return sum(found.column("rows").to_pylist()) if "rows" in found.column_names else 0

    def held(self, relation: Relation) -> Relation:
        """The same relation with its rows computed once and kept in memory: for what is read more than once."""
        if isinstance(relation.node, Rows):
            return relation
        return self.relation_of(self.table_of(relation), kind=relation.kind)

    def rereadable(self, relation: Relation) -> Relation:
        """The same relation for several readers: as it is where reading it again gives the same rows, else held.

        Stored rows that are only filtered are read again by each reader, which takes the few columns it needs; to hold them
        would take all columns of all rows. Whatever depends on an order with ties, or on chance, could differ.
        """
        return relation if is_plain(relation.node) else self.held(relation)

    def rows_within(self, relation: Relation, limit_s: float) -> Relation:
        """The rows that the engine finds within a time, held in memory; a warning says when that was not all of them."""
        started = wall.monotonic()
        settings = {"max_execution_time": limit_s, "timeout_overflow_mode": "break"}
        table = self.table_of(relation, settings=settings)
        if wall.monotonic() - started >= limit_s:
            self.warn(f"the subsearch was ended after {limit_s:g} s, as it asked for: its rows may be fewer than there are")
        return self.relation_of(table, kind=relation.kind)

    def _rows_below(self, node: Node) -> set[str]:
        return {one.key for one in nodes_of(node) if isinstance(one, Rows)}

    def _used_tables(self, statement: str) -> Mapping[str, pa.Table]:
        return {key: table for key, table in self.tables.items() if key in statement}

    def python_step(self, text: str, work: Callable[[], pa.Table], *, whole: bool = False) -> pa.Table:
        """Run a Python step and record it. One that is cancelled ends anywhere, unless it changes things and must be done `whole`."""
        started = wall.monotonic()
        step = Step("python", text)
        self.steps.append(step)
        if self.dry:
            return pa.table({})
        self.check_cancelled()
        table = work() if whole else interruptible(work, self.cancelled)
        step.elapsed_s = wall.monotonic() - started
        if table is None:
            raise SearchCancelled(CANCELLED)
        step.rows = table.num_rows
        return table

    @property
    def is_administrator(self) -> bool:
        """Whether the person may do everything; without a program around the search, whoever runs it may."""
        return self.surroundings is None or self.surroundings.role(self.user) == "admin"

    def check_cancelled(self) -> None:
        """Stop here if the search was cancelled or its time is up."""
        if self.cancelled():
            raise SearchCancelled(CANCELLED)

    # -- subsearches

    def subsearch(self, pipeline: Pipeline, relation: Relation | None = None) -> Relation:
        """The relation of a nested pipeline, over the given rows or from its own beginning.

        One from its own beginning has the job's time range unless its text says otherwise, and leaves that of the search
        around it alone; `subsearch_range` tells afterwards which range it had.
        """
        assert self.run_pipeline is not None
        if self.depth >= SUBSEARCH_DEPTH_LIMIT:
            raise SearchError(f"subsearches nest deeper than {SUBSEARCH_DEPTH_LIMIT}", self.stage_span)
        outer = self.overridden_earliest, self.overridden_latest
        if relation is None:
            self.overridden_earliest = self.overridden_latest = None
        self.depth += 1
        try:
            return self.run_pipeline(pipeline, self, relation)
        finally:
            self.depth -= 1
            if relation is None:
                self.subsearch_range = self.time_range
                self.overridden_earliest, self.overridden_latest = outer

    def subsearch_rows(self, pipeline: Pipeline) -> pa.Table:
        """The rows of a subsearch whose values become part of an expression; it runs once, however often it is asked for."""
        key = id(pipeline)
        if key not in self._subsearch_rows:
            self._subsearch_rows[key] = pipeline, self.table_of(self.subsearch(pipeline))
        return self._subsearch_rows[key][1]

    @property
    def time_range(self) -> TimeRange:
        """The range that the text read so far asks for, or else the job's; None is an open end."""
        if self.overridden_earliest is None and self.overridden_latest is None:
            return self.earliest, self.latest
        return self.overridden_earliest, self.overridden_latest

    def override_range(self, ranges: Iterable[TimeRange]) -> None:
        """Take for the search's range, from here on, the smallest one that holds all of these."""
        starts, ends = zip(*ranges, strict=True)
        self.overridden_earliest = None if None in starts else min(starts)
        self.overridden_latest = None if None in ends else max(ends)


class NotKnown(SightlineError):
    """Only the run itself tells what a search that is tried asks for."""


class SearchCancelled(SearchError):
    """The person, or a limit, stopped the search."""


def arrow_type(type: Type) -> pa.DataType:
    """The Arrow type of a field's values."""
    return {
        Type.INT: pa.int64(),
        Type.FLOAT: pa.float64(),
        Type.TEXT: pa.string(),
        Type.BOOL: pa.bool_(),
        Type.MULTI: pa.list_(pa.string()),
        Type.NULL: pa.string(),
    }[type]


def plain_column(column: pa.ChunkedArray) -> tuple[pa.ChunkedArray, Type] | None:
    """A column in one of the types that fields have, or None for one without any value's type."""
    kind = column.type
    if pa.types.is_null(kind):
        return None
    if pa.types.is_dictionary(kind):
        return plain_column(column.cast(kind.value_type))
    if pa.types.is_boolean(kind):
        return column, Type.BOOL
    if pa.types.is_integer(kind):
        return (column if kind == pa.int64() else column.cast(pa.int64(), safe=False)), Type.INT
    if pa.types.is_floating(kind) or pa.types.is_decimal(kind):
        return (column if kind == pa.float64() else column.cast(pa.float64())), Type.FLOAT
    if pa.types.is_timestamp(kind):
        micros = column.cast(pa.timestamp("us", kind.tz), safe=False).cast(pa.int64())
        return pa.chunked_array(
            [pa.array(c.to_numpy(zero_copy_only=False) / 1e6, pa.float64(), from_pandas=True) for c in micros.chunks],
            pa.float64(),
        ), Type.FLOAT
    if pa.types.is_list(kind) or pa.types.is_large_list(kind) or pa.types.is_fixed_size_list(kind):
        return column.cast(pa.list_(pa.string())), Type.MULTI
    if pa.types.is_string(kind):
        return column, Type.TEXT
    return column.cast(pa.string()), Type.TEXT
