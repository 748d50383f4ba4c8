"""Groups of similar sets of words. Arrow in, labels out.

The first set leads a group; each following one joins the group whose leader it is most similar to, if that is similar
enough, or leads a group of its own. Sets are compared by the cosine of their words, many at once as sparse matrices: what a set
costs is the number of leaders that share words with it, not the number of leaders.

Lines of a log are of few kinds: the same words with other numbers. Kinds that cannot be similar are not compared, and words
that all sets of similar kinds have are counted once instead of compared again and again.
"""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse
from scipy.sparse import csgraph

BLOCK = 1024
"""Sets that are compared with the leaders, and with each other, at a time."""
MOST_KINDS = 3000
"""Kinds that are compared with each other at most; of more it is not worth while."""
PLACE = "\x1f"
"""Stands between a word and its place where words count at their places."""
_SLACK = 1e-9
"""Rounding that must not keep sets apart that are exactly similar enough."""


def leader_clusters(sets: pa.ListArray, threshold: float, kinds: np.ndarray | None = None) -> np.ndarray:
    """For each set the number of the set that leads its group. An empty set is similar to none but empty ones.

    Sets of one of `kinds` must have as many words as each other, and the same ones but for words that hold digits.
    """
    matrix, sizes, varies = _incidence(sets)
    leader = np.full(len(sets), -1, dtype=np.int64)
    empty = np.flatnonzero(sizes == 0)
    if len(empty):
        leader[empty] = empty[0]
    rows = np.flatnonzero(sizes > 0)
    for part in _apart(matrix, sizes, varies, rows, threshold, kinds):
        _cluster(part, matrix[part], sizes[part], threshold, leader, distinct=kinds is not None)
    return leader


def _incidence(sets: pa.ListArray) -> tuple[sparse.csr_matrix, np.ndarray, np.ndarray]:
    """A row for each set with a 1 for each word, the sizes of the sets, and which words hold digits."""
    parents = np.asarray(pc.list_parent_indices(sets), dtype=np.int64)
    words = pc.dictionary_encode(pc.list_flatten(sets))
    codes = np.asarray(words.indices, dtype=np.int64)
    shape = (len(sets), max(len(words.dictionary), 1))
    matrix = sparse.csr_matrix((np.ones(len(codes), dtype=np.float32), (parents, codes)), shape=shape)
    matrix.data[:] = 1
    varies = np.zeros(shape[1], dtype=bool)
    found = pc.match_substring_regex(words.dictionary, f"^[^{PLACE}]*[0-9]")
    varies[: len(words.dictionary)] = found.to_numpy(zero_copy_only=False)
    return matrix, np.asarray(matrix.getnnz(axis=1), dtype=np.int64), varies


def _apart(
    matrix: sparse.csr_matrix,
    sizes: np.ndarray,
    varies: np.ndarray,
    rows: np.ndarray,
    threshold: float,
    kinds: np.ndarray | None,
) -> list[np.ndarray]:
    """The rows in parts of which none can be similar to a row of another."""
    if kinds is None or not len(rows):
        return [rows] if len(rows) else []
    known, first, kind = np.unique(kinds[rows], return_index=True, return_inverse=True)
    if len(known) > MOST_KINDS:
        return [rows]
    of_kind = matrix[rows[first]]
    fixed = of_kind @ sparse.diags_array((~varies).astype(np.float32))
    free = sizes[rows[first]] - np.asarray(fixed.sum(axis=1)).ravel()
    common = (fixed @ fixed.T).toarray()
    # Words without digits agree only with the same words, those with digits perhaps with any.
    most = common + np.minimum(free[:, None], free[None, :])
    lengths = np.sqrt(sizes[rows[first]].astype(np.float64))
    near = most >= (threshold - _SLACK) * lengths[:, None] * lengths[None, :]
    _, part_of_kind = csgraph.connected_components(sparse.csr_matrix(near), directed=False)
    part = part_of_kind[kind]
    order = np.argsort(part, kind="stable")
    cuts = np.flatnonzero(np.diff(part[order])) + 1
    return np.split(rows[order], cuts)


