"""An ordinary program: spans, log records and metrics through OpenTelemetry's API, which knows nothing of where they go."""

import logging
import sys

from opentelemetry import metrics, trace
from opentelemetry.trace import Link, SpanKind, StatusCode

run = sys.argv[1]
tracer = trace.get_tracer("programs.three_signals", "1.0", schema_url="https://opentelemetry.io/schemas/1.44.0")
meter = metrics.get_meter("programs.three_signals", "1.0")
counter = meter.create_counter("orders", unit="{order}", description="Orders taken.")
latency = meter.create_histogram("latency", unit="ms", explicit_bucket_boundaries_advisory=[1.0, 10.0])
stock = meter.create_up_down_counter("stock")
heat = meter.create_gauge("heat")

with tracer.start_as_current_span("earlier") as earlier:
    pass
with tracer.start_as_current_span(
    "order", kind=SpanKind.SERVER, links=[Link(earlier.get_span_context(), {"why": "same cart"})]
) as span:
    span.set_attributes({"run": run, "zero": 0, "none": "", "ratio": 1.0, "tags": ["a", "b"], "ok": False})
    span.add_event("packed", {"boxes": 2})
    logging.getLogger("shop").warning("order %s is late", run)
    counter.add(3, {"run": run})
    latency.record(4.5, {"run": run})
    latency.record(40, {"run": run})
    stock.add(-2, {"run": run})
    heat.set(0, {"run": run})
    span.set_status(StatusCode.ERROR, "late")
