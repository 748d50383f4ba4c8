"""Batches of the HTTP Event Collector: which events there are, where each goes, and which one is at fault.

Enters: a body, one JSON object after another or an array of them. Leaves: frames for the journal, one for each index and
kind of record, in which values of "event" and "fields" are the bytes that came; and the first fault, if there is one. What
stands before it is taken, and nothing after it: that is what Splunk does, and what clients that resume count on.

Most batches are taken apart by compiled code (`hec_looks`). Of what it does not find usual, one call of a library reads all of an
ordinary batch, and no statement here runs for each event. A batch with anything out of the ordinary is read again, event by event.
A large one is read in pieces, as long as all of them are ordinary.
"""

from __future__ import annotations

import codecs
import json
import math
import re
from array import array
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from operator import attrgetter
from typing import Any

import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

from sightline.machinecode.batches import FIRST_S, LAST_S
from sightline.receivers.hec_looks import usual_batch
from sightline.receivers.pieces import PIECE_BYTES, varint

EVENT, METRIC = "event", "metric"
_CLOCK_S = 1e11
"""A time of twelve digits and more is in milliseconds or finer: as seconds it would be after the year 5138."""
_MAX_DIGITS = 4_000
"""An integer of more digits is read as a float: Python refuses to read one of 4,300."""


@dataclass(frozen=True, slots=True)
class Fault:
    """Why reading ended: the protocol's code, the number it tells for the event at fault, and how many events are lost."""

    code: int
    event: int
    records: int = 1


@dataclass(frozen=True, slots=True)
class Frame:
    """What goes to the journal at once."""

    kind: str
    index: str
    body: bytes
    records: int


@dataclass(slots=True)
class Sorted:
    """A batch, taken apart."""

    frames: list[Frame] = field(default_factory=list)
    fault: Fault | None = None
    dropped_measures: int = 0
    """Values of metrics that are no numbers, beside others that are."""


@dataclass(frozen=True, slots=True)
class Defaults:
    """What holds for an event that does not say otherwise."""

    host: str
    source: str
    sourcetype: str
    index: str = ""
    find_time: bool = False


IndexOf = Callable[[str, str], str | None]
"""The index for the one an event names ("" for none) and the kind of record; None for one it may not go to."""


class Envelope(msgspec.Struct, gc=False):
    """One event. `event` and `fields` are their bytes, empty when absent."""

    event: msgspec.Raw = msgspec.Raw()
    fields: msgspec.Raw = msgspec.Raw()
    time: float | str | None = None
    host: str | None = None
    source: str | None = None
    sourcetype: str | None = None
    index: str | None = None


class _Parts(msgspec.Struct, gc=False):
    event: msgspec.Raw = msgspec.Raw()
    fields: msgspec.Raw = msgspec.Raw()


def sort_batch(body: bytes, defaults: Defaults, index_of: IndexOf) -> Sorted:
    """Take a batch apart. Without a fault every event is in a frame."""
    body = body.removeprefix(codecs.BOM_UTF8)
    found = _ordinary(body, defaults, index_of)
    if found is None and b"\\" in body:
        body = _without_lone_surrogates(body)
        found = _ordinary(body, defaults, index_of)
    return found or _one_by_one(body, defaults, index_of)


_BETWEEN = re.compile(rb"\}\s*(?=\{)")
"""Where one object ends and the next begins. In a text it may stand too: then what is before it is no JSON."""


def sort_in_pieces(body: bytes, defaults: Defaults, index_of: IndexOf) -> Sorted | None:
    """A large batch, read piece by piece; None where it is an array, or some piece is out of the ordinary."""
    found = Sorted()
    body = body.removeprefix(codecs.BOM_UTF8)
    start = 0
    while start < len(body):
        between = _BETWEEN.search(body, start + PIECE_BYTES)
        end = between.end() if between else len(body)
        if end - start > 2 * PIECE_BYTES:
            return None
        part = body[start:end]
        piece = _ordinary(part, defaults, index_of)
        if piece is None and b"\\" in part:
            piece = _ordinary(_without_lone_surrogates(part), defaults, index_of)
        if piece is None:
            return None
        found.frames += piece.frames
        start = end
    return found


