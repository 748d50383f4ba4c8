"""`sendalert` and `sendemail`: a search's rows sent to somebody."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from sightline.errors import SearchError, SightlineError
from sightline.search.context import Context
from sightline.search.planner.relation import Relation
from sightline.search.registry import Command, command
from sightline.search.surroundings import Surroundings
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options
from sightline.search.syntax.expressions import quote_string


def _send(
    relation: Relation, context: Context, results_link: str, send: Callable[[Surroundings, list[Any], dict[str, str]], str]
) -> Relation:
    """Send the rows, say what the receiver said, and pass the rows on."""
    held = context.held(relation)
    rows = context.table_of(held).to_pylist()
    if context.dry:
        return held
    if context.surroundings is None:
        raise SearchError("there is no program around this search that could send anything")
    about = {
        "sid": context.sid,
        "name": "search",
        "app": context.app,
        "owner": context.user,
        "search": context.search_text,
        "results_link": results_link,
    }
    context.inform(send(context.surroundings, rows, about))
    return held


@command("sendalert", kind="dataset")
@dataclass
class SendAlert(Command):
    """Runs an alert action with the rows, and passes them on.

    Syntax: sendalert <action> [results_link=<url>] [results_path=<path>] [param.<name>=<value>]...
    Example: index=web status>=500 | stats count BY host | sendalert webhook param.url="https://example.com/hook"

    Actions are `webhook` and `apprise` (param.url), `logevent` (param.event, and index, host, source, sourcetype) and `email`
    (the options of sendemail, as parameters). `$result.<field>$` in a parameter is the value of the first row. The search
    fails when the receiver refuses.
    """

    results_link: str = option("", help="where the results can be seen")
    results_path: str = option("", help="accepted for compatibility; actions are given the rows themselves")
    action: str = ""
    parameters: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, arguments: Arguments) -> SendAlert:
        action = arguments.name("the name of an alert action")
        given: dict[str, Any] = {}
        parameters: dict[str, str] = {}
        while not arguments.done:
            given.update(arguments.options(cls))
            if arguments.done:
                break
            token = arguments.peek()
            name = arguments.name("a parameter such as param.url")
            if not name.lower().startswith("param.") or not arguments.accept("="):
                raise SearchError(f'param.<name>=<value> is expected, got "{name}"', token.span)
            parameters[name[len("param.") :]] = arguments.name("a value")
            arguments.skip_commas()
        return cls(action=action, parameters=parameters, **given)

    def print_arguments(self) -> list[str]:
        values = [f"{print_name('param.' + name)}={quote_string(value)}" for name, value in self.parameters.items()]
        return [print_name(self.action), *print_options(self), *values]

    def lower(self, relation: Relation, context: Context) -> Relation:
        return _send(
            relation,
            context,
            self.results_link,
            lambda program, rows, about: program.send_alert(self.action, self.parameters, rows, about),
        )


@command("sendemail", kind="dataset")
@dataclass
class SendEmail(Command):
    """Sends the rows by mail, and passes them on.

    Syntax: sendemail to=<addresses> [from=<address>] [cc=<addresses>] [bcc=<addresses>] [subject=<text>] [message=<text>]
        [sendresults=<bool>] [inline=<bool>] [format=(table|csv|raw)] [sendcsv=<bool>] [content_type=(html|plain)]
        [priority=<priority>] [maxinputs=<n>] [graceful=<bool>] [server=<host:port>]
    Example: index=web status>=500 | stats count BY host | sendemail to="ops@example.com" sendresults=true inline=true

    The mail server is the one that the settings name; without one the search fails. Without `sendresults` only the message
    is sent; with it the rows are attached as CSV, or with `inline=true` written into the text as a table, as CSV or raw.
    `$result.<field>$` is the value of the first row. With `graceful=true` what goes wrong is a warning. PDF is not made.
    """

    to: str = option("", help="addresses, with commas or semicolons between")
    from_: str = option("", name="from", help="address of the sender")
    cc: str = option("", help="addresses that get a copy")
    bcc: str = option("", help="addresses that get a copy unseen")
    subject: str = option("Splunk Results", help="the subject")
    message: str = option("", help="text before the results", aliases=("message.report", "message.alert"))
    format: str = option("table", choices=("table", "csv", "raw"), help="how results stand in the text")
    inline: bool = option(False, help="results in the text instead of an attachment")
    sendresults: bool = option(False, help="send the rows")
    sendcsv: bool = option(False, help="attach the rows as CSV")
    sendpdf: bool = option(False, help="not available: PDF is not made")
    priority: str = option("", help="highest, high, normal, low or lowest, or a number from 1")
    content_type: str = option("html", choices=("html", "plain"), help="of the text")
    footer: str = option("", help="text below the results")
    server: str = option("", help="another mail server, for administrators")
    maxinputs: int = option(0, minimum=0, help="at most so many rows; 0 is all")
    graceful: bool = option(False, help="go on with a warning when the message is not sent")
    maxtime: str = option("", help="accepted for compatibility; sending has its own limit of time")
    width_sort_columns: bool = option(True, help="accepted for compatibility; columns are as wide as their texts")
    use_ssl: bool = option(False, help="accepted for compatibility; the settings say how the server is spoken to")
    use_tls: bool = option(False, help="accepted for compatibility; the settings say how the server is spoken to")
    pdfview: str = option("", help="accepted for compatibility; nothing is printed on paper")
    paperorientation: str = option("", help="accepted for compatibility; nothing is printed on paper")
    papersize: str = option("", help="accepted for compatibility; nothing is printed on paper")
    results_link: str = option("", help="where the results can be seen, written below them")

    @classmethod
    def read(cls, arguments: Arguments) -> SendEmail:
        found = super().read(arguments)
        assert isinstance(found, SendEmail)
        if not (found.to or found.cc or found.bcc):
            raise SearchError("to is wanted: the addresses to send to", arguments.stage.name_span)
        return found

    def lower(self, relation: Relation, context: Context) -> Relation:
        if self.sendpdf:
            context.warn("PDF is not made: the message goes without")
        names = (
            "to", "cc", "bcc", "subject", "message", "format", "inline", "sendresults", "sendcsv", "priority", "content_type",
            "footer", "server", "maxinputs",
        )  # fmt: skip
        message = {name: str(getattr(self, name)) for name in names} | {"from": self.from_}
        message["footer"] = "\n".join(filter(None, (self.results_link, self.footer)))
        try:
            return _send(
                relation,
                context,
                self.results_link,
                lambda program, rows, about: program.send_email(message, rows, about),
            )
        except SightlineError as error:
            if not self.graceful:
                raise
            context.warn(f"the message was not sent: {error}")
            return relation
