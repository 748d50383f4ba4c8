"""Tokens of a command's arguments, in two readings of the same characters.

Most commands read *words*: `sourcetype=access-*` is a word, an operator and a word. Expressions (`eval`, `where`) read
*operators*: `a-b` is a subtraction. Strings, subsearches and positions are the same in both.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sightline.errors import LanguageError, Span

if TYPE_CHECKING:
    from sightline.search.syntax.tree import Pipeline


@dataclass(frozen=True, slots=True)
class Token:
    """`kind` is word, string, quoted (single quotes), number, name, operator, punctuation, subsearch or end."""

    kind: str
    text: str
    span: Span
    glued: bool = False
    """No white space before it."""
    subsearch: Pipeline | None = None

    def is_(self, *texts: str) -> bool:
        """Whether it is an operator or punctuation with one of these texts."""
        return self.kind in ("operator", "punctuation") and self.text in texts

    def is_word(self, *words: str) -> bool:
        """Whether it is an unquoted word equal to one of these, in any case."""
        return self.kind in ("word", "name") and self.text.lower() in words


_WORD_OPERATORS = ("==", "!=", "<=", ">=", "=", "<", ">")
_TEMPLATE = r"<<\w+>>|\$[A-Za-z_][\w.:]*(?:\|\w+)?\$"
"""`<<FIELD>>` of foreach and `$token$` of dashboards: names whose text somebody else puts in.

