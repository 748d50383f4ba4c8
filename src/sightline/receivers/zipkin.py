"""Zipkin v2: spans as a JSON array, at the path where Zipkin itself takes them."""

from __future__ import annotations

from starlette.responses import Response

from sightline.receivers.acceptance import Refused
from sightline.receivers.push import Checked, Push, only_objects, read_json


def _check(body: bytes) -> Checked:
    spans = read_json(body, list, "an array of spans")
    only_objects(spans, "the body")
    for name in ("traceId", "id"):
        # A span without its ids belongs to no trace.
        if not all(_is_text(span.get(name)) for span in spans):
            raise Refused(400, f'every span wants a text "{name}"')
    return Checked.whole(body, len(spans))


def _is_text(value: object) -> bool:
    return isinstance(value, str) and value != ""


SPANS = Push(("/api/v2/spans",), "zipkin", "zipkin:spans", "trace", _check, lambda records: Response(status_code=202))
