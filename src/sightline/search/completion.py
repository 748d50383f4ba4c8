"""What may stand at the cursor of a search text: commands, functions, options, fields, values and names that exist.

Enters the text up to the cursor; leaves suggestions with the range they replace. The page's editor and the terminal ask
the same function, and everything that can be listed comes from the registry or from what is stored.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import Field, dataclass, field, replace
from datetime import UTC, tzinfo
from functools import lru_cache
from typing import NamedTuple

from sightline.errors import SearchError
from sightline.search import registry
from sightline.search.syntax.arguments import print_name, written_options
from sightline.search.syntax.expressions import quote_string
from sightline.search.syntax.parser import stage_end
from sightline.search.syntax.tokens import closing_quote
from sightline.search.time import parse_time

RELATIVE_TIMES = ("-5m", "-15m", "-1h", "-4h@h", "-24h", "-7d@d", "-30d@d", "@d", "@w1", "@mon", "now")
"""Time modifiers offered where a time is wanted, the near ones first."""
SPANS = ("1s", "10s", "1m", "5m", "15m", "1h", "4h", "1d", "1w", "1mon")
"""Spans offered where a span is wanted."""
EARLY = 30
"""Fields that are offered before the functions, where both may stand."""
LIMIT = 200
"""Suggestions given at once: more than anybody reads, and few enough to send at every key."""

_TIMES = frozenset(("earliest", "latest", "_index_earliest", "_index_latest", "index_earliest", "index_latest"))
_WORD = re.compile(r"[\w.@{}\-]*\Z")
_VALUE = re.compile(
    r"""([\w.{}\-:]+|"[^"]+")\s*(?:!?=|==|\sIN\s*\((?:[^()"]|"[^"]*"(?=\s*,))*?(?<=[(,\s]))\s*("?)([\w.:/@+\-]*)\Z""",
    re.IGNORECASE,
)
"""A field, and behind a sign of comparison or in a list after IN the beginning of a value."""
_OPTIONS = r'(?:[\w.\-]+=(?:"[^"]*"|\S+)\s+)*'
_FIRST = re.compile(_OPTIONS + r'("?)((?<=")[^"]*|[^\s"]*)\Z')
"""The beginning of a command's first word that is no option."""
_FIRST_KINDS = frozenset(("algorithm", "method", "model", "lookup", "file", "saved search", "data model", "sid", "endpoint"))
_FIRST_NAME = re.compile(_OPTIONS + r'(?:"([^"]*)"|([^\s"=]+))\s')
_SECOND = re.compile(r'"?([\w\-]+)"?\s+([^\s"]*)\Z')
_AFTER_COLON = re.compile(r'(?<!\S)(\w+):("?)((?<=")[^"]*|[^\s"]*)\Z')
_BARE = re.compile(r"[\w.:/\-]+\Z")
_KINDS = {"eventtype": "event type", "tag": "tag", "savedsearch": "saved search", "aligntime": "time"}
"""What the values of a name are wherever it stands."""


@dataclass(frozen=True, slots=True)
class Suggestion:
    """One text that may stand at the cursor. `insert` is what to write, where it is not the label."""

    label: str
    kind: str
    """command, function, aggregate, option, field, value, name or word."""
    insert: str = ""
    detail: str = ""

    def describe(self) -> dict[str, str]:
        """For JSON."""
        return {"label": self.label, "kind": self.kind, "insert": self.insert or self.label, "detail": self.detail}


@dataclass(frozen=True, slots=True)
class Suggestions:
    """Suggestions, best first, for the text from `start` to the cursor."""

    start: int
    options: tuple[Suggestion, ...] = ()


