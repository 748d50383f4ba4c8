"""What panels search once the inputs of their dashboard have values, and that a value stays a value."""

import pytest

from sightline.catalog.dashboards import check_definition
from sightline.errors import UserError
from sightline.web.filling import fill_dashboard

HOST = {"token": "host", "label": "Host", "choices": [{"value": "web-1"}, {"value": "web-*", "label": "all"}]}
TEXT = {"token": "text", "label": "Words", "kind": "text"}


def filled(search, inputs, values=None, **panel):
    definition = check_definition({"inputs": inputs, "panels": [{"search": search, "id": "p", **panel}]})
    return fill_dashboard(definition, values or {})["panels"]["p"]


def searched(search, inputs, values=None):
    found = filled(search, inputs, values)
    assert (found["waits_for"], found["problem"]) == ([], "")
    return found["search"]


def test_a_panel_waits_for_the_inputs_that_it_names_and_no_others():
    inputs = [HOST, TEXT]
    found = filled("host=$host$ $text$ $form.host$ $other$", inputs)
    assert found["waits_for"] == ["Host", "Words"] and found["search"] == "host=$host$ $text$ $form.host$ $other$"
    assert filled("host=$host$", inputs, {"host": "web-1"})["waits_for"] == []
    assert filled("index=x", inputs)["waits_for"] == []
    assert filled("index=x", inputs, title="Only $host$ $$")["title"] == "Only $host$ $"


@pytest.mark.parametrize(
    ("search", "expected"),
    [
        ("host=$host$", "host=web-1"),
        ("host=$host|s$", 'host="web-1"'),
        ("host=$form.host$", "host=web-1"),
        ('host="$host$" $$host$$ 5$', 'host="web-1" $host$ 5$'),
        ("$unknown$ $host$", "$unknown$ web-1"),
    ],
)
def test_tokens_are_filled(search, expected):
    assert searched(search, [HOST], {"host": "web-1"}) == expected


def test_what_surrounds_values():
    several = HOST | {
        "kind": "multiselect", "prefix": "(", "suffix": ")", "value_prefix": 'host="', "value_suffix": '"', "delimiter": " OR ",
    }  # fmt: skip
    assert searched("$host$ $form.host$", [several], {"host": ["web-1", "a b"]}) == '(host="web-1" OR host="a b") web-1,a b'
    assert searched("$host$", [several | {"default": ["web-*"]}]) == '(host="web-*")'
    assert filled("$host$", [several], {"host": []})["waits_for"] == ["Host"]


def test_defaults_and_first_choices():
    assert searched("$host$", [HOST | {"default": "web-*"}]) == "web-*"
    assert searched("$host$", [HOST | {"default": "web-*"}], {"host": ""}) == "web-*"
    assert searched("$host$", [HOST | {"select_first": True}]) == "web-1"
    assert searched("a $text$ b", [TEXT | {"default": ""}]) == "a  b"


def test_a_time_range_of_an_input():
    time = {"token": "when", "label": "When", "kind": "time"}
    panel = {"earliest": "$when.earliest$", "latest": "$when.latest$"}
    assert filled("index=x", [time], **panel)["waits_for"] == ["When"]
    found = filled("index=x", [time], {"when.earliest": "-4h"}, **panel)
    assert (found["earliest"], found["latest"], found["waits_for"]) == ("-4h", "now", [])
    default = {"default": {"earliest": "-7d", "latest": "-1d"}}
    found = filled("x earliest=$when.earliest$ $earliest$", [time | default], {"earliest": "-1h"}, **panel)
    assert (found["earliest"], found["latest"], found["search"]) == ("-7d", "-1d", "x earliest=-7d -1h")


def test_the_authors_own_choices_may_be_any_part_of_a_search():
    parts = {"token": "by", "label": "By", "choices": [{"value": "| stats count by host"}, {"value": 'a" OR b="'}]}
    assert searched("index=x $by$", [parts], {"by": "| stats count by host"}) == "index=x | stats count by host"
    assert searched('a="$by$"', [parts], {"by": 'a" OR b="'}) == 'a="a" OR b=""'


@pytest.mark.parametrize(
    ("search", "value", "expected"),
    [
        ('index=x "$text$"', 'say "hi" | delete', 'index=x "say \\"hi\\" | delete"'),
        ("index=x $text|s$", 'a" | delete', 'index=x "a\\" | delete"'),
        ("index=x $text$", "error OR (warn* AND host=web-1)", "index=x error OR (warn* AND host=web-1)"),
        ("index=x | where n>$text$", "5", "index=x | where n>5"),
        ("index=x | stats count by $text$", "host, city", "index=x | stats count by host, city"),
        ("$text$", "index=x error", "index=x error"),
        ('index=x | rex "$text$"', "(?<a>\\d+)", 'index=x | rex "(?<a>\\\\d+)"'),
        ('index=x ```a " here``` $text$', "fine", 'index=x ```a " here``` fine'),
    ],
)
def test_what_is_typed_stays_a_value(search, value, expected):
    assert searched(search, [TEXT], {"text": value}) == expected


