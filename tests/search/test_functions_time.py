"""Functions of time, against Python's own calendar: any zone, any year, any conversion."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pyarrow as pa
import pytest

from sightline.search.time import parse_time

NOW = 1_700_000_000
BERLIN = ZoneInfo("Europe/Berlin")
NEW_YORK = ZoneInfo("America/New_York")
INDIA = timezone(timedelta(hours=5, minutes=30))
ZONES = (UTC, BERLIN, NEW_YORK, INDIA)
TIMES = [
    0.0,
    -1.0,
    1.5,
    951_782_400.0,
    1_679_792_400.0,
    1_698_541_200.25,
    1_700_000_000.123456,
    4_102_444_800.0,
    -2_000_000_000.0,
]
"""Among them the leap day of 2000 and the changes of clocks in Berlin of 2023."""


def table(values: list) -> pa.Table:
    return pa.table({"t": values})


def test_now_and_time(calculate):
    assert calculate.value("now()") == NOW
    before = datetime.now(UTC).timestamp()
    assert before - 1 < calculate.value("time()") < before + 60


# ---- strftime --------------------------------------------------------------------------------------------------------

WRITTEN = [
    ("%Y-%m-%d %H:%M:%S", "2023-11-14 22:13:20"), ("%d/%b/%y %I:%M:%S %p", "14/Nov/23 10:13:20 PM"), ("%a %A %B %P", "Tue Tuesday November pm"),
    ("%F %T %R %D %x %X %r", "2023-11-14 22:13:20 22:13 11/14/23 11/14/23 22:13:20 10:13:20 PM"), ("%c", "Tue Nov 14 22:13:20 2023"),
    ("%+", "Tue Nov 14 22:13:20 UTC 2023"), ("%s", "1700000000"), ("%j %w %u %U %W %V %G %g %C", "318 2 2 46 46 46 2023 23 20"),
    ("%z %:z %::z %Ez %Z", "+0000 +00:00 +00:00:00 +0 UTC"), ("%N %3N %6N %9N", "123456000 123 123456 123456000"), ("%Q %3Q %6Q %f", "123 123 123456 123456"),
    ("100%% %n%t|", "100% \n\t|"), ("%e|%k|%l", "14|22|10"), ("%-d|%-m|%-H|%-I|%-M", "14|11|22|10|13"), ("%^a %^b", "TUE NOV"), ("%y", "23"), ("%h", "Nov"),
    ("plain", "plain"), ("", ""), ("it's 'quoted' \\ %H", "it's 'quoted' \\ 22"), ("日 %d", "日 14"),
]  # fmt: skip


@pytest.mark.parametrize(("form", "wanted"), WRITTEN, ids=[w[0] for w in WRITTEN])
def test_strftime(calculate, form, wanted):
    escaped = form.replace("\\", "\\\\")
    assert calculate.values(f'strftime(t, "{escaped}")', table([1_700_000_000.123456, None])) == [wanted, None]


def test_strftime_of_text_and_whole_numbers(calculate):
    assert calculate.values('strftime(t, "%F")', table(["1700000000", "x", None])) == ["2023-11-14", None, None]
    assert calculate.values('strftime(t, "%T")', table([1_700_000_000, None])) == ["22:13:20", None]
    assert calculate.value('strftime(1700000000, "%F")') == "2023-11-14"


def test_small_numbers_are_padded_with_blanks_or_not_at_all(calculate):
    assert calculate.value('strftime(1699146183, "%e|%k|%l|%-d|%-j|%_m")') == " 5| 1| 1|5|309|11"


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_strftime_agrees_with_python(calculate, zone):
    form = "%Y-%m-%d %H:%M:%S %j %a %b %U %W %V %G %z"
    found = calculate.values(f'strftime(t, "{form}")', table(TIMES), zone=zone)
    assert found == [datetime.fromtimestamp(t // 1, zone).strftime(form) for t in TIMES]


def test_names_of_zones(calculate):
    winter, summer = 1_700_000_000, 1_690_000_000
    assert calculate.values('strftime(t, "%Z %z %:z %Ez")', table([winter, summer]), zone=BERLIN) == [
        "CET +0100 +01:00 +60",
        "CEST +0200 +02:00 +120",
    ]
    assert calculate.values('strftime(t, "%Z")', table([winter, summer]), zone=NEW_YORK) == ["EST", "EDT"]
    assert calculate.value('strftime(0, "%H:%M %z %:z %Z")', zone=INDIA) == "05:30 +0530 +05:30 UTC+05:30"


def test_years_beyond_the_calendar_of_the_engine(calculate):
    far = [
        datetime(y, m, d, 12, tzinfo=UTC)
        for y, m, d in (
            (9999, 12, 31),
            (2300, 1, 1),
            (2400, 2, 29),
            (1899, 12, 31),
            (1582, 10, 15),
            (2299, 12, 31),
            (1900, 1, 1),
        )
    ]
    moments = [(t - datetime(1970, 1, 1, tzinfo=UTC)).total_seconds() for t in far]
    form = "%Y-%m-%d %a %j"
    assert calculate.values(f'strftime(t, "{form}")', table(moments)) == [t.strftime(form) for t in far]
    assert calculate.values('strftime(t, "%y %C %s")', table(moments[:1])) == [f"99 99 {moments[0]:.0f}"]


# ---- strptime --------------------------------------------------------------------------------------------------------

READ = [
    ("2023-11-14 22:13:20", "%Y-%m-%d %H:%M:%S", 1_700_000_000), ("2023-11-14T22:13:20", "%FT%T", 1_700_000_000), ("14/Nov/2023:22:13:20 +0000", "%d/%b/%Y:%H:%M:%S %z", 1_700_000_000),
    ("Tue Nov 14 22:13:20 2023", "%c", 1_700_000_000), ("Tue Nov 14 22:13:20 UTC 2023", "%+", 1_700_000_000), ("tuesday, NOVEMBER 14, 2023", "%A, %B %d, %Y", 1_699_920_000),
    ("11/14/23", "%D", 1_699_920_000), ("2023-318", "%Y-%j", 1_699_920_000), ("10:13:20 PM 11/14/2023", "%I:%M:%S %p %m/%d/%Y", 1_700_000_000), ("12:00 a.m. 1/2/70", "%I:%M %p %m/%d/%y", 86_400),
    ("12:30 PM 1970-01-01", "%I:%M %p %F", 45_000), ("1700000000", "%s", 1_700_000_000), ("-5", "%s", -5), ("1700000000.25", "%s.%2N", 1_700_000_000.25),
    ("2023-11-14 22:13:20.123", "%Y-%m-%d %H:%M:%S.%3N", 1_700_000_000.123), ("22:13:20,5 2023-11-14", "%H:%M:%S,%N %F", 1_700_000_000.5), ("2023-11-14T22:13:20.250Z", "%Y-%m-%dT%H:%M:%S.%QZ", 1_700_000_000.25),
    ("2023-11-14T22:13:20Z", "%Y-%m-%dT%H:%M:%S%Z", 1_700_000_000), ("2023-11-14 23:13:20 CET", "%F %T %Z", 1_700_000_000), ("2023-11-14 17:13:20 EST", "%F %T %Z", 1_700_000_000),
    ("2023-11-15T03:43:20+05:30", "%FT%T%:z", 1_700_000_000), ("2023-11-14T20:13:20-02", "%FT%T%z", 1_700_000_000), ("20231114221320", "%Y%m%d%H%M%S", 1_700_000_000),
    ("2023-11-14 and more", "%Y-%m-%d", 1_699_920_000), ("  2023-1-4", "%Y-%m-%d", 1_672_790_400), ("2023-02-29", "%F", None), ("2024-02-29", "%F", 1_709_164_800), ("1900-02-29", "%F", None), ("2000-02-29", "%F", 951_782_400),
    ("2023-13-01", "%F", None), ("2023-11-14 24:00", "%F %H:%M", None), ("2023-11-14 22:60", "%F %H:%M", None), ("0:30 AM", "%I:%M %p", None), ("nonsense", "%F", None), ("2023-11-14 22:13 XYZ", "%F %H:%M %Z", None),
    ("9999-12-31", "%F", 253_402_214_400), ("1492-10-12", "%F", -15_059_606_400), ("Nov 14", "%b %d", 1_699_920_000), ("10:00", "%H:%M", 1_699_956_000), ("2023", "%Y", 1_672_531_200), ("2023-11", "%Y-%m", 1_698_796_800),
    ("[14.11.2023]", "[%d.%m.%Y]", 1_699_920_000), ("no conversions", "no", 1_699_920_000), ("x 5%", "x %d%%", 1_699_142_400), ("69", "%y", -31_536_000), ("68", "%y", 3_092_601_600),
]  # fmt: skip


@pytest.mark.parametrize(("text", "form", "wanted"), READ, ids=[f"{r[0]} as {r[1]}" for r in READ])
def test_strptime(calculate, text, form, wanted):
    assert calculate.values(f'strptime(t, "{form}")', table([text, None])) == [wanted, None]


@pytest.mark.parametrize("zone", ZONES, ids=str)
def test_strptime_in_a_zone(calculate, zone):
    draw = random.Random(3)
    moments = [draw.randint(-2_000_000_000, 4_000_000_000) for _ in range(200)]
    texts = [datetime.fromtimestamp(t, zone).strftime("%Y-%m-%d %H:%M:%S") for t in moments]
    found = calculate.values('strptime(t, "%Y-%m-%d %H:%M:%S")', table(texts), zone=zone)
    # A local hour that clocks repeat stands for two times.
    read = [datetime.strptime(x, "%Y-%m-%d %H:%M:%S").replace(tzinfo=zone) for x in texts]
    both = [{int(r.replace(fold=f).timestamp()) for f in (0, 1)} for r in read]
    assert all(t in wanted for t, wanted in zip(found, both, strict=True))


def test_a_local_hour_that_does_not_exist(calculate):
    (found,) = calculate.values('strptime(t, "%F %T")', table(["2023-03-26 02:30:00"]), zone=BERLIN)
    assert found in (1_679_794_200, 1_679_790_600)


# ---- relative_time ---------------------------------------------------------------------------------------------------

MODIFIERS = ("-1h", "@h", "-1d@d", "+2h", "-15m@m", "@w0", "@w1", "@w", "-1w@w1", "@mon", "-1mon@mon", "@q", "-1q@q", "@y", "-1y", "@d+6h",
             "-1d@d+2h", "-30s", "+1mon", "-13mon", "@s", "+3d", "@w6", "-2w", "@h-30m", "-1d")  # fmt: skip


@pytest.mark.parametrize("zone", ZONES, ids=str)
@pytest.mark.parametrize("modifier", MODIFIERS)
def test_relative_time_agrees_with_time_modifiers(calculate, zone, modifier):
    draw = random.Random(modifier)
    moments = [draw.randint(0, 2_000_000_000) for _ in range(30)] + [1_700_000_000, 951_782_400, 1_706_659_200]
    found = calculate.values(f'relative_time(t, "{modifier}")', table(moments), zone=zone)
    wanted = [parse_time(modifier, t, zone) for t in moments]
    # What clocks repeat or skip may be told either way.
    odd = [(f, w) for f, w in zip(found, wanted, strict=True) if f != w and not _clocks_change(w, zone)]
    assert not odd


def _clocks_change(moment: float, zone) -> bool:
    around = [datetime.fromtimestamp(moment + d, zone).utcoffset() for d in (-7200, 7200)]
    return around[0] != around[1]


def test_relative_time_keeps_the_fraction_until_a_snap(calculate):
    assert calculate.values('relative_time(t, "-1h")', table([1_700_000_000.5, None])) == [1_699_996_400.5, None]
    assert calculate.values('relative_time(t, "@h")', table([1_700_000_000.5, None])) == [1_699_999_200, None]
    assert calculate.values('relative_time(t, "-500ms")', table([1_700_000_000.5])) == [1_700_000_000.0]


def test_relative_time_of_constants_and_odd_modifiers(calculate):
    assert calculate.value('relative_time(1700000000, "-1d@d")') == 1_699_833_600
    assert calculate.value('relative_time(now(), "now")') == NOW
    assert calculate.value('relative_time(now(), "now-1d@d")') == 1_699_833_600
    rows = pa.table({"t": [1_700_000_000] * 4, "step": ["-1h", "@d", "nonsense", None]})
    assert calculate.values("relative_time(t, step)", rows) == [1_699_996_400.0, 1_699_920_000.0, None, None]
    assert calculate.values("relative_time(t, step)", rows, zone=BERLIN)[1] == 1_699_916_400.0
