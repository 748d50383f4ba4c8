"""Writing values and names into the engine's SQL, and the settings every statement of ours runs under."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

MAX_DYNAMIC_PATHS = 256
"""Paths of a JSON column that have a stream of their own; must equal the schema's. More of them do not read faster
and cost files, memory and merges (docs/adr/0001-storage-schema.md)."""
JSON_TYPE = f"JSON(max_dynamic_paths = {MAX_DYNAMIC_PATHS})"

CHOOSES_PARTS = "indexHint"
"""The engine's function for a condition that chooses parts and is asked of no row."""

JSON_SETTINGS: dict[str, Any] = {
    "input_format_try_infer_dates": 0,
    "input_format_try_infer_datetimes": 0,
    "input_format_json_try_infer_numbers_from_strings": 0,
    "type_json_skip_duplicated_paths": 1,
    "output_format_json_quote_64bit_integers": 0,
    "output_format_json_quote_denormals": 0,
    "output_format_json_escape_forward_slashes": 0,
}
"""How text becomes a JSON column: a string stays a string even when it looks like a date, the first of two equal
keys wins (the engine's default is to refuse the row), integers are not quoted."""

DECODED_BLOCK_BYTES = 4 * 1024 * 1024
READ_SETTINGS: dict[str, Any] = {"input_format_max_block_size_bytes": DECODED_BLOCK_BYTES}
"""How much of a file is decoded at once. By rows alone a segment would be one block, nested as it came, beside all that is made
of it: 16 MB of spans took 270 MB so, and 110 MB in blocks of this size. Smaller ones cost time (a quarter with 1 MB)."""

INSERT_SETTINGS: dict[str, Any] = {
    **JSON_SETTINGS,
    **READ_SETTINGS,
    "max_partitions_per_insert_block": 0,
    "min_insert_block_size_rows": 10_000_000,
    "min_insert_block_size_bytes": 1 << 30,
    "max_insert_threads": 1,
    "max_execution_time": 0,
}
"""One block and one thread, so that a segment becomes one part in each partition and its deduplication token
covers all of it. No limit on partitions: a backfill of years is a normal thing to load."""


def quote(value: str) -> str:
    """A string literal."""
    return "'" + value.replace("\\", "\\\\").replace("'", "\\'") + "'"


def identifier(name: str) -> str:
    """A quoted column or table name."""
    return "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"


def settings_clause(settings: Mapping[str, Any]) -> str:
    """` SETTINGS a = 1, b = 'x'`, or an empty text."""
    if not settings:
        return ""
    return " SETTINGS " + ", ".join(f"{name} = {_setting(value)}" for name, value in settings.items())


def _setting(value: Any) -> str:
    if isinstance(value, bool):
        return "1" if value else "0"
    return quote(value) if isinstance(value, str) else str(value)
