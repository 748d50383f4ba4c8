"""What is asked of the stored spans: the list of traces, one trace with everything read off it, the map of services.

Enters: a store and plain values. Leaves: dictionaries ready for JSON. Times are seconds since the epoch; durations are
milliseconds; start times also leave as text in nanoseconds, which a JSON number cannot hold.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import pyarrow as pa

from sightline.errors import NotFound, UserError
from sightline.store.conventions import Reading, other_readings
from sightline.store.embedded import EmbeddedStore
from sightline.store.promotion import field_text, object_text
from sightline.store.sql_text import quote
from sightline.traces.tree import build_tree, critical_path, first_of_each, root_causes, self_times_ns

MAX_TRACES = 1000
MAX_SPANS = 100_000
"""Spans shown of one trace; a larger one is cut and says so."""
MAX_LOGS = 1000
EDGE_S = 600.0
"""How far outside the asked range the spans of a trace are still read, so that traces at its edges are whole."""

Paths = Mapping[str, frozenset[str]]
"""The attributes that spans have, with their types."""


def list_traces(
    store: EmbeddedStore,
    *,
    earliest: float,
    latest: float,
    service: str = "",
    operation: str = "",
    min_ms: float | None = None,
    max_ms: float | None = None,
    errors: bool = False,
    limit: int = 200,
) -> dict[str, Any]:
    """The latest traces that began in [earliest, latest) and pass the filters.

    `service` and `operation` must be those of one span of the trace. The name of a trace is that of its root; where the
    root has not arrived, of its earliest span.
    """
    if not 1 <= limit <= MAX_TRACES:
        raise UserError(f"limit wants 1 to {MAX_TRACES}, got {limit}")
    wanted = [f"start >= {_nanoseconds(earliest)} AND start < {_nanoseconds(latest)}"]
    if service or operation:
        same = [f"service = {quote(service)}"] if service else []
        same += [f"name = {quote(operation)}"] if operation else []
        wanted.append(f"countIf({' AND '.join(same)}) > 0")
    if min_ms is not None:
        wanted.append(f"duration >= {int(min_ms * 1e6)}")
    if max_ms is not None:
        wanted.append(f"duration <= {int(max_ms * 1e6)}")
    if errors:
        wanted.append("error_count > 0")
    # The largest span id breaks a tie between roots, so that the answer does not depend on the order of parts.
    rows = store.query(
        f"""
        SELECT trace_id, toInt64(min(at)) AS start, toInt64(max(at + duration_ns) - min(at)) AS duration,
               toInt64(count()) AS span_count, toInt64(countIf(is_error)) AS error_count,
               argMin(service, (parent_span_id != '', at, span_id)) AS root_service,
               argMin(name, (parent_span_id != '', at, span_id)) AS root_name,
               arraySort(groupUniqArray(service)) AS services
        FROM (
            SELECT trace_id, span_id, parent_span_id, service, name, duration_ns,
                   toUnixTimestamp64Nano(_time) AS at, {_is_error(store.json_paths("spans"))} AS is_error
            FROM sightline.spans
            WHERE _time >= toDateTime64({earliest - EDGE_S:.9f}, 9, 'UTC')
              AND _time < toDateTime64({latest + EDGE_S:.9f}, 9, 'UTC') AND trace_id != ''
            LIMIT 1 BY trace_id, span_id
        )
        GROUP BY trace_id HAVING {" AND ".join(wanted)} ORDER BY start DESC, trace_id LIMIT {limit + 1}
        """
    ).to_pylist()
    return {
        "traces": [
            {
                "trace_id": row["trace_id"],
                "root_service": row["root_service"],
                "root_name": row["root_name"],
                "start": row["start"] / 1e9,
                "duration_ms": row["duration"] / 1e6,
                "span_count": row["span_count"],
                "error_count": row["error_count"],
                "services": row["services"],
            }
            for row in rows[:limit]
        ],
        "truncated": len(rows) > limit,
    }


def read_trace(store: EmbeddedStore, trace_id: str) -> dict[str, Any]:
    """One trace: its spans in waterfall order, with self time, critical path and root causes, and its log records.

    Raises NotFound when no span has this id.
    """
    if not trace_id or len(trace_id) > 64 or not all(c in "0123456789abcdef" for c in trace_id.lower()):
        raise UserError(f'a trace id wants hexadecimal digits, got "{trace_id[:70]}"')
    trace_id = trace_id.lower()
    paths = store.json_paths("spans")
    spans = store.query(
        f"""
        SELECT span_id, parent_span_id, service, name, kind, status, status_message, toInt64(duration_ns) AS duration_ns,
               toUnixTimestamp64Nano(_time) AS start_ns, {_is_error(paths)} AS is_error,
               {object_text("fields", paths)} AS attributes, events, links
        FROM sightline.spans WHERE trace_id = {quote(trace_id)} ORDER BY start_ns LIMIT {MAX_SPANS + 1}
        """
    )
    if spans.num_rows == 0:
        raise NotFound(f'no trace "{trace_id}"')
    return describe_trace(trace_id, spans.slice(0, MAX_SPANS)) | {
        "truncated": spans.num_rows > MAX_SPANS,
        "logs": _logs_of(store, trace_id),
    }


def describe_trace(trace_id: str, spans: pa.Table) -> dict[str, Any]:
    """A trace from its spans, which have the columns that `read_trace` asks for."""
    spans = spans.take(pa.array(first_of_each(spans.column("span_id").to_pylist())))
    starts = spans.column("start_ns").to_numpy()
    durations = spans.column("duration_ns").to_numpy()
    tree = build_tree(spans.column("span_id").to_pylist(), spans.column("parent_span_id").to_pylist(), starts, durations)
    own = self_times_ns(tree)
    errors = np.asarray(spans.column("is_error").to_pylist(), dtype=bool)
    causes = root_causes(tree.parents, errors)
    origin = int(starts.min())
    segments: dict[int, list[list[float]]] = {}
    for span, start, end in reversed(critical_path(tree)):
        segments.setdefault(span, []).append([(start - origin) / 1e6, (end - origin) / 1e6])
    rows = spans.to_pylist()
    main = tree.main_root
    described = []
    for position in tree.order.tolist():
        row = rows[position]
        parent = int(tree.parents[position])
        described.append(
            {
                "span_id": row["span_id"],
                "parent_span_id": row["parent_span_id"],
                # A parent id without its span: shown as a root, marked as incomplete.
                "missing_parent": bool(row["parent_span_id"]) and parent < 0,
                "service": row["service"],
                "name": row["name"],
                "kind": row["kind"],
                "start": row["start_ns"] / 1e9,
                "start_ns": str(row["start_ns"]),
                "offset_ms": (row["start_ns"] - origin) / 1e6,
                "duration_ms": row["duration_ns"] / 1e6,
                "self_ms": int(own[position]) / 1e6,
                "status": row["status"],
                "status_message": row["status_message"],
                "attributes": flatten(_json(row["attributes"], {})),
                "events": _json(row["events"], []),
                "links": _json(row["links"], []),
                "error": bool(errors[position]),
                "root_cause": bool(causes[position]),
                "critical": segments.get(position, []),
            }
        )
    return {
        "trace_id": trace_id,
        "root_service": rows[main]["service"],
        "root_name": rows[main]["name"],
        "start": origin / 1e9,
        "duration_ms": (int((starts + durations).max()) - origin) / 1e6,
        "critical_path_ms": float(tree.end_ns[main] - tree.start_ns[main]) / 1e6,
        "span_count": len(described),
        "error_count": int(errors.sum()),
        "services": sorted({row["service"] for row in rows}),
        "spans": described,
    }


def service_map(store: EmbeddedStore, *, earliest: float, latest: float) -> dict[str, Any]:
    """Services with their requests, errors and durations, and the calls between them.

    A service's requests are its server and consumer spans. An edge is a child span whose parent is in another service;
    a database, queue or model provider that sends no spans itself is inferred from the client span that calls it.
    """
    window = (
        f"_time >= toDateTime64({earliest:.9f}, 9, 'UTC') AND _time < toDateTime64({latest:.9f}, 9, 'UTC')"
        " AND trace_id != ''"
    )
    red = (
        "toInt64(count()) AS requests, toInt64(countIf(is_error)) AS errors,"
        " quantiles(0.5, 0.9, 0.99)(duration_ns / 1e6) AS percentiles"
    )
    paths = store.json_paths("spans")
    spans = (
        f"SELECT trace_id, span_id, parent_span_id, service, name, kind, duration_ns, {_is_error(paths)} AS is_error,"
        f" {_callee(paths)} AS callee FROM sightline.spans WHERE {window} LIMIT 1 BY trace_id, span_id"
    )
    nodes = store.query(
        f"SELECT service, {red} FROM ({spans}) WHERE kind IN ('server', 'consumer') GROUP BY service ORDER BY service"
    ).to_pylist()
    edges = store.query(
        f"""
        SELECT parent.service AS source, child.service AS target, false AS inferred, {red}
        FROM ({spans}) AS child INNER JOIN ({spans}) AS parent
          ON child.trace_id = parent.trace_id AND child.parent_span_id = parent.span_id
        WHERE child.service != parent.service GROUP BY source, target ORDER BY source, target
        """
    ).to_pylist()
    inferred = store.query(
        f"""
        SELECT service AS source, callee AS target, true AS inferred, {red} FROM ({spans})
        WHERE kind IN ('client', 'producer') AND callee != '' AND (trace_id, span_id) NOT IN
            (SELECT trace_id, parent_span_id FROM sightline.spans WHERE {window} AND parent_span_id != '')
        GROUP BY source, target ORDER BY source, target
        """
    ).to_pylist()
    known = {row["service"] for row in nodes}
    described = [{"service": row["service"], "inferred": False} | _red(row) for row in nodes]
    for name in sorted({row["source"] for row in edges + inferred} | {row["target"] for row in edges}):
        if name not in known:
            described.append({"service": name, "inferred": False} | _NO_REQUESTS)
            known.add(name)
    for name in sorted({row["target"] for row in inferred} - known):
        described.append({"service": name, "inferred": True} | _NO_REQUESTS)
    return {
        "services": described,
        "edges": [
            {"source": row["source"], "target": row["target"], "inferred": row["inferred"]} | _red(row)
            for row in edges + inferred
        ],
    }


_NO_REQUESTS = {"requests": 0, "errors": 0, "p50_ms": None, "p90_ms": None, "p99_ms": None}


def _is_error(paths: Paths) -> str:
    """Whether a span is one that failed: its status says so, or its tag `error` is set to something other than false."""
    return f"(status = 'error' OR lower({field_text('fields', 'error', paths)}) NOT IN ('', 'false', '0', 'null'))"


def _callee(paths: Paths) -> str:
    """Who a client span calls, from the attributes that spans have; a bare address is noise and makes no node.

    Old clients of HTTP tell the address alone, of which the host is a part.
    """

    def attribute(name: str) -> str:
        texts = []
        for reading in (Reading(name), *other_readings(name)):
            if reading.name not in paths:
                continue
            text = field_text("fields", reading.name, paths)
            if reading.how == "incoming":
                text = f"if(kind IN ('server', 'consumer'), {text}, '')"
            elif reading.how == "outgoing":
                text = f"if(kind IN ('server', 'consumer'), '', {text})"
            texts.append(f"nullIf({text}, '')")
        return "coalesce(" + ", ".join([*texts, "''"]) + ")"

    def named(system: str, part: str) -> str:
        return f"arrayStringConcat(arrayFilter(x -> x != '', [{attribute(system)}, {attribute(part)}]), ':')"

    host = f"coalesce(nullIf({attribute('server.address')}, ''), domain({attribute('url.full')}))"
    return f"""multiIf(
        {attribute("db.system.name")} != '', {named("db.system.name", "db.namespace")},
        {attribute("messaging.system")} != '', {named("messaging.system", "messaging.destination.name")},
        {attribute("gen_ai.provider.name")} != '', {attribute("gen_ai.provider.name")},
        {attribute("service.peer.name")} != '', {attribute("service.peer.name")},
        match({host}, '^[0-9.]*$|:'), '',
        {host})"""


def _red(row: Mapping[str, Any]) -> dict[str, Any]:
    p50, p90, p99 = row["percentiles"]
    return {"requests": row["requests"], "errors": row["errors"], "p50_ms": p50, "p90_ms": p90, "p99_ms": p99}


def _logs_of(store: EmbeddedStore, trace_id: str) -> list[dict[str, Any]]:
    rows = store.query(
        "SELECT toFloat64(_time) AS time, `index`, host, source, sourcetype, severity, span_id, _raw"
        f" FROM sightline.events WHERE trace_id = {quote(trace_id)} ORDER BY _time LIMIT {MAX_LOGS}"
    )
    return rows.to_pylist()


def flatten(value: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Nested objects as dotted names; the engine's JSON type gives them nested."""
    flat: dict[str, Any] = {}
    for name, item in value.items():
        if isinstance(item, Mapping):
            flat |= flatten(item, f"{prefix}{name}.")
        else:
            flat[prefix + name] = item
    return flat


def _json(text: str | None, otherwise: Any) -> Any:
    try:
        return orjson.loads(text) if text else otherwise
    except orjson.JSONDecodeError:
        return otherwise


def _nanoseconds(time_s: float) -> int:
    return round(time_s * 1e9)
