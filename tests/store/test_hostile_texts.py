"""Texts and names that could make a whole segment unreadable: each is stored, whatever becomes of its fields."""

import orjson
import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest

from sightline.config import IngestSettings, Settings
from sightline.journal import JournalWriter
from sightline.store.loading import Loader

TEXTS = [
    '{"a":1e400}',
    '{"a":-1e-400}',
    '{"a":NaN}',
    '{"a":123456789012345678901234567890}',
    '{"a":1,"a":2}',
    '{"a":1,"a.b":2,"a":{"b":3}}',
    '{"":1,".":2,"..":3,"a.":4}',
    '{"a":"\\ud800"}',
    '{"a":"\\u0000"}',
    '{"a":1} trailing',
    '{"a":1}{"b":2}',
    "{",
    "{}",
    "  {  }  ",
    '{"a"}',
    '{"a":[1,"x",null,{"b":[[]]}]}',
    "[" * 5000 + "]" * 5000,
    '{"a":' * 1200 + "1" + "}" * 1200,
    '{"a":{"b":' * 300 + "1" + "}}" * 300,
    "\ufeff" + '{"a":1}',
    'a=1 a=2 a.b=3 ="" =x x= "q"=1',
    'k="unclosed',
    "k=-0 k2=00 k3=1. k4=.5 k5=1e5 k6=+1 k7=0x1f k8=1_000",
    "k=99999999999999999999 k2=-999999999999999999 k3=0.1234567890123456789",
    'k="quote\\" inside"',
    "=" * 3000,
    "a=" + "b" * 100_000,
    "\x00\x01\x1b[31m",
    "é=ü ключ=значение 😀=1",
]
NAMES = [
    "",
    ".",
    "..",
    "a",
    "a.b",
    "a.b.c",
    'q"',
    "b`t",
    "back\\slash",
    "new\nline",
    "nul\x00",
    "é",
    "x" * 5000,
    "%41",
    "a%2Eb",
]


@pytest.fixture
def loader(store, tmp_path):
    return Loader(store, Settings(data=tmp_path))


def journal(tmp_path, kind, body, records):
    writer = JournalWriter(tmp_path / "journal", IngestSettings())
    writer.submit(kind, body, index="main", records=records).result(10)
    writer.close()


def test_log_bodies(store, loader, tmp_path):
    request = ExportLogsServiceRequest()
    records = request.resource_logs.add().scope_logs.add().log_records
    for text in TEXTS:
        records.add(time_unix_nano=1763900000_000000000).body.string_value = text
    record = records.add(time_unix_nano=2**64 - 1)
    record.body.string_value = "names"
    for name in NAMES:
        record.attributes.add(key=name).value.string_value = name
        record.attributes.add(key=name).value.int_value = 5
    journal(tmp_path, "logs", request.SerializeToString(), len(records))
    loader.load_waiting()
    assert list(tmp_path.glob("quarantine/*.json")) == []
    stored = store.query("SELECT _raw FROM sightline.events WHERE index = 'main'")["_raw"].to_pylist()
    assert sorted(stored) == sorted([*TEXTS, "names"])


def test_hec_events_and_fields(store, loader, tmp_path):
    base = {"h": "", "s": "", "st": "", "i": "main"}
    lines = [orjson.dumps({**base, "t": None, "e": text, "f": {}}) for text in TEXTS]
    lines.append(orjson.dumps({**base, "t": -5e9, "e": {name: {name: [name, 1]} for name in NAMES}, "f": {}}))
    lines.append(orjson.dumps({**base, "t": 9.9e10, "e": "fields", "f": dict.fromkeys(NAMES, 1.5)}))
    journal(tmp_path, "hec", b"\n".join(lines), len(lines))
    loader.load_waiting()
    assert [path.read_text() for path in tmp_path.glob("quarantine/*.json")] == []
    assert store.query("SELECT count() AS n FROM sightline.events WHERE index = 'main'")["n"].to_pylist() == [len(lines)]
