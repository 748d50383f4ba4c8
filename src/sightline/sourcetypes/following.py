"""The rules in force: read again when the file changes; a version that cannot be read leaves the one before in force.

The last version that was good is kept beside the file, so that this also holds for a program that starts again while the file
is broken: a mask that was in force must not go because of a slip of the pen.
"""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from pathlib import Path

from sightline.errors import UserError
from sightline.sourcetypes.reading import builtin_rules
from sightline.sourcetypes.rules import Rules

log = logging.getLogger(__name__)

FILE = "sourcetypes.yml"
GOOD = ".sourcetypes.good.yml"


class FollowedRules:
    """The rules of a data directory. Threads may share it.

    Raises UserError when the file cannot be read and there is no good version of it from before.
    """

    def __init__(
        self, data: Path, read: Callable[[str], Rules], tell: Callable[[str], None] = lambda _problem: None
    ) -> None:
        """`read` makes rules of a file's text, and raises UserError. `tell` gets what is wrong with a new version, once."""
        self._path, self._good = data / FILE, data / GOOD
        self._read, self._tell = read, tell
        self._lock = threading.Lock()
        self._stamp: tuple[int, int, int] | None = None
        self._rules = Rules(builtin_rules())
        self.problem = ""
        """Why the file as it is now is not in force; empty where it is."""
        self._look()
        if self.problem:
            if not self._good.exists():
                raise UserError(self.problem)
            self._rules = read(self._good.read_text(encoding="utf-8"))

    def current(self) -> Rules:
        """The rules in force at this moment."""
        with self._lock:
            self._look()
            return self._rules

    def _look(self) -> None:
        stamp = _stamp(self._path)
        if stamp == self._stamp:
            return
        self._stamp = stamp
        if stamp is None:
            self._rules, self.problem = Rules(builtin_rules()), ""
            self._good.unlink(missing_ok=True)
            return
        try:
            text = self._path.read_text(encoding="utf-8")
            self._rules = self._read(text)
        except (UserError, OSError, UnicodeDecodeError) as error:
            hint = f" ({error.hint})" if isinstance(error, UserError) and error.hint else ""
            self.problem = f"{error}{hint}"
            log.error("the rules of before stay in force: %s", self.problem)
            self._tell(self.problem)
            return
        self.problem = ""
        staged = self._good.with_suffix(f".{os.getpid()}")
        staged.write_text(text, encoding="utf-8")
        staged.replace(self._good)


def _stamp(path: Path) -> tuple[int, int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_mtime_ns, status.st_size, status.st_ino
