"""Every search script of this folder, in every variant. `pytest --rewrite` writes the plain answers into the scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from script import compare, parse, rewrite
from world import VARIANTS, World

SCRIPTS = sorted(Path(__file__).parent.glob("*.test"))
ONCE = ("edges_commands_large", "edges_commands_large_stored")
"""Scripts that take seconds and are run in one way only: each other way runs the same commands over few rows."""


@pytest.mark.parametrize(
    ("path", "variant"),
    [
        pytest.param(path, variant, id=f"{path.stem}-{variant}")
        for variant in VARIANTS
        for path in SCRIPTS
        if variant == VARIANTS[0] or path.stem not in ONCE
    ],
)
def test_script(path: Path, variant: str, world: World, request: pytest.FixtureRequest) -> None:
    text = path.read_text()
    steps = parse(text, path.name)
    answers = world.run_script(steps, variant, seed=path.stem)
    wrong = []
    for search, answer in answers:
        difference = compare(search.expectation, answer, as_written=variant != "printed")
        if difference:
            wrong.append((search, answer, difference))
    if wrong and variant == "plain" and request.config.getoption("--rewrite", default=False):
        path.write_text(rewrite(text, [(search, answer) for search, answer, _ in wrong]))
        pytest.skip(f"{len(wrong)} expectations rewritten; review the diff")
    if wrong:
        pytest.fail(
            f"{len(wrong)} of {len(answers)} searches\n\n"
            + "\n\n".join(
                f"{path.name}:{search.line}: {search.rule}\nsearch {search.text}\n{difference}"
                for search, _, difference in wrong
            ),
            pytrace=False,
        )
