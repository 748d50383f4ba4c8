"""OpenTelemetry's names for the same thing over the years: the one table by which old and current telemetry meet.

Telemetry is stored under the names it was sent with. Who asks for a name is given what was sent under any name that means
the same; docs/adr/0035-conventions-meet-when-read.md has the reasons. From the semantic conventions 1.44, their
migration guides, OpenLLMetry and OpenInference. A name whose successor says something else is not here (`code.function`
lacks the module that `code.function.name` has), and values whose vocabulary changed stay as they were sent.
"""

from __future__ import annotations

import functools
from dataclasses import dataclass

SAME_ATTRIBUTES = (
    # Resources
    ("deployment.environment.name", "deployment.environment"),
    ("service.peer.name", "peer.service"),
    ("container.runtime.name", "container.runtime"),
    # HTTP
    ("http.request.method", "http.method"),
    ("http.response.status_code", "http.status_code"),
    ("url.full", "http.url"),
    ("url.scheme", "http.scheme"),
    ("user_agent.original", "http.user_agent"),
    ("http.request.body.size", "http.request_content_length_uncompressed", "http.request_content_length"),
    ("http.response.body.size", "http.response_content_length_uncompressed", "http.response_content_length"),
    ("http.request.resend_count", "http.resend_count", "http.retry_count"),
    # Network
    ("network.protocol.version", "net.protocol.version", "http.flavor"),
    ("network.protocol.name", "net.protocol.name", "net.app.protocol.name"),
    ("network.peer.address", "net.sock.peer.addr", "net.peer.ip"),
    ("network.peer.port", "net.sock.peer.port"),
    ("network.local.address", "net.sock.host.addr", "net.host.ip"),
    ("network.local.port", "net.sock.host.port"),
    # Databases
    ("db.system.name", "db.system"),
    ("db.namespace", "db.name", "db.redis.database_index", "db.elasticsearch.cluster.name"),
    ("db.query.text", "db.statement"),
    ("db.operation.name", "db.operation"),
    ("db.collection.name", "db.sql.table", "db.mongodb.collection", "db.cassandra.table", "db.cosmosdb.container"),
    ("db.client.connection.pool.name", "db.client.connections.pool.name", "pool.name"),
    ("db.client.connection.state", "db.client.connections.state"),
    ("elasticsearch.node.name", "db.elasticsearch.node.name"),
    ("cassandra.consistency.level", "db.cassandra.consistency_level"),
    ("cassandra.coordinator.dc", "db.cassandra.coordinator.dc"),
    ("cassandra.coordinator.id", "db.cassandra.coordinator.id"),
    # Messaging
    ("messaging.destination.name", "messaging.destination"),
    ("messaging.operation.type", "messaging.operation"),
    ("messaging.client.id", "messaging.client_id", "messaging.kafka.client_id", "messaging.consumer.id"),
    ("messaging.message.id", "messaging.message_id"),
    ("messaging.message.conversation_id", "messaging.conversation_id"),
    ("messaging.message.body.size", "messaging.message.payload_size_bytes", "messaging.message_payload_size_bytes"),
    (
        "messaging.consumer.group.name",
        "messaging.kafka.consumer.group",
        "messaging.kafka.consumer_group",
        "messaging.rocketmq.client_group",
        "messaging.eventhubs.consumer.group",
    ),
    ("messaging.destination.partition.id", "messaging.kafka.destination.partition", "messaging.kafka.partition"),
    ("messaging.destination.subscription.name", "messaging.servicebus.destination.subscription_name"),
    ("messaging.kafka.offset", "messaging.kafka.message.offset"),
    ("messaging.kafka.message.key", "messaging.kafka.message_key"),
    # RPC
    ("rpc.system.name", "rpc.system"),
    ("rpc.status_code", "rpc.response.status_code", "rpc.connect_rpc.error_code"),
    ("jsonrpc.request.id", "rpc.jsonrpc.request_id"),
    ("jsonrpc.protocol.version", "rpc.jsonrpc.version"),
    # Functions and code
    ("faas.invocation_id", "faas.execution"),
    ("code.file.path", "code.filepath"),
    ("code.line.number", "code.lineno"),
    ("code.column.number", "code.column"),
    # Generative models: OpenTelemetry before and after 1.37 and of its own repository, OpenLLMetry, OpenInference
    ("gen_ai.provider.name", "gen_ai.system", "llm.provider", "llm.system", "llm.vendor"),
    ("gen_ai.operation.name", "llm.request.type"),
    ("gen_ai.request.model", "llm.request.model", "llm.request.model_name", "llm.model_name"),
    ("gen_ai.response.model", "llm.response.model", "llm.response.model_name"),
    ("gen_ai.response.id", "llm.response.id"),
    ("gen_ai.response.finish_reasons", "llm.response.finish_reason"),
    ("gen_ai.request.max_tokens", "llm.request.max_tokens"),
    ("gen_ai.request.temperature", "llm.temperature"),
    ("gen_ai.request.top_p", "llm.top_p"),
    ("gen_ai.request.seed", "gen_ai.openai.request.seed"),
    ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.usage.prompt_tokens", "llm.token_count.prompt"),
    (
        "gen_ai.usage.output_tokens",
        "gen_ai.usage.completion_tokens",
        "llm.usage.completion_tokens",
        "llm.token_count.completion",
    ),
    ("llm.usage.total_tokens", "llm.token_count.total"),
    (
        "gen_ai.usage.cache_read.input_tokens",
        "gen_ai.usage.cache_read_input_tokens",
        "llm.token_count.prompt_details.cache_read",
    ),
    (
        "gen_ai.usage.cache_write.input_tokens",
        "gen_ai.usage.cache_creation.input_tokens",
        "gen_ai.usage.cache_creation_input_tokens",
        "llm.token_count.prompt_details.cache_write",
    ),
    (
        "gen_ai.usage.reasoning.output_tokens",
        "gen_ai.usage.reasoning_tokens",
        "llm.token_count.completion_details.reasoning",
    ),
    ("gen_ai.tool.name", "tool.name"),
    ("gen_ai.tool.call.id", "tool_call.id"),
    ("gen_ai.workflow.name", "traceloop.workflow.name"),
    ("openai.request.service_tier", "gen_ai.openai.request.service_tier"),
    ("openai.response.service_tier", "gen_ai.openai.response.service_tier"),
    ("openai.response.system_fingerprint", "gen_ai.openai.response.system_fingerprint"),
)
"""Attributes that mean the same, the current name first. A name stands in one line only."""

