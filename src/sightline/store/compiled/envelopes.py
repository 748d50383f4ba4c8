"""A batch of the HTTP Event Collector for whoever receives it: its envelopes taken apart into a message of decode/hec.proto.

It takes only what is usual: objects one after the other, whose texts beside the event have no escapes, and whose events are none of
those that mean something else. For all other batches there is `receivers/envelopes.py`, which says what every batch means.

What receives requests calls this function by its name in `machinecode`.
"""

import numpy as np

from sightline.machinecode.batches import BYTES, FIRST_S, INDEX_AT, INDEX_LENGTH, LAST_S, NUMBERS
from sightline.store.compiled import inlined
from sightline.store.compiled.json_text import (
    LIST,
    NULL,
    OBJECT,
    after_space,
    bits_of,
    read_number,
    read_value,
    text_end,
)
from sightline.store.compiled.wire import DOUBLE, INT, STRING
from sightline.store.compiled.words import copy, is_same, is_text, write_word

EVENT, FIELDS, TIME, HOST, SOURCE, SOURCETYPE, INDEX = range(7)
_MEMBERS = ("event", "fields", "time", "host", "source", "sourcetype", "index")
"""Members of an envelope, by their number."""
_NAMES = np.frombuffer("".join(_MEMBERS).encode(), np.uint8)
_NAMES_AT = np.cumsum([0, *map(len, _MEMBERS)])
_METRIC = np.frombuffer(b"metric", np.uint8)
_NAN = 0x7FF8000000000000

# The numbers of an event in `places`: its own fields and their length, its time as the bits of a double, and from TEXTS_AT on for
# host, source and sourcetype where the text is, and its length, -1 for none.
_FIELDS_AT, _FIELDS_LENGTH, _TIME_AT, _TEXTS_AT = range(4)


@inlined
def _member(buf, at, length):
    """The member of an envelope with this name, or -1."""
    for k in range(len(_NAMES_AT) - 1):
        if length == _NAMES_AT[k + 1] - _NAMES_AT[k] and is_same(buf, at, length, _NAMES, _NAMES_AT[k]):
            return k
    return -1


@inlined
def _is_flat(buf, at, end):
    """Whether no member of an object is an object or a list."""
    at = after_space(buf, at + 1, end)
    while buf[at] == 34:
        close, _is_escaped = text_end(buf, at + 1, end)
        at = after_space(buf, close + 1, end)
        kind, _value, _length, at = read_value(buf, after_space(buf, at + 1, end), end)
        if kind == OBJECT or kind == LIST:
            return False
        at = after_space(buf, at, end)
        if buf[at] == 44:
            at = after_space(buf, at + 1, end)
    return True


@inlined
def _seconds(buf, kind, value, length):
    """(whether it is a usual time, its bits): a number, or the text of one."""
    if kind == STRING:
        end = value + length
        kind, value, after = read_number(buf, value, end)
        if after != end:
            return False, np.int64(0)
    if kind == INT:
        value = bits_of(np.float64(value))
    elif kind != DOUBLE:
        return False, np.int64(0)
    seconds = np.int64(value).view(np.float64)
    return FIRST_S <= seconds <= LAST_S, value


@inlined
def _write_length(out, to, length):
    while length > 127:
        out[to] = length & 127 | 128
        length >>= 7
        to += 1
    out[to] = length
    return to + 1


@inlined
def _write(out, to, tag, buf, at, length):
    """Write a field of bytes; gives the place after it."""
    out[to] = tag
    to = _write_length(out, to + 1, length)
    copy(buf, at, length, out, to)
    return to + length


