"""The commands of `sightline` but those that move Splunk apps in and out (`apps.py`)."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer
from rich.markup import escape

from sightline import __version__
from sightline.cli import apps
from sightline.cli.asking import FAILED, ApiToken, Data, Url, asks_server, client_of, directory_of, open_catalog, told
from sightline.cli.backup import backup, restore
from sightline.cli.indexes import index_app
from sightline.cli.quarantine import quarantine_app
from sightline.cli.searching import ask_for_searches, failing_with_text, moment, place_to_search, print_table
from sightline.cli.sourcetypes import sourcetype_app
from sightline.errors import EnvironmentTrouble, SightlineError, UserError

if TYPE_CHECKING:
    pass

FORMATS = ("table", "json", "csv", "jsonl", "arrow")
BAD_USAGE = 2

app = typer.Typer(no_args_is_help=True, add_completion=False, pretty_exceptions_enable=False)
token_app = typer.Typer(no_args_is_help=True, help="Tokens: how machines get in.")
user_app = typer.Typer(no_args_is_help=True, help="Users: how people get in.")
app.add_typer(token_app, name="token")
app.add_typer(user_app, name="user")
app.add_typer(index_app, name="index")
app.add_typer(quarantine_app, name="quarantine")
app.add_typer(sourcetype_app, name="sourcetype")
app.command()(apps.check)
app.command("import")(apps.import_)
app.command()(apps.export)
app.command()(backup)
app.command()(restore)

Earliest = Annotated[str, typer.Option(metavar="T", help="Begin of the time range, such as -24h@h.")]
Latest = Annotated[str, typer.Option(metavar="T", help="End of the time range; it is not part of it.")]


def main() -> None:
    """Runs the command line and ends the process."""
    try:
        app()
    except SightlineError as error:
        _end(error)
    except KeyboardInterrupt:
        sys.exit(130)
    except BrokenPipeError:
        # The reader of a pipe has gone, as `head` does; Python's own attempt to flush must not complain about it.
        sys.stderr.close()
        sys.exit(0)


@app.callback(invoke_without_command=True)
def options(
    version: Annotated[bool, typer.Option("--version", is_eager=True, help="Print the version and end.")] = False,
) -> None:
    """Logs, metrics and traces of machine-learning systems in one store, searched in SPL."""
    if version:
        print(f"sightline {__version__}")
        raise typer.Exit


@app.command()
def serve(
    data: Data = None,
    http: Annotated[str | None, typer.Option(metavar="H:P", help="Page, API and every receiver, or off.")] = None,
    otlp_http: Annotated[str | None, typer.Option(metavar="H:P", help="OTLP over HTTP, or off.")] = None,
    otlp_grpc: Annotated[str | None, typer.Option(metavar="H:P", help="OTLP over gRPC, or off.")] = None,
    hec: Annotated[str | None, typer.Option(metavar="H:P", help="Splunk HTTP event collector, or off.")] = None,
    syslog_udp: Annotated[str | None, typer.Option(metavar="H:P", help="Syslog over UDP. [default: off]")] = None,
    syslog_tcp: Annotated[str | None, typer.Option(metavar="H:P", help="Syslog over TCP. [default: off]")] = None,
    syslog_tls: Annotated[str | None, typer.Option(metavar="H:P", help="Syslog over TLS. [default: off]")] = None,
    statsd_udp: Annotated[str | None, typer.Option(metavar="H:P", help="Statsd over UDP. [default: off]")] = None,
    statsd_tcp: Annotated[str | None, typer.Option(metavar="H:P", help="Statsd over TCP. [default: off]")] = None,
) -> None:
    """Start the server; Ctrl-C stops it."""
    from sightline.app import serve as run

    listen = {"http": http, "otlp_http": otlp_http, "otlp_grpc": otlp_grpc, "hec": hec}
    listen |= {"syslog_udp": syslog_udp, "syslog_tcp": syslog_tcp, "syslog_tls": syslog_tls}
    listen |= {"statsd_udp": statsd_udp, "statsd_tcp": statsd_tcp}
    run(directory_of(data), {"listen": listen}, lambda line: told.print(escape(line)))


@app.command()
def load(
    context: typer.Context,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="CSV, JSON lines, Parquet or plain text.")],
    index: Annotated[str, typer.Option(metavar="NAME", help="The index to load into; made when absent.")],
    sourcetype: Annotated[str, typer.Option(metavar="S")] = "",
    time_field: Annotated[str, typer.Option(metavar="F", help="The field that holds the time of an event.")] = "",
    data: Data = None,
    url: Url = "",
    token: ApiToken = "",
) -> None:
    """Load files into an index."""
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn

    for file in files:
        if not file.is_file():
            raise UserError(f'no file "{file}"')
    columns = (TextColumn("{task.description}"), BarColumn(), DownloadColumn(), TimeRemainingColumn())
    loaded = 0
    with _loader(context, data, url, token) as load_one, Progress(*columns, console=told) as progress:
        for file in files:
            task = progress.add_task(escape(file.name), total=file.stat().st_size)
            loaded += load_one(
                file, index, sourcetype, time_field, lambda done, task=task: progress.update(task, completed=done)
            )
            progress.update(task, completed=file.stat().st_size)
    told.print(f"loaded {loaded:,} event{'' if loaded == 1 else 's'} into {escape(index)}")


@app.command()
def search(
    context: typer.Context,
    text: Annotated[
        str, typer.Argument(metavar="[SPL]", help="The search; - reads it from standard input. Without: asks for searches.")
    ] = "",
    earliest: Earliest = "",
    latest: Latest = "",
    form: Annotated[str, typer.Option("--format", help=f"One of {', '.join(FORMATS)}.")] = "table",
    data: Data = None,
    url: Url = "",
    token: ApiToken = "",
) -> None:
    """Run a search and print its rows; in a terminal and without a search, ask for one after the other."""
    if form not in FORMATS:
        raise typer.BadParameter(f'wanted one of {", ".join(FORMATS)}, got "{form}"', param_hint="--format")
    if not text and not sys.stdin.isatty():
        raise typer.BadParameter("wanted a search, or - to read it from standard input", param_hint="SPL")
    text = sys.stdin.read() if text == "-" else text
    with place_to_search(context, data, url, token, form) as place:
        if text:
            with failing_with_text(text):
                place.run(text, earliest, latest)
        else:
            ask_for_searches(place, earliest, latest)


@app.command()
def explain(
    context: typer.Context,
    text: Annotated[str, typer.Argument(metavar="SPL", help="The search; - reads it from standard input.")],
    earliest: Earliest = "",
    latest: Latest = "",
    data: Data = None,
    url: Url = "",
    token: ApiToken = "",
) -> None:
    """Show each stage of a search, from its text to the engine's SQL, without running it."""
    text = sys.stdin.read() if text == "-" else text
    with place_to_search(context, data, url, token) as place, failing_with_text(text):
        place.explain(text, earliest, latest)


