"""The queue between a program and its telemetry, and the thread that empties it.

The program's side appends to a bounded deque, which is atomic, and does nothing else. The thread aggregates predictions into
counters and sketches, keeps spans, events and log messages as they are, and sends all of it. While nobody answers, these three
wait for the next try, up to a limit. After a fork the child has a queue and a thread of its own; what the parent had queued
stays the parent's.
"""

from __future__ import annotations

import atexit
import contextlib
import math
import os
import random
import sys
import threading
import time
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any

from sightline.telemetry.export import Answer, Exporter, attributes_of
from sightline.telemetry.outbox import (
    BATCH,
    SCOPE,
    Outbox,
    event,
    events_request,
    logs_request,
    outcome,
    spans_request,
)
from sightline.telemetry.sketches import Categories, ExponentialHistogram

QUEUE_LIMIT = 50_000
"""Items that wait at most; the newest finds no room. Some hundred bytes each."""
INTERVAL_S = 10.0
"""How often aggregates are sent: the resolution of everything that is computed from them."""
LOG_INTERVAL_S = 1.0
"""How often log messages are sent: somebody may be waiting to read them."""
LONGEST_WAIT_S = 30.0
"""Longest pause between two tries while nobody answers."""
LOG_CHARACTERS = 32 * 1024 * 1024
"""Text of log messages that wait at most."""
WAKE_S = 0.5
"""How often the queue is emptied, so that it stays short."""
EXIT_S = 2.0
"""How long the end of the program waits for what is left to be sent."""
SERIES_LIMIT = 2_000
"""Series (a metric with its attributes) of an interval; more are counted as dropped: a bound against values as names."""
SAMPLE_ROWS = 20
"""Rows kept of an interval and model where `sample_rows` asks for some."""

_PREDICTION, _OUTCOME, _SPAN, _EVENT, _LOG = range(5)
_sending = threading.local()


