"""What happens to a command that does not run here: documented ones say why, every other name is no command."""

import pytest

from sightline.errors import SearchError
from sightline.search import registry
from sightline.search.syntax.parser import parse_pipeline
from sightline.search.syntax.source import read_source


def refusal_of(text):
    with pytest.raises(SearchError) as caught:
        for stage in parse_pipeline(read_source(text)).stages:
            registry.read_command(stage)
    return caught.value


def test_a_command_runs_or_is_refused_never_both():
    registry.load()
    assert registry.COMMANDS.keys() & registry.REFUSALS.keys() == set()


def test_every_refusal_says_why_and_what_instead():
    registry.load()
    for name, refusal in registry.REFUSALS.items():
        assert name == name.lower(), name
        assert len(refusal.reason) > 20 and refusal.reason[0].islower() and not refusal.reason.endswith("."), name
        assert len(refusal.instead) > 20 and not refusal.instead.endswith("."), name
        error = refusal_of(f"| makeresults | {name} x=1")
        assert str(error).startswith(f"{name} does not run here: ") and error.hint == refusal.instead
        assert (error.span.start, error.span.end) == (16, 16 + len(name))


def test_an_unknown_command_is_told_apart():
    error = refusal_of("index=web | stast count")
    assert isinstance(error, registry.UnknownCommand)
    assert (error.name, error.hint) == ("stast", 'did you mean "stats"?')
    error = refusal_of("index=web | qqqqvvv count")
    assert error.name == "qqqqvvv" and "as scripts do not run here" in error.hint
    assert not isinstance(refusal_of("| script python x"), registry.UnknownCommand)


DOCUMENTED = """
abstract accum addcoltotals addinfo addtotals analyzefields anomalies anomalousvalue anomalydetection append appendcols
appendpipe arules associate autoregress awssnsalert bin bucket bucketdir chart cluster cofilter collect concurrency
contingency convert correlate datamodel datamodelsimple dbinspect dbxquery dedup delete delta diff entitymerge erex eval
eventcount eventstats extract kv fieldformat fields fieldsummary filldown fillnull findtypes folderize foreach format from
fromjson gauge gentimes geom geomfilter geostats head highlight history iconify inputcsv inputintelligence inputlookup
iplocation join kmeans kvform loadjob localize localop lookup makecontinuous makejson makemv makeresults map mcatalog mcollect
metadata metasearch meventcollect mpreview msearch mstats multikv multisearch mvcombine mvexpand noop nomv outlier outputcsv
outputlookup outputtext overlap pivot predict prjob rangemap rare redistribute regex relevancy reltime rename replace require
rest return reverse rex rtorder run runshellscript savedsearch script scrub search searchtxn selfjoin sendalert sendemail set
setfields sichart sirare sistats sitimechart sitop snowevent snoweventstream snowincident snowincidentstream sort spath stats
strcat streamstats table tags tail timechart timewrap tojson top transaction transpose trendline tscollect tstats typeahead
typelearner typer union uniq untable walklex where x11 xmlkv xmlunescape xpath xyseries fit apply summary listmodels
deletemodel sample score crawl dump file input audit dispatch
"""


def test_no_documented_command_is_called_unknown():
    registry.load()
    known = registry.COMMANDS.keys() | registry.REFUSALS.keys()
    assert sorted(set(DOCUMENTED.split()) - known) == []


@pytest.mark.parametrize(
    ("text", "told", "hint"),
    [
        (
            "x | table a\nindex=web b=1",
            'table: a field name is expected, got "="',
            "a second search begins here: a text holds one",
        ),
        (
            "x | sort -a\n sourcetype=web",
            'sort: a field name is expected, got "="',
            "a second search begins here: a text holds one",
        ),
        ("x | table index=web", 'table: a field name is expected, got "="', ""),
        (
            'x NOT lower(status)="ok"',
            'search: a condition is expected, got "="',
            'functions are computed by where, as in: | where lower(status)="ok"',
        ),
        ("x | eval a=(b+1)^2", 'eval: "^" is no operator', "use pow(base, exponent)"),
    ],
)
def test_a_usual_mistake_is_told_with_what_to_do(text, told, hint):
    error = refusal_of(text)
    assert (str(error), error.hint) == (told, hint)
