"""What props.conf and transforms.conf say about events on their way in becomes rules that can be read."""

import pytest
import yaml
from appfiles import write_files

from sightline.apps.importing import RULES
from sightline.apps.moving import bring
from sightline.apps.sourcetype_rules import convert, print_rules, put_rules
from sightline.catalog import Catalog
from sightline.catalog.conf import read_conf
from sightline.errors import UserError
from sightline.sourcetypes import read_rules

TRANSFORMS = r"""
[setnull]
REGEX = .
DEST_KEY = queue
FORMAT = nullQueue
[setparsing]
REGEX = ERROR|WARN
DEST_KEY = queue
FORMAT = indexQueue
[nohealth]
REGEX = GET /health
DEST_KEY = queue
FORMAT = nullQueue
[toaudit]
SOURCE_KEY = MetaData:Source
REGEX = audit
DEST_KEY = _MetaData:Index
FORMAT = audit
[allaudit]
REGEX = .
DEST_KEY = _MetaData:Index
FORMAT = audit
[hostof]
REGEX = on=(\S+)
DEST_KEY = MetaData:Host
FORMAT = host::$1
[typeof]
REGEX = ^\{
DEST_KEY = MetaData:Sourcetype
FORMAT = sourcetype::json
[hide]
REGEX = (card=)\d+(.*)
DEST_KEY = _raw
FORMAT = $1X$2
[meta]
REGEX = (\w+)-(\w+)-(\w+)
FORMAT = one::$1 three::$3
WRITE_META = true
[named]
REGEX = (?<cart>\d+)
WRITE_META = true
[ingest]
INGEST_EVAL = a=b
[clone]
REGEX = x
DEST_KEY = _TCP_ROUTING
FORMAT = y
"""


def converted(settings, name="app"):
    props = read_conf(f"[{name}]\n{settings}\n").stanzas
    found = convert({k: v for k, v in props.items() if k != "default"}, read_conf(TRANSFORMS).stanzas)
    if found.rules:
        # Whatever is made can be read.
        read_rules("sourcetypes:\n" + "".join(f"  {line}\n" for line in print_rules(found.rules).splitlines()))
    return found.rules.get(name, {}), [text for _, text in found.notes]


@pytest.mark.parametrize(
    ("settings", "rule"),
    [
        ("EXTRACT-a = (?<b>c)", {}),
        ("SHOULD_LINEMERGE = false", {"events": {"form": "line"}}),
        (r"LINE_BREAKER = ([\r\n]+)" + "\nSHOULD_LINEMERGE = false", {"events": {"form": "line"}}),
        (r"LINE_BREAKER = ([\r\n]+)\d{4}-\d\d", {"events": {"begin": r"^(?:\d{4}-\d\d)"}}),
        (r"LINE_BREAKER = ([\r\n]+)(?=\d{4}-)", {"events": {"begin": r"^(?:\d{4}-)"}}),
        (r"LINE_BREAKER = ([\r\n]+)(?!\s)", {"events": {"continue": r"^(?:\s)"}}),
        (r"LINE_BREAKER = ((?!))", {"events": {"form": "whole"}}),
        (r"LINE_BREAKER = \}(,)\{", {"events": {"split": r"\}(,)\{"}}),
        ("SHOULD_LINEMERGE = true\nBREAK_ONLY_BEFORE = ^START\nMAX_EVENTS = 500", {"events": {"begin": "^START", "max_lines": 500}}),
        ("MUST_BREAK_AFTER = ;$", {"events": {"end": ";$"}}),
        ("TRUNCATE = 20000", {"events": {"max_characters": 20000}}),
        ("CHARSET = ISO-8859-1", {"charset": "ISO-8859-1"}),
        (
            r"TIME_PREFIX = \[" + "\nTIME_FORMAT = %d/%b/%Y:%H:%M:%S.%3N %z\nMAX_TIMESTAMP_LOOKAHEAD = 40\nTZ = Europe/Rome",
            {"time": {"after": r"\[", "format": "%d/%b/%Y:%H:%M:%S.%3N %z", "within": 40, "zone": "Europe/Rome"}},
        ),
        ("DATETIME_CONFIG = CURRENT", {"time": {"received": True}}),
        ("INDEXED_EXTRACTIONS = json\nTIMESTAMP_FIELDS = when", {"events": {"form": "json"}, "time": {"field": "when"}}),
        ("INDEXED_EXTRACTIONS = CSV", {"events": {"form": "csv"}, "fields": [{"separator": ","}]}),
        (
            "INDEXED_EXTRACTIONS = psv\nFIELD_NAMES = a,b",
            {"events": {"form": "line"}, "fields": [{"separator": "|", "names": ["a", "b"]}]},
        ),
        (
            "SEDCMD-b = s/pin=\\d+/pin=\\//\nSEDCMD-a = s|(\\d{4})\\d+|\\1-x|g",
            {"mask": [
                {"name": "a", "match": r"(\d{4})\d+", "with": r"\1-x"},
                {"name": "b", "match": r"pin=\d+", "with": "pin=/", "once": True},
            ]},
        ),
        ("TRANSFORMS-a = nohealth", {"drop": [{"name": "nohealth", "match": "GET /health"}]}),
        ("TRANSFORMS-a = setnull, setparsing", {"keep": [{"name": "setparsing", "match": "ERROR|WARN"}]}),
        ("TRANSFORMS-a = setparsing, nohealth", {"drop": [{"name": "nohealth", "match": "GET /health"}]}),
        (
            "TRANSFORMS-a = setnull, setparsing, nohealth",
            {"keep": [{"name": "setparsing", "match": "ERROR|WARN"}], "drop": [{"name": "nohealth", "match": "GET /health"}]},
        ),
        ("TRANSFORMS-a = toaudit", {"route": [{"name": "toaudit", "match": "audit", "in": "source", "index": "audit"}]}),
        ("TRANSFORMS-a = allaudit", {"route": [{"name": "allaudit", "match": "(?s).?", "index": "audit"}]}),
        (
            "TRANSFORMS-a = hostof, typeof",
            {"set": [
                {"name": "hostof", "match": r"on=(\S+)", "host": r"\1"},
                {"name": "typeof", "match": r"^\{", "sourcetype": "json"},
            ]},
        ),
        (
            "TRANSFORMS-a = hide",
            {"mask": [{"name": "hide", "match": r"(?s:^.*?)(?:(card=)\d+(.*))(?s:.*$)", "with": r"\1X\2", "once": True}]},
        ),
        (
            "TRANSFORMS-a = meta, named",
            {"fields": [{"match": r"(\w+)-(\w+)-(\w+)", "names": ["one", "_", "three"]}, {"match": r"(?<cart>\d+)"}]},
        ),
    ],
)  # fmt: skip
def test_settings_become_rules(settings, rule):
    assert converted(settings) == (rule, [])


