"""Packs of detections in YAML, and lists of searches in JSON: what of a file is a search, a macro or a lookup."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

import orjson
import yaml

from sightline.apps.reading import Tell
from sightline.catalog.conf import Stanzas
from sightline.errors import UserError

MAX_YAML_DEPTH = 50
"""Nesting of a YAML document; the reader's stack holds some thousand, real files have ten."""
SEARCH_KEYS = ("search", "spl", "query", "qualifiedSearch")
NAME_KEYS = ("name", "title", "savedsearch_name", "id", "label")
_LOADER = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass
class YamlContents:
    """What one YAML file holds."""

    searches: list[tuple[str, str, Stanzas]] = field(default_factory=list)
    """Name, text, and the macros that the pack's own build makes for it."""
    macros: Stanzas = field(default_factory=dict)
    transforms: Stanzas = field(default_factory=dict)


def read_yaml(text: str) -> YamlContents:
    """The searches, macros and lookups of a YAML file; none for a file of something else. Raises UserError."""
    found = YamlContents()
    if not re.search(r"^\s*-?\s*[\"']?(search|definition|filename|collection|lookup_type)[\"']?\s*:", text, re.M):
        return found
    try:
        _check_depth(text)
        documents = list(yaml.load_all(text, _LOADER))
    except (yaml.YAMLError, ValueError) as error:
        raise UserError(f"is not YAML: {' '.join(str(error).split())[:200]}") from None
    for document in documents:
        for entry in document if isinstance(document, list) else [document]:
            if isinstance(entry, dict) and isinstance(entry.get("name"), str):
                _read_entry(entry, found)
    return found


def _check_depth(text: str) -> None:
    """Raises UserError for a document that nests too deeply; most are seen to be flat without reading them twice."""
    if text.count("[") + text.count("{") + text.count("- -") < MAX_YAML_DEPTH and not re.search(r"^ {100}", text, re.M):
        return
    depth = 0
    for event in yaml.parse(text, _LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
            if depth > MAX_YAML_DEPTH:
                raise UserError(f"nests deeper than {MAX_YAML_DEPTH} levels")
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1


def _read_entry(entry: Mapping[str, Any], found: YamlContents) -> None:
    name = str(entry["name"])
    if isinstance(entry.get("search"), str) and entry["search"].strip():
        found.searches.append((name, entry["search"], {filter_macro(name): {"definition": "search *"}}))
    elif isinstance(entry.get("definition"), str):
        arguments = [str(a) for a in entry.get("arguments") or ()]
        stanza = f"{name}({len(arguments)})" if arguments else name
        found.macros[stanza] = {"definition": entry["definition"]}
        if arguments:
            found.macros[stanza]["args"] = ", ".join(arguments)
        for key in ("validation", "errormsg", "iseval"):
            if entry.get(key):
                found.macros[stanza][key] = _plain(entry[key])
    elif any(isinstance(entry.get(key), str) for key in ("filename", "collection", "lookup_type")):
        found.transforms[name] = _lookup_definition(name, entry)


def filter_macro(name: str) -> str:
    """The macro that the pack's build makes for a detection, for people to fill with what they want left out."""
    return re.sub(r"[ \-./]", "_", name).lower() + "_filter"


def _lookup_definition(name: str, entry: Mapping[str, Any]) -> dict[str, str]:
    found: dict[str, str] = {}
    kind = str(entry.get("lookup_type", "csv"))
    if entry.get("collection") or kind == "kvstore":
        found |= {"external_type": "kvstore", "collection": str(entry.get("collection") or name)}
    else:
        found["filename"] = str(entry.get("filename") or f"{name}.csv")
    for key in ("default_match", "match_type", "min_matches", "max_matches", "case_sensitive_match", "fields_list"):
        if entry.get(key) is not None:
            value = entry[key]
            found[key] = ", ".join(map(str, value)) if isinstance(value, list) else _plain(value)
    if entry.get("fields") is not None and "fields_list" not in found:
        value = entry["fields"]
        found["fields_list"] = ", ".join(map(str, value)) if isinstance(value, list) else _plain(value)
    return found


def _plain(value: Any) -> str:
    return str(value).lower() if isinstance(value, bool) else str(value)


def read_json_searches(text: str, file: str, *, strict: bool, tell: Tell) -> Iterator[tuple[str, str]]:
    """Name and text of the searches in JSON, JSON lines or CSV. With `strict`, what is none of these is told."""
    rows, bad = _rows(text, file)
    found = 0
    for number, row in enumerate(rows, 1):
        named = _search_of(row)
        if named is None:
            continue
        name, search = named
        found += 1
        yield name or f"{file}:{number}", search
    for line in bad if found or strict else ():
        tell(file, f"line {line}: is not JSON")
    if strict and not found and not bad:
        tell(file, f"holds no search: wanted objects with a name and one of {', '.join(SEARCH_KEYS)}")


def _rows(text: str, file: str) -> tuple[list[Any], list[int]]:
    """Objects of a file, and the lines that are no JSON."""
    if file.lower().endswith(".csv"):
        csv.field_size_limit(10_000_000)
        try:
            return list(csv.DictReader(io.StringIO(text))), []
        except csv.Error as error:
            raise UserError(f"is not CSV: {error}") from None
    try:
        whole = orjson.loads(text)
    except orjson.JSONDecodeError:
        whole = None
    if isinstance(whole, dict):
        for key in ("searches", "results", "rows", "entry"):
            if isinstance(whole.get(key), list):
                return whole[key], []
        return [whole], []
    if isinstance(whole, list):
        return whole, []
    rows, bad = [], []
    for number, line in enumerate(text.split("\n"), 1):
        if line.strip():
            try:
                rows.append(orjson.loads(line))
            except orjson.JSONDecodeError:
                bad.append(number)
    return rows, bad


def _search_of(row: Any) -> tuple[str, str] | None:
    """Name and text of an object that holds a search; `result` and `content` are where Splunk's own exports put it."""
    if not isinstance(row, dict):
        return None
    inner = next((row[key] for key in ("result", "content") if isinstance(row.get(key), dict)), {})
    joined = {**inner, **row}
    text = next((joined[k] for k in SEARCH_KEYS if isinstance(joined.get(k), str) and joined[k].strip()), None)
    if text is None:
        return None
    name = next((str(joined[k]) for k in NAME_KEYS if isinstance(joined.get(k), str | int) and str(joined[k])), "")
    return name, text
