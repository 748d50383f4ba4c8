"""The list of traces, one trace and the service map, asked of a real store."""

import json

import pytest

from sightline.errors import NotFound, UserError
from sightline.store.sql_text import quote
from sightline.traces.queries import flatten, list_traces, read_trace, service_map

START = 1_750_000_000.0


def put(store, trace, span, parent, service, name, start_ms, duration_ms, **more):
    fields = more.pop("fields", {})
    values = {"kind": "internal", "status": "unset", "status_message": "", "events": "[]", "links": "[]"} | more
    at = int(START) * 10**9 + start_ms * 10**6
    store.execute(
        "INSERT INTO sightline.spans (`index`, _time, trace_id, span_id, parent_span_id, service, name, duration_ns,"
        " kind, status, status_message, events, links, fields) SELECT 'traces',"
        f" fromUnixTimestamp64Nano({at}, 'UTC'), {quote(trace)}, {quote(span)}, {quote(parent)}, {quote(service)},"
        f" {quote(name)}, {int(duration_ms * 1e6)}, {quote(values['kind'])}, {quote(values['status'])},"
        f" {quote(values['status_message'])}, {quote(values['events'])}, {quote(values['links'])},"
        f" {quote(json.dumps(fields))}::JSON"
    )


@pytest.fixture(scope="module")
def traces(store):
    """`aa`: gateway -> model -> database, the model fails. `bb`: a fast gateway request. `cc`: its root is missing."""
    put(store, "aa", "a1", "", "gateway", "GET /", 0, 100, kind="server", status="error")
    put(store, "aa", "a2", "a1", "gateway", "POST model", 10, 80, kind="client", status="error", fields={"http": {"x": 1}})
    put(store, "aa", "a3", "a2", "model", "POST /predict", 20, 60, kind="server", status="error", status_message="bad")
    put(
        store,
        "aa",
        "a4",
        "a3",
        "model",
        "SELECT",
        30,
        20,
        kind="client",
        fields={"db.system": "postgresql", "db.name": "wines", "error": "false"},
    )
    put(store, "bb", "b1", "", "gateway", "GET /", 5000, 3, kind="server")
    put(store, "bb", "b1", "", "gateway", "GET /", 5000, 3, kind="server")
    put(store, "cc", "c2", "gone", "model", "work", 9000, 7, fields={"error": True})
    store.append_events("main", _log_table())
    return store


def _log_table():
    import pyarrow as pa

    return pa.table({"_time": [START + 0.02], "_raw": ["the model failed"], "trace_id": ["aa"], "severity": ["error"]})


def listed(store, **filters):
    found = list_traces(store, earliest=START - 10, latest=START + 60, **filters)
    return [t["trace_id"] for t in found["traces"]]


def test_traces_are_listed_newest_first_with_what_names_them(traces):
    found = list_traces(traces, earliest=START - 10, latest=START + 60)
    assert [t["trace_id"] for t in found["traces"]] == ["cc", "bb", "aa"] and not found["truncated"]
    assert found["traces"][2] == {
        "trace_id": "aa",
        "root_service": "gateway",
        "root_name": "GET /",
        "start": START,
        "duration_ms": 100.0,
        "span_count": 4,
        "error_count": 3,
        "services": ["gateway", "model"],
    }
    assert found["traces"][1]["span_count"] == 1, "a span sent twice counts once"


@pytest.mark.parametrize(
    ("filters", "wanted"),
    [
        ({"service": "model"}, ["cc", "aa"]),
        ({"service": "gateway", "operation": "POST /predict"}, []),
        ({"operation": "POST /predict"}, ["aa"]),
        ({"min_ms": 5}, ["cc", "aa"]),
        ({"max_ms": 5}, ["bb"]),
        ({"errors": True}, ["cc", "aa"]),
        ({"limit": 1}, ["cc"]),
        ({"service": "it's \\ odd"}, []),
    ],
)
def test_filters(traces, filters, wanted):
    assert listed(traces, **filters) == wanted


def test_a_trace_has_everything_read_off_it(traces):
    trace = read_trace(traces, "AA")
    spans = {s["span_id"]: s for s in trace["spans"]}
    assert [s["span_id"] for s in trace["spans"]] == ["a1", "a2", "a3", "a4"]
    assert {i: s["self_ms"] for i, s in spans.items()} == {"a1": 20, "a2": 20, "a3": 40, "a4": 20}
    assert [i for i, s in spans.items() if s["error"]] == ["a1", "a2", "a3"]
    assert [i for i, s in spans.items() if s["root_cause"]] == ["a3"]
    assert spans["a3"]["critical"] == [[20.0, 30.0], [50.0, 80.0]]
    assert sum(e - s for span in trace["spans"] for s, e in span["critical"]) == trace["critical_path_ms"] == 100
    assert spans["a2"]["attributes"] == {"http.x": 1} and spans["a3"]["status_message"] == "bad"
    assert spans["a1"]["start_ns"] == str(int(START * 1e9))
    assert [log["_raw"] for log in trace["logs"]] == ["the model failed"]


def test_a_span_without_its_parent_is_marked(traces):
    span = read_trace(traces, "cc")["spans"][0]
    assert span["missing_parent"] and span["root_cause"]


def test_a_trace_that_is_not_there_and_an_id_that_is_none(traces):
    with pytest.raises(NotFound, match='no trace "dd"'):
        read_trace(traces, "dd")
    with pytest.raises(UserError, match="wants hexadecimal digits"):
        read_trace(traces, "x' OR 1")


def test_the_service_map_has_calls_and_what_sends_no_spans(traces):
    found = service_map(traces, earliest=START - 10, latest=START + 60)
    services = {s["service"]: s for s in found["services"]}
    assert (services["gateway"]["requests"], services["gateway"]["errors"]) == (2, 1)
    assert services["postgresql:wines"]["inferred"] and not services["model"]["inferred"]
    edges = {(e["source"], e["target"]): e for e in found["edges"]}
    assert set(edges) == {("gateway", "model"), ("model", "postgresql:wines")}
    assert edges["gateway", "model"]["errors"] == 1 and edges["gateway", "model"]["p50_ms"] == 60


def test_nested_attributes_become_dotted_names():
    assert flatten({"a": {"b": {"c": 1}, "d": [1]}, "e": None}) == {"a.b.c": 1, "a.d": [1], "e": None}
