"""Retention: what is too old or too much goes, oldest first, and nothing else; merges on demand are bounded."""

import pyarrow as pa
import pytest

from sightline.store.retention import Limits, enforce, merges, optimize

DAY = 86_400.0
NOW = 1_764_115_200.0
"""2025-11-26T00:00:00Z."""


def fill(store, index, *times, count=1):
    for time in times:
        store.append_events(
            index,
            pa.table({"_time": [time + n for n in range(count)], "_raw": [f"{index} {time} {n}" for n in range(count)]}),
        )


def times(store, index):
    rows = store.query(f"SELECT toFloat64(_time) AS t FROM sightline.events WHERE index = '{index}' ORDER BY t")
    return rows["t"].to_pylist()


def test_old_months_and_the_old_part_of_a_month_go(store):
    ages = [200, 60, 20, 12, 8, 1]
    fill(store, "a", *(NOW - days * DAY for days in ages))
    fill(store, "kept", *(NOW - days * DAY for days in ages))
    removed = enforce(store, "a", Limits(max_age_s=10 * DAY), NOW)
    assert times(store, "a") == [NOW - 8 * DAY, NOW - DAY]
    assert len(times(store, "kept")) == 6
    assert sum(one.rows for one in removed) == 4 and {one.reason for one in removed} == {"age"}
    assert enforce(store, "a", Limits(max_age_s=10 * DAY), NOW) == []


def test_a_little_over_its_age_is_let_through(store):
    fill(store, "a", NOW - 10.5 * DAY, NOW - DAY)
    assert enforce(store, "a", Limits(max_age_s=10 * DAY), NOW) == []
    assert enforce(store, "a", Limits(max_age_s=10 * DAY), NOW + DAY) != []
    assert times(store, "a") == [NOW - DAY]


def test_the_oldest_goes_when_an_index_is_too_large(store):
    fill(store, "a", *(NOW - days * DAY for days in (200, 100, 5)), count=500)
    fill(store, "kept", NOW - 300 * DAY, count=500)
    sizes = {status.name: status.bytes_on_disk for status in store.indexes()}
    removed = enforce(store, "a", Limits(max_bytes=sizes["a"] // 2), NOW)
    left = times(store, "a")
    # The last month is whole, the one before lost its oldest, the first is gone.
    assert left == sorted(left) and 500 < len(left) < 1000
    assert min(left) > NOW - 100 * DAY and left[-500:] == [NOW - 5 * DAY + n for n in range(500)]
    assert sum(one.rows for one in removed) == 1500 - len(left) and {one.reason for one in removed} == {"size"}
    assert len(times(store, "kept")) == 500


def test_limits_of_nothing_remove_nothing(store):
    fill(store, "a", NOW - 5000 * DAY)
    assert enforce(store, "a", Limits(), NOW) == []
    assert enforce(store, "empty", Limits(1.0, 1), NOW) == []


def test_optimize_merges_what_is_small_enough(store):
    fill(store, "a", NOW, NOW + 1, NOW + 2)
    assert optimize(store, "a", 1) == {"parts_before": 3, "parts_after": 3, "too_large": 1}
    assert optimize(store, "a", 1 << 30) == {"parts_before": 3, "parts_after": 1, "too_large": 0}
    assert len(times(store, "a")) == 3
    assert merges(store) == []


@pytest.mark.parametrize("table", ["metrics", "spans"])
def test_every_table_is_kept_within_its_limits(store, table):
    for days in (50, 1):
        store.execute(
            f"INSERT INTO sightline.{table} (index, _time) SELECT 'x', fromUnixTimestamp64Micro({int((NOW - days * DAY) * 1e6)})"
        )
    (one,) = enforce(store, "x", Limits(max_age_s=10 * DAY), NOW)
    assert (one.table, one.rows) == (table, 1)
