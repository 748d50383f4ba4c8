"""The telemetry of programs: what arrives, that nothing blocks or raises, forks, exits, and a real server at the other end."""

from __future__ import annotations

import asyncio
import json
import math
import subprocess
import sys
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import sightline
from sightline.telemetry import recorder as recording
from sightline.telemetry.export import any_value, attributes_of
from sightline.telemetry.sketches import MAX_BUCKETS, MAX_CATEGORIES, Categories, ExponentialHistogram

from .sink import Sink, plain, program


def test_predictions_become_counters_and_sketches(sink):
    sightline.init("risk-api", sink.url, token="secret", environment="prod", interval_s=3600)
    for i in range(10):
        sightline.track_prediction(
            "risk", version="7", features={"age": 20 + i, "city": "rome" if i % 2 else "oslo", "income": None if i < 3 else 1e4},
            prediction="yes" if i < 8 else "no", score=0.5, latency=0.01, error=ValueError("x") if i == 0 else None,
        )  # fmt: skip
    assert sightline.flush()
    metrics = sink.metrics()
    key = {"ml.model.name": "risk", "ml.model.version": "7"}
    assert [(a["ml.prediction"], p["asInt"]) for a, p in metrics["ml.predictions"]] == [("yes", "8"), ("no", "2")]
    assert metrics["ml.prediction.errors"][0][0] == key | {"error.type": "ValueError"}
    (_, duration), (_, score) = metrics["ml.prediction.duration"][0], metrics["ml.prediction.score"][0]
    assert (duration["count"], duration["min"], duration["max"]) == ("10", 0.01, 0.01) and score["sum"] == 5.0
    values = {a["ml.feature.name"]: p for a, p in metrics["ml.feature.value"]}
    assert (values["age"]["min"], values["age"]["max"], values["income"]["count"]) == (20, 29, "7")
    cities = {a["ml.feature.category"]: p["asInt"] for a, p in metrics["ml.feature.category"]}
    assert cities == {"rome": "5", "oslo": "5"}
    assert [(a["ml.feature.name"], p["asInt"]) for a, p in metrics["ml.feature.missing"]] == [("income", "3")]
    _, headers, body = sink.requests[0]
    resource = plain(body["resourceMetrics"][0]["resource"]["attributes"])
    assert headers["Authorization"] == "Bearer secret" and resource["service.name"] == "risk-api"
    assert resource["deployment.environment.name"] == "prod"
    # No raw row leaves the program unless that is asked for, and no event without an id.
    assert sink.events() == []


def test_outcomes_and_predictions_with_an_id_are_events(sink):
    sightline.init("s", sink.url, interval_s=3600, sample_rows=True)
    sightline.track_prediction("m", prediction=3.5, id=77, features=[1.0, "a"])
    sightline.track_outcome(77, "late", model="m")
    assert sightline.flush()
    named = {event["eventName"]: event for event in sink.events()}
    body = plain(named["ml.prediction"]["body"]["kvlistValue"]["values"])
    assert body == {"prediction": 3.5, "id": "77"}
    assert plain(named["ml.outcome"]["body"]["kvlistValue"]["values"]) == {"id": "77", "label": "late"}
    assert plain(named["ml.sample"]["body"]["kvlistValue"]["values"]) == {"f0": 1.0, "f1": "a", "prediction": 3.5}
    assert sink.metrics()["ml.prediction.value"][0][1]["count"] == "1"


def test_features_of_numpy_and_pandas(sink):
    import numpy as np
    import pandas as pd

    sightline.init("s", sink.url, interval_s=3600)
    frame = pd.DataFrame({"a": [1.5], "b": ["x"], "c": [np.nan]})
    sightline.track_prediction("m", features=frame.iloc[0], prediction=np.int64(1), score=np.float32(0.25))
    sightline.track_prediction("n", features=np.array([1.0, 2.0]))
    assert sightline.flush()
    metrics = sink.metrics()
    names = {(a["ml.model.name"], a["ml.feature.name"]) for a, _ in metrics["ml.feature.value"]}
    assert names == {("m", "a"), ("n", "f0"), ("n", "f1")}
    assert metrics["ml.feature.missing"][0][0]["ml.feature.name"] == "c"
    assert metrics["ml.prediction.score"][0][1]["sum"] == 0.25


def test_nothing_raises_and_what_is_lost_is_told(sink):
    class Awkward:
        def __str__(self):
            raise RuntimeError("no text")

        __float__ = __repr__ = __str__

    sightline.init("s", sink.url, interval_s=3600)
    sightline.track_prediction(None, features=object(), prediction=Awkward(), score="high", latency=[])
    sightline.track_prediction("m", features={"x": Awkward()}, error=KeyboardInterrupt())
    sightline.track_prediction("m", score=math.inf, latency=math.nan)
    for i in range(recording.SERIES_LIMIT + 50):
        sightline.track_prediction(f"m{i}")
    assert sightline.flush()
    assert sightline.flush()
    metrics = sink.metrics()
    assert len(metrics["ml.predictions"]) <= recording.SERIES_LIMIT
    assert sum(int(p["asInt"]) for _, p in metrics["ml.telemetry.dropped"]) >= 52
    assert "ml.prediction.score" not in metrics


