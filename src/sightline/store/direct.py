"""The usual segments straight into columns: the same rows that the statements of `store/decode` give, at a tenth of the cost.

Hides: the compiled functions and their tables. Enters: a journal segment and the promoted fields. Leaves: the columns and the
SELECT of an INSERT with an Arrow table to read, or None where anything about a segment is unusual: then the statements load it.

A segment is taken apart in windows of some thousand records, so that memory depends on the window and on what is stored.
"""

from __future__ import annotations

import base64
import logging
import mmap
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from sightline.config import IngestSettings
from sightline.segments import Frame, check_frames, encode_frame
from sightline.store import compiled
from sightline.store.compiled import otlp, texts, wire
from sightline.store.decode import nested_values
from sightline.store.promotion import JSON_COLUMNS, PromotedField, places_of
from sightline.store.sql_text import JSON_TYPE, identifier

log = logging.getLogger(__name__)

WINDOW_ROWS = 16_384
WINDOW_BYTES = 4 * 1024 * 1024
"""Records of a window, whichever is reached first: its tables take some twenty times its bytes."""
_RAW = 8
"""The kind of a value whose JSON text is in `more`."""
_KIND_LINES = {"Int64": 0, "Float64": 1, "Bool": 2, "String": 3, "Array": 4}
_DEEP = 5
_REMEMBERED = 10_000
"""Statements of databases whose scrubbed text is remembered."""
TABLE_NAME = "sightline_rows"


class Unusual(Exception):
    """A segment that the engine's statements have to read."""


@dataclass(frozen=True, slots=True)
class Rows:
    """Rows to insert: the columns, the SELECT that gives them, and the table it reads as `TABLE_NAME`."""

    columns: list[str]
    select: str
    table: pa.Table

    @property
    def tables(self) -> dict[str, pa.Table]:
        """What the SELECT reads, by name."""
        return {TABLE_NAME: self.table}


class DirectDecoder:
    """Takes segments of the kinds in `compiled.KINDS` apart. Threads may share it."""

    def __init__(self, ingest: IngestSettings, query: Callable[..., pa.Table]) -> None:
        self._ingest = ingest
        self._scrubbed = _Scrubbed(query) if ingest.scrub_statements else None

    def rows(self, kind: str, path: Path, frames: Sequence[Frame], promoted: Sequence[PromotedField]) -> Rows | None:
        """The rows of a segment, which is to have no rules; None where the statements have to load it."""
        if not frames:
            return None
        try:
            return _DECODERS[kind](_mapped(path), frames, promoted, self._ingest, self._scrubbed)
        except Unusual:
            return None
        except (IndexError, pa.ArrowInvalid):
            # A check of the compiled code, or bytes that are no text.
            return None


def _mapped(path: Path) -> mmap.mmap:
    # Closed with the last array that reads it.
    with path.open("rb") as file:
        return mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)


