"""`inputcsv` and `outputcsv`: rows kept as CSV files in a folder of the data directory, by name."""

from __future__ import annotations

import csv
import dataclasses
import io
from dataclasses import dataclass

import pyarrow as pa

from sightline.errors import SearchError, nearest
from sightline.search.commands.lookup import merge_rows
from sightline.search.commands.search import expand_subsearches
from sightline.search.commands.subsearch import cell_text
from sightline.search.context import Context, NotKnown
from sightline.search.planner import values as v
from sightline.search.planner.lower import lower_predicate
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options
from sightline.search.syntax.predicates import PredicateReader, print_predicate
from sightline.search.syntax.tree import Predicate


@command("inputcsv", kind="generating")
@dataclass
class InputCsv(Command):
    """Reads the rows of a CSV file that `outputcsv` wrote.

    Syntax: inputcsv [dispatch=<bool>] [append=<bool>] [strict=<bool>] [start=<n>] [max=<n>] [events=<bool>] <file>
        [where <conditions>]
    Example: | inputcsv start=100 max=50 report.csv where status>=500

    The file lies in the folder `csv` of the data directory; a name cannot lead out of it, and `.csv` may be left away.
    Conditions are those of search. `events=true` gives the rows as events; with `append=true` they come after the current
    ones. Numbers are read as such where a whole column is numeric; an empty cell is absent. `dispatch=true` reads a file that
    the same search wrote with that option.
    """

    dispatch: bool = option(False, help="a file of this search alone")
    append: bool = option(False, help="keep the current rows before them")
    strict: bool = option(False, help="accepted for compatibility; a file that is not there always fails")
    start: int = option(0, minimum=0, help="rows to skip")
    max: int = option(0, minimum=0, help="at most so many rows; 0 is all")
    events: bool = option(False, help="give events")
    name: str = ""
    predicate: Predicate | None = None

    @classmethod
    def read(cls, arguments: Arguments) -> InputCsv:
        given = arguments.options(cls)
        error = arguments.unknown_option(cls)
        if error:
            raise error
        name = arguments.name("a file's name")
        given.update(arguments.options(cls))
        predicate = None
        if arguments.accept_word("where"):
            reader = PredicateReader(arguments.tokens[arguments.position :], arguments.stage.arguments.end)
            predicate = reader.all_of()
            if not reader.done:
                raise SearchError(f'"{reader.peek().text}" is not expected here', reader.peek().span)
        else:
            arguments.finish()
        return cls(name=name, predicate=predicate, **given)

    def print_arguments(self) -> list[str]:
        where = ["where", print_predicate(self.predicate)] if self.predicate is not None else []
        return [*print_options(self), print_name(self.name), *where]

    def lower(self, relation: Relation, context: Context) -> Relation:
        table = _read(self, context)
        if table is None and self.dispatch and context.dry:
            raise NotKnown(self.name)
        if table is None:
            known = sorted(context.own_files) if self.dispatch else context.knowledge.csv_files()
            listed = f"; files: {', '.join(known)}" if known else "; outputcsv writes one"
            raise SearchError(f'there is no file "{self.name}"{listed}', hint=nearest(self.name, known))
        rows = context.relation_of(table)
        if self.predicate is not None:
            rows = rows.filtered(lower_predicate(expand_subsearches(self.predicate, context), rows, context))
        if self.start or self.max:
            rows, position = rows.numbered()
            conditions: list[v.Value] = [v.call("greater", position, v.integer(self.start), type=Type.BOOL)]
            if self.max:
                conditions.append(v.call("lessOrEquals", position, v.integer(self.start + self.max), type=Type.BOOL))
            rows = rows.filtered(v.both(conditions))
        if self.append and relation.fields:
            return relation.union([rows])
        return dataclasses.replace(rows, kind="events") if self.events else rows


@command("outputcsv", kind="dataset")
@dataclass
class OutputCsv(Command):
    """Writes the rows to a CSV file, and passes them on.

    Syntax: outputcsv [append=<bool>] [create_empty=<bool>] [override_if_empty=<bool>] [dispatch=<bool>] [usexml=<bool>]
        [singlefile=<bool>] [<file>]
    Example: index=web | stats count BY host | outputcsv report.csv

    The file lies in the folder `csv` of the data directory. It replaces one of the same name, unless `append=true` adds to
    it what its columns hold; without rows a file of that name is removed. Fields that begin with an underscore are written
    too, except those that only the engine knows. Several values of a field are written on lines of one cell. Without a
    name, each row as CSV is put into its field `_xml`. With `dispatch=true` the file ends with the search, and only its own
    `inputcsv` reads it.
    """

    append: bool = option(False, help="add to the file's rows")
    create_empty: bool = option(False, help="make the file even when there are no rows")
    override_if_empty: bool = option(True, help="remove the file when there are no rows")
    dispatch: bool = option(False, help="a file of this search alone")
    usexml: bool = option(False, help="accepted for compatibility; the file is always CSV")
    singlefile: bool = option(True, help="accepted for compatibility; there is one file")
    name: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> OutputCsv:
        given = arguments.options(cls)
        error = arguments.unknown_option(cls)
        if error:
            raise error
        name = "" if arguments.done else arguments.name("a file's name")
        given.update(arguments.options(cls))
        arguments.finish()
        return cls(name=name, **given)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *([print_name(self.name)] if self.name else [])]

    def lower(self, relation: Relation, context: Context) -> Relation:
        held = context.held(relation)
        if context.dry:
            return held
        table = context.table_of(held)
        if not self.name:
            return context.relation_of(context.python_step(str(self), lambda: _with_text(table)), kind=held.kind)
        table = table.select([name for name in table.column_names if name and not name.endswith("{}")])
        existing = _read(self, context)
        if existing is not None and self.append:
            # The file's header stays as it is.
            table = merge_rows(existing, table, "").select(existing.column_names)
        elif existing is not None and not table.num_rows and not self.override_if_empty:
            return held
        elif not table.num_rows and not self.create_empty:
            if existing is not None:
                self._write(None, context)
            return held
        self._write(table, context)
        context.inform(f'{table.num_rows:,} rows are in "{self.name}"')
        return held

    def _write(self, table: pa.Table | None, context: Context) -> None:
        """Put these rows into the file, or remove it."""
        if self.dispatch and table is not None:
            context.own_files[_own_name(self.name)] = table
        elif self.dispatch:
            del context.own_files[_own_name(self.name)]
        elif table is not None:
            context.knowledge.save_csv_file(self.name, table)
        else:
            context.knowledge.remove_csv_file(self.name)


def _read(named: InputCsv | OutputCsv, context: Context) -> pa.Table | None:
    """The file's rows: of the search alone, or of everybody."""
    return context.own_files.get(_own_name(named.name)) if named.dispatch else context.knowledge.csv_file(named.name)


def _own_name(name: str) -> str:
    return name.removesuffix(".csv")


def _with_text(table: pa.Table) -> pa.Table:
    names = [name for name in table.column_names if name and not name.startswith("_")]
    texts = []
    for row in table.select(names).to_pylist():
        out = io.StringIO()
        csv.writer(out, lineterminator="").writerow([cell_text(row[name]) for name in names])
        texts.append(out.getvalue())
    return table.append_column("_xml", pa.array(texts, pa.string()))
