"""Runs what is due: saved searches with a cron schedule, and alerts. One thread looks, a small pool runs.

A run is asked for with the scheduled time as its `now`, so that `-5m` means five minutes before it was due. One search
never runs twice at once. After a restart a real-time schedule skips what was missed and a continuous one catches up
(`schedule.py`). Every run, skip, notice and change of state becomes an event of `index=_internal`.
"""

from __future__ import annotations

import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from sightline import __version__
from sightline.catalog import Catalog
from sightline.catalog.models import Alert, SavedSearch
from sightline.clock import Clock
from sightline.config import WatchSettings
from sightline.errors import NotFound, SightlineError, UserError
from sightline.watch.internal_log import InternalLog
from sightline.watch.machine import Failure, Memory, Rows, Rule, advance, combination
from sightline.watch.mail import with_texts
from sightline.watch.notify import Delivery, Notice, Notifier
from sightline.watch.schedule import due, next_due
from sightline.watch.texts import as_text

LOOK_S = 5.0
"""Longest time between two looks at the catalog, for changes made by other programs; `wake` makes one happen now."""
NOTICE_TTL_S = 3600.0
"""A notice that could not be sent before is sent after a restart up to this age; older news would only confuse."""
ROWS_KEPT = 1000
"""Result rows that an alert reads: enough to tell combinations of throttle fields apart."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """A search to be run as if it were `now`. `label` says for whom, in the list of jobs."""

    search: str
    earliest: str
    latest: str
    now: float
    owner: str
    app: str
    label: str
    max_rows: int
    keep_s: float = 0.0
    """How long the result is kept at least: two periods of the schedule, as long as Splunk keeps it."""


@dataclass(frozen=True, slots=True)
class RunOutcome:
    """How a run ended; `error` is empty when it went well. `row_count` counts all rows, `rows` holds the first."""

    sid: str
    row_count: int = 0
    rows: Sequence[Mapping[str, Any]] = ()
    error: str = ""
    messages: Sequence[str] = ()
    run_time_s: float = 0.0
    scanned_rows: int = 0
    earliest_time: float | None = None
    latest_time: float | None = None


RunSearch = Callable[[RunRequest], RunOutcome]
"""Runs to the end and returns, also for a search that fails. May raise SightlineError for one that cannot start."""


Kind = Literal["search", "alert"]


class Scheduler:
    """Looks for due searches and alerts, runs them and draws the consequences."""

    def __init__(
        self,
        catalog: Catalog,
        run_search: RunSearch,
        log: InternalLog,
        settings: WatchSettings,
        clock: Clock,
        results_link: Callable[[str, RunOutcome], str],
        address: str = "",
    ) -> None:
        self._catalog = catalog
        self._run_search = run_search
        self._log = log
        self._settings = settings
        self._clock = clock
        self._results_link = results_link
        self._address = address
        self._notifier = Notifier(settings, self._delivered)
        self._pool = ThreadPoolExecutor(settings.max_concurrent, thread_name_prefix="scheduled")
        self._lock = threading.Lock()
        self._running: set[tuple[str, int]] = set()
        self._wake = threading.Event()
        self._stopping = False
        self._thread = threading.Thread(target=self._work, name="scheduler", daemon=True)

    def start(self) -> None:
        """Sends the notices that a stop or a crash left waiting, and begins to look for due runs."""
        for waiting in self._catalog.alerts.pending():
            notice = replace(Notice(**waiting.notice), id=waiting.id)
            if self._clock() - waiting.created <= NOTICE_TTL_S:
                self._notifier.send(notice)
            else:
                self._delivered(Delivery(notice, False, f"older than {NOTICE_TTL_S:g} s at the start", 0, 0.0))
        if self._settings.enabled:
            self._thread.start()

    def wake(self) -> None:
        """Says that a schedule was changed."""
        self._wake.set()

    def close(self) -> None:
        """Stops looking, drops what is queued, and leaves runs under way to whoever cancels their search."""
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5.0)
        self._pool.shutdown(wait=False, cancel_futures=True)
        self._notifier.close()

    def deliver(self, notice: Notice) -> Delivery:
        """Sends one notice now, with the tries that every notice gets, and waits for its end."""
        return self._notifier.deliver(notice)

    def next_run(self, row: SavedSearch | Alert) -> float | None:
        """When a search or an alert is due next; None without a schedule."""
        return next_due(row.cron, self._clock()) if row.cron and row.enabled else None

    def run_now(self, kind: Kind, row_id: int) -> Future:
        """Runs a saved search or an alert out of turn. Raises NotFound, or UserError while a run goes on."""
        row = self._catalog.searches.get(row_id) if kind == "search" else self._catalog.alerts.get(row_id)
        future = self._submit(kind, row, self._clock(), by_hand=True)
        if future is None:
            raise UserError(f'"{row.name}" is running already')
        return future

    def look(self, now: float) -> float:
        """Submits what is due at `now` and returns the time of the next look. Called by the thread, and by tests."""
        soonest = now + LOOK_S
        watched: list[tuple[Kind, SavedSearch | Alert]] = [
            *(("search", row) for row in self._catalog.searches.list()),
            *(("alert", row) for row in self._catalog.alerts.list()),
        ]
        for kind, row in watched:
            if not row.cron or not row.enabled:
                continue
            with self._lock:
                running = (kind, row.id) in self._running
            last = row.created if row.last_scheduled is None else row.last_scheduled
            found = due(row.cron, last, now, realtime=row.realtime_schedule, running=running, late_s=self._settings.late_s)
            if found.skipped:
                self._skip(kind, row, found.skipped, found.skipped_until or now, running)
            # Only the first: the end of its run wakes the thread, which then finds the next one still due.
            for at in found.run[:1]:
                self._submit(kind, row, at)
            if found.next is not None:
                soonest = min(soonest, found.next)
        return soonest

    def _work(self) -> None:
        while not self._stopping:
            now = self._clock()
            try:
                then = self.look(now)
            except Exception as error:  # The catalog may be locked for a moment; the schedule must go on.
                self._log.record("sightline:log", message=f"the schedule could not be read: {error}", severity="error")
                then = now + LOOK_S
            self._wake.wait(max(0.01, min(LOOK_S, then - self._clock())))
            self._wake.clear()

    def _skip(self, kind: str, row: SavedSearch | Alert, count: int, until: float, running: bool) -> None:
        self._mark(kind, row, until)
        self._log.record(
            "sightline:scheduler",
            **_naming(kind, row),
            status="skipped",
            skipped_runs=count,
            scheduled_time=until,
            reason="the last run was still going" if running else "its time was missed",
        )

    def _mark(self, kind: str, row: SavedSearch | Alert, at: float) -> None:
        saved = self._catalog.searches if kind == "search" else self._catalog.alerts
        saved.mark_scheduled(row.id, at)

    def _submit(self, kind: Kind, row: SavedSearch | Alert, at: float, by_hand: bool = False) -> Future | None:
        with self._lock:
            if (kind, row.id) in self._running:
                return None
            self._running.add((kind, row.id))
        if not by_hand:
            self._mark(kind, row, at)
        return self._pool.submit(self._run, kind, row, at, by_hand)

    def _run(self, kind: str, row: SavedSearch | Alert, at: float, by_hand: bool) -> RunOutcome:
        try:
            dispatched = self._clock()
            outcome = self._run_one(kind, row, at)
            self._log.record(
                "sightline:scheduler",
                **_naming(kind, row),
                status="failed" if outcome.error else "success",
                sid=outcome.sid,
                scheduled_time=at,
                dispatch_time=dispatched,
                run_time_s=round(outcome.run_time_s, 6),
                result_count=outcome.row_count,
                scanned_rows=outcome.scanned_rows,
                trigger="hand" if by_hand else "schedule",
                error=outcome.error or None,
                warnings="\n".join(outcome.messages) or None,
            )
            return outcome
        finally:
            with self._lock:
                self._running.discard((kind, row.id))
            self._wake.set()

    def _run_one(self, kind: str, row: SavedSearch | Alert, at: float) -> RunOutcome:
        text = alert_search(row) if isinstance(row, Alert) else row.search
        following = next_due(row.cron, at) if row.cron else None
        keep_s = 0.0 if following is None else 2 * (following - at)
        max_rows = max([ROWS_KEPT, *map(_rows_wanted, row.actions)]) if isinstance(row, Alert) else ROWS_KEPT
        request = RunRequest(text, row.earliest, row.latest, at, row.owner, row.app, f"{kind}: {row.name}", max_rows, keep_s)
        began = time.monotonic()
        try:
            outcome = self._run_search(request)
        except SightlineError as error:
            outcome = RunOutcome(sid="", error=str(error), run_time_s=time.monotonic() - began)
        except Exception as error:  # A bug in a command must not end the watching of everything else.
            outcome = RunOutcome("", error=f"bug: {type(error).__name__}: {error}", run_time_s=time.monotonic() - began)
        if isinstance(row, Alert):
            self._judge(row.id, outcome)
        return outcome

    def _judge(self, alert_id: int, outcome: RunOutcome) -> None:
        try:
            # Read again: the rule may have been changed while the search ran, and the memory is the latest.
            alert = self._catalog.alerts.get(alert_id)
        except NotFound:
            return
        now = self._clock()
        rule = Rule(alert.condition, alert.throttle_s, tuple(alert.throttle_fields))
        before = Memory.from_dict(alert.memory)
        seen = Failure(outcome.error) if outcome.error else Rows(outcome.row_count, outcome.rows)
        after, steps = advance(rule, before, seen, now)
        self._catalog.alerts.save_evaluation(
            alert_id, state=after.state, since=after.since, last_run=now, last_error=after.error, memory=after.as_dict()
        )
        for step in steps:
            row = _as_texts(step.row) if step.row else None
            self._catalog.alerts.add_history(alert_id, step.event, step.detail, row, now)
            self._log.record(
                "sightline:alert",
                alert=alert.name,
                event=step.event,
                detail=step.detail,
                state=after.state,
                severity=alert.severity,
                sid=outcome.sid,
                result=row,
            )
            if step.event == "fired":
                for action in alert.actions:
                    self._send(self._notice(alert, action, outcome, step.detail, step.row or {}))

    def _notice(
        self, alert: Alert, action: Mapping[str, Any], outcome: RunOutcome, detail: str, row: Mapping[str, Any]
    ) -> Notice:
        link = self._results_link(alert_search(alert), outcome)
        rows: Sequence[Mapping[str, Any]] = ()
        if action["kind"] == "email":
            action = with_texts(action, row, self._about(alert, outcome, detail, link))
            rows = _rows_told(alert, outcome.rows, row)[: _rows_wanted(action)]
        return Notice(
            alert.id,
            action,
            outcome.sid,
            alert.name,
            alert.app,
            alert.owner,
            link,
            alert.severity,
            detail,
            _as_texts(row),
            rows=[_as_texts(each) for each in rows],
        )

    def _about(self, alert: Alert, outcome: RunOutcome, detail: str, link: str) -> dict[str, str]:
        """What tokens in an e-mail stand for, by the names that Splunk's documentation has."""
        now = self._clock()
        at = datetime.fromtimestamp(now, UTC)
        values = {
            "name": alert.name,
            "description": alert.description,
            "search": alert_search(alert),
            "app": alert.app,
            "owner": alert.owner,
            "type": "alert",
            "alert.severity": alert.severity,
            "cron_schedule": alert.cron,
            "next_scheduled_time": self.next_run(alert),
            "results_link": link,
            "view_link": f"{self._address}/alerts/{alert.id}",
            "trigger": detail,
            "trigger_date": f"{at:%B %d, %Y}",
            "trigger_time": float(int(now)),
            "trigger_timeHMS": f"{at:%H:%M:%S}",
            "sid": outcome.sid,
            "job.earliestTime": outcome.earliest_time,
            "job.latestTime": outcome.latest_time,
            "job.label": alert.name,
            "job.messages": list(outcome.messages),
            "job.resultCount": outcome.row_count,
            "job.runDuration": outcome.run_time_s,
            "server.serverName": socket.gethostname(),
            "server.version": __version__,
        }
        return {name: "" if value is None else as_text(value) for name, value in values.items()}

    def _send(self, notice: Notice) -> None:
        # Kept first, so that a crash between the judgement and the delivery loses no notice; it may send one twice.
        try:
            number = self._catalog.alerts.add_pending(notice.alert_id, notice.as_dict())
        except NotFound:
            return
        self._notifier.send(replace(notice, id=number))

    def _delivered(self, delivery: Delivery) -> None:
        if delivery.interrupted:
            return
        notice = delivery.notice
        self._catalog.alerts.remove_pending(notice.id)
        tries = f"{delivery.attempts} attempt" + ("" if delivery.attempts == 1 else "s")
        outcome = "delivered" if delivery.delivered else "not delivered"
        detail = f"{outcome}: {delivery.detail} after {tries}"
        self._catalog.alerts.add_history(notice.alert_id, "delivery", detail)
        self._log.record(
            "sightline:alert",
            alert=notice.search_name,
            event="delivery",
            delivered=delivery.delivered,
            detail=detail,
            attempts=delivery.attempts,
            duration_s=round(delivery.duration_s, 3),
            sid=notice.sid,
        )


