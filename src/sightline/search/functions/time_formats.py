"""Formats of `strftime` and `strptime`: what each conversion writes, and what it reads.

Enters: a format and a value. Leaves: a value that writes or reads it in the engine. Writing hands runs of conversions to the
engine's own formatter, whose letters differ (%M is a month's name there), and computes the others. Reading takes groups out of the
text with a regular expression and reckons with the numbers, so that any year and any mix of conversions works.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from sightline.errors import SearchError
from sightline.search.functions.arguments import int64
from sightline.search.functions.calendar import (
    CYCLE_S,
    FIRST_S,
    LAST_S,
    Zone,
    between,
    days_of_date,
    floor_divide,
    is_date,
    remainder,
)
from sightline.search.planner import values as v
from sightline.search.planner.values import Literal, Type, Value

_CONVERSION = re.compile(r"%([-_^0]?)(\d?)(::?|E|O)?(.|\Z)", re.S)
_COMPOUND = {
    "D": "%m/%d/%y", "F": "%Y-%m-%d", "R": "%H:%M", "T": "%H:%M:%S", "X": "%H:%M:%S", "x": "%m/%d/%y",
    "r": "%I:%M:%S %p", "c": "%a %b %e %H:%M:%S %Y", "+": "%a %b %e %H:%M:%S %Z %Y", "v": "%e-%b-%Y",
}  # fmt: skip
_ENGINE = {
    "a": "%a", "A": "%W", "b": "%b", "h": "%b", "B": "%M", "d": "%d", "H": "%H", "I": "%I", "j": "%j", "m": "%m",
    "M": "%i", "p": "%p", "S": "%S", "u": "%u", "V": "%V", "w": "%w", "z": "%z",
}  # fmt: skip
"""Conversions that the engine's formatter has under these letters."""
FRACTION_DIGITS = {"N": 9, "Q": 3, "f": 6}


@dataclass(frozen=True)
class Conversion:
    """One piece of a format: a conversion, or text when `letter` is empty."""

    letter: str
    text: str
    flag: str = ""
    digits: int = 0
    colon: str = ""


def split_format(form: str, function: str) -> list[Conversion]:
    """The pieces of a format, compound conversions taken apart. Raises SearchError for an unknown one."""
    pieces: list[Conversion] = []
    position = 0
    for found in _CONVERSION.finditer(form):
        if found.start() < position:
            continue
        if found.start() > position:
            pieces.append(Conversion("", form[position : found.start()]))
        position = found.end()
        flag, digits, modifier, letter = found.groups()
        if letter in _COMPOUND and not (digits or modifier in (":", "::")):
            pieces.extend(split_format(_COMPOUND[letter], function))
            continue
        known = letter in _ENGINE or letter in "CegGklnNPQfstUWyYZ%"
        if (
            not letter
            or not known
            or (modifier in (":", "::") and letter != "z")
            or (digits and letter not in FRACTION_DIGITS)
        ):
            raise SearchError(
                f'{function} has no conversion "{found.group()}"', hint='a percent sign itself is written "%%"'
            )
        if letter in "n%t":
            pieces.append(Conversion("", {"n": "\n", "t": "\t", "%": "%"}[letter]))
            continue
        pieces.append(Conversion(letter, found.group(), flag, int(digits or 0), modifier or ""))
    if position < len(form):
        pieces.append(Conversion("", form[position:]))
    return pieces


def _text(name: str, *arguments: Value) -> Value:
    return v.call(name, *arguments, type=Type.TEXT)


def _int(name: str, *arguments: Value) -> Value:
    return v.call(name, *arguments, type=Type.INT)


# ---- writing ---------------------------------------------------------------------------------------------------------


def write_time(time: Value, form: str, zone: Zone) -> Value:
    """The time as text. Years beyond the engine's calendar are written with that of the same place 400 years off."""
    pieces = split_format(form, "strftime")
    return v.shared([time], lambda time: _near_or_far(time, pieces, zone))


