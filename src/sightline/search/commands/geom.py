"""`geom` and `geomfilter`: the shapes of named places, for maps."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import pyarrow as pa

from sightline.errors import SearchError
from sightline.search.context import Context
from sightline.search.features import FEATURE, SHAPE, generalised, read_features, within_box
from sightline.search.planner import values as v
from sightline.search.planner.lower import undictionaried
from sightline.search.planner.relation import Relation
from sightline.search.planner.values import Literal, Type, Value
from sightline.search.registry import Command, command
from sightline.search.syntax.arguments import Arguments, option, print_name, print_options

_WHOLE_EARTH = (-180.0, -90.0, 180.0, 90.0)


@command("geom")
@dataclass
class Geom(Command):
    """Adds the shape of the place that a field names.

    Syntax: geom <collection> [allFeatures=<bool>] [featureIdField=<field>] [gen=<degrees>] [min_x=<degrees>]
        [min_y=<degrees>] [max_x=<degrees>] [max_y=<degrees>]
    Example: | makeresults | eval featureId="Square" | geom squares

    The collection is a lookup with the fields `featureId` and `geom`, or a file `<collection>.geojson` or `.kml` in the data
    directory. A row whose `featureId` (or the field that `featureIdField` names) is the name of a feature gets its shape as
    GeoJSON in `geom`. `allFeatures=true` adds a row, with 0 for each number, for every feature that no row names. `gen`
    drops points closer than so many degrees to the one before; the bounds keep features that reach into a box.
    """

    allFeatures: bool = option(False, name="allFeatures", help="add a row for each feature that no row names")  # noqa: N815
    featureIdField: str = option(FEATURE, name="featureIdField", help="field with the names")  # noqa: N815
    gen: float = option(0.0, minimum=0, help="points closer than so many degrees are dropped")
    min_x: float = option(-180.0, help="west")
    min_y: float = option(-90.0, help="south")
    max_x: float = option(180.0, help="east")
    max_y: float = option(90.0, help="north")
    collection: str = ""

    @classmethod
    def read(cls, arguments: Arguments) -> Geom:
        names, found = arguments.names_with_options(cls)
        if len(names) != 1:
            raise SearchError(f"one feature collection is expected, got {len(names)}", arguments.stage.arguments)
        return cls(collection=names[0], **found)

    def print_arguments(self) -> list[str]:
        return [print_name(self.collection), *print_options(self)]

    def lower(self, relation: Relation, context: Context) -> Relation:
        if context.dry:
            return relation.with_fields({**relation.fields, SHAPE: Literal(Type.TEXT, None)})
        features = context.python_step(f"features of {self.collection}", lambda: self._features(context))
        place = relation.field(self.featureIdField)
        text = Literal(Type.TEXT, None) if place.type is Type.NULL else v.as_text(undictionaried(place))
        table = context.relation_of(features)
        joined, found = relation.joined(table, [(text, table.field(FEATURE))])
        node = dataclasses.replace(joined.node, single=True)
        result = dataclasses.replace(
            joined, node=node, fields={**joined.fields, SHAPE: found.field(SHAPE)}, order=relation.order
        )
        return self._with_others(result, features, context) if self.allFeatures else result

    def _features(self, context: Context) -> pa.Table:
        features = read_features(self.collection, context.settings.data, context.knowledge.lookup(self.collection))
        box = (self.min_x, self.min_y, self.max_x, self.max_y)
        if box != _WHOLE_EARTH:
            features = within_box(features, box)
        if self.gen:
            shapes = [generalised(shape, self.gen) for shape in features[SHAPE].to_pylist()]
            features = features.set_column(1, SHAPE, pa.array(shapes, pa.string()))
        return features

    def _with_others(self, relation: Relation, features: pa.Table, context: Context) -> Relation:
        named = relation.field(self.featureIdField)
        seen: set[str] = set()
        if named.type is not Type.NULL:
            rows = relation.filtered(v.is_present(named)).aggregated([("name", v.as_text(undictionaried(named)))], [])
            seen = set(context.table_of(rows, ["name"])["name"].to_pylist())
        unseen = features.filter(pa.array([name not in seen for name in features[FEATURE].to_pylist()], pa.bool_()))
        others = context.relation_of(unseen.rename_columns([self.featureIdField, SHAPE]))
        zeros: dict[str, Value] = {
            name: v.integer(0)
            for name, value in relation.fields.items()
            if value.type.is_number and name not in others.fields and not name.startswith("_")
        }
        return relation.union([others.with_fields({**others.fields, **zeros})])


@command("geomfilter")
@dataclass
class GeomFilter(Command):
    """Keeps the rows whose shape reaches into a box.

    Syntax: geomfilter [min_x=<degrees>] [min_y=<degrees>] [max_x=<degrees>] [max_y=<degrees>]
    Example: | makeresults | eval geom="{\\"type\\": \\"Point\\", \\"coordinates\\": [5, 5]}" | geomfilter max_x=10 max_y=10

    It reads `geom`, as the command of that name writes it. Bounds are those of the whole earth unless given. A row without
    a shape is left out.
    """

    min_x: float = option(-180.0, help="west")
    min_y: float = option(-90.0, help="south")
    max_x: float = option(180.0, help="east")
    max_y: float = option(90.0, help="north")

    def lower(self, relation: Relation, context: Context) -> Relation:
        shape = relation.field(SHAPE)
        if shape.type is Type.NULL:
            return relation.filtered(v.FALSE)
        text = v.as_text(undictionaried(shape))
        distinct = relation.filtered(v.is_present(text)).aggregated([("shape", text)], [])
        table = context.table_of(distinct, ["shape"], ordered=False)
        box = (self.min_x, self.min_y, self.max_x, self.max_y)
        kept = context.python_step("shapes within the box", lambda: within_box(table.rename_columns([SHAPE]), box))
        if context.dry:
            return relation
        shapes = kept[SHAPE].to_pylist()
        return relation.filtered(v.is_true(v.call("in", text, v.multi(shapes), type=Type.BOOL)) if shapes else v.FALSE)
