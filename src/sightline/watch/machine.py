"""An alert as a state machine: what it was, what was seen, what it is now and what has to be done. No clock, no I/O.

    ok          the condition does not hold
    firing      it holds, and notice of it has been given since it began to hold
    suppressed  it holds, but all notices since it began were held back by the throttle
    error       the search could not be run, so nothing is known; the state before is kept in memory

Every run on which the condition holds gives notice, as SPL's alerts do, unless the throttle holds it back: for
`throttle_s` after a notice there is no other, per combination of the values of `throttle_fields` when there are any.
An error neither clears nor fires: the first good run afterwards is judged against the state before the error.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Literal

State = Literal["ok", "firing", "suppressed", "error"]

MAX_NOTICES = 20
"""Notices of one run when `throttle_fields` tells rows apart; the rest are counted in the last one's text."""
MAX_KEYS = 10_000
"""Combinations of values remembered for the throttle; beyond it the oldest are forgotten."""


@dataclass(frozen=True, slots=True)
class Rule:
    """When the alert holds and how often it may say so."""

    condition: Mapping[str, Any]
    throttle_s: float = 0.0
    throttle_fields: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Memory:
    """What is kept between runs. `notified` maps a combination of values to the time of its last notice."""

    state: State = "ok"
    since: float = 0.0
    before_error: State = "ok"
    last_count: int | None = None
    notified: Mapping[str, float] = field(default_factory=dict)
    error: str = ""

    def as_dict(self) -> dict[str, Any]:
        """For keeping as JSON."""
        return {
            "state": self.state,
            "since": self.since,
            "before_error": self.before_error,
            "last_count": self.last_count,
            "notified": dict(self.notified),
            "error": self.error,
        }

    @classmethod
    def from_dict(cls, values: Mapping[str, Any]) -> Memory:
        """From what `as_dict` gave; an empty mapping is an alert that never ran."""
        return cls(**values)


@dataclass(frozen=True, slots=True)
class Rows:
    """A run that went well. For a condition of kind `search`, the rows that its search left."""

    count: int
    rows: Sequence[Mapping[str, Any]] = ()


@dataclass(frozen=True, slots=True)
class Failure:
    """A run that did not."""

    message: str


@dataclass(frozen=True, slots=True)
class Step:
    """Something to be done or told: `fired` gives notice of `row`, the others are lines of history."""

    event: Literal["fired", "suppressed", "cleared", "error"]
    detail: str
    row: Mapping[str, Any] | None = None


def advance(rule: Rule, memory: Memory, seen: Rows | Failure, now: float) -> tuple[Memory, list[Step]]:
    """The memory after a run at `now`, and the steps to take, in order."""
    if isinstance(seen, Failure):
        return _fail(memory, seen, now)
    before = memory.before_error if memory.state == "error" else memory.state
    since = memory.since
    holds, why = judge(rule.condition, seen.count, memory.last_count)
    memory = replace(memory, last_count=seen.count, error="", before_error="ok")
    if not holds:
        steps = [Step("cleared", why)] if before in ("firing", "suppressed") else []
        changed = before != "ok" or memory.state == "error"
        kept = _still_throttled(memory.notified, rule, now)
        return replace(memory, state="ok", since=now if changed else since, notified=kept), steps
    notified = dict(_still_throttled(memory.notified, rule, now))
    fresh: list[tuple[str, Mapping[str, Any]]] = []
    for key, row in _first_of_each(rule.throttle_fields, seen.rows).items():
        if key not in notified:
            fresh.append((key, row))
            notified[key] = now
    if len(notified) > MAX_KEYS:
        notified = dict(sorted(notified.items(), key=lambda item: item[1])[-MAX_KEYS:])
    steps = []
    for number, (_, row) in enumerate(fresh[:MAX_NOTICES], start=1):
        left = len(fresh) - MAX_NOTICES
        more = f", and {left} more combinations" if number == MAX_NOTICES and left > 0 else ""
        steps.append(Step("fired", why + more, row))
    state: State = "firing" if fresh or before == "firing" else "suppressed"
    if not fresh:
        steps.append(Step("suppressed", f"{why}; notice was given less than {rule.throttle_s:g} s ago"))
    changed = state != before or memory.state == "error"
    return replace(memory, state=state, since=now if changed else since, notified=notified), steps


def judge(condition: Mapping[str, Any], count: int, last_count: int | None) -> tuple[bool, str]:
    """Whether a condition holds for this many rows, and the reason in words."""
    rows = f"{count} row" + ("" if count == 1 else "s")
    if condition["kind"] == "search":
        return count > 0, f"{rows} left by the condition"
    if condition["kind"] == "always":
        return True, f"{rows}, wanted every run"
    relation, quantity = condition["relation"], condition["quantity"]
    shown = quantity if isinstance(quantity, str) else f"{quantity:g}"
    why = f"{rows}, wanted {relation} {shown}"
    if relation in ("drops by", "rises by"):
        if last_count is None:
            return False, f"{rows}, and no earlier run to compare with"
        change = (last_count - count) if relation == "drops by" else (count - last_count)
        wanted = last_count * float(quantity[:-1]) / 100 if isinstance(quantity, str) else quantity
        return change > 0 and change >= wanted, f"{rows} after {last_count}, wanted {relation} {shown}"
    holds = {
        "greater than": count > quantity,
        "less than": count < quantity,
        "equal to": count == quantity,
        "not equal to": count != quantity,
    }[relation]
    return holds, why


def _fail(memory: Memory, failure: Failure, now: float) -> tuple[Memory, list[Step]]:
    if memory.state == "error":
        steps = [] if memory.error == failure.message else [Step("error", failure.message)]
        return replace(memory, error=failure.message), steps
    failed = replace(memory, state="error", since=now, before_error=memory.state, error=failure.message)
    return failed, [Step("error", failure.message)]


def _still_throttled(notified: Mapping[str, float], rule: Rule, now: float) -> Mapping[str, float]:
    # Strictly less: with a throttle of exactly one period the next run gives notice again.
    return {key: at for key, at in notified.items() if now - at < rule.throttle_s}


def _first_of_each(fields: tuple[str, ...], rows: Sequence[Mapping[str, Any]]) -> dict[str, Mapping[str, Any]]:
    """The first row of each combination of values; without fields, or without rows, one combination of all."""
    first: dict[str, Mapping[str, Any]] = {}
    for row in rows:
        first.setdefault(combination(fields, row), row)
    return first or {"": {}}


def combination(fields: Sequence[str], row: Mapping[str, Any]) -> str:
    """A row's values of the throttle's fields as one text; empty without fields."""
    return json.dumps([str(row.get(name, "")) for name in fields]) if fields else ""
