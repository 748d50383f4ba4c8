"""Nothing in the language is without an example that runs: every command, function, aggregate and option is used by some test.

Searches are those of the scripts; a command or an option may also be tried by a test in Python, where its effects reach beyond
the rows of an answer.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from script import Search, parse

from sightline.errors import SearchError
from sightline.search import registry
from sightline.search.syntax.arguments import written_options
from sightline.search.syntax.parser import parse_pipeline
from sightline.search.syntax.source import read_source
from sightline.search.syntax.tree import Pipeline

TESTS = Path(__file__).parent.parent
UNTRIED = Path(__file__).parent / "untried_options.txt"
"""Options, `command option` a line, that no test uses yet. The list may only become shorter."""


@cache
def searches() -> list[str]:
    """Every search of the scripts that is expected to give rows."""
    return [
        step.text
        for path in sorted(Path(__file__).parent.glob("*.test"))
        for step in parse(path.read_text(), path.name)
        if isinstance(step, Search) and step.expectation.error is None
    ]


@cache
def python_tests() -> str:
    return "\n".join(path.read_text() for path in sorted(TESTS.rglob("test_*.py")) if path != Path(__file__)).lower()


@cache
def stages() -> dict[str, str]:
    """For each command, the texts of its stages in the scripts."""
    found: dict[str, list[str]] = {}

    def walk(pipeline: Pipeline) -> None:
        for stage in pipeline.stages:
            found.setdefault(stage.name, []).append(stage.text[stage.arguments.start : stage.arguments.end].lower())
            for inner, _ in stage.subsearches.values():
                walk(inner)

    for text in searches():
        try:
            walk(parse_pipeline(read_source(text)))
        except SearchError:
            continue
    return {name: "\n".join(texts) for name, texts in found.items()}


def is_tried_in_python(command: str, rest: str = "") -> bool:
    return re.search(rf"\|\s*{re.escape(command)}\b[^|\n]*{rest}", python_tests()) is not None


def test_every_command_is_used() -> None:
    registry.load()
    missing = {
        entry.name
        for entry in registry.COMMANDS.values()
        if not any(name in stages() or is_tried_in_python(name) for name in (entry.name, *entry.aliases))
    }
    assert not missing, f"no test uses the commands {sorted(missing)}"


def test_every_function_is_used() -> None:
    registry.load()
    text = "\n".join(searches()).lower()
    missing = {name for name in registry.FUNCTIONS if not re.search(rf"\b{re.escape(name)}\s*\(", text)}
    assert not missing, f"no script uses the functions {sorted(missing)}"


def test_every_function_meets_every_kind_of_value() -> None:
    """The table `t` of this script has a row of each kind: absent, empty, several values, of the wrong type, beyond all limits."""
    registry.load()
    script = (Path(__file__).parent / "edges_functions.test").read_text().lower()
    names = {name for name, entry in registry.FUNCTIONS.items() if entry.maximum != 0}
    missing = {name for name in names if not re.search(rf"\b{re.escape(name)}\([^|\n]*\bx\b", script)}
    assert not missing, f"these functions do not meet every kind of value in edges_functions.test: {sorted(missing)}"


def test_every_aggregate_is_used() -> None:
    registry.load()
    text = "\n".join(searches()).lower()
    missing = {name for name in registry.AGGREGATES if not re.search(rf"\b{re.escape(name)}[\d.]*\b", text)}
    assert not missing, f"no script uses the aggregates {sorted(missing)}"


def test_every_aggregate_meets_every_kind_of_value() -> None:
    registry.load()
    script = (Path(__file__).parent / "edges_aggregates.test").read_text().lower()
    names: dict[int, list[str]] = {}
    for name, entry in registry.AGGREGATES.items():
        names.setdefault(id(entry.lower), []).append(name)
    missing = [one for one in names.values() if not any(re.search(rf"\b{name}\d*\((count\()?x\)", script) for name in one)]
    assert not missing, f"these aggregates do not meet every kind of value in edges_aggregates.test: {missing}"


def test_every_option_is_used_but_those_on_the_list() -> None:
    registry.load()
    untried = set()
    for entry in {id(e): e for e in registry.COMMANDS.values()}.values():
        names = (entry.name, *entry.aliases)
        text = "\n".join(stages().get(name, "") for name in names)
        for option in written_options(entry.command):
            given = rf"\b{re.escape(option)}\s*="
            if not re.search(given, text) and not any(is_tried_in_python(name, given) for name in names):
                untried.add(f"{entry.name} {option}")
    listed = set(UNTRIED.read_text().split("\n")) - {""}
    assert untried - listed == set(), "no test uses these options"
    assert listed - untried == set(), f"these options are used now: take them out of {UNTRIED.name}"
