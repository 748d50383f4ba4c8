"""The catalog's tables, as SQLAlchemy models. Times are seconds since the epoch in UTC; secrets are hashes only.

The shape that a data directory really has is made by the migrations beside this file; a test compares the two.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, Float, ForeignKey, Index, Integer, String, Text, UniqueConstraint, false
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column


class Base(DeclarativeBase):
    """Parent of every table; `type_annotation_map` keeps lists and dictionaries as JSON text."""

    type_annotation_map = {dict[str, Any]: JSON, list[str]: JSON, list[dict[str, Any]]: JSON}


class User(Base):
    """A person. `password_hash` is argon2id, or empty for one who can enter by a login link only."""

    __tablename__ = "users"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    role: Mapped[str] = mapped_column(String(20), default="user")
    password_hash: Mapped[str] = mapped_column(Text, default="")
    created: Mapped[float] = mapped_column(Float)


class Session(Base):
    """A signed-in browser. The cookie holds the secret, this row its sha256."""

    __tablename__ = "sessions"
    id_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created: Mapped[float] = mapped_column(Float)
    expires: Mapped[float] = mapped_column(Float)


class LoginLink(Base):
    """A link that signs one user in, once."""

    __tablename__ = "login_links"
    code_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("users.id", ondelete="CASCADE"), index=True)
    created: Mapped[float] = mapped_column(Float)
    expires: Mapped[float] = mapped_column(Float)


class Token(Base):
    """A machine's way in. `indexes` empty means every index; the other texts are defaults for what it sends."""

    __tablename__ = "tokens"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    kind: Mapped[str] = mapped_column(String(10))
    secret_hash: Mapped[str] = mapped_column(String(64), unique=True)
    owner: Mapped[str] = mapped_column(String(200), default="admin")
    indexes: Mapped[list[str]]
    default_index: Mapped[str] = mapped_column(String(200), default="")
    host: Mapped[str] = mapped_column(String(500), default="")
    source: Mapped[str] = mapped_column(String(500), default="")
    sourcetype: Mapped[str] = mapped_column(String(500), default="")
    use_ack: Mapped[bool] = mapped_column(Boolean, default=False)
    allow_query_string: Mapped[bool] = mapped_column(Boolean, default=False, server_default="0")
    disabled: Mapped[bool] = mapped_column(Boolean, default=False)
    created: Mapped[float] = mapped_column(Float)
    last_used: Mapped[float | None] = mapped_column(Float, default=None)


class IndexDefinition(Base):
    """An index and what it holds: `event`, `metric` or `trace`. Limits of 0 are the usual ones. One that is being deleted
    takes nothing more."""

    __tablename__ = "indexes"
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    datatype: Mapped[str] = mapped_column(String(10))
    created: Mapped[float] = mapped_column(Float)
    max_age_s: Mapped[float] = mapped_column(Float, default=0.0)
    max_bytes: Mapped[int] = mapped_column(BigInteger, default=0)
    deleting: Mapped[bool] = mapped_column(Boolean, default=False)


class SavedSearch(Base):
    """A search with a name, and a schedule when `cron` is set. `last_scheduled` is the last due time acted upon."""

    __tablename__ = "saved_searches"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    search: Mapped[str] = mapped_column(Text)
    earliest: Mapped[str] = mapped_column(String(100), default="")
    latest: Mapped[str] = mapped_column(String(100), default="")
    cron: Mapped[str] = mapped_column(String(100), default="")
    realtime_schedule: Mapped[bool] = mapped_column(Boolean, default=True)
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    owner: Mapped[str] = mapped_column(String(200), default="admin")
    app: Mapped[str] = mapped_column(String(200), default="search")
    created: Mapped[float] = mapped_column(Float)
    updated: Mapped[float] = mapped_column(Float)
    last_scheduled: Mapped[float | None] = mapped_column(Float, default=None)


