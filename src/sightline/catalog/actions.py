"""What an alert does when it fires: the kinds of actions, what each wants, and what an e-mail is where nothing is said."""

from __future__ import annotations

import re
from collections.abc import Mapping
from email.utils import getaddresses
from typing import Any

from sightline.errors import UserError, nearest

ACTION_KINDS = ("webhook", "apprise", "email")
FORMATS = ("table", "csv", "raw")
PRIORITIES = ("highest", "high", "normal", "low", "lowest")
"""In the order of their numbers in a letter's head, from 1."""
INCLUDED = ("results_link", "view_link", "search", "trigger", "trigger_time")
"""What may be written below the message."""
MAX_ROWS = 10_000
"""Rows of one e-mail. Until it has ended they wait in the catalog, so that a restart loses none."""
EMAIL = {
    "kind": "email",
    "to": "",
    "cc": "",
    "bcc": "",
    "from": "",
    "subject": "Alert: $name$",
    "message": "$name$ found $job.resultCount$ rows.",
    "footer": "",
    "priority": "normal",
    "content_type": "html",
    "results": "none",
    "format": "table",
    "max_rows": MAX_ROWS,
    "include": ["results_link", "view_link"],
}
"""An e-mail's options with their defaults. `results` says where the rows stand, `format` how they look within the text."""
CHOICES = {
    "priority": PRIORITIES,
    "content_type": ("html", "plain"),
    "results": ("none", "inline", "attached", "both"),
    "format": FORMATS,
}


def check_action(action: Mapping[str, Any]) -> dict[str, Any]:
    """An action with its defaults filled in. Raises UserError for one that could never be taken."""
    kind = action.get("kind")
    if kind not in ACTION_KINDS:
        raise UserError(f'unknown kind of action "{kind}", wanted one of: {", ".join(ACTION_KINDS)}')
    if kind == "email":
        return _check_email(action)
    url = str(action.get("url", ""))
    if kind == "webhook" and not re.match(r"https?://[^/\s]+", url):
        raise UserError(f'a webhook wants an http or https url, got "{url}"')
    if kind == "apprise" and "://" not in url:
        raise UserError(f'an apprise action wants a url such as "mailto://...", got "{url}"')
    return dict(action)


def _check_email(action: Mapping[str, Any]) -> dict[str, Any]:
    for name in action:
        if name not in EMAIL:
            raise UserError(f'an email action has no "{name}"', hint=nearest(name, EMAIL))
    found = EMAIL | {name: value for name, value in action.items() if value not in ("", None)}
    for name, default in EMAIL.items():
        if isinstance(default, str) and not isinstance(found[name], str):
            raise UserError(f'an email action: {name} wants a text, got "{found[name]}"')
    if not (found["to"] or found["cc"] or found["bcc"]):
        raise UserError("an email action wants an address in to, cc or bcc, got none")
    for name in ("to", "cc", "bcc", "from"):
        # What a token will stand for is known when the alert fires.
        if "$" not in found[name]:
            addresses_in(found[name])
    for name, choices in CHOICES.items():
        if found[name] not in choices and not (name == "priority" and "$" in found[name]):
            raise UserError(f'an email action: {name} wants one of: {", ".join(choices)}, got "{found[name]}"')
    rows = found["max_rows"]
    if not isinstance(rows, int) or isinstance(rows, bool) or not 1 <= rows <= MAX_ROWS:
        raise UserError(f'an email action: max_rows wants a whole number from 1 to {MAX_ROWS:,}, got "{rows}"')
    include = found["include"]
    if not isinstance(include, list) or not all(name in INCLUDED for name in include):
        raise UserError(f'an email action: include wants a list of any of: {", ".join(INCLUDED)}, got "{include}"')
    return found


def addresses_in(text: str) -> list[str]:
    """The addresses of a text that has commas or semicolons between them. Raises UserError for what is none."""
    found = [address for _, address in getaddresses([" ".join(text.replace(";", ",").split())]) if address]
    for address in found:
        if not re.fullmatch(r"[^@\s]+@[^@\s]+", address):
            raise UserError(f'an address wants a @, got "{address}"')
    return found
