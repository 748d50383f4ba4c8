"""What a search script runs in: a store, a catalog held in memory, a model registry and a search engine with a fixed clock.

Enters a script's steps and a variant; leaves an Answer. The variants run the same text in ways that must not change
its meaning: printed and reparsed, without planner rules, cut at each pipe, and with the loaded rows in random batches, some of whose
fields have columns of their own.
"""

from __future__ import annotations

import dataclasses
import datetime
import json
import random
import shutil
import traceback
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pyarrow as pa
from mmdb import write_database
from script import Answer, Cell, Clear, Conf, Load, Rows, Search, Step

from sightline.catalog.collections import typed, with_keys
from sightline.catalog.conf import merge_conf, read_conf
from sightline.catalog.knowledge import SavedText, macro_of_stanza
from sightline.catalog.stanzas import check_shape, effective
from sightline.config import Settings
from sightline.errors import SearchError, UserError
from sightline.ml import ModelRegistry
from sightline.search.data_models.definition import read_model
from sightline.search.engine import SearchEngine
from sightline.search.syntax.source import MacroDefinition

NOW = 1_700_000_000.0
"""2023-11-14 22:13:20 UTC, a Tuesday: the moment at which every search of a script starts."""

BUG_CHARACTERS = 1500
"""How much of the end of a traceback a failure shows."""

VARIANTS = ("plain", "printed", "rules_off", "cut", "shuffled")


@dataclass
class MemoryKnowledge:
    """The part of the catalog that searches read and write, as dictionaries."""

    datatypes: dict[str, str] = field(default_factory=dict)
    tables: dict[str, pa.Table] = field(default_factory=dict)
    definitions: dict[tuple[str, int], MacroDefinition] = field(default_factory=dict)
    settings: dict[str, dict[str, dict[str, str]]] = field(default_factory=dict)
    version: int = 0
    records: dict[str, pa.Table] = field(default_factory=dict)
    files: dict[str, pa.Table] = field(default_factory=dict)
    saved: dict[str, SavedText] = field(default_factory=dict)
    models: dict[str, dict[str, Any]] = field(default_factory=dict)

    def macro(self, name: str, argument_count: int) -> MacroDefinition | None:
        return self.definitions.get((name, argument_count))

    def macros(self) -> list[str]:
        return sorted({name for name, _ in self.definitions})

    def macro_argument_counts(self, name: str) -> list[int]:
        return sorted(count for macro, count in self.definitions if macro == name)

    def configure(self, kind: str, text: str) -> None:
        """Take the settings of a configuration file, beside those that are there."""
        if kind == "datamodel":
            definition = json.loads(text)
            self.models[read_model(definition).name] = definition
            return
        conf = read_conf(text)
        assert not conf.problems, conf.problems
        if kind == "macros":
            for stanza, given in conf.stanzas.items():
                name, macro = macro_of_stanza(stanza, given)
                self.definitions[(name, len(macro.arguments))] = MacroDefinition(**dataclasses.asdict(macro))
            return
        if kind == "savedsearches":
            for name, given in conf.stanzas.items():
                bounds = [given.get(f"dispatch.{bound}_time", "") for bound in ("earliest", "latest")]
                self.saved[name] = SavedText(given["search"], *bounds)
            return
        for stanza, given in conf.stanzas.items():
            check_shape(kind, stanza, given)
        self.settings[kind] = merge_conf([self.settings.get(kind, {}), conf.stanzas])
        self.version += 1

    def stanzas(self, kind: str) -> dict[str, dict[str, str]]:
        return effective(kind, [self.settings.get(kind, {})])

    def stanzas_version(self) -> int:
        return self.version

    def collection(self, name: str) -> pa.Table | None:
        empty = pa.table({"_key": pa.array([], pa.string())})
        return self.records.get(name, empty) if name in self.stanzas("collections") else None

    def update_collection(self, name: str, change: Callable[[pa.Table], pa.Table]) -> None:
        table = change(self.collection(name))
        self.records[name] = typed(with_keys(table), name, self.stanzas("collections")[name])

    def lookup(self, name: str) -> pa.Table | None:
        return self.tables.get(name)

    def lookups(self) -> list[str]:
        return sorted(self.tables)

    def save_lookup(self, name: str, table: pa.Table) -> None:
        self.tables[name] = table

    def index_datatype(self, name: str) -> str | None:
        return self.datatypes.get(name)

    def indexes(self) -> dict[str, str]:
        return dict(self.datatypes)

    def default_indexes(self, user: str) -> list[str]:
        return [name for name, kind in self.datatypes.items() if kind == "event" and not name.startswith("_")]

    def csv_file(self, name: str) -> pa.Table | None:
        return self.files.get(name)

    def save_csv_file(self, name: str, table: pa.Table) -> None:
        self.files[name] = table

    def remove_csv_file(self, name: str) -> None:
        del self.files[name]

    def csv_files(self) -> list[str]:
        return sorted(self.files)

    def saved_search(self, name: str) -> SavedText | None:
        return self.saved.get(name)

    def saved_searches(self) -> list[str]:
        return sorted(self.saved)

    def data_model(self, name: str) -> dict[str, Any] | None:
        return self.models.get(name)

    def data_models(self) -> list[str]:
        return sorted(self.models)

    def clear(self) -> None:
        self.tables.clear()
        self.definitions.clear()
        self.datatypes.clear()
        self.settings.clear()
        self.records.clear()
        self.saved.clear()
        self.files.clear()
        self.models.clear()
        self.version += 1
        self.datatypes.update(main="event", metrics="metric", traces="trace", _internal="event", summary="event")


