"""Following files with real processes: the front and its engine, logrotate, Python's own rotation, and kill -9 in between."""

from __future__ import annotations

import contextlib
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
import time

import pytest

from sightline.config import FilesSettings

from .conftest import Front

QUICK = FilesSettings(poll_ms=20.0, scan_s=0.05, quiet_ms=50.0, partial_line_s=0.5)
FRONT = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from sightline.config import FilesSettings, IngestSettings, ListenSettings, Settings
    from sightline.receivers.front import run_front
    class NoTokens:
        def find(self, secret): return None
        def index_datatype(self, name): return None
    files = FilesSettings(poll_ms=20.0, scan_s=0.05, quiet_ms=50.0)
    run_front(
        Settings(Path(sys.argv[1]), ListenSettings("off", "off", "off", "off"), IngestSettings(segment_max_age_s=0.05), files=files),
        NoTokens(),
    )
    """
)
WRITER = textwrap.dedent(
    """
    import logging, logging.handlers, sys, time
    handler = logging.handlers.RotatingFileHandler(sys.argv[1], maxBytes=int(sys.argv[2]), backupCount=200)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(message)s"))
    logger = logging.getLogger("writer")
    logger.addHandler(handler)
    logger.setLevel(20)
    for n in range(int(sys.argv[3])):
        if n % 50 == 7:
            try:
                raise ValueError(f"number={n}")
            except ValueError:
                logger.exception("failed number=%d", n)
        else:
            logger.info("number=%d", n)
        if n % 20 == 0:
            time.sleep(0.02)
    """
)


@pytest.fixture
def numbers(store, load):
    """Waits until so many numbers are stored, and gives them all."""

    def wait(count: int, alive=lambda: True) -> list[int]:
        end = time.monotonic() + 60
        while True:
            load()
            found = store.query(
                "SELECT toInt64(extract(_raw, 'number=(\\\\d+)')) AS n FROM sightline.events WHERE index = 'main'"
            )["n"].to_pylist()
            if len(found) >= count:
                return sorted(found)
            assert time.monotonic() < end and alive(), (len(found), count, sorted(set(range(count)) - set(found))[:20])
            time.sleep(0.05)

    return wait


def inputs(folder, *paths, more=""):
    listed = ", ".join(f"'{path}'" for path in paths)
    (folder / "inputs.yml").write_text(f"files:\n- paths: [{listed}]\n  host: web-1\n  sourcetype: shop\n{more}")


def test_lines_of_files_are_events_with_their_fields(tmp_path, tokens, store, load, numbers):
    (tmp_path / "logs").mkdir()
    log = tmp_path / "logs" / "shop.log"
    log.write_bytes(
        b"2026-11-26 10:00:00,250 ERROR number=0 user=ann\nTraceback (most recent call last):\n  File x\nValueError: y\n"
        b'{"timestamp": "2026-11-26T10:00:01Z", "level": "warning", "text": "number=1"}\ncaf\xe9 number=2 pin=77'
    )
    (tmp_path / "sourcetypes.yml").write_text("sourcetypes: {shop: {mask: [{match: 'pin=[0-9]+', with: pin=}]}}")
    inputs(tmp_path, tmp_path / "logs", more="  fields: {team: risk}\n  index: app\n")
    front = Front(tmp_path, tokens, files=QUICK)
    try:
        end = time.monotonic() + 40
        while True:
            load()
            rows = store.query(
                "SELECT toUnixTimestamp64Milli(_time) AS t, host, source, sourcetype, severity, _raw, toJSONString(fields) AS fields"
                " FROM sightline.events WHERE index = 'app' ORDER BY _time, _raw"
            ).to_pylist()
            if len(rows) == 3:
                break
            assert time.monotonic() < end, rows
            time.sleep(0.05)
    finally:
        front.close()
    first = next(row for row in rows if "number=0" in row["_raw"])
    assert first["_raw"].endswith("ValueError: y") and first["t"] == 1_795_687_200_250
    assert (first["host"], first["source"], first["sourcetype"]) == ("web-1", str(log), "shop")
    assert '"team":"risk"' in first["fields"] and '"user":"ann"' in first["fields"]
    second = next(row for row in rows if "number=1" in row["_raw"])
    assert (second["severity"], second["t"]) == ("warn", 1_795_687_201_000)
    assert any(row["_raw"] == "caf\ufffd number=2 pin=" for row in rows)
    load().ledger.flush()
    (told,) = store.query(
        "SELECT _raw FROM sightline.events WHERE index = '_internal' AND _raw LIKE '%source=file:tail%'"
    ).to_pylist()
    assert "received=3" in told["_raw"] and "stored=3" in told["_raw"]


def test_kill_9_and_rotation_at_any_moment_lose_nothing_and_double_nothing(tmp_path, store, load, numbers):
    (tmp_path / "logs").mkdir()
    (tmp_path / "run").mkdir()
    inputs(tmp_path, tmp_path / "logs" / "app.log*")
    count, generator = 6_000, random.Random(7)
    loading = threading.Event()

    def keep_loading():
        while not loading.is_set():
            with contextlib.suppress(AssertionError):
                load()
            time.sleep(0.02)

    front = subprocess.Popen([sys.executable, "-c", FRONT, str(tmp_path)])
    writer = subprocess.Popen([sys.executable, "-c", WRITER, str(tmp_path / "logs" / "app.log"), "20000", str(count)])
    loader = threading.Thread(target=keep_loading)
    loader.start()
    kills = 0
    try:
        while writer.poll() is None or kills < 5:
            time.sleep(generator.uniform(0.4, 1.2))
            os.kill(front.pid, signal.SIGKILL)
            front.wait()
            kills += 1
            front = subprocess.Popen([sys.executable, "-c", FRONT, str(tmp_path)])
        assert writer.returncode == 0
        loading.set()
        loader.join()
        found = numbers(count)
        assert found == list(range(count)), [n for n in found if found.count(n) > 1][:20]
        # Exceptions of several lines are one event each.
        (row,) = store.query(
            "SELECT countIf(_raw LIKE '%Traceback%ValueError: number=%') AS n FROM sightline.events"
        ).to_pylist()
        assert row["n"] == sum(n % 50 == 7 for n in range(count))
    finally:
        loading.set()
        loader.join()
        front.kill()
        writer.kill()
        front.wait()
        writer.wait()