# -- the ordinary batch

_STREAM = msgspec.json.Decoder(Envelope)
_ARRAY = msgspec.json.Decoder(list[Envelope])
_PARTS = msgspec.json.Decoder(_Parts)
_FLAT = msgspec.json.Decoder(
    list[dict[str, None | bool | int | float | str | list[None | bool | int | float | str]]]  # type: ignore[arg-type]
)
_event, _fields, _time, _host, _source, _sourcetype, _index = map(attrgetter, Envelope.__struct_fields__)
_NO_EVENTS = frozenset((b"", b"null", b'""'))
_METRIC_EVENT = b'"metric"'

# A number that a JSON text or a string holds and a float can hold.
_NUMBER = rb"[-+]?(?:[0-9]{1,200}(?:\.[0-9]{1,200})?|\.[0-9]{1,200})(?:[eE][-+]?[0-9]{1,2})?"
_NUMBER_TEXT = re.compile(_NUMBER.decode())
_MEASURE = re.compile(rb'"metric_name:[^"]+"\s*:\s*(?:' + _NUMBER + rb'|"' + _NUMBER + rb'")\s*[,}]')
_NAME = re.compile(rb'"metric_name"\s*:\s*"[^"]+"\s*[,}]')
_VALUE = re.compile(rb'"_value"\s*:\s*(?:' + _NUMBER + rb'|"' + _NUMBER + rb'")\s*[,}]')