class _Segment:
    """What the compiled functions are given of a segment, and the texts that are not in it."""

    def __init__(
        self,
        data: mmap.mmap,
        frames: Sequence[Frame],
        promoted: Sequence[PromotedField],
        ingest: IngestSettings,
        scrubbed: _Scrubbed | None,
        *,
        known: Sequence[str],
        constants: Sequence[str],
        default_index: str,
        table: str,
    ) -> None:
        self.buf = np.frombuffer(data, np.uint8)
        self.frames = frames
        self.table = table
        self.scrubbed = scrubbed
        self.bound = ingest.max_fields_bytes // 8
        """Longest record that cannot become more text than a record may have: escapes and quotes make it longer."""
        self.bodies = np.array([[f.body_offset for f in frames], [f.end for f in frames]], np.int64)
        self.received_ms = np.array([f.received_ms for f in frames], np.int64)
        self.indexes = list(dict.fromkeys(f.index or default_index for f in frames))
        number = {index: k for k, index in enumerate(self.indexes)}
        self.frame_index = np.array([number[f.index or default_index] for f in frames], np.int64)
        places = places_of(promoted, self.indexes)
        self.columns = list(dict.fromkeys(one.column for one, _, _ in places))
        self.kinds = {one.column: one.kind for one, _, _ in places}
        names = list(dict.fromkeys([*known, *(steps[0] for _, steps, _ in places)]))
        self._more = bytearray()
        self._more_now: np.ndarray | None = None
        self.name_at = self._listed(names)
        self.more_at = self._listed(constants)
        self.more_at[0] = -1 - self.more_at[0]
        numbers = {name: k for k, name in enumerate(names)}
        self.constant_names = np.array([numbers.get(c, -1) for c in constants], np.int64)
        self.all_columns = np.full((len(self.indexes), len(names), 6), -1, np.int64)
        for one, steps, used in places:
            line = _KIND_LINES[one.kind] if len(steps) == 1 else _DEEP
            value = self.columns.index(one.column) if len(steps) == 1 else 0
            for index in used:
                self.all_columns[number[index], numbers[steps[0]], line] = value
        self.names = np.frombuffer(bytes(self._more), np.uint8)
        self.hashed = np.full(1 << max(4 * len(names) - 1, 1).bit_length(), -1, np.int64)
        self.guesses = np.full(otlp.GUESSES, -1, np.int64)
        wire.fill_table(self.names, self.name_at[0], self.name_at[1], self.hashed)

    def _listed(self, texts: Sequence[str]) -> np.ndarray:
        at = np.empty((2, len(texts)), np.int64)
        for k, text in enumerate(texts):
            at[0, k], at[1, k] = len(self._more), len(text.encode())
            self._more += text.encode()
        return at

    @property
    def more(self) -> np.ndarray:
        """The texts that are not in the segment."""
        if self._more_now is None:
            self._more_now = np.frombuffer(bytes(self._more), np.uint8)
        return self._more_now

    def add(self, data: bytes) -> int:
        """Keep texts, and give the place of the first."""
        at = -1 - len(self._more)
        self._more += data
        self._more_now = None
        return at

    def resolve(self, items: np.ndarray, count: int) -> None:
        """Write the values that are neither texts, whole numbers nor truths, so that every item can be copied."""
        kinds = items[2, :count]
        doubles = np.flatnonzero(kinds == wire.DOUBLE)
        if len(doubles):
            text = orjson.dumps(items[3, doubles].view(np.float64), option=orjson.OPT_SERIALIZE_NUMPY)
            at = self.add(text)
            ends = np.append(np.flatnonzero(np.frombuffer(text, np.uint8) == ord(",")), len(text) - 1)
            begins = np.append(0, ends[:-1]) + 1
            items[4, doubles] = ends - begins
            items[3, doubles] = at - begins
            items[2, doubles] = _RAW
        for kind, write in (
            (wire.ARRAY, nested_values.array_json),
            (wire.MAP, nested_values.map_json),
            (wire.BYTES, _bytes_json),
        ):
            of_kind = np.flatnonzero(kinds == kind)
            if not len(of_kind):
                continue
            values = self.binary(items[3, of_kind], items[4, of_kind]).dictionary_encode()
            placed = []
            for value in values.dictionary.to_pylist():
                try:
                    written = write(value.hex()).encode()
                except (ValueError, DecodeError, RecursionError) as error:
                    raise Unusual from error
                placed.append((self.add(written), len(written)))
            chosen = np.array(placed, np.int64)[values.indices.to_numpy()]
            items[3, of_kind], items[4, of_kind], items[2, of_kind] = chosen[:, 0], chosen[:, 1], _RAW

    def binary(self, places: np.ndarray, lengths: np.ndarray) -> pa.Array:
        """Bytes at places, as an array."""
        offsets, data = self._gathered(places, lengths)
        return pa.Array.from_buffers(pa.binary(), len(places), [None, offsets, data])

    def text(self, places: np.ndarray, lengths: np.ndarray, *, nullable: bool = False) -> pa.Array:
        """Texts at places, as an array; a length below 0 is null where `nullable`. Raises ArrowInvalid for bytes that are no text."""
        offsets, data = self._gathered(places, lengths)
        mask = pa.py_buffer(np.packbits(lengths >= 0, bitorder="little")) if nullable else None
        return _checked(pa.Array.from_buffers(pa.string(), len(places), [mask, offsets, data]))

    def _gathered(self, places: np.ndarray, lengths: np.ndarray) -> tuple[pa.Buffer, pa.Buffer]:
        places, lengths = np.ascontiguousarray(places), np.ascontiguousarray(lengths, np.int64)
        offsets = np.empty(len(places) + 1, np.int32)
        out = np.empty(int(np.maximum(lengths, 0).sum()) + 8, np.uint8)
        texts.gather(self.buf, self.more, places, lengths, offsets, out)
        return pa.py_buffer(offsets), pa.py_buffer(out)

    def hexadecimal(self, places: np.ndarray, lengths: np.ndarray, *, zero_is_none: bool) -> pa.Array:
        """Bytes as hexadecimal digits."""
        places, lengths = np.ascontiguousarray(places), np.ascontiguousarray(lengths)
        offsets = np.empty(len(places) + 1, np.int32)
        out = np.empty(2 * int(lengths.sum()), np.uint8)
        texts.gather_hex(self.buf, places, lengths, offsets, out, zero_is_none)
        return pa.Array.from_buffers(pa.string(), len(places), [None, pa.py_buffer(offsets), pa.py_buffer(out)])

    def written(self, write: Callable[[np.ndarray, np.ndarray], int], rows: int) -> pa.Array:
        """What a function writes that measures first: it is given the offsets to fill, and where to write."""
        offsets = np.empty(rows + 1, np.int32)
        out = np.empty(max(write(offsets, np.empty(0, np.uint8)), 1), np.uint8)
        write(offsets, out)
        return _checked(pa.Array.from_buffers(pa.string(), rows, [None, pa.py_buffer(offsets), pa.py_buffer(out)]))

    def promoted(self, numbers: np.ndarray, lengths: np.ndarray, elements: np.ndarray) -> list[pa.Array]:
        """The promoted columns of a window."""
        return [
            self._promoted(self.kinds[column], numbers[k], lengths[k], elements) for k, column in enumerate(self.columns)
        ]

    def _promoted(self, kind: str, numbers: np.ndarray, lengths: np.ndarray, elements: np.ndarray) -> pa.Array:
        if kind == "String":
            return self.text(numbers, lengths, nullable=True)
        absent = lengths < 0
        if kind == "Int64":
            return pa.array(numbers, mask=absent)
        if kind == "Float64":
            return pa.array(numbers.view(np.float64), mask=absent, from_pandas=False)
        if kind == "Bool":
            return pa.array(numbers != 0, mask=absent)
        counts = np.where(absent, 0, lengths).astype(np.int64)
        offsets = np.zeros(len(counts) + 1, np.int64)
        np.cumsum(counts, out=offsets[1:])
        of_row = np.repeat(np.arange(len(counts)), counts)
        chosen = numbers[of_row] + np.arange(offsets[-1]) - offsets[of_row]
        return pa.ListArray.from_arrays(offsets.astype(np.int32), self.text(elements[0, chosen], elements[1, chosen]))

    def windows(self, records: np.ndarray) -> list[tuple[int, int]]:
        """Ranges of records, in order."""
        total = np.cumsum(records[1] - records[0])
        found, low = [], 0
        while low < len(total):
            before = total[low - 1] if low else 0
            high = int(np.searchsorted(total, before + WINDOW_BYTES, side="right"))
            high = min(max(high, low + 1), low + WINDOW_ROWS)
            found.append((low, high))
            low = high
        return found


