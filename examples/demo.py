"""The demo: Sightline, a shop that sends it real telemetry, and a model that really gets worse.

`make demo` runs it. It starts Sightline on loopback with its data in `.demo/`, sets up what a person would set up,
opens the shop, and tells in the terminal what happens, when it happens. Nothing is told that was not read back from
Sightline. With `--seconds` it ends by itself, with exit status 0 only if all of it happened.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from rich.console import Console
from shop.__main__ import free_ports
from shop.scenario import DEFAULT_LENGTH_S, Scenario
from stage.definitions import (
    MISSION,
    MODEL,
    OUTCOMES_INDEX,
    SCORES_INDEX,
    WORST_ALLOWED_RECALL,
    WORST_RECALL,
    recall_alert,
    scoring_search,
    training_search,
)
from stage.server import Addresses, DemoError, Result, Server
from stage.webhook import Webhook

EXAMPLES = Path(__file__).resolve().parent
TRAINING_ROWS = 150
"""Labelled outcomes wanted before the first training."""
RECORDS = {"main": "log records", "traces": "spans", "metrics": "metric points", OUTCOMES_INDEX: "outcomes"}
"""Indexes that the shop's telemetry arrives in, and what they hold."""
LOOK_EVERY_S = 2.0
"""How often each thing that has not happened yet is looked for."""
OVERTIME_SHARE = 0.5
"""How much longer than `--seconds` the demo waits, as a share of it, when something has not happened yet: on a machine
that is busy with other things the same story takes longer."""
PROGRESS_EVERY_S = 15.0
"""How often progress is told where the terminal has no status line (a file, a build log)."""


@dataclass(slots=True)
class Event:
    """Something that is to happen. `look` returns what to tell once it has happened, and an empty text before."""

    name: str
    look: Callable[[], str]
    after: str = ""
    """The event that has to happen first."""
    happened: bool = False
    trouble: str = ""
    """What the last look was refused with; told when the demo ends and it never happened."""


