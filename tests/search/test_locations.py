"""Which database of IP locations is read, and what is said of one that cannot be."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from mmdb import write_database

from sightline.config import SearchSettings, Settings
from sightline.errors import SearchError
from sightline.search.locations import find_database, locate


def place(city: str) -> dict:
    return {"city": {"names": {"en": city}}}


def test_a_named_file_wins_then_known_names_then_the_only_one(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match="there is no database") as error:
        find_database(Settings(data=tmp_path))
    assert str(tmp_path / "iplocation.mmdb") in error.value.hint
    (tmp_path / "dbip-city-lite.mmdb").touch()
    assert find_database(Settings(data=tmp_path)).name == "dbip-city-lite.mmdb"
    (tmp_path / "other.mmdb").touch()
    with pytest.raises(SearchError, match=r"several databases of IP locations: dbip-city-lite.mmdb, other.mmdb"):
        find_database(Settings(data=tmp_path))
    (tmp_path / "GeoLite2-City.mmdb").touch()
    assert find_database(Settings(data=tmp_path)).name == "GeoLite2-City.mmdb"
    named = Settings(data=tmp_path, search=SearchSettings(ip_database="other.mmdb"))
    assert find_database(named) == tmp_path / "other.mmdb"
    with pytest.raises(SearchError, match="search.ip_database names, is not there"):
        find_database(Settings(data=tmp_path, search=SearchSettings(ip_database="gone.mmdb")))


def test_a_file_of_another_kind_is_refused_by_name(tmp_path: Path) -> None:
    path = tmp_path / "iplocation.mmdb"
    path.write_text("nothing of the kind")
    with pytest.raises(SearchError, match="iplocation.mmdb.* cannot be read as a database of IP locations"):
        locate(["9.9.9.9"], path, "en", all_fields=False)


def test_a_newer_file_is_read_at_once(tmp_path: Path) -> None:
    path = tmp_path / "iplocation.mmdb"
    write_database(path, {"198.51.101.0/24": place("Old")})
    assert locate(["198.51.101.1"], path, "en", all_fields=False)["City"].to_pylist() == ["Old"]
    time.sleep(0.01)
    write_database(path, {"198.51.101.0/24": place("New")})
    assert locate(["198.51.101.1"], path, "en", all_fields=False)["City"].to_pylist() == ["New"]


def test_flat_records_are_read_too(tmp_path: Path) -> None:
    path = tmp_path / "iplocation.mmdb"
    write_database(path, {"198.51.101.0/24": {"city": "Here", "country": "There", "location": {}}})
    (row,) = locate(["198.51.101.1"], path, "en", all_fields=True).to_pylist()
    assert (row["City"], row["Country"], row["lat"]) == ("Here", "There", None)
