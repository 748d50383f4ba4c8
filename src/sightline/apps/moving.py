"""The whole way in: read a path, check its searches, write its objects, or only say what would be written."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from sightline.apps.checking import check
from sightline.apps.contents import read_contents
from sightline.apps.importing import Outcome, check_app_name, import_contents
from sightline.apps.scratch import scratch_folder
from sightline.catalog import Catalog


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
    if not dry_run:
        return import_contents(contents, report, catalog, app_name=app_name, owner=owner)
    with scratch_folder(data) as folder:
        copy = Catalog(folder)
        try:
            return import_contents(contents, report, copy, app_name=app_name, owner=owner)
        finally:
            copy.close()
