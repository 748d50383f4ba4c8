"""`transaction` against its definition, written as plain Python that walks over the rows, on random rows and options."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from world import NOW, World

from sightline.search.planner.pieces import piece_starts

on_rows = settings(
    max_examples=20,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=(Phase.explicit, Phase.generate),
)

# ---- where pieces begin ---------------------------------------------------------------------------------------------


def walked(begins: list[bool], ticks: list[int], longest: int | None, most: int | None) -> list[bool]:
    found, first, count = [], 0, 0
    for begin, tick in zip(begins, ticks, strict=True):
        too_long = longest is not None and first - tick > longest
        starts = begin or too_long or (most is not None and count == most)
        if starts:
            first, count = tick, 0
        count += 1
        found.append(starts)
    return found


@settings(max_examples=300, deadline=None, derandomize=True)
@given(
    st.lists(st.tuples(st.booleans(), st.integers(0, 9)), max_size=40),
    st.one_of(st.none(), st.integers(0, 25)),
    st.one_of(st.none(), st.integers(1, 6)),
)
def test_pieces_begin_where_a_walk_begins_them(rows: list[tuple[bool, int]], longest: int | None, most: int | None) -> None:
    begins = [True, *(begin for begin, _ in rows)]
    ticks, tick = [], 10_000_000_000_000_000
    for begin, step in [(True, 0), *rows]:
        tick = tick + 500 if begin else tick - step
        ticks.append(tick)
    found = piece_starts(np.array(begins), np.array(ticks, np.int64), longest, most)
    assert found.tolist() == walked(begins, ticks, longest, most)


def test_a_million_rows_are_cut_at_once() -> None:
    ticks = np.arange(1_000_000, 0, -1, dtype=np.int64)
    begins = np.zeros(1_000_000, bool)
    begins[0] = True
    found = piece_starts(begins, ticks, 1, None)
    assert np.flatnonzero(found).tolist() == list(range(0, 1_000_000, 2))
    assert piece_starts(begins, ticks, None, 1).all()
    assert piece_starts(np.zeros(0, bool), np.zeros(0, np.int64), 1, 1).tolist() == []


# ---- the definition -------------------------------------------------------------------------------------------------


@dataclass
class Options:
    """What a transaction is told. `begins` and `ends` are the values of the field `act` that the filters match."""

    names: tuple[str, ...] = ()
    span: float | None = None
    pause: float | None = None
    events: int | None = None
    begins: str = ""
    ends: str = ""
    evicted: bool = False

    def written(self) -> str:
        parts = ["transaction", *self.names, "mvlist=n,c", f"maxevents={self.events or -1}"]
        parts += [f"maxspan={self.span:g}s"] if self.span is not None else []
        parts += [f"maxpause={self.pause:g}s"] if self.pause is not None else []
        parts += [f'startswith=(act="*{self.begins}*")'] if self.begins else []
        parts += [f'endswith=eval(like(act, "%{self.ends}%"))'] if self.ends else []
        return " ".join([*parts, f"keepevicted={'t' if self.evicted else 'f'}"])


@dataclass
class Made:
    """A transaction: its rows, newest first."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    has_begin: bool = False
    has_end: bool = False


def linked(rows: list[dict[str, Any]], names: tuple[str, ...]) -> dict[int, tuple[Any, ...]]:
    """The key of each row that has one of the fields, by the row's number. `rows` are newest first."""
    keys = {row["n"]: [row[name] for name in names] for row in rows if any(row[name] is not None for name in names)}
    for _ in range(len(names) - 1):
        known = {n: list(key) for n, key in keys.items()}
        numbers = list(keys)
        for place, n in enumerate(numbers):
            for missing in range(len(names)):
                if known[n][missing] is not None:
                    continue
                for shared in range(len(names)):
                    if shared == missing or known[n][shared] is None:
                        continue
                    others = [*reversed(numbers[:place]), *numbers[place + 1 :]]
                    fitting = [o for o in others if known[o][shared] == known[n][shared] and known[o][missing] is not None]
                    if fitting:
                        keys[n][missing] = known[fitting[0]][missing]
                        break
    return {n: tuple(key) for n, key in keys.items()}


