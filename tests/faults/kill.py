"""kill -9 of the front, the engine and the supervisor at random moments under load, round after round.

    PYTHONPATH=src python tests/faults/kill.py --rounds 100

Senders number their records. At the end every acknowledged number is stored once, nothing else is, and the ledger adds up.
"""

from __future__ import annotations

import argparse
import contextlib
import os
import random
import signal
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from sightline.store.loading import is_empty

if __package__:
    from .sending import Sender, compare
else:
    from sending import Sender, compare

VICTIMS = ("front", "engine", "supervisor")
PATIENCE_S = 600


def run_rounds(server: Any, rounds: int, seed: int, tell: Any = lambda _: None) -> dict[str, Any]:
    """Kill `rounds` times and prove what is left; `server` is started. Returns what happened, in numbers."""
    dice = random.Random(seed)
    senders = [Sender(f"http://127.0.0.1:{server.otlp_http_port}", name) for name in ("a", "b")]
    for sender in senders:
        sender.start()
    killed: Counter[str] = Counter()
    try:
        for number in range(rounds):
            before = sum(len(sender.acknowledged) for sender in senders)
            _wait(
                lambda before=before: sum(len(sender.acknowledged) for sender in senders) > before + 200, "acknowledgements"
            )
            time.sleep(dice.uniform(0.0, 2.0))
            victim = VICTIMS[number % 3] if number < 3 else dice.choice(VICTIMS)
            killed[victim] += 1
            if victim == "supervisor":
                server.process.kill()
                server.process.wait()
                _restart(server)
            else:
                # In the middle of a restart there may be none, or it may end by itself at this moment.
                with contextlib.suppress(ProcessLookupError, FileNotFoundError, ValueError):
                    os.kill(server.pid(victim), signal.SIGKILL)
            tell(f"round {number + 1}: {victim}, {before:,} acknowledged")
        before = sum(len(sender.acknowledged) for sender in senders)
        _wait(lambda: sum(len(sender.acknowledged) for sender in senders) > before + 200, "acknowledgements")
    finally:
        for sender in senders:
            sender.stop()
    server.wait_ready(PATIENCE_S)
    _wait(lambda: is_empty(server.data / "journal"), "the journal to be loaded")
    assert server.stop() == 0, server.log
    return {"rounds": rounds, "killed": dict(killed), **prove(server.data, senders)}


def prove(data: Path, senders: list[Sender]) -> dict[str, int]:
    """Compare what a data directory holds with what senders were told, number by number, and check its ledger."""
    from sightline.config import Settings
    from sightline.store import EmbeddedStore
    from sightline.store.loading import Loader

    settings = Settings(data)
    with EmbeddedStore(data / "engine", settings) as store:
        loader = Loader(store, settings)
        loader.load_waiting()
        texts = store.query("SELECT _raw FROM sightline.events WHERE index = 'main'")["_raw"].to_pylist()
        totals = [row for row in loader.ledger.totals() if row.source == "otlp:logs"]
        quarantined = loader.quarantine.totals()["requests"]
    stored = compare(texts, senders)
    received, told, refused, waiting = (
        sum(getattr(row, name) for row in totals) for name in ("received", "stored", "refused", "waiting")
    )
    assert received == told + refused + waiting, f"the ledger does not add up: {totals}"
    assert told == stored, f"the ledger tells of {told} stored records, there are {stored}"
    assert quarantined == 0
    return {
        "stored": stored,
        "acknowledged": sum(len(sender.acknowledged) for sender in senders),
        "unknown": sum(len(sender.unknown) for sender in senders),
    }


def _restart(server: Any) -> None:
    """Start again as soon as the children of the killed supervisor have let the directory and the ports go."""
    end = time.monotonic() + PATIENCE_S
    while True:
        server.start(wait=False)
        time.sleep(3.0)
        if server.process.poll() is None:
            return
        assert time.monotonic() < end, server.log


def _wait(claim: Any, what: str) -> None:
    end = time.monotonic() + PATIENCE_S
    while not claim():
        assert time.monotonic() < end, f"waited {PATIENCE_S} s for {what}"
        time.sleep(0.02)


def main() -> None:
    """Runs the rounds and prints the numbers."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=100)
    parser.add_argument("--seed", type=int, default=time.time_ns() % 100_000)
    chosen = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from conftest import make_server

    with tempfile.TemporaryDirectory(prefix="sightline-kill-") as folder:
        server = make_server(Path(folder))
        server.start()
        started = time.monotonic()
        try:
            numbers = run_rounds(server, chosen.rounds, chosen.seed, lambda line: print(line, flush=True))
        finally:
            server.stop()
        print({"seed": chosen.seed, **numbers, "took_s": round(time.monotonic() - started)})


if __name__ == "__main__":
    main()
