"""`makeresults`: rows out of nothing, to try expressions on."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import Any

import orjson
import pyarrow as pa
import pyarrow.csv as arrow_csv

from sightline.errors import SearchError
from sightline.search.commands.inventory import SERVER
from sightline.search.commands.subsearch import cell_text
from sightline.search.context import Context
from sightline.search.planner import values as v
from sightline.search.planner.relation import Numbers, Relation
from sightline.search.planner.values import Column, Type
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option


@command("makeresults", kind="generating")
@dataclass
class MakeResults(Command):
    """Makes rows that have `_time` only, or the rows of a text in CSV or JSON.

    Syntax: makeresults [<n>|count=<n>] [annotate=<bool>] [format=csv|json data="<text>"]
    Example: | makeresults count=3 | eval x=random() % 10

    `annotate=true` adds the columns that events have. Nothing is known of such rows but the server that made them, so that
    only `splunk_server` has a value. JSON is an array of objects, or one object on each line: a name that an object lacks is
    absent there, an array is a multivalue, an object within stays JSON.
    """

    count: int = option(1, minimum=0, help="how many rows")
    annotate: bool = option(False, help="add _raw, host, source, sourcetype, splunk_server and splunk_server_group")
    splunk_server: str = option("", help="accepted for compatibility; there is one server")
    splunk_server_group: str = option("", help="accepted for compatibility; there is one server")
    format: str = option("", choices=("csv", "json"), help="how data is written")
    data: str = option("", help="rows as text")

    @classmethod
    def read(cls, arguments: Arguments) -> MakeResults:
        found: dict[str, Any] = {}
        if arguments.peek().kind == "word" and arguments.peek().text.isdigit():
            found["count"] = arguments.number("count", minimum=0)
        found.update(arguments.options(cls))
        if error := arguments.unknown_option(cls):
            raise error
        arguments.finish()
        return cls(**found)

    def lower(self, relation: Relation, context: Context) -> Relation:
        if self.format:
            return context.relation_of(self._parsed())
        rows = Relation(Numbers(self.count), {}, ((Column(Type.INT, "number"), False),), context.names)
        rows = rows.with_field("_time", v.integer(int(context.now)))
        if self.annotate:
            unknown = ("_raw", "host", "source", "sourcetype", "splunk_server", "splunk_server_group")
            rows = rows.with_fields({**rows.fields, **dict.fromkeys(unknown, v.Literal(Type.TEXT, None))})
            rows = rows.with_field("splunk_server", v.text(SERVER))
        return rows

    def _parsed(self) -> pa.Table:
        text = self.data.strip()
        try:
            if self.format == "csv":
                return arrow_csv.read_csv(
                    io.BytesIO(text.encode()),
                    convert_options=arrow_csv.ConvertOptions(strings_can_be_null=True, null_values=[""]),
                )
            return _table_of(_objects(text))
        except (pa.ArrowInvalid, ValueError, AttributeError, TypeError) as error:
            raise SearchError(f"data is not valid {self.format.upper()}: {error}") from None


def _objects(text: str) -> list[dict[str, Any]]:
    """The objects of an array, of one object, or of one on each line."""
    try:
        found = orjson.loads(text)
    except ValueError:
        found = [orjson.loads(line) for line in text.splitlines() if line.strip()]
    rows = found if isinstance(found, list) else [found]
    wrong = next((row for row in rows if not isinstance(row, dict)), None)
    if wrong is not None:
        raise ValueError(f"objects are wanted, got {orjson.dumps(wrong).decode()}")
    return rows


def _table_of(rows: list[dict[str, Any]]) -> pa.Table:
    """A column for each name that any of the objects has, in the order in which they appear."""
    names = list(dict.fromkeys(name for row in rows for name in row))
    return pa.table({name: _column([row.get(name) for row in rows]) for name in names})


def _column(values: list[Any]) -> pa.Array:
    """Numbers or truth values where all are; else texts, with objects as JSON; lists where any value is one."""
    kinds = {type(value) for value in values if value is not None}
    if kinds and (kinds <= {int, float} or kinds == {bool}):
        return pa.array(values, pa.bool_() if kinds == {bool} else pa.float64() if float in kinds else pa.int64())
    if list in kinds:
        lists = [value if isinstance(value, list) else [] if value is None else [value] for value in values]
        return pa.array([[_text(item) for item in items if item is not None] for items in lists], pa.list_(pa.string()))
    return pa.array([None if value is None else _text(value) for value in values], pa.string())


def _text(value: Any) -> str:
    return orjson.dumps(value).decode() if isinstance(value, dict | list) else cell_text(value)
