"""Completion: what is offered at a place, what it replaces, and that every text has an answer."""

import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sightline.search import registry
from sightline.search.completion import Names, _syntax, place_of, suggest, times_in

NAMES = Names(
    indexes=("main", "web", "_internal"),
    fields={"host": "text", "http.status_code": "number", "user name": "text"},
    lookups=("users.csv",),
    macros=("errors_of",),
    models=("usermodel",),
    metrics=("cpu.load",),
    algorithms=lambda: ("KMeans", "PCA"),
    scorers=lambda: ("accuracy_score",),
    values=lambda name: (("GET", 5), ("a b", 2)) if name == "method" else (),
    lookup_fields=lambda name: ("id", "team") if name == "users.csv" else (),
    csv_files=("report.csv",),
    saved_searches=("Errors by host",),
    datamodels=("Web",),
    datasets=lambda name: ("Requests",) if name == "Web" else (),
    event_types=("failed login",),
    tags=("attack",),
    sids=("1700000000.5",),
    endpoints=lambda: ("/services/saved/searches", "/services/server/info"),
)


def labels(text: str) -> list[str]:
    return [option.label for option in suggest(text, NAMES).options]


def applied(text: str, label: str) -> str:
    """The text after a suggestion was taken."""
    found = suggest(text, NAMES)
    option = next(o for o in found.options if o.label == label)
    return text[: found.start] + (option.insert or option.label)


@pytest.mark.parametrize(
    "text",
    [
        "index=web method IN (",
        "index=web method IN(",
        'index=web method IN (POST, "a b", G',
        'index=web method in ("',
        "index=web method IN (PUT G",
    ],
)
def test_values_are_offered_in_a_list(text):
    assert labels(text)[0] == "GET"


def test_in_a_list_of_an_expression_other_fields_may_stand():
    assert "host" in labels("index=web | where method IN (ho")
    assert labels('index=web | where method IN ("')[0] == "GET"


def test_metrics_are_offered_to_functions_over_metrics():
    assert labels("| mstats avg(") == ["cpu.load"]
    assert labels("| mstats avg(_value) WHERE index=m metric_name=") == ["cpu.load"]
    assert "host" in labels("| mstats avg(cpu.load) WHERE index=m (ho")


def test_options_that_a_command_reads_by_itself_are_offered():
    assert "span=" in labels("index=web | timechart sp")
    assert "bins=" in labels("index=web | bin bi")
    assert "algorithm=" in labels("index=web | timechart count | predict count alg")
    assert "1h" in labels("index=web | timechart span=")


@pytest.mark.parametrize(
    ("typed", "label", "then"),
    [
        ("", "index=web", "index=web"),
        ("ind", "index=web", "index=web"),
        ("index=w", "web", "index=web"),
        ("index=web | st", "stats", "index=web | stats "),
        ("index=web | stats c", "count", "index=web | stats count"),
        ("index=web | stats perc", "perc95", "index=web | stats perc95("),
        ("index=web | stats avg(", "host", "index=web | stats avg(host"),
        ("index=web | stats count by use", "user name", 'index=web | stats count by "user name"'),
        ("index=web | stats count b", "BY", "index=web | stats count BY "),
        ("index=web | timechart span=", "5m", "index=web | timechart span=5m"),
        ("index=web | eval x=low", "lower", "index=web | eval x=lower("),
        ("index=web method=", "a b", 'index=web method="a b"'),
        ('index=web method="a', "a b", 'index=web method="a b'),
        ("index=web earliest=-4", "-4h@h", "index=web earliest=-4h@h"),
        ("index=web `err", "errors_of", "index=web `errors_of"),
        ("index=a [ search index=b | ta", "table", "index=a [ search index=b | table "),
        ("| fit ", "KMeans", "| fit KMeans "),
        ("| fit KMeans x from y in", "into", "| fit KMeans x from y into "),
        ("index=web | apply ", "usermodel", "index=web | apply usermodel "),
        ("| inputlookup append=t u", "users.csv", "| inputlookup append=t users.csv "),
        ("index=web | lookup users.csv host OUTPUT", "OUTPUTNEW", "index=web | lookup users.csv host OUTPUTNEW "),
        ("| stats count | head null=", "true", "| stats count | head null=true"),
    ],
)
def test_what_is_offered_and_what_taking_it_gives(typed, label, then):
    assert applied(typed, label) == then


