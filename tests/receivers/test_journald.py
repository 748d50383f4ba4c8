"""The journal of systemd: journals made by systemd-journal-remote, read by journalctl through the whole way in."""

from __future__ import annotations

import json
import os
import signal
import struct
import subprocess
import sys
import textwrap
import time

import pytest

from sightline.config import JournaldSettings
from sightline.store.promotion import object_text

from .clients import needs, path_of
from .conftest import Front

pytestmark = needs("journalctl", "systemd-journal-remote")
TIME_US = 1_760_000_000_000_000
FRONT = textwrap.dedent(
    """
    import sys
    from pathlib import Path
    from sightline.config import IngestSettings, ListenSettings, Settings
    from sightline.receivers.front import run_front
    class NoTokens:
        def find(self, secret): return None
        def index_datatype(self, name): return None
    run_front(Settings(Path(sys.argv[1]), ListenSettings("off", "off", "off", "off"), IngestSettings(segment_max_age_s=0.05)), NoTokens())
    """
)


class Journal:
    """A folder with a journal that entries can be written to."""

    def __init__(self, folder):
        self.folder = folder / "machine"
        self.folder.mkdir()
        self.count = 0

    def write(self, *entries):
        """Entries as dictionaries: bytes are written as octets, a list as a field given several times."""
        out = []
        for fields in entries:
            out.append(b"__REALTIME_TIMESTAMP=%d\n" % (TIME_US + self.count * 1_000_000))
            out.append(b"__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=%s\n" % (self.count * 1_000_000, b"a" * 32))
            self.count += 1
            for name, values in fields.items():
                for value in values if isinstance(values, list) else [values]:
                    if isinstance(value, bytes):
                        out.append(name.encode() + b"\n" + struct.pack("<Q", len(value)) + value + b"\n")
                    else:
                        out.append(f"{name}={value}\n".encode())
            out.append(b"\n")
        command = [path_of("systemd-journal-remote"), f"--output={self.folder}/test.journal", "-"]
        subprocess.run(command, input=b"".join(out), check=True, capture_output=True, timeout=60)


@pytest.fixture
def journal(tmp_path):
    made = Journal(tmp_path)
    configure(tmp_path, made)
    return made


def configure(folder, journal, more="start: beginning"):
    (folder / "inputs.yml").write_text(f"journals:\n- directory: {journal.folder}\n  {more}\n")


@pytest.fixture
def stored(store, load):
    def wait(count: int) -> list[dict]:
        end = time.monotonic() + 60
        while True:
            load()
            rows = store.query(
                "SELECT toUnixTimestamp64Micro(_time) AS t, host, source, sourcetype, severity, trace_id, _raw,"
                f" {object_text('fields', store.json_paths('events'))} AS found"
                " FROM sightline.events WHERE index = 'main' ORDER BY _time, _raw"
            ).to_pylist()
            if len(rows) >= count:
                return [row | {"fields": json.loads(row.pop("found"))} for row in rows]
            assert time.monotonic() < end, rows
            time.sleep(0.05)

    return wait


def test_entries_become_events(tmp_path, tokens, journal, stored, store, load):
    configure(tmp_path, journal, "start: beginning\n  fields: {team: risk}")
    journal.write(
        {
            "MESSAGE": "failed user=ann took=12", "PRIORITY": "3", "_HOSTNAME": "web-1", "SYSLOG_IDENTIFIER": "shop", "_PID": "42",
            "SYSLOG_PID": "41", "SYSLOG_FACILITY": "3", "_SYSTEMD_UNIT": "shop.service", "_COMM": "python3", "_UID": "1000",
            "CODE_FILE": "a.py", "CODE_LINE": "7", "CODE_FUNC": "sell", "CART": ["c-1", "c-2"], "_TRANSPORT": "journal",
            "_SOURCE_REALTIME_TIMESTAMP": str(TIME_US - 5), "TRACE_ID": "AB" * 16,
        },
        {"MESSAGE": b"caf\xe9 \0 x", "PRIORITY": "4", "_HOSTNAME": "web-1", "BLOB": b"\1\2"},
        {"MESSAGE": b"two\nlines", "_HOSTNAME": "web-1"},
        {"MESSAGE": ["first", "second"], "PRIORITY": "7"},
        {"MESSAGE": '{"model": "m1", "score": 0.5}', "PRIORITY": "6"},
        {"PRIORITY": "5", "NOTE": "no message"},
        {"MESSAGE": "y" * 100_000, "PRIORITY": "0"},
    )  # fmt: skip
    front = Front(tmp_path, tokens)
    try:
        first, octets, lines, both, structured, none, long = stored(7)
    finally:
        front.close()
    assert (first["_raw"], first["host"], first["severity"], first["t"]) == (
        "failed user=ann took=12",
        "web-1",
        "error",
        TIME_US - 5,
    )
    assert (first["source"], first["sourcetype"], first["trace_id"]) == ("journald", "journald", "ab" * 16)
    found = first["fields"]
    assert (found["app"], found["process_id"], found["facility"], found["syslog_severity"]) == ("shop", 42, 3, 3)
    assert (found["unit"], found["command"], found["uid"], found["transport"]) == (
        "shop.service",
        "python3",
        1000,
        "journal",
    )
    assert found["code"] == {"file": {"path": "a.py"}, "function": {"name": "sell"}, "line": {"number": 7}}
    assert found["cart"] == ["c-1", "c-2"] and (found["user"], found["took"], found["team"]) == ("ann", 12, "risk")
    assert not any(name.startswith("_") or name == "message" for name in found)
    assert octets["_raw"] == "caf\ufffd \0 x" and octets["severity"] == "warn" and octets["fields"]["blob"] == "\1\2"
    assert lines["_raw"] == "two\nlines" and lines["severity"] == "" and lines["t"] == TIME_US + 2_000_000
    assert both["_raw"] == "first\nsecond" and both["severity"] == "debug"
    assert structured["fields"]["score"] == 0.5 and none["_raw"] == "" and none["fields"]["note"] == "no message"
    assert long["_raw"] == "y" * 100_000 and long["severity"] == "fatal"
    loader = load()
    (total,) = [row for row in loader.ledger.totals() if row.source == "journald"]
    assert (total.received, total.stored) == (7, 7)


