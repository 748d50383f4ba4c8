"""Subsearches: reading and running one, and what its rows mean as conditions of the search around it."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

import pyarrow as pa

from sightline.errors import SearchError, Span
from sightline.search.context import Context
from sightline.search.planner.relation import Relation
from sightline.search.syntax.arguments import Arguments
from sightline.search.syntax.expressions import quote_string
from sightline.search.syntax.parser import parse_pipeline
from sightline.search.syntax.predicates import PredicateReader
from sightline.search.syntax.printer import print_pipeline
from sightline.search.syntax.source import read_source
from sightline.search.syntax.tokens import word_tokens
from sightline.search.syntax.tree import (
    Both,
    Comparison,
    Either,
    Everything,
    Negation,
    Pipeline,
    Predicate,
    SubsearchPredicate,
    Term,
)

_DATASETS = {
    "datamodel": "from datamodel:{}",
    "savedsearch": "savedsearch {}",
    "lookup": "inputlookup {}",
    "inputlookup": "inputlookup {}",
}
"""The commands that read a dataset which is named instead of a subsearch, by the word before its colon."""


@dataclass(frozen=True)
class Branch:
    """Where other rows come from: a pipeline in brackets, or a dataset such as `lookup:users`."""

    pipeline: Pipeline | None = None
    dataset: str = ""
    span: Span = field(default=Span(0, 0), compare=False)


def branch_at(arguments: Arguments) -> Branch | None:
    """The subsearch or dataset at the cursor, consumed, or None where there is something else."""
    token = arguments.peek()
    if token.kind == "subsearch" and token.subsearch is not None:
        arguments.next()
        return Branch(token.subsearch, span=token.span)
    kind, colon, name = token.text.partition(":")
    if token.kind == "word" and colon and kind.lower() in _DATASETS:
        arguments.next()
        following = arguments.peek()
        if not name and following.kind in ("string", "quoted", "word"):
            name = arguments.next().text
        if not name:
            raise SearchError(f'a name is expected after "{kind}:"', token.span)
        return Branch(
            None, f"{kind.lower()}:{name}", Span(token.span.start, arguments.tokens[arguments.position - 1].span.end)
        )
    return None


def print_branch(branch: Branch) -> str:
    """The branch as it is written."""
    if branch.pipeline is not None:
        return f"[{print_pipeline(branch.pipeline)}]"
    kind, _, name = branch.dataset.partition(":")
    return f"{kind}:{quote_string(name)}"


def run_branch(branch: Branch, context: Context) -> Relation:
    """The branch's rows."""
    if branch.pipeline is not None:
        return context.subsearch(branch.pipeline)
    kind, _, name = branch.dataset.partition(":")
    return run_text("| " + _DATASETS[kind].format(quote_string(name)), context, branch.span)


def run_text(text: str, context: Context, place: Span, relation: Relation | None = None) -> Relation:
    """The rows of a search that was written elsewhere; what is wrong with it, or worth a warning, is told at `place`."""
    known = len(context.messages)
    try:
        return context.subsearch(parse_pipeline(read_source(text, context.macros)), relation)
    except SearchError as error:
        error.span = place
        raise
    finally:
        context.messages[known:] = [dataclasses.replace(message, span=place) for message in context.messages[known:]]


ROWS_LIMIT = 100_000
"""Rows that may become conditions; more make a statement that no engine plans in reasonable time."""


def format_rows(table: pa.Table, name: str, operator: str, span: Span) -> Predicate:
    """The condition that a subsearch's rows stand for. Fields `search` and `query` hold ready conditions.

    With a name (`host=[...]`), the first field's values are values of that name. No rows match nothing, nor do they exclude
    anything.
    """
    if table.num_rows > ROWS_LIMIT:
        raise SearchError(
            f"the subsearch gave {table.num_rows:,} rows, at most {ROWS_LIMIT:,} can become conditions",
            span,
            hint="use stats to reduce them, or join or lookup instead",
        )
    names = [n for n in table.column_names if not n.startswith("_")]
    alternatives: list[Predicate] = []
    for row in table.select(names).to_pylist() if names else []:
        conditions = _row_conditions(row, name, operator, span)
        if conditions:
            alternatives.append(conditions[0] if len(conditions) == 1 else Both(tuple(conditions)))
    if not alternatives:
        return Everything() if name and operator == "!=" else Negation(Everything())
    if len(alternatives) == 1:
        return alternatives[0]
    return Both(tuple(alternatives)) if name and operator == "!=" else Either(tuple(alternatives))


def _row_conditions(row: dict[str, Any], name: str, operator: str, span: Span) -> list[Predicate]:
    if name:
        key, value = next(((key, x) for key, x in row.items() if x is not None and x != []), ("", None))
        if value is None:
            return []
        if key in ("search", "query") and isinstance(value, str):
            return [_values_of(value, name, operator, span)]
        values = value if isinstance(value, list) else [value]
        tests = tuple(Comparison(name, operator, cell_text(one), span, True) for one in values)
        return [tests[0] if len(tests) == 1 else Both(tests) if operator == "!=" else Either(tests)]
    conditions: list[Predicate] = []
    for key, value in row.items():
        if value is None or value == []:
            continue
        if key in ("search", "query"):
            conditions.append(_read_condition(cell_text(value), span))
        elif isinstance(value, list):
            conditions.append(Either(tuple(Comparison(key, "=", str(x), span, True) for x in value)))
        else:
            conditions.append(Comparison(key, "=", cell_text(value), span, True))
    return conditions


def _values_of(text: str, name: str, operator: str, span: Span) -> Predicate:
    """The text of `return $field` as values of a name: `(a) OR (b)` are two, what is no such list is one."""
    try:
        read = _read_condition(text, span)
    except SearchError:
        read = None
    terms = read.operands if isinstance(read, Either) else (read,)
    if not all(isinstance(term, Term) and term.mode in ("word", "phrase") for term in terms):
        return Comparison(name, operator, text, span, True)
    tests = tuple(Comparison(name, operator, term.value, span, True) for term in terms)  # type: ignore[union-attr]
    return tests[0] if len(tests) == 1 else Both(tests) if operator == "!=" else Either(tests)


def _read_condition(text: str, span: Span) -> Predicate:
    try:
        reader = PredicateReader(word_tokens(text, Span(0, len(text)), {}), len(text))
        predicate = reader.all_of()
        if not reader.done:
            raise SearchError(f'"{reader.peek().text}" is not expected')
    except SearchError as error:
        raise SearchError(f"the subsearch gave a condition that cannot be read: {error.message}", span) from None
    if isinstance(predicate, SubsearchPredicate):
        raise SearchError("the subsearch gave a condition with a subsearch of its own", span)
    return predicate


def cell_text(value: Any) -> str:
    """A cell as SPL shows it: whole floats without a fraction, true and false, a multivalue by lines."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    if isinstance(value, list):
        return "\n".join(cell_text(x) for x in value)
    return str(value)
