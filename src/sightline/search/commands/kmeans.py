"""`kmeans`: rows divided into clusters of numbers that are near each other."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa

from sightline import ml
from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.field_values import chosen_fields, numeric_fields
from sightline.search.planner.pivot import one_array
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options

_RANGE = re.compile(r"(\d+)(?:-(\d+))?\Z")
MOST_CLUSTERS = 1000
_DISTANCES = {
    "sqeuclidean": ("sqeuclidean", "sq", "l2", "l2norm"),
    "cityblock": ("cityblock", "cb", "l1", "l1norm"),
    "cosine": ("cosine", "cos"),
}
_DISTANCE_OF = {word: distance for distance, words in _DISTANCES.items() for word in words}


@command("kmeans", kind="dataset")
@dataclass
class KMeans(Command):
    """Divides rows into k clusters, each row to the one whose centre is nearest.

    Syntax: kmeans [k=<number>|<from>-<to>] [reps=<number>] [iters=<number>] [t=<number>] [cnumfield=<name>]
        [distype=l1|l2|cosine] [showcentroid=<bool>] [<field>...]
    Example: index=web | stats avg(duration_ms) AS mean, count by uri | kmeans k=2 mean count

    Fields of numbers are compared as they are, all of them unless named. The best of `reps` (10) runs is taken; a run ends
    when no centre moves by more than `t` (0), or after `iters` (10,000) steps. `distype` is the squared distance (l2, the
    default), the distance along the axes (l1), or the angle (cosine). The number of a row's cluster, from 1 in the order of
    the centres, is in CLUSTERNUM, or `cnumfield`; the centre in `centroid_<field>` unless `showcentroid=false`. Rows stand
    together by cluster; one that lacks a number is in none and stands last. With a range of k there is a row for each k
    instead: its `distortion`, the mean distance from the centres, and the sizes of its clusters.
    """

    k: str = option("2", help="how many clusters, or a range such as 2-8")
    reps: int = option(10, minimum=1, help="how many runs")
    iters: int = option(10_000, minimum=1, aliases=("maxiters",), help="steps of a run at most")
    t: float = option(0.0, minimum=0, aliases=("tol",), help="how far a centre may move in the last step")
    cnumfield: str = option("CLUSTERNUM", aliases=("cfield",), help="field for the number of the cluster")
    distype: str = option("sqeuclidean", choices=tuple(_DISTANCE_OF), aliases=("dt",), help="how far rows are apart")
    showcentroid: bool = option(True, help="add the centre of the cluster")
    names: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> KMeans:
        names, found = arguments.names_with_options(cls)
        given = cls(names=names, **found)
        given.wanted()
        return given

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *(print_name(name) for name in self.names)]

    def wanted(self) -> tuple[int, int]:
        """The least and the greatest number of clusters."""
        match = _RANGE.match(self.k.strip())
        low = int(match.group(1)) if match else 0
        high = int(match.group(2) or low) if match else 0
        if not 2 <= low <= high <= MOST_CLUSTERS:
            raise SearchError(f'k must be a number of 2 to {MOST_CLUSTERS:,}, or a range such as 2-8, got "{self.k}"')
        return low, high

    def lower(self, relation: Relation, context: Context) -> Relation:
        names = chosen_fields(relation, self.names)
        if not self.names:
            names = numeric_fields(relation, names, context)
        if not names and not context.dry:
            raise SearchError("there is no field of numbers to compare rows by")
        low, high = self.wanted()
        if context.dry:
            return relation.with_fields({**relation.fields, self.cnumfield: v.Literal(Type.INT, None)})
        for name in names:
            relation = relation.with_field(f"\0{name}", v.as_float(relation.field(name)))
        table = context.table_of(relation)
        missing = [name for name in names if f"\0{name}" not in table.column_names]
        if missing:
            raise SearchError(f'no row has a number in "{missing[0]}"')

        def work() -> pa.Table:
            columns = [
                np.asarray(one_array(table[f"\0{name}"]).to_numpy(zero_copy_only=False), np.float64) for name in names
            ]
            plain = table.drop_columns([f"\0{name}" for name in names])
            points = np.column_stack(columns)
            if low != high:
                return self._compared(points[~np.isnan(points).any(axis=1)], low, high)
            return self._clustered(plain, points, names, low)

        return context.relation_of(context.python_step("kmeans", work))

    def _clusters(self, points: np.ndarray, k: int) -> ml.Clusters:
        distance = _DISTANCE_OF[self.distype]
        different = len(np.unique(points, axis=0)) if len(points) <= 10_000 else k
        if min(different, len(points)) < k:
            raise SearchError(f"{k} clusters need {k} different rows, got {min(different, len(points))}")
        if distance == "cosine" and not np.abs(points).sum(axis=1).all():
            raise SearchError("a row of zeros has no angle", hint="leave such rows out, or take another distype")
        return ml.kmeans_clusters(
            points, k, repetitions=self.reps, most_iterations=self.iters, tolerance=self.t, distance=distance
        )

    def _clustered(self, table: pa.Table, points: np.ndarray, names: Sequence[str], k: int) -> pa.Table:
        complete = ~np.isnan(points).any(axis=1)
        if not complete.any():
            return table
        found = self._clusters(points[complete], k)
        label = np.full(len(points), -1, dtype=np.int64)
        label[complete] = found.labels
        columns = dict(zip(table.column_names, table.columns, strict=True))
        columns[self.cnumfield] = pa.array(label + 1, mask=~complete)
        if self.showcentroid:
            for position, name in enumerate(names):
                columns[f"centroid_{name}"] = pa.array(found.centres[label, position], mask=~complete)
        order = np.argsort(np.where(complete, label, k), kind="stable")
        return pa.table(columns).take(pa.array(order))

    def _compared(self, points: np.ndarray, low: int, high: int) -> pa.Table:
        """A row for each number of clusters."""
        found = [self._clusters(points, k) for k in range(low, high + 1)]
        sizes = [[str(n) for n in np.bincount(one.labels, minlength=len(one.centres))] for one in found]
        return pa.table(
            {
                "k": pa.array([len(one.centres) for one in found], pa.int64()),
                "distortion": pa.array([one.distortion for one in found], pa.float64()),
                "sizes": pa.array(sizes, pa.list_(pa.string())),
            }
        )
