"""A browser for the page, and a small shop whose telemetry came in over the real protocols."""

from __future__ import annotations

import json
import shutil
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

REPOSITORY = Path(__file__).parent.parent.parent
MISSION = (REPOSITORY / "examples" / "mission.spl").read_text(encoding="utf-8")
STATIC = REPOSITORY / "src" / "sightline" / "web" / "static" / "index.html"
AXE = REPOSITORY / "ui" / "node_modules" / "axe-core" / "axe.min.js"
ARGUMENTS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update"]
ARGUMENTS += ["--disable-sync", "--no-first-run"]
ALERT = "usermodel misses a user"


def pytest_collection_modifyitems(items) -> None:
    here = Path(__file__).parent
    missing = _missing()
    for item in items:
        if here in Path(item.path).parents:
            item.add_marker(pytest.mark.browser)
            if missing and "chromium" in item.fixturenames:
                item.add_marker(pytest.mark.skip(reason=missing))


def _missing() -> str:
    if _chromium() is None:
        return "chromium is not installed (apt-get install chromium)"
    return "" if STATIC.is_file() else "the page is not built (make page)"


def _chromium() -> str | None:
    return next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)


@pytest.fixture(scope="package")
def chromium():
    """The browser, started once. It ends with this folder's tests: its event loop stands in the way of others' loops."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=_chromium(), args=ARGUMENTS)
        yield browser
        browser.close()


@dataclass(frozen=True)
class Shop:
    """What the server was told: the id of a trace that failed, and of the alert."""

    failed_trace_id: str
    alert_id: int


@pytest.fixture(scope="session")
def shop(server) -> Shop:
    """Labelled outcomes by HEC, traces and logs by OTLP, a trained and scored model, an alert that fires."""
    with server.client() as client:
        for name, datatype in (("my_latest_data", "event"), ("my_model_metrics", "metric")):
            answer = client.post("/api/v1/indexes", json={"name": name, "datatype": datatype})
            assert answer.status_code in (201, 400, 409), answer.text
        _send_outcomes(server)
        trace_id = _send_traces(server)
        server.wait_for("index=my_latest_data | stats count", lambda rows: rows and rows[0]["count"] >= 178)
        server.wait_for("index=traces service=shop-gateway | stats count", lambda rows: rows and rows[0]["count"] >= 24)
        server.wait_for('index=main "recommendation failed" | stats count', lambda rows: rows and rows[0]["count"] >= 1)
        server.search(
            'index=my_latest_data partition="train" | fit RandomForestClassifier user from alcohol ash region into usermodel'
        )
        server.search(MISSION)
        worst = (
            '| mstats latest(_value) AS recall WHERE index=my_model_metrics metric_name="mlops.username.score.recall"'
            " BY operation | where recall < 1.1"
        )
        made = client.post(
            "/api/v1/alerts",
            json={"name": ALERT, "search": worst, "earliest": "-1h", "latest": "now", "cron": "0 0 1 1 *"},
        )
        assert made.status_code == 201, made.text
        ran = client.post(f"/api/v1/alerts/{made.json()['id']}/run")
        assert ran.status_code == 202 and not ran.json()["error"], ran.text
        saved = {"name": "Score usermodel", "search": MISSION, "earliest": "-1h", "latest": "now"}
        assert client.post("/api/v1/saved-searches", json=saved).status_code == 201
    return Shop(trace_id, made.json()["id"])


def _send_outcomes(server) -> None:
    from sklearn.datasets import load_wine

    wine = load_wine()
    now = time.time()
    lines = []
    for number, (values, target) in enumerate(zip(wine.data, wine.target, strict=True)):
        event = {name.replace("/", "_"): float(v) for name, v in zip(wine.feature_names, values, strict=True)}
        event |= {"user": ("ana", "bo", "cy")[target], "partition": "test" if number % 3 == 0 else "train"}
        event |= {"region": "hills" if values[0] > 13 else "coast"}
        lines.append(json.dumps({"time": now - number, "index": "my_latest_data", "sourcetype": "_json", "event": event}))
    answer = httpx.post(
        f"http://127.0.0.1:{server.hec_port}/services/collector/event",
        content="\n".join(lines),
        headers={"Authorization": f"Splunk {server.tokens['hec']}"},
        trust_env=False,
    )
    assert answer.status_code == 200, answer.text


def _send_traces(server) -> str:
    """Eight requests through two services with six like queries each; the last one fails. Gives the last one's id."""
    import logging

    from opentelemetry.exporter.otlp.proto.http._log_exporter import OTLPLogExporter
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk._logs import LoggerProvider, LoggingHandler
    from opentelemetry.sdk._logs.export import SimpleLogRecordProcessor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import SimpleSpanProcessor
    from opentelemetry.trace import SpanKind, StatusCode

    base = f"http://127.0.0.1:{server.otlp_http_port}/v1"
    providers = {}
    for name in ("shop-gateway", "shop-model"):
        providers[name] = TracerProvider(resource=Resource.create({"service.name": name}))
        providers[name].add_span_processor(SimpleSpanProcessor(OTLPSpanExporter(f"{base}/traces")))
    logs = LoggerProvider(resource=Resource.create({"service.name": "shop-gateway"}))
    logs.add_log_record_processor(SimpleLogRecordProcessor(OTLPLogExporter(f"{base}/logs")))
    logger = logging.getLogger("tests.browser.shop")
    logger.propagate = False
    logger.addHandler(LoggingHandler(logger_provider=logs))
    logger.setLevel(logging.INFO)
    gateway, model = (providers[name].get_tracer("shop") for name in ("shop-gateway", "shop-model"))
    for number in range(8):
        with gateway.start_as_current_span("POST /recommend", kind=SpanKind.SERVER) as root:
            with gateway.start_as_current_span("read features"):
                pass
            with gateway.start_as_current_span("POST /predict", kind=SpanKind.CLIENT) as call:
                with model.start_as_current_span("POST /predict", kind=SpanKind.SERVER) as served:
                    for _ in range(6):
                        with model.start_as_current_span("SELECT readings", attributes={"db.system": "sqlite"}):
                            time.sleep(0.001)
                    if number == 7:
                        for span in (served, call, root):
                            span.set_status(StatusCode.ERROR, "input contains NaN")
                        served.record_exception(ValueError("input contains NaN"))
            if number == 7:
                logger.error("recommendation failed")
            else:
                logger.info("recommendation made")
    for provider in providers.values():
        provider.shutdown()
    logs.shutdown()
    return f"{root.get_span_context().trace_id:032x}"


@pytest.fixture(scope="package")
def signed_in(chromium, server) -> dict:
    """The cookies of somebody who came in by a login link."""
    context = chromium.new_context()
    page = context.new_page()
    page.goto(login_link(server))
    page.get_by_role("button", name="User admin").wait_for()
    state = context.storage_state()
    context.close()
    return state


@pytest.fixture
def open_page(chromium, server, signed_in) -> Iterator[Callable]:
    """Gives a function: a path of the page, opened by somebody who is signed in. Errors in the page fail the test."""
    contexts, problems = [], []

    def open_it(path: str, *, width: int = 1280, height: int = 800, theme: str = "dark"):
        context = chromium.new_context(
            viewport={"width": width, "height": height}, color_scheme=theme, storage_state=signed_in
        )
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(45_000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.goto(f"{server.url}{path}")
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert problems == []


def login_link(server) -> str:
    """A link that signs the first administrator in once, as the server prints it."""
    from sightline.catalog import Catalog

    catalog = Catalog(server.data)
    try:
        return f"{server.url}/login?code={catalog.accounts.create_link('admin')}"
    finally:
        catalog.close()
