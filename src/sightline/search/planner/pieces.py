"""Cuts sequences of rows into pieces of bounded length, each as long as it may be, without a loop over the rows."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray


def piece_starts(
    begins: NDArray[np.bool_], ticks: NDArray[np.int64], longest: int | None, most: int | None
) -> NDArray[np.bool_]:
    """Which rows begin a piece, when every sequence is cut from its beginning on.

    A sequence begins where `begins` is true (as its first row is) and is ordered by falling ticks. A piece reaches at most
    `longest` ticks down from its first row and holds at most `most` rows; None is no bound.

    Where a piece ends depends on where it began, so a row's piece cannot be told from its neighbours. But where the next
    piece would begin, if one began at a row, can be told for all rows at once; the beginnings are what can be reached from
    the beginnings of sequences by that step, and steps of 1, 2, 4, ... pieces reach them all in as many rounds as a number
    of pieces has digits.
    """
    count = len(begins)
    if count == 0:
        return begins.copy()
    firsts = np.flatnonzero(begins)
    sequence = np.cumsum(begins) - 1
    ends = np.append(firsts[1:], count)
    following = ends[sequence]
    if longest is not None:
        depth = ticks[firsts][sequence] - ticks
        # Each sequence gets a range of numbers of its own, so that one search among sorted numbers serves them all.
        reaches = depth[ends - 1] + longest + 1
        place = (np.cumsum(reaches) - reaches)[sequence] + depth
        following = np.minimum(following, np.searchsorted(place, place + longest, side="right"))
    if most is not None:
        following = np.minimum(following, np.arange(count) + most)
    # The last row's successor, `count`, stands for the end of every sequence.
    step = np.append(np.where(following == ends[sequence], count, following), count).astype(np.int64)
    steps = [step]
    while (step < count).any():
        step = step[step]
        steps.append(step)
    found = np.append(begins, False)
    for step in reversed(steps):
        found[step[np.flatnonzero(found[:count])]] = True
    return found[:count]
