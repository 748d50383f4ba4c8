"""Batches of HEC taken apart: every form gives the same, a fault ends it, and the two ways of reading agree."""

import json
import math
import re
import subprocess
import sys
from importlib.resources import files

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sightline import machinecode
from sightline.machinecode.machine import Machine
from sightline.receivers import envelopes, hec_looks
from sightline.receivers.envelopes import Defaults, Fault, sort_batch

DEFAULTS = Defaults("h", "s", "st")
INDEXES = {"": {"event": "main", "metric": "metrics"}, "app": {"event": "app"}, "m": {"metric": "m"}}


@pytest.fixture(scope="module", autouse=True, params=["compiled", "library"])
def machine(request):
    """Whatever is compiled or not, batches mean the same."""
    if machinecode.load("batch") is None:
        subprocess.run([sys.executable, "-m", "sightline.store.compiled"], check=True)
    with pytest.MonkeyPatch.context() as patch:
        machine = Machine("batch" if request.param == "compiled" else "none")
        machine.load()
        patch.setattr(hec_looks, "_machine", machine)
        yield request.param


def index_of(named, kind):
    return INDEXES.get(named, {}).get(kind)


def take(body, **defaults):
    return sort_batch(body if isinstance(body, bytes) else body.encode(), Defaults("h", "s", "st", **defaults), index_of)


def columns(frame):
    batch = envelopes._BATCH.FromString(frame.body)
    found = {field.name: list(value) for field, value in batch.ListFields()}
    # NaN is equal to nothing, itself included.
    return found | {"times": [None if math.isnan(time) else time for time in found.get("times", ())]}


def events_of(body, **defaults):
    found = take(body, **defaults)
    assert found.fault is None
    return [columns(frame) for frame in found.frames]


def joined(found):
    """Events and records by where they go."""
    events: dict = {}
    for frame in found.frames:
        into = events.setdefault((frame.kind, frame.index), [[], 0])
        into[0] += columns(frame)["events"]
        into[1] += frame.records
    return events


hard_text = st.text(st.sampled_from('}{"\\[]:, \n\r\t/u\x00dé😀a1'), max_size=12)
values = st.recursive(
    st.one_of(
        hard_text.filter(bool), st.integers(-(2**70), 2**70), st.floats(allow_nan=False, allow_infinity=False), st.booleans()
    ),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(hard_text, inner, max_size=3),
    max_leaves=5,
)
flat = st.dictionaries(
    hard_text, st.one_of(hard_text, st.integers(), st.none(), st.lists(hard_text, max_size=2)), max_size=3
)
one = st.fixed_dictionaries(
    {"event": values},
    optional={
        "time": st.floats(0, 4e9),
        "host": st.none() | hard_text,
        "source": hard_text,
        "index": st.sampled_from(["", "app", None]),
        "fields": st.none() | flat,
    },
)


@given(st.lists(one, min_size=1, max_size=4), st.booleans())
@settings(max_examples=150, deadline=None)
def test_every_form_of_a_batch_gives_the_same(batch, escaped):
    texts = [json.dumps(each, ensure_ascii=escaped) for each in batch]
    pretty = [json.dumps(each, ensure_ascii=escaped, indent=2) for each in batch]
    plain = take("\n".join(texts))
    assert plain.fault is None
    assert sum(frame.records for frame in plain.frames) == len(batch)
    for body in (
        "".join(texts),
        " \t ".join(texts),
        "\r\n\r\n".join(texts) + "\n",
        f"[{','.join(texts)}]",
        f" [ {' , '.join(texts)} ] ",
    ):
        assert take(body) == plain
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(envelopes, "PIECE_BYTES", 40)
        for body in ("".join(texts), "\n".join(texts)):
            # A brace that ends an object and one that begins one may stand in a text too: then it is read as a whole.
            pieces = envelopes.sort_in_pieces(body.encode(), DEFAULTS, index_of)
            assert pieces is None or joined(pieces) == joined(plain)
    careful = envelopes._one_by_one("".join(texts).encode(), DEFAULTS, index_of)
    assert [columns(frame) for frame in careful.frames] == [columns(frame) for frame in plain.frames]
    for body in ("".join(pretty), f"[{','.join(pretty)}]"):
        spread = take(body)
        assert [json.loads(e) for f in spread.frames for e in columns(f)["events"]] == [
            json.loads(e) for f in plain.frames for e in columns(f)["events"]
        ]
    first = plain.frames[0]
    expected = [each for each in batch if (each.get("index") or "") == ("app" if first.index == "app" else "")]
    assert [json.loads(event) for event in columns(first)["events"]] == [each["event"] for each in expected]


