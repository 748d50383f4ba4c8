"""Field extractions: which fields a pattern, or delimiters, find in a text, as values that the engine computes.

Enters what `props` and `transforms` say (`EXTRACT-x = <regex> in <field>`, REGEX and FORMAT, DELIMS and FIELDS); leaves an
`Extraction`. Some extractions take the names of their fields from the text (`FORMAT = $1::$2`): such a field has a value
when a search names it.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

from sightline.errors import SearchError
from sightline.search.planner import regexes
from sightline.search.planner import values as v
from sightline.search.planner.documents import document_values
from sightline.search.planner.values import Column, Lambda, Type, Value

RAW = "_raw"
_METADATA = {"metadata:host": "host", "metadata:source": "source", "metadata:sourcetype": "sourcetype"}
_REFERENCE = re.compile(r"\$(\d+)")
_IN_FIELD = re.compile(r"(?P<pattern>.*\S)\s+in\s+(?P<field>[A-Za-z_][\w.:-]*)\s*\Z", re.S)
_TRUE = frozenset(("1", "t", "true", "y", "yes"))


@dataclass(frozen=True)
class Extraction:
    """Fields found in the text of the field `source`. `gathers` says that all matches count, beside earlier values."""

    source: str = RAW
    gathers: bool = False

    def fields(self, text: Value) -> dict[str, Value]:
        """The fields whose names are known beforehand, each with its value."""
        return {}

    def named(self, text: Value, name: str) -> Value:
        """The value of a field whose name comes from the text; NULL where no name does."""
        return v.NULL

    @property
    def whole_tokens(self) -> frozenset[str]:
        """The fields whose words are words of the text."""
        return frozenset()


@dataclass(frozen=True)
class PatternExtraction(Extraction):
    """A regular expression with, for each field, a template of literal text and group numbers."""

    pattern: str = ""
    templates: tuple[tuple[str, tuple[str | int, ...]], ...] = ()

    def fields(self, text: Value) -> dict[str, Value]:
        return {name: self._value(text, template) for name, template in self.templates}

    def _value(self, text: Value, template: tuple[str | int, ...]) -> Value:
        if len(template) == 1 and isinstance(template[0], int):
            found = regexes.extract_group(text, self.pattern, template[0], 0 if self.gathers else 1)
            return without_empty(found) if self.gathers else found
        if self.gathers:
            groups = Column(Type.MULTI, "groups")
            made = Lambda(Type.TEXT, ("groups",), _filled(template, lambda n: _element(groups, n)))
            return v.call("arrayMap", made, regexes.all_groups(text, self.pattern), type=Type.MULTI)
        filled = _filled(template, lambda n: _sure(regexes.extract_group(text, self.pattern, n)))
        matched = v.is_true(regexes.matches(text, self.pattern))
        return v.call("if", matched, filled, v.Literal(Type.TEXT, None), type=Type.TEXT)

    @property
    def whole_tokens(self) -> frozenset[str]:
        whole = regexes.whole_token_groups(self.pattern)
        return frozenset(name for name, template in self.templates if len(template) == 1 and template[0] in whole)


@dataclass(frozen=True)
class PairExtraction(Extraction):
    """A regular expression of which one group is a field's name and another its value."""

    pattern: str = ""
    key: int = 1
    value: int = 2
    cleans: bool = True

    def named(self, text: Value, name: str) -> Value:
        groups = Column(Type.MULTI, "groups")
        key = _element(groups, self.key)
        if self.cleans:
            key = v.call("replaceRegexpAll", key, v.text("[^A-Za-z0-9_]"), v.text("_"), type=Type.TEXT)
        wanted = Lambda(Type.BOOL, ("groups",), v.call("equals", key, v.text(name), type=Type.BOOL))
        of_name = v.call("arrayFilter", wanted, regexes.all_groups(text, self.pattern), type=Type.MULTI)
        taken = Lambda(Type.TEXT, ("groups",), _element(groups, self.value))
        found = without_empty(v.call("arrayMap", taken, of_name, type=Type.MULTI))
        return found if self.gathers else first_of(found)


@dataclass(frozen=True)
class ColumnExtraction(Extraction):
    """Text cut at delimiters, each piece a field by its place. A piece in double quotes may hold delimiters."""

    delimiters: str = ","
    names: tuple[str, ...] = ()
    keeps_empty: bool = False

    def fields(self, text: Value) -> dict[str, Value]:
        cut = "[" + _in_class(self.delimiters) + "]"
        piece = rf'{cut}[ ]*(?:"([^"]*)"|([^{_in_class(self.delimiters)}]*))'
        # The delimiter in front makes every match end somewhere new, so that empty pieces are matches too.
        led = v.call("concat", v.text(self.delimiters[0]), _sure(text), type=Type.TEXT)
        pieces = regexes.all_groups(led, piece)
        found = {}
        for position, name in enumerate(self.names, 1):
            groups = v.call("arrayElement", pieces, v.integer(position), type=Type.MULTI)
            joined = v.call("concat", _element(groups, 1), _element(groups, 2), type=Type.TEXT)
            trimmed = v.call("trimBoth", joined, type=Type.TEXT)
            if not self.keeps_empty:
                found[name] = v.call("nullIf", trimmed, v.text(""), type=Type.TEXT)
                continue
            enough = v.call("greaterOrEquals", v.call("length", pieces, type=Type.INT), v.integer(position), type=Type.BOOL)
            present = v.both([v.is_present(text), enough])
            found[name] = v.call("if", v.is_true(present), trimmed, v.Literal(Type.TEXT, None), type=Type.TEXT)
        return found