def alert_search(alert: Alert) -> str:
    """The search of an alert with its condition behind it, where that is a search of its own.

    One search and not two, so that what is judged is what was found; a comment at the end of the first must not
    swallow the second, hence the line feed.
    """
    if alert.condition["kind"] != "search":
        return alert.search
    condition = alert.condition["search"].strip().lstrip("|").strip()
    return f"{alert.search}\n| {condition}"


def _as_texts(row: Mapping[str, Any]) -> dict[str, str]:
    return {name: as_text(value) for name, value in row.items() if value is not None}


def _rows_wanted(action: Mapping[str, Any]) -> int:
    """The most rows that an action carries: an e-mail may want more than are read to judge."""
    return action["max_rows"] if action["kind"] == "email" and action["results"] != "none" else 0


def _rows_told(alert: Alert, rows: Sequence[Mapping[str, Any]], row: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    """The rows that a notice is about: where fields tell rows apart, those with the values of the row that it tells."""
    fields = alert.throttle_fields
    wanted = combination(fields, row)
    return [each for each in rows if combination(fields, each) == wanted] if fields else rows


def _naming(kind: str, row: SavedSearch | Alert) -> dict[str, Any]:
    return {"savedsearch_name": row.name, "kind": kind, "owner": row.owner, "app": row.app}
