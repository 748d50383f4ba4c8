"""A program that is busy inside a span, for a profiler to see."""

import time

from opentelemetry import trace


def hot_loop(until: float) -> int:
    turns = 0
    while time.monotonic() < until:
        turns += sum(range(1000))
    return turns


with trace.get_tracer("programs.busy").start_as_current_span("training"):
    hot_loop(time.monotonic() + 2.5)
