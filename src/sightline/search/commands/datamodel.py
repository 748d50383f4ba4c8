"""`datamodel` and `from`: data models, their datasets, and other things that have a name and rows."""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

import pyarrow as pa

from sightline.errors import SearchError, nearest
from sightline.search.context import Context
from sightline.search.data_models.dataset import chosen_dataset, dataset_rows, dataset_search, find_model, split_name
from sightline.search.nested import run_saved_search, run_text
from sightline.search.planner.relation import Relation
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options

MODES = ("search", "flat", "acceleration_search", "search_string", "flat_string", "acceleration_search_string")
KINDS = ("datamodel", "lookup", "inputlookup", "savedsearch", "index")


@command("datamodel", kind="generating")
@dataclass
class DataModelCommand(Command):
    """Tells data models, or gives the rows of a dataset.

    Syntax: datamodel [<data model> [<dataset> [search|flat|acceleration_search|search_string|flat_string]]]
        [strict_fields=<bool>]
    Example: | datamodel Web Proxy search | stats count BY Web.status

    Alone it gives a row for each data model with its JSON in `_raw`, with a model that one, with a dataset the dataset.
    `search` gives the dataset's rows, the fields with the dataset's path in front; `flat` without it;
    `acceleration_search` is the same as `search`, since nothing has to be accelerated. The modes that end in `_string` give
    the text of the search instead. With `strict_fields=false` the rows keep fields that the model does not name.
    """

    strict_fields: bool = option(True, help="only the fields that the model names")
    summariesonly: bool = option(False, help="accepted for compatibility; every search reads all events")
    allow_old_summaries: bool = option(False, help="accepted for compatibility; every search reads all events")
    nodename: str = option("", help="a dataset below the named one to take the rows of")
    names: tuple[str, ...] = ()
    """Model, dataset and mode, as far as they are given."""

    @classmethod
    def read(cls, arguments: Arguments) -> DataModelCommand:
        names, given = arguments.names_with_options(cls)
        if len(names) == 1 and "." in names[0]:
            names = names[0].split(".", 1)
        if len(names) > 3:
            raise SearchError(f"wants a model, a dataset and a mode, got {len(names)} words", arguments.stage.arguments)
        if len(names) == 3 and names[2].lower() not in MODES:
            raise SearchError(
                f'the mode must be one of {", ".join(MODES)}, got "{names[2]}"',
                arguments.tokens[-1].span,
                hint=nearest(names[2], MODES),
            )
        return cls(names=tuple(names), **given)

    def print_arguments(self) -> list[str]:
        return [*print_options(self), *(print_name(name) for name in self.names)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        if len(self.names) < 3:
            return context.relation_of(context.python_step(str(self), lambda: _descriptions(self._described(context))))
        model = find_model(self.names[0], context)
        name = model.dataset(self.nodename or self.names[1]).name
        mode = self.names[2].lower()
        if mode.endswith("_string"):
            text = dataset_search(model, name)
            return context.relation_of(pa.table({mode.removesuffix("_string"): [text]}))
        rows = dataset_rows(model, name, context)
        return rows.flat(strict=self.strict_fields) if mode == "flat" else rows.qualified(strict=self.strict_fields)

    def _described(self, context: Context) -> list[dict[str, Any]]:
        if not self.names:
            found = [context.knowledge.data_model(name) for name in context.knowledge.data_models()]
            return [one for one in found if one is not None]
        model = find_model(self.names[0], context)
        definition = context.knowledge.data_model(self.names[0]) or {}
        if len(self.names) == 1:
            return [definition]
        name = model.dataset(self.names[1]).name
        objects = [one for one in definition["objects"] if one["objectName"] == name]
        return [one | {"lineage": model.path(name), "objectSearch": dataset_search(model, name)} for one in objects]


def _descriptions(found: list[dict[str, Any]]) -> pa.Table:
    return pa.table({"_raw": pa.array([json.dumps(one, ensure_ascii=False) for one in found], pa.string())})


@command("from", kind="generating")
@dataclass
class From(Command):
    """Gives the rows of something that has a name: a dataset, a lookup, a saved search, an index.

    Syntax: from datamodel:<data model>.<dataset> | lookup:<lookup> | savedsearch:<saved search> | index:<index>
    Example: | from datamodel:Web.Proxy | stats count BY status

    The kind may also be followed by a space instead of the colon. Fields of a dataset have their bare names. A saved search
    runs over its own time range.
    """

    what: str = ""
    name: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> From:
        token = arguments.peek()
        text = arguments.name("datamodel:, lookup:, savedsearch: or index: with a name")
        what, colon, name = text.partition(":")
        if colon and not name and not arguments.done:
            name = arguments.name("a name")
        elif not colon:
            if arguments.accept("=") and arguments.done:
                raise SearchError("a name is expected, got the end", arguments.peek().span)
            name = "" if arguments.done else arguments.name("a name")
        while not arguments.done and arguments.peek().glued and arguments.peek().kind in ("word", "string"):
            # "Model"."Dataset": every part in quotes of its own.
            name += arguments.next().text
        what = what.lower()
        if what not in KINDS:
            raise SearchError(
                f'wants one of {", ".join(f"{kind}:" for kind in KINDS)}, got "{text}"',
                token.span,
                hint=nearest(what, KINDS),
            )
        if not name:
            raise SearchError(f"{what}: wants a name", token.span)
        if name.startswith('"') and name.endswith('"') and len(name) > 2:
            name = name[1:-1]
        arguments.finish()
        return cls(what, name)

    def print_arguments(self) -> list[str]:
        return [f"{self.what}:", print_name(self.name)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        if self.what == "datamodel":
            model, dataset = split_name(self.name, context)
            rows = dataset_rows(model, chosen_dataset(model, dataset), context)
            return rows.flat()
        if self.what == "savedsearch":
            return run_saved_search(self.name, {}, context)
        text = {
            "lookup": f"| inputlookup {print_name(self.name)}",
            "inputlookup": f"| inputlookup {print_name(self.name)}",
            "index": f"search index={print_name(self.name)}",
        }[self.what]
        return run_text(text, context, str(self))
