"""Syslog over UDP, TCP and TLS: RFC 5424 and 3164, framed by lines or by length (RFC 6587).

Enters: datagrams and streams. Leaves: the messages in the journal as they came, with the sender's address; the engine takes
them apart. Syslog has no answer, so nothing is acknowledged: what is refused (a full journal, a message over the limit) is
counted in the ledger. A stream is read no faster than the journal takes it, so that a sender over TCP waits instead.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from pathlib import Path

from sightline.config import IngestSettings, SyslogSettings
from sightline.errors import UserError
from sightline.receivers.acceptance import Acceptance, Refused

log = logging.getLogger(__name__)

_SOURCE = "syslog"
_READ_BYTES = 64 * 1024
_LENGTH_DIGITS = 7
"""A frame's length in digits at most; longer is no length but text."""


class SyslogReceiver:
    """Gathers messages and journals them. Belongs to one event loop."""

    def __init__(self, acceptance: Acceptance, settings: SyslogSettings, ingest: IngestSettings) -> None:
        self._acceptance = acceptance
        self._settings = settings
        self._datagrams: dict[str, list[bytes]] = {}
        self._datagram_bytes = 0
        self._flush: asyncio.TimerHandle | None = None
        self._writing: set[asyncio.Task[None]] = set()
        self._connections: dict[asyncio.StreamWriter, None] = {}
        self._limit_bytes = ingest.max_body_bytes

    # -- datagrams

    def datagram(self, data: bytes, peer: str) -> None:
        """One message from `peer`. Never blocks and never raises; what finds no room is counted as refused."""
        if self._datagram_bytes > self._limit_bytes:
            self._acceptance.refused(Refused(503, "more datagrams arrive than can be written"), _SOURCE)
            return
        self._datagrams.setdefault(peer, []).append(self._whole(data))
        self._datagram_bytes += len(data)
        if self._flush is None:
            loop = asyncio.get_running_loop()
            self._flush = loop.call_later(self._settings.gather_ms / 1000, self._write_datagrams)

    def _write_datagrams(self) -> None:
        waiting, self._datagrams, self._datagram_bytes, self._flush = self._datagrams, {}, 0, None
        for peer, messages in waiting.items():
            task = asyncio.get_running_loop().create_task(self._write_or_count(peer, messages))
            # The loop keeps only a weak reference to a task.
            self._writing.add(task)
            task.add_done_callback(self._writing.discard)

    async def _write_or_count(self, peer: str, messages: list[bytes]) -> None:
        try:
            await self._write(peer, messages)
        except Refused as refusal:
            log.warning("%s syslog messages are lost: %s", len(messages), refusal.message)

    async def close(self) -> None:
        """Write what was gathered."""
        if self._flush is not None:
            self._flush.cancel()
            self._write_datagrams()
        if self._writing:
            await asyncio.wait(self._writing)

    # -- streams

    async def stream(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """One connection, to its end."""
        peer = str((writer.get_extra_info("peername") or ("",))[0])
        while len(self._connections) >= self._settings.max_connections:
            # The one that has said nothing for longest: an idle or a slow sender comes back, and a new one has something to say.
            idle = next(iter(self._connections))
            del self._connections[idle]
            idle.close()
        self._connections[writer] = None
        splitter = Splitter(self._settings.max_message_bytes)
        try:
            while data := await reader.read(_READ_BYTES):
                if writer in self._connections:
                    # The last in the row is the one that spoke last.
                    self._connections[writer] = self._connections.pop(writer)
                await self._write_patiently(peer, splitter.feed(data))
            await self._write_patiently(peer, splitter.end())
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, TimeoutError) as error:
            log.info("a syslog connection from %s ended: %s", peer, error)
        finally:
            self._connections.pop(writer, None)
            if splitter.cut:
                message = f"a message is longer than {self._settings.max_message_bytes} bytes; its end was cut"
                self._acceptance.refused(Refused(413, message), _SOURCE, records=splitter.cut)
            writer.close()

    async def _write_patiently(self, peer: str, messages: list[bytes]) -> None:
        """Waits while there is no room: the sender then waits too."""
        while messages:
            try:
                await self._write(peer, messages)
                return
            except Refused as refusal:
                await asyncio.sleep(refusal.retry_after_s or 1)

    async def _write(self, peer: str, messages: list[bytes]) -> None:
        if messages:
            # Text that is no UTF-8 becomes text here: replaced letters are better than a message that nobody can show.
            body = b"\n".join([peer.encode(), *messages]).decode("utf-8", "replace").encode()
            index = self._settings.index
            await self._acceptance.store("syslog", body, _SOURCE, index=index, records=len(messages))

    def _whole(self, data: bytes) -> bytes:
        """A datagram as one line."""
        limit = self._settings.max_message_bytes
        if len(data) > limit:
            self._acceptance.refused(Refused(413, f"a message is longer than {limit} bytes; its end was cut"), _SOURCE)
        return data[:limit].strip(b"\r\n\0").replace(b"\r\n", b" ").replace(b"\n", b" ") or b" "


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


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, receiver: SyslogReceiver) -> None:
        self._receiver = receiver

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._receiver.datagram(data, str(addr[0]))


async def listen_datagrams(receiver: SyslogReceiver, sock: object) -> asyncio.DatagramTransport:
    """Receive from a bound socket until the transport is closed."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Datagrams(receiver), sock=sock)  # type: ignore[arg-type]
    return transport


async def listen_stream(receiver: SyslogReceiver, sock: object, context: ssl.SSLContext | None = None) -> asyncio.Server:
    """Receive connections of a listening socket until the server is closed."""
    return await asyncio.start_server(receiver.stream, sock=sock, ssl=context, limit=_READ_BYTES // 2)  # type: ignore[arg-type]


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
