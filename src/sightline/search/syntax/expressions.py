"""Reads and prints expressions of `eval` and `where`.

Precedence, loosest first: XOR, OR, AND, NOT, comparison (= == != < > <= >= LIKE IN), `.`, `+ -`, `* / %`, sign.
`a.b` written without quotes and spaces stays one node with parts: it is the field of that name where there is one, else the
concatenation of the two.
"""

from __future__ import annotations

from sightline.errors import LanguageError, SearchError, Span
from sightline.search.syntax.tokens import Token, expression_tokens, has_template
from sightline.search.syntax.tree import (
    Expression,
    Field,
    FunctionCall,
    Number,
    Operation,
    Stage,
    String,
    SubsearchValue,
)

DEPTH_LIMIT = 100
"""Nesting of parentheses and calls, so that a hostile text cannot exhaust the stack."""

_COMPARISONS = ("=", "==", "!=", "<", ">", "<=", ">=")
_KEYWORDS = ("and", "or", "not", "xor", "like", "in", "as", "by")


class ExpressionReader:
    """A cursor over expression tokens. Methods named after what they read; each raises SearchError with a span."""

    def __init__(self, tokens: list[Token], end: int) -> None:
        self.tokens = tokens
        self.position = 0
        self._end = Token("end", "the end", Span(end, end))
        self._depth = 0

    @classmethod
    def over(cls, stage: Stage, span: Span | None = None) -> ExpressionReader:
        """A reader over a stage's arguments, or a part of them."""
        span = span or stage.arguments
        return cls(expression_tokens(stage.text, span, stage.subsearches), span.end)

    # -- cursor

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

    def expect(self, text: str) -> Token:
        """Consume one operator or punctuation."""
        token = self.next()
        if not token.is_(text):
            raise LanguageError(f'wanted "{text}", got {shown(token)}', token.span)
        return token

    # -- grammar

    def expression(self) -> Expression:
        """One expression."""
        self._depth += 1
        if self._depth > DEPTH_LIMIT:
            raise SearchError(f"an expression nests deeper than {DEPTH_LIMIT}", self.peek().span)
        try:
            return self._logical(0)
        finally:
            self._depth -= 1

    def _logical(self, level: int) -> Expression:
        words = ("xor", "or", "and")
        if level == len(words):
            return self._not()
        left = self._logical(level + 1)
        operands = [left]
        while self.peek().is_word(words[level]):
            self.next()
            operands.append(self._logical(level + 1))
        if len(operands) == 1:
            return left
        return Operation(words[level], tuple(operands), _join(operands[0], operands[-1]))

    def _not(self) -> Expression:
        token = self.peek()
        if token.is_word("not") or token.is_("!"):
            self.next()
            self._depth += 1
            if self._depth > DEPTH_LIMIT:
                raise SearchError(f"an expression nests deeper than {DEPTH_LIMIT}", token.span)
            operand = self._not()
            self._depth -= 1
            return Operation("not", (operand,), Span(token.span.start, span_of(operand).end))
        return self._comparison()

    def _comparison(self) -> Expression:
        left = self._binary(0)
        while True:
            token = self.peek()
            if token.kind == "operator" and token.text in _COMPARISONS:
                self.next()
                right = self._binary(0)
                left = Operation("=" if token.text == "==" else token.text, (left, right), _join(left, right))
            elif token.is_word("like", "in") or (token.is_word("not") and self.peek(1).is_word("like", "in")):
                negated = token.is_word("not")
                if negated:
                    self.next()
                inner = self._like(left) if self.next().is_word("like") else self._in(left)
                left = Operation("not", (inner,), span_of(inner)) if negated else inner
            elif token.is_word("is"):
                left = self._is_null(left)
            elif token.is_("^"):
                raise LanguageError('"^" is no operator', token.span, hint="use pow(base, exponent)")
            else:
                return left

    def _like(self, left: Expression) -> Expression:
        right = self._binary(0)
        return Operation("like", (left, right), _join(left, right))

    def _in(self, left: Expression) -> Expression:
        self.expect("(")
        values = self._arguments()
        return Operation("in", (left, *values), _join(left, values[-1] if values else left))

    def _is_null(self, left: Expression) -> Expression:
        """`IS NULL`, `IS NOT NULL`: SQL's words, which Splunk does not take."""
        start = self.next()
        negated = self.peek().is_word("not")
        if negated:
            self.next()
        last = self.next()
        if not last.is_word("null"):
            raise LanguageError(f"{shown(start)} is not expected here", start.span)
        span = Span(span_of(left).start, last.span.end)
        return Operation("is not null" if negated else "is null", (left,), span)

    def _binary(self, level: int) -> Expression:
        operators = ((".",), ("+", "-"), ("*", "/", "%"))
        if level == len(operators):
            return self._unary()
        left = self._binary(level + 1)
        while self.peek().kind == "operator" and self.peek().text in operators[level]:
            operator = self.next().text
            right = self._binary(level + 1)
            left = Operation(operator, (left, right), _join(left, right))
        return left

    def _unary(self) -> Expression:
        token = self.peek()
        if token.is_("-", "+"):
            self.next()
            self._depth += 1
            if self._depth > DEPTH_LIMIT:
                raise SearchError(f"an expression nests deeper than {DEPTH_LIMIT}", token.span)
            operand = self._unary()
            self._depth -= 1
            if token.text == "+":
                return operand
            return Operation("neg", (operand,), Span(token.span.start, span_of(operand).end))
        return self._primary()

    def _primary(self) -> Expression:
        token = self.next()
        if token.kind == "number":
            return Number(token.text, token.span)
        if token.kind == "string":
            return String(token.text, token.span)
        if token.kind == "quoted":
            return Field(token.text, token.span)
        if token.kind == "subsearch" and token.subsearch is not None:
            return SubsearchValue(token.subsearch, token.span)
        if token.is_("("):
            inner = self.expression()
            closing = self.next()
            if not closing.is_(")"):
                raise LanguageError(f'wanted ")", got {shown(closing)}', closing.span)
            return inner
        if token.kind == "name":
            if self.peek().is_("(") and token.text.lower() not in ("and", "or", "xor"):
                self.next()
                arguments = self._arguments()
                end = self.tokens[self.position - 1].span.end
                return FunctionCall(token.text.lower(), tuple(arguments), Span(token.span.start, end), token.span)
            if token.text.lower() in _KEYWORDS:
                raise LanguageError(f'a value is expected, got "{token.text}"', token.span)
            return self._dotted(token)
        hint = 'search takes patterns, and so does like(): like(field, "%text%")' if token.is_("*") else ""
        raise LanguageError(f"a value is expected, got {shown(token)}", token.span, hint=hint)

    def _dotted(self, first: Token) -> Expression:
        parts, last = [first.text], first
        while (
            self.peek().is_(".")
            and self.peek().glued
            and self.peek(1).kind == "name"
            and self.peek(1).glued
            and not self.peek(2).is_("(")
        ):
            self.next()
            last = self.next()
            parts.append(last.text)
        name, span = ".".join(parts), Span(first.span.start, last.span.end)
        return Field(name, span, tuple(parts) if len(parts) > 1 or has_template(name) else ())

    def _arguments(self) -> list[Expression]:
        arguments: list[Expression] = []
        if self.peek().is_(")"):
            self.next()
            return arguments
        while True:
            arguments.append(self.expression())
            token = self.next()
            if token.is_(")"):
                return arguments
            if not token.is_(","):
                raise LanguageError(f'wanted "," or ")", got {shown(token)}', token.span)


