"""Cuts a large request where one of its records ends, so that neither checking nor loading it takes memory for all at once.

Enters: a protobuf message, and the path of field numbers that leads to its records; or text. Leaves: messages of the same type,
each with a part of the records and with everything that stands beside them; or pieces of the text. What is loaded at once bounds
the engine's memory: decoded, a request takes fifteen times its size.

Of a message nothing is read but tags and lengths, and nothing copied but the pieces. That takes a step of Python for each record
(0.2 s for 700,000 of 60 MiB), and only for requests that are larger than a piece; protobuf itself would hold the request four
times meanwhile.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Iterator

PIECE_BYTES = 1024 * 1024
"""A larger request is cut: large enough that a piece costs nothing, and small beside what else a process holds."""
Path = tuple[frozenset[int], ...]
"""Tags of the fields that lead to the records, from the outside in; several where a message has one of them."""
_REST_SHARE = 4
"""What stands beside the records goes with every piece: a message is not cut where that is more than this part of a piece."""
_MOST_RUNS = 4
"""Nor where there would be more than so many times the pieces that its size asks for, because other fields stand between."""
_BEGINNING_CHARACTERS = 12
"""So many tell a line with a time from one without."""
_CHARACTER = operator.methodcaller("to_bytes")


def path(*numbers: int | tuple[int, ...]) -> Path:
    """The path of these field numbers, each of a message; in a tuple those of which a message has one."""
    return tuple(frozenset(n << 3 | 2 for n in (each if isinstance(each, tuple) else (each,))) for each in numbers)


def cut_message(body: bytes, records: Path, limit: int = PIECE_BYTES) -> list[bytes]:
    """Messages of at most `limit` bytes, as far as records allow it; the body itself where it is small, has only one record, or is
    no message: the pieces are to be read in any case."""
    if len(body) <= limit:
        return [body]
    try:
        return list(_cut(memoryview(body), records, limit))
    except (IndexError, _NoMessage):
        return [body]


class _NoMessage(Exception):
    """Bytes that are no fields one after the other."""


def _cut(body: memoryview, records: Path, limit: int) -> Iterator[bytes]:
    if len(body) <= limit or not records:
        yield bytes(body)
        return
    rest, runs = _runs(body, records[0], limit)
    room = limit - len(rest)
    if not runs or len(rest) * _REST_SHARE > limit or len(runs) > _MOST_RUNS * (len(body) // limit + 1):
        yield bytes(body)
        return
    for start, end, inside in runs:
        if end - start <= room or not inside:
            yield rest + body[start:end]
            continue
        tag = bytes(body[start : start + 1])
        for part in _cut(body[inside:end], records[1:], room):
            yield rest + tag + varint(len(part)) + part


def _runs(body: memoryview, wanted: frozenset[int], limit: int) -> tuple[bytes, list[tuple[int, int, int]]]:
    """The fields that are not wanted; and runs of wanted ones: where each begins and ends, and where the content begins of one
    that is larger than the limit, and alone."""
    rest: list[memoryview] = []
    runs: list[tuple[int, int, int]] = []
    at = start = 0
    size = len(body)
    while at < size:
        tag, length = body[at], body[at + 1]
        if tag not in wanted:
            if start < at:
                runs.append((start, at, 0))
            end = _skip(body, at)
            rest.append(body[at:end])
            at = start = end
            continue
        inside = at + 2
        if length > 0x7F:
            length, inside = _read_varint(body, at + 1)
        end = inside + length
        if end - start > limit:
            if start < at:
                runs.append((start, at, 0))
            start = at
            if end - at > limit:
                runs.append((at, end, inside))
                start = end
        at = end
    if at > size:
        raise _NoMessage
    if start < at:
        runs.append((start, at, 0))
    return b"".join(rest), runs


def _skip(body: memoryview, at: int) -> int:
    tag, at = _read_varint(body, at)
    match tag & 7:
        case 0:
            _, end = _read_varint(body, at)
        case 1:
            end = at + 8
        case 2:
            length, end = _read_varint(body, at)
            end += length
        case 5:
            end = at + 4
        case _:
            raise _NoMessage
    if end > len(body):
        raise _NoMessage
    return end


def _read_varint(body: memoryview, at: int) -> tuple[int, int]:
    value = shift = 0
    while shift < 64:
        byte = body[at]
        at += 1
        value |= (byte & 0x7F) << shift
        if byte < 0x80:
            return value, at
        shift += 7
    raise _NoMessage


def varint(value: int) -> bytes:
    """A number as protobuf writes it."""
    out = bytearray()
    while value > 0x7F:
        out.append((value & 0x7F) | 0x80)
        value >>= 7
    return bytes((*out, value))


def cut_text(body: bytes, limit: int = PIECE_BYTES) -> Iterator[bytes]:
    """Text as pieces of about so many bytes, cut where a line begins as the first line of the text does: of events of several
    lines, the first is told so from those that follow it. Text without such a line stays whole."""
    if len(body) <= limit:
        yield body
        return
    first = body.lstrip()[:_BEGINNING_CHARACTERS].partition(b"\n")[0]
    pattern = b"".join(
        rb"\d" if c.isdigit() else rb"[A-Za-z]" if c.isalpha() else re.escape(c) for c in map(_CHARACTER, first)
    )
    begins = re.compile(rb"\n(?=" + pattern + rb")")
    start = 0
    while start < len(body):
        found = begins.search(body, start + limit)
        end = found.end() if found else len(body)
        yield body[start:end]
        start = end
