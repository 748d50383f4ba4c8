"""Which searches run here: each state, what is named as missing, and that nothing stops the check."""

import json

import pytest

from sightline.apps import checking
from sightline.apps.checking import check
from sightline.apps.contents import read_contents
from sightline.catalog import Catalog

APP = {
    "default/macros.conf": """
        [shop]
        definition = index=shop sourcetype=orders

        [above(2)]
        args = field, least
        definition = $field$>=$least$
        """,
    "lookups/cities.csv": "city,region\nAsti,Piemonte\n",
    "default/savedsearches.conf": """
        [plain]
        search = `shop` | stats count by city

        [with arguments]
        search = `shop` | where `above(amount, 3)` | lookup cities.csv city OUTPUT region

        [differs]
        search = `shop` | sort - amount | append [ | makeresults splunk_server=local ]

        [in real time]
        search = `shop` | stats count by city
        dispatch.earliest_time = rt-5m
        dispatch.latest_time = rt

        [needs a macro]
        search = `shop` | `only_large(5)` | stats count

        [needs macros in places]
        search = `base` city=Asti | eval late=if(`is_late`, 1, 0) | stats sum(late) by `split` | `last_stage`

        [needs a lookup]
        search = `shop` | lookup prices.csv item OUTPUT price | where price>3

        [needs a table]
        search = | inputlookup prices.csv where item=a* | stats count by item

        [needs an index]
        search = `shop` | collect index=later

        [needs what comes before]
        search = | where amount>3 | table amount

        [unknown]
        search = `shop` | holtwinters amount | head 5

        [unknown below]
        search = `shop` | append [ search x | holtwinters ]

        [documented]
        search = `shop` | script python tidy

        [refused]
        search = `shop` | eval a=nosuch(1)

        [refused with a macro missing]
        search = `shop` `more` | eval a=nosuch(1)

        [broken]
        search = index=shop "never closed | head

        [no macro can help]
        search = `shop` | eval x=`value` ) + (
        """,
}


def verdicts_of(path, data=None):
    report = check(read_contents(path), data)
    return report, {v.name: (v.state, v.reasons) for v in report.verdicts}


@pytest.fixture(scope="module")
def checked(tmp_path_factory):
    from appfiles import write_files

    return verdicts_of(write_files(tmp_path_factory.mktemp("check") / "shop", APP))


def test_searches_that_run(checked):
    _, found = checked
    assert found["plain"] == ("runs", [])
    assert found["with arguments"] == ("runs", [])
    assert found["differs"] == (
        "runs",
        [
            "sort keeps all rows (Splunk: 10,000)",
            "append keeps all rows of its subsearch (Splunk: 50,000)",
            "makeresults: splunk_server has no effect",
        ],
    )
    assert found["in real time"] == (
        "runs",
        ["its real-time window (rt-5m) is searched once a run", "its real-time window (rt) is searched once a run"],
    )


def test_searches_that_need_something_name_it(checked):
    _, found = checked
    assert found["needs a macro"] == ("needs", ["needs macro only_large(1)"])
    assert found["needs macros in places"] == (
        "needs",
        ["needs macro base", "needs macro is_late", "needs macro split", "needs macro last_stage"],
    )
    assert found["needs a lookup"] == ("needs", ["needs lookup prices.csv"])
    assert found["needs a table"] == ("needs", ["needs lookup prices.csv"])
    assert found["needs an index"] == ("needs", ["needs index later"])
    assert found["needs what comes before"] == ("needs", ["needs the search that it goes on from"])


def test_searches_that_do_not_run_say_why(checked):
    _, found = checked
    assert found["unknown"] == ("unknown_command", ['there is no command "holtwinters"'])
    assert found["unknown below"] == ("unknown_command", ['there is no command "holtwinters"'])
    state, (reason,) = found["documented"]
    assert state == "refused" and reason.startswith("script does not run here: it starts a program")
    assert "(run the program outside, send what it prints" in reason  # The reason comes with what to use instead.
    for name in ("refused", "refused with a macro missing"):
        state, (reason,) = found[name]
        assert state == "refused" and "nosuch" in reason
    assert found["broken"] == ("refused", ['Splunk refuses this as well: a string is not closed: wanted "'])
    assert found["no macro can help"][0] == "refused"


