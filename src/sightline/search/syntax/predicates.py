"""Reads and prints the conditions of the `search` command.

NOT binds first, then OR, then AND (written or implied); `AND`, `OR`, `NOT` count only in capitals, other spellings are
terms.
"""

from __future__ import annotations

import dataclasses

from sightline.errors import LanguageError, SearchError, Span
from sightline.search.syntax.expressions import quote_string, shown
from sightline.search.syntax.tokens import Token, word_tokens
from sightline.search.syntax.tree import (
    Both,
    Comparison,
    Either,
    Everything,
    Membership,
    Negation,
    Predicate,
    Stage,
    SubsearchPredicate,
    Term,
)

DEPTH_LIMIT = 100
"""Nesting of parentheses and NOTs, so that a hostile text cannot exhaust the stack."""

_OPERATORS = ("=", "==", "!=", "<", ">", "<=", ">=")


def read_predicate(stage: Stage) -> Predicate:
    """The condition that a stage's arguments describe."""
    reader = PredicateReader(word_tokens(stage.text, stage.arguments, stage.subsearches), stage.arguments.end)
    predicate = reader.all_of()
    if not reader.done:
        token = reader.next()
        raise LanguageError(f"{shown(token)} is not expected here", token.span)
    return predicate


class PredicateReader:
    """A cursor over word tokens that reads conditions; also used for WHERE clauses of metric commands."""

    def __init__(self, tokens: list[Token], end: int, stop_words: tuple[str, ...] = ()) -> None:
        self.tokens = tokens
        self.position = 0
        self._end = Token("end", "the end", Span(end, end))
        self._stop_words = stop_words
        self._depth = 0

    def peek(self, ahead: int = 0) -> Token:
        """The token to come, or an end token."""
        index = self.position + ahead
        return self.tokens[index] if index < len(self.tokens) else self._end

    def next(self) -> Token:
        """The token to come, consumed."""
        token = self.peek()
        self.position += 1
        return token

    @property
    def done(self) -> bool:
        """Whether every token was consumed."""
        return self.position >= len(self.tokens)

    def _stops(self) -> bool:
        token = self.peek()
        if token.kind == "end" or token.is_(")"):
            return True
        return token.is_word(*self._stop_words) if self._stop_words else False

    def all_of(self) -> Predicate:
        """Conditions joined by AND, written or implied."""
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise SearchError(f"conditions nest deeper than {DEPTH_LIMIT}", self.peek().span)
        operands: list[Predicate] = []
        while not self._stops():
            if self.peek().kind == "word" and self.peek().text == "AND":
                token = self.next()
                # One in front is what an empty macro leaves: search `only_these` AND NOT host=a.
                if self._stops():
                    raise LanguageError("AND needs a condition after it", token.span)
                continue
            if self.peek().is_(","):
                self.next()
                continue
            operands.append(self._any_of())
        self._depth -= 1
        operands = [o for o in operands if not isinstance(o, Everything)]
        if not operands:
            return Everything()
        return operands[0] if len(operands) == 1 else Both(tuple(operands))

    def _any_of(self) -> Predicate:
        operands = [self._not()]
        while self.peek().kind == "word" and self.peek().text == "OR":
            token = self.next()
            if self._stops():
                raise LanguageError("OR needs a condition on both sides", token.span)
            operands.append(self._not())
        return operands[0] if len(operands) == 1 else Either(tuple(operands))

    def _not(self) -> Predicate:
        token = self.peek()
        if token.kind == "word" and token.text == "NOT":
            self.next()
            if self._stops():
                raise LanguageError("NOT needs a condition after it", token.span)
            self._depth += 1
            if self._depth > DEPTH_LIMIT:
                raise SearchError(f"conditions nest deeper than {DEPTH_LIMIT}", token.span)
            operand = self._not()
            self._depth -= 1
            return Negation(operand)
        if token.kind == "word" and token.text == "OR":
            raise LanguageError("OR needs a condition on both sides", token.span)
        return self._condition()

    def _condition(self) -> Predicate:
        token = self.next()
        if token.is_("("):
            return self._closed(self.all_of())
        if token.kind == "subsearch" and token.subsearch is not None:
            return SubsearchPredicate(token.subsearch, token.span)
        following = self.peek()
        if token.kind in ("word", "string", "quoted"):
            if following.kind == "operator" and following.text in _OPERATORS:
                return self._comparison(token)
            if following.is_word("in") and self.peek(1).is_("("):
                return self._membership(token)
            if token.kind == "word" and following.is_("(") and following.glued and token.text in ("TERM", "CASE"):
                return self._directive(token)
            if token.kind == "word" and "::" in token.text.strip(":"):
                name, _, value = token.text.partition("::")
                return Comparison(name, "=", value, token.span)
            if token.kind == "string":
                return Term(token.text, "phrase", token.span)
            if token.kind == "word" and token.text == "*":
                return Everything()
            text = f"'{token.text}'" if token.kind == "quoted" else token.text
            return Term(text, "word", token.span)
        hint = ""
        if token.kind == "operator" and self.position > 1 and self.tokens[self.position - 2].is_(")"):
            hint = 'functions are computed by where, as in: | where lower(status)="ok"'
        raise LanguageError(f"a condition is expected, got {shown(token)}", token.span, hint=hint)

    def _closed(self, inner: Predicate) -> Predicate:
        closing = self.next()
        if not closing.is_(")"):
            raise LanguageError(f'wanted ")", got {shown(closing)}', closing.span)
        return inner

    def _comparison(self, name: Token) -> Predicate:
        name = dataclasses.replace(name, text=_SYNONYMS.get(name.text.lower(), name.text))
        operator = self.next()
        text = "=" if operator.text == "==" else operator.text
        value = self.peek()
        if value.kind == "subsearch" and value.subsearch is not None:
            self.next()
            return SubsearchPredicate(value.subsearch, value.span, name.text, text)
        if value.is_("("):
            self.next()
            return _distributed(name.text, text, self._closed(self.all_of()), value.span)
        if value.kind not in ("word", "string", "quoted"):
            raise LanguageError(f'a value is expected after "{name.text}{text}", got {shown(value)}', value.span)
        self.next()
        opens = self.peek().is_("(") and self.peek().glued and not self.peek(1).is_(")")
        if value.kind == "word" and value.text in ("CASE", "TERM") and opens:
            directive = self._directive(value)
            place = Span(name.span.start, self.tokens[self.position - 1].span.end)
            return Comparison(name.text, text, directive.value, place, True, value.text == "CASE")
        given, end = value.text, value.span.end
        if value.kind == "quoted":
            given = f"'{given}'"
        # now() and other glued parentheses belong to the value.
        if value.kind == "word" and self.peek().is_("(") and self.peek().glued and self.peek(1).is_(")"):
            self.next()
            end = self.next().span.end
            given += "()"
        # Words glued after an operator (a=b=c) are part of the value, as they are for Splunk.
        while value.kind == "word" and self.peek().kind == "operator" and self.peek().glued and self.peek(1).glued:
            given += self.next().text + self.peek().text
            end = self.next().span.end
        return Comparison(name.text, text, given, Span(name.span.start, end), value.kind == "string")

    def _membership(self, name: Token) -> Predicate:
        self.next()
        self.next()
        values: list[str] = []
        while True:
            token = self.next()
            if token.is_(")"):
                break
            if token.is_(","):
                continue
            if token.kind not in ("word", "string", "quoted"):
                raise LanguageError(f'a value or ")" is expected, got {shown(token)}', token.span)
            values.append(token.text)
        if not values:
            raise SearchError(f'"{name.text} IN ()" lists no value', name.span)
        return Membership(name.text, tuple(values), Span(name.span.start, self.tokens[self.position - 1].span.end))

    def _directive(self, name: Token) -> Term:
        self.next()
        chunks: list[str] = []
        while True:
            token = self.next()
            if token.is_(")"):
                break
            if token.kind == "end":
                raise SearchError(f'wanted ")" after {name.text}(', token.span)
            chunks.append(token.text)
        span = Span(name.span.start, self.tokens[self.position - 1].span.end)
        return Term("".join(chunks), "case" if name.text == "CASE" else "term", span)


