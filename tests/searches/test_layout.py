"""Layout: a stage a line, the meaning untouched, and the same again when it is done again."""

import re
from pathlib import Path

import pytest
from script import Search, parse

from sightline.errors import SearchError
from sightline.search import registry
from sightline.search.syntax.layout import lay_out
from sightline.search.syntax.parser import parse_pipeline
from sightline.search.syntax.source import read_source

SCRIPTS = Path(__file__).parent


def test_stages_and_brackets():
    text = "index=a  status>=500|join host [search index=b | stats count by host | where count>5] | append [| makeresults]"
    assert lay_out(text) == (
        "index=a status>=500\n"
        "| join host\n"
        "    [ search index=b\n"
        "    | stats count by host\n"
        "    | where count>5 ]\n"
        "| append [| makeresults]"
    )


def test_quotes_comments_and_macros_stay_as_they_were_typed():
    text = '``` first ```\nindex=a ``` in  line ``` `macro(x, "y|z")`|eval \'my  field\'="a | b  c"'
    assert lay_out(text) == ('``` first ```\nindex=a ``` in  line ``` `macro(x, "y|z")`\n| eval \'my  field\'="a | b  c"')


def test_a_long_eval_has_a_line_for_each_assignment():
    text = '| makeresults | eval a=if(x=1, "one, two", 3), bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb=2, ccccccccccccccccccccccccccccccc=3'
    assert lay_out(text).split("\n")[1:] == [
        '| eval a=if(x=1, "one, two", 3),',
        "    bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb=2,",
        "    ccccccccccccccccccccccccccccccc=3",
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('x "y', "a string is not closed"),
        ("x [y", 'wanted "]"'),
        ("x]", "closes no bracket"),
        ("`m", "a macro"),
        ("```", "comment"),
    ],
)
def test_what_is_not_closed_is_told(text, message):
    with pytest.raises(SearchError, match=message) as caught:
        lay_out(text)
    assert caught.value.span is not None


def searches():
    for path in sorted(SCRIPTS.glob("*.test")):
        for step in parse(path.read_text(), path.name):
            # The layout works on what was typed, and leaves a missing quote to the writer.
            if not isinstance(step, Search) or any("is not closed" in told for told in step.expectation.warnings):
                continue
            if step.expectation.error is None:
                yield step.text


def meaning(text):
    """The commands as they print. `foreach` keeps its template as text, whose white space is the layout's to change."""
    commands = [str(registry.read_command(stage)) for stage in parse_pipeline(read_source(text, None)).stages]
    return [re.sub(r"\s*([\[\]|])\s*", r"\1", re.sub(r"\s+", " ", command)) for command in commands]


def test_every_search_of_the_scripts_means_the_same_and_is_laid_out_once():
    count = 0
    for text in searches():
        if "`" in text.replace("```", ""):
            continue
        laid = lay_out(text)
        assert meaning(laid) == meaning(text), text
        assert lay_out(laid) == laid, text
        count += 1
    assert count > 500
