"""A place where telemetry can be sent in a test: OTLP over HTTP and gRPC, and Splunk HEC. Keeps everything decoded."""

from __future__ import annotations

import gzip
import json
import threading
from concurrent.futures import ThreadPoolExecutor
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import grpc
from opentelemetry.proto.collector.logs.v1 import logs_service_pb2, logs_service_pb2_grpc
from opentelemetry.proto.collector.metrics.v1 import metrics_service_pb2, metrics_service_pb2_grpc
from opentelemetry.proto.collector.trace.v1 import trace_service_pb2, trace_service_pb2_grpc

REQUESTS = {
    "/v1/traces": trace_service_pb2.ExportTraceServiceRequest,
    "/v1/metrics": metrics_service_pb2.ExportMetricsServiceRequest,
    "/v1/logs": logs_service_pb2.ExportLogsServiceRequest,
}


class Sink:
    """Listens on free loopback ports: `http_url` (OTLP and HEC) and `grpc_url`. Close it when done."""

    def __init__(self) -> None:
        self.spans: list[tuple[str, Any]] = []
        """(service name, span)"""
        self.logs: list[tuple[str, Any]] = []
        self.metrics: list[tuple[str, Any]] = []
        self.hec_events: list[dict[str, Any]] = []
        self.hec_tokens: set[str] = set()
        self.transports: dict[str, set[str]] = {}
        """service name -> transports its telemetry came by"""
        self.refuse_hec = False
        self.scenario: Any = None
        """The clock of the story that is being told, where the test knows it."""
        sink = self

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                if self.headers.get("Content-Encoding") == "gzip":
                    body = gzip.decompress(body)
                if self.path in REQUESTS:
                    sink._keep(REQUESTS[self.path].FromString(body), "http")
                    self._answer(200, b"")
                elif sink.refuse_hec:
                    self._answer(503, b'{"text":"Server is busy","code":9}')
                else:
                    sink.hec_tokens.add(self.headers["Authorization"])
                    sink.hec_events.extend(json.loads(line) for line in body.splitlines())
                    self._answer(200, b'{"text":"Success","code":0}')

            def _answer(self, status: int, body: bytes) -> None:
                self.send_response(status)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *_: Any) -> None:
                pass

        self._http = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        self.http_url = f"http://127.0.0.1:{self._http.server_port}"

        self._grpc = grpc.server(ThreadPoolExecutor(2))
        for service, add, response in (
            (trace_service_pb2_grpc.TraceServiceServicer, trace_service_pb2_grpc.add_TraceServiceServicer_to_server,
             trace_service_pb2.ExportTraceServiceResponse),
            (metrics_service_pb2_grpc.MetricsServiceServicer,
             metrics_service_pb2_grpc.add_MetricsServiceServicer_to_server,
             metrics_service_pb2.ExportMetricsServiceResponse),
            (logs_service_pb2_grpc.LogsServiceServicer, logs_service_pb2_grpc.add_LogsServiceServicer_to_server,
             logs_service_pb2.ExportLogsServiceResponse),
        ):  # fmt: skip
            add(self._servicer(service, response), self._grpc)
        port = self._grpc.add_insecure_port("127.0.0.1:0")
        self._grpc.start()
        self.grpc_url = f"http://127.0.0.1:{port}"

    def close(self) -> None:
        self._grpc.stop(0)
        self._http.shutdown()
        self._http.server_close()

    def _servicer(self, base: type, response: type) -> Any:
        sink = self

        class Servicer(base):  # type: ignore[misc, valid-type]
            def Export(self, request: Any, context: Any) -> Any:
                sink._keep(request, "grpc")
                return response()

        return Servicer()

    def _keep(self, request: Any, transport: str) -> None:
        for resources, scopes, items, kept in (
            ("resource_spans", "scope_spans", "spans", self.spans),
            ("resource_metrics", "scope_metrics", "metrics", self.metrics),
            ("resource_logs", "scope_logs", "log_records", self.logs),
        ):
            for resource in getattr(request, resources, ()):
                service = attribute(resource.resource.attributes, "service.name")
                self.transports.setdefault(service, set()).add(transport)
                for scope in getattr(resource, scopes):
                    kept.extend((service, item) for item in getattr(scope, items))


def attribute(attributes: Any, key: str) -> Any:
    """The value of an OTLP attribute, or None."""
    for pair in attributes:
        if pair.key == key:
            return getattr(pair.value, pair.value.WhichOneof("value"))
    return None
