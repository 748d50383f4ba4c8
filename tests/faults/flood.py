"""A flood over every receiver at once: bodies of nearly the largest size and many small ones, from many clients.

    PYTHONPATH=src python tests/faults/flood.py --seconds 60 --clients 4

Prints the memory of all processes together (PSS, so that shared pages count once) when idle and at its peak, how long a
search took meanwhile, and what the clients were answered.
"""

from __future__ import annotations

import argparse
import gzip
import json
import os
import random
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

import grpc
import httpx
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

MIB = 1024 * 1024
GRPC = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"


def pss_bytes(pid: int) -> int:
    """Memory of a process, with its part of what it shares."""
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return next(int(line.split()[1]) * 1024 for line in text.splitlines() if line.startswith("Pss:"))


def spans(size: int) -> bytes:
    """A request of spans of about this size."""
    message = ExportTraceServiceRequest()
    one = message.resource_spans.add().scope_spans.add()
    span = one.spans.add(name="GET /predict", kind=2, start_time_unix_nano=time.time_ns(), end_time_unix_nano=time.time_ns())
    span.trace_id, span.span_id = os.urandom(16), os.urandom(8)
    for number in range(13):
        span.attributes.add(key=f"attribute.{number}").value.string_value = f"value {number}"
    return message.SerializeToString() * (size // message.ByteSize())


def logs(size: int) -> bytes:
    """A request of log records of about this size."""
    message = ExportLogsServiceRequest()
    record = message.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=time.time_ns())
    record.body.string_value = "a line of a log that is neither long nor short, with status=200 in it"
    return message.SerializeToString() * (size // message.ByteSize())


def requests_of(server: Any) -> list[tuple[str, str, dict[str, str], bytes]]:
    """(what, address, headers, body) of every kind of request over HTTP."""
    protobuf = {"Content-Type": "application/x-protobuf"}
    hec = {"Authorization": f"Splunk {server.tokens['hec']}"}
    otlp = f"http://127.0.0.1:{server.otlp_http_port}"
    collector = f"http://127.0.0.1:{server.hec_port}/services/collector"
    event = json.dumps({"event": "an event of HEC " + "x" * 80, "fields": {"a": "b"}}).encode()
    loki = {"streams": [{"stream": {"app": "x"}, "values": [[str(time.time_ns()), "a line of loki " + "y" * 80]]}]}
    stream = json.dumps(loki["streams"][0]).encode()
    return [
        ("spans 60 MiB", f"{otlp}/v1/traces", protobuf, spans(60 * MIB)),
        ("logs 60 MiB", f"{otlp}/v1/logs", protobuf, logs(60 * MIB)),
        ("gzip logs 60 MiB", f"{otlp}/v1/logs", protobuf | {"Content-Encoding": "gzip"}, gzip.compress(logs(60 * MIB), 1)),
        ("hec 60 MiB", f"{collector}/event", hec, event * (60 * MIB // len(event))),
        ("raw 60 MiB", f"{collector}/raw", hec, b"a line of raw text that is like any other\n" * (60 * MIB // 42)),
        (
            "loki 15 MiB", f"{server.url}/loki/api/v1/push", {"Content-Type": "application/json"},
            b'{"streams":[' + b",".join([stream] * (15 * MIB // len(stream))) + b"]}",
        ),
        ("small logs", f"{otlp}/v1/logs", protobuf, logs(2000)),
        ("small events", f"{collector}/event", hec, event),
    ]  # fmt: skip


def flood(server: Any, seconds: float, clients: int) -> dict[str, Any]:
    """Press for so long with so many clients of each kind; returns what was seen."""
    pids = [server.process.pid, server.pid("engine"), server.pid("front")]
    idle = {name: pss_bytes(pid) // MIB for name, pid in zip(("supervisor", "engine", "front"), pids, strict=True)}
    end = time.monotonic() + seconds
    answers: Counter[str] = Counter()
    times: list[float] = []
    peaks: Counter[str] = Counter()

    def send(what: str, url: str, headers: dict[str, str], body: bytes) -> None:
        with httpx.Client(timeout=120, trust_env=False) as client:
            while time.monotonic() < end:
                try:
                    status: Any = client.post(url, headers=headers, content=body).status_code
                except httpx.TransportError as error:
                    status = type(error).__name__
                answers[f"{what}: {status}"] += 1
                if status != 200:
                    time.sleep(random.uniform(0, 0.5))

    def call(size: int) -> None:
        body = logs(size)
        with grpc.insecure_channel(f"127.0.0.1:{server.otlp_grpc_port}") as channel:
            export = channel.unary_unary(GRPC)
            while time.monotonic() < end:
                try:
                    export(body, timeout=60)
                    status = "OK"
                except grpc.RpcError as error:
                    status = error.code().name
                    time.sleep(random.uniform(0, 0.5))
                answers[f"grpc {size // MIB} MiB: {status}"] += 1

    def ask() -> None:
        while time.monotonic() < end:
            started = time.monotonic()
            server.search("index=main | head 100 | stats count by sourcetype")
            times.append(time.monotonic() - started)
            time.sleep(0.5)

    def look() -> None:
        while time.monotonic() < end:
            each = [pss_bytes(pid) for pid in pids]
            peaks["all"] = max(peaks["all"], sum(each) // MIB)
            peaks["engine"] = max(peaks["engine"], each[1] // MIB)
            peaks["front"] = max(peaks["front"], each[2] // MIB)
            time.sleep(0.1)

    threads = [threading.Thread(target=work) for work in (ask, look)]
    threads += [threading.Thread(target=send, args=one) for one in requests_of(server) for _ in range(clients)]
    threads += [threading.Thread(target=call, args=(size,)) for size in (15 * MIB, 2000) for _ in range(clients)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return {
        "idle_mib": idle,
        "peak_mib": dict(peaks),
        "searches": len(times),
        "search_s": {"median": round(sorted(times)[len(times) // 2], 2), "longest": round(max(times), 2)},
        "answers": dict(sorted(answers.items())),
        "journal_mib": sum(path.stat().st_size for path in (server.data / "journal").glob("*/*")) // MIB,
    }


def main() -> None:
    """Runs the flood against a server of its own and prints what was seen."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--clients", type=int, default=4)
    chosen = parser.parse_args()
    sys.path.insert(0, str(Path(__file__).parent.parent))
    from conftest import make_server

    with tempfile.TemporaryDirectory(prefix="sightline-flood-") as folder:
        server = make_server(Path(folder))
        server.start()
        time.sleep(15)
        try:
            print(json.dumps(flood(server, chosen.seconds, chosen.clients), indent=1))
        finally:
            server.stop()


if __name__ == "__main__":
    main()
