"""What exists at the moment, for completion: indexes, fields with their values, lookups, models, metrics.

Asked at every word somebody types, so answers are kept for a few seconds.
"""

from __future__ import annotations

import re
import threading
import time as wall
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

from sightline.catalog.stanzas import collection_of
from sightline.errors import SightlineError
from sightline.search.commands.subsearch import cell_text
from sightline.search.completion import Names, suggest
from sightline.search.planner.event_types import tagged_values
from sightline.search.planner.lookups import definition_of
from sightline.search.syntax.arguments import print_name

if TYPE_CHECKING:
    from sightline.search.engine import SearchEngine
    from sightline.search.planner.relation import Relation

KEPT_S = 20.0
"""How long an answer is kept: what somebody just stored is suggested within this time."""
KEPT_ANSWERS = 500
"""Answers kept at once."""
VALUES = 30
"""Values of a field that are suggested."""
LOOKED_AT = 50_000
"""Newest events whose values are suggested: enough to see what is frequent, read in some ten milliseconds."""

_INDEXES = re.compile(r"\bindex\s*=\s*\"?([\w.\-]+)")
_TABLES = {"event": "events", "trace": "spans", "metric": "metrics"}


class KnownNames:
    """Reads names from the store and the catalog. Safe to use from several threads."""

    def __init__(self, engine: SearchEngine) -> None:
        self._engine = engine
        self._kept: dict[Any, tuple[float, Any]] = {}
        self._lock = threading.Lock()

    def read(self, indexes: Sequence[str] = (), *, user: str = "admin", owner: str | None = None) -> Names:
        """Everything that exists; fields, values and metrics of these indexes, or of all. `owner` narrows the models."""
        knowledge = self._engine.knowledge
        datatypes = knowledge.indexes()
        wanted = tuple(sorted(name for name in indexes if name in datatypes))
        return Names(
            indexes=sorted(datatypes, key=lambda name: (name.startswith("_"), name)),
            fields=self._fresh(("fields", wanted), lambda: self._fields(datatypes, wanted)),
            lookups=self._lookups(),
            lookup_fields=lambda name: self._fresh(("lookup", name), lambda: self._lookup_fields(name)),
            csv_files=knowledge.csv_files(),
            saved_searches=knowledge.saved_searches(),
            datamodels=knowledge.data_models(),
            datasets=lambda name: [one["objectName"] for one in (knowledge.data_model(name) or {}).get("objects", ())],
            event_types=sorted(knowledge.stanzas("eventtypes")),
            tags=sorted({tag for value in tagged_values(knowledge) for tag in value.tags}),
            sids=[job.sid for job in self._engine.jobs.list(user)] if self._engine.jobs else (),
            endpoints=self._engine.surroundings.paths if self._engine.surroundings else tuple,
            macros=knowledge.macros(),
            models=sorted({model["name"] for model in self._engine.models.list(owner=owner)}),
            metrics=self._fresh(("metrics", wanted), lambda: self._metrics(datatypes, wanted)),
            fields_after=lambda text: self._fresh(("after", text, user), lambda: self._fields_after(text, user)),
            algorithms=_algorithms,
            scorers=_scorers,
            values=lambda name: self._fresh(("values", wanted, name, user), lambda: self._values(wanted, name, user)),
        )

    def suggest(self, before: str, after: str = "", *, user: str = "admin", owner: str | None = None) -> dict[str, Any]:
        """What may stand between two parts of a search text, for JSON; the indexes it names decide what is offered."""
        found = suggest(before, self.read(_INDEXES.findall(before + after), user=user, owner=owner))
        return {"start": found.start, "options": [option.describe() for option in found.options]}

    def _fresh(self, key: Any, read: Callable[[], Any]) -> Any:
        now = wall.monotonic()
        with self._lock:
            kept = self._kept.get(key)
            if kept is not None and now - kept[0] < KEPT_S:
                return kept[1]
        found = read()
        with self._lock:
            if len(self._kept) >= KEPT_ANSWERS:
                self._kept.clear()
            self._kept[key] = (now, found)
        return found

    def _lookups(self) -> list[str]:
        """Definitions, collections and files: what `lookup` and `inputlookup` find by a name."""
        knowledge = self._engine.knowledge
        defined = [n for n, s in knowledge.stanzas("transforms").items() if "filename" in s or collection_of(n, s)]
        return [*sorted(defined), *sorted(knowledge.stanzas("collections")), *knowledge.lookups()]

    def _lookup_fields(self, name: str) -> list[str]:
        try:
            return definition_of(name, self._engine.context(dry=True)).table.column_names
        except SightlineError:
            return []

    def _fields(self, datatypes: dict[str, str], indexes: Sequence[str]) -> dict[str, str]:
        from sightline.search.planner.relation import Names as Identifiers
        from sightline.search.planner.sources import table_relation

        found: dict[str, str] = {}
        for datatype, table in _TABLES.items():
            named = [name for name in indexes if datatypes.get(name) == datatype]
            if indexes and not named:
                continue
            if not indexes and datatype not in datatypes.values():
                continue
            paths = self._engine.store.json_paths(table, named or None)
            for name, type in _described(table_relation(table, paths, Identifiers())).items():
                found.setdefault(name, type)
        return found

    def _fields_after(self, text: str, user: str) -> dict[str, str] | None:
        """What the rows have after some stages: planned, without reading a row."""
        try:
            context = self._engine.context(user=user, dry=True)
            return _described(self._engine.prepare(text, context).relation) or None
        except SightlineError:
            # The search up to here may be unfinished itself.
            return None

    def _metrics(self, datatypes: dict[str, str], indexes: Sequence[str]) -> list[str]:
        if "metric" not in datatypes.values() or (indexes and not any(datatypes[i] == "metric" for i in indexes)):
            return []
        where = " OR ".join(f"index={print_name(name)}" for name in indexes) or "index=*"
        return self._column(f"| mcatalog values(metric_name) AS m WHERE {where} | mvexpand m | table m", "admin", "m")

    def _values(self, indexes: Sequence[str], name: str, user: str) -> list[tuple[str, int]]:
        where = " OR ".join(f"index={print_name(index)}" for index in indexes)
        field = print_name(name)
        text = f"search {where} {field}=* | head {LOOKED_AT} | top limit={VALUES} showperc=false {field}"
        try:
            table = self._engine.run(text, user=user).table
        except SightlineError:
            # A suggestion that cannot be made is none.
            return []
        if table.num_columns < 2:
            return []
        names, counts = table.column(0).to_pylist(), table.column(1).to_pylist()
        return [(cell_text(value), count) for value, count in zip(names, counts, strict=True) if value is not None]

    def _column(self, text: str, user: str, name: str) -> list[str]:
        try:
            table = self._engine.run(text, user=user).table
        except SightlineError:
            return []
        return [cell_text(value) for value in table.column(name).to_pylist()] if name in table.column_names else []


def _described(relation: Relation) -> dict[str, str]:
    """Names of a relation's fields with their types in words; those that begin with an underscore come last."""
    words = {"int": "number", "float": "number", "bool": "boolean", "multi": "multivalue"}
    fields = sorted(relation.fields.items(), key=lambda item: (item[0].startswith("_"), item[0].lower()))
    return {name: words.get(value.type.value, value.type.value) for name, value in fields}


# scikit-learn takes a second to load; only somebody who types `fit` or `score` waits for it.
def _algorithms() -> list[str]:
    from sightline.ml import ALGORITHMS

    return sorted(ALGORITHMS)


def _scorers() -> list[str]:
    from sightline.ml import SCORERS

    return sorted(SCORERS)
