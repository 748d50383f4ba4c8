"""A receiver of webhooks, as small as can be: keeps what is posted to it."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


class Webhook:
    """Listens on a free loopback port from the start until `close`. `url` is where to post."""

    def __init__(self) -> None:
        self._received: list[Any] = []
        self._lock = threading.Lock()
        webhook = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                try:
                    notice = json.loads(body)
                except ValueError:
                    self.send_error(400, "wanted JSON")
                    return
                with webhook._lock:
                    webhook._received.append(notice)
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_: Any) -> None:
                """The demo says itself what was received."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}/alerts"
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.1,), daemon=True)
        self._thread.start()

    def received(self) -> list[Any]:
        """Everything received so far, oldest first."""
        with self._lock:
            return list(self._received)

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()
