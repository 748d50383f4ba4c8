"""What the HTTP API is given: the opened parts of the program, and who is asking."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Annotated

from fastapi import Depends, Request

from sightline.catalog import Catalog
from sightline.clock import Clock
from sightline.config import Settings
from sightline.datadir import DataDirectory
from sightline.errors import Forbidden
from sightline.search.engine import SearchEngine
from sightline.search.jobs import JobManager
from sightline.search.names import KnownNames
from sightline.store.embedded import EmbeddedStore
from sightline.store.loading import Loader
from sightline.watch.internal_log import InternalLog
from sightline.watch.retention import Retention
from sightline.watch.scheduler import Scheduler

if TYPE_CHECKING:
    from sightline.ml import ModelRegistry


@dataclass(frozen=True)
class Parts:
    """Everything that `app.py` built, by name."""

    settings: Settings
    directory: DataDirectory
    clock: Clock
    catalog: Catalog
    store: EmbeddedStore
    models: ModelRegistry
    engine: SearchEngine
    names: KnownNames
    jobs: JobManager
    scheduler: Scheduler
    log: InternalLog
    loader: Loader
    retention: Retention
    started: float


@dataclass(frozen=True)
class Identity:
    """Who is asking. `token_name` is empty for a person in a browser."""

    name: str
    role: str
    token_name: str = ""
    indexes: tuple[str, ...] = ()
    """Indexes that an API token may load into; empty means every one."""


def parts_of(request: Request) -> Parts:
    """The parts of the application that serves this request."""
    return request.app.state.parts


def identity_of(request: Request) -> Identity:
    """Who is asking; the authentication layer has made sure that somebody is."""
    return request.state.identity


def administrator_of(request: Request) -> Identity:
    """Who is asking, when that is an administrator. Raises Forbidden."""
    identity = identity_of(request)
    if identity.role != "admin":
        raise Forbidden(f'this wants an administrator, "{identity.name}" has the role "{identity.role}"')
    return identity


def may_change(identity: Identity, owner: str) -> None:
    """Raises Forbidden unless the thing is one's own, or one is an administrator."""
    if identity.role != "admin" and identity.name != owner:
        raise Forbidden(f'this belongs to "{owner}"')


WithParts = Annotated[Parts, Depends(parts_of)]
Asking = Annotated[Identity, Depends(identity_of)]
Administrator = Annotated[Identity, Depends(administrator_of)]
