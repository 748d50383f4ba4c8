"""Acknowledgement ids of HEC channels. A request is answered when it is durable, so every id handed out is true."""

from __future__ import annotations

from collections import OrderedDict

from sightline.clock import Clock
from sightline.config import HecSettings


class AckChannels:
    """Counts per channel; a channel that is idle is forgotten, with what it has not asked for."""

    def __init__(self, clock: Clock, settings: HecSettings) -> None:
        self._clock = clock
        self._settings = settings
        self._channels: OrderedDict[str, _Channel] = OrderedDict()
        """Used longest ago first."""
        self._pending = 0

    def has_room(self, channel: str) -> bool:
        """Whether `new` may be called: there is a bound on channels, and one on ids nobody has asked for."""
        self._expire()
        known = channel in self._channels or len(self._channels) < self._settings.max_channels
        return known and self._pending < self._settings.max_pending_acks

    def fullness(self) -> float:
        """How much is used of the bounds on channels and on ids; from 1 on there may be no room."""
        channels = len(self._channels) / self._settings.max_channels
        return max(channels, self._pending / self._settings.max_pending_acks)

    def new(self, channel: str) -> int:
        """The id of a request that is durable."""
        state = self._used(channel, self._channels.get(channel) or _Channel())
        number = state.next
        state.next += 1
        state.pending.add(number)
        self._pending += 1
        return number

    def take(self, channel: str, numbers: list[int]) -> dict[str, bool]:
        """Which ids are durable. True is told once; an unknown id is false."""
        self._expire()
        state = self._channels.get(channel)
        if state is None:
            return {str(number): False for number in numbers}
        self._used(channel, state)
        told = state.pending.intersection(numbers)
        state.pending -= told
        self._pending -= len(told)
        return {str(number): number in told for number in numbers}

    def _used(self, channel: str, state: _Channel) -> _Channel:
        state.used_at = self._clock()
        self._channels[channel] = state
        self._channels.move_to_end(channel)
        return state

    def _expire(self) -> None:
        oldest = self._clock() - self._settings.ack_idle_s
        while self._channels:
            name, state = next(iter(self._channels.items()))
            if state.used_at >= oldest:
                return
            self._pending -= len(state.pending)
            del self._channels[name]


class _Channel:
    def __init__(self) -> None:
        self.next = 0
        self.pending: set[int] = set()
        self.used_at = 0.0
