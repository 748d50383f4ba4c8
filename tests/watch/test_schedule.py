"""Due times: real-time schedules skip what was missed, the others run everything in order."""

import pytest

from sightline.watch import schedule
from sightline.watch.schedule import due, next_due

HOUR = 1_700_000_000 // 3600 * 3600.0


def asked(last, now, **changes):
    options = {"realtime": True, "running": False, "late_s": 60.0} | changes
    return due("*/10 * * * *", last, now, **options)


def test_nothing_is_due_before_its_time():
    assert asked(HOUR, HOUR + 599) == schedule.Due(next=HOUR + 600)


def test_a_due_time_is_run_once():
    assert asked(HOUR, HOUR + 600).run == (HOUR + 600,)
    assert asked(HOUR + 600, HOUR + 601).run == ()


def test_a_realtime_schedule_skips_what_was_missed():
    found = asked(HOUR, HOUR + 3600 + 5)
    assert found.run == (HOUR + 3600,) and found.skipped >= 1 and found.next == HOUR + 4200
    late = asked(HOUR, HOUR + 3600 + 300)
    assert late.run == () and late.skipped_until is not None


def test_a_realtime_schedule_skips_while_its_last_run_goes_on():
    found = asked(HOUR, HOUR + 600, running=True)
    assert (found.run, found.skipped, found.skipped_until) == ((), 1, HOUR + 600)


def test_a_continuous_schedule_runs_everything_in_order_and_waits_while_running():
    assert asked(HOUR, HOUR + 1900, realtime=False).run == (HOUR + 600, HOUR + 1200, HOUR + 1800)
    assert asked(HOUR, HOUR + 1900, realtime=False, running=True).run == ()


def test_a_continuous_schedule_keeps_a_bounded_number(monkeypatch):
    monkeypatch.setattr(schedule, "MAX_CAUGHT_UP", 2)
    found = asked(HOUR, HOUR + 1900, realtime=False)
    assert found.run == (HOUR + 1200, HOUR + 1800) and found.skipped == 1


def test_a_long_time_down_is_not_counted_second_by_second():
    found = due("* * * * * *", 0.0, HOUR, realtime=True, running=False, late_s=60.0)
    assert found.run == (HOUR,)


@pytest.mark.parametrize(
    ("cron", "after", "wanted"),
    [
        ("*/15 * * * *", HOUR + 1, HOUR + 900),
        ("30 * * * * *", HOUR, HOUR + 30),
        ("*/20 * * * * *", HOUR + 20, HOUR + 40),
        ("0 0 31 2 *", HOUR, None),
    ],
)
def test_next_due(cron, after, wanted):
    assert next_due(cron, after) == wanted
