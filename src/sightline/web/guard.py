"""The layers in front of every route: who is asking, is a write meant, is the body bounded, what may the page load.

Pure ASGI, so that streamed answers stay streams. A session cookie is SameSite=Strict, and a write with one must carry
the header `X-Sightline`, which no form and no other site's script can set.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from sightline.catalog import Catalog
from sightline.errors import Forbidden, SightlineError
from sightline.web.failures import RateLimited, TooLarge, Unauthenticated, render
from sightline.web.parts import Identity

API = "/api/v1"
COOKIE = "sightline_session"
PUBLIC = frozenset({f"{API}/auth/login", f"{API}/auth/link", f"{API}/auth/logout", f"{API}/health"})
STREAMED_UPLOADS = frozenset({f"{API}/load", f"{API}/apps/import"})
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'self'",
        # ECharts and CodeMirror write style attributes; scripts stay ours alone.
        "style-src 'self' 'unsafe-inline'",
        "img-src 'self' data: blob:",
        "font-src 'self' data:",
        "worker-src 'self' blob:",
        "object-src 'none'",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)
HEADERS = [
    (b"content-security-policy", CONTENT_SECURITY_POLICY.encode()),
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"same-origin"),
    (b"cross-origin-opener-policy", b"same-origin"),
    (b"permissions-policy", b"camera=(), microphone=(), geolocation=()"),
]


class SecurityHeaders:
    """Adds the headers that tell a browser what this origin may do. API answers are never kept by a cache."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        is_api = scope["path"].startswith("/api/")

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = list(message.get("headers", []))
                headers += HEADERS
                if is_api and not any(name == b"cache-control" for name, _ in headers):
                    headers.append((b"cache-control", b"no-store"))
                message["headers"] = headers
            await send(message)

        return await self.app(scope, receive, send_with_headers)


class Guard:
    """Authenticates API requests and bounds their bodies. Leaves `request.state.identity`."""

    def __init__(self, app: ASGIApp, catalog: Catalog, max_body_bytes: int) -> None:
        self.app = app
        self._catalog = catalog
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith("/api/"):
            return await self.app(scope, receive, send)
        request = Request(scope)
        try:
            if scope["path"] not in STREAMED_UPLOADS:
                receive = self._bounded(request, receive)
            if scope["path"] not in PUBLIC:
                request.state.identity = await run_in_threadpool(self._identify, request)
        except SightlineError as error:
            return await render(error)(scope, receive, send)
        return await self.app(scope, receive, send)

    def _identify(self, request: Request) -> Identity:
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme:
            if scheme.lower() != "bearer":
                raise Unauthenticated(f'unknown authorization scheme "{scheme[:20]}", wanted Bearer')
            token = self._catalog.tokens.find(secret.strip(), "api")
            if token is None:
                raise Unauthenticated("the API token is not known, is disabled or is of another kind")
            return self._identity_of_owner(token.owner, token.name, tuple(token.indexes))
        session = request.cookies.get(COOKIE)
        user = self._catalog.accounts.session_user(session) if session else None
        if user is None:
            raise Unauthenticated("nobody is signed in", hint="log in, or send an API token as Authorization: Bearer")
        if request.method not in SAFE_METHODS and "x-sightline" not in request.headers:
            raise Forbidden("a write from a browser wants the header X-Sightline")
        return Identity(user.name, user.role)

    def _identity_of_owner(self, owner: str, token_name: str, indexes: tuple[str, ...]) -> Identity:
        for user in self._catalog.accounts.list():
            if user.name == owner:
                return Identity(owner, user.role, token_name, indexes)
        if owner == "admin":  # A token made on the command line before the first start has no user yet.
            return Identity(owner, "admin", token_name, indexes)
        raise Unauthenticated(f'the owner of the API token, "{owner}", is no longer a user')

    def _bounded(self, request: Request, receive: Receive) -> Receive:
        limit = self._max_body_bytes
        declared = request.headers.get("content-length", "")
        if declared.isdigit() and int(declared) > limit:
            raise TooLarge(f"the body has {declared} bytes, the limit is {limit}")
        seen = 0

        async def bounded() -> Message:
            nonlocal seen
            message = await receive()
            seen += len(message.get("body", b""))
            if seen > limit:
                raise TooLarge(f"the body has more than {limit} bytes")
            return message

        return bounded


class LoginLimiter:
    """Slows down guessing: after so many failures of one address or one name within a minute, both have to wait."""

    WINDOW_S = 60.0
    MAX_KEYS = 10_000

    def __init__(self, attempts: int) -> None:
        self._attempts = attempts
        self._lock = threading.Lock()
        self._failures: OrderedDict[str, list[float]] = OrderedDict()

    def check(self, *keys: str) -> None:
        """Raises RateLimited when one of `keys` failed too often."""
        now = time.monotonic()
        with self._lock:
            for key in keys:
                recent = [at for at in self._failures.get(key, ()) if now - at < self.WINDOW_S]
                if len(recent) >= self._attempts:
                    raise RateLimited(
                        f"{len(recent)} failed logins within a minute, wait before the next try",
                        self.WINDOW_S - (now - recent[0]),
                    )

    def failed(self, *keys: str) -> None:
        """Notes a failure."""
        now = time.monotonic()
        with self._lock:
            for key in keys:
                recent = [at for at in self._failures.pop(key, []) if now - at < self.WINDOW_S]
                self._failures[key] = [*recent[-self._attempts :], now]
            while len(self._failures) > self.MAX_KEYS:
                self._failures.popitem(last=False)
