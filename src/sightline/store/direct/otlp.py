"""Spans, log records and metrics of OpenTelemetry."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.store.compiled import logs, metrics, otlp, spans, texts, wire
from sightline.store.direct.segment import (
    TABLE_NAME,
    Given,
    Rows,
    Segment,
    Unusual,
    Window,
    first_set,
    objects,
    rows_of,
)

_REMEMBERED = 10_000
"""Statements of databases whose scrubbed text is remembered."""


class Scrubbed:
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
    segment: Segment, scrubbed: Scrubbed, records: np.ndarray, low: int, high: int, field: int
) -> tuple[np.ndarray, np.ndarray]:
    """Where a window's statements are, and where what scrubbing makes of them is."""
    places = np.empty((11, high - low + 1), np.int64)
    count = otlp.statements(segment.buf, records, low, high, field, places, segment.names)
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
    for n, texts_ in enumerate(scrubbed.of(keys)):
        for k, text in enumerate(texts_):
            made[2 * k, n], made[2 * k + 1, n] = segment.add(text.encode()), len(text.encode())
    return places, np.ascontiguousarray(made[:, of_row.reshape(-1)])


def _outline(segment: Segment, *, of_metrics: bool = False) -> tuple[np.ndarray, otlp.Shared, np.ndarray, int]:
    """Where the records are, what their groups have, and the elements of lists with the number of those of groups. Of metrics it is
    those, and not their points."""
    expected = sum(frame.records for frame in segment.frames)
    records = np.empty((3, expected), np.int64)
    groups = np.empty((otlp.GROUP_LINES, expected), np.int64)
    n, count = otlp.outline(segment.buf, segment.bodies, records, groups)
    if n < 1 or (n != expected and not of_metrics):
        raise Unusual
    records = records[:, :n]
    groups = np.ascontiguousarray(groups[:, :count])
    # An attribute takes four bytes at least, and the program itself names six.
    room = int((groups[otlp.RESOURCE_END] - groups[otlp.RESOURCE] + groups[otlp.SCOPE_END] - groups[otlp.SCOPE]).sum()) // 4
    room += 6 * count
    members = np.empty((6, room), np.int64)
    ranges, promoted_ranges, rest_ranges = (np.empty(count + 1, np.int64) for _ in range(3))
    own = np.empty((8, count), np.int64)
    made = otlp.shared(
        segment.buf, groups, segment.frame_index, segment.all_columns, members, ranges, own, segment.names, of_metrics
    )
    if made < 0:
        raise Unusual
    if of_metrics:
        _write_as_texts(segment, members[:, :made])
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
    return records, otlp.Shared(groups, own, promoted, promoted_ranges, rest, rest_ranges), elements, int(state[1])


def _write_as_texts(segment: Segment, members: np.ndarray) -> None:
    """Make texts of whole numbers and truths."""
    written: dict[tuple[int, int], tuple[int, int]] = {}
    for m in np.flatnonzero(members[2] != wire.STRING).tolist():
        kind, value = int(members[2, m]), int(members[3, m])
        if (kind, value) not in written:
            text = str(value) if kind == wire.INT else "true" if value else "false"
            written[kind, value] = segment.add(text.encode()), len(text)
        members[2, m] = wire.STRING
        members[3, m], members[4, m] = written[kind, value]


def _decoded(
    segment: Segment,
    scrubbed: Scrubbed | None,
    lines: int,
    field: int,
    read: Callable[[Window, otlp.Shared, int, int, tuple], int],
) -> Iterator[tuple[Window, np.ndarray, otlp.Shared, int]]:
    """Windows of a segment of OTLP as `read` has filled them, with the group of each record, what groups have, and what `read`
    returned. `field` is the number of a record's attributes in its message."""
    records, shared, elements, used = _outline(segment)
    for low, high in segment.windows(records):
        size_bytes = int((records[1, low:high] - records[0, low:high]).sum())
        window = Window(segment, lines, high - low, size_bytes, elements, used)
        statements = (*_NO_STATEMENTS, scrubbed is not None)
        result = read(window, shared, low, high, (records, *statements))
        if result == -2 and scrubbed is not None:
            window.clear()
            statements = (*_scrubbed_places(segment, scrubbed, records, low, high, field), False)
            result = read(window, shared, low, high, (records, *statements))
        if result < 0:
            raise Unusual
        segment.resolve(window.into.items, int(window.into.state[0]))
        yield window, records[2, low:high], shared, result