def by_library(body):
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(hec_looks, "_machine", Machine("none"))
        return take(body)


@given(st.lists(one, min_size=1, max_size=4), st.booleans(), st.integers(0), st.binary(max_size=2))
@settings(max_examples=300, deadline=None)
def test_compiled_code_takes_what_the_library_takes(batch, escaped, place, damage):
    body = " ".join(json.dumps(each, ensure_ascii=escaped) for each in batch).encode()
    assert take(body) == by_library(body)
    at = place % len(body)
    broken = body[:at] + damage + body[at + 1 :]
    assert take(broken) == by_library(broken)


@pytest.mark.parametrize(
    "body",
    [
        b"{}",
        b'{"event":1,}',
        b'{"event":1 "time":2}',
        b'{"event":01}',
        b'{"event":metric}',
        b'{"event":null,"time":1}',
        b'{"event":1,"time":"1 "}',
        b'{"event":1,"time":true}',
        b'{"event":1,"time":-0}{"event":2,"time":1700000000.1234567890123}',
        b'{"event":1,"index":7}',
        b'{"event":1,"fields":[]}',
        b'{"event":1,"fields":{"a":1,"a":2}}{"event":2}',
        b'{"event":1,"host":null}{"event":1,"host":""}{"event":1,"host":"h"}',
        b'{"event":1}' + b" " * 5000 + b'{"event":2}',
        b'{"event":' + b"[" * 70 + b"]" * 70 + b"}",
    ],
)
def test_odd_batches_mean_the_same_to_compiled_code(body):
    assert take(body) == by_library(body)


def test_usual_batches_are_taken_by_compiled_code(machine):
    body = (
        b'{"time":1763900000.25,"host":"a","source":"s","sourcetype":"t","index":"app","event":{"b":[1,{"c":"\\n"}]},'
        b'"fields":{"d":"x","e":-1.5}}\n{"time":"7","event":"text","index":"app"}'
    )
    found = hec_looks.usual_batch(body, "h", "s", "st")
    if machine == "library":
        assert found is None
        return
    assert (found.events, found.index) == (2, "app")
    assert take(body).frames[0].body == found.body
    assert hec_looks.usual_batch(b'{"event":1}', "", "", "").events == 1
    # What holds for events without a host is longer than there is room for.
    some = b'{"event":1}{"event":2,"host":"b"}' * 50
    assert hec_looks.usual_batch(some, "h" * 5000, "s", "st") is None
    assert len(columns(sort_batch(some, Defaults("h" * 5000, "s", "st"), index_of).frames[0])["hosts"]) == 100


def test_values_are_the_bytes_that_came():
    body = b'{"event": {"b" : 1.50, "a":1e400,\n "n": 12345678901234567890123 } }{"event":"\\u00e9"}{"event":1.0}'
    (only,) = events_of(body)
    assert only["events"] == [b'{"b" : 1.50, "a":1e400,\n "n": 12345678901234567890123 }', b'"\\u00e9"', b"1.0"]


def test_a_text_is_told_once_where_it_is_the_same_for_all():
    (only,) = events_of('{"event":1,"host":"a"}{"event":2,"host":"a"}')
    assert (only["hosts"], only["sources"], only["times"]) == (["a"], ["s"], [])
    (only,) = events_of('{"event":1,"host":"a","time":1}{"event":2,"host":""}{"event":3,"time":"2.5"}')
    assert (only["hosts"], only["times"]) == (["a", "h", "h"], [1.0, None, 2.5])
    (only,) = events_of('{"event":1,"host":"a"}{"event":2,"host":"b"}')
    assert only["hosts"] == ["a", "b"]


