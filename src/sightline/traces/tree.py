"""One trace as a tree, and what can be read off it: clamped intervals, self time, critical path, root-cause errors.

Arrays enter and leave; a span is its position in them. Nothing here recurses, so that a trace of 100,000 spans in one
chain is as good as any other. Damaged traces are made whole, never refused: a span whose parent is missing is a root
of its own, a span sent twice counts once, and a ring of parents is cut at its earliest span.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np


@dataclass(frozen=True, slots=True)
class Tree:
    """Parents, children and intervals of one trace.

    `start_ns` and `end_ns` are clamped: a span that starts before its parent (clock skew) or outlives it (work left
    running) is cut to its parent's interval, and one that lies outside has length 0. What was received is unchanged.
    """

    parents: np.ndarray
    """Position of the parent, or -1 for a root."""
    order: np.ndarray
    """Every position, parents before children; siblings by start."""
    child_offsets: np.ndarray
    """Children of span i are `children[child_offsets[i]:child_offsets[i + 1]]`, by start."""
    children: np.ndarray
    start_ns: np.ndarray
    end_ns: np.ndarray
    main_root: int
    """The root that the trace is named after: without a parent id if there is one, then the earliest."""

    def children_of(self, span: int) -> np.ndarray:
        """Positions of a span's children, by start."""
        return self.children[self.child_offsets[span] : self.child_offsets[span + 1]]


def first_of_each(span_ids: Sequence[str]) -> np.ndarray:
    """Positions to keep when an exporter's retry delivered the same span twice: the first of each id."""
    seen: set[str] = set()
    kept = []
    for position, span_id in enumerate(span_ids):
        if span_id not in seen:
            seen.add(span_id)
            kept.append(position)
    return np.array(kept, dtype=np.int64)


def build_tree(span_ids: Sequence[str], parent_ids: Sequence[str], start_ns: np.ndarray, duration_ns: np.ndarray) -> Tree:
    """The tree of at least one span. `span_ids` must be distinct; an empty parent id says the span is a root."""
    count = len(span_ids)
    if count == 0:
        raise ValueError("a tree wants at least one span")
    start = np.asarray(start_ns, dtype=np.int64).copy()
    end = start + np.asarray(duration_ns, dtype=np.int64)
    positions = {span_id: position for position, span_id in enumerate(span_ids)}
    parents = np.fromiter((positions.get(p, -1) if p else -1 for p in parent_ids), dtype=np.int64, count=count)
    parents[parents == np.arange(count)] = -1
    _cut_rings(parents, start)
    child_offsets, children = _children(parents, start)
    order = _parents_first(parents, child_offsets, children, start)
    parent_list, start_list, end_list = parents.tolist(), start.tolist(), end.tolist()
    for span in order.tolist():
        parent = parent_list[span]
        if parent >= 0:
            low, high = start_list[parent], end_list[parent]
            start_list[span] = min(max(start_list[span], low), high)
            end_list[span] = max(min(end_list[span], high), start_list[span])
    roots = np.flatnonzero(parents < 0)
    main_root = min(roots.tolist(), key=lambda r: (bool(parent_ids[r]), int(start[r]), -int(end[r])))
    return Tree(
        parents, order, child_offsets, children, np.array(start_list, np.int64), np.array(end_list, np.int64), main_root
    )


def self_times_ns(tree: Tree) -> np.ndarray:
    """For each span its own time: duration less the union of its children's intervals."""
    own = tree.end_ns - tree.start_ns
    start, end = tree.start_ns.tolist(), tree.end_ns.tolist()
    offsets, children = tree.child_offsets.tolist(), tree.children.tolist()
    for span in range(len(own)):
        covered, reached = 0, start[span]
        for child in children[offsets[span] : offsets[span + 1]]:
            if end[child] > reached:
                covered += end[child] - max(start[child], reached)
                reached = end[child]
        own[span] -= covered
    return own


def critical_path(tree: Tree, root: int | None = None) -> list[tuple[int, int, int]]:
    """What determined the root's duration: segments (span, start_ns, end_ns), latest first, that tile it exactly.

    Walks back from the root's end: the child that finished last before the cursor is on the path, then whatever
    finished before that child began. A child that ran beside a later sibling did not hold the parent up, and is not.
    """
    root = tree.main_root if root is None else root
    start, end = tree.start_ns.tolist(), tree.end_ns.tolist()
    segments: list[tuple[int, int, int]] = []

    def last_first(span: int) -> list[int]:
        # An empty child has no part in the path, and would only make a visit without a segment.
        found = [child for child in tree.children_of(span).tolist() if end[child] > start[child]]
        return sorted(found, key=lambda child: (end[child], start[child]))

    # One entry per open span: the span, where the walk back has come to, and the children still to be looked at.
    stack: list[list] = [[root, end[root], last_first(root)]]
    while stack:
        frame = stack[-1]
        span, cursor, waiting = frame
        while waiting and end[waiting[-1]] > cursor:
            waiting.pop()
        if not waiting:
            if cursor > start[span]:
                segments.append((span, start[span], cursor))
            stack.pop()
            continue
        child = waiting.pop()
        if cursor > end[child]:
            segments.append((span, end[child], cursor))
        frame[1] = start[child]
        stack.append([child, end[child], last_first(child)])
    return segments


def root_causes(parents: np.ndarray, errors: np.ndarray) -> np.ndarray:
    """Which error spans are where an error began: those without a child that is an error."""
    errors = np.asarray(errors, dtype=bool)
    has_error_child = np.zeros(len(errors), dtype=bool)
    child_errors = errors & (parents >= 0)
    has_error_child[parents[child_errors]] = True
    return errors & ~has_error_child


def _cut_rings(parents: np.ndarray, start: np.ndarray) -> None:
    """Makes the earliest span of every ring of parents a root."""
    parent_list = parents.tolist()
    state = [0] * len(parent_list)
    for first in range(len(parent_list)):
        trail = []
        span = first
        while span >= 0 and state[span] == 0:
            state[span] = 1
            trail.append(span)
            span = parent_list[span]
        if span >= 0 and state[span] == 1:
            ring = trail[trail.index(span) :]
            cut = min(ring, key=lambda s: (start[s], s))
            parent_list[cut] = parents[cut] = -1
        for visited in trail:
            state[visited] = 2


def _children(parents: np.ndarray, start: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    by_parent = np.lexsort((np.arange(len(parents)), start, parents))
    children = by_parent[np.searchsorted(parents[by_parent], 0) :]
    counts = np.bincount(parents[children], minlength=len(parents)) if len(children) else np.zeros(len(parents), int)
    return np.concatenate(([0], np.cumsum(counts))), children


def _parents_first(parents: np.ndarray, offsets: np.ndarray, children: np.ndarray, start: np.ndarray) -> np.ndarray:
    """Depth first, as a waterfall draws it."""
    roots = np.flatnonzero(parents < 0)
    stack = roots[np.argsort(start[roots], kind="stable")][::-1].tolist()
    offset_list, child_list = offsets.tolist(), children.tolist()
    order = []
    while stack:
        span = stack.pop()
        order.append(span)
        stack.extend(reversed(child_list[offset_list[span] : offset_list[span + 1]]))
    return np.array(order, dtype=np.int64)
