"""A dataset as a search and as rows: constraints, calculations, and the names its fields go by.

Hides: how a hierarchy becomes one pipeline. Enters: a model, a dataset's name, conditions on top. Leaves: the text of the
search, or a relation whose fields have the path of the dataset that owns them in front (`Web.Proxy.status`), as Splunk names them.
"""

from __future__ import annotations

import dataclasses
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from sightline.errors import SearchError, UserError, nearest
from sightline.search.commands.search import expand_subsearches
from sightline.search.context import Context
from sightline.search.data_models.definition import INHERITED, Calculation, DataModel, read_model
from sightline.search.nested import read_text, run_text
from sightline.search.planner import values as v
from sightline.search.planner.lower import lower_predicate
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Type, Value
from sightline.search.syntax.arguments import print_name
from sightline.search.syntax.expressions import quote_string
from sightline.search.syntax.predicates import read_predicate
from sightline.search.syntax.source import Macros
from sightline.search.syntax.tree import Pipeline

BASE_FIELDS = (*INHERITED, "index", "_indextime", "_raw", "splunk_server", "linecount", "punct", "eventtype", "tag")
"""Fields of events that every dataset of events has, named with or without a path."""
NODENAME = "nodename"
_GEO_FIELDS = {"lat": "lat", "lon": "lon", "city": "City", "country": "Country", "region": "Region"}
_GEO_PREFIX = "geoip_found_"


def find_model(name: str, context: Context) -> DataModel:
    """The data model of this name. Raises SearchError that says how one is defined."""
    definition = context.knowledge.data_model(name)
    if definition is None:
        known = context.knowledge.data_models()
        listed = f"; data models: {', '.join(known)}" if known else "; none is defined"
        raise SearchError(
            f'there is no data model "{name}"{listed}',
            hint=nearest(name, known)
            or "define it by sending its JSON to /api/v1/data-models, or import an app that has it",
        )
    return read_model(definition)


# ---- as text ---------------------------------------------------------------------------------------------------------


def dataset_search(model: DataModel, name: str, restriction: str = "") -> str:
    """The search that gives the rows of a dataset. `restriction` holds conditions for the events it reads."""
    name = model.dataset(name).name
    root, *below = model.lineage(name)
    parts = [_root_search(model, root, restriction)]
    parts += _calculation_stages(model, root)
    for member in below:
        parts += [f"search {_conditions(model, member)}"] if model.dataset(member).constraints else []
        parts += _calculation_stages(model, member)
    required = [field.name for field, _ in model.fields_of(name).values() if field.required]
    if required:
        parts.append("search " + " ".join(f"{print_name(one)}=*" for one in required))
    return " | ".join(parts)


def _root_search(model: DataModel, root: str, restriction: str) -> str:
    dataset = model.dataset(root)
    if dataset.parent == "BaseSearch":
        return dataset.base_search
    if dataset.grouping is not None:
        grouping = dataset.grouping
        branches = [dataset_search(model, member, restriction) for member in grouping.datasets]
        source = branches[0]
        if len(branches) > 1:
            # A transaction reads its events newest first.
            appended = " | ".join(f"append [{branch}]" for branch in branches[1:])
            source = f"{source} | {appended} | sort 0 - _time"
        names = " ".join(print_name(field) for field in grouping.fields)
        spans = [("maxpause", grouping.max_pause), ("maxspan", grouping.max_span)]
        options = " ".join(f"{option}={quote_string(span)}" for option, span in spans if span)
        text = f"{source} | transaction {names} {options}".rstrip()
        return f"{text} | search {_conditions(model, root)}" if dataset.constraints else text
    conditions = _conditions(model, root)
    return f"search {conditions} {restriction}".rstrip()


def _conditions(model: DataModel, name: str) -> str:
    return " ".join(f"({constraint})" for constraint in model.dataset(name).constraints) or "*"


def _calculation_stages(model: DataModel, name: str) -> list[str]:
    return [stage for calculation in model.dataset(name).calculations for stage in calculation_stages(calculation)]


def calculation_stages(calculation: Calculation) -> list[str]:
    """The commands that compute the fields of a calculation."""
    if calculation.kind == "Eval":
        ((field, _),) = calculation.outputs
        return [f"eval {quote_string(field.name)}={calculation.expression}"]
    if calculation.kind == "Rex":
        quoted = re.sub(r'(?<!\\)((?:\\\\)*)"', r'\1\\"', calculation.expression)
        return [f'rex field={print_name(calculation.input_field)} "{quoted}"']
    if calculation.kind == "Lookup":
        inputs = " ".join(_as(theirs, ours) for theirs, ours in calculation.inputs)
        outputs = " ".join(_as(theirs, field.name) for field, theirs in calculation.outputs)
        return [f"lookup {print_name(calculation.lookup)} {inputs} OUTPUT {outputs}"]
    renames = " ".join(
        f"{_GEO_PREFIX}{_GEO_FIELDS.get(theirs.lower(), theirs)} AS {quote_string(field.name)}"
        for field, theirs in calculation.outputs
    )
    return [
        f"iplocation prefix={_GEO_PREFIX} {print_name(calculation.input_field)}",
        f"rename {renames}",
        f"fields - {_GEO_PREFIX}*",
    ]


