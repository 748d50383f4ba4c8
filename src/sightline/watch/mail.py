"""Letters with a search's rows, and the mail server that takes them.

Enters: the options of `sendemail` or of an alert's e-mail, rows, the settings. Leaves: a sent message, or an error that says
what is missing.
"""

from __future__ import annotations

import csv
import html
import io
import re
import smtplib
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from sightline.catalog.actions import PRIORITIES, addresses_in
from sightline.config import WatchSettings
from sightline.errors import EnvironmentTrouble, UserError
from sightline.watch.texts import as_text, filled

SECURITIES = ("none", "starttls", "tls")
_TRUE = ("1", "t", "true", "y", "yes")
_FILLED = ("to", "cc", "bcc", "from", "subject", "message", "footer", "priority")
_BELOW = {
    "results_link": "Results: $results_link$",
    "view_link": "Alert: $view_link$",
    "search": "Search: $search$",
    "trigger": "Condition: $trigger$",
    "trigger_time": "Time: $trigger_date$ $trigger_timeHMS$ UTC",
}


class Rejected(EnvironmentTrouble):
    """The mail server said no and will say no again, or took the letter for some, who would get it twice."""


@dataclass(frozen=True)
class Letter:
    """One message, ready to be sent."""

    message: EmailMessage
    recipients: tuple[str, ...]

    @classmethod
    def of(cls, given: Mapping[str, str], rows: Sequence[Mapping[str, Any]], default_from: str) -> Letter:
        """The letter that the options of `sendemail` describe. Raises UserError for one without an address."""
        to, cc, bcc = (addresses_in(given.get(name, "")) for name in ("to", "cc", "bcc"))
        if not (to or cc or bcc):
            raise UserError("to is wanted: the addresses to send to")
        message = EmailMessage()
        message["From"] = " ".join(given.get("from", "").split()) or default_from
        if to:
            message["To"] = ", ".join(to)
        if cc:
            message["Cc"] = ", ".join(cc)
        message["Subject"] = " ".join(given.get("subject", "Splunk Results").split())
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain="sightline")
        if priority := given.get("priority", ""):
            numbers = {name: str(number) for number, name in enumerate(PRIORITIES, 1)}
            message["X-Priority"] = numbers.get(priority.lower(), " ".join(priority.split()))
        rows = rows[: int(given["maxinputs"])] if given.get("maxinputs", "0") not in ("", "0") else rows
        sends = _is_true(given.get("sendresults", ""))
        inline = sends and _is_true(given.get("inline", ""))
        form = given.get("format", "") or "table"
        text = given.get("message", "") or ("Search results." if inline else "Search complete.")
        _write_body(message, text, rows if inline else None, form, given)
        attached = _is_true(given.get("sendcsv", "")) or sends and not inline
        if attached:
            message.add_attachment(csv_text(rows).encode(), maintype="text", subtype="csv", filename="results.csv")
        return cls(message, tuple(dict.fromkeys((*to, *cc, *bcc))))

    @classmethod
    def of_alert(cls, action: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], default_from: str) -> Letter:
        """The letter of an alert's e-mail, whose texts `with_texts` has filled."""
        given = {name: action[name] for name in (*_FILLED, "content_type", "format")}
        given["sendresults"] = str(action["results"] != "none")
        given["inline"] = str(action["results"] in ("inline", "both"))
        given["sendcsv"] = str(action["results"] in ("attached", "both"))
        return cls.of(given, rows, default_from)


def with_texts(action: Mapping[str, Any], row: Mapping[str, Any], about: Mapping[str, str]) -> dict[str, Any]:
    """An alert's e-mail with its tokens filled, and what it includes written below the message."""
    below = [*(_BELOW[name] for name in action["include"]), *filter(None, [action["footer"]])]
    written = {**action, "footer": "\n".join(below)}
    return written | {name: filled(written[name], row, about) for name in _FILLED}


def _write_body(
    message: EmailMessage, text: str, rows: Sequence[Mapping[str, Any]] | None, form: str, given: Mapping[str, str]
) -> None:
    footer = given.get("footer", "")
    table = {"table": table_text, "csv": csv_text, "raw": raw_text}[form](rows) if rows is not None else ""
    plain = "\n\n".join(part for part in (text, table, footer) if part) + "\n"
    message.set_content(plain)
    if given.get("content_type", "html").lower() == "plain":
        return
    body = html_table(rows) if rows is not None and form == "table" else f"<pre>{html.escape(table)}</pre>" if table else ""
    parts = [_paragraph(text), body, _paragraph(footer) if footer else ""]
    message.add_alternative("<html><body>" + "".join(parts) + "</body></html>", subtype="html")