class World:
    """One store for all scripts of a process; `clear` between them. Not for use by several threads."""

    def __init__(self, store: Any, data: Path) -> None:
        self.store = store
        self.data = data
        self.knowledge = MemoryKnowledge()
        self.models = ModelRegistry(data / "models", lambda: NOW)
        self.engine = SearchEngine(store, self.knowledge, self.models, Settings(data=data), lambda: NOW)
        for table in ("events", "metrics"):
            # Nothing here outlives the process, and waiting for the disk is most of an insert's time.
            self.store.execute(f"ALTER TABLE sightline.{table} MODIFY SETTING fsync_after_insert=0, fsync_part_directory=0")
        self.clear()

    def clear(self) -> None:
        """Forget every event, point, lookup, macro, model and database of locations."""
        for table in ("events", "metrics", "spans"):
            self.store.execute(f"TRUNCATE TABLE sightline.{table}")
            for index in {index for one in self.store.promoted.of(table) for index in one.indexes}:
                self.store.promoted.forget(index)
        self.knowledge.clear()
        shutil.rmtree(self.data / "models", ignore_errors=True)
        (self.data / "models").mkdir(parents=True)
        for path in self.data.glob("*.mmdb"):
            path.unlink()

    def run_script(self, steps: Sequence[Step], variant: str, seed: str) -> list[tuple[Search, Answer]]:
        """Each search of a script with its answer, from a clean start."""
        self.clear()
        shuffle = random.Random(seed) if variant == "shuffled" else None
        answers = []
        for step in steps:
            if isinstance(step, Clear):
                self.clear()
            elif isinstance(step, Load):
                self.load(step, shuffle)
            elif isinstance(step, Conf):
                self.knowledge.configure(step.kind, step.text)
            else:
                answers.append((step, self.answer(step.text, variant)))
        return answers

    def answer(self, text: str, variant: str = "plain") -> Answer:
        """What a search gives. Only a mistake of the person who wrote it becomes an error of the answer."""
        asked = text
        if variant == "printed":
            try:
                asked = self.engine.print(text)
            except Exception:  # What cannot be read is for the plain run to tell.
                asked = text
            else:
                try:
                    again = self.engine.print(asked)
                except Exception as error:
                    return Answer(bug=f"what was printed cannot be read: {asked}\n{error!r}")
                if again != asked:
                    return Answer(bug=f"printing is not stable:\n{asked}\n{again}")
        try:
            result = self.engine.run(asked, now=NOW, rules=variant != "rules_off", cut=variant == "cut")
        except UserError as error:
            place = None
            if isinstance(error, SearchError) and error.span is not None:
                place = error.span.line_and_column(asked)
            return Answer(error=str(error), error_position=place)
        except Exception as error:  # A bug is told with its search, and does not hide the searches after it.
            return Answer(bug=traceback.format_exc().strip()[-BUG_CHARACTERS:] or repr(error))
        return Answer(
            columns=result.table.column_names,
            rows=python_rows(result.table),
            shown_rows=python_rows(result.shown_table),
            warnings=[m.text for m in result.messages if m.severity in ("warning", "warn")],
        )

    def load(self, step: Load, shuffle: random.Random | None = None) -> None:
        """Put a script's rows where searches find them; with `shuffle`, in random batches."""
        rows = [dict(zip(step.table.columns, row, strict=True)) for row in step.table.rows]
        if step.kind == "macros":
            for row in rows:
                arguments = [a.strip() for a in (row["arguments"].python() or "").split(",") if a.strip()]
                definition = MacroDefinition(row["definition"].text, tuple(arguments))
                self.knowledge.definitions[row["name"].text, len(arguments)] = definition
            return
        if step.kind == "locations":
            write_database(self.data / step.name, {row["network"].text: _place(row) for row in rows})
            return
        if step.kind == "lookup":
            columns = step.table.columns
            texts = {c: pa.array([None if r[c].kind == "null" else r[c].text for r in rows], pa.string()) for c in columns}
            self.knowledge.tables[step.name] = pa.table(texts)
            return
        values = [{name: cell.python() for name, cell in row.items()} for row in rows]
        for position, row in enumerate(values):
            if row.get("_time") is None:
                row["_time"] = NOW - 1 - position
            row["_time"] = float(row["_time"])
            if step.kind == "metrics":
                row["value"] = row.pop("_value")
        self.add_events(step.name, values, metrics=step.kind == "metrics", shuffle=shuffle)

    def add_events(
        self, index: str, rows: list[dict[str, Any]], metrics: bool = False, shuffle: random.Random | None = None
    ) -> None:
        """Store rows of an index. A missing or None value is a field the event does not have."""
        self.knowledge.datatypes[index] = "metric" if metrics else "event"
        rows = [{k: v for k, v in row.items() if v is not None} for row in rows]
        batches = [rows]
        if shuffle is not None:
            rows = shuffle.sample(rows, len(rows))
            cuts = sorted(shuffle.randint(0, len(rows)) for _ in range(2))
            batches = [rows[: cuts[0]], rows[cuts[0] : cuts[1]], rows[cuts[1] :]]
        append = self.store.append_metrics if metrics else self.store.append_events
        for batch in batches:
            # A column of an Arrow table has one type, a field of an event has any: rows of one shape go together.
            shapes: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
            for row in batch:
                shapes.setdefault(tuple((k, _shape(v)) for k, v in sorted(row.items())), []).append(row)
            if shuffle is not None and shuffle.random() < 0.5:
                self._promote(index, batch, "metrics" if metrics else "events")
            for same in shapes.values():
                append(index, pa.Table.from_pylist(same))

    def _promote(self, index: str, rows: list[dict[str, Any]], table: str) -> None:
        """Give the fields of some rows columns of their own, as a sample of many such rows would."""
        texts = [json.dumps({k: str(v) if table == "metrics" else v for k, v in row.items()}, default=str) for row in rows]
        sample = pa.table({"index": pa.array([index] * len(rows), pa.string()), "object": pa.array(texts, pa.string())})
        self.store.promoted.learn(table, sample, min_rows=1)


