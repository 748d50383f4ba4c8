"""What is put in place of a macro or a token that is not there, by where it stands."""

import pytest

from sightline.apps import tokens
from sightline.apps.holes import NEUTRAL, Hole, fillings


def holes_in(text):
    return [Hole(m.start(), m.end()) for m in tokens.TOKEN.finditer(text)]


@pytest.mark.parametrize(
    ("text", "first"),
    [
        ("index=x | $stage$ | head 1", f"index=x | {NEUTRAL} | head 1"),
        ("index=x $more$ | head 1", "index=x  | head 1"),
        ("$base$ | head 1", f"{NEUTRAL} | head 1"),
        ("$base$ a=b", "* a=b"),
        ("index=x a=$a$", "index=x a=*"),
        ("index=x earliest=$t$", "index=x earliest=-24h@h"),
        ('index=x a="$a$"', 'index=x a="x"'),
        ("index=x | where n>$n$", "index=x | where n>1"),
        ("index=x | where $w$", "index=x | where x=1"),
        ("index=x | timechart span=$s$ count", "index=x | timechart span=1h count"),
        ("index=x | head $n$", "index=x | head x"),
        ("index=x | head limit=$n$", "index=x | head limit=10"),
        ("index=x | $c$ count by a", "index=x | search count by a"),
        ("| tstats $summaries$ count", "| tstats  count"),
        ('index=x | rex "$pattern$"', 'index=x | rex "(?<x>.)"'),
        ("index=x [search $y$ | fields a]", "index=x [search  | fields a]"),
    ],
)
def test_the_first_text_that_is_tried(text, first):
    assert next(fillings(text, holes_in(text)))[0] == first


def test_the_last_text_leaves_the_stages_of_holes_out():
    text = 'index=x | eval a="b|c", d=$d$ | append [search e=$e$ | stats $f$ | head 3]'
    tried = list(fillings(text, holes_in(text)))
    assert tried[-1][1] and " ".join(tried[-1][0].split()) == (
        f"index=x | {NEUTRAL} | append [ {NEUTRAL} | {NEUTRAL} | head 3]"
    )
    assert [left_out for _, left_out in tried[:-1]] == [False] * (len(tried) - 1)
    assert len({text for text, _ in tried}) == len(tried)


def test_tokens_are_filled_with_their_filters():
    values = {"city": 'A "b"', "n": "3", "t.earliest": "-1h"}
    text = 'a=$city|s$ n>$n$ $form.n$ earliest=$t.earliest$ $$n$$ cost="$5" $unknown$ u=$city|u$'
    assert tokens.fill_known(text, values) == ('a="A \\"b\\"" n>3 3 earliest=-1h $n$ cost="$5" $unknown$ u=A%20%22b%22')
    assert tokens.names("x=$a$ $b|s$ $a$ $$c$$ 5$ $6") == ["a", "b"]
