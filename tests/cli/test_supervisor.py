"""The supervisor starts its children again, stops them in order, and takes them along when it is killed."""

import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from sightline import supervisor
from sightline.supervisor import REFUSED, Child, Supervisor


def wait_until(claim, timeout_s=15.0):
    end = time.monotonic() + timeout_s
    while not claim():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.02)


def child(name, code):
    return Child(name, [sys.executable, "-c", code])


SLEEP = "import time; time.sleep(60)"


@pytest.fixture
def watched(tmp_path, monkeypatch):
    """Starts a supervisor in a thread: children -> (supervisor, lines told, a function that gives its status)."""
    monkeypatch.setattr(supervisor, "BACKOFF_FIRST_S", 0.05)
    made = []

    def start(*children):
        told, status = [], []
        one = Supervisor(children, tmp_path, told.append)
        thread = threading.Thread(target=lambda: status.append(one.watch()))
        thread.start()
        made.append((one, thread))
        return one, told, lambda: (thread.join(15), status[0])[1]

    yield start
    for one, thread in made:
        one.stop()
        thread.join(30)


def test_a_child_that_was_killed_is_started_again(watched, tmp_path):
    one = child("engine", SLEEP)
    one.backoff_s = 0.05
    _, told, _ = watched(one)
    pid_file = tmp_path / "engine.pid"
    wait_until(pid_file.exists)
    first = int(pid_file.read_text())
    os.kill(first, signal.SIGKILL)
    wait_until(lambda: int(pid_file.read_text() or 0) != first)
    assert "the engine process was ended by SIGKILL" in told[0]


def test_waits_grow_with_every_failure(watched):
    one = child("engine", "raise SystemExit(3)")
    one.backoff_s = 0.05
    _, told, _ = watched(one)
    wait_until(lambda: len(told) >= 3)
    assert [line.split(" in ")[1] for line in told[:3]] == ["0.05 s", "0.1 s", "0.2 s"]
    assert "ended with status 3" in told[0]


def test_a_child_that_refuses_ends_everything(watched, tmp_path):
    sleeper = child("front", SLEEP)
    _, _, status = watched(sleeper, child("engine", f"raise SystemExit({REFUSED})"))
    assert status() == 1
    assert not sleeper.running and not (tmp_path / "front.pid").exists()


def test_stopping_is_orderly(watched):
    one = child("engine", SLEEP)
    stopper, told, status = watched(one)
    wait_until(lambda: one.running)
    stopper.stop()
    assert status() == 0 and told == [] and one.process.returncode == -signal.SIGTERM


def test_a_child_that_does_not_end_is_killed(watched, monkeypatch):
    monkeypatch.setattr(supervisor, "STOP_AFTER_S", 0.3)
    deaf = child(
        "engine", "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); print(1, flush=True); time.sleep(60)"
    )
    stopper, told, status = watched(deaf)
    wait_until(lambda: deaf.running)
    time.sleep(0.5)
    stopper.stop()
    assert status() == 0 and "is killed" in told[-1]


def test_no_child_outlives_a_supervisor_that_was_killed(tmp_path):
    code = (
        "import sys; from pathlib import Path; from sightline.supervisor import Child, Supervisor\n"
        "inner = 'from sightline.supervisor import end_with_supervisor as e; e(); import time; time.sleep(60)'\n"
        f"Supervisor([Child('engine', [sys.executable, '-c', inner])], Path({str(tmp_path)!r}), print).watch()"
    )
    process = subprocess.Popen([sys.executable, "-c", code])
    pid_file = tmp_path / "engine.pid"
    wait_until(pid_file.exists)
    pid = int(pid_file.read_text())
    time.sleep(1.0)
    process.kill()
    process.wait()

    def gone():
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return True
        # A dead child of a killed parent may stay as a zombie of a container's first process.
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] == "Z"

    wait_until(gone)
