"""`sightline quarantine`: what a person does with requests that were acknowledged and could not be stored.

Works on the files of the data directory, beside a running server or without one.
"""

from __future__ import annotations

from typing import Annotated

import typer
from rich.markup import escape

from sightline.cli.asking import Data, directory_of, told
from sightline.cli.searching import moment, print_table
from sightline.datadir import DataDirectory
from sightline.errors import UserError
from sightline.quarantine import Quarantine, SetAside

quarantine_app = typer.Typer(no_args_is_help=True, help="Requests that were set aside: look, try again, give up.")

Names = Annotated[list[str] | None, typer.Argument(metavar="NAME...", help="Names that `list` shows.")]
All = Annotated[bool, typer.Option("--all", help="Every one that is there now.")]


@quarantine_app.command("list")
def quarantine_list(data: Data = None) -> None:
    """List what was set aside, with the reason."""
    import pyarrow as pa

    rows = [
        {
            "name": one.name,
            "received": moment(one.received_ms / 1000) if one.received_ms else "unknown",
            "kind": one.kind,
            "token": one.token,
            "index": one.index,
            "records": one.records or "unknown",
            "bytes": one.size_bytes,
            "reason": one.reason,
        }
        for one in _open(data).list()
    ]
    print_table(pa.Table.from_pylist([{k: str(v) for k, v in row.items()} for row in rows]))


@quarantine_app.command("retry")
def quarantine_retry(names: Names = None, every: All = False, data: Data = None) -> None:
    """Put requests back into the journal; a running server loads them within a second, and sets aside what still fails."""
    quarantine = _open(data)
    journal = DataDirectory(directory_of(data)).path / "journal"
    chosen = [one for one in _chosen(quarantine, names, every) if not (every and one.damaged)]
    for one in chosen:
        quarantine.retry(one.name, journal)
    told.print(f"put back {_count(chosen)}")


@quarantine_app.command("drop")
def quarantine_drop(names: Names = None, every: All = False, data: Data = None) -> None:
    """Give requests up for good."""
    quarantine = _open(data)
    chosen = _chosen(quarantine, names, every)
    for one in chosen:
        quarantine.drop(one.name)
    told.print(f"dropped {_count(chosen)}")


def _open(data: Data) -> Quarantine:
    return Quarantine(DataDirectory(directory_of(data)).path / "quarantine")


def _chosen(quarantine: Quarantine, names: list[str] | None, every: bool) -> list[SetAside]:
    if bool(names) == every:
        raise UserError("wanted names, or --all", hint="`sightline quarantine list` shows the names")
    return quarantine.list() if every else [quarantine.get(name) for name in names or ()]


def _count(chosen: list[SetAside]) -> str:
    return escape(f"{len(chosen)} request{'' if len(chosen) == 1 else 's'}")
