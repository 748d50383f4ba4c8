"""Options of algorithms and scoring methods, declared as constraints that write their own errors.

A declaration is a tuple of `Parameter`. `read_options` takes the texts a person wrote and gives typed values, with the
default of every parameter that was left out. The same declarations feed completion, help and the reference.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sightline.errors import UserError, nearest

TRUE_WORDS = ("1", "t", "true", "y", "yes", "enable", "enabled")
FALSE_WORDS = ("0", "f", "false", "n", "no", "disable", "disabled")


class Unreadable(ValueError):
    """A text that a parameter cannot take. Never leaves this module."""


@dataclass(frozen=True, slots=True)
class Parameter:
    """One option: its name, what it takes, and what it is when left out.

    `argument` is the name of the estimator's argument when it differs from ours (`k` is `n_clusters`).
    `None` as default means that the estimator decides, as the summary says.
    """

    name: str
    type: str
    default: Any
    summary: str
    wanted: str
    read_text: Callable[[str], Any]
    argument: str = ""
    choices: tuple[str, ...] = ()

    @property
    def estimator_argument(self) -> str:
        return self.argument or self.name

    def read(self, given: Any, owner: str) -> Any:
        """The typed value of what was written. Raises UserError naming the option."""
        text = given if isinstance(given, str) else _text_of(given)
        try:
            return self.read_text(text.strip())
        except (Unreadable, ValueError, OverflowError):
            hint = nearest(text, self.choices) if self.choices else ""
            raise UserError(f'{owner}: option "{self.name}" must be {self.wanted}, got "{text}"', hint) from None


def integer(
    name: str, default: int | None, summary: str, *, low: int | None = None, high: int | None = None, argument: str = ""
) -> Parameter:
    """A whole number within inclusive bounds."""

    def read(text: str) -> int:
        return _within(int(text) if re.fullmatch(r"[+-]?\d+", text) else _refuse(), low, high)

    return Parameter(name, "integer", default, summary, "an integer" + _bounds(low, high), read, argument)


def number(
    name: str,
    default: float | None,
    summary: str,
    *,
    low: float | None = None,
    high: float | None = None,
    above: float | None = None,
    below: float | None = None,
    argument: str = "",
) -> Parameter:
    """A finite number; `low` and `high` are inclusive, `above` and `below` exclusive."""

    def read(text: str) -> float:
        value = float(text)
        if not math.isfinite(value) or (above is not None and value <= above) or (below is not None and value >= below):
            _refuse()
        return _within(value, low, high)

    exclusive = (f" above {above:g}" if above is not None else "") + (f" below {below:g}" if below is not None else "")
    return Parameter(name, "number", default, summary, "a number" + _bounds(low, high) + exclusive, read, argument)


def boolean(name: str, default: bool | None, summary: str, *, argument: str = "") -> Parameter:
    """True or false in any of the language's spellings."""
    return Parameter(name, "boolean", default, summary, "true or false", read_boolean, argument, ("true", "false"))


def choice(
    name: str,
    default: str | None,
    summary: str,
    choices: Sequence[str],
    *,
    aliases: Mapping[str, str | None] | None = None,
    argument: str = "",
) -> Parameter:
    """One of a few words, in any letter case. `aliases` maps older spellings to a choice (or to None: not set)."""
    by_folded: dict[str, str | None] = {word.lower(): word for word in choices}
    by_folded.update({word.lower(): meant for word, meant in (aliases or {}).items()})

    def read(text: str) -> str | None:
        return by_folded[text.lower()] if text.lower() in by_folded else _refuse()

    listed = tuple(choices) + tuple(word for word in (aliases or {}) if word.lower() not in map(str.lower, choices))
    return Parameter(name, "choice", default, summary, "one of: " + ", ".join(listed), read, argument, listed)


def text(name: str, default: str | None, summary: str, *, argument: str = "") -> Parameter:
    """Any text."""
    return Parameter(name, "text", default, summary, "a text", lambda given: given, argument)


def integer_range(name: str, default: tuple[int, int] | None, summary: str, *, argument: str = "") -> Parameter:
    """Two whole numbers written `low-high`, low first."""

    def read(text: str) -> tuple[int, int]:
        match = re.fullmatch(r"(\d+)\s*-\s*(\d+)", text) or _refuse()
        low, high = int(match[1]), int(match[2])
        return (low, high) if low <= high else _refuse()

    return Parameter(name, "range", default, summary, "a range such as 1-5", read, argument)


