"""Inputs of dashboards on their way in: what is carried, what is told, and which tokens stay in the searches."""

import json

import pytest

from sightline.apps.panels import convert_view
from sightline.apps.simple_xml import read_view
from sightline.apps.studio import read_studio
from sightline.catalog.dashboards import check_definition
from sightline.catalog.inputs import INPUT
from sightline.web.filling import fill_dashboard


def view(inputs, panels="<table><search><query>index=x</query></search></table>", attributes=""):
    text = f"<form><fieldset {attributes}>{inputs}</fieldset><row><panel>{panels}</panel></row></form>"
    definition, lost = convert_view(read_view("v", text.encode()))
    return check_definition(definition), lost


def only_input(text):
    definition, lost = view(text)
    (found,) = definition["inputs"]
    changed = {name: value for name, value in found.items() if value != INPUT[name]}
    return changed, [text for _, text in lost]


CHOICES = '<choice value="a">A</choice><choice value="b">B</choice>'
LISTED = [{"value": "a", "label": "A"}, {"value": "b", "label": "B"}]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f'<input type="radio" token="t"><label>T</label>{CHOICES}<default>b</default></input>',
         {"token": "t", "kind": "radio", "label": "T", "choices": LISTED, "default": "b"}),
        (f'<input type="dropdown" token="t">{CHOICES}<default>B</default><prefix>x=</prefix><suffix> y</suffix></input>',
         {"token": "t", "choices": LISTED, "default": "b", "prefix": "x=", "suffix": " y"}),
        (f'<input type="link" token="t">{CHOICES}<selectFirstChoice>true</selectFirstChoice></input>',
         {"token": "t", "kind": "link", "choices": LISTED, "select_first": True}),
        (f'<input type="multiselect" token="t">{CHOICES}<default>a,b</default><valuePrefix>h="</valuePrefix>'
         '<valueSuffix>"</valueSuffix><delimiter> OR </delimiter></input>',
         {"token": "t", "kind": "multiselect", "choices": LISTED, "default": ["a", "b"], "value_prefix": 'h="',
          "value_suffix": '"', "delimiter": " OR "}),
        (f'<input type="checkbox" token="t">{CHOICES}</input>', {"token": "t", "kind": "checkbox", "choices": LISTED}),
        ('<input type="text" token="t"><default>*</default></input>', {"token": "t", "kind": "text", "default": "*"}),
        ('<input type="text" token="t"><default></default></input>', {"token": "t", "kind": "text", "default": ""}),
        ('<input type="text" token="t"><initialValue>1</initialValue></input>', {"token": "t", "kind": "text", "default": "1"}),
        ('<input type="text" token="t"/>', {"token": "t", "kind": "text"}),
        ('<input type="time" token="t"><default><earliest>-7d</earliest><latest>-1d</latest></default></input>',
         {"token": "t", "kind": "time", "default": {"earliest": "-7d", "latest": "-1d"}}),
        ('<input type="time" token="t"/>', {"token": "t", "kind": "time", "default": {"earliest": "-24h@h", "latest": "now"}}),
        ('<input type="dropdown" token="t"><search><query>index=x | stats count by host</query><earliest>-1d</earliest>'
         "</search><fieldForLabel>name</fieldForLabel><fieldForValue>host</fieldForValue></input>",
         {"token": "t", "search": "index=x | stats count by host", "earliest": "-1d", "label_field": "name",
          "value_field": "host"}),
        ('<input type="dropdown" token="t"><populatingSearch fieldForLabel="h" fieldForValue="h">index=x | top h'
         "</populatingSearch></input>", {"token": "t", "search": "index=x | top h", "label_field": "h", "value_field": "h"}),
    ],
)  # fmt: skip
def test_each_kind_of_input_comes_along(text, expected):
    assert only_input(text) == (expected, [])


def test_what_an_input_cannot_do_here_is_told():
    found, told = only_input(
        f'<input type="dropdown" token="t" depends="$x$"><label>T</label>{CHOICES}<change><set token="u">$value$</set></change>'
        "<allowCustomValues>true</allowCustomValues></input>"
    )
    assert found["choices"] == LISTED
    assert told == [
        'the input "T" (dropdown) is always shown',
        'the input "T" (dropdown) sets no other tokens when it changes',
        'the input "T" (dropdown) takes none but its own choices',
    ]


def test_an_input_that_cannot_be_brought_holds_its_first_value():
    panel = "<table><search><query>index=x t=$t$</query></search></table>"
    definition, lost = view('<input type="dropdown" token="t"><default>a</default></input>', panel)
    assert definition["inputs"] == [] and definition["panels"][0]["search"] == "index=x t=a"
    assert lost == [("", 'the input "t" (dropdown) holds "a" and cannot be changed')]
    writing = '<input type="radio" token="t"><search><query>index=x | outputlookup y</query></search></input>'
    assert view(writing)[1] == [("", 'the input "t" (radio) has no first value and cannot be changed')]


def test_what_is_too_much_or_too_little_is_told():
    many = "".join(f'<choice value="{n}">{n}</choice>' for n in range(1001))
    found, told = only_input(f'<input type="radio" token="t">{many}</input>')
    assert len(found["choices"]) == 1000 and told == ['the input "t" (radio) has its first 1,000 choices, of 1,001']
    empty = (
        '<input type="radio" token="t"><search><query>$q$</query></search><change><set token="q"> </set></change></input>'
    )
    definition, lost = view(empty)
    assert definition["inputs"] == [] and lost[-1][1].endswith(
        'is left out: input 1 "t": a radio wants choices, or a search for them'
    )


