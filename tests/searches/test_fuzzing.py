"""Hostile texts: none makes anything but a search error with a place, and none reaches the engine outside of quotes.

The searches of all scripts are changed at random, always in the same way; SIGHTLINE_FUZZ_S looks for so many seconds more.
"""

from __future__ import annotations

import os
import random
import re
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from script import Load, Search, parse
from world import NOW, World

from sightline.errors import SearchError, UserError
from sightline.search.registry import read_command
from sightline.search.syntax.tree import Pipeline

LONG_S = float(os.environ.get("SIGHTLINE_FUZZ_S", "0"))
READ, PLANNED = 4000, 120
"""How many changed texts are read, and how many planned, when nobody asks for more."""

PIECES = [
    *("|", "[", "]", "(", ")", '"', "'", "`", "```", "\\", '\\"', ",", "=", "!=", "<", ">", "*", "-", "+", ".", "..", "$x$", "<<F>>"),
    *(" AS ", " BY ", " OVER ", " AND ", " OR ", " NOT ", " IN (", " LIKE ", "eval(", "count(", "span=", "limit=", "{a}", "@d", "::"),
    *("\n", "\t", "\u00a0", "\u200b", "“", "’", "\x00", "é", "日", "🙂", "İ", "0", "-1", "1e999", "99999999999999999999", "0x1F", "%"),
]  # fmt: skip
MARK = "zqxmark"
HOSTILE = [
    f"{MARK}'", f"{MARK}\\", f"{MARK}`", f"{MARK}') OR 1=1 --", f"{MARK}'; SELECT 1; --", f"{MARK}/*", f"*/{MARK}", f"{MARK}\\'", f"`{MARK}`",
    f"\n{MARK}", f"{{{MARK}:String}}", f"{MARK}%s", f"{MARK} FORMAT Null", f"é{MARK}\x01", f"$${MARK}$$",
]  # fmt: skip
_OUTSIDE = re.compile(r"'(?:[^'\\]|\\.|'')*'|`(?:[^`\\]|\\.|``)*`|\"(?:[^\"\\]|\\.)*\"", re.S)
_QUOTED = re.compile(r'"((?:[^"\\]|\\.)*)"|\'([^\'|\n]*)\'')


def corpus() -> list[str]:
    texts = []
    for path in sorted(Path(__file__).parent.glob("*.test")):
        texts += [step.text for step in parse(path.read_text(), path.name) if isinstance(step, Search)]
    return texts


def changed(text: str, texts: list[str], source: random.Random) -> str:
    """The text with pieces taken out, put in, doubled, or crossed with another one."""
    for _ in range(source.randint(1, 3)):
        at, size = source.randint(0, len(text)), source.randint(1, 12)
        kind = source.random()
        if kind < 0.35:
            text = text[:at] + source.choice(PIECES) + text[at:]
        elif kind < 0.6:
            text = text[:at] + text[at + size :]
        elif kind < 0.75:
            text = text[:at] + text[at : at + size] + text[at:]
        else:
            other = source.choice(texts)
            text = text[:at] + other[source.randint(0, len(other)) :]
    return text[:3000]


def some_changed(seed: int, least: int) -> Iterator[str]:
    texts, source, started, given = corpus(), random.Random(seed), time.monotonic(), 0
    while given < least or time.monotonic() - started < LONG_S:
        given += 1
        yield changed(source.choice(texts), texts, source)


def read_commands(pipeline: Pipeline) -> None:
    for stage in pipeline.stages:
        read_command(stage)
        for inner, _ in stage.subsearches.values():
            read_commands(inner)


def test_changed_searches_are_read_or_refused_with_a_place(world: World) -> None:
    for text in some_changed(1, READ):
        source = None
        try:
            source, pipeline = world.engine.read(text)
            read_commands(pipeline)
        except SearchError as error:
            assert error.span is not None, (text, str(error))
            # What commands refuse is a place of the text they were given, in which a last quote may have been added.
            span = error.span if source is None else source.original(error.span)
            assert 0 <= span.start <= span.end, (text, span)
            assert span.start <= len(text), (text, span)
        except Exception as error:
            pytest.fail(f"{text!r}: {error!r}")


def small_world(world: World) -> None:
    world.clear()
    for path in ("eval.test", "stats.test"):
        for step in parse((Path(__file__).parent / path).read_text(), path):
            if isinstance(step, Load):
                world.load(step)


def test_changed_searches_are_planned_or_refused(world: World) -> None:
    small_world(world)
    for text in some_changed(2, PLANNED):
        try:
            world.engine.explain(text, now=NOW)
        except UserError:
            continue
        except Exception as error:
            pytest.fail(f"{text!r}: {error!r}")


def marked(text: str, source: random.Random) -> str | None:
    """The search with a hostile text at the end of each of its quoted texts and names."""
    if not _QUOTED.search(text):
        return None

    def grown(match: re.Match[str]) -> str:
        hostile = source.choice(HOSTILE)
        if match[1] is not None:
            return '"' + match[1] + hostile.replace("\\", "\\\\").replace('"', '\\"') + '"'
        return "'" + match[2] + hostile.replace("\\", "\\\\").replace("'", "\\'") + "'"

    return _QUOTED.sub(grown, text)


def test_quoted_texts_reach_the_engine_in_quotes(world: World) -> None:
    small_world(world)
    source, started, planned = random.Random(3), time.monotonic(), 0
    texts = [text for text in corpus() if _QUOTED.search(text)]
    source.shuffle(texts)
    for text in texts:
        if planned >= PLANNED and time.monotonic() - started > max(LONG_S, 1):
            break
        hostile = marked(text, source)
        assert hostile is not None
        try:
            stages = world.engine.explain(hostile, now=NOW)
        except UserError:
            continue
        for stage in stages:
            if stage["name"].endswith("sql"):
                check_statement(world, hostile, stage["text"])
        planned += 1
    assert planned >= PLANNED // 2


def check_statement(world: World, text: str, statement: str) -> None:
    outside = _OUTSIDE.sub("?", statement)
    assert MARK not in outside, f"{text!r} reaches the engine unquoted: {outside[:2000]}"
    # The engine's own parser takes it for one statement, or says an error.
    quoted = "'" + statement.replace("\\", "\\\\").replace("'", "\\'") + "'"
    again = world.store.query(f"SELECT formatQuery({quoted}) AS text").to_pylist()[0]["text"]
    assert again.lstrip().startswith(("SELECT", "WITH", "(")), text


def test_a_marker_that_is_not_quoted_is_noticed() -> None:
    assert MARK in _OUTSIDE.sub("?", f"SELECT 'a\\'b' AS `x`, {MARK}")
    assert MARK not in _OUTSIDE.sub("?", f"SELECT 'a\\'{MARK}' AS `x\\`{MARK}`")
