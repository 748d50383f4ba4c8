"""Watching: saved searches on a schedule, alerts judged on their results, and notices sent.

`machine.py` (alert states) and `schedule.py` (due times) are pure: no clock, no I/O. `scheduler.py` has the thread,
`notify.py` the deliveries, `internal_log.py` writes what happened to `index=_internal`.
"""