def test_a_full_queue_drops_and_counts(sink, monkeypatch):
    monkeypatch.setattr(recording, "QUEUE_LIMIT", 100)
    monkeypatch.setattr(recording.Recorder, "_start", lambda self: None)
    sightline.init("s", sink.url, interval_s=3600)
    for _ in range(150):
        sightline.track_prediction("m")
    assert sightline.flush() and sightline.flush()
    metrics = sink.metrics()
    assert metrics["ml.predictions"][0][1]["asInt"] == "100" and metrics["ml.telemetry.dropped"][0][1]["asInt"] == "50"


def test_it_tries_again_where_that_may_help_and_only_there(sink):
    sightline.init("s", sink.url, interval_s=3600)
    sink.statuses = [503, 429]
    sightline.track_prediction("m")
    assert sightline.flush(10) and len(sink.bodies("metrics")) == 1
    sink.statuses = [400]
    sightline.track_prediction("m")
    assert not sightline.flush(10)
    # What was refused is told with the next request that is taken.
    sightline.track_prediction("m")
    assert sightline.flush(10)
    assert sink.metrics()["ml.telemetry.dropped"][0][1]["asInt"] == "1"


def test_a_server_that_hangs_blocks_nobody():
    import socket

    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen(1)
        sightline.init("s", f"http://127.0.0.1:{silent.getsockname()[1]}", interval_s=3600)
        started = time.monotonic()
        sightline.track_prediction("m")
        assert not sightline.flush(0.5)
        sightline.shutdown(0.5)
        assert time.monotonic() - started < 5


def test_spans_nest_and_keep_what_went_wrong(sink):
    sightline.init("s", sink.url, interval_s=3600)

    @sightline.traced
    def inner(secret):
        raise LookupError("nothing there")

    with sightline.stage("train", model="risk", version="7") as stage:
        stage.metric("auc", 0.91)
        stage.rows(1200)
        header = sightline.current_traceparent()
        with pytest.raises(LookupError):
            inner("do not record me")
    assert sightline.current_traceparent() == ""
    assert sightline.flush()
    failed, outer = sink.spans()
    assert failed["parentSpanId"] == outer["spanId"] and failed["traceId"] == outer["traceId"] == header.split("-")[1]
    assert plain(outer["attributes"]) == {
        "ml.stage": "train", "ml.model.name": "risk", "ml.model.version": "7", "ml.metric.auc": 0.91, "ml.rows": "1200"
    }  # fmt: skip
    assert failed["status"] == {"code": 2, "message": "nothing there"} and "status" not in outer
    event = plain(failed["events"][0]["attributes"])
    assert event["exception.type"] == "LookupError" and "inner" in event["exception.stacktrace"]
    assert "do not record me" not in json.dumps(failed["attributes"])
    assert int(outer["endTimeUnixNano"]) >= int(failed["endTimeUnixNano"]) > int(failed["startTimeUnixNano"])


def test_async_functions_and_generators_are_spans_of_their_own(sink):
    sightline.init("s", sink.url, interval_s=3600)

    @sightline.traced(name="call", kind="test")
    async def call(n):
        await asyncio.sleep(0)
        return n

    @sightline.traced
    def numbers():
        yield 1
        yield 2

    @sightline.traced
    async def later():
        yield await call(5)

    async def main():
        with sightline.stage("outer"):
            assert await asyncio.gather(*(call(i) for i in range(3))) == [0, 1, 2]
            assert list(numbers()) == [1, 2]
            assert [x async for x in later()] == [5]

    asyncio.run(main())
    assert sightline.flush()
    spans = {}
    for span in sink.spans():
        spans.setdefault(span["name"].rpartition(".")[2], []).append(span)
    (outer,) = spans["outer"]
    assert len(spans["call"]) == 4 and plain(spans["call"][0]["attributes"])["kind"] == "test"
    assert {s["parentSpanId"] for s in (*spans["call"][:3], *spans["numbers"], *spans["later"])} == {outer["spanId"]}
    assert spans["call"][3]["parentSpanId"] == spans["later"][0]["spanId"]


def test_the_sdks_span_is_the_parent_of_ours(sink):
    from opentelemetry.sdk.trace import TracerProvider

    sightline.init("s", sink.url, interval_s=3600)
    with TracerProvider().get_tracer("t").start_as_current_span("theirs") as theirs:
        with sightline.stage("ours"):
            pass
    assert sightline.flush()
    (ours,) = sink.spans()
    assert ours["parentSpanId"] == f"{theirs.get_span_context().span_id:016x}"
    assert ours["traceId"] == f"{theirs.get_span_context().trace_id:032x}"


