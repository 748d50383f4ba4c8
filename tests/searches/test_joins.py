"""Commands that combine rows, against pandas or their definition, on random rows: absent keys, digits as text, several
values, duplicates."""

from __future__ import annotations

import random
from collections import Counter
from typing import Any

import pandas as pd
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from test_properties import same, written
from world import NOW, World

on_rows = settings(
    max_examples=12,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=(Phase.explicit, Phase.generate),
)

scalars = st.sampled_from([None, "a", "a", "A", "7", 7, 7.5, "7.5", "07", ""])
keys = st.one_of(scalars, scalars, st.sampled_from([["a"], ["a", "b"], ["b", "a"], ["7", "a"]]))
plain_keys = st.sampled_from([None, 1, 1, "1", "x", "X"])
values = st.sampled_from([None, 1, 2.5, "t", ["p", "q"]])
Row = dict[str, Any]


def tables(key: st.SearchStrategy[Any]) -> st.SearchStrategy[list[Row]]:
    return st.lists(st.fixed_dictionaries({"k": key, "j": plain_keys, "x": values}), max_size=12)


def load(world: World, **indexes: list[Row]) -> None:
    """Rows become events of an index each, newest first, numbered by `number`."""
    world.clear()
    for name, rows in indexes.items():
        stored = [{**row, "number": n, "_time": NOW - 1 - n} for n, row in enumerate(rows)]
        # An event that no search asks for gives the index all of its fields.
        stored.append({"k": "-", "j": "-", "x": "-", "number": -1, "_time": NOW - 1000})
        world.add_events(name, stored, shuffle=random.Random(len(rows)))


def ask(world: World, text: str) -> list[Row]:
    answer = world.answer(text)
    assert answer.error is None and answer.bug is None, (text, answer.error or answer.bug)
    return [dict(zip(answer.columns, row, strict=True)) for row in answer.rows]


def key_text(value: Any) -> str | None:
    """What a join compares: numbers in their shortest form, several values by lines."""
    if isinstance(value, list):
        return "\n".join(value) if value else None
    return str(written(value)) if isinstance(value, int | float) else value


def merged(left: list[Row], right: list[Row], names: list[str], how: str, most: int) -> list[tuple[int, int | None]]:
    """The numbers of the rows that pandas puts side by side."""
    frames = []
    for rows, number in ((left, "n"), (right, "m")):
        columns = {name: [key_text(row[name]) for row in rows] for name in names}
        frames.append(pd.DataFrame({number: range(len(rows)), **columns}, dtype=object))
    first, second = frames
    second = second.dropna(subset=names)
    if most:
        second = second[second.groupby(names).cumcount() < most]
    found = first.merge(second, how=how, on=names)
    if how == "left":
        # pandas takes absent keys for equal ones, which were dropped from the right.
        assert len(found[found["n"].isin(first[first[names].isna().any(axis=1)]["n"]) & found["m"].notna()]) == 0
    pairs = [(int(n), None if pd.isna(m) else int(m)) for n, m in zip(found["n"], found["m"], strict=True)]
    return sorted(pairs, key=lambda pair: (pair[0], -1 if pair[1] is None else pair[1]))


@on_rows
@given(
    tables(keys),
    tables(keys),
    st.sampled_from([["k"], ["j"], ["k", "j"]]),
    st.sampled_from(["inner", "left", "outer"]),
    st.sampled_from([0, 1, 2]),
)
def test_join_puts_side_by_side_what_pandas_merges(
    world: World, left: list[Row], right: list[Row], names: list[str], how: str, most: int
) -> None:
    load(world, l=left, r=right)
    listed = " ".join(names)
    got = ask(
        world,
        f"index=l number>=0 | rename number AS n | table n k j | join type={how} max={most} {listed} "
        f"[ search index=r number>=0 | rename number AS m | table m {listed} ] | table n m",
    )
    wanted = merged(left, right, names, "inner" if how == "inner" else "left", most)
    assert [(row["n"], row["m"]) for row in got] == wanted


@on_rows
@given(tables(plain_keys), tables(plain_keys), st.booleans(), st.sampled_from([0, 1]))
def test_join_takes_the_value_of_one_side_where_it_has_one(
    world: World, left: list[Row], right: list[Row], overwrite: bool, most: int
) -> None:
    load(world, l=left, r=right)
    got = ask(
        world,
        f"index=l number>=0 | rename number AS n | table n k x j | join type=left max={most} overwrite={overwrite} k "
        "[ search index=r number>=0 | rename number AS m | table m k x j ] | table n m x j",
    )
    pairs = merged(left, right, ["k"], "left", most)
    assert [(row["n"], row["m"]) for row in got] == pairs
    for row, (n, m) in zip(got, pairs, strict=True):
        for name in ("x", "j"):
            ours, theirs = left[n][name], None if m is None else right[m][name]
            first, second = (theirs, ours) if overwrite else (ours, theirs)
            assert same(row[name], second if first is None else first), (name, row, ours, theirs)