class Recorder:
    """One queue with its thread and its exporter."""

    def __init__(self, exporter: Exporter, *, interval_s: float = INTERVAL_S, sample_rows: bool = False) -> None:
        self.exporter = exporter
        self._interval_s = interval_s
        self._sample_rows = sample_rows
        self._stopping = False
        self._begin()

    def _begin(self) -> None:
        self._queue: deque[tuple[Any, ...]] = deque()
        self._queued_characters = 0
        self._lost = 0
        self._lock = threading.Lock()
        self._draining = threading.RLock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None
        self._pid = os.getpid()
        self._spans = Outbox("traces", spans_request)
        self._events = Outbox("logs", events_request)
        self._logs = Outbox("logs", logs_request)
        self._begin_interval()

    # -- the program's side: called at every prediction, so nothing here may be slow, raise or wait

    def put(self, item: tuple[Any, ...]) -> None:
        """Queue an item, or count it as lost when there is no room."""
        if len(self._queue) >= QUEUE_LIMIT:
            self._lost += 1
            return
        self._queue.append(item)
        if self._thread is None:
            self._start()

    def put_log(self, size: int, item: tuple[Any, ...]) -> None:
        """Queue what `logs.described` takes, of about so many characters."""
        if self._queued_characters + size > LOG_CHARACTERS:
            self._lost += 1
            return
        # Not exact between threads; every emptying of the queue counts anew.
        self._queued_characters += size
        self.put((_LOG, size, item))

    def count_lost(self) -> None:
        """Count an item that could not be put together."""
        self._lost += 1

    def _start(self) -> None:
        with self._lock:
            if self._thread is not None or self._stopping:
                return
            thread = threading.Thread(target=self._work, name="sightline telemetry", daemon=True)
            self._thread = thread
        _end_with_worker()
        try:
            thread.start()
        except RuntimeError:
            # The interpreter is ending; `shutdown` sends what is queued.
            self._thread = None

    def forked(self) -> None:
        """In a child: begin anew. The parent's items stay the parent's, or they would be sent twice."""
        self._begin()

    # -- the thread's side

    def _begin_interval(self) -> None:
        self._began_ns = time.time_ns()
        self._counters: dict[tuple[str, tuple[tuple[str, Any], ...]], int] = {}
        self._histograms: dict[tuple[str, tuple[tuple[str, Any], ...]], ExponentialHistogram] = {}
        self._categories: dict[tuple[tuple[str, Any], ...], Categories] = {}
        self._rows: dict[tuple[tuple[str, Any], ...], list[dict[str, Any]]] = {}
        self._seen: dict[tuple[tuple[str, Any], ...], int] = {}

    def _work(self) -> None:
        due = time.monotonic() + self._interval_s
        records_due, pause_s = 0.0, LOG_INTERVAL_S
        while not self._stopping:
            self._wake.wait(WAKE_S)
            self._wake.clear()
            self._drain()
            now = time.monotonic()
            whole = now >= due
            records = self._logs or len(self._spans) >= BATCH or len(self._events) >= BATCH
            if whole or records and now >= records_due:
                taken = self._send(now + 2 * min(self._interval_s, LONGEST_WAIT_S), whole)
                pause_s = LOG_INTERVAL_S if taken else min(pause_s * 2, LONGEST_WAIT_S)
                now = time.monotonic()
                records_due = now + pause_s
                due = now + self._interval_s if whole else due

    def _drain(self) -> None:
        """Aggregate what is queued."""
        queue = self._queue
        with self._draining:
            for _ in range(len(queue)):
                try:
                    item = queue.popleft()
                except IndexError:
                    break
                try:
                    self._take(item)
                except Exception:
                    # A value that cannot be understood costs its own item and nothing else.
                    self._lost += 1
            self._queued_characters = self._logs.sum(lambda log: log[0])

    def _take(self, item: tuple[Any, ...]) -> None:
        kind = item[0]
        if kind == _PREDICTION:
            self._prediction(*item[1:])
        elif kind == _SPAN:
            from sightline.telemetry.spans import described

            self._spans.add(described(*item[1]))
        elif kind == _LOG:
            from sightline.telemetry import logs

            self._logs.add((item[1], *logs.described(*item[2])))
        else:
            self._events.add(item[1] if kind == _EVENT else outcome(*item[1:]))

    def _prediction(
        self,
        now_ns: int,
        model: str,
        version: Any,
        features: Any,
        prediction: Any,
        score: Any,
        id: Any,
        latency: Any,
        error: Any,
    ) -> None:
        key: tuple[tuple[str, Any], ...] = (("ml.model.name", str(model)),)
        if version is not None:
            key += (("ml.model.version", str(version)),)
        label = (
            ()
            if prediction is None or _number(prediction, whole=False) is not None
            else (("ml.prediction", str(prediction)),)
        )
        self._count("ml.predictions", key + label)
        if error is not None:
            self._count(
                "ml.prediction.errors",
                (*key, ("error.type", type(error).__name__ if isinstance(error, BaseException) else str(error))),
            )
        for name, value in (("ml.prediction.duration", latency), ("ml.prediction.score", score)):
            if (number := _number(value)) is not None:
                self._observe(name, key, number)
        if prediction is not None and not label and (number := _number(prediction)) is not None:
            self._observe("ml.prediction.value", key, number)
        named = _named(features)
        for name, value in named:
            self._feature((*key, ("ml.feature.name", name)), value)
        if id is not None:
            body = {"prediction": prediction, "score": score, "id": str(id), "latency_s": latency}
            self._events.add(event("ml.prediction", now_ns, dict(key), body))
        if self._sample_rows and named:
            self._sample(key, dict(named), prediction, score)

    def _feature(self, key: tuple[tuple[str, Any], ...], value: Any) -> None:
        if value is None or value != value:
            self._count("ml.feature.missing", key)
        elif (number := _number(value, whole=False)) is not None:
            self._observe("ml.feature.value", key, number)
        else:
            found = self._categories.get(key)
            if found is None:
                if not self._room():
                    return
                found = self._categories[key] = Categories()
            found.add(str(value))

    def _count(self, name: str, key: tuple[tuple[str, Any], ...], number: int = 1) -> None:
        full = (name, key)
        if full in self._counters or self._room():
            self._counters[full] = self._counters.get(full, 0) + number

    def _observe(self, name: str, key: tuple[tuple[str, Any], ...], number: float) -> None:
        full = (name, key)
        found = self._histograms.get(full)
        if found is None:
            if not self._room():
                return
            found = self._histograms[full] = ExponentialHistogram()
        found.add(number)

    def _room(self) -> bool:
        if len(self._counters) + len(self._histograms) + len(self._categories) < SERIES_LIMIT:
            return True
        self._lost += 1
        return False

    def _sample(self, key: tuple[tuple[str, Any], ...], row: dict[str, Any], prediction: Any, score: Any) -> None:
        """A uniform sample of the interval's rows, by reservoir."""
        seen = self._seen[key] = self._seen.get(key, 0) + 1
        rows = self._rows.setdefault(key, [])
        row |= {"prediction": prediction, "score": score}
        if len(rows) < SAMPLE_ROWS:
            rows.append(row)
        elif (place := random.randrange(seen)) < SAMPLE_ROWS:
            rows[place] = row

    # -- sending

    def flush(self, timeout_s: float = EXIT_S) -> bool:
        """Aggregate and send what is queued now. Gives whether all of it was taken."""
        self._drain()
        return self._send(time.monotonic() + timeout_s)

    def close(self, timeout_s: float = EXIT_S) -> None:
        """Send what is left and stop. Does nothing in a process that never used this recorder."""
        self._stopping = True
        self._wake.set()
        if self._pid == os.getpid():
            with contextlib.suppress(Exception):
                self.flush(timeout_s)

    def _send(self, deadline: float, whole: bool = True) -> bool:
        """Send the records, and with `whole` what is aggregated too. Gives whether all of it was taken."""
        # Another thread may be sending, to somebody who does not answer.
        if not self._lock.acquire(timeout=max(0.0, deadline - time.monotonic())):
            return False
        _sending.active = True
        try:
            taken = self._send_aggregates(deadline) if whole else True
            return self._send_records(deadline) and taken
        finally:
            _sending.active = False
            self._lock.release()

    def _send_aggregates(self, deadline: float) -> bool:
        with self._draining:
            lost, self._lost = self._lost, 0
            if lost:
                self._counters["ml.telemetry.dropped", ()] = lost
            for key, rows in self._rows.items():
                now_ns = time.time_ns()
                for row in rows:
                    self._events.add(event("ml.sample", now_ns, dict(key), row))
            metrics = self._metrics()
            self._begin_interval()
        if not metrics:
            return True
        scope_metrics = [{"scope": SCOPE, "metrics": metrics}]
        body = {"resourceMetrics": [{"resource": self.exporter.resource, "scopeMetrics": scope_metrics}]}
        if self.exporter.send("metrics", body, deadline) is Answer.TAKEN:
            return True
        self._lost += sum(len(_points(m)) for m in metrics)
        return False

    def _send_records(self, deadline: float) -> bool:
        answers = [outbox.send(self.exporter, deadline) for outbox in (self._spans, self._events, self._logs)]
        self._lost += sum(lost for _, lost in answers)
        return all(taken for taken, _ in answers)

    def _metrics(self) -> list[dict[str, Any]]:
        times = {"startTimeUnixNano": str(self._began_ns), "timeUnixNano": str(time.time_ns())}
        sums: dict[str, list[dict[str, Any]]] = {}
        for (name, key), number in self._counters.items():
            sums.setdefault(name, []).append({"attributes": attributes_of(dict(key)), "asInt": str(number), **times})
        for key, found in self._categories.items():
            for value, number in (*found.counts.items(), *((("other", found.other),) if found.other else ())):
                point = {
                    "attributes": attributes_of({**dict(key), "ml.feature.category": value}),
                    "asInt": str(number),
                    **times,
                }
                sums.setdefault("ml.feature.category", []).append(point)
        histograms: dict[str, list[dict[str, Any]]] = {}
        for (name, key), histogram in self._histograms.items():
            point = {"attributes": attributes_of(dict(key)), **histogram.describe(), **times}
            histograms.setdefault(name, []).append(point)
        delta = {"aggregationTemporality": 1}
        return [
            *({"name": n, "sum": {"dataPoints": p, "isMonotonic": True, **delta}} for n, p in sums.items()),
            *(
                {
                    "name": n,
                    "unit": "s" if n.endswith("duration") else "",
                    "exponentialHistogram": {"dataPoints": p, **delta},
                }
                for n, p in histograms.items()
            ),
        ]


