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
import pyarrow.compute as pc
from google.protobuf.message import DecodeError
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, KeyValue
from opentelemetry.proto.logs.v1.logs_pb2 import LogRecord, LogsData
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span, TracesData

from sightline.config import IngestSettings
from sightline.segments import Frame, check_frames, encode_frame
from sightline.store import compiled
from sightline.store.compiled import hec, json_text, members, otlp, texts, wire
from sightline.store.decode import nested_values
from sightline.store.promotion import JSON_COLUMNS, PromotedField, Steps, places_of
from sightline.store.sql_text import JSON_TYPE, identifier

log = logging.getLogger(__name__)

WINDOW_ROWS = 16_384
WINDOW_BYTES = 4 * 1024 * 1024
"""Records of a window, whichever is reached first: its tables take some twenty times its bytes."""
_RAW = 8
"""The kind of a value whose JSON text is in `more`."""
_KIND_LINES = {"Int64": 0, "Float64": 1, "Bool": 2, "String": 3, "Array": 4}
_DEEP = 5
_MAX_SECONDS = 9e9
"""Times beyond are for the engine: it knows which of them a calendar has."""
_SEVERITIES = {
    word: severity
    for severity, words in {
        "trace": "trace",
        "debug": "debug debug1 debug2 debug3 debug4 debug5",
        "info": "info information notice log",
        "warn": "warn warning",
        "error": "error err severe",
        "fatal": "fatal critical crit alert emerg emergency panic",
    }.items()
    for word in words.split()
}
"""What `sightline_severity` of decode/text.sql says."""
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


def _numbered(known: Sequence[str], places: Sequence[Steps]) -> dict[Steps, int]:
    """A number for each name, the known ones first, then what has no object around it; members of an object follow each other."""
    every = dict.fromkeys((name,) for name in known)
    every |= dict.fromkeys(steps[:depth] for steps in places for depth in range(1, len(steps) + 1))
    outer = [steps for steps in every if len(steps) == 1]
    inner = sorted(steps for steps in every if len(steps) > 1)
    return {
        steps: number for number, steps in enumerate([*outer, *sorted(inner, key=lambda steps: (len(steps), steps[:-1]))])
    }


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
        numbers = _numbered(known, [steps for _, steps, _ in places])
        self._more = bytearray()
        self._more_now: np.ndarray | None = None
        self.name_at = self.listed([steps[-1] for steps in numbers])
        self.children = np.zeros((2, len(numbers)), np.int64)
        for steps, name in numbers.items():
            if len(steps) > 1:
                parent = numbers[steps[:-1]]
                if not self.children[1, parent]:
                    self.children[0, parent] = name
                self.children[1, parent] += 1
        self.more_at = self.listed(constants)
        self.more_at[0] = -1 - self.more_at[0]
        self.constant_names = np.array([numbers.get((c,), -1) for c in constants], np.int64)
        self.all_columns = np.full((len(self.indexes), len(numbers), 6), -1, np.int64)
        for one, steps, used in places:
            for index in used:
                found = self.all_columns[number[index]]
                found[numbers[steps], _KIND_LINES[one.kind]] = self.columns.index(one.column)
                for depth in range(1, len(steps)):
                    found[numbers[steps[:depth]], _DEEP] = 0
        self.names = np.frombuffer(bytes(self._more), np.uint8)
        outer = sum(len(steps) == 1 for steps in numbers)
        self.hashed = np.full(1 << max(4 * outer - 1, 1).bit_length(), -1, np.int64)
        self.guesses = np.full(members.GUESSES, -1, np.int64)
        wire.fill_table(self.names, self.name_at[0, :outer], self.name_at[1, :outer], self.hashed)

    def listed(self, texts: Sequence[str]) -> np.ndarray:
        """Keep texts; line by line where each is among those that are not in the segment, and its length."""
        at = np.empty((2, len(texts)), np.int64)
        for k, text in enumerate(texts):
            at[0, k], at[1, k] = len(self._more), len(text.encode())
            self._more += text.encode()
        self._more_now = None
        return at

    @property
    def more(self) -> np.ndarray:
        """The texts that are not in the segment."""
        if self._more_now is None:
            self._more_now = np.frombuffer(bytes(self._more), np.uint8)
        return self._more_now

    @property
    def more_end(self) -> int:
        """The place of what is added next."""
        return -1 - len(self._more)

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

    def index(self, frame: np.ndarray) -> pa.Array:
        """The index of records, of the frames they are in."""
        return pa.array(self.indexes).take(pa.array(self.frame_index[frame]))

    def promoted(self, column: str, numbers: np.ndarray, lengths: np.ndarray, elements: np.ndarray) -> pa.Array:
        """A promoted column of a window."""
        kind = self.kinds[column]
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