@pytest.mark.parametrize(
    ("settings", "note"),
    [
        ("SEDCMD-a = s/(?<=pin=)\\d+/x/g", 'SEDCMD-a: look-behind "(?<=" is not supported'),
        ("SEDCMD-a = y/abc/xyz/", "only s/pattern/replacement/ is brought; what it masks is not masked"),
        ("SEDCMD-a = s/a/b/3", "the flag 3 is not brought; what it masks is not masked"),
        ("TIME_FORMAT = %G", 'TIME_FORMAT: unknown "%G"'),
        ("TZ = Mars/Rover", "TZ Mars/Rover is not known"),
        ("TRANSFORMS-a = ingest", 'the transform "ingest" has no REGEX'),
        ("TRANSFORMS-a = clone", 'the transform "clone" writes _TCP_ROUTING, which is not brought'),
        ("TRANSFORMS-a = gone", 'there is no transform "gone"'),
        ("TRANSFORMS-a = nohealth, setparsing", "drop some events and keep some of these"),
        (r"LINE_BREAKER = (a|(?<=b)c)", "look-behind"),
        ("CHARSET = KLINGON", "CHARSET KLINGON is not known"),
        ("INDEXED_EXTRACTIONS = psv", "wants FIELD_NAMES"),
        ("TRUNCATE = 5", "TRUNCATE 5 is not from 100"),
        ("TIME_PREFIX = (a", "not a regular expression"),
    ],
)
def test_what_is_not_brought_is_told(settings, note):
    rule, notes = converted(settings)
    assert "mask" not in rule
    assert any(note in text for text in notes), notes


def test_stanzas_of_sources_and_hosts_are_told():
    assert converted("SHOULD_LINEMERGE = false", "source::/var/log/x") == (
        {},
        ["rules hold for sourcetypes; those of sources, hosts and [default] are not brought"],
    )


def test_rules_are_added_to_what_is_there_and_nothing_is_replaced(tmp_path):
    file = tmp_path / "sourcetypes.yml"
    found = convert(read_conf("[a]\nTRUNCATE = 500\n[b]\nTRUNCATE = 600\n").stanzas, {})
    assert put_rules(found, tmp_path, write=False) == {"a": "created", "b": "created"}
    assert not file.exists()
    file.write_text("# mine\nsourcetypes:\n  a:\n    drop: x  # why\n")
    assert put_rules(found, tmp_path) == {"a": "sourcetypes.yml has other rules for it, which stay", "b": "created"}
    assert file.read_text().startswith("# mine\nsourcetypes:\n  a:\n    drop: x  # why\n")
    assert yaml.safe_load(file.read_text())["sourcetypes"] == {"a": {"drop": "x"}, "b": {"events": {"max_characters": 600}}}
    assert put_rules(found, tmp_path)["b"] == "unchanged"
    file.write_text("sourcetypes: {c: {drop: x}}\n")
    with pytest.raises(UserError, match="cannot be added at the end"):
        put_rules(found, tmp_path)
    assert file.read_text() == "sourcetypes: {c: {drop: x}}\n"


def test_an_import_brings_rules_and_a_dry_run_only_tells(tmp_path):
    files = {
        "default/app.conf": "[package]\nid = shop\n",
        "default/props.conf": "[shop]\nSHOULD_LINEMERGE = false\nTRANSFORMS-x = nohealth\nSEDCMD-x = y/a/b/\n",
        "default/transforms.conf": TRANSFORMS,
    }
    path, data = tmp_path / "shop", tmp_path / "data"
    data.mkdir()
    write_files(path, files)
    catalog = Catalog(data)
    try:
        tried = bring(path, data, catalog, dry_run=True)
        assert tried.counts[RULES].created == 1
        assert not (data / "sourcetypes.yml").exists()
        done = bring(path, data, catalog)
        again = bring(path, data, catalog)
    finally:
        catalog.close()
    assert [done.counts[RULES].created, again.counts[RULES].unchanged] == [1, 1]
    assert [note.text for note in done.notes if note.kind == RULES] == [
        "SEDCMD-x: only s/pattern/replacement/ is brought; what it masks is not masked"
    ]
    rule = read_rules((data / "sourcetypes.yml").read_text()).find("shop")
    assert (rule.breaking.form, rule.drops[0].name) == ("line", "nohealth")
