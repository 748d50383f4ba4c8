"""Listeners that get lines and answer nothing: gathering datagrams, reading streams, and writing both to the journal.

Enters: datagrams and streams. Leaves: messages, handed to `write` by the sender's address. Nothing is acknowledged: what is
refused (a full journal, a message over the limit) is counted in the ledger. A stream is read no faster than the journal takes
it, so that a sender over TCP waits instead.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from abc import ABC, abstractmethod
from typing import Protocol

from sightline.config import IngestSettings
from sightline.receivers.acceptance import Acceptance, Refused

log = logging.getLogger(__name__)

_READ_BYTES = 256 * 1024


class Limits(Protocol):
    """The settings that these listeners have in common."""

    @property
    def max_message_bytes(self) -> int: ...
    @property
    def max_connections(self) -> int: ...
    @property
    def gather_ms(self) -> float: ...


class Splitter(Protocol):
    """Cuts a stream into messages. `cut` is how many were longer than the limit."""

    cut: int

    def feed(self, data: bytes) -> list[bytes]: ...
    def end(self) -> list[bytes]: ...


class LineReceiver(ABC):
    """Gathers messages and journals them. Belongs to one event loop."""

    source = ""
    """The name in the ledger."""

    def __init__(self, acceptance: Acceptance, settings: Limits, ingest: IngestSettings) -> None:
        self._acceptance = acceptance
        self._settings = settings
        self._datagrams: dict[str, list[bytes]] = {}
        self._datagram_bytes = 0
        self._flush: asyncio.TimerHandle | None = None
        self._writing: set[asyncio.Task[None]] = set()
        self._connections: dict[asyncio.StreamWriter, None] = {}
        self._limit_bytes = ingest.max_body_bytes

    @abstractmethod
    def messages(self, datagram: bytes) -> list[bytes]:
        """The messages in a datagram."""

    @abstractmethod
    def splitter(self) -> Splitter:
        """What cuts a new stream."""

    @abstractmethod
    async def write(self, peer: str, messages: list[bytes]) -> None:
        """Journal messages. Raises Refused."""

    # -- datagrams

    def datagram(self, data: bytes, peer: str) -> None:
        """One message from `peer`. Never blocks and never raises; what finds no room is counted as refused."""
        if self._datagram_bytes > self._limit_bytes:
            self._acceptance.refused(Refused(503, "more datagrams arrive than can be written"), self.source)
            return
        self._datagrams.setdefault(peer, []).extend(self.messages(data))
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
            await self.write(peer, messages)
        except Refused as refusal:
            log.warning("%s messages of %s are lost: %s", len(messages), self.source, refusal.message)

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
        splitter = self.splitter()
        try:
            while data := await reader.read(_READ_BYTES):
                if writer in self._connections:
                    # The last in the row is the one that spoke last.
                    self._connections[writer] = self._connections.pop(writer)
                await self._write_patiently(peer, splitter.feed(data))
            await self._write_patiently(peer, splitter.end())
        except (ConnectionError, asyncio.IncompleteReadError, ssl.SSLError, TimeoutError) as error:
            log.info("a connection of %s from %s ended: %s", self.source, peer, error)
        finally:
            self._connections.pop(writer, None)
            if splitter.cut:
                message = f"a message is longer than {self._settings.max_message_bytes} bytes; its end was cut"
                self._acceptance.refused(Refused(413, message), self.source, records=splitter.cut)
            writer.close()

    async def _write_patiently(self, peer: str, messages: list[bytes]) -> None:
        """Waits while there is no room: the sender then waits too."""
        while messages:
            try:
                await self.write(peer, messages)
                return
            except Refused as refusal:
                await asyncio.sleep(refusal.retry_after_s or 1)


class _Datagrams(asyncio.DatagramProtocol):
    def __init__(self, receiver: LineReceiver) -> None:
        self._receiver = receiver

    def datagram_received(self, data: bytes, addr: tuple[str, int]) -> None:
        self._receiver.datagram(data, str(addr[0]))


async def listen_datagrams(receiver: LineReceiver, sock: object) -> asyncio.DatagramTransport:
    """Receive from a bound socket until the transport is closed."""
    transport, _ = await asyncio.get_running_loop().create_datagram_endpoint(lambda: _Datagrams(receiver), sock=sock)  # type: ignore[arg-type]
    return transport


async def listen_stream(receiver: LineReceiver, sock: object, context: ssl.SSLContext | None = None) -> asyncio.Server:
    """Receive connections of a listening socket until the server is closed."""
    return await asyncio.start_server(receiver.stream, sock=sock, ssl=context, limit=_READ_BYTES // 2)  # type: ignore[arg-type]


class LineSplitter:
    """Cuts a stream at its line ends. Holds one message at most."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._rest = b""
        self._is_skipping = False
        self.cut = 0
        """Messages that were longer than the limit."""

    def feed(self, data: bytes) -> list[bytes]:
        """The messages that are complete with this piece of the stream."""
        *whole, rest = (self._rest + data).split(b"\n")
        if self._is_skipping and whole:
            self._is_skipping = False
            del whole[0]
        if self._is_skipping:
            rest = b""
        elif len(rest) > self._limit:
            whole.append(rest)
            rest, self._is_skipping = b"", True
        self._rest = rest
        return [found for line in whole if (found := self._within(line))]

    def end(self) -> list[bytes]:
        """The message that ends with the stream."""
        rest, self._rest = self._rest, b""
        return [found] if (found := self._within(rest)) else []

    def _within(self, line: bytes) -> bytes:
        self.cut += len(line) > self._limit
        return line[: self._limit].strip(b"\r\0")
