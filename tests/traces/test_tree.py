"""The tree of a trace: what is read off it holds for whole, damaged, deep and random traces."""

import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.traces.tree import build_tree, critical_path, first_of_each, root_causes, self_times_ns


def tree_of(*spans):
    """Each span: id, parent id, start, end."""
    ids, parents, starts, ends = zip(*spans, strict=True)
    starts, ends = np.array(starts, np.int64), np.array(ends, np.int64)
    return build_tree(ids, parents, starts, ends - starts)


def path_of(tree, names):
    return [(names[span], start, end) for span, start, end in critical_path(tree)]


def test_sequential_children_are_both_on_the_path():
    tree = tree_of(("r", "", 0, 100), ("a", "r", 10, 40), ("b", "r", 50, 90))
    assert path_of(tree, "rab") == [("r", 90, 100), ("b", 50, 90), ("r", 40, 50), ("a", 10, 40), ("r", 0, 10)]
    assert self_times_ns(tree).tolist() == [30, 30, 40]


def test_a_child_beside_a_later_one_is_not_on_the_path():
    tree = tree_of(("r", "", 0, 100), ("a", "r", 10, 60), ("b", "r", 50, 90))
    assert path_of(tree, "rab") == [("r", 90, 100), ("b", 50, 90), ("r", 0, 50)]
    assert self_times_ns(tree).tolist() == [20, 50, 40]


def test_a_child_that_outlives_its_parent_is_cut():
    tree = tree_of(("r", "", 0, 100), ("a", "r", 80, 500))
    assert path_of(tree, "ra") == [("a", 80, 100), ("r", 0, 80)]
    assert self_times_ns(tree).tolist() == [80, 20]


def test_a_child_that_starts_before_its_parent_is_cut():
    tree = tree_of(("r", "", 100, 200), ("a", "r", 90, 150))
    assert path_of(tree, "ra") == [("r", 150, 200), ("a", 100, 150)]


def test_a_child_outside_its_parent_takes_nothing():
    tree = tree_of(("r", "", 0, 100), ("a", "r", 300, 400), ("b", "a", 310, 390))
    assert path_of(tree, "rab") == [("r", 0, 100)]
    assert self_times_ns(tree).tolist() == [100, 0, 0]


def test_a_missing_parent_makes_a_root_but_not_the_main_one():
    tree = tree_of(("a", "gone", 0, 50), ("r", "", 10, 100))
    assert tree.parents.tolist() == [-1, -1] and tree.main_root == 1


def test_a_ring_is_cut_at_its_earliest_span_and_a_span_that_is_its_own_parent_is_a_root():
    tree = tree_of(("a", "c", 5, 90), ("b", "a", 0, 80), ("c", "b", 10, 70), ("d", "d", 1, 2))
    assert tree.parents.tolist() == [2, -1, 1, -1]
    assert sorted(tree.order.tolist()) == [0, 1, 2, 3]


def test_a_span_sent_twice_counts_once():
    assert first_of_each(["a", "b", "a"]).tolist() == [0, 1]


def test_an_error_without_an_error_child_is_a_root_cause():
    tree = tree_of(("r", "", 0, 9), ("a", "r", 0, 9), ("b", "a", 0, 9), ("c", "r", 0, 9))
    assert root_causes(tree.parents, [True, True, False, True]).tolist() == [False, True, False, True]


def test_a_chain_of_100_000_spans_is_walked_in_seconds():
    count = 100_000
    ids = [str(i) for i in range(count)]
    starts = np.arange(count, dtype=np.int64)
    began = time.perf_counter()
    tree = build_tree(ids, [""] + ids[:-1], starts, 2 * count - 2 * starts)
    segments = critical_path(tree)
    assert sum(end - start for _, start, end in segments) == 2 * count
    assert self_times_ns(tree).sum() == 2 * count
    assert time.perf_counter() - began < 20


def test_nothing_is_not_a_tree():
    with pytest.raises(ValueError, match="at least one span"):
        build_tree([], [], np.array([], np.int64), np.array([], np.int64))


@st.composite
def traces(draw):
    count = draw(st.integers(1, 25))
    return [
        (
            str(i),
            draw(st.sampled_from(["", "gone", *map(str, range(count))])),
            start := draw(st.integers(0, 100)),
            start + draw(st.integers(0, 60)),
        )
        for i in range(count)
    ]


@settings(max_examples=300, deadline=None)
@given(traces())
def test_the_critical_path_tiles_the_root_and_self_time_never_exceeds_a_span(spans):
    tree = tree_of(*spans)
    assert sorted(tree.order.tolist()) == list(range(len(spans)))
    for root in np.flatnonzero(tree.parents < 0).tolist():
        segments = critical_path(tree, root)
        assert sum(end - start for _, start, end in segments) == tree.end_ns[root] - tree.start_ns[root]
        tiles = segments[::-1]
        assert all(a[2] == b[1] for a, b in zip(tiles, tiles[1:], strict=False))
        assert all(tree.start_ns[s] <= start < end <= tree.end_ns[s] for s, start, end in segments)
    own = self_times_ns(tree)
    assert (own >= 0).all() and (own <= tree.end_ns - tree.start_ns).all()
