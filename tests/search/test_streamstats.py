"""streamstats against its definition, computed row by row in Python over random rows."""

from __future__ import annotations

import random
from typing import Any

import pyarrow as pa
import pytest

from sightline.search.engine import lower_pipeline
from sightline.search.syntax.parser import parse_pipeline
from sightline.search.syntax.source import read_source

ROWS = 80


def random_rows(seed: int) -> list[dict[str, Any]]:
    draw = random.Random(seed)
    moment, rows = 1000.0, []
    for position in range(ROWS):
        moment += draw.choice([0, 1, 1, 5, 20])
        group = draw.choice(["a", "b", "b", None])
        rows.append({"n": position, "_time": moment, "g": group, "x": draw.choice([1, 2, 3, None])})
    return rows


def run(calculate, text: str, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    context = calculate.context()
    relation = context.relation_of(pa.Table.from_pylist(rows))
    result = lower_pipeline(parse_pipeline(read_source("| " + text)), context, relation)
    return context.table_of(result).to_pylist()


def expected(rows: list[dict[str, Any]], *, window=0, current=True, shared=True, by="", time_window=0.0, reset=False):
    """Count and sum per row, as the reference entry of streamstats words it."""
    out, before, start = [], None, 0
    for position, row in enumerate(rows):
        if by and row[by] is None:
            out.append((None, None))
            continue
        if reset and before is not None and row[by] != before:
            start = position
        before = row[by] if by else None
        seen = [r for r in rows[start : position + 1] if not by or r[by] is not None]
        mine = [r for r in seen if not by or r[by] == row[by]]
        if not current:
            seen, mine = seen[:-1], mine[:-1]
        if window and shared and by:
            last = {r["n"] for r in seen[-window:]}
            mine = [r for r in mine if r["n"] in last]
        elif window:
            mine = mine[-window:]
        if time_window:
            mine = [r for r in mine if row["_time"] - r["_time"] < time_window]
        numbers = [r["x"] for r in mine if r["x"] is not None]
        out.append((len(mine), sum(numbers) if numbers else None))
    return out


CASES = [
    ("", {}),
    ("current=f", {"current": False}),
    ("window=3", {"window": 3}),
    ("window=3 current=f", {"window": 3, "current": False}),
    ("BY", {}),
    ("window=4 BY", {"window": 4}),
    ("window=4 current=f BY", {"window": 4, "current": False}),
    ("window=2 global=f BY", {"window": 2, "shared": False}),
    ("reset_on_change=t BY", {"reset": True}),
    ("time_window=10s", {"time_window": 10}),
    ("time_window=10s current=f", {"time_window": 10, "current": False}),
    ("time_window=30s BY", {"time_window": 30}),
    ("time_window=30s window=2 global=f BY", {"time_window": 30, "window": 2, "shared": False}),
]


@pytest.mark.parametrize(("options", "meaning"), CASES, ids=[options or "plain" for options, _ in CASES])
@pytest.mark.parametrize("seed", range(3))
def test_running_count_and_sum(calculate, options: str, meaning: dict[str, Any], seed: int) -> None:
    rows = random_rows(seed)
    by = "g" if options.endswith("BY") else ""
    text = f"streamstats {options.removesuffix('BY')} count sum(x) AS sum {'BY g' if by else ''}"
    found = [(row["count"], row["sum"]) for row in run(calculate, text, rows)]
    assert found == expected(rows, by=by, **meaning)


@pytest.mark.parametrize("order", ["sort _time", "sort - _time", "sort - n", "sort g n"])
def test_time_window_in_any_order(calculate, order: str) -> None:
    rows = random_rows(7)
    answer = run(calculate, f"{order} | streamstats time_window=10s count", rows)
    for position, row in enumerate(answer):
        near = [r for r in answer[: position + 1] if abs(r["_time"] - row["_time"]) < 10]
        assert row["count"] == len(near)
