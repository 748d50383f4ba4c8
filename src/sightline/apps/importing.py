"""Brings an app's objects into the catalog, again and again: what is there is updated, what is the same is left alone.

Names are the catalog's, not an app's: where another app, or a person, has an object of the same name, theirs stays and it is
told. Searches that cannot run here are told and left out; those that need something come in, because it may come later.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import pyarrow as pa

from sightline.apps.checking import Report
from sightline.apps.contents import App, Contents, Problem
from sightline.apps.panels import Losses, convert_view
from sightline.apps.schedules import read_stanza
from sightline.apps.trial import REFUSED, UNKNOWN
from sightline.catalog import Catalog
from sightline.catalog.knowledge import DATATYPES, macro_of_stanza
from sightline.catalog.stanzas import SHAPES, check_shape
from sightline.errors import SightlineError, UserError
from sightline.search.data_models.definition import read_model

RULES = "rules of sourcetypes"
KINDS = (
    "indexes", "macros", "lookups", "props", "transforms", "eventtypes", "tags", "collections", "rows of collections",
    "data models", "saved searches", "alerts", "dashboards", RULES,
)  # fmt: skip
"""What an import brings, in this order, because the later ones name the earlier ones."""

TellObject = Callable[[str, str, str], None]
"""Told the kind and name of an object, and what there is to say of it."""


@dataclass
class Count:
    """What became of the objects of one kind."""

    created: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: int = 0


@dataclass(frozen=True, slots=True)
class Note:
    """Something to say of an object: why it was skipped, or what of it could not be brought."""

    app: str
    kind: str
    name: str
    text: str
    element: str = ""
    """The panel and element of a dashboard that it is about."""


@dataclass
class Outcome:
    """What an import did, or would do."""

    counts: dict[str, Count] = field(default_factory=lambda: {kind: Count() for kind in KINDS})
    skipped: list[Note] = field(default_factory=list)
    notes: list[Note] = field(default_factory=list)
    problems: list[Problem] = field(default_factory=list)
    """Files that could not be read."""

    def as_json(self) -> dict[str, Any]:
        """For the API."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: Mapping[str, Any]) -> Outcome:
        """From what `as_json` gave."""
        return cls(
            {kind: Count(**count) for kind, count in values["counts"].items()},
            [Note(**note) for note in values["skipped"]],
            [Note(**note) for note in values["notes"]],
            [Problem(**problem) for problem in values["problems"]],
        )


def import_contents(
    contents: Contents,
    report: Report,
    catalog: Catalog,
    *,
    app_name: str | None = None,
    owner: str = "admin",
    sends_mail: bool = True,
) -> Outcome:
    """Writes the contents into the catalog. `report` is what `check` said of them; `app_name` is put over the apps' own.

    `sends_mail` says whether a mail server is set: without one, it is told which alerts would speak to nobody.
    """
    outcome = Outcome(problems=list(contents.problems))
    if app_name is not None:
        check_app_name(app_name)
    for app in contents.apps:
        _Import(app, app_name or fitting_app_name(app.name), catalog, report, outcome, owner, sends_mail).run()
    return outcome


def check_app_name(name: str) -> None:
    """Raises UserError for what cannot be an app's name."""
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9_.+ -]{0,99}", name):
        raise UserError(f'an app name wants letters, digits and _ . + -, got "{name[:60]}"')


def fitting_app_name(name: str) -> str:
    """A folder's name as an app's, with what an app's name cannot have replaced."""
    return re.sub(r"[^A-Za-z0-9_.+ -]", "_", name).lstrip(" .+-")[:100].rstrip() or "app"


