"""Searches typed into a terminal: what Enter does, the shell's own commands, colours, and a real terminal once."""

import contextlib
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time

import pytest

from sightline.errors import EnvironmentTrouble, SearchError, UserError
from sightline.shell import Shell, colours_of, history_of, is_unfinished


class Recorder:
    """A backend that keeps what it was asked."""

    def __init__(self):
        self.asked = []

    def run(self, text, earliest, latest):
        if text == "bad":
            raise SearchError("wrong")
        if text == "away":
            raise EnvironmentTrouble("the engine is restarting")
        if text == "long":
            raise KeyboardInterrupt
        self.asked.append(("run", text, earliest, latest))

    def explain(self, text, earliest, latest):
        self.asked.append(("explain", text, earliest, latest))

    def suggest(self, text):
        return len(text), []


@pytest.fixture
def shell():
    told, failed = [], []
    made = Shell(Recorder(), told.append, lambda error, text: failed.append(error))
    made.told, made.errors = told, failed
    return made


def test_searches_run_in_the_chosen_range(shell):
    assert shell.answer("index=web | stats count")
    assert shell.answer(":range -24h @d")
    assert shell.answer("  index=web  ")
    assert shell.answer(":explain index=web")
    assert shell.backend.asked == [
        ("run", "index=web | stats count", "", ""),
        ("run", "index=web", "-24h", "@d"),
        ("explain", "index=web", "-24h", "@d"),
    ]
    assert shell.told == ["from -24h to @d"]


def test_errors_do_not_end_it_and_quit_does(shell):
    assert shell.answer("bad") and shell.answer(":nonsense") and shell.answer(":range a b c") and shell.answer("")
    assert [type(e) for e in shell.errors] == [SearchError, UserError, UserError]
    assert ":help" in str(shell.errors[1])
    # Neither does a server that is away for a moment, nor Ctrl-C, which is for the search that runs.
    assert shell.answer("away") and type(shell.errors[-1]) is EnvironmentTrouble
    assert shell.answer("long") and shell.told == ["cancelled"]
    assert shell.answer(":quit") is False


def test_help_knows_commands_functions_and_aggregates(shell):
    for name in ("stats", "round", "perc"):
        shell.answer(f":help {name}")
    assert ["syntax: stats" in shell.told[0], "round(" in shell.told[1], "perc<percent>(<field>)" in shell.told[2]] == [
        True
    ] * 3
    shell.answer(":help stat")
    assert "stats" in shell.errors[0].hint
    shell.answer(":format a|b")
    assert shell.told[-1] == "a\n| b"


@pytest.mark.parametrize(
    ("text", "unfinished"),
    [
        ("index=web", False),
        ("index=web |", True),
        ("index=web \\", True),
        ('index="web', True),
        ("index=web [ search x", True),
        ("| eval x=if(a=1, ", True),
        ('| eval x="[("', False),
        ("``` open", True),
    ],
)
def test_a_line_goes_on_while_something_is_open(text, unfinished):
    assert is_unfinished(text) is unfinished


def test_colours_cover_the_text_and_know_commands():
    text = 'index=web "a|b" | stats count by host ``` c ``` | eval x=round(1.5)'
    pieces = colours_of(text)
    assert "".join(piece[1] for piece in pieces) == text
    styles = {piece[1]: piece[0] for piece in pieces}
    assert styles["stats"] == "class:command" and styles["round"] == "class:function"
    assert styles['"a|b"'] == "class:string" and styles["by"] == "class:keyword"


def test_the_history_is_for_its_owner_alone(tmp_path):
    path = tmp_path / "state" / "history"
    history_of(path).append_string("index=secret")
    assert path.stat().st_mode & 0o077 == 0 and "index=secret" in path.read_text()


def test_in_a_real_terminal(tmp_path):
    """Type a search with completion by Tab, see its rows, leave with Ctrl-D."""
    source = tmp_path / "web.csv"
    source.write_text("host,method\nweb-1,GET\nweb-2,POST\n")
    environment = os.environ | {
        "SIGHTLINE_DATA": str(tmp_path / "data"),
        "XDG_STATE_HOME": str(tmp_path / "state"),
        "TERM": "xterm",
        "PROMPT_TOOLKIT_NO_CPR": "1",
    }
    sightline = [sys.executable, "-m", "sightline"]
    subprocess.run([*sightline, "load", str(source), "--index", "web"], check=True, env=environment, capture_output=True)
    master, slave = pty.openpty()
    process = subprocess.Popen(
        [*sightline, "search"], stdin=slave, stdout=slave, stderr=slave, env=environment,
        # A shell starts what it does not wait for with Ctrl-C ignored, and that is handed on.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    os.close(slave)
    seen = ""

    def wait_for(text, at_end="", timeout_s=60.0):
        nonlocal seen
        end = time.monotonic() + timeout_s
        while text not in plain(seen) or not plain(seen).rstrip().endswith(at_end):
            assert time.monotonic() < end, f"not seen: {text}\n{plain(seen)}\n{seen[-80:]!r}"
            if select.select([master], [], [], 0.2)[0]:
                seen += os.read(master, 65536).decode(errors="replace")

    try:
        wait_for("Ctrl-D leaves")
        os.write(master, b"index=web | stats count by meth\t")
        wait_for("by method")
        os.write(master, b"\r")
        wait_for("POST")
        # The prompt comes back after the rows; what is typed before it is there belongs to nobody.
        wait_for("POST", at_end=">")
        # Ctrl-C ends a search that would take minutes, and the next one can be typed.
        os.write(master, b"| makeresults count=5000000000 | eval h=sha256(random()) | stats max(h)\r")
        wait_for("stats max(h)")
        time.sleep(2)
        asked = time.monotonic()
        process.send_signal(signal.SIGINT)  # It is no terminal of its own, whose Ctrl-C would do this.
        wait_for("cancelled", at_end=">")
        assert time.monotonic() - asked < 5
        os.write(master, b"\x04")
        end = time.monotonic() + 30
        while process.poll() is None:
            assert time.monotonic() < end, plain(seen)
            if select.select([master], [], [], 0.2)[0]:
                with contextlib.suppress(OSError):  # A terminal whose program has ended cannot be read.
                    os.read(master, 65536)
        assert process.returncode == 0
        assert "index=web | stats count by method" in (tmp_path / "state" / "sightline" / "history").read_text()
    finally:
        process.kill()
        process.wait()
        os.close(master)


def plain(text):
    """What a terminal would show, without its control sequences."""
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]|\x1b[=>]|[\r\x08]", "", text)
