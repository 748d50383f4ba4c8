"""stats, eventstats, streamstats, dedup, sort and timechart against plain Python and pandas, on random tables.

The references are written from the definitions: a number is text that looks like one, an absent value counts nowhere, a
multivalue counts with each of its values.
"""

from __future__ import annotations

import math
import statistics
from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import pandas as pd
import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from tables import HOURS, START, Row, base, store_tables
from test_properties import number, same, written
from world import World

TABLES = 16
some = settings(
    max_examples=60, deadline=None, derandomize=True, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
tables = st.integers(0, TABLES - 1)
flags = st.booleans()


@pytest.fixture(scope="module")
def stored(world: World) -> list[list[Row]]:
    return store_tables(world, TABLES)


def ask(world: World, table: int, text: str) -> list[Row]:
    answer = world.answer(f"{base(table)} | {text}")
    assert answer.error is None and answer.bug is None, (text, answer.error or answer.bug)
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def flag(value: bool) -> str:
    return "t" if value else "f"


def text_of(value: Any) -> str | None:
    """A scalar as the text it is to a search."""
    if value is None or isinstance(value, str):
        return value
    return str(value).lower() if isinstance(value, bool) else str(written(value))


def key_of(row: Row, names: Sequence[str]) -> tuple[Any, ...] | None:
    """What rows are told apart by, a multivalue as a whole; None where a field is absent."""
    key = tuple(tuple(row[n]) if isinstance(row[n], list) else text_of(row[n]) for n in names)
    key = tuple(k if not isinstance(k, tuple) else k[0] if len(k) == 1 else k for k in key)
    return None if None in key else key


def present(rows: Sequence[Row], name: str) -> list[Any]:
    return [row[name] for row in rows if row[name] is not None]


def each(rows: Sequence[Row], name: str) -> list[str]:
    """All values as texts, those of multivalues one by one."""
    return [str(text_of(v)) for value in present(rows, name) for v in (value if isinstance(value, list) else [value])]


def numbers(rows: Sequence[Row], name: str) -> list[float]:
    return [found for text in each(rows, name) if (found := number(text)) is not None]


def ranked(percent: float) -> Callable[[list[float]], float]:
    """The nearest rank: the value at position ceil(percent / 100 * n), the first at least."""
    return lambda values: sorted(values)[max(math.ceil(percent / 100 * len(values)), 1) - 1]


def of_numbers(function: Callable[[list[float]], float]) -> Callable[[Sequence[Row], str], Any]:
    def reckoned(rows: Sequence[Row], name: str) -> Any:
        values = numbers(rows, name)
        return function(values) if values else None

    return reckoned


def extreme(rows: Sequence[Row], name: str, largest: bool) -> Any:
    """Numbers are below other text."""
    words = [text for text in each(rows, name) if number(text) is None]
    first, second = (words, numbers(rows, name)) if largest else (numbers(rows, name), words)
    chosen: Sequence[Any] = first or second
    return (max if largest else min)(chosen, default=None)


def by_time(rows: Sequence[Row], name: str, newest: bool) -> Any:
    found = [row for row in rows if row[name] is not None]
    return (max if newest else min)(found, key=lambda row: row["_time"])[name] if found else None


AGGREGATES: dict[str, Callable[[Sequence[Row], str], Any]] = {
    "count": lambda rows, name: len(each(rows, name)),
    "dc": lambda rows, name: len(set(each(rows, name))),
    "sum": of_numbers(sum),
    "avg": of_numbers(lambda v: float(pd.Series(v).mean())),
    "sumsq": of_numbers(lambda v: sum(x * x for x in v)),
    "min": lambda rows, name: extreme(rows, name, False),
    "max": lambda rows, name: extreme(rows, name, True),
    "range": of_numbers(lambda v: max(v) - min(v)),
    "values": lambda rows, name: sorted(set(each(rows, name))) or None,
    "list": lambda rows, name: each(rows, name) or None,
    "first": lambda rows, name: (present(rows, name) or [None])[0],
    "last": lambda rows, name: (present(rows, name) or [None])[-1],
    "earliest": lambda rows, name: by_time(rows, name, False),
    "latest": lambda rows, name: by_time(rows, name, True),
    "perc0": of_numbers(ranked(0)),
    "perc25": of_numbers(ranked(25)),
    "perc90": of_numbers(ranked(90)),
    "perc100": of_numbers(ranked(100)),
    "median": of_numbers(lambda v: sorted(v)[len(v) // 2]),
    "stdev": of_numbers(lambda v: statistics.stdev(v) if len(v) > 1 else 0.0),
    "stdevp": of_numbers(statistics.pstdev),
    "var": of_numbers(lambda v: float(pd.Series(v).var()) if len(v) > 1 else 0.0),
    "varp": of_numbers(statistics.pvariance),
}
fields = st.sampled_from(["k", "j", "x", "y", "m", "v", "b", "w", "n"])
calls = st.lists(st.tuples(st.sampled_from(sorted(AGGREGATES)), fields), min_size=1, max_size=6, unique=True)
groups = st.sampled_from([[], ["k"], ["j"], ["m"], ["b"], ["k", "j"], ["m", "j"], ["k", "m"], ["m", "v"]])


def written_calls(given_calls: Sequence[tuple[str, str]]) -> str:
    return "count " + " ".join(f"{function}({name}) AS a{n}" for n, (function, name) in enumerate(given_calls))


def check(got: Row, rows: Sequence[Row], given_calls: Sequence[tuple[str, str]], told: Any) -> None:
    """The aggregates of a row against those of its group."""
    assert got["count"] == len(rows), told
    for n, (function, name) in enumerate(given_calls):
        wanted, found = AGGREGATES[function](rows, name), got.get(f"a{n}")
        wanted = text_of(wanted) if isinstance(wanted, bool) else wanted
        found = text_of(found) if isinstance(found, bool) else found
        if function in ("stdev", "stdevp", "var", "varp", "sum", "avg", "sumsq") and wanted is not None:
            assert found is not None and math.isclose(float(found), wanted, rel_tol=1e-9, abs_tol=1e-7), (
                function,
                name,
                found,
                wanted,
            )
        else:
            assert same(found, wanted), (f"{function}({name})", found, wanted, told)


def natural(text: str) -> tuple[int, float, str]:
    found = number(text)
    return (0, found, "") if found is not None else (1, 0.0, text)


def split(rows: Sequence[Row], names: Sequence[str], *, distinct: bool = False) -> dict[tuple[str, ...], list[Row]]:
    """The rows of each group: a row counts for each value of a multivalue, and nowhere without one of the fields."""
    found: dict[tuple[str, ...], list[Row]] = {}
    for row in rows:
        combinations: list[tuple[str, ...]] = [()]
        for name in names:
            values = each([row], name)
            values = list(dict.fromkeys(values)) if distinct else values
            combinations = [(*one, value) for one in combinations for value in values]
        for one in combinations:
            found.setdefault(one, []).append(row)
    return found


@some
@given(tables, calls, groups, flags)
def test_stats(
    world: World, stored: list[list[Row]], table: int, given_calls: list[Any], by: list[str], distinct: bool
) -> None:
    rows = stored[table]
    # Grouped by a field, the aggregates see its single values.
    given_calls = [call for call in given_calls if call[1] not in by] or [("count", "n")]
    clause = " BY " + " ".join(by) if by else ""
    text = f"stats dedup_splitvals={flag(distinct)} {written_calls(given_calls)}{clause}"
    got = ask(world, table, text)
    if not by:
        assert len(got) == 1
        check(got[0], rows, given_calls, text)
        return
    wanted = split(rows, by, distinct=distinct)
    order = sorted(wanted, key=lambda key: tuple(natural(part) for part in key))
    assert [tuple(text_of(row[n]) for n in by) for row in got] == order, text
    for row, key in zip(got, order, strict=True):
        check(row, wanted[key], given_calls, (text, key))


@some
@given(tables, st.sampled_from(["j", "m", "x", "w", "k"]))
def test_mode_is_the_most_frequent_value(world: World, stored: list[list[Row]], table: int, name: str) -> None:
    (got,) = ask(world, table, f"stats count mode({name}) AS mode")
    counted = Counter(each(stored[table], name))
    if not counted:
        assert got["mode"] is None
        return
    most = [text for text, times in counted.items() if times == max(counted.values())]
    assert text_of(got["mode"]) in most
    if name in ("j", "w"):
        assert got["mode"] == min(most)


@some
@given(tables, calls, groups)
def test_eventstats(world: World, stored: list[list[Row]], table: int, given_calls: list[Any], by: list[str]) -> None:
    rows = stored[table]
    text = f"eventstats {written_calls(given_calls)}{' BY ' + ' '.join(by) if by else ''}"
    got = ask(world, table, f"{text} | table n count a*")
    assert [row["n"] for row in got] == [row["n"] for row in rows]
    for row, source in zip(got, rows, strict=True):
        key = key_of(source, by)
        if key is None:
            assert all(value in (None, []) for name, value in row.items() if name != "n"), (text, row)
        else:
            check(row, [other for other in rows if key_of(other, by) == key], given_calls, (text, key))


RESETS: dict[str, Callable[[Row], bool]] = {
    "x>1": lambda row: (number(row["x"]) or 0.0) > 1,
    'j="q"': lambda row: row["j"] == "q",
    "n%4=0": lambda row: row["n"] % 4 == 0,
    "isnull(k)": lambda row: row["k"] is None,
}


def seen_by(
    rows: Sequence[Row], by: Sequence[str], window: int, current: bool, shared: bool, change: bool, before: str, after: str
) -> list[list[Row] | None]:
    """The rows that each row's aggregates are over, None for a row that lacks a BY field."""
    out: list[list[Row] | None] = []
    since: list[Row] = []
    last: Any = None
    for row in rows:
        key = key_of(row, by)
        if before and RESETS[before](row):
            since = []
        if key is not None:
            if change and by and last is not None and key != last:
                since = []
            last = key
            before_it = list(since)
            since.append(row)
            candidates = list(since) if current else before_it
            if window and shared:
                candidates = candidates[-window:]
            mine = [other for other in candidates if key_of(other, by) == key]
            out.append(mine[-window:] if window else mine)
        else:
            out.append(None)
        if after and RESETS[after](row):
            since = []
    return out


@settings(some, max_examples=120)
@given(
    tables, calls, groups, st.sampled_from([0, 1, 2, 4]), flags, flags, flags,
    st.sampled_from(["", "", *RESETS]), st.sampled_from(["", "", *RESETS]),
)  # fmt: skip
def test_streamstats(
    world: World, stored: list[list[Row]], table: int, given_calls: list[Any], by: list[str], window: int, current: bool,
    shared: bool, change: bool, before: str, after: str,
) -> None:  # fmt: skip
    rows = stored[table]
    resets = (f"reset_before=({before}) " if before else "") + (f"reset_after=({after}) " if after else "")
    text = (
        f"streamstats window={window} current={flag(current)} global={flag(shared)} reset_on_change={flag(change)} {resets}"
        f"{written_calls(given_calls)}{' BY ' + ' '.join(by) if by else ''}"
    )
    got = ask(world, table, f"{text} | table n count a*")
    assert [row["n"] for row in got] == [row["n"] for row in rows]
    for row, seen in zip(got, seen_by(rows, by, window, current, shared, change, before, after), strict=True):
        if seen is None:
            assert all(value in (None, []) for name, value in row.items() if name != "n"), (text, row)
        else:
            check(row, seen, given_calls, (text, row["n"]))


# ---- order and duplicates -------------------------------------------------------------------------------------------


def rank(value: Any, kind: str) -> tuple[Any, ...]:
    text = "\n".join(value) if isinstance(value, list) else str(text_of(value))
    if kind == "str":
        return (text,)
    if kind == "ip":
        return tuple(int(part) for part in text.split("."))
    found = number(text)
    return (0, found, "") if found is not None else (1, 0.0, text)


Key = tuple[str, str, bool]


def in_order(rows: Sequence[Row], keys: Sequence[Key]) -> list[Row]:
    """Sorted by the last key first, so that ties keep their order; rows without the field come last."""
    found = list(rows)
    for name, kind, descending in reversed(keys):
        there = [row for row in found if row[name] is not None]
        there.sort(key=lambda row: rank(row[name], kind), reverse=descending)
        found = there + [row for row in found if row[name] is None]
    return found


def written_keys(keys: Sequence[Key]) -> str:
    return " ".join(
        ("-" if down else "+") + (name if kind in ("auto", "address") else f"{kind}({name})") for name, kind, down in keys
    )


sort_keys = st.lists(
    st.one_of(
        st.tuples(st.sampled_from(["k", "j", "x", "y", "w", "n"]), st.sampled_from(["auto", "str"]), flags),
        st.tuples(st.sampled_from(["x", "n"]), st.just("num"), flags),
        st.tuples(st.just("ip"), st.just("ip"), flags),
    ),
    min_size=1,
    max_size=3,
    unique_by=lambda key: key[0],
)


@settings(some, max_examples=120)
@given(tables, sort_keys, st.sampled_from([0, 0, 1, 4, 100]))
def test_sort(world: World, stored: list[list[Row]], table: int, keys: list[Key], count: int) -> None:
    text = f"sort {count} {written_keys(keys)}"
    wanted = [row["n"] for row in in_order(stored[table], keys)]
    assert [row["n"] for row in ask(world, table, f"{text} | table n")] == (wanted[:count] if count else wanted), text


@some
@given(tables, flags)
def test_sort_takes_addresses_for_such(world: World, stored: list[list[Row]], table: int, down: bool) -> None:
    got = ask(world, table, f"sort {'-' if down else ''}ip | table n")
    assert [row["n"] for row in got] == [row["n"] for row in in_order(stored[table], [("ip", "ip", down)])]


@settings(some, max_examples=150)
@given(
    tables, st.sampled_from([["k"], ["j"], ["m"], ["b"], ["k", "j"], ["m", "b"], ["x"]]), st.integers(1, 3), flags, flags, flags,
    st.one_of(st.just([]), sort_keys),
)  # fmt: skip
def test_dedup(
    world: World, stored: list[list[Row]], table: int, names: list[str], count: int, keepevents: bool, keepempty: bool,
    consecutive: bool, keys: list[Key],
) -> None:  # fmt: skip
    text = (
        f"dedup {count} {' '.join(names)} keepevents={flag(keepevents)} keepempty={flag(keepempty)} "
        f"consecutive={flag(consecutive)}{' sortby ' + written_keys(keys) if keys else ''}"
    )
    got = ask(world, table, f"{text} | table n {' '.join(names)}")
    rows = in_order(stored[table], keys)
    times: Counter[Any] = Counter()
    before: Any = None
    run, wanted = 0, []
    for row in rows:
        key = key_of(row, names)
        run = run + 1 if key is not None and key == before else 1
        before = key
        times[key] += 1
        nth = run if consecutive else times[key]
        if key is None:
            if keepempty or keepevents:
                wanted.append(row)
        elif nth <= count:
            wanted.append(row)
        elif keepevents:
            wanted.append(row | dict.fromkeys(names))
    assert [row["n"] for row in got] == [row["n"] for row in wanted], text
    for row, other in zip(got, wanted, strict=True):
        for name in names:
            value, found = other[name], row[name]
            assert same(
                text_of(found) if isinstance(found, bool) else found, text_of(value) if isinstance(value, bool) else value
            ), (text, row, other)


# ---- timechart ------------------------------------------------------------------------------------------------------


@settings(some, max_examples=100)
@given(
    tables, st.sampled_from([("count", ""), ("count", "x"), ("sum", "x"), ("avg", "v"), ("max", "x"), ("dc", "j")]),
    st.sampled_from(["", "k", "j", "m", "w"]), st.sampled_from([3600, 1800, 7200]), st.sampled_from([0, 1, 2, 10]), flags, flags, flags,
)  # fmt: skip
def test_timechart(
    world: World, stored: list[list[Row]], table: int, call: tuple[str, str], by: str, span_s: int, limit: int, useother: bool,
    usenull: bool, cont: bool,
) -> None:  # fmt: skip
    rows, (function, name) = stored[table], call

    def reckoned(group: Sequence[Row]) -> Any:
        if not group:
            return 0 if function in ("count", "dc") else None
        return AGGREGATES[function](group, name) if name else len(group)

    def charted(group: Sequence[Row]) -> list[Any]:
        return [reckoned([row for row in group if start <= row["_time"] < start + span_s]) for start in starts]

    starts = [START - START % span_s + k * span_s for k in range(HOURS * 3600 // span_s + 1)]
    starts = [start for start in starts if start + span_s > START and start < START + HOURS * 3600]
    options = f"limit={limit} useother={flag(useother)} usenull={flag(usenull)} cont={flag(cont)}"
    text = f"timechart span={span_s}s {options} {function}{f'({name})' if name else ''} AS a{' BY ' + by if by else ''}"
    series: dict[str, list[Row]] = {"a": list(rows)} if not by else {}
    used = rows if not by or usenull else [row for row in rows if row[by] is not None]
    if by:
        groups_of = {key: group for (key,), group in split(rows, [by]).items()}
        scores = {key: sum(v for v in charted(group) if v is not None) for key, group in groups_of.items()}
        empty = [key for key, group in groups_of.items() if not any(v is not None for v in charted(group))]
        ordered = sorted(scores, key=lambda key: -scores[key])
        if limit and limit < len(ordered):
            # Which of equals is shown is another question.
            assume(not empty and not math.isclose(scores[ordered[limit - 1]], scores[ordered[limit]], abs_tol=1e-9))
        kept = ordered[:limit] if limit else ordered
        series = {key: groups_of[key] for key in kept}
        if usenull and any(row[by] is None for row in rows):
            series["NULL"] = [row for row in rows if row[by] is None]
        if useother and len(kept) < len(ordered):
            series["OTHER"] = [row for key in ordered if key not in kept for row in groups_of[key]]
    got = ask(world, table, text)
    cells = {title: charted(group) for title, group in series.items()}
    if not cont:
        held = [k for k, start in enumerate(starts) if any(start <= row["_time"] < start + span_s for row in used)]
        starts, cells = [starts[k] for k in held], {title: [column[k] for k in held] for title, column in cells.items()}
    assert [row["_time"] for row in got] == starts, text
    for place, row in enumerate(got):
        assert {title for title in row if not title.startswith("_")} == set(series), (text, row, series.keys())
        for title, column in cells.items():
            assert same(row[title], column[place]), (text, title, place, row[title], column[place])
