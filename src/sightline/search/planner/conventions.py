"""Fields under whichever of OpenTelemetry's names they were sent.

Nothing is paid for a name that never had another, nor where events have one of the names only: the value is then that
field's own column. Where some events have one name and some another, it is the first of them that is there.
"""

from __future__ import annotations

from collections.abc import Mapping

from sightline.search.planner import values as v
from sightline.search.planner.values import Type, Value
from sightline.store.conventions import other_readings

_INCOMING_KINDS = ["server", "consumer"]


def met(name: str, fields: Mapping[str, Value]) -> Value:
    """A field's value, or where it is absent what stands under its other names; NULL where no event has any of them."""
    choices = [fields[name]] if name in fields else []
    for reading in other_readings(name):
        if reading.name in fields:
            choices.append(_read(fields[reading.name], reading.how, fields.get("kind", v.NULL)))
    return v.first_present(choices)


def _read(sent: Value, how: str, kind: Value) -> Value:
    if how == "path":
        return v.call("extract", v.as_text(sent), v.text("^[^?]*"), type=Type.TEXT)
    if how == "query":
        found = v.call("extract", v.as_text(sent), v.text(r"\?(.*)$"), type=Type.TEXT)
        return v.call("nullIf", found, v.text(""), type=Type.TEXT)
    if how == "transport":
        return v.call("replaceRegexpOne", v.as_text(sent), v.text("^ip_"), v.text(""), type=Type.TEXT)
    if how in ("incoming", "outgoing") and kind.type is Type.TEXT:
        is_incoming = v.is_true(v.call("in", kind, v.multi(_INCOMING_KINDS), type=Type.BOOL))
        condition = is_incoming if how == "incoming" else v.negation(is_incoming)
        absent = v.EMPTY_MULTI if sent.type is Type.MULTI else v.Literal(sent.type, None)
        return v.call("if", condition, sent, absent, type=sent.type)
    return sent
