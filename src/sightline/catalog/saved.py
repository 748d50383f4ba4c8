"""Saved searches and alerts: what was asked for, and where each stands. What a run did is in `index=_internal`."""

from __future__ import annotations

import re
from typing import Any, Generic, TypeVar

from croniter import croniter
from sqlalchemy import delete, select

from sightline.catalog.actions import check_action
from sightline.catalog.database import SessionFactory
from sightline.catalog.models import Alert, AlertEvent, PendingNotice, SavedSearch
from sightline.clock import Clock
from sightline.errors import NotFound, UserError, nearest

HISTORY_ROWS = 1000
"""Lines kept of each alert's history; older ones remain in `index=_internal`."""
SEVERITIES = ("debug", "info", "warning", "error", "critical", "fatal")
RELATIONS = ("greater than", "less than", "equal to", "not equal to", "drops by", "rises by")
Row = TypeVar("Row", SavedSearch, Alert)


def check_cron(text: str) -> None:
    """Raises UserError unless `text` is five cron fields, or six with seconds in front."""
    fields = text.split()
    if len(fields) not in (5, 6):
        raise UserError(f'a cron schedule wants five fields, or six with seconds first, got {len(fields)}: "{text}"')
    if not croniter.is_valid(text, second_at_beginning=True):
        raise UserError(f'"{text}" is not a cron schedule', hint='for example "*/5 * * * *"')


def _check_name(name: str) -> str:
    if not name or not name.strip() or len(name) > 200:
        raise UserError(f'a name wants 1 to 200 characters, got "{name[:40]}"')
    return name.strip()


class _Scheduled(Generic[Row]):
    """What saved searches and alerts have in common: names, edits, and the last due time."""

    row: type[Row]
    noun: str
    editable: tuple[str, ...]

    def __init__(self, sessions: SessionFactory, clock: Clock) -> None:
        self._sessions = sessions
        self._clock = clock

    def list(self) -> list[Row]:
        """Every one, by name."""
        with self._sessions() as session:
            return list(session.scalars(select(self.row).order_by(self.row.name)))

    def get(self, row_id: int) -> Row:
        """The one with this number. Raises NotFound."""
        with self._sessions() as session:
            return self._require(session, row_id)

    def find(self, name: str) -> Row | None:
        """The one with this name, or None."""
        with self._sessions() as session:
            return session.scalar(select(self.row).where(self.row.name == name))

    def create(self, **values: Any) -> Row:
        """A new one from the columns given; a schedule starts to count now."""
        checked = self._check(values)
        now = self._clock()
        row = self.row(**self._blank(), **checked, created=now, updated=now, last_scheduled=now)
        with self._sessions.begin() as session:
            self._refuse_taken_name(session, row.name, None)
            session.add(row)
        return row

    def update(self, row_id: int, **values: Any) -> Row:
        """Changes the columns given. A new schedule, or one enabled again, counts from now: nothing is caught up."""
        with self._sessions.begin() as session:
            row = self._require(session, row_id)
            checked = self._check(values, row)
            if "name" in checked:
                self._refuse_taken_name(session, checked["name"], row_id)
            restarts = checked.get("cron", row.cron) != row.cron or (checked.get("enabled") and not row.enabled)
            for name, value in checked.items():
                setattr(row, name, value)
            row.updated = self._clock()
            if restarts:
                row.last_scheduled = row.updated
            return row

    def delete(self, row_id: int) -> None:
        """Removes it. Raises NotFound."""
        with self._sessions.begin() as session:
            session.delete(self._require(session, row_id))

    def mark_scheduled(self, row_id: int, due: float) -> None:
        """Notes that the due time `due` has been acted upon, so that a restart does not act on it again."""
        with self._sessions.begin() as session:
            row = session.get(self.row, row_id)
            if row is not None:
                row.last_scheduled = due

    def _blank(self) -> dict[str, Any]:
        return {}

    def _check(self, values: dict[str, Any], row: Row | None = None) -> dict[str, Any]:
        for name in values:
            if name not in self.editable:
                raise UserError(f'a {self.noun} has no "{name}"', hint=nearest(name, self.editable))
        checked = dict(values)
        if row is None or "name" in checked:
            checked["name"] = _check_name(checked.get("name", ""))
        if (row is None or "search" in checked) and not checked.get("search", "").strip():
            raise UserError(f"a {self.noun} wants a search, got an empty one")
        if checked.get("cron"):
            checked["cron"] = " ".join(checked["cron"].split())
            check_cron(checked["cron"])
        return checked

    def _refuse_taken_name(self, session, name: str, row_id: int | None) -> None:
        other = session.scalar(select(self.row).where(self.row.name == name))
        if other is not None and other.id != row_id:
            raise UserError(f'{self.noun} "{name}" exists')

    def _require(self, session, row_id: int) -> Row:
        row = session.get(self.row, row_id)
        if row is None:
            raise NotFound(f"no {self.noun} {row_id}")
        return row


class SavedSearches(_Scheduled[SavedSearch]):
    """Searches with names, and schedules for some."""

    row = SavedSearch
    noun = "saved search"
    editable = (
        "name",
        "description",
        "search",
        "earliest",
        "latest",
        "cron",
        "realtime_schedule",
        "enabled",
        "owner",
        "app",
    )


