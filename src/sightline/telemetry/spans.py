"""Spans of a program's stages: who called whom, how long it took, what went wrong. Follows W3C trace context.

A span that is current in OpenTelemetry's SDK is the parent of ours, so that both nest as they were called.
"""

from __future__ import annotations

import functools
import inspect
import os
import re
import sys
import time
import traceback
from collections.abc import Callable
from contextvars import ContextVar, Token
from types import TracebackType
from typing import Any, TypeVar

from sightline.telemetry.export import attributes_of
from sightline.telemetry.recorder import put_span

STACK_CHARACTERS = 8_000
"""How much of the end of a traceback an exception's event keeps."""

_current: ContextVar[tuple[str, str] | None] = ContextVar("sightline_span", default=None)
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}")

Function = TypeVar("Function", bound=Callable[..., Any])


def _id(size_bytes: int) -> str:
    return os.urandom(size_bytes).hex()


def current_span() -> tuple[str, str] | None:
    """Trace and span id that a new span, or what is logged, belongs under: ours, the SDK's, or the one the environment names."""
    found = _current.get()
    if found is not None:
        return found
    trace = sys.modules.get("opentelemetry.trace")
    if trace is not None:
        context = trace.get_current_span().get_span_context()
        if context.is_valid:
            return f"{context.trace_id:032x}", f"{context.span_id:016x}"
    match = _TRACEPARENT.fullmatch(os.environ.get("TRACEPARENT", ""))
    return (match.group(1), match.group(2)) if match else None


def current_traceparent() -> str:
    """The `traceparent` header for what is called from here; empty outside of any span."""
    found = current_span()
    return f"00-{found[0]}-{found[1]}-01" if found else ""


class Span:
    """A span, open while the `with` block runs; an exception that leaves it is recorded and goes on."""

    __slots__ = ("_began_ns", "_parent_id", "_started", "_token", "attributes", "name", "span_id", "trace_id")

    def __init__(self, name: str, attributes: dict[str, Any] | None = None) -> None:
        self.name = name
        self.attributes = attributes or {}
        self._token: Token[tuple[str, str] | None] | None = None

    def __enter__(self) -> Any:
        parent = current_span()
        self.trace_id, self._parent_id = parent or (_id(16), "")
        self.span_id = _id(8)
        self._token = _current.set((self.trace_id, self.span_id))
        self._began_ns = time.time_ns()
        self._started = time.perf_counter_ns()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, where: TracebackType | None) -> None:
        # The clock of the day may be set while the span is open; its length comes from the other one.
        ended_ns = self._began_ns + time.perf_counter_ns() - self._started
        if self._token is not None:
            try:
                _current.reset(self._token)
            except ValueError:
                # A generator that was begun in another context ends here.
                _current.set(None)
        failed = error is not None and not isinstance(error, GeneratorExit | StopIteration | StopAsyncIteration)
        # Everything that takes longer is left to the thread that sends.
        put_span((self, self._parent_id, self._began_ns, ended_ns, described_exception(error) if failed else None))

    def set(self, **attributes: Any) -> None:
        """Add attributes; a name's double underscore stands for a dot."""
        self.attributes |= {name.replace("__", "."): value for name, value in attributes.items()}


class Stage(Span):
    """A stage of a pipeline: a span that knows rows and scores."""

    __slots__ = ()

    def rows(self, count: int, name: str = "ml.rows") -> None:
        """How many rows the stage worked on."""
        self.attributes[name] = int(count)

    def metric(self, name: str, value: float) -> None:
        """A number that the stage found, such as a score."""
        self.attributes[f"ml.metric.{name}"] = float(value)


def stage(name: str, *, model: str | None = None, version: str | None = None, **attributes: Any) -> Stage:
    """A span for a stage such as `train` or `load`; use it in a `with` statement."""
    known = {"ml.stage": name, "ml.model.name": model, "ml.model.version": version}
    return Stage(name, {k: v for k, v in known.items() if v is not None} | attributes)


def traced(function: Function | None = None, *, name: str = "", **attributes: Any) -> Any:
    """Makes each call of a function a span, also of an async one, and of a generator for as long as it is read.

    Arguments are never recorded: they may hold what nobody else should see.
    """
    if function is None:
        return lambda wrapped: traced(wrapped, name=name, **attributes)
    label = name or function.__qualname__
    known = {"code.function.name": f"{function.__module__}.{function.__qualname__}", **attributes}

    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def async_generator(*args: Any, **kwargs: Any) -> Any:
            with Span(label, dict(known)):
                async for item in function(*args, **kwargs):
                    yield item

        return async_generator
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def coroutine(*args: Any, **kwargs: Any) -> Any:
            with Span(label, dict(known)):
                return await function(*args, **kwargs)

        return coroutine
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def generator(*args: Any, **kwargs: Any) -> Any:
            with Span(label, dict(known)):
                return (yield from function(*args, **kwargs))

        return generator

    @functools.wraps(function)
    def call(*args: Any, **kwargs: Any) -> Any:
        with Span(label, dict(known)):
            return function(*args, **kwargs)

    return call


def described_exception(error: BaseException | None) -> tuple[str, str, str]:
    """Type, message and stack of an exception, which must not outlive its frames in a queue."""
    kind = type(error)
    name = kind.__qualname__ if kind.__module__ == "builtins" else f"{kind.__module__}.{kind.__qualname__}"
    return name, str(error)[:2000], "".join(traceback.format_exception(error))[-STACK_CHARACTERS:]


def described(
    span: Span, parent_id: str, began_ns: int, ended_ns: int, exception: tuple[str, str, str] | None
) -> dict[str, Any]:
    """A finished span as OTLP's JSON has it."""
    found: dict[str, Any] = {
        "traceId": span.trace_id,
        "spanId": span.span_id,
        "name": span.name,
        "kind": 1,
        "startTimeUnixNano": str(began_ns),
        "endTimeUnixNano": str(ended_ns),
        "attributes": attributes_of(span.attributes),
    }
    if parent_id:
        found["parentSpanId"] = parent_id
    if exception:
        names = ("exception.type", "exception.message", "exception.stacktrace")
        attributes = attributes_of(dict(zip(names, exception, strict=True)))
        found["events"] = [{"name": "exception", "timeUnixNano": str(ended_ns), "attributes": attributes}]
        found["status"] = {"code": 2, "message": exception[1][:500]}
    return found
