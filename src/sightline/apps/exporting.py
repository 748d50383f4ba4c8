"""Writes the catalog's objects as files in the shape of Splunk apps, so that they can be edited and brought back.

An app is a folder: `default/*.conf`, `default/data/models`, `default/data/ui/views`, `lookups/` and, beyond what Splunk has,
`collections/` with the rows of collections. Importing what was written changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import orjson

from sightline.apps.own_conf import print_stanzas
from sightline.apps.schedules import write_stanza
from sightline.catalog import Catalog
from sightline.catalog.knowledge import DEFAULT_INDEXES
from sightline.catalog.models import Macro
from sightline.catalog.stanzas import OWN_APP, SHAPES
from sightline.errors import EnvironmentTrouble, UserError

PARTS = ("default", "lookups", "collections")
"""Folders of an app that an export writes."""
_MARK = "Written by sightline export."

Files = dict[str, bytes]
"""Contents by path below the app's folder."""


def export_catalog(catalog: Catalog, path: Path, app_name: str | None = None) -> Counter[str]:
    """Writes all objects, or those of one app, below a path; gives how many of each kind.

    Objects of one app make the path that app's folder; those of several make a folder each. Raises UserError for a path that
    is a file, or for an app that has nothing.
    """
    apps, counts = files_of(catalog)
    if app_name is not None:
        if app_name not in apps:
            known = ", ".join(sorted(apps)) or "none"
            raise UserError(f'there is nothing of an app "{app_name}", apps: {known}')
        apps, counts = {app_name: apps[app_name]}, {app_name: counts[app_name]}
    write_files(apps, path)
    return sum(counts.values(), Counter())


def write_files(apps: Mapping[str, Files], path: Path) -> None:
    """Writes the files of apps below a path, and takes away what an earlier export wrote there and is no more.

    Raises UserError for a path that is a file, or a folder that holds something else.
    """
    if path.exists() and not path.is_dir():
        raise UserError(f'"{path}" is not a folder')
    earlier = [folder for folder in (path, *_folders(path)) if _is_export(folder)]
    if not earlier and path.is_dir() and any(not entry.name.startswith(".") for entry in path.iterdir()):
        raise UserError(f'"{path}" holds something else', hint="give a new folder, or one that was exported to before")
    places = {
        (path if len(apps) == 1 else path / file_name(app)) / name: content
        for app, files in apps.items()
        for name, content in files.items()
    }
    try:
        for folder in earlier:
            for part in PARTS:
                for old in (folder / part).rglob("*"):
                    if old.is_file() and old not in places:
                        old.unlink()
        for place, content in places.items():
            place.parent.mkdir(parents=True, exist_ok=True)
            place.write_bytes(content)
    except OSError as error:
        raise EnvironmentTrouble(f"{path} cannot be written: {error.strerror}") from error


def _folders(path: Path) -> list[Path]:
    return [entry for entry in path.iterdir() if entry.is_dir()] if path.is_dir() else []


def _is_export(folder: Path) -> bool:
    """Whether an export wrote the folder: nobody else's files are ever taken away."""
    marker = folder / "default" / "app.conf"
    return marker.is_file() and _MARK in marker.read_text(errors="replace")


def files_of(catalog: Catalog) -> tuple[dict[str, Files], dict[str, Counter[str]]]:
    """The files of each app, by its name, and how many objects of each kind they hold."""
    apps: dict[str, Files] = {}
    counts: dict[str, Counter[str]] = {}
    for app, kind, name, content, number in _files(catalog):
        apps.setdefault(app, {})[name] = content
        counts.setdefault(app, Counter())[kind] += number
    # Tables and indexes belong to no app; with one app they lie in its folder, else in that of what was defined here.
    shared = apps.pop("", {})
    if shared:
        home = next(iter(apps)) if len(apps) == 1 else OWN_APP
        apps.setdefault(home, {}).update(shared)
        counts[home] = counts.get(home, Counter()) + counts.pop("")
    for app, files in apps.items():
        package = {"package": {"id": app}, "launcher": {"description": _MARK}}
        files["default/app.conf"] = print_stanzas(package.items()).encode()
    return apps, counts


def _files(catalog: Catalog) -> Iterator[tuple[str, str, str, bytes, int]]:
    """App, kind, path, content, and number of objects of each file."""
    by_app: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for row in [*catalog.searches.list(), *catalog.alerts.list()]:
        by_app.setdefault(row.app, []).append((row.name, write_stanza(row)))
    for app, stanzas in by_app.items():
        text = print_stanzas(stanzas, default_is_a_name=True)
        yield app, "saved searches and alerts", "default/savedsearches.conf", text.encode(), len(stanzas)
    macros: dict[str, list[tuple[str, dict[str, str]]]] = {}
    for macro in catalog.macros.list():
        macros.setdefault(macro.app, []).append(_macro_stanza(macro))
    for app, stanzas in macros.items():
        text = print_stanzas(stanzas, default_is_a_name=True)
        yield app, "macros", "default/macros.conf", text.encode(), len(stanzas)
    for kind in SHAPES:
        listed: dict[str, list[tuple[str, dict[str, str]]]] = {}
        for stanza in catalog.stanzas[kind].list():
            listed.setdefault(stanza.app, []).append((stanza.name, stanza.settings))
        for app, stanzas in listed.items():
            yield app, kind, f"default/{kind}.conf", print_stanzas(stanzas).encode(), len(stanzas)
    for model in catalog.data_models.list():
        yield model.app, "data models", f"default/data/models/{model.name}.json", _json(model.definition), 1
    for dashboard in catalog.dashboards.own():
        shown = {
            "view": dashboard.view,
            "title": dashboard.title,
            "description": dashboard.description,
            "definition": dashboard.definition,
        }
        yield dashboard.app, "dashboards", f"default/data/ui/views/{file_name(dashboard.view or '')}.json", _json(shown), 1
    indexes = [(i.name, {"datatype": i.datatype}) for i in catalog.indexes.list() if i.name not in DEFAULT_INDEXES]
    if indexes:
        yield "", "indexes", "default/indexes.conf", print_stanzas(indexes).encode(), len(indexes)
    for lookup in catalog.lookups.list():
        content = catalog.lookups.read_bytes(lookup["name"])
        if content is not None:
            yield "", "lookups", f"lookups/{lookup['name']}", content, 1
    for name in catalog.stanzas["collections"].merged():
        rows = catalog.collections.read(name).to_pylist()
        if rows:
            content = b"".join(orjson.dumps(row, option=orjson.OPT_APPEND_NEWLINE) for row in rows)
            yield "", "rows of collections", f"collections/{name}.jsonl", content, len(rows)


def _macro_stanza(macro: Macro) -> tuple[str, dict[str, str]]:
    name = f"{macro.name}({macro.argument_count})" if macro.argument_count else macro.name
    settings = {"definition": macro.definition}
    if macro.arguments:
        settings["args"] = ", ".join(macro.arguments)
    if macro.validation:
        settings["validation"] = macro.validation
    if macro.errormsg:
        settings["errormsg"] = macro.errormsg
    if macro.iseval:
        settings["iseval"] = "1"
    return name, settings


def file_name(name: str) -> str:
    """A name as a file's or folder's; characters that those cannot have are written as their numbers."""
    written = "".join(c if c.isalnum() or c in "_-.+ " else f"%{ord(c):x}%" for c in name)
    return written if written.strip(" .") else f"%{written.encode().hex()}%"


def _json(value: Any) -> bytes:
    return orjson.dumps(value, option=orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE)