def _ordinary(body: bytes, defaults: Defaults, index_of: IndexOf) -> Sorted | None:
    """The batch, or None when it has to be looked at event by event."""
    usual = usual_batch(body, defaults.host, defaults.source, defaults.sourcetype)
    if usual is not None:
        index = index_of(usual.index or defaults.index, EVENT)
        return None if index is None else Sorted([Frame(_event_kind(defaults), index, usual.body, usual.events)])
    try:
        body.decode()
        envelopes = _ARRAY.decode(body) if body.lstrip()[:1] == b"[" else _STREAM.decode_lines(body)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return None
    if not envelopes:
        return None
    events = list(map(bytes, map(_event, envelopes)))
    named = set(map(_index, envelopes))
    kind = EVENT
    # What stands for no event, or for a metric, is short. To look for it among long texts takes as long as to copy them.
    is_short = min(map(len, events)) <= len(_METRIC_EVENT)
    if is_short and not _NO_EVENTS.isdisjoint(events):
        return None
    if is_short and _METRIC_EVENT in events:
        if events.count(_METRIC_EVENT) < len(events):
            return None
        kind = METRIC
    indexes = {name: index_of(name or defaults.index, kind) for name in named}
    if None in indexes.values():
        return None
    if len(set(indexes.values())) == 1:
        groups = {indexes[envelopes[0].index]: envelopes}
    else:
        # The only statements that run for each event: a batch for several indexes becomes a frame for each.
        groups = {}
        for envelope in envelopes:
            groups.setdefault(indexes[envelope.index], []).append(envelope)
    frames = []
    for index, of_index in groups.items():
        # A large array becomes several frames of about this size.
        step = max(1, len(envelopes) * PIECE_BYTES // len(body))
        for start in range(0, len(of_index), step):
            group = of_index if len(of_index) <= step else of_index[start : start + step]
            fields = _objects(group)
            times = _times(list(map(_time, group)))
            records = len(group) if kind == EVENT else _count_measures(fields)
            if times is None or not records or (kind == EVENT and not _are_flat(fields)):
                return None
            texts = events if group is envelopes else list(map(bytes, map(_event, group)))
            frames.append(_frame(kind, str(index), group, texts, fields, times, records, defaults))
    return Sorted(frames)


def _frame(
    kind: str,
    index: str,
    envelopes: list[Envelope],
    events: list[bytes],
    fields: list[bytes],
    times: array[float],
    records: int,
    defaults: Defaults,
) -> Frame:
    batch = _BATCH()
    if any(fields):
        batch.fields.extend(fields)
    batch.times.extend(times)
    batch.hosts.extend(_column(envelopes, _host, defaults.host))
    batch.sources.extend(_column(envelopes, _source, defaults.source))
    batch.sourcetypes.extend(_column(envelopes, _sourcetype, defaults.sourcetype))
    segment = "hecmetric" if kind == METRIC else _event_kind(defaults)
    pieces: Iterable[bytes] = ()
    if kind == EVENT:
        # The events as protobuf writes them, which would copy each of them twice.
        pieces = chain.from_iterable(zip(map(_HEADS.__getitem__, map(len, events)), events, strict=True))
    return Frame(segment, index, b"".join((*pieces, batch.SerializeToString())), records)


def _event_kind(defaults: Defaults) -> str:
    return "hectimed" if defaults.find_time else "hecevent"


class _Heads(dict[int, bytes]):
    """What stands before an event of so many bytes in a frame: the first field's tag, and the length."""

    def __missing__(self, length: int) -> bytes:
        head = b"\x0a" + varint(length)
        if length < _REMEMBERED_LENGTHS:
            self[length] = head
        return head


_REMEMBERED_LENGTHS = 8192
_HEADS = _Heads()


def _objects(envelopes: list[Envelope]) -> list[bytes]:
    """The fields of each, empty for none."""
    fields = list(map(bytes, map(_fields, envelopes)))
    return [b"" if each == b"null" else each for each in fields] if b"null" in fields else fields


def _are_flat(fields: list[bytes]) -> bool:
    """Whether all are objects without anything nested in them but arrays."""
    objects = list(filter(None, fields))
    if not objects:
        return True
    joined = b",".join(objects)
    if set(map(_first_byte, objects)) == {b"{"} and joined.count(b"{") == len(objects) and b"[" not in joined:
        return True
    # There are arrays, or brackets in a text. This takes a while, because it makes an object of everything.
    try:
        _FLAT.decode(b"[" + joined + b"]")
    except msgspec.ValidationError:
        return False
    return True


def _first_byte(value: bytes) -> bytes:
    return value[:1]


def _count_measures(fields: list[bytes]) -> int:
    """How many points metrics make, or 0 when that takes a closer look."""
    joined = b"".join(fields)
    if b"\\" in joined or b"[" in joined or joined.count(b"{") != len(fields) or joined.count(b"}") != len(fields):
        return 0
    several, single = joined.count(b'"metric_name:'), joined.count(b'"metric_name"')
    if several:
        sound = not single and several == len(_MEASURE.findall(joined)) and all(map(_MEASURE.search, fields))
        return several if sound else 0
    sound = (
        single == len(fields)
        and joined.count(b'"_value"') == single
        and all(map(_NAME.search, fields))
        and all(map(_VALUE.search, fields))
    )
    return single if sound else 0


def _times(values: list[float | str | None]) -> array[float] | None:
    """Seconds for each event, none at all when no event has a time; None when one has a wrong one."""
    if values.count(None) == len(values):
        return array("d")
    try:
        try:
            times = array("d", values)  # type: ignore[arg-type]
        except TypeError:
            times = array("d", map(seconds_of, values))
        else:
            if max(times) > LAST_S or min(times) < FIRST_S:
                times = array("d", map(seconds_of, values))
    except ValueError:
        return None
    return times


def _column(envelopes: list[Envelope], get: Callable[[Envelope], str | None], default: str) -> list[str]:
    distinct = set(map(get, envelopes))
    if len(distinct) == 1:
        return [distinct.pop() or default]
    if None in distinct or "" in distinct:
        return [value or default for value in map(get, envelopes)]
    return list(map(get, envelopes))  # type: ignore[arg-type]


def seconds_of(value: Any) -> float:
    """An event's time; NaN for none. Raises ValueError for what is none."""
    if value is None or value == "":
        return math.nan
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("a time is a number or the text of one")
    # Python takes more for a number than others do: `1_000`, `infinity`, digits of every script.
    if isinstance(value, str) and not _NUMBER_TEXT.fullmatch(value.strip()):
        raise ValueError("a time is a number or the text of one")
    try:
        seconds = float(value)
    except OverflowError:
        seconds = math.inf
    if not math.isfinite(seconds):
        raise ValueError("a time is finite")
    # Divided once: dividing by a thousand again and again loses the last digits.
    unit = 1.0
    while abs(seconds) / unit >= _CLOCK_S:
        unit *= 1000
    seconds /= unit
    if not FIRST_S <= seconds <= LAST_S:
        raise ValueError("a time is between 1900 and 2299")
    return seconds


# A half of a pair that stands alone is no character; a text that has one came from bytes that were no text. Every other escape is
# matched too, so that what follows an escaped backslash is not taken for one.
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}|(\\u[dD][89a-fA-F][0-9a-fA-F]{2})|\\.", re.DOTALL
)


