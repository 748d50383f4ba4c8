"""Configuration files that lose nothing: what Splunk's format cannot hold is written as JSON under names of our own.

The format trims values, continues a line that ends in a backslash and takes some names for something else. A setting that
would not read back as it is becomes `sightline.setting.<n> = ["<name>", "<value>"]`, and a stanza whose name would not,
`[sightline <n>]` with `sightline.name`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping

from sightline.catalog.conf import DEFAULT_STANZA, Stanzas, print_conf, read_conf
from sightline.errors import UserError

OWN = "sightline."
_SETTING = OWN + "setting."
_NAME = OWN + "name"


def print_stanzas(stanzas: Iterable[tuple[str, Mapping[str, str]]], *, default_is_a_name: bool = False) -> str:
    """The text of a file. Stanzas of the same name are kept apart; with `default_is_a_name` so is one that is called default."""
    written: Stanzas = {}
    for number, (name, settings) in enumerate(stanzas, 1):
        kept = _settings(settings)
        fits = _survives({name: {"a": "b"}}) and not (default_is_a_name and name == DEFAULT_STANZA)
        if fits and name not in written:
            written[name] = kept
        else:
            written[f"sightline {number}"] = {_NAME: json.dumps(name), **kept}
    return print_conf(written)


def _settings(settings: Mapping[str, str]) -> dict[str, str]:
    kept: dict[str, str] = {}
    for number, (key, value) in enumerate(settings.items(), 1):
        if _survives({"s": {key: value}}):
            kept[key] = value
        else:
            kept[f"{_SETTING}{number}"] = json.dumps([key, value])
    return kept


def _survives(stanzas: Stanzas) -> bool:
    text = print_conf(stanzas)
    found = read_conf(text)
    # A file with a zero byte is no text.
    return found.stanzas == stanzas and not found.problems and "\0" not in text


def with_own_settings(stanzas: Stanzas, tell: Callable[[str, str], None]) -> Stanzas:
    """Stanzas with the settings that `print_stanzas` was given. `tell` is told the stanza and what in it is no JSON."""
    return {name: _decoded(name, settings, tell) for name, settings in stanzas.items()}


def _decoded(name: str, settings: Mapping[str, str], tell: Callable[[str, str], None]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key, value in settings.items():
        if not key.startswith(_SETTING):
            found[key] = value
            continue
        try:
            inner, text = json.loads(value)
        except (ValueError, TypeError):
            tell(name, f'{key} wants ["name", "value"], got {value[:80]}')
        else:
            found[str(inner)] = str(text)
    return found


def with_own_names(stanzas: Stanzas, tell: Callable[[str, str], None]) -> Stanzas:
    """Stanzas under the names that `print_stanzas` was given."""
    found: Stanzas = {}
    for name, settings in stanzas.items():
        try:
            found[own_name(name, settings)] = without_name(settings)
        except UserError as error:
            tell(name, error.message)
    return found


def own_name(name: str, settings: Mapping[str, str]) -> str:
    """A stanza's name, or the one that is written in it. Raises UserError for one that is no JSON text."""
    if _NAME not in settings:
        return name
    try:
        found = json.loads(settings[_NAME])
    except ValueError:
        found = None
    if not isinstance(found, str):
        raise UserError(f"[{name}]: {_NAME} wants a JSON text, got {settings[_NAME][:80]}")
    return found


def without_name(settings: Mapping[str, str]) -> dict[str, str]:
    """The settings but for the one that tells the stanza's name."""
    return {key: value for key, value in settings.items() if key != _NAME}
