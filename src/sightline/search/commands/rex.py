"""`rex` and `regex`: fields cut out of text by a regular expression, text rewritten, rows kept or dropped by one."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass

from sightline.errors import LanguageError, SearchError
from sightline.search.context import Context
from sightline.search.planner import regexes
from sightline.search.planner import values as v
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options
from sightline.search.syntax.expressions import quote_string
from sightline.search.syntax.tokens import read_raw_string, read_string


def _pattern(arguments: Arguments, check: Callable[[str], None]) -> str:
    r"""The pattern at the cursor: a quoted string, or the rest of the text when it is not quoted.

    In a quoted string two backslashes stand for one, as in every string: `"[^\\\]+"` is `[^\\]+`. A pattern that is none when
    it is read so is taken as it is written: `"C:\\(?<rest>.*)"` is then a backslash and a group. `check` raises SearchError.
    """
    token = arguments.peek()
    if token.kind == "string":
        arguments.next()
        try:
            check(token.text)
        except SearchError:
            written = read_raw_string(arguments.stage.text, token.span.start)[0]
            check(written)
            return written
        return token.text
    if token.kind == "end":
        raise SearchError("a regular expression is expected, got the end", token.span)
    start = token.span.start
    arguments.position = len(arguments.tokens)
    # An escaped quote is a quote, as it is inside of quotes.
    pattern = arguments.stage.text[start : arguments.stage.arguments.end].strip().replace('\\"', '"')
    check(pattern)
    return pattern


def _sed_follows(arguments: Arguments) -> bool:
    """Whether the option that makes a sed script of the pattern stands behind it."""
    later = range(1, len(arguments.tokens) - arguments.position - 2)
    return any(
        arguments.peek(n).is_word("mode") and arguments.peek(n + 1).is_("=") and arguments.peek(n + 2).text.lower() == "sed"
        for n in later
    )


def _print_pattern(pattern: str) -> str:
    """The pattern as a string, with as few backslashes as read back."""
    plain = '"' + pattern.replace('"', '\\"') + '"'
    try:
        value, end = read_string(plain, 0)
    except SearchError:
        return quote_string(pattern)
    return plain if (value, end) == (pattern, len(plain)) else quote_string(pattern)


@command("rex")
@dataclass
class Rex(Command):
    r"""Cuts fields out of text with the named groups of a regular expression, or rewrites the text.

    Syntax: rex [field=<field>] [max_match=<n>] [offset_field=<field>] "<regex>" | rex [field=<field>] mode=sed "s/<regex>/<text>/<flags>"
    Example: index=web | rex "user=(?<user>\w+)"

    Reads `_raw` unless `field` says otherwise. A row that does not match keeps its fields. With `max_match` other than 1
    (0 is all) the fields become multivalues. Of a multivalue each value is read: the first that matches counts, or with
    `max_match` all do. In the quotes two backslashes stand for one. `mode=sed` takes `s/regex/replacement/flags` (`g`, `i`, or a number) and
    `y/abc/xyz/`.
    """

    field: str = option("_raw", help="the field to read")
    max_match: int = option(1, minimum=0, help="how many matches; 0 is all")
    offset_field: str = option("", help="a field for the places of the matches")
    mode: str = option("", choices=("sed",), help="rewrite instead of extract")
    pattern: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> Rex:
        given = arguments.options(cls)
        place = arguments.peek().span

        def check(pattern: str) -> None:
            if given.get("mode") == "sed":
                for script in split_sed(pattern):
                    check_sed(script, place)
                return
            regexes.check(pattern, place)
            if not regexes.group_names(pattern):
                raise LanguageError(f'the regular expression has no named group such as (?<name>...): "{pattern}"', place)

        if _sed_follows(arguments):
            given["mode"] = "sed"
        pattern = _pattern(arguments, check)
        given.update(arguments.options(cls))
        arguments.finish()
        return cls(pattern=pattern, **given)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), _print_pattern(self.pattern)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        source = relation.field(self.field)
        if source.type is Type.NULL:
            return relation
        item = v.Column(Type.TEXT, "item")
        if self.mode == "sed":
            if source.type is not Type.MULTI:
                return relation.with_field(self.field, self._rewritten(v.as_text(source)))
            each = v.Lambda(Type.TEXT, ("item",), self._rewritten(item))
            return relation.with_field(self.field, v.call("arrayMap", each, source, type=Type.MULTI))
        text = v.as_text(source)
        if source.type is Type.MULTI:
            test = v.Lambda(Type.BOOL, ("item",), v.is_true(regexes.matches(item, self.pattern)))
            text = v.call("arrayFirstOrNull", test, source, type=Type.TEXT)
        made: dict[str, Value] = {}
        for name in regexes.group_names(self.pattern):
            if source.type is Type.MULTI and self.max_match != 1:
                found = self._of_all(source, name)
            else:
                found = regexes.extract(text, self.pattern, name, self.max_match)
            old = relation.field(name)
            made[name] = found if old.type is Type.NULL else v.choose(v.is_present(found), found, old)
        if self.offset_field:
            made[self.offset_field] = regexes.offsets(text, self.pattern)
        return relation.with_all(made)

    def _of_all(self, source: Value, name: str) -> Value:
        """What a group matched in all of several texts."""
        each = regexes.extract(v.Column(Type.TEXT, "item"), self.pattern, name, self.max_match)
        lists = v.call("arrayMap", v.Lambda(Type.MULTI, ("item",), each), source, type=Type.MULTI)
        found = v.call("arrayFlatten", lists, type=Type.MULTI)
        if not self.max_match:
            return found
        return v.call("arraySlice", found, v.integer(1), v.integer(self.max_match), type=Type.MULTI)

    def _rewritten(self, text: Value) -> Value:
        for script in split_sed(self.pattern):
            if script.startswith("y"):
                _, source, target, _ = _sed_parts(script)
                text = v.call("translateUTF8", text, v.text(source), v.text(target), type=Type.TEXT)
                continue
            _, pattern, replacement, flags = _sed_parts(script)
            if "i" in flags.lower():
                pattern = "(?i)" + pattern
            number = "".join(c for c in flags if c.isdigit())
            which = 0 if "g" in flags.lower() else int(number or 1)
            text = regexes.replace(text, pattern, replacement, which=which)
        return text


def split_sed(text: str) -> list[str]:
    """The scripts of a sed text: one, or several separated by spaces or semicolons."""
    scripts, rest = [], text.strip()
    while rest:
        if len(rest) < 2 or rest[0] not in "sy":
            raise SearchError(f'a sed script is s/regex/replacement/flags or y/abc/xyz/, got "{rest}"')
        delimiter, i, seen = rest[1], 2, 0
        while i < len(rest) and seen < 2:
            if rest[i] == "\\":
                i += 1
            elif rest[i] == delimiter:
                seen += 1
            i += 1
        if seen < 2:
            raise SearchError(f'a sed script has three delimiters, got "{rest}"')
        while i < len(rest) and rest[i] not in "; \t\n":
            i += 1
        scripts.append(rest[:i])
        rest = rest[i:].lstrip("; \t\n")
    return scripts


def _sed_parts(script: str) -> tuple[str, str, str, str]:
    delimiter, parts, current, i = script[1], [], "", 2
    while i < len(script) and len(parts) < 2:
        if script[i] == "\\" and i + 1 < len(script):
            current += delimiter if script[i + 1] == delimiter else script[i : i + 2]
            i += 2
        elif script[i] == delimiter:
            parts.append(current)
            current = ""
            i += 1
        else:
            current += script[i]
            i += 1
    return script[0], parts[0], parts[1], script[i:].strip()


def check_sed(script: str, place: object) -> None:
    """Refuse a sed script that cannot run."""
    kind, pattern, replacement, flags = _sed_parts(script)
    if kind == "y":
        if len(pattern) != len(replacement):
            raise SearchError(
                f"y/// needs as many characters on both sides, got {len(pattern)} and {len(replacement)}", place
            )  # type: ignore[arg-type]
        return
    if not re.fullmatch(r"[gGiI]*([1-9]\d*[iI]*)?", flags):
        raise SearchError(f'sed flags are g, i and the number of a match, got "{flags}"', place)  # type: ignore[arg-type]
    regexes.check(pattern, place)  # type: ignore[arg-type]


@command("regex")
@dataclass
class Regex(Command):
    r"""Keeps the rows whose field matches a regular expression, or with != those whose field does not.

    Syntax: regex [<field>=|<field>!=]"<regex>"
    Example: index=web | regex uri="^/api/v\d+/"

    Reads `_raw` unless a field is named. A row without the field is dropped, and kept with `!=`.
    """

    name: str = "_raw"
    negated: bool = False
    pattern: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> Regex:
        name, negated = "_raw", False
        if arguments.peek(1).is_("=", "!=", "=="):
            name = arguments.name()
            negated = arguments.next().text == "!="
        place = arguments.peek().span
        pattern = _pattern(arguments, lambda given: regexes.check(given, place))
        arguments.finish()
        return cls(name, negated, pattern)

    def print_arguments(self) -> list[str]:
        return [f"{print_name(self.name)}{'!=' if self.negated else '='}{_print_pattern(self.pattern)}"]

    def lower(self, relation: Relation, context: Context) -> Relation:
        value = relation.field(self.name)
        if value.type is Type.NULL:
            return relation if self.negated else relation.filtered(v.FALSE)
        if value.type is Type.MULTI:
            item = v.Column(Type.TEXT, "item")
            test = v.Lambda(Type.BOOL, ("item",), regexes.matches(item, self.pattern))
            found: Value = v.call("arrayExists", test, value, type=Type.BOOL)
        else:
            found = v.is_true(regexes.matches(v.as_text(value), self.pattern))
        return relation.filtered(v.negation(found) if self.negated else found)
