"""Groups of alike rows."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa
from sklearn.cluster import DBSCAN, Birch, KMeans, SpectralClustering

from sightline.ml.algorithms.declaration import CLUSTERER, Algorithm, Block, Outputs, predict_clusters
from sightline.ml.model import Model
from sightline.ml.parameters import choice, integer, number, random_state


def nearest_centre(model: Model, block: Block, written: str, options: Mapping[str, Any]) -> Outputs:
    """The nearest cluster, and the distance to its centre in `cluster_distance` (or `<as>_distance`)."""
    distances = model.estimator.transform(block.matrix)
    clusters = model.estimator.predict(block.matrix)
    name = written or "cluster"
    nearest = distances[np.arange(len(distances)), clusters]
    return {name: pa.array(clusters.astype(np.int64)), f"{name}_distance": pa.array(nearest)}


def training_clusters(model: Model, written: str) -> Outputs:
    """The cluster of every training row."""
    return {written or "cluster": pa.array(model.estimator.labels_.astype(np.int64))}


def summarise_centres(model: Model) -> pa.Table:
    """A row per cluster: the centre in every encoded feature, the cluster's number, and the inertia of all."""
    centres = model.estimator.cluster_centers_
    columns: dict[str, Any] = {name: centres[:, index] for index, name in enumerate(model.columns)}
    columns["cluster"] = np.arange(len(centres), dtype=np.int64)
    columns["inertia"] = np.full(len(centres), float(model.estimator.inertia_))
    return pa.table(columns)


def groups(default: int) -> Any:
    return integer("k", default, "Number of clusters.", low=2, argument="n_clusters")


ALGORITHMS = (
    Algorithm(
        name="KMeans",
        kind=CLUSTERER,
        summary="Groups rows around k centres.",
        estimator=KMeans,
        parameters=(groups(8), random_state()),
        outputs=nearest_centre,
        summarise=summarise_centres,
    ),
    Algorithm(
        name="DBSCAN",
        kind=CLUSTERER,
        summary="Groups rows in dense places; a row in no group has cluster -1.",
        estimator=DBSCAN,
        parameters=(
            number("eps", 0.5, "Distance within which rows are neighbours.", above=0),
            integer("min_samples", 5, "Neighbours that make a place dense.", low=3),
        ),
        saves=False,
        fit_outputs=training_clusters,
    ),
    Algorithm(
        name="Birch",
        kind=CLUSTERER,
        summary="Groups rows with a tree of small clusters, in one pass.",
        estimator=Birch,
        parameters=(groups(3),),
        outputs=predict_clusters,
        saves=False,  # Its tree is linked objects, which the skops format refuses.
        max_inputs=2_000,
    ),
    Algorithm(
        name="SpectralClustering",
        kind=CLUSTERER,
        summary="Groups rows by how they are connected.",
        estimator=SpectralClustering,
        parameters=(
            groups(8),
            random_state(),
            number("gamma", 1.0, "Reach of a row's influence.", above=0),
            choice("affinity", "rbf", "How alikeness is measured.", ("rbf", "nearest_neighbors", "laplacian", "sigmoid")),
        ),
        saves=False,
        fit_outputs=training_clusters,
        max_inputs=2_000,
    ),
)
