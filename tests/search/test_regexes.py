"""Regular expressions in both matchers: the engine's own, and the row-by-row one for what it lacks."""

from __future__ import annotations

import pyarrow as pa
import pytest

from sightline.errors import SearchError, UserError
from sightline.search.planner import regexes
from sightline.search.planner import values as v
from sightline.search.planner.patterns import translate
from sightline.search.planner.values import Type
from sightline.store import pcre


@pytest.mark.parametrize(
    ("pattern", "needed"),
    [
        ("a+b", False), ("(?<name>a)", False), ("(?P<name>a)", False), ("(?'name'a)", False), ("(?i)a|b", False), ("(?:a)", False),
        (r"\(?=a", False), ("[(?=a)]", False), (r"a\\1", False), (r"\d\w\s\b", False), ("x{2,3}", False), (r"\Q(?=\E", False),
        ("[^]a+]+", False), (r"\bfoo\h", False), ("(?x) a b # c", False), (r"a\Z", False), ("a(?#c)b", False), (r"\x{41}", False),
        # What must stand behind, or before, may as well be taken along; looks at the start are tests of their own.
        ("a(?=b)", False), ("(?<=a)b", False), ("^(?!a)b", False), ("^(?=.*a)(?=.*b)c", False), ("a(?=b)|c(?=d)", False),
        ("a(?=b)c", True), ("(?<!a)b", True), ("(?<=a|bc)d", True), ("(?<=(a))b", True), ("(?!a)b", True), ("^(?=(a))b", True),
        (r"(a)\1", True), ("a++", True), ("(?>a)", True), ("a{2000}", True), ("(?:a{40}){40}", True), (r"(?<n>a)\k<n>", True),
        ("(?|a|b)", True), ("(a?)*", True), (r"\R", True), (r"\pL", True), (r"a\Kb", True), ("(a(?1)?b)", True), ("(a)?(?(1)b|c)", True),
        ("a(*SKIP)(*F)|b", True), (r"(?i)[\wé]", True), ("(?:[^a]{100}){9}" * 20, True),
    ],
)  # fmt: skip
def test_which_patterns_the_engine_cannot_run(pattern, needed):
    regexes.check(pattern)
    assert (translate(pattern).fast is None) is needed


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        # Dots and spaces as PCRE has them.
        ("a.b", "(?-s)a.b"), (r"\s", r"[\t-\r ]"), (r"[\s\S]", r"[\t-\r \x{0}-\x{8}\x{e}-\x{1f}\x{21}-\x{10ffff}]"), ("a$", r"a\z"),
        (r"\Qa.b\E", r"a\x{2e}b"), ("(?x) a b", "ab"), (r"(?i)\w", r"(?i)(?-i:\w)"), ("a{,2}", "a{0,2}"), ("a{2}{3}", "(?:a{2}){3}"),
        ("é+", r"\x{e9}+"), ("a(?=b)", "a(?:b)"), ("(?<=a)b", "(?:a)b"), ("^(?!a)b", "^b"),
    ],
)  # fmt: skip
def test_how_the_engine_is_told(pattern, wanted):
    assert translate(pattern).fast == wanted


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("user=(?!root)", "user="), (r"(?<!x)a\d+", r"a\d+"), (r"(\w)\1", r"(?-s)(?:\w)(?s:.*)"), ("a*+b", "a*b"), ("x(?>a|b)", "x(?:a|b)"),
        ("(?!a)", None), ("(?!a)b?", None), (r"a\Rb", r"a(?:\r\n|[\n-\r\x{85}\x{2028}\x{2029}])b"), ("(?!x)a$", "a"), ("(*ACCEPT)a", None),
    ],
)  # fmt: skip
def test_what_sorts_texts_out_before_pcre_is_asked(pattern, wanted):
    regexes.check(pattern)
    assert translate(pattern).superset == wanted


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
    assert run(calculate, regexes.replace(text, pattern, r"<\\1>", which=1)) == r"<\1> k2=v2 k3="
    assert run(calculate, regexes.replace(text, pattern, r"<\2>", which=2)) == "k1=v1 <v2> k3="
    assert run(calculate, regexes.replace(text, pattern, "-", which=4)) == "k1=v1 k2=v2 k3="
    assert run(calculate, regexes.replace(v.text("a.b"), r"\." + lookahead, r"\d")) == r"a\db"
    assert run(calculate, regexes.matches(v.Literal(Type.TEXT, None), pattern)) is None


def test_bad_patterns():
    with pytest.raises(SearchError, match=r'"\(" is not a regular expression'):
        regexes.check("(")


def test_a_group_that_there_is_not_is_replaced_by_nothing(calculate):
    assert run(calculate, regexes.replace(v.text("cab"), "(a)", r"\2-\1-\9")) == "c-a-b"


def test_more_matches_than_the_engine_lists(calculate):
    for pattern in ("(?<x>a)", "(?<x>a)(?!b)"):
        assert len(run(calculate, regexes.extract(v.text("a" * 5000), pattern, "x", 0))) == 5000
    # The character that stands between the values may be in them.
    assert run(calculate, regexes.extract(v.text("a\x1eb"), r"(?<x>[^b])(?!c)", "x", 0)) == ["a", "\x1e"]
    assert run(calculate, regexes.extract(v.text("abab"), "(?<x>a)?(?!c)b", "x", 1)) == "a"


def test_places_of_groups(calculate):
    assert run(calculate, regexes.offsets(v.text("é aba"), "b(?<x>a)(?<y>z)?")) == "x=4-4"
    assert run(calculate, regexes.offsets(v.text("abc"), "x(?<x>a)")) is None


def test_a_pattern_without_end_stops(calculate):
    with pytest.raises(
        UserError, match=r'"\(a\|aa\|a\)\+\(\?=c\)\(\?!d\)\$" was given up on one value after 10,000,000 steps'
    ):
        run(calculate, regexes.matches(v.text("a" * 40 + "b" + "c"), "(a|aa|a)+(?=c)(?!d)$"))


def test_slow_values_are_counted_together(calculate, monkeypatch):
    # Each value stays within the steps of one, but none of them is quick.
    monkeypatch.setattr("sightline.store.pcre.SLOW_S", 0.01)
    monkeypatch.setattr("sightline.store.pcre.QUICK_STEPS", 1000)
    pcre.matcher.cache_clear()
    context = calculate.context()
    relation = context.relation_of(pa.table({"t": ["a" * 24 + "b" + str(n) for n in range(2000)]}))
    found = regexes.matches(relation.field("t"), "^(a|aa)+(?!b)$")
    with pytest.raises(UserError, match=r'"\^\(a\|aa\)\+\(\?!b\)\$" takes too long'):
        context.table_of(relation.with_field("r", found), ["r"])
    pcre.matcher.cache_clear()


def test_compiled_code_that_runs_out_of_stack_is_no_end(calculate):
    assert run(calculate, regexes.matches(v.text("ab" * 100_000 + "c"), "(?:(a)|b)*c(?!d)"))