A page may have filters of its own, so that what follows a bar may be any word."""
_A_TEMPLATE = re.compile(_TEMPLATE)
_WORD = re.compile(rf"""(?:{_TEMPLATE}|\\[\\"\[\]|]|(?!!=)[^\s"(),=<>\[\]|])+""")
_WORD_ESCAPE = re.compile(r"""\\([\\"\[\]|])""")
_EXPRESSION_OPERATORS = ("==", "!=", "<=", ">=", "=>", "=", "<", ">", "+", "-", "*", "/", "%", ".")
_NUMBER = re.compile(r"(?:\d+\.\d+|\.\d+|\d+\.(?![\w.\"'(])|\d+)(?:[eE][+-]?\d+)?(?![A-Za-z_])")
_LETTER = r"[\w\u0080-\U0010ffff]"
_NAME = re.compile(rf"(?:{_TEMPLATE}|@?{_LETTER})(?:{_TEMPLATE}|{_LETTER}|:(?={_LETTER}))*(?:\{{\d*\}})?")
"""A name as expressions take it without quotes: also `eai:acl` and `@timestamp`, of which no operator is made."""
_HEX = re.compile(r"0[xX][0-9a-fA-F]+")


def read_string(text: str, start: int) -> tuple[str, int]:
    """The value of a quoted string and the offset after it. A backslash escapes a quote or itself, else it stays."""
    quote, i, out = text[start], start + 1, []
    while i < len(text):
        c = text[i]
        if c == "\\" and i + 1 < len(text) and text[i + 1] in (quote, "\\"):
            out.append(text[i + 1])
            i += 2
        elif c == quote:
            return "".join(out), i + 1
        else:
            out.append(c)
            i += 1
    raise LanguageError("a string is not closed: wanted " + quote, Span(start, start + 1))


def read_raw_string(text: str, start: int) -> tuple[str, int]:
    """Like read_string, but keeps every backslash except one before the quote: what a regular expression needs."""
    quote, i, out = text[start], start + 1, []
    while i < len(text):
        c = text[i]
        if c == "\\" and i + 1 < len(text):
            out.append(quote if text[i + 1] == quote else text[i : i + 2])
            i += 2
        elif c == quote:
            return "".join(out), i + 1
        else:
            out.append(c)
            i += 1
    raise LanguageError("a string is not closed: wanted " + quote, Span(start, start + 1))


def word_tokens(text: str, span: Span, subsearches: dict[int, tuple[Pipeline, int]]) -> list[Token]:
    """Tokens of text[span] for commands that read words. `subsearches` maps an opening bracket to its pipeline and end."""
    out: list[Token] = []
    i, end, glued = span.start, span.end, False
    while i < end:
        c = text[i]
        if c.isspace():
            i, glued = i + 1, False
            continue
        start = i
        if c == "[" and i in subsearches:
            pipeline, i = subsearches[i]
            out.append(Token("subsearch", text[start:i], Span(start, i), glued, pipeline))
        elif c == '"':
            value, i = read_string(text, i)
            out.append(Token("string", value, Span(start, i), glued))
        elif c == "'" and (not glued or out[-1].kind in ("operator", "punctuation")) and closing_quote(text, i, end) > 0:
            value, i = read_string(text, i)
            out.append(Token("quoted", value, Span(start, i), glued))
        elif c in "(),":
            i += 1
            out.append(Token("punctuation", c, Span(start, i), glued))
        elif not _A_TEMPLATE.match(text, i, end) and (
            operator := next((o for o in _WORD_OPERATORS if text.startswith(o, i)), None)
        ):
            i += len(operator)
            out.append(Token("operator", operator, Span(start, i), glued))
        elif c in "[]|":
            raise LanguageError(f'"{c}" is not expected here', Span(i, i + 1))
        else:
            match = _WORD.match(text, i, end)
            i = match.end() if match else i + 1
            out.append(Token("word", _WORD_ESCAPE.sub(r"\1", text[start:i]), Span(start, i), glued))
        glued = True
    return out


def has_template(name: str) -> bool:
    """Whether a name holds a place whose text somebody else puts in: `$token$` or `<<FIELD>>`."""
    return _A_TEMPLATE.search(name) is not None


def template_end(text: str, start: int) -> int:
    """The offset after the template that begins at `start`, or `start` where there is none."""
    match = _A_TEMPLATE.match(text, start)
    return match.end() if match else start


def closing_quote(text: str, start: int, end: int) -> int:
    """Offset of the single quote that closes the one at `start`, before `end`; -1 where there is none."""
    i = start + 1
    while i < end:
        if text[i] == "\\":
            i += 2
            continue
        if text[i] == "'":
            return i
        i += 1
    return -1


_WORDS_BEFORE_VALUES = frozenset(("and", "or", "not", "xor", "like", "in"))


def _ends_value(tokens: list[Token]) -> bool:
    """Whether a value ends here, so that a dot joins it to the next one instead of beginning a number."""
    if not tokens:
        return False
    last = tokens[-1]
    if last.kind == "name":
        return last.text.lower() not in _WORDS_BEFORE_VALUES
    return last.kind in ("string", "quoted", "number", "subsearch") or last.is_(")")


def expression_tokens(text: str, span: Span, subsearches: dict[int, tuple[Pipeline, int]]) -> list[Token]:
    """Tokens of text[span] for commands that read expressions."""
    out: list[Token] = []
    i, end, glued = span.start, span.end, False
    while i < end:
        c = text[i]
        if c.isspace():
            i, glued = i + 1, False
            continue
        start = i
        if c == "[" and i in subsearches:
            pipeline, i = subsearches[i]
            out.append(Token("subsearch", text[start:i], Span(start, i), glued, pipeline))
        elif c == '"':
            value, i = read_string(text, i)
            out.append(Token("string", value, Span(start, i), glued))
        elif c == "'":
            value, i = read_string(text, i)
            out.append(Token("quoted", value, Span(start, i), glued))
        elif match := _HEX.match(text, i, end):
            i = match.end()
            out.append(Token("number", str(int(match.group(), 16)), Span(start, i), glued))
        elif not (c == "." and _ends_value(out)) and (match := _NUMBER.match(text, i, end)):
            i = match.end()
            out.append(Token("number", match.group(), Span(start, i), glued))
        elif match := _NAME.match(text, i, end):
            i = match.end()
            out.append(Token("name", match.group(), Span(start, i), glued))
        elif c in "(),:;{}$@#~^&?\\!" and not text.startswith("!=", i):
            i += 1
            out.append(Token("punctuation", c, Span(start, i), glued))
        elif operator := next((o for o in _EXPRESSION_OPERATORS if text.startswith(o, i)), None):
            i += len(operator)
            out.append(Token("operator", operator, Span(start, i), glued))
        else:
            raise LanguageError(f'"{c}" is not expected in an expression', Span(i, i + 1))
        glued = True
    return out
