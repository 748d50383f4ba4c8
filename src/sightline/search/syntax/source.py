"""The text of a search and where each character of it came from.

What people paste carries no-break spaces, typographic quotes and zero-width marks; what they type carries comments and
macros. All of that is resolved here, and a span of the resulting text still maps to a span of the text as typed, so that
an error inside a macro points at the macro's call.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sightline.errors import SearchError, Span, nearest

MACRO_DEPTH_LIMIT = 100
"""Nesting at which a macro is taken to expand itself without end (Splunk's own limit)."""
EXPANDED_TEXT_LIMIT = 1_000_000
"""Characters after expansion; a macro that doubles itself reaches any memory limit within thirty steps."""

_ZERO_WIDTH = frozenset("\u200b\u200c\u200d\u2060\ufeff\u200e\u200f\u00ad")
_QUOTES = {"\u201c": '"', "\u201d": '"', "\u201e": '"', "\u201f": '"', "\u2018": "'", "\u2019": "'", "\u201b": "'"}
_ONE_OPEN_WORD = re.compile(r'"[^\s"|()\[\],\\]+\s*')
"""A double quote that is not closed, and one word behind it."""
_MACRO_NAME = re.compile(r"\s*([\w.:\-]+)\s*(\(.*\))?\s*\Z", re.S)


@dataclass(frozen=True, slots=True)
class MacroDefinition:
    """A macro as kept in the catalog: `arguments` name the `$name$` places of `definition`.

    `validation` is an expression over the arguments; `errormsg` is said where it is false. With `iseval` the definition is
    itself an expression that gives the text.
    """

    definition: str
    arguments: tuple[str, ...] = ()
    validation: str = ""
    errormsg: str = ""
    iseval: bool = False


@dataclass(frozen=True, slots=True)
class Macros:
    """The macros that a text may call.

    `evaluate` gives the value of an expression over named texts; a condition that has no value is false.
    """

    find: Callable[[str, int], MacroDefinition | None]
    argument_counts: Callable[[str], list[int]]
    names: Callable[[], list[str]]
    evaluate: Callable[[str, Mapping[str, str]], object]


@dataclass(frozen=True, slots=True)
class _Piece:
    start: int
    """Offset in the resulting text."""
    origin: int
    """Offset in the typed text."""
    origin_end: int
    literal: bool
    """Whether characters correspond one to one; otherwise the whole piece stands for origin..origin_end."""


@dataclass(frozen=True, slots=True)
class Source:
    """A search text ready to be parsed, with its way back to the typed text."""

    typed: str
    text: str
    pieces: tuple[_Piece, ...]
    leniencies: tuple[str, ...] = ()
    """What was mended though Splunk refuses it, as the answer's warnings tell it."""

    def original(self, span: Span) -> Span:
        """The range of the typed text that a range of `text` came from."""
        return Span(self._origin(span.start, False), self._origin(max(span.start, span.end - 1), True))

    def _origin(self, offset: int, as_end: bool) -> int:
        found = None
        for piece in self.pieces:
            if piece.start > offset:
                break
            found = piece
        if found is None:
            return offset
        if not found.literal:
            return found.origin_end if as_end else found.origin
        return min(found.origin + (offset - found.start) + (1 if as_end else 0), max(found.origin_end, found.origin))


class _Writer:
    def __init__(self) -> None:
        self.chunks: list[str] = []
        self.pieces: list[_Piece] = []
        self.length = 0

    def copy(self, text: str, origin: int, origin_end: int, literal: bool) -> None:
        if not text:
            return
        self.pieces.append(_Piece(self.length, origin, origin_end, literal))
        self.chunks.append(text)
        self.length += len(text)


def read_source(typed: str, macros: Macros | None = None) -> Source:
    """Clean pasted marks, blank comments out and expand macros. Raises SearchError for an unknown macro."""
    writer = _Writer()
    _clean(typed, writer)
    source = Source(typed, "".join(writer.chunks), tuple(writer.pieces))
    if "`" not in source.text or macros is None:
        return source
    return _expand(source, macros)


def _clean(typed: str, writer: _Writer) -> None:
    """Copy runs of unchanged characters; replace or drop the others. Text inside plain double quotes is kept as typed."""
    i, run_start, n = 0, 0, len(typed)
    quote = ""

    def flush(end: int) -> None:
        writer.copy(typed[run_start:end], run_start, end, True)

    while i < n:
        c = typed[i]
        if quote:
            if c == "\\" and i + 1 < n:
                i += 2
                continue
            if c == quote or quote == "\u201d" and c == '"':
                quote = ""
            if quote == "" and c == "\u201d":
                flush(i)
                writer.copy('"', i, i + 1, True)
                run_start = i + 1
            i += 1
            continue
        if c == "\\" and typed[i + 1 : i + 2] in ('"', "\\"):
            # A quote that is written so opens no string: field=*\"name\"*.
            i += 2
            continue
        if c == '"':
            quote = '"'
        elif c in _QUOTES:
            flush(i)
            writer.copy(_QUOTES[c], i, i + 1, True)
            run_start = i + 1
            if _QUOTES[c] == '"':
                quote = "\u201d"
        elif c in _ZERO_WIDTH:
            flush(i)
            run_start = i + 1
        elif c != "\n" and c != " " and c.isspace():
            flush(i)
            writer.copy(" ", i, i + 1, True)
            run_start = i + 1
        elif typed.startswith("```", i):
            end = typed.find("```", i + 3)
            if end < 0:
                raise SearchError("a comment is not closed: wanted three back-ticks at its end", Span(i, i + 3))
            flush(i)
            blank = "".join("\n" if x == "\n" else " " for x in typed[i : end + 3])
            writer.copy(blank, i, end + 3, True)
            i = run_start = end + 3
            continue
        i += 1
    flush(n)


def with_last_string_closed(source: Source) -> Source:
    """The source with the quote that its last string lacks, where that string is one word; else as it is.

    In `user="$user$` at the end of a search nothing else can be meant. A string that goes on over blanks, pipes or brackets
    may have lacked its quote anywhere, and stays open for the parser to refuse.
    """
    text, i = source.text, 0
    while i < len(text):
        if text[i] == "\\" and text[i + 1 : i + 2] in ('"', "\\"):
            i += 2
        elif text[i] == '"':
            end = _string_end(text, i)
            if end == len(text) and _ONE_OPEN_WORD.fullmatch(text, i):
                note = f"the string {text[i:].rstrip()} is not closed; it is read as if it ended with the search"
                closed = text.rstrip()
                return dataclasses.replace(source, text=f'{closed}"', leniencies=(*source.leniencies, note))
            i = end
        else:
            i += 1
    return source


def _expand(source: Source, macros: Macros) -> Source:
    writer = _Writer()
    text, i, run_start, n = source.text, 0, 0, len(source.text)

    def flush(end: int) -> None:
        if end > run_start:
            # A run can cross several cleaned pieces; each is copied with its own origin.
            position = run_start
            for k, piece in enumerate(source.pieces):
                piece_end = source.pieces[k + 1].start if k + 1 < len(source.pieces) else n
                if piece_end <= position or piece.start >= end:
                    continue
                upto = min(piece_end, end)
                origin = piece.origin + (position - piece.start)
                writer.copy(text[position:upto], origin, piece.origin_end, True)
                position = upto

    string_end = 0
    while i < n:
        c = text[i]
        if c == "\\" and i >= string_end and text[i + 1 : i + 2] in ('"', "\\"):
            i += 2
            continue
        if c == '"' and i >= string_end:
            string_end = _string_end(text, i)
        if c == "`" and (i >= string_end or _is_call(text, i, string_end, macros)):
            end = _macro_end(text, i) if i >= string_end else text.index("`", i + 1)
            if end < 0:
                raise SearchError("a macro is not closed: wanted a back-tick", source.original(Span(i, i + 1)))
            flush(i)
            span = source.original(Span(i, end + 1))
            try:
                expanded = _expand_text(text[i + 1 : end], macros, 1)
            except SearchError as error:
                raise error.at(span) from None
            if i < string_end:
                expanded = _inside_string(expanded, text[i - 1] == '"' and end + 2 == string_end)
            writer.copy(expanded, span.start, span.end, False)
            if writer.length > EXPANDED_TEXT_LIMIT:
                raise SearchError(f"macros expand to more than {EXPANDED_TEXT_LIMIT:,} characters", span)
            i = run_start = end + 1
            continue
        i += 1
    flush(n)
    return Source(source.typed, "".join(writer.chunks), tuple(writer.pieces))


def _is_call(text: str, start: int, end: int, macros: Macros) -> bool:
    """Whether the back-tick at `start`, inside a string, begins a call of a macro that there is; others are plain text."""
    closing = text.find("`", start + 1, end)
    match = _MACRO_NAME.match(text[start + 1 : closing]) if closing > 0 else None
    if match is None:
        return False
    arguments = split_arguments(match.group(2)[1:-1]) if match.group(2) else []
    return len(arguments) in macros.argument_counts(match.group(1))


def _inside_string(expanded: str, alone: bool) -> str:
    """What a macro stands for, fit to stand in a string: its quotes do not end the string.

    Where it is all that the string holds (`alone`) and a string itself, the string is just that.
    """
    given = expanded.strip()
    if alone and len(given) > 1 and given[0] == '"' and _string_end(given, 0) == len(given):
        return given[1:-1]
    return re.sub(r'\\(?=[\\"])|"', r"\\\g<0>", expanded)


def _string_end(text: str, start: int) -> int:
    """Offset after a double-quoted string, or the end of the text where it is not closed."""
    i = start + 1
    while i < len(text):
        if text[i] == "\\":
            i += 2
        elif text[i] == '"':
            return i + 1
        else:
            i += 1
    return len(text)


def _macro_end(text: str, start: int) -> int:
    i = start + 1
    while i < len(text):
        if text.startswith('\\"', i):
            i += 2
            continue
        if text[i] == '"':
            i = _string_end(text, i)
            continue
        if text[i] == "`":
            return i
        i += 1
    return -1


def _expand_text(call: str, macros: Macros, depth: int) -> str:
    if depth > MACRO_DEPTH_LIMIT:
        raise SearchError(f'macro "{call}" nests deeper than {MACRO_DEPTH_LIMIT}')
    match = _MACRO_NAME.match(call)
    if not match:
        raise SearchError(
            f"a macro call is a name with arguments in parentheses, got `{call}`", hint="back-ticks stand around macros only"
        )
    name, arguments_text = match.group(1), match.group(2)
    arguments = split_arguments(arguments_text[1:-1]) if arguments_text else []
    if name == "comment":
        return " "
    macro = macros.find(name, len(arguments))
    if macro is None:
        raise _unknown_macro(name, len(arguments), macros)
    values: dict[str, str] = {}
    for position, argument in enumerate(arguments):
        key, eq, value = argument.partition("=")
        if eq and key.strip() in macro.arguments:
            values[key.strip()] = _unquoted(value.strip())
        elif position < len(macro.arguments):
            values[macro.arguments[position]] = _unquoted(argument)
    if macro.validation.strip():
        _validate(name, macro, values, macros)
    body = _filled(macro.definition, values)
    if macro.iseval:
        computed = macros.evaluate(body, values)
        if computed is None or isinstance(computed, bool | list):
            raise SearchError(f'macro "{name}" wants an expression that gives text, got "{body}"')
        body = str(computed)
    out, i, string_end = [], 0, 0
    while i < len(body):
        if body[i] == "\\" and i >= string_end and body[i + 1 : i + 2] in ('"', "\\"):
            out.append(body[i : i + 2])
            i += 2
            continue
        if body[i] == '"' and i >= string_end:
            string_end = _string_end(body, i)
        if i >= string_end and body.startswith("```", i) and (end := body.find("```", i + 3)) > 0:
            out.append(" ")
            i = end + 3
        elif body[i] == "`" and (i >= string_end or _is_call(body, i, string_end, macros)):
            end = _macro_end(body, i) if i >= string_end else body.index("`", i + 1)
            if end < 0:
                raise SearchError(f'macro "{name}" has a back-tick that is not closed')
            expanded = _expand_text(body[i + 1 : end], macros, depth + 1)
            if i < string_end:
                expanded = _inside_string(expanded, body[i - 1] == '"' and end + 2 == string_end)
            out.append(expanded)
            i = end + 1
        else:
            out.append(body[i])
            i += 1
        if len(out) > EXPANDED_TEXT_LIMIT:
            raise SearchError(f"macros expand to more than {EXPANDED_TEXT_LIMIT:,} characters")
    return "".join(out)


def _filled(text: str, values: Mapping[str, str]) -> str:
    return re.sub(r"\$([\w-]+)\$", lambda m: values.get(m.group(1), m.group(0)), text)


def _validate(name: str, macro: MacroDefinition, values: Mapping[str, str], macros: Macros) -> None:
    """Refuse arguments for which the validation is a condition that does not hold, or a text: that is the message then."""
    verdict = macros.evaluate(_filled(macro.validation, values), values)
    if verdict is True or verdict is None:
        return
    if isinstance(verdict, str):
        raise SearchError(verdict)
    raise SearchError(
        _filled(macro.errormsg, values) or f'macro "{name}": these arguments are not valid: {macro.validation}'
    )


def _unknown_macro(name: str, count: int, macros: Macros) -> SearchError:
    counts = macros.argument_counts(name)
    if counts:
        listed = " or ".join(str(c) for c in counts)
        return SearchError(f'there is no macro "{name}" with {count} arguments: it takes {listed}')
    return SearchError(f'there is no macro "{name}" with {count} arguments', hint=nearest(name, macros.names()))


def split_arguments(text: str) -> Sequence[str]:
    """Arguments of a macro call, split at commas outside quotes and brackets. A quote that is escaped opens no string."""
    out, depth, start, i = [], 0, 0, 0
    while i < len(text):
        c = text[i]
        if text.startswith('\\"', i):
            i += 2
            continue
        if c == '"':
            i = _string_end(text, i)
            continue
        if c in "([{":
            depth += 1
        elif c in ")]}":
            depth -= 1
        elif c == "," and depth <= 0:
            out.append(text[start:i].strip())
            start = i + 1
        i += 1
    out.append(text[start:].strip())
    return [] if out == [""] else out


def _unquoted(text: str) -> str:
    if len(text) >= 2 and text[0] == text[-1] == '"':
        return text[1:-1].replace('\\"', '"')
    # Inside of a string in the argument, the escapes are the string's own.
    return text if re.search(r'(?<!\\)"', text) else text.replace('\\"', '"')
