"""The shop's parts one by one: the story's clock, the bottles, the features, the book, the batch job."""

from __future__ import annotations

from pathlib import Path

import httpx
import numpy as np
import pytest
from shop.cellar import PHOTOMETER, READINGS, USERS, bottle_count, measure, partition_of, user_of
from shop.outcomes import deliver, hec_event
from shop.preparation import CATEGORICAL, NUMERIC, prepare
from shop.records import Record, Records
from shop.scenario import Scenario
from sink import Sink


def test_the_story_keeps_its_order_at_any_length() -> None:
    for length_s in (60.0, 180.0, 600.0):
        scenario = Scenario(started_at=1000.0, length_s=length_s)
        assert scenario.wear(999.0) == 0.0
        assert scenario.wear(scenario.moment(scenario.drift_share)) == pytest.approx(0.0, abs=1e-9)
        assert scenario.wear(scenario.moment((scenario.drift_share + scenario.worn_out_share) / 2)) == pytest.approx(0.5)
        assert scenario.wear(1e9) == 1.0
        assert not scenario.stocktaking(1000.0) and scenario.stocktaking(1000.0 + 0.16 * length_s)
        assert not scenario.gaps(1000.0) and scenario.gaps(1000.0 + 0.21 * length_s)


def test_a_bottle_stays_in_its_partition_and_every_user_is_in_both() -> None:
    seen = {(partition_of(b), user_of(b)) for b in range(bottle_count())}
    assert seen == {(p, u) for p in ("train", "test") for u in USERS}


def test_wear_changes_the_photometer_and_nothing_else() -> None:
    new = np.array([list(measure(3, 0.0, np.random.default_rng(i)).values()) for i in range(300)])
    worn = np.array([list(measure(3, 1.0, np.random.default_rng(i)).values()) for i in range(300)])
    for column, name in enumerate(READINGS):
        change = abs(worn[:, column].mean() / new[:, column].mean() - 1)
        assert change > 0.15 if name in PHOTOMETER else change < 0.01, name


def test_features_are_readings_and_two_words() -> None:
    features = prepare({**measure(0, 0.0, np.random.default_rng(0)), "color_intensity": 3.5, "alcohol": 12.4})
    assert set(features) == {*NUMERIC, *CATEGORICAL}
    assert (features["colour"], features["strength"]) == ("medium", "light")
    assert prepare({"color_intensity": None})["colour"] is None


@pytest.fixture
def records(tmp_path: Path) -> Records:
    records = Records(tmp_path / "records.db")
    for number in range(3):
        records.add_prediction(f"p{number}", 100.0 + number, number, {"hue": 1.0}, "barolo", 0.9, "ab" * 16)
    return records


def test_only_known_truths_are_delivered_and_only_once(records: Records) -> None:
    assert records.add_outcome("p1", "barbera")
    assert not records.add_outcome("nobody", "barbera")
    (record,) = records.undelivered(10)
    assert record == Record("p1", 101.0, 1, {"hue": 1.0}, "barolo", 0.9, "ab" * 16, "barbera")
    records.mark_delivered(["p1"])
    assert records.undelivered(10) == []


def test_a_refused_batch_stays(records: Records) -> None:
    records.add_outcome("p0", "barolo")
    sink = Sink()
    try:
        with httpx.Client(base_url=sink.http_url, headers={"Authorization": "Splunk t"}) as client:
            sink.refuse_hec = True
            with pytest.raises(httpx.HTTPStatusError):
                deliver(records, client, "my_latest_data")
            assert len(records.undelivered(10)) == 1
            sink.refuse_hec = False
            assert deliver(records, client, "my_latest_data") == 1
            assert deliver(records, client, "my_latest_data") == 0
    finally:
        sink.close()
    assert [e["event"]["user"] for e in sink.hec_events] == ["barolo"]


def test_an_event_carries_the_time_of_the_prediction() -> None:
    event = hec_event(Record("p", 12.3456, 5, {"hue": 1.0}, "barolo", 0.9, "t", "barbera"), "i")
    assert event["time"] == 12.346
    assert event["event"]["user"] == "barbera" and event["event"]["predicted"] == "barolo"
