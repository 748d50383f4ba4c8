"""Senders of numbered records, and what a fault test proves with them: every acknowledged number is stored once."""

from __future__ import annotations

import itertools
import threading
import time
from collections import Counter
from collections.abc import Iterable

import httpx
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

BATCH = 20


class Sender(threading.Thread):
    """Sends numbered log records over OTLP until told to stop. A batch is never sent twice: its outcome is acknowledged,
    refused, or unknown (the connection broke)."""

    def __init__(self, address: str, name: str = "s") -> None:
        super().__init__(daemon=True)
        self.label = name
        self.acknowledged: list[int] = []
        self.unknown: list[int] = []
        self.refused: list[int] = []
        self._url = f"{address}/v1/logs"
        self._ending = threading.Event()

    def run(self) -> None:
        numbers = itertools.count()
        with httpx.Client(headers={"Content-Type": "application/x-protobuf"}, timeout=60.0, trust_env=False) as client:
            while not self._ending.is_set():
                batch = [next(numbers) for _ in range(BATCH)]
                try:
                    reply = client.post(self._url, content=self._request(batch))
                except httpx.ConnectError:
                    # Nobody listened: it was not sent.
                    self.refused += batch
                    time.sleep(0.05)
                except httpx.TransportError:
                    self.unknown += batch
                else:
                    (self.acknowledged if reply.status_code == 200 else self.refused).extend(batch)
                    if reply.status_code != 200:
                        time.sleep(0.05)

    def stop(self) -> None:
        """Ends after the batch that is under way."""
        self._ending.set()
        self.join(70)
        assert not self.is_alive()

    def _request(self, numbers: Iterable[int]) -> bytes:
        message = ExportLogsServiceRequest()
        records = message.resource_logs.add().scope_logs.add().log_records
        for number in numbers:
            record = records.add()
            record.body.string_value = f"number={self.label}{number} some more text of a usual length"
            record.time_unix_nano = time.time_ns()
        return message.SerializeToString()


def compare(texts: Iterable[str], senders: Iterable[Sender], known: dict[str, set[int]] | None = None) -> int:
    """Prove that each acknowledged number is stored once, and nothing that was not sent. `known` are the numbers that must be
    there where that is not all of them, by sender. Returns how many are stored."""
    found = Counter(text.split()[0].removeprefix("number=") for text in texts if text.startswith("number="))
    doubled = [number for number, times in found.items() if times > 1]
    assert not doubled, f"{len(doubled)} numbers are stored more than once, such as {doubled[:5]}"
    for sender in senders:
        must = {f"{sender.label}{n}" for n in (known[sender.label] if known else sender.acknowledged)}
        lost = must - found.keys()
        assert not lost, f"{len(lost)} of {len(must)} acknowledged numbers are lost, such as {sorted(lost)[:5]}"
        never = {f"{sender.label}{n}" for n in sender.refused}
        assert not never & found.keys(), "what was refused is stored"
    return len(found)
