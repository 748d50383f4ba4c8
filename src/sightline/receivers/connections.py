"""Connections over HTTP that may be slow, and not for ever: a thousand that send a byte a minute must cost next to nothing."""

from __future__ import annotations

import asyncio
from typing import Any

from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol


def patient_protocol(header_timeout_s: float) -> type[asyncio.Protocol]:
    """The server's protocol, which closes a connection whose next request has begun, or could, and does not come to the end
    of its header within this time. Between requests the server's own time for idle connections holds."""

    class Patient(HttpToolsProtocol):
        _deadline: asyncio.TimerHandle | None = None

        def connection_made(self, transport: Any) -> None:
            super().connection_made(transport)
            self._set_deadline()

        def connection_lost(self, exc: Exception | None) -> None:
            self._forget_deadline()
            super().connection_lost(exc)

        def on_message_begin(self) -> None:
            self._set_deadline()
            super().on_message_begin()

        def on_headers_complete(self) -> None:
            self._forget_deadline()
            super().on_headers_complete()

        def _set_deadline(self) -> None:
            self._forget_deadline()
            self._deadline = self.loop.call_later(header_timeout_s, self._too_slow)

        def _forget_deadline(self) -> None:
            if self._deadline is not None:
                self._deadline.cancel()
                self._deadline = None

        def _too_slow(self) -> None:
            if self.transport is not None and not self.transport.is_closing():
                self.transport.close()

    return Patient
