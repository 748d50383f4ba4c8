"""Formats that differ by row: times written and read, and text made, by a format that is a field.

Enters: one row's values and its format. Leaves: the text or the time, None where the format says nothing that can be done.
A format that is written in the search is turned into the engine's own functions, a hundred times as fast; these here give
the same answers.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, date, datetime, timedelta, timezone, tzinfo
from functools import lru_cache
from zoneinfo import ZoneInfo

from sightline.errors import SearchError
from sightline.search.functions.calendar import CYCLE_S, FIRST_S, LAST_S
from sightline.search.functions.time_formats import (
    FRACTION_DIGITS,
    MONTHS,
    ZONE_OFFSETS_H,
    Conversion,
    reading_pattern,
    split_format,
)
from sightline.search.planner.values import numeric_literal
from sightline.store.udf import row_function

PRINTF_CONVERSION = re.compile(r"%([-+ #0']*)(\*|\d+)?(?:\.(\*|\d*))?(?:ll|l|h)?(.|\Z)", re.S)
PRINTF_ALIASES = {"z": "s", "p": "X"}
"""Letters of conversions that have a second name."""
LARGEST_WIDTH = 1000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_FORMATS_REMEMBERED = 1000


def zone_text(zone: tzinfo) -> str:
    """A zone as text for a row function: its name, or seconds east of Greenwich."""
    if isinstance(zone, ZoneInfo):
        return zone.key
    offset = zone.utcoffset(None)
    return str(offset.total_seconds() if offset is not None else 0.0)


@lru_cache
def zone_of_text(text: str) -> tzinfo:
    """The zone that `zone_text` wrote."""
    try:
        return timezone(timedelta(seconds=float(text)))
    except ValueError:
        return ZoneInfo(text)


@lru_cache(_FORMATS_REMEMBERED)
def _pieces(form: str) -> list[Conversion] | None:
    try:
        return split_format(form, "strftime")
    except SearchError:
        return None


# ---- times -----------------------------------------------------------------------------------------------------------


@row_function("write_time", ("Float64", "String", "String"), "String")
def write_time(time: float, form: str, zone: str) -> str | None:
    """The time as text."""
    pieces = _pieces(form)
    if pieces is None:
        return None
    try:
        micros = round(time * 1_000_000)
        seconds, fraction = divmod(micros, 1_000_000)
        # The calendar repeats itself: far years are written as the engine does it.
        cycles = 0 if FIRST_S <= seconds <= LAST_S else (seconds - FIRST_S) // CYCLE_S
        moment = (_EPOCH + timedelta(seconds=seconds - cycles * CYCLE_S)).astimezone(zone_of_text(zone))
    except (OverflowError, ValueError):
        return None
    return "".join(
        _flagged(piece, _written(piece, moment, seconds, fraction, cycles * 400)) if piece.letter else piece.text
        for piece in pieces
    )


def _flagged(piece: Conversion, written: str) -> str:
    if piece.flag == "^":
        return written.upper()
    if piece.flag == "-":
        return re.sub(r"^[0 ]+([0-9])", r"\1", written, count=1)
    return re.sub(r"^0([0-9])", r" \1", written, count=1) if piece.flag == "_" else written


def _written(piece: Conversion, moment: datetime, seconds: int, fraction: int, more_years: int) -> str:
    letter = piece.letter
    if letter in FRACTION_DIGITS:
        return f"{fraction:06}000"[: piece.digits or FRACTION_DIGITS[letter]]
    if letter == "s":
        return str(seconds)
    if letter in "YyCGg":
        year = (moment.isocalendar().year if letter in "Gg" else moment.year) + more_years
        return str(year) if letter in "YG" else f"{year // 100 if letter == 'C' else year % 100:02}"
    if letter in "ekl":
        return re.sub("^0", " ", moment.strftime({"e": "%d", "k": "%H", "l": "%I"}[letter]))
    if letter == "P":
        return moment.strftime("%p").lower()
    if letter == "z":
        offset = moment.utcoffset() or timedelta()
        minutes = int(offset.total_seconds()) // 60
        sign, size = "-" if minutes < 0 else "+", abs(minutes)
        if piece.colon == "E":
            return f"{sign}{size}"
        text = f"{sign}{size // 60:02}{':' if piece.colon else ''}{size % 60:02}"
        return f"{text}:00" if piece.colon == "::" else text
    return moment.strftime(f"%{letter}")


@lru_cache(_FORMATS_REMEMBERED)
def _reader(form: str) -> tuple[re.Pattern[str], dict[str, int]] | None:
    try:
        pattern, places = reading_pattern(split_format(form, "strptime"))
    except SearchError:
        return None
    return re.compile(pattern, re.ASCII), places


@row_function("read_time", ("String", "String", "String", "Float64"), "Float64")
def read_time(text: str, form: str, zone: str, now: float) -> float | None:
    """The time that a text tells."""
    reader = _reader(form)
    found = reader and reader[0].match(text)
    if not reader or not found:
        return None
    parts = {letter: found.group(place) for letter, place in reader[1].items()}
    try:
        if "s" in parts:
            seconds = float(parts["s"])
        else:
            moment = _moment(parts, zone_of_text(zone), now)
            seconds = moment.timestamp()
            if "z" not in parts and not FIRST_S <= seconds <= LAST_S:
                # So far off, clocks go as at the nearest time that is known.
                bound = datetime.fromtimestamp(FIRST_S if seconds < FIRST_S else LAST_S, moment.tzinfo)
                seconds = (moment.replace(tzinfo=UTC) - (bound.utcoffset() or timedelta())).timestamp()
    except (OverflowError, ValueError, KeyError):
        return None
    fraction = next((parts[letter] for letter in FRACTION_DIGITS if letter in parts), None)
    return seconds + float(f"0.{fraction}") if fraction else seconds


def _moment(parts: dict[str, str], zone: tzinfo, now: float) -> datetime:
    day = _day(parts, datetime.fromtimestamp(now, zone).date())
    hour = int(parts.get("H", 0))
    if "H" not in parts and "I" in parts:
        hour = int(parts["I"])
        if not 1 <= hour <= 12:
            raise ValueError
        hour = hour % 12 + (12 if parts.get("p", "").lower() == "p" else 0)
    minute, second = int(parts.get("M", 0)), int(parts.get("S", 0))
    leap = second == 60
    offset = parts.get("z")
    of = zone if offset is None else timezone(_offset(offset))
    moment = datetime(day.year, day.month, day.day, hour, minute, 59 if leap else second, tzinfo=of)
    return moment + timedelta(seconds=1) if leap else moment


def _day(parts: dict[str, str], today: date) -> date:
    """The day that is told; what is left out is that of today, or the first."""
    month = int(parts["m"]) if "m" in parts else None
    if "b" in parts:
        month = MONTHS.index(parts["b"][:3].lower()) + 1
    year = int(parts["Y"]) if "Y" in parts else None
    if year is None and "y" in parts:
        year = int(parts["y"]) + (2000 if int(parts["y"]) < 69 else 1900)
    of_month = int(parts["d"]) if "d" in parts else None
    if "j" in parts and month is None:
        if not 1 <= int(parts["j"]) <= 366:
            raise ValueError
        return date(year or today.year, 1, 1) + timedelta(days=int(parts["j"]) - 1)
    if year is None and month is None and of_month is None:
        return today
    if month is None:
        month = today.month if year is None else 1
    return date(year if year is not None else today.year, month, of_month if of_month is not None else 1)


def _offset(text: str) -> timedelta:
    if text[0].isalpha():
        return timedelta(hours=ZONE_OFFSETS_H[text.upper()])
    digits = re.sub("[^0-9]", "", text)
    size = timedelta(hours=int(digits[:2]), minutes=int(digits[2:4] or 0))
    return -size if text[0] == "-" else size


# ---- printf ----------------------------------------------------------------------------------------------------------


@row_function("printf_row", ("String", "String"), "String")
def printf(form: str, values: str) -> str | None:
    """Text made from a format and values, which come as a JSON list of texts. None where they do not fit each other."""
    rest: list[str | None] = json.loads(values)
    pieces: list[str] = []
    position = 0
    try:
        for found in PRINTF_CONVERSION.finditer(form):
            pieces.append(form[position : found.start()])
            position = found.end()
            flags, width, precision, letter = found.groups()
            if letter == "%":
                pieces.append("%")
                continue
            if width == "*":
                width = rest.pop(0)
            if precision == "*":
                precision = rest.pop(0)
            columns, digits = int(width or 0), int(precision or 0)
            if abs(columns) > LARGEST_WIDTH or not 0 <= digits <= LARGEST_WIDTH:
                return None
            flags += "-" if columns < 0 else ""
            size = (str(abs(columns)) if columns else "") + (f".{digits}" if precision is not None else "")
            pieces.append(_converted("".join(dict.fromkeys(flags)), size, letter, rest.pop(0)))
    except (IndexError, TypeError, ValueError, OverflowError):
        return None
    return None if rest else "".join(pieces) + form[position:]


def _converted(flags: str, size: str, letter: str, text: str | None) -> str:
    """One value by one conversion. Raises ValueError where that cannot be."""
    letter = PRINTF_ALIASES.get(letter, letter)
    if text is None or not letter:
        raise ValueError
    number = numeric_literal(text)
    if letter == "c" and number is not None:
        text = chr(int(number))
        text.encode()  # Refuses halves of characters.
    if letter in "sc":
        kept = "-" if "-" in flags else ""
        return f"%{kept}{size}s" % (text if letter == "s" else text[:1])
    if number is None or letter not in "diuoxXfFeEgG":
        raise ValueError
    plain = flags.replace("'", "")
    width, _, precision = size.partition(".")
    if letter in "diuoxX" and precision == "0" and int(number) == 0:
        return f"%{width}s" % ""
    if "'" in flags and letter in "difF":
        grouped = f"{int(number):,}" if letter in "di" else f"{number:,.{precision or ('0' if '.' in size else '6')}f}"
        return f"%{plain.replace('0', '')}{width}s" % grouped
    if letter in "di":
        return f"%{plain}{size}d" % int(number)
    if letter in "uoxX":
        unsigned = int(number) % 2**64
        shown = f"%{plain}{size}{'d' if letter == 'u' else letter}" % unsigned
        return shown.replace("0o", "0", 1) if letter == "o" else shown
    return f"%{plain}{size}{letter}" % float(number)
