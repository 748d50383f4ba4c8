"""`sightline index`: define indexes, bound what they keep, merge them, delete them."""

from __future__ import annotations

import re
from typing import Annotated

import typer
from rich.markup import escape

from sightline.cli.asking import Data, neighbour, open_catalog, told
from sightline.cli.searching import print_table
from sightline.errors import UserError

index_app = typer.Typer(no_args_is_help=True, help="Indexes: where data is kept apart.")

MaxAge = Annotated[
    str | None, typer.Option(metavar="AGE", help="Age at which data goes, such as 90d or 12h; 0 is the usual.")
]
MaxSize = Annotated[str | None, typer.Option(metavar="SIZE", help="Size on disk, such as 50GB; 0 is the usual.")]
_AGES = {"s": 1, "m": 60, "h": 3600, "d": 86400, "w": 7 * 86400, "y": 365 * 86400}
_SIZES = {"": 1, "B": 1, "KB": 1024, "MB": 1024**2, "GB": 1024**3, "TB": 1024**4}


@index_app.command("create")
def index_create(
    name: str,
    datatype: Annotated[str, typer.Option(help="event, metric or trace.")] = "event",
    max_age: MaxAge = None,
    max_size: MaxSize = None,
    data: Data = None,
) -> None:
    """Define an index."""
    age_s, size_bytes = _age(max_age), _size(max_size)
    with open_catalog(data) as catalog:
        catalog.indexes.create(name, datatype)
        catalog.indexes.set_limits(name, age_s, size_bytes)
    told.print(f"created {escape(name)}")


@index_app.command("set")
def index_set(name: str, max_age: MaxAge = None, max_size: MaxSize = None, data: Data = None) -> None:
    """Bound how long and how much an index keeps; a running server applies it within a minute."""
    if max_age is None and max_size is None:
        raise UserError("wanted --max-age, --max-size or both")
    with open_catalog(data) as catalog:
        index = catalog.indexes.set_limits(name, _age(max_age), _size(max_size))
    told.print(f"{escape(name)} keeps {_age_text(index.max_age_s)}, {_size_text(index.max_bytes)}")


@index_app.command("list")
def index_list(data: Data = None) -> None:
    """List the indexes that are defined."""
    import pyarrow as pa

    with open_catalog(data) as catalog:
        rows = [
            {
                "name": index.name,
                "datatype": index.datatype,
                "max_age": _age_text(index.max_age_s),
                "max_size": _size_text(index.max_bytes),
                "state": "being deleted" if index.deleting else "",
            }
            for index in catalog.indexes.all()
        ]
    print_table(pa.Table.from_pylist(rows))


@index_app.command("delete")
def index_delete(
    name: str,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    data: Data = None,
) -> None:
    """Delete an index with all it holds; a running server, or the next one, does it within a minute or two."""
    if not yes and not typer.confirm(f"delete {name} and everything in it?", err=True):
        raise typer.Exit(1)
    with open_catalog(data) as catalog:
        catalog.indexes.delete(name)
    told.print(f"{escape(name)} is being deleted")


@index_app.command("optimize")
def index_optimize(name: str, data: Data = None) -> None:
    """Merge the parts of an index on the running server. The engine does so by itself; this is for one that is complete."""
    with neighbour(data, "optimize") as ask:
        result = ask.post(f"/api/v1/indexes/{name}/optimize", timeout=None).json()
    if "error" in result:
        raise UserError(result["error"]["message"])
    told.print(f"{result['parts_before']} parts became {result['parts_after']}")
    if result["too_large"]:
        told.print(f"{result['too_large']} months were left alone: they are larger than retention.optimize_max_bytes")


def _age(text: str | None) -> float | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([smhdwy]?)", text.strip())
    if not found or (not found.group(2) and float(found.group(1))):
        raise UserError(f'an age wants a number and one of {", ".join(_AGES)}, got "{text}"')
    return float(found.group(1)) * _AGES.get(found.group(2), 1)


def _size(text: str | None) -> int | None:
    if text is None:
        return None
    found = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?B?)", text.strip().upper())
    if not found or found.group(2) not in _SIZES:
        raise UserError(f'a size wants a number and one of {", ".join(unit for unit in _SIZES if unit)}, got "{text}"')
    return int(float(found.group(1)) * _SIZES[found.group(2)])


def _age_text(age_s: float) -> str:
    if not age_s:
        return "the usual age"
    unit = next((unit for unit in ("d", "h", "m") if age_s % _AGES[unit] == 0), "s")
    return f"{age_s / _AGES[unit]:g}{unit}"


def _size_text(size_bytes: int) -> str:
    if not size_bytes:
        return "the usual size"
    unit = next((unit for unit in ("TB", "GB", "MB", "KB") if size_bytes % _SIZES[unit] == 0), "B")
    return f"{size_bytes // _SIZES[unit]}{unit}"
