"""The HTTP API over opened parts in this process, without the listeners."""

from __future__ import annotations

import pytest
from starlette.testclient import TestClient

from sightline.app import open_parts
from sightline.config import Settings, WebSettings
from sightline.datadir import DataDirectory
from sightline.web.app import create_app

PASSWORD = "correct horse battery"


@pytest.fixture(scope="module")
def parts(tmp_path_factory):
    """Opened parts with two users: `ada` (admin) and `bob` (user)."""
    directory = DataDirectory(tmp_path_factory.mktemp("web"))
    settings = Settings(data=directory.path, web=WebSettings(login_attempts=5, max_body_bytes=100_000))
    with open_parts(directory, settings) as opened:
        opened.catalog.accounts.create("ada", "admin", PASSWORD)
        opened.catalog.accounts.create("bob", "user", PASSWORD)
        yield opened


@pytest.fixture(scope="module")
def app(parts):
    return create_app(parts)


@pytest.fixture
def anybody(app):
    """A client that is not signed in."""
    app.state.login_limiter.__init__(5)
    return TestClient(app, base_url="http://sightline", raise_server_exceptions=False)


def signed_in(app, name):
    client = TestClient(app, base_url="http://sightline", raise_server_exceptions=False)
    answer = client.post("/api/v1/auth/login", json={"username": name, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    client.headers["X-Sightline"] = "1"
    return client


@pytest.fixture
def ada(app, anybody):
    """An administrator's browser."""
    return signed_in(app, "ada")


@pytest.fixture
def bob(app, anybody):
    """A user's browser."""
    return signed_in(app, "bob")