FAULTS = {
    "index=shop | eval a=1 b": 'eval: wanted "," or the end, got "b"',
    "index=shop | eval a=case(x=1, 2, y=3)": "eval: case takes pairs of a condition and a value, got 3 arguments",
    "index=shop | eval a=tolower(b)": 'eval: there is no function "tolower" (did you mean "lower"?)',
    "index=shop | eval a=match(b)": "eval: match takes 2 arguments, got 1",
    "index=shop | eval a=(b=1)": 'eval: a condition cannot be assigned to a field (use a=if(..., "true", "false"))',
    "index=shop | where a=*b*": (
        'where: a value is expected, got "*" (search takes patterns, and so does like(): like(field, "%text%"))'
    ),
    "index=shop | eval a=mvfilter(b!=c)": (
        'eval: mvfilter goes through the values of one field, got "b", "c" '
        "(mvmap reads other fields, too: mvmap(field, if(..., field, null())))"
    ),
    'index=shop | where match(a, "*b*")': (
        'where: match: "*b*" is not a regular expression: quantifier does not follow a repeatable item at character 2 '
        '(any text is ".*" in a regular expression, and at its ends it is there anyway)'
    ),
    'index=shop | where match(a, "b)c")': 'where: "b)c" is not a regular expression: unmatched closing parenthesis at character 3',
    'index=shop | rex "no group"': 'rex: the regular expression has no named group such as (?<name>...): "no group"',
    'index=shop | rex "(?<a>x)|(?<a>y)"': (
        'rex: "(?<a>x)|(?<a>y)" is not a regular expression: two named subpatterns have the same name at character 14'
    ),
    "index=shop | stats nosuch(a)": 'stats: there is no aggregate function "nosuch"',
    "index=shop | stats sum(a*) as b": 'stats: "a*" has 1 star and "b" has 0 stars: wanted equal numbers',
    "index=shop | chart count by a, b, c": (
        'chart: one field makes rows and one columns, got also "c" (make one field of both before: eval both=b.":".c)'
    ),
    "index=shop | stats count | from datamodel:web": (
        "from: from makes rows of its own and cannot follow other commands (put it in brackets: append [ | from ... ])"
    ),
    "index=shop [search a=1": 'a bracket is not closed: wanted "]"',
    "index=shop (a=1 OR )": "search: OR needs a condition on both sides",
    "index=shop | append [search x | eval y=1 z]": 'eval: wanted "," or the end, got "z"',
}
"""Searches that break a documented rule of the language, and what is said of each."""


def test_a_fault_of_the_search_is_told_from_what_is_not_there(tmp_path):
    from appfiles import write_files

    lines = [{"name": text, "search": text} for text in FAULTS]
    lines += [{"name": "here", "search": "index=shop | script python tidy"}, {"name": "good", "search": "index=shop"}]
    path = write_files(tmp_path / "list", {"searches.jsonl": "\n".join(map(json.dumps, lines))})
    report, found = verdicts_of(path)
    for text, told in FAULTS.items():
        assert found[text] == ("refused", [f"Splunk refuses this as well: {told}"])
    assert not found["here"][1][0].startswith("Splunk refuses")
    assert report.faulty() == len(FAULTS)
    assert report.counts() == {
        "total": len(FAULTS) + 2,
        "runs": 1,
        "needs": 0,
        "unknown_command": 0,
        "refused": len(FAULTS) + 1,
    }


LENIENCIES = {
    "| multisearch [search a=1 | stats count] [search b=1]": (
        'multisearch takes streaming commands only, and subsearch 1 holds "stats", which is transforming; its rows are added as '
        "union adds them"
    ),
    "index=shop | eval a=case(x=1, 2, 3)": (
        "case takes pairs of a condition and a value; the value alone at its end holds where no condition does"
    ),
    'index=shop user="$user$': 'the string "$user$ is not closed; it is read as if it ended with the search',
    "# by city\n| tstats count where index=shop by city": (
        'the line "# by city" before the first pipe is read as a comment (comments stand between three back-ticks)'
    ),
    "index=shop | lookup cities.csv city=town OUTPUT region": (
        'lookup wants AS between its field and that of the event; "city=town" is read as "city AS town"'
    ),
}
"""Searches that Splunk refuses and that have one plain meaning, and what is said of each."""


def test_what_splunk_refuses_and_a_reader_understands_runs_with_a_difference(tmp_path):
    from appfiles import write_files

    lines = [{"name": text, "search": text} for text in LENIENCIES]
    files = {"searches.jsonl": "\n".join(map(json.dumps, lines)), "lookups/cities.csv": "city,region\nAsti,Piemonte\n"}
    report, found = verdicts_of(write_files(tmp_path / "list", files))
    for text, told in LENIENCIES.items():
        assert found[text] == ("runs", [f"Splunk refuses this: {told}"])
    assert report.faulty() == 0


