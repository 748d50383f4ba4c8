"""Every search script of this folder, in every variant. `pytest --rewrite` writes the plain answers into the scripts."""

from __future__ import annotations

from pathlib import Path

import pytest
from script import compare, parse, rewrite
from world import VARIANTS, World

SCRIPTS = sorted(Path(__file__).parent.glob("*.test"))


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("path", SCRIPTS, ids=lambda path: path.stem)
def test_script(path: Path, variant: str, world: World, request: pytest.FixtureRequest) -> None:
    text = path.read_text()
    steps = parse(text, path.name)
    answers = world.run_script(steps, variant, seed=path.stem)
    wrong = []
    for search, answer in answers:
        difference = compare(search.expectation, answer, check_position=variant != "printed")
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
