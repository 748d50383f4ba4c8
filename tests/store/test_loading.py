"""Loading of journal segments: once each, also after a crash; a bad frame harms nobody; the ledger adds up."""

import json
import time
from pathlib import Path

import orjson
import pytest

from sightline.config import IngestSettings, Settings
from sightline.errors import UserError
from sightline.journal import JournalWriter, Piece, closed_segments
from sightline.store import loading
from sightline.store.engine_errors import EngineBusy, EngineError, engine_error
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


def test_segments_that_come_together_all_have_columns_for_their_fields(store, settings, monkeypatch):
    for number in range(2):
        write(settings, ("hec", hec_lines(*({"new_field": f"v{n}-{number}"} for n in range(300))), 300))
    loader = Loader(store, settings)
    look = loader._look_for_fields

    def look_slowly(*given):
        time.sleep(0.5)
        look(*given)

    monkeypatch.setattr(loader, "_look_for_fields", look_slowly)
    assert loader.load_waiting() == 2
    found = store.query(
        "SELECT count() AS n, countIf(isNotNull(`new_field:String`)) AS in_column, countIf(toString(fields) = '{}') AS no_others"
        " FROM sightline.events WHERE index = 'main'"
    )
    assert found.to_pylist() == [{"n": 600, "in_column": 600, "no_others": 600}]


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


def test_a_segment_of_a_large_request_is_loaded_piece_by_piece_and_once(store, settings, monkeypatch):
    monkeypatch.setattr(loading, "_PIECE_BYTES", 300)
    texts = [f"piece {n} {'x' * 40}" for n in range(20)]
    writer = JournalWriter(settings.data / "journal", IngestSettings())
    writer.submit_pieces("hec", [Piece(hec_lines(text), 1) for text in texts], token="t1", index="main").result(5)
    writer.close()
    loader = Loader(store, settings)
    inserts = []
    real = store.insert

    def insert(sql, **options):
        inserts.append(options["token"])
        if len(inserts) == 4:
            raise EngineBusy("stopped half way", 252)
        return real(sql, **options)

    with monkeypatch.context() as patch:
        patch.setattr(store, "insert", insert)
        assert loader.load_waiting() == 0
    assert 0 < len(raws(store)) < 20
    again = Loader(store, settings)
    assert again.load_waiting() == 1
    assert raws(store) == sorted(texts)
    assert again.ledger.totals() == [LedgerRow("hec:events", "t1", "main", received=20, stored=20)]


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


# -- faults


class Noted(list):
    """Collects what the loader records."""

    def __call__(self, sourcetype, **fields):
        self.append({"sourcetype": sourcetype, **fields})


def balance(loader):
    (row,) = [row for row in loader.ledger.totals() if row.source == "hec:events"]
    assert row.received == row.stored + row.refused + row.waiting
    return row.received, row.stored, row.refused


def test_damage_in_the_middle_of_a_segment_is_set_aside_and_the_rest_is_loaded(store, settings):
    write(settings, *(("hec", hec_lines(f"number {number}"), 1) for number in range(20)))
    (segment,) = closed_segments(settings.data / "journal")
    data = bytearray(segment.path.read_bytes())
    data[data.index(b"number 7")] ^= 1
    segment.path.write_bytes(data)
    noted = Noted()
    loader = Loader(store, settings, record=noted)
    assert loader.load_waiting() == 1
    assert raws(store) == sorted(f"number {number}" for number in range(20) if number != 7)
    assert balance(loader) == (20, 19, 1)
    (one,) = loader.quarantine.list()
    assert one.damaged and one.records == 1 and "checksum" in one.reason
    assert b"umber 7" in (settings.data / "quarantine" / f"{one.name}.bytes").read_bytes()
    assert [event["action"] for event in noted] == ["set aside"] and noted[0]["reason"] == one.reason
    with pytest.raises(UserError, match="cannot be tried again"):
        loader.quarantine.retry(one.name, settings.data / "journal")
    loader.quarantine.drop(one.name)
    assert loader.quarantine.list() == [] and loader.quarantine.totals() == {"requests": 0, "bytes": 0}


def test_a_request_out_of_the_quarantine_is_stored_once_and_counted_once(store, settings, monkeypatch):
    write(settings, ("hec", hec_lines("a"), 1), ("hec", hec_lines("b", "c"), 2), ("hec", hec_lines("d"), 1))
    noted = Noted()
    loader = Loader(store, settings, record=noted)
    real = store.insert

    def refuse_b(sql, **options):
        path = next(part for part in sql.split("'") if part.endswith((".seg", ".piece")))
        if b'"b"' in Path(path).read_bytes():
            raise EngineError("a value that this program cannot decode", 117)
        return real(sql, **options)

    with monkeypatch.context() as patch:
        patch.setattr(store, "insert", refuse_b)
        loader.load_waiting()
        assert raws(store) == ["a", "d"] and balance(loader) == (4, 2, 2)
        # It fails again, and comes back under its name.
        (one,) = loader.quarantine.list()
        loader.quarantine.retry(one.name, settings.data / "journal")
        assert balance(loader) == (4, 2, 0)
        loader.load_waiting()
        assert loader.quarantine.list() == [one] and balance(loader) == (4, 2, 2)
    loader.quarantine.retry(one.name, settings.data / "journal")
    loader.load_waiting()
    assert raws(store) == ["a", "b", "c", "d"]
    assert balance(loader) == (4, 4, 0)
    assert loader.quarantine.list() == [] and is_empty(settings.data / "journal")


def test_a_torn_tail_is_told(store, settings):
    write(settings, ("hec", hec_lines("a"), 1), ("hec", hec_lines("b"), 1))
    (segment,) = closed_segments(settings.data / "journal")
    segment.path.with_suffix(".open").write_bytes(segment.path.read_bytes()[:-2])
    segment.path.unlink()
    noted = Noted()
    Loader(store, settings, record=noted).load_waiting()
    assert raws(store) == ["a"]
    assert [(event["action"], event["reason"]) for event in noted] == [("cut", "the end of a request is missing")]


def test_a_segment_of_a_kind_of_a_newer_program_waits_and_holds_up_nobody(store, settings):
    write(settings, ("hologram", b"later", 3), ("hec", hec_lines("a"), 1))
    loader = Loader(store, settings, record=(noted := Noted()))
    assert loader.load_waiting() == 1
    assert raws(store) == ["a"]
    assert loader.load_waiting() == 0
    assert 'kind "hologram"' in loader.last_error
    assert [event["action"] for event in noted] == ["waits"]
    assert [row.waiting for row in loader.ledger.totals() if row.source == "hologram"] == [3]


def test_a_crash_between_the_ledger_and_the_removal_counts_a_segment_once(store, settings, monkeypatch):
    write(settings, ("hec", hec_lines("a", "b"), 2))
    loader = Loader(store, settings)
    (segment,) = closed_segments(settings.data / "journal")
    content = segment.path.read_bytes()
    loader.load_waiting()
    # The segment is there again, as if the process had ended before it could remove it.
    segment.path.parent.mkdir(exist_ok=True)
    segment.path.write_bytes(content)
    with (settings.data / "journal" / "loaded.log").open("a") as log:
        log.write('{"segment": "half a li')
    again = Loader(store, settings)
    again.load_waiting()
    assert raws(store) == ["a", "b"] and balance(again) == (2, 2, 0)


def test_a_full_disk_is_of_the_moment():
    for text in ("Code: 75. DB::Exception: Cannot write to file", "std::exception: No space left on device"):
        assert isinstance(engine_error(text), EngineBusy)
