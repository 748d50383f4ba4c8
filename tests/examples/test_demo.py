"""The demo as a person runs it, told as fast as it can be: everything must really happen, and happen again."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

DEMO = Path(__file__).resolve().parents[2] / "examples" / "demo.py"
FOLDER = "demo"


def run(folder: Path, *arguments: str) -> subprocess.Popen[str]:
    command = [sys.executable, str(DEMO), "--data", str(folder / FOLDER), "--free-ports", *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=dict(os.environ))


def end(process: subprocess.Popen[str]) -> None:
    """Stop a demo as a person does, so that it takes its server and its shop along; kill it only if it does not listen."""
    if process.poll() is None:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("run")


@pytest.mark.timeout(600)
def test_everything_happens(folder: Path) -> None:
    process = run(folder, "--seconds", "270", "--length", "90", "--until-done")
    try:
        told, _ = process.communicate(timeout=430)
    finally:
        end(process)
    assert process.returncode == 0, told
    assert re.search(r"http://127\.0\.0\.1:\d+/login\?code=\S+", told), told
    for happening in (
        "telemetry arrives",
        "labelled outcomes arrive",
        "usermodel trained: version 1, RandomForestClassifier",
        "mlops.username.confusion_matrix.actual(barolo)",
        "mlops.username.score.recall",
        "colour#deep",
        "the schedule scored the model too",
        "some reads of the archive are slow",
        "some requests fail deep inside",
        "the model got worse",
        "the alert fired",
        "the webhook was called",
        "everything happened",
    ):
        assert happening in told, f"{happening!r} is missing in:\n{told}"


def test_a_second_run_keeps_the_data_and_stops_when_asked(folder: Path) -> None:
    if not (folder / FOLDER / "tokens.json").exists():
        pytest.skip("wants the data of the run before")
    process = run(folder)
    try:
        told = ""
        while "the shop is open" not in told:
            line = process.stdout.readline()
            assert line, told
            told += line
        assert "with the data of the last run" in told
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=120)
        assert process.returncode == 0, told + rest
        assert "the data stays in" in rest
    finally:
        end(process)