def _near_or_far(time: Value, pieces: list[Conversion], zone: Zone) -> Value:
    near = _written(time, pieces, zone, None)
    if not any(p.letter for p in pieces):
        return v.call("if", v.is_present(time), near, Literal(Type.TEXT, None), type=Type.TEXT)
    cycles = floor_divide(v.call("minus", time, v.integer(FIRST_S), type=time.type), CYCLE_S)
    moved = v.call("minus", time, _int("multiply", cycles, int64(CYCLE_S)), type=time.type)
    far = _written(moved, pieces, zone, cycles)
    if isinstance(time, Literal) and time.value is not None:
        return near if FIRST_S <= time.value <= LAST_S else far
    return v.call("if", v.is_true(between(time, FIRST_S, LAST_S)), near, far, type=Type.TEXT)


def _written(time: Value, pieces: list[Conversion], zone: Zone, cycles: Value | None) -> Value:
    if time.type is Type.INT:
        micros = _int("multiply", time, int64(1_000_000))
    else:
        scaled = v.call("multiply", time, v.integer(1_000_000), type=Type.FLOAT)
        micros = v.whole(v.call("round", scaled, type=Type.FLOAT))
    moment = zone.moment(micros)
    written: list[Value] = []
    run = ""

    def formatted(engine_form: str) -> Value:
        return _text("formatDateTime", moment, v.text(engine_form), v.text(zone.name))

    for piece in pieces:
        direct = _direct(piece, zone, cycles)
        if direct is not None:
            run += direct
            continue
        if run:
            written.append(formatted(run))
            run = ""
        written.append(_flagged(piece, _computed(piece, micros, moment, zone, cycles, formatted)))
    if run:
        written.append(formatted(run))
    return written[0] if len(written) == 1 else _text("concat", *written, v.text(""))


def _direct(piece: Conversion, zone: Zone, cycles: Value | None) -> str | None:
    """The engine's own conversion for a piece, if it has one."""
    if not piece.letter:
        return piece.text.replace("%", "%%")
    if piece.flag in ("-", "_", "^") or piece.colon in (":", "::") or (piece.letter == "z" and piece.colon):
        return None
    if piece.letter == "z" and zone.shift_s:
        return _offset_text(zone.shift_s)
    if piece.letter in "YyCG" and cycles is None:
        return {"Y": "%Y", "y": "%y", "C": "%C", "G": "%G"}[piece.letter]
    return _ENGINE.get(piece.letter)


def _offset_text(offset_s: int, colon: str = "") -> str:
    sign, minutes = "-" if offset_s < 0 else "+", abs(offset_s) // 60
    return f"{sign}{minutes // 60:02}{colon}{minutes % 60:02}"


def _flagged(piece: Conversion, written: Value) -> Value:
    if piece.flag == "^":
        return _text("upperUTF8", written)
    if piece.flag == "-":
        return _text("replaceRegexpOne", written, v.text("^[0 ]+([0-9])"), v.text("\\1"))
    if piece.flag == "_":
        return _text("replaceRegexpOne", written, v.text("^0([0-9])"), v.text(" \\1"))
    return written


