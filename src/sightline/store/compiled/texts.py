"""Columns of texts, and objects and lists as JSON text.

A text is a place and a length: from 0 on in `buf`, below 0 in `more`, at -1 - place; a length below 0 says that there is none.
"""

import numpy as np

from sightline.store.compiled import compiled, inner
from sightline.store.compiled.wire import BOOL, INT, STRING
from sightline.store.compiled.words import copy

_HEX = np.frombuffer(b"0123456789abcdef", np.uint8)


@compiled
def gather(buf, more, places, lengths, offsets, out):
    """Copy texts one after the other into `out`, which has room for all; `offsets` gets where each begins, and the end."""
    to = np.int64(0)
    for row in range(len(places)):
        offsets[row] = to
        length = lengths[row]
        if length <= 0:
            continue
        at = places[row]
        if at >= 0:
            copy(buf, at, length, out, to)
        else:
            copy(more, -1 - at, length, out, to)
        to += length
    offsets[len(places)] = to


@compiled
def gather_hex(buf, places, lengths, offsets, out, zero_is_none):
    """Copy bytes as hexadecimal digits; an id of 8 or 16 zeros is an empty text where `zero_is_none`."""
    to = np.int64(0)
    for row in range(len(places)):
        offsets[row] = to
        at, length = places[row], lengths[row]
        if zero_is_none and (length == 8 or length == 16):
            some = False
            for k in range(length):
                some = some or buf[at + k] != 0
            if not some:
                continue
        for k in range(length):
            byte = buf[at + k]
            out[to] = _HEX[byte >> 4]
            out[to + 1] = _HEX[byte & 15]
            to += 2
    offsets[len(places)] = to


@inner
def _plus_text(out, to, source, at, length):
    """Write a text in quotes. Without an array to write to (of length 0) it is only measured. Returns the place after it."""
    write = len(out) > 0
    if write:
        out[to] = 34
    to += 1
    for k in range(length):
        byte = source[at + k]
        if byte >= 32 and byte != 34 and byte != 92:
            if write:
                out[to] = byte
            to += 1
        elif byte == 34 or byte == 92:
            if write:
                out[to] = 92
                out[to + 1] = byte
            to += 2
        else:
            if write:
                out[to] = 92
                out[to + 1] = 117
                out[to + 2] = 48
                out[to + 3] = 48
                out[to + 4] = _HEX[byte >> 4]
                out[to + 5] = _HEX[byte & 15]
            to += 6
    if write:
        out[to] = 34
    return to + 1


@inner
def _plus_bytes(out, to, source, at, length):
    """Write bytes as they are."""
    if len(out) > 0:
        for k in range(length):
            out[to + k] = source[at + k]
    return to + length


@inner
def _plus_byte(out, to, byte):
    if len(out) > 0:
        out[to] = byte
    return to + 1


