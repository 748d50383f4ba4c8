"""What each part of a rule means, tried without loading: that trying and loading agree is tested elsewhere."""

from datetime import UTC, datetime

import pytest

from sightline.config import Settings
from sightline.sourcetypes import read_rules
from sightline.store import EmbeddedStore
from sightline.store.trying import try_text

RECEIVED = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    folder = tmp_path_factory.mktemp("rules")
    with EmbeddedStore(folder / "engine", Settings(data=folder)) as opened:
        yield opened


@pytest.fixture
def tried(store):
    """The events that a text of the sourcetype `app` becomes under a rule."""

    def run(rule, text, received=RECEIVED):
        rules = read_rules(f"sourcetypes: {{app: {{{rule}}}}}") if rule else read_rules("")
        return try_text(store.query, rules, text.encode(), sourcetype="app", received=received).events

    return run


def seconds(expected):
    return RECEIVED if expected is None else datetime.fromisoformat(expected).replace(tzinfo=UTC).timestamp()


# ---- breaking


@pytest.mark.parametrize(
    ("events", "text", "expected"),
    [
        ("{begin: '^>'}", "> a\nb\n> c\n", ["> a\nb", "> c"]),
        ("{continue: '^[+]'}", "a\n+b\nc\n", ["a\n+b", "c"]),
        ("{end: ';$'}", "a\nb;\nc;\nd", ["a\nb;", "c;", "d"]),
        (r"{split: '\n---\n'}", "a\nb\n---\nc", ["a\nb", "c"]),
        (r"{split: '([\r\n]+)<\d+>'}", "<1>a\nb\n<2>c\r\n\r\n<3>d", ["<1>a\nb", "<2>c", "<3>d"]),
        ("{form: line}", "2026-01-02 03:04:05 a\n  b\n\n", ["2026-01-02 03:04:05 a", "  b"]),
        ("{form: whole}", "a\n\nb\n", ["a\n\nb"]),
        ("{begin: '^>', max_lines: 2}", "> a\nb\nc\nd\ne\n> f", ["> a\nb", "c\nd", "e", "> f"]),
        ("{form: whole, max_lines: 2}", "a\nb\nc", ["a\nb", "c"]),
        ("{form: line, max_characters: 100}", "é" * 130, ["é" * 100, "é" * 30]),
        ("{begin: '^>', max_characters: 100}", "> " + "x" * 150, ["> " + "x" * 98, "x" * 52]),
    ],
)
def test_text_is_broken_as_the_rule_says(tried, events, text, expected):
    assert [event.raw for event in tried(f"events: {events}", text)] == expected


# ---- times


@pytest.mark.parametrize(
    ("time", "text", "expected"),
    [
        ("{format: '%d.%m.%Y %H:%M:%S,%3N'}", "x 02.01.2026 03:04:05,250 y", "2026-01-02T03:04:05.250"),
        ("{format: '%d.%m.%Y %H:%M:%S', zone: Europe/Rome}", "02.01.2026 03:04:05", "2026-01-02T02:04:05"),
        ("{format: '%Y-%m-%d %H:%M:%S%z'}", "2026-01-02 03:04:05+0530", "2026-01-01T21:34:05"),
        ("{format: '%Y-%m-%d %H:%M:%S %Z'}", "2026-01-02 03:04:05 EST", "2026-01-02T08:04:05"),
        ("{format: '%Y-%m-%d %H:%M:%S %Z', zone: Europe/Rome}", "2026-01-02 03:04:05 QQT", "2026-01-02T02:04:05"),
        ("{format: '%B %e, %Y %I:%M %p'}", "JANUARY  2, 2026 03:04 pm", "2026-01-02T15:04:00"),
        ("{format: '%m/%d/%y %I:%M:%S %p'}", "1/2/26 12:04:05 AM", "2026-01-02T00:04:05"),
        ("{format: '%y%m%d %k:%M:%S'}", "260102  3:04:05", "2026-01-02T03:04:05"),
        ("{format: '%Y.%j %T'}", "2026.002 03:04:05", "2026-01-02T03:04:05"),
        ("{format: '%b %d %T'}", "Dec 31 23:00:00", "2025-12-31T23:00:00"),
        ("{format: '%m-%d %T'}", "01-02 03:04:05", "2026-01-02T03:04:05"),
        ("{format: '%H:%M:%S.%f'}", "03:04:05.5", "2026-01-05T03:04:05.500"),
        ("{format: '%H:%M'}", "23:30", "2026-01-05T23:30:00"),
        ("{format: '%s'}", "at 1767323045", "2026-01-02T03:04:05"),
        ("{format: '%s.%6N'}", "1767323045.250125", "2026-01-02T03:04:05.250125"),
        ("{format: '%s%3N'}", "t1767323045250", "2026-01-02T03:04:05.250"),
        ("{format: ['%Y-%m-%d', '%d/%m/%Y']}", "02/01/2026", "2026-01-02T00:00:00"),
        ("{after: 'end=', format: '%F %T'}", "2025-05-05 00:00:00 end=2026-01-02 03:04:05", "2026-01-02T03:04:05"),
        ("{after: '(end|stop)='}", "2025-05-05 00:00:00 stop=2026-01-02 03:04:05", "2026-01-02T03:04:05"),
        ("{after: 'end=', within: 5, format: '%F'}", "end=       2026-01-02", None),
        ("{field: when}", '{"a": {"time": 1}, "when": "2026-01-02T03:04:05Z", "time": 2}', "2026-01-02T03:04:05"),
        ("{field: a.when, format: '%d/%m/%Y'}", '{"a": {"when": "02/01/2026"}}', "2026-01-02T00:00:00"),
        ("{zone: America/New_York}", "2026-01-02 03:04:05 x", "2026-01-02T08:04:05"),
        ("{zone: America/New_York}", "2026-01-02T03:04:05Z x", "2026-01-02T03:04:05"),
        ("{received: true}", "2026-01-02 03:04:05 x", None),
        ("{format: '%d.%m.%Y'}", "31.02.2026", None),
        ("{format: '%d.%m.%Y'}", "2026-01-02", None),
        ("{format: '%F'}", "2056-01-02", "2056-01-02T00:00:00"),
    ],
)
def test_times_are_read_as_the_rule_says(tried, time, text, expected):
    (event,) = tried(f"time: {time}", text)
    assert datetime.fromisoformat(event.time).timestamp() == seconds(expected)
    assert (event.time_from == "text") == (expected is not None or "received" in time)