class _Import:
    """One app on its way in."""

    def __init__(
        self, app: App, name: str, catalog: Catalog, report: Report, outcome: Outcome, owner: str, sends_mail: bool
    ) -> None:
        self.app = app
        self.name = name
        self.catalog = catalog
        self.outcome = outcome
        self.owner = owner
        self.sends_mail = sends_mail
        self._verdicts = {(v.kind, v.name): v for v in report.verdicts if v.app == app.name}
        self._by_file: dict[str, list[Any]] = {}
        for verdict in report.verdicts:
            if verdict.app == app.name and verdict.kind == "dashboard":
                self._by_file.setdefault(verdict.file, []).append(verdict)

    def run(self) -> None:
        self._indexes()
        self._macros()
        self._lookups()
        put_stanzas(self.app, self.name, self.catalog, self._skip, self._count)
        self._rows_of_collections()
        put_data_models(self.app, self.name, self.catalog, self._skip, self._count, owner=self.owner)
        self._searches()
        self._packed()
        self._dashboards()

    # -- telling

    def _skip(self, kind: str, name: str, text: str) -> None:
        self.outcome.counts[kind].skipped += 1
        self.outcome.skipped.append(Note(self.name, kind, name, text))

    def _note(self, kind: str, name: str, texts: Iterable[str]) -> None:
        self.outcome.notes += [Note(self.name, kind, name, text) for text in texts]

    def _count(self, kind: str, state: str) -> None:
        count = self.outcome.counts[kind]
        setattr(count, state, getattr(count, state) + 1)

    # -- kinds

    def _indexes(self) -> None:
        known = {index.name: index.datatype for index in self.catalog.indexes.list()}
        for name, settings in self.app.settings("indexes").items():
            if name.startswith("volume:") or name in ("_audit", "_introspection", "_telemetry", "_metrics"):
                continue
            datatype = settings.get("datatype", "event").strip() or "event"
            datatype = {"events": "event", "metrics": "metric"}.get(datatype, datatype)
            if datatype not in DATATYPES:
                self._skip("indexes", name, f'holds "{datatype}", wanted one of {", ".join(DATATYPES)}')
                continue
            try:
                self.catalog.indexes.ensure(name, datatype)
            except UserError as error:
                self._skip("indexes", name, error.message)
            else:
                self._count("indexes", "unchanged" if name in known else "created")

    def _macros(self) -> None:
        known = {(macro.name, macro.argument_count): macro for macro in self.catalog.macros.list()}
        for stanza, settings in self.app.settings("macros").items():
            try:
                name, text = macro_of_stanza(stanza, settings)
                before = known.get((name, len(text.arguments)))
                if before is not None and before.app != self.name:
                    raise UserError(f'the macro is defined by "{before.app}", whose definition stays')
                after = (list(text.arguments), text.definition, text.validation, text.errormsg, text.iseval)
                if before is not None and after == (
                    before.arguments, before.definition, before.validation, before.errormsg, before.iseval
                ):  # fmt: skip
                    self._count("macros", "unchanged")
                    continue
                self.catalog.macros.save_stanza(stanza, settings, app=self.name)
            except UserError as error:
                self._skip("macros", stanza, error.message)
            else:
                self._count("macros", "created" if before is None else "updated")

    def _lookups(self) -> None:
        for name, read in self.app.lookups.items():
            try:
                content = read()
                before = self.catalog.lookups.read_bytes(name)
                if before != content:
                    self.catalog.lookups.write_bytes(name, content)
            except SightlineError as error:
                self._skip("lookups", name, str(error))
            else:
                self._count("lookups", "created" if before is None else "unchanged" if before == content else "updated")

    def _rows_of_collections(self) -> None:
        declared = self.catalog.stanzas["collections"].merged()
        for name, content in self.app.collections.items():
            kind = "rows of collections"
            if name not in declared:
                self._skip(kind, name, "there is no collection of this name")
                continue
            try:
                rows = [orjson.loads(line) for line in content.splitlines() if line.strip()]
                table = pa.Table.from_pylist(rows) if rows else pa.table({"_key": pa.array([], pa.string())})
                before = self.catalog.collections.read(name)
                same = before.to_pylist() == table.to_pylist()
                if not same:
                    self.catalog.collections.update(name, lambda _, table=table: table, declared[name])
            except (ValueError, TypeError, AttributeError, pa.ArrowException, UserError) as error:
                self._skip(kind, name, f"its rows cannot be read: {error}")
            else:
                self._count(kind, "unchanged" if same else "updated" if before.num_rows else "created")

    def _searches(self) -> None:
        for stanza, settings in self.app.settings("savedsearches").items():
            try:
                found = read_stanza(stanza, settings)
            except UserError as error:
                self._skip("saved searches", stanza, error.message)
                continue
            if not self.sends_mail and any(action.get("kind") == "email" for action in found.values.get("actions", ())):
                found.lost.append('its e-mails are not sent: no mail server is set (mail_server = "host:port" in [watch])')
            if self._runs("alerts" if found.kind == "alert" else "saved searches", "saved", stanza):
                self._put_search(found.kind, found.values, found.lost)

    def _packed(self) -> None:
        for search in self.app.packed:
            if self._runs("saved searches", search.kind, search.name):
                self._put_search("search", {"name": search.name[:200], "search": search.text}, [])
        if any(search.kind == "pack" for search in self.app.packed):
            self._note("saved searches", "detections", ["of each detection its name and its search are brought"])

    def _runs(self, kind: str, found_as: str, name: str) -> bool:
        verdict = self._verdicts.get((found_as, name))
        if verdict is not None and verdict.state in (UNKNOWN, REFUSED):
            self._skip(kind, name, "; ".join(verdict.reasons))
            return False
        return True

    def _put_search(self, kind: str, values: dict[str, Any], lost: list[str]) -> None:
        ours, others = self.catalog.searches, self.catalog.alerts
        shown = "saved searches"
        if kind == "alert":
            ours, others, shown = others, ours, "alerts"
        name = values["name"]
        try:
            before = ours.find(name.strip())
            if before is not None and before.app != self.name:
                values = values | {"name": f"{self.name}: {name}"[:200]}
                lost = [*lost, f'the name is taken by "{before.app}"; it is called "{values["name"]}"']
                before = ours.find(values["name"])
            if before is None:
                ours.create(**values, app=self.name, owner=self.owner)
                state = "created"
            elif any(getattr(before, key) != value for key, value in _as_kept(values).items()):
                ours.update(before.id, **values)
                state = "updated"
            else:
                state = "unchanged"
            changed_kind = others.find(values["name"])
            if changed_kind is not None and changed_kind.app == self.name and not self._has_both(values["name"]):
                others.delete(changed_kind.id)
                lost = [*lost, f"it was kept as {'an alert' if kind == 'search' else 'a saved search'} before"]
        except UserError as error:
            self._skip(shown, name, error.message)
        else:
            self._count(shown, state)
            self._note(shown, values["name"], lost)

    def _has_both(self, name: str) -> bool:
        """Whether the app itself has a saved search and an alert of this name."""
        return sum(self._name_of(s, v) == name for s, v in self.app.settings("savedsearches").items()) > 1

    @staticmethod
    def _name_of(stanza: str, settings: Mapping[str, str]) -> str:
        from sightline.apps.own_conf import own_name

        try:
            return own_name(stanza, settings)
        except UserError:
            return stanza

    def _dashboards(self) -> None:
        for name, view in self.app.views.items():
            definition, lost = convert_view(view)
            if not definition["panels"]:
                self._skip("dashboards", name, "; ".join(["it has no panel with a search", *(text for _, text in lost)]))
                continue
            failing = [v for v in self._by_file.get(self.app.view_files.get(name, ""), []) if v.state in (UNKNOWN, REFUSED)]
            lost += [(v.name.partition(": ")[2], f"does not run: {'; '.join(v.reasons)}") for v in failing]
            self._put_dashboard(name, view.label or name, definition, view.description, lost)
        for name, text in self.app.view_problems.items():
            if name not in self.app.views and ":" not in name:
                self._skip("dashboards", name, text)
        for name, dashboard in self.app.dashboards.items():
            name, title = str(dashboard.get("view") or name), dashboard.get("title", name)
            definition = dashboard.get("definition", {})
            if not isinstance(definition, dict):
                self._skip("dashboards", name, "its definition wants a JSON object")
                continue
            self._put_dashboard(name, str(title), definition, str(dashboard.get("description", "")), [])

    def _put_dashboard(self, name: str, title: str, definition: dict[str, Any], description: str, lost: Losses) -> None:
        try:
            before = self.catalog.dashboards.find(self.name, name)
            described = None if before is None else (before.title, before.definition, before.description, before.updated)
            after, created = self.catalog.dashboards.put(
                self.name, name, title.strip()[:200] or name, definition, description, owner=self.owner
            )
        except UserError as error:
            self._skip("dashboards", name, error.message)
            return
        same = described is not None and described[:3] == (after.title, after.definition, after.description)
        self._count("dashboards", "created" if created else "unchanged" if same else "updated")
        self.outcome.notes += [Note(self.name, "dashboards", name, text, element) for element, text in lost]


