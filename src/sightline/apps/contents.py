"""What a path holds: apps with their configuration, lookups and dashboards, packs of detections, and lists of searches.

An app is a folder with `default/` or `local/`, whose settings are merged key by key; configuration files that lie elsewhere
make an app of their folder. Files that are none of these are passed over; files that cannot be read are told.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import orjson

from sightline.apps.own_conf import with_own_names, with_own_settings
from sightline.apps.packs import read_json_searches, read_yaml
from sightline.apps.reading import ARCHIVES, File, Tell, read_files
from sightline.apps.simple_xml import View, read_view
from sightline.apps.studio import read_studio
from sightline.catalog.conf import DEFAULT_STANZA, Stanzas, merge_conf, read_conf, with_defaults
from sightline.errors import SightlineError, UserError

CONF_FILES = ("savedsearches", "macros", "props", "transforms", "eventtypes", "tags", "collections", "app", "indexes")
"""Configuration files that say something here; the others of an app set up pages, inputs and programs."""
_LAYERS = {"default": 0, "local": 1}
_TEXT_SEARCHES = (".spl", ".splunk")
_OTHER_TABLES = (".csv.gz", ".kmz", ".kml", ".mmdb", ".mlmodel")
"""Kinds of lookup files that are not read, and told."""


@dataclass
class Search:
    """One search of the path. `kind` says what it was found as: saved, dashboard, pack or list."""

    name: str
    text: str
    app: str
    kind: str
    file: str
    earliest: str = ""
    latest: str = ""
    tokens: dict[str, str] = field(default_factory=dict)
    """What the dashboard's tokens hold at first."""


@dataclass
class App:
    """An app's objects, `default/` and `local/` merged. `stanzas` has the configuration by file name, without `.conf`."""

    name: str
    root: str
    stanzas: dict[str, Stanzas] = field(default_factory=dict)
    views: dict[str, View] = field(default_factory=dict)
    dashboards: dict[str, dict[str, Any]] = field(default_factory=dict)
    """Dashboards in the form that export writes."""
    data_models: dict[str, dict[str, Any]] = field(default_factory=dict)
    lookups: dict[str, Callable[[], bytes]] = field(default_factory=dict)
    """How to read each table, by its file name."""
    collections: dict[str, bytes] = field(default_factory=dict)
    """Rows of collections in the form that export writes, by the collection's name."""
    packed: list[Search] = field(default_factory=list)
    """Searches of packs and lists, which are no saved searches."""
    view_files: dict[str, str] = field(default_factory=dict)
    view_problems: dict[str, str] = field(default_factory=dict)

    def settings(self, kind: str) -> Stanzas:
        """The stanzas of a configuration file with those of `[default]` filled in."""
        return with_defaults(self.stanzas.get(kind, {}))


@dataclass(frozen=True, slots=True)
class Problem:
    """A file, or a part of it, that could not be read."""

    file: str
    text: str


@dataclass
class Contents:
    """Everything found at a path."""

    apps: list[App]
    problems: list[Problem]

    def searches(self) -> Iterator[Search]:
        """Every search, by app: saved searches, those of dashboards, then those of packs and lists."""
        for app in self.apps:
            yield from _saved_searches(app)
            for name in app.views:
                yield from _view_searches(app, name)
            yield from app.packed


def read_contents(path: Path, on_file: Callable[[str], None] = lambda _: None) -> Contents:
    """Reads everything below a path. `on_file` is told each file. Raises UserError where there is nothing."""
    problems: list[Problem] = []

    def tell(file: str, text: str) -> None:
        problems.append(Problem(file, text))

    gathered = _Gathered(path, tell)
    for file in read_files(path, wanted_files(path), tell):
        on_file(file.name)
        try:
            gathered.add(file)
        except (SightlineError, RecursionError, MemoryError) as error:
            tell(file.name, str(error) if isinstance(error, SightlineError) else "nests too deeply, or is too large")
    return Contents(gathered.apps(), problems)


def wanted_files(path: Path) -> Callable[[str], bool]:
    """Whether a file may hold objects, judged by its name alone. A file that was named itself is always tried."""
    single = path.is_file() and not path.name.lower().endswith(ARCHIVES)

    def wanted(name: str) -> bool:
        folder, _, last = name.rpartition("/")
        lower = last.lower()
        alone = single and not folder
        if lower.endswith(".conf"):
            return alone or lower.removesuffix(".conf") in CONF_FILES
        if lower.endswith(".csv"):
            return alone or folder == "lookups" or folder.endswith("/lookups")
        if folder.endswith("lookups") and lower.endswith(_OTHER_TABLES):
            return True
        return alone or lower.endswith((".xml", ".yml", ".yaml", ".json", ".jsonl", ".ndjson", *_TEXT_SEARCHES))

    return wanted


