"""Searches from the command line: on a server or in a data directory, once or one after the other, and how rows print."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.console import Console
from rich.markup import escape

from sightline.cli.asking import FAILED, asks_server, client_of, directory_of, told
from sightline.errors import SearchError

if TYPE_CHECKING:
    import pyarrow as pa

    from sightline.client import Client


@contextlib.contextmanager
def place_to_search(
    context: typer.Context, data: Path | None, url: str, token: str, form: str = "table"
) -> Iterator[OnServer | OnDirectory]:
    """What runs searches: a server that is asked, or the data directory opened here."""
    if asks_server(context):
        with client_of(url, token) as client:
            yield OnServer(client, form)
        return
    from sightline.app import open_offline

    with open_offline(directory_of(data)) as parts:
        yield OnDirectory(parts, form)


class OnServer:
    """Runs searches on a server and prints their rows."""

    def __init__(self, client: Client, form: str) -> None:
        self._client = client
        self._form = form

    def run(self, text: str, earliest: str, latest: str) -> None:
        """Run a search and print its rows."""
        jobs = []
        with told.status("searching") as status:

            def show(job: Any) -> None:
                jobs[:] = [job]
                status.update(f"searching, {job.progress:.0%}")

            table = self._client.search(
                text, earliest=earliest, latest=latest, on_progress=show, display=self._form == "table"
            )
        _tell_messages(jobs[0].messages)
        _print_rows(table, self._form)

    def explain(self, text: str, earliest: str, latest: str) -> None:
        """Print the stages of a search."""
        _print_stages(self._client.explain(text, earliest=earliest, latest=latest))

    def suggest(self, text: str) -> tuple[int, list[dict[str, str]]]:
        """What may stand at the end of a text."""
        return self._client.suggest(text)


class OnDirectory:
    """Runs searches in this process and prints their rows."""

    def __init__(self, parts: Any, form: str) -> None:
        self._parts = parts
        self._form = form

    def run(self, text: str, earliest: str, latest: str) -> None:
        """Run a search and print its rows."""
        with told.status("searching") as status:
            result = self._parts.search(text, earliest, latest, lambda done: status.update(f"searching, {done:.0%}"))
        _tell_messages([message.describe() for message in result.messages])
        _print_rows(result.shown_table if self._form == "table" else result.table, self._form)

    def explain(self, text: str, earliest: str, latest: str) -> None:
        """Print the stages of a search."""
        _print_stages(self._parts.engine.explain(text, earliest=earliest or None, latest=latest or None))

    def suggest(self, text: str) -> tuple[int, list[dict[str, str]]]:
        """What may stand at the end of a text."""
        return self._parts.suggest(text)


def ask_for_searches(place: OnServer | OnDirectory, earliest: str, latest: str) -> None:
    """Ask the person at the terminal for searches, and run them one after the other."""
    from sightline.shell import Shell, read_lines

    def failed(error: Exception, text: str) -> None:
        hint = f"\nhint: {error.hint}" if getattr(error, "hint", "") else ""
        told.print(escape(f"error: {error.render(text) if isinstance(error, SearchError) else f'{error}{hint}'}"))

    shell = Shell(place, lambda line: told.print(escape(line)), failed, earliest, latest)
    told.print("Type a search; Tab completes, :help helps, Ctrl-D leaves.")
    for line in read_lines(place):
        if not shell.answer(line):
            break


def _print_stages(stages: list[dict[str, str]]) -> None:
    for number, stage in enumerate(stages):
        print(("\n" if number else "") + f"--- {stage['name']}\n{stage['text']}")


def _tell_messages(messages: list[dict[str, Any]]) -> None:
    for message in messages:
        told.print(f"{escape(message['severity'])}: {escape(message['text'])}")


def _print_rows(table: pa.Table, form: str) -> None:
    if form == "table":
        print_table(table)
        return
    from sightline.web.export import export

    for piece in export(table.schema, table.to_batches(), form):
        sys.stdout.buffer.write(piece)
    sys.stdout.buffer.flush()


def print_table(table: pa.Table) -> None:
    """Rows as a table for people: folded to the terminal's width, a line a row into a pipe."""
    from rich.table import Table
    from rich.text import Text

    from sightline.search.jobs import column_kind

    shown = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    kinds = [column_kind(field.name, field.type) for field in table.schema]
    for name, kind in zip(table.column_names, kinds, strict=True):
        shown.add_column(Text(name), justify="right" if kind == "number" else "left", overflow="fold")
    for batch in table.to_batches():
        columns = [
            [_cell(value, kind) for value in column.to_pylist()] for column, kind in zip(batch.columns, kinds, strict=True)
        ]
        for row in zip(*columns, strict=True):
            shown.add_row(*(Text(cell) for cell in row))
    # Into a pipe nothing is folded: a line is a row, whatever its length.
    out = Console(highlight=False) if sys.stdout.isatty() else Console(highlight=False, width=1_000_000)
    if table.num_columns:
        out.print(shown)


def _cell(value: Any, kind: str) -> str:
    if value is None:
        return ""
    if kind == "time" and isinstance(value, int | float):
        return moment(value)
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, list):
        return "\n".join(_cell(item, "") for item in value)
    return str(value)


def moment(time_s: float) -> str:
    """A time as people read it, in UTC, with as many digits as it has down to a millisecond."""
    from datetime import UTC, datetime

    try:
        moment = datetime.fromtimestamp(time_s, UTC)
    except (OverflowError, ValueError, OSError):
        return str(time_s)
    return moment.strftime("%Y-%m-%d %H:%M:%S") + (f".{moment.microsecond // 1000:03d}" if time_s % 1 else "")


@contextlib.contextmanager
def failing_with_text(text: str) -> Iterator[None]:
    """Gives a search error the text it is about, so that it prints with its place."""
    try:
        yield
    except SearchError as error:
        told.print(escape(f"error: {error.render(text)}"))
        raise typer.Exit(FAILED) from None