def test_a_batch_for_several_indexes_and_kinds_becomes_a_frame_for_each():
    metric = '{"event":"metric","fields":{"metric_name:a":1,"metric_name:b":2}}'
    found = take('{"event":1}{"event":2,"index":"app"}' + metric + '{"event":3}{"event":"metric"}')
    assert [(frame.kind, frame.index, frame.records) for frame in found.frames] == [
        ("hecevent", "main", 3),
        ("hecevent", "app", 1),
        ("hecmetric", "metrics", 2),
    ]
    assert columns(found.frames[0])["events"] == [b"1", b"3", b'"metric"']
    assert take('{"event":1}{"event":2}', index="app").frames[0].index == "app"
    assert take('{"event":1}', find_time=True).frames[0].kind == "hectimed"


@pytest.mark.parametrize(
    ("body", "taken", "fault"),
    [
        (b'{"event":1}{"event":"a', 1, Fault(6, 1)),
        (b'{"event":1},{"event":2}', 1, Fault(6, 1)),
        (b'{"event":"a}{b"},{"event":"c"}', 1, Fault(6, 1)),
        (b'[{"event":1},{"event":2}', 2, Fault(6, 2)),
        (b'{"event":1}{"event":"a\xffb"}{"event":2}', 1, Fault(6, 1)),
        (b'{"event":1}{"event":"a\nb"}', 1, Fault(6, 1)),
        (b'{"event":1}{"event":NaN}', 1, Fault(6, 1)),
        (b'{"event":1}{"event":Infinity}', 1, Fault(6, 1)),
        (b'{"event":1}{"event":' + b"[" * 100_000 + b"]" * 100_000 + b"}", 1, Fault(6, 1)),
        (b'{"event":1}{"event":2,"source":["x"]}{"event":3}', 1, Fault(6, 1, 2)),
        (b'{"event":1}{"events":2}{"event":3}{"event":4}', 1, Fault(12, 1, 3)),
        (b'{"event":1}{"event":""}{"event":3}{', 1, Fault(13, 1, 3)),
        (b'{"event":1}{"event":2,"time":"soon"}', 1, Fault(15, 1)),
        (b'{"event":1}{"event":2,"time":[1]}', 1, Fault(15, 1)),
        (b'{"event":1}{"event":2,"time":1e999}', 1, Fault(15, 1)),
        (b'{"event":1}{"event":2,"time":-1e10}', 1, Fault(15, 1)),
        (b'{"event":1}{"event":2,"time":"NaN"}', 1, Fault(15, 1)),
        (b'{"event":1}{"event":2,"time":"1_000"}', 1, Fault(15, 1)),
        (b'{"event":1}{"event":2,"time":' + b"9" * 5000 + b"}", 1, Fault(15, 1)),
        (b'{"event":1}{"event":2,"time":' + b"9" * 400 + b"}", 1, Fault(15, 1)),
        (b'{"event":1}{"event":2,"fields":{"a":{"b":1}}}', 1, Fault(15, 1)),
        (b'{"event":1}{"event":2,"fields":{"a":[[1]]}}', 1, Fault(15, 1)),
        (b'{"event":1}{"event":2,"index":"m"}{"event":3}', 1, Fault(7, 2, 2)),
        (b'{"event":1}{"event":"metric","index":"app","fields":{"metric_name:a":1}}', 1, Fault(7, 2)),
        (b'{"event":1}{"event":"metric","fields":{"metric_name":"a"}}', 1, Fault(15, 1)),
        (b'{"event":1}{"event":"metric","fields":{"metric_name":7,"_value":1}}', 1, Fault(15, 1)),
        (b'{"event":1}{"event":"metric","fields":{"metric_name:":1}}', 1, Fault(15, 1)),
    ],
)  # fmt: skip
def test_a_batch_is_taken_up_to_its_first_fault(body, taken, fault):
    found = take(body)
    assert found.fault == fault
    assert sum(frame.records for frame in found.frames) == taken


