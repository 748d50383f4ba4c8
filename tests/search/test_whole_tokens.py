"""Groups of a pattern whose words are words of the text: what is claimed of them holds for any text."""

from __future__ import annotations

import re

import pcre2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline.search.planner.regexes import whole_token_groups


@pytest.mark.parametrize(
    ("pattern", "whole"),
    [
        (r"user=(?<user>\w+)", {1}),
        (r"user=(?<user>[^ ]+) ", {1}),
        (r"^(?<ip>\S+) - (?<user>\S+) ", {1, 2}),
        (r'agent="(?<agent>[^"]+)"', {1}),
        (r"\s(?<a>\d+)\s", {1}),
        (r"(?<a>\d+)$", set()),
        (r"user=(?<user>\d+)", set()),
        (r"user(?<user>\w+)", set()),
        (r"(?<a>\d\d)\d", set()),
        (r"a=(?<a>\w+)|b=(?<b>\w+)", set()),
        (r"a=(?<a>x|y)\b", {1}),
        (r"a=(?<a>[^ -~]+)", set()),
        (r"a=(?<a>\w+?)", set()),
        (r"a=(?<a>\w+)?", set()),
        (r"a=*(?<a>\w+)", set()),
        (r"\[(?<a>\w+)=?(?<b>\w+)", set()),
        (r"a=(?:(?<a>\w+))", set()),
        (r"[=(](?<a>\w+)", set()),
        (r"\\s(?<a>\w+)", set()),
        (r"(?<=a)(?<b>\w+)", set()),
        (r"x=(y)(?<z>\w+)", set()),
    ],
)
def test_which_groups_are_bounded(pattern, whole):
    assert whole_token_groups(pattern) == whole


PIECES = ["a=", "=", " ", ":", r"\s", r"\s+", r"\b", "^", "$", "x", r"\[", r"\\s", "=?", " *", r"\.", "_", "-", '"']
BODIES = [r"\w+", r"\S+", r"[^ ]+", r"\d+", r"\w+?", ".+", ".*", "[^,]*", r"[a-f]+", "x|y", r"[^ -~]+", r"\w\w", r"[\w.]+"]


@settings(max_examples=3000, deadline=None, derandomize=True)
@given(
    st.lists(
        st.one_of(st.sampled_from(PIECES), st.sampled_from(BODIES).map(lambda body: f"({body})")), min_size=1, max_size=6
    ),
    st.lists(
        st.sampled_from(["a", "b1", "7", "x", "=", " ", ":", "_", ".", "[", "\\s", "-", '"', ",", "a=", "Z9"]), max_size=12
    ),
)
def test_words_of_a_bounded_group_are_words_of_the_text(pieces, parts):
    pattern, text = "".join(pieces), "".join(parts)
    words = set(re.findall(r"[A-Za-z0-9]+", text))
    match = pcre2.search(pattern, text)
    for group in whole_token_groups(pattern) if match else ():
        found = set(re.findall(r"[A-Za-z0-9]+", match.group(group) or ""))
        assert found <= words, (pattern, text, match.group(group))
