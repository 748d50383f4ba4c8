"""The shape of a data model: datasets that inherit constraints and fields, read from Splunk's JSON and checked.

Enters: the JSON object of a model. Leaves: a `DataModel`, or a UserError that names the place in the JSON.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from sightline.errors import NotFound, UserError, nearest

ROOTS = ("BaseEvent", "BaseSearch", "BaseTransaction")
"""What a root dataset names as its parent: events that match a constraint, the rows of a search, groups of events."""
FIELD_TYPES = ("string", "number", "boolean", "ipv4", "timestamp", "childCount", "objectCount")
CALCULATIONS = ("Eval", "Lookup", "Rex", "GeoIP")
INHERITED = ("_time", "host", "source", "sourcetype")
"""Fields that every event has without a model naming them."""
_NAME = re.compile(r"\w{1,200}\Z", re.ASCII)
_MODEL_NAME = re.compile(r"[\w-]{1,200}\Z", re.ASCII)
"""Published models have dashes, as the names of apps do."""


@dataclass(frozen=True)
class FieldDefinition:
    """A field of a dataset."""

    name: str
    type: str = "string"
    title: str = ""
    required: bool = False
    """Whether a row without it does not belong to the dataset."""
    hidden: bool = False
    multivalue: bool = False


@dataclass(frozen=True)
class Calculation:
    """Fields that are computed for each row: by an expression, a regular expression, a lookup, or from an IP address."""

    kind: str
    outputs: tuple[tuple[FieldDefinition, str], ...]
    """Fields with, for a lookup, the name they have there."""
    expression: str = ""
    input_field: str = ""
    lookup: str = ""
    inputs: tuple[tuple[str, str], ...] = ()
    """For a lookup: its field and the row's field."""


@dataclass(frozen=True)
class Grouping:
    """What the groups of a transaction dataset are made of. Spans are texts such as `10m`, or empty."""

    datasets: tuple[str, ...]
    fields: tuple[str, ...]
    max_pause: str = ""
    max_span: str = ""


@dataclass(frozen=True)
class Dataset:
    """One dataset, with what it adds to its parent."""

    name: str
    parent: str
    title: str
    constraints: tuple[str, ...] = ()
    fields: tuple[FieldDefinition, ...] = ()
    calculations: tuple[Calculation, ...] = ()
    base_search: str = ""
    grouping: Grouping | None = None

    @property
    def own_fields(self) -> tuple[FieldDefinition, ...]:
        """The fields that it adds, computed ones behind the others."""
        return (*self.fields, *(f for calculation in self.calculations for f, _ in calculation.outputs))


@dataclass(frozen=True)
class DataModel:
    """A model with its datasets by name, in the order of the definition."""

    name: str
    title: str
    description: str
    datasets: Mapping[str, Dataset]

    def lineage(self, name: str) -> tuple[str, ...]:
        """The dataset with its ancestors, the root first. Raises NotFound."""
        found: list[str] = []
        while name not in ROOTS:
            found.append(name)
            name = self.dataset(name).parent
        return tuple(reversed(found))

    def path(self, name: str) -> str:
        """The lineage as one name, `Web.Proxy`, which stands before the names of the dataset's own fields."""
        return ".".join(self.lineage(name))

    def dataset(self, name: str) -> Dataset:
        """The dataset of this name, which may be written with its ancestors. Raises NotFound."""
        found = self.datasets.get(name) or self.datasets.get(name.rpartition(".")[2])
        if found is None:
            listed = ", ".join(self.datasets)
            raise NotFound(
                f'data model "{self.name}" has no dataset "{name}"; datasets: {listed}', nearest(name, self.datasets)
            )
        return found

    @property
    def roots(self) -> tuple[str, ...]:
        """The datasets that have no parent in the model."""
        return tuple(name for name, one in self.datasets.items() if one.parent in ROOTS)

    def root_kind(self, name: str) -> str:
        """BaseEvent, BaseSearch or BaseTransaction."""
        return self.dataset(self.lineage(name)[0]).parent

    def children(self, name: str) -> tuple[str, ...]:
        """The datasets right below one."""
        return tuple(child for child, one in self.datasets.items() if one.parent == name)

    def fields_of(self, name: str) -> dict[str, tuple[FieldDefinition, str]]:
        """The fields of a dataset, inherited ones first, each with the path of the dataset that owns it."""
        found: dict[str, tuple[FieldDefinition, str]] = {}
        for member in self.lineage(name):
            path = self.path(member)
            for field in self.dataset(member).own_fields:
                if field.name not in found and field.name not in INHERITED:
                    found[field.name] = (field, path)
        return found