def _points(metric: dict[str, Any]) -> list[Any]:
    return (metric.get("sum") or metric["exponentialHistogram"])["dataPoints"]


def _number(value: Any, whole: bool = True) -> float | None:
    """A finite number, also one of numpy; a boolean is none, and an integer only where `whole` numbers are wanted too."""
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return None
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    if not math.isfinite(number) or not whole and isinstance(value, bool):
        return None
    return number


def _named(features: Any) -> list[tuple[str, Any]]:
    """Features as pairs: of a mapping, of a row with an index, or of a sequence by position."""
    if features is None:
        return []
    if isinstance(features, Mapping):
        return [(str(name), value) for name, value in features.items()]
    if hasattr(features, "to_dict"):
        return [(str(name), value) for name, value in features.to_dict().items()]
    if hasattr(features, "tolist"):
        features = features.tolist()
    if isinstance(features, Sequence) and not isinstance(features, str):
        return [(f"f{position}", value) for position, value in enumerate(features)]
    return []


# ---- the functions of the module

_recorder: Recorder | None = None
_guard = threading.Lock()


def init(
    service: str = "",
    endpoint: str = "",
    *,
    token: str = "",
    environment: str = "",
    attributes: dict[str, str] | None = None,
    interval_s: float = INTERVAL_S,
    sample_rows: bool = False,
) -> Recorder:
    """Say who this program is and where its telemetry goes; without it the environment's `OTEL_*` variables say so.

    `sample_rows` keeps a few raw rows of each interval, features included; without it only aggregates leave the program.
    """
    global _recorder
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    exporter = Exporter(service, endpoint, headers, environment, attributes or {})
    with _guard:
        before, _recorder = _recorder, Recorder(exporter, interval_s=interval_s, sample_rows=sample_rows)
        made = _recorder
    if before is not None:
        before.close()
    return made


