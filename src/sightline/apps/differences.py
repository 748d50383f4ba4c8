"""What runs here and answers differently than in Splunk, on purpose; and options that are accepted and change nothing."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from sightline.search.registry import Command
from sightline.search.syntax.arguments import declared_options

WITHOUT_EFFECT = "accepted for compatibility"
"""How an option's help begins when it is read and changes nothing."""

_SUBSEARCH_ROWS = "a subsearch keeps all its rows (Splunk: 10,000)"
UNLIMITED = {
    "sort": "sort keeps all rows (Splunk: 10,000)",
    "join": "join keeps all rows of its subsearch (Splunk: 50,000)",
    "append": "append keeps all rows of its subsearch (Splunk: 50,000)",
    "appendcols": "appendcols keeps all rows of its subsearch (Splunk: 50,000)",
    "set": "set keeps all rows (Splunk: 50,000)",
    "transaction": "transaction keeps every open transaction (Splunk: 5,000)",
    "mvexpand": "mvexpand has no memory limit of its own (Splunk: 500 MB)",
    "xyseries": "xyseries has no memory limit of its own (Splunk: 500 MB)",
    "autoregress": "autoregress has no limit of p (Splunk: 10,000)",
    "extract": "extract finds every field of an event (Splunk: 100, in the first 10,240 characters)",
    "kv": "extract finds every field of an event (Splunk: 100, in the first 10,240 characters)",
    "spath": "spath reads the whole text (Splunk: 5,000 characters)",
}
"""Limits of Splunk that are not there, by command."""
_LIST = "list() keeps all values (Splunk: 100)"
_WINDOW = "a window of streamstats may be of any size (Splunk: 10,000)"


def bound_of_run(bound: str, tell: Callable[[str], None]) -> str:
    """A bound of a time range as one run has it: not one that moves on while the search runs, which is told."""
    if not bound.strip().lower().startswith("rt"):
        return bound
    tell(f"its real-time window ({bound.strip()}) is searched once a run")
    return bound.strip()[2:]


def differences_of(command: Command, arguments: str, *, has_subsearch: bool) -> Iterator[str]:
    """The named differences that a command's answer may show. `arguments` is what was written after its name."""
    for name, field in declared_options(type(command)).items():
        if WITHOUT_EFFECT in field.metadata["help"] and getattr(command, field.name) != field.default:
            yield f"{command.command_name}: {name} has no effect"
    name = command.command_name
    # A count says how many rows are wanted, 0 that all are, and then Splunk's limit does not hold either.
    if name in UNLIMITED and not (name == "sort" and re.match(r"\s*(limit\s*=\s*)?\d+\b", arguments)):
        yield UNLIMITED[name]
    elif has_subsearch and name in ("search", "where", "eval", "tstats", "mstats"):
        yield _SUBSEARCH_ROWS
    if name.endswith("stats") and re.search(r"\blist\s*\(", arguments):
        yield _LIST
    if name == "streamstats" and (match := re.search(r"\bwindow\s*=\s*(\d+)", arguments)) and int(match.group(1)) > 10_000:
        yield _WINDOW
