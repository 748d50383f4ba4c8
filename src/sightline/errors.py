"""The exception vocabulary: three voices (the user's mistake, the environment's trouble, our bug) and how they print.

A user's mistake carries what is wrong, what was wanted and what was given; a search error also carries where.
The text is lower case and does not address the reader; values are quoted; choices are listed.
"""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Span:
    """A half-open range of character offsets in a search text."""

    start: int
    end: int

    def line_and_column(self, text: str) -> tuple[int, int]:
        """1-based line and column of the start."""
        before = text[: self.start]
        return before.count("\n") + 1, self.start - (before.rfind("\n") + 1) + 1


class SightlineError(Exception):
    """Anything we raise on purpose. `str(error)` is fit to show."""


class UserError(SightlineError):
    """The request was wrong. Nothing was changed."""

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class NotFound(UserError):
    """The thing that was named does not exist."""


class Forbidden(UserError):
    """The caller may not do this."""


class EnvironmentTrouble(SightlineError):
    """The disk, the network, a port or another process stands in the way; trying again later may help."""


class SearchError(UserError):
    """A search that cannot run, or stopped. `span` is a range of the text the person typed."""

    def __init__(self, message: str, span: Span | None = None, *, command: str = "", hint: str = "") -> None:
        super().__init__(f"{command}: {message}" if command else message, hint)
        self.command = command
        self.span = span

    def at(self, span: Span | None, command: str = "") -> SearchError:
        """The same error with a position and a command where it had none."""
        if self.span is None:
            self.span = span
        if command and not self.command:
            self.command = command
            self.message = f"{command}: {self.message}"
            self.args = (self.message,)
        return self

    def with_message(self, message: str) -> SearchError:
        """An error of the same kind, at the same place, that says something else."""
        # Not by the constructor, which kinds of errors have with other parameters.
        found = type(self).__new__(type(self))
        found.__dict__.update(self.__dict__)
        found.message, found.args = message, (message,)
        return found

    def render(self, text: str) -> str:
        """Message, line and column, the line itself, a caret below the range, and the hint."""
        if self.span is None:
            return self.message + (f"\nhint: {self.hint}" if self.hint else "")
        line_number, column = self.span.line_and_column(text)
        lines = text.split("\n")
        line = lines[line_number - 1] if line_number <= len(lines) else ""
        width = max(1, min(self.span.end - self.span.start, len(line) - column + 1))
        rows = [f"{self.message}", f"  at {line_number}:{column}", f"  {line}", "  " + " " * (column - 1) + "^" * width]
        if self.hint:
            rows.append(f"hint: {self.hint}")
        return "\n".join(rows)


class LanguageError(SearchError):
    """A search that breaks a rule of the language as its documentation states it, so that Splunk refuses it as well.

    Only for what a reader of that documentation would expect to be refused: a fault of the search and not a part of the
    language that is not there. Where the documentation is silent, SearchError stays.
    """


def nearest(name: str, choices: Iterable[str]) -> str:
    """A hint such as `did you mean "stats"?`, or an empty string when nothing is near."""
    found = difflib.get_close_matches(name.lower(), list(choices), n=1, cutoff=0.6)
    return f'did you mean "{found[0]}"?' if found else ""
