"""Reads `sourcetypes.yml`: checks every key and value and says line and key of what is wrong.

A value is never guessed: an unknown key, a pattern the engine does not take, a format with an unknown letter is refused, and
with it the whole file, so that nothing is half in force.
"""

from __future__ import annotations

import functools
import re
import zoneinfo
from collections.abc import Callable
from dataclasses import replace
from importlib.resources import files
from typing import Any

import yaml

from sightline.config import RuleSettings
from sightline.errors import UserError, nearest
from sightline.sourcetypes import patterns
from sightline.sourcetypes.rules import (
    MAX_CHARACTERS,
    MAX_LINES,
    STEPS,
    TARGETS,
    TEXT,
    Breaking,
    Condition,
    Drop,
    Extraction,
    Mask,
    Naming,
    Route,
    Rule,
    Rules,
    Timing,
)
from sightline.sourcetypes.times import FormatProblem, read_format

FORMS = ("line", "whole", "json", "csv", "tsv", "w3c", "container")
_BUILT_IN = "built in"
_MAX_WITHIN = 900
"""Bytes in which a time may be looked for: RE2 repeats a thousand times at most."""
_INDEX = re.compile(r"[a-z0-9_][a-z0-9_-]{0,99}")
_CHARSETS = (
    *("UTF-8", "US-ASCII", "UTF-16", "UTF-16LE", "UTF-16BE", "UTF-32", "KOI8-R", "KOI8-U", "Shift_JIS", "EUC-JP", "EUC-KR"),
    *("GBK", "GB18030", "Big5", "macintosh", *(f"ISO-8859-{n}" for n in (1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 14, 15))),
    *(f"windows-{n}" for n in (874, *range(1250, 1259))),
)

CheckPattern = Callable[[str], str]
"""Says why the engine's matcher does not take a pattern; an empty text where it does."""


@functools.cache
def builtin_rules() -> tuple[Rule, ...]:
    """The rules that come with the program."""
    text = (files("sightline.sourcetypes") / "builtin.yml").read_text()
    return _File(text, _BUILT_IN, RuleSettings(), lambda _: "", {}).read()


def read_rules(
    text: str, name: str = "sourcetypes.yml", settings: RuleSettings | None = None, check: CheckPattern = lambda _: ""
) -> Rules:
    """The rules of a file together with the built-in ones, of which it may replace some. Raises UserError."""
    known = {rule.name: rule for rule in builtin_rules()}
    own = _File(text, name, settings or RuleSettings(), check, known).read()
    return Rules(tuple((known | {rule.name: rule for rule in own}).values()))


@functools.cache
def time_zones() -> frozenset[str]:
    """Names of time zones: of places, and those that every program knows."""
    return frozenset(z for z in zoneinfo.available_timezones() if "/" in z or z in ("UTC", "GMT"))


class _Node:
    """A value in the file with the path of keys that leads to it."""

    def __init__(self, file: _File, node: yaml.Node, path: str) -> None:
        self.file, self.node, self.path = file, node, path

    def wrong(self, text: str, hint: str = "") -> UserError:
        line = self.node.start_mark.line + 1
        return UserError(f"{self.file.name}, line {line}: {self.path}: {text}", hint)

    @property
    def given(self) -> str:
        if isinstance(self.node, yaml.ScalarNode):
            return f'"{self.node.value[:60]}"'
        return "a list" if isinstance(self.node, yaml.SequenceNode) else "an object"

    @property
    def line(self) -> int:
        return self.node.start_mark.line + 1

    def members(self, known: tuple[str, ...] | None = None) -> dict[str, _Node]:
        """The values of an object by key."""
        if isinstance(self.node, yaml.ScalarNode) and self.node.tag == "tag:yaml.org,2002:null":
            return {}
        if not isinstance(self.node, yaml.MappingNode):
            wanted = f"an object with some of {', '.join(known)}" if known else "an object"
            raise self.wrong(f"wanted {wanted}, got {self.given}")
        found: dict[str, _Node] = {}
        for key_node, value in self.node.value:
            key = key_node.value if isinstance(key_node, yaml.ScalarNode) else ""
            place = _Node(self.file, key_node, f"{self.path}.{key}" if self.path else key)
            if not key:
                raise place.wrong("a key wants to be a text")
            if known is not None and key not in known:
                raise place.wrong(f"unknown key, wanted one of: {', '.join(known)}", nearest(key, known))
            if key in found:
                raise place.wrong("the key is there twice")
            found[key] = _Node(self.file, value, place.path)
        return found

    def items(self) -> list[_Node]:
        """The values of a list; a single value is a list of one."""
        if not isinstance(self.node, yaml.SequenceNode):
            return [self]
        return [_Node(self.file, each, f"{self.path}[{n}]") for n, each in enumerate(self.node.value)]

    def text(self, what: str = "a text") -> str:
        if not isinstance(self.node, yaml.ScalarNode) or self.node.tag == "tag:yaml.org,2002:null":
            raise self.wrong(f"wanted {what}, got {self.given if self.node.value else 'nothing'}")
        return self.node.value

    def true(self) -> bool:
        value = self.text("true or false").lower()
        if value not in ("true", "false"):
            raise self.wrong(f"wanted true or false, got {self.given}")
        return value == "true"

    def number(self, low: int, high: int) -> int:
        value = self.text("a number").replace("_", "")
        if not value.isdigit() or not low <= int(value) <= high:
            raise self.wrong(f"wanted a whole number from {low:,} to {high:,}, got {self.given}")
        return int(value)

    def choice(self, choices: tuple[str, ...]) -> str:
        value = self.text(f"one of {', '.join(choices)}")
        if value not in choices:
            raise self.wrong(f"wanted one of {', '.join(choices)}, got {self.given}", nearest(value, choices))
        return value

    def pattern(self) -> str:
        value = self.text("a pattern")
        problem = patterns.problem_of(value) or self.file.check(value)
        if problem:
            raise self.wrong(problem)
        return value


