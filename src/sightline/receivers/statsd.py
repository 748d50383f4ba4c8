"""Statsd over UDP and TCP, with what Datadog, SignalFx, Librato and InfluxDB added to it.

Enters: datagrams and streams of lines such as `page.views:1|c|@0.1|#page:home`. Leaves: the lines in the journal as they came,
with the sender's address; the engine takes them apart. Every sample is stored as it came and nothing is added up here: what is
aggregated in memory is lost with the process, and sums, averages and quantiles over samples are exact. Only a gauge that is
changed by its sign (`+3`) needs the value before it, which is kept here.
"""

from __future__ import annotations

import re

from sightline.config import IngestSettings, StatsdSettings
from sightline.errors import UserError
from sightline.receivers.acceptance import Acceptance, Refused
from sightline.receivers.lines import LineReceiver, LineSplitter

_NUMBER = rb"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?"
# The engine's statement reads by the same pattern: what is accepted here is what is stored there.
_SAMPLE = re.compile(
    rb"([^:|\n]+):(?:(" + _NUMBER + rb"(?::" + _NUMBER + rb")*)\|(c|g|ms|h|d)|([^|\n]+)\|s)((?:\|[^|\n]*)*)"
)
_EVENT = re.compile(rb"_e\{([0-9]+),([0-9]+)\}:(.*)|_sc\|[^|]+\|[0-3](?:\|.*)?")
_OF_DATADOG = (b"|#", b"|c:", b"|T")
SIGNS = ("relative", "absolute")


class StatsdReceiver(LineReceiver):
    """Checks lines, gathers and journals them. Belongs to one event loop."""

    source = "statsd"

    def __init__(self, acceptance: Acceptance, settings: StatsdSettings, ingest: IngestSettings) -> None:
        super().__init__(acceptance, settings, ingest)
        if settings.gauge_signs not in SIGNS:
            raise UserError(f'setting "statsd.gauge_signs" wants relative or absolute, got "{settings.gauge_signs}"')
        self._own = settings
        self._gauges: dict[bytes, float] = {}

    def splitter(self) -> _Checked:
        """See `LineReceiver`."""
        return _Checked(self)

    def messages(self, datagram: bytes) -> list[bytes]:
        """The lines of a datagram that are samples, events or service checks."""
        splitter = self.splitter()
        found = splitter.feed(datagram) + splitter.end()
        if splitter.cut:
            limit = self._own.max_message_bytes
            self._acceptance.refused(
                Refused(413, f"a message is longer than {limit} bytes; its end was cut"), self.source, records=splitter.cut
            )
        return found

    async def write(self, peer: str, messages: list[bytes]) -> None:
        """See `LineReceiver`."""
        kinds: dict[str, list[bytes]] = {"statsd": [], "statsdevent": [], "statsdcheck": []}
        for line in messages:
            kinds[
                "statsdevent" if line.startswith(b"_e{") else "statsdcheck" if line.startswith(b"_sc|") else "statsd"
            ].append(line)
        for kind, lines in kinds.items():
            if lines:
                body = b"\n".join([peer.encode(), *lines]).decode("utf-8", "replace").encode()
                index = self._own.index if kind == "statsd" else self._own.events_index
                records = sum(map(_values, lines)) if kind == "statsd" else len(lines)
                await self._acceptance.store(kind, body, self.source, index=index, records=records)
                # When the next one finds no room and all is tried again, this one must not be written twice.
                written = set(map(id, lines))
                messages[:] = [line for line in messages if id(line) not in written]

    def checked(self, lines: list[bytes]) -> list[bytes]:
        """The lines that can be stored; the others are counted as refused."""
        found = []
        for line in lines:
            sample = _SAMPLE.fullmatch(line)
            if sample is not None:
                if sample[3] == b"g" and self._own.gauge_signs == "relative":
                    line = self._gauge(line, sample)
                found.append(line)
            elif _EVENT.fullmatch(line):
                found.append(line)
            else:
                self._refuse("a line is no sample, event or service check of statsd")
        return [line for line in found if line]

    def _gauge(self, line: bytes, sample: re.Match[bytes]) -> bytes:
        """The line with the value that the gauge now has."""
        name, values, rest = sample[1], sample[2], sample[5]
        if any(mark in rest for mark in _OF_DATADOG):
            return line
        value = self._gauges.get(name)
        if value is None and len(self._gauges) >= self._own.max_gauges:
            if not re.search(rb"(?:^|:)[+-]", values):
                return line
            self._refuse(f"a gauge is changed by its sign, and {self._own.max_gauges} others are known already")
            return b""
        results = []
        for text in values.split(b":"):
            value = (value or 0.0) + float(text) if text[:1] in b"+-" else float(text)
            results.append(repr(value).encode())
        self._gauges[name] = value or 0.0
        return name + b":" + b":".join(results) + b"|g" + rest

    def _refuse(self, why: str) -> None:
        self._acceptance.refused(Refused(400, why), self.source)


def _values(line: bytes) -> int:
    """How many points a sample becomes: the member of a set may have colons too."""
    if b"|s" in line and (sample := _SAMPLE.fullmatch(line)) is not None and sample[4] is not None:
        return 1
    return line.partition(b"|")[0].count(b":")


class _Checked:
    """A splitter that gives only what can be stored."""

    def __init__(self, receiver: StatsdReceiver) -> None:
        self._receiver = receiver
        self._splitter = LineSplitter(receiver._own.max_message_bytes)

    @property
    def cut(self) -> int:
        """Messages that were longer than the limit."""
        return self._splitter.cut

    def feed(self, data: bytes) -> list[bytes]:
        """See `LineSplitter`."""
        return self._receiver.checked(self._splitter.feed(data))

    def end(self) -> list[bytes]:
        """See `LineSplitter`."""
        return self._receiver.checked(self._splitter.end())
