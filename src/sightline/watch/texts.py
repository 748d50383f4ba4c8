"""How values stand in what is sent: a cell as text, and texts with tokens such as `$result.host$` filled in."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any


def as_text(value: Any) -> str:
    """A cell as SPL writes it: whole numbers without a point, several values on lines."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, list | tuple):
        return "\n".join(as_text(v) for v in value)
    return str(value)


def filled(text: str, row: Mapping[str, Any], about: Mapping[str, str]) -> str:
    """The text with `$result.<field>$`, `$name$`, `$job.sid$` and the like replaced; other signs stay."""

    def value(match: re.Match[str]) -> str:
        key = match.group(1)
        if key.startswith("result."):
            found = row.get(key.removeprefix("result."))
            return "" if found is None else as_text(found)
        return about.get({"job.sid": "sid", "search_id": "sid", "search_name": "name"}.get(key, key), match.group(0))

    return re.sub(r"\$([\w.:\- ]+)\$", value, text)