def span_rows(given: Given, scrubbed: Scrubbed | None) -> Rows:
    """The rows of a segment of spans. Raises Unusual."""
    segment = Segment(given, known=otlp.KNOWN, constants=otlp.CONSTANTS, default_index="traces", table="spans")

    def read(window: Window, shared: otlp.Shared, low: int, high: int, given: tuple) -> int:
        records, places, made, scrubs = given
        window.parts, window.deep = np.empty((spans.PART_LINES, window.room), np.int64), np.empty((5, window.room), np.int64)
        window.deep_state = np.zeros(1, np.int64)
        return spans.spans(
            segment.buf, records, low, high, shared, segment.frame_index, segment.all_columns, segment.bound, window.own,
            window.into, window.parts, window.deep, window.deep_state, places, made, scrubs, segment.names,
        )  # fmt: skip

    batches = [
        _span_batch(segment, of_group, shared, window, parts)
        for window, of_group, shared, parts in _decoded(segment, scrubbed, spans.SPAN_LINES, 9, read)
    ]
    return rows_of(segment, batches, {"sourcetype": "'otlp:traces'"})


_KINDS = pa.array(["", "internal", "server", "client", "producer", "consumer"])
_STATUSES = pa.array(["unset", "ok", "error"])


def _span_batch(segment: Segment, of_group: np.ndarray, shared: otlp.Shared, window: Window, n_parts: int) -> pa.RecordBatch:
    rows = len(of_group)
    own = window.own[:, :rows]
    n_deep = int(window.deep_state[0])
    segment.resolve(window.deep, n_deep)
    service = segment.text(shared.own[0, of_group], shared.own[1, of_group])
    columns = {
        "index": segment.index(shared.groups[otlp.FRAME, of_group]),
        "_time": pa.array(own[spans.START]).view(pa.timestamp("ns", "UTC")),
        "trace_id": segment.hexadecimal(own[spans.TRACE], own[spans.TRACE_LENGTH], zero_is_none=False),
        "span_id": segment.hexadecimal(own[spans.SPAN], own[spans.SPAN_LENGTH], zero_is_none=False),
        "parent_span_id": segment.hexadecimal(own[spans.PARENT], own[spans.PARENT_LENGTH], zero_is_none=True),
        "service": service,
        "name": segment.text(own[spans.NAME], own[spans.NAME_LENGTH]),
        "kind": _KINDS.take(pa.array(own[spans.KIND])),
        "status": _STATUSES.take(pa.array(own[spans.STATUS])),
        "status_message": segment.text(own[spans.MESSAGE], own[spans.MESSAGE_LENGTH]),
        "duration_ns": pa.array(own[spans.DURATION].astype(np.uint64)),
        "host": segment.text(shared.own[2, of_group], shared.own[3, of_group]),
        "source": service,
        "events": _parts_text(segment, window.parts, n_parts, window.deep, n_deep, 0, rows),
        "links": _parts_text(segment, window.parts, n_parts, window.deep, n_deep, 1, rows),
        **window.promoted(segment),
        "fields": objects(segment, shared, window, window.own[spans.FIRST_ITEM], of_group),
    }
    return pa.record_batch(columns)


