"""A Sightline of the demo's own: its process, its tokens, and its HTTP API as the demo uses it.

Everything goes through the command line and the HTTP API, as it would for a person or a program of somebody else's.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

STOP_TIMEOUT_S = 20.0
SEARCH_TIMEOUT_S = 60.0


class DemoError(Exception):
    """Something the demo cannot go on without did not work. `str(error)` is fit to show."""


@dataclass(frozen=True, slots=True)
class Addresses:
    """Where the demo's Sightline listens: `host:port` each."""

    http: str = "127.0.0.1:8000"
    otlp_http: str = "127.0.0.1:4318"
    otlp_grpc: str = "127.0.0.1:4317"
    hec: str = "127.0.0.1:8088"


@dataclass(frozen=True, slots=True)
class Result:
    """A search's answer: rows as dictionaries in the order of the result, and the names of the columns in order."""

    columns: list[str]
    rows: list[dict[str, Any]]


class Server:
    """`sightline serve` on a data directory, and calls of its API. Start it, use it, stop it."""

    def __init__(self, data: Path, logs: Path, addresses: Addresses) -> None:
        self._data = data
        self._log = logs / "sightline.log"
        self._addresses = addresses
        self._process: subprocess.Popen[bytes] | None = None
        self._secrets = data.parent / "tokens.json"
        self.url = f"http://{addresses.http}"
        self._client = httpx.Client(base_url=f"{self.url}/api/v1", timeout=60)

    def token(self, kind: str, index: str = "") -> str:
        """The demo's token of this kind, made at the first call. Tokens are shown once, so the demo keeps a copy."""
        secrets = json.loads(self._secrets.read_text()) if self._secrets.exists() else {}
        if kind not in secrets:
            arguments = ["token", "create", "--kind", kind, "--name", f"demo-{kind}"]
            secrets[kind] = self._command(*arguments, *(["--index", index] if index else []))
            self._secrets.touch(mode=0o600)
            self._secrets.write_text(json.dumps(secrets))
        return secrets[kind]

    def login_link(self) -> str:
        """An address that signs its visitor in, once. Only after `start`."""
        return self._command("user", "link", "admin")

    def start(self, timeout_s: float = 60.0) -> None:
        """Start the server and wait until it answers. Raises DemoError with the server's own words when it does not."""
        self._client.headers["Authorization"] = f"Bearer {self.token('api')}"
        command = [_program(), "serve", "--data", str(self._data)]
        command += ["--http", self._addresses.http, "--otlp-http", self._addresses.otlp_http]
        command += ["--otlp-grpc", self._addresses.otlp_grpc, "--hec", self._addresses.hec]
        with self._log.open("wb") as log:
            # A session of its own: Ctrl-C reaches the demo alone, which stops the server when the shop is closed.
            self._process = subprocess.Popen(
                command, stdin=subprocess.DEVNULL, stdout=log, stderr=subprocess.STDOUT, start_new_session=True
            )
        deadline = time.monotonic() + timeout_s
        while True:
            try:
                if self._client.get("/status", timeout=5).status_code == 200:
                    return
            except httpx.HTTPError:
                pass
            if self._process.poll() is not None:
                raise DemoError(f"sightline did not start:\n{self._last_words()}")
            if time.monotonic() > deadline:
                raise DemoError(f"sightline did not answer within {timeout_s:g} s:\n{self._last_words()}")
            time.sleep(0.1)

    def check(self) -> None:
        """Raises DemoError when the server ended by itself."""
        if self._process is not None and self._process.poll() is not None:
            raise DemoError(f"sightline ended by itself:\n{self._last_words()}")

    def stop(self) -> None:
        """End the server, and wait for it."""
        self._client.close()
        if self._process is None:
            return
        self._process.send_signal(signal.SIGTERM)
        try:
            self._process.wait(STOP_TIMEOUT_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._process.pid, signal.SIGKILL)
            self._process.wait()

    def call(self, method: str, path: str, body: Any = None) -> Any:
        """One call of the API. Raises DemoError with the API's message when it is refused."""
        try:
            response = self._client.request(method, path, json=body)
        except httpx.HTTPError as error:
            raise DemoError(f"{method} {path}: {error}") from error
        if response.is_error:
            try:
                message = response.json()["error"]["message"]
            except (ValueError, KeyError, TypeError):
                message = response.text[:300]
            raise DemoError(f"{method} {path} answered {response.status_code}: {message}")
        return response.json() if response.content else None

    def search(self, text: str, earliest: str = "-15m", latest: str = "now") -> Result:
        """Run a search and wait for its answer. Raises DemoError when it fails."""
        job = self.call("POST", "/search/jobs", {"search": text, "earliest": earliest, "latest": latest})
        deadline = time.monotonic() + SEARCH_TIMEOUT_S
        while job["state"] in ("queued", "running"):
            if time.monotonic() > deadline:
                raise DemoError(f"a search took longer than {SEARCH_TIMEOUT_S:g} s: {text}")
            time.sleep(0.05)
            job = self.call("GET", f"/search/jobs/{job['sid']}")
        if job["state"] != "done":
            messages = "; ".join(m["text"] for m in job["messages"]) or job["state"]
            raise DemoError(f"a search failed: {messages}\n{text}")
        answer = self.call("GET", f"/search/jobs/{job['sid']}/results?offset=0&count=1000")
        columns = [f["name"] for f in answer["fields"]]
        return Result(columns, [dict(zip(columns, row, strict=True)) for row in answer["rows"]])

    def keep(self, kind: str, wanted: dict[str, Any]) -> dict[str, Any]:
        """Make a saved search or an alert (`kind` is the API's path) with this name, or bring the one there is up to
        date."""
        existing = next((x for x in self.call("GET", kind) if x["name"] == wanted["name"]), None)
        if existing is None:
            return self.call("POST", kind, wanted)
        return self.call("PUT", f"{kind}/{existing['id']}", wanted)

    def _command(self, *arguments: str) -> str:
        """What a `sightline` command prints, run on the demo's data directory."""
        done = subprocess.run(
            [_program(), *arguments, "--data", str(self._data)],
            capture_output=True,
            text=True,
            stdin=subprocess.DEVNULL,
        )
        if done.returncode != 0:
            raise DemoError(f"sightline {' '.join(arguments[:2])} failed:\n{done.stderr.strip()}")
        return done.stdout.strip()

    def _last_words(self) -> str:
        lines = self._log.read_text(errors="replace").splitlines()[-15:] if self._log.exists() else []
        return re.sub(r"\x1b\[[0-9;]*m", "", "\n".join(lines))


def _program() -> str:
    return str(Path(sys.executable).parent / "sightline")
