"""The inputs of a view as inputs of our dashboards, and what becomes of the tokens in its searches."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from sightline.apps import tokens
from sightline.apps.differences import bound_of_run
from sightline.apps.holes import Hole, fillings
from sightline.apps.simple_xml import Input, View
from sightline.catalog.inputs import MAX_CHOICES, MAX_INPUTS, SEVERAL, TYPED, check_inputs, is_token
from sightline.errors import UserError

WRITES = re.compile(
    r"\|\s*(outputlookup|outputcsv|outputtext|collect|mcollect|meventcollect|tscollect|delete|sendemail|sendalert)\b", re.I
)
_KINDS = {
    "dropdown": "dropdown", "radio": "radio", "link": "link", "multiselect": "multiselect", "checkbox": "checkbox",
    "text": "text", "number": "text", "time": "time", "timerange": "time",
}  # fmt: skip


@dataclass(frozen=True)
class Held:
    """What the tokens of a view hold: `fixed` once for all, those of `inputs` whatever is chosen on the page."""

    fixed: Mapping[str, str]
    inputs: Mapping[str, bool]
    """Names of the tokens of inputs, and whether each has a value before anybody chooses."""

    def known(self, text: str) -> str:
        """The text with the fixed tokens filled. Where there are inputs, `$$` stays for the page to read."""
        if not self.inputs:
            return tokens.fill_known(text, self.fixed)
        return tokens.fill_known(text, {name: value.replace("$", "$$") for name, value in self.fixed.items()}, "$$")

    def filled(self, text: str) -> tuple[str, list[str]]:
        """A search with every token filled that no input fills, and the names of those that have no first value."""
        known = self.known(text)
        # Words in place of the tokens of inputs: the bar of `$host|s$` would be read as a pipe.
        kept: list[str] = []

        def word(name: str, filter: str | None, _: str) -> str | None:
            if not self._is_input(name):
                return None
            kept.append(f"${name}|{filter}$" if filter else f"${name}$")
            return f"sightlineinput{len(kept)}x"

        worded = tokens.fill(known, word, "$$")
        found = list(tokens.TOKEN.finditer(worded.replace("$$", "  ")))
        if not found:
            return known, []
        tried = next(fillings(worded, [Hole(m.start(), m.end()) for m in found]))[0]
        filled = re.sub(r"sightlineinput(\d+)x", lambda m: kept[int(m.group(1)) - 1], tried)
        return filled, list(dict.fromkeys(m.group(1) for m in found))

    def is_open(self, text: str) -> bool:
        """Whether the tokens of inputs, and no others, are left in a text."""
        left = tokens.names(text)
        return bool(left) and all(map(self._is_input, left))

    def waits(self, text: str) -> bool:
        """Whether a text names an input that has no value before somebody chooses one."""
        return any(self._is_input(name) and not self.inputs[name.removeprefix("form.")] for name in tokens.names(text))

    def _is_input(self, name: str) -> bool:
        return name.removeprefix("form.") in self.inputs


def convert_inputs(view: View) -> tuple[list[dict[str, Any]], Held, list[str]]:
    """The inputs that a dashboard here can have, what its tokens hold, and what could not be brought."""
    lost: list[str] = []
    carried: dict[str, Input] = {}
    for input in view.inputs:
        if not input.token or (input.type in ("time", "timerange") and input.token in ("earliest", "latest")):
            # A range without a token is the page's own.
            continue
        if input.token not in carried and len(carried) < MAX_INPUTS and _fits(input, view):
            carried[input.token] = input
        else:
            lost.append(_fixed(input))
    open_tokens: dict[str, bool] = {}
    for token, input in carried.items():
        if _KINDS[input.type] == "time":
            open_tokens |= {f"{token}.earliest": True, f"{token}.latest": True}
        else:
            open_tokens[token] = input.default is not None or (input.select_first and bool(input.choices))
    if carried:
        # The page's own range, which an input for a range without a token chooses there.
        open_tokens |= {"earliest": True, "latest": True}
    held = Held({name: value for name, value in view.tokens.items() if name not in open_tokens}, open_tokens)
    inputs = []
    for input in carried.values():
        try:
            inputs += check_inputs([_convert(input, view, held, lost)])
        except UserError as error:
            lost.append(f"{_name(input)} is left out: {error.message}")
    return inputs, held, lost


def _fits(input: Input, view: View) -> bool:
    kind = _KINDS.get(input.type)
    if kind is None or not is_token(input.token):
        return False
    return kind in TYPED or bool(input.choices) or _search_of(input, view) != ""


def _search_of(input: Input, view: View) -> str:
    """The search for an input's choices; empty without one that may run whenever the page is opened."""
    if input.search is None:
        return ""
    try:
        text = view.whole_text(input.search).strip()
    except UserError:
        return ""
    return "" if WRITES.search(text) else text


def _fixed(input: Input) -> str:
    held = f'holds "{input.value}"' if input.value is not None else "has no first value"
    return f"{_name(input)} {held} and cannot be changed"


def _name(input: Input) -> str:
    return f'the input "{input.label or input.token}" ({input.type})'


def _convert(input: Input, view: View, held: Held, lost: list[str]) -> dict[str, Any]:
    kind, name = _KINDS[input.type], _name(input)
    lost += [f"{name} {text}" for text in input.unread]
    found: dict[str, Any] = {"token": input.token, "kind": kind, "label": input.label, **input.around}
    if kind == "time":
        bounds = (held.known(text) for text in (input.earliest, input.latest))
        earliest, latest = (bound_of_run(bound, lambda told: lost.append(f"{name}: {told}")) for bound in bounds)
        found["default"] = {"earliest": earliest or "-24h@h", "latest": latest or "now"}
    elif input.default is not None:
        found["default"] = input.default if kind in SEVERAL else input.default[0]
    if kind not in TYPED:
        found["choices"] = [{"value": value, "label": label} for value, label in input.choices[:MAX_CHOICES]]
        if len(input.choices) > MAX_CHOICES:
            lost.append(f"{name} has its first {MAX_CHOICES:,} choices, of {len(input.choices):,}")
        found["select_first"] = input.select_first
        text, open_tokens = held.filled(_search_of(input, view))
        if open_tokens:
            lost.append(f"{name}: the tokens {', '.join(f'${n}$' for n in open_tokens)} of its search were filled to fit")
        if text and input.search is not None:
            found |= {"search": text, "label_field": input.label_field, "value_field": input.value_field}
            for end, value in zip(("earliest", "latest"), view.range_of(input.search), strict=True):
                value = bound_of_run(held.known(value).strip(), lambda told: lost.append(f"{name}: {told}"))
                found[end] = value if "$" not in value or held.is_open(value) else ""
    return found
