"""`multikv`: the rows of tables that stand as text in events."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.pivot import one_array
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options
from sightline.search.syntax.expressions import quote_string

_WIDE_GAP = re.compile(r"\t+| {2,}\s*")
_GAP = re.compile(r"\s+")


@command("multikv", kind="dataset")
@dataclass
class MultiKv(Command):
    """Makes a row of each row of the tables in events, such as the output of ps or netstat.

    Syntax: multikv [copyattrs=<bool>] [forceheader=<n>] [multitable=<bool>] [noheader=<bool>] [rmorig=<bool>]
        [fields <name>...] [filter <text>...]
    Example: | makeresults | eval _raw=mvjoin(split("PID CMD;1 init;22 sshd", ";"), urldecode("%0A")) | multikv

    A table begins with a line of at least two names and ends at an empty line; `forceheader` says which line of the event
    the names stand in. Names and cells are parted by tabs or several spaces where all lines agree in their number, else by
    any space, the last cell taking the rest of the line; a line with fewer cells puts each below the name it stands under.
    Signs in names become `_`. `noheader=true` names the columns `Column_1` and so on, by the first line. `fields` keeps only
    those columns, `filter` only the lines that hold one of the texts. A row has the line as `_raw`, and the other fields of
    its event unless `copyattrs=false`. An event without a table stays out, as the events themselves do unless
    `rmorig=false`. Names are those of the text, so the rows are held in memory.
    """

    copyattrs: bool = option(True, help="give rows the other fields of their event")
    forceheader: int = option(0, minimum=0, help="line of the event that holds the names; 0 is to look for it")
    multitable: bool = option(True, help="look for more tables behind an empty line")
    noheader: bool = option(False, help="there is no line of names")
    rmorig: bool = option(True, help="drop the events themselves")
    names: list[str] = field(default_factory=list)
    texts: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> MultiKv:
        found: dict[str, object] = {}
        names: list[str] = []
        texts: list[str] = []
        while not arguments.done:
            found.update(arguments.options(cls))
            if arguments.done:
                break
            if arguments.accept_word("fields"):
                names = arguments.names(stop_words=("filter", "fields"))
            elif arguments.accept_word("filter"):
                texts = arguments.names("a text", stop_words=("fields", "filter"))
            elif arguments.peek().is_word("conf") and arguments.peek(1).is_("="):
                raise SearchError("conf names settings that are not kept here", arguments.peek().span,
                                  hint="the options forceheader, noheader, fields and filter say the same")  # fmt: skip
            else:
                error = arguments.unknown_option(cls)
                if error:
                    raise error
                arguments.finish()
        return cls(names=names, texts=texts, **found)  # type: ignore[arg-type]

    def print_arguments(self) -> list[str]:
        names = ["fields", ", ".join(print_name(name) for name in self.names)] if self.names else []
        texts = ["filter", ", ".join(quote_string(text) for text in self.texts)] if self.texts else []
        return [*print_options(self), *names, *texts]

    def lower(self, relation: Relation, context: Context) -> Relation:
        raw = relation.field("_raw")
        if raw.type is Type.NULL:
            return relation.filtered(v.FALSE) if self.rmorig else relation
        if raw.type is not Type.TEXT:
            relation = relation.with_field("_raw", v.as_text(raw))
        table = context.table_of(relation)
        if context.dry:
            return relation
        return context.relation_of(context.python_step("multikv", lambda: self._rows(table)), kind=relation.kind)

    def _rows(self, table: pa.Table) -> pa.Table:
        """The rows of all events' tables; the same text is read once."""
        encoded = pc.dictionary_encode(one_array(table["_raw"]))
        codes = np.asarray(encoded.indices.fill_null(-1), dtype=np.int64)
        read: list[dict[str, str]] = []
        starts = [0]
        for text in encoded.dictionary.to_pylist():
            read.extend(self._of_text(text))
            starts.append(len(read))
        bounds = np.array(starts)
        counts = np.where(codes >= 0, (bounds[1:] - bounds[:-1])[codes] if len(bounds) > 1 else 0, 0)
        per_event = counts if self.rmorig else counts + 1
        events = np.repeat(np.arange(len(codes)), per_event)
        within = np.arange(len(events)) - np.repeat(np.cumsum(per_event) - per_event, per_event)
        is_row = within < counts[events]
        at = pa.array(bounds[codes[events]] + within if len(events) else events, mask=~is_row)
        names = list(dict.fromkeys(name for row in read for name in row))
        found = {name: pa.array([row.get(name) for row in read], pa.string()).take(at) for name in names}
        out: dict[str, pa.Array] = {}
        originals = table.take(pa.array(events))
        mask = pa.array(is_row)
        for name in originals.column_names:
            column = one_array(originals[name])
            out[name] = column if self.copyattrs else pc.if_else(mask, pa.scalar(None, column.type), column)
        for name, column in found.items():
            before = out.get(name)
            if (
                before is not None
                and not pa.types.is_list(before.type)
                and (name == "_raw" or before.null_count < len(before))
            ):
                column = pc.if_else(mask, column, before.cast(pa.string()))
            out[name] = column
        return pa.table(out)

    def _of_text(self, text: str) -> Iterator[dict[str, str]]:
        for names, lines in tables_of(text, self.forceheader, self.noheader, self.multitable and not self.noheader):
            for line in lines:
                if self.texts and not any(wanted in line for wanted in self.texts):
                    continue
                cells = dict(zip(names.names, names.cells(line), strict=True))
                if self.names:
                    cells = {name: cell for name, cell in cells.items() if name in self.names}
                yield {"_raw": line, **{name: cell for name, cell in cells.items() if cell}}