def test_tokens_of_inputs_stay_and_others_are_filled():
    panel = """<title>Of $t$ and $fixed$</title><chart><search><query>index=x t=$t|s$ $form.t$ $fixed$ u=$unknown$ $$5
        earliest=$earliest$</query><earliest>$when.earliest$</earliest><latest>$when.latest$</latest></search></chart>"""
    inputs = f'<input type="radio" token="t">{CHOICES}</input><input type="time" token="when"/><input type="time"/>'
    text = f'<form><init><set token="fixed">f</set></init><fieldset submitButton="true">{inputs}</fieldset>'
    text += f"<row><panel>{panel}</panel></row></form>"
    definition, lost = convert_view(read_view("v", text.encode()))
    definition = check_definition(definition)
    (shown,) = definition["panels"]
    assert definition["submit"] and shown["title"] == "Of $t$ and f"
    assert " ".join(shown["search"].split()) == "index=x t=$t|s$ $form.t$ f u=* $$5 earliest=$earliest$"
    assert (shown["earliest"], shown["latest"]) == ("$when.earliest$", "$when.latest$")
    assert lost == [("row 1, panel 1, chart", "the tokens $unknown$ have no first value and were filled to fit")]
    filled = fill_dashboard(definition, {"t": "b", "earliest": "-1h"})["panels"]["panel-1"]
    assert " ".join(filled["search"].split()) == 'index=x t="b" b f u=* $5 earliest=-1h'
    assert (filled["title"], filled["earliest"], filled["latest"]) == ("Of b and f", "-24h@h", "now")


def test_a_panel_that_would_write_once_an_input_has_a_value_is_left_out():
    panels = """<table><search><query>| makeresults | eval t="$t$" | outputlookup seen.csv</query></search></table>
        <table><search><query>index=x $t$</query></search></table>"""
    definition, lost = view('<input type="text" token="t"/>', panels)
    assert [panel["search"] for panel in definition["panels"]] == ["index=x $t$"]
    assert lost == [("row 1, panel 1, table", "it writes once its tokens are filled in, and is left out")]


def test_inputs_of_dashboard_studio():
    studio = {
        "inputs": {
            "a": {"type": "input.dropdown", "title": "Host", "dataSources": {"primary": "hosts"},
                  "options": {"token": "host", "defaultValue": "*", "items": [{"label": "All", "value": "*"}],
                              "label": '> primary | seriesByName("host")', "value": '> primary | seriesByName("host")'}},
            "b": {"type": "input.multiselect", "title": "City",
                  "options": {"token": "city", "defaultValue": ["Asti", "Alba"],
                              "items": [{"label": "Asti", "value": "Asti"}, {"label": "Alba", "value": "Alba"}]}},
            "c": {"type": "input.timerange", "title": "When", "options": {"token": "when", "defaultValue": "-4h,now"}},
            "d": {"type": "input.number", "title": "Most", "options": {"token": "most", "defaultValue": 5}},
        },
        "dataSources": {
            "hosts": {"type": "ds.search", "options": {"query": "index=x | stats count by host"}},
            "one": {"type": "ds.search", "options": {
                "query": "index=x host=$host$ city IN ($city$) | head $most$",
                "queryParameters": {"earliest": "$when.earliest$", "latest": "$when.latest$"}}},
        },
        "visualizations": {"v": {"type": "splunk.table", "title": "Of $host$", "dataSources": {"primary": "one"}}},
        "layout": {"options": {"submitButton": True}, "structure": []},
    }  # fmt: skip
    text = f'<dashboard version="2"><definition><![CDATA[{json.dumps(studio)}]]></definition></dashboard>'
    definition, lost = convert_view(read_studio("v", text.encode()))
    definition = check_definition(definition)
    assert [(i["token"], i["kind"], i["default"]) for i in definition["inputs"]] == [
        ("host", "dropdown", "*"),
        ("city", "multiselect", ["Asti", "Alba"]),
        ("when", "time", {"earliest": "-4h", "latest": "now"}),
        ("most", "text", "5"),
    ]
    hosts = definition["inputs"][0]
    assert (hosts["search"], hosts["label_field"], hosts["value_field"]) == ("index=x | stats count by host", "host", "host")
    filled = fill_dashboard(definition, {"host": "web"})["panels"]["panel-1"]
    assert filled["search"] == "index=x host=web city IN (Asti,Alba) | head 5"
    assert (filled["title"], filled["earliest"]) == ("Of web", "-4h") and definition["submit"]
    assert [text for _, text in lost if "input" in text] == []


def test_a_range_in_real_time_is_one_of_a_run():
    chosen = "<earliest>rt-1h</earliest><latest>rt</latest>"
    definition, lost = view(f'<input type="time" token="span"><label>Span</label><default>{chosen}</default></input>')
    assert definition["inputs"][0]["default"] == {"earliest": "-1h", "latest": "now"}
    assert ("", 'the input "Span" (time): its real-time window (rt-1h) is searched once a run') in lost
