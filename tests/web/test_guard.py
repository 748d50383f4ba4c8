"""Nobody gets in without a login or a token, every error has one shape, and every answer has its headers."""

import re

import pytest
from starlette.routing import Match

from tests.web.conftest import PASSWORD

API = "/api/v1"


def routes(app):
    """Method and path of every route of the API, with harmless values in the place of parameters."""
    for path, operations in app.openapi()["paths"].items():
        for method in operations:
            yield method.upper(), re.sub(r"\{\w+\}", "999999", path)


def check_shape(answer):
    body = answer.json()
    assert set(body) == {"error"}, body
    error = body["error"]
    assert set(error) <= {"message", "kind", "hint", "position"} and error["message"] and error["kind"]
    assert error["message"][0] == error["message"][0].lower() or not error["message"][0].isalpha()


def test_every_route_wants_a_login(app, anybody):
    open_to_all = set()
    found = list(routes(app))
    assert len(found) > 50
    for method, path in found:
        answer = anybody.request(method, path)
        if answer.status_code == 401 and answer.headers.get("WWW-Authenticate"):
            check_shape(answer)
        else:
            open_to_all.add(path)
    assert open_to_all <= {f"{API}/auth/login", f"{API}/auth/link", f"{API}/auth/logout", f"{API}/health"}


def test_every_route_answers_nonsense_in_the_same_shape(app, ada):
    for method, path in routes(app):
        for body in (b"{not json", b'{"unexpected": 1}', b"[]"):
            answer = ada.request(method, path, content=body, headers={"Content-Type": "application/json"})
            if answer.status_code >= 400:
                check_shape(answer)
            assert answer.status_code < 500, f"{method} {path}: {answer.text}"


@pytest.mark.parametrize("path", ["/nothing", "/search/jobs/none", "/alerts/99", "/dashboards/x", "/models/none"])
def test_what_is_not_there_is_said_in_the_same_shape(ada, path):
    answer = ada.get(API + path)
    assert answer.status_code in (404, 422)
    check_shape(answer)


def test_a_wrong_method_is_said_in_the_same_shape(ada):
    answer = ada.put(f"{API}/status")
    assert answer.status_code == 405 and answer.json()["error"]["kind"] == "method_not_allowed"


def test_a_bug_is_told_without_its_insides(app, ada, parts, monkeypatch):
    def broken():
        raise RuntimeError("secret detail")

    monkeypatch.setattr(parts.catalog.macros, "list", broken)
    answer = ada.get(f"{API}/macros")
    assert answer.status_code == 500 and answer.json()["error"]["kind"] == "bug"
    assert "secret detail" not in answer.text
    check_shape(answer)


def test_a_wrong_password_and_a_wrong_name_answer_the_same(anybody):
    wrong = [
        anybody.post(f"{API}/auth/login", json={"username": name, "password": "wrong password"})
        for name in ("ada", "nobody")
    ]
    assert [a.status_code for a in wrong] == [401, 401] and wrong[0].json() == wrong[1].json()


def test_guessing_is_slowed_down(anybody):
    for _ in range(5):
        anybody.post(f"{API}/auth/login", json={"username": "ada", "password": "wrong password"})
    answer = anybody.post(f"{API}/auth/login", json={"username": "ada", "password": PASSWORD})
    assert answer.status_code == 429 and 0 < int(answer.headers["Retry-After"]) <= 61
    check_shape(answer)


def test_a_session_is_a_strict_cookie_and_ends_with_logout(app, ada):
    assert ada.get(f"{API}/auth/me").json() == {"username": "ada", "role": "admin"}
    cookie = ada.post(f"{API}/auth/login", json={"username": "ada", "password": PASSWORD}).headers["set-cookie"]
    assert "HttpOnly" in cookie and "SameSite=strict" in cookie and "Path=/" in cookie
    kept = dict(ada.cookies)
    ada.post(f"{API}/auth/logout")
    ada.cookies.update(kept)
    assert ada.get(f"{API}/auth/me").status_code == 401


def test_a_login_link_works_once(anybody, parts):
    code = parts.catalog.accounts.create_link("bob")
    assert anybody.post(f"{API}/auth/link", json={"code": code}).json() == {"username": "bob", "role": "user"}
    assert anybody.get(f"{API}/auth/me").json()["username"] == "bob"
    again = anybody.post(f"{API}/auth/link", json={"code": code})
    assert again.status_code == 401 and "was used already" in again.json()["error"]["message"]


