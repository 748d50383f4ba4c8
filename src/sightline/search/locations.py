"""Where IP addresses are, from a database in MaxMind's format that people put beside their data.

Enters: addresses, each once. Leaves: an Arrow table with a row for each. The product ships no such database: those that
may be had for free must be fetched by each person, and go stale.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable, Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

import maxminddb
import pyarrow as pa

from sightline.config import Settings
from sightline.errors import SearchError

FILE_NAMES = ("iplocation.mmdb", "GeoLite2-City.mmdb")
"""Names that are looked for in the data directory, before any other file of the format."""
CODES = "code"
"""The language that gives short codes of countries and regions instead of names."""

Record = dict[str, Any]


def find_database(settings: Settings) -> Path:
    """The database file: the one the settings name, else one in the data directory. Raises SearchError without one."""
    if settings.search.ip_database:
        path = settings.data / settings.search.ip_database
        if not path.is_file():
            raise SearchError(f'the database of IP locations "{path}", which search.ip_database names, is not there')
        return path
    for name in FILE_NAMES:
        if (settings.data / name).is_file():
            return settings.data / name
    others = sorted(settings.data.glob("*.mmdb"))
    if len(others) == 1:
        return others[0]
    if others:
        listed = ", ".join(path.name for path in others)
        raise SearchError(f"there are several databases of IP locations: {listed}", hint="name one in search.ip_database")
    raise SearchError(
        "there is no database of IP locations",
        hint=f"put one in MaxMind's format as {settings.data / FILE_NAMES[0]}, or name its file in search.ip_database",
    )


def locate(addresses: Iterable[str], path: Path, language: str, *, all_fields: bool) -> pa.Table:
    """A row for each address that the database knows: `ip`, and where it is. Raises SearchError for a bad file."""
    columns: dict[str, list[Any]] = {name: [] for name in ("ip", *field_types(all_fields=all_fields))}
    readers = {name: _READERS[name] for name in columns if name != "ip"}
    try:
        reader = _opened(path, path.stat().st_mtime_ns)
        for address in addresses:
            record = reader.get(address) if _is_address(address) else None
            if not isinstance(record, dict):
                continue
            columns["ip"].append(address)
            for name, read in readers.items():
                columns[name].append(read(record, language))
    except (maxminddb.InvalidDatabaseError, OSError) as error:
        raise SearchError(f'"{path}" cannot be read as a database of IP locations: {error}') from error
    types = {"ip": pa.string(), **field_types(all_fields=all_fields)}
    return pa.table({name: pa.array(values, types[name]) for name, values in columns.items()})


def field_types(*, all_fields: bool) -> dict[str, pa.DataType]:
    """The fields that an address gets, in their order."""
    names = ("City", "Continent", "Country", "MetroCode", "Region", "Timezone", "lat", "lon")
    shown = names if all_fields else tuple(name for name in names if name not in _ONLY_WHEN_ALL)
    return {name: pa.float64() if name in ("lat", "lon") else pa.string() for name in shown}


@lru_cache(maxsize=4)
def _opened(path: Path, modified_ns: int) -> maxminddb.Reader:
    """The open file; a newer one of the same name has another time and is opened anew."""
    return maxminddb.open_database(path)


def _is_address(text: str) -> bool:
    try:
        return not ipaddress.ip_address(text).is_private
    except ValueError:
        return False


def _name(record: Record, key: str, language: str) -> str | None:
    """The name of a part of a place: under its language, else in English. Some databases have a text in its place."""
    part = record.get(key)
    if isinstance(part, list):
        part = part[0] if part else None
    if isinstance(part, str):
        return part or None
    if not isinstance(part, dict):
        return None
    if language == CODES:
        code = part.get("iso_code") or part.get("code")
        if code:
            return str(code)
    names = part.get("names") or {}
    base = language.partition("-")[0]
    found = names.get(language) or names.get(base) or names.get("en") or next(iter(names.values()), None)
    return None if found is None else str(found)


def _of_location(key: str) -> Callable[[Record, str], Any]:
    def read(record: Record, language: str) -> Any:
        return (record.get("location") or {}).get(key)

    return read


def _metro_code(record: Record, language: str) -> str | None:
    code = (record.get("location") or {}).get("metro_code")
    return None if code is None else str(code)


_READERS: dict[str, Callable[[Record, str], Any]] = {
    "City": lambda record, language: _name(record, "city", language),
    "Continent": lambda record, language: _name(record, "continent", language),
    "Country": lambda record, language: _name(record, "country", language),
    "MetroCode": _metro_code,
    "Region": lambda record, language: _name(record, "subdivisions", language),
    "Timezone": _of_location("time_zone"),
    "lat": _of_location("latitude"),
    "lon": _of_location("longitude"),
}
_ONLY_WHEN_ALL = ("Continent", "MetroCode", "Timezone")
