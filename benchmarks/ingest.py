"""The way in, beside peers: records that are stored and can be searched, per second of processor time.

`python -m benchmarks.ingest [--requests 200] [--victoria-logs PATH] [--victoria-traces PATH] [--only NAME] [--write]`. Every
system gets the same records from the same sender over two connections, on the same machine, one after the other, and starts
empty. What counts is what its own query finds afterwards, not what it answered. Processor seconds are those of the system's
processes until all was found; "settled" adds what it went on to do in the seconds after. "engine alone" is the embedded
engine loading a file of the same records into columns of the right types, which is what the way in is measured against.
Peers that are not named are left out; both build from their sources with `go build ./app/<name>`.
"""

from __future__ import annotations

import argparse
import contextlib
import http.client
import json
import logging
import multiprocessing
import os
import random
import shutil
import socket
import subprocess
import tempfile
import threading
import time
import urllib.parse
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import grpc

from benchmarks import ingest_bodies as bodies
from benchmarks.common import report

SETTLE_S = 20.0
"""How long after the last record a system's merges are watched."""
CONNECTIONS = 2


@dataclass
class Load:
    """Requests of one kind and where they go."""

    name: str
    requests: list[bytes]
    records: int
    """Records of a request."""
    path: str
    headers: dict[str, str] = field(default_factory=dict)
    count: str = ""
    """How the system is asked for the number of records."""


class System(ABC):
    """A system under load: its processes, its port, its folder, and how many records it finds."""

    name = ""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.port, self.grpc_port = free_ports(2)

    @abstractmethod
    def processes(self) -> dict[str, int]:
        """Process ids by what they do."""

    @abstractmethod
    def found(self, load: Load) -> int:
        """Records that a search finds."""

    def stored_bytes(self) -> int:
        """Bytes on disk of what is stored."""
        return sum(path.stat().st_size for path in self.folder.rglob("*") if path.is_file())


class Sightline(System):
    """The receivers' process and the engine's, as `sightline serve` runs them."""

    name = "Sightline"
    _asking = threading.Lock()

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """From ready to stopped."""
        from sightline.config import ListenSettings

        listen = ListenSettings(f"127.0.0.1:{self.port}", "off", f"127.0.0.1:{self.grpc_port}", "off")
        context = multiprocessing.get_context("spawn")
        self._engine_pipe, there = context.Pipe()
        self._engine = context.Process(target=_engine_process, args=(self.folder, there))
        self._front = context.Process(target=_front_process, args=(self.folder, listen))
        self._engine.start()
        self._front.start()
        self._ask("events")
        wait_for_port(self.port)
        wait_for_port(self.grpc_port)
        try:
            yield
        finally:
            self._engine_pipe.send("stop")
            self._front.terminate()
            self._front.join()
            self._engine.join()

    def processes(self) -> dict[str, int]:
        return {"front": self._front.pid, "engine": self._engine.pid}

    def found(self, load: Load) -> int:
        return self._ask(load.count)

    def stored_bytes(self) -> int:
        return self._ask("bytes")

    def holds(self, table: str, time_ns: int) -> int:
        """How many records of a table are of this moment."""
        return self._ask(f"{table} {time_ns}")

    def _ask(self, what: str) -> int:
        with self._asking:
            self._engine_pipe.send(what)
            return self._engine_pipe.recv()


