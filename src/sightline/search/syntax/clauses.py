"""Clauses that commands over stored data share: options anywhere among the words, conditions after WHERE."""

from __future__ import annotations

from typing import Any

from sightline.errors import SearchError
from sightline.search.syntax.arguments import Arguments, check_option, declared_options
from sightline.search.syntax.predicates import PredicateReader
from sightline.search.syntax.tree import Both, Comparison, Either, Everything, Membership, Negation, Predicate


def take_options(arguments: Arguments, cls: type) -> dict[str, Any]:
    """All `name=value` options wherever they stand, taken out of the tokens; conditions stay."""
    declared = declared_options(cls)
    found: dict[str, Any] = {}
    kept, tokens, i = [], arguments.tokens, 0
    while i < len(tokens):
        token = tokens[i]
        following = tokens[i + 1] if i + 1 < len(tokens) else None
        if token.kind == "word" and token.text.lower() in declared and following is not None and following.is_("="):
            f = declared[token.text.lower()]
            if i + 2 >= len(tokens):
                raise SearchError(f"{token.text} wants a value, got the end", token.span)
            found[f.name] = check_option(f, token.text, tokens[i + 2].text, tokens[i + 2].span)
            i += 3
            continue
        kept.append(token)
        i += 1
    arguments.tokens = kept
    return found


def read_where(arguments: Arguments) -> Predicate:
    """The conditions after WHERE, up to BY."""
    if not arguments.accept_word("where"):
        return Everything()
    reader = PredicateReader(arguments.tokens[arguments.position :], arguments.stage.arguments.end, ("by", "groupby"))
    predicate = reader.all_of()
    arguments.position += reader.position
    return predicate


def names_in(predicate: Predicate) -> list[str]:
    """The fields that conditions name, in order."""
    if isinstance(predicate, Comparison | Membership):
        return [predicate.name]
    if isinstance(predicate, Both | Either):
        return [name for operand in predicate.operands for name in names_in(operand)]
    return names_in(predicate.operand) if isinstance(predicate, Negation) else []


def conditions_of(predicate: Predicate) -> tuple[Predicate, ...]:
    """The conditions that must all hold."""
    if isinstance(predicate, Everything):
        return ()
    return predicate.operands if isinstance(predicate, Both) else (predicate,)


def all_of(conditions: list[Predicate]) -> Predicate:
    """One condition for several that must all hold."""
    if not conditions:
        return Everything()
    return conditions[0] if len(conditions) == 1 else Both(tuple(conditions))