@inner
def _plus_number(out, to, value):
    """Write a whole number."""
    left = np.uint64(value)
    if value < 0:
        to = _plus_byte(out, to, 45)
        left = np.uint64(0) - left
    divisor = np.uint64(1)
    while left // divisor >= np.uint64(10):
        divisor *= np.uint64(10)
    while divisor > np.uint64(0):
        to = _plus_byte(out, to, 48 + np.int64(left // divisor % np.uint64(10)))
        divisor //= np.uint64(10)
    return to


@inner
def _plus_member(out, to, items, n, buf, more):
    """Write `"name":value`. A value that is no text, whole number or truth is there as the text it becomes."""
    at = items[0, n]
    if at >= 0:
        to = _plus_text(out, to, buf, at, items[1, n])
    else:
        to = _plus_text(out, to, more, -1 - at, items[1, n])
    to = _plus_byte(out, to, 58)
    kind, value, length = items[2, n], items[3, n], items[4, n]
    if kind == STRING:
        if value >= 0:
            return _plus_text(out, to, buf, value, length)
        return _plus_text(out, to, more, -1 - value, length)
    if kind == INT:
        return _plus_number(out, to, value)
    if kind == BOOL:
        # `true` and `false` end alike; an attribute has one of both.
        word = np.int64(0x65757274) if value else np.int64(0x65736C6166)
        while word:
            to = _plus_byte(out, to, word & 255)
            word >>= 8
        return to
    if value >= 0:
        return _plus_bytes(out, to, buf, value, length)
    return _plus_bytes(out, to, more, -1 - value, length)


@compiled
def objects(buf, more, items, first_items, groups, rest, rest_ranges, offsets, out):
    """The object of each record: its own items and those of its group. `out` of length 0 only measures. Returns the length."""
    to = np.int64(0)
    for row in range(len(groups)):
        offsets[row] = to
        to = _plus_byte(out, to, 123)
        some = False
        for n in range(first_items[row], first_items[row + 1]):
            if some:
                to = _plus_byte(out, to, 44)
            some = True
            to = _plus_member(out, to, items, n, buf, more)
        g = groups[row]
        for n in range(rest_ranges[g], rest_ranges[g + 1]):
            if some:
                to = _plus_byte(out, to, 44)
            some = True
            to = _plus_member(out, to, rest, n, buf, more)
        to = _plus_byte(out, to, 125)
    offsets[len(groups)] = to
    return to


@inner
def _plus_hex(out, to, buf, at, length):
    to = _plus_byte(out, to, 34)
    for k in range(length):
        byte = buf[at + k]
        to = _plus_byte(out, to, _HEX[byte >> 4])
        to = _plus_byte(out, to, _HEX[byte & 15])
    return _plus_byte(out, to, 34)


@compiled
def lists_of_parts(buf, more, parts, n_parts, deep, n_deep, is_link, words, word_at, offsets, rows, out):
    """The events, or the links, of each span as one list in JSON text, empty for a span without. Returns the length.

    `words` has the texts between the values, at the places of `word_at`: begin, time, attributes, end of attributes, dropped, and
    for links begin, id, attributes, end of attributes, state, dropped, flags.
    """
    to = np.int64(0)
    n = 0
    for row in range(rows):
        offsets[row] = to
        some = False
        while n < n_parts and parts[0, n] == row:
            if parts[1, n] == is_link:
                to = _plus_byte(out, to, 44 if some else 91)
                some = True
                text, length = parts[3, n], parts[4, n]
                to = _plus_bytes(out, to, words, word_at[0], word_at[1] - word_at[0])
                if is_link:
                    to = _plus_hex(out, to, buf, text, length)
                else:
                    to = _plus_text(out, to, buf, text, length)
                to = _plus_bytes(out, to, words, word_at[1], word_at[2] - word_at[1])
                if is_link:
                    to = _plus_hex(out, to, buf, parts[5, n], parts[6, n])
                else:
                    to = _plus_byte(out, to, 34)
                    to = _plus_number(out, to, parts[2, n])
                    to = _plus_byte(out, to, 34)
                to = _plus_bytes(out, to, words, word_at[2], word_at[3] - word_at[2])
                last = parts[11, n + 1] if n + 1 < n_parts else n_deep
                for item in range(parts[11, n], last):
                    if item > parts[11, n]:
                        to = _plus_byte(out, to, 44)
                    to = _plus_member(out, to, deep, item, buf, more)
                to = _plus_byte(out, to, 125)
                if is_link and parts[8, n]:
                    to = _plus_bytes(out, to, words, word_at[3], word_at[4] - word_at[3])
                    to = _plus_text(out, to, buf, parts[7, n], parts[8, n])
                if parts[9, n]:
                    to = _plus_bytes(out, to, words, word_at[4], word_at[5] - word_at[4])
                    to = _plus_number(out, to, parts[9, n])
                if is_link and parts[10, n]:
                    to = _plus_bytes(out, to, words, word_at[5], word_at[6] - word_at[5])
                    to = _plus_number(out, to, parts[10, n])
                to = _plus_byte(out, to, 125)
            n += 1
        if some:
            to = _plus_byte(out, to, 93)
    offsets[rows] = to
    return to