def read_model(definition: Any) -> DataModel:
    """The model that a JSON object describes. Raises UserError naming what is wrong and where."""
    place = "data model"
    model = _mapping(definition, place)
    name = _text(model, "modelName", place, required=True)
    if not _MODEL_NAME.match(name):
        raise UserError(f'{place}: modelName wants letters, digits, _ and -, got "{name}"')
    place = f'data model "{name}"'
    datasets: dict[str, Dataset] = {}
    for position, given in enumerate(_list(model, "objects", place)):
        dataset = _read_dataset(_mapping(given, f"{place}: objects[{position}]"), f"{place}: objects[{position}]")
        if dataset.name in datasets:
            raise UserError(f'{place}: two datasets are named "{dataset.name}"')
        datasets[dataset.name] = dataset
    if not datasets:
        raise UserError(f"{place}: objects wants at least one dataset, got none")
    for dataset in datasets.values():
        _check_parent(dataset, datasets, place)
    found = DataModel(name, _text(model, "displayName", place) or name, _text(model, "description", place), datasets)
    for dataset in datasets.values():
        for member in dataset.grouping.datasets if dataset.grouping else ():
            if member not in datasets or found.root_kind(member) == "BaseTransaction":
                raise UserError(
                    f'{place}: dataset "{dataset.name}": objectsToGroup wants datasets of events, got "{member}"',
                    nearest(member, datasets),
                )
    return found


def _check_parent(dataset: Dataset, datasets: Mapping[str, Dataset], place: str) -> None:
    seen = [dataset.name]
    while (parent := datasets[seen[-1]].parent) not in ROOTS:
        if parent not in datasets:
            raise UserError(
                f'{place}: dataset "{seen[-1]}": parentName wants a dataset of the model or one of {", ".join(ROOTS)}, '
                f'got "{parent}"',
                nearest(parent, (*datasets, *ROOTS)),
            )
        if parent in seen:
            raise UserError(f"{place}: datasets inherit from each other in a circle: {', '.join([*seen, parent])}")
        seen.append(parent)


def _read_dataset(given: Mapping[str, Any], place: str) -> Dataset:
    name = _text(given, "objectName", place, required=True)
    if not _NAME.match(name) or name in ROOTS:
        raise UserError(f'{place}: objectName wants letters, digits and _, got "{name}"')
    place = f'{place} ("{name}")'
    parent = _text(given, "parentName", place, required=True)
    # What an inherited thing is: Splunk's REST answers repeat it in the child, with another owner.
    own = {name, _text(given, "lineage", place) or name}
    constraints = tuple(
        text
        for position, one in enumerate(_list(given, "constraints", place))
        if _is_own(one, own)
        and (
            text := _text(_mapping(one, f"{place}: constraints[{position}]"), "search", f"{place}: constraints[{position}]")
        )
    )
    fields = tuple(_read_fields(given, "fields", own, place))
    calculations = tuple(
        _read_calculation(_mapping(one, f"{place}: calculations[{position}]"), f"{place}: calculations[{position}]")
        for position, one in enumerate(_list(given, "calculations", place))
        if _is_own(one, own)
    )
    base_search, grouping = "", None
    if parent == "BaseSearch":
        base_search = _text(given, "baseSearch", place, required=True)
    if parent == "BaseTransaction":
        grouping = Grouping(
            tuple(_texts(given, "objectsToGroup", place)),
            tuple(_texts(given, "groupByFields", place)),
            _text(given, "transactionMaxPause", place),
            _text(given, "transactionMaxTimeSpan", place),
        )
        if not grouping.datasets:
            raise UserError(f"{place}: objectsToGroup wants at least one dataset, got none")
        if not grouping.fields and not grouping.max_pause and not grouping.max_span:
            raise UserError(f"{place}: groupByFields, transactionMaxPause or transactionMaxTimeSpan is wanted, got none")
    title = _text(given, "displayName", place) or name
    return Dataset(name, parent, title, constraints, fields, calculations, base_search, grouping)


def _is_own(given: Any, own: set[str]) -> bool:
    owner = given.get("owner") if isinstance(given, Mapping) else None
    return not owner or str(owner) in own or str(owner).rpartition(".")[2] in own


