"""What a rule says, as values; `reading` makes them, the store turns them into SQL."""

from __future__ import annotations

import fnmatch
from dataclasses import dataclass, field, replace

from sightline.sourcetypes.times import TimeFormat

TEXT = "text"
"""What a condition looks at where it names nothing: the event's text."""
TARGETS = ("host", "source", "sourcetype")
STEPS = ("masks", "drops", "keeps", "routes", "namings", "extractions")
"""What a rule may do with an event."""
_REMEMBERED = 10_000
"""Sourcetypes whose rules are kept put together."""
MAX_LINES = 1_000
MAX_CHARACTERS = 1_000_000


@dataclass(frozen=True, slots=True)
class Breaking:
    """Where an event begins and ends in a text; at most one of the patterns is set. Without any, times decide."""

    begin: str = ""
    """A line with a match begins an event."""
    go_on: str = ""
    """A line with a match goes on with the event before it."""
    end: str = ""
    """After a line with a match the next one begins an event."""
    split: str = ""
    """What matches lies between two events and is thrown away; where it has a group, only what the group matched is."""
    form: str = ""
    """`line`, `whole`, `json`, `csv`, `tsv`, `w3c` or `container`: a way of its own."""
    max_lines: int = MAX_LINES
    max_characters: int = MAX_CHARACTERS


@dataclass(frozen=True, slots=True)
class Timing:
    """Where an event's time is."""

    after: str = ""
    """The time stands behind a match of this."""
    formats: tuple[TimeFormat, ...] = ()
    """How it is written; without any, it is recognised."""
    within: int = 160
    """In how many bytes it is looked for."""
    zone: str = "UTC"
    """The zone of a time that names none."""
    key: tuple[str, ...] = ()
    """The path of a key in JSON, or the name of a column, that holds it."""
    received: bool = False
    """The time is that of receiving."""


@dataclass(frozen=True, slots=True)
class Condition:
    """A pattern and what it looks at: the text, host, source, or a field."""

    pattern: str
    at: str = TEXT
    negated: bool = False


@dataclass(frozen=True, slots=True)
class Mask:
    """What matches is replaced, before anything else looks at the text."""

    name: str
    pattern: str
    replacement: str
    once: bool = False


@dataclass(frozen=True, slots=True)
class Drop:
    """Events that are not stored."""

    name: str
    condition: Condition


@dataclass(frozen=True, slots=True)
class Route:
    """Events that go to another index."""

    name: str
    condition: Condition
    index: str


@dataclass(frozen=True, slots=True)
class Naming:
    """Another host, source or sourcetype, out of what a pattern matched."""

    name: str
    condition: Condition
    target: str
    value: str


@dataclass(frozen=True, slots=True)
class Extraction:
    """Fields that are taken out of the text when an event is stored."""

    pattern: str = ""
    names: tuple[str, ...] = ()
    """Names of the pattern's groups, "" for one that is no field; or names of columns."""
    separator: str = ""
    """Between columns; where it is set there is no pattern."""
    inside: bool = False
    """What the first group matched is itself JSON, or pairs `key=value`."""


@dataclass(frozen=True, slots=True)
class Rule:
    """All that is said about one sourcetype, or about those whose names fit a pattern with `*`."""

    name: str
    origin: str = ""
    """`built in`, or where in the file it is."""
    description: str = ""
    text_only: bool = False
    """Whether it is for text alone, and not for events that a protocol brings one by one."""
    charset: str = ""
    breaking: Breaking = field(default_factory=Breaking)
    timing: Timing = field(default_factory=Timing)
    masks: tuple[Mask, ...] = ()
    drops: tuple[Drop, ...] = ()
    keeps: tuple[Drop, ...] = ()
    """Where there are any, an event that none of them fits is dropped."""
    routes: tuple[Route, ...] = ()
    namings: tuple[Naming, ...] = ()
    extractions: tuple[Extraction, ...] = ()

    @property
    def changes_events(self) -> bool:
        """Whether it does more than break text and find times, so that events of every protocol are concerned."""
        return bool(self.masks or self.extractions or self.judges)

    @property
    def judges(self) -> bool:
        """Whether events may go elsewhere than where they were sent."""
        return bool(self.drops or self.keeps or self.routes or self.namings)

    def described(self) -> tuple[str, str, str, str]:
        """Name, origin, what it does in a few words, and the description, for a list."""
        does = [word for word, said in (("events", self.breaking != Breaking()), ("time", self.timing != Timing())) if said]
        words = {
            "masks": "mask",
            "drops": "drop",
            "keeps": "keep",
            "routes": "route",
            "namings": "set",
            "extractions": "fields",
        }
        does += [words[step] for step in STEPS if getattr(self, step)]
        return self.name, self.origin, ", ".join(does), self.description

    @property
    def is_pattern(self) -> bool:
        """Whether the name fits several sourcetypes."""
        return "*" in self.name


class Rules:
    """Every rule, one for each name. Does not change once it is made; threads may share it."""

    def __init__(self, rules: tuple[Rule, ...] = ()) -> None:
        self.all = rules
        self._exact = {rule.name: rule for rule in rules if not rule.is_pattern}
        # The longest pattern says most.
        self._patterns = sorted((r for r in rules if r.is_pattern), key=lambda rule: (-len(rule.name), rule.name))
        self._found: dict[tuple[str, bool], Rule | None] = {}

    def find(self, sourcetype: str, *, is_text: bool = True) -> Rule | None:
        """What holds for a sourcetype, in text that has to be broken or in events that a protocol brings one by one.

        The rule of its name, and what the rules whose patterns fit add: their masks and other steps hold as well, so that a
        mask for `*` is nowhere forgotten; how to break text and read times they say only where the name's rule does not.
        """
        key = (sourcetype, is_text)
        if key not in self._found:
            if len(self._found) >= _REMEMBERED:
                self._found.clear()
            self._found[key] = self._put_together(sourcetype, is_text)
        return self._found[key]

    def _put_together(self, sourcetype: str, is_text: bool) -> Rule | None:
        found = [self._exact[sourcetype]] if sourcetype in self._exact else []
        found += [r for r in self._patterns if fnmatch.fnmatchcase(sourcetype, r.name.replace("[", "[[]"))]
        found = [rule for rule in found if is_text or not rule.text_only]
        if len(found) < 2:
            return found[0] if found else None
        whole = found[0]
        for more in found[1:]:
            whole = replace(
                whole,
                origin=f"{whole.origin}; {more.origin}",
                charset=whole.charset or more.charset,
                breaking=more.breaking if whole.breaking == Breaking() else whole.breaking,
                timing=more.timing if whole.timing == Timing() else whole.timing,
                **{name: getattr(whole, name) + getattr(more, name) for name in STEPS},
            )
        return whole