def test_it_follows_and_goes_on_after_a_restart(tmp_path, tokens, journal, stored):
    (tmp_path / "sourcetypes.yml").write_text("sourcetypes: {journald: {mask: [{match: 'pin=[0-9]+', with: pin=}]}}")
    journal.write({"MESSAGE": "one"})
    front = Front(tmp_path, tokens)
    stored(1)
    journal.write({"MESSAGE": "two"})
    stored(2)
    front.close()
    journal.write({"MESSAGE": "three"}, {"MESSAGE": "four pin=77"})
    front = Front(tmp_path, tokens)
    try:
        assert [row["_raw"] for row in stored(4)] == ["one", "two", "three", "four pin="]
    finally:
        front.close()
    # What was loaded is let go of when the position is noted.
    assert not list(tmp_path.glob("journal/*/*.done"))


def test_start_at_the_end_is_where_it_first_stood(tmp_path, tokens, journal, stored):
    configure(tmp_path, journal, "start: end")
    journal.write({"MESSAGE": "old"})
    front = Front(tmp_path, tokens)
    positions = tmp_path / "positions" / "journals.json"
    end = time.monotonic() + 30
    while not positions.exists() or "cursor" not in positions.read_text():
        assert time.monotonic() < end
        time.sleep(0.02)
    front.close()
    journal.write({"MESSAGE": "while away"})
    front = Front(tmp_path, tokens)
    try:
        assert [row["_raw"] for row in stored(1)] == ["while away"]
    finally:
        front.close()


def test_kill_9_loses_nothing_and_doubles_nothing(tmp_path, journal, stored):
    (tmp_path / "run").mkdir()
    front = subprocess.Popen([sys.executable, "-c", FRONT, str(tmp_path)])
    count = 0
    try:
        for turn in range(4):
            for _ in range(5):
                journal.write(*({"MESSAGE": f"number={count + n}"} for n in range(100)))
                count += 100
                if turn != 2:
                    # Loading goes on, so that what the position stands in is loaded when the process ends.
                    stored(0)
            os.kill(front.pid, signal.SIGKILL)
            front.wait()
            front = subprocess.Popen([sys.executable, "-c", FRONT, str(tmp_path)])
        rows = stored(count)
        assert sorted(row["fields"]["number"] for row in rows) == list(range(count))
    finally:
        front.kill()
        front.wait()


def test_what_cannot_be_read_is_told_once_and_tried_again(tmp_path, tokens, journal, stored, caplog):
    journal.write({"MESSAGE": "one"})
    journal.folder.rename(tmp_path / "elsewhere")
    front = Front(tmp_path, tokens, journald=JournaldSettings(retry_s=0.05, max_entry_bytes=5000))
    try:
        end = time.monotonic() + 30
        while "a journal of systemd is not read" not in caplog.text:
            assert time.monotonic() < end
            time.sleep(0.02)
        (tmp_path / "elsewhere").rename(journal.folder)
        journal.write({"MESSAGE": "x" * 6000}, {"MESSAGE": "two"})
        assert [row["_raw"] for row in stored(2)] == ["one", "two"]
    finally:
        front.close()
    assert caplog.text.count("No such file or directory") <= 1
