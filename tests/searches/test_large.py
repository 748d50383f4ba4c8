"""A million rows through each kind of command: the answers are known, and no row passes through a loop in Python."""

from __future__ import annotations

from typing import Any

import pytest
from world import NOW, World

ROWS = 1_000_000
NUMBERED = f'| makeresults count={ROWS} | streamstats count AS n | eval k=n%10, t="user".(n%1000)." id=".n'


@pytest.mark.parametrize(
    ("search", "wanted"),
    [
        ("stats count sum(n) AS s dc(k) AS d max(n) AS m", [{"count": ROWS, "s": ROWS * (ROWS + 1) // 2, "d": 10, "m": ROWS}]),
        ("stats count BY k | stats min(count) AS low max(count) AS high", [{"low": ROWS // 10, "high": ROWS // 10}]),
        ("eventstats sum(n) AS s BY k | where n<=2 | sort n | table n s",
         [{"n": 1, "s": 49_999_600_000}, {"n": 2, "s": 49_999_700_000}]),
        ("streamstats sum(k) AS s | stats max(s) AS s", [{"s": 45 * (ROWS // 10)}]),
        ("dedup k | stats count sum(n) AS s", [{"count": 10, "s": 55}]),
        ("sort -n | head 2 | table n", [{"n": ROWS}, {"n": ROWS - 1}]),
        ("top limit=1 k | table k count", None),
        ("rex field=t \"user(?<u>\\d+)(?! x) id=(?<i>\\d+)$\" | stats dc(u) AS u sum(i) AS i", [{"u": 1000, "i": ROWS * (ROWS + 1) // 2}]),
        ("where match(t, \"user(\\d)\\1\\1 \") | stats count", [{"count": 9 * (ROWS // 1000)}]),
    ],
    ids=lambda value: value.split(" ")[0] if isinstance(value, str) else "",
)  # fmt: skip
def test_a_million_rows(world: World, search: str, wanted: list[dict[str, Any]] | None) -> None:
    result = world.engine.run(f"{NUMBERED} | {search}", now=NOW)
    rows = result.table.to_pylist()
    if wanted is None:
        assert [row["count"] for row in rows] == [ROWS // 10]
    else:
        assert [{name: float(value) for name, value in row.items()} for row in rows] == wanted
    assert not [step for step in result.steps if step.kind == "python" and (step.rows or 0) > 1000], (
        "rows went through Python"
    )
