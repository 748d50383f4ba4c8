"""Keeps child processes running: starts them, restarts one that ends, and stops all of them cleanly.

It knows nothing of what the children do. A child is another run of this interpreter, told of the supervisor's end by
the end of its standard input: so no child outlives a supervisor that was killed.

What starts a supervisor has imported much that is needed once; `become_supervisor` replaces the program in this process by
a fresh interpreter with this module alone: 10 MB instead of 90.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NoReturn

BACKOFF_FIRST_S = 0.5
BACKOFF_MAX_S = 30.0
HEALTHY_AFTER_S = 10.0
"""A child that lived this long starts again at once, as if it had never failed: one that cannot run ends sooner."""
STOP_AFTER_S = 20.0
"""Time a child has to end by itself before it is killed; nothing acknowledged is lost by that."""
REFUSED = 78
"""Exit status (EX_CONFIG) of a child that would only fail again, such as one whose port is taken."""


@dataclass
class Child:
    """A child process that should be running."""

    name: str
    command: Sequence[str]
    inherited: tuple[int, ...] = ()
    environment: dict[str, str] = field(default_factory=dict)
    """Variables beside those of the supervisor, which win."""
    process: subprocess.Popen | None = None
    started: float = 0.0
    restarts: int = 0
    backoff_s: float = BACKOFF_FIRST_S
    start_at: float = field(default=0.0)

    @property
    def running(self) -> bool:
        """Whether the process exists and has not ended."""
        return self.process is not None and self.process.poll() is None


class Supervisor:
    """A few children, started in order and stopped in the reverse one."""

    def __init__(self, children: Sequence[Child], run: Path, tell: Callable[[str], None]) -> None:
        """`run` gets a file `<name>.pid` for each child; `tell` gets a line for everything a person should know."""
        self._children = list(children)
        self._run = run
        self._tell = tell
        self._stop = threading.Event()

    def stop(self, *_: object) -> None:
        """Asks for an orderly end; fit to be a signal handler."""
        self._stop.set()

    def watch(self) -> int:
        """Runs until `stop`, or until a child says that it cannot run at all. Returns an exit status."""
        status = 0
        try:
            while not self._stop.is_set():
                for child in self._children:
                    if child.running:
                        continue
                    if child.process is not None and (status := self._ended(child)):
                        return status
                    if time.monotonic() >= child.start_at:
                        self._start(child)
                self._stop.wait(0.1)
        finally:
            self._stop_all()
        return status

    def _start(self, child: Child) -> None:
        child.process = subprocess.Popen(
            child.command,
            stdin=subprocess.PIPE,
            pass_fds=child.inherited,
            env={**child.environment, **os.environ},
            # A group of its own, so that Ctrl-C reaches the supervisor alone and the order of stopping is ours.
            start_new_session=True,
        )
        child.started = time.monotonic()
        (self._run / f"{child.name}.pid").write_text(f"{child.process.pid}\n")

    def _ended(self, child: Child) -> int:
        """Plans the restart of a child that ended; a status other than 0 says that all must end."""
        assert child.process is not None
        code = child.process.returncode
        _close(child.process)
        child.process = None
        if code == REFUSED:
            return 1
        lived_s = time.monotonic() - child.started
        if lived_s >= HEALTHY_AFTER_S:
            child.backoff_s = BACKOFF_FIRST_S
        how = f"was ended by {signal.Signals(-code).name}" if code < 0 else f"ended with status {code}"
        self._tell(f"the {child.name} process {how} after {lived_s:.0f} s; starting it again in {child.backoff_s:g} s")
        child.start_at = time.monotonic() + child.backoff_s
        child.backoff_s = min(child.backoff_s * 2, BACKOFF_MAX_S)
        child.restarts += 1
        return 0

    def _stop_all(self) -> None:
        for child in reversed(self._children):
            if child.running:
                child.process.send_signal(signal.SIGTERM)  # type: ignore[union-attr]
        end = time.monotonic() + STOP_AFTER_S
        for child in reversed(self._children):
            if child.process is None:
                continue
            try:
                child.process.wait(max(0.1, end - time.monotonic()))
            except subprocess.TimeoutExpired:
                self._tell(f"the {child.name} process did not end within {STOP_AFTER_S:g} s and is killed")
                child.process.kill()
                child.process.wait()
            _close(child.process)
            (self._run / f"{child.name}.pid").unlink(missing_ok=True)


def become_supervisor(children: Sequence[Child], run: Path) -> NoReturn:
    """This process goes on as the supervisor of these children; it ends at SIGINT or SIGTERM, or when one of them refuses.

    The process id stays, and so do descriptors that a child inherits. Nothing else of the calling program does.
    """
    told = [
        {"name": one.name, "command": list(one.command), "inherited": list(one.inherited), "environment": one.environment}
        for one in children
    ]
    for descriptor in (number for one in children for number in one.inherited):
        os.set_inheritable(descriptor, True)
    sys.stdout.flush()
    sys.stderr.flush()
    os.execv(sys.executable, [sys.executable, "-m", "sightline.supervisor", json.dumps({"run": str(run), "children": told})])


def end_with_supervisor() -> None:
    """For a child: ends this process in an orderly way (SIGTERM) when the supervisor is gone."""

    def wait() -> None:
        while os.read(0, 1024):
            pass
        os.kill(os.getpid(), signal.SIGTERM)

    if not sys.stdin or sys.stdin.closed:
        return
    threading.Thread(target=wait, name="supervisor-watch", daemon=True).start()


def _close(process: subprocess.Popen) -> None:
    if process.stdin:
        process.stdin.close()


def _main(specification: str) -> int:
    known = json.loads(specification)
    children = [Child(one["name"], one["command"], tuple(one["inherited"]), one["environment"]) for one in known["children"]]
    for child in children:
        for descriptor in child.inherited:
            os.set_inheritable(descriptor, False)
    supervisor = Supervisor(children, Path(known["run"]), lambda line: print(line, file=sys.stderr, flush=True))
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, supervisor.stop)
    status = supervisor.watch()
    print("stopped" if status == 0 else "stopped, because a process could not start", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(_main(sys.argv[1]))
