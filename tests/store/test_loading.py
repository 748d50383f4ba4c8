"""Loading of journal segments: once each, also after a crash; a bad frame harms nobody; the ledger adds up."""

import json

import orjson
import pytest

from sightline.config import IngestSettings, Settings
from sightline.journal import JournalWriter, closed_segments
from sightline.store.engine_errors import EngineBusy
from sightline.store.ledger import LedgerRow
from sightline.store.loading import Loader, is_empty


def hec_lines(*events, index="main", **metadata):
    return b"\n".join(
        orjson.dumps({"t": 1763900000.0, "h": "h", "s": "s", "st": "x", "i": index, "e": event, **metadata})
        for event in events
    )


@pytest.fixture
def settings(tmp_path):
    return Settings(data=tmp_path)


def write(settings, *appends):
    writer = JournalWriter(settings.data / "journal", IngestSettings())
    for kind, body, records in appends:
        writer.submit(kind, body, token="t1", index="main" if kind == "hec" else "", records=records).result(5)
    writer.close()


def raws(store):
    return sorted(store.query("SELECT _raw FROM sightline.events WHERE index = 'main'")["_raw"].to_pylist())


def test_segments_are_loaded_and_removed_and_counted(store, settings):
    write(settings, ("hec", hec_lines("a", "b"), 2), ("hec", hec_lines("c"), 1))
    loader = Loader(store, settings)
    (waiting,) = loader.ledger.totals()
    assert waiting == LedgerRow("hec:events", "t1", "main", received=3, waiting=3)
    assert loader.load_waiting() == 1
    assert raws(store) == ["a", "b", "c"]
    assert is_empty(settings.data / "journal")
    expected = [LedgerRow("hec:events", "t1", "main", received=3, stored=3)]
    assert loader.ledger.totals() == expected
    assert loader.ledger.flush() == 1
    assert loader.ledger.totals() == expected


def test_a_segment_loaded_before_a_crash_is_not_loaded_twice(store, settings, monkeypatch):
    write(settings, ("hec", hec_lines("a", "b"), 2))
    loader = Loader(store, settings)
    (segment,) = closed_segments(settings.data / "journal")
    content = segment.path.read_bytes()
    monkeypatch.setattr(loader.ledger, "add", lambda *_: None)
    loader.load_waiting()
    segment.path.parent.mkdir(exist_ok=True)
    segment.path.write_bytes(content)
    (segment.path.parent / "lock").touch()
    again = Loader(store, settings)
    assert again.load_waiting() == 1
    assert raws(store) == ["a", "b"]
    assert again.ledger.totals() == [LedgerRow("hec:events", "t1", "main", received=2, stored=2)]


def test_a_frame_the_engine_cannot_read_is_set_aside_and_its_neighbours_are_stored(store, settings):
    good = [("hec", hec_lines(f"good {i}"), 1) for i in range(7)]
    bad = ("hec", b'{"t":1,"h":"h","s":"s","st":"x","i":"main","e":"cut off', 1)
    write(settings, *good[:3], bad, *good[3:])
    loader = Loader(store, settings)
    assert loader.load_waiting() == 1
    assert raws(store) == [f"good {i}" for i in range(7)]
    (reason_file,) = (settings.data / "quarantine").glob("*.json")
    reason = json.loads(reason_file.read_text())
    assert (reason["kind"], reason["token"], reason["records"]) == ("hec", "t1", 1)
    assert reason["reason"]
    (row,) = loader.ledger.totals()
    assert (row.received, row.stored, row.refused, row.waiting) == (8, 7, 1, 0)
    assert is_empty(settings.data / "journal")


def test_an_interrupted_cut_does_not_double_what_it_had_stored(store, settings, monkeypatch):
    write(settings, ("hec", hec_lines("a"), 1), ("hec", b"not json", 1), ("hec", hec_lines("b"), 1))
    loader = Loader(store, settings)
    real = loader._set_aside

    def crash(*arguments):
        raise OSError("killed here")

    monkeypatch.setattr(loader, "_set_aside", crash)
    loader.load_waiting()
    monkeypatch.setattr(loader, "_set_aside", real)
    again = Loader(store, settings)
    again.load_waiting()
    assert raws(store) == ["a", "b"]
    assert len(list((settings.data / "quarantine").glob("*.json"))) == 1


def test_an_error_of_the_moment_leaves_the_segment_for_later(store, settings, monkeypatch):
    write(settings, ("hec", hec_lines("a"), 1))
    loader = Loader(store, settings)

    def busy(*_, **__):
        raise EngineBusy("too many parts", 252)

    with monkeypatch.context() as patch:
        patch.setattr(store, "insert", busy)
        assert loader.load_waiting() == 0
    assert "too many parts" in loader.last_error
    assert not is_empty(settings.data / "journal")
    loader._retry_at.clear()
    assert loader.load_waiting() == 1
    assert raws(store) == ["a"]


def test_ledger_counts_noted_before_a_crash_are_told_once(store, settings):
    loader = Loader(store, settings)
    loader.ledger.add("w/1", [LedgerRow("hec:events", "", "main", received=5, stored=4, refused=1, reason="why")])
    log = settings.data / "journal" / "loaded.log"
    content = log.read_text()
    loader.ledger.flush()
    log.write_text(content)
    assert Loader(store, settings).ledger.totals() == [LedgerRow("hec:events", "", "main", received=5, stored=4, refused=1)]


def test_a_segment_of_broken_protobuf_does_not_stop_others(store, settings):
    write(settings, ("logs", b"\x0a\x02\xff\xff", 1), ("hec", hec_lines("fine"), 1))
    loader = Loader(store, settings)
    assert loader.load_waiting() == 2
    assert raws(store) == ["fine"]
    refused = {row.source: row.refused for row in loader.ledger.totals()}
    assert refused == {"hec:events": 0, "otlp:logs": 1}
