"""Spans and logs of the official SDK, 512 a request with 13 attributes: durable and searchable records per second.

`python -m benchmarks.ingest [--requests 200] [--write]`. The front and the engine run as two processes, as in
`sightline serve`; the sender is a third and sends over two connections. "Durable" counts until the last
acknowledgement, "searchable" until the engine has stored the last record. CPU seconds are those of each process.
"""

from __future__ import annotations

import argparse
import http.client
import logging
import multiprocessing
import os
import random
import socket
import tempfile
import threading
import time
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any

import grpc
from opentelemetry._logs import LogRecord, SeverityNumber
from opentelemetry.exporter.otlp.proto.common._log_encoder import encode_logs
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk._logs import LoggerProvider
from opentelemetry.sdk._logs.export import InMemoryLogRecordExporter, SimpleLogRecordProcessor
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from benchmarks.common import report
from sightline.config import IngestSettings, ListenSettings, Settings

RECORDS = 512
DISTINCT = 16
RESOURCE = Resource.create({"service.name": "gateway", "service.version": "1.2", "host.name": "h1"})
SERVICES = {
    "spans": ("traces", "/opentelemetry.proto.collector.trace.v1.TraceService/Export"),
    "logs": ("logs", "/opentelemetry.proto.collector.logs.v1.LogsService/Export"),
}


def attributes(number: int) -> dict[str, Any]:
    """13 attributes as an instrumented service sends them."""
    return {
        "http.request.method": "GET",
        "http.route": f"/item/{number % 7}",
        "http.response.status_code": 200 + number % 3,
        "url.path": f"/item/{number}",
        "server.address": "gateway.internal",
        "server.port": 8000,
        "client.address": f"10.0.0.{number % 256}",
        "user_agent.original": "Mozilla/5.0 (X11; Linux x86_64)",
        "ml.model": "churn",
        "ml.score": random.random(),
        "cache.hit": number % 2 == 0,
        "tenant": f"t{number % 20}",
        "request.size": number,
    }


def span_requests() -> list[bytes]:
    """Distinct requests of spans, encoded by the SDK."""
    exporter = InMemorySpanExporter()
    provider = TracerProvider(resource=RESOURCE)
    provider.add_span_processor(SimpleSpanProcessor(exporter))
    tracer = provider.get_tracer("benchmark", "1.0")
    for number in range(RECORDS * DISTINCT):
        with tracer.start_as_current_span(f"GET /item/{number % 7}", attributes=attributes(number)):
            pass
    spans = exporter.get_finished_spans()
    return [encode_spans(spans[k : k + RECORDS]).SerializeToString() for k in range(0, len(spans), RECORDS)]


def log_requests() -> list[bytes]:
    """Distinct requests of log records, encoded by the SDK."""
    exporter = InMemoryLogRecordExporter()
    provider = LoggerProvider(resource=RESOURCE)
    provider.add_log_record_processor(SimpleLogRecordProcessor(exporter))
    logger = provider.get_logger("benchmark")
    for number in range(RECORDS * DISTINCT):
        logger.emit(
            LogRecord(
                timestamp=time.time_ns(),
                severity_number=SeverityNumber.INFO,
                severity_text="INFO",
                body=f"served /item/{number} for tenant t{number % 20} in {number % 90} ms",
                attributes=attributes(number),
            )
        )
    records = exporter.get_finished_logs()
    return [encode_logs(records[k : k + RECORDS]).SerializeToString() for k in range(0, len(records), RECORDS)]


class NoTokens:
    """Loopback needs none."""

    def find(self, secret: str) -> None:
        return None

    def index_datatype(self, name: str) -> None:
        return None


def front_process(data: Path, listen: ListenSettings) -> None:
    from sightline.receivers.front import run_front

    run_front(Settings(data=data, listen=listen, ingest=IngestSettings(otlp_remembered_requests=0)), NoTokens())


