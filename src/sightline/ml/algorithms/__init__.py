"""The algorithms of `fit`, one file per idea.

A new one is a declaration in its file and, for a new file, a line here.
"""

from __future__ import annotations

from sightline.errors import UserError, nearest
from sightline.ml.algorithms import (
    bayes,
    clusters,
    components,
    density,
    descent,
    forests,
    kernels,
    linear,
    outliers,
    scaling,
    selection,
    texts,
    trees,
)
from sightline.ml.algorithms.declaration import Algorithm

_IDEAS = (
    forests,
    trees,
    linear,
    descent,
    bayes,
    kernels,
    clusters,
    scaling,
    components,
    outliers,
    density,
    selection,
    texts,
)

ALGORITHMS: dict[str, Algorithm] = {algorithm.name: algorithm for idea in _IDEAS for algorithm in idea.ALGORITHMS}


def find_algorithm(name: str) -> Algorithm:
    """The algorithm of that name, in any letter case. Raises UserError with the nearest name."""
    folded = {known.lower(): algorithm for known, algorithm in ALGORITHMS.items()}
    if name.lower() not in folded:
        by_folded = nearest(name, folded)
        hint = next((f'did you mean "{folded[f].name}"?' for f in folded if f'"{f}"' in by_folded), "")
        raise UserError(f'unknown algorithm "{name}", wanted one of: {", ".join(sorted(ALGORITHMS))}', hint)
    return folded[name.lower()]
