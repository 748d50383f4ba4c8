"""Default fields that every event has without anybody having stored them: parts of its time, the shape of its text.

They are computed when a search names them, and never listed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sightline.search.planner import values as v
from sightline.search.planner.values import Type, Value

PUNCT_LENGTH = 30
"""Characters of `punct`."""
_MONTHS = [
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
]
_DAYS = ["monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday"]


def derived_field(name: str, fields: Mapping[str, Value]) -> Value:
    """The value of a default field of events that have `_time` and `_raw`; NULL for any other name."""
    if name in _OF_TIME and "_time" in fields and fields["_time"].type.is_number:
        seconds = v.call("toInt64", v.as_float(fields["_time"]), type=Type.INT)
        moment = v.call("toDateTime64", seconds, v.integer(0), v.text("UTC"), type=Type.INT)
        found = _OF_TIME[name](moment)
        absent = v.Literal(found.type, None)
        return v.call("if", v.is_present(fields["_time"]), found, absent, type=found.type)
    if name in _OF_TEXT and "_raw" in fields and fields["_raw"].type is Type.TEXT:
        return _OF_TEXT[name](fields["_raw"])
    return v.NULL


def _part(function: str) -> Callable[[Value], Value]:
    return lambda moment: v.call("toInt64", v.call(function, moment, type=Type.INT), type=Type.INT)


def _word(function: str, words: list[str]) -> Callable[[Value], Value]:
    return lambda moment: v.call("arrayElement", v.multi(words), v.call(function, moment, type=Type.INT), type=Type.TEXT)


def _line_count(raw: Value) -> Value:
    lines = v.call("countSubstrings", raw, v.text("\n"), type=Type.INT)
    return v.call("toInt64", v.call("plus", lines, v.integer(1), type=Type.INT), type=Type.INT)


def _punct(raw: Value) -> Value:
    first_line = v.call("extract", raw, v.text("^[^\n]*"), type=Type.TEXT)
    bare = v.call("replaceRegexpAll", first_line, v.text("[A-Za-z0-9]+"), v.text(""), type=Type.TEXT)
    spaced = v.call("replaceRegexpAll", bare, v.text(r"\s"), v.text("_"), type=Type.TEXT)
    return v.call("substringUTF8", spaced, v.integer(1), v.integer(PUNCT_LENGTH), type=Type.TEXT)


_OF_TIME: dict[str, Callable[[Value], Value]] = {
    "date_second": _part("toSecond"),
    "date_minute": _part("toMinute"),
    "date_hour": _part("toHour"),
    "date_mday": _part("toDayOfMonth"),
    "date_year": _part("toYear"),
    "date_month": _word("toMonth", _MONTHS),
    "date_wday": _word("toDayOfWeek", _DAYS),
    "date_zone": lambda moment: v.integer(0),
}
_OF_TEXT: dict[str, Callable[[Value], Value]] = {
    "linecount": _line_count,
    "punct": _punct,
    "splunk_server": lambda raw: v.text("local"),
}