def batch(buf, given, given_at, places, out, found):
    """The number of events of a batch, or 0 where it is not usual. Then `out` has the message, and `found` what is told of it.

    `given` has the host, source and sourcetype of events that have none; `places` has NUMBERS numbers for each event.
    """
    end = np.int64(len(buf))
    if not is_text(buf, np.int64(0), end):
        return 0
    count = np.int64(0)
    to = np.int64(0)
    index_at, index_length = np.int64(0), np.int64(0)
    has_times, has_fields = False, False
    at = after_space(buf, np.int64(0), end)
    while at < end:
        if buf[at] != 123:
            return 0
        own = count * NUMBERS
        for k in range(NUMBERS):
            places[own + k] = 0
        places[own + _TIME_AT] = _NAN
        for k in range(3):
            places[own + _TEXTS_AT + 2 * k + 1] = -1
        own_index_at, own_index_length = np.int64(0), np.int64(0)
        seen = 0
        at += 1
        while True:
            at = after_space(buf, at, end)
            if at >= end or buf[at] != 34:
                return 0
            close, escaped = text_end(buf, at + 1, end)
            if close < 0 or escaped:
                return 0
            member = _member(buf, at + 1, close - at - 1)
            if member < 0 or seen >> member & 1:
                return 0
            seen |= 1 << member
            at = after_space(buf, close + 1, end)
            if at >= end or buf[at] != 58:
                return 0
            at = after_space(buf, at + 1, end)
            kind, value, length, after = read_value(buf, at, end)
            if kind < 0:
                return 0
            if member == EVENT:
                if kind == NULL or (
                    kind == STRING and (length == 0 or (length == 6 and is_same(buf, value, length, _METRIC, 0)))
                ):
                    return 0
                to = _write(out, to, 10, buf, at, after - at)
            elif kind == NULL:
                pass
            elif member == FIELDS:
                if kind != OBJECT or not _is_flat(buf, value, value + length):
                    return 0
                has_fields = True
                places[own + _FIELDS_AT] = value
                places[own + _FIELDS_LENGTH] = length
            elif member == TIME:
                is_usual, bits = _seconds(buf, kind, value, length)
                if not is_usual:
                    return 0
                has_times = True
                places[own + _TIME_AT] = bits
            elif kind != STRING:
                return 0
            elif member == INDEX:
                own_index_at, own_index_length = value, length
            else:
                text = own + _TEXTS_AT + 2 * (member - HOST)
                places[text] = value
                places[text + 1] = length
            at = after_space(buf, after, end)
            if at >= end:
                return 0
            at += 1
            if buf[at - 1] == 125:
                break
            if buf[at - 1] != 44:
                return 0
        if not seen & 1 << EVENT:
            return 0
        if count == 0:
            index_at, index_length = own_index_at, own_index_length
        elif own_index_length != index_length or not is_same(buf, own_index_at, index_length, buf, index_at):
            return 0
        count += 1
        at = after_space(buf, at, end)
    if has_fields:
        for n in range(count):
            to = _write(out, to, 18, buf, places[n * NUMBERS + _FIELDS_AT], places[n * NUMBERS + _FIELDS_LENGTH])
    if has_times:
        out[to] = 26
        to = _write_length(out, to + 1, 8 * count)
        for n in range(count):
            write_word(out, to, places[n * NUMBERS + _TIME_AT])
            to += 8
    for k in range(3):
        first = _TEXTS_AT + 2 * k
        length = places[first + 1]
        # Where all have the same text, it is there once.
        written = np.int64(1)
        for n in range(1, count):
            text = n * NUMBERS + first
            if places[text + 1] != length or not is_same(buf, places[text], length, buf, places[first]):
                written = count
                break
        for n in range(written):
            text = n * NUMBERS + first
            if places[text + 1] > 0:
                to = _write(out, to, 34 + 8 * k, buf, places[text], places[text + 1])
            else:
                to = _write(out, to, 34 + 8 * k, given, given_at[k], given_at[k + 1] - given_at[k])
    found[BYTES] = to
    found[INDEX_AT] = index_at
    found[INDEX_LENGTH] = index_length
    return count


ARGUMENTS = tuple(np.zeros(1, kind) for kind in (np.uint8, np.uint8, np.int64, np.int64, np.uint8, np.int64))
"""Arguments of the kinds that it takes."""