def _without_lone_surrogates(body: bytes) -> bytes:
    return _ESCAPE.sub(lambda found: b"\\ufffd" if found[1] else found[0], body)


# -- event by event


def _one_by_one(body: bytes, defaults: Defaults, index_of: IndexOf) -> Sorted:
    found = Sorted()
    groups: dict[tuple[str, str], _Group] = {}
    number = lost = 0
    for value, text in _values(body):
        if found.fault is not None:
            lost += 1
            continue
        try:
            one = _examine(value, text, number, defaults, index_of)
        except _FaultFound as error:
            found.fault = Fault(error.code, error.event)
            continue
        number += 1
        found.dropped_measures += one.dropped_measures
        group = groups.setdefault((one.kind, one.index), _Group())
        group.envelopes.append(one.envelope)
        group.records += one.records
    if found.fault is not None and lost:
        found.fault = Fault(found.fault.code, found.fault.event, 1 + lost)
    for (kind, index), group in groups.items():
        fields = _objects(group.envelopes)
        times = _times(list(map(_time, group.envelopes)))
        assert times is not None, "the times were examined"
        events = list(map(bytes, map(_event, group.envelopes)))
        found.frames.append(_frame(kind, index, group.envelopes, events, fields, times, group.records, defaults))
    return found


@dataclass(slots=True)
class _Group:
    envelopes: list[Envelope] = field(default_factory=list)
    records: int = 0


@dataclass(frozen=True, slots=True)
class _Examined:
    kind: str
    index: str
    envelope: Envelope
    records: int = 1
    dropped_measures: int = 0


class _FaultFound(Exception):
    def __init__(self, code: int, event: int) -> None:
        super().__init__(code)
        self.code = code
        self.event = event


def _examine(value: Any, text: str, number: int, defaults: Defaults, index_of: IndexOf) -> _Examined:
    """One event that is as it should be. Raises _FaultFound for any other: the order of the checks is Splunk's."""
    if not isinstance(value, dict):
        raise _FaultFound(6, number)
    event = value.get("event")
    if event is None:
        raise _FaultFound(12, number)
    if event == "":
        raise _FaultFound(13, number)
    try:
        seconds = seconds_of(value.get("time"))
    except ValueError:
        raise _FaultFound(15, number) from None
    if not all(isinstance(value.get(name), str | None) for name in ("host", "source", "sourcetype", "index")):
        raise _FaultFound(6, number)
    fields = value.get("fields")
    if not isinstance(fields, dict | None):
        raise _FaultFound(6, number)
    fields = fields or {}
    if any(_is_nested(each) for each in fields.values()):
        raise _FaultFound(15, number)
    kind = METRIC if event == "metric" and any(_names_metric(key) for key in fields) else EVENT
    index = index_of(value.get("index") or defaults.index, kind)
    if index is None:
        # The number of an event with a wrong index is one higher than for every other fault; clients know that.
        raise _FaultFound(7, number + 1)
    try:
        parts = _PARTS.decode(text.encode())
    except (msgspec.DecodeError, RecursionError):
        raise _FaultFound(6, number) from None
    envelope = Envelope(
        event=parts.event,
        fields=parts.fields,
        time=None if math.isnan(seconds) else seconds,
        host=value.get("host"),
        source=value.get("source"),
        sourcetype=value.get("sourcetype"),
    )
    if kind == EVENT:
        return _Examined(kind, index, envelope)
    # Read once more as pairs: of a name that stands there twice both are points, here as in an ordinary batch.
    pairs = json.loads(bytes(parts.fields), object_pairs_hook=list)
    measures, dropped = _measures(pairs)
    if not measures:
        raise _FaultFound(15, number)
    dimensions = [(key, each) for key, each in pairs if key != "_value" and not _names_metric(key)]
    written = [(f"metric_name:{name}", measure) for name, measure in measures] + dimensions
    text = ",".join(f"{_ENCODE(key)}:{_ENCODE(each)}" for key, each in written)
    envelope.fields = msgspec.Raw(f"{{{text}}}".encode())
    return _Examined(kind, index, envelope, len(measures), dropped)