@dataclass(frozen=True)
class XmlExtraction(Extraction):
    """Elements of an XML text that hold text alone, by their names; elements and attributes by their path."""

    def named(self, text: Value, name: str) -> Value:
        if "." in name or "{" in name:
            try:
                return document_values(text, name)
            except SearchError:
                return v.NULL
        if not re.fullmatch(r"[\w:.-]+", name):
            return v.NULL
        escaped = re.escape(name)
        element = rf"<{escaped}(?:\s[^>]*)?>([^<]*)</{escaped}\s*>"
        found = v.call("extractAllGroupsHorizontal", text, v.text(element), type=Type.MULTI)
        return without_empty(_decoded(v.call("arrayElement", found, v.integer(1), type=Type.MULTI)))


@dataclass(frozen=True)
class EscapedPairs(Extraction):
    r"""Pairs such as `key=value` and `key="a \"quoted\" value"`, where a backslash escapes a quote and itself."""

    def named(self, text: Value, name: str) -> Value:
        if not re.fullmatch(r"[A-Za-z_][\w.-]*", name):
            return v.NULL
        pattern = rf'(?:^|[\s,;|&(\[{{]){re.escape(name)}=(?:"((?:[^"\\]|\\.)*)"|([^\s,;|&"(){{}}]+))'
        quoted = regexes.extract_group(text, pattern, 1)
        plain = regexes.extract_group(text, pattern, 2)
        bare = v.call("replaceRegexpAll", _sure(quoted), v.text(r'\\(["\\])'), v.text(r"\1"), type=Type.TEXT)
        both = v.call("concat", bare, _sure(plain), type=Type.TEXT)
        return v.call("nullIf", both, v.text(""), type=Type.TEXT)


# ---- reading settings ------------------------------------------------------------------------------------------------


@lru_cache(maxsize=5000)
def read_extract(text: str) -> Extraction:
    """The extraction of an `EXTRACT-` setting. Raises SearchError for what is no pattern with named groups."""
    match = _IN_FIELD.match(text)
    pattern, source = (match["pattern"], match["field"]) if match else (text, RAW)
    regexes.check(pattern)
    templates = _named_groups(pattern)
    if not templates:
        raise SearchError(f'"{pattern}" has no named group: wanted one such as (?<field>...)')
    return PatternExtraction(source, False, pattern, templates)


def read_transform(name: str, settings: Mapping[str, str]) -> Extraction:
    """The extraction of a transforms stanza that `REPORT-` names. Raises SearchError for one that extracts nothing."""
    wanted = ("REGEX", "FORMAT", "DELIMS", "FIELDS", "SOURCE_KEY", "MV_ADD", "CLEAN_KEYS", "KEEP_EMPTY_VALS")
    try:
        return _read_transform(tuple((key, settings[key]) for key in wanted if key in settings))
    except SearchError as error:
        raise SearchError(f"[{name}]: {error.message}") from None


@lru_cache(maxsize=5000)
def _read_transform(given: tuple[tuple[str, str], ...]) -> Extraction:
    settings = dict(given)
    source = settings.get("SOURCE_KEY", RAW).strip()
    source = _METADATA.get(source.lower(), source.removeprefix("field:"))
    gathers = settings.get("MV_ADD", "").strip().lower() in _TRUE
    cleans = settings.get("CLEAN_KEYS", "true").strip().lower() in _TRUE
    if settings.get("REGEX", "").strip():
        return _read_regex(settings["REGEX"].strip(), settings.get("FORMAT", "").strip(), source, gathers, cleans)
    if "DELIMS" in settings:
        keeps_empty = settings.get("KEEP_EMPTY_VALS", "").strip().lower() in _TRUE
        return _read_delimiters(settings["DELIMS"], settings.get("FIELDS", ""), source, gathers, cleans, keeps_empty)
    raise SearchError("wanted REGEX, or DELIMS")