class Demo:
    """One run. `play` tells the story; `close` stops everything that was started, in order."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._seconds: float | None = arguments.seconds
        self._until_done: bool = arguments.until_done
        self._rate: float = arguments.rate
        self._folder: Path = arguments.data.resolve()
        self._console = Console(highlight=False, soft_wrap=True)
        # The story is as long as the run, or ten minutes; its order of events is the same.
        self._length_s = arguments.length or arguments.seconds or DEFAULT_LENGTH_S
        self._window_s = max(30, round(self._length_s / 4))
        self._every_s = 60 if self._length_s >= 500 else 15 if self._length_s >= 150 else 10
        logs = self._folder / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        addresses = Addresses()
        if arguments.free_ports:
            addresses = Addresses(*(f"127.0.0.1:{port}" for port in free_ports(4)))
        self._addresses = addresses
        self._server = Server(self._folder / "data", logs, addresses)
        self._webhook: Webhook | None = None
        self._shop: subprocess.Popen[str] | None = None
        self._scenario: Scenario | None = None
        self._began = time.time()
        self._rows_before: dict[str, int] = {}
        self._training: dict[str, Any] = {}
        self._scoring: dict[str, Any] = {}
        self._alert: dict[str, Any] = {}
        self.events: list[Event] = []

    # The story

    def play(self) -> None:
        """Start everything, then look for each event until the time is over (or for ever)."""
        self._say("starting Sightline" + (", with the data of the last run" if self._known() else ""))
        self._server.start()
        self._say(f"the page is at [bold]{self._server.url}[/bold], and this link signs in once:")
        self._console.print(f"\n    {self._server.login_link()}\n", style="bold cyan")
        self._set_up()
        self._open_shop()
        self.events = [
            Event("telemetry received", self._telemetry),
            Event("outcomes received", self._outcomes),
            Event("model trained", self._train, after="outcomes received"),
            Event("model scored", self._score, after="model trained"),
            Event("scored on schedule", self._scored_on_schedule, after="model trained"),
            Event("slow requests seen", self._slow, after="telemetry received"),
            Event("failing requests seen", self._failing, after="telemetry received"),
            Event("model worse", self._worse, after="model scored"),
            Event("alert fired", self._fired, after="model scored"),
            Event("webhook received", self._notified, after="alert fired"),
        ]
        end = time.time() + self._seconds if self._seconds else float("inf")
        overtime = False
        next_progress = time.monotonic() + PROGRESS_EVERY_S
        with self._console.status("") as status:
            while time.time() < end:
                self._look()
                missing = [e.name for e in self.missing()]
                if self._seconds and missing and not overtime and time.time() + LOOK_EVERY_S >= end:
                    overtime = True
                    end += OVERTIME_SHARE * self._seconds
                    self._say(f"the time is over, but some things did not happen yet: {', '.join(missing)}")
                elif overtime and not missing:
                    return
                progress = self._progress(missing, end)
                status.update(progress)
                if not self._console.is_terminal and time.monotonic() >= next_progress:
                    next_progress += PROGRESS_EVERY_S
                    self._say(progress)
                if self._until_done and not missing:
                    return
                time.sleep(min(LOOK_EVERY_S, max(0.0, end - time.time())))

    def _look(self) -> None:
        self._server.check()
        if self._shop is not None and self._shop.poll() is not None:
            raise DemoError(f"the shop closed by itself, see {self._folder / 'logs'}")
        happened = {e.name for e in self.events if e.happened}
        for event in self.events:
            if event.happened or (event.after and event.after not in happened):
                continue
            try:
                told = event.look()
                event.trouble = ""
            except DemoError as error:
                # Told at the end if it stays so: an index that has no events yet, or an engine that restarts.
                event.trouble = str(error).splitlines()[0]
                continue
            if told:
                event.happened = True
                self._say(told)

    def missing(self) -> list[Event]:
        """What has not happened."""
        return [e for e in self.events if not e.happened]

    # Starting and stopping

    def _known(self) -> bool:
        return (self._folder / "data" / "catalog.db").exists()

    def _set_up(self) -> None:
        names = self._rows_before = self._rows()
        for name, datatype in ((OUTCOMES_INDEX, "event"), (SCORES_INDEX, "metric")):
            if name not in names:
                self._server.call("POST", "/indexes", {"name": name, "datatype": datatype})
        self._webhook = Webhook()
        self._training = self._server.keep("/saved-searches", training_search(time.time()))
        self._scoring = self._server.keep("/saved-searches", scoring_search(self._window_s, self._every_s))
        alert = recall_alert(self._window_s, self._every_s, self._webhook.url)
        self._alert = self._server.keep("/alerts", alert)

    def _open_shop(self) -> None:
        self._say("opening the shop: gateway, feature service and model service")
        addresses = self._addresses
        command = [
            sys.executable,
            "-m",
            "shop",
            "--data",
            str(self._folder / "shop"),
            "--logs",
            str(self._folder / "logs"),
        ]
        command += ["--otlp-http", f"http://{addresses.otlp_http}", "--otlp-grpc", f"http://{addresses.otlp_grpc}"]
        command += ["--hec", f"http://{addresses.hec}", "--index", OUTCOMES_INDEX]
        command += ["--rate", str(self._rate), "--length", str(self._length_s)]
        environment = {**os.environ, "SHOP_HEC_TOKEN": self._server.token("hec", OUTCOMES_INDEX)}
        self._shop = subprocess.Popen(
            command,
            cwd=EXAMPLES,
            env=environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        line = self._shop.stdout.readline().split()
        if not line:
            raise DemoError(f"the shop did not open, see {self._folder / 'logs'}")
        self._scenario = Scenario(float(line[3]), float(line[5]))
        self._say(f"the shop is open: {self._rate:g} bottles a second at {line[1]}")

    def close(self) -> None:
        """Stop the shop, then Sightline, so that the last telemetry still arrives."""
        if self._shop is not None and self._shop.poll() is None:
            self._shop.send_signal(signal.SIGTERM)
            try:
                self._shop.wait(30)
            except subprocess.TimeoutExpired:
                os.killpg(self._shop.pid, signal.SIGKILL)
                self._shop.wait()
        self._server.stop()
        if self._webhook is not None:
            self._webhook.close()

    # What is to happen

    def _telemetry(self) -> str:
        counts = self._counts()
        if not all(counts[what] for what in ("log records", "spans", "metric points")):
            return ""
        return f"telemetry arrives: {_listed(counts)}"

    def _counts(self) -> dict[str, int]:
        """Records of this run by what they are."""
        rows = self._rows()
        return {what: rows.get(index, 0) - self._rows_before.get(index, 0) for index, what in RECORDS.items()}

    def _rows(self) -> dict[str, int]:
        return {index["name"]: index["rows"] for index in self._server.call("GET", "/indexes")}

    def _outcomes(self) -> str:
        found = self._server.search(
            f'index={OUTCOMES_INDEX} | stats count count(eval(partition="train")) AS train dc(user) AS users',
            str(self._began),
        ).rows[0]
        if found["train"] < TRAINING_ROWS or found["users"] < 3:
            return ""
        return f"labelled outcomes arrive: {found['count']:,} in index={OUTCOMES_INDEX}, {found['train']:,} for training"

    def _train(self) -> str:
        outcome = self._server.call("POST", f"/saved-searches/{self._training['id']}/run")
        if outcome["error"]:
            raise DemoError(outcome["error"])
        model = self._server.call("GET", f"/models/{MODEL}")
        return (
            f"{MODEL} trained: version {model['version']}, {model['algorithm']} on {model['rows']:,} outcomes"
            f" in {outcome['run_time_s']:.1f} s (then every hour)"
        )

    def _score(self) -> str:
        result = self._server.search(MISSION, f"-{self._window_s}s")
        kinds = {row["metric_name"].rsplit(".", 1)[-1].split("(")[0] for row in result.rows}
        if not {"actual", "recall", "precision", "feature_importance"} <= kinds:
            return ""
        written = self._server.search(
            f'| mstats count(_value) AS count WHERE index={SCORES_INDEX} metric_name="mlops.username.*"',
            str(self._began),
        ).rows
        if not written or written[0]["count"] < len(result.rows):
            return ""
        self._say("the model is scored on bottles it has not seen (examples/mission.spl):")
        for line in _as_table(result):
            self._console.print(f"    {line}", markup=False)
        return (
            f"{len(result.rows)} scores were written to index={SCORES_INDEX};"
            f" the dashboard Model health shows them: {self._server.url}/dashboards"
        )

    def _scored_on_schedule(self) -> str:
        runs = self._server.call("GET", f"/saved-searches/{self._scoring['id']}/runs")
        return f"the schedule scored the model too (every {self._every_s} s)" if any(map(_is_good, runs)) else ""

    def _slow(self) -> str:
        rows = self._server.search(
            "index=traces service=features name=archive.read"
            " | stats count(eval(duration_ms>300)) AS slow perc50(duration_ms) AS median max(duration_ms) AS longest",
            str(self._began),
        ).rows
        if not rows or not rows[0]["slow"]:
            return ""
        return (
            f"some reads of the archive are slow: {rows[0]['slow']} above 300 ms,"
            f" the longest {rows[0]['longest']:.0f} ms,"
            f" the median {rows[0]['median']:.1f} ms; see Traces"
        )

    def _failing(self) -> str:
        rows = self._server.search(
            "index=traces service=model name=model.predict status=error | stats count latest(status_message) AS message",
            str(self._began),
        ).rows
        if not rows or not rows[0]["count"]:
            return ""
        return f"some requests fail deep inside: {rows[0]['count']} in model.predict, {_short(rows[0]['message'])}"

    def _worse(self) -> str:
        rows = self._server.search(WORST_RECALL, f"-{self._window_s}s").rows
        if not rows or rows[0]["recall"] >= WORST_ALLOWED_RECALL:
            return ""
        return f"the model got worse: {rows[0]['recall']:.0%} of {_scored(rows[0]['operation'])} are recognised"

    def _fired(self) -> str:
        history = self._server.call("GET", f"/alerts/{self._alert['id']}/history")
        fired = [e for e in history if e["event"] == "fired" and e["time"] >= self._began]
        return f"the alert fired: {self._alert['name']}" if fired else ""

    def _notified(self) -> str:
        received = self._webhook.received() if self._webhook else []
        if not received:
            return ""
        result = received[0].get("result") or {}
        found = f"recall of {_scored(result.get('operation', '?'))} is {float(result.get('recall', 'nan')):.2f}"
        return f"the webhook was called: {received[0].get('search_name')}; {found}"

    # Telling

    def _say(self, text: str) -> None:
        self._console.print(f"[dim]{time.time() - self._began:5.0f} s[/dim]  {text}")

    def _progress(self, missing: list[str], end: float) -> str:
        try:
            counts = self._counts()
        except DemoError:
            counts = {}
        left = f", {max(0, end - time.time()):.0f} s left" if end != float("inf") else ", Ctrl-C stops"
        waiting = f"waiting for: {', '.join(missing)}" if missing else "everything happened"
        return f"{_listed(counts)}; {waiting}{left}"


def _is_good(run: dict[str, Any]) -> bool:
    return run.get("trigger") == "schedule" and run.get("status") == "success"


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{n:,} {what}" for what, n in counts.items())


def _scored(operation: str) -> str:
    """The class of a score: `scored(barolo)` is about barolo."""
    return operation.removeprefix("scored(").removesuffix(")")


def _as_table(result: Result) -> list[str]:
    """A heading and a line for each row, whatever the terminal's width; numbers to the right."""
    cells = [result.columns] + [[_cell(c, row[c]) for c in result.columns] for row in result.rows]
    widths = [max(len(line[i]) for line in cells) for i in range(len(result.columns))]
    right = [c == "_value" for c in result.columns]
    return [
        "  ".join(t.rjust(w) if r else t.ljust(w) for t, w, r in zip(line, widths, right, strict=True)).rstrip()
        for line in cells
    ]


