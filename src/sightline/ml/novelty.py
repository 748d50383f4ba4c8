"""How unexpected each of a sequence of word sets is after those before it. Arrow in, numbers out."""

from __future__ import annotations

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from scipy import sparse


def unexpectedness(sets: pa.ListArray, groups: np.ndarray, window: int) -> np.ndarray:
    """For each set X and the set P of the words of up to `window` sets before it in its group:
    (s(P and X) - s(P)) / (s(P) + s(X)), where s counts different words.

    The first set of a group is wholly unexpected: 1. A set without words is expected: 0. Words must not repeat in a set.
    """
    sizes = np.asarray(pc.list_value_length(sets), dtype=np.int64)
    parents = np.asarray(pc.list_parent_indices(sets), dtype=np.int64)
    words = np.asarray(pc.dictionary_encode(pc.list_flatten(sets)).indices, dtype=np.int64)
    place = _places(groups)
    # Occurrences of a word in a group, in order; what counts is how far the one before and the one after are.
    order = np.lexsort((place[parents], words, groups[parents]))
    at, word, group = place[parents][order], words[order], groups[parents][order]
    same = np.zeros(len(order), dtype=bool)
    same[1:] = (word[1:] == word[:-1]) & (group[1:] == group[:-1])
    new = np.ones(len(order), dtype=bool)
    new[1:] = ~(same[1:] & (at[1:] - at[:-1] <= window))
    news = np.bincount(parents[order][new], minlength=len(sets))
    known = _known_before(at, same, parents[order], groups, place, window)
    total = known + sizes
    return np.divide(news, total, out=np.zeros(len(sets)), where=total > 0)


def _places(groups: np.ndarray) -> np.ndarray:
    """The position of each set in its group."""
    order = np.argsort(groups, kind="stable")
    starts = np.flatnonzero(np.concatenate([[True], groups[order][1:] != groups[order][:-1]])) if len(order) else order
    lengths = np.diff(np.append(starts, len(order)))
    place = np.empty(len(groups), dtype=np.int64)
    place[order] = np.arange(len(order)) - np.repeat(starts, lengths)
    return place


def _known_before(
    at: np.ndarray, same: np.ndarray, owner: np.ndarray, groups: np.ndarray, place: np.ndarray, window: int
) -> np.ndarray:
    """How many different words the sets of each window have: those whose last occurrence lies in it.

    An occurrence is the last one for the sets after it up to the next one, or as far as the window reaches.
    """
    following = np.full(len(at), np.iinfo(np.int64).max)
    following[:-1][same[1:]] = at[1:][same[1:]]
    until = np.minimum(following, at + window)
    order = np.argsort(groups, kind="stable")
    # Sets of a group lie one behind the other, so that a running sum over all of them is one over each group.
    base = np.empty(len(groups), dtype=np.int64)
    base[order] = np.arange(len(order))
    size_of_group = np.bincount(np.unique(groups, return_inverse=True)[1])[np.unique(groups, return_inverse=True)[1]]
    first = base - place
    begin = first[owner] + at + 1
    end = np.minimum(first[owner] + until + 1, first[owner] + size_of_group[owner])
    changes = np.zeros(len(groups) + 1, dtype=np.int64)
    inside = begin < end
    np.add.at(changes, begin[inside], 1)
    np.add.at(changes, end[inside], -1)
    return np.cumsum(changes[:-1])[base]


def likeness(sets: pa.ListArray, others: pa.ListArray) -> np.ndarray:
    """For each set the share of words it has in common with the most similar of others, of all words of both."""
    together = pc.dictionary_encode(pa.concat_arrays([pc.list_flatten(sets), pc.list_flatten(others)]))
    codes = np.asarray(together.indices, dtype=np.int64)
    cut = len(pc.list_flatten(sets))
    width = max(len(together.dictionary), 1)
    rows = _incidence(sets, codes[:cut], width)
    known = _incidence(others, codes[cut:], width)
    common = (rows @ known.T).tocoo()
    left, right = np.asarray(rows.sum(axis=1)).ravel(), np.asarray(known.sum(axis=1)).ravel()
    share = common.data / (left[common.row] + right[common.col] - common.data)
    found = np.zeros(len(sets))
    np.maximum.at(found, common.row, share)
    return found


def _incidence(sets: pa.ListArray, codes: np.ndarray, width: int) -> sparse.csr_matrix:
    parents = np.asarray(pc.list_parent_indices(sets), dtype=np.int64)
    return sparse.csr_matrix((np.ones(len(codes)), (parents, codes)), shape=(len(sets), width))
