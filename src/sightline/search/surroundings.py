"""What a search may ask of the program around it, beside data and knowledge: who may do what, resources, messages.

The search knows only this protocol; `web/surroundings.py` fulfils it. Where a search runs without such a program (a test,
the command line before the parts are built) commands that need it say so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol


class Surroundings(Protocol):
    """The program around the search. Methods may be called from several threads."""

    def role(self, user: str) -> str:
        """The role of a user: admin or user."""

    def resource(self, path: str, arguments: Mapping[str, str], user: str) -> Sequence[Mapping[str, Any]]:
        """The entries of a REST path as rows, as far as the user may see them. Raises UserError for an unknown path."""

    def paths(self) -> Sequence[str]:
        """The paths that `resource` takes, without names of entries."""

    def send_alert(
        self, action: str, parameters: Mapping[str, str], rows: Sequence[Mapping[str, Any]], about: Mapping[str, str]
    ) -> str:
        """Run an alert action with a search's rows; gives what the receiver said. Raises UserError."""

    def send_email(self, message: Mapping[str, Any], rows: Sequence[Mapping[str, Any]], about: Mapping[str, str]) -> str:
        """Send a search's rows by mail; gives what the server said. Raises UserError."""
