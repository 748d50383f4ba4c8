"""`check`, `import` and `export`: moving in from Splunk, and keeping objects in files."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console
from rich.markup import escape

from sightline.cli.asking import ApiToken, Data, Url, asks_server, client_of, directory_of, open_catalog, told

if TYPE_CHECKING:
    from sightline.apps.checking import Report
    from sightline.apps.importing import Outcome

MANY_COMMANDS = 40
"""Rows of the table of commands; the rest run everywhere or are rare."""
MANY_ELEMENTS = 5
"""Elements of a dashboard that are named beside what they have in common."""
STATE_STYLES = {"runs": "green", "needs": "yellow", "unknown_command": "magenta", "refused": "red"}
STATE_WORDS = {"runs": "runs", "needs": "needs", "unknown_command": "unknown", "refused": "refused"}

CheckedData = Annotated[
    Path | None,
    typer.Option("--data", metavar="DIR", help="Data directory whose macros, lookups and other objects count as there."),
]


def check(
    path: Annotated[
        Path, typer.Argument(help="A Splunk app, a pack of detections, a list of searches, a folder or archive.")
    ],
    json: Annotated[bool, typer.Option("--json", help="Print the report as JSON.")] = False,
    data: CheckedData = None,
) -> None:
    """Say which searches of Splunk apps run here, and why others do not."""
    from sightline.apps.checking import check as run
    from sightline.apps.contents import read_contents

    with _progress("reading") as advance:
        contents = read_contents(path, lambda _: advance(None, None))
    with _progress("checking") as advance:
        report = run(contents, data, advance)
    if json:
        import orjson

        print(orjson.dumps(report.as_json(), option=orjson.OPT_INDENT_2).decode())
    else:
        print_report(report)


def import_(
    context: typer.Context,
    path: Annotated[
        Path, typer.Argument(help="A Splunk app, a pack of detections, a list of searches, a folder or archive.")
    ],
    app: Annotated[str, typer.Option("--app", metavar="NAME", help="Put the objects under this app's name.")] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would be done.")] = False,
    data: Data = None,
    url: Url = "",
    token: ApiToken = "",
) -> None:
    """Bring the objects of Splunk apps into the catalog; again and again, as they change."""
    from sightline.apps.importing import Outcome
    from sightline.apps.moving import bring
    from sightline.apps.packing import packed

    if asks_server(context):
        with client_of(url, token) as client, packed(path) as (archive, name, unread), told.status("importing"):
            outcome = Outcome.from_json(client.import_app(archive, name=name, app=app, dry_run=dry_run))
            outcome.problems += unread
    else:
        with open_catalog(data) as catalog, _progress("checking") as advance:
            outcome = bring(path, directory_of(data), catalog, app_name=app or None, dry_run=dry_run, on_progress=advance)
    print_outcome(outcome, dry_run=dry_run)


def export(
    context: typer.Context,
    path: Annotated[Path, typer.Argument(help="A new folder, or one that was exported to before.")],
    app: Annotated[str, typer.Option("--app", metavar="NAME", help="Only the objects of this app.")] = "",
    data: Data = None,
    url: Url = "",
    token: ApiToken = "",
) -> None:
    """Write the catalog's objects as files in the shape of a Splunk app, to be edited and imported again."""
    from sightline.apps.exporting import export_catalog, write_files
    from sightline.apps.packing import unpacked

    if asks_server(context):
        with client_of(url, token) as client:
            files = unpacked(client.export_apps(app))
        write_files(files, path)
        told.print(f"wrote {sum(map(len, files.values())):,} files to {escape(str(path))}")
        return
    with open_catalog(data) as catalog:
        counts = export_catalog(catalog, path, app or None)
    listed = ", ".join(f"{count:,} {kind}" for kind, count in sorted(counts.items())) or "nothing"
    told.print(f"wrote {listed} to {escape(str(path))}")