def test_a_write_with_a_cookie_wants_the_header(ada):
    del ada.headers["X-Sightline"]
    answer = ada.post(f"{API}/macros", json={"name": "m", "definition": "x"})
    assert answer.status_code == 403 and "X-Sightline" in answer.json()["error"]["message"]
    assert ada.get(f"{API}/macros").status_code == 200


def test_an_api_token_gets_in_and_the_other_kinds_do_not(anybody, parts):
    for kind, status in (("api", 200), ("hec", 401), ("otlp", 401)):
        _, secret = parts.catalog.tokens.create(kind, f"guard {kind}", owner="ada")
        answer = anybody.get(f"{API}/status", headers={"Authorization": f"Bearer {secret}"})
        assert answer.status_code == status, kind
    assert anybody.get(f"{API}/status", headers={"Authorization": "Basic YTpi"}).status_code == 401


def test_a_token_writes_without_the_header_because_no_browser_sends_it_by_itself(anybody, parts):
    _, secret = parts.catalog.tokens.create("api", "writer", owner="bob")
    headers = {"Authorization": f"Bearer {secret}"}
    assert anybody.post(f"{API}/macros", json={"name": "m", "definition": "x"}, headers=headers).status_code == 201


def test_a_user_is_no_administrator(bob, ada):
    for method, path in (("GET", "/tokens"), ("POST", "/tokens"), ("GET", "/users"), ("POST", "/users/ada/link")):
        answer = bob.request(method, API + path, json={"kind": "api", "name": "x"})
        assert answer.status_code == 403, path
        check_shape(answer)
    assert bob.put(f"{API}/users/ada/password", json={"password": "stolen password"}).status_code == 403
    mine = ada.post(f"{API}/dashboards", json={"title": "mine", "definition": {}}).json()["id"]
    assert bob.delete(f"{API}/dashboards/{mine}").status_code == 403


def test_a_body_above_its_bound_is_refused(ada):
    declared = ada.post(f"{API}/macros", json={"name": "m", "definition": "x" * 200_000})
    streamed = ada.post(
        f"{API}/macros",
        content=(b"x" * 10_000 for _ in range(20)),
        headers={"Content-Type": "application/json"},
    )
    for answer in (declared, streamed):
        assert answer.status_code == 413 and answer.json()["error"]["kind"] == "too_large"


def test_every_answer_has_its_security_headers(ada, anybody):
    for answer in (ada.get(f"{API}/status"), anybody.get(f"{API}/status"), anybody.get("/"), anybody.get("/alerts")):
        assert "frame-ancestors 'none'" in answer.headers["Content-Security-Policy"]
        assert "'unsafe-inline'" not in answer.headers["Content-Security-Policy"].split("style-src")[0]
        assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert ada.get(f"{API}/status").headers["Cache-Control"] == "no-store"


def test_the_page_is_served_for_every_address_of_its_router(parts, tmp_path):
    from fastapi import FastAPI
    from starlette.testclient import TestClient

    from sightline.web import failures, page

    (tmp_path / "assets").mkdir()
    (tmp_path / "index.html").write_text("<p>page</p>")
    (tmp_path / "assets" / "app-1a2b.js").write_text("1")
    (tmp_path.parent / "outside.txt").write_text("secret")
    app = FastAPI(openapi_url=None)
    failures.install(app)
    page.install(app, tmp_path)
    client = TestClient(app)
    for path in ("/", "/search?q=x", "/dashboards/3"):
        answer = client.get(path)
        assert (answer.text, answer.headers["Cache-Control"]) == ("<p>page</p>", "no-cache")
    script = client.get("/assets/app-1a2b.js")
    assert script.text == "1" and "immutable" in script.headers["Cache-Control"]
    assert client.get("/assets/gone.js").status_code == 404
    assert client.get("/api/v1/none").json()["error"]["kind"] == "not_found"
    assert "secret" not in client.get("/..%2Foutside.txt").text


def test_a_page_that_is_not_built_says_how(tmp_path):
    from fastapi import FastAPI
    from starlette.testclient import TestClient

    from sightline.web import page

    app = FastAPI(openapi_url=None)
    page.install(app, tmp_path / "none")
    answer = TestClient(app).get("/")
    assert answer.status_code == 503 and "make install" in answer.text


def test_no_two_routes_shadow_each_other(app):
    for route in app.routes:
        for method in getattr(route, "methods", None) or ():
            if not route.path.startswith(API):
                continue
            path = re.sub(r"\{\w+\}", "1", route.path)
            scope = {"type": "http", "method": method, "path": path, "path_params": {}, "headers": []}
            first = next(r for r in app.routes if r.matches(scope)[0] == Match.FULL)
            assert first is route or "{" in route.path, f"{method} {path} is taken by {first.path}"
