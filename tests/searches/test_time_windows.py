"""`streamstats time_window` and long lists of `eventstats` on random rows, many of which share a moment."""

from __future__ import annotations

import random
from typing import Any

from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from world import NOW, World

on_rows = settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
    phases=(Phase.explicit, Phase.generate),
)
some_rows = st.lists(
    st.fixed_dictionaries(
        {"k": st.sampled_from(["a", "b"]), "x": st.integers(0, 9), "step": st.sampled_from([0, 0, 1, 2, 5])}
    ),
    min_size=1,
    max_size=14,
)


def rows_with_times(given_rows: list[dict[str, Any]], unit: float) -> list[dict[str, Any]]:
    moment, rows = NOW - 1.0, []
    for number, row in enumerate(given_rows):
        moment -= row["step"] * unit
        rows.append({"n": number, "_time": moment, "k": row["k"], "x": row["x"]})
    return rows


def answers(world: World, rows: list[dict[str, Any]], text: str) -> list[list[Any]]:
    world.clear()
    world.add_events("r", rows, shuffle=random.Random(len(rows)))
    answer = world.answer(text)
    assert answer.error is None and answer.bug is None, answer.error or answer.bug
    return [list(row) for row in answer.rows]


@on_rows
@given(
    some_rows, st.sampled_from([1.0, 0.25, 60.0]), st.sampled_from(["1s", "2s", "5s", "2m"]), st.booleans(), st.booleans()
)
def test_a_window_of_time_holds_the_near_rows_so_far(
    world: World, given_rows: list[dict[str, Any]], unit: float, span: str, current: bool, newest_first: bool
) -> None:
    rows = rows_with_times(given_rows, unit)
    # The second key says in which order rows of one moment come.
    order = "- _time n" if newest_first else "_time n"
    shown = sorted(rows, key=lambda row: (-row["_time"] if newest_first else row["_time"], row["n"]))
    got = answers(
        world,
        rows,
        f"index=r | sort 0 {order.replace(' n', ' +n') if newest_first else order} "
        f"| streamstats time_window={span} current={'t' if current else 'f'} count AS c sum(x) AS s BY k | table n c s",
    )
    length = 120.0 if span == "2m" else float(span[:-1])
    assert [row[0] for row in got] == [row["n"] for row in shown]
    for place, (row, (_, count, total)) in enumerate(zip(shown, got, strict=True)):
        seen = [
            other
            for other in shown[: place + current]
            if other["k"] == row["k"] and abs(other["_time"] - row["_time"]) < length
        ]
        assert count == len(seen), (span, row, seen)
        assert total == (sum(other["x"] for other in seen) if seen else None)


@on_rows
@given(some_rows)
def test_all_values_stand_beside_every_row(world: World, given_rows: list[dict[str, Any]]) -> None:
    rows = rows_with_times(given_rows, 1.0)
    got = answers(world, rows, "index=r | sort n | eventstats values(x) AS v list(n) AS l count AS c | table n v l c")
    values, numbers = sorted({str(row["x"]) for row in rows}), [str(row["n"]) for row in rows]

    def several(value: Any) -> list[str]:
        return [str(x) for x in value] if isinstance(value, list) else [str(value)]

    assert [(row[0], several(row[1]), several(row[2]), row[3]) for row in got] == [
        (row["n"], values, numbers, len(rows)) for row in rows
    ]
