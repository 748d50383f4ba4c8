"""How many bytes of requests are taken in at once, over all listeners of a process.

Enters: how large a request is. Leaves: the moment when there is room for it, or `Crowded`, which every protocol answers with
its own "retry later". Without this bound memory would be up to the senders: a thousand of them may each send the largest
request at the same moment.

Large requests have most of the room, and small ones a part of their own: a few senders of large ones, however slow, do not
keep the many small ones waiting.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections import deque
from collections.abc import Callable, Coroutine
from typing import Any

from starlette.requests import Request

from sightline.config import IngestSettings
from sightline.journal import JournalFull

COST = 3
"""Memory of a request for each of its bytes: the pieces in which it came and the whole, then the whole and what is cut of it, and
what checking makes of one piece. Measured with spans, log records and events of HEC: 2.1."""
OBJECTS_COST = 12
"""The same where all of it becomes objects at once, as most JSON does. Measured with spans of OTLP in JSON: 10; of what is made to
take much, twice as much."""
LARGE_BYTES = 1024 * 1024
_LARGE_SHARE = 0.75
_PATIENCE_S = 0.5
"""How long a request that does not come keeps its place while others wait."""
_READ_BYTES = 16 * 1024 * 1024
"""Requests that were read before there was room for them, as over gRPC: of more, those that come last do not wait."""
_SCOPE = "sightline.room"


class Crowded(JournalFull):
    """There was no room for a request within the time that it could wait."""

    def __init__(self, limit_bytes: int) -> None:
        super().__init__(f"requests being taken in fill the room there is, {limit_bytes} bytes of memory", 1)


class Room:
    """The room of one process. Belongs to one event loop."""

    def __init__(self, settings: IngestSettings) -> None:
        large = int(settings.max_inflight_bytes * _LARGE_SHARE)
        self._large = _Lane(large, settings.room_wait_s)
        self._small = _Lane(settings.max_inflight_bytes - large, settings.room_wait_s)

    def share(self) -> Share:
        """The part of one request; give it back with `leave`."""
        return Share(self._small, self._large)

    @property
    def taken_bytes(self) -> int:
        """Memory that requests hold at this moment, by the estimate."""
        return self._small.taken + self._large.taken


class Share:
    """What one request holds of the room."""

    def __init__(self, small: _Lane, large: _Lane) -> None:
        self._lane, self._large = small, large
        self._held = 0

    async def hold(self, size_bytes: int, read_bytes: int = 0) -> None:
        """Hold so much in all, no more and no less; waits for what is missing. Raises Crowded, and at once where `read_bytes` of it
        are in memory already while others of which that is so wait as well."""
        lane = self._lane if size_bytes <= COST * LARGE_BYTES else self._large
        if lane.read_bytes and lane.read_bytes + read_bytes > _READ_BYTES:
            raise Crowded(lane.limit)
        if lane is not self._lane:
            # What it held among the small ones is given back first, so that nobody waits for a lane while holding another.
            self.leave()
            self._lane = lane
        if size_bytes > self._held:
            lane.read_bytes += read_bytes
            try:
                await lane.take(size_bytes - self._held, self._held)
            finally:
                lane.read_bytes -= read_bytes
        else:
            lane.give(self._held - size_bytes)
        self._held = size_bytes

    def leave(self) -> None:
        """Give everything back."""
        self._lane.give(self._held)
        self._held = 0


class _Lane:
    def __init__(self, limit: int, wait_s: float) -> None:
        self.taken = 0
        self.limit = limit
        self.read_bytes = 0
        """What those that wait hold of memory already."""
        self._wait_s = wait_s
        self._waiting: deque[tuple[int, int, asyncio.Future[None]]] = deque()

    async def take(self, size: int, held: int) -> None:
        if not self._waiting and self._fits(size, held):
            self.taken += size
            return
        turn: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        entry = (size, held, turn)
        self._waiting.append(entry)
        try:
            await asyncio.wait_for(turn, self._wait_s)
        except TimeoutError:
            raise Crowded(self.limit) from None
        except asyncio.CancelledError:
            if turn.done() and not turn.cancelled():
                # Its turn had come in the moment in which its sender went away.
                self.give(size)
            raise
        finally:
            # Whoever gives up makes place in the row; the one that woke others may have done that already.
            with contextlib.suppress(ValueError):
                self._waiting.remove(entry)
            self._wake()

    def give(self, size: int) -> None:
        self.taken -= size
        self._wake()

    def _fits(self, size: int, held: int) -> bool:
        # A request that is larger than all there is must have a way too: alone.
        return self.taken + size <= self.limit or self.taken == held

    def _wake(self) -> None:
        while self._waiting:
            size, held, turn = self._waiting[0]
            if not turn.done():
                if not self._fits(size, held):
                    return
                self.taken += size
                turn.set_result(None)
            self._waiting.popleft()


class WithRoom:
    """The layer around an HTTP application that gives each request its share, and takes it back at the end."""

    def __init__(self, app: Any, room: Room) -> None:
        self._app = app
        self._room = room

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        share = self._room.share()
        scope[_SCOPE] = share
        try:
            await self._app(scope, receive, send)
        finally:
            share.leave()


def share_of(request: Request) -> Share | None:
    """The share of a request, where its listener has room to share."""
    return request.scope.get(_SCOPE)


class Reading:
    """A few at a time may come in whose size nobody knows before. One that waits for its sender makes place for the next:
    the one that has waited longest is refused, so that many slow senders hold up nobody. Belongs to one event loop."""

    def __init__(self, places: int, timeout_s: float) -> None:
        self._places = places
        self._timeout_s = timeout_s
        self._read: dict[asyncio.Task[bytes], float] = {}
        self._left = asyncio.Event()

    async def turn(self, request: Callable[[], Coroutine[Any, Any, bytes]]) -> bytes:
        """What this gives, asked when there is a place for it. Raises JournalFull when it was too slow in coming."""
        loop = asyncio.get_running_loop()
        while len(self._read) >= self._places:
            oldest, since = next(iter(self._read.items()))
            if loop.time() - since >= _PATIENCE_S:
                del self._read[oldest]
                oldest.cancel()
                break
            self._left.clear()
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._left.wait(), _PATIENCE_S)
        task = asyncio.ensure_future(request())
        self._read[task] = loop.time()
        try:
            done, _ = await asyncio.wait([task], timeout=self._timeout_s)
            if done and not task.cancelled():
                return task.result()
            raise JournalFull("the request was too slow in coming and others wait", 1)
        finally:
            self._read.pop(task, None)
            self._left.set()
            if not task.done():
                task.cancel()
