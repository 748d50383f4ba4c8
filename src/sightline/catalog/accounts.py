"""People: passwords (argon2id), sessions of browsers, and login links that work once.

Secrets enter and leave as text and are kept as hashes. A login answers the same, and takes as long, for a wrong name
as for a wrong password.
"""

from __future__ import annotations

import re
import secrets

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerifyMismatchError
from sqlalchemy import delete, select

from sightline.catalog.database import SessionFactory
from sightline.catalog.models import LoginLink, Session, User
from sightline.catalog.token_source import hash_secret
from sightline.clock import Clock
from sightline.errors import NotFound, UserError

ROLES = ("admin", "user")
MIN_PASSWORD_CHARACTERS = 10
LOGIN_LINK_TTL_S = 24 * 3600.0
"""A link is printed by the first start and pasted soon after; a day covers a slow morning."""


class Accounts:
    """Users and how they get in."""

    def __init__(self, sessions: SessionFactory, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock
        self._hasher = PasswordHasher()
        self._decoy = self._hasher.hash(secrets.token_urlsafe(16))

    def list(self) -> list[User]:
        """Every user, by name."""
        with self._sessions() as session:
            return list(session.scalars(select(User).order_by(User.name)))

    def get(self, name: str) -> User:
        """The user with this name. Raises NotFound."""
        with self._sessions() as session:
            return self._require(session, name)

    def create(self, name: str, role: str = "user", password: str = "") -> User:
        """A new user; without a password the only way in is a login link."""
        if not re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._@+-]{0,99}", name):
            raise UserError(f'a user name wants letters, digits and . _ @ + -, got "{name}"')
        if role not in ROLES:
            raise UserError(f'unknown role "{role}", wanted one of: {", ".join(ROLES)}')
        user = User(name=name, role=role, password_hash=self._hash(password), created=self._clock())
        with self._sessions.begin() as session:
            if session.scalar(select(User).where(User.name == name)):
                raise UserError(f'user "{name}" exists')
            session.add(user)
        return user

    def set_password(self, name: str, password: str) -> None:
        """Changes a password and ends every session that the old one opened."""
        with self._sessions.begin() as session:
            user = self._require(session, name)
            user.password_hash = self._hash(password, required=True)
            session.execute(delete(Session).where(Session.user_id == user.id))

    def delete(self, name: str) -> None:
        """Removes a user with all sessions. The last administrator stays."""
        with self._sessions.begin() as session:
            user = self._require(session, name)
            others = session.scalars(select(User).where(User.role == "admin", User.id != user.id)).first()
            if user.role == "admin" and others is None:
                raise UserError(f'"{name}" is the last administrator and cannot be removed')
            session.delete(user)

    def nobody_can_enter(self) -> bool:
        """Whether no user has a password or an open session: without a login link nobody gets in."""
        with self._sessions() as session:
            with_password = session.scalar(select(User.id).where(User.password_hash != "").limit(1))
            signed_in = session.scalar(select(Session.user_id).where(Session.expires > self._clock()).limit(1))
        return with_password is None and signed_in is None

    def check_password(self, name: str, password: str) -> User | None:
        """The user when the password is right, else None."""
        with self._sessions() as session:
            user = session.scalar(select(User).where(User.name == name))
        stored = user.password_hash if user and user.password_hash else self._decoy
        try:
            self._hasher.verify(stored, password)
        except (VerifyMismatchError, InvalidHashError):
            return None
        return user if user and user.password_hash else None

    def create_link(self, name: str, ttl_s: float = LOGIN_LINK_TTL_S) -> str:
        """The code of a login link that signs `name` in once."""
        code = secrets.token_urlsafe(32)
        now = self._clock()
        with self._sessions.begin() as session:
            user = self._require(session, name)
            session.execute(delete(LoginLink).where(LoginLink.expires < now))
            session.add(LoginLink(code_hash=hash_secret(code), user_id=user.id, created=now, expires=now + ttl_s))
        return code

    def use_link(self, code: str) -> User | None:
        """The user of a link that is good; the link is spent. None when it is unknown, spent or expired."""
        with self._sessions.begin() as session:
            link = session.get(LoginLink, hash_secret(code))
            if link is None:
                return None
            spent = session.execute(delete(LoginLink).where(LoginLink.code_hash == link.code_hash))
            if spent.rowcount != 1 or link.expires < self._clock():
                return None
            return session.get(User, link.user_id)

    def open_session(self, user: User, ttl_s: float) -> str:
        """A secret for the browser's cookie."""
        secret = secrets.token_urlsafe(32)
        now = self._clock()
        with self._sessions.begin() as session:
            session.execute(delete(Session).where(Session.expires < now))
            session.add(Session(id_hash=hash_secret(secret), user_id=user.id, created=now, expires=now + ttl_s))
        return secret

    def session_user(self, secret: str) -> User | None:
        """Whose session this is, or None when it is unknown or over."""
        with self._sessions() as session:
            found = session.get(Session, hash_secret(secret))
            if found is None or found.expires < self._clock():
                return None
            return session.get(User, found.user_id)

    def close_session(self, secret: str) -> None:
        """Ends a session; an unknown one is not an error."""
        with self._sessions.begin() as session:
            session.execute(delete(Session).where(Session.id_hash == hash_secret(secret)))

    def _hash(self, password: str, required: bool = False) -> str:
        if not password and not required:
            return ""
        if len(password) < MIN_PASSWORD_CHARACTERS:
            raise UserError(f"a password wants at least {MIN_PASSWORD_CHARACTERS} characters, got {len(password)}")
        return self._hasher.hash(password)

    @staticmethod
    def _require(session, name: str) -> User:
        user = session.scalar(select(User).where(User.name == name))
        if user is None:
            raise NotFound(f'no user "{name}"')
        return user
