"""Reads a command's arguments: declared options, field lists, clauses, aggregate calls.

An option is declared once, as a field of the command's dataclass; reading, checking, printing, help and completion all
follow from the declaration.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from sightline.errors import LanguageError, SearchError, Span, nearest
from sightline.search.syntax.expressions import ExpressionReader, print_expression, quote_string, shown
from sightline.search.syntax.tokens import Token, expression_tokens, read_string, word_tokens
from sightline.search.syntax.tree import Expression, Pipeline, Stage

TRUE_WORDS = ("1", "t", "true", "y", "yes", "enable", "enabled")
REPEATED = ("splunk_server", "splunk_server_group")
"""Options that are given once for each server, or group of servers."""
FALSE_WORDS = ("0", "f", "false", "n", "no", "disable", "disabled")


def option(
    default: Any = None,
    *,
    name: str = "",
    type: type | None = None,
    minimum: float | None = None,
    choices: Sequence[str] = (),
    help: str = "",
    aliases: Sequence[str] = (),
) -> Any:
    """Declares a dataclass field as an option `name=value` of a command."""
    kind = type or (str if default is None else default.__class__)
    metadata = {
        "option": True,
        "name": name,
        "type": kind,
        "minimum": minimum,
        "choices": tuple(choices),
        "help": help,
        "aliases": tuple(aliases),
    }
    return field(default=default, metadata=metadata)


def declared_options(command: type) -> dict[str, dataclasses.Field]:
    """The options of a command's dataclass by the names people write, aliases included."""
    found: dict[str, dataclasses.Field] = {}
    for f in dataclasses.fields(command):
        if f.metadata.get("option"):
            found[(f.metadata["name"] or f.name).lower()] = f
            for alias in f.metadata["aliases"]:
                found[alias.lower()] = f
    return found


def written_options(command: type) -> dict[str, dataclasses.Field]:
    """The options that may be written with a command: its own, and those of the classes that it reads from its arguments by itself."""
    found = declared_options(command)
    for kind in getattr(command, "reads_options_of", ()):
        found |= declared_options(kind)
    return found


@dataclass(frozen=True, slots=True)
class AggregateCall:
    """`function(argument) AS name`. The argument is a field (maybe with wildcards), an expression, or missing."""

    function: str
    field: str | None
    """For a sparkline its inner call, `avg(x)`, or `avg()` where that is over the expression."""
    expression: Expression | None
    name: str
    span: Span = dataclasses.field(compare=False)
    parameter: float | None = None
    """The N of `percN`."""
    explicit_name: bool = dataclasses.field(default=False, compare=False)
    """Whether AS was written; printing always writes it."""
    extra: tuple[str, ...] = ()
    """Further arguments as text (the span of a sparkline)."""

    def __str__(self) -> str:
        plain = self.field is None or self.expression is not None or self.extra or print_name(self.field) == self.field
        if not self.explicit_name and plain:
            # Without AS the name is the call as it was written.
            return self.name
        inner = ""
        if self.expression is not None:
            inner = f"eval({print_expression(self.expression)})"
            if self.field is not None:
                inner = f"{self.field.removesuffix(')')}{inner})"
        elif self.field is not None:
            # Where there are further arguments, the first may be a call: sparkline(avg(x), 1h).
            inner = self.field if self.extra or self.function == "sparkline" else print_name(self.field)
        if self.extra:
            inner = ", ".join([inner, *self.extra])
        function = self.function
        if self.parameter is not None:
            function += f"{self.parameter:g}"
        return f"{function}({inner})" + f" AS {quote_string(self.name)}"


