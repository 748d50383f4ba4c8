"""The process that listens: every receiver, the journal's writer, and the way to the engine's process.

Enters: settings and a source of tokens. `run_front` returns when it is told to stop. On the main port whatever is
not for a receiver is passed on to the engine over a unix socket, both ways as a stream; while the engine is away it
answers 503, and receiving goes on.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import functools
import gc
import logging
import signal
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from http.cookiejar import CookieJar, DefaultCookiePolicy
from typing import Any

import httpx
import uvicorn
import uvloop
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from sightline.clock import Clock, system_clock
from sightline.config import Settings
from sightline.errors import EnvironmentTrouble, UserError
from sightline.journal import JournalWriter
from sightline.receivers import (
    collectd,
    elasticsearch,
    exposition,
    hec,
    inputs,
    journald,
    lines,
    loki,
    otlp,
    prometheus,
    push,
    scraping,
    signalfx,
    statsd,
    syslog,
    tailing,
    zipkin,
)
from sightline.receivers.acceptance import Acceptance, Refused
from sightline.receivers.access import TokenSource, is_loopback
from sightline.receivers.connections import patient_protocol
from sightline.receivers.refusals import Refusals
from sightline.receivers.room import Room, WithRoom

log = logging.getLogger(__name__)

_LEDGER_INTERVAL_S = 10.0
_GRACE_S = 5.0
_DATAGRAM_BUFFER_BYTES = 4 * 1024 * 1024
_HOP_BY_HOP = {
    "connection",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
}


def run_front(settings: Settings, token_source: TokenSource, clock: Clock = system_clock) -> None:
    """Listen until SIGTERM or SIGINT. Raises EnvironmentTrouble naming the listener whose port is taken."""
    # What was imported stays, and need not be visited by every collection of garbage.
    gc.freeze()
    uvloop.run(serve_front(settings, token_source, clock))


async def serve_front(
    settings: Settings,
    token_source: TokenSource,
    clock: Clock = system_clock,
    stop: asyncio.Event | None = None,
) -> None:
    """The same inside a running event loop; ends when `stop` is set or at a signal."""
    stop = stop or asyncio.Event()
    listen = settings.listen
    jobs = scraping.read_jobs(settings.data / scraping.FILE)
    own_inputs = inputs.read_inputs(settings.data / inputs.FILE)
    with contextlib.ExitStack() as closing:
        sockets = {
            name: closing.enter_context(contextlib.closing(_bind(name, address)))
            for name, address in (("http", listen.http), ("otlp_http", listen.otlp_http), ("hec", listen.hec))
            if address != "off"
        }
        streams = {
            name: closing.enter_context(contextlib.closing(_bind(name, address)))
            for name, address in (("syslog_tcp", listen.syslog_tcp), ("syslog_tls", listen.syslog_tls))
            if address != "off"
        }
        contexts = {"syslog_tls": syslog.tls_context(settings.syslog)} if "syslog_tls" in streams else {}
        journal = JournalWriter(settings.data / "journal", settings.ingest, clock)
        closing.callback(journal.close)
        refusals = Refusals(journal, clock)
        acceptance = Acceptance(journal, token_source, settings.ingest, refusals)
        receiver = otlp.OtlpReceiver(acceptance, settings.ingest)
        collector = hec.HecReceiver(journal, token_source, settings.ingest, settings.hec, refusals, clock)
        engine = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(
                uds=str(settings.data / "run" / "engine.sock"),
                limits=httpx.Limits(max_connections=None, max_keepalive_connections=32),
            ),
            base_url="http://engine",
            timeout=httpx.Timeout(None, connect=5.0),
            follow_redirects=False,
            # A client keeps cookies by default: one person's session would then go along with everybody's requests.
            cookies=CookieJar(policy=DefaultCookiePolicy(allowed_domains=[])),
        )
        own = exposition.Exposition(acceptance, journal, refusals, settings.data)
        apps = {
            "http": lambda: main_app(receiver, collector, acceptance, settings, engine, own),
            "otlp_http": lambda: otlp_app(receiver, settings),
            "hec": lambda: hec_app(collector),
        }
        room = Room(settings.ingest)
        servers = {name: _Server(_config(_with_room(apps[name](), room, settings), settings)) for name in sockets}
        grpc_server = None
        if listen.otlp_grpc != "off":
            grpc_server = otlp.grpc_server(
                receiver, settings.ingest, room, needs_token=_needs_token(settings, listen.otlp_grpc)
            )
            _bind_grpc(grpc_server, listen.otlp_grpc)
            await grpc_server.start()
        syslogs = syslog.SyslogReceiver(acceptance, settings.syslog, settings.ingest)
        line_servers = [await lines.listen_stream(syslogs, each, contexts.get(name)) for name, each in streams.items()]
        statsds = statsd.StatsdReceiver(acceptance, settings.statsd, settings.ingest)
        if listen.statsd_tcp != "off":
            each = closing.enter_context(contextlib.closing(_bind("statsd_tcp", listen.statsd_tcp)))
            line_servers.append(await lines.listen_stream(statsds, each))
        datagrams = []
        if listen.syslog_udp != "off":
            each = closing.enter_context(contextlib.closing(_bind("syslog_udp", listen.syslog_udp, socket.SOCK_DGRAM)))
            datagrams.append(await lines.listen_datagrams(syslogs, each))
        if listen.statsd_udp != "off":
            each = closing.enter_context(contextlib.closing(_bind("statsd_udp", listen.statsd_udp, socket.SOCK_DGRAM)))
            datagrams.append(await lines.listen_datagrams(statsds, each))
        scraper = scraping.Scraper(acceptance, jobs, settings.ingest, clock)
        scraper.start()
        loop = asyncio.get_running_loop()

        def tell(source: str, why: str, records: int) -> None:
            loop.call_soon_threadsafe(functools.partial(acceptance.refused, Refused(503, why), source, records=records))

        tailer = tailing.Tailer(
            journal, token_source, own_inputs.files, settings.files, settings.data, functools.partial(tell, tailing.SOURCE)
        )
        tailer.start()
        journals = journald.JournaldReader(
            acceptance, token_source, own_inputs.journals, settings.journald, journal.root, settings.data
        )
        journals.start()
        for number in (signal.SIGTERM, signal.SIGINT):
            with contextlib.suppress(NotImplementedError, RuntimeError, ValueError):
                loop.add_signal_handler(number, stop.set)
        tasks = [asyncio.create_task(server.serve(sockets=[sockets[name]])) for name, server in servers.items()]
        ledger = asyncio.create_task(_tell_refusals(refusals))
        try:
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait([stopping, *tasks], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
        finally:
            for server in servers.values():
                server.should_exit = True
            for server in line_servers:
                server.close()
            for transport in datagrams:
                transport.close()
            await scraper.close()
            await asyncio.to_thread(tailer.close)
            await journals.close()
            await syslogs.close()
            await statsds.close()
            if grpc_server:
                await grpc_server.stop(_GRACE_S)
            await asyncio.gather(*tasks, return_exceptions=True)
            ledger.cancel()
            await refusals.flush()
            await engine.aclose()
    for task in tasks:
        # A server that ended by an error, and not because it was told to, is our caller's to know.
        task.result()


def main_app(
    receiver: otlp.OtlpReceiver,
    collector: hec.HecReceiver,
    acceptance: Acceptance,
    settings: Settings,
    engine: httpx.AsyncClient,
    own: exposition.Exposition,
) -> Starlette:
    """The main port: every receiver over HTTP, and everything else from the engine."""
    needs_token = _needs_token(settings, settings.listen.http)

    async def pass_on(request: Request) -> Response:
        return await _pass_on(engine, request)

    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return Starlette(
        routes=[
            *otlp.routes(receiver, needs_token=needs_token),
            *hec.routes(collector),
            *prometheus.routes(acceptance, settings.ingest, needs_token=needs_token),
            *loki.routes(acceptance, settings.ingest, needs_token=needs_token),
            *elasticsearch.routes(acceptance, needs_token=needs_token),
            *(
                route
                for endpoint in (zipkin.SPANS, signalfx.DATAPOINTS, signalfx.EVENTS, collectd.VALUES)
                for route in push.routes(acceptance, endpoint, needs_token=needs_token)
            ),
            *own.routes(needs_token=needs_token),
            Route("/{path:path}", pass_on, methods=methods),
        ]
    )


def otlp_app(receiver: otlp.OtlpReceiver, settings: Settings) -> Starlette:
    """The port for OTLP over HTTP."""
    needs_token = _needs_token(settings, settings.listen.otlp_http)
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return Starlette(
        routes=[
            *otlp.routes(receiver, needs_token=needs_token),
            Route("/{path:path}", otlp.unknown_path, methods=methods),
        ]
    )


def hec_app(collector: hec.HecReceiver) -> Starlette:
    """The port for HEC."""
    methods = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"]
    return Starlette(routes=[*hec.routes(collector), Route("/{path:path}", hec.not_found, methods=methods)])


async def _pass_on(engine: httpx.AsyncClient, request: Request) -> Response:
    has_body = "content-length" in request.headers or "transfer-encoding" in request.headers
    headers = [(k, v) for k, v in request.headers.raw if k.decode("latin-1").lower() not in _HOP_BY_HOP]
    if request.client:
        headers.append((b"x-forwarded-for", request.client.host.encode()))
    target = request.scope.get("raw_path", request.url.path.encode()).split(b"?")[0]
    query = request.scope.get("query_string", b"")
    url = httpx.URL("http://engine", raw_path=target + (b"?" + query if query else b""))
    try:
        upstream = await engine.send(
            engine.build_request(request.method, url, headers=headers, content=request.stream() if has_body else None),
            stream=True,
        )
    except ClientDisconnect:
        return Response(status_code=400)
    except httpx.TransportError as error:
        log.info("the engine does not answer: %s", error)
        message = "the engine is restarting, try again in a moment; receiving goes on"
        return JSONResponse({"error": {"message": message, "kind": "unavailable"}}, 503, headers={"Retry-After": "2"})
    response = StreamingResponse(
        _stream(upstream), status_code=upstream.status_code, background=BackgroundTask(upstream.aclose)
    )
    response.raw_headers = [(k.lower(), v) for k, v in upstream.headers.raw if k.decode().lower() not in _HOP_BY_HOP]
    return response


async def _stream(upstream: httpx.Response) -> AsyncIterator[bytes]:
    try:
        async for piece in upstream.aiter_raw():
            yield piece
    finally:
        # Also when the client goes away: the engine must not go on producing for nobody.
        await upstream.aclose()


async def _tell_refusals(refusals: Refusals) -> None:
    while True:
        await asyncio.sleep(_LEDGER_INTERVAL_S)
        await refusals.flush()


def _needs_token(settings: Settings, address: str) -> bool:
    return settings.ingest.otlp_needs_token or not is_loopback(_host_and_port("", address)[0])


def _host_and_port(name: str, address: str) -> tuple[str, int]:
    host, colon, port = address.rpartition(":")
    if not colon or not host or not port.isdigit():
        raise UserError(f'listener "{name}" wants host:port or off, got "{address}"')
    return host.strip("[]"), int(port)


def _bind(name: str, address: str, kind: socket.SocketKind = socket.SOCK_STREAM) -> socket.socket:
    host, port = _host_and_port(name, address)
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, kind)
    try:
        if kind is socket.SOCK_STREAM:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        else:
            # What arrives while the loop is busy waits here.
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, _DATAGRAM_BUFFER_BYTES)
        listener.bind((host, port))
        if kind is socket.SOCK_STREAM:
            listener.listen(2048)
        listener.setblocking(False)
    except OSError as error:
        listener.close()
        raise _cannot_listen(name, address, error) from error
    return listener


def _bind_grpc(server: object, address: str) -> None:
    name = "otlp_grpc"
    # gRPC's own message on a taken port names neither the listener nor the reason, so the port is tried first.
    _bind(name, address).close()
    try:
        bound = server.add_insecure_port(address)  # type: ignore[attr-defined]
    except RuntimeError as error:
        raise EnvironmentTrouble(f'listener "{name}" cannot use {address}: {error}') from error
    if not bound:
        raise EnvironmentTrouble(f'listener "{name}" cannot use {address}')


def _cannot_listen(name: str, address: str, error: OSError) -> EnvironmentTrouble:
    reason = "the port is in use" if error.errno == errno.EADDRINUSE else str(error.strerror or error)
    return EnvironmentTrouble(f'listener "{name}" cannot use {address}: {reason}')


def _with_room(app: Starlette, room: Room, settings: Settings) -> WithRoom:
    app.state.ingest = settings.ingest
    return WithRoom(_Straight(app), room)


class _Straight:
    """The layer around an application that gives what is posted to a path of its own straight to the endpoint. Layers that answer
    errors and search for routes, which a request would pass otherwise, take longer than to store what it holds; and what an
    endpoint does not catch is answered by the server in the same words."""

    def __init__(self, app: Starlette) -> None:
        self._app = app
        self._endpoints: dict[str, Callable[[Request], Awaitable[Response]]] = {}
        for route in app.routes:
            # The first route of a path counts. One that asks for more than a name has to be searched for.
            if isinstance(route, Route) and "{" not in route.path and "POST" in (route.methods or ()):
                self._endpoints.setdefault(route.path, route.endpoint)

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        endpoint = self._endpoints.get(scope["path"]) if scope["type"] == "http" and scope["method"] == "POST" else None
        if endpoint is None:
            await self._app(scope, receive, send)
            return
        scope["app"] = self._app
        response = await endpoint(Request(scope, receive, send))
        await response(scope, receive, send)


def _config(app: WithRoom, settings: Settings) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=patient_protocol(settings.ingest.header_timeout_s),
        limit_concurrency=settings.ingest.max_connections,
        ws="none",
        loop="none",
        lifespan="off",
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        timeout_keep_alive=75,
        timeout_graceful_shutdown=int(_GRACE_S),
    )


class _Server(uvicorn.Server):
    """A server that leaves the process's signals to us: there are several in one loop."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield
