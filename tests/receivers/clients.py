"""Real clients from the distribution's packages: where they are, and skipping a test whose client is missing."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

_SCRIPT = Path(__file__).parents[2] / "tools" / "install-clients.sh"
_LISTED = _SCRIPT.read_text().split("CLIENTS='\n")[1].split("\n'")[0]
PACKAGES = {sign: package for package, sign in (line.split() for line in _LISTED.splitlines())}
"""The package of each command or library."""
_PATH = os.pathsep.join([os.environ.get("PATH", ""), "/usr/sbin", "/sbin", "/usr/lib/systemd", "/lib/systemd"])


def path_of(command: str) -> str | None:
    """Where a command is, also in folders of the system that are not on everybody's path."""
    return shutil.which(command, path=_PATH)


def _is_there(sign: str) -> bool:
    if ".so." not in sign:
        return path_of(sign) is not None
    ldconfig = path_of("ldconfig")
    return (
        ldconfig is not None and sign in subprocess.run([ldconfig, "-p"], capture_output=True, text=True, check=False).stdout
    )


def needs(*signs: str) -> pytest.MarkDecorator:
    """Skips a test where a command or library is missing. Raises KeyError for one that tools/install-clients.sh does not bring."""
    missing = [package for sign, package in ((sign, PACKAGES[sign]) for sign in signs) if not _is_there(sign)]
    return pytest.mark.skipif(
        bool(missing), reason=f"not installed (sh tools/install-clients.sh, as root): {' '.join(missing)}"
    )
