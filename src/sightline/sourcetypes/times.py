"""Formats of time as strptime has them, with Splunk's additions, as a pattern and what its groups are.

`%Y-%m-%dT%H:%M:%S.%3N%z` becomes a regular expression with a group for each part; the store puts the parts together. What is
not known is refused by its letter.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

_MONTHS = "[A-Za-z]{3,9}"
_FRACTION = r"\d{1,9}"
_ONE = {
    "Y": ("year", r"\d{4}"),
    "y": ("short_year", r"\d{2}"),
    "m": ("month", r"\d{1,2}"),
    "b": ("month_name", _MONTHS),
    "B": ("month_name", _MONTHS),
    "h": ("month_name", _MONTHS),
    "d": ("day", r" ?\d{1,2}"),
    "e": ("day", r" ?\d{1,2}"),
    "j": ("day_of_year", r"\d{1,3}"),
    "H": ("hour", r" ?\d{1,2}"),
    "k": ("hour", r" ?\d{1,2}"),
    "I": ("half_hour", r" ?\d{1,2}"),
    "l": ("half_hour", r" ?\d{1,2}"),
    "p": ("half", r"[AaPp]\.?[Mm]\.?"),
    "P": ("half", r"[AaPp]\.?[Mm]\.?"),
    "M": ("minute", r"\d{1,2}"),
    "S": ("second", r"\d{1,2}"),
    "f": ("fraction", _FRACTION),
    "N": ("fraction", _FRACTION),
    "Q": ("fraction", _FRACTION),
    "L": ("fraction", _FRACTION),
    "s": ("epoch", r"\d{1,11}"),
    "z": ("zone", r"Z|UTC|GMT|[+-]\d{2}:?\d{2}"),
    "Z": ("zone_name", r"[A-Za-z]{1,5}|[+-]\d{2}:?\d{2}"),
}
_IGNORED = {
    "a": "[A-Za-z]{2,9}",
    "A": "[A-Za-z]{2,9}",
    "u": r"\d",
    "w": r"\d",
    "U": r"\d{1,2}",
    "W": r"\d{1,2}",
    "V": r"\d{1,2}",
}
_SHORT = {"T": "%H:%M:%S", "F": "%Y-%m-%d", "D": "%m/%d/%y", "R": "%H:%M", "r": "%I:%M:%S %p", "c": "%a %b %e %H:%M:%S %Y"}
_LETTER = re.compile(r"%(?:%|[.,]?(\d)?([NQ])|:?(z)|[-_0^#]?([A-Za-z+]))|\s+|.", re.S)
ZONES = {
    "UTC": "+0000", "GMT": "+0000", "Z": "+0000", "WET": "+0000", "WEST": "+0100", "BST": "+0100", "CET": "+0100",
    "CEST": "+0200", "MET": "+0100", "MEST": "+0200", "EET": "+0200", "EEST": "+0300", "MSK": "+0300", "IST": "+0530",
    "SGT": "+0800", "HKT": "+0800", "AWST": "+0800", "JST": "+0900", "KST": "+0900", "AEST": "+1000", "AEDT": "+1100",
    "NZST": "+1200", "NZDT": "+1300", "AST": "-0400", "ADT": "-0300", "EST": "-0500", "EDT": "-0400", "CST": "-0600",
    "CDT": "-0500", "MST": "-0700", "MDT": "-0600", "PST": "-0800", "PDT": "-0700", "AKST": "-0900", "AKDT": "-0800",
    "HST": "-1000", "BRT": "-0300", "ART": "-0300",
}  # fmt: skip
"""Zones by the letters that logs name them with; where a name has several meanings, the one most logs mean."""
MAX_CHARACTERS = 200


class FormatProblem(ValueError):
    """A format that cannot be used. `str` is fit to show."""


@dataclass(frozen=True, slots=True)
class TimeFormat:
    """A format that was read."""

    text: str
    pattern: str
    """A regular expression with a group for each part."""
    parts: tuple[str, ...]
    """What the groups are, in order."""


def read_format(text: str) -> TimeFormat:
    """The pattern and the parts of a format. Raises FormatProblem."""
    if not text or len(text) > MAX_CHARACTERS:
        raise FormatProblem(f"a format has 1 to {MAX_CHARACTERS} characters")
    long = re.sub(r"%([TFDRrc])", lambda m: _SHORT[m[1]], text)
    pattern, parts = "", []
    for match in _LETTER.finditer(long):
        token = match[0]
        digits, fraction, zone, letter = match.groups()
        letter = fraction or zone or letter
        if token.isspace():
            pattern += r"\s+"
        elif token == "%%":
            pattern += "%"
        elif letter is None:
            if token == "%":
                raise FormatProblem('a format wants a letter after its last "%"')
            pattern += re.escape(token)
        elif letter in _IGNORED:
            pattern += f"(?:{_IGNORED[letter]})"
        elif letter in _ONE:
            part, inner = _ONE[letter]
            if part == "fraction":
                lead = {".": r"\.?", ",": ",?"}.get(token[1], "")
                inner = rf"\d{{{digits}}}" if digits and digits != "0" else inner
                pattern += f"{lead}({inner})"
            elif part == "epoch" and re.match(r"%\d?[NQf]", long[match.end() :]):
                # Milliseconds without a dot: the seconds are the first ten digits.
                pattern += r"(\d{10})"
            else:
                pattern += f"({inner})"
            if part in parts:
                raise FormatProblem(f'"{token}" says again what "{text}" had before')
            parts.append(part)
        else:
            known = " ".join(f"%{each}" for each in sorted({*_ONE, *_IGNORED, *_SHORT}))
            raise FormatProblem(f'unknown "{token}", wanted one of: {known} %3N %6N %9N %:z %%')
    _check(text, parts)
    return TimeFormat(text, pattern, tuple(parts))


def _check(text: str, parts: list[str]) -> None:
    if "epoch" in parts:
        if set(parts) - {"epoch", "fraction"}:
            raise FormatProblem(f'"{text}" has seconds since the epoch and a date as well')
        return
    if not {"hour", "half_hour"} & set(parts) and not {"day", "day_of_year"} & set(parts):
        raise FormatProblem(f'"{text}" has neither a day nor an hour')
    if "day" in parts and not {"month", "month_name"} & set(parts):
        raise FormatProblem(f'"{text}" has a day but no month')
    if "day_of_year" in parts and "year" not in parts and "short_year" not in parts:
        raise FormatProblem(f'"{text}" has a day of the year but no year')
    if "half_hour" in parts and "half" not in parts:
        raise FormatProblem(f'"{text}" has an hour of twelve (%I) but no half of the day (%p)')
