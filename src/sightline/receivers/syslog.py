"""Syslog over UDP, TCP and TLS: RFC 5424 and 3164, framed by lines or by length (RFC 6587).

Enters: datagrams and streams. Leaves: the messages in the journal as they came, with the sender's address; the engine takes
them apart. What is the same for every listener of lines is in `lines`.
"""

from __future__ import annotations

import ssl
from pathlib import Path

from sightline.config import IngestSettings, SyslogSettings
from sightline.errors import UserError
from sightline.receivers.acceptance import Acceptance, Refused
from sightline.receivers.lines import LineReceiver

_LENGTH_DIGITS = 7
"""A frame's length in digits at most; longer is no length but text."""


class SyslogReceiver(LineReceiver):
    """Gathers messages and journals them. Belongs to one event loop."""

    source = "syslog"

    def __init__(self, acceptance: Acceptance, settings: SyslogSettings, ingest: IngestSettings) -> None:
        super().__init__(acceptance, settings, ingest)
        self._index = settings.index

    def splitter(self) -> Splitter:
        """See `LineReceiver`."""
        return Splitter(self._settings.max_message_bytes)

    def messages(self, datagram: bytes) -> list[bytes]:
        """A datagram is one line."""
        limit = self._settings.max_message_bytes
        if len(datagram) > limit:
            message = f"a message is longer than {limit} bytes; its end was cut"
            self._acceptance.refused(Refused(413, message), self.source)
        return [datagram[:limit].strip(b"\r\n\0").replace(b"\r\n", b" ").replace(b"\n", b" ") or b" "]

    async def write(self, peer: str, messages: list[bytes]) -> None:
        """See `LineReceiver`."""
        if messages:
            # Text that is no UTF-8 becomes text here: replaced letters are better than a message that nobody can show.
            body = b"\n".join([peer.encode(), *messages]).decode("utf-8", "replace").encode()
            await self._acceptance.store("syslog", body, self.source, index=self._index, records=len(messages))


class Splitter:
    """Cuts a stream into messages: `12 <13>hello ...` by length, everything else at line ends. Holds one message at most."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""
        self._skipping = False
        self.cut = 0
        """Messages that were longer than the limit."""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete with this piece of the stream."""
        rest = self._rest + data
        found: list[bytes] = []
        while rest:
            if rest[:1].isdigit() and not self._skipping:
                length, blank, body = rest[: _LENGTH_DIGITS + 1].partition(b" ")
                if length.isdigit() and blank:
                    start = len(length) + 1
                    end = start + int(length)
                    if int(length) <= self._limit:
                        if len(rest) < end:
                            break
                        self._add(found, rest[start:end])
                        rest = rest[end:]
                        continue
                elif not blank and length.isdigit() and len(rest) <= _LENGTH_DIGITS:
                    break
            line, newline, after = rest.partition(b"\n")
            if self._skipping:
                self._skipping = not newline
                rest = after
                continue
            if not newline:
                if len(rest) > self._limit:
                    self._add(found, rest[: self._limit])
                    self.cut += 1
                    self._skipping = True
                    rest = b""
                break
            if len(line) > self._limit:
                self.cut += 1
            self._add(found, line[: self._limit])
            rest = after
        self._rest = rest
        return found

    def end(self) -> list[bytes]:
        """The message that ends with the stream."""
        rest, self._rest = self._rest, b""
        found: list[bytes] = []
        self._add(found, rest[: self._limit])
        return found

    @staticmethod
    def _add(found: list[bytes], message: bytes) -> None:
        message = message.strip(b"\r\n\0").replace(b"\n", b" ")
        if message:
            found.append(message)


def tls_context(settings: SyslogSettings) -> ssl.SSLContext:
    """What the TLS listener shows of itself. Raises UserError for files that cannot be used."""
    if not settings.tls_certificate or not settings.tls_key:
        raise UserError('listener "syslog_tls" wants the settings syslog.tls_certificate and syslog.tls_key')
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    try:
        context.load_cert_chain(Path(settings.tls_certificate), Path(settings.tls_key))
        if settings.tls_client_authority:
            context.load_verify_locations(Path(settings.tls_client_authority))
            context.verify_mode = ssl.CERT_REQUIRED
    except (OSError, ssl.SSLError) as error:
        raise UserError(f'listener "syslog_tls" cannot use its certificate: {error}') from error
    return context
