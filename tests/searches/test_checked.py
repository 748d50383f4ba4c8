"""Every search script, as the editor looks at it before a search runs: what runs is not underlined, what is refused is where it is.

Only names are loaded, and no rows: what is wrong with a text alone does not depend on them.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from script import Clear, Conf, Load, Search, parse
from world import World

from sightline.errors import Span

SCRIPTS = sorted(Path(__file__).parent.glob("*.test"))


@pytest.mark.parametrize("path", SCRIPTS, ids=[path.stem for path in SCRIPTS])
def test_script(path: Path, world: World) -> None:
    world.knowledge.clear()
    wrong = []
    for step in parse(path.read_text(), path.name):
        if isinstance(step, Clear):
            world.knowledge.clear()
        elif isinstance(step, Conf):
            world.knowledge.configure(step.kind, step.text)
        elif isinstance(step, Load) and step.kind in ("events", "metrics"):
            world.knowledge.datatypes[step.name] = step.kind.removesuffix("s")
        elif isinstance(step, Load) and step.kind == "macros":
            world.load(step)
        elif isinstance(step, Search) and (said := _wrongly_said(step, world)):
            wrong.append(f"{path.name}:{step.line}: {step.text}\n{said}")
    assert not wrong, "\n\n".join(wrong)


def _wrongly_said(search: Search, world: World) -> str:
    expected = search.expectation
    for found in world.engine.check(search.text):
        place = Span(found["start"], found["end"]).line_and_column(search.text)
        if expected.error is None:
            return f"underlined, and runs: {found['message']}"
        if expected.position and place != expected.position:
            return f"underlined at {place}, refused at {expected.position}: {found['message']}"
        if re.sub(r",? got .*", "", expected.error, flags=re.S) not in found["message"]:
            return f"wanted: {expected.error}\n   got: {found['message']}"
    return ""
