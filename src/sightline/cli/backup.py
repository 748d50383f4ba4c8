"""`sightline backup` and `sightline restore`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape

from sightline import __version__
from sightline.backups import CATALOG, BackupFolder, Progress, Source, copy_catalog, files_of
from sightline.cli.asking import ApiToken, Data, Url, asks_server, directory_of, neighbour, told
from sightline.datadir import DataDirectory, DirectoryHeld, lock_folder
from sightline.errors import EnvironmentTrouble, UserError

if TYPE_CHECKING:
    import httpx

Target = Annotated[
    Path, typer.Argument(metavar="TARGET", help="A folder for backups, on the server's machine; made when absent.")
]


def backup(
    context: typer.Context,
    target: Target,
    keep: Annotated[int, typer.Option(min=0, help="Remove older backups until so many are left; 0 keeps all.")] = 0,
    verify: Annotated[bool, typer.Option("--verify", help="Read all of it again and compare checksums.")] = False,
    data: Data = None,
    url: Url = "",
    token: ApiToken = "",
) -> None:
    """Back everything up: data, catalog, models, settings, and what waits in the journal. A server goes on meanwhile."""
    if asks_server(context):
        if not token:
            raise UserError("--url wants --token too", hint="sightline token create --kind api --name <name> makes one")
        import httpx

        headers = {"Authorization": f"Bearer {token}"}
        with httpx.Client(base_url=url, headers=headers, timeout=60.0) as client, _progress("backup") as progress:
            result = _ask(client, target, keep, progress)
    else:
        directory = DataDirectory(directory_of(data))
        if target.resolve().is_relative_to(directory.path):
            raise UserError(f"{target} is inside the data directory, wanted a place of its own")
        try:
            directory.lock()
        except DirectoryHeld:
            with neighbour(data, "backup") as client, _progress("backup") as progress:
                result = _ask(client, target.resolve(), keep, progress)
        else:
            with _progress("backup") as progress:
                result = _copy(directory, target, keep, progress)
    told.print(f"backup {result['snapshot']}: {result['size_bytes']:,} bytes, {result['copied_bytes']:,} of them copied now")
    if verify:
        folder = BackupFolder(target)
        with _progress("verify") as progress:
            folder.verify(folder.read(result["snapshot"]), progress)
        told.print("every checksum matches")


def restore(
    source: Annotated[Path, typer.Argument(metavar="SOURCE", help="A folder that `backup` wrote.")],
    snapshot: Annotated[str, typer.Option(metavar="NAME", help="Which backup; the newest when not given.")] = "",
    force: Annotated[bool, typer.Option("--force", help="Replace what the data directory holds.")] = False,
    data: Data = None,
) -> None:
    """Make a data directory of a backup; it must be empty or new, and no server may have it open."""
    folder = BackupFolder(source)
    chosen = folder.read(snapshot)
    path = directory_of(data).resolve()
    path.mkdir(parents=True, exist_ok=True, mode=0o700)
    lock = lock_folder(path)
    try:
        with _progress("restore") as progress:
            folder.restore(chosen, path, force=force, progress=progress)
    finally:
        os.close(lock)
    DataDirectory(path)
    told.print(
        f"restored {escape(chosen.name)} into {escape(str(path))}: {chosen.size_bytes:,} bytes, every checksum matches"
    )


def _copy(directory: DataDirectory, target: Path, keep: int, progress: Progress) -> dict[str, Any]:
    """A backup while no server runs: nothing moves, so the files are taken as they lie."""
    staged = directory.run / CATALOG
    sources, links = files_of(directory.path)
    if directory.catalog.exists():
        staged.unlink(missing_ok=True)
        copy_catalog(directory.path, staged)
        sources.append(Source(CATALOG, staged))
    folder = BackupFolder(target)
    made = folder.add(sources, links, __version__, progress)
    staged.unlink(missing_ok=True)
    if keep:
        folder.keep_newest(keep)
    return {"snapshot": made.snapshot.name, "size_bytes": made.snapshot.size_bytes, "copied_bytes": made.copied_bytes}


def _ask(client: httpx.Client, target: Path, keep: int, progress: Progress) -> dict[str, Any]:
    import httpx

    last: dict[str, Any] = {}
    try:
        with client.stream("POST", "/api/v1/backups", json={"target": str(target), "keep": keep}) as answer:
            if answer.status_code != 200:
                raise UserError(json.loads(answer.read()).get("error", {}).get("message", "the server refused"))
            for line in answer.iter_lines():
                last = json.loads(line)
                if "total" in last:
                    progress(last["done"], last["total"])
    except httpx.TransportError as error:
        raise EnvironmentTrouble(f"the server does not answer: {error}") from error
    if "error" in last:
        raise EnvironmentTrouble(last["error"])
    if "snapshot" not in last:
        raise EnvironmentTrouble("the server ended before the backup was whole")
    return last


@contextmanager
def _progress(what: str) -> Iterator[Progress]:
    from rich.progress import BarColumn, DownloadColumn, TextColumn, TimeRemainingColumn
    from rich.progress import Progress as Bars

    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    with Bars(*columns, console=told) as bars:
        task = bars.add_task(what, total=None)
        yield lambda done, total: bars.update(task, completed=done, total=total)