def _as_kept(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values as the catalog keeps them, to compare with what it has."""
    found = dict(values)
    found["name"] = found["name"].strip()
    if found.get("cron"):
        found["cron"] = " ".join(found["cron"].split())
    return found


# -- what a check needs too


def put_stanzas(
    app: App,
    name: str,
    catalog: Catalog,
    skip: TellObject,
    count: Callable[[str, str], None] = lambda _kind, _state: None,
    *,
    kinds: Iterable[str] = tuple(SHAPES),
) -> None:
    """Keeps an app's props, transforms, event types, tags and collections; those that have no right shape are told."""
    for kind in kinds:
        before = {row.name: row.settings for row in catalog.stanzas[kind].list(name)}
        good = {}
        for stanza, settings in app.stanzas.get(kind, {}).items():
            try:
                check_shape(kind, stanza, settings)
            except UserError as error:
                skip(kind, stanza, error.message)
                continue
            if before.get(stanza) == settings:
                count(kind, "unchanged")
            else:
                good[stanza] = settings
                count(kind, "updated" if stanza in before else "created")
        if good:
            catalog.stanzas[kind].put_all(good, app=name)


def put_data_models(
    app: App,
    name: str,
    catalog: Catalog,
    skip: TellObject,
    count: Callable[[str, str], None] = lambda _kind, _state: None,
    *,
    owner: str = "admin",
) -> None:
    """Keeps an app's data models; those that cannot be read are told."""
    for file, definition in app.data_models.items():
        definition = {"modelName": file} | definition
        try:
            read_model(definition)
            before = catalog.data_models.find(str(definition["modelName"]))
            if before is not None and before.app != name:
                raise UserError(f'the data model is defined by "{before.app}", whose definition stays')
            if before is not None and before.definition == definition:
                count("data models", "unchanged")
                continue
            catalog.data_models.save(definition, owner=owner, app=name)
        except UserError as error:
            skip("data models", file, error.message)
        else:
            count("data models", "created" if before is None else "updated")
