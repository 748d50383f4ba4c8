"""Samples of Prometheus remote write."""

from __future__ import annotations

import numpy as np
import pyarrow as pa

from sightline.store.compiled import prometheus
from sightline.store.direct.segment import ALONE, NO_ELEMENTS, Given, Rows, Segment, Unusual, Window, objects, rows_of


def sample_rows(given: Given, *, is_second: bool) -> Rows:
    """The rows of a segment of samples, of the first or second version of remote write. Raises Unusual."""
    segment = Segment(given, known=prometheus.KNOWN, constants=(), default_index="metrics", table="metrics")
    expected = sum(frame.records for frame in given.frames)
    samples = np.empty((prometheus.SAMPLE_LINES, expected), np.int64)
    symbols = np.empty((2, len(segment.buf) // 2 if is_second else 0), np.int64)
    ranges = np.empty(len(given.frames) + 1, np.int64)
    count = prometheus.outline(segment.buf, segment.bodies, is_second, samples, symbols, ranges)
    if count < 1 or count != expected:
        raise Unusual
    batches = []
    for low, high in segment.windows(samples[prometheus.SERIES : prometheus.SERIES_END + 1]):
        size_bytes = int((samples[prometheus.SERIES_END, low:high] - samples[prometheus.SERIES, low:high]).sum())
        # A label of 2.0 takes two bytes.
        window = Window(segment, prometheus.OWN_LINES, high - low, 2 * size_bytes, NO_ELEMENTS, 0)
        if prometheus.labels(
            segment.buf, samples, low, high, is_second, symbols, ranges, segment.frame_index, segment.all_columns, segment.bound,
            window.own, window.into, segment.names,
        ) < 0:  # fmt: skip
            raise Unusual
        batches.append(_sample_batch(segment, window, samples[:, low:high]))
    return rows_of(segment, batches, {"sourcetype": "'prometheus'"})


def _sample_batch(segment: Segment, window: Window, samples: np.ndarray) -> pa.RecordBatch:
    own = window.own[:, :-1]
    values = np.ascontiguousarray(samples[prometheus.VALUE]).view(np.float64)
    job = segment.text(own[prometheus.JOB], own[prometheus.JOB_LENGTH]).dictionary_encode()
    source = pa.array([f"prometheus:{name}" if name else "prometheus" for name in job.dictionary.to_pylist()], pa.string())
    is_sum = own[prometheus.TYPE] == 1
    columns = {
        "index": segment.index(samples[prometheus.FRAME]),
        "metric_name": segment.text(own[prometheus.METRIC], own[prometheus.METRIC_LENGTH]),
        "_time": pa.array(samples[prometheus.TIME]).view(pa.timestamp("ms", "UTC")),
        "value": pa.array(values, mask=~np.isfinite(values), from_pandas=False),
        "type": pa.array(prometheus.TYPES).take(pa.array(own[prometheus.TYPE])),
        "unit": segment.text(own[prometheus.UNIT], own[prometheus.UNIT_LENGTH]),
        "temporality": pa.array(["", "cumulative"]).take(pa.array(is_sum.astype(np.int8))),
        "is_monotonic": pa.array(is_sum),
        "host": segment.text(own[prometheus.HOST], own[prometheus.HOST_LENGTH]),
        "source": source.take(job.indices),
        **window.promoted(segment),
        "dims": objects(segment, ALONE, window, window.own[prometheus.FIRST_ITEM], np.zeros(own.shape[1], np.int64)),
    }
    return pa.record_batch(columns)