def print_outcome(outcome: Outcome, *, dry_run: bool) -> None:
    """What became of each kind of object, what was left out, and what there is to know of the rest."""
    from rich.table import Table
    from rich.text import Text

    out = Console(highlight=False, soft_wrap=True)
    for problem in outcome.problems:
        out.print(Text.assemble(("not read ", "red"), f"{problem.file}: {problem.text}"))
    for note in outcome.skipped:
        out.print(Text.assemble(("left out ", "red"), f"{note.kind} {note.name}: {note.text}".replace("\n", " ")))
    together: dict[tuple[str, str, str], list[str]] = {}
    for note in outcome.notes:
        together.setdefault((note.kind, note.name, note.text), []).append(note.element)
    for (kind, name, text), elements in together.items():
        named = [element for element in elements if element]
        places = "; ".join(named[:MANY_ELEMENTS]) + (
            f" and {len(named) - MANY_ELEMENTS} more" if named[MANY_ELEMENTS:] else ""
        )
        shown = f"{kind} {name}: {text}" + (f": {places}" if places else "")
        out.print(Text.assemble(("note     ", "yellow"), shown.replace("\n", " ")))
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("would be" if dry_run else "")
    for heading in ("created", "updated", "unchanged", "left out"):
        table.add_column(heading, justify="right")
    for kind, count in outcome.counts.items():
        numbers = (count.created, count.updated, count.unchanged, count.skipped)
        if any(numbers):
            table.add_row(kind, *(f"{number:,}" if number else "" for number in numbers))
    out.print(table if table.row_count else "there is nothing to import")


def print_report(report: Report) -> None:
    """A line for each search, what could not be read, the commands, and the counts."""
    from rich.table import Table
    from rich.text import Text

    out = Console(highlight=False, soft_wrap=True)
    for verdict in report.verdicts:
        word = "differs" if verdict.state == "runs" and verdict.reasons else STATE_WORDS[verdict.state]
        word = "faulty" if verdict.faulty else word
        line = Text.assemble((f"{word:<9}", STATE_STYLES[verdict.state]), verdict.name.replace("\n", " "))
        if verdict.reasons:
            line.append(": " + "; ".join(verdict.reasons).replace("\n", " "), style="dim")
        out.print(line)
    for problem in report.problems:
        out.print(Text.assemble(("not read ", "red"), f"{problem.file}: {problem.text}"))
    if not report.verdicts:
        out.print("no searches found")
        return
    commands = report.commands()
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0), header_style="bold")
    table.add_column("command")
    for heading in ("searches", "run", "do not"):
        table.add_column(heading, justify="right")
    # Those with searches that do not run are what a reader looks for.
    shown = sorted(commands, key=lambda row: (row[3] == 0, -row[1]))[:MANY_COMMANDS]
    for name, count, good, bad in shown:
        table.add_row(Text(name), f"{count:,}", f"{good:,}", Text(f"{bad:,}", style="red" if bad else "dim"))
    out.print()
    out.print(table)
    if len(commands) > len(shown):
        out.print(f"and {len(commands) - len(shown)} more commands")
    if indexes := report.indexes():
        named = ", ".join(indexes[:20]) + (f" and {len(indexes) - 20} more" if len(indexes) > 20 else "")
        out.print(f"\nindexes that are read and not there yet: {escape(named)}")
    counts = report.counts()
    shares = [
        f"[{STATE_STYLES[state]}]{counts[state]:,} {words}[/] ({counts[state] / counts['total']:.1%})"
        for state, words in (
            ("runs", "run"),
            ("needs", "need something that is not there"),
            ("unknown_command", "name an unknown command"),
            ("refused", "are refused"),
        )
        if counts[state]
    ]
    if faulty := report.faulty():
        shares[-1] += f", {faulty:,} of them by Splunk as well"
    differing = sum(verdict.state == "runs" and bool(verdict.reasons) for verdict in report.verdicts)
    out.print(f"\n{counts['total']:,} searches: " + ", ".join(shares))
    good, sound = counts["runs"] + counts["needs"], counts["total"] - report.faulty() - counts["unknown_command"]
    if sound and sound < counts["total"]:
        out.print(
            f"{good / counts['total']:.1%} of all run, or need only something that they name; without those that Splunk refuses "
            f"as well and those with unknown commands, {good / sound:.1%} of {sound:,}"
        )
    if differing:
        out.print(f"{differing:,} of those that run may answer differently than in Splunk, as told beside each")


@contextmanager
def _progress(what: str) -> Iterator[Callable[[int | None, int | None], None]]:
    """A bar on standard error; told how many are done and of how many, or that one more is."""
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=told, transient=True) as progress:
        task = progress.add_task(what, total=None)

        def advance(done: int | None, total: int | None) -> None:
            if done is None:
                progress.advance(task)
            else:
                progress.update(task, completed=done, total=total)

        yield advance