@pytest.mark.parametrize(
    ("typed", "label", "then"),
    [
        ("index=web | rex field=ho", "host", "index=web | rex field=host"),
        ('index=web | rex field="us', "user name", 'index=web | rex field="user name'),
        ("index=web | spath input=", "user name", 'index=web | spath input="user name"'),
        ("index=web | sort 10 -ho", "host", "index=web | sort 10 -host"),
        ("index=web | dedup host sortby -", "host", "index=web | dedup host sortby -host"),
        ("index=web | anomalies denylist=", "users.csv", "index=web | anomalies denylist=users.csv"),
        ("index=web | bin _time span=1h aligntime=", "@d", "index=web | bin _time span=1h aligntime=@d"),
        ("index=web | lookup users.csv ", "team", "index=web | lookup users.csv team"),
        ("index=web | lookup users.csv id AS ho", "host", "index=web | lookup users.csv id AS host"),
        ("| from look", "lookup:", "| from lookup:"),
        ("| from lookup:us", "users.csv", "| from lookup:users.csv"),
        ("| from savedsearch:", "Errors by host", '| from savedsearch:"Errors by host"'),
        ('| from savedsearch:"Err', "Errors by host", '| from savedsearch:"Errors by host'),
        ("| from datamodel:Web.", "Web.Requests", "| from datamodel:Web.Requests"),
        ("index=web | join host lookup:", "users.csv", "index=web | join host lookup:users.csv"),
        ("| union data", "datamodel:", "| union datamodel:"),
        ("| datamodel Web ", "Requests", "| datamodel Web Requests "),
        ("| tstats count from ", "datamodel=", "| tstats count from datamodel="),
        ("| tstats count from datamodel=W", "Web", "| tstats count from datamodel=Web"),
        ("| tstats count where ", "index=", "| tstats count where index="),
        ("| rest /services/sa", "/services/saved/searches", "| rest /services/saved/searches "),
        ("| savedsearch Err", "Errors by host", '| savedsearch "Errors by host" '),
        ('| savedsearch "Err', "Errors by host", '| savedsearch "Errors by host'),
        ("| loadjob ", "1700000000.5", "| loadjob 1700000000.5 "),
        ("| loadjob savedsearch=", "Errors by host", '| loadjob savedsearch="Errors by host"'),
        ("| inputcsv ", "report.csv", "| inputcsv report.csv "),
        ("index=web | fit KMeans host into ", "usermodel", "index=web | fit KMeans host into usermodel"),
        ("index=web eventtype=", "failed login", 'index=web eventtype="failed login"'),
        ("index=web tag::host=", "attack", "index=web tag::host=attack"),
        ("index=web savedsearch=", "Errors by host", 'index=web savedsearch="Errors by host"'),
    ],
)
def test_names_of_every_kind_are_offered_where_their_kind_is_wanted(typed, label, then):
    assert applied(typed, label) == then


def test_an_option_that_names_a_field_offers_fields():
    """The syntax lines tell which options these are; one that is called so and is not told names a field that is made."""
    registry.load()
    for name, entry in registry.COMMANDS.items():
        for option, kind in _syntax(name).options.items():
            if name == entry.name and kind in ("field", "fields"):
                assert labels(f"index=web | {name} {option}=")[:1] == ["host"], f"{name} {option}"


def test_a_lookup_gives_its_own_fields_alone():
    assert labels("index=web | lookup users.csv host OUTPUT ")[:2] == ["id", "team"]
    assert "host" not in labels("index=web | lookup users.csv host OUTPUT ")
    assert labels("| inputlookup users.csv where ") == ["id", "team", "AND", "OR", "NOT", "IN"]


def test_what_begins_with_the_typed_text_comes_first():
    found = labels("index=web | st")
    begins = [label.startswith("st") for label in found]
    assert begins == sorted(begins, reverse=True) and {"stats", "streamstats", "eventstats"} <= set(found)
    assert labels("index=web | fields http") == ["http.status_code"]


def test_after_by_there_are_fields_alone():
    assert labels("index=web | stats count by ") == ["host", "http.status_code", "user name"]


def test_fields_are_those_that_rows_have_at_that_stage():
    asked = []
    names = dataclasses.replace(NAMES, fields_after=lambda text: asked.append(text) or {"count": "number"})
    found = [option.label for option in suggest("index=web | stats count | where ", names).options]
    assert found[0] == "count" and "host" not in found and asked == ["index=web | stats count "]
    assert "host" in [option.label for option in suggest("index=web ", names).options]


def test_nothing_is_offered_inside_of_comments_and_plain_strings():
    assert labels("index=web ``` st") == []
    assert labels('index=web | eval x="lo') == []


def test_a_pipe_in_quotes_or_brackets_starts_nothing():
    assert place_of('index=web "a | b').command == "search"
    assert place_of("index=web [ search x | stats count ] ho").command == "search"
    assert place_of('index=web | eval x=if(a="|", 1, ').command == "eval"


def test_every_command_has_suggestions_after_it():
    """A command that takes fields or options offers some; its syntax line is what tells."""
    registry.load()
    for name, entry in registry.COMMANDS.items():
        if name != entry.name or not entry.describe()["syntax"].removeprefix(name).strip():
            continue
        if "<field>" in entry.describe()["syntax"] or entry.describe()["options"]:
            assert labels(f"index=web | {name} "), name


@given(st.text(st.sampled_from("ab =|[]()\"'`\\,.-*<>{}\n"), max_size=30))
def test_every_text_has_an_answer(text):
    found = suggest(text, NAMES)
    assert 0 <= found.start <= len(text)


def test_time_modifiers_are_previewed_where_they_stand():
    now = 1_700_000_000.0
    text = 'index=a earliest=-1d@d latest=now x="earliest=-5m" ``` earliest=-9h ``` [search b _index_earliest=-1h]'
    found = times_in(text, now)
    assert [(text[t.start : t.end], t.time_s) for t in found] == [
        ("-1d@d", 1_699_833_600.0),
        ("now", now),
        ("-1h", now - 3600),
    ]
    assert times_in("earliest=-4parsecs", now) == []