@dataclass
class Names:
    """What exists at the moment, by what it is. `values` gives the frequent values of a field with their counts."""

    indexes: Sequence[str] = ()
    fields: dict[str, str] = field(default_factory=dict)
    """Field names with their types in words."""
    lookups: Sequence[str] = ()
    lookup_fields: Callable[[str], Sequence[str]] = lambda name: ()
    """The columns of a lookup's table."""
    csv_files: Sequence[str] = ()
    macros: Sequence[str] = ()
    models: Sequence[str] = ()
    metrics: Sequence[str] = ()
    algorithms: Callable[[], Sequence[str]] = tuple
    scorers: Callable[[], Sequence[str]] = tuple
    saved_searches: Sequence[str] = ()
    datamodels: Sequence[str] = ()
    datasets: Callable[[str], Sequence[str]] = lambda name: ()
    """The datasets of a data model."""
    event_types: Sequence[str] = ()
    tags: Sequence[str] = ()
    sids: Sequence[str] = ()
    endpoints: Callable[[], Sequence[str]] = tuple
    """Paths whose entries `rest` gives."""
    values: Callable[[str], Sequence[tuple[str, int]]] = lambda name: ()
    fields_after: Callable[[str], dict[str, str] | None] = lambda text: None
    """The fields that rows have after these stages; None where nobody knows, and then it is `fields`."""


@dataclass(frozen=True, slots=True)
class Place:
    """The command the cursor is in: its name, the text after the name, and what the cursor stands in."""

    command: str
    rest: str
    naming: bool = False
    """Whether the command's own name is being typed."""
    quote: str = ""
    """The quotation mark, or back-tick, that is open at the cursor."""
    before: str = ""
    """The stages before the command, where it is not in brackets."""


def place_of(text: str) -> Place:
    """Where the end of a text lies."""
    starts = [0]
    quote, i = "", 0
    while i < len(text):
        c = text[i]
        if quote:
            if c == "\\" and quote == '"':
                i += 1
            elif c == quote:
                quote = ""
        elif text.startswith("```", i):
            end = text.find("```", i + 3)
            if end < 0:
                return Place("", "", quote="```")
            i = end + 2
        elif c in '"`':
            quote = c
        elif c == "'" and (i == 0 or not text[i - 1].isalnum()):
            end = closing_quote(text, i, stage_end(text, i))
            if end > 0:
                i = end
        elif c == "[":
            starts.append(i + 1)
        elif c == "]" and len(starts) > 1:
            starts.pop()
        elif c == "|":
            starts[-1] = i + 1
        i += 1
    stage = text[starts[-1] :].lstrip()
    before = text[: max(0, starts[0] - 1)] if len(starts) == 1 else ""
    if starts[-1] == 0 and len(starts) == 1:
        explicit = re.match(r"search\s+", stage, re.I)
        return Place("search", stage[explicit.end() :] if explicit else stage, quote=quote)
    match = re.match(r"[A-Za-z_]\w*", stage)
    if not stage or (match and match.end() == len(stage)):
        return Place("", stage, naming=True, before=before)
    if match is None:
        return Place("", stage, quote=quote, before=before)
    command = match.group().lower()
    known = registry.COMMANDS.get(command)
    return Place(known.name if known else command, stage[match.end() :].lstrip(), quote=quote, before=before)


