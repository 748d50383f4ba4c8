"""Builds the HTTP application: layers outside in, then the resources, then the page."""

from __future__ import annotations

from fastapi import FastAPI

from sightline import __version__
from sightline.web import failures, page
from sightline.web.api import (
    alerts,
    apps,
    auth,
    backups,
    collections,
    dashboards,
    data_models,
    indexes,
    knowledge,
    load,
    models,
    saved_searches,
    search,
    sourcetypes,
    stanzas,
    status,
    tokens,
    traces,
    users,
)
from sightline.web.guard import API, Guard, LoginLimiter, SecurityHeaders
from sightline.web.parts import Parts

ROUTERS = (
    auth.router,
    search.router,
    dashboards.router,
    saved_searches.router,
    alerts.router,
    models.router,
    traces.router,
    traces.services,
    tokens.router,
    users.router,
    backups.router,
    indexes.router,
    knowledge.lookups,
    knowledge.macros,
    stanzas.props,
    stanzas.transforms,
    stanzas.event_types,
    stanzas.tags,
    collections.router,
    data_models.router,
    load.router,
    sourcetypes.router,
    apps.router,
    status.router,
)


def create_app(parts: Parts) -> FastAPI:
    """The application of one opened data directory."""
    app = build_api(parts)
    page.install(app)
    # Added last is outermost.
    app.add_middleware(Guard, catalog=parts.catalog, max_body_bytes=parts.settings.web.max_body_bytes)
    app.add_middleware(SecurityHeaders)
    return app


def build_api(parts: Parts) -> FastAPI:
    """The resources alone, without the layers that say who is asking: whoever calls them must say so."""
    app = FastAPI(
        title="Sightline",
        version=__version__,
        openapi_url=f"{API}/openapi.json",
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
    )
    app.state.parts = parts
    app.state.login_limiter = LoginLimiter(parts.settings.web.login_attempts)
    failures.install(app)
    for router in ROUTERS:
        app.include_router(router, prefix=API)
    return app
