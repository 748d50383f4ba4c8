"""A front with every listener on a free port, in a thread, beside a store that loads what it receives."""

from __future__ import annotations

import asyncio
import socket
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import httpx
import pytest

from sightline.config import (
    FilesSettings,
    HecSettings,
    IngestSettings,
    JournaldSettings,
    ListenSettings,
    Settings,
    StatsdSettings,
    SyslogSettings,
)
from sightline.receivers.front import serve_front
from sightline.store import EmbeddedStore
from sightline.store.loading import Loader, is_empty


@dataclass(frozen=True)
class Grant:
    name: str
    kind: str
    indexes: tuple[str, ...] = ()
    default_index: str = ""
    host: str = ""
    source: str = ""
    sourcetype: str = ""
    use_ack: bool = False
    allow_query_string: bool = False
    disabled: bool = False

    def allows(self, index: str) -> bool:
        return not self.indexes or index in self.indexes


class Tokens:
    def __init__(self) -> None:
        self.grants = {
            "hec-good": Grant("good", "hec"),
            "hec-narrow": Grant("narrow", "hec", ("app", "app_metrics"), "app", "h0", "s0", "st0"),
            "hec-off": Grant("off", "hec", disabled=True),
            "hec-ack": Grant("acks", "hec", use_ack=True),
            "hec-query": Grant("query", "hec", allow_query_string=True),
            "hec-query-off": Grant("query-off", "hec", allow_query_string=True, disabled=True),
            "otlp-good": Grant("otlp", "otlp"),
            "otlp-app": Grant("otlp-app", "otlp", ("app",), "app"),
            "otlp-off": Grant("otlp-off", "otlp", disabled=True),
        }
        self.datatypes = {"main": "event", "app": "event", "app_metrics": "metric", "metrics": "metric"}

    def find(self, secret):
        return self.grants.get(secret)

    def index_datatype(self, name):
        return self.datatypes.get(name)


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


class Front:
    """A running front and the loader of what it receives."""

    def __init__(
        self,
        data: Path,
        tokens: Tokens,
        syslog: SyslogSettings | None = None,
        hec: HecSettings | None = None,
        files: FilesSettings | None = None,
        statsd: StatsdSettings | None = None,
        journald: JournaldSettings | None = None,
        **ingest: object,
    ) -> None:
        (
            main,
            otlp_http,
            otlp_grpc,
            hec_port,
            self.syslog_udp,
            self.syslog_tcp,
            self.syslog_tls,
            self.statsd_udp,
            self.statsd_tcp,
        ) = free_ports(9)
        self.data = data
        self.main = f"http://127.0.0.1:{main}"
        self.otlp = f"http://127.0.0.1:{otlp_http}"
        self.grpc = f"127.0.0.1:{otlp_grpc}"
        self.hec = f"http://127.0.0.1:{hec_port}"
        (data / "run").mkdir(exist_ok=True)
        self.settings = Settings(
            data=data,
            listen=ListenSettings(
                f"127.0.0.1:{main}",
                f"127.0.0.1:{otlp_http}",
                f"127.0.0.1:{otlp_grpc}",
                f"127.0.0.1:{hec_port}",
                f"127.0.0.1:{self.syslog_udp}" if syslog else "off",
                f"127.0.0.1:{self.syslog_tcp}" if syslog else "off",
                f"127.0.0.1:{self.syslog_tls}" if syslog and syslog.tls_key else "off",
                f"127.0.0.1:{self.statsd_udp}" if statsd else "off",
                f"127.0.0.1:{self.statsd_tcp}" if statsd else "off",
            ),
            syslog=syslog or SyslogSettings(),
            hec=hec or HecSettings(),
            files=files or FilesSettings(),
            statsd=statsd or StatsdSettings(),
            journald=journald or JournaldSettings(),
            ingest=IngestSettings(segment_max_age_s=0.02, **ingest),
        )
        self._tokens = tokens
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._thread.start()
        deadline = time.monotonic() + 20
        while True:
            try:
                httpx.get(self.hec + "/services/collector/health")
                return
            except httpx.TransportError:
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def _run(self) -> None:
        async def main() -> None:
            self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
            await serve_front(self.settings, self._tokens, stop=self._stop)

        asyncio.run(main())

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(20)
        assert not self._thread.is_alive()


@pytest.fixture
def tokens() -> Tokens:
    return Tokens()


@pytest.fixture
def front(tmp_path: Path, tokens: Tokens) -> Iterator[Front]:
    running = Front(tmp_path, tokens)
    yield running
    running.close()


@pytest.fixture
def store(tmp_path: Path) -> Iterator[EmbeddedStore]:
    opened = EmbeddedStore(tmp_path / "engine", Settings(data=tmp_path))
    yield opened
    opened.close()


@pytest.fixture
def load(store: EmbeddedStore, tmp_path: Path):
    """A function that loads all that is acknowledged so far and gives the loader."""
    loader = Loader(store, Settings(data=tmp_path))

    def load() -> Loader:
        deadline = time.monotonic() + 20
        while not is_empty(tmp_path / "journal"):
            loader.load_waiting()
            assert time.monotonic() < deadline
            time.sleep(0.02)
        return loader

    return load