def engine_process(data: Path, commands: Connection) -> None:
    from sightline.store import EmbeddedStore
    from sightline.store.loading import Loader

    settings = Settings(data=data)
    store = EmbeddedStore(data / "engine", settings)
    loader = Loader(store, settings)
    loader.start()
    while (table := commands.recv()) != "stop":
        commands.send(store.query(f"SELECT count() AS n FROM sightline.{table} WHERE index != '_internal'")["n"][0].as_py())
    loader.stop()
    store.close()


def cpu_s(pid: int) -> float:
    """CPU seconds a process has used."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def send_http(address: str, path: str, bodies: list[bytes]) -> None:
    connection = http.client.HTTPConnection(address)
    for body in bodies:
        connection.request("POST", path, body, {"Content-Type": "application/x-protobuf"})
        reply = connection.getresponse()
        assert reply.status == 200, reply.read()
        reply.read()


def send_grpc(address: str, method: str, bodies: list[bytes]) -> None:
    with grpc.insecure_channel(address) as channel:
        export = channel.unary_unary(method)
        for body in bodies:
            export(body)


def measure(what: str, transport: str, bodies: list[bytes]) -> dict[str, Any]:
    """Send the bodies over two connections to a new server and wait until all can be searched."""
    with tempfile.TemporaryDirectory() as folder:
        data = Path(folder)
        http_port, grpc_port = free_ports(2)
        listen = ListenSettings("off", f"127.0.0.1:{http_port}", f"127.0.0.1:{grpc_port}", "off")
        context = multiprocessing.get_context("spawn")
        here, there = context.Pipe()
        engine = context.Process(target=engine_process, args=(data, there))
        front = context.Process(target=front_process, args=(data, listen))
        engine.start()
        front.start()
        signal, method = SERVICES[what]
        table = "spans" if what == "spans" else "events"
        here.send(table)
        here.recv()
        wait_for_port(http_port)
        wait_for_port(grpc_port)
        send, address, path = (
            (send_http, listen.otlp_http, f"/v1/{signal}") if transport == "http" else (send_grpc, listen.otlp_grpc, method)
        )
        used = {name: cpu_s(process.pid) for name, process in (("front", front), ("engine", engine))}
        sender_used, started = time.process_time(), time.perf_counter()
        threads = [threading.Thread(target=send, args=(address, path, bodies[k::2])) for k in range(2)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        durable_s = time.perf_counter() - started
        records = RECORDS * len(bodies)
        while True:
            here.send(table)
            if here.recv() >= records:
                break
            time.sleep(0.02)
        searchable_s = time.perf_counter() - started
        row = {
            "records": what,
            "transport": transport,
            "sent": records,
            "mb": round(sum(map(len, bodies)) / 1e6, 1),
            "durable_per_s": round(records / durable_s),
            "searchable_per_s": round(records / searchable_s),
            "front_cpu_s": round(cpu_s(front.pid) - used["front"], 2),
            "engine_cpu_s": round(cpu_s(engine.pid) - used["engine"], 2),
            "sender_cpu_s": round(time.process_time() - sender_used, 2),
        }
        row["engine_us_per_record"] = round(row["engine_cpu_s"] / records * 1e6, 1)
        here.send("stop")
        front.terminate()
        front.join()
        engine.join()
        return row


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    for each in sockets:
        each.bind(("127.0.0.1", 0))
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def wait_for_port(port: int) -> None:
    deadline = time.monotonic() + 60
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--requests", type=int, default=200, help="requests for each measurement")
    parser.add_argument("--write", action="store_true", help="keep the result in benchmarks/results")
    options = parser.parse_args()
    logging.disable(logging.WARNING)
    rows = []
    for what, make in (("spans", span_requests), ("logs", log_requests)):
        distinct = make()
        bodies = [distinct[k % DISTINCT] for k in range(options.requests)]
        for transport in ("http", "grpc"):
            rows.append(measure(what, transport, bodies))
    settings = {"records_per_request": RECORDS, "attributes": 13, "requests": options.requests, "connections": 2}
    report("ingest", settings, rows, write=options.write)


if __name__ == "__main__":
    main()
