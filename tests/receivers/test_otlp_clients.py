"""Real clients against a real server: OpenTelemetry's Python distribution over each protocol, its `opentelemetry-instrument`
on an application that nobody changed, and Splunk's distribution with its profiler."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.conftest import free_ports

ROOT = Path(__file__).parents[2]
PROGRAMS = Path(__file__).parent / "programs"


@pytest.fixture(scope="module")
def environments() -> Path:
    """The folder with the clients' environments, which `make test` makes; a run of pytest alone makes them here."""
    made = subprocess.run(
        ["sh", str(ROOT / "tools" / "make-clients.sh"), sys.prefix], capture_output=True, text=True, timeout=280, check=False
    )
    assert made.returncode == 0, made.stderr
    return Path(sys.prefix)


def environment(server, **variables: str) -> dict[str, str]:
    """What a person sets to send here, and short delays so that a test need not wait for a minute."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("OTEL_", "PYTHON", "SPLUNK_"))}
    return kept | {
        "OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.otlp_grpc_port}",
        "OTEL_EXPORTER_OTLP_HEADERS": f"authorization=Bearer {server.tokens['otlp']}",
        "OTEL_METRIC_EXPORT_INTERVAL": "1000",
        "OTEL_BSP_SCHEDULE_DELAY": "200",
        "OTEL_BLRP_SCHEDULE_DELAY": "200",
        "OTEL_PYTHON_LOGGING_AUTO_INSTRUMENTATION_ENABLED": "true",
        **variables,
    }


def over(server, protocol: str) -> dict[str, str]:
    if protocol == "grpc":
        return {}
    variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": f"http://127.0.0.1:{server.otlp_http_port}"}
    if protocol == "http/protobuf":
        return variables | {"OTEL_EXPORTER_OTLP_PROTOCOL": protocol, "OTEL_EXPORTER_OTLP_COMPRESSION": "gzip"}
    return variables | {f"OTEL_{signal}_EXPORTER": "otlp_json_http" for signal in ("TRACES", "METRICS", "LOGS")}


def run(environments: Path, name: str, program: list[str], variables: dict[str, str]) -> None:
    command = [str(environments / name / "bin" / "opentelemetry-instrument"), *program]
    done = subprocess.run(command, env=variables, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    assert "Failed to export" not in done.stderr, done.stderr


@pytest.mark.parametrize("protocol", ["grpc", "http/protobuf", "http/json"])
def test_all_three_signals_of_the_official_distribution(server, environments, protocol):
    name = f"clients-{uuid.uuid4().hex[:8]}"
    variables = environment(server, OTEL_SERVICE_NAME=name, **over(server, protocol))
    python = str(environments / "clients" / "bin" / "python")
    run(environments, "clients", [python, str(PROGRAMS / "three_signals.py"), name], variables)
    rows = server.wait_for(f'index=traces source="{name}" | sort 0 _time', lambda rows: len(rows) == 2)
    earlier, order = rows
    assert (earlier["name"], order["name"], order["kind"], order["status"]) == ("earlier", "order", "server", "error")
    fields = server.search(
        f'index=traces source="{name}" name=order | table zero none ratio tags ok status_message scope.name scope.schema_url run'
    )
    (row,) = fields
    assert (float(row["zero"]), row["none"], float(row["ratio"]), list(row["tags"])) == (0, "", 1, ["a", "b"])
    assert (str(row["ok"]).lower(), row["status_message"], row["run"]) == ("false", "late", name)
    assert row["scope.schema_url"] == "https://opentelemetry.io/schemas/1.44.0"
    with server.client() as client:
        opened = client.get(f"/api/v1/traces/{order['trace_id']}").json()
    (span,) = opened["spans"]
    assert (span["name"], [event["name"] for event in span["events"]]) == ("order", ["packed"])
    assert span["links"][0]["trace_id"] == earlier["trace_id"]
    logs = server.wait_for(f'index=main source="{name}" late', lambda rows: len(rows) == 1)
    assert (logs[0]["_raw"], logs[0]["severity"]) == (f"order {name} is late", "warn")
    assert (logs[0]["trace_id"], logs[0]["span_id"]) == (order["trace_id"], order["span_id"])
    points = server.wait_for(
        f'| mstats count(_value) latest(_value) AS last WHERE index=metrics metric_name=* run="{name}" BY metric_name',
        lambda rows: len(rows) == 4,
    )
    assert {row["metric_name"]: float(row["last"]) for row in points} == {
        "heat": 0.0,
        "latency": 22.25,
        "orders": 3.0,
        "stock": -2.0,
    }


@contextlib.contextmanager
def web_app(environments: Path, variables: dict[str, str]) -> Iterator[str]:
    """The application behind uvicorn under `opentelemetry-instrument`, and its address."""
    (port,) = free_ports(1)
    binaries = environments / "clients" / "bin"
    command = [binaries / "opentelemetry-instrument", binaries / "uvicorn", "web_app:app", "--port", str(port)]
    process = subprocess.Popen(
        [str(part) for part in command],
        cwd=PROGRAMS,
        env=variables,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    try:
        end = time.monotonic() + 60
        while True:
            with contextlib.suppress(httpx.TransportError):
                httpx.get(f"http://127.0.0.1:{port}/gone", trust_env=False)
                break
            assert process.poll() is None, process.stdout.read()
            assert time.monotonic() < end
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        try:
            process.communicate(timeout=30)
        except subprocess.TimeoutExpired:
            process.kill()
            process.communicate()


def test_an_application_that_nobody_changed(server, environments):
    name = f"web-{uuid.uuid4().hex[:8]}"
    variables = environment(server, OTEL_SERVICE_NAME=name, OTEL_SEMCONV_STABILITY_OPT_IN="http")
    with web_app(environments, variables) as url:
        assert httpx.get(f"{url}/price/barolo", trust_env=False).json() == {"item": "barolo", "price": 6}
        assert httpx.get(f"{url}/broken", trust_env=False).status_code == 500
        found = f'index=traces source="{name}" kind=server'
        rows = server.wait_for(
            f"{found} | stats count by name, status, http.response.status_code",
            lambda rows: {"GET /price/{item}", "GET /broken"} <= {row["name"] for row in rows},
        )
        told = {row["name"]: (row["status"], int(row["http.response.status_code"])) for row in rows}
        assert told["GET /price/{item}"] == ("unset", 200)
        assert told["GET /broken"] == ("error", 500)
        logs = server.wait_for(f'index=main source="{name}" "price of barolo asked"', lambda rows: len(rows) == 1)
        with server.client() as client:
            listed = client.get("/api/v1/traces", params={"service": name, "operation": "GET /price/{item}"}).json()
            (trace,) = listed["traces"]
            assert (trace["trace_id"], trace["root_service"]) == (logs[0]["trace_id"], name)
            opened = client.get(f"/api/v1/traces/{trace['trace_id']}").json()
        assert opened["spans"][0]["name"] == "GET /price/{item}"
        assert len({span["span_id"] for span in opened["spans"]}) == len(opened["spans"]) == trace["span_count"]
        assert [log["_raw"] for log in opened["logs"]] == ["price of barolo asked"]
        server.wait_for(
            f'| mstats count(_value) AS n WHERE index=metrics metric_name=http.server.request.duration service.name="{name}"'
            " BY http.route",
            lambda rows: {"/price/{item}", "/broken"} <= {row["http.route"] for row in rows},
        )


def test_splunks_distribution_with_its_profiler(server, environments):
    name = f"splunk-{uuid.uuid4().hex[:8]}"
    variables = environment(
        server,
        OTEL_SERVICE_NAME=name,
        SPLUNK_PROFILER_ENABLED="true",
        SPLUNK_PROFILER_CALL_STACK_INTERVAL="50",
    )
    # As Splunk's own receivers take it: the token in a header of its own.
    variables["OTEL_EXPORTER_OTLP_HEADERS"] = f"x-sf-token={server.tokens['otlp']}"
    python = str(environments / "clients-splunk" / "bin" / "python")
    run(environments, "clients-splunk", [python, str(PROGRAMS / "busy.py")], variables)
    (span,) = server.wait_for(f'index=traces source="{name}" name=training', lambda rows: len(rows) == 1)
    rows = server.wait_for(
        f'index=profiles source="{name}" stack=hot_loop | stats sum(value) AS ms by span_id, type, unit',
        lambda rows: len(rows) >= 1,
    )
    (row,) = rows
    assert (row["span_id"], row["type"], row["unit"]) == (span["span_id"], "cpu", "milliseconds")
    assert float(row["ms"]) >= 100
    assert server.search(f'index=main source="{name}" sourcetype=otel.profiling') == []
