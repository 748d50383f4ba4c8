"""Every error of the API in one JSON shape: {"error": {"message", "kind", "hint"?, "position"?}}, with a proper status.

A mistake of the caller is told in full. A bug is told as one, with an id that is also in the log, and without insides.
"""

from __future__ import annotations

import logging
import secrets
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.exceptions import HTTPException

from sightline.errors import EnvironmentTrouble, Forbidden, NotFound, SearchError, SightlineError, UserError

log = logging.getLogger("sightline.web")

KIND_OF_STATUS = {
    400: "invalid",
    401: "unauthenticated",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    409: "conflict",
    413: "too_large",
    415: "media_type",
    422: "invalid",
    429: "rate_limited",
    503: "environment",
}


class Unauthenticated(UserError):
    """Nobody is signed in, or the token is not good."""


class RateLimited(UserError):
    """Too many tries; `retry_after_s` says when to try again."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class TooLarge(UserError):
    """A body above its bound."""


def failure(status: int, message: str, kind: str = "", hint: str = "", position: dict | None = None) -> JSONResponse:
    """An error as the API answers it."""
    error: dict[str, Any] = {"message": message, "kind": kind or KIND_OF_STATUS.get(status, "error")}
    if hint:
        error["hint"] = hint
    if position:
        error["position"] = position
    return JSONResponse({"error": error}, status_code=status)


def position_of(error: SearchError, text: str) -> dict[str, int] | None:
    """Where in the text an error is, for the page's editor."""
    if error.span is None:
        return None
    line, column = error.span.line_and_column(text)
    return {"start": error.span.start, "end": error.span.end, "line": line, "column": column}


def render(error: SightlineError, text: str = "") -> JSONResponse:
    """The answer to an error of our vocabulary; `text` is the search it is about."""
    message, hint = str(error), getattr(error, "hint", "")
    match error:
        case SearchError():
            return failure(400, message, "search", hint, position_of(error, text))
        case Unauthenticated():
            answer = failure(401, message, hint=hint)
            answer.headers["WWW-Authenticate"] = "Bearer"
            return answer
        case RateLimited():
            answer = failure(429, message)
            answer.headers["Retry-After"] = str(int(error.retry_after_s) + 1)
            return answer
        case TooLarge():
            return failure(413, message, hint=hint)
        case NotFound():
            return failure(404, message, hint=hint)
        case Forbidden():
            return failure(403, message, hint=hint)
        case UserError():
            return failure(400, message, hint=hint)
        case EnvironmentTrouble():
            return failure(503, message, hint=hint)
        case _:
            return failure(500, message, "engine", hint)


def install(app: FastAPI) -> None:
    """Makes every error of `app` take this shape."""

    @app.exception_handler(SightlineError)
    async def _ours(request: Request, error: SightlineError) -> JSONResponse:
        return render(error, getattr(request.state, "search_text", ""))

    @app.exception_handler(RequestValidationError)
    async def _malformed(_request: Request, error: RequestValidationError) -> JSONResponse:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"] if part != "body")
        return failure(422, f"{where}: {first['msg'].lower()}" if where else first["msg"].lower())

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        if isinstance(error.__cause__, SightlineError):  # FastAPI wraps what is raised while it reads a body.
            return render(error.__cause__)
        message = str(error.detail)
        if error.status_code == 404:
            message = f'nothing is at "{request.url.path}"'
        elif error.status_code == 405:
            message = f'"{request.url.path}" does not take {request.method}'
        answer = failure(error.status_code, message)
        answer.headers.update(error.headers or {})
        return answer

    @app.exception_handler(Exception)
    async def _bug(request: Request, error: Exception) -> JSONResponse:
        number = secrets.token_hex(4)
        log.error("bug %s at %s %s", number, request.method, request.url.path, exc_info=error)
        return failure(500, f"a bug in this program ({type(error).__name__}), number {number} in its log", "bug")
