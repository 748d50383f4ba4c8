"""The search script: a rulebook in plain text. Hides its syntax and how an answer is compared with what was written.

A script is read line by line. A comment (`#`) states a rule; below it stand one search and its one expected result.

    load NAME                an index of events; rows below, indented, first row newest unless there is a `_time` column
    load metrics NAME        an index of metric points: metric_name, _value, _time (optional), dimensions
    load lookup NAME         a lookup table
    load locations FILE      a database of IP locations in the data directory: network, city, city_de, region, country, code,
                             continent, timezone, metro, lat, lon
    load macros              macros: name, arguments (comma separated, or null), definition
    conf NAME                settings of props, transforms, eventtypes, tags, collections, macros or savedsearches: the text
                             of such a file below, indented
    conf datamodel           a data model: its JSON below, indented
    clear                    forgets everything that was loaded or stored
    search TEXT              a search; lines right below it that begin with `|` belong to it
    expect shown             the rows below are as people see them: formats applied
    expect ordered           the rows below come in this order (otherwise they are a bag)
    expect nothing           no rows
    expect warning TEXT      a warning that contains TEXT; every warning must be expected
    expect error TEXT        a refusal that contains TEXT; `expect error at 2:7: TEXT` also says where (line:column)

Cells stand two or more spaces apart. `null` is a missing value, `[a, b]` several values, `~1.5` a number equal to the
digits written. Quotes make any text a plain string, with `\\n`, `\\t`, `\\"` and `\\\\` inside. In `load` what looks like
a number is one, `true` and `false` are booleans, and quoted digits are a string. Columns are compared in order; a column
whose name begins with `_` is compared only where the expectation names it.

`parse` raises ScriptError with file and line for anything else: a search without an expectation is an error.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from sightline.search.context import SPLUNK_REFUSES

NUMBER = re.compile(r"-?(\d+(\.\d*)?|\.\d+)([eE][-+]?\d+)?\Z")
KINDS = ("metrics", "lookup", "locations", "macros")
CONF_KINDS = ("props", "transforms", "eventtypes", "tags", "collections", "macros", "savedsearches", "datamodel")


class ScriptError(Exception):
    """The script itself is wrong."""


@dataclass(frozen=True, slots=True)
class Cell:
    """One written value. `kind` is text, number, near, null or multi; `digits` counts the decimals of a near number."""

    kind: str
    text: str = ""
    quoted: bool = False
    items: tuple[Cell, ...] = ()

    def python(self) -> Any:
        """The value to load: None, int, float, bool, str or a list of those."""
        if self.kind == "null":
            return None
        if self.kind == "multi":
            values = [item.python() for item in self.items]
            return values if len({type(v) for v in values}) <= 1 else [item.text for item in self.items]
        if self.kind == "number":
            return int(self.text) if re.fullmatch(r"-?\d+", self.text) else float(self.text)
        if self.text in ("true", "false") and not self.quoted:
            return self.text == "true"
        return self.text

    def matches(self, value: Any) -> bool:
        """Whether a value of an answer is the one written."""
        if isinstance(value, list):
            if len(value) == 1:
                value = value[0]
            elif not value:
                value = None
        if self.kind == "null" or value is None:
            return self.kind == "null" and value is None
        if self.kind == "multi" or isinstance(value, list):
            if self.kind != "multi" or not isinstance(value, list) or len(value) != len(self.items):
                return False
            return all(cell.matches(item) for cell, item in zip(self.items, value, strict=True))
        if self.kind == "near":
            number = _number(value)
            decimals = len(self.text.partition(".")[2])
            return number is not None and abs(number - float(self.text)) <= 0.5 * 10**-decimals + 1e-9
        if self.kind == "number" and not isinstance(value, str | bool):
            return math.isclose(float(value), float(self.text), rel_tol=1e-9, abs_tol=1e-12)
        return render_value(value) == self.text


@dataclass(frozen=True, slots=True)
class Rows:
    """A written table."""

    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]


@dataclass(frozen=True, slots=True)
class Load:
    """Rows to put somewhere. `kind` is events, metrics, lookup, locations or macros."""

    line: int
    kind: str
    name: str
    table: Rows


@dataclass(frozen=True, slots=True)
class Conf:
    """Text of a configuration file of one kind."""

    line: int
    kind: str
    text: str


@dataclass(frozen=True, slots=True)
class Clear:
    """Forget everything."""

    line: int


@dataclass(slots=True)
class Expectation:
    """What a search must answer."""

    ordered: bool = False
    shown: bool = False
    nothing: bool = False
    warnings: list[str] = field(default_factory=list)
    error: str | None = None
    position: tuple[int, int] | None = None
    table: Rows | None = None


@dataclass(frozen=True, slots=True)
class Search:
    """One search and its expectation. `first` and `last` are the 0-based lines of the expectation, last excluded."""

    line: int
    text: str
    expectation: Expectation
    first: int
    last: int
    rule: str


@dataclass(slots=True)
class Answer:
    """What a search gave: columns and rows, or a refusal at (line, column), or a bug, which is never what was expected."""

    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    shown_rows: Sequence[Sequence[Any]] = ()
    """The same rows with the texts that people see."""
    warnings: Sequence[str] = ()
    error: str | None = None
    error_position: tuple[int, int] | None = None
    bug: str | None = None


Step = Load | Conf | Clear | Search


def parse(text: str, name: str = "script") -> list[Step]:
    """The steps of a script in order. Raises ScriptError naming file and line."""
    return _Parser(text, name).steps()


def compare(expectation: Expectation, answer: Answer, as_written: bool = True) -> str:
    """An empty string when the answer is the expected one, else what differs, as a table where rows differ.

    Of a search that was printed and read again, positions are others, and what is written in a way that Splunk refuses may
    be printed in one that it takes.
    """
    if answer.bug is not None:
        return f"a bug: {answer.bug}"
    if answer.error is not None:
        if expectation.error is None:
            return f"unexpected error: {answer.error}"
        if expectation.error not in answer.error:
            return f"wanted an error with: {expectation.error}\n   got the error: {answer.error}"
        if as_written and expectation.position and expectation.position != answer.error_position:
            return f"wanted the error at {expectation.position}, got it at {answer.error_position}: {answer.error}"
        return ""
    if expectation.error is not None:
        return f"wanted an error with: {expectation.error}\ngot {len(answer.rows)} rows:\n{_plain(answer)}"
    for wanted in expectation.warnings:
        if wanted.startswith(SPLUNK_REFUSES) and not as_written:
            continue
        if not any(wanted in warning for warning in answer.warnings):
            return f"wanted a warning with: {wanted}\ngot the warnings: {list(answer.warnings)}"
    for warning in answer.warnings:
        if not any(wanted in warning for wanted in expectation.warnings):
            return f"unexpected warning: {warning}"
    if expectation.nothing:
        return f"wanted no rows, got {len(answer.rows)}:\n{_plain(answer)}" if answer.rows else ""
    if expectation.table is None:
        return ""
    return _compare_rows(expectation.table, answer, expectation.ordered, expectation.shown)


def rewrite(text: str, changes: Iterable[tuple[Search, Answer]]) -> str:
    """The script with each given search's expectation replaced by its answer. Cells that still match stay as written."""
    lines = text.split("\n")
    for search, answer in sorted(changes, key=lambda change: -change[0].first):
        lines[search.first : search.last] = _expectation_lines(search.expectation, answer)
    return "\n".join(lines)


