"""Recognises a request that was sent again because its answer was lost, so that it is stored once.

Enters: a request's key and how to store it. Leaves: whether it was stored now. What is remembered are the latest
requests of this process: one that comes again after a restart is stored again.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Hashable


class Repeats:
    """The latest requests. Belongs to one event loop."""

    def __init__(self, remembered: int) -> None:
        self._remembered = remembered
        self._seen: dict[Hashable, asyncio.Future[None]] = {}

    async def once(self, key: Hashable, store: Callable[[], Awaitable[None]]) -> bool:
        """Store unless a request with this key is stored or on its way; False when it was. Raises what storing raises.

        A client that ran out of patience may send again while the first is still being written. Then both wait for it,
        and the first client's going away must not end it.
        """
        if not self._remembered:
            await store()
            return True
        earlier = self._seen.get(key)
        if earlier is not None:
            await asyncio.shield(earlier)
            return False
        writing = asyncio.ensure_future(store())
        self._seen[key] = writing
        writing.add_done_callback(lambda done: self._forget(key, done))
        await asyncio.shield(writing)
        return True

    def _forget(self, key: Hashable, done: asyncio.Future[None]) -> None:
        # What failed is not remembered: it must be stored when it comes again.
        if done.cancelled() or done.exception() is not None:
            self._seen.pop(key, None)
        while len(self._seen) > self._remembered:
            self._seen.pop(next(iter(self._seen)))
