"""A program's log messages: a handler for `logging` and a processor for `structlog`, both in front of the recorder's queue.

    logging.getLogger().addHandler(sightline.LogHandler())
    structlog.configure(processors=[structlog.stdlib.add_log_level, sightline.structlog_processor, structlog.dev.ConsoleRenderer()])

A message is put together where it is logged, because what it is made of may change afterwards; everything else is left to
the thread that sends. A message belongs to the span in which it was logged: ours, or the one of OpenTelemetry's SDK.
"""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Mapping
from typing import Any

from sightline.telemetry import recorder as recording
from sightline.telemetry.export import any_value, attributes_of
from sightline.telemetry.spans import STACK_CHARACTERS, current_span, described_exception

MESSAGE_CHARACTERS = 256 * 1024
"""What is kept of one message; what was cut off is told in its field `log.cut_characters`."""
_NOT_EXTRA = frozenset(
    [*logging.LogRecord("", 0, "", 0, "", (), None).__dict__, "message", "asctime", "taskName"]
    # What OpenTelemetry's instrumentation puts on every record; ours has it in places of its own.
    + ["otelSpanID", "otelTraceID", "otelServiceName", "otelTraceSampled"]
)
_OF_STRUCTLOG = frozenset(["event", "level", "logger", "exc_info", "stack_info", "_record", "_from_structlog"])
_LEVELS = {"notset": 0, "trace": 5, "debug": 10, "info": 20, "warn": 30, "warning": 30, "error": 40, "exception": 40, "critical": 50, "fatal": 50}  # fmt: skip
_PLAIN = (str, int, float, bool, type(None))


class LogHandler(logging.Handler):
    """Sends log records to Sightline. `sightline.init` says where, or the environment's `OTEL_*` variables do.

    With a formatter a message is what it makes of the record, else the bare message. What `extra=` adds are fields. An
    exception becomes `exception.type`, `exception.message` and `exception.stacktrace`; a message that is a mapping stays one.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Queue a record. Never raises, never waits."""
        if recording.is_sending():
            # What sending itself logs would be sent, and logged, and so on for ever.
            return
        try:
            values = {k: v for k, v in record.__dict__.items() if k not in _NOT_EXTRA}
            where: dict[str, Any] = {
                "code.file.path": record.pathname,
                "code.function.name": record.funcName,
                "code.line.number": record.lineno,
                "process.pid": record.process,
            }
            if record.threadName and record.threadName != "MainThread":
                where["thread.name"] = record.threadName
            if record.exc_info:
                where |= _of_exception(record.exc_info)
            if record.stack_info:
                where["code.stacktrace"] = str(record.stack_info)[-STACK_CHARACTERS:]
            # `basicConfig` gives its usual format to every handler that has none: nobody asked for that.
            if self.formatter is not None and getattr(self.formatter, "_fmt", None) != logging.BASIC_FORMAT:
                message: Any = self.format(record)
            elif isinstance(record.msg, Mapping) and not record.args:
                message = record.msg
            else:
                message = record.getMessage()
            now_ns = int(record.created * 1_000_000) * 1000
            _put(now_ns, record.levelno, record.levelname, record.name, message, where | values)
        except Exception:
            recording.count_lost()

    def flush(self) -> None:
        """Send what is queued, within the recorder's time for the end of a program; `logging` calls it there."""
        recording.flush()

    def handleError(self, record: logging.LogRecord) -> None:
        """Count the record as lost: a program must not end, nor print, because of its telemetry."""
        recording.count_lost()


def structlog_processor(logger: Any, method: str, event: Any) -> Any:
    """Sends an event of `structlog` and gives it on as it is; its place is in front of the renderer."""
    if recording.is_sending():
        return event
    try:
        values = {str(k): v for k, v in event.items() if k not in _OF_STRUCTLOG}
        level = str(event.get("level") or method)
        error = event.get("exc_info")
        if error:
            values = _of_exception(error) | values
        if isinstance(values.get("exception"), str):
            # `format_exc_info` came first and has made a text of it.
            values["exception.stacktrace"] = values.pop("exception")[-STACK_CHARACTERS:]
        if event.get("stack_info"):
            values["code.stacktrace"] = str(event["stack_info"])[-STACK_CHARACTERS:]
        name = event.get("logger") or getattr(logger, "name", "")
        message = event.get("event", "")
        message = message if isinstance(message, Mapping) else str(message)
        _put(time.time_ns(), _LEVELS.get(level.lower(), 20), level.upper(), str(name or ""), message, values)
    except Exception:
        recording.count_lost()
    return event


def _put(now_ns: int, level: int, level_name: str, logger: str, message: Any, values: dict[str, Any]) -> None:
    # Numbers and texts never change; anything else is put down now, before the program changes it.
    frozen = {k: v if isinstance(v, _PLAIN) else _Encoded(any_value(v)) for k, v in values.items()}
    body: Any = message
    if isinstance(message, str):
        if len(message) > MESSAGE_CHARACTERS:
            frozen["log.cut_characters"] = len(message) - MESSAGE_CHARACTERS
            body = message[:MESSAGE_CHARACTERS]
        size = len(body)
    else:
        body = _Encoded(any_value(message))
        size = len(str(body.value))
    size += sum(
        len(v) if isinstance(v, str) else len(str(v.value)) for v in frozen.values() if isinstance(v, str | _Encoded)
    )
    recording.put_log(size, (now_ns, level, level_name, logger, body, frozen, current_span()))


class _Encoded:
    """A value that is already as OTLP's JSON has it."""

    __slots__ = ("value",)

    def __init__(self, value: dict[str, Any]) -> None:
        self.value = value


def _of_exception(given: Any) -> dict[str, Any]:
    """What `exc_info` names, in the words of OpenTelemetry."""
    error = given if isinstance(given, BaseException) else given[1] if isinstance(given, tuple) else sys.exc_info()[1]
    if error is None:
        return {}
    return dict(
        zip(("exception.type", "exception.message", "exception.stacktrace"), described_exception(error), strict=True)
    )


def described(
    now_ns: int,
    level: int,
    level_name: str,
    logger: str,
    body: Any,
    values: dict[str, Any],
    span: tuple[str, str] | None,
) -> tuple[str, dict[str, Any]]:
    """The name of the logger, and a record as OTLP's JSON has it."""
    found: dict[str, Any] = {
        "timeUnixNano": str(now_ns),
        "observedTimeUnixNano": str(now_ns),
        "severityText": level_name,
        "body": body.value if isinstance(body, _Encoded) else any_value(body),
        "attributes": [
            {"key": str(k), "value": v.value} if isinstance(v, _Encoded) else attributes_of({k: v})[0]
            for k, v in values.items()
            if v is not None
        ],
    }
    if number := severity_number(level):
        found["severityNumber"] = number
    if span:
        found["traceId"], found["spanId"] = span
    return logger, found


def severity_number(level: int) -> int:
    """A level of `logging` as OpenTelemetry's: ten of the one are a band of four of the other. 0 for none."""
    if level <= 0:
        return 0
    band = min(level // 10, 5)
    return 1 + 4 * band + min(level - 10 * band, 3)
