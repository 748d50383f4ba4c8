"""What the commands share: the options that name a data directory or a server, and opening what they name."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from sightline.errors import EnvironmentTrouble, UserError

if TYPE_CHECKING:
    import httpx

    from sightline.catalog import Catalog
    from sightline.client import Client

FAILED = 1
"""Exit status of a command that could not do what was asked."""

told = Console(stderr=True, highlight=False, soft_wrap=True)

Data = Annotated[
    Path | None, typer.Option("--data", metavar="DIR", envvar="SIGHTLINE_DATA", help="Data directory. [default: data]")
]
Url = Annotated[str, typer.Option("--url", envvar="SIGHTLINE_URL", help="Address of a running server.")]
ApiToken = Annotated[str, typer.Option("--token", envvar="SIGHTLINE_TOKEN", help="An API token of that server.")]


def directory_of(data: Path | None) -> Path:
    """The data directory that an option names."""
    return data or Path("data")


def asks_server(context: typer.Context) -> bool:
    """Whether a running server is meant. What was typed wins over what the environment says."""
    data, url = (getattr(context.get_parameter_source(name), "name", "") == "COMMANDLINE" for name in ("data", "url"))
    if data and url:
        raise UserError("--data and --url exclude each other: one is a directory, the other a running server")
    return bool(context.params["url"]) and not data


def client_of(url: str, token: str) -> Client:
    """A client of the server at `url`."""
    from sightline.client import Client

    if not token:
        raise UserError("--url wants --token too", hint="sightline token create --kind api --name <name> makes one")
    return Client(url, token)


@contextlib.contextmanager
def open_catalog(data: Path | None) -> Iterator[Catalog]:
    """The catalog alone: it may be changed beside a running server, and before the first start."""
    from sightline.catalog import Catalog
    from sightline.datadir import DataDirectory

    catalog = Catalog(DataDirectory(directory_of(data)).path)
    try:
        yield catalog
    finally:
        catalog.close()


@contextlib.contextmanager
def neighbour(data: Path | None, purpose: str) -> Iterator[httpx.Client]:
    """A client of the server that has the data directory open, over its socket. Who may write the catalog may also make a
    token; this one goes with the context. Raises EnvironmentTrouble when there is no server."""
    import httpx

    from sightline.datadir import DataDirectory

    directory = DataDirectory(directory_of(data))
    name = f"command {purpose}"
    with open_catalog(data) as catalog:
        for stale in [token for token in catalog.tokens.list() if token.name == name]:
            catalog.tokens.revoke(stale.name)
        _, secret = catalog.tokens.create("api", name)
        transport = httpx.HTTPTransport(uds=str(directory.socket))
        try:
            headers = {"Authorization": f"Bearer {secret}"}
            with httpx.Client(transport=transport, base_url="http://engine", headers=headers, timeout=60.0) as client:
                yield client
        except httpx.TransportError as error:
            raise EnvironmentTrouble(f"no server answers for {directory.path}: {error}") from error
        finally:
            catalog.tokens.revoke(name)