def _outline(segment: _Segment) -> tuple[np.ndarray, _Groups, np.ndarray, int]:
    """Where the records are, what their groups have, and the elements of lists with the number of those of groups."""
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
    state = np.zeros(3, np.int64)
    p = otlp.divide_shared(
        segment.buf, groups, segment.frame_index, segment.all_columns, members, ranges, promoted, promoted_ranges, rest,
        rest_ranges, elements, state,
    )  # fmt: skip
    if p < 0:
        raise Unusual
    segment.resolve(rest, int(rest_ranges[-1]))
    return records, _Groups(groups, own, promoted, promoted_ranges, rest, rest_ranges), elements, int(state[1])


class _Window:
    """The tables for some records of a segment that the compiled functions fill."""

    def __init__(self, segment: _Segment, lines: int, rows: int, size_bytes: int, elements: np.ndarray, used: int) -> None:
        # A member takes four bytes at least, and the program itself names nine of a record.
        self.room = size_bytes // 4 + 9 * rows
        self.own = np.empty((lines, rows + 1), np.int64)
        self.numbers = np.empty((len(segment.columns), rows), np.int64)
        self.lengths = np.full((len(segment.columns), rows), -1, np.int32)
        self.seen = np.full(segment.name_at.shape[1], -1, np.int64)
        self.items = np.empty((5, self.room), np.int64)
        self.cells = np.empty((json_text.CELL_LINES, self.room), np.int64)
        self.elements = elements
        self.state = np.array([0, used, 0], np.int64)
        self._used = used

    @property
    def floats(self) -> np.ndarray:
        """The numbers as doubles."""
        return self.numbers.view(np.float64)

    def clear(self) -> None:
        """Begin again."""
        self.lengths.fill(-1)
        self.seen.fill(-1)
        self.state[:] = 0, self._used, 0

    def promoted(self, segment: _Segment) -> dict[str, pa.Array]:
        """The promoted columns."""
        self._fill_cells(segment, int(self.state[2]))
        return {
            column: segment.promoted(column, self.numbers[k], self.lengths[k], self.elements)
            for k, column in enumerate(segment.columns)
        }

    def _fill_cells(self, segment: _Segment, count: int) -> None:
        cells = self.cells[:, :count]
        kinds = cells[json_text.CELL_KIND]
        numbers = cells[:, kinds == json_text.NUMBER]
        if numbers.shape[1]:
            written = segment.text(numbers[json_text.CELL_AT], numbers[json_text.CELL_LENGTH])
            values = pc.cast(written, pa.float64()).to_numpy()
            if not np.isfinite(values).all():
                raise Unusual
            self.floats[numbers[json_text.CELL_COLUMN], numbers[json_text.CELL_ROW]] = values
        escaped = kinds == json_text.ESCAPED
        if escaped.any():
            out = np.empty(int(cells[json_text.CELL_LENGTH, escaped].sum()), np.uint8)
            length = json_text.unescape(
                segment.buf, self.cells, count, json_text.ESCAPED, out, self.numbers, self.lengths, segment.more_end
            )
            segment.add(out[:length].tobytes())


def _decoded(
    segment: _Segment, lines: int, field: int, read: Callable[[_Window, _Groups, int, int, tuple], int]
) -> Iterator[tuple[_Window, np.ndarray, _Groups, int]]:
    """Windows of a segment of OTLP as `read` has filled them, with the group of each record and what `read` returned."""
    records, shared, elements, used = _outline(segment)
    for low, high in segment.windows(records):
        size_bytes = int((records[1, low:high] - records[0, low:high]).sum())
        window = _Window(segment, lines, high - low, size_bytes, elements, used)
        statements = (*_NO_STATEMENTS, segment.scrubbed is not None)
        result = read(window, shared, low, high, (records, *statements))
        if result == -2:
            window.clear()
            statements = (*_scrubbed_places(segment, records, low, high, field), False)
            result = read(window, shared, low, high, (records, *statements))
        if result < 0:
            raise Unusual
        segment.resolve(window.items, int(window.state[0]))
        yield window, records[2, low:high], shared, result


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

    def read(window: _Window, shared: _Groups, low: int, high: int, given: tuple) -> int:
        records, places, made, scrubs = given
        window.parts, window.deep = np.empty((otlp.PART_LINES, window.room), np.int64), np.empty((5, window.room), np.int64)
        window.deep_state = np.zeros(1, np.int64)
        return otlp.spans(
            segment.buf, records, low, high, shared.groups, segment.frame_index, segment.all_columns, segment.bound, window.own,
            window.numbers, window.floats, window.lengths, window.seen, window.items, window.elements, window.state, window.parts,
            window.deep, window.deep_state, shared.promoted, shared.promoted_ranges, shared.rest, shared.rest_ranges, places, made,
            scrubs, segment.more_at, segment.constant_names, segment.guesses, segment.names, segment.name_at, segment.hashed,
        )  # fmt: skip

    batches = [
        _span_batch(segment, of_group, shared, window, parts)
        for window, of_group, shared, parts in _decoded(segment, otlp.SPAN_LINES, 9, read)
    ]
    return _rows(segment, batches, {"sourcetype": "'otlp:traces'"})