# ---- recognised times


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("2026-01-02T03:04:05.678901Z x", "2026-01-02T03:04:05.678901"),
        ("level=info t=2026-01-02T03:04:05+01:00", "2026-01-02T02:04:05"),
        ("2026/01/02 03:04:05 [error] 7#7: nginx", "2026-01-02T03:04:05"),
        ("[2026-01-02 03:04:05,250] {dag.py:1} INFO", "2026-01-02T03:04:05.250"),
        ("2026-01-02 03:04:05.25 +0530 x", "2026-01-01T21:34:05.250"),
        ('10.0.0.1 - - [02/Jan/2026:03:04:05 -0700] "GET /" 200', "2026-01-02T10:04:05"),
        ("Date: 02 Jan 2026 03:04:05 GMT", "2026-01-02T03:04:05"),
        ("Jan  2 03:04:05 web sshd[1]: x", "2026-01-02T03:04:05"),
        ("Dec 31 23:59:59 web sshd[1]: x", "2025-12-31T23:59:59"),
        ("Fri Jan  2 03:04:05 2026 x", "2026-01-02T03:04:05"),
        ("Jan  2 03:04:05 UTC 2026 x", "2026-01-02T03:04:05"),
        ("1/2/2026 3:04:05 PM x", "2026-01-02T15:04:05"),
        ("20260102T030405Z x", "2026-01-02T03:04:05"),
        ("I0102 03:04:05.123456 1 server.go:1] x", "2026-01-02T03:04:05.123456"),
        ("1767323045 x", "2026-01-02T03:04:05"),
        ("1767323045.25 x", "2026-01-02T03:04:05.250"),
        ("[1767323045250] x", "2026-01-02T03:04:05.250"),
        ("1767323045250125 x", "2026-01-02T03:04:05.250125"),
        ("1767323045250125999 x", "2026-01-02T03:04:05.250126"),
        ('{"a": 1, "time": "2026-01-02T03:04:05Z"}', "2026-01-02T03:04:05"),
        ('{"timestamp": 1767323045250}', "2026-01-02T03:04:05.250"),
        ('{"@timestamp": "2026-01-02T03:04:05+00:00", "ts": 1}', "2026-01-02T03:04:05"),
        ("2036-01-02 03:04:05 a clock that is wrong", None),
        ("2026-02-31 03:04:05 no such day", None),
        ("order 1767323045 is no time", None),
        ("no time", None),
    ],
)
def test_times_are_recognised(tried, line, expected):
    (event,) = tried("", line)
    assert datetime.fromisoformat(event.time).timestamp() == seconds(expected)


# ---- fields


@pytest.mark.parametrize(
    ("fields", "text", "expected"),
    [
        (r"'(?<a>\w+)-(?P<b>\w+)?'", "x-", {"a": "x"}),
        (r"{match: '(\w+) (\w+) (\w+)', names: [one, _, three]}", "1 2 3", {"one": 1, "three": 3}),
        ("{separator: '|', names: [a, b, c]}", 'x|"y|""z"|007', {"a": "x", "b": 'y|"z', "c": "007"}),
        ("{inside: '^[^{]*(.*)$'}", 'INFO {"a": 1, "b": {"c": 2}}', {"a": 1, "b": {"c": 2}}),
        ("{inside: 'args: (.*)$'}", "b=1 args: a=2", {"a": 2, "b": 1}),
    ],
)
def test_fields_are_taken_out(tried, fields, text, expected):
    assert tried(f"fields: [{fields}]", text)[0].fields == expected
