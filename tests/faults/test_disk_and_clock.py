"""A full disk, a clock that jumps, and a journal of an earlier version."""

import shutil
import subprocess
import time
from pathlib import Path

import pytest

from sightline.config import IngestSettings, Settings
from sightline.journal import JournalWriter, closed_segments
from sightline.store import EmbeddedStore
from sightline.store.loading import Loader, is_empty

from .kill import prove
from .sending import Sender

DISK_BYTES = 160 * 1024 * 1024


@pytest.fixture
def small_disk(new_server):
    """The data directory of a server on a disk of its own."""
    folder = new_server.data
    kept = folder.with_name("kept")
    folder.rename(kept)
    folder.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", f"size={DISK_BYTES}", "tmpfs", folder], capture_output=True, text=True
    )
    if done.returncode:
        pytest.skip(f"a disk cannot be mounted here: {done.stderr.strip()}")
    shutil.copytree(kept, folder, dirs_exist_ok=True)
    yield new_server
    new_server.stop()
    subprocess.run(["umount", "-l", folder], check=True)


def until(claim, timeout_s=120):
    end = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_a_full_disk_refuses_and_loses_nothing(small_disk):
    server = small_disk
    # No reserve: the disk is to be full to the last byte, in the middle of whatever is written.
    server.environment["SIGHTLINE_INGEST_DISK_RESERVE_BYTES"] = "0"
    server.start()
    sender = Sender(f"http://127.0.0.1:{server.otlp_http_port}")
    sender.start()
    ballast = server.data / "ballast"
    try:
        for _ in range(2):
            before = len(sender.acknowledged)
            until(lambda before=before: len(sender.acknowledged) > before + 200)
            with ballast.open("wb", buffering=0) as file, pytest.raises(OSError, match="No space left"):
                while True:
                    file.write(bytes(1 << 16))
            refused = len(sender.refused)
            until(lambda refused=refused: len(sender.refused) > refused + 100)
            # The engine goes on answering.
            assert server.client().get("/api/v1/health").status_code == 200
            ballast.unlink()
        before = len(sender.acknowledged)
        until(lambda: len(sender.acknowledged) > before + 200)
    finally:
        sender.stop()
    assert sender.unknown == []
    until(lambda: is_empty(server.data / "journal"))
    assert server.stop() == 0, server.log
    numbers = prove(server.data, [sender])
    assert numbers["stored"] == numbers["acknowledged"]


class Clock:
    def __init__(self, now):
        self.now = now

    def __call__(self):
        return self.now


def texts(store):
    return sorted(store.query("SELECT _raw FROM sightline.events WHERE index = 'main'")["_raw"].to_pylist())


@pytest.mark.parametrize("jump_s", [5 * 3600.0, -5 * 3600.0])
def test_a_clock_that_jumps_neither_stops_nor_doubles_anything(tmp_path, jump_s):
    clock = Clock(time.time())
    settings = Settings(tmp_path, ingest=IngestSettings(segment_max_age_s=0.05))
    writer = JournalWriter(tmp_path / "journal", settings.ingest, clock)
    with EmbeddedStore(tmp_path / "engine", settings) as store:
        loader = Loader(store, settings, clock)
        sent = []
        for number in range(60):
            if number in (20, 40):
                clock.now += jump_s
            text = f"number {number}"
            body = b'{"t":1763900000.0,"h":"h","s":"s","st":"x","i":"main","e":"%s"}' % text.encode()
            writer.submit("hec", body, index="main", records=1).result(10)
            sent.append(text)
            if number % 10 == 0:
                loader.load_waiting()
        writer.close()
        until(lambda: loader.load_waiting() >= 0 and is_empty(tmp_path / "journal"))
        loader.ledger.flush()
        assert texts(store) == sorted(sent)
        (row,) = loader.ledger.totals()
        assert (row.received, row.stored, row.refused, row.waiting) == (60, 60, 0, 0)


def test_a_journal_that_an_earlier_version_wrote_is_loaded(tmp_path):
    """`fixtures/journal-1` was written by version 1 of the journal, which left no VERSION: a closed segment and an open one of a
    writer that died. Frames of later versions may say more, and these must still be read."""
    shutil.copytree(Path(__file__).parent / "fixtures" / "journal-1", tmp_path / "journal")
    settings = Settings(tmp_path)
    with EmbeddedStore(tmp_path / "engine", settings) as store:
        loader = Loader(store, settings)
        assert loader.load_waiting() == 2
        assert texts(store) == ["acknowledged, closed 0", "acknowledged, closed 1", "acknowledged, still open"]
        rows = {(row.source, row.token, row.received, row.stored) for row in loader.ledger.totals()}
    assert rows == {("hec:events", "a token", 2, 2), ("otlp:logs", "", 1, 1)}
    assert closed_segments(tmp_path / "journal") == []