@dataclass(frozen=True)
class Header:
    """Names of columns, where they stand, and how lines are cut."""

    names: tuple[str, ...]
    spans: tuple[tuple[int, int], ...]
    gap: re.Pattern[str]

    def cells(self, line: str) -> list[str]:
        """The cells of a line, "" for an empty one; as many as there are names."""
        count = len(self.names)
        cells = self.gap.split(line.strip(), maxsplit=count - 1)
        if len(cells) == count:
            return [cell.strip() for cell in cells]
        placed = [""] * count
        for match in re.finditer(r"\S+", line):
            column = max(
                range(count), key=lambda n: (_overlap(self.spans[n], match.span()), -abs(self.spans[n][0] - match.start()))
            )
            placed[column] = f"{placed[column]} {match.group()}".strip()
        return placed


def _overlap(a: tuple[int, int], b: tuple[int, int]) -> int:
    return min(a[1], b[1]) - max(a[0], b[0]) if min(a[1], b[1]) > max(a[0], b[0]) else 0


def tables_of(text: str, forced: int, no_header: bool, several: bool) -> Iterator[tuple[Header, list[str]]]:
    """The tables in a text, each as its header and the lines below it."""
    lines = text.split("\n")[forced - 1 :] if forced else text.split("\n")
    block: list[str] = []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line.rstrip("\r"))
            continue
        found = _table(block, bool(forced), no_header)
        block = []
        if found is not None:
            yield found
            if not several:
                return


def _table(block: list[str], forced: bool, no_header: bool) -> tuple[Header, list[str]] | None:
    if not block:
        return None
    if no_header:
        gap = _gap_of(block)
        names = tuple(f"Column_{n}" for n in range(1, len(gap.split(block[0].strip())) + 1))
        return Header(names, _spans(block[0], gap), gap), block
    for place, line in enumerate(block[:-1]):
        rows = block[place + 1 :]
        gap = _gap_of([line, *rows])
        names = tuple(re.sub(r"\W", "_", name.strip()) for name in gap.split(line.strip()))
        if len(names) >= 2 and (forced or len(_GAP.split(rows[0].strip())) >= 2) and len(set(names)) == len(names):
            return Header(names, _spans(line, gap), gap), rows
    return None


def _gap_of(lines: list[str]) -> re.Pattern[str]:
    """Tabs and several spaces where that cuts all lines into as many cells, two at least; else any space."""
    counts = {len(_WIDE_GAP.split(line.strip())) for line in lines}
    return _WIDE_GAP if len(counts) == 1 and counts.pop() >= 2 else _GAP


def _spans(line: str, gap: re.Pattern[str]) -> tuple[tuple[int, int], ...]:
    spans, at = [], len(line) - len(line.lstrip())
    for cell in gap.split(line.strip()):
        start = line.index(cell, at)
        at = start + len(cell)
        spans.append((start, at))
    return tuple(spans)
