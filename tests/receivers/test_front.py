"""The front: passing on to the engine, ports, tokens away from loopback, and "retry later" in every protocol."""

import asyncio
import socket
import threading
import time

import grpc
import httpx
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from sightline.config import IngestSettings, ListenSettings, Settings
from sightline.errors import EnvironmentTrouble
from sightline.receivers.access import is_loopback
from sightline.receivers.front import serve_front

from .conftest import Front, free_ports

SPAN_BODY = bytes.fromhex("0a20" + "121e" + "121c" + "0a10" + "01" * 16 + "1208" + "02" * 8)
"""One resource, one scope, one span with nothing but its ids."""


class Engine:
    """A small web application on the unix socket, in a thread."""

    def __init__(self, path):
        app = Starlette(
            routes=[
                Route("/echo", self.echo, methods=["POST"]),
                Route("/slow", self.slow),
                Route("/{path:path}", self.describe, methods=["GET", "DELETE", "POST"]),
            ]
        )
        self.finished = threading.Event()
        self.server = uvicorn.Server(uvicorn.Config(app, uds=str(path), log_level="error"))
        self.thread = threading.Thread(target=self.server.run, daemon=True)
        self.thread.start()
        deadline = time.monotonic() + 10
        while not self.server.started:
            assert time.monotonic() < deadline
            time.sleep(0.01)

    def close(self):
        self.server.should_exit = True
        self.thread.join(10)

    async def echo(self, request: Request) -> Response:
        return Response(await request.body())

    async def slow(self, request: Request) -> Response:
        async def pieces():
            try:
                for number in range(1000):
                    yield b"%d\n" % number
                    await asyncio.sleep(0.05)
            finally:
                self.finished.set()

        return StreamingResponse(pieces())

    async def describe(self, request: Request) -> Response:
        response = PlainTextResponse(
            f"{request.method} {request.scope['raw_path'].decode()} {request.url.query} {request.headers['host']}", 201
        )
        response.set_cookie("a", "1")
        response.set_cookie("b", "2")
        return response


@pytest.fixture
def engine(front):
    running = Engine(front.data / "run" / "engine.sock")
    yield running
    running.close()


def test_other_paths_come_from_the_engine_with_query_headers_and_cookies(front, engine):
    reply = httpx.get(front.main + "/api/v1/x%2Fy?q=a%20b&q=c")
    assert reply.status_code == 201
    assert reply.text == f"GET /api/v1/x%2Fy q=a%20b&q=c {front.main.removeprefix('http://')}"
    assert reply.headers.get_list("set-cookie")[0].startswith("a=1")
    assert len(reply.headers.get_list("set-cookie")) == 2
    assert httpx.delete(front.main + "/api/v1/jobs/1").text.startswith("DELETE /api/v1/jobs/1")


def test_large_bodies_stream_through_both_ways(front, engine):
    body = bytes(range(256)) * 40_000
    assert httpx.post(front.main + "/echo", content=body).content == body
    pieces = httpx.post(front.main + "/echo", content=iter([b"one", b"two"]))
    assert pieces.content == b"onetwo"


def test_a_stream_arrives_as_it_is_made_and_stops_with_its_reader(front, engine):
    started = time.monotonic()
    with httpx.stream("GET", front.main + "/slow") as reply:
        first = next(reply.iter_lines())
        assert first == "0"
        assert time.monotonic() - started < 5
    assert engine.finished.wait(10)


def test_without_an_engine_pages_wait_and_receiving_goes_on(front):
    reply = httpx.get(front.main + "/api/v1/status")
    assert reply.status_code == 503
    assert "the engine is restarting" in reply.json()["error"]["message"]
    accepted = httpx.post(front.main + "/v1/traces", content=SPAN_BODY, headers={"Content-Type": "application/x-protobuf"})
    assert accepted.status_code == 200


def test_a_port_in_use_is_named(tmp_path, tokens):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        for name in ("http", "otlp_http", "otlp_grpc", "hec"):
            addresses = {"http": "off", "otlp_http": "off", "otlp_grpc": "off", "hec": "off"}
            addresses[name] = f"127.0.0.1:{port}"
            settings = Settings(data=tmp_path, listen=ListenSettings(**addresses))
            with pytest.raises(EnvironmentTrouble, match=f'listener "{name}" cannot use 127.0.0.1:{port}'):
                asyncio.run(serve_front(settings, tokens))