def _place(row: dict[str, Cell]) -> dict[str, Any]:
    """A row of `load locations` as a record of such a database; null leaves a part out."""
    given = {name: cell.python() for name, cell in row.items() if cell.kind != "null"}
    names = {"en": given.get("city"), "de": given.get("city_de")}
    place: dict[str, Any] = {
        "city": {"names": {language: name for language, name in names.items() if name}},
        "country": {"iso_code": given.get("code", ""), "names": {"en": given.get("country", "")}},
        "continent": {"names": {"en": given.get("continent", "")}},
        "subdivisions": [{"names": {"en": given["region"]}}] if "region" in given else [],
        "location": {
            key: given[name]
            for key, name in (("latitude", "lat"), ("longitude", "lon"), ("time_zone", "timezone"), ("metro_code", "metro"))
            if name in given
        },
    }
    return place


def python_rows(table: pa.Table) -> list[list[Any]]:
    """The rows of a table as Python values; times as seconds since the epoch."""
    columns = []
    for column in table.columns:
        values = column.to_pylist()
        if pa.types.is_timestamp(column.type):
            values = [None if v is None else _epoch(v) for v in values]
        columns.append(values)
    return [list(row) for row in zip(*columns, strict=True)] if columns else []


def _epoch(moment: datetime.datetime) -> float:
    return (moment if moment.tzinfo else moment.replace(tzinfo=datetime.UTC)).timestamp()


def _shape(value: Any) -> Any:
    return ("list", *(type(v).__name__ for v in value[:1])) if isinstance(value, list) else type(value).__name__


__all__ = ["NOW", "VARIANTS", "MemoryKnowledge", "Rows", "World", "python_rows"]
