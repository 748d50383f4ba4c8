"""Which values of a split field become columns of their own: the largest by a score, or those for which a condition holds."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import SearchError, Span
from sightline.search.planner.pivot import natural_key
from sightline.search.syntax.arguments import Arguments
from sightline.search.syntax.expressions import shown

_LIMIT = re.compile(r"(top|bottom)?\s*(\d+)\Z", re.I)
_OPERATORS = {
    "<": operator.lt, ">": operator.gt, "<=": operator.le, ">=": operator.ge, "=": operator.eq, "==": operator.eq,
    "!=": operator.ne,
}  # fmt: skip
SCORES: dict[str, Callable[[np.ndarray], float]] = {
    "sum": np.sum, "avg": np.mean, "mean": np.mean, "max": np.max, "min": np.min, "median": np.median, "stdev": np.std,
    "count": len, "range": np.ptp, "first": lambda x: x[0], "last": lambda x: x[-1],
}  # fmt: skip


@dataclass(frozen=True)
class Selection:
    """`where sum in top10`, `where max > 5`; also what `limit=top10` means."""

    score: str = "sum"
    operator: str = "in"
    """in, notin or a comparison."""
    bottom: bool = False
    value: float = 10

    def __str__(self) -> str:
        if self.operator in ("in", "notin"):
            return f"where {self.score} {self.operator} {'bottom' if self.bottom else 'top'}{self.value:g}"
        return f"where {self.score} {self.operator} {self.value!r}"

    def chosen(self, names: Sequence[str], cells: Callable[[int], pa.Array]) -> list[int]:
        """Positions of the names that are kept; `cells` gives the values of one name."""
        if self.operator == "in" and not self.value:
            return list(range(len(names)))
        scores = [self._score(cells(position)) for position in range(len(names))]
        if self.operator not in ("in", "notin"):
            test = _OPERATORS[self.operator]
            return [position for position, score in enumerate(scores) if score is not None and test(score, self.value)]
        worst = np.inf if self.bottom else -np.inf

        def rank(position: int) -> tuple[float, tuple[int, float, str]]:
            score = scores[position]
            score = worst if score is None else score
            return (score if self.bottom else -score, natural_key(names[position]))

        best = set(sorted(range(len(names)), key=rank)[: int(self.value)])
        return [position for position in range(len(names)) if (position in best) == (self.operator == "in")]

    def _score(self, cells: pa.Array) -> float | None:
        if pa.types.is_string(cells.type):
            cells = pc.cast(pc.if_else(pc.match_substring_regex(cells, r"^-?\d+(\.\d+)?$"), cells, None), pa.float64())
        elif not (pa.types.is_integer(cells.type) or pa.types.is_floating(cells.type)):
            return None
        values = np.asarray(cells.drop_null(), dtype=np.float64)
        return float(SCORES[self.score](values)) if len(values) else None


def read_limit(text: str, span: Span | None) -> Selection:
    """What `limit=10`, `limit=top5` or `limit=bottom3` keeps."""
    match = _LIMIT.match(text.strip())
    if not match:
        wanted = "a whole number, top or bottom with a number, such as 10 or bottom5"
        raise SearchError(f'limit must be {wanted}, got "{text}"', span)
    return Selection(bottom=(match.group(1) or "").lower() == "bottom", value=int(match.group(2)))


def read_selection(arguments: Arguments) -> Selection:
    """What stands after WHERE."""
    token = arguments.next()
    score = token.text.lower()
    if token.kind != "word" or score not in SCORES:
        raise SearchError(f"where wants one of {', '.join(SCORES)}, got {shown(token)}", token.span)
    if arguments.peek().is_("("):
        arguments.parenthesised()
    condition = arguments.next()
    value = arguments.next()
    if condition.is_word("in", "notin"):
        text, span = value.text, value.span
        if value.is_word("top", "bottom"):
            text += arguments.next().text
        limit = read_limit(text, span)
        return Selection(score, condition.text.lower(), limit.bottom, limit.value)
    if condition.text not in _OPERATORS or condition.kind != "operator":
        raise SearchError(f"where wants a comparison, in or notin, got {shown(condition)}", condition.span)
    try:
        number = float(value.text)
    except ValueError:
        raise SearchError(f"where wants a number, got {shown(value)}", value.span) from None
    return Selection(score, "=" if condition.text == "==" else condition.text, False, number)