def _cluster(
    rows: np.ndarray, matrix: sparse.csr_matrix, sizes: np.ndarray, threshold: float, leader: np.ndarray, *, distinct: bool
) -> None:
    """Find leaders among rows, in their order. `matrix` and `sizes` are those of the rows."""
    occurrences = np.bincount(matrix.indices, minlength=matrix.shape[1])
    everywhere = occurrences == len(rows)
    shared = int(everywhere.sum())
    if shared >= (threshold - _SLACK) * sizes.max():
        leader[rows] = rows[0]
        return
    if shared >= (threshold - _SLACK) * sizes.min():
        shared, everywhere[:] = 0, False
    if distinct and sizes.min() == sizes.max() and threshold * sizes.max() > sizes.max() - 1 + _SLACK:
        # Of sets of one size that all differ in a word, none is similar enough.
        leader[rows] = rows
        return
    # A word of one row only tells it from no other.
    matrix = matrix[:, np.flatnonzero(~everywhere & (occurrences > 1))].tocsr()
    lengths = np.sqrt(sizes.astype(np.float64))
    leaders = np.empty(0, dtype=np.int64)
    followed = matrix[:0]
    for start in range(0, len(rows), BLOCK):
        block = np.arange(start, min(start + BLOCK, len(rows)))
        joined = _most_similar(matrix[block], lengths[block], followed, lengths[leaders], shared, threshold)
        known = joined >= 0
        leader[rows[block[known]]] = rows[leaders[joined[known]]]
        new = _lead(block[~known], matrix, lengths, shared, threshold, rows, leader)
        if len(new):
            leaders = np.concatenate([leaders, new])
            followed = sparse.vstack([followed, matrix[new]], format="csr")


def _similarities(
    left: sparse.csr_matrix, left_lengths: np.ndarray, right: sparse.csr_matrix, right_lengths: np.ndarray, shared: int,
    threshold: float,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:  # fmt: skip
    """Pairs of rows that are similar enough, with how similar."""
    overlap = (left @ right.T).tocsr()
    # Most pairs share too few words whatever their lengths.
    least = (threshold - _SLACK) * left_lengths.min() * right_lengths.min() - shared
    candidates = np.flatnonzero(overlap.data >= least)
    row = np.searchsorted(overlap.indptr, candidates, side="right") - 1
    column = overlap.indices[candidates]
    alike = (overlap.data[candidates] + shared) / (left_lengths[row] * right_lengths[column])
    keep = alike >= threshold - _SLACK
    return row[keep], column[keep], alike[keep]


def _most_similar(
    rows: sparse.csr_matrix, lengths: np.ndarray, leaders: sparse.csr_matrix, leader_lengths: np.ndarray, shared: int,
    threshold: float,
) -> np.ndarray:  # fmt: skip
    """The position of the most similar leader of each row, the first of equals; -1 where none is similar enough."""
    found = np.full(rows.shape[0], -1, dtype=np.int64)
    if not leaders.shape[0] or not rows.shape[0]:
        return found
    row, column, alike = _similarities(rows, lengths, leaders, leader_lengths, shared, threshold)
    order = np.lexsort((column, -np.round(alike, 9), row))
    row, column = row[order], column[order]
    first = np.unique(row, return_index=True)[1]
    found[row[first]] = column[first]
    return found


def _lead(
    new: np.ndarray, matrix: sparse.csr_matrix, lengths: np.ndarray, shared: int, threshold: float, rows: np.ndarray,
    leader: np.ndarray,
) -> np.ndarray:  # fmt: skip
    """Let rows that no leader is similar to lead each other, and give those that lead."""
    if not len(new):
        return new
    row, column, _ = _similarities(matrix[new], lengths[new], matrix[new], lengths[new], shared, threshold)
    order = np.argsort(row, kind="stable")
    starts = np.searchsorted(row[order], np.arange(len(new) + 1))
    column = column[order]
    leading = []
    for position, number in enumerate(rows[new].tolist()):
        if leader[number] >= 0:
            continue
        leading.append(new[position])
        followers = rows[new[column[starts[position] : starts[position + 1]]]]
        leader[followers[leader[followers] < 0]] = number
        leader[number] = number
    return np.array(leading, dtype=np.int64)
