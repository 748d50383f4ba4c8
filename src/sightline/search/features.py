"""Geographic features by name: shapes of countries, states and the like, from files that people put beside their data.

Enters the name of a collection; leaves an Arrow table with `featureId` and the shape as GeoJSON text. A collection is a
lookup with these two fields (the shape in `geom`), or a file of GeoJSON or KML in the data directory. None is shipped.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow as pa
from lxml import etree

from sightline.errors import SearchError
from sightline.search.planner.documents import element_text, local_name, parsed_xml

SHAPE = "geom"
FEATURE = "featureId"


def read_features(name: str, data: Path, lookup: pa.Table | None) -> pa.Table:
    """The features of a collection, each name once. Raises SearchError for one that is not there or holds none."""
    if lookup is not None:
        if not {FEATURE, SHAPE} <= set(lookup.column_names):
            raise SearchError(f'lookup "{name}" holds no features: wanted the fields {FEATURE} and {SHAPE}')
        pairs = zip(lookup[FEATURE].to_pylist(), lookup[SHAPE].to_pylist(), strict=True)
        return _table((str(feature), str(shape)) for feature, shape in pairs if feature and shape)
    for ending, read in ((".geojson", _of_geojson), (".json", _of_geojson), (".kml", _of_kml)):
        path = data / f"{name}{ending}"
        if "/" not in name and path.is_file():
            table = _table((feature, json.dumps(shape)) for feature, shape in read(path))
            if not table.num_rows:
                raise SearchError(f'"{path}" holds no named features')
            return table
    raise SearchError(
        f'there is no feature collection "{name}"',
        hint=f"put {name}.geojson or {name}.kml into {data}, or make a lookup with the fields {FEATURE} and {SHAPE}",
    )


def _table(pairs: Iterator[tuple[str, str]]) -> pa.Table:
    shapes = dict(pairs)
    return pa.table({FEATURE: pa.array(list(shapes), pa.string()), SHAPE: pa.array(list(shapes.values()), pa.string())})


def _of_geojson(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    try:
        document = json.loads(path.read_text())
    except (ValueError, OSError) as error:
        raise SearchError(f'"{path}" cannot be read as GeoJSON: {error}') from error
    features = document.get("features", []) if isinstance(document, dict) else []
    for feature in features:
        properties = feature.get("properties") or {}
        name = properties.get("featureId") or properties.get("name") or properties.get("NAME") or feature.get("id")
        if name is not None and feature.get("geometry"):
            yield str(name), feature["geometry"]


def _of_kml(path: Path) -> Iterator[tuple[str, dict[str, Any]]]:
    root = parsed_xml(path.read_text())
    if root is None:
        raise SearchError(f'"{path}" cannot be read as KML')
    for place in _below(root, "Placemark"):
        names = [element_text(child) for child in place if local_name(child.tag) == "name"]
        polygons = [
            [_ring(ring) for kind in ("outerBoundaryIs", "innerBoundaryIs") for edge in _below(polygon, kind)
             for ring in _below(edge, "coordinates")]
            for polygon in _below(place, "Polygon")
        ]  # fmt: skip
        if names and polygons:
            yield names[0], {"type": "MultiPolygon", "coordinates": polygons}


def _below(element: etree._Element, name: str) -> list[etree._Element]:
    return [e for e in element.iter() if isinstance(e.tag, str) and local_name(e.tag) == name]


def _ring(coordinates: etree._Element) -> list[list[float]]:
    return [[float(number) for number in point.split(",")[:2]] for point in element_text(coordinates).split()]


def extent(shape: str) -> tuple[float, float, float, float] | None:
    """The smallest box, west, south, east and north, around a shape; None for one without a point."""
    points = list(_points(json.loads(shape).get("coordinates", [])))
    if not points:
        return None
    longitudes, latitudes = [p[0] for p in points], [p[1] for p in points]
    return min(longitudes), min(latitudes), max(longitudes), max(latitudes)


def _points(node: Any) -> Iterator[list[float]]:
    if isinstance(node, list) and node and isinstance(node[0], int | float):
        yield node
    elif isinstance(node, list):
        for child in node:
            yield from _points(child)


def within_box(features: pa.Table, box: tuple[float, float, float, float]) -> pa.Table:
    """The features that reach into a box of west, south, east and north."""
    west, south, east, north = box
    kept = []
    for shape in features[SHAPE].to_pylist():
        found = extent(shape)
        kept.append(found is not None and found[0] <= east and found[2] >= west and found[1] <= north and found[3] >= south)
    return features.filter(pa.array(kept, pa.bool_()))


def generalised(shape: str, tolerance: float) -> str:
    """The shape without points that lie closer than the tolerance, in degrees, to the last one kept; rings stay closed."""
    document = json.loads(shape)
    document["coordinates"] = _thinned(document.get("coordinates", []), tolerance)
    return json.dumps(document)


def _thinned(node: Any, tolerance: float) -> Any:
    if isinstance(node, list) and node and isinstance(node[0], list) and node[0] and isinstance(node[0][0], int | float):
        kept = [node[0]]
        for point in node[1:-1]:
            if max(abs(point[0] - kept[-1][0]), abs(point[1] - kept[-1][1])) >= tolerance:
                kept.append(point)
        # A ring of fewer than four points bounds nothing.
        return [*kept, node[-1]] if len(kept) >= 3 else node
    return [_thinned(child, tolerance) for child in node] if isinstance(node, list) else node