class Alerts(_Scheduled[Alert]):
    """Scheduled searches that are judged, with their state and history."""

    row = Alert
    noun = "alert"
    editable = (*SavedSearches.editable, "condition", "throttle_s", "throttle_fields", "severity", "actions")

    def save_evaluation(
        self, alert_id: int, *, state: str, since: float, last_run: float, last_error: str, memory: dict[str, Any]
    ) -> None:
        """Where the alert stands after a run. An alert deleted meanwhile is passed over."""
        with self._sessions.begin() as session:
            alert = session.get(Alert, alert_id)
            if alert is not None:
                alert.state, alert.since, alert.last_run = state, since, last_run
                alert.last_error, alert.memory = last_error, memory

    def add_history(
        self, alert_id: int, event: str, detail: str, result: dict[str, Any] | None = None, time: float | None = None
    ) -> None:
        """A line of history; the oldest beyond HISTORY_ROWS go. An alert deleted meanwhile is passed over."""
        with self._sessions.begin() as session:
            if session.get(Alert, alert_id) is None:
                return
            at = self._clock() if time is None else time
            session.add(AlertEvent(alert_id=alert_id, time=at, event=event, detail=detail, result=result))
            session.flush()
            mine = select(AlertEvent.id).where(AlertEvent.alert_id == alert_id)
            oldest_kept = mine.order_by(AlertEvent.id.desc()).offset(HISTORY_ROWS - 1).limit(1).scalar_subquery()
            session.execute(
                delete(AlertEvent).where(AlertEvent.alert_id == alert_id, AlertEvent.id < oldest_kept),
                execution_options={"synchronize_session": False},
            )

    def add_pending(self, alert_id: int, notice: dict[str, Any]) -> int:
        """Keeps a notice until it has ended; returns its number. Raises NotFound for an alert deleted meanwhile."""
        with self._sessions.begin() as session:
            self._require(session, alert_id)
            pending = PendingNotice(alert_id=alert_id, created=self._clock(), notice=notice)
            session.add(pending)
            session.flush()
            return pending.id

    def pending(self) -> list[PendingNotice]:
        """Notices that have not ended, oldest first."""
        with self._sessions() as session:
            return list(session.scalars(select(PendingNotice).order_by(PendingNotice.id)))

    def remove_pending(self, notice_id: int) -> None:
        """Forgets a notice that has ended."""
        with self._sessions.begin() as session:
            session.execute(delete(PendingNotice).where(PendingNotice.id == notice_id))

    def history(self, alert_id: int, limit: int = 200) -> list[AlertEvent]:
        """The latest lines, newest first. Raises NotFound for an unknown alert."""
        with self._sessions() as session:
            self._require(session, alert_id)
            rows = select(AlertEvent).where(AlertEvent.alert_id == alert_id)
            return list(session.scalars(rows.order_by(AlertEvent.id.desc()).limit(limit)))

    def _blank(self) -> dict[str, Any]:
        return {"memory": {}}

    def _check(self, values: dict[str, Any], row: Alert | None = None) -> dict[str, Any]:
        checked = super()._check(values, row)
        if row is None:
            if not checked.get("cron"):
                raise UserError('an alert wants a cron schedule, got none; for example "*/5 * * * *"')
            checked = {"condition": {"kind": "rows"}, "throttle_fields": [], "actions": []} | checked
        elif "cron" in checked and not checked["cron"]:
            raise UserError("an alert wants a cron schedule, got an empty one")
        if "condition" in checked:
            checked["condition"] = check_condition(checked["condition"])
        if checked.get("throttle_s", 0) < 0:
            raise UserError(f"throttle_s wants 0 or more seconds, got {checked['throttle_s']}")
        if checked.get("severity", "warning") not in SEVERITIES:
            raise UserError(f'unknown severity "{checked["severity"]}", wanted one of: {", ".join(SEVERITIES)}')
        if "actions" in checked:
            checked["actions"] = [check_action(action) for action in checked["actions"]]
        return checked


def check_condition(condition: dict[str, Any]) -> dict[str, Any]:
    """A condition with its defaults filled in. Raises UserError for one that cannot be judged.

    `rows` compares the number of result rows: `relation` with `quantity`, which for "drops by" and "rises by" may be a
    share of the last run such as "20%". `search` is a search over the results; it holds when it gives a row. `always` holds
    after every run.
    """
    kind = condition.get("kind", "rows")
    if kind == "search":
        if not str(condition.get("search", "")).strip():
            raise UserError('a condition of kind "search" wants a search, got an empty one')
        return {"kind": "search", "search": str(condition["search"])}
    if kind == "always":
        return {"kind": "always"}
    if kind != "rows":
        raise UserError(f'unknown kind of condition "{kind}", wanted one of: rows, search, always')
    relation = condition.get("relation", "greater than")
    if relation not in RELATIONS:
        raise UserError(f'unknown relation "{relation}", wanted one of: {", ".join(RELATIONS)}')
    quantity = condition.get("quantity", 0)
    text = str(quantity).strip()
    if not re.fullmatch(r"\d+(\.\d+)?%?", text):
        raise UserError(f'quantity wants a number, or a share such as "20%", got "{quantity}"')
    if text.endswith("%") and relation not in ("drops by", "rises by"):
        raise UserError(f'a share is for "drops by" and "rises by", got "{text}" with "{relation}"')
    return {"kind": "rows", "relation": relation, "quantity": text if text.endswith("%") else float(text)}
