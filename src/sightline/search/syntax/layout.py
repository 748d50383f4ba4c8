"""Lays a search text out for reading: a stage a line, brackets indented, one space where there were several.

Works on the text as typed: comments, macros, quotes and the writer's own spelling stay; only white space outside of them
changes, so the meaning cannot. (The printer, in contrast, writes what was understood.)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sightline.errors import LanguageError, SearchError, Span
from sightline.search.syntax.parser import SUBSEARCH_DEPTH_LIMIT, stage_end
from sightline.search.syntax.tokens import closing_quote, read_string, template_end

INDENT = 4
"""Columns by which a subsearch stands to the right of the command it belongs to."""
SHORT_COLUMNS = 60
"""A subsearch of one stage that is not longer stays in its command's line."""
LONG_COLUMNS = 100
"""An `eval` whose line would be longer is broken after the commas between its assignments."""


@dataclass(frozen=True, slots=True)
class _Piece:
    """`kind` is text, comment, space, pipe, open or close; `text` as typed."""

    kind: str
    text: str


def lay_out(text: str) -> str:
    """The same search, laid out. Raises SearchError for a quote, comment, macro or bracket that is not closed."""
    pieces = list(_pieces(text))
    lines, position = _pipeline(pieces, 0, 0, 0)
    assert position == len(pieces)
    return "\n".join(line.rstrip() for line in lines).strip("\n")


def _pieces(text: str) -> Iterator[_Piece]:
    i, start, opened = 0, 0, []
    while i < len(text):
        c, begin = text[i], i
        kind = ""
        if text.startswith("```", i):
            end = text.find("```", i + 3)
            if end < 0:
                raise SearchError("a comment is not closed: wanted three back-ticks at its end", Span(i, i + 3))
            kind, i = "comment", end + 3
        elif c == '"':
            i = read_string(text, i)[1]
        elif c == "`":
            end = text.find("`", i + 1)
            if end < 0:
                raise SearchError("a macro is not closed: wanted a back-tick", Span(i, i + 1))
            i = end + 1
        elif c == "'" and (i == 0 or not (text[i - 1].isalnum() or text[i - 1] == "\\")):
            end = closing_quote(text, i, stage_end(text, i))
            i = end + 1 if end > 0 else i + 1
        elif c == "\\" and i + 1 < len(text):
            i += 2
        elif c == "$":
            i = max(template_end(text, i), i + 1)
        elif c.isspace():
            while i < len(text) and text[i].isspace():
                i += 1
            kind = "space"
        else:
            i += 1
            kind = {"|": "pipe", "[": "open", "]": "close"}.get(c, "")
        if kind == "open":
            opened.append(begin)
            if len(opened) > SUBSEARCH_DEPTH_LIMIT:
                raise SearchError(f"subsearches nest deeper than {SUBSEARCH_DEPTH_LIMIT}", Span(begin, begin + 1))
        elif kind == "close":
            if not opened:
                raise LanguageError('"]" closes no bracket', Span(begin, begin + 1))
            opened.pop()
        if kind:
            if begin > start:
                yield _Piece("text", text[start:begin])
            yield _Piece(kind, text[begin:i])
            start = i
    if opened:
        raise LanguageError('a bracket is not closed: wanted "]"', Span(opened[-1], opened[-1] + 1))
    if len(text) > start:
        yield _Piece("text", text[start:])


def _pipeline(pieces: list[_Piece], position: int, indent: int, depth: int) -> tuple[list[str], int]:
    """The lines of the pipeline that begins at `position`, up to its closing bracket, and the position of that."""
    lines = [""]
    pad = " " * indent
    empty = True

    def append(text: str, glue: bool) -> None:
        line = lines[-1]
        gap = " " if glue and line.strip() and not line.endswith((" ", "[")) else ""
        lines[-1] = line + gap + text

    spaced = False
    while position < len(pieces):
        piece = pieces[position]
        if piece.kind == "close" and depth:
            break
        if piece.kind == "space":
            after_comment = position > 0 and pieces[position - 1].kind == "comment"
            if after_comment and "\n" in piece.text and _comment_alone(lines[-1]):
                # A comment that had a line of its own keeps it.
                lines.append(pad)
            spaced = True
        elif piece.kind == "pipe":
            if not empty:
                lines[-1] = _broken(lines[-1], pad)
                lines.append(pad)
            lines[-1] = (lines[-1] if lines[-1].strip() or empty and not lines[-1].endswith(" ") else pad) + "|"
            empty, spaced = False, True
        elif piece.kind == "open":
            inner, end = _pipeline(pieces, position + 1, indent + INDENT, depth + 1)
            short = len(inner) == 1 and len(inner[0].strip()) <= SHORT_COLUMNS and "|" not in inner[0].strip()[1:]
            glued = not spaced and lines[-1].strip() != ""
            if short or glued and lines[-1][-1:] in "=(":
                body = inner[0].strip() if short else " ".join(line.strip() for line in inner)
                append(f"[{body}]", spaced)
            else:
                lines.append(" " * (indent + INDENT) + "[ " + inner[0].strip())
                lines.extend(inner[1:])
                lines[-1] = lines[-1].rstrip() + " ]"
            position, empty, spaced = end, False, True
        else:
            append(piece.text, spaced)
            empty, spaced = False, False
        position += 1
    lines[-1] = _broken(lines[-1], pad)
    lines = [part for line in lines for part in line.split("\n") if part.strip()]
    if lines and not lines[0].startswith(pad):
        lines[0] = pad + lines[0].lstrip()
    return lines or [""], position


def _comment_alone(line: str) -> bool:
    stripped = line.strip()
    return stripped.startswith("```") and stripped.endswith("```") and len(stripped) >= 6


def _broken(line: str, pad: str) -> str:
    """A long `eval` with a line for each assignment; any other line as it is."""
    if len(line) <= LONG_COLUMNS or not line.strip().lower().startswith(("| eval ", "|eval ", "eval ")):
        return line
    parts, depth, start = [], 0, 0
    i = 0
    while i < len(line):
        c = line[i]
        if line.startswith("```", i):
            i = line.find("```", i + 3) + 3
            continue
        if c == '"':
            i = read_string(line, i)[1]
            continue
        if c == "`":
            i = line.find("`", i + 1) + 1
            continue
        if c == "'" and (closing := closing_quote(line, i, stage_end(line, i))) > 0:
            i = closing + 1
            continue
        depth += (c in "([{") - (c in ")]}")
        if c == "," and depth == 0:
            parts.append(line[start : i + 1].strip())
            start = i + 1
        i += 1
    parts.append(line[start:].strip())
    return ("\n" + pad + " " * INDENT).join([pad + parts[0], *parts[1:]])
