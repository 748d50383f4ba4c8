"""Dashboard tokens in a search text: `$name$`, with a filter (`$name|s$`, or one that an app brings), and `$$` for a plain dollar sign."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from urllib.parse import quote

from sightline.search.syntax.expressions import quote_string

TOKEN = re.compile(r"\$(?!\$)([A-Za-z_][\w.:\-{}<>@ ]{0,100}?)(?:\|(\w+))?\$")
"""A token; names as Simple XML has them (`form.host`, `row.user name`, `click.value2`, `env:user`)."""


def names(text: str) -> list[str]:
    """Names of the tokens of a text, each once, in the order in which they come."""
    return list(dict.fromkeys(match.group(1) for match in TOKEN.finditer(text.replace("$$", "  "))))


def fill(text: str, value_of: Callable[[str, int], str | None]) -> str:
    """The text with its tokens replaced. `value_of` gets a name and where it stands; None leaves the token as it is."""
    out, position = [], 0
    while True:
        dollar = text.find("$", position)
        if dollar < 0:
            break
        if text.startswith("$$", dollar):
            out.append(text[position:dollar] + "$")
            position = dollar + 2
            continue
        match = TOKEN.match(text, dollar)
        value = value_of(match.group(1), dollar) if match else None
        if match is None or value is None:
            out.append(text[position : dollar + 1])
            position = dollar + 1
            continue
        out.append(text[position:dollar] + filtered(value, match.group(2)))
        position = match.end()
    return "".join(out) + text[position:]


def fill_known(text: str, values: Mapping[str, str]) -> str:
    """The text with the tokens that have a value replaced; `form.x` is the same as `x`."""
    return fill(text, lambda name, _: values.get(name, values.get(name.removeprefix("form."))))


def filtered(value: str, name: str | None) -> str:
    """A token's value as its filter writes it: `s` in quotes, `u` for an address, `h` for a page, `n` and those of an app as it is."""
    if name == "s":
        return quote_string(value) if not value.startswith('"') else value
    if name == "u":
        return quote(value, safe="")
    if name == "h":
        return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return value
