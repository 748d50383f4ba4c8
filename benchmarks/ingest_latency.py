"""How soon the way in answers, and how soon a search finds what it took, at half of what it can take; and memory meanwhile.

`python -m benchmarks.ingest_latency [--seconds 30] [--only spans,narrow] [--write]`. First as many requests as go in are sent over two
connections for the given time: what is loaded meanwhile, per second, is full load. Then, on a new server, requests come evenly at
half of that, so that a slow answer does not slow the next request down, and four times a second one record with a time of its own,
for which a search is asked until it is found. Memory is the sum of the processes' (PSS, so that shared pages count once).
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import logging
import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from benchmarks import ingest_bodies as bodies
from benchmarks.common import report
from benchmarks.ingest import CONNECTIONS, Load, Sightline, cases
from sightline.app import GIVE_BACK, GIVE_BACK_ENGINE

_REQUESTS = 64
"""Different requests, which are repeated."""
_SENDERS = 8
"""Connections at half load: enough that a request never waits for another's answer."""
_PROBES_PER_S = 4
_ASK_S = 0.02
_IDLE_S = 8.0
"""How long a server that has just started is left alone before its memory is read."""


def pss_mb(pid: int) -> float:
    """Memory of a process with its part of what it shares."""
    with contextlib.suppress(OSError):
        for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) / 1024
    return 0.0


class _Memory:
    """The highest sum over some processes, looked at ten times a second."""

    def __init__(self, pids: list[int]) -> None:
        self._pids = pids
        self._ending = threading.Event()
        self.peak_mb = 0.0
        self._thread = threading.Thread(target=self._look, daemon=True)
        self._thread.start()

    def _look(self) -> None:
        while not self._ending.wait(0.1):
            self.peak_mb = max(self.peak_mb, sum(map(pss_mb, self._pids)))

    def stop(self) -> int:
        """The peak."""
        self._ending.set()
        self._thread.join()
        return round(self.peak_mb)


@contextlib.contextmanager
def _running() -> Iterator[Sightline]:
    folder = Path(tempfile.mkdtemp())
    # As `sightline serve` starts its processes.
    os.environ.update(GIVE_BACK | GIVE_BACK_ENGINE)
    system = Sightline(folder)
    try:
        with system.running():
            yield system
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Connections:
    """A connection for each thread that sends."""

    def __init__(self, port: int) -> None:
        self._port = port
        self._local = threading.local()

    def post(self, load: Load, body: bytes) -> float:
        """Send a request; gives the moment at which it was acknowledged."""
        if not hasattr(self._local, "connection"):
            self._local.connection = http.client.HTTPConnection("127.0.0.1", self._port)
        connection = self._local.connection
        connection.request("POST", load.path, body, load.headers)
        reply = connection.getresponse()
        text = reply.read()
        if reply.status not in (200, 204):
            raise RuntimeError(f"answered {reply.status}: {text[:300]!r}")
        return time.perf_counter()


def full_load(load: Load, seconds: float) -> dict[str, Any]:
    """As much as goes in."""
    with _running() as system:
        pids = list(system.processes().values())
        time.sleep(_IDLE_S)
        idle_mb = round(sum(map(pss_mb, pids)))
        memory, connections = _Memory(pids), _Connections(system.port)
        end = time.perf_counter() + seconds
        sent = [0] * CONNECTIONS

        def send(number: int) -> None:
            while time.perf_counter() < end:
                connections.post(load, load.requests[(number + sent[number]) % len(load.requests)])
                sent[number] += 1

        threads = [threading.Thread(target=send, args=(number,)) for number in range(CONNECTIONS)]
        started = time.perf_counter()
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        loaded_per_s = system.found(load) / (time.perf_counter() - started)
        while system.found(load) < load.records * sum(sent) and time.perf_counter() < end + 120:
            time.sleep(0.2)
        return {
            "idle_mb": idle_mb,
            "full_acknowledged_per_s": round(load.records * sum(sent) / seconds),
            "full_loaded_per_s": round(loaded_per_s),
            "full_peak_mb": memory.stop(),
            "lost": load.records * sum(sent) - system.found(load),
        }


