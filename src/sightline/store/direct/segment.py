"""A segment and its windows as the tables that the compiled functions read and fill, and what they made as Arrow's columns."""

from __future__ import annotations

import base64
import mmap
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import orjson
import pyarrow as pa
import pyarrow.compute as pc
from google.protobuf.message import DecodeError

from sightline.config import IngestSettings
from sightline.segments import Frame
from sightline.store.compiled import json_text, members, otlp, texts, wire
from sightline.store.decode import nested_values
from sightline.store.promotion import JSON_COLUMNS, PromotedField, Steps, places_of
from sightline.store.sql_text import JSON_TYPE, identifier

WINDOW_ROWS = 16_384
WINDOW_BYTES = 4 * 1024 * 1024
"""Records of a window, whichever is reached first: its tables take some twenty times its bytes."""
MAX_TEXT_BYTES = 128 * 1024 * 1024
"""All texts of a segment's columns, sixteen times a full one: what the records of a resource share is written for each of them, and
few bytes that came could become any number. Beyond it the engine reads the segment, within its own bound of memory."""
_KIND_LINES = {
    "Int64": members.INT64,
    "Float64": members.FLOAT64,
    "Bool": members.BOOLEAN,
    "String": members.TEXT,
    "Array": members.TEXTS,
}
"""The line of `columns` for each kind of promoted field."""
TABLE_NAME = "sightline_rows"


@dataclass(frozen=True, slots=True)
class Given:
    """A segment, and what has to be known to read it."""

    path: Path
    frames: Sequence[Frame]
    promoted: Sequence[PromotedField]
    ingest: IngestSettings


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


class Segment:
    """What the compiled functions are given of a segment, and the texts that are not in it."""

    def __init__(
        self, given: Given, *, known: Sequence[str], constants: Sequence[str], default_index: str, table: str
    ) -> None:
        frames = given.frames
        self.buf = np.frombuffer(_mapped(given.path), np.uint8)
        self.frames = frames
        self.table = table
        self.bound = given.ingest.max_fields_bytes // 8
        """Longest record that cannot become more text than a record may have: escapes and quotes make it longer."""
        self.bodies = np.array([[f.body_offset for f in frames], [f.end for f in frames]], np.int64)
        self.received_ms = np.array([f.received_ms for f in frames], np.int64)
        self.indexes = list(dict.fromkeys(f.index or default_index for f in frames))
        number = {index: k for k, index in enumerate(self.indexes)}
        self.frame_index = np.array([number[f.index or default_index] for f in frames], np.int64)
        places = places_of(given.promoted, self.indexes)
        self.columns = list(dict.fromkeys(one.column for one, _, _ in places))
        self.kinds = {one.column: one.kind for one, _, _ in places}
        numbers = _numbered(known, [steps for _, steps, _ in places])
        self._more = bytearray()
        self._more_now: np.ndarray | None = None
        self._spent = 0
        name_at = self.listed([steps[-1] for steps in numbers])
        children = np.zeros((2, len(numbers)), np.int64)
        for steps, name in numbers.items():
            if len(steps) > 1:
                parent = numbers[steps[:-1]]
                if not children[1, parent]:
                    children[0, parent] = name
                children[1, parent] += 1
        self.constants = self.listed(constants)
        self.constants[0] = -1 - self.constants[0]
        constant_names = np.array([numbers.get((c,), -1) for c in constants], np.int64)
        self.all_columns = np.full((len(self.indexes), len(numbers), 6), -1, np.int64)
        for one, steps, used in places:
            for index in used:
                found = self.all_columns[number[index]]
                found[numbers[steps], _KIND_LINES[one.kind]] = self.columns.index(one.column)
                for depth in range(1, len(steps)):
                    found[numbers[steps[:depth]], members.DEEP] = 0
        text = np.frombuffer(bytes(self._more), np.uint8)
        outer = sum(len(steps) == 1 for steps in numbers)
        hashed = np.full(1 << max(4 * outer - 1, 1).bit_length(), -1, np.int64)
        wire.fill_table(text, name_at[0, :outer], name_at[1, :outer], hashed)
        guesses = np.full(members.GUESSES, -1, np.int64)
        self.names = members.Names(text, name_at, hashed, children, guesses, self.constants, constant_names)

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
            items[2, doubles] = wire.RAW
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
            items[3, of_kind], items[4, of_kind], items[2, of_kind] = chosen[:, 0], chosen[:, 1], wire.RAW

    def _spend(self, size_bytes: int) -> int:
        self._spent += size_bytes
        if self._spent > MAX_TEXT_BYTES:
            raise Unusual
        return size_bytes

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
        out = np.empty(self._spend(int(np.maximum(lengths, 0).sum())) + 8, np.uint8)
        texts.gather(self.buf, self.more, places, lengths, offsets, out)
        return pa.py_buffer(offsets), pa.py_buffer(out)

    def hexadecimal(self, places: np.ndarray, lengths: np.ndarray, *, zero_is_none: bool) -> pa.Array:
        """Bytes as hexadecimal digits."""
        places, lengths = np.ascontiguousarray(places), np.ascontiguousarray(lengths)
        offsets = np.empty(len(places) + 1, np.int32)
        out = np.empty(self._spend(2 * int(lengths.sum())), np.uint8)
        texts.gather_hex(self.buf, places, lengths, offsets, out, zero_is_none)
        return pa.Array.from_buffers(pa.string(), len(places), [None, pa.py_buffer(offsets), pa.py_buffer(out)])

    def written(self, write: Callable[[np.ndarray, np.ndarray], int], rows: int) -> pa.Array:
        """What a function writes that measures first: it is given the offsets to fill, and where to write."""
        offsets = np.empty(rows + 1, np.int32)
        out = np.empty(max(self._spend(write(offsets, np.empty(0, np.uint8))), 1), np.uint8)
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
        self._spend(8 * int(offsets[-1]))
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