class Arguments:
    """A cursor over the word tokens of one stage."""

    def __init__(self, stage: Stage) -> None:
        self.stage = stage
        self.tokens = word_tokens(stage.text, stage.arguments, stage.subsearches)
        self.position = 0
        end = stage.arguments.end
        self._end = Token("end", "the end", Span(end, end))

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

    def finish(self) -> None:
        """Refuse whatever is left."""
        if not self.done:
            token = self.peek()
            raise SearchError(f"{shown(token)} is not expected here", token.span)

    def accept(self, *texts: str) -> Token | None:
        """Consume an operator or punctuation if it comes next."""
        return self.next() if self.peek().is_(*texts) else None

    def accept_word(self, *words: str) -> Token | None:
        """Consume a word, in any case, if it comes next."""
        return self.next() if self.peek().is_word(*words) else None

    def skip_commas(self) -> None:
        """Consume commas."""
        while self.accept(","):
            pass

    # -- options

    def options(self, command: type, *, also: Sequence[str] = ()) -> dict[str, Any]:
        """Consume `name=value` pairs of declared options at the cursor. Gives dataclass field names with checked values."""
        declared = declared_options(command)
        found: dict[str, Any] = {}
        while True:
            name, operator = self.peek(), self.peek(1)
            if name.kind != "word" or not operator.is_("=") or name.text.lower() not in declared:
                return found
            f = declared[name.text.lower()]
            if f.name in found and name.text.lower() not in REPEATED:
                raise SearchError(f'"{name.text}" is given twice', name.span)
            self.position += 2
            found[f.name] = self.option_value(f, name.text)
            if self.peek().is_(",") and self.peek(1).kind == "word" and self.peek(2).is_("="):
                self.next()

    def option_value(self, f: dataclasses.Field, name: str) -> Any:
        """Read and check the value of one option."""
        token = self.next()
        if token.is_("(") and f.metadata["type"] is str:
            # A pattern without quotes, up to the next space: tokenizer=(\S+)
            text = re.match(r"\S*", self.stage.text[token.span.start : self.stage.arguments.end]).group()  # type: ignore[union-attr]
            end = token.span.start + len(text)
            while not self.done and self.peek().span.start < end:
                self.next()
            return check_option(f, name, text, token.span)
        if token.kind not in ("word", "string", "quoted"):
            raise SearchError(f"{name} wants a value, got {shown(token)}", token.span)
        text = token.text
        if token.kind == "word" and self.peek().is_("(") and self.peek().glued:
            text += self.parenthesised_text()
        return check_option(f, name, text, token.span)

    def unknown_option(self, command: type) -> SearchError | None:
        """The error for a `name=value` at the cursor that no option has, or None."""
        name = self.peek()
        if name.kind != "word" or not self.peek(1).is_("="):
            return None
        declared = written_options(command)
        wanted = ", ".join(declared) or "none"
        message = f'there is no option "{name.text}", wanted one of: {wanted}'
        return SearchError(message, name.span, hint=nearest(name.text, declared))

    # -- names and values

    def at_end_of_list(self, stop_words: Sequence[str]) -> bool:
        """Whether a list of names ends here."""
        token = self.peek()
        return token.kind == "end" or token.is_(")") or token.is_word(*stop_words) or token.kind == "subsearch"

    def name(self, what: str = "a field name") -> str:
        """One field name."""
        token = self.next()
        if token.kind not in ("word", "string", "quoted"):
            raise SearchError(f"{what} is expected, got {shown(token)}", token.span)
        return token.text + self.glued_parentheses(token)

    def glued_parentheses(self, token: Token) -> str:
        """What follows a word without a space in parentheses: the rest of a name such as `avg(x)`."""
        if token.kind == "word" and self.peek().is_("(") and self.peek().glued:
            return self.parenthesised_text()
        return ""

    def names(self, what: str = "a field name", stop_words: Sequence[str] = (), *, required: bool = True) -> list[str]:
        """Names separated by commas or spaces, up to the end or a stop word."""
        found: list[str] = []
        self.skip_commas()
        while not self.at_end_of_list(stop_words):
            found.append(self.name(what))
            self.skip_commas()
        if required and not found:
            token = self.peek()
            raise SearchError(f"{what} is expected, got {shown(token)}", token.span)
        return found

    def names_with_options(self, command: type) -> tuple[list[str], dict[str, Any]]:
        """Names up to the end, maybe none, with options of the command before, between and after them."""
        names: list[str] = []
        found: dict[str, Any] = {}
        while not self.done:
            found.update(self.options(command))
            self.skip_commas()
            if self.done:
                break
            error = self.unknown_option(command)
            if error:
                raise error
            names.append(self.name())
            self.skip_commas()
        return names, found

    def by_clause(self, words: Sequence[str] = ("by", "groupby"), stop_words: Sequence[str] = ()) -> list[str]:
        """The names after BY, or none."""
        if not self.accept_word(*words):
            return []
        return self.names("a field name after BY", stop_words)

    def number(self, what: str, *, minimum: float | None = None) -> int:
        """One whole number."""
        token = self.next()
        try:
            value = int(token.text)
        except ValueError:
            raise SearchError(f"{what} must be a whole number, got {shown(token)}", token.span) from None
        if minimum is not None and value < minimum:
            raise SearchError(f"{what} must be {minimum:g} or more, got {value}", token.span)
        return value

    def subsearch(self) -> Pipeline:
        """One bracketed pipeline."""
        token = self.next()
        if token.kind != "subsearch" or token.subsearch is None:
            raise SearchError(f"a subsearch in brackets is expected, got {shown(token)}", token.span)
        return token.subsearch

    # -- parentheses and expressions

    def parenthesised(self) -> Span:
        """The range between the parenthesis at the cursor and its partner, both consumed."""
        opening = self.next()
        if not opening.is_("("):
            raise SearchError(f'wanted "(", got {shown(opening)}', opening.span)
        depth = 1
        while depth:
            token = self.next()
            if token.kind == "end":
                raise LanguageError('a parenthesis is not closed: wanted ")"', opening.span)
            depth += 1 if token.is_("(") else -1 if token.is_(")") else 0
        return Span(opening.span.end, self.tokens[self.position - 1].span.start)

    def parenthesised_text(self) -> str:
        """The parentheses at the cursor with what is between them, as text."""
        inner = self.parenthesised()
        return "(" + self.stage.text[inner.start : inner.end] + ")"

    def expression_in(self, span: Span) -> Expression:
        """The expression that a range holds."""
        reader = ExpressionReader.over(self.stage, span)
        expression = reader.expression()
        if not reader.done:
            raise LanguageError(f"{shown(reader.peek())} is not expected here", reader.peek().span)
        return expression

    # -- aggregates

    def aggregate_calls(
        self, known: Sequence[str], stop_words: Sequence[str] = ("by", "groupby", "over"), *, required: bool = True
    ) -> list[AggregateCall]:
        """Aggregate calls separated by commas or spaces, up to the end or a stop word."""
        calls: list[AggregateCall] = []
        self.skip_commas()
        while not self.at_end_of_list(stop_words):
            if self.peek(1).is_("=") and not self.peek(1).is_("=="):
                break
            calls.append(self.aggregate_call(known))
            self.skip_commas()
        if required and not calls:
            token = self.peek()
            raise SearchError(f"an aggregate such as count or avg(field) is expected, got {shown(token)}", token.span)
        return calls

    def aggregate_call(self, known: Sequence[str]) -> AggregateCall:
        """One aggregate call with its AS."""
        token = self.next()
        if token.kind not in ("word", "string"):
            raise SearchError(f"an aggregate such as count or avg(field) is expected, got {shown(token)}", token.span)
        function, parameter = split_parameter(token.text.lower(), known)
        if function is None:
            raise LanguageError(
                f'there is no aggregate function "{token.text}"', token.span, hint=nearest(token.text, known)
            )
        field_name: str | None = None
        expression: Expression | None = None
        extra: tuple[str, ...] = ()
        end = token.span.end
        inner_text = ""
        if self.peek().is_("("):
            inner = self.parenthesised()
            end = self.tokens[self.position - 1].span.end
            inner_text = self.stage.text[inner.start : inner.end].strip()
            field_name, expression, extra = self._aggregate_argument(function, inner, inner_text)
        text = token.text + (f"({inner_text})" if self.tokens[self.position - 1].is_(")") else "")
        default = f"{token.text}({field_name})" if field_name is not None and expression is None and not extra else text
        if not inner_text:
            default = token.text
        if self.peek().is_(",") and self.peek(1).is_word("as") and self.peek(2).kind in ("word", "string", "quoted"):
            # No aggregate is called so, and commas are as good as spaces: `values(component), AS components`.
            self.next()
        if self.accept_word("as"):
            return AggregateCall(
                function,
                field_name,
                expression,
                self.name("a name after AS"),
                Span(token.span.start, end),
                parameter,
                True,
                extra,
            )
        return AggregateCall(function, field_name, expression, default, Span(token.span.start, end), parameter, False, extra)

    def _inner_expression(self, inner: Span, call: re.Match[str]) -> tuple[str | None, Expression | None, tuple[str, ...]]:
        """The function of an inner call as its field, the expression that it is over, and what follows it as text."""
        tokens = expression_tokens(self.stage.text, inner, self.stage.subsearches)
        depth = 0
        for n, token in enumerate(tokens):
            depth += 1 if token.is_("(") else -1 if token.is_(")") else 0
            if n > 2 and depth == 0:
                # The last two parentheses are those of eval and of the inner function.
                stop = tokens[n - 1].span.start
                rest = self.stage.text[token.span.end : inner.end].strip().lstrip(",").strip()
                expression = self.expression_in(Span(tokens[3].span.end, stop))
                return f"{call.group(1)}()", expression, (rest,) if rest else ()
        raise LanguageError('a parenthesis is not closed: wanted ")"', inner)

    def _aggregate_argument(
        self, function: str, inner: Span, text: str
    ) -> tuple[str | None, Expression | None, tuple[str, ...]]:
        if not text:
            return None, None, ()
        lowered = text.lower()
        if lowered.startswith("eval(") and text.endswith(")"):
            start = self.stage.text.index("(", inner.start) + 1
            stop = inner.start + self.stage.text[inner.start : inner.end].rindex(")")
            return None, self.expression_in(Span(start, stop)), ()
        inner_call = _CALL_OF_EXPRESSION.match(text) if function == "sparkline" else None
        if inner_call:
            # A call over an expression: sparkline(sum(eval(...)), 1h).
            return self._inner_expression(inner, inner_call)
        if "," in text and not text.startswith(('"', "'")):
            first, _, rest = text.partition(",")
            return first.strip(), None, tuple(part.strip() for part in rest.split(","))
        return unquoted(text), None, ()


