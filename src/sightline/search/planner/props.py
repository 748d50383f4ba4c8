"""Which stanza of props holds for which events: `[sourcetype]`, `[host::pattern]`, `[source::pattern]`, `[default]`.

Several may hold for one event. A setting of a source wins over the same setting of a host, that over a sourcetype's, that
over the default; of several patterns the one of higher priority wins, then the one first in ASCII order.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import lru_cache

from sightline.search.planner import regexes
from sightline.search.planner import values as v
from sightline.search.planner.relation import wildcard_regex
from sightline.search.planner.values import Type, Value
from sightline.search.syntax.tree import Both, Comparison, Either, Membership, Predicate

_RANKS = {"source": 0, "host": 1, "sourcetype": 2, "default": 3}
_SOURCETYPE_PATTERN = "(?::){0}"
"""What a sourcetype's name begins with when it is a pattern: an idiom, because sourcetypes are names otherwise."""
_LITERAL_PRIORITY, _PATTERN_PRIORITY = 100, 0


@dataclass(frozen=True)
class StanzaName:
    """What a stanza's name says: the field it looks at, and the exact text or the pattern that the field must have."""

    kind: str
    """source, host, sourcetype or default."""
    text: str = ""
    pattern: str = ""
    """A regular expression over the whole text; empty where the text must be equal."""

    @property
    def is_exact_sourcetype(self) -> bool:
        """Whether it names one sourcetype."""
        return self.kind == "sourcetype" and not self.pattern

    def may_mean(self, sourcetype: str | None) -> bool:
        """Whether it can mean events of a sourcetype; with None, of one that no stanza names."""
        if self.kind != "sourcetype":
            return True
        return not self.is_exact_sourcetype if sourcetype is None else self.matches(sourcetype)

    def matches(self, value: str) -> bool:
        """Whether a value is meant."""
        if self.kind == "default":
            return True
        return re.fullmatch(self.pattern, value, re.S) is not None if self.pattern else value == self.text

    def condition(self, fields: Mapping[str, Value]) -> Value:
        """Whether an event is meant, over its fields; never NULL."""
        if self.kind == "default":
            return v.TRUE
        value = fields.get(self.kind, v.NULL)
        if value.type is Type.NULL:
            return v.FALSE
        if self.pattern:
            return v.is_true(regexes.matches(v.as_text(value), f"^(?s:{self.pattern})$"))
        return v.is_true(v.call("equals", v.as_text(value), v.text(self.text), type=Type.BOOL))


@lru_cache(maxsize=20_000)
def read_name(stanza: str) -> StanzaName:
    """What a stanza of props looks at."""
    if stanza == "default":
        return StanzaName("default")
    for kind in ("source", "host"):
        if stanza.startswith(f"{kind}::"):
            text = stanza.removeprefix(f"{kind}::")
            if kind == "source" and not re.search(r"\*|\.\.\.|[()|]", text):
                return StanzaName(kind, text)
            flag = "(?i)" if kind == "host" and "(?-i)" not in text else ""
            return StanzaName(kind, text, flag + path_pattern(text))
    if stanza.startswith(_SOURCETYPE_PATTERN):
        text = stanza.removeprefix(_SOURCETYPE_PATTERN)
        return StanzaName("sourcetype", text, path_pattern(text))
    return StanzaName("sourcetype", stanza)


def path_pattern(text: str) -> str:
    """A stanza's pattern as a regular expression: `...` is anything, `*` anything but a path separator, a dot a dot."""
    pieces = re.split(r"(\.\.\.|\*|\.|\\.)", text)
    meaning = {"...": ".*", "*": r"[^/\\]*", ".": r"\."}
    return "".join(meaning.get(piece, piece) for piece in pieces)


