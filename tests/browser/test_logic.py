"""The page's pure logic: its own tests in `ui/tests`, run by the Node that built it."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

UI = Path(__file__).parent.parent.parent / "ui"


def test_the_logic_of_the_page():
    if not (UI / "node_modules" / "vitest").is_dir():
        pytest.skip("the page's packages are not installed (make page)")
    # Where the system has no Node, the build put one beside the Python environment.
    path = os.pathsep.join((os.environ.get("PATH", ""), str(Path(sys.prefix) / "node" / "bin")))
    npm = shutil.which("npm", path=path)
    if npm is None:
        pytest.skip("there is no Node (make page)")
    ran = subprocess.run(
        [npm, "run", "--silent", "test"],
        cwd=UI,
        env=os.environ | {"PATH": path, "NO_COLOR": "1"},
        capture_output=True,
        text=True,
        timeout=240,
    )
    assert ran.returncode == 0, ran.stdout[-4000:] + ran.stderr[-2000:]