class _File:
    def __init__(self, text: str, name: str, settings: RuleSettings, check: CheckPattern, known: dict[str, Rule]) -> None:
        self.content, self.name, self.settings, self.check = text, name, settings, check
        self._known = known
        self._own: dict[str, Rule] = {}
        self._nodes: dict[str, _Node] = {}
        self._reading: list[str] = []

    def read(self) -> tuple[Rule, ...]:
        if len(self.content) > self.settings.max_file_bytes:
            raise UserError(f"{self.name} has more than {self.settings.max_file_bytes:,} characters")
        try:
            root = yaml.compose(self.content, Loader=yaml.SafeLoader)
        except yaml.YAMLError as error:
            raise self._not_yaml(error) from error
        if root is None:
            return ()
        whole = _Node(self, root, "").members(("sourcetypes",))
        if "sourcetypes" not in whole:
            return ()
        self._nodes = whole["sourcetypes"].members()
        if len(self._nodes) > self.settings.max_sourcetypes:
            raise whole["sourcetypes"].wrong(
                f"{len(self._nodes):,} sourcetypes are more than the {self.settings.max_sourcetypes:,} allowed"
            )
        for name in self._nodes:
            self._rule(name)
        return tuple(self._own.values())

    def _not_yaml(self, error: yaml.YAMLError) -> UserError:
        mark = getattr(error, "problem_mark", None)
        place = f"{self.name}, line {mark.line + 1}" if mark else self.name
        problem = getattr(error, "problem", None) or str(error)
        hint = "patterns want single quotes: in double ones YAML reads the backslashes" if "escape" in problem else ""
        return UserError(f"{place}: not valid YAML: {problem}", hint)

    def _rule(self, name: str) -> Rule:
        if name in self._own:
            return self._own[name]
        node = self._nodes[name]
        if name in self._reading:
            raise node.wrong(f"like goes in a circle: {' -> '.join([*self._reading, name])}")
        self._reading.append(name)
        try:
            rule = self._own[name] = self._read_rule(name, node)
        finally:
            self._reading.pop()
        return rule

    def _read_rule(self, name: str, node: _Node) -> Rule:
        if len(name) > 200 or any(c in name for c in "\0\n\r"):
            raise node.wrong("a sourcetype's name has 1 to 200 characters of one line")
        given = node.members(
            (
                "like",
                "description",
                "text_only",
                "charset",
                "events",
                "time",
                "mask",
                "drop",
                "keep",
                "route",
                "set",
                "fields",
            )
        )
        origin = _BUILT_IN if self.name == _BUILT_IN else f"{self.name}, line {node.line}"
        rule = replace(self._like(name, given["like"]), name=name) if "like" in given else Rule(name)
        rule = replace(rule, origin=origin)
        if "description" in given:
            rule = replace(rule, description=given["description"].text())
        if "text_only" in given:
            rule = replace(rule, text_only=given["text_only"].true())
        if "charset" in given:
            rule = replace(rule, charset=self._charset(given["charset"]))
        if "events" in given:
            rule = replace(rule, breaking=self._breaking(given["events"], rule.breaking))
        if "time" in given:
            rule = replace(rule, timing=self._timing(given["time"]))
        steps: dict[str, Any] = {}
        for key, attribute, read in (
            ("mask", "masks", self._mask),
            ("drop", "drops", self._drop),
            ("keep", "keeps", self._drop),
            ("route", "routes", self._route),
            ("set", "namings", self._naming),
            ("fields", "extractions", self._extraction),
        ):
            if key in given:
                steps[attribute] = tuple(read(item, number) for number, item in enumerate(given[key].items(), 1))
        rule = replace(rule, **steps)
        count = sum(len(getattr(rule, step)) for step in STEPS)
        if count > self.settings.max_steps:
            raise node.wrong(f"{count} steps are more than the {self.settings.max_steps} that a sourcetype may have")
        return rule

    def _like(self, name: str, node: _Node) -> Rule:
        other = node.text("the name of a sourcetype")
        if other != name and other in self._nodes:
            return self._rule(other)
        if other in self._known:
            return self._known[other]
        choices = sorted({*self._known, *self._nodes} - {name})
        raise node.wrong(f'no rules for "{other}", wanted one of: {", ".join(choices)}', nearest(other, choices))

    def _charset(self, node: _Node) -> str:
        name = node.text("a character set such as ISO-8859-1")
        found = next((each for each in _CHARSETS if each.lower() == name.lower()), "")
        if not found:
            raise node.wrong(f"unknown character set {node.given}, wanted one of: {', '.join(_CHARSETS)}")
        return "" if found == "UTF-8" else found

    def _breaking(self, node: _Node, base: Breaking) -> Breaking:
        ways = ("begin", "continue", "end", "split", "form")
        given = node.members((*ways, "max_lines", "max_characters"))
        chosen = [way for way in ways if way in given]
        if len(chosen) > 1:
            raise given[chosen[1]].wrong(f'there is "{chosen[0]}" as well, wanted one of {", ".join(ways)}')
        found = base
        if chosen:
            way = chosen[0]
            value = given[way].choice(FORMS) if way == "form" else given[way].pattern()
            if way == "split" and patterns.groups(value) and patterns.around_first_group(value) is None:
                raise given[way].wrong(
                    "the first group says what lies between two events: it wants to stand at the top of the pattern,"
                    " without alternatives beside it"
                )
            found = Breaking(
                **{{"continue": "go_on"}.get(way, way): value},
                max_lines=base.max_lines,
                max_characters=base.max_characters,
            )
        if "max_lines" in given:
            found = replace(found, max_lines=given["max_lines"].number(1, self.settings.max_event_lines))
        if "max_characters" in given:
            limit = self.settings.max_event_characters
            found = replace(found, max_characters=given["max_characters"].number(100, limit))
        return replace(
            found,
            max_lines=min(found.max_lines, self.settings.max_event_lines),
            max_characters=min(found.max_characters, self.settings.max_event_characters),
        )

    def _timing(self, node: _Node) -> Timing:
        given = node.members(("after", "format", "within", "zone", "field", "received"))
        if "received" in given and given["received"].true():
            if len(given) > 1:
                raise node.wrong("with received: true there is nothing else to say")
            return Timing(received=True)
        if "field" in given and ("after" in given or "within" in given):
            raise given["field"].wrong("a time in a field is all of the field: after and within are for text")
        formats = []
        for item in given["format"].items() if "format" in given else []:
            try:
                formats.append(read_format(item.text("a format such as %Y-%m-%d %H:%M:%S")))
            except FormatProblem as problem:
                raise item.wrong(str(problem)) from None
        zone = given["zone"].text("a time zone such as Europe/Rome") if "zone" in given else "UTC"
        if zone not in time_zones():
            raise given["zone"].wrong(
                f'unknown time zone "{zone}", wanted a name such as Europe/Rome',
                nearest(zone, time_zones()),
            )
        after = given["after"].pattern() if "after" in given else ""
        return Timing(
            after=after,
            formats=tuple(formats),
            within=given["within"].number(1, _MAX_WITHIN) if "within" in given else Timing().within,
            zone=zone,
            key=_path(given["field"]) if "field" in given else (),
        )

    def _condition(self, given: dict[str, _Node], node: _Node) -> Condition:
        if ("match" in given) == ("unless" in given):
            raise node.wrong("wanted one of match and unless")
        key = "match" if "match" in given else "unless"
        return Condition(given[key].pattern(), self._at(given), key == "unless")

    def _at(self, given: dict[str, _Node]) -> str:
        if "in" not in given:
            return TEXT
        name = _field(given["in"])
        if not all(name.split(".")):
            raise given["in"].wrong(f"wanted text, host, source, or the name of a field, got {given['in'].given}")
        return name

    def _name(self, given: dict[str, _Node], number: int) -> str:
        return given["name"].text() if "name" in given else str(number)

    def _mask(self, node: _Node, number: int) -> Mask:
        given = node.members(("name", "match", "with", "once"))
        if "match" not in given:
            raise node.wrong("wanted a match")
        pattern = given["match"].pattern()
        replacement = given["with"].text() if "with" in given else ""
        self._references(replacement, pattern, given.get("with", node))
        return Mask(self._name(given, number), pattern, replacement, "once" in given and given["once"].true())

    def _references(self, text: str, pattern: str, node: _Node) -> None:
        count = len(patterns.groups(pattern))
        for digit in re.findall(r"\\(.)", text):
            if not (digit == "\\" or digit.isdigit()):
                raise node.wrong(f'a backslash wants the number of a group or another backslash, got "\\{digit}"')
            if digit.isdigit() and int(digit) > count:
                raise node.wrong(f'"\\{digit}" names a group, but the pattern has {count}')

    def _drop(self, node: _Node, number: int) -> Drop:
        if isinstance(node.node, yaml.ScalarNode):
            return Drop(str(number), Condition(node.pattern()))
        given = node.members(("name", "match", "unless", "in"))
        return Drop(self._name(given, number), self._condition(given, node))

    def _route(self, node: _Node, number: int) -> Route:
        given = node.members(("name", "match", "unless", "in", "index"))
        if "index" not in given:
            raise node.wrong("wanted an index")
        index = given["index"].text("the name of an index")
        if not _INDEX.fullmatch(index):
            raise given["index"].wrong(
                f"an index name wants lower case letters, digits, _ and -, got {given['index'].given}"
            )
        return Route(self._name(given, number), self._condition(given, node), index)

    def _naming(self, node: _Node, number: int) -> Naming:
        given = node.members(("name", "match", "unless", "in", *TARGETS))
        targets = [target for target in TARGETS if target in given]
        if len(targets) != 1:
            raise node.wrong(f"wanted one of {', '.join(TARGETS)}")
        condition = self._condition(given, node)
        value = given[targets[0]].text()
        self._references(value, "" if condition.negated else condition.pattern, given[targets[0]])
        return Naming(self._name(given, number), condition, targets[0], value)

    def _extraction(self, node: _Node, number: int) -> Extraction:
        if isinstance(node.node, yaml.ScalarNode):
            return self._groups(node)
        given = node.members(("match", "names", "separator", "inside"))
        if "inside" in given:
            if len(given) > 1:
                raise node.wrong("inside stands alone")
            pattern = given["inside"].pattern()
            if not patterns.groups(pattern):
                raise given["inside"].wrong("the first group says what is read: wanted one, got none")
            return Extraction(pattern, inside=True)
        if "separator" in given:
            separator = given["separator"].text("one character")
            separator = {"tab": "\t", "\\t": "\t", "space": " "}.get(separator, separator)
            if len(separator.encode()) != 1:
                raise given["separator"].wrong(f'wanted one character, "tab" or "space", got {given["separator"].given}')
            if "match" in given:
                raise given["match"].wrong("there is a separator as well")
            names = tuple(_field(n) for n in given["names"].items()) if "names" in given else ()
            return Extraction(names=names, separator=separator)
        if "match" not in given:
            raise node.wrong("wanted one of match, separator, inside")
        found = self._groups(given["match"], needs_names="names" not in given)
        if "names" in given:
            names = tuple("" if n.text("a name") == "_" else _field(n) for n in given["names"].items())
            if len(names) != len(found.names):
                raise given["names"].wrong(f"{len(names)} names for {len(found.names)} groups")
            found = replace(found, names=names)
        return found

    @staticmethod
    def _groups(node: _Node, needs_names: bool = True) -> Extraction:
        pattern = node.pattern()
        names = patterns.groups(pattern)
        if needs_names and not any(names):
            raise node.wrong("a field wants a group with a name, such as (?<user>[a-z]+)")
        return Extraction(pattern, names)


def _field(node: _Node) -> str:
    name = node.text("the name of a field")
    if not re.fullmatch(r"[^\s\"\\]{1,200}", name):
        raise node.wrong(f"the name of a field has no blanks and no quotes, got {node.given}")
    return name


def _path(node: _Node) -> tuple[str, ...]:
    path = tuple(_field(node).split("."))
    if not all(path):
        raise node.wrong(f"wanted the name of a field, with a dot between the parts of a path, got {node.given}")
    return path


__all__ = ["FORMS", "MAX_CHARACTERS", "MAX_LINES", "builtin_rules", "read_rules"]