def _as(theirs: str, ours: str) -> str:
    return print_name(theirs) if theirs == ours else f"{print_name(theirs)} AS {print_name(ours)}"


def check_texts(model: DataModel, macros: Macros | None, check: Callable[[Pipeline], None]) -> None:
    """Read every text of a model. Raises UserError naming the dataset and the text that cannot be read.

    `check` raises SearchError for a pipeline with an unknown command, or arguments that cannot be read.
    """
    for name, dataset in model.datasets.items():
        pieces = [(f"search {one}", "constraint") for one in dataset.constraints]
        for calculation in dataset.calculations:
            pieces += [(f"| {stage}", f"{calculation.kind} calculation") for stage in calculation_stages(calculation)]
        if dataset.base_search:
            pieces.append((dataset.base_search, "baseSearch"))
        if dataset.grouping is not None:
            pieces.append((dataset_search(model, name), "grouping"))
        for text, what in pieces:
            place = f'data model "{model.name}": dataset "{name}": {what}'
            try:
                found = read_text(text, macros)
                check(found)
            except SearchError as error:
                raise UserError(f"{place}: {error.message}, in: {text}", error.hint) from None
            if what not in ("baseSearch", "grouping") and len(found.stages) != 1:
                raise UserError(f"{place}: wanted one condition or expression without a pipe, got: {text}")


# ---- as rows ---------------------------------------------------------------------------------------------------------


