"""Runs the whole shop: three services, the batch job and the load, each in a process of its own."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from functools import partial
from pathlib import Path

from shop.scenario import DEFAULT_LENGTH_S, Scenario

START_TIMEOUT_S = 60.0
STOP_TIMEOUT_S = 6.0
EXAMPLES = Path(__file__).resolve().parent.parent


class Shop:
    """The shop's processes. `start` waits until every service answers; `stop` ends them all, in order."""

    def __init__(self, arguments: argparse.Namespace) -> None:
        self._arguments = arguments
        self._processes: dict[str, subprocess.Popen[bytes]] = {}
        self._data: Path = arguments.data
        self._logs: Path = arguments.logs or arguments.data
        self._ports = dict(zip(("gateway", "features", "model"), arguments.ports or free_ports(3), strict=True))

    def url(self, service: str) -> str:
        return f"http://127.0.0.1:{self._ports[service]}"

    def start(self) -> Scenario:
        """Start the services, then the story's clock, the batch job and the load. Returns the clock."""
        self._data.mkdir(parents=True, exist_ok=True)
        self._logs.mkdir(parents=True, exist_ok=True)
        arguments = self._arguments
        for service in self._ports:
            command = ["-m", "shop.serve", f"shop.{service}:app", str(self._ports[service])]
            self._spawn(service, command, "grpc" if service == "model" else "http/protobuf")
        for service in self._ports:
            self._wait_until(service, partial(self._answers, service))
        if arguments.hec:
            command = ["-m", "shop.outcomes", "--data", str(self._data), "--hec", arguments.hec]
            self._spawn("outcomes", [*command, "--index", arguments.index, "--every", str(arguments.every)])
        if arguments.rate <= 0:
            return Scenario(time.time(), arguments.length)
        note = self._data / "started_at"
        note.unlink(missing_ok=True)
        command = ["-m", "shop.traffic", "--gateway", self.url("gateway"), "--features", self.url("features")]
        command += ["--rate", str(arguments.rate), "--length", repr(arguments.length), "--note", str(note)]
        self._spawn("traffic", command)
        self._wait_until("traffic", note.exists)
        return Scenario(float(note.read_text()), arguments.length)

    def stopped(self) -> str | None:
        """The name of a process that ended by itself, if one did."""
        return next((name for name, process in self._processes.items() if process.poll() is not None), None)

    def stop(self) -> None:
        """End the load, then the batch job, then the gateway before those it asks: what is under way is answered."""
        for names in (("traffic",), ("outcomes",), ("gateway",), ("features", "model")):
            processes = [self._processes[name] for name in names if name in self._processes]
            for process in processes:
                process.send_signal(signal.SIGTERM)
            deadline = time.monotonic() + STOP_TIMEOUT_S
            for process in processes:
                try:
                    process.wait(max(0.1, deadline - time.monotonic()))
                except subprocess.TimeoutExpired:
                    process.kill()
                    process.wait()

    def _spawn(self, name: str, command: list[str], protocol: str = "http/protobuf") -> None:
        arguments = self._arguments
        endpoint = arguments.otlp_grpc if protocol == "grpc" else arguments.otlp_http
        environment = {
            **os.environ,
            "PYTHONPATH": os.pathsep.join(filter(None, [str(EXAMPLES), os.environ.get("PYTHONPATH")])),
            "SHOP_DATA": str(self._data),
            "SHOP_FEATURES_URL": self.url("features"),
            "SHOP_MODEL_URL": self.url("model"),
            "OTEL_SERVICE_NAME": name,
            "OTEL_RESOURCE_ATTRIBUTES": "service.namespace=shop,service.version=1.0.0,deployment.environment.name=demo",
            "OTEL_EXPORTER_OTLP_ENDPOINT": endpoint,
            "OTEL_EXPORTER_OTLP_PROTOCOL": protocol,
            "OTEL_METRIC_EXPORT_INTERVAL": "5000",
            "OTEL_SEMCONV_STABILITY_OPT_IN": "http",
        }
        with (self._logs / f"{name}.log").open("ab") as log:
            # A session of its own: Ctrl-C in the terminal reaches this process alone, which then stops the others.
            self._processes[name] = subprocess.Popen(
                [sys.executable, *command],
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def _answers(self, service: str) -> bool:
        try:
            with urllib.request.urlopen(f"{self.url(service)}/health", timeout=2):
                return True
        except (urllib.error.URLError, OSError):
            return False

    def _wait_until(self, name: str, ready: Callable[[], bool]) -> None:
        """Raises SystemExit when the process ends, or START_TIMEOUT_S pass, before it is ready."""
        deadline = time.monotonic() + START_TIMEOUT_S
        while not ready():
            if self._processes[name].poll() is not None:
                raise SystemExit(f"{name} did not start, see {self._logs / f'{name}.log'}")
            if time.monotonic() > deadline:
                raise SystemExit(f"{name} was not ready within {START_TIMEOUT_S:g} s")
            time.sleep(0.1)


def free_ports(count: int) -> list[int]:
    """Ports of the loopback address that nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for s in sockets:
            s.bind(("127.0.0.1", 0))
        return [s.getsockname()[1] for s in sockets]
    finally:
        for s in sockets:
            s.close()


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m shop",
        description="Run the wine shop until interrupted. The HEC token is read from SHOP_HEC_TOKEN.",
    )
    parser.add_argument("--otlp-http", default="http://127.0.0.1:4318", help="OTLP over HTTP, where most telemetry goes")
    parser.add_argument("--otlp-grpc", default="http://127.0.0.1:4317", help="OTLP over gRPC, where the model's goes")
    parser.add_argument("--hec", default="", help="HEC endpoint for the labelled outcomes; without it none are written")
    parser.add_argument("--index", default="my_latest_data", help="index of the outcomes")
    parser.add_argument("--every", type=float, default=3.0, help="seconds between two deliveries of outcomes")
    parser.add_argument("--rate", type=float, default=12.0, help="bottles per second")
    parser.add_argument("--length", type=float, default=DEFAULT_LENGTH_S, help="seconds the whole story takes")
    parser.add_argument("--data", type=Path, default=Path(".shop"), help="folder for the shop's own files")
    parser.add_argument("--logs", type=Path, help="folder for what the processes print; default: the data folder")
    parser.add_argument("--ports", type=int, nargs=3, metavar=("GATEWAY", "FEATURES", "MODEL"), help="default: free ones")
    arguments = parser.parse_args()
    if arguments.hec and not os.environ.get("SHOP_HEC_TOKEN"):
        parser.error("--hec wants a token in the environment variable SHOP_HEC_TOKEN")

    shop = Shop(arguments)
    # Both are said outright: a shell that starts a program in the background has it ignore Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        scenario = shop.start()
        print(
            f"gateway {shop.url('gateway')} started_at {scenario.started_at:.3f} length_s {scenario.length_s:g}",
            flush=True,
        )
        while True:
            time.sleep(0.5)
            if name := shop.stopped():
                raise SystemExit(f"{name} ended by itself, see its log")
    except KeyboardInterrupt:
        pass
    finally:
        shop.stop()


if __name__ == "__main__":
    main()