def _paragraph(text: str) -> str:
    """A text as HTML, with its lines and its links."""
    linked = re.sub(r"https?://[^\s<>]+", r'<a href="\g<0>">\g<0></a>', html.escape(text))
    return f"<p>{linked.replace(chr(10), '<br>')}</p>"


def send_letter(letter: Letter, settings: WatchSettings, server: str = "") -> str:
    """Hand a letter to the mail server. Raises UserError where none is set, EnvironmentTrouble where it does not take it."""
    server = server or settings.mail_server
    if not server:
        raise UserError(
            "no mail server is set", hint='set mail_server = "host:port" in the section [watch] of sightline.toml'
        )
    host, _, port = server.partition(":")
    tls = settings.mail_security == "tls"
    try:
        number = int(port) if port else 465 if tls else 25
    except ValueError:
        raise UserError(f'the mail server wants host:port, got "{server}"') from None
    if settings.mail_security not in SECURITIES:
        raise UserError(f'mail_security must be one of {", ".join(SECURITIES)}, got "{settings.mail_security}"')
    context = ssl.create_default_context()
    timeout_s = settings.delivery_timeout_s
    try:
        with (
            smtplib.SMTP_SSL(host, number, timeout=timeout_s, context=context)
            if tls
            else smtplib.SMTP(host, number, timeout=timeout_s)
        ) as connection:
            if settings.mail_security == "starttls":
                connection.starttls(context=context)
            if settings.mail_user:
                connection.login(settings.mail_user, settings.mail_password)
            refused = connection.send_message(letter.message, to_addrs=list(letter.recipients))
    except (OSError, smtplib.SMTPException) as error:
        trouble = Rejected if _is_final(error) else EnvironmentTrouble
        raise trouble(f"the mail server {host}:{number} did not take the message: {error}") from error
    if refused:
        raise Rejected(f"the mail server {host}:{number} refused: {', '.join(sorted(refused))}")
    return f"sent to {', '.join(letter.recipients)} by {host}:{number}"


def _is_final(error: Exception) -> bool:
    if isinstance(error, smtplib.SMTPRecipientsRefused):
        return all(code >= 500 for code, _ in error.recipients.values())
    return isinstance(error, smtplib.SMTPNotSupportedError) or getattr(error, "smtp_code", 0) >= 500


def _is_true(text: str) -> bool:
    return text.strip().lower() in _TRUE


def columns_of(rows: Sequence[Mapping[str, Any]]) -> list[str]:
    """Names of the columns of all rows; internal ones only where nothing else is there."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return [name for name in names if not name.startswith("_") or name in ("_time", "_raw")] or names


def csv_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as CSV with a header."""
    names = columns_of(rows)
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        writer.writerow(["" if row.get(name) is None else as_text(row[name]) for name in names])
    return out.getvalue()


def table_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as text in columns."""
    names = columns_of(rows)
    cells = [names] + [["" if row.get(n) is None else as_text(row[n]).replace("\n", " ") for n in names] for row in rows]
    widths = [max(len(line[k]) for line in cells) for k in range(len(names))]
    return "\n".join(
        "  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip() for line in cells
    )


def raw_text(rows: Sequence[Mapping[str, Any]]) -> str:
    """The text of events, and rows without one as name=value."""
    lines = []
    for row in rows:
        if row.get("_raw") is not None:
            lines.append(as_text(row["_raw"]))
        else:
            lines.append(", ".join(f"{name}={as_text(value)}" for name, value in row.items() if value is not None))
    return "\n".join(lines)


def html_table(rows: Sequence[Mapping[str, Any]]) -> str:
    """The rows as a table of HTML."""
    names = columns_of(rows)
    head = "".join(f"<th>{html.escape(name)}</th>" for name in names)
    body = "".join(
        "<tr>" + "".join(f"<td>{html.escape('' if row.get(n) is None else as_text(row[n]))}</td>" for n in names) + "</tr>"
        for row in rows
    )
    return f'<table border="1" cellpadding="4" cellspacing="0"><tr>{head}</tr>{body}</table>'