def suggest(text: str, names: Names) -> Suggestions:
    """What may stand at the end of a text."""
    registry.load()
    place = place_of(text)
    if planned := names.fields_after(place.before) if place.before.strip() else None:
        names = replace(names, fields=planned)
    word = _WORD.search(text)
    assert word is not None
    typed = word.group().lstrip("-")  # A sign stands before a field to sort by.
    start = len(text) - len(typed)
    if place.quote == "`":
        return _found(start, typed, _plain(names.macros, "name"))
    if value := _VALUE.search(text):
        name, quoted, begun = value.group(1).strip('"'), value.group(2), value.group(3)
        # In an expression, what follows `x=` without a quote is another expression.
        if place.quote == quoted and (quoted or not _evaluates(place.command) or _declared(place.command, name)):
            options = _values(place, name, names, begun, bool(quoted))
            return _found(len(text) - len(begun), begun, options)
    if named := _named(place, names):
        begun, options = named
        return _found(len(text) - len(begun), begun, options)
    if place.quote:
        return Suggestions(len(text))
    if place.naming:
        return _found(start, typed, _commands())
    if "metric" in _syntax(place.command).taken and re.search(r"\w\([^()\s]*\Z", place.rest):
        return _found(start, typed, _plain(names.metrics, "value"))
    names = _in_clause(place, names)
    fields, functions = _fields(names), _functions(place.command)
    before = text[:start].rstrip().rpartition(" ")[2].lower()
    if (
        before in ("by", "over", "groupby")
        or place.rest.count("(") > place.rest.count(")")
        and not _evaluates(place.command)
    ):
        return _found(start, typed, fields)
    options, words = _options(place.command), _words(place)
    if before == "into":
        return _found(start, typed, _of_kind("model", names, typed, False))
    if before == "from" and (sources := [o for o in options if _declared(place.command, o.label[:-1]) is None]):
        return _found(start, typed, sources)
    if _in_conditions(place):
        indexes = [] if "lookup" in _syntax(place.command).alone else _plain(("index=",), "option")
        return _found(start, typed, [*fields, *indexes, *words])
    if place.command == "search" and not re.search(r"\s", place.rest):
        fields = [*_plain((f"index={name}" for name in names.indexes), "value"), *fields]
    if place.command in registry.COMMANDS and not _syntax(place.command).alone:
        fields = []
    if _evaluates(place.command):
        parts = (fields[:EARLY], functions, fields, words, options)
    else:
        parts = (functions, options, fields, words) if functions else (fields, words, options)
    return _found(start, typed, (option for part in parts for option in part))


def _found(start: int, typed: str, options: Iterable[Suggestion]) -> Suggestions:
    """Those that begin with what is typed, then those that hold it, each name once."""
    lowered = typed.lower()
    first: dict[tuple[str, str], Suggestion] = {}
    second: dict[tuple[str, str], Suggestion] = {}
    for option in options:
        label = option.label.lower()
        key = (option.label, option.kind)
        if label.startswith(lowered):
            first.setdefault(key, option)
        elif lowered in label:
            second.setdefault(key, option)
    found = [o for o in (*first.values(), *second.values()) if o.insert or o.label != typed]
    return Suggestions(start, tuple(found[:LIMIT]))


def _plain(labels: Iterable[str], kind: str) -> list[Suggestion]:
    return [Suggestion(label, kind) for label in labels]


def _commands() -> list[Suggestion]:
    entries = [entry for name, entry in sorted(registry.COMMANDS.items()) if name == entry.name]
    return [Suggestion(e.name, "command", f"{e.name} ", registry.describe_docstring(e.command)["summary"]) for e in entries]


class Syntax(NamedTuple):
    """What a command's syntax line says."""

    taken: tuple[str, ...] = ()
    """The kinds of things it takes (`<lookup>`)."""
    words: tuple[str, ...] = ()
    """Its clause words (`BY`)."""
    alone: tuple[str, ...] = ()
    """The kinds of things that stand without a name before them."""
    options: Mapping[str, str] = {}
    """The kind of thing that an option names (`field=<field>`), by the option's name in small letters."""
    prefixes: Mapping[str, str] = {}
    """The kind of thing that stands behind a word and a colon (`lookup:<lookup>`)."""


@lru_cache(maxsize=1000)
def _syntax(command: str) -> Syntax:
    """What a command's syntax line says."""
    entry = registry.COMMANDS.get(command)
    if entry is None:
        return Syntax()
    syntax = registry.describe_docstring(entry.command)["syntax"]
    taken = dict.fromkeys(re.findall(r"<([^<>]+)>", syntax))
    alone = dict.fromkeys(re.findall(r"(?<![=:.,\w])(?<!\w\()<([^<>]+)>", syntax))
    options = {name.lower(): kind for name, kind in re.findall(r"([\w.\-]+)=<([^<>]+)>", syntax)}
    prefixes = dict(re.findall(r"(\w+):<([^<>]+)>", syntax))
    rest = re.sub(r'"[^"]*"|<[^<>]*>|[\w.]+(?:=|:)(?:<[^<>]*>|\S)*', " ", syntax.removeprefix(entry.name))
    words = dict.fromkeys(re.findall(r"(?<![\w-])[A-Za-z]{2,}(?![\w-])", rest))
    words = [word for word in words if word not in (entry.name, *entry.aliases)]
    return Syntax(tuple(taken), tuple(words), tuple(alone), options, prefixes)