def test_a_short_program_loses_nothing_at_its_end(sink):
    ran = program("import sightline\nfor _ in range(3): sightline.track_prediction('m')", sink)
    assert ran.returncode == 0 and ran.stderr == ""
    assert sink.metrics()["ml.predictions"][0][1]["asInt"] == "3"
    assert plain(sink.bodies("metrics")[0]["resourceMetrics"][0]["resource"]["attributes"])["service.name"] == "from-env"


def test_a_program_without_a_server_ends_quietly_and_soon():
    with_nothing = Sink()
    with_nothing.close()
    started = time.monotonic()
    ran = program(
        "import sightline; sightline.track_prediction('m')", with_nothing, OTEL_EXPORTER_OTLP_ENDPOINT="http://127.0.0.1:9"
    )
    assert ran.returncode == 0 and ran.stderr == "" and time.monotonic() - started < 20


def test_a_forked_child_tells_its_own_and_nothing_twice(sink):
    ran = program(
        """
        import os, sightline
        sightline.track_prediction("before")
        child = os.fork()
        sightline.track_prediction("child" if child == 0 else "parent")
        if child:
            os.waitpid(child, 0)
        """,
        sink,
    )
    assert ran.returncode == 0, ran.stderr
    counts = sorted((a["ml.model.name"], p["asInt"]) for a, p in sink.metrics()["ml.predictions"])
    assert counts == [("before", "1"), ("child", "1"), ("parent", "1")]


def test_importing_the_package_loads_nothing_large():
    code = "import sys, sightline; sightline.track_prediction; print([m for m in ('numpy', 'pandas', 'pyarrow', 'httpx') if m in sys.modules])"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout.strip() == "[]"


@given(st.lists(st.floats(-1e12, 1e12), min_size=1, max_size=200))
def test_a_histogram_counts_everything_in_the_right_bucket(values):
    histogram = ExponentialHistogram()
    for value in values:
        histogram.add(value)
    assert histogram.count == len(values) and histogram.minimum == min(values) and histogram.maximum == max(values)
    assert histogram.zero_count + sum(histogram.positive.values()) + sum(histogram.negative.values()) == len(values)
    base = 2.0 ** (2.0**-histogram.scale)
    for side, sign in ((histogram.positive, 1), (histogram.negative, -1)):
        if side:
            assert max(side) - min(side) < MAX_BUCKETS
        expected = {}
        for value in values:
            if value * sign > 0:
                expected.setdefault(math.ceil(math.log(abs(value), base)) - 1, []).append(value)
        # Rounding may put a value on a bound into the neighbour, never further away.
        assert abs(sum(index * n for index, n in side.items()) - sum(i * len(v) for i, v in expected.items())) <= len(values)


def test_frequent_categories_are_kept_and_the_rest_is_other():
    categories = Categories()
    for i in range(MAX_CATEGORIES + 10):
        categories.add(str(i))
    categories.add("0")
    assert categories.counts["0"] == 2 and len(categories.counts) == MAX_CATEGORIES and categories.other == 10


def test_values_keep_their_types():
    assert any_value({"a": [1, True, None, 2.5, math.nan]})["kvlistValue"]["values"][0]["value"]["arrayValue"]["values"] == [
        {"intValue": "1"}, {"boolValue": True}, {"stringValue": "None"}, {"doubleValue": 2.5}, {"doubleValue": "nan"}
    ]  # fmt: skip
    assert attributes_of({"x": None, "y": ""}) == [{"key": "y", "value": {"stringValue": ""}}]


def test_it_arrives_in_a_real_server(server):
    sightline.init("telemetry-test", f"http://127.0.0.1:{server.otlp_http_port}", interval_s=3600)
    for i in range(20):
        sightline.track_prediction(
            "churn", version="3", features={"age": 30 + i}, prediction="stay", score=0.8, id=f"r{i}", latency=0.002
        )
    sightline.track_outcome("r1", "leave", model="churn")
    with sightline.stage("serve", model="churn") as stage:
        stage.rows(20)
    assert sightline.flush(20)
    sightline.shutdown()
    server.wait_for(
        '| mstats sum(_value) AS n WHERE index=metrics metric_name="ml.predictions" ml.model.name=churn',
        lambda rows: rows and rows[0]["n"] == 20,
    )
    joined = (
        "index=main event.name=ml.outcome service.name=telemetry-test | join id [search index=main event.name=ml.prediction"
        " service.name=telemetry-test | table id prediction] | table id label prediction"
    )
    assert server.wait_for(joined, lambda rows: len(rows) == 1) == [{"id": "r1", "label": "leave", "prediction": "stay"}]
    server.wait_for(
        "index=traces service=telemetry-test name=serve ml.rows=20 | stats count", lambda rows: rows[0]["count"] == 1
    )
