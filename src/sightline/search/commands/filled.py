"""Commands with a subsearch among their arguments that stands for text: `timechart [... | return $span] count`.

Splunk runs every subsearch first and puts what it gives in its place, whatever the command. Most commands here that take
one read it themselves; for all others this is done, and they are read then.
"""

from __future__ import annotations

from dataclasses import dataclass, field

import pyarrow as pa

from sightline.errors import SearchError, Span
from sightline.search.commands.format import Format
from sightline.search.context import Context
from sightline.search.planner.lower import returned_text
from sightline.search.planner.relation import Relation
from sightline.search.registry import Command, CommandEntry, read_command
from sightline.search.syntax.printer import print_pipeline
from sightline.search.syntax.tree import Stage


@dataclass
class Filled(Command):
    """A command whose arguments can be read once its subsearches have given their part of them."""

    stage: Stage = field(default=Stage("", Span(0, 0), Span(0, 0)), compare=False)
    written: str = ""
    """The whole command in its canonical spelling, by which two are equal."""

    @classmethod
    def of(cls, entry: CommandEntry, stage: Stage) -> Filled:
        """The command that a stage names."""
        command = entry.command
        made = cls(stage)
        made.command_name, made.kind = command.command_name, command.kind  # type: ignore[misc]
        made.generating, made.begins, made.anywhere = command.generating, command.begins, command.anywhere  # type: ignore[misc]
        brackets = {start: f"[{print_pipeline(pipeline)}]" for start, (pipeline, _) in stage.subsearches.items()}
        made.written = _put_in(stage, brackets)
        return made

    def __str__(self) -> str:
        return self.written

    def lower(self, relation: Relation, context: Context) -> Relation:
        texts = {start: _text_of(pipeline_rows, context) for start, pipeline_rows in self._rows(context)}
        text = _put_in(self.stage, texts)
        name_end = len(self.stage.name)
        stage = Stage(self.stage.name, Span(0, name_end), Span(name_end, len(text)), {}, text)
        try:
            command = read_command(stage)
        except SearchError as error:
            if context.dry:
                # What the subsearch gives is not known before rows are read, and the command makes no sense without it.
                return relation
            error.span = self.stage.name_span
            raise error.with_message(f"{error.message}, as its subsearch made it: {text}") from None
        return command.lower(relation, context)

    def _rows(self, context: Context) -> list[tuple[int, pa.Table]]:
        return [(start, context.subsearch_rows(pipeline)) for start, (pipeline, _) in self.stage.subsearches.items()]


def _text_of(table: pa.Table, context: Context) -> str:
    """What a subsearch puts in its place: what `return` or `format` made, else its rows as conditions."""
    if context.dry:
        return ""
    returned = returned_text(table)
    return Format().condition(table.to_pylist()) if returned is None else returned


def _put_in(stage: Stage, texts: dict[int, str]) -> str:
    """The command as text, with other text in the place of its brackets."""
    pieces, at = [], stage.arguments.start
    for start, (_, end) in sorted(stage.subsearches.items()):
        pieces += [stage.text[at:start], texts[start]]
        at = end
    pieces.append(stage.text[at : stage.arguments.end])
    return f"{stage.name} {''.join(pieces).strip()}"