def _computed(piece: Conversion, micros: Value, moment: Value, zone: Zone, cycles: Value | None, formatted) -> Value:
    letter = piece.letter
    if letter in FRACTION_DIGITS:
        digits = piece.digits or FRACTION_DIGITS[letter]
        fraction = _text("leftPad", v.as_text(remainder(micros, 1_000_000)), v.integer(6), v.text("0"))
        return _text("substring", _text("concat", fraction, v.text("000")), v.integer(1), v.integer(digits))
    seconds = floor_divide(micros, 1_000_000)
    if letter == "s":
        if cycles is not None:
            seconds = _int("plus", seconds, _int("multiply", cycles, int64(CYCLE_S)))
        return v.as_text(seconds)
    if letter in "ekl":
        engine_form = {"e": "%d", "k": "%H", "l": "%I"}[letter]
        return _text("replaceRegexpOne", formatted(engine_form), v.text("^0"), v.text(" "))
    if letter == "P":
        return _text("lower", formatted("%p"))
    if letter in "UW":
        # Weeks from the first Sunday, or the first Monday, of the year.
        week = _int("toWeek", moment, v.integer(0 if letter == "U" else 5), v.text(zone.name))
        return _text("leftPad", v.as_text(week), v.integer(2), v.text("0"))
    if letter == "z":
        return _zone_offset(piece, seconds, zone, formatted)
    if letter == "Z":
        names = zone.abbreviations()
        if len(names) == 1:
            return v.text(next(iter(names.values())))
        known = [_int("array", *(int64(offset) for offset in names)), v.multi(list(names.values()))]
        return _text("transform", zone.offset_s(seconds), *known, formatted("%z"))
    if letter == "g":
        return _text("substring", formatted("%G"), v.integer(-2))
    if letter in "YyCG":
        return _far_year(letter, formatted, cycles)
    return formatted(_ENGINE[letter])


def _zone_offset(piece: Conversion, seconds: Value, zone: Zone, formatted) -> Value:
    if piece.colon == "E":
        minutes = _int("intDiv", zone.offset_s(seconds), v.integer(60))
        sign = _text("if", v.call("less", minutes, v.integer(0), type=Type.BOOL), v.text("-"), v.text("+"))
        return _text("concat", sign, v.as_text(_int("abs", minutes)))
    if zone.shift_s:
        shown: Value = v.text(_offset_text(zone.shift_s, ":" if piece.colon else ""))
    elif piece.colon in (":", "::"):
        plain = formatted("%z")
        shown = _text("concat", _text("substring", plain, v.integer(1), v.integer(3)), v.text(":"),
                      _text("substring", plain, v.integer(4), v.integer(2)))  # fmt: skip
    else:
        shown = formatted("%z")
    return _text("concat", shown, v.text(":00")) if piece.colon == "::" else shown


def _far_year(letter: str, formatted, cycles: Value | None) -> Value:
    year = _int("toInt64", formatted("%G" if letter == "G" else "%Y"))
    if cycles is not None:
        year = _int("plus", year, _int("multiply", cycles, v.integer(400)))
    if letter in "YG":
        return v.as_text(year)
    part = floor_divide(year, 100) if letter == "C" else remainder(year, 100)
    # Padding to two digits would cut a century that needs more.
    return _text("if", v.is_true(between(part, 0, 99)),
                 _text("leftPad", v.as_text(part), v.integer(2), v.text("0")), v.as_text(part))  # fmt: skip


