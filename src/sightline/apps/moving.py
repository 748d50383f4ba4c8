"""The whole way in: read a path, check its searches, write its objects, or only say what would be written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sightline.apps.checking import check
from sightline.apps.contents import Contents, read_contents
from sightline.apps.importing import RULES, Note, Outcome, check_app_name, fitting_app_name, import_contents
from sightline.apps.scratch import scratch_folder
from sightline.apps.sourcetype_rules import convert, put_rules
from sightline.catalog import Catalog
from sightline.config import load_settings
from sightline.errors import UserError


def bring(
    path: Path,
    data: Path,
    catalog: Catalog,
    *,
    app_name: str | None = None,
    owner: str = "admin",
    dry_run: bool = False,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Outcome:
    """Brings what a path holds into the catalog of a data directory; with `dry_run` into a copy of it."""
    if app_name is not None:
        check_app_name(app_name)
    contents = read_contents(path)
    report = check(contents, data, on_progress)
    about = {"app_name": app_name, "owner": owner, "sends_mail": bool(load_settings(data).watch.mail_server)}
    if dry_run:
        with scratch_folder(data) as folder:
            copy = Catalog(folder)
            try:
                outcome = import_contents(contents, report, copy, **about)
            finally:
                copy.close()
    else:
        outcome = import_contents(contents, report, catalog, **about)
    _bring_rules(contents, data, app_name, outcome, write=not dry_run)
    return outcome


def _bring_rules(contents: Contents, data: Path, app_name: str | None, outcome: Outcome, *, write: bool) -> None:
    """What the apps say about events on their way in becomes rules of the data directory's file."""
    kind, count = RULES, outcome.counts[RULES]
    for app in contents.apps:
        name = app_name or fitting_app_name(app.name)
        converted = convert(app.stanzas.get("props", {}), app.stanzas.get("transforms", {}))
        outcome.notes += [Note(name, kind, sourcetype, text) for sourcetype, text in converted.notes]
        if not converted.rules:
            continue
        try:
            states = put_rules(converted, data, write=write)
        except (UserError, OSError) as error:
            states = dict.fromkeys(converted.rules, str(error))
        for sourcetype, state in states.items():
            if state in ("created", "unchanged"):
                setattr(count, state, getattr(count, state) + 1)
            else:
                count.skipped += 1
                outcome.skipped.append(Note(name, kind, sourcetype, state))