@dataclass(frozen=True)
class Props:
    """A stanza that may hold for the events of a search, best first among its like."""

    stanza: str
    name: StanzaName
    settings: Mapping[str, str]

    @property
    def rank(self) -> tuple[int, int, str]:
        """Order of precedence: the smallest wins."""
        given = self.settings.get("priority", "").strip()
        usual = _PATTERN_PRIORITY if self.name.pattern else _LITERAL_PRIORITY
        return _RANKS[self.name.kind], -(int(given) if given.isdigit() else usual), self.stanza


@dataclass(frozen=True)
class Rule:
    """One setting and the events for which it counts: those of `name` that no name of `better` means as well."""

    stanza: str
    key: str
    text: str
    name: StanzaName
    better: tuple[StanzaName, ...]
    only: str | None

    def condition(self, fields: Mapping[str, Value]) -> Value:
        """Whether the setting counts for an event, over its fields; never NULL."""
        conditions = [_condition(self.name, fields, self.only)]
        conditions += [v.negation(_condition(name, fields, self.only)) for name in self.better]
        return v.both([c for c in conditions if c != v.negation(v.FALSE)])


def relevant(stanzas: Mapping[str, Mapping[str, str]], sourcetypes: frozenset[str] | None) -> list[Props]:
    """The stanzas that can concern events of these sourcetypes (None: of any), in order of precedence."""
    found = []
    for stanza, settings in stanzas.items():
        name = read_name(stanza)
        if name.kind == "sourcetype" and sourcetypes is not None and not _means_any(name, sourcetypes):
            continue
        found.append(Props(stanza, name, settings))
    return sorted(found, key=lambda props: props.rank)


def _means_any(name: StanzaName, sourcetypes: frozenset[str]) -> bool:
    return name.text in sourcetypes if name.is_exact_sourcetype else any(name.matches(s) for s in sourcetypes)


def rules(found: Iterable[Props], prefix: str, only: str | None) -> list[Rule]:
    """The settings whose names begin with `prefix`, in ASCII order of their names.

    `only` is the one sourcetype that all events have, where that is known.
    """
    holders: dict[str, list[Props]] = {}
    for props in found:
        for key in props.settings:
            if key.startswith(prefix):
                holders.setdefault(key, []).append(props)
    made = []
    for key in sorted(holders):
        winners: list[StanzaName] = []
        for props in holders[key]:
            # Two sourcetypes exclude each other by themselves.
            better = tuple(name for name in winners if not (name.is_exact_sourcetype and props.name.is_exact_sourcetype))
            made.append(Rule(props.stanza, key, props.settings[key], props.name, better, only))
            if props.name.kind == "default" or (props.name.kind == "sourcetype" and only is not None):
                break
            winners.append(props.name)
    return made


def _condition(name: StanzaName, fields: Mapping[str, Value], only: str | None) -> Value:
    if name.kind == "sourcetype" and only is not None:
        return v.TRUE if name.matches(only) else v.FALSE
    return name.condition(fields)


def narrowed(predicate: Predicate, sourcetypes: frozenset[str]) -> frozenset[str]:
    """Those of the sourcetypes that events matching the conditions can have, as far as the conditions name it."""
    if isinstance(predicate, Both):
        for operand in predicate.operands:
            sourcetypes = narrowed(operand, sourcetypes)
        return sourcetypes
    if isinstance(predicate, Either):
        return frozenset(s for operand in predicate.operands for s in narrowed(operand, sourcetypes))
    if isinstance(predicate, Comparison) and predicate.name == "sourcetype" and predicate.operator == "=":
        return _matching(sourcetypes, (predicate.value,))
    if isinstance(predicate, Membership) and predicate.name == "sourcetype":
        return _matching(sourcetypes, predicate.values)
    return sourcetypes


def _matching(sourcetypes: frozenset[str], patterns: Iterable[str]) -> frozenset[str]:
    found: set[str] = set()
    for pattern in patterns:
        wanted = pattern.lower()
        if "*" in wanted:
            regex = wildcard_regex(wanted)
            found.update(s for s in sourcetypes if regex.fullmatch(s.lower()))
        else:
            found.update(s for s in sourcetypes if s.lower() == wanted)
    return frozenset(found)