# ---- reading ---------------------------------------------------------------------------------------------------------

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
_MONTH_NAMES = "january|february|march|april|may|june|july|august|september|october|november|december|sept|" + "|".join(
    MONTHS
)
_WEEKDAY_NAMES = "monday|tuesday|wednesday|thursday|friday|saturday|sunday|mon|tues|tue|wed|thurs|thur|thu|fri|sat|sun"
ZONE_OFFSETS_H = {
    "UTC": 0, "GMT": 0, "Z": 0, "WET": 0, "WEST": 1, "BST": 1, "CET": 1, "CEST": 2, "MET": 1, "MEST": 2, "EET": 2, "EEST": 3,
    "MSK": 3, "IST": 5.5, "SGT": 8, "HKT": 8, "JST": 9, "KST": 9, "AEST": 10, "AEDT": 11, "NZST": 12, "NZDT": 13,
    "EST": -5, "EDT": -4, "CST": -6, "CDT": -5, "MST": -7, "MDT": -6, "PST": -8, "PDT": -7, "AKST": -9, "AKDT": -8, "HST": -10,
}  # fmt: skip
_PATTERNS = {
    "Y": r"(\d{4})", "y": r"(\d{2})", "C": r"\d{2}", "G": r"\d{4}", "g": r"\d{2}", "m": r"\s*(\d{1,2})", "d": r"\s*(\d{1,2})",
    "e": r"\s*(\d{1,2})", "H": r"\s*(\d{1,2})", "k": r"\s*(\d{1,2})", "I": r"\s*(\d{1,2})", "l": r"\s*(\d{1,2})",
    "M": r"(\d{1,2})", "S": r"(\d{1,2})", "j": r"(\d{1,3})", "s": r"(-?\d+)", "u": r"\d", "w": r"\d", "U": r"\d{1,2}",
    "V": r"\d{1,2}", "W": r"\d{1,2}", "b": f"({_MONTH_NAMES})", "B": f"({_MONTH_NAMES})", "h": f"({_MONTH_NAMES})",
    "a": f"(?:{_WEEKDAY_NAMES})", "A": f"(?:{_WEEKDAY_NAMES})", "p": r"([ap])\.?m\.?", "P": r"([ap])\.?m\.?",
    "z": r"(z|[+-]\d{2}(?::?\d{2})?)", "Z": r"([a-z]{1,5}|[+-]\d{2}:?\d{2})",
}  # fmt: skip
_SAME = {"e": "d", "k": "H", "l": "I", "B": "b", "h": "b", "P": "p", "Z": "z"}
"""Conversions that read the same thing as another one."""


def read_time(text: Value, form: str, zone: Zone, now: float) -> Value:
    """The time that a text tells, NULL where it does not match the format or tells a time that does not exist."""
    pieces = split_format(form, "strptime")
    pattern, found = reading_pattern(pieces)
    sure = _text("ifNull", text, v.text(""))
    groups = v.call("extractGroups", sure, v.text(pattern), type=Type.MULTI)
    return v.shared([text, groups], lambda text, groups: _time_of_groups(text, groups, found, zone, now))


def _time_of_groups(text: Value, groups: Value, found: dict[str, int], zone: Zone, now: float) -> Value:
    def part(letter: str) -> Value | None:
        place = found.get(letter)
        return None if place is None else _text("arrayElement", groups, v.integer(place))

    def whole(letter: str) -> Value | None:
        digits = part(letter)
        return None if digits is None else _int("toInt64OrZero", digits)

    valid = [v.is_present(text), v.call("notEmpty", groups, type=Type.BOOL)]
    epoch = whole("s")
    if epoch is None:
        epoch = _reckoned(part, whole, valid, zone, now)
    time = epoch
    fraction = next((part(letter) for letter in FRACTION_DIGITS if letter in found), None)
    if fraction is not None:
        time = v.call("plus", epoch, v.call("toFloat64OrZero", _text("concat", v.text("0."), fraction), type=Type.FLOAT),
                      type=Type.FLOAT)  # fmt: skip
    return v.call("if", v.is_true(v.both(valid)), time, Literal(time.type, None), type=time.type)


def reading_pattern(pieces: list[Conversion]) -> tuple[str, dict[str, int]]:
    """The regular expression of a format, and the place of each conversion's group."""
    # An empty group first, because the engine refuses an expression without any.
    pattern, found, place, mark = r"(?i)^()\s*", {}, 1, ""
    for piece, following in zip(pieces, [*pieces[1:], None], strict=True):
        if not piece.letter:
            text = piece.text
            if following is not None and following.letter in FRACTION_DIGITS and text[-1] in ".,":
                text, mark = text[:-1], text[-1]
            pattern += "".join(r"\s*" if c.isspace() else re.escape(c) if c.isascii() else c for c in text)
            continue
        letter = piece.letter
        piece_pattern = rf"(\d{{1,{piece.digits or 9}}})" if letter in FRACTION_DIGITS else _PATTERNS[letter]
        # A text without a fraction has no point in front of one either.
        pattern += rf"(?:{re.escape(mark)}{piece_pattern})?" if mark else piece_pattern
        mark = ""
        if piece_pattern.lstrip(r"\s*").startswith("(") and not piece_pattern.startswith("(?:"):
            place += 1
            found[_SAME.get(letter, letter)] = place
    return pattern, found


