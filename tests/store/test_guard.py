"""The guard of cardinality: metric series and names of fields over their bound are folded, counted and told, token by token."""

from __future__ import annotations

import pytest
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest

from sightline.config import IngestSettings, Settings
from sightline.segments import encode_frame
from sightline.store import EmbeddedStore, guard
from sightline.store.loading import Loader

HOUR = 3600.0


class Clock:
    def __init__(self) -> None:
        self.now = 500_000 * HOUR

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def told():
    return []


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def opened(tmp_path, clock, told, monkeypatch):
    """A store with small bounds, and a loader that looks at every segment."""
    monkeypatch.setattr(guard, "LOOK_SHARE", 1e6)
    monkeypatch.setattr(guard, "NAMES_INTERVAL_S", 0.0)
    settings = Settings(data=tmp_path, ingest=IngestSettings(max_new_series=50, max_new_fields=30))
    with EmbeddedStore(tmp_path / "engine", settings) as store:
        yield store, Loader(store, settings, clock, lambda sourcetype, **fields: told.append(fields))


@pytest.fixture
def put(opened, tmp_path):
    """Writes a segment of (token, request) pairs and loads it."""
    numbers = iter(range(1, 1000))
    folder = tmp_path / "journal" / "w"

    def put(kind: str, *requests: tuple[str, object], load: bool = True):
        folder.mkdir(exist_ok=True)
        path = folder / f"{next(numbers):013d}-000001-{kind}.seg"
        frames = []
        for token, request in requests:
            body = request.SerializeToString()
            frames.append(encode_frame(body, token=token, received_ms=1_760_000_000_000, records=count(request)) + body)
        path.write_bytes(b"".join(frames))
        if load:
            opened[1].load_waiting()
            assert not path.exists() and not path.with_suffix(".fold").exists()
        return path

    return put


def count(request) -> int:
    if isinstance(request, ExportLogsServiceRequest):
        return sum(len(s.log_records) for r in request.resource_logs for s in r.scope_logs)
    return sum(len(m.gauge.data_points) for r in request.resource_metrics for s in r.scope_metrics for m in s.metrics)


def points(users: range, value: float = 1.0) -> ExportMetricsServiceRequest:
    request = ExportMetricsServiceRequest()
    metric = request.resource_metrics.add().scope_metrics.add().metrics.add(name="latency")
    for user in users:
        point = metric.gauge.data_points.add(time_unix_nano=1_760_000_000 * 10**9, as_double=value)
        for key, text in (("user", f"u{user}"), ("zone", f"z{user % 2}")):
            point.attributes.add(key=key).value.string_value = text
    return request


def records(names: range, text: str = "x") -> ExportLogsServiceRequest:
    request = ExportLogsServiceRequest()
    record = request.resource_logs.add().scope_logs.add().log_records.add(time_unix_nano=1)
    record.body.string_value = text
    record.attributes.add(key="usual").value.string_value = "here"
    for name in names:
        record.attributes.add(key=f"name{name}").value.int_value = name
    return request


def users(store) -> dict[str, int]:
    found = store.query("SELECT dims.user.:String AS user, count() AS n FROM sightline.metrics GROUP BY user ORDER BY user")
    return {row["user"]: row["n"] for row in found.to_pylist()}


def cut_of(loader) -> dict[tuple[str, str], int]:
    return {(row.source, row.token): row.cut for row in loader.ledger.totals() if row.cut}


def test_series_over_the_bound_lose_the_label_that_makes_them(opened, put, told):
    store, loader = opened
    put("metrics", ("t", points(range(40))))
    assert told == []
    put("metrics", ("t", points(range(40, 80))))
    (note,) = told
    assert (note["action"], note["token"], note["target_index"]) == ("folds", "t", "metrics")
    assert note["reason"] == "more than 50 new metric series in an hour: values of user are folded"
    put("metrics", ("t", points(range(80, 200))))
    found = users(store)
    assert found.pop(guard.FOLDED) == 120 and len(found) == 80
    assert store.query("SELECT uniqExact(dims.zone.:String) AS n FROM sightline.metrics")["n"].to_pylist() == [2]
    assert cut_of(loader) == {("otlp:metrics", "t"): 120}
    assert (
        sum(row.stored for row in loader.ledger.totals()) == 200 and sum(row.refused for row in loader.ledger.totals()) == 0
    )


def test_a_sender_is_not_held_to_what_another_did(opened, put):
    store, _ = opened
    put("metrics", ("loud", points(range(100))))
    put("metrics", ("calm", points(range(500, 503))), ("loud", points(range(100, 110))), ("calm", points(range(503, 505))))
    found = users(store)
    assert found[guard.FOLDED] == 10 and all(found[f"u{n}"] == 1 for n in range(500, 505))


def test_the_next_hour_begins_anew(opened, put, clock):
    store, _ = opened
    put("metrics", ("t", points(range(100))))
    put("metrics", ("t", points(range(100, 110))))
    clock.now += HOUR
    put("metrics", ("t", points(range(110, 115))))
    assert users(store)[guard.FOLDED] == 10 and "u114" in users(store)


def test_names_over_the_bound_are_kept_as_one_text(opened, put, told):
    store, loader = opened
    put("logs", ("t", records(range(5), "first")))
    put("logs", ("t", records(range(5, 60), "second")))
    assert [note["reason"] for note in told] == [
        "more than 30 new names of fields in an hour: new ones are kept as one text"
    ]
    put("logs", ("t", records(range(50, 100), "third")))
    row = store.query(
        "SELECT fields.usual.:String AS usual, fields.name50.:Int64 AS known, fields.name99.:Int64 AS new,"
        " fields.sightline.rest.:String AS rest FROM sightline.events WHERE _raw = 'third'"
    ).to_pylist()[0]
    assert (row["usual"], row["known"], row["new"]) == ("here", 50, None)
    assert '"name99":99' in row["rest"] and '"name50"' not in row["rest"]
    assert cut_of(loader) == {("otlp:logs", "t"): 1}


def test_what_was_decided_for_a_segment_holds_after_a_crash(opened, put, tmp_path, clock):
    store, loader = opened
    put("metrics", ("t", points(range(100))))
    path = put("metrics", ("t", points(range(100, 110))), load=False)
    fail_once(loader)
    assert path.exists() and path.with_suffix(".fold").exists()
    # A new process knows nothing of the bound, and loads the segment as the first one did.
    again = Loader(store, Settings(data=tmp_path), clock)
    again.load_waiting()
    assert not path.exists() and users(store)[guard.FOLDED] == 10 and sum(users(store).values()) == 110
    assert sum(row.stored for row in again.ledger.totals()) == 110


def test_a_segment_that_was_tried_before_the_bound_was_met_is_loaded_as_it_was(opened, put):
    store, loader = opened
    path = put("metrics", ("t", points(range(10))), load=False)
    fail_once(loader)
    assert path.exists() and sum(users(store).values()) == 10
    # The bound is met by others before it is tried again.
    loader._guard._folds["metrics", ("t", "metrics")] = (int(loader._guard._clock() // HOUR), guard.Fold("why", ("user",)))
    put("metrics", ("t", points(range(100, 105))))
    assert users(store) == {f"u{n}": 1 for n in range(10)} | {guard.FOLDED: 5}


def fail_once(loader: Loader) -> None:
    """Loads what waits, and loses it between the store and the ledger."""
    noted = loader.ledger.add

    def no_room(*_) -> None:
        raise OSError("no room")

    loader.ledger.add = no_room
    with pytest.raises(OSError, match="no room"):
        loader.load_waiting()
    loader.ledger.add = noted