def log_rows(given: Given, scrubbed: Scrubbed | None) -> Rows:
    """The rows of a segment of log records. Raises Unusual."""
    constants = (*otlp.CONSTANTS, "otlp:logs")
    segment = Segment(given, known=otlp.KNOWN, constants=constants, default_index="main", table="events")
    listed = segment.listed(otlp.SEVERITY_WORDS)
    words = np.zeros((2 + max(map(len, otlp.SEVERITY_WORDS)), len(otlp.SEVERITY_WORDS)), np.int64)
    words[0], words[1] = -1 - listed[0], listed[1]
    for k, word in enumerate(otlp.SEVERITY_WORDS):
        words[2 : 2 + len(word), k] = list(word.encode())
    stack = np.empty((3, 64), np.int64)

    def read(window: Window, shared: otlp.Shared, low: int, high: int, given: tuple) -> int:
        records, places, made, scrubs = given
        return logs.logs(
            segment.buf, records, low, high, shared, segment.frame_index, segment.all_columns, segment.bound, window.own,
            window.into, places, made, scrubs, words, segment.names, stack,
        )  # fmt: skip

    batches = [
        _log_batch(segment, of_group, shared, window)
        for window, of_group, shared, _ in _decoded(segment, scrubbed, logs.LOG_LINES, 6, read)
    ]
    return rows_of(segment, batches, {})


