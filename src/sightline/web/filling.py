"""A dashboard with the values of its inputs filled in: the searches, ranges and titles that its panels then have.

Enters a definition and what somebody chose, which often comes with a link. Leaves panels whose searches can run, or what they
wait for. The definition's own choices are put into a search as they are, because its author wrote both. Anything else, typed
or found by a search, must stay a value: within quotes it is escaped, and one that would add or change a command is refused.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from sightline.apps import tokens
from sightline.catalog.inputs import SEVERAL
from sightline.errors import SearchError, UserError
from sightline.search.syntax.expressions import quote_string
from sightline.search.syntax.parser import parse_pipeline
from sightline.search.syntax.source import read_source
from sightline.search.syntax.tree import Pipeline

Given = Mapping[str, str | list[str]]
"""Values by token; `earliest` and `latest` are the page's range."""
_RUN_TEXTS = ("map", "savedsearch")
"""Commands that fill in texts of their own and run them."""
_STRING = re.compile(r'\\.|"', re.S)


@dataclass(frozen=True, slots=True)
class Piece:
    """A part of a token's value; `foreign` when it is not the author's own text."""

    text: str
    foreign: bool = False


Value = tuple[Piece, ...]


def fill_dashboard(definition: Mapping[str, Any], given: Given) -> dict[str, Any]:
    """What each panel and each input is with these values, by the panel's id and the input's token."""
    chosen = {input["token"]: chosen_values(input, given) for input in definition["inputs"]}
    filling = _Filling(definition["inputs"], chosen, given)
    return {
        "panels": {panel["id"]: filling.texts(panel) | {"title": filling.plain(panel["title"])} for panel in definition["panels"]},
        "inputs": {
            input["token"]: filling.texts(input) | {"values": chosen[input["token"]]} for input in definition["inputs"]
        },
    }  # fmt: skip


def chosen_values(input: Mapping[str, Any], given: Given) -> list[str]:
    """What an input holds: what was chosen, else its default; empty while it has no value. A time range is two texts."""
    token, default = input["token"], input["default"]
    if input["kind"] == "time":
        ends = [_one(given.get(f"{token}.{end}")) or (default or {}).get(end, "") for end in ("earliest", "latest")]
        return [ends[0], ends[1] or "now"] if ends[0] else []
    values = given.get(token, [])
    values = [value for value in ([values] if isinstance(values, str) else values) if value]
    if not values and default is not None:
        values = default if isinstance(default, list) else [default]
    if not values and input["select_first"] and input["choices"]:
        values = [input["choices"][0]["value"]]
    return values if input["kind"] in SEVERAL else values[:1]


def _one(value: str | list[str] | None) -> str:
    return (value[-1] if value else "") if isinstance(value, list) else value or ""