_KINDS = pa.array(["", "internal", "server", "client", "producer", "consumer"])
_STATUSES = pa.array(["unset", "ok", "error"])


def _span_batch(segment: _Segment, of_group: np.ndarray, shared: _Groups, window: _Window, n_parts: int) -> pa.RecordBatch:
    rows = len(of_group)
    own = window.own[:, :rows]
    n_deep = int(window.deep_state[0])
    segment.resolve(window.deep, n_deep)
    service = segment.text(shared.own[0], shared.own[1]).take(pa.array(of_group))
    columns = {
        "index": segment.index(shared.groups[otlp.FRAME, of_group]),
        "_time": pa.array(own[otlp.START]).view(pa.timestamp("ns", "UTC")),
        "trace_id": segment.hexadecimal(own[otlp.TRACE], own[otlp.TRACE_LENGTH], zero_is_none=False),
        "span_id": segment.hexadecimal(own[otlp.SPAN], own[otlp.SPAN_LENGTH], zero_is_none=False),
        "parent_span_id": segment.hexadecimal(own[otlp.PARENT], own[otlp.PARENT_LENGTH], zero_is_none=True),
        "service": service,
        "name": segment.text(own[otlp.NAME], own[otlp.NAME_LENGTH]),
        "kind": _KINDS.take(pa.array(own[otlp.KIND])),
        "status": _STATUSES.take(pa.array(own[otlp.STATUS])),
        "status_message": segment.text(own[otlp.MESSAGE], own[otlp.MESSAGE_LENGTH]),
        "duration_ns": pa.array(own[otlp.DURATION].astype(np.uint64)),
        "host": segment.text(shared.own[2], shared.own[3]).take(pa.array(of_group)),
        "source": service,
        "events": _parts_text(segment, window.parts, n_parts, window.deep, n_deep, 0, rows),
        "links": _parts_text(segment, window.parts, n_parts, window.deep, n_deep, 1, rows),
        **window.promoted(segment),
        "fields": _objects(segment, shared, window, window.own[otlp.FIRST_ITEM], of_group),
    }
    return pa.record_batch(columns)


def _logs(
    data: mmap.mmap,
    frames: Sequence[Frame],
    promoted: Sequence[PromotedField],
    ingest: IngestSettings,
    scrubbed: _Scrubbed | None,
) -> Rows:
    segment = _Segment(
        data, frames, promoted, ingest, scrubbed,
        known=otlp.KNOWN, constants=(*otlp.CONSTANTS, "otlp:logs"), default_index="main", table="events",
    )  # fmt: skip
    listed = segment.listed(otlp.SEVERITY_WORDS)
    words = np.zeros((2 + max(map(len, otlp.SEVERITY_WORDS)), len(otlp.SEVERITY_WORDS)), np.int64)
    words[0], words[1] = -1 - listed[0], listed[1]
    for k, word in enumerate(otlp.SEVERITY_WORDS):
        words[2 : 2 + len(word), k] = list(word.encode())
    stack = np.empty((3, 64), np.int64)

    def read(window: _Window, shared: _Groups, low: int, high: int, given: tuple) -> int:
        records, places, made, scrubs = given
        return otlp.logs(
            segment.buf, records, low, high, shared.groups, segment.frame_index, segment.all_columns, segment.bound, window.own,
            window.numbers, window.floats, window.lengths, window.seen, window.items, window.elements, window.cells, window.state,
            shared.promoted, shared.promoted_ranges, shared.rest, shared.rest_ranges, places, made, scrubs, words, segment.more_at,
            segment.constant_names, segment.guesses, segment.children, segment.names, segment.name_at, segment.hashed, stack,
        )  # fmt: skip

    batches = [
        _log_batch(segment, of_group, shared, window)
        for window, of_group, shared, _ in _decoded(segment, otlp.LOG_LINES, 6, read)
    ]
    return _rows(segment, batches, {})