def transactions(rows: list[dict[str, Any]], options: Options) -> list[Made]:
    """The transactions of rows that come newest first."""
    groups: dict[tuple[Any, ...], list[dict[str, Any]]] = {}
    keys = linked(rows, options.names) if options.names else {row["n"]: () for row in rows}
    for row in rows:
        if row["n"] in keys:
            groups.setdefault(keys[row["n"]], []).append(row)
    made: list[Made] = []
    limits = [limit for limit in (options.pause, options.span) if limit is not None]
    for members in groups.values():
        previous: dict[str, Any] | None = None
        is_open = was_begin = False
        for row in members:
            apart = previous is None or any(previous["_time"] - row["_time"] > limit for limit in limits)
            begin = bool(options.begins) and options.begins in (row["act"] or "")
            end = bool(options.ends) and options.ends in (row["act"] or "")
            if begin and end:
                begin, end = (False, True) if apart or not is_open else (True, False)
            if apart:
                is_open = False
            if end:
                is_open = True
            if begin:
                is_open = False
            current = made[-1] if made else Made()
            too_long = (
                options.span is not None and bool(current.rows) and current.rows[0]["_time"] - row["_time"] > options.span
            )
            full = options.events is not None and len(current.rows) == options.events
            if apart or end or was_begin or too_long or full:
                made.append(Made())
            made[-1].rows.append(row)
            made[-1].has_begin |= begin
            made[-1].has_end |= end
            previous, was_begin = row, begin
    return made


def expected(rows: list[dict[str, Any]], options: Options) -> dict[tuple[int, ...], tuple[int, float, float]]:
    """By the numbers of their rows, oldest first: closed_txn, the time and the duration of what is shown."""
    oldest = min(
        (row["_time"] for row in rows if not options.names or any(row[n] is not None for n in options.names)), default=0
    )
    found = {}
    for one in transactions(rows, options):
        newest_time, oldest_time = one.rows[0]["_time"], one.rows[-1]["_time"]
        if options.begins or options.ends:
            closed = (one.has_begin or not options.begins) and (one.has_end or not options.ends)
            if not closed and not options.evicted:
                continue
        else:
            closed = options.events is not None and len(one.rows) >= options.events
            closed |= options.span is not None and newest_time - oldest > options.span
            closed |= options.pause is not None and oldest_time - oldest > options.pause
        numbers = tuple(row["n"] for row in reversed(one.rows))
        found[numbers] = (int(closed), oldest_time, newest_time - oldest_time)
    return found


# ---- both on random rows --------------------------------------------------------------------------------------------

acts = st.sampled_from([None, "view", "view", "in", "out", "in out"])
some_rows = st.lists(
    st.fixed_dictionaries(
        {
            "step": st.sampled_from([0.5, 1.0, 2.0, 5.0, 40.0]),
            "a": st.sampled_from([None, "p", "q"]),
            "b": st.sampled_from([None, "x", "y", "7"]),
            "c": st.sampled_from([None, 1, 2]),
            "act": acts,
        }
    ),
    min_size=1,
    max_size=22,
)
some_options = st.builds(
    Options,
    names=st.sampled_from([(), ("a",), ("a",), ("a", "b"), ("b", "a"), ("a", "b", "c")]),
    span=st.sampled_from([None, None, 1.0, 4.0, 60.0]),
    pause=st.sampled_from([None, None, 0.5, 2.0, 30.0]),
    events=st.sampled_from([None, None, 1, 2, 3]),
    begins=st.sampled_from(["", "in", "in"]),
    ends=st.sampled_from(["", "out", "out"]),
    evicted=st.booleans(),
)