class _Gathered:
    """Files put to the apps that they belong to."""

    def __init__(self, path: Path, tell: Tell) -> None:
        self._path = path
        self._tell = tell
        self._apps: dict[str, App] = {}
        self._layers: dict[tuple[str, str], list[tuple[int, str, Stanzas]]] = {}
        self._view_layers: dict[tuple[str, str], int] = {}
        self._panels: dict[tuple[str, str], View] = {}

    def add(self, file: File) -> None:
        folder, _, last = file.name.rpartition("/")
        stem, _, ending = last.rpartition(".")
        ending = ending.lower()
        if last.lower().endswith(_OTHER_TABLES) and folder.endswith("lookups"):
            self._tell(file.name, "is a lookup that is no CSV file, and is left out")
            return
        root, layer, below = _place(file.name)
        if ending == "conf":
            self._add_conf(file, root if layer is not None else folder, layer or 0, stem.lower())
        elif ending == "csv":
            self._add_csv(file, folder, last)
        elif ending == "xml":
            self._add_xml(file, root if layer is not None else folder, layer or 0, stem, below)
        elif ending in ("yml", "yaml"):
            self._add_yaml(file, folder)
        elif ending in ("json", "jsonl", "ndjson"):
            self._add_json(file, root, layer, stem, below)
        elif f".{ending}" in _TEXT_SEARCHES:
            self._app(folder).packed.append(Search(stem, text_of(file.read()), self._app(folder).name, "list", file.name))
        else:
            self._add_list(file, self._app(folder))

    def apps(self) -> list[App]:
        """The apps that hold anything, in the order of their folders."""
        for (root, kind), layers in self._layers.items():
            ordered = sorted(layers, key=lambda layer: layer[:2])
            file = f"{root}/{kind}.conf".lstrip("/")

            def tell(name: str, text: str, file: str = file) -> None:
                self._tell(file, f"[{name}]: {text}")

            merged = with_own_settings(merge_conf(stanzas for _, _, stanzas in ordered), tell)
            # Two searches may have one name, as an alert and as a saved search; both keep their place until they are brought.
            self._app(root).stanzas[kind] = merged if kind == "savedsearches" else with_own_names(merged, tell)
        for app in self._apps.values():
            package = app.stanzas.get("app", {}).get("package", {}).get("id", "").strip()
            if package:
                app.name = package
                for search in app.packed:
                    search.app = package
            for name, view in app.views.items():
                self._put_in_panels(app, name, view)
        return [app for _, app in sorted(self._apps.items()) if not _is_empty(app)]

    def _app(self, root: str) -> App:
        if root not in self._apps:
            name = root.rpartition("/")[2] or name_of_path(self._path)
            self._apps[root] = App(name, root)
        return self._apps[root]

    def _add_conf(self, file: File, root: str, layer: int, kind: str) -> None:
        found = read_conf(text_of(file.read()))
        for problem in found.problems:
            self._tell(file.name, problem)
        self._layers.setdefault((root, kind), []).append((layer, file.name, found.stanzas))

    def _add_csv(self, file: File, folder: str, last: str) -> None:
        if folder == "lookups" or folder.endswith("/lookups"):
            root = folder.removesuffix("lookups").rstrip("/")
            self._app(root).lookups[last] = file.read
            return
        self._add_list(file, self._app(folder))

    def _add_xml(self, file: File, root: str, layer: int, stem: str, below: str) -> None:
        content = file.read()
        if b"<dashboard" not in content and b"<form" not in content and b"<panel" not in content and b"<view" not in content:
            return
        app = self._app(root)
        if below.startswith("data/ui/panels/"):
            if (panel := read_view(stem, content)) is not None:
                self._panels[root, stem] = panel
            return
        # Pages of set-up forms, navigation and the like are no views; outside of an app's folder of views only a whole view is.
        if below and not below.startswith("data/ui/views/"):
            return
        if self._view_layers.get((root, stem), -1) > layer:
            return
        try:
            view = read_studio(stem, content) or read_view(stem, content)
        except UserError as error:
            if below:
                app.view_problems[stem] = str(error)
                raise
            return
        if view is not None:
            self._view_layers[root, stem] = layer
            app.views[stem] = view
            app.view_files[stem] = file.name

    def _add_yaml(self, file: File, folder: str) -> None:
        found = read_yaml(text_of(file.read()))
        root = folder.rpartition("/")[0] if folder.rpartition("/")[2] in ("macros", "lookups") else folder
        if found.macros or found.transforms:
            # A pack's folders of macros and lookups stand beside those of its detections, and hold for all of them.
            app = self._app(root)
            for kind, stanzas in (("macros", found.macros), ("transforms", found.transforms)):
                if stanzas:
                    self._layers.setdefault((app.root, kind), []).append((0, file.name, stanzas))
        for name, text, generated in found.searches:
            app = self._app(_pack_root(file.name))
            app.packed.append(Search(name, text, app.name, "pack", file.name))
            if generated:
                # Lowest of all layers: a pack's own macro of this name wins.
                self._layers.setdefault((app.root, "macros"), []).append((-1, file.name, generated))

    def _add_json(self, file: File, root: str, layer: int | None, stem: str, below: str) -> None:
        content = file.read()
        if re.match(r"(data/models|datamodels)/", below) or re.search(r"(^|/)datamodels/[^/]+$", file.name):
            home = root if layer is not None else file.name.rpartition("/datamodels/")[0]
            self._app(home).data_models[stem] = _json_object(content)
        elif below.startswith("data/ui/views/"):
            self._app(root).dashboards[stem] = _json_object(content)
            self._app(root).view_files[stem] = file.name
        elif layer is None and re.search(r"(^|/)collections/[^/]+\.jsonl$", file.name):
            self._app(file.name.rpartition("/")[0].removesuffix("collections").rstrip("/")).collections[stem] = content
        elif layer is None:
            self._add_list(file, self._app(file.name.rpartition("/")[0]))

    def _add_list(self, file: File, app: App) -> None:
        alone = not self._path.is_dir()
        for name, text in read_json_searches(text_of(file.read()), file.name, strict=alone, tell=self._tell):
            app.packed.append(Search(name, text, app.name, "list", file.name))

    def _put_in_panels(self, app: App, name: str, view: View) -> None:
        """Panels that a view takes from a file of their own become rows at its end."""
        for reference in view.panel_references:
            panel = self._panels.get((app.root, reference))
            if panel is None:
                view.unread.append(f'the panel "{reference}", which is not there')
                continue
            view.rows.extend(panel.rows)
            view.inputs.extend(panel.inputs)
            view.searches.extend(panel.searches)
            for token, value in panel.tokens.items():
                view.tokens.setdefault(token, value)
        view.panel_references = []