def test_a_saved_search_that_names_an_unknown_command_is_told_as_one(tmp_path):
    from appfiles import write_files

    texts = ("x | holtwinters y", "| savedsearch inner", "| savedsearch faulty")
    stanzas = {"inner": texts[0], "outer": texts[1], "faulty": "x | eval a=1 b", "outer faulty": texts[2]}
    conf = "\n".join(f"[{name}]\nsearch = {text}\n" for name, text in stanzas.items())
    _, found = verdicts_of(write_files(tmp_path / "nested", {"default/savedsearches.conf": conf}))
    assert found["outer"][0] == "unknown_command" and "holtwinters" in found["outer"][1][0]
    assert found["outer faulty"][1][0].startswith("Splunk refuses this as well: savedsearch: saved search")


def test_what_is_not_there_has_the_fields_and_datasets_that_are_asked_of_it(app):
    calculation = {
        "calculationID": "c",
        "calculationType": "Lookup",
        "owner": "Web",
        "editable": True,
        "lookupName": "agents",
        "inputField": "agent",
        "lookupInputs": [{"inputField": "agent", "lookupField": "agent_text"}],
        "lookupOutputs": [],
        "outputFields": [{"fieldName": "family", "lookupOutputFieldName": "family_name", "owner": "Web", "type": "string"}],
    }
    dataset = {"objectName": "Web", "displayName": "Web", "parentName": "BaseEvent", "fields": [], "calculations": []}
    dataset |= {"constraints": [{"search": "index=web", "owner": "Web"}], "calculations": [calculation]}
    path = app(
        {
            "default/macros.conf": "[machines]\ndefinition = Fleet Machines_Busy\n",
            "default/savedsearches.conf": """
                [by pivot]
                search = | pivot `machines` count(Machines_Busy) AS n SPLITROW host AS host
                [outer]
                search = | savedsearch "by pivot"
                [by model]
                search = | tstats count FROM datamodel=Web BY Web.family
                [no name of a field]
                search = index=shop | lookup agents lower(agent) AS a OUTPUT family_name
                """,
            "default/data/models/Web.json": json.dumps({"modelName": "Web", "displayName": "Web", "objects": [dataset]}),
        }
    )
    _, found = verdicts_of(path)
    for name in ("by pivot", "outer"):
        assert found[name] == ("needs", ["needs data model Fleet"])
    assert found["by model"] == ("needs", ["needs lookup agents"])
    told = 'lookup: lookup "agents" is not there, and "lower(agent)" is no name of a field'
    assert found["no name of a field"] == ("refused", [told])


def test_the_counts_agree_with_the_searches(checked):
    report, found = checked
    assert report.counts() == {"total": 17, "runs": 4, "needs": 6, "unknown_command": 2, "refused": 5}
    assert len(found) == 17
    shape = report.as_json()
    assert list(shape) == ["summary", "searches"]
    assert list(shape["summary"]) == ["total", "runs", "needs", "unknown_command", "refused"]
    assert sum(shape["summary"][state] for state in list(shape["summary"])[1:]) == shape["summary"]["total"]
    assert all(list(row) == ["name", "state", "reasons"] for row in shape["searches"])
    commands = {name: (count, good, bad) for name, count, good, bad in report.commands()}
    assert commands["holtwinters"] == (2, 0, 2) and commands["lookup"] == (2, 2, 0)
    assert report.indexes() == ["shop"]


