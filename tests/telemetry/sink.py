"""An endpoint that keeps what programs tell, and programs that tell it."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import textwrap
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Sink:
    """An OTLP endpoint that keeps what it gets, as dictionaries, and answers as it is told."""

    def __init__(self):
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                status = sink.statuses.pop(0) if sink.statuses else 200
                if status == 200:
                    sink.requests.append((self.path, dict(self.headers), json.loads(gzip.decompress(body))))
                self.send_response(status)
                if status in (429, 503):
                    self.send_header("Retry-After", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        self.requests, self.statuses = [], []
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()

    def bodies(self, signal):
        return [body for path, _, body in self.requests if path == f"/v1/{signal}"]

    def metrics(self):
        """Name -> list of (attributes, point)."""
        found = {}
        for body in self.bodies("metrics"):
            for metric in body["resourceMetrics"][0]["scopeMetrics"][0]["metrics"]:
                data = metric.get("sum") or metric["exponentialHistogram"]
                for point in data["dataPoints"]:
                    found.setdefault(metric["name"], []).append((plain(point["attributes"]), point))
        return found

    def spans(self):
        return [s for body in self.bodies("traces") for s in body["resourceSpans"][0]["scopeSpans"][0]["spans"]]

    def events(self):
        return [r for body in self.bodies("logs") for r in body["resourceLogs"][0]["scopeLogs"][0]["logRecords"]]

    def logs(self):
        """Records of log messages, with the logger's name and plain attributes."""
        return [
            record | {"logger": scope["scope"]["name"], "attributes": plain(record["attributes"])}
            for body in self.bodies("logs")
            for scope in body["resourceLogs"][0]["scopeLogs"]
            for record in scope["logRecords"]
        ]


def plain(attributes):
    return {a["key"]: next(iter(a["value"].values())) for a in attributes}


def program(source: str, sink: Sink, **environment: str) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-c", textwrap.dedent(source)],
        env=os.environ | {"OTEL_EXPORTER_OTLP_ENDPOINT": sink.url, "OTEL_SERVICE_NAME": "from-env"} | environment,
        capture_output=True, text=True, timeout=60,
    )  # fmt: skip
