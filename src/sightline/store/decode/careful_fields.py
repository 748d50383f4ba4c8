"""Fields of a record that the engine cannot take as they are: what is too long is cut, what is no text is made one.

Called by the engine for the few requests of which a record was over a bound or would not become JSON, never on the usual
way. Enters: the JSON text that the decode statement put together, as hexadecimal digits because its bytes may be no text.
Leaves: JSON text that the engine takes, in which `sightline.cut` says what was cut.
"""

from __future__ import annotations

import json
import math
import threading
from typing import Any

import chdb

MARK = "sightline.cut"
"""The field that says what of an event was cut: `text`, `value <name>`, `fields`, `characters`, `names`."""
REST = "sightline.rest"
"""The field that holds, as JSON text, the fields for which an event had no room."""
NESTED = 100
"""Levels of a record that are fields of their own; what lies deeper is kept as JSON text. Only a record that the engine's
parser refuses, at about a thousand levels, is looked at."""
MOST_SETS = 50
"""Sets of known names that are remembered: one for each index that is over its bound."""
_LOCK = threading.Lock()
_KNOWN: dict[int, frozenset[str]] = {}
_SURROGATES = dict.fromkeys(range(55296, 57344), "�")


def register() -> None:
    """Make the function known to the engine of this process. Repeating it does no harm."""
    for name, function, types in (
        ("sightline_careful_fields", careful_fields, ["String", "Int64", "Int64"]),
        ("sightline_known_fields", known_fields, ["Int64", "String"]),
    ):
        try:
            chdb.create_function(name, function, types, "String")
        except RuntimeError as error:
            if "already registered" not in str(error):
                raise


def remember(names: frozenset[str]) -> int:
    """A number by which `known_fields` finds these names in this process."""
    with _LOCK:
        for number, known in _KNOWN.items():
            if known == names:
                return number
        number = max(_KNOWN, default=0) + 1
        _KNOWN[number] = names
        # Older sets belong to hours that are over.
        for old in sorted(_KNOWN)[:-MOST_SETS]:
            del _KNOWN[old]
        return number


def known_fields(number: int, hex_text: str) -> str:
    """The same record with the fields that are not among the known ones as one text."""
    known = _KNOWN[number]
    pairs = json.loads(bytes.fromhex(hex_text), strict=False, object_pairs_hook=_first_wins)
    rest: dict[str, Any] = {}
    kept = _only_known(pairs, "", known, rest)
    if rest:
        kept[REST] = _written(rest)
        kept[MARK] = ["names"]
    return _written(kept)


def _only_known(pairs: dict[str, Any], prefix: str, known: frozenset[str], rest: dict[str, Any]) -> dict[str, Any]:
    kept: dict[str, Any] = {}
    for name, value in pairs.items():
        whole = prefix + name
        if isinstance(value, dict):
            inside = _only_known(value, whole + ".", known, rest)
            if inside:
                kept[name] = inside
        elif value is None or whole in known:
            kept[name] = value
        else:
            rest[whole] = value
    return kept


def careful_fields(hex_text: str, max_bytes: int, max_value_bytes: int) -> str:
    """The same record within its bounds."""
    data = bytes.fromhex(hex_text)
    text = data.decode("utf-8", "replace")
    cut = [] if text.encode() == data else ["characters"]
    try:
        pairs = json.loads(text, strict=False, object_pairs_hook=_first_wins, parse_constant=str, parse_float=_number)
    except (ValueError, RecursionError):
        return _written({REST: _shortened(text, max_value_bytes), MARK: [*cut, "fields"]})
    kept: dict[str, Any] = {}
    rest: dict[str, Any] = {}
    size = 0
    for name, value in pairs.items():
        value = _bounded(value, name, max_value_bytes, cut, 1)
        length = len(name.encode("utf-8", "replace")) + len(_written(value))
        # Room is left for the two fields that tell what happened.
        if size + length > max_bytes - max_value_bytes - 1024:
            rest[name] = value
        else:
            kept[name] = value
            size += length
    if rest:
        whole = _written(rest)
        kept[REST] = _shortened(whole, max_value_bytes)
        cut.append("fields")
    if cut:
        kept[MARK] = list(dict.fromkeys(cut))
    return _written(kept)


def _first_wins(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for name, value in pairs:
        found.setdefault(name, value)
    return found


def _number(digits: str) -> float | str:
    number = float(digits)
    return number if math.isfinite(number) else digits


def _bounded(value: Any, name: str, max_value_bytes: int, cut: list[str], depth: int) -> Any:
    if isinstance(value, str):
        shorter = _shortened(value, max_value_bytes)
        if shorter is not value:
            cut.append(f"value {name[:200]}")
        return shorter
    if isinstance(value, dict | list) and depth >= NESTED:
        return _shortened(_written(value), max_value_bytes)
    if isinstance(value, dict):
        return {key: _bounded(item, f"{name}.{key}", max_value_bytes, cut, depth + 1) for key, item in value.items()}
    if isinstance(value, list):
        return [_bounded(item, name, max_value_bytes, cut, depth + 1) for item in value]
    return value


def _shortened(text: str, max_bytes: int) -> str:
    if len(text) * 4 <= max_bytes:
        return text
    data = text.encode("utf-8", "replace")
    return text if len(data) <= max_bytes else data[:max_bytes].decode("utf-8", "ignore")


def _written(value: Any) -> str:
    # A lone half of a pair of surrogates is no character, and the engine's parser refuses it.
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).translate(_SURROGATES)
