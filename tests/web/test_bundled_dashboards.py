"""The dashboards that come along show what they promise, on data as the scoring search and the receivers write it."""

import pyarrow as pa
import pytest

NOW = 1_765_000_000.0
EARLIER, LATER = NOW - 600, NOW - 60
CONFUSION = {
    EARLIER: {("a", "a"): 8, ("a", "b"): 2, ("b", "a"): 0, ("b", "b"): 10},
    LATER: {("a", "a"): 5, ("a", "b"): 5, ("b", "a"): 1, ("b", "b"): 9},
}


@pytest.fixture(scope="module")
def dashboards(parts):
    """Two scorings of one model as `mcollect` writes them, and spans of two services."""
    parts.catalog.indexes.ensure("my_model_metrics", "metric")
    points = []
    for at, cells in CONFUSION.items():
        for (actual, predicted), value in cells.items():
            points.append((at, f"confusion_matrix.actual({actual})", f"predicted({predicted})", value))
        for name in "ab":
            total = sum(v for (actual, _), v in cells.items() if actual == name)
            called = sum(v for (_, predicted), v in cells.items() if predicted == name)
            points.append((at, "score.recall", f"scored({name})", cells[name, name] / total))
            points.append((at, "score.precision", f"scored({name})", cells[name, name] / called))
            points.append((at, "score.support", f"scored({name})", total))
        points += [(at, "feature_importance", "hue", 0.3), (at, "feature_importance", "colour#red", 0.7)]
    columns = list(zip(*points, strict=True))
    parts.store.append_metrics(
        "my_model_metrics",
        pa.table(
            {
                "_time": columns[0],
                "metric_name": [f"mlops.username.{name}" for name in columns[1]],
                "operation": columns[2],
                "value": [float(value) for value in columns[3]],
            }
        ),
    )
    for number, (service, status, milliseconds) in enumerate(
        [("gateway", "ok", 20), ("gateway", "error", 200), ("model", "ok", 10)]
    ):
        parts.store.execute(
            "INSERT INTO sightline.spans (`index`, _time, trace_id, span_id, service, name, kind, status, status_message,"
            f" duration_ns) SELECT 'traces', toDateTime64({NOW - 30 - number}, 9, 'UTC'), 'aa', '{number}', '{service}',"
            f" 'GET /', 'server', '{status}', '{'broken' if status == 'error' else ''}', {milliseconds * 1_000_000}"
        )
    return {d.title: d for d in parts.catalog.dashboards.list()}


@pytest.fixture
def panel(parts, dashboards):
    """Rows of a panel by its dashboard's title and its id."""

    def run(title, panel_id):
        found = next(p for p in dashboards[title].definition["panels"] if p["id"] == panel_id)
        result = parts.engine.run(found["search"], earliest=NOW - 3600, latest=NOW, now=NOW)
        assert [m.text for m in result.messages if m.severity == "warning"] == []
        return result.table.to_pylist()

    return run


def test_accuracy(panel):
    assert [(r["_time"], round(r["accuracy"], 6)) for r in panel("Model health", "accuracy")] == [
        (EARLIER, 90.0),
        (LATER, 70.0),
    ]
    assert panel("Model health", "accuracy-now") == [{"accuracy": 70.0}]


def test_precision_and_recall_by_class(panel):
    precision = {r["_time"]: (r["a"], r["b"]) for r in panel("Model health", "precision")}
    assert precision[EARLIER] == (1.0, pytest.approx(10 / 12)) and precision[LATER] == (
        pytest.approx(5 / 6),
        pytest.approx(9 / 14),
    )
    recall = {r["_time"]: (r["a"], r["b"]) for r in panel("Model health", "recall")}
    assert recall == {EARLIER: (0.8, 1.0), LATER: (0.5, 0.9)}


def test_the_confusion_matrix_is_the_latest(panel):
    rows = {r["actual"]: (r["a"], r["b"]) for r in panel("Model health", "confusion")}
    assert rows == {"a": (5, 5), "b": (1, 9)}


def test_feature_importance_and_volume(panel):
    assert [(r["feature"], r["importance"]) for r in panel("Model health", "importance")] == [
        ("colour#red", 0.7),
        ("hue", 0.3),
    ]
    assert [(r["_time"], r["predictions"]) for r in panel("Model health", "volume")] == [(EARLIER, 20), (LATER, 20)]


def test_services(panel):
    requests = panel("Services", "requests")
    assert sum(r["gateway"] or 0 for r in requests) == 2 and sum(r["model"] or 0 for r in requests) == 1
    assert max(r["gateway"] or 0 for r in panel("Services", "errors")) == pytest.approx(50)
    assert max(r["gateway"] or 0 for r in panel("Services", "duration")) > 20
    first = panel("Services", "operations")[0]
    assert (first["service"], first["requests"], first["errors"], first["error_percent"]) == ("gateway", 2, 1, 50)
    assert first["max_ms"] == 200
    assert panel("Services", "messages") == [{"service": "gateway", "name": "GET /", "status_message": "broken", "count": 1}]