def half_load(load: Load, probe: Callable[[int], bytes], step_ns: int, per_s: float, seconds: float) -> dict[str, Any]:
    """Requests at an even pace, and records of their own that a search is asked for."""
    with _running() as system:
        pids = list(system.processes().values())
        time.sleep(2)
        memory, connections = _Memory(pids), _Connections(system.port)
        answer_ms: list[float] = []
        found_ms: list[float] = []
        begin = time.perf_counter() + 0.2

        def send(number: int) -> None:
            due = begin + number * load.records / per_s
            time.sleep(max(0.0, due - time.perf_counter()))
            # From when it was due: a sender that is late because answers are is part of what a client sees.
            answer_ms.append((connections.post(load, load.requests[number % len(load.requests)]) - due) * 1000)

        def look(number: int) -> None:
            time.sleep(max(0.0, begin + number / _PROBES_PER_S - time.perf_counter()))
            time_ns = (time.time_ns() // step_ns + 1) * step_ns
            acknowledged = connections.post(load, probe(time_ns))
            while system.holds(load.count, time_ns) == 0:
                time.sleep(_ASK_S)
            found_ms.append((time.perf_counter() - acknowledged) * 1000)

        with ThreadPoolExecutor(_SENDERS) as senders, ThreadPoolExecutor(1) as looker:
            done = [senders.submit(send, number) for number in range(int(seconds * per_s / load.records))]
            done += [looker.submit(look, number) for number in range(int(seconds * _PROBES_PER_S))]
            for each in done:
                each.result()
        return {
            "half_per_s": round(per_s),
            **_percentiles("answer", answer_ms),
            **_percentiles("found", found_ms),
            "half_peak_mb": memory.stop(),
        }


def _percentiles(name: str, values: list[float]) -> dict[str, float]:
    values = sorted(values)
    return {f"{name}_p{share}_ms": round(values[int(len(values) * share / 100)], 1) for share in (50, 95, 99)}


def _span(time_ns: int) -> bytes:
    request = ExportTraceServiceRequest()
    request.resource_spans.add().scope_spans.add().spans.add(
        trace_id=os.urandom(16), span_id=os.urandom(8), name="p", start_time_unix_nano=time_ns, end_time_unix_nano=time_ns
    )
    return request.SerializeToString()


def _log(time_ns: int) -> bytes:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=time_ns)
    record.body.string_value = "a probe"
    return request.SerializeToString()


def _event(time_ns: int) -> bytes:
    return json.dumps({"time": time_ns / 1e9, "event": "a probe"}).encode()


def _sample(time_ns: int) -> bytes:
    return bodies.write_request([(bodies.labels({"__name__": "probe"}), 0.0, time_ns // 1_000_000)])


_PROBES: dict[str, tuple[Callable[[int], bytes], int]] = {
    "spans": (_span, 1_000),
    "logs": (_log, 1_000),
    "narrow": (_event, 1_000),
    "wide": (_event, 1_000),
    "samples": (_sample, 1_000_000),
}
"""What makes a record of a moment, and the nanoseconds between the moments that its table can tell apart."""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=30)
    parser.add_argument("--only", default=",".join(_PROBES))
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    random.seed(1)
    rows = []
    for name, make, _ in cases(argparse.Namespace(requests=_REQUESTS)):
        if name not in options.only.split(","):
            continue
        load = next(load for kind, load in make() if kind is Sightline)
        full = full_load(load, options.seconds)
        half = half_load(load, *_PROBES[name], full["full_loaded_per_s"] / 2, options.seconds)
        rows.append({"load": load.name, **full, **half})
        print(rows[-1], flush=True)
    report("ingest_latency", {"seconds": options.seconds}, rows, write=options.write)


if __name__ == "__main__":
    main()
