"""What is kept of many values in little memory: exponential histograms of numbers, counts of frequent categories."""

from __future__ import annotations

import math

MAX_BUCKETS = 160
"""Buckets of a histogram's positive and negative side each, as OpenTelemetry recommends."""
MAX_SCALE = 10
"""Finest resolution: neighbouring bucket bounds differ by a factor of 2^(1/1024)."""
MAX_CATEGORIES = 50
"""Different values of a category that are told apart in an interval; the rest is counted as one, `other`."""


class ExponentialHistogram:
    """OpenTelemetry's exponential histogram: bucket i holds values in (base^i, base^(i+1)], base = 2^(2^-scale).

    Starts at the finest scale and halves the resolution whenever the buckets would span more than `MAX_BUCKETS`.
    """

    __slots__ = ("count", "maximum", "minimum", "negative", "positive", "scale", "sum", "zero_count")

    def __init__(self) -> None:
        self.scale = MAX_SCALE
        self.count = 0
        self.sum = 0.0
        self.minimum = math.inf
        self.maximum = -math.inf
        self.zero_count = 0
        self.positive: dict[int, int] = {}
        self.negative: dict[int, int] = {}

    def add(self, value: float) -> None:
        """Count a finite number."""
        self.count += 1
        self.sum += value
        if value < self.minimum:
            self.minimum = value
        if value > self.maximum:
            self.maximum = value
        if value == 0.0:
            self.zero_count += 1
            return
        side = self.positive if value > 0 else self.negative
        index = (
            math.ceil(
                math.log2(abs(value)) * (1 << self.scale) if self.scale >= 0 else math.log2(abs(value)) / (1 << -self.scale)
            )
            - 1
        )
        side[index] = side.get(index, 0) + 1
        if len(side) > 1 and max(side) - min(side) >= MAX_BUCKETS:
            self._coarsen()

    def _coarsen(self) -> None:
        while any(len(side) > 1 and max(side) - min(side) >= MAX_BUCKETS for side in (self.positive, self.negative)):
            self.scale -= 1
            for name in ("positive", "negative"):
                halved: dict[int, int] = {}
                for index, number in getattr(self, name).items():
                    halved[index >> 1] = halved.get(index >> 1, 0) + number
                setattr(self, name, halved)

    def describe(self) -> dict[str, object]:
        """The histogram as OTLP's JSON has it, without attributes and times."""
        return {
            "count": str(self.count),
            "sum": self.sum,
            "min": self.minimum,
            "max": self.maximum,
            "scale": self.scale,
            "zeroCount": str(self.zero_count),
            "positive": _dense(self.positive),
            "negative": _dense(self.negative),
        }


def _dense(side: dict[int, int]) -> dict[str, object]:
    if not side:
        return {"offset": 0, "bucketCounts": []}
    first, last = min(side), max(side)
    return {"offset": first, "bucketCounts": [str(side.get(index, 0)) for index in range(first, last + 1)]}


class Categories:
    """Counts of values; after `MAX_CATEGORIES` different ones, new ones count as `other`."""

    __slots__ = ("counts", "other")

    def __init__(self) -> None:
        self.counts: dict[str, int] = {}
        self.other = 0

    def add(self, value: str) -> None:
        """Count one value."""
        if value in self.counts or len(self.counts) < MAX_CATEGORIES:
            self.counts[value] = self.counts.get(value, 0) + 1
        else:
            self.other += 1
