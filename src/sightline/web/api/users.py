"""Users, for administrators; anybody may change their own password."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter
from pydantic import BaseModel

from sightline.web.parts import Administrator, Asking, WithParts, may_change

router = APIRouter(prefix="/users", tags=["users"])


class NewUser(BaseModel):
    """A user to make; without a password the way in is a login link."""

    name: str
    role: str = "user"
    password: str = ""


class NewPassword(BaseModel):
    """A password in place of the old one."""

    password: str


@router.get("")
def list_users(parts: WithParts, _: Administrator) -> list[dict[str, Any]]:
    """Every user, by name."""
    return [{"name": u.name, "role": u.role, "created": u.created} for u in parts.catalog.accounts.list()]


@router.post("", status_code=201)
def create_user(body: NewUser, parts: WithParts, _: Administrator) -> dict[str, Any]:
    """Makes a user."""
    user = parts.catalog.accounts.create(body.name, body.role, body.password)
    return {"name": user.name, "role": user.role, "created": user.created}


@router.put("/{name}/password")
def set_password(name: str, body: NewPassword, parts: WithParts, identity: Asking) -> dict[str, Any]:
    """Changes a password and ends the user's sessions."""
    may_change(identity, name)
    parts.catalog.accounts.set_password(name, body.password)
    return {}


@router.post("/{name}/link", status_code=201)
def create_link(name: str, parts: WithParts, _: Administrator) -> dict[str, Any]:
    """Makes a login link that works once."""
    return {"path": f"/login?code={parts.catalog.accounts.create_link(name)}"}


@router.delete("/{name}")
def delete_user(name: str, parts: WithParts, _: Administrator) -> dict[str, Any]:
    """Removes a user."""
    parts.catalog.accounts.delete(name)
    return {}
