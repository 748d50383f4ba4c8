"""What a parsed search is made of: a pipeline of stages, and the nodes of expressions and predicates.

Nodes are plain values. A stage keeps its text and the subsearches found in it; the command named there reads its own
arguments and gives them meaning.
"""

from __future__ import annotations

from dataclasses import dataclass, field

from sightline.errors import Span


@dataclass(frozen=True, slots=True)
class Stage:
    """One command of a pipeline: its name as written (lower case) and the range of its arguments."""

    name: str
    name_span: Span
    arguments: Span
    subsearches: dict[int, tuple[Pipeline, int]] = field(default_factory=dict, compare=False, hash=False)
    text: str = field(default="", compare=False)
    """The whole text that the spans are ranges of."""


@dataclass(frozen=True, slots=True)
class Pipeline:
    """A sequence of stages; `leading_pipe` says that the first one was written after a pipe."""

    stages: tuple[Stage, ...]
    span: Span
    leading_pipe: bool = False


# ---- expressions -----------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Expression:
    """Base of expression nodes; `span` is where it was written and does not count for equality."""


@dataclass(frozen=True, slots=True)
class Number(Expression):
    """A numeric literal, kept as written so that it prints back the same."""

    text: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class String(Expression):
    """A double-quoted literal."""

    value: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Field(Expression):
    """A field's value. `parts` are the names between dots when it was written unquoted with dots, or with a template."""

    name: str
    span: Span = field(compare=False)
    parts: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Operation(Expression):
    """A unary or binary operation: + - * / % . = != < > <= >= and or xor not like in neg."""

    operator: str
    operands: tuple[Expression, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class FunctionCall(Expression):
    """`name(arguments)`; the name is lower case."""

    name: str
    arguments: tuple[Expression, ...]
    span: Span = field(compare=False)
    name_span: Span | None = field(default=None, compare=False)


@dataclass(frozen=True, slots=True)
class SubsearchValue(Expression):
    """`[search ...]` where a value or a condition stands."""

    pipeline: Pipeline
    span: Span = field(compare=False)


# ---- search predicates -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Predicate:
    """Base of predicate nodes of the `search` command."""


@dataclass(frozen=True, slots=True)
class Term(Predicate):
    """A bare word or phrase matched against `_raw`. `mode` is word, phrase, case or term."""

    value: str
    mode: str
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Comparison(Predicate):
    """`field operator value`, the value with `*` wildcards unless it was escaped; `exact` is `field=CASE(value)`."""

    name: str
    operator: str
    value: str
    span: Span = field(compare=False)
    quoted: bool = field(default=False, compare=False)
    exact: bool = False


@dataclass(frozen=True, slots=True)
class Membership(Predicate):
    """`field IN (values)`."""

    name: str
    values: tuple[str, ...]
    span: Span = field(compare=False)


@dataclass(frozen=True, slots=True)
class Both(Predicate):
    """All of the operands."""

    operands: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Either(Predicate):
    """At least one of the operands."""

    operands: tuple[Predicate, ...]


@dataclass(frozen=True, slots=True)
class Negation(Predicate):
    """Events that do not match, those without the field among them."""

    operand: Predicate


@dataclass(frozen=True, slots=True)
class SubsearchPredicate(Predicate):
    """`[search ...]`: its rows become conditions."""

    pipeline: Pipeline
    span: Span = field(compare=False)
    name: str = ""
    operator: str = "="
    """With a name: `name=[...]`, whose rows give values for that field or time bound."""


@dataclass(frozen=True, slots=True)
class Everything(Predicate):
    """No condition."""
