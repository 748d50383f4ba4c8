"""Leader clustering against its definition, one set after the other."""

from __future__ import annotations

import math

import numpy as np
import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.ml import text_clusters
from sightline.ml.text_clusters import leader_clusters


def arrow(sets: list[list[str]]) -> pa.ListArray:
    return pa.array(sets, pa.list_(pa.string()))


def similarity(left: set[str], right: set[str]) -> float:
    return len(left & right) / math.sqrt(len(left) * len(right)) if left and right else float(left == right)


def by_definition(sets: list[list[str]], threshold: float) -> list[int]:
    """Groups in which the first set that no leader is similar to leads."""
    leaders: list[int] = []
    found = []
    for number, words in enumerate(sets):
        scores = [(round(similarity(set(words), set(sets[one])), 9), -one) for one in leaders]
        best = max(scores, default=(0.0, 0))
        if best[0] >= threshold - 1e-9:
            found.append(-best[1])
        else:
            leaders.append(number)
            found.append(number)
    return found


words = st.sampled_from(["a", "b", "c", "d", "e", "n1", "n2", "n3", "n44"])
lists_of_words = st.lists(st.lists(words, max_size=7, unique=True), max_size=25)


@given(lists_of_words, st.sampled_from([0.3, 0.5, 0.7, 0.8, 1.0]))
@settings(max_examples=150, deadline=None, derandomize=True)
def test_one_block_after_the_other_is_the_definition(sets: list[list[str]], threshold: float) -> None:
    before, text_clusters.BLOCK = text_clusters.BLOCK, 1
    try:
        assert leader_clusters(arrow(sets), threshold).tolist() == by_definition(sets, threshold)
    finally:
        text_clusters.BLOCK = before


@given(lists_of_words, st.sampled_from([0.5, 0.8]))
@settings(max_examples=100, deadline=None, derandomize=True)
def test_every_set_is_similar_to_its_leader_and_leaders_to_none_before(sets: list[list[str]], threshold: float) -> None:
    found = leader_clusters(arrow(sets), threshold)
    for number, leader in enumerate(found):
        assert similarity(set(sets[number]), set(sets[leader])) >= threshold - 1e-9
    leaders = sorted(set(found.tolist()))
    for place, one in enumerate(leaders):
        assert found[one] == one
        assert all(similarity(set(sets[one]), set(sets[other])) < threshold for other in leaders[:place])


@given(st.lists(st.tuples(st.sampled_from(["get", "put", "ping"]), st.integers(0, 4), st.integers(0, 4)), max_size=30),
       st.sampled_from([0.4, 0.6, 0.8, 0.9]))  # fmt: skip
@settings(max_examples=100, deadline=None, derandomize=True)
def test_kinds_change_nothing_but_the_time_it_takes(lines: list[tuple[str, int, int]], threshold: float) -> None:
    sets = sorted({(f"{verb}\x1f1", "took\x1f2", f"{x}\x1f3", f"n{y}\x1f4") for verb, x, y in lines}, key=hash)
    kinds = np.array([hash(words[0]) for words in sets], dtype=np.int64)
    before, text_clusters.BLOCK = text_clusters.BLOCK, 1
    try:
        plain = leader_clusters(arrow([list(x) for x in sets]), threshold)
        faster = leader_clusters(arrow([list(x) for x in sets]), threshold, kinds)
    finally:
        text_clusters.BLOCK = before
    assert faster.tolist() == plain.tolist()


def test_a_hundred_thousand_lines_of_one_kind_are_soon_done() -> None:
    numbers = np.arange(100_000)
    sets = arrow([["job\x1f1", f"{n}\x1f2", "failed\x1f3", f"{n % 7}\x1f4", "with\x1f5", "code\x1f6"] for n in numbers])
    found = leader_clusters(sets, 0.8, np.zeros(len(numbers), dtype=np.int64))
    assert len(set(found.tolist())) == 7
