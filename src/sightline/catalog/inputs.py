"""Inputs of dashboards: what somebody chooses above the panels, for the tokens that the panels' searches hold.

An input fills `$<token>$`; one for a time range fills `$<token>.earliest$` and `$<token>.latest$`. Which value it has is the
page's business, and how values come into a search `web.filling`'s.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from sightline.errors import UserError, nearest

KINDS = ("dropdown", "radio", "link", "multiselect", "checkbox", "text", "time")
SEVERAL = frozenset(("multiselect", "checkbox"))
"""Kinds that hold several values at once."""
TYPED = frozenset(("text", "time"))
"""Kinds without choices."""
MAX_INPUTS = 50
MAX_CHOICES = 1000
INPUT = {
    "token": "",
    "kind": "dropdown",
    "label": "",
    "choices": [],
    "search": "",
    "earliest": "",
    "latest": "",
    "label_field": "",
    "value_field": "",
    "default": None,
    "select_first": False,
    "prefix": "",
    "suffix": "",
    "value_prefix": "",
    "value_suffix": "",
    "delimiter": " ",
}
"""An input with its defaults. `choices` come first, then the rows of `search`, over its own range or the page's. `default` is a
text, a list of texts for several values, or `{"earliest", "latest"}`; None is no value, and panels that name the token wait.
`prefix` and `suffix` go around the whole, `value_prefix` and `value_suffix` around each value, `delimiter` between them."""


def check_inputs(inputs: Any) -> list[dict[str, Any]]:
    """Inputs with their defaults filled in. Raises UserError naming the input that is wrong."""
    if not isinstance(inputs, list) or len(inputs) > MAX_INPUTS:
        raise UserError(f"inputs wants a list of at most {MAX_INPUTS}")
    checked: list[dict[str, Any]] = []
    for number, given in enumerate(inputs, start=1):
        if not isinstance(given, dict):
            raise UserError(f"input {number} wants a JSON object")
        found = _check_input(given, f'input {number} "{given.get("token", "")}"')
        if any(other["token"] == found["token"] for other in checked):
            raise UserError(f'input {number}: the token "{found["token"]}" is used twice')
        checked.append(found)
    return checked


def _check_input(given: Mapping[str, Any], where: str) -> dict[str, Any]:
    for name in given:
        if name not in INPUT:
            raise UserError(f'{where}: an input has no "{name}"', hint=nearest(name, INPUT))
    found = INPUT | given
    for name, default in INPUT.items():
        if isinstance(default, str | bool) and not isinstance(found[name], type(default)):
            raise UserError(f"{where}: {name} wants {'a text' if isinstance(default, str) else 'true or false'}")
    if not is_token(found["token"]):
        raise UserError(f'{where}: a token wants a letter, then letters, digits and _ . -, got "{found["token"]}"')
    if found["kind"] not in KINDS:
        raise UserError(f'{where} has unknown kind "{found["kind"]}", wanted one of: {", ".join(KINDS)}')
    found["choices"] = _check_choices(found["choices"], where)
    if found["kind"] not in TYPED and not found["choices"] and not found["search"].strip():
        raise UserError(f"{where}: a {found['kind']} wants choices, or a search for them")
    _check_default(found["kind"], found["default"], where)
    return found


def is_token(name: str) -> bool:
    """Whether an input may fill a token of this name. The two of the page's own range are taken."""
    return re.fullmatch(r"[A-Za-z_][\w.\-]{0,99}", name) is not None and name not in ("earliest", "latest")


def _check_choices(choices: Any, where: str) -> list[dict[str, str]]:
    if not isinstance(choices, list) or len(choices) > MAX_CHOICES:
        raise UserError(f"{where}: choices wants a list of at most {MAX_CHOICES:,}")
    checked = []
    for choice in choices:
        if not isinstance(choice, dict) or not isinstance(choice.get("value"), str):
            raise UserError(f'{where}: a choice wants {{"value": "...", "label": "..."}}, got {str(choice)[:80]}')
        checked.append({"value": choice["value"], "label": str(choice.get("label") or choice["value"])})
    return checked


def _check_default(kind: str, default: Any, where: str) -> None:
    if default is None:
        return
    if kind == "time":
        fits = isinstance(default, dict) and set(default) == {"earliest", "latest"}
        wanted = '{"earliest": "...", "latest": "..."}'
        texts = list(default.values()) if fits else []
    elif kind in SEVERAL:
        fits, wanted, texts = isinstance(default, list), "a list of texts", default
    else:
        fits, wanted, texts = True, "a text", [default]
    if not fits or not all(isinstance(text, str) for text in texts):
        raise UserError(f"{where}: the default of a {kind} wants {wanted}, got {str(default)[:80]}")