_ENCODE = json.JSONEncoder(ensure_ascii=False).encode
_DECODER = json.JSONDecoder(
    parse_constant=lambda name: _refuse_constant(name),
    parse_int=lambda digits: int(digits) if len(digits) < _MAX_DIGITS else float(digits),
)
_SPACE = " \t\r\n"


def _values(body: bytes) -> Iterator[tuple[Any, str]]:
    """The values of a batch with their texts, one after another, so that an early bad event is judged before what is broken
    later on. What is no JSON comes as None, and then nothing comes."""
    is_text = True
    try:
        text = body.decode()
    except UnicodeDecodeError as error:
        text, is_text = body[: error.start].decode(), False
    in_array = False
    position, end = 0, len(text)
    while True:
        while position < end and text[position] in _SPACE:
            position += 1
        if position >= end:
            break
        mark = text[position]
        if in_array and mark in ",]":
            in_array = mark == ","
            position += 1
            continue
        if not in_array and mark == "[":
            in_array = True
            position += 1
            continue
        try:
            value, after = _DECODER.raw_decode(text, position)
        except (ValueError, RecursionError):
            yield None, ""
            return
        yield value, text[position:after]
        position = after
    if in_array or not is_text:
        yield None, ""


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")


def _is_nested(value: Any) -> bool:
    if isinstance(value, dict):
        return True
    return isinstance(value, list) and any(isinstance(item, dict | list) for item in value)


def _names_metric(key: str) -> bool:
    return key == "metric_name" or key.startswith("metric_name:")


def _measures(pairs: list[tuple[str, Any]]) -> tuple[list[tuple[str, float]], int]:
    """Names of metrics with their values, and how many others have none. `metric_name:` wins over `metric_name`."""
    prefix = "metric_name:"
    named = [(key[len(prefix) :], value) for key, value in pairs if key.startswith(prefix)]
    if not named:
        fields = dict(pairs)
        named = [(fields["metric_name"], fields.get("_value"))]
    found = [
        (name, number) for name, value in named if name and isinstance(name, str) and (number := _number(value)) is not None
    ]
    return found, len(named) - len(found)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    if isinstance(value, str) and not _NUMBER_TEXT.fullmatch(value.strip()):
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


# -- the frame's message


def _batch_class() -> Any:
    """`HecBatch` of store/decode/hec.proto."""
    text, bytes_, double, repeated = 9, 12, 1, 3
    file = descriptor_pb2.FileDescriptorProto(name="sightline/hec.proto", package="sightline", syntax="proto3")
    message = file.message_type.add(name="HecBatch")
    columns = {"events": bytes_, "fields": bytes_, "times": double, "hosts": text, "sources": text, "sourcetypes": text}
    for number, (name, kind) in enumerate(columns.items(), 1):
        message.field.add(name=name, number=number, label=repeated, type=kind)
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("sightline.HecBatch"))


_BATCH = _batch_class()
