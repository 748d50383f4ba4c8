"""Signing in and out: by password, or by a link that works once."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, Field

from sightline.catalog.models import User
from sightline.web.failures import Unauthenticated
from sightline.web.guard import COOKIE
from sightline.web.parts import Asking, Parts, WithParts

router = APIRouter(prefix="/auth", tags=["auth"])


class Login(BaseModel):
    """A name and a password."""

    username: str = Field(max_length=200)
    password: str = Field(max_length=1000)


class Link(BaseModel):
    """The code of a login link."""

    code: str = Field(max_length=200)


@router.post("/login")
def login(body: Login, request: Request, response: Response, parts: WithParts) -> dict[str, Any]:
    """Opens a session for a name and a password."""
    keys = _limit(request, f"name {body.username}")
    user = parts.catalog.accounts.check_password(body.username, body.password)
    if user is None:
        request.app.state.login_limiter.failed(*keys)
        parts.log.record("sightline:audit", action="login", user=body.username, outcome="refused", client=_client(request))
        raise Unauthenticated("the name or the password is wrong")
    return _sign_in(user, "password", request, response, parts)


@router.post("/link")
def use_link(body: Link, request: Request, response: Response, parts: WithParts) -> dict[str, Any]:
    """Opens a session for a login link, which is spent by it."""
    keys = _limit(request)
    user = parts.catalog.accounts.use_link(body.code)
    if user is None:
        request.app.state.login_limiter.failed(*keys)
        raise Unauthenticated(
            "the login link is not known, was used already or is too old", hint="sightline user link makes a new one"
        )
    return _sign_in(user, "link", request, response, parts)


@router.post("/logout")
def logout(request: Request, response: Response, parts: WithParts) -> dict[str, Any]:
    """Ends the session; it is not an error when there is none."""
    parts.catalog.accounts.close_session(request.cookies.get(COOKIE, ""))
    response.delete_cookie(COOKIE, path="/", samesite="strict", httponly=True)
    return {}


@router.get("/me")
def me(identity: Asking) -> dict[str, Any]:
    """Who is signed in."""
    return {"username": identity.name, "role": identity.role}


def _sign_in(user: User, how: str, request: Request, response: Response, parts: Parts) -> dict[str, Any]:
    ttl_s = parts.settings.web.session_ttl_s
    secret = parts.catalog.accounts.open_session(user, ttl_s)
    secure = request.headers.get("x-forwarded-proto", request.url.scheme) == "https"
    response.set_cookie(COOKIE, secret, max_age=int(ttl_s), path="/", secure=secure, httponly=True, samesite="strict")
    parts.log.record("sightline:audit", action="login", user=user.name, outcome=how, client=_client(request))
    return {"username": user.name, "role": user.role}


def _limit(request: Request, *keys: str) -> tuple[str, ...]:
    keys = (f"client {_client(request)}", *keys)
    request.app.state.login_limiter.check(*keys)
    return keys


def _client(request: Request) -> str:
    # Behind the front process the socket has no address. The front adds a header of its own behind any that the
    # client sent, so only the last one may be believed.
    forwarded = request.headers.getlist("x-forwarded-for")[-1:]
    return (forwarded[0].rpartition(",")[2].strip() if forwarded else "") or (
        request.client.host if request.client else "local"
    )
