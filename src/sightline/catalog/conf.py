"""Splunk's configuration files: stanzas of `key = value` lines, read and written.

Enters the text of `savedsearches.conf`, `macros.conf`, `props.conf` and their like; leaves stanzas in their order, each a
dictionary of texts. A line that ends in a backslash goes on in the next one, with the line end kept, because searches and
regular expressions are written over several lines. What cannot be read is told with its line and loses nothing else.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

Stanzas = dict[str, dict[str, str]]

DEFAULT_STANZA = "default"
"""Settings before the first stanza, or in `[default]`, hold for every stanza of the file."""


@dataclass
class ConfText:
    """A file's stanzas, and what in it could not be read (`line 7: ...`)."""

    stanzas: Stanzas = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)


def read_conf(text: str) -> ConfText:
    """The stanzas of a configuration file. A stanza or key that comes again replaces what came before, key by key."""
    found = ConfText()
    stanza = DEFAULT_STANZA
    lines = iter(enumerate(text.removeprefix("\ufeff").replace("\r\n", "\n").split("\n"), 1))
    for number, line in lines:
        stripped = line.strip()
        if not stripped or stripped[0] in "#;":
            continue
        if stripped[0] == "[":
            end = stripped.rfind("]")
            if end < 0:
                found.problems.append(f'line {number}: a stanza wants "]", got "{stripped[:80]}"')
                continue
            stanza = stripped[1:end].strip()
            found.stanzas.setdefault(stanza, {})
            continue
        key, equals, value = line.partition("=")
        while value.endswith("\\") or (not equals and line.endswith("\\")):
            following = next(lines, None)
            value = value[:-1] + ("" if following is None else "\n" + following[1])
            if following is None or not equals:
                break
        if not equals:
            found.problems.append(f'line {number}: wanted "key = value", got "{stripped[:80]}"')
            continue
        found.stanzas.setdefault(stanza, {})[key.strip()] = value.strip()
    return found


def merge_conf(layers: Iterable[Mapping[str, Mapping[str, str]]]) -> Stanzas:
    """Stanzas of several files of one name; later files win, key by key (`default/` before `local/`)."""
    merged: Stanzas = {}
    for layer in layers:
        for name, settings in layer.items():
            merged.setdefault(name, {}).update(settings)
    return merged


def with_defaults(stanzas: Mapping[str, Mapping[str, str]]) -> Stanzas:
    """The stanzas with what `[default]` says filled in, and without `[default]` itself."""
    common = stanzas.get(DEFAULT_STANZA, {})
    return {name: {**common, **settings} for name, settings in stanzas.items() if name != DEFAULT_STANZA}


def print_conf(stanzas: Mapping[str, Mapping[str, str]]) -> str:
    """The text of a configuration file that reads back as these stanzas."""
    blocks = []
    for name, settings in stanzas.items():
        lines = [f"[{name}]"] + [f"{key} = " + value.replace("\n", "\\\n") for key, value in settings.items()]
        blocks.append("\n".join(lines) + "\n")
    return "\n".join(blocks)