def _cell(column: str, value: Any) -> str:
    if column == "_time" and isinstance(value, (int, float)):
        return time.strftime("%H:%M:%S", time.localtime(value))
    if isinstance(value, float):
        return f"{value:.4g}"
    return "" if value is None else str(value)


def _short(value: Any) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 120 else text[:117] + "..."


def main() -> int:
    parser = argparse.ArgumentParser(prog="demo.py", description=__doc__.split("\n")[0])
    parser.add_argument("--seconds", type=float, help="end by itself after this time; the story is told faster")
    parser.add_argument("--length", type=float, help="seconds the whole story takes; default: --seconds, or 600")
    parser.add_argument("--rate", type=float, default=12.0, help="bottles per second")
    parser.add_argument("--data", type=Path, default=EXAMPLES.parent / ".demo", help="folder for everything the demo keeps")
    parser.add_argument("--until-done", action="store_true", help="end as soon as everything has happened")
    parser.add_argument("--fresh", action="store_true", help="forget what earlier runs kept")
    parser.add_argument("--free-ports", action="store_true", help="listen on free ports instead of the usual ones")
    arguments = parser.parse_args()
    if arguments.seconds is not None and arguments.seconds < 90:
        parser.error("--seconds wants 90 or more: a model cannot be trained, judged and spoiled in less")
    if arguments.fresh:
        shutil.rmtree(arguments.data, ignore_errors=True)

    # A terminal's Ctrl-C and a supervisor's request to stop are the same to the demo. Both are said outright: a shell
    # that starts a program in the background has it ignore Ctrl-C.
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    demo = Demo(arguments)
    console = Console(stderr=True, highlight=False, soft_wrap=True)
    interrupted = failed = False
    try:
        demo.play()
    except KeyboardInterrupt:
        interrupted = True
    except DemoError as error:
        console.print(str(error), style="red", markup=False)
        failed = True
    finally:
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        console.print("stopping the shop and Sightline")
        demo.close()
    if failed:
        return 1
    if interrupted and arguments.seconds is None:
        console.print(f"stopped; the data stays in {arguments.data}")
        return 0
    missing = demo.missing()
    for event in missing:
        console.print(f"did not happen: {event.name}" + (f" ({event.trouble})" if event.trouble else ""), markup=False)
    if missing:
        return 1
    console.print("everything happened")
    return 0


if __name__ == "__main__":
    sys.exit(main())