def _evaluates(command: str) -> bool:
    """Whether a command's arguments are expressions."""
    return not {"expression", "condition"}.isdisjoint(_syntax(command).taken) and not _gathers(command)


def _gathers(command: str) -> bool:
    """Whether a command's arguments are aggregates."""
    return not {"aggregate", "function"}.isdisjoint(_syntax(command).taken)


def _functions(command: str) -> list[Suggestion]:
    if _evaluates(command):
        return [Suggestion(name, "function", f"{name}(") for name in sorted(registry.FUNCTIONS)]
    if not _gathers(command):
        return []
    gathered = []
    for name, entry in sorted(registry.AGGREGATES.items()):
        label = f"{name}95" if entry.parameterised else name
        gathered.append(Suggestion(label, "aggregate", f"{label}(" if entry.needs_field else label))
    return gathered


def _options(command: str) -> list[Suggestion]:
    entry = registry.COMMANDS.get(command)
    if entry is None:
        return []
    declared = written_options(entry.command)
    told = [name for name in _syntax(command).options if name not in declared]
    found = [Suggestion(f"{name}=", "option", detail=f.metadata["help"]) for name, f in declared.items()]
    return [*found, *_plain((f"{name}=" for name in told), "option")]


def _declared(command: str, name: str) -> Field | None:
    """The declaration of a command's option, if it has one of this name."""
    entry = registry.COMMANDS.get(command)
    return written_options(entry.command).get(name.lower()) if entry else None


def _fields(names: Names, quoted: bool = False) -> list[Suggestion]:
    return [Suggestion(name, "field", name if quoted else print_name(name), type) for name, type in names.fields.items()]


def _words(place: Place) -> list[Suggestion]:
    words = _syntax(place.command).words
    if place.command == "search" or _in_conditions(place):
        words = ("AND", "OR", "NOT", "IN", *(word for word in words if word.lower() == "by"))
    prefixes = [f"{prefix}:" for prefix in _syntax(place.command).prefixes]
    return [*_plain(prefixes, "word"), *(Suggestion(word, "word", f"{word} ") for word in words)]


def _in_conditions(place: Place) -> bool:
    """Whether the cursor is where a command that is no search has conditions: after WHERE, and before BY."""
    if place.command == "search" or "conditions" not in _syntax(place.command).taken:
        return False
    words = re.findall(r"(?<!\S)(?:where|by|groupby)(?=\s)", place.rest, re.I)
    return bool(words) and words[-1].lower() == "where"


def _in_clause(place: Place, names: Names) -> Names:
    """The names with the fields that may stand at the cursor: those of the lookup that a command names, or of the rows."""
    if "lookup" not in _syntax(place.command).alone or not (first := _FIRST_NAME.match(place.rest)):
        return names
    columns = dict.fromkeys(names.lookup_fields(first[1] or first[2]), "text")
    if not columns or re.search(r"(?<!\S)as\s+\S*\Z", place.rest, re.I):
        return names
    # OUTPUT and WHERE name the lookup's fields alone.
    only = re.search(r"(?<!\S)(output|outputnew|where)\s", place.rest, re.I)
    return replace(names, fields=columns if only else columns | names.fields)


