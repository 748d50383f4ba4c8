"""Alert states: every change follows from what was, what was seen and when; nothing else."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.watch import machine
from sightline.watch.machine import Failure, Memory, Rows, Rule, advance, judge

ANY_ROW = {"kind": "rows", "relation": "greater than", "quantity": 0.0}


def play(rule, *runs, memory=None):
    """Runs (time, seen) through the machine: a list of (state, events)."""
    memory = memory or Memory()
    told = []
    for now, seen in runs:
        seen = Rows(seen, [{"n": str(i)} for i in range(seen)]) if isinstance(seen, int) else seen
        memory, steps = advance(rule, memory, seen, now)
        told.append((memory.state, [s.event for s in steps]))
    return told


def test_fires_and_clears():
    assert play(Rule(ANY_ROW), (1, 0), (2, 3), (3, 0), (4, 0)) == [
        ("ok", []),
        ("firing", ["fired"]),
        ("ok", ["cleared"]),
        ("ok", []),
    ]


def test_without_a_throttle_every_run_that_holds_gives_notice():
    assert play(Rule(ANY_ROW), (1, 1), (2, 1)) == [("firing", ["fired"]), ("firing", ["fired"])]


def test_the_throttle_holds_back_for_its_period_from_the_notice():
    assert play(Rule(ANY_ROW, throttle_s=60), (0, 1), (59, 1), (60, 1), (61, 1)) == [
        ("firing", ["fired"]),
        ("firing", ["suppressed"]),
        ("firing", ["fired"]),
        ("firing", ["suppressed"]),
    ]


def test_an_alert_that_comes_back_within_the_throttle_is_suppressed_not_firing():
    assert play(Rule(ANY_ROW, throttle_s=60), (0, 1), (10, 0), (20, 1), (30, 0)) == [
        ("firing", ["fired"]),
        ("ok", ["cleared"]),
        ("suppressed", ["suppressed"]),
        ("ok", ["cleared"]),
    ]


def test_throttle_fields_tell_rows_apart():
    rule = Rule(ANY_ROW, throttle_s=60, throttle_fields=("host",))
    memory, steps = advance(rule, Memory(), Rows(3, [{"host": "a"}, {"host": "b"}, {"host": "a"}]), 0)
    assert [(s.event, s.row["host"]) for s in steps] == [("fired", "a"), ("fired", "b")]
    memory, steps = advance(rule, memory, Rows(2, [{"host": "b"}, {"host": "c"}]), 30)
    assert [(s.event, s.row["host"]) for s in steps] == [("fired", "c")]


def test_many_combinations_give_a_bounded_number_of_notices():
    rule = Rule(ANY_ROW, throttle_s=60, throttle_fields=("host",))
    rows = [{"host": str(i)} for i in range(50)]
    _, steps = advance(rule, Memory(), Rows(50, rows), 0)
    assert len(steps) == machine.MAX_NOTICES and steps[-1].detail.endswith("and 30 more combinations")


def test_an_error_is_told_once_and_neither_fires_nor_clears():
    bad = Failure("no such field")
    assert play(Rule(ANY_ROW), (1, 1), (2, bad), (3, bad), (4, Failure("other")), (5, 0)) == [
        ("firing", ["fired"]),
        ("error", ["error"]),
        ("error", []),
        ("error", ["error"]),
        ("ok", ["cleared"]),
    ]


def test_since_is_when_the_state_began():
    rule, memory = Rule(ANY_ROW, throttle_s=100), Memory()
    since = []
    for now, count in ((1, 0), (2, 1), (3, 1), (4, 0), (5, 0)):
        memory, _ = advance(rule, memory, Rows(count, [{}] * count), now)
        since.append(memory.since)
    assert since == [0, 2, 2, 4, 4]


@pytest.mark.parametrize(
    ("relation", "quantity", "last", "count", "holds"),
    [
        ("greater than", 5.0, None, 5, False),
        ("greater than", 5.0, None, 6, True),
        ("less than", 5.0, None, 4, True),
        ("equal to", 0.0, None, 0, True),
        ("not equal to", 0.0, None, 0, False),
        ("drops by", 5.0, None, 0, False),
        ("drops by", 5.0, 10, 5, True),
        ("drops by", 5.0, 10, 6, False),
        ("rises by", "50%", 10, 15, True),
        ("rises by", "50%", 10, 14, False),
        ("rises by", "50%", 0, 0, False),
        ("rises by", "50%", 0, 1, True),
        ("drops by", 0.0, 3, 3, False),
    ],
)
def test_relations(relation, quantity, last, count, holds):
    assert judge({"kind": "rows", "relation": relation, "quantity": quantity}, count, last)[0] is holds


def test_a_search_condition_holds_when_it_leaves_a_row():
    assert judge({"kind": "search", "search": "where x>1"}, 1, None) == (True, "1 row left by the condition")
    assert judge({"kind": "search", "search": "where x>1"}, 0, None)[0] is False


def test_a_condition_that_always_holds_gives_notice_of_a_run_without_rows():
    rule = Rule({"kind": "always"})
    memory, steps = advance(rule, Memory(), Rows(0), 10.0)
    assert (memory.state, [step.event for step in steps], steps[0].detail) == (
        "firing",
        ["fired"],
        "0 rows, wanted every run",
    )
    _, steps = advance(rule, memory, Rows(3, [{"a": 1}]), 20.0)
    assert [(step.event, step.row) for step in steps] == [("fired", {"a": 1})]


@given(
    st.lists(st.tuples(st.integers(0, 30), st.sampled_from([0, 1, 2, Failure("x")])), max_size=30),
    st.sampled_from([0.0, 10.0, 45.0]),
)
def test_memory_survives_json_and_notices_keep_their_distance(runs, throttle_s):
    rule, memory, now, last_notice = Rule(ANY_ROW, throttle_s=throttle_s), Memory(), 0.0, None
    for wait, seen in runs:
        now += wait
        seen = Rows(seen, [{}] * seen) if isinstance(seen, int) else seen
        memory = Memory.from_dict(json.loads(json.dumps(memory.as_dict())))
        memory, steps = advance(rule, memory, seen, now)
        for step in steps:
            if step.event == "fired":
                assert last_notice is None or now - last_notice >= throttle_s
                last_notice = now
        assert not (memory.state == "ok" and any(s.event == "fired" for s in steps))
