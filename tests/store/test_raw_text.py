"""Text without a form: the engine breaks it into events and recognises their times; the ledger counts what it found."""

import json
from datetime import UTC, datetime

import pytest

from sightline.config import IngestSettings, Settings
from sightline.journal import JournalWriter
from sightline.store.ledger import LedgerRow
from sightline.store.loading import Loader

RECEIVED = datetime(2026, 1, 5, 12, tzinfo=UTC).timestamp()


@pytest.fixture
def load(store, tmp_path):
    """Loads texts, each a frame of its own, and gives the events in order, and the ledger's totals."""
    settings = Settings(data=tmp_path)

    def run(*texts, received=RECEIVED, kind="raw", index="main", **head):
        writer = JournalWriter(tmp_path / "journal", IngestSettings(), lambda: received)
        for number, text in enumerate(texts):
            frame_head = {"host": "h", "source": "s", "sourcetype": "st", **head}
            content = text if isinstance(text, bytes) else text.encode()
            body = json.dumps(frame_head).encode() + b"\n" + content
            name = index[number] if isinstance(index, tuple) else index
            writer.submit(kind, body, token="t", index=name, records=content.count(b"\n") + 1).result(5)
        writer.close()
        loader = Loader(store, settings)
        assert loader.load_waiting() == 1
        assert loader.last_error == ""
        rows = store.query(
            "SELECT _raw, _time, severity, toString(fields) AS fields FROM sightline.events ORDER BY _time, _raw"
        ).to_pylist()
        return rows, loader.ledger.totals()

    return run


def texts(rows):
    return [row["_raw"] for row in rows]


def test_lines_without_times_are_events_and_indented_ones_go_on(load):
    rows, totals = load("one\n\n  \ntwo\r\n\tat x\r\n\r\nthree\n")
    assert sorted(texts(rows)) == ["one", "three", "two\n\tat x"]
    assert {row["_time"].timestamp() for row in rows} == {RECEIVED}
    assert totals == [LedgerRow("hec:raw", "t", "main", received=3, stored=3)]


def test_lines_without_a_time_go_with_the_line_before_that_has_one(load):
    text = (
        "2026-01-02 10:11:12,123 ERROR boom cart=7\njava.lang.X: at 2025-05-05?\n\tat a.b\n\nCaused by: y\n"
        '2026-01-02 10:11:13 next\n{"ts": 1767348674.5, "level": "WARNING"}\n'
    )
    rows, _ = load(text, fields={"pod": "a"})
    assert texts(rows) == [
        "2026-01-02 10:11:12,123 ERROR boom cart=7\njava.lang.X: at 2025-05-05?\n\tat a.b\n\nCaused by: y",
        "2026-01-02 10:11:13 next",
        '{"ts": 1767348674.5, "level": "WARNING"}',
    ]
    assert rows[0]["_time"] == datetime(2026, 1, 2, 10, 11, 12, 123000, UTC)
    assert json.loads(rows[0]["fields"]) == {"cart": 7, "pod": "a"}
    assert (rows[2]["_time"].timestamp(), rows[2]["severity"]) == (1767348674.5, "warn")


def test_years_are_told_at_new_year_and_on_leap_days(load, store):
    new_year = datetime(2025, 12, 31, 23, 59, 58, tzinfo=UTC).timestamp()
    rows, _ = load("Jan  1 00:00:01 a fast clock", "Dec 31 23:59:57 b", "Feb 29 10:00:00 c", received=new_year)
    assert [row["_time"].isoformat()[:10] for row in rows] == ["2024-02-29", "2025-12-31", "2026-01-01"]


def test_an_event_without_a_time_has_that_of_the_event_before_it(load):
    rows, _ = load('first\n{"time": "2026-01-02T03:04:05Z"}\nsecond', "third")
    assert {row["_raw"]: row["_time"].timestamp() for row in rows} == {
        "first": RECEIVED,
        '{"time": "2026-01-02T03:04:05Z"}': 1767323045.0,
        "second": 1767323045.0,
        "third": RECEIVED,
    }


def test_a_time_that_is_given_wins(load):
    rows, _ = load("2026-01-02 03:04:05 a", time=1763900000.5)
    assert rows[0]["_time"].timestamp() == 1763900000.5


def test_bytes_that_are_no_text_are_stored_as_text(load):
    rows, _ = load(b"caf\xe9 a=1")
    assert texts(rows) == ["caf\ufffd a=1"]


def test_events_are_counted_for_each_index_and_source(load):
    _, totals = load("a\n b\n", "c\nd\n", kind="tail", index=("app", "main"))
    assert totals == [
        LedgerRow("file:tail", "t", "app", received=1, stored=1),
        LedgerRow("file:tail", "t", "main", received=2, stored=2),
    ]
