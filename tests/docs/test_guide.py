"""Every command and search of the README and the guide is run, in order, against a real server.

A block is four spaces deep. What it is follows from how it begins: a search (`index=`, `|`), Python, a shell command, JSON, or
something to read only (a table, a picture of folders). A block that is none of these fails the test, so that nothing new
slips through.
"""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from sightline.receivers.inputs import read_inputs
from sightline.sourcetypes import read_rules

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs" / "guide").glob("*.md"))]
TARGETS = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.M))
READ_ONLY = ("name      retrain", "page.views:")
"""Blocks that show settings, by how they begin."""
BUILDERS = "barolo barbera grignolino"
CORNER_SHOP = {
    "default/macros.conf": "[orders]\ndefinition = index=main kind=order\n",
    "default/savedsearches.conf": "[by city]\nsearch = `orders` | stats count by city\n",
    "lookups/cities.csv": "city,region\nAsti,Piemonte\n",
}
"""A Splunk app, for the page about moving in."""


def blocks(page: Path) -> list[str]:
    """Indented blocks of a page, without the indent; a list's continuation lines are none."""
    found, current = [], []
    lines = page.read_text().split("\n")
    for number, line in enumerate([*lines, ""]):
        if line.startswith("    ") and (current or number == 0 or not lines[number - 1].strip()):
            current.append(line)
        elif current and not line.strip() and any(x.startswith("    ") for x in lines[number + 1 : number + 2]):
            current.append("")
        elif current:
            found.append(textwrap.dedent("\n".join(current)).strip())
            current = []
    return found


def kind_of(block: str) -> str:
    if block.startswith(READ_ONLY) or "..." in block and block.startswith("index="):
        return "read only"
    if block.startswith(("index=", "|")):
        return "search"
    if block.startswith("{"):
        return "json"
    if block.startswith(("files:", "journals:")):
        return "inputs"
    if block.startswith("sourcetypes:"):
        return "rules"
    if re.match(r"\d{4}-\d\d-\d\d ", block):
        return "log"
    if block.startswith(("from ", "import ")):
        return "python"
    if block.startswith(("make ", ".venv/bin/", "TOKEN=", "HEC=", "curl ")):
        return "shell"
    raise AssertionError(f"what is this block? {block}")


@pytest.fixture(scope="module")
def shop(own_server, tmp_path_factory) -> Path:
    """The server holds what the guide speaks of: outcomes to train on, and a folder with the file to load."""
    folder = tmp_path_factory.mktemp("guide")
    rows = ["user,hue,proline,colour,partition,n"]
    for n in range(120):
        user = BUILDERS.split()[n % 3]
        rows.append(
            f"{user},{0.5 + n % 3 + n / 1000},{500 + 300 * (n % 3) + n},{('pale', 'deep', 'dark')[n % 3]},{'test' if n % 4 == 0 else 'train'},{n}"
        )
    (folder / "outcomes.csv").write_text("\n".join(rows) + "\n")
    for name, content in CORNER_SHOP.items():
        path = folder / "corner_shop" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    with own_server.client() as client:
        client.post("/api/v1/indexes", json={"name": "my_latest_data", "datatype": "event"})
    return folder


def shell(server, folder: Path, text: str) -> subprocess.CompletedProcess:
    """Run a block as it is, but with this server's ports and data directory."""
    replaced = text.replace(".venv/bin/sightline", f"'{sys.executable}' -m sightline")
    for port, ours in ((8000, server.http_port), (8088, server.hec_port), (4318, server.otlp_http_port)):
        replaced = replaced.replace(f"127.0.0.1:{port}", f"127.0.0.1:{ours}")
    keep = "declare -p TOKEN HEC 2>/dev/null > variables || true"
    script = f"set -euo pipefail\n[ -f variables ] && . ./variables\n{replaced}\n{keep}\n"
    return subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env={**os.environ, "SIGHTLINE_DATA": str(server.data)},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda p: p.stem)
def test_a_page_does_what_it_says(own_server, shop: Path, page: Path) -> None:
    server = own_server
    for block in blocks(page):
        kind = kind_of(block)
        if kind == "search":
            if "usermodel" in block and "fit" not in block:
                server.search(
                    'index=my_latest_data partition="train" | fit RandomForestClassifier user from hue proline colour into usermodel'
                )
            server.search(block)
        elif kind == "inputs":
            (shop / "inputs.yml").write_text(block)
            assert read_inputs(shop / "inputs.yml")
        elif kind == "rules":
            assert read_rules(block)
            (server.data / "sourcetypes.yml").write_text(block)
        elif kind == "log":
            (shop / "shop.log").write_text(block + "\n")
        elif kind == "json":
            json.loads(block)
        elif kind == "python":
            code = block.replace("http://127.0.0.1:8000", server.url).replace("sl_api_...", server.token)
            code = code.replace("127.0.0.1:4318", f"127.0.0.1:{server.otlp_http_port}")
            subprocess.run([sys.executable, "-c", code], check=True, timeout=120)
        elif kind == "shell" and block.startswith("make "):
            assert block.split()[1] in TARGETS, block
        elif kind == "shell" and "serve" not in block:
            done = shell(server, shop, block)
            assert done.returncode == 0, f"{page.name}: {block}\n{done.stdout}\n{done.stderr}"


def test_links_lead_somewhere() -> None:
    for page in [
        *PAGES,
        *sorted((ROOT / "docs" / "adr").glob("*.md")),
        ROOT / "examples" / "README.md",
        ROOT / "CHANGELOG.md",
    ]:
        for target in re.findall(r"\]\(([^)#]+)\)", page.read_text()):
            if not target.startswith(("http:", "https:")):
                assert (page.parent / target).exists(), f"{page.name} links to {target}"


def test_decisions_are_numbered_once() -> None:
    numbers = [p.name.split("-")[0] for p in (ROOT / "docs" / "adr").glob("*.md")]
    assert len(numbers) == len(set(numbers)), sorted(numbers)