def _place(name: str) -> tuple[str, int | None, str]:
    """An app's folder, the layer (0 default, 1 local) and the path below it; the layer is None outside of both."""
    parts = name.split("/")
    for position in range(len(parts) - 2, -1, -1):
        if parts[position] in _LAYERS:
            return "/".join(parts[:position]), _LAYERS[parts[position]], "/".join(parts[position + 1 :])
    return "", None, ""


def _pack_root(name: str) -> str:
    """The folder of a pack that a detection's file belongs to: the one above `detections/`, `baselines/` and the like."""
    match = re.match(r"(?:(.*?)/)?(?:detections|baselines|investigations|hunts|removed|dev)/", name)
    return (match.group(1) or "") if match else name.rpartition("/")[0]


def name_of_path(path: Path) -> str:
    """What an app is called whose files lie at a path itself."""
    name = path.resolve().name or "app"
    for ending in (*ARCHIVES, ".conf", ".xml", ".yml", ".yaml", ".json", ".jsonl", ".ndjson", ".csv"):
        if path.is_file() and name.lower().endswith(ending):
            return name[: -len(ending)] or "app"
    return name


def _is_empty(app: App) -> bool:
    own = {kind for kind in app.stanzas if kind != "app"}
    return not (own or app.views or app.dashboards or app.data_models or app.lookups or app.packed or app.collections)


def _json_object(content: bytes) -> dict[str, Any]:
    try:
        found = orjson.loads(content.removeprefix(b"\xef\xbb\xbf"))
    except orjson.JSONDecodeError as error:
        raise UserError(f"is not JSON: {error}") from None
    if not isinstance(found, dict):
        raise UserError("wants a JSON object")
    return found


def text_of(content: bytes) -> str:
    """A file's text: UTF-8, UTF-16 with its mark, else Latin-1 as old files have it. Raises UserError for what is no text."""
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        return content.decode("utf-16", "replace")
    if b"\0" in content:
        raise UserError("is not text")
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError:
        return content.decode("cp1252", "replace")


def _saved_searches(app: App) -> Iterator[Search]:
    for name, settings in app.settings("savedsearches").items():
        text = settings.get("search", "")
        if name != DEFAULT_STANZA and text.strip():
            earliest, latest = settings.get("dispatch.earliest_time", ""), settings.get("dispatch.latest_time", "")
            yield Search(name, text, app.name, "saved", "savedsearches.conf", earliest, latest)


def _view_searches(app: App, name: str) -> Iterator[Search]:
    view, file = app.views[name], app.view_files.get(name, "")
    listed = [(f"{name}: {visual.title or visual.where}", visual.search) for visual in view.visuals()]
    listed += [(f"{name}: input {i.label or i.token}", i.search) for i in view.inputs]
    # A base runs as part of the searches that go on from it; one that nothing goes on from is a search of its own.
    bases = {search.base for _, search in listed if search is not None} | {s.base for s in view.searches}
    listed += [(f"{name}: search {s.id or number}", s) for number, s in enumerate(view.searches, 1) if s.id not in bases]
    used: dict[str, int] = {}
    for shown, search in listed:
        if search is None or not (search.query.strip() or search.ref or search.base):
            continue
        used[shown] = used.get(shown, 0) + 1
        unique = shown if used[shown] == 1 else f"{shown} ({used[shown]})"
        earliest, latest = view.range_of(search)
        try:
            text = view.whole_text(search)
        except UserError as error:
            app.view_problems[unique] = str(error)
            continue
        if text.strip():
            yield Search(unique, text, app.name, "dashboard", file, earliest, latest, view.tokens)