@token_app.command("create")
def token_create(
    kind: Annotated[str, typer.Option(help="hec, otlp or api.")],
    name: Annotated[str, typer.Option(help="A name to know it by.")],
    index: Annotated[list[str] | None, typer.Option(help="An allowed index; the first is the default.")] = None,
    sourcetype: Annotated[str, typer.Option(help="Sourcetype of what comes without one.")] = "",
    source: Annotated[str, typer.Option(help="Source of what comes without one.")] = "",
    host: Annotated[str, typer.Option(help="Host of what comes without one.")] = "",
    use_ack: Annotated[bool, typer.Option("--use-ack", help="HEC: acknowledge by id; a channel is needed.")] = False,
    allow_query_string: Annotated[
        bool, typer.Option("--allow-query-string", help="HEC: take the token from ?token= as well.")
    ] = False,
    data: Data = None,
) -> None:
    """Make a token and print it, alone; it is not shown again."""
    with open_catalog(data) as catalog:
        defaults = {"sourcetype": sourcetype, "source": source, "host": host}
        flags = {"use_ack": use_ack, "allow_query_string": allow_query_string}
        _, secret = catalog.tokens.create(kind, name, indexes=index or (), **defaults, **flags)
    print(secret)


@token_app.command("list")
def token_list(data: Data = None) -> None:
    """List tokens, without their secrets."""
    import pyarrow as pa

    with open_catalog(data) as catalog:
        rows = [
            {
                "name": token.name,
                "kind": token.kind,
                "indexes": ", ".join(token.indexes) or "all",
                "default_index": token.default_index,
                "owner": token.owner,
                "created": moment(token.created),
                "last_used": moment(token.last_used) if token.last_used else "never",
                "disabled": token.disabled,
            }
            for token in catalog.tokens.list()
        ]
    print_table(pa.Table.from_pylist(rows))