def _read_fields(given: Mapping[str, Any], key: str, own: set[str], place: str) -> Iterator[FieldDefinition]:
    for position, one in enumerate(_list(given, key, place)):
        here = f"{place}: {key}[{position}]"
        field = _read_field(_mapping(one, here), here)
        # The counts of datasets below are no fields of rows.
        if _is_own(one, own) and field.type not in ("childCount", "objectCount"):
            yield field


def _read_field(given: Mapping[str, Any], place: str) -> FieldDefinition:
    name = _text(given, "fieldName", place, required=True)
    kind = _text(given, "type", place) or "string"
    if kind not in FIELD_TYPES:
        raise UserError(f'{place} ("{name}"): type wants one of {", ".join(FIELD_TYPES)}, got "{kind}"')
    return FieldDefinition(
        name,
        kind,
        _text(given, "displayName", place) or name,
        _truth(given, "required", place),
        _truth(given, "hidden", place),
        _truth(given, "multivalue", place),
    )


def _read_calculation(given: Mapping[str, Any], place: str) -> Calculation:
    kind = _text(given, "calculationType", place, required=True)
    if kind not in CALCULATIONS:
        raise UserError(f'{place}: calculationType wants one of {", ".join(CALCULATIONS)}, got "{kind}"')
    place = f"{place} ({kind})"
    outputs = []
    for position, one in enumerate(_list(given, "outputFields", place)):
        here = f"{place}: outputFields[{position}]"
        field = _read_field(_mapping(one, here), here)
        outputs.append((field, _text(one, "lookupOutputFieldName", here) or field.name))
    if not outputs:
        raise UserError(f"{place}: outputFields wants at least one field, got none")
    input_field = _text(given, "inputField", place)
    inputs: list[tuple[str, str]] = []
    if kind == "Eval" and len(outputs) > 1:
        raise UserError(f"{place}: outputFields wants one field, got {len(outputs)}")
    if kind == "Lookup":
        for position, one in enumerate(_list(given, "lookupInputs", place)):
            here = f"{place}: lookupInputs[{position}]"
            ours = _text(_mapping(one, here), "inputField", here, required=True)
            inputs.append((_text(one, "lookupField", here) or ours, ours))
        if input_field:
            inputs.append((_text(given, "lookupField", place) or input_field, input_field))
        if not inputs:
            raise UserError(f"{place}: lookupInputs wants at least one field, got none")
    if kind == "GeoIP" and not input_field:
        raise UserError(f"{place}: inputField is wanted: the field that holds an IP address")
    return Calculation(
        kind,
        tuple(outputs),
        _text(given, "expression", place, required=kind in ("Eval", "Rex")),
        input_field or "_raw",
        _text(given, "lookupName", place, required=kind == "Lookup"),
        tuple(inputs),
    )


# ---- pieces of JSON --------------------------------------------------------------------------------------------------


def _mapping(given: Any, place: str) -> Mapping[str, Any]:
    if not isinstance(given, Mapping):
        raise UserError(f"{place}: wanted an object, got {_kind(given)}")
    return given


def _list(given: Mapping[str, Any], key: str, place: str) -> list[Any]:
    found = given.get(key)
    if found is None:
        return []
    if not isinstance(found, list):
        raise UserError(f"{place}: {key} wants a list, got {_kind(found)}")
    return found


def _texts(given: Mapping[str, Any], key: str, place: str) -> list[str]:
    found = _list(given, key, place)
    for one in found:
        if not isinstance(one, str):
            raise UserError(f"{place}: {key} wants texts, got {_kind(one)}")
    return found


def _text(given: Mapping[str, Any], key: str, place: str, *, required: bool = False) -> str:
    found = given.get(key)
    if found is None or isinstance(found, str):
        text = (found or "").strip()
        if required and not text:
            raise UserError(f"{place}: {key} is wanted")
        return text
    if isinstance(found, int | float) and not isinstance(found, bool):
        return str(found)
    raise UserError(f"{place}: {key} wants a text, got {_kind(found)}")


def _truth(given: Mapping[str, Any], key: str, place: str) -> bool:
    found = given.get(key, False)
    if isinstance(found, bool):
        return found
    if found in (0, 1, "0", "1", "true", "false", "", None):
        return found in (1, "1", "true")
    raise UserError(f'{place}: {key} wants true or false, got "{found}"')


def _kind(given: Any) -> str:
    if given is None:
        return "null"
    return {bool: "true or false", int: "a number", float: "a number", str: "a text", list: "a list", dict: "an object"}.get(
        type(given), type(given).__name__
    )