class Window:
    """The tables for some records of a segment that the compiled functions fill."""

    def __init__(self, segment: Segment, lines: int, rows: int, size_bytes: int, elements: np.ndarray, used: int) -> None:
        # A member takes four bytes at least, and the program itself names nine of a record.
        self.room = size_bytes // 4 + 9 * rows
        self.own = np.empty((lines, rows + 1), np.int64)
        numbers = np.empty((len(segment.columns), rows), np.int64)
        self.into = members.Into(
            numbers, numbers.view(np.float64), np.full((len(segment.columns), rows), -1, np.int32),
            np.full(segment.names.at.shape[1], -1, np.int64), np.empty((5, self.room), np.int64), elements,
            np.empty((json_text.CELL_LINES, self.room), np.int64), np.array([0, used, 0], np.int64),
        )  # fmt: skip
        self._used = used

    def clear(self) -> None:
        """Begin again."""
        self.into.lengths.fill(-1)
        self.into.seen.fill(-1)
        self.into.state[:] = 0, self._used, 0

    def promoted(self, segment: Segment) -> dict[str, pa.Array]:
        """The promoted columns."""
        into = self.into
        self._fill_cells(segment, int(into.state[2]))
        return {
            column: segment.promoted(column, into.numbers[k], into.lengths[k], into.elements)
            for k, column in enumerate(segment.columns)
        }

    def _fill_cells(self, segment: Segment, count: int) -> None:
        cells = self.into.cells[:, :count]
        kinds = cells[json_text.CELL_KIND]
        numbers = cells[:, kinds == json_text.NUMBER]
        if numbers.shape[1]:
            written = segment.text(numbers[json_text.CELL_AT], numbers[json_text.CELL_LENGTH])
            values = pc.cast(written, pa.float64()).to_numpy()
            if not np.isfinite(values).all():
                raise Unusual
            self.into.floats[numbers[json_text.CELL_COLUMN], numbers[json_text.CELL_ROW]] = values
        escaped = kinds == json_text.ESCAPED
        if escaped.any():
            out = np.empty(int(cells[json_text.CELL_LENGTH, escaped].sum()), np.uint8)
            length = json_text.unescape(
                segment.buf,
                self.into.cells,
                count,
                json_text.ESCAPED,
                out,
                self.into.numbers,
                self.into.lengths,
                segment.more_end,
            )
            segment.add(out[:length].tobytes())


ALONE = otlp.Shared(*(np.zeros((6, 0), np.int64) for _ in range(5)), np.zeros(2, np.int64))
"""The group of records that have nothing in common."""
NO_ELEMENTS = np.empty((2, 0), np.int64)


def objects(
    segment: Segment, shared: otlp.Shared, window: Window, first_items: np.ndarray, of_group: np.ndarray
) -> pa.Array:
    """What no column takes, as JSON text."""
    first_items, of_group = np.ascontiguousarray(first_items), np.ascontiguousarray(of_group)
    more = segment.more
    return segment.written(
        lambda offsets, out: texts.objects(
            segment.buf, more, window.into.items, first_items, of_group, shared.rest, shared.rest_ranges, offsets, out
        ),
        len(of_group),
    )


def first_set(*given: np.ndarray) -> np.ndarray:
    """The first text that is not empty, of places and lengths."""
    found = given[-1]
    for one in given[-2::-1]:
        found = np.where(one[1] > 0, one, found)
    return found


def rows_of(segment: Segment, batches: Sequence[pa.RecordBatch], constants: dict[str, str]) -> Rows:
    """The INSERT's columns and SELECT for what was read, and for values that are the same everywhere."""
    table = pa.Table.from_batches(batches)
    json_column = JSON_COLUMNS[segment.table]
    values = {"_indextime": "now64(3)", **constants} | {name: identifier(name) for name in table.column_names}
    values[json_column] = f"CAST({identifier(json_column)} AS {JSON_TYPE})"
    selected = ", ".join(f"{value} AS {identifier(name)}" for name, value in values.items())
    return Rows(list(values), f"SELECT {selected} FROM Python({TABLE_NAME})", table)
