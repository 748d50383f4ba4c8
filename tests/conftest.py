"""What many tests share: a store for each module, and one running server for the whole run."""

from __future__ import annotations

import contextlib
import os
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

START_S = 60.0
"""Longest time a server may take to start on a busy machine."""


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--rewrite", action="store_true", help="write the answers and plans of today into their files")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """An opened store in a directory of its own, for one module: the engine opens one directory at a time."""
    from sightline.config import Settings
    from sightline.store.embedded import EmbeddedStore

    folder = tmp_path_factory.mktemp("store")
    with EmbeddedStore(folder / "engine", Settings(data=folder)) as opened:
        yield opened


def free_ports(count: int) -> list[int]:
    """Ports that were free a moment ago, all different."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.socket()) for _ in range(count)]
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]


@dataclass
class Server:
    """A `sightline serve` of real processes, with tokens of each kind."""

    data: Path
    http_port: int
    otlp_http_port: int
    otlp_grpc_port: int
    hec_port: int
    tokens: dict[str, str] = field(default_factory=dict)
    environment: dict[str, str] = field(default_factory=dict)
    process: subprocess.Popen | None = None

    @property
    def url(self) -> str:
        """Address of the page and the API."""
        return f"http://127.0.0.1:{self.http_port}"

    @property
    def token(self) -> str:
        """An API token of an administrator."""
        return self.tokens["api"]

    @property
    def log(self) -> str:
        """What the server wrote so far."""
        return (self.data.parent / f"{self.data.name}.log").read_text()

    def client(self, **options) -> httpx.Client:
        """An HTTP client that is signed in by the API token."""
        headers = {"Authorization": f"Bearer {self.token}"}
        return httpx.Client(base_url=self.url, headers=headers, timeout=60.0, trust_env=False, **options)

    def command(self) -> list[str]:
        """The command line that starts this server."""
        ports = {
            "--http": self.http_port,
            "--otlp-http": self.otlp_http_port,
            "--otlp-grpc": self.otlp_grpc_port,
            "--hec": self.hec_port,
        }
        listeners = [part for name, port in ports.items() for part in (name, f"127.0.0.1:{port}")]
        return [sys.executable, "-m", "sightline", "serve", "--data", str(self.data), *listeners]

    def start(self, wait: bool = True) -> None:
        """Starts the processes, and waits until the engine answers."""
        with (self.data.parent / f"{self.data.name}.log").open("a") as log:
            self.process = subprocess.Popen(
                self.command(),
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
                env=os.environ | self.environment,
            )
        if wait:
            self.wait_ready()

    def wait_ready(self, timeout_s: float = START_S) -> None:
        """Waits until the engine answers through the front."""
        end = time.monotonic() + timeout_s
        while True:
            with contextlib.suppress(httpx.HTTPError):
                if httpx.get(f"{self.url}/api/v1/health", timeout=5.0, trust_env=False).status_code == 200:
                    return
            assert self.process is not None and self.process.poll() is None, f"the server ended:\n{self.log}"
            assert time.monotonic() < end, f"the server did not start within {timeout_s} s:\n{self.log}"
            time.sleep(0.1)

    def pid(self, name: str) -> int:
        """Process id of `engine` or `front`."""
        return int((self.data / "run" / f"{name}.pid").read_text())

    def stop(self) -> int:
        """Ends the server in an orderly way and returns its exit status."""
        if self.process is None:
            return 0
        self.process.terminate()
        try:
            return self.process.wait(40)
        except subprocess.TimeoutExpired:
            self.process.kill()
            raise

    def search(self, text: str, **options) -> list[dict]:
        """Rows of a search as dictionaries, run to its end over HTTP."""
        from sightline.client import Client

        return Client(self.url, self.token).search(text, **options).to_pylist()

    def wait_for(self, text: str, claim, timeout_s: float = 30.0, **options) -> list[dict]:
        """Repeats a search until `claim(rows)` holds, and returns the rows."""
        end = time.monotonic() + timeout_s
        while True:
            rows = self.search(text, **options)
            if claim(rows):
                return rows
            assert time.monotonic() < end, f"not within {timeout_s} s: {text}\nlast rows: {rows[:5]}\n{self.log}"
            time.sleep(0.2)


def make_server(folder: Path, **environment: str) -> Server:
    """A server that is not started yet, on free ports, with a token `api`, `hec` and `otlp` in its catalog."""
    server = Server(folder / "data", *free_ports(4), environment=environment)
    from sightline.catalog import Catalog
    from sightline.datadir import DataDirectory

    catalog = Catalog(DataDirectory(server.data).path)
    for kind in ("api", "hec", "otlp"):
        server.tokens[kind] = catalog.tokens.create(kind, f"test {kind}")[1]
    catalog.close()
    return server


@pytest.fixture(scope="session")
def server(tmp_path_factory) -> Iterator[Server]:
    """A running server for the whole run. Tests share it: each uses indexes and names of its own."""
    made = make_server(tmp_path_factory.mktemp("server"))
    made.start()
    yield made
    assert made.stop() == 0, made.log


@pytest.fixture(scope="module")
def own_server(tmp_path_factory) -> Iterator[Server]:
    """A running server of one module alone, for tests that begin with an empty one."""
    made = make_server(tmp_path_factory.mktemp("own"))
    made.start()
    yield made
    made.stop()


@pytest.fixture
def new_server(tmp_path) -> Iterator[Server]:
    """A server of this test alone, not started yet; it may be killed and started again."""
    made = make_server(tmp_path)
    yield made
    made.stop()


@pytest.fixture
def servers(tmp_path) -> Iterator[Callable[..., Server]]:
    """Makes and starts servers of this test alone, each in a folder of its own: name -> server."""
    made: list[Server] = []

    def start(name: str, started: bool = True) -> Server:
        made.append(make_server(tmp_path / name))
        if started:
            made[-1].start()
        return made[-1]

    yield start
    for one in made:
        one.stop()
