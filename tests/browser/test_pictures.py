"""The pictures of the README, taken from the real page. `--rewrite` puts them in docs/images."""

from __future__ import annotations

from pathlib import Path
from urllib.parse import quote

import pytest

from .conftest import MISSION
from .test_page import wait_done

IMAGES = Path(__file__).parents[2] / "docs" / "images"
README = Path(__file__).parents[2] / "README.md"


def search(open_page, shop):
    page = open_page("/search?earliest=-1h&q=" + quote(MISSION.strip()))
    wait_done(page)
    page.get_by_role("button", name="Table", exact=True).click()
    page.get_by_role("table", name="Results").wait_for()
    return page


def model_health(open_page, shop):
    page = open_page("/dashboards", height=1000)
    page.get_by_role("link", name="Model health").click()
    page.get_by_role("table", name="What is taken for what?").wait_for()
    page.wait_for_load_state("networkidle")
    return page


def trace(open_page, shop):
    page = open_page(f"/traces/{shop.failed_trace_id}")
    page.get_by_role("tree", name="Spans").wait_for()
    return page


@pytest.mark.parametrize("take", [search, model_health, trace], ids=lambda f: f.__name__)
def test_the_readme_shows_the_page_as_it_is(open_page, shop, take, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    page = take(open_page, shop)
    page.wait_for_timeout(500)
    name = f"{take.__name__}.png"
    folder = IMAGES if request.config.getoption("--rewrite") else tmp_path
    folder.mkdir(exist_ok=True)
    page.screenshot(path=str(folder / name), animations="disabled")
    assert (folder / name).read_bytes().startswith(b"\x89PNG")
    assert f"docs/images/{name}" in README.read_text()
    assert (IMAGES / name).is_file()
