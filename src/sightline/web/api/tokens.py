"""Tokens of machines. A secret is in the answer to its creation, and nowhere else."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from sightline.catalog.models import Token
from sightline.web.parts import Administrator, WithParts

router = APIRouter(prefix="/tokens", tags=["tokens"])


class NewToken(BaseModel):
    """A token to make. `indexes` empty means every index."""

    kind: str
    name: str
    indexes: list[str] = []
    default_index: str = ""
    host: str = ""
    source: str = ""
    sourcetype: str = ""
    use_ack: bool = False
    allow_query_string: bool = False


class TokenChange(BaseModel):
    """Turns a token off or on."""

    disabled: bool


@router.get("")
def list_tokens(parts: WithParts, _: Administrator) -> list[dict[str, Any]]:
    """Every token, without its secret."""
    return [_describe(token) for token in parts.catalog.tokens.list()]


@router.post("", status_code=201)
def create_token(body: NewToken, parts: WithParts, identity: Administrator) -> dict[str, Any]:
    """Makes a token; `token` in the answer is its secret, shown this once."""
    values = body.model_dump()
    token, secret = parts.catalog.tokens.create(values.pop("kind"), values.pop("name"), **values, owner=identity.name)
    parts.log.record("sightline:audit", action="create token", user=identity.name, token=token.name, kind=token.kind)
    return _describe(token) | {"token": secret}


@router.put("/{token_id}")
def change_token(token_id: int, body: TokenChange, parts: WithParts, _: Administrator) -> dict[str, Any]:
    """Turns a token off or on; receivers notice within two seconds."""
    return _describe(parts.catalog.tokens.set_disabled(token_id, body.disabled))


@router.delete("/{token_id}")
def revoke_token(token_id: int, parts: WithParts, identity: Administrator) -> dict[str, Any]:
    """Removes a token; receivers notice within two seconds."""
    token = parts.catalog.tokens.revoke_id(token_id)
    parts.log.record("sightline:audit", action="revoke token", user=identity.name, token=token.name, kind=token.kind)
    return {}


def _describe(token: Token) -> dict[str, Any]:
    return {
        "id": token.id,
        "name": token.name,
        "kind": token.kind,
        "owner": token.owner,
        "indexes": token.indexes,
        "default_index": token.default_index,
        "host": token.host,
        "source": token.source,
        "sourcetype": token.sourcetype,
        "use_ack": token.use_ack,
        "allow_query_string": token.allow_query_string,
        "disabled": token.disabled,
        "created": token.created,
        "last_used": token.last_used,
    }