class Victoria(System):
    """VictoriaLogs or VictoriaTraces: one process."""

    def __init__(self, folder: Path, binary: str, name: str) -> None:
        super().__init__(folder)
        self._binary = binary
        self.name = name

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        """From ready to stopped."""
        flags = [f"-storageDataPath={self.folder}", f"-httpListenAddr=127.0.0.1:{self.port}", "-loggerLevel=ERROR"]
        self._process = subprocess.Popen([self._binary, *flags], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_for_port(self.port)
        try:
            yield
        finally:
            self._process.terminate()
            self._process.wait()

    def processes(self) -> dict[str, int]:
        return {"server": self._process.pid}

    def found(self, load: Load) -> int:
        connection = http.client.HTTPConnection("127.0.0.1", self.port)
        query = urllib.parse.quote(load.count)
        connection.request("GET", f"/select/logsql/query?query={query}")
        text = connection.getresponse().read().decode().strip()
        connection.close()
        return int(json.loads(text.splitlines()[0])["n"]) if text else 0


class _Tokens:
    """Any secret will do."""

    def find(self, secret: str) -> Any:
        """The token of a secret."""
        from sightline.catalog.token_source import TokenGrant

        return TokenGrant(id=1, name="benchmark", kind="hec")

    def index_datatype(self, name: str) -> str | None:
        """Nothing is known of indexes."""
        return None


def _front_process(data: Path, listen: Any) -> None:
    from sightline.config import IngestSettings, Settings
    from sightline.receivers.front import run_front

    # The same few requests are sent again and again, and all of them are to be stored.
    run_front(Settings(data=data, listen=listen, ingest=IngestSettings(otlp_remembered_requests=0)), _Tokens())


def _engine_process(data: Path, commands: Any) -> None:
    from sightline.config import Settings
    from sightline.store import EmbeddedStore
    from sightline.store.loading import Loader

    settings = Settings(data=data)
    store = EmbeddedStore(data / "engine", settings)
    loader = Loader(store, settings)
    loader.start()
    while (asked := commands.recv()) != "stop":
        if asked == "bytes":
            sql = (
                "SELECT toInt64(sum(bytes_on_disk)) AS n FROM system.parts WHERE database = 'sightline' AND active"
                " AND table IN ('events', 'spans', 'metrics') AND NOT startsWith(partition, '(\\'_')"
            )
        else:
            table, _, time_ns = asked.partition(" ")
            at = f" AND _time = fromUnixTimestamp64Nano(toInt64({time_ns}), 'UTC')" if time_ns else ""
            sql = f"SELECT toInt64(count()) AS n FROM sightline.{table} WHERE NOT startsWith(index, '_'){at}"
        commands.send(store.query(sql)["n"][0].as_py() or 0)
    loader.stop()
    store.close()


# ---- measuring -------------------------------------------------------------------------------------------------------


def cpu_s(pid: int) -> float:
    """Processor seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def memory_mb(pid: int) -> int:
    """Memory of a process at its highest, in MB."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) // 1024
    return 0


def send_http(system: System, load: Load, requests: list[bytes], waits_ms: list[float]) -> None:
    """Send requests one after the other over one connection; every answer must be a success."""
    connection = http.client.HTTPConnection("127.0.0.1", system.port)
    for body in requests:
        started = time.perf_counter()
        connection.request("POST", load.path, body, load.headers)
        reply = connection.getresponse()
        text = reply.read()
        if reply.status not in (200, 204):
            raise RuntimeError(f"{system.name} answered {reply.status}: {text[:300]!r}")
        waits_ms.append((time.perf_counter() - started) * 1000)


def send_grpc(system: System, load: Load, requests: list[bytes], waits_ms: list[float]) -> None:
    """The same over gRPC."""
    with grpc.insecure_channel(f"127.0.0.1:{system.grpc_port}") as channel:
        export = channel.unary_unary(load.path)
        for body in requests:
            started = time.perf_counter()
            export(body)
            waits_ms.append((time.perf_counter() - started) * 1000)


def measure(system: System, load: Load) -> dict[str, Any]:
    """Send the requests to a new server, wait until all can be found, and then until it is quiet."""
    with system.running():
        used = {name: cpu_s(pid) for name, pid in system.processes().items()}
        send = send_grpc if load.path.startswith("/opentelemetry") else send_http
        waits_ms: list[float] = []
        started = time.perf_counter()
        threads = [
            threading.Thread(target=send, args=(system, load, load.requests[k::CONNECTIONS], waits_ms))
            for k in range(CONNECTIONS)
        ]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        durable_s = time.perf_counter() - started
        records = load.records * len(load.requests)
        deadline = time.monotonic() + 300
        while (found := system.found(load)) < records and time.monotonic() < deadline:
            time.sleep(0.1)
        found_s = time.perf_counter() - started
        spent = {name: cpu_s(pid) - used[name] for name, pid in system.processes().items()}
        time.sleep(SETTLE_S)
        settled = {name: cpu_s(pid) - used[name] for name, pid in system.processes().items()}
        cpu, later = sum(spent.values()), sum(settled.values())
        return {
            "load": load.name,
            "system": system.name,
            "records": found,
            "lost": records - found,
            "acknowledged_per_s": round(records / durable_s),
            "found_per_s": round(records / found_s),
            "per_cpu_s": round(records / cpu),
            "settled_per_cpu_s": round(records / later),
            "us_per_record": round(cpu / records * 1e6, 2),
            "of_it": " ".join(f"{name} {seconds / records * 1e6:.2f}" for name, seconds in spent.items()),
            "ack_p95_ms": round(sorted(waits_ms)[int(len(waits_ms) * 0.95)], 1),
            "bytes_per_record": round(system.stored_bytes() / records, 1),
            "peak_mb": sum(memory_mb(pid) for pid in system.processes().values()),
        }


_TYPED = {
    "ts": "Float64", "level": "LowCardinality(String)", "service": "LowCardinality(String)", "status": "Int64",
    "duration_ms": "Int64", "msg": "String", "method": "LowCardinality(String)", "uri": "String", "user": "String",
    "session": "String", "region": "LowCardinality(String)", "node": "LowCardinality(String)", "bytes": "Int64",
    "cache": "Bool", "version": "LowCardinality(String)", "trace_id": "String", "span_id": "String",
    "tenant": "LowCardinality(String)", "user_agent": "LowCardinality(String)", "score": "Float64",
}  # fmt: skip


def engine_alone(name: str, fields: dict[str, tuple[str, bodies.Draw]], requests: int) -> dict[str, Any]:
    """The embedded engine loading a file of the same JSON logs into typed columns with their text beside them."""
    script = """
import resource, sys, chdb
from chdb import session
folder, path, columns = sys.argv[1:4]
engine = session.Session(folder)
engine.query("CREATE DATABASE d")
engine.query(f"CREATE TABLE d.t ({columns}) ENGINE = MergeTree ORDER BY ts SETTINGS fsync_after_insert = 1")
before = resource.getrusage(resource.RUSAGE_SELF)
engine.query(f"INSERT INTO d.t SELECT * FROM file('{path}', 'JSONEachRow', '{columns}')")
after = resource.getrusage(resource.RUSAGE_SELF)
size = engine.query("SELECT sum(bytes_on_disk) FROM system.parts WHERE active AND database = 'd'", "TSV").data()
print(after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, size.strip())
"""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "logs.jsonl"
        with path.open("wb") as file:
            file.writelines(bodies.line_requests(fields, requests))
        columns = ", ".join(f"{key} {_TYPED[key]}" for key in ("ts", *fields))
        done = subprocess.run(
            [os.sys.executable, "-c", script, f"{folder}/engine", str(path), columns],
            capture_output=True, text=True, check=True,
        )  # fmt: skip
        cpu, size = done.stdout.split()
        records = requests * bodies.LINES
        return {
            "load": name, "system": "engine alone", "records": records, "lost": 0, "acknowledged_per_s": "",
            "found_per_s": "", "per_cpu_s": round(records / float(cpu)), "settled_per_cpu_s": "",
            "us_per_record": round(float(cpu) / records * 1e6, 2), "of_it": "", "ack_p95_ms": "",
            "bytes_per_record": round(int(size) / records, 1), "peak_mb": "",
        }  # fmt: skip


def free_ports(count: int) -> list[int]:
    """Ports nobody listens on."""
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for_port(port: int) -> None:
    """Return when somebody listens."""
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


# ---- what is measured ------------------------------------------------------------------------------------------------

_PROTOBUF = {"Content-Type": "application/x-protobuf"}
_HEC = {"Authorization": "Splunk 00000000-0000-0000-0000-000000000000", "Content-Type": "application/json"}
_GRPC_TRACES = "/opentelemetry.proto.collector.trace.v1.TraceService/Export"
_JSON_LINES = "/insert/jsonline?_stream_fields=service&_time_field=ts&_msg_field=msg"
_COUNT_ALL = "* | stats count() as n"
_COUNT_SPANS = "trace_id:* span_id:* | stats count() as n"


def cases(options: argparse.Namespace) -> Iterator[tuple[str, Callable[[], list[tuple[type[System], Load]]], dict | None]]:
    """(name, what makes the loads, the fields of the logs for the engine alone)."""
    count = options.requests

    def spans() -> list[tuple[type[System], Load]]:
        requests = bodies.span_requests(count)
        return [
            (Sightline, Load("spans, OTLP/HTTP", requests, bodies.RECORDS, "/v1/traces", _PROTOBUF, "spans")),
            (Sightline, Load("spans, OTLP/gRPC", requests, bodies.RECORDS, _GRPC_TRACES, {}, "spans")),
            (
                Victoria,
                Load(
                    "spans, OTLP/HTTP", requests, bodies.RECORDS, "/insert/opentelemetry/v1/traces", _PROTOBUF, _COUNT_SPANS
                ),
            ),
        ]

    def otlp_logs() -> list[tuple[type[System], Load]]:
        requests = bodies.log_requests(count)
        return [
            (Sightline, Load("logs, OTLP/HTTP", requests, bodies.RECORDS, "/v1/logs", _PROTOBUF, "events")),
            (
                Victoria,
                Load("logs, OTLP/HTTP", requests, bodies.RECORDS, "/insert/opentelemetry/v1/logs", _PROTOBUF, _COUNT_ALL),
            ),
        ]

    def json_logs(name: str, fields: dict[str, tuple[str, bodies.Draw]]) -> list[tuple[type[System], Load]]:
        collected = list(bodies.hec_requests(fields, count))
        lines = list(bodies.line_requests(fields, count))
        return [
            (Sightline, Load(name, collected, bodies.LINES, "/services/collector/event", _HEC, "events")),
            (
                Victoria,
                Load(name, lines, bodies.LINES, _JSON_LINES, {"Content-Type": "application/stream+json"}, _COUNT_ALL),
            ),
        ]

    def samples() -> list[tuple[type[System], Load]]:
        headers = {
            "Content-Type": "application/x-protobuf", "Content-Encoding": "snappy",
            "X-Prometheus-Remote-Write-Version": "0.1.0",
        }  # fmt: skip
        requests = bodies.write_requests(count)
        return [(Sightline, Load("samples, remote write", requests, bodies.SERIES, "/api/v1/write", headers, "metrics"))]

    yield "spans", spans, None
    yield "logs", otlp_logs, None
    yield "narrow", lambda: json_logs("JSON logs of 140 bytes", bodies.NARROW), bodies.NARROW
    yield "wide", lambda: json_logs("JSON logs of 512 bytes", bodies.WIDE), bodies.WIDE
    yield "samples", samples, None


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200, help="requests for each measurement")
    parser.add_argument("--victoria-logs", default="", help="the program of VictoriaLogs")
    parser.add_argument("--victoria-traces", default="", help="the program of VictoriaTraces")
    parser.add_argument("--only", default="", help="spans, logs, narrow, wide or samples; several with commas")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    random.seed(1)
    rows = []
    for name, make, fields in cases(options):
        if options.only and name not in options.only.split(","):
            continue
        for kind, load in make():
            folder = Path(tempfile.mkdtemp())
            try:
                if kind is Victoria:
                    binary = options.victoria_traces if name == "spans" else options.victoria_logs
                    if not binary:
                        continue
                    system: System = Victoria(folder, binary, Path(binary).name)
                else:
                    system = Sightline(folder)
                rows.append(measure(system, load))
                print(rows[-1], flush=True)
            finally:
                shutil.rmtree(folder, ignore_errors=True)
        if fields is not None:
            rows.append(engine_alone(rows[-1]["load"], fields, options.requests))
            print(rows[-1], flush=True)
    settings = {"requests": options.requests, "connections": CONNECTIONS, "settle_s": SETTLE_S}
    report("ingest", settings, rows, write=options.write)


if __name__ == "__main__":
    main()