def test_away_from_loopback_otlp_needs_a_token(tmp_path, tokens):
    assert is_loopback("127.0.0.1")
    assert is_loopback("::1")
    assert not is_loopback("0.0.0.0")
    (port,) = free_ports(1)
    settings = Settings(data=tmp_path, listen=ListenSettings("off", f"0.0.0.0:{port}", "off", "off"))

    async def ask():
        stop = asyncio.Event()
        serving = asyncio.create_task(serve_front(settings, tokens, stop=stop))
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:
            statuses = []
            for headers in ({}, {"Authorization": "Bearer otlp-good"}):
                while True:
                    try:
                        reply = await client.post(
                            "/v1/traces", headers={"Content-Type": "application/json", **headers}, content=b"{}"
                        )
                        break
                    except httpx.TransportError:
                        await asyncio.sleep(0.05)
                statuses.append(reply.status_code)
        stop.set()
        await serving
        return statuses

    assert asyncio.run(ask()) == [401, 200]


def test_a_full_disk_says_retry_later_in_every_protocol(tmp_path, tokens):
    front = Front(tmp_path, tokens, disk_reserve_bytes=1 << 60)
    try:
        reply = httpx.post(front.otlp + "/v1/traces", content=SPAN_BODY, headers={"Content-Type": "application/x-protobuf"})
        assert reply.status_code == 503
        assert int(reply.headers["retry-after"]) > 0
        assert b"bytes free" in reply.content
        authorization = {"Authorization": "Splunk hec-good"}
        busy = httpx.post(front.hec + "/services/collector", content='{"event":"x"}', headers=authorization)
        assert (busy.status_code, busy.json()["code"]) == (503, 9)
        assert httpx.get(front.hec + "/services/collector/health").json()["code"] == 18
        with grpc.insecure_channel(front.grpc) as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")(SPAN_BODY)
        assert caught.value.code() == grpc.StatusCode.UNAVAILABLE
    finally:
        front.close()


def test_a_body_over_the_limit_is_refused_without_reading_it_all(tmp_path, tokens):
    front = Front(tmp_path, tokens, max_body_bytes=1000)
    try:
        headers = {"Content-Type": "application/x-protobuf"}
        assert httpx.post(front.otlp + "/v1/traces", content=b"x" * 2000, headers=headers).status_code == 413
        endless = httpx.post(front.otlp + "/v1/traces", content=iter([b"x" * 600] * 2), headers=headers)
        assert endless.status_code == 413
        with grpc.insecure_channel(front.grpc) as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/opentelemetry.proto.collector.trace.v1.TraceService/Export")(b"x" * 2000)
        assert caught.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        authorization = {"Authorization": "Splunk hec-good"}
        assert httpx.post(front.hec + "/services/collector", content="x" * 2000, headers=authorization).status_code == 413
    finally:
        front.close()


def test_settings_ask_for_a_token_on_loopback_too(tmp_path, tokens):
    front = Front(tmp_path, tokens, otlp_needs_token=True)
    try:
        assert IngestSettings().otlp_needs_token is False
        assert httpx.post(front.otlp + "/v1/logs", headers={"Content-Type": "application/json"}).status_code == 401
        with grpc.insecure_channel(front.grpc) as channel, pytest.raises(grpc.RpcError) as caught:
            channel.unary_unary("/opentelemetry.proto.collector.logs.v1.LogsService/Export")(b"")
        assert caught.value.code() == grpc.StatusCode.UNAUTHENTICATED
    finally:
        front.close()


def test_our_own_metrics_are_exposed(front, load):
    """What Prometheus' client parses, with counts that add up to what was sent."""
    from prometheus_client.parser import text_string_to_metric_families

    headers = {"Authorization": "Splunk hec-good"}
    body = '{"event":"a"}{"event":"b"}'
    assert httpx.post(front.main + "/services/collector", content=body, headers=headers).status_code == 200
    assert httpx.post(front.main + "/services/collector", content=body).status_code == 401
    answer = httpx.get(front.main + "/metrics")
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/plain")
    samples = {
        (s.name, *s.labels.values()): s.value
        for family in text_string_to_metric_families(answer.text)
        for s in family.samples
    }
    assert samples["sightline_journal_records_total", "hecevent"] == 2
    assert samples["sightline_journal_requests_total", "hecevent"] == 1
    assert samples["sightline_refused_records_total", "", "Token is required", "hec:events"] == 1
    assert samples["sightline_quarantine_requests",] == 0
    assert samples["sightline_accepting",] == 1 and samples["process_resident_memory_bytes",] > 1e6
    assert httpx.get(front.main + "/metrics", headers={"Authorization": "Bearer nonsense"}).status_code == 401
