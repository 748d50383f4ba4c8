"""Brings an app's objects into the catalog, again and again: what is there is updated, what is the same is left alone."""

from __future__ import annotations

from collections.abc import Callable

from sightline.apps.contents import App
from sightline.catalog import Catalog
from sightline.catalog.stanzas import SHAPES, check_shape
from sightline.errors import UserError

TellObject = Callable[[str, str, str], None]
"""Told the kind and name of an object, and why it was not brought."""


def put_stanzas(app: App, catalog: Catalog, tell: TellObject) -> None:
    """Keeps an app's props, transforms, event types, tags and collections; those that have no right shape are told."""
    for kind in SHAPES:
        good = {}
        for name, settings in app.stanzas.get(kind, {}).items():
            try:
                check_shape(kind, name, settings)
            except UserError as error:
                tell(kind, name, error.message)
            else:
                good[name] = settings
        if good:
            catalog.stanzas[kind].put_all(good, app=app.name)