def integer_list(name: str, default: tuple[int, ...] | None, summary: str, *, low: int, argument: str = "") -> Parameter:
    """Whole numbers joined by dashes: `100-80-60`."""

    def read(text: str) -> tuple[int, ...]:
        return tuple(_within(int(part), low, None) for part in text.split("-"))

    wanted = f"integers of {low} or more joined by dashes"
    return Parameter(name, "integers", default, summary, wanted, read, argument)


def number_list(name: str, default: tuple[float, ...] | None, summary: str, *, above: float, below: float) -> Parameter:
    """Numbers joined by commas, each strictly between two bounds."""

    def read(text: str) -> tuple[float, ...]:
        values = tuple(float(part) for part in text.split(","))
        return values if all(above < value < below for value in values) else _refuse()

    wanted = f"one or more numbers above {above:g} and below {below:g} joined by commas"
    return Parameter(name, "numbers", default, summary, wanted, read)


def share_or_count(name: str, default: Any, summary: str, words: Mapping[str, Any], *, argument: str = "") -> Parameter:
    """A count (integer of 1 or more), a share (number above 0, at most 1), or a word."""

    def read(text: str) -> Any:
        if text.lower() in words:
            return words[text.lower()]
        if re.fullmatch(r"\+?\d+", text):
            return _within(int(text), 1, None)
        value = float(text)
        return value if 0 < value <= 1 else _refuse()

    wanted = "an integer of 1 or more or a number above 0 and at most 1"
    if words:
        wanted = f"an integer of 1 or more, a number above 0 and at most 1, or one of: {', '.join(words)}"
    return Parameter(name, "number or word", default, summary, wanted, read, argument, tuple(words))


def number_or_word(
    name: str, default: Any, summary: str, words: Sequence[str], *, above: float, argument: str = ""
) -> Parameter:
    """A number above a bound, or one of a few words."""

    def read(text: str) -> Any:
        if text.lower() in words:
            return text.lower()
        value = float(text)
        return value if math.isfinite(value) and value > above else _refuse()

    wanted = f"a number above {above:g} or one of: {', '.join(words)}"
    return Parameter(name, "number or word", default, summary, wanted, read, argument, tuple(words))


def class_weights(name: str, default: Any, summary: str, words: Sequence[str]) -> Parameter:
    """A word, or a JSON object from class to weight. The keys stay texts; training maps them to its classes."""

    def read(text: str) -> Any:
        if text.lower() in words:
            return text.lower()
        if text.lower() == "none":
            return None
        try:
            weights = json.loads(re.sub(r"([{,]\s*)(-?\d+)\s*:", r'\1"\2":', text.replace("'", '"')))
        except json.JSONDecodeError:
            _refuse()
        if not isinstance(weights, dict) or not weights:
            _refuse()
        if not all(isinstance(w, int | float) and not isinstance(w, bool) and w >= 0 for w in weights.values()):
            _refuse()
        return {key: float(weight) for key, weight in weights.items()}

    wanted = f'one of: {", ".join(words)}, none, or a JSON object such as {{"yes": 2, "no": 1}}'
    return Parameter(name, "weights", default, summary, wanted, read, "", tuple(words))


def random_state() -> Parameter:
    """The seed, the same for every algorithm that draws."""
    summary = "Seed of every random choice. Left out: a seed is drawn, and kept with the model."
    return integer("random_state", None, summary, low=0, high=2**32 - 1)


def read_options(owner: str, parameters: Iterable[Parameter], options: Mapping[str, Any]) -> dict[str, Any]:
    """Typed values of all parameters: those written, and the defaults of the others.

    Raises UserError naming the first unknown option with the nearest known one, or the first value of a wrong type.
    """
    known = {parameter.name: parameter for parameter in parameters}
    for name in options:
        if name not in known:
            takes = f"wanted one of: {', '.join(sorted(known))}" if known else "none is taken"
            raise UserError(f'{owner}: unknown option "{name}", {takes}', nearest(name, known))
    return {
        name: parameter.read(options[name], owner) if name in options else parameter.default
        for name, parameter in known.items()
    }


def read_boolean(text: str) -> bool:
    """The language's spellings of true and false."""
    if text.lower() in TRUE_WORDS:
        return True
    return False if text.lower() in FALSE_WORDS else _refuse()


def _text_of(given: Any) -> str:
    if isinstance(given, bool):
        return "true" if given else "false"
    return "" if given is None else str(given)


def _refuse() -> Any:
    raise Unreadable


def _within(value: Any, low: Any, high: Any) -> Any:
    if (low is not None and value < low) or (high is not None and value > high):
        _refuse()
    return value


def _bounds(low: Any, high: Any) -> str:
    if low is not None and high is not None:
        return f" from {low:g} to {high:g}"
    if low is not None:
        return f" of {low:g} or more"
    return f" of at most {high:g}" if high is not None else ""
