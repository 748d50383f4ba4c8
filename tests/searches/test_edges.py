"""Every command has a case of every kind: absent, several, equal and wrong values, no rows, very many rows.

A rule of the scripts `edges_commands_*.test` begins with the kinds and the commands it holds cases for: `null, ties: head, tail.`
Kinds that say nothing about a command are listed in `edges_commands_without.txt` with the reason.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path

from script import Load, Rows, Search, parse

from sightline.search import registry

FOLDER = Path(__file__).parent
WITHOUT = FOLDER / "edges_commands_without.txt"
"""Lines `command: kind, kind: reason`, where the command may be several, divided by commas."""

KINDS = ("null", "multivalue", "ties", "empty", "wrong type", "large")
LARGE_ROWS = 100_000

TITLE = re.compile(rf"((?:{'|'.join(KINDS)})(?:, (?:{'|'.join(KINDS)}))*): ([a-z0-9_, ]+)\.(?: |$)")

SEVERAL = re.compile(r"\b(split|mvappend|makemv|mvrange|mvcombine|values|list)\b")
"""What makes fields of several values in a search that reads none."""


@cache
def cases() -> list[tuple[str, str, str, int, list[Search], list[Rows]]]:
    """Kind, command, script and line, searches under the rule, and the tables that the script loads."""
    found = []
    for path in sorted(FOLDER.glob("edges_commands_*.test")):
        steps = parse(path.read_text(), path.name)
        tables = [step.table for step in steps if isinstance(step, Load)]
        rule: re.Match[str] | None = None
        under: dict[str, list[Search]] = {}
        for step in steps:
            if not isinstance(step, Search):
                continue
            # A search without a rule of its own goes on with the one above it.
            rule = TITLE.match(step.rule) or (rule if not step.rule else None)
            if rule is not None:
                under.setdefault(rule[0], []).append(step)
        for title, searches in under.items():
            match = TITLE.match(title)
            assert match is not None
            for kind in match[1].split(", "):
                for command in match[2].split(", "):
                    found.append((kind, command, path.name, searches[0].line, searches, tables))
    return found


def commands() -> dict[str, set[str]]:
    """The names of every command, its aliases among them."""
    registry.load()
    return {entry.name: {entry.name, *entry.aliases} for entry in registry.COMMANDS.values()}


def exempt() -> Iterator[tuple[str, str]]:
    for line in WITHOUT.read_text().splitlines():
        if not line or line.startswith("#"):
            continue
        names, kinds, reason = (part.strip() for part in line.split(":", 2))
        assert reason, f"{WITHOUT.name}: a reason is wanted: {line}"
        for kind in kinds.split(", "):
            assert kind in KINDS, f"{WITHOUT.name}: {kind} is none of {KINDS}"
            for name in names.split(", "):
                assert name in commands(), f"{WITHOUT.name}: there is no command {name}"
                yield name, kind


def test_every_command_meets_every_kind_of_case() -> None:
    held = {(command, kind) for kind, command, *_ in cases()}
    without = set(exempt())
    assert not held & without, f"these have a case now: take them out of {WITHOUT.name}: {sorted(held & without)}"
    missing = sorted({(name, kind) for name in commands() for kind in KINDS} - held - without)
    assert not missing, f"no case in edges_commands_*.test, and no reason in {WITHOUT.name}:\n" + "\n".join(
        f"{name}: {', '.join(kind for other, kind in missing if other == name)}"
        for name in dict.fromkeys(n for n, _ in missing)
    )


def test_a_rule_holds_what_it_says() -> None:
    """The commands of a rule stand in its searches, and there is data of the kind."""
    for kind, command, script, line, searches, tables in cases():
        at = f"{script}:{line}: {kind}: {command}"
        names = commands().get(command)
        assert names, f"{at}: no such command"
        texts = [search.text for search in searches]
        assert any(re.search(rf"(^|[|\[])\s*({'|'.join(names)})\b", text) for text in texts) or command == "search", at
        whole = "\n".join(texts)
        cells = [cell for table in tables for row in table.rows for cell in row]
        if kind == "large":
            counts = [int(count) for count in re.findall(r"count=(\d+)", whole)]
            assert max(counts, default=0) >= LARGE_ROWS or "gentimes" in whole, f"{at}: no {LARGE_ROWS:,} rows"
        elif kind == "empty":
            assert re.search(r"n=0|count=0|nosuch|none\b", whole), f"{at}: nothing is empty"
        elif kind == "null":
            assert any(cell.kind == "null" for cell in cells) or "null()" in whole, f"{at}: nothing is absent"
        elif kind == "multivalue":
            assert any(cell.kind == "multi" for cell in cells) or SEVERAL.search(whole), f"{at}: no field has several values"
