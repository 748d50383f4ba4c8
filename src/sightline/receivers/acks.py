"""Acknowledgement ids of HEC channels. A request is answered when it is durable, so every id handed out is true."""

from __future__ import annotations

from sightline.clock import Clock

IDLE_S = 600.0
MAX_PENDING = 1_000_000
"""Ids a channel may leave unasked before the oldest are forgotten."""


class AckChannels:
    """Counts per channel; a channel that is idle for `IDLE_S` is forgotten."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._channels: dict[str, _Channel] = {}

    def new(self, channel: str) -> int:
        """The id of a request that is durable."""
        self._expire()
        state = self._channels.setdefault(channel, _Channel())
        state.used_at = self._clock()
        number = state.next
        state.next += 1
        state.pending[number] = None
        if len(state.pending) > MAX_PENDING:
            del state.pending[next(iter(state.pending))]
        return number

    def take(self, channel: str, numbers: list[int]) -> dict[str, bool]:
        """Which ids are durable. True is told once; an unknown id is false."""
        self._expire()
        state = self._channels.get(channel)
        if state is None:
            return {str(number): False for number in numbers}
        state.used_at = self._clock()
        answer = {}
        for number in numbers:
            answer[str(number)] = number in state.pending
            state.pending.pop(number, None)
        return answer

    def _expire(self) -> None:
        oldest = self._clock() - IDLE_S
        for name in [name for name, state in self._channels.items() if state.used_at < oldest]:
            del self._channels[name]


class _Channel:
    def __init__(self) -> None:
        self.next = 0
        self.pending: dict[int, None] = {}
        self.used_at = float("inf")