def _read_regex(pattern: str, format: str, source: str, gathers: bool, cleans: bool) -> Extraction:
    regexes.check(pattern)
    if not format:
        groups = regexes.group_indexes(pattern)
        key = next((n for name, n in groups.items() if name.startswith("_KEY_")), None)
        if key is not None:
            number = next(name for name, n in groups.items() if n == key).removeprefix("_KEY_")
            if f"_VAL_{number}" not in groups:
                raise SearchError(f'"{pattern}" has the group _KEY_{number} and no _VAL_{number}')
            return PairExtraction(source, gathers, pattern, key, groups[f"_VAL_{number}"], cleans)
        templates = _named_groups(pattern)
        if not templates:
            raise SearchError(f'"{pattern}" has no named group, and there is no FORMAT')
        return PatternExtraction(source, gathers, pattern, templates)
    count = regexes.group_count(pattern)
    templates = []
    for piece in re.findall(r'(?:"(?:[^"\\]|\\.)*"|[^\s"])+', format):
        name, colons, value = piece.partition("::")
        if not colons or not name or not value:
            raise SearchError(f'FORMAT wants field::$1, got "{piece}"')
        for reference in _REFERENCE.findall(piece):
            if int(reference) > count:
                raise SearchError(f'FORMAT names group {reference}, but "{pattern}" has {count}')
        name, value = name.strip('"'), value.strip('"')
        if _REFERENCE.search(name):
            key, of_value = _REFERENCE.fullmatch(name), _REFERENCE.fullmatch(value)
            if key is None or of_value is None:
                raise SearchError(f'a FORMAT that names its fields by the text wants $1::$2, got "{piece}"')
            return PairExtraction(source, gathers, pattern, int(key[1]), int(of_value[1]), cleans)
        parts = _REFERENCE.split(value)
        templates.append((name, tuple(int(p) if k % 2 else p for k, p in enumerate(parts) if k % 2 or p)))
    return PatternExtraction(source, gathers, pattern, tuple(templates))


def _read_delimiters(delims: str, fields: str, source: str, gathers: bool, cleans: bool, keeps_empty: bool) -> Extraction:
    sets = [_unescaped(text) for text in re.findall(r'"((?:[^"\\]|\\.)*)"', delims)] or [delims.strip()]
    if not sets[0]:
        raise SearchError(f'DELIMS wants one or two sets of characters in quotes, got "{delims}"')
    names = tuple(n.strip().strip('"') for n in re.findall(r'"[^"]*"|[^,\s][^,]*', fields) if n.strip().strip('"'))
    if len(sets) > 1:
        between, inside = _in_class(sets[0]), _in_class(sets[1])
        pattern = rf'(?:^|[{between}])\s*([^{between}{inside}]+?)\s*[{inside}]\s*(?:"([^"]*)"|([^{between}]*))'
        return DelimitedPairs(source, gathers, pattern, cleans)
    if not names:
        raise SearchError("DELIMS wants FIELDS, or a second set of characters between keys and values")
    return ColumnExtraction(source, gathers, sets[0], names, keeps_empty)


@dataclass(frozen=True)
class DelimitedPairs(Extraction):
    """Pairs cut at one set of characters, key and value at another."""

    pattern: str = ""
    cleans: bool = True

    def named(self, text: Value, name: str) -> Value:
        quoted = PairExtraction(self.source, self.gathers, self.pattern, 1, 2, self.cleans).named(text, name)
        plain = PairExtraction(self.source, self.gathers, self.pattern, 1, 3, self.cleans).named(text, name)
        if self.gathers:
            return v.call("arrayConcat", quoted, plain, type=Type.MULTI)
        trimmed = v.call("trimBoth", _sure(plain), type=Type.TEXT)
        return v.call("coalesce", quoted, v.call("nullIf", trimmed, v.text(""), type=Type.TEXT), type=Type.TEXT)


def _named_groups(pattern: str) -> tuple[tuple[str, tuple[str | int, ...]], ...]:
    return tuple((name, (number,)) for name, number in regexes.group_indexes(pattern).items())


def _in_class(characters: str) -> str:
    return "".join("\\" + c if c in "]\\^-[" else c for c in characters)


def _unescaped(text: str) -> str:
    names = {"t": "\t", "n": "\n", "r": "\r", "s": " "}
    return re.sub(r"\\(.)", lambda m: names.get(m[1], m[1]), text)


# ---- values ----------------------------------------------------------------------------------------------------------


def without_empty(found: Value) -> Value:
    """A multivalue without its empty texts."""
    item = Column(Type.TEXT, "item")
    some = Lambda(Type.BOOL, ("item",), v.call("notEmpty", item, type=Type.BOOL))
    return v.call("arrayFilter", some, found, type=Type.MULTI)


def first_of(found: Value) -> Value:
    """The first value of a multivalue; NULL for none."""
    return v.call("nullIf", v.call("arrayElement", found, v.integer(1), type=Type.TEXT), v.text(""), type=Type.TEXT)


def _element(groups: Value, number: int) -> Value:
    return v.call("arrayElement", groups, v.integer(number), type=Type.TEXT)


def _sure(value: Value) -> Value:
    return v.call("ifNull", value, v.text(""), type=Type.TEXT)


def _filled(template: tuple[str | int, ...], group) -> Value:
    pieces = [group(piece) if isinstance(piece, int) else v.text(piece) for piece in template]
    return v.call("concat", *pieces, v.text(""), type=Type.TEXT)


def _decoded(texts: Value) -> Value:
    item = Column(Type.TEXT, "item")
    plain = Lambda(Type.TEXT, ("item",), v.call("decodeXMLComponent", item, type=Type.TEXT))
    return v.call("arrayMap", plain, texts, type=Type.MULTI)
