"""`replace`: whole values of fields replaced by others."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.functions.arguments import each_text
from sightline.search.planner import values as v
from sightline.search.planner.lower import undictionaried
from sightline.search.planner.relation import Relation, is_second_name
from sightline.search.planner.values import Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, print_name
from sightline.search.syntax.expressions import quote_string, shown


@command("replace")
@dataclass
class Replace(Command):
    """Replaces values of fields.

    Syntax: replace (<value> WITH <value>)... [IN <field>...]
    Example: index=web | replace 200 WITH ok, 5* WITH error IN status

    A value is replaced where all of it equals the first text, case-sensitively; `*` in it stands for any characters, which
    a `*` of the second text carries over. Without IN it looks at all fields, except those that begin with an underscore.
    Of several replacements that fit, one without `*` goes first, the later one of two; then the one with more characters
    besides its stars. Of a multivalue, each value. An empty text is a value, an absent field is none.
    """

    pairs: list[tuple[str, str]] = field(default_factory=list)
    names: list[str] = field(default_factory=list)

    @classmethod
    def read(cls, arguments: Arguments) -> Replace:
        pairs: list[tuple[str, str]] = []
        names: list[str] = []
        arguments.skip_commas()
        while not arguments.done:
            if pairs and arguments.accept_word("in"):
                names = arguments.names()
                break
            start = arguments.peek().span
            old = arguments.name("a value")
            if not arguments.accept_word("with"):
                raise SearchError(f'wanted WITH after "{old}", got {shown(arguments.peek())}', arguments.peek().span)
            new = arguments.name("a new value after WITH")
            if "*" in new and new.count("*") != old.count("*"):
                message = (
                    f'"{old}" has {old.count("*")} stars and "{new}" has {new.count("*")}: wanted equal numbers, or none'
                )
                raise SearchError(message, start)
            pairs.append((old, new))
            arguments.skip_commas()
        if not pairs:
            raise SearchError(f"a value is expected, got {shown(arguments.peek())}", arguments.peek().span)
        return cls(pairs, names)

    def print_arguments(self) -> list[str]:
        pairs = ", ".join(f"{quote_string(old)} WITH {quote_string(new)}" for old, new in self.pairs)
        return [pairs, *(["IN", ", ".join(print_name(n) for n in self.names)] if self.names else [])]

    def lower(self, relation: Relation, context: Context) -> Relation:
        patterns = self.names or ["*"]
        names = dict.fromkeys(n for pattern in patterns for n in relation.matching(pattern))
        for name in names:
            if is_second_name(name, relation.fields) and name not in self.names:
                continue
            value = relation.field(name)
            pairs = [pair for pair in self._by_precedence() if _can_match(value, pair[0])]
            if pairs and value.type is not Type.NULL:
                relation = relation.with_field(name, _replaced(undictionaried(value), pairs))
        return relation

    def _by_precedence(self) -> list[tuple[str, str]]:
        exact = [pair for pair in reversed(self.pairs) if "*" not in pair[0]]
        starred = [pair for pair in self.pairs if "*" in pair[0]]
        return [*exact, *sorted(starred, key=lambda pair: -len(pair[0].replace("*", "")))]


def _can_match(value: Value, old: str) -> bool:
    """Whether a value of its type can be the text: a number never is a word, so that columns of numbers stay such."""
    if value.type.is_number:
        return "*" in old or v.numeric_literal(old) is not None
    return True


def _replaced(value: Value, pairs: list[tuple[str, str]]) -> Value:
    changed = each_text(value, lambda text: v.shared([text], lambda text: _one_replaced(text, pairs)))
    if value.type.is_number and all(v.numeric_literal(new) is not None for _, new in pairs):
        return v.as_float(changed)
    return changed


def _one_replaced(text: Value, pairs: list[tuple[str, str]]) -> Value:
    cases: list[Value] = []
    for old, new in pairs:
        if "*" not in old:
            cases += [v.call("equals", text, v.text(old), type=Type.BOOL), v.text(new)]
            continue
        pattern = v.text("(?s)^" + "".join("(.*)" if c == "*" else re.escape(c) if c.isascii() else c for c in old) + "$")
        target, number = "", 0
        for c in new:
            number += c == "*"
            target += f"\\{number}" if c == "*" else "\\\\" if c == "\\" else c
        result = v.call("replaceRegexpOne", text, pattern, v.text(target), type=Type.TEXT) if number else v.text(new)
        cases += [v.call("match", text, pattern, type=Type.BOOL), result]
    return v.call("multiIf", *cases, text, type=Type.TEXT)