@dataclass
class DatasetRows:
    """The rows of a dataset, and what its fields are called there."""

    model: DataModel
    name: str
    relation: Relation
    """The rows with their bare field names, and whatever else the events have."""
    context: Context

    @property
    def path(self) -> str:
        """The dataset with its ancestors, `Web.Proxy`."""
        return self.model.path(self.name)

    def qualified(self, *, strict: bool = True) -> Relation:
        """The rows with the paths of their owners in front of the dataset's fields; not `strict`: with other fields too."""
        fields = self._inherited()
        own = self.model.fields_of(self.name)
        for bare, (_, path) in own.items():
            fields[f"{path}.{bare}"] = self.relation.field(bare)
        if strict:
            return self._only(fields)
        fields |= {name: value for name, value in self.relation.fields.items() if name not in own and name not in fields}
        return self.relation.with_fields(fields)

    def flat(self, *, strict: bool = True) -> Relation:
        """The rows with bare field names."""
        if not strict:
            return self.relation
        names = [*self._inherited(), *self.model.fields_of(self.name)]
        return self._only({name: self.relation.field(name) for name in names})

    def _only(self, fields: dict[str, Value]) -> Relation:
        """The rows with these fields, and none that the text of an event may hold besides."""
        return dataclasses.replace(self.relation, fields=fields, unlisted=None)

    def _inherited(self) -> dict[str, Value]:
        wanted = ("_time", "_raw", "host", "source", "sourcetype", "index", "_indextime")
        if self.model.root_kind(self.name) == "BaseEvent":
            return {name: self.relation.field(name) for name in wanted}
        # A root search has what its commands left; a transaction also what it says of itself.
        own = ("duration", "eventcount", "closed_txn") if self.model.root_kind(self.name) == "BaseTransaction" else ()
        return {name: self.relation.fields[name] for name in (*wanted, *own) if name in self.relation.fields}

    def including(self, names: Iterable[str], *, flat: bool = False) -> Relation:
        """The rows with fields that are found for the names as people write them: with the path of the dataset, of an
        ancestor or of the model in front, or bare. A name that means nothing is left out, with a warning.
        """
        relation = self.flat() if flat else self.qualified()
        for name in dict.fromkeys(names):
            if name in relation.fields or "*" in name:
                continue
            value, relation = self._found(name, relation)
            if value is None:
                known = [*self.model.fields_of(self.name), *BASE_FIELDS]
                self.context.warn(
                    f'dataset "{self.path}" has no field "{name}"; fields: {", ".join(self.model.fields_of(self.name))}'
                    + (f"; {hint}" if (hint := nearest(name.rpartition(".")[2], known)) else "")
                )
            else:
                relation = relation.with_fields({**relation.fields, name: value})
        return relation

    def _found(self, name: str, relation: Relation) -> tuple[Value | None, Relation]:
        fields = self.model.fields_of(self.name)
        datasets = (*self.model.datasets, self.model.name, *(self.model.path(one) for one in self.model.datasets))
        bare = name
        while True:
            if bare == NODENAME or bare.startswith(("is_", "is_not_")):
                value, relation = self._membership(bare, relation)
                if value is not None:
                    return value, relation
            if bare in fields or bare in self.relation.fields or bare in BASE_FIELDS:
                if bare in fields or bare in BASE_FIELDS or self.model.root_kind(self.name) == "BaseSearch":
                    return self.relation.field(bare), relation
                return None, relation
            first, dot, rest = bare.partition(".")
            if not dot or first not in datasets:
                return None, relation
            bare = rest

    # -- which datasets below a row belongs to

    def _membership(self, name: str, relation: Relation) -> tuple[Value | None, Relation]:
        """`nodename`: the paths of all datasets that a row belongs to; `is_X` and `is_not_X`: 1 or 0."""
        wanted = name.removeprefix("is_not_") if name.startswith("is_not_") else name.removeprefix("is_")
        if name != NODENAME and wanted not in self.model.datasets:
            return None, relation
        members, rows = self._members()
        node = dataclasses.replace(relation, node=rows.node)
        if name == NODENAME:
            paths = [
                v.call("if", condition, v.text(path), v.text(""), type=Type.TEXT) if condition != v.TRUE else v.text(path)
                for path, condition in members.items()
            ]
            item = v.Column(Type.TEXT, "path")
            given = v.Lambda(Type.BOOL, ("path",), v.call("notEquals", item, v.text(""), type=Type.BOOL))
            listed = v.call("array", *paths, type=Type.MULTI)
            return v.call("arrayFilter", given, listed, type=Type.MULTI), node
        condition = members.get(self.model.path(wanted), v.FALSE)
        yes, no = (v.text("0"), v.text("1")) if name.startswith("is_not_") else (v.text("1"), v.text("0"))
        return v.call("if", condition, yes, no, type=Type.TEXT), node

    def _members(self) -> tuple[dict[str, Value], Relation]:
        """Conditions by path: the lineage, which holds for every row, and each dataset below. Calculations may add nodes."""
        found: dict[str, Value] = {self.model.path(one): v.TRUE for one in self.model.lineage(self.name)}
        relation = self.relation
        waiting = [(child, v.TRUE) for child in self.model.children(self.name)]
        while waiting:
            name, above = waiting.pop(0)
            conditions = [above]
            for constraint in self.model.dataset(name).constraints:
                (stage,) = read_text(f"search {constraint}", self.context.macros).stages
                predicate = expand_subsearches(read_predicate(stage), self.context)
                conditions.append(lower_predicate(predicate, relation, self.context))
            required = [field.name for field in self.model.dataset(name).own_fields if field.required]
            conditions += [v.is_present(relation.field(field)) for field in required]
            condition = v.is_true(v.both(conditions))
            found[self.model.path(name)] = condition
            children = self.model.children(name)
            if children:
                for stage_text in _calculation_stages(self.model, name):
                    relation = self.context.subsearch(read_text(f"| {stage_text}", self.context.macros), relation)
            waiting += [(child, condition) for child in children]
        return found, relation


def dataset_rows(
    model: DataModel,
    name: str,
    context: Context,
    *,
    restriction: str = "",
    earliest: float | None = None,
    latest: float | None = None,
) -> DatasetRows:
    """The rows of a dataset, in the job's time range or between `earliest` and `latest`.

    `restriction` holds conditions on the events themselves; only a dataset of events can take them.
    """
    name = model.dataset(name).name
    title = f'data model "{model.name}", dataset "{name}"'
    text = dataset_search(model, name, restriction)
    relation = run_text(text, context, title, earliest=earliest, latest=latest)
    return DatasetRows(model, name, relation, context)


def split_name(text: str, context: Context) -> tuple[DataModel, str]:
    """The model and the dataset of `Model.Dataset`; the dataset is empty where only the model is named."""
    model, _, dataset = text.partition(".")
    return find_model(model, context), dataset


def chosen_dataset(model: DataModel, dataset: str) -> str:
    """The dataset, or the only root of the model where none is named."""
    if dataset:
        return model.dataset(dataset).name
    if len(model.roots) == 1:
        return model.roots[0]
    raise SearchError(f'data model "{model.name}" has several root datasets, wanted one of: {", ".join(model.roots)}')