def _checked(array: pa.Array) -> pa.Array:
    array.validate(full=True)
    return array


def _bytes_json(hex_text: str) -> str:
    return f'"{base64.b64encode(bytes.fromhex(hex_text)).decode()}"'


class _Scrubbed:
    """Statements of databases without the values in them, as the engine's functions make them; those seen lately are remembered."""

    def __init__(self, query: Callable[..., pa.Table]) -> None:
        self._query = query
        self._lock = threading.Lock()
        self._known: dict[tuple[str, ...], tuple[str, ...]] = {}

    def of(self, wanted: Sequence[tuple[str, ...]]) -> list[tuple[str, ...]]:
        """(text, statement, summary) for each different (text, statement, summary, system name, system)."""
        with self._lock:
            found = {key: self._known[key] for key in wanted if key in self._known}
        missing = [key for key in wanted if key not in found]
        if missing:
            names = ("text", "statement", "summary", "system_name", "system")
            table = pa.table({name: pa.array([key[k] for key in missing], pa.string()) for k, name in enumerate(names)})
            rows = self._query(
                "SELECT text_, statement_, if(summary != '', summary,"
                " sightline_summary(if(text_ = '', statement_, text_), dialect)) AS summary_ FROM ("
                "SELECT summary, dialect, sightline_scrubbed_statement(text, dialect) AS text_,"
                " sightline_scrubbed_statement(statement, dialect) AS statement_ FROM ("
                f"SELECT *, sightline_dialect(lower(if(system_name = '', system, system_name))) AS dialect FROM Python({TABLE_NAME})))",
                tables={TABLE_NAME: table},
            ).to_pylist()
            made = {key: (r["text_"], r["statement_"], r["summary_"]) for key, r in zip(missing, rows, strict=True)}
            found |= made
            with self._lock:
                if len(self._known) + len(made) > _REMEMBERED:
                    self._known.clear()
                self._known |= made
        return [found[key] for key in wanted]


