"""What an app's `props.conf` and `transforms.conf` say about events on their way in, as rules of `sourcetypes.yml`.

Enters: an app's stanzas. Leaves: rules as they are written in the file, and what could not be brought, with the setting's name.
What is searched with (EXTRACT, REPORT, EVAL, LOOKUP) is not touched here: it stays in the stanzas.
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from sightline.catalog.conf import Stanzas
from sightline.catalog.stanzas import FALSE_WORDS
from sightline.config import RuleSettings
from sightline.errors import UserError
from sightline.sourcetypes import patterns, read_rules
from sightline.sourcetypes.following import FILE
from sightline.sourcetypes.times import FormatProblem, read_format

Rule = dict[str, Any]
_ALWAYS = re.compile(r"\^?\(?(?:\.[*+]?|)\)?\$?|\(\?s\)\.\*?")
"""Patterns that fit every event."""
_NEVER = ("((?!))", "((*FAIL))", "(?!)", "((?!.))", "((*FAIL)")
_END_OF_LINE = re.compile(r"\((?:\[(?:\\r|\\n)+\]|\\r?\??\\n|(?:\\r|\\n)+|\\n|\\r)[+*]?\)")
_CONTINUING = ("BREAK_ONLY_BEFORE", "MUST_BREAK_AFTER", "BREAK_ONLY_BEFORE_DATE")
_LEFT_OUT = ("MUST_NOT_BREAK_AFTER", "MUST_NOT_BREAK_BEFORE", "PREAMBLE_REGEX", "EVENT_BREAKER", "unarchive_cmd", "RULESET")
_PLACES = {"_raw": "text", "MetaData:Host": "host", "MetaData:Source": "source", "MetaData:Sourcetype": "sourcetype"}
_PREFIXES = {"host": "host::", "source": "source::", "sourcetype": "sourcetype::"}
_EXTRACTIONS = {
    "json": ({"form": "json"}, None),
    "hec": ({"form": "json"}, None),
    "csv": ({"form": "csv"}, ","),
    "tsv": ({"form": "tsv"}, "tab"),
    "w3c": ({"form": "w3c"}, "space"),
}


@dataclass
class Converted:
    """Rules by sourcetype, and what is not in them: sourcetype and text."""

    rules: dict[str, Rule] = field(default_factory=dict)
    notes: list[tuple[str, str]] = field(default_factory=list)


def convert(props: Stanzas, transforms: Stanzas) -> Converted:
    """The rules that the stanzas say."""
    found = Converted()
    for stanza, settings in props.items():
        note = lambda text, stanza=stanza: found.notes.append((stanza, text))  # noqa: E731
        rule = _Stanza(settings, transforms, note).rule()
        if not rule:
            continue
        if stanza.startswith(("source::", "host::", "(?::")) or stanza == "default":
            note("rules hold for sourcetypes; those of sources, hosts and [default] are not brought")
            continue
        found.rules[stanza] = rule
    return found


class _Stanza:
    """One stanza of props on its way."""

    def __init__(self, settings: Mapping[str, str], transforms: Stanzas, note: Callable[[str], None]) -> None:
        self.settings = {key: value.strip() for key, value in settings.items()}
        self.transforms = transforms
        self.note = note

    def rule(self) -> Rule:
        made: Rule = {}
        self._charset(made)
        self._events(made)
        self._time(made)
        self._masks(made)
        self._transforms(made)
        for key in _LEFT_OUT:
            if key in self.settings:
                self.note(f"{key} is not brought")
        return made

    # -- text and time

    def _charset(self, made: Rule) -> None:
        charset = self.settings.get("CHARSET", "")
        if charset and charset.upper() not in ("AUTO", "UTF-8"):
            if self._reads({"charset": charset}):
                made["charset"] = charset
            else:
                self.note(f"CHARSET {charset} is not known")

    def _events(self, made: Rule) -> None:
        events = self._breaking()
        extraction = self.settings.get("INDEXED_EXTRACTIONS", "").lower()
        if extraction:
            self._indexed(extraction, made, events)
        for key, name, low, high in (
            ("MAX_EVENTS", "max_lines", 1, 100_000),
            ("TRUNCATE", "max_characters", 100, 1_000_000),
        ):
            given = self.settings.get(key, "")
            if given.isdigit() and low <= int(given) <= high:
                events[name] = int(given)
            elif given and given != "0":
                self.note(f"{key} {given} is not from {low} to {high}")
        if events:
            made["events"] = events

    def _breaking(self) -> Rule:
        merges = self.settings.get("SHOULD_LINEMERGE", "").lower()
        breaker = self.settings.get("LINE_BREAKER", "")
        if merges in FALSE_WORDS or (breaker and not any(key in self.settings for key in _CONTINUING)):
            return self._of_breaker(breaker) if breaker else {"form": "line"}
        if breaker and not _END_OF_LINE.fullmatch(breaker):
            self.note("LINE_BREAKER together with the merging of lines is not brought: only the merging is")
        for key, name in (("BREAK_ONLY_BEFORE", "begin"), ("MUST_BREAK_AFTER", "end")):
            pattern = self.settings.get(key, "")
            if pattern and self._usable(key, pattern):
                return {name: pattern}
        return {}

    def _of_breaker(self, breaker: str) -> Rule:
        if breaker in _NEVER:
            return {"form": "whole"}
        line_end = _END_OF_LINE.match(breaker)
        if line_end:
            rest = breaker[line_end.end() :]
            look = re.fullmatch(r"\(\?([=!])(.*)\)", rest, re.S)
            if not rest:
                return {"form": "line"}
            if look and patterns.without_groups(look[2]).count("(") == look[2].count("("):
                pattern = f"^(?:{look[2]})"
                if self._usable("LINE_BREAKER", pattern):
                    return {"begin" if look[1] == "=" else "continue": pattern}
                return {}
            if not patterns.foreign(rest) and self._usable("LINE_BREAKER", f"^(?:{rest})"):
                return {"begin": f"^(?:{rest})"}
        if self._usable("LINE_BREAKER", breaker):
            if self._reads({"events": {"split": breaker}}):
                return {"split": breaker}
            self.note("LINE_BREAKER wants its first group at the top of the pattern; it is not brought")
        return {}

    def _indexed(self, extraction: str, made: Rule, events: Rule) -> None:
        if extraction not in _EXTRACTIONS and extraction != "psv":
            self.note(f"INDEXED_EXTRACTIONS {extraction} is not brought")
            return
        names = [name for name in re.split(r"[\s,]+", self.settings.get("FIELD_NAMES", "")) if name]
        if extraction == "psv" or (names and extraction not in ("json", "hec")):
            separator = {"psv": "|", "tsv": "tab", "w3c": "space"}.get(extraction, ",")
            if not names:
                self.note("INDEXED_EXTRACTIONS psv wants FIELD_NAMES here")
                return
            events["form"] = "line"
            made["fields"] = [{"separator": separator, "names": names}]
        else:
            form, usual_separator = _EXTRACTIONS[extraction]
            for key in ("begin", "continue", "end", "split", "form"):
                events.pop(key, None)
            events.update(form)
            if usual_separator:
                made["fields"] = [{"separator": usual_separator}]
        stamps = [name for name in re.split(r"[\s,]+", self.settings.get("TIMESTAMP_FIELDS", "")) if name]
        if len(stamps) == 1:
            made["time"] = {"field": stamps[0]}
        elif stamps:
            self.note("TIMESTAMP_FIELDS with several fields is not brought: the time is recognised")

    def _time(self, made: Rule) -> None:
        if self.settings.get("DATETIME_CONFIG", "").upper() in ("CURRENT", "NONE"):
            made["time"] = {"received": True}
            return
        time: Rule = made.get("time", {})
        prefix, form, zone = (self.settings.get(key, "") for key in ("TIME_PREFIX", "TIME_FORMAT", "TZ"))
        if prefix and prefix != "^" and "field" not in time and self._usable("TIME_PREFIX", prefix):
            time["after"] = prefix
        if form:
            try:
                read_format(form)
                time["format"] = form
            except FormatProblem as problem:
                self.note(f"TIME_FORMAT: {problem}")
        ahead = self.settings.get("MAX_TIMESTAMP_LOOKAHEAD", "")
        if ahead.isdigit() and int(ahead) > 0 and "field" not in time:
            time["within"] = min(int(ahead), 900)
        if zone:
            if self._reads({"time": {"zone": zone}}):
                time["zone"] = zone
            else:
                self.note(f"TZ {zone} is not known")
        if time:
            made["time"] = time

    # -- masks

    def _masks(self, made: Rule) -> None:
        masks = []
        for key in sorted(self.settings):
            if key.startswith("SEDCMD-"):
                mask = self._mask(key, self.settings[key])
                if mask:
                    masks.append({"name": key.removeprefix("SEDCMD-")} | mask)
        if masks:
            made["mask"] = masks

    def _mask(self, key: str, command: str) -> Rule | None:
        parts = _sed_parts(command)
        if parts is None:
            self.note(f"{key}: only s/pattern/replacement/ is brought; what it masks is not masked")
            return None
        pattern, replacement, flags = parts
        if flags.strip("gi"):
            self.note(f"{key}: the flag {flags} is not brought; what it masks is not masked")
            return None
        pattern = ("(?i)" if "i" in flags else "") + pattern
        if not self._usable(key, pattern, lost="; what it masks is not masked"):
            return None
        mask: Rule = {"match": pattern, "with": _replacement(replacement)}
        if "g" not in flags:
            mask["once"] = True
        if not self._reads({"mask": mask}):
            self.note(f"{key}: its replacement is not brought; what it masks is not masked")
            return None
        return mask

    # -- transforms

    def _transforms(self, made: Rule) -> None:
        queue: list[tuple[str, str, Rule]] = []
        for key in sorted(self.settings):
            if not key.startswith("TRANSFORMS"):
                continue
            for name in re.split(r"\s*,\s*", self.settings[key]):
                transform = self.transforms.get(name)
                if transform is None:
                    self.note(f'{key}: there is no transform "{name}"')
                    continue
                self._transform(name, {k: v.strip() for k, v in transform.items()}, made, queue)
        self._queue(made, queue)

    def _transform(self, name: str, transform: Mapping[str, str], made: Rule, queue: list[tuple[str, str, Rule]]) -> None:
        pattern, target, form = (transform.get(k, "") for k in ("REGEX", "DEST_KEY", "FORMAT"))
        source = _PLACES.get(transform.get("SOURCE_KEY", "_raw"))
        if source is None or not pattern or "INGEST_EVAL" in transform or "CLONE_SOURCETYPE" in transform:
            self.note(f'the transform "{name}" has no REGEX over the text, host, source or sourcetype; it is not brought')
            return
        always = target in ("queue", "_MetaData:Index") and bool(_ALWAYS.fullmatch(pattern))
        pattern = "(?s).?" if always else pattern
        if not self._usable(f'the transform "{name}"', pattern):
            return
        condition: Rule = {"name": name, "match": pattern} | ({} if source == "text" else {"in": source})
        if target == "queue":
            queue.append(("drop" if form == "nullQueue" else "keep", "all" if always else "", condition))
        elif target == "_MetaData:Index":
            self._put(made, "route", condition | {"index": form}, name)
        elif target in _PLACES and target != "_raw":
            place = _PLACES[target]
            self._put(made, "set", condition | {place: _replacement(form.removeprefix(_PREFIXES[place]), "$")}, name)
        elif target == "_raw" and source == "text":
            mask = {"name": name, "match": f"(?s:^.*?)(?:{pattern})(?s:.*$)", "with": _replacement(form, "$"), "once": True}
            self._put(made, "mask", mask, name)
        elif not target or target == "_meta":
            self._fields(name, pattern, form, made, source)
        else:
            self.note(f'the transform "{name}" writes {target}, which is not brought')

    def _fields(self, name: str, pattern: str, form: str, made: Rule, source: str) -> None:
        groups = patterns.groups(pattern)
        names = ["_"] * len(groups)
        for key, number in re.findall(r'([\w.-]+)::"?\$(\d+)"?', form):
            if int(number) <= len(names) and int(number) > 0:
                names[int(number) - 1] = key
        if source != "text" or (form and not any(n != "_" for n in names)) or (not form and not any(groups)):
            self.note(f'the transform "{name}" names no field after a group of its REGEX; it is not brought')
            return
        self._put(made, "fields", {"match": pattern, "names": names} if form else {"match": pattern}, name)

    def _put(self, made: Rule, key: str, step: Rule, name: str) -> None:
        if self._reads({key: [step]}):
            made.setdefault(key, []).append(step)
        else:
            self.note(f'the transform "{name}" has a FORMAT that is not brought')

    def _queue(self, made: Rule, queue: list[tuple[str, str, Rule]]) -> None:
        """Of several transforms that fit an event the last one decides."""
        while queue and queue[0][0] == "keep":
            queue.pop(0)
        keeps = [step for kind, _, step in queue if kind == "keep"]
        if not keeps:
            if queue:
                made["drop"] = [step for _, _, step in queue]
            return
        first_keep = next(n for n, (kind, _, _) in enumerate(queue) if kind == "keep")
        if all(scope == "all" for _, scope, _ in queue[:first_keep]) and all(
            kind == "keep" for kind, _, _ in queue[first_keep:]
        ):
            made["keep"] = keeps
        elif all(scope == "all" for _, scope, _ in queue[:1]):
            made["keep"] = keeps
            made["drop"] = [step for kind, _, step in queue[first_keep:] if kind == "drop"]
        else:
            names = ", ".join(step["name"] for _, _, step in queue)
            self.note(
                f"the transforms {names} drop some events and keep some of these, which is not brought: nothing is dropped"
            )

    # -- what the rules take

    def _usable(self, what: str, pattern: str, lost: str = "") -> bool:
        problem = patterns.problem_of(pattern) or _syntax_problem(pattern)
        if problem:
            self.note(f"{what}: {problem}{lost}")
        return not problem

    @staticmethod
    def _reads(rule: Rule) -> bool:
        try:
            read_rules(yaml.safe_dump({"sourcetypes": {"x": rule}}))
        except UserError:
            return False
        return True


def put_rules(
    converted: Converted, data: Path, settings: RuleSettings | None = None, *, write: bool = True
) -> dict[str, str]:
    """Adds rules to the file of a data directory and says for each sourcetype `created`, `unchanged`, or why it is left out.

    What the file says already stays as it is. Raises UserError when the file cannot be read as it is.
    """
    path = data / FILE
    text = path.read_text(encoding="utf-8") if path.exists() else ""
    read_rules(text, FILE, settings)
    present = (yaml.safe_load(text) or {}).get("sourcetypes") or {}
    states = {}
    added: dict[str, Rule] = {}
    for name, rule in converted.rules.items():
        if name not in present:
            states[name] = "created"
            added[name] = rule
        else:
            states[name] = "unchanged" if present[name] == rule else f"{FILE} has other rules for it, which stay"
    if not added or not write:
        return states
    block = "".join("  " + line + "\n" for line in print_rules(added).splitlines())
    if present:
        text = text.rstrip("\n") + "\n" + block
    else:
        text = re.sub(r"(?m)^sourcetypes:.*$\n?", "", text) + "sourcetypes:\n" + block
    try:
        kept = read_rules(text, FILE, settings)
        if any(kept.find(name) is None for name in (*added, *present)):
            raise UserError("not all of it would be read")
    except UserError as error:
        # A file whose mapping is written on one line, or indented in another way.
        raise UserError(f"the rules cannot be added at the end of {path}: {error}") from error
    staged = path.with_suffix(f".{os.getpid()}")
    staged.write_text(text, encoding="utf-8")
    staged.replace(path)
    return states


def print_rules(rules: Mapping[str, Rule]) -> str:
    """Rules as they stand in the file, below `sourcetypes:`."""
    return yaml.safe_dump(dict(rules), sort_keys=False, allow_unicode=True, width=100_000)


def _sed_parts(command: str) -> tuple[str, str, str] | None:
    """Pattern, replacement and flags of `s/a/b/g`, whatever the separator."""
    if len(command) < 4 or command[0] != "s" or command[1].isalnum():
        return None
    separator, parts, current, position = command[1], [], "", 2
    while position < len(command):
        character = command[position]
        if character == "\\" and position + 1 < len(command):
            following = command[position + 1]
            current += following if following == separator else character + following
            position += 2
            continue
        if character == separator:
            parts.append(current)
            current = ""
        else:
            current += character
        position += 1
    return (parts[0], parts[1], current.strip()) if len(parts) == 2 else None


def _replacement(text: str, sign: str = "\\") -> str:
    r"""A replacement with `\1` for groups, of one that has `\1` or `$1`."""
    if sign == "$":
        text = text.replace("\\", "\\\\")
        return re.sub(r"\$(\d)", r"\\\1", text)
    named = {"n": "\n", "t": "\t", "r": "\r"}
    return re.sub(r"\\(.)", lambda m: m[0] if m[1].isdigit() or m[1] == "\\" else named.get(m[1], m[1]), text, flags=re.S)


def _syntax_problem(pattern: str) -> str:
    """What Python's own reader of patterns finds wrong, where it reads the same language."""
    text = re.sub(r"\(\?<(?=\w)", "(?P<", pattern)
    text = re.sub(r"\(\?[imsU]+\)", "", text).replace("\\z", "\\Z")
    if re.search(r"\\[pPQC]|\[\[:|\\x\{", text):
        return ""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(text)
    except re.error as error:
        return f"not a regular expression: {error}"
    return ""
