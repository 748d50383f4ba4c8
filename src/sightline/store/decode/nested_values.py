"""Nested OTLP values (arrays, key-value lists) as JSON text: functions the engine calls for the few values that are.

Enters: the hexadecimal text of an `ArrayValue` or `KeyValueList` message. Leaves: JSON text. An array of scalars
becomes an array of strings, because a field with several values is a list of strings in the search language; an
array that holds anything nested keeps its shape inside one string. A key-value list becomes an object.
"""

from __future__ import annotations

import base64
import json
import math
from typing import Any

import chdb
from opentelemetry.proto.common.v1.common_pb2 import AnyValue, ArrayValue, KeyValueList


def register() -> None:
    """Make the functions known to the engine of this process. Repeating it does no harm."""
    for name, function in (("sightline_array_json", array_json), ("sightline_map_json", map_json)):
        try:
            chdb.create_function(name, function, ["String"], "String")
        except RuntimeError as error:
            # They belong to the process and outlive the store that registered them.
            if "already registered" not in str(error):
                raise


def array_json(hex_text: str) -> str:
    """JSON text of an array attribute."""
    values = [_plain(value) for value in ArrayValue.FromString(bytes.fromhex(hex_text)).values]
    if any(isinstance(value, dict | list) for value in values):
        return json.dumps(json.dumps(values, ensure_ascii=False), ensure_ascii=False)
    return json.dumps([_text(value) for value in values if value is not None], ensure_ascii=False)


def map_json(hex_text: str) -> str:
    """JSON text of a key-value list attribute."""
    return json.dumps(_object(KeyValueList.FromString(bytes.fromhex(hex_text))), ensure_ascii=False)


def _object(message: KeyValueList) -> dict[str, Any]:
    return {pair.key: _plain(pair.value) for pair in message.values}


def _plain(value: AnyValue) -> Any:
    kind = value.WhichOneof("value")
    if kind is None:
        return None
    if kind == "array_value":
        return [_plain(item) for item in value.array_value.values]
    if kind == "kvlist_value":
        return _object(value.kvlist_value)
    if kind == "bytes_value":
        return base64.b64encode(value.bytes_value).decode()
    if kind == "double_value" and not math.isfinite(value.double_value):
        return str(value.double_value)
    return getattr(value, kind)


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return value if isinstance(value, str) else json.dumps(value)
