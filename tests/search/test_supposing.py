"""What is wrong with a search by its text alone is found, with its place, before it runs."""

from __future__ import annotations

from typing import Any

import pytest

from sightline.config import Settings
from sightline.search.engine import SearchEngine

WRONG = [
    # A moment, or a length of time.
    ("index=a «earliest=-4x»", 'search: "-4x": there is no time unit "x"'),
    ("index=a «latest=foo»", 'search: "foo" is not a time'),
    ("index=a («_index_earliest=-1parsec» OR x=1) | stats count", 'there is no time unit "parsec"'),
    ("index=nowhere «earliest=rt-5m»", "search: real-time windows"),
    ("«index=a earliest=now latest=-1h»", "search: the time range ends"),
    ("| tstats count WHERE index=a «latest=foo» BY host", 'tstats: "foo" is not a time'),
    ("| tstats count WHERE index=a BY _time span=«5x»", 'tstats: there is no time unit "x"'),
    ("| mstats avg(cpu) WHERE index=m «earliest=-4x»", 'mstats: "-4x"'),
    ("| mstats avg(cpu) WHERE index=m span=«5x»", 'mstats: there is no time unit "x"'),
    ("index=a | bin _time span=«5x»", 'bin: span: there is no time unit "x"'),
    ("index=a | timechart span=«5parsec» count", 'timechart: span: there is no time unit "parsec"'),
    ("index=a | streamstats time_window=«5x» count", 'streamstats: there is no time unit "x"'),
    ("index=a | transaction host maxspan=«5x»", "transaction: maxspan must be a number and a unit"),
    ("| gentimes start=-7 increment=«5x»", "gentimes: increment must be a number"),
    ('index=a | eval x=relative_time(now(), «"-1x"»)', 'eval: relative_time: "-1x"'),
    ('index=a | eval x=mvrange(1, 10, «"1x"»)', 'eval: mvrange: there is no time unit "x"'),
    # A regular expression, or another text with a form of its own.
    ('index=a | rex «"(?<x>"»', "rex: "),
    ('index=a | rex mode=sed "«s/a/b»"', "rex: a sed script has three delimiters"),
    ('index=a | regex x=«"("»', "regex: "),
    ('index=a | where match(x, «"("»)', "where: match: "),
    ('index=a | eval x=replace(y, «"["», "b")', "eval: replace: "),
    ('index=a | stats count(eval(match(x, «"("»))) AS n', "stats: match: "),
    ('index=a | transaction host startswith=eval(match(x, «"("»))', "transaction: match: "),
    ('index=a | where cidrmatch(«"10.0.0/99"», ip)', "where: cidrmatch wants a network"),
    ('index=a | eval x=searchmatch(«"a=(b"»)', "eval: searchmatch: "),
    ('index=a | eval x=json_extract(y, «"b{"»)', "eval: json_extract: "),
    ('| «makeresults» format=json data="{"', "makeresults: data is not valid JSON"),
    # What functions take.
    ("index=a | where «like(x)»", "where: like takes 2 arguments, got 1"),
    ("index=a | eval x=«round(1, 2, 3)»", "eval: round takes 1 to 2 arguments, got 3"),
    ('index=a | eval x=«case(a>1, "b", c>1)»', "eval: case takes pairs"),
    ('index=a | eval x=tostring(y, «"comma"»)', 'eval: tostring has no format "comma"'),
    ('index=a | eval x=«tonumber("1", 99)»', "eval: tonumber: the base must be"),
    ("index=a | eval x=«a=b»", "eval: a condition cannot be assigned"),
    ("index=a | where «x+1»", "where wants a condition such as x>5"),
    ("index=a | head («n+1»)", "head"),
    ("index=a | streamstats reset_before=(«n+1») count", "streamstats: reset wants a condition"),
    ("index=a | stats «sparkline(count, 1x)»", 'stats: there is no time unit "x"'),
    ("index=a | stats «max(x)» AS host BY host", "stats: the aggregate and the BY field are both named"),
    # Where commands may stand, and what they need.
    ("| «eval» x=1", "eval needs rows to work on"),
    ("index=a | stats count | «makeresults»", "makeresults makes rows of its own"),
    ("index=a | stats count | «timewrap» 1d", "timewrap needs rows with a _time"),
    # In brackets as well as outside of them.
    ("index=a | append [search index=b «earliest=-4x»]", 'search: "-4x"'),
    ('index=a [search index=b | where match(x, «"("») | return x]', "where: match: "),
    ("index=a | where x=[search index=b «latest=foo» | return $x]", 'search: "foo" is not a time'),
    ("| union [search index=a] [search index=a «earliest=-4x»]", 'search: "-4x"'),
    ("index=a | foreach a* «[ eval <<FIELD>>=round(1, 2, 3) ]»", "eval: round takes 1 to 2 arguments"),
    ("index=a | foreach a* «[ eval <<FIELD>>=( ]»", "eval: a value is expected"),
    # What comes after a stage of which only the run tells.
    ('index=a | lookup hosts host OUTPUT owner | where match(owner, «"("»)', "where: match: "),
    ('| inputlookup hosts | eval x=relative_time(now(), «"-1x"»)', "eval: relative_time: "),
    ('| savedsearch "Errors" | where «x+1»', "where: where wants a condition"),
]

