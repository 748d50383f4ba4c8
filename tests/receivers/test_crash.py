"""kill -9 at any moment: what was acknowledged is found once, whichever process died."""

import itertools
import os
import signal
import subprocess
import sys
import textwrap
import threading
import time

import httpx
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from sightline.config import Settings
from sightline.store import EmbeddedStore
from sightline.store.loading import Loader, is_empty

from .conftest import free_ports

FRONT = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from sightline.config import IngestSettings, ListenSettings, Settings
    from sightline.receivers.front import run_front
    class NoTokens:
        def find(self, secret): return None
        def index_datatype(self, name): return None
    listen = ListenSettings("off", sys.argv[2], "off", "off")
    run_front(Settings(Path(sys.argv[1]), listen, IngestSettings(segment_max_age_s=0.05)), NoTokens())
    """
)
ENGINE = textwrap.dedent(
    """
    import sys, time
    from pathlib import Path
    from sightline.config import Settings
    from sightline.store import EmbeddedStore
    from sightline.store.loading import Loader
    settings = Settings(Path(sys.argv[1]))
    store = EmbeddedStore(settings.data / "engine", settings)
    loader = Loader(store, settings)
    loader.start()
    print("ready", flush=True)
    time.sleep(600)
    """
)


class Process:
    """A program that is killed without a chance to clean up."""

    def __init__(self, program, *arguments):
        self._start = [sys.executable, "-c", program, *map(str, arguments)]
        self.start()

    def start(self):
        self.popen = subprocess.Popen(self._start, stdout=subprocess.PIPE)

    def kill(self):
        os.kill(self.popen.pid, signal.SIGKILL)
        self.popen.wait()


class Sender(threading.Thread):
    """Sends numbered log records until told to stop, each until it is acknowledged or its outcome is unknown."""

    def __init__(self, address):
        super().__init__(daemon=True)
        self.url = f"http://{address}/v1/logs"
        self.acknowledged = []
        self.unknown = []
        self.stopping = threading.Event()

    def run(self):
        numbers = itertools.count()
        with httpx.Client(headers={"Content-Type": "application/x-protobuf"}) as client:
            while not self.stopping.is_set():
                batch = [next(numbers) for _ in range(5)]
                try:
                    reply = client.post(self.url, content=request(batch))
                    (self.acknowledged if reply.status_code == 200 else self.unknown).extend(batch)
                    if reply.status_code != 200:
                        time.sleep(0.05)
                except httpx.ConnectError:
                    time.sleep(0.02)
                except httpx.TransportError:
                    self.unknown.extend(batch)


def request(numbers):
    message = ExportLogsServiceRequest()
    records = message.resource_logs.add().scope_logs.add().log_records
    for number in numbers:
        record = records.add()
        record.body.string_value = f"number {number}"
        record.time_unix_nano = time.time_ns()
    return message.SerializeToString()


def wait_for(condition, timeout_s=60):
    deadline = time.monotonic() + timeout_s
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.05)


def check(data, sender):
    """Load what is left and compare, number by number."""
    settings = Settings(data)
    with EmbeddedStore(data / "engine", settings) as store:
        loader = Loader(store, settings)
        wait_for(lambda: loader.load_waiting() >= 0 and is_empty(data / "journal"))
        texts = store.query("SELECT _raw FROM sightline.events WHERE index = 'main'")["_raw"].to_pylist()
        totals = [row for row in loader.ledger.totals() if row.source == "otlp:logs"]
    found = [int(text.split()[1]) for text in texts]
    assert len(sender.acknowledged) > 50
    assert len(found) == len(set(found))
    assert set(sender.acknowledged) <= set(found)
    assert set(found) <= set(sender.acknowledged) | set(sender.unknown)
    assert sum(row.received for row in totals) == len(found)
    assert sum(row.stored for row in totals) == len(found)


@pytest.mark.parametrize("victim", ["front", "engine"])
def test_acknowledged_records_are_found_once_after_kill_9(tmp_path, victim):
    address = f"127.0.0.1:{free_ports(1)[0]}"
    front, engine = Process(FRONT, tmp_path, address), Process(ENGINE, tmp_path)
    sender = Sender(address)
    try:
        assert engine.popen.stdout.readline() == b"ready\n"
        sender.start()
        for _ in range(3):
            before = len(sender.acknowledged)
            wait_for(lambda before=before: len(sender.acknowledged) > before + 100)
            doomed = front if victim == "front" else engine
            doomed.kill()
            if victim == "engine":
                # Nothing is refused while the engine is away.
                during = len(sender.acknowledged)
                wait_for(lambda during=during: len(sender.acknowledged) > during + 50)
                assert sender.unknown == []
            doomed.start()
            if victim == "engine":
                assert engine.popen.stdout.readline() == b"ready\n"
        before = len(sender.acknowledged)
        wait_for(lambda: len(sender.acknowledged) > before + 50)
    finally:
        sender.stopping.set()
        sender.join(20)
        front.kill()
        engine.kill()
    check(tmp_path, sender)
