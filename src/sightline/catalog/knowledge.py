"""What a search may look up: indexes, macros, lookup tables; and the one object that gives them to the search."""

from __future__ import annotations

import csv
import os
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.csv as arrow_csv
from sqlalchemy import delete, select
from sqlalchemy.dialects.sqlite import insert

from sightline.catalog.conf import Stanzas
from sightline.catalog.database import SessionFactory
from sightline.catalog.models import IndexDefinition, Macro
from sightline.catalog.stanzas import OWN_APP, is_true
from sightline.clock import Clock
from sightline.errors import NotFound, UserError, nearest

if TYPE_CHECKING:
    from sightline.catalog.catalog import Catalog

MAX_LINE_BYTES = 1_000_000
"""A lookup of one line, its names, is at most so long."""
DATATYPES = ("event", "metric", "trace")
DEFAULT_INDEXES = {
    "main": "event",
    "summary": "event",
    "metrics": "metric",
    "traces": "trace",
    "profiles": "event",
    "_internal": "event",
}
_NAMED_APART = ("summary", "profiles")
"""Indexes of events that only a search that names them looks at. What `collect` wrote to `summary` was made of other events,
which would be found twice; a profile's sample is no event that happened, and there are thousands for each that did."""


class Indexes:
    """The indexes that were defined. An index may hold nothing yet."""

    def __init__(self, sessions: SessionFactory, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    def install_defaults(self) -> None:
        """Defines the indexes that every installation has."""
        for name, datatype in DEFAULT_INDEXES.items():
            self.ensure(name, datatype)

    def list(self) -> list[IndexDefinition]:
        """Every index, by name, but those that are being deleted."""
        return [index for index in self.all() if not index.deleting]

    def all(self) -> Sequence[IndexDefinition]:
        """Every index, by name, those that are being deleted too."""
        with self._sessions() as session:
            return session.scalars(select(IndexDefinition).order_by(IndexDefinition.name)).all()

    def datatype(self, name: str) -> str | None:
        """What an index holds, or None when it is not defined."""
        with self._sessions() as session:
            found = session.get(IndexDefinition, name)
            return found.datatype if found and not found.deleting else None

    def set_limits(self, name: str, max_age_s: float | None = None, max_bytes: int | None = None) -> IndexDefinition:
        """Set how long and how much an index keeps; None leaves a limit as it is, 0 makes it the usual one."""
        if (max_age_s or 0) < 0 or (max_bytes or 0) < 0:
            raise UserError(f"a limit wants 0 or more, got {max_age_s if (max_age_s or 0) < 0 else max_bytes}")
        with self._sessions.begin() as session:
            index = session.get(IndexDefinition, name)
            if index is None or index.deleting:
                raise NotFound(f'no index "{name}"')
            index.max_age_s = index.max_age_s if max_age_s is None else max_age_s
            index.max_bytes = index.max_bytes if max_bytes is None else max_bytes
            return index

    def delete(self, name: str) -> None:
        """Begin to delete an index: it takes nothing more at once, and the server removes what it holds within a minute."""
        if name in DEFAULT_INDEXES:
            raise UserError(
                f'index "{name}" belongs to every installation and cannot be deleted',
                hint="a limit empties it: sightline index set",
            )
        with self._sessions.begin() as session:
            index = session.get(IndexDefinition, name)
            if index is None:
                raise NotFound(f'no index "{name}"')
            index.deleting = True

    def forget(self, name: str) -> None:
        """Remove the definition of an index whose data is gone."""
        with self._sessions.begin() as session:
            index = session.get(IndexDefinition, name)
            if index is not None and index.deleting:
                session.delete(index)

    def create(self, name: str, datatype: str = "event") -> IndexDefinition:
        """Defines an index. Raises UserError when it exists or the name is not one."""
        if self.datatype(name) is not None:
            raise UserError(f'index "{name}" exists')
        self.ensure(name, datatype)
        with self._sessions() as session:
            return session.get_one(IndexDefinition, name)

    def ensure(self, name: str, datatype: str) -> None:
        """Defines an index unless it is; raises UserError when it holds something else."""
        if not re.fullmatch(r"[a-z0-9_][a-z0-9_-]{0,99}", name):
            raise UserError(f'an index name wants lower case letters, digits, _ and -, got "{name}"')
        if datatype not in DATATYPES:
            raise UserError(f'unknown datatype "{datatype}", wanted one of: {", ".join(DATATYPES)}')
        with self._sessions.begin() as session:
            row = insert(IndexDefinition).values(name=name, datatype=datatype, created=self._clock())
            session.execute(row.on_conflict_do_nothing())
            index = session.get_one(IndexDefinition, name)
            present = index.datatype
            if index.deleting:
                raise UserError(f'index "{name}" is being deleted', hint="try again in a minute")
        if present != datatype:
            raise UserError(f'index "{name}" holds {present} data, wanted {datatype}')


class Macros:
    """Search macros, one per name and number of arguments."""

    def __init__(self, sessions: SessionFactory) -> None:
        self._sessions = sessions

    def list(self) -> list[Macro]:
        """Every macro, by name."""
        with self._sessions() as session:
            return list(session.scalars(select(Macro).order_by(Macro.name, Macro.argument_count)))

    def find(self, name: str, argument_count: int) -> Macro | None:
        """The macro of this name that takes so many arguments, or None."""
        with self._sessions() as session:
            return session.scalar(select(Macro).where(Macro.name == name, Macro.argument_count == argument_count))

    def argument_counts(self, name: str) -> list[int]:
        """The numbers of arguments for which this name is a macro, ascending."""
        with self._sessions() as session:
            return sorted(session.scalars(select(Macro.argument_count).where(Macro.name == name)))

    def save(
        self,
        name: str,
        definition: str,
        arguments: list[str] | None = None,
        *,
        validation: str = "",
        errormsg: str = "",
        iseval: bool = False,
        app: str = OWN_APP,
    ) -> Macro:
        """Defines a macro, in place of one with the same name and number of arguments. An empty one stands for nothing."""
        arguments = arguments or []
        if not re.fullmatch(r"[A-Za-z0-9_.:-]{1,100}", name):
            raise UserError(f'a macro name wants letters, digits and _ . : -, got "{name}"')
        for argument in arguments:
            if not re.fullmatch(r"[A-Za-z0-9_-]{1,100}", argument):
                raise UserError(f'a macro argument wants letters, digits, _ and -, got "{argument}"')
        macro = Macro(
            name=name,
            arguments=arguments,
            argument_count=len(arguments),
            definition=definition,
            validation=validation,
            errormsg=errormsg,
            iseval=iseval,
            app=app,
        )
        with self._sessions.begin() as session:
            session.execute(delete(Macro).where(Macro.name == name, Macro.argument_count == len(arguments)))
            session.add(macro)
        return macro

    def save_stanza(self, name: str, settings: Mapping[str, str], app: str = OWN_APP) -> Macro:
        """Defines a macro from a stanza of `macros.conf`."""
        name, text = macro_of_stanza(name, settings)
        return self.save(
            name,
            text.definition,
            list(text.arguments),
            validation=text.validation,
            errormsg=text.errormsg,
            iseval=text.iseval,
            app=app,
        )

    def delete(self, macro_id: int) -> None:
        """Removes a macro. Raises NotFound."""
        with self._sessions.begin() as session:
            if session.execute(delete(Macro).where(Macro.id == macro_id)).rowcount == 0:
                raise NotFound(f"no macro {macro_id}")


class Lookups:
    """Lookup tables: CSV files in one folder, typed when read. Nothing outside the folder can be named."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def list(self) -> list[dict]:
        """Name, size and time of change of every lookup."""
        if not self._folder.is_dir():
            return []
        found = sorted(p for p in self._folder.iterdir() if p.suffix == ".csv" and p.is_file())
        return [{"name": p.name, "size_bytes": p.stat().st_size, "updated": p.stat().st_mtime} for p in found]

    def read(self, name: str) -> pa.Table | None:
        """The table, or None when there is none of this name. Numbers and booleans become typed; empty cells null.

        A column is text when any cell does not parse, and also when a value would not print back as it is written:
        `007`, a 20-digit id and `True` stay text.
        """
        path = self._path(name)
        if not path.is_file():
            return None
        if path.stat().st_size < MAX_LINE_BYTES and b"\n" not in (content := path.read_bytes()):
            # Arrow wants a line feed after the names.
            names = next(csv.reader([content.decode("utf-8-sig", "replace").strip()]), [])
            return pa.table({name: pa.array([], pa.string()) for name in names})
        try:
            text = arrow_csv.read_csv(
                path,
                parse_options=arrow_csv.ParseOptions(newlines_in_values=True),
                convert_options=arrow_csv.ConvertOptions(
                    column_types=dict.fromkeys(_header(path), pa.string()), strings_can_be_null=True, null_values=[""]
                ),
            )
        except pa.ArrowInvalid as error:
            raise UserError(f'lookup "{name}" is not valid CSV: {error}') from error
        return pa.table({column: _typed(text.column(column)) for column in text.column_names})

    def read_bytes(self, name: str) -> bytes | None:
        """The CSV file as it is kept, or None when there is none of this name."""
        path = self._path(name)
        return path.read_bytes() if path.is_file() else None

    def write(self, name: str, table: pa.Table) -> None:
        """Keeps a table under a name, in place of what was there. A multivalue cell is joined with line feeds."""
        path = self._path(name)
        self._folder.mkdir(parents=True, exist_ok=True)
        columns = {field.name: _as_text(table.column(field.name)) for field in table.schema}
        staged = path.with_name(f".{path.name}.{os.getpid()}")
        arrow_csv.write_csv(pa.table(columns), staged)
        staged.replace(path)

    def write_bytes(self, name: str, content: bytes) -> None:
        """Keeps an uploaded CSV file as it is, once it has been read without error."""
        path = self._path(name)
        self._folder.mkdir(parents=True, exist_ok=True)
        staged = path.with_name(f"upload-{os.getpid()}-{path.name}")
        staged.write_bytes(content)
        try:
            self.read(staged.name)
            staged.replace(path)
        finally:
            staged.unlink(missing_ok=True)

    def delete(self, name: str) -> None:
        """Removes a lookup. Raises NotFound."""
        path = self._path(name)
        if not path.is_file():
            raise NotFound(f'no lookup "{name}"', hint=nearest(name, [p["name"] for p in self.list()]))
        path.unlink()

    def _path(self, name: str) -> Path:
        if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_. -]{0,200}", name):
            raise UserError(f'a name wants letters, digits and _ . -, got "{name}"')
        return self._folder / (name if name.endswith(".csv") else f"{name}.csv")


@dataclass(frozen=True, slots=True)
class MacroText:
    """A macro as the search expands it."""

    definition: str
    arguments: tuple[str, ...] = ()
    validation: str = ""
    errormsg: str = ""
    iseval: bool = False


def macro_of_stanza(stanza: str, settings: Mapping[str, str]) -> tuple[str, MacroText]:
    """Name and text of a macro from a stanza of `macros.conf`: `[name(2)]` with `args = a, b`.

    Raises UserError where the number in the name and the arguments differ.
    """
    match = re.fullmatch(r"\s*([^()\s]+)\s*(?:\(\s*(\d+)\s*\))?\s*", stanza)
    if match is None:
        raise UserError(f'a macro stanza wants [name] or [name(count)], got "[{stanza}]"')
    arguments = tuple(a.strip() for a in settings.get("args", "").split(",") if a.strip())
    count = int(match.group(2) or 0)
    if count != len(arguments):
        raise UserError(f"[{stanza}]: the name tells {count} arguments, args lists {len(arguments)}")
    return match.group(1), MacroText(
        settings.get("definition", ""),
        arguments,
        settings.get("validation", ""),
        settings.get("errormsg", ""),
        is_true(settings.get("iseval", "0")),
    )


@dataclass(frozen=True, slots=True)
class SavedText:
    """A saved search as another one reads it; times are texts, empty where none is set."""

    search: str
    earliest: str
    latest: str


class CatalogKnowledge:
    """The catalog as the search sees it.

    What nearly every search asks for is read again only after something was committed to the catalog: planning a search
    would otherwise take longer to ask five times what has not changed than for all the rest.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self._merged: dict[str, tuple[int, Stanzas]] = {}
        self._kept: tuple[int, dict[Any, Any]] = (-1, {})
        """The number of the catalog's changes, and what was read since the last one."""

    def _since_last_change(self, key: Any, read: Callable[[], Any]) -> Any:
        """What `read` gives, from memory where it was read since the last commit. What is None is not kept."""
        # The number is asked for before reading: a commit in between is then seen by the next search at the latest.
        number = self._catalog.changes.number()
        kept = self._kept
        if kept[0] != number:
            kept = self._kept = (number, {})
        found = kept[1].get(key)
        if found is None:
            found = read()
            if found is not None:
                kept[1][key] = found
        return found

    def macro(self, name: str, argument_count: int) -> MacroText | None:
        """Definition and argument names; None when there is no such macro."""

        def read() -> MacroText | None:
            found = self._catalog.macros.find(name, argument_count)
            if found is None:
                return None
            return MacroText(found.definition, tuple(found.arguments), found.validation, found.errormsg, found.iseval)

        return self._since_last_change(("macro", name, argument_count), read)

    def macro_argument_counts(self, name: str) -> list[int]:
        """The numbers of arguments for which this name is a macro, ascending."""
        return self._catalog.macros.argument_counts(name)

    def macros(self) -> list[str]:
        """Names of all macros."""
        return sorted({macro.name for macro in self._catalog.macros.list()})

    def lookup(self, name: str) -> pa.Table | None:
        """A lookup's table, by its name with or without `.csv`; None when there is none."""
        return self._catalog.lookups.read(name)

    def save_lookup(self, name: str, table: pa.Table) -> None:
        """Keeps a table as a lookup."""
        self._catalog.lookups.write(name, table)

    def lookups(self) -> list[str]:
        """Names of all lookups, with `.csv`."""
        return [lookup["name"] for lookup in self._catalog.lookups.list()]

    def stanzas(self, kind: str) -> Stanzas:
        """The stanzas of a kind (props, transforms, eventtypes, tags, collections), every app's together."""
        version = self.stanzas_version()
        known = self._merged.get(kind)
        if known is None or known[0] != version:
            known = self._merged[kind] = (version, self._catalog.stanzas[kind].merged())
        return known[1]

    def stanzas_version(self) -> int:
        """A number that every change of a stanza raises."""
        return self._since_last_change("stanzas", self._catalog.stanzas_version)

    def collection(self, name: str) -> pa.Table | None:
        """A collection's rows, `_key` first; None for one that is not declared."""
        return self._catalog.collections.read(name) if name in self.stanzas("collections") else None

    def update_collection(self, name: str, change: Callable[[pa.Table], pa.Table]) -> None:
        """Replaces a collection's rows by what `change` makes of them; nobody else's change comes between."""
        self._catalog.collections.update(name, change, self.stanzas("collections").get(name))

    def index_datatype(self, name: str) -> str | None:
        """What an index holds, or None when it is not defined."""
        return self.indexes().get(name)

    def indexes(self) -> dict[str, str]:
        """Every defined index with what it holds."""

        def read() -> dict[str, str]:
            return {index.name: index.datatype for index in self._catalog.indexes.list()}

        return dict(self._since_last_change("indexes", read))

    def default_indexes(self, user: str) -> list[str]:
        """Where a search without `index=` looks: every index of events but those named apart and those that start with `_`."""
        return [n for n, t in self.indexes().items() if t == "event" and n not in _NAMED_APART and not n.startswith("_")]

    def csv_file(self, name: str) -> pa.Table | None:
        """The rows of a CSV file that a search wrote, or None."""
        return self._catalog.csv_files.read(name)

    def save_csv_file(self, name: str, table: pa.Table) -> None:
        """Writes a CSV file."""
        self._catalog.csv_files.write(name, table)

    def remove_csv_file(self, name: str) -> None:
        """Removes a CSV file that a search wrote. Raises NotFound."""
        self._catalog.csv_files.delete(name)

    def csv_files(self) -> list[str]:
        """Names of CSV files that searches wrote."""
        return [one["name"] for one in self._catalog.csv_files.list()]

    def saved_search(self, name: str) -> SavedText | None:
        """A saved search with its time range, or None. An alert is one too: in Splunk there is no other kind of alert."""
        found = self._catalog.searches.find(name) or self._catalog.alerts.find(name)
        return SavedText(found.search, found.earliest, found.latest) if found else None

    def saved_searches(self) -> list[str]:
        """Names of all saved searches and alerts."""
        return sorted({row.name for row in (*self._catalog.searches.list(), *self._catalog.alerts.list())})

    def data_model(self, name: str) -> dict[str, Any] | None:
        """The definition of a data model, or None."""
        found = self._catalog.data_models.find(name)
        return found.definition if found else None

    def data_models(self) -> list[str]:
        """Names of all data models."""
        return [model.name for model in self._catalog.data_models.list()]


def _header(path: Path) -> list[str]:
    with arrow_csv.open_csv(path, parse_options=arrow_csv.ParseOptions(newlines_in_values=True)) as reader:
        return reader.schema.names


def _typed(column: pa.ChunkedArray) -> pa.ChunkedArray:
    for wanted in (pa.int64(), pa.float64()):
        try:
            typed = column.cast(wanted)
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError):
            continue
        if wanted == pa.int64() and not typed.cast(pa.string()).equals(column):
            return column
        if wanted == pa.float64() and not _plain_decimals(column):
            return column
        return typed
    # As numbers do, truth values print back as they are written: `True` is text, which a search compares by case.
    found = set(column.drop_null().unique().to_pylist())
    return pc.equal(column, "true") if found and found <= {"true", "false"} else column


def _plain_decimals(column: pa.ChunkedArray) -> bool:
    pattern = re.compile(r"-?(0|[1-9]\d{0,14})(\.\d+)?([eE][-+]?\d+)?")
    return all(pattern.fullmatch(value) for value in column.drop_null().unique().to_pylist())


def _as_text(column: pa.ChunkedArray) -> pa.ChunkedArray:
    if pa.types.is_list(column.type):
        rows = [None if v is None else "\n".join(map(str, v)) for v in column.to_pylist()]
        return pa.chunked_array([pa.array(rows, pa.string())])
    if pa.types.is_null(column.type):
        return column.cast(pa.string())
    return column
