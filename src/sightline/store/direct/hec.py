"""Events of the HTTP Event Collector."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sightline.store.compiled import hec
from sightline.store.direct.segment import ALONE, Given, Rows, Segment, Unusual, Window, first_set, objects, rows_of

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


def hec_rows(given: Given) -> Rows:
    """The rows of a segment of events of HEC. Raises Unusual."""
    segment = Segment(given, known=hec.KNOWN, constants=(), default_index="main", table="events")
    expected = sum(frame.records for frame in given.frames)
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
    batches = []
    for low, high in segment.windows(ends):
        window = Window(
            segment, hec.EVENT_LINES, high - low, int((ends[1, low:high] - ends[0, low:high]).sum()), elements, 0
        )
        window.own[:, :-1] = every[:, low:high]
        if hec.events(
            segment.buf, window.own, low, high, segment.frame_index, segment.all_columns, segment.bound, window.into, segment.names, stack,
        ) < 0:  # fmt: skip
            raise Unusual
        batches.append(_event_batch(segment, window))
    return rows_of(segment, batches, {})


def _event_batch(segment: Segment, window: Window) -> pa.RecordBatch:
    own = window.own[:, :-1]
    seconds = own[hec.TIME].view(np.float64)
    received = segment.received_ms[own[hec.FRAME]] * 1000
    known = np.isfinite(seconds)
    if (np.abs(seconds[known]) > _MAX_SECONDS).any() or not (known | np.isnan(seconds)).all():
        raise Unusual
    microseconds = np.where(known, np.rint(np.where(known, seconds, 0) * 1e6), 0).astype(np.int64)
    word = segment.text(*first_set(own[hec.SEVERITY : hec.SEVERITY + 2], own[hec.LEVEL : hec.LEVEL + 2])).dictionary_encode()
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
        "fields": objects(segment, ALONE, window, window.own[hec.FIRST_ITEM], np.zeros(own.shape[1], np.int64)),
    }
    return pa.record_batch(columns)
