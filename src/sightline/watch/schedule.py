"""When a cron schedule is due: pure arithmetic on times, in UTC.

Two policies, by SPL's name `realtime_schedule`. True: what was missed (the server was down, or the last run was still
going) is skipped and said so. False: every due time is run in order, each as if it were that time; nothing is skipped
until `MAX_CAUGHT_UP` are waiting, and then the oldest go.
"""

from __future__ import annotations

from dataclasses import dataclass

from croniter import croniter

MAX_CAUGHT_UP = 1000
"""Due times that a continuous schedule keeps; a minute's schedule reaches it after 17 hours down."""


@dataclass(frozen=True, slots=True)
class Due:
    """What to do now: due times to run, oldest first, and how many were skipped before them, up to when."""

    run: tuple[float, ...] = ()
    skipped: int = 0
    skipped_until: float | None = None
    next: float | None = None
    """The first due time after now; None when the schedule never comes again."""


def next_due(cron: str, after: float) -> float | None:
    """The first due time later than `after`, or None."""
    try:
        return croniter(cron, after, second_at_beginning=True).get_next(float)
    except Exception as error:  # croniter has a family of errors for "no such date within 50 years".
        if type(error).__module__.startswith("croniter"):
            return None
        raise


def due(cron: str, last: float, now: float, *, realtime: bool, running: bool, late_s: float) -> Due:
    """What is due in (last, now]. While a run is `running`, a real-time schedule skips and the other one waits."""
    if not realtime and running:
        return Due(next=next_due(cron, now))
    times: list[float] = []
    at = next_due(cron, last)
    # A real-time schedule after a long time down would count millions of seconds for nothing.
    if realtime and at is not None and at < now - 2 * late_s - 1:
        skipped_before = 1
        jump = max(at, now - 2 * late_s)
        skipped_until = at
        at = next_due(cron, jump)
    else:
        skipped_before, skipped_until = 0, None
    while at is not None and at <= now:
        times.append(at)
        if not realtime and len(times) > MAX_CAUGHT_UP:
            skipped_until = times.pop(0)
            skipped_before += 1
        at = next_due(cron, at)
    if not realtime:
        return Due(tuple(times), skipped_before, skipped_until, at)
    fresh = [] if running else [t for t in times[-1:] if now - t <= late_s]
    missed = times[: len(times) - len(fresh)]
    if missed:
        skipped_until = missed[-1]
    return Due(tuple(fresh), skipped_before + len(missed), skipped_until, at)