@on_rows
@given(tables(plain_keys), tables(plain_keys), st.booleans())
def test_appendcols_puts_rows_side_by_side_by_position(
    world: World, left: list[Row], right: list[Row], override: bool
) -> None:
    load(world, l=left, r=right)
    got = ask(
        world,
        f"index=l number>=0 | rename number AS n | table n x | appendcols override={override} "
        "[ search index=r number>=0 | rename number AS m | table m x ] | table n m x",
    )
    assert len(got) == max(len(left), len(right))
    for place, row in enumerate(got):
        ours, theirs = ((rows[place] if place < len(rows) else None) for rows in (left, right))
        assert row["n"] == (None if ours is None else place)
        assert row["m"] == (None if theirs is None else place)
        first, second = ((x or {}).get("x") for x in ((theirs, ours) if override else (ours, theirs)))
        assert same(row["x"], second if first is None else first)


@on_rows
@given(tables(plain_keys), st.sampled_from([0, 1, 2]), st.booleans(), st.booleans())
def test_selfjoin_joins_with_the_rows_after(
    world: World, rows: list[Row], most: int, overwrite: bool, keepsingle: bool
) -> None:
    load(world, l=rows)
    got = ask(
        world,
        f"index=l number>=0 | rename number AS n | table n k x | selfjoin max={most} overwrite={overwrite} "
        f"keepsingle={keepsingle} k | table n x",
    )
    groups: dict[str, list[int]] = {}
    for n, row in enumerate(rows):
        if row["k"] is not None:
            groups.setdefault(str(key_text(row["k"])), []).append(n)
    wanted = []
    for n, row in enumerate(rows):
        members = groups.get(str(key_text(row["k"])), []) if row["k"] is not None else []
        later = [m for m in members if m > n]
        for m in later[:most] if most else later:
            first, second = (m, n) if overwrite else (n, m)
            x = rows[first]["x"] if rows[first]["x"] is not None else rows[second]["x"]
            wanted.append((first, x))
    wanted += [(members[0], rows[members[0]]["x"]) for members in groups.values() if keepsingle and len(members) == 1]
    assert [row["n"] for row in got] == [n for n, _ in wanted]
    assert all(same(row["x"], x) for row, (_, x) in zip(got, wanted, strict=True))


@on_rows
@given(tables(plain_keys), tables(plain_keys), st.sampled_from(["union", "intersect", "diff"]))
def test_set_compares_rows_as_sets(world: World, left: list[Row], right: list[Row], operation: str) -> None:
    load(world, l=left, r=right)
    got = ask(world, f"| set {operation} [ search index=l number>=0 | table k j ] [ search index=r number>=0 | table k j ]")

    def rows_of(rows: list[Row]) -> list[tuple[str | None, str | None]]:
        return list(dict.fromkeys((key_text(row["k"]), key_text(row["j"])) for row in rows))

    ours, theirs = rows_of(left), rows_of(right)
    both = [row for row in ours if row in theirs]
    wanted = {
        "union": [*ours, *(row for row in theirs if row not in ours)],
        "intersect": both,
        "diff": [row for row in [*ours, *theirs] if row not in both],
    }[operation]
    found = [(key_text(row.get("k")), key_text(row.get("j"))) for row in got]
    assert found == wanted and max(Counter(found).values(), default=1) == 1


@on_rows
@given(
    st.lists(
        st.fixed_dictionaries(
            {"start": st.sampled_from([None, 0, 1, 2.5, 3, "4"]), "length": st.sampled_from([None, 0, 1, 1.5, "2", -1, "x"])}
        ),
        min_size=1,
        max_size=9,
    )
)
def test_concurrency_counts_what_goes_on(world: World, rows: list[Row]) -> None:
    load(world, l=[{"k": None, "j": None, "x": None, **row} for row in rows])
    got = ask(world, "index=l number>=0 | concurrency duration=length start=start | table number concurrency")

    def number(value: Any) -> float | None:
        try:
            return None if value is None else float(value)
        except ValueError:
            return None

    spans = []
    for row in rows:
        start, length = number(row["start"]), number(row["length"])
        spans.append(None if start is None or length is None or length < 0 else (start, start + length))
    wanted = [None if one is None else sum(s is not None and s[0] <= one[0] <= s[1] for s in spans) for one in spans]
    assert [row["number"] for row in got] == list(range(len(rows)))
    assert [row["concurrency"] for row in got] == wanted