def test_dashboard_tokens_and_the_catalog_of_a_data_directory(app, tmp_path):
    data = tmp_path / "data"
    catalog = Catalog(data)
    catalog.macros.save("only_large", "where amount>$n$", ["n"])
    catalog.lookups.write_bytes("prices.csv", b"item,price\na,1\n")
    catalog.close()
    before = sorted((p.name, p.stat().st_mtime_ns) for p in data.iterdir() if p.suffix == ".db")
    path = app(
        {
            "default/savedsearches.conf": """
                [macro]
                search = index=shop | `only_large(5)` | stats count
                [lookup]
                search = index=shop | lookup prices.csv item OUTPUT price
                [no such field]
                search = index=shop | lookup prices.csv item OUTPUT colour
                """,
            "default/data/ui/views/v.xml": """
                <form>
                  <input type="text" token="n"><default>not a number</default></input>
                  <row>
                    <table><title>t</title><search><query>index=shop city=$city$ $rest$ | head $n$</query></search></table>
                    <table><title>u</title><search><query>index=shop | timechart span=$span$ $f$ by $by|s$ | eval a="$$"</query></search></table>
                    <table><title>w</title><search><query>index=shop | eval a=nosuch($n$)</query></search></table>
                  </row>
                </form>
                """,
        }
    )
    _, found = verdicts_of(path, data)
    assert found["macro"] == ("runs", []) and found["lookup"] == ("runs", [])
    assert found["no such field"][0] == "refused" and "colour" in found["no such field"][1][0]
    assert found["v: t"][0] == "runs" and found["v: u"] == ("runs", [])
    assert found["v: w"][0] == "refused"
    assert sorted((p.name, p.stat().st_mtime_ns) for p in data.iterdir() if p.suffix == ".db") == before


def test_a_search_that_takes_its_process_along_is_told_like_any_other(app, monkeypatch):
    rows = [{"name": f"s{n}", "search": f"index=x | head {n}"} for n in range(3)]
    path = app({"list.jsonl": "\n".join(map(json.dumps, rows))})
    monkeypatch.setattr(checking, "_judge", judge_or_die)
    _, found = verdicts_of(path)
    assert found["s1"] == ("refused", ["planning it ends the process that does it"])
    assert found["s0"][0] == found["s2"][0] == "runs"


def judge_or_die(searches):
    import os

    if any(search.name == "s1" for search in searches):
        os._exit(1)
    return [checking._trial.judge(search) for search in searches]


def test_a_path_without_searches_starts_nothing(tmp_path, monkeypatch):
    monkeypatch.setattr(checking, "_pool", None)
    assert check(read_contents(tmp_path)).counts()["total"] == 0


APP_OF_ODD_ENDS = {
    "default/macros.conf": """
        [one(1)]
        args = x
        definition = search x=$x$

        [both]
        definition = a b

        [quoted]
        definition = index=shop source="till"
        """,
    "default/transforms.conf": """
        [timed]
        filename = shifts.csv
        time_field = began
        """,
    "default/savedsearches.conf": """
        [of "quotes"]
        search = index=shop | lookup clerks.csv clerk OUTPUT name
        """,
    "default/data/ui/views/v.xml": """
        <dashboard>
          <row><panel>
            <table><title>chosen</title><search><query>index=shop | `$which$(1)` | stats count by a</query></search></table>
            <table><title>between calls</title><search><query>index=shop $t$ | stats count by `both`
              | join `both` [search index=shop x="$t$" | fields `both`]</query></search></table>
            <table><title>in quotes</title><search><query>index=shop | eval label="`quoted`"</query></search></table>
            <table><title>shift</title><search><query>index=shop | lookup timed clerk OUTPUT shift</query></search></table>
            <table><title>file</title><search><query>| inputcsv found.csv | stats count by clerk</query></search></table>
            <table><title>extraction</title><search><query>index=shop | extract till-lines | stats count</query></search></table>
            <table><title>events and metrics</title><search><query>index=shop | collect index=found
              | mcollect index=measured</query></search></table>
            <table><title>foreach</title><search><query>index=shop
              | foreach a* fieldstr="#f#" [eval #f#=#f#+1]</query></search></table>
          </panel></row>
          <row><panel><table><title>saved</title><search ref="of &quot;quotes&quot;"/></table></panel></row>
        </dashboard>
        """,
}


def test_what_is_chosen_elsewhere_or_not_there_is_needed_and_no_fault(tmp_path):
    from appfiles import write_files

    _, found = verdicts_of(write_files(tmp_path / "odd", APP_OF_ODD_ENDS))
    assert found["v: chosen"] == ("needs", ["needs a macro that a dashboard token names, $which$"])
    assert found["v: between calls"][0] == "runs"
    assert found["v: in quotes"] == ("runs", [])
    assert found["v: shift"] == ("needs", ["needs lookup shifts.csv"])
    assert found["v: file"] == ("needs", ["needs file found.csv"])
    assert found["v: extraction"] == ("needs", ["needs transforms stanza till-lines"])
    assert found["v: events and metrics"] == ("needs", ["needs index found", "needs index measured"])
    assert found["v: foreach"] == ("runs", [])
    assert found["v: saved"] == ("needs", ["needs lookup clerks.csv"])