def _log_batch(segment: _Segment, of_group: np.ndarray, shared: _Groups, window: _Window) -> pa.RecordBatch:
    own = window.own[:, : len(of_group)]
    frame = shared.groups[otlp.FRAME, of_group]
    nanoseconds = np.where(own[otlp.LOG_TIME] == 0, segment.received_ms[frame] * 1_000_000, own[otlp.LOG_TIME])
    of_resource = shared.own[:, of_group]
    usual = segment.more_at[:, -1]
    source = _first_set(own[otlp.LOG_SOURCE : otlp.LOG_SOURCE + 2], of_resource[4:6], of_resource[0:2])
    sourcetype = _first_set(own[otlp.LOG_SOURCETYPE : otlp.LOG_SOURCETYPE + 2], of_resource[6:8], usual[:, None])
    columns = {
        "index": segment.index(frame),
        "_time": pa.array(nanoseconds // 1000).view(pa.timestamp("us", "UTC")),
        "host": segment.text(shared.own[2], shared.own[3]).take(pa.array(of_group)),
        "source": segment.text(*source),
        "sourcetype": segment.text(*sourcetype),
        "severity": pc.ascii_lower(segment.text(own[otlp.LOG_SEVERITY], own[otlp.LOG_SEVERITY_LENGTH])),
        "trace_id": segment.hexadecimal(own[otlp.LOG_TRACE], own[otlp.LOG_TRACE_LENGTH], zero_is_none=True),
        "span_id": segment.hexadecimal(own[otlp.LOG_SPAN], own[otlp.LOG_SPAN_LENGTH], zero_is_none=True),
        "_raw": segment.text(own[otlp.LOG_TEXT], own[otlp.LOG_TEXT_LENGTH]),
        **window.promoted(segment),
        "fields": _objects(segment, shared, window, window.own[otlp.LOG_FIRST_ITEM], of_group),
    }
    return pa.record_batch(columns)


def _first_set(*given: np.ndarray) -> np.ndarray:
    """The first text that is not empty, of places and lengths."""
    found = given[-1]
    for one in given[-2::-1]:
        found = np.where(one[1] > 0, one, found)
    return found


def _hec(
    data: mmap.mmap,
    frames: Sequence[Frame],
    promoted: Sequence[PromotedField],
    ingest: IngestSettings,
    scrubbed: _Scrubbed | None,
) -> Rows:
    segment = _Segment(
        data, frames, promoted, ingest, scrubbed, known=hec.KNOWN, constants=(), default_index="main", table="events"
    )
    expected = sum(frame.records for frame in frames)
    every = np.empty((hec.EVENT_LINES, expected), np.int64)
    count, escaped_bytes = hec.batches(segment.buf, segment.bodies, every)
    if count < 1 or count != expected:
        raise Unusual
    if escaped_bytes:
        out = np.empty(escaped_bytes, np.uint8)
        length = hec.write_plain(segment.buf, every, count, out, len(segment.buf))
        segment.buf = np.concatenate([segment.buf, out[:length]])
        segment.buf.flags.writeable = False
    ends = np.stack([every[hec.TEXT], every[hec.TEXT] + every[hec.TEXT_LENGTH] + every[hec.OWN_LENGTH]])
    elements = np.empty((2, len(segment.buf) // 2), np.int64)
    stack = np.empty((3, 64), np.int64)
    alone = _Groups(*(np.zeros((6, 2), np.int64)[:, :0] for _ in range(5)), np.zeros(2, np.int64))
    batches = []
    for low, high in segment.windows(ends):
        window = _Window(
            segment, hec.EVENT_LINES, high - low, int((ends[1, low:high] - ends[0, low:high]).sum()), elements, 0
        )
        window.own[:, :-1] = every[:, low:high]
        if hec.events(
            segment.buf, window.own, low, high, segment.frame_index, segment.all_columns, segment.bound, window.numbers,
            window.floats, window.lengths, window.seen, window.items, window.elements, window.cells, window.state, segment.children,
            segment.names, segment.name_at, segment.hashed, stack,
        ) < 0:  # fmt: skip
            raise Unusual
        batches.append(_event_batch(segment, window, alone))
    return _rows(segment, batches, {})


def _event_batch(segment: _Segment, window: _Window, alone: _Groups) -> pa.RecordBatch:
    own = window.own[:, :-1]
    seconds = own[hec.TIME].view(np.float64)
    received = segment.received_ms[own[hec.FRAME]] * 1000
    known = np.isfinite(seconds)
    if (np.abs(seconds[known]) > _MAX_SECONDS).any() or not (known | np.isnan(seconds)).all():
        raise Unusual
    microseconds = np.where(known, np.rint(np.where(known, seconds, 0) * 1e6), 0).astype(np.int64)
    word = segment.text(
        *_first_set(own[hec.SEVERITY : hec.SEVERITY + 2], own[hec.LEVEL : hec.LEVEL + 2])
    ).dictionary_encode()
    severity = pa.array([_SEVERITIES.get(one.lower(), "") for one in word.dictionary.to_pylist()], pa.string())
    columns = {
        "index": segment.index(own[hec.FRAME]),
        "_time": pa.array(np.where(known, microseconds, received)).view(pa.timestamp("us", "UTC")),
        "host": segment.text(own[hec.HOST], own[hec.HOST_LENGTH]),
        "source": segment.text(own[hec.SOURCE], own[hec.SOURCE_LENGTH]),
        "sourcetype": segment.text(own[hec.SOURCETYPE], own[hec.SOURCETYPE_LENGTH]),
        "severity": severity.take(word.indices),
        "trace_id": segment.text(own[hec.TRACE], own[hec.TRACE_LENGTH]),
        "span_id": segment.text(own[hec.SPAN], own[hec.SPAN_LENGTH]),
        "_raw": segment.text(own[hec.TEXT], own[hec.TEXT_LENGTH]),
        **window.promoted(segment),
        "fields": _objects(segment, alone, window, window.own[hec.FIRST_ITEM], np.zeros(own.shape[1], np.int64)),
    }
    return pa.record_batch(columns)


def _objects(segment: _Segment, shared: _Groups, window: _Window, first_items: np.ndarray, of_group: np.ndarray) -> pa.Array:
    """What no column takes, as JSON text."""
    first_items, of_group = np.ascontiguousarray(first_items), np.ascontiguousarray(of_group)
    more = segment.more
    return segment.written(
        lambda offsets, out: texts.objects(
            segment.buf, more, window.items, first_items, of_group, shared.rest, shared.rest_ranges, offsets, out
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


def _rows(segment: _Segment, batches: Sequence[pa.RecordBatch], constants: dict[str, str]) -> Rows:
    """The INSERT's columns and SELECT for what was read, and for values that are the same everywhere."""
    table = pa.Table.from_batches(batches)
    json_column = JSON_COLUMNS[segment.table]
    values = {"_indextime": "now64(3)", **constants} | {name: identifier(name) for name in table.column_names}
    values[json_column] = f"CAST({identifier(json_column)} AS {JSON_TYPE})"
    selected = ", ".join(f"{value} AS {identifier(name)}" for name, value in values.items())
    return Rows(list(values), f"SELECT {selected} FROM Python({TABLE_NAME})", table)


_DECODERS = {"traces": _traces, "logs": _logs, "hecevent": _hec}


def compile_everything() -> None:
    """Use every compiled function once, on requests that have one of everything, and say so in the cache."""
    with tempfile.TemporaryDirectory() as folder:
        for kind, body, records in _samples():
            path = Path(folder) / kind
            path.write_bytes(encode_frame(body, records=records) + body)
            frames, _ = check_frames(path)
            _DECODERS[kind](_mapped(path), frames, (), IngestSettings(), _Scrubbed(_unscrubbed))
    # Where no promoted column has escapes, this has not been used.
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
        trace_id=b"1" * 16, attributes=attributes, events=[{"name": "e", "attributes": attributes}], links=[{"span_id": b"1" * 8}]
    )  # fmt: skip
    yield (
        "traces",
        TracesData(resource_spans=[{"resource": resource, "scope_spans": [{"spans": [span]}]}]).SerializeToString(),
        1,
    )
    log = LogRecord(body=AnyValue(string_value="a=1"), attributes=attributes)
    yield (
        "logs",
        LogsData(resource_logs=[{"resource": resource, "scope_logs": [{"log_records": [log]}]}]).SerializeToString(),
        1,
    )
    # A batch of one event with an escape: `events`, `hosts`, `sources` and `sourcetypes` of hec.proto.
    yield "hecevent", b'\x0a\x06"a\\nb"' + b"".join(bytes([number << 3 | 2, 1]) + b"h" for number in (4, 5, 6)), 1