class Alert(Base):
    """A scheduled search whose result is judged. `memory` is what the state machine keeps between runs."""

    __tablename__ = "alerts"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(200), unique=True)
    description: Mapped[str] = mapped_column(Text, default="")
    search: Mapped[str] = mapped_column(Text)
    earliest: Mapped[str] = mapped_column(String(100), default="")
    latest: Mapped[str] = mapped_column(String(100), default="")
    cron: Mapped[str] = mapped_column(String(100))
    realtime_schedule: Mapped[bool] = mapped_column(Boolean, default=True)
    condition: Mapped[dict[str, Any]]
    throttle_s: Mapped[float] = mapped_column(Float, default=0.0)
    throttle_fields: Mapped[list[str]]
    severity: Mapped[str] = mapped_column(String(20), default="warning")
    actions: Mapped[list[dict[str, Any]]]
    enabled: Mapped[bool] = mapped_column(Boolean, default=True)
    owner: Mapped[str] = mapped_column(String(200), default="admin")
    app: Mapped[str] = mapped_column(String(200), default="search")
    created: Mapped[float] = mapped_column(Float)
    updated: Mapped[float] = mapped_column(Float)
    last_scheduled: Mapped[float | None] = mapped_column(Float, default=None)
    state: Mapped[str] = mapped_column(String(20), default="ok")
    since: Mapped[float | None] = mapped_column(Float, default=None)
    last_run: Mapped[float | None] = mapped_column(Float, default=None)
    last_error: Mapped[str] = mapped_column(Text, default="")
    memory: Mapped[dict[str, Any]]


class AlertEvent(Base):
    """One line of an alert's history."""

    __tablename__ = "alert_events"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"))
    time: Mapped[float] = mapped_column(Float)
    event: Mapped[str] = mapped_column(String(20))
    detail: Mapped[str] = mapped_column(Text, default="")
    result: Mapped[dict[str, Any] | None] = mapped_column(JSON, default=None)
    __table_args__ = (Index("ix_alert_events_alert_time", "alert_id", "time"),)


class PendingNotice(Base):
    """A notice of an alert that has not ended: delivered, or given up. What is here at a start is sent again."""

    __tablename__ = "pending_notices"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    alert_id: Mapped[int] = mapped_column(ForeignKey("alerts.id", ondelete="CASCADE"), index=True)
    created: Mapped[float] = mapped_column(Float)
    notice: Mapped[dict[str, Any]]


class Dashboard(Base):
    """A page of panels. `bundled` names the file it came from, so that it is installed once and may then be changed.

    `view` is its name in the app that it was imported with, so that the next import of the app finds it again.
    """

    __tablename__ = "dashboards"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    title: Mapped[str] = mapped_column(String(200))
    description: Mapped[str] = mapped_column(Text, default="")
    definition: Mapped[dict[str, Any]]
    owner: Mapped[str] = mapped_column(String(200), default="admin")
    bundled: Mapped[str | None] = mapped_column(String(200), unique=True, default=None)
    app: Mapped[str] = mapped_column(String(200), default="search", server_default="search")
    view: Mapped[str | None] = mapped_column(String(200), default=None)
    created: Mapped[float] = mapped_column(Float)
    updated: Mapped[float] = mapped_column(Float)
    __table_args__ = (Index("ix_dashboards_app_view", "app", "view", unique=True),)


class Macro(Base):
    """A search macro; the same name may exist once for every number of arguments.

    `validation` is an expression over the arguments; `iseval` says that the definition is an expression that gives the text.
    """

    __tablename__ = "macros"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    name: Mapped[str] = mapped_column(String(200))
    arguments: Mapped[list[str]]
    argument_count: Mapped[int] = mapped_column(Integer)
    definition: Mapped[str] = mapped_column(Text)
    validation: Mapped[str] = mapped_column(Text, default="", server_default="")
    errormsg: Mapped[str] = mapped_column(Text, default="", server_default="")
    iseval: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    app: Mapped[str] = mapped_column(String(200), default="search", server_default="search")
    __table_args__ = (UniqueConstraint("name", "argument_count"),)


class Stanza(Base):
    """Settings under a name: a stanza of props, transforms, eventtypes, tags or collections, as one app has it."""

    __tablename__ = "stanzas"
    id: Mapped[int] = mapped_column(Integer, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20))
    app: Mapped[str] = mapped_column(String(200), default="search")
    name: Mapped[str] = mapped_column(String(500))
    settings: Mapped[dict[str, Any]]
    owner: Mapped[str] = mapped_column(String(200), default="admin")
    updated: Mapped[float] = mapped_column(Float)
    __table_args__ = (UniqueConstraint("kind", "app", "name"),)


class Fact(Base):
    """A small named value, such as which bundled dashboards were installed and then deleted by a person."""

    __tablename__ = "facts"
    name: Mapped[str] = mapped_column(String(200), primary_key=True)
    value: Mapped[str] = mapped_column(Text)
