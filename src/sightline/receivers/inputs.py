"""What this machine itself has to tell: `<data>/inputs.yml` names files to follow and journals of systemd to read.

files:
  - paths: [/var/log/shop/*.log, /srv/models]   # globs (** goes deeper); a folder stands for all files in it
    exclude: ['*.tmp']                          # by name, or by the whole path where there is a / in it
    index: main
    sourcetype: shop
    host: web-1                                 # this machine's name by default
    fields: {team: risk}
    start: beginning                            # or end: of the files that are there at the first time, only what comes
journals:
  - directory: /var/log/journal                 # this machine's journal by default
    units: [ssh.service]                        # all by default
    index: main
    start: end                                  # or beginning
"""

from __future__ import annotations

import fnmatch
import os
import socket
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sightline.errors import UserError

FILE = "inputs.yml"
STARTS = ("beginning", "end")


@dataclass(frozen=True, slots=True)
class FilesInput:
    """One entry of `files`."""

    paths: tuple[str, ...]
    exclude: tuple[str, ...] = ()
    index: str = "main"
    sourcetype: str = "log"
    host: str = ""
    fields: dict[str, str] = field(default_factory=dict)
    start: str = "beginning"

    @property
    def name(self) -> str:
        """What tells this entry from others, also after the file was changed elsewhere."""
        return "\n".join(self.paths)

    def excludes(self, path: str) -> bool:
        """Whether a path that a glob found is not wanted."""
        name = os.path.basename(path)
        return any(fnmatch.fnmatch(path if "/" in pattern else name, pattern) for pattern in self.exclude)


@dataclass(frozen=True, slots=True)
class JournalInput:
    """One entry of `journals`."""

    directory: str = ""
    """Folder of journal files; empty is this machine's journal."""
    units: tuple[str, ...] = ()
    index: str = "main"
    fields: dict[str, str] = field(default_factory=dict)
    start: str = "end"

    @property
    def name(self) -> str:
        """What tells this entry from others."""
        return "\n".join(("journal", self.directory, *self.units))


@dataclass(frozen=True, slots=True)
class Inputs:
    """All of the file."""

    files: tuple[FilesInput, ...] = ()
    journals: tuple[JournalInput, ...] = ()


def read_inputs(path: Path) -> Inputs:
    """What a file says; nothing when it is not there. Raises UserError naming the place of a mistake."""
    if not path.exists():
        return Inputs()
    try:
        loaded = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise UserError(f"{path} is not valid YAML: {error}") from error
    entries = _mapping(loaded, ("files", "journals"), str(path))
    files = tuple(_files(one, f"{path}: files[{n}]") for n, one in enumerate(_list(entries, "files", str(path))))
    journals = tuple(_journal(one, f"{path}: journals[{n}]") for n, one in enumerate(_list(entries, "journals", str(path))))
    for kind, found in (("files", files), ("journals", journals)):
        names = [one.name for one in found]
        if twice := next((name for name in names if names.count(name) > 1), None):
            raise UserError(f"{path}: {kind} names the same twice: {' '.join(twice.split())}")
    return Inputs(files, journals)


def _files(given: Any, where: str) -> FilesInput:
    known = ("paths", "exclude", "index", "sourcetype", "host", "fields", "start")
    entry = _mapping(given, known, where)
    paths = _texts(entry, "paths", where)
    if not paths:
        raise UserError(f"{where} wants paths, a list of files, folders or globs")
    for one in paths:
        if not one.startswith("/"):
            raise UserError(f'{where}.paths wants whole paths, got "{one}"')
    return FilesInput(
        paths,
        _texts(entry, "exclude", where),
        _text(entry, "index", "main", where),
        _text(entry, "sourcetype", "log", where),
        _text(entry, "host", "", where) or socket.gethostname(),
        _fields(entry, where),
        _start(entry, "beginning", where),
    )


def _journal(given: Any, where: str) -> JournalInput:
    entry = _mapping(given, ("directory", "units", "index", "fields", "start"), where)
    directory = _text(entry, "directory", "", where)
    if directory and not directory.startswith("/"):
        raise UserError(f'{where}.directory wants a whole path, got "{directory}"')
    return JournalInput(
        directory,
        _texts(entry, "units", where),
        _text(entry, "index", "main", where),
        _fields(entry, where),
        _start(entry, "end", where),
    )


def _mapping(given: Any, known: tuple[str, ...], where: str) -> dict[str, Any]:
    if not isinstance(given, dict):
        raise UserError(f"{where} wants a mapping with: {', '.join(known)}")
    if unknown := sorted(str(name) for name in set(given) - set(known)):
        raise UserError(f"{where}: {', '.join(unknown)} is not known, wanted only: {', '.join(known)}")
    return given


def _list(entry: dict[str, Any], key: str, where: str) -> list[Any]:
    found = entry.get(key) or []
    if not isinstance(found, list):
        raise UserError(f"{where}: {key} wants a list")
    return found


def _texts(entry: dict[str, Any], key: str, where: str) -> tuple[str, ...]:
    found = entry.get(key) or []
    found = [found] if isinstance(found, str) else found
    if not isinstance(found, list) or not all(isinstance(one, str) and one for one in found):
        raise UserError(f"{where}.{key} wants a list of texts")
    return tuple(found)


def _text(entry: dict[str, Any], key: str, usual: str, where: str) -> str:
    found = entry.get(key, usual)
    if not isinstance(found, str):
        raise UserError(f'{where}.{key} wants a text, got "{found}"')
    return found


def _fields(entry: dict[str, Any], where: str) -> dict[str, str]:
    found = entry.get("fields") or {}
    if not isinstance(found, dict) or any(isinstance(value, dict | list) for value in found.values()):
        raise UserError(f"{where}.fields wants names with texts or numbers")
    return {str(name): str(value) for name, value in found.items() if value is not None}


def _start(entry: dict[str, Any], usual: str, where: str) -> str:
    found = entry.get("start", usual)
    if found not in STARTS:
        raise UserError(f'{where}.start wants beginning or end, got "{found}"')
    return found