def _reckoned(part, whole, valid: list[Value], zone: Zone, now: float) -> Value:
    """Seconds since 1970 from the parts of date and time; adds to `valid` what must hold for them."""
    year, month, day = _date_parts(part, whole, zone, now)
    if (of_year := whole("j")) is not None and part("b") is None and whole("m") is None:
        valid.append(between(of_year, 1, 366))
        days = _int("plus", days_of_date(year, int64(1), int64(1)), _int("minus", of_year, int64(1)))
    else:
        valid.append(is_date(year, month, day))
        days = days_of_date(year, month, day)
    hour = whole("H")
    if hour is None and (twelve := whole("I")) is not None:
        valid.append(between(twelve, 1, 12))
        hour = _int("modulo", twelve, v.integer(12))
        if (half := part("p")) is not None:
            afternoon = v.call("equals", _text("lower", half), v.text("p"), type=Type.BOOL)
            hour = _int("plus", hour, _int("if", afternoon, v.integer(12), v.integer(0)))
    clock: Value = int64(0)
    for value, highest, size_s in ((hour, 23, 3600), (whole("M"), 59, 60), (whole("S"), 60, 1)):
        if value is not None:
            valid.append(between(value, 0, highest))
            clock = _int("plus", clock, _int("multiply", value, int64(size_s)))
    local = _int("plus", _int("multiply", days, int64(86400)), clock)
    offset = part("z")
    if offset is None:
        return zone.to_utc(local)
    named = v.call("match", offset, v.text("^[A-Za-z]"), type=Type.BOOL)
    names = list(ZONE_OFFSETS_H)
    upper = _text("upper", offset)
    valid.append(v.either([v.negation(named), v.call("in", upper, v.multi(names), type=Type.BOOL)]))
    offsets = _int("array", *(int64(int(hours * 3600)) for hours in ZONE_OFFSETS_H.values()))
    by_name = _int("transform", upper, v.multi(names), offsets, int64(0))
    digits = _text("replaceRegexpAll", offset, v.text("[^0-9]"), v.text(""))
    hours = _int("toInt64OrZero", _text("substring", digits, v.integer(1), v.integer(2)))
    minutes = _int("toInt64OrZero", _text("substring", digits, v.integer(3), v.integer(2)))
    size = _int("plus", _int("multiply", hours, int64(3600)), _int("multiply", minutes, int64(60)))
    west = v.call("startsWith", offset, v.text("-"), type=Type.BOOL)
    by_digits = _int("if", west, _int("negate", size), size)
    return _int("minus", local, _int("if", named, by_name, by_digits))


def _date_parts(part, whole, zone: Zone, now: float) -> tuple[Value, Value, Value]:
    """Year, month and day; what the format leaves out is that of today, or the first."""
    month: Value | None = whole("m")
    if (name := part("b")) is not None:
        short = _text("substring", _text("lower", name), v.integer(1), v.integer(3))
        month = _int("toInt64", _int("indexOf", v.multi(MONTHS), short))
    year: Value | None = whole("Y")
    if year is None and (short_year := whole("y")) is not None:
        # As C does it: 69 to 99 are of the last century.
        century = _int("if", v.call("less", short_year, v.integer(69), type=Type.BOOL), int64(2000), int64(1900))
        year = _int("plus", short_year, century)
    day = whole("d")
    today = zone.date_of(now)
    if year is None and month is None and day is None and whole("j") is None:
        return int64(today[0]), int64(today[1]), int64(today[2])
    return (
        year if year is not None else int64(today[0]),
        month if month is not None else int64(today[1] if year is None else 1),
        day if day is not None else int64(1),
    )