def _log_batch(segment: Segment, of_group: np.ndarray, shared: otlp.Shared, window: Window) -> pa.RecordBatch:
    own = window.own[:, : len(of_group)]
    frame = shared.groups[otlp.FRAME, of_group]
    nanoseconds = np.where(own[logs.LOG_TIME] == 0, segment.received_ms[frame] * 1_000_000, own[logs.LOG_TIME])
    of_resource = shared.own[:, of_group]
    usual = segment.constants[:, -1]
    source = first_set(own[logs.LOG_SOURCE : logs.LOG_SOURCE + 2], of_resource[4:6], of_resource[0:2])
    sourcetype = first_set(own[logs.LOG_SOURCETYPE : logs.LOG_SOURCETYPE + 2], of_resource[6:8], usual[:, None])
    columns = {
        "index": segment.index(frame),
        "_time": pa.array(nanoseconds // 1000).view(pa.timestamp("us", "UTC")),
        "host": segment.text(shared.own[2, of_group], shared.own[3, of_group]),
        "source": segment.text(*source),
        "sourcetype": segment.text(*sourcetype),
        "severity": pc.ascii_lower(segment.text(own[logs.LOG_SEVERITY], own[logs.LOG_SEVERITY_LENGTH])),
        "trace_id": segment.hexadecimal(own[logs.LOG_TRACE], own[logs.LOG_TRACE_LENGTH], zero_is_none=True),
        "span_id": segment.hexadecimal(own[logs.LOG_SPAN], own[logs.LOG_SPAN_LENGTH], zero_is_none=True),
        "_raw": segment.text(own[logs.LOG_TEXT], own[logs.LOG_TEXT_LENGTH]),
        **window.promoted(segment),
        "fields": objects(segment, shared, window, window.own[logs.LOG_FIRST_ITEM], of_group),
    }
    return pa.record_batch(columns)


def point_rows(given: Given) -> Rows:
    """The rows of a segment of metrics. Raises Unusual."""
    segment = Segment(given, known=otlp.KNOWN, constants=otlp.CONSTANTS, default_index="metrics", table="metrics")
    found, shared, elements, used = _outline(segment, of_metrics=True)
    expected = sum(frame.records for frame in given.frames)
    points = np.empty((metrics.POINT_LINES, expected), np.int64)
    if metrics.points_of(segment.buf, found, points) != expected:
        raise Unusual
    batches = []
    for low, high in segment.windows(points):
        size_bytes = int((points[metrics.END, low:high] - points[metrics.PLACE, low:high]).sum())
        window = Window(segment, metrics.OWN_LINES, high - low, size_bytes, elements, used)
        buckets = [np.empty(size_bytes // 8, np.int64) for _ in range(2)]
        # A number of ten bytes has 20 digits at most, and one of a byte has five as a truth.
        scratch = np.empty(5 * size_bytes, np.uint8)
        if metrics.points(
            segment.buf, points, low, high, shared, segment.frame_index, segment.all_columns, segment.bound, window.own,
            window.into, *buckets, scratch, segment.more_end, segment.names,
        ) < 0:  # fmt: skip
            raise Unusual
        segment.add(scratch[: window.into.state[2]].tobytes())
        window.into.state[2] = 0
        batches.append(_point_batch(segment, points[:, low:high], shared, window, *buckets))
    return rows_of(segment, batches, {"sourcetype": "'otlp:metrics'"})


_TEMPORALITIES = pa.array(["", "delta", "cumulative"])


def _point_batch(
    segment: Segment, points: np.ndarray, shared: otlp.Shared, window: Window, bounds: np.ndarray, counts: np.ndarray
) -> pa.RecordBatch:
    own = window.own[:, :-1]
    of_group = points[metrics.GROUP]
    frame = shared.groups[otlp.FRAME, of_group]
    milliseconds = np.where(own[metrics.TIME] > 0, own[metrics.TIME] // 1_000_000, segment.received_ms[frame])
    is_histogram = points[metrics.TYPE] == metrics.TYPES.index("histogram")
    totals = own[metrics.COUNT].view(np.uint64)
    sums = own[metrics.SUM].view(np.float64)
    has_sum = (own[metrics.HAS] & 1) != 0
    with np.errstate(all="ignore"):
        values = np.select(
            [is_histogram, own[metrics.VALUE_KIND] == 2],
            [np.where(has_sum & (totals > 0), sums / totals, np.nan), own[metrics.VALUE].astype(np.float64)],
            own[metrics.VALUE].view(np.float64),
        )
    has_value = (is_histogram | (own[metrics.VALUE_KIND] > 0)) & (own[metrics.FLAGS] & 1 == 0) & np.isfinite(values)
    columns = {
        "index": segment.index(frame),
        "metric_name": segment.text(points[metrics.METRIC], points[metrics.METRIC_LENGTH]),
        "_time": pa.array(milliseconds).view(pa.timestamp("ms", "UTC")),
        "value": pa.array(values, mask=~has_value, from_pandas=False),
        "type": pa.array(metrics.TYPES).take(pa.array(points[metrics.TYPE])),
        "unit": segment.text(points[metrics.UNIT], points[metrics.UNIT_LENGTH]),
        "temporality": _TEMPORALITIES.take(pa.array(points[metrics.TEMPORALITY])),
        "is_monotonic": pa.array(points[metrics.IS_MONOTONIC] != 0),
        "start_time": pa.array(own[metrics.START] // 1_000_000).view(pa.timestamp("ms", "UTC")),
        "host": segment.text(shared.own[2, of_group], shared.own[3, of_group]),
        "source": segment.text(shared.own[0, of_group], shared.own[1, of_group]),
        "count": pa.array(totals, mask=~is_histogram),
        **{
            name: pa.array(own[line].view(np.float64), mask=own[metrics.HAS] & bit == 0, from_pandas=False)
            for name, line, bit in (("sum", metrics.SUM, 1), ("min", metrics.MIN, 2), ("max", metrics.MAX, 4))
        },
        "bounds": _lists(window.own[metrics.FIRST_BOUND], bounds.view(np.float64)),
        "bucket_counts": _lists(window.own[metrics.FIRST_COUNT], counts.view(np.uint64)),
        **window.promoted(segment),
        "dims": objects(segment, shared, window, window.own[metrics.FIRST_ITEM], of_group),
    }
    return pa.record_batch(columns)


def _lists(offsets: np.ndarray, values: np.ndarray) -> pa.Array:
    return pa.ListArray.from_arrays(offsets.astype(np.int32), pa.array(values[: offsets[-1]], from_pandas=False))


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