def unquoted(text: str) -> str:
    """A name that may stand in quotes, without them and what they escape."""
    text = text.strip()
    if text[:1] not in ('"', "'"):
        return text
    try:
        value, end = read_string(text, 0)
    except SearchError:
        return text
    return value if end == len(text) else text


_CALL_OF_EXPRESSION = re.compile(r"([A-Za-z_]+[\d.]*)\s*\(\s*eval\s*\(", re.I)
_PERCENTILES = ("p", "perc", "exactperc", "upperperc")
"""Functions whose names go on with a number, and mean nothing without it."""


def split_parameter(name: str, known: Sequence[str]) -> tuple[str | None, float | None]:
    """`perc95` as ("perc", 95.0); a known name as itself; an unknown one as (None, None)."""
    if name in _PERCENTILES:
        return None, None
    if name in known:
        return name, None
    stem = name.rstrip("0123456789.")
    if stem != name and stem in _PERCENTILES:
        try:
            percent = float(name[len(stem) :])
        except ValueError:
            return None, None
        return ("perc" if stem == "p" else stem, percent) if 0 <= percent <= 100 else (None, None)
    return None, None


def check_option(f: dataclasses.Field, name: str, text: str, span: Span | None) -> Any:
    """The value of an option from its text, or a SearchError saying what was wanted."""
    kind, minimum, choices = f.metadata["type"], f.metadata["minimum"], f.metadata["choices"]
    if kind is bool:
        if text.lower() in TRUE_WORDS:
            return True
        if text.lower() in FALSE_WORDS:
            return False
        raise SearchError(f'{name} must be true or false, got "{text}"', span)
    value: Any = text
    if kind in (int, float):
        try:
            value = kind(text)
        except ValueError:
            wanted = "a whole number" if kind is int else "a number"
            raise SearchError(f'{name} must be {wanted}, got "{text}"', span) from None
        if minimum is not None and value < minimum:
            raise SearchError(f"{name} must be {minimum:g} or more, got {text}", span)
    if choices and text.lower() not in choices:
        raise SearchError(f'{name} must be one of {", ".join(choices)}, got "{text}"', span)
    return value.lower() if choices else value


def print_name(name: str) -> str:
    """A field name that word tokens read back."""
    plain = name and all(c.isalnum() or c in "_.:-@{}*#$%&/+~?;" for c in name) and name.lower() not in _CLAUSES
    return name if plain else quote_string(name)


_CLAUSES = (
    "by", "as", "over", "where", "groupby", "output", "outputnew", "from", "into", "against", "sortby", "with", "in",
)  # fmt: skip


def print_options(command: Any) -> list[str]:
    """The options that differ from their defaults, as they are written."""
    out = []
    for f in dataclasses.fields(command):
        if f.metadata.get("option") and getattr(command, f.name) != f.default:
            value = getattr(command, f.name)
            shown_value = str(value).lower() if isinstance(value, bool) else quote_string(str(value))
            out.append(f"{f.metadata['name'] or f.name}={shown_value}")
    return out