def _of_kind(kind: str, names: Names, begun: str, quoted: bool) -> list[Suggestion]:
    """The names of a kind of things, as the syntax lines call it; none for a kind that has no names."""
    if kind in ("field", "fields") or kind.endswith(" field"):
        return _fields(names, quoted)
    if kind in ("time", "span"):
        return _plain(RELATIVE_TIMES if kind == "time" else SPANS, "value")
    kinds: dict[str, Callable[[], Iterable[str]]] = {
        "algorithm": names.algorithms,
        "method": names.scorers,
        "model": lambda: names.models,
        "lookup": lambda: names.lookups,
        "index": lambda: names.indexes,
        "file": lambda: names.csv_files,
        "saved search": lambda: names.saved_searches,
        "data model": lambda: names.datamodels,
        "event type": lambda: names.event_types,
        "tag": lambda: names.tags,
        "sid": lambda: names.sids,
        "endpoint": names.endpoints,
    }
    found = kinds[kind]() if kind in kinds else ()
    if kind == "data model" and "." in begun:
        model = begun.partition(".")[0]
        found = [f"{model}.{dataset}" for dataset in names.datasets(model)]
    return [Suggestion(name, "name", name if quoted or _BARE.match(name) else quote_string(name)) for name in found]


def _named(place: Place, names: Names) -> tuple[str, list[Suggestion]] | None:
    """What is begun of a name, and the names, where a command takes one as its first word or behind a word and a colon."""
    syntax = _syntax(place.command)
    if match := _AFTER_COLON.search(place.rest):
        prefix, quote, begun = match.groups()
        if prefix in syntax.prefixes and quote == place.quote:
            return begun, _of_kind(syntax.prefixes[prefix], names, begun, bool(quote))
    if match := _FIRST.match(place.rest):
        quote, begun = match.groups()
        kind = next((kind for kind in syntax.alone if kind in _FIRST_KINDS), "")
        if quote == place.quote and (found := _of_kind(kind, names, begun, bool(quote))):
            return begun, found if quote else [replace(one, insert=f"{one.insert or one.label} ") for one in found]
    if "dataset" in syntax.alone and (match := _SECOND.match(place.rest)):
        return match[2], [Suggestion(name, "name", f"{name} ") for name in names.datasets(match[1])]
    return None


def _values(place: Place, name: str, names: Names, begun: str, quoted: bool) -> list[Suggestion]:
    """Values that may stand after `name=`: of an option, of a time, or those that the field has."""
    declared = _declared(place.command, name)
    if name.lower() == "index":
        return _plain(names.indexes, "value")
    kind = _syntax(place.command).options.get(name.lower()) or _KINDS.get(name.lower().partition("::")[0], "")
    if found := _of_kind(kind, names, begun, quoted):
        return found
    if declared is not None:
        if declared.metadata["choices"]:
            return _plain(declared.metadata["choices"], "value")
        if declared.metadata["type"] is bool:
            return _plain(("true", "false"), "value")
        return _plain(SPANS, "value") if "span" in name.lower() else []
    if name.lower() in _TIMES:
        return _plain(RELATIVE_TIMES, "value")
    if name.lower() == "span":
        return _plain(SPANS, "value")
    if name == "metric_name":
        return [Suggestion(m, "value", m if quoted else quote_string(m)) for m in names.metrics]
    return [
        Suggestion(value, "value", value if quoted or _BARE.match(value) else quote_string(value), f"{count:,}")
        for value, count in names.values(name)
    ]


# ---- times -----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class TimeModifier:
    """A time modifier of a text, from `start` to `end`, with the moment it stands for (seconds since the epoch)."""

    start: int
    end: int
    time_s: float

    def describe(self) -> dict[str, float]:
        """For JSON."""
        return {"start": self.start, "end": self.end, "time": self.time_s}


def times_in(text: str, now: float, zone: tzinfo = UTC) -> list[TimeModifier]:
    """The relative times that a text gives as `earliest=-4h@h` and the like, outside of quotes and comments."""
    blank = re.sub(r'```.*?```|"(?:\\.|[^"\\])*"', lambda m: " " * len(m.group()), text, flags=re.S)
    found = []
    for match in re.finditer(r"(?<![\w.])([A-Za-z_]+)\s*=\s*([^\s\"|\]()]+)", blank):
        written = match.group(2)
        if match.group(1).lower() not in _TIMES or not re.match(r"[-+@]|now", written):
            continue
        try:
            moment = parse_time(written, now, zone)
        except SearchError:
            continue
        found.append(TimeModifier(match.start(2), match.end(2), moment))
    return found
