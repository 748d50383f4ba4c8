"""Regular expressions in both matchers: the engine's own, and the row-by-row one for what it lacks."""

from __future__ import annotations

import pyarrow as pa
import pytest

from sightline.errors import SearchError, UserError
from sightline.search.planner import regexes
from sightline.search.planner import values as v
from sightline.search.planner.values import Type


@pytest.mark.parametrize(
    ("pattern", "needed"),
    [
        ("a+b", False), ("(?<name>a)", False), ("(?P<name>a)", False), ("(?i)a|b", False), ("(?:a)", False), (r"\(?=a", False),
        ("[(?=a)]", False), (r"a\\1", False), (r"\d\w\s\b", False), ("x{2,3}", False), (r"\Q(?=\E", False), ("[^]a+]+", False),
        ("a(?=b)", True), ("(?<!a)b", True), ("(?<=a)b", True), (r"(a)\1", True), ("a++", True), ("(?>a)", True),
        (r"\bfoo\h", True), ("(?x) a b", True), (r"a\Z", True), ("a{2000}", True), (r"(?<n>a)\k<n>", True), ("(?|a|b)", True),
    ],
)  # fmt: skip
def test_which_patterns_the_engine_cannot_run(pattern, needed):
    assert regexes.needs_backtracking(pattern) is needed
    regexes.check(pattern)


def run(calculate, value):
    context = calculate.context()
    relation = context.relation_of(pa.table({"one": [1]}))
    return context.table_of(relation.with_field("r", value), ["r"])["r"].to_pylist()[0] or None


@pytest.mark.parametrize("lookahead", ["", "(?=)"])
@pytest.mark.parametrize(
    ("pattern", "text", "wanted"),
    [
        ("b+", "abbc", True), ("^b", "ab", None), ("a.c", "a\nc", None), ("(?s)a.c", "a\nc", True), ("(?i)B", "abc", True),
        ("naïve", "so naïve", True), (r"\d{3}", "12", None),
    ],
)  # fmt: skip
def test_both_matchers_agree(calculate, lookahead, pattern, text, wanted):
    assert run(calculate, regexes.matches(v.text(text), pattern + lookahead)) == wanted


@pytest.mark.parametrize("lookahead", ["", "(?=)"])
def test_groups_and_replacements(calculate, lookahead):
    text = v.text("k1=v1 k2=v2 k3=")
    pattern = r"(?<key>\w+)=(?<value>\w*)" + lookahead
    assert run(calculate, regexes.extract(text, pattern, "value")) == "v1"
    assert run(calculate, regexes.extract(text, pattern, "key", 2)) == ["k1", "k2"]
    assert run(calculate, regexes.extract(text, pattern, "key", 0)) == ["k1", "k2", "k3"]
    assert run(calculate, regexes.replace(text, pattern, r"\2:\1")) == "v1:k1 v2:k2 :k3"
    assert run(calculate, regexes.replace(text, pattern, r"<\\1>", everywhere=False)) == r"<\1> k2=v2 k3="
    assert run(calculate, regexes.replace(v.text("a.b"), r"\." + lookahead, r"\d")) == r"a\db"
    assert run(calculate, regexes.matches(v.Literal(Type.TEXT, None), pattern)) is None


def test_bad_patterns():
    with pytest.raises(SearchError, match=r'"\(" is not a regular expression'):
        regexes.check("(")
    with pytest.raises(SearchError, match="names group 2, but"):
        regexes.replace(v.text("a"), "(a)", r"\2")


def test_a_pattern_without_end_stops(calculate, monkeypatch):
    monkeypatch.setattr("sightline.store.udf.REGEX_TIMEOUT_S", 0.05)
    with pytest.raises(UserError, match="took longer than 0.05 s on one value"):
        run(calculate, regexes.matches(v.text("a" * 40 + "b"), "(a|aa|a)+(?=c)$"))
