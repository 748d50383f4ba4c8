"""Unexpectedness and likeness against their definitions, word by word."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.ml.novelty import likeness, unexpectedness

sets_of_words = st.lists(st.lists(st.sampled_from(list("abcdefg")), max_size=5, unique=True), max_size=30)


def arrow(sets: list[list[str]]) -> pa.ListArray:
    return pa.array(sets, pa.list_(pa.string()))


@given(sets_of_words, st.integers(1, 8), st.data())
@settings(max_examples=150, deadline=None, derandomize=True)
def test_unexpectedness_is_its_formula(sets: list[list[str]], window: int, data: st.DataObject) -> None:
    groups = data.draw(st.lists(st.integers(0, 2), min_size=len(sets), max_size=len(sets)))
    found = unexpectedness(arrow(sets), np.array(groups, dtype=np.int64), window)
    for number, words in enumerate(sets):
        before = [sets[other] for other in range(number) if groups[other] == groups[number]][-window:]
        known = {word for other in before for word in other}
        total = len(known) + len(words)
        assert found[number] == pytest.approx(len(set(words) - known) / total if total else 0.0)


@given(sets_of_words, sets_of_words)
@settings(max_examples=80, deadline=None, derandomize=True)
def test_likeness_is_the_best_share_of_common_words(sets: list[list[str]], others: list[list[str]]) -> None:
    found = likeness(arrow(sets), arrow(others))
    for number, words in enumerate(sets):
        shares = [len(set(words) & set(o)) / len(set(words) | set(o)) for o in others if set(words) & set(o)]
        assert found[number] == pytest.approx(max(shares, default=0.0))