def read_expression(text: str) -> Expression:
    """The expression that a text is, such as the setting of a calculated field. Raises SearchError for anything else."""
    reader = ExpressionReader(expression_tokens(text, Span(0, len(text)), {}), len(text))
    found = reader.expression()
    if not reader.done:
        token = reader.next()
        raise LanguageError(f"{shown(token)} is not expected here", token.span)
    return found


def shown(token: Token) -> str:
    """A token for an error message."""
    return "the end" if token.kind == "end" else f'"{token.text}"'


def span_of(node: Expression) -> Span:
    """Where an expression was written."""
    return node.span  # type: ignore[attr-defined]


def _join(left: Expression, right: Expression) -> Span:
    return Span(span_of(left).start, span_of(right).end)


def quote_string(value: str) -> str:
    """A double-quoted literal that reads back as `value`."""
    return '"' + value.replace("\\", "\\\\").replace('"', '\\"') + '"'


def quote_field(name: str) -> str:
    """A field name in single quotes, as expressions want it."""
    return "'" + name.replace("\\", "\\\\").replace("'", "\\'") + "'"


def print_expression(node: Expression) -> str:
    """Text that reads back as an equal node."""
    if isinstance(node, Number):
        return node.text
    if isinstance(node, String):
        return quote_string(node.value)
    if isinstance(node, Field):
        return node.name if node.parts else quote_field(node.name)
    if isinstance(node, FunctionCall):
        return f"{node.name}({', '.join(print_expression(a) for a in node.arguments)})"
    if isinstance(node, SubsearchValue):
        from sightline.search.syntax.printer import print_pipeline

        return f"[{print_pipeline(node.pipeline)}]"
    assert isinstance(node, Operation)
    operands = [print_expression(o) for o in node.operands]
    if node.operator == "neg":
        return f"(-{operands[0]})"
    if node.operator == "not":
        return f"(NOT {operands[0]})"
    if node.operator in ("is null", "is not null"):
        return f"({operands[0]} {node.operator.upper()})"
    if node.operator == "in":
        return f"({operands[0]} IN ({', '.join(operands[1:])}))"
    return "(" + f" {node.operator.upper()} ".join(operands) + ")"