PART_OF = (
    ("url.path", "http.target", "path"),
    ("url.query", "http.target", "query"),
    ("http.target", "url.path", ""),
    # One old name for the other side, whichever that is; the current names say who serves.
    ("server.address", "net.host.name", "incoming"),
    ("server.address", "http.server_name", "incoming"),
    ("server.address", "net.peer.name", "outgoing"),
    ("server.port", "net.host.port", "incoming"),
    ("server.port", "net.peer.port", "outgoing"),
    ("client.address", "http.client_ip", "incoming"),
    ("client.address", "net.peer.name", "incoming"),
    ("client.port", "net.peer.port", "incoming"),
    ("net.host.name", "server.address", "incoming"),
    ("net.host.port", "server.port", "incoming"),
    ("net.peer.name", "server.address", "outgoing"),
    ("net.peer.name", "client.address", "incoming"),
    ("net.peer.port", "server.port", "outgoing"),
    ("net.peer.port", "client.port", "incoming"),
    ("http.client_ip", "client.address", "incoming"),
    ("network.transport", "net.transport", "transport"),
)
"""(asked, sent, how): attributes of which another is a part, or which is another on one side of a call only.

`path` is what stands before the question mark, `query` what stands behind it, `transport` is without the prefix `ip_`.
`incoming` counts on spans of kind server and consumer, `outgoing` on all others, and both where there is no kind.
"""

