"""K-means over numbers, by squared distance, by distance along the axes, or by angle. Arrays in, labels and centres out."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from sklearn.cluster import KMeans

DISTANCES = ("sqeuclidean", "cityblock", "cosine")
SEED = 0
"""The same rows always give the same clusters."""


@dataclass(frozen=True)
class Clusters:
    """The number of each row's cluster, counted from 0 in the order of the centres, the centres, and the distortion."""

    labels: np.ndarray
    centres: np.ndarray
    distortion: float
    """Mean distance of a row from the centre of its cluster."""


def kmeans_clusters(
    points: np.ndarray, k: int, *, repetitions: int = 10, most_iterations: int = 10_000, tolerance: float = 0.0,
    distance: str = "sqeuclidean",
) -> Clusters:  # fmt: skip
    """The best of several runs. There must be at least `k` different points; for angles none may be all zeros."""
    points = np.asarray(points, dtype=np.float64)
    if distance == "sqeuclidean":
        model = KMeans(
            n_clusters=k, n_init=repetitions, max_iter=most_iterations, tol=tolerance, random_state=SEED, algorithm="lloyd"
        ).fit(points)
        labels, centres = model.labels_.astype(np.int64), model.cluster_centers_
    else:
        random = np.random.default_rng(SEED)
        scaled = points / np.linalg.norm(points, axis=1, keepdims=True) if distance == "cosine" else points
        runs = [_run(scaled, k, most_iterations, tolerance, distance, random) for _ in range(repetitions)]
        labels, centres = min(runs, key=lambda run: _distortion(scaled, run[0], run[1], distance))
        if distance == "cosine":
            centres = np.vstack([points[labels == number].mean(axis=0) for number in range(k)])
    order = np.lexsort(np.round(centres, 12).T[::-1])
    renumbered = np.argsort(order)
    centres = centres[order]
    labels = renumbered[labels]
    return Clusters(labels, centres, _distortion(points, labels, centres, distance))


def _run(
    points: np.ndarray, k: int, most_iterations: int, tolerance: float, distance: str, random: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """One run: far apart points to begin with, then rows to their nearest centres and centres to the middle of their rows."""
    centres = points[[int(random.integers(len(points)))]]
    while len(centres) < k:
        nearest = _distances(points, centres, distance).min(axis=1)
        nearest = np.maximum(nearest, 0)
        chances = nearest / nearest.sum() if nearest.sum() > 0 else np.full(len(points), 1 / len(points))
        centres = np.vstack([centres, points[random.choice(len(points), p=chances)]])
    labels = np.zeros(len(points), dtype=np.int64)
    for _ in range(most_iterations):
        distances = _distances(points, centres, distance)
        labels = distances.argmin(axis=1)
        moved = centres.copy()
        for number in range(k):
            members = points[labels == number]
            if not len(members):
                # A centre without rows moves to the row that is furthest from its own centre.
                furthest = int(distances[np.arange(len(points)), labels].argmax())
                moved[number], labels[furthest] = points[furthest], number
            elif distance == "cityblock":
                moved[number] = np.median(members, axis=0)
            else:
                mean = members.mean(axis=0)
                length = np.linalg.norm(mean)
                moved[number] = mean / length if length else members[0]
        change = float(np.abs(moved - centres).max())
        centres = moved
        if change <= tolerance:
            break
    return _distances(points, centres, distance).argmin(axis=1), centres


def _distances(points: np.ndarray, centres: np.ndarray, distance: str) -> np.ndarray:
    if distance == "cityblock":
        return np.stack([np.abs(points - centre).sum(axis=1) for centre in centres], axis=1)
    if distance == "cosine":
        lengths = np.linalg.norm(points, axis=1)[:, None] * np.linalg.norm(centres, axis=1)[None, :]
        return 1 - (points @ centres.T) / np.where(lengths > 0, lengths, 1)
    return np.stack([((points - centre) ** 2).sum(axis=1) for centre in centres], axis=1)


def _distortion(points: np.ndarray, labels: np.ndarray, centres: np.ndarray, distance: str) -> float:
    own = centres[labels]
    if distance == "cityblock":
        return float(np.abs(points - own).sum(axis=1).mean())
    if distance == "cosine":
        lengths = np.linalg.norm(points, axis=1) * np.linalg.norm(own, axis=1)
        return float((1 - (points * own).sum(axis=1) / np.where(lengths > 0, lengths, 1)).mean())
    return float(((points - own) ** 2).sum(axis=1).mean())
