"""Search text with places in it that are filled in before it is read: `<<FIELD>>` of `foreach`, `$field$` of `map`.

What is filled in stands for one thing, so it is quoted where it would otherwise be read as several: a field name with a
dash outside of quotes becomes a quoted name, a value with a space a quoted value.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping

from sightline.search.syntax.expressions import quote_field, quote_string
from sightline.search.syntax.tokens import closing_quote

_PLAIN_NAME = re.compile(r"[A-Za-z_\u0080-\U0010ffff][\w.]*\Z|\d+(\.\d+)?\Z")
_PLAIN_VALUE = re.compile(r"[\w.:/@%+-]+\Z")
_TOKEN = re.compile(r"\$\$|\$([A-Za-z_][\w.:{}@-]*)\$")


def quoted_parts(text: str) -> Iterator[tuple[str, str]]:
    """The text in pieces, each with the quote it stands in, or "" for none; the quotes are pieces of their own."""
    i = start = 0
    while i < len(text):
        quote = text[i]
        if quote == "\\" and i + 1 < len(text):
            i += 2
            continue
        closing = closing_quote(text, i, len(text)) if quote == "'" else _string_end(text, i) if quote == '"' else -1
        if closing < 0:
            i += 1
            continue
        yield "", text[start : i + 1]
        yield quote, text[i + 1 : closing]
        start, i = closing, closing + 1
    yield "", text[start:]


def _string_end(text: str, start: int) -> int:
    i = start + 1
    while i < len(text):
        if text[i] == "\\":
            i += 1
        elif text[i] == '"':
            return i
        i += 1
    return -1


def fill_names(text: str, names: Mapping[str, str]) -> str:
    """The text with each placeholder replaced by the name, or part of a name, that is given for it."""
    places = "|".join(re.escape(place) for place in sorted(names, key=len, reverse=True))
    word = re.compile(rf"(?<!\{{)(?:\w|{places})*(?:{places})(?:\w|{places})*")
    place = re.compile(places)

    def filled(match: re.Match[str]) -> str:
        found = place.sub(lambda m: names[m.group()], match.group())
        return found if _PLAIN_NAME.match(found) or not found else quote_field(found)

    out = []
    for quote, piece in quoted_parts(text):
        if quote:
            out.append(place.sub(lambda m, q=quote: names[m.group()].replace("\\", "\\\\").replace(q, "\\" + q), piece))
        else:
            # What is left stands in braces, where a name needs no quotes.
            out.append(place.sub(lambda m: names[m.group()], word.sub(filled, piece)))
    return "".join(out)


def fill_items(text: str, fields: Mapping[str, str]) -> str:
    """The text of an expression with each placeholder replaced by the field that holds what it stands for.

    Inside of a string the value is put in its place: `"a<<ITEM>>b"` is the text around the value.
    """
    place = re.compile("|".join(re.escape(place) for place in sorted(fields, key=len, reverse=True)))
    out: list[str] = []
    for quote, piece in quoted_parts(text):
        if quote == '"' and place.search(piece):
            parts = [p for p in re.split(f"({place.pattern})", piece) if p]
            values = [quote_field(fields[p]) if p in fields else f'"{p}"' for p in parts]
            out[-1] = out[-1][:-1] + "(" + ".".join(['""', *values]) + ")"
            out.append("\0")
        elif quote == "'":
            out.append(place.sub(lambda m: fields[m.group()].replace("'", "\\'"), piece))
        else:
            if out and out[-1] == "\0":
                out.pop()
                piece = piece[1:]
            out.append(place.sub(lambda m: quote_field(fields[m.group()]), piece))
    return "".join(out)


def token_names(text: str) -> list[str]:
    """The names that stand between dollar signs, each once."""
    return list(dict.fromkeys(m.group(1) for m in _TOKEN.finditer(text) if m.group(1)))


def fill_tokens(text: str, value_of: Callable[[str], str | None]) -> str:
    """The text with `$name$` replaced by the value of that name where there is one, and `$$` by a dollar sign.

    A text that is nothing but a token is a search that somebody made: it goes in as it is.
    """
    whole = _TOKEN.fullmatch(text.strip())
    if whole and whole.group(1) and (value := value_of(whole.group(1))) is not None:
        return value
    out = []
    for quote, piece in quoted_parts(text):

        def filled(match: re.Match[str], quote: str = quote) -> str:
            if not match.group(1):
                return "$"
            value = value_of(match.group(1))
            if value is None:
                return match.group()
            if quote:
                return value.replace("\\", "\\\\").replace(quote, "\\" + quote)
            return value if _PLAIN_VALUE.match(value) else quote_string(value)

        out.append(_TOKEN.sub(filled, piece))
    return "".join(out)
