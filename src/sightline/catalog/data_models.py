"""Data models: hierarchies of datasets over events, in the JSON shape that Splunk keeps them in.

What is kept is the definition as it was given; `sightline.search.data_models` reads it and says what is wrong with it.
"""

from __future__ import annotations

import re
from typing import Any

from sqlalchemy import Float, Integer, String, Text, select
from sqlalchemy.orm import Mapped, mapped_column

from sightline.catalog.database import SessionFactory
from sightline.catalog.models import Base
from sightline.clock import Clock
from sightline.errors import NotFound, UserError, nearest


class DataModel(Base):
    """A data model. `definition` is its JSON, `name` the `modelName` in it."""

    __tablename__ = "data_models"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    title: Mapped[str] = mapped_column(String(200), default="")
    description: Mapped[str] = mapped_column(Text, default="")
    definition: Mapped[dict[str, Any]]
    owner: Mapped[str] = mapped_column(String(200), default="admin")
    app: Mapped[str] = mapped_column(String(200), default="search")
    created: Mapped[float] = mapped_column(Float)
    updated: Mapped[float] = mapped_column(Float)


class DataModels:
    """The data models that were defined."""

    def __init__(self, sessions: SessionFactory, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    def list(self) -> list[DataModel]:
        """Every data model, by name."""
        with self._sessions() as session:
            return list(session.scalars(select(DataModel).order_by(DataModel.name)))

    def find(self, name: str) -> DataModel | None:
        """The data model of this name, or None."""
        with self._sessions() as session:
            return session.scalar(select(DataModel).where(DataModel.name == name))

    def get(self, name: str) -> DataModel:
        """The data model of this name. Raises NotFound."""
        found = self.find(name)
        if found is None:
            names = [model.name for model in self.list()]
            raise NotFound(f'no data model "{name}"', hint=nearest(name, names))
        return found

    def save(self, definition: dict[str, Any], *, owner: str = "admin", app: str = "search") -> DataModel:
        """Keeps a definition, in place of one of the same `modelName`, whose owner it keeps."""
        name = str(definition.get("modelName", ""))
        if not re.fullmatch(r"[\w-]{1,200}", name, re.ASCII):
            raise UserError(f'modelName wants letters, digits, _ and -, got "{name}"')
        now = self._clock()
        with self._sessions.begin() as session:
            row = session.scalar(select(DataModel).where(DataModel.name == name))
            if row is None:
                row = DataModel(name=name, owner=owner, app=app, created=now)
                session.add(row)
            row.definition = definition
            row.title = str(definition.get("displayName") or name)[:200]
            row.description = str(definition.get("description") or "")
            row.updated = now
        return row

    def delete(self, name: str) -> None:
        """Removes a data model. Raises NotFound."""
        self.get(name)
        with self._sessions.begin() as session:
            row = session.scalar(select(DataModel).where(DataModel.name == name))
            if row is not None:
                session.delete(row)
