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


def fill(text: str, value_of: Callable[[str, str | None, str], str | None], dollar: str = "$") -> str:
    """The text with its tokens replaced, and `$$` by `dollar`.

    `value_of` gets a name, its filter, and the filled text before it; None leaves the token as it is.
    """
    out, position = "", 0
    while True:
        found = text.find("$", position)
        if found < 0:
            break
        out += text[position:found]
        if text.startswith("$$", found):
            out += dollar
            position = found + 2
            continue
        match = TOKEN.match(text, found)
        value = value_of(match.group(1), match.group(2), out) if match else None
        out += "$" if match is None or value is None else value
        position = found + 1 if match is None or value is None else match.end()
    return out + text[position:]


def fill_known(text: str, values: Mapping[str, str], dollar: str = "$") -> str:
    """The text with the tokens that have a value replaced; `form.x` is the same as `x`."""

    def value_of(name: str, filter: str | None, _: str) -> str | None:
        value = values.get(name, values.get(name.removeprefix("form.")))
        return None if value is None else filtered(value, filter)

    return fill(text, value_of, dollar)


def filtered(value: str, name: str | None) -> str:
    """A token's value as its filter writes it: `s` in quotes, `u` for an address, `h` for a page, `n` and those of an app as it is."""
    if name == "s":
        return quote_string(value) if not value.startswith('"') else value
    if name == "u":
        return quote(value, safe="")
    if name == "h":
        return value.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    return value