def recorder() -> Recorder:
    """The recorder of this process, made at its first use."""
    global _recorder
    found = _recorder
    if found is None:
        with _guard:
            if _recorder is None:
                _recorder = Recorder(Exporter())
            found = _recorder
    return found


def track_prediction(
    model: str,
    *,
    version: str | None = None,
    features: Any = None,
    prediction: Any = None,
    score: float | None = None,
    id: Any = None,
    latency: float | None = None,
    error: Any = None,
) -> None:
    """Tell of one prediction. `latency` is in seconds; `id` keeps it as an event that an outcome can be joined with.

    `features` is a mapping, a row of a data frame, or a sequence; only sketches of them leave the program.
    """
    (_recorder or recorder()).put(
        (_PREDICTION, time.time_ns(), model, version, features, prediction, score, id, latency, error)
    )


def track_outcome(id: Any, label: Any, *, model: str | None = None) -> None:
    """Tell what was true of a prediction, whenever that is known."""
    (_recorder or recorder()).put((_OUTCOME, time.time_ns(), model, id, label))


def put_span(span: tuple[Any, ...]) -> None:
    """Queue a finished span, as `spans.described` takes it."""
    (_recorder or recorder()).put((_SPAN, span))


def put_log(size: int, item: tuple[Any, ...]) -> None:
    """Queue a log message, as `logs.described` takes it."""
    (_recorder or recorder()).put_log(size, item)


def count_lost() -> None:
    """Count something that could not be queued."""
    (_recorder or recorder()).count_lost()


def is_sending() -> bool:
    """Whether this thread is sending telemetry at this moment."""
    return getattr(_sending, "active", False)


def flush(timeout_s: float = EXIT_S) -> bool:
    """Send what is queued now. Gives whether all of it was taken."""
    return _recorder is None or _recorder.flush(timeout_s)


def shutdown(timeout_s: float = EXIT_S) -> None:
    """Send what is left and stop."""
    global _recorder
    found, _recorder = _recorder, None
    if found is not None:
        found.close(timeout_s)


def _end_with_worker() -> None:
    """A worker of `multiprocessing` ends without the functions of `atexit`; it has a list of its own."""
    process = sys.modules.get("multiprocessing.process")
    if process is not None and process.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(None, _at_exit, exitpriority=0)


def _after_fork() -> None:
    global _guard
    _guard = threading.Lock()
    if _recorder is not None:
        _recorder.forked()


def _at_exit() -> None:
    # The recorder stays: what the end of the program logs is sent when `logging` flushes its handlers, after this.
    if _recorder is not None:
        _recorder.close()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