RIGHT = [
    "index=nowhere earliest=-4h latest=now | stats count",
    "index=a | where flag OR x>1",
    "| inputlookup flags | where flag",
    "| inputlookup hosts WHERE owner=ann | timechart span=1h count",
    "index=a | lookup hosts host | outputlookup other | append [| inputlookup other]",
    "index=a | apply model AS guess | score accuracy_score y against guess",
    "| inputlookup seen | eval missing=mvfilter(NOT match(seen, other))",
    "| rest /services/server/info | table version",
    "| loadjob 1.2 | where status>400",
    "index=a | collect index=summary",
    "| tstats count FROM datamodel=Web BY Web.status | where 'Web.status'>400",
    "index=a | xyseries host status n | eval rate='500'/('200'+'500')",
    "index=a | iplocation ip | geostats count",
    "index=a | extract mine | kvform form=mine",
    'index=a savedsearch="Errors" eventtype=failed tag=web',
    "index=a | eval x=[| inputlookup limits | return $limit] | where n>x",
    'index=a | map search="search index=b host=$host$"',
    # A dashboard fills these in.
    "index=a earliest=$time.earliest$ latest=$time.latest$ | timechart span=$span$ count",
]


class Nothing:
    """A part of the program that must not be asked for anything."""


class OnlyNames:
    """A catalog that tells names of indexes, and nothing that would have to be read."""

    def indexes(self) -> dict[str, str]:
        return {"a": "event", "m": "metric"}

    def default_indexes(self, user: str) -> list[str]:
        return ["a"]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> SearchEngine:
    knowledge: Any = OnlyNames()
    return SearchEngine(Nothing(), knowledge, Nothing(), Settings(data=tmp_path_factory.mktemp("supposing")))


@pytest.mark.parametrize(("marked", "message"), WRONG)
def test_what_is_wrong_is_underlined(marked: str, message: str, engine: SearchEngine) -> None:
    start, end = marked.index("«"), marked.index("»") - 1
    (found,) = engine.check(marked.replace("«", "").replace("»", ""))
    assert message in found["message"]
    assert (found["start"], found["end"]) == (start, end)


@pytest.mark.parametrize("text", RIGHT)
def test_what_may_run_is_not_underlined(text: str, engine: SearchEngine) -> None:
    assert engine.check(text) == []


def test_an_error_that_depends_on_what_is_stored_is_left_to_the_run(engine: SearchEngine) -> None:
    for text in (
        "index=a | lookup nosuch x",
        "| inputlookup nosuch",
        "index=a | collect index=nosuch",
        "index=a | apply nosuch",
    ):
        assert engine.check(text) == []