_NO_STATEMENTS = np.empty((11, 0), np.int64), np.empty((6, 0), np.int64)


def _scrubbed_places(
    segment: _Segment, records: np.ndarray, low: int, high: int, field: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where a window's statements are, and where what scrubbing makes of them is."""
    places = np.empty((11, high - low + 1), np.int64)
    count = otlp.statements(segment.buf, records, low, high, field, places, segment.names, segment.name_at, segment.hashed)
    if count < 0:
        raise Unusual
    places = np.ascontiguousarray(places[:, :count])
    columns = [segment.text(places[1 + 2 * k], places[2 + 2 * k]).dictionary_encode() for k in range(5)]
    codes = np.stack([column.indices.to_numpy() for column in columns])
    different, of_row = np.unique(codes, axis=1, return_inverse=True)
    keys = [
        tuple(column.dictionary[int(code)].as_py() for column, code in zip(columns, codes, strict=True))
        for codes in different.T
    ]
    made = np.empty((6, len(keys)), np.int64)
    for n, texts_ in enumerate(segment.scrubbed.of(keys)):
        for k, text in enumerate(texts_):
            made[2 * k, n], made[2 * k + 1, n] = segment.add(text.encode()), len(text.encode())
    return places, np.ascontiguousarray(made[:, of_row.reshape(-1)])


@dataclass(frozen=True, slots=True)
class _Groups:
    """What the records of a scope have in common, and which columns take it."""

    groups: np.ndarray
    own: np.ndarray
    promoted: np.ndarray
    promoted_ranges: np.ndarray
    rest: np.ndarray
    rest_ranges: np.ndarray


def _outline(segment: _Segment) -> tuple[np.ndarray, _Groups, np.ndarray, np.ndarray]:
    """Where the records are, what their groups have, the elements of lists, and the state of both."""
    expected = sum(frame.records for frame in segment.frames)
    records = np.empty((3, expected), np.int64)
    groups = np.empty((otlp.GROUP_LINES, expected), np.int64)
    n, count = otlp.outline(segment.buf, segment.bodies, records, groups)
    if n < 1 or n != expected:
        raise Unusual
    groups = np.ascontiguousarray(groups[:, :count])
    # An attribute takes four bytes at least, and the program itself names six.
    room = int((groups[otlp.RESOURCE_END] - groups[otlp.RESOURCE] + groups[otlp.SCOPE_END] - groups[otlp.SCOPE]).sum()) // 4
    room += 6 * count
    members = np.empty((6, room), np.int64)
    ranges, promoted_ranges, rest_ranges = (np.empty(count + 1, np.int64) for _ in range(3))
    own = np.empty((8, count), np.int64)
    made = otlp.shared(
        segment.buf, groups, segment.frame_index, segment.all_columns, members, ranges, own, segment.more_at,
        segment.constant_names, segment.guesses, segment.names, segment.name_at, segment.hashed,
    )  # fmt: skip
    if made < 0:
        raise Unusual
    promoted, rest = np.empty((5, made), np.int64), np.empty((6, made), np.int64)
    elements = np.empty((2, len(segment.buf) // 2), np.int64)
    state = np.zeros(2, np.int64)
    p = otlp.divide_shared(
        segment.buf, groups, segment.frame_index, segment.all_columns, members, ranges, promoted, promoted_ranges, rest,
        rest_ranges, elements, state,
    )  # fmt: skip
    if p < 0:
        raise Unusual
    segment.resolve(rest, int(rest_ranges[-1]))
    return records, _Groups(groups, own, promoted, promoted_ranges, rest, rest_ranges), elements, state


def _traces(
    data: mmap.mmap,
    frames: Sequence[Frame],
    promoted: Sequence[PromotedField],
    ingest: IngestSettings,
    scrubbed: _Scrubbed | None,
) -> Rows:
    segment = _Segment(
        data, frames, promoted, ingest, scrubbed,
        known=otlp.KNOWN, constants=otlp.CONSTANTS, default_index="traces", table="spans",
    )  # fmt: skip
    records, shared, elements, state = _outline(segment)
    batches = []
    for low, high in segment.windows(records):
        rows = high - low
        room = int((records[1, low:high] - records[0, low:high]).sum()) // 4 + 9 * rows
        own = np.empty((otlp.SPAN_LINES, rows + 1), np.int64)
        numbers = np.empty((len(segment.columns), rows), np.int64)
        lengths = np.full((len(segment.columns), rows), -1, np.int32)
        seen = np.full(segment.name_at.shape[1], -1, np.int64)
        items, deep = np.empty((5, room), np.int64), np.empty((5, room), np.int64)
        parts, deep_state = np.empty((otlp.PART_LINES, room), np.int64), np.zeros(1, np.int64)
        places, made = _NO_STATEMENTS
        scrubs = segment.scrubbed is not None
        while True:
            n_parts = otlp.spans(
                segment.buf, records, low, high, shared.groups, segment.frame_index, segment.all_columns, segment.bound, own, numbers,
                numbers.view(np.float64), lengths, seen, items, elements, state, parts, deep, deep_state, shared.promoted,
                shared.promoted_ranges, shared.rest, shared.rest_ranges, places, made, scrubs, segment.more_at,
                segment.constant_names, segment.guesses, segment.names, segment.name_at, segment.hashed,
            )  # fmt: skip
            if n_parts != -2:
                break
            places, made = _scrubbed_places(segment, records, low, high, 9)
            scrubs = False
            lengths.fill(-1)
            seen.fill(-1)
        if n_parts < 0:
            raise Unusual
        segment.resolve(items, int(state[0]))
        segment.resolve(deep, int(deep_state[0]))
        batches.append(_span_batch(segment, records[2, low:high], shared, own, items, parts, n_parts, deep, int(deep_state[0]),
            segment.promoted(numbers, lengths, elements)))  # fmt: skip
    return _rows(segment, pa.Table.from_batches(batches), "'otlp:traces'")


_KINDS = pa.array(["", "internal", "server", "client", "producer", "consumer"])
_STATUSES = pa.array(["unset", "ok", "error"])


def _span_batch(segment, of_group, shared, own, items, parts, n_parts, deep, n_deep, promoted) -> pa.RecordBatch:
    rows = len(of_group)
    own = own[:, : rows + 1]
    service = segment.text(shared.own[0], shared.own[1]).take(pa.array(of_group))
    columns = {
        "index": pa.array(segment.indexes).take(pa.array(segment.frame_index[shared.groups[otlp.FRAME, of_group]])),
        "_time": pa.array(own[otlp.START, :rows]).view(pa.timestamp("ns", "UTC")),
        "trace_id": segment.hexadecimal(own[otlp.TRACE, :rows], own[otlp.TRACE_LENGTH, :rows], zero_is_none=False),
        "span_id": segment.hexadecimal(own[otlp.SPAN, :rows], own[otlp.SPAN_LENGTH, :rows], zero_is_none=False),
        "parent_span_id": segment.hexadecimal(own[otlp.PARENT, :rows], own[otlp.PARENT_LENGTH, :rows], zero_is_none=True),
        "service": service,
        "name": segment.text(own[otlp.NAME, :rows], own[otlp.NAME_LENGTH, :rows]),
        "kind": _KINDS.take(pa.array(own[otlp.KIND, :rows])),
        "status": _STATUSES.take(pa.array(own[otlp.STATUS, :rows])),
        "status_message": segment.text(own[otlp.MESSAGE, :rows], own[otlp.MESSAGE_LENGTH, :rows]),
        "duration_ns": pa.array(own[otlp.DURATION, :rows].astype(np.uint64)),
        "host": segment.text(shared.own[2], shared.own[3]).take(pa.array(of_group)),
        "source": service,
        "events": _parts_text(segment, parts, n_parts, deep, n_deep, 0, rows),
        "links": _parts_text(segment, parts, n_parts, deep, n_deep, 1, rows),
        "fields": _objects(segment, shared, items, own[otlp.FIRST_ITEM], of_group),
    }
    columns |= dict(zip(segment.columns, promoted, strict=True))
    return pa.record_batch(columns)


def _objects(
    segment: _Segment, shared: _Groups, items: np.ndarray, first_items: np.ndarray, of_group: np.ndarray
) -> pa.Array:
    """What no column takes, as JSON text."""
    first_items = np.ascontiguousarray(first_items)
    more = segment.more
    return segment.written(
        lambda offsets, out: texts.objects(
            segment.buf, more, items, first_items, of_group, shared.rest, shared.rest_ranges, offsets, out
        ),
        len(of_group),
    )


def _words(*words: str) -> tuple[np.ndarray, np.ndarray]:
    lengths = [len(word) for word in words]
    return np.frombuffer("".join(words).encode(), np.uint8), np.cumsum([0, *lengths]).astype(np.int64)


_PART_WORDS = (
    _words('{"name":', ',"time_unix_nano":', ',"attributes":{', "", ',"dropped_attributes_count":', ""),
    _words('{"trace_id":', ',"span_id":', ',"attributes":{', ',"trace_state":', ',"dropped_attributes_count":', ',"flags":'),
)


def _parts_text(segment, parts, n_parts, deep, n_deep, is_link, rows) -> pa.Array:
    words, word_at = _PART_WORDS[is_link]
    more = segment.more
    return segment.written(
        lambda offsets, out: texts.lists_of_parts(
            segment.buf, more, parts, n_parts, deep, n_deep, is_link, words, word_at, offsets, rows, out
        ),
        rows,
    )


def _rows(segment: _Segment, table: pa.Table, sourcetype: str) -> Rows:
    """The INSERT's columns and SELECT for a table."""
    json_column = JSON_COLUMNS[segment.table]
    values = {"_indextime": "now64(3)", "sourcetype": sourcetype} | {name: identifier(name) for name in table.column_names}
    values[json_column] = f"CAST({identifier(json_column)} AS {JSON_TYPE})"
    selected = ", ".join(f"{value} AS {identifier(name)}" for name, value in values.items())
    return Rows(list(values), f"SELECT {selected} FROM Python({TABLE_NAME})", table)


_DECODERS = {"traces": _traces}


def compile_everything() -> None:
    """Use every compiled function once, on requests that have one of everything, and say so in the cache."""
    with tempfile.TemporaryDirectory() as folder:
        for kind, body, records in _samples():
            path = Path(folder) / kind
            path.write_bytes(encode_frame(body, records=records) + body)
            frames, _ = check_frames(path)
            _DECODERS[kind](_mapped(path), frames, (), IngestSettings(), _Scrubbed(_unscrubbed))
    compiled.mark_complete()


def _unscrubbed(_sql: str, tables: dict[str, pa.Table]) -> pa.Table:
    return tables[TABLE_NAME].rename_columns(["text_", "statement_", "summary_", "system_name", "system"])


def _samples() -> Iterator[tuple[str, bytes, int]]:
    attributes = [
        KeyValue(key="number", value=AnyValue(double_value=0.5)),
        KeyValue(key="db.statement", value=AnyValue(string_value="SELECT 1")),
    ]
    resource = Resource(attributes=attributes)
    span = Span(
        trace_id=b"1" * 16,
        attributes=attributes,
        events=[{"name": "e", "attributes": attributes}],
        links=[{"span_id": b"1" * 8}],
    )
    yield (
        "traces",
        TracesData(resource_spans=[{"resource": resource, "scope_spans": [{"spans": [span]}]}]).SerializeToString(),
        1,
    )