@pytest.mark.parametrize(
    ("search", "value"),
    [
        ("index=x $text$", "a | delete"),
        ("index=x $text$", "[| inputlookup secrets]"),
        ("index=x `m($text$)`", "1)` | delete `n(1"),
        ('index=x "$text$"', "`danger`"),
        ("index=x | $text$", "delete"),
        ("index=x [$text$ | fields a]", "inputlookup secrets"),
        ("index=x | where 'a$text$'=1", "b' | delete | where 'c"),
        ('index=x ```a " here``` $text$', "a | delete"),
        ("index=x ```$text$```", "``` | delete ```"),
        ('index=x | map search="search host=$text$"', "a | delete"),
        ("index=x $text$", "“ a” | delete"),
        ("index=x $text|n$", "a | delete"),
        ("index=x $form.text$", "a | delete"),
        ("index=x $text|s$", '"a" | delete'),
        ("index=x $text$ | stats count", 'a" '),
        ('index=x | `m("$text$")`', "a | delete"),
        ('| savedsearch "one" host="$text$"', "a | delete"),
    ],
)
def test_a_value_that_would_change_the_commands_is_refused(search, value):
    problem = filled(search, [TEXT], {"text": value})["problem"]
    assert problem == f'the value "{value}" of "Words" would change the commands of the search'


def test_values_of_a_list_that_a_search_made_are_not_the_authors():
    found = {"token": "host", "label": "Host", "search": "index=x | stats count by host", "choices": [{"value": "*"}]}
    assert searched('host="$host$"', [found], {"host": 'a"b'}) == 'host="a\\"b"'
    assert "would change" in filled("host=$host$", [found], {"host": "a | delete"})["problem"]


def test_searches_for_choices_are_filled_too():
    city = {"token": "city", "label": "City", "search": "index=x host=$host$ | stats count by city", "earliest": "-7d"}
    definition = check_definition({"inputs": [HOST, city], "panels": []})
    inputs = fill_dashboard(definition, {})["inputs"]
    assert inputs["city"]["waits_for"] == ["Host"] and inputs["city"]["earliest"] == "-7d" and inputs["host"]["values"] == []
    inputs = fill_dashboard(definition, {"host": "web-1"})["inputs"]
    assert inputs["city"]["search"] == "index=x host=web-1 | stats count by city" and inputs["host"]["values"] == ["web-1"]


@pytest.mark.parametrize(
    ("inputs", "message"),
    [
        ({}, "inputs wants a list of at most 50"),
        ([3], "input 1 wants a JSON object"),
        ([{"token": "a b", "kind": "text"}], 'a token wants a letter, then letters, digits and _ . -, got "a b"'),
        ([{"token": "earliest", "kind": "text"}], "a token wants"),
        ([{"token": "a", "kind": "slider"}], 'unknown kind "slider", wanted one of: dropdown, radio'),
        ([{"token": "a", "kind": "radio"}], "a radio wants choices, or a search for them"),
        ([{"token": "a", "kind": "text"}, {"token": "a", "kind": "text"}], 'the token "a" is used twice'),
        ([{"token": "a", "kind": "text", "choises": []}], 'an input has no "choises"'),
        ([{"token": "a", "choices": ["b"]}], 'a choice wants {"value"'),
        ([{"token": "a", "kind": "text", "prefix": 1}], "prefix wants a text"),
        ([{"token": "a", "kind": "time", "default": "-1h"}], "the default of a time wants"),
        ([HOST | {"kind": "checkbox", "default": "a"}], "the default of a checkbox wants a list of texts"),
    ],
)
def test_inputs_are_checked(inputs, message):
    with pytest.raises(UserError) as refused:
        check_definition({"inputs": inputs})
    assert message in refused.value.message


def test_programs_fill_in_values_too(ada):
    definition = {"inputs": [TEXT], "panels": [{"search": "index=x $text|s$"}]}
    answer = ada.post("/api/v1/dashboards/fill", json={"definition": definition, "values": {"text": ["a b"]}})
    assert answer.json()["panels"]["panel-1"]["search"] == 'index=x "a b"'
    refused = ada.post("/api/v1/dashboards/fill", json={"definition": {"inputs": [{"token": "a"}]}})
    assert refused.status_code == 400 and "a dropdown wants choices" in refused.json()["error"]["message"]
    title = {"title": "Chosen", "definition": definition}
    made = ada.post("/api/v1/dashboards", json=title).json()
    assert made["definition"]["inputs"][0]["delimiter"] == " " and made["definition"]["submit"] is False
    ada.delete(f"/api/v1/dashboards/{made['id']}")