SAME_METRICS = (
    ("http.server.request.duration", "http.server.duration"),
    ("http.client.request.duration", "http.client.duration"),
    ("http.server.request.body.size", "http.server.request.size"),
    ("http.server.response.body.size", "http.server.response.size"),
    ("http.client.request.body.size", "http.client.request.size"),
    ("http.client.response.body.size", "http.client.response.size"),
    ("rpc.server.call.duration", "rpc.server.duration"),
    ("rpc.client.call.duration", "rpc.client.duration"),
    ("db.client.connection.count", "db.client.connections.usage"),
    ("db.client.connection.idle.max", "db.client.connections.idle.max"),
    ("db.client.connection.idle.min", "db.client.connections.idle.min"),
    ("db.client.connection.max", "db.client.connections.max"),
    ("db.client.connection.pending_requests", "db.client.connections.pending_requests"),
    ("db.client.connection.timeouts", "db.client.connections.timeouts"),
    ("db.client.connection.create_time", "db.client.connections.create_time"),
    ("db.client.connection.use_time", "db.client.connections.use_time"),
    ("db.client.connection.wait_time", "db.client.connections.wait_time"),
    ("messaging.client.sent.messages", "messaging.client.published.messages", "messaging.publish.messages"),
    ("messaging.client.consumed.messages", "messaging.receive.messages", "messaging.process.messages"),
    ("messaging.client.operation.duration", "messaging.publish.duration", "messaging.receive.duration"),
    ("jvm.memory.used", "process.runtime.jvm.memory.usage"),
    ("jvm.memory.committed", "process.runtime.jvm.memory.committed"),
    ("jvm.memory.limit", "process.runtime.jvm.memory.limit"),
    ("jvm.memory.init", "process.runtime.jvm.memory.init"),
    ("jvm.memory.used_after_last_gc", "process.runtime.jvm.memory.usage_after_last_gc"),
    ("jvm.gc.duration", "process.runtime.jvm.gc.duration"),
    ("jvm.thread.count", "process.runtime.jvm.threads.count"),
    ("jvm.class.loaded", "process.runtime.jvm.classes.loaded"),
    ("jvm.class.unloaded", "process.runtime.jvm.classes.unloaded"),
    ("jvm.class.count", "process.runtime.jvm.classes.current_loaded"),
    ("jvm.cpu.recent_utilization", "process.runtime.jvm.cpu.utilization"),
    ("jvm.system.cpu.utilization", "process.runtime.jvm.system.cpu.utilization"),
    ("jvm.system.cpu.load_1m", "process.runtime.jvm.system.cpu.load_1m"),
    ("jvm.buffer.count", "process.runtime.jvm.buffer.count"),
    ("jvm.buffer.memory.limit", "process.runtime.jvm.buffer.limit"),
    ("jvm.buffer.memory.used", "jvm.buffer.memory.usage", "process.runtime.jvm.buffer.usage"),
    ("system.network.packet.dropped", "system.network.dropped", "system.network.dropped_packets"),
    ("system.network.packet.count", "system.network.packets"),
    ("system.network.connection.count", "system.network.connections"),
    ("system.memory.linux.shared", "system.memory.shared"),
    ("system.memory.linux.available", "system.linux.memory.available"),
    ("process.unix.file_descriptor.count", "process.open_file_descriptor.count"),
    ("k8s.deployment.pod.available", "k8s.deployment.available_pods", "k8s.deployment.available"),
    ("k8s.deployment.pod.desired", "k8s.deployment.desired_pods", "k8s.deployment.desired"),
    ("k8s.job.pod.active", "k8s.job.active_pods"),
    ("k8s.job.pod.failed", "k8s.job.failed_pods"),
    ("k8s.job.pod.successful", "k8s.job.successful_pods"),
    ("k8s.statefulset.pod.ready", "k8s.statefulset.ready_pods"),
    ("k8s.statefulset.pod.desired", "k8s.statefulset.desired_pods"),
    ("k8s.replicaset.pod.available", "k8s.replicaset.available_pods"),
    ("k8s.replicaset.pod.desired", "k8s.replicaset.desired_pods"),
    ("k8s.hpa.pod.current", "k8s.hpa.current_pods"),
    ("k8s.hpa.pod.desired", "k8s.hpa.desired_pods"),
    ("k8s.container.cpu.limit.utilization", "k8s.container.cpu.limit_utilization", "k8s.container.cpu_limit_utilization"),
    (
        "k8s.container.cpu.request.utilization",
        "k8s.container.cpu.request_utilization",
        "k8s.container.cpu_request_utilization",
    ),
    ("container.paging.faults", "container.memory.paging.faults"),
    ("gen_ai.client.inference.duration", "gen_ai.client.operation.duration"),
    ("gen_ai.client.inference.time_to_first_chunk", "gen_ai.client.operation.time_to_first_chunk"),
    ("gen_ai.client.inference.time_per_output_chunk", "gen_ai.client.operation.time_per_output_chunk"),
    ("otel.sdk.exporter.span.exported", "otel.sdk.exporter.span.exported.count"),
    ("otel.sdk.exporter.span.inflight", "otel.sdk.exporter.span.inflight.count"),
    ("otel.sdk.processor.span.processed", "otel.sdk.processor.span.processed.count"),
    ("otel.sdk.span.live", "otel.sdk.span.live.count"),
)
"""Metrics that measure the same, the current name first. A name stands in one line only."""

MILLISECONDS = frozenset(
    (
        "http.server.duration",
        "http.client.duration",
        "rpc.server.duration",
        "rpc.client.duration",
        "db.client.connections.create_time",
        "db.client.connections.use_time",
        "db.client.connections.wait_time",
        "process.runtime.jvm.gc.duration",
    )
)
"""Metrics in milliseconds whose successors are in seconds."""
UNIT_SECONDS = {"s": 1.0, "ms": 1e-3, "us": 1e-6, "ns": 1e-9, "min": 60.0, "h": 3600.0}
"""UCUM units of time in seconds."""


@dataclass(frozen=True, slots=True)
class Reading:
    """Another name under which what is asked for may have been sent, and what of it counts (see `PART_OF`)."""

    name: str
    how: str = ""


def other_readings(name: str) -> tuple[Reading, ...]:
    """Where else an attribute may be found, the current name first; empty for most names."""
    return _readings().get(name, ())


def other_metrics(name: str) -> tuple[str, ...]:
    """Other names of a metric, the current one first; empty for most names."""
    return _metrics().get(name, ())


def metric_unit(name: str) -> str:
    """The unit of a metric of time that changed it with its name, else empty."""
    if name in MILLISECONDS:
        return "ms"
    return "s" if any(other in MILLISECONDS for other in other_metrics(name)) else ""


def _others(lines: tuple[tuple[str, ...], ...]) -> dict[str, tuple[str, ...]]:
    return {name: tuple(other for other in line if other != name) for line in lines for name in line}


@functools.cache
def _readings() -> dict[str, tuple[Reading, ...]]:
    found = {name: tuple(map(Reading, others)) for name, others in _others(SAME_ATTRIBUTES).items()}
    for asked, sent, how in PART_OF:
        found[asked] = (*found.get(asked, ()), Reading(sent, how))
    return found


@functools.cache
def _metrics() -> dict[str, tuple[str, ...]]:
    return _others(SAME_METRICS)
