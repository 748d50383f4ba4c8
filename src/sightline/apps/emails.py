"""The e-mail of a saved search as settings of `savedsearches.conf`, in both directions."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sightline.catalog.actions import EMAIL, FORMATS, INCLUDED, MAX_ROWS, PRIORITIES
from sightline.catalog.stanzas import is_true

PREFIX = "action.email."
_NAMES = {
    "to": "to", "cc": "cc", "bcc": "bcc", "from": "from", "footer": "footer.text", "priority": "priority",
    "content_type": "content_type", "format": "format", "max_rows": "maxresults",
}  # fmt: skip
_READ = frozenset((
    *_NAMES.values(), "param.to", "subject", "subject.alert", "subject.report", "message", "message.alert", "message.report",
    "sendresults", "inline", "sendcsv", "sendpdf", "sendpng", *(f"include.{name}" for name in INCLUDED),
))  # fmt: skip
_OF_SENDING = (
    "report", "pdf", "use_", "auth_", "width_sort_columns", "ttl", "maxtime", "track_alert", "command", "hostname", "icon_",
    "allow_empty_attachment", "_priority", "show_password", "forceCsvResults", "escapeCSVNewline",
    "useNSSubject", "ssl", "cipherSuite", "allowedDomainList",
)  # fmt: skip
"""Settings of Splunk's own sending, of paper and of columns' widths: what a letter says does not depend on them."""


def read_email(settings: Mapping[str, str], lost: list[str], *, report: bool) -> dict[str, Any]:
    """The action that a stanza describes, with what it does not say left out. A report is told in words of its own."""
    given = {key.removeprefix(PREFIX): value.strip() for key, value in settings.items() if key.startswith(PREFIX)}
    ours = ("report", "alert") if report else ("alert", "report")
    action: dict[str, Any] = {"kind": "email"}
    for name in ("to", "cc", "bcc", "from", "footer"):
        action[name] = given.get(_NAMES[name], "")
    action["to"] = action["to"] or given.get("param.to", "")
    for name in ("subject", "message"):
        action[name] = next((given[key] for key in (f"{name}.{ours[0]}", name, f"{name}.{ours[1]}") if given.get(key)), "")
    action["priority"] = _priority(given.get("priority", ""), lost)
    action |= _look(given, lost)
    sends, inline, attached = (is_true(given.get(name) or "0") for name in ("sendresults", "inline", "sendcsv"))
    inline = sends and inline
    attached = attached or sends and not inline
    action["results"] = "both" if inline and attached else "inline" if inline else "attached" if attached else "none"
    if is_true(given.get("sendpdf") or "0") or is_true(given.get("sendpng") or "0"):
        lost.append("its e-mail goes without the PDF or picture")
    said = {name: given[f"include.{name}"] for name in INCLUDED if given.get(f"include.{name}")}
    action["include"] = [name for name in INCLUDED if is_true(said.get(name, "1" if name in EMAIL["include"] else "0"))]
    unread = sorted(name for name in given if name not in _READ and not name.startswith(_OF_SENDING))
    if "mailserver" in unread:
        unread.remove("mailserver")
        if given["mailserver"] not in ("", "localhost"):
            lost.append(f"its mail server {given['mailserver']} is not used: the settings name one for all")
    if unread:
        lost.append(f"settings of its e-mail without meaning here: {', '.join(unread)}")
    return {name: value for name, value in action.items() if value != ""}


def _priority(text: str, lost: list[str]) -> str:
    if text.isdigit() and 1 <= int(text) <= len(PRIORITIES):
        return PRIORITIES[int(text) - 1]
    if text == "" or text.lower() in PRIORITIES or "$" in text:
        return text.lower() if "$" not in text else text
    lost.append(f'the priority "{text}" of its e-mail is not known')
    return ""


def _look(given: Mapping[str, str], lost: list[str]) -> dict[str, Any]:
    """Format, type of the text and most rows. The names of older versions stand for a type of the text."""
    form, kind = given.get("format", "").lower(), given.get("content_type", "").lower()
    if form in ("html", "plain", "text", "pdf"):
        form, kind = "", "plain" if form in ("plain", "text") else "html"
    if form and form not in FORMATS:
        lost.append(f'the format "{form}" of its e-mail is not known; rows stand in a table')
        form = ""
    if kind not in ("", "html", "plain"):
        kind = ""
    found: dict[str, Any] = {"format": form, "content_type": kind}
    most = given.get("maxresults", "")
    if re.fullmatch(r"\d+", most) and int(most) > 0:
        found["max_rows"] = min(int(most), MAX_ROWS)
        if int(most) > MAX_ROWS:
            lost.append(f"its e-mail has at most {MAX_ROWS:,} rows, not {int(most):,}")
    return found


def write_email(action: Mapping[str, Any]) -> dict[str, str]:
    """The settings that say what an action says."""
    found = {key: str(action[name]) for name, key in _NAMES.items() if action[name] != ""}
    found["priority"] = (
        str(PRIORITIES.index(action["priority"]) + 1) if action["priority"] in PRIORITIES else action["priority"]
    )
    found["subject"] = action["subject"]
    found |= {"message.alert": action["message"], "message.report": action["message"]}
    results = action["results"]
    found["sendresults"] = str(int(results != "none"))
    found["inline"] = str(int(results in ("inline", "both")))
    found["sendcsv"] = str(int(results in ("attached", "both")))
    found |= {f"include.{name}": str(int(name in action["include"])) for name in INCLUDED}
    return {"action.email": "1"} | {PREFIX + key: value for key, value in found.items()}
