"""Feature collections from files of GeoJSON and KML."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from sightline.errors import SearchError
from sightline.search.features import extent, read_features

SQUARE = [[0, 0], [0, 1], [1, 1], [0, 0]]


def test_geojson_is_read_by_name_or_id(tmp_path: Path) -> None:
    features = [
        {"type": "Feature", "properties": {"name": "A"}, "geometry": {"type": "Polygon", "coordinates": [SQUARE]}},
        {"type": "Feature", "id": 7, "properties": None, "geometry": {"type": "Point", "coordinates": [5, 6]}},
        {"type": "Feature", "properties": {"name": "none"}, "geometry": None},
    ]
    (tmp_path / "x.geojson").write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    table = read_features("x", tmp_path, None)
    assert table["featureId"].to_pylist() == ["A", "7"]
    assert [extent(shape) for shape in table["geom"].to_pylist()] == [(0, 0, 1, 1), (5, 6, 5, 6)]


def test_kml_is_read(tmp_path: Path) -> None:
    ring = "<LinearRing><coordinates>0,0,5 0,2 3,2 0,0</coordinates></LinearRing>"
    place = f"<Placemark><name>B</name><Polygon><outerBoundaryIs>{ring}</outerBoundaryIs></Polygon></Placemark>"
    (tmp_path / "y.kml").write_text(f'<kml xmlns="http://www.opengis.net/kml/2.2"><Document>{place}</Document></kml>')
    table = read_features("y", tmp_path, None)
    assert table["featureId"].to_pylist() == ["B"]
    assert extent(table["geom"][0].as_py()) == (0, 0, 3, 2)


def test_a_bad_file_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "z.geojson").write_text("{")
    with pytest.raises(SearchError, match=r"z\.geojson.* cannot be read as GeoJSON"):
        read_features("z", tmp_path, None)
    (tmp_path / "e.geojson").write_text("{}")
    with pytest.raises(SearchError, match="holds no named features"):
        read_features("e", tmp_path, None)
    with pytest.raises(SearchError, match="there is no feature collection") as error:
        read_features("../z", tmp_path, None)
    assert "lookup" in error.value.hint