def timed(given_rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with times of their own, newest first."""
    moment, rows = NOW - 1, []
    for number, row in enumerate(given_rows):
        moment -= row["step"]
        rows.append({"n": number, "_time": moment, **{k: x for k, x in row.items() if k != "step"}})
    return rows


def load(world: World, rows: list[dict[str, Any]]) -> None:
    world.clear()
    world.add_events("r", rows, shuffle=random.Random(len(rows)))


def check(world: World, rows: list[dict[str, Any]], options: Options) -> None:
    answer = world.answer(f"index=r | {options.written()} | table n closed_txn _time duration eventcount")
    assert answer.error is None and answer.bug is None, answer.error or answer.bug
    found = {}
    for numbers, closed, time, duration, count in answer.rows:
        key = tuple(int(n) for n in (numbers if isinstance(numbers, list) else [numbers]))
        assert count == len(key)
        found[key] = (closed, time, round(duration, 6))
    wanted = {key: (closed, time, round(duration, 6)) for key, (closed, time, duration) in expected(rows, options).items()}
    assert found == wanted, options.written()


@on_rows
@given(some_rows, some_options)
def test_transactions_are_those_of_the_definition(world: World, given_rows: list[dict[str, Any]], options: Options) -> None:
    rows = timed(given_rows)
    load(world, rows)
    check(world, rows, options)


@settings(on_rows, max_examples=12)
@given(some_rows, st.sampled_from([("a", "b"), ("b", "a"), ("a", "b", "c"), ("c", "a")]))
def test_rows_that_lack_fields_are_linked(world: World, given_rows: list[dict[str, Any]], names: tuple[str, ...]) -> None:
    rows = timed(given_rows)
    load(world, rows)
    check(world, rows, Options(names))
    check(world, rows, Options(names, pause=2.0, begins="in", evicted=True))


@on_rows
@given(some_rows, st.sampled_from([None, 1.0, 4.0]), st.sampled_from([(), ("a",)]))
def test_rows_of_the_same_moment_stay_together(
    world: World, given_rows: list[dict[str, Any]], span: float | None, names: tuple[str, ...]
) -> None:
    rows = timed([{**row, "step": 0.0 if row["step"] <= 1.0 else row["step"]} for row in given_rows])
    load(world, rows)
    options = Options(names, span=span)
    answer = world.answer(f"index=r | {options.written()} | table n")
    assert answer.error is None and answer.bug is None, answer.error or answer.bug
    found = {frozenset(int(n) for n in (cell if isinstance(cell, list) else [cell])) for (cell,) in answer.rows}
    assert found == {frozenset(row["n"] for row in one.rows) for one in transactions(rows, options)}


@pytest.mark.parametrize("options", ["maxspan=1s", "maxpause=1s", "maxspan=1s maxevents=3"])
def test_many_rows_of_the_same_moments_stay_together(world: World, options: str) -> None:
    moments = [{"n": n, "_time": NOW - 1 - 10 * (n % 2000)} for n in range(6000)]
    world.clear()
    for batch in range(3):
        world.add_events("r", moments[2000 * batch : 2000 * (batch + 1)])
    answer = world.answer(f"index=r | transaction {options} | stats count min(eventcount) max(eventcount)")
    assert answer.rows == [[2000, 3, 3]], answer.error or answer.bug


@on_rows
@given(some_rows)
def test_fields_show_what_their_rows_have(world: World, given_rows: list[dict[str, Any]]) -> None:
    rows = timed(given_rows)
    load(world, rows)
    answer = world.answer("index=r | transaction a mvlist=n,c nullstr=none | table a n b c act field_match_sum linecount")
    assert answer.error is None and answer.bug is None, answer.error or answer.bug
    groups: dict[str, list[dict[str, Any]]] = {}
    for row in reversed(rows):
        if row["a"] is not None:
            groups.setdefault(row["a"], []).append(row)

    def several(value: Any) -> list[str]:
        return [str(x) for x in value] if isinstance(value, list) else [] if value is None else [str(value)]

    assert {row[0] for row in answer.rows} == set(groups)
    for a, n, b, c, act, matches, lines in answer.rows:
        members = groups[a]
        assert several(n) == [str(row["n"]) for row in members]
        # A field that no row of the search has is no field.
        listed = members if any(row["c"] is not None for row in rows) else []
        assert several(c) == ["none" if row["c"] is None else str(row["c"]) for row in listed]
        for name, shown in (("b", b), ("act", act)):
            assert several(shown) == sorted({str(row[name]) for row in members if row[name] is not None})
        assert matches == lines == len(members)
