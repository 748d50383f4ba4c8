"""SignalFx's ingest API: datapoints (gauges, counters, cumulative counters) and events, in JSON."""

from __future__ import annotations

from starlette.responses import Response

from sightline.receivers.acceptance import Refused
from sightline.receivers.push import Checked, Push, lists_in, only_objects, read_json

_TYPES = ("gauge", "counter", "cumulative_counter")


def _check_datapoints(body: bytes) -> Checked:
    points = lists_in(read_json(body, dict, "an object"), _TYPES)
    if not all(isinstance(point.get("metric"), str) and point["metric"] for point in points):
        raise Refused(400, 'every datapoint wants a text "metric"')
    if not {type(point.get("value")) for point in points} <= {int, float}:
        raise Refused(400, 'every datapoint wants a number "value"')
    return Checked.whole(body, len(points))


def _check_events(body: bytes) -> Checked:
    events = read_json(body, list, "an array of events")
    only_objects(events, "the body")
    if not all(isinstance(event.get("eventType"), str) and event["eventType"] for event in events):
        raise Refused(400, 'every event wants a text "eventType"')
    return Checked.whole(body, len(events))


def _accepted(records: int) -> Response:
    return Response(b'"OK"', media_type="application/json")


DATAPOINTS = Push(("/v2/datapoint",), "signalfx", "signalfx:datapoint", "metric", _check_datapoints, _accepted)
EVENTS = Push(("/v2/event",), "signalfxevent", "signalfx:event", "event", _check_events, _accepted)