def render_value(value: Any) -> str:
    """A value as a script would show it, without quotes."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)
    return str(value)


def write_value(value: Any) -> str:
    """A value as a script must write it to mean the same again."""
    if isinstance(value, list):
        return value and "[" + ", ".join(write_value(v) for v in value) + "]" or "null"
    text = render_value(value)
    if value is None or not isinstance(value, str):
        return text
    awkward = text == "null" or text != text.strip() or re.search(r'^["\[~#]|^$|  |[\n\t]|, |\]$', text)
    if awkward:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n").replace("\t", "\\t") + '"'
    return text


class _Parser:
    def __init__(self, text: str, name: str) -> None:
        self.lines = text.split("\n")
        self.name = name
        self.at = 0
        self.rule: list[str] = []

    def fail(self, message: str) -> ScriptError:
        return ScriptError(f"{self.name}:{self.at + 1}: {message}")

    def steps(self) -> list[Step]:
        found: list[Step] = []
        while self.at < len(self.lines):
            line = self.lines[self.at]
            if not line.strip():
                self.rule = []
                self.at += 1
            elif line.startswith("#"):
                self.rule.append(line.lstrip("# "))
                self.at += 1
            elif line == "clear":
                found.append(Clear(self.at + 1))
                self.at += 1
            elif line.startswith("load "):
                found.append(self.load(line))
            elif line.startswith("conf "):
                found.append(self.conf(line))
            elif line.startswith("search "):
                found.append(self.search(line))
            else:
                raise self.fail(f'wanted a comment, load, conf, search or clear, got "{line}"')
        return found

    def load(self, line: str) -> Load:
        words = line.split()[1:]
        number = self.at + 1
        kind = words[0] if words and words[0] in KINDS else "events"
        names = words if kind == "events" else words[1:]
        if len(names) != (0 if kind == "macros" else 1):
            raise self.fail(f'wanted "load NAME", "load metrics NAME", "load lookup NAME" or "load macros", got "{line}"')
        self.at += 1
        table = self.table()
        if table is None:
            raise self.fail("wanted rows below load")
        return Load(number, kind, names[0] if names else "", table)

    def conf(self, line: str) -> Conf:
        number = self.at + 1
        kind = line.removeprefix("conf ").strip()
        if kind not in CONF_KINDS:
            raise self.fail(f'wanted conf and one of {", ".join(CONF_KINDS)}, got "{line}"')
        self.at += 1
        lines = []
        while self.at < len(self.lines):
            following = self.lines[self.at : self.at + 2]
            if not (following[0].startswith("  ") or not following[0].strip() and following[-1].startswith("  ")):
                break
            lines.append(following[0].removeprefix("  "))
            self.at += 1
        if not lines:
            raise self.fail("wanted indented settings below conf")
        return Conf(number, kind, "\n".join(lines))

    def search(self, line: str) -> Search:
        number = self.at + 1
        parts = [line.removeprefix("search ")]
        self.at += 1
        while self.at < len(self.lines) and self.lines[self.at].startswith("|"):
            parts.append(self.lines[self.at])
            self.at += 1
        first = self.at
        expectation = Expectation()
        said = False
        while self.at < len(self.lines) and self.lines[self.at].startswith("expect "):
            self.expect(self.lines[self.at].removeprefix("expect "), expectation)
            said = True
            self.at += 1
        expectation.table = self.table()
        if expectation.table is not None and (expectation.nothing or expectation.error is not None):
            raise self.fail("rows below a search that is expected to give none")
        for verb, wanted in (("ordered", expectation.ordered), ("shown", expectation.shown)):
            if wanted and expectation.table is None:
                raise self.fail(f"expect {verb} needs rows")
        if expectation.table is None and not said:
            raise ScriptError(f"{self.name}:{number}: a search without an expectation")
        return Search(number, "\n".join(parts), expectation, first, self.at, " ".join(self.rule))

    def expect(self, words: str, expectation: Expectation) -> None:
        verb, _, rest = words.partition(" ")
        if verb == "ordered" and not rest:
            expectation.ordered = True
        elif verb == "shown" and not rest:
            expectation.shown = True
        elif verb == "nothing" and not rest:
            expectation.nothing = True
        elif verb == "warning" and rest:
            expectation.warnings.append(rest)
        elif verb == "error" and rest:
            place = re.match(r"at (\d+):(\d+):\s*", rest)
            if place:
                expectation.position = (int(place[1]), int(place[2]))
                rest = rest[place.end() :]
            expectation.error = rest
        else:
            raise self.fail(f'wanted expect ordered, shown, nothing, warning TEXT or error TEXT, got "expect {words}"')

    def table(self) -> Rows | None:
        rows: list[tuple[Cell, ...]] = []
        header: tuple[str, ...] | None = None
        while self.at < len(self.lines) and self.lines[self.at].startswith("  "):
            cells = self.cells(self.lines[self.at].strip(" "))
            if header is None:
                header = tuple(cell.text for cell in cells)
                if len(set(header)) != len(header):
                    raise self.fail("a column is written twice")
            elif len(cells) != len(header):
                raise self.fail(f"wanted {len(header)} cells, got {len(cells)}")
            else:
                rows.append(tuple(cells))
            self.at += 1
        if header is None:
            return None
        if not rows:
            raise self.fail("a header without rows; no rows is written: expect nothing")
        return Rows(header, tuple(rows))

    def cells(self, line: str) -> list[Cell]:
        found: list[Cell] = []
        at = 0
        while at < len(line):
            cell, at = self.cell(line, at, stop=r" {2,}|$")
            found.append(cell)
            gap = re.match(r" {2,}|$", line[at:])
            if gap is None:
                raise self.fail(f'wanted two spaces or more after a cell, got "{line[at:]}"')
            at += gap.end()
        return found

    def cell(self, line: str, at: int, stop: str) -> tuple[Cell, int]:
        if line[at] == '"':
            found = re.compile(r'"((?:[^"\\]|\\.)*)"').match(line, at)
            if found is None:
                raise self.fail("a quote that is not closed")
            escapes = {"n": "\n", "t": "\t"}
            text = re.sub(r"\\(.)", lambda m: escapes.get(m[1], m[1]), found[1])
            return Cell("text", text, quoted=True), found.end()
        if line[at] == "[":
            items: list[Cell] = []
            at += 1
            while at < len(line) and line[at] != "]":
                item, at = self.cell(line, at, stop=r", |\]|$")
                items.append(item)
                at += 2 if line.startswith(", ", at) else 0
            if at >= len(line):
                raise self.fail("a bracket that is not closed; text that begins with a bracket needs quotes")
            return Cell("multi", items=tuple(items)), at + 1
        end = re.compile(stop).search(line, at)
        assert end is not None
        text = line[at : end.start()]
        if text == "null":
            return Cell("null"), end.start()
        if text.startswith("~"):
            if not NUMBER.match(text[1:]):
                raise self.fail(f'wanted digits after ~, got "{text}"')
            return Cell("near", text[1:]), end.start()
        return Cell("number" if NUMBER.match(text) else "text", text), end.start()


def _number(value: Any) -> float | None:
    try:
        return float(value)
    except (TypeError, ValueError):
        return None


def _visible(table: Rows | None, answer: Answer) -> list[int]:
    named = set(table.columns) if table else set()
    return [i for i, column in enumerate(answer.columns) if not column.startswith("_") or column in named]


def _compare_rows(table: Rows, answer: Answer, ordered: bool, shown: bool) -> str:
    keep = _visible(table, answer)
    columns = [answer.columns[i] for i in keep]
    rows = [[row[i] for i in keep] for row in (answer.shown_rows if shown else answer.rows)]
    if columns != list(table.columns):
        return f"wanted the columns {list(table.columns)}\n   got the columns {columns}\n{_grid(columns, rows)}"
    left = list(range(len(rows)))
    missing: list[int] = []
    for number, wanted in enumerate(table.rows):
        candidates = left[:1] if ordered else left
        hit = next((i for i in candidates if all(c.matches(v) for c, v in zip(wanted, rows[i], strict=True))), None)
        if hit is not None:
            left.remove(hit)
        else:
            missing.append(number)
            if ordered and left:
                left.pop(0)
    if not missing and not left:
        return ""
    if ordered:
        left = [i for i in range(len(rows)) if i in left or i in missing]
    written = [["-", *(_written(cell) for cell in table.rows[i])] for i in missing]
    given = [["+", *(write_value(value) for value in rows[i])] for i in left]
    how = "in order" if ordered else "in any order"
    return f"rows differ ({how}; - wanted, + given):\n" + _align([["", *columns], *written, *given])


def _written(cell: Cell) -> str:
    if cell.kind == "multi":
        return "[" + ", ".join(_written(item) for item in cell.items) + "]"
    if cell.kind == "null":
        return "null"
    if cell.kind == "near":
        return "~" + cell.text
    return write_value(cell.text) if not (cell.quoted and NUMBER.match(cell.text)) else f'"{cell.text}"'


def _plain(answer: Answer) -> str:
    keep = _visible(None, answer)
    return _grid([answer.columns[i] for i in keep], [[row[i] for i in keep] for row in answer.rows[:20]])


def _grid(columns: Sequence[str], rows: Sequence[Sequence[Any]]) -> str:
    return _align([list(columns), *([write_value(value) for value in row] for row in rows)])


def _align(rows: list[list[str]]) -> str:
    widths = [max((len(row[i]) for row in rows), default=0) for i in range(max(map(len, rows), default=0))]
    return "\n".join(
        "  " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows
    )


def _expectation_lines(expectation: Expectation, answer: Answer) -> list[str]:
    if answer.error is not None:
        place = "at {}:{}: ".format(*answer.error_position) if answer.error_position else ""
        return [f"expect error {place}{answer.error}".replace("\n", " ")]
    lines = [f"expect warning {warning}" for warning in answer.warnings]
    if not answer.rows:
        return [*lines, "expect nothing"]
    if expectation.ordered:
        lines.append("expect ordered")
    if expectation.shown:
        lines.append("expect shown")
    keep = _visible(expectation.table, answer)
    header = [write_value(answer.columns[i]) for i in keep]
    known = {cell for row in (expectation.table.rows if expectation.table else ()) for cell in row if cell.kind == "near"}
    body = []
    for row in answer.shown_rows if expectation.shown else answer.rows:
        cells = []
        for i in keep:
            near = next((cell for cell in known if cell.matches(row[i])), None)
            cells.append(_written(near) if near else write_value(row[i]))
        body.append(cells)
    return lines + _align([header, *body]).split("\n")
