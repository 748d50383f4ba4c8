"""Opens the catalog's SQLite file: WAL, foreign keys, migrations. Several processes may have it open at once."""

from __future__ import annotations

import sqlite3
import threading
from contextlib import AbstractContextManager
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, inspect
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session, sessionmaker

from sightline.errors import EnvironmentTrouble

BUSY_TIMEOUT_S = 15.0
"""How long a statement waits for another process's write; the longest, an import of a large app, takes a few seconds."""
MIGRATIONS = Path(__file__).parent / "migrations"


class SessionFactory:
    """Gives units of work; what was read stays readable after they are closed.

    `factory()` is for reading. `factory.begin()` is for writing: it takes SQLite's write lock at once and commits at
    the end. Without that, two that read first and write then would fail each other instead of waiting.
    """

    def __init__(self, engine: Engine) -> None:
        self._read = sessionmaker(engine, expire_on_commit=False)
        self._write = sessionmaker(engine.execution_options(write=True), expire_on_commit=False)

    def __call__(self) -> Session:
        return self._read()

    def begin(self) -> AbstractContextManager[Session]:
        """A unit of work that writes."""
        return self._write.begin()


class Changes:
    """Tells whether anything was committed to the catalog's file, by this process or another one, without reading a table.

    SQLite counts, for each connection, the commits of all others. This one is kept for nothing else and writes nothing, so
    its count moves with every commit. Asking takes some microseconds, a query through the object mapper half a millisecond.
    """

    def __init__(self, path: Path) -> None:
        """The file must be there."""
        self._path = path
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def number(self) -> int:
        """A number that is another one after a commit. Only good for comparing within this object's life."""
        with self._lock:
            if self._connection is None:
                self._connection = sqlite3.connect(
                    self._path, timeout=BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
                )
            return self._connection.execute("PRAGMA data_version").fetchone()[0]

    def close(self) -> None:
        """Close the connection; asking again opens another one."""
        with self._lock:
            if self._connection is not None:
                self._connection.close()
                self._connection = None


def open_database(path: Path) -> Engine:
    """An engine on the file at `path`, made when absent. Raises EnvironmentTrouble when it cannot be opened."""
    path.parent.mkdir(parents=True, exist_ok=True)
    engine = create_engine(f"sqlite:///{path}", connect_args={"timeout": BUSY_TIMEOUT_S})

    @event.listens_for(engine, "connect")
    def _prepare(connection, _record) -> None:
        # NORMAL loses at most the last transactions on a power cut, never consistency; FULL costs a fsync per write
        # and tokens or alerts are few, so the safe one is affordable.
        connection.isolation_level = None  # Transactions begin where the listener below says so.
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.execute("PRAGMA foreign_keys=ON")

    @event.listens_for(engine, "begin")
    def _begin(connection) -> None:
        writes = connection.get_execution_options().get("write", False)
        connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")

    try:
        with engine.connect():
            pass
    except OperationalError as error:
        raise EnvironmentTrouble(f"the catalog {path} cannot be opened: {error.orig}") from error
    return engine


def migrate(engine: Engine) -> None:
    """Brings the tables to this program's version. Two processes that start at once wait for each other."""
    if _version(engine) == newest_version():
        return  # Nearly every start; importing alembic takes most of a second and 30 MB.
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.execution_options(write=True).begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def newest_version() -> str:
    """The revision that the last migration leads to; files are numbered in order."""
    return max(path.name for path in (MIGRATIONS / "versions").glob("[0-9]*.py")).partition("_")[0]


def _version(engine: Engine) -> str | None:
    if not inspect(engine).has_table("alembic_version"):
        return None
    with engine.connect() as connection:
        return connection.exec_driver_sql("SELECT version_num FROM alembic_version").scalar()
