"""Tokens: how machines get in. The secret is shown once, by `create`, and kept as a hash."""

from __future__ import annotations

import re
import secrets
from collections.abc import Mapping, Sequence

from sqlalchemy import select, update
from sqlalchemy.dialects.sqlite import insert

from sightline.catalog.database import SessionFactory
from sightline.catalog.models import IndexDefinition, Token
from sightline.catalog.token_source import hash_secret
from sightline.clock import Clock
from sightline.errors import NotFound, UserError

KINDS = ("hec", "otlp", "api")
LAST_USED_GRAIN_S = 60.0
"""`last_used` is written at most this often, so that reading the API does not write the catalog every time."""


class Tokens:
    """The tokens of one catalog."""

    def __init__(self, sessions: SessionFactory, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    def list(self) -> list[Token]:
        """Every token, oldest first."""
        with self._sessions() as session:
            return list(session.scalars(select(Token).order_by(Token.id)))

    def create(
        self,
        kind: str,
        name: str,
        *,
        indexes: Sequence[str] = (),
        default_index: str = "",
        host: str = "",
        source: str = "",
        sourcetype: str = "",
        use_ack: bool = False,
        allow_query_string: bool = False,
        owner: str = "admin",
    ) -> tuple[Token, str]:
        """A new token and its secret. The default index, when none is named, is the first of `indexes`.

        An index that is named and not defined yet is defined, for events: a token for nothing helps nobody.

        HEC secrets are GUIDs, because some clients refuse any other form; the others carry their kind as a prefix, so
        that a leaked one is recognised for what it is.
        """
        if kind not in KINDS:
            raise UserError(f'unknown kind of token "{kind}", wanted one of: {", ".join(KINDS)}')
        if not name.strip():
            raise UserError("a token wants a name, got an empty one")
        for index in (*indexes, *([default_index] if default_index else [])):
            if not re.fullmatch(r"[a-z0-9_][a-z0-9_-]*", index):
                raise UserError(f'an index name wants lower case letters, digits, _ and -, got "{index}"')
        default_index = default_index or (indexes[0] if indexes else "")
        if indexes and default_index not in indexes:
            raise UserError(f'default index "{default_index}" is not one of the allowed: {", ".join(indexes)}')
        secret = _guid() if kind == "hec" else f"sl_{kind}_{secrets.token_urlsafe(32)}"
        token = Token(
            name=name.strip(),
            kind=kind,
            secret_hash=hash_secret(secret),
            owner=owner,
            indexes=list(indexes),
            default_index=default_index,
            host=host,
            source=source,
            sourcetype=sourcetype,
            use_ack=use_ack,
            allow_query_string=allow_query_string,
            created=self._clock(),
        )
        with self._sessions.begin() as session:
            if session.scalar(select(Token).where(Token.name == token.name)):
                raise UserError(f'token "{token.name}" exists')
            session.add(token)
            for index in {*indexes, default_index} - {""}:
                defined = insert(IndexDefinition).values(name=index, datatype="event", created=token.created)
                session.execute(defined.on_conflict_do_nothing())
        return token, secret

    def revoke(self, name_or_id: str | int) -> Token:
        """Removes a token, found by its name or its number. Raises NotFound."""
        with self._sessions.begin() as session:
            token = session.scalar(select(Token).where(Token.name == str(name_or_id)))
            if token is None and str(name_or_id).isdigit():
                token = session.get(Token, int(name_or_id))
            if token is None:
                raise NotFound(f'no token "{name_or_id}"')
            session.delete(token)
            return token

    def revoke_id(self, token_id: int) -> Token:
        """Removes the token with this number. Raises NotFound."""
        with self._sessions.begin() as session:
            token = session.get(Token, token_id)
            if token is None:
                raise NotFound(f'no token "{token_id}"')
            session.delete(token)
            return token

    def set_disabled(self, token_id: int, disabled: bool) -> Token:
        """Turns a token off or on again. Raises NotFound."""
        with self._sessions.begin() as session:
            token = session.get(Token, token_id)
            if token is None:
                raise NotFound(f'no token "{token_id}"')
            token.disabled = disabled
            return token

    def note_use(self, times: Mapping[str, float]) -> None:
        """Notes when tokens, by name, were last used; an earlier time than is known changes nothing."""
        with self._sessions.begin() as session:
            for token in session.scalars(select(Token).where(Token.name.in_(times))):
                token.last_used = max(token.last_used or 0.0, times[token.name])

    def find(self, secret: str, kind: str) -> Token | None:
        """The enabled token of this kind with this secret, or None. Notes the use."""
        with self._sessions() as session:
            token = session.scalar(select(Token).where(Token.secret_hash == hash_secret(secret)))
        if token is None or token.kind != kind or token.disabled:
            return None
        now = self._clock()
        if token.last_used is None or now - token.last_used >= LAST_USED_GRAIN_S:
            with self._sessions.begin() as session:
                session.execute(update(Token).where(Token.id == token.id).values(last_used=now))
            token.last_used = now
        return token


def _guid() -> str:
    digits = secrets.token_hex(16)
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
