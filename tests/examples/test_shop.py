"""The shop tells its story in real telemetry: every claim of its documentation is looked for in what it sent."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from shop.scenario import Scenario
from sink import Sink, attribute

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"


@pytest.fixture(scope="module")
def told(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Sink]:
    """What the shop sent in a story of a few seconds, until nothing that is looked for is missing."""
    folder = tmp_path_factory.mktemp("shop")
    sink = Sink()
    command = [sys.executable, "-m", "shop", "--otlp-http", sink.http_url, "--otlp-grpc", sink.grpc_url]
    command += ["--hec", sink.http_url, "--data", str(folder), "--rate", "15", "--length", "20", "--every", "1"]
    environment = {**os.environ, "SHOP_HEC_TOKEN": "secret", "PYTHONPATH": str(EXAMPLES)}
    process = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, text=True)
    try:
        line = process.stdout.readline().split()
        assert line[1].startswith("http://127.0.0.1:")
        sink.scenario = Scenario(started_at=float(line[3]), length_s=float(line[5]))
        wait_until(lambda: len(sink.hec_events) > 300 and failed_predictions(sink) and slow_reads(sink), 90)
        # Outcomes are told at once and spans in batches: the batches come after the outcomes told so far.
        sink.before_stop = len(sink.hec_events)
        wanted = {envelope["event"]["trace_id"] for envelope in sink.hec_events[: sink.before_stop]}
        wait_until(lambda: wanted <= {span.trace_id.hex() for _, span in list(sink.spans)}, 60)
        process.send_signal(signal.SIGINT)
        assert process.wait(30) == 0
        yield sink
    finally:
        process.kill()
        process.wait()
        sink.close()
        for log in folder.glob("*.log"):
            print(f"--- {log.name}\n{log.read_text()[-3000:]}")


def wait_until(true: Callable[[], object], timeout_s: float) -> None:
    deadline = time.monotonic() + timeout_s
    while not true():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.2)


def failed_predictions(sink: Sink) -> list:
    return [span for _, span in sink.spans if span.name == "model.predict" and span.status.code == 2]


def slow_reads(sink: Sink) -> list:
    return [
        span
        for _, span in sink.spans
        if span.name == "archive.read" and span.end_time_unix_nano - span.start_time_unix_nano > 300e6
    ]


def test_one_request_is_one_trace_through_three_services(told: Sink) -> None:
    services = defaultdict(set)
    for service, span in told.spans:
        services[span.trace_id].add(service)
    assert Counter(frozenset(s) for s in services.values())[frozenset({"gateway", "features", "model"})] > 100


def test_the_model_speaks_grpc_and_the_others_http(told: Sink) -> None:
    assert told.transports["model"] == {"grpc"}
    assert told.transports["gateway"] == told.transports["features"] == told.transports["outcomes"] == {"http"}


def test_a_missing_reading_fails_inside_scikit_learn(told: Sink) -> None:
    failed = failed_predictions(told)
    assert failed
    for span in failed:
        (event,) = [e for e in span.events if e.name == "exception"]
        assert attribute(event.attributes, "exception.type") == "ValueError"
        assert "sklearn" in attribute(event.attributes, "exception.stacktrace")
    ids = {span.trace_id for span in failed}
    gateway = [s for service, s in told.spans if service == "gateway" and s.trace_id in ids and s.kind == 2]
    assert gateway and {attribute(s.attributes, "http.response.status_code") for s in gateway} == {502}
    errors = [r for service, r in told.logs if service == "model" and r.trace_id in ids and r.severity_number >= 17]
    assert errors and all("contains NaN" in str(attribute(r.attributes, "exception.message")) for r in errors)


def test_only_the_counted_warehouse_is_slow(told: Sink) -> None:
    assert {attribute(span.attributes, "shop.warehouse") for span in slow_reads(told)} == {"north"}


def test_logs_belong_to_traces_and_metrics_count_predictions(told: Sink) -> None:
    assert all(r.trace_id for service, r in told.logs if service == "gateway" and "is " in r.body.string_value[:20])
    names = {(service, metric.name) for service, metric in told.metrics}
    assert {("model", "shop.predictions"), ("model", "shop.prediction.confidence")} <= names
    assert ("gateway", "http.server.request.duration") in names


def test_an_outcome_has_features_prediction_truth_and_partition(told: Sink) -> None:
    assert told.hec_tokens == {"Splunk secret"}
    traces = {span.trace_id.hex() for _, span in told.spans}
    for envelope in told.hec_events:
        event = envelope["event"]
        assert envelope["index"] == "my_latest_data"
        assert event["partition"] in ("train", "test")
        assert event["colour"] in ("pale", "medium", "deep")
        assert event["strength"] in ("light", "medium", "strong")
        assert event["user"] in ("barolo", "grignolino", "barbera")
    # Every outcome has its trace; those told while the shop was being stopped are not waited for.
    assert {envelope["event"]["trace_id"] for envelope in told.hec_events[: told.before_stop]} <= traces


def test_the_shops_own_model_gets_worse(told: Sink) -> None:
    scenario = told.scenario
    early, late = [], []
    for envelope in told.hec_events:
        right = envelope["event"]["predicted"] == envelope["event"]["user"]
        # A bottle is measured a moment before it is recognised; on a busy machine the moment can be a second.
        if envelope["time"] < scenario.moment(scenario.drift_share):
            early.append(right)
        elif envelope["time"] > scenario.moment(scenario.worn_out_share) + 2:
            late.append(right)
    assert len(early) > 20 and sum(early) / len(early) > 0.9
    assert len(late) > 50 and sum(late) / len(late) < 0.8
