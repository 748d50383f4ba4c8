"""Large requests are cut between records: what the pieces say together is what the whole said."""

from google.protobuf.message import DecodeError
from hypothesis import given
from hypothesis import strategies as st
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

from sightline.receivers.elasticsearch import _check
from sightline.receivers.pieces import cut_message, cut_text, path

SPANS = path(1, 2, 2)


def told(requests):
    """Every span with what it is told of its resource and scope."""
    return [
        (resource.resource.attributes[0].value.string_value, scope.scope.name, scope.schema_url, span.name)
        for request in requests
        for resource in request.resource_spans
        for scope in resource.scope_spans
        for span in scope.spans
    ]


sizes = st.lists(st.lists(st.lists(st.integers(0, 400), max_size=6), max_size=3), max_size=3)


@given(sizes, st.integers(150, 900))
def test_the_pieces_of_a_message_say_what_the_whole_said(resources, limit):
    whole = ExportTraceServiceRequest()
    for number, scopes in enumerate(resources):
        resource = whole.resource_spans.add(schema_url="u" * number)
        resource.resource.attributes.add(key="service.name").value.string_value = f"service {number}"
        for other, spans in enumerate(scopes):
            scope = resource.scope_spans.add(schema_url="of the scope")
            scope.scope.name = f"scope {other}"
            for size in spans:
                scope.spans.add(name="n" * size)
    body = whole.SerializeToString()
    pieces = cut_message(body, SPANS, limit)
    assert told(map(ExportTraceServiceRequest.FromString, pieces)) == told([whole])
    if len(body) > limit and max((size for r in resources for s in r for size in s), default=0) < limit // 4:
        # What a span stands in is written again in each piece.
        assert max(map(len, pieces)) <= limit + 80


def test_a_metric_with_very_many_points_is_cut_between_points():
    whole = ExportMetricsServiceRequest()
    metric = whole.resource_metrics.add().scope_metrics.add().metrics.add(name="m", unit="s")
    metric.sum.is_monotonic = True
    for number in range(1000):
        metric.sum.data_points.add(as_int=number)
    pieces = cut_message(whole.SerializeToString(), path(1, 2, 2, (5, 7, 9, 10, 11), 1), 2000)
    assert len(pieces) > 4 and max(map(len, pieces)) <= 2020
    metrics = [
        ExportMetricsServiceRequest.FromString(each).resource_metrics[0].scope_metrics[0].metrics[0] for each in pieces
    ]
    assert {(each.name, each.unit, each.sum.is_monotonic) for each in metrics} == {("m", "s", True)}
    assert [point.as_int for each in metrics for point in each.sum.data_points] == list(range(1000))


@given(st.binary(max_size=300))
def test_what_is_no_message_stays_as_it_came_or_its_pieces_are_none_either(body):
    pieces = cut_message(body, SPANS, 20)

    def is_message(text):
        try:
            return bool(ExportTraceServiceRequest.FromString(text)) or True
        except DecodeError:
            return False

    assert is_message(body) == all(map(is_message, pieces))


def test_a_message_whose_parts_cannot_do_without_the_rest_stays_whole():
    whole = ExportTraceServiceRequest()
    resource = whole.resource_spans.add()
    resource.resource.attributes.add(key="k").value.string_value = "x" * 500
    for _ in range(100):
        resource.scope_spans.add().spans.add(name="n" * 50)
    body = whole.SerializeToString()
    assert cut_message(body, SPANS, 1000) == [body]


def test_text_is_cut_where_an_event_begins():
    event = b"2026-11-26 10:00:00 ERROR it failed\n  at one line\n  at another line\n"
    pieces = list(cut_text(event * 100, 1000))
    assert len(pieces) > 4 and b"".join(pieces) == event * 100
    assert all(piece.startswith(b"2026") and piece.endswith(b"another line\n") for piece in pieces)
    without = b"no line begins as the first\n" + b"  all else follows it\n" * 100
    assert list(cut_text(without, 100)) == [without]


def test_lines_of_elasticsearch_are_cut_after_a_document(monkeypatch):
    from sightline.receivers import elasticsearch

    monkeypatch.setattr(elasticsearch, "PIECE_BYTES", 50)
    pairs = [b'{"create":{}}\n{"n":%d,"text":"%s"}' % (n, b"x" * (n % 40)) for n in range(100)]
    checked = _check(b"\n".join(pairs) + b"\n")
    assert checked.records == 100 and len(checked.pieces) > 20
    assert b"\n".join(piece.body for piece in checked.pieces) == b"\n".join(pairs)
    assert all(piece.body.count(b"\n") == 2 * piece.records - 1 for piece in checked.pieces)
