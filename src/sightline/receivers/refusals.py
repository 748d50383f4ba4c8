"""Counts what receivers refuse and tells it to the ledger, through the journal like any other data.

A refused request whose records could not be counted (a body that cannot be read) counts as one.
"""

from __future__ import annotations

import logging

import orjson

from sightline.clock import Clock
from sightline.counts import Counts, Key
from sightline.errors import EnvironmentTrouble
from sightline.journal import JournalWriter

log = logging.getLogger(__name__)


class Refusals:
    """Counts since the last `flush`. Belongs to one event loop."""

    def __init__(self, journal: JournalWriter, clock: Clock) -> None:
        self._journal = journal
        self._clock = clock
        self._counts: dict[tuple[str, str, str, str], int] = {}
        self._totals = Counts()

    def add(self, source: str, reason: str, *, token: str = "", index: str = "", records: int = 1) -> None:
        """Note a refusal. `source` is the ledger's name, such as `otlp:traces`."""
        self._totals.add("refused", source, index, reason, records)
        key = (source, token, index, reason[:200])
        if len(self._counts) < 1000 or key in self._counts:
            self._counts[key] = self._counts.get(key, 0) + records

    def totals(self) -> dict[Key, int]:
        """Records refused since the start."""
        return self._totals.all()

    async def flush(self) -> None:
        """Write what was noted as events of the ledger. When the journal is full they stay for the next time."""
        if not self._counts:
            return
        counts, self._counts = self._counts, {}
        lines = []
        for (source, token, index, reason), number in counts.items():
            fields = {"target_index": index, "received": number, "stored": 0, "refused": number, "reason": reason}
            if token:
                fields["token"] = token
            text = " ".join(f"{name}={orjson.dumps(value).decode()}" for name, value in fields.items())
            lines.append(
                {
                    "t": self._clock(),
                    "h": "",
                    "s": source,
                    "st": "sightline:ledger",
                    "i": "_internal",
                    "e": f"source={source} {text}",
                    "f": fields,
                }
            )
        body = b"\n".join(orjson.dumps(line) for line in lines)
        try:
            await self._journal.append("hec", body, index="_internal", records=len(lines))
        except (EnvironmentTrouble, OSError) as error:
            log.warning("the ledger's refusals wait: %s", error)
            for key, number in counts.items():
                self._counts[key] = self._counts.get(key, 0) + number
