"""How well one field of numbers tells a class. Arrays in, numbers out."""

from __future__ import annotations

import numpy as np


def told_by_numbers(numbers: np.ndarray, labels: np.ndarray) -> tuple[float, float]:
    """The share of rows whose class is told right by the normal distribution of each class's numbers, and the mean of that share
    over the classes. A row without a number (NaN) takes no part.
    """
    present = ~np.isnan(numbers)
    numbers, (classes, labels) = numbers[present], np.unique(labels[present], return_inverse=True)
    counts = np.bincount(labels)
    means = np.bincount(labels, numbers) / counts
    deviations = np.sqrt(np.bincount(labels, (numbers - means[labels]) ** 2) / counts)
    # A class of one number would have no width at all, and a density without bound.
    least = 1e-9 * (float(np.ptp(numbers)) or 1.0)
    deviations = np.maximum(deviations, least)
    best = np.full(len(numbers), -np.inf)
    told = np.zeros(len(numbers), dtype=np.int64)
    for number in range(len(classes)):
        off = (numbers - means[number]) / deviations[number]
        score = np.log(counts[number]) - np.log(deviations[number]) - off * off / 2
        better = score > best
        best[better], told[better] = score[better], number
    right = told == labels
    return float(right.mean()), float((np.bincount(labels, right) / counts).mean())