@token_app.command("revoke")
def token_revoke(name: Annotated[str, typer.Argument(help="Its name.")], data: Data = None) -> None:
    """Revoke a token; a running server notices within two seconds."""
    with open_catalog(data) as catalog:
        token = catalog.tokens.revoke(name)
    told.print(f"revoked {escape(token.name)}")


@user_app.command("create")
def user_create(
    name: str,
    role: Annotated[str, typer.Option(help="admin or user.")] = "user",
    no_password: Annotated[bool, typer.Option("--no-password", help="A login link is then the way in.")] = False,
    data: Data = None,
) -> None:
    """Make a user. The password is asked for, or read from standard input when that is not a terminal."""
    password = "" if no_password else _read_password()
    with open_catalog(data) as catalog:
        catalog.accounts.create(name, role, password)
    told.print(f"created {escape(name)}")


@user_app.command("passwd")
def user_passwd(name: str, data: Data = None) -> None:
    """Change a password and end the user's sessions."""
    with open_catalog(data) as catalog:
        catalog.accounts.get(name)
        catalog.accounts.set_password(name, _read_password())
    told.print(f"changed the password of {escape(name)}")


@user_app.command("list")
def user_list(data: Data = None) -> None:
    """List users."""
    import pyarrow as pa

    with open_catalog(data) as catalog:
        rows = [
            {
                "name": user.name,
                "role": user.role,
                "password": "set" if user.password_hash else "none",
                "created": moment(user.created),
            }
            for user in catalog.accounts.list()
        ]
    print_table(pa.Table.from_pylist(rows))


@user_app.command("delete")
def user_delete(name: str, data: Data = None) -> None:
    """Remove a user with all sessions."""
    with open_catalog(data) as catalog:
        catalog.accounts.delete(name)
    told.print(f"removed {escape(name)}")


@user_app.command("link")
def user_link(name: Annotated[str, typer.Argument()] = "admin", data: Data = None) -> None:
    """Print a link that signs a user in, once, within a day."""
    from sightline.app import login_link

    directory = directory_of(data)
    with open_catalog(data) as catalog:
        print(login_link(catalog, directory, name))


@contextlib.contextmanager
def _loader(context: typer.Context, data: Path | None, url: str, token: str) -> Iterator[Any]:
    """A function that loads one file: (path, index, sourcetype, time field, progress) -> rows."""
    if asks_server(context):
        with client_of(url, token) as client:
            yield lambda path, index, sourcetype, time_field, progress: client.load(
                path, index=index, sourcetype=sourcetype, time_field=time_field, on_progress=progress
            )
        return
    from sightline.app import open_offline

    with open_offline(directory_of(data)) as parts:
        yield parts.load_file


def _read_password() -> str:
    if sys.stdin.isatty():
        return typer.prompt("password", hide_input=True, confirmation_prompt=True, err=True)
    return sys.stdin.readline().rstrip("\n")


def _end(error: SightlineError) -> NoReturn:
    told.print(escape(f"error: {error}"))
    if hint := getattr(error, "hint", ""):
        told.print(escape(f"hint: {hint}"))
    sys.exit(BAD_USAGE if isinstance(error, UserError) and not isinstance(error, EnvironmentTrouble) else FAILED)
