"""`rest`: the entries of a REST path as rows."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import parse_qsl

import pyarrow as pa

from sightline.errors import SearchError
from sightline.search.commands.subsearch import cell_text
from sightline.search.context import Context
from sightline.search.planner.relation import Relation
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options
from sightline.search.syntax.expressions import quote_string


@command("rest", kind="generating")
@dataclass
class Rest(Command):
    """Gives the entries of a REST path as rows: saved searches, indexes, users, jobs and what else the program keeps.

    Syntax: rest <endpoint> [count=<n>] [splunk_server=<name>] [timeout=<s>] [<argument>=<value>]...
    Example: | rest /services/saved/searches | table title cron_schedule next_scheduled_time

    Paths begin with `/services/` or `/servicesNS/<owner>/<app>/`, as Splunk calls them, or with `/api/v1/` as our own API
    does; an entry's name may stand behind. An unknown path is refused with the list of those there are. Who searches sees
    what the API would show them, and never a password or a token. `count` (0 is all), `offset`, `search`, `sort_key`,
    `sort_dir` and `f` are taken as Splunk takes them, other arguments go to our own API.
    """

    count: int = option(0, minimum=-1, help="at most so many entries; 0 is all")
    splunk_server: str = option("", help="accepted for compatibility; there is one server")
    splunk_server_group: str = option("", help="accepted for compatibility; there is one server")
    timeout: int = option(60, minimum=0, help="accepted for compatibility; there is no other server to wait for")
    strict: bool = option(False, help="accepted for compatibility; an unknown path always fails")
    path: str = ""
    arguments: dict[str, str] = field(default_factory=dict)

    @classmethod
    def read(cls, arguments: Arguments) -> Rest:
        given: dict[str, Any] = {}
        path = ""
        values: dict[str, str] = {}
        while not arguments.done:
            given.update(arguments.options(cls))
            if arguments.done:
                break
            token = arguments.peek()
            name = arguments.name("a path such as /services/saved/searches")
            if arguments.peek().is_("=") and (path or "/" not in name):
                arguments.next()
                values[name] = "" if arguments.done else arguments.name("a value")
                while arguments.peek().glued and arguments.peek().kind in ("operator", "word", "string"):
                    values[name] += arguments.next().text  # A value such as `search=disabled=0`.
            elif not path:
                path = name
                while arguments.peek().glued and not arguments.done and arguments.peek().kind in ("operator", "word"):
                    path += arguments.next().text
            else:
                raise SearchError(f'"{name}" is not expected here', token.span)
            arguments.skip_commas()
        if not path:
            raise SearchError("a path such as /services/saved/searches is expected, got none", arguments.stage.name_span)
        path, _, query = path.partition("?")
        values = dict(parse_qsl(query, keep_blank_values=True)) | values
        if "count" in values and "count" not in given and values["count"].lstrip("-").isdigit():
            given["count"] = int(values.pop("count"))
        return cls(path=path, arguments=values, **given)

    def print_arguments(self) -> list[str]:
        values = [f"{print_name(name)}={quote_string(value)}" for name, value in self.arguments.items()]
        return [quote_string(self.path), *print_options(self), *values]

    def lower(self, relation: Relation, context: Context) -> Relation:
        return context.relation_of(context.python_step(str(self), lambda: rows_table(self._entries(context))))

    def _entries(self, context: Context) -> Sequence[Mapping[str, Any]]:
        if context.surroundings is None:
            raise SearchError("there is no program around this search whose paths could be read")
        arguments = dict(self.arguments)
        if self.count > 0:
            arguments["count"] = str(self.count)
        return context.surroundings.resource(self.path, arguments, context.user)


def rows_table(rows: Sequence[Mapping[str, Any]]) -> pa.Table:
    """Rows as a table with a type for each column; where values are of several kinds, all are text."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: _column([row.get(name) for row in rows]) for name in names})


def _column(values: list[Any]) -> pa.Array:
    present = [value for value in values if value is not None]
    if any(isinstance(value, list | tuple) for value in present):
        listed = [None if x is None else [cell_text(y) for y in (x if isinstance(x, list | tuple) else [x])] for x in values]
        return pa.array(listed, pa.list_(pa.string()))
    if present and all(isinstance(value, bool | int) for value in present):
        # Splunk writes 1 and 0 for true and false.
        return pa.array([None if x is None else int(x) for x in values], pa.int64())
    if present and all(isinstance(value, bool | int | float) for value in present):
        return pa.array([None if x is None else float(x) for x in values], pa.float64())
    return pa.array([None if x is None else cell_text(x) for x in values], pa.string())
