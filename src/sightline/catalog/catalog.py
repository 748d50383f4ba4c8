"""The whole catalog of one data directory, opened."""

from __future__ import annotations

from pathlib import Path

from sightline.catalog.accounts import Accounts
from sightline.catalog.collections import Collections
from sightline.catalog.dashboards import Dashboards
from sightline.catalog.data_models import DataModels
from sightline.catalog.database import Changes, SessionFactory, migrate, open_database
from sightline.catalog.knowledge import Indexes, Lookups, Macros
from sightline.catalog.saved import Alerts, SavedSearches
from sightline.catalog.stanzas import SHAPES, StanzaStore, stanzas_version
from sightline.catalog.tokens import Tokens
from sightline.clock import Clock, system_clock


class Catalog:
    """One attribute per kind of thing that is saved."""

    def __init__(self, data: Path, clock: Clock = system_clock) -> None:
        """Opens `data`/catalog.db, brings it to this version, and puts in what every installation has."""
        self._engine = open_database(data / "catalog.db")
        self.changes = Changes(data / "catalog.db")
        migrate(self._engine)
        sessions = SessionFactory(self._engine)
        self._sessions = sessions
        self.accounts = Accounts(sessions, clock)
        self.tokens = Tokens(sessions, clock)
        self.indexes = Indexes(sessions, clock)
        self.searches = SavedSearches(sessions, clock)
        self.alerts = Alerts(sessions, clock)
        self.dashboards = Dashboards(sessions, clock)
        self.data_models = DataModels(sessions, clock)
        self.macros = Macros(sessions)
        self.lookups = Lookups(data / "lookups")
        self.csv_files = Lookups(data / "csv")
        """What `outputcsv` wrote, kept as lookups are."""
        self.stanzas = {kind: StanzaStore(sessions, clock, kind) for kind in SHAPES}
        """The settings of props, transforms, eventtypes, tags and collections, by kind."""
        self.collections = Collections(data / "collections")
        self.indexes.install_defaults()
        self.dashboards.install_bundled()

    def stanzas_version(self) -> int:
        """A number that every change of a stanza raises, whoever makes it."""
        return stanzas_version(self._sessions)

    def route_problem(self, token: str, index: str) -> str:
        """Why a rule may not send an event that this token brought ("" for none) to an index; empty where it may."""
        datatype = self.indexes.datatype(index)
        if datatype != "event":
            holds = f"holds {datatype} data" if datatype else "is not defined"
            return f'a rule routes to index "{index}", which {holds}'
        allowed = next((one.indexes for one in self.tokens.list() if token and one.name == token), [])
        if allowed and index not in allowed:
            return f'a rule routes to index "{index}", to which the token "{token}" may not write'
        return ""

    def close(self) -> None:
        """Closes the file."""
        self.changes.close()
        self._engine.dispose()
