"""Clusters by each distance: where they are plain to see, and that no row is nearer to another centre."""

from __future__ import annotations

import numpy as np
import pytest
from sklearn.cluster import KMeans
from sklearn.metrics import adjusted_rand_score

from sightline.ml.kmeans import DISTANCES, kmeans_clusters

CENTRES = np.array([[0.0, 10.0], [10.0, 0.0], [10.0, 10.0]])


def blobs(spread: float = 0.7, seed: int = 0) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(seed)
    truth = random.integers(0, 3, 240)
    return CENTRES[truth] + random.normal(0, spread, (240, 2)), truth


@pytest.mark.parametrize("distance", DISTANCES)
def test_plain_clusters_are_found(distance: str) -> None:
    points, truth = blobs()
    found = kmeans_clusters(points, 3, distance=distance)
    assert adjusted_rand_score(truth, found.labels) > 0.98
    assert all(np.abs(found.centres - centre).max(axis=1).min() < 0.4 for centre in CENTRES)


@pytest.mark.parametrize("distance", DISTANCES)
def test_every_row_is_in_the_cluster_of_the_nearest_centre(distance: str) -> None:
    points = np.random.default_rng(3).normal(5, 2, (150, 3))
    found = kmeans_clusters(points, 4, distance=distance)
    apart = {
        "sqeuclidean": lambda a, b: ((a - b) ** 2).sum(axis=-1),
        "cityblock": lambda a, b: np.abs(a - b).sum(axis=-1),
        "cosine": lambda a, b: 1 - (a * b).sum(axis=-1) / np.linalg.norm(a, axis=-1) / np.linalg.norm(b, axis=-1),
    }[distance]
    distances = np.stack([apart(points, centre[None, :]) for centre in found.centres], axis=1)
    own = distances[np.arange(len(points)), found.labels]
    assert (own <= distances.min(axis=1) + 1e-6).mean() > 0.98
    assert found.distortion == pytest.approx(own.mean())


def test_it_is_as_good_as_the_library() -> None:
    points, _ = blobs(3, seed=4)
    found = kmeans_clusters(points, 5)
    assert found.distortion * len(points) == pytest.approx(
        KMeans(5, n_init=10, random_state=1).fit(points).inertia_, rel=0.02
    )


def test_centres_of_the_city_block_are_medians() -> None:
    points = np.array([[0.0], [1.0], [2.0], [100.0], [101.0], [150.0]])
    assert kmeans_clusters(points, 2, distance="cityblock").centres.ravel().tolist() == [1.0, 101.0]


def test_the_same_rows_in_another_order_give_the_same_clusters() -> None:
    points, _ = blobs(1, seed=5)
    order = np.random.default_rng(1).permutation(len(points))
    one, other = kmeans_clusters(points, 3), kmeans_clusters(points[order], 3)
    assert other.labels.tolist() == one.labels[order].tolist()