def _distributed(name: str, operator: str, values: Predicate, span: Span) -> Predicate:
    """`host=(a OR b)` as `host=a OR host=b`."""
    if isinstance(values, Term) and values.mode in ("word", "phrase"):
        return Comparison(name, operator, values.value, values.span, values.mode == "phrase")
    if isinstance(values, Everything):
        return Comparison(name, operator, "*", span)
    if isinstance(values, Both | Either):
        return type(values)(tuple(_distributed(name, operator, o, span) for o in values.operands))
    if isinstance(values, Negation):
        return Negation(_distributed(name, operator, values.operand, span))
    raise SearchError(f'values joined by OR are expected in the parentheses after "{name}{operator}"', span)


def print_predicate(node: Predicate) -> str:
    """Text that reads back as an equal node."""
    if isinstance(node, Term):
        if node.mode in ("case", "term"):
            return f"{node.mode.upper()}({quote_string(node.value)})"
        return quote_string(node.value) if node.mode == "phrase" else node.value
    if isinstance(node, Comparison):
        value = quote_string(node.value) if node.quoted or not node.value.startswith("'") else node.value
        value = f"CASE({value})" if node.exact else value
        return f"{_print_name(node.name)}{node.operator}{value}"
    if isinstance(node, Membership):
        return f"{_print_name(node.name)} IN ({', '.join(quote_string(v) for v in node.values)})"
    if isinstance(node, Both):
        return "(" + " AND ".join(print_predicate(o) for o in node.operands) + ")"
    if isinstance(node, Either):
        return "(" + " OR ".join(print_predicate(o) for o in node.operands) + ")"
    if isinstance(node, Negation):
        return f"(NOT {print_predicate(node.operand)})"
    if isinstance(node, SubsearchPredicate):
        from sightline.search.syntax.printer import print_pipeline

        head = f"{_print_name(node.name)}{node.operator}" if node.name else ""
        return f"{head}[{print_pipeline(node.pipeline)}]"
    return "*"


_SYNONYMS = {"hosttag": "tag::host", "eventtypetag": "tag::eventtype", "savedsplunk": "savedsearch"}
"""Names that conditions have beside those that are in use."""


def _print_name(name: str) -> str:
    plain = name and all(c.isalnum() or c in "_.:-@{}*" for c in name) and name.lower() not in _WORDS
    return name if plain else quote_string(name)


_WORDS = ("and", "or", "not", "by", "groupby", "where", "as", "from", "span")
"""What a condition, or the clause that it stands in, takes for something else than a name."""
