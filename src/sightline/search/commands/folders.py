"""`bucketdir` and `folderize`: paths replaced by the folders that they lie in, so that few are left."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.pivot import one_array
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option


@command("bucketdir", kind="dataset")
@dataclass
class BucketDir(Command):
    """Replaces the paths of rows by folders, so that few rows are left.

    Syntax: bucketdir pathfield=<field> sizefield=<field> [maxcount=<number>] [countfield=<field>] [sep=<text>]
    Example: index=web | stats count as totalCount dc(host) as files by source | bucketdir pathfield=source sizefield=files

    While there are more than `maxcount` (20) rows, the folder that takes in the most of `sizefield` for the least of
    `countfield` is put in the place of the rows in it. Both fields are added up over them. Rows stand in the order of their
    counts, the greatest first; other fields are dropped. A row without a path is left out; a missing number counts as 1.
    """

    pathfield: str = option("", help="field of the path")
    sizefield: str = option("", help="field of how many there are, of which a folder shall take in many")
    maxcount: int = option(20, minimum=1, help="rows that are left at most")
    countfield: str = option("totalCount", help="field of how much that is, of which a folder shall take in little")
    sep: str = option("/", help="what stands between the folders of a path")

    @classmethod
    def read(cls, arguments: Arguments) -> BucketDir:
        given = super().read(arguments)
        assert isinstance(given, BucketDir)
        for name in ("pathfield", "sizefield"):
            if not getattr(given, name):
                raise SearchError(f"{name}=<field> is expected", arguments.peek().span)
        return given

    def lower(self, relation: Relation, context: Context) -> Relation:
        titles = (self.pathfield, self.sizefield, self.countfield)
        paths, sizes, counts = _folder_input(relation, titles, context)
        if context.dry:
            return context.relation_of(pa.table({self.pathfield: pa.array([], pa.string())}))

        def work() -> pa.Table:
            tree = _Tree(paths, self.sep)
            size, count = tree.summed(sizes), tree.summed(counts)
            shown = set(np.flatnonzero(tree.is_leaf).tolist())
            while len(shown) > self.maxcount:
                # A folder that has one row in it takes in nothing; of equally good ones the deepest is taken.
                folders = [n for n in tree.folders() if len(tree.below(n, shown)) > 1]
                if not folders:
                    break
                best = max(folders, key=lambda n: (size[n] / max(count[n], 1e-300), tree.depth[n], -n))
                shown -= tree.below(best, shown)
                shown.add(best)
            return _folder_table(tree, sorted(shown, key=lambda n: (-count[n], tree.names[n])), titles, size, count)

        return context.relation_of(context.python_step("bucketdir", work))


@command("folderize", kind="dataset")
@dataclass
class Folderize(Command):
    """Replaces the paths of rows by folders, the smallest first, until few are left.

    Syntax: folderize attr=<field> [sep=<text>] [size=<field>] [minfolders=<number>] [maxfolders=<number>]
    Example: index=web | stats count as totalCount by source | folderize attr=source sep="/" maxfolders=10

    While there are more than `maxfolders` (20) rows, the smallest folder, by the sum of `size`, takes the place of the rows in
    it, unless fewer than `minfolders` (2) would be left. `size` is added up, and `memberCount` says how many rows a folder
    took in. Rows stand in the order of their sizes, the greatest first. A row without a path is left out; a missing size
    counts as 1.
    """

    attr: str = option("", help="field of the path")
    sep: str = option("::", help="what stands between the folders of a path")
    size: str = option("totalCount", help="field of how large a row is")
    minfolders: int = option(2, minimum=1, help="rows that are left at least")
    maxfolders: int = option(20, minimum=1, help="rows that are left at most")

    @classmethod
    def read(cls, arguments: Arguments) -> Folderize:
        given = super().read(arguments)
        assert isinstance(given, Folderize)
        if not given.attr:
            raise SearchError("attr=<field> is expected", arguments.peek().span)
        return given

    def lower(self, relation: Relation, context: Context) -> Relation:
        paths, sizes, _ = _folder_input(relation, (self.attr, self.size, self.size), context)
        if context.dry:
            return context.relation_of(pa.table({self.attr: pa.array([], pa.string())}))

        def work() -> pa.Table:
            tree = _Tree(paths, self.sep)
            size, members = tree.summed(sizes), tree.summed(np.ones(len(paths)))
            shown = set(np.flatnonzero(tree.is_leaf).tolist())
            while len(shown) > self.maxfolders:
                folders = [n for n in tree.folders() if len(tree.below(n, shown)) > 1]
                folders = [n for n in folders if len(shown) - len(tree.below(n, shown)) + 1 >= self.minfolders]
                if not folders:
                    break
                best = min(folders, key=lambda n: (size[n], -tree.depth[n], n))
                shown -= tree.below(best, shown)
                shown.add(best)
            order = sorted(shown, key=lambda n: (-size[n], tree.names[n]))
            return _folder_table(tree, order, (self.attr, self.size, "memberCount"), size, members)

        return context.relation_of(context.python_step("folderize", work))


def _folder_input(
    relation: Relation, titles: tuple[str, str, str], context: Context
) -> tuple[list[str], np.ndarray, np.ndarray]:
    """The different paths, and for each the sums of the two numbers."""
    path = v.as_text(relation.field(titles[0]))
    if relation.field(titles[0]).type is Type.NULL:
        return [], np.empty(0), np.empty(0)
    known = relation.filtered(v.is_present(path))
    sums = [
        (
            f"sum{n}",
            v.agg("sum", v.call("ifNull", v.as_float(relation.field(name)), v.real(1), type=Type.FLOAT), type=Type.FLOAT),
        )
        for n, name in enumerate(titles[1:])
    ]
    table = context.table_of(known.aggregated([("path", path)], sums))
    numbers = [np.asarray(one_array(table[name]), dtype=np.float64) for name, _ in sums]
    return table["path"].to_pylist(), numbers[0], numbers[1]


class _Tree:
    """Paths with all their folders. Nodes are numbered, leaves first in the order given."""

    def __init__(self, paths: list[str], separator: str) -> None:
        self.names: list[str] = list(paths)
        numbers = {path: n for n, path in enumerate(paths)}
        self.parents: list[int] = []
        self.depth: list[int] = []
        position = 0
        while position < len(self.names):
            path = self.names[position]
            folder = _folder_of(path, separator)
            if folder is None:
                self.parents.append(-1)
            else:
                if folder not in numbers:
                    numbers[folder] = len(self.names)
                    self.names.append(folder)
                self.parents.append(numbers[folder])
            self.depth.append(path.count(separator))
            position += 1
        self.is_leaf = np.arange(len(self.names)) < len(paths)
        self._inside: dict[int, set[int]] = {}
        for node in range(len(self.names)):
            above = self.parents[node]
            while above >= 0:
                self._inside.setdefault(above, set()).add(node)
                above = self.parents[above]

    def folders(self) -> list[int]:
        """Nodes that others lie in."""
        return list(self._inside)

    def below(self, node: int, shown: set[int]) -> set[int]:
        """The shown nodes that a folder would take in, itself included."""
        return (self._inside.get(node, set()) | {node}) & shown

    def summed(self, of_leaves: np.ndarray) -> np.ndarray:
        """The numbers of the leaves added up over the folders."""
        sums = np.zeros(len(self.names))
        sums[: len(of_leaves)] = of_leaves
        totals = sums.copy()
        for node, inside in self._inside.items():
            totals[node] += sums[list(inside)].sum()
        return totals


def _folder_of(path: str, separator: str) -> str | None:
    """The folder that a path lies in, with the separator at its end; None for one that lies in none."""
    cut = path.removesuffix(separator).rfind(separator) if separator else -1
    return path[: cut + len(separator)] if cut >= 0 else None


def _folder_table(
    tree: _Tree, order: list[int], titles: tuple[str, str, str], first: np.ndarray, second: np.ndarray
) -> pa.Table:
    columns: dict[str, pa.Array] = {titles[0]: pa.array([tree.names[n] for n in order], pa.string())}
    for title, numbers in ((titles[1], first), (titles[2], second)):
        values = numbers[order]
        whole = bool(np.all(values == np.floor(values)))
        columns[title] = pa.array(values.astype(np.int64) if whole else values)
    return pa.table(columns)
