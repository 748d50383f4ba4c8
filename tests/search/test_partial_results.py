"""What `sistats` keeps is finished to what `stats` gives at once, whatever the rows and however they are divided."""

from __future__ import annotations

import math

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from sightline.config import Settings
from sightline.search.engine import SearchEngine

AGGREGATES = (
    "count count(x) sum(x) avg(x) dc(x) values(x) mode(x) median(x) p7(x) p90(x) min(x) max(x) range(x) stdev(x) stdevp(x)"
    " var(x) varp(x) sumsq(x) list(x) first(x) last(x) earliest(x) latest(x) earliest_time(x) latest_time(x)"
)
NUMBERS = st.one_of(st.integers(-1000, 1000), st.floats(-1e6, 1e6), st.integers(1_700_000_000, 1_700_000_100))
ROWS = st.lists(st.tuples(st.sampled_from("abc"), st.sampled_from("uv"), st.none() | NUMBERS), min_size=1, max_size=40)


class NoKnowledge:
    """A catalog in which nothing is kept."""

    def macro(self, name, count):
        return None


@pytest.fixture(scope="module")
def engine(store, tmp_path_factory) -> SearchEngine:
    return SearchEngine(store, NoKnowledge(), None, Settings(data=tmp_path_factory.mktemp("partial")))


def rows_of(engine: SearchEngine, rows: list, pipeline: str) -> list[dict]:
    from sightline.search.engine import lower_pipeline

    context = engine.context(now=2_000_000_000.0)
    table = pa.table(
        {
            "g": [g for g, _, _ in rows],
            "h": [h for _, h, _ in rows],
            "x": pa.array([None if x is None else float(x) for _, _, x in rows], pa.float64()),
            "_time": [1_700_000_000.0 + n for n in range(len(rows))],
        }
    )
    _, parsed = engine.read("| " + pipeline)
    return context.table_of(lower_pipeline(parsed, context, context.relation_of(table))).to_pylist()


def same(one: object, other: object) -> bool:
    if isinstance(one, float | int) and isinstance(other, float | int | str):
        # A variance of times loses digits where it is put together of parts.
        return math.isclose(float(one), float(other), rel_tol=1e-6, abs_tol=1e-6)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(same, one, other))
    return one == other


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(ROWS)
def test_two_steps_give_what_one_gives(engine: SearchEngine, rows: list) -> None:
    # Kept by two fields and finished by one: groups are joined, and in which order rows stand in a group is told by time.
    for finish in ("", " BY g"):
        calls = AGGREGATES.replace("list(x) ", "").replace("first(x) last(x) ", "")
        at_once = rows_of(engine, rows, f"stats {calls}{finish}")
        in_two = rows_of(engine, rows, f"sistats {calls} BY g h | stats {calls}{finish}")
        assert len(at_once) == len(in_two)
        for one, other in zip(at_once, in_two, strict=True):
            assert {n: (x, other[n]) for n, x in one.items() if not same(x, other[n])} == {}
    # By order: the groups in their order, and in each the rows in theirs.
    calls = "list(x) first(x) last(x)"
    at_once = rows_of(engine, rows, f"sort 0 g h _time | stats {calls}")
    in_two = rows_of(engine, rows, f"sort 0 _time | sistats {calls} BY g h | sort 0 g h | stats {calls}")
    for one, other in zip(at_once, in_two, strict=True):
        assert {n: (x, other[n]) for n, x in one.items() if not same(x, other[n])} == {}