class _Filling:
    """The tokens of a dashboard and what stands for each."""

    def __init__(self, inputs: list[dict[str, Any]], chosen: Mapping[str, list[str]], given: Given) -> None:
        self._labels: dict[str, str] = {}
        self._values: dict[str, Value | None] = {}
        for end in ("earliest", "latest"):
            if text := _one(given.get(end)):
                self._values[end] = (Piece(text, True),)
        for input in inputs:
            self._add(input, chosen[input["token"]])

    def _add(self, input: Mapping[str, Any], values: list[str]) -> None:
        token, default = input["token"], input["default"]
        own = {choice["value"] for choice in input["choices"]} | {""}
        own |= set(default if isinstance(default, list) else default.values() if isinstance(default, dict) else [default])
        pieces = [Piece(value, value not in own) for value in values]
        if input["kind"] == "time":
            for name, piece in zip(("earliest", "latest"), pieces or (None, None), strict=True):
                self._put(f"{token}.{name}", (piece,) if piece else None, input)
            return
        whole: list[Piece] = [Piece(input["prefix"])]
        for number, piece in enumerate(pieces):
            before = input["value_prefix"] if number == 0 else input["delimiter"] + input["value_prefix"]
            whole += [Piece(before), piece, Piece(input["value_suffix"])]
        plain = [part for piece in pieces for part in (Piece(","), piece)][1:]
        self._put(token, (*whole, Piece(input["suffix"])) if values else None, input)
        self._put(f"form.{token}", tuple(plain) if values else None, input)

    def _put(self, name: str, value: Value | None, input: Mapping[str, Any]) -> None:
        self._values[name] = value
        self._labels[name] = input["label"] or input["token"]

    def _of(self, name: str) -> tuple[bool, Value | None]:
        """Whether there is such a token, and what stands for it now."""
        for known in (name, name.removeprefix("form.")):
            if known in self._values:
                return True, self._values[known]
        return False, None

    def plain(self, text: str) -> str:
        """A title or an end of a range with its tokens filled as far as they have values."""
        return self._filled(text, lambda value, _: _joined(value))

    def texts(self, searched: Mapping[str, Any]) -> dict[str, Any]:
        """Search and range of a panel or an input, the labels of inputs that it waits for, and why it cannot run."""
        search, ranges = searched["search"], {end: searched.get(end) or "" for end in ("earliest", "latest")}
        named = [name for text in (search, *ranges.values()) for name in tokens.names(text)]
        waits = [
            self._labels.get(name) or self._labels[name.removeprefix("form.")]
            for name in named
            if self._of(name) == (True, None)
        ]
        found = {end: self.plain(text) for end, text in ranges.items()}
        found |= {"search": search, "waits_for": list(dict.fromkeys(waits)), "problem": ""}
        if not waits:
            foreign = {
                piece.text: self._labels.get(name, name)
                for name in tokens.names(search)
                for piece in self._of(name)[1] or ()
                if piece.foreign
            }
            found["search"] = self._searched(search, foreign)
            if wrong := self._changing(search, foreign) if foreign else []:
                listed = ", ".join(f'"{text[:80]}" of "{foreign[text]}"' for text in wrong)
                found["problem"] = f"the value {listed} would change the commands of the search"
        return found

    def _filled(self, text: str, write: Callable[[Value, str], str]) -> str:
        """The text with what `write` makes of each value; it gets the text before the value as well."""

        def value_of(name: str, filter: str | None, before: str) -> str | None:
            _, value = self._of(name)
            if value is None:
                return None
            return write(value, before) if filter is None else tokens.filtered(write(value, ""), filter)

        return tokens.fill(text, value_of)

    def _searched(self, search: str, kept: Container[str]) -> str:
        """The search with the values in it; a word stands for each that is not the author's and not to be kept."""

        def write(value: Value, before: str) -> str:
            return _written([piece if piece.text in kept or not piece.foreign else Piece("x") for piece in value], before)

        return self._filled(search, write)

    def _changing(self, search: str, foreign: Mapping[str, str]) -> list[str]:
        """Those values which are not the author's and would be more than a value in the search."""
        shape = _shape(self._searched(search, ()))
        # Commands in a text that is filled in once more, and what a macro calls, are not seen in the search itself.
        opaque = shape is None or "`" in search or any(name in str(shape) for name in _RUN_TEXTS)
        hidden = re.compile(r"[`|\[\]]" if opaque else "`")
        wrong = [text for text in foreign if hidden.search(text)]
        if _shape(self._searched(search, foreign)) != shape:
            wrong += [text for text in foreign if _shape(self._searched(search, (text,))) != shape] or list(foreign)
        return list(dict.fromkeys(wrong))


def _joined(value: Iterable[Piece]) -> str:
    return "".join(piece.text for piece in value)


def _written(value: Iterable[Piece], before: str) -> str:
    """A value as it stands behind a text: what is foreign is escaped within quotes."""
    out = before
    for piece in value:
        out += quote_string(piece.text)[1:-1] if piece.foreign and _within_quotes(out) else piece.text
    return out[len(before) :]


def _within_quotes(text: str) -> bool:
    return sum(match.group() == '"' for match in _STRING.finditer(text)) % 2 == 1


def _shape(text: str) -> Any:
    """The commands of a search, with those of its subsearches; None for one that cannot be read."""
    try:
        return _commands(parse_pipeline(read_source(text)))
    except (SearchError, UserError):
        return None


def _commands(pipeline: Pipeline) -> Any:
    return [(stage.name, [_commands(inner) for inner, _ in stage.subsearches.values()]) for stage in pipeline.stages]
