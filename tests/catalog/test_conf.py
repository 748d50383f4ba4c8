"""Configuration files: stanzas, continued lines, comments, layers, what cannot be read."""

from hypothesis import given
from hypothesis import strategies as st

from sightline.catalog.conf import merge_conf, print_conf, read_conf, with_defaults

TEXT = """\ufeff# a comment
owner = admin

[first]
search = index=web \\
| stats count \\
; not a comment here
cron_schedule=*/5 * * * *

; another comment
[ second stanza ]
regex = (?<a>[=#])
regex = again
"""


def test_stanzas_keep_their_order_and_lines_go_on_after_a_backslash():
    found = read_conf(TEXT)
    assert found.problems == []
    assert list(found.stanzas) == ["default", "first", "second stanza"]
    assert found.stanzas["first"] == {
        "search": "index=web \n| stats count \n; not a comment here",
        "cron_schedule": "*/5 * * * *",
    }
    assert found.stanzas["second stanza"] == {"regex": "again"}


def test_what_cannot_be_read_is_told_and_loses_nothing_else():
    found = read_conf("[a]\nnonsense\nx = 1\n[b\ny = 2\n")
    assert found.stanzas == {"a": {"x": "1", "y": "2"}}
    assert found.problems == ['line 2: wanted "key = value", got "nonsense"', 'line 4: a stanza wants "]", got "[b"']


def test_a_later_layer_wins_key_by_key_and_defaults_fill_in():
    merged = merge_conf([{"default": {"a": "1"}, "x": {"b": "1", "c": "1"}}, {"x": {"b": "2"}}])
    assert with_defaults(merged) == {"x": {"a": "1", "b": "2", "c": "1"}}


WORD = st.text(st.characters(codec="ascii", categories=("L", "N")), min_size=1, max_size=8)
LINE = st.text(st.characters(codec="utf-8", exclude_categories=("C", "Z"), exclude_characters="\\"), min_size=1, max_size=20)


@given(st.dictionaries(WORD, st.dictionaries(WORD, st.lists(LINE, min_size=1, max_size=3).map("\n".join), max_size=4)))
def test_what_is_printed_reads_back(stanzas):
    assert read_conf(print_conf(stanzas)).stanzas == stanzas
