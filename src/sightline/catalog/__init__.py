"""What people save: users, tokens, indexes, searches, alerts, dashboards, macros and lookups.

Hidden here: SQLite, the migrations, how secrets are hashed. Objects that leave are detached rows of `models.py`.
Every method is one transaction and may be called from any thread. Errors are UserError (a bad value), NotFound and
EnvironmentTrouble (the file). The package's own modules, not this one, are imported by the process of the receivers.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sightline.catalog.catalog import Catalog

__all__ = ["Catalog"]


def __getattr__(name: str):
    # The receivers import `catalog.token_source` only; SQLAlchemy must not come along with it.
    if name == "Catalog":
        from sightline.catalog.catalog import Catalog

        return Catalog
    raise AttributeError(name)
