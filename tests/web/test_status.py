"""What is cut, folded, refused, set aside, removed and backed up can be seen: on the status page and at /metrics."""

import time

import orjson
import pyarrow as pa
from prometheus_client.parser import text_string_to_metric_families
from prometheus_client.registry import CollectorRegistry

from sightline.config import IngestSettings
from sightline.counts import OTHER, Counts, read_counts
from sightline.journal import JournalWriter
from sightline.receivers.exposition import Exposition
from sightline.receivers.refusals import Refusals

TEXT_REASON = "the text of an event was longer than ingest.max_event_bytes"


def line(event, index="main"):
    return orjson.dumps({"t": time.time(), "h": "h", "s": "s", "st": "x", "i": index, "e": event})


def send(parts, *bodies):
    writer = JournalWriter(parts.directory.path / "journal", IngestSettings())
    for body in bodies:
        writer.submit("hec", body, token="t1", index="main", records=1).result(5)
    writer.close()
    parts.loader.load_waiting()
    parts.loader.ledger.flush()


def test_what_was_cut_and_set_aside_is_on_the_status_page_and_in_the_metrics(ada, parts, tmp_path):
    send(parts, line("short"), line("x" * 1_200_000), b"this is no JSON")
    status = ada.get("/api/v1/status").json()
    reasons = {(row["index"], row["reason"]): (row["refused"], row["cut"]) for row in status["reasons"]}
    (refused,) = status["quarantine"]["newest"]
    assert reasons == {("main", TEXT_REASON): (0, 1), ("main", refused["reason"][:300]): (1, 0)}
    assert (refused["kind"], refused["index"], refused["records"], refused["size_bytes"] > 0) == ("hec", "main", 1, True)
    assert status["quarantine"]["requests"] == 1

    journal = JournalWriter(tmp_path / "journal", IngestSettings())
    refusals = Refusals(journal, time.time)
    refusals.add("otlp:logs", 'index "secret" is not defined', index="main", records=3)
    shown = Exposition(None, journal, refusals, parts.directory.path)
    from prometheus_client.exposition import generate_latest

    samples = {
        (s.name, *s.labels.values()): s.value
        for family in text_string_to_metric_families(generate_latest(_only(shown)).decode())
        for s in family.samples
    }
    journal.close()
    assert samples["sightline_stored_records_total", "main", "hec:events"] == 2
    assert samples["sightline_cut_records_total", "main", TEXT_REASON, "hec:events"] == 1
    assert samples["sightline_refused_records_total", "main", 'index "…" is not defined', "otlp:logs"] == 3
    engine = [k for k in samples if k[0] == "sightline_refused_records_total" and k[3] == "hec:events"]
    assert [samples[key] for key in engine] == [1]
    assert samples["sightline_quarantine_requests",] == 1 and samples["sightline_quarantine_bytes",] > 0


def _only(exposition):
    registry = CollectorRegistry()
    registry.register(exposition)
    return registry


def test_the_rules_of_sourcetypes_have_a_state(ada, parts):
    path = parts.directory.path / "sourcetypes.yml"
    assert ada.get("/api/v1/status").json()["sourcetypes"] | {"builtin": 0} == {
        "state": "none", "problem": "", "own": 0, "builtin": 0,
    }  # fmt: skip
    path.write_text("sourcetypes:\n  app:\n    drop: [DEBUG]\n")
    status = ada.get("/api/v1/status").json()["sourcetypes"]
    assert (status["state"], status["own"]) == ("loaded", 1)
    path.write_text("sourcetypes:\n  app:\n    no such thing: 1\n")
    status = ada.get("/api/v1/status").json()["sourcetypes"]
    assert (status["state"], status["own"]) == ("refused", 1) and "no such thing" in status["problem"]
    path.unlink()
    assert ada.get("/api/v1/status").json()["sourcetypes"]["state"] == "none"


def test_retention_and_backups_tell_what_they_did_last(ada, parts, tmp_path):
    before = ada.get("/api/v1/status").json()
    assert before["backup"] is None and before["retention"]["ran_at"] is None
    parts.catalog.indexes.create("clicks", "event")
    parts.catalog.indexes.set_limits("clicks", 86_400.0, 0)
    parts.store.append_events("clicks", pa.table({"_time": [time.time() - 100 * 86_400.0], "_raw": ["old"]}))
    parts.retention.once()
    ada.post("/api/v1/backups", json={"target": str(tmp_path / "backups")})
    parts.log.flush()
    status = ada.get("/api/v1/status").json()
    retention = {each["name"]: each for each in status["retention"]["indexes"]}
    assert time.time() - 60 < status["retention"]["ran_at"] <= time.time()
    assert retention["clicks"]["max_age_s"] == 86_400.0 and retention["clicks"]["removed"]["rows"] == 1
    assert retention["_internal"]["max_age_s"] > 0 and retention["_internal"]["removed"] is None
    assert status["backup"]["target"] == str(tmp_path / "backups") and status["backup"]["snapshot"]
    assert status["backup"]["time"] <= time.time()


def test_counts_are_bounded_and_lose_what_is_particular(tmp_path):
    counts = Counts()
    for number in range(2000):
        counts.add("refused", "otlp:logs", f"index{number}", 'the token "a" sent 5 too many', 2)
    counts.add("refused", "otlp:logs", "index1", 'the token "b" sent 7 too many', 1)
    counts.add("refused", "otlp:logs", "index1", "taken back", -4)
    found = counts.all()
    assert len(found) <= 501 and sum(found.values()) == 4001
    assert found["refused", "otlp:logs", "index1", 'the token "…" sent N too many'] == 3
    assert found["refused", "otlp:logs", OTHER, OTHER] == 3000
    counts.write(tmp_path)
    assert read_counts(tmp_path) == found and read_counts(tmp_path / "nowhere") == {}
