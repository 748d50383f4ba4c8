"""Serves the built page: files with their hash in the name for a year, everything else asks again.

Any path that is not a file is the page itself, because its addresses are made by its router. Without a built page the
answer says how to build it; the API works all the same.
"""

from __future__ import annotations

from pathlib import Path

from fastapi import FastAPI, Request
from fastapi.responses import FileResponse, HTMLResponse, Response

from sightline.web.failures import failure

STATIC = Path(__file__).parent / "static"
FOREVER = "public, max-age=31536000, immutable"
NOT_BUILT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>Sightline</title>
<body><h1>The page is not built</h1>
<p>The server is running and its API answers, but the user interface has not been built.
<code>make install</code> builds it; then load this page again.</p></body></html>"""


def install(app: FastAPI, static: Path = STATIC) -> None:
    """Adds the page behind every route that exists already."""
    root = static.resolve()

    @app.api_route("/{path:path}", methods=["GET", "HEAD"], include_in_schema=False)
    def page(request: Request, path: str) -> Response:
        if path.startswith("api/"):
            return failure(404, f'nothing is at "{request.url.path}"')
        found = (root / path).resolve()
        if path and found.is_file() and found.is_relative_to(root):
            hashed = found.parent.name == "assets"
            return FileResponse(found, headers={"Cache-Control": FOREVER if hashed else "no-cache"})
        if path.startswith("assets/"):
            # A page from before an upgrade asks for a file that is gone; HTML in its place would break it oddly.
            return failure(404, f'nothing is at "{request.url.path}"')
        index = root / "index.html"
        if not index.is_file():
            return HTMLResponse(NOT_BUILT, status_code=503, headers={"Cache-Control": "no-store"})
        return FileResponse(index, headers={"Cache-Control": "no-cache"})
