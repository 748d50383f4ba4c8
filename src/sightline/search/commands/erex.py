"""`erex`: a regular expression learned from examples of what it is to find."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.planner import regexes
from sightline.search.planner import values as v
from sightline.search.planner.lower import undictionaried
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options

_CLASSES = (r"\d+", "[A-Za-z]+", r"\w+", r"[\w.-]+", r"[\w.:/@-]+", r"[^\s,;\"']+", r"[^,;\"']+", r"[^\"]+", ".+")
"""What a value may consist of, the narrowest first."""
_DELIMITERS = (",", "\t", "|", ";", " ")
_CONTEXT_CHARACTERS = 24
"""How much of the text before a value is looked at."""


@command("erex")
@dataclass
class ERex(Command):
    """Learns a regular expression from examples, tells it, and takes the field out with it.

    Syntax: erex [<field>] examples="<value>, <value>..." [counterexamples="<value>, ..."] [fromfield=<field>]
        [maxtrainers=<n>]
    Example: index=web | erex who examples="u1, u2"

    It looks at the first `maxtrainers` (100) rows whose text holds one of the examples, and takes the expression with the
    fewest words in front that finds an example in each of them and no counterexample in any. The message beside the result
    has the expression, for a `rex` in its place. Without a field it only tells. A row that does not match keeps what it has.
    """

    examples: str = option("", help="values to find, separated by commas")
    counterexamples: str = option("", help="values not to find, separated by commas")
    fromfield: str = option("_raw", help="the field to read")
    maxtrainers: int = option(100, minimum=1, help="how many rows to learn from")
    name: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> ERex:
        names, found = arguments.names_with_options(cls)
        if len(names) > 1:
            raise SearchError(f"one field is expected, got {len(names)}", arguments.stage.arguments)
        command = cls(name=names[0] if names else "", **found)
        if not _listed(command.examples):
            raise SearchError("examples=<values> is missing", arguments.stage.arguments)
        return command

    def print_arguments(self) -> list[str]:
        return [*([print_name(self.name)] if self.name else []), *print_options(self)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        text = undictionaried(relation.field(self.fromfield))
        if text.type is Type.NULL or context.dry:
            return relation
        if text.type is Type.MULTI:
            text = v.call("arrayStringConcat", text, v.text("\n"), type=Type.TEXT)
        text = v.call("ifNull", v.as_text(text), v.text(""), type=Type.TEXT)
        examples, counterexamples = _listed(self.examples), _listed(self.counterexamples)
        holds = v.call("multiSearchAny", text, v.multi(examples), type=Type.BOOL)
        rows = relation.filtered(holds).with_fields({"text": text}).head(self.maxtrainers)
        texts = context.table_of(rows, ["text"])["text"].to_pylist()
        if not texts:
            raise SearchError(f'no row of "{self.fromfield}" holds one of the examples: {", ".join(examples)}')
        pattern = learn(texts, examples, counterexamples)
        if pattern is None:
            raise SearchError(
                "no regular expression finds an example in every row that holds one",
                hint="fewer examples, or counterexamples that tell them from other text, may help",
            )
        shown = pattern.replace("(?<value>", f"(?<{self.name or 'value'}>")
        context.inform(f'learned the regular expression: rex field={self.fromfield} "{_in_quotes(shown)}"')
        if not self.name:
            return relation
        found = regexes.extract(text, pattern, "value")
        return relation.with_field(self.name, v.choose(v.is_present(found), found, relation.field(self.name)))


def _listed(text: str) -> list[str]:
    return [part for piece in text.split(",") if (part := piece.strip())]


def _in_quotes(pattern: str) -> str:
    return re.sub(r'(?<!\\)"', r"\\\"", pattern)


def learn(texts: Sequence[str], examples: Sequence[str], counterexamples: Sequence[str]) -> str | None:
    """A regular expression with a group `value` that finds an example in every text, and no counterexample in any."""
    fitting = [c for c in _CLASSES if all(re.fullmatch(c, example) for example in examples)]
    for pattern in _candidates(texts, examples, fitting):
        compiled = re.compile(pattern.replace("(?<value>", "(?P<value>"))
        found = [match.group("value") if (match := compiled.search(text)) else None for text in texts]
        if all(value in examples for value in found) and not any(value in counterexamples for value in found):
            return pattern
    return None


def _candidates(texts: Sequence[str], examples: Sequence[str], classes: Sequence[str]) -> Iterator[str]:
    """Expressions by what stands in front of the values, then by the place between delimiters.

    Fewest whole words come first: more of them would tie the expression to what the examples happen to stand beside.
    """
    heads = [text[: text.index(example)] for text in texts for example in examples if example in text]
    prefix = _common_end(heads)[-_CONTEXT_CHARACTERS:]
    at_start = all(len(head) <= _CONTEXT_CHARACTERS and head == heads[0] for head in heads)
    words = [n for n in range(len(prefix)) if prefix[n].isalnum() and not prefix[n - 1 : n].isalnum()]
    for start in [*reversed(words), *(n for n in range(len(prefix) + 1) if n not in words)]:
        before = prefix[start:]
        edge = "^" if at_start and start == 0 else r"(?<!\w)" if before[:1].isalnum() or not before else ""
        for kind in classes:
            yield f"{edge}{_escaped(before)}(?<value>{kind})" + (r"(?!\w)" if kind in _CLASSES[:3] else "")
    for delimiter in _DELIMITERS:
        places = {text.split(delimiter).index(e) for text in texts for e in examples if e in text.split(delimiter)}
        if len(places) == 1:
            cell = f"[^{_escaped(delimiter)}]*"
            yield f"^(?:{cell}{_escaped(delimiter)}){{{places.pop()}}}(?<value>{cell})"


def _common_end(texts: Sequence[str]) -> str:
    shortest = min(texts, key=len)
    for length in range(len(shortest), 0, -1):
        end = shortest[-length:]
        if all(text.endswith(end) for text in texts):
            return end
    return ""


def _escaped(text: str) -> str:
    return re.sub(r"([\\.^$*+?()\[\]{}|/-])", r"\\\1", text).replace("\t", r"\t").replace("\n", r"\n")