def test_ordinary_batches_are_read_at_once(monkeypatch):
    monkeypatch.setattr(envelopes, "_one_by_one", None)
    assert events_of('{"event":1,"fields":{"a":"[{","b":["x",null,1.5]}}{"event":2}')[0]["fields"] == [
        b'{"a":"[{","b":["x",null,1.5]}',
        b"",
    ]
    assert len(events_of('{"event":1,"index":"app","time":"5"}{"event":"\\ud800","host":"b"}')) == 2
    metrics = '{"event":"metric","fields":{"metric_name:a":1,"d":"x"}}{"event":"metric","fields":{"metric_name:b":"2"}}'
    assert take(metrics).frames[0].records == 2
    assert take('{"event":"metric","fields":{"metric_name":"a","_value":1}}').frames[0].records == 1


def test_a_half_of_a_pair_that_stands_alone_becomes_the_replacement_character():
    body = rb'{"event":"\ud83d\ude00 \\ud800 \\\udc00 \udcff","host":"\uD800x"}'
    (only,) = events_of(body)
    assert json.loads(only["events"][0]) == "😀 \\ud800 \\\ufffd \ufffd"
    assert only["hosts"] == ["\ufffdx"]


def test_small_latitudes():
    assert events_of(b"\xef\xbb\xbf" + b'{"event":1}')[0]["events"] == [b"1"]
    assert events_of('{"event":1,"event":2,"unknown":{}}')[0]["events"] == [b"2"]
    (only,) = events_of('{"event":1,"fields":null}{"event":2,"fields":{"a":"[{"}}')
    assert only["fields"] == [b"", b'{"a":"[{"}']
    assert "fields" not in events_of('{"event":1,"fields":null}')[0]


@pytest.mark.parametrize(
    ("time", "seconds"),
    [
        (1763900000.25, 1763900000.25),
        ("1763900000.25", 1763900000.25),
        (1763900000250, 1763900000.25),
        (1763900000250000, 1763900000.25),
        ("1763900000250000000", 1763900000.25),
        (-5, -5.0),
        (0, 0.0),
        (None, None),
        ("", None),
        (" .5 ", 0.5),
        ("+1e3", 1000.0),
    ],
)
def test_times_are_seconds_or_finer(time, seconds):
    (only,) = events_of(json.dumps({"event": 1, "time": time}) + '{"event":2,"time":7}')
    # A double holds nanoseconds of today to a quarter of a microsecond.
    assert only["times"] == [seconds if seconds is None else pytest.approx(seconds, abs=3e-7), 7.0]


@pytest.mark.parametrize(
    "fields",
    [
        '{"metric_name:a":1,"metric_name:b":"2.5","d":"x"}',
        '{"metric_name":"a","_value":-1.5e3,"d":1}',
        '{"d":"1", "_value" : "+7" , "metric_name" : "a" }',
        '{"metric_name:a":1,"metric_name:a":2}',
    ],
)
def test_ordinary_metrics_are_not_rewritten(fields):
    body = f'{{"event":"metric","fields":{fields}}}'
    (frame,) = take(body).frames
    assert columns(frame)["fields"] == [fields.encode()]
    careful = envelopes._one_by_one(body.encode(), DEFAULTS, index_of)
    assert frame.records == careful.frames[0].records == max(1, fields.count("metric_name:"))


def test_values_of_metrics_that_are_no_numbers_are_counted():
    found = take('{"event":"metric","fields":{"metric_name:a":"NaN","metric_name:b":true,"metric_name:c":3,"d":null}}')
    assert (found.dropped_measures, found.frames[0].records) == (2, 1)
    assert json.loads(columns(found.frames[0])["fields"][0]) == {"metric_name:c": 3.0, "d": None}


def test_the_message_is_that_of_the_schema():
    schema = (files("sightline.store.decode") / "hec.proto").read_text().partition("message HecFrame")[0]
    declared = re.findall(r"repeated (\w+) (\w+) = (\d+);", schema)
    kinds = {9: "string", 12: "bytes", 1: "double"}
    ours = [(kinds[field.type], field.name, str(field.number)) for field in envelopes._BATCH.DESCRIPTOR.fields]
    assert ours == declared
