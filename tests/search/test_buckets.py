"""Buckets of time begin at the same moment in the engine and in Python, in every zone; numbers fall into round ranges."""

from __future__ import annotations

import random
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from sightline.errors import SearchError
from sightline.search.planner.buckets import TimeBuckets, auto_span, auto_width, number_buckets
from sightline.search.time import parse_span

ZONES = [UTC, ZoneInfo("Europe/Berlin"), ZoneInfo("Asia/Kolkata"), ZoneInfo("America/New_York")]
SPANS = ["0.5s", "10s", "5m", "1h", "4h", "5h", "1d", "3d", "1w", "2w", "1w@w1", "1mon", "1q", "1y", "5mon"]


def started(calculate, buckets: TimeBuckets, moments: list[float]) -> list[float]:
    """Where the engine begins the buckets of these moments."""
    context = calculate.context()
    relation = context.relation_of(pa.table({"_time": moments}))
    relation = relation.with_field("start", buckets.value(relation.field("_time")))
    return context.table_of(relation, ["start"])["start"].to_pylist()


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_engine_and_python_agree(calculate, zone) -> None:
    draw = random.Random(1)
    for text in SPANS:
        buckets = TimeBuckets(parse_span(text), zone)
        moments = [draw.uniform(1.2e9, 1.8e9) for _ in range(100)]
        assert started(calculate, buckets, moments) == pytest.approx([buckets.start(m) for m in moments]), text


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_buckets_follow_one_another_without_gaps(zone) -> None:
    for text in SPANS:
        buckets = TimeBuckets(parse_span(text), zone)
        first = buckets.start(1.6e9)
        for start in [s for s, _ in zip(buckets.starts(first, 2e9), range(40), strict=False)]:
            assert buckets.start(start) == start
            assert buckets.start(buckets.next(start) - 0.001) == start, (text, start)


def test_days_of_23_and_25_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    buckets = TimeBuckets(parse_span("1d"), berlin)
    spring = datetime(2024, 3, 31, tzinfo=berlin).timestamp()
    autumn = datetime(2024, 10, 27, tzinfo=berlin).timestamp()
    assert buckets.next(spring) - spring == 23 * 3600
    assert buckets.next(autumn) - autumn == 25 * 3600


def test_a_week_begins_on_sunday_unless_told() -> None:
    moment = datetime(2023, 11, 14, 22, tzinfo=UTC).timestamp()
    assert datetime.fromtimestamp(TimeBuckets(parse_span("1w")).start(moment), UTC).strftime("%A %d") == "Sunday 12"
    assert datetime.fromtimestamp(TimeBuckets(parse_span("1w@w1")).start(moment), UTC).strftime("%A %d") == "Monday 13"


@pytest.mark.parametrize(
    ("hours", "span"), [(0.25, "10s"), (1, "1m"), (4, "5m"), (24, "30m"), (7 * 24, "1d"), (30 * 24, "1d"), (8760, "1mon")]
)
def test_span_that_a_range_gets(hours: float, span: str) -> None:
    assert str(auto_span(hours * 3600, 100)) == span


def test_widths_are_round() -> None:
    assert auto_width(0, 99, 100) == 1
    assert auto_width(0, 99, 10) == 10
    assert auto_width(0, 0.9, 10) == 0.1
    assert auto_width(-5, 12345, 10) == 2000
    assert auto_width(0, 99, 100, least=5) == 5


def test_ranges(calculate) -> None:
    cases = {
        "10": [(-0.5, "-10-0"), (0.0, "0-10"), (10.0, "10-20")],
        "0.1": [(0.3, "0.3-0.4"), (0.35, "0.3-0.4")],
        "log10": [(1.0, "1-10"), (1000.0, "1000-10000"), (0.05, "0.01-0.1"), (-1.0, "-1")],
        "2log5": [(2.0, "2-10"), (49.0, "10-50")],
    }
    for span, pairs in cases.items():
        buckets = number_buckets(span)
        assert buckets is not None
        context = calculate.context()
        relation = context.relation_of(pa.table({"x": [x for x, _ in pairs]}))
        relation = relation.with_field("range", buckets.ranges(relation.field("x")))
        assert context.table_of(relation, ["range"])["range"].to_pylist() == [text for _, text in pairs], span


def test_spans_that_are_none() -> None:
    assert number_buckets("5m") is None
    for text in ("0", "7log5", "log1"):
        with pytest.raises(SearchError, match="span"):
            number_buckets(text)
