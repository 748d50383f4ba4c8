"""Opens the catalog's SQLite file: WAL, foreign keys, migrations. Several processes may have it open at once."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from alembic import command
from alembic.config import Config
from sqlalchemy import Engine, create_engine, event
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from sightline.errors import EnvironmentTrouble

MIGRATIONS = Path(__file__).parent / "migrations"

SessionFactory = Callable[[], Session]
"""Gives a new unit of work; objects stay readable after it is closed."""


def open_database(path: Path) -> Engine:
    """An engine on the file at `path`, made when absent. Raises EnvironmentTrouble when it cannot be opened."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": 15.0})

    @event.listens_for(engine, "connect")
    def _prepare(connection, _record) -> None:
        # NORMAL loses at most the last transactions on a power cut, never consistency; FULL costs a fsync per write
        # and tokens or alerts are few, so the safe one is affordable.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    try:
        with engine.connect():
            pass
    except OperationalError as error:
        raise EnvironmentTrouble(f"the catalog {path} cannot be opened: {error.orig}") from error
    return engine


def migrate(engine: Engine) -> None:
    """Brings the tables to this program's version. Two processes that start at once wait for each other."""
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.connect() as connection:
        # SQLite takes its write lock late; taking it now makes "read the version, then migrate" one step.
        connection.exec_driver_sql("BEGIN IMMEDIATE")
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        connection.commit()


def session_factory(engine: Engine) -> SessionFactory:
    """Units of work on `engine`."""
    return sessionmaker(engine, expire_on_commit=False)
