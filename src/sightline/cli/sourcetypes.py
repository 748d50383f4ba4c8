"""`sightline sourcetype`: try rules on a file, check the file of rules, list what holds."""

from __future__ import annotations

import contextlib
import gzip
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.console import Console

from sightline.cli.asking import FAILED, Data, directory_of, told
from sightline.errors import EnvironmentTrouble

if TYPE_CHECKING:
    from sightline.config import RuleSettings
    from sightline.sourcetypes import Rules
    from sightline.store import EmbeddedStore
    from sightline.store.trying import Tried

sourcetype_app = typer.Typer(no_args_is_help=True, help="Rules for sourcetypes: how text becomes events.")

RulesFile = Annotated[
    Path | None,
    typer.Option("--rules", metavar="FILE", help="Rules to use. [default: sourcetypes.yml of the data directory]"),
]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON.")]
_LONG = 400
"""Characters of an event that are shown."""


@sourcetype_app.command("try")
def try_(
    file: Annotated[Path, typer.Argument(help="A log file, or its beginning; may be packed with gzip.")],
    sourcetype: Annotated[str, typer.Option(metavar="S", help="Its sourcetype. [default: by the ending of its name]")] = "",
    rules: RulesFile = None,
    limit: Annotated[int, typer.Option(metavar="N", min=0, help="Events to show; the counts are of all.")] = 20,
    index: Annotated[str, typer.Option(metavar="NAME", help="The index it would be sent to.")] = "main",
    json: AsJson = False,
    data: Data = None,
) -> None:
    """Show what a file would become: its events, their times and fields, what is masked, dropped and routed. Stores nothing."""
    from sightline.config import load_settings
    from sightline.store.trying import USUAL_SOURCETYPES, try_text

    settings = load_settings(directory_of(data)).rules
    content, cut = _beginning(file, settings.max_try_bytes)
    name = file.name.removesuffix(".gz")
    sourcetype = sourcetype or USUAL_SOURCETYPES.get(Path(name).suffix.lower(), "")
    with _scratch() as store:
        found = try_text(
            store.query, _rules(store, rules, data, settings), content, sourcetype=sourcetype, source=str(file), index=index,
            limit=limit,
        )  # fmt: skip
    if cut:
        found.warnings.append(f"only the first {settings.max_try_bytes:,} bytes of the file were looked at")
    if json:
        import orjson

        print(orjson.dumps(found.as_json(), option=orjson.OPT_INDENT_2).decode())
    else:
        _print(found)


@sourcetype_app.command("check")
def check(rules: RulesFile = None, data: Data = None) -> None:
    """Say whether a file of rules can be used: every key, pattern and format."""
    from sightline.config import load_settings

    with _scratch() as store:
        found = _rules(store, rules, data, load_settings(directory_of(data)).rules)
    own = [rule for rule in found.all if rule.origin != "built in"]
    told.print(f"{len(own):,} sourcetypes have rules of their own, {len(found.all) - len(own):,} the built-in ones")


@sourcetype_app.command("list")
def list_(rules: RulesFile = None, data: Data = None) -> None:
    """List the sourcetypes that have rules, and where these come from."""
    import pyarrow as pa

    from sightline.cli.searching import print_table
    from sightline.config import load_settings
    from sightline.sourcetypes import read_rules

    path = rules or directory_of(data) / "sourcetypes.yml"
    found = read_rules(_text(path, wanted=rules is not None), path.name, load_settings(directory_of(data)).rules)
    described = sorted(rule.described() for rule in found.all)
    columns = ("sourcetype", "from", "does", "description")
    print_table(pa.table({name: [row[i] for row in described] for i, name in enumerate(columns)}))


def _rules(store: EmbeddedStore, path: Path | None, data: Path | None, settings: RuleSettings) -> Rules:
    from sightline.store.rulebook import read_checked

    file = path or directory_of(data) / "sourcetypes.yml"
    return read_checked(_text(file, wanted=path is not None), file.name, settings, store.query)


def _text(path: Path, *, wanted: bool) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError:
        if not wanted:
            return ""
        raise EnvironmentTrouble(f"{path} is not there") from None
    except (OSError, UnicodeDecodeError) as error:
        raise EnvironmentTrouble(f"{path} cannot be read: {error}") from error


def _beginning(path: Path, limit: int) -> tuple[bytes, bool]:
    """The first bytes of a file, in whole lines, and whether there are more."""
    try:
        with gzip.open(path) if path.suffix == ".gz" else path.open("rb") as file:
            content = file.read(limit + 1)
    except (OSError, EOFError) as error:
        raise EnvironmentTrouble(f"{path} cannot be read: {getattr(error, 'strerror', None) or error}") from error
    if len(content) <= limit:
        return content, False
    end = content.rfind(b"\n", 0, limit) + 1
    return content[: end or limit], True


@contextlib.contextmanager
def _scratch() -> Iterator[EmbeddedStore]:
    """An engine with nothing in it: the data directory may be in use."""
    from sightline.config import Settings
    from sightline.store import EmbeddedStore

    with tempfile.TemporaryDirectory(prefix="sightline-rules-") as folder, told.status("starting the engine"):
        store = EmbeddedStore(Path(folder) / "engine", Settings(data=Path(folder)))
        with store:
            yield store


def _print(found: Tried) -> None:
    from rich.text import Text

    out = Console(highlight=False, soft_wrap=True)
    holds = f"rule: {found.rule}" if found.rule else "no rule: events and times are recognised"
    out.print(Text.assemble((found.sourcetype or "no sourcetype", "bold"), f"  {holds}"))
    for number, event in enumerate(found.events, 1):
        state = ("refused: " + event.refusal, "red") if event.refusal else (f"index={event.index}", "green")
        origin = f"from {event.time_text!r}" if event.time_text else f"time {event.time_from}"
        if event.time_from == "event before":
            origin = "time of the event before"
        severity = f"  {event.severity}" if event.severity else ""
        out.print(Text.assemble((f"\n{number}  {event.time}", "cyan"), (f"  {origin}", "dim"), "  ", state, severity))
        if event.masked_from:
            out.print(Text.assemble(("masked  ", "yellow"), _shown(event.raw)))
        else:
            out.print(Text(_shown(event.raw)))
        if event.fields:
            import orjson

            pairs = "  ".join(
                f"{name}={value if isinstance(value, str) else orjson.dumps(value).decode()}"
                for name, value in event.fields.items()
            )
            out.print(Text.assemble(("fields  ", "dim"), (_shown(pairs), "magenta")))
    counts = found.counts
    more = counts["events"] - len(found.events)
    if more > 0:
        out.print(f"\nand {more:,} more events")
    shares = [
        f"{counts[name]:,} {words}"
        for name, words in (
            ("several_lines", "of several lines"),
            ("masked", "masked"),
            ("refused", "not stored"),
            ("routed", "routed"),
        )
        if counts[name]
    ]
    out.print(f"\n{counts['events']:,} events" + (": " + ", ".join(shares) if shares else ""))
    for warning in found.warnings:
        out.print(Text.assemble(("warning ", "yellow"), warning))
    if not counts["events"]:
        raise typer.Exit(FAILED)


def _shown(text: str) -> str:
    return text if len(text) <= _LONG else f"{text[:_LONG]}... ({len(text):,} characters)"
